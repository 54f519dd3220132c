"""Following a journal: the records and the lines of history that come after the ones already shown.

Law: what is shown is folded from the records alone, so it does not matter when the writer brings its index up to date.
"""

import os
import select
import sys
import time
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from adapters.sqlite import SqliteJournal
from events.ids import Instant
from events.record import Record
from pvdcore.past.audit import change_key
from pvdcore.reduce import advance, next_deadline, reduce
from pvdcore.state import Change
from replay.sources import Source

POLL_MS: Final = 200  # between two looks at the file: soon enough for eyes, and five small queries a second
BATCH_RECORDS: Final = 4096  # read at a time: what comes after a long pause is shown page by page
LATE_NS: Final[Instant] = 2_000_000_000
"""A lapse is shown this long after its deadline: a record dated before it may not have been committed yet."""


class Follower:
    """What comes to a journal after its last record of now; `source` answers as of that record from here on."""

    def __init__(self, source: Source) -> None:
        assert isinstance(source.journal, SqliteJournal), "captures have nothing to follow"
        self._source = source
        self._path = source.journal.path
        self._wal = self._has_wal()
        source.seq = self._seq = source.journal.last_seq()
        self._state = source.state
        self._ahead = self._state
        self._shown: set[tuple[object, ...]] = set()

    def known(self, changes: list[Change]) -> None:
        """Lines that were shown already: those of lapses after the last record are not to be shown again."""
        self._shown.update(change_key(one) for one in changes if one.at > self._state.now)

    def batches(self) -> Iterator[tuple[list[Record], list[Change]]]:
        """New records, and new lines of history, for ever. Raises BrokenPipeError when nobody reads our output."""
        while True:
            records = self._read()
            changes: list[Change] = []
            for record in records:
                self._state = reduce(self._state, record)
                changes += self._fresh(self._state.changes)
            if records:
                self._seq, self._ahead = records[-1].seq, self._state
                self._shown = {key for key in self._shown if _instant(key) > self._state.now}
            horizon = time.time_ns() - LATE_NS
            if next_deadline(self._ahead) <= horizon:
                self._ahead = advance(replace(self._ahead, changes=()), horizon)
                lapsed = self._fresh(self._ahead.changes)
                self._shown.update(change_key(one) for one in lapsed)
                changes += lapsed
            if records or changes:
                yield records, changes
            else:
                _pause()

    def _fresh(self, changes: tuple[Change, ...]) -> list[Change]:
        return [one for one in changes if change_key(one) not in self._shown]

    def _read(self) -> list[Record]:
        # A journal that nobody wrote to may have been opened as one that never changes: then it has to be opened anew.
        if self._has_wal() != self._wal:
            self._wal = not self._wal
            self._source.journal.close()
            self._source.journal = SqliteJournal(self._path, readonly=True)
        last = self._source.journal.last_seq()
        if last <= self._seq:
            return []
        return list(self._source.journal.records(self._seq + 1, min(last, self._seq + BATCH_RECORDS)))

    def _has_wal(self) -> bool:
        return os.path.exists(self._path + "-wal")


def _instant(key: tuple[object, ...]) -> Instant:
    at = key[0]
    assert isinstance(at, int)
    return at


def _pause() -> None:
    """Wait a moment, or notice that the reader of our output has gone although there is nothing to write."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # no file at all
        time.sleep(POLL_MS / 1000)
        return
    gone = select.poll()
    gone.register(descriptor, 0)
    if gone.poll(POLL_MS):
        raise BrokenPipeError
