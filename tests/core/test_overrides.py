"""What a profile adds to the PvDs it led to, or puts in their place (RFC 7556 §5.1).

Law: what was learned is compared before and after: a profile changes what is used, never what was said.
"""

import pytest

from events.operator import ConnectionClosed, ConnectionOpened, Settings, SettingsLoaded, SettingsRemoved
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
    assert ("override-refused" in told.findings()) is (row.refused is not None)
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
