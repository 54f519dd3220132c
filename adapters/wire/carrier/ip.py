"""IPv4, IPv6, UDP: only as far as it takes to know that a message is whole, unfragmented and unaltered.

Law: the end of a message is what its headers say, never where the frame ends (Ethernet pads short frames).

    IPv6 (RFC 8200 §3)                                 IPv4 (RFC 791 §3.1)
      +-------------------------------------+ 0          +-----------------------------------+ 0
      | version 4 | class, flow          28 |            | version 4 | IHL 4 | TOS | length   |
      | payload length  | next hdr | hop lim|            | identification  | flags, frag offs |
      | source                          128 | 8          | TTL | protocol  | header checksum   |
      | destination                     128 | 24         | source, destination                | 12
      +-------------------------------------+ 40         +-----------------------------------+ 20, options to IHL*4
"""

from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Final

from adapters.wire.cursor import Malformed

EXTENSION_HEADERS_MAX: Final = 8  # RFC 8200 §4.1 names six, destination options twice; more is a way to tire us (E8)
ADDRESSES_REMEMBERED: Final = 16384  # texts of addresses kept: a link's routers, prefixes and hosts; about 3 MiB

HOP_BY_HOP: Final = 0
UDP: Final = 17
ROUTING: Final = 43
FRAGMENT: Final = 44
AUTHENTICATION: Final = 51
ICMPV6: Final = 58
DESTINATION_OPTIONS: Final = 60
MOBILITY: Final = 135
HIP: Final = 139
SHIM6: Final = 140
EXTENSIONS: Final = frozenset(
    (HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION_OPTIONS, MOBILITY, HIP, SHIM6)
)  # RFC 7045 §2; ESP hides what follows, so it ends the chain as "not ours"


@lru_cache(maxsize=ADDRESSES_REMEMBERED)
def address4(octets: bytes) -> str:
    """Four octets as text."""
    return inet_ntop(AF_INET, octets)


@lru_cache(maxsize=ADDRESSES_REMEMBERED)
def address6(octets: bytes) -> str:
    """Sixteen octets as inet_ntop writes them (RFC 5952, but for IPv4-mapped)."""
    return inet_ntop(AF_INET6, octets)


@lru_cache(maxsize=ADDRESSES_REMEMBERED)
def prefix6(octets: bytes, length: int) -> str:
    """`ADDRESS/LENGTH` of up to sixteen octets (zeros follow), host bits cleared."""
    bits = int.from_bytes(octets, "big") << (128 - 8 * len(octets))
    host = 128 - length
    return f"{inet_ntop(AF_INET6, (bits >> host << host).to_bytes(16, 'big'))}/{length}"


def extensions(data: bytes, kind: int, at: int, end: int) -> tuple[int, int, int]:
    """Walk IPv6 extension headers from the one of type `kind` at `at`: (type of what follows, octet where it begins,
    -1 without a Fragment header, else its offset field with the M bit: 0 is an atomic fragment (RFC 6946)).

    Stops at a later fragment, whose content says nothing of its own. Raises Malformed
    `extension-headers` (too many) and `extension-overrun` (past `end`).
    """
    fragment = -1
    for _ in range(EXTENSION_HEADERS_MAX):
        if kind not in EXTENSIONS:
            return kind, at, fragment
        if at + 8 > end:  # the shortest of them
            raise Malformed("extension-overrun", at, "an extension header ends past the packet")
        if kind == FRAGMENT:
            size = 8
            fragment = data[at + 2] << 8 | data[at + 3] & 0xF9  # bits 1 and 2 are reserved
            if fragment >= 8:
                return data[at], at + 8, fragment
        elif kind == AUTHENTICATION:
            size = (data[at + 1] + 2) * 4  # RFC 4302 §2.2
        else:
            size = (data[at + 1] + 1) * 8  # RFC 8200 §4.3
        kind = data[at]
        if at + size > end:
            raise Malformed("extension-overrun", at, "an extension header ends past the packet")
        at += size
    if kind in EXTENSIONS:
        raise Malformed("extension-headers", at, f"more than {EXTENSION_HEADERS_MAX} extension headers")
    return kind, at, fragment


def sum6(data: bytes, start: int, at: int, end: int, kind: int) -> int:
    """The Internet checksum of at..end with the IPv6 pseudo-header (RFC 8200 §8.1), modulo 65535: 0 is right.

    One's complement addition is addition modulo 0xffff, and 2**16 is 1 there: the octets as one big number will do. An
    odd message gets a zero octet behind it.
    """
    size = end - at
    if at == start + 40:  # addresses and message stand side by side
        total = int.from_bytes(data[start + 8 : end], "big")
        if size & 1:
            total <<= 8
    else:
        total = int.from_bytes(data[at:end], "big")
        if size & 1:
            total <<= 8
        total += int.from_bytes(data[start + 8 : start + 40], "big")
    return (total + size + kind) % 65535


def sum4(data: bytes, start: int, at: int, end: int, kind: int) -> int:
    """The same with the IPv4 pseudo-header (RFC 768)."""
    size = end - at
    total = int.from_bytes(data[at:end], "big")
    if size & 1:
        total <<= 8
    return (total + int.from_bytes(data[start + 12 : start + 20], "big") + size + kind) % 65535
