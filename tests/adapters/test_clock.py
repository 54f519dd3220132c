"""The live clock: nobody's setting of the wall clock moves it, and a night's sleep does."""

from __future__ import annotations

import select

import pytest

from adapters.clock import AGE_MAX, Alarm, Clock
from events.ids import NEVER, SECOND

NOON = 1_750_000_000 * SECOND
YEAR = 31_536_000 * SECOND


class Time:
    """A wall clock that can be set and a boot clock that can't."""

    def __init__(self) -> None:
        self.wall = NOON
        self.boot = 100 * SECOND

    def goes_on(self, seconds: float) -> None:
        self.wall += int(seconds * SECOND)
        self.boot += int(seconds * SECOND)

    def clock(self, floor: int = 0) -> Clock:
        return Clock(floor=floor, wall=lambda: self.wall, boot=lambda: self.boot)


@pytest.mark.parametrize("step", [-50 * YEAR, -SECOND, SECOND, 50 * YEAR])
def test_a_step_of_the_wall_clock_moves_nothing(step: int) -> None:
    time = Time()
    clock = time.clock()
    assert clock.now() == NOON
    time.goes_on(5)
    time.wall += step
    assert clock.now() == NOON + 5 * SECOND


def test_suspend_counts() -> None:
    """CLOCK_BOOTTIME counts while the host sleeps; eight hours are eight hours."""
    time = Time()
    clock = time.clock()
    time.goes_on(8 * 3600)
    assert clock.now() == NOON + 8 * 3600 * SECOND


def test_a_wall_clock_behind_the_journal_is_not_believed() -> None:
    """A machine without a battery wakes up in 1970: time goes on from where the journal ends."""
    time = Time()
    time.wall = 7 * SECOND
    clock = time.clock(floor=NOON)
    assert clock.now() == NOON
    time.goes_on(30)
    assert clock.now() == NOON + 30 * SECOND


def test_a_kernels_stamp_is_an_age() -> None:
    """The kernel stamps packets with the wall clock; what counts is how long ago that was."""
    time = Time()
    clock = time.clock()
    time.wall += YEAR  # set once the session has begun
    time.goes_on(10)
    assert clock.heard(time.wall - SECOND // 4) == NOON + 10 * SECOND - SECOND // 4
    # A stamp from before the clock was set, or after it, says nothing: it counts as heard now.
    assert clock.heard(time.wall - YEAR) == NOON + 10 * SECOND
    assert clock.heard(time.wall + SECOND) == NOON + 10 * SECOND
    assert clock.heard(time.wall - AGE_MAX) == NOON + 10 * SECOND - AGE_MAX


def test_an_alarm_goes_off_at_its_instant_and_not_for_never() -> None:
    alarm, clock = Alarm(), Clock()
    try:
        alarm.set(clock, NEVER)
        assert select.select([alarm], [], [], 0)[0] == []
        alarm.set(clock, clock.now() + SECOND // 50)
        assert select.select([alarm], [], [], 60)[0] == [alarm]
        alarm.clear()
        assert select.select([alarm], [], [], 0)[0] == []
        alarm.set(clock, clock.now() - YEAR)  # passed long ago: at once
        assert select.select([alarm], [], [], 60)[0] == [alarm]
        alarm.set(clock, NEVER)
        assert select.select([alarm], [], [], 0)[0] == []
    finally:
        alarm.close()
