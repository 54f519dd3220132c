"""Router Advertisements and their options as the golden vectors of standards.md A.9 have them, field by field."""

import pytest

from adapters.ingest import translate
from adapters.wire.neighbor.options import (
    MIF_PVD_ID,
    SOURCE_LLA,
    mif_pvd_id,
    misplaced,
    place,
    source_lla,
    unknown,
)
from events.base import Event
from events.frames import FrameRejected
from events.router import (
    CaptivePortal,
    Dnssl,
    EncryptedDns,
    FlagsExtension,
    IgnoredOption,
    MifContainer,
    Mtu,
    NdOption,
    Pref64,
    PrefixInformation,
    PvdOption,
    RaHeader,
    Rdnss,
    RouteInformation,
    RouterAdvertised,
    ServiceParam,
    SourceLinkLayerAddress,
    UnknownOption,
)
from tests.wire.packets import (
    A9_DNR,
    A9_DNR_ADN_ONLY,
    A9_DNSSL,
    A9_MIF_UUID,
    A9_PORTAL,
    A9_PREF64_64,
    A9_PREF64_96,
    A9_RA,
    A9_RIO_48,
    A9_RIO_DEFAULT,
    MAC,
    NODES,
    ROUTER,
    SLLA,
    dnssl,
    header,
    mif,
    mif_id,
    mtu,
    name,
    nd,
    option,
    pio,
    pvd,
    ra,
    rdnss,
    rio,
)


def said(*octets: bytes, start: bytes | None = None) -> RouterAdvertised:
    (event,) = translate(ra(*octets, start=start))
    assert isinstance(event, RouterAdvertised), event
    return event


def only(octets: bytes) -> NdOption:
    (found,) = said(octets).options
    return found


@pytest.mark.covers("rfc:N01", "rfc:N02", "rfc:N03", "rfc:N04")
def test_the_golden_ra() -> None:
    golden = nd(A9_RA, ROUTER, NODES, seal=False)  # with the checksum of the vector itself
    assert translate(golden) == (
        RouterAdvertised(
            link="if0",
            router="fe80::1",
            header=RaHeader(lifetime_s=6000, other_config=True, hop_limit=64, flags=0x40),
            options=(
                SourceLinkLayerAddress("02:00:00:00:00:01"),
                PrefixInformation("2001:db8:cafe::/64", 2592000, 604800, on_link=True, autonomous=True),
                PvdOption(
                    name="cafe.example.com.",
                    http=True,
                    legacy=False,
                    delay=0,
                    sequence=7,
                    options=(),
                    length=24,
                    nested_at=24,
                    flags=0x8000,
                    name_as_sent="cafe.example.com.",
                ),
            ),
            options_at=14 + 40 + 16,
            mac=MAC,
            destination="ff02::1",
        ),
    )
    # One wrong bit anywhere in the message, and nothing of it is left.
    for at in range(14 + 40, len(golden.data)):
        spoilt = golden.data[:at] + bytes((golden.data[at] ^ 0x10,)) + golden.data[at + 1 :]
        events = translate(type(golden)(0, "if0", 1, spoilt))
        assert not [event for event in events if not isinstance(event, FrameRejected)]


def test_the_flags_of_the_header() -> None:
    for bit, field in (
        (0x80, "managed"), (0x40, "other_config"), (0x20, "home_agent"), (0x04, "proxy"), (0x02, "snac"),
    ):  # fmt: skip
        found = said(start=header(flags=bit)).header
        names = ("managed", "other_config", "home_agent", "proxy", "snac")
        assert [one for one in names if getattr(found, one)] == [field]
        assert found.flags == bit


@pytest.mark.covers("rfc:R01")
def test_the_two_bits_of_preference() -> None:
    texts = [said(start=header(flags=bits << 3)).header.preference for bits in range(4)]
    assert texts == ["medium", "high", "reserved", "low"]


def test_header_fields_stand_as_sent() -> None:
    found = said(start=header(65535, 0, 0, 30000, 1000)).header
    assert (found.lifetime_s, found.hop_limit, found.reachable_ms, found.retrans_ms) == (65535, 0, 30000, 1000)


@pytest.mark.covers("rfc:F01", "rfc:F02", "rfc:F05")
def test_golden_pref64() -> None:
    assert only(A9_PREF64_96) == Pref64("64:ff9b::/96", 1800)
    assert only(A9_PREF64_64) == Pref64("2001:db8:64::/64", 2856)
    sizes = [only(A9_PREF64_96[:3] + bytes((code,)) + A9_PREF64_96[4:]) for code in range(8)]
    found = [one.prefix.rpartition("/")[2] for one in sizes if isinstance(one, Pref64)]
    assert found == ["96", "64", "56", "48", "40", "32"]
    assert [one.reason for one in sizes if isinstance(one, IgnoredOption)] == ["pref64-length-code"] * 2


