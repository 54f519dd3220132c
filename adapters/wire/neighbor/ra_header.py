"""The fixed part of a Router Advertisement, which also stands inside PvD options (RFC 4861 §4.2, RFC 8801 §3.1).

Law: only the twelve octets that say something are read; type, code and checksum are the message's business, and inside
a PvD option nobody's (RFC 8801 §3.1: they MUST be ignored).

      +--------+--------+-----------------+
      |  134   | code 0 | checksum        |      not read here
      +--------+--------+-----------------+ 4
      |hop lim.|MOHPr PS| router lifetime |      M, O; H RFC 6275; Pr RFC 4191 §2.2; P RFC 4389; S SNAC router
      | reachable time, ms             32 |
      | retrans timer, ms              32 |
      +-----------------------------------+ 16
"""

from functools import lru_cache
from struct import Struct
from typing import Final

from adapters.wire.neighbor.options import PREFERENCES
from events.router import RaHeader

RA_HEADER_OCTETS: Final = 16
HEADERS_REMEMBERED: Final = 4096  # headers kept by their octets: a router has one or two

_FIELDS: Final = Struct("!BBHII")


@lru_cache(maxsize=HEADERS_REMEMBERED)
def read_header(octets: bytes) -> RaHeader:
    """The header of octets 4..16 of an RA, twelve of them. The preference bits 10 are `reserved`, to be read as
    medium (RFC 4191 §2.2)."""
    hop_limit, flags, lifetime_s, reachable_ms, retrans_ms = _FIELDS.unpack(octets)
    return RaHeader(
        lifetime_s,
        PREFERENCES[flags >> 3 & 3],
        flags & 0x80 != 0,
        flags & 0x40 != 0,
        hop_limit,
        reachable_ms,
        retrans_ms,
        flags & 0x20 != 0,
        flags & 0x04 != 0,
        flags & 0x02 != 0,
        flags,
    )
