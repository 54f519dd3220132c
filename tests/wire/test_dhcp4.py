"""DHCPv4 messages: what one says is what the event says, option by option, and nothing of it is lost."""

from __future__ import annotations

from ipaddress import IPv4Address
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from adapters.wire.cursor import Malformed
from adapters.wire.dhcp import dhcp4
from adapters.wire.rules import DHCP_REASONS, REASONS, RULES
from events.dhcp import (
    Addresses,
    ClientFqdn,
    Codes,
    Dhcp4MessageSeen,
    Flag,
    Identifier,
    Ignored,
    Names,
    Number,
    Opaque,
    RdnssSelection,
    Resolver,
    Route,
    Routes,
    Suboptions,
    Text,
)
from events.router import ServiceParam
from tests.sim.build import Story
from tests.sim.build import dhcp4 as dhcp4_request
from tests.wire import hostile_dhcp
from tests.wire.dhcp_octets import ACK_BASE, BEFORE4, ack, bare, decode4, fixed4, ip, name, o4, said, u8, u16, u32, v4

ROUTER = o4(3, ip("192.0.2.1"))


def one(code: int, *content: bytes) -> Any:
    """What an ACK with that one option says under its code; that it says where it stood is looked at here."""
    message = decode4(ack(o4(code, *content)))
    (part,) = [option for option in message.options if option.code == code]
    assert part.at == len(BEFORE4) + 240 + len(ACK_BASE)
    assert part.length == 2 + sum(map(len, content))
    return bare(part)


def ignored(code: int, *content: bytes) -> str:
    part = one(code, *content)
    assert isinstance(part, Ignored)
    assert part.data == b"".join(content)
    return part.reason


def test_the_fixed_fields_are_what_stood_on_the_wire() -> None:
    message = decode4(ack(ciaddr="192.0.2.9", sname=b"server.example", file=b"/boot\xff\n\0junk"))
    assert message == Dhcp4MessageSeen(
        link="eth0",
        message="ACK",
        xid=0x11223344,
        chaddr="02:00:00:00:00:aa",
        ciaddr="192.0.2.9",
        yiaddr="192.0.2.10",
        siaddr="192.0.2.1",
        giaddr="0.0.0.0",
        op=2,
        htype=1,
        secs=3,
        broadcast=True,
        source="192.0.2.1",
        destination="255.255.255.255",
        mac="02:00:00:00:00:01",
        server_name="server.example",
        boot_file="/boot\\xff\\x0a",
        options=message.options,
    )
    assert [option.code for option in message.options] == [53, 54, 51]


def test_each_option_knows_its_octets_in_the_frame() -> None:
    payload = ack(ROUTER, b"\0\0", o4(250, b"xy"))
    frame = BEFORE4 + payload
    for option in decode4(payload).options:
        octets = frame[option.at : option.at + option.length]
        assert octets[0] == option.code
        assert octets[1] == len(octets) - 2


@pytest.mark.parametrize(("value", "row"), sorted(dhcp4.MESSAGES.items()))
def test_every_message_type_has_its_name_and_its_side(value: int, row: tuple[str, int]) -> None:
    server = o4(54, ip("192.0.2.1"))
    assert decode4(v4(value, server, op=row[1])).message == row[0]
    with pytest.raises(Malformed) as caught:
        decode4(v4(value, server, op=3 - row[1]))
    assert caught.value.rule == "dhcp4-op-message"


def test_the_golden_vectors() -> None:
    message = decode4(
        ack(
            bytes.fromhex("791400c0000201080ac00002011981d2b18400000000"),
            bytes.fromhex("771b03656e67056170706c6503636f6d00096d61726b6574696e67c004"),
            bytes.fromhex(
                "a236003400011103646e73076578616d706c65036e65740004c0000235"
                "00010003026832000700102f646e732d71756572797b3f646e737d"
            ),
        )
    )
    assert said(message, 121) == [
        Routes(
            121,
            (
                Route("0.0.0.0/0", "192.0.2.1"),
                Route("10.0.0.0/8", "192.0.2.1"),
                Route("129.210.177.128/25", None),
            ),
            0,
            0,
        )
    ]
    assert said(message, 119) == [Names(119, ("eng.apple.com.", "marketing.apple.com."), 0, 0)]
    params = (
        ServiceParam(1, "026832", "h2"),
        ServiceParam(7, "2f646e732d71756572797b3f646e737d", "/dns-query{?dns}"),
    )
    assert said(message, 162) == [Resolver(162, 1, "dns.example.net.", 0, 0, ("192.0.2.53",), params)]


