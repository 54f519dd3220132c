"""The journal that stays: one SQLite file, written by one program, read by many.

Law: what is committed is never changed or removed, and whoever opens the file can prove it without us.

    records  seq at v event→events.id frame→frames.id source→sources.id packet captured_at original_length chain
    events   id digest body          BLAKE2b-256 of the body, and the body, once
    frames   id digest data          BLAKE2b-128 of the bytes, and the bytes, once
    sources  id source linktype interface        the part of a provenance that packets share, once
    tail     seq head                where the last commit ended, so that a cut tail shows if the cutter was careless
    history, snapshots, digests      outside the chain; the first two can be made again by folding

A router that repeats itself costs one row of `records`: 32 octets of chain, 8 of time, about 30 of everything else.
Changing any octet of a row shows, but for one that means nothing: where a row would hold its `seq` or `id`, SQLite
keeps a place holder (file format §2.3) and reads the number from the tree instead.
`at` never goes backwards (the engine clamps it), so records need no index by time: `seq_at` bisects.
WAL with synchronous=NORMAL survives the death of the process; the last commits before a power cut need durable=True.
"""

import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import msgspec

from adapters.chain import extend, walk
from events.codec import SCHEMA, AnyEvent, decode, encode
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen
from events.frames import Frame
from events.ids import NEVER, Instant, PvdId, Seq
from events.record import Provenance, Record, Step, heard
from pvdcore.past.journal import (
    GENESIS,
    UNKNOWN_HEAD,
    Kin,
    Like,
    Pieces,
    event_digest,
    frame_digest,
    link_hash,
    missing,
    read_change,
)
from pvdcore.past.snapshot import pack
from pvdcore.ports import Kept
from pvdcore.state import Change

APPLICATION: Final = 0x50764421  # "PvD!", how file(1) and we know a journal from another SQLite file
LAYOUT: Final = 1  # of the tables below; the events' own schema number is in each record

ROWS_MAX: Final = 500  # records held back for one executemany: more gains nothing measurable, and each holds an event
ROWS_A_STATEMENT: Final = 100  # a third less work than one by one; SQLite takes 32,766 values, and 999 before 3.32
PAGE_ROWS: Final = 4096  # read at a time: no cursor stays open between, so a slow reader never holds up a checkpoint
EVENTS_MAX: Final = 4096  # event objects remembered: an RA of 2 KiB each makes 8 MiB
BODIES_MAX: Final = 65_536  # row ids remembered by digest: about 10 MiB
SEEN_BITS: Final = 24  # of a digest, to tell what is certainly new: 2 MiB, wrong for 6 of 100 at a million bodies
WRITE_CACHE_KIB: Final = 32_768  # the inner pages of a million digests: smaller, each is written and read many times
DEFLATED: Final = 0x78  # how a compressed snapshot begins (RFC 1950 §2.2); those made before are JSON
DEFLATE_LEVEL: Final = 1  # 6 makes it a seventh smaller, in three times the time
BUSY_S: Final = 5.0  # wait for another's lock: a checkpoint of a large WAL takes about a second

_ONCE: Final = ("records", "events", "frames", "sources")
_TABLES: Final = (
    "CREATE TABLE events (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT",
    "CREATE TABLE frames (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, data BLOB NOT NULL) STRICT",
    "CREATE TABLE sources (id INTEGER PRIMARY KEY, source TEXT NOT NULL, linktype INTEGER NOT NULL,"
    " interface TEXT NOT NULL, UNIQUE (source, linktype, interface)) STRICT",
    "CREATE TABLE records (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, v INTEGER NOT NULL, event INTEGER NOT NULL,"
    " frame INTEGER, source INTEGER NOT NULL, packet INTEGER NOT NULL, captured_at INTEGER,"
    " original_length INTEGER NOT NULL, chain BLOB NOT NULL) STRICT",
    "CREATE TABLE tail (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, head BLOB NOT NULL) STRICT",
    "CREATE TABLE history (id INTEGER PRIMARY KEY, pvd TEXT NOT NULL, at INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " change BLOB NOT NULL) STRICT",
    "CREATE INDEX history_of ON history (pvd, at)",
    "CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, state BLOB NOT NULL) STRICT",
    "CREATE TABLE digests (seq INTEGER PRIMARY KEY, digest TEXT NOT NULL) STRICT",
    *(
        f"CREATE TRIGGER {table}_{deed} BEFORE {deed.upper()} ON {table}"
        f" BEGIN SELECT raise(ABORT, '{table}: a journal only grows'); END"
        for table in _ONCE
        for deed in ("update", "delete")
    ),
)
TRANSACTIONS: Final = frozenset((Dhcp4MessageSeen, Dhcp6MessageSeen))  # no two of these are the same octets

_RECORD: Final = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# Of most records only so much has to be said, which takes SQLite half the time.
_WHOLE: Final = f"(?, ?, {SCHEMA}, ?, ?, ?, ?, NULL, -1, ?)"
WHOLE_VALUES: Final = _WHOLE.count("?")
_WHOLE_RECORD: Final = f"INSERT INTO records VALUES {_WHOLE}"
SEVERAL_RECORDS: Final = _WHOLE_RECORD + f", {_WHOLE}" * (ROWS_A_STATEMENT - 1)

_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What `decode` may say of bytes that nobody promised anything about."""

_SQLITE: Final = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite3 may say of a damaged file; the second when the text of its own message is what is damaged."""

_encoder: Final = msgspec.json.Encoder(order="deterministic")
_Known = tuple[AnyEvent, int, bytes]


