"""What the readers of pcap and pcapng share: the packet they give, the facts they leave, and the quick look.

Law: a reader never raises for what stands in the file; it reads to the damage and says in one sentence where it is.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final, Literal

import msgspec

from events.frames import (
    ETHERNET,
    IPV4,
    IPV6,
    LINUX_SLL,
    LINUX_SLL2,
    LOOP,
    NETLINK,
    NULL,
    RAW,
    RAW_BSD,
    RAW_OPENBSD,
)
from events.ids import Instant, LinkId

Packet = tuple[int, Instant, LinkId, int, bytes, int]
"""(number from 1 in its file, at, link, linktype, data, original length or -1 if not cut). A plain tuple: a named one
costs five times as much to build, and a million are built a second."""

Wanted = Callable[[int, bytes], bool]
"""Whether a packet is worth a decoder's time: (linktype, data) -> bool."""

RECORD_MAX: Final = 16 << 20  # octets; nothing of ours comes near it, and a wrong length must not fill memory
SNAP_MAX: Final = 1 << 18  # octets; libpcap's MAXIMUM_SNAPLEN: no tool writes a longer packet of a network

READABLE: Final = frozenset(
    {
        NULL,
        ETHERNET,
        RAW_BSD,
        RAW_OPENBSD,
        RAW,
        LOOP,
        LINUX_SLL,
        IPV4,
        IPV6,
        NETLINK,
        LINUX_SLL2,
    }
)
"""The link types that the decoders know (events/frames.py)."""

_LINKTYPE_NAMES: Final = {
    6: "IEEE802_5",
    8: "SLIP",
    9: "PPP",
    10: "FDDI",
    50: "PPP_HDLC",
    51: "PPP_ETHER",
    105: "IEEE802_11",
    119: "IEEE802_11_PRISM",
    127: "IEEE802_11_RADIOTAP",
    129: "ARCNET_LINUX",
    147: "USER0",
    163: "IEEE802_11_AVS",
    189: "USB_LINUX",
    192: "PPI",
    195: "IEEE802_15_4_WITHFCS",
    201: "BLUETOOTH_HCI_H4_WITH_PHDR",
    204: "PPP_WITH_DIR",
    220: "USB_LINUX_MMAPPED",
    227: "CAN_SOCKETCAN",
    230: "IEEE802_15_4_NOFCS",
    231: "DBUS",
    239: "NFLOG",
    249: "USBPCAP",
    252: "WIRESHARK_UPPER_PDU",
    283: "IEEE802_15_4_TAP",
}


def linktype_name(linktype: int) -> str:
    """How a person knows a link type that we cannot read: `127 (IEEE802_11_RADIOTAP)`, `4711`."""
    name = _LINKTYPE_NAMES.get(linktype)
    return f"{linktype} ({name})" if name else str(linktype)


class Custom(msgspec.Struct, frozen=True):
    """A custom block of our own between the packets of a pcapng (files/pcapng.py). payload: as it was written."""

    payload: bytes


class Reading:
    """What is known of a capture so far; complete when its last packet has been taken.

    packets: all of them, wanted or not. first, last: the instants of the first and the last packet in file order.
    damaged: None, or one sentence that says what is wrong at which octet. unreadable_linktypes: packets of each link
    type that no decoder of ours knows.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.first: Instant | None = None
        self.last: Instant | None = None
        self.damaged: str | None = None
        self.unreadable_linktypes: dict[int, int] = {}


# --- The quick look --------------------------------------------------------------------------------------------------
#
# Most packets of an ordinary capture are TCP, or UDP to other ports than DHCP's, over IPv4 or IPv6. A reader tells
# those ("dull") from the window itself, without cutting the packet out, by one unpack of the record's header and four
# fields behind it; everything else is cut out and asked about with adapters.ingest.wanted.
#
#    record or block header │ link header … protocol … │ IP header
#    …caplen…               │              kind        │ +0 version  +6 IPv6 next header  +9 IPv4 protocol
#
# It may only ever say "dull" of what ingest.translate gives no event for, not even a rejection; so it looks at the
# version too. tests/replay/test_captures.py compares the three.

TCP: Final = 6
UDP: Final = 17
DHCP4_PORTS: Final = frozenset({67, 68})  # RFC 2131 section 4.1
DHCP6_PORTS: Final = frozenset({546, 547})  # RFC 8415 section 7.2
VERSION4: Final = 0x45  # and no options: the ports are where we look
VERSION6: Final = 0x60
VERSION6_LAST: Final = 0x6F
DULL_MIN: Final = 40  # octets from the IP header on; shorter ones get the full look
PORTS_END: Final = 44  # octets from the IP header to the end of the ports behind an IPv6 header


class Look(msgspec.Struct, frozen=True):
    """Where a quick look finds what it needs, for one kind of record, byte order and link type.

    peek(buffer, record) -> (…the record's fields, kind, version, next header, protocol). kind4, kind6: what `kind`
    reads for IPv4 and IPv6. ip: octets from the record's data to the IP header. span: octets a record must have behind
    its start to be looked at.
    """

    peek: Callable[[bytes, int], tuple[int, ...]]
    kind4: int
    kind6: int
    ip: int
    span: int


# linktype: octet of the protocol (an EtherType), octet of the IP header. The others are asked about one by one.
_LAYOUTS: Final[dict[int, tuple[int, int]]] = {
    ETHERNET: (12, 14),
    LINUX_SLL: (14, 16),
    LINUX_SLL2: (0, 20),
}


def look_of(order: Literal["<", ">"], header: str, linktype: int) -> Look | None:
    """The quick look behind a record header of the struct format `header`, in byte order `order`, if there is one."""
    layout = _LAYOUTS.get(linktype)
    if layout is None:
        return None
    kind, ip = layout
    # The wire is big-endian; reading it in the file's order may swap it.
    kind4, kind6 = (Struct(order + "H").unpack(octets)[0] for octets in (b"\x08\x00", b"\x86\xdd"))
    peek = Struct(f"{order}{header}{kind}xH{ip - kind - 2}xB5xB2xB")
    return Look(peek.unpack_from, kind4, kind6, ip, Struct(order + header).size + ip + PORTS_END)


_port4 = Struct(">22xH").unpack_from
_port6 = Struct(">42xH").unpack_from


def dull4(buffer: bytes, ip: int) -> bool:
    """Whether a plain IPv4 header with UDP in it, at `ip` of the window, leads to another port than DHCPv4's."""
    return _port4(buffer, ip)[0] not in DHCP4_PORTS


def dull6(buffer: bytes, ip: int) -> bool:
    """Whether an IPv6 header with UDP right behind it, at `ip` of the window, leads to another port than DHCPv6's.

    Where the capture cut the port off, what is read is not its own; either answer is right then, for nobody can tell.
    """
    return _port6(buffer, ip)[0] not in DHCP6_PORTS
