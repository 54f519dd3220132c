"""Static configuration: what a profile says of addresses, routes and resolvers, as items of a PvD of its own.

Law: pure, from a profile's values alone. A profile without an address of its own makes no PvD: its routes and resolvers
would belong to a network that has to speak first, and which one that is nobody knows yet (prior_art.md 4.1, 4).
"""

from collections.abc import Iterator
from typing import Final

from events.operator import Settings
from pvdcore.prefixes import interface, network
from pvdcore.state import Held, Value

FAMILIES: Final = ("ipv4", "ipv6")
SILENT: Final = ("disabled", "ignore", "link-local", "shared")
"""Methods under which NetworkManager configures no address of the profile."""
DEFAULT_ROUTE: Final = {"ipv4": "0.0.0.0/0", "ipv6": "::/0"}
ORIGIN: Final = "static"


def listed(profile: Settings, key: str) -> list[str]:
    """A value that is a list; a single text is a list of one."""
    value = profile.values.get(key)
    if value is None or isinstance(value, bool):
        return []
    return list(value) if isinstance(value, list) else [str(value)]


def word(profile: Settings, key: str, default: str = "") -> str:
    """A value that is a word."""
    value = profile.values.get(key)
    return value if isinstance(value, str) else default


def addresses(profile: Settings, family: str) -> list[str]:
    """The addresses of one family, as `192.0.2.10/24`, that the profile's method configures."""
    if word(profile, f"{family}.method") in SILENT:
        return []
    return [one for one in listed(profile, f"{family}.addresses") if _reads(one)]


def routes(profile: Settings, family: str) -> Iterator[tuple[str, str | None]]:
    """The routes of one family that a profile configures: destination, and next hop (`None`: on-link)."""
    for route in listed(profile, f"{family}.routes"):
        destination, via, *_ = *route.split(), "", ""
        if _reads(destination) and (not via or _reads(via)):
            yield str(network(destination)), via or None


def _reads(text: str) -> bool:
    """Whether it is an address or a prefix. Readers see to it; a journal may be another program's."""
    try:
        interface(text)
    except ValueError:
        return False
    return True


def waits(profile: Settings) -> bool:
    """Whether something else than this profile is to say what holds on the link (SLAAC, DHCP)."""
    return any(word(profile, f"{family}.method", "auto") in ("auto", "dhcp") for family in FAMILIES)


def items(profile: Settings, because: int, since: dict[tuple[str, str], int]) -> tuple[Held, ...]:
    """What the profile's PvD holds; () if it makes none. since: of items that were held before."""
    if not any(addresses(profile, family) for family in FAMILIES):
        return ()
    made: list[Held] = []
    for kind, key, value in _said(profile):
        if any((one.kind, one.key) == (kind, key) for one in made):
            continue
        first = since.get((kind, key), because)
        made.append(Held(kind, key, value, None, first, order=len(made), because=because, fixed=True))
    return tuple(made)


def _said(profile: Settings) -> Iterator[tuple[str, str, Value]]:
    for family in FAMILIES:
        own = addresses(profile, family)
        for address in own:
            yield "address", address, (ORIGIN,)
        for address in own:
            on_link = interface(address).network
            if family == "ipv6" and on_link.prefixlen < 128:  # the kernel makes none beside an address of ours
                yield "route", str(on_link), (str(on_link), None, "medium")
        if not own:
            continue
        gateway = word(profile, f"{family}.gateway")
        if _reads(gateway) and profile.values.get(f"{family}.never-default") is not True:
            yield _route(DEFAULT_ROUTE[family], gateway)
        for destination, via in routes(profile, family):
            yield _route(destination, via)
    for family in FAMILIES:
        if addresses(profile, family):
            for server in listed(profile, f"{family}.dns"):
                if _reads(server):
                    yield "dns", server, ()
            for name in listed(profile, f"{family}.dns-search"):
                yield "search", name, ()
    mtu = profile.values.get("802-3-ethernet.mtu")
    if isinstance(mtu, int) and mtu:
        yield "mtu", "mtu", (mtu,)


def _route(destination: str, via: str | None) -> tuple[str, str, Value]:
    return "route", f"{destination} via {via}" if via else destination, (destination, via, "medium")
