"""PvDs as entities: what one is, whose its parts are, and the faults of earlier implementations (prior_art.md 6.2).

Law: each of these is a story of its own; the rules behind them have their tests beside.
"""

import pytest

from events.ids import SECOND
from events.operator import ConnectionOpened, Settings, SettingsLoaded
from pvdcore.domains.view import items, origins
from pvdcore.projections.desired import desired
from tests.sim.build import (
    CLIENT,
    OTHER,
    R1,
    R2,
    Story,
    addresses,
    container,
    dns,
    ia_address,
    ia_na,
    mtu,
    names,
    pio,
    pvd,
    ra,
    rio,
    search,
    text,
)

X, Y = "fqdn:x.example.", "fqdn:y.example."
I1, I2 = "ra:e0/1/fe80::1", "ra:e0/1/fe80::2"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
CELL = ("e0", 1, "")
UUID = "00112233-4455-6677-8899-aabbccddeeff"


@pytest.mark.covers("feat:B1", "feat:F2", "feat:F3")
def test_settings_connections_and_pvds_are_three_things() -> None:
    told = Story().hear(
        SettingsLoaded(settings=Settings("home", "toml")), ConnectionOpened(id="c1", settings="home", link="e0")
    )
    assert told.alive() == [], "an active connection is no PvD"
    told.hear(ra(R1, pvd("x.example.")), ra(R2))
    assert told.alive() == [X, I2] and len(told.state.connections) == 1, "one activation, two PvDs"
    assert told.state.settings["home"].values == {}, "and what was learned is in no setting"


@pytest.mark.covers("feat:B2")
def test_a_pvd_is_shared_and_an_instance_is_a_hosts() -> None:
    told = Story().hear(ra(R1, pio(P), dns("2001:db8::53"))).leases4()
    told.leases4(mac=OTHER)
    assert [one.host for one in told.instances(I1)] == ["", CLIENT, OTHER]
    shared, mine, _ = told.instances(I1)
    assert {kind for kind, _, _ in shared.content} == {"router", "prefix", "dns", "flags"}
    assert "prefix" not in {kind for kind, _, _ in mine.content} and "address" in {kind for kind, _, _ in mine.content}
    assert told.alive() == [I1], "one PvD all the same"


@pytest.mark.covers("feat:B5")
def test_an_identifier_has_a_type_and_equal_words_of_two_types_are_two_pvds() -> None:
    name = f"{UUID}."
    told = Story().hear(ra(R1, pvd(name), container(UUID)), ra(R2)).leases4()
    kinds = {id: (told.pvd(id).kind, told.pvd(id).source) for id in told.alive()}
    assert kinds == {
        f"fqdn:{name}": ("explicit", "ra"),
        f"uuid:{UUID}": ("explicit", "mif"),
        I2: ("implicit", "ra"),
    }


@pytest.mark.covers("feat:B7", "feat:B8", "feat:G2")
def test_two_routers_of_one_pvd_are_laid_over_each_other_and_kept_apart() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P), mtu(1400))))
    told.at(1).hear(ra(R2, pvd("x.example.", pio(P), dns("2001:db8::53"))))
    assert told.alive() == [X] and told.keys(X, "router") == [R1, R2]
    assert [(one.speaker, sorted(held.kind for held in one.held)) for one in origins(told.state, X, CELL)] == [
        (R1, ["mtu", "prefix", "router"]),
        (R2, ["dns", "prefix", "router"]),
    ]
    by = {held.key: source.speaker for source, held in items(told.state, X, CELL) if hasattr(source, "speaker")}
    assert (by["mtu"], by["2001:db8::53"], by[P]) == (R1, R2, R2), "each item knows who said it, the last one counts"
    told.hear(ra(R2, pvd("x.example.", pio(P, 0, 0), dns("2001:db8::53", life=0)), life=0))
    assert told.keys(X, "prefix") == [P] and told.keys(X, "dns") == [], "the other router's word holds"


@pytest.mark.covers("bug:15")
def test_an_item_announced_again_elsewhere_shows_both_owners_in_history() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)))).at(60).hear(ra(R2, pvd("y.example.", pio(P))))
    owners = [one.pvd for one in told.history() if any(item[:2] == ("prefix", P) for item in one.added)]
    assert owners == [X, Y]
    assert "prefix-in-two-pvds" in told.findings()


