"""Frames: bytes as they stood on a wire or a netlink socket, and what could not be read of them.

Law: a Frame says where, when and what, and means nothing yet.
"""

import msgspec

from events.base import Event
from events.ids import Instant, LinkId

# The link types of the pcap formats that we read (pcap-linktype(7)).
NULL = 0
ETHERNET = 1
RAW_BSD = 12
RAW_OPENBSD = 14
RAW = 101
LOOP = 108
LINUX_SLL = 113
IPV4 = 228
IPV6 = 229
NETLINK = 253
LINUX_SLL2 = 276


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One packet as it was heard.

    at: the instant it was heard. link: the link it was heard on, before VLAN tags are read. linktype: of `data`.
    original_length: octets on the wire, more than len(data) when a capture cut it (snap length); -1: not cut.
    """

    at: Instant
    link: LinkId
    linktype: int
    data: bytes
    original_length: int = -1


class FrameRejected(Event, frozen=True, tag="frame-rejected"):
    """A packet for us that breaks a rule; it has no other effect. (standards.md E; house.md "Total at the edge")

    rule: short name of the rule (`hop-limit`, `option-length-zero`, …). offset: octet in the frame where it shows.
    protocol: `ra`, `rs`, `ns`, `na`, `redirect`, `dhcp4`, `dhcp6`, `netlink`, `arp`, `ip`, `ethernet`.
    detail: one sentence.
    """

    link: LinkId
    rule: str
    offset: int
    protocol: str
    detail: str = ""
    source: str = ""


class FramesRefused(Event, frozen=True, tag="frames-refused"):
    """Frames a bound (standards.md D.3) kept out of the journal: counted here, a few samples stored before it."""

    link: LinkId
    rule: str
    count: int
    first: Instant
    last: Instant


class FramesLost(Event, frozen=True, tag="frames-lost"):
    """The kernel had no room for frames of a link and dropped them (PACKET_STATISTICS): nobody knows what they said."""

    link: LinkId
    count: int


class Note(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Something about a well-formed packet that is worth knowing, and changes nothing of what it says.

    code: short name (`udp-checksum`, `dhcp4-no-end`). offset: octet in the frame, -1 if none.
    """

    code: str
    offset: int = -1
    detail: str = ""
