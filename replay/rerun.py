"""The offline driver: captures through the same engine as the daemon's input, with the packets' own time.

Law: nothing is decided here but in which order packets come and when they count as heard. The same captures and policy
give the same records, byte for byte.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Final

import msgspec
from msgspec.structs import replace

from adapters.ingest import Translator, transaction, translate, wanted
from adapters.sqlite import SqliteJournal
from adapters.wire.neighbor import lifetimes
from adapters.wire.neighbor.lifetimes import Outline
from events.codec import AnyEvent, decode, encode
from events.dhcp import Dhcp4MessageSeen
from events.frames import ETHERNET, Frame, FrameRejected
from events.ids import Instant, LinkId, Seq
from events.link import LinkSeen
from events.operator import PolicySet
from events.record import Provenance, Record
from events.router import RouterAdvertised
from events.session import SessionStarted
from pvdcore.engine import Engine
from pvdcore.leases.renewals import ASKED_MAX, KNOWN_MAX, Renewal
from pvdcore.past.audit import state_digest, without_collector
from pvdcore.policy import DEFAULT, Value, check
from pvdcore.ports import Journal
from pvdcore.reduce import AHEAD_MAX
from pvdcore.routers.words import Slack
from pvdcore.state import State
from replay.files.ahead import Ahead, Fresh, Read
from replay.files.captures import Capture, Custom, Packet, merge, named, open_capture
from replay.scratch import ScratchJournal

PROGRESS_EVERY: Final = 8192  # packets between two calls of `progress`: often enough for a bar, too rare to cost
FORMS_MAX: Final = 16_384  # outlines whose bodies are made without reading: 12 MiB
WRITTEN_MAX: Final = 512  # packets that wait to be written down: what they count until a checkpoint is known then


class CaptureFacts(msgspec.Struct, frozen=True):
    """What is known of one capture after it was read. first, last: `None` if it holds no packet."""

    file: str
    packets: int
    frames: int
    rejected: int
    first: Instant | None
    last: Instant | None
    damaged: str | None
    unreadable_linktypes: dict[int, int] = {}


class Run(msgspec.Struct, frozen=True):
    """A finished replay: its journal, the State as of the last packet, and what the captures were like."""

    journal: Journal
    state: State
    captures: tuple[CaptureFacts, ...]


class Carried(msgspec.Struct, frozen=True):
    """A record that an export carries in a custom block: the ones that came in no frame."""

    seq: int
    at: Instant
    v: int
    provenance: Provenance
    event: msgspec.Raw


def rerun(
    specs: Sequence[str],
    *,
    policy: dict[str, Value] | None = None,
    journal: Journal | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """Fold captures, each `[LINK=]FILE` or `-`, on one timeline.

    policy: knobs by name; journal: where the records go (an empty one). progress: called with octets read and in all.
    Raises CaptureError for what can't be opened or is no capture, PolicyError for a knob that can't be.
    """
    values = {name: check(name, value) for name, value in (policy or {}).items()}
    captures: list[Capture] = []
    try:
        for spec in specs:
            link, path = named(spec)
            captures.append(open_capture(path, link=link))
        kept = journal if journal is not None else ScratchJournal(translate)
        driver = _Driver(captures, Engine(kept, kept=journal is not None), values)
        with without_collector():
            driver.run(progress)
        kept.commit()
        return Run(kept, driver.engine.state, driver.facts())
    finally:
        for capture in captures:
            capture.close()


def rerun_separately(specs: Sequence[str], *, policy: dict[str, Value] | None = None) -> list[Run]:
    """Fold each capture on its own (`--separate`)."""
    return [rerun([spec], policy=policy) for spec in specs]


def _read(link: LinkId, linktype: int, data: bytes) -> RouterAdvertised:
    """The RA of a frame that is known to be one."""
    (event,) = translate(Frame(0, link, linktype, data))
    assert isinstance(event, RouterAdvertised)
    return event


Pair = tuple[Capture, Packet | Custom]
Renewing = tuple[Renewal, bool, Dhcp4MessageSeen]
"""An exchange that may come again, whether a message is its answer, and what it says."""


class _Memory:
    """What is remembered of one capture: what "first interface heard" means is a matter of one file.

    ahead: what routers may say again as cheaply, and have. forms: how that is written down. asked: DHCPv4 requests by
    their transaction, and what their frames say beside it (`exchange`), until they are answered. renewals: by that,
    those that may come again, and whether it is the answer.
    """

    def __init__(self, capture: Capture, ahead: Callable[["_Memory"], Ahead]) -> None:
        self.translator = Translator()
        self.source = capture.path.rsplit("/", 1)[-1]
        self.frames = 0
        self.rejected = 0
        self.ahead = ahead(self)
        self.forms: dict[Outline, bytes | None] = {}
        self.asked: dict[tuple[LinkId, str, int], tuple[bytes | None, Dhcp4MessageSeen]] = {}
        self.renewals: dict[tuple[LinkId, bytes], Renewing] = {}


class _Driver:
    def __init__(self, captures: list[Capture], engine: Engine, policy: dict[str, Value]) -> None:
        self.captures = captures
        self.engine = engine
        self.policy = policy
        journal = engine.journal
        self.keep = journal.keep if isinstance(journal, ScratchJournal) else None
        self.write = journal.keep if isinstance(journal, SqliteJournal) else None
        self.memories = {id(capture): _Memory(capture, self._ahead) for capture in captures}
        self.host = engine.host
        self.links: set[LinkId] = set()
        self.adopting = False
        self.lived = False  # whether it is the export of a live session: its frames are dated by the session's clock
        self.doubted: set[Instant] = set()
        self.reached: Instant = 0
        self.held: tuple[Capture, Packet] | None = None  # a packet whose date its follower has to confirm
        self.started = False

    def run(self, progress: Callable[[int, int], None] | None) -> None:
        """Fold all packets: what a router says again is gathered, everything else goes through `_take`."""
        total = sum(max(capture.size, 0) for capture in self.captures)
        due = PROGRESS_EVERY
        current = self.captures[0]
        memory = self.memories[id(current)]
        pairs: Iterator[Pair] = merge(self.captures, customs=True)
        if len(self.captures) == 1:
            pairs = zip(repeat(current), current.items(wanted, ahead=memory.ahead), strict=False)
        for capture, item in pairs:
            if capture is not current:
                self._again(memory)
                current, memory = capture, self.memories[id(capture)]
                memory.ahead.open(self._quiet(), self.engine.seq + 1)
            if isinstance(item, Custom) or not self._waits(memory, item):
                self._again(memory)
                self._take(capture, item)
                memory.ahead.open(self._quiet(), self.engine.seq + 1)
            if progress is not None and sum(one.packets for one in self.captures) >= due:
                due += PROGRESS_EVERY
                progress(sum(one.position for one in self.captures), total)
        self._again(memory)
        if self.held is not None:
            self._packet(*self.held, self._credible(self.held[1][1], None))
        self._finish()

    def _ahead(self, memory: _Memory) -> Ahead:
        engine = self.engine

        def turned(slack: Slack, lifetime_s: int, at: Instant, seq: Seq, said_at: Instant) -> bool:
            if not said_at and seq > engine.seq + 1 and engine.turns(slack):
                return False
            return engine.allows(slack, lifetime_s, at, said_at)

        def reader(link: LinkId, linktype: int) -> Read | None:
            return partial(_read, link, linktype) if self.keep or self.write else None

        def unread(link: LinkId, data: bytes, at: Instant, seq: Seq, room: int) -> int:
            octets = memory.translator.exchange(ETHERNET, data, -1)
            renewal = memory.renewals.get((link, octets)) if octets is not None else None
            weight = engine.weight(len(data))
            if renewal is None or weight > room or not self._renews(memory, link, data, renewal, at, seq):
                return 0
            return weight

        return Ahead((engine.standing, engine.plans), turned, reader, lambda link: partial(unread, link))

    def _quiet(self) -> tuple[Instant, Instant, int]:
        """(first, before, packets): repeats from `first` on and before `before` may wait, of so many packets."""
        first, before, room = self.engine.quiet()
        if self.engine.host is not self.host:  # nobody may be watched as he was
            self.host = self.engine.host
            for memory in self.memories.values():
                memory.ahead.unwatch()
                memory.forms.clear()
        if self.held is not None or not self.reached or room < 1:
            return 0, 0, 0
        room = min(room, WRITTEN_MAX) if self.write else room
        return max(first, self.reached), min(before, self.reached + AHEAD_MAX + 1), room

    def _again(self, memory: _Memory) -> None:
        """Fold what was gathered."""
        ahead = memory.ahead
        if ahead.count:
            memory.frames += ahead.count
            self.reached = ahead.span[0]
            said, fresh, *columns = ahead.gathered()
            self._keep(memory, fresh)
            self.engine.again(said, *columns)

    def _keep(self, memory: _Memory, fresh: list[Fresh]) -> None:
        """Give the journal frames that only move lifetimes."""
        if fresh and self.keep is not None:
            self.keep(fresh, memory.source)
        elif self.write is not None:
            for seq, where, data in fresh:
                self.engine.weigh(len(data))
                self.write(seq, self._body(memory, *where, data), where[1], data, memory.source)

    def _body(self, memory: _Memory, link: LinkId, linktype: int, data: bytes) -> bytes:
        """What the event of a frame that only moves lifetimes is stored as."""
        found = memory.ahead.slack(link, linktype, data)
        if found is None:
            return encode(_read(link, linktype, data))
        slack, outline, _ = found
        form = memory.forms.get(outline)
        made = lifetimes.said(outline, form, data) if form is not None else None
        if made is None:
            event = _read(link, linktype, data)
            if outline not in memory.forms:
                if len(memory.forms) >= FORMS_MAX:
                    memory.forms.clear()
                memory.forms[outline] = lifetimes.form(event, slack.free)
            made = encode(event)
        return made

    def _waits(self, memory: _Memory, packet: Packet) -> bool:
        """Whether a packet says nothing that anybody has to read now; then it is gathered."""
        _, _, link, linktype, data, original_length = packet
        if original_length != -1:
            return False
        octets = memory.translator.exchange(linktype, data, -1)
        if octets is None:
            return self._gather(memory, packet) or self._recount(memory, packet)
        found = memory.renewals.get((link, octets))
        return found is not None and self._renew(memory, packet, found)

    def _gather(self, memory: _Memory, packet: Packet) -> bool:
        """Whether a packet that no reader took is one that may be gathered all the same; then it is."""
        number, at, link, linktype, data, _ = packet
        ahead = memory.ahead
        known = ahead.words(link, linktype, data)
        if known is None:
            return False
        if not self._room(memory, at) or ahead.words(link, linktype, data) is not known:
            return False
        ahead.hope()
        ahead.gather(at, number, known)
        return True

    def _room(self, memory: _Memory, at: Instant, records: int = 1) -> bool:
        """Whether what says nothing new at `at` may wait; until a checkpoint it counts as so many records. Where
        something ends before it, or it is time to fold what was gathered, that is done first."""
        ahead = memory.ahead
        first, before, room = ahead.span
        if at >= before or room < records:
            self._again(memory)
            quiet = self._quiet()
            if quiet[1] and quiet[1] <= at <= self.reached + AHEAD_MAX:
                self.engine.wake(at)
                quiet = self._quiet()
            ahead.open(quiet, self.engine.seq + 1)
            first, before, room = ahead.span
        return first <= at < before and room >= records

    def _recount(self, memory: _Memory, packet: Packet) -> bool:
        """Whether a packet only moves lifetimes, and no deadline with them; then it is gathered, unread."""
        number, at, link, linktype, data, _ = packet
        ahead = memory.ahead
        found = ahead.slack(link, linktype, data)
        if found is None:
            return False
        weight = self.engine.weight(len(data)) if self.write is not None else 1
        if not self._room(memory, at, weight):
            return False
        slack, _, lifetime_s = found
        if self.engine.turns(slack):
            self._again(memory)
        if not self.engine.allows(slack, lifetime_s, at):
            return False
        seq = ahead.seq
        self._keep(memory, [(seq, (link, linktype), data)])
        words = self.engine.recount(slack, seq, data, partial(_read, link, linktype))
        ahead.remember(link, linktype, data, words)
        ahead.hope()
        ahead.gather(at, number, words, weight)
        return True

    def _renew(self, memory: _Memory, packet: Packet, renewal: Renewing) -> bool:
        """Whether a packet of a DHCPv4 exchange that prolongs a lease as the one before did waits; then it is
        gathered."""
        number, at, link, _, data, _ = packet
        ahead, weight = memory.ahead, self.engine.weight(len(data))
        if not self._room(memory, at, weight) or not self._renews(memory, link, data, renewal, at, ahead.seq):
            return False
        ahead.gather(at, number, records=weight)
        return True

    def _renews(self, memory: _Memory, link: LinkId, data: bytes, renewal: Renewing, at: Instant, seq: Seq) -> bool:
        """Whether such a frame may be gathered as that record; then the journal has it."""
        known, answers, said = renewal
        xid = transaction(data)
        read = partial(replace, said, xid=xid)
        if answers:
            if not self.engine.grant_again(known, xid, at, seq, len(data)):
                return False
            memory.translator.leased(link, said.yiaddr, said.chaddr)
        elif not self.engine.ask_again(known, xid, at, seq, len(data), read):
            return False
        if self.write is not None:
            self.write(seq, encode(read()), ETHERNET, data, memory.source)
        else:
            memory.ahead.keep(seq, (link, ETHERNET), data)
        return True

    def _take(self, capture: Capture, item: Packet | Custom) -> None:
        """A packet counts as heard at its own time, unless its neighbours on both sides are more than a day before.
        What was heard live counts as it did: a clock may have been set by years between two sessions."""
        if self.held is not None:
            follower = None if isinstance(item, Custom) else item[1]
            held, self.held = self.held, None
            self._packet(*held, self._credible(held[1][1], follower))
        if isinstance(item, Custom):
            self._carry(item)
        elif self.lived or (self.reached and item[1] - self.reached <= AHEAD_MAX):
            self._packet(capture, item, item[1])
        else:
            self.held = (capture, item)

    def _packet(self, capture: Capture, packet: Packet, at: Instant) -> None:
        number, stamp, link, linktype, data, original_length = packet
        self.reached = max(self.reached, at)
        memory = self.memories[id(capture)]
        frame = Frame(stamp, link, linktype, data, original_length)
        events = memory.translator.translate(frame)
        if events:
            self._start(at)
            self._hear(memory, frame, events, number, at)

    def _credible(self, at: Instant, follower: Instant | None) -> Instant:
        reached = self.reached
        if reached and at - reached <= AHEAD_MAX:
            return at
        if follower is not None and at - follower <= AHEAD_MAX:
            return at
        if not reached and follower is None:
            return at
        self.doubted.add(at)
        return reached or follower or at

    def _finish(self) -> None:
        """Time goes on to the last packet, whatever it was; what is kept can be verified by folding again."""
        self._start(max((one.last for one in self.captures if one.last is not None), default=0))
        journal = self.engine.journal
        if not isinstance(journal, ScratchJournal):
            journal.save_digest(self.engine.state.seq, state_digest(self.engine.state))
        ends = [one.last for one in self.captures if one.last is not None and one.last not in self.doubted]
        self.engine.wake(max(ends, default=0))

    def _start(self, at: Instant) -> None:
        """The first record says which policy is in force, unless an export has brought its own."""
        if not self.started:
            self.started = True
            values = {**DEFAULT.values, **self.policy}
            self.engine.submit(PolicySet(values=values), source="replay", at=at)

    def _hear(self, memory: _Memory, frame: Frame, events: tuple[AnyEvent, ...], number: int, at: Instant) -> None:
        if not self.adopting:
            for event in events:
                link: LinkId = getattr(event, "link", frame.link)
                if link not in self.links:
                    self.links.add(link)
                    seen = LinkSeen(link=link, identity=f"capture:{link}", name=link)
                    self.engine.submit(seen, source="replay", at=at)
        memory.frames += 1
        memory.rejected += sum(isinstance(event, FrameRejected) for event in events)
        self.engine.hear(frame, events, source=memory.source, packet=number, at=at)
        if type(events[0]) is RouterAdvertised:
            self._remember(memory, frame, events[0])
        elif type(events[0]) is Dhcp4MessageSeen:
            self._remember_exchange(memory, frame, events[0])

    def _remember(self, memory: _Memory, frame: Frame, event: RouterAdvertised) -> None:
        """What an RA that was just heard tells of those to come."""
        if frame.original_length != -1:
            return
        whole, ahead = (frame.link, frame.linktype, frame.data), memory.ahead
        words = self.engine.words(event)
        if words is not None:
            ahead.remember(*whole, words)
        slack = self.engine.slack(event)
        if slack is not None and (self.keep or self.write):
            outline = lifetimes.outline(frame.linktype, frame.data, event.options_at, slack.free)
            if outline is not None:
                ahead.watch(*whole, slack, outline)

    def _remember_exchange(self, memory: _Memory, frame: Frame, event: Dhcp4MessageSeen) -> None:
        """Whether a DHCPv4 message that was just heard ends an exchange that may come again unread."""
        slot = (event.link, event.chaddr, event.xid)
        octets = memory.translator.exchange(frame.linktype, frame.data, frame.original_length)
        if event.message == "REQUEST":
            if len(memory.asked) >= ASKED_MAX:
                memory.asked.clear()
            memory.asked[slot] = (octets, event)
        elif event.message == "ACK" and (asked := memory.asked.pop(slot, None)) is not None:
            known = self.engine.renewal(asked[1], event) if self.keep or self.write else None
            if known is None:
                return
            for one, said in (asked, (octets, event)):
                if one is not None:
                    if len(memory.renewals) >= KNOWN_MAX:
                        memory.renewals.clear()
                    memory.renewals[event.link, one] = known, said is event, said

    def _carry(self, custom: Custom) -> None:
        """Take over a record that an export carries."""
        carried = msgspec.json.decode(custom.payload, type=Carried)
        self.adopting = True
        event = decode(bytes(carried.event), carried.v)
        if isinstance(event, PolicySet) and not self.started:
            self.started = True
        self.lived = self.lived or isinstance(event, SessionStarted)
        self._start(carried.at)
        self.engine.adopt(Record(carried.seq, carried.at, carried.v, carried.provenance, event))

    def facts(self) -> tuple[CaptureFacts, ...]:
        return tuple(
            CaptureFacts(
                one.path,
                one.packets,
                self.memories[id(one)].frames,
                self.memories[id(one)].rejected,
                one.first,
                one.last,
                one.damaged,
                one.unreadable_linktypes,
            )
            for one in self.captures
        )
