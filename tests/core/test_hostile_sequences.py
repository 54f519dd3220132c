"""Hostile orders of good packets, standards.md E50, E60, E85–E87 and E93–E95: frames in, state out."""

import struct
from collections.abc import Iterator

import pytest

from adapters.ingest import Translator
from events.frames import NETLINK, Frame
from events.ids import NEVER, SECOND, Instant
from events.link import AttachEnded, LinkGone, LinkSeen
from pvdcore.domains.view import items
from pvdcore.engine import Engine
from pvdcore.past.journal import MemoryJournal
from pvdcore.past.snapshot import digest
from pvdcore.state import until
from tests.fuzz.targets import frame4
from tests.sim.build import R1, START, Story
from tests.wire import dhcp_octets as dhcp
from tests.wire import hostile_netlink as netlink
from tests.wire import packets as p

I1 = "ra:e0/1/fe80::1"
P = "2001:db8:1::/64"


def heard(told: Story, *frames: Frame) -> Story:
    """Frames at this instant on e0, by the way of a packet."""
    translator = Translator()
    for frame in frames:
        told.hear(*translator.translate(Frame(told.now, "e0", frame.linktype, frame.data)))
    return told


def advertisement(*options: bytes, life: int = 1800) -> Frame:
    return p.ra(*options, start=p.header(life))


FIRST = advertisement(p.pio("2001:db8:1::"), p.rdnss("2001:db8::53"))
SECOND_RA = advertisement(p.pio("2001:db8:1::"), p.rdnss("2001:db8::53"), p.mtu(1400))


# E50


@pytest.mark.covers("evil:E50")
@pytest.mark.parametrize(
    ("xid", "mac"),
    [(0x01020305, "02000000aa01"), (0x01020304, "020000006666"), (0x01020305, "020000006666")],
    ids=["another transaction", "another host's address", "a broadcast for a neighbour"],
)
def test_an_answer_to_a_question_we_did_not_hear_is_no_lease(xid: int, mac: str) -> None:
    told = heard(Story(), exchange(3, op=1), exchange(5, op=2, yiaddr="192.0.2.10", xid=xid, mac=mac))
    assert told.alive() == []
    assert heard(told, exchange(5, op=2, yiaddr="192.0.2.10")).alive() == ["if:e0/1"]


# E60


@pytest.mark.covers("evil:E60")
@pytest.mark.parametrize(("policy", "alive"), [("accept", ["if:e0/1"]), ("reject", [])])
def test_a_wrong_udp_checksum_counts_unless_policy_rejects_it(policy: str, alive: list[str]) -> None:
    """Offload leaves wrong sums in captures of a sending host: noted on the record, and a knob says what it means."""
    told = Story(udp_checksum=policy)
    for frame in (exchange(3, op=1), exchange(5, op=2, yiaddr="192.0.2.10")):
        data = bytearray(frame.data)
        data[40:42] = b"\x12\x34"
        heard(told, Frame(0, "e0", frame.linktype, bytes(data)))
    assert told.alive() == alive
    codes = [note.code for record in told.journal.records() for note in getattr(record.event, "notes", ())]
    assert codes == ["udp-checksum", "udp-checksum"]
    assert sum(one.count for one in told.state.rejected.values()) == (2 if policy == "reject" else 0)


# E85


@pytest.mark.covers("evil:E85")
def test_the_same_packet_twice_is_the_same_state() -> None:
    once, thrice = heard(Story(), FIRST), heard(Story(), FIRST, FIRST, FIRST)
    assert once.holdings(I1) == thrice.holdings(I1)
    assert len(once.history(I1)) == len(thrice.history(I1)) == 1
    assert once.ends(I1, "prefix", P) == thrice.ends(I1, "prefix", P) == 3600


@pytest.mark.covers("evil:E85")
def test_a_packet_that_comes_late_counts_from_when_it_came() -> None:
    """The later RA came first. Each counts at its arrival; time does not go back for the earlier."""
    told = heard(Story().at(10), SECOND_RA)
    told.now = START + 5 * SECOND
    heard(told, FIRST)
    assert told.state.now == START + 10 * SECOND
    assert told.ends(I1, "prefix", P) == 3610
    (record,) = list(told.journal.records())[-1:]
    assert record.at == START + 10 * SECOND
    assert record.provenance.captured_at == START + 5 * SECOND


@pytest.mark.covers("evil:E85")
@pytest.mark.parametrize("wakes", [[], [-100], [0], [3600, 3599, 0, -5], [1, 2, 3, 3599, 3600, 3600]])
def test_a_timer_without_its_cause_or_after_it_or_backwards_changes_nothing(wakes: list[int]) -> None:
    """A wake-up is no event: before the first record, for what has ended, and to an earlier instant it is nothing."""
    told = Story()
    for seconds in wakes[:1]:
        told.engine.wake(START + seconds * SECOND - 10_000 * SECOND)
    heard(told, FIRST)
    for seconds in wakes:
        told.engine.wake(START + seconds * SECOND)
    told.at(4000)
    plain = heard(Story(), FIRST).at(4000)
    assert digest(told.state) == digest(plain.state)
    assert told.history() == plain.history()
    assert told.alive() == []
    told.at(9000)  # long after its end
    assert told.history() == plain.history()


