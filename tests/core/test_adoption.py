"""Who asks by DHCP from which place, whose a place is, and whose what it was given is (RFC 8801 §3.4)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from events.ids import SECOND
from events.link import AttachEnded, AttachStarted, LinkGone, LinkSeen
from events.operator import ConnectionClosed, ConnectionOpened, PolicySet, Settings, SettingsLoaded, SettingsRemoved
from events.ops import (
    ClientEnd,
    ClientLost,
    ClientRun,
    NetnsAdd,
    NetnsAdopt,
    NetnsDelete,
    Op,
    Outcome,
    PlaceUsed,
    PlanApplied,
)
from events.router import PrefixInformation, RouterAdvertised
from events.session import SessionStarted
from pvdcore.leases import adoption
from pvdcore.past import snapshot
from pvdcore.projections import places, placing
from pvdcore.projections.desired import desired
from pvdcore.projections.model import ModelKernel
from pvdcore.projections.places import place_mac, place_name
from pvdcore.projections.plan import place_ops
from pvdcore.reduce import advance
from pvdcore.state import Connection, Failing, Placement
from tests.sim.build import R1, R2, START, Story, addresses, container, dhcp6, dns, ia_address, ia_na, pio, pvd, ra

OWN = "02:00:00:00:00:0b"
OTHERS = "02:00:00:00:00:99"
E0 = LinkSeen(link="e0", identity="netns:1:2:1", kind="ethernet", mac=OWN, ifindex=2, name="e0", mtu=1500, host=True)
HOME = "connection:home@e0"
PLACE = place_name(HOME, "e0", 1)
MAC = place_mac(PLACE)
X, I1, I2, FALLBACK = "fqdn:x.example.", "ra:e0/1/fe80::1", "ra:e0/1/fe80::2", "if:e0/1"
UUID = "00112233-4455-6677-8899-aabbccddeeff"
MIF = f"uuid:{UUID}"
GATEWAY = addresses(3, "192.0.2.1")


def told(ipv4: str = "auto", ipv6: str = "auto", **more: str) -> Story:
    """A link of ours, and a connection that asks on it."""
    values = {"connection.interface-name": "e0", "ipv4.method": ipv4, "ipv6.method": ipv6, **more}
    said = Story(projection="netns").hear(E0, SettingsLoaded(settings=Settings("home", "toml", "", dict(values))))
    return said.hear(ConnectionOpened(id="home@e0", settings="home", link="e0"))


def connection(said: Story) -> Connection:
    return said.state.connections["home@e0"]


def asks(said: Story, has: str = HOME) -> ClientRun | None:
    """What is asked from the place of somebody; `None` if there is no place, or nobody asks there."""
    place = placing.wanted(said.state, (has, "e0", 1))
    return place.client if place is not None else None


def mac_of(said: Story, has: str) -> str:
    return places.mac_of(said.state, has, "e0", 1)


def applied(said: Story, has: str, *, error: str = "") -> Story:
    """What is wanted in a place is written, and the kernel has it."""
    place = placing.wanted(said.state, (has, "e0", 1))
    assert place is not None
    ops = place_ops(place, None, said.state.now)
    return said.hear(
        PlanApplied(projection="netns", pvd=has, outcomes=tuple(Outcome(one, error) for one in ops), link="e0", epoch=1)
    )


@pytest.mark.covers("problem:21")
def test_before_any_pvd_is_known_a_connection_has_a_place_from_which_it_asks() -> None:
    said = told()
    place = placing.wanted(said.state, (HOME, "e0", 1))
    assert place is not None and not said.state.pvds
    assert (place.netns, place.device, place.mac, place.client) == (PLACE, PLACE, MAC, ClientRun(PLACE, PLACE, True))
    said.chooses(mac=MAC)
    place = placing.wanted(said.state, (HOME, "e0", 1))
    assert place is not None and [one.address for one in place.addresses] == ["fe80::a/64"]
    assert connection(applied(said, HOME)).placement.name == PLACE  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("heard", "adopter"),
    [
        ((ra(R1, pvd("x.example.", legacy=True)), ra(R1), ra(R2)), X),
        ((ra(R1), ra(R2, pvd("x.example.", legacy=True))), I1),
        ((ra(R1, pvd("x.example.")),), ""),
        ((ra(R2, pvd("x.example.")), ra(R1)), I1),
        (
            (ra(R1, pvd("x.example.", legacy=True), pvd("y.example.")), ra(R2, pvd("y.example.", legacy=True)), ra(R1)),
            X,
        ),
    ],
    ids=["L", "the first that may have it", "none with L", "implicit", "the first L, when there was one"],
)
def test_the_first_pvd_that_may_have_a_lease_takes_the_place_over(heard: tuple[object, ...], adopter: str) -> None:
    said = told().hear(*heard)  # type: ignore[arg-type]
    assert connection(said).adopter == adopter
    if adopter:
        assert places.owner(said.state, adopter, "e0", 1) == HOME and mac_of(said, adopter) == MAC
        assert placing.wanted(said.state, (HOME, "e0", 1)) is None
    else:
        assert asks(said) == ClientRun(PLACE, PLACE, True), "it asks on: whose the lease will be is not known"


def test_without_dhcpv4_the_first_pvd_of_a_router_takes_the_place_over() -> None:
    said = told(ipv4="disabled")
    assert placing.wanted(said.state, (HOME, "e0", 1)) is not None and asks(said) is None
    said.hear(ra(R1, pvd("x.example.")))
    assert connection(said).adopter == X and asks(said, X) is None, "no router says that there is something to ask for"
    said.hear(ra(R1, pvd("x.example."), o=True))
    assert asks(said, X) == ClientRun(PLACE, PLACE, False, "information")
    said.hear(ra(R1, pvd("x.example."), m=True))
    assert asks(said, X) == ClientRun(PLACE, PLACE, False, "addresses")


@pytest.mark.covers("rfc:P48")
def test_a_lease_that_comes_before_any_router_makes_the_fall_back_the_first_pvd() -> None:
    said = told().leases4(GATEWAY, mac=MAC)
    assert connection(said).adopter == FALLBACK and said.owners("dhcp4") == [FALLBACK]
    assert [one.placed for one in said.state.grants.values()] == [FALLBACK], "who asked has it, without a settle time"
    place = placing.wanted(said.state, (FALLBACK, "e0", 1))
    assert place is not None and place.netns == PLACE
    assert [one.address for one in place.addresses] == ["192.0.2.10/24"]
    assert ("0.0.0.0/0", "192.0.2.1") in [(one.destination, one.via) for one in place.routes]


def test_the_fall_back_passes_the_place_on_to_a_routers_pvd_and_what_stands_stays() -> None:
    said = applied(told().leases4(GATEWAY, mac=MAC), FALLBACK)
    assert said.pvd(FALLBACK).phase == "placed"
    said.at(3).hear(ra(R1, pio("2001:db8:1::/64")))
    assert connection(said).adopter == I1 and said.owners("dhcp4") == [I1]
    assert said.pvd(FALLBACK).phase == "gone", "nobody is inside who does not go along"
    kernel = ModelKernel()
    before = told().leases4(GATEWAY, mac=MAC)
    place = placing.wanted(before.state, (FALLBACK, "e0", 1))
    assert place is not None
    for op in place_ops(place, None, before.state.now):
        assert not kernel.apply(op, before.state.now).error
    after = placing.wanted(said.state, (I1, "e0", 1))
    assert after is not None
    ops = place_ops(after, kernel.observe().namespaces[PLACE], before.state.now)
    assert ops[0] == NetnsAdopt(PLACE, I1)
    assert not any(type(op).__name__ in ("NetnsAdd", "LinkAdd", "AddressDelete", "RouteDelete") for op in ops)


@pytest.mark.covers("rfc:P45", "rfc:P47")
def test_what_the_links_own_mac_was_leased_is_divided_and_what_a_place_was_leased_is_its_pvds() -> None:
    said = told().hear(ra(R1), ra(R2))
    assert asks(said, I1) == ClientRun(PLACE, PLACE, True), "each implicit PvD asks for itself"
    second = place_name(I2, "e0", 1)
    assert asks(said, I2) == ClientRun(second, second, True)
    said.leases4(mac=OWN)
    assert said.owners("dhcp4", host=OWN) == [I1, I2], "P47: another program's lease of the link's own MAC"
    said.leases4(mac=place_mac(second)).leases4(mac=MAC)
    assert said.owners("dhcp4", host=place_mac(second)) == [I2]
    assert said.owners("dhcp4", host=MAC) == [I1]
    assert {one.host for one in said.instances(I2)} == {"", OWN, place_mac(second)}, "three instances of one PvD"
    place = placing.wanted(said.state, (I2, "e0", 1))
    assert place is not None and [one.because for one in place.addresses] == [said.state.seq - 2]

    claimed = ra(R2, pvd("x.example.", legacy=True))
    said.hear(claimed)
    assert said.owners("dhcp4", host=OWN) == [X], "P45: it moves"
    assert said.owners("dhcp4", host=MAC) == [I1], "who asked keeps what it was given"
    assert asks(said, X) is not None and asks(said, I1) is None and asks(said, I2) is None, "from now on X asks"


@pytest.mark.covers("rfc:P46")
def test_where_two_claim_dhcpv4_only_implicit_pvds_ask() -> None:
    said = told().hear(ra(R1), ra(R1, pvd("x.example.", legacy=True)), ra(R2, pvd("y.example.", legacy=True)))
    assert asks(said, I1) is not None
    assert asks(said, X) is None and asks(said, "fqdn:y.example.") is None


def test_what_others_ask_for_makes_no_lease() -> None:
    said = told().leases4(mac=OTHERS)
    assert not said.state.grants and not said.state.pvds
    away = place_mac(place_name(I1, "e0", 7))
    assert not said.leases4(mac=away).state.grants, "a place's MAC is of one attachment"


def test_a_place_outlives_its_routers_word_while_its_lease_lasts() -> None:
    said = applied(told().hear(ra(R1, dns("2001:db8::1", life=60), life=60)).leases4(GATEWAY, mac=MAC), I1).at(100)
    assert [one.host for one in said.instances(I1)] == [MAC], "what all share has ended, the lease has not"
    assert connection(said).adopter == I1 and said.pvd(I1).phase == "placed"
    assert asks(said, I1) == ClientRun(PLACE, PLACE, True), "and it is kept alive"


def test_what_was_placed_lingers_until_nobody_is_inside_and_may_come_back() -> None:
    said = Story(projection="netns").hear(E0, ra(R1, life=60))
    applied(said, I1)
    (left,) = said.at(61).instances(I1)
    assert left.phase == "lingering" and left.placement is not None
    assert (left.placement.ended_at, left.placement.users, left.placement.failed) == (said.state.now - SECOND, (), ())
    last = said.history(I1)[-1]
    assert (last.phase_before, last.phase, last.version) == ("placed", "lingering", 2)
    assert [one.version for one in said.history(I1)] == [1, 0, 2], "to be placed makes no version"
    (back,) = said.hear(ra(R1)).instances(I1)
    assert back.placement is not None and back.placement.ended_at == 0 and back.since == left.since


def test_when_its_pvd_ends_the_place_is_the_connections_again_and_nobody_inside_is_disturbed() -> None:
    said = applied(told().leases4(life=60, mac=MAC), FALLBACK)
    said.at(61)
    assert said.pvd(FALLBACK).phase == "gone" and connection(said).adopter == ""
    assert asks(said) == ClientRun(PLACE, PLACE, True), "it goes on asking"
    said.leases4(mac=MAC)
    assert connection(said).adopter == FALLBACK and placing.wanted(said.state, (FALLBACK, "e0", 1)) is not None


def test_beside_the_place_of_a_connection_that_of_another_pvd_lingers_as_ever() -> None:
    said = applied(told().leases4(mac=MAC), FALLBACK).hear(ra(R2, pvd("x.example."), life=60))
    applied(said, X).at(100)
    assert (said.pvd(FALLBACK).phase, said.pvd(X).phase) == ("placed", "lingering")


@pytest.mark.parametrize("reason", ["operator", "settings-removed"])
def test_a_connection_that_is_closed_gives_up_what_its_places_were_leased_and_no_more(reason: str) -> None:
    said = applied(told().leases4(mac=OWN).leases4(mac=MAC), FALLBACK)
    assert len(said.state.grants) == 2
    said.hear(ConnectionClosed(id="home@e0", reason=reason))
    assert [one.host for one in said.state.grants.values()] == [OWN], "what another program was leased stays"
    assert placing.wanted(said.state, (FALLBACK, "e0", 1)) is None
    lines = [one for one in said.history(FALLBACK) if one.host == MAC]
    assert (lines[-1].cause, lines[-1].phase) == ("closed", "lingering"), "until nobody is inside"
    gone = PlanApplied(projection="netns", pvd=FALLBACK, outcomes=(Outcome(NetnsDelete(PLACE)),), link="e0", epoch=1)
    assert said.hear(gone).instances(FALLBACK)[0].host == OWN


def test_a_connection_that_is_opened_when_the_pvd_of_a_closed_one_has_ended_makes_a_place_of_its_own() -> None:
    said = told().hear(ra(R1, life=600), ConnectionClosed(id="home@e0", reason="operator"))
    assert connection(said).adopter == I1, "the PvD goes on in the place"
    said.at(601).hear(ConnectionOpened(id="again@e0", settings="home", link="e0"))
    assert connection(said).adopter == "" and said.pvd(I1).phase == "gone"
    again = place_name("connection:again@e0", "e0", 1)
    assert asks(said, "connection:again@e0") == ClientRun(again, again, True)


def test_who_stayed_inside_what_ended_is_in_the_pvd_again_when_that_stands_in_the_place_again() -> None:
    said = applied(told().hear(ra(R1, life=60)).leases4(mac=MAC), I1).at(61)
    said.hear(ConnectionClosed(id="home@e0", reason="carrier"))
    assert [(one.host, one.phase) for one in said.instances(I1)] == [(MAC, "lingering")]
    said.hear(ra(R1), plan_of((ClientEnd(PLACE, PLACE), "EBUSY"), (NetnsAdd(PLACE, I1), "EPERM"), has=I1))
    assert [(one.host, one.phase) for one in said.instances(I1)] == [("", "announced"), (MAC, "lingering")]
    applied(said, I1)
    assert [(one.host, one.phase) for one in said.instances(I1)] == [("", "placed")]
    last = said.history(I1)[-1]
    assert (last.host, last.cause, last.phase) == (MAC, "returned", "gone")


def test_what_lingers_in_a_place_that_a_connection_has_again_ends_when_it_is_spoken_of_in_vain() -> None:
    def says(*prefixes: PrefixInformation) -> RouterAdvertised:
        return ra(R1, *(container(UUID, one) for one in prefixes), life=0)

    valid, void = pio("2001:db8:1::/64"), pio("2001:db8:1::/64", 0, 0)
    said = applied(told(ipv4="disabled").hear(says(valid)), MIF).at(1).hear(ConnectionClosed("home@e0", "carrier"))
    said.at(2).hear(says(void)).at(3).hear(says(valid, void))
    assert [one.phase for one in said.instances(MIF)] == ["lingering"], "said and taken back in one breath"
    assert len(said.history(MIF)) == 3
    said.at(4).hear(ConnectionOpened(id="home@e0", settings="home", link="e0"), says(valid, void))
    place = placing.wanted(said.state, (HOME, "e0", 1))
    assert said.alive() == [] and place is not None and place.netns == PLACE, "who is inside is in the connection's"
    last, pvd_ = said.history(MIF)[-1], said.pvd(MIF)
    assert (last.phase_before, last.phase, last.version) == ("lingering", "gone", 0), "nothing of what it holds changed"
    assert (pvd_.versions, len(pvd_.recent), pvd_.last_seen) == (2, 2, START)


def test_a_profile_that_no_longer_asks_ends_the_client_and_its_lease() -> None:
    said = told().hear(ra(R1, pio("2001:db8:1::/64"))).leases4(mac=MAC)
    values = {"connection.interface-name": "e0", "ipv4.method": "disabled", "ipv6.method": "auto"}
    said.hear(SettingsLoaded(settings=Settings("home", "toml", "", dict(values))))
    assert not said.state.grants and asks(said, I1) is None
    stands = place_ops(placing.wanted(said.state, (I1, "e0", 1)), None, 0)  # type: ignore[arg-type]
    assert not [op for op in stands if isinstance(op, (ClientRun, ClientEnd))]


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "left"),
    [("auto", "disabled", ["dhcp4"]), ("disabled", "auto", ["dhcp6-address", "dhcp6-info"]), ("manual", "manual", [])],
)
def test_what_a_profile_no_longer_asks_for_is_given_up_family_by_family(ipv4: str, ipv6: str, left: list[str]) -> None:
    said = told().hear(ra(R1, pio("2001:db8:1::/64"), m=True)).leases4(mac=MAC)
    question, reply = (
        dhcp6("REQUEST"),
        dhcp6("REPLY", ia_na(ia_address("2001:db8:1::1")), addresses(23, "2001:db8::53")),
    )
    said.hear(replace(question, mac=MAC), replace(reply, mac=MAC))
    assert sorted(one.rule for one in said.state.grants.values()) == ["dhcp4", "dhcp6-address", "dhcp6-info"]
    values = {"connection.interface-name": "e0", "ipv4.method": ipv4, "ipv6.method": ipv6}
    said.hear(SettingsLoaded(settings=Settings("home", "toml", "", dict(values))))
    assert sorted(one.rule for one in said.state.grants.values()) == left
    last = said.history(I1)[-1]
    assert (last.cause, last.because) == ("closed", said.state.seq)


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "asked"),
    [
        ("auto", "auto", ClientRun(PLACE, PLACE, True, "", "::/56")),
        ("", "", ClientRun(PLACE, PLACE, True, "", "::/56")),
        ("auto", "dhcp", ClientRun(PLACE, PLACE, True, "addresses", "::/56")),
        ("auto", "disabled", ClientRun(PLACE, PLACE, True)),
        ("disabled", "disabled", None),
    ],
)
def test_what_a_profile_wants_is_asked_for_and_nothing_else(ipv4: str, ipv6: str, asked: ClientRun | None) -> None:
    values = {"connection.interface-name": "e0", "ipv6.dhcp-pd-hint": "::/56"}
    values |= {f"{name}.method": one for name, one in (("ipv4", ipv4), ("ipv6", ipv6)) if one}
    said = Story(projection="netns").hear(E0, SettingsLoaded(settings=Settings("home", "toml", "", dict(values))))
    assert asks(said.hear(ConnectionOpened(id="home@e0", settings="home", link="e0"))) == asked


def test_who_is_to_ask_for_a_lease_is_known_of_links_that_we_manage() -> None:
    heard = (ra(R1, pvd("x.example.", legacy=True)), ra(R2))
    assert adoption.asking4(told().hear(*heard).state, "e0") == (X,)
    assert adoption.asking4(told(ipv4="disabled").hear(*heard).state, "e0") == ()
    assert adoption.asking4(Story(projection="netns").hear(E0, *heard).state, "e0") == (), "nobody asks here"


def test_a_pvd_that_stands_in_a_place_of_its_own_takes_over_none() -> None:
    said = Story(projection="netns").hear(E0, ra(R1))
    applied(said, I1)
    values = {"connection.interface-name": "e0", "ipv4.method": "auto", "ipv6.method": "auto"}
    said.hear(SettingsLoaded(settings=Settings("home", "toml", "", dict(values))))
    said.hear(ConnectionOpened(id="home@e0", settings="home", link="e0"))
    assert connection(said).adopter == "" and said.pvd(I1).phase == "placed"
    assert connection(said.hear(ra(R2))).adopter == I2


def test_of_routers_pvds_that_were_there_before_the_connection_the_oldest_takes_its_place_over() -> None:
    values = {"connection.interface-name": "e0", "ipv4.method": "auto", "ipv6.method": "auto"}
    said = Story(projection="netns").hear(E0, ra(R2), ra(R1))
    said.hear(SettingsLoaded(settings=Settings("home", "toml", "", dict(values))))
    said.hear(ConnectionOpened(id="home@e0", settings="home", link="e0"))
    assert connection(said).adopter == I2


def test_the_fall_back_of_a_place_is_split_by_policy() -> None:
    said = told()
    said.hear(PolicySet(values={**said.state.policy.values, "fallback": "protocol"})).leases4(GATEWAY, mac=MAC)
    assert connection(said).adopter == "dhcp4:e0/1/192.0.2.1"


def test_the_prefix_is_asked_for_from_the_connections_place_alone() -> None:
    said = told(**{"ipv6.dhcp-pd-hint": "::/56"})
    assert asks(said) == ClientRun(PLACE, PLACE, True, "", "::/56")
    said.hear(ra(R1, m=True), ra(R2))
    assert asks(said, I1) == ClientRun(PLACE, PLACE, True, "addresses", "::/56")
    run = asks(said, I2)
    assert run is not None and run.prefix == ""


def test_nobody_asks_where_another_program_does_or_nothing_is_attached() -> None:
    values = {"connection.interface-name": "e0", "ipv4.method": "auto"}
    said = Story(projection="netns").hear(E0, SettingsLoaded(settings=Settings("home", "toml", "", dict(values))))
    said.hear(ConnectionOpened(id="home@e0", settings="home", link="e0", by="external"))
    assert places.maker(said.state, "e0") is None and placing.wanted(said.state, (HOME, "e0", 1)) is None
    said = told().hear(AttachEnded(link="e0", reason="carrier"))
    assert places.maker(said.state, "e0") is None and placing.wanted(said.state, (HOME, "e0", 1)) is None


def test_a_daemon_that_only_observes_has_nobody_ask() -> None:
    values = {"connection.interface-name": "e0", "ipv4.method": "auto"}
    said = Story().hear(E0, SettingsLoaded(settings=Settings("home", "toml", "", dict(values))))
    said.hear(ConnectionOpened(id="home@e0", settings="home", link="e0"))
    assert places.maker(said.state, "e0") is None


def test_a_client_that_ends_is_tried_again_later_each_time_and_soon_when_it_had_run_for_long() -> None:
    said = applied(told(), HOME)
    run = asks(said)
    assert run is not None
    lost = ClientLost(projection="netns", pvd=HOME, link="e0", epoch=1, op=run, error="exit code 1: no such interface")
    ran = PlanApplied(projection="netns", pvd=HOME, outcomes=(Outcome(run),), link="e0", epoch=1)
    waits = []
    for number in range(4):
        said.at(number * 10).hear(lost)
        placement = connection(said).placement
        assert placement is not None and placement.asking_since == 0
        (failing,) = placement.failed
        assert (failing.op, failing.error) == (run, lost.error)
        waits.append((failing.retry_at - said.state.now) / SECOND)
        said.hear(ran)
        placement = connection(said).placement
        assert placement is not None and not placement.failed and placement.asking_since == said.state.now
    assert waits == [0.1, 0.2, 0.4, 0.8]
    said.at(600).hear(lost)
    placement = connection(said).placement
    assert placement is not None and placement.failed[0].count == 1, "that one had run"


def test_a_plan_has_the_places_that_connections_made_and_what_places_were_leased() -> None:
    said = told().hear(ra(R1, pvd("x.example.")))
    want = placing.wished(said.state, desired(said.state))
    assert [(one.pvd, one.client is not None) for one in want.places] == [(HOME, True), (X, False)]
    said.leases4(mac=MAC).leases4(mac=OWN)
    want = placing.wished(said.state, desired(said.state))
    assert [(one.pvd, [each.address for each in one.addresses]) for one in want.places] == [
        (X, []),
        (FALLBACK, ["192.0.2.10/24"]),
    ]
    seen = Story().hear(ra(R1))
    assert placing.wished(seen.state, desired(seen.state)) == desired(seen.state), "of a capture, as it would stand"


RESOLVER = dns("2001:db8::53")
happenings = st.one_of(
    st.sampled_from(
        [
            ra(R1),
            ra(R2),
            ra(R1, life=0),
            ra(R2, life=0),
            ra(R1, pvd("x.example.", legacy=True)),
            ra(R2, RESOLVER, o=True),
            ra(R1, pvd("x.example.", legacy=True), life=0),
            ra(R1, pvd("x.example."), m=True),
            ra(R2, life=3),
        ]
    ),
    st.builds(
        lambda id, by: ConnectionOpened(id=id, settings="home", link="e0", by=by),
        st.sampled_from("ab"),
        st.sampled_from(["operator", "operator", "external"]),
    ),
    st.builds(
        lambda id, why: ConnectionClosed(id=id, reason=why),
        st.sampled_from(["a", "b", "home@e0"]),
        st.sampled_from(["operator", "carrier"]),
    ),
    st.sampled_from(
        [AttachEnded(link="e0"), AttachStarted(link="e0"), LinkGone(link="e0"), E0, SettingsRemoved(id="home")]
    ),
    st.builds(
        lambda v4, v6: SettingsLoaded(settings=Settings("home", "toml", "", {"ipv4.method": v4, "ipv6.method": v6})),
        st.sampled_from(["auto", "disabled"]),
        st.sampled_from(["auto", "ignore"]),
    ),
    st.sampled_from(["lease", "own", "later", "netns", "tables"]),
    st.builds(
        lambda has, op, epoch: PlanApplied(
            projection="netns", pvd=has, outcomes=(Outcome(op),), link="e0", epoch=epoch
        ),
        st.sampled_from([HOME, "connection:a", "connection:b", X, I1, I2, FALLBACK]),
        st.sampled_from([NetnsAdd("n", "p"), NetnsDelete("n"), ClientRun("n", "n", True)]),
        st.sampled_from([1, 1, 1, 2]),
    ),
    st.builds(
        lambda has: PlaceUsed(projection="netns", pvd=has, link="e0", epoch=1, users=()), st.sampled_from([X, I1, I2])
    ),
)


def happens(said: Story, one: object) -> None:
    """An event, or what is said in one word."""
    if one == "lease":
        maker = places.maker(said.state, "e0")
        said.leases4(mac=place_mac(place_name(places.owner_of(maker.id), "e0", maker.epoch)) if maker else MAC)
    elif one == "own":
        said.leases4(mac=OWN, life=5)
    elif one == "later":
        said.at((said.now - START) / SECOND + 2)
    elif one in ("netns", "tables"):
        said.hear(PolicySet(values={**said.state.policy.values, "projection": str(one)}))
    else:
        said.hear(one)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.lists(happenings, max_size=25))
def test_whoever_comes_and_goes_a_place_is_of_somebody_who_is_there(events: list[object]) -> None:
    said = told()
    for one in events:
        happens(said, one)  # which checks all invariants after each
    assert snapshot.encode(advance(said.refolded(), said.now)) == snapshot.encode(said.state)


# What stands for a connection before any PvD has its place


def plan_of(*outcomes: tuple[Op, str], has: str = HOME, link: str = "e0", epoch: int = 1) -> PlanApplied:
    made = tuple(Outcome(op, error) for op, error in outcomes)
    return PlanApplied(projection="netns", pvd=has, outcomes=made, link=link, epoch=epoch)


def test_what_became_of_a_connections_place_is_told_as_of_any_place() -> None:
    said = told()
    assert placing.placements(said.state, (HOME, "e0", 1)) == [("", None)]
    add, run = NetnsAdd(PLACE, HOME), ClientRun(PLACE, PLACE, True)
    said.hear(plan_of((add, ""), (run, "ENOENT")))
    failing = Failing(run, "ENOENT", 1, said.now + SECOND // 10)
    assert connection(said).placement == Placement("netns", PLACE, PLACE, (failing,))
    assert placing.placements(said.state, (HOME, "e0", 1)) == [("", connection(said).placement)]
    for elsewhere in ((HOME, "e0", 2), (HOME, "e1", 1), ("connection:other@e0", "e0", 1), ("home@e0", "e0", 1)):
        assert placing.placements(said.state, elsewhere) == [] and placing.wanted(said.state, elsewhere) is None
    said.hear(plan_of((run, ""), epoch=2), plan_of((run, ""), link="e1"), plan_of((run, ""), has="vpn:home@e0"))
    assert connection(said).placement == Placement("netns", PLACE, PLACE, (failing,)), "of other places"
    said.at(1).hear(plan_of((run, "")))
    assert connection(said).placement == Placement("netns", PLACE, PLACE, asking_since=said.now)
    said.hear(plan_of((NetnsDelete(PLACE), "EBUSY")))
    assert connection(said).placement is not None, "it stands on"
    said.hear(plan_of((NetnsDelete(PLACE), "")))
    assert connection(said).placement is None


def test_the_pvd_that_takes_a_place_over_has_what_stands_there_and_what_waits() -> None:
    run = ClientRun(PLACE, PLACE, True)
    said = told().hear(plan_of((NetnsAdd(PLACE, HOME), ""), (run, "ENOENT"))).hear(ra(R1))
    assert connection(said).adopter == I1
    said.at(1).hear(plan_of((NetnsAdopt(PLACE, I1), ""), (run, "ENOENT"), has=I1))
    (instance,) = said.instances(I1)
    failing = Failing(run, "ENOENT", 2, said.now + 2 * SECOND // 10)
    assert instance.placement == Placement("netns", PLACE, PLACE, (failing,)), "it failed for the second time"
    second = place_name(I2, "e0", 1)
    said.hear(ra(R2)).hear(plan_of((NetnsAdd(second, I2), ""), (run, "ENOENT"), has=I2))
    (other,) = said.instances(I2)
    assert [one.count for one in other.placement.failed] == [1], "what has a place of its own begins anew"  # type: ignore[union-attr]


def test_a_connection_may_be_called_by_any_word() -> None:
    said = told().hear(ConnectionOpened(id="a:b", settings="home", link="e0"))
    assert placing.placements(said.state, ("connection:a:b", "e0", 1)) == [("", None)]


def test_of_what_lingered_when_its_link_was_given_to_another_projection_a_record_says_that_it_is_gone() -> None:
    said = applied(told().hear(ra(R1, life=60)).leases4(mac=MAC), I1).at(61)
    said.hear(ConnectionClosed(id="home@e0", reason="carrier"), ra(R1))
    said.hear(PolicySet(values={**said.state.policy.values, "projection": "tables"}))
    assert [(one.host, one.phase) for one in said.instances(I1)] == [("", "announced"), (MAC, "lingering")]
    said.hear(plan_of((NetnsDelete(PLACE), ""), has=I1))
    assert [(one.host, one.phase) for one in said.instances(I1)] == [("", "announced")]


def standing(said: Story) -> list[str]:
    return sorted(one.id for one in said.state.connections.values() if one.placement is not None)


@pytest.mark.parametrize("how", ["tables", "none"])
def test_on_a_link_that_is_projected_otherwise_a_connection_has_no_place(how: str) -> None:
    said = told().hear(replace(E0, link="e1", identity="netns:1:3:1", name="e1", ifindex=3))
    said.hear(ConnectionOpened(id="home@e1", settings="home", link="e1"))
    said = applied(said, HOME).hear(plan_of((NetnsAdd("n", HOME), ""), has="connection:home@e1", link="e1"))
    assert standing(said) == ["home@e0", "home@e1"]
    said.hear(PolicySet(values=dict(said.state.policy.values), projections=(("e1", how),)))
    assert standing(said) == ["home@e0"]
    said.hear(PolicySet(values={**said.state.policy.values, "projection": "none"}))
    assert standing(said) == []


def test_another_boot_has_nothing_of_what_stood_for_a_connection() -> None:
    said = Story(projection="netns").hear(SessionStarted(mode="live", version="1", boot="one"), E0)
    said.hear(SettingsLoaded(settings=Settings("home", "toml", "", {"ipv4.method": "auto"})))
    said.hear(ConnectionOpened(id="home@e0", settings="home", link="e0"))
    said = applied(said, HOME).hear(SessionStarted(mode="live", version="1", boot="one"))
    assert connection(said).placement is not None, "another session of the same boot"
    said.hear(SessionStarted(mode="live", version="1", boot="two"))
    assert connection(said).placement is None
