"""PvDs as routing tables: a source leads to its PvD's table, and no table leads into another PvD."""

import pytest
from msgspec.structs import replace

from events.identifiers import IdentifierChosen
from events.ids import NEVER, SECOND
from events.link import AddressGone, AddressSeen, LinkSeen
from events.operator import PolicySet
from events.ops import AddressAdd, AddressDelete, Outcome, PlanApplied, RouteAdd, RouteDelete, RuleAdd, RuleDelete
from events.vpn import VpnConnected
from pvdcore.host.addresses import wanted_identifiers
from pvdcore.projections.desired import Desired, Place, WantedRoute, WantedRule, desired
from pvdcore.projections.model import ModelKernel
from pvdcore.projections.plan import METRICS, Have, Standing, plan
from pvdcore.projections.tables import (
    METRIC_LAST,
    PRIORITY,
    TABLES_FIRST,
    TABLES_SPAN,
    number,
    ours,
    projected,
    steered,
    tables,
    using,
)
from pvdcore.state import Placement
from tests.sim.build import (
    CLIENT,
    DUID,
    R1,
    R2,
    START,
    Story,
    dns,
    ia_address,
    ia_na,
    mtu,
    pio,
    pvd,
    ra,
    rio,
    search,
    steering,
)

X, Y = "fqdn:x.example.", "ra:e0/1/fe80::2"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
S1, S2 = "2001:db8:1::a", "2001:db8:2::a"
HOUR = 3600


def apply(kernel: ModelKernel, want: Desired) -> list[object]:
    """Plan and do; a second plan has nothing to do."""
    ops = [op for op, _ in plan(want, kernel.observe()).ops]
    for op in ops:
        assert kernel.apply(op, want.at) == Outcome(op)
    assert plan(want, kernel.observe()).ops == ()
    return list(ops)


def first(kernel: ModelKernel) -> Standing:
    """What stands in the first namespace."""
    return kernel.observe().namespaces[""]


def has(told: Story, *pairs: tuple[str, str]) -> Story:
    """Addresses that we form, and that stand."""
    for prefix, address in pairs:
        told.hear(IdentifierChosen(link="e0", epoch=1, prefix=prefix, kind="stable", iid=address.split("::")[1]))
        told.hear(AddressSeen(link="e0", address=f"{address}/64", flags=0, origin="ours"))
    return told


def two() -> Story:
    return has(Story().hear(ra(R1, pvd("x.example."), pio(P)), ra(R2, pio(Q))), (P, S1), (Q, S2))


def places(want: Desired) -> dict[str, Place]:
    return {one.pvd: one for one in want.places}


def test_each_pvd_has_its_table_and_each_address_a_rule_to_it() -> None:
    want = places(steering(two().state))
    assert sorted(want) == [X, Y]
    for pvd_, source, router in ((X, S1, R1), (Y, S2, R2)):
        place = want[pvd_]
        assert {(one.source, one.table, one.priority) for one in place.steers} == {
            (f"{source}/128", place.table, PRIORITY)
        }
        assert tables(place) == {place.table}
        assert {one.via for one in place.routes} == {None, router}
        assert [one.address for one in place.addresses] == [f"{source}/64"]
        ends = [one for one in place.routes if one.kind == "unreachable"]
        assert {one.destination for one in ends} == {"::/0", "0.0.0.0/0"}  # nothing falls through into another PvD
        assert all(one.metric > max(METRICS.values()) + 512 for one in ends)
        assert (place.netns, place.device) == ("", "e0")