# E86


def notices(kind: int, count: int) -> Iterator[Frame]:
    cooked = struct.pack("!HH10xH", 4, 824, 0)
    for ifindex in range(1, count + 1):
        yield Frame(0, "e0", NETLINK, cooked + netlink.link(ifindex, b"v%d\0" % ifindex, kind=kind))


@pytest.mark.covers("evil:E86")
def test_a_thousand_interfaces_come_and_go_in_a_second() -> None:
    journal = MemoryJournal()
    engine = Engine(journal)
    translator = Translator()
    at: Instant = START
    for kind, event in ((16, LinkSeen), (17, LinkGone), (16, LinkSeen)):
        for frame in notices(kind, 1000):
            (seen,) = translator.translate(frame)
            assert isinstance(seen, event)
            at += SECOND // 3000
            engine.submit(seen, source="netlink", at=at)
        links = [link for name, link in sorted(engine.state.links.items()) if name.startswith("e0%")]
        assert len(links) == 1000
        assert all((link.gone_at is None) is (kind == 16) for link in links)
    assert {link.epoch for link in links} == {2}
    assert dict(engine.state.pvds) == {}


@pytest.mark.covers("evil:E86")
def test_an_attachment_that_never_began_can_end() -> None:
    told = Story().hear(AttachEnded(link="e9"))
    assert "e9" not in told.state.links
    told.detach().detach()
    assert told.history() == [] and told.alive() == []


def exchange(
    message: int, *, op: int, yiaddr: str = "0.0.0.0", xid: int = 0x01020304, mac: str = "02000000aa01"
) -> Frame:
    """A REQUEST for 192.0.2.10 (op 1), or a server's answer (op 2)."""
    fixed = bytearray(dhcp.fixed4(op=op, yiaddr=yiaddr))
    fixed[4:8], fixed[28:34] = dhcp.u32(xid), bytes.fromhex(mac)
    options = dhcp.o4(53, bytes((message,))) + dhcp.o4(54, dhcp.ip("192.0.2.1"))
    options += dhcp.o4(51, dhcp.u32(600)) if op == 2 else dhcp.o4(50, dhcp.ip("192.0.2.10"))
    return frame4(bytes(fixed) + options + b"\xff")


@pytest.mark.covers("evil:E86")
def test_an_ack_after_the_end_of_the_attachment_is_no_lease() -> None:
    asked, ack = exchange(3, op=1), exchange(5, op=2, yiaddr="192.0.2.10")
    told = heard(Story(), asked, ack)
    assert told.alive() == ["if:e0/1"]
    late = heard(heard(Story(), asked).at(1).detach().at(2), ack)
    assert late.alive() == []
    assert "heard-unattached" in late.findings()


# E87


@pytest.mark.covers("evil:E87")
def test_an_end_past_the_last_instant_is_never() -> None:
    """The sum of a lifetime and the time it came at would be over 2^63: it is infinity, not the past."""
    journal = MemoryJournal()
    engine = Engine(journal)
    at = NEVER - 100 * SECOND
    long = advertisement(p.pio("2001:db8:1::", valid=2**32 - 2, preferred=2**32 - 2), life=65535)
    frame = Frame(at, "e0", long.linktype, long.data)
    engine.submit(LinkSeen(link="e0", identity="capture:e0", name="e0"), source="story", at=at)
    engine.hear(frame, Translator().translate(frame), source="story", packet=1)
    ((cell, _),) = engine.state.pvds[I1].instances
    ends = {held.kind: until(source, held) for source, held in items(engine.state, I1, cell)}
    assert ends["prefix"] == ends["router"] == NEVER
    engine.wake(NEVER - 1)
    assert engine.state.pvds[I1].phase == "announced"


@pytest.mark.covers("evil:E87")
def test_lifetimes_that_shrink_and_grow_with_each_packet_make_no_version() -> None:
    told = Story()
    for turn in range(100):
        valid = 1000 if turn % 2 else 5000
        heard(told.at(turn), advertisement(p.pio("2001:db8:1::", valid=valid, preferred=valid)))
        assert told.ends(I1, "prefix", P) == turn + valid
    assert len(told.history(I1)) == 1
    told.at(99 + 999.9)
    assert told.keys(I1, "prefix") == [P]
    told.at(99 + 1000)
    assert told.keys(I1, "prefix") == []


# E93


