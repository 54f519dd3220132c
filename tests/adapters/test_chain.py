"""The chain over many records at once, in Python or in C: nothing differs by it.

Law: each test runs over both twins, and `link_hash`, a record at a time, says what is right.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import adapters.chain as chain
import adapters.sqlite
from adapters.ingest import translate
from adapters.sqlite import EVENTS_MAX, WHOLE_VALUES, Model, SqliteJournal
from events.codec import SCHEMA, encode
from events.frames import ETHERNET, Frame
from events.ids import NEVER, SECOND
from events.record import Provenance
from pvdcore.past.journal import GENESIS, Kin, Like, Pieces, link_hash
from tests import twins
from tests.bench.inputs import START, router_advertisement

SHARED = (SCHEMA, 4, 7, 1, -1)
DIGEST = b"e" * 32


@pytest.fixture(scope="session")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return twins.in_c(twins.built(tmp_path_factory.mktemp("compiled")), chain)


@pytest.fixture(params=["in Python", "in C"])
def twin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """One of the two does the work."""
    module: ModuleType = chain if request.param == "in Python" else request.getfixturevalue("in_c")
    monkeypatch.setattr(adapters.sqlite, "extend", module.extend)
    monkeypatch.setattr(adapters.sqlite, "walk", module.walk)
    return module


def pieces(said: Provenance) -> Pieces:
    return Like(SCHEMA, said, DIGEST).pieces


def model(said: Provenance) -> Model:
    return 4, 7, 1, *pieces(said)[:2]


def expected(said: Provenance, before: bytes, seq: int, at: int, packet: int, captured_at: int | None = None) -> bytes:
    whole = msgspec.structs.replace(said, packet=packet, captured_at=captured_at)
    return link_hash(before, seq, at, SCHEMA, whole, DIGEST)


COUNTS = st.integers(0, NEVER) | st.integers(0, 999)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.builds(Provenance, source=st.text(max_size=400), frame=st.sampled_from(["", "0f" * 16])),
    seq=st.integers(1, 2**62),
    ats=st.lists(st.integers(-NEVER, NEVER - 1), max_size=4).map(sorted),
    packet=st.integers(1, NEVER),
    captured_at=st.none() | st.integers(-NEVER, NEVER),
)
@example(Provenance("a" * 2000), 1, [1], 1, None)  # what is longer than the twins take
@example(Provenance("a" * 700), 1, [1], 1, None)  # to walk, but not to make
@example(Provenance('"packet":1,"captured_at":1'), 9, [-NEVER, 0, 10, 99, 100, NEVER - 1], NEVER, -NEVER)
def test_a_chain_is_made_and_walked_as_one_record_after_the_other(
    twin: ModuleType, said: Provenance, seq: int, ats: list[int], packet: int, captured_at: int | None
) -> None:
    one, whole, rows = model(said), pieces(said), []  # type: ignore[var-annotated]
    end = twin.extend((seq - 1, -NEVER, GENESIS), {9: one}, [9] * len(ats), ats, [packet] * len(ats), rows)
    head = GENESIS
    stored = []
    for number, at in enumerate(ats, seq):
        before, head = head, expected(said, head, number, at, packet)
        stored.append((number, at, packet, None, head, *SHARED))
        if len(one[3]) + len(one[4]) <= chain.TEXT_MAX:
            assert rows[WHOLE_VALUES * (number - seq) :][:WHOLE_VALUES] == [number, at, 4, 7, 1, packet, head]
        if sum(map(len, whole)) <= chain.TEXT_MAX:
            stamped = expected(said, before, number, at, packet, captured_at)
            row = (number, at, packet, captured_at, stamped, *SHARED)
            assert twin.walk((number - 1, at, before), [row], 0, {SHARED: whole}) == (number, at, stamped)
    begin, last = (seq - 1, -NEVER, GENESIS), (seq - 1 + len(ats), ats[-1] if ats else -NEVER, head)
    assert end == (last if len(one[3]) + len(one[4]) <= chain.TEXT_MAX else begin) and len(rows) == (
        WHOLE_VALUES * (end[0] - seq + 1)
    )
    walked = last if sum(map(len, whole)) <= chain.TEXT_MAX else begin
    assert twin.walk(begin, stored, 0, {SHARED: whole}) == walked


@given(
    said=st.builds(
        Provenance, source=st.text(max_size=60), linktype=st.integers(0, 300), interface=st.text(max_size=9)
    ),
    frame=st.binary(min_size=16, max_size=16).map(bytes.hex),
)
@example(Provenance('"frame":"' + "0" * 32, linktype=1), "0f" * 16)
def test_the_pieces_of_records_that_differ_in_frame_and_event_are_those_of_each(said: Provenance, frame: str) -> None:
    whole = msgspec.structs.replace(said, frame=frame)
    assert Kin(SCHEMA, said).pieces(frame, DIGEST) == Like(SCHEMA, whole, DIGEST).pieces


def test_making_stops_before_what_is_odd(twin: ModuleType) -> None:
    said = Provenance("a.pcapng")
    for ats, packets, made in (
        ([5, 4, 6], [1, 2, 3], 1),
        ([5, NEVER, NEVER], [1, 2, 3], 1),
        ([5, 6, 2**70], [1, 2, 3], 2),
        ([5, 6, 7], [1, 0, 3], 1),
        ([5, 6, 7], [1, -1, 3], 1),
        ([5, 6, 7], [1, 2**63, 3], 1),
        ([5, 5, 5], range(1, 4), 3),
    ):
        rows: list[object] = []
        end = twin.extend((0, 1, GENESIS), {7: model(said)}, [7] * 3, ats, packets, rows)
        assert len(rows) == made * WHOLE_VALUES and end == (made, ats[made - 1], rows[-1])
    rows = []
    assert twin.extend((0, 1, GENESIS), {7: model(said)}, [7, 8, 7], [5, 6, 7], [1, 2, 3], rows)[0] == 1
    assert len(rows) == WHOLE_VALUES
    with pytest.raises(ValueError):
        twin.extend((0, 1, GENESIS), {7: model(said)}, [7] * 3, [5, 6, 7], [1, 2], [])


def test_walking_stops_before_what_is_odd(twin: ModuleType) -> None:
    said = Provenance("a.pcapng")
    heads = [GENESIS]
    for seq in (1, 2, 3):
        heads.append(expected(said, heads[-1], seq, 10 * seq, seq))
    rows = [(seq, 10 * seq, seq, None, heads[seq], *SHARED) for seq in (1, 2, 3)]
    whole = (3, 30, heads[3])
    models = {SHARED: pieces(said)}
    assert twin.walk((0, 0, GENESIS), rows, 0, models) == whole
    assert twin.walk((2, 20, heads[2]), rows, 2, models) == whole
    assert twin.walk(whole, rows, 3, models) == whole
    for odd in (
        (3, 20, 2, None, heads[2], *SHARED),
        ("2", 20, 2, None, heads[2], *SHARED),
        (2, 9, 2, None, heads[2], *SHARED),
        (2, 20.0, 2, None, heads[2], *SHARED),
        (2, None, 2, None, heads[2], *SHARED),
        (2, 20, 3, None, heads[2], *SHARED),
        (2, 20, 2, 20, heads[2], *SHARED),
        (2, 20, 2, "20", heads[2], *SHARED),
        (2, 20, 2, None, heads[1], *SHARED),
        (2, 20, 2, None, heads[2][:-1], *SHARED),
        (2, 20, 2, None, None, *SHARED),
        (2, 20, 2, None, heads[2], SCHEMA, 5, 7, 1, -1),
        (2, 20, 2, None, heads[2], SCHEMA, "4", 7, 1, -1),
    ):
        assert twin.walk((0, 0, GENESIS), [rows[0], odd, rows[2]], 0, models) == (1, 10, heads[1])


def test_a_journal_of_repeats_is_the_same_whoever_made_its_chain(twin: ModuleType, tmp_path: Path) -> None:
    """Routers that repeat themselves; one repeat has no packet, so it is made by itself, as is what the third says:
    its frames were cut."""
    whole = [Frame(START, "e0", ETHERNET, router_advertisement(router, 0)) for router in (1, 2, 3)]
    events = [translate(frame)[0] for frame in whole]
    frames = [*whole[:2], msgspec.structs.replace(whole[2], original_length=1500)]
    alone, many = SqliteJournal(tmp_path / "alone.db"), SqliteJournal(tmp_path / "many.db")
    for kept in (alone, many):
        for number, (frame, event) in enumerate(zip(frames, events, strict=True), 1):
            kept.hear(START, event, frame, "a.pcapng", number)
    numbers = range(4, 7004)
    likes, ats = [1 + number % 5 % 3 for number in numbers], [START + number * SECOND for number in numbers]
    packets = [0 if number == 900 else number for number in numbers]
    many.again(likes, ats, packets)
    for like, at, packet in zip(likes, ats, packets, strict=True):
        frame = msgspec.structs.replace(frames[like - 1], at=at)
        alone.hear(at, events[like - 1], frame, "a.pcapng", packet)
    assert many.head() == alone.head()
    assert list(many.records()) == list(alone.records())
    noted = many.record(4000)
    many.close()
    alone.close()
    reader = SqliteJournal(tmp_path / "many.db", readonly=True)
    assert noted is not None and list(reader.check(reader.head())) == []
    reader.close()


def test_what_is_kept_for_a_record_to_come_is_what_it_says(twin: ModuleType, tmp_path: Path) -> None:
    """Each frame is another, more than are remembered; now and then one that a journal has comes again."""
    count = EVENTS_MAX + 900
    frames = [Frame(0, "e0", ETHERNET, router_advertisement(1, turn)) for turn in range(count)]
    events = [translate(frame)[0] for frame in frames]
    alone, many = SqliteJournal(tmp_path / "alone.db"), SqliteJournal(tmp_path / "many.db")
    turns: list[int] = []  # what each record says
    for batch in range(0, count, count // 2):
        first, likes = len(turns), []
        for turn in range(batch, batch + count // 2):
            likes.append(first + len(likes) + 1)
            many.keep(likes[-1], encode(events[turn]), ETHERNET, frames[turn].data, "a.pcapng")
            turns.append(turn)
            if turn % 5 == 0:
                likes.append(1 + turn // 2)
                turns.append(turns[turn // 2])
        numbers = range(first + 1, first + len(likes) + 1)
        many.again(likes, [START + number * SECOND for number in numbers], numbers)
    for number, turn in enumerate(turns, 1):
        at = START + number * SECOND
        alone.hear(at, events[turn], msgspec.structs.replace(frames[turn], at=at), "a.pcapng", number)
    assert many.head() == alone.head()
    assert list(many.check()) == []
    many.close()
    alone.close()


@pytest.mark.parametrize("seq", [1, 2, 3, 4095, 4096, 4097, 5000])
def test_an_edited_row_is_found_whoever_walks(twin: ModuleType, tmp_path: Path, seq: int) -> None:
    path = tmp_path / "pvd.db"
    frame = Frame(START, "e0", ETHERNET, router_advertisement(1, 0))
    kept = SqliteJournal(path)
    kept.hear(START, translate(frame)[0], frame, "a.pcapng", 1)
    kept.again([1] * 4999, range(START + 1, START + 5000), range(2, 5001))
    kept.close()
    conn = sqlite3.connect(path)
    conn.execute("DROP TRIGGER records_update")
    conn.execute("UPDATE records SET packet = packet + 1 WHERE seq = ?", (seq,))
    conn.commit()
    conn.close()
    kept = SqliteJournal(path, readonly=True)
    found = list(kept.check())
    kept.close()
    assert f"record {seq} does not match its hash in the chain" in found
    assert sum("does not match" in line for line in found) == 1
