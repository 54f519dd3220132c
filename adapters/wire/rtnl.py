"""What the kernel says of links, addresses, routes, rules and neighbours: rtnetlink messages (linux/rtnetlink.h).

Law: a frame is read whole or not at all, in time linear in its octets. One message or attribute that breaks the framing
rejects all of it; a message type, an attribute or a nest that we do not know says nothing and is never entered. Nothing
is remembered: whoever calls says what the links are called.

    message, 4-aligned, in the host's order     attribute, 4-aligned             cooked header of a capture
      +-----------------------------+ 0           +------------------------+ 0     +--------------------------+ 0
      | length, with this header  4 |             | length, with these   2 |       | packet type            2 |
      | type                      2 |             | type, two flag bits  2 |       | ARPHRD                 2 |
      | flags                     2 |             | value                  |       | unused                10 |
      | sequence number           4 |             +------------------------+       | netlink family         2 |
      | port                      4 |                                              +--------------------------+ 16
      +-----------------------------+ 16, the fixed part of its type, attributes     (in network order)

What a process asks the kernel for (NLM_F_REQUEST, seen on nlmon links) is a wish and no sighting: it says nothing.

The live daemon knows what the links are called, and puts that before each message it keeps, as a message of its own
that other readers pass over: type NAMES, the namespace's inode u64, then one attribute a link (type 1): ifindex s32,
incarnation u32, its LinkId in UTF-8. So a frame says the same whenever and wherever it is read.
"""

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from adapters.wire.carrier.ip import address4, address6, prefix6
from adapters.wire.cursor import Malformed, lifetime
from adapters.wire.neighbor.options import RA_CODES, place, read_options, remembering
from events.codec import AnyEvent
from events.ids import LinkId
from events.link import (
    AddressGone,
    AddressSeen,
    LinkGone,
    LinkSeen,
    NdUserOptionSeen,
    NeighborSeen,
    NetlinkOverrun,
    PrefixSeen,
    RouteGone,
    RouteSeen,
    RuleGone,
    RuleSeen,
)

NEXT_HOPS_MAX: Final = 256  # of one route; ECMP sets have up to 128 in practice, a message has room for 8190
COOKED_OCTETS: Final = 16  # pcap-linktype(7), LINKTYPE_NETLINK
NETLINK_ROUTE: Final = 0
NAMES: Final = 0x7064  # "pd"; rtnetlink's own types end far below (RTM_MAX)

_HEADER: Final = 16
_REQUEST: Final = 0x1  # NLM_F_REQUEST
_OVERRUN: Final = 4  # NLMSG_OVERRUN
_TYPE_MASK: Final = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_AF_INET: Final = 2
_AF_INET6: Final = 10
_IFF_UP: Final = 0x1
_IFF_LOWER_UP: Final = 0x10000
_IFA_F_PERMANENT: Final = 0x80
_IFAPROT_KERNEL_RA: Final = 2
PROTOCOL: Final = 158  # ours among rt_protos; nobody's in iproute2's, FRR's, bird's and systemd's lists
_RTM_F_CLONED: Final = 0x200
_NTF_ROUTER: Final = 0x80
_PREFIX_ON_LINK: Final = 0x01  # IF_PREFIX_ONLINK, IF_PREFIX_AUTOCONF
_PREFIX_AUTONOMOUS: Final = 0x02
_RULE_INVERT: Final = 0x2  # FIB_RULE_INVERT

_HARDWARE: Final = {  # ARPHRD_…, uapi linux/if_arp.h
    1: "ethernet",
    768: "tunnel",
    769: "tunnel",
    772: "loopback",
    776: "tunnel",
    778: "tunnel",
    801: "wifi",
    802: "wifi",
    803: "wifi",
    65534: "tunnel",
}
_ROUTE_KINDS: Final = {  # RTN_…, uapi linux/rtnetlink.h
    1: "unicast",
    2: "local",
    3: "broadcast",
    4: "anycast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
}
_FAMILIES: Final = {_AF_INET: "ipv4", _AF_INET6: "ipv6"}
_RULE_ACTIONS: Final = {1: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}  # FR_ACT_…
_NEIGHBOR_STATES: Final = {  # NUD_…, uapi linux/neighbour.h
    0x00: "none",
    0x01: "incomplete",
    0x02: "reachable",
    0x04: "stale",
    0x08: "delay",
    0x10: "probe",
    0x20: "failed",
    0x40: "noarp",
    0x80: "permanent",
}

