"""What the driver tells the readers of captures of what routers say, so that repetition need not be handed over.

Law: a reader that asks `take` first gives the driver the same packets in the same order as one that does not; those
that were taken wait here, and the driver folds them before anything else.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from events.ids import NEVER, Instant, LinkId
from pvdcore.routers.words import Speaker, Unread, Words
from replay.files.repeats import take

Known = dict[bytes, tuple[Words, Speaker, object]]
"""Of one link: octets of a frame -> the words they are, whose, and what has to stand for them."""

Tables = list[tuple[Known, int, int] | None]
"""By interface: what is known there, nanoseconds of one unit of its clock, and of its offset. `None`: nothing."""

Gathered = tuple[list[Words | Unread], list[Instant], list[int]]
"""Of packets that were taken: the words, the instants, the numbers."""

WORDS_MAX: Final = 8192  # frames of routers that are known again: each of a hundred links' eighty; 4 MiB
FAILURES_MAX: Final = 8  # in a row: after so many frames that are not known, the next is probably not either


class Clock(msgspec.Struct, frozen=True):
    """An interface: whose link, and how its stamps count. unit, offset: nanoseconds."""

    link: LinkId
    linktype: int
    unit: int
    offset: int = 0


class Ahead:
    """The words that may come again in one capture, and those that have.

    said, ats, packets: what was taken. span: which instants, from the first to before the second, and how many packets
    may be taken (`Engine.quiet`). standing: of the engine. hopeful: whether asking `take` is worth it; where nothing is
    ever the same it is not, until somebody says `hope` again.
    """

    def __init__(self, standing: dict[Speaker, object]) -> None:
        self.said: list[Words | Unread] = []
        self.ats: list[Instant] = []
        self.packets: list[int] = []
        self.span: tuple[Instant, Instant, int] = (0, 0, 0)
        self.hopeful = True
        self._failures = 0
        self._standing = standing
        self._known: dict[tuple[LinkId, int], Known] = {}
        self._count = 0
        self._order, self._head = "<", 0
        self._tables: Tables = []

    def remember(self, link: LinkId, linktype: int, data: bytes, words: Words) -> None:
        """A whole frame says these words."""
        if self._count >= WORDS_MAX:
            for table in self._known.values():
                table.clear()
            self._count = 0
        self._count += 1
        self._table(link, linktype)[data] = (words, words.speaker, words.standing)

    def words(self, link: LinkId, linktype: int, data: bytes) -> Words | None:
        """The words of a whole frame, if they are known and stand."""
        found = self._known.get((link, linktype), {}).get(data)
        return found[0] if found is not None and self._standing.get(found[1]) is found[2] else None

    def section(self, order: str, head: int, clocks: Sequence[Clock | None]) -> None:
        """What the next packets look like: byte order, octets of a pcap's record header (0: a pcapng), interfaces."""
        self._order, self._head = order, head
        self._tables = [
            None
            if one is None or abs(one.offset) >= NEVER
            else (self._table(one.link, one.linktype), one.unit, one.offset)
            for one in clocks
        ]

    def take(self, window: bytes, at: int, number: int) -> tuple[int, int]:
        """Take what may be taken: see replay/files/repeats.py."""
        _, before, room = self.span
        if room < 1:
            return at, -1
        taken, done = (self.said, self.ats, self.packets), len(self.ats)
        after, last = take(window, at, self._order, self._head, number, self._tables, self._standing, self.span, taken)
        if last < 0:
            self._failures += 1
            self.hopeful = self._failures < FAILURES_MAX
        else:
            self._failures = 0
            self.span = (self.ats[-1], before, room - len(self.ats) + done)
        return after, last

    def gather(self, words: Words | Unread, at: Instant, packet: int, records: int = 1) -> None:
        """Take one packet more; until a checkpoint it counts as so many records."""
        self.said.append(words)
        self.ats.append(at)
        self.packets.append(packet)
        self.span = (at, self.span[1], self.span[2] - records)

    def hope(self) -> None:
        """A frame came again."""
        self._failures, self.hopeful = 0, True

    def _table(self, link: LinkId, linktype: int) -> Known:
        return self._known.setdefault((link, linktype), {})