@pytest.mark.covers("rfc:V12")
def test_pieces_of_one_code_are_joined_before_they_are_read() -> None:
    routes = b"".join(u8(24) + bytes([10, 0, at]) + ip("192.0.2.1") for at in range(40))  # 320 octets
    for cut in (255, 3, 8, 100):  # within a route, wherever it falls
        pieces = [o4(121, routes[:cut]), ROUTER, o4(121, routes[cut : cut + 250])]
        rest = routes[cut + 250 :]
        if rest:
            pieces.append(o4(121, rest))
        message = decode4(ack(*pieces))
        (found,) = said(message, 121)
        assert [route.destination for route in found.routes] == [f"10.0.{at}.0/24" for at in range(40)]
        assert said(message, 3) == [Addresses(3, ("192.0.2.1",), 0, 0)]
    # a piece by itself would have been ignored
    assert isinstance(one(121, routes[:100]), Ignored)
    # the span is that of the first piece
    payload = ack(o4(6, ip("192.0.2.53")), o4(6, ip("192.0.2.54")))
    (servers,) = [option for option in decode4(payload).options if option.code == 6]
    assert servers == Addresses(6, ("192.0.2.53", "192.0.2.54"), len(BEFORE4) + 240 + len(ACK_BASE), 6)
    # unknown codes and fixed-length ones are joined as well
    assert said(decode4(ack(o4(250, b"a"), o4(250, b"b"))), 250) == [Opaque(250, b"ab", 0, 0)]
    assert said(decode4(ack(o4(58, u16(0)), o4(58, u16(900)))), 58) == [Number(58, 900, 0, 0)]


@pytest.mark.covers("rfc:V13", "rfc:V12")
def test_overloaded_fields_follow_the_options_file_first() -> None:
    file = o4(6, ip("192.0.2.2")) + b"\xff" + o4(12, b"after-end")
    sname = o4(6, ip("192.0.2.3")) + o4(15, b"a.example") + b"\xff"
    message = decode4(ack(o4(52, b"\x03"), o4(6, ip("192.0.2.1")), file=file, sname=sname))
    assert said(message, 6) == [Addresses(6, ("192.0.2.1", "192.0.2.2", "192.0.2.3"), 0, 0)]
    assert said(message, 15) == [Text(15, "a.example", 0, 0)]
    assert said(message, 12) == []
    assert (message.server_name, message.boot_file) == ("", "")
    assert [note.code for note in message.notes] == ["dhcp4-after-end"]
    only_file = decode4(ack(o4(52, b"\x01"), file=file, sname=b"tftp.example"))
    assert (only_file.server_name, only_file.boot_file) == ("tftp.example", "")
    only_sname = decode4(ack(o4(52, b"\x02"), file=b"/boot", sname=sname))
    assert (only_sname.server_name, only_sname.boot_file) == ("", "/boot")
    assert said(only_sname, 6) == [Addresses(6, ("192.0.2.3",), 0, 0)]


def test_the_message_type_may_stand_in_an_overloaded_field() -> None:
    payload = fixed4(file=o4(53, b"\x05") + b"\xff") + o4(52, b"\x01") + o4(54, ip("192.0.2.1")) + b"\xff"
    assert decode4(payload).message == "ACK"


@pytest.mark.covers("rfc:V15")
def test_a_bad_route_voids_121_and_leaves_3() -> None:
    good = u8(8) + b"\x0a" + ip("192.0.2.1")
    message = decode4(ack(o4(121, good, u8(33), bytes(5), ip("192.0.2.1")), ROUTER))
    assert [type(part) for part in said(message, 121)] == [Ignored]
    assert said(message, 3) == [Addresses(3, ("192.0.2.1",), 0, 0)]
    asked = dhcp4_request("REQUEST", xid=message.xid, mac=message.chaddr, link=message.link)
    told = Story().hear(asked, message)
    assert told.keys(f"if:{message.link}/1", "route") == ["0.0.0.0/0 via 192.0.2.1"]  # none of before the bad one


