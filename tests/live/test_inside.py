"""What programs inside a PvD meet: its addresses, its routers, its resolvers, its end and its return.

Law: each is a program started with `pvdctl exec` that does what an application does; nothing is looked up in our State.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from events.ops import NetnsAdd, PlaceUsed, PlanApplied
from events.session import SessionEnded
from tests.live.lab import PVDCTL, Host, Lab, Program, Wire, ours, until
from tests.wire.packets import mif, mif_id, name, pio, pvd, rdnss

X, Y = "fqdn:x.example.", "fqdn:y.example."
AT_ONCE = "projection = 'netns'\n[policy]\ntwo_hour_rule = false\n"
"""A router that says 0 is believed: else an address goes on for two hours (RFC 4862 §5.5.3 e), and its PvD with it."""

ASKED = """
import socket, sys
kind, how, server = sys.argv[1:]
with socket.socket(socket.AF_INET6, getattr(socket, kind)) as sock:
    sock.settimeout(30)
    if how == "connect":
        sock.connect((server, 4711))
        sock.send(b"?")
    else:
        sock.sendto(b"?", (server, 4711))
    print(sock.recv(100).decode())
"""
ANSWERS = """
import selectors, socket
tcp = socket.create_server(("::", 4711), family=socket.AF_INET6, backlog=16)
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.bind(("::", 4711))
# An answer leaves from the address that was asked, or the asker would not take it.
udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
ready = selectors.DefaultSelector()
for one in (tcp, udp):
    ready.register(one, selectors.EVENT_READ)
print("serving", flush=True)
while True:
    for key, _ in ready.select():
        if key.fileobj is tcp:
            sock, peer = tcp.accept()
            sock.recv(10)
            sock.sendall(peer[0].encode())
            sock.close()
        else:
            data, control, _, peer = udp.recvmsg(10, 100)
            udp.sendmsg([peer[0].encode()], control, 0, peer)
"""
SERVER = "2001:db8:cafe:ffff::babe"


def routers(lab: Lab, *prefixes: str) -> tuple[Host, list[Host], list[Wire]]:
    """A host and a router for each prefix on one link; behind all of them a server that says who asks."""
    host, switch, server = lab.host("h"), lab.host("switch"), lab.host("s")
    lab.bridge(switch, "br0")
    lab.bridge(server, "back")
    server.ip("address", "add", f"{SERVER}/64", "dev", "back", "nodad")
    made, wires = [], []
    lab.veth(host, "eth0", switch, "p0")
    switch.ip("link", "set", "p0", "master", "br0")
    for number, prefix in enumerate(prefixes, 1):
        router = lab.host(f"r{number}")
        lab.veth(router, "eth0", switch, f"p{number}")
        switch.ip("link", "set", f"p{number}", "master", "br0")
        lab.veth(router, "back", server, f"p{number}")
        server.ip("link", "set", f"p{number}", "master", "back")
        router.sysctl("net.ipv6.conf.all.forwarding", 1)
        router.ip("address", "add", f"fe80::{number}/64", "dev", "eth0", "nodad")
        router.ip("address", "add", f"{prefix}1/64", "dev", "eth0", "nodad")
        router.ip("address", "add", f"2001:db8:cafe:ffff::{number}/64", "dev", "back", "nodad")
        server.ip("route", "add", f"{prefix}/64", "via", f"2001:db8:cafe:ffff::{number}")
        made.append(router)
        wires.append(router.wire("eth0"))
    server.start(sys.executable, "-c", ANSWERS).says("serving")
    return host, made, wires


def says(wire: Wire, number: int, domain: str, prefix: str, *more: bytes, **header: int) -> None:
    """Router `number` announces a PvD with a prefix, and nothing else unless it is said."""
    options = pio(prefix, preferred=0, valid=0) if header.get("lifetime") == 0 else pio(prefix)
    mac = wire.host.mac("eth0")
    wire.advertise(pvd(name(domain), options, *more), source=f"fe80::{number}", mac=mac, **header)


@pytest.mark.covers("acc:AP8", "feat:L2")
def test_ap8_source_and_first_hop_are_the_pvds_whatever_would_match_better(lab: Lab) -> None:
    near, far = "2001:db8:1::", "2001:db8:cafe:1::"
    host, made, wires = routers(lab, near, far)
    pvdd = lab.pvdd(host, "--projection", "netns")
    says(wires[0], 1, "x.example.", near)
    says(wires[1], 2, "y.example.", far)
    for at, (id, prefix) in enumerate(((X, near), (Y, far))):
        place = pvdd.place(id)
        dumping, _ = made[1 - at].tcpdump("back", "udp or tcp")
        before = _sent(made[at])
        asked = [
            host.start(
                *PVDCTL, "exec", id, "--", sys.executable, "-c", ASKED, kind, how, SERVER, env=ours(pvdd.journal)
            )
            for kind, how in (("SOCK_STREAM", "connect"), ("SOCK_DGRAM", "connect"), ("SOCK_DGRAM", "send"))
        ]
        for one in asked:
            assert one.ends() == 0, one.said()
            assert one.said().startswith(prefix[:-1]), f"from {one.said()}, not of {prefix}"
        assert _sent(made[at]) > before, "over its own router"
        dumping.stop()
        assert "0 packets captured" in dumping.said(), "and none over the other's"
        assert place


def _sent(router: Host) -> int:
    return int(router.run("cat", "/sys/class/net/back/statistics/tx_packets").stdout)


CLIENT = """
import pathlib, socket, sys, time
seen = pathlib.Path(sys.argv[2])
last = ""
while last != "stop":
    try:
        with socket.create_connection((sys.argv[1], 4711), 5) as sock:
            sock.send(b"?")
            said = "answered " + sock.recv(100).decode()
    except OSError as error:
        said = f"failed: {error.strerror}"
    if said != last:
        print(said, flush=True)
    last = said
    if seen.exists():
        last = "stop"
    time.sleep(0.05)
