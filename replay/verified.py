"""`pvdctl verify` of a long journal: its chain is walked here, and a second process folds it meanwhile.

Law: the same sentences as `audit.verify`, which does one after the other. What can't be trusted is folded too, then,
but what comes of that is asked for only once the chain is known to be whole.
"""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from typing import Final

from adapters.sqlite import SqliteJournal
from pvdcore.past import audit
from pvdcore.ports import Journal

LEAST: Final = 50_000  # records: half a second's fold; below that a process gains nothing


def verify(journal: Journal, head: str | None = None) -> list[str]:
    """See `audit.verify`. Raises JournalError as that does."""
    if not isinstance(journal, SqliteJournal) or journal.last_seq() < LEAST or len(os.sched_getaffinity(0)) < 2:
        return audit.verify(journal, head)
    forked = multiprocessing.get_context("fork")
    here, there = forked.Pipe(duplex=False)
    folding = forked.Process(target=_fold, args=(journal.path, there), daemon=True)
    folding.start()
    there.close()
    try:
        problems = list(journal.check(head))
        return problems or _said(here, journal)
    finally:
        folding.kill()
        folding.join()
        here.close()


def _said(folded: Connection, journal: Journal) -> list[str]:
    try:
        found: list[str] | None = folded.recv()
    except EOFError:  # it was killed, for want of memory perhaps
        found = None
    return audit.refold(journal) if found is None else found


def _fold(path: str, done: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ^C is for the one who answers
    journal = SqliteJournal(path, readonly=True)  # no connection of SQLite's outlives a fork
    try:
        found = audit.refold(journal)
    except Exception:  # whatever is wrong is said by who asks, when he folds for himself
        done.send(None)
    else:
        done.send(found)
