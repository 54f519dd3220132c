"""`pvdctl replay -V`: each packet for us, field by field with the octet where it stands, as people know from tshark.

Law: what is printed is the event that ingest made of the packet and nothing else, so it shows what the fold believed;
every offset is in the frame, and every text from the wire is escaped. A packet that is none of ours has no lines; the
numbers are those of the capture, so that tshark's and ours are the same.

    6  2026-03-01T14:05:02.000000000Z  if0  118 octets  router-advertised fe80::1 > ff02::1
        58  hop limit 64
        70  +32  prefix (3)                          an option: where it begins, how many octets, its name and type
               72  prefix length 64                  its fields, one level further in
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec

from adapters.ingest import Translator
from adapters.wire import rtnl
from adapters.wire.carrier.ethernet import link_layer
from adapters.wire.carrier.ip import EXTENSIONS, UDP, address4, address6, extensions
from adapters.wire.dhcp import dhcp4, dhcp6
from adapters.wire.dhcp.fields import address_text
from events.codec import AnyEvent, kind
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen, DhcpOption, Ignored
from events.frames import ETHERNET, LINUX_SLL, LINUX_SLL2, NETLINK, Frame, FrameRejected, Note
from events.link import ArpSeen, NdUserOptionSeen
from events.router import (
    CaptivePortal,
    Dnssl,
    EncryptedDns,
    FlagsExtension,
    IgnoredOption,
    MifContainer,
    MifPvdId,
    Mtu,
    NdOption,
    NeighborAdvertised,
    NeighborSolicited,
    Pref64,
    PrefixInformation,
    PvdOption,
    RaHeader,
    Rdnss,
    Redirected,
    RedirectedHeader,
    RouteInformation,
    RouterAdvertised,
    RouterSolicited,
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
    UnknownOption,
)
from replay.endings import DAMAGED, DONE, FAILED, NOT_PERMITTED, USAGE, Stop
from replay.files.captures import Capture, CaptureError, merge, named, open_capture
from replay.files.walk import Custom
from replay.shown.places import Field, contents, listed, worded
from replay.shown.tables import escape
from replay.shown.times import rfc3339

OCTETS_SHOWN: Final = 64  # of unknown content; the frame itself is in the capture

# Field -> octet in the option where it stands (the figures of standards.md A.2-A.4). Where lists and names stand, and
# what follows them, is found by places.py.
_PLACES: Final[dict[type, tuple[int, dict[str, int]]]] = {
    SourceLinkLayerAddress: (1, {"address": 2}),
    TargetLinkLayerAddress: (2, {"address": 2}),
    PrefixInformation: (
        3,
        {
            "on_link": 3,
            "autonomous": 3,
            "router_address": 3,
            "pd_preferred": 3,
            "valid_s": 4,
            "preferred_s": 8,
            "prefix": 16,
        },
    ),
    RedirectedHeader: (4, {"data": 8}),
    Mtu: (5, {"mtu": 4}),
    PvdOption: (21, {"flags": 2, "http": 2, "legacy": 2, "delay": 3, "sequence": 4, "name": 6, "name_as_sent": 6}),
    RouteInformation: (24, {"preference": 3, "lifetime_s": 4, "prefix": 8}),
    Rdnss: (25, {}),
    FlagsExtension: (26, {"bits": 2}),
    Dnssl: (31, {}),
    CaptivePortal: (37, {"uri": 2}),
    Pref64: (38, {"lifetime_s": 2, "prefix": 4}),
    MifContainer: (63, {}),
    MifPvdId: (64, {"id_type": 2, "uuid": 4}),
    EncryptedDns: (144, {}),
}
_RA_HEADER: Final = {  # RFC 4861 §4.2
    "hop_limit": 4,
    "flags": 5,
    "managed": 5,
    "other_config": 5,
    "home_agent": 5,
    "preference": 5,
    "proxy": 5,
    "snac": 5,
    "lifetime_s": 6,
    "reachable_ms": 8,
    "retrans_ms": 12,
}
RA_HEADER_OCTETS: Final = 16
_DHCP4_HEADER_OCTETS: Final = 2
_DHCP6_HEADER_OCTETS: Final = 4
_DHCP4_FIXED: Final = {  # RFC 2131 §2
    "op": 0,
    "htype": 1,
    "hops": 3,
    "xid": 4,
    "secs": 8,
    "broadcast": 10,
    "ciaddr": 12,
    "yiaddr": 16,
    "siaddr": 20,
    "giaddr": 24,
    "chaddr": 28,
    "server_name": 44,
    "boot_file": 108,
}
_ARP: Final = {"operation": 6, "sender_mac": 8, "sender": 14, "target_mac": 18, "target": 24}  # RFC 826
_MACS_AT: Final = {ETHERNET: 6, LINUX_SLL: 6, LINUX_SLL2: 12}  # adapters/wire/carrier/ethernet.py
_SOURCES_AT: Final = {"ipv4": (12, 4), "ipv6": (8, 16)}  # the destination stands behind it (RFC 791 §3.1, RFC 8200 §3)
# Message types and attributes as uapi linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h and fib_rules.h name them.
_RTM: Final = {
    16: "RTM_NEWLINK", 17: "RTM_DELLINK", 20: "RTM_NEWADDR", 21: "RTM_DELADDR", 24: "RTM_NEWROUTE",
    25: "RTM_DELROUTE", 28: "RTM_NEWNEIGH", 29: "RTM_DELNEIGH", 32: "RTM_NEWRULE", 33: "RTM_DELRULE",
    52: "RTM_NEWPREFIX", 68: "RTM_NEWNDUSEROPT", 2: "NLMSG_ERROR", 3: "NLMSG_DONE", 4: "NLMSG_OVERRUN",
}  # fmt: skip
_FIXED_LINK: Final = (("family", 0, 1), ("arphrd", 2, 2), ("ifindex", 4, 4), ("flags", 8, 4), ("change", 12, 4))
_FIXED_ADDRESS: Final = (
    ("family", 0, 1), ("prefix_length", 1, 1), ("flags", 2, 1), ("scope", 3, 1), ("ifindex", 4, 4),
)  # fmt: skip
_FIXED_ROUTE: Final = (
    ("family", 0, 1), ("destination_length", 1, 1), ("source_length", 2, 1), ("tos", 3, 1), ("table", 4, 1),
    ("protocol", 5, 1), ("scope", 6, 1), ("type", 7, 1), ("flags", 8, 4),
)  # fmt: skip
_FIXED_NEIGHBOR: Final = (("family", 0, 1), ("ifindex", 4, 4), ("state", 8, 2), ("flags", 10, 1), ("type", 11, 1))
_FIXED_RULE: Final = (
    ("family", 0, 1), ("destination_length", 1, 1), ("source_length", 2, 1), ("tos", 3, 1), ("table", 4, 1),
    ("action", 7, 1), ("flags", 8, 4),
)  # fmt: skip
_FIXED_PREFIX: Final = (("family", 0, 1), ("ifindex", 4, 4), ("type", 8, 1), ("prefix_length", 9, 1), ("flags", 10, 1))
_FIXED_USER_OPTION: Final = (
    ("family", 0, 1), ("options_length", 2, 2), ("ifindex", 4, 4), ("icmp_type", 8, 1), ("icmp_code", 9, 1),
)  # fmt: skip
_FIXED: Final = {  # the fields of each type's fixed part: (name, octet, octets)
    16: _FIXED_LINK, 17: _FIXED_LINK, 20: _FIXED_ADDRESS, 21: _FIXED_ADDRESS, 24: _FIXED_ROUTE, 25: _FIXED_ROUTE,
    28: _FIXED_NEIGHBOR, 29: _FIXED_NEIGHBOR, 32: _FIXED_RULE, 33: _FIXED_RULE,
    52: _FIXED_PREFIX, 68: _FIXED_USER_OPTION,
}  # fmt: skip
_LINK_ATTRIBUTES: Final = {
    1: "IFLA_ADDRESS", 2: "IFLA_BROADCAST", 3: "IFLA_IFNAME", 4: "IFLA_MTU", 5: "IFLA_LINK", 10: "IFLA_MASTER",
    13: "IFLA_TXQLEN", 16: "IFLA_OPERSTATE", 18: "IFLA_LINKINFO", 20: "IFLA_IFALIAS", 26: "IFLA_AF_SPEC",
    33: "IFLA_CARRIER", 35: "IFLA_CARRIER_CHANGES",
}  # fmt: skip
_ADDRESS_ATTRIBUTES: Final = {
    1: "IFA_ADDRESS", 2: "IFA_LOCAL", 3: "IFA_LABEL", 4: "IFA_BROADCAST", 6: "IFA_CACHEINFO", 8: "IFA_FLAGS",
    11: "IFA_PROTO",
}  # fmt: skip
_ROUTE_ATTRIBUTES: Final = {
    1: "RTA_DST", 2: "RTA_SRC", 4: "RTA_OIF", 5: "RTA_GATEWAY", 6: "RTA_PRIORITY", 7: "RTA_PREFSRC",
    8: "RTA_METRICS", 9: "RTA_MULTIPATH", 12: "RTA_CACHEINFO", 15: "RTA_TABLE", 18: "RTA_VIA", 20: "RTA_PREF",
}  # fmt: skip
_HOP_ATTRIBUTES: Final = {code: word for code, word in _ROUTE_ATTRIBUTES.items() if word != "RTA_MULTIPATH"}
_NESTS: Final[dict[str, dict[int, str]]] = {"IFLA_LINKINFO": {1: "IFLA_INFO_KIND"}}
_NEIGHBOR_ATTRIBUTES: Final = {1: "NDA_DST", 2: "NDA_LLADDR", 3: "NDA_CACHEINFO", 4: "NDA_PROBES"}
_RULE_ATTRIBUTES: Final = {
    1: "FRA_DST", 2: "FRA_SRC", 3: "FRA_IIFNAME", 6: "FRA_PRIORITY", 10: "FRA_FWMARK", 15: "FRA_TABLE",
    16: "FRA_FWMASK", 17: "FRA_OIFNAME", 21: "FRA_PROTOCOL",
}  # fmt: skip
_ATTRIBUTES: Final = {
    16: _LINK_ATTRIBUTES, 17: _LINK_ATTRIBUTES, 20: _ADDRESS_ATTRIBUTES, 21: _ADDRESS_ATTRIBUTES,
    24: _ROUTE_ATTRIBUTES, 25: _ROUTE_ATTRIBUTES, 28: _NEIGHBOR_ATTRIBUTES, 29: _NEIGHBOR_ATTRIBUTES,
    32: _RULE_ATTRIBUTES, 33: _RULE_ATTRIBUTES,
    52: {1: "PREFIX_ADDRESS", 2: "PREFIX_CACHEINFO"}, 68: {1: "NDUSEROPT_SRCADDR"},
}  # fmt: skip
_TEXTS: Final = frozenset(("IFLA_IFNAME", "IFLA_IFALIAS", "IFLA_INFO_KIND", "IFA_LABEL", "FRA_IIFNAME", "FRA_OIFNAME"))
_ADDRESSES: Final = frozenset((
    "IFA_ADDRESS", "IFA_LOCAL", "IFA_BROADCAST", "RTA_DST", "RTA_SRC", "RTA_GATEWAY", "RTA_PREFSRC", "NDA_DST",
    "FRA_DST", "FRA_SRC", "NDUSEROPT_SRCADDR", "PREFIX_ADDRESS",
))  # fmt: skip
_MACS: Final = frozenset(("IFLA_ADDRESS", "IFLA_BROADCAST", "NDA_LLADDR"))
_HEXADECIMAL: Final = frozenset(("xid", "iaid", "flags"))

Line = tuple[int, int | None, str]
"""(depth, octet in the frame or None, text, not yet escaped)"""


def _said(name: str, value: object) -> str:
    """A field as people read it; the unit is at the end of its name."""
    word, _, unit = name.rpartition("_")
    if unit in ("s", "ms") and word:
        label, text = word, "infinity" if value is None else f"{value} {unit}"
    else:
        label, text = name, _text(name, value)
    return f"{label.replace('_', ' ')} {text}"


def _text(name: str, value: object) -> str:
    text = worded(value)
    if text is not None:
        return text
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int() if name in _HEXADECIMAL:
            return f"{value:#x}"
        case bytes():
            shown = value[:OCTETS_SHOWN].hex()
            return f"{shown}… ({len(value)} octets)" if len(value) > OCTETS_SHOWN else shown or "(empty)"
        case msgspec.Struct():
            return " ".join(_said(field, getattr(value, field)) for field in value.__struct_fields__)
        case tuple():
            return ", ".join(_text(name, one) for one in value) or "(none)"
    return str(value) or '""'


def _fields(part: Any, depth: int, at: int, places: dict[str, int], skip: Sequence[str] = ()) -> Iterator[Line]:
    """Every field of a struct in the order of the wire; those without a place come last."""
    names = [name for name in part.__struct_fields__ if name not in skip]
    names.sort(key=lambda name: places.get(name, 1 << 16))
    for name in names:
        yield depth, at + places[name] if name in places else None, _said(name, getattr(part, name))


def _header(header: RaHeader, depth: int, at: int) -> Iterator[Line]:
    yield from _fields(header, depth, at, _RA_HEADER)


def _found(fields: Iterable[Field], depth: int, at: int) -> Iterator[Line]:
    """Fields whose places count from `at`."""
    for place, name, value in fields:
        yield depth, None if place is None else at + place, _said(name, value)


def _nd_options(options: Sequence[NdOption], data: bytes, at: int, depth: int) -> Iterator[Line]:
    """Options do not know where they stand: their offsets are sums (events/router.py)."""
    for option in options:
        code, places = _PLACES.get(type(option), (getattr(option, "code", 0), {}))
        word = option.__struct_config__.tag
        yield depth, at, f"+{option.length}  {word} ({code})"
        if isinstance(option, IgnoredOption | UnknownOption):
            if isinstance(option, IgnoredOption):
                yield depth + 1, None, f"reason {option.reason}"
            yield depth + 1, at + 2, _said("data", option.data[2:])
        elif isinstance(option, PvdOption):
            yield from _fields(option, depth + 1, at, places, ("options", "length", "nested_at", "header"))
            if option.header:
                inner = at + option.nested_at - RA_HEADER_OCTETS
                yield depth + 1, inner, f"+{RA_HEADER_OCTETS}  RA header"
                yield from _header(option.header, depth + 2, inner)
        elif (fields := listed(option, data[at : at + option.length])) is not None:
            yield from _found(fields, depth + 1, at)
        else:
            if isinstance(option, RouteInformation) and option.length == 8:  # no octet of ::/0 but its length
                places = places | {"prefix": 2}
            yield from _fields(option, depth + 1, at, places, ("options", "length", "nested_at"))
        if isinstance(option, PvdOption | MifContainer):
            yield from _nd_options(option.options, data, at + option.nested_at, depth + 1)
        at += option.length


def _dhcp_title(option: DhcpOption, table: Mapping[int, tuple[str, Any]]) -> str:
    word = table[option.code][0] if option.code in table else "unknown"
    if isinstance(option, Ignored):
        word += ", ignored"
    return f"+{option.length}  {word} ({option.code})"


def _dhcp6_options(options: Sequence[DhcpOption], data: bytes, depth: int) -> Iterator[Line]:
    """Options in the order of the message; what is nested stands one level further in."""
    for option in options:
        yield depth, option.at, _dhcp_title(option, dhcp6.OPTIONS)
        body = option.at + _DHCP6_HEADER_OCTETS
        (fields,) = contents((option,), data[body : option.at + option.length], six=True)
        yield from _found(fields, depth + 1, body)
        yield from _dhcp6_options(getattr(option, "options", ()), data, depth + 1)


def _dhcp4_options(options: Sequence[DhcpOption], data: bytes, at: int, end: int) -> Iterator[Line]:
    """Options in the order of their first fragments. at, end: of the message."""
    pieces = dhcp4.pieces_of(data, at, end)
    for (code, place), group in groupby(options, lambda option: (option.code, option.at)):
        parts = list(group)
        body = place + _DHCP4_HEADER_OCTETS
        spans = pieces.get(code, [])
        if not spans or spans[0][0] != body:  # an option 52 where none may be
            spans = [(body, place + parts[0].length)]
        joined = [octet for first, after in spans for octet in range(first, after)]
        fields = contents(parts, bytes([data[octet] for octet in joined]), six=False)
        for option, found in zip(parts, fields, strict=True):
            yield 1, place, _dhcp_title(option, dhcp4.OPTIONS)
            for where, name, value in found:
                yield 2, None if where is None else joined[where], _said(name, value)


def _payload(frame: Frame) -> int:
    """The octet where the UDP payload begins, of a frame that ingest has read as DHCP."""
    start, protocol, *_ = link_layer(frame.linktype, frame.data)
    if protocol == "ipv4":
        return start + (frame.data[start] & 15) * 4 + 8
    kind, at = frame.data[start + 6], start + 40
    if kind in EXTENSIONS:
        kind, at, _ = extensions(frame.data, kind, at, len(frame.data))
    assert kind == UDP
    return at + 8


def _dhcp4(event: Dhcp4MessageSeen, frame: Frame) -> Iterator[Line]:
    at = _payload(frame)
    skip = ("link", "message", "options", "notes", "source", "destination", "mac")
    yield from _fields(event, 1, at, _DHCP4_FIXED, skip)
    end = at - 8 + int.from_bytes(frame.data[at - 4 : at - 2], "big")  # the UDP length
    yield from _dhcp4_options(event.options, frame.data, at, end)


def _dhcp6(event: Dhcp6MessageSeen, frame: Frame) -> Iterator[Line]:
    at = _payload(frame)
    depth = 1
    data = frame.data
    for relay in event.relays:
        yield depth, at, f"+34  {relay.message}"
        places = {"hop_count": 1, "link_address": 2, "peer_address": 18}
        yield from _fields(relay, depth + 1, at, places, ("message", "options"))
        yield from _dhcp6_options(relay.options, data, depth + 1)
        at += 34
        while int.from_bytes(data[at : at + 2], "big") != dhcp6.RELAY_MESSAGE:
            at += 4 + int.from_bytes(data[at + 2 : at + 4], "big")
        at += 4
        depth += 1
    yield depth, at, f"message {event.message}"
    yield depth, at + 1, _said("xid", event.xid)
    yield from _dhcp6_options(event.options, data, depth)


def _attribute(word: str, value: bytes, order: rtnl.Order) -> str:
    """A value as its name demands, if it has that size; octets else."""
    if word in _TEXTS:
        return value.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    if word in _ADDRESSES and len(value) in (4, 16):
        return address4(value) if len(value) == 4 else address6(value)
    if word in _MACS and len(value) == 6:
        return value.hex(":")
    if len(value) in (1, 4) and word != "attribute":
        return str(int.from_bytes(value, order))
    return _text("", value)


def _netlink(frame: Frame, events: Sequence[AnyEvent]) -> Iterator[Line]:
    """Every message of a frame that ingest has read, and its attributes."""
    data, at = frame.data, rtnl.COOKED_OCTETS
    order = rtnl.byte_order(data, at, len(data))
    passed_on = {event.options_at: event for event in events if isinstance(event, NdUserOptionSeen)}

    def number(place: int, octets: int) -> int:
        return int.from_bytes(data[place : place + octets], order)

    while at < len(data):
        length, kind, flags = number(at, 4), number(at + 4, 2), number(at + 6, 2)
        yield 1, at, f"+{length}  {_RTM.get(kind, 'message')} ({kind})  flags {flags:#x} sequence {number(at + 8, 4)}"
        fixed = rtnl.fixed_octets(kind)
        if fixed is not None and length >= 16 + fixed:
            place, end = at + 16 + fixed, at + length
            for name, offset, octets in _FIXED[kind]:
                yield 2, at + 16 + offset, _said(name, number(at + 16 + offset, octets))
            if place in passed_on:
                yield from _nd_options(passed_on[place].options, data, place, 2)
                place += len(passed_on[place].data) + 3 & ~3
            yield from _attributes(data, place, end, _ATTRIBUTES.get(kind, {}), 2, order)
        at += length + 3 & ~3


def _attributes(
    data: bytes, at: int, end: int, words: Mapping[int, str], depth: int, order: rtnl.Order
) -> Iterator[Line]:
    """The attributes in at..end; nests that rtnl does not enter are shown as octets."""
    while at + 4 <= end:
        size = int.from_bytes(data[at : at + 2], order)
        code = int.from_bytes(data[at + 2 : at + 4], order) & 0x3FFF
        word, stop = words.get(code, "attribute"), min(at + size, end)
        title = f"+{size}  {word} ({code})"
        if word in _NESTS:
            yield depth, at, title
            yield from _attributes(data, at + 4, stop, _NESTS[word], depth + 1, order)
        elif word == "RTA_MULTIPATH":
            yield depth, at, title
            yield from _next_hops(data, at + 4, stop, depth + 1, order)
        else:
            yield depth, at, f"{title}  {_attribute(word, data[at + 4 : stop], order)}"
        at += max(size, 4) + 3 & ~3


def _next_hops(data: bytes, at: int, end: int, depth: int, order: rtnl.Order) -> Iterator[Line]:
    """rtnexthop: length u16, flags u8, hops u8, ifindex s32, attributes (uapi linux/rtnetlink.h)."""
    while at + 8 <= end:
        size = int.from_bytes(data[at : at + 2], order)
        yield depth, at, f"+{size}  next hop"
        yield depth + 1, at + 4, _said("ifindex", int.from_bytes(data[at + 4 : at + 8], order))
        yield from _attributes(data, at + 8, min(at + size, end), _HOP_ATTRIBUTES, depth + 1, order)
        at += max(size, 8) + 3 & ~3


def _carrier(event: AnyEvent, frame: Frame) -> Iterator[Line]:
    """Who sent it to whom: link layer and IP, before the message itself."""
    start, protocol, *_ = link_layer(frame.linktype, frame.data)
    mac = getattr(event, "mac", "")
    if mac:
        yield 1, _MACS_AT[frame.linktype], _said("mac", mac)
    if protocol in _SOURCES_AT:
        at, octets = _SOURCES_AT[protocol]
        sent = frame.data[start + at : start + at + 2 * octets]
        yield 1, start + at, _said("source", address_text(sent[:octets]))
        yield 1, start + at + octets, _said("destination", address_text(sent[octets:]))


def _lines(event: AnyEvent, frame: Frame) -> Iterator[Line]:
    if not isinstance(event, FrameRejected):
        yield from _carrier(event, frame)
    match event:
        case FrameRejected():
            yield 1, event.offset, f"rejected: {event.rule}: {event.detail}"
        case RouterAdvertised():
            yield from _header(event.header, 1, event.options_at - RA_HEADER_OCTETS)
            yield from _nd_options(event.options, frame.data, event.options_at, 1)
        case RouterSolicited():
            yield from _nd_options(event.options, frame.data, event.options_at, 1)
        case NeighborSolicited():
            yield 1, event.options_at - 16, _said("target", event.target)
            yield from _nd_options(event.options, frame.data, event.options_at, 1)
        case NeighborAdvertised():
            for flag in ("router", "solicited", "override"):
                yield 1, event.options_at - 20, _said(flag, getattr(event, flag))
            yield 1, event.options_at - 16, _said("target", event.target)
            yield from _nd_options(event.options, frame.data, event.options_at, 1)
        case Redirected():
            yield 1, event.options_at - 32, _said("target", event.target)
            yield 1, event.options_at - 16, _said("destination", event.destination)
            yield from _nd_options(event.options, frame.data, event.options_at, 1)
        case Dhcp4MessageSeen():
            yield from _dhcp4(event, frame)
        case Dhcp6MessageSeen():
            yield from _dhcp6(event, frame)
        case ArpSeen():
            yield from _fields(event, 1, link_layer(frame.linktype, frame.data)[0], _ARP, ("link", "mac"))
        case _:  # a kind of event that has no picture of its own
            yield from _fields(event, 1, 0, {}, ("link", "notes"))
    notes: tuple[Note, ...] = getattr(event, "notes", ())
    for note in notes:
        where = note.offset if note.offset >= 0 else None
        yield 1, where, f"note: {note.code}" + (f": {note.detail}" if note.detail else "")


def _title(event: AnyEvent) -> str:
    word = kind(event)
    if isinstance(event, FrameRejected):
        return f"{word} {event.protocol}" + (f" from {event.source}" if event.source else "")
    if isinstance(event, Dhcp4MessageSeen | Dhcp6MessageSeen):
        word += f" {event.message}"
    source = getattr(event, "router", "") if isinstance(event, RouterAdvertised) else getattr(event, "source", "")
    destination = "" if isinstance(event, Redirected) else getattr(event, "destination", "")
    if source:
        word += f" {source}"
    return f"{word} > {destination}" if destination else word


def lines(number: int, frame: Frame, events: Sequence[AnyEvent]) -> Iterator[str]:
    """The text of one packet: a title and a line a field, escaped; none if it says nothing.

    number: its place in the capture, from 1.
    """
    octets = f"{len(frame.data)} octets"
    if frame.original_length > len(frame.data):
        octets += f" of {frame.original_length}"
    if frame.linktype == NETLINK and events and not isinstance(events[0], FrameRejected):
        kinds = ", ".join(dict.fromkeys(kind(event) for event in events))
        yield escape(f"{number}  {rfc3339(frame.at)}  {frame.link}  {octets}  netlink: {kinds}")
        yield from _printed(_netlink(frame, events))
        return
    for event in events:
        link = getattr(event, "link", frame.link)
        yield escape(f"{number}  {rfc3339(frame.at)}  {link}  {octets}  {_title(event)}")
        yield from _printed(_lines(event, frame))


def _printed(found: Iterator[Line]) -> Iterator[str]:
    for depth, at, text in found:
        place = f"{at:>5}" if at is not None else "     "
        yield f"  {'   ' * (depth - 1)}{place}  {escape(text)}"


def dissect(args: argparse.Namespace) -> int:
    """`replay -V`: print every packet of the captures that is for us, merged by time. The exit code. Raises Stop."""
    for option in ("json", "jsonl", "journal", "at", "host", "separate"):
        if getattr(args, option, None):
            raise Stop(USAGE, f"-V prints packets as they stand, not their meaning; leave out --{option}")
    captures: list[Capture] = []
    try:
        for spec in args.read:
            link, path = named(spec)
            captures.append(open_capture(path, link=link))
        translators = [Translator() for _ in captures]
        index = {id(capture): at for at, capture in enumerate(captures)}
        for capture, packet in merge(captures):
            if isinstance(packet, Custom):
                continue
            number, at, heard, linktype, data, original = packet
            frame = Frame(at, heard, linktype, data, original)
            found = list(lines(number, frame, translators[index[id(capture)]].translate(frame)))
            if found:
                print("\n".join(found), end="\n\n")
        return DAMAGED if _damaged(captures) else DONE
    except CaptureError as error:
        code = NOT_PERMITTED if isinstance(error.__cause__, PermissionError) else FAILED
        raise Stop(code, str(error)) from None
    finally:
        for capture in captures:
            capture.close()


def _damaged(captures: Sequence[Capture]) -> bool:
    from replay.rerun import CaptureFacts
    from replay.sources import damage

    return damage(
        tuple(
            CaptureFacts(
                file=one.path,
                packets=one.packets,
                frames=0,
                rejected=0,
                first=one.first,
                last=one.last,
                damaged=one.damaged,
                unreadable_linktypes=one.unreadable_linktypes,
            )
            for one in captures
        )
    )
