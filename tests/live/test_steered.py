"""pvdd with `--projection tables`, and links that each have their own: real routers, a real DHCP client, pvd.conf.

Law: pvdd is started as an operator would start it; what stands is asked of iproute2, what gets through of sockets.
"""

from __future__ import annotations

import json
import os
import sys

import pytest

from events.ops import PlanMade
from events.router import RouterAdvertised, RouterSolicited
from pvdcore.checks.invariants import check
from pvdcore.projections.tables import ours
from tests.live.lab import ROOT, Daemon, Host, Lab, until
from tests.wire.packets import name, pio, pvd

RADVD = """interface eth1 {{
    AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;
    prefix 2001:db8:{0}::/64 {{ AdvValidLifetime 600; AdvPreferredLifetime 300; }};
}};
"""


def rules(host: Host) -> dict[str, int]:
    """Tables by source, of the rules with our number."""
    said = [one for words in ((), ("-6",)) for one in json.loads(host.ip("-j", *words, "rule", "show"))]
    return {one["src"]: int(one["table"]) for one in said if one.get("protocol") == "158"}


def table(host: Host, number: int) -> set[tuple[str, str]]:
    """Destinations with their routers in a table, of both families."""
    said = [
        one
        for words in ((), ("-6",))
        for one in json.loads(host.ip("-j", *words, "route", "show", "table", str(number)))
    ]
    return {(one["dst"], one.get("gateway", one.get("type", "on-link"))) for one in said}


KERNEL, OURS = 2, 158
MAKERS = """
import json, sys
from adapters.sockets.netlink import Rtnl
kernel = Rtnl()
rows = kernel.addresses(kernel.link(sys.argv[1]).index)
print(json.dumps({one.address.split("/")[0]: one.protocol for one in rows if not one.address.startswith("fe80:")}))
"""


def addresses(host: Host, link: str = "eth0") -> dict[str, int]:
    """Global addresses of a link, and who made them (IFA_PROTO, which this iproute2 does not show)."""
    said = host.run(sys.executable, "-P", "-c", MAKERS, link, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return dict(json.loads(said.stdout))


KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[2], 9), 5, (sys.argv[1], 0))
except OSError as error:
    print(type(error).__name__)
