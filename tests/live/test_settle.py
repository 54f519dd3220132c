"""Places settle: from what was heard to what stands in the kernel, and back to it when somebody changed that.

Law: what is right is asked of iproute2. What is written is counted in records: a plan is written down before it is
applied, so nothing is written without one.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.identifiers import stable
from events.identifiers import IdentifierChosen
from events.ids import SECOND
from events.link import AttachEnded, AttachStarted, DadFailed, LinkGone
from events.ops import AddressAdd, LinkAdd, PlaceUsed, PlanApplied, PlanMade, ResolverWrite, RouteAdd
from pvdcore.host.addresses import eui64, slaac
from pvdcore.projections.places import place_mac, place_name
from pvdcore.projections.placing import backoff
from tests.live.sandbox import sandboxed, sh
from tests.live.told import KEY, Told, seen, veth
from tests.sim.build import dns, mtu, pio, pvd, ra, rio, search

X, Y = "fqdn:x.example.", "fqdn:y.example."
NX, NY = place_name(X, "eth0", 1), place_name(Y, "eth0", 1)
R1, R2 = "fe80::1", "fe80::2"


def live(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A sandboxed test in an event loop."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))  # type: ignore[arg-type]

    return sandboxed(run)


def ip(netns: str, command: str) -> Any:
    """What iproute2 says inside, decoded."""
    return json.loads(sh(f"ip -j -n {netns} {command}") or "[]")


def addresses(netns: str) -> dict[str, dict[str, Any]]:
    """IPv6 addresses of a place's device."""
    return {one["local"]: one for one in ip(netns, f"-6 address show dev {netns}")[0]["addr_info"]}


def routes(netns: str) -> dict[tuple[str, str | None], dict[str, Any]]:
    """IPv6 routes of ours."""
    return {(one["dst"], one.get("gateway")): one for one in ip(netns, "-6 route show protocol 158")}


def full(router: str, name: str, prefix: str, *more: Any, life: int = 1800, **words: Any) -> Any:
    """An RA with one PvD that has all: the PIO inside."""
    return ra(
        router,
        pvd(name, pio(prefix, 3600, 1800), dns("2001:db8::53"), search(name), *more),
        life=life,
        link="eth0",
        **words,
    )


@pytest.mark.covers("acc:AF1", "feat:K1", "feat:K2")
@live
async def test_an_ra_becomes_a_place_and_is_placed() -> None:
    link = veth()
    async with Told() as told:
        told.hear(
            link, full(R1, "x.example.", "2001:db8:1::/64", mtu(1400), rio("2001:db8:aa::/48", pref="low"), hop=33)
        )
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        lo, device = ip(NX, "-d link")
        assert lo["ifname"] == "lo" and "UP" in lo["flags"]
        assert (device["ifname"], device["mtu"], device["address"]) == (NX, 1400, place_mac(NX))
        found = addresses(NX)
        local = next(one for one in found if one.startswith("fe80:"))
        glob = next(one for one in found if one.startswith("2001:db8:1:"))
        assert len(found) == 2
        assert found[local]["valid_life_time"] == 2**32 - 1
        assert 3590 <= found[glob]["valid_life_time"] <= 3600
        assert 1790 <= found[glob]["preferred_life_time"] <= 1800
        assert set(routes(NX)) == {("default", R1), ("2001:db8:1::/64", None), ("2001:db8:aa::/48", R1)}
        assert routes(NX)["2001:db8:aa::/48", R1]["pref"] == "low"
        assert sh(f"ip netns exec {NX} cat /proc/sys/net/ipv6/conf/{NX}/hop_limit").strip() == "33"
        assert "nameserver 2001:db8::53\nsearch x.example.\n" in Path("/etc/netns", NX, "resolv.conf").read_text()
        placement = told.instance(X).placement
        assert placement is not None
        assert (placement.name, placement.device, placement.failed) == (NX, NX, ())
        made, applied = told.records(PlanMade), told.records(PlanApplied)
        assert made[0].seq < applied[0].seq, "journal, act, journal"


