"""Router Advertisements (RFC 4861 §4.2), whole or not at all.

Law: an RA is atomic. Broken framing anywhere in it, in containers too, rejects all of it; the content of a single
option never does (RFC 4861 §6.1.2), a PvD option's structure excepted (see pvd_option.py).

      +-----------------------------------+ 0
      | header, see ra_header.py          |
      +-----------------------------------+ 16
      | options, see options.py           |
      +-----------------------------------+ end of the IPv6 payload
"""

from typing import Final

from adapters.wire.carrier.ip import address6
from adapters.wire.cursor import Malformed
from adapters.wire.neighbor.options import (
    FLAGS_EXTENSION,
    MIF_CONTAINER,
    PVD,
    RA_CODES,
    place,
    read_options,
    remembering,
)
from adapters.wire.neighbor.pvd_option import mif_container, pvd_option
from adapters.wire.neighbor.ra_header import RA_HEADER_OCTETS, read_header
from events.ids import LinkId
from events.router import MifContainer, PvdOption, RouterAdvertised

NESTED_OPTIONS_MAX: Final = 128  # in all containers of an RA together; a container of 2040 octets has room for 253

# RFC 8801 §3.4: the first PvD option counts, though it be malformed (P06); RFC 5175 §4: the first flags extension.
_SINGLE: Final = {PVD: "duplicate-pvd", FLAGS_EXTENSION: "duplicate-flags-extension"}

_in_ra = remembering(place(RA_CODES, {PVD: pvd_option, MIF_CONTAINER: mif_container}))


def read_ra(data: bytes, start: int, at: int, end: int, link: LinkId, source: str, mac: str) -> RouterAdvertised:
    """The RA whose ICMPv6 header, already checked, is at `at` and whose IPv6 header is at `start`.

    Raises Malformed `source-not-link-local`, `option-…`, `pvd-…`, `mif-…`; offsets are in the frame.
    """
    if data[start + 8] != 0xFE or data[start + 9] & 0xC0 != 0x80:
        raise Malformed("source-not-link-local", start + 8, "an RA comes from fe80::/10")
    options = read_options(data, at + RA_HEADER_OCTETS, end, _in_ra, single=_SINGLE)
    if end - at > NESTED_OPTIONS_MAX * 8:
        nested = sum(len(option.options) for option in options if isinstance(option, PvdOption | MifContainer))
        if nested > NESTED_OPTIONS_MAX:
            raise Malformed("option-count", at, f"more than {NESTED_OPTIONS_MAX} options in containers")
    return RouterAdvertised(
        link,
        source,
        read_header(data[at + 4 : at + RA_HEADER_OCTETS]),
        options,
        at + RA_HEADER_OCTETS,
        mac,
        address6(data[start + 24 : start + 40]),
    )
