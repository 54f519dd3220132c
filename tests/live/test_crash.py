"""Killed at every operation of a plan: what the next session finds, adopts, and does not write again.

Law: the session and its helper die by SIGKILL together, before the operation of a given number; only the journal and
the kernel are left. Then nothing may be doubled, leaked, or written that was right already.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from adapters.places.netns import Netns, teardown
from adapters.sqlite import SqliteJournal
from events.ids import SECOND
from events.ops import (
    AddressDelete,
    NetnsDelete,
    Op,
    PlanApplied,
    PlanMade,
    ResolverWrite,
    RouteAdd,
    RouteDelete,
)
from events.router import RouterAdvertised
from pvdcore.projections.plan import op_key
from tests.live.sandbox import sandboxed, sh
from tests.live.test_settle import NX, R1, X, addresses, ending, full, live, routes
from tests.live.told import Told, seen, veth
from tests.sim.build import rio

OPS = 9  # of the plan for `full` with a route: namespace, link, hop limit, two addresses, three routes, resolver


def killed_at(number: int, journal: str, *, end: bool = False) -> None:
    """A session of its own process that places a PvD (or ends it) and is killed before that operation."""
    child = os.fork()
    if not child:

        async def session() -> None:
            store = SqliteJournal(journal)
            async with Told(store, {"PVD_KILL_AT": str(number)}, two_hour_rule=False) as told:
                if end:
                    told.hear(ending())
                else:
                    told.hear(seen(), full(R1, "x.example.", "2001:db8:1::/64", rio("2001:db8:aa::/48"), hop=33))
                await told.until(lambda: False)

        try:
            asyncio.run(session())
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == 9, status


def about(op: Op) -> tuple[object, ...]:
    """What an operation does, without how long it still is for."""
    return (type(op), *op_key(op))


@pytest.mark.covers("bug:27")
@pytest.mark.parametrize("number", range(1, OPS + 2))
def test_killed_before_an_operation_the_next_session_does_what_is_left_and_no_more(number: int, tmp_path: Path) -> None:
    journal = str(tmp_path / "journal.db")

    @sandboxed
    def body() -> None:
        veth()
        killed_at(number, journal)

        async def again() -> None:
            store = SqliteJournal(journal)
            async with Told(store, two_hour_rule=False) as told:
                await told.until(lambda: told.phase(X) == "placed")
                await told.settled()
                first, *later = (one.event.ops for one in told.records(PlanMade))  # type: ignore[union-attr]
                assert len(first) == OPS
                written = [about(op) for ops in later for op in ops]
                assert written == [about(op) for op in first[number - 1 :]], "what was done is not done again"
                assert set(routes(NX)) == {("default", R1), ("2001:db8:1::/64", None), ("2001:db8:aa::/48", R1)}
                assert len(addresses(NX)) == 2
                assert os.listdir("/run/netns") == [NX]
                assert [one for one in sh("ip -br link").split() if one.startswith("pvd-")] == []
                told.hear(ending())
                told.hear(full(R1, "x.example.", "2001:db8:1::/64", rio("2001:db8:aa::/48", life=0), life=0))
                told.hear(ending())
                await told.until(lambda: told.phase(X) == "gone")
                await told.settled()
                assert os.listdir("/run/netns") == []
                assert os.listdir("/etc/netns") == []
            store.close()
            assert not list(SqliteJournal(journal).check())

        asyncio.run(again())

    body()


@sandboxed
def test_killed_before_the_deletion_the_next_session_deletes() -> None:
    journal = "/run/journal.db"
    veth()

    async def placed() -> None:
        store = SqliteJournal(journal)
        async with Told(store, two_hour_rule=False) as told:
            told.hear(seen(), full(R1, "x.example.", "2001:db8:1::/64"))
            await told.until(lambda: told.phase(X) == "placed")
            await told.settled()
        store.close()

    async def gone() -> None:
        store = SqliteJournal(journal)
        async with Told(store, two_hour_rule=False) as told:
            await told.until(lambda: told.phase(X) == "gone")
            assert os.listdir("/run/netns") == []
        store.close()

    asyncio.run(placed())
    assert os.listdir("/run/netns") == [NX], "a clean end leaves what stands"
    killed_at(1, journal, end=True)
    assert os.listdir("/run/netns") == [NX]
    asyncio.run(gone())


@pytest.mark.covers("feat:K4")
@live
async def test_what_another_journal_left_behind_is_taken_away_unless_somebody_is_inside() -> None:
    link = veth()
    async with Told() as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
    inside = subprocess.Popen(["ip", "netns", "exec", NX, "sleep", "1000"])
    while Path(f"/proc/{inside.pid}/comm").read_text().strip() != "sleep":
        await asyncio.sleep(0)
    async with Told() as told:
        await told.until(lambda: told.records(PlanMade) and told.projection.settler.settled())
        assert os.listdir("/run/netns") == [NX]
        inside.kill()
        inside.wait()
        await told.until(lambda: os.listdir("/run/netns") == [])
        ops = [op for one in told.records(PlanMade) for op in one.event.ops]  # type: ignore[union-attr]
        assert {type(op) for op in ops} == {NetnsDelete, AddressDelete, RouteDelete, ResolverWrite}
        assert [op for op in ops if isinstance(op, ResolverWrite)] == [ResolverWrite(NX)], "nobody resolves there now"


@live
async def test_a_deadline_that_passed_meanwhile_is_honoured_once() -> None:
    link = veth()
    journal = SqliteJournal("/run/journal.db")
    async with Told(journal) as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64", rio("2001:db8:aa::/48", life=2)))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        (heard,) = told.records(RouterAdvertised)
    until = heard.at + 2 * SECOND  # by which a busy machine may have come no further than here
    journal.close()
    while told.now() < until:
        await asyncio.sleep(0.05)
    journal = SqliteJournal("/run/journal.db")
    count = journal.last_seq()
    async with Told(journal) as told:
        await told.until(lambda: ("2001:db8:aa::/48", R1) not in routes(NX))
        await told.settled()
        written = [op for one in told.records(PlanMade) if one.seq > count for op in one.event.ops]  # type: ignore[union-attr]
        assert not [op for op in written if isinstance(op, RouteAdd)], "nothing that is right is written again"
        lines = [one for one in journal.history() if one.cause == "lapsed"]
        assert [one.at for one in lines] == [until]
    journal.close()


@sandboxed
def test_teardown_removes_what_is_marked_ours_and_nothing_else() -> None:
    sh("ip netns add pvd-aaaaaaaaaa && ip netns add other && mkdir -p /etc/netns/other")
    Path("/etc/netns/other/resolv.conf").write_text("nameserver 192.0.2.1\n")
    link = veth()

    async def placed() -> None:
        async with Told() as told:
            told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
            await told.until(lambda: told.phase(X) == "placed")
            await told.settled()

    asyncio.run(placed())
    inside = subprocess.Popen(["ip", "netns", "exec", NX, "sleep", "1000"])
    while Path(f"/proc/{inside.pid}/comm").read_text().strip() != "sleep":
        os.sched_yield()
    before = sh("ip -br address; ip route; ip -6 route; ip rule; ip -6 rule")
    assert sorted(os.listdir("/run/netns")) == sorted(["other", NX, "pvd-aaaaaaaaaa"])
    assert teardown() == [NX]
    assert teardown() == []
    assert sorted(os.listdir("/run/netns")) == ["other", "pvd-aaaaaaaaaa"]
    assert os.listdir("/etc/netns") == ["other"]
    assert sh("ip -br address; ip route; ip -6 route; ip rule; ip -6 rule") == before
    assert Netns().names() == []
    assert inside.poll() is None
    inside.kill()
    inside.wait()


@live
async def test_a_disk_that_is_full_costs_the_resolver_and_nothing_else() -> None:
    link = veth()
    sh(f"mkdir -p /etc/netns/{NX} && mount -t tmpfs -o size=4k,nr_inodes=1 none /etc/netns/{NX}")
    async with Told() as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        placement = told.instance(X).placement
        assert placement is not None
        assert [one.error for one in placement.failed] == ["ENOSPC"]
        assert ("default", R1) in routes(NX)
        sh(f"umount /etc/netns/{NX}")
        await told.until(lambda: not getattr(told.instance(X).placement, "failed", True))
        assert Path("/etc/netns", NX, "resolv.conf").exists()
        assert [one.event.left for one in told.records(PlanApplied)] == [()] * len(told.records(PlanApplied))  # type: ignore[union-attr]
