"""The journal of a replay that nobody asked to keep: a file without a name, and where in it everything lies.

Law: memory does not grow with the number of records. What is said for the first time is written once; a record is three
or four numbers in a block of columns, and full blocks are in the file, too. The file has no name and is gone with the
process. Hashes are made when somebody asks, and so is what a record says that is like another.

    file    bodies (what a record says besides its number, its time and its packet), lines of history, snapshots that
            are octets, blocks of columns: at; the record it is like, or its body; packet; captured_at, if any has one
    memory  the octet where each body begins, and those lines that came together; the block that is being filled, a few
            that were read back; of snapshots that are no octets a few
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, count, islice, repeat
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import Final

import msgspec

from events.codec import SCHEMA, AnyEvent, decode, encode
from events.frames import Frame
from events.ids import NEVER, Instant, LinkId, PvdId, Seq
from events.record import Provenance, Record, Step
from pvdcore.past.journal import GENESIS, UNKNOWN_HEAD, event_digest, frame_digest, link_hash, missing
from pvdcore.ports import Kept
from pvdcore.state import Change, State

BLOCK: Final = 1 << 15  # records of a block: 1 MiB in memory, and as much for each block that is read back
BLOCKS_READ: Final = 4  # a fold goes through them in order, a question asks for one or two
BODIES_READ: Final = 4096  # bodies remembered when read back: a router repeats itself
LINES: Final = 64  # of history, written at once: less work than one by one; who asks for one reads that many
STATES: Final = 6  # snapshots that are no octets: a question then folds at most a third of the journal
PIECE: Final = 1 << 18  # octets gathered before they are written: a write costs as much as hundreds of copies

Read = Callable[[Frame], tuple[AnyEvent, ...]]
_OWN: Final = -NEVER - 1  # in the column of captured_at: the record's own time
_BODY: Final = 1 << 62  # in that of what is said: the number of a body and not of a record


class Body(msgspec.Struct, frozen=True, array_like=True):
    """What a record says and shares with those that say it again.

    source: its place among the names of captures, which need not be text.
    event: its JSON, or b"" if it is read from the frame. link: the frame's. name: the frame's hash, "" if it is made
    when asked for. framed: whether there is a frame at all; data: its octets, `None` if they came with another body.
    A whole frame from which its event is read is written as its octets; what else is said of it, many have in common.
    """

    v: int
    event: bytes
    source: int
    link: str
    linktype: int
    original_length: int
    interface: str
    name: str
    framed: bool
    data: bytes | None


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Body).decode
_encode_lines: Final = msgspec.json.Encoder().encode
_decode_lines: Final = msgspec.json.Decoder(list[Change]).decode

Columns = tuple["array[int]", "array[int]", "array[int]", "array[int]"]
"""at; record or body; packet; captured_at, as far as there is one that is not the record's own time."""

Row = tuple[Seq, Instant, int, int, Instant]
"""Of a record: its number, and at, body, packet, captured_at."""


