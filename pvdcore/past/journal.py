"""The chain of a journal, the verification of one, and the journal that lives in memory.

Law: h(n) = BLAKE2b-256(h(n-1) ‖ canonical JSON of [seq, at, v, provenance] ‖ BLAKE2b-256(event bytes)), h(0) = 32 zero
octets; the provenance holds the frame's hash. An edit or a gap breaks it; a cut tail, or a rewrite of everything, does
not: for that somebody has to keep a head elsewhere (`pvdctl verify --head`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec.structs import replace

from events.codec import SCHEMA, AnyEvent, decode, encode
from events.frames import Frame
from events.ids import NEVER, Instant, PvdId, Seq
from events.record import Provenance, Record, Step, heard
from pvdcore.ports import Kept
from pvdcore.state import Change

GENESIS: Final = bytes(32)
UNKNOWN_HEAD: Final = "no record has the hash {head}: the journal was cut, or written anew, since that was noted"
"""What `check` says of a head that somebody kept elsewhere and that the chain never had."""

Pieces = tuple[bytes, bytes, bytes, bytes]
"""What of a link stands between its numbers: before the packet's, behind it; or between it and captured_at, behind."""

_UNNAMED: Final = "0" * 32
_NAMED: Final = b',"frame":"' + _UNNAMED.encode()
_encoder: Final = msgspec.json.Encoder(order="deterministic")
_changes: Final = msgspec.json.Decoder(Change)


def frame_digest(frame: bytes) -> str:
    """A frame's name: BLAKE2b-128 of its bytes, in hexadecimal."""
    return blake2b(frame, digest_size=16).hexdigest()


def event_digest(event: bytes) -> bytes:
    """An event body's name: BLAKE2b-256 of its canonical bytes."""
    return blake2b(event, digest_size=32).digest()


def link_hash(before: bytes, seq: Seq, at: Instant, v: int, provenance: Provenance, event: bytes) -> bytes:
    """The chain's next hash, from the one before and the digest of the event's bytes."""
    return blake2b(before + _encoder.encode((seq, at, v, provenance)) + event, digest_size=32).digest()


class Like:
    """The chain over records that say what one said, at other times and in other packets, without encoding each.

    pieces: what is hashed, for adapters/chain.py, which does it for many at once.
    """

    __slots__ = ("_event", "_said", "_v", "pieces")

    def __init__(self, v: int, provenance: Provenance, event: bytes) -> None:
        self._v, self._said, self._event = v, provenance, event
        # A quote within a text is escaped, so neither name is found in one.
        text = _encoder.encode((0, 0, v, replace(provenance, packet=1, captured_at=1)))
        lead, packet, rest = text.removeprefix(b"[0,0").partition(b'"packet":')
        middle, captured, tail = rest.removeprefix(b"1").partition(b'"captured_at":')
        plain = middle.removesuffix(b",") + tail.removeprefix(b"1") + event
        self.pieces: Pieces = lead + packet, plain, middle + captured, tail.removeprefix(b"1") + event

    def link(self, before: bytes, seq: Seq, at: Instant, packet: int, captured_at: Instant | None = None) -> bytes:
        """The same as `link_hash`."""
        said = replace(self._said, packet=packet, captured_at=captured_at)
        return link_hash(before, seq, at, self._v, said, self._event)


class Kin:
    """Records that differ from `said` in their frame, which has a name, and their event: the pieces of each."""

    __slots__ = ("_lead", "_middle", "_plain", "_tail")

    def __init__(self, v: int, said: Provenance) -> None:
        lead, plain, middle, tail = Like(v, replace(said, frame=_UNNAMED), b"").pieces
        assert plain.startswith(_NAMED) and middle.startswith(_NAMED)  # it stands right behind the packet's number
        self._lead, self._plain, self._middle, self._tail = lead, plain[len(_NAMED) :], middle[len(_NAMED) :], tail

    def pieces(self, frame: str, event: bytes) -> Pieces:
        """What `Like` makes of the record with this frame, and the event of this digest."""
        name = b',"frame":"%b' % frame.encode()
        return self._lead, name + self._plain + event, name + self._middle, self._tail + event


def missing(seq: Seq, frame: str) -> ValueError:
    """A record names a frame that neither came with it nor with an earlier one."""
    return ValueError(f"record {seq} names the frame {frame}, which the journal does not have")


def read_change(data: bytes) -> Change:
    """A line of history from its JSON."""
    return _changes.decode(data)


