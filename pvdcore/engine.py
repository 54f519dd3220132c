"""The engine: gives events their number and time, writes them down, folds them.

Law: synchronous, single-threaded, and the only writer of its journal. A record is in the journal before it is in the
State. Live daemon, replay and audit differ in who calls this and with what; not in what it does.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from events.codec import SCHEMA, AnyEvent
from events.frames import Frame
from events.ids import Instant
from events.record import Provenance, Record
from pvdcore import snapshot
from pvdcore.journal import frame_digest
from pvdcore.ports import Journal
from pvdcore.reduce import advance, next_deadline, reduce
from pvdcore.state import EMPTY, Change, State

CHECKPOINT_EVERY: Final = 20_000  # records: folding so many again takes less than a second
RECORD_OCTETS: Final = 60  # what a repeated record takes on disk, at least (docs/architecture.md)


class Engine:
    """One journal and the State it folds to. `state` is always that of the last record, or of the last `wake`."""

    def __init__(self, journal: Journal, state: State = EMPTY) -> None:
        self.journal = journal
        self.state = state
        self.told: list[Callable[[tuple[Change, ...]], object]] = []  # each is called with new lines of history
        self._seq = journal.last_seq()
        self._digests: dict[bytes, str] = {}
        self._checkpoint_at = self._seq + CHECKPOINT_EVERY
        # What lapsed behind the last record may stand in the index already, from a `wake` before we were stopped.
        self._known = {line for line in journal.history() if line.seq == self._seq} if self._seq else set()

    def hear(
        self, frame: Frame, events: tuple[AnyEvent, ...], *, source: str, packet: int = 0, at: Instant | None = None
    ) -> None:
        """Record what a frame says. A frame that says nothing leaves nothing.

        at: when it counts as heard, if the caller does not believe `frame.at`; the packet's own time is kept beside.
        """
        if not events:
            return
        at = max(frame.at if at is None else at, self.state.now)
        digest = self._digest(frame.data)
        for event in events:
            link: str = getattr(event, "link", frame.link)
            provenance = Provenance(
                source,
                packet,
                digest,
                frame.linktype,
                frame.at if frame.at != at else None,
                frame.original_length,
                "" if link == frame.link else frame.link,
            )
            self._write(event, provenance, at, frame.data)

    def submit(self, event: AnyEvent, *, source: str, at: Instant) -> None:
        """Record what did not come in a frame: policy, settings, links, outcomes."""
        clamped = max(at, self.state.now)
        self._write(event, Provenance(source, captured_at=at if at != clamped else None), clamped, None)

    def adopt(self, record: Record, frame: bytes | None = None) -> None:
        """Take over a record of another journal as it is, except for its number."""
        at = max(record.at, self.state.now)
        self._write(record.event, record.provenance, at, frame, record.v)

    def wake(self, now: Instant) -> None:
        """Let time pass all deadlines up to `now`. Waking more often changes nothing."""
        if now > self.state.now:
            self.state = advance(replace(self.state, changes=()), now)
            self._index()

    def wake_at(self) -> Instant:
        """When `wake` has something to do; NEVER if nothing has an end."""
        return next_deadline(self.state)

    def _index(self) -> None:
        lines = self.state.changes
        if lines and self._known:
            lines = tuple(line for line in lines if line not in self._known)
        if lines:
            self.journal.index(lines)
            for tell in self.told:
                tell(lines)

    def checkpoint(self) -> None:
        """Keep the State, so that the past can be folded from here, and its digest, so that `verify` can compare.

        Only right behind a record: what time did since then is folded again anyway. The next one is due when records of
        ten times a snapshot's size have come, so that snapshots stay under a tenth of the journal.
        """
        kept = snapshot.encode(self.state)
        self.journal.save_snapshot(self._seq, kept)
        self.journal.save_digest(self._seq, snapshot.digest(self.state))
        self._checkpoint_at = self._seq + max(CHECKPOINT_EVERY, 10 * len(kept) // RECORD_OCTETS)

    def _digest(self, data: bytes) -> str:
        digest = self._digests.get(data)
        if digest is None:
            if len(self._digests) > 4096:
                self._digests.clear()
            digest = self._digests[data] = frame_digest(data)
        return digest

    def _write(
        self, event: AnyEvent, provenance: Provenance, at: Instant, frame: bytes | None, v: int = SCHEMA
    ) -> None:
        record = Record(self._seq + 1, at, v, provenance, event)
        self.journal.append(record, frame)
        self._seq += 1
        self.state = reduce(self.state, record)
        self._index()
        if self._seq >= self._checkpoint_at:
            self.checkpoint()
