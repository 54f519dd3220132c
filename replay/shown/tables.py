"""Tables for people: upper-case headers, two spaces between columns, no borders, `-` for nothing.

Law: nothing that came from a wire reaches a terminal unescaped, and colour never carries meaning alone.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

_UNSAFE = re.compile(r"[^\x20-\x7e]")

COLOURS: Final = {
    "announced": "36",
    "placed": "32",
    "lingering": "33",
    "gone": "2",
    "+": "32",
    "-": "31",
    "~": "33",
    "title": "1",
}
"""SGR codes by the word they stand with."""


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def escape(text: str) -> str:
    """Printable ASCII only: control characters (also those of a terminal), and letters that imitate others, as \\xNN,
    \\uNNNN or \\UNNNNNNNN."""
    return _UNSAFE.sub(_escaped, text)


def escape_json(text: str) -> str:
    """JSON text in ASCII: what stands outside is inside strings only, and written \\uNNNN (RFC 8259 §7)."""

    def unit(found: re.Match[str]) -> str:
        code = ord(found[0])
        if code < 0x10000:
            return f"\\u{code:04x}"
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"

    return re.sub(r"[^\x0a\x20-\x7e]", unit, text)


class Printer:
    """Prints text and tables. colour: whether SGR codes are used; legend: whether headers and totals are printed."""

    def __init__(self, write: Callable[[str], object], *, colour: bool, legend: bool) -> None:
        self._write = write
        self._colour = colour
        self.legend = legend

    def line(self, text: str = "") -> None:
        """One line, escaped."""
        self._write(escape(text) + "\n")

    def title(self, text: str) -> None:
        """A heading; none without legend."""
        if self.legend:
            self._write(self.paint(escape(text), "title") + "\n")

    def paint(self, text: str, word: str) -> str:
        """Text in the colour of a word; text must be escaped already."""
        return f"\x1b[{COLOURS[word]}m{text}\x1b[0m" if self._colour and word in COLOURS else text

    def coloured(self, text: str, word: str) -> None:
        """One line, escaped, in the colour of a word."""
        self._write(self.paint(escape(text), word) + "\n")

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]], indent: str = "") -> None:
        """A table. `None` and "" are shown as `-`. A cell that is a phase has the phase's colour."""
        texts = [[escape(str(cell)) if cell not in (None, "") else "-" for cell in row] for row in rows]
        shown = [list(headers), *texts] if self.legend else texts
        widths = [max((len(row[at]) for row in shown), default=0) for at in range(len(headers))]
        for number, row in enumerate(shown):
            cells = [
                text if at == len(row) - 1 else text.ljust(width)
                for at, (text, width) in enumerate(zip(row, widths, strict=True))
            ]
            if self.legend and number == 0:
                cells = [self.paint(cell, "title") for cell in cells]
            else:
                cells = [self.paint(cell, text) for cell, text in zip(cells, row, strict=True)]
            self._write((indent + "  ".join(cells)).rstrip() + "\n")
