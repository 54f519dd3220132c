"""Frames to events: the one door through which octets come in, live and from captures alike.

Law: `translate` is total and pure. Whatever the octets, it answers with the event they are, with a FrameRejected if
they are a message for us that breaks a rule, or with () if they are none of ours; it never raises, blocks, logs or
remembers. `Translator` is the same function with a memory, and `wanted` a guess at it that only errs towards yes.

      link layer ─ IPv6 ─ extension headers ─┬─ ICMPv6 133..137 ── wire/neighbor/
            │                                └─ UDP to 546, 547 ── wire/dhcp/
            └───── IPv4 ── UDP to 67, 68 ───────────────────────── wire/dhcp/
            └───── ARP ───────────────────────────────────────────── wire/carrier/arp
      netlink capture ─ NETLINK_ROUTE ──────────────────────────── wire/rtnl, any number of events

What a capture cut (snap length) is `truncated-capture` once it is known to be for us, before anything else is checked,
and () if too little is left to know.
"""

from typing import Final

from msgspec.structs import replace

from adapters.wire import rtnl
from adapters.wire.carrier import arp
from adapters.wire.carrier.ethernet import link_layer, tagged_link
from adapters.wire.carrier.ip import EXTENSIONS, ICMPV6, UDP, address4, address6, extensions, sum4, sum6
from adapters.wire.cursor import Malformed
from adapters.wire.dhcp import dhcp4, dhcp6
from adapters.wire.neighbor.nd import MESSAGES, read_message
from events.codec import AnyEvent
from events.dhcp import Dhcp4MessageSeen
from events.frames import ETHERNET, LINUX_SLL2, NETLINK, Frame, FrameRejected, Note
from events.ids import LinkId
from events.link import ArpSeen

FRAMES_REMEMBERED: Final = 4096  # frames whose events are kept, twice over: a router repeats itself for years; 4 MiB
LEASES_WATCHED: Final = 4096  # addresses whose ARP conflicts are looked for; a /20 of clients on a link

_DHCP4_PORTS: Final = frozenset((67, 68))  # RFC 2131 §4.1
_DHCP6_PORTS: Final = frozenset((546, 547))  # RFC 8415 §7.2
_NO_NAMES: Final[dict[int, LinkId]] = {}
_ND_FIRST: Final = min(MESSAGES)
_ND_LAST: Final = max(MESSAGES)

Events = tuple[AnyEvent, ...]


def translate(frame: Frame) -> Events:
    """What a frame says: (event,), (FrameRejected,) or (); of netlink, all its events. Never raises.

    An event's link is the frame's, with ".VID" for each VLAN tag. In a Linux cooked v2 capture all interfaces share
    one link here; only a Translator can tell them apart.
    """
    return _translate(frame.link, frame.linktype, frame.data, frame.original_length)