class ScratchJournal:
    """The Journal port (pvdcore/ports.py) over a file without a name.

    read: how an event is read from its frame again. What `hear` is given is then kept as the frame alone; without it
    events are written down.
    """

    def __init__(self, read: Read | None = None) -> None:
        self._read = read
        self._file = TemporaryFile(prefix="pvd-", suffix=".scratch", buffering=0)  # noqa: SIM115 - open as long as the journal
        self._piece = bytearray()
        self._base = 0  # octet of the file where `_piece` begins
        self._places, self._sizes = array("Q"), array("I")  # of each body
        self._forms = array("I")  # 0: it was written whole; else only its octets, and this form says the rest
        self._form_numbers: dict[tuple[str, LinkId, int], int] = {}
        self._form_bodies: list[Body] = []
        self._kept: list[tuple[Seq, int]] = []  # records to come, and their bodies
        self._sources: list[str] = []
        self._source_places: dict[str, int] = {}
        self._blocks: list[tuple[int, int]] = []  # where each begins, and of how many columns it is
        self._times = array("q")  # the first instant of each block
        self._columns: Columns = _empty()
        self._last_at = -NEVER
        self._lines = array("Q")
        self._line_sizes = array("I")
        self._of: dict[PvdId, array[int]] = {}  # which of those have lines of a PvD
        self._named: dict[str, int] = {}  # the body that has the octets of a frame; complete up to `_hashed`
        self._hashed = 0
        self._snapshots: dict[Seq, tuple[int, int] | Callable[[], State]] = {}
        self._digests: dict[Seq, str] = {}
        self._head = (0, GENESIS)
        self._body = lru_cache(BODIES_READ)(self._load)
        self._body_of = lru_cache(BODIES_READ)(self._find_body)
        self._block = lru_cache(BLOCKS_READ)(self._load_block)

    # Writing

    def hear(self, at: Instant, event: AnyEvent, frame: Frame, source: str, packet: int) -> None:
        if not self._last_at <= at < NEVER:
            raise ValueError(f"record {self.last_seq() + 1} at {at}: time does not go backwards, nor ends")
        link: str = getattr(event, "link", frame.link)
        alone = self._read is not None and link == frame.link
        if alone and frame.original_length == -1:
            body = self._place(frame.data, self._form(source, link, frame.linktype))
        else:
            body = self._place_body(
                Body(
                    SCHEMA,
                    b"" if alone else encode(event),
                    self._named_source(source),
                    frame.link,
                    frame.linktype,
                    frame.original_length,
                    "" if link == frame.link else frame.link,
                    "",
                    True,
                    frame.data,
                )
            )
        self._row(at, body, packet, frame.at if frame.at != at else _OWN)

    def again(self, likes: Sequence[Seq], ats: Sequence[Instant], packets: Sequence[int]) -> None:
        """See pvdcore/ports.py. Of likes only the newest is looked for: where another is none, who reads it is told."""
        if not ats:
            return
        first, instants, said = self.last_seq() + 1, list(ats), array("q", likes)
        if not self._last_at <= ats[0] or not ats[-1] < NEVER or instants != sorted(instants):
            raise ValueError(f"record {first} at {ats[0]}: time does not go backwards, nor ends")
        if max(said) >= first + len(ats):
            raise LookupError(f"there is no record {max(said)}")
        for seq, body in self._kept:
            said[seq - first] = _BODY + body
        self._kept.clear()
        done = 0
        while done < len(ats):
            kept_ats, kept_said, kept_packets, _ = self._columns
            if not kept_ats:
                self._times.append(ats[done])
            stop = done + BLOCK - len(kept_ats)
            kept_ats.extend(ats[done:stop])
            kept_said.extend(said[done:stop])
            kept_packets.extend(packets[done:stop])
            done = stop
            if len(kept_ats) == BLOCK:
                self._close_block()
        self._last_at = ats[-1]

    def keep(self, frames: Sequence[tuple[Seq, tuple[LinkId, int], bytes]], source: str) -> None:
        """Take whole frames that nobody has read yet, but whose one event is known to be of their link, for records to
        come: the next `again` will say that record `seq` is like record `seq`. Each: `seq`, link and type, octets."""
        for seq, (link, linktype), data in frames:
            self._kept.append((seq, self._place(data, self._form(source, link, linktype))))

    def append(self, record: Record, frame: bytes | None) -> None:
        seq, said = record.seq, record.provenance
        if seq != self.last_seq() + 1:
            raise ValueError(f"record {seq} after {self.last_seq()}: numbers run without gaps")
        if not self._last_at <= record.at < NEVER:
            raise ValueError(f"record {seq} at {record.at}: time does not go backwards, nor ends")
        if frame is not None and not said.frame:
            raise ValueError(f"record {seq} has a frame, but its provenance names none")
        if said.frame and frame is None and not self._knows(said.frame):
            raise missing(seq, said.frame)
        if frame is not None and said.frame in self._named:
            frame = None
        body = Body(
            record.v,
            encode(record.event),
            self._named_source(said.source),
            "",
            said.linktype,
            said.original_length,
            said.interface,
            said.frame,
            bool(said.frame),
            frame,
        )
        number = self._place_body(body)
        if frame is not None:
            self._named[said.frame] = number
        self._row(record.at, number, said.packet, _OWN if said.captured_at is None else said.captured_at)

    def _row(self, at: Instant, body: int, packet: int, captured_at: Instant) -> None:
        ats, said, packets, captured = self._columns
        if not ats:
            self._times.append(at)
        if captured_at != _OWN:
            captured.extend(repeat(_OWN, len(ats) - len(captured)))
            captured.append(captured_at)
        ats.append(at)
        said.append(_BODY + body)
        packets.append(packet)
        self._last_at = at
        if len(ats) == BLOCK:
            self._close_block()

    def _close_block(self) -> None:
        *columns, captured = self._columns
        if captured:
            captured.extend(repeat(_OWN, BLOCK - len(captured)))
            columns.append(captured)
        self._blocks.append((self._write(b"".join(columns)), len(columns)))
        self._columns = _empty()

    def _place_body(self, body: Body) -> int:
        return self._place(_encode(body), 0)

    def _place(self, octets: bytes, form: int) -> int:
        """The place of a body."""
        piece = self._piece
        self._places.append(self._base + len(piece))
        self._sizes.append(len(octets))
        self._forms.append(form)
        piece += octets
        if len(piece) >= PIECE:
            self._flush()
        return len(self._sizes) - 1

    def _form(self, source: str, link: LinkId, linktype: int) -> int:
        """What is said, beside their octets, of whole frames of a link from which their events are read."""
        form = self._form_numbers.get((source, link, linktype))
        if form is None:
            said = Body(SCHEMA, b"", self._named_source(source), link, linktype, -1, "", "", True, None)
            self._form_bodies.append(said)
            form = self._form_numbers[source, link, linktype] = len(self._form_bodies)
        return form

    def _named_source(self, name: str) -> int:
        place = self._source_places.get(name)
        if place is None:
            place = self._source_places[name] = len(self._sources)
            self._sources.append(name)
        return place

    def _write(self, octets: bytes) -> int:
        place = self._base + len(self._piece)
        if len(octets) >= PIECE:  # not copied: a snapshot has megabytes
            self._flush()
            self._file.write(octets)
            self._base += len(octets)
            return place
        self._piece += octets
        if len(self._piece) >= PIECE:
            self._flush()
        return place

    def _flush(self) -> None:
        self._file.seek(0, 2)
        self._file.write(self._piece)
        self._base += len(self._piece)
        self._piece.clear()

    def index(self, changes: Iterable[Change]) -> None:
        waiting = iter(changes)
        while lines := list(islice(waiting, LINES)):
            octets, place = _encode_lines(lines), len(self._lines)
            self._lines.append(self._write(octets))
            self._line_sizes.append(len(octets))
            for pvd in {line.pvd for line in lines}:
                known = self._of.get(pvd)
                if known is None:
                    self._of[pvd] = array("I", (place,))
                else:
                    known.append(place)

    def commit(self) -> None:
        pass

    def save_snapshot(self, seq: Seq, state: Kept) -> int:
        if isinstance(state, bytes):
            self._snapshots[seq] = self._write(state), len(state)
            return len(state)
        self._snapshots[seq] = state
        self._thin_out()
        return 0

    def _thin_out(self) -> None:
        """Of too many States, which share little if much has changed, let go the one whose neighbours are nearest."""
        seqs = sorted(seq for seq, kept in self._snapshots.items() if not isinstance(kept, tuple))
        if len(seqs) > STATES:
            around = zip((0, *seqs), seqs, seqs[1:], strict=False)
            _, least = min((after - before, seq) for before, seq, after in around)
            del self._snapshots[least]

    def save_digest(self, seq: Seq, digest: str) -> None:
        self._digests[seq] = digest

    def drop_derived(self) -> None:
        self._lines, self._line_sizes = array("Q"), array("I")
        self._of.clear()
        self._snapshots.clear()

    def close(self) -> None:
        self._file.close()

    # Reading

    def last_seq(self) -> Seq:
        return len(self._blocks) * BLOCK + len(self._columns[0])

    def seq_at(self, at: Instant) -> Seq:
        block = bisect_right(self._times, at) - 1
        if block < 0:
            return 0
        return block * BLOCK + bisect_right(self._columns_of(block)[0], at)

    def record(self, seq: Seq) -> Record | None:
        return next(self.records(seq, seq), None) if seq >= 1 else None

    def records(self, first: Seq = 1, last: Seq | None = None) -> Iterator[Record]:
        return map(self._record, self._rows(first, last))

    def steps(
        self, first: Seq = 1, last: Seq | None = None, known: Mapping[Seq, AnyEvent] = MappingProxyType({})
    ) -> Iterator[Step]:
        body = self._body
        return (
            (seq, at, body(number)[1], None if captured_at == _OWN else captured_at)
            for seq, at, number, _, captured_at in self._rows(first, last)
        )

    def frame(self, digest: str) -> bytes | None:
        return self._body(self._named[digest])[0].data if self._knows(digest) else None

    def history(self, pvd: PvdId | None = None, since: Seq = 0) -> Iterator[Change]:
        places = range(len(self._lines)) if pvd is None else list(self._of.get(pvd, ()))
        lines = (line for place in places for line in self._lines_at(place))
        return (line for line in lines if line.seq >= since and (pvd is None or line.pvd == pvd))

    def _lines_at(self, place: int) -> list[Change]:
        return _decode_lines(self._octets(self._lines[place], self._line_sizes[place]))

    def head(self) -> str:
        done, newest = self._head
        for value in self._chain(done, newest):
            newest = value
        self._head = (self.last_seq(), newest)
        return newest.hex()

    def snapshot(self, seq: Seq) -> tuple[Seq, Kept] | None:
        newest = max((kept for kept in self._snapshots if kept <= seq), default=None)
        if newest is None:
            return None
        found = self._snapshots[newest]
        return newest, self._octets(*found) if isinstance(found, tuple) else found

    def digests(self) -> Iterator[tuple[Seq, str]]:
        return iter(sorted(self._digests.items()))

    def check(self, head: str | None = None) -> Iterator[str]:
        """See pvdcore/ports.py. Nobody else can have had a hand in it: what can be wrong is ours or the disk's."""
        for number in range(len(self._sizes)):
            try:
                body, event = self._body(number)
                if body.event:
                    decode(body.event, body.v)
                del event
            except (msgspec.MsgspecError, ValueError, LookupError, TypeError) as error:
                yield f"body {number + 1} cannot be read: {error}"
                continue
            if body.data is not None and body.name and frame_digest(body.data) != body.name:
                yield f"frame {body.name} is not what its hash stands for"
        try:
            deque(self._rows(1, None), maxlen=0)
        except LookupError as error:
            yield str(error)
            return
        if head is not None and head != GENESIS.hex():
            if not any(value.hex() == head for value in self._chain(0, GENESIS)):
                yield UNKNOWN_HEAD.format(head=head)

    def _chain(self, done: int, value: bytes) -> Iterator[bytes]:
        digests: dict[int, bytes] = {}
        for row in self._rows(done + 1, None):
            record = self._record(row)
            digest = digests.get(row[2])
            if digest is None:
                if len(digests) > BODIES_READ:
                    digests.clear()
                digest = digests[row[2]] = event_digest(encode(record.event))
            value = link_hash(value, record.seq, record.at, record.v, record.provenance, digest)
            yield value

    def _rows(self, first: Seq, last: Seq | None) -> Iterator[Row]:
        """Of the records that there are now."""
        end = self.last_seq() if last is None else min(last, self.last_seq())
        return self._rows_to(max(first, 1), end)

    def _rows_to(self, first: Seq, end: Seq) -> Iterator[Row]:
        while first <= end:
            block, row = divmod(first - 1, BLOCK)
            several = slice(row, row + end - first + 1)
            ats, said, packets, captured = (column[several] for column in self._columns_of(block))
            numbers = [one - _BODY if one >= _BODY else self._body_of(one) for one in said]
            yield from zip(count(first), ats, numbers, packets, chain(captured, repeat(_OWN)), strict=False)
            first += len(ats)

    def _find_body(self, like: Seq) -> int:
        """The body of a record that others are like."""
        while 1 <= like <= self.last_seq():
            said = self._said(like)
            if said >= _BODY:
                return said - _BODY
            if said >= like:
                break
            like = said
        raise LookupError(f"there is no record {like} that others could be like")

    def _said(self, seq: Seq) -> int:
        block, row = divmod(seq - 1, BLOCK)
        if block == len(self._blocks):
            return self._columns[1][row]
        return array("q", self._octets(self._blocks[block][0] + 8 * (BLOCK + row), 8))[0]

    def _columns_of(self, block: int) -> Columns:
        return self._columns if block == len(self._blocks) else self._block(block)

    def _load_block(self, block: int) -> Columns:
        place, several = self._blocks[block]
        octets, columns = self._octets(place, several * 8 * BLOCK), _empty()
        for number, column in enumerate(columns[:several]):
            column.frombytes(octets[number * 8 * BLOCK : (number + 1) * 8 * BLOCK])
        return columns

    def _read_body(self, number: int) -> Body:
        """What was written of a body."""
        octets, form = self._octets(self._places[number], self._sizes[number]), self._forms[number]
        return msgspec.structs.replace(self._form_bodies[form - 1], data=octets) if form else _decode(octets)

    def _load(self, number: int) -> tuple[Body, AnyEvent]:
        body = self._read_body(number)
        if body.event:
            event = decode(body.event, body.v)
        else:
            assert self._read is not None
            assert body.data is not None
            (event,) = self._read(Frame(0, body.link, body.linktype, body.data, body.original_length))
        if body.framed and not body.name:
            assert body.data is not None
            body = msgspec.structs.replace(body, name=frame_digest(body.data))
            self._named.setdefault(body.name, number)
        return body, event

    def _record(self, row: Row) -> Record:
        seq, at, number, packet, captured_at = row
        body, event = self._body(number)
        captured = None if captured_at == _OWN else captured_at
        source = self._sources[body.source]
        said = Provenance(source, packet, body.name, body.linktype, captured, body.original_length, body.interface)
        return Record(seq, at, body.v, said, event)

    def _knows(self, digest: str) -> bool:
        """Whether a frame is here. Frames are hashed when the first unknown one is asked for."""
        while digest not in self._named and self._hashed < len(self._sizes):
            body = self._read_body(self._hashed)
            if body.data is not None:
                self._named.setdefault(body.name or frame_digest(body.data), self._hashed)
            self._hashed += 1
        return digest in self._named

    def _octets(self, place: int, size: int) -> bytes:
        if place >= self._base:
            return bytes(self._piece[place - self._base : place - self._base + size])
        self._file.seek(place)
        return self._file.read(size)


def _empty() -> Columns:
    return array("q"), array("q"), array("q"), array("q")
