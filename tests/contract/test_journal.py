"""What every journal promises: one suite, run over the one in memory and the one in a file.

Law: a test here may not know which of the two it has; what only a file can promise stands in the second half.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec
import pytest

from adapters.sqlite import EVENTS_MAX, PAGE_ROWS, ROWS_MAX, JournalError, SqliteJournal
from events.codec import SCHEMA, AnyEvent, decode, encode
from events.frames import ETHERNET, Frame, FrameRejected
from events.ids import NEVER, SECOND
from events.link import LinkGone, LinkSeen
from events.record import Provenance, Record
from events.session import SessionStarted, UnknownEvent
from pvdcore.past import snapshot
from pvdcore.past.audit import state_at
from pvdcore.past.journal import GENESIS, Like, MemoryJournal, frame_digest, link_hash
from pvdcore.ports import Journal
from pvdcore.state import Change
from replay.scratch import ScratchJournal

ROOT = Path(__file__).parents[2]
START = 1_700_000_000 * SECOND
LATER = b'{"type":"colour-seen", "z":1,  "a":[1.50,null]}'  # a later program's words, not in our canonical form

Opened = Callable[[], Journal]


def rejected(number: int) -> FrameRejected:
    return FrameRejected(link="eth0", rule="hop-limit", offset=number, protocol="ra")


def frame_of(number: int) -> bytes:
    return b"frame %d " % number + bytes(range(40))


def heard(seq: int, number: int, at: int | None = None) -> tuple[Record, bytes]:
    """Record `seq`: router `number` says what it always says."""
    data = frame_of(number)
    provenance = Provenance(source="home.pcapng", packet=seq, frame=frame_digest(data), linktype=ETHERNET)
    return Record(seq, START + seq if at is None else at, SCHEMA, provenance, rejected(number)), data


def told(seq: int, event: AnyEvent, at: int | None = None, v: int = SCHEMA) -> tuple[Record, None]:
    """Record `seq`: something without a frame."""
    return Record(seq, START + seq if at is None else at, v, Provenance(source="engine"), event), None


def story() -> list[tuple[Record, bytes | None]]:
    """Ten records: without a frame, with one, repeated, clamped, cut, on another link, of another schema."""
    cut = frame_of(2)
    odd = Provenance("b.pcap", 7, frame_digest(cut), 276, START - 5, 1514, "eth0.10")
    return [
        told(1, SessionStarted(mode="replay", version="0.1.0")),
        heard(2, 1),
        heard(3, 2),
        heard(4, 1),
        told(5, decode(LATER, SCHEMA)),
        (Record(6, START + 6, SCHEMA, odd, rejected(2)), cut),
        told(7, decode(b'{"type":"link-gone","shape":9}', SCHEMA + 1), v=SCHEMA + 1),
        heard(8, 1, at=START + 7),
        heard(9, 3, at=START + 7),
        told(10, LinkGone(link="eth0")),
    ]


def change(pvd: str, at: int, version: int = 1) -> Change:
    route = ("route", "default fe80::1", ("fe80::1", 256, None, True, ("a", (1, 2))))
    return Change(pvd, "eth0", 1, "", at, 3, "announced", version, "", "announced", (route,), seq=3)


def fill(journal: Journal, records: list[tuple[Record, bytes | None]]) -> None:
    for record, data in records:
        journal.append(record, data)
    journal.commit()


@pytest.fixture(params=["memory", "scratch", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    made: Journal
    if request.param == "sqlite":
        made = SqliteJournal(tmp_path / "pvd.db")
    else:
        made = MemoryJournal() if request.param == "memory" else ScratchJournal()
    yield made
    made.close()


# --- what both promise ---------------------------------------------------------------------------------------------


def test_an_empty_journal_ends_at_zero(journal: Journal) -> None:
    assert journal.last_seq() == 0 and journal.head() == GENESIS.hex()
    assert journal.record(1) is None and list(journal.records()) == [] and list(journal.history()) == []
    assert journal.seq_at(START) == 0 and journal.snapshot(5) is None and journal.frame("00" * 16) is None
    assert list(journal.check()) == []


def test_records_come_back_in_order_and_whole(journal: Journal) -> None:
    records = story()
    for record, data in records:
        journal.append(record, data)
        assert journal.last_seq() == record.seq  # visible before the commit
        assert journal.record(record.seq) == record
    journal.commit()
    expected = [record for record, _ in records]
    assert list(journal.records()) == expected
    assert list(journal.records(3, 5)) == expected[2:5]
    assert list(journal.records(9)) == expected[8:]
    assert list(journal.records(-4, 2)) == expected[:2]
    assert list(journal.records(11)) == [] and list(journal.records(5, 4)) == []
    steps = [(one.seq, one.at, one.event, one.provenance.captured_at) for one in expected]
    assert list(journal.steps()) == steps
    assert list(journal.steps(3, 5)) == steps[2:5] and list(journal.steps(11)) == []
    assert journal.record(0) is None and journal.record(11) is None
    assert list(journal.check()) == []


def test_what_is_known_already_need_not_be_read(journal: Journal) -> None:
    """The steps are the same; a file gives the very object that it was told, for all records that say so."""
    fill(journal, [heard(1, 1), heard(2, 1), heard(3, 2)])
    journal.commit()
    steps = list(journal.steps())
    (word,) = (event for seq, _, event, _ in steps if seq == 1)
    mine = msgspec.structs.replace(word)
    assert list(journal.steps(2, None, {1: mine})) == steps[1:]
    if isinstance(journal, SqliteJournal):
        (same, other) = (event for _, _, event, _ in journal.steps(2, None, {1: mine}))
        assert same is mine and other is not mine


def test_reading_sees_what_was_there_when_it_began(journal: Journal) -> None:
    fill(journal, story()[:3])
    reading = journal.records()
    journal.append(*story()[3])
    assert [record.seq for record in reading] == [1, 2, 3]
    assert [record.seq for record in journal.records()] == [1, 2, 3, 4]


@pytest.mark.parametrize("seq", [0, 1, 2, 4, 5])
def test_a_gap_or_a_repetition_is_refused(journal: Journal, seq: int) -> None:
    fill(journal, story()[:2])
    record, data = heard(seq, 9)
    with pytest.raises(ValueError, match="without gaps"):
        journal.append(record, data)
    journal.append(*heard(3, 9))
    assert [record.seq for record in journal.records()] == [1, 2, 3]
    assert list(journal.check()) == []  # nothing of the refused one stayed


def test_time_neither_goes_backwards_nor_ends(journal: Journal) -> None:
    fill(journal, [heard(1, 1)])
    for at in (START, NEVER, 2**70):
        with pytest.raises(ValueError, match="time does not go backwards"):
            journal.append(*heard(2, 2, at=at))
    journal.append(*heard(2, 2, at=START + 1))
    assert journal.last_seq() == 2 and list(journal.check()) == []


def test_a_frame_must_have_come_and_must_be_named(journal: Journal) -> None:
    fill(journal, [heard(1, 1)])
    record, data = heard(2, 2)
    with pytest.raises(ValueError, match="does not have"):
        journal.append(record, None)
    with pytest.raises(ValueError, match="names none"):
        journal.append(told(2, LinkGone(link="eth0"))[0], data)
    journal.append(heard(2, 1)[0], None)  # the bytes came with record 1
    journal.append(*heard(3, 2))
    journal.commit()
    assert [record.provenance.packet for record in journal.records()] == [1, 2, 3]
    assert list(journal.check()) == []


def test_the_last_record_not_after_an_instant(journal: Journal) -> None:
    instants = [10, 20, 20, 20, 30]
    fill(journal, [heard(seq, 1, at) for seq, at in enumerate(instants, 1)])
    asked = {9: 0, 10: 1, 19: 1, 20: 4, 21: 4, 29: 4, 30: 5, NEVER: 5, -1: 0}
    assert {at: journal.seq_at(at) for at in asked} == asked


def test_a_frame_is_found_by_its_hash(journal: Journal) -> None:
    fill(journal, story())
    for record, data in story():
        if data is not None:
            assert journal.frame(record.provenance.frame) == data
    assert journal.frame(frame_digest(b"never heard")) is None
    assert journal.frame("no hash") is None and journal.frame("") is None


def test_what_a_later_program_wrote_comes_back_byte_for_byte(journal: Journal) -> None:
    fill(journal, story())
    unknown = journal.record(5)
    assert unknown is not None and isinstance(unknown.event, UnknownEvent)
    assert unknown.event.kind == "colour-seen" and encode(unknown.event) == LATER
    newer = journal.record(7)
    assert newer is not None and isinstance(newer.event, UnknownEvent) and newer.v == SCHEMA + 1
    assert newer.event.kind == "link-gone" and encode(newer.event) == b'{"type":"link-gone","shape":9}'
    assert isinstance(journal.record(10).event, LinkGone)  # type: ignore[union-attr]


def test_history_in_order_of_one_pvd_or_of_all(journal: Journal) -> None:
    lines = [change("ra:a", START), change("fqdn:b", START + 1), change("ra:a", START + 1, 2), change("ra:a", NEVER, 3)]
    journal.index(lines[:1])
    journal.index(lines[1:])
    journal.index([])
    journal.commit()
    assert list(journal.history()) == lines
    assert list(journal.history("ra:a")) == [lines[0], lines[2], lines[3]]
    assert list(journal.history("fqdn:none")) == []
    for since in (0, 1, 2, 3, 99):
        later = [line for line in lines if line.seq >= since]
        assert list(journal.history(since=since)) == later
        assert list(journal.history("ra:a", since)) == [line for line in later if line.pvd == "ra:a"]
    reading = journal.history("ra:a")
    journal.index([change("ra:a", NEVER, 4)])
    assert len(list(reading)) == 3 and len(list(journal.history("ra:a"))) == 4


def test_history_longer_than_a_page(journal: Journal) -> None:
    lines = [change("ra:a" if n % 3 else "ra:b", START + n // 5, n) for n in range(2 * PAGE_ROWS + 7)]
    journal.index(lines)
    assert [line.version for line in journal.history()] == list(range(len(lines)))
    assert [line.version for line in journal.history("ra:b")] == list(range(0, len(lines), 3))


def test_the_newest_snapshot_not_after(journal: Journal) -> None:
    fill(journal, story())
    journal.save_snapshot(4, b"four")
    journal.save_snapshot(8, b"eight")
    journal.save_snapshot(4, b"four again")
    assert journal.snapshot(3) is None
    assert journal.snapshot(4) == (4, b"four again") and journal.snapshot(7) == (4, b"four again")
    assert journal.snapshot(8) == (8, b"eight") and journal.snapshot(99) == (8, b"eight")


def test_a_snapshot_may_be_how_to_get_the_state(journal: Journal) -> None:
    fill(journal, story())
    state = state_at(journal)
    journal.save_snapshot(10, lambda: state)
    found = journal.snapshot(99)
    assert found is not None and found[0] == 10
    assert snapshot.encode(snapshot.decode(found[1])) == snapshot.encode(state)
    journal.save_snapshot(10, b"ten")
    assert journal.snapshot(10) == (10, b"ten")
    journal.drop_derived()
    assert journal.snapshot(99) is None


def test_what_is_derived_can_be_dropped_and_the_rest_stays(journal: Journal) -> None:
    fill(journal, story())
    head = journal.head()
    journal.save_snapshot(4, b"four")
    journal.index([change("ra:a", START)])
    journal.save_digest(4, "abcd")
    journal.drop_derived()
    journal.commit()
    assert journal.snapshot(99) is None and list(journal.history()) == []
    assert list(journal.records()) == [record for record, _ in story()] and journal.head() == head
    assert list(journal.digests()) == [(4, "abcd")]  # what was claimed of the State is no cache
    assert list(journal.check()) == []


def test_digests_by_seq(journal: Journal) -> None:
    fill(journal, story())
    journal.save_digest(8, "08")
    journal.save_digest(2, "02")
    journal.save_digest(8, "88")
    journal.commit()
    assert list(journal.digests()) == [(2, "02"), (8, "88")]


@pytest.mark.covers("feat:O5")
def test_a_noted_head_is_found_again_and_another_is_not(journal: Journal) -> None:
    fill(journal, story()[:6])
    noted = journal.head()
    fill(journal, story()[6:])
    assert journal.head() != noted
    for head in (noted, journal.head(), GENESIS.hex(), None):
        assert list(journal.check(head)) == []
    assert any("00ff" in line for line in journal.check("00ff"))


@pytest.mark.covers("feat:O5")
def test_a_frame_that_is_not_its_hash_is_found(journal: Journal) -> None:
    journal.append(heard(1, 1)[0], b"other bytes")
    journal.commit()
    assert any(line.startswith("frame ") for line in journal.check())


def test_the_chain_is_what_whoever_reads_its_law_computes(journal: Journal) -> None:
    """In pvdcore/past/journal.py."""

    def blake(data: bytes) -> bytes:
        return blake2b(data, digest_size=32).digest()

    record, data = heard(2, 1)
    fill(journal, [told(1, LinkGone(link="eth0")), (record, data)])
    name = frame_digest(data).encode()
    first, second = b'{"source":"engine"}', b'{"source":"home.pcapng","packet":2,"frame":"%b","linktype":1}' % name
    one = blake(bytes(32) + b"[1,%d,%d,%b]" % (START + 1, SCHEMA, first) + blake(b'{"type":"link-gone","link":"eth0"}'))
    two = blake(one + b"[2,%d,%d,%b]" % (START + 2, SCHEMA, second) + blake(encode(record.event)))
    assert journal.head() == two.hex()


def test_an_event_that_cannot_be_read_is_found(journal: Journal) -> None:
    wrong = UnknownEvent(kind="link-gone", raw=msgspec.Raw(b'{"type":"link-gone","link":7}'))
    fill(journal, [told(1, LinkGone(link="eth0")), told(2, wrong)])
    (found,) = journal.check()
    assert " 2 cannot be read: " in found


def test_both_journals_have_the_same_chain(tmp_path: Path) -> None:
    memory, file = MemoryJournal(), SqliteJournal(tmp_path / "pvd.db")
    heads = set()
    for record, data in story():
        memory.append(record, data)
        file.append(record, data)
        assert memory.head() == file.head()
        heads.add(file.head())
    assert len(heads) == 10
    file.close()


@pytest.mark.parametrize(
    "said", [Provenance(), *(record.provenance for record, _ in story()), Provenance('"packet":7')]
)
def test_the_chain_over_what_is_said_again_is_the_chain_over_the_record(said: Provenance) -> None:
    like = Like(SCHEMA, said, b"e" * 32)
    for packet, captured_at in ((0, None), (0, 5), (7, None), (2**40, -5), (1, 1)):
        whole = msgspec.structs.replace(said, packet=packet, captured_at=captured_at)
        expected = link_hash(GENESIS, 12, -3, SCHEMA, whole, b"e" * 32)
        assert like.link(GENESIS, 12, -3, packet, captured_at) == expected
        if packet:  # whoever hashes many at once puts the numbers between the pieces
            before, plain, between, behind = like.pieces
            rest = plain if captured_at is None else between + b"%d" % captured_at + behind
            assert blake2b(GENESIS + b"[12,-3" + before + b"%d" % packet + rest, digest_size=32).digest() == expected


@pytest.mark.parametrize("batch", [1, 3, ROWS_MAX - 1, ROWS_MAX, 5000])
def test_batches_change_nothing(journal: Journal, batch: int) -> None:
    count = PAGE_ROWS + ROWS_MAX + 3
    for seq in range(1, count + 1):
        journal.append(*heard(seq, seq % 7))
        if seq % batch == 0:
            journal.commit()
    assert [record.seq for record in journal.records()] == list(range(1, count + 1))
    other = MemoryJournal()
    for seq in range(1, count + 1):
        other.append(*heard(seq, seq % 7))
    assert journal.head() == other.head() and list(journal.check()) == []


def test_more_events_than_are_remembered(journal: Journal) -> None:
    for seq in range(1, EVENTS_MAX + PAGE_ROWS // 2):
        journal.append(*told(seq, LinkGone(link=f"eth{seq % (EVENTS_MAX + 9)}")))
    events = [record.event for record in journal.records()]
    for _ in range(2):  # the second time some are remembered, and forgotten while the page is read
        assert [event for _, _, event, _ in journal.steps()] == events
    assert list(journal.check()) == []


# --- what only a file can promise ----------------------------------------------------------------------------------


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    conn = sqlite3.connect(path)
    try:
        return conn.execute(sql).fetchall()
    finally:
        conn.close()


@pytest.mark.covers("feat:O2")
@pytest.mark.parametrize("cut", [0, 1, 4, 9])
def test_opened_again_it_goes_on_as_if_never_closed(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "pvd.db"
    for part in (story()[:cut], story()[cut:]):
        file = SqliteJournal(path)
        fill(file, part)
        file.index([change("ra:a", START)])
        file.close()
    memory = MemoryJournal()
    fill(memory, story())
    for readonly in (False, True):
        file = SqliteJournal(path, readonly=readonly)
        assert list(file.records()) == [record for record, _ in story()]
        assert file.head() == memory.head() and file.last_seq() == 10 and file.seq_at(START + 7) == 9
        assert len(list(file.history("ra:a"))) == 2 and list(file.check(memory.head())) == []
        file.close()


def test_equal_frames_and_events_are_stored_once(tmp_path: Path) -> None:
    path = tmp_path / "pvd.db"
    for start in (0, 1000):  # in two runs, so that the second has to find what the first stored
        file = SqliteJournal(path)
        fill(file, [heard(start + n + 1, n % 10) for n in range(1000)])
        file.close()
    assert rows(path, "SELECT count(*) FROM events") == [(10,)]
    assert rows(path, "SELECT count(*) FROM frames") == [(10,)]
    assert rows(path, "SELECT count(*) FROM sources") == [(1,)]
    assert rows(path, "SELECT count(*) FROM records") == [(2000,)]


def test_a_refresh_costs_at_most_a_hundred_octets(tmp_path: Path) -> None:
    path = tmp_path / "pvd.db"
    file = SqliteJournal(path)
    fill(file, [heard(n + 1, n % 100) for n in range(20_000)])
    file.close()
    assert path.stat().st_size <= 100 * 20_000


@pytest.mark.parametrize("table", ["records", "events", "frames", "sources"])
@pytest.mark.parametrize("deed", ["DELETE FROM {}", "UPDATE {} SET {} = {}"])
def test_sqlite_itself_refuses_to_change_the_past(tmp_path: Path, table: str, deed: str) -> None:
    path = tmp_path / "pvd.db"
    file = SqliteJournal(path)
    fill(file, story())
    file.close()
    conn = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="only grows"):
        conn.execute(deed.format(table, "rowid", "rowid + 100"))
    conn.close()
    assert list(SqliteJournal(path, readonly=True).check()) == []


def test_a_reader_sees_whole_commits_while_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "pvd.db"
    file = SqliteJournal(path)
    fill(file, [heard(n + 1, n % 5) for n in range(50)])
    reader = SqliteJournal(path, readonly=True)
    reading = reader.records()
    for n in range(50, 1000):
        file.append(*heard(n + 1, n % 5))
        if n == 700:
            assert reader.last_seq() == 50  # flushed by half, not committed
    file.commit()
    assert [record.seq for record in reading] == list(range(1, 51))
    assert reader.last_seq() == 1000 and reader.head() == file.head() and list(reader.check()) == []
    with pytest.raises(JournalError, match="read only"):
        reader.append(*heard(1001, 1))
    with pytest.raises(JournalError, match="read only"):
        reader.save_digest(1, "aa")
    reader.close()
    file.close()


def test_a_second_writer_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "pvd.db"
    first, second = SqliteJournal(path), SqliteJournal(path)
    fill(first, [heard(1, 1)])
    second.append(*heard(1, 2))
    with pytest.raises(JournalError, match="another program wrote"):
        second.commit()
    with pytest.raises(JournalError, match="another program wrote"):
        second.append(*heard(2, 2))
    second.close()
    fill(first, [heard(2, 1)])
    assert list(first.check()) == []
    first.close()


WRITER = """
    import sys
    from adapters.sqlite import SqliteJournal
    from tests.contract.test_journal import heard
    journal = SqliteJournal(sys.argv[1], durable=len(sys.argv) > 2)
    seq = journal.last_seq()
    while True:
        for _ in range(7 if seq % 2 else 1300):
            seq += 1
            journal.append(*heard(seq, seq % 50))
        journal.commit()
        print(seq, journal.head(), flush=True)
