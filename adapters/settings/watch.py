"""Profiles follow their files: inotify and SIGHUP have them read again, and what differs becomes records. So does what
other managers have active (managers.py).

Law: a notice says that something may have changed, never what. Everything is read again, and compared with what the
files said before; so a notice that was lost costs nothing once the next one comes.
"""

import asyncio
import ctypes
import os
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from adapters.settings import managers
from adapters.settings.folders import FOLDERS, Reading, believed, differences, kept, read
from events.codec import AnyEvent
from pvdcore.ports import Journal
from pvdcore.profiles.checkpoints import rollback
from pvdcore.profiles.connections import autoconnect
from pvdcore.state import State

SETTLE_S: Final = 0.1  # an editor writes, renames and syncs: one reading for all of it
NOTICES_OCTETS: Final = 65_536
_CHANGED: Final = 0x08 | 0x40 | 0x80 | 0x100 | 0x200 | 0x04 | 0x02  # CLOSE_WRITE, MOVED, CREATE, DELETE, ATTRIB, MODIFY
_MADE: Final = 0x80 | 0x100  # MOVED_TO, CREATE
_libc: Final = ctypes.CDLL(None, use_errno=True)


class Driver(Protocol):
    """What we need of the daemon (adapters/live.py)."""

    @property
    def state(self) -> State: ...
    @property
    def journal(self) -> Journal: ...
    def submit(self, event: AnyEvent, *, source: str = "engine") -> None: ...


class Hooked(Driver, Protocol):
    """A driver with places to register at."""

    on_start: list[Callable[[], Awaitable[None]]]
    on_stop: list[Callable[[], Awaitable[None]]]
    on_reload: list[Callable[[], Awaitable[None]]]

    def on_change(self, tell: Callable[[State], None]) -> None: ...


def follow(driver: Hooked, root: str = "/") -> None:
    """Have a driver that does not run yet follow the profiles of its host."""
    watch = Watch(driver, root)
    driver.on_start.append(watch.start)
    driver.on_stop.append(watch.stop)
    driver.on_reload.append(watch.reload)
    driver.on_change(watch.changed)


class Watch:
    """The profiles of one host. `start` reads them; then `changed` behind each durable batch, `reload` on SIGHUP.

    root: the folder that stands for `/`.
    """

    def __init__(self, driver: Driver, root: str = "/") -> None:
        self.driver = driver
        self.root = root
        self.reading = Reading()
        self.active: managers.Active = {}
        self._links: object = None  # those of the State when others' connections were last compared
        self._fd = -1
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Read all files, and watch them. Raises OSError where the kernel gives no inotify."""
        self.reading = believed(self.driver.state)
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        asyncio.get_running_loop().add_reader(self._fd, self._rang)
        await self.reload()

    async def stop(self) -> None:
        """Let go."""
        if self._timer is not None:
            self._timer.cancel()
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    async def reload(self) -> None:
        """Read all files again, and record what differs."""
        self._reread()

    def changed(self, state: State) -> None:
        """Something was written down: connections may have to be opened, a checkpoint may have come due."""
        point = state.intent.checkpoint
        if point is not None and point.due:
            for event in rollback(self.driver.journal, state, "timeout"):
                self.driver.submit(event, source="engine")
        if state.links is not self._links:
            self._observe()
        for opened in autoconnect(self.driver.state):
            self.driver.submit(opened, source="engine")

    def _rang(self) -> None:
        try:
            os.read(self._fd, NOTICES_OCTETS)
        except BlockingIOError:
            return
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SETTLE_S, self._reread)

    def _reread(self) -> None:
        self._timer = None
        self._follow()
        now = kept(self.reading, read(self.root))
        for event in differences(self.reading, now):
            self.driver.submit(event, source="settings")
        self.reading = now
        self.active = managers.active(self.root)
        self._observe()

    def _observe(self) -> None:
        """Record what other managers opened and closed; on a link of theirs, nothing is opened by ourselves."""
        for event in managers.differences(self.driver.state, self.active):
            self.driver.submit(event, source="settings")
        self._links = self.driver.state.links

    def _follow(self) -> None:
        """Watch each folder, or the nearest one above that is there. To watch one twice is to watch it once."""
        wanted = set()
        for folder in FOLDERS:
            path = os.path.join(self.root, folder)
            while not os.path.isdir(path) and len(path) > len(self.root):
                path = os.path.dirname(path)
            wanted.add(path)
            if folder.endswith("systemd/network") and os.path.isdir(path):
                wanted.update(entry.path for entry in os.scandir(path) if entry.name.endswith(".d") and entry.is_dir())
        for path in sorted(wanted):
            _libc.inotify_add_watch(self._fd, os.fsencode(path), _CHANGED)
        for folder in managers.NOTES:
            path = os.path.join(self.root, folder)
            mask = _CHANGED
            while not os.path.isdir(path) and len(path) > len(self.root):
                path, mask = (
                    os.path.dirname(path),
                    _MADE,
                )  # in /run only what is new is of interest
            _libc.inotify_add_watch(self._fd, os.fsencode(path), mask)