Shared = tuple[int, int, int | None, int, int]
"""What a row of `records` may have in common with others: v, event, frame, source, original_length."""


Model = tuple[int, int | None, int, bytes, bytes]
"""What is known of a record that others are like: event, frame, source; what is hashed before its packet's number, and
behind it. Its v is ours, and its frame is whole."""


Row = tuple[Any, ...]
"""Of `records`."""


End = tuple[Seq, Instant, bytes]
"""Where a chain ends: the last record's number, its instant, its hash."""


_Heard = tuple[Shared, Provenance, bytes]
"""What is known of a record when it is written: what rows may share, where it came from, its event's digest."""


class _Seen:
    """Which digests certainly did not come yet. A false alarm costs a look-up."""

    def __init__(self) -> None:
        self._bits = bytearray(1 << SEEN_BITS - 3)

    def add(self, digest: bytes) -> bool:
        """Whether one like it came before."""
        place, bit = int.from_bytes(digest[:3]) & (1 << SEEN_BITS) - 1, 0
        place, bit = place >> 3, 1 << (place & 7)
        came = self._bits[place] & bit
        self._bits[place] |= bit
        return came != 0


class JournalError(Exception):
    """A journal that cannot be used. The message is one line and says what to type."""


class SqliteJournal:
    """The Journal port (pvdcore/ports.py) over one SQLite file.

    path: the file; made if it is not there, unless `readonly`. durable: each commit survives a power cut (0.3 ms).
    readonly: never writes, needs no right to, and works beside a writer and after one that was killed.
    Raises JournalError whenever the file cannot be used; after a write that failed, this object only reads.
    """

    def __init__(self, path: str | os.PathLike[str], *, readonly: bool = False, durable: bool = False) -> None:
        self.path: Final = os.fspath(path)
        self.readonly: Final = readonly
        self._conn = _open_to_read(self.path) if readonly else _open_to_write(self.path, durable)
        self._rows: list[Any] = []  # of whole frames: seq, at, event, frame, source, packet, chain; and so on
        self._other_rows: list[Row] = []
        # Octets are given to SQLite as bytearrays: of bytes, sqlite3 asks in vain for an adapter, which takes longer
        # than the row.
        self._new_events: list[tuple[int, bytearray, bytearray]] = []
        self._new_frames: list[tuple[int, bytearray, bytearray]] = []
        self._new_sources: list[tuple[int, str, int, str]] = []
        self._new_lines: list[tuple[str, Instant, Seq, bytearray]] = []
        self._known: dict[int, _Known] = {}  # by id(event); the event is in the value, so the id stays its own
        self._event_ids: dict[bytes, int] = {}
        self._models: dict[Seq, Model] = {}  # records that others are like
        self._models_before: dict[Seq, Model] = {}
        self._kept: dict[Seq, tuple[bytes, int, bytes, str]] = {}  # what records to come say
        self._kin: dict[tuple[str, int], tuple[int, Kin]] = {}  # their sources, and the pieces of their chain
        self._heard: dict[Seq, _Heard] = {}  # records that others may come to be like
        self._heard_before: dict[Seq, _Heard] = {}
        self._frame_ids: dict[str, int] = {}
        self._source_ids: dict[tuple[str, int, str], int] = {}
        self._seen_events: _Seen | None = None  # `None`: there were some before we came, so each is looked up
        self._seen_frames: _Seen | None = None
        self._events: dict[tuple[int, int], AnyEvent] = {}  # the other way round, for reading
        self._frames: dict[int, str] = {}
        self._sources: dict[int, tuple[str, int, str]] = {}
        self._failed = ""
        self._committed = 0
        self._last, self._at, self._head = 0, -NEVER, GENESIS
        if not readonly:
            try:
                self._resume()
            except BaseException:
                self._conn.close()
                raise

    # --- writing ---------------------------------------------------------------------------------------------------

    def append(self, record: Record, frame: bytes | None) -> None:
        seq, at, provenance = record.seq, record.at, record.provenance
        if seq != self._last + 1 or not self._at <= at < NEVER or self.readonly or self._failed:
            raise self._refusal(seq, at)
        captured_at, name = provenance.captured_at, provenance.frame
        if captured_at is not None and not -NEVER <= captured_at <= NEVER:
            raise ValueError(f"record {seq}: captured at {captured_at}, which is no instant")
        frame_id: int | None = None
        try:
            if name:
                frame_id = self._frame_ids.get(name)
                if frame_id is None:
                    frame_id = self._place_frame(seq, name, frame)
            elif frame is not None:
                raise ValueError(f"record {seq} has a frame, but its provenance names none")
            event = record.event
            known = self._known.get(id(event))
            if known is None:
                known = self._place_event(event)
            source = (provenance.source, provenance.linktype, provenance.interface)
            chain = link_hash(self._head, seq, at, record.v, provenance, known[2])
            source_id = self._source_ids.get(source)
            if source_id is None:
                source_id = self._place_source(source)
        except ValueError:
            self._take_back()
            raise
        shared = (record.v, known[1], frame_id, source_id, provenance.original_length)
        self._put(at, shared, provenance.packet, captured_at, chain)
        if type(event) not in TRANSACTIONS:
            self._remember(seq, (shared, provenance, known[2]))
        self._flush_many()

    def hear(self, at: Instant, event: AnyEvent, frame: Frame, source: str, packet: int) -> None:
        said = heard(frame, event, at, source, packet, frame_digest(frame.data))
        self.append(Record(self._last + 1, at, SCHEMA, said, event), frame.data)

    def keep(self, seq: Seq, body: bytes, linktype: int, data: bytes, source: str) -> None:
        """Take the octets of a whole frame, and of the one event of its link that it says (events/codec.py), for a
        record to come: the next `again` will say that record `seq` is like record `seq`."""
        self._kept[seq] = body, linktype, data, source

    def again(self, likes: Sequence[Seq], ats: Sequence[Instant], packets: Sequence[int]) -> None:
        if self._kept:
            kept, self._kept = self._kept, {}
            for seq, said in kept.items():
                self._place_kept(seq, *said)
        done = 0
        while True:
            if likes and (self.readonly or self._failed):
                raise self._refusal(self._last + 1, self._at)
            end = (self._last, self._at, self._head)
            left = (likes[done:], ats[done:], packets[done:]) if done else (likes, ats, packets)
            self._last, self._at, self._head = extend(end, self._models, *left, self._rows)
            done += self._last - end[0]
            self._flush_many()
            if done == len(likes):
                break
            if likes[done] in self._models or not self._model(likes[done]):
                self._odd(likes[done], ats[done], packets[done])
                done += 1
        if len(self._models) >= EVENTS_MAX:
            self._models_before, self._models = self._models, {}

    def _place_kept(self, seq: Seq, body: bytes, linktype: int, data: bytes, source: str) -> None:
        """The model of a record to come."""
        name, digest = frame_digest(data), event_digest(body)
        frame_id = self._frame_ids.get(name)
        if frame_id is None:
            frame_id = self._place_frame(seq, name, data)
        event_id = self._event_ids.get(digest)
        if event_id is None:
            event_id = self._place_body(digest, body)
        said = Provenance(source, 1, name, linktype)
        known = self._kin.get((source, linktype))
        if known is None:
            key = (source, linktype, "")
            source_id = self._source_ids.get(key) or self._place_source(key)
            known = self._kin[source, linktype] = source_id, Kin(SCHEMA, said)
        self._models[seq] = (event_id, frame_id, known[0], *known[1].pieces(name, digest)[:2])
        self._remember(seq, ((SCHEMA, event_id, frame_id, known[0], -1), said, digest))

    def _remember(self, seq: Seq, what: _Heard) -> None:
        if len(self._heard) >= EVENTS_MAX:
            self._heard_before, self._heard = self._heard, {}
        self._heard[seq] = what

    def _odd(self, like: Seq, at: Instant, packet: int) -> None:
        """One record of `again` that `extend` left alone: it may not be, is of no whole frame, or has no packet."""
        if not self._at <= at < NEVER:
            raise self._refusal(self._last + 1, at)
        shared, provenance, digest = self._heard_of(like)
        head = Like(shared[0], provenance, digest).link(self._head, self._last + 1, at, packet)
        self._put(at, shared, packet, None, head)

    def _put(self, at: Instant, shared: Shared, packet: int, captured_at: Instant | None, head: bytes) -> None:
        """The next record's row."""
        seq = self._last + 1
        v, event, frame, source, original_length = shared
        if v == SCHEMA and captured_at is None and original_length == -1:
            self._rows += (seq, at, event, frame, source, packet, bytearray(head))
        else:
            self._other_rows.append((seq, at, v, event, frame, source, packet, captured_at, original_length, head))
        self._last, self._at, self._head = seq, at, head

    def _model(self, like: Seq) -> bool:
        """Find what records that are like `like` share with it; whether `extend` can make them. Of two generations, as
        in Translator. LookupError without it."""
        model = self._models_before.get(like)
        if model is None:
            (v, event, frame, source, original_length), provenance, digest = self._heard_of(like)
            if v != SCHEMA or original_length != -1:
                return False
            model = (event, frame, source, *Like(v, provenance, digest).pieces[:2])
        self._models[like] = model
        return True

    def _heard_of(self, like: Seq) -> _Heard:
        return self._heard.get(like) or self._heard_before.get(like) or self._read_heard(like)

    def _read_heard(self, like: Seq) -> _Heard:
        record = self.record(like)
        if record is None:
            raise LookupError(f"there is no record {like}")
        shared = self._ask("SELECT v, event, frame, source, original_length FROM records WHERE seq = ?", (like,))[0]
        digest = self._octets(self._ask("SELECT digest FROM events WHERE id = ?", (shared[1],))[0][0])
        return shared, record.provenance, digest

    def index(self, changes: Iterable[Change]) -> None:
        lines = [(change.pvd, change.at, change.seq, bytearray(_encoder.encode(change))) for change in changes]
        if lines and (self.readonly or self._failed):
            raise self._refusal(self._last + 1, self._at)
        self._new_lines += lines
        self._flush_many()

    def save_snapshot(self, seq: Seq, state: Kept) -> int:
        kept = zlib.compress(state if isinstance(state, bytes) else pack(state()), DEFLATE_LEVEL)
        self._write_many("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", [(seq, kept)])
        return len(kept)

    def save_digest(self, seq: Seq, digest: str) -> None:
        self._write_many("INSERT OR REPLACE INTO digests VALUES (?, ?)", [(seq, digest)])

    def drop_derived(self) -> None:
        self._flush()
        self._write_many("DELETE FROM history WHERE ?", [(1,)])
        self._write_many("DELETE FROM snapshots WHERE ?", [(1,)])

    def commit(self) -> None:
        self._flush()
        if self._conn.in_transaction:
            self._write_many("UPDATE tail SET seq = ?, head = ?", [(self._last, self._head)])
            try:
                self._conn.execute("COMMIT")
            except _SQLITE as error:
                raise self._fail(error) from error

    def close(self) -> None:
        try:
            if not self._failed:
                self.commit()
        finally:
            self._conn.close()

    # --- reading ---------------------------------------------------------------------------------------------------

    def last_seq(self) -> Seq:
        if not self.readonly:
            return self._last
        return int(self._ask("SELECT coalesce(max(seq), 0) FROM records")[0][0])

    def head(self) -> str:
        if not self.readonly:
            return self._head.hex()
        rows = self._ask("SELECT chain FROM records ORDER BY seq DESC LIMIT 1")
        return self._octets(rows[0][0]).hex() if rows else GENESIS.hex()

    def seq_at(self, at: Instant) -> Seq:
        low, high = 0, self.last_seq()
        while low < high:
            middle = (low + high + 1) // 2
            rows = self._ask("SELECT at FROM records WHERE seq = ?", (middle,))
            if not rows:
                raise self._damage(f"record {middle} is missing")
            if not isinstance(rows[0][0], int):
                raise self._damage(f"record {middle} has no time")
            if rows[0][0] <= at:
                low = middle
            else:
                high = middle - 1
        return low

    def record(self, seq: Seq) -> Record | None:
        return next(self._read(seq, seq), None) if 1 <= seq <= self.last_seq() else None

    def records(self, first: Seq = 1, last: Seq | None = None) -> Iterator[Record]:
        end = self.last_seq()
        return self._read(max(first, 1), end if last is None else min(last, end))

    def steps(
        self, first: Seq = 1, last: Seq | None = None, known: Mapping[Seq, AnyEvent] = MappingProxyType({})
    ) -> Iterator[Step]:
        end = self.last_seq()
        if known:
            self._recall(known)
        return self._read_steps(max(first, 1), end if last is None else min(last, end))

    def frame(self, digest: str) -> bytes | None:
        with suppress(ValueError):
            rows = self._ask("SELECT data FROM frames WHERE digest = ?", (bytes.fromhex(digest),))
            return self._octets(rows[0][0]) if rows else None
        return None

    def history(self, pvd: PvdId | None = None, since: Seq = 0) -> Iterator[Change]:
        end = int(self._ask("SELECT coalesce(max(id), 0) FROM history")[0][0])
        return self._read_history(pvd, end, since)

    def snapshot(self, seq: Seq) -> tuple[Seq, bytes] | None:
        rows = self._ask("SELECT seq, state FROM snapshots WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (seq,))
        if not rows:
            return None
        kept = self._octets(rows[0][1])
        with suppress(zlib.error):  # else it is the cache of another program, or damaged: no JSON in any case
            kept = zlib.decompress(kept) if kept[:1] == bytes((DEFLATED,)) else kept
        return int(rows[0][0]), kept

    def digests(self) -> Iterator[tuple[Seq, str]]:
        return iter(self._ask("SELECT seq, digest FROM digests ORDER BY seq"))

    def check(self, head: str | None = None) -> Iterator[str]:
        """One sentence for each thing that is wrong: see pvdcore/ports.py. Reads with a connection of its own."""
        if not self.readonly and not self._failed:
            self.commit()
        try:
            conn = _open_to_read(self.path)
        except JournalError as error:
            yield str(error)
            return
        try:
            # A capture's file name with a flipped bit may be no UTF-8: then the chain says so, not the text decoder.
            conn.text_factory = lambda text: text.decode("utf-8", "replace")
            conn.execute("BEGIN")  # one consistent prefix, however long this takes
            for part in (_check_layout(conn), _check_file(conn), _check_bodies(conn), _check_chain(conn, head)):
                try:
                    yield from part
                except _SQLITE as error:
                    yield f"the file is damaged: {error}"
                except _UNREADABLE as error:
                    yield f"the file is damaged: {type(error).__name__}: {error}"
        except _SQLITE as error:
            yield f"the file is damaged: {error}"
        finally:
            conn.close()

    # --- placing bodies once ---------------------------------------------------------------------------------------

    def _place_event(self, event: AnyEvent) -> _Known:
        body = encode(event)
        digest = event_digest(body)
        row = self._event_ids.get(digest)
        if row is None:
            row = self._place_body(digest, body)
        if len(self._known) >= EVENTS_MAX:
            self._known.clear()
        known = self._known[id(event)] = (event, row, digest)
        return known

    def _place_body(self, digest: bytes, body: bytes) -> int:
        row = None
        if self._seen_events is None or self._seen_events.add(digest):
            row = self._find("SELECT id FROM events WHERE digest = ?", (digest,))
        if row is None:
            row = self._next_event
            self._next_event += 1
            self._new_events.append((row, bytearray(digest), bytearray(body)))
        self._event_ids[digest] = row
        return row

    def _place_frame(self, seq: Seq, name: str, frame: bytes | None) -> int:
        digest = bytes.fromhex(name)
        if digest.hex() != name or len(digest) != 16:
            raise ValueError(f"record {seq}: a frame's name is 32 lower-case hexadecimal digits, not {name!r}")
        row = None
        if self._seen_frames is None or self._seen_frames.add(digest):
            row = self._find("SELECT id FROM frames WHERE digest = ?", (digest,))
        if row is None:
            if frame is None:
                raise missing(seq, name)
            row = self._next_frame
            self._next_frame += 1
            self._new_frames.append((row, bytearray(digest), bytearray(frame)))
        self._frame_ids[name] = row
        return row

    def _place_source(self, source: tuple[str, int, str]) -> int:
        where = "source = ? AND linktype = ? AND interface = ?"
        row = self._find(f"SELECT id FROM sources WHERE {where}", source)
        if row is None:
            row = self._next_source
            self._next_source += 1
            self._new_sources.append((row, *source))
        self._source_ids[source] = row
        return row

    def _find(self, sql: str, key: Sequence[object]) -> int | None:
        """The row of a body that was stored earlier."""
        try:
            row = self._conn.execute(sql, key).fetchone()
        except _SQLITE as error:
            raise self._fail(error) from error
        return int(row[0]) if row else None

    def _take_back(self) -> None:
        """An append was refused half-way: bodies that only it named are forgotten, so that none lies there unused."""
        events = {*self._rows[2::WHOLE_VALUES], *(row[3] for row in self._other_rows)}
        frames = {*self._rows[3::WHOLE_VALUES], *(row[4] for row in self._other_rows)}
        self._new_events = [new for new in self._new_events if new[0] in events]
        self._new_frames = [new for new in self._new_frames if new[0] in frames]
        self._forget()
        self._event_ids.update((bytes(digest), row) for row, digest, _ in self._new_events)
        self._frame_ids.update((digest.hex(), row) for row, digest, _ in self._new_frames)

    def _forget(self) -> None:
        self._known.clear()
        self._event_ids.clear()
        self._frame_ids.clear()

    def _flush_many(self) -> None:
        """Write down what is held back, if it is enough."""
        if max(len(self._rows) // WHOLE_VALUES, len(self._other_rows), len(self._new_lines)) >= ROWS_MAX:
            self._flush()

    def _flush(self) -> None:
        if self._new_lines:
            lines, self._new_lines = self._new_lines, []
            self._write_many("INSERT INTO history (pvd, at, seq, change) VALUES (?, ?, ?, ?)", lines)
        if not self._rows and not self._other_rows:
            return
        rows, others, self._rows, self._other_rows = self._rows, self._other_rows, [], []
        events, frames, sources = self._new_events, self._new_frames, self._new_sources
        self._new_events, self._new_frames, self._new_sources = [], [], []
        if sources:
            self._write_many("INSERT INTO sources VALUES (?, ?, ?, ?)", sources)
        if events:
            self._write_many("INSERT INTO events VALUES (?, ?, ?)", events)
        if frames:
            self._write_many("INSERT INTO frames VALUES (?, ?, ?)", frames)
        size = ROWS_A_STATEMENT * WHOLE_VALUES
        several = len(rows) - len(rows) % size
        if several:
            self._write_many(SEVERAL_RECORDS, [rows[at : at + size] for at in range(0, several, size)])
        if several < len(rows):
            singly = range(several, len(rows), WHOLE_VALUES)
            self._write_many(_WHOLE_RECORD, [rows[at : at + WHOLE_VALUES] for at in singly])
        if others:
            self._write_many(_RECORD, others)
        if len(self._event_ids) >= BODIES_MAX:
            self._event_ids.clear()
        if len(self._frame_ids) >= BODIES_MAX:
            self._frame_ids.clear()
        if len(self._source_ids) >= BODIES_MAX:
            self._source_ids.clear()

    def _write_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        if self.readonly or self._failed:
            raise JournalError(self._failed or f"{self.path}: opened to be read only; open it without readonly=True")
        try:
            if not self._conn.in_transaction:
                self._conn.execute("BEGIN IMMEDIATE")
                last = self._conn.execute("SELECT seq FROM tail").fetchone()[0]
                if last != self._committed:
                    self._failed = (
                        f"{self.path}: another program wrote to it (record {last}): stop one of the two writers"
                    )
                    self._conn.execute("ROLLBACK")
                    raise JournalError(self._failed)
            self._conn.executemany(sql, rows)
            if sql.startswith("UPDATE tail"):
                self._committed = self._last
        except (*_SQLITE, OverflowError) as error:
            raise self._fail(error) from error

    def _fail(self, error: Exception) -> JournalError:
        """A write failed: nothing since the last commit is kept, and nothing more is written through this object."""
        self._failed = _advice(self.path, error)
        with suppress(*_SQLITE):
            if self._conn.in_transaction:
                self._conn.execute("ROLLBACK")
        self._rows, self._other_rows, self._new_lines = [], [], []
        self._new_events, self._new_frames, self._new_sources = [], [], []
        with suppress(*_SQLITE, IndexError):
            row = self._conn.execute("SELECT seq, at, chain FROM records ORDER BY seq DESC LIMIT 1").fetchone()
            self._last, self._at, self._head = row or (0, -NEVER, GENESIS)
        return JournalError(self._failed)

    def _refusal(self, seq: Seq, at: Instant) -> Exception:
        if self.readonly or self._failed:
            return JournalError(self._failed or f"{self.path}: opened to be read only; open it without readonly=True")
        if seq != self._last + 1:
            return ValueError(f"record {seq} after {self._last}: numbers run without gaps")
        return ValueError(f"record {seq} at {at} after {self._at}: time does not go backwards, nor ends")

    def _resume(self) -> None:
        """Go on where the last writer stopped; refuse to go on, and so to cover the traces, where records were cut."""
        rows = self._ask("SELECT seq, at, chain FROM records ORDER BY seq DESC LIMIT 1")
        self._last, self._at, self._head = rows[0] if rows else (0, -NEVER, GENESIS)
        tail = self._ask("SELECT seq, head FROM tail")
        if not tail or tail[0] != (self._last, self._head):
            end = tail[0][0] if tail else "unknown"
            raise self._damage(f"it ends at record {self._last}, but its last commit ended at {end}")
        self._committed = self._last
        self._next_event, self._next_frame, self._next_source = (
            1 + int(self._ask(f"SELECT coalesce(max(id), 0) FROM {table}")[0][0])
            for table in ("events", "frames", "sources")
        )
        self._seen_events = _Seen() if self._next_event == 1 else None
        self._seen_frames = _Seen() if self._next_frame == 1 else None

    # --- reading, underneath ---------------------------------------------------------------------------------------

    def _ask(self, sql: str, key: Sequence[object] = ()) -> list[Any]:
        self._flush()
        try:
            return self._conn.execute(sql, key).fetchall()
        except (*_SQLITE, OverflowError) as error:
            raise JournalError(_advice(self.path, error)) from error

    def _read(self, first: Seq, last: Seq) -> Iterator[Record]:
        columns = ", frame, source, packet, original_length"
        for rows in self._pages(first, last, columns):
            for seq, at, v, event_id, captured_at, frame_id, source_id, packet, original_length in rows:
                event = self._events.get((event_id, v)) or self._read_event(seq, event_id, v)
                frame = "" if frame_id is None else self._frames.get(frame_id) or self._read_frame(seq, frame_id)
                source, linktype, interface = self._sources.get(source_id) or self._read_source(seq, source_id)
                provenance = Provenance(source, packet, frame, linktype, captured_at, original_length, interface)
                yield Record(seq, at, v, provenance, event)

    def _read_steps(self, first: Seq, last: Seq) -> Iterator[Step]:
        known = self._events
        for rows in self._pages(first, last, ""):
            events = [known.get((row, v)) for _, _, v, row, _ in rows]
            once = self._read_bodies({one[3] for one, event in zip(rows, events, strict=True) if event is None})
            for (seq, at, v, row, captured_at), event in zip(rows, events, strict=True):
                if event is None and (event := known.get((row, v))) is None:
                    event = self._decoded(seq, row, once.get(row), v)
                yield seq, at, event, captured_at

    def _recall(self, known: Mapping[Seq, AnyEvent]) -> None:
        """What these records say is known, and need not be read."""
        newest = set(sorted(known)[-EVENTS_MAX // 2 :])
        self._events.update({said: known[seq] for seq, said in self._several("records", "event, v", newest).items()})

    def _pages(self, first: Seq, last: Seq, columns: str) -> Iterator[list[Any]]:
        """Rows of `records`: seq, at, v, event, captured_at and further columns, without a gap."""
        while first <= last:
            end = min(last, first + PAGE_ROWS - 1)
            rows = self._ask(
                f"SELECT seq, at, v, event, captured_at{columns} FROM records WHERE seq BETWEEN ? AND ? ORDER BY seq",
                (first, end),
            )
            if len(rows) <= end - first:
                gap = next(
                    (first + place for place, row in enumerate(rows) if row[0] != first + place), first + len(rows)
                )
                yield rows[: gap - first]
                raise self._damage(f"record {gap} is missing")
            yield rows
            first = end + 1

    def _read_bodies(self, ids: set[int]) -> dict[int, bytes]:
        """The bodies of these events, those that there are."""
        return {row: body for row, (body,) in self._several("events", "body", ids).items()}

    def _several(self, table: str, columns: str, ids: set[int]) -> dict[int, Any]:
        """Rows by their id, those that there are."""
        self._flush()
        try:
            return _rows_of(self._conn, table, columns, ids)
        except (*_SQLITE, TypeError) as error:
            raise JournalError(_advice(self.path, error)) from error

    def _read_event(self, seq: Seq, row: int, v: int) -> AnyEvent:
        return self._decoded(seq, row, self._read_bodies({row}).get(row), v)

    def _decoded(self, seq: Seq, row: int, body: bytes | None, v: int) -> AnyEvent:
        """An event from its body. Those that routers repeat are remembered: it is the same object then."""
        if body is None:
            raise self._damage(f"the event of record {seq} is missing")
        try:
            event = decode(body, v)
        except _UNREADABLE as error:
            raise self._damage(f"the event of record {seq} cannot be read ({error})") from error
        if type(event) not in TRANSACTIONS:
            if len(self._events) >= EVENTS_MAX:
                self._events.clear()
            self._events[row, v] = event
        return event

    def _read_frame(self, seq: Seq, row: int) -> str:
        found = self._ask("SELECT digest FROM frames WHERE id = ?", (row,))
        if not found:
            raise self._damage(f"the frame of record {seq} is missing")
        if len(self._frames) >= BODIES_MAX:
            self._frames.clear()
        name = self._frames[row] = self._octets(found[0][0]).hex()
        return name

    def _read_source(self, seq: Seq, row: int) -> tuple[str, int, str]:
        found = self._ask("SELECT source, linktype, interface FROM sources WHERE id = ?", (row,))
        if not found:
            raise self._damage(f"the source of record {seq} is missing")
        if len(self._sources) >= BODIES_MAX:
            self._sources.clear()
        source: tuple[str, int, str] = found[0]
        self._sources[row] = source
        return source

    def _read_history(self, pvd: PvdId | None, end: int, since: Seq) -> Iterator[Change]:
        at, row = -NEVER, 0
        while True:
            if pvd is None:
                lines = self._ask(
                    "SELECT at, id, change FROM history WHERE id > ? AND id <= ? AND seq >= ? ORDER BY id LIMIT ?",
                    (row, end, since, PAGE_ROWS),
                )
            else:
                lines = self._ask(
                    "SELECT at, id, change FROM history WHERE pvd = ? AND (at, id) > (?, ?) AND id <= ?"
                    " AND seq >= ? ORDER BY at, id LIMIT ?",
                    (pvd, at, row, end, since, PAGE_ROWS),
                )
            if not lines:
                return
            for at, row, change in lines:  # noqa: B007 - where the next page begins
                try:
                    yield read_change(change)
                except _UNREADABLE as error:
                    raise self._damage(f"line {row} of its history cannot be read ({error})") from error

    def _octets(self, value: object) -> bytes:
        if not isinstance(value, bytes):
            raise self._damage("bytes turned into something else")
        return value

    def _damage(self, what: str) -> JournalError:
        return JournalError(f"{self.path}: {what}: see `pvdctl verify --journal {self.path}`, and keep a copy")


# --- opening -------------------------------------------------------------------------------------------------------


def _open_to_write(path: str, durable: bool) -> sqlite3.Connection:
    if os.path.isdir(path):
        raise JournalError(f"{path}: is a directory; give the path of a file, such as {os.path.join(path, 'pvd.db')}")
    conn: sqlite3.Connection | None = None
    try:
        conn = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        if _is_new(conn):
            conn.execute("PRAGMA journal_mode = WAL")
            conn.execute("BEGIN IMMEDIATE")
            if _is_new(conn):  # still: two may have asked at once
                for statement in _TABLES:
                    conn.execute(statement)
                conn.execute("INSERT INTO tail VALUES (1, 0, ?)", (GENESIS,))
                conn.execute(f"PRAGMA application_id = {APPLICATION}")
                conn.execute(f"PRAGMA user_version = {LAYOUT}")
            conn.execute("COMMIT")
        _recognise(conn, path)
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        conn.execute(f"PRAGMA cache_size = -{WRITE_CACHE_KIB}")
        return conn
    except (*_SQLITE, JournalError) as error:
        if conn is not None:
            conn.close()
        raise error if isinstance(error, JournalError) else JournalError(_advice(path, error)) from error


def _open_to_read(path: str) -> sqlite3.Connection:
    if os.path.isdir(path):
        raise JournalError(f"{path}: is a directory; give the path of the journal's file")
    if not os.path.exists(path):
        raise JournalError(f"{path}: no such file; make one with `pvdctl replay -r CAPTURE --journal {path}`")
    try:
        return _connect_to_read(path, "mode=ro")
    except _SQLITE as error:
        # Without its -wal nobody writes, and whoever may not make the -shm in that directory can do without it.
        if _primary(error) in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY} and not os.path.exists(path + "-wal"):
            with suppress(*_SQLITE):
                return _connect_to_read(path, "mode=ro&immutable=1")
        raise JournalError(_advice(path, error)) from error


def _connect_to_read(path: str, how: str) -> sqlite3.Connection:
    uri = f"file:{quote(os.path.abspath(path))}?{how}"
    conn = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        _recognise(conn, path)
        conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return conn
    except BaseException:
        conn.close()
        raise


def _is_new(conn: sqlite3.Connection) -> bool:
    empty = conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    return bool(empty and conn.execute("PRAGMA application_id").fetchone()[0] == 0)


def _recognise(conn: sqlite3.Connection, path: str) -> None:
    conn.execute("PRAGMA cell_size_check = ON")  # a damaged page is an error, not a wild read
    if conn.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise JournalError(f"{path}: is no journal of pvdd; give the path of one, or of a file that is not there yet")
    layout = conn.execute("PRAGMA user_version").fetchone()[0]
    if layout != LAYOUT:
        raise JournalError(f"{path}: has layout {layout}, this program reads {LAYOUT}: use the pvdctl that wrote it")


def _primary(error: Exception) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _advice(path: str, error: Exception) -> str:
    """One line for an error of SQLite: what is wrong, and what to type."""
    code = _primary(error)
    if code == sqlite3.SQLITE_NOTADB:
        return f"{path}: is no journal of pvdd; give the path of one, or of a file that is not there yet"
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH}:
        folder = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(folder):
            return f"{path}: there is no directory {folder}; make it with `mkdir -p {folder}`"
        return f"{path}: not permitted ({error}); see `ls -la {folder}`, or run as the user that pvdd runs as"
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return f"{path}: another program is writing to it; stop that, or read with `pvdctl log --journal {path}`"
    if code == sqlite3.SQLITE_FULL:
        return f"{path}: no space left; see `df -h {os.path.dirname(os.path.abspath(path))}`"
    return f"{path}: cannot be used ({error}): see `pvdctl verify --journal {path}`, and keep a copy"


# --- checking ------------------------------------------------------------------------------------------------------


def _check_layout(conn: sqlite3.Connection) -> Iterator[str]:
    with sqlite3.connect(":memory:") as model:
        for statement in _TABLES:
            model.execute(statement)
        what = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name"
        wanted = set(model.execute(what).fetchall())
    model.close()
    found = set(conn.execute(what).fetchall())
    for kind, name, _ in sorted(wanted - found, key=str):
        yield f"the {kind} {name} is not there as pvdd made it"
    for kind, name, _ in sorted(found - wanted, key=str):
        if (kind, name) not in {(entry[0], entry[1]) for entry in wanted}:
            yield f"the {kind} {name} was not made by pvdd"


def _check_file(conn: sqlite3.Connection) -> Iterator[str]:
    for (report,) in conn.execute("PRAGMA integrity_check(20)"):
        for line in report.splitlines():
            if line != "ok" and not line.startswith("***"):
                yield f"the file is damaged: {line}"


def _check_bodies(conn: sqlite3.Connection) -> Iterator[str]:
    for row, digest, body in conn.execute("SELECT id, digest, body FROM events ORDER BY id"):
        if not isinstance(body, bytes) or event_digest(body) != digest:
            yield f"event body {row} is not what its hash stands for"
    for row, digest, data in conn.execute("SELECT id, digest, data FROM frames ORDER BY id"):
        if not isinstance(data, bytes) or not isinstance(digest, bytes) or frame_digest(data) != digest.hex():
            yield f"frame {row} is not what its hash stands for"
    for table, column in (("events", "event"), ("frames", "frame"), ("sources", "source")):
        for (row,) in conn.execute(f"SELECT id FROM {table} EXCEPT SELECT {column} FROM records"):
            yield f"row {row} of {table} belongs to no record"


class _Shares:
    """What the rows of a page stand for that no row before did, read at once."""

    def __init__(self, conn: sqlite3.Connection, new: set[Shared]) -> None:
        self._events = _rows_of(conn, "events", "digest, body", {one[1] for one in new})
        self._frames = _rows_of(conn, "frames", "digest", {one[2] for one in new if one[2] is not None})
        self._sources = _rows_of(conn, "sources", "source, linktype, interface", {one[3] for one in new})

    def absent(self, shared: Shared) -> list[str]:
        """What is not there."""
        _, event, frame, source, _ = shared
        gone = (("event", event not in self._events), ("frame", frame is not None and frame not in self._frames))
        return [name for name, missed in (*gone, ("source", source not in self._sources)) if missed]

    def like(self, shared: Shared) -> Like:
        """The chain over records that share this."""
        v, event, frame, source, original_length = shared
        name = "" if frame is None else self._frames[frame][0].hex()
        words, linktype, interface = self._sources[source]
        said = Provenance(words, 0, name, linktype, None, original_length, interface)
        return Like(v, said, self._events[event][0])

    def event(self, shared: Shared) -> AnyEvent:
        """The event, if it can be read."""
        return decode(self._events[shared[1]][1], shared[0])


def _rows_of(conn: sqlite3.Connection, table: str, columns: str, ids: set[int]) -> dict[int, tuple[Any, ...]]:
    """Rows by their id, those that there are."""
    found: dict[int, tuple[Any, ...]] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), ROWS_MAX):
        several = ",".join(map(str, wanted[start : start + ROWS_MAX]))
        for row, *values in conn.execute(f"SELECT rowid, {columns} FROM {table} WHERE rowid IN ({several})"):
            found[row] = tuple(values)
    return found


