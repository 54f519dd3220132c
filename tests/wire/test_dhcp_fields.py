"""What DHCP options hold, at the bounds of each form: the last that is taken and the first that is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.wire.dhcp import fields
from adapters.wire.dhcp.fields import Raw, Unfit
from events.dhcp import Addresses, Authentication, Ignored, Names, Number, Suboptions, Text
from tests.wire.dhcp_octets import ip, name, u16, u32

AT, LENGTH = 70, 9


def read(reader: Callable[[Raw], Any], data: bytes) -> Any:
    """What the reader says of option 200, which stands somewhere."""
    parts = reader(Raw(200, data, AT, LENGTH))
    assert all((part.code, part.at, part.length) == (200, AT, LENGTH) for part in parts)
    return parts[0] if len(parts) == 1 else parts


def refused(reader: Callable[[Raw], Any], data: bytes) -> str:
    with pytest.raises(Unfit) as unfit:
        reader(Raw(200, data, AT, LENGTH))
    assert str(unfit.value) == unfit.value.reason
    return unfit.value.reason


def test_a_number_has_its_octets_and_its_bounds() -> None:
    bounded = fields.number(2, least=68, most=0x0200)
    assert [read(bounded, u16(value)).value for value in (68, 69, 0x0200)] == [68, 69, 0x0200]
    assert {refused(bounded, u16(value)) for value in (0, 67, 0x0201, 0xFFFF)} == {"value"}
    assert {refused(bounded, bytes(size)) for size in (0, 1, 3)} == {"length"}
    assert [read(fields.number(4), u32(value)).value for value in (0, 0xFFFFFFFF)] == [0, 0xFFFFFFFF]
    assert read(fields.seconds, u32(0xFFFFFFFE)) == Number(200, 0xFFFFFFFE, AT, LENGTH)
    assert read(fields.seconds, u32(0xFFFFFFFF)).value is None
    assert {refused(fields.seconds, bytes(size)) for size in (3, 5)} == {"length"}


def test_an_identifier_has_its_bounds() -> None:
    bounded = fields.identifier(2, 4)
    assert [read(bounded, bytes(size)).id for size in (2, 4)] == ["0000", "00000000"]
    assert {refused(bounded, bytes(size)) for size in (0, 1, 5)} == {"length"}


@pytest.mark.parametrize(
    ("address", "reachable"),
    [
        ("0.0.0.0", False),
        ("0.255.255.255", False),
        ("1.0.0.0", True),
        ("126.255.255.255", True),
        ("127.0.0.0", False),
        ("127.255.255.255", False),
        ("128.0.0.0", True),
        ("223.255.255.255", True),
        ("224.0.0.0", False),
        ("239.255.255.255", False),
        ("240.0.0.0", True),
        ("255.255.255.254", True),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::2", True),
        ("1::", True),
        ("fe80::1", True),
        ("feff::1", True),
        ("ff00::", False),
        ("ff02::1", False),
        ("::ffff:192.0.2.1", False),
        ("::fffe:c000:201", True),
        ("::1:ffff:c000:201", True),
    ],
)
def test_who_can_be_sent_to(address: str, reachable: bool) -> None:
    octets = ip(address)
    assert fields.is_host(octets) is reachable
    if reachable:
        assert read(fields.host(len(octets)), octets) == Addresses(200, (address,), AT, LENGTH)
    else:
        assert refused(fields.host(len(octets)), octets) == "not-unicast"
        assert refused(fields.hosts(len(octets)), octets) == "not-unicast"
    assert read(fields.address(len(octets)), octets).code == 200
    for reader in (fields.host, fields.hosts, fields.address):
        assert refused(reader(len(octets)), octets + b"\1") == "length"


def test_of_several_servers_those_that_cannot_be_reached_go() -> None:
    octets = ip("0.0.0.0") + ip("192.0.2.1") + ip("127.0.0.1") + ip("192.0.2.2")
    assert read(fields.hosts(4), octets) == (
        Addresses(200, ("192.0.2.1", "192.0.2.2"), AT, LENGTH),
        Ignored(200, "not-unicast", ip("0.0.0.0") + ip("127.0.0.1"), AT, LENGTH),
    )
    assert refused(fields.hosts(4), b"") == "length"


def test_text_ends_before_its_nuls_and_is_cut() -> None:
    assert read(fields.message, b"a\0b\0\0") == Text(200, "a\\x00b", AT, LENGTH)
    assert read(fields.message, b" aX\0").text == " aX"
    assert refused(fields.message, b"\0") == "length"
    for size in (1023, 1024):
        assert fields.line(b"x" * size) == "x" * size
    assert fields.line(b"x" * 1024 + b"y") == "x" * 1024 + "…"
    assert fields.plain(b"\x1b\x7f\xc2\x85\xff") == "\\x1b\\x7f\\x85\\xff"
    for reader, taken, reason in (
        (fields.host_name, b"a-1_X.b.", "host-name"),
        (fields.tz_name, b"Etc/GMT+1", "tz-name"),
        (fields.printable, b" ~X", "characters"),
    ):
        assert read(reader, taken + b"\0\0") == Text(200, taken.decode(), AT, LENGTH)
        assert refused(reader, b"\0\0") == "length"
        assert refused(reader, b"a\nb") == reason
        assert refused(reader, b"a\0b") == reason


def test_a_list_of_domain_names_in_one_text() -> None:
    assert read(fields.domain_names, b"a.example  b.example\0").text == "a.example  b.example"
    assert read(fields.domain_names, b" ".join([b"X"] * 64)).text == "X " * 63 + "X"
    assert refused(fields.domain_names, b" ".join([b"X"] * 65)) == "name-count"
    assert refused(fields.domain_names, b"\0") == "length"
    assert refused(fields.domain_names, b"  ") == "host-name"
    assert refused(fields.domain_names, b"a.example /etc") == "host-name"


def test_a_list_of_names() -> None:
    assert read(fields.names, name("a.example") * 64) == Names(200, ("a.example.",) * 64, AT, LENGTH)
    assert refused(fields.names, name("a.example") * 65) == "name-count"
    assert refused(fields.names, b"") == "length"
    assert refused(fields.names, name("a.example") + b"\x01a") == "name-unterminated"
    assert fields.wire_names(b"\xff\xff" + name("b"), 2) == ("b.",)


def test_the_name_of_a_client_is_whole_or_partial() -> None:
    def said(octets: bytes) -> str:
        return fields.partial_name(b"\xff\xfe" + octets, 2)

    def fault(octets: bytes) -> str:
        with pytest.raises(Unfit) as unfit:
            said(octets)
        return unfit.value.reason

    longest = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61  # 254 octets, 255 with the zero
    assert (said(b""), said(name("a.b")), said(b"\x01a\x01b"), said(b"\0")) == ("", "a.b.", "a.b", ".")
    assert len(said(longest)) == len(longest) - 1
    assert fault(longest + b"\x01c") == "name-too-long"
    assert fault(b"\x05ab") == fault(b"\x03ab") == "name-unterminated"
    assert fault(b"\x40") == "name-label"
    assert fault(b"\x01a\x80") == "name-label"
    assert fault(name("a") + b"b") == "name-trailing"


def test_counted_pieces_and_pairs_end_with_their_option() -> None:
    assert fields.pairs(b"\xff\x01\x02ab\x03\0", 1, 1) == ((1, "6162"), (3, ""))
    assert fields.pairs(u16(0x0102) + u16(1) + b"a", 0, 2) == ((0x0102, "61"),)
    assert len(fields.pairs(u16(1) + u16(0x0100) + bytes(0x0100), 0, 2)[0][1]) == 0x0200
    assert fields.pieces(b"\xff\x02ab\0", 1, 1) == ((1, "6162"), (2, ""))
    assert len(fields.pieces(u16(0x0100) + bytes(0x0100), 0, 2)[0][1]) == 0x0200
    for reader, octets, width, reason in (
        (fields.pairs, b"\x01\x02a", 1, "suboption-length"),
        (fields.pairs, b"\x01\x01a\x02", 1, "suboption-header"),
        (fields.pairs, u16(1) + b"\0", 2, "suboption-header"),
        (fields.pieces, b"\x02a", 1, "suboption-length"),
        (fields.pieces, u16(1) + b"a\0", 2, "suboption-header"),
    ):
        with pytest.raises(Unfit, match=reason):
            reader(octets, 0, width)
    assert read(fields.suboptions(1), b"\x01\0") == Suboptions(200, ((1, ""),), AT, LENGTH)
    assert refused(fields.suboptions(1), b"") == "length"


def test_authentication_has_eleven_octets_or_more() -> None:
    octets = bytes(range(11))
    said = Authentication(200, 0, 1, 2, "030405060708090a", "", AT, LENGTH)
    assert read(fields.authentication, octets) == said
    assert read(fields.authentication, octets + b"\xff").data == "ff"
    assert refused(fields.authentication, octets[:-1]) == "length"
    assert refused(fields.flag, b"\0") == "length"
