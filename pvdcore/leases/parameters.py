"""What DHCP options say beside the lease: routes, resolvers, names, portal, time, each as a Held item.

Law: an answer is read whole and by itself; what an earlier one said plays no part here. To show one more option in a
PvD, add it to `parameters4` or `parameters6`.
"""

from ipaddress import IPv6Address
from typing import Protocol

from events.dhcp import Addresses, DhcpOption, Names, Number, RdnssSelection, Resolver, Route, Routes, Suboptions, Text
from pvdcore.leases.exchanges import option
from pvdcore.state import Held, Value

MTU4_LEAST = 68  # RFC 2132 §5.1
NTP_SERVER_ADDRESS = 1  # suboption of DHCPv6 56 (RFC 5908 §4.1)

CODES6 = {"dns": (23,), "search": (24,), "captive_portal": (103,), "ntp": (31, 56), "encrypted_dns": (144,)}
"""DHCPv6: the options that a kind of item comes from."""


class Add(Protocol):
    """The shape of the local `add` functions: kind, key, value."""

    def __call__(self, kind: str, key: str, value: Value = ()) -> None: ...


def parameters4(options: tuple[DhcpOption, ...], lease_s: int | None, own: str = "") -> tuple[Held, ...]:
    """The items of a DHCPv4 answer, living as long as its lease. own: the address given, which is no router."""
    found: list[Held] = []
    seen: set[tuple[str, str]] = set()

    def add(kind: str, key: str, value: Value = ()) -> None:
        if (kind, key) not in seen:
            seen.add((kind, key))
            found.append(Held(kind, key, value, lease_s, 0, len(found)))

    for route in routes4(options):
        if route.via == own:
            continue  # a host that is its own gateway reaches nothing
        key = f"{route.destination} via {route.via}" if route.via else route.destination
        add("route", key, (route.destination, route.via, "medium"))
    dns = option(options, 6, Addresses)
    for server in dns.addresses if dns else ():
        add("dns", server)
    search = option(options, 119, Names)
    domain = option(options, 15, Text)
    names = search.names if search else tuple(_domain(word) for word in domain.text.split()) if domain else ()
    for name in names:
        add("search", name)
    host_name = option(options, 12, Text)
    if host_name:  # what the network calls the host: said in its PvD, never set anywhere
        add("hostname", "hostname", (host_name.text,))
    portal = option(options, 114, Text)
    if portal:
        add("captive_portal", "uri", (portal.text,))
    mtu = option(options, 26, Number)
    if mtu and mtu.value is not None and mtu.value >= MTU4_LEAST:
        add("mtu", "mtu", (mtu.value,))
    for server in ntp.addresses if (ntp := option(options, 42, Addresses)) else ():
        add("ntp", server)
    _resolvers(options, 162, add)
    _name_rules(options, 146, add)
    return tuple(found)


def parameters6(options: tuple[DhcpOption, ...]) -> tuple[Held, ...]:
    """The items of a DHCPv6 Reply. They have no lifetime of their own."""
    found: list[Held] = []
    seen: set[tuple[str, str]] = set()

    def add(kind: str, key: str, value: Value = ()) -> None:
        if (kind, key) not in seen:
            seen.add((kind, key))
            found.append(Held(kind, key, value, None, 0, len(found)))

    dns = option(options, 23, Addresses)
    for one in dns.addresses if dns else ():
        add("dns", one)
    search = option(options, 24, Names)
    for name in search.names if search else ():
        add("search", name)
    portal = option(options, 103, Text)
    if portal:
        add("captive_portal", "uri", (portal.text,))
    for given in options:
        if given.code == 56 and isinstance(given, Suboptions):
            for code, octets in given.items:
                if code == NTP_SERVER_ADDRESS and len(octets) == 32:
                    add("ntp", str(IPv6Address(bytes.fromhex(octets))))
    sntp = option(options, 31, Addresses)
    for one in sntp.addresses if sntp else ():
        add("ntp", one)
    _resolvers(options, 144, add)
    return tuple(found)


def name_rules6(options: tuple[DhcpOption, ...]) -> tuple[Held, ...]:
    """Which names are for which resolver (option 74): apart from the rest, since each server's rules end by themselves
    (RFC 6731 §4.2)."""
    found: list[Held] = []

    def add(kind: str, key: str, value: Value = ()) -> None:
        if all(one.key != key for one in found):
            found.append(Held(kind, key, value, None, 0, len(found)))

    _name_rules(options, 74, add)
    return tuple(found)


def _name_rules(options: tuple[DhcpOption, ...], code: int, add: Add) -> None:
    """One item for each server and domain, so that domains are added and none is taken away (RFC 6731 §4.2, §4.3)."""
    for one in options:
        if one.code == code and isinstance(one, RdnssSelection):
            preference = "medium" if one.preference == "reserved" else one.preference  # §4.2, §4.3
            for server in one.addresses:
                for domain in one.names or ("",):  # a rule for no name at all is recorded, too
                    add("dns_rule", f"{server} {domain}", (server, domain, preference))


def _domain(word: str) -> str:
    return word.lower().rstrip(".") + "."


def _resolvers(options: tuple[DhcpOption, ...], code: int, add: Add) -> None:
    for one in options:
        if one.code == code and isinstance(one, Resolver):
            params = tuple((param.key, param.value) for param in one.params)
            key = " ".join((str(one.priority), one.adn, *one.addresses))
            add("encrypted_dns", key, (one.priority, one.adn, one.addresses, params))


def routes4(options: tuple[DhcpOption, ...]) -> tuple[Route, ...]:
    """Option 121, else 249, else 33 and 3 (RFC 3442): with 121, 3 and 33 are ignored even if it has no default.

    The readers set a 121 aside that can't be read, so that 33 and 3 count as if it were not there.
    """
    for code in (121, 249):
        classless = option(options, code, Routes)
        if classless is not None:
            return classless.routes
    static = option(options, 33, Routes)
    routers = option(options, 3, Addresses)
    default = tuple(Route("0.0.0.0/0", via) for via in (routers.addresses if routers else ()) if via != "0.0.0.0")
    return (*default, *(static.routes if static else ()))
