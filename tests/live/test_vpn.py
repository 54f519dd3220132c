"""VPNs, lived: a real OpenVPN server and client over veth, the tunnel in its PvD's namespace, and left where it is.

Law: what is reached from where is asked by programs that a user would run; certificates are made here and end with the
test. No VPN's private key, and no word of its user, is looked at by us.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.running.client import Client, NotRunning
from events.ops import LinkMove, NetnsDelete, PlaceUsed, PlanApplied, PlanMade
from events.vpn import VpnConnected, VpnEnded
from pvdcore.projections.places import place_name
from pvdcore.state import State
from tests.live.lab import PVDCTL, ROOT, Daemon, Host, Lab, Program, ours, until
from tests.wire.packets import name, pio, pvd, rdnss

CORP, LOCAL = "vpn:corp", "fqdn:local.example."
PREFIX = "fd02::"
WEB = """
import http.server, socket, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{sys.argv[1]} to {self.client_address[0].removeprefix('::ffff:')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *said): pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()
server = Server(("::", 80), Answer)
print("serving", flush=True)
server.serve_forever()
"""


def certificate(folder: Path, who: str) -> str:
    """A key and a certificate signed by itself; its fingerprint, by which the other end knows it."""
    key, made = folder / f"{who}.key", folder / f"{who}.crt"
    words = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={who}"
    subprocess.run([*words.split(), "-keyout", str(key), "-out", str(made)], check=True, capture_output=True)
    told = subprocess.run(
        ["openssl", "x509", "-in", str(made), "-noout", "-fingerprint", "-sha256"],
        check=True,
        capture_output=True,
        text=True,
    )
    return told.stdout.strip().partition("=")[2]


class Office:
    """A host with two links: to a router whose explicit PvD has fd02::/64, and to an OpenVPN server that gives out of
    the same prefix. Behind both, fd02::1 answers and says who it is."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.host, self.router, self.server = lab.host("h"), lab.host("r"), lab.host("s")
        lab.veth(self.host, "eth0", self.router, "r0")
        lab.veth(self.host, "eth1", self.server, "s0")
        self.router.ip("address", "add", f"{PREFIX}1/64", "dev", "r0", "nodad")
        self.router.ip("address", "add", "fe80::1/64", "dev", "r0", "nodad")
        self.host.ip("address", "add", "198.51.100.2/24", "dev", "eth1")
        self.server.ip("address", "add", "198.51.100.1/24", "dev", "s0")
        for one, said in ((self.router, "R2"), (self.server, "S2")):
            one.ip("link", "set", "lo", "up")
            one.start(sys.executable, "-c", WEB, said).says("serving")
        self.prints = {who: certificate(lab.folder, who) for who in ("server", "client")}
        self.control = str(lab.folder / "control")

    def serve(self, *push: str) -> Program:
        """The OpenVPN server; push: what it says to its client."""
        lines = [f'push "{one}"' for one in push]
        return self._openvpn(
            self.server,
            "server",
            "mode server\ntls-server\ntopology subnet\nserver 10.8.0.0 255.255.255.0\nport 1194\nkeepalive 1 20",
            f"server-ipv6 {PREFIX}/64",
            "dh none",
            *lines,
        )

    def connect(self, *more: str, hook: str = "", name: str = "corp") -> Program:
        """The OpenVPN client, connected when this returns; hook: more words for ours."""
        command = " ".join((*PVDCTL[:2], "-m", "replay.cli", "hook", "--control", self.control, "--optional", hook))
        script = self.lab.file("hook", f'#!/bin/sh\nexport PYTHONPATH={ROOT}\nexec {command} "$@"\n')
        script.chmod(0o755)
        hooks = [f'{kind} "{script}"' for kind in ("route-up", "down")]
        made = self._openvpn(
            self.host,
            name,
            "client\nremote 198.51.100.1 1194\nnobind\nscript-security 2",
            *hooks,
            *more,
            certificate="client",
        )
        made.says("Initialization Sequence Completed")
        return made

    def _openvpn(self, host: Host, name: str, *lines: str, certificate: str = "server") -> Program:
        other = {"client": "server", "server": "client"}[certificate]
        folder = self.lab.folder
        common = (
            "dev tun\nproto udp\nverb 3",
            f"cert {folder}/{certificate}.crt\nkey {folder}/{certificate}.key",
            f"peer-fingerprint {self.prints[other]}",
        )
        file = self.lab.file(f"{name}.conf", "\n".join((*lines, *common)) + "\n")
        return host.start("openvpn", "--config", str(file))

    def pvdd(self, *options: str, **more: str) -> Daemon:
        lines = "".join(f'{key} = "{value}"\n' for key, value in more.items())
        config = self.lab.file("pvd.conf", f"[policy]\n{lines}")
        made = self.lab.pvdd(self.host, "--config", str(config), "--control", self.control, *options)
        with reach(self.control):
            pass
        return made

    def announce(self) -> None:
        """The router's PvD, with the prefix that the VPN has, too."""
        self.router.wire("r0").advertise(
            pvd(name("local.example."), pio(PREFIX), rdnss(f"{PREFIX}53")), mac=self.router.mac("r0")
        )