"""


def reaches(host: Host, source: str, target: str) -> bool:
    """Whether the target itself says that nobody listens there."""
    return host.run(sys.executable, "-c", KNOCK, source, target).stdout == "ConnectionRefusedError\n"


def placed_in(pvdd: Daemon, pvd_: str) -> dict[str, object]:
    """What `pvdctl list --json` says of the one instance of a PvD that is placed."""
    found = json.loads(pvdd.ctl("list", "--json").stdout)["pvds"]
    (said,) = [
        cell["placed_in"] for one in found if one["id"] == pvd_ for cell in one["instances"] if cell["placed_in"]
    ]
    return said


def routed(lab: Lab) -> tuple[Host, list[Host]]:
    """A host on one link with two routers, each with a network of its own behind it."""
    host, switch = lab.host("h"), lab.host("s")
    lab.veth(host, "eth0", switch, "p0")
    routers = []
    for number in (1, 2):
        router = lab.host(f"r{number}")
        lab.veth(router, "eth1", switch, f"p{number}")
        router.ip("address", "add", f"2001:db8:{number}::1/64", "dev", "eth1", "nodad")
        router.ip("address", "add", f"2001:db8:f{number}::1/128", "dev", "lo")
        routers.append(router)
    lab.bridge(switch, "br0", "p0", "p1", "p2")
    return host, routers


@pytest.mark.covers("feat:L1", "feat:L2", "rfc:Q03")
def test_two_routers_of_one_link_are_two_tables_and_each_address_leaves_by_its_own(lab: Lab) -> None:
    """The kernel forms the addresses, as it does on any host; they are used, and what the kernel wrote stays."""
    host, routers = routed(lab)
    for number, router in enumerate(routers, start=1):
        router.radvd(RADVD.format(number))
    pvdd = lab.pvdd(host, "--projection", "tables")
    until(lambda: len(rules(host)) >= 2, lambda: f"{rules(host)} {pvdd.tail()}")
    mine = {one.split(":")[2]: one for one in addresses(host)}
    assert set(addresses(host).values()) == {KERNEL}, "none of them is ours"
    state = pvdd.wait_state(lambda one: one if [x.phase for x in one.pvds.values()] == ["placed"] * 2 else None)
    assert not check(state)
    for number in ("1", "2"):
        assert set(table(host, rules(host)[mine[number]])) >= {
            ("default", "unreachable"),
            (f"2001:db8:{number}::/64", "on-link"),
        }
        assert reaches(host, mine[number], f"2001:db8:f{number}::1")
        assert not reaches(host, mine[number], f"2001:db8:f{3 - int(number)}::1"), "not by the other router"
    (first,) = [
        one
        for one in state.pvds
        if ("2001:db8:1::/64", "on-link") in table(host, int(str(placed_in(pvdd, one)["table"])))
    ]
    assert ours(int(str(placed_in(pvdd, first)["table"]))) and placed_in(pvdd, first)["link"] == "eth0"
    assert pvdd.stop() == 0
    assert len(rules(host)) == 2, "a clean end leaves what stands"
    main = host.ip("-6", "route", "show", "table", "main")
    words = (sys.executable, "-P", "-m", "adapters.daemon", "--teardown")
    gone = host.run(*words, env={**os.environ, "PYTHONPATH": str(ROOT)}).stdout
    assert gone.count("rule from ") == 2 and gone.count("\ntable ") == 2 and "address" not in gone
    assert rules(host) == {} and len(addresses(host)) == 2
    assert {line.split(" expires")[0] for line in main.splitlines()} == {
        line.split(" expires")[0] for line in host.ip("-6", "route", "show", "table", "main").splitlines()
    }


def test_what_stands_inside_a_pvd_option_nobody_else_reads_and_gets_an_address_of_ours(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host, "--projection", "tables")
    wire = router.wire("eth1")

    def formed() -> bool:
        """Whether the kernel has heard the router; on a link that has just come up it may miss a word."""
        wire.advertise(pvd(name("provider.example."), pio("2001:db8:2::")), pio("2001:db8:1::"))
        return KERNEL in addresses(host).values()

    until(formed, pvdd.tail)
    until(lambda: len(rules(host)) == 2, lambda: f"{rules(host)} {pvdd.tail()}")
    assert sorted((address.split(":")[2], maker) for address, maker in addresses(host).items()) == [
        ("1", KERNEL),
        ("2", OURS),
    ]
    assert set(rules(host)) == set(addresses(host))
    plans = sum(isinstance(one.event, PlanMade) for one in pvdd.records())
    seen = len([one for one in pvdd.records() if isinstance(one.event, RouterAdvertised)])
    for _ in range(5):
        wire.advertise(pvd(name("provider.example."), pio("2001:db8:2::")), pio("2001:db8:1::"))
    pvdd.wait(RouterAdvertised, count=seen + 5)
    assert pvdd.stop() == 0
    assert sum(isinstance(one.event, PlanMade) for one in pvdd.records()) == plans


def test_where_nobody_forms_addresses_we_do(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    host.sysctl("net.ipv6.conf.default.accept_ra", 0)
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host, "--projection", "tables")
    router.wire("eth1").advertise(pio("2001:db8:1::"))
    until(lambda: rules(host), lambda: f"{rules(host)} {pvdd.tail()}")
    assert list(addresses(host).values()) == [OURS] and set(rules(host)) == set(addresses(host))
    host.ip("address", "flush", "dev", "eth0", "scope", "global")  # by somebody else
    until(lambda: set(rules(host)) == set(addresses(host)) != set(), lambda: f"{addresses(host)} {pvdd.tail()}")
    assert pvdd.stop() == 0


def test_a_lease_that_another_client_holds_has_its_table(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    router.ip("address", "add", "192.0.2.1/24", "dev", "eth1")
    pvdd = lab.pvdd(host, "--projection", "tables")
    router.dnsmasq("--interface=eth1", "--bind-interfaces", "--dhcp-range=192.0.2.50,192.0.2.60,10m")
    dhcpcd = host.start("dhcpcd", "-B", "-4", "--noarp", "--nohook", "resolv.conf", "eth0")
    until(lambda: rules(host), lambda: f"{rules(host)} {pvdd.tail()} {dhcpcd.said()}")
    ((source, number),) = rules(host).items()
    assert source.startswith("192.0.2.") and list(addresses(host)) == [source]
    assert table(host, number) >= {("default", "192.0.2.1"), ("default", "unreachable")}
    assert f"table {number}" in host.ip("route", "get", "198.51.100.1", "from", source)
    assert pvdd.state().pvds["if:eth0/1"].phase == "placed"
    assert "192.0.2.1 dev eth0" in host.ip("route", "show", "table", "main"), "dhcpcd's own stays"
    assert pvdd.stop() == 0


PVD = "fqdn:provider.example."
CONFIG = """
projection = "none"
[[link]]
match = "lab*"
hear = false
[[link]]
match = "eth*"
projection = "netns"
[[link]]
match = "wlan*"
projection = "tables"
[[link]]
match = "ask*"
solicit = true
"""


@pytest.mark.covers("feat:L1")
def test_each_link_has_the_projection_that_pvd_conf_says_and_a_reload_changes_it(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    links = ("eth0", "wlan0", "ask0", "lab0", "other0")
    for number, link in enumerate(links):
        lab.veth(host, link, router, f"r{number}")
    file = lab.file("pvd.conf", CONFIG)
    pvdd = lab.pvdd(host, "--config", str(file))

    def say() -> None:
        for number in range(len(links)):
            router.wire(f"r{number}").advertise(pvd(name(f"p{number}.example."), pio(f"2001:db8:{number}::")))

    def names() -> list[str]:
        return host.run("ls", "/run/netns").stdout.split()

    # Routers are asked for where something is written, or where told to; one that spoke before is not asked.
    for link in ("eth0", "wlan0", "ask0"):
        pvdd.wait(lambda event, link=link: isinstance(event, RouterSolicited) and event.link == link)
    say()
    until(lambda: names() and rules(host), lambda: f"{names()} {rules(host)} {pvdd.tail()}")
    pvdd.wait_state(lambda state: sum(one.phase == "placed" for one in state.pvds.values()) == 2)
    assert {id: one.phase for id, one in pvdd.state().pvds.items()} == {
        "fqdn:p0.example.": "placed",
        "fqdn:p1.example.": "placed",
        "fqdn:p2.example.": "announced",
        "fqdn:p4.example.": "announced",
    }
    assert "netns" in placed_in(pvdd, "fqdn:p0.example.") and "table" in placed_in(pvdd, "fqdn:p1.example.")
    asked = {one.event.link for one in pvdd.records() if isinstance(one.event, RouterSolicited)}
    assert asked == {"eth0", "wlan0", "ask0"}

    file.write_text(
        CONFIG.replace('"netns"', '"tables"').replace('match = "wlan*"\nprojection = "tables"', 'match = "wlan*"')
    )
    pvdd.ctl("reload")
    until(lambda: not names() and len(rules(host)) == 1, lambda: f"{names()} {rules(host)} {pvdd.tail()}")
    pvdd.wait_state(lambda state: state.pvds["fqdn:p1.example."].phase == "announced")
    pvdd.wait_state(lambda state: state.pvds["fqdn:p0.example."].phase == "placed")
    assert "table" in placed_in(pvdd, "fqdn:p0.example.")
    assert pvdd.stop() == 0
    assert not check(pvdd.state())


def test_a_daemon_that_only_observed_begins_to_write_when_it_is_told_to(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    file = lab.file("pvd.conf", "")
    pvdd = lab.pvdd(host, "--config", str(file))
    router.wire("eth1").advertise(pvd(name("provider.example."), pio("2001:db8:2::")))
    pvdd.wait(RouterAdvertised)
    assert not (pvdd.journal.parent / f"{pvdd.journal.name}-secret").exists()
    file.write_text('projection = "tables"\n')
    pvdd.ctl("reload")
    until(lambda: rules(host), lambda: pvdd.tail())
    pvdd.wait_state(lambda state: state.pvds[PVD].phase == "placed")
    file.write_text("")
    pvdd.ctl("reload")
    until(lambda: not rules(host) and OURS not in addresses(host).values(), lambda: pvdd.tail())
    assert pvdd.state().pvds[PVD].phase == "announced"
    assert pvdd.stop() == 0