class MemoryJournal:
    """The journal of a replay that nobody asked to keep. Equal frames are one; the chain is made on demand."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._ats: list[Instant] = []
        self._frames: dict[str, bytes] = {}
        self._history: list[Change] = []
        self._snapshots: dict[Seq, Kept] = {}
        self._digests: dict[Seq, str] = {}
        self._head = (0, GENESIS)

    def append(self, record: Record, frame: bytes | None) -> None:
        if record.seq != len(self._records) + 1:
            raise ValueError(f"record {record.seq} after {len(self._records)}: numbers run without gaps")
        if not (self._ats[-1] if self._ats else -NEVER) <= record.at < NEVER:
            raise ValueError(f"record {record.seq} at {record.at}: time does not go backwards, nor ends")
        name = record.provenance.frame
        if frame is not None:
            if not name:
                raise ValueError(f"record {record.seq} has a frame, but its provenance names none")
            self._frames.setdefault(name, frame)
        elif name and name not in self._frames:
            raise missing(record.seq, name)
        self._records.append(record)
        self._ats.append(record.at)

    def hear(self, at: Instant, event: AnyEvent, frame: Frame, source: str, packet: int) -> None:
        said = heard(frame, event, at, source, packet, frame_digest(frame.data))
        self.append(Record(len(self._records) + 1, at, SCHEMA, said, event), frame.data)

    def again(self, likes: Sequence[Seq], ats: Sequence[Instant], packets: Sequence[int]) -> None:
        for like, at, packet in zip(likes, ats, packets, strict=True):
            if not 1 <= like <= len(self._records):
                raise LookupError(f"there is no record {like}")
            known = self._records[like - 1]
            said = replace(known.provenance, packet=packet, captured_at=None)
            self.append(Record(len(self._records) + 1, at, known.v, said, known.event), None)

    def index(self, changes: Iterable[Change]) -> None:
        self._history.extend(changes)

    def commit(self) -> None:
        pass

    def last_seq(self) -> Seq:
        return len(self._records)

    def seq_at(self, at: Instant) -> Seq:
        return bisect_right(self._ats, at)

    def record(self, seq: Seq) -> Record | None:
        return self._records[seq - 1] if 1 <= seq <= len(self._records) else None

    def records(self, first: Seq = 1, last: Seq | None = None) -> Iterator[Record]:
        return iter(self._records[max(first, 1) - 1 : last])

    def steps(
        self, first: Seq = 1, last: Seq | None = None, known: Mapping[Seq, AnyEvent] = MappingProxyType({})
    ) -> Iterator[Step]:
        return ((one.seq, one.at, one.event, one.provenance.captured_at) for one in self.records(first, last))

    def frame(self, digest: str) -> bytes | None:
        return self._frames.get(digest)

    def history(self, pvd: PvdId | None = None, since: Seq = 0) -> Iterator[Change]:
        known = list(self._history)
        return (change for change in known if change.seq >= since and (pvd is None or change.pvd == pvd))

    def head(self) -> str:
        done, newest = self._head
        for value in self._chain(done, newest):
            newest = value
        self._head = (len(self._records), newest)
        return newest.hex()

    def _chain(self, done: int = 0, value: bytes = GENESIS) -> Iterator[bytes]:
        for record in self._records[done:]:
            digest = event_digest(encode(record.event))
            value = link_hash(value, record.seq, record.at, record.v, record.provenance, digest)
            yield value

    def save_snapshot(self, seq: Seq, state: Kept) -> int:
        self._snapshots[seq] = state
        return len(state) if isinstance(state, bytes) else 0

    def snapshot(self, seq: Seq) -> tuple[Seq, Kept] | None:
        newest = max((kept for kept in self._snapshots if kept <= seq), default=None)
        return None if newest is None else (newest, self._snapshots[newest])

    def drop_derived(self) -> None:
        self._history.clear()
        self._snapshots.clear()

    def save_digest(self, seq: Seq, digest: str) -> None:
        self._digests[seq] = digest

    def digests(self) -> Iterator[tuple[Seq, str]]:
        return iter(sorted(self._digests.items()))

    def check(self, head: str | None = None) -> Iterator[str]:
        """See pvdcore/ports.py. Nothing here was written anywhere, so what can be wrong is ours or the caller's."""
        before, now, used = 0, -NEVER, set()
        for record in self._records:
            if record.seq != before + 1:
                yield f"record {before + 1} is missing"
            before = record.seq
            if record.at < now:
                yield f"record {record.seq} is dated before the one before it"
            now = record.at
            name = record.provenance.frame
            used.add(name)
            if name and name not in self._frames:
                yield f"the frame of record {record.seq} is missing"
            try:
                decode(encode(record.event), record.v)
            except (msgspec.MsgspecError, ValueError, LookupError, TypeError) as error:
                yield f"record {record.seq} cannot be read: {error}"
        for name, data in sorted(self._frames.items()):
            if frame_digest(data) != name:
                yield f"frame {name} is not what its hash stands for"
            if name not in used:
                yield f"frame {name} belongs to no record"
        if head is not None and head != GENESIS.hex():
            if not any(value.hex() == head for value in self._chain()):
                yield UNKNOWN_HEAD.format(head=head)

    def close(self) -> None:
        pass