@pytest.mark.covers("rfc:Q03", "rfc:Q01", "rfc:Q07")
def test_routers_of_one_pvd_with_prefixes_of_their_own_have_a_table_for_each() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), pio(P), pref="low"), ra(R2, pvd("x.example."), pio(Q), pref="high"))
    (place,) = steering(has(told, (P, S1), (Q, S2)).state).places
    by_source = {
        rule.source: {one.via for one in place.routes if one.table == rule.table and one.via} for rule in place.steers
    }
    assert by_source == {f"{S1}/128": {R1}, f"{S2}/128": {R2}}
    shared = Story().hear(ra(R1, pvd("x.example."), pio(P), pref="low"), ra(R2, pvd("x.example."), pio(P)))
    (place,) = steering(has(shared, (P, S1)).state).places
    assert tables(place) == {place.table}, "who may use all routers needs no table of his own"
    kernel = ModelKernel()
    apply(kernel, steering(shared.state))
    metrics = {via: metric for _, via, metric, _ in first(kernel).routes if via}
    assert metrics[R2] < metrics[R1]


@pytest.mark.covers("rfc:S13", "rfc:S20", "rfc:S11")
def test_rules_follow_their_addresses() -> None:
    told = Story(dad="wait").hear(ra(R1, pvd("x.example."), pio(P, HOUR, 600)))
    told.hear(LinkSeen(link="e0", identity="netns:1:2:1", kind="veth", ifindex=2, name="e0", host=True))
    mine = {"link": "e0", "address": f"{S1}/64", "origin": "kernel-ra", "valid_s": HOUR, "preferred_s": 600}
    told.hear(AddressSeen(**mine, flags=0x40))  # type: ignore[arg-type]
    assert places(steering(told.state))[X].steers == ()  # tentative
    kernel = ModelKernel()
    told.hear(AddressSeen(**mine, flags=0))  # type: ignore[arg-type]
    assert any(isinstance(op, RuleAdd) for op in apply(kernel, steering(told.state)))
    told.at(700)  # deprecated: it is answered from as before
    assert [one.source for one in places(steering(told.state))[X].steers] == [f"{S1}/128"]
    assert apply(kernel, steering(told.state)) == []
    told.at(HOUR)
    gone = apply(kernel, steering(told.state))
    assert {type(op) for op in gone} == {RuleDelete, RouteDelete}
    assert isinstance(gone[0], RuleDelete)  # before the routes it leads to
    assert first(kernel) == Standing()


def test_what_is_ours_to_write_comes_behind_its_rule_and_goes_before_it() -> None:
    told, kernel = two(), ModelKernel()
    made = [type(op) for op in apply(kernel, steering(told.state)) if not isinstance(op, RouteAdd)]
    assert made == [RuleAdd, AddressAdd] * 2
    gone = [type(op) for op in apply(kernel, Desired(told.state.now, ()))]
    assert [one for one in gone if one is not RouteDelete] == [AddressDelete] * 2 + [RuleDelete] * 2
    assert gone.index(RouteDelete) == 4


@pytest.mark.covers("rfc:S09")
def test_what_the_kernel_says_of_an_address_it_made_counts() -> None:
    """The model would keep it two hours; the kernel honoured the router's ten minutes."""
    told = Story().hear(ra(R1, pvd("x.example."), pio(P, 10 * HOUR, HOUR)))
    kernel_made = {"link": "e0", "address": "2001:db8:1::99/64", "origin": "kernel-ra"}
    told.hear(AddressSeen(**kernel_made, flags=0, valid_s=600, preferred_s=300))  # type: ignore[arg-type]
    told.hear(AddressSeen(link="e0", address="2001:db8:77::1/64", flags=0, origin="kernel-ra"))

    def rules() -> list[tuple[str, int]]:
        return [(one.source, one.until) for place in steering(told.state).places for one in place.steers]

    assert rules() == [("2001:db8:1::99/128", START + 600 * SECOND)]  # the other is of no prefix of an RA: of no PvD
    told.at(600)
    assert rules() == []
    told.hear(AddressSeen(**kernel_made, flags=0, valid_s=None))  # type: ignore[arg-type]
    assert rules() == [("2001:db8:1::99/128", NEVER)]
    told.hear(AddressGone(link="e0", address="2001:db8:1::99/64"))
    assert rules() == []


