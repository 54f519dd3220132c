"""The pcap format: one header, then records (draft-ietf-opsawg-pcap; pcap-savefile(5)).

Law: nothing is guessed. A record whose length cannot be is where reading stops, and everything before it counts.

    0        4        8        12       16       20          24
    │ magic  │2.4     │ -      │ -      │snaplen │linktype   │  file header; both byte orders, µs or ns
    │ seconds│ µs, ns │ caplen │ length │ caplen octets …       record, 8 octets more in Kuznetzov's variant
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final, Literal

from events.ids import LinkId
from replay.files.ahead import Ahead, Clock
from replay.files.octets import Octets
from replay.files.walk import (
    DULL_MIN,
    READABLE,
    RECORD_MAX,
    SNAP_MAX,
    TCP,
    UDP,
    VERSION4,
    VERSION6,
    VERSION6_LAST,
    Packet,
    Reading,
    Wanted,
    dull4,
    dull6,
    look_of,
)

FILE_HEADER: Final = 24
LINKTYPE_MASK: Final = 0xFFFF  # above it: the length of the frame check sequence, and reserved bits
VERSION_MAJOR: Final = 2

_ORDERS: Final[tuple[Literal["<"], Literal[">"]]] = ("<", ">")

# magic as it reads in the file's order: nanoseconds of one unit, octets of a record's header
_VARIANTS: Final = {
    0xA1B2C3D4: (1000, 16),
    0xA1B23C4D: (1, 16),
    0xA1B2CD34: (1000, 24),  # "modified": interface, protocol and packet type follow the lengths
}
MAGICS: Final[dict[bytes, tuple[Literal["<", ">"], int, int]]] = {
    Struct(order + "I").pack(magic): (order, unit, head)
    for magic, (unit, head) in _VARIANTS.items()
    for order in _ORDERS
}


def walk(
    reading: Reading,
    octets: Octets,
    window: bytes,
    link: LinkId,
    wanted: Wanted | None,
    quick: bool,
    ahead: Ahead | None = None,
) -> Iterator[Packet]:
    """The packets of the pcap file that `window` begins, in file order; only those `wanted`, if that is given.

    quick: whether a packet that looks dull may be left out unasked. ahead: asked first about those that don't.
    Facts go into `reading`.
    """
    window = octets.fill(window, FILE_HEADER)
    if len(window) < FILE_HEADER:
        reading.damaged = f"cut at byte {len(window)}, in the middle of the file header"
        return
    order, unit, head = MAGICS[window[:4]]
    major, minor, snaplen, linktype = Struct(order + "4xHH8xII").unpack_from(window)
    if major != VERSION_MAJOR:
        reading.damaged = f"version {major}.{minor} of the pcap format at byte 4 is not known"
        return
    linktype &= LINKTYPE_MASK
    caplen_max = max(SNAP_MAX, min(snaplen, RECORD_MAX))
    header = Struct(order + "IIII").unpack_from
    look = look_of(order, f"8xI{head - 12}x", linktype) if quick else None
    peek, kind4, kind6, ip = (look.peek, look.kind4, look.kind6, look.ip) if look else (header, 0, 0, 0)
    to_ip, long = head + ip, ip + DULL_MIN
    second = 1_000_000_000
    if ahead is not None:
        ahead.section(order, head, [Clock(link, linktype, unit)])

    base = 0  # octet of the file where the window begins
    at, number, last = FILE_HEADER, 0, -1  # last: where in the window the latest record stands, -1: it is dated already
    try:
        while True:
            # The window ends here, or is too short for a look: bring in one whole record and take it by itself.
            if last >= 0:
                _date(reading, header(window, last), unit)
                last = -1
            if len(window) - at < head:
                window, base, at = octets.fill(window[at:], head), base + at, 0
                if len(window) < head:
                    if window:
                        reading.damaged = f"cut at byte {base + len(window)}, in the header of record {number + 1}"
                    return
            seconds, fraction, caplen, length = header(window, at)
            if caplen > caplen_max:
                reading.damaged = (
                    f"record {number + 1} at byte {base + at} claims {caplen} octets, more than {caplen_max}"
                )
                return
            if len(window) - at < head + caplen:
                window, base, at = octets.fill(window[at:], head + caplen), base + at, 0
                if len(window) < head + caplen:
                    reading.damaged = (
                        f"cut at byte {base + len(window)}, in the middle of record {number + 1} from byte {base}"
                    )
                    return
            number += 1
            _date(reading, (seconds, fraction), unit)
            data = window[at + head : at + head + caplen]
            at += head + caplen
            if wanted is None or wanted(linktype, data):
                reading.packets = number
                time = seconds * second + fraction * unit
                yield number, time, link, linktype, data, length if length > caplen else -1

            # Then all records that lie in the window as a whole. `caplen_max` needs no check: no window is longer.
            size = len(window)
            if look is None:
                limit = size - head
                while at <= limit:
                    seconds, fraction, caplen, length = header(window, at)
                    start = at + head
                    after = start + caplen
                    if after > size:
                        break
                    number += 1
                    last = at
                    at = after
                    data = window[start:after]
                    if wanted is None or wanted(linktype, data):
                        reading.packets = number
                        time = seconds * second + fraction * unit
                        yield number, time, link, linktype, data, length if length > caplen else -1
                continue
            limit = size - look.span
            while at <= limit:
                caplen, kind, version, next_header, protocol = peek(window, at)
                after = at + head + caplen
                if after > size:
                    break
                number += 1
                last = at
                if caplen >= long:
                    if kind == kind4 and version == VERSION4:
                        if protocol == TCP or (protocol == UDP and dull4(window, at + to_ip)):
                            at = after
                            continue
                    elif kind == kind6 and VERSION6 <= version <= VERSION6_LAST:
                        if next_header == TCP or (next_header == UDP and dull6(window, at + to_ip)):
                            at = after
                            continue
                if ahead is not None and ahead.hopeful and kind != kind4:
                    after_taken, newest = ahead.take(window, at, number - 1)
                    if newest >= 0:
                        number = ahead.packet
                        last, at = newest, after_taken
                        continue
                data = window[at + head : after]
                at = after
                if wanted is None or wanted(linktype, data):
                    seconds, fraction, caplen, length = header(window, last)
                    reading.packets = number
                    time = seconds * second + fraction * unit
                    yield number, time, link, linktype, data, length if length > caplen else -1
    finally:
        if last >= 0:
            _date(reading, header(window, last), unit)
        reading.packets = number
        if number and linktype not in READABLE:
            reading.unreadable_linktypes = {linktype: number}


def _date(reading: Reading, fields: tuple[int, ...], unit: int) -> None:
    reading.last = fields[0] * 1_000_000_000 + fields[1] * unit
    if reading.first is None:
        reading.first = reading.last
