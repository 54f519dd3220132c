"""Neighbor Discovery options, each by itself: octets to one NdOption (RFC 4861 §4.6 and the RFCs at each reader).

Law: an option's content never rejects its message. What breaks a rule of its own becomes an IgnoredOption with a
reason from rules.REASONS, what we do not know an UnknownOption with its octets; only broken framing raises.

      +--------+--------+------------------ … --+      length counts the two octets before it, in units of 8;
      |  type  | length | content               |      0 makes the whole message invalid (RFC 4861 §4.6)
      +--------+--------+------------------ … --+

An option's reading depends on its octets and its message only, so it is remembered by them: the same octets give the
same object wherever they stand.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Final

from adapters.wire.carrier.ip import address6, prefix6
from adapters.wire.cursor import INFINITY, Malformed, lifetime
from adapters.wire.dnr import ND, BadResolver, read_resolver
from adapters.wire.names import BadName, read_names
from adapters.wire.uri import BadUri, read_uri
from events.router import (
    CaptivePortal,
    Dnssl,
    EncryptedDns,
    FlagsExtension,
    IgnoredOption,
    MifPvdId,
    Mtu,
    NdOption,
    Pref64,
    PrefixInformation,
    Rdnss,
    RedirectedHeader,
    RouteInformation,
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
    UnknownOption,
)

SOURCE_LLA: Final = 1
TARGET_LLA: Final = 2
PREFIX: Final = 3
REDIRECTED_HEADER: Final = 4
MTU: Final = 5
PVD: Final = 21
ROUTE: Final = 24
RDNSS: Final = 25
FLAGS_EXTENSION: Final = 26
DNSSL: Final = 31
CAPTIVE_PORTAL: Final = 37
PREF64: Final = 38
MIF_CONTAINER: Final = 63
MIF_PVD_ID: Final = 64
ENCRYPTED_DNS: Final = 144

OPTIONS_MAX: Final = 128  # in one message; an RA of 1500 octets holds 180 of 8 octets, real ones hold under 20
OPTIONS_REMEMBERED: Final = 8192  # readings kept by their octets, a message: some hundred routers' worth
MTU_MIN: Final = 1280  # RFC 8200 §5
OCTETS_OF_48_BITS: Final = 6

Reader = Callable[[bytes], NdOption]
Place = tuple[Reader, ...]
"""The reader of each of the 256 option types in one kind of message."""

NONE_SINGLE: Final[dict[int, str]] = {}
"""Every option of the message may repeat."""

PREFERENCES: Final = ("medium", "high", "reserved", "low")  # RFC 4191 §2.1, by the two bits

_PIO: Final = Struct("!BBII4x16s")


def ignored(option: bytes, reason: str) -> IgnoredOption:
    """`option`, with why it is left out."""
    return IgnoredOption(option[0], reason, option, len(option))


def unknown(option: bytes) -> NdOption:
    """An option of a type without a reader: kept, the rest of the message holds (RFC 4861 §6.1.2)."""
    return UnknownOption(option[0], option, len(option))


def misplaced(option: bytes) -> NdOption:
    """An option that its message does not define (RFC 4861 §4.6.1-§4.6.3, N26)."""
    return ignored(option, "not-in-this-message")


def source_lla(option: bytes) -> NdOption:
    """RFC 4861 §4.6.1. On Ethernet and Wi-Fi, the links there are for us, an address has 6 octets (RFC 2464 §6)."""
    if len(option) != 8:
        return ignored(option, "option-length")
    if option[2:] == b"\0\0\0\0\0\0":
        return ignored(option, "lla-zero")
    return SourceLinkLayerAddress(option[2:].hex(":"))


def target_lla(option: bytes) -> NdOption:
    """RFC 4861 §4.6.1."""
    if len(option) != 8:
        return ignored(option, "option-length")
    if option[2:] == b"\0\0\0\0\0\0":
        return ignored(option, "lla-zero")
    return TargetLinkLayerAddress(option[2:].hex(":"))


def prefix_information(option: bytes) -> NdOption:
    """RFC 4861 §4.6.2; R: RFC 6275 §7.2; P: RFC 9762.

    +--------+--------+--------+--------+
    |   3    |   4    | length |LARP....|
    | valid lifetime, s              32 |
    | preferred lifetime, s          32 |
    | reserved                       32 |
    | prefix                        128 |
    +-----------------------------------+
    """
    if len(option) != 32:
        return ignored(option, "option-length")
    length, flags, valid, preferred, address = _PIO.unpack_from(option, 2)
    if length > 128:
        return ignored(option, "prefix-length")
    if preferred > valid:  # RFC 4862 §5.5.3 c
        return ignored(option, "prefix-lifetimes")
    if address[0] >= 0xFE:
        if length >= 10 and address[0] == 0xFE and address[1] & 0xC0 == 0x80:  # RFC 4861 §6.3.4
            return ignored(option, "prefix-link-local")
        if length >= 8 and address[0] == 0xFF:
            return ignored(option, "prefix-multicast")
    return PrefixInformation(
        prefix6(address, length),
        None if valid == INFINITY else valid,
        None if preferred == INFINITY else preferred,
        flags & 0x80 != 0,
        flags & 0x40 != 0,
        flags & 0x20 != 0,
        flags & 0x10 != 0,
    )


def redirected_header(option: bytes) -> NdOption:
    """RFC 4861 §4.6.3: six reserved octets, then the start of the packet that was redirected."""
    return RedirectedHeader(option[8:], len(option))


def mtu(option: bytes) -> NdOption:
    """RFC 4861 §4.6.4. That it fits the link is for those who know the link (N15)."""
    if len(option) != 8:
        return ignored(option, "option-length")
    value = int.from_bytes(option[4:], "big")
    return Mtu(value) if value >= MTU_MIN else ignored(option, "mtu-small")


def route_information(option: bytes) -> NdOption:
    """RFC 4191 §2.3; the prefix has 0, 8 or 16 octets and zeros follow it.

    +--------+--------+--------+--------+
    |   24   | 1,2,3  | length |...Pr...|
    | route lifetime, s              32 |
    | prefix                0, 64 or 128|
    +-----------------------------------+
    """
    size = len(option)
    length, preference = option[2], PREFERENCES[option[3] >> 3 & 3]
    if length > 128:
        return ignored(option, "prefix-length")
    if option[1] > 3 or size < 8 + (length + 63) // 64 * 8:  # RFC 4191 §2.3: the lengths that fit the prefix
        return ignored(option, "option-length")
    if preference == "reserved":
        return ignored(option, "route-preference")
    return RouteInformation(prefix6(option[8:], length), lifetime(int.from_bytes(option[4:8], "big")), preference, size)


def rdnss(option: bytes) -> NdOption:
    """RFC 8106 §5.1, §5.3.1: one address that is not unicast voids the option; loopback and IPv4-mapped ones, which no
    neighbour can answer at, drop alone.

    +--------+--------+-----------------+
    |   25   | 3,5,7… | reserved     16 |
    | lifetime, s                    32 |
    | addresses           128 each      |
    +-----------------------------------+
    """
    size = len(option)
    if option[1] < 3 or option[1] % 2 == 0:
        return ignored(option, "option-length")
    addresses: list[str] = []
    for at in range(8, size, 16):
        address = option[at : at + 16]
        if address[0] == 0xFF or address == _UNSPECIFIED:
            return ignored(option, "address-not-unicast")
        if address != _LOOPBACK and not address.startswith(_MAPPED):
            addresses.append(address6(address))
    if not addresses:
        return ignored(option, "no-address")
    return Rdnss(tuple(addresses), lifetime(int.from_bytes(option[4:8], "big")), size)


_UNSPECIFIED: Final = bytes(16)
_LOOPBACK: Final = bytes(15) + b"\1"
_MAPPED: Final = bytes(10) + b"\xff\xff"


def dnssl(option: bytes) -> NdOption:
    """RFC 8106 §5.2: reserved 16, lifetime 32, uncompressed names, zero padding."""
    size = len(option)
    if size < 16:
        return ignored(option, "option-length")
    try:
        names = read_names(option, 8, size, padded=True)
    except BadName as bad:
        return ignored(option, bad.reason)
    if not names:
        return ignored(option, "no-name")
    return Dnssl(names, lifetime(int.from_bytes(option[4:8], "big")), size)


def flags_extension(option: bytes) -> NdOption:
    """RFC 5175 §4: 48 more flag bits; a longer option is a later extension, of which the start is as today."""
    return FlagsExtension(option[2 : 2 + OCTETS_OF_48_BITS].hex(), len(option))


def captive_portal(option: bytes) -> NdOption:
    """RFC 8910 §2.3: a URI from octet 2 on, padded with NULs."""
    try:
        return CaptivePortal(read_uri(option[2:]), len(option))
    except BadUri as bad:
        return ignored(option, bad.reason)


_PLC: Final = (96, 64, 56, 48, 40, 32)  # RFC 8781 §4: prefix length code, going down


def pref64(option: bytes) -> NdOption:
    """RFC 8781 §4: 13 bits of lifetime in units of 8 s, 3 of prefix length code, 96 of prefix."""
    if len(option) != 16:
        return ignored(option, "option-length")
    word = option[2] << 8 | option[3]
    code = word & 7
    if code >= len(_PLC):
        return ignored(option, "pref64-length-code")
    if option[4] == 0xFF:  # RFC 6052 §2.2: addresses made of it are unicast
        return ignored(option, "prefix-multicast")
    return Pref64(prefix6(option[4:], _PLC[code]), word & 0xFFF8)  # the low bits cleared, that is the value times 8


def encrypted_dns(option: bytes) -> NdOption:
    """RFC 9463 §6.1: priority 16, lifetime 32, then the body that DHCP shares."""
    size = len(option)
    if size < 16:
        return ignored(option, "option-length")
    try:
        found = read_resolver(option, 8, size, priority=option[2] << 8 | option[3], form=ND)
    except BadResolver as bad:
        return ignored(option, bad.reason)
    until = lifetime(int.from_bytes(option[4:8], "big"))
    return EncryptedDns(found.priority, found.adn, found.addresses, found.params, until, size)


_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def mif_pvd_id(option: bytes) -> NdOption:
    """Option 64 of the MIF drafts: id type, id length, id, padding. mif-radvd sends type 4, pvdman asks with type 1.

    The id length bounds the id: what follows it is padding and not part of the name.
    """
    if option[2] not in (1, 4):
        return ignored(option, "mif-id-type")
    if option[3] != 36 or len(option) < 40:
        return ignored(option, "mif-id-length")
    uuid = option[4:40].decode("latin-1").lower()
    if not _UUID.fullmatch(uuid):
        return ignored(option, "mif-uuid")
    return MifPvdId(uuid, option[2], len(option))


_READERS: Final[dict[int, Reader]] = {
    SOURCE_LLA: source_lla,
    TARGET_LLA: target_lla,
    PREFIX: prefix_information,
    REDIRECTED_HEADER: redirected_header,
    MTU: mtu,
    ROUTE: route_information,
    RDNSS: rdnss,
    FLAGS_EXTENSION: flags_extension,
    DNSSL: dnssl,
    CAPTIVE_PORTAL: captive_portal,
    PREF64: pref64,
    MIF_PVD_ID: mif_pvd_id,
    ENCRYPTED_DNS: encrypted_dns,
}
RA_CODES: Final = frozenset(_READERS) - {TARGET_LLA, REDIRECTED_HEADER, MIF_PVD_ID}
"""What may stand in an RA, and so in a container inside one, besides the containers themselves."""


def place(codes: frozenset[int], special: dict[int, Reader] | None = None) -> Place:
    """The readers of a message that defines `codes`; `special`: readers of its own, by type."""
    known = {*_READERS, PVD, MIF_CONTAINER}
    readers = [
        _READERS[code] if code in codes else misplaced if code in known else unknown  # one line a rule
        for code in range(256)
    ]
    for code, reader in (special or {}).items():
        readers[code] = reader
    return tuple(readers)


def remembering(readers: Place) -> Reader:
    """One reader for all types of a message, which remembers what it read."""

    @lru_cache(maxsize=OPTIONS_REMEMBERED)
    def read(option: bytes) -> NdOption:
        return readers[option[0]](option)

    return read


def misframed(data: bytes, at: int, end: int, prefix: str) -> Malformed:
    """What is wrong with the framing of the option at `at` that does not fit before `end`; offset relative to `at`."""
    if end - at < 2:
        return Malformed(f"{prefix}option-stray", 0, "one octet is left after the last option")
    if data[at + 1] == 0:
        return Malformed(f"{prefix}option-length-zero", 1, f"option {data[at]} has length 0")
    return Malformed(
        f"{prefix}option-overrun",
        1,
        f"option {data[at]} has {data[at + 1] * 8} octets, {end - at} are left",
    )


def read_options(
    data: bytes, at: int, end: int, read: Reader, *, single: dict[int, str] = NONE_SINGLE, prefix: str = ""
) -> tuple[NdOption, ...]:
    """All options in at..end, in order. The walk must end exactly at `end`.

    single: types of which only the first counts, with the reason to ignore the rest, which are not read at all.
    Raises Malformed `option-count`; `option-length-zero`, `option-overrun`, `option-stray`, each behind `prefix`; or
    what a container's reader raises. Offsets are in `data`.
    """
    if end - at > OPTIONS_MAX * 8:
        _count(data, at, end)
    options: list[NdOption] = []
    seen = 0
    try:
        while at < end:
            stop = at + (data[at + 1] << 3) if at + 1 < end else at
            if not at < stop <= end:
                raise misframed(data, at, end, prefix)
            if data[at] in single:
                bit = 1 << data[at]
                options.append(ignored(data[at:stop], single[data[at]]) if seen & bit else read(data[at:stop]))
                seen |= bit
            else:
                options.append(read(data[at:stop]))
            at = stop
    except Malformed as bad:
        raise Malformed(bad.rule, at + bad.offset, bad.detail) from None
    return tuple(options)


def _count(data: bytes, at: int, end: int) -> None:
    """Refuse a message of too many options before any is read; framing that breaks is left to the walk."""
    found = 0
    while at + 1 < end and data[at + 1]:
        found += 1
        if found > OPTIONS_MAX:
            raise Malformed("option-count", at, f"more than {OPTIONS_MAX} options")
        at += data[at + 1] << 3