@live
async def test_two_pvds_with_one_prefix_and_one_router_are_two_places() -> None:
    link = veth()
    async with Told() as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"), full(R2, "y.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == told.phase(Y) == "placed")
        await told.settled()
        assert ("default", R1) in routes(NX)
        assert ("default", R2) in routes(NY)
        assert ("2001:db8:1::/64", None) in routes(NX)
        assert ("2001:db8:1::/64", None) in routes(NY)
        locals_ = [one for netns in (NX, NY) for one in addresses(netns) if one.startswith("fe80:")]
        assert len(set(locals_)) == 2


@pytest.mark.covers("bug:18", "feat:K3")
@live
async def test_the_same_ra_a_thousand_times_writes_nothing_and_a_dns_change_leaves_a_flow_alone() -> None:
    link = veth()
    async with Told() as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        inside = f"ip netns exec {NX} python3 -c"
        glob = next(one for one in addresses(NX) if one.startswith("2001:db8:1:"))
        server = subprocess.Popen([*inside.split(), ECHO, glob], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        client = subprocess.Popen(
            [*inside.split(), TALK, glob, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        before, starts = len(told.records(PlanMade)), told.helper.starts
        for _ in range(1000):
            told.hear(full(R1, "x.example.", "2001:db8:1::/64"))
            await asyncio.sleep(0)
        await told.settled()
        assert len(told.records(PlanMade)) == before
        changed = ra(
            R1,
            pvd("x.example.", pio("2001:db8:1::/64", 3600, 1800), dns("2001:db8::54"), search("x.example.")),
            link="eth0",
        )
        told.hear(changed)
        await told.until(lambda: len(told.records(PlanApplied)) > before)
        await told.settled()
        (plan,) = told.records(PlanMade)[before:]
        assert {type(op) for op in plan.event.ops} == {ResolverWrite}  # type: ignore[union-attr]
        assert "2001:db8::54" in Path("/etc/netns", NX, "resolv.conf").read_text()
        assert client.stdin is not None and client.stdout is not None
        client.stdin.write("still here\n")
        client.stdin.flush()
        assert client.stdout.readline() == "still here\n"
        assert told.helper.starts == starts == 1
        for process in (client, server):
            process.kill()
            process.wait()


ECHO = """
import socket, sys
s = socket.create_server((sys.argv[1], 0), family=socket.AF_INET6)
print(s.getsockname()[1], flush=True)
c, _ = s.accept()
while data := c.recv(99): c.sendall(data)
"""
TALK = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for line in sys.stdin:
    s.sendall(line.encode())
    print(s.recv(99).decode(), end="", flush=True)
"""


@live
async def test_what_somebody_else_changed_is_repaired_and_what_is_theirs_stays() -> None:
    link = veth()
    async with Told() as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        before = set(addresses(NX)), set(routes(NX))
        glob = next(one for one in addresses(NX) if one.startswith("2001:db8:1:"))

        async def repaired(damage: str) -> None:
            count = len(told.records(PlanApplied))
            sh(damage)
            await told.until(lambda: len(told.records(PlanApplied)) > count)
            await told.until(lambda: _same(before))
            await told.settled()

        sh(f"ip -n {NX} address add 2001:db8:f::1/64 dev {NX} && ip -n {NX} -6 route add 2001:db8:e::/48 dev {NX}")
        await repaired(f"ip -n {NX} -6 route delete default")
        await repaired(f"ip -n {NX} address delete {glob}/64 dev {NX}")
        await repaired(f"rm /etc/netns/{NX}/resolv.conf")
        assert "2001:db8:f::1" in addresses(NX)
        assert "2001:db8:e::/48" in sh(f"ip -n {NX} -6 route")
        await repaired(f"ip -n {NX} link set {NX} down")
        await repaired(f"ip -n {NX} link delete {NX}")
        await repaired(f"ip netns delete {NX}")
        assert "nameserver 2001:db8::53" in Path("/etc/netns", NX, "resolv.conf").read_text()
        assert told.phase(X) == "placed"


def _same(before: tuple[set[str], set[tuple[str, str | None]]]) -> bool:
    try:
        return before[0] <= set(addresses(NX)) and before[1] <= set(routes(NX))
    except AssertionError:
        return False


# --- Ends ---------------------------------------------------------------------------------------------------


def ending(router: str = R1, name: str = "x.example.") -> Any:
    """The RA that withdraws all that `full` said."""
    inside = (pio("2001:db8:1::/64", 0, 0), dns("2001:db8::53", life=0), search(name, life=0))
    return ra(router, pvd(name, *inside), life=0, link="eth0")


@live
async def test_a_pvd_that_is_withdrawn_takes_its_place_with_it_and_may_come_back() -> None:
    link = veth()
    async with Told(two_hour_rule=False) as told:
        for _ in range(3):
            told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
            await told.until(lambda: told.phase(X) == "placed")
            await told.settled()
            assert ("default", R1) in routes(NX)
            told.hear(ending())
            await told.until(lambda: told.phase(X) == "gone")
            await told.settled()
            assert os.listdir("/run/netns") == []
            assert os.listdir("/etc/netns") == []
        phases = [one.phase for one in told.journal.history() if one.phase != one.phase_before]
        assert phases == ["announced", "placed", "lingering", "gone"] * 3


@pytest.mark.covers("problem:11", "feat:K5")
@live
async def test_who_is_inside_keeps_the_place_and_it_goes_with_the_last_of_them() -> None:
    link = veth()
    async with Told(two_hour_rule=False) as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        inside = [subprocess.Popen(["ip", "netns", "exec", NX, "sleep", "1000"]) for _ in range(2)]
        for one in inside:
            await told.until(lambda one=one: Path(f"/proc/{one.pid}/comm").read_text().strip() == "sleep")
        told.hear(ending())
        await told.until(lambda: told.phase(X) == "lingering" and told.records(PlaceUsed))
        placement = told.instance(X).placement
        assert placement is not None
        assert {(one.pid, one.comm) for one in placement.users} == {(one.pid, "sleep") for one in inside}
        await told.settled()
        inside[0].kill()
        inside[0].wait()
        await told.until(lambda: len(told.records(PlaceUsed)) == 2)
        assert [one.pid for one in told.records(PlaceUsed)[-1].event.users] == [inside[1].pid]  # type: ignore[union-attr]
        assert os.listdir("/run/netns") == [NX]
        assert inside[1].poll() is None
        inside[1].kill()
        inside[1].wait()
        await told.until(lambda: told.phase(X) == "gone")
        assert os.listdir("/run/netns") == []


@live
async def test_a_lingering_pvd_that_is_heard_again_stands_again_with_the_same_people_in_it() -> None:
    link = veth()
    async with Told(two_hour_rule=False) as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        inode = os.stat(f"/run/netns/{NX}").st_ino
        inside = subprocess.Popen(["ip", "netns", "exec", NX, "sleep", "1000"])
        await told.until(lambda: Path(f"/proc/{inside.pid}/comm").read_text().strip() == "sleep")
        told.hear(ending())
        await told.until(lambda: told.phase(X) == "lingering" and told.records(PlaceUsed))
        told.hear(full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        assert os.stat(f"/run/netns/{NX}").st_ino == inode
        assert ("default", R1) in routes(NX)
        placement = told.instance(X).placement
        assert placement is not None
        assert placement.users == ()
        inside.kill()
        inside.wait()


@pytest.mark.covers("problem:10", "problem:11", part="expected")
@live
async def test_who_stayed_inside_is_in_the_same_place_when_its_explicit_pvd_is_visited_again() -> None:
    link = veth()
    async with Told(two_hour_rule=False) as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        inode = os.stat(f"/run/netns/{NX}").st_ino
        inside = subprocess.Popen(["ip", "netns", "exec", NX, "sleep", "1000"])
        await told.until(lambda: Path(f"/proc/{inside.pid}/comm").read_text().strip() == "sleep")
        told.hear(AttachEnded(link="eth0", reason="carrier"))
        await told.until(lambda: told.phase(X) == "lingering" and told.records(PlaceUsed))
        await told.settled()
        told.hear(AttachStarted(link="eth0"), full(R1, "x.example.", "2001:db8:2::/64"))
        await told.until(lambda: told.phase(X) == "placed" and len(told.state.pvds[X].instances) == 1)
        await told.settled()
        assert os.stat(f"/run/netns/{NX}").st_ino == inode
        assert ("2001:db8:2::/64", None) in routes(NX) and ("2001:db8:1::/64", None) not in routes(NX)
        assert told.instance(X).epoch == 2
        assert [one.cause for one in told.journal.history() if one.phase == "gone"] == ["returned"]
        told.hear(AttachEnded(link="eth0", reason="carrier"))
        await told.until(lambda: told.phase(X) == "lingering")
        inside.kill()
        inside.wait()
        await told.until(lambda: told.phase(X) == "gone")
        assert os.listdir("/run/netns") == []


@live
async def test_a_policy_says_how_long_anybody_may_stay() -> None:
    link = veth()
    async with Told(two_hour_rule=False, linger_max_s=1) as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        inside = subprocess.Popen(["ip", "netns", "exec", NX, "sleep", "1000"])
        await told.until(lambda: Path(f"/proc/{inside.pid}/comm").read_text().strip() == "sleep")
        told.hear(ending())
        await told.until(lambda: told.phase(X) == "gone")
        lingered, gone = [one.at for one in told.journal.history() if one.phase in ("lingering", "gone")][-2:]
        assert gone - lingered >= 1 * SECOND
        assert os.listdir("/run/netns") == []
        assert inside.poll() is None, "nobody is killed"
        inside.kill()
        inside.wait()


@live
async def test_a_link_that_goes_takes_its_places_with_it() -> None:
    link = veth()
    async with Told() as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"), full(R2, "y.example.", "2001:db8:2::/64"))
        await told.until(lambda: told.phase(X) == told.phase(Y) == "placed")
        await told.settled()
        sh("ip link delete eth0")
        told.hear(LinkGone(link="eth0"))
        await told.until(lambda: told.phase(X) == told.phase(Y) == "gone")
        await told.settled()
        assert os.listdir("/run/netns") == []


# --- What goes wrong ----------------------------------------------------------------------------------------


@live
async def test_what_fails_waits_longer_each_time_and_holds_up_nothing_else() -> None:
    link = veth()
    theirs = Path("/etc/netns", NX, "resolv.conf")
    theirs.parent.mkdir()
    theirs.write_text("nameserver 192.0.2.1\n")
    async with Told() as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"), full(R2, "y.example.", "2001:db8:2::/64"))
        await told.until(lambda: told.phase(X) == told.phase(Y) == "placed")

        def failing() -> Any:
            placement = told.instance(X).placement
            return placement.failed[0] if placement is not None and placement.failed else None

        await told.until(lambda: failing() is not None and failing().count == 3)
        assert failing().error.startswith("EEXIST")
        assert isinstance(failing().op, ResolverWrite)
        assert ("default", R1) in routes(NX)
        assert theirs.read_text() == "nameserver 192.0.2.1\n"
        tried = [
            one.at
            for one in told.records(PlanMade)
            if any(isinstance(op, ResolverWrite) for op in one.event.ops)  # type: ignore[union-attr]
            and one.event.pvd == X  # type: ignore[union-attr]
        ]
        assert tried[1] - tried[0] >= backoff(1) and tried[2] - tried[1] >= backoff(2) > backoff(1)
        theirs.unlink()
        await told.until(lambda: failing() is None)
        assert "nameserver 2001:db8::53" in theirs.read_text()


@live
@pytest.mark.parametrize("end", ["taken back", "ended"])
async def test_what_fails_and_is_wanted_no_more_is_not_shown_as_failing(end: str) -> None:
    link = veth()
    theirs = Path("/etc/netns", NX, "resolv.conf")
    theirs.parent.mkdir()
    theirs.write_text("nameserver 192.0.2.1\n")
    async with Told() as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))

        def failing() -> list[str]:
            placement = told.instance(X).placement
            return [type(one.op).__name__ for one in placement.failed] if placement is not None else []

        await told.until(lambda: told.phase(X) == "placed" and failing() == ["ResolverWrite"])
        if end == "taken back":
            back = (dns("2001:db8::53", life=0), search("x.example.", life=0))
            told.hear(ra(R1, pvd("x.example.", pio("2001:db8:1::/64", 3600, 1800), *back), link="eth0"))
            await told.until(lambda: not failing())
            assert told.phase(X) == "placed"
        else:
            inside = subprocess.Popen(["ip", "netns", "exec", NX, "sleep", "60"])
            await told.until(lambda: os.stat(f"/proc/{inside.pid}/ns/net").st_ino == os.stat(f"/run/netns/{NX}").st_ino)
            told.hear(AttachEnded(link="eth0"))
            await told.until(lambda: told.phase(X) == "lingering")
            assert failing() == [], "nobody writes a resolver for it any more"
            inside.kill()
            inside.wait()
            await told.until(lambda: told.phase(X) == "gone")


@live
async def test_a_link_that_is_gone_in_the_middle_of_it_fails_and_is_placed_when_it_is_back() -> None:
    link = veth()
    sh("ip link delete eth0")  # netlink has not said so yet
    async with Told() as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.records(PlanApplied))
        (outcomes,) = [one.event.outcomes for one in told.records(PlanApplied)[:1]]  # type: ignore[union-attr]
        assert [(type(one.op), one.error.split(":")[0]) for one in outcomes][1:] == [(LinkAdd, "ENODEV")]
        assert told.phase(X) == "announced"
        told.hear(veth())
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        assert ("default", R1) in routes(NX)


@live
async def test_a_helper_that_is_killed_is_started_again_and_finds_all_as_it_was() -> None:
    link = veth()
    async with Told() as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        count = len(told.records(PlanMade))
        os.kill(told.helper.pid, 9)
        sh(f"ip -n {NX} -6 route delete default")
        told.hear(full(R2, "y.example.", "2001:db8:2::/64"))
        await told.until(lambda: told.phase(Y) == "placed")
        await told.until(lambda: ("default", R1) in routes(NX))
        assert told.helper.starts == 2
        repairs = [one.event for one in told.records(PlanMade)[count:] if one.event.pvd == X]  # type: ignore[union-attr]
        assert [type(op) for one in repairs for op in one.ops] == [RouteAdd]  # type: ignore[union-attr]


@pytest.mark.covers("rfc:S11")
@live
async def test_an_address_that_somebody_has_is_replaced_by_the_next() -> None:
    await replaced("wait")


@live
async def test_an_optimistic_address_that_somebody_has_is_replaced_too() -> None:
    await replaced("optimistic")


async def replaced(dad: str) -> None:
    """A neighbour on the wire has the first address that is derived, and says so when it is asked."""
    link = veth()
    taken, counter = stable("2001:db8:1::/64", "eth0", KEY, used=frozenset())
    first = slaac("2001:db8:1::/64", int(taken, 16))
    sh("sysctl -qw net.ipv6.conf.peth0.accept_dad=0")
    sh(f"ip address add {first} dev peth0 nodad")
    async with Told(dad=dad) as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.records(DadFailed))
        made = [op for one in told.records(PlanMade) for op in one.event.ops if isinstance(op, AddressAdd)]  # type: ignore[union-attr]
        assert {one.dad for one in made} == {dad}
        assert {one.event for one in told.records(DadFailed)} == {DadFailed(link="eth0", address=first)}
        await told.until(lambda: told.records(IdentifierChosen)[-1].event.dad_counter == counter + 1)  # type: ignore[union-attr]
        following = told.records(IdentifierChosen)[-1].event.iid  # type: ignore[union-attr]
        second = slaac("2001:db8:1::/64", int(following, 16)).split("/")[0]
        await told.until(lambda: second in addresses(NX) and first.split("/")[0] not in addresses(NX))
        await told.settled()


@live
async def test_without_detection_an_address_is_used_at_once_and_with_optimism_too() -> None:
    link = veth()
    async with Told(dad="off", identifier="eui64") as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        assert not any(one.get("tentative") for one in addresses(NX).values())
        local = f"fe80::{eui64(place_mac(NX)):x}"
        assert slaac("fe80::/64", eui64(place_mac(NX))).split("/")[0] in addresses(NX), local


@pytest.mark.covers("rfc:S15")
@live
async def test_a_temporary_address_stands_beside_the_stable_one() -> None:
    link = veth()
    async with Told(temporary=True) as told:
        told.hear(link, full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        kinds = {one.event.kind for one in told.records(IdentifierChosen)}  # type: ignore[union-attr]
        assert kinds == {"stable", "temporary"}
        assert len([one for one in addresses(NX) if one.startswith("2001:db8:1:")]) == 2
    async with Told() as told:
        told.hear(seen(), full(R1, "x.example.", "2001:db8:1::/64"))
        await told.until(lambda: told.phase(X) == "placed")
        await told.settled()
        assert len([one for one in addresses(NX) if one.startswith("2001:db8:1:")]) == 1, "off is off"
