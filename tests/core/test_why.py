"""Why something is held: the words an item answers to, the record, the packet and the octets it leads back to."""

from __future__ import annotations

import gc
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from adapters.ingest import translate
from events.frames import Frame
from events.ids import SECOND
from pvdcore.past import snapshot
from pvdcore.past.audit import (
    Answer,
    chronicle,
    diff,
    lapsed_since,
    state_at,
    state_digest,
    verify,
    without_collector,
)
from pvdcore.past.journal import UNKNOWN_HEAD, MemoryJournal, frame_digest
from pvdcore.state import State
from tests.fuzz.targets import frame4, frame6
from tests.sim import build
from tests.sim.build import R1, START, Story
from tests.wire import dhcp_octets as d
from tests.wire import packets as p

PORTAL = "https://portal.example/api"
OUTER = (
    p.SLLA,
    p.pio("2001:db8:1::"),
    p.mtu(1400),
    p.rio("2001:db8:2::", 48),
    p.rdnss("2001:db8::53", "2001:db8::54"),
    p.dnssl(p.name("a.example") + p.name("b.example")),
    p.A9_PORTAL,
    p.A9_PREF64_96,
    p.A9_DNR,
)


def hears(story: Story, frame: Frame, packet: int = 7) -> Frame:
    """A frame of the capture `a.pcap` on e0, at this instant."""
    placed = Frame(story.now, "e0", frame.linktype, frame.data)
    story.engine.hear(placed, translate(placed), source="a.pcap", packet=packet)
    return placed


def octets(answers: list[Answer], frame: Frame) -> list[bytes]:
    """The octets that the answers lead to, one each; that they are those of the frame is looked at here."""
    found = []
    for answer in answers:
        assert answer.option is not None, answer
        start, size = answer.option.offset, answer.option.length
        assert frame.data[start : start + size] == answer.option.data
        assert (answer.source, answer.packet) == ("a.pcap", 7)
        found.append(answer.option.data)
    return found


@pytest.mark.covers("feat:O4")
@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("2001:db8:1::/64", 1),
        ("2001:DB8:1::5/64", 1),  # an address that nobody has is in it
        ("mtu", 2),
        ("2001:db8:2::/48", 3),
        ("2001:db8:2::/48 via fe80::1", 3),
        ("2001:db8:2:5::1", 3),  # by the longest prefix around it
        ("2001:db8:1:0:5::1", 1),
        ("2001:db8::54", 4),
        ("b.example", 5),
        ("B.example.", 5),
        (PORTAL, 6),
        ("64:ff9b::/96", 7),
        ("64:ff9b::1.2.3.4", 7),
        ("dns.example.net", 8),
        ("2001:db8::53", 4),
    ],
)
def test_each_item_of_an_ra_leads_to_its_option(word: str, place: int) -> None:
    story = Story()
    frame = hears(story, p.ra(*OUTER))
    found = octets(story.why(word), frame)
    assert found[0] == OUTER[place]
    assert [code[0] for code in found] == [one.option.type for one in story.why(word) if one.option]
    if word == "2001:db8::53":  # a resolver of two kinds
        assert sorted(found) == sorted((OUTER[4], OUTER[8]))
    else:
        assert found == [OUTER[place]]


