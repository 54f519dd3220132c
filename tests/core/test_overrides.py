"""What a profile adds to the PvDs it led to, or puts in their place (RFC 7556 §5.1).

Law: what was learned is compared before and after: a profile changes what is used, never what was said.
"""

import pytest

from events.ids import NEVER
from events.operator import ConnectionClosed, ConnectionOpened, Settings, SettingsLoaded, SettingsRemoved
from pvdcore.profiles.overrides import Override, Rerouted, laid_over, overrides, reaches, rerouted
from pvdcore.projections.desired import desired
from pvdcore.projections.resolving import lookups
from replay.shown.report import OverrideRow, state_document
from tests.sim.build import CLIENT, R1, Story, dns, pio, pvd, ra, rio, search

X, LEASED = "fqdn:x.example.", "ra:e1/1/fe80::1"
MINE, LEARNED = "192.0.2.99", "2001:db8::53"


def profile(**values: object) -> SettingsLoaded:
    """A profile of that name; `__` stands for `.`, `_` for `-`."""
    said = {name.replace("__", ".").replace("_", "-"): value for name, value in values.items()}
    return SettingsLoaded(settings=Settings("home", "toml", "home.toml:1", said))  # type: ignore[arg-type]


def connected(*loaded: SettingsLoaded, by: str = "operator", **policy: str) -> Story:
    """X on e0 with a resolver and a name, and the profile active there."""
    told = Story(**policy).hear(*loaded, ConnectionOpened(id="home@e0", settings="home", link="e0", by=by))
    return told.hear(ra(R1, pvd("x.example.", pio("2001:db8:1::/64"), dns(LEARNED), search("x.example."))))


def used(told: Story, id: str = X) -> tuple[tuple[str, ...], tuple[str, ...]]:
    (place,) = [one for one in desired(told.state, host=CLIENT).places if one.pvd == id]
    return place.servers, place.search


def rows(told: Story, id: str = X) -> list[OverrideRow]:
    (row,) = state_document(told.state, only=lambda one: one.id == id).pvds
    return [made for one in row.instances for made in one.overrides]


@pytest.mark.covers("rfc:A20")
def test_a_profile_supplements_what_was_learned_and_says_that_it_is_from_there() -> None:
    told = connected(profile(ipv4__dns=[MINE], ipv6__dns_search=["home.example."]))
    assert used(told) == ((MINE, LEARNED), ("home.example.", "x.example."))
    assert (told.keys(X, "dns"), told.keys(X, "search")) == ([LEARNED], ["x.example."]), "as it was learned"
    because = next(one.seq for one in told.journal.records() if isinstance(one.event, SettingsLoaded))
    assert rows(told) == [
        OverrideRow("home", "dns", "ipv4", [MINE], False, because, None),
        OverrideRow("home", "search", "ipv6", ["home.example."], False, because, None),
    ]
    assert len(told.history(X)) == 1, "the PvD did not change"


@pytest.mark.covers("rfc:A20")
def test_a_profile_may_put_its_own_in_the_place_of_what_was_learned_family_by_family() -> None:
    told = connected(profile(ipv6__dns=["2001:db8::99"], ipv6__ignore_auto_dns=True))
    assert used(told) == (("2001:db8::99",), ())
    assert told.keys(X, "dns") == [LEARNED]
    four = connected(profile(ipv4__dns=[MINE], ipv4__ignore_auto_dns=True))
    assert used(four)[0] == (MINE, LEARNED), "the other family is learned still"
    none = connected(profile(ipv6__ignore_auto_dns=True))
    assert used(none) == ((), ()) and rows(none)[0].instead


@pytest.mark.covers("rfc:A20")
@pytest.mark.parametrize(
    ("only", "used_"), [("vpn:*", (LEARNED,)), ("fqdn:x.* vpn:*", (MINE, LEARNED)), ("", (MINE, LEARNED))]
)
def test_where_a_policy_lets_a_vpn_alone_resolve_an_override_elsewhere_is_refused(
    only: str, used_: tuple[str, ...]
) -> None:
    told = connected(profile(ipv4__dns=[MINE]), resolvers_only=only)
    assert used(told)[0] == used_
    (row,) = rows(told)
    assert row.values == [MINE] and (row.refused is not None) is (used_ == (LEARNED,)), "recorded in either case"
    found = told.findings().get("override-refused")
    assert (found is not None) is (row.refused is not None)
    if found is not None:
        assert (found.link, found.pvd, row.refused) == ("e0", X, f"resolvers_only is {only}")
        said = f"settings home configure resolvers or names for {X}, which policy resolvers_only is {only} refuses"
        assert found.text == said
    places = desired(told.state).places
    assert [one.pvd for one in lookups(told.state, places, "a.test.")] == ([] if row.refused else [X])
    assert [one.pvd for one in lookups(told.state, places, "a.test.", X)] == [X], "who is bound to it asks it"