class Translator:
    """`translate` with a memory: identical octets on a link give the identical event object, but for DHCPv4.

    Bounded: the frames of two generations of FRAMES_REMEMBERED are kept. When the young generation is full it becomes
    the old one; what is heard again moves up, so a flood of strangers ages out and a router that repeats itself stays.

    Of ARP, which is mostly ordinary traffic, it gives only what can matter: probes, announcements and answers to
    probes, and whoever else speaks as an address that DHCP gave to another MAC here (RFC 5227 §2.1.1, §2.4). What is
    dropped depends on the frames before it alone, so a second reading of the same frames drops the same.
    """

    def __init__(self) -> None:
        self._young: dict[tuple[LinkId, int, bytes, int], Events] = {}
        self._old: dict[tuple[LinkId, int, bytes, int], Events] = {}
        self._exchanges: dict[tuple[LinkId, bytes], Dhcp4MessageSeen] = {}
        self._exchanges_before: dict[tuple[LinkId, bytes], Dhcp4MessageSeen] = {}
        self._first_ifindex: dict[LinkId, int] = {}
        self._leased: dict[tuple[LinkId, str], str] = {}
        self._last: tuple[int, bytes, int, bytes | None] = (ETHERNET, b"", -1, None)

    def known(self, link: LinkId, linktype: int, data: bytes, original_length: int) -> Events | None:
        """The events of a frame that was heard lately; `None` if it has to be translated."""
        return self._young.get((link, linktype, data, original_length))

    def translate(self, frame: Frame) -> Events:
        """The events of `frame`, as the function does.

        The interfaces of a Linux cooked v2 capture: the first one heard has the name of the link, each further one is
        LINK%IFINDEX.
        """
        key = (frame.link, frame.linktype, frame.data, frame.original_length)
        events = self._young.get(key)
        if events is not None:
            return events
        events = self._old.get(key)
        if events is None:
            if (octets := self.exchange(frame.linktype, frame.data, frame.original_length)) is not None:
                return self._dhcp4(frame, octets)
            link = self._cooked_link(frame) if frame.linktype == LINUX_SLL2 else frame.link
            events = _translate(link, frame.linktype, frame.data, frame.original_length)
            if events and not self._matters(events[0]):
                return ()
            if not events:
                return events  # what is not ours would only push out what is
            if frame.linktype == LINUX_SLL2:
                self._first_ifindex.setdefault(frame.link, _ifindex(frame))
        if len(self._young) >= FRAMES_REMEMBERED:
            self._old, self._young = self._young, {}
        self._young[key] = events
        return events

    def exchange(self, linktype: int, data: bytes, original_length: int) -> bytes | None:
        """`exchange`, which is asked of one frame more than once."""
        last = self._last
        if last[1] == data and last[0] == linktype and last[2] == original_length:
            return last[3]
        octets = exchange(linktype, data, original_length)
        self._last = (linktype, data, original_length, octets)
        return octets

    def _dhcp4(self, frame: Frame, octets: bytes) -> Events:
        """A DHCPv4 message. No two are the same, but what a client and its server say again differs in `xid` alone."""
        key = (frame.link, octets)
        known = self._exchanges.get(key)
        if known is None:
            known = self._exchanges_before.get(key)
            if known is None:
                events = _translate(frame.link, ETHERNET, frame.data, -1)
                if not events or not isinstance(events[0], Dhcp4MessageSeen) or events[0].notes:
                    return events
                known = events[0]
            if len(self._exchanges) >= FRAMES_REMEMBERED:
                self._exchanges_before, self._exchanges = self._exchanges, {}
            self._exchanges[key] = known
        self._matters(known)
        xid = transaction(frame.data)
        return (known if known.xid == xid else replace(known, xid=xid),)

    def _matters(self, event: AnyEvent) -> bool:
        """Whether an event is worth a record: all are, but ordinary ARP. Remembers what DHCP gives to whom."""
        if isinstance(event, Dhcp4MessageSeen):
            address = event.yiaddr if event.yiaddr != arp.UNSPECIFIED else event.ciaddr
            if event.op == 2 and address != arp.UNSPECIFIED:
                self.leased(event.link, address, event.chaddr)
        elif isinstance(event, ArpSeen) and not arp.speaks_of_itself(event):
            holder = self._leased.get((event.link, event.sender), event.sender_mac)
            return holder != event.sender_mac
        return True

    def leased(self, link: LinkId, address: str, mac: str) -> None:
        """DHCP gave an address to a MAC, in a message that was translated or in one that says the same."""
        if len(self._leased) >= LEASES_WATCHED:
            del self._leased[next(iter(self._leased))]
        self._leased[link, address] = mac

    def _cooked_link(self, frame: Frame) -> LinkId:
        """Only frames with events count as heard, so that it makes no difference whether `wanted` came before."""
        ifindex = _ifindex(frame)
        first = self._first_ifindex.get(frame.link, ifindex)
        return frame.link if ifindex == first else f"{frame.link}%{ifindex}"


_IP: Final = 14  # behind Ethernet
_PORTS: Final = _IP + 20  # behind an IPv4 header without options
_XID: Final = _PORTS + 8 + 4
_SECS: Final = _XID + 4


def transaction(data: bytes) -> int:
    """The xid of a frame that `exchange` knows."""
    return int.from_bytes(data[_XID:_SECS], "big")


def exchange(linktype: int, data: bytes, original_length: int) -> bytes | None:
    """What stands in a plain and right DHCPv4 frame besides what counts up: the IPv4 identification, xid, both sums.

    Two frames with the same octets here say the same but for xid; `None` for any other frame.
    """
    if data[12:15] != b"\x08\x00\x45" or linktype != ETHERNET or original_length != -1:
        return None
    if len(data) < _SECS or data[_IP + 9] != UDP or data[_PORTS + 2] or data[_PORTS + 3] not in _DHCP4_PORTS:
        return None
    if int.from_bytes(data[_IP:_PORTS], "big") % 65535:
        return None
    if data[_PORTS + 6 : _PORTS + 8] != b"\0\0":
        end = _PORTS + int.from_bytes(data[_PORTS + 4 : _PORTS + 6], "big")
        if not _SECS <= end <= len(data) or sum4(data, _IP, _PORTS, end, UDP):
            return None
    ip, udp = data[: _IP + 4] + data[_IP + 6 : _IP + 10], data[_IP + 12 : _PORTS + 6]
    return ip + udp + data[_PORTS + 8 : _XID] + data[_SECS:]


def _ifindex(frame: Frame) -> int:
    """The interface of a Linux cooked v2 frame; one cut before it says so counts as interface 0, which is none."""
    return int.from_bytes(frame.data[4:8], "big") if len(frame.data) >= 8 else 0