@pytest.mark.covers("rfc:V16")
def test_host_bits_are_cleared_and_0_0_0_0_is_on_link_in_121_and_249_only() -> None:
    for code in (121, 249):
        routes = one(code, u8(25), ip("129.210.177.132"), bytes(4), u8(32), ip("203.0.113.7"), ip("198.51.100.1"))
        assert routes.routes == (Route("129.210.177.128/25", None), Route("203.0.113.7/32", "198.51.100.1"))
    assert ignored(3, bytes(4)) == "not-unicast"
    assert ignored(33, ip("10.0.0.0"), bytes(4)) == "route"


def test_249_is_reported_beside_121_and_never_merged() -> None:
    message = decode4(ack(o4(121, u8(0), ip("192.0.2.1")), o4(249, u8(0), ip("192.0.2.2"))))
    assert said(message, 121) == [Routes(121, (Route("0.0.0.0/0", "192.0.2.1"),), 0, 0)]
    assert said(message, 249) == [Routes(249, (Route("0.0.0.0/0", "192.0.2.2"),), 0, 0)]


@pytest.mark.covers("rfc:V19")
def test_search_names_pointers_and_their_ends() -> None:
    whole = name("eng.example")
    assert ignored(119, whole, b"\x01a\xc0\xff") == "name-pointer-forward"
    assert ignored(119, whole, b"\x01a\xc0\x0d") == "name-pointer-loop"
    message = decode4(ack(o4(119, whole, b"\x02la\xc0")))
    assert said(message, 119)[0] == Names(119, ("eng.example.",), 0, 0)
    assert said(message, 119)[1].reason == "name-unterminated"
    assert ignored(119, b"\0") == "name-root"
    assert said(decode4(ack(o4(119, b"\0", whole))), 119)[0] == Names(119, ("eng.example.",), 0, 0)


@pytest.mark.covers("rfc:V30")
def test_a_nak_says_only_what_a_nak_may_say() -> None:
    allowed = o4(54, ip("192.0.2.1")) + o4(56, b"no") + o4(60, b"v") + o4(61, b"\1ab") + o4(82, b"\1\1x")
    message = decode4(v4(6, allowed, o4(108, u32(60)), o4(121, u8(0), ip("192.0.2.1")), o4(250, b"?")))
    kept = [option.code for option in message.options if not isinstance(option, Ignored)]
    assert kept == [53, 54, 56, 60, 61, 82]
    assert [option.code for option in message.options if isinstance(option, Ignored)] == [108, 121, 250]
    assert not [option for option in decode4(ack(o4(108, u32(60)))).options if isinstance(option, Ignored)]


@pytest.mark.covers("rfc:V32")
def test_54_is_due_in_an_offer_and_may_lack_in_an_ack() -> None:
    assert decode4(v4(5, o4(51, u32(60)))).message == "ACK"
    with pytest.raises(Malformed) as caught:
        decode4(v4(2, o4(51, u32(60))))
    assert caught.value.rule == "dhcp4-no-server-id"
    assert decode4(v4(2, o4(54, ip("192.0.2.1")))).message == "OFFER"


@pytest.mark.covers("rfc:F27")
def test_each_instance_of_162_stands_by_itself() -> None:
    good = hostile_dhcp.instance()
    message = decode4(ack(hostile_dhcp.long4(162, good + hostile_dhcp.instance(svc=b"") + good)))
    first, bad, last = said(message, 162)
    assert first == last == hostile_dhcp.GOOD_INSTANCE
    assert (bad.reason, bad.data) == ("svc-alpn", hostile_dhcp.instance(svc=b""))
    first, over = said(decode4(ack(o4(162, good, b"\x00\xff\x00\x01"))), 162)
    assert (first, type(over)) == (hostile_dhcp.GOOD_INSTANCE, Ignored)  # no part of one that overruns is read


@pytest.mark.covers("rfc:F30")
def test_108_is_four_octets() -> None:
    assert one(108, u32(1800)) == Number(108, 1800, 0, 0)
    for length in (0, 3, 5, 8):
        assert ignored(108, bytes(length)) == "length"