def test_an_address_that_somebody_else_formed_is_used_and_not_written() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), pio(P)))
    told.hear(AddressSeen(link="e0", address=f"{S2}/64", flags=0, origin="static"))  # of no prefix of this PvD
    told.hear(AddressSeen(link="e0", address="2001:db8:1::77/64", flags=0, origin="other"))  # NetworkManager's, say
    (place,) = steering(told.state).places
    assert [one.source for one in place.steers] == ["2001:db8:1::77/128"] and place.addresses == ()


def test_routers_that_repeat_one_prefix_in_turns_do_not_pull_an_address_to_and_fro() -> None:
    told = Story().hear(ra(R1, pio(P)), ra(R2, pio(P)))
    told.hear(AddressSeen(link="e0", address=f"{S1}/64", flags=0, origin="kernel-ra"))
    for router in (R1, R2, R1):
        told.at(told.state.now // SECOND - START // SECOND + 10).hear(ra(router, pio(P)))
        found = {pvd_: [one.source for one in place.steers] for pvd_, place in places(steering(told.state)).items()}
        assert found == {"ra:e0/1/fe80::1": [f"{S1}/128"], "ra:e0/1/fe80::2": []}


def test_a_lease_the_host_has_gets_its_table_too() -> None:
    told = Story().leases4().at(2).hear(AddressSeen(link="e0", address="192.0.2.10/24", flags=0))
    (place,) = steering(told.state, host=CLIENT).places
    assert [one.source for one in place.steers] == ["192.0.2.10/32"]
    assert ("0.0.0.0/0", "192.0.2.1") in {(one.destination, one.via) for one in place.routes}
    assert place.addresses == (), "the DHCP client has configured it"


def test_what_is_right_is_not_written_again_and_what_is_not_ours_stays() -> None:
    told, kernel = two(), ModelKernel()
    foreign = (RouteAdd("", "eth0", "::/0", "fe80::99", table=100), RuleAdd("", 5, "2001:db8:9::/64", 100))
    for op in foreign:
        kernel.apply(op, 0)
    apply(kernel, steering(told.state))
    writes = kernel.writes
    told.hear(ra(R1, pvd("x.example."), pio(P)), ra(R2, pio(Q)))
    assert apply(kernel, steering(told.state)) == []
    assert kernel.writes == writes
    told.at(60).hear(ra(R1, pvd("x.example."), pio(P)))
    assert {type(op) for op in apply(kernel, steering(told.state))} == {RouteAdd, AddressAdd}  # lifetimes that moved
    apply(kernel, Desired(told.state.now, ()))
    assert first(kernel).rules == {(5, "2001:db8:9::/64", 100)}
    assert [key[3] for key in first(kernel).routes] == [100]


def test_the_model_refuses_what_linux_refuses_and_what_is_the_hosts() -> None:
    kernel = ModelKernel()
    rule = ("", 5, "2001:db8::/64", 7)
    assert kernel.apply(RuleDelete(*rule), 0).error == "ENOENT"
    assert kernel.apply(RuleAdd(*rule), 0).error == ""
    assert kernel.apply(RuleAdd(*rule), 0).error == "EEXIST"
    assert kernel.apply(RouteDelete("", "e0", "::/0", R1, table=7), 0).error == "ESRCH"
    assert Have().namespaces == {}


@pytest.mark.covers("feat:L1")
def test_a_tables_number_is_derived_in_a_range_of_our_own_and_set_apart_where_two_meet() -> None:
    first_ = number(X, "e0", 1, (R1,), frozenset())
    assert first_ == number(X, "e0", 1, (R1,), frozenset())
    assert ours(first_)
    assert TABLES_FIRST <= first_ < TABLES_FIRST + TABLES_SPAN
    assert number(X, "e0", 1, (R1,), {first_}) == first_ + 1
    assert (
        len({first_, number(X, "e0", 2, (R1,), set()), number(X, "e1", 1, (R1,), set()), number(X, "e0", 1, (), set())})
        == 4
    )
    assert not any(ours(one) for one in (0, 100, 252, 253, 254, 255, 52, 51820))


def test_routes_follow_the_name_the_link_has_now_and_the_route_policy() -> None:
    told = has(Story(rio=False).hear(ra(R1, pvd("x.example."), pio(P), rio("2001:db8:ff::/48"))), (P, S1))
    told.hear(LinkSeen(link="e0", identity="capture:e0", name="renamed0"))
    (place,) = steering(told.state).places
    assert place.device == "renamed0"
    assert "2001:db8:ff::/48" not in {one.destination for one in place.routes}


# --- Whose it is to form addresses ----------------------------------------------------------------------------


def asks(told: Story) -> list[tuple[str, int]]:
    """The identifiers that are wanted, and after how many milliseconds at least."""
    return [(one.prefix, one.delay_ms_min) for one in wanted_identifiers(told.state)]


def test_a_prefix_in_a_pvd_option_is_ours_to_form_and_others_have_their_turn_at_all_others() -> None:
    inside = ra(R1, pvd("x.example.", pio(P)))
    assert asks(Story(projection="tables").hear(inside)) == [(P, 0)], "nobody else reads it"
    assert asks(Story(projection="tables").hear(ra(R1, pvd("x.example."), pio(P)))) == [(P, 2000)]
    told = Story(projection="tables").hear(ra(R1, pio(P)))
    told.hear(AddressSeen(link="e0", address=f"{S1}/64", flags=0, origin="kernel-ra"))
    assert asks(told) == [], "the host has one"
    told.hear(AddressGone(link="e0", address=f"{S1}/64"))
    assert asks(told) == [(P, 2000)]
    told.hear(AddressSeen(link="e0", address=f"{S1}/64", flags=0, origin="ours"))
    assert asks(told) == [(P, 2000)], "ours does not stand in its own way"


# --- What becomes of it -----------------------------------------------------------------------------------------


def written(
    op: RouteAdd | RuleAdd, error: str = "", *, left: tuple[object, ...] = (), table: int = TABLES_FIRST
) -> PlanApplied:
    return PlanApplied(
        projection="tables",
        pvd=X,
        outcomes=(Outcome(op, error),),
        link="e0",
        epoch=1,
        left=left,  # type: ignore[arg-type]
        table=table,
    )


ROUTE = RouteAdd("", "e0", "::/0", R1, table=TABLES_FIRST)
RULE = RuleAdd("", PRIORITY, f"{S1}/128", TABLES_FIRST)


def stands(told: Story) -> tuple[str, str | None, list[tuple[object, int]]]:
    """Phase, table, and what fails how often, of the only instance."""
    (instance,) = told.instances(X)
    at = instance.placement
    return instance.phase, at.name if at else None, [(one.op, one.count) for one in at.failed] if at else []


def placed() -> Story:
    return Story(projection="tables").hear(ra(R1, pvd("x.example.", pio(P))), written(ROUTE))


def test_an_instance_is_placed_in_its_table_and_is_not_when_nothing_stands() -> None:
    told = placed()
    assert stands(told) == ("placed", str(TABLES_FIRST), [])
    assert told.instances(X)[0].placement == Placement("tables", str(TABLES_FIRST), "e0"), "on the host's own device"
    told.hear(PlanApplied(projection="tables", pvd=X, outcomes=(), link="e0", epoch=1))
    assert stands(told) == ("announced", None, [])


def test_what_failed_waits_for_its_instant_while_other_things_succeed_and_goes_when_it_is_wanted_no_more() -> None:
    told = placed().hear(written(ROUTE, "ENODEV"))
    assert stands(told)[2] == [(ROUTE, 1)]
    told.hear(written(RULE, left=(ROUTE,)))
    assert stands(told)[2] == [(ROUTE, 1)], "it was not tried again"
    told.hear(written(ROUTE, "ENODEV"))
    assert stands(told)[2] == [(ROUTE, 2)]
    told.hear(written(RULE, "EPERM"))
    assert stands(told)[2] == [(ROUTE, 2), (RULE, 1)], "nobody looked"
    told.hear(written(ROUTE))
    assert stands(told)[2] == [], "the rule is neither left nor tried: it is wanted no more"
    told.hear(written(ROUTE, left=(ROUTE,)))
    assert stands(told)[2] == [(ROUTE, 1)], "done, and not there"


def test_what_ended_lingers_until_its_tables_are_gone() -> None:
    told = placed().hear(ra(R1, pvd("x.example.", pio(P, 0, 0)), life=0))
    assert stands(told)[0] == "lingering"
    gone = RouteDelete("", "", "::/0", R1, 1024, TABLES_FIRST)
    told.hear(PlanApplied(projection="tables", pvd=X, outcomes=(Outcome(gone, "EPERM"),), link="e0", epoch=1))
    assert stands(told)[0] == "lingering" and [one for one, _ in stands(told)[2]] == [gone]
    told.hear(PlanApplied(projection="tables", pvd=X, outcomes=(Outcome(gone, "ESRCH"),), link="e0", epoch=1))
    assert not told.instances(X)


def test_a_link_given_to_another_projection_is_placed_nowhere_until_a_record_says_so() -> None:
    told = placed()
    values = dict(told.state.policy.values)
    told.hear(PolicySet(values=values, projections=(("e9*", "none"), ("e*", "netns"))))
    assert told.state.policy.projection("e0") == "netns" and told.state.policy.projection("w0") == "tables"
    assert stands(told) == ("announced", None, [])
    told.hear(PlanApplied(projection="tables", pvd=X, outcomes=(), link="e0", epoch=1))
    assert stands(told) == ("announced", None, []), "what is taken away of the tables says nothing of the namespace"
    told.hear(PolicySet(values={**values, "projection": "none"}))
    assert not told.state.policy.projects()


# --- Whole, and at the edges ------------------------------------------------------------------------------------


def many() -> Story:
    """Two routers of x.example with a prefix each, and a lease beside."""
    first_, second = (
        ra(R1, pvd("x.example."), pio(P), mtu(1400), dns("2001:db8::53"), pref="low", hop=32),
        ra(R2, pvd("x.example."), pio(Q), search("x."), pref="high", life=900),
    )
    told = has(Story().hear(first_, second), (P, S1), (Q, S2)).leases4()
    return told.hear(AddressSeen(link="e0", address="192.0.2.10/24", flags=0))


def test_a_place_in_tables_says_nothing_that_is_the_hosts() -> None:
    told = many()
    as_namespace = {one.pvd: one for one in desired(told.state, host=CLIENT).places}[X]
    whole, one, other = 1560704907, 1363023554, 1496071118  # found again after a restart
    ends = START + 86400 * SECOND
    on_link = [WantedRoute(P, None, "medium", ends, 4), WantedRoute(Q, None, "medium", ends, 5)]
    by1 = WantedRoute("::/0", R1, "low", START + 1800 * SECOND, 4)
    by2 = WantedRoute("::/0", R2, "high", START + 900 * SECOND, 5)
    last = [
        WantedRoute(to, None, "medium", NEVER, 0, kind="unreachable", metric=METRIC_LAST)
        for to in ("0.0.0.0/0", "::/0")
    ]
    each = ((whole, (by2, by1)), (one, (by1,)), (other, (by2,)))
    (place, leased_) = steering(told.state, host=CLIENT).places
    assert place == replace(
        as_namespace,
        netns="",
        device="e0",
        mtu=0,
        hop_limit=0,
        servers=(),
        search=(),
        mac="",
        table=whole,
        routes=tuple(replace(each_, table=at) for at, ways in each for each_ in (*on_link, *ways, *last)),
        steers=(
            WantedRule(PRIORITY, f"{S1}/128", one, ends, 4),
            WantedRule(PRIORITY, f"{S2}/128", other, ends, 5),
        ),
    )
    assert (leased_.table, leased_.addresses) == (1392152057, ())
    assert leased_.steers == (WantedRule(PRIORITY, "192.0.2.10/32", 1392152057, START + 3600 * SECOND, 11),)


def test_a_tunnels_place_in_tables_is_moved_nowhere() -> None:
    told = Story().hear(LinkSeen(link="t7", identity="netns:1:7:1", kind="tun", ifindex=7, name="tun0", host=True))
    told.hear(VpnConnected(vpn="corp", client="openvpn", device="tun0", ifindex=7, addresses=("10.8.0.2/24",)))
    (place,) = steering(told.state).places
    assert (place.tunnel, place.device, place.netns) == ("", "tun0", "")


def test_numbers_that_meet_are_set_apart_within_an_instance_and_between_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pvdcore.projections.tables.TABLES_SPAN", 4)
    (one, other) = steering(many().state, host=CLIENT).places
    assert len(tables(one)) == 3 and len(tables(other)) == 1
    assert tables(one) | tables(other) == {TABLES_FIRST + at for at in range(4)}
    only = projected(many().state, desired(many().state, host=CLIENT), lambda link: False)
    assert only == desired(many().state, host=CLIENT)
    before = many().hear(ra(R1, pvd("a.example.")))
    found = [tables(one) for one in steering(before.state).places]
    assert [len(one) for one in found] == [1, 3] and set().union(*found) == {TABLES_FIRST + at for at in range(4)}
    several = Story().hear(*(ra(R1, pvd(f"{name}.example.")) for name in "abcd"))
    assert set().union(*(tables(one) for one in steering(several.state).places)) == set().union(*found)
    monkeypatch.undo()
    assert ours(TABLES_FIRST) and ours(TABLES_FIRST + TABLES_SPAN - 1) and not ours(TABLES_FIRST + TABLES_SPAN)


def sources_of(told: Story, host: str | None = None, id: str = X) -> list[str]:
    found = [one for one in steering(told.state, host=host).places if (one.pvd, one.link) == (id, "e0")]
    return [rule.source.split("/")[0] for one in found for rule in one.steers]


def live(told: Story, link: str = "e0") -> Story:
    return told.hear(
        LinkSeen(link=link, identity=f"netns:1:{link[1:]}:1", kind="veth", ifindex=2, name=link, host=True)
    )


def test_on_a_link_of_the_host_a_lease_is_spoken_from_once_the_address_stands() -> None:
    told = live(Story(dad="wait")).leases4().at(2)
    assert sources_of(told, CLIENT, "if:e0/1") == []
    told.hear(AddressSeen(link="e0", address="192.0.2.10/24", flags=0x40))
    assert sources_of(told, CLIENT, "if:e0/1") == [], "while it is tried"
    told.hear(AddressSeen(link="e0", address="192.0.2.10/24", flags=0))
    assert sources_of(told, CLIENT, "if:e0/1") == ["192.0.2.10"]
    mine = live(Story().hear(ra(R1, pvd("x.example."), pio(P))))
    mine.hear(IdentifierChosen(link="e0", epoch=1, prefix=P, kind="stable", iid="a"))
    assert sources_of(mine) == [S1], "what we write has its rule before it stands"


def test_link_local_addresses_have_no_rule_and_keep_nobody_else_from_one() -> None:
    told = two()
    (place,) = [one for one in desired(told.state).places if one.pvd == X]
    (mine,) = place.addresses
    local = replace(mine, address="fe80::5/64", origin="static")
    found = steered(told.state, replace(place, addresses=(local, mine)), set())
    assert [one.source for one in found.steers] == [f"{S1}/128"]
    assert [one.address for one in found.addresses] == [f"{S1}/64"]
    told.hear(AddressSeen(link="e0", address=f"{S1}/64", flags=0, origin="kernel-ra"))
    assert places(steering(told.state))[X].addresses == (), "the kernel made the same one"


def test_addresses_of_another_link_of_a_lease_or_of_another_pvd_are_not_a_pvds() -> None:
    x = pvd("x.example.")
    told = Story().hear(ra(R1, x, pio(P)), ra(R1, x, pio(P), link="e1"), ra(R2, pio("2001:db8::/32")))
    for link, address, origin in (
        ("e1", "2001:db8:1::1", "kernel-ra"),
        ("e0", "2001:db8:1::2", "ours"),
        ("e0", "2001:db8:7::3", "kernel-ra"),
        ("e0", "2001:db8:1::4", "kernel-ra"),
    ):
        told.hear(AddressSeen(link=link, address=f"{address}/64", flags=0, origin=origin))
    found = {(one.pvd, one.link): [rule.source for rule in one.steers] for one in steering(told.state).places}
    assert found == {
        (X, "e0"): ["2001:db8:1::4/128"],
        (X, "e1"): ["2001:db8:1::1/128"],
        (Y, "e0"): ["2001:db8:7::3/128"],
    }
    told.at(5).hear(ra(R1, x, pio(P), m=True)).asks6("SOLICIT", ia_na(ia_address("2001:db8:1::4")))
    assert sources_of(told) == [], "it is where its lease is"
    assert sources_of(told, DUID) == ["2001:db8:1::4"]
    told.hear(AddressSeen(link="e0", address="2001:db8:1::8/64", flags=0, origin="kernel-ra"))
    assert sources_of(told) == ["2001:db8:1::8"]


def test_an_address_of_the_kernels_is_spoken_from_until_the_end_that_the_kernel_counts_to() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), pio(P)))
    told.hear(AddressSeen(link="e0", address=f"{S1}/64", flags=0, origin="kernel-ra", valid_s=60))
    assert sources_of(told.at(59.9)) == [S1] and sources_of(told.at(60)) == []


