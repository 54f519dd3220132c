"""Names: which resolvers of which PvD are asked, and what an answer is good for (RFC 6731, RFC 7556 §5.2.1, RFC 8801
§3.4.4).

Law: what is said of a name by a network that is not trusted is recorded, and nothing follows from it.
"""

import pytest

from events.dhcp import RdnssSelection
from events.ids import SECOND
from events.ops import ResolverWrite
from events.pvdinfo import AdditionalInformation, PvdInfoFetched
from pvdcore.domains.resolvers import NameRule, Server, match, rank, servers
from pvdcore.projections.desired import Place, desired
from pvdcore.projections.plan import Have, plan
from pvdcore.projections.resolving import Lookup, belongs, connect, lookups, query
from pvdcore.projections.selection import Hop, Source
from replay.shown.report import state_document
from tests.sim.build import (
    CLIENT,
    DUID,
    R1,
    R2,
    START,
    Story,
    addresses,
    dns,
    ia_address,
    ia_na,
    pio,
    pvd,
    ra,
    rio,
    search,
)

X, Y, HOME = "fqdn:x.example.", "fqdn:y.example.", "if:e0/1"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
D1, D2, D3 = "2001:db8::53", "2001:db8::54", "2001:db8::55"
S2 = "00030001020000000002"


def rules6(server: str, *names: str, pref: str = "medium") -> RdnssSelection:
    """DHCPv6 option 74."""
    return RdnssSelection(74, (server,), pref, names, 0, 0)


def rules4(server: str, *names: str, pref: str = "medium") -> RdnssSelection:
    """DHCPv4 option 146."""
    return RdnssSelection(146, (server,), pref, names, 0, 0)


def place(told: Story, id: str = HOME, host: str = DUID) -> Place:
    return next(one for one in desired(told.state, host=host).places if one.pvd == id)


def asked(told: Story, name: str, id: str = HOME, host: str = DUID) -> list[str]:
    """The resolvers of one PvD for a name, in order."""
    return [one.address for found in lookups(told.state, [place(told, id, host)], name, id) for one in found.servers]


def informed(*options: RdnssSelection, policy: str = "trusted", links: str = "e0") -> Story:
    """A client asks for DNS by DHCPv6 alone, and is told of D1 for anything, too."""
    told = Story(rdnss_selection=policy, trusted_links=links)
    return told.asks6("INFORMATION-REQUEST", addresses(23, D1), *options, ask=(23, 74))


def recorded(told: Story, id: str = HOME) -> list[tuple[str, str, str]]:
    """The rules of a PvD, as the state document has them."""
    (row,) = state_document(told.state, only=lambda one: one.id == id).pvds
    return [(rule.server, rule.domain, rule.preference) for one in row.instances for rule in one.dns_rules]


# RFC 6731: which names are for which resolver


@pytest.mark.covers("rfc:G01")
def test_the_longest_rule_then_preference_says_whom_to_ask_for_a_name() -> None:
    told = informed(
        rules6(D2, "corp.example.", pref="low"),
        rules6(D3, "example.", "lab.corp.example.", pref="high"),
        rules6("2001:db8::56", "corp.example.", pref="high"),
    )
    assert recorded(told)[0] == (D2, "corp.example.", "low")
    assert asked(told, "www.corp.example.") == ["2001:db8::56", D2, D3, D1]
    assert asked(told, "a.lab.corp.example") == [D3, "2001:db8::56", D2, D1], "longest match, then preference"
    assert asked(told, "Example.") == [D3, D1]
    assert asked(told, "counterexample.") == [D1], "labels are compared, not text"
    assert match(NameRule(D1, "medium", (r"a\.b.", "b."), "dhcp6"), r"x.a\.b.") == r"a\.b.", "a dot within a label"


