"""Live frames: one packet socket a link, and a filter in the kernel that lets through what may be for us.

Law: a frame is heard once. Not on a link with a master, whose frames the master hears; not a tag for which there is a
VLAN device, which hears it; not our own multicast when it comes back. What the kernel dropped is counted and said.

    link ─ filter (classic BPF) ─ socket buffer ─ drain ─ tag put back ─ Frame(at, link, ETHERNET or RAW, octets)

The filter knows up to two tags in the octets (the outermost usually comes beside them, PACKET_AUXDATA), and goes
through EXTENSION_HEADERS extension headers; classic BPF has no loops, so each is written out. What has more is let
through, for the decoder to judge. ICMPv6 of types 133 to 137; of our own host no RA and no Redirect, which tell others.
Of ARP only who speaks of itself: an ordinary request is no news.
"""

import select
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Final

from adapters.clock import Clock
from adapters.ingest import Translator
from adapters.sockets.kernel import Device
from events.codec import AnyEvent
from events.frames import ETHERNET, RAW, Frame, FramesLost
from events.ids import Instant, LinkId

BUFFER_OCTETS: Final = 32 << 20  # a burst of 20,000 RAs; the kernel counts twice that, and takes it only when it comes
FRAME_MAX: Final = 65_536 + 22  # an IP packet of full size, its Ethernet header and two tags
EXTENSION_HEADERS: Final = 3  # followed in the kernel; traffic has none or one, and each costs a dozen instructions

_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_PACKET_AUXDATA: Final = 8
_ATTACH_FILTER: Final = 26  # SO_ATTACH_FILTER
_RCVBUFFORCE: Final = 33  # SO_RCVBUFFORCE
_TIMESTAMPNS: Final = 35  # SO_TIMESTAMPNS, and of its control message
_OUTGOING: Final = 4  # PACKET_OUTGOING
_LOOPBACK: Final = 5  # PACKET_LOOPBACK: our own multicast, handed to ourselves
_VLAN_VALID: Final = 1 << 4  # TP_STATUS_VLAN_VALID
_TPID_VALID: Final = 1 << 6  # TP_STATUS_VLAN_TPID_VALID
_ETH_P_ALL: Final = 3
_SHORT: Final = 14  # octets before an EtherType's packet
_ANCILLARY: Final = struct.calcsize("II3HH") + 4

# --- the filter ------------------------------------------------------------------------------------------------------

# uapi linux/bpf_common.h
LDB, LDH, LD, LDX_IMM = 0x30, 0x28, 0x20, 0x01
LDB_X, LDH_X, LDW_X = 0x50, 0x48, 0x40  # at X + k
LD_MEM, LD_IMM, LDX_MEM, ST = 0x60, 0x00, 0x61, 0x02
ADD, AND, LSH, ADD_X = 0x04, 0x54, 0x64, 0x0C
JA, JEQ, JEQ_X, JGT, JGE, JSET = 0x05, 0x15, 0x1D, 0x25, 0x35, 0x45
TAX, TXA, RET = 0x07, 0x87, 0x06
PACKET_TYPE: Final = 0xFFFFF000 + 4  # SKF_AD_OFF + SKF_AD_PKTTYPE
_ALL: Final = 0x40000  # octets let through: all

Step = tuple[int, int, str, str]
"""(code, k, where to if true, where to if not); "" is the next one. A Step with code -1 is the label `where to`."""


def _label(name: str) -> Step:
    return (-1, 0, name, "")


