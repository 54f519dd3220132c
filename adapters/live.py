"""The live driver: the one process that appends to the journal. Live frames go the same path as a capture's.

Law: this driver decides nothing but when: what was heard goes through `translate` into the engine in the order in which
it came, a batch is durable before anybody is told of it, and time is the session's clock's. Whoever settles projections
or answers on the control socket registers here and never writes to the journal past `submit`.

    sockets ─ drain ─ translate ─ engine.hear ┐
    alarm ──────────── engine.wake ───────────┼─ plans ─ commit ─ deeds ─ on_change(state) … ─ alarm set
    submit(event) ────────────────────────────┘
"""

import asyncio
import fcntl
import os
import signal
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from importlib import metadata
from typing import IO, Any, Final, Protocol

import msgspec

from adapters.clock import Alarm, Clock
from adapters.ingest import Translator
from adapters.running.config import LinkRule
from adapters.sockets.capture import Captures
from adapters.sockets.kernel import Device, Heard, Kernel
from adapters.sockets.solicitor import Solicitor
from adapters.sqlite import JournalError, SqliteJournal
from events.codec import AnyEvent
from events.frames import NETLINK, Frame, FramesLost, FramesRefused
from events.ids import Instant, LinkId, PvdId
from events.operator import PolicySet
from events.router import NeighborAdvertised, NeighborSolicited, RouterAdvertised
from events.session import SessionEnded, SessionStarted
from pvdcore.engine import Engine
from pvdcore.host.addresses import formed
from pvdcore.past.audit import state_at
from pvdcore.policy import DEFAULT, Value
from pvdcore.projections.places import UNPLACEABLE
from pvdcore.routers.bounds import Bounds
from pvdcore.state import State

DEFAULT_JOURNAL: Final = "/var/lib/pvd/journal.db"
BATCH_MAX: Final = 512  # frames taken from one socket before the others, and the control socket, have their turn
NAMES_AFTER_S: Final = 0.1  # a namespace is made in three steps; and a thousand of them are listed ten times a second
COUNTED_AFTER_S: Final = 5.0  # a flood is a line of history each so often
DONE, FAILED, USAGE, NOT_PERMITTED = 0, 1, 2, 77

OnChange = Callable[[State], None]
Hook = Callable[[], Awaitable[None]]


class Options(msgspec.Struct, frozen=True):
    """What the command line says, and the configuration. links: names or globs, () for all; rules: of links, the first
    that matches a link's name counts before what is said of all."""

    journal: str = DEFAULT_JOURNAL
    links: tuple[str, ...] = ()
    projection: str = "none"
    solicit: bool = False
    rules: tuple[LinkRule, ...] = ()


