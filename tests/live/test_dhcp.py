"""DHCP on links that we manage: dhcpcd asks from a place, and what is answered is heard on the wire.

Law: real servers, real clients. What came is asked of the journal, what stands of iproute2, what works of a program
that `pvdctl exec` runs inside.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

from events.ids import MILLISECOND
from events.ops import AddressAdd, ClientLost, ClientRun, NetnsAdd, NetnsAdopt, Op, PlanMade, ResolverWrite
from events.router import RouterSolicited
from pvdcore.checks.invariants import check
from pvdcore.projections.places import owner_of, place_mac, place_name
from pvdcore.state import Grant, State
from tests.live.lab import ROOT, Daemon, Host, Lab, until
from tests.wire.packets import name, pio, pvd

PROFILE = """\
[connection]
interface-name = "{link}"
[ipv4]
method = "{ipv4}"
[ipv6]
method = "{ipv6}"
"""


def profile(host: Host, id: str, text: str) -> None:
    """Write a profile of ours."""
    folder = "/etc/pvd/settings.d"
    host.run("sh", "-c", f"mkdir -p {folder} && cat > {folder}/{id}.toml", input=text)


def place(id: str, link: str = "eth0", epoch: int = 1) -> str:
    """The namespace that a connection makes."""
    return place_name(owner_of(f"{id}@{link}"), link, epoch)


def pvdctl(host: Host, pvdd: Daemon, *words: str) -> str:
    """pvdctl on a host, with pvdd's journal."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PVD_JOURNAL": str(pvdd.journal)}
    return host.run(sys.executable, "-P", "-m", "replay.cli", *words, env=env).stdout


def addresses(host: Host, netns: str, link: str = "") -> set[str]:
    where = ("-n", netns) if netns else ()
    said = host.run("ip", "-j", *where, "address", "show", "dev", link or netns, check=False).stdout
    rows = json.loads(said or "[]")
    return {f"{one['local']}/{one['prefixlen']}" for row in rows for one in row.get("addr_info", [])}


def routes(host: Host, netns: str, family: str = "-4") -> set[tuple[str, str | None]]:
    said = host.run("ip", "-j", "-n", netns, family, "route", check=False).stdout
    return {(one["dst"], one.get("gateway")) for one in json.loads(said or "[]")}


def placed(pvd: str) -> Any:
    return lambda state: pvd in state.pvds and state.pvds[pvd].phase == "placed"


ANSWER = """\
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = sys.argv[2].encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *said): pass
print("serving", flush=True)
http.server.HTTPServer((sys.argv[1], 80), Answer).serve_forever()
"""

ASK = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())"


def network(lab: Lab, host: Host, link: str, called: str) -> Host:
    """A network on a link: a server at 192.168.1.1 that leases, and says its name when it is asked by HTTP."""
    server = lab.host(called)
    lab.veth(host, link, server, "lan")
    server.ip("address", "add", "192.168.1.1/24", "dev", "lan")
    server.dnsmasq(
        "--interface=lan", "--dhcp-range=192.168.1.100,192.168.1.200,255.255.255.0,1h", "--dhcp-authoritative"
    ).says("DHCP, IP range")
    server.start(sys.executable, "-c", ANSWER, "192.168.1.1", f"this is {called}").says("serving")
    return server


def test_two_networks_with_one_prefix_and_one_server_address_are_usable_at_once(lab: Lab) -> None:
    host = lab.host("h")
    for link, called in (("eth0", "north"), ("eth1", "south")):
        network(lab, host, link, called)
        profile(host, called, PROFILE.format(link=link, ipv4="auto", ipv6="disabled"))
    pvdd = lab.pvdd(host, "--projection", "netns")
    pvdd.wait_state(lambda state: placed("if:eth0/1")(state) and placed("if:eth1/1")(state))
    for link, called in (("eth0", "north"), ("eth1", "south")):
        netns = place(called, link)
        until(lambda n=netns: ("default", "192.168.1.1") in routes(host, n), lambda n=netns: str(routes(host, n)))
        said = pvdctl(host, pvdd, "exec", f"if:{link}/1", "--", sys.executable, "-c", ASK, "http://192.168.1.1/")
        assert said == f"this is {called}\n"
    assert host.ip("-4", "-j", "address", "show", "dev", "eth0"), "the host's own links are as they were"
    assert not check(pvdd.state())


