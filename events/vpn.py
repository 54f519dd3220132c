"""VPNs: what their clients say of the tunnels that they bring up.

Law: data of the tunnel only, in one canonical spelling. A key, a password or a cookie has no field here, so that none
can enter a journal; what a client says and we don't support is told by its name, never by its value.
"""

import msgspec

from events.base import Event


class VpnRoute(msgspec.Struct, frozen=True, omit_defaults=True):
    """A prefix that goes into the tunnel. via: the next hop inside, `None` for the tunnel's other end."""

    destination: str
    via: str | None = None


class VpnConnected(Event, frozen=True, tag="vpn-connected"):
    """A tunnel is up, or its client says anew what holds: all of it, each time.

    vpn: the NAME of `vpn:NAME`. client: `openvpn`, `vpnc` (OpenConnect, too), `wg-quick`. device, ifindex: the tunnel's
    own; ifindex 0: there is none of that name where it was said. included, excluded: what goes through the tunnel, and
    what of that does not. full: all of a family goes through it, else split. split_dns: names that only its resolvers
    know. gateway: the next hop inside; remote: the server outside. mtu: 0 = not said. tunnel: `move` to the PvD's
    namespace, `leave`, "" = as the policy says. partial: routes and gateway were left out, and are as they were (an
    OpenVPN that restarts in its old tunnel). ignored: what else was said, by name.
    """

    vpn: str
    client: str
    device: str
    ifindex: int = 0
    addresses: tuple[str, ...] = ()
    included: tuple[VpnRoute, ...] = ()
    excluded: tuple[str, ...] = ()
    full: bool = False
    dns: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    split_dns: tuple[str, ...] = ()
    gateway: str = ""
    remote: str = ""
    mtu: int = 0
    tunnel: str = ""
    partial: bool = False
    ignored: tuple[str, ...] = ()


class VpnEnded(Event, frozen=True, tag="vpn-ended"):
    """A client took its tunnel down. device: which, "" for whichever it has. reason: the client's word for why."""

    vpn: str
    device: str = ""
    reason: str = ""
