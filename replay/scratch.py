"""The journal of a replay that nobody asked to keep: a file without a name, and where in it everything lies.

Law: memory does not grow with the number of records. What is said for the first time is written once; a record is four
numbers in a block of columns, and full blocks are in the file, too. The file has no name and is gone with the process.
Hashes are made when somebody asks.

    file    bodies (what a record says besides its number, its time and its packet), lines of history, snapshots that
            are octets, blocks of columns: at, body, packet, captured_at
    memory  the octet where each body begins, and those lines that came together; the block that is being filled, a few that were read back; of
            snapshots that are States a few
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, count, islice
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
STATES: Final = 8  # snapshots that are States: a question then folds at most a quarter of the journal
PIECE: Final = 1 << 18  # octets gathered before they are written: a write costs as much as hundreds of copies

Read = Callable[[Frame], tuple[AnyEvent, ...]]
_OWN: Final = -NEVER - 1  # in the column of captured_at: the record's own time
_own: Final = array("q", (_OWN,)) * BLOCK


class Body(msgspec.Struct, frozen=True, array_like=True):
    """What a record says and shares with those that say it again.

    source: its place among the names of captures, which need not be text.
    event: its JSON, or b"" if it is read from the frame. link: the frame's. name: the frame's hash, "" if it is made
    when asked for. framed: whether there is a frame at all; data: its octets, `None` if they came with another body.
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
        self._places = array("Q", (0,))  # where each body begins, and the next would
        self._sizes = array("I")
        self._sources: list[str] = []
        self._source_places: dict[str, int] = {}
        self._blocks: list[int] = []
        self._times = array("q")  # the first instant of each block
        self._columns: Columns = _empty()
        self._last_at = -NEVER
        self._bodies_of: dict[Seq, int] = {}  # the bodies of records that others are like
        self._bodies_before: dict[Seq, int] = {}
        self._lines = array("Q")
        self._line_sizes = array("I")
        self._of: dict[PvdId, array[int]] = {}  # which of those have lines of a PvD
        self._named: dict[str, int] = {}  # the body that has the octets of a frame; complete up to `_hashed`
        self._hashed = 0
        self._snapshots: dict[Seq, tuple[int, int] | State] = {}
        self._digests: dict[Seq, str] = {}
        self._head = (0, GENESIS)
        self._body = lru_cache(BODIES_READ)(self._load)
        self._block = lru_cache(BLOCKS_READ)(self._load_block)

    # Writing

    def hear(self, at: Instant, event: AnyEvent, frame: Frame, source: str, packet: int) -> None:
        if not self._last_at <= at < NEVER:
            raise ValueError(f"record {self.last_seq() + 1} at {at}: time does not go backwards, nor ends")
        link: str = getattr(event, "link", frame.link)
        alone = self._read is not None and link == frame.link
        body = Body(
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
        self._row(at, self._place(body), packet, frame.at if frame.at != at else _OWN)

    def again(self, likes: Sequence[Seq], ats: Sequence[Instant], packets: Sequence[int]) -> None:
        if not ats:
            return
        instants = list(ats)
        if not self._last_at <= ats[0] or not ats[-1] < NEVER or instants != sorted(instants):
            raise ValueError(f"record {self.last_seq() + 1} at {ats[0]}: time does not go backwards, nor ends")
        known = self._bodies_of
        try:
            bodies = list(map(known.__getitem__, likes))
        except KeyError:
            bodies = [self._body_of(like) for like in likes]
        if len(known) >= BODIES_READ:
            self._bodies_before, self._bodies_of = known, {}
        done = 0
        while done < len(ats):
            kept_ats, kept_bodies, kept_packets, captured = self._columns
            if not kept_ats:
                self._times.append(ats[done])
            stop = done + BLOCK - len(kept_ats)
            kept_ats.extend(ats[done:stop])
            kept_bodies.fromlist(bodies[done:stop])
            kept_packets.extend(packets[done:stop])
            captured.extend(_own[: len(kept_ats) - len(captured)])
            self._last_at = ats[-1]
            self._close_block()
            done = stop

    def _body_of(self, like: Seq) -> int:
        """The body of a record that others are like. What is asked for again outlives what is not, as in Translator:
        reading one number back takes reading a block."""
        known = self._bodies_of
        body = known.get(like)
        if body is None:
            if not 1 <= like <= self.last_seq():
                raise LookupError(f"there is no record {like}")
            body = known[like] = self._bodies_before.get(like) or self._at(like)[1]
        return body

    def keep(self, frames: Sequence[tuple[Seq, tuple[LinkId, int], bytes]], source: str) -> None:
        """Take whole frames that nobody has read yet, but whose one event is known to be of their link, for records to
        come: the next `again` will say that record `seq` is like record `seq`. Each: `seq`, link and type, octets."""
        place, first, begin = self._named_source(source), len(self._sizes) + 1, self._base + len(self._piece)
        bodies = [_encode((SCHEMA, b"", place, *where, -1, "", "", True, data)) for _, where, data in frames]
        sizes = list(map(len, bodies))
        self._sizes.extend(sizes)
        self._places.extend(islice(accumulate(sizes, initial=begin), len(sizes)))
        self._bodies_of.update(zip([seq for seq, _, _ in frames], count(first), strict=False))
        self._write(b"".join(bodies))

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
        number = self._place(body)
        if frame is not None:
            self._named[said.frame] = number
        self._row(record.at, number, said.packet, _OWN if said.captured_at is None else said.captured_at)

    def _row(self, at: Instant, body: int, packet: int, captured_at: Instant) -> None:
        ats, bodies, packets, captured = self._columns
        if not ats:
            self._times.append(at)
        ats.append(at)
        bodies.append(body)
        packets.append(packet)
        captured.append(captured_at)
        self._last_at = at
        if len(ats) == BLOCK:
            self._close_block()

    def _close_block(self) -> None:
        if len(self._columns[0]) == BLOCK:
            self._blocks.append(self._write(b"".join(column.tobytes() for column in self._columns)))
            self._columns = _empty()

    def _place(self, body: Body | tuple[object, ...]) -> int:
        octets, piece = _encode(body), self._piece
        self._places.append(self._base + len(piece))
        self._sizes.append(len(octets))
        piece += octets
        if len(piece) >= PIECE:
            self._flush()
        return len(self._sizes)

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
        if isinstance(state, State):
            self._snapshots[seq] = state
            self._thin_out()
            return 0
        self._snapshots[seq] = self._write(state), len(state)
        return len(state)

    def _thin_out(self) -> None:
        """Of too many States, which share little if much has changed, let go the one whose neighbours are nearest."""
        seqs = sorted(seq for seq, kept in self._snapshots.items() if isinstance(kept, State))
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
        return block * BLOCK + bisect_right(self._rows(block)[0], at)

    def record(self, seq: Seq) -> Record | None:
        return self._record(seq, *self._at(seq)) if 1 <= seq <= self.last_seq() else None

    def records(self, first: Seq = 1, last: Seq | None = None) -> Iterator[Record]:
        end = self.last_seq() if last is None else min(last, self.last_seq())
        return (self._record(seq, *self._at(seq)) for seq in range(max(first, 1), end + 1))

    def steps(
        self, first: Seq = 1, last: Seq | None = None, known: Mapping[Seq, AnyEvent] = MappingProxyType({})
    ) -> Iterator[Step]:
        end = self.last_seq() if last is None else min(last, self.last_seq())
        for seq in range(max(first, 1), end + 1):
            at, body, _, captured_at = self._at(seq)
            yield seq, at, self._body(body)[1], None if captured_at == _OWN else captured_at

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
        return newest, found if isinstance(found, State) else self._octets(*found)

    def digests(self) -> Iterator[tuple[Seq, str]]:
        return iter(sorted(self._digests.items()))

    def check(self, head: str | None = None) -> Iterator[str]:
        """See pvdcore/ports.py. Nobody else can have had a hand in it: what can be wrong is ours or the disk's."""
        for number in range(1, len(self._sizes) + 1):
            try:
                body, event = self._body(number)
                if body.event:
                    decode(body.event, body.v)
                del event
            except (msgspec.MsgspecError, ValueError, LookupError, TypeError) as error:
                yield f"body {number} cannot be read: {error}"
                continue
            if body.data is not None and body.name and frame_digest(body.data) != body.name:
                yield f"frame {body.name} is not what its hash stands for"
        if head is not None and head != GENESIS.hex():
            if not any(value.hex() == head for value in self._chain(0, GENESIS)):
                yield UNKNOWN_HEAD.format(head=head)

    def _chain(self, done: int, value: bytes) -> Iterator[bytes]:
        digests: dict[int, bytes] = {}
        for seq in range(done + 1, self.last_seq() + 1):
            place = self._at(seq)
            record = self._record(seq, *place)
            digest = digests.get(place[1])
            if digest is None:
                if len(digests) > BODIES_READ:
                    digests.clear()
                digest = digests[place[1]] = event_digest(encode(record.event))
            value = link_hash(value, seq, record.at, record.v, record.provenance, digest)
            yield value

    def _at(self, seq: Seq) -> tuple[Instant, int, int, Instant]:
        block, row = divmod(seq - 1, BLOCK)
        ats, bodies, packets, captured = self._rows(block)
        return ats[row], bodies[row], packets[row], captured[row]

    def _rows(self, block: int) -> Columns:
        return self._columns if block == len(self._blocks) else self._block(block)

    def _load_block(self, block: int) -> Columns:
        columns = _empty()
        octets = self._octets(self._blocks[block], 4 * 8 * BLOCK)
        for place, column in enumerate(columns):
            column.frombytes(octets[place * 8 * BLOCK : (place + 1) * 8 * BLOCK])
        return columns

    def _load(self, number: int) -> tuple[Body, AnyEvent]:
        body = _decode(self._octets(self._places[number], self._sizes[number - 1]))
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

    def _record(self, seq: Seq, at: Instant, number: int, packet: int, captured_at: Instant) -> Record:
        body, event = self._body(number)
        captured = None if captured_at == _OWN else captured_at
        source = self._sources[body.source]
        said = Provenance(source, packet, body.name, body.linktype, captured, body.original_length, body.interface)
        return Record(seq, at, body.v, said, event)

    def _knows(self, digest: str) -> bool:
        """Whether a frame is here. Frames are hashed when the first unknown one is asked for."""
        while digest not in self._named and self._hashed < len(self._sizes):
            self._hashed += 1
            body = _decode(self._octets(self._places[self._hashed], self._sizes[self._hashed - 1]))
            if body.data is not None:
                self._named.setdefault(body.name or frame_digest(body.data), self._hashed)
        return digest in self._named

    def _octets(self, place: int, size: int) -> bytes:
        if place >= self._base:
            return bytes(self._piece[place - self._base : place - self._base + size])
        self._file.seek(place)
        return self._file.read(size)


def _empty() -> Columns:
    return array("q"), array("q"), array("q"), array("q")
