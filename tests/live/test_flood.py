"""A flood of forged routers: what it costs, what it displaces, and what the history says of it.

Law: as `make soak`, which measures ten seconds of it; here it is shorter, and nothing is asserted of time.
"""

from __future__ import annotations

import pytest

from tests.live.flood import Flooded, Watched
from tests.live.lab import Lab, until

RATE, SECONDS = 10_000, 2


@pytest.mark.covers("feat:R3")
def test_under_a_flood_the_real_pvd_stays_and_is_refreshed_and_memory_and_disk_are_bounded(lab: Lab) -> None:
    at = Flooded(lab)
    watched = Watched(at.pvdd)
    flood = at.begins(RATE, SECONDS)
    while flood.process.poll() is None:
        watched.look()
    assert flood.ends() == 0, flood.said()
    at.refresh("2001:db8:ffff::54")
    until(lambda: "2001:db8:ffff::54" in at.resolver(), at.pvdd.tail)
    watched.look()
    state = at.pvdd.state()
    assert state.pvds[at.REAL].phase == "placed"
    assert watched.memory_more <= 50 and watched.disk_more <= 5, (watched.memory_more, watched.disk_more)
    told = at.all_told(RATE * SECONDS)
    assert len(state.links["eth0"].speakers) <= 64 and told.heard < 300
    assert told.refused > RATE and told.lines <= 8, "told in a few lines"
