"""Neighbor Discovery messages: the checks all five share, and those of RS, NS, NA and Redirect (RFC 4861 §6–§8).

Law: a message that fails one check is rejected under the first rule it breaks, in the order below: cut by the capture,
fragment, hop limit, length, checksum, code, addresses, options. Nothing is taken from a message that fails.

    RS 133, 8 octets            NS 135, NA 136, 24 octets               Redirect 137, 40 octets
      +-----------------+         +-----------------------------+         +-----------------------+
      | type code cksum |         | type code cksum             |         | type code cksum       |
      | reserved     32 |         | NA: RSO.... …, NS: reserved |         | reserved           32 |
      +-----------------+         | target                  128 |         | target            128 |
                                  +-----------------------------+         | destination       128 |
                                                                          +-----------------------+
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from adapters.wire.carrier.ip import ICMPV6, address6, sum6
from adapters.wire.cursor import Malformed
from adapters.wire.neighbor.options import (
    MIF_PVD_ID,
    REDIRECTED_HEADER,
    SOURCE_LLA,
    TARGET_LLA,
    mif_pvd_id,
    place,
    read_options,
    remembering,
)
from adapters.wire.neighbor.ra import read_ra
from events.codec import AnyEvent
from events.ids import LinkId
from events.router import (
    NeighborAdvertised,
    NeighborSolicited,
    Redirected,
    RouterSolicited,
)

ROUTER_SOLICITATION: Final = 133
ROUTER_ADVERTISEMENT: Final = 134
NEIGHBOR_SOLICITATION: Final = 135
NEIGHBOR_ADVERTISEMENT: Final = 136
REDIRECT: Final = 137

HOP_LIMIT: Final = 255  # RFC 4861 §3.1: no router can have forwarded it
_SOLICITED_NODE: Final = bytes.fromhex("ff0200000000000000000001ff")  # RFC 4291 §2.7.1, 24 bits of the target follow
_UNSPECIFIED: Final = bytes(16)

_in_rs = remembering(place(frozenset((SOURCE_LLA,)), {MIF_PVD_ID: mif_pvd_id}))  # standards.md A.4: an RS asks for ids
_in_ns = remembering(place(frozenset((SOURCE_LLA,))))
_in_na = remembering(place(frozenset((TARGET_LLA,))))
_in_redirect = remembering(place(frozenset((TARGET_LLA, REDIRECTED_HEADER))))


def _read_rs(data: bytes, start: int, at: int, end: int, link: LinkId, source: str, mac: str) -> AnyEvent:
    """RFC 4861 §4.1, §6.1.1."""
    _unicast_source(data, start)
    options_at = at + 8
    options = read_options(data, options_at, end, _in_rs)
    if source == "::":
        _no_source_lla(data, options_at, end)
    return RouterSolicited(link, source, options, options_at, mac)


def _read_ns(data: bytes, start: int, at: int, end: int, link: LinkId, source: str, mac: str) -> AnyEvent:
    """RFC 4861 §4.3, §7.1.1."""
    _unicast_source(data, start)
    _unicast_target(data, at)
    options_at = at + 24
    options = read_options(data, options_at, end, _in_ns)
    destination = data[start + 24 : start + 40]
    if source == "::":
        if not destination.startswith(_SOLICITED_NODE):
            raise Malformed("ns-unspecified-destination", start + 24, "an NS from :: goes to a solicited-node address")
        _no_source_lla(data, options_at, end)
    target = address6(data[at + 8 : at + 24])
    return NeighborSolicited(link, source, target, options, options_at, mac, address6(destination))


def _read_na(data: bytes, start: int, at: int, end: int, link: LinkId, source: str, mac: str) -> AnyEvent:
    """RFC 4861 §4.4, §7.1.2."""
    _unicast_source(data, start)
    _unicast_target(data, at)
    flags = data[at + 4]
    if data[start + 24] == 0xFF and flags & 0x40:
        raise Malformed("na-solicited-multicast", at + 4, "a solicited NA goes to one host")
    options_at = at + 24
    return NeighborAdvertised(
        link,
        source,
        address6(data[at + 8 : at + 24]),
        flags & 0x80 != 0,
        flags & 0x40 != 0,
        flags & 0x20 != 0,
        read_options(data, options_at, end, _in_na),
        options_at,
        mac,
        address6(data[start + 24 : start + 40]),
    )


def _read_redirect(data: bytes, start: int, at: int, end: int, link: LinkId, source: str, mac: str) -> AnyEvent:
    """RFC 4861 §4.5, §8.1. That it comes from the first hop to its destination is for those who know the hops."""
    if data[start + 8] != 0xFE or data[start + 9] & 0xC0 != 0x80:
        raise Malformed("source-not-link-local", start + 8, "a Redirect comes from fe80::/10")
    target, destination = data[at + 8 : at + 24], data[at + 24 : at + 40]
    if destination[0] == 0xFF:
        raise Malformed("redirect-destination", at + 24, "the destination is multicast")
    if target != destination and not (target[0] == 0xFE and target[1] & 0xC0 == 0x80):
        raise Malformed("redirect-target", at + 8, "the target is neither link-local nor the destination")
    options_at = at + 40
    options = read_options(data, options_at, end, _in_redirect)
    return Redirected(link, source, address6(target), address6(destination), options, options_at, mac)


def _unicast_source(data: bytes, start: int) -> None:
    """RFC 4291 §2.7: a multicast address is nobody's source."""
    if data[start + 8] == 0xFF:
        raise Malformed("source-multicast", start + 8, "the source is multicast")


