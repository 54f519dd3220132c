"""What every live test is asked at its end: does the export of its journal, replayed, say the same?

Law: the export is made and read by the commands themselves; what is compared is compared octet by octet.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

from adapters.sqlite import SqliteJournal
from pvdcore.past import audit, snapshot
from replay.cli import main
from replay.rerun import rerun


def pvdctl(*words: str) -> str:
    """`pvdctl WORDS`, here; it must succeed."""
    said = io.StringIO()
    with redirect_stdout(said):
        code = main(list(words))
    assert code == 0, f"pvdctl {' '.join(words)} ended with {code}"
    return said.getvalue()


def replays_alike(journal: Path, folder: Path) -> None:
    """Export a journal and replay it: the same State, versions (all of history), records, and plan."""
    export = folder / f"{journal.name}.pcapng"
    pvdctl("export", "--journal", str(journal), "-w", str(export))
    folded = rerun([str(export)])
    kept = SqliteJournal(journal, readonly=True)
    try:
        state = audit.state_at(kept)
        assert snapshot.encode(folded.state) == snapshot.encode(state), "the State"
        # What lapsed behind the last record is no record's, and lapses in the replay when somebody asks for then.
        told = [one for one in kept.history() if one.at <= state.now]
        assert list(folded.journal.history()) == told, "the versions"
        assert [one.event for one in folded.journal.records()] == [one.event for one in kept.records()], "the records"
    finally:
        kept.close()
        folded.journal.close()
    at = ("--json", "--at", f"seq:{state.seq}")
    assert pvdctl("plan", *at, "-r", str(export)) == pvdctl("plan", *at, "--journal", str(journal)), "the plan"
