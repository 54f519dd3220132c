"""The configurations of the announcers (prior_art.md §3.5), sent by `pvdctl advertise`, and what becomes of each in the
kernel: for us, who know PvDs, in places of their own; for the host's kernel, which knows none, as ever.

Law: what each means is pinned in tests/replay/test_advertise.py for captures. Here the same descriptions go over a
wire: the live State has to be that of the capture, and the kernel has to have what the State says.
"""

from __future__ import annotations

import json
from ipaddress import ip_interface
from typing import Any, NamedTuple

import pytest

from events.router import RouterAdvertised
from pvdcore.past import audit
from pvdcore.state import State
from replay.rerun import rerun
from tests.live.lab import PVDCTL, ROOT, Daemon, Host, Lab, ours, until

AR = ROOT / "tests" / "captures" / "ar"


class Announced(NamedTuple):
    """A description on the air: who heard it."""

    pvdd: Daemon
    host: Host


def announced(lab: Lab, number: int, *links: str, ras: int, **policy: object) -> Announced:
    """A host and a router with these links; the router says AR`number` on each; all RAs are heard."""
    host, router = lab.host("h"), lab.host("r")
    for link in links:
        lab.veth(host, link, router, link)
    knobs = "".join(f"{name} = {json.dumps(value)}\n" for name, value in policy.items())
    config = lab.file("pvd.conf", f'projection = "netns"\n[policy]\n{knobs}')
    pvdd = lab.pvdd(host, "--config", str(config))
    for link in links:  # the kernel, which is asked too, hears no RA before it has an address of its own there
        _has_address(host, link)
        words = ("advertise", str(AR / f"AR{number}.toml"), "--link", link, "--count", "1")
        assert router.start(*PVDCTL, *words, env=ours()).ends() == 0
    pvdd.wait(RouterAdvertised, count=ras)
    return Announced(pvdd, host)


def _has_address(host: Host, link: str) -> None:
    until(lambda: "fe80" in host.ip("-6", "address", "show", "dev", link), lambda: host.ip("-6", "address"))


def held(state: State) -> set[tuple[Any, ...]]:
    """What is held: PvD, link, kind, key, and both lifetimes as announced."""
    return {
        (id, cell[0], one.kind, one.key, one.lifetime_s, one.preferred_s) for id, cell, _, one in audit.holdings(state)
    }


class Place(NamedTuple):
    """What the kernel has in a PvD's place on a link."""

    addresses: dict[str, tuple[int, int]]  # by /64 prefix: valid and preferred
    routes: dict[tuple[str, str | None], str]  # by destination and gateway: preference
    resolver: str


def place(at: Announced, pvd: str, link: str = "eth0") -> Place:
    """Once the place stands and its addresses are through."""
    netns = at.pvdd.place(pvd, link)
    wanted = sum(one[:2] == (pvd, link) and one[2] == "address" for one in held(at.pvdd.state()))
    listed = until(lambda: _addresses(at.host, netns, wanted), lambda: at.host.ip("-n", netns, "address"))
    routes = json.loads(at.host.ip("-j", "-n", netns, "-6", "route", "show", "protocol", "158") or "[]")
    return Place(
        {prefix: (valid, preferred) for prefix, valid, preferred in listed},
        {(one["dst"], one.get("gateway")): one.get("pref", "medium") for one in routes},
        at.host.run("cat", f"/etc/netns/{netns}/resolv.conf", check=False).stdout,
    )


def _addresses(host: Host, netns: str, wanted: int) -> list[tuple[str, int, int]]:
    (link,) = json.loads(host.ip("-j", "-n", netns, "-6", "address", "show", "dev", netns))
    found = _rows(link)
    return found if len(found) >= wanted else []


def _rows(row: dict[str, Any]) -> list[tuple[str, int, int]]:
    """By prefix, valid and preferred lifetime of each address that is of a wider scope than the link."""
    return [
        (
            str(ip_interface(f"{one['local']}/{one['prefixlen']}").network),
            one["valid_life_time"],
            one["preferred_life_time"],
        )
        for one in row["addr_info"]
        if one.get("scope") == "global"
    ]


def classic(at: Announced, *prefixes: str, link: str = "eth0") -> dict[str, int]:
    """What the host's own kernel, which knows no PvD, made of it: preferred lifetimes by prefix."""

    def ask() -> dict[str, int] | None:
        (row,) = json.loads(at.host.ip("-j", "-6", "address", "show", "dev", link))
        found = {prefix: preferred for prefix, _, preferred in _rows(row)}
        return found if set(found) >= set(prefixes) else None

    return until(ask, lambda: at.host.ip("-6", "address"))


FOREVER = 2**32 - 1


def alike(at: Announced, number: int, **policy: Any) -> None:
    """The live State holds what the capture of the same description does; and the addresses that we formed."""
    announced = {one for one in held(at.pvdd.state()) if one[2] != "address"}
    assert announced == held(rerun([str(AR / f"AR{number}.pcapng")], policy=policy).state)