_NOWHERE: Final[Mapping[tuple[int, int], str]] = MappingProxyType({})
_in_user_option: Final = remembering(place(RA_CODES))

Order = Literal["little", "big"]
Attributes = dict[int, tuple[int, int]]
"""Type to (octet where the value begins, where it ends). The last of a type counts, as in the kernel's nla_parse."""


class _Reading(NamedTuple):
    """A frame and how to read it."""

    data: bytes
    order: Order
    link: LinkId
    names: Mapping[int, LinkId]
    namespace: int
    incarnations: Mapping[int, int] = MappingProxyType({})
    elsewhere: Mapping[tuple[int, int], str] = MappingProxyType({})

    def number(self, at: int, octets: int) -> int:
        return int.from_bytes(self.data[at : at + octets], self.order)

    def ifindex(self, at: int) -> int:
        """The s32 at `at`; the kernel gives none under 1."""
        index = int.from_bytes(self.data[at : at + 4], self.order, signed=True)
        if index < 1:
            raise Malformed("netlink-ifindex", at, f"interface index {index}")
        return index

    def name(self, ifindex: int) -> LinkId:
        return self.names.get(ifindex) or f"{self.link}%{ifindex}"

    def incarnation(self, ifindex: int) -> str:
        known = self.incarnations.get(ifindex)
        return f":{known}" if known else ""

    def attributes(self, at: int, end: int) -> Attributes:
        """The attributes in at..end. The last one may lack its padding."""
        found: Attributes = {}
        while at < end:
            length = self.number(at, 2)
            if length < 4 or at + length > end:
                raise Malformed("netlink-attribute", at, f"attribute length {length}, {end - at} octets are there")
            found[self.number(at + 2, 2) & _TYPE_MASK] = (at + 4, at + length)
            at += length + 3 & ~3
        return found

    def value(self, found: Attributes, kind: int, octets: int, default: int = 0) -> int:
        """The number of `octets` octets in an attribute, `default` without one."""
        if kind not in found:
            return default
        start, end = found[kind]
        if end - start != octets:
            raise Malformed("netlink-value", start, f"{end - start} octets where {octets} are due")
        return self.number(start, octets)

    def text(self, found: Attributes, kind: int) -> str:
        """A string up to its NUL; what is not printable is escaped, for names come from whoever made the link."""
        if kind not in found:
            return ""
        start, end = found[kind]
        said = self.data[start:end].partition(b"\0")[0].decode("utf-8", "backslashreplace")
        return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in said)

    def address(self, found: Attributes, kind: int, family: int) -> str | None:
        """An address of `family`, 2 or 10; None without the attribute."""
        if kind not in found:
            return None
        start, end = found[kind]
        octets = 4 if family == _AF_INET else 16
        if end - start != octets:
            raise Malformed("netlink-value", start, f"an address of {end - start} octets, family {family}")
        return _text_of(self.data[start:end])

    def mac(self, found: Attributes, kind: int) -> str:
        """A MAC of 48 bits; "" for other hardware (a tunnel's is its address) and for zeros (loopback)."""
        if kind not in found:
            return ""
        start, end = found[kind]
        octets = self.data[start:end]
        return octets.hex(":") if len(octets) == 6 and any(octets) else ""


def _text_of(octets: bytes) -> str:
    return address4(octets) if len(octets) == 4 else address6(octets)


def decode_cooked(data: bytes, *, link: LinkId, names: Mapping[int, LinkId]) -> tuple[AnyEvent, ...]:
    """A captured LINKTYPE_NETLINK frame; () if its family is not NETLINK_ROUTE. Else as `decode`."""
    if len(data) < COOKED_OCTETS:
        raise Malformed("netlink-header", len(data), "shorter than a cooked netlink header")
    if int.from_bytes(data[14:16], "big") != NETLINK_ROUTE:
        return ()
    return decode(data, COOKED_OCTETS, len(data), link=link, names=names)


