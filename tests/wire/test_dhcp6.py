"""DHCPv6 messages: what one says is what the event says, option by option, and nothing of it is lost."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_network
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_Reply,
    DHCP6OptClientId,
    DHCP6OptDNSDomains,
    DHCP6OptDNSServers,
    DHCP6OptIA_NA,
    DHCP6OptIA_PD,
    DHCP6OptIAAddress,
    DHCP6OptIAPrefix,
    DHCP6OptPref,
    DHCP6OptServerId,
    DHCP6OptSNTPServers,
    DHCP6OptStatusCode,
)

from adapters.wire.cursor import Malformed
from adapters.wire.dhcp import dhcp6
from adapters.wire.rules import DHCP_REASONS, REASONS, RULES
from events.dhcp import (
    Addresses,
    Authentication,
    ClientFqdn,
    Codes,
    Dhcp6MessageSeen,
    Flag,
    Ia,
    IaAddress,
    IaPrefix,
    Identifier,
    Ignored,
    Names,
    Number,
    Opaque,
    RdnssSelection,
    Relay,
    Resolver,
    Status,
    Suboptions,
    Text,
)
from events.router import ServiceParam
from tests.wire import hostile_dhcp
from tests.wire.dhcp_octets import (
    BEFORE6,
    DUID,
    IDS,
    bare,
    decode6,
    ia_na,
    ia_pd,
    iaaddr,
    iaprefix,
    ip,
    name,
    o6,
    relay,
    reply,
    said,
    u16,
    u32,
    v6,
)


def one(code: int, *content: bytes) -> Any:
    """What a Reply with that one option says under its code; that it says where it stood is looked at here."""
    message = decode6(reply(o6(code, *content)))
    (part,) = [option for option in message.options if option.code == code]
    assert part.at == len(BEFORE6) + 4 + len(IDS)
    assert part.length == 4 + sum(map(len, content))
    return bare(part)


def ignored(code: int, *content: bytes) -> str:
    part = one(code, *content)
    assert isinstance(part, Ignored)
    assert part.data == b"".join(content)
    return part.reason


def test_the_header_and_where_options_stand() -> None:
    payload = reply(ia_na(iaaddr("2001:db8::7", o6(13, u16(0)))))
    message = decode6(payload)
    assert message == Dhcp6MessageSeen(
        link="eth0",
        message="REPLY",
        xid=0x112233,
        source="fe80::1",
        destination="fe80::2",
        mac="02:00:00:00:00:01",
        options=message.options,
    )
    frame = BEFORE6 + payload

    def spans(options: tuple[Any, ...]) -> None:
        for option in options:
            octets = frame[option.at : option.at + option.length]
            assert int.from_bytes(octets[:2], "big") == option.code
            assert int.from_bytes(octets[2:4], "big") == len(octets) - 4
            spans(getattr(option, "options", ()))

    spans(message.options)
    ia = message.options[2]
    assert isinstance(ia, Ia)
    address = ia.options[0]
    assert isinstance(address, IaAddress)
    assert address.options == (Status(13, 0, "", len(BEFORE6) + 4 + 28 + 16 + 28, 6),)


@pytest.mark.parametrize(("value", "word"), sorted(dhcp6.MESSAGES.items()))
def test_every_message_type_has_its_name(value: int, word: str) -> None:
    extra = o6(19, b"\x05") if word == "RECONFIGURE" else b""
    assert decode6(v6(value, IDS, extra)).message == word


def test_the_golden_vectors() -> None:
    message = decode6(
        reply(
            bytes.fromhex(
                "00030028112233440000070800000b400005001820010db8cafe0000000000001234456700000e1000001c20"
                "00190029000000010000070800000b40001a001900000e1000001c203820010db8010000000000000000000000"
                "009000420001001103646e73076578616d706c65036e657400001020010db8000000000000000000000053"
                "00010003026832000700102f646e732d71756572797b3f646e737d"
            )
        )
    )
    address = IaAddress(5, "2001:db8:cafe::1234:4567", 3600, 7200, 0, 0)
    assert said(message, 3) == [Ia(3, 0x11223344, 1800, 2880, 0, 0, (address,))]
    assert said(message, 25) == [Ia(25, 1, 1800, 2880, 0, 0, (IaPrefix(26, "2001:db8:100::/56", 3600, 7200, 0, 0),))]
    params = (
        ServiceParam(1, "026832", "h2"),
        ServiceParam(7, "2f646e732d71756572797b3f646e737d", "/dns-query{?dns}"),
    )
    assert said(message, 144) == [Resolver(144, 1, "dns.example.net.", 0, 0, ("2001:db8::53",), params)]


@pytest.mark.covers("rfc:W04")
def test_unknown_types_go_unknown_options_stay_and_strays_are_ignored() -> None:
    with pytest.raises(Malformed) as caught:
        decode6(v6(200, IDS))
    assert caught.value.rule == "dhcp6-message-type"
    message = decode6(reply(o6(60000, b"abc"), o6(23, ip("2001:db8::53"))))
    assert said(message, 60000) == [Opaque(60000, b"abc", 0, 0)]
    assert said(message, 23) == [Addresses(23, ("2001:db8::53",), 0, 0)]
    # an IA where none may stand: in an Information-request, in another IA; an address outside its IA
    request = decode6(v6(11, o6(1, DUID), ia_na(), o6(6, u16(23))))
    assert [(part.code, part.reason) for part in said(request, 3)] == [(3, "not-here")]
    assert said(request, 6) == [Codes(6, (23,), 0, 0)]
    (outer,) = said(decode6(reply(ia_na(ia_na()))), 3)
    assert [part.reason for part in outer.options] == ["not-here"]
    assert ignored(5, ip("2001:db8::7"), u32(60), u32(60)) == "not-here"
    assert ignored(9, v6(1)) == "not-here"


@pytest.mark.covers("rfc:W05")
def test_timers_in_the_wrong_order_cost_their_ia_only() -> None:
    message = decode6(reply(ia_na(t1=2880, t2=1800), ia_pd(iaprefix("2001:db8:1::", 48)), o6(23, ip("2001:db8::53"))))
    assert [type(part) for part in said(message, 3)] == [Ignored]
    assert [type(part) for part in said(message, 25)] == [Ia]
    assert [type(part) for part in said(message, 23)] == [Addresses]
    assert said(decode6(reply(ia_na(t1=1800, t2=0))), 3) == [Ia(3, 1, 1800, 0, 0, 0)]


@pytest.mark.covers("rfc:W06")
def test_preferred_comes_before_valid() -> None:
    (ia,) = said(decode6(reply(ia_na(iaaddr("2001:db8::7", preferred=3600, valid=7200)))), 3)
    assert ia.options == (IaAddress(5, "2001:db8::7", 3600, 7200, 0, 0),)
    mixed = ia_pd(iaprefix("2001:db8:1::", 48, preferred=7200, valid=3600), iaprefix("2001:db8:2::", 48))
    (ia,) = said(decode6(reply(mixed)), 25)
    assert ia.options[0].reason == "preferred-after-valid"
    assert ia.options[1] == IaPrefix(26, "2001:db8:2::/48", 3600, 7200, 0, 0)


@pytest.mark.covers("rfc:W14")
def test_the_first_of_a_single_option_counts_and_none_is_joined() -> None:
    message = decode6(reply(o6(23, ip("2001:db8::1")), o6(24, name("a.example")), o6(23, ip("2001:db8::2"))))
    first, second = said(message, 23)
    assert first == Addresses(23, ("2001:db8::1",), 0, 0)
    assert (second.reason, second.data) == ("duplicate", ip("2001:db8::2"))
    # halves are not put together as DHCPv4 would
    halves = decode6(reply(o6(23, ip("2001:db8::1")[:8]), o6(23, ip("2001:db8::1")[8:])))
    assert [part.reason for part in said(halves, 23)] == ["length", "duplicate"]
    # those that may repeat do
    selection = o6(74, ip("2001:db8::53"), b"\0", b"\0")
    repeated = decode6(reply(ia_na(), ia_na(iaid=2), o6(17, u32(9)), o6(17, u32(8)), selection, selection))
    for code in (3, 17, 74):
        assert [type(part) is Ignored for part in said(repeated, code)] == [False, False]
    # within an IA as well
    (ia,) = said(decode6(reply(ia_na(o6(13, u16(0)), o6(13, u16(2)), iaaddr("2001:db8::1"), iaaddr("2001:db8::2")))), 3)
    assert ia.options[0] == Status(13, 0, "", 0, 0)
    assert ia.options[1].reason == "duplicate"
    assert [part.address for part in ia.options[2:]] == ["2001:db8::1", "2001:db8::2"]


@pytest.mark.covers("evil:E62")
def test_rapid_commit_is_there_or_not_even_as_the_last_option() -> None:
    assert said(decode6(reply(o6(14))), 14) == [Flag(14, 0, 0)]
    assert said(decode6(reply()), 14) == []
    assert ignored(14, b"\0") == "length"


@pytest.mark.covers("rfc:W29")
def test_iaids_are_reported_by_kind_and_duids_are_octets() -> None:
    message = decode6(reply(ia_na(iaid=1), ia_pd(iaid=1), o6(4, u32(1))))
    assert [(part.code, part.iaid) for part in message.options if isinstance(part, Ia)] == [(3, 1), (25, 1), (4, 1)]
    odd = b"\0\x09" + bytes(range(128))
    assert said(decode6(v6(1, o6(1, odd))), 1) == [Identifier(1, odd.hex(), 0, 0)]


def test_an_excluded_prefix_lies_inside_the_delegated_one() -> None:
    # RFC 6603 §4.2: 2001:db8:0:100::/56 without 2001:db8:0:17f::/64 and without 2001:db8:0:180::/57
    (ia,) = said(decode6(reply(ia_pd(iaprefix("2001:db8:0:100::", 56, o6(67, b"\x40\x7f"))))), 25)
    assert ia.options == (IaPrefix(26, "2001:db8:0:100::/56", 3600, 7200, 0, 0, excluded="2001:db8:0:17f::/64"),)
    (ia,) = said(decode6(reply(ia_pd(iaprefix("2001:db8:0:100::", 56, o6(67, b"\x39\xff"))))), 25)
    assert ia.options[0].excluded == "2001:db8:0:180::/57"
    # a delegated length within an octet: the bits begin at a full one
    (ia,) = said(decode6(reply(ia_pd(iaprefix("2001:db8:0:4::", 62, o6(67, b"\x40\x80"))))), 25)
    assert ia.options[0].excluded == "2001:db8:0:6::/64"


def test_relays_are_peeled_outermost_first() -> None:
    inner = v6(1, o6(1, DUID), ia_na(t1=0, t2=0))
    middle = relay(12, o6(18, b"eth1"), o6(9, inner), hops=0)
    message = decode6(relay(12, o6(37, u32(9), b"port"), o6(9, middle), o6(9, b"again"), hops=1))
    assert message.message == "SOLICIT"
    assert [option.code for option in message.options] == [1, 3]
    outer, within = message.relays
    assert (outer.message, outer.hop_count, outer.link_address, outer.peer_address) == (
        "RELAY-FORW",
        1,
        "2001:db8:a::1",
        "fe80::2",
    )
    assert [bare(option) for option in outer.options] == [
        Suboptions(37, ((0, b"port".hex()),), 0, 0, 9),
        Ignored(9, "duplicate", b"again", 0, 0),
    ]
    assert isinstance(within, Relay)
    assert [bare(option) for option in within.options] == [Identifier(18, b"eth1".hex(), 0, 0)]
    assert decode6(inner).relays == ()


def test_options_nested_without_end_cost_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    # No option of ours nests that deep; the bound is for the one that a newcomer adds.
    def again(raw: Any) -> Any:
        return raw.inside(0, "again")

    monkeypatch.setattr(dhcp6, "OPTIONS", {**dhcp6.OPTIONS, 60001: ("again", again)})

    def deep(levels: int) -> bytes:
        content = b""
        for _ in range(levels):
            content = o6(60001, content)
        return content

    assert decode6(reply(deep(3))).message == "REPLY"
    with pytest.raises(Malformed) as caught:
        decode6(reply(deep(4)))
    assert caught.value.rule == "dhcp6-option-nesting"


@pytest.mark.covers("rfc:F20", "rfc:F21", "rfc:F22")
def test_144_is_kept_or_ignored_whole() -> None:
    body = u16(17) + name("dns.example.net")
    assert one(144, u16(5), body) == Resolver(144, 5, "dns.example.net.", 0, 0)
    assert ignored(144, u16(0), body) == "dnr-priority-zero"
    assert ignored(144, u16(1), u16(1), b"\0") == "dnr-adn-root"
    assert ignored(144, u16(1), body, u16(16), ip("2001:db8::53")) == "svc-alpn"


@pytest.mark.covers("rfc:F15")
def test_a_portal_is_a_uri() -> None:
    long = b"https://portal.example/" + b"x" * 300
    assert one(103, long) == Text(103, long.decode(), 0, 0)
    assert ignored(103, b"http://[::1") == "uri-syntax"
    assert ignored(103, b"") == "uri-empty"


def test_the_other_options_by_one_example_each() -> None:
    assert said(decode6(v6(2, IDS, o6(7, b"\xff"))), 7) == [Number(7, 255, 0, 0)]
    assert said(decode6(v6(1, o6(1, DUID), o6(8, u16(0xFFFF)))), 8) == [Number(8, 0xFFFF, 0, 0)]
    assert one(11, b"\x03\1\0", bytes(8), b"\1k") == Authentication(11, 3, 1, 0, "00" * 8, "016b", 0, 0)
    assert ignored(11, bytes(10)) == "length"
    assert one(12, ip("2001:db8::2")) == Addresses(12, ("2001:db8::2",), 0, 0)
    assert one(15, u16(3), b"abc") == Suboptions(15, ((1, "616263"),), 0, 0)
    assert one(16, u32(9), u16(1), b"a", u16(1), b"b") == Suboptions(16, ((1, "61"), (2, "62")), 0, 0, 9)
    assert one(17, u32(9), u16(5), u16(1), b"a") == Suboptions(17, ((5, "61"),), 0, 0, 9)
    assert ignored(17, u32(9), u16(5), u16(2), b"a") == "suboption-length"
    assert one(20) == Flag(20, 0, 0)
    assert said(decode6(reply(o6(23, ip("::1"), ip("2001:db8::53"), ip("fe80::53")))), 23) == [
        Addresses(23, ("2001:db8::53", "fe80::53"), 0, 0),
        Ignored(23, "not-unicast", ip("::1"), 0, 0),
    ]
    assert ignored(23, ip("ff02::1")) == "not-unicast"
    assert one(24, name("A.example"), name("b.example")) == Names(24, ("a.example.", "b.example."), 0, 0)
    assert one(32, u32(0xFFFFFFFF)) == Number(32, None, 0, 0)
    assert one(39, b"\1", name("host.example")) == ClientFqdn(39, 1, "host.example.", 0, 0)
    assert one(39, b"\0\x04host") == ClientFqdn(39, 0, "host", 0, 0)
    assert one(42, b"Europe/Berlin") == Text(42, "Europe/Berlin", 0, 0)
    assert ignored(42, b"../x") == "tz-name"
    ntp = u16(1) + u16(16) + ip("2001:db8::123")
    assert one(56, ntp) == Suboptions(56, ((1, ip("2001:db8::123").hex()),), 0, 0)
    assert ignored(56, u16(1), u16(16), ip("ff05::101")) == "ntp-address"
    assert ignored(56, u16(2), u16(16), ip("2001:db8::123")) == "ntp-group"
    assert ignored(56, u16(3), u16(2), b"\0\0") == "ntp-name"
    assert one(64, name("aftr.example")) == Names(64, ("aftr.example.",), 0, 0)
    assert ignored(64, name("a.example"), name("b.example")) == "name-count"
    assert one(74, ip("2001:db8::53"), b"\xfd", name("corp.example")) == RdnssSelection(
        74, ("2001:db8::53",), "high", ("corp.example.",), 0, 0
    )
    assert one(74, ip("2001:db8::53"), b"\3", b"\0").preference == "low"
    assert ignored(74, ip("2001:db8::53"), b"\0") == "length"
    assert one(82, u32(7200)) == Number(82, 7200, 0, 0)


# --- where each bound lies -----------------------------------------------------------------------------------------


def test_timers_and_lifetimes_at_their_bounds() -> None:
    assert said(decode6(reply(ia_na(t1=2, t2=2))), 3) == [Ia(3, 1, 2, 2, 0, 0)]
    assert one(3, u32(1), u32(2), u32(1)).reason == "t1-after-t2"
    (ia,) = said(decode6(reply(ia_na(iaaddr("2001:db8::7", preferred=9, valid=9)))), 3)
    assert ia.options == (IaAddress(5, "2001:db8::7", 9, 9, 0, 0),)
    forever = iaaddr("2001:db8::7", preferred=0xFFFFFFFF, valid=0xFFFFFFFF)
    (ia,) = said(decode6(reply(ia_na(forever))), 3)
    assert ia.options == (IaAddress(5, "2001:db8::7", None, None, 0, 0),)


def test_a_temporary_association_has_no_timers() -> None:
    """RFC 8415 §21.5; what stands in it is told with its place in the frame."""
    message = decode6(reply(o6(4, u32(0x01020304), iaaddr("2001:db8::7"), iaprefix("2001:db8::", 64))))
    (ia,) = [option for option in message.options if isinstance(option, Ia)]
    start = len(BEFORE6) + 4 + len(IDS)
    address = IaAddress(5, "2001:db8::7", 3600, 7200, start + 8, 28)
    assert ia.options[0] == address
    assert bare(ia.options[1]).reason == "not-here"
    assert (ia.code, ia.iaid, ia.t1_s, ia.t2_s, ia.at, ia.length) == (4, 0x01020304, 0, 0, start, 8 + 28 + 29)
    assert ignored(4, bytes(3)) == "length"
    assert one(4, u32(5)) == Ia(4, 5, 0, 0, 0, 0)


def test_prefixes_at_their_bounds() -> None:
    def delegated(*content: bytes, kind: int = 7) -> Any:
        (ia,) = said(decode6(v6(kind, IDS, ia_pd(*content))), 25)
        (prefix,) = ia.options
        return prefix

    assert delegated(iaprefix("2001:db8::1", 128)) == IaPrefix(26, "2001:db8::1/128", 3600, 7200, 0, 0)
    assert delegated(iaprefix("8000::", 1)) == IaPrefix(26, "8000::/1", 3600, 7200, 0, 0)
    assert delegated(iaprefix("fe00::", 8)).prefix == "fe00::/8"
    assert delegated(iaprefix("feff::", 16)).prefix == "feff::/16"
    assert delegated(iaprefix("fdbf::", 16)).prefix == "fdbf::/16"
    assert delegated(iaprefix("febf::", 16)).reason == "not-unicast"
    (ia,) = [one for one in decode6(reply(ia_pd(iaprefix("2001:db8::", 48)))).options if isinstance(one, Ia)]
    start = len(BEFORE6) + 4 + len(IDS)
    assert ia.options == (IaPrefix(26, "2001:db8::/48", 3600, 7200, start + 16, 29),)
    # a client may wish for anything
    assert delegated(iaprefix("2001:db8::", 0), kind=1) == IaPrefix(26, "::/0", 3600, 7200, 0, 0)
    assert delegated(iaprefix("ff00::", 8), kind=1).prefix == "ff00::/8"
    # what else stands in it stays in it
    inside = delegated(iaprefix("2001:db8::", 48, o6(13, u16(6)), o6(60000, b"\x40\0"), o6(67, b"\x40\0\x01")))
    assert inside.excluded == "2001:db8:0:1::/64"
    assert inside.options == (Status(13, 6, "", 0, 0), Opaque(60000, b"\x40\0", 0, 0))


@pytest.mark.covers("evil:E65")
def test_an_excluded_prefix_has_just_the_octets_it_needs() -> None:
    def excluded(prefix: str, width: int, content: bytes, kind: int = 7) -> Any:
        message = decode6(v6(kind, IDS, ia_pd(iaprefix(prefix, width, o6(67, content)))))
        (ia,) = [option for option in message.options if isinstance(option, Ia)]
        (found,) = ia.options
        assert isinstance(found, IaPrefix)
        if found.excluded is None:
            (fault,) = found.options
            assert isinstance(fault, Ignored)
            at = len(BEFORE6) + 4 + len(IDS) + 16 + 29
            assert (fault.at, fault.length, fault.data) == (at, 4 + len(content), content)
            return fault.reason
        return found.excluded

    assert excluded("2001:db8::", 56, b"\x40\x01") == "2001:db8:0:1::/64"
    assert excluded("2001:db8::", 56, b"\x41\x01\xff") == "2001:db8:0:1:8000::/65"
    assert excluded("2001:db8::", 56, b"\x41\x01") == "prefix-length"
    assert excluded("2001:db8::", 120, b"\x80\x07") == "2001:db8::7/128"
    assert excluded("2001:db8::", 127, b"\x80\x80") == "2001:db8::1/128"
    assert excluded("2001:db8::", 120, b"\x78\x07") == "prefix-length"
    assert excluded("2001:db8::", 120, b"\x81\x07\x07") == "prefix-length"
    assert excluded("::", 0, b"\x80" + ip("2001:db8::7"), kind=1) == "2001:db8::7/128"
    assert excluded("::", 0, b"\x80" + bytes(17), kind=1) == "length"
    assert excluded("2001:db8::", 56, b"\x40") == "length"


def test_numbers_of_two_octets_and_the_shortest_of_each_option() -> None:
    assert one(61, u16(0x0102), u16(7)) == Codes(61, (0x0102, 7), 0, 0)
    assert ignored(61, b"\0\1\0") == "length"
    assert one(13, u16(0x0102)) == Status(13, 0x0102, "", 0, 0)
    assert one(13, u16(0), b"ab") == Status(13, 0, "ab", 0, 0)
    for kind in (5, 6, 11):
        assert said(decode6(v6(10, IDS, o6(19, bytes((kind,))))), 19) == [Number(19, kind, 0, 0)]
    assert ignored(15) == "length"
    assert one(15, u16(0x0100), bytes(0x0100)) == Suboptions(15, ((1, "00" * 0x0100),), 0, 0)
    for code in (16, 17):
        assert one(code, u32(0x01020304)) == Suboptions(code, (), 0, 0, 0x01020304)
        assert ignored(code, bytes(3)) == "length"
    relayed = decode6(relay(12, o6(37, u32(0x01020304), b"\xff"), o6(9, v6(1)))).relays[0].options
    assert relayed == (Suboptions(37, ((0, "ff"),), len(BEFORE6) + 34, 9, 0x01020304),)
    (short,) = decode6(relay(12, o6(37, u32(9)), o6(9, v6(1)))).relays[0].options
    assert isinstance(short, Ignored) and short.reason == "length"
    assert one(39, b"\4") == ClientFqdn(39, 4, "", 0, 0)
    assert ignored(39) == "length"
    assert one(74, ip("2001:db8::53"), b"\xfc", b"\0") == RdnssSelection(74, ("2001:db8::53",), "medium", (".",), 0, 0)
    assert ignored(74, ip("ff02::fb"), b"\0\0") == "not-unicast"
    assert ignored(64) == "length"
    assert ignored(144, u16(1), u16(0)) == "dnr-adn-empty"
    assert one(144, u16(0x0102), u16(3), b"\x01a\0").priority == 0x0102


def test_where_the_time_is() -> None:
    """RFC 5908 §4: an address, a group, a name; the good ones of each, and what is nearly one."""
    host, group, aname = ip("2001:db8::123"), ip("ff05::101"), name("ntp.example")
    content = b"".join(u16(code) + u16(len(octets)) + octets for code, octets in ((1, host), (2, group), (3, aname)))
    assert one(56, content) == Suboptions(56, ((1, host.hex()), (2, group.hex()), (3, aname.hex())), 0, 0)
    assert one(56, u16(9), u16(1), b"x") == Suboptions(56, ((9, "78"),), 0, 0)
    for code, octets, reason in (
        (1, host[:15], "ntp-address"),
        (1, host + b"\0", "ntp-address"),
        (2, group[:15], "ntp-group"),
        (2, b"\xfe" + group[1:], "ntp-group"),
        (3, b"\0", "ntp-name"),
        (3, aname + b"\0", "ntp-name"),
        (3, b"\x40", "name-label"),
    ):
        assert ignored(56, u16(code), u16(len(octets)), octets) == reason
    assert ignored(56) == "length"


def malformed(payload: bytes, destination: str = "fe80::2") -> tuple[str, int]:
    with pytest.raises(Malformed) as caught:
        decode6(payload, destination=destination)
    return caught.value.rule, caught.value.offset - len(BEFORE6)


@pytest.mark.covers("evil:E66", "evil:E71", "evil:E100")
def test_what_a_message_must_have_and_where_it_lacks() -> None:
    assert malformed(v6(2, o6(1, DUID))) == ("dhcp6-no-server-id", 4)
    assert malformed(v6(2, o6(2, DUID))) == ("dhcp6-no-client-id", 4)
    assert malformed(v6(10, o6(2, DUID), o6(19, b"\5"))) == ("dhcp6-no-client-id", 4)
    assert decode6(v6(7, o6(2, DUID))).message == "REPLY"  # RFC 8415 §18.3.5: to who did not say who it is
    assert decode6(v6(1)).options == ()
    assert malformed(v6(10, IDS)) == ("dhcp6-reconfigure-message", 4)
    # another option's number is not the kind of message, whatever its place
    assert malformed(v6(10, IDS, o6(32, u32(5)), o6(8, u16(5)))) == ("dhcp6-reconfigure-message", 4)
    reconfigure = v6(10, IDS, o6(19, b"\5"))
    assert malformed(reconfigure, "ff02::1:2") == ("dhcp6-reconfigure-multicast", 0)
    carried = relay(13, o6(9, reconfigure))
    assert decode6(carried, destination="ff05::1:3").message == "RECONFIGURE"
    assert malformed(relay(12)) == ("dhcp6-relay-no-message", 34)
    assert malformed(relay(12, o6(9, relay(13, o6(9, v6(1)))))) == ("dhcp6-relay-direction", 38)
    assert malformed(relay(13, o6(9, relay(13, o6(9, relay(12, o6(9, v6(1)))))))) == ("dhcp6-relay-direction", 76)
    assert malformed(b"") == ("dhcp6-too-short", 0)
    with pytest.raises(Malformed):  # and nothing need stand behind it
        dhcp6.decode(b"\0", 1, 1, link="eth0", source="fe80::1", destination="fe80::2", mac="", notes=())
    assert malformed(relay(12, o6(9, b"\7\0\0"))) == ("dhcp6-too-short", 41)


# --- scapy builds, we read -----------------------------------------------------------------------------------------

global6 = st.integers(0, 2**64 - 1).map(lambda low: str(IPv6Address((0x20010DB8 << 96) | low)))
labels = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
domains = st.lists(labels, min_size=1, max_size=4).map(lambda words: ".".join(words) + ".")
u32s = st.integers(0, 2**32 - 1)
lifetimes = st.tuples(u32s, u32s).map(sorted)  # preferred and valid, T1 and T2: in this order they are right
infinite = {2**32 - 1: None}

delegated6 = st.tuples(global6, st.integers(3, 128), lifetimes)  # shorter than /3 the network is ::, which is refused


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 2**24 - 1),
    st.lists(st.tuples(u32s, lifetimes, st.lists(st.tuples(global6, lifetimes), max_size=3)), max_size=3),
    # from /3 on, the network of a global address is not ::
    st.lists(
        st.tuples(u32s, lifetimes, st.lists(st.tuples(global6, st.integers(3, 128), lifetimes), max_size=3)), max_size=2
    ),
    st.lists(global6, min_size=1, max_size=5),
    st.lists(domains, min_size=1, max_size=5),
    st.text(max_size=30).filter(lambda text: text.isprintable()),
)
def test_what_scapy_builds_is_what_we_read(
    xid: int, nas: list[Any], pds: list[Any], servers: list[str], search: list[str], words: str
) -> None:
    duid = DUID_LL(lladdr="02:00:00:00:00:01")
    packet = DHCP6_Reply(trid=xid) / DHCP6OptClientId(duid=duid) / DHCP6OptServerId(duid=duid)
    for iaid, (t1, t2), held in nas:
        inside = [DHCP6OptIAAddress(addr=addr, preflft=life[0], validlft=life[1]) for addr, life in held]
        packet /= DHCP6OptIA_NA(iaid=iaid, T1=t1, T2=t2, ianaopts=inside)
    for iaid, (t1, t2), held in pds:
        inside = [DHCP6OptIAPrefix(prefix=p, plen=n, preflft=life[0], validlft=life[1]) for p, n, life in held]
        packet /= DHCP6OptIA_PD(iaid=iaid, T1=t1, T2=t2, iapdopt=inside)
    packet /= DHCP6OptDNSServers(dnsservers=servers) / DHCP6OptDNSDomains(dnsdomains=search)
    packet /= DHCP6OptSNTPServers(sntpservers=servers) / DHCP6OptStatusCode(statuscode=1, statusmsg=words.encode())
    packet /= DHCP6OptPref(prefval=7)
    message = decode6(bytes(packet))

    def life(value: int) -> int | None:
        return infinite.get(value, value)

    assert (message.message, message.xid) == ("REPLY", xid)
    assert said(message, 1) == [Identifier(1, "00030001020000000001", 0, 0)]
    assert said(message, 3) == [
        Ia(
            3,
            iaid,
            life(t1),
            life(t2),
            0,
            0,
            tuple(IaAddress(5, addr, life(preferred), life(valid), 0, 0) for addr, (preferred, valid) in held),
        )
        for iaid, (t1, t2), held in nas
    ]
    assert said(message, 25) == [
        Ia(
            25,
            iaid,
            life(t1),
            life(t2),
            0,
            0,
            tuple(
                IaPrefix(26, str(ip_network((prefix, plen), strict=False)), life(preferred), life(valid), 0, 0)
                for prefix, plen, (preferred, valid) in held
            ),
        )
        for iaid, (t1, t2), held in pds
    ]
    assert said(message, 23) == [Addresses(23, tuple(servers), 0, 0)]
    assert said(message, 24) == [Names(24, tuple(search), 0, 0)]
    assert said(message, 31) == [Addresses(31, tuple(servers), 0, 0)]
    assert said(message, 13) == [Status(13, 1, words, 0, 0)]
    assert [part.reason for part in said(message, 7)] == ["not-here"]  # only an Advertise has a preference


# --- anything at all -----------------------------------------------------------------------------------------------


def within(options: tuple[Any, ...], start: int, end: int) -> None:
    for option in options:
        assert start <= option.at < option.at + option.length <= end
        if isinstance(option, Ignored):
            assert option.reason in DHCP_REASONS or option.reason in REASONS
        within(getattr(option, "options", ()), option.at + 4, option.at + option.length)


def total(payload: bytes) -> None:
    """The payload is a message, all in bounds, or it is Malformed by a known rule in bounds."""
    end = len(BEFORE6) + len(payload)
    try:
        message = decode6(payload)
    except Malformed as refusal:
        fault = refusal
    else:
        fault = None
    if fault:
        assert fault.rule in RULES
        assert len(BEFORE6) <= fault.offset <= end
        return
    within(message.options, len(BEFORE6), end)
    for one_relay in message.relays:
        within(one_relay.options, len(BEFORE6), end)


@given(st.binary(max_size=300), st.integers(0, 14))
def test_any_octets_are_a_message_or_malformed(octets: bytes, kind: int) -> None:
    total(octets)
    total(v6(kind, octets))
    total(reply(octets))
    total(relay(12, octets))
    total(reply(ia_na(octets)))


@given(st.lists(st.tuples(st.sampled_from(sorted(dhcp6.OPTIONS)), st.binary(max_size=60)), max_size=20))
def test_any_content_of_known_options_is_read_or_ignored(options: list[tuple[int, bytes]]) -> None:
    message = decode6(reply(*[o6(code, content) for code, content in options]))
    assert [option.code for option in message.options] == [1, 2] + [code for code, _ in options]
    total(reply(ia_pd(*[o6(code, content) for code, content in options])))


SEEDS = [payload for _, _, payload, _ in hostile_dhcp.DHCP6 if len(payload) < 2000]


@given(st.data())
def test_a_changed_or_cut_message_is_read_or_malformed(data: st.DataObject) -> None:
    payload = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(0, 4))):
        if payload:
            payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    total(bytes(payload[: data.draw(st.integers(0, len(payload)))]))


def test_the_table_is_in_order_and_every_place_is_in_it() -> None:
    codes = list(dhcp6.OPTIONS)
    assert all(a < b for a, b in pairwise(codes))
    names = [row[0] for row in dhcp6.OPTIONS.values()]
    assert len(set(names)) == len(names)
    assert set(dhcp6.PLACES) <= {*codes, dhcp6.RELAY_MESSAGE}
    assert set(codes) >= dhcp6.REPEATABLE
