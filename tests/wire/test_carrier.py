"""Link layers, IP and UDP: where a message begins and ends, and whether it is whole."""

import struct
from socket import inet_aton
from typing import cast

import pytest

from adapters.ingest import Translator, translate, wanted
from adapters.wire.carrier.ethernet import link_layer
from adapters.wire.carrier.ip import extensions, sum4, sum6
from events.base import Event
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen
from events.frames import (
    ETHERNET,
    IPV4,
    IPV6,
    LINUX_SLL,
    LINUX_SLL2,
    LOOP,
    NULL,
    RAW,
    RAW_BSD,
    RAW_OPENBSD,
    Frame,
    FrameRejected,
    Note,
)
from events.router import RouterAdvertised
from tests.wire.packets import (
    DISCOVER,
    MAC,
    NODES,
    ROUTER,
    SOLICIT,
    complement,
    ethernet,
    frame,
    header,
    ip6,
    ipv4,
    ipv6,
    sealed,
    udp,
    udp6,
)

RA = ipv6(sealed(header(), ROUTER, NODES))
SLL = bytes.fromhex("0000 0001 0006 020000000101 0000 86dd")
SLL_NO_MAC = bytes.fromhex("0000 0304 0000 0000000000000000 86dd")


def sll2(ifindex: int, protocol: int = 0x86DD) -> bytes:
    return struct.pack("!HHIHBB", protocol, 0, ifindex, 1, 0, 6) + bytes.fromhex("0200000001010000")


def one(what: Frame) -> Event:
    (event,) = translate(what)
    return event


def rule(what: Frame) -> str:
    event = one(what)
    assert isinstance(event, FrameRejected), event
    return f"{event.protocol} {event.rule}"


def said(what: Frame) -> RouterAdvertised:
    event = one(what)
    assert isinstance(event, RouterAdvertised), event
    return event


@pytest.mark.parametrize(
    ("linktype", "before", "mac"),
    [
        (ETHERNET, ethernet(b""), MAC),
        (RAW, b"", ""),
        (RAW_BSD, b"", ""),
        (RAW_OPENBSD, b"", ""),
        (IPV6, b"", ""),
        (LINUX_SLL, SLL, MAC),
        (LINUX_SLL, SLL_NO_MAC, ""),
        (LINUX_SLL2, sll2(3), MAC),
        *[(NULL, struct.pack(order + "I", family), "") for order in "<>" for family in (10, 24, 28, 30)],
        (LOOP, struct.pack(">I", 24), ""),
    ],
)
def test_the_same_ra_behind_each_link_layer(linktype: int, before: bytes, mac: str) -> None:
    event = said(frame(before + RA, linktype))
    assert (event.router, event.mac, event.link) == (ROUTER, mac, "if0")
    assert event.options_at == len(before) + 40 + 16
    assert wanted(linktype, before + RA)


def sll(kind: int, hardware: int = 1, size: int = 6) -> bytes:
    return struct.pack("!HHH", 0, hardware, size) + SLL[6:14] + struct.pack("!H", kind)


def test_where_each_link_layer_ends_and_what_it_says_of_its_sender() -> None:
    """Nothing follows the header: its octets alone are enough. What is not ours is no protocol, and never None."""
    for kind, protocol in ((0x86DD, "ipv6"), (0x0800, "ipv4"), (0x0806, "arp"), (0x86DC, ""), (0x88DD, ""), (0, "")):
        assert link_layer(ETHERNET, ethernet(b"", kind)) == (14, protocol, (), MAC)
        assert link_layer(ETHERNET, ethernet(b"", kind, ((0x88A8, 300), (0x8100, 7)))) == (22, protocol, (300, 7), MAC)
        assert link_layer(LINUX_SLL, sll(kind)) == (16, protocol, (), MAC)
        tagged = sll(0x8100) + struct.pack("!HH", 4094, kind)
        assert link_layer(LINUX_SLL, tagged) == (20, protocol, (4094,), MAC)
        assert link_layer(LINUX_SLL2, sll2(3, kind)) == (20, protocol, (), MAC)
        tagged = sll2(3, 0x8100) + struct.pack("!HH", 4094, kind)
        assert link_layer(LINUX_SLL2, tagged) == (24, protocol, (4094,), MAC)
    for hardware, size in ((0x0101, 6), (256, 6), (1, 8), (1, 0x0106), (772, 6)):
        assert link_layer(LINUX_SLL, sll(0x0800, hardware, size)) == (16, "ipv4", (), "")
    for hardware, size in ((0x0101, 6), (256, 6), (1, 8), (772, 6)):
        head = sll2(3, 0x0800)
        head = head[:8] + struct.pack("!HBB", hardware, 0, size) + head[12:]
        assert link_layer(LINUX_SLL2, head) == (20, "ipv4", (), "")
    for linktype, order in ((NULL, "<"), (NULL, ">"), (LOOP, ">")):
        for family, protocol in ((2, "ipv4"), (10, "ipv6"), (30, "ipv6"), (0, ""), (7, "")):
            for behind in (b"", b"\x60"):  # what follows is no part of it
                assert link_layer(linktype, struct.pack(order + "I", family) + behind) == (4, protocol, (), "")
    for linktype in (RAW, RAW_BSD, RAW_OPENBSD):
        for version, protocol in ((4, "ipv4"), (6, "ipv6"), (5, "")):
            assert link_layer(linktype, bytes((version << 4,))) == (0, protocol, (), "")
    assert link_layer(IPV4, b"") == (0, "ipv4", (), "")
    assert link_layer(IPV6, b"") == (0, "ipv6", (), "")
    assert link_layer(253, RA) == (0, "", (), "")