def reach(control: str) -> Client:
    """A connection to a pvdd that is about to listen; what another left behind answers nobody."""

    def ask() -> Client | None:
        with suppress(NotRunning):
            return Client(control)
        return None

    return until(ask, lambda: f"nobody listens at {control}")


NOTHING_ITSELF = ("ifconfig-noexec", "route-noexec")
PUSHED = ("route 192.0.2.0 255.255.255.0", "dhcp-option DNS 10.8.0.1", "dhcp-option DOMAIN corp.example")


@pytest.fixture
def office(lab: Lab) -> Office:
    return Office(lab)


def phase(pvdd: Daemon, id: str, wanted: str) -> State:
    """Wait until a PvD is as far; the State then."""

    def ask(state: State) -> State | None:
        found = state.pvds.get(id)
        return state if found is not None and found.phase == wanted else None

    return pvdd.wait_state(ask)


def tunnels(host: Host) -> set[str]:
    """The tun devices of a host's first namespace."""
    return {one["ifname"] for one in json.loads(host.ip("-j", "link", "show", "type", "tun") or "[]")}


def routes(host: Host) -> set[tuple[str, str, str]]:
    """The routes of a host's first namespace, without how long they last."""
    found = json.loads(host.ip("-j", "-6", "route")) + json.loads(host.ip("-j", "route"))
    return {(one["dst"], one.get("gateway", ""), one["dev"]) for one in found}


def untouched(state: State) -> dict[str, object]:
    """All PvDs but the VPN's, as the network says them."""
    return {id: one for id, one in state.pvds.items() if id != CORP}


