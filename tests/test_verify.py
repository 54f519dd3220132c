"""A journal that was changed behind our back says so: each stored value, each stored octet, each removed record.

Law: damage is a sentence of `check`, or a JournalError in one line when it is opened or read; never a traceback of
SQLite's, and never a journal that passes. The chain is not keyed: what root rewrites whole, only a noted head shows.
"""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.sqlite import JournalError, SqliteJournal
from events.codec import SCHEMA
from events.frames import ETHERNET, FrameRejected
from events.ids import SECOND
from events.link import LinkGone
from events.record import Provenance, Record
from pvdcore.past.journal import event_digest, frame_digest

START = 1_700_000_000 * SECOND
RECORDS = 12


def record_of(seq: int) -> tuple[Record, bytes | None]:
    if seq % 5 == 0:
        return Record(seq, START + seq, SCHEMA, Provenance(source="engine"), LinkGone(link=f"eth{seq}")), None
    number = seq % 3
    data = bytes([number]) * 60
    captured_at = START - seq if seq % 2 else None
    provenance = Provenance("home.pcap", seq, frame_digest(data), ETHERNET, captured_at, 1514 if number else -1, "eth0")
    event = FrameRejected(link="eth0", rule="hop-limit", offset=number, protocol="ra")
    return Record(seq, START + seq, SCHEMA, provenance, event), data


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A journal as it should be, with every kind of column in use, and its head."""
    path = tmp_path_factory.mktemp("whole") / "pvd.db"
    journal = SqliteJournal(path)
    for seq in range(1, RECORDS + 1):
        journal.append(*record_of(seq))
    journal.commit()
    assert list(journal.check(journal.head())) == []
    head = journal.head()
    journal.close()
    return path, head


@pytest.fixture
def copy(whole: tuple[Path, str], tmp_path: Path) -> Path:
    return Path(shutil.copy(whole[0], tmp_path / "copy.db"))


def tamper(path: Path, *statements: str) -> None:
    """Change a journal as somebody would who knows SQLite: guards off, the deed, guards on again."""
    conn = sqlite3.connect(path, isolation_level=None)
    guards = conn.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    assert len(guards) == 8
    for name, _ in guards:
        conn.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        assert conn.execute(statement).rowcount != 0, statement
    for _, sql in guards:
        conn.execute(sql)
    conn.close()


def verdict(path: Path, head: str | None = None) -> list[str]:
    """What is found wrong, be it by opening, by checking or by reading. Anything but JournalError goes through."""
    found: list[str] = []
    try:
        journal = SqliteJournal(path, readonly=True)
    except JournalError as error:
        return [str(error)]
    found += journal.check(head)
    try:
        for record in journal.records():
            if record.provenance.frame:
                journal.frame(record.provenance.frame)
        list(journal.history())
        journal.seq_at(START + 3)
    except JournalError as error:
        unsaid = "" if found else str(error)
    else:
        unsaid = ""
    assert not unsaid, f"reading says {unsaid}, but check said nothing"
    journal.close()
    assert not any("\n" in line for line in found)
    return found


def test_a_journal_nobody_touched_is_whole(whole: tuple[Path, str], copy: Path) -> None:
    assert verdict(copy, whole[1]) == []
    tamper(copy, "UPDATE records SET at = at")  # and taking the guards off and on is no damage by itself
    assert verdict(copy, whole[1]) == []


COLUMNS = {
    "seq": "UPDATE records SET seq = 1000 WHERE seq = {}",
    "at": "UPDATE records SET at = at + 1 WHERE seq = {}",
    "v": "UPDATE records SET v = v + 1 WHERE seq = {}",
    "event": "UPDATE records SET event = (SELECT event FROM records WHERE seq = 10) WHERE seq = {}",
    "frame": "UPDATE records SET frame = 1 + frame % 3 WHERE seq = {}",
    "no frame": "UPDATE records SET frame = NULL WHERE seq = {}",
    "source": "UPDATE records SET source = 3 - source WHERE seq = {}",
    "packet": "UPDATE records SET packet = packet + 1 WHERE seq = {}",
    "captured_at": "UPDATE records SET captured_at = coalesce(captured_at, 0) + 1 WHERE seq = {}",
    "original_length": "UPDATE records SET original_length = original_length - 1 WHERE seq = {}",
    "chain": "UPDATE records SET chain = zeroblob(32) WHERE seq = {}",
    "short chain": "UPDATE records SET chain = x'00' WHERE seq = {}",
    "dangling event": "UPDATE records SET event = 77 WHERE seq = {}",
    "dangling frame": "UPDATE records SET frame = 77 WHERE seq = {}",
    "dangling source": "UPDATE records SET source = 77 WHERE seq = {}",
}


@pytest.mark.covers("feat:O5")
@pytest.mark.parametrize("seq", [1, 6, RECORDS])
@pytest.mark.parametrize("column", COLUMNS)
def test_each_column_of_a_record_is_under_the_chain(copy: Path, column: str, seq: int) -> None:
    tamper(copy, COLUMNS[column].format(seq))
    found = verdict(copy)
    assert found
    if column not in {"seq", "short chain"}:
        assert any(f"record {seq} " in line or f"record {seq} is" in line for line in found), found
        others = [n for n in range(1, RECORDS + 1) if n not in {seq, seq + 1}]
        assert not any(f"record {n} " in line for n in others for line in found), found  # it says where


@pytest.mark.covers("feat:O5")
@pytest.mark.parametrize(
    ("deed", "word"),
    [
        ("UPDATE events SET body = replace(body, 'hop-limit', 'hop-limiT') WHERE id = 1", "event body 1"),
        ("UPDATE events SET digest = zeroblob(32) WHERE id = 2", "event body 2"),
        ("UPDATE frames SET data = zeroblob(60) WHERE id = 1", "frame 1"),
        ("UPDATE frames SET digest = zeroblob(16) WHERE id = 1", "frame 1"),
        ("UPDATE sources SET source = 'work.pcap' WHERE id = 1", "record 1 "),
        ("UPDATE sources SET linktype = 113 WHERE id = 1", "record 1 "),
        ("UPDATE sources SET interface = 'eth1' WHERE id = 1", "record 1 "),
        ("DELETE FROM events WHERE id = 1", "the event of record 1 is missing"),
        ("DELETE FROM frames WHERE id = 1", "the frame of record 1 is missing"),
        ("DELETE FROM sources WHERE id = 1", "the source of record 1 is missing"),
        ("INSERT INTO events VALUES (99, x'00', x'00')", "row 99 of events belongs to no record"),
        ("INSERT INTO sources VALUES (99, 'x', 1, '')", "row 99 of sources belongs to no record"),
    ],
)
def test_each_body_is_under_its_hash(copy: Path, deed: str, word: str) -> None:
    if "replace" in deed:
        deed = (
            "UPDATE events SET body = CAST(replace(CAST(body AS TEXT), 'hop-limit', 'hop-limiT') AS BLOB) WHERE id = 1"
        )
    tamper(copy, deed)
    assert any(line.startswith(word) for line in verdict(copy)), verdict(copy)


@pytest.mark.covers("feat:O5")
def test_a_body_changed_together_with_its_hash_breaks_the_chain(copy: Path) -> None:
    body = b'{"type":"link-gone","link":"eth9"}'
    tamper(copy, f"UPDATE events SET body = x'{body.hex()}', digest = x'{event_digest(body).hex()}' WHERE id = 1")
    assert any("does not match its hash" in line for line in verdict(copy))


@pytest.mark.covers("feat:O5")
@pytest.mark.parametrize(
    ("where", "word"),
    [
        ("seq = 1", "record 1 is missing"),
        ("seq = 6", "record 6 is missing"),
        ("seq BETWEEN 3 AND 7", "records 3 to 7 are missing"),
        (f"seq = {RECORDS}", f"record {RECORDS} is missing at the end"),
        ("seq > 9", "records 10 to 12 are missing at the end"),
        ("seq > 0", "records 1 to 12 are missing at the end"),
    ],
)
def test_a_removed_record_leaves_a_gap(copy: Path, where: str, word: str) -> None:
    tamper(copy, f"DELETE FROM records WHERE {where}")
    assert word in verdict(copy)


@pytest.mark.covers("feat:O5")
@pytest.mark.parametrize("seq", [1, 6])
def test_closing_the_gap_by_renumbering_breaks_the_chain(copy: Path, seq: int) -> None:
    tamper(
        copy,
        f"DELETE FROM records WHERE seq = {seq}",
        f"UPDATE records SET seq = -seq WHERE seq > {seq}",
        "UPDATE records SET seq = -seq - 1 WHERE seq < 0",
        f"UPDATE tail SET seq = {RECORDS - 1}",
    )
    assert f"record {seq} does not match its hash in the chain" in verdict(copy)


@pytest.mark.covers("feat:O5")
def test_swapped_records_break_the_chain(copy: Path) -> None:
    tamper(
        copy,
        "UPDATE records SET seq = -1 WHERE seq = 4",
        "UPDATE records SET seq = 4 WHERE seq = 7",
        "UPDATE records SET seq = 7 WHERE seq = -1",
    )
    found = verdict(copy)
    assert "record 4 does not match its hash in the chain" in found
    assert "record 5 is dated before the one before it" in found


@pytest.mark.covers("feat:O5")
def test_a_tail_cut_with_care_is_found_by_a_noted_head_only(whole: tuple[Path, str], copy: Path) -> None:
    tamper(
        copy,
        "DELETE FROM records WHERE seq > 10",
        "UPDATE tail SET seq = 10, head = (SELECT chain FROM records WHERE seq = 10)",
    )
    assert verdict(copy) == []  # an unkeyed chain cannot know; the documents say so
    assert any(whole[1] in line for line in verdict(copy, whole[1]))


def test_a_writer_does_not_write_over_the_traces_of_a_cut(copy: Path) -> None:
    tamper(copy, "DELETE FROM records WHERE seq > 10")
    with pytest.raises(JournalError, match="it ends at record 10, but its last commit ended at 12"):
        SqliteJournal(copy)
    assert "records 11 to 12 are missing at the end" in verdict(copy)


@pytest.mark.parametrize("deed", ["DROP TRIGGER records_update", "CREATE TABLE notes (text)", "DROP TABLE digests"])
def test_other_tables_and_missing_guards_are_told(copy: Path, deed: str) -> None:
    conn = sqlite3.connect(copy)
    conn.execute(deed)
    conn.close()
    name = deed.split()[2]
    assert any(f" {name} " in line for line in verdict(copy))


def test_an_index_that_leads_astray_is_told(copy: Path) -> None:
    """The rows are whole, but a frame would no longer be found by its hash: only SQLite's own check can see it."""
    data, digest = copy.read_bytes(), bytes.fromhex(frame_digest(bytes([1]) * 60))
    assert data.count(digest) == 2  # in the row, and in the index
    conn = sqlite3.connect(copy)
    root = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_frames_1'").fetchone()[0]
    conn.close()
    at = data.index(digest, (root - 1) * 4096)
    copy.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert verdict(copy)