@pytest.mark.covers("feat:O4")
def test_an_item_of_a_pvd_leads_into_its_option_and_the_nested_one_counts() -> None:
    nested = (p.mtu(1300), p.rdnss("2001:db8::53"), p.pio("2001:db8:3::"))
    option = p.pvd(p.name("x.example"), *nested, flags=0x2000, inner=p.header(900, hop_limit=9))
    inside = (p.mif_id(), p.rdnss("2001:db8::56"), p.mtu(1280))
    container = p.mif(*inside)
    story = Story()
    later = (p.rdnss("2001:db8::57"), p.mtu(1499))
    frame = hears(story, p.ra(p.mtu(1500), option, container, *later, start=p.header(hop_limit=64)))
    assert octets(story.why("2001:db8:3::/64"), frame) == [nested[2]]
    assert octets(story.why("2001:db8::53"), frame) == [nested[1]]
    assert octets(story.why("2001:db8::56"), frame) == [inside[1]]
    assert octets(story.why("2001:db8::57"), frame) == [later[0]]
    found = {one.pvd: one.option for one in story.why("mtu")}
    assert {pvd: span.data for pvd, span in found.items() if span} == {
        "fqdn:x.example.": nested[0],
        f"uuid:{p.A9_MIF_UUID}": inside[2],
    }
    # the embedded header says how long the router is one, and of how many hops
    for word in (R1, "hop_limit", "default", "::/0"):
        answers = {one.pvd: one.option for one in story.why(word)}
        span = answers["fqdn:x.example."]
        assert span is not None and (span.type, span.data) == (21, option)
        assert answers[f"uuid:{p.A9_MIF_UUID}"] is None
    # without it they are the message's own, which are no option
    plain = Story()
    hears(plain, p.ra(p.pvd(p.name("x.example"), p.mtu(1300))))
    assert [(one.pvd, one.kind, one.option) for one in plain.why(R1)] == [("fqdn:x.example.", "router", None)]
    # a PvD answers with all it holds, by either of its names
    for word in ("x.example", "X.example.", "FQDN:x.example.", "fqdn:x.example"):
        assert {one.kind for one in plain.why(word)} == {"router", "mtu", "hop_limit"}
    assert plain.why("y.example") == plain.why("example.") == []


@pytest.mark.covers("feat:O4")
def test_of_two_resolvers_each_leads_to_its_own_option() -> None:
    """One's name is the end of the other's."""
    body = p.name("dns.example.net")
    short = p.option(144, p.A9_DNR[2:8] + d.u16(13) + p.name("example.net"))
    long = p.option(144, p.A9_DNR[2:8] + d.u16(len(body)) + body)
    other = p.option(144, b"\0\2" + p.A9_DNR[4:8] + d.u16(len(body)) + body)
    story = Story()
    frame = hears(story, p.ra(short, long, other))
    assert octets(story.why("example.net"), frame) == [short]
    assert octets(story.why("dns.example.net"), frame) == [long, other]


@pytest.mark.covers("feat:O4")
def test_an_address_leads_to_the_prefix_it_was_formed_of() -> None:
    story = Story()
    frame = hears(story, p.ra(p.pio("2001:db8:2::", flags=0x80), p.pio("2001:db8:1::")))
    story.chooses("a")
    (answer,) = story.why("2001:db8:1::a")
    assert answer.frame == frame_digest(frame.data)
    assert (answer.kind, answer.key) == ("address", "2001:db8:1::a/64")
    assert octets([answer], frame) == [p.pio("2001:db8:1::")]


@pytest.mark.covers("feat:O4")
def test_of_two_options_of_one_kind_the_one_that_says_it() -> None:
    pairs = {
        "2001:db8:1::/64": (p.pio("2001:db8:1::"), p.pio("2001:db8:2::")),
        "2001:db8:3::/48": (p.rio("2001:db8:3::", 48), p.rio("2001:db8:4::", 48)),
        "a.example": (p.dnssl(p.name("a.example")), p.dnssl(p.name("b.example"))),
        "64:ff9b::/96": (p.A9_PREF64_96, p.option(38, p.A9_PREF64_96[2:6] + b"\x20" + p.A9_PREF64_96[7:])),
    }
    for word, pair in pairs.items():
        for options in (pair, pair[::-1]):
            story = Story()
            frame = hears(story, p.ra(*options))
            assert octets(story.why(word), frame) == [pair[0]]
    # what stands right behind a PvD option is outside
    story = Story()
    frame = hears(story, p.ra(p.pvd(p.name("x.example"), p.mtu(1300)), p.mtu(1500)))
    assert octets([one for one in story.why("mtu") if one.pvd == "fqdn:x.example."], frame) == [p.mtu(1300)]