def program(start: int) -> bytes:
    """The filter for links whose IP packets begin at octet `start`: 14 behind an Ethernet header, 0 without one."""
    steps: list[Step] = [(LDX_IMM, 0, "", "")]
    if start:
        for tags in range(2):  # 802.1Q and 802.1ad tags that are in the octets: X goes 4 on for each
            steps += [(LDH_X, 12, "", ""), (JEQ, 0x8100, f"tag{tags}", ""), (JEQ, 0x88A8, f"tag{tags}", "untagged")]
            steps += [_label(f"tag{tags}"), (TXA, 0, "", ""), (ADD, 4, "", ""), (TAX, 0, "", "")]
        steps += [_label("untagged"), (LDH_X, 12, "", "")]
        steps += [(JEQ, 0x86DD, "ipv6", ""), (JEQ, 0x0800, "ipv4", ""), (JEQ, 0x0806, "", "no")]
        # ARP: who speaks of itself (adapters/wire/carrier/arp.py): sender or target 0.0.0.0, or both the same address.
        steps += [(LDW_X, start + 24, "", ""), (JEQ, 0, "yes", ""), (ST, 1, "", "")]
        steps += [(LDW_X, start + 14, "", ""), (JEQ, 0, "yes", ""), (LDX_MEM, 1, "", ""), (JEQ_X, 0, "yes", "no")]
    else:
        steps += [(LDB_X, 0, "", ""), (AND, 0xF0, "", ""), (JEQ, 0x60, "ipv6", ""), (JEQ, 0x40, "ipv4", "no")]
    steps += [_label("ipv6"), (LDB_X, start + 6, "", "")]
    for level in range(EXTENSION_HEADERS):
        steps += [(JEQ, 58, "icmp", ""), (JEQ, 17, "udp", "")]
        steps += [(JEQ, kind, f"options{level}", "") for kind in (0, 43, 60, 135, 139, 140)]  # RFC 7045 §2
        steps += [(JEQ, 51, f"authentication{level}", ""), (JEQ, 44, f"fragment{level}", "no")]
        # Options: 8 octets, and as many times 8 as the second octet says. The first names what follows.
        steps += [_label(f"options{level}"), (LDB_X, start + 40, "", ""), (ST, 0, "", ""), (LDB_X, start + 41, "", "")]
        steps += [(ADD, 1, "", ""), (LSH, 3, "", ""), (JA, 0, f"on{level}", "")]
        # Authentication counts in fours, without the first two (RFC 4302 §2.2).
        steps += [_label(f"authentication{level}"), (LDB_X, start + 40, "", ""), (ST, 0, "", "")]
        steps += [(LDB_X, start + 41, "", ""), (ADD, 2, "", ""), (LSH, 2, "", ""), (JA, 0, f"on{level}", "")]
        # Of a later fragment nobody knows what it is of.
        steps += [_label(f"fragment{level}"), (LDH_X, start + 42, "", ""), (JSET, 0xFFF8, "no", "")]
        steps += [(LDB_X, start + 40, "", ""), (ST, 0, "", ""), (LD_IMM, 8, "", "")]
        steps += [_label(f"on{level}"), (ADD_X, 0, "", ""), (TAX, 0, "", ""), (LD_MEM, 0, "", "")]
    steps += [(JEQ, 58, "icmp", ""), (JEQ, 17, "udp", "")]
    steps += [(JEQ, kind, "yes", "") for kind in (0, 43, 44, 51, 60, 135, 139)] + [(JEQ, 140, "yes", "no")]
    steps += [_label("icmp"), (LDB_X, start + 40, "", ""), (JGE, 133, "", "no"), (JGT, 137, "no", "")]
    steps += [(JEQ, 134, "tells", ""), (JEQ, 137, "tells", "yes")]
    steps += [_label("tells"), (LDB, PACKET_TYPE, "", ""), (JEQ, _OUTGOING, "no", "yes")]
    steps += [_label("udp"), (LDH_X, start + 42, "", ""), (JEQ, 546, "yes", ""), (JEQ, 547, "yes", "no")]
    steps += [_label("ipv4"), (LDB_X, start + 9, "", ""), (JEQ, 17, "", "no")]
    steps += [(LDH_X, start + 6, "", ""), (JSET, 0x1FFF, "no", "")]
    steps += [(LDB_X, start, "", ""), (AND, 0xF, "", ""), (LSH, 2, "", ""), (ADD_X, 0, "", ""), (TAX, 0, "", "")]
    steps += [(LDH_X, start + 2, "", ""), (JEQ, 67, "yes", ""), (JEQ, 68, "yes", "no")]
    steps += [_label("yes"), (RET, _ALL, "", ""), _label("no"), (RET, 0, "", "")]
    return assemble(steps)


def assemble(steps: list[Step]) -> bytes:
    """Steps as struct sock_filter, one behind the other. Jumps only go on, and conditional ones not over 255 steps."""
    places: dict[str, int] = {}
    at = 0
    for code, _, name, _ in steps:
        if code < 0:
            places[name] = at
        else:
            at += 1
    made = []
    at = 0
    for code, k, true, false in steps:
        if code < 0:
            continue
        yes, no = (places[name] - at - 1 if name else 0 for name in (true, false))
        if code == JA:
            made.append(struct.pack("=HBBI", code, 0, 0, yes))
        else:
            made.append(struct.pack("=HBBI", code, yes, no, k))
        at += 1
    return b"".join(made)


def attach(handle: socket.socket, octets: bytes) -> None:
    """Have the kernel apply a filter to a socket."""
    buffer = bytearray(octets)
    import ctypes

    view = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    fprog = struct.pack("HxxxxxxQ", len(octets) // 8, ctypes.addressof(view))
    handle.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, fprog)


# --- the sockets -----------------------------------------------------------------------------------------------------


