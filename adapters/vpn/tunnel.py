"""What a client says of a tunnel, gathered and checked: the one way to a VpnConnected.

Law: what stands in an event is canonical and has been read as what it is said to be. What cannot be read, or is not
supported, is told by its name in the source, never by its value: nobody knows what else a client's words hold.
"""

import re
import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_interface, ip_network
from typing import Final

from msgspec.structs import replace

from adapters.settings.vocabulary import TEXT_MAX
from adapters.settings.vocabulary import mtu as octets
from adapters.settings.vocabulary import name as domain
from events.vpn import VpnConnected, VpnRoute

ROUTES_MAX: Final = 512  # in and out each, as policy routes_max: some 40 KiB of the 64 that a call may have
ITEMS_MAX: Final = 64  # addresses, resolvers and names, as policy rdnss_max
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")
DEVICE: Final = re.compile(r"[^\s/%:]{1,15}")  # dev_valid_name (net/core/dev.c), and nothing that would be a scope
TUNNEL: Final = ("", "move", "leave")
CLIENTS: Final = ("openvpn", "vpnc", "wg-quick", "other")
EVERYTHING4: Final = IPv4Network("0.0.0.0/0")
EVERYTHING6: Final = IPv6Network("2000::/3")  # all global addresses there are


class Unusable(Exception):
    """Words that make no tunnel: one line that ends with what to do."""


def called(name: str, device: str) -> str:
    """A VPN's name, by default the device's. Raises Unusable."""
    said = name or device
    if not NAME.fullmatch(said):
        raise Unusable(f"{said!r} is no name for a VPN: letters, digits and _.@+-; give it one with --name")
    return said


def number_of(device: str) -> int:
    """The device's number in this namespace; 0 if it is not here."""
    try:
        return socket.if_nametoindex(device)
    except OSError:
        return 0


class Tunnel:
    """What is said, piece by piece. Each piece names where it stands, in case it cannot be used."""

    def __init__(self, client: str, device: str) -> None:
        if not DEVICE.fullmatch(device) or device in (".", ".."):
            raise Unusable(f"{client} names no tunnel device; run this as its hook, or name a file")
        self.client = client
        self.device = device
        self.addresses: list[str] = []
        self.included: list[VpnRoute] = []
        self.excluded: list[str] = []
        self.dns: list[str] = []
        self.search: list[str] = []
        self.split_dns: list[str] = []
        self.gateway = ""
        self.remote = ""
        self.mtu = 0
        self.partial = False
        self.ignored: list[str] = []

    def ignore(self, where: str) -> None:
        """Something that is not used."""
        if where not in self.ignored and len(self.ignored) < ITEMS_MAX:
            self.ignored.append(where[:TEXT_MAX])

    def address(self, said: str, where: str) -> None:
        """An address of this host, with the length of its prefix."""
        self._keep(self.addresses, said, where, lambda text: str(ip_interface(text)))

    def include(self, prefix: str, where: str, via: str = "") -> None:
        """A prefix that goes through the tunnel."""
        try:
            route = VpnRoute(str(ip_network(prefix, strict=False)), str(ip_address(via)) if via else None)
        except ValueError:
            self.ignore(where)
            return
        if route in self.included:
            return
        if len(self.included) >= ROUTES_MAX:
            self.ignore(f"routes beyond {ROUTES_MAX}")
        else:
            self.included.append(route)

    def exclude(self, prefix: str, where: str) -> None:
        """A prefix that does not, whatever goes through it around it."""
        self._keep(self.excluded, prefix, where, lambda text: str(ip_network(text, strict=False)), ROUTES_MAX)

    def resolver(self, said: str, where: str) -> None:
        """A server that answers for the VPN."""
        self._keep(self.dns, said, where, lambda text: str(ip_address(text.strip("[]"))))

    def search_name(self, said: str, where: str) -> None:
        """A name to complete short ones with."""
        self._keep(self.search, said, where, domain)

    def split_name(self, said: str, where: str) -> None:
        """A name below which only the VPN's resolvers know."""
        self._keep(self.split_dns, said, where, domain)

    def size(self, said: str, where: str) -> None:
        """The tunnel's MTU."""
        try:
            self.mtu = octets(said)
        except ValueError:
            self.ignore(where)

    def ends(self, *, gateway: str = "", remote: str = "") -> None:
        """The next hop inside, and the server outside where it is an address: its name may be a secret of its user."""
        self.gateway = _address(gateway)
        self.remote = _address(remote)

    def _keep(
        self, where_to: list[str], said: str, where: str, read: Callable[[str], str], most: int = ITEMS_MAX
    ) -> None:
        try:
            item = read(said)
        except ValueError:
            self.ignore(where)
            return
        if item not in where_to:
            if len(where_to) < most:
                where_to.append(item)
            else:
                self.ignore(where)

    def made(self, name: str, *, tunnel: str = "", ifindex: int = 0) -> VpnConnected:
        """The event. Raises Unusable."""
        return VpnConnected(
            vpn=called(name, self.device),
            client=self.client,
            device=self.device,
            ifindex=ifindex,
            addresses=tuple(self.addresses),
            included=tuple(self.included),
            excluded=tuple(self.excluded),
            full=full(self.included),
            dns=tuple(self.dns),
            search=tuple(self.search),
            split_dns=tuple(self.split_dns),
            gateway=self.gateway,
            remote=self.remote,
            mtu=self.mtu,
            tunnel=tunnel,
            partial=self.partial,
            ignored=tuple(self.ignored),
        )


def _address(said: str) -> str:
    try:
        return str(ip_address(said))
    except ValueError:
        return ""


def full(included: Iterable[VpnRoute]) -> bool:
    """Whether everything of a family goes through the tunnel; two halves are a whole."""
    prefixes = [ip_network(route.destination) for route in included]
    four = collapse_addresses(one for one in prefixes if isinstance(one, IPv4Network))
    six = collapse_addresses(one for one in prefixes if isinstance(one, IPv6Network))
    return any(EVERYTHING4.subnet_of(one) for one in four) or any(EVERYTHING6.subnet_of(one) for one in six)


def checked(event: VpnConnected) -> VpnConnected:
    """An event that somebody else made, in canonical spelling. Raises ValueError with the field that cannot be."""
    tunnel = Tunnel(event.client, event.device)
    for address in event.addresses:
        tunnel.address(address, "addresses")
    for route in event.included:
        tunnel.include(route.destination, "included", route.via or "")
    for prefix in event.excluded:
        tunnel.exclude(prefix, "excluded")
    for server in event.dns:
        tunnel.resolver(server, "dns")
    for name in event.search:
        tunnel.search_name(name, "search")
    for name in event.split_dns:
        tunnel.split_name(name, "split_dns")
    tunnel.size(str(event.mtu), "mtu")
    tunnel.ends(gateway=event.gateway, remote=event.remote)
    if tunnel.ignored:
        raise ValueError(tunnel.ignored[0])
    for field in ("gateway", "remote"):
        if getattr(event, field) and not getattr(tunnel, field):
            raise ValueError(field)
    if event.tunnel not in TUNNEL:
        raise ValueError("tunnel")
    if not NAME.fullmatch(event.vpn):
        raise ValueError("vpn")
    if event.client not in CLIENTS:
        raise ValueError("client")
    if event.ifindex < 0:
        raise ValueError("ifindex")
    if len(event.ignored) > ITEMS_MAX or any(len(one) > TEXT_MAX for one in event.ignored):
        raise ValueError("ignored")
    made = tunnel.made(event.vpn, tunnel=event.tunnel, ifindex=event.ifindex)
    return replace(made, partial=event.partial, ignored=event.ignored)