def test_whose_tables_an_address_may_be_looked_up_in() -> None:
    told = many().hear(ra("fe80::3", pio("2001:db8:1::/48")))
    asked = ("192.0.2.10", S1, "2001:db8:1:7::1", "192.0.2.11", "2001:db9::1")
    assert [using(told.state, "e0", one) for one in asked] == [
        {"ra:e0/1/fe80::3"},  # the lease is there, though its address is of no prefix
        {X},
        {"ra:e0/1/fe80::3"},
        set(),
        set(),
    ]
    assert [using(told.state, link, S1) for link in ("e1", "elsewhere")] == [set(), set()]


def test_a_source_whose_routers_lead_nowhere_goes_by_the_others_where_policy_lets_it_and_ipv4_by_any() -> None:
    for allowed in (False, True):
        told = Story(src_router_fallback=allowed)
        told.hear(ra(R1, pvd("x.example.", legacy=True), pio(P), life=0), ra(R2, pvd("x.example."), pio(Q)))
        place = places(steering(has(told, (P, S1), (Q, S2)).state))[X]
        ways = {
            rule.source: [one.via for one in place.routes if one.table == rule.table and one.kind == "unicast"]
            for rule in place.steers
        }
        assert ways == {f"{S1}/128": [None, None, *([R2] if allowed else [])], f"{S2}/128": [None, None, R2]}
    four = Story(src_router_fallback=True).hear(ra(R1, pvd("x.example.", legacy=True), pio(P)))
    has(four.hear(ra(R2, pvd("x.example."), pio(Q))), (P, S1), (Q, S2)).leases4()
    place = places(steering(four.state, host=CLIENT))[X]
    leads = {at: {one.via for one in place.routes if one.table == at and one.via} for at in tables(place)}
    assert sorted(map(sorted, leads.values())) == [
        ["192.0.2.1", R1],
        ["192.0.2.1", R1, R2],
        ["192.0.2.1", R2],
    ]