@pytest.mark.covers("feat:B10")
def test_the_flags_and_both_lifetimes_of_a_prefix_are_kept() -> None:
    told = Story().hear(ra(R1, pio(P, 900, 300, "L"), pio(Q, None, None, "A")))
    assert told.holdings(I1, "prefix") == {P: (True, False, False), Q: (False, True, False)}
    (mine, ever) = [held for _, held in items(told.state, I1, CELL) if held.kind == "prefix"]
    assert (mine.lifetime_s, mine.preferred_s, ever.lifetime_s, ever.preferred_s) == (900, 300, None, None)
    assert told.at(899).keys(I1, "prefix") == [P, Q] and told.at(900).keys(I1, "prefix") == [Q]


@pytest.mark.covers("feat:C1")
def test_an_implicit_pvd_for_each_link_and_router() -> None:
    told = Story().hear(ra(R1), ra(R2), ra(R1, link="e1"), ra(R1, pio(P)))
    assert told.alive() == [I1, I2, "ra:e1/1/fe80::1"]


@pytest.mark.covers("feat:C3")
def test_a_lease_without_any_ra_makes_an_implicit_pvd_and_an_ra_takes_it_over() -> None:
    told = Story().leases4().asks6("SOLICIT", ia_na(ia_address("2001:db8:1::a")))
    assert told.alive() == ["if:e0/1"]
    told.hear(ra(R1, pio(P), m=True))
    assert told.alive() == [I1] and told.pvd("if:e0/1").phase == "gone"


@pytest.mark.covers("feat:D1")
def test_the_lease_goes_to_the_one_pvd_with_l_else_to_all_implicit_ones() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", legacy=True)), ra(R2)).leases4()
    assert told.owners("dhcp4") == [X]
    told.hear(ra(R1, pvd("x.example.")))
    assert told.owners("dhcp4") == [I2]
    told.hear(ra("fe80::3"))
    assert told.owners("dhcp4") == [I2, "ra:e0/1/fe80::3"]


@pytest.mark.covers("feat:D2")
def test_stateless_data_goes_to_every_pvd_with_o() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), o=True), ra(R1, pvd("y.example.")), ra(R2, o=True))
    told.asks6("INFORMATION-REQUEST", addresses(23, "2001:db8::53"))
    assert told.owners("dhcp6-info") == [X, I2]


@pytest.mark.covers("feat:D3")
def test_an_assignment_goes_to_the_pvd_with_m_and_a_covering_prefix() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)), m=True), ra(R1, pvd("y.example.", pio(P))), ra(R2, m=True))
    told.asks6("SOLICIT", ia_na(ia_address("2001:db8:1::a")))
    assert told.owners("dhcp6-address", "2001:db8:1::a") == [X]


# Faults of earlier implementations


@pytest.mark.covers("bug:13")
def test_the_same_id_on_two_links_is_two_instances_and_one_may_end_alone() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P))), ra(R1, pvd("x.example.", pio(Q)), link="e1"))
    assert [one.link for one in told.instances(X)] == ["e0", "e1"]
    told.detach("e0")
    assert [one.link for one in told.instances(X)] == ["e1"] and told.keys(X, "prefix") == [Q]
    assert told.pvd(X).phase == "announced" and told.pvd(X).ended is None


@pytest.mark.covers("bug:16")
@pytest.mark.parametrize("zero", ["router", "prefix", "route", "dns", "search"])
def test_a_lifetime_of_zero_ends_exactly_what_it_is_of(zero: str) -> None:
    def said(gone: str) -> list[str]:
        def life(kind: str) -> int:
            return 0 if kind == gone else 1800

        told = Story().hear(ra(R1, pio(P), rio(Q), dns("2001:db8::53"), search("a.example.")))
        items_ = (
            pio(P, life("prefix"), life("prefix")),
            rio(Q, life("route")),
            dns("2001:db8::53", life=life("dns")),
            search("a.example.", life=life("search")),
        )
        told.hear(ra(R1, *items_, life=life("router")))
        return sorted({held.kind for _, held in items(told.state, I1, CELL)})

    everything = ["dns", "prefix", "route", "router", "search"]
    assert said("none") == everything
    assert said(zero) == [kind for kind in everything if kind != zero]


@pytest.mark.covers("bug:22")
def test_the_same_ra_a_thousand_times_is_one_change_and_a_change_is_told_once() -> None:
    said = ra(R1, pio(P, None, None), dns("2001:db8::53", life=None))
    told = Story()
    for round_ in range(1000):
        told.at(round_ * 10).hear(said)
    assert len(told.history()) == 1
    told.hear(ra(R1, pio(P, None, None, "L"), dns("2001:db8::53", life=None)))
    assert [len(one.changed) for one in told.history()] == [0, 1], "a change of content is told, as what it is"


