"""The hostile and odd netlink messages of standards.md E73–E75: entry, what it is, octets, outcome.

Law: each message has one right outcome. `Rejected`: the whole frame goes, under that rule, at that octet. A tuple:
these events and no others, in that order.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address

from events.codec import AnyEvent
from events.link import (
    AddressGone,
    AddressSeen,
    LinkGone,
    LinkSeen,
    NdUserOptionSeen,
    NetlinkOverrun,
    PrefixSeen,
    RouteSeen,
    RuleGone,
    RuleSeen,
)
from events.router import IgnoredOption, NdOption, PrefixInformation

LINK = "nl"  # the netlink link of these tests; links without a name are nl%IFINDEX


@dataclass(frozen=True)
class Rejected:
    """The frame is Malformed under `rule`, at the octet `offset`."""

    rule: str
    offset: int


Outcome = Rejected | tuple[AnyEvent, ...]
Case = tuple[str, str, bytes, Outcome]


def message(kind: int, body: bytes = b"", *, flags: int = 0, length: int | None = None, order: str = "<") -> bytes:
    """nlmsghdr and body; `length` to lie with."""
    size = 16 + len(body)
    head = struct.pack(order + "IHHII", size if length is None else length, kind, flags, 7, 0)
    return head + body + bytes(-size % 4)


def attribute(kind: int, value: bytes = b"", *, length: int | None = None, order: str = "<") -> bytes:
    size = 4 + len(value)
    return struct.pack(order + "HH", size if length is None else length, kind) + value + bytes(-size % 4)


def u32(number: int) -> bytes:
    return struct.pack("<I", number)


def link(ifindex: int = 3, name: bytes = b"eth0\0", more: bytes = b"", *, kind: int = 16, family: int = 0) -> bytes:
    return message(kind, struct.pack("<BxHiII", family, 1, ifindex, 0x11043, 0) + attribute(3, name) + more)


def address(
    text: str = "2001:db8::1", width: int = 64, ifindex: int = 3, more: bytes = b"", *, kind: int = 20
) -> bytes:
    packed = ip_address(text).packed
    head = struct.pack("<BBBBi", 2 if len(packed) == 4 else 10, width, 0x80, 0, ifindex)
    return message(kind, head + attribute(1, packed) + more)


def route(*attributes: bytes, family: int = 10, width: int = 0, kind: int = 24, flags: int = 0) -> bytes:
    head = struct.pack("<BBBBBBBBI", family, width, 0, 0, 254, 9, 0, 1, flags)
    return message(kind, head + b"".join(attributes))


def hop(ifindex: int, text: str, *, length: int | None = None) -> bytes:
    gateway = attribute(5, ip_address(text).packed)
    return struct.pack("<HBBi", 8 + len(gateway) if length is None else length, 0, 0, ifindex) + gateway


PORTAL = b"\x25\x01https\0"


def user_option(
    *,
    size: int = 8,
    ifindex: int = 3,
    source: bytes = attribute(1, b"\xfe\x80" + bytes(13) + b"\1"),
    options: bytes = PORTAL,
) -> bytes:
    head = struct.pack("<BxHiBBHI", 10, size, ifindex, 134, 0, 0, 0)
    return message(68, head + options + source)


def prefix(*attributes: bytes, ifindex: int = 3, width: int = 64, flags: int = 3, family: int = 10) -> bytes:
    head = struct.pack("<BxxxiBBBx", family, ifindex, 3, width, flags)
    return message(52, head + b"".join(attributes))


def user_options_seen(data: bytes, *options: NdOption) -> NdUserOptionSeen:
    return NdUserOptionSeen(link="nl%3", router="fe80::1", icmp_type=134, data=data, options=options, options_at=32)


def rule(*attributes: bytes, family: int = 10, to: int = 0, of: int = 0, action: int = 1, kind: int = 32) -> bytes:
    head = struct.pack("<BBBBBBBBI", family, to, of, 0, 254, 0, 0, action, 0)
    return message(kind, head + b"".join(attributes))


def nested(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = attribute(0x8000 | 26, inner)
    return inner


def seen(ifindex: int = 3, name: str = "eth0") -> LinkSeen:
    return LinkSeen(
        link=f"nl%{ifindex}", identity=f"netns:0:{ifindex}", kind="ethernet", ifindex=ifindex, name=name, host=True
    )


STATIC = AddressSeen(link="nl%3", address="2001:db8::1/64", flags=0x80, origin="static")
GATEWAYS = [f"fe80::{number:x}" for number in range(1, 65)]
HOPS = b"".join(hop(3 + number % 2, text) for number, text in enumerate(GATEWAYS))
MANY = b"".join(hop(3, "fe80::1") for _ in range(257))

PIO = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 3600, 1800, 0) + ip_address("2001:db8::").packed

NETLINK: list[Case] = [
    ("E73", "length 0", link() + message(16, length=0), Rejected("netlink-length", len(link()))),
    ("E73", "length 15", message(16, bytes(16), length=15), Rejected("netlink-length", 0)),
    ("E73", "longer than the buffer", link() + message(16, length=17), Rejected("netlink-length", len(link()))),
    ("E73", "2^32 - 1 octets long", message(16, length=0xFFFFFFFF), Rejected("netlink-length", 0)),
    ("E73", "ends inside a header", link() + bytes(15), Rejected("netlink-header", len(link()))),
    ("E73", "one octet", b"\x10", Rejected("netlink-header", 0)),
    ("E73", "no room for ifinfomsg", message(16, bytes(15)), Rejected("netlink-body", 0)),
    ("E73", "attribute of length 0", link(more=attribute(4, length=0)), Rejected("netlink-attribute", 44)),
    ("E73", "attribute of length 3", link(more=attribute(4, length=3)), Rejected("netlink-attribute", 44)),
    ("E73", "attribute past the end", link(more=attribute(4, u32(1), length=9)), Rejected("netlink-attribute", 44)),
    ("E73", "half an attribute header", link(more=b"\4\0"), Rejected("netlink-attribute", 44)),
    ("E73", "the same in a DELLINK", link(more=b"\4\0", kind=17), Rejected("netlink-attribute", 44)),
    (
        "E73",
        "attribute past its nest",
        link(more=attribute(18, attribute(1, b"veth", length=9))),
        Rejected("netlink-attribute", 48),
    ),
    ("E73", "an MTU of two octets", link(more=attribute(4, b"\1\2")), Rejected("netlink-value", 48)),
    ("E73", "nested 100 deep, in an attribute that is not ours", link(more=nested(100)), (seen(),)),
    ("E73", "unknown attributes", link(more=attribute(0x3FFE, b"x")), (seen(),)),
    ("E73", "unknown message types", message(9999, b"\xff" * 7) + link() + message(3, u32(0)), (seen(),)),
    ("E73", "NLMSG_OVERRUN", message(4) + link(), (NetlinkOverrun(detail="NLMSG_OVERRUN"), seen())),
    ("E74", "options longer than the message", user_option(size=29), Rejected("netlink-options", 18)),
    ("E74", "options of 65535 octets", user_option(size=65535), Rejected("netlink-options", 18)),
    ("E74", "options for ifindex 0", user_option(ifindex=0), Rejected("netlink-ifindex", 20)),
    ("E74", "options for ifindex -1", user_option(ifindex=-1), Rejected("netlink-ifindex", 20)),
    ("E74", "options of nobody", user_option(source=b""), Rejected("netlink-missing", 16)),
    (
        "E74",
        "options as the kernel sends them, content and all",
        user_option() + link(),
        (user_options_seen(PORTAL, IgnoredOption(37, "uri-syntax", PORTAL, 8)), seen()),
    ),
    (
        "E74",
        "a prefix as the kernel sends it",
        user_option(options=PIO, size=32),
        (user_options_seen(PIO, PrefixInformation("2001:db8::/64", 3600, 1800, True, True)),),
    ),
    (
        "E74",
        "a prefix that the kernel took, with host bits",
        prefix(attribute(1, ip_address("2001:db8::7").packed), attribute(2, u32(1800) + u32(0xFFFFFFFF))),
        (PrefixSeen(link="nl%3", prefix="2001:db8::/64", preferred_s=1800, on_link=True, autonomous=True),),
    ),
    (
        "E74",
        "a prefix without lifetimes and flags",
        prefix(attribute(1, bytes(16)), width=0, flags=0xFC),
        (PrefixSeen(link="nl%3", prefix="::/0"),),
    ),
    ("E74", "a prefix of 129 bits", prefix(attribute(1, bytes(16)), width=129), Rejected("netlink-prefix-length", 25)),
    ("E74", "a prefix of 15 octets", prefix(attribute(1, bytes(15))), Rejected("netlink-value", 32)),
    (
        "E74",
        "lifetimes of 4 octets",
        prefix(attribute(1, bytes(16)), attribute(2, u32(1))),
        Rejected("netlink-value", 52),
    ),
    ("E74", "a prefix message without one", prefix(), Rejected("netlink-missing", 16)),
    ("E74", "a prefix on ifindex 0", prefix(attribute(1, bytes(16)), ifindex=0), Rejected("netlink-ifindex", 20)),
    ("E74", "a prefix of another family", prefix(family=2), ()),
    ("E74", "an option of length 0", user_option(options=b"\x25\0https\0"), Rejected("option-length-zero", 33)),
    ("E74", "an option past the options", user_option(options=b"\x25\2https\0"), Rejected("option-overrun", 33)),
    ("E74", "one octet of options", user_option(size=1, options=b"\x25\0\0\0"), Rejected("option-stray", 32)),
    ("E74", "no options at all", user_option(size=0, options=b""), (user_options_seen(b""),)),
    (
        "E75",
        "a rule that goes before it came",
        rule(attribute(6, u32(1000)), kind=33) + rule(attribute(6, u32(1000))),
        (
            RuleGone(link=LINK, priority=1000, table=254),
            RuleSeen(link=LINK, priority=1000, table=254),
        ),
    ),
    (
        "E75",
        "a rule of every field",
        rule(
            attribute(1, ip_address("198.51.100.0").packed),
            attribute(2, ip_address("192.0.2.0").packed),
            attribute(3, b"in\x1b0\0"),
            attribute(17, b"out0\0"),
            *(attribute(kind, u32(number)) for kind, number in ((6, 7), (10, 1), (16, 255), (15, 1000))),
            attribute(21, b"\x04"),
            family=2,
            to=24,
            of=25,
            action=7,
        ),
        (
            RuleSeen(
                link=LINK,
                family="ipv4",
                priority=7,
                action="unreachable",
                table=1000,
                source="192.0.2.0/25",
                destination="198.51.100.0/24",
                incoming="in\\x1b0",
                outgoing="out0",
                mark=1,
                mask=255,
                protocol=4,
            ),
        ),
    ),
    ("E75", "a rule for 33 bits of IPv4", rule(family=2, to=33), Rejected("netlink-prefix-length", 17)),
    ("E75", "a rule from 129 bits", rule(of=129), Rejected("netlink-prefix-length", 18)),
    ("E75", "a rule's priority of two octets", rule(attribute(6, b"\1\2")), Rejected("netlink-value", 32)),
    ("E75", "a rule of multicast routing", rule(family=128), ()),
    ("E75", "a rule of no known action", rule(action=99), (RuleSeen(link=LINK, table=254, action="fr-act-99"),)),
    ("E74", "a link of ifindex 0", link(0), Rejected("netlink-ifindex", 20)),
    ("E74", "a link of ifindex -2147483648", link(-(2**31)), Rejected("netlink-ifindex", 20)),
    ("E74", "an address on ifindex -1", address(ifindex=-1), Rejected("netlink-ifindex", 20)),
    (
        "E74",
        "a name used again by another link",
        link(3) + link(3, kind=17) + link(4) + address(ifindex=4),
        (
            seen(3),
            LinkGone(link="nl%3"),
            seen(4),
            AddressSeen(link="nl%4", address="2001:db8::1/64", flags=0x80, origin="static"),
        ),
    ),
    ("E74", "a link renamed", link(3) + link(3, b"wan\0"), (seen(3), seen(3, "wan"))),
    ("E75", "an address on a link never seen", address(), (STATIC,)),
    (
        "E75",
        "DELADDR first",
        address(kind=21) + address(),
        (AddressGone(link="nl%3", address="2001:db8::1/64"), STATIC),
    ),
    ("E75", "an address of 129 bits", address(width=129), Rejected("netlink-prefix-length", 17)),
    (
        "E75",
        "an address message without one",
        message(20, struct.pack("<BBBBi", 10, 64, 0, 0, 3)),
        Rejected("netlink-missing", 16),
    ),
    (
        "E75",
        "a route with 64 next hops",
        route(attribute(9, HOPS)),
        tuple(
            RouteSeen(link=f"nl%{3 + number % 2}", destination="::/0", via=text, protocol=9)
            for number, text in enumerate(GATEWAYS)
        ),
    ),
    ("E75", "257 next hops", route(attribute(9, MANY)), Rejected("netlink-next-hops", 16 + 12 + 4 + 256 * 28)),
    (
        "E75",
        "a next hop of length 7",
        route(attribute(9, hop(3, "fe80::1", length=7))),
        Rejected("netlink-attribute", 32),
    ),
    (
        "E75",
        "a next hop past the attribute",
        route(attribute(9, hop(3, "fe80::1", length=29))),
        Rejected("netlink-attribute", 32),
    ),
]