def test_it_counts_while_the_profile_is_active_there_and_on_no_other_link() -> None:
    told = connected(profile(ipv4__dns=[MINE])).leases4(link="e1").hear(ra(R1, dns(LEARNED), link="e1"))
    assert used(told, LEASED)[0] == ("192.0.2.53", LEARNED)
    told.hear(profile(ipv4__dns=["192.0.2.98"]))
    assert used(told)[0] == ("192.0.2.98", LEARNED)
    told.hear(ConnectionClosed(id="home@e0"))
    assert rows(told) == [] and LEARNED in told.keys(X, "dns")
    assert rows(connected(profile(ipv4__dns=[MINE])).hear(SettingsRemoved(id="home"))) == []
    assert rows(connected(profile(ipv4__dns=[MINE]), by="external")) == [], "another manager's business"
    elsewhere = connected(profile(ipv4__dns=[MINE], pvd__expected=["fqdn:y.example."]))
    assert rows(elsewhere) == [] and used(elsewhere)[0] == (LEARNED,), "this is not the network it is for"


def test_a_profile_with_an_address_keeps_its_resolvers_in_its_own_pvd() -> None:
    told = connected(profile(ipv4__addresses=["192.0.2.9/24"], ipv4__method="manual", ipv4__dns=[MINE]))
    assert rows(told) == [] and told.keys("static:home", "dns") == [MINE]
    twice = connected(profile(ipv6__dns=[LEARNED]))
    assert used(twice)[0] == (LEARNED,), "a resolver stands once"


def routed(told: Story) -> set[tuple[str, str | None]]:
    (place,) = [one for one in desired(told.state, host=CLIENT).places if one.pvd == X]
    return {(one.destination, one.via) for one in place.routes}


def routing(**values: object) -> Story:
    """X with a default route, a route and a prefix, and the profile active there."""
    told = Story().hear(profile(**values), ConnectionOpened(id="home@e0", settings="home", link="e0"))
    return told.hear(ra(R1, pvd("x.example.", pio("2001:db8:1::/64"), rio("2001:db8:a::/48"))))


ON_LINK, DEFAULT, ROUTE = ("2001:db8:1::/64", None), ("::/0", R1), ("2001:db8:a::/48", R1)


@pytest.mark.parametrize(
    ("values", "stands"),
    [
        ({}, {ON_LINK, DEFAULT, ROUTE}),
        ({"ipv6__never_default": True}, {ON_LINK, ROUTE}),
        ({"ipv4__never_default": True, "ipv4__ignore_auto_routes": True}, {ON_LINK, DEFAULT, ROUTE}),
        ({"ipv6__ignore_auto_routes": True}, {ON_LINK}),
        (
            {"ipv6__ignore_auto_routes": True, "ipv6__routes": ["2001:db8:b::/48 fe80::2", "2001:db8:c::/48"]},
            {ON_LINK, ("2001:db8:b::/48", "fe80::2"), ("2001:db8:c::/48", None)},
        ),
        (
            {"ipv6__routes": ["2001:db8:b::/48 2001:db8:1::9", "2001:db8:c::/48 2001:db8:9::9"]},
            {ON_LINK, DEFAULT, ROUTE, ("2001:db8:b::/48", "2001:db8:1::9")},
        ),
    ],
    ids=["nothing said", "never-default", "of the other family", "ignore-auto-routes", "its own instead", "reachable"],
)
def test_what_a_profile_says_of_routes_is_laid_over_what_was_learned(
    values: dict[str, object], stands: set[tuple[str, str | None]]
) -> None:
    told = routing(**values)
    assert routed(told) == stands
    assert set(told.keys(X, "route")) == {f"2001:db8:a::/48 via {R1}"}, "what was learned is as it was"
    told.hear(ConnectionClosed(id="home@e0", reason="carrier"))
    assert routed(told) == {ON_LINK, DEFAULT, ROUTE}


@pytest.mark.parametrize(
    ("values", "stands"),
    [
        ({}, {("0.0.0.0/0", "192.0.2.1")}),
        ({"ipv4__never_default": True}, set()),
        ({"ipv6__never_default": True, "ipv6__ignore_auto_routes": True}, {("0.0.0.0/0", "192.0.2.1")}),
        (
            {
                "ipv4__ignore_auto_routes": True,
                "ipv4__routes": ["198.51.100.0/24 192.0.2.9", "203.0.113.0/24 10.0.0.1"],
            },
            {("198.51.100.0/24", "192.0.2.9")},
        ),
        ({"ipv4__routes": ["0.0.0.0/0 192.0.2.1"]}, {("0.0.0.0/0", "192.0.2.1")}),
    ],
)
def test_what_a_profile_says_of_ipv4_routes_is_laid_over_a_lease(
    values: dict[str, object], stands: set[tuple[str, str | None]]
) -> None:
    told = Story().hear(profile(**values), ConnectionOpened(id="home@e0", settings="home", link="e0"))
    told.hear(ra(R1, pvd("x.example.", legacy=True))).leases4()
    (place,) = [one for one in desired(told.state, host=CLIENT).places if one.pvd == X]
    found = [one for one in place.routes if one.destination != "::/0"]
    assert {(one.destination, one.via) for one in found} == stands and len(found) == len(stands)
    own = [one for one in found if one.via == "192.0.2.9"]
    assert all((one.until, one.because, one.preference) == (NEVER, 4, "medium") for one in own)


