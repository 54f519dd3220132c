"""No input costs more than its octets are worth: work and memory, counted and not timed, for every row of part E.

Law: work is the number of lines of Python that run, memory the most that is held at once; both are linear in the
octets that came, whatever these claim. Octets are read by decoders that have not seen them before.
"""

from __future__ import annotations

import random
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import pytest

from adapters.ingest import translate
from adapters.wire.cursor import Malformed
from adapters.wire.pvdinfo import read_info
from events.frames import NETLINK as NETLINK_LINKTYPE
from events.frames import Frame
from tests.fuzz.targets import COOKED_NETLINK
from tests.wire import packets as p
from tests.wire.dhcp_octets import decode4, decode6
from tests.wire.hostile import HOSTILE
from tests.wire.hostile_dhcp import DHCP4, DHCP6
from tests.wire.hostile_json import JSON
from tests.wire.hostile_netlink import NETLINK

LINES_AN_OCTET: Final = 12  # the costliest, names of one octet, take six
LINES_BESIDE: Final = 2000  # headers, and a first use that makes a pattern or a table
MEMORY_AN_OCTET: Final = 100
MEMORY_BESIDE: Final = 1 << 19


def cost(read: Callable[[Any], object], given: Any) -> tuple[int, int]:
    """(lines run, octets held at the most) of reading it."""
    lines = 0

    def count(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    tracemalloc.start()
    sys.settrace(count)
    try:
        read(given)
    except Malformed:  # refused, which may cost as much
        pass
    finally:
        sys.settrace(before)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return lines, peak


def excess(read: Callable[[Any], object], given: Any, octets: int) -> str:
    """What it costs too much, or nothing."""
    lines, peak = cost(read, given)
    if lines > LINES_BESIDE + LINES_AN_OCTET * octets:
        return f"{lines} lines for {octets} octets"
    return f"{peak} octets held for {octets}" if peak > MEMORY_BESIDE + MEMORY_AN_OCTET * octets else ""


def carried(octets: bytes) -> Frame:
    return p.frame(p.ethernet(p.ipv6(p.sealed(octets, p.ROUTER, p.NODES))))


SMALLEST = p.option(200, bytes(6))
NAMES = b"\x1f\xff" + bytes(6) + b"\x01a\0" * 677 + b"\0"
LARGEST = [
    carried(p.header() + SMALLEST * 8189),
    carried(p.header() + p.pvd(p.name("x.example"), *[SMALLEST] * 250) * 32),
    carried(p.header() + NAMES * 32),
    carried(p.header() + p.pvd(p.name("x.example"), *[NAMES[:1] + b"\x01" + bytes(6)] * 252) * 32),
    carried(p.header() + random.Random(7).randbytes(65000)),
]
READ: dict[str, tuple[Callable[[Any], object], list[tuple[Any, int]]]] = {
    "packets": (translate, [(case.frame, len(case.frame.data)) for case in HOSTILE]),
    "the largest packets": (translate, [(frame, len(frame.data)) for frame in LARGEST]),
    "DHCPv4": (decode4, [(row[2], len(row[2])) for row in DHCP4]),
    "DHCPv6": (decode6, [(row[2], len(row[2])) for row in DHCP6]),
    "netlink": (
        translate,
        [(Frame(0, "nl", NETLINK_LINKTYPE, COOKED_NETLINK + row[2]), len(row[2]) + 16) for row in NETLINK],
    ),
    "Additional Information": (read_info, [(row[2], len(row[2])) for row in JSON]),
}


@pytest.mark.parametrize("what", READ)
def test_work_and_memory_are_linear_in_what_came(what: str) -> None:
    read, rows = READ[what]
    assert [found for given, octets in rows if (found := excess(read, given, octets))] == []


def test_work_and_memory_that_are_not_linear_are_noticed() -> None:
    def again_and_again(octets: bytes) -> None:
        for _ in octets:
            for _ in octets:
                pass

    def hoard(octets: bytes) -> list[bytes]:
        return [bytes(1000) for _ in octets]

    octets = bytes(2000)
    assert "lines for 2000" in excess(again_and_again, octets, len(octets))
    assert "held for 2000" in excess(hoard, octets, len(octets))
    assert excess(bytes, octets, len(octets)) == ""