@pytest.mark.covers("bug:19")
def test_each_item_has_its_own_end_and_infinity_has_none_until_it_is_withdrawn() -> None:
    told = Story().hear(ra(R1, pio(P, None, None), dns("2001:db8::53", life=300), rio(Q, 600), life=900))
    assert told.at(300).keys(I1, "dns") == [] and told.keys(I1, "router") == [R1]
    assert told.at(600).keys(I1, "route") == [] and told.at(900).keys(I1, "router") == []
    assert told.at(10**8).keys(I1, "prefix") == [P] and told.ends(I1, "prefix", P) is None
    assert told.hear(ra(R1, pio(P, 0, 0), life=0)).alive() == []


# Sources, lifetimes and names


@pytest.mark.covers("feat:G1", "feat:I1")
def test_what_dhcp_says_in_both_families_is_held_in_the_pvd_it_belongs_to() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P), legacy=True), m=True, o=True), ra(R2, dns("2001:db8:2::53")))
    told.leases4(text(15, "four.example")).asks6("REQUEST", ia_na(ia_address("2001:db8:1::a")))
    told.asks6("INFORMATION-REQUEST", addresses(23, "2001:db8:1::53"), names(24, "six.example."))
    assert sorted(told.keys(X, "address")) == ["192.0.2.10/24", "2001:db8:1::a/128"]
    assert sorted(told.keys(X, "dns")) == ["192.0.2.53", "2001:db8:1::53"]
    assert sorted(told.keys(X, "search")) == ["four.example.", "six.example."]
    assert (told.keys(I2, "dns"), told.keys(I2, "search"), told.keys(I2, "address")) == (["2001:db8:2::53"], [], [])


@pytest.mark.covers("feat:G3")
def test_a_router_lifetime_of_zero_ends_the_default_router_alone() -> None:
    told = Story().hear(ra(R1, pio(P), rio(Q), dns("2001:db8::53")), ra(R2))
    told.hear(ra(R1, pio(P), rio(Q), dns("2001:db8::53"), life=0))
    kinds = ("router", "prefix", "route", "dns")
    assert [told.keys(I1, kind) for kind in kinds] == [[], [P], [f"{Q} via {R1}"], ["2001:db8::53"]]
    assert told.keys(I2, "router") == [R2]


@pytest.mark.covers("feat:G4")
def test_routes_have_a_preference_and_an_end_and_a_default_one_speaks_for_its_router() -> None:
    told = Story().hear(ra(R1, rio("::/0", 600, "high"), rio(Q, 900, "low"), life=300, pref="low"))
    assert told.holdings(I1, "route") == {
        f"::/0 via {R1}": ("::/0", R1, "high"),
        f"{Q} via {R1}": (Q, R1, "low"),
    }
    (place,) = desired(told.state).places
    assert [(one.destination, one.preference) for one in place.routes] == [(Q, "low"), ("::/0", "high")]
    told.at(1).hear(ra(R1, rio("::/0", 0), rio(Q, 900, "low"), life=300, pref="low"))
    assert told.keys(I1, "route") == [f"{Q} via {R1}"]
    (place,) = desired(told.state).places
    assert [(one.destination, one.preference) for one in place.routes] == [(Q, "low"), ("::/0", "low")]


@pytest.mark.covers("feat:G5")
def test_a_resolver_or_name_is_withdrawn_by_itself() -> None:
    told = Story().hear(ra(R1, dns("2001:db8::53", "2001:db8::54"), search("a.example.", "b.example.")))
    told.hear(ra(R1, dns("2001:db8::53", life=0), search("b.example.", life=0)))
    assert (told.keys(I1, "dns"), told.keys(I1, "search")) == (["2001:db8::54"], ["a.example."])
    told.hear(ra(R1, dns("2001:db8::99", life=0)))
    assert told.keys(I1, "dns") == ["2001:db8::54"]


@pytest.mark.covers("feat:H3")
def test_time_is_what_the_records_say_and_nothing_waits_for_it() -> None:
    told = Story().hear(ra(R1, pio(P, 30 * 86_400, 86_400), life=9000))
    assert told.at(30 * 86_400 - 1).keys(I1, "prefix") == [P]
    assert told.at(30 * 86_400).alive() == []
    (began, lost, ended) = told.moves(I1)
    assert (began[0], lost[:2], ended[:2]) == (0, (9000, "lapsed"), (30 * 86_400, "lapsed"))
    quiet = Story().hear(ra(R1, pio(P, 30 * 86_400, 86_400), life=9000))
    quiet.now += 40 * 86_400 * SECOND  # nobody wakes it in between: the next record tells the time
    quiet.hear(ra(R2))
    assert quiet.moves(I1) == told.moves(I1) and quiet.refolded().pvds == quiet.state.pvds
