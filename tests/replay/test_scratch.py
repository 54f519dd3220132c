"""The journal of a replay that nobody keeps: what only it promises; the rest is in tests/contract/test_journal.py."""

from itertools import count
from pathlib import Path
from random import Random

import pytest

from adapters.ingest import translate
from events.codec import SCHEMA
from events.frames import ETHERNET, Frame
from events.ids import SECOND
from events.link import LinkSeen
from events.record import Provenance, Record
from pvdcore import engine
from pvdcore.past import snapshot
from pvdcore.past.audit import state_at
from pvdcore.past.journal import MemoryJournal
from pvdcore.reduce import reduce
from pvdcore.state import EMPTY, State
from replay.rerun import rerun
from replay.scratch import STATES, ScratchJournal
from tests.bench import inputs
from tests.bench.inputs import KINDS, router_advertisement, write


def empty() -> State:
    return EMPTY


def test_of_states_it_holds_a_few_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = ScratchJournal()
    for last in range(10, 3000, 10):
        journal.save_snapshot(last, empty)
        held = sorted({found[0] for seq in range(last + 1) if (found := journal.snapshot(seq)) is not None})
        assert len(held) == min(last // 10, STATES) and held[-1] == last
        folded = max(after - before for before, after in zip([0, *held], held, strict=False))
        assert folded <= max(10, last / 3)
    journal.save_snapshot(5, b"octets are in the file")
    assert journal.snapshot(9) == (5, b"octets are in the file") and journal.snapshot(last) == (last, empty)
    journal.close()


@pytest.mark.parametrize("kind", KINDS)
def test_its_past_is_that_of_one_record_after_the_other(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of routers that say the same again, or with other lifetimes, and wait for that when a State is set aside."""
    monkeypatch.setattr(engine, "CHECKPOINT_EVERY", 10)
    monkeypatch.setattr(engine, "CHECKPOINT_LEAST", 1)
    monkeypatch.setattr(inputs, "ROUTERS", 20)
    write(tmp_path / "some.pcapng", KINDS[kind](300), SECOND)
    journal = rerun([str(tmp_path / "some.pcapng")]).journal
    assert len({found[0] for seq in range(300) if (found := journal.snapshot(seq)) is not None}) > 3
    state = EMPTY
    for record in journal.records():
        state = reduce(state, record)
        if record.seq % 7 == 0:
            assert snapshot.encode(state_at(journal, seq=record.seq)) == snapshot.encode(state)


def ra(number: int, at: int) -> Frame:
    return Frame(at, f"eth{number % 3}", ETHERNET, router_advertisement(number, number // 5))


class Both:
    """The same records in a scratch journal, and one by one in memory."""

    def __init__(self) -> None:
        self.scratch, self.memory = ScratchJournal(translate), MemoryJournal()
        self.at, self.frames = 0, count()
        self.packets = count(1)

    def hear(self, late: int = 0) -> None:
        """A router says something new; `late`: it counts as heard so long after it was captured."""
        self.at += SECOND
        frame = ra(next(self.frames), self.at - late)
        (event,) = translate(frame)
        self._each("hear", self.at, event, frame, "a.pcap", next(self.packets))

    def append(self) -> None:
        said, seq = Provenance("engine", captured_at=self.at - 1 if self.at % 2 else None), self.memory.last_seq() + 1
        self._each("append", Record(seq, self.at, SCHEMA, said, LinkSeen(link="eth0", identity="x")), None)

    def again(self, likes: list[int], kept: list[int]) -> None:
        """Records like others; of those that are `kept`, by their place, a frame is given that nobody has read."""
        first = self.memory.last_seq() + 1
        for place in kept:
            likes.insert(place, first + place)
        ats = [self.at + SECOND * number for number in range(1, len(likes) + 1)]
        packets = [next(self.packets) for _ in likes]
        fresh = {first + place: ra(next(self.frames), ats[place]) for place in kept}
        for half in (kept[::2], kept[1::2]):
            frames = [(first + place, fresh[first + place]) for place in half]
            self.scratch.keep([(seq, (one.link, one.linktype), one.data) for seq, one in frames], "a.pcap")
        self.scratch.again(likes, ats, packets)
        for like, at, packet in zip(likes, ats, packets, strict=True):
            if like in fresh and like > self.memory.last_seq():
                self.memory.hear(at, translate(fresh[like])[0], fresh[like], "a.pcap", packet)
            else:
                self.memory.again([like], [at], [packet])
        self.at = ats[-1]

    def _each(self, name: str, *args: object) -> None:
        for journal in (self.scratch, self.memory):
            getattr(journal, name)(*args)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_like_another_is_read_as_that_wherever_it_stands(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this block or in an earlier one, itself like another, of a frame that nobody had read."""
    monkeypatch.setattr("replay.scratch.BLOCK", 16)
    monkeypatch.setattr("replay.scratch.BODIES_READ", 5)
    monkeypatch.setattr("replay.scratch.PIECE", 4096)
    draw, both = Random(seed), Both()
    for _ in range(30):
        draw.choice((both.hear, both.append, lambda: both.hear(late=7)))()
        known = both.memory.last_seq()
        likes = [draw.randrange(1, known + 1) for _ in range(draw.choice((1, 3, 40)))]
        both.again(likes, sorted(draw.sample(range(len(likes) + 1), draw.choice((0, 1, 2)))))
        if draw.random() < 0.2:
            assert both.scratch.record(known) == both.memory.record(known)
    scratch, memory = both.scratch, both.memory
    last = memory.last_seq()
    assert list(scratch.records()) == list(memory.records())
    assert list(scratch.steps()) == list(memory.steps())
    assert scratch.head() == memory.head() and list(scratch.check(memory.head())) == []
    for seq in range(1, last + 1, 5):
        assert scratch.record(seq) == memory.record(seq)
        assert list(scratch.steps(seq, seq + 20)) == list(memory.steps(seq, seq + 20))
    assert [scratch.seq_at(at) for at in range(0, both.at, SECOND)] == [
        memory.seq_at(at) for at in range(0, both.at, SECOND)
    ]
    assert scratch.record(0) is None and scratch.record(last + 1) is None


@pytest.mark.parametrize("like", [0, -1, -(2**62), 3])
def test_what_is_like_no_record_is_found_out(like: int) -> None:
    both = Both()
    both.hear()
    both.hear()
    with pytest.raises(LookupError):
        both.scratch.again([1, 9], [both.at, both.at], [3, 4])
    both.scratch.again([like], [both.at], [3])
    with pytest.raises(LookupError):
        both.scratch.record(3)
    assert list(both.scratch.check("00ff")) == [f"there is no record {like} that others could be like"]
    assert list(both.scratch.records(1, 2)) == list(both.memory.records())
