"""What the driver tells the readers of captures of what routers say, so that repetition need not be handed over; nor
need the renewals between them that nobody reads.

Law: a reader that asks `take` first gives the driver the same packets in the same order as one that does not; those
that were taken wait here, and the driver folds them before anything else.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from adapters.wire.neighbor.lifetimes import ICMPV6_AT, Outline, soonest
from events.frames import ETHERNET
from events.ids import NEVER, Instant, LinkId, Seq
from events.router import RouterAdvertised
from pvdcore.routers.revised import SHAPES_MAX
from pvdcore.routers.words import WAITS, Leeway, Plan, Slack, Speaker, Words
from replay.files.repeats import Known, take

Watched = tuple[Slack, Speaker, Plan, Leeway, Outline, bytes, bytes, int, bytes]
"""What a router may say without being read: its slack, what of that is looked at each time, and its outline, for the
twin in C also by its parts: mask, masked, sum, places."""

Entry = tuple[bytes, Words, list[object], object, Seq, bytearray, list[Watched]]
"""A frame, the words that it is, where something stands for them, and what has to; the record they are, and where they
wait; what their router may say else."""

Read = Callable[[bytes], RouterAdvertised]
"""The RA of a frame of a link that is known to be one."""

Turned = Callable[[Slack, int, Instant, Seq, Instant], bool]
"""Whether a router may say that now, behind words of another plan: its slack, its shortest lifetime in seconds, when,
and as which record; when those waiting here were said, 0 if there are none or they are not known."""

Unread = Callable[[bytes, Instant, Seq, int], int]
"""Whether a frame to a DHCPv4 port waits unread: its octets, when, as which record, and how many records more may be
gathered until a checkpoint. As how many of those it counts; 0: it does not wait."""

Where = tuple[LinkId, int]
"""A link and the type of its frames."""

Table = tuple[Known, int, int, Where, Read | None, Turned, Unread | None]
Tables = list[Table | None]
"""By interface: what is known there, nanoseconds of one unit of its clock, and of its offset, whose frames they are,
how what only moves lifetimes is read (`None`: such is not taken), whether other words may follow, and whether DHCPv4
waits (`None`: it does not). `None`: nothing."""

Fresh = tuple[Seq, Where, bytes]
"""A frame that was not known: the record it will be, and whose it is."""

Standing = tuple[dict[Speaker, list[object]], dict[Speaker, Plan]]
"""What stands for the last words of each router (`Engine.standing`, `Engine.plans`)."""

Gathered = tuple[list[Words], list[Fresh], "array[int]", "array[int]", "array[int]"]
"""Of packets that were taken: the words that did not wait before, the frames that were not known; of each the record it
is like, instant, number."""

GATHERED_MAX: Final = 4096  # packets that wait to be folded: enough that what is done once for all of them is nothing
KNOWN_MAX: Final = 8192  # routers: each of a hundred links' eighty; 16 MiB, and 8 MiB for each set of words in turn
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
    may be taken (`Engine.quiet`). turned, reader(link, linktype), unread(link): see Turned, Read and Unread. hopeful:
    whether asking `take` is worth it; where nothing is ever the same it is not, until somebody says `hope` again.
    """

    def __init__(
        self,
        standing: Standing,
        turned: Turned,
        reader: Callable[[LinkId, int], Read | None] = lambda *_: None,
        unread: Callable[[LinkId], Unread | None] = lambda _: None,
    ) -> None:
        self.count = 0
        self.span: tuple[Instant, Instant, int] = (0, 0, 0)
        self._said: list[Words] = []
        self._fresh: list[Fresh] = []
        self._likes, self._ats, self._packets = (array("q", bytes(8 * GATHERED_MAX)) for _ in range(3))
        self._next: Seq = 0  # the record that the first packet will be that is taken
        self.hopeful = True
        self._failures = 0
        self._standing = standing
        self._turned, self._reader, self._unread = turned, reader, unread
        self._links: dict[Where, Known] = {}
        self._known = 0
        self._order, self._head = "<", 0
        self._tables: Tables = []

    def remember(self, link: LinkId, linktype: int, data: bytes, words: Words) -> None:
        """A whole frame says these words."""
        known, head = self._link(link, linktype), data[:ICMPV6_AT]
        if (found := known.get(head)) is None:
            self._new()
        watched, stands = found[6] if found is not None else [], self._standing[0].get(words.speaker, [])
        known[head] = (data, words, stands, words.standing, words.seq, words.waits, watched)

    def words(self, link: LinkId, linktype: int, data: bytes) -> Words | None:
        """The words of a whole frame, if they are known and stand."""
        found = self._link(link, linktype).get(data[:ICMPV6_AT])
        return found[1] if found is not None and found[0] == data and found[2] and found[2][0] is found[3] else None

    def watch(self, link: LinkId, linktype: int, data: bytes, slack: Slack, outline: Outline) -> None:
        """What the router of a frame may say from now on: this, and what it may say in turn with it."""
        known, head, speaker = self._link(link, linktype), data[:ICMPV6_AT], slack.speaker
        found = known.get(head)
        if found is None:
            self._new()
            found = known[head] = (b"", Words(speaker, 0, b""), [], b"", 0, bytearray(WAITS.size), [])
        octets = (outline.mask, outline.masked, outline.sum, outline.places)
        watched, leeway = found[6], slack.plan.leeway
        turns = [one for one in watched if one[3] is leeway and one[2] is not slack.plan]
        watched[:] = (slack, speaker, slack.plan, leeway, outline, *octets), *turns[: SHAPES_MAX - 1]

    def unwatch(self) -> None:
        """Nothing is watched any more."""
        for known in self._links.values():
            for _, entry in known.items():
                entry[6].clear()

    def slack(self, link: LinkId, linktype: int, data: bytes) -> tuple[Slack, Outline, int] | None:
        """What lets a router say a frame that only moves lifetimes, its outline, and the shortest of those in
        seconds."""
        found = self._link(link, linktype).get(data[:ICMPV6_AT])
        for watched in found[6] if found is not None else ():
            lifetime_s = soonest(watched[4], data)
            if lifetime_s:
                return watched[0], watched[4], lifetime_s
        return None

    def section(self, order: str, head: int, clocks: Sequence[Clock | None]) -> None:
        """What the next packets look like: byte order, octets of a pcap's record header (0: a pcapng), interfaces."""
        self._order, self._head = order, head
        self._tables = []
        for one in clocks:
            if one is None or abs(one.offset) >= NEVER:
                self._tables.append(None)
                continue
            where, known = (one.link, one.linktype), self._link(one.link, one.linktype)
            unread = self._unread(one.link) if one.linktype == ETHERNET else None
            self._tables.append((known, one.unit, one.offset, where, self._reader(*where), self._turned, unread))

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
        places = (number, self.count, self.seq)
        columns = (self._said, self._fresh, self._likes, self._ats, self._packets)
        after, last, self.count, room = take(
            window, at, self._order, self._head, places, self._tables, self._standing, self.span, columns
        )
        if last < 0:
            self._failures += 1
            self.hopeful = self._failures < FAILURES_MAX
        else:
            self._failures = 0
            self.span = (self._ats[self.count - 1], before, room)
        return after, last

    def keep(self, seq: Seq, where: Where, data: bytes) -> None:
        """A frame was not known that is, or will be, taken as that record."""
        self._fresh.append((seq, where, data))

    def gather(self, at: Instant, packet: int, words: Words | None = None, records: int = 1) -> None:
        """Take one packet more: of these words, or one that says its own; until a checkpoint it counts as so many
        records."""
        seq, place = self.seq, self.count
        if words is not None:
            if words.wait(at, seq):
                self._said.append(words)
        self._likes[place] = seq if words is None else words.seq
        self._ats[place], self._packets[place] = at, packet
        self.count = place + 1
        self.span = (at, self.span[1], self.span[2] - records)

    def gathered(self) -> Gathered:
        """What was taken; nothing is, from now on."""
        said, fresh, count = self._said, self._fresh, self.count
        self._said, self._fresh, self._next, self.count = [], [], self.seq, 0
        return said, fresh, self._likes[:count], self._ats[:count], self._packets[:count]

    def hope(self) -> None:
        """A frame came again."""
        self._failures, self.hopeful = 0, True

    def _link(self, link: LinkId, linktype: int) -> Known:
        found = self._links.get((link, linktype))
        if found is None:
            found = self._links[link, linktype] = Known()
        return found

    def _new(self) -> None:
        """There is one router more."""
        if self._known >= KNOWN_MAX:
            for known in self._links.values():
                known.clear()
            self._known = 0
        self._known += 1