def ops(pvdd: Daemon, kind: type[Op]) -> list[tuple[str, Op]]:
    """The operations of a kind that were planned, each with whose place it was for."""
    plans = [one.event for one in pvdd.records() if isinstance(one.event, PlanMade)]
    return [(plan.pvd, op) for plan in plans for op in plan.ops if isinstance(op, kind)]


def resolver(host: Host, netns: str) -> str:
    return host.run("cat", f"/etc/netns/{netns}/resolv.conf", check=False).stdout


def dual(lab: Lab, host: Host, *options: str) -> Host:
    """A network with a router and a server that says and leases what the options have."""
    server = lab.host("server")
    lab.veth(host, "eth0", server, "lan")
    server.ip("address", "add", "192.168.1.1/24", "dev", "lan")
    server.ip("address", "add", "2001:db8:1::1/64", "dev", "lan", "nodad")
    server.dnsmasq("--interface=lan", "--dhcp-authoritative", *options).says("started")
    return server


RANGE4 = "--dhcp-range=192.168.1.100,192.168.1.200,255.255.255.0,1h"


def test_a_connection_makes_a_place_before_any_pvd_is_known_and_the_first_takes_it_over(lab: Lab) -> None:
    host, server = lab.host("h"), lab.host("server")
    profile(host, "home", PROFILE.format(link="eth0", ipv4="auto", ipv6="auto"))
    lab.veth(host, "eth0", server, "lan")
    pvdd = lab.pvdd(host, "--projection", "netns")
    netns = place("home")
    pvdd.wait(RouterSolicited)  # by us: nobody else speaks there
    made = pvdd.wait_state(lambda state: next((one for one in state.connections.values() if one.placement), None))
    until(lambda: any(one.startswith("fe80:") for one in addresses(host, netns)), lambda: "no link-local address")
    assert not pvdd.state().pvds, "nobody has spoken yet"
    assert made.placement is not None and made.placement.name == netns and made.phase == "activating"
    inode = host.run("stat", "-c", "%i", f"/run/netns/{netns}").stdout
    mac = host.run("ip", "-n", netns, "-br", "link", "show", "dev", netns).stdout.split()[2]

    router = server.wire("lan").advertise(pio("2001:db8:1::"), source="fe80::1")
    assert router
    pvdd.wait_state(placed("ra:eth0/1/fe80::1"))
    assert ops(pvdd, NetnsAdopt) == [("ra:eth0/1/fe80::1", NetnsAdopt(netns, "ra:eth0/1/fe80::1"))]
    assert {whose for whose, op in ops(pvdd, NetnsAdd)} == {"connection:home@eth0"}, "no other was made"
    assert host.run("stat", "-c", "%i", f"/run/netns/{netns}").stdout == inode
    assert mac in host.run("ip", "-n", netns, "-br", "link", "show", "dev", netns).stdout
    assert "pvd:ra:eth0/1/fe80::1" in host.run("ip", "-n", netns, "link", "show", "dev", "lo").stdout
    assert not check(pvdd.state())


def test_dhcp_of_both_families_stands_in_the_place_of_the_routers_pvd(lab: Lab) -> None:
    host = lab.host("h")
    profile(host, "home", PROFILE.format(link="eth0", ipv4="auto", ipv6="auto"))
    server = dual(
        lab,
        host,
        RANGE4,
        "--enable-ra",
        "--dhcp-range=2001:db8:1::100,2001:db8:1::1ff,64,1h",
        "--dhcp-option=option:dns-server,192.168.1.53",
        "--dhcp-option=option6:dns-server,[2001:db8:1::53]",
    )
    pvdd = lab.pvdd(host, "--projection", "netns")
    router = next(one for one in addresses(server, "", "lan") if one.startswith("fe80:")).split("/")[0]
    pvd, netns = f"ra:eth0/1/{router}", place("home")
    has = until(
        lambda: (found := addresses(host, netns)) and len(found) == 3 and found,
        lambda: f"{addresses(host, netns)}\n{pvdd.tail()}\n{pvdd.said()}",
    )
    assert sorted(one.split(":")[0].split(".")[0] for one in has) == ["192", "2001", "fe80"]
    assert {("default", "192.168.1.1")} <= routes(host, netns)
    assert ("default", router) in routes(host, netns, "-6")
    until(lambda: resolver(host, netns).count("nameserver") == 2, lambda: resolver(host, netns))
    state = pvdd.state()
    assert {grant.rule: grant.owners for grant in state.grants.values()} == {
        "dhcp4": (pvd,),
        "dhcp6-address": (pvd,),
        "dhcp6-info": (pvd,),
    }
    hosts = {instance.host for _, instance in state.pvds[pvd].instances}
    mac = place_mac(netns)
    assert hosts == {"", mac, "00030001" + mac.replace(":", "")}, "another instance of the same PvD for who asked"
    assert {instance.phase for _, instance in state.pvds[pvd].instances} == {"placed"}
    assert not check(state)


