"""What an operator does, through pvdctl: profiles given and taken, connections up and down, what is expected, and what
is taken back.

Law: pvdd runs as a service, and is spoken with as people do; what stands is asked of iproute2.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from events.operator import CheckpointRolledBack, ConnectionClosed, ConnectionOpened, SettingsLoaded
from events.ops import ClientRun, PlanMade
from pvdcore.checks.invariants import check
from pvdcore.projections.places import owner_of, place_name
from pvdcore.state import State
from tests.live.lab import Daemon, Host, Lab, until
from tests.live.test_dhcp import addresses, clients, network, ops, place
from tests.wire.packets import name, pio, pvd

FIXED = """\
[connection]
interface-name = "eth0"
multi-connect = "multiple"
[ipv4]
addresses = ["192.0.2.10/24"]
gateway = "{gateway}"
[ipv6]
method = "disabled"
"""


def load(host: Host, pvdd: Daemon, id: str, text: str) -> None:
    """`pvdctl load`."""
    path = pvdd.journal.with_name(f"{host.name}-{id}.toml")
    path.write_text(text)
    assert pvdd.ctl("load", id, str(path)).stdout == ""


def connections(pvdd: Daemon) -> dict[str, dict[str, Any]]:
    """`pvdctl connections`, by id."""
    return {one["id"]: one for one in json.loads(pvdd.ctl("connections", "--json").stdout)["connections"]}


def settings(pvdd: Daemon) -> dict[str, dict[str, Any]]:
    """`pvdctl settings`, by id: those of this machine's packages, too."""
    return {one["id"]: one for one in json.loads(pvdd.ctl("settings", "--json").stdout)["settings"]}


def phase(id: str, wanted: str) -> Any:
    return lambda state: id in state.connections and state.connections[id].phase == wanted


def default(host: Host, netns: str) -> str:
    """The default router in a place."""
    said = json.loads(host.run("ip", "-j", "-n", netns, "route", "show", "default", check=False).stdout or "[]")
    return said[0]["gateway"] if said else ""


@pytest.mark.covers("feat:C4", "feat:F2")
def test_a_profile_given_at_run_time_comes_up_goes_down_and_is_up_on_two_links(lab: Lab) -> None:
    host, other = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", other, "lan0")
    lab.veth(host, "eth1", other, "lan1")
    pvdd = lab.pvdd(host, "--projection", "netns")
    load(host, pvdd, "lab", FIXED.format(gateway="192.0.2.1"))
    pvdd.wait_state(lambda state: "static:lab" in state.pvds and state.pvds["static:lab"].phase == "placed")
    first, second = (place_name("static:lab", link, 1) for link in ("eth0", "eth1"))
    until(lambda: addresses(host, first) >= {"192.0.2.10/24"} and default(host, first) == "192.0.2.1", pvdd.tail)
    row = connections(pvdd)["lab@eth0"]
    assert (row["phase"], row["by"], row["pvds"]) == ("active", "autoconnect", ["static:lab"])
    told = settings(pvdd)["lab"]
    assert (told["source"], told["origin"], told["connections"]) == ("control", "control:lab:1", ["lab@eth0"])

    assert pvdd.ctl("up", "lab", "--link", "eth1").returncode == 0
    until(lambda: addresses(host, second) >= {"192.0.2.10/24"}, pvdd.tail)
    other.ip("link", "set", "lan0", "down")
    pvdd.wait_state(phase("lab@eth0", "closed"))
    until(lambda: first not in host.run("ls", "/run/netns").stdout, pvdd.tail)
    assert addresses(host, second) >= {"192.0.2.10/24"}, "closing one leaves the other"
    assert connections(pvdd)["lab@eth0"]["reason"] == "carrier"

    pvdd.ctl("down", "lab")
    pvdd.wait_state(phase("lab@eth1", "closed"))
    until(lambda: host.run("ls", "/run/netns").stdout == "", pvdd.tail)
    other.ip("link", "set", "lan0", "up")
    pvdd.wait_state(phase("lab@eth0", "active"))
    assert connections(pvdd)["lab@eth1"]["phase"] == "closed", "what the operator closed is left alone"
    pvdd.ctl("unload", "lab")
    pvdd.wait_state(phase("lab@eth0", "closed"))
    said = [line for line in pvdd.ctl("history", "--utc").stdout.splitlines() if "lab@eth0" in line]
    assert len(said) >= 6 and "settings-removed" in said[-1], "each turn with its reason"
    assert not check(pvdd.state())


