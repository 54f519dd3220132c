"""The engine gives an event its number and its time, writes it down, then folds it, and tells what became of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from msgspec.structs import replace

from events.codec import SCHEMA, AnyEvent
from events.frames import ETHERNET, Frame
from events.ids import NEVER, SECOND, Instant
from events.link import LinkGone, LinkSeen
from events.operator import PolicySet, PvdPinned
from events.record import Provenance, Record
from pvdcore.engine import Engine
from pvdcore.past import snapshot
from pvdcore.past.audit import state_at
from pvdcore.past.journal import MemoryJournal, frame_digest
from pvdcore.policy import DEFAULT
from pvdcore.state import Change
from tests.sim.build import R1, R2, START, pvd, ra

X = "fqdn:x.example."
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


# --- Checkpoints -----------------------------------------------------------------------------------------------------


class Measured(MemoryJournal):
    """A journal that knows what is kept behind which record, and says what it takes."""

    def __init__(self, octets: int | None = None) -> None:
        super().__init__()
        self.octets, self.kept, self.made = octets, list[int](), list[bytes]()

    def save_snapshot(self, seq: int, state: bytes) -> int:
        super().save_snapshot(seq, state)
        self.kept.append(seq)
        self.made.append(state)
        return len(state) if self.octets is None else self.octets


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