@pytest.mark.covers("rfc:G01", "rfc:G05", part="expected")
def test_the_order_of_resolvers_is_that_of_the_table() -> None:
    first = [
        Server(D1, "a.b.example.", "low", "ra"),  # the longest rule
        Server(D1, "b.example.", "low", "dhcp6"),  # what DHCPv6 says of a domain before what others do
        Server(D1, "b.example.", "high", "dhcp4"),
        Server(D1, "b.example.", "medium", "dhcp4"),
        Server(D1, "b.example.", "high", "ra"),
        Server(D1, "", "high", "dhcp4"),  # then defaults, by preference
        Server(D1, "", "medium", "dhcp6"),  # of a rule before of none
        Server(D1, "", "medium", "dhcp4"),
        Server(D1, "", "medium", "ra"),
        Server(D1),
    ]
    last = [Server(D1, "", "low", "dhcp6"), Server(D1, "", "low", "ra")]
    ranked = [rank(one) for one in first] + [rank(one, trusted=False) for one in first] + [rank(one) for one in last]
    assert sorted(ranked) == ranked and len(set(ranked)) == len(ranked)
    assert max(ranked) < min(rank(one, trusted=False) for one in last)


@pytest.mark.covers("rfc:G01", part="expected")
def test_of_domains_that_are_one_the_first_is_told() -> None:
    assert match(NameRule(D1, "medium", ("example.", "EXAMPLE."), "dhcp6"), "www.example.") == "example."
    assert match(NameRule(D1, "medium", ("test.", "."), "dhcp6"), "www.example.") == ""
    assert match(NameRule(D1, "medium", ("b.example.", "example."), "dhcp6"), "a.b.example") == "b.example."


@pytest.mark.covers("rfc:G01", "rfc:G05")
def test_a_trusted_pvd_is_asked_before_one_that_is_not_though_its_rule_is_longer() -> None:
    told = Story(rdnss_selection="validated", trusted_links="e0", lookup="several")
    told.asks6("INFORMATION-REQUEST", addresses(23, D1), rules6(D1, "example.", pref="medium"), ask=(23, 74))
    told.asks6("INFORMATION-REQUEST", rules6(D2, "corp.example.", ".", pref="high"), ask=(23, 74), link="e1")
    found = lookups(told.state, desired(told.state, host=DUID).places, "www.corp.example.")
    assert [(one.link, [it.address for it in one.servers]) for one in found] == [("e0", [D1]), ("e1", [D2])]
    found = lookups(told.state, desired(told.state, host=DUID).places, "elsewhere.test.")
    assert [one.link for one in found] == ["e0", "e1"], "A medium, B high: A then B"


@pytest.mark.covers("rfc:G05")
def test_a_trusted_resolver_that_would_rather_not_be_a_default_stands_behind_others() -> None:
    told = Story(rdnss_selection="validated", trusted_links="e0", lookup="several")
    told.asks6("INFORMATION-REQUEST", rules6(D1, ".", "corp.example.", pref="low"), ask=(74,))
    told.asks6("INFORMATION-REQUEST", addresses(23, D2), ask=(23,), link="e1")

    def order(name: str) -> list[str]:
        return [one.link for one in lookups(told.state, desired(told.state, host=DUID).places, name)]

    assert order("elsewhere.test.") == ["e1", "e0"], "A low, B medium: default B then A"
    assert order("www.corp.example.") == ["e0", "e1"], "of its own names it is asked first all the same"


@pytest.mark.covers("rfc:G02", "rfc:A19")
@pytest.mark.parametrize(
    ("policy", "links", "counts"),
    [("off", "e0", False), ("trusted", "", False), ("trusted", "e0", True), ("validated", "", True)],
)
def test_rules_of_an_open_network_are_recorded_and_do_nothing(policy: str, links: str, counts: bool) -> None:
    told = informed(rules6(D2, "bank.example."), policy=policy, links=links)
    assert recorded(told) == [(D2, "bank.example.", "medium")]
    assert asked(told, "www.bank.example.") == ([D2, D1] if counts else [D1])
    assert Story().state.policy.word("rdnss_selection") == "off", "and so it is unless somebody wants it"


@pytest.mark.covers("rfc:G03")
def test_a_reserved_preference_is_medium_and_the_operator_hears_of_it() -> None:
    told = informed(rules6(D2, "corp.example.", pref="reserved"), rules6(D3, "corp.example.", pref="low"))
    assert recorded(told) == [(D2, "corp.example.", "medium"), (D3, "corp.example.", "low")]
    assert asked(told, "corp.example.") == [D2, D3, D1], "it is not ignored"
    assert "rdnss-selection-reserved" in told.findings()


