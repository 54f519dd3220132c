"""How a host should look, as whole documents: what each place says, until when, and by which record.

Law: nothing of a place is left out of a comparison. What is read off one field alone has its tests beside.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from events.dhcp import RdnssSelection
from events.identifiers import IdentifierChosen
from events.ids import NEVER, SECOND
from events.link import AddressSeen, LinkSeen
from events.operator import ConnectionClosed, ConnectionOpened, Settings, SettingsLoaded
from events.router import RaHeader, RouterAdvertised
from events.vpn import VpnConnected
from pvdcore.domains.portals import Portal
from pvdcore.domains.resolvers import NameRule
from pvdcore.host.addresses import UnknownIid
from pvdcore.projections.desired import EXCLUDED, Desired, Place, WantedAddress, WantedRoute, desired
from tests.sim.build import (
    CLIENT,
    DUID,
    OTHER,
    R1,
    R2,
    R3,
    START,
    Story,
    addresses,
    dhcp6,
    dns,
    header,
    mtu,
    pio,
    portal,
    pvd,
    ra,
    rio,
    routes,
    search,
)

X, I2 = "fqdn:x.example.", "ra:e0/1/fe80::2"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"


def says(event: RouterAdvertised, **more: Any) -> RouterAdvertised:
    """An RA with another fixed part."""
    found: RaHeader = replace(header(), **more)
    return replace(event, header=found)


def address(text: str, until_s: int, preferred_s: int, because: int, origin: str = "slaac") -> WantedAddress:
    return WantedAddress(text, START + until_s * SECOND, START + preferred_s * SECOND, because, origin)


def route(to: str, via: str | None, until_s: int, because: int, pref: str = "medium", mac: str = "") -> WantedRoute:
    return WantedRoute(to, via, pref, START + until_s * SECOND, because, lladdr=mac)


def network() -> Story:
    """Two routers of x.example on e0, one of them without words of its own on e1, two PvDs that nobody is to use."""
    told = Story(ignored="fqdn:a.* ra:e1/*/fe80::3")
    told.hear(ra(R1, pvd("a.example.", pio("2001:db8:a::/64"))))
    every = (pio(P), rio("2001:db8:ff::/48", 600, "low"), dns("fe80::53", "2001:db8::53"), search("x.example."))
    first = ra(R1, pvd("x.example."), *every, mtu(1400), portal("https://portal.example/"), mac="02:00:00:00:01:01")
    told.hear(says(first, hop_limit=32, reachable_ms=30000))
    second = ra(R2, pvd("x.example."), rio("::/0", 700, "high"), pio(Q, 1000, 400), mac="02:00:00:00:01:02")
    told.at(5).hear(says(second, preference="low", retrans_ms=1000))
    told.hear(ra(R3, link="e1"), ra(R1, pio(P), link="e1"))
    return told.leases4(routes(121, ("198.51.100.0/24", "192.0.2.7"), ("192.0.2.128/25", None)))


EXPLICIT = Place(
    pvd=X,
    link="e0",
    epoch=1,
    host="",
    netns="pvd-96553bf0ef",
    device="pvd-96553bf0ef",
    mtu=1400,
    hop_limit=32,
    addresses=(),
    routes=(
        route(P, None, 86400, 5),
        route(Q, None, 1005, 6),
        route("2001:db8:ff::/48", R1, 600, 5, "low"),
        route("::/0", R2, 705, 6, "high"),
        route("::/0", R1, 1800, 5, mac="02:00:00:00:01:01"),
    ),
    servers=("fe80::53%pvd-96553bf0ef", "2001:db8::53"),
    search=("x.example.",),
    parent="e0",
    mac="02:96:55:3b:f0:ef",
    dad="optimistic",
    reachable_ms=30000,
    retrans_ms=1000,
    portal=Portal("https://portal.example/", "announced", "ra", 5),
)
IMPLICIT = Place(
    pvd="ra:e1/1/fe80::1",
    link="e1",
    epoch=1,
    host="",
    netns="pvd-4592a7590e",
    device="pvd-4592a7590e",
    mtu=0,
    hop_limit=0,
    addresses=(),
    routes=(route(P, None, 86405, 8), replace(route("::/0", R1, 1805, 8))),
    servers=(),
    search=(),
    parent="e1",
    mac="02:45:92:a7:59:0e",
    dad="optimistic",
)
LEASED = Place(
    pvd="if:e0/1",
    link="e0",
    epoch=1,
    host=CLIENT,
    netns="pvd-93e04deaec",
    device="pvd-93e04deaec",
    mtu=0,
    hop_limit=0,
    addresses=(address("192.0.2.10/24", 3605, 3605, 10, "dhcp4"),),
    routes=(route("192.0.2.128/25", None, 3605, 10), route("198.51.100.0/24", "192.0.2.7", 3605, 10)),
    servers=("192.0.2.53",),
    search=(),
    parent="e0",
    mac="02:93:e0:4d:ea:ec",
    dad="optimistic",
)


def test_a_place_says_all_that_its_pvd_does_until_when_and_by_which_record() -> None:
    told = network()
    now = told.state.now
    assert desired(told.state) == Desired(now, (EXPLICIT, IMPLICIT))
    mine = [replace(one, host=CLIENT) for one in (EXPLICIT, LEASED, IMPLICIT)]
    assert desired(told.state, host=CLIENT) == Desired(now, tuple(mine))
    assert desired(told.state, host=OTHER).places == tuple(replace(one, host=OTHER) for one in (EXPLICIT, IMPLICIT))


def test_addresses_are_formed_of_the_mac_of_whose_host_it_is() -> None:
    told = network()
    formed = desired(told.state, host=CLIENT, iid="eui64").places
    assert formed == (
        replace(
            EXPLICIT,
            host=CLIENT,
            addresses=(
                address("2001:db8:1::ff:fe00:a/64", 86400, 14400, 5),
                address("2001:db8:2::ff:fe00:a/64", 1005, 405, 6),
            ),
        ),
        replace(LEASED, host=CLIENT),
        replace(IMPLICIT, host=CLIENT, addresses=(address("2001:db8:1::ff:fe00:a/64", 86405, 14405, 8),)),
    )
    unknown = [one.addresses for one in desired(told.state, host=OTHER, iid="eui64").places]
    assert [one.address for one in unknown[0]] == ["2001:db8:1::ff:fe00:b/64", "2001:db8:2::ff:fe00:b/64"]
    with pytest.raises(UnknownIid, match=r"^'' is no MAC address"):
        desired(told.state, iid="eui64")
    with pytest.raises(UnknownIid, match="made by eui64, not 'stable'"):
        desired(told.state, host=CLIENT, iid="stable")


def test_places_stand_by_pvd_then_link_and_those_of_a_link_that_was_closed_are_left_out() -> None:
    told = Story().hear(SettingsLoaded(settings=Settings("home", "toml")))
    told.hear(ConnectionOpened(id="c1", settings="home", link="e0"))
    told.hear(ra(R1, pvd("x.example."), link="e1"), ra(R1, pvd("x.example.")), ra(R2))
    assert [(one.pvd, one.link) for one in desired(told.state).places] == [
        (X, "e0"),
        (X, "e1"),
        (f"ra:e0/1/{R2}", "e0"),
    ]
    told.hear(ConnectionClosed(id="c1", reason="operator"))
    assert [(one.pvd, one.link) for one in desired(told.state).places] == [(X, "e1")]


def test_identifiers_that_stand_or_are_being_tried_are_of_their_pvd_for_ever_on_the_link() -> None:
    told = network().chooses("a")
    (explicit, implicit) = desired(told.state).places
    assert explicit.addresses == (
        address("2001:db8:1::a/64", 86400, 14400, 5),
        address("2001:db8:2::b/64", 1005, 405, 6),
    )
    assert [one.address for one in implicit.addresses] == ["2001:db8:1::d/64"]  # c is of a.example.


@pytest.mark.covers("rfc:N30")
def test_of_what_routers_say_in_numbers_the_newest_that_says_one_counts() -> None:
    told = Story().hear(says(ra(R2, pvd("x.example.")), reachable_ms=1, retrans_ms=2, hop_limit=3))
    told.at(1).hear(says(ra(R1, pvd("x.example."), mtu(1300)), reachable_ms=4, hop_limit=5))
    told.at(2).hear(ra(R3, pvd("x.example."), mtu(1350)))
    (place,) = desired(told.state).places
    assert (place.reachable_ms, place.retrans_ms, place.hop_limit, place.mtu) == (4, 2, 5, 1350)


def test_a_host_that_knows_header_preferences_only_has_the_default_route_as_the_header_says() -> None:
    told = Story(rio=False).hear(ra(R1, rio("::/0", 600, "high"), rio(Q), pref="low")).leases4()
    assert [(one.destination, one.via, one.preference) for one in desired(told.state).places[0].routes] == [
        ("::/0", R1, "low")
    ]
    (place,) = desired(told.at(2).state, host=CLIENT).places
    assert ("0.0.0.0/0", "192.0.2.1") in [(one.destination, one.via) for one in place.routes], "of a lease all count"


def test_addresses_are_formed_of_the_mac_that_asked_for_what_a_duid_was_given() -> None:
    told = Story().hear(ra(R1, pio(P), o=True))
    asked, answer = dhcp6("INFORMATION-REQUEST", ask=(23,)), dhcp6("REPLY", addresses(23, "2001:db8::53"))
    told.hear(replace(asked, mac=OTHER), replace(answer, mac=OTHER))
    (place,) = desired(told.state, host=DUID, iid="eui64").places
    assert [one.address for one in place.addresses] == ["2001:db8:1::ff:fe00:b/64"]


def rule(server: str, *domains: str, pref: str = "medium") -> RdnssSelection:
    return RdnssSelection(146, (server,), pref, domains, 0, 0)


@pytest.mark.parametrize(
    ("word", "links", "counts"),
    [("validated", "", True), ("trusted", "e0", True), ("trusted", "", False), ("off", "e0", False)],
)
def test_rules_of_resolvers_stand_where_the_policy_lets_a_network_say_them(word: str, links: str, counts: bool) -> None:
    told = Story(rdnss_selection=word, trusted_links=links)
    told.leases4(rule("192.0.2.53", "corp.example.", pref="high")).at(2)
    (place,) = desired(told.state, host=CLIENT).places
    stands = NameRule("192.0.2.53", "high", ("corp.example.",), "dhcp4")
    assert place.rules == ((stands,) if counts else ())


def test_an_address_that_two_gave_lives_while_one_does() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)))).leases4().leases4(life=None)
    (lease,) = [one for one in desired(told.state, host=CLIENT).places if one.addresses]
    assert [(one.address, one.until, one.preferred_until) for one in lease.addresses] == [
        ("192.0.2.10/24", NEVER, NEVER)
    ]


def test_temporary_addresses_are_told_apart_and_a_link_local_one_is_for_ever() -> None:
    told = Story(temporary=True).hear(ra(R1, pvd("x.example.", pio(P)))).chooses("a")
    told.hear(IdentifierChosen(link="e0", epoch=1, prefix="fe80::/64", kind="stable", iid="1", pvd=X))
    told.hear(IdentifierChosen(link="e0", epoch=1, prefix="fe80::/64", kind="stable", iid="2", pvd=I2))
    (place,) = desired(told.state).places
    found = {one.address: one for one in place.addresses}
    assert {one: bool(each.temporary) for one, each in found.items()} == {
        "2001:db8:1::a/64": False,
        "2001:db8:1::b/64": True,
        "fe80::1/64": False,
    }
    assert found["2001:db8:1::b/64"].temporary is True
    assert found["fe80::1/64"] == WantedAddress("fe80::1/64", NEVER, NEVER, 7, "link-local")
    told.hear(AddressSeen(link="e0", address="fe80::1/64", flags=0, origin="ours"))
    (place,) = desired(told.state).places
    assert found["fe80::1/64"] in place.addresses, "assigned by now, as tentative"
    (place,) = desired(told.state, host=CLIENT, iid="eui64").places
    assert [one.address for one in place.addresses] == ["2001:db8:1::ff:fe00:a/64"]


def test_a_prefix_is_addressed_and_routed_as_its_flags_say() -> None:
    delegates = (pio(P, flags="LAP"), pio(Q, flags="L"), pio("2001:db8:3::/64", flags="A"))
    for honoured, formed in ((True, ["2001:db8:3::"]), (False, ["2001:db8:1::", "2001:db8:3::"])):
        told = Story(honor_p=honoured).hear(ra(R1, pvd("x.example.", *delegates)))
        (place,) = desired(told.state, host=CLIENT, iid="eui64").places
        assert [one.address for one in place.addresses] == [f"{one}ff:fe00:a/64" for one in formed]
        assert [one.destination for one in place.routes] == [P, Q, "::/0"]


def test_what_stateless_dhcp_said_to_a_host_stands_in_each_pvd_that_it_is_of() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), o=True), ra(R2, pvd("y.example.")), ra(R3, o=True))
    told.asks6("INFORMATION-REQUEST", addresses(23, "fe80::53", "2001:db8::53"))
    found = {one.pvd: one.servers for one in desired(told.state, host=DUID).places}
    assert {id: [one.split("%")[0] for one in servers] for id, servers in found.items()} == {
        X: ["fe80::53", "2001:db8::53"],
        "fqdn:y.example.": [],
        f"ra:e0/1/{R3}": ["fe80::53", "2001:db8::53"],
    }
    assert [one.servers for one in desired(told.state, host=OTHER).places] == [()] * 3
    assert [one.servers for one in desired(told.state).places] == [()] * 3


def test_a_rule_of_a_link_local_resolver_is_scoped_as_the_resolver_is_and_the_newest_preference_counts() -> None:
    told = Story(rdnss_selection="validated").hear(ra(R1, pvd("x.example."), o=True))
    told.asks6("INFORMATION-REQUEST", RdnssSelection(74, ("fe80::53",), "low", ("a.example.",), 0, 0), ask=(23, 74))
    told.at(1).asks6(
        "INFORMATION-REQUEST",
        RdnssSelection(74, ("fe80::53",), "high", ("b.example.",), 0, 0),
        ask=(23, 74),
        server="00030001020000000002",
    )
    (place,) = desired(told.state, host=DUID).places
    (rule_,) = place.rules
    assert (rule_.server, rule_.preference, rule_.by) == (f"fe80::53%{place.device}", "high", "dhcp6")
    assert place.servers == ()  # of some names only
    again = RdnssSelection(74, ("fe80::53",), "medium", ("a.example.",), 0, 0)
    told.at(2).asks6("INFORMATION-REQUEST", again, ask=(23, 74))
    (place,) = desired(told.state, host=DUID).places
    assert place.rules[0].preference == "medium", "whoever spoke last, though it was the first to speak"


def test_of_two_rules_for_one_resolver_heard_at_once_the_later_says_its_preference_and_none_adds_no_name() -> None:
    told = Story(rdnss_selection="validated").hear(ra(R1, pvd("x.example."), o=True))
    first, second = (
        RdnssSelection(74, ("2001:db8::53",), preference, names, 0, 0)
        for preference, names in (("low", ()), ("high", ("a.example.",)))
    )
    told.asks6("INFORMATION-REQUEST", first, second, ask=(23, 74))
    (place,) = desired(told.state, host=DUID).places
    assert place.rules == (NameRule("2001:db8::53", "high", ("a.example.",), "dhcp6"),)


def test_routes_stand_in_one_order_ipv4_first_and_on_link_before_through_a_router() -> None:
    way = ("203.0.113.0/24", "192.0.2.7")
    told = Story().hear(ra(R1, pio(P))).leases4(routes(121, way, ("203.0.113.0/24", None)))
    (place,) = desired(told.state, host=CLIENT).places
    assert [(one.destination, one.via) for one in place.routes] == [
        ("203.0.113.0/24", None),
        way,
        (P, None),
        ("::/0", R1),
    ]


def test_a_tunnel_keeps_its_name_and_what_it_excludes_goes_nowhere() -> None:
    told = Story().hear(LinkSeen(link="t7", identity="netns:1:7:1", kind="tun", ifindex=7, name="tun0", host=True))
    up = VpnConnected(
        vpn="corp", client="openvpn", device="tun0", ifindex=7, addresses=("10.8.0.2/24",), excluded=("192.0.2.128/25",)
    )
    told.hear(up)
    (place,) = [one for one in desired(told.state).places if one.pvd == "vpn:corp"]
    seq = next(one.seq for one in told.journal.records() if one.event == up)
    assert (place.device, place.parent, place.tunnel) == ("tun0", "tun0", "leave")
    assert place.addresses == (WantedAddress("10.8.0.2/24", NEVER, NEVER, seq, "vpn"),)
    nowhere = WantedRoute("192.0.2.128/25", None, "medium", NEVER, seq, 0, "unreachable", EXCLUDED)
    assert [one for one in place.routes if one.kind == "unreachable"] == [nowhere]


@pytest.mark.parametrize("how", ["optimistic", "wait", "off"])
def test_a_place_says_how_its_addresses_are_tried(how: str) -> None:
    (place,) = desired(Story(dad=how).hear(ra(R1, pvd("x.example."))).state).places
    assert place.dad == how