def _unicast_target(data: bytes, at: int) -> None:
    """RFC 4861 §7.1.1, §7.1.2."""
    if data[at + 8] == 0xFF:
        raise Malformed("target-multicast", at + 8, "the target is multicast")


def _no_source_lla(data: bytes, at: int, end: int) -> None:
    """RFC 4861 §6.1.1, §7.1.1: who has no address yet has no entry to fill. The options have been walked."""
    while at < end:
        if data[at] == SOURCE_LLA:
            raise Malformed("source-lla-from-unspecified", at, "a source link-layer address, and the source is ::")
        at += data[at + 1] << 3


class Message(NamedTuple):
    """One kind of message. protocol: as FrameRejected names it. octets: the least it must have."""

    protocol: str
    octets: int
    read: Callable[[bytes, int, int, int, LinkId, str, str], AnyEvent]


MESSAGES: Final = {
    ROUTER_SOLICITATION: Message("rs", 8, _read_rs),
    ROUTER_ADVERTISEMENT: Message("ra", 16, read_ra),
    NEIGHBOR_SOLICITATION: Message("ns", 24, _read_ns),
    NEIGHBOR_ADVERTISEMENT: Message("na", 24, _read_na),
    REDIRECT: Message("redirect", 40, _read_redirect),
}


def read_message(
    data: bytes, start: int, at: int, end: int, link: LinkId, source: str, mac: str, *, fragment: bool
) -> AnyEvent:
    """The ND message in at..end, behind the IPv6 header at `start`; all its octets are there.

    fragment: a Fragment header stands before it. Raises Malformed; offsets are in the frame.
    """
    message = MESSAGES[data[at]]
    if fragment:
        raise Malformed("fragment", start + 40, "Neighbor Discovery is never fragmented, atomic fragments included")
    if data[start + 7] != HOP_LIMIT:
        raise Malformed("hop-limit", start + 7, f"hop limit {data[start + 7]}, not 255")
    if end - at < message.octets:
        raise Malformed("message-length", at, f"{end - at} octets, at least {message.octets} are due")
    if sum6(data, start, at, end, ICMPV6):
        raise Malformed("checksum", at + 2, "the ICMPv6 checksum is wrong")
    if data[at + 1]:
        raise Malformed("code", at + 1, f"code {data[at + 1]}, not 0")
    return message.read(data, start, at, end, link, source, mac)
