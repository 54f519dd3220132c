"""The projection `tables`: what instances bring to the host's own namespace, and what of it is anybody else's.

Law: what is right is asked of iproute2; nothing is written without a plan, and nothing of others is changed.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from adapters.places.steering import Steering, teardown
from adapters.sqlite import SqliteJournal
from events.ids import SECOND
from events.link import AddressSeen, DadFailed, LinkGone
from events.ops import AddressAdd, Op, PlanApplied, PlanMade, RouteAdd
from pvdcore.projections.tables import ours
from tests.live.sandbox import sandboxed, sh
from tests.live.test_crash import about
from tests.live.test_settle import R1, R2, X, Y, ending, full, live
from tests.live.told import Told, seen, veth
from tests.sim.build import dns, pio, pvd, ra, rio, search

P = "2001:db8:1::/64"


def number(told: Told, pvd: str = X) -> int:
    placement = told.instance(pvd).placement
    assert placement is not None and placement.projection == "tables" and placement.device == "eth0"
    return int(placement.name)


def routes(table: int) -> set[tuple[str, str | None]]:
    """IPv6 routes in a table; ("default", "unreachable") is what ends it."""
    said = json.loads(sh(f"ip -j -6 route show table {table}") or "[]")
    return {(one["dst"], "unreachable" if one.get("type") == "unreachable" else one.get("gateway")) for one in said}


def rules() -> set[tuple[str, int]]:
    """Source and table of the rules with our number."""
    said = [one for words in ("", "-6") for one in json.loads(sh(f"ip -j {words} rule show"))]
    return {(one["src"], int(one["table"])) for one in said if one.get("protocol") == "158"}


def addresses() -> dict[str, dict[str, Any]]:
    """Global IPv6 addresses of the link."""
    said = json.loads(sh("ip -j -6 address show dev eth0 scope global"))
    return {one["local"]: one for each in said for one in each.get("addr_info", ()) if one}


def everything() -> str:
    """All there is but for lifetimes, and for what the kernel makes of its own accord a second after a link is up."""
    said = sh("ip -br address; ip route show table all; ip rule; ip -6 rule; ip -6 route show table all")
    said = re.sub(r" expires \d+sec|fe80::\S+/64| tentative", "", said)
    return "\n".join(
        sorted(" ".join(sorted(line.split())) for line in said.splitlines() if " table local " not in line)
    )


def plans(told: Told) -> list[PlanMade]:
    return [one.event for one in told.records(PlanMade)]  # type: ignore[misc]


@pytest.mark.covers("feat:L1", "feat:L2")
@live
async def test_an_ra_becomes_a_table_with_a_rule_for_its_address() -> None:
    link = veth()
    before = everything()
    async with Told(projection="tables", two_hour_rule=False) as told:
        told.hear(link, full(R1, "x.example.", P, rio("2001:db8:aa::/48", pref="low", life=60), hop=33))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        table = number(told)
        assert ours(table)
        assert routes(table) == {
            ("default", R1),
            ("2001:db8:1::/64", None),
            ("2001:db8:aa::/48", R1),
            ("default", "unreachable"),
        }
        ((address, found),) = addresses().items()
        assert rules() == {(address, table)}
        assert 3590 <= found["valid_life_time"] <= 3600 and 1790 <= found["preferred_life_time"] <= 1800
        assert f"via {R1} dev eth0" in sh(f"ip -6 route get 2001:db8:f::1 from {address}")
        first = told.records(PlanMade)[0]
        assert first.event.projection == "tables"  # type: ignore[union-attr]
        assert first.seq < told.records(PlanApplied)[0].seq, "journal, act, journal"
        assert os.listdir("/run/netns") == [] == os.listdir("/etc/netns")
        told.hear(full(R1, "x.example.", P, rio("2001:db8:aa::/48", life=0), life=0), ending())
        await told.until(lambda: told.phase(X) == "gone")
        await told.settled()
        assert everything() == before


@pytest.mark.covers("feat:L6", "rfc:Q03")
@live
async def test_no_packet_of_one_pvd_leaves_by_another() -> None:
    """When its router is gone, what speaks from a PvD's address is refused, although there are other ways out."""
    link = veth()
    async with Told(projection="tables") as told:
        told.hear(link, full(R1, "x.example.", P), full(R2, "y.example.", "2001:db8:2::/64"))
        sh("ip -6 route add default via fe80::99 dev eth0")  # the host's own
        await told.until(lambda: told.phase(X) == told.phase(Y) == "placed")
        await told.settled()
        (mine,) = [one for one in addresses() if one.startswith("2001:db8:1:")]
        (other,) = [one for one in addresses() if one.startswith("2001:db8:2:")]
        assert f"via {R1}" in sh(f"ip -6 route get 2001:db8:f::1 from {mine}")
        assert f"via {R2}" in sh(f"ip -6 route get 2001:db8:f::1 from {other}")
        told.hear(full(R1, "x.example.", P, life=0))
        await told.until(lambda: ("default", R1) not in routes(number(told)))
        refused = await asyncio.create_subprocess_shell(
            f"ip -6 route get 2001:db8:f::1 from {mine}",
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        _, said = await refused.communicate()
        assert b"No route to host" in said
        assert f"via {R2}" in sh(f"ip -6 route get 2001:db8:f::1 from {other}")
        assert "via fe80::99" in sh("ip -6 route get 2001:db8:f::1")


def way(source: str) -> str:
    """The router by which the kernel sends what speaks from an address."""
    return str(json.loads(sh(f"ip -j -6 route get 2001:db8:f::1 from {source}"))[0]["gateway"])


@pytest.mark.covers("rfc:Q03")
@live
async def test_each_address_of_one_pvd_leaves_by_a_router_that_announced_its_prefix() -> None:
    link = veth()
    async with Told(projection="tables") as told:
        told.hear(link, full(R1, "x.example.", P, pref="low"), full(R2, "x.example.", "2001:db8:2::/64", pref="high"))
        await told.until(lambda: told.phase(X) == "placed" and len(addresses()) == 2)
        await told.settled()
        first, second = sorted(addresses())
        assert (way(first), way(second)) == (R1, R2)
        assert len({table for _, table in rules()}) == 2 and number(told) not in {table for _, table in rules()}
        told.hear(full(R2, "x.example.", P, pref="high"))  # it announces both now: the better one is for all
        await told.until(lambda: way(first) == R2)
        await told.settled()
        assert ("default", R1) in routes(dict(rules())[first]), "and the other is there"


@live
async def test_two_pvds_with_one_prefix_are_two_tables() -> None:
    link = veth()
    async with Told(projection="tables") as told:
        told.hear(link, full(R1, "x.example.", P), full(R2, "y.example.", P))
        await told.until(lambda: told.phase(X) == told.phase(Y) == "placed")
        await told.settled()
        assert ("default", R1) in routes(number(told, X)) and ("default", R2) in routes(number(told, Y))
        assert ("default", R2) not in routes(number(told, X))


@pytest.mark.covers("feat:K3", "bug:18")
@live
async def test_the_same_ra_a_thousand_times_writes_nothing() -> None:
    link = veth()
    async with Told(projection="tables") as told:
        told.hear(link, full(R1, "x.example.", P))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        before = len(plans(told))
        for _ in range(1000):
            told.hear(full(R1, "x.example.", P))
            await asyncio.sleep(0)
        changed = ra(R1, pvd("x.example.", pio(P, 3600, 1800), dns("2001:db8::54"), search("x.example.")), link="eth0")
        told.hear(changed)
        await told.settled()
        assert len(plans(told)) == before, "nor does another resolver: the host's is not ours"


@pytest.mark.covers("feat:L3", "feat:L4")
@live
async def test_what_somebody_else_changed_is_repaired_and_what_is_theirs_stays() -> None:
    link = veth()
    async with Told(projection="tables") as told:
        told.hear(link, full(R1, "x.example.", P))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        table = number(told)
        ((address, _),) = addresses().items()
        sh(f"ip -6 rule add from 2001:db8:9::/64 table {table}")
        sh(f"ip -6 route add 2001:db8:e::/48 dev eth0 table {table}")
        sh("ip -6 route add 2001:db8:d::/48 dev eth0 table 77 && ip address add 2001:db8:f::1/64 dev eth0 nodad")
        before = everything()
        for damage in (
            f"ip -6 route delete default via {R1} table {table}",
            f"ip -6 route delete unreachable default table {table}",
            f"ip -6 rule delete from {address} table {table}",
            f"ip address delete {address}/64 dev eth0",
            f"ip -6 route flush table {table} proto 158",
        ):
            count = len(told.records(PlanApplied))
            sh(damage)
            await told.until(lambda count=count: len(told.records(PlanApplied)) > count)
            await told.until(lambda: everything() == before)
            await told.settled()
        told.hear(ending())
        told.hear(LinkGone(link="eth0"))
        await told.until(lambda: told.phase(X) == "gone")
        assert rules() == set() and address not in addresses()
        assert routes(table) == {("2001:db8:e::/48", None)}
        assert f"from 2001:db8:9::/64 lookup {table}" in sh("ip -6 rule")
        assert "2001:db8:d::/48 dev eth0" in sh("ip -6 route show table 77") and "2001:db8:f::1" in addresses()


@live
async def test_an_address_that_the_host_has_is_used_and_stays_as_it_is() -> None:
    link = veth()
    sh("ip address add 2001:db8:1::77/64 dev eth0 nodad")
    async with Told(projection="tables") as told:
        told.hear(link, AddressSeen(link="eth0", address="2001:db8:1::77/64", flags=0x80, origin="static"))
        told.hear(full(R1, "x.example.", P))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        assert rules() == {("2001:db8:1::77", number(told))}
        assert list(addresses()) == ["2001:db8:1::77"]
        assert not [op for one in plans(told) for op in one.ops if isinstance(op, AddressAdd)]
        told.hear(LinkGone(link="eth0"))
        await told.until(lambda: told.phase(X) == "gone")
        assert list(addresses()) == ["2001:db8:1::77"] and rules() == set()


@pytest.mark.covers("rfc:S11")
@live
async def test_an_address_that_somebody_on_the_wire_has_is_replaced_by_the_next() -> None:
    link = veth()
    async with Told(projection="tables", dad="wait") as told:
        told.hear(link, full(R1, "x.example.", P))
        await told.until(lambda: addresses())
        ((first, _),) = addresses().items()
    sh(f"ip -6 address flush dev eth0 scope global; ip -6 address add {first}/64 dev peth0 nodad")
    async with Told(projection="tables", dad="wait") as told:
        told.hear(link, full(R1, "x.example.", P))
        await told.until(lambda: told.records(DadFailed))
        assert {one.event for one in told.records(DadFailed)} == {DadFailed(link="eth0", address=f"{first}/64")}
        await told.until(lambda: addresses() and first not in addresses())
        await told.settled()
        ((second, _),) = addresses().items()
        assert rules() == {(second, number(told))}


@live
async def test_what_fails_waits_longer_each_time_and_holds_up_nothing_else() -> None:
    link = veth()
    async with Told(projection="tables") as told:
        told.hear(
            link,
            full(R1, "x.example.", P),
            full(R2, "y.example.", "2001:db8:2::/64"),
        )
        await told.until(lambda: told.phase(X) == told.phase(Y) == "placed")
        await told.settled()
        ((mine, _),) = [one for one in addresses().items() if one[0].startswith("2001:db8:1:")]
        # Somebody else takes the address: it is his from now on, and stays.
        sh(f"ip address delete {mine}/64 dev eth0 && ip address add {mine}/64 dev eth0 nodad")

        def failing() -> Any:
            placement = told.instance(X).placement
            return placement.failed[0] if placement is not None and placement.failed else None

        await told.until(lambda: failing() is not None and failing().count == 3)
        assert isinstance(failing().op, AddressAdd) and failing().error.startswith("EEXIST: somebody else")
        tried = [one.at for one in told.records(PlanMade) if any(isinstance(op, AddressAdd) for op in one.event.ops)]  # type: ignore[union-attr]
        assert tried[-1] - tried[-2] > tried[-2] - tried[-3] >= SECOND // 10
        assert told.phase(Y) == "placed"
        told.hear(AddressSeen(link="eth0", address=f"{mine}/64", flags=0x80, origin="static"))
        await told.until(lambda: failing() is None)
        await told.settled()
        assert "valid_lft forever" in sh(f"ip address show to {mine}"), "it is still as he made it"


@live
async def test_a_link_that_is_gone_in_the_middle_of_it_fails_and_is_written_when_it_is_back() -> None:
    link = veth()
    sh("ip link delete eth0")  # netlink has not said so yet
    async with Told(projection="tables") as told:
        told.hear(link, full(R1, "x.example.", P))
        await told.until(lambda: told.records(PlanApplied))
        outcomes = told.records(PlanApplied)[0].event.outcomes  # type: ignore[union-attr]
        wrong = {(type(one.op), one.error) for one in outcomes if one.error}
        assert wrong == {(RouteAdd, "ENODEV"), (AddressAdd, "ENODEV")}
        told.hear(veth())
        await told.until(lambda: addresses() and ("default", R1) in routes(number(told)))
        await told.settled()
        placement = told.instance(X).placement
        assert placement is not None and placement.failed == ()
        assert rules() == {(address, number(told)) for address in addresses()}


@live
async def test_a_helper_that_is_killed_is_started_again_and_repairs_what_nobody_saw() -> None:
    link = veth()
    async with Told(projection="tables") as told:
        told.hear(link, full(R1, "x.example.", P))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        count, table = len(plans(told)), number(told)
        os.kill(told.helper.pid, 9)
        sh(f"ip -6 route delete default via {R1} table {table}")
        await told.until(lambda: ("default", R1) in routes(table))
        await told.settled()
        assert told.helper.starts == 2
        assert [(type(op), op.table) for one in plans(told)[count:] for op in one.ops] == [(RouteAdd, table)]  # type: ignore[union-attr]


# --- Crashes ------------------------------------------------------------------------------------------------

OPS = 7  # of the plan for `full` with a route: three routes and two ends of the table, a rule, an address


def killed_at(at: int, journal: str) -> None:
    """A session of its own process that places a PvD and is killed before that operation."""
    child = os.fork()
    if not child:

        async def session() -> None:
            store = SqliteJournal(journal)
            async with Told(store, {"PVD_KILL_AT": str(at)}, projection="tables", two_hour_rule=False) as told:
                told.hear(seen(), full(R1, "x.example.", P, rio("2001:db8:aa::/48")))
                await told.until(lambda: False)

        try:
            asyncio.run(session())
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == 9, status


@pytest.mark.covers("bug:27", "feat:L3")
@pytest.mark.parametrize("at", range(1, OPS + 2))
def test_killed_before_an_operation_the_next_session_does_what_is_left_and_no_more(at: int, tmp_path: Path) -> None:
    journal = str(tmp_path / "journal.db")

    @sandboxed
    def body() -> None:
        veth()
        before = everything()
        killed_at(at, journal)

        async def again() -> None:
            store = SqliteJournal(journal)
            async with Told(store, projection="tables", two_hour_rule=False) as told:
                await told.until(lambda: told.phase(X) == "placed")
                await told.settled()
                initial, *later = [one.ops for one in plans(told)]
                assert len(initial) == OPS
                written: list[Op] = [op for ops in later for op in ops]
                assert [about(op) for op in written] == [about(op) for op in initial[at - 1 :]]
                assert len(rules()) == len(addresses()) == 1
                assert routes(number(told)) >= {("default", R1), ("2001:db8:aa::/48", R1), ("default", "unreachable")}
                told.hear(full(R1, "x.example.", P, rio("2001:db8:aa::/48", life=0), life=0))
                told.hear(ending())
                await told.until(lambda: told.phase(X) == "gone")
                await told.settled()
                assert everything() == before
            store.close()
            assert not list(SqliteJournal(journal).check())

        asyncio.run(again())

    body()


@live
async def test_what_another_journal_left_behind_is_taken_away() -> None:
    link = veth()
    before = everything()
    async with Told(projection="tables") as told:
        told.hear(link, full(R1, "x.example.", P))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
    assert everything() != before
    async with Told(projection="tables") as told:
        await told.until(lambda: told.records(PlanMade) and told.projection.settler.settled())
        assert everything() == before


@live
async def test_a_link_that_is_given_to_another_projection_changes_over() -> None:
    link = veth()
    before = everything()
    async with Told(projection="tables") as told:
        told.hear(link, full(R1, "x.example.", P))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        told.project(("eth*", "netns"))
        await told.until(lambda: told.phase(X) == "placed" and os.listdir("/run/netns"))
        await told.settled()
        assert everything() == before
        told.project(("eth*", "tables"))
        await told.until(lambda: told.phase(X) == "placed" and rules())
        await told.settled()
        assert os.listdir("/run/netns") == []
        told.project(("eth*", "none"), ("wlan*", "tables"))
        await told.until(lambda: everything() == before)
        assert told.phase(X) == "announced"


@sandboxed
def test_teardown_removes_what_is_ours_and_nothing_else() -> None:
    link = veth()
    sh("ip address add 2001:db8:f::1/64 dev eth0 nodad && ip -6 rule add from 2001:db8:9::/64 table 77")
    before = everything()

    async def placed() -> None:
        async with Told(projection="tables") as told:
            told.hear(link, full(R1, "x.example.", P))
            await told.until(lambda: told.phase(X) == "placed")
            await told.settled()

    asyncio.run(placed())
    assert everything() != before
    ((table,), (address,)) = ({table for _, table in rules()}, {source for source, _ in rules()})
    sh(f"ip -6 route add 2001:db8:e::/48 dev eth0 table {table}")  # somebody else's, in a table of ours
    assert teardown() == [f"address {address}/64", f"rule from {address}/128 to table {table}", f"table {table}"]
    assert teardown() == []
    sh(f"ip -6 route delete 2001:db8:e::/48 dev eth0 table {table}")
    assert everything() == before
    assert Steering().look().routes == ()