class LinkSocket:
    """What is heard on one link. linktype: what its frames begin with."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.linktype: Final = RAW if device.bare else ETHERNET
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            attach(self._socket, program(0 if device.bare else _SHORT))  # before it is bound: nothing slips in
            self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, BUFFER_OCTETS)
            self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            self._socket.bind((device.name, _ETH_P_ALL))
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def drain(self, clock: Clock, most: int) -> list[Frame]:
        """Up to `most` frames in the order in which they came; none when there are none."""
        link, linktype, tagged = self.device.link, self.linktype, self.device.tagged
        receive, room = self._socket.recvmsg, socket.CMSG_SPACE(16) + socket.CMSG_SPACE(_ANCILLARY)
        frames: list[Frame] = []
        while most > 0:
            most -= 1
            try:
                data, ancillary, _, address = receive(FRAME_MAX, room)
            except BlockingIOError:
                break
            except OSError:
                continue  # ENETDOWN, said once when the link goes down; the socket hears on when it is up again
            if address[2] == _LOOPBACK:
                continue
            at: Instant = 0
            for level, kind, value in ancillary:
                if kind == _TIMESTAMPNS and level == socket.SOL_SOCKET:
                    seconds, rest = struct.unpack("qq", value)
                    at = clock.heard(seconds * 1_000_000_000 + rest)
                elif kind == _PACKET_AUXDATA and level == _SOL_PACKET:
                    data = _with_tag(data, value, tagged)
            if data:
                frames.append(Frame(at or clock.now(), link, linktype, data))
        return frames

    def lost(self) -> int:
        """Frames that the kernel dropped since this was last asked, for want of room."""
        return int(struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1])


def _with_tag(data: bytes, ancillary: bytes, tagged: frozenset[int]) -> bytes:
    """The frame with the tag that the kernel took off (struct tpacket_auxdata); b"" if a VLAN device hears it."""
    status, _, _, _, _, tag, kind = struct.unpack_from("IIIHHHH", ancillary)
    if not status & _VLAN_VALID:
        if tagged and len(data) >= 16 and data[12:14] == b"\x81\x00" and int.from_bytes(data[14:16]) & 0xFFF in tagged:
            return b""
        return data
    if tag & 0xFFF in tagged:
        return b""
    return data[:12] + struct.pack("!HH", kind if status & _TPID_VALID else 0x8100, tag) + data[12:]


class Captures:
    """The packet sockets of all links that are heard. patterns: names or globs of links, () for all; heard: whether
    one of these is."""

    def __init__(
        self,
        clock: Clock,
        translator: Translator,
        patterns: tuple[str, ...] = (),
        heard: Callable[[Device], bool] = lambda device: True,
    ) -> None:
        self._heard = heard
        self._clock = clock
        self._translator = translator
        self._patterns = patterns
        self._poll = select.epoll()
        self._sockets: dict[LinkId, LinkSocket] = {}
        self._by_handle: dict[int, LinkSocket] = {}

    def fileno(self) -> int:
        return self._poll.fileno()

    def wants(self, device: Device) -> bool:
        """Whether a link is to be heard: chosen, and not behind a master that hears the same."""
        if device.loopback or device.master or not self._heard(device):
            return False
        names = (device.name, device.link)
        return not self._patterns or any(fnmatchcase(name, one) for name in names for one in self._patterns)

    def follow(self, devices: Mapping[int, Device]) -> None:
        """Open and close sockets so that those links are heard that should be."""
        wanted = {one.link: one for one in devices.values() if self.wants(one)}
        for link in [link for link in self._sockets if link not in wanted]:
            self._drop(link)
        for link, device in wanted.items():
            known = self._sockets.get(link)
            if known is not None and known.device.ifindex == device.ifindex:
                known.device = device
                continue
            if known is not None:
                self._drop(link)
            with suppress(OSError):  # it went away between the notice and now: the next notice says so
                self._add(link, LinkSocket(device))

    def _add(self, link: LinkId, made: LinkSocket) -> None:
        self._sockets[link] = self._by_handle[made.fileno()] = made
        self._poll.register(made.fileno(), select.EPOLLIN)

    def _drop(self, link: LinkId) -> None:
        gone = self._sockets.pop(link)
        del self._by_handle[gone.fileno()]
        self._poll.unregister(gone.fileno())
        gone.close()

    def drain(self, most: int) -> list[tuple[Frame | None, tuple[AnyEvent, ...]]]:
        """What came on each link, `most` frames of each, with what it says; and what was lost."""
        heard: list[tuple[Frame | None, tuple[AnyEvent, ...]]] = []
        translate = self._translator.translate
        for handle, _ in self._poll.poll(0):
            one = self._by_handle[handle]
            heard += [(frame, translate(frame)) for frame in one.drain(self._clock, most)]
            lost = one.lost()
            if lost:
                heard.append((None, (FramesLost(link=one.device.link, count=lost),)))
        return heard

    def close(self) -> None:
        for link in list(self._sockets):
            self._drop(link)
        self._poll.close()