def wanted(linktype: int, data: bytes | memoryview) -> bool:
    """Whether a frame may be for us: False only if `translate` gives () for these octets, cut or not.

    Cheap enough to sort out ordinary traffic before a Frame is built of it.
    """
    if linktype == ETHERNET and len(data) >= 58:  # up to the destination port of an IPv6 datagram
        if data[12] == 0x86 and data[13] == 0xDD and data[14] >> 4 == 6:
            kind = data[20]
            if kind == UDP:
                return data[56] == 2 and 0x22 <= data[57] <= 0x23
            if kind == ICMPV6:  # an empty one is rejected, whatever pads it
                return _ND_FIRST <= data[54] <= _ND_LAST or not (data[18] or data[19])
            return kind in EXTENSIONS
        if data[12] == 8 and data[13] == 0 and data[14] == 0x45:
            return data[23] == UDP and data[36] == 0 and 67 <= data[37] <= 68
    if linktype == NETLINK:
        return True  # they are few, and which of their messages are ours takes reading them
    try:
        at, protocol, _, _ = link_layer(linktype, bytes(data))
    except Malformed:
        return True
    left = len(data) - at
    if protocol == "ipv6":
        if left < 40 or data[at] >> 4 != 6:
            return True
        kind = data[at + 6]
        if kind == UDP:
            return left >= 44 and data[at + 42] << 8 | data[at + 43] in _DHCP6_PORTS
        if kind == ICMPV6:
            return left < 41 or _ND_FIRST <= data[at + 40] <= _ND_LAST or not (data[at + 4] or data[at + 5])
        return kind in EXTENSIONS
    if protocol == "ipv4":
        if left < 20 or data[at] >> 4 != 4 or data[at] & 15 < 5:
            return True
        port = at + (data[at] & 15) * 4 + 2
        return data[at + 9] == UDP and len(data) >= port + 2 and data[port] << 8 | data[port + 1] in _DHCP4_PORTS
    return protocol == "arp"  # few, and which of them matter takes a memory (Translator)


class _Reading:
    """What is known of a frame so far, for a FrameRejected to say. One for each frame that is not the plain RA."""

    __slots__ = ("link", "protocol", "source")

    def __init__(self, link: LinkId) -> None:
        self.link = link
        self.protocol = "ethernet"
        self.source = ""


def _translate(link: LinkId, linktype: int, data: bytes, original_length: int) -> Events:
    reading = _Reading(link)
    try:
        return _read(reading, linktype, data, original_length)
    except Malformed as bad:
        # Cut so short that not even the headers are whole, there is no telling whose it was.
        if reading.protocol in ("ethernet", "ip") and original_length > len(data) and bad.rule in _SHORT:
            return ()
        return (FrameRejected(reading.link, bad.rule, bad.offset, reading.protocol, bad.detail, reading.source),)


_SHORT: Final = frozenset(("link-header", "ip-header", "extension-overrun"))
"""Rules that a frame seems to break, before it is known to be for us, when a capture cut it."""


def _read(reading: _Reading, linktype: int, data: bytes, original_length: int) -> Events:
    if linktype == NETLINK:
        return _read_netlink(reading, data, original_length)
    start, protocol, ids, mac = link_layer(linktype, data)
    if ids:
        reading.link = tagged_link(reading.link, ids)
    if protocol == "ipv6":
        return _read_ipv6(reading, data, start, mac, original_length)
    if protocol == "ipv4":
        return _read_ipv4(reading, data, start, mac, original_length)
    if protocol == "arp":
        reading.protocol = "arp"
        seen = arp.decode(data, start, original_length, link=reading.link, mac=mac)
        return () if seen is None else (seen,)
    return ()


def _read_netlink(reading: _Reading, data: bytes, original_length: int) -> Events:
    """Links are LINK%IFINDEX: a capture tells no namespace, and names of links come and go within it."""
    reading.protocol = "netlink"
    if original_length > len(data):
        if len(data) < rtnl.COOKED_OCTETS or data[14] or data[15]:
            return ()
        raise Malformed("truncated-capture", len(data), f"the capture holds {len(data)} of {original_length} octets")
    return rtnl.decode_cooked(data, link=reading.link, names=_NO_NAMES)