@pytest.mark.covers("problem:6", "feat:F4")
def test_another_pvd_than_the_profile_expects_is_shown_and_what_was_for_it_waits(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "lan")
    pvdd = lab.pvdd(host, "--projection", "netns")
    load(host, pvdd, "office", FIXED.format(gateway="192.0.2.1") + '[pvd]\nexpected = ["office.example"]\n')
    pvdd.wait_state(phase("office@eth0", "activating"))
    wire = router.wire("lan")
    wire.advertise(pvd(name("cafe.example"), pio("2001:db8:1::")), source="fe80::1")
    pvdd.wait_state(phase("office@eth0", "mismatch"))
    said = pvdd.ctl("connections").stdout
    assert "office@eth0: expects fqdn:office.example., which is not there" in said
    assert "static:office" not in pvdd.state().pvds and "fqdn:office.example." not in pvdd.state().pvds
    wire.advertise(pvd(name("office.example"), pio("2001:db8:2::")), source="fe80::2")
    pvdd.wait_state(phase("office@eth0", "active"))
    netns = place_name("static:office", "eth0", 1)
    until(lambda: addresses(host, netns) >= {"192.0.2.10/24"}, pvdd.tail)
    told = settings(pvdd)["office"]
    assert [one["pvd"] for one in told["reached"]] == ["fqdn:cafe.example.", "fqdn:office.example."]
    router.ip("link", "set", "lan", "down")
    pvdd.wait_state(phase("office@eth0", "closed"))
    router.ip("link", "set", "lan", "up")
    pvdd.wait_state(phase("office@eth0", "activating"))
    wire.advertise(pvd(name("office.example"), pio("2001:db8:2::")), source="fe80::2")
    pvdd.wait_state(phase("office@eth0", "active"))
    assert "led to fqdn:office.example. on eth0, 2 visits" in pvdd.ctl("settings").stdout
    assert not check(pvdd.state())


@pytest.mark.covers("feat:F5")
@pytest.mark.parametrize("how", ["timer", "command"])
def test_an_operators_change_is_taken_back(lab: Lab, how: str) -> None:
    host, other = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", other, "lan")
    pvdd = lab.pvdd(host, "--projection", "netns")
    load(host, pvdd, "lab", FIXED.format(gateway="192.0.2.1"))
    netns = place_name("static:lab", "eth0", 1)
    until(lambda: default(host, netns) == "192.0.2.1", pvdd.tail)

    pvdd.ctl("checkpoint", *(("--timeout", "15") if how == "timer" else ()))
    load(host, pvdd, "lab", FIXED.format(gateway="192.0.2.254"))
    load(host, pvdd, "more", FIXED.format(gateway="192.0.2.253"))
    pvdd.wait(lambda event: isinstance(event, SettingsLoaded) and event.settings.id == "more")
    if how == "command":
        until(lambda: default(host, netns) == "192.0.2.254", pvdd.tail)
        pvdd.ctl("rollback")
    record = pvdd.wait(CheckpointRolledBack)
    assert record.event.reason == ("timeout" if how == "timer" else "operator")  # type: ignore[union-attr]
    until(lambda: default(host, netns) == "192.0.2.1", pvdd.tail)
    state = pvdd.state()
    assert "more" not in state.settings and state.intent.checkpoint is None
    assert state.settings["lab"].values["ipv4.gateway"] == "192.0.2.1"
    done = pvdd.ctl("rollback", check=False)
    assert (done.returncode, done.stderr.count("\n")) == (10, 1) and "pvdctl checkpoint" in done.stderr

    pvdd.ctl("checkpoint", "--timeout", "3600")
    load(host, pvdd, "lab", FIXED.format(gateway="192.0.2.254"))
    pvdd.ctl("commit")
    until(lambda: default(host, netns) == "192.0.2.254", pvdd.tail)
    assert pvdd.state().intent.checkpoint is None
    assert not check(pvdd.state())


