"""Snapshots and indexes are caches: with them or without them the past reads the same.

Law: every answer is compared with one folded from the first record by a journal that holds nothing derived.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from adapters.sqlite import SqliteJournal
from events.ids import SECOND
from events.operator import Settings, SettingsLoaded
from pvdcore import engine
from pvdcore.past import snapshot
from pvdcore.past.audit import chronicle, last_words, state_at, verify, why
from pvdcore.reduce import Fold, advance, reduce
from pvdcore.state import EMPTY, State
from replay.rerun import rerun
from tests.bench import inputs
from tests.sim.build import R1, R2, Story, dns, pio, ra

CAPTURES = sorted((Path(__file__).parent / "captures").glob("*.pcap*"))
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


def test_of_a_router_whose_lifetimes_moved_only_what_moved_is_told() -> None:
    one, other = "2001:db8:1::/64", "2001:db8:2::/64"
    told = Story().hear(ra(R1, pio(one, 86_400), dns("2001:db8::53")), ra(R2, pio(other)))
    packer = snapshot.Packer()
    base = packer.whole(told.state)
    before = told.state.speakers["e0", R1][0]
    told.at(10).hear(ra(R1, pio(one, 86_390), dns("2001:db8::53")), ra(R2, pio(other)))
    after = told.state.speakers["e0", R1][0]
    changed = packer.changed(told.state)
    said = msgspec.msgpack.decode(changed)["packed"]
    (moved,) = said["told"]
    assert [option["valid_s"] for _, option in moved[4]] == [86_390]
    assert [(before.held[place].key, item["lifetime_s"]) for place, item in moved[5]] == [(one, 86_390)]
    assert said["speakers"] == [] and len(said["heard"]) == 1
    back = snapshot.decode(changed, {msgspec.msgpack.decode(base)["packed"]["seq"]: base}.get)
    assert back.speakers["e0", R1] == (after,)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.name)
def test_what_changed_since_a_whole_snapshot_is_told_to_whoever_has_that(capture: Path) -> None:
    """At every record of a capture; and what is read back goes on as the original does, however far time has come."""
    records = list(rerun([str(capture)]).journal.records())[:400]
    state, packer, base = EMPTY, snapshot.Packer(), b""
    read: list[State] = []
    for number, record in enumerate(records):
        state = reduce(state, record)
        if number % 29 == 0:
            base, began = packer.whole(state), state.seq
            read.append(snapshot.decode(base))
        else:
            found = packer.changed(state)
            read.append(snapshot.decode(found, {began: base}.get))
        assert snapshot.encode(read[-1]) == snapshot.encode(state)
        for seq, words in last_words(read[-1]).items():
            assert records[seq - 1].event == words
    later = state.now + 40_000 * SECOND
    expected = snapshot.encode(advance(state, later))
    for number in range(0, len(records), max(1, len(records) // 12)):
        fold = Fold(read[number])
        fold.run((one.seq, one.at, one.event, one.provenance.captured_at) for one in records[number + 1 :])
        assert snapshot.encode(advance(fold.state, later)) == expected


def test_without_the_whole_snapshot_what_changed_is_no_answer(journal: SqliteJournal) -> None:
    kept = [journal.snapshot(seq) for seq in range(1, journal.last_seq() + 1)]
    found = [one for one in kept if one is not None and b"base" in one[1]][-1]
    expected = snapshot.encode(state_at(journal))
    with pytest.raises(msgspec.DecodeError):
        snapshot.decode(found[1])
    journal.drop_derived()
    journal.save_snapshot(*found)
    assert snapshot.encode(state_at(journal)) == expected
    journal.save_snapshot(found[0] - 1, found[1])
    assert snapshot.encode(state_at(journal)) == expected


def test_what_an_earlier_program_packed_is_read(journal: SqliteJournal) -> None:
    state = state_at(journal)
    plain = msgspec.json.decode(snapshot.encode(state))
    plain["shared"], plain["cells"] = [], []
    for _, pvd in plain["pvds"]:
        plain["cells"].append([len(plain["shared"]) + place for place in range(len(pvd["instances"]))])
        plain["shared"] += pvd["instances"]
        pvd["instances"] = []
    assert plain["shared"]
    assert snapshot.encode(snapshot.decode(msgspec.json.encode(plain))) == snapshot.encode(state)


def test_what_an_earlier_program_packed_as_text_is_read(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_packer", msgspec.json.Encoder(enc_hook=snapshot._listed))
    first, last = state_at(journal, seq=20), state_at(journal)
    packer = snapshot.Packer()
    whole, changed = packer.whole(first), packer.changed(last)
    assert {whole[:10], changed[:10]} == {b'{"packed":'}
    assert snapshot.encode(snapshot.decode(whole)) == snapshot.encode(first)
    assert snapshot.encode(snapshot.decode(changed, {20: whole}.get)) == snapshot.encode(last)


def test_a_number_that_takes_more_than_64_bits_is_kept() -> None:
    settings = Settings("home", "toml", "a:1", {"ipv4.route-metric": 2**70})
    state = Story().hear(SettingsLoaded(settings=settings)).state
    assert snapshot.decode(snapshot.pack(state)).settings["home"].values == {"ipv4.route-metric": 2**70}


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