def decode(
    data: bytes, at: int, end: int, *, link: LinkId, names: Mapping[int, LinkId], namespace: int = 0
) -> tuple[AnyEvent, ...]:
    """What the rtnetlink messages in at..end say, in their order.

    names: the links known so far, by ifindex. One that is not in it is LINK%IFINDEX, as in Linux cooked v2 captures,
    even in the message that tells its name: a name can be used again and must not make two links one (E74). A route
    without a link (blackhole) stands under `link` itself. namespace: inode of the network namespace, 0 = not known;
    a LinkSeen's identity is netns:NAMESPACE:IFINDEX, and who remembers adds the incarnation.

    The byte order is the one in which the first length makes sense, so that a capture reads the same on every machine.
    Lifetimes are seconds (`valid_s`), as this function knows no time. Raises Malformed `netlink-…`; offsets are in
    `data`.
    """
    events: list[AnyEvent] = []
    reading = _Reading(data, byte_order(data, at, end), link, names, namespace)
    while at < end:
        if end - at < _HEADER:
            raise Malformed("netlink-header", at, f"{end - at} octets where a message header is due")
        length = reading.number(at, 4)
        if length < _HEADER or length > end - at:
            raise Malformed("netlink-length", at, f"message length {length}, {end - at} octets are there")
        kind = reading.number(at + 4, 2)
        if kind == NAMES:
            reading = _named(reading, at + _HEADER, at + length)
        elif kind == _OVERRUN:
            events.append(NetlinkOverrun(detail="NLMSG_OVERRUN"))
        message = _MESSAGES.get(kind)
        if message is not None and not reading.number(at + 6, 2) & _REQUEST:
            if length < _HEADER + message.octets:
                raise Malformed("netlink-body", at, f"{length} octets, type {kind} has {_HEADER + message.octets}")
            message.read(reading, at + _HEADER, at + length, kind, events)
        at += length + 3 & ~3
    return tuple(events)


def cooked(messages: bytes) -> bytes:
    """Messages as a captured LINKTYPE_NETLINK frame: from the kernel, ARPHRD_NETLINK, NETLINK_ROUTE."""
    return struct.pack("!HH10xH", 0, 824, NETLINK_ROUTE) + messages


def naming(
    namespace: int, links: Mapping[int, tuple[int, LinkId]], elsewhere: Mapping[tuple[int, int], str] = _NOWHERE
) -> bytes:
    """A NAMES message. links: by ifindex, the incarnation and the LinkId. elsewhere: by the id that another namespace
    has here (IFLA_NEW_NETNSID) and the ifindex there, how a link is called that moved, `NETNS:NAME`."""
    body = struct.pack("=Q", namespace)
    said = [(1, struct.pack("=iI", ifindex, one) + link.encode()) for ifindex, (one, link) in sorted(links.items())]
    said += [(2, struct.pack("=ii", *place) + name.encode()) for place, name in sorted(elsewhere.items())]
    for kind, value in said:
        body += struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
    return struct.pack("=IHHII", _HEADER + len(body), NAMES, 0, 0, 0) + body


def _named(reading: _Reading, at: int, end: int) -> _Reading:
    """The reading of what follows a NAMES message."""
    if end - at < 8:
        raise Malformed("netlink-body", at, f"{end - at} octets of names")
    names, incarnations, elsewhere = dict(reading.names), dict(reading.incarnations), dict(reading.elsewhere)
    namespace = reading.number(at, 8)
    at += 8
    while at < end:
        length = reading.number(at, 2)
        kind = reading.number(at + 2, 2)
        if length < 13 or at + length > end or kind not in (1, 2):
            raise Malformed("netlink-attribute", at, f"a name of length {length}, {end - at} octets are there")
        said = reading.data[at + 12 : at + length].decode("utf-8", "backslashreplace")
        name = "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in said)
        if kind == 1:
            ifindex = reading.ifindex(at + 4)
            names[ifindex] = name
            incarnations[ifindex] = reading.number(at + 8, 4)
        else:
            elsewhere[reading.number(at + 4, 4), reading.number(at + 8, 4)] = name
        at += length + 3 & ~3
    return reading._replace(names=names, namespace=namespace, incarnations=incarnations, elsewhere=elsewhere)


def fixed_octets(kind: int) -> int | None:
    """Octets of the fixed part of a message type; None for a type that we do not read."""
    message = _MESSAGES.get(kind)
    return None if message is None else message.octets


def byte_order(data: bytes, at: int, end: int) -> Order:
    """The order in which the first message's length makes sense."""
    first = int.from_bytes(data[at : at + 4], "big")
    return "big" if _HEADER <= first <= end - at else "little"