@pytest.mark.covers("feat:O4")
def test_a_portal_is_asked_for_as_it_is_written() -> None:
    portal = "https://Portal.example/API"
    story = Story().hear(build.ra(R1, build.portal(portal)))
    assert kinds(story, portal) == kinds(story, portal.lower()) == [("captive_portal", "uri")]
    assert kinds(story, "https://portal.example/") == []


def kinds(story: Story, word: str) -> list[tuple[str, str]]:
    answers = story.why(word)
    assert all(one.target == word for one in answers)
    return [(one.kind, one.key) for one in answers]


@pytest.mark.covers("feat:O4")
def test_the_words_that_an_item_answers_to() -> None:
    story = Story()
    around = p.pio("2001:db8:1::", 48, flags=0x80)
    hears(story, p.ra(around, p.pio("2001:db8:1::"), p.rio("2001:db8:2::", 48), p.rio("::", 0, units=1), p.A9_DNR))
    story.chooses("a")
    router, route = ("router", R1), ("route", "2001:db8:2::/48 via fe80::1")
    default = ("route", "::/0 via fe80::1")
    assert kinds(story, R1) == [route, default, router]  # by whom it goes, and who it is
    assert kinds(story, "default") == kinds(story, " DEFAULT ") == kinds(story, "::/0") == [default, router]
    assert kinds(story, "2001:db8:ffff::1") == [default, router]  # where all goes that nothing else covers
    assert kinds(story, "198.51.100.1") == kinds(story, "0.0.0.0/0") == []  # no router of the other family
    own = [("address", "2001:db8:1::a/64")]
    assert kinds(story, "2001:db8:1::a") == kinds(story, "2001:DB8:1:0::a") == kinds(story, "2001:db8:1::a/64") == own
    for word in ("2001:db8:1::/64", "2001:db8:1::b/64", "2001:db8:1::b", "2001:db8:1::"):  # the nearest around it
        assert kinds(story, word) == [("prefix", "2001:db8:1::/64")]
    assert kinds(story, "2001:db8:1:1::") == [("prefix", "2001:db8:1::/48")]
    resolver = ("encrypted_dns", "1 dns.example.net. 2001:db8::53")
    assert kinds(story, "2001:db8::53") == kinds(story, "DNS.example.net") == [resolver]
    assert kinds(story, "1") == kinds(story, "1 dns") == kinds(story, "medium") == []
    for word in ("ra:e0/1/fe80::1", "e0/1/fe80::1", "RA:E0/1/FE80::1"):
        assert len(story.why(word)) > 5
    assert story.why("ra") == story.why("e0/1") == []


@pytest.mark.covers("feat:O4")
def test_what_dhcp_gave_answers_to_its_words() -> None:
    story = Story()
    hears(story, frame4(d.v4(3, d.o4(50, d.ip("192.0.2.10")))), 6)
    rule = d.o4(146, b"\x01" + d.ip("192.0.2.53") + bytes(4) + d.name("corp.example"))
    search = d.o4(119, d.name("b.example") + d.name("a.example"))
    more = (d.o4(3, d.ip("192.0.2.1")), d.o4(15, b"a.example"), search, rule)
    basic = (d.o4(54, d.ip("192.0.2.1")), d.o4(51, d.u32(600)), d.o4(1, d.ip("255.255.255.0")))
    frame = hears(story, frame4(d.v4(5, *basic, *more)))
    assert kinds(story, "192.0.2.10") == kinds(story, "192.0.2.10/24") == [("address", "192.0.2.10/24")]
    assert kinds(story, "default") == kinds(story, "0.0.0.0/0") == [("route", "0.0.0.0/0 via 192.0.2.1")]
    assert kinds(story, "192.0.2.1") == kinds(story, "203.0.113.9") == kinds(story, "default")
    assert kinds(story, "192.0.2.0/24") == kinds(story, "2001:db8::1") == []
    assert octets(story.why("default"), frame) == [more[0]]
    assert octets(story.why("b.example"), frame) == [search]
    assert octets(story.why("a.example"), frame) == [search]  # RFC 3397: 119 is what is searched, not 15
    assert octets(story.why("dhcp4"), frame) == [basic[1]]
    assert octets(story.why("192.0.2.53 corp.example."), frame) == [rule]


