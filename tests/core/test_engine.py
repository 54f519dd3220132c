"""The engine gives an event its number and its time, writes it down, then folds it, and tells what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from events.codec import SCHEMA, AnyEvent
from events.frames import ETHERNET, Frame
from events.ids import NEVER, SECOND, Instant
from events.link import LinkGone, LinkSeen
from events.operator import PolicySet, PvdPinned
from events.record import Provenance, Record
from events.router import RouterAdvertised
from pvdcore import engine as spacing
from pvdcore.engine import Engine
from pvdcore.past import snapshot
from pvdcore.past.audit import state_at
from pvdcore.past.journal import MemoryJournal, frame_digest
from pvdcore.policy import DEFAULT
from pvdcore.ports import Kept
from pvdcore.reduce import Fold
from pvdcore.routers.words import Slack, Words
from pvdcore.state import Change
from tests.sim.build import R1, R2, R3, START, container, dns, mtu, pio, pvd, ra

X, DNS = "fqdn:x.example.", "2001:db8::53"
SAID = ra(R1, pvd("x.example."), life=60)


def frame(at: Instant, data: bytes = b"octets", link: str = "e0") -> Frame:
    return Frame(at, link, ETHERNET, data)


def begun() -> Engine:
    """An engine at START that has seen its policy and a link."""
    made = Engine(MemoryJournal())
    made.submit(PolicySet(values=DEFAULT.values), source="s", at=START)
    made.submit(LinkSeen(link="e0", identity="e0", name="e0"), source="s", at=START)
    return made


def last(engine: Engine) -> Record:
    record = engine.journal.record(engine.journal.last_seq())
    assert record is not None and record.seq == engine.seq == engine.state.seq
    return record


def test_what_a_frame_says_is_a_record_each_with_the_frame_and_the_packet() -> None:
    engine = begun()
    engine.hear(frame(START + 5), (SAID, LinkGone(link="e1")), source="a.pcap", packet=7)
    name = frame_digest(b"octets")
    said = Provenance("a.pcap", 7, name, ETHERNET)
    assert list(engine.journal.records(3)) == [
        Record(3, START + 5, SCHEMA, said, SAID),
        Record(4, START + 5, SCHEMA, replace(said, interface="e0"), LinkGone(link="e1")),
    ]
    assert engine.seq == engine.state.seq == 4 and engine.state.now == START + 5
    assert engine.journal.frame(name) == b"octets"


def test_a_frame_that_says_nothing_leaves_nothing() -> None:
    engine = begun()
    before = engine.state
    engine.hear(frame(START + 5), (), source="a.pcap", packet=7)
    assert engine.state is before and engine.journal.last_seq() == 2
    engine.hear(frame(START), (SAID,), source="a.pcap")
    assert last(engine).provenance.packet == 0


@pytest.mark.parametrize(
    ("own", "believed", "counts", "kept"),
    [
        (10, None, 10, None),
        (-5, None, 0, -5),  # late: time does not go backwards
        (0, None, 0, None),
        (10, 3, 3, 10),
        (3, 3, 3, None),
        (-5, -9, 0, -5),
        (900_000, 4, 4, 900_000),
    ],
)
def test_a_frame_counts_when_it_is_believed_and_never_before_now(
    own: int, believed: int | None, counts: int, kept: int | None
) -> None:
    engine = begun()
    at = None if believed is None else START + believed * SECOND
    engine.hear(frame(START + own * SECOND), (SAID,), source="a.pcap", at=at)
    record = last(engine)
    assert record.at == engine.state.now == START + counts * SECOND
    assert record.provenance.captured_at == (None if kept is None else START + kept * SECOND)
    told = [code for code, _, _ in engine.state.findings]
    assert told == (["time-jump"] if own > 800_000 else []), "the packet's own time is folded with it"


@pytest.mark.parametrize(("at", "kept"), [(0, None), (5, None), (-5, START - 5)])
def test_what_comes_in_no_frame_is_written_down_with_its_source(at: int, kept: int | None) -> None:
    engine = begun()
    engine.submit(LinkGone(link="e1"), source="netlink", at=START + at)
    expected = Provenance("netlink", captured_at=kept)
    assert last(engine) == Record(3, START + max(at, 0), SCHEMA, expected, LinkGone(link="e1"))


def test_a_record_of_another_journal_is_taken_over_as_it_is_but_for_its_number() -> None:
    engine = begun()
    said = Provenance("old.pcap", 9, frame_digest(b"octets"), ETHERNET, START - 7, 1514, "e0.1")
    engine.adopt(Record(77, START + 4, SCHEMA - 1, said, SAID), b"octets")
    assert last(engine) == Record(3, START + 4, SCHEMA - 1, said, SAID)
    engine.adopt(Record(1, START, SCHEMA, Provenance("old"), LinkGone(link="e1")))
    assert last(engine) == Record(4, START + 4, SCHEMA, Provenance("old"), LinkGone(link="e1")), "nor before now"
    with pytest.raises(ValueError, match="does not have"):
        engine.adopt(Record(1, START, SCHEMA, Provenance("old", frame="00" * 16), SAID))


class Broken(MemoryJournal):
    """A disk that is full."""

    full = False

    def append(self, record: Record, frame: bytes | None) -> None:
        if self.full:
            raise OSError
        super().append(record, frame)


def test_what_could_not_be_written_down_was_not_folded() -> None:
    journal = Broken()
    engine = Engine(journal)
    engine.submit(LinkSeen(link="e0", identity="e0", name="e0"), source="s", at=START)
    before, journal.full = engine.state, True
    with pytest.raises(OSError):
        engine.submit(LinkGone(link="e0"), source="s", at=START)
    with pytest.raises(OSError):
        engine.hear(frame(START), (SAID,), source="a.pcap")
    assert engine.state is before and engine.seq == 1
    journal.full = False
    engine.submit(LinkGone(link="e0"), source="s", at=START)
    assert engine.seq == 2


# --- Lines of history ------------------------------------------------------------------------------------------------


def test_new_lines_are_indexed_then_told_to_everybody_once() -> None:
    engine = begun()
    told: list[tuple[str, tuple[Change, ...]]] = []
    engine.told += [lambda lines: told.append(("a", lines)), lambda lines: told.append(("b", lines))]
    engine.hear(frame(START), (SAID,), source="a.pcap")
    (line,) = engine.journal.history()
    assert (line.pvd, line.cause, line.seq) == (X, "announced", 3)
    assert told == [("a", (line,)), ("b", (line,))]
    told.clear()
    engine.hear(frame(START + SECOND), (SAID,), source="a.pcap")
    engine.submit(LinkGone(link="e1"), source="s", at=START + SECOND)
    engine.wake(START + 60 * SECOND)
    assert told == [], "nothing new, nothing told"
    engine.wake(START + 61 * SECOND)
    lapsed = list(engine.journal.history())[-1]
    assert (lapsed.cause, lapsed.at, lapsed.seq) == ("lapsed", START + 61 * SECOND, 5)
    assert told == [("a", (lapsed,)), ("b", (lapsed,))]
    engine.wake(START + 900 * SECOND)
    engine.wake(START)
    assert len(told) == 2 and engine.state.now == START + 900 * SECOND
    assert len(list(engine.journal.history())) == 2


def test_to_wake_is_due_when_something_ends() -> None:
    engine = begun()
    assert engine.wake_at() == NEVER
    engine.hear(frame(START), (SAID,), source="a.pcap")
    assert engine.wake_at() == START + 60 * SECOND
    engine.wake(START + 60 * SECOND)
    assert engine.wake_at() == NEVER and engine.state.pvds[X].phase == "gone"


def test_who_starts_again_tells_only_of_what_the_index_does_not_have() -> None:
    first = begun()
    both = (ra(R1, pvd("x.example."), life=60), ra(R2, pvd("y.example."), life=90))
    first.hear(frame(START), both, source="a.pcap")
    first.wake(START + 60 * SECOND)
    known = list(first.journal.history())
    again, told = Engine(first.journal, state_at(first.journal)), list[Change]()
    again.told.append(told.extend)
    again.wake(START + 100 * SECOND)
    assert [(one.pvd, one.cause) for one in told] == [("fqdn:y.example.", "lapsed")]
    assert list(first.journal.history()) == [*known, *told]
    again.hear(frame(START + 100 * SECOND), both, source="a.pcap")
    assert [one.cause for one in told] == ["lapsed", "announced", "announced"]


def test_who_is_stirred_is_named_once_and_in_order() -> None:
    engine = begun()
    engine.hear(frame(START), (ra(R1, pvd("y.example.")), ra(R2, pvd("x.example."))), source="a.pcap")
    assert engine.stirred() == [X, "fqdn:y.example."] and engine.stirred() == []
    engine.submit(PvdPinned(X), source="s", at=START)
    assert engine.stirred() == [X]


# --- Repeats that wait -----------------------------------------------------------------------------------------------


def repeating(engine: Engine, event: AnyEvent = SAID) -> Engine:
    for _ in range(2):
        engine.hear(frame(engine.state.now), (event,), source="a.pcap", packet=1)
    return engine


def says_again(engine: Engine, words: Words, *told: tuple[Instant, int]) -> None:
    """Packets of these words, each by its instant and number."""
    if told:
        words.wait(told[-1][0], engine.seq + len(told))
    ats, packets = [at for at, _ in told], [packet for _, packet in told]
    engine.again([words] if told else [], [words.seq] * len(told), ats, packets)


def test_quiet_is_from_now_to_the_next_end_and_up_to_the_next_checkpoint() -> None:
    engine = repeating(begun())
    first, before, room = engine.quiet()
    assert (first, before) == (START, START + 60 * SECOND)
    assert 0 < room < spacing.CHECKPOINT_EVERY
    words = engine.words(SAID)
    assert words is not None
    says_again(engine, words, (START + SECOND, 9))
    assert engine.quiet() == (START + SECOND, START + 60 * SECOND, room - 1), "the heap is not asked for each repeat"


def test_words_stand_while_their_router_says_them_and_nothing_else() -> None:
    engine = repeating(begun())
    words = engine.words(SAID)
    assert words is not None and (words.speaker, words.seq, words.standing) == (("e0", R1), engine.seq, SAID)
    standing = engine.standing
    (found,) = mine = standing[words.speaker]
    assert found is words.standing and engine.words(ra(R2)) is None
    engine.hear(frame(START), (ra(R1, pvd("x.example."), life=70),), source="a.pcap")
    assert engine.words(SAID) is None and engine.standing is standing
    assert mine == [] and words.speaker not in standing, "who has the list need not look it up"


def test_what_is_said_again_is_a_record_each_like_the_first_and_no_history() -> None:
    engine = repeating(begun())
    words = engine.words(SAID)
    assert words is not None
    told: list[object] = []
    engine.told.append(told.append)
    says_again(engine, words)
    assert engine.seq == 4
    ats = [START + number * SECOND for number in (1, 2, 2)]
    says_again(engine, words, (ats[0], 11), (ats[1], 12), (ats[2], 13))
    like = engine.journal.record(words.seq)
    assert like is not None
    assert [(one.seq, one.at, one.provenance.packet, one.event) for one in engine.journal.records(5)] == [
        (5, ats[0], 11, SAID),
        (6, ats[1], 12, SAID),
        (7, ats[2], 13, SAID),
    ]
    assert {one.provenance.frame for one in engine.journal.records(5)} == {like.provenance.frame}
    assert (engine.seq, engine.state.seq, engine.state.now) == (7, 7, ats[2])
    assert told == [] and engine.state.changes == ()
    assert engine.wake_at() <= START + 62 * SECOND
    engine.wake(START + 61 * SECOND)
    assert engine.state.pvds[X].phase == "announced", "it was heard again since"
    engine.wake(START + 62 * SECOND)
    assert engine.state.pvds[X].phase == "gone"


def test_nothing_changed_by_what_is_said_again() -> None:
    engine = repeating(begun())
    engine.hear(frame(START), (ra(R2),), source="a.pcap")
    assert engine.state.changes
    words = engine.words(SAID)
    assert words is not None
    says_again(engine, words, (START, 9))
    assert engine.state.changes == ()


SHORT = ra(R1, pio("2001:db8::/64", 3600, 1800), dns("2001:db8::53", life=600))


def test_lifetimes_may_move_until_something_ends_sooner_than_somebody_looks() -> None:
    engine = begun()
    engine.hear(frame(START), (SHORT,), source="a.pcap")
    slack = engine.slack(SHORT)
    assert slack is not None and slack.free == (True, True) and slack.host is engine.host
    assert engine.plans[slack.speaker] is slack.plan
    assert engine.slack(ra(R1)) is None, "these are not its last words"
    assert engine.allows(slack, 600, START) and engine.allows(slack, 599, START + SECOND)
    assert not engine.allows(slack, 599, START), "that would end before the heap asks"
    engine.hear(frame(START + SECOND), (ra(R1, pio("2001:db8:1::/64")),), source="a.pcap")
    assert not engine.allows(slack, 4000, START + SECOND), "its router has said something else"


def lives(life: int) -> RouterAdvertised:
    """`SHORT` with another lifetime of its resolver."""
    return replace(SHORT, options=(SHORT.options[0], dns("2001:db8::53", life=life)))


def test_what_stands_keeps_its_place_while_lifetimes_move_and_leaves_it_empty() -> None:
    engine = begun()
    for number, event in enumerate((SHORT, lives(700), lives(800), lives(900))):
        engine.hear(frame(START + number), (event,), source="a.pcap")
        if number == 1:
            place = engine.standing["e0", R1]
        assert not number or (engine.standing["e0", R1] is place and place == [event])
    engine.hear(frame(START + 9), (ra(R1, pio("2001:db8:1::/64")),), source="a.pcap")
    assert place == []


def test_lifetimes_that_move_behind_a_repeat_are_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacing, "Fold", Fold)  # nobody looks in between (tests/conftest.py)
    engine = begun()
    for number, event in enumerate((SHORT, lives(700))):
        engine.hear(frame(START + number), (event,), source="a.pcap")
    words = engine.words(event)
    assert words is not None
    says_again(engine, words, (START + 2, 3))
    engine.hear(frame(START + 3), (lives(800),), source="a.pcap")
    (origin,) = engine.state.speakers["e0", R1]
    assert (origin.event, origin.heard_at, origin.because) == (lives(800), START + 3, engine.seq)


def test_lifetimes_are_of_the_set_that_was_said_last_whoever_read_it() -> None:
    engine = begun()
    sets = [(pio(f"2001:db8:{number}::/64"), dns("2001:db8::53", life=900)) for number in (1, 2)]
    told = [ra(R1, *sets[number % 2]) for number in range(4)]
    told.append(ra(R1, sets[1][0], dns("2001:db8::53", life=1000)))
    slacks = []
    for number, event in enumerate(told):
        engine.hear(frame(START + number * SECOND), (event,), source="a.pcap")
        slacks.append(engine.slack(event))
    one, other = slacks[2], slacks[4]
    assert one is not None and other is not None and one.plan.carried != other.plan.carried
    words = engine.recount(one, 1, b"the first set", lambda data: told[0])
    says_again(engine, words, (START + 5 * SECOND, 6))
    engine.hear(frame(START + 6 * SECOND), (told[4],), source="a.pcap")
    last = engine.slack(told[4])
    assert last is not None and last.plan.carried == other.plan.carried


def test_a_router_of_an_explicit_pvd_is_asked_what_it_said_last() -> None:
    engine = begun()
    sets = [ra(R1, pio(f"2001:db8:{number}::/64"), pvd("x.example.")) for number in (1, 2, 1, 2, 1)]
    slacks = []
    for number, event in enumerate(sets):
        engine.hear(frame(START + number * 60 * SECOND), (event,), source="a.pcap")
        slacks.append(engine.slack(event))
    one, other = slacks[-1], slacks[-2]
    assert one is not None and other is not None
    assert not engine.turns(one) and engine.turns(other)
    plain = ra(R2, pio("2001:db8:3::/64"))
    for event in (plain, ra(R2, pio("2001:db8:4::/64"))):
        engine.hear(frame(START + 300 * SECOND), (event,), source="a.pcap")
        found = engine.slack(event)
        assert found is not None and not engine.turns(found)


# --- Checkpoints -----------------------------------------------------------------------------------------------------


def repeats(engine: Engine, at: Instant, *events: RouterAdvertised) -> None:
    """Routers say their last words again; they wait."""
    for event in events:
        words = engine.words(event)
        assert words is not None
        says_again(engine, words, (at, 7))


def moved(engine: Engine, at: Instant, event: RouterAdvertised, slack: Slack | None) -> None:
    """A router says words of this slack with other lifetimes; they wait, unread."""
    assert slack is not None and engine.allows(slack, 86_000, at)
    words = engine.recount(slack, 1, str(event).encode(), lambda data: event)
    says_again(engine, words, (at, 8))


def kept_as_it_is(engine: Engine) -> snapshot.Packed | None:
    """Keep a snapshot, that has to be the State that is made behind it. What it says, if it tells what changed."""
    aside = engine._fold.draft.aside()
    engine.checkpoint()
    journal = engine.journal
    assert isinstance(journal, MemoryJournal)
    seq, data = journal.snapshot(engine.seq) or (0, b"")
    found = snapshot.decode(data, lambda base: (journal.snapshot(base) or (0, b""))[1])
    assert seq == engine.seq and found.speakers == engine.state.speakers
    assert snapshot.encode(found) == snapshot.encode(engine.state) == snapshot.encode(aside())
    assert aside() is aside(), "it is put together once"
    said = snapshot._read(data)
    return said if said is not None and said.base else None


def test_a_snapshot_among_repeats_that_wait_is_the_state_with_them() -> None:
    """Routers that have said the same since the last whole one, or something else of the same shape or of another; one
    that is new, one of two PvDs, one whose lifetimes moved, and one that says two sets in turn."""
    at, engine = START, begun()
    same, plain, twofold = (
        ra(R1, pvd("x.example.")),
        ra(R2, pio("2001:db8:2::/64")),
        ra(R3, container("a" * 32, dns("2001:db8::3")), dns(DNS)),
    )
    grows, other, moves = ra("fe80::4", dns(DNS)), ra("fe80::5", dns(DNS)), ra("fe80::6", pio("2001:db8:6::/64"))
    sets = [ra("fe80::7", pio(f"2001:db8:7{number}::/64")) for number in (1, 2)]
    for event in (*2 * (same, plain, twofold, grows, other, moves), *sets, *sets):
        at += 10 * SECOND
        engine.hear(frame(at), (event,), source="a.pcap")
    slacks = [engine.slack(sets[1])]
    engine.hear(frame(at), (sets[0],), source="a.pcap")
    slacks.append(engine.slack(sets[0]))
    moving = engine.slack(moves)
    assert kept_as_it_is(engine) is None

    at += 10 * SECOND
    grown, told, new = ra("fe80::4", dns(DNS), mtu(1400)), ra("fe80::5", dns(DNS, life=1700)), ra("fe80::8", dns(DNS))
    for event in (grown, told, new, grown, told, new):
        engine.hear(frame(at), (event,), source="a.pcap")
    for turn in (1, 2):
        repeats(engine, at + turn * SECOND, same, plain, twofold, grown, told, new)
        moved(engine, at + turn * SECOND, ra("fe80::6", pio("2001:db8:6::/64", 86_000 + turn)), moving)
        for slack, prefix in zip(slacks, ("72", "71"), strict=True):
            moved(engine, at + turn * SECOND, ra("fe80::7", pio(f"2001:db8:{prefix}::/64", 86_000 + turn)), slack)
        said = kept_as_it_is(engine)
        assert said is not None and {one[0][1] for one in said.speakers} == {R3, "fe80::4", "fe80::8"}
        assert len(said.heard) == 2 and len(said.told) == 3


class Measured(MemoryJournal):
    """A journal that knows what is kept behind which record, and says what it takes."""

    def __init__(self, octets: int | None = None) -> None:
        super().__init__()
        self.octets, self.kept, self.made = octets, list[int](), list[Any]()

    def save_snapshot(self, seq: int, state: Kept) -> int:
        octets = super().save_snapshot(seq, state)
        self.kept.append(seq)
        self.made.append(state)
        return octets if self.octets is None else self.octets


def spoken(journal: Measured, rounds: int, apart: int = 4, events: Sequence[AnyEvent] = (SAID,)) -> Engine:
    """Some words again and again, each time heard by itself."""
    engine = Engine(journal)
    for number in range(rounds):
        for event in events:
            engine.hear(frame(START + number * apart * SECOND), (event,), source="a.pcap")
    return engine


def test_to_keep_the_state_answers_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = spoken(Measured(), 5)
    journal = engine.journal
    engine.checkpoint()
    found = journal.snapshot(99)
    assert found is not None and found[0] == engine.seq == 5
    assert snapshot.encode(snapshot.decode(found[1])) == snapshot.encode(engine.state)
    assert list(journal.digests()) == [(5, snapshot.digest(engine.state))]
    engine.hear(frame(START + 60 * SECOND), (SAID,), source="a.pcap")
    engine.checkpoint()
    assert [seq for seq, _ in journal.digests()] == [5, 6]
    found = journal.snapshot(6)
    assert found is not None
    with pytest.raises(msgspec.DecodeError, match="record 5"):  # it says what is other than in the whole one
        snapshot.decode(found[1])
    assert snapshot.encode(state_at(journal)) == snapshot.encode(engine.state)


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Checkpoints come sooner: each step is as ten repeats, a hundred of these are enough."""
    told = {"EVERY": 100, "LEAST": 5}
    for name, value in told.items():
        monkeypatch.setattr(spacing, f"CHECKPOINT_{name}", value)
    monkeypatch.setattr(spacing, "STEP_REPEATS", 10)
    monkeypatch.setattr(spacing, "DIGEST_EVERY", 30)
    monkeypatch.setattr(spacing, "RECORD_OCTETS", 10)
    return monkeypatch