@pytest.mark.covers("rfc:G06")
def test_a_resolver_of_some_names_is_asked_for_no_others_unless_it_says_so() -> None:
    told = informed(rules6(D2, "corp.example."), rules6(D3, "lab.example.", ".", pref="low"))
    assert asked(told, "elsewhere.test.") == [D1, D3]
    assert asked(told, "corp.example.") == [D2, D1, D3]
    assert place(told).servers == (D1, D3), "resolv.conf, which knows no rules, has the defaults alone"
    assert asked(informed(rules6(D2)), "corp.example.") == [D1], "a list without a name is for none"


@pytest.mark.covers("rfc:G07")
def test_resolvers_of_other_options_are_defaults_of_medium_preference_and_nobody_counts_twice() -> None:
    told = informed(rules6(D2, "."), rules6(D3, ".", pref="high"))
    assert asked(told, "elsewhere.test.") == [D3, D2, D1], "of equals the one of this option first"
    twice = informed(rules6(D1, "corp.example.", pref="high"), rules6(D2, "."))
    assert asked(twice, "elsewhere.test.") == [D1, D2], "one list, D1 once, with what its rule says of it"
    assert asked(twice, "corp.example.") == [D1, D2]
    router = informed(rules6(D2, ".", pref="low")).hear(ra(R1, dns(D3), o=True))
    assert asked(router, "elsewhere.test.", f"ra:e0/1/{R1}") == [D1, D3, D2], "RA's among them"


@pytest.mark.covers("rfc:G08")
@pytest.mark.parametrize("first", [4, 6])
def test_of_two_that_claim_one_domain_dhcp6_counts_before_dhcp4(first: int) -> None:
    told = Story(rdnss_selection="trusted", trusted_links="e0").hear(ra(R1, m=True, o=True))
    for family in (first, 10 - first):
        if family == 4:
            told.leases4(rules4("192.0.2.54", "corp.example.", pref="high"))
        else:
            told.asks6("INFORMATION-REQUEST", rules6(D2, "corp.example."), ask=(74,))
        told.at(10)
    both = [one for host in (CLIENT, DUID) for one in place(told, f"ra:e0/1/{R1}", host).rules]
    assert {one.by for one in both} == {"dhcp4", "dhcp6"}, "in a capture, a client of each protocol"
    whole = Place(
        **{name: getattr(place(told, f"ra:e0/1/{R1}"), name) for name in Place.__struct_fields__ if name != "rules"},
        rules=tuple(both),
    )
    (found,) = lookups(told.state, [whole], "www.corp.example.", f"ra:e0/1/{R1}")
    assert [one.address for one in found.servers][:2] == [D2, "192.0.2.54"]


@pytest.mark.covers("rfc:G09")
def test_domains_of_a_known_resolver_are_added_and_each_ends_with_its_own_server() -> None:
    told = Story(rdnss_selection="trusted", trusted_links="e0")
    told.asks6("REQUEST", ia_na(ia_address("2001:db8:1::a", 600, 300)), rules6(D2, "corp.example."), ask=(74,))
    told.at(300).asks6("INFORMATION-REQUEST", rules6(D2, "lab.example."), ask=(74,), server=S2)
    assert recorded(told) == [(D2, "corp.example.", "medium"), (D2, "lab.example.", "medium")]
    assert place(told).rules == (NameRule(D2, "medium", ("corp.example.", "lab.example."), "dhcp6"),)
    assert asked(told, "corp.example.") == [D2] == asked(told, "lab.example.")
    told.at(601)
    assert recorded(told) == [(D2, "lab.example.", "medium")], "the second server did not prolong the first one's"
    one = informed(rules6(D2, "corp.example."), rules6(D2, "lab.example."))
    assert place(one).rules[0].domains == ("corp.example.", "lab.example."), "two options of one message"