def test_down_ends_the_dhcp_client_and_its_lease_and_up_asks_again(lab: Lab) -> None:
    host = lab.host("h")
    network(lab, host, "eth0", "north")
    pvdd = lab.pvdd(host, "--projection", "netns")
    load(host, pvdd, "home", '[connection]\ninterface-name = "eth0"\n[ipv6]\nmethod = "disabled"\n')
    pvdd.wait_state(lambda state: "if:eth0/1" in state.pvds and state.pvds["if:eth0/1"].phase == "placed")
    netns = place("home")
    until(lambda: clients(host, netns), pvdd.tail)
    (address,) = [one for one in addresses(host, netns) if "." in one]
    pvdd.ctl("down", "home")
    pvdd.wait_state(lambda state: not state.grants and state.pvds["if:eth0/1"].phase == "gone")
    until(lambda: netns not in host.run("ls", "/run/netns").stdout, pvdd.tail)
    pvdd.ctl("up", "home", "--link", "eth0")
    until(lambda: address in addresses(host, netns), pvdd.tail)
    assert len(ops(pvdd, ClientRun)) == 2
    assert [
        type(one.event) for one in pvdd.records() if isinstance(one.event, (ConnectionOpened, ConnectionClosed))
    ] == [
        ConnectionOpened,
        ConnectionClosed,
        ConnectionOpened,
    ]
    assert not check(pvdd.state())


@pytest.mark.covers("problem:20")
def test_what_another_manager_activates_is_observed_and_nobody_asks(lab: Lab) -> None:
    host, other = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", other, "lan")
    folder = "/etc/NetworkManager/system-connections"
    text = "[connection]\nid=wired\nuuid=5b0d2c1e-6e0e-4b49-9a39-0f5f4a9d1c11\ntype=ethernet\ninterface-name=eth0\n"
    host.run("sh", "-c", f"mkdir -p {folder} && cat > {folder}/wired.nmconnection", input=text)
    pvdd = lab.pvdd(host, "--projection", "netns")
    pvdd.wait(lambda event: isinstance(event, SettingsLoaded) and event.settings.id == "wired")
    other.wire("lan").advertise(pio("2001:db8:1::"), source="fe80::1")
    pvdd.wait(PlanMade)
    state: State = pvdd.state()
    assert not state.connections and "wired" in state.settings, "its manager activates it"

    # It does: this is the note that it keeps (tests/live/test_networkmanager.py has one of its own).
    load(host, pvdd, "mine", '[connection]\ninterface-name = "eth0"\nautoconnect = false\n')
    number = host.run("cat", "/sys/class/net/eth0/ifindex").stdout.strip()
    notes = "/run/NetworkManager/devices"
    text = "[device]\nmanaged=1\nconnection-uuid=5b0d2c1e-6e0e-4b49-9a39-0f5f4a9d1c11\n"
    host.run("sh", "-c", f"mkdir -p {notes} && cat > {notes}/new && mv {notes}/new {notes}/{number}", input=text)
    pvdd.wait_state(phase("wired@eth0", "active"))
    row = connections(pvdd)["wired@eth0"]
    assert (row["by"], row["pvds"], row["placed_in"]) == ("external", ["ra:eth0/1/fe80::1"], None)
    host.run("rm", f"{notes}/{number}")
    pvdd.wait_state(phase("wired@eth0", "closed"))
    assert connections(pvdd)["wired@eth0"]["reason"] == "external"
    assert owner_of("wired@eth0") not in {one.event.pvd for one in pvdd.records() if isinstance(one.event, PlanMade)}
    assert not ops(pvdd, ClientRun)