@pytest.mark.covers("acc:AL7", "feat:K7", "feat:C5", "rfc:A22")
def test_al7_one_prefix_in_a_local_pvd_and_in_a_vpn_answers_from_both_at_once(office: Office) -> None:
    office.serve(*PUSHED)
    pvdd = office.pvdd("--projection", "netns")
    office.announce()
    phase(pvdd, LOCAL, "placed")
    before = untouched(pvdd.state())
    roots = routes(office.host)
    office.connect(*NOTHING_ITSELF, hook="--tunnel move")
    state = phase(pvdd, CORP, "placed")
    assert untouched(state) == before, "one PvD more, and every other is what it was"
    assert tunnels(office.host) == set()
    assert routes(office.host) == roots

    def ask(id: str) -> Program:
        words = ("exec", id, "--", "curl", "-sS", "--retry", "9", "--retry-all-errors", f"http://[{PREFIX}1]/")
        return office.host.start(*PVDCTL, *words, env=ours(pvdd.journal))

    asked = [ask(id) for _ in range(4) for id in (LOCAL, CORP)]
    for at, one in enumerate(asked):
        assert one.ends() == 0, one.said()
        assert one.said().startswith(("R2 to fd02::", "S2 to fd02::1000")[at % 2])

    place = pvdd.place(CORP)
    inside = json.loads(office.host.ip("-n", place, "-j", "address", "show", "dev", "tun0"))[0]
    assert {one["local"] for one in inside["addr_info"]} == {"10.8.0.2", "fd02::1000"}
    said = pvdd.inside(CORP, "cat", "/etc/resolv.conf").stdout
    assert "nameserver 10.8.0.1\n" in said and "search corp.example.\n" in said and "fd02::53" not in said
    assert "nameserver fd02::53\n" in pvdd.inside(LOCAL, "cat", "/etc/resolv.conf").stdout
    assert "192.0.2.0/24 via 10.8.0.1" in pvdd.inside(CORP, "ip", "route").stdout
    assert pvdd.inside(CORP, "ip", "route", "get", "203.0.113.1", check=False).returncode, "and nothing else"
    assert "S2 to 10.8.0.2" in pvdd.inside(CORP, "curl", "-sS", "http://10.8.0.1/").stdout


def test_the_pvd_ends_with_the_client_and_the_tunnel_with_it(office: Office) -> None:
    office.serve()
    pvdd = office.pvdd("--projection", "netns", vpn_tunnel="move")
    client = office.connect(*NOTHING_ITSELF, "down-pre")  # else the tunnel is gone before its client says so
    phase(pvdd, CORP, "placed")
    assert client.stop() == 0
    phase(pvdd, CORP, "gone")
    until(lambda: office.host.run("ls", "/run/netns").stdout == "", lambda: office.host.ip("netns"))
    assert pvdd.wait(VpnEnded).event == VpnEnded(vpn="corp", device="tun0", reason="sigterm")

    again = office.connect(*NOTHING_ITSELF)
    state = phase(pvdd, CORP, "placed")
    assert state.pvds[CORP].instances[0][0][0].startswith("tun0#"), "another tunnel of the same PvD"
    again.send(signal.SIGKILL)
    phase(pvdd, CORP, "gone")
    until(lambda: office.host.run("ls", "/run/netns").stdout == "", lambda: office.host.ip("netns"))
    assert tunnels(office.host) == set()
    assert len([one for one in pvdd.records() if isinstance(one.event, VpnEnded)]) == 1, "nobody could say so"


def test_a_restart_of_the_client_in_its_tunnel_keeps_place_and_pvd(office: Office) -> None:
    office.serve(*PUSHED)
    pvdd = office.pvdd("--projection", "netns", vpn_tunnel="move")
    script = f'up "{office.lab.folder}/hook"'
    client = office.connect(*NOTHING_ITSELF, "persist-tun", "up-restart", script)
    phase(pvdd, CORP, "placed")
    held = untouched(pvdd.state()), pvdd.state().pvds[CORP].versions
    client.send(signal.SIGUSR1)
    pvdd.wait(lambda event: isinstance(event, VpnConnected) and event.partial)
    state = pvdd.state()
    assert (untouched(state), state.pvds[CORP].phase) == (held[0], "placed")
    assert state.pvds[CORP].versions == held[1], "nothing of what holds has changed"
    assert len([one for one in pvdd.records() if _moves(one.event)]) == 1
    asked = pvdd.inside(CORP, "curl", "-sS", "--retry", "9", "--retry-all-errors", "http://10.8.0.1/")
    assert asked.stdout == "S2 to 10.8.0.2"


def _moves(event: object) -> bool:
    return isinstance(event, PlanApplied) and any(isinstance(one.op, LinkMove) for one in event.outcomes)


