"""A daemon without sockets of its own: an engine, a journal and a clock that a test turns, and the control server in a
thread that answers while the test asks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from adapters.running.client import Client
from adapters.running.control import Control
from events.codec import AnyEvent
from events.ids import SECOND, Instant
from pvdcore.engine import Engine
from pvdcore.past.journal import MemoryJournal
from pvdcore.ports import Journal
from pvdcore.state import State

START = 1_700_000_000 * SECOND
T = TypeVar("T")


class Driver:
    """What Control asks of the daemon, over a journal in memory."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal: Journal = journal or MemoryJournal()
        self.engine = Engine(self.journal)
        self.clock = START

    @property
    def state(self) -> State:
        return self.engine.state

    def now(self) -> Instant:
        return self.clock

    def submit(self, event: AnyEvent, *, source: str = "engine") -> None:
        self.engine.submit(event, source=source, at=self.clock)


class Running:
    """The server in its thread. `do` runs something in its loop, as the daemon would between two batches."""

    def __init__(self, folder: Path, reload: Any = None, **more: Any) -> None:
        self.path = str(folder / "control")
        self.driver = Driver(more.pop("journal", None))
        self.loop = asyncio.new_event_loop()
        self.control = Control(self.driver, reload=reload, version="0.1.0", path="j.db", **more)
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.wait(self.control.start(self.path))

    def wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def do(self, what: Callable[[], T]) -> T:
        async def run() -> T:
            return what()

        done: T = self.wait(run())
        return done

    def hear(self, *events: AnyEvent) -> None:
        """A batch: each event at the clock, then everybody is told."""

        def batch() -> None:
            for event in events:
                self.driver.submit(event, source="live")
            self.driver.journal.commit()
            self.control.changed(self.driver.state)

        self.do(batch)

    def later(self, seconds: int) -> None:
        """Time passes."""

        def wake() -> None:
            self.driver.clock += seconds * SECOND
            self.driver.engine.wake(self.driver.clock)
            self.driver.journal.commit()
            self.control.changed(self.driver.state)

        self.do(wake)

    def client(self) -> Client:
        return Client(self.path, timeout_s=30)

    def kinds(self) -> list[str]:
        return [type(record.event).__name__ for record in self.driver.journal.records()]

    def close(self) -> None:
        self.wait(self.control.stop())
        self.wait(asyncio.sleep(0))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30)
        self.loop.close()