@pytest.mark.covers("acc:AR1")
def test_ar1_inside_and_outside_both_stand_in_the_place_and_the_kernel_sees_the_outside_only(lab: Lab) -> None:
    at = announced(lab, 1, "eth0", ras=1)
    alike(at, 1)
    found = place(at, "fqdn:ar1.example.")
    assert set(found.addresses) == {f"2001:db8:{one}::/64" for one in ("1", "2", "11", "12")}
    assert found.addresses["2001:db8:12::/64"][0] == FOREVER
    assert {key: found.routes[key, "fe80::1"] for key in ("2001:db8:a::/48", "2001:db8:b::/56", "2001:db8:c::1")} == {
        "2001:db8:a::/48": "high",
        "2001:db8:b::/56": "low",
        "2001:db8:c::1": "medium",
    }
    assert found.routes["default", "fe80::1"] == "high", "of the header inside"
    assert "nameserver 2001:db8:11::53\nnameserver 2001:db8:12::53\n" in found.resolver
    assert "search one.example. two.example. three.example. four.example." in found.resolver
    assert set(classic(at, "2001:db8:1::/64", "2001:db8:2::/64")) == {"2001:db8:1::/64", "2001:db8:2::/64"}


@pytest.mark.covers("acc:AR2")
def test_ar2_infinity_stands_for_ever_and_a_prefix_without_a_makes_no_address(lab: Lab) -> None:
    at = announced(lab, 2, "eth0", ras=1)
    alike(at, 2)
    found = place(at, "fqdn:ar2.example.")
    assert set(found.addresses) == {"2001:db8:1::/64", "2001:db8:2::/64"}
    assert found.addresses["2001:db8:1::/64"] == (FOREVER, FOREVER)
    valid, preferred = found.addresses["2001:db8:2::/64"]
    assert 9_000 < valid <= 10_000 and 900 < preferred <= 1_000
    assert ("2001:db8:3::/64", None) not in found.routes, "nor is it on the link"


@pytest.mark.covers("acc:AR3")
def test_ar3_without_a_header_inside_the_outer_ones_preference_is_the_default_routes(lab: Lab) -> None:
    at = announced(lab, 3, "eth0", ras=1)
    alike(at, 3)
    found = place(at, "fqdn:ar3.example.")
    assert found.routes["default", "fe80::1"] == "low"
    assert found.routes["2001:db8:a::/48", "fe80::1"] == "high"
    assert found.routes["2001:db8:b::/48", "fe80::1"] == "low"


@pytest.mark.covers("acc:AR4")
def test_ar4_two_routers_are_two_places_with_nothing_shared(lab: Lab) -> None:
    at = announced(lab, 4, "eth0", ras=2)
    alike(at, 4)
    for number, (word, beyond) in enumerate((("one", "a"), ("two", "b")), 1):
        found = place(at, f"fqdn:pvd{number}.example.")
        router = f"fe80::{number}"
        assert set(found.addresses) == {f"2001:db8:{number}::/64"}
        assert set(found.routes) == {
            ("default", router),
            (f"2001:db8:{beyond}::/48", router),
            (f"2001:db8:{number}::/64", None),
        }
        assert f"nameserver 2001:db8:{number}::53\nsearch {word}.example.\n" in found.resolver


@pytest.mark.covers("acc:AR5")
def test_ar5_two_explicit_and_one_implicit_and_the_kernel_has_all_in_one(lab: Lab) -> None:
    at = announced(lab, 5, "eth0", ras=3)
    alike(at, 5)
    nested = place(at, "fqdn:pvd0.example.")
    assert set(nested.addresses) == {"2001:db8:10::/64", "2001:db8:1010::/64"}
    assert set(place(at, "fqdn:pvd1.example.").addresses) == {"2001:db8:11::/64"}
    assert place(at, "fqdn:pvd1.example.").routes["default", "fe80::11"] == "low", "the header inside"
    assert set(place(at, "ra:eth0/1/fe80::12").addresses) == {"2001:db8:12::/64"}
    outer = {f"2001:db8:{one}::/64" for one in (10, 11, 12)}
    assert set(classic(at, *outer)) == outer, "merged, and nothing of the inside"


@pytest.mark.covers("acc:AR6", "feat:B4")
def test_ar6_what_is_inside_wins_over_the_same_prefix_outside_on_each_of_two_links(lab: Lab) -> None:
    at = announced(lab, 6, "wifi0", "cable0", "cable1", ras=3)
    alike(at, 6)
    for link in ("wifi0", "cable0"):
        found = place(at, "fqdn:test1.example.", link)
        assert found.addresses["2001:db8:1000::/64"][1] == 0, "deprecated inside"
        assert found.addresses["2001:db8:1001::/64"][1] > 0
        assert classic(at, "2001:db8:1000::/64", link=link)["2001:db8:1000::/64"] > 0, "and outside it is not"
    assert place(at, "fqdn:test2.example.", "cable1").addresses["2001:db8:2000::/64"][1] > 0
    assert classic(at, "2001:db8:2000::/64", link="cable1")["2001:db8:2000::/64"] == 0


UUIDS = [f"uuid:f037ea62-ee4f-44e4-825c-16f2f5cc9b3{last}" for last in "ef"]


@pytest.mark.covers("acc:AR7", "acc:AF7")
def test_ar7_two_containers_are_two_places_beside_the_implicit_one(lab: Lab) -> None:
    at = announced(lab, 7, "eth0", ras=1)
    alike(at, 7)
    assert set(place(at, UUIDS[1]).addresses) == {"2001:db8:1:2::/64"}
    assert "search voice.example." in place(at, UUIDS[0]).resolver
    assert "nameserver 2001:db8:1:1::53" in place(at, "ra:eth0/1/fe80::1").resolver


@pytest.mark.covers("acc:AR7")
def test_ar7_without_the_legacy_decoder_the_containers_are_kept_and_mean_nothing(lab: Lab) -> None:
    at = announced(lab, 7, "eth0", ras=1, mif=False)
    alike(at, 7, mif=False)
    at.pvdd.place("ra:eth0/1/fe80::1")
    assert list(at.pvdd.state().pvds) == ["ra:eth0/1/fe80::1"]
