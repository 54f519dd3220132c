"""The decoding bugs of earlier implementations (pvdman, pvdd, libndp forks, Apple): ours has none of them."""

import pytest

from adapters.ingest import translate
from events.frames import Frame, FrameRejected
from events.router import (
    Dnssl,
    IgnoredOption,
    MifContainer,
    MifPvdId,
    Mtu,
    PrefixInformation,
    PvdOption,
    Rdnss,
    RouteInformation,
    RouterAdvertised,
    UnknownOption,
)
from tests.sim.build import Story
from tests.wire import packets as p

X = p.name("x.example")
REST = (p.SLLA, p.pio("2001:db8:1::"))


def said(frame: Frame) -> RouterAdvertised:
    (event,) = translate(frame)
    assert isinstance(event, RouterAdvertised), event
    return event


def told(*frames: Frame) -> Story:
    """A host on e0 that hears these frames."""
    story = Story()
    for frame in frames:
        story.hear(*translate(Frame(story.now, "e0", frame.linktype, frame.data)))
    return story


@pytest.mark.covers("bug:1", "feat:A8", "feat:A9")
@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (p.option(3, bytes(22)), "option-length"),
        (p.mif(p.mif_id(), flags=0x80), "mif-signed"),
        (p.mtu(0), "mtu-small"),
        (p.option(200, b"\1\2\3\4\5\6"), None),
    ],
    ids=["a short PIO", "a signed container", "an MTU of 0", "an unknown type"],
)
def test_one_bad_option_is_told_and_the_rest_is_usable(octets: bytes, reason: str | None) -> None:
    """The one option keeps its octets; the prefix beside it makes a PvD all the same."""
    for options in ((octets, *REST), (*REST, octets)):
        event = said(p.ra(*options))
        bad = event.options[options.index(octets)]
        if reason is None:
            assert bad == UnknownOption(200, octets, 8)
        else:
            assert bad == IgnoredOption(octets[0], reason, octets, len(octets))
        assert PrefixInformation("2001:db8:1::/64", 3600, 1800, True, True) in event.options
        assert told(p.ra(*options)).keys("ra:e0/1/fe80::1", "prefix") == ["2001:db8:1::/64"]


@pytest.mark.covers("bug:1", "feat:A8")
def test_an_option_of_length_zero_ends_and_costs_the_message() -> None:
    """pvdman looped for ever. RFC 4861 §6.1.2: the whole message goes, and the record says so."""
    (event,) = translate(p.ra(*REST, b"\x05\0" + bytes(6), *REST))
    assert isinstance(event, FrameRejected)
    assert (event.rule, event.offset) == ("option-length-zero", 70 + 40 + 1)
    assert told(p.ra(*REST, b"\x05\0" + bytes(6))).alive() == []


@pytest.mark.covers("bug:1", "feat:A1", "feat:A2")
def test_an_mtu_and_a_pvd_option_are_read() -> None:
    event = said(p.ra(p.mtu(1400), p.pvd(X, flags=0xC00A, sequence=0xFFFE)))
    mtu, pvd = event.options
    assert mtu == Mtu(1400)
    assert isinstance(pvd, PvdOption)
    assert (pvd.name, pvd.http, pvd.legacy, pvd.header, pvd.delay, pvd.sequence) == (
        "x.example.",
        True,
        True,
        None,
        10,
        0xFFFE,
    )
    plain = said(p.ra(p.pvd(X))).options[0]
    assert isinstance(plain, PvdOption)
    assert (plain.http, plain.legacy, plain.delay, plain.sequence) == (False, False, 0, 0)
    assert told(p.ra(p.mtu(1400), p.pvd(X))).alive() == ["fqdn:x.example."]


@pytest.mark.covers("bug:2")
@pytest.mark.parametrize(
    "container",
    [
        p.mif(p.mif_id(p.A9_MIF_UUID[:20]), p.pio("2001:db8:2::")),
        p.mif(p.pio("2001:db8:2::")),
        p.mif(p.mif_id(size=0), p.pio("2001:db8:2::")),
        p.mif(p.mif_id(), p.mif_id("00112233-4455-6677-8899-aabbccddeeff"), p.pio("2001:db8:2::")),
    ],
    ids=["a short id and NULs", "no id", "an empty id", "two ids"],
)
def test_a_container_without_one_good_id_is_kept_as_octets_and_makes_nothing(container: bytes) -> None:
    event = said(p.ra(container, p.SLLA))
    bad = event.options[0]
    assert isinstance(bad, IgnoredOption)
    assert (bad.code, bad.data) == (63, container)
    story = told(p.ra(container))
    assert story.alive() == ["ra:e0/1/fe80::1"]
    assert story.keys("ra:e0/1/fe80::1", "prefix") == []


@pytest.mark.covers("bug:3", "feat:A7")
@pytest.mark.parametrize(
    ("frame", "rule"),
    [
        (p.nd(p.header() + b"".join(REST), hop_limit=64), "hop-limit"),
        (p.nd(p.header() + b"".join(REST), hop_limit=254), "hop-limit"),
        (p.ra(*REST, source="2001:db8::1"), "source-not-link-local"),
        (p.ra(*REST, p.pio("2001:db8::")[:24]), "option-overrun"),
    ],
)
def test_an_ra_from_off_the_link_is_a_rejected_record_without_effect(frame: Frame, rule: str) -> None:
    story = told(frame)
    record = list(story.journal.records())[-1]
    assert isinstance(record.event, FrameRejected)
    assert (record.event.rule, record.event.protocol) == (rule, "ra")
    assert story.alive() == [] and story.history() == []
    assert told(p.ra(*REST)).alive() == ["ra:e0/1/fe80::1"]