def _read_link(reading: _Reading, at: int, end: int, kind: int, events: list[AnyEvent]) -> None:
    """ifinfomsg: family u8, pad, ARPHRD u16, ifindex s32, flags u32, change mask u32.

    Only family 0 speaks of the link itself: a DELLINK of AF_BRIDGE says that a port left its bridge.
    """
    if reading.data[at]:
        return
    ifindex = reading.ifindex(at + 4)
    found = reading.attributes(at + 16, end)
    if kind == _DELLINK:
        moved = 45 in found  # IFLA_NEW_NETNSID, IFLA_NEW_IFINDEX: it went to another namespace (net/core/dev.c)
        to = reading.elsewhere.get((reading.value(found, 45, 4), reading.value(found, 49, 4)), "") if moved else ""
        events.append(LinkGone(link=reading.name(ifindex), reason="moved" if moved else "deleted", to=to))
        return
    hardware, flags = reading.number(at + 2, 2), reading.number(at + 8, 4)
    made_as = reading.text(reading.attributes(*found[18]), 1) if 18 in found else ""  # IFLA_LINKINFO, IFLA_INFO_KIND
    master = reading.value(found, 10, 4)
    events.append(
        LinkSeen(
            link=reading.name(ifindex),
            identity=f"netns:{reading.namespace}:{ifindex}{reading.incarnation(ifindex)}",
            kind=made_as or _HARDWARE.get(hardware, f"arphrd-{hardware}"),
            ifindex=ifindex,
            name=reading.text(found, 3),
            mac=reading.mac(found, 1),
            mtu=reading.value(found, 4, 4),
            up=flags & _IFF_UP != 0,
            carrier=reading.value(found, 33, 1, flags & _IFF_LOWER_UP) != 0,
            carrier_changes=reading.value(found, 35, 4),
            master=reading.name(master) if master else "",
            alias=reading.text(found, 20),
            host=True,
        )
    )


def _read_address(reading: _Reading, at: int, end: int, kind: int, events: list[AnyEvent]) -> None:
    """ifaddrmsg: family u8, prefix length u8, flags u8, scope u8, ifindex u32. IFA_LOCAL is ours, IFA_ADDRESS may be
    the peer's. Flags over 8 bits stand in IFA_FLAGS only."""
    family, width = reading.data[at], reading.data[at + 1]
    if family not in (_AF_INET, _AF_INET6):
        return
    ifindex = reading.ifindex(at + 4)
    _fits(family, width, at + 1)
    found = reading.attributes(at + 8, end)
    text = reading.address(found, 2, family) or reading.address(found, 1, family)
    if text is None:
        raise Malformed("netlink-missing", at, "an address message without an address")
    address = f"{text}/{width}"
    if kind == _DELADDR:
        events.append(AddressGone(link=reading.name(ifindex), address=address))
        return
    flags = reading.value(found, 8, 4, reading.data[at + 2])
    valid = preferred = None
    if 6 in found:  # IFA_CACHEINFO: preferred, valid, created, updated
        start, stop = found[6]
        if stop - start < 16:
            raise Malformed("netlink-value", start, f"an address's lifetimes in {stop - start} octets")
        preferred, valid = lifetime(reading.number(start, 4)), lifetime(reading.number(start + 4, 4))
    origin = "static" if flags & _IFA_F_PERMANENT else "other"
    maker = reading.value(found, 11, 1)  # IFA_PROTO
    if maker in (_IFAPROT_KERNEL_RA, PROTOCOL):
        origin = "kernel-ra" if maker == _IFAPROT_KERNEL_RA else "ours"
    events.append(
        AddressSeen(
            link=reading.name(ifindex),
            address=address,
            flags=flags,
            origin=origin,
            valid_s=valid,
            preferred_s=preferred,
        )
    )


