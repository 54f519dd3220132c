"""The engine: gives events their number and time, writes them down, folds them.

Law: synchronous, single-threaded, and the only writer of its journal. A record is in the journal before it is in the
State. Live daemon, replay and audit differ in who calls this and with what; not in what it does.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from events.codec import SCHEMA, AnyEvent
from events.frames import Frame
from events.ids import Instant, LinkId, Seq
from events.record import Provenance, Record
from events.router import RouterAdvertised
from pvdcore import deadlines, snapshot
from pvdcore.ports import Journal
from pvdcore.reduce import AHEAD_MAX, Fold
from pvdcore.state import EMPTY, Change, State

CHECKPOINT_EVERY: Final = 20_000  # records: folding so many again takes less than a second
HEARD_MAX: Final = 8192  # frames that may come again: as many as a Translator remembers
RECORD_OCTETS: Final = 60  # what a repeated record takes on disk, at least (docs/architecture.md)


class Heard(msgspec.Struct, gc=False):
    """A frame whose event may come again: what it says, of which router, and the record that last said so whole.

    events: kept, so that their id stays theirs.
    """

    events: tuple[AnyEvent, ...]
    event: RouterAdvertised
    speaker: tuple[LinkId, str]
    source: str
    seq: Seq


class Engine:
    """One journal and the State it folds to. `state` is always that of the last record, or of the last `wake`."""

    def __init__(self, journal: Journal, state: State = EMPTY) -> None:
        self.journal = journal
        self._fold = Fold(state)
        self.told: list[Callable[[tuple[Change, ...]], object]] = []  # each is called with new lines of history
        self._seq = journal.last_seq()
        self._heard: dict[int, Heard] = {}
        self._checkpoint_at = self._seq + CHECKPOINT_EVERY
        # What lapsed behind the last record may stand in the index already, from a `wake` before we were stopped.
        self._known = {line for line in journal.history() if line.seq == self._seq} if self._seq else set()

    @property
    def state(self) -> State:
        """The State now."""
        return self._fold.state

    def hear(
        self, frame: Frame, events: tuple[AnyEvent, ...], *, source: str, packet: int = 0, at: Instant | None = None
    ) -> None:
        """Record what a frame says. A frame that says nothing leaves nothing.

        at: when it counts as heard, if the caller does not believe `frame.at`; the packet's own time is kept beside.
        """
        at = max(frame.at if at is None else at, self._fold.draft.at)
        captured_at = frame.at if frame.at != at else None
        for event in events:
            self.journal.hear(at, event, frame, source, packet)
            self._seq += 1
            self._fold.step(self._seq, at, event, captured_at)
            if type(event) is RouterAdvertised and len(events) == 1:
                if len(self._heard) >= HEARD_MAX:
                    self._heard.clear()
                self._heard[id(events)] = Heard(events, event, (event.link, event.router), source, self._seq)
            self._written()

    def again(self, events: tuple[AnyEvent, ...], source: str, packet: int, at: Instant, captured_at: Instant) -> bool:
        """Record a frame that is, octet for octet, the one these very events were heard of, on the same link.

        True if that is done: its router only repeats its last words, so the refresh can wait (pvdcore/draft.py), as
        long as no deadline passes. False if nothing was done and `hear` has to look.
        """
        heard = self._heard.get(id(events))
        if heard is None or heard.source is not source:
            return False
        fold, seq = self._fold, self._seq + 1
        draft = fold.draft
        if at < draft.at:
            at = draft.at
        if draft.steady.get(heard.speaker) is not heard.event or seq >= self._checkpoint_at:
            return False
        ahead = captured_at - at
        if at >= deadlines.earliest(draft.deadlines) or ahead > AHEAD_MAX:
            return False
        self.journal.again(heard.seq, at, packet, captured_at if ahead else None)
        self._seq = draft.seq = seq
        draft.at = at
        if draft.changes:
            draft.changes = []
        draft.speakers.waiting[heard.speaker] = (at, seq)
        return True

    def submit(self, event: AnyEvent, *, source: str, at: Instant) -> None:
        """Record what did not come in a frame: policy, settings, links, outcomes."""
        clamped = max(at, self._fold.draft.at)
        self._write(event, Provenance(source, captured_at=at if at != clamped else None), clamped, None)

    def adopt(self, record: Record, frame: bytes | None = None) -> None:
        """Take over a record of another journal as it is, except for its number."""
        at = max(record.at, self._fold.draft.at)
        self._write(record.event, record.provenance, at, frame, record.v)

    def wake(self, now: Instant) -> None:
        """Let time pass all deadlines up to `now`. Waking more often changes nothing."""
        if now > self._fold.draft.at:
            self._fold.draft.changes = []
            self._fold.advance(now)
            self._index()

    def wake_at(self) -> Instant:
        """When `wake` has something to do; NEVER if nothing has an end."""
        return deadlines.earliest(self._fold.draft.deadlines)

    def _index(self) -> None:
        lines = self._fold.draft.changes
        if lines and self._known:
            lines = [line for line in lines if line not in self._known]
        if lines:
            self.journal.index(lines)
            for tell in self.told:
                tell(tuple(lines))

    def checkpoint(self) -> None:
        """Keep the State, so that the past can be folded from here, and its digest, so that `verify` can compare.

        Only right behind a record: what time did since then is folded again anyway. The next one is due when records of
        ten times a snapshot's size have come, so that snapshots stay under a tenth of the journal.
        """
        kept = snapshot.encode(self.state)
        self.journal.save_snapshot(self._seq, kept)
        self.journal.save_digest(self._seq, snapshot.digest_of(kept))
        self._checkpoint_at = self._seq + max(CHECKPOINT_EVERY, 10 * len(kept) // RECORD_OCTETS)

    def _write(
        self, event: AnyEvent, provenance: Provenance, at: Instant, frame: bytes | None, v: int = SCHEMA
    ) -> None:
        self.journal.append(Record(self._seq + 1, at, v, provenance, event), frame)
        self._seq += 1
        self._fold.step(self._seq, at, event, provenance.captured_at)
        self._written()

    def _written(self) -> None:
        if self._fold.draft.changes:
            self._index()
        if self._seq >= self._checkpoint_at:
            self.checkpoint()