@pytest.mark.covers("bug:5", "feat:A4", "feat:A5")
def test_the_four_faults_of_the_kernel_patch() -> None:
    # A label is bounded by its option, though octets follow.
    (long,) = translate(p.ra(p.pvd(b"\x09" + b"a" * 9), p.option(200, b"aaaa\0\0")))
    assert isinstance(long, FrameRejected) and long.rule == "pvd-name-unterminated"
    # Names are compared without case.
    assert told(p.ra(p.pvd(p.name("X.Example"))), p.ra(p.pvd(X))).alive() == ["fqdn:x.example."]
    # A malformed first option does not let the second win.
    assert told(p.ra(p.pvd(b"\0"), p.pvd(X))).alive() == []
    # Nested options stay apart from outer ones, and a second option is ignored and told.
    other = p.pvd(p.name("y.example"), p.pio("2001:db8:3::"))
    event = said(p.ra(p.pio("2001:db8:1::"), p.pvd(X, p.pio("2001:db8:2::")), other))
    outer, pvd, second = event.options
    assert isinstance(outer, PrefixInformation) and outer.prefix == "2001:db8:1::/64"
    assert isinstance(pvd, PvdOption)
    assert [one.prefix for one in pvd.options if isinstance(one, PrefixInformation)] == ["2001:db8:2::/64"]
    assert second == IgnoredOption(21, "duplicate-pvd", other, len(other))
    story = told(p.ra(p.pvd(X), other))
    assert story.alive() == ["fqdn:x.example."]
    assert story.keys("fqdn:x.example.", "prefix") == []


@pytest.mark.covers("feat:A3")
def test_the_header_inside_a_pvd_option_overrides_the_outer_one() -> None:
    inside = p.pvd(X, flags=0x2000, inner=p.header(1600, flags=0x40))
    story = told(p.ra(inside, start=p.header(6000, flags=0x80)))
    assert story.ends("fqdn:x.example.", "router", p.ROUTER) == 1600
    without = told(p.ra(p.pvd(X), start=p.header(6000, flags=0x80)))
    assert without.ends("fqdn:x.example.", "router", p.ROUTER) == 6000


@pytest.mark.covers("bug:6")
def test_a_pvd_option_of_2040_octets_is_read_whole() -> None:
    """Apple counts its octets in eight bits, which wrap at 256."""
    for size, filler in ((256, 230), (2040, 2014)):
        tail = p.option(200, b"\xee" * filler)
        (pvd,) = said(p.ra(p.pvd(X, tail))).options
        assert isinstance(pvd, PvdOption)
        assert pvd.length == size
        assert pvd.options == (UnknownOption(200, tail, len(tail)),)


@pytest.mark.covers("bug:7")
def test_the_router_is_the_source_and_each_lifetime_its_own() -> None:
    """The fork took the destination for the router, DNSSL's lifetime from RDNSS, 7200 s at least, and dropped ::/0."""
    options = (p.rdnss("2001:db8::53", lifetime=100), p.dnssl(X, lifetime=200), p.rio("::", 0, 300, units=1))
    event = said(p.ra(*options, start=p.header(0)))
    assert (event.router, event.destination) == (p.ROUTER, p.NODES)
    assert event.options == (
        Rdnss(("2001:db8::53",), 100, 24),
        Dnssl(("x.example.",), 200, 24),
        RouteInformation("::/0", 300, length=8),
    )
    id = "ra:e0/1/fe80::1"
    story = told(p.ra(*options, start=p.header(0)))
    assert story.ends(id, "dns", "2001:db8::53") == 100
    assert story.ends(id, "search", "x.example.") == 200
    assert story.ends(id, "route", f"::/0 via {p.ROUTER}") == 300


@pytest.mark.covers("bug:8")
def test_both_id_types_of_the_mif_drafts_are_read_and_told_apart() -> None:
    for id_type in (1, 4):
        (container,) = said(p.ra(p.mif(p.mif_id(id_type=id_type)))).options
        assert isinstance(container, MifContainer)
        assert container.uuid == p.A9_MIF_UUID
        assert container.options == (MifPvdId(p.A9_MIF_UUID, id_type, 40),)
    (strange,) = said(p.ra(p.mif(p.mif_id(id_type=2)))).options
    assert isinstance(strange, IgnoredOption)


@pytest.mark.covers("bug:9")
def test_option_21_is_read_as_rfc_8801_has_it_and_the_drafts_by_their_own_options() -> None:
    """The tools of the drafts took R for A, and Delay for something else; here the event's type says what it was."""
    reread = p.pvd(X, flags=0x2000, inner=p.header(1600))
    (final,) = said(p.ra(reread)).options
    (draft,) = said(p.ra(p.mif(p.mif_id()))).options
    assert isinstance(final, PvdOption) and final.header is not None and final.header.lifetime_s == 1600
    assert isinstance(draft, MifContainer)
    (short,) = translate(p.ra(p.pvd(X, flags=0x2000)))
    assert isinstance(short, FrameRejected) and short.rule == "pvd-header-missing"
    for delay, window_ms in ((1, 2**11), (4, 2**14), (15, 2**25)):
        story = told(p.ra(p.pvd(X, flags=0x8000 | delay, sequence=1)))
        (inquiry,) = story.state.inquiries.values()
        assert inquiry.wanted is not None and inquiry.wanted.window == window_ms * 1_000_000