def test_a_check_beside_a_writer_judges_one_instant(copy: Path) -> None:
    tamper(copy, f"UPDATE records SET packet = packet + 1 WHERE seq = {RECORDS}")
    writer, reader = SqliteJournal(copy), SqliteJournal(copy, readonly=True)
    sentences = reader.check()
    assert next(sentences) == f"record {RECORDS} does not match its hash in the chain"
    writer.append(*record_of(RECORDS + 1))
    writer.commit()
    assert list(sentences) == []  # the new record is neither missing nor too much
    assert reader.last_seq() == RECORDS + 1
    reader.close()
    writer.close()


# --- octets --------------------------------------------------------------------------------------------------------


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for n in range(9):
        octet = data[at + n]
        if n == 8:
            return value << 8 | octet, at + 9
        value = value << 7 | octet & 0x7F
        if octet < 0x80:
            return value, at + n + 1
    raise AssertionError


def cells(data: bytes, page: int) -> Iterator[range]:
    """Where the rows of a table stand in the file (SQLite's file format, §1.6): length, rowid, payload, overflow."""
    size = int.from_bytes(data[16:18], "big")
    start = (page - 1) * size
    kind, count = data[start], int.from_bytes(data[start + 3 : start + 5], "big")
    pointers = start + (12 if kind == 5 else 8)
    for n in range(count):
        cell = start + int.from_bytes(data[pointers + 2 * n : pointers + 2 * n + 2], "big")
        if kind == 5:
            yield from cells(data, int.from_bytes(data[cell : cell + 4], "big"))
            continue
        length, after = varint(data, cell)
        _, after = varint(data, after)
        least = (size - 12) * 32 // 255 - 23
        local = length
        if length > size - 35:
            local = least + (length - least) % (size - 4)
            local = local if local <= size - 35 else least
        yield range(cell, after + local)
        left, pointer = length - local, after + local
        while left > 0:
            pointer = (int.from_bytes(data[pointer : pointer + 4], "big") - 1) * size
            yield range(pointer + 4, pointer + 4 + min(left, size - 4))
            left -= size - 4
    if kind == 5:
        yield from cells(data, int.from_bytes(data[start + 8 : start + 12], "big"))


