"""What ends a daemon that did not end itself, and what the next one makes of it."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.sqlite import SqliteJournal
from events.ids import SECOND
from events.link import AttachStarted
from events.router import RouterAdvertised
from events.session import SessionEnded, SessionStarted
from pvdcore.past import audit
from tests.live.lab import Daemon, Host, Lab, Wire, until
from tests.wire.packets import pio, rdnss


def wired(lab: Lab) -> tuple[Host, Wire]:
    host, router = lab.host("h"), lab.host("r")
    host.sysctl("net.ipv6.conf.default.accept_ra", 0)  # the kernel keeps out of it
    lab.veth(host, "eth0", router, "eth1")
    return host, router.wire("eth1")


def sound(pvdd: Daemon) -> None:
    journal = SqliteJournal(pvdd.journal, readonly=True)
    try:
        assert list(journal.check()) == []
    finally:
        journal.close()


def test_no_record_that_was_seen_is_lost_by_kill_9(lab: Lab) -> None:
    host, wire = wired(lab)
    pvdd = lab.pvdd(host)
    for number in range(4):
        for _ in range(10):
            wire.advertise(pio("2001:db8:1::"), rdnss(f"2001:db8::{number + 1:x}"), lifetime=1000 + number)
        pvdd.wait(
            lambda event, number=number: (
                isinstance(event, RouterAdvertised) and event.header.lifetime_s == 1000 + number
            )
        )
        seen = pvdd.records()
        pvdd.kill()
        sound(pvdd)
        assert pvdd.records()[: len(seen)] == seen
        pvdd = lab.pvdd(host)
        assert pvdd.state().links["eth0"].epoch == 1
    assert sum(isinstance(one.event, SessionStarted) for one in pvdd.records()) == 5
    assert not any(isinstance(one.event, SessionEnded) for one in pvdd.records())
    assert list(pvdd.state().pvds) == ["ra:eth0/1/fe80::1"]


def test_a_deadline_that_passed_while_nobody_ran_is_honoured_once_and_at_its_own_instant(lab: Lab) -> None:
    host, wire = wired(lab)
    pvdd = lab.pvdd(host)
    wire.advertise(pio("2001:db8:1::", valid=1, preferred=1), lifetime=1)
    heard = pvdd.wait(RouterAdvertised)
    pvdd.kill()
    until(lambda: _now() > heard.at + SECOND, lambda: "time stands still")
    again = lab.pvdd(host)
    again.wait_state(lambda state: state.pvds["ra:eth0/1/fe80::1"].phase == "gone")
    assert again.stop() == 0
    journal = SqliteJournal(again.journal, readonly=True)
    try:
        ends = [one for one in journal.history() if one.phase == "gone"]
        assert [(one.at, one.cause) for one in ends] == [(heard.at + SECOND, "lapsed")]
        assert audit.state_at(journal).seq == journal.last_seq()
    finally:
        journal.close()


def _now() -> int:
    import time

    return time.time_ns()


def test_a_lifetime_ends_although_nothing_happens(lab: Lab) -> None:
    """An idle daemon wakes for the deadline, and what lapsed is in its history before any other record comes."""
    host, wire = wired(lab)
    pvdd = lab.pvdd(host)
    wire.advertise(pio("2001:db8:1::", valid=1, preferred=1), lifetime=1)
    heard = pvdd.wait(RouterAdvertised)

    def lapsed() -> bool:
        journal = SqliteJournal(pvdd.journal, readonly=True)
        try:
            return any(one.phase == "gone" and one.at == heard.at + SECOND for one in journal.history())
        finally:
            journal.close()

    until(lapsed, lambda: pvdd.tail())
    assert pvdd.records()[-1].seq == heard.seq


def test_another_boot_attaches_all_links_anew(lab: Lab) -> None:
    host, wire = wired(lab)
    pvdd = lab.pvdd(host)
    wire.advertise(pio("2001:db8:1::"))
    pvdd.wait(RouterAdvertised)
    pvdd.kill()
    boot = lab.file("boot", "00000000-0000-4000-8000-000000000001\n")
    host.run("mount", "--bind", str(boot), "/proc/sys/kernel/random/boot_id")
    again = lab.pvdd(host)
    again.wait(lambda event: isinstance(event, AttachStarted) and event.link == "eth0")
    state = again.state()
    assert state.pvds["ra:eth0/1/fe80::1"].phase == "gone"
    assert (state.links["eth0"].epoch, state.links["eth0"].attached) == (2, True)
    wire.advertise(pio("2001:db8:1::"))
    again.wait(RouterAdvertised, count=2)
    assert again.state().pvds["ra:eth0/2/fe80::1"].phase == "announced"


LAUNCH = (
    "import asyncio, sys, time; from adapters.clock import Clock;"
    "from adapters.live import Daemon, Options, SqliteJournal;"
    "from pvdcore.past.audit import state_at; j = SqliteJournal(sys.argv[1]); floor = state_at(j).now; j.close();"
    "shift = int(sys.argv[2]); clock = Clock(floor=floor, wall=lambda: time.time_ns() + shift);"
    "asyncio.run(Daemon(Options(journal=sys.argv[1]), clock=clock).run_until_stopped())"
)
YEAR = 31_536_000 * SECOND


class Shifted(Daemon):
    """A pvdd on a host whose wall clock is wrong by so much."""

    def __init__(self, host: Host, journal: Path, shift: int) -> None:
        self.shift = shift
        super().__init__(host, journal, ())

    def line(self, journal: Path, options: tuple[str, ...]) -> tuple[str, ...]:
        return (sys.executable, "-P", "-c", LAUNCH, str(journal), str(self.shift))


@pytest.mark.parametrize("shift", [-50 * YEAR, 5 * YEAR], ids=["back", "forward"])
def test_a_wall_clock_that_was_set_by_years_between_two_sessions(lab: Lab, shift: int) -> None:
    host, wire = wired(lab)
    pvdd = lab.pvdd(host)
    wire.advertise(pio("2001:db8:1::", valid=7200, preferred=7200), lifetime=1)
    first = pvdd.wait(RouterAdvertised)
    pvdd.kill()
    again = lab.keep(Shifted(host, pvdd.journal, shift)).ready()
    wire.advertise(pio("2001:db8:2::", valid=1, preferred=1), lifetime=1, source="fe80::2")
    heard = again.wait(RouterAdvertised, since=first.seq)
    assert heard.at > first.at
    if shift > 0:
        assert heard.at > first.at + 4 * YEAR  # believed: all that had an end before has ended
        assert again.state().pvds["ra:eth0/1/fe80::1"].phase == "gone"
    else:
        assert heard.at < first.at + 3600 * SECOND  # not believed: time goes on from where it was
        assert again.state().pvds["ra:eth0/1/fe80::1"].phase == "announced"

    def lapsed() -> bool:
        journal = SqliteJournal(again.journal, readonly=True)
        try:
            return any(one.pvd == "ra:eth0/1/fe80::2" and one.phase == "gone" for one in journal.history())
        finally:
            journal.close()

    until(lapsed, again.tail)
    assert again.stop() == 0
    sound(again)


def test_a_full_disk_ends_the_daemon_with_one_line_and_nothing_is_lost(lab: Lab) -> None:
    disk = lab.disk("4m")
    host, wire = wired(lab)
    inside = disk / "journal.db"
    pvdd = lab.pvdd(host, journal=inside)
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))

    def sent_until_it_ended() -> bool:
        wire.advertise(pio("2001:db8:1::"))
        return pvdd.process.poll() is not None

    until(sent_until_it_ended, pvdd.said)
    assert pvdd.ends() == 1
    (line,) = (one for one in pvdd.said().splitlines() if one.startswith("pvdd: "))
    assert "no space left" in line and "Traceback" not in pvdd.said()
    seen = pvdd.records()
    assert seen
    ballast.unlink()
    again = lab.pvdd(host, journal=inside)
    assert again.records()[: len(seen)] == seen
    assert again.stop() == 0
    sound(again)


@pytest.mark.parametrize("what", ["no directory", "no journal"])
def test_a_journal_that_cannot_be_is_one_line_and_1(lab: Lab, what: str) -> None:
    host = lab.host("h")
    path = (
        lab.folder / "nowhere" / "journal.db" if what == "no directory" else lab.file("text.db", "no journal\n" * 500)
    )
    pvdd = lab.pvdd(host, journal=path, ready=False)
    assert pvdd.ends() == 1
    assert pvdd.said().startswith("pvdd: ") and pvdd.said().count("\n") == 1