def test_what_stateless_dhcpv6_tells_is_in_the_pvd_with_o(lab: Lab) -> None:
    host = lab.host("h")
    profile(host, "home", PROFILE.format(link="eth0", ipv4="disabled", ipv6="auto"))
    dual(
        lab,
        host,
        "--enable-ra",
        "--dhcp-range=2001:db8:1::,ra-stateless,64,1h",
        "--dhcp-option=option6:dns-server,[2001:db8:1::53]",
        "--dhcp-option=option6:domain-search,lab.example",
    )
    pvdd = lab.pvdd(host, "--projection", "netns")
    netns = place("home")
    grant = pvdd.wait_state(lambda state: next(iter(state.grants.values()), None))
    assert (grant.rule, grant.mac) == ("dhcp6-info", place_mac(netns))
    assert [one.key for one in grant.held] == ["2001:db8:1::53", "lab.example."]
    ((pvd,), state) = grant.owners, pvdd.state()
    assert pvd.startswith("ra:eth0/1/") and state.pvds[pvd].phase == "placed"
    assert [op.ipv6 for _, op in ops(pvdd, ClientRun)] == ["information"]
    assert any(one.startswith("2001:db8:1:0:") for one in addresses(host, netns)), "its address is autoconfigured"
    assert not check(state)


KEA = {
    "interfaces-config": {"interfaces": ["lan"]},
    "lease-database": {"type": "memfile", "persist": False},
    "server-id": {"type": "LL", "htype": 1, "identifier": "020000000001", "persist": False},
    "subnet6": [
        {
            "subnet": "2001:db8:1::/64",
            "interface": "lan",
            "pd-pools": [{"prefix": "2001:db8:100::", "prefix-len": 40, "delegated-len": 56}],
        }
    ],
}


def test_a_prefix_is_delegated_to_the_connections_place(lab: Lab) -> None:
    host, server = lab.host("h"), lab.host("server")
    profile(host, "home", PROFILE.format(link="eth0", ipv4="disabled", ipv6="auto") + 'dhcp-pd-hint = "::/56"\n')
    lab.veth(host, "eth0", server, "lan")
    server.ip("address", "add", "2001:db8:1::1/64", "dev", "lan", "nodad")
    config = lab.file("kea.json", json.dumps({"Dhcp6": KEA}))
    quiet = {"KEA_LOCKFILE_DIR": "none", "KEA_PIDFILE_DIR": str(lab.folder), "KEA_LOGGER_DESTINATION": "stdout"}
    server.start("kea-dhcp6", "-c", str(config), env=quiet).says("DHCP6_STARTED")
    pvdd = lab.pvdd(host, "--projection", "netns")
    grant = pvdd.wait_state(lambda state: next(iter(state.grants.values()), None))
    assert (grant.rule, grant.owners) == ("dhcp6-prefix", ("if:eth0/1",))
    assert grant.subject.startswith("2001:db8:1") and grant.subject.endswith("/56")
    shown = json.loads(pvdctl(host, pvdd, "list", "--json"))["pvds"]
    ((delegated,),) = [each["delegated"] for one in shown for each in one["instances"]]
    assert delegated["prefix"] == grant.subject
    # A router comes: whose the prefix is, is decided by its flags (RFC 8801 §3.4.2), and the place goes along.
    server.wire("lan").advertise(pio("2001:db8:1::"), source="fe80::1", flags=0x80)
    pvdd.wait_state(lambda state: [one for one in state.grants.values() if one.owners == ("ra:eth0/1/fe80::1",)])
    until(lambda: [whose for whose, _ in ops(pvdd, NetnsAdopt)][-1:] == ["ra:eth0/1/fe80::1"], pvdd.tail)
    assert pvdd.state().pvds["if:eth0/1"].phase == "gone"
    assert not check(pvdd.state())


