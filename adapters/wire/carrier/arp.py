"""ARP for IPv4 over Ethernet (RFC 826), as address conflict detection needs it (RFC 5227): who speaks as which address.

Law: a sighting, not a judgement. Whether an address is ours, probed, in use or in conflict is known to the fold; which
sightings are worth a record is the Translator's to say (adapters/ingest.py). Other hardware, protocols and operations
(RARP, InARP) are none of ours.

      +-----------------+-----------------+ 0
      | hardware 1    2 | protocol 0800 2 |
      +--------+--------+-----------------+ 4      probe         sender 0.0.0.0, target the candidate
      | hlen 6 | plen 4 | operation     2 |        announcement  sender = target, the address taken
      +--------+--------+-----------------+ 8
      | sender: MAC 6, IPv4 4             |
      +-----------------------------------+ 18
      | target: MAC 6, IPv4 4             |
      +-----------------------------------+ 28, padding up to Ethernet's 60 octets is not read
"""

from typing import Final

from adapters.wire.carrier.ip import address4
from adapters.wire.cursor import Malformed
from events.ids import LinkId
from events.link import ArpSeen

ARP_OCTETS: Final = 28
UNSPECIFIED: Final = "0.0.0.0"

_KIND_OCTETS: Final = 8  # up to the operation: enough to know whether it is ours
_ETHERNET_IPV4: Final = b"\0\1\x08\0"
_OPERATIONS: Final = {b"\0\1": "request", b"\0\2": "reply"}


def decode(data: bytes, at: int, original_length: int, *, link: LinkId, mac: str) -> ArpSeen | None:
    """The ARP packet at `at`; None if it is none of ours, or too short a rest of a cut one to tell.

    mac: the sender by the link layer. Raises Malformed `arp-length`, `arp-address-length`, `truncated-capture`.
    """
    cut = original_length > len(data)
    if len(data) < at + _KIND_OCTETS:
        if cut:
            return None
        raise Malformed("arp-length", len(data), f"{len(data) - at} octets where {ARP_OCTETS} are due")
    operation = _OPERATIONS.get(data[at + 6 : at + 8])
    if data[at : at + 4] != _ETHERNET_IPV4 or operation is None:
        return None
    if data[at + 4] != 6 or data[at + 5] != 4:
        raise Malformed("arp-address-length", at + 4, f"addresses of {data[at + 4]} and {data[at + 5]} octets")
    if len(data) < at + ARP_OCTETS:
        rule = "truncated-capture" if cut else "arp-length"
        raise Malformed(rule, len(data), f"{len(data) - at} octets where {ARP_OCTETS} are due")
    return ArpSeen(
        link=link,
        operation=operation,
        sender_mac=data[at + 8 : at + 14].hex(":"),
        sender=address4(data[at + 14 : at + 18]),
        target_mac=data[at + 18 : at + 24].hex(":"),
        target=address4(data[at + 24 : at + 28]),
        mac=mac,
    )


def speaks_of_itself(event: ArpSeen) -> bool:
    """A probe, an announcement, or an answer to a probe (RFC 5227 §1.1, §2.1.1, §2.3): never ordinary traffic."""
    return UNSPECIFIED in (event.sender, event.target) or event.sender == event.target