def _check_chain(conn: sqlite3.Connection, head: str | None) -> Iterator[str]:
    """Walk the chain. After damage go on from what is stored, so that one edit is one or two sentences, not all."""
    before: bytes | None = GENESIS
    expected, now, chain = 1, -NEVER, GENESIS
    wanted = None if head is None or head == GENESIS.hex() else head
    models: dict[Shared, Pieces] = {}
    likes: dict[Shared, Like] = {}
    cursor = conn.execute(
        "SELECT seq, at, packet, captured_at, chain, v, event, frame, source, original_length FROM records ORDER BY seq"
    )
    while rows := cursor.fetchmany(PAGE_ROWS):
        if wanted is not None and any(isinstance(row[4], bytes) and row[4].hex() == wanted for row in rows):
            wanted = None
        shares, place = None, 0
        while place < len(rows):
            if before is not None:  # as far as all is as it should be
                first = expected
                seq, now, before = walk((expected - 1, now, before), rows, place, models)
                expected, chain = seq + 1, before
                place += expected - first
                if place == len(rows):
                    break
            seq, at, packet, captured_at, stored, *_ = row = rows[place]
            place += 1
            shared: Shared = row[5:]
            if seq != expected:
                gap = f"record {expected} is" if seq == expected + 1 else f"records {expected} to {seq - 1} are"
                yield f"{gap} missing" if seq > expected else f"record {seq} stands after record {expected - 1}"
                before = None  # what came before this one is not known
            expected = seq + 1
            chain = stored
            if at < now:
                yield f"record {seq} is dated before the one before it"
            now = at
            model = likes.get(shared)
            try:
                if model is None:
                    shares = shares or _Shares(conn, {one[5:] for one in rows[place - 1 :]} - likes.keys())
                    for name in (absent := shares.absent(shared)):
                        yield f"the {name} of record {seq} is missing"
                    if not absent:
                        model = likes[shared] = shares.like(shared)
                        models[shared] = model.pieces
                        shares.event(shared)
                if model is not None and before is not None:
                    if model.link(before, seq, at, packet, captured_at) != stored:
                        yield f"record {seq} does not match its hash in the chain"
            except _UNREADABLE as error:
                yield f"record {seq} cannot be read: {error}"
            before = stored if isinstance(stored, bytes) and len(stored) == len(GENESIS) else None
        if len(models) >= EVENTS_MAX:
            models.clear()
            likes.clear()
    tail = conn.execute("SELECT seq, head FROM tail").fetchone()
    if tail is None:
        yield "where the last commit ended is not on record"
    elif tail[0] > expected - 1:
        gap = f"record {expected} is" if tail[0] == expected else f"records {expected} to {tail[0]} are"
        yield f"{gap} missing at the end"
    elif tail != (expected - 1, chain):
        yield f"the last commit ended at record {tail[0]} with another hash than the journal does at {expected - 1}"
    if wanted is not None:
        yield UNKNOWN_HEAD.format(head=wanted)