LEASE4 = {
    6: ("192.0.2.53", d.ip("192.0.2.53")),
    15: ("a.example", b"a.example"),
    42: ("192.0.2.123", d.ip("192.0.2.123")),
    114: (PORTAL, PORTAL.encode()),
    121: ("10.0.0.0/8", d.u8(8) + d.u8(10) + d.ip("192.0.2.1") + d.u8(0) + d.ip("192.0.2.1")),
    26: ("mtu", d.u16(1400)),
    51: ("192.0.2.10", d.u32(3600)),
}


@pytest.mark.covers("feat:O4")
@pytest.mark.parametrize("code", LEASE4)
def test_each_item_of_a_lease_leads_to_its_option(code: int) -> None:
    story = Story()
    hears(story, frame4(d.v4(3, d.o4(50, d.ip("192.0.2.10")))), 6)
    said = [d.o4(one, content) for one, (_, content) in LEASE4.items()]
    answer = d.v4(5, d.o4(54, d.ip("192.0.2.1")), d.o4(1, d.ip("255.255.255.0")), *said)
    frame = hears(story, frame4(answer))
    answers = story.why(LEASE4[code][0])
    if code == 51:
        assert {(one.kind, one.key) for one in answers} == {("address", "192.0.2.10/24")}
        assert all(one.option is None for one in answers)  # yiaddr is no option
        return
    assert octets(answers, frame) == [d.o4(code, LEASE4[code][1])]


@pytest.mark.covers("feat:O4")
def test_what_dhcpv6_leases_leads_to_the_option_inside_its_association() -> None:
    story = Story()
    address, prefix = d.iaaddr("2001:db8:a::7"), d.iaprefix("2001:db8:b::", 56)
    asked = (d.o6(1, d.DUID), d.o6(2, d.DUID), d.o6(6, d.u16(23) + d.u16(24)))
    hears(story, frame6(d.v6(3, *asked, d.ia_na(), d.ia_pd())), 6)
    ntp = d.o6(56, d.u16(1) + d.u16(16) + d.ip("2001:db8::123"))
    rule = d.o6(74, d.ip("2001:db8::53") + b"\1" + d.name("corp.example"))
    more = (d.o6(23, d.ip("2001:db8::53")), d.o6(24, d.name("a.example")), ntp, rule)
    # what has a number that means it in DHCPv4 says nothing of it: a user class, a time zone, one that is ignored
    hides = (d.o6(15, d.u16(1) + b"a"), d.o6(42, b"Europe/Berlin"), d.o6(6, d.u16(23)))
    frame = hears(story, frame6(d.v6(7, d.IDS, *hides, d.ia_na(address), d.ia_pd(prefix), *more)))
    assert octets(story.why("2001:db8:a::7"), frame) == [address]
    assert octets(story.why("2001:db8:b::/56"), frame) == [prefix]
    assert octets(story.why("2001:db8:b:0:1::1"), frame) == [prefix]  # by what is around it
    assert octets(story.why("2001:db8::53"), frame) == [more[0]]
    assert octets(story.why("a.example"), frame) == [more[1]]
    assert octets(story.why("2001:db8::123"), frame) == [ntp]
    assert octets(story.why("2001:db8::53 corp.example."), frame) == [rule]
    assert octets(story.why("dhcp6 2001:db8:a::7"), frame) == [address]
    assert octets(story.why("dhcp6 2001:db8:b::/56"), frame) == [prefix]