def _read_route(reading: _Reading, at: int, end: int, kind: int, events: list[AnyEvent]) -> None:
    """rtmsg: family, destination length, source length, TOS, table, protocol, scope, type, all u8; flags u32.

    One event a next hop. An entry of the kernel's cache (RTM_F_CLONED) is in no table.
    """
    data = reading.data
    family, width = data[at], data[at + 1]
    if family not in (_AF_INET, _AF_INET6) or reading.number(at + 8, 4) & _RTM_F_CLONED:
        return
    _fits(family, width, at + 1)
    found = reading.attributes(at + 12, end)
    destination = f"{reading.address(found, 1, family) or ('0.0.0.0' if family == _AF_INET else '::')}/{width}"
    table, metric = reading.value(found, 15, 4, data[at + 4]), reading.value(found, 6, 4)
    if 9 in found:  # RTA_MULTIPATH
        hops = _next_hops(reading, *found[9], family)
    else:
        reading.value(found, 4, 4)  # of another size it is no index
        hops = [
            (reading.name(reading.ifindex(found[4][0])) if 4 in found else reading.link, _via(reading, found, family))
        ]
    for link, via in hops:
        if kind == _DELROUTE:
            events.append(RouteGone(link=link, destination=destination, via=via, table=table, metric=metric))
        else:
            events.append(
                RouteSeen(
                    link=link,
                    destination=destination,
                    via=via,
                    table=table,
                    metric=metric,
                    protocol=data[at + 5],
                    kind=_ROUTE_KINDS.get(data[at + 7], f"rtn-{data[at + 7]}"),
                )
            )


def _next_hops(reading: _Reading, at: int, end: int, family: int) -> list[tuple[LinkId, str | None]]:
    """rtnexthop: length u16, flags u8, hops u8, ifindex s32 (0: its link is gone), attributes."""
    hops: list[tuple[LinkId, str | None]] = []
    while at < end:
        length = reading.number(at, 2)
        if length < 8 or at + length > end:
            raise Malformed("netlink-attribute", at, f"next hop length {length}, {end - at} octets are there")
        if len(hops) == NEXT_HOPS_MAX:
            raise Malformed("netlink-next-hops", at, f"more than {NEXT_HOPS_MAX} next hops")
        link = reading.name(reading.ifindex(at + 4)) if any(reading.data[at + 4 : at + 8]) else reading.link
        hops.append((link, _via(reading, reading.attributes(at + 8, at + length), family)))
        at += length + 3 & ~3
    return hops


def _via(reading: _Reading, found: Attributes, family: int) -> str | None:
    """RTA_GATEWAY, or RTA_VIA: a family u16 and an address of that family (RFC 8950: IPv4 through an IPv6 router)."""
    if 18 not in found:
        return reading.address(found, 5, family)
    start, end = found[18]
    octets = {_AF_INET: 4, _AF_INET6: 16}.get(reading.number(start, 2))
    if octets is None or end - start != 2 + octets:
        raise Malformed("netlink-value", start, f"a router in {end - start} octets")
    return _text_of(reading.data[start + 2 : end])


def _read_neighbor(reading: _Reading, at: int, end: int, kind: int, events: list[AnyEvent]) -> None:
    """ndmsg: family u8, pad, pad, ifindex s32, state u16, flags u8, type u8. AF_BRIDGE is a forwarding entry."""
    family = reading.data[at]
    if family not in (_AF_INET, _AF_INET6):
        return
    ifindex = reading.ifindex(at + 4)
    found = reading.attributes(at + 12, end)
    address = reading.address(found, 1, family)
    if address is None:
        raise Malformed("netlink-missing", at, "a neighbour message without an address")
    state = reading.number(at + 8, 2)
    events.append(
        NeighborSeen(
            link=reading.name(ifindex),
            address=address,
            state=_NEIGHBOR_STATES.get(state, f"nud-{state:#x}"),
            mac=reading.mac(found, 2),
            router=reading.data[at + 10] & _NTF_ROUTER != 0,
        )
    )


def _read_user_option(reading: _Reading, at: int, end: int, kind: int, events: list[AnyEvent]) -> None:
    """nduseroptmsg: family u8, pad, options length u16, ifindex s32, ICMPv6 type u8, code u8, 6 of padding; options.

    The kernel passes on a few options of an RA one by one, never its header, option 21 or 144 (ndisc.c): evidence of
    what it made of the RA, which itself is heard whole on the packet socket. Framing that breaks is the RA's own rule.
    """
    size = reading.number(at + 2, 2)
    ifindex = reading.ifindex(at + 4)
    if size > end - at - 16:
        raise Malformed("netlink-options", at + 2, f"{size} octets of options, {end - at - 16} are there")
    found = reading.attributes(min(at + 16 + (size + 3 & ~3), end), end)
    router = reading.address(found, 1, _AF_INET6)
    if router is None:
        raise Malformed("netlink-missing", at, "options of a router that is not named")
    options_at = at + 16
    events.append(
        NdUserOptionSeen(
            link=reading.name(ifindex),
            router=router,
            icmp_type=reading.data[at + 8],
            data=bytes(reading.data[options_at : options_at + size]),
            options=read_options(reading.data, options_at, options_at + size, _in_user_option),
            options_at=options_at,
        )
    )


