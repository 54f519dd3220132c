"""A long journal is checked by one process and folded by another: what they find is what one of them alone finds."""

from __future__ import annotations

import os
import sqlite3
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

import replay.verified as verified
from adapters.sqlite import SqliteJournal
from pvdcore.past import audit
from pvdcore.ports import Journal
from replay.rerun import rerun

CAPTURE = Path(__file__).resolve().parents[1] / "captures" / "client-systemd-networkd.pcap"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal that counts as long, where there are two processors to use."""
    monkeypatch.setattr(verified, "LEAST", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    path = tmp_path / "pvd.db"
    kept = SqliteJournal(path)
    rerun([str(CAPTURE)], journal=kept)
    kept.close()
    return path


def here(journal: Journal) -> list[str]:
    raise AssertionError("this process was to check the chain only")


def changed(path: Path, *statements: str) -> SqliteJournal:
    conn = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        conn.execute(statement)
    conn.close()
    return SqliteJournal(path, readonly=True)


def test_a_whole_journal_passes_in_two_processes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = SqliteJournal(path, readonly=True)
    head, ours = kept.head(), os.getpid()
    folded = audit.refold
    monkeypatch.setattr(audit, "refold", lambda journal: here(journal) if os.getpid() == ours else folded(journal))
    assert verified.verify(kept) == verified.verify(kept, head) == []
    (problem,) = verified.verify(kept, "11" * 32)
    assert "no record has the hash" in problem
    kept.close()


def test_a_state_that_was_recorded_otherwise_is_found_by_the_other_process(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = changed(path, f"INSERT OR REPLACE INTO digests VALUES (10, '{'00' * 16}')")
    alone, ours, folded = audit.verify(kept), os.getpid(), audit.refold
    monkeypatch.setattr(audit, "refold", lambda journal: here(journal) if os.getpid() == ours else folded(journal))
    assert verified.verify(kept) == alone
    assert len(alone) == 1 and "record 10" in alone[0]
    kept.close()


def test_of_a_chain_that_is_broken_nothing_is_said_of_states(path: Path) -> None:
    kept = changed(
        path,
        "DROP TRIGGER records_update",
        "UPDATE records SET packet = packet + 1 WHERE seq = 7",
        f"INSERT OR REPLACE INTO digests VALUES (10, '{'00' * 16}')",
    )
    found = verified.verify(kept)
    assert found == audit.verify(kept) and "record 7 does not match its hash in the chain" in found
    assert not any("folding" in line for line in found)
    kept.close()


def test_where_the_other_process_ends_early_this_one_folds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: str, done: Connection) -> None:
        os._exit(9)

    kept = changed(path, f"INSERT OR REPLACE INTO digests VALUES (10, '{'00' * 16}')")
    monkeypatch.setattr(verified, "_fold", killed)
    (problem,) = verified.verify(kept)
    assert "record 10" in problem
    kept.close()


def test_what_cannot_be_folded_is_told_as_by_one_process(path: Path) -> None:
    kept = changed(
        path,
        "DROP TRIGGER records_delete",
        "DELETE FROM records WHERE seq = 9",
    )
    found = verified.verify(kept)
    assert found == audit.verify(kept) and "record 9 is missing" in found
    kept.close()
