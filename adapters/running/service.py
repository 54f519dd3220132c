"""What makes a driver a service: its configuration, the control socket, the log, the numbers, the service manager.

Law: it only listens to the driver and asks it; take it away and the same records are written, but for those that an
operator asked for. A configuration that cannot be used changes nothing: what was in force goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from adapters.live import FAILED, Stopped
from adapters.running.config import Config, ConfigError, LinkRule
from adapters.running.control import Control, Driver
from adapters.running.logs import Story, logger
from adapters.running.metrics import Exporter, Metrics
from adapters.running.notify import Notifier
from events.codec import AnyEvent
from events.operator import PolicySet, PropertiesSet
from pvdcore.policy import DEFAULT
from pvdcore.state import State

Hook = Callable[[], Awaitable[None]]


class Hooked(Driver, Protocol):
    """A driver with places to register at (adapters/live.py)."""

    on_start: list[Hook]
    on_stop: list[Hook]
    on_reload: list[Hook]
    on_record: list[Callable[[AnyEvent], None]]

    def on_change(self, tell: Callable[[State], None]) -> None: ...
    def treat(self, rules: tuple[LinkRule, ...]) -> None: ...


class Service:
    """Registers with a driver before it runs. reread: reads the configuration again (raises ConfigError), `None` where
    there is no file; version: ours."""

    def __init__(
        self,
        driver: Hooked,
        config: Config,
        *,
        reread: Callable[[], Config] | None = None,
        version: str = "",
        log: Any = None,
    ) -> None:
        self.driver = driver
        self.config = config
        self.reread = reread
        self.metrics = Metrics(lambda: driver.state)
        self.control = Control(driver, reload=self.reload if reread else None, version=version, path=config.journal)
        self.story = Story(log or logger(config.log, config.level), self._head, driver.state)
        self.notifier = Notifier()
        self._exporter = Exporter(self.metrics)
        self._version = version
        self._watchdog: asyncio.Task[None] | None = None
        driver.engine.told.append(self.story.changes)
        driver.on_change(self._changed)
        driver.on_record.append(self.metrics.record)
        driver.on_start.append(self._start)
        driver.on_stop.append(self._stop)
        driver.on_reload.append(self._reload_quietly)

    def _head(self) -> tuple[int, str]:
        return self.driver.journal.last_seq(), self.driver.journal.head()

    def _changed(self, state: State) -> None:
        self.control.changed(state)
        self.story.state(state)

    async def _start(self) -> None:
        self._apply(self.config)
        await self._listen(self.config.control, self.control.start, "--control")
        await self._listen(self.config.metrics, self._exporter.start, "metrics in pvd.conf")
        seq, head = self._head()
        self.story.started(version=self._version, journal=self.config.journal, seq=seq, head=head)
        if self.notifier.watchdog_s is not None:
            self._watchdog = asyncio.create_task(self._tick(self.notifier.watchdog_s))
        self.notifier.ready()

    async def _listen(self, where: str, start: Callable[[str], Awaitable[None]], knob: str) -> None:
        if not where:
            return
        try:
            await start(where)
        except OSError as error:
            raise Stopped(FAILED, f"{where}: {error.strerror or error}; or name another with {knob}") from None

    async def _stop(self) -> None:
        self.notifier.stopping()
        if self._watchdog is not None:
            self._watchdog.cancel()
        await self._exporter.stop()
        await self.control.stop()
        self.story.stopped("stopped")

    async def _tick(self, every_s: float) -> None:
        while True:
            self.notifier.alive()
            await asyncio.sleep(every_s)

    async def reload(self) -> None:
        """Read the configuration again and have it in force. Raises ConfigError, and then nothing changed."""
        if self.reread is None:
            return
        self.notifier.reloading()
        try:
            self.config = self.reread()
            self._apply(self.config)
        finally:
            self.notifier.ready()

    async def _reload_quietly(self) -> None:
        """On SIGHUP nobody waits for an answer: what is wrong is logged."""
        try:
            await self.reload()
        except ConfigError as error:
            self.story.trouble("not reloaded", error.problems)

    def _apply(self, config: Config) -> None:
        """Say what is new of properties and policy; what has not changed makes no record."""
        state = self.driver.state
        if config.properties != state.properties:
            self.driver.submit(PropertiesSet(rules=config.properties), source="operator")
        if self.reread is None:
            return
        values = {**DEFAULT.values, **config.policy, "projection": config.projection}
        projections = tuple((rule.match, rule.projection) for rule in config.rules())
        if ({**DEFAULT.values, **state.policy.values}, state.policy.projections) != (values, projections):
            self.driver.submit(PolicySet(values=values, projections=projections), source="operator")
        self.driver.treat(config.rules())
