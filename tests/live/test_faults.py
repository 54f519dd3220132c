"""What becomes of places when something goes wrong around them, in namespaces and in tables alike.

Law: pvdd runs as itself, on a wire; what stands is asked of the kernel, and nothing may be left, doubled or written
again that was right.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.sqlite import SqliteJournal
from events.ids import SECOND
from events.link import AttachStarted
from events.ops import PlanApplied, PlanMade
from events.router import RouterAdvertised
from pvdcore.checks.invariants import check
from pvdcore.projections.places import place_name
from tests.live.lab import ROOT, Daemon, Host, Lab, Wire, until
from tests.live.test_steered import OURS, addresses, rules
from tests.wire.packets import name, pio, pvd

X, Y = "fqdn:x.example.", "fqdn:y.example."
HOUR = 3600
both = pytest.mark.parametrize("how", ["netns", "tables"])


def say(wire: Wire, who: str = "x", number: int = 1, life: int = 2 * HOUR) -> None:
    """An RA with one PvD, which has a prefix of its own that nobody else reads."""
    inside = pvd(name(f"{who}.example."), pio(f"2001:db8:{number}::", valid=life, preferred=life))
    wire.advertise(inside, source=f"fe80::{number}", lifetime=min(life, 1800))


def wired(lab: Lab) -> tuple[Host, Wire]:
    host, router = lab.host("h"), lab.host("r")
    host.sysctl("net.ipv6.conf.default.accept_ra", 0)  # the kernel keeps out of it
    lab.veth(host, "eth0", router, "eth1")
    return host, router.wire("eth1")


def standing(host: Host) -> set[str]:
    """All that is ours on a host, in words."""
    found = {f"namespace {one}" for one in host.run("ls", "/run/netns").stdout.split()}
    found |= {f"rule from {source}" for source in rules(host)}
    for family in ("-4", "-6"):
        said = json.loads(host.ip("-j", family, "route", "show", "table", "all", "protocol", "158"))
        found |= {f"route to {one['dst']} in {one.get('table', 'main')}" for one in said}
    if "eth0" in host.ip("-br", "link"):
        found |= {f"address {one}" for one, maker in addresses(host).items() if maker == OURS}
    return found


def placed(pvdd: Daemon, *pvds: str) -> set[str]:
    """Wait until these are placed and nothing is under way; what stands then."""
    pvdd.wait_state(lambda state: all(one in state.pvds and state.pvds[one].phase == "placed" for one in pvds))
    until(lambda: _quiet(pvdd), pvdd.tail)
    return standing(pvdd.host)


def _quiet(pvdd: Daemon) -> bool:
    """Whether each plan has been applied: a record is the last word of its place."""
    last: dict[tuple[str, str, int], str] = {}
    for one in pvdd.records():
        if isinstance(one.event, (PlanMade, PlanApplied)):
            last[one.event.pvd, one.event.link, one.event.epoch] = type(one.event).__name__
    return set(last.values()) <= {"PlanApplied"}


def plans(pvdd: Daemon) -> int:
    return sum(isinstance(one.event, PlanMade) for one in pvdd.records())


@pytest.mark.covers("feat:K4", "bug:27")
@both
def test_kill_9_while_all_stands_and_the_next_session_writes_nothing(lab: Lab, how: str) -> None:
    host, wire = wired(lab)
    pvdd = lab.pvdd(host, "--projection", how)
    say(wire)
    before, written = placed(pvdd, X), plans(pvdd)
    assert len(before) >= (1 if how == "netns" else 4)
    pvdd.kill()
    again = lab.pvdd(host, "--projection", how)
    say(wire)
    again.wait(RouterAdvertised, count=2)
    assert again.stop() == 0
    assert standing(host) == before and plans(again) == written
    assert not check(again.state())


@both
def test_a_reboot_leaves_nothing_believed_and_all_is_placed_anew(lab: Lab, how: str) -> None:
    host, wire = wired(lab)
    pvdd = lab.pvdd(host, "--projection", how)
    say(wire)
    placed(pvdd, X)
    pvdd.kill()
    # What a reboot takes away, and another boot's id.
    words = (sys.executable, "-P", "-m", "adapters.daemon", "--teardown")
    host.run(*words, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert standing(host) == set()
    boot = lab.file("boot", "00000000-0000-4000-8000-000000000001\n")
    host.run("mount", "--bind", str(boot), "/proc/sys/kernel/random/boot_id")
    again = lab.pvdd(host, "--projection", how)
    again.wait(lambda event: isinstance(event, AttachStarted) and event.link == "eth0")
    assert again.state().pvds[X].phase == "gone" and standing(host) == set()
    say(wire)
    after = placed(again, X)
    assert len(after) >= (1 if how == "netns" else 4)
    if how == "netns":
        assert after == {f"namespace {place_name(X, 'eth0', 2)}"}
    assert again.stop() == 0


LAUNCH = """
import asyncio, signal, sys, time
from adapters.clock import Clock, boottime
from adapters.daemon import project
from adapters.live import Daemon, Options, SqliteJournal
from pvdcore.past.audit import state_at
journal, how, wall, slept = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
try:
    kept = SqliteJournal(journal)
    floor = state_at(kept).now
    kept.close()
