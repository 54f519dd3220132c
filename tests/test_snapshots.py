"""Snapshots and indexes are caches: with them or without them the past reads the same.

Law: every answer is compared with one folded from the first record by a journal that holds nothing derived.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.sqlite import SqliteJournal
from events.ids import SECOND
from pvdcore import engine
from pvdcore.past import snapshot
from pvdcore.past.audit import chronicle, state_at, verify, why
from pvdcore.reduce import reduce
from pvdcore.state import EMPTY
from replay.rerun import rerun
from tests.bench import inputs

CAPTURE = str(Path(__file__).parent / "captures" / "client-systemd-networkd.pcap")


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteJournal:
    """A journal with a snapshot every few records."""
    monkeypatch.setattr(engine, "CHECKPOINT_EVERY", 5)
    monkeypatch.setattr(engine, "CHECKPOINT_LEAST", 1)
    monkeypatch.setattr(engine, "RECORD_OCTETS", 10**9)
    made = SqliteJournal(str(tmp_path / "j.db"))
    rerun([CAPTURE], journal=made)
    return made


@pytest.mark.covers("feat:O3")
def test_without_snapshots_and_index_every_answer_is_the_same(journal: SqliteJournal) -> None:
    taken = {found[0] for seq in range(1, journal.last_seq() + 1) if (found := journal.snapshot(seq)) is not None}
    assert len(taken) >= 4, "there are snapshots to do without"
    states = [snapshot.encode(state_at(journal, seq=seq)) for seq in range(1, journal.last_seq() + 1)]
    lines = list(chronicle(journal))
    answers = why(journal, "198.51.100.100")
    assert len({*states}) > 10, "the past was not all the same"
    assert answers
    assert lines
    journal.drop_derived()
    assert journal.snapshot(journal.last_seq()) is None
    assert list(journal.history()) == []
    assert [snapshot.encode(state_at(journal, seq=seq)) for seq in range(1, journal.last_seq() + 1)] == states
    assert list(chronicle(journal)) == lines
    assert why(journal, "198.51.100.100") == answers


def test_where_routers_repeat_themselves_the_past_is_that_of_one_record_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "CHECKPOINT_EVERY", 2_000)
    monkeypatch.setattr(engine, "CHECKPOINT_LEAST", 1)
    monkeypatch.setattr(engine, "RECORD_OCTETS", 10**9)
    monkeypatch.setattr(inputs, "ROUTERS", 30)
    monkeypatch.setattr(inputs, "LINKS", 3)
    monkeypatch.setattr(inputs, "CLIENTS", 60)
    capture = tmp_path / "a.pcapng"
    inputs.write(capture, inputs.repeating(4_000), 40_000_000)
    kept = SqliteJournal(str(tmp_path / "j.db"))
    rerun([str(capture)], journal=kept)
    last = kept.last_seq()
    assert len({found[0] for seq in range(1, last) if (found := kept.snapshot(seq)) is not None}) >= 2
    asked = set(range(1, last, 331)) | {last}
    state = EMPTY
    for record in kept.records():
        state = reduce(state, record)
        if record.seq in asked:
            expected = snapshot.encode(state)
            assert snapshot.encode(state_at(kept, seq=record.seq)) == expected
            assert snapshot.encode(snapshot.decode(snapshot.pack(state))) == expected
    kept.drop_derived()
    assert snapshot.encode(state_at(kept)) == snapshot.encode(state)
    assert verify(kept) == []


def test_a_snapshot_of_before_is_read(journal: SqliteJournal) -> None:
    """Once they were not deflated."""
    found = journal.snapshot(20)
    assert found is not None
    expected = snapshot.encode(state_at(journal, seq=20))
    journal._write_many("UPDATE snapshots SET state = ? WHERE seq = ?", [(found[1], found[0])])
    journal.commit()
    assert journal.snapshot(20) == found
    assert snapshot.encode(state_at(journal, seq=20)) == expected


def test_a_snapshot_of_another_program_is_no_obstacle(journal: SqliteJournal) -> None:
    expected = snapshot.encode(state_at(journal, seq=20))
    journal.drop_derived()
    journal.save_snapshot(18, b'{"made": "by another version"}')
    journal.commit()
    assert snapshot.encode(state_at(journal, seq=20)) == expected


def test_verify_folds_again_and_finds_a_state_that_was_recorded_otherwise(journal: SqliteJournal) -> None:
    assert verify(journal) == []
    journal.save_digest(10, "00" * 16)
    journal.commit()
    (problem,) = verify(journal)
    assert "record 10" in problem


def test_what_lapsed_before_a_stop_is_not_written_into_history_again(tmp_path: Path) -> None:
    path = str(tmp_path / "j.db")
    first = SqliteJournal(path)
    run = rerun([CAPTURE], journal=first)
    later = run.state.now + 86_400 * SECOND
    engine.Engine(first, run.state).wake(later)
    lines = list(first.history())
    assert lines[-1].cause == "lapsed"
    first.close()

    again = SqliteJournal(path)
    engine.Engine(again, state_at(again)).wake(later)
    assert list(again.history()) == lines
    again.drop_derived()
    fresh = engine.Engine(again, state_at(again))
    fresh.wake(later)
    assert [line.cause for line in again.history()].count("lapsed") == [line.cause for line in lines].count("lapsed")