@pytest.mark.covers("rfc:F15")
def test_a_portal_is_a_uri() -> None:
    assert one(114, b"https://portal.example/api") == Text(114, "https://portal.example/api", 0, 0)
    # RFC 2132 §2: a receiver must be ready to delete trailing NULs
    assert one(114, b"https://portal.example/api\0") == Text(114, "https://portal.example/api", 0, 0)
    assert one(114, b"urn:ietf:params:capport:unrestricted").text == "urn:ietf:params:capport:unrestricted"
    assert ignored(114, b"http://[::1") == "uri-syntax"
    assert ignored(114, b"javascript:alert(1)") == "uri-scheme"
    long = b"https://portal.example/" + b"x" * 400
    assert said(decode4(ack(hostile_dhcp.long4(114, long))), 114) == [Text(114, long.decode(), 0, 0)]
    assert ignored(160, b"https://portal.example/api") == "obsolete"


def test_the_other_options_by_one_example_each() -> None:
    mask4 = ip("255.255.254.0")
    assert one(1, mask4) == Addresses(1, ("255.255.254.0",), 0, 0)
    assert one(28, ip("192.0.2.255")) == Addresses(28, ("192.0.2.255",), 0, 0)
    assert one(42, ip("192.0.2.3"), ip("192.0.2.4")) == Addresses(42, ("192.0.2.3", "192.0.2.4"), 0, 0)
    assert one(12, b"host-1\0") == Text(12, "host-1", 0, 0)
    assert one(15, b"a.example b.example") == Text(15, "a.example b.example", 0, 0)
    assert one(26, u16(1400)) == Number(26, 1400, 0, 0)
    assert ignored(26, u16(67)) == "value"
    assert one(33, ip("10.1.2.3"), ip("192.0.2.1"), ip("172.16.9.9"), ip("192.0.2.2")) == Routes(
        33, (Route("10.0.0.0/8", "192.0.2.1"), Route("172.16.0.0/16", "192.0.2.2")), 0, 0
    )
    assert said(decode4(ack(o4(33, bytes(4), ip("192.0.2.1"), ip("192.0.2.9"), ip("192.0.2.1")))), 33) == [
        Routes(33, (Route("192.0.2.0/24", "192.0.2.1"),), 0, 0),
        Ignored(33, "route", bytes(4) + ip("192.0.2.1"), 0, 0),
    ]
    assert one(43, b"\1\2ab\0\0\2\1c\xff") == Suboptions(43, ((1, "6162"), (2, "63")), 0, 0)
    assert one(43, b"plain") == Opaque(43, b"plain", 0, 0)
    assert one(55, b"\x79\x03\x06") == Codes(55, (121, 3, 6), 0, 0)
    assert one(56, b"no\nlease") == Text(56, "no\\x0alease", 0, 0)
    assert one(61, b"\xff" + bytes(4) + b"\0\3") == Identifier(61, "ff000000000003", 0, 0)
    assert ignored(61, b"\1") == "length"
    assert one(77, b"\3abc") == Suboptions(77, ((1, "616263"),), 0, 0)
    assert one(77, b"iPXE") == Opaque(77, b"iPXE", 0, 0)
    assert one(81, b"\x05\0\0", name("Host.example")) == ClientFqdn(81, 5, "host.example.", 0, 0)
    assert one(81, b"\x01\0\0host") == ClientFqdn(81, 1, "host", 0, 0)
    assert one(82, b"\1\4eth1\2\2ab") == Suboptions(82, ((1, "65746831"), (2, "6162")), 0, 0)
    assert ignored(82, b"\1\4et") == "suboption-length"
    assert ignored(82, b"\1") == "suboption-header"
    assert one(90, b"\1\2\3", bytes(8), b"k").data == "6b"
    assert one(100, b"CET-1CEST,M3.5.0,M10.5.0/3") == Text(100, "CET-1CEST,M3.5.0,M10.5.0/3", 0, 0)
    assert said(decode4(ack(o4(125, u32(3561), b"\x03\1\1a", u32(9), b"\0"))), 125) == [
        Suboptions(125, ((1, "61"),), 0, 0, 3561),
        Suboptions(125, (), 0, 0, 9),
    ]
    assert one(124, u32(9), b"\3\2ab") == Suboptions(124, ((1, "6162"),), 0, 0, 9)
    assert one(146, b"\xfd", ip("192.0.2.53"), bytes(4), name("corp.example"), b"\0") == RdnssSelection(
        146, ("192.0.2.53",), "high", ("corp.example.", "."), 0, 0
    )
    assert one(146, b"\2", ip("192.0.2.53"), ip("192.0.2.54"), b"\0").preference == "reserved"
    assert ignored(146, b"\1", bytes(8), b"\0") == "not-unicast"
    assert ignored(146, b"\1", ip("192.0.2.53"), bytes(4)) == "length"
    assert one(250, b"what") == Opaque(250, b"what", 0, 0)


