"""The offline driver: captures through the same engine as the daemon's input, with the packets' own time.

Law: nothing is decided here but in which order packets come and when they count as heard. The same captures and policy
give the same records, byte for byte.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from adapters.ingest import Translator, translate
from events.codec import AnyEvent, decode
from events.frames import Frame, FrameRejected
from events.ids import Instant, LinkId
from events.link import LinkSeen
from events.operator import PolicySet
from events.record import Provenance, Record
from pvdcore.audit import state_digest
from pvdcore.engine import Engine
from pvdcore.policy import DEFAULT, Value, check
from pvdcore.ports import Journal
from pvdcore.reduce import AHEAD_MAX
from pvdcore.state import State
from replay.captures import Capture, Custom, merge, named, open_capture
from replay.scratch import ScratchJournal

PROGRESS_EVERY: Final = 8192  # packets between two calls of `progress`: often enough for a bar, too rare to cost


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
        driver = _Driver(captures, Engine(kept), values)
        with _without_collector():
            driver.run(progress)
        kept.commit()
        return Run(kept, driver.engine.state, driver.facts())
    finally:
        for capture in captures:
            capture.close()


def rerun_separately(specs: Sequence[str], *, policy: dict[str, Value] | None = None) -> list[Run]:
    """Fold each capture on its own (`--separate`)."""
    return [rerun([spec], policy=policy) for spec in specs]


@contextmanager
def _without_collector() -> Iterator[None]:
    """Immutable values make no cycles: while packets are read there is nothing for the collector of cycles to find."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


Packet = tuple[int, Instant, LinkId, int, bytes, int]


class _Driver:
    def __init__(self, captures: list[Capture], engine: Engine, policy: dict[str, Value]) -> None:
        self.captures = captures
        self.engine = engine
        self.policy = policy
        self.frames = {id(capture): 0 for capture in captures}
        self.rejected = dict.fromkeys(self.frames, 0)
        self.links: set[LinkId] = set()
        self.adopting = False
        self.doubted: set[Instant] = set()
        self.started = False

    def run(self, progress: Callable[[int, int], None] | None) -> None:
        # One translator a capture: what "first interface heard" means is a matter of one file.
        translators = {id(capture): Translator() for capture in self.captures}
        names = {id(capture): capture.path.rsplit("/", 1)[-1] for capture in self.captures}
        total = sum(max(capture.size, 0) for capture in self.captures)
        again = self.engine.again
        count = 0
        for capture, item, at in self._dated():
            if isinstance(item, Custom):
                self._carry(item)
                continue
            number, stamp, link, linktype, data, original_length = item
            place = id(capture)
            events = translators[place].known(link, linktype, data, original_length)
            if events is not None and again(events, names[place], number, at, stamp):
                self.frames[place] += 1
            else:
                frame = Frame(stamp, link, linktype, data, original_length)
                events = translators[place].translate(frame)
                if events:
                    self._start(at)
                    self._hear(place, frame, events, names[place], number, at)
            count += 1
            if progress is not None and count % PROGRESS_EVERY == 0:
                progress(sum(one.position for one in self.captures), total)
        self._finish()

    def _finish(self) -> None:
        """Time goes on to the last packet, whatever it was; what is kept can be verified by folding again."""
        self._start(max((one.last for one in self.captures if one.last is not None), default=0))
        journal = self.engine.journal
        if not isinstance(journal, ScratchJournal):
            journal.save_digest(self.engine.state.seq, state_digest(self.engine.state))
        ends = [one.last for one in self.captures if one.last is not None and one.last not in self.doubted]
        self.engine.wake(max(ends, default=0))

    def _dated(self) -> Iterator[tuple[Capture, Packet | Custom, Instant]]:
        """Each packet with the instant at which it counts as heard: its own, unless its neighbours on both sides are
        more than a day before it."""
        held: tuple[Capture, Packet] | None = None
        reached: Instant = 0
        for capture, item in merge(self.captures, customs=True):
            if held is not None:
                follower = None if isinstance(item, Custom) else item[1]
                at = self._credible(held[1][1], reached, follower)
                reached = max(reached, at)
                yield held[0], held[1], at
                held = None
            if isinstance(item, Custom):
                yield capture, item, 0
            else:
                held = (capture, item)
        if held is not None:
            yield held[0], held[1], self._credible(held[1][1], reached, None)

    def _credible(self, at: Instant, reached: Instant, follower: Instant | None) -> Instant:
        if reached and at - reached <= AHEAD_MAX:
            return at
        if follower is not None and at - follower <= AHEAD_MAX:
            return at
        if not reached and follower is None:
            return at
        self.doubted.add(at)
        return reached or follower or at

    def _start(self, at: Instant) -> None:
        """The first record says which policy is in force, unless an export has brought its own."""
        if not self.started:
            self.started = True
            values = {**DEFAULT.values, **self.policy}
            self.engine.submit(PolicySet(values=values), source="replay", at=at)

    def _hear(
        self, place: int, frame: Frame, events: tuple[AnyEvent, ...], source: str, number: int, at: Instant
    ) -> None:
        if not self.adopting:
            for event in events:
                link: LinkId = getattr(event, "link", frame.link)
                if link not in self.links:
                    self.links.add(link)
                    seen = LinkSeen(link=link, identity=f"capture:{link}", name=link)
                    self.engine.submit(seen, source="replay", at=at)
        self.frames[place] += 1
        self.rejected[place] += sum(isinstance(event, FrameRejected) for event in events)
        self.engine.hear(frame, events, source=source, packet=number, at=at)

    def _carry(self, custom: Custom) -> None:
        """Take over a record that an export carries."""
        carried = msgspec.json.decode(custom.payload, type=Carried)
        self.adopting = True
        event = decode(bytes(carried.event), carried.v)
        if isinstance(event, PolicySet) and not self.started:
            self.started = True
        self._start(carried.at)
        self.engine.adopt(Record(carried.seq, carried.at, carried.v, carried.provenance, event))

    def facts(self) -> tuple[CaptureFacts, ...]:
        return tuple(
            CaptureFacts(
                one.path,
                one.packets,
                self.frames[id(one)],
                self.rejected[id(one)],
                one.first,
                one.last,
                one.damaged,
                one.unreadable_linktypes,
            )
            for one in self.captures
        )
