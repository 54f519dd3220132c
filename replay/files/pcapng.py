"""The pcapng format, read and written (draft-ietf-opsawg-pcapng).

Law: a block is believed only if both its lengths agree; reading stops at the first that cannot be, and says where.

    0            4            8
    │ type       │ length     │ body …                          │ length again │   every block, 32-bit aligned

A file is a row of sections; each begins with a block that fixes its byte order, and numbers its interfaces from 0.
Read are Section Header, Interface Description, Enhanced, Simple and (obsolete) Packet Blocks, and custom blocks of our
own; all others are skipped.

Our custom block, which carries the journal records that have no frame, so that an export replays to the same State:

    │ 0x00000BAD │ length     │ 32473      │ "pvd1"     │ octets     │ payload, padded │ length again │

32473 is the private enterprise number kept for documentation (RFC 5612): we have none of our own, hence the magic.
"""

from collections.abc import Iterator
from struct import Struct
from typing import IO, Final, Literal

import msgspec

from events.ids import NEVER, SECOND, Instant, LinkId
from replay.files.ahead import Ahead, Clock
from replay.files.octets import Octets
from replay.files.walk import (
    DULL_MIN,
    READABLE,
    RECORD_MAX,
    TCP,
    UDP,
    VERSION4,
    VERSION6,
    VERSION6_LAST,
    Custom,
    Look,
    Packet,
    Reading,
    Wanted,
    dull4,
    dull6,
    look_of,
)

SECTION: Final = 0x0A0D0D0A  # a palindrome: reads the same in both byte orders
INTERFACE: Final = 1
PACKET: Final = 2
SIMPLE: Final = 3
ENHANCED: Final = 6
CUSTOM: Final = 0x00000BAD  # the one that tools may copy

BYTE_ORDER: Final = 0x1A2B3C4D
VERSION_MAJOR: Final = 1
BLOCK_MIN: Final = 12
ENTERPRISE: Final = 32473
OUR_MAGIC: Final = b"pvd1"
NAME_MAX: Final = 128  # characters of an interface's name; Linux has 15, Windows' device names some 50
INTERFACES_MAX: Final = 65536  # of a section; an Enhanced Packet Block could name more, a 16-bit one could not

OPTION_COMMENT: Final = 1
OPTION_APPLICATION: Final = 4
OPTION_NAME: Final = 2
OPTION_RESOLUTION: Final = 9
OPTION_OFFSET: Final = 14
OPTION_MAX: Final = 0xFFFF  # octets, of its 16-bit length

APPLICATION: Final = "pvdctl"  # in a section of ours an interface's name is the link, however often it stands there

_LEAST: Final = {SECTION: 28, INTERFACE: 20, PACKET: 32, SIMPLE: 16, ENHANCED: 32, CUSTOM: 16}  # octets of each kind


class Damage(Exception):
    """A block that cannot be. Stays inside this file."""


class Interface(msgspec.Struct, frozen=True):
    """One interface of a section. times, parts: nanoseconds of one unit of its clock, as a fraction. offset: ns."""

    link: LinkId
    linktype: int
    snaplen: int
    times: int
    parts: int
    offset: int

    def at(self, high: int, low: int) -> Instant:
        at = (high << 32 | low) * self.times // self.parts + self.offset
        # A hostile clock must neither become NEVER nor overflow a journal's column.
        return at if 0 <= at < NEVER else 0 if at < 0 else NEVER - 1


_NO_CLOCK: Final = Interface("", 0, 0, 1, 1, 0)


class _Codec:
    """The structs of one byte order."""

    def __init__(self, order: Literal["<", ">"]) -> None:
        self.order = order
        self.word = Struct(order + "I").unpack_from
        self.block = Struct(order + "II").unpack_from
        self.option = Struct(order + "HH").unpack_from
        self.interface = Struct(order + "8xHxxI").unpack_from
        self.enhanced = Struct(order + "8xIIIII").unpack_from
        self.whole = Struct(order + "IIIIIII").unpack_from
        self.packet = Struct(order + "8xHxxIIII").unpack_from
        self.version = Struct(order + "12xH").unpack_from
        self.seconds = Struct(order + "q").unpack_from
        self.custom = Struct(order + "8xI4sI").unpack_from


