"""What the driver tells the readers of captures of what routers say, so that repetition need not be handed over.

Law: a reader that asks `take` first gives the driver the same packets in the same order as one that does not; those
that were taken wait here, and the driver folds them before anything else.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from adapters.wire.neighbor.lifetimes import ICMPV6_AT, Outline
from events.ids import NEVER, Instant, LinkId
from pvdcore.routers.words import Leeway, Plan, Slack, Speaker, Unread, Words
from replay.files.repeats import take

Entry = tuple[Words, Speaker, object]
"""The words that a frame is, whose, and what has to stand for them."""

Known = dict[bytes, Entry]
"""Of one link: by octets of a frame."""


Watched = tuple[Slack, Speaker, Plan, Leeway, Outline, bytes, bytes, int, bytes]
"""What a router may say without being read: its slack, what of that is looked at each time, and its outline, for the
twin in C also by its parts: mask and rest as octets, sum, places."""

Outlines = dict[bytes, Watched]
"""Of one link: by the octets of a frame before its ICMPv6 message, what its router said last."""

Fresh = Callable[[Slack, bytes], Entry]
"""A frame says what the slack lets it say: the words, which stand from now on."""

Turned = Callable[[bytes, Instant], Entry | None]
"""A frame of a router that is watched, but says something else: the words, if nobody has to read them either."""

Tables = list[tuple[Known, int, int, Outlines, Fresh, Turned] | None]
"""By interface: what is known there, nanoseconds of one unit of its clock, and of its offset, what is watched, and what
to do with that. `None`: nothing."""

Standing = tuple[dict[Speaker, object], dict[Speaker, Plan]]
"""What stands for the last words of each router (`Engine.standing`, `Engine.plans`)."""

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
    may be taken (`Engine.quiet`). ways(link, linktype, known): what is done with what is watched there. hopeful:
    whether asking `take` is worth it; where nothing is ever the same it is not, until somebody says `hope` again.
    """

    def __init__(self, standing: Standing, ways: Callable[[LinkId, int, Known], tuple[Fresh, Turned]]) -> None:
        self.said: list[Words | Unread] = []
        self.ats: list[Instant] = []
        self.packets: list[int] = []
        self.span: tuple[Instant, Instant, int] = (0, 0, 0)
        self.hopeful = True
        self._failures = 0
        self._standing = standing
        self._ways = ways
        self._links: dict[tuple[LinkId, int], tuple[Known, Outlines, Fresh, Turned]] = {}
        self._count = 0
        self._order, self._head = "<", 0
        self._tables: Tables = []

    def known(self, link: LinkId, linktype: int) -> Known:
        """What is known of a link."""
        return self._link(link, linktype)[0]

    def remember(self, known: Known, data: bytes, words: Words) -> Entry:
        """A whole frame of a link says these words."""
        if self._count >= WORDS_MAX:
            for one, *_ in self._links.values():
                one.clear()
            self._count = 0
        self._count += 1
        entry = known[data] = (words, words.speaker, words.standing)
        return entry

    def words(self, link: LinkId, linktype: int, data: bytes) -> Words | None:
        """The words of a whole frame, if they are known and stand."""
        found = self._link(link, linktype)[0].get(data)
        return found[0] if found is not None and self._standing[0].get(found[1]) is found[2] else None

    def watch(self, link: LinkId, linktype: int, slack: Slack, outline: Outline) -> None:
        """What a router says from now on, but for lifetimes."""
        mask, rest = outline.mask.to_bytes(outline.size, "big"), outline.rest.to_bytes(outline.size, "big")
        octets = (mask, rest, outline.sum, outline.places)
        watched = (slack, slack.speaker, slack.plan, slack.plan.leeway, outline, *octets)
        self._link(link, linktype)[1][rest[:ICMPV6_AT]] = watched

    def unwatch(self) -> None:
        """Nothing is watched any more."""
        for _, outlines, *_ in self._links.values():
            outlines.clear()

    def turned(self, link: LinkId, linktype: int, data: bytes, at: Instant) -> Words | None:
        """The words of a frame that nobody has to read."""
        entry = self._link(link, linktype)[3](data, at)
        return entry[0] if entry is not None else None

    def section(self, order: str, head: int, clocks: Sequence[Clock | None]) -> None:
        """What the next packets look like: byte order, octets of a pcap's record header (0: a pcapng), interfaces."""
        self._order, self._head = order, head
        self._tables = []
        for one in clocks:
            if one is None or abs(one.offset) >= NEVER:
                self._tables.append(None)
                continue
            known, outlines, fresh, turned = self._link(one.link, one.linktype)
            self._tables.append((known, one.unit, one.offset, outlines, fresh, turned))

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

    def _link(self, link: LinkId, linktype: int) -> tuple[Known, Outlines, Fresh, Turned]:
        found = self._links.get((link, linktype))
        if found is None:
            known: Known = {}
            found = self._links[link, linktype] = (known, {}, *self._ways(link, linktype, known))
        return found