@pytest.mark.covers("feat:O4")
def test_since_is_who_brought_it_and_because_who_carried_it_last() -> None:
    story = Story()
    hears(story, p.ra(p.pio("2001:db8:1::", valid=100, preferred=50)), 1)
    first = story.journal.last_seq()
    story.at(60)
    frame = hears(story, p.ra(p.pio("2001:db8:1::", valid=100, preferred=50)))
    (answer,) = story.why("2001:db8:1::/64")
    assert (answer.since, answer.because, answer.until) == (first, first + 1, START + 160 * SECOND)
    assert octets([answer], frame) == [p.pio("2001:db8:1::", valid=100, preferred=50)]
    (forever,) = story.hear(build.ra(R1, build.pio("2001:db8:9::/64", None, None))).why("2001:db8:9::/64")
    assert forever.until is None
    assert story.why("2001:db8:8::/64") == story.why("nothing") == story.why("2001:db8:8::1/128") == []


@pytest.mark.covers("feat:O4", "feat:O3")
def test_what_ended_says_when_by_what_and_what_carried_it_last() -> None:
    story = Story()
    prefix = build.pio("2001:db8:1::/64", 100, 50)
    # from a router that is none by default: else whatever has ended would be reached through it
    story.hear(build.ra(R1, prefix, build.dns("2001:db8::53", life=300), life=0))
    first = story.journal.last_seq()
    story.at(50).hear(build.ra(R1, prefix, build.dns("2001:db8::53", life=300), life=0))
    story.at(70).hear(build.ra(R1, build.dns("2001:db8::53", life=0), life=0))
    (gone,) = story.why("2001:db8::53")
    assert (gone.ended_at, gone.ended_by) == (START + 70 * SECOND, "withdrawn")
    assert (gone.since, gone.because, gone.ended_because) == (first, first + 1, first + 2)
    assert (gone.target, gone.kind, gone.key, gone.until) == ("2001:db8::53", "dns", "2001:db8::53", None)
    story.at(200)
    (lapsed,) = story.why("2001:db8:1::/64")
    assert (lapsed.ended_at, lapsed.ended_by) == (START + 150 * SECOND, "lapsed")
    assert (lapsed.since, lapsed.because, lapsed.ended_because) == (first, first + 1, first + 1)
    # it comes again, and ends again: the last end counts, and the last beginning
    story.hear(build.ra(R1, prefix, life=0)).at(400)
    (again,) = story.why("2001:db8:1::/64")
    assert (again.ended_at, again.since) == (START + 300 * SECOND, first + 3)
    # as of before, it was held
    then = [one.ended_at for one in build.why(story.journal, "2001:db8:1::/64", at=START + 60 * SECOND)]
    assert then == [None]
    # and after a record, before anybody said that it lapsed
    assert [one.ended_at for one in build.why(story.journal, "2001:db8::53", seq=first + 1)] == [None]
    assert [one.ended_by for one in build.why(story.journal, "2001:db8::53", seq=first + 2)] == ["withdrawn"]
    assert story.why("2001:db8::99") == []


@pytest.mark.covers("feat:O4", "feat:O3")
def test_what_came_and_went_at_one_instant_is_told_record_by_record() -> None:
    on, off = (build.ra(R1, build.dns("2001:db8::53", life=life), life=0) for life in (1800, 0))
    story = Story().hear(build.ra(build.R2, build.pvd("x.example.", build.mtu(1300)), life=0), on, off, on, off)
    last = story.journal.last_seq()
    for seq, since, ended in ((last - 3,) * 2 + (None,), (last - 2, last - 3, last - 2), (last, last - 1, last)):
        (answer,) = build.why(story.journal, "2001:db8::53", seq=seq)
        assert (answer.since, answer.because, answer.ended_because) == (since, since, ended)
        assert (answer.kind, answer.key, answer.value) == ("dns", "2001:db8::53", ())
        assert answer.option is None or answer.option.data == b""  # nobody has the frame


