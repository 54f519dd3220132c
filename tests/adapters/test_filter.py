"""The filter in the kernel, run by a kernel: nothing that the readers make an event of is kept back, and little else
gets through.

The filter is attached to one end of a pair of datagram sockets: what is sent there, it sees as a packet.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from adapters.ingest import translate
from adapters.sockets.capture import EXTENSION_HEADERS, attach, program
from events.frames import ETHERNET, RAW, Frame
from events.link import ArpSeen
from replay.files.captures import open_capture
from tests.wire.packets import DISCOVER, SOLICIT, arp, ethernet, header, ipv4, ipv6, sealed, udp, udp6

CAPTURES = Path(__file__).parents[1] / "captures"
Passes = Callable[[bytes], bool]


def passing(start: int) -> Iterator[Passes]:
    there, here = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    attach(here, program(start))
    here.setblocking(False)

    def passes(data: bytes) -> bool:
        there.send(data)
        try:
            received = here.recv(65_536)
        except BlockingIOError:
            return False
        assert received == data, "the filter cut it"
        return True

    with there, here:
        yield passes


@pytest.fixture
def passes() -> Iterator[Passes]:
    yield from passing(14)


@pytest.fixture
def passes_bare() -> Iterator[Passes]:
    yield from passing(0)


def extended(message: bytes, *headers: int) -> bytes:
    """`message` (ICMPv6) behind extension headers of these kinds."""
    kinds = [*headers, 58]
    body = b""
    for kind, after in pairwise(kinds):
        fragment = struct.pack("!BBHI", after, 0, 0, 1)
        authentication = struct.pack("!BBHII", after, 1, 0, 0, 0)
        body += {44: fragment, 51: authentication}.get(kind, struct.pack("!BB", after, 1) + bytes(14))
    return ethernet(ipv6(body + message, next_header=kinds[0]))


RA = sealed(header(), "fe80::1", "ff02::1")
OURS = {
    "ra": ethernet(ipv6(RA)),
    "tagged": ethernet(ipv6(RA), tags=((0x8100, 5),)),
    "twice tagged": ethernet(ipv6(RA), tags=((0x88A8, 5), (0x8100, 6))),
    **{f"icmp {kind}": ethernet(ipv6(bytes((kind,)) + bytes(23))) for kind in (133, 135, 136, 137)},
    **{f"extension {kind}": extended(RA, kind) for kind in (0, 43, 44, 51, 60, 135, 139, 140)},
    "two extensions": extended(RA, 0, 60),
    "three extensions": extended(RA, 0, 51, 44),
    "more than are followed": extended(RA, *[60] * (EXTENSION_HEADERS + 1)),
    "dhcp6": ethernet(ipv6(udp6(SOLICIT, "fe80::2", "ff02::1:2", 546, 547), next_header=17)),
    "dhcp6 tagged": ethernet(
        ipv6(udp6(SOLICIT, "fe80::2", "ff02::1:2", 546, 547), next_header=17), tags=((0x8100, 5),)
    ),
    "dhcp4": ethernet(ipv4(udp(DISCOVER, 68, 67)), 0x0800),
    "dhcp4 with options": ethernet(ipv4(udp(DISCOVER, 68, 67), options=bytes(8)), 0x0800, tags=((0x8100, 5),)),
    "first fragment": ethernet(ipv4(udp(DISCOVER, 68, 67), fragment=0x2000), 0x0800),
}
THEIRS = {
    "nothing": b"",
    "cut": ethernet(ipv6(RA))[:50],
    "echo": ethernet(ipv6(bytes((128,)) + bytes(23))),
    "icmp 132": ethernet(ipv6(bytes((132,)) + bytes(23))),
    "icmp 138": ethernet(ipv6(bytes((138,)) + bytes(23))),
    "mld behind hop-by-hop": extended(bytes((143,)) + bytes(23), 0),
    "later fragment": ethernet(ipv6(struct.pack("!BBHI", 58, 0, 8, 1) + RA, next_header=44)),
    "esp": ethernet(ipv6(RA, next_header=50)),
    "tcp": ethernet(ipv6(struct.pack("!HH", 547, 546) + bytes(16), next_header=6)),
    "dns": ethernet(ipv6(struct.pack("!HHHH", 5353, 53, 8, 0), next_header=17)),
    "tcp4": ethernet(ipv4(struct.pack("!HH", 67, 68) + bytes(16), protocol=6), 0x0800),
    "dns4": ethernet(ipv4(struct.pack("!HHHH", 5353, 53, 8, 0)), 0x0800),
    "later fragment 4": ethernet(ipv4(udp(DISCOVER, 68, 67), fragment=3), 0x0800),
    "thrice tagged": ethernet(ipv6(RA), tags=((0x88A8, 5), (0x8100, 6), (0x8100, 7))),
    "lldp": ethernet(bytes(60), 0x88CC),
}


@pytest.mark.parametrize("name", OURS)
def test_what_may_be_for_us_gets_through(name: str, passes: Passes) -> None:
    assert passes(OURS[name])


@pytest.mark.parametrize("name", THEIRS)
def test_what_is_not_for_us_stays_in_the_kernel(name: str, passes: Passes) -> None:
    assert not passes(THEIRS[name])


def test_of_arp_only_who_speaks_of_itself(passes: Passes) -> None:
    assert passes(ethernet(arp("0.0.0.0", "192.0.2.7"), 0x0806))  # a probe
    assert passes(ethernet(arp("192.0.2.7", "192.0.2.7"), 0x0806))  # an announcement
    assert passes(ethernet(arp("192.0.2.7", "0.0.0.0"), 0x0806))  # an answer to a probe
    assert not passes(ethernet(arp("192.0.2.7", "192.0.2.1"), 0x0806))  # ordinary


def test_a_link_without_a_header_has_the_same_filter_at_octet_0(passes_bare: Passes) -> None:
    for name, frame in OURS.items():
        if "tagged" not in name and "options" not in name:
            assert passes_bare(frame[14:]), name
    for name in ("echo", "mld behind hop-by-hop", "later fragment", "tcp", "dns", "tcp4", "dns4", "nothing"):
        assert not passes_bare(THEIRS[name][14:]), name


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap")), ids=lambda path: path.stem)
def test_no_event_of_a_real_capture_is_kept_back(path: Path, passes: Passes, passes_bare: Passes) -> None:
    capture = open_capture(str(path))
    try:
        for item in capture:
            _, at, link, linktype, data, original = item
            if linktype not in (ETHERNET, RAW) or original > len(data):
                continue
            events = translate(Frame(at, link, linktype, data))
            if events and not isinstance(events[0], ArpSeen):
                assert (passes if linktype == ETHERNET else passes_bare)(data)
    finally:
        capture.close()
