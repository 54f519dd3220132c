"""What a running daemon says to the service manager, to Prometheus and to the log; and the files that install it."""

import asyncio
import contextlib
import io
import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from adapters.running.logs import HOUR, Story, logger
from adapters.running.metrics import Exporter, Metrics
from adapters.running.notify import Notifier
from events.frames import FrameRejected, FramesLost
from events.ops import PlanApplied, PlanMade
from events.session import RequestRefused
from pvdcore.state import State
from replay.manual import pages
from tests.sim.build import R1, dns, ignored, pio, pvd, ra
from tests.sim.build import Story as Heard

ROOT = Path(__file__).resolve().parent.parent.parent
UNITS = ROOT / "adapters" / "systemd"

# --- the service manager -------------------------------------------------------------------------------------


@pytest.mark.parametrize("abstract", [False, True])
def test_the_manager_is_told_and_nobody_waits_for_it(tmp_path: Path, abstract: bool) -> None:
    name = f"@pvd-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(30)
        told = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())})
        told.ready("3 PvDs\non 2 links")
        told.reloading()
        told.alive()
        told.stopping()
        said = [manager.recv(4096).decode() for _ in range(4)]
    assert said[0] == "READY=1\nSTATUS=3 PvDs on 2 links"
    assert said[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert said[2:] == ["WATCHDOG=1", "STOPPING=1"]
    assert told.watchdog_s == 15.0
    told.ready()  # nobody listens any more


def test_without_a_manager_nothing_is_said() -> None:
    for environment in ({}, {"NOTIFY_SOCKET": "relative"}, {"NOTIFY_SOCKET": "/nowhere/at/all"}):
        Notifier(environment).ready()
    assert Notifier({"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}).watchdog_s is None
    assert Notifier({"WATCHDOG_USEC": "0"}).watchdog_s is None


# --- Prometheus ----------------------------------------------------------------------------------------------


def counted() -> Metrics:
    told = Heard().hear(ra(R1, pvd("x.example.", pio("2001:db8::/64"))))
    told.hear(FrameRejected(link="e0", rule="hop-limit", offset=0, protocol="ra"))
    passed: list[float] = []
    made = Metrics(lambda: told.state, lambda: sum(passed))
    for _ in range(3):
        made.record(ra(R1))
    made.record(FramesLost(link="e0", count=7))
    made.record(RequestRefused(method="x", uid=1, gid=1, pid=1, count=3))
    for took in (0.003, 9.0):
        made.record(PlanMade(projection="netns", pvd="x", ops=()))
        passed.append(took)
        made.record(PlanApplied(projection="netns", pvd="x", outcomes=()))
    return made


def test_the_numbers_are_those_of_the_state_and_of_what_was_counted() -> None:
    lines = counted().text().splitlines()
    for line in (
        'pvd_records_total{type="router-advertised"} 3',
        'pvd_frames_rejected_total{rule="hop-limit"} 1',
        "pvd_frames_dropped_total 7",
        "pvd_requests_refused_total 3",
        'pvd_instances{phase="announced"} 1',
        'pvd_instances{phase="placed"} 0',
        'pvd_settle_seconds_bucket{le="0.002"} 0',
        'pvd_settle_seconds_bucket{le="0.005"} 1',
        'pvd_settle_seconds_bucket{le="+Inf"} 2',
        "pvd_settle_seconds_count 2",
    ):
        assert line in lines
    named = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(named) == len(set(named)) and "x.example" not in "".join(lines)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_they_are_served_to_who_asks_for_metrics_only(tmp_path: Path, kind: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = str(tmp_path / "metrics") if kind == "unix" else f"127.0.0.1:{port}"

    async def ask(first: bytes) -> bytes:
        opened = asyncio.open_unix_connection(where) if kind == "unix" else asyncio.open_connection("127.0.0.1", port)
        reader, writer = await opened
        writer.write(first + b"\r\nHost: x\r\n\r\n")
        found = await reader.read()
        writer.close()
        return found

    async def session() -> list[bytes]:
        exporter = Exporter(counted())
        await exporter.start(where)
        asked = (
            b"GET /metrics HTTP/1.1",
            b"HEAD /metrics HTTP/1.1",
            b"GET / HTTP/1.1",
            b"POST /metrics HTTP/1.1",
            b"x",
        )
        found = [await ask(first) for first in asked]
        await exporter.stop()
        return found

    got, head, other, post, junk = asyncio.run(session())
    assert got.startswith(b"HTTP/1.1 200 OK") and b"pvd_frames_dropped_total 7" in got
    assert head.startswith(b"HTTP/1.1 200 OK") and head.endswith(b"\r\n\r\n")
    assert other.startswith(b"HTTP/1.1 404") and post.startswith(b"HTTP/1.1 405") and junk.startswith(b"HTTP/1.1 405")


# --- the log -------------------------------------------------------------------------------------------------


def test_the_log_tells_of_pvds_findings_and_the_head_and_obeys_nobody() -> None:
    out = io.StringIO()
    told = Heard()
    story = Story(logger("json", "info", out), lambda: (5, "ab" * 32), State(now=told.state.now))
    story.started(version="0.1.0")
    told.hear(ra(R1, pvd("x.example.", pio("2001:db8::/64")), ignored(21, "duplicate"), life=100))
    story.changes(told.history())
    story.state(told.state)
    story.state(told.state)
    told.hear(ra(R1, pvd("x.example.", pio("2001:db8::/64"), dns("2001:db8::53")), life=100))
    story.changes(told.history()[-1:])
    told.at(HOUR // 10**9 + 1).hear(ra(R1))
    story.state(told.state)
    logger("json", "info", out).warning("odd", text="\x1b]0;owned\x07\n")
    story.stopped("SIGTERM")
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [one["event"] for one in said][:3] == ["session started", "pvd announced", "finding"]
    assert [one["event"] for one in said].count("finding") == 1, "once"
    assert "pvd changed" not in [one["event"] for one in said], "for debugging only"
    assert {"event": "journal", "seq": 5, "head": "ab" * 32}.items() <= said[-3].items()
    assert said[-1]["head"] == "ab" * 32 and said[-1]["reason"] == "SIGTERM"
    assert "\x1b" not in out.getvalue() and "\\\\x1b" in out.getvalue()
    people = io.StringIO()
    logger("console", "warning", people).info("quiet")
    logger("console", "warning", people).warning("loud", pvd="x")
    assert "loud" in people.getvalue() and "quiet" not in people.getvalue()


# --- what is installed ---------------------------------------------------------------------------------------


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        logger("json", "info", full).info("nobody reads this")
        with contextlib.suppress(OSError):  # what is buffered fails again when it is closed
            full.close()


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    text = (UNITS / "pvdd.service").read_text().replace("/usr/bin/pvdd", "/bin/true")
    (tmp_path / "pvdd.service").write_text(text)
    words = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(tmp_path / "pvdd.service")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "pvdd.service" in line]) == (0, [])
    words = ["systemd-analyze", "security", "--offline=yes", "--threshold=70", str(tmp_path / "pvdd.service")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_group_and_directories_are_made_as_readers_need_them(tmp_path: Path) -> None:
    for folder in ("etc", "usr/lib/sysusers.d"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "usr/lib/sysusers.d/pvd.conf").write_text((UNITS / "pvd.sysusers").read_text())
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}"], check=True, capture_output=True, timeout=60)
    assert (tmp_path / "etc/group").read_text().startswith("pvd:x:")
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    with (tmp_path / "etc/group").open("a") as file:
        file.write("root:x:0:\n")
    conf = tmp_path / "usr/lib/tmpfiles.d/pvd.conf"
    conf.parent.mkdir()
    conf.write_text((UNITS / "pvd.tmpfiles").read_text())
    subprocess.run(["systemd-tmpfiles", "--create", f"--root={tmp_path}", "pvd.conf"], check=True, timeout=60)
    assert (tmp_path / "var/lib/pvd").stat().st_mode & 0o7777 == 0o2750


def test_the_manual_pages_are_made_of_todays_words() -> None:
    for name, text in pages().items():
        told = "write it anew: python -m replay.manual docs/man"
        assert (ROOT / "docs" / "man" / name).read_text() == text, told


def test_the_manual_pages_are_read_without_a_complaint(tmp_path: Path) -> None:
    for name in pages():
        words = ["groff", "-man", "-Tascii", "-ww", "-z", str(ROOT / "docs" / "man" / name)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), name