@pytest.mark.covers("rfc:R02", "rfc:R05")
def test_golden_routes() -> None:
    assert only(A9_RIO_DEFAULT) == RouteInformation("::/0", 1800, "high", 8)
    assert only(A9_RIO_48) == RouteInformation("2001:db8:1::/48", 600, "low", 16)
    # RFC 4191 §2.3's table: each prefix length with each option length.
    for length in (0, 1, 64, 65, 128, 129):
        for units in (1, 2, 3):
            fits = length == 0 or (length <= 64 and units >= 2) or (length <= 128 and units == 3)
            found = only(rio("2001:db8:1:2:3:4:5:6", length, units=units))
            assert isinstance(found, RouteInformation if fits else IgnoredOption), (length, units)
    found = [only(rio("2001:db8:1::", 48, preference=bits << 3)) for bits in range(4)]
    assert [getattr(one, "preference", getattr(one, "reason", "")) for one in found] == [
        "medium",
        "high",
        "route-preference",  # ignored, not medium as in the header
        "low",
    ]


@pytest.mark.covers("rfc:D10")
def test_golden_dnssl() -> None:
    assert only(A9_DNSSL) == Dnssl(("example.org.", "sub.example.org."), 600, 40)
    assert only(dnssl(name("EXAMPLE.org"), 2**32 - 1)) == Dnssl(("example.org.",), None, 24)
    bad = only(dnssl(name("good.example") + b"\x40bad"))
    assert isinstance(bad, IgnoredOption)
    assert bad.reason == "name-label"


@pytest.mark.covers("rfc:D09")
def test_rdnss_is_taken_whole_or_not_at_all() -> None:
    assert only(rdnss("2001:db8::53", "fe80::53")) == Rdnss(("2001:db8::53", "fe80::53"), 600, 40)
    assert only(rdnss("2001:db8::53", lifetime=2**32 - 1)) == Rdnss(("2001:db8::53",), None, 24)
    for address in ("ff02::fb", "::"):
        found = only(rdnss("2001:db8::53", address))
        assert isinstance(found, IgnoredOption)
        assert found.reason == "address-not-unicast"
    for units in (1, 2, 4):  # eight octets and whole addresses: odd, and at least three
        found = only(bytes((25, units)) + bytes(2) + b"\0\0\2\x58" + b"\x20" * (units * 8 - 8))
        assert isinstance(found, IgnoredOption) and found.reason == "option-length", units
    assert isinstance(only(bytes((31, 1)) + bytes(6)), IgnoredOption)
    assert only(rdnss("::ffff:192.0.2.1", "2001:db8::53")) == Rdnss(("2001:db8::53",), 600, 40)


def test_golden_portal() -> None:
    assert only(A9_PORTAL) == CaptivePortal("https://portal.example/api", 32)


@pytest.mark.covers("rfc:F20", "rfc:F21", "rfc:F22")
def test_golden_resolvers() -> None:
    params = (
        ServiceParam(1, "026832", "h2"),
        ServiceParam(7, "2f646e732d71756572797b3f646e737d", "/dns-query{?dns}"),
    )
    assert only(A9_DNR) == EncryptedDns(1, "dns.example.net.", ("2001:db8::53",), params, 1800, 80)
    assert only(A9_DNR_ADN_ONLY) == EncryptedDns(5, "dns.example.net.", (), (), 1800, 32)
    shortest = b"\x90\x02\x01\x02" + b"\x01\x02\x03\x04" + b"\0\x05\x03abc\0" + b"\0"
    assert only(shortest) == EncryptedDns(0x0102, "abc.", (), (), 0x01020304, 16)
    assert getattr(only(shortest[:4] + b"\xff" * 4 + shortest[8:]), "lifetime_s", 0) is None
    alias = only(A9_DNR[:2] + b"\0\0" + A9_DNR[4:])
    assert isinstance(alias, IgnoredOption)
    assert alias.reason == "dnr-priority-zero"


@pytest.mark.covers("rfc:N11")
def test_prefix_flags_and_the_prefixes_no_host_can_use() -> None:
    bits = {0x80: "on_link", 0x40: "autonomous", 0x20: "router_address", 0x10: "pd_preferred"}
    for bit, field in bits.items():
        found = only(pio("2001:db8::", flags=bit | 0x0F))  # the low bits are reserved
        assert [one for one in bits.values() if getattr(found, one)] == [field]
    for address, length, reason in (("fe80::", 64, "prefix-link-local"), ("ff0e::", 16, "prefix-multicast")):
        found = only(pio(address, length))
        assert isinstance(found, IgnoredOption)
        assert found.reason == reason
    assert only(pio("fec0::")) == PrefixInformation("fec0::/64", 3600, 1800, True, True)