def _read_ipv6(reading: _Reading, data: bytes, start: int, mac: str, original_length: int) -> Events:
    reading.protocol = "ip"
    size = len(data)
    at = start + 40
    if size < at:
        raise Malformed("ip-header", size, "shorter than an IPv6 header")
    if data[start] >> 4 != 6:
        raise Malformed("ip-version", start, "not version 6")
    end = at + (data[start + 4] << 8 | data[start + 5])
    kind, fragment = data[start + 6], -1
    if kind in EXTENSIONS:
        if end == at:
            return ()  # a jumbogram (RFC 2675), never ours
        kind, at, fragment = extensions(data, kind, at, min(end, size))
        if fragment >= 8:
            return ()  # a later fragment: nobody knows of what
    if kind == ICMPV6:
        if at >= end:
            raise Malformed("message-length", at, "an empty ICMPv6 message")
        if at >= size:
            if original_length > size:
                return ()
            raise Malformed("ip-length", start + 4, "the IPv6 payload ends past the packet")
        message = MESSAGES.get(data[at])
        if message is None:
            return ()
        reading.protocol = message.protocol
        source = reading.source = address6(data[start + 8 : start + 24])
        if end > size:
            raise _missing(end, size, original_length, start + 4)
        return (read_message(data, start, at, end, reading.link, source, mac, fragment=fragment >= 0),)
    if kind != UDP or at + 4 > end or at + 4 > size or data[at + 2] << 8 | data[at + 3] not in _DHCP6_PORTS:
        return ()
    reading.protocol = "dhcp6"
    source = reading.source = address6(data[start + 8 : start + 24])
    if end > size:
        raise _missing(end, size, original_length, start + 4)
    if fragment > 0:  # the first of several; an atomic fragment is whole (RFC 6946 §4)
        raise Malformed("ip-fragment", start + 40, "the first of several fragments")
    end = _udp_end(data, at, end)
    notes: tuple[Note, ...] = ()
    if not (data[at + 6] or data[at + 7]):
        notes = (Note("udp-checksum-zero", at + 6),)  # RFC 8200 §8.1: IPv6 forbids it
    elif sum6(data, start, at, end, UDP):
        notes = (Note("udp-checksum", at + 6),)
    destination = address6(data[start + 24 : start + 40])
    event = dhcp6.decode(
        data, at + 8, end, link=reading.link, source=source, destination=destination, mac=mac, notes=notes
    )
    return (event,)


def _read_ipv4(reading: _Reading, data: bytes, start: int, mac: str, original_length: int) -> Events:
    reading.protocol = "ip"
    size = len(data)
    if size < start + 20:
        raise Malformed("ip-header", size, "shorter than an IPv4 header")
    if data[start] >> 4 != 4:
        raise Malformed("ip-version", start, "not version 4")
    at = start + (data[start] & 15) * 4
    if at < start + 20:
        raise Malformed("ip-header", start, "an IPv4 header shorter than 20 octets")
    fragment = data[start + 6] << 8 | data[start + 7]
    if data[start + 9] != UDP or fragment & 0x1FFF:
        return ()
    if at + 4 > size or data[at + 2] << 8 | data[at + 3] not in _DHCP4_PORTS:
        return ()
    reading.protocol = "dhcp4"
    source = reading.source = address4(data[start + 12 : start + 16])
    end = start + (data[start + 2] << 8 | data[start + 3])
    if end > size:
        raise _missing(end, size, original_length, start + 2)
    if end < at:
        raise Malformed("ip-length", start + 2, "the total length ends inside the header")
    if int.from_bytes(data[start:at], "big") % 65535:
        raise Malformed("ip-checksum", start + 10, "the IPv4 header checksum is wrong")
    if fragment & 0x2000:
        raise Malformed("ip-fragment", start + 6, "the first of several fragments")
    end = _udp_end(data, at, end)
    notes: tuple[Note, ...] = ()
    if (data[at + 6] or data[at + 7]) and sum4(data, start, at, end, UDP):  # 0: the sender made none (RFC 768)
        notes = (Note("udp-checksum", at + 6),)
    destination = address4(data[start + 16 : start + 20])
    event = dhcp4.decode(
        data, at + 8, end, link=reading.link, source=source, destination=destination, mac=mac, notes=notes
    )
    return (event,)


def _udp_end(data: bytes, at: int, end: int) -> int:
    """Where the UDP payload ends (RFC 768): its length field may leave some of the IP payload out, not go past it."""
    if at + 8 > end:
        raise Malformed("udp-length", at, "no room for a UDP header")
    length = data[at + 4] << 8 | data[at + 5]
    if length < 8 or at + length > end:
        raise Malformed("udp-length", at + 4, f"UDP length {length}, {end - at} octets are there")
    return at + length


def _missing(end: int, size: int, original_length: int, length_at: int) -> Malformed:
    """A message for us ends past the octets there are: was it the capture that cut it, or does it lie?"""
    if original_length > size and end <= original_length:
        return Malformed("truncated-capture", size, f"the capture holds {size} of {original_length} octets")
    return Malformed("ip-length", length_at, "the IP payload ends past the packet")