def test_what_profiles_say_of_a_pvd_is_told_profile_by_profile_and_of_that_pvd_alone() -> None:
    told = Story(resolvers_only="fqdn:*")
    for id in ("b", "a"):
        values: dict[str, object] = {"ipv4.dns": ["192.0.2.1"], "ipv6.ignore-auto-dns": True, "ipv6.dns-search": ["x."]}
        told.hear(SettingsLoaded(settings=Settings(id, "toml", "", values)))  # type: ignore[arg-type]
    told.hear(ConnectionOpened(id="0", settings="a", link="e0", by="external"))
    told.hear(ConnectionOpened(id="1", settings="b", link="e0"), ConnectionOpened(id="2", settings="a", link="e0"))
    told.hear(ConnectionOpened(id="3", settings="nobody's", link="e0"))
    told.hear(ra(R1, pvd("x.example.")), ra(R1, link="e1"))
    first = [one.seq for one in told.journal.records() if isinstance(one.event, SettingsLoaded)]
    assert list(overrides(told.state, X, "e0", 1)) == [
        made
        for id, because in (("b", first[0]), ("a", first[1]))
        for made in (
            Override(id, "dns", "ipv4", ("192.0.2.1",), False, because),
            Override(id, "dns", "ipv6", (), True, because),
            Override(id, "search", "ipv6", ("x.",), True, because),
        )
    ]
    for elsewhere in ((X, "e0", 2), (X, "e1", 1), (LEASED, "e1", 1), ("fqdn:y.example.", "e0", 1)):
        assert list(overrides(told.state, *elsewhere)) == list(rerouted(told.state, *elsewhere)) == []
    told.hear(ra(R1))
    refused = {one.refused for one in overrides(told.state, "ra:e0/1/fe80::1", "e0", 1)}
    assert refused == {"resolvers_only is fqdn:*"}


def test_what_a_profile_configures_itself_is_not_laid_over_anything() -> None:
    own = {"ipv4__method": "manual", "ipv4__addresses": ["192.0.2.9/24"], "ipv4__dns": [MINE], "ipv4__routes": ["::/1"]}
    told = connected(profile(**own, ipv6__dns=["2001:db8::99"], ipv6__routes=["2001:db8:b::/48 fe80::2"]))
    assert told.state.connections["home@e0"].pvds == (X, "static:home")
    because = next(one.seq for one in told.journal.records() if isinstance(one.event, SettingsLoaded))
    assert list(overrides(told.state, X, "e0", 1)) == [
        Override("home", "dns", "ipv6", ("2001:db8::99",), False, because)
    ]
    assert list(rerouted(told.state, X, "e0", 1)) == [
        Rerouted("ipv6", False, False, (("2001:db8:b::/48", "fe80::2"),), because)
    ]
    assert list(overrides(told.state, "static:home", "e0", 1)) == []
    assert list(rerouted(told.state, "static:home", "e0", 1)) == []


def over(kind: str, *values: str, family: str = "ipv4", instead: bool = False, refused: str = "") -> Override:
    return Override("home", kind, family, values, instead, 1, refused)


@pytest.mark.parametrize(
    ("kind", "found", "stands"),
    [
        ("dns", [], ["192.0.2.53", LEARNED]),
        ("dns", [over("dns", MINE), over("dns", LEARNED, family="ipv6")], [MINE, LEARNED, "192.0.2.53"]),
        ("dns", [over("dns", MINE, instead=True)], [MINE, LEARNED]),
        ("dns", [over("dns", family="ipv6", instead=True)], ["192.0.2.53"]),
        ("dns", [over("dns", MINE, instead=True, refused="a policy")], ["192.0.2.53", LEARNED]),
        ("dns", [over("search", "home.", instead=True)], ["192.0.2.53", LEARNED]),
        ("search", [over("search", "home.")], ["home.", "192.0.2.53", LEARNED]),
        ("search", [over("search", "home.", family="ipv6", instead=True)], ["home."]),
    ],
)
def test_what_is_configured_comes_first_and_what_it_is_instead_of_goes(
    kind: str, found: list[Override], stands: list[str]
) -> None:
    assert laid_over(["192.0.2.53", LEARNED], found, kind) == stands


def test_a_next_hop_is_reached_on_its_link_or_through_a_prefix_on_it() -> None:
    assert reaches("fe80::1", ()) and reaches("192.0.2.1", ["2001:db8::/64", "192.0.2.0/24"])
    assert not reaches("192.0.2.1", ()) and not reaches("2001:db8:1::1", ["2001:db8::/64"])