@pytest.mark.covers("rfc:N06", "rfc:N26")
def test_the_unknown_and_the_misplaced_cost_nothing_else() -> None:
    strange, lost = option(200, b"whatever"), b"\x02" + SLLA[1:]
    event = said(strange, lost, mtu(1500))
    assert event.options == (
        UnknownOption(200, strange, 16),
        IgnoredOption(2, "not-in-this-message", lost, 8),
        Mtu(1500),
    )


@pytest.mark.covers("rfc:N06", "rfc:N26")
def test_which_of_the_256_types_an_ra_defines() -> None:
    read = {code: only(option(code, bytes(6))) for code in range(256) if code != 21}  # whose name may not be the root
    strays = [code for code, found in read.items() if getattr(found, "reason", "") == "not-in-this-message"]
    unknown = [code for code, found in read.items() if isinstance(found, UnknownOption)]
    assert strays == [2, 4, 64]
    assert set(read) - set(unknown) == {1, 2, 3, 4, 5, 24, 25, 26, 31, 37, 38, 63, 64, 144}


def test_each_message_defines_its_own_options() -> None:
    readers = place(frozenset((SOURCE_LLA,)), {MIF_PVD_ID: mif_pvd_id})
    assert len(readers) == 256
    assert (readers[SOURCE_LLA], readers[MIF_PVD_ID]) == (source_lla, mif_pvd_id)
    for code in (2, 3, 4, 5, 21, 24, 25, 26, 31, 37, 38, 63, 144):
        assert readers[code] is misplaced
    assert all(reader in (source_lla, mif_pvd_id, misplaced, unknown) for reader in readers)
    assert readers.count(misplaced) == 13
    assert place(frozenset())[SOURCE_LLA] is place(frozenset())[MIF_PVD_ID] is misplaced


@pytest.mark.covers("rfc:N05", "evil:E11", "evil:E12")
def test_framing_that_breaks_says_in_a_sentence_how() -> None:
    for octets, rule, sentence in (
        (b"\x05", "option-stray", "one octet is left after the last option"),
        (b"\x05\0", "option-length-zero", "option 5 has length 0"),
        (b"\x05\x01", "option-overrun", "option 5 has 8 octets, 2 are left"),
        (b"\xc8\xff" + bytes(6), "option-overrun", "option 200 has 2040 octets, 8 are left"),
    ):
        for before in ((), (SLLA,)):
            (event,) = translate(ra(*before, octets))
            assert isinstance(event, FrameRejected)
            assert (event.rule, event.detail) == (rule, sentence)
            assert event.offset == 14 + 40 + 16 + 8 * len(before) + (rule != "option-stray")


@pytest.mark.covers("rfc:N05")
def test_a_zero_length_anywhere_leaves_nothing() -> None:
    options = [SLLA, pio("2001:db8::"), mtu(1500)]
    for at in range(4):
        (event,) = translate(ra(*options[:at], b"\x05\0" + bytes(6), *options[at:]))
        assert isinstance(event, FrameRejected)
        assert event.rule == "option-length-zero"
        assert event.offset == 14 + 40 + 16 + sum(map(len, options[:at])) + 1


@pytest.mark.covers("rfc:N27")
def test_options_keep_their_order_and_their_octets_add_up() -> None:
    octets = [mtu(1500), SLLA, pio("2001:db8:2::"), pio("2001:db8:1::"), A9_DNR, A9_PORTAL, option(200, b"x")]
    for turn in range(len(octets)):
        order = octets[turn:] + octets[:turn]
        event = said(*order)
        assert [one.length for one in event.options] == [len(one) for one in order]
        assert event.options == tuple(only(one) for one in order)


def test_the_same_octets_are_the_same_object_wherever_they_stand() -> None:
    first, second = said(SLLA, pio("2001:db8::")), said(pio("2001:db8::"), start=header(5))
    assert first.options[1] is second.options[0]


@pytest.mark.covers("rfc:N33")
def test_a_flags_extension_of_any_length_is_taken_and_what_is_not_known_is_skipped() -> None:
    assert getattr(only(option(26, b"\x00\x00\x00\x00\x00\x01")), "bits", "") == "000000000001"
    longer = only(option(26, b"\x80" + bytes(5) + b"\xff" * 8))
    assert longer == FlagsExtension("800000000000", 16)
    assert said(option(26, b"\xff" * 6)).header == said().header