def test_a_checkpoint_is_due_when_folding_from_the_last_takes_long_enough(near: pytest.MonkeyPatch) -> None:
    journal = Measured(octets=0)
    engine = spoken(journal, 39)
    assert journal.kept == [10, 20, 30]
    assert [seq for seq, _ in journal.digests()] == [10], "a digest costs more, and is not asked for as often"
    engine.submit(LinkGone(link="e1"), source="s", at=START)
    assert journal.kept[-1] == 40 and [seq for seq, _ in journal.digests()] == [10, 40]
    near.setattr(spacing, "CHECKPOINT_LEAST", 25)
    spoken(rare := Measured(octets=0), 60)
    assert rare.kept == [25, 50], "and not sooner than a snapshot is worth"


def test_repeats_count_as_what_they_cost(near: pytest.MonkeyPatch) -> None:
    journal = Measured(octets=0)
    engine = repeating(Engine(journal))
    words = engine.words(SAID)
    assert words is not None
    assert engine.quiet()[2] == 100 - 2 * 9 - 2 - 1
    says_again(engine, words, *((START, number) for number in range(79)))
    assert engine.quiet()[2] == 0 and journal.kept == []
    engine.submit(LinkGone(link="e1"), source="s", at=START)
    assert journal.kept == [82]
    assert (engine.weight(1), engine.weight(100)) == (10, 1 + 4 * 100 // 10)


@pytest.mark.parametrize(("written", "weighs"), [(False, 1), (True, 10)])
def test_words_that_are_written_down_count_as_a_step(near: pytest.MonkeyPatch, written: bool, weighs: int) -> None:
    engine = Engine(Measured(octets=0))
    engine.hear(frame(START), (SHORT,), source="a.pcap")
    slack, later = engine.slack(SHORT), replace(SHORT, options=(SHORT.options[0], dns("2001:db8::53", life=700)))
    assert slack is not None
    room = engine.quiet()[2]
    words = engine.recount(slack, 1, b"later", lambda data: later)
    for _ in range(2 * written):
        engine.weigh(5)
    assert engine.standing[slack.speaker] == [b"later"] and words.said() is later
    says_again(engine, words, (START, 2), (START, 2))
    assert engine.quiet()[2] == room - 2 * weighs
    says_again(engine, words, (START, 3))
    assert engine.quiet()[2] == room - 2 * weighs - 1


def test_a_journal_that_nobody_keeps_has_few_checkpoints_and_no_digest(
    near: pytest.MonkeyPatch,
) -> None:
    journal = Measured(octets=0)
    engine = Engine(journal, kept=False)
    for _ in range(10 * spacing.PASSING):
        assert journal.kept == []
        engine.submit(LinkGone(link="e1"), source="s", at=START)
    assert journal.kept == [10 * spacing.PASSING] and list(journal.digests()) == []
    assert [made() for made in journal.made] == [engine.state], "nor is it made octets that nobody reads"
    assert MemoryJournal().save_snapshot(1, journal.made[0]) == 0


def test_snapshots_stay_a_small_part_of_a_journal(near: pytest.MonkeyPatch) -> None:
    """Where they are large they are rare; whole ones and changes have the same share. A frame of six octets counts as
    two records that repeat."""
    journal = Measured(octets=70)
    engine = spoken(journal, 200)
    assert journal.kept == [10, 20, 67, 77, 124, 134, 181, 191]
    assert all(type(one) is int for one in engine.quiet()), "instants and records are counted"
    whole = [seq for seq, data in zip(journal.kept, journal.made, strict=True) if is_whole(data)]
    assert whole == [10, 67, 124, 181]


class Apart(Measured):
    """What changed takes less than what is whole, and enough to make that worth while."""

    def save_snapshot(self, seq: int, state: Kept) -> int:
        super().save_snapshot(seq, state)
        assert isinstance(state, bytes)
        return 100 if is_whole(state) else 30


def test_another_whole_one_is_kept_when_the_first_is_a_small_part_of_the_journal(near: pytest.MonkeyPatch) -> None:
    journal = Apart()
    spoken(journal, 159)
    assert journal.kept == [10, 20, 40, 60, 80, 90, 110, 130, 150]
    whole = [seq for seq, data in zip(journal.kept, journal.made, strict=True) if is_whole(data)]
    assert whole == [10, 80, 150]


def test_what_comes_in_no_frame_takes_no_more_than_its_record(near: pytest.MonkeyPatch) -> None:
    engine = Engine(journal := Measured(octets=70))
    for _ in range(169):
        engine.submit(LinkGone(link="e1"), source="s", at=START)
    assert journal.kept == [10, 20, 20 + 20 * 70 // 10]


def test_words_that_are_written_down_take_what_their_frames_take(near: pytest.MonkeyPatch) -> None:
    engine = repeating(Engine(Measured(octets=1000)))
    words = engine.words(SAID)
    assert words is not None
    for _ in range(2):  # a whole one, and what changed since
        engine.checkpoint()
    assert engine.quiet()[2] == 20 * 1000 // 10 - 1
    engine.weigh(25)
    engine.weigh(50)
    says_again(engine, words, (START, 2), (START, 3))
    assert engine.quiet()[2] == 20 * 1000 // 10 - 1 - 2 - 4 * 25 // 10 - 4 * 50 // 10
    says_again(engine, words, (START, 4))
    assert engine.quiet()[2] == 20 * 1000 // 10 - 1 - 3 - 4 * 25 // 10 - 4 * 50 // 10, "they count once"


def is_whole(data: bytes) -> bool:
    try:
        snapshot.decode(data)
    except msgspec.DecodeError:
        return False
    return True


def test_small_changes_are_told_from_the_same_whole_one(near: pytest.MonkeyPatch) -> None:
    near.setattr(spacing, "SNAPSHOT_SHARE", 2)
    journal = Measured()
    routers = [ra(f"fe80::{number}", pvd(f"y{number}."), life=9000) for number in range(2, 12)]
    engine = Engine(journal)
    engine.hear(frame(START), tuple(routers), source="a.pcap")
    engine.checkpoint()
    for number in range(200):
        engine.hear(frame(START + number * SECOND), (routers[number % 2],), source="a.pcap")
    assert len(journal.kept) > 2 and [is_whole(data) for data in journal.made].count(True) == 1
    later = Engine(journal, state_at(journal))
    assert later.quiet()[2] == 99, "who goes on with a journal begins to count there"
