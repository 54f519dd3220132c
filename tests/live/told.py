"""A session without sockets to hear with: a test says what was heard, real namespaces are what comes of it.

Law: everything from the engine on is the daemon's own (helper, settler, identifiers); only the input is told. A test
waits for a record or for a State, never for a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType

from adapters.places.helper import Helper
from adapters.places.projection import Projection
from events.codec import AnyEvent
from events.ids import Instant
from events.link import LinkSeen
from events.operator import PolicySet
from events.record import Record
from pvdcore.checks.invariants import check
from pvdcore.engine import Engine
from pvdcore.past.audit import state_at
from pvdcore.past.journal import MemoryJournal
from pvdcore.policy import DEFAULT, Value
from pvdcore.ports import Journal
from pvdcore.state import Instance, State
from tests.live.sandbox import sh

KEY = b"a secret of thirty-two octets ..."
PATIENCE_S = 30  # a test that waits longer waits for ever


def veth(name: str = "eth0", mtu: int = 1500) -> LinkSeen:
    """Make a link with its other end, and say that it is there."""
    sh(f"ip link add {name} type veth peer name p{name} && ip link set {name} up && ip link set p{name} up")
    return seen(name, mtu)


def seen(name: str = "eth0", mtu: int = 1500) -> LinkSeen:
    """What netlink says of a link that is there."""
    index = int(sh(f"ip -o link show {name}").split(":")[0])
    mac = sh(f"ip -br link show {name}").split()[2]
    return LinkSeen(
        link=name, identity=f"netns:1:{index}", kind="veth", ifindex=index, name=name, mac=mac, mtu=mtu, host=True
    )


class Told:
    """One session. `hear` what a test says; `until` waits for what comes of it."""

    def __init__(
        self, journal: Journal | None = None, environment: dict[str, str] | None = None, **policy: Value
    ) -> None:
        self.journal = journal if journal is not None else MemoryJournal()
        self.engine = Engine(self.journal, state_at(self.journal))
        self.stirred: list[str] = []
        self._due = False
        self._turn = asyncio.Event()
        self.helper = Helper(environment=environment)
        self.projection = Projection(self, KEY, self.helper)
        self._policy = {**DEFAULT.values, "projection": "netns", "pvds_per_link_max": 4096, "pvds_max": 4096, **policy}

    async def __aenter__(self) -> Told:
        if {**DEFAULT.values, **self.state.policy.values} != self._policy:
            self.submit(PolicySet(values=self._policy))
        await self.projection.start()
        self._touch()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.projection.stop()
        assert not check(self.state)

    # The session that a projection sees

    @property
    def state(self) -> State:
        return self.engine.state

    def now(self) -> Instant:
        return time.time_ns()

    def submit(self, event: AnyEvent) -> None:
        self.engine.submit(event, source="test", at=self.now())
        self._touch()

    def on_batch(self, plan: Callable[[State], None], durable: Callable[[], None]) -> None:
        self._plan, self._do = plan, durable

    def _touch(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._told)

    def _told(self) -> None:
        self._due = False
        self.engine.wake(self.now())
        self.stirred = self.engine.stirred()
        self._plan(self.state)
        self.journal.commit()
        self._do()
        self._turn.set()

    # What a test says and asks

    def hear(self, *events: AnyEvent) -> None:
        """Events, in one turn."""
        for event in events:
            self.submit(event)

    def project(self, *projections: tuple[str, str]) -> None:
        """Links are to be written otherwise from now on."""
        self.submit(PolicySet(values=self._policy, projections=projections))

    def records(self, *kinds: type) -> list[Record]:
        """The records of these types."""
        return [one for one in self.journal.records() if isinstance(one.event, kinds)]

    async def until(self, so: Callable[[], object]) -> None:
        """Wait until something is so; deadlines pass meanwhile."""
        async with asyncio.timeout(PATIENCE_S):
            while not so():
                self._turn.clear()
                at = self.engine.wake_at()
                wait = max(0.0, min(1.0, (at - self.now()) / 1e9))
                try:
                    await asyncio.wait_for(self._turn.wait(), wait or 0.001)
                except TimeoutError:
                    self._touch()

    async def settled(self) -> None:
        """Wait until all that is wanted stands, by what was heard last too."""
        await self.until(lambda: not self._due and self.projection.settler.settled())

    def instance(self, pvd: str) -> Instance:
        """The only instance of a PvD."""
        ((_, found),) = self.state.pvds[pvd].instances
        return found

    def phase(self, pvd: str) -> str:
        """A PvD's phase; "" before it is heard."""
        found = self.state.pvds.get(pvd)
        return found.phase if found is not None else ""
