"""What routers say again, taken straight from a capture's window: octet for octet, or but for lifetimes.

Law: `take` decides nothing. It takes packets as long as each is one that `tables` knows, that still stands, and that
comes in its time; DHCPv4 between them if who is asked says so. The first other one, and all that is odd, is left to the
readers of pcap and pcapng.

Where a C compiler was at hand, repeats.c stands in for this file: the same function, the same answers. A million
packets of a long capture are spent here, and tests/replay/test_repeats.py holds the two side by side.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from adapters.wire.carrier.ip import UDP
from adapters.wire.neighbor.lifetimes import ICMPV6_AT, soonest
from events.ids import SECOND, Instant, Seq
from pvdcore.routers.words import WAITS, Words

if TYPE_CHECKING:
    from replay.files.ahead import Entry, Gathered, Read, Standing, Table, Tables, Turned

COMPILED: Final = False


class Known(dict[bytes, "Entry"]):
    """Of one link: by the octets of a frame before its ICMPv6 message, what its router said last. All of it may be
    cleared, but nothing alone."""


ENHANCED: Final = 6
_BLOCK: Final = {order: Struct(order + "IIIIIII").unpack_from for order in "<>"}
_WORD: Final = {order: Struct(order + "I").unpack_from for order in "<>"}
_RECORD: Final = {order: Struct(order + "IIII").unpack_from for order in "<>"}


def _is_dhcp4(data: bytes) -> bool:
    """Whether a frame goes to a DHCPv4 port, behind plain headers."""
    return data[12:15] == b"\x08\x00\x45" and data[36:38] in (b"\0\x43", b"\0\x44") and data[23] == UDP


def take(
    window: bytes,
    at: int,
    order: str,
    head: int,
    places: tuple[int, int, Seq],
    tables: Tables,
    standing: Standing,
    span: tuple[Instant, Instant, int],
    gathered: Gathered,
) -> tuple[int, int, int, int]:
    """Take packets of `window` from octet `at` on, whose byte order is `order`: put each into the columns of
    `gathered`, in which there is room, and words that did not wait before, and frames that were not known, into its
    lists. The latter stand for what their routers say from now on.

    head: octets of a pcap's record header, 0 in a pcapng. places: the number of the packet before; which row of the
    columns comes next, and which record that will be. standing: what stands for each router's words, and its plan.
    span: the instants from first on and before last count, and so many packets. Returns where the first that was not
    taken begins, and the last that was, which is -1 if none was; the row that comes next now; how many packets more.
    """
    if head:
        return _records(window, at, order, head, places, tables, standing, span, gathered)
    number, row, seq = places
    first, before, room = span
    size, last = len(window), -1
    block, word, interfaces = _BLOCK[order], _WORD[order], len(tables)
    while room > 0 and at + 32 <= size:
        kind, length, index, high, low, caplen, original = block(window, at)
        after = at + length
        if kind != ENHANCED or after > size or length % 4 or caplen > length - 32 or original > caplen:
            break
        if index >= interfaces or (table := tables[index]) is None or word(window, after - 4)[0] != length:
            break
        instant = (high << 32 | low) * table[1] + table[2]
        if not first <= instant < before:
            break
        data = window[at + 28 : at + 28 + caplen]
        records = _gather(table, data, instant, (number + 1, row, seq), room, standing, gathered)
        if not records:
            break
        first, last, at = instant, at, after
        number, row, seq, room = number + 1, row + 1, seq + 1, room - records
    return at, last, row, room


def _records(
    window: bytes,
    at: int,
    order: str,
    head: int,
    places: tuple[int, int, Seq],
    tables: Tables,
    standing: Standing,
    span: tuple[Instant, Instant, int],
    gathered: Gathered,
) -> tuple[int, int, int, int]:
    number, row, seq = places
    first, before, room = span
    size, last, record, table = len(window), -1, _RECORD[order], tables[0]
    if table is None:
        return at, last, row, room
    unit = table[1]
    while room > 0 and at + head <= size:
        seconds, fraction, caplen, original = record(window, at)
        after = at + head + caplen
        if after > size or original > caplen:
            break
        instant = seconds * SECOND + fraction * unit
        if not first <= instant < before:
            break
        data = window[at + head : after]
        records = _gather(table, data, instant, (number + 1, row, seq), room, standing, gathered)
        if not records:
            break
        first, last, at = instant, at, after
        number, row, seq, room = number + 1, row + 1, seq + 1, room - records
    return at, last, row, room


def _gather(
    table: Table,
    data: bytes,
    at: Instant,
    places: tuple[int, int, Seq],
    room: int,
    standing: Standing,
    gathered: Gathered,
) -> int:
    """Take one packet, if it may be; places: its own. As how many records it counts; 0: it was not taken."""
    known, _, _, where, read, turned, unread = table
    said, new, likes, ats, packets = gathered
    number, row, seq = places
    like, records = seq, 1
    if _is_dhcp4(data):
        records = 0 if unread is None else unread(data, at, seq, room)
        if records < 1:
            return 0
    else:
        head = data[:ICMPV6_AT]
        found = known.get(head)
        if found is None:
            return 0
        if found[0] != data or not (stands := found[2]) or stands[0] is not found[3]:
            found = _recounted(found, data, at, seq, standing, read, turned)
            if found is None:
                return 0
            known[head] = found
            new.append((seq, where, data))
        _, words, _, _, like, waits, _ = found
        if not WAITS.unpack(waits)[1]:
            said.append(words)
        WAITS.pack_into(waits, 0, at, seq)
    likes[row], ats[row], packets[row] = like, at, number
    return records


def _recounted(
    before: Entry, data: bytes, at: Instant, seq: Seq, standing: Standing, read: Read | None, turned: Turned
) -> Entry | None:
    """The entry of a frame that its router's may become: its lifetimes are others, and none ends too soon."""
    _, words, stands, stood, _, waits, watched = before
    if read is None:
        return None
    for one in watched:
        lifetime_s = soonest(one[4], data)
        if lifetime_s:
            break
    else:
        return None
    slack, speaker, plan, leeway, _, _, _, _, _ = one
    steady, plans = standing
    last = bool(stands) and stands[0] is stood
    if plans.get(speaker) is not plan:
        if not turned(slack, lifetime_s, at, seq, WAITS.unpack(waits)[0] if last else 0):
            return None
        plans[speaker] = plan
        watched.remove(one)
        watched.insert(0, one)  # it says this again sooner than the others
    elif at + lifetime_s * SECOND < leeway.queued:
        return None
    if words.plan is plan and last:  # nobody asks what it was before
        words.seq, words.standing, words.event = seq, data, None
    else:
        words = Words(speaker, seq, data, plan, None, read)
        waits = words.waits
        stands = steady.setdefault(speaker, [None])
    stands[0] = data
    return data, words, stands, data, seq, waits, watched
