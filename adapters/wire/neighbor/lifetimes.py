"""An RA that says what another said but for lifetimes, told by its octets.

Law: `soonest` answers only where a whole reading (ra.py) would find the same RA with other lifetimes, each valid; what
it does not answer is read as ever.

Between two such frames differ the ICMPv6 checksum and these, of options outside of containers:

    3   PIO     octets 4-11   valid and preferred lifetime (RFC 4861 §4.6.2)
    24  RIO     octets 4-7    route lifetime (RFC 4191 §2.3)
    25  RDNSS   octets 4-7    lifetime (RFC 8106 §5.1)
    31  DNSSL   octets 4-7    lifetime (RFC 8106 §5.2)

The checksum of the other is right if what may differ, added up, is the same modulo 65535: all of it stands at even
octets of the message (RFC 1071; ip.py, `sum6`).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import count
from operator import and_, itemgetter
from struct import Struct
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from adapters.wire.neighbor.options import PREFIX
from events.codec import encode
from events.frames import ETHERNET
from events.router import Dnssl, NdOption, PrefixInformation, Rdnss, RouteInformation, RouterAdvertised

ICMPV6_AT: Final = 54  # behind untagged Ethernet and an IPv6 header alone: every RA but for rare ones
CHECKSUM_AT: Final = ICMPV6_AT + 2
HEADER_OCTETS: Final = 16
INFINITY: Final = 0xFFFFFFFF
DIVIDED_MAX: Final = 256  # lengths of frames and options together: routers of a network have few


class Outline(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What frames of one RA have in common, and where they may differ.

    parts(octets): what is fixed, and the numbers between. fixed(parts): the former, which are `rest`. free(parts): the
    latter, the checksum first, which add up to `sum` modulo 65535. pairs: where valid and preferred lifetimes stand
    among them; lasting(free): all but preferred ones.

    The same for the twin in C (replay/files/repeats.c): mask: ones but where frames may differ; masked: the octets,
    zero there. places: of each lasting one, its octet and whether a preferred one follows it, in 2 octets each.
    """

    size: int
    parts: Callable[[bytes], tuple[Any, ...]]
    fixed: Callable[[tuple[Any, ...]], tuple[bytes, ...]]
    rest: tuple[bytes, ...]
    free: Callable[[tuple[Any, ...]], tuple[int, ...]]
    sum: int
    pairs: tuple[tuple[int, int], ...]
    lasting: Callable[[tuple[int, ...]], tuple[int, ...]]
    mask: bytes
    masked: bytes
    places: bytes


def outline(linktype: int, data: bytes, options_at: int, free: Sequence[bool]) -> Outline | None:
    """The outline of an RA that was read; free: of which of its options the lifetimes may differ.

    `None` for one that is not plain, or has no such option.
    """
    if linktype != ETHERNET or options_at != ICMPV6_AT + HEADER_OCTETS:
        return None
    fields, lasting, pairs = [CHECKSUM_AT], [], []  # octets of what may differ; which of them are lifetimes
    places = bytearray()
    at = options_at
    for may in free:
        if may:
            lasting.append(len(fields))
            fields.append(at + 4)
            if data[at] == PREFIX:
                pairs.append((lasting[-1], len(fields)))
                fields.append(at + 8)
            places += (at + 4).to_bytes(2, "big") + (data[at] == PREFIX).to_bytes(2, "big")
        at += data[at + 1] * 8
    if not lasting:
        return None
    parts, fixed, numbers, mask = _divided(len(data), tuple(fields))
    said = parts(data)
    return Outline(
        len(data),
        parts,
        fixed,
        fixed(said),
        numbers,
        sum(numbers(said)) % 65535,
        tuple(pairs),
        itemgetter(lasting[0], *lasting),  # of one alone it would give no tuple
        mask,
        bytes(map(and_, data, mask)),
        bytes(places),
    )


Divided = tuple[
    Callable[[bytes], tuple[Any, ...]],
    Callable[[tuple[Any, ...]], tuple[bytes, ...]],
    Callable[[tuple[Any, ...]], tuple[int, ...]],
    bytes,
]
"""What outlines of the same lengths share: parts, fixed, free, mask."""


@lru_cache(DIVIDED_MAX)
def _divided(size: int, fields: tuple[int, ...]) -> Divided:
    form, mask, end = ["!"], bytearray(b"\xff" * size), 0
    for field in fields:
        width = 2 if field == CHECKSUM_AT else 4
        form.append(f"{field - end}s{'H' if width == 2 else 'I'}")
        end = field + width
        mask[field:end] = bytes(width)
    form.append(f"{size - end}s")
    numbers = range(1, 2 * len(fields), 2)
    fixed = itemgetter(0, *[at + 1 for at in numbers])
    return Struct("".join(form)).unpack, fixed, itemgetter(*numbers), bytes(mask)


def soonest(known: Outline, data: bytes) -> int:
    """The shortest lifetime in seconds, preferred ones aside, of a frame of that outline; 0 for any other.

    0 also where a lifetime is 0, which withdraws, or a preferred one longer than its valid one, which voids its option.
    """
    if len(data) != known.size:
        return 0
    parts = known.parts(data)
    if known.fixed(parts) != known.rest:
        return 0
    said = known.free(parts)
    if sum(said) % 65535 != known.sum:
        return 0
    for valid, preferred in known.pairs:
        if said[preferred] > said[valid]:
            return 0
    return min(known.lasting(said))


def form(event: RouterAdvertised, free: Sequence[bool]) -> bytes | None:
    """What the event of an outline is stored as (events/codec.py), with a `%d` for each lifetime that is free; `None`
    if they cannot be told from what else stands there."""
    marks = count(INFINITY + 1)  # as no lifetime is
    options: list[NdOption] = []
    for option, may in zip(event.options, free, strict=True):
        if may and isinstance(option, PrefixInformation):
            option = replace(option, valid_s=next(marks), preferred_s=next(marks))
        elif may and isinstance(option, (RouteInformation, Rdnss, Dnssl)):
            option = replace(option, lifetime_s=next(marks))
        options.append(option)
    made = encode(replace(event, options=tuple(options))).replace(b"%", b"%%")
    for mark in range(INFINITY + 1, next(marks)):
        if made.count(b"%d" % mark) != 1:
            return None
        made = made.replace(b"%d" % mark, b"%d")
    return made


def said(known: Outline, form: bytes, data: bytes) -> bytes | None:
    """What the event of a frame is stored as, of which `soonest` gave a lifetime; `None` where one is infinite, for
    which there is no number."""
    _, *fields = known.free(known.parts(data))
    return None if INFINITY in fields else form % tuple(fields)
