"""Options that hold options: the PvD option 21 (RFC 8801 §3.1) and the MIF drafts' container 63 with its id 64.

Law: a container is read to its own end and never past it. What is broken in the structure of a PvD option rejects the
whole RA, because half a PvD, or its content moved to the implicit one, is worse than an RA missed (RFC 8801 says only
that options are valid or not; standards.md A.3 decides so). A MIF container that is framed well but says nothing
usable is one ignored option.

    21      +--------+--------+--------+--------+        63      +--------+--------+--------+--------+
            |   21   | length |HLR.....|....Dely|                |   63   | length |S.......|name typ|
            | sequence        | PvD ID,         |                | zero                           32 |
            |   uncompressed name       … zeros |                +-----------------------------------+ 8
            +-----------------------------------+ 8·n            | options, one of them a 64:        |
            | RA header, 16 octets, if R        |                |   64 | 5 | id type | 36 | UUID    |
            +-----------------------------------+                +-----------------------------------+
            | options                           |
            +-----------------------------------+        Delay is 4 bits; of the 16 flag bits nine are reserved
"""

from typing import Final

from adapters.wire.cursor import Malformed
from adapters.wire.names import BadName, read_name_as_sent
from adapters.wire.neighbor.options import (
    FLAGS_EXTENSION,
    MIF_CONTAINER,
    MIF_PVD_ID,
    PVD,
    RA_CODES,
    ignored,
    mif_pvd_id,
    place,
    read_options,
    remembering,
)
from adapters.wire.neighbor.ra_header import RA_HEADER_OCTETS, read_header
from events.router import MifContainer, MifPvdId, NdOption, PvdOption

HTTP: Final = 0x8000
LEGACY: Final = 0x4000
RA_HEADER: Final = 0x2000
DELAY_MASK: Final = 0x000F

MIF_SIGNED: Final = 0x80 | 0x01  # pvdman tests the first bit, mif-radvd's C bit field would set the last one
MIF_HEADER_OCTETS: Final = 8

# RFC 5175 §4: the first flags extension counts. That of a container goes with the header of its container.
NESTED_SINGLE: Final = {FLAGS_EXTENSION: "duplicate-flags-extension"}


def _nested_pvd(option: bytes) -> NdOption:
    """RFC 8801 §3.2: no PvD option within another; one that comes all the same is not looked into."""
    return ignored(option, "nested-pvd")


def _nested_mif(option: bytes) -> NdOption:
    """No draft puts a container into a PvD option: whose would its content be?"""
    return ignored(option, "nested-mif")


_in_pvd = remembering(place(RA_CODES, {PVD: _nested_pvd, MIF_CONTAINER: _nested_mif}))
_in_mif = remembering(place(RA_CODES, {PVD: _nested_pvd, MIF_CONTAINER: _nested_mif, MIF_PVD_ID: mif_pvd_id}))


def pvd_option(option: bytes) -> NdOption:
    """Option 21 in an RA. Raises Malformed `pvd-…`; offsets are in the option."""
    size = len(option)
    flags = option[2] << 8 | option[3]
    try:
        name, sent, at = read_name_as_sent(option, 6, size)
    except BadName as bad:
        raise Malformed(f"pvd-{bad.reason}", bad.offset, "the PvD ID is no uncompressed name") from None
    if at == 7:
        raise Malformed("pvd-name-root", 6, "the PvD ID is the root name")
    at = at + 7 & ~7  # padding to a multiple of 8 from the start of the option, its content ignored (§3.1)
    header = None
    if flags & RA_HEADER:
        if at + RA_HEADER_OCTETS > size:
            raise Malformed("pvd-header-missing", at, "the R flag is set and no RA header fits")
        header = read_header(option[at + 4 : at + RA_HEADER_OCTETS])
        at += RA_HEADER_OCTETS
    return PvdOption(
        name,
        flags & HTTP != 0,
        flags & LEGACY != 0,
        flags & DELAY_MASK,
        option[4] << 8 | option[5],
        read_options(option, at, size, _in_pvd, single=NESTED_SINGLE, prefix="pvd-"),
        size,
        at,
        header,
        flags,
        sent,
    )


def mif_container(option: bytes) -> NdOption:
    """Option 63 in an RA. Raises Malformed `mif-option-…` if the options inside are misframed (the endless loop of
    pvdman); offsets are in the option."""
    size = len(option)
    if option[2] & MIF_SIGNED:  # a key hash and a signature would come first: nothing after them can be found
        return ignored(option, "mif-signed")
    options = read_options(option, MIF_HEADER_OCTETS, size, _in_mif, single=NESTED_SINGLE, prefix="mif-")
    ids = [inner for inner in options if type(inner) is MifPvdId]
    codes = _codes(option)
    if MIF_CONTAINER in codes:
        return ignored(option, "mif-in-mif")
    if codes.count(MIF_PVD_ID) > 1:
        return ignored(option, "mif-two-ids")
    if not ids:
        return ignored(option, "mif-no-id")
    return MifContainer(ids[0].uuid, options, size)


def _codes(option: bytes) -> list[int]:
    """The types of the options in a container that has just been walked."""
    codes: list[int] = []
    at = MIF_HEADER_OCTETS
    while at < len(option):
        codes.append(option[at])
        at += option[at + 1] << 3
    return codes
