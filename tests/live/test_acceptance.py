"""The acceptance scenarios of mif-pvdman (prior_art.md §3.1) with real routers and real namespaces.

Law: who sends is radvd and `pvdctl advertise`, who forwards is Linux; what a program in a PvD can do is asked by
running one with `pvdctl exec`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from events.ops import PlanApplied
from events.router import RouterAdvertised
from tests.live.again import replays_alike
from tests.live.lab import PVDCTL, Daemon, Lab, ours, until
from tests.live.topologies import ANSWER, Router, Switched, Two
from tests.wire.packets import name, pio, pvd, rdnss

R1_IMPLICIT, IPTV, R2_IMPLICIT, VOICE = Two.IDS
OF_R1 = (R1_IMPLICIT, IPTV)
UNREACHABLE = 7  # curl(1): could not connect
VIEW = "ip -6 route show | sed 's/expires [0-9]*sec//' | sort; ip -o -6 address | sed 's/_lft [0-9]*sec//g'"


class Scene(Two):
    """T1 with a pvdd that has placed all four, and what its client saw before pvdd came."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.announce()
        # The client's own kernel has autoconfigured from both routers before pvdd is there.
        self.before = until(self._plain, lambda: self.client.run("sh", "-c", VIEW).stdout)
        config = lab.file("pvd.conf", self.CONFIG + '[policy]\nidentifier = "eui64"\n')
        self.pvdd: Daemon = lab.pvdd(self.client, "--config", str(config))
        self.places = {id: self.pvdd.place(id) for id in self.IDS}

    def _plain(self) -> str:
        said = self.client.run("sh", "-c", VIEW).stdout
        whole = all(f"2001:db8:{r}:{s}::/64" in said for r in (1, 2) for s in (1, 2)) and "tentative" not in said
        return said if whole and self.client.ip("-6", "route").count("via fe80::") >= 4 else ""

    def get(self, pvd: str, address: str) -> subprocess.CompletedProcess[str]:
        """An HTTP GET by a program inside a PvD."""
        return self.pvdd.inside(pvd, "curl", "-sS", "--max-time", "30", f"http://[{address}]/", check=False)

    def ip(self, pvd: str, *words: str) -> list[dict[str, Any]]:
        """iproute2's view of a PvD's place."""
        found: list[dict[str, Any]] = json.loads(self.client.ip("-j", "-n", self.places[pvd], *words) or "[]")
        return found


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("t1")
    with Lab(folder) as lab:
        made = Scene(lab)
        yield made
        assert made.pvdd.stop() == 0
        replays_alike(made.pvdd.journal, folder)


@pytest.mark.covers("acc:AM1", "feat:K1")
def test_am1_four_pvds_each_in_a_namespace_of_its_own_with_its_properties(scene: Scene) -> None:
    found = {one["id"]: one for one in json.loads(scene.pvdd.ctl("list", "--json").stdout)["pvds"]}
    assert set(found) == set(scene.IDS)
    assert [found[id]["kind"] for id in scene.IDS] == ["implicit", "explicit", "implicit", "explicit"]
    assert [one["phase"] for one in found.values()] == ["placed"] * 4
    assert {one["instances"][0]["link"] for one in found.values()} == {"eth0"}
    assert len(set(scene.places.values())) == 4
    assert set(scene.client.run("ip", "netns").stdout.split()) >= set(scene.places.values())
    told = json.loads(scene.pvdd.ctl("call", "GetStatus").stdout)["pvds"]
    wired, cellular = {"access": "wired", "free": True}, {"access": "cellular", "free": False}
    assert {one["id"]: one["properties"] for one in told} == {
        R1_IMPLICIT: {**wired, "type": "internet"},
        IPTV: {**wired, "type": "iptv"},
        R2_IMPLICIT: {**cellular, "type": "internet"},
        VOICE: {**cellular, "type": "voice"},
    }


@pytest.mark.covers("acc:AM2", "feat:M2")
@pytest.mark.parametrize("pvd", Two.IDS)
def test_am2_a_pvd_reaches_the_server_behind_its_router_and_no_other(scene: Scene, pvd: str) -> None:
    mine, other = (scene.r1, scene.r2) if pvd in OF_R1 else (scene.r2, scene.r1)
    reached = scene.get(pvd, mine.served)
    assert reached.returncode == 0, reached.stderr
    server, source = reached.stdout.split()
    assert server == f"S{mine.number}"
    assert ip_address(source) in ip_network(mine.prefix(1 if pvd.startswith("ra:") else 2) + "/64")
    refused = scene.get(pvd, other.served)
    assert (refused.returncode, refused.stdout) == (UNREACHABLE, ""), "unreachable at once, not timed out"