def _read_prefix(reading: _Reading, at: int, end: int, kind: int, events: list[AnyEvent]) -> None:
    """prefixmsg: family u8, 3 of padding, ifindex s32, ND option type u8, prefix length u8, flags u8, pad.

    A prefix that the kernel made an address or a route of; as with the options it passes on, the RA says more.
    """
    data = reading.data
    if data[at] != _AF_INET6:
        return
    ifindex, width, flags = reading.ifindex(at + 4), data[at + 9], data[at + 10]
    _fits(_AF_INET6, width, at + 9)
    found = reading.attributes(at + 12, end)
    if 1 not in found:
        raise Malformed("netlink-missing", at, "a prefix message without a prefix")
    start, stop = found[1]
    if stop - start != 16:
        raise Malformed("netlink-value", start, f"a prefix of {stop - start} octets")
    valid = preferred = None
    if 2 in found:  # PREFIX_CACHEINFO: preferred, valid
        first, last = found[2]
        if last - first < 8:
            raise Malformed("netlink-value", first, f"a prefix's lifetimes in {last - first} octets")
        preferred, valid = lifetime(reading.number(first, 4)), lifetime(reading.number(first + 4, 4))
    events.append(
        PrefixSeen(
            link=reading.name(ifindex),
            prefix=prefix6(bytes(data[start:stop]), width),
            valid_s=valid,
            preferred_s=preferred,
            on_link=flags & _PREFIX_ON_LINK != 0,
            autonomous=flags & _PREFIX_AUTONOMOUS != 0,
        )
    )


def _read_rule(reading: _Reading, at: int, end: int, kind: int, events: list[AnyEvent]) -> None:
    """fib_rule_hdr: family, destination length, source length, TOS, table, 2 reserved, action, all u8; flags u32."""
    data = reading.data
    family = data[at]
    if family not in _FAMILIES:
        return
    _fits(family, data[at + 1], at + 1)
    _fits(family, data[at + 2], at + 2)
    found = reading.attributes(at + 12, end)
    destination, source = reading.address(found, 1, family), reading.address(found, 2, family)
    seen = RuleSeen(
        link=reading.link,
        family=_FAMILIES[family],
        priority=reading.value(found, 6, 4),
        action=_RULE_ACTIONS.get(data[at + 7], f"fr-act-{data[at + 7]}"),
        table=reading.value(found, 15, 4, data[at + 4]),
        source=f"{source}/{data[at + 2]}" if source else "",
        destination=f"{destination}/{data[at + 1]}" if destination else "",
        incoming=reading.text(found, 3),
        outgoing=reading.text(found, 17),
        mark=reading.value(found, 10, 4),
        mask=reading.value(found, 16, 4),
        protocol=reading.value(found, 21, 1),
        invert=reading.number(at + 8, 4) & _RULE_INVERT != 0,
    )
    if kind == _DELRULE:
        events.append(RuleGone(**{name: getattr(seen, name) for name in seen.__struct_fields__}))
    else:
        events.append(seen)


def _fits(family: int, width: int, at: int) -> None:
    if width > (32 if family == _AF_INET else 128):
        raise Malformed("netlink-prefix-length", at, f"prefix length {width}, family {family}")


class _Message(NamedTuple):
    """One type of message. octets: of its fixed part."""

    octets: int
    read: Callable[[_Reading, int, int, int, list[AnyEvent]], None]


_DELLINK: Final = 17
_DELADDR: Final = 21
_DELROUTE: Final = 25
_DELRULE: Final = 33
_MESSAGES: Final = {
    16: _Message(16, _read_link),
    _DELLINK: _Message(16, _read_link),
    20: _Message(8, _read_address),
    _DELADDR: _Message(8, _read_address),
    24: _Message(12, _read_route),
    _DELROUTE: _Message(12, _read_route),
    28: _Message(12, _read_neighbor),
    32: _Message(12, _read_rule),
    _DELRULE: _Message(12, _read_rule),
    52: _Message(12, _read_prefix),
    68: _Message(16, _read_user_option),
}
