"""Captures, opened by whatever format they are in: pcap or pcapng, packed or not, a file or a pipe.

Law: a file that is a capture is never refused for what stands in it; what could be read is given, and `damaged` says
what could not. Only what cannot be opened, or is no capture, is an error (CaptureError).

Whose link a packet is of, in this order: the name the caller gives (`-r LINK=FILE`); the interface's name in a pcapng;
`if0`, `if1`, … by the interface's place in its section. All plain pcap files without a name are `if0`, one link, as
rotation writes them. A pcapng with several interfaces and a given name: the first has the name, the n-th `NAME#n`.
"""

import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

from adapters.ingest import wanted as heard
from events.ids import LinkId
from replay.files.ahead import Ahead
from replay.files.octets import CaptureError, Octets, open_octets
from replay.files.pcap import MAGICS
from replay.files.pcap import walk as walk_pcap
from replay.files.pcapng import SECTION, PcapngWriter, is_link
from replay.files.pcapng import walk as walk_pcapng
from replay.files.walk import READABLE, Custom, Packet, Reading, Wanted, linktype_name

__all__ = [
    "READABLE",
    "Capture",
    "CaptureError",
    "Custom",
    "Packet",
    "PcapngWriter",
    "Wanted",
    "linktype_name",
    "merge",
    "named",
    "open_capture",
]

PLAIN_LINK: Final[LinkId] = "if0"
PCAPNG_MAGIC: Final = SECTION.to_bytes(4, "big")
UNREAD_PACKINGS: Final = {  # what Python 3.11 has no unpacker for -> (its name, what unpacks it)
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -d FILE"),
    b"\x04\x22\x4d\x18": ("lz4", "lz4 -d FILE"),
}


class Capture(Reading):
    """One capture, read once from its beginning to its end or its damage; close it, or use it in a `with`.

    path: as it was asked for. format: `pcap`, `pcapng`, or "" where the file ends too early to tell. The facts of
    Reading are complete when the iterator is exhausted. `size` and `position` are octets of the file as it is packed,
    for a progress bar; size is -1 for a pipe.
    """

    def __init__(self, path: str, octets: Octets, link: LinkId | None) -> None:
        super().__init__()
        self.path = path
        self.packed = octets.packed
        self._octets = octets
        self._link = link
        self._started = False
        self._head = octets.fill(b"", 4)
        magic = self._head[:4]
        if magic in MAGICS:
            self.format = "pcap"
        elif magic == PCAPNG_MAGIC:
            self.format = "pcapng"
        elif len(magic) < 4 and any(known.startswith(magic) for known in (*MAGICS, PCAPNG_MAGIC)):
            self.format = ""
        elif magic in UNREAD_PACKINGS:
            name, command = UNREAD_PACKINGS[magic]
            raise CaptureError(f"{path} is packed with {name}, which is not read here; unpack it: {command}")
        else:
            raise CaptureError(f"{path} is no capture: it begins with {magic.hex(' ')}; name a pcap or pcapng file")

    @property
    def size(self) -> int:
        return self._octets.size

    @property
    def position(self) -> int:
        return self._octets.position

    def __iter__(self) -> Iterator[Packet]:
        """Every packet."""
        return self.frames(None)

    def frames(self, wanted: Wanted | None = heard) -> Iterator[Packet]:
        """The packets that `wanted` says yes to; all are counted. Without an argument those that ingest may know.

        Fastest without an argument: then most others are told apart before they are cut out of the file.
        """
        return cast(Iterator[Packet], self.items(wanted, customs=False))

    def items(
        self, wanted: Wanted | None = None, *, customs: bool = True, ahead: Ahead | None = None
    ) -> Iterator[Packet | Custom]:
        """The same with our custom blocks between them, in file order. ahead: takes packets before they are given."""
        assert not self._started, "a capture is read once; open it again"
        self._started = True
        head, self._head = self._head, b""
        quick = wanted is heard
        if self.format == "pcap":
            yield from walk_pcap(self, self._octets, head, self._link or PLAIN_LINK, wanted, quick, ahead)
        elif self.format == "pcapng":
            yield from walk_pcapng(self, self._octets, head, self._link, wanted, quick, customs, ahead)
        else:
            self.damaged = f"cut at byte {len(head)}, in the file header" if head else "the file is empty"
        if trouble := self._octets.trouble:
            self.damaged = f"{self.damaged}: {trouble}" if self.damaged else trouble

    def close(self) -> None:
        self._octets.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_capture(path: str, *, link: LinkId | None = None) -> Capture:
    """The capture in the file `path`, or on standard input for `-`; link: the name of its (first) link.

    Raises CaptureError if it cannot be opened or is no capture. An empty or damaged one is no error: see `damaged`.
    """
    octets = open_octets(path)
    try:
        return Capture(path, octets, link)
    except BaseException:
        octets.close()
        raise


def named(argument: str) -> tuple[LinkId | None, str]:
    """(link, path) of a command's `[LINK=]FILE`. A file whose whole name is the argument is that file."""
    link, equals, path = argument.partition("=")
    if not equals or not path or not is_link(link) or Path(argument).exists():
        return None, argument
    return link, path


def merge(
    captures: Sequence[Capture], wanted: Wanted | None = heard, *, customs: bool = False
) -> Iterator[tuple[Capture, Packet | Custom]]:
    """Several captures on one timeline: ordered by instant, ties in argument order, read as it goes.

    Each file's own order is kept, also where its clock was set back: it is ordered by the latest instant it reached.
    """
    if len(captures) == 1:
        for item in captures[0].items(wanted, customs=customs):
            yield captures[0], item
        return
    lines = [_line(place, capture, wanted, customs) for place, capture in enumerate(captures)]
    for _, place, item in heapq.merge(*lines):
        yield captures[place], item


def _line(
    place: int, capture: Capture, wanted: Wanted | None, customs: bool
) -> Iterator[tuple[int, int, Packet | Custom]]:
    reached = -1  # before every instant: custom blocks ahead of the first packet come first
    for item in capture.items(wanted, customs=customs):
        if not isinstance(item, Custom) and item[1] > reached:
            reached = item[1]
        yield reached, place, item