class Stopped(Exception):
    """The daemon cannot go on, or not begin. code: what it exits with. The text is one line that says what to do."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Input(Protocol):
    """Something that can be read: frames with what they say, in the order in which they came."""

    def fileno(self) -> int: ...
    def drain(self, most: int) -> list[Heard]: ...


class Daemon:
    """One session. Register before `run_until_stopped`; everything happens in its event loop.

    on_change: called with the State after each durable batch; `stirred` are the PvDs that changed in it. on_batch: who
    plans something because of a batch, and does it once plan and batch are durable, in one commit. on_start,
    on_stop: awaited when it hears, and before the journal is closed. on_reload: awaited on SIGHUP. on_notice: called
    when the kernel said something, recorded or not: a doorbell for whoever compares what should be with what is.
    on_record: called with each event that is written. alarms: asked when somebody wants to be told although nothing
    came; on_change is called then.
    """

    def __init__(self, options: Options, *, policy: dict[str, Value] | None = None, clock: Clock | None = None) -> None:
        self.options = options
        self.policy = {**DEFAULT.values, **(policy or {}), "projection": options.projection}
        self._rules = options.rules
        self._writer = hold(options.journal)
        try:
            self.journal = SqliteJournal(options.journal)
            self.engine = Engine(self.journal, state_at(self.journal))
        except JournalError as error:
            self._writer.close()
            raise Stopped(FAILED, str(error)) from None
        self.clock = clock or Clock(floor=self.engine.state.now)
        self.translator = Translator()
        self.on_start: list[Hook] = []
        self.on_stop: list[Hook] = []
        self.on_reload: list[Hook] = []
        self._on_change: list[OnChange] = []
        self._plans: list[OnChange] = []
        self._deeds: list[Callable[[], None]] = []
        self.on_notice: list[Callable[[], None]] = []
        self.on_record: list[Callable[[AnyEvent], None]] = []
        self.stirred: list[PvdId] = []
        self._due = False
        self._names_due = False
        self._bounds = Bounds()
        self._refused: dict[tuple[LinkId, str], tuple[int, Instant, Instant]] = {}
        self._lost: dict[LinkId, int] = {}
        self._counting = False
        self._solicitor = Solicitor()
        self.alarms: list[Callable[[], Instant]] = [self._solicitor.due]
        self._stop: asyncio.Future[str] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last_heard: Instant = 0
        self._broken = False  # the journal cannot be written any more
        self._alarm = Alarm()

    @property
    def state(self) -> State:
        """What is true as of the last record, or the last deadline that passed."""
        return self.engine.state

    def now(self) -> Instant:
        """This instant, on the session's clock."""
        return self.clock.now()

    def treat(self, rules: tuple[LinkRule, ...]) -> None:
        """Links are heard, and asked on for routers, by other rules from now on. What is written is policy."""
        self._rules = rules
        self.captures.follow(self.kernel.links)
        self.touch()

    def _rule(self, device: Device) -> LinkRule | None:
        return next((one for one in self._rules if fnmatchcase(device.name, one.match)), None)

    def _heard(self, device: Device) -> bool:
        rule = self._rule(device)
        return rule is None or rule.hear

    def on_change(self, tell: OnChange) -> None:
        """Have `tell` called with the State after each durable batch."""
        self._on_change.append(tell)

    def on_batch(self, plan: OnChange, durable: Callable[[], None]) -> None:
        """Have `plan` called with the State after each batch, so that what it records becomes durable with the batch,
        and `durable` once it has."""
        self._plans.append(plan)
        self._deeds.append(durable)

    def submit(self, event: AnyEvent, *, source: str = "engine") -> None:
        """Record what did not come in a frame. It is durable, and told, at the end of this turn of the loop."""
        self.engine.submit(event, source=source, at=self.now())
        self._count_records(event)
        self.touch()

    def hear(self, frame: Frame | None, events: tuple[AnyEvent, ...]) -> None:
        """Record what a frame says. It counts when the record does, so that an export's packets are
        dated as they counted; and two never have one instant, or nobody could tell them apart."""
        if not events:
            return
        if frame is None:
            for event in events:
                self._say(event)
            return
        if frame.linktype != NETLINK and not self._matters(events[0], frame.at):
            return
        at = max(frame.at, self.state.now, self._last_heard + 1)
        if at != frame.at:
            frame = msgspec.structs.replace(frame, at=at)
        self._last_heard = frame.at
        self.engine.hear(frame, events, source="live")
        self._count_records(*events)
        for event in events:
            if isinstance(event, RouterAdvertised):
                self._solicitor.heard(event.link, event.header.lifetime_s)
        self.touch()

    def _count_records(self, *events: AnyEvent) -> None:
        for tell in self.on_record:
            for event in events:
                tell(event)

    def _say(self, event: AnyEvent) -> None:
        if isinstance(event, FramesLost):
            self._lost[event.link] = self._lost.get(event.link, 0) + event.count
            self._count_later()
        else:
            self.submit(event, source="live")

    def _matters(self, event: AnyEvent, at: Instant) -> bool:
        """Whether a frame is worth a record. Of the talk of neighbours only what is of a router, or of an address of
        ours: a large link has a hundred such frames a second. Then bounds: what is refused is counted."""
        if isinstance(event, (NeighborSolicited, NeighborAdvertised)):
            router = isinstance(event, NeighborAdvertised) and (event.link, event.target) in self.state.speakers
            if not router and not self._own(event.link, event.target):
                return False
        rule = self._bounds.refuses(event, at, self.state)
        if rule:
            link: LinkId = getattr(event, "link", "")
            count, first, _ = self._refused.get((link, rule), (0, at, at))
            self._refused[link, rule] = (count + 1, first, at)
            self._count_later()
        return not rule

    def _own(self, link: LinkId, address: str) -> bool:
        """Whether an address is one of this host's, formed or sighted."""
        host = self.state.host
        return (link, address) in host.sighted or any(formed(host, link, address))

    def _count_later(self) -> None:
        if not self._counting and self._loop is not None:
            self._counting = True
            self._loop.call_later(COUNTED_AFTER_S, lambda: self._guard(self._count))

    def _count(self) -> None:
        """Say in one record each what was refused, and lost, since the last time."""
        self._counting = False
        refused, self._refused = self._refused, {}
        lost, self._lost = self._lost, {}
        for (link, rule), (count, first, last) in sorted(refused.items()):
            self.submit(FramesRefused(link=link, rule=rule, count=count, first=first, last=last), source="live")
        for link, count in sorted(lost.items()):
            self.submit(FramesLost(link=link, count=count), source="live")

    def touch(self) -> None:
        """See to it that what was written becomes durable and is told, once, at the end of this turn."""
        if not self._due and self._loop is not None:
            self._due = True
            self._loop.call_soon(self._settle)

    def stop(self, reason: str) -> None:
        """End the session cleanly."""
        if self._stop is not None and not self._stop.done():
            self._stop.set_result(reason)

    async def run_until_stopped(self) -> None:
        """Hear until a signal or `stop`. Raises Stopped if it cannot begin or go on; the journal is closed then."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._wrong)
        self._stop = self._loop.create_future()
        try:
            await self._begin(self._loop)
            reason = await self._stop
            await self._end(reason)
        except JournalError as error:
            raise Stopped(FAILED, str(error)) from None
        except PermissionError as error:
            raise Stopped(NOT_PERMITTED, f"{error}; run as root, or with CAP_NET_RAW and CAP_NET_ADMIN") from None
        finally:
            self._close()

    async def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(self._reload()))
        # Sockets first, records then: whoever sees the SessionStarted knows that from there on nothing is missed.
        self.kernel = Kernel(self.clock, self.state, _boot(), lambda link, at: (link, at) in self.state.speakers)
        self.captures = Captures(self.clock, self.translator, self.options.links, self._heard)
        listed = self.kernel.listing()
        self.captures.follow(self.kernel.links)
        self._open_session()
        self._hear_these(listed)
        self.journal.commit()
        loop.add_reader(self._alarm.fileno(), self._wake)
        loop.add_reader(self.kernel.fileno(), self._notice)
        loop.add_reader(self.captures.fileno(), self._read, self.captures)
        for hook in self.on_start:
            await hook()
        self.touch()

    def _open_session(self) -> None:
        at = self.now()
        known, projections = self.state.policy, tuple((one.match, one.projection) for one in self._rules)
        if not self.state.seq or ({**DEFAULT.values, **known.values}, known.projections) != (self.policy, projections):
            self.engine.submit(PolicySet(values=self.policy, projections=projections), source="pvdd", at=at)
        started = SessionStarted(mode="live", version=version(), boot=_boot(), host=os.uname().nodename)
        self.engine.submit(started, source="pvdd", at=at)

    def _wake(self) -> None:
        self._alarm.clear()
        self.touch()

    def _read(self, source: Input) -> None:
        self._guard(lambda: self._hear_these(source.drain(BATCH_MAX)))

    def _hear_these(self, heard: list[Heard]) -> None:
        for frame, events in heard:
            self.hear(frame, events)

    def _hear_rest(self, source: Input, at: Instant) -> None:
        """What had come by an instant, and waits to be read."""
        while heard := source.drain(BATCH_MAX):
            self._hear_these(heard)
            frame = heard[-1][0]
            if frame is not None and frame.at > at:
                return

    def _notice(self) -> None:
        self._read(self.kernel)
        self.captures.follow(self.kernel.links)
        for ring in self.on_notice:
            ring()
        if not self._names_due and self._loop is not None:
            self._names_due = True
            self._loop.call_later(NAMES_AFTER_S, self._names)

    def _names(self) -> None:
        self._names_due = False
        self._guard(lambda: self._hear_these(self.kernel.namespaces()))

    def _settle(self) -> None:
        """What was heard becomes durable, deadlines that passed are passed, then everybody is told."""
        self._due = False
        self._guard(self._settle_now)

    def _settle_now(self) -> None:
        self.engine.wake(self.now())
        self.stirred = self.engine.stirred()
        for plan in self._plans:
            plan(self.state)
        self.journal.commit()
        for deed in self._deeds:
            deed()
        for tell in self._on_change:
            tell(self.state)
        self._solicit()
        self._alarm.set(self.clock, min(self.engine.wake_at(), *(due() for due in self.alarms)))

    def _solicit(self) -> None:
        """Ask for routers on attached links with a projection, or where we were told to, and on no other (house.md)."""
        devices = {one.link: one for one in self.kernel.links.values() if self._asks(one)}
        links = self.state.links
        epochs = {link: links[link].epoch for link in sorted(devices) if link in links and links[link].attached}
        self._solicitor.follow(epochs, self.now())
        self._solicitor.ask(devices, self.now())

    def _asks(self, device: Device) -> bool:
        if not self.captures.wants(device) or device.bare:
            return False
        rule = self._rule(device)
        if self.options.solicit or (rule is not None and rule.solicit):
            return True
        return device.kind not in UNPLACEABLE and self.state.policy.projection(device.name) != "none"

    def fail(self, error: Stopped) -> None:
        """End the session: it cannot do what it is to do."""
        if self._stop is not None and not self._stop.done():
            self._stop.set_exception(error)

    def _guard(self, deed: Callable[[], object]) -> None:
        """A journal that cannot be written ends the session: nothing may be believed that is not written down, and
        nothing done because of it."""
        if self._loop is None or self._broken:  # what was to be done later is not
            return
        try:
            deed()
        except JournalError as error:
            self._break(error)

    def _break(self, error: JournalError) -> None:
        self._broken = True
        if self._stop is not None and not self._stop.done():
            self._stop.set_exception(error)

    def _wrong(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something that runs beside us (an answer of the helper, an alarm) had a word to record, and could not."""
        error = context.get("exception")
        if isinstance(error, JournalError):
            self._break(error)
        else:
            loop.default_exception_handler(context)

    async def _reload(self) -> None:
        for hook in self.on_reload:
            await hook()

    async def _end(self, reason: str) -> None:
        for hook in self.on_stop:
            await hook()
        at = self.now()
        for source in (self.kernel, self.captures):
            self._hear_rest(source, at)
        self._count()
        self.engine.submit(SessionEnded(reason=reason), source="pvdd", at=at)
        self.engine.checkpoint()
        self.journal.commit()

    def _close(self) -> None:
        self._loop = None
        for name in ("captures", "kernel"):
            if hasattr(self, name):
                getattr(self, name).close()
        self._alarm.close()
        try:
            self.journal.close()
        except JournalError as error:
            raise Stopped(FAILED, str(error)) from None
        finally:
            self._writer.close()


def hold(journal: str) -> IO[bytes]:
    """The right to write to a journal, until it is closed or we die. Raises Stopped if another has it.

    It is a lock on a file beside the journal: SQLite's own are let go between two commits, and closing any descriptor
    of the journal itself would drop them.
    """
    path = f"{journal}-writer"
    try:
        file = open(path, "ab")  # noqa: SIM115 - it is the lock
    except OSError as error:
        folder = os.path.dirname(os.path.abspath(path))
        raise Stopped(FAILED, f"{path}: {error.strerror}; is {folder} there, and ours to write to?") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        text = f"{journal}: another pvdd writes to it; stop that one, or give another --journal"
        raise Stopped(FAILED, text) from None
    return file


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def version() -> str:
    """Ours."""
    try:
        return metadata.version("pvdcore")
    except metadata.PackageNotFoundError:
        return "checkout"
