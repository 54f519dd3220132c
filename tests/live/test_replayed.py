"""The path is one: what a daemon heard gives the same State when it is folded again from an export, and the same PvDs
when somebody else wrote down the same wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.sqlite import SqliteJournal
from events.link import AttachStarted, LinkSeen
from events.ops import ClientEnd, LinkAdd, NetnsDelete, PlanMade
from events.router import RouterAdvertised
from pvdcore.past import audit
from pvdcore.state import State, until
from replay.rerun import rerun
from tests.live.again import pvdctl, replays_alike
from tests.live.lab import Daemon, Lab
from tests.live.topologies import Two
from tests.wire.packets import name, pio, pvd, rdnss

Row = tuple[str, str, str, int | None, int | None]


def items(state: State) -> dict[str, list[Row]]:
    """What each PvD holds, and for how long as announced. The compared fields: the PvD's id without its epoch, and of
    each item the DHCP client it is of, kind, key, valid and preferred lifetime. Addresses that this host forms by
    itself are not compared: which identifier it chose stands in no packet. What was leased is compared for the link as
    a whole, under "": that a MAC is that of one PvD's place, which then has the lease, only its host knows."""
    found: dict[str, set[Row]] = {}
    for id, (_, _, client), _, held in audit.holdings(state):
        if held.kind == "address" and held.value[0] == "slaac":
            continue
        kind, link, *rest = id.replace(":", "/", 1).split("/")
        plain = "/".join([kind, link, *rest[1:]]) if kind in ("ra", "if") else id
        row = (client, held.kind, held.key, held.lifetime_s, held.preferred_s)
        found.setdefault("" if client else plain, set()).add(row)
    return {id: sorted(all_, key=str) for id, all_ in found.items()}


@pytest.fixture
def lived(lab: Lab, tmp_path: Path) -> tuple[Path, Path]:
    """A journal of some life on two links, in two sessions, and a tcpdump of one of them."""
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "r0")
    lab.veth(host, "eth1", router, "r1")
    pvdd = lab.pvdd(host)
    dumping, capture = host.tcpdump("eth0", "icmp6")
    first, second = router.wire("r0"), router.wire("r1")
    first.advertise(pio("2001:db8:1::"), rdnss("2001:db8:1::53"))
    first.advertise(pvd(name("provider.example."), pio("2001:db8:2::"), sequence=1), source="fe80::2")
    second.advertise(pio("2001:db8:3::"), lifetime=600)
    pvdd.wait(RouterAdvertised, count=3)
    host.ip("address", "add", "192.0.2.5/24", "dev", "eth1")
    host.ip("route", "add", "default", "via", "192.0.2.1")
    router.ip("link", "set", "r1", "down")
    router.ip("link", "set", "r1", "up")
    pvdd.wait(lambda event: isinstance(event, AttachStarted) and event.link == "eth1")
    second.advertise(pio("2001:db8:4::"))
    pvdd.wait(RouterAdvertised, count=4)
    pvdd.kill()
    again = lab.pvdd(host)
    host.ip("link", "set", "eth1", "down")
    host.ip("link", "set", "eth1", "name", "renamed")
    host.ip("link", "set", "renamed", "up")
    again.wait(lambda event: isinstance(event, LinkSeen) and event.name == "renamed" and event.carrier)
    first.advertise(pio("2001:db8:1::"), rdnss("2001:db8:1::54"), lifetime=900)
    first.advertise(
        pvd(name("provider.example."), pio("2001:db8:2::", valid=0, preferred=0), sequence=2), source="fe80::2"
    )
    again.wait(RouterAdvertised, count=6)
    assert again.stop() == 0
    dumping.stop()
    return again.journal, capture


@pytest.mark.covers("feat:P2")
def test_an_export_of_a_live_journal_replays_to_the_same_state_byte_for_byte(
    lived: tuple[Path, Path], tmp_path: Path
) -> None:
    """Every live test is asked this at its end (conftest.py); this one has two sessions, and links that change."""
    journal, _ = lived
    replays_alike(journal, tmp_path)
    assert pvdctl("verify", "--journal", str(journal)) != ""


def test_another_capture_of_the_same_wire_has_the_same_pvds_items_and_lifetimes(lived: tuple[Path, Path]) -> None:
    journal, capture = lived
    folded = rerun([f"eth0={capture}"])
    kept = SqliteJournal(journal, readonly=True)
    try:
        state = audit.state_at(kept)
    finally:
        kept.close()
    live = {id: all_ for id, all_ in items(state).items() if "eth1" not in id}
    assert items(folded.state) == live
    assert "ra/eth0/fe80::1" in live and len(live) >= 2
    ends = [until(origin, held) for origins in state.speakers.values() for origin in origins for held in origin.held]
    assert all(end > state.now for end in ends)


@pytest.mark.covers("feat:P1", "feat:P2")
def test_a_tcpdump_beside_real_routers_and_servers_has_the_same_pvds_items_leases_and_lifetimes(lab: Lab) -> None:
    two = Two(lab)
    dumping, capture = two.client.tcpdump("eth0", "icmp6 or port 67 or port 68")
    two.client.run("sh", "-c", "mkdir /etc/pvd/settings.d && cat > /etc/pvd/settings.d/lab.toml", input=MANAGED)
    pvdd = lab.pvdd(two.client, "--config", str(lab.file("pvd.conf", two.CONFIG)))
    two.r1.leases()
    two.announce()
    for id in two.IDS:
        pvdd.place(id)
    leased = "192.0.1."
    pvdd.wait_state(lambda state: any(row[2].startswith(leased) for row in items(state).get("", ())))
    assert pvdd.stop() == 0
    dumping.stop()
    state = pvdd.state()
    live = items(state)
    assert {id.replace("ra:eth0/1/", "ra/eth0/") for id in two.IDS} | {""} == set(live)
    folded = rerun([f"eth0={capture}"])  # which goes on for a moment longer than pvdd did
    wire = items(audit.state_at(folded.journal, at=state.now))
    silent = ended(pvdd)
    assert {row[0] for row in wire[""]} - {row[0] for row in live[""]} <= silent
    wire[""] = [row for row in wire[""] if row[0] not in silent]
    live[""] = [row for row in live[""] if row[0] not in silent]
    assert wire == live


def ended(pvdd: Daemon) -> set[str]:
    """The MACs whose DHCP client pvdd ended, or whose place it took away: no packet says so, as nothing is given back.
    Which of two places is due the link's lease depends on whose RA came first."""
    ops = [op for one in pvdd.records() if isinstance(one.event, PlanMade) for op in one.event.ops]
    places = {op.netns for op in ops if isinstance(op, (ClientEnd, NetnsDelete))}
    return {op.mac for op in ops if isinstance(op, LinkAdd) and op.netns in places}


MANAGED = """id = "lab"
[match]
interface-name = ["eth0"]
[ipv4]
method = "auto"
[ipv6]
method = "auto"
"""