except Exception:
    floor = 0
asleep = [0]
clock = Clock(floor=floor, wall=lambda: time.time_ns() + wall, boot=lambda: boottime() + asleep[0])
daemon = Daemon(Options(journal=journal, projection=how), clock=clock)
project(daemon, journal)
def resume(*_):
    asleep[0] = slept
    daemon.touch()  # as its alarm does, which counts the time of suspend
async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, resume)
    await daemon.run_until_stopped()
asyncio.run(main())
"""
YEAR = 365 * 24 * HOUR * SECOND


class Elsewhen(Daemon):
    """A pvdd on a host whose wall clock is wrong by so much, and which sleeps that long until it is sent SIGUSR1."""

    def __init__(self, host: Host, journal: Path, how: str, *, wall: int = 0, slept: int = 0) -> None:
        self.shift = (how, str(wall), str(slept))
        super().__init__(host, journal, ())

    def line(self, journal: Path, options: tuple[str, ...]) -> tuple[str, ...]:
        return (sys.executable, "-P", "-c", LAUNCH, str(journal), *self.shift)


@both
@pytest.mark.parametrize("wall", [-50 * YEAR, 5 * YEAR], ids=["back", "forward"])
def test_a_wall_clock_that_is_set_by_years_between_two_sessions(lab: Lab, how: str, wall: int) -> None:
    """Forward it is believed, and all has ended since; back it is not, and all stands as it stood."""
    host, wire = wired(lab)
    pvdd = lab.pvdd(host, "--projection", how)
    say(wire)
    before, written = placed(pvdd, X), plans(pvdd)
    pvdd.kill()
    again = lab.keep(Elsewhen(host, pvdd.journal, how, wall=wall)).ready()
    if wall > 0:
        again.wait_state(lambda state: state.pvds[X].phase == "gone")
        until(lambda: not standing(host), lambda: f"{standing(host)} {again.tail()}")
    say(wire, "y", 2)
    after = placed(again, Y)
    assert again.stop() == 0
    if wall < 0:
        assert after > before and plans(again) == written + 1
        assert again.state().pvds[X].phase == "placed"


@both
def test_what_lapsed_while_the_host_slept_ends_when_it_wakes_and_at_its_own_instant(lab: Lab, how: str) -> None:
    host, wire = wired(lab)
    sleeper = lab.keep(Elsewhen(host, lab.folder / "h.db", how, slept=3 * HOUR * SECOND)).ready()
    say(wire, "x", 1, life=HOUR)
    say(wire, "y", 2, life=30 * 24 * HOUR)
    placed(sleeper, X, Y)
    heard = next(one.at for one in sleeper.records() if isinstance(one.event, RouterAdvertised))
    sleeper.send(signal.SIGUSR1)
    sleeper.wait_state(lambda state: state.pvds[X].phase == "gone")
    until(lambda: _quiet(sleeper), sleeper.tail)
    state = sleeper.state()
    assert state.pvds[Y].phase == "placed" and not check(state)
    assert sleeper.stop() == 0
    journal = SqliteJournal(sleeper.journal, readonly=True)
    ended = {one.at - heard for one in journal.history() if one.pvd == X and one.cause == "lapsed"}
    journal.close()
    assert ended == {1800 * SECOND, HOUR * SECOND}, "its router, then all the rest"
    left = standing(host)
    assert not any("2001:db8:1:" in one for one in left)
    assert len([one for one in left if one.startswith("namespace")]) == (1 if how == "netns" else 0)


@both
def test_a_journal_that_cannot_be_written_any_more_ends_the_daemon_and_nothing_unwritten_is_done(
    lab: Lab, how: str
) -> None:
    host, wire = wired(lab)
    pvdd = lab.pvdd(host, "--projection", how)
    say(wire)
    before, written = placed(pvdd, X), plans(pvdd)
    size = os.stat(f"{pvdd.journal}-wal").st_size  # it may grow no more; what is logged is shorter
    host.run("prlimit", "--pid", str(pvdd.pid), f"--fsize={size}")
    say(wire, "y", 2)
    assert pvdd.ends() == 1
    assert pvdd.said().splitlines()[-1].startswith("pvdd: ")
    assert standing(host) == before, "what is not written down is not done, and what stands stays"
    again = lab.pvdd(host, "--projection", how)
    say(wire, "y", 2)
    after = placed(again, X, Y)
    assert after > before and plans(again) == written + 1
    assert again.stop() == 0
    assert not check(again.state())


@pytest.mark.covers("feat:K4")
@both
def test_a_disk_that_fills_ends_the_daemon_and_once_there_is_room_it_goes_on_from_the_last_word(
    lab: Lab, how: str
) -> None:
    disk = lab.disk("4m")
    host, wire = wired(lab)
    journal = disk / "journal.db"
    pvdd = lab.pvdd(host, "--projection", how, journal=journal)
    say(wire)
    before, written = placed(pvdd, X), plans(pvdd)
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    number = 2

    def heard_until_it_ended() -> bool:
        nonlocal number
        say(wire, "y", number)  # each time another prefix of another router: each is a record, and a plan
        number += 1
        return pvdd.process.poll() is not None

    until(heard_until_it_ended, pvdd.said)
    assert pvdd.ends() == 1
    assert "no space left" in pvdd.said() and "Traceback" not in pvdd.said()
    seen, stands = pvdd.records(), standing(host)
    assert before <= stands, "what stood stands"
    assert stands == before or plans(pvdd) > written, "and what came was written down first"
    # Whoever starts it again meanwhile, as systemd does, is told so; those who read the journal are not in the way.
    again = lab.pvdd(host, "--projection", how, journal=journal, ready=False)
    assert again.ends() == 1
    (line,) = again.said().splitlines()
    assert line.startswith("pvdd: ") and "no space left" in line
    assert pvdd.records() == seen and standing(host) == stands
    assert "placed" in pvdd.ctl("status", X).stdout
    ballast.unlink()
    again = lab.pvdd(host, "--projection", how, journal=journal)
    assert again.records()[: len(seen)] == seen, "nothing that was acknowledged is lost"
    say(wire, "y", number)
    after = placed(again, X, Y)
    assert after > before
    assert again.stop() == 0
    assert not check(again.state())
    again.ctl("verify")


@both
def test_a_link_that_goes_takes_all_of_it_along_and_its_return_is_another_attachment(lab: Lab, how: str) -> None:
    host, wire = wired(lab)
    pvdd = lab.pvdd(host, "--projection", how)
    say(wire)
    placed(pvdd, X)
    host.ip("link", "delete", "eth0")
    pvdd.wait_state(lambda state: state.pvds[X].phase == "gone")
    until(lambda: not standing(host), lambda: f"{standing(host)} {pvdd.tail()}")
    assert pvdd.stop() == 0


SERVE = """
import socket, sys
with socket.create_server(("::", 80), family=socket.AF_INET6) as server:
    print("serves", flush=True)
    while True:
        caller, _ = server.accept()
        with caller:
            caller.sendall(sys.argv[1].encode())
