"""Link layers: where in a frame the network layer begins, who sent it, and on which VLAN.

Law: nothing above a link layer is read here, and a tag that is not understood ends the reading as "not ours".

    Ethernet II, 802.1Q (stacked or not)          Linux cooked v1 (SLL)            Linux cooked v2 (SLL2)
      +---------------------------+ 0               +------------------------+ 0     +------------------------+ 0
      | destination             6 |                 | packet type          2 |       | protocol             2 |
      | source                  6 |                 | ARPHRD               2 |       | zero                 2 |
      | tag type 81 00, 88 a8   2 |  0 or more      | address length       2 |       | interface index      4 |
      | priority, VLAN id       2 |  times          | address              8 |       | ARPHRD               2 |
      | EtherType               2 |                 | protocol             2 |       | packet type          1 |
      +---------------------------+ 14 + 4 a tag    +------------------------+ 16    | address length       1 |
                                                                                     | address              8 |
      NULL, LOOP: 4 octets of address family; RAW: nothing                           +------------------------+ 20
"""

from functools import lru_cache
from typing import Final

from adapters.wire.cursor import Malformed
from events.frames import ETHERNET, IPV4, IPV6, LINUX_SLL, LINUX_SLL2, LOOP, NULL, RAW, RAW_BSD, RAW_OPENBSD

VLAN_TAGS_MAX: Final = 4  # provider bridges stack two (IEEE 802.1ad), some three; deeper is a way past filters (E77)
LINKS_REMEMBERED: Final = 4096  # names of tagged links kept: every VLAN id of one link

OTHER: Final = ""
_TYPE_IPV4: Final = 0x0800
_TYPE_IPV6: Final = 0x86DD
_TYPES: Final = {_TYPE_IPV4: "ipv4", 0x0806: "arp", _TYPE_IPV6: "ipv6"}
_TAGS: Final = frozenset((0x8100, 0x88A8, 0x9100))  # IEEE 802.1Q, 802.1ad, and the tag of stacking before 802.1ad
_ETHER: Final = b"\0\1"  # ARPHRD_ETHER
_SIX: Final = b"\0\6"  # octets of a MAC
# AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on Darwin.
_FAMILIES: Final = {2: "ipv4", 10: "ipv6", 24: "ipv6", 28: "ipv6", 30: "ipv6"}
_VERSIONS: Final = {4: "ipv4", 6: "ipv6"}

LinkLayer = tuple[int, str, tuple[int, ...], str]
"""(octet where the network layer begins, `ipv4`, `ipv6`, `arp` or "", VLAN ids outside in, MAC of the sender or "")"""

_NOT_OURS: Final[LinkLayer] = (0, OTHER, (), "")


def link_layer(linktype: int, data: bytes) -> LinkLayer:
    """Read the link layer of `data`; an unknown link type is "not ours".

    A VLAN id of 0 only sets a priority and adds none (IEEE 802.1Q §9.6).
    Raises Malformed `link-header` (too short for the link type) and `vlan-depth`.
    """
    if linktype == ETHERNET:
        if len(data) < 14:
            raise Malformed("link-header", len(data), "shorter than an Ethernet header")
        if data[12] == 0x86 and data[13] == 0xDD:
            return 14, "ipv6", (), data[6:12].hex(":")
        return _typed(data, 12, data[6:12].hex(":"))
    if linktype == LINUX_SLL:
        if len(data) < 16:
            raise Malformed("link-header", len(data), "shorter than a Linux cooked header")
        return _typed(data, 14, data[6:12].hex(":") if data[2:6] == _ETHER + _SIX else "")
    if linktype == LINUX_SLL2:
        if len(data) < 20:
            raise Malformed("link-header", len(data), "shorter than a Linux cooked v2 header")
        mac = data[12:18].hex(":") if data[8:10] == _ETHER and data[11] == 6 else ""
        kind = data[0] << 8 | data[1]
        if kind in _TAGS:  # the tag's own octets follow the header, its type stands in the header
            return _tagged(data, 20, mac)
        return 20, _TYPES.get(kind, OTHER), (), mac
    if linktype in (NULL, LOOP):
        if len(data) < 4:
            raise Malformed("link-header", len(data), "shorter than an address family")
        # NULL is in the order of the host that captured, LOOP in network order: no family reads as one both ways.
        family = int.from_bytes(data[:4], "big")
        swapped = int.from_bytes(data[:4], "little")
        return 4, _FAMILIES.get(family) or _FAMILIES.get(swapped, OTHER), (), ""
    if linktype in (RAW, RAW_BSD, RAW_OPENBSD):
        if not data:
            raise Malformed("link-header", 0, "an empty packet")
        return 0, _VERSIONS.get(data[0] >> 4, OTHER), (), ""
    if linktype == IPV4:
        return 0, "ipv4", (), ""
    if linktype == IPV6:
        return 0, "ipv6", (), ""
    return _NOT_OURS


def _typed(data: bytes, at: int, mac: str) -> LinkLayer:
    """What follows the EtherType at `at`. A value under 0x0600 is an 802.3 length (LLC follows): never ours."""
    kind = data[at] << 8 | data[at + 1]
    if kind in _TAGS:
        return _tagged(data, at + 2, mac)
    return at + 2, _TYPES.get(kind, OTHER), (), mac


def _tagged(data: bytes, at: int, mac: str) -> LinkLayer:
    """What follows the priority and VLAN id at `at`, and more tags."""
    ids: list[int] = []
    for _ in range(VLAN_TAGS_MAX):
        if at + 4 > len(data):
            raise Malformed("link-header", len(data), "ends inside a VLAN tag")
        vid = (data[at] << 8 | data[at + 1]) & 0x0FFF
        if vid:
            ids.append(vid)
        kind = data[at + 2] << 8 | data[at + 3]
        at += 4
        if kind not in _TAGS:
            return at, _TYPES.get(kind, OTHER), tuple(ids), mac
    raise Malformed("vlan-depth", at, f"more than {VLAN_TAGS_MAX} VLAN tags")


@lru_cache(maxsize=LINKS_REMEMBERED)
def tagged_link(link: str, ids: tuple[int, ...]) -> str:
    """The name of a VLAN on a link: the ids from the outside in, each behind a dot (`if0.10.30`)."""
    return ".".join([link, *map(str, ids)])