"""


@pytest.mark.covers("acc:AP9", "feat:L6")
def test_ap9_a_client_fails_clearly_while_its_router_is_away_and_goes_on_when_it_is_back(lab: Lab) -> None:
    near, far = "2001:db8:1::", "2001:db8:2::"
    host, _, wires = routers(lab, near, far)
    pvdd = lab.pvdd(host, "--config", str(lab.file("pvd.conf", AT_ONCE)))
    says(wires[0], 1, "x.example.", near)
    says(wires[1], 2, "y.example.", far)
    place = pvdd.place(X)
    pvdd.place(Y)
    stop = lab.folder / "stop"
    words = (*PVDCTL, "exec", X, "--", sys.executable, "-c", CLIENT, SERVER, str(stop))
    client = host.start(*words, env=ours(pvdd.journal))
    client.says(f"answered {near[:-1]}")
    says(wires[0], 1, "x.example.", near, lifetime=0)
    client.says("failed: Network is unreachable")
    assert pvdd.wait_state(lambda state: state.pvds[X].phase == "lingering"), "kept for the client"
    says(wires[0], 1, "x.example.", near)
    until(lambda: client.said().count("answered") == 2, client.said)
    stop.touch()
    assert client.ends() == 0
    assert far[:-1] not in client.said(), "never over the other PvD"
    assert pvdd.place(X) == place, "the same namespace, as the client is the same"


@pytest.mark.covers("problem:11", "feat:K5", "bug:26")
def test_who_is_inside_keeps_the_namespace_is_named_and_is_told_to_leave(lab: Lab) -> None:
    host, _, wires = routers(lab, "2001:db8:1::")
    pvdd = lab.pvdd(host, "--config", str(lab.file("pvd.conf", AT_ONCE)))
    says(wires[0], 1, "x.example.", "2001:db8:1::")
    place = pvdd.place(X)
    told = host.start(*PVDCTL, "monitor", "--jsonl", env=ours())
    until(lambda: pvdd.subscribers() == 1, told.said)
    inside = [host.start(*PVDCTL, "exec", X, "--", "sleep", "1000", env=ours(pvdd.journal)) for _ in range(2)]
    for one in inside:
        until(lambda one=one: _comm(one.pid) == "sleep", one.said)  # type: ignore[misc]
    says(wires[0], 1, "x.example.", "2001:db8:1::", lifetime=0)
    told.says('"phase":"lingering"')
    used = pvdd.wait(PlaceUsed).event
    assert isinstance(used, PlaceUsed)
    assert {(one.pid, one.comm) for one in used.users} == {(one.pid, "sleep") for one in inside}
    full = pvdd.ctl("status", X).stdout
    for one in inside:
        assert f"{one.pid}" in full and "sleep" in full and "1970" not in full, full
    waiting = host.start(*PVDCTL, "wait", X, "--phase", "gone", env=ours())
    inside[0].stop()
    pvdd.wait(PlaceUsed, count=2)
    assert place in host.run("ip", "netns", "list").stdout, "one is still inside"
    assert waiting.process.poll() is None
    inside[1].stop()
    assert waiting.ends() == 0
    assert place not in host.run("ip", "netns", "list").stdout
    told.says('"phase":"gone"')
    phases = [json.loads(line)["phase"] for line in told.said().splitlines() if line.startswith("{")]
    assert [one for at, one in enumerate(phases) if phases[at - 1 : at] != [one]][-2:] == ["lingering", "gone"]


def _comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


NSCD = """
import os, socket
os.makedirs("/run/nscd", exist_ok=True)
os.chmod("/run/nscd", 0o755)
server = socket.socket(socket.AF_UNIX)
server.bind("/run/nscd/socket")
os.chmod("/run/nscd/socket", 0o666)
server.listen()
print("serving", flush=True)
while True:
    sock, _ = server.accept()
    print("asked", flush=True)
    sock.close()
