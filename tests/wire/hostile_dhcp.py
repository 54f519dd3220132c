"""The hostile and malformed DHCP messages of standards.md E47–E72 and E96–E100: entry, what it is, octets, outcome.

Law: each packet has one right outcome. `Rejected`: the whole message goes, under that rule, and nothing else of it is
kept. `Ignores`: that option alone goes, for that reason, and the rest of the message stands. `Says`: it is accepted,
and all that it says under the named codes is what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from events.dhcp import (
    Addresses,
    Authentication,
    ClientFqdn,
    Ia,
    IaAddress,
    IaPrefix,
    Identifier,
    Ignored,
    Names,
    Number,
    Opaque,
    Resolver,
    Route,
    Routes,
    Status,
    Text,
)
from events.router import ServiceParam
from tests.wire.dhcp_octets import (
    DUID,
    IDS,
    ack,
    fixed4,
    ia_na,
    ia_pd,
    iaaddr,
    iaprefix,
    ip,
    name,
    o4,
    o6,
    relay,
    reply,
    u8,
    u16,
    u32,
    v4,
    v6,
)


@dataclass(frozen=True)
class Rejected:
    """The message is Malformed under `rule`; `offset`, if given, counts from the start of the payload."""

    rule: str
    offset: int | None = None


@dataclass(frozen=True)
class Ignores:
    """Under `code` there is one ignored option and nothing else."""

    code: int
    reason: str


@dataclass(frozen=True)
class Says:
    """For each code, exactly these parts, without spans; fields and note codes of the event."""

    parts: dict[int, list[Any]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


Outcome = Rejected | Ignores | Says
Case = tuple[str, str, bytes, Outcome]


def addresses(code: int, *texts: str) -> Addresses:
    return Addresses(code, tuple(texts), 0, 0)


def number(code: int, value: int | None) -> Number:
    return Number(code, value, 0, 0)


def routes(code: int, *pairs: tuple[str, str | None]) -> Routes:
    return Routes(code, tuple(Route(to, via) for to, via in pairs), 0, 0)


def ignored(code: int, reason: str, data: bytes) -> Ignored:
    return Ignored(code, reason, data, 0, 0)


ROUTER3 = o4(3, ip("192.0.2.1"))
SAYS_ROUTER3 = addresses(3, "192.0.2.1")
SVC = bytes.fromhex("00010003026832000700102f646e732d71756572797b3f646e737d")
PARAMS = (ServiceParam(1, "026832", "h2"), ServiceParam(7, "2f646e732d71756572797b3f646e737d", "/dns-query{?dns}"))
ADN = name("dns.example.net")


def instance(priority: int = 1, adn: bytes = ADN, servers: bytes | None = ip("192.0.2.53"), svc: bytes = SVC) -> bytes:
    body = u16(priority) + u8(len(adn)) + adn
    if servers is not None:
        body += u8(len(servers)) + servers + svc
    return u16(len(body)) + body


GOOD_INSTANCE = Resolver(162, 1, "dns.example.net.", 0, 0, ("192.0.2.53",), PARAMS)
ROUTE = u8(8) + u8(10) + ip("192.0.2.1")


def long4(code: int, content: bytes) -> bytes:
    """One option in as many fragments as RFC 3396 needs."""
    return b"".join(o4(code, content[at : at + 255]) for at in range(0, len(content), 255))


DHCP4: list[Case] = [
    # E47 lengths, cookie, END
    ("E47", "235 octets", fixed4()[:235], Rejected("dhcp4-too-short", 235)),
    ("E47", "239 octets", fixed4()[:239], Rejected("dhcp4-too-short", 239)),
    ("E47", "240 octets: no options, so BOOTP", fixed4(), Rejected("dhcp4-no-message-type")),
    ("E47", "another cookie", ack(magic=b"\x63\x82\x53\x64"), Rejected("dhcp4-magic", 236)),
    ("E47", "no cookie", ack(magic=bytes(4)), Rejected("dhcp4-magic", 236)),
    ("E47", "no END", ack(ROUTER3, end=b""), Says({3: [SAYS_ROUTER3]}, notes=("dhcp4-no-end",))),
    ("E47", "options after END", ack(end=b"\xff" + ROUTER3), Says({3: []}, notes=("dhcp4-after-end",))),
    ("E47", "padding after END", ack(ROUTER3, end=b"\xff" + bytes(30)), Says({3: [SAYS_ROUTER3]})),
    # E48 option lengths
    ("E48", "a code without length", ack(end=b"\x03"), Rejected("dhcp4-option-header", 255)),
    ("E48", "length past the end", ack(end=b"\x03\x04\xc0\x00\x02"), Rejected("dhcp4-option-length", 256)),
    ("E48", "length 255 past the end", ack(end=b"\x06\xff\xff"), Rejected("dhcp4-option-length", 256)),
    ("E48", "mask of 0 octets", ack(o4(1)), Ignores(1, "length")),
    ("E48", "lease time of 0 octets", v4(5, o4(54, ip("192.0.2.1")), o4(51)), Ignores(51, "length")),
    ("E48", "message type of 0 octets", fixed4() + o4(53) + b"\xff", Rejected("dhcp4-message-type", 240)),
    ("E48", "server id of 0 octets in an ACK", v4(5, o4(54)), Ignores(54, "length")),
    ("E48", "server id of 0 octets in an OFFER", v4(2, o4(54)), Rejected("dhcp4-no-server-id")),
    ("E48", "routers of 0 octets", ack(o4(3)), Ignores(3, "length")),
    ("E48", "resolvers of 3 octets", ack(o4(6, b"\xc0\x00\x02")), Ignores(6, "length")),
    ("E48", "resolvers of 7 octets", ack(o4(6, ip("192.0.2.53"), b"\xc0\x00\x02")), Ignores(6, "length")),
    # E49 fixed fields
    ("E49", "hlen 0 on Ethernet", ack(hlen=0), Rejected("dhcp4-hlen", 2)),
    ("E49", "hlen 17", ack(htype=37, hlen=17), Rejected("dhcp4-hlen", 2)),
    ("E49", "hlen 255", ack(hlen=255), Rejected("dhcp4-hlen", 2)),
    ("E49", "hlen 8 on Ethernet", ack(hlen=8), Rejected("dhcp4-hlen", 2)),
    ("E49", "hlen 0 on InfiniBand is right", ack(htype=32, hlen=0), Says(fields={"chaddr": "", "htype": 32})),
    ("E49", "htype 0", ack(htype=0), Rejected("dhcp4-htype", 1)),
    ("E49", "op 1 from a server", ack(op=1), Rejected("dhcp4-op-message", 0)),
    ("E49", "op 2 from a client", v4(1, op=2), Rejected("dhcp4-op-message", 0)),
    ("E49", "op 3", ack(op=3), Rejected("dhcp4-op", 0)),
    # E51 message type, server id, lease
    ("E51", "no 53", fixed4() + o4(54, ip("192.0.2.1")) + b"\xff", Rejected("dhcp4-no-message-type")),
    ("E51", "two different 53", ack(o4(53, b"\x06")), Rejected("dhcp4-message-type", 240)),
    ("E51", "two equal 53 are one of two octets", ack(o4(53, b"\x05")), Rejected("dhcp4-message-type", 240)),
    ("E51", "53 of 0", v4(0), Rejected("dhcp4-message-type", 240)),
    ("E51", "53 of 99", v4(99), Rejected("dhcp4-message-type", 240)),
    ("E51", "ACK without 54", v4(5, o4(51, u32(60))), Says({54: [], 51: [number(51, 60)]}, {"message": "ACK"})),
    ("E51", "ACK without 51", v4(5, o4(54, ip("192.0.2.1"))), Says({51: []}, {"message": "ACK"})),
    ("E51", "lease of 0", v4(5, o4(54, ip("192.0.2.1")), o4(51, u32(0))), Rejected("dhcp4-lease-zero", 249)),
    ("E51", "lease of 1", v4(5, o4(51, u32(1))), Says({51: [number(51, 1)]})),
    ("E51", "lease without end", v4(5, o4(51, u32(0xFFFFFFFF))), Says({51: [number(51, None)]})),
    (
        "E51",
        "T1 > T2 > lease is reported; the reducer takes the defaults",
        ack(o4(58, u32(9000)), o4(59, u32(8000))),
        Says({58: [number(58, 9000)], 59: [number(59, 8000)], 51: [number(51, 3600)]}),
    ),
    # E52 overload
    (
        "E52",
        "option 52 inside file and sname",
        ack(o4(52, b"\x03"), file=o4(52, b"\x03") + ROUTER3 + b"\xff", sname=o4(52, b"\x01") + b"\xff"),
        Says(
            {
                52: [number(52, 3), ignored(52, "overload-nested", b"\x03"), ignored(52, "overload-nested", b"\x01")],
                3: [SAYS_ROUTER3],
            },
            {"server_name": "", "boot_file": ""},
        ),
    ),
    ("E52", "overload 0", ack(o4(52, b"\x00"), file=ROUTER3 + b"\xff"), Ignores(52, "value")),
    ("E52", "overload 4", ack(o4(52, b"\x04"), file=ROUTER3 + b"\xff"), Ignores(52, "value")),
    (
        "E52",
        "overload 4 leaves the fields what they are",
        ack(o4(52, b"\x04"), sname=b"boot.example"),
        Says({3: []}, {"server_name": "boot.example"}),
    ),
    (
        "E52",
        "END missing in sname",
        ack(o4(52, b"\x02"), sname=o4(12, b"x" * 62)),
        Says({12: [Text(12, "x" * 62, 0, 0)]}, notes=("dhcp4-no-end",)),
    ),
    ("E52", "file of 128 PADs", ack(o4(52, b"\x01")), Says({0: []}, {"boot_file": ""}, ("dhcp4-no-end",))),
    (
        "E52",
        "an option of file that goes on into the cookie",
        ack(o4(52, b"\x01"), file=bytes(124) + b"\x06\x08\xc0\x00"),
        Rejected("dhcp4-option-length", 108 + 125),
    ),
    # E53 fragments
    ("E53", "one option 300 times, 76 kB", ack(o4(43, bytes(255)) * 300), Ignores(43, "too-long")),
    (
        "E53",
        "a mask in two halves",
        ack(o4(1, b"\xff\xff"), o4(1, b"\xff\x00")),
        Says({1: [addresses(1, "255.255.255.0")]}),
    ),
    (
        "E53",
        "a mask in two halves, the second in sname",
        ack(o4(1, b"\xff\xff"), o4(52, b"\x02"), sname=o4(1, b"\xff\x80") + b"\xff"),
        Says({1: [addresses(1, "255.255.255.128")]}),
    ),
    # E54 classless routes
    ("E54", "width 33", ack(o4(121, u8(33), bytes(5), ip("192.0.2.1")), ROUTER3), Ignores(121, "route-width")),
    ("E54", "width 32 with 4 octets left", ack(o4(121, u8(32), ip("192.0.2.1"))), Ignores(121, "route-truncated")),
    ("E54", "4 octets", ack(o4(121, b"\x00\xc0\x00\x02")), Ignores(121, "length")),
    ("E54", "the last route cut", ack(o4(121, ROUTE, ROUTE[:-1])), Ignores(121, "route-truncated")),
    (
        "E54",
        "default only",
        ack(o4(121, u8(0), ip("192.0.2.1"))),
        Says({121: [routes(121, ("0.0.0.0/0", "192.0.2.1"))]}),
    ),
    ("E54", "10 000 routes", ack(long4(121, ROUTE * 10000)), Ignores(121, "too-long")),
    ("E54", "257 routes", ack(long4(121, ROUTE * 257)), Ignores(121, "route-count")),
    (
        "E54",
        "256 routes",
        ack(long4(121, ROUTE * 256)),
        Says({121: [routes(121, *[("10.0.0.0/8", "192.0.2.1")] * 256)]}),
    ),
    ("E54", "through the broadcast address", ack(o4(121, u8(8), u8(10), b"\xff" * 4)), Ignores(121, "route-router")),
    ("E54", "through a group", ack(o4(121, ROUTE, u8(0), ip("224.0.0.1"))), Ignores(121, "route-router")),
    ("E54", "empty, with routers", ack(o4(121), ROUTER3), Ignores(121, "length")),
    ("E54", "empty, with routers: they stand", ack(o4(121), ROUTER3), Says({3: [SAYS_ROUTER3]})),
    # E55 search names
    ("E55", "pointer to itself", ack(o4(119, b"\xc0\x00")), Ignores(119, "name-pointer-loop")),
    ("E55", "forward pointer", ack(o4(119, b"\x01a\xc0\x05\x00", name("b"))), Ignores(119, "name-pointer-forward")),
    (
        "E55",
        "pointers to each other",
        ack(o4(119, b"\x01a\xc0\x04", b"\x01b\xc0\x00")),
        Ignores(119, "name-pointer-forward"),
    ),
    ("E55", "back into its own labels", ack(o4(119, b"\x01a\x01b\xc0\x02")), Ignores(119, "name-pointer-loop")),
    ("E55", "pointer past the end", ack(o4(119, name("a"), b"\x01b\xc1\x00")), Ignores(119, "name-pointer-forward")),
    ("E55", "label of 64", ack(o4(119, b"\x40" + b"a" * 64 + b"\0")), Ignores(119, "name-label")),
    (
        "E55",
        "200 pointers to 254 octets each",
        ack(long4(119, (b"\x3f" + b"a" * 63) * 3 + b"\x3c" + b"b" * 60 + b"\0" + b"\xc0\x00" * 200)),
        Ignores(119, "name-count"),
    ),
    ("E55", "no name", ack(o4(119)), Ignores(119, "length")),
    # E56 encrypted DNS
    ("E56", "instance of 0 octets", ack(o4(162, u16(0))), Ignores(162, "dnr-truncated")),
    ("E56", "instance past the end", ack(o4(162, u16(60), u16(1), u8(17), ADN)), Ignores(162, "dnr-truncated")),
    ("E56", "one octet", ack(o4(162, b"\x00")), Ignores(162, "dnr-truncated")),
    (
        "E56",
        "name past the instance",
        ack(o4(162, u16(20), u16(1), u8(18), ADN)),
        Ignores(162, "dnr-truncated"),
    ),
    ("E56", "addresses of 3 octets", ack(o4(162, instance(servers=b"abc"))), Ignores(162, "dnr-address-length")),
    (
        "E56",
        "the second of two overruns",
        ack(o4(162, instance(), b"\x00\xff\x00")),
        Says({162: [GOOD_INSTANCE, ignored(162, "dnr-truncated", b"\x00\xff\x00")]}),
    ),
    (
        "E56",
        "the first of two is bad",
        ack(o4(162, instance(priority=0), instance())),
        Says({162: [ignored(162, "dnr-priority-zero", instance(priority=0)), GOOD_INSTANCE]}),
    ),
    # E57 IPv6-only preferred
    ("E57", "108 of 3 octets", ack(o4(108, bytes(3))), Ignores(108, "length")),
    ("E57", "108 of 5 octets", ack(o4(108, bytes(5))), Ignores(108, "length")),
    ("E57", "108 of 0 octets", ack(o4(108)), Ignores(108, "length")),
    ("E57", "108 of 0 s", ack(o4(108, u32(0))), Says({108: [number(108, 0)]})),
    ("E57", "108 of all ones is a number", ack(o4(108, u32(0xFFFFFFFF))), Says({108: [number(108, 0xFFFFFFFF)]})),
    ("E57", "108 on a NAK", v4(6, o4(54, ip("192.0.2.1")), o4(108, u32(300))), Ignores(108, "not-in-nak")),
    # E58 mask and addresses
    ("E58", "mask 255.0.255.0", ack(o4(1, ip("255.0.255.0"))), Ignores(1, "mask-not-contiguous")),
    ("E58", "mask 0.0.0.0", ack(o4(1, bytes(4))), Ignores(1, "mask-zero")),
    ("E58", "mask 255.255.255.255", ack(o4(1, b"\xff" * 4)), Says({1: [addresses(1, "255.255.255.255")]})),
    ("E58", "yiaddr 0 is an answer to INFORM", ack(yiaddr="0.0.0.0"), Says(fields={"yiaddr": "0.0.0.0"})),
    ("E58", "yiaddr 255.255.255.255", ack(yiaddr="255.255.255.255"), Rejected("dhcp4-yiaddr", 16)),
    ("E58", "yiaddr 127.0.0.1", ack(yiaddr="127.0.0.1"), Rejected("dhcp4-yiaddr", 16)),
    ("E58", "yiaddr 224.0.0.1", ack(yiaddr="224.0.0.1"), Rejected("dhcp4-yiaddr", 16)),
    (
        "E58",
        "a router outside the subnet, or the own address, is reported",
        ack(o4(1, ip("255.255.255.0")), o4(3, ip("203.0.113.1"), ip("192.0.2.10"))),
        Says({3: [addresses(3, "203.0.113.1", "192.0.2.10")]}),
    ),
    # E59 text
    ("E59", "81 of 2 octets", v4(1, o4(81, b"\x00\x00")), Ignores(81, "length")),
    ("E59", "81 with E and a bad name", v4(1, o4(81, b"\x04\0\0", b"\x40aa")), Ignores(81, "name-label")),
    (
        "E59",
        "81 with E and a partial name",
        v4(1, o4(81, b"\x04\0\0", b"\x03foo")),
        Says({81: [ClientFqdn(81, 4, "foo", 0, 0)]}),
    ),
    ("E59", "81 with octets after the name", v4(1, o4(81, b"\x04\0\0", name("a"), b"z")), Ignores(81, "name-trailing")),
    ("E59", "host name with a newline", ack(o4(12, b"a\nb")), Ignores(12, "host-name")),
    ("E59", "host name as a path", ack(o4(12, b"../../etc")), Ignores(12, "host-name")),
    ("E59", "domain name with a newline", ack(o4(15, b"a.example\nnameserver 192.0.2.9")), Ignores(15, "host-name")),
    ("E59", "domain name as a path", ack(o4(15, b"../../etc")), Ignores(15, "host-name")),
    ("E59", "time zone as a path", ack(o4(101, b"../../etc/passwd")), Ignores(101, "tz-name")),
    ("E59", "absolute time zone", ack(o4(101, b"/etc/passwd")), Ignores(101, "tz-name")),
    ("E59", "time zone with a newline", ack(o4(101, b"Europe/Berlin\n")), Ignores(101, "tz-name")),
    ("E59", "a time zone", ack(o4(101, b"Europe/Berlin")), Says({101: [Text(101, "Europe/Berlin", 0, 0)]})),
    ("E59", "portal with a NUL inside", ack(o4(114, b"https://a.example/\0b")), Ignores(114, "uri-characters")),
    ("E59", "portal not in ASCII", ack(o4(114, "https://ä.example/".encode())), Ignores(114, "uri-characters")),
    # E96 what only some messages may hold
    (
        "E96",
        "NAK with a lease, 108, 121 and an address",
        v4(6, o4(54, ip("192.0.2.1")), o4(51, u32(60)), o4(121, ROUTE)),
        Says(
            {
                51: [ignored(51, "not-in-nak", u32(60))],
                121: [ignored(121, "not-in-nak", ROUTE)],
                54: [addresses(54, "192.0.2.1")],
            },
            {"message": "NAK"},
        ),
    ),
    (
        "E96",
        "NAK with overload",
        v4(6, o4(54, ip("192.0.2.1")), o4(52, b"\x01"), file=ROUTER3 + b"\xff"),
        Says({52: [ignored(52, "not-in-nak", b"\x01")], 3: []}),
    ),
    (
        "E96",
        "answer to INFORM with a lease is reported, even of 0 s",
        v4(5, o4(54, ip("192.0.2.1")), o4(51, u32(0)), yiaddr="0.0.0.0", ciaddr="192.0.2.10"),
        Says({51: [number(51, 0)]}, {"ciaddr": "192.0.2.10"}),
    ),
    ("E96", "OFFER without 54", v4(2, o4(51, u32(60))), Rejected("dhcp4-no-server-id")),
    ("E96", "OFFER with 54 of 0.0.0.0", v4(2, o4(54, bytes(4))), Rejected("dhcp4-no-server-id")),
    ("E96", "overload 255", ack(o4(52, b"\xff"), file=ROUTER3 + b"\xff"), Ignores(52, "value")),
    ("E96", "router 0.0.0.0", ack(o4(3, bytes(4))), Ignores(3, "not-unicast")),
    (
        "E96",
        "router 0.0.0.0 beside another",
        ack(o4(3, bytes(4), ip("192.0.2.1"))),
        Says({3: [SAYS_ROUTER3, ignored(3, "not-unicast", bytes(4))]}),
    ),
    ("E96", "router 0.0.0.0 in 33", ack(o4(33, ip("10.0.0.0"), bytes(4))), Ignores(33, "route")),
    (
        "E96",
        "ACK with 80 is told from one without; OFFER may not have it",
        v4(2, o4(54, ip("192.0.2.1")), o4(80)),
        Ignores(80, "not-here"),
    ),
    # E97 search names in pieces
    (
        "E97",
        "ends inside the second name",
        ack(o4(119, name("eng.example"), b"\x09mark")),
        Says({119: [Names(119, ("eng.example.",), 0, 0), ignored(119, "name-unterminated", b"\x09mark")]}),
    ),
    ("E97", "ends inside the only name", ack(o4(119, b"\x09mark")), Ignores(119, "name-unterminated")),
    (
        "E97",
        "pointer into another fragment",
        ack(o4(119, b"\x03eng\x05ap"), ROUTER3, o4(119, b"ple\x03com\0\x02pr\xc0\x04")),
        Says({119: [Names(119, ("eng.apple.com.", "pr.apple.com."), 0, 0)], 3: [SAYS_ROUTER3]}),
    ),
    (
        "E97",
        "108 in an ACK is reported; the state decides",
        ack(o4(108, u32(1800))),
        Says({108: [number(108, 1800)]}, {"message": "ACK"}),
    ),
]


def nested(depth: int, inner: bytes) -> bytes:
    """`inner` behind that many relays."""
    for _ in range(depth):
        inner = relay(12, o6(9, inner))
    return inner


LONG_TEXT = b"x" * 60000
SECOND = bytes.fromhex("0003000102000000bb02")

DHCP6: list[Case] = [
    # E61 header
    ("E61", "3 octets", b"\x07\x11\x22", Rejected("dhcp6-too-short", 3)),
    ("E61", "nothing", b"", Rejected("dhcp6-too-short", 0)),
    ("E61", "type 0", v6(0, IDS), Rejected("dhcp6-message-type", 0)),
    ("E61", "type 14", v6(14, IDS), Rejected("dhcp6-message-type", 0)),
    ("E61", "type 200", v6(200, IDS), Rejected("dhcp6-message-type", 0)),
    ("E61", "type 255", v6(255, IDS), Rejected("dhcp6-message-type", 0)),
    ("E61", "an option header of 3 octets", v6(7, IDS, b"\0\x17\0"), Rejected("dhcp6-option-header", 32)),
    # E62 option lengths
    ("E62", "length past the end", v6(7, IDS, b"\0\x17\0\x10", bytes(15)), Rejected("dhcp6-option-length", 34)),
    ("E62", "1 000 empty options", v6(7, IDS, o6(60000) * 1000), Rejected("dhcp6-option-count")),
    ("E62", "256 options", v6(7, IDS, o6(60000) * 254), Says({60000: [Opaque(60000, b"", 0, 0)] * 254})),
    ("E62", "257 options", v6(7, IDS, o6(60000) * 255), Rejected("dhcp6-option-count", 32 + 254 * 4)),
    # E63 IAs
    ("E63", "IA_NA of 11 octets", reply(o6(3, bytes(11))), Ignores(3, "length")),
    (
        "E63",
        "an address past its IA, within the message",
        reply(o6(3, u32(1), u32(0), u32(0), o6(5, bytes(24))[:20]), o6(23, ip("2001:db8::53"))),
        Ignores(3, "nested-length"),
    ),
    ("E63", "two stray octets in an IA", reply(ia_na(b"\0\x05")), Ignores(3, "nested-header")),
    ("E63", "T1 > T2", reply(ia_na(t1=2880, t2=1800)), Ignores(3, "t1-after-t2")),
    ("E63", "T1 > T2 in IA_PD", reply(ia_pd(t1=2880, t2=1800)), Ignores(25, "t1-after-t2")),
    ("E63", "T1 infinite, T2 not", reply(ia_na(t1=0xFFFFFFFF, t2=1800)), Ignores(3, "t1-after-t2")),
    ("E63", "T1 > 0, T2 = 0", reply(ia_na(t1=1800, t2=0)), Says({3: [Ia(3, 1, 1800, 0, 0, 0)]})),
    ("E63", "both infinite", reply(ia_na(t1=0xFFFFFFFF, t2=0xFFFFFFFF)), Says({3: [Ia(3, 1, None, None, 0, 0)]})),
    # E64 addresses
    (
        "E64",
        "an address of 23 octets, and its sibling",
        reply(ia_na(o6(5, bytes(23)), iaaddr("2001:db8::7"))),
        Says(
            {
                3: [
                    Ia(
                        3,
                        1,
                        1800,
                        2880,
                        0,
                        0,
                        (ignored(5, "length", bytes(23)), IaAddress(5, "2001:db8::7", 3600, 7200, 0, 0)),
                    )
                ]
            }
        ),
    ),
    (
        "E64",
        "preferred > valid, and its sibling",
        reply(ia_na(iaaddr("2001:db8::6", preferred=7200, valid=3600), iaaddr("2001:db8::7"))),
        Says(
            {
                3: [
                    Ia(
                        3,
                        1,
                        1800,
                        2880,
                        0,
                        0,
                        (
                            ignored(5, "preferred-after-valid", ip("2001:db8::6") + u32(7200) + u32(3600)),
                            IaAddress(5, "2001:db8::7", 3600, 7200, 0, 0),
                        ),
                    )
                ]
            }
        ),
    ),
    *[
        (
            "E64",
            f"{what} from a server",
            reply(ia_na(iaaddr(address))),
            Says({3: [Ia(3, 1, 1800, 2880, 0, 0, (ignored(5, "not-unicast", ip(address) + u32(3600) + u32(7200)),))]}),
        )
        for what, address in (("a group", "ff02::1"), ("a link-local address", "fe80::9"), ("::", "::"), ("::1", "::1"))
    ],
    (
        "E64",
        ":: from a client is a wish",
        v6(1, o6(1, DUID), ia_na(iaaddr("::", preferred=0, valid=0))),
        Says({3: [Ia(3, 1, 1800, 2880, 0, 0, (IaAddress(5, "::", 0, 0, 0, 0),))]}),
    ),
    (
        "E64",
        "valid 0",
        reply(ia_na(iaaddr("2001:db8::7", preferred=0, valid=0))),
        Says({3: [Ia(3, 1, 1800, 2880, 0, 0, (IaAddress(5, "2001:db8::7", 0, 0, 0, 0),))]}),
    ),
    (
        "E64",
        "one address in two IAs",
        reply(ia_na(iaaddr("2001:db8::7")), ia_na(iaaddr("2001:db8::7"), iaid=2)),
        Says({3: [Ia(3, iaid, 1800, 2880, 0, 0, (IaAddress(5, "2001:db8::7", 3600, 7200, 0, 0),)) for iaid in (1, 2)]}),
    ),
    # E65 prefixes
    *[
        (
            "E65",
            what,
            reply(ia_pd(iaprefix(prefix, length))),
            Says(
                {
                    25: [
                        Ia(
                            25,
                            1,
                            1800,
                            2880,
                            0,
                            0,
                            (ignored(26, reason, u32(3600) + u32(7200) + u8(length) + ip(prefix)),),
                        )
                    ]
                }
            ),
        )
        for what, prefix, length, reason in (
            ("/129", "2001:db8::", 129, "prefix-length"),
            ("/0 from a server", "2001:db8::", 0, "prefix-unspecified"),
            ("::/56 from a server", "::", 56, "prefix-unspecified"),
            ("a group", "ff00::", 16, "not-unicast"),
            ("link-local", "fe80::", 64, "not-unicast"),
        )
    ],
    (
        "E65",
        "::/56 from a client is a wish",
        v6(1, o6(1, DUID), ia_pd(iaprefix("::", 56, preferred=0, valid=0))),
        Says({25: [Ia(25, 1, 1800, 2880, 0, 0, (IaPrefix(26, "::/56", 0, 0, 0, 0),))]}),
    ),
    (
        "E65",
        "host bits",
        reply(ia_pd(iaprefix("2001:db8:0:ff::1", 56))),
        Says({25: [Ia(25, 1, 1800, 2880, 0, 0, (IaPrefix(26, "2001:db8::/56", 3600, 7200, 0, 0),))]}),
    ),
    *[
        (
            "E65",
            f"excluded {what}",
            reply(ia_pd(iaprefix("2001:db8:1:100::", 56, o6(67, content)))),
            Says(
                {
                    25: [
                        Ia(
                            25,
                            1,
                            1800,
                            2880,
                            0,
                            0,
                            (
                                IaPrefix(
                                    26,
                                    "2001:db8:1:100::/56",
                                    3600,
                                    7200,
                                    0,
                                    0,
                                    None,
                                    (ignored(67, reason, content),),
                                ),
                            ),
                        )
                    ]
                }
            ),
        )
        for what, content, reason in (
            ("prefix as long as the delegated one", b"\x38\x00", "prefix-length"),
            ("prefix shorter than the delegated one", b"\x30\x00", "prefix-length"),
            ("/129", b"\x81" + bytes(10), "prefix-length"),
            ("prefix with too few octets", b"\x48\x01", "prefix-length"),
            ("prefix with too many octets", b"\x40\x01\x00", "prefix-length"),
            ("prefix without octets", b"\x40", "length"),
        )
    ],
    # E66 relays
    ("E66", "nested 33 deep", nested(33, v6(1, o6(1, DUID))), Rejected("dhcp6-relay-nesting", 8 * 38)),
    ("E66", "nested 9 deep", nested(9, v6(1, o6(1, DUID))), Rejected("dhcp6-relay-nesting", 8 * 38)),
    ("E66", "nested 8 deep", nested(8, v6(1, o6(1, DUID))), Says({1: [Identifier(1, DUID.hex(), 0, 0)]})),
    ("E66", "without option 9", relay(12, o6(18, b"eth1")), Rejected("dhcp6-relay-no-message", 34)),
    ("E66", "option 9 empty", relay(12, o6(9)), Rejected("dhcp6-too-short", 38)),
    ("E66", "a relay header of 33 octets", relay(12)[:33], Rejected("dhcp6-too-short", 33)),
    (
        "E66",
        "a Relay-reply in a Relay-forward",
        relay(12, o6(9, relay(13, o6(9, v6(1))))),
        Rejected("dhcp6-relay-direction"),
    ),
    # E67 identifiers and repeats
    (
        "E67",
        "two client ids",
        reply(o6(1, SECOND)),
        Says({1: [Identifier(1, DUID.hex(), 0, 0), ignored(1, "duplicate", SECOND)]}),
    ),
    (
        "E67",
        "two server ids",
        reply(o6(2, SECOND)),
        Says({2: [Identifier(2, DUID.hex(), 0, 0), ignored(2, "duplicate", SECOND)]}),
    ),
    (
        "E67",
        "two lists of resolvers are not joined",
        reply(o6(23, ip("2001:db8::1")), o6(23, ip("2001:db8::2"))),
        Says({23: [addresses(23, "2001:db8::1"), ignored(23, "duplicate", ip("2001:db8::2"))]}),
    ),
    ("E67", "client id of 0 octets", v6(1, o6(1)), Ignores(1, "length")),
    ("E67", "client id of 131 octets", v6(1, o6(1, bytes(131))), Ignores(1, "length")),
    (
        "E67",
        "a DUID-LLT cut short is octets like others",
        v6(1, o6(1, b"\0\x01\0\x01\x11")),
        Says({1: [Identifier(1, "0001000111", 0, 0)]}),
    ),
    # E68 status
    ("E68", "1 octet", reply(o6(13, b"\0")), Ignores(13, "length")),
    ("E68", "text not in UTF-8", reply(o6(13, u16(1), b"no\xff")), Says({13: [Status(13, 1, "no\\xff", 0, 0)]})),
    (
        "E68",
        "text with a line break and ESC",
        reply(o6(13, u16(1), b"a\n\x1b")),
        Says({13: [Status(13, 1, "a\\x0a\\x1b", 0, 0)]}),
    ),
    ("E68", "60 kB of text", reply(o6(13, u16(2), LONG_TEXT)), Says({13: [Status(13, 2, "x" * 1024 + "…", 0, 0)]})),
    ("E68", "status 99", reply(o6(13, u16(99))), Says({13: [Status(13, 99, "", 0, 0)]})),
    # E69 timers
    *[
        ("E69", f"{code} of {value}", reply(o6(code, u32(value))), Ignores(code, "value"))
        for code in (82, 83)
        for value in (0, 59, 86401, 0xFFFFFFFF)
    ],
    ("E69", "82 of 60", reply(o6(82, u32(60))), Says({82: [number(82, 60)]})),
    ("E69", "83 of 86400", reply(o6(83, u32(86400))), Says({83: [number(83, 86400)]})),
    ("E69", "82 of 3 octets", reply(o6(82, bytes(3))), Ignores(82, "length")),
    ("E69", "refresh time 0", reply(o6(32, u32(0))), Says({32: [number(32, 0)]})),
    ("E69", "refresh time 599: the floor is the reducer's", reply(o6(32, u32(599))), Says({32: [number(32, 599)]})),
    # E70 resolvers and search names
    ("E70", "resolvers of 15 octets", reply(o6(23, bytes(15))), Ignores(23, "length")),
    ("E70", "resolvers of 17 octets", reply(o6(23, ip("2001:db8::53"), b"\0")), Ignores(23, "length")),
    ("E70", "no resolver", reply(o6(23)), Ignores(23, "length")),
    ("E70", "a pointer", reply(o6(24, name("a.example"), b"\x01b\xc0\x00")), Ignores(24, "name-compressed")),
    ("E70", "ends inside a label", reply(o6(24, name("a.example"), b"\x05mar")), Ignores(24, "name-unterminated")),
    ("E70", "65 names", reply(o6(24, name("a.example") * 65)), Ignores(24, "name-count")),
    # E71 who may say what
    ("E71", "Reply without server id", v6(7, o6(1, DUID)), Rejected("dhcp6-no-server-id")),
    ("E71", "Advertise without server id", v6(2, o6(1, DUID)), Rejected("dhcp6-no-server-id")),
    ("E71", "Advertise without client id", v6(2, o6(2, DUID)), Rejected("dhcp6-no-client-id")),
    ("E71", "a server id nobody can have", v6(7, o6(1, DUID), o6(2, b"\0")), Rejected("dhcp6-no-server-id")),
    # E72 captive portal, encrypted DNS
    ("E72", "103 with a NUL inside", reply(o6(103, b"https://a.example/\0b")), Ignores(103, "uri-characters")),
    ("E72", "103 with a NUL at its end", reply(o6(103, b"https://a.example/\0")), Ignores(103, "uri-characters")),
    ("E72", "144 with a name past its end", reply(o6(144, u16(1), u16(18), ADN)), Ignores(144, "dnr-truncated")),
    ("E72", "144 of 3 octets", reply(o6(144, b"\0\1\0")), Ignores(144, "dnr-truncated")),
    # E99 identifiers, timers, IAIDs
    ("E99", "DUID of 2 octets", v6(1, o6(1, b"\0\3")), Ignores(1, "length")),
    ("E99", "DUID of type 9", v6(1, o6(1, b"\0\x09abc")), Says({1: [Identifier(1, "0009616263", 0, 0)]})),
    (
        "E99",
        "IA_NA and IA_PD of one IAID",
        reply(ia_na(), ia_pd()),
        Says({3: [Ia(3, 1, 1800, 2880, 0, 0)], 25: [Ia(25, 1, 1800, 2880, 0, 0)]}),
    ),
    (
        "E99",
        "two IA_NA of one IAID",
        reply(ia_na(), ia_na(t1=0)),
        Says({3: [Ia(3, 1, 1800, 2880, 0, 0), Ia(3, 1, 0, 2880, 0, 0)]}),
    ),
    ("E99", "T1 0, T2 infinite", reply(ia_na(t1=0, t2=0xFFFFFFFF)), Says({3: [Ia(3, 1, 0, None, 0, 0)]})),
    (
        "E99",
        "an Advertise with empty IAs and 82",
        v6(2, IDS, ia_na(o6(13, u16(2))), o6(82, u32(7200))),
        Says({3: [Ia(3, 1, 1800, 2880, 0, 0, (Status(13, 2, "", 0, 0),))], 82: [number(82, 7200)]}),
    ),
    # E100 Reconfigure
    ("E100", "without 19", v6(10, IDS), Rejected("dhcp6-reconfigure-message")),
    ("E100", "of message type 3", v6(10, IDS, o6(19, b"\x03")), Rejected("dhcp6-reconfigure-message")),
    ("E100", "without client id", v6(10, o6(2, DUID), o6(19, b"\x05")), Rejected("dhcp6-no-client-id")),
    (
        "E100",
        "a whole one is reported; trust is the reducer's",
        v6(10, IDS, o6(19, b"\x05"), o6(11, b"\x03\x01\x00", bytes(8), b"\x02", bytes(16))),
        Says({19: [number(19, 5)], 11: [Authentication(11, 3, 1, 0, "00" * 8, "02" + "00" * 16, 0, 0)]}),
    ),
]