def test_who_is_inside_keeps_the_place_and_then_the_tunnel_goes_back(office: Office) -> None:
    office.serve()
    pvdd = office.pvdd("--projection", "netns", vpn_tunnel="move")
    client = office.connect(*NOTHING_ITSELF)
    phase(pvdd, CORP, "placed")
    inside = office.host.start(*PVDCTL, "exec", CORP, "--", "sleep", "1000", env=ours(pvdd.journal))
    until(lambda: _comm(inside.pid) == "sleep", lambda: _comm(inside.pid))
    with reach(office.control) as socket:
        socket.call("internal.pvd.Control.VpnDown", vpn="corp")
    pvdd.wait(lambda event: isinstance(event, PlaceUsed) and event.users)
    assert tunnels(office.host) == set()
    inside.stop(signal.SIGKILL)
    until(lambda: tunnels(office.host) == {"tun0"}, lambda: office.host.ip("link"))
    until(lambda: office.host.run("ls", "/run/netns").stdout == "", lambda: office.host.ip("netns"))
    found = json.loads(office.host.ip("-j", "address", "show", "dev", "tun0"))[0]
    assert (found.get("addr_info", []), found.get("ifalias")) == ([], None), "as bare as it was made"
    assert client.process.poll() is None


def _comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


@pytest.mark.covers("rfc:A22", "rfc:P69")
def test_a_tunnel_that_is_left_alone_is_a_pvd_and_nothing_is_written(office: Office) -> None:
    office.serve("redirect-gateway def1", *PUSHED)
    pvdd = office.pvdd("--projection", "netns")
    office.announce()
    phase(pvdd, LOCAL, "placed")
    before = untouched(pvdd.state())
    office.connect()
    state = phase(pvdd, CORP, "announced")
    assert untouched(state) == before, "the VPN's resolver and routes are in no other PvD"
    assert tunnels(office.host) == {"tun0"}
    assert "0.0.0.0/1 via 10.8.0.1 dev tun0" in office.host.ip("route"), "as its client put it"
    shown = json.loads(pvdd.ctl("status", CORP, "--json").stdout)["pvds"][0]
    (instance,) = shown["instances"]
    assert (shown["kind"], shown["source"], instance["placed_in"]) == ("explicit", "vpn", None)
    assert (instance["vpn"]["client"], instance["vpn"]["full"], instance["vpn"]["device"]) == ("openvpn", True, "tun0")
    assert {one["address"]: one["origin"] for one in instance["addresses"]} == {
        "10.8.0.2/24": "vpn",
        "fd02::1000/64": "vpn",
    }
    assert {one["destination"] for one in instance["routes"]} >= {"0.0.0.0/0", "192.0.2.0/24"}
    assert not [one for one in pvdd.records() if isinstance(one.event, PlanMade) and one.event.pvd == CORP]
    asked = pvdd.inside(CORP, "true", check=False)
    assert asked.returncode == 125 and "have its tunnel moved there: pvdctl hook --tunnel move" in asked.stderr


def test_a_tunnel_goes_back_and_comes_again_as_the_configuration_says(office: Office) -> None:
    office.serve(*PUSHED)
    pvdd = office.pvdd("--projection", "netns", vpn_tunnel="move")
    office.connect(*NOTHING_ITSELF)
    first = pvdd.place(CORP)
    config = office.lab.folder / "pvd.conf"
    before = config.read_text()
    config.write_text('[[link]]\nmatch = "tun*"\nprojection = "none"\n' + before)
    pvdd.ctl("reload", "--control", office.control)
    until(lambda: tunnels(office.host) == {"tun0"}, lambda: office.host.ip("link"))
    phase(pvdd, CORP, "announced")
    config.write_text(before)
    pvdd.ctl("reload", "--control", office.control)
    again = pvdd.place(CORP, "tun0#2")
    assert again != first and os.listdir(f"/proc/{office.host.pid}/root/run/netns") == [again]
    asked = pvdd.inside(CORP, "curl", "-sS", "--retry", "9", "--retry-all-errors", "http://10.8.0.1/")
    assert asked.stdout == "S2 to 10.8.0.2"