@pytest.mark.covers("acc:AM3", "feat:K2", "feat:L2", "feat:I1")
@pytest.mark.parametrize("pvd", Two.IDS)
def test_am3_inside_there_is_what_the_pvd_has_and_nothing_else(scene: Scene, pvd: str) -> None:
    place = scene.places[pvd]
    router = scene.r1 if pvd in OF_R1 else scene.r2
    subnet = 1 if pvd.startswith("ra:") else 2
    lo, link = scene.ip(pvd, "link")
    assert (lo["ifname"], "UP" in lo["flags"], link["ifname"], "UP" in link["flags"]) == ("lo", True, place, True)
    assert link["mtu"] == (1500 if subnet == 1 else 1400)
    mac = link["address"]
    assert mac != scene.client.mac("eth0")
    eui = bytes.fromhex(mac.replace(":", ""))
    iid = bytes((eui[0] ^ 2, *eui[1:3], 0xFF, 0xFE, *eui[3:])).hex(":", 2)
    addresses = [one["local"] for one in scene.ip(pvd, "-6", "address", "show", "dev", place)[0]["addr_info"]]
    assert [one for one in addresses if one.startswith("fe80")] == [_short(f"fe80::{iid}")]
    assert [one for one in addresses if not one.startswith("fe80")] == [_short(router.prefix(subnet)[:-1] + iid)]
    source = f"fe80::{router.number}" + ("" if subnet == 1 else ":2")
    routes = {(one["dst"], one.get("gateway")) for one in scene.ip(pvd, "-6", "route", "show", "protocol", "158")}
    expected = {("default", source), (f"{router.network}::/48", source), (f"{router.prefix(subnet)}/64", None)}
    assert routes == expected
    resolver = scene.pvdd.inside(pvd, "cat", "/etc/resolv.conf").stdout
    domain = {R1_IMPLICIT: "r1.example", R2_IMPLICIT: "r2.example", IPTV: "iptv.example", VOICE: "voice.example"}[pvd]
    assert [one for one in resolver.splitlines() if not one.startswith("#")] == [
        f"nameserver {router.network}::5{2 + subnet}",
        f"search {domain}.",
    ]
    assert scene.pvdd.inside(pvd, "ls", "/sys/class/net").stdout.split() == ["lo", place]


@pytest.mark.covers("acc:AM4", "problem:25", "feat:L6")
def test_am4_outside_any_pvd_everything_is_as_it_was_before(scene: Scene) -> None:
    assert scene.client.run("sh", "-c", VIEW).stdout == scene.before
    assert len(scene.client.ip("-br", "link").splitlines()) == 2, "lo and eth0: nothing of ours stands here"
    for router in (scene.r1, scene.r2):
        router.host.start(sys.executable, "-c", ANSWER, f"R{router.number}").says("serving")
        said = scene.client.run("curl", "-sS", "--max-time", "30", f"http://[{router.prefix(1)}1]/").stdout
        assert said.startswith(f"R{router.number} "), "a plain program reaches both"


def test_exec_gives_back_what_the_command_says_and_its_own_failures_as_a_shell_does(scene: Scene) -> None:
    pvdd = scene.pvdd
    assert pvdd.inside(IPTV, "sh", "-c", "exit 42", check=False).returncode == 42
    assert pvdd.inside(IPTV, "no-such-command", check=False).returncode == 127
    assert pvdd.inside(IPTV, "/etc/hostname", check=False).returncode == 126
    unknown = pvdd.inside("nobody", "true", check=False)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (10, 1)
    outside = pvdd.ctl("exec", IPTV, "--", "true", check=False)
    assert outside.returncode == 0


def _short(address: str) -> str:
    return str(ip_address(address))


