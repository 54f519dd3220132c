"""Links, addresses, routes, rules, neighbours and namespaces of a host, followed as they come, change and go."""

from __future__ import annotations

import json
import os
import signal

import pytest

from events.codec import AnyEvent
from events.link import (
    AddressGone,
    AddressSeen,
    AttachEnded,
    AttachStarted,
    LinkGone,
    LinkSeen,
    NeighborSeen,
    NetlinkOverrun,
    NetnsGone,
    NetnsSeen,
    RouteGone,
    RouteSeen,
    RuleGone,
    RuleSeen,
)
from events.router import RouterAdvertised
from tests.live.lab import Daemon, Lab, advertisement, until
from tests.wire.packets import pio


def of_link(pvdd: Daemon, link: str) -> list[AnyEvent]:
    return [one.event for one in pvdd.records() if getattr(one.event, "link", "") == link]


def test_a_link_keeps_its_id_through_a_rename(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    wire = router.wire("eth1")
    wire.advertise(pio("2001:db8:1::"))
    pvdd.wait(RouterAdvertised)
    host.ip("link", "set", "eth0", "name", "wan0")
    seen = pvdd.wait(lambda event: isinstance(event, LinkSeen) and event.name == "wan0")
    assert isinstance(seen.event, LinkSeen) and seen.event.link == "eth0"
    wire.advertise(pio("2001:db8:2::"))
    again = pvdd.wait(RouterAdvertised, count=2)
    assert isinstance(again.event, RouterAdvertised) and again.event.link == "eth0"
    assert list(pvdd.state().pvds) == ["ra:eth0/1/fe80::1"]


@pytest.mark.covers("acc:AF4")
def test_a_link_that_goes_to_another_namespace_and_comes_back_is_another_one(lab: Lab) -> None:
    host, other = lab.host("h"), lab.host("o")
    tap = lab.tun(host, "tun0")
    pvdd = lab.pvdd(host)
    tap.send(lab_ra())
    pvdd.wait(RouterAdvertised)
    assert [pvd.phase for pvd in pvdd.state().pvds.values()] == ["announced"]
    host.ip("link", "set", "tun0", "netns", str(other.pid))
    pvdd.wait(lambda event: isinstance(event, LinkGone) and event.link == "tun0")
    assert [pvd.phase for pvd in pvdd.state().pvds.values()] == ["gone"]
    assert "tun0" in other.ip("link")
    other.ip("link", "set", "tun0", "netns", str(host.pid))
    back = pvdd.wait(lambda event: isinstance(event, LinkSeen) and event.link == "tun0#2")
    assert isinstance(back.event, LinkSeen) and back.event.name == "tun0"
    host.ip("link", "set", "tun0", "up")
    pvdd.wait(lambda event: isinstance(event, AttachStarted) and event.link == "tun0#2")
    tap.send(lab_ra())
    pvdd.wait(RouterAdvertised, count=2)
    assert {id: one.phase for id, one in pvdd.state().pvds.items()} == {
        "ra:tun0/1/fe80::1": "gone",
        "ra:tun0#2/1/fe80::1": "announced",
    }


@pytest.mark.covers("acc:AF4")
def test_a_link_that_a_third_party_moves_into_a_named_namespace_is_told_by_its_name_there(lab: Lab) -> None:
    host = lab.host("h")
    tap = lab.tun(host, "tun0")
    host.ip("netns", "add", "testns")
    pvdd = lab.pvdd(host)
    tap.send(lab_ra())
    pvdd.wait(RouterAdvertised)
    host.ip("address", "add", "192.0.2.1/24", "dev", "tun0")
    pvdd.wait(lambda event: isinstance(event, AddressSeen) and event.address == "192.0.2.1/24")
    number = pvdd.state().links["tun0"].ifindex
    while f"\n{number}: " not in (
        numbers := host.ip("-n", "testns", "link")
    ):  # until another link has that number there
        name = f"v{len(numbers)}"
        host.ip("-n", "testns", "link", "add", name, "type", "veth", "peer", "name", f"{name}b")
    host.ip("link", "set", "tun0", "netns", "testns")
    gone = pvdd.wait(LinkGone).event
    assert gone == LinkGone(link="tun0", reason="moved", to="testns:tun0"), "its number there is another one"
    there = json.loads(host.ip("-j", "-n", "testns", "address", "show", "tun0"))[0]
    assert there["ifindex"] != number and there["addr_info"] == [], "the move has flushed its addresses"
    (row,) = [one for one in json.loads(pvdd.ctl("links", "--json").stdout)["links"] if one["link"] == "tun0"]
    assert row["moved_to"] == "testns:tun0" and row["gone"] is not None
    assert "moved to testns:tun0" in pvdd.ctl("links").stdout
    said = "tun0 was moved into another network namespace, where it is testns:tun0"
    assert said in [one["text"] for one in json.loads(pvdd.ctl("list", "--json").stdout)["findings"]]
    assert not any(isinstance(one, AddressSeen) and one.link == "tun0" for one in pvdd.state().believed.values())
    host.ip("link", "add", "e0", "type", "veth", "peer", "name", "e1")
    pvdd.wait(lambda event: isinstance(event, LinkSeen) and event.link == "e1")
    host.ip("link", "set", "e0", "netns", "testns", "name", "wan0")
    gone = pvdd.wait(lambda event: isinstance(event, LinkGone) and event.link == "e0").event
    assert gone == LinkGone(link="e0", reason="moved", to="testns:wan0")
    host.ip("-n", "testns", "link", "set", "tun0", "netns", str(host.pid))
    pvdd.wait(lambda event: isinstance(event, LinkSeen) and event.link == "tun0#2")
    assert pvdd.state().links["tun0"].moved_to == "testns:tun0", "what became of it stays"


@pytest.mark.covers("feat:K6")
def test_a_link_that_is_renumbered_on_its_way_is_followed_under_its_number(lab: Lab) -> None:
    """Its number was given to another link while it was away, so it comes back with another one (prior_art.md 34)."""
    host, other = lab.host("h"), lab.host("o")
    tap = lab.tun(host, "tun0")
    pvdd = lab.pvdd(host, "--projection", "netns")
    tap.send(lab_ra())
    pvdd.wait_state(lambda state: state.pvds and state.pvds["ra:tun0/1/fe80::1"].phase == "placed")
    number = pvdd.state().links["tun0"].ifindex
    host.ip("link", "set", "tun0", "netns", str(other.pid))
    pvdd.wait(lambda event: isinstance(event, LinkGone) and event.link == "tun0")
    host.ip("link", "add", "eth0", "index", str(number), "type", "veth", "peer", "name", "eth1")
    other.ip("link", "set", "tun0", "netns", str(host.pid))
    host.ip("link", "set", "tun0", "up")
    pvdd.wait(lambda event: isinstance(event, AttachStarted) and event.link == "tun0#2")
    links = pvdd.state().links
    space = os.stat(f"/proc/{host.pid}/ns/net").st_ino
    assert links["tun0#2"].ifindex != number == links["eth0"].ifindex
    assert links["tun0#2"].identity == f"netns:{space}:{links['tun0#2'].ifindex}:1"
    assert links["eth0"].identity == f"netns:{space}:{number}:2"
    tap.send(lab_ra())
    pvdd.wait_state(lambda state: state.pvds.get("ra:tun0#2/1/fe80::1") is not None)
    pvdd.wait_state(lambda state: state.pvds["ra:tun0#2/1/fe80::1"].phase == "placed")
    until(lambda: len(host.run("ls", "/run/netns").stdout.split()) == 1, lambda: host.run("ls", "/run/netns").stdout)


def lab_ra() -> bytes:
    return advertisement(pio("2001:db8:1::"))


def test_a_number_that_is_used_again_is_another_link(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    pvdd = lab.pvdd(host)
    for _ in range(2):
        host.ip("link", "add", "eth0", "index", "77", "type", "veth", "peer", "name", "eth1", "netns", str(router.pid))
        host.ip("link", "del", "eth0")
    pvdd.wait(lambda event: isinstance(event, LinkGone) and event.link == "eth0#2")
    identities = [
        one.event.identity for one in pvdd.records() if isinstance(one.event, LinkSeen) and one.event.ifindex == 77
    ]
    space = os.stat(f"/proc/{host.pid}/ns/net").st_ino
    assert list(dict.fromkeys(identities)) == [f"netns:{space}:77:1", f"netns:{space}:77:2"]


def test_an_attachment_is_as_long_as_its_carrier(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    wire = router.wire("eth1")
    wire.advertise(pio("2001:db8:1::"))
    pvdd.wait(RouterAdvertised)
    router.ip("link", "set", "eth1", "down")
    pvdd.wait(lambda event: isinstance(event, AttachEnded) and event.link == "eth0" and event.reason == "carrier")
    assert pvdd.state().pvds["ra:eth0/1/fe80::1"].phase == "gone"
    router.ip("link", "set", "eth1", "up")
    pvdd.wait(lambda event: isinstance(event, AttachStarted) and event.link == "eth0")
    wire.advertise(pio("2001:db8:1::"))
    pvdd.wait(RouterAdvertised, count=2)
    assert pvdd.state().pvds["ra:eth0/2/fe80::1"].phase == "announced"


def test_a_carrier_that_was_lost_while_nobody_looked_is_another_attachment(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    router.wire("eth1").advertise(pio("2001:db8:1::"))
    pvdd.wait(RouterAdvertised)
    pvdd.kill()
    again = lab.pvdd(host)
    assert not [event for event in of_link(again, "eth0") if isinstance(event, (AttachStarted, AttachEnded))]
    assert again.state().links["eth0"].epoch == 1
    again.kill()
    router.ip("link", "set", "eth1", "down")
    router.ip("link", "set", "eth1", "up")
    third = lab.pvdd(host)
    third.wait(lambda event: isinstance(event, AttachStarted) and event.link == "eth0")
    assert third.state().links["eth0"].epoch == 2
    assert third.state().pvds["ra:eth0/1/fe80::1"].phase == "gone"


def test_what_a_bridge_hears_its_ports_do_not(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    lab.bridge(host, "br0", "eth0")
    pvdd = lab.pvdd(host)
    wire = router.wire("eth1")
    for number in range(3):
        wire.advertise(pio(f"2001:db8:{number}::"))
    pvdd.wait(RouterAdvertised, count=3)
    assert [one.event.link for one in pvdd.records() if isinstance(one.event, RouterAdvertised)] == ["br0"] * 3
    host.ip("link", "set", "eth0", "nomaster")
    pvdd.wait(lambda event: isinstance(event, LinkSeen) and event.link == "eth0" and not event.master)
    wire.advertise(pio("2001:db8:9::"))
    last = pvdd.wait(RouterAdvertised, count=4)
    assert isinstance(last.event, RouterAdvertised) and last.event.link == "eth0"


@pytest.mark.covers("feat:A10")
def test_addresses_routes_and_rules_come_and_go(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    host.ip("address", "add", "192.0.2.5/24", "dev", "eth0")
    host.ip("route", "add", "default", "via", "192.0.2.1")
    host.ip("-6", "rule", "add", "from", "2001:db8::/32", "lookup", "77", "priority", "500")
    pvdd.wait(lambda event: isinstance(event, RuleSeen) and event.priority == 500 and event.source == "2001:db8::/32")
    events = of_link(pvdd, "eth0")
    assert [one.address for one in events if isinstance(one, AddressSeen) and "." in one.address] == ["192.0.2.5/24"]
    routes = {(one.destination, one.via) for one in events if isinstance(one, RouteSeen)}
    assert {("192.0.2.0/24", None), ("0.0.0.0/0", "192.0.2.1")} <= routes
    assert not any(one.kind == "local" for one in events if isinstance(one, RouteSeen)), "the kernel's own"
    # IPv4 routes go with their link, and no notice says so.
    host.ip("link", "set", "eth0", "down")
    pvdd.wait(lambda event: isinstance(event, RouteGone) and event.destination == "0.0.0.0/0")
    host.ip("address", "del", "192.0.2.5/24", "dev", "eth0")
    host.ip("-6", "rule", "del", "priority", "500")
    pvdd.wait(lambda event: isinstance(event, AddressGone) and event.address == "192.0.2.5/24")
    pvdd.wait(lambda event: isinstance(event, RuleGone) and event.priority == 500)
    gone = [key for key in pvdd.state().believed if (key[0] == "rule" and "500" in key) or key[2:3] == ("0.0.0.0/0",)]
    assert gone == []


def test_a_restart_records_only_what_is_different(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    host.ip("address", "add", "192.0.2.5/24", "dev", "eth0")
    host.ip("address", "add", "198.51.100.5/24", "dev", "eth0")
    pvdd = lab.pvdd(host)
    assert pvdd.stop() == 0
    before = len(pvdd.records())
    again = lab.pvdd(host)
    assert again.stop() == 0
    assert [type(one.event).__name__ for one in again.records(before)] == ["SessionStarted", "SessionEnded"]
    host.ip("address", "del", "192.0.2.5/24", "dev", "eth0")
    host.ip("route", "add", "203.0.113.0/24", "via", "198.51.100.1")
    before = len(again.records())
    third = lab.pvdd(host)
    assert third.stop() == 0
    news = [one.event for one in third.records(before)][1:-1]
    assert {type(one) for one in news} == {AddressGone, RouteGone, RouteSeen}
    assert [one.destination for one in news if isinstance(one, RouteSeen)] == ["203.0.113.0/24"]


@pytest.mark.covers("feat:A11")
def test_an_overrun_is_said_and_what_was_missed_is_found(lab: Lab) -> None:
    """The daemon is stopped, far more notices come than its buffer holds, and then it goes on."""
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    host.ip("address", "add", "192.0.2.5/24", "dev", "eth0")
    pvdd = lab.pvdd(host)
    pvdd.send(signal.SIGSTOP)
    host.ip("route", "add", "10.9.1.0/24", "via", "192.0.2.1")
    # Notices of a routing daemon's routes leave nothing in the journal, and fill the buffer all the same.
    daemons = [f"10.{n // 256}.{n % 256}.0/24 via 192.0.2.1 proto bird table 77" for n in range(50_000)]
    host.run("ip", "-batch", "-", input="".join(f"route add {one}\n" for one in daemons))
    host.run("ip", "-batch", "-", input="".join(f"route del {one}\n" for one in daemons))
    host.ip("route", "add", "10.9.2.0/24", "via", "192.0.2.1")
    host.ip("route", "del", "10.9.1.0/24")
    pvdd.send(signal.SIGCONT)
    overrun = pvdd.wait(NetlinkOverrun)
    pvdd.wait(lambda event: isinstance(event, RouteSeen) and event.destination == "10.9.2.0/24")
    routes = {key[2] for key in pvdd.state().believed if key[0] == "route"}
    assert "10.9.2.0/24" in routes and "10.9.1.0/24" not in routes
    assert overrun.provenance.source == "live"


@pytest.mark.covers("acc:AF1")
def test_the_namespace_we_run_in_is_known_and_others_by_what_they_are(lab: Lab) -> None:
    host = lab.host("h")
    pvdd = lab.pvdd(host)
    own = os.stat(f"/proc/{host.pid}/ns/net")
    root = pvdd.wait(lambda event: isinstance(event, NetnsSeen) and event.root)
    assert isinstance(root.event, NetnsSeen) and root.event.identity == f"{own.st_dev}:{own.st_ino}"
    host.ip("netns", "add", "blue")
    blue = pvdd.wait(lambda event: isinstance(event, NetnsSeen) and event.name == "blue").event
    assert isinstance(blue, NetnsSeen)
    # Another name for the same namespace, and then the first name gone: it is still that namespace.
    host.run("sh", "-c", "touch /run/netns/azure && mount --bind /run/netns/blue /run/netns/azure")
    pvdd.wait(lambda event: isinstance(event, NetnsSeen) and event.name == "azure" and event.identity == blue.identity)
    host.ip("netns", "del", "azure")
    pvdd.wait(lambda event: isinstance(event, NetnsSeen) and event.name == "blue", count=2)
    host.ip("netns", "del", "blue")
    gone = pvdd.wait(NetnsGone)
    assert isinstance(gone.event, NetnsGone) and gone.event.identity == blue.identity
    assert [key for key in pvdd.state().believed if key[0] == "netns"] == [("netns", "", f"{own.st_dev}:{own.st_ino}")]


def test_a_router_that_does_not_answer_is_noticed_and_other_neighbours_are_not(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    router.wire("eth1").advertise(pio("2001:db8:1::"), source="fe80::99")
    pvdd.wait(RouterAdvertised)
    for state in ("reachable", "failed", "failed", "stale", "reachable"):
        for address in ("fe80::98", "fe80::99"):
            host.ip("neigh", "replace", address, "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", state)
    pvdd.wait(lambda event: isinstance(event, NeighborSeen) and event.state == "stale")
    seen = [one.event for one in pvdd.records() if isinstance(one.event, NeighborSeen)]
    assert [(one.address, one.state) for one in seen] == [("fe80::99", "failed"), ("fe80::99", "stale")]