@pytest.mark.covers("rfc:N33")
def test_only_the_first_flags_extension_counts() -> None:
    again = option(26, b"\x01")
    first, _, second = said(option(26, b"\x80"), mtu(1500), again).options
    assert getattr(first, "bits", "") == "800000000000"
    assert second == IgnoredOption(26, "duplicate-flags-extension", again, 8)


@pytest.mark.covers("evil:E13")
def test_how_many_options_containers_may_hold_together() -> None:
    """Neither has too many by itself."""
    short = option(200, bytes(6))
    inside, container = said(pvd(name("x.example"), *[short] * 64), mif(mif_id(), *[short] * 63)).options
    assert isinstance(inside, PvdOption) and isinstance(container, MifContainer)
    assert len(inside.options) + len(container.options) == 128
    (event,) = translate(ra(pvd(name("x.example"), *[short] * 64), mif(mif_id(), *[short] * 64)))
    assert isinstance(event, FrameRejected)
    assert (event.rule, event.offset) == ("option-count", 14 + 40)


@pytest.mark.covers("rfc:N33", "rfc:P05")
def test_the_first_of_each_kind_counts_whatever_stands_between() -> None:
    pvds = [pvd(name(word)) for word in ("x.example", "y.example", "z.example")]
    extra = [option(26, bytes((1 << at,))) for at in range(3)]
    options = said(pvds[0], extra[0], pvds[1], extra[1], mtu(1500), pvds[2], extra[2]).options
    reasons = [getattr(one, "reason", "") for one in options]
    assert reasons == ["", "", "duplicate-pvd", "duplicate-flags-extension", "", *reasons[2:4]]
    assert isinstance(options[0], PvdOption) and options[1] == FlagsExtension("010000000000")


@pytest.mark.covers("rfc:N33")
def test_a_container_has_a_first_flags_extension_of_its_own() -> None:
    first, again = option(26, b"\x80"), option(26, b"\x01")
    expected = (FlagsExtension("800000000000"), IgnoredOption(26, "duplicate-flags-extension", again, 8))
    outer, inside, container = said(again, pvd(name("x.example"), first, again), mif(mif_id(), first, again)).options
    assert outer == FlagsExtension("010000000000")
    assert isinstance(inside, PvdOption) and inside.options == expected
    assert isinstance(container, MifContainer) and container.options[1:] == expected


@pytest.mark.covers("rfc:N11")
def test_prefixes_at_the_bounds_of_what_a_host_can_use() -> None:
    def verdict(address: str, length: int = 64, **fields: int) -> str:
        found = only(pio(address, length, **fields))
        return found.reason if isinstance(found, IgnoredOption) else getattr(found, "prefix", "")

    assert verdict("fe80::", 10) == verdict("febf:ffff::", 128) == "prefix-link-local"
    assert verdict("fe80::", 9) == "fe80::/9"  # is more than the link-local ones
    assert verdict("fe40::", 10) == "fe40::/10"
    assert verdict("fd80::", 64) == "fd80::/64"
    assert verdict("ff00::", 8) == verdict("ffff::", 128) == "prefix-multicast"
    assert verdict("ff00::", 7) == "fe00::/7"
    assert verdict("ff80::", 10) == "prefix-multicast"
    assert verdict("2001:db8::1", 128) == "2001:db8::1/128"
    assert verdict("2001:db8::", 64, valid=9, preferred=9) == "2001:db8::/64"
    assert verdict("2001:db8::", 64, valid=2**32 - 2, preferred=2**32 - 1) == "prefix-lifetimes"
    found = only(pio("2001:db8::", valid=2**32 - 2, preferred=2**32 - 2))
    assert isinstance(found, PrefixInformation) and (found.valid_s, found.preferred_s) == (2**32 - 2, 2**32 - 2)


@pytest.mark.covers("rfc:D09")
def test_resolvers_at_the_bounds_of_what_is_unicast() -> None:
    good = ("::2", "1::", "::fffe:c000:201", "::1:ffff:c000:201", "feff::1")
    assert only(rdnss("::1", *good, "::ffff:0.0.0.0")) == Rdnss(good, 600, 8 + 16 * 7)
    assert getattr(only(rdnss("ff00::", "2001:db8::53")), "reason", "") == "address-not-unicast"
    assert getattr(only(rdnss("::1", "::ffff:192.0.2.1")), "reason", "") == "no-address"