@pytest.mark.covers("evil:E77")
def test_vlan_tags_name_the_link() -> None:
    for tags, link in (
        (((0x8100, 10),), "if0.10"),
        (((0x8100, 4094),), "if0.4094"),
        (((0x88A8, 10), (0x8100, 30)), "if0.10.30"),
        (((0x9100, 1), (0x9100, 2), (0x8100, 3), (0x8100, 4)), "if0.1.2.3.4"),
        (((0x8100, 0),), "if0"),  # a priority, no VLAN
        (((0x8100, 0xE000 | 7),), "if0.7"),  # priority bits beside the id
    ):
        event = said(frame(ethernet(RA, tags=tags)))
        assert (event.link, event.mac) == (link, MAC)
    five = frame(ethernet(RA, tags=((0x8100, 1),) * 5))
    assert rule(five) == "ethernet vlan-depth"
    rejected = one(frame(ethernet(ipv6(header()), tags=((0x8100, 10),))))
    assert isinstance(rejected, FrameRejected)
    assert rejected.link == "if0.10"


def test_an_802_3_length_and_foreign_protocols_are_not_ours() -> None:
    for ethertype in (0x0026, 0x05DC, 0x8035, 0x88CC):
        assert translate(frame(ethernet(RA, ethertype))) == ()
        assert not wanted(ETHERNET, ethernet(RA, ethertype))


def test_tags_within_cooked_frames() -> None:
    tagged = SLL[:14] + struct.pack("!HHH", 0x8100, 10, 0x86DD)
    assert said(frame(tagged + RA, LINUX_SLL)).link == "if0.10"
    assert said(frame(sll2(3, 0x8100) + struct.pack("!HH", 10, 0x86DD) + RA, LINUX_SLL2)).link == "if0.10"


def test_the_interfaces_of_a_cooked_capture_are_links_of_their_own() -> None:
    heard = Translator()
    links = [
        cast(RouterAdvertised, heard.translate(frame(sll2(ifindex) + RA, LINUX_SLL2, link=link))[0]).link
        for link, ifindex in (("if0", 7), ("if0", 3), ("if0", 7), ("if1", 3), ("if1", 7))
    ]
    assert links == ["if0", "if0%3", "if0", "if1", "if1%7"]


def test_traffic_that_is_not_ours_gives_no_link_its_name() -> None:
    sifted, unsifted = Translator(), Translator()
    other = frame(sll2(9) + ipv6(bytes(40), next_header=6), LINUX_SLL2)
    assert not wanted(LINUX_SLL2, other.data)
    assert unsifted.translate(other) == ()
    ours = frame(sll2(7) + RA, LINUX_SLL2)
    assert sifted.translate(ours) == unsifted.translate(ours)
    assert cast(RouterAdvertised, sifted.translate(ours)[0]).link == "if0"