# --- where each bound lies -----------------------------------------------------------------------------------------


def test_the_fixed_fields_at_their_bounds() -> None:
    payload = bytearray(ack(htype=37, hlen=16))
    payload[3] = 7
    payload[8:12] = bytes.fromhex("ffff7fff")
    payload[20:28] = ip("192.0.2.5") + ip("192.0.2.6")
    payload[28:44] = bytes(range(16, 32))
    message = decode4(bytes(payload))
    assert (message.hops, message.secs, message.broadcast) == (7, 0xFFFF, False)
    assert (message.siaddr, message.giaddr) == ("192.0.2.5", "192.0.2.6")
    assert message.chaddr == "10:11:12:13:14:15:16:17:18:19:1a:1b:1c:1d:1e:1f"
    assert (message.server_name, message.boot_file) == ("", "")
    # chaddr has 16 octets and sname begins behind it
    assert decode4(ack(sname=b"s" * 64, file=b"f" * 128)).server_name == "s" * 64
    assert decode4(ack(sname=b"s" * 64, file=b"f" * 128)).boot_file == "f" * 128
    for htype, hlen in ((1, 7), (6, 5), (32, 6)):
        with pytest.raises(Malformed) as caught:
            decode4(ack(htype=htype, hlen=hlen))
        assert (caught.value.rule, caught.value.offset) == ("dhcp4-hlen", len(BEFORE4) + 2)


@pytest.mark.covers("evil:E47")
def test_a_note_says_where() -> None:
    whole = ack()
    assert [(note.code, note.offset) for note in decode4(whole[:-1]).notes] == [
        ("dhcp4-no-end", len(BEFORE4) + len(whole) - 1)
    ]
    assert [(note.code, note.offset) for note in decode4(whole + b"\0\0\1").notes] == [
        ("dhcp4-after-end", len(BEFORE4) + len(whole))
    ]
    assert decode4(whole + b"\0\0").notes == ()
    assert said(decode4(whole[:-1] + b"\x50\0"), 80) == [Flag(80, 0, 0)]  # an option that ends with its length
    for pads in range(4):
        assert said(decode4(ack(bytes(pads), ROUTER)), 3) == [Addresses(3, ("192.0.2.1",), 0, 0)]
    # an option may end where its field does, and in file it may not go on into the cookie
    full = decode4(ack(o4(52, b"\x01"), file=b"\0" * 120 + o4(12, b"abcdef"), end=b""))
    assert said(full, 12) == [Text(12, "abcdef", 0, 0)]
    assert [note.offset - len(BEFORE4) for note in full.notes] == [len(whole) + 2, 236]
    full = decode4(ack(o4(52, b"\x02"), sname=b"\0" * 56 + o4(12, b"abcdef")))
    assert said(full, 12) == [Text(12, "abcdef", 0, 0)]
    assert [note.offset - len(BEFORE4) for note in full.notes] == [108]


@pytest.mark.covers("evil:E96", "rfc:V13")
def test_what_stands_where_it_may_not() -> None:
    # RFC 4039 §3: rapid commit is asked in a DISCOVER and granted in an ACK
    for kind, there in ((1, True), (5, True), (2, False), (3, False), (8, False)):
        message = decode4(v4(kind, o4(54, ip("192.0.2.1")), o4(80), o4(12, b"behind")))
        assert said(message, 12) == [Text(12, "behind", 0, 0)]
        (part,) = said(message, 80)
        assert isinstance(part, Ignored) is not there, kind
        assert there or part.reason == "not-here"
    # an address that nobody can have: only where it is given
    for kind, bad in ((2, True), (5, True), (3, False), (6, False)):
        payload = v4(kind, o4(54, ip("192.0.2.1")), yiaddr="127.0.0.1")
        if not bad:
            assert decode4(payload).yiaddr == "127.0.0.1"
            continue
        with pytest.raises(Malformed) as caught:
            decode4(payload)
        assert (caught.value.rule, caught.value.offset) == ("dhcp4-yiaddr", len(BEFORE4) + 16)
    # RFC 8925 §3.3: an OFFER of no address; a lease of 0 s is offered, and not acknowledged
    assert decode4(v4(2, o4(54, ip("192.0.2.1")), o4(51, u32(0)), yiaddr="0.0.0.0")).yiaddr == "0.0.0.0"
    assert said(decode4(v4(2, o4(54, ip("192.0.2.1")), o4(51, u32(0)))), 51) == [Number(51, 0, 0, 0)]