def octets(path: Path, table: str) -> list[int]:
    conn = sqlite3.connect(path)
    root = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    conn.close()
    return [at for cell in cells(path.read_bytes(), root) for at in cell]


@pytest.mark.covers("feat:O5")
@pytest.mark.parametrize("table", ["records", "events", "frames", "sources"])
def test_each_octet_of_each_row(whole: tuple[Path, str], tmp_path: Path, table: str) -> None:
    data, path, chance = whole[0].read_bytes(), tmp_path / "flipped.db", random.Random(table)
    places = octets(whole[0], table)
    assert len(places) >= 30
    for at in places:
        flipped = bytearray(data)
        flipped[at] ^= chance.randrange(1, 256)
        path.write_bytes(flipped)
        if verdict(path):
            continue
        # Only the place holder of an INTEGER PRIMARY KEY (§2.3) may differ: SQLite does not read it, nothing changed.
        assert data[at] == 0 and 8 <= flipped[at] <= 13, f"octet {at}: {data[at]:#x} became {flipped[at]:#x}"
        journal = SqliteJournal(path, readonly=True)
        assert list(journal.records()) == [record_of(seq)[0] for seq in range(1, RECORDS + 1)]
        journal.close()


@pytest.mark.covers("feat:O5")
def test_octets_of_a_large_journal_with_long_frames(tmp_path: Path) -> None:
    path, chance = tmp_path / "large.db", random.Random(5)
    journal = SqliteJournal(path)
    for seq in range(1, 301):
        data = chance.randbytes(9000 if seq % 50 == 0 else 200)
        provenance = Provenance("home.pcap", seq, frame_digest(data), ETHERNET)
        event = FrameRejected(link="eth0", rule="option-length-zero", offset=seq, protocol="ra", detail="x" * seq * 20)
        journal.append(Record(seq, START + seq, SCHEMA, provenance, event), data)
    journal.close()
    data = path.read_bytes()
    for table in ("records", "events", "frames"):
        for at in chance.sample(octets(path, table), 25):
            flipped = bytearray(data)
            flipped[at] ^= 1 << chance.randrange(8)
            path.write_bytes(flipped)
            assert verdict(path), f"octet {at} of {table}: {data[at]:#x} became {flipped[at]:#x}"
    path.write_bytes(data)
    assert verdict(path) == []


def test_any_octet_of_the_file_never_a_traceback(whole: tuple[Path, str], tmp_path: Path) -> None:
    data, path, chance = whole[0].read_bytes(), tmp_path / "flipped.db", random.Random(7)
    for at in [*range(100), *(chance.randrange(100, len(data)) for _ in range(400))]:
        flipped = bytearray(data)
        flipped[at] ^= chance.randrange(1, 256)
        path.write_bytes(flipped)
        verdict(path)
        with suppress(JournalError):
            SqliteJournal(path).close()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_cut_file_is_told(whole: tuple[Path, str], tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.db"
    data = whole[0].read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert verdict(path)