@pytest.mark.parametrize("linktype", [ETHERNET, NULL, LOOP, RAW, LINUX_SLL, LINUX_SLL2, IPV4, IPV6])
@pytest.mark.covers("evil:E1")
def test_every_start_of_a_frame_is_rejected_or_cut_and_never_read(linktype: int) -> None:
    before = {ETHERNET: ethernet(b""), NULL: struct.pack("<I", 10), LOOP: struct.pack(">I", 24), LINUX_SLL: SLL,
              LINUX_SLL2: sll2(1)}.get(linktype, b"")  # fmt: skip
    whole = before + (ipv4(udp(DISCOVER, 68, 67)) if linktype == IPV4 else RA)
    for size in range(len(whole)):
        for event in translate(frame(whole[:size], linktype)):
            assert isinstance(event, FrameRejected), size
            assert event.rule != "truncated-capture"
        rules = [cast(FrameRejected, event).rule for event in translate(frame(whole[:size], linktype, len(whole)))]
        assert rules in ([], ["truncated-capture"]), size
    assert [cast(FrameRejected, event).rule for event in translate(frame(whole[:-1], linktype, len(whole)))] == [
        "truncated-capture"
    ]


def test_the_version_is_that_of_the_protocol() -> None:
    assert rule(frame(ethernet(b"\x46" + RA[1:]))) == "ip ip-version"
    four = ipv4(udp(DISCOVER, 68, 67))
    assert rule(frame(ethernet(b"\x65" + four[1:], 0x0800))) == "ip ip-version"
    assert rule(frame(ethernet(b"\x44" + four[1:], 0x0800))) == "ip ip-header"
    assert translate(frame(b"\x50" + RA[1:], RAW)) == ()


@pytest.mark.covers("evil:E7", "rfc:N20")
def test_dhcp6_may_be_an_atomic_fragment_but_not_a_part() -> None:
    message = udp6(SOLICIT, "fe80::2", "ff02::1:2", 546, 547)

    def fragmented(field: int) -> Frame:
        fragment = struct.pack("!BBHI", 17, 0, field, 9)
        return frame(ethernet(ipv6(fragment + message, "fe80::2", "ff02::1:2", next_header=44)))

    assert isinstance(one(fragmented(0)), Dhcp6MessageSeen)
    assert rule(fragmented(1)) == "dhcp6 ip-fragment"
    assert translate(fragmented(8)) == ()


@pytest.mark.covers("evil:E8")
def test_headers_in_front_count_against_the_message_and_the_checksum_holds() -> None:
    options = bytes((58, 1)) + bytes(14)
    assert said(frame(ethernet(ipv6(options + RA[40:], next_header=60)))).options_at == 14 + 40 + 16 + 16
    authentication = bytes((58, 4)) + bytes(22)
    assert said(frame(ethernet(ipv6(authentication + RA[40:], next_header=51)))).header.lifetime_s == 1800
    assert translate(frame(ethernet(ipv6(bytes(32), next_header=50)))) == ()  # ESP: nobody can look inside
    report = bytes((58, 0, 5, 2, 0, 0, 1, 0)) + b"\x8f" + bytes(27)  # an MLD report
    assert translate(frame(ethernet(ipv6(report, hop_limit=1, next_header=0)))) == ()


@pytest.mark.covers("evil:E8", "evil:E7")
def test_a_chain_of_headers_ends_where_its_last_one_says() -> None:
    """(what follows, where, the fragment's field); 59 is "no next header", and nothing need stand behind the chain."""
    start = bytes(range(100, 140))  # nothing of what stands before is read

    def walked(*headers: bytes, first: int) -> tuple[int, int, int]:
        chain = b"".join(headers)
        kind, at, fragment = extensions(start + chain, first, 40, 40 + len(chain))
        return kind, at - 40, fragment

    assert walked(first=58) == (58, 0, -1)
    assert walked(bytes((59, 0)) + bytes(6), first=60) == (59, 8, -1)
    assert walked(bytes((60, 1)) + bytes(14), bytes((59, 0)) + bytes(6), first=0) == (59, 24, -1)
    assert walked(bytes((59, 1)) + bytes(10), first=51) == (59, 12, -1)  # RFC 4302 §2.2: in units of 4, less 2
    for field, said in ((0, 0), (1, 1), (6, 0), (7, 1)):  # RFC 8200 §4.5: bits 1 and 2 are reserved
        assert walked(struct.pack("!BBHI", 58, 0, field, 9), first=44) == (58, 8, said)
    for field in (8, 9, 0x100, 0xFFF8):  # a later fragment: what its header calls the next is not there
        assert walked(struct.pack("!BBHI", 60, 0, field, 9), first=44) == (60, 8, field)