@pytest.mark.covers("rfc:P45", "rfc:P47", part="expected")
def test_each_pvd_that_dhcpv4_is_due_to_asks_for_itself_and_has_an_address_of_its_own(lab: Lab) -> None:
    host, server = lab.host("h"), lab.host("server")
    profile(host, "home", PROFILE.format(link="eth0", ipv4="auto", ipv6="auto"))
    lab.veth(host, "eth0", server, "lan")
    server.ip("address", "add", "192.168.1.1/24", "dev", "lan")
    pvdd = lab.pvdd(host, "--projection", "netns")
    wire, first, second = server.wire("lan"), "ra:eth0/1/fe80::1", "ra:eth0/1/fe80::2"
    wire.advertise(pio("2001:db8:1::"), source="fe80::1")
    pvdd.wait_state(placed(first))
    wire.advertise(pio("2001:db8:2::"), source="fe80::2", mac="02:00:00:00:01:02")
    pvdd.wait_state(placed(second))
    server.dnsmasq("--interface=lan", RANGE4, "--dhcp-authoritative").says("DHCP, IP range")
    state = pvdd.wait_state(lambda state: state if len(state.grants) == 2 else None)
    theirs = place_name(second, "eth0", 1)
    assert {grant.mac: grant.owners for grant in state.grants.values()} == {
        place_mac(place("home")): (first,),
        place_mac(theirs): (second,),
    }
    has = {netns: {one for one in addresses(host, netns) if "." in one} for netns in (place("home"), theirs)}
    until(
        lambda: all(any("." in one for one in addresses(host, netns)) for netns in has),
        lambda: f"{[addresses(host, netns) for netns in has]}",
    )
    mine, other = ({one for one in addresses(host, netns) if "." in one} for netns in has)
    assert len(mine) == len(other) == 1 and mine != other, "two instances, two addresses"

    # One comes that claims DHCPv4 (L): it asks from now on, and what the others were given runs out.
    wire.advertise(pvd(name("x.example"), pio("2001:db8:3::"), flags=0x4000), source="fe80::1")
    third = place_name("fqdn:x.example.", "eth0", 1)
    until(lambda: any("." in one for one in addresses(host, third)), pvdd.tail)
    until(lambda: clients(host, third) and not clients(host, theirs) and not clients(host, place("home")), pvdd.tail)
    assert mine <= addresses(host, place("home"))
    assert not check(pvdd.state())


def clients(host: Host, netns: str) -> list[str]:
    """The DHCP client's processes in a place."""
    pids = host.run("ip", "netns", "pids", netns, check=False).stdout.split()
    names = {pid: host.run("cat", f"/proc/{pid}/comm", check=False).stdout.strip() for pid in pids}
    return [pid for pid, name in names.items() if name == "dhcpcd"]


def only(netns: str) -> Callable[[State], Grant | None]:
    """The lease of a place's MAC."""
    return lambda state: next((one for one in state.grants.values() if one.mac == place_mac(netns)), None)


def test_a_client_that_ends_is_run_again_later_each_time_and_status_says_so(lab: Lab) -> None:
    host = lab.host("h")
    network(lab, host, "eth0", "north")
    profile(host, "home", PROFILE.format(link="eth0", ipv4="auto", ipv6="disabled"))
    dhcpcd = host.run("sh", "-c", "command -v dhcpcd").stdout.strip()
    host.run("mount", "--bind", "/bin/false", dhcpcd)
    pvdd = lab.pvdd(host, "--projection", "netns")
    pvdd.wait(ClientLost, count=4)
    assert not pvdd.state().pvds
    (row,) = json.loads(pvdctl(host, pvdd, "connections", "--json"))["connections"]
    assert row["phase"] == "activating"
    until(lambda: "client-run: exit code 1" in pvdctl(host, pvdd, "connections"), pvdd.tail)
    lost = [one.at for one in pvdd.records() if isinstance(one.event, ClientLost)]
    gaps = [later - sooner for sooner, later in itertools.pairwise(lost)]
    assert gaps[0] >= 100 * MILLISECOND and gaps[1] >= 200 * MILLISECOND and gaps[2] >= 400 * MILLISECOND
    host.run("umount", dhcpcd)
    pvdd.wait_state(placed("if:eth0/1"))
    assert "DHCP client since" in pvdctl(host, pvdd, "status", "if:eth0/1")
    assert "client-run" not in pvdctl(host, pvdd, "connections")

    first = clients(host, place("home"))
    assert first
    host.run("kill", "-9", *first, check=False)  # some of them end with the first of them
    pvdd.wait(ClientLost, count=len(lost) + 1)
    until(lambda: set(clients(host, place("home"))) - set(first), pvdd.tail)
    assert not check(pvdd.state())