def test_a_daemon_that_was_killed_finds_the_tunnel_where_it_is(office: Office) -> None:
    office.serve(*PUSHED)
    pvdd = office.pvdd("--projection", "netns", vpn_tunnel="move")
    client = office.connect(*NOTHING_ITSELF)
    phase(pvdd, CORP, "placed")
    plans = len([one for one in pvdd.records() if isinstance(one.event, PlanMade)])
    pvdd.kill()
    again = office.pvdd("--projection", "netns", vpn_tunnel="move")
    asked = again.inside(CORP, "curl", "-sS", "--retry", "9", "--retry-all-errors", "http://10.8.0.1/")
    assert asked.stdout == "S2 to 10.8.0.2"
    state = again.state()
    assert (state.pvds[CORP].phase, state.vpns["corp"].inside) == ("placed", True)
    assert len([one for one in again.records() if isinstance(one.event, PlanMade)]) == plans, "it was right already"
    again.kill()
    client.send(signal.SIGKILL)
    client.ends()
    third = office.pvdd("--projection", "netns", vpn_tunnel="move")
    phase(third, CORP, "gone")
    until(lambda: office.host.run("ls", "/run/netns").stdout == "", lambda: office.host.ip("netns"))


@pytest.mark.covers("bug:27")
def test_killed_at_every_operation_the_next_session_does_what_is_left_and_no_more(lab: Lab) -> None:
    host = lab.host("h")
    control = str(lab.folder / "control")
    for number in range(1, OPS + 2):
        host.ip("tuntap", "add", "dev", "tun7", "mode", "tun")
        index = json.loads(host.ip("-j", "link", "show", "dev", "tun7"))[0]["ifindex"]
        options = ("--projection", "netns", "--control", control)
        journal = lab.folder / f"{number}.db"
        pvdd = lab.pvdd(host, *options, journal=journal, env={"PVD_KILL_AT": str(number)})
        with reach(control) as socket:
            socket.call("internal.pvd.Control.VpnUp", vpn={**BARE, "ifindex": index})
        assert pvdd.ends() == -signal.SIGKILL
        again = lab.pvdd(host, *options, journal=journal)
        place = again.place(CORP)
        again.wait(_placed)
        first, *later = (one.event.ops for one in again.records() if isinstance(one.event, PlanMade))
        assert len(first) == OPS
        assert [op for ops in later for op in ops] == list(first[number - 1 :]), "what was done is not done again"
        inside = json.loads(host.ip("-n", place, "-j", "address", "show", "dev", "tun7"))[0]
        assert [one["local"] for one in inside["addr_info"]] == ["10.8.0.2"]
        assert "192.0.2.0/24 via 10.8.0.1" in host.ip("-n", place, "route")
        assert os.listdir(f"/proc/{host.pid}/root/run/netns") == [place]
        with reach(control) as socket:
            socket.call("internal.pvd.Control.VpnDown", vpn="corp")
        until(lambda: tunnels(host) == {"tun7"}, lambda: host.ip("link"))
        again.wait(_deleted)
        assert again.stop() == 0
        host.ip("link", "delete", "tun7")


OPS = 5
"""Of the plan for this: namespace, link, address, route, resolver."""
BARE = {
    "vpn": "corp",
    "client": "other",
    "device": "tun7",
    "tunnel": "move",
    "addresses": ["10.8.0.2/24"],
    "included": [{"destination": "192.0.2.0/24", "via": "10.8.0.1"}],
    "dns": ["10.8.0.1"],
}