@pytest.mark.covers("feat:O4", "feat:O3")
def test_what_lapsed_after_the_last_record_is_told_of_a_pvd_and_of_its_items() -> None:
    items = (build.dns("2001:db8::53", life=60), build.mtu(1400), build.rio("2001:db8:9::/48", 60))
    said = build.ra(R1, build.pvd("x.example.", *items), life=100)
    story = Story().hear(said)
    first = story.journal.last_seq()
    story.at(10).hear(said)
    later = START + 500 * SECOND
    found = build.why(story.journal, "X.example", at=later)
    assert [(one.kind, one.ended_by, (one.ended_at or 0) - START) for one in found] == [
        ("dns", "lapsed", 70 * SECOND),
        ("mtu", "lapsed", 110 * SECOND),
        ("route", "lapsed", 70 * SECOND),
        ("router", "lapsed", 110 * SECOND),
    ]
    assert {(one.pvd, one.since, one.because, one.target) for one in found} == {
        ("fqdn:x.example.", first, first + 1, "X.example")
    }
    assert [one.kind for one in build.why(story.journal, "2001:db8::53", at=later)] == ["dns"]


@pytest.mark.parametrize("order", [(R1, build.R2), (build.R2, R1)])
def test_of_what_lapsed_at_one_instant_each_leads_to_the_record_that_carried_it(order: tuple[str, str]) -> None:
    """Their line of history is one, and says one record."""
    story = Story().hear(build.ra(order[0], build.pvd("x.example.", build.dns("2001:db8::53", life=60)), life=20))
    first = story.journal.last_seq()
    story.at(10).hear(build.ra(order[1], build.pvd("x.example.", build.dns("2001:db8::54", life=50)), life=10)).at(90)
    assert {item[1] for item in story.history()[-1].removed if item[0] == "dns"} == {"2001:db8::53", "2001:db8::54"}
    for server, carried in (("2001:db8::53", first), ("2001:db8::54", first + 1)):
        (found,) = story.why(server)
        assert (found.ended_by, found.since, found.because) == ("lapsed", carried, carried)


@pytest.mark.covers("feat:O4", "feat:O3")
def test_what_moved_because_something_else_lapsed_leads_to_the_record_that_carried_it_last() -> None:
    story = Story().hear(build.ra(R1, build.pvd("x.example.", legacy=True), life=10))
    claim = story.journal.last_seq()
    story.at(1).leases4()
    leased = story.journal.last_seq()
    story.at(5).leases4()
    later = START + 30 * SECOND
    for asked in (later, None):  # told by time alone, and by a record that came later
        found = build.why(story.journal, "x.example", at=asked) if asked else []
        story.at(30)
        if not asked:
            story.hear(build.ra(build.R2))
            found = story.why("fqdn:x.example.")
        moved = [one for one in found if one.ended_by == "moved"]
        assert {one.kind for one in moved} == {"address", "dns", "lease", "route"}
        assert {(one.since, one.because, one.ended_because, one.ended_at) for one in moved} == {
            (leased, leased + 2, claim, START + 10 * SECOND)
        }


@pytest.mark.covers("feat:O4")
def test_of_one_pvd_on_two_links_each_answers_in_order() -> None:
    said = build.pvd("x.example.", build.mtu(1400))
    story = Story().hear(build.ra(R1, said, link="e1"), build.ra(build.R2, said))
    assert [(one.link, one.kind) for one in story.why("mtu")] == [("e0", "mtu"), ("e1", "mtu")]