"""


@pytest.mark.covers("acc:AP10", "feat:I2", "feat:I3", "bug:29")
def test_names_are_asked_of_the_pvds_servers_from_its_address_and_of_nobody_else(lab: Lab) -> None:
    prefixes = ("2001:db8:1::", "2001:db8:2::")
    host, made, wires = routers(lab, *prefixes)
    serving: list[Program] = []
    for number, router in enumerate(made, 1):
        options = (
            "--port=53",
            "--no-resolv",
            "--no-hosts",
            "--log-queries",
            f"--listen-address={prefixes[number - 1]}1",
        )
        serving.append(router.dnsmasq(*options, "--bind-interfaces", f"--address=/www.example/2001:db8::{number}"))
        serving[-1].says("started")
    pvdd = lab.pvdd(host, "--projection", "netns")
    says(wires[0], 1, "x.example.", prefixes[0], rdnss(f"{prefixes[0]}1"))
    says(wires[1], 2, "y.example.", prefixes[1], rdnss(f"{prefixes[1]}1"))
    caching = host.start(sys.executable, "-c", NSCD)
    caching.says("serving")
    host.run("getent", "ahostsv6", "www.example", check=False)
    caching.says("asked")  # outside, the host's cache is asked: it is one for all
    before = caching.said()
    for number, (id, prefix) in enumerate(((X, prefixes[0]), (Y, prefixes[1])), 1):
        pvdd.place(id)
        found = pvdd.inside(id, "getent", "ahostsv6", "www.example").stdout
        assert {line.split()[0] for line in found.splitlines()} == {f"2001:db8::{number}"}
        asked = serving[number - 1].says("query[AAAA] www.example from ")
        assert f"from {prefix[:-1]}" in asked
        assert asked.count("query[") == serving[number - 1].said().count("query[")
    assert caching.said() == before, "the host's cache is out of reach inside"
    for one, other in ((0, 1), (1, 0)):
        assert f"from {prefixes[other][:-1]}" not in serving[one].said()


@pytest.mark.covers("acc:AF2", "feat:K4", "bug:27")
def test_af2_a_clean_end_leaves_the_registry_and_a_killed_one_is_taken_over_by_the_next(lab: Lab) -> None:
    host, _, wires = routers(lab, "2001:db8:1::")
    pvdd = lab.pvdd(host, "--projection", "netns")
    says(wires[0], 1, "x.example.", "2001:db8:1::")
    place = pvdd.place(X)
    inode = host.run("stat", "-c", "%i", f"/run/netns/{place}").stdout
    assert pvdd.stop(signal.SIGINT) == 0
    assert isinstance(pvdd.records()[-1].event, SessionEnded)
    assert pvdd.ctl("wait", X, check=False).returncode == 8, "nobody answers any more"
    assert "No such file" in host.run("ls", "/run/pvd/control", check=False).stderr

    again = lab.pvdd(host, "--projection", "netns", journal=pvdd.journal)
    says(wires[0], 1, "x.example.", "2001:db8:1::")
    again.place(X)
    again.kill()
    third = lab.pvdd(host, "--projection", "netns", journal=pvdd.journal)
    says(wires[0], 1, "x.example.", "2001:db8:1::")
    third.ctl("wait", X, "--phase", "placed", "--timeout", "60")
    made = [op for one in third.records() if isinstance(one.event, PlanApplied) for op in one.event.outcomes]
    assert sum(isinstance(one.op, NetnsAdd) for one in made) == 1, "adopted, not made anew"
    assert host.run("stat", "-c", "%i", f"/run/netns/{place}").stdout == inode
    assert host.run("ls", "/run/netns").stdout.split() == [place]


UUIDS = [f"f037ea62-ee4f-44e4-825c-16f2f5cc9b3{last}" for last in "ef"]
PROFILE = """id = "lab"
[match]
interface-name = ["eth0"]
[ipv6]
method = "auto"
"""


@pytest.mark.covers("acc:AF7", "feat:D5", "feat:A6")
def test_af7_four_pvds_on_link_and_connection_and_a_container_that_is_no_longer_listed_ends(lab: Lab) -> None:
    host, _, wires = routers(lab, "2001:db8:1::", "2001:db8:2::")
    host.run("sh", "-c", f"mkdir -p /etc/pvd/settings.d && cat > /etc/pvd/settings.d/lab.toml <<'END'\n{PROFILE}END")
    pvdd = lab.pvdd(host, "--projection", "netns")
    containers = [mif(mif_id(uuid), pio(f"2001:db8:{at}::", valid=4, preferred=4)) for at, uuid in enumerate(UUIDS, 11)]
    wires[1].advertise(pio("2001:db8:2::"), source="fe80::2")
    four = {"ra:eth0/1/fe80::1", "ra:eth0/1/fe80::2", *(f"uuid:{one}" for one in UUIDS)}

    def placed() -> int:
        """The lifetimes are short, and the router says it all again until all four stand."""
        wires[0].advertise(pio("2001:db8:1::"), *containers, lifetime=4)
        state = pvdd.state()
        return state.seq if four <= {id for id, one in state.pvds.items() if one.phase == "placed"} else 0

    then = ("--json", "--at", f"seq:{until(placed, pvdd.tail)}")
    links = json.loads(pvdd.ctl("links", *then).stdout)["links"]
    assert {pvd for one in links if one["link"] == "eth0" for pvd in one["pvds"]} == four
    (connection,) = json.loads(pvdd.ctl("connections", *then).stdout)["connections"]
    assert set(connection["pvds"]) == four

    def dropped() -> bool:
        """The router goes on, and says no more of the second container."""
        wires[0].advertise(pio("2001:db8:1::"), containers[0], lifetime=4)
        return pvdd.state().pvds[f"uuid:{UUIDS[1]}"].phase == "gone"

    until(dropped, pvdd.tail)
    left = {id for id, one in pvdd.state().pvds.items() if one.phase == "placed"}
    assert left == four - {f"uuid:{UUIDS[1]}"}
