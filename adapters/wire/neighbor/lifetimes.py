"""An RA that says what another said but for lifetimes, told by its octets.

Law: `soonest` answers only where a whole reading (ra.py) would find the same RA with other lifetimes, each valid; what
it does not answer is read as ever.

Between two such frames differ the ICMPv6 checksum and these, of options outside of containers:

    3   PIO     octets 4-11   valid and preferred lifetime (RFC 4861 §4.6.2)
    24  RIO     octets 4-7    route lifetime (RFC 4191 §2.3)
    25  RDNSS   octets 4-7    lifetime (RFC 8106 §5.1)
    31  DNSSL   octets 4-7    lifetime (RFC 8106 §5.2)

The checksum of the other is right if both frames' octets, as one big number, agree modulo 65535 (ip.py, `sum6`).
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from struct import Struct
from typing import Final

import msgspec

from adapters.wire.neighbor.options import DNSSL, PREFIX, RDNSS, ROUTE
from events.frames import ETHERNET

ICMPV6_AT: Final = 54  # behind untagged Ethernet and an IPv6 header alone: every RA but for rare ones
HEADER_OCTETS: Final = 16
_FREE: Final = {PREFIX: 12, ROUTE: 8, RDNSS: 8, DNSSL: 8}  # the octet of an option where its lifetimes end


class Outline(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What frames of one RA have in common. mask: ones but where they may differ; rest: the octets, zero there.

    fields(octets): all lifetimes. pairs: where valid and preferred ones stand among them; lasting(fields): all but
    preferred. places: of each lasting one, its octet and whether a preferred one follows it, in 2 octets each.
    """

    size: int
    mask: int
    rest: int
    sum: int
    fields: Callable[[bytes], tuple[int, ...]]
    pairs: tuple[tuple[int, int], ...]
    lasting: Callable[[tuple[int, ...]], tuple[int, ...]]
    places: bytes


def outline(linktype: int, data: bytes, options_at: int, free: Sequence[bool]) -> Outline | None:
    """The outline of an RA that was read; free: of which of its options the lifetimes may differ.

    `None` for one that is not plain, or has no such option.
    """
    if linktype != ETHERNET or options_at != ICMPV6_AT + HEADER_OCTETS:
        return None
    mask = bytearray(b"\xff" * len(data))
    mask[ICMPV6_AT + 2 : ICMPV6_AT + 4] = b"\0\0"
    form, end = ["!"], 0
    pairs: list[tuple[int, int]] = []
    lasting: list[int] = []
    places = bytearray()
    at, count = options_at, 0
    for may in free:
        if may:
            stop = at + _FREE[data[at]]
            form.append(f"{at + 4 - end}x{(stop - at - 4) // 4}I")
            mask[at + 4 : stop] = bytes(stop - at - 4)
            lasting.append(count)
            places += (at + 4).to_bytes(2, "big") + (data[at] == PREFIX).to_bytes(2, "big")
            if data[at] == PREFIX:
                pairs.append((count, count + 1))
                count += 1
            count += 1
            end = stop
        at += data[at + 1] * 8
    if not lasting:
        return None
    octets, ones = int.from_bytes(data, "big"), int.from_bytes(mask, "big")
    fields = Struct("".join(form)).unpack_from
    rest, total = octets & ones, octets % 65535
    chosen = itemgetter(lasting[0], *lasting)  # of one alone it would give no tuple
    return Outline(len(data), ones, rest, total, fields, tuple(pairs), chosen, bytes(places))


def soonest(known: Outline, data: bytes) -> int:
    """The shortest lifetime in seconds, preferred ones aside, of a frame of that outline; 0 for any other.

    0 also where a lifetime is 0, which withdraws, or a preferred one longer than its valid one, which voids its option.
    """
    if len(data) != known.size:
        return 0
    octets = int.from_bytes(data, "big")
    if octets & known.mask != known.rest or octets % 65535 != known.sum:
        return 0
    said = known.fields(data)
    for valid, preferred in known.pairs:
        if said[preferred] > said[valid]:
            return 0
    return min(known.lasting(said))