@pytest.mark.covers("evil:E54", "evil:E96")
def test_classes_of_static_routes_and_how_many_there_may_be() -> None:
    via = ip("192.0.2.1")

    def to(*destinations: str) -> list[Any]:
        return said(decode4(ack(hostile_dhcp.long4(33, b"".join(ip(one) + via for one in destinations)))), 33)

    classes = {"1.2.3.4": "1.0.0.0/8", "127.1.1.1": "127.0.0.0/8", "128.1.2.3": "128.1.0.0/16"}
    classes |= {"191.9.9.9": "191.9.0.0/16", "192.1.2.3": "192.1.2.0/24", "223.1.2.3": "223.1.2.0/24"}
    assert to(*classes) == [Routes(33, tuple(Route(one, "192.0.2.1") for one in classes.values()), 0, 0)]
    good, bad = to("0.1.2.3", "10.0.0.0", "224.0.0.1", "11.0.0.0")
    assert good == Routes(33, (Route("10.0.0.0/8", "192.0.2.1"), Route("11.0.0.0/8", "192.0.2.1")), 0, 0)
    assert bad == Ignored(33, "route", ip("0.1.2.3") + via + ip("224.0.0.1") + via, 0, 0)
    assert len(to(*["10.0.0.0"] * dhcp4.ROUTES_MAX)[0].routes) == 256
    assert to(*["10.0.0.0"] * (dhcp4.ROUTES_MAX + 1))[0].reason == "route-count"
    assert ignored(33, ip("10.0.0.0"), via, b"\0") == "length"
    assert ignored(33) == "length"


@pytest.mark.covers("rfc:V16")
def test_the_significant_octets_of_a_route_come_first() -> None:
    for router, via in ((bytes(4), None), (ip("192.0.2.1"), "192.0.2.1")):
        routes = one(121, u8(8), b"\x0a", router, u8(1), b"\xff", router, u8(9), b"\x0a\xff", router, u8(0), router)
        found = [Route(to, via) for to in ("10.0.0.0/8", "128.0.0.0/1", "10.128.0.0/9", "0.0.0.0/0")]
        assert list(routes.routes) == found


@pytest.mark.covers("rfc:V19", "evil:E55")
def test_how_many_names_are_searched_and_what_is_dropped_of_them() -> None:
    whole = name("a.b")
    assert len(one(119, whole * 40).names) == 40
    assert len(said(decode4(ack(hostile_dhcp.long4(119, whole * 64))), 119)[0].names) == 64
    assert said(decode4(ack(hostile_dhcp.long4(119, whole * 65))), 119)[0].reason == "name-count"
    root = Ignored(119, "name-root", b"\0", 0, 0)
    assert said(decode4(ack(o4(119, whole, b"\0", whole, b"\0"))), 119) == [
        Names(119, ("a.b.", "a.b."), 0, 0),
        root,  # told once
    ]
    assert ignored(119, b"\x01") == "name-unterminated"
    assert ignored(119, b"\0\0") == "name-root"


@pytest.mark.covers("evil:E59")
def test_a_clients_name_in_ascii() -> None:
    assert one(81, b"\0\0\0") == ClientFqdn(81, 0, "", 0, 0)
    assert one(81, b"\0\0\0\0") == ClientFqdn(81, 0, "", 0, 0)
    assert one(81, b"\x01\xff\xff!~X\0\0") == ClientFqdn(81, 1, "!~X", 0, 0)
    for octet in (b" ", b"\x7f", b"\x80", b"\n"):
        assert ignored(81, b"\0\0\0a" + octet + b"b") == "host-name"