def test_what_outlived_a_crash_is_replaced_and_asks_for_the_same_lease(lab: Lab) -> None:
    host = lab.host("h")
    network(lab, host, "eth0", "north")
    profile(host, "home", PROFILE.format(link="eth0", ipv4="auto", ipv6="disabled"))
    pvdd = lab.pvdd(host, "--projection", "netns")
    pvdd.wait_state(placed("if:eth0/1"))
    netns = place("home")
    lease = pvdd.wait_state(only(netns))
    kept = f"/run/pvd/dhcp/{netns}/{netns}.lease"  # written when nobody answered its ARP probes
    until(lambda: host.run("test", "-s", kept, check=False).returncode == 0, lambda: f"no {kept}")
    before = clients(host, netns)
    pvdd.kill()
    until(lambda: not clients(host, netns), lambda: "a client without a daemon")
    assert addresses(host, netns), "what stands stays"

    again = lab.pvdd(host, "--projection", "netns", journal=pvdd.journal)
    until(lambda: clients(host, netns), again.tail)
    assert not set(clients(host, netns)) & set(before)
    renewed = again.wait_state(lambda state: (one := only(netns)(state)) and one.because > lease.because and one)
    assert (renewed.held[0].key, renewed.owners) == (lease.held[0].key, lease.owners)
    assert renewed.by == "rebooting", "it asks for what it had"
    assert not check(again.state())


STATIC = """\
[connection]
interface-name = "eth0"
[ipv4]
addresses = [{addresses}]
dns = ["{dns}"]
[ipv6]
method = "disabled"
"""
TALK = """\
import socket, sys
with socket.create_connection((sys.argv[1], 7), 20) as peer:
    print(peer.getsockname()[0], flush=True)
    while peer.recv(1):
        print("heard", flush=True)
"""


def test_a_profile_that_is_edited_while_active_changes_only_what_differs(lab: Lab) -> None:
    host, server = lab.host("h"), lab.host("server")
    lab.veth(host, "eth0", server, "lan")
    server.ip("address", "add", "192.0.2.1/24", "dev", "lan")
    listening = server.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.bind(("192.0.2.1", 7))
    listening.listen()
    profile(host, "lab", STATIC.format(addresses='"192.0.2.10/24"', dns="192.0.2.53"))
    pvdd = lab.pvdd(host, "--projection", "netns")
    pvdd.wait_state(placed("static:lab"))
    netns = place_name("static:lab", "eth0", 1)
    inside = host.start("ip", "netns", "exec", netns, sys.executable, "-c", TALK, "192.0.2.1")
    peer, _ = listening.accept()
    lab.keep(peer)
    inside.says("192.0.2.10")
    plans = [one for one in pvdd.records() if isinstance(one.event, PlanMade)]

    profile(host, "lab", STATIC.format(addresses='"192.0.2.10/24", "192.0.2.11/24"', dns="192.0.2.54"))
    until(lambda: "192.0.2.11/24" in addresses(host, netns) and "192.0.2.54" in resolver(host, netns), pvdd.tail)
    made = [one.event for one in pvdd.records(plans[-1].seq) if isinstance(one.event, PlanMade)]
    assert {type(op) for plan in made for op in plan.ops} == {AddressAdd, ResolverWrite}
    assert [op.address for plan in made for op in plan.ops if isinstance(op, AddressAdd)] == ["192.0.2.11/24"]
    peer.send(b"!")
    inside.says("heard")  # the flow goes on
    lines = json.loads(pvdctl(host, pvdd, "history", "--json"))["history"]
    (edited,) = [one for one in lines if (one["cause"], one["subject"]) == ("edited", "settings:lab")]
    assert {one["after"]["key"] for one in edited["changed"]} == {"ipv4.addresses", "ipv4.dns"}

    # It asks no more for what it does not say any more.
    profile(host, "lab", PROFILE.format(link="eth0", ipv4="auto", ipv6="disabled"))
    pvdd.wait_state(lambda state: state.pvds["static:lab"].phase == "lingering")
    until(lambda: clients(host, place("lab")), pvdd.tail)
    profile(host, "lab", PROFILE.format(link="eth0", ipv4="disabled", ipv6="disabled"))
    until(lambda: place("lab") not in host.run("ls", "/run/netns").stdout, pvdd.tail)
    assert not check(pvdd.state())