@pytest.mark.parametrize("size", range(8, 13))
def test_the_checksum_of_a_message_behind_other_headers(size: int) -> None:
    """RFC 8200 §8.1, an odd message too: right is right, and each octet of message and addresses counts."""
    message = sealed(bytes(range(134, 134 + size)), ROUTER, NODES)
    for between in (b"", bytes((58, 0)) + bytes(range(50, 56))):
        at = 40 + len(between)
        packet = ipv6(between + message, next_header=60 if between else 58)
        assert sum6(b"\xff" + packet, 1, 1 + at, 1 + len(packet), 58) == 0
        assert sum6(packet, 0, at, len(packet), 17) != 0
        for spoilt in (*range(8, 40), *range(at, len(packet))):
            wrong = packet[:spoilt] + bytes((packet[spoilt] ^ 4,)) + packet[spoilt + 1 :]
            assert sum6(wrong, 0, at, len(packet), 58) != 0, spoilt


@pytest.mark.covers("evil:E60")
def test_a_discover_over_ipv4() -> None:
    event = one(frame(ethernet(ipv4(udp(DISCOVER, 68, 67), "0.0.0.0", "255.255.255.255"), 0x0800)))
    assert isinstance(event, Dhcp4MessageSeen)
    assert (event.message, event.source, event.destination, event.mac) == (
        "DISCOVER",
        "0.0.0.0",
        "255.255.255.255",
        MAC,
    )
    assert event.notes == ()  # no checksum is no wrong one
    with_options = ipv4(udp(DISCOVER, 68, 67), options=b"\x01" * 4)
    assert isinstance(one(frame(ethernet(with_options, 0x0800))), Dhcp4MessageSeen)


def test_the_checksum_of_udp_over_ipv4() -> None:
    """RFC 768, of odd messages too: right is right, and each octet of message and addresses counts."""
    ends = inet_aton("10.1.2.3") + inet_aton("192.0.2.254")
    for size in range(8, 13):
        bare = udp(bytes(range(100, 92 + size)), 68, 67)
        summed = complement(ends + struct.pack("!HH", 17, len(bare)) + bare)
        message = bare[:6] + struct.pack("!H", summed) + bare[8:]
        packet = b"\xff" + ipv4(message, "10.1.2.3", "192.0.2.254") + b"\xff"
        assert sum4(packet, 1, 21, 21 + size, 17) == 0
        assert sum4(packet, 1, 21, 21 + size, 6) != 0
        for spoilt in range(13, 21 + size):
            wrong = packet[:spoilt] + bytes((packet[spoilt] ^ 4,)) + packet[spoilt + 1 :]
            assert sum4(wrong, 1, 21, 21 + size, 17) != 0, spoilt


@pytest.mark.covers("evil:E60")
def test_a_dhcp4_message_that_is_not_whole() -> None:
    inside = udp(DISCOVER, 68, 67)
    good = ipv4(inside)

    def four(packet: bytes, original: int = -1) -> Frame:
        return frame(ethernet(packet, 0x0800), original=original)

    assert rule(four(good[:10] + b"\0\0" + good[12:])) == "dhcp4 ip-checksum"
    assert rule(four(ipv4(inside, total=19))) == "dhcp4 ip-length"
    assert rule(four(ipv4(inside, total=len(good) + 1))) == "dhcp4 ip-length"
    assert rule(four(ipv4(inside, total=24))) == "dhcp4 udp-length"
    assert rule(four(ipv4(inside, fragment=0x2000))) == "dhcp4 ip-fragment"
    assert translate(four(ipv4(inside, fragment=0x0010))) == ()
    assert rule(four(ipv4(udp(DISCOVER, 68, 67, length=7)))) == "dhcp4 udp-length"
    assert rule(four(ipv4(udp(DISCOVER, 68, 67, length=len(inside) + 1)))) == "dhcp4 udp-length"
    assert rule(four(good[:-1], 14 + len(good))) == "dhcp4 truncated-capture"
    assert rule(four(good[:-1])) == "dhcp4 ip-length"
    assert translate(four(ipv4(udp(DISCOVER, 68, 53)))) == ()
    assert translate(four(ipv4(inside, protocol=6))) == ()