@pytest.mark.covers("rfc:G13")
def test_rules_are_refreshed_with_what_they_came_with_and_not_kept_beyond() -> None:
    told = Story(rdnss_selection="trusted", trusted_links="e0").leases4(rules4("192.0.2.54", "corp.example."), life=600)
    assert [one.domains for one in place(told.at(2), host=CLIENT).rules] == [("corp.example.",)]
    told.at(300).leases4(rules4("192.0.2.54", "new.example."), life=600)
    assert [one.domains for one in place(told, host=CLIENT).rules] == [("new.example.",)], "renewed with the lease"
    assert told.at(899).alive() == [HOME] and told.at(900).alive() == []
    again = informed(rules6(D2, "corp.example."))
    again.at(10).asks6("INFORMATION-REQUEST", addresses(23, D1), ask=(23, 74))
    assert recorded(again) == [], "asked for again, and no longer said"
    kept = informed(rules6(D2, "corp.example.")).at(10).asks6("INFORMATION-REQUEST", addresses(23, D1), ask=(23,))
    assert recorded(kept) == [(D2, "corp.example.", "medium")], "not asked for"
    assert informed(rules6(D2, "corp.example.")).attach().alive() == [], "another link"


# PvDs: RFC 7556 and RFC 8801


def two(**policy: object) -> Story:
    """X by r1 and Y by r2, each with a prefix, a resolver in it and an address of the host's."""
    told = Story(**policy)  # type: ignore[arg-type]
    told.hear(ra(R1, pvd("x.example.", pio(P), dns("2001:db8:1::53"), search("x.example."))))
    told.hear(ra(R2, pvd("y.example.", pio(Q), dns("2001:db8:2::53"), rio("2001:db8:1::/64"))))
    return told.chooses("a")


@pytest.mark.covers("rfc:P66")
def test_a_query_leaves_by_a_router_and_from_an_address_of_its_pvd() -> None:
    told = two()
    for id, hop, source in ((X, None, "2001:db8:1::a"), (Y, None, "2001:db8:2::b")):
        one = place(told, id)
        (found,) = lookups(told.state, [one], "name.test.", id)
        way = query(told.state, one, found.servers[0])
        assert way is not None and (way[0].via, way[1].address) == (hop, source), id
    far = (
        Story()
        .hear(ra(R1, pvd("x.example.", pio(P), dns(D1))), ra(R2, pvd("y.example.", pio(Q), dns(D1))))
        .chooses("a")
    )
    ways = {id: query(far.state, place(far, id), Server(D1)) for id in (X, Y)}
    assert {id: (way[0].via, way[1].address) for id, way in ways.items() if way} == {
        X: (R1, "2001:db8:1::a"),
        Y: (R2, "2001:db8:2::b"),
    }, "one server of two PvDs is asked by each in its own way"
    alone = Story().hear(ra(R1, pvd("x.example.", dns(D1)))).hear(ra(R2, pvd("y.example.", pio(Q)))).chooses("a")
    assert query(alone.state, place(alone, X), Server(D1)) is None, "an address of Y is none of X"


@pytest.mark.covers("rfc:P67", "rfc:A07")
def test_an_answer_is_used_in_the_pvd_that_was_asked_and_in_no_other() -> None:
    told = two(lookup="several")
    x, y = place(told, X), place(told, Y)
    found = lookups(told.state, [x, y], "name.test.")
    assert [(one.pvd, [it.address for it in one.servers]) for one in found] == [
        (X, ["2001:db8:1::53"]),
        (Y, ["2001:db8:2::53"]),
    ], "each answer has its PvD"
    way = connect(told.state, found[0], x, "2001:db8:ffff::1")
    assert way is not None and (way[0].via, way[1].address) == (R1, "2001:db8:1::a")
    assert connect(told.state, found[0], y, "2001:db8:ffff::1") is None
    assert connect(told.state, found[1], x, "2001:db8:ffff::1") is None
    again = Story().hear(ra(R1, pvd("x.example.", dns(D1))), ra(R1, pvd("x.example.", dns(D1)), link="e1"))
    e0, e1 = desired(again.state).places
    assert not belongs(again.state, Lookup(X, "e0", 1, "a.", ()), e1), "nor on another link of its name"
    assert belongs(again.state, Lookup(X, "e0", 1, "a.", ()), e0)
    trusted = Story(trusted_links="e*").hear(ra(R1, pvd("x.example.")), ra(R1, pvd("x.example."), link="e1"))
    assert belongs(trusted.state, Lookup(X, "e0", 1, "a.", ()), desired(trusted.state).places[1])


