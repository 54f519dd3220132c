"""Router Advertisements to octets: what adapters/wire reads, written by somebody who did not read it first.

Law: a value that the wire cannot hold is a ValueError, never a different message; what is written here is read back as
what it was made of (tests/replay/test_advertise.py). Padding and reserved bits are zero. `length` and `nested_at` of
the options are not looked at: they follow from the content.

    header 16 │ option … │ option …        RFC 4861 §4.2        an option is padded to units of 8 octets
    21 │len│HLR…Dely│sequence│PvD ID … 0s │ header 16 if R │ options …        RFC 8801 §3.1
    63 │len│0…      │ 64: id │ options …                                      MIF drafts (standards.md A.4)
"""

import re
from ipaddress import IPv6Address, IPv6Network
from struct import pack
from typing import Final

from events.router import (
    CaptivePortal,
    Dnssl,
    EncryptedDns,
    FlagsExtension,
    IgnoredOption,
    MifContainer,
    MifPvdId,
    Mtu,
    NdOption,
    Pref64,
    PrefixInformation,
    PvdOption,
    RaHeader,
    Rdnss,
    RedirectedHeader,
    RouteInformation,
    RouterAdvertised,
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
    UnknownOption,
)

INFINITY: Final = 0xFFFFFFFF
OPTION_OCTETS_MAX: Final = 255 * 8  # the length field has one octet (RFC 4861 §4.6)
LABEL_OCTETS_MAX: Final = 63  # RFC 1035 §3.1
NAME_OCTETS_MAX: Final = 255
PREF64_S_MAX: Final = 65_528  # 13 bits of 8 seconds (RFC 8781 §4)
PREFERENCES: Final = {"medium": 0, "high": 1, "reserved": 2, "low": 3}  # RFC 4191 §2.1
PLC: Final = {96: 0, 64: 1, 56: 2, 48: 3, 40: 4, 32: 5}  # RFC 8781 §4


def advertisement(ra: RouterAdvertised) -> bytes:
    """The ICMPv6 message, with a checksum of zero."""
    return header(ra.header) + b"".join(option(one) for one in ra.options)


def header(ra: RaHeader) -> bytes:
    """RFC 4861 §4.2, 16 octets. Bits of `flags` that have names of their own are those of the names."""
    flags = ra.flags & 0x01 | _preference(ra.preference) << 3
    for bit, on in ((0x80, ra.managed), (0x40, ra.other_config), (0x20, ra.home_agent), (0x04, ra.proxy)):
        flags |= bit if on else 0
    flags |= 0x02 if ra.snac else 0
    _within("hop limit", ra.hop_limit, 0xFF)
    _within("router lifetime", ra.lifetime_s, 0xFFFF)
    _within("reachable time", ra.reachable_ms, INFINITY)
    _within("retransmission timer", ra.retrans_ms, INFINITY)
    return pack("!BBHBBHII", 134, 0, 0, ra.hop_limit, flags, ra.lifetime_s, ra.reachable_ms, ra.retrans_ms)


def option(one: NdOption) -> bytes:
    """One option, padded. Raises ValueError."""
    match one:
        case SourceLinkLayerAddress():
            return _option(1, _mac(one.address))
        case TargetLinkLayerAddress():
            return _option(2, _mac(one.address))
        case PrefixInformation():
            return _option(3, _prefix(one))
        case RedirectedHeader():
            return _option(4, bytes(6) + one.data)
        case Mtu():
            _within("MTU", one.mtu, INFINITY)
            return _option(5, pack("!HI", 0, one.mtu))
        case RouteInformation():
            return _option(24, _route(one))
        case Rdnss():
            if not one.addresses:
                raise ValueError("an RDNSS option without an address; name at least one")
            addresses = b"".join(IPv6Address(address).packed for address in one.addresses)
            return _option(25, pack("!HI", 0, _seconds(one.lifetime_s)) + addresses)
        case FlagsExtension():
            return _option(26, bytes.fromhex(one.bits))
        case Dnssl():
            if not one.names:
                raise ValueError("a DNSSL option without a name; name at least one")
            return _option(31, pack("!HI", 0, _seconds(one.lifetime_s)) + b"".join(map(name, one.names)))
        case CaptivePortal():
            return _option(37, one.uri.encode("ascii"))
        case Pref64():
            return _option(38, _pref64(one))
        case EncryptedDns():
            return _option(144, _resolver(one))
        case MifPvdId():
            return _option(64, bytes((one.id_type, 36)) + one.uuid.encode("ascii"))
        case MifContainer():
            inside = one.options
            if not any(isinstance(inner, MifPvdId) for inner in inside):
                inside = (MifPvdId(one.uuid, 4), *inside)
            return _option(63, bytes(6) + b"".join(map(option, inside)))
        case PvdOption():
            return _option(21, _pvd(one))
        case UnknownOption() | IgnoredOption():
            return one.data


