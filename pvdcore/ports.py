"""Ports: what the core needs from the world, as protocols; each has two implementations and one contract suite.

Law: no implementation here, and no port that has only one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from events.codec import AnyEvent
from events.frames import Frame
from events.ids import Instant, PvdId, Seq
from events.record import Record, Step
from pvdcore.state import Change, State

Kept = bytes | Callable[[], State]
"""A State as bytes (pvdcore/past/snapshot.py); or how to get it, where nobody asks behind the end of this process."""


class Journal(Protocol):
    """An append-only list of records, with their frames once by content, and an index of history beside it.

    Appends are visible to this object at once and durable at `commit`. Sequence numbers run from 1 without gaps:
    and `at` does not go backwards: `append` raises ValueError otherwise, and then nothing was added. Reading while
    records come in, here or elsewhere, sees a consistent prefix: those that were there when the reading began.
    """

    def append(self, record: Record, frame: bytes | None) -> None:
        """Add a record, and the bytes its provenance's `frame` hash stands for.

        `frame` may be None if the provenance names none, or one that came with an earlier record; else ValueError.
        """

    def hear(self, at: Instant, event: AnyEvent, frame: Frame, source: str, packet: int) -> None:
        """Add the record of an event that a frame says: `append` with `events.record.heard`, at the present schema."""

    def again(self, likes: Sequence[Seq], ats: Sequence[Instant], packets: Sequence[int]) -> None:
        """Add records, each as record `like` was, but for its number, time and packet; its time is its packet's own.

        LookupError without such a record, ValueError if time goes backwards; then none of them was added, or the first
        ones.
        """

    def index(self, changes: Iterable[Change]) -> None:
        """Add lines of history, in time order. Derived: can be dropped and made again by folding.

        Values within are what JSON can hold, with tuples for arrays.
        """

    def commit(self) -> None:
        """Make all that was appended durable."""

    def last_seq(self) -> Seq:
        """The number of the last record; 0 for an empty journal."""

    def seq_at(self, at: Instant) -> Seq:
        """The last record that is not after `at`; 0 if none."""

    def record(self, seq: Seq) -> Record | None:
        """One record."""

    def records(self, first: Seq = 1, last: Seq | None = None) -> Iterator[Record]:
        """Records `first` to `last` (to the end) in order."""

    def steps(
        self, first: Seq = 1, last: Seq | None = None, known: Mapping[Seq, AnyEvent] = MappingProxyType({})
    ) -> Iterator[Step]:
        """What the fold needs of the same records. Where one says what an earlier one said, the event may be the same
        object, which the fold notices (pvdcore/reduce.py). known: what some earlier records say, so that it need not
        be read once more."""

    def frame(self, digest: str) -> bytes | None:
        """The bytes of a frame by its hash."""

    def history(self, pvd: PvdId | None = None, since: Seq = 0) -> Iterator[Change]:
        """Lines of history in time order, of one PvD or of all; since: those of this record and later ones."""

    def head(self) -> str:
        """The hash of the chain at the last record, in hexadecimal (pvdcore/past/journal.py)."""

    def save_snapshot(self, seq: Seq, state: Kept) -> int:
        """Keep a State as of `seq`: the octets it takes. A cache: dropping some or all changes no answer."""

    def snapshot(self, seq: Seq) -> tuple[Seq, Kept] | None:
        """The newest snapshot not after `seq`, in the one form or the other."""

    def drop_derived(self) -> None:
        """Drop history and snapshots. No answer may change by it, once history is indexed again."""

    def save_digest(self, seq: Seq, digest: str) -> None:
        """Keep what the State's digest was as of `seq`: a later fold has to come to the same."""

    def digests(self) -> Iterator[tuple[Seq, str]]:
        """The digests that were kept, by seq."""

    def check(self, head: str | None = None) -> Iterator[str]:
        """One sentence for each thing that is wrong with what is stored; none when all is whole. Never raises.

        Every record, event body and frame against its hash, every number and every body that must be there. head: a
        hash noted earlier, in hexadecimal; some record must have it, else the journal was cut, or written anew.
        Folding again is not done here (pvdcore/past/audit.py).
        """

    def close(self) -> None:
        """Commit and let go."""