@pytest.mark.covers("evil:E93")
def test_a_default_route_option_beside_lifetime_zero_lasts_until_the_next_header() -> None:
    route = p.rio("::", 0, units=1)
    told = heard(Story(), advertisement(route, p.pio("2001:db8:1::"), life=0))
    assert told.keys(I1, "router") == []
    assert told.ends(I1, "route", f"::/0 via {R1}") == 600
    heard(told.at(10), advertisement(p.pio("2001:db8:1::"), life=0))
    assert told.keys(I1, "route") == []
    assert told.keys(I1, "prefix") == [P]


@pytest.mark.covers("evil:E93")
@pytest.mark.parametrize(("lives", "end"), [((600, 0), None), ((0, 600), 600), ((600, 900), 900), ((900, 600), 600)])
def test_of_two_options_for_one_route_the_last_counts(lives: tuple[int, int], end: int | None) -> None:
    told = heard(Story(), advertisement(*[p.rio("2001:db8:ff::", 48, life) for life in lives]))
    route = f"2001:db8:ff::/48 via {R1}"
    assert told.keys(I1, "route") == ([] if end is None else [route])
    if end is not None:
        assert told.ends(I1, "route", route) == end


@pytest.mark.covers("evil:E93")
def test_a_router_that_says_it_is_none_takes_its_routes_along() -> None:
    told = heard(Story(), advertisement(p.rio("2001:db8:ff::", 48), p.pio("2001:db8:1::")))
    heard(told.at(5), p.na(flags=0x20))
    assert told.keys(I1, "router") == told.keys(I1, "route") == []
    assert told.keys(I1, "prefix") == [P]
    kept = heard(heard(Story(), advertisement(p.rio("2001:db8:ff::", 48))), p.na(flags=0xA0))
    assert kept.keys(I1, "route") == [f"2001:db8:ff::/48 via {R1}"]


# E94 and E95: addresses of this host

A = "2001:db8:1::a"


def formed(valid: int, mac: str = p.MAC) -> Story:
    """A host that formed one address of R1's prefix."""
    return heard(Story(), advertisement(p.pio("2001:db8:1::", valid=valid, preferred=valid))).chooses(mac=mac)


@pytest.mark.covers("evil:E94")
@pytest.mark.parametrize("length", [48, 63, 65])
def test_the_same_bits_of_another_length_are_another_prefix(length: int) -> None:
    told = formed(36_000)
    before = told.has()
    assert before == {A: (I1, 36_000, 36_000)}
    heard(told.at(5), advertisement(p.pio("2001:db8:1::", length, valid=0, preferred=0)))
    assert told.has() == before
    heard(told, advertisement(p.pio("2001:db8:1::", length, valid=86_400, preferred=86_400)))
    assert told.has() == before
    assert set(told.keys(I1, "prefix")) == {P, f"2001:db8:1::/{length}"}


@pytest.mark.covers("evil:E94")
@pytest.mark.parametrize(
    ("left", "announced", "then"),
    [
        (7199, 7200, 7200),  # more than is left
        (7200, 7200, 7200),  # no more than is left, and no more than two hours are left: what is left stays
        (7201, 7200, 7200),  # more than two hours are left: two hours
        (7199, 7201, 7201),  # more than two hours
        (7200, 7201, 7201),
        (7201, 7201, 7201),
        (7199, 7198, 7199),  # neither
        (7201, 60, 7200),
    ],
)
def test_the_two_hours_to_the_second(left: int, announced: int, then: int) -> None:
    """RFC 4862 §5.5.3 e."""
    told = formed(left)
    heard(told, advertisement(p.pio("2001:db8:1::", valid=announced, preferred=announced)))
    assert told.has()[A][1] == then


@pytest.mark.covers("evil:E95")
@pytest.mark.parametrize(
    "frame",
    [
        p.ns(source="::", target=A, destination="ff02::1:ff00:a"),
        p.ns(source="fe80::77", target=A, destination="ff02::1:ff00:a"),
        p.na(source="fe80::77", target=A, flags=0x20),
        p.na(source="fe80::77", target="2001:db8:1::b", flags=0x20),
    ],
    ids=["our own probe, looped back", "a resolver", "our own NA (RFC 4429)", "an NA for another"],
)
def test_what_ends_no_tentative_address(frame: Frame) -> None:
    assert heard(formed(36_000), frame).has() != {}


@pytest.mark.covers("evil:E95")
def test_anothers_probe_ends_a_tentative_address_before_and_after_our_own() -> None:
    probe = p.ns(source="::", target=A, destination="ff02::1:ff00:a")  # of p.MAC, which is not ours here
    answer = p.na(source="fe80::77", target=A, flags=0x20)
    mine = "02:00:00:00:00:99"
    own = Frame(0, "e0", probe.linktype, probe.data[:6] + bytes.fromhex(mine.replace(":", "")) + probe.data[12:])
    assert heard(formed(36_000, mac=mine), own).has() != {}
    assert heard(formed(36_000, mac=mine), probe).has() == {}
    assert heard(formed(36_000, mac=mine), own, probe).has() == {}
    assert heard(formed(36_000, mac=mine), answer).has() == {}