@pytest.mark.covers("evil:E60")
def test_a_dhcp6_message_that_is_not_whole() -> None:
    def six(payload: bytes, length: int | None = None, original: int = -1) -> Frame:
        return frame(ethernet(ipv6(payload, "fe80::2", "ff02::1:2", next_header=17, length=length)), original=original)

    whole = udp6(SOLICIT, "fe80::2", "ff02::1:2", 546, 547)
    assert isinstance(one(six(whole)), Dhcp6MessageSeen)
    assert rule(six(whole, length=7)) == "dhcp6 udp-length"
    assert rule(six(whole, length=len(whole) + 1)) == "dhcp6 ip-length"
    assert rule(six(whole[:-1], length=len(whole), original=54 + len(whole))) == "dhcp6 truncated-capture"
    assert rule(six(udp(SOLICIT, 546, 547, length=3))) == "dhcp6 udp-length"
    assert translate(six(udp(SOLICIT, 546, 5353))) == ()
    assert translate(six(whole[:3])) == ()


def test_a_wrong_udp_checksum_is_noted_and_the_message_accepted() -> None:
    six = ipv6(udp(SOLICIT, 546, 547, checksum=0x1234), "fe80::2", "ff02::1:2", next_header=17)
    event = one(frame(ethernet(six)))
    assert isinstance(event, Dhcp6MessageSeen)
    assert event.notes == (Note("udp-checksum", 60),)
    none = ipv6(udp(SOLICIT, 546, 547), "fe80::2", "ff02::1:2", next_header=17)
    event = one(frame(ethernet(none)))
    assert isinstance(event, Dhcp6MessageSeen)
    assert event.notes == (Note("udp-checksum-zero", 60),)
    right = ipv6(udp6(SOLICIT, "fe80::2", "ff02::1:2", 546, 547), "fe80::2", "ff02::1:2", next_header=17)
    event = one(frame(ethernet(right)))
    assert isinstance(event, Dhcp6MessageSeen)
    assert event.notes == ()
    event = one(frame(ethernet(ipv4(udp(DISCOVER, 68, 67, checksum=0x1234)), 0x0800)))
    assert isinstance(event, Dhcp4MessageSeen)
    assert event.notes == (Note("udp-checksum", 40),)


MESSAGES = {
    "ra": (header(), "fe80::1", "ff02::1"),
    "rs": (bytes((133, 0)) + bytes(6), "fe80::2", "ff02::2"),
    "ns": (bytes((135, 0)) + bytes(6) + ip6("fe80::1"), "fe80::2", "ff02::1:ff00:1"),
    "na": (bytes((136, 0)) + bytes(6) + ip6("fe80::1"), "fe80::1", "ff02::1"),
    "redirect": (bytes((137, 0)) + bytes(6) + ip6("fe80::9") + ip6("2001:db8::5"), "fe80::1", "fe80::2"),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_nd_message_is_held_to_every_check_of_its_carrier(kind: str) -> None:
    """RFC 4861 §6.1, §7.1, §8.1: the good message passes, and each check alone makes it another's rule."""
    message, source, destination = MESSAGES[kind]
    good = sealed(message, source, destination)

    def carried(
        octets: bytes = good, *, hops: int = 255, first: int = 58, length: int | None = None, original: int = -1
    ) -> Frame:
        packet = ipv6(octets, source, destination, hop_limit=hops, next_header=first, length=length)
        return frame(ethernet(packet), original=original)

    assert not isinstance(one(carried()), FrameRejected)
    hop_by_hop = bytes((58, 0, 5, 2, 0, 0, 1, 0))
    assert not isinstance(one(carried(hop_by_hop + good, first=0)), FrameRejected)
    wrong = good[:2] + bytes((good[2] ^ 0x10,)) + good[3:]
    coded = sealed(bytes((message[0], 1)) + message[2:], source, destination)
    short = sealed(message[:-1], source, destination)
    odd = sealed(message + b"\x01", source, destination)
    bad = {
        "hop-limit": carried(hops=254),
        "checksum": carried(wrong),
        "code": carried(coded),
        "message-length": carried(short),
        "fragment": carried(bytes((58, 0, 0, 0, 0, 0, 0, 7)) + good, first=44),
        "ip-length": carried(length=len(good) + 1),
        "truncated-capture": carried(good[:-4], length=len(good), original=54 + len(good)),
        "option-stray": carried(odd),
        "option-length-zero": carried(sealed(message + b"\xc8\0" + bytes(6), source, destination)),
        "option-overrun": carried(sealed(message + b"\xc8\2" + bytes(6), source, destination)),
    }
    assert {name: rule(packet) for name, packet in bad.items()} == {name: f"{kind} {name}" for name in bad}
    assert rule(carried(bytes((58, 9)) + bytes(6) + good, first=0)) == "ip extension-overrun"
