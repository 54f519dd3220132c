"""The live clock: wall time at the start of a session, and from there the time since boot, suspended or not.

Law: time never goes backwards and never jumps because somebody set the wall clock. CLOCK_BOOTTIME counts while the host
sleeps, so a lifetime ends when it should, and an NTP step ends nothing (house.md "Time is an argument").

          wall clock  ────┐ once a session          stepped: ignored
                          ▼
    now() = max(wall, floor) + (boottime now − boottime then)

`Alarm` is a timer on the same clock: asyncio's own follow CLOCK_MONOTONIC, which stands still during suspend.
"""

import ctypes
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from events.ids import NEVER, SECOND, Instant

AGE_MAX: Final = 60 * SECOND
"""A packet waits in our socket for less than this; a stamp that seems older, or to come, is of a clock that was set."""

_NONBLOCK_CLOEXEC: Final = 0o4000 | 0o2000000  # TFD_NONBLOCK | TFD_CLOEXEC
_ABSTIME: Final = 1  # TFD_TIMER_ABSTIME

Source = Callable[[], int]
"""A clock as nanoseconds."""


def boottime() -> int:
    """Nanoseconds since boot, suspend included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Clock:
    """The time of one session. floor: what the journal ends with; a wall clock behind it is not believed, and time goes
    on from there."""

    def __init__(self, *, floor: Instant = 0, wall: Source = time.time_ns, boot: Source = boottime) -> None:
        self._wall = wall
        self._boot = boot
        self._offset = max(wall(), floor) - boot()

    def now(self) -> Instant:
        """This instant."""
        return self._boot() + self._offset

    def heard(self, stamp: int) -> Instant:
        """The instant of a kernel's timestamp, which is of the wall clock as it was then."""
        now = self.now()
        age = self._wall() - stamp
        return now - age if 0 <= age <= AGE_MAX else now

    def boottime_of(self, at: Instant) -> int:
        """When `at` is on CLOCK_BOOTTIME, in nanoseconds."""
        return at - self._offset


class Alarm:
    """A file descriptor that becomes readable at an instant of a Clock (timerfd_create(2))."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = int(self._libc.timerfd_create(time.CLOCK_BOOTTIME, _NONBLOCK_CLOEXEC))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def fileno(self) -> int:
        return self._fd

    def set(self, clock: Clock, at: Instant) -> None:
        """Go off at `at`, at once if that has passed, not at all for NEVER. Replaces what was set."""
        due = 0 if at >= NEVER else max(clock.boottime_of(at), 1)
        spec = struct.pack("qqqq", 0, 0, due // SECOND, due % SECOND)
        if self._libc.timerfd_settime(self._fd, _ABSTIME, spec, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def clear(self) -> None:
        """Take note that it went off."""
        with suppress(BlockingIOError):
            os.read(self._fd, 8)

    def close(self) -> None:
        os.close(self._fd)