@pytest.mark.covers("feat:O4")
def test_what_one_lease_gives_to_two_pvds_is_told_of_each() -> None:
    """Also where the first of them is not asked for: what it holds was looked at for another word."""
    story = Story()
    for router, name in ((R1, "a.example."), (build.R2, "b.example.")):
        story.hear(build.ra(router, build.pvd(name, build.mtu(1400)), o=True))
    story.asks6("INFORMATION-REQUEST", build.addresses(23, "2001:db8::53"))
    for name in ("a.example", "b.example"):
        assert [(one.pvd, one.host, one.kind) for one in story.why(name)] == [
            (f"fqdn:{name}.", "", "mtu"),
            (f"fqdn:{name}.", "", "router"),
            (f"fqdn:{name}.", build.DUID, "dns"),
        ]
    assert [(one.pvd, one.kind) for one in story.why("2001:db8::53")] == [
        ("fqdn:a.example.", "dns"),
        ("fqdn:b.example.", "dns"),
    ]
    # two PvDs of one router have nothing in common but that
    both = Story().hear(build.ra(R1, build.pvd("a.example.")), build.ra(R1, build.pvd("b.example.", build.mtu(1400))))
    assert [one.pvd for one in both.why("mtu")] == ["fqdn:b.example."]


def test_refolding_tells_each_record_whose_state_was_another() -> None:
    story = Story(visits_max=2)
    for octets_ in (1400, 1500, 1280):
        story.hear(build.ra(R1, build.mtu(octets_)))
        story.journal.save_digest(story.journal.last_seq(), state_digest(story.state))
    last = story.journal.last_seq()
    assert verify(story.journal, story.journal.head()) == []
    assert verify(story.journal, "ab" * 32) == [UNKNOWN_HEAD.format(head="ab" * 32)]
    story.journal.save_digest(last - 1, state_digest(State()))
    assert verify(story.journal) == [f"folding up to record {last - 1} gives another State than was recorded"]


@pytest.mark.covers("feat:O3")
def test_a_snapshot_that_leans_on_another_is_read_with_it() -> None:
    story, packer = Story().hear(build.ra(R1, build.mtu(1400))), snapshot.Packer()
    whole = story.journal.last_seq()
    story.journal.save_snapshot(whole, packer.whole(story.state))
    story.hear(build.ra(build.R2, build.mtu(1500)))
    story.journal.save_snapshot(whole + 1, packer.changed(story.state))
    story.journal.steps = no_steps(story.journal, whole + 1)  # type: ignore[method-assign]
    assert snapshot.encode(state_at(story.journal)) == snapshot.encode(story.state)


def no_steps(journal: MemoryJournal, done: int) -> Any:
    """Steps that may not be asked for again up to a record."""
    steps = journal.steps

    def later(first: int = 1, last: int | None = None, known: Any = MappingProxyType({})) -> Any:
        assert first > done, "what a snapshot says is not folded again"
        return steps(first, last, known)

    return later


@pytest.mark.covers("feat:O3")
def test_from_a_snapshot_on_only_what_came_later_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story().hear(build.ra(R1, build.mtu(1400)))
    kept = story.journal.last_seq()
    story.journal.save_snapshot(kept, snapshot.pack(story.state))
    story.at(5).hear(build.ra(R1, build.mtu(1500)))
    asked: list[tuple[int, int | None]] = []
    told: list[dict[int, Any]] = []

    def steps(first: int = 1, last: int | None = None, known: Any = MappingProxyType({})) -> Any:
        asked.append((first, last))
        told.append(dict(known))
        return MemoryJournal.steps(story.journal, first, last)

    monkeypatch.setattr(story.journal, "steps", steps)
    assert snapshot.encode(state_at(story.journal)) == snapshot.encode(story.state)
    assert state_at(story.journal, seq=kept - 1).seq == kept - 1
    assert asked == [(kept + 1, kept + 1), (1, kept - 1)]
    record = story.journal.record(kept)
    assert record is not None and told == [{kept: record.event}, {}], "what routers said last need not be read"
    # one of another program, or none at all, is as good as none
    story.journal.save_snapshot(kept + 1, b'{"of": "another"}')
    assert snapshot.encode(state_at(story.journal)) == snapshot.encode(story.state)
    assert asked[2:] == [(1, kept + 1)]


