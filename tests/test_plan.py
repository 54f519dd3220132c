"""What the host would have had: the plan of a replay against what real clients ended up with, and its arithmetic.

Law: `client-*.state.txt` is what `ip address` and `ip route` said on a real host; every difference from our plan is in
the closed list below, and an entry that no longer occurs fails the test.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from events.ids import MILLISECOND, NEVER, SECOND
from events.ops import AddressAdd, NetnsAdd, NetnsDelete, Op, Outcome, RouteAdd
from pvdcore.host.addresses import UnknownIid, eui64
from pvdcore.past.audit import state_at
from pvdcore.projections.desired import Desired, desired
from pvdcore.projections.model import ModelKernel
from pvdcore.projections.places import LINK_NAME_MAX, place_name
from pvdcore.projections.plan import Have, plan
from pvdcore.reduce import advance
from replay.cli import main as pvdctl
from replay.rerun import Run, rerun
from tests.sim.build import R1, R2, Story, pio, pvd, ra

CAPTURES = Path(__file__).parent / "captures"
CLIENT = "02:00:00:00:04:01"
TOLERANCE_S = 2

# What a client has that our plan has not, and why that is right.
ALLOWED = {
    "client-systemd-networkd": {
        "fe80::/64 via None": "the kernel makes it for every link",
        "198.51.100.0/24 via None": "the kernel makes it of the address",
        "198.51.100.1/32 via None": "networkd's host route to the DHCP router",
        "198.51.100.9/32 via None": "networkd's host route to a static route's gateway",
        "198.51.100.53/32 via None": "networkd's host route to a resolver",
        "198.51.100.54/32 via None": "networkd's host route to a resolver",
    },
    "client-kernel-slaac": {"fe80::/64 via None": "the kernel makes it for every link"},
}
# What our plan has and the client has not.
IGNORED = {
    "client-systemd-networkd": {},
    "client-kernel-slaac": {
        "2001:db8:aaaa::/48 via fe80::ff:fe00:101": "accept_ra_rt_info_max_plen is 0: the kernel ignores route options",
        "2001:db8:bbbb::/48 via fe80::ff:fe00:201": "accept_ra_rt_info_max_plen is 0: the kernel ignores route options",
    },
}


def real_addresses(text: str) -> dict[str, tuple[int, int]]:
    """Global addresses of eth0 with (valid, preferred) seconds."""
    found = re.findall(r"inet6? (\S+) [^\n]*scope global[^\n]*\n\s+valid_lft (\d+)sec preferred_lft (\d+)sec", text)
    return {address: (int(valid), int(preferred)) for address, valid, preferred in found}


def real_routes(text: str) -> dict[str, tuple[str, int | None]]:
    """DESTINATION via GATEWAY of eth0 with (preference, expiry in seconds)."""
    routes: dict[str, tuple[str, int | None]] = {}
    for line in text.splitlines():
        match = re.match(r"(default|[0-9a-f:.]+(?:/\d+)?) (?:via (\S+) )?dev eth0 ", line)
        if not match:
            continue
        six = ":" in line.split(" dev ")[0]
        destination = ("::/0" if six else "0.0.0.0/0") if match[1] == "default" else match[1]
        if "/" not in destination:
            destination += "/32"
        expires = re.search(r"expires (\d+)sec", line)
        preference = re.search(r"pref (\w+)", line)
        key = f"{destination} via {match[2]}"
        if key not in routes or routes[key][1] is None:
            routes[key] = (preference[1] if preference else "medium", int(expires[1]) if expires else None)
    return routes


def before_release(run: Run) -> int:
    """The record before the client gave its lease back; the last one where there was no lease."""
    for record in run.journal.records():
        if getattr(record.event, "message", "") == "RELEASE":
            return record.seq - 1
    return run.journal.last_seq()


def planned(path: str, seq: int, capsys: pytest.CaptureFixture[str]) -> list[Op]:
    """What `pvdctl plan` prints."""
    words = ["plan", "-r", path, "--at", f"seq:{seq}", "--host", CLIENT, "--iid", "eui64", "--json"]
    assert pvdctl(words) == 0
    return [msgspec.convert(row["op"], Op) for row in msgspec.json.decode(capsys.readouterr().out)["ops"]]


@pytest.mark.covers("rfc:R08", "feat:L5")  # a stock kernel takes no route option; the plan has it, and says so
@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_the_plan_of_a_replay_is_what_a_real_client_had(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(CAPTURES / f"{name}.pcap")
    operations = planned(path, before_release(rerun([path])), capsys)
    text = (CAPTURES / f"{name}.state.txt").read_text()

    addresses = {op.address: (op.valid_s, op.preferred_s) for op in operations if isinstance(op, AddressAdd)}
    assert set(addresses) == set(real_addresses(text))
    for address, theirs in real_addresses(text).items():
        ours = addresses[address]
        assert all(abs((mine or 0) - their) <= TOLERANCE_S for mine, their in zip(ours, theirs, strict=True)), address

    routes = {f"{op.destination} via {op.via}": op for op in operations if isinstance(op, RouteAdd)}
    theirs_routes = real_routes(text)
    assert set(theirs_routes) - set(routes) == set(ALLOWED[name])
    assert set(routes) - set(theirs_routes) == set(IGNORED[name])
    order = ["high", "medium", "low"]
    gateways = {key: theirs_routes[key][0] for key in theirs_routes if key.startswith("::/0 via fe80")}
    assert len(gateways) > 1, "an order to compare"
    assert sorted(gateways, key=lambda key: routes[key].metric) == sorted(
        gateways, key=lambda key: order.index(gateways[key])
    )
    for key in set(routes) & set(theirs_routes):
        preference, expires = theirs_routes[key]
        if "via fe80" in key:
            assert routes[key].preference == preference, key
        if expires is not None:
            assert abs((routes[key].expires_s or 0) - expires) <= TOLERANCE_S, key


@pytest.mark.covers("feat:L5")
def test_a_plan_is_made_without_a_host_and_leaves_nothing_to_do_once_applied() -> None:
    run = rerun([str(CAPTURES / "client-systemd-networkd.pcap")])
    want = desired(state_at(run.journal, seq=before_release(run)), host=CLIENT, iid="eui64")
    kernel = ModelKernel()
    for op, _ in plan(want, kernel.observe()).ops:
        assert kernel.apply(op, want.at) == Outcome(op)
    assert kernel.writes > 10
    assert plan(want, kernel.observe()).ops == ()


def test_each_pvd_is_a_place_of_its_own_with_its_own_prefix_router_and_resolver() -> None:
    run = rerun([str(CAPTURES / "ra-two-routers.pcap")])
    places = desired(run.state, host=CLIENT, iid="eui64").places
    assert [place.pvd for place in places] == ["ra:if0/1/fe80::ff:fe00:101", "ra:if0/1/fe80::ff:fe00:201"]
    first, second = places
    assert [one.address for one in first.addresses] == ["2001:db8:a::ff:fe00:401/64"]
    assert [one.address for one in second.addresses] == ["2001:db8:b::ff:fe00:401/64"]
    assert first.servers == ("2001:db8:a::53", "2001:db8:a::54")
    assert second.servers == ("2001:db8:b::53",)
    assert {one.via for one in first.routes} == {None, "fe80::ff:fe00:101"}
    assert first.netns != second.netns
    assert all(place.netns.startswith("pvd-") and len(place.netns) <= LINK_NAME_MAX for place in places)


def test_what_is_wanted_no_more_goes_and_what_is_not_ours_stays() -> None:
    kernel = ModelKernel()
    for name in ("pvd-old", "somebody-elses"):
        kernel.apply(NetnsAdd(name), 0)
    nothing = Desired(at=0, places=())
    ops = [op for op, _ in plan(nothing, kernel.observe(), frozenset({"pvd-old"})).ops]
    assert ops == [NetnsDelete("pvd-old")]


def test_a_lifetime_that_moved_is_written_again_and_one_that_did_not_is_not() -> None:
    run = rerun([str(CAPTURES / "ra-single-router.pcap")])
    kernel = ModelKernel()
    first = next(change.seq for change in run.journal.history())
    early = desired(state_at(run.journal, seq=first), host=CLIENT, iid="eui64")
    for op, _ in plan(early, kernel.observe()).ops:
        kernel.apply(op, early.at)
    again = desired(run.state, host=CLIENT, iid="eui64")
    ops = [op for op, _ in plan(again, kernel.observe()).ops]
    assert ops, "the router has renewed its lifetimes since"
    assert {type(op) for op in ops} <= {AddressAdd, RouteAdd}
    assert all(one.until < NEVER for place in again.places for one in place.addresses)
    assert again.at - early.at > 2 * SECOND


def test_a_default_router_comes_with_the_link_layer_address_from_which_its_ra_came() -> None:
    told = Story().hear(ra(R1, pio("2001:db8:1::/64"), mac="02:00:00:00:01:01"))
    routes = [op for op, _ in plan(desired(told.state), Have()).ops if isinstance(op, RouteAdd)]
    assert [(one.via, one.lladdr) for one in routes] == [(None, ""), (R1, "02:00:00:00:01:01")]


def test_an_address_in_its_last_second_is_not_written() -> None:
    """The kernel takes no lifetime of 0 s, and before the address could be used it has ended."""
    told = Story().hear(ra(R1, pio("2001:db8:1::/64", 3, 3)))
    for after_ms, written in ((0, True), (1900, True), (2100, False)):
        state = advance(told.state, told.now + after_ms * MILLISECOND)
        want = desired(state, host=CLIENT, iid="eui64")
        assert [one.origin for one in want.places[0].addresses] == ["slaac"]
        assert any(isinstance(op, AddressAdd) for op, _ in plan(want, Have()).ops) is written


def test_an_interface_identifier_needs_a_mac() -> None:
    assert eui64("02:00:00:00:04:01") == 0x0000_00FF_FE00_0401
    with pytest.raises(UnknownIid, match="--host MAC"):
        eui64("ffbcbd4b")


def test_a_place_has_a_name_of_its_own_that_holds_nothing_the_network_said() -> None:
    hostile = place_name("fqdn:../../etc/passwd.", "eth0", 1)
    assert re.fullmatch(r"pvd-[0-9a-f]{10}", hostile)
    assert hostile != place_name("fqdn:../../etc/passwd.", "eth1", 1)


@pytest.mark.covers("problem:10")
def test_an_explicit_pvd_has_the_same_place_at_its_next_visit_and_an_implicit_one_another() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio("2001:db8:1::/64"))), ra(R2))
    first = {place.pvd: place.netns for place in desired(told.state).places}
    told.at(100).detach().at(86_400).attach().hear(ra(R1, pvd("x.example.", pio("2001:db8:1::/64"))), ra(R2))
    again = {place.pvd: place.netns for place in desired(told.state).places}
    assert again["fqdn:x.example."] == first["fqdn:x.example."]
    assert again["ra:e0/2/fe80::2"] != first["ra:e0/1/fe80::2"]


@pytest.mark.covers("rfc:P13", "feat:B9", "bug:15")
def test_an_address_is_formed_in_the_pvd_of_the_last_ra_that_held_its_prefix() -> None:
    told = Story()
    told.hear(ra("fe80::1", pio("2001:db8:1::/64"), pvd("x.example.")))
    told.hear(ra("fe80::2", pio("2001:db8:1::/64"), pvd("y.example.")))

    def owners() -> list[str]:
        places = desired(told.state, host=CLIENT, iid="eui64").places
        return [place.pvd for place in places for one in place.addresses if one.address.startswith("2001:db8:1:")]

    assert owners() == ["fqdn:y.example."]
    told.hear(ra("fe80::1", pio("2001:db8:1::/64"), pvd("x.example.")))
    assert owners() == ["fqdn:x.example."]
    assert "prefix-in-two-pvds" in {code for code, *_ in told.state.findings}
