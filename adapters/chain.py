"""The chain over many records of which each says what another said: made, and walked.

Law: both decide nothing. They go from record to record as long as each is as it should be; the first other one, and all
that is odd, is left to who asked (pvdcore/past/journal.py has the chain's own law).

Where a C compiler was at hand, chain.c stands in for this file: the same functions, the same answers. A hash a record
is most of what writing a long journal costs, and tests/adapters/test_chain.py holds the two side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from events.ids import NEVER, Instant, Seq

if TYPE_CHECKING:
    from adapters.sqlite import End, Model, Row, Shared
    from pvdcore.past.journal import Pieces

COMPILED: Final = False

TEXT_MAX: Final = (
    1024  # octets of what is hashed beside numbers: names of captures are short, and longer ones cost no more than time
)
_LEAST: Final = -NEVER - 1


def extend(
    end: End,
    models: dict[Seq, Model],
    likes: Sequence[Seq],
    ats: Sequence[Instant],
    packets: Sequence[int],
    rows: list[object],
) -> End:
    """Append to `rows` the values of one record like each of `likes`, behind `end`; returns the new end.

    rows: of each record seq, at, event, frame, source, packet, chain, one behind the other; the hash as a bytearray,
    which sqlite3 takes as it is. Stops before the first that is like none of `models`, is dated before the one before,
    or never, or whose packet has no number from 1 on.
    """
    seq, now, head = end
    for like, at, packet in zip(likes, ats, packets, strict=True):
        model = models.get(like)
        if (
            model is None
            or not now <= at < NEVER
            or not 0 < packet <= NEVER
            or len(model[3]) + len(model[4]) > TEXT_MAX
        ):
            break
        event, frame, source, lead, plain = model
        head = blake2b(b"%b[%d,%d%b%d%b" % (head, seq + 1, at, lead, packet, plain), digest_size=32).digest()
        seq, now = seq + 1, at
        rows += (seq, at, event, frame, source, packet, bytearray(head))
    return seq, now, head


def walk(end: End, rows: Sequence[Row], place: int, models: dict[Shared, Pieces]) -> End:
    """Go along `rows` as read, from `place` on, behind `end`; returns how far they are as they should be.

    rows: seq, at, packet, captured_at, chain, and what it shares. Stops before the first that has another number or
    hash, is dated before the one before, or is like none of `models`.
    """
    seq, now, head = end
    for row in rows if not place else rows[place:]:
        number, at, packet, captured_at, stored, *_ = row
        pieces = models.get(row[5:])
        if number != seq + 1 or pieces is None or sum(map(len, pieces)) > TEXT_MAX:
            break
        if not _counts(at, now) or not _counts(packet, 1) or not (captured_at is None or _counts(captured_at, _LEAST)):
            break
        if captured_at is None:
            text = b"%b[%d,%d%b%d%b" % (head, number, at, pieces[0], packet, pieces[1])
        else:
            text = b"%b[%d,%d%b%d%b%d%b" % (head, number, at, pieces[0], packet, pieces[2], captured_at, pieces[3])
        made = blake2b(text, digest_size=32).digest()
        if made != stored:
            break
        seq, now, head = number, at, made
    return seq, now, head


def _counts(value: object, least: int) -> bool:
    return type(value) is int and least <= value <= NEVER