@pytest.mark.covers("feat:O1", "feat:O3")
def test_history_is_read_from_its_index_or_else_folded_again() -> None:
    assert list(chronicle(MemoryJournal())) == []
    story = Story()
    story.hear(build.ra(R1, build.mtu(1400)), build.ra(build.R2, build.pvd("x.example.", build.mtu(1300)))).at(9999)
    lines = list(chronicle(story.journal))
    mine = list(chronicle(story.journal, "fqdn:x.example."))
    assert {line.pvd for line in lines} == {"fqdn:x.example.", "ra:e0/1/fe80::1"}
    assert mine == [line for line in lines if line.pvd == "fqdn:x.example."] != []
    said = msgspec.structs.replace(lines[0], pvd="ra:e0/1/fe80::9")
    story.journal.index([said])
    assert list(chronicle(story.journal)) == [*lines, said]
    assert list(chronicle(story.journal, said.pvd)) == [said]
    # what lapsed with time alone is in no record: whoever folds again lets time go on to see it
    story.journal.drop_derived()
    told = [line for line in lines if line.cause != "lapsed"]
    assert list(chronicle(story.journal)) == told != lines
    assert list(chronicle(story.journal, "fqdn:x.example.")) == [line for line in mine if line.cause != "lapsed"]
    lapsed = [line for line in lines if line.cause == "lapsed"]
    assert list(lapsed_since(story.journal, story.state)) == lapsed
    assert lapsed_since(story.journal, state_at(story.journal)) == ()
    assert lapsed_since(story.journal, state_at(story.journal, seq=story.journal.last_seq() - 1)) == ()
    story.journal.index(lines)
    assert lapsed_since(story.journal, story.state) == ()


@pytest.mark.parametrize("before", [True, False])
def test_a_question_leaves_the_collector_of_cycles_as_it_was(before: bool) -> None:
    story = Story().hear(build.ra(R1, build.mtu(1400)))
    was = gc.isenabled()
    (gc.enable if before else gc.disable)()
    try:
        with without_collector():
            assert not gc.isenabled()
        assert state_at(story.journal) == story.state
        assert gc.isenabled() is before
    finally:
        (gc.enable if was else gc.disable)()


@pytest.mark.covers("feat:O3", "feat:P3")
def test_the_difference_of_two_instants_is_told_pvd_by_pvd() -> None:
    story = Story()
    story.hear(build.ra(R1, build.mtu(1400), build.dns("2001:db8::53", life=300)))
    before = story.state
    story.at(10).hear(build.ra(R1, build.mtu(1500), build.dns("2001:db8::54")))
    story.hear(build.ra(build.R2, build.pvd("x.example.", build.mtu(1300))))
    found = diff(before, story.state)
    assert [(one.pvd, one.appeared, one.ended) for one in found] == [
        ("fqdn:x.example.", True, False),
        ("ra:e0/1/fe80::1", False, False),
    ]
    changed: Any = found[1]
    assert [item[:2] for item in changed.added] == [("dns", "2001:db8::54")]
    assert [(old[2], new[2]) for old, new in changed.changed] == [((1400,), (1500,))]
    assert changed.removed == ()
    back = diff(story.state, before)
    assert [(one.pvd, one.appeared, one.ended) for one in back] == [
        ("fqdn:x.example.", False, True),
        ("ra:e0/1/fe80::1", False, False),
    ]
    assert [item[:2] for item in back[1].removed] == [("dns", "2001:db8::54")]
    assert diff(before, before) == []
    third = story.hear(build.ra("fe80::3", build.mtu(1400))).state
    assert [one.pvd for one in diff(story.hear(build.ra("fe80::3", build.mtu(1280))).state, third)] == [
        "ra:e0/1/fe80::3"
    ]
    # what was is folded from the records: at an instant what ended by then has ended, after a record it has not
    assert state_at(story.journal, at=START) == before
    assert state_at(story.journal, at=START + 5 * SECOND).now == START + 5 * SECOND
    assert state_at(story.journal, seq=before.seq).now == START
    assert state_at(story.journal).seq == story.journal.last_seq()
    assert verify(story.journal) == []