"""


@pytest.mark.covers("feat:O2")
def test_a_killed_writer_loses_nothing_it_committed(tmp_path: Path) -> None:
    path = tmp_path / "pvd.db"
    for kill in range(8):
        command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), *(["durable"] if kill % 2 else [])]
        writer = subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(2 + kill)]
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.readlines()
        writer.wait()
        writer.stdout.close()
        last, head = [line for line in said if line.endswith(b"\n")][-1].split()
        reader = SqliteJournal(path, readonly=True)  # before any writer has put things in order
        assert reader.last_seq() >= int(last) > 0
        assert list(reader.check(head.decode())) == []
        assert sum(1 for _ in reader.records()) == reader.last_seq()
        reader.close()


def nobody(path: Path) -> int:
    """Read the journal as a user who may write nothing there; the exit status says what came of it."""
    child = os.fork()
    if child == 0:
        status = 9
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            reader = SqliteJournal(path, readonly=True)
            status = 0 if len(list(reader.records())) == 10 and not list(reader.check()) else 1
        except JournalError as error:
            status = 2 if "not permitted" in str(error) else 3
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_reader_needs_no_right_to_write(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("var")
    opened = [parent for parent in folder.parents if parent.is_dir() and not parent.stat().st_mode & 0o001]
    before = {parent: parent.stat().st_mode for parent in opened}
    for parent in opened:
        parent.chmod(before[parent] | 0o011)
    path = folder / "pvd.db"
    file = SqliteJournal(path)
    try:
        fill(file, story())
        folder.chmod(0o555)
        assert nobody(path) == 0  # beside a writer
        folder.chmod(0o755)
        file.close()
        folder.chmod(0o555)
        assert nobody(path) == 0  # after it closed: there is no -wal and no -shm, and none can be made
        path.chmod(0o000)
        assert nobody(path) == 2
    finally:
        folder.chmod(0o755)
        for parent, mode in before.items():
            parent.chmod(mode)


def make_text(path: Path) -> Path:
    path.write_text("a shopping list\n" * 100)
    return path


def make_other_database(path: Path) -> Path:
    conn = sqlite3.connect(path)
    conn.execute("CREATE TABLE songs (title)")
    conn.commit()
    conn.close()
    return path


def make_newer(path: Path) -> Path:
    SqliteJournal(path).close()
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA user_version = 99")
    conn.close()
    return path


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda path: path.parent, "directory"),
        (lambda path: path / "no" / "such", "mkdir -p|pvdctl replay"),
        (make_text, "is no journal"),
        (make_other_database, "is no journal"),
        (make_newer, "layout 99"),
    ],
)
def test_what_is_no_journal_is_told_in_one_line(
    tmp_path: Path, make: Callable[[Path], Path], advice: str, readonly: bool
) -> None:
    path = make(tmp_path / "x.db")
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(JournalError, match=advice) as told_so:
        SqliteJournal(path, readonly=readonly)
    assert str(told_so.value).startswith(str(path)) and "\n" not in str(told_so.value)
    assert (path.read_bytes() if path.is_file() else b"") == before  # somebody else's file is left alone


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="pvdctl replay -r CAPTURE --journal"):
        SqliteJournal(tmp_path / "none.db", readonly=True)
    (tmp_path / "empty.db").touch()
    with pytest.raises(JournalError, match="is no journal"):
        SqliteJournal(tmp_path / "empty.db", readonly=True)
    assert [path.name for path in tmp_path.iterdir()] == ["empty.db"]


def test_text_that_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    file = SqliteJournal(tmp_path / "pvd.db")
    file.append(*heard(1, 1))
    data = frame_of(2)
    bad = Provenance(source="caf\udce9.pcap", packet=2, frame=frame_digest(data), linktype=ETHERNET)
    with pytest.raises(ValueError, match="surrogates"):
        file.append(Record(2, START + 2, SCHEMA, bad, LinkSeen(link="eth7", identity="x")), data)
    fill(file, [heard(2, 1), heard(3, 3)])
    assert list(file.check()) == [] and [record.provenance.packet for record in file.records()] == [1, 2, 3]
    file.close()


def test_an_event_no_program_ever_wrote_is_told_not_thrown(tmp_path: Path) -> None:
    path = tmp_path / "pvd.db"
    file = SqliteJournal(path)
    wrong = UnknownEvent(kind="link-gone", raw=msgspec.Raw(b'{"type":"link-gone","link":7}'))
    fill(file, [told(1, wrong), told(2, LinkGone(link="eth0"))])
    file.close()
    file = SqliteJournal(path, readonly=True)
    with pytest.raises(JournalError, match="record 1 cannot be read"):
        list(file.records())
    assert [line for line in file.check() if "record 1 cannot be read" in line]
    assert file.record(2) == told(2, LinkGone(link="eth0"))[0]
    file.close()


def test_what_is_heard_is_what_is_appended_with_its_provenance(journal: Journal) -> None:
    """`hear` and `again` are `append`, told in parts: the same records, the same chain."""
    frame = Frame(START + 1, "eth0", ETHERNET, b"octets", 900)
    tagged = LinkGone(link="eth0.7")
    journal.hear(START + 1, LinkGone(link="eth0"), frame, "home.pcapng", 3)
    journal.hear(START + 5, tagged, frame, "home.pcapng", 4)
    journal.again([1, 2], [START + 6, START + 7], [5, 6])
    name = frame_digest(b"octets")
    expected = [
        Record(1, START + 1, SCHEMA, Provenance("home.pcapng", 3, name, ETHERNET, None, 900), LinkGone(link="eth0")),
        Record(2, START + 5, SCHEMA, Provenance("home.pcapng", 4, name, ETHERNET, START + 1, 900, "eth0"), tagged),
        Record(3, START + 6, SCHEMA, Provenance("home.pcapng", 5, name, ETHERNET, None, 900), LinkGone(link="eth0")),
        Record(4, START + 7, SCHEMA, Provenance("home.pcapng", 6, name, ETHERNET, None, 900, "eth0"), tagged),
    ]
    assert list(journal.records()) == expected
    assert journal.frame(name) == b"octets"
    told = MemoryJournal()
    for record in expected:
        told.append(record, b"octets")
    assert journal.head() == told.head()
    with pytest.raises(LookupError):
        journal.again([9], [START + 8], [7])
    with pytest.raises(ValueError, match="backwards"):
        journal.again([1], [START], [7])
    assert journal.last_seq() == 4
    assert list(journal.check()) == []
