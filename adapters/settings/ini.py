"""Files of sections with `key=value` lines, as GKeyFile and systemd have them: every line in order, with its number.

Law: nothing is lost and nothing is merged: a section or a key that stands twice is told twice. What each means is its
reader's affair.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from adapters.settings.vocabulary import Rejected


class Line(msgspec.Struct, frozen=True):
    """One assignment. section: as written; part: which one, counted from 0, as a section may stand several times.

    key: "" for the section's own header. where: `FILE:LINE`.
    """

    section: str
    part: int
    key: str
    value: str
    where: str


CONTINUED: Final = "\\"


def read(source: str, path: str, text: str, *, comments: str = "#", continued: bool = False) -> Iterator[Line]:
    """The lines of a file. comments: what begins one; continued: `\\` at the end of a line goes on (systemd.syntax(7)).

    Raises Rejected at a line that is none of these: section, assignment, comment, blank.
    """
    section, part = None, -1
    pending, began = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if pending or (continued and line.endswith(CONTINUED) and line[:1] not in comments):
            if line[:1] in comments and line:
                continue  # a comment within a continued line
            began = began or number
            pending += line.removesuffix(CONTINUED).strip() + " "
            if line.endswith(CONTINUED):
                continue
            line, pending = pending.strip(), ""
        where = f"{path}:{began or number}"
        began = 0
        if not line or line[0] in comments:
            continue
        if line[0] == "[":
            if not line.endswith("]") or len(line) < 3:
                raise Rejected(source, where, "syntax", "a section's name without its closing bracket")
            section, part = line[1:-1], part + 1
            yield Line(section, part, "", "", where)
            continue
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise Rejected(source, where, "syntax", "neither a section, nor key=value, nor a comment")
        if section is None:
            raise Rejected(source, where, "syntax", "a key before the first section")
        yield Line(section, part, key.strip(), value.strip(), where)
    if pending:
        raise Rejected(source, f"{path}:{began}", "syntax", "a line that goes on behind the end of the file")
