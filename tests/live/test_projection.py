"""pvdd with `--projection netns`: from a frame on the wire to a place, and from a journal back to the same State.

Law: nothing is told to the daemon but by frames on a wire; what stands is asked of iproute2.
"""

from __future__ import annotations

import json
import os
import sys

import pytest

from events.ops import PlanApplied, PlanMade
from events.router import RouterAdvertised
from pvdcore.checks.invariants import check
from pvdcore.projections.places import place_name
from tests.live.lab import ROOT, Host, Lab, advertisement, until
from tests.wire.packets import pio, rdnss

IMPLICIT = "ra:eth0/1/fe80::1"
NAME = place_name(IMPLICIT, "eth0", 1)


def routes(host: Host) -> set[tuple[str, str | None]]:
    """IPv6 routes of ours in the place."""
    said = host.run("ip", "-j", "-n", NAME, "-6", "route", "show", "protocol", "158", check=False)
    return {(one["dst"], one.get("gateway")) for one in json.loads(said.stdout or "[]")}


@pytest.mark.covers("acc:AF1")
def test_an_ra_on_the_wire_becomes_a_namespace_with_a_default_route_and_teardown_removes_it(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    links = [line.split()[::2] for line in host.ip("-br", "link").splitlines()]  # not their state: a veth comes up late
    pvdd = lab.pvdd(host, "--projection", "netns")
    router.wire("eth1").advertise(pio("2001:db8:1::"), rdnss("2001:db8:1::53"))
    pvdd.wait(PlanApplied)
    until(lambda: routes(host) == {("default", "fe80::1"), ("2001:db8:1::/64", None)}, lambda: str(routes(host)))
    assert pvdd.state().pvds[IMPLICIT].phase == "placed"
    # While detection goes on no address may ask for the router (RFC 4429 §3.3): so it is known from the start.
    assert "fe80::1 dev" in (known := host.ip("-n", NAME, "neigh")) and "lladdr 02:00:00:00:01:01 router" in known
    assert not check(pvdd.state())
    assert pvdd.stop() == 0
    assert routes(host), "a clean end leaves what stands"

    again = lab.pvdd(host, "--projection", "netns", journal=pvdd.journal)
    router.wire("eth1").advertise(pio("2001:db8:1::"), rdnss("2001:db8:1::53"))
    again.wait(RouterAdvertised, since=again.before)
    plans = len([one for one in pvdd.records() if isinstance(one.event, PlanMade)])
    assert again.stop() == 0
    assert len([one for one in again.records() if isinstance(one.event, PlanMade)]) == plans, "it was right already"

    said = host.run("ip", "netns", "list").stdout
    assert NAME in said
    words = (sys.executable, "-P", "-m", "adapters.daemon", "--teardown")
    assert host.run(*words, env={**os.environ, "PYTHONPATH": str(ROOT)}).stdout == f"{NAME}\n"
    assert host.run("ip", "netns", "list").stdout == ""
    assert [line.split()[::2] for line in host.ip("-br", "link").splitlines()] == links


@pytest.mark.covers("acc:AM4")
def test_a_daemon_that_only_observes_starts_no_helper_and_makes_nothing(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    router.wire("eth1").advertise(pio("2001:db8:1::"))
    until(lambda: IMPLICIT in pvdd.state().pvds, lambda: str(pvdd.state().pvds))
    assert pvdd.state().pvds[IMPLICIT].phase == "announced"
    assert host.run("ls", "/run/netns").stdout == ""
    assert pvdd.stop() == 0
    assert not [one for one in pvdd.records() if isinstance(one.event, PlanMade)]


def test_a_tag_without_a_device_is_observed_and_never_placed(lab: Lab) -> None:
    """A program that tags by itself, on a tap: its PvDs are known, and there is no link on which to place them."""
    host = lab.host("h")
    tap = lab.tun(host, "tap0")
    pvdd = lab.pvdd(host, "--projection", "netns")
    tap.send(advertisement(pio("2001:db8:1::"), tags=(10,)), advertisement(pio("2001:db8:1::")))
    pvdd.wait_state(
        lambda state: state.pvds.get("ra:tap0/1/fe80::1") and state.pvds["ra:tap0/1/fe80::1"].phase == "placed"
    )
    assert pvdd.state().pvds["ra:tap0.10/1/fe80::1"].phase == "announced"
    assert host.run("ls", "/run/netns").stdout.split() == [place_name("ra:tap0/1/fe80::1", "tap0", 1)]
    assert {one.event.link for one in pvdd.records() if isinstance(one.event, PlanMade)} == {"tap0"}


def test_the_kernel_makes_nothing_of_what_it_hears_inside_a_place(lab: Lab) -> None:
    """The RAs of all routers reach the place's device, too: what stands there is the PvD's alone."""
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host, "--projection", "netns")
    wire = router.wire("eth1")
    wire.advertise(pio("2001:db8:1::"))
    pvdd.place(IMPLICIT)
    wire.advertise(pio("2001:db8:2::"), source="fe80::2")
    other = pvdd.place("ra:eth0/1/fe80::2")
    for place, mine in ((NAME, "2001:db8:1:"), (other, "2001:db8:2:")):
        said = json.loads(host.ip("-j", "-n", place, "-6", "address", "show", "dev", place))[0]["addr_info"]
        assert len(said) == 2 and all(one["local"].startswith((mine, "fe80:")) for one in said)
        routes_ = host.ip("-n", place, "-6", "route", "show")
        assert "proto ra" not in routes_ and routes_.count("default") == 1
    assert pvdd.stop() == 0
