"""The path is one: what a daemon heard gives the same State when it is folded again from an export, and the same PvDs
when somebody else wrote down the same wire."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.sqlite import SqliteJournal
from events.link import AttachStarted, LinkSeen
from events.router import RouterAdvertised
from pvdcore.past import audit, snapshot
from pvdcore.state import State, until
from replay.rerun import rerun
from tests.live.lab import ROOT, Lab
from tests.wire.packets import name, pio, pvd, rdnss

PVDCTL = (sys.executable, "-P", "-c", "import sys; from replay.cli import main; sys.exit(main())")


def pvdctl(*words: str) -> str:
    done = subprocess.run([*PVDCTL, *words], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def items(state: State, epochs: bool) -> dict[str, list[tuple[str, str, int | None, int | None]]]:
    """What each PvD holds, and for how long as announced. The compared fields: kind, key, both lifetimes."""
    found: dict[str, list[tuple[str, str, int | None, int | None]]] = {}
    for id, _, _, held in audit.holdings(state):
        kind, link, *rest = id.replace(":", "/", 1).split("/")
        plain = id if epochs or kind not in ("ra", "if") else "/".join([kind, link, *rest[1:]])
        found.setdefault(plain, []).append((held.kind, held.key, held.lifetime_s, held.preferred_s))
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


def test_an_export_of_a_live_journal_replays_to_the_same_state_byte_for_byte(
    lived: tuple[Path, Path], tmp_path: Path
) -> None:
    journal, _ = lived
    export = tmp_path / "export.pcapng"
    pvdctl("export", "--journal", str(journal), "-w", str(export))
    folded = rerun([str(export)])
    kept = SqliteJournal(journal, readonly=True)
    try:
        state = audit.state_at(kept)
        assert snapshot.encode(folded.state) == snapshot.encode(state)
        assert list(folded.journal.history()) == list(kept.history())
        assert [one.event for one in folded.journal.records()] == [one.event for one in kept.records()]
    finally:
        kept.close()
    assert pvdctl("verify", "--journal", str(journal)) != ""
    at = ("--at", f"seq:{state.seq}")
    plans = [
        json.loads(pvdctl("plan", "--json", *at, *source))
        for source in (["-r", str(export)], ["--journal", str(journal)])
    ]
    assert plans[0] == plans[1]


def test_another_capture_of_the_same_wire_has_the_same_pvds_items_and_lifetimes(lived: tuple[Path, Path]) -> None:
    journal, capture = lived
    folded = rerun([f"eth0={capture}"])
    kept = SqliteJournal(journal, readonly=True)
    try:
        state = audit.state_at(kept)
    finally:
        kept.close()
    live = {id: all_ for id, all_ in items(state, epochs=False).items() if "eth1" not in id}
    assert items(folded.state, epochs=False) == live
    assert set(live) == {"ra/eth0/fe80::1", "ra/eth0/fe80::2", "fqdn:provider.example."} & set(live) and len(live) >= 2
    ends = [until(origin, held) for origins in state.speakers.values() for origin in origins for held in origin.held]
    assert all(end > state.now for end in ends)