"""
ASK = """
import socket, sys
with socket.create_connection(("2001:db8:1::1", 80), 10, (sys.argv[1], 0) if sys.argv[1:] else None) as one:
    print(one.recv(99).decode())
"""


@pytest.mark.covers("feat:K7")
@both
def test_two_pvds_with_one_prefix_reach_each_its_own_server_of_one_address(lab: Lab, how: str) -> None:
    """Two links whose networks use the same addresses: who asks decides who answers."""
    host = lab.host("h")
    host.sysctl("net.ipv6.conf.default.accept_ra", 0)
    wires = []
    for number in (0, 1):
        router = lab.host(f"r{number}")
        lab.veth(host, f"eth{number}", router, "eth1")
        router.ip("address", "add", "2001:db8:1::1/64", "dev", "eth1", "nodad")
        router.start(sys.executable, "-c", SERVE, f"server {number}").says("serves")
        wires.append(router.wire("eth1"))
    pvdd = lab.pvdd(host, "--projection", how)
    for who, wire in zip("xy", wires, strict=True):
        say(wire, who)
    placed(pvdd, X, Y)
    for number, id in enumerate((X, Y)):
        if how == "netns":
            words = ("ip", "netns", "exec", pvdd.place(id), sys.executable, "-c", ASK)
        else:
            (mine,) = [one for one, maker in addresses(host, f"eth{number}").items() if maker == OURS]
            words = (sys.executable, "-c", ASK, mine)
        assert host.run(*words).stdout == f"server {number}\n"
    assert pvdd.stop() == 0
