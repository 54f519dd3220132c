"""What the driver tells the readers of captures of what routers say, so that repetition need not be handed over.

Law: a reader that asks `take` first gives the driver the same packets in the same order as one that does not; those
that were taken wait here, and the driver folds them before anything else.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from adapters.wire.neighbor.lifetimes import ICMPV6_AT, Outline
from events.ids import NEVER, Instant, LinkId, Seq
from pvdcore.routers.words import Leeway, Plan, Slack, Speaker, Words
from replay.files.repeats import take

Entry = tuple[bytes, Words, list[object], object, Seq, list[int]]
"""A frame, the words that it is, where it stands what stands for its router's, and what has to; the record they are,
and where they wait."""

Known = dict[bytes, Entry]
"""Of one link: by the octets of a frame before its ICMPv6 message, the last one that its router may say again."""

Watched = tuple[Slack, Speaker, Plan, Leeway, Outline, bytes, bytes, int, bytes]
"""What a router may say without being read: its slack, what of that is looked at each time, and its outline, for the
twin in C also by its parts: mask and rest as octets, sum, places."""

Outlines = dict[bytes, Watched]
"""Of one link: by the octets of a frame before its ICMPv6 message, what its router said last."""

Fresh = Callable[[Slack, bytes, Seq], Entry]
"""A frame says what the slack lets it say, and will be that record: the words, which stand from now on."""

Turned = Callable[[bytes, Instant, Seq], Entry | None]
"""A frame of a router that is watched, but says something else: the words, if nobody has to read them either."""

Tables = list[tuple[Known, int, int, Outlines, Fresh, Turned] | None]
"""By interface: what is known there, nanoseconds of one unit of its clock, and of its offset, what is watched, and what
to do with that. `None`: nothing."""

Standing = tuple[dict[Speaker, list[object]], dict[Speaker, Plan]]
"""What stands for the last words of each router (`Engine.standing`, `Engine.plans`)."""

Gathered = tuple[list[Words], "array[int]", "array[int]", "array[int]"]
"""Of packets that were taken: the words that did not wait before; of each the record it is like, instant, number."""

GATHERED_MAX: Final = 4096  # packets that wait to be folded: enough that what is done once for all of them is nothing
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

    count: how many packets were taken. span: which instants, from the first to before the second, and how many packets
    may be taken (`Engine.quiet`). ways(link, linktype, known): what is done with what is watched there. hopeful:
    whether asking `take` is worth it; where nothing is ever the same it is not, until somebody says `hope` again.
    """

    def __init__(self, standing: Standing, ways: Callable[[LinkId, int, Known], tuple[Fresh, Turned]]) -> None:
        self.count = 0
        self.span: tuple[Instant, Instant, int] = (0, 0, 0)
        self._said: list[Words] = []
        self._likes, self._ats, self._packets = (array("q", bytes(8 * GATHERED_MAX)) for _ in range(3))
        self._next: Seq = 0  # the record that the first packet will be that is taken
        self.hopeful = True
        self._failures = 0
        self._standing = standing
        self._ways = ways
        self._links: dict[tuple[LinkId, int], tuple[Known, Outlines, Fresh, Turned]] = {}
        self._known = 0
        self._order, self._head = "<", 0
        self._tables: Tables = []

    def known(self, link: LinkId, linktype: int) -> Known:
        """What is known of a link."""
        return self._link(link, linktype)[0]

    def remember(self, known: Known, data: bytes, words: Words) -> Entry:
        """A whole frame of a link says these words."""
        head = data[:ICMPV6_AT]
        if head not in known:
            if self._known >= WORDS_MAX:
                for one, *_ in self._links.values():
                    one.clear()
                self._known = 0
            self._known += 1
        standing = self._standing[0][words.speaker]
        entry = known[head] = (data, words, standing, words.standing, words.seq, words.waits)
        return entry

    def words(self, link: LinkId, linktype: int, data: bytes) -> Words | None:
        """The words of a whole frame, if they are known and stand."""
        found = self._link(link, linktype)[0].get(data[:ICMPV6_AT])
        return found[1] if found is not None and found[0] == data and found[2] and found[2][0] is found[3] else None

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
        entry = self._link(link, linktype)[3](data, at, self.seq)
        return entry[1] if entry is not None else None

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

    def open(self, span: tuple[Instant, Instant, int], seq: Seq) -> None:
        """What may be taken from now on; the first of it will be record `seq`."""
        first, before, room = span
        self.span = first, before, min(room, GATHERED_MAX)
        self._next = seq

    @property
    def seq(self) -> Seq:
        """The record that the next packet will be that is taken."""
        return self._next + self.count

    @property
    def packet(self) -> int:
        """The number of the last packet that was taken."""
        return self._packets[self.count - 1]

    def take(self, window: bytes, at: int, number: int) -> tuple[int, int]:
        """Take what may be taken: see replay/files/repeats.py."""
        _, before, room = self.span
        if room < 1:
            return at, -1
        done, places = self.count, (number, self.count, self.seq)
        columns = (self._said, self._likes, self._ats, self._packets)
        after, last, self.count = take(
            window, at, self._order, self._head, places, self._tables, self._standing[1], self.span, columns
        )
        if last < 0:
            self._failures += 1
            self.hopeful = self._failures < FAILURES_MAX
        else:
            self._failures = 0
            self.span = (self._ats[self.count - 1], before, room - self.count + done)
        return after, last

    def gather(self, at: Instant, packet: int, words: Words | None = None, records: int = 1) -> None:
        """Take one packet more: of these words, or one that says its own; until a checkpoint it counts as so many
        records."""
        seq, place = self.seq, self.count
        if words is not None:
            if not words.waits[1]:
                self._said.append(words)
            words.waits[:] = at, seq
        self._likes[place] = seq if words is None else words.seq
        self._ats[place], self._packets[place] = at, packet
        self.count = place + 1
        self.span = (at, self.span[1], self.span[2] - records)

    def gathered(self) -> Gathered:
        """What was taken; nothing is, from now on."""
        said, count = self._said, self.count
        self._said, self._next, self.count = [], self.seq, 0
        return said, self._likes[:count], self._ats[:count], self._packets[:count]

    def hope(self) -> None:
        """A frame came again."""
        self._failures, self.hopeful = 0, True

    def _link(self, link: LinkId, linktype: int) -> tuple[Known, Outlines, Fresh, Turned]:
        found = self._links.get((link, linktype))
        if found is None:
            known: Known = {}
            found = self._links[link, linktype] = (known, {}, *self._ways(link, linktype, known))
        return found