@pytest.mark.covers("evil:E56")
def test_an_option_without_a_good_resolver_says_its_first_fault() -> None:
    zero, bare = hostile_dhcp.instance(priority=0), hostile_dhcp.instance(svc=b"")
    assert ignored(162, zero, bare) == "dnr-priority-zero"
    assert ignored(162, bare, zero) == "svc-alpn"
    assert ignored(162, zero, b"\0\xff\0") == "dnr-priority-zero"
    assert ignored(162, b"\0\2\0\1") == "dnr-truncated"
    assert ignored(162, b"\0\3\0\1\0") == "dnr-adn-empty"
    assert one(162, hostile_dhcp.instance(priority=0x0102)).priority == 0x0102
    good = hostile_dhcp.instance()
    stray = said(decode4(ack(o4(162, good, b"\0"))), 162)
    assert stray == [hostile_dhcp.GOOD_INSTANCE, Ignored(162, "dnr-truncated", b"\0", 0, 0)]


def test_options_within_options_at_their_bounds() -> None:
    both = one(146, b"\xfe", ip("192.0.2.53"), ip("192.0.2.54"), b"\0")
    assert both == RdnssSelection(146, ("192.0.2.53", "192.0.2.54"), "reserved", (".",), 0, 0)
    assert one(146, b"\xfc", ip("192.0.2.53"), bytes(4), b"\0").preference == "medium"
    assert ignored(146, b"\1", ip("192.0.2.53"), ip("127.0.0.1"), b"\0") == "not-unicast"
    assert one(43, b"\1\1a") == Suboptions(43, ((1, "61"),), 0, 0)
    assert one(43, b"\1\0\2\2bc\xff\3") == Suboptions(43, ((1, ""), (2, "6263")), 0, 0)
    assert one(43, b"\0\1\1a\0") == Suboptions(43, ((1, "61"),), 0, 0)
    assert one(43, b"\1\0") == Suboptions(43, ((1, ""),), 0, 0)
    most = bytes(dhcp4.OPTION_OCTETS_MAX)
    assert said(decode4(ack(hostile_dhcp.long4(43, most))), 43) == [Suboptions(43, (), 0, 0)]
    assert said(decode4(ack(hostile_dhcp.long4(43, most + b"\0"))), 43)[0].reason == "too-long"
    for content in (b"\1\2a", b"\1\1a\2", b"\0\1\2a"):
        assert one(43, content) == Opaque(43, content, 0, 0)
    assert one(124, u32(0x01020304), b"\0") == Suboptions(124, (), 0, 0, 0x01020304)
    assert said(decode4(ack(o4(124, u32(9), b"\2\1a", u32(8), b"\2\1b"))), 124) == [
        Suboptions(124, ((1, "61"),), 0, 0, 9),
        Suboptions(124, ((1, "62"),), 0, 0, 8),
    ]
    for code in (124, 125):
        assert ignored(code, u32(9)) == "length"
        assert ignored(code, u32(9), b"\2\1") == "suboption-length"
        assert ignored(code, u32(9), b"\0", u32(9)) == "suboption-length"


def test_the_pieces_of_each_option_are_those_that_were_joined() -> None:
    file = o4(6, ip("192.0.2.2")) + b"\xff"
    payload = ack(o4(52, b"\x01"), o4(6, ip("192.0.2.1")), file=file)
    frame = BEFORE4 + payload
    pieces = dhcp4.pieces_of(frame, len(BEFORE4), len(frame))
    octets = {code: [frame[at:end] for at, end in spans] for code, spans in pieces.items()}
    assert octets[6] == [ip("192.0.2.1"), ip("192.0.2.2")]
    assert octets[52] == [b"\x01"] and list(octets) == [53, 54, 51, 52, 6]


# --- scapy builds, we read -----------------------------------------------------------------------------------------

hosts = st.integers(0x01000001, 0x7EFFFFFF).map(lambda value: str(IPv4Address(value)))
labels = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
domains = st.lists(labels, min_size=1, max_size=4).map(".".join)