@pytest.mark.covers("acc:AM10")
def test_am10_two_routers_on_two_links(lab: Lab) -> None:
    """As AM2, with a link for each router: what is known of a PvD says which."""
    client = lab.host("client")
    switches = [Switched(lab, f"switch{number}") for number in (1, 2)]
    for number, switch in enumerate(switches, 1):
        switch.plug(client, f"eth{number}")
    routers = [Router(lab, switch, number, f"S{number}") for number, switch in enumerate(switches, 1)]
    for router, named in zip(routers, ("iptv.example", "voice.example"), strict=True):
        router.implicit()
        router.explicit(named)
    pvdd = lab.pvdd(client, "--projection", "netns")
    ids = ("ra:eth1/1/fe80::1", IPTV, "ra:eth2/1/fe80::2", VOICE)
    for id in ids:
        pvdd.place(id)
    found = {one["id"]: one for one in json.loads(pvdd.ctl("list", "--json").stdout)["pvds"]}
    assert [found[id]["instances"][0]["link"] for id in ids] == ["eth1", "eth1", "eth2", "eth2"]
    for at, id in enumerate(ids):
        mine, other = routers[at // 2], routers[1 - at // 2]
        reached = pvdd.inside(id, "curl", "-sS", "--max-time", "30", f"http://[{mine.served}]/").stdout
        assert reached.startswith(f"S{mine.number} ")
        refused = pvdd.inside(id, "curl", "-sS", "--max-time", "30", f"http://[{other.served}]/", check=False)
        assert refused.returncode == UNREACHABLE


TALK = """
import pathlib, socket, sys, time
with socket.create_connection((sys.argv[1], 7), 30) as sock:
    for word in ("first", "second"):
        sock.sendall(word.encode())
        print("heard", sock.recv(100).decode(), flush=True)
        while word == "first" and not pathlib.Path(sys.argv[2]).exists():
            time.sleep(0.02)
"""
ECHO = """
import socket
with socket.create_server(("::", 7), family=socket.AF_INET6) as server:
    print("serving", flush=True)
    while True:
        sock, _ = server.accept()
        while data := sock.recv(100):
            sock.sendall(data)
"""


@pytest.mark.covers("acc:AM11", "bug:18", "bug:22", "feat:K3")
def test_am11_the_same_again_writes_nothing_a_change_writes_itself_and_a_connection_lives_through_it(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    router.ip("address", "add", "fe80::1/64", "dev", "eth1", "nodad")
    router.ip("address", "add", "2001:db8:1::1/64", "dev", "eth1", "nodad")
    router.start(sys.executable, "-c", ECHO).says("serving")
    pvdd = lab.pvdd(host, "--projection", "netns")
    wire, mac = router.wire("eth1"), router.mac("eth1")

    def say(domain: str, *options: bytes, source: str = "fe80::1") -> None:
        wire.advertise(pvd(name(domain), *options), source=source, mac=mac)

    def changes() -> list[tuple[str, str]]:
        applied = [one.event for one in pvdd.records() if isinstance(one.event, PlanApplied)]
        return [(type(one.op).__name__, one.op.netns) for event in applied for one in event.outcomes]

    first = (pio("2001:db8:1::"), rdnss("2001:db8:1::53"))
    say("x.example.", *first)
    place = pvdd.place("fqdn:x.example.")
    address = until(lambda: _global(host, place), lambda: host.ip("-n", place, "address"))
    go = lab.folder / "go"
    words = (*PVDCTL, "exec", "fqdn:x.example.", "--", sys.executable, "-c", TALK, "2001:db8:1::1", str(go))
    talking = host.start(*words, env=ours(pvdd.journal))
    talking.says("heard first")

    before = changes()
    for _ in range(15):  # more in a second than that are a flood (pvdcore/routers/bounds.py)
        say("x.example.", *first)
    pvdd.wait(RouterAdvertised, count=16)
    say("x.example.", pio("2001:db8:1::"), rdnss("2001:db8:1::54"))
    until(lambda: "::54" in _resolver(host, place), lambda: _resolver(host, place))
    said = until(lambda: changes()[len(before) :], lambda: "the resolver's file is there, and no record says so")
    assert said == [("ResolverWrite", place)], "repeats wrote nothing, and DNS only itself"
    go.touch()
    talking.says("heard second")
    assert talking.ends() == 0, "the connection that was open lives on"

    say("x.example.", pio("2001:db8:1::"), pio("2001:db8:7::"), rdnss("2001:db8:1::54"))
    until(lambda: "2001:db8:7:" in host.ip("-n", place, "address"), lambda: host.ip("-n", place, "address"))
    assert [one["instances"][0]["placed_in"]["netns"] for one in _list(pvdd)] == [place], "the same namespace"
    assert address in host.ip("-n", place, "address")
    assert not [op for op, _ in changes()[len(before) :] if op.endswith("Delete") or op == "NetnsAdd"]
    say("y.example.", pio("2001:db8:8::"), source="fe80::2")
    assert pvdd.place("fqdn:y.example.") != place


def _list(pvdd: Daemon) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(pvdd.ctl("list", "--json").stdout)["pvds"]
    return found


def _global(host: Any, place: str) -> str:
    found = json.loads(host.ip("-j", "-n", place, "-6", "address", "show", "scope", "global") or "[]")
    return next((info["local"] for one in found for info in one.get("addr_info", ()) if "local" in info), "")


def _resolver(host: Any, place: str) -> str:
    return str(host.run("cat", f"/etc/netns/{place}/resolv.conf").stdout)