@pytest.mark.covers("rfc:F01", "rfc:F05")
def test_the_lifetime_of_a_pref64_has_thirteen_bits() -> None:
    assert only(option(38, b"\xff\xfd" + bytes.fromhex("0064ff9b") + bytes(8))) == Pref64("64:ff9b::/32", 65528)
    assert only(option(38, b"\0\x08" + bytes.fromhex("0064ff9b") + bytes(8))) == Pref64("64:ff9b::/96", 8)
    assert getattr(only(option(38, b"\0\x08\xff" + bytes(11))), "reason", "") == "prefix-multicast"
    assert getattr(only(option(38, b"\0\x08\xfe" + bytes(11))), "prefix", "") == "fe00::/96"


def test_the_id_of_a_mif_container_has_one_form() -> None:
    def reason(octets: bytes) -> str:
        found = said(mif(octets), mtu(1500)).options[0]
        assert isinstance(found, IgnoredOption | MifContainer)
        return found.reason if isinstance(found, IgnoredOption) else found.uuid

    upper = A9_MIF_UUID.upper()
    assert reason(mif_id(upper)) == reason(mif_id()) == A9_MIF_UUID
    for spoilt in (upper.replace("-", "0", 1), "-" + upper[1:], "g" + upper[1:], upper[:8] + "0-" + upper[10:]):
        assert reason(mif_id(spoilt)) == "mif-no-id"
    for id_type in (0, 2, 3, 5):
        assert reason(mif_id(id_type=id_type)) == "mif-no-id"
    assert reason(mif_id(size=35)) == reason(mif_id(size=37)) == "mif-no-id"
    assert reason(mif_id(A9_MIF_UUID[:28], size=36)) == "mif-no-id"


def rejected(event: Event) -> str:
    assert isinstance(event, FrameRejected)
    return event.rule


@pytest.mark.covers("rfc:N01", "rfc:N02", "rfc:N04")
def test_bug_3_an_ra_from_off_the_link_is_recorded_and_has_no_effect() -> None:
    """prior_art.md 6.1: pvdman, pvdd's fallback and the fork's libndp check neither hop limit nor source."""
    inside = header() + pio("2001:db8::")
    assert [rejected(one) for one in translate(nd(inside, hop_limit=64))] == ["hop-limit"]
    assert [rejected(one) for one in translate(nd(inside, "2001:db8::1"))] == ["source-not-link-local"]
    for source in ("::", "::ffff:192.0.2.1", "fec0::1"):
        assert [rejected(one) for one in translate(nd(inside, source))] == ["source-not-link-local"], source
    for source in ("fe80:0:0:1::1", "febf::1"):  # the range is a /10
        assert [getattr(one, "router", "") for one in translate(nd(inside, source))] == [source]
    assert [rejected(one) for one in translate(nd(b"\x86\x01" + inside[2:]))] == ["code"]
    assert [rejected(one) for one in translate(nd(inside[:15]))] == ["message-length"]


def test_bug_4_more_than_three_resolvers_and_more_than_eight_options() -> None:
    """prior_art.md 6.1: pvdd's fallback reads three addresses of an option and has a table of eight."""
    addresses = tuple(f"2001:db8::{at:x}" for at in range(1, 21))
    event = said(*[rdnss(*addresses)] * 20)
    assert event.options == (Rdnss(addresses, 600, 8 + 320),) * 20


def test_bug_7_source_lifetimes_and_default_routes_are_as_sent() -> None:
    """prior_art.md 6.1: a gateway out of the destination, DNSSL lifetimes by the RDNSS accessor, 7200 s of padding,
    ::/0 dropped."""
    event = said(rdnss("2001:db8::53", lifetime=61), dnssl(name("x.example"), 62), rio("::", 0, 63))
    assert (event.router, event.destination) == (ROUTER, NODES)
    assert event.options == (
        Rdnss(("2001:db8::53",), 61, 24),
        Dnssl(("x.example.",), 62, 24),
        RouteInformation("::/0", 63),
    )


@pytest.mark.covers("rfc:N05", "rfc:N06")
def test_bug_1_what_makes_pvdman_fall_over() -> None:
    """prior_art.md 6.1: MTU raises NameError, length 0 loops, a cut PIO raises, a signed container raises, 21 is
    unseen."""
    assert only(mtu(1500)) == Mtu(1500)
    assert [rejected(one) for one in translate(ra(b"\x05\0" + bytes(6)))] == ["option-length-zero"]
    assert [rejected(one) for one in translate(ra(pio("2001:db8::")[:24]))] == ["option-overrun"]
    signed = bytes((63, 1, 0x80)) + bytes(5)
    assert said(signed, mtu(1500)).options == (IgnoredOption(63, "mif-signed", signed, 8), Mtu(1500))
    assert isinstance(said(A9_RA[56:]).options[0], PvdOption)
