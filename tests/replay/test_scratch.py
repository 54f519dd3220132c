"""The journal of a replay that nobody keeps: what only it promises; the rest is in tests/contract/test_journal.py."""

from pathlib import Path

import pytest

from events.ids import SECOND
from pvdcore import engine
from pvdcore.past import snapshot
from pvdcore.past.audit import state_at
from pvdcore.reduce import reduce
from pvdcore.state import EMPTY
from replay.rerun import rerun
from replay.scratch import STATES, ScratchJournal
from tests.bench.inputs import different, write


def test_of_states_it_holds_a_few_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = ScratchJournal()
    for last in range(10, 3000, 10):
        journal.save_snapshot(last, EMPTY)
        held = sorted({found[0] for seq in range(last + 1) if (found := journal.snapshot(seq)) is not None})
        assert len(held) == min(last // 10, STATES) and held[-1] == last
        folded = max(after - before for before, after in zip([0, *held], held, strict=False))
        assert folded <= max(10, last / 4)
    journal.save_snapshot(5, b"octets are in the file")
    assert journal.snapshot(9) == (5, b"octets are in the file") and journal.snapshot(last) == (last, EMPTY)
    journal.close()


def test_its_past_is_that_of_one_record_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CHECKPOINT_EVERY", 10)
    monkeypatch.setattr(engine, "CHECKPOINT_LEAST", 1)
    write(tmp_path / "b.pcapng", different(200), SECOND)
    journal = rerun([str(tmp_path / "b.pcapng")]).journal
    assert len({found[0] for seq in range(200) if (found := journal.snapshot(seq)) is not None}) > 4
    state = EMPTY
    for record in journal.records():
        state = reduce(state, record)
        if record.seq % 7 == 0:
            assert snapshot.encode(state_at(journal, seq=record.seq)) == snapshot.encode(state)
