"""Where a capture's octets come from: a file, a pipe, standard input, any of them packed with gzip, xz or bzip2.

Law: octets are handed out in order, in windows of a bounded size, and nothing here fails while reading: what stops
the stream before its end is one sentence in `trouble`, and every octet before it has been handed out.

Windows rather than mmap: one path for files, pipes and packed files, flat in memory (pages of a mapped file count as
ours), and a file that is cut while we read it ends the window instead of the process (SIGBUS). It costs one copy.
"""

import bz2
import io
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

WINDOW = 1 << 18  # octets; stays in a core's own cache: 64 to 256 KiB read alike, 512 KiB a third slower
WINDOW_FIRST = 1 << 12  # octets; merging a thousand rotated files holds a thousand first windows at once
PACKED_PIECE = 1 << 16  # octets given to a decompressor at a time; bounds what a damaged piece loses

GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"
XZ = b"\xfd7zXZ\x00"

Read = Callable[[int], bytes]


class CaptureError(Exception):
    """The file cannot be read at all, or is no capture. The text says what to do about it."""


class _Unpacker(Protocol):
    """What zlib, bz2 and lzma decompressors have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Octets:
    """The octets of one capture, unpacked, in windows. Shape: `fill(rest, need)` until it returns less than `need`.

    size: octets of the file itself, packed as it is; -1 for a pipe. position: how many of them were read.
    packed: "" or the name of the packing. trouble: None, or why the stream stopped before its end.
    """

    def __init__(self, file: io.RawIOBase | io.BufferedIOBase, *, size: int, owned: bool) -> None:
        self.size = size
        self.position = 0
        self.packed = ""
        self.trouble: str | None = None
        self._file = file
        self._owned = owned
        self._once: Read = file.read1 if isinstance(file, io.BufferedIOBase) else self._read_raw
        self._read: Read = self._plain
        self._window = WINDOW_FIRST
        self._head = b""
        self._unpacker: _Unpacker | None = None
        self._new_unpacker: Callable[[], _Unpacker] | None = None
        self._input = b""

    def _read_raw(self, size: int) -> bytes:
        return self._file.read(size) or b""

    def _plain(self, size: int) -> bytes:
        """At most `size` octets of the file; b"" at its end. A pipe gives what it has, so a live one stays live."""
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        try:
            data = self._once(size)
        except (OSError, ValueError) as error:
            self.trouble = f"reading stopped after {self.position} octets: {_reason(error)}"
            return b""
        self.position += len(data)
        return data

    def unpack(self) -> None:
        """Look at the first octets and read the rest through the unpacker that they ask for."""
        head = b""
        while len(head) < len(XZ) and (data := self._plain(len(XZ) - len(head))):
            head += data
        self._head = head
        for magic, name, new in (
            (GZIP, "gzip", lambda: zlib.decompressobj(wbits=31)),
            (BZIP2, "bzip2", bz2.BZ2Decompressor),
            (XZ, "xz", lzma.LZMADecompressor),
        ):
            if head.startswith(magic):
                self.packed = name
                self._new_unpacker = new
                self._unpacker = new()
                self._read = self._unpacked

    def _unpacked(self, size: int) -> bytes:
        """At most `size` unpacked octets; b"" at the end of the last member, or where the packing is damaged."""
        while True:
            unpacker = self._unpacker
            if unpacker is None:
                return b""
            if unpacker.eof:
                rest = unpacker.unused_data + self._input
                while not rest.strip(b"\0"):  # padding (tape blocks) may follow the last member
                    rest = self._plain(PACKED_PIECE)
                    if not rest:
                        self._unpacker = None
                        return b""
                assert self._new_unpacker is not None
                self._input = rest
                self._unpacker = unpacker = self._new_unpacker()
            starving = not self._input
            if starving and getattr(unpacker, "needs_input", True):
                self._input = self._plain(PACKED_PIECE)
                if not self._input:
                    self._unpacker = None
                    self.trouble = self.trouble or f"the {self.packed} stream is cut after {self.position} octets"
                    return b""
            # Only zlib can copy its state; from the copy the octets before the damage are had once more.
            keep = unpacker.copy() if hasattr(unpacker, "copy") else None
            given = self._input
            try:
                data = unpacker.decompress(given, size)
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
                self._unpacker = None
                self.trouble = f"the {self.packed} stream is damaged before octet {self.position}: {_reason(error)}"
                return b"" if keep is None else _salvage(keep, given, size)
            self._input = getattr(unpacker, "unconsumed_tail", b"")
            if data:
                return data

    def fill(self, rest: bytes, need: int) -> bytes:
        """`rest` and what follows it: at least `need` octets, fewer only where the stream ends; at most a window more.

        Never longer than max(need, WINDOW), unless `rest` is.
        """
        size = max(need, self._window)
        if self._window < WINDOW:
            self._window *= 8
        while (lack := size - len(rest)) > 0:
            data = self._read(lack)
            if not data:
                break
            rest += data
            if len(rest) >= need:
                break
        return rest

    def close(self) -> None:
        if self._owned:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _salvage(unpacker: _Unpacker, given: bytes, size: int) -> bytes:
    """What can be had from a damaged piece, octet by octet."""
    found = bytearray()
    try:
        for i in range(len(given)):
            found += unpacker.decompress(given[i : i + 1], 0)
            if len(found) > max(size, PACKED_PIECE) * 4:  # deflate gives up to 1032 for one: stay in bounds
                break
    except zlib.error:
        pass
    return bytes(found)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")


def open_octets(path: str) -> Octets:
    """The octets of the file `path`, or of standard input for `-`. Raises CaptureError if it cannot be opened."""
    if path == "-":
        buffer = getattr(sys.stdin, "buffer", None)
        if buffer is None or sys.stdin.isatty():
            raise CaptureError("standard input is a terminal; pipe a capture into it, or name a file")
        octets = Octets(buffer, size=-1, owned=False)
    else:
        try:
            file = open(path, "rb", buffering=0)  # noqa: SIM115 - the Octets close it
        except (OSError, ValueError) as error:
            raise CaptureError(f"cannot read {path}: {_reason(error)}; {_cure(error)}") from error
        mode = os.fstat(file.fileno())
        octets = Octets(file, size=mode.st_size if stat.S_ISREG(mode.st_mode) else -1, owned=True)
    octets.unpack()
    return octets


def _cure(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "check the name"
        case IsADirectoryError():
            return "name the capture files in it"
        case PermissionError():
            return "ask its owner, or copy it to a place you may read"
        case _:
            return "name another file"