def name(text: str) -> bytes:
    """A domain name as adapters/wire/names.py writes it, uncompressed (RFC 1035 §3.1). Raises ValueError."""
    wire = bytearray()
    for label in re.findall(r"((?:\\[0-9]{3}|[^.])+)\.?", text):
        octets = re.sub(rb"\\([0-9]{3})", lambda found: bytes((int(found[1]),)), label.encode("ascii"))
        if len(octets) > LABEL_OCTETS_MAX:
            raise ValueError(f"a label of {len(octets)} octets, at most {LABEL_OCTETS_MAX} fit: {label}")
        wire.append(len(octets))
        wire += octets
    wire.append(0)
    if len(wire) > NAME_OCTETS_MAX:
        raise ValueError(f"a name of {len(wire)} octets, at most {NAME_OCTETS_MAX} fit: {text}")
    return bytes(wire)


def _option(code: int, content: bytes) -> bytes:
    size = 2 + len(content)
    size += -size % 8
    if size > OPTION_OCTETS_MAX:
        raise ValueError(f"option {code} has {size} octets, at most {OPTION_OCTETS_MAX} fit; say less in it")
    return (bytes((code, size // 8)) + content).ljust(size, b"\0")


def _within(what: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise ValueError(f"{what} is {value}; it fits between 0 and {most}")


def _seconds(lifetime_s: int | None) -> int:
    if lifetime_s is None:
        return INFINITY
    _within("a lifetime", lifetime_s, INFINITY)
    return lifetime_s


def _preference(word: str) -> int:
    if word not in PREFERENCES:
        raise ValueError(f"preference is high, medium or low, not {word}")
    return PREFERENCES[word]


def _mac(text: str) -> bytes:
    octets = bytes.fromhex(text.replace(":", ""))
    if len(octets) != 6:
        raise ValueError(f"{text} is no MAC address; write 02:00:00:00:00:01")
    return octets


def _prefix(one: PrefixInformation) -> bytes:
    network = IPv6Network(one.prefix)
    bits = (one.on_link, one.autonomous, one.router_address, one.pd_preferred)
    flags = sum(0x80 >> at for at, on in enumerate(bits) if on)
    valid, preferred = _seconds(one.valid_s), _seconds(one.preferred_s)
    return pack("!BBIII", network.prefixlen, flags, valid, preferred, 0) + network.network_address.packed


def _route(one: RouteInformation) -> bytes:
    """RFC 4191 §2.3: 0, 8 or 16 octets of prefix, as many as it takes."""
    network = IPv6Network(one.prefix)
    octets = (network.prefixlen + 63) // 64 * 8
    octets = max(octets, one.length - 8 if one.length in (8, 16, 24) else 0)
    head = pack("!BBI", network.prefixlen, _preference(one.preference) << 3, _seconds(one.lifetime_s))
    return head + network.network_address.packed[:octets]


def _pref64(one: Pref64) -> bytes:
    network = IPv6Network(one.prefix)
    if network.prefixlen not in PLC:
        raise ValueError(f"a NAT64 prefix has 96, 64, 56, 48, 40 or 32 bits (RFC 6052), not {network.prefixlen}")
    if one.lifetime_s % 8:
        raise ValueError(f"the lifetime of a NAT64 prefix comes in units of 8 s (RFC 8781 §4), not {one.lifetime_s}")
    _within("the lifetime of a NAT64 prefix", one.lifetime_s, PREF64_S_MAX)
    return pack("!H", one.lifetime_s | PLC[network.prefixlen]) + network.network_address.packed[:12]


def _resolver(one: EncryptedDns) -> bytes:
    """RFC 9463 §6.1; without addresses it is ADN-only."""
    _within("priority", one.priority, 0xFFFF)
    adn = name(one.adn)
    head = pack("!HIH", one.priority, _seconds(one.lifetime_s), len(adn)) + adn
    if not one.addresses:
        return head
    addresses = b"".join(IPv6Address(address).packed for address in one.addresses)
    params = b""
    for param in sorted(one.params, key=lambda param: param.key):  # RFC 9460 §2.2: ascending
        value = bytes.fromhex(param.value)
        params += pack("!HH", param.key, len(value)) + value
    return head + pack("!H", len(addresses)) + addresses + pack("!H", len(params)) + params


def _pvd(one: PvdOption) -> bytes:
    """RFC 8801 §3.1. The ID is padded so that what follows it stands at a multiple of 8."""
    _within("delay", one.delay, 15)
    _within("sequence", one.sequence, 0xFFFF)
    flags = one.flags & 0x1FF0 | one.delay
    for bit, on in ((0x8000, one.http), (0x4000, one.legacy), (0x2000, one.header is not None)):
        flags |= bit if on else 0
    content = pack("!HH", flags, one.sequence) + name(one.name_as_sent or one.name)
    content += bytes(-(2 + len(content)) % 8)
    if one.header is not None:
        content += header(one.header)
    return content + b"".join(map(option, one.options))