_CODECS: Final = (_Codec("<"), _Codec(">"))


class _Section:
    """What the blocks of one section so far say of those to come. link: the caller's name for its first interface."""

    def __init__(self, codec: _Codec, options: dict[int, bytes], link: LinkId | None) -> None:
        self.interfaces: list[Interface] = []
        self._codec = codec
        self._ours = options.get(OPTION_APPLICATION, b"") == APPLICATION.encode()
        self._link = link
        self._alike = True  # all interfaces so far are of one link type
        self._taken: dict[LinkId, int] = {}  # links of the interfaces, and how many of them began with that name

    def describe(self, block: bytes, name: str) -> None:
        """Take in an Interface Description Block. Raises Damage."""
        if len(self.interfaces) >= INTERFACES_MAX:
            raise Damage(f"{name}: more than {INTERFACES_MAX} interfaces in one section")
        codec = self._codec
        linktype, snaplen = codec.interface(block)
        options = _options(codec, block[16:-4], name)
        resolution = (options.get(OPTION_RESOLUTION) or b"\x06")[0]  # 6: microseconds
        units = 1 << (resolution & 0x7F) if resolution & 0x80 else 10**resolution
        offset = options.get(OPTION_OFFSET, b"")
        seconds = codec.seconds(offset)[0] if len(offset) == 8 else 0
        times, parts = (SECOND // units, 1) if SECOND % units == 0 else (SECOND, units)
        said = options.get(OPTION_NAME, b"").rstrip(b"\0").decode("utf-8", "replace")
        self._alike = self._alike and (not self.interfaces or linktype == self.interfaces[0].linktype)
        self.interfaces.append(Interface(self._name(said), linktype, snaplen, times, parts, seconds * SECOND))

    def _name(self, said: str) -> LinkId:
        """The link of the next interface. The same name in another section is the same link, as rotation writes."""
        place = len(self.interfaces)
        if self._link is not None:
            return f"{self._link}#{place + 1}" if place else self._link
        name = first = said if is_link(said) else f"if{place}"
        if not self._ours:
            n = self._taken.get(first, 0)
            while name in self._taken:
                n += 1
                name = f"{first}#{n}"
            self._taken[first] = max(n, 1)
            self._taken.setdefault(name, 1)
        return name

    def packet(self, kind: int, window: bytes, at: int, length: int, name: str) -> tuple[int, ...]:
        """(interface, high, low, captured, original) of an Enhanced or an obsolete Packet Block. Raises Damage."""
        fields = self._codec.enhanced(window, at) if kind == ENHANCED else self._codec.packet(window, at)
        if fields[0] >= len(self.interfaces):
            raise Damage(f"{name} names interface {fields[0]}, which is not described before it")
        if fields[3] > length - 32:
            raise Damage(f"{name} claims {fields[3]} octets of packet, and has room for {length - 32}")
        return fields

    def simple(self, window: bytes, at: int, length: int, name: str) -> tuple[int, int]:
        """(captured, original) of a Simple Packet Block, which is always of interface 0. Raises Damage."""
        if not self.interfaces:
            raise Damage(f"{name} is of interface 0, which is not described before it")
        original = self._codec.word(window, at + 8)[0]
        return min(original, length - 16, self.interfaces[0].snaplen or RECORD_MAX), original

    def custom(self, window: bytes, at: int, length: int, name: str) -> Custom | None:
        """The payload of a custom block of ours, None for others'. Raises Damage."""
        if length < 24:
            return None
        enterprise, magic, amount = self._codec.custom(window, at)
        if enterprise != ENTERPRISE or magic != OUR_MAGIC:
            return None
        if amount > length - 24:
            raise Damage(f"{name} claims {amount} octets of payload, and has room for {length - 24}")
        return Custom(window[at + 20 : at + 20 + amount])

    def clocks(self) -> list[Clock | None]:
        """How the packets of each interface are dated; `None` where that takes more than a product and a sum."""
        return [
            Clock(one.link, one.linktype, one.times, one.offset) if one.parts == 1 else None for one in self.interfaces
        ]

    def look(self) -> Look | None:
        """The quick look at this section's packets, if all are of one link type that has one."""
        if not self._alike:
            return None
        linktype = self.interfaces[0].linktype
        # Its header begins 4 octets before the block: with the second length of the one before, checked in passing.
        return look_of(self._codec.order, "IIII8xI4x", linktype)


def walk(
    reading: Reading,
    octets: Octets,
    window: bytes,
    link: LinkId | None,
    wanted: Wanted | None,
    quick: bool,
    customs: bool,
    ahead: Ahead | None = None,
) -> Iterator[Packet | Custom]:
    """The packets of the pcapng file that `window` begins, in file order; only those `wanted`, if that is given.

    link: the name of the file's first interface, whatever it says itself; further ones are `link#2`, `link#3`.
    quick: whether a packet that looks dull may be left out unasked. customs: whether our custom blocks are given too.
    ahead: asked first about packets that don't look dull. Facts go into `reading`.
    """
    codec = _CODECS[0]
    section = _Section(codec, {}, link)
    look: Look | None = None
    stale = False  # an interface was described since `look` was made
    last: tuple[Interface, int, int] | None = None  # the latest packet's clock

    base = 0  # octet of the file where the window begins
    at = 0  # of the next block, in the window
    number = blocks = 0
    try:
        while True:
            # A block by itself: any kind, any place.
            if len(window) - at < BLOCK_MIN:
                window, base, at = octets.fill(window[at:], BLOCK_MIN), base + at, 0
                if not window:
                    return
                if len(window) < BLOCK_MIN:
                    raise Damage(f"cut at byte {base + len(window)}, in the header of block {blocks + 1}")
            kind, length = codec.block(window, at)
            if kind == SECTION:
                codec = _order(window, at, f"block {blocks + 1} at byte {base + at}")
                kind, length = codec.block(window, at)
            name = f"block {blocks + 1} at byte {base + at}"
            if length % 4 or length < BLOCK_MIN:
                raise Damage(f"{name}: a length of {length} cannot be")
            if length > RECORD_MAX:
                raise Damage(f"{name} claims {length} octets, more than {RECORD_MAX}")
            if len(window) - at < length:
                window, base, at = octets.fill(window[at:], length), base + at, 0
                if len(window) < length:
                    raise Damage(f"cut at byte {base + len(window)}, in the middle of {name}")
            start, end = at, at + length - 4
            if codec.word(window, end)[0] != length:
                raise Damage(f"{name}: its two lengths differ")
            if length < _LEAST.get(kind, BLOCK_MIN):
                raise Damage(f"{name}: {length} octets are too few for its kind")
            blocks += 1
            at += length
            if kind in (ENHANCED, PACKET):
                index, high, low, caplen, original = section.packet(kind, window, start, length, name)
                last = (section.interfaces[index], high, low)
            elif kind == SIMPLE:
                caplen, original = section.simple(window, start, length, name)
                index, last = 0, last or (_NO_CLOCK, 0, 0)  # it has no time: the packet before it is the nearest
            elif kind == SECTION:
                major = codec.version(window, start)[0]
                if major != VERSION_MAJOR:
                    raise Damage(f"{name}: version {major} of the pcapng format is not known")
                section, look = _Section(codec, _options(codec, window[start + 24 : end], name), link), None
                continue
            elif kind == INTERFACE:
                section.describe(window[start : end + 4], name)
                stale = True
                continue
            elif kind == CUSTOM:
                custom = section.custom(window, start, length, name)
                if custom is not None and customs:
                    reading.packets = number
                    yield custom
                continue
            else:
                continue
            interfaces = section.interfaces
            interface = interfaces[index]
            linktype = interface.linktype
            number += 1
            clock, high, low = last
            if reading.first is None:
                reading.first = clock.at(high, low)
            if linktype not in READABLE:
                _count(reading, linktype)
            start += _LEAST[kind] - 4
            data = window[start : start + caplen]
            if wanted is None or wanted(linktype, data):
                reading.packets = number
                time = clock.at(high, low)
                yield number, time, interface.link, linktype, data, original if original > caplen else -1

            # Then all Enhanced Packet Blocks that lie in the window as a whole. What is odd goes back to the above.
            size = len(window)
            if stale:
                look, stale = section.look() if quick else None, False
                if ahead is not None:
                    ahead.section(codec.order, 0, section.clocks())
            if look is None:
                whole, word = codec.whole, codec.word
                limit, known = size - 32, len(interfaces)
                while at <= limit:
                    kind, length, index, high, low, caplen, original = whole(window, at)
                    after = at + length
                    if kind != ENHANCED or after > size or length % 4 or caplen > length - 32 or index >= known:
                        break
                    if word(window, after - 4)[0] != length:
                        break
                    interface = interfaces[index]
                    linktype = interface.linktype
                    number += 1
                    blocks += 1
                    last = (interface, high, low)
                    if linktype not in READABLE:
                        _count(reading, linktype)
                    data = window[at + 28 : at + 28 + caplen]
                    at = after
                    if wanted is None or wanted(linktype, data):
                        reading.packets = number
                        time = interface.at(high, low)
                        yield number, time, interface.link, linktype, data, original if original > caplen else -1
                continue

            peek, kind4, kind6, ip = look.peek, look.kind4, look.kind6, look.ip
            to_ip, long = 28 + ip, ip + DULL_MIN
            limit, known = size - look.span, len(interfaces)
            before = codec.word(window, at - 4)[0]
            latest = earlier = -1  # the last two blocks of this round
            while at <= limit:
                again, kind, length, index, caplen, ethertype, version, next_header, protocol = peek(window, at - 4)
                after = at + length
                if kind != ENHANCED or again != before or after > size or length % 4:
                    break
                if caplen > length - 32 or index >= known:
                    break
                number += 1
                blocks += 1
                earlier, latest = latest, at
                if caplen >= long:
                    if ethertype == kind4 and version == VERSION4:
                        if protocol == TCP or (protocol == UDP and dull4(window, at + to_ip)):
                            at = after
                            before = length
                            continue
                    elif ethertype == kind6 and VERSION6 <= version <= VERSION6_LAST:
                        if next_header == TCP or (next_header == UDP and dull6(window, at + to_ip)):
                            at = after
                            before = length
                            continue
                if ahead is not None and ahead.hopeful and ethertype != kind4:
                    after_taken, newest = ahead.take(window, at, number - 1)
                    if newest >= 0:
                        blocks += ahead.packet - number
                        number = ahead.packet
                        latest, at = newest, after_taken
                        before = at - latest
                        continue
                data = window[at + 28 : at + 28 + caplen]
                if wanted is None or wanted(linktype, data):
                    if codec.word(window, after - 4)[0] != length:
                        number -= 1
                        blocks -= 1
                        latest = earlier
                        break
                    index, high, low, caplen, original = codec.enhanced(window, at)
                    interface = interfaces[index]
                    reading.packets = number
                    time = interface.at(high, low)
                    at = after
                    before = length
                    yield number, time, interface.link, linktype, data, original if original > caplen else -1
                else:
                    at = after
                    before = length
            wrong = latest if codec.word(window, at - 4)[0] != before else -1
            if wrong >= 0:
                number -= 1
                latest = earlier
            if latest >= 0:
                index, high, low, caplen, original = codec.enhanced(window, latest)
                last = (interfaces[index], high, low)
            if wrong >= 0:
                raise Damage(f"block {blocks} at byte {base + wrong}: its two lengths differ")
    except Damage as damage:
        reading.damaged = str(damage)
    finally:
        reading.packets = number
        if last is not None:
            reading.last = last[0].at(last[1], last[2])


def _count(reading: Reading, linktype: int) -> None:
    reading.unreadable_linktypes[linktype] = reading.unreadable_linktypes.get(linktype, 0) + 1


def _order(window: bytes, at: int, name: str) -> _Codec:
    """The byte order that the section header at `at` is written in."""
    for codec in _CODECS:
        if codec.word(window, at + 8)[0] == BYTE_ORDER:
            return codec
    raise Damage(f"{name} begins a section in an unknown byte order")


def _options(codec: _Codec, octets: bytes, name: str) -> dict[int, bytes]:
    """The first option of each code. Raises Damage if one runs past its block; a missing end is none."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(octets):
        code, length = codec.option(octets, at)
        if code == 0:
            break
        at += 4
        if at + length > len(octets):
            raise Damage(f"{name}: its option {code} runs past it")
        found.setdefault(code, octets[at : at + length])
        at += length + -length % 4
    return found


def is_link(name: str) -> bool:
    """Whether `name` may name a link: printable, short, without white space and `/`, which parts a PvD's name."""
    return 0 < len(name) <= NAME_MAX and name.isprintable() and "/" not in name and not any(map(str.isspace, name))


class PcapngWriter:
    """Writes one pcapng section: little-endian, nanoseconds, an interface for each link and link type.

    What it writes, `walk` reads back with the same links, instants, octets and payloads in the same order.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._interfaces: dict[tuple[LinkId, int], int] = {}
        body = Struct("<IHHq").pack(BYTE_ORDER, VERSION_MAJOR, 0, -1)  # -1: the section's length is not given
        self._block(SECTION, body + _written((OPTION_APPLICATION, APPLICATION.encode())))

    def packet(
        self,
        at: Instant,
        link: LinkId,
        linktype: int,
        data: bytes,
        original_length: int = -1,
        comment: str = "",
    ) -> None:
        """Append a packet. original_length: -1 if `data` is all of it. Raises ValueError for an instant below 0."""
        if at < 0:
            raise ValueError(f"a packet at {at} ns: the format cannot say what was before 1970")
        interface = self._interfaces.get((link, linktype))
        if interface is None:
            interface = self._interfaces[link, linktype] = len(self._interfaces)
            options = _written((OPTION_NAME, link.encode()), (OPTION_RESOLUTION, b"\x09"))
            self._block(INTERFACE, Struct("<HHI").pack(linktype, 0, 0) + options)
        length = original_length if original_length > len(data) else len(data)
        head = Struct("<IIIII").pack(interface, at >> 32, at & 0xFFFFFFFF, len(data), length)
        options = _written((OPTION_COMMENT, comment.encode())) if comment else b""
        self._block(ENHANCED, head + _padded(data) + options)

    def custom(self, payload: bytes) -> None:
        """Append a custom block of ours."""
        head = Struct("<I4sI").pack(ENTERPRISE, OUR_MAGIC, len(payload))
        self._block(CUSTOM, head + _padded(payload))

    def _block(self, kind: int, body: bytes) -> None:
        length = len(body) + BLOCK_MIN
        if length > RECORD_MAX:
            raise ValueError(f"a block of {length} octets is more than the {RECORD_MAX} that a reader takes")
        self._file.write(Struct("<II").pack(kind, length) + body + Struct("<I").pack(length))


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def _written(*options: tuple[int, bytes]) -> bytes:
    """Options with their end. One too long for its 16-bit length is cut."""
    parts = [Struct("<HH").pack(code, len(value[:OPTION_MAX])) + _padded(value[:OPTION_MAX]) for code, value in options]
    return b"".join(parts) + bytes(4)