SCAPY_OPTIONS: dict[str, tuple[int, st.SearchStrategy[Any]]] = {
    "router": (3, st.lists(hosts, min_size=1, max_size=8)),
    "name_server": (6, st.lists(hosts, min_size=1, max_size=8)),
    "NTP_server": (42, st.lists(hosts, min_size=1, max_size=8)),
    "hostname": (12, labels.map(str.encode)),
    "domain": (15, domains.map(str.encode)),
    "interface-mtu": (26, st.integers(68, 65535)),
    "renewal_time": (58, st.integers(0, 0xFFFFFFFE)),
    "rebinding_time": (59, st.integers(0, 0xFFFFFFFE)),
    "vendor_class_id": (60, st.from_regex(rb"[!-~]{1,40}", fullmatch=True)),
    "client_id": (61, st.binary(min_size=2, max_size=40)),
    "param_req_list": (55, st.lists(st.integers(1, 254), min_size=1, max_size=60)),
}


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries({}, optional={key: values for key, (_, values) in SCAPY_OPTIONS.items()}),
    st.integers(0, 0xFFFFFFFF),
    hosts,
    st.integers(1, 0xFFFFFFFF),
    st.binary(min_size=6, max_size=6),
    st.randoms(use_true_random=False),
)
def test_what_scapy_builds_is_what_we_read(
    options: dict[str, Any], xid: int, yiaddr: str, lease: int, chaddr: bytes, order: Any
) -> None:
    listed: list[Any] = [("message-type", "ack"), ("server_id", "192.0.2.1"), ("lease_time", lease)]
    for key, value in options.items():
        listed.append((key, *value) if key in ("router", "name_server", "NTP_server") else (key, value))
    order.shuffle(listed)
    packet = BOOTP(op=2, xid=xid, yiaddr=yiaddr, chaddr=chaddr) / DHCP(options=[*listed, "end"])
    message = decode4(bytes(packet))
    assert (message.message, message.xid, message.yiaddr) == ("ACK", xid, yiaddr)
    assert message.chaddr == chaddr.hex(":")
    assert len(message.options) == len(listed)
    assert said(message, 51) == [Number(51, None if lease == 0xFFFFFFFF else lease, 0, 0)]
    for key, value in options.items():
        (part,) = said(message, SCAPY_OPTIONS[key][0])
        match part:
            case Addresses():
                assert list(part.addresses) == value
            case Number():
                assert part.value == value
            case Text():
                assert part.text.encode() == value
            case Identifier():
                assert bytes.fromhex(part.id) == value
            case Codes():
                assert list(part.codes) == value
            case _:
                pytest.fail(f"{key} was read as {part}")


# --- anything at all -----------------------------------------------------------------------------------------------


def total(payload: bytes) -> None:
    """The payload is a message, all in bounds and nothing lost, or it is Malformed by a known rule in bounds."""
    try:
        message = decode4(payload)
    except Malformed as refusal:
        fault = refusal
    else:
        fault = None
    if fault:
        assert fault.rule in RULES
        assert len(BEFORE4) <= fault.offset <= len(BEFORE4) + len(payload)
        return
    for option in message.options:
        assert len(BEFORE4) <= option.at < option.at + option.length <= len(BEFORE4) + len(payload)
        if isinstance(option, Ignored):
            assert option.reason in DHCP_REASONS or option.reason in REASONS


@given(st.binary(max_size=400))
def test_any_octets_are_a_message_or_malformed(octets: bytes) -> None:
    total(octets)
    total(ack(octets, end=b""))
    total(fixed4() + octets)


@given(st.lists(st.tuples(st.sampled_from(sorted(dhcp4.OPTIONS)), st.binary(max_size=40)), max_size=20))
def test_any_content_of_known_options_is_read_or_ignored(options: list[tuple[int, bytes]]) -> None:
    payload = ack(*[o4(code, content) for code, content in options if code != 53])
    message = decode4(payload) if not any(code in (51, 52, 54) for code, _ in options) else None
    total(payload)
    if message is not None:
        assert {option.code for option in message.options} == {53, 54, 51} | {code for code, _ in options if code != 53}


SEEDS = [payload for _, _, payload, _ in hostile_dhcp.DHCP4 if len(payload) < 2000]


@given(st.data())
def test_a_changed_or_cut_message_is_read_or_malformed(data: st.DataObject) -> None:
    payload = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(0, 4))):
        if payload:
            payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    total(bytes(payload[: data.draw(st.integers(0, len(payload)))]))


def test_the_table_is_in_order_and_names_are_words() -> None:
    codes = list(dhcp4.OPTIONS)
    assert all(a < b for a, b in pairwise(codes))
    names = [row[0] for row in dhcp4.OPTIONS.values()]
    assert len(set(names)) == len(names)
