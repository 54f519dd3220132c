"""pvdd as a service: what stands in pvd.conf, who may ask at the control socket, and what is answered.

Law: everything goes through the two commands and the socket, as an operator would do it; nothing of pvdd is
called here.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from events.session import RequestRefused
from tests.live.lab import PVDCTL, ROOT, Daemon, Host, Lab, ours, until
from tests.live.test_dhcp import PROFILE, network, profile
from tests.wire.packets import dnssl, name, pio, pvd, rdnss

PVD = "fqdn:provider.example."
ASK = """
import os, sys
from adapters.running.client import Client, Refused
os.setgroups([int(one) for one in sys.argv[3:]]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1]))
with Client("/run/pvd/control") as client:
    try:
        client.call("internal.pvd.Control.GetStatus")
        print("answered")
    except Refused as refused:
        print(refused.name)
"""


def heard(lab: Lab, config: str, *options: str) -> tuple[Daemon, Host]:
    """pvdd with a configuration and the PvD of one router."""
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host, "--config", str(lab.file("pvd.conf", config)), *options)
    router.wire("eth1").advertise(pvd(name("provider.example."), pio("2001:db8:1::"), rdnss("2001:db8:1::53")))
    pvdd.wait_state(lambda state: PVD in state.pvds)
    pvdd.ctl("wait", PVD, "--timeout", "60")
    return pvdd, host


def asked_as(host: Host, uid: int, gid: int, *groups: int) -> str:
    """What the daemon answers to somebody else."""
    words = (sys.executable, "-P", "-c", ASK, *map(str, (uid, gid, *groups)))
    return host.run(*words, env=ours()).stdout.strip()


@pytest.mark.covers("feat:R1", "bug:24")
def test_root_and_the_group_pvd_are_answered_and_whoever_else_asks_leaves_a_record(lab: Lab) -> None:
    pvdd, host = heard(lab, "")
    groups = lab.file("group", "root:x:0:\npvd:x:4711:\n")
    assert asked_as(host, 65534, 65534, 4711) == "org.varlink.service.PermissionDenied", "no group of that name yet"
    # (pvdd is in a mount namespace of its host, as nsenter is: it sees the new file.)
    host.run("mount", "--bind", str(groups), "/etc/group")
    assert asked_as(host, 65534, 65534, 4711) == "answered"
    assert asked_as(host, 65534, 4711) == "answered"
    assert asked_as(host, 65534, 65534) == "org.varlink.service.PermissionDenied"
    assert asked_as(host, 0, 0) == "answered"
    record = pvdd.wait(RequestRefused, count=2).event
    assert isinstance(record, RequestRefused)
    assert (record.method, record.uid, record.gid) == ("internal.pvd.Control.GetStatus", 65534, 65534)
    assert json.loads(pvdd.ctl("call", "GetStatus").stdout)["session"]["refused"] == 2


def test_what_it_is_told_in_its_file_counts_and_is_read_again_on_request(lab: Lab) -> None:
    metrics = lab.folder / "metrics"
    text = f'metrics = "{metrics}"\nlog = "json"\n[[properties]]\npvd = "fqdn:*"\nset = {{ internet = true }}\n'
    pvdd, host = heard(lab, text + "[policy]\nsoft_lifetime_s = 77\n")
    assert pvdd.state().policy.number("soft_lifetime_s") == 77
    assert PVD in pvdd.ctl("list", "--property", "internet").stdout
    assert json.loads(pvdd.ctl("call", "GetStatus").stdout)["pvds"][0]["properties"] == {"internet": True}
    said = host.run("curl", "-s", "--unix-socket", str(metrics), "http://x/metrics").stdout
    assert 'pvd_records_total{type="router-advertised"} 1\n' in said
    assert 'pvd_instances{phase="announced"} 1\n' in said

    file = lab.file("pvd.conf", "[[properties]]\nprefix = '2001:db8::/32'\nset = { type = 'iptv' }\n")
    pvdd.ctl("reload")
    assert PVD in pvdd.ctl("list", "--property", "type=iptv").stdout
    assert PVD not in pvdd.ctl("list", "--property", "internet").stdout
    assert pvdd.state().policy.number("soft_lifetime_s") != 77

    file.write_text("projektion = 1\n")
    failed = pvdd.ctl("reload", check=False)
    assert failed.returncode == 1 and f"{file}:1: unknown key projektion; did you mean projection?" in failed.stderr
    assert PVD in pvdd.ctl("list", "--property", "type=iptv").stdout, "what was in force goes on"
    assert pvdd.stop() == 0
    lines = [json.loads(line) for line in pvdd.said().splitlines()]
    assert {"session started", "pvd announced", "session ended"} <= {one["event"] for one in lines}


def test_check_says_what_is_wrong_and_starts_nothing(lab: Lab, tmp_path: Path) -> None:
    host = lab.host("h")
    pvdd = (sys.executable, "-P", "-m", "adapters.daemon")
    good, bad = lab.file("good", 'projection = "netns"\n'), lab.file("bad", "level = 'loud'\nlink = 3\n")
    env = ours()
    done = host.run(*pvdd, "--check", "--config", str(good), env=env)
    assert done.stdout == f"{good}: nothing is wrong with it\n"
    done = host.run(*pvdd, "--check", "--config", str(bad), env=env, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 2)
    assert f"{bad}:1: level is not" in done.stderr and "Traceback" not in done.stderr
    done = host.run(*pvdd, "--check", "--config", str(tmp_path / "none"), env=env, check=False)
    assert done.returncode == 1 and "No such file" in done.stderr


def test_a_second_pvdd_leaves_the_first_ones_socket_and_journal_alone(lab: Lab) -> None:
    pvdd, host = heard(lab, "")
    other = lab.pvdd(host, journal=lab.folder / "other.db", ready=False)
    assert other.ends() == 1
    assert "another pvdd listens there" in other.said() and "Traceback" not in other.said()
    same = lab.pvdd(host, "--control", "", journal=pvdd.journal, ready=False)
    assert same.ends() == 1
    assert "another pvdd writes to it" in same.said()
    assert json.loads(pvdd.ctl("call", "GetStatus").stdout)["session"]["pid"] == pvdd.pid


@pytest.mark.covers("feat:N1", "feat:N2", "feat:N3", "feat:N4")
def test_who_watches_is_told_of_each_change_once_and_goes_on_behind_a_cursor(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    wire = router.wire("eth1")
    watching = host.start(*PVDCTL, "monitor", "--jsonl", env=ours())
    until(lambda: pvdd.subscribers() == 1, watching.said)
    for _ in range(2):
        wire.advertise(pvd(name("provider.example."), pio("2001:db8:1::"), rdnss("2001:db8:1::53")))
    together = (pio("2001:db8:1::"), pio("2001:db8:9::"), rdnss("2001:db8:1::54"), dnssl(name("corp.example.")))
    wire.advertise(pvd(name("provider.example."), *together))
    wire.advertise(pvd(name("provider.example."), pio("2001:db8:1::", valid=0, preferred=0)), lifetime=0)
    watching.says("2001:db8:1::54")
    wire.advertise(pvd(name("other.example."), pio("2001:db8:2::")), source="fe80::2")
    watching.says("other.example.")
    watching.stop()
    told = [json.loads(line) for line in watching.said().splitlines() if line.startswith("{")]
    mine = [one for one in told if one["pvd"] == PVD]
    assert [one["phase"] for one in mine][:2] == ["announced", "announced"]
    assert len({one["cursor"] for one in told}) == len(told), "a repeat tells nothing"
    assert [[item["address"] for item in one["added"] if item["kind"] == "dns"] for one in mine][:2] == [
        ["2001:db8:1::53"],
        ["2001:db8:1::54"],
    ], "what changed is named"
    assert {item["kind"] for item in mine[1]["added"]} == {"prefix", "dns", "search"}, (
        "what one RA changes comes at once"
    )

    behind = host.start(*PVDCTL, "monitor", "--jsonl", "--cursor", mine[0]["cursor"], env=ours())
    behind.says("other.example.")
    behind.stop()
    again = [json.loads(line) for line in behind.said().splitlines() if line.startswith("{")]
    assert again == told[told.index(mine[0]) + 1 :]
    lost = pvdd.ctl("monitor", "--cursor", "999999:1", check=False)
    assert lost.returncode != 0 and "Traceback" not in lost.stderr, "a gap is said"


@pytest.mark.covers("feat:R2", "bug:26")
def test_only_the_helper_enters_namespaces_and_the_daemon_outlives_it(lab: Lab) -> None:
    """What reads packets of strangers never holds a namespace; what does is another process, which can be lost."""
    pvdd, host = heard(lab, "", "--projection", "netns")
    place = pvdd.place(PVD)
    home, there = (host.run("stat", "-Lc", "%i", path).stdout for path in ("/proc/self/ns/net", f"/run/netns/{place}"))

    def held(pid: int) -> set[str]:
        """The network namespaces that a process is in, or has a descriptor of."""
        links = [*Path(f"/proc/{pid}/task").glob("*/ns/net"), *Path(f"/proc/{pid}/fd").iterdir()]
        found = {os.readlink(one) for one in links if one.is_symlink()}
        return {one.removeprefix("net:[").removesuffix("]") for one in found if one.startswith("net:[")}

    def helper() -> int:
        (pid,) = Path(f"/proc/{pvdd.pid}/task/{pvdd.pid}/children").read_text().split()
        return int(pid)

    assert held(pvdd.pid) == {home.strip()}
    assert there.strip() in held(helper())
    first = helper()
    os.kill(first, signal.SIGKILL)
    host.ip("-n", place, "-6", "route", "delete", "default")  # and what it has to repair when it is back

    def repaired() -> bool:
        return "default" in host.ip("-n", place, "-6", "route")

    until(repaired, pvdd.tail)
    assert helper() != first
    assert json.loads(pvdd.ctl("call", "GetStatus").stdout)["session"]["pid"] == pvdd.pid


class Confined(Daemon):
    """A pvdd with the rights that its unit leaves it."""

    def line(self, journal: Path, options: tuple[str, ...]) -> tuple[str, ...]:
        unit = (ROOT / "adapters" / "systemd" / "pvdd.service").read_text().splitlines()
        sets = [line.partition("=")[2] for line in unit if line.startswith("CapabilityBoundingSet=")]
        rights = ",".join(["-all", *(f"+{one.removeprefix('CAP_').lower()}" for one in " ".join(sets).split())])
        assert "NoNewPrivileges=yes" in unit and "+net_admin" in rights
        return (
            "setpriv",
            f"--bounding-set={rights}",
            "--inh-caps=-all",
            "--no-new-privs",
            *super().line(journal, options),
        )


@pytest.mark.covers("feat:R2")
def test_with_the_rights_of_its_unit_it_makes_places_has_leases_asked_for_and_tells_the_service_manager(
    lab: Lab,
) -> None:
    host = lab.host("h")
    host.sysctl("net.ipv6.conf.default.accept_ra", 0)
    server = network(lab, host, "eth0", "server")
    profile(host, "home", PROFILE.format(link="eth0", ipv4="auto", ipv6="auto"))
    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{place}/notify")
        manager.settimeout(60)
        heard: list[str] = []

        def hears(word: str) -> None:
            while word not in heard:
                heard.extend(manager.recv(4096).decode().splitlines())
            heard.remove(word)

        env = {"NOTIFY_SOCKET": f"{place}/notify", "WATCHDOG_USEC": "1000000"}
        pvdd = lab.keep(Confined(host, lab.folder / "h.db", ("--projection", "netns"), env)).ready()
        hears("READY=1")
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pvdd.pid}/status").read_text().splitlines())
        assert status["NoNewPrivs"].strip() == "1" and status["CapEff"] == status["CapBnd"]
        assert int(status["CapEff"], 16).bit_count() < 12, "far from all that root may do"
        server.wire("lan").advertise(pvd(name("provider.example."), pio("2001:db8:1::"), rdnss("2001:db8:1::53")))
        inside = pvdd.place(PVD)
        pvdd.place("if:eth0/1")
        assert "default via fe80::1" in host.ip("-n", inside, "-6", "route")
        assert "nameserver 2001:db8:1::53" in host.run("cat", f"/etc/netns/{inside}/resolv.conf").stdout
        assert host.run("ip", "netns", "exec", inside, "true").returncode == 0
        hears("WATCHDOG=1")
        hears("WATCHDOG=1")
        assert not [one for _, instance in pvdd.state().pvds[PVD].instances for one in instance.placement.failed]  # type: ignore[union-attr]
        assert pvdd.stop() == 0
        hears("STOPPING=1")


@pytest.mark.covers("feat:S3")
def test_one_command_runs_all_of_these() -> None:
    said = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (pytest_line,) = [line for line in said.splitlines() if "pytest" in line]
    assert pytest_line.split()[1:] == ["-m", "pytest", "-n", "2"], "and leaves none out"
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/live/test_acceptance.py"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert listed.count("test_am2_") == 4