@pytest.mark.covers("rfc:A22")
def test_in_tables_who_speaks_from_the_vpns_address_goes_through_it_and_nobody_else(office: Office) -> None:
    office.server.ip("address", "add", "192.0.2.1/32", "dev", "lo")
    office.serve(*PUSHED)
    pvdd = office.pvdd("--projection", "tables")
    before = routes(office.host)
    office.connect("route-noexec")
    phase(pvdd, CORP, "placed")
    until(lambda: "from 10.8.0.2 lookup" in office.host.ip("rule"), lambda: office.host.ip("rule"))
    ask = ("curl", "-sS", "--retry", "9", "--retry-all-errors", "http://192.0.2.1/")
    assert office.host.run(*ask, "--interface", "10.8.0.2").stdout == "S2 to 10.8.0.2"
    assert office.host.run(*ask[:2], *ask[-1:], check=False).returncode == 7, "no way there for anybody else"
    assert {one for one in routes(office.host) - before if one[2] != "tun0"} == set()


def test_teardown_gives_a_tunnel_back(office: Office) -> None:
    office.serve()
    pvdd = office.pvdd("--projection", "netns", vpn_tunnel="move")
    office.connect(*NOTHING_ITSELF)
    phase(pvdd, CORP, "placed")
    assert pvdd.stop() == 0
    assert tunnels(office.host) == set(), "a clean end leaves what stands"
    words = (sys.executable, "-P", "-m", "adapters.daemon", "--teardown")
    told = office.host.run(*words, env={**os.environ, "PYTHONPATH": str(ROOT)}).stdout
    assert told == f"{place_name(CORP, 'tun0', 1)}\n"
    assert tunnels(office.host) == {"tun0"}


@pytest.mark.covers("bug:28")
def test_a_hundred_times_up_and_down_leaves_nothing(lab: Lab) -> None:
    host = lab.host("h")
    control = str(lab.folder / "control")
    pvdd = lab.pvdd(host, "--projection", "netns", "--control", control)
    helper = _child(pvdd.pid)

    def held() -> tuple[int, int, int, int]:
        pids = (pvdd.pid, helper)
        return (*(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids), *(_threads(pid) for pid in pids))

    def named(folder: str) -> list[str]:
        return os.listdir(f"/proc/{host.pid}/root{folder}")

    before: tuple[int, int, int, int] | None = None
    for turn in range(100):
        host.ip("tuntap", "add", "dev", "tun7", "mode", "tun")
        index = json.loads(host.ip("-j", "link", "show", "dev", "tun7"))[0]["ifindex"]
        seen = len(pvdd.records())
        with reach(control) as socket:
            socket.call("internal.pvd.Control.VpnUp", vpn={**BARE, "ifindex": index})
            pvdd.wait(_placed, since=seen)
            (place,) = named("/run/netns")
            if turn % 2:  # its client says so, or just ends
                socket.call("internal.pvd.Control.VpnDown", vpn="corp")
                until(lambda: tunnels(host) == {"tun7"}, lambda: host.ip("link"))
                host.ip("link", "delete", "tun7")
            else:
                host.ip("-n", place, "link", "delete", "tun7")
        until(lambda: not named("/run/netns") and not named("/etc/netns"), lambda: host.ip("netns"))
        pvdd.wait(_deleted, since=seen)
        if turn == 4:  # caches are warm
            before = held()
    until(lambda: held() == before, lambda: f"descriptors and threads of both processes: {before}, now {held()}")
    state = pvdd.state()
    assert (len(state.vpns), len(state.grants), state.pvds[CORP].instances) == (0, 0, ())
    assert len([one for one in state.links.values() if one.gone_at is None]) == 1, "lo"


def _placed(event: object) -> bool:
    return isinstance(event, PlanApplied) and not any(one.error for one in event.outcomes)


def _deleted(event: object) -> bool:
    return isinstance(event, PlanApplied) and any(isinstance(one.op, NetnsDelete) for one in event.outcomes)


def _child(pid: int) -> int:
    """The helper's pid: it is the daemon's only child."""

    def ask() -> int | None:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(found[0]) if found else None

    return until(ask, lambda: "no helper")


def _threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))