@pytest.mark.covers("rfc:A07")
def test_who_is_bound_asks_one_pvd_and_who_is_not_as_many_as_the_policy_says() -> None:
    places = [place(two(), X), place(two(), Y)]
    assert [one.pvd for one in lookups(two().state, places, "name.test.", Y)] == [Y]
    assert [one.pvd for one in lookups(two().state, places, "name.test.")] == [X]
    assert [one.pvd for one in lookups(two(lookup="several").state, places, "name.test.")] == [X, Y]
    assert lookups(two(lookup="several").state, places, "name.test.", "fqdn:z.example.") == ()


@pytest.mark.covers("rfc:P68")
def test_a_resolv_conf_has_the_resolvers_of_one_pvd() -> None:
    told = two()
    written = {op.netns: op for op, _ in plan(desired(told.state), Have()).ops if isinstance(op, ResolverWrite)}
    assert {(op.servers, op.search) for op in written.values()} == {
        (("2001:db8:1::53",), ("x.example.",)),
        (("2001:db8:2::53",), ()),
    }
    assert set(written) == {place(told, X).netns, place(told, Y).netns}


@pytest.mark.covers("rfc:G04", "rfc:A19")
def test_a_lookup_in_one_pvd_never_goes_to_a_resolver_of_another_whatever_that_claims() -> None:
    told = two(rdnss_selection="validated", trusted_links="e0")
    told.hear(ra(R1, pvd("x.example.", pio(P), h=True), o=True))
    told.asks6("INFORMATION-REQUEST", rules6(D2, "y.example.", "bank.example.", pref="high"), ask=(74,))
    said = AdditionalInformation("x.example.", START + 3600 * SECOND, ("2001:db8::/32",), zones=("bank.example.",))
    told.hear(PvdInfoFetched(pvd=X, link="e0", epoch=1, sequence=0, body='{"dnsZones": []}', said=said))
    assert told.state.inquiries[X, "e0", 1].held is not None, "recorded"
    assert (D2, "bank.example.", "high") in recorded(told, X)
    assert asked(told, "www.bank.example.", X)[0] == D2, "which X may do to itself"
    assert asked(told, "www.bank.example.", Y) == ["2001:db8:2::53"] == asked(told, "y.example.", Y)
    assert place(told, Y).search == () and place(told, X).search == ("x.example.",)


@pytest.mark.covers("rfc:A13")
@pytest.mark.parametrize("policy", ["trusted", "off"])
def test_a_pvd_that_has_proved_its_name_is_asked_before_others_and_may_say_rules(policy: str) -> None:
    told = two(lookup="several", trusted="y.example.", rdnss_selection=policy)
    places = [place(told, X), place(told, Y)]
    whole = {id: Lookup(id, "e0", 1, "name.test.", servers(place(told, id).servers, (), "name.test.")) for id in (X, Y)}
    assert lookups(told.state, places, "name.test.") == (whole[X], whole[Y]), "it is listed, and has not proved it yet"
    told.hear(ra(R2, pvd("y.example.", pio(Q), dns("2001:db8:2::53"), h=True), o=True))
    said = AdditionalInformation("y.example.", START + 3600 * SECOND, ("2001:db8::/32",))
    told.hear(PvdInfoFetched(pvd=Y, link="e0", epoch=1, sequence=0, body="{}", said=said))
    assert lookups(told.state, places, "name.test.") == (whole[Y], whole[X])
    told.asks6("INFORMATION-REQUEST", rules6(D2, "corp.example.", pref="high"), ask=(74,))
    ruled = {id: [one.server for one in place(told, id).rules] for id in (X, Y)}
    assert ruled == {X: [], Y: [D2] if policy == "trusted" else []}


def test_a_link_local_resolver_is_asked_on_its_own_link() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P), dns("fe80::53")))).chooses("a")
    one = place(told, X)
    (found,) = lookups(told.state, [one], "name.test.", X)
    assert [it.address for it in found.servers] == [f"fe80::53%{one.device}"]
    way = query(told.state, one, found.servers[0])
    assert way == (Hop(None, "fe80::/64", "link-local"), Source("2001:db8:1::a", ""))
