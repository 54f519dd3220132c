"""The PvD option 21 (RFC 8801 §3.1): golden vectors, what is ignored in it, and what its breakage costs."""

import pytest

from adapters.ingest import translate
from adapters.wire.cursor import Malformed
from adapters.wire.neighbor.pvd_option import pvd_option
from events.frames import FrameRejected
from events.router import (
    IgnoredOption,
    Mtu,
    PrefixInformation,
    PvdOption,
    RaHeader,
    Rdnss,
    RouterAdvertised,
)
from tests.wire.packets import (
    A9_PVD_H,
    A9_PVD_R,
    A9_PVD_R_ALONE,
    SLLA,
    header,
    mtu,
    name,
    option,
    pio,
    pvd,
    ra,
    rdnss,
)

RESOLVER = Rdnss(("2001:db8:f00d::53",), 600, 24)
PREFIX = PrefixInformation("2001:db8:f00d::/64", 86400, 14400, on_link=True, autonomous=True)


def read(*octets: bytes) -> RouterAdvertised:
    (event,) = translate(ra(*octets))
    assert isinstance(event, RouterAdvertised), event
    return event


def only(octets: bytes) -> PvdOption:
    (found,) = read(octets).options
    assert isinstance(found, PvdOption), found
    return found


def rule(*octets: bytes) -> str:
    (event,) = translate(ra(*octets))
    assert isinstance(event, FrameRejected), event
    return event.rule


def test_golden_h_delay_sequence_and_two_resolvers() -> None:
    assert only(A9_PVD_H) == PvdOption(
        name="example.org.",
        http=True,
        legacy=False,
        delay=1,
        sequence=123,
        options=(Rdnss(("2001:db8:cafe::53", "2001:db8:f00d::53"), 600, 40), PREFIX),
        length=96,
        nested_at=24,
        header=None,
        flags=0x8001,
        name_as_sent="example.org.",
    )


@pytest.mark.covers("rfc:P03", "rfc:P04")
def test_golden_embedded_header() -> None:
    assert only(A9_PVD_R) == PvdOption(
        name="bar.example.org.",
        http=False,
        legacy=False,
        delay=0,
        sequence=0,
        options=(PREFIX, RESOLVER),
        length=96,
        nested_at=40,
        header=RaHeader(1600),
        flags=0x2000,
        name_as_sent="bar.example.org.",
    )
    alone = only(A9_PVD_R_ALONE)
    assert (alone.name, alone.header, alone.options, alone.nested_at) == ("foo.example.org.", RaHeader(0), (), 40)
    outer = read(A9_PVD_R)
    assert outer.header == RaHeader(1800, hop_limit=64)  # both are kept; which one wins is decided elsewhere


@pytest.mark.covers("rfc:P08", "rfc:P09", "rfc:P28")
def test_reserved_bits_and_padding_change_nothing_but_the_raw_flags() -> None:
    plain = only(pvd(name("x.example"), mtu(1500), flags=0xC00A, sequence=9))
    noisy = only(pvd(name("x.example"), mtu(1500), flags=0xC00A | 0x1FF0, sequence=9, pad=0xFF))
    assert (plain.http, plain.legacy, plain.delay, plain.header) == (True, True, 10, None)
    assert noisy.flags == 0xDFFA
    assert (noisy.http, noisy.legacy, noisy.delay, noisy.header) == (True, True, 10, None)
    assert noisy.options == plain.options == (Mtu(1500),)


@pytest.mark.covers("rfc:P10", "rfc:P11")
def test_the_inner_header_is_read_but_its_first_four_octets_are_not() -> None:
    inner = header(600, 0x10, 0, 5, 6)
    expected = RaHeader(600, "reserved", hop_limit=0, reachable_ms=5, retrans_ms=6, flags=0x10)
    for start in (inner[:4], b"\0\x09\xbe\xef", b"\xff\xff\xff\xff"):
        found = only(pvd(name("x.example"), flags=0x2000, inner=start + inner[4:]))
        assert found.header == expected


@pytest.mark.covers("rfc:P12")
def test_the_id_is_compared_without_case_and_shown_as_sent() -> None:
    found = only(pvd(name("PvD.Example.coM")))
    assert (found.name, found.name_as_sent) == ("pvd.example.com.", "PvD.Example.coM.")


@pytest.mark.covers("rfc:P05")
def test_the_first_option_counts() -> None:
    second = pvd(name("y.example"), pio("2001:db8::"))
    first, other = read(pvd(name("x.example")), second).options
    assert isinstance(first, PvdOption)
    assert first.name == "x.example."
    assert other == IgnoredOption(21, "duplicate-pvd", second, len(second))


@pytest.mark.covers("rfc:P06")
def test_the_first_option_counts_even_malformed() -> None:
    assert rule(pvd(b"\0"), pvd(name("y.example"))) == "pvd-name-root"
    assert rule(mtu(1500), SLLA, pvd(b"\xc0\x08")) == "pvd-name-compressed"


@pytest.mark.covers("rfc:P07")
def test_a_pvd_inside_a_pvd_is_not_looked_into() -> None:
    inside = pvd(b"\xc0\x00", b"\xff\0" + bytes(6))  # broken through and through
    found = only(pvd(name("x.example"), inside, mtu(1500)))
    assert found.options == (IgnoredOption(21, "nested-pvd", inside, len(inside)), Mtu(1500))


@pytest.mark.covers("rfc:P23")
def test_nested_options_are_ignored_one_by_one() -> None:
    wrong = pio("2001:db8::", valid=1, preferred=2)
    found = only(pvd(name("x.example"), wrong, rdnss("2001:db8:f00d::53")))
    assert found.options == (IgnoredOption(3, "prefix-lifetimes", wrong, 32), RESOLVER)


@pytest.mark.covers("rfc:P24", "rfc:P25")
def test_broken_structure_rejects_the_whole_ra_and_says_where() -> None:
    good = pio("2001:db8::")
    assert rule(good, pvd(name("x.example"), b"\x05\0" + bytes(6))) == "pvd-option-length-zero"
    assert rule(good, pvd(name("x.example"), b"\x05\x02" + bytes(6)), good) == "pvd-option-overrun"
    assert rule(good, pvd(b"\x03abc\xc0\x00")) == "pvd-name-compressed"
    (event,) = translate(ra(good, pvd(name("x.example"), mtu(1500), b"\x05\0" + bytes(6))))
    assert isinstance(event, FrameRejected)
    assert event.offset == 14 + 40 + 16 + 32 + 24 + 8 + 1  # the length octet itself
    assert (event.protocol, event.source, event.link) == ("ra", "fe80::1", "if0")


@pytest.mark.covers("evil:E32")
def test_the_embedded_header_must_fit() -> None:
    for left in (0, 8):
        assert rule(pvd(name("x.example"), bytes(left), flags=0x2000)) == "pvd-header-missing"
    whole = pvd(name("x.example"), flags=0x2000, inner=header())
    assert only(whole).nested_at == only(whole).length == 40


@pytest.mark.covers("evil:E38")
def test_bug_6_the_longest_option_there_can_be() -> None:
    """prior_art.md 6.1: Apple keeps the length in 8 bits, which wraps at 256 octets."""
    addresses = tuple(f"2001:db8::{at:x}" for at in range(1, 126))
    octets = pvd(name("x.example"), rdnss(*addresses), mtu(1500))
    assert len(octets) == 24 + 2008 + 8 == 255 * 8
    found = only(octets)
    assert found.options == (Rdnss(addresses, 600, 2008), Mtu(1500))
    assert found.length == 2040


@pytest.mark.covers("rfc:P05", "rfc:P12")
def test_bug_5_the_kernel_patch() -> None:
    """prior_art.md 6.1: labels not bounded by the option, names compared with case, a malformed first option lets
    the second win, nested and outer options flattened."""
    follower = option(200, b"ample\0")
    assert rule(pvd(b"\x09" + b"a" * 9), follower) == "pvd-name-unterminated"
    assert only(pvd(name("A.example"))).name == only(pvd(name("a.EXAMPLE"))).name
    assert rule(pvd(b"\0"), pvd(name("y.example"))) == "pvd-name-root"
    event = read(mtu(1400), pvd(name("x.example"), mtu(1300)))
    assert event.options[0] == Mtu(1400)
    assert getattr(event.options[1], "options", ()) == (Mtu(1300),)


@pytest.mark.covers("rfc:P08")
def test_bug_9_the_flags_are_those_of_the_rfc_not_of_a_draft() -> None:
    """prior_art.md 6.1: the IPv6-mPvD tools have A where the RFC has R, and other layouts under the same type."""
    found = only(pvd(name("x.example"), flags=0x2000 | 0x000F, inner=header(7), sequence=0x1234))
    assert (found.header, found.delay, found.sequence) == (RaHeader(7, hop_limit=64), 15, 0x1234)
    assert only(pvd(name("x.example"), flags=0x1000)).header is None


def test_the_reader_alone_says_where_in_the_option() -> None:
    with pytest.raises(Malformed) as bad:
        pvd_option(pvd(b"\x01a\xc0\x00"))
    assert (bad.value.rule, bad.value.offset) == ("pvd-name-compressed", 8)
