"""PvDs as routing tables: a source leads to its PvD's table, and no table leads into another PvD."""

import pytest

from events.identifiers import IdentifierChosen
from events.ids import NEVER, SECOND
from events.link import AddressGone, AddressSeen, LinkSeen
from events.ops import Outcome, RouteAdd, RouteDelete, RuleAdd, RuleDelete
from pvdcore.projections.model import ModelKernel
from pvdcore.projections.plan import steer
from pvdcore.projections.tables import PRIORITY, TABLES_FIRST, TABLES_SPAN, Steering, number, ours, steering
from tests.sim.build import CLIENT, R1, R2, START, Story, pio, pvd, ra, rio

X = "fqdn:x.example."
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
S1, S2 = "2001:db8:1::a", "2001:db8:2::a"
HOUR = 3600


def apply(kernel: ModelKernel, want: Steering) -> list[object]:
    """Plan and do; a second plan has nothing to do."""
    ops = [op for op, _ in steer(want, kernel.observe()).ops]
    for op in ops:
        assert kernel.apply(op, want.at) == Outcome(op)
    assert steer(want, kernel.observe()).ops == ()
    return list(ops)


def has(told: Story, *pairs: tuple[str, str]) -> Story:
    for prefix, address in pairs:
        told.hear(IdentifierChosen(link="e0", epoch=1, prefix=prefix, kind="stable", iid=address.split("::")[1]))
        told.hear(AddressSeen(link="e0", address=f"{address}/64", flags=0))
    return told


def two() -> Story:
    return has(Story().hear(ra(R1, pvd("x.example."), pio(P)), ra(R2, pio(Q))), (P, S1), (Q, S2))


def test_each_pvd_has_its_table_and_each_address_a_rule_to_it() -> None:
    want = steering(two().state)
    assert [one.pvd for one in sorted(want.tables, key=lambda one: one.pvd)] == [X, "ra:e0/1/fe80::2"]
    tables = {one.pvd: one for one in want.tables}
    assert {(one.source, one.table, one.priority) for one in want.rules} == {
        (f"{S1}/128", tables[X].number, PRIORITY),
        (f"{S2}/128", tables["ra:e0/1/fe80::2"].number, PRIORITY),
    }
    assert {one.via for one in tables[X].routes} == {None, R1}
    ends = [one for one in tables[X].routes if one.kind == "unreachable"]
    assert {one.destination for one in ends} == {"::/0", "0.0.0.0/0"}  # nothing falls through into another PvD
    assert all(one.metric > 2048 for one in ends)
    assert all(one.link == "e0" for one in tables[X].routes if one.kind == "unicast")


@pytest.mark.covers("rfc:Q03", "rfc:Q01", "rfc:Q07")
def test_routers_of_one_pvd_with_prefixes_of_their_own_have_a_table_for_each() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), pio(P), pref="low"), ra(R2, pvd("x.example."), pio(Q), pref="high"))
    want = steering(has(told, (P, S1), (Q, S2)).state)
    by_source = {
        rule.source: {one.via for table in want.tables if table.number == rule.table for one in table.routes if one.via}
        for rule in want.rules
    }
    assert by_source == {f"{S1}/128": {R1}, f"{S2}/128": {R2}}
    assert {one.pvd for one in want.tables} == {X}
    shared = Story().hear(ra(R1, pvd("x.example."), pio(P), pref="low"), ra(R2, pvd("x.example."), pio(P)))
    (table,) = steering(has(shared, (P, S1)).state).tables
    assert {(one.via, one.metric) for one in table.routes if one.via} == {(R1, 2048), (R2, 1024)}


@pytest.mark.covers("rfc:S13", "rfc:S20", "rfc:S11")
def test_rules_follow_their_addresses() -> None:
    told = Story(dad="wait").hear(ra(R1, pvd("x.example."), pio(P, HOUR, 600)))
    told.hear(IdentifierChosen(link="e0", epoch=1, prefix=P, kind="stable", iid="a"))
    told.hear(AddressSeen(link="e0", address=f"{S1}/64", flags=0x40))
    assert steering(told.state).rules == ()  # tentative
    kernel = ModelKernel()
    told.hear(AddressSeen(link="e0", address=f"{S1}/64", flags=0))
    assert any(isinstance(op, RuleAdd) for op in apply(kernel, steering(told.state)))
    told.at(700)  # deprecated: it is answered from as before
    assert [one.source for one in steering(told.state).rules] == [f"{S1}/128"]
    assert apply(kernel, steering(told.state)) == []
    told.at(HOUR)
    gone = apply(kernel, steering(told.state))
    assert {type(op) for op in gone} == {RuleDelete, RouteDelete}
    assert isinstance(gone[0], RuleDelete)  # before the routes it leads to
    assert (kernel.observe().rules, kernel.observe().tables) == (frozenset(), {})


@pytest.mark.covers("rfc:S09")
def test_what_the_kernel_says_of_an_address_it_made_counts() -> None:
    """The model would keep it two hours; the kernel honoured the router's ten minutes."""
    told = Story().hear(ra(R1, pvd("x.example."), pio(P, 10 * HOUR, HOUR)))
    kernel_made = {"link": "e0", "address": "2001:db8:1::99/64", "origin": "kernel-ra"}
    told.hear(AddressSeen(**kernel_made, flags=0, valid_s=600, preferred_s=300))  # type: ignore[arg-type]
    told.hear(AddressSeen(link="e0", address="2001:db8:77::1/64", flags=0, origin="kernel-ra"))
    (rule,) = steering(told.state).rules  # of no prefix of an RA: of no PvD
    assert (rule.source, rule.until) == ("2001:db8:1::99/128", START + 600 * SECOND)
    assert steering(told.at(600).state).rules == ()
    told.hear(AddressSeen(**kernel_made, flags=0, valid_s=None))  # type: ignore[arg-type]
    assert steering(told.state).rules[0].until == NEVER
    told.hear(AddressGone(link="e0", address="2001:db8:1::99/64"))
    assert steering(told.state).rules == ()


def test_a_lease_the_host_has_gets_its_table_too() -> None:
    told = Story().leases4().at(2).hear(AddressSeen(link="e0", address="192.0.2.10/24", flags=0))
    want = steering(told.state, host=CLIENT)
    assert [one.source for one in want.rules] == ["192.0.2.10/32"]
    (table,) = want.tables
    assert ("0.0.0.0/0", "192.0.2.1") in {(one.destination, one.via) for one in table.routes}


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
    assert {type(op) for op in apply(kernel, steering(told.state))} == {RouteAdd}  # lifetimes that moved
    apply(kernel, Steering(told.state.now, (), ()))
    assert kernel.observe().rules == {(5, "2001:db8:9::/64", 100)}
    assert [key[0] for key in kernel.observe().tables] == [100]


def test_the_model_refuses_what_linux_refuses() -> None:
    kernel = ModelKernel()
    rule = ("", 5, "2001:db8::/64", 7)
    assert kernel.apply(RuleDelete(*rule), 0).error == "ENOENT"
    assert kernel.apply(RuleAdd(*rule), 0).error == ""
    assert kernel.apply(RuleAdd(*rule), 0).error == "EEXIST"
    assert kernel.apply(RouteDelete("", "e0", "::/0", R1, table=7), 0).error == "ESRCH"


def test_a_tables_number_is_derived_in_a_range_of_our_own_and_set_apart_where_two_meet() -> None:
    first = number(X, "e0", 1, (R1,), frozenset())
    assert first == number(X, "e0", 1, (R1,), frozenset())
    assert ours(first)
    assert TABLES_FIRST <= first < TABLES_FIRST + TABLES_SPAN
    assert number(X, "e0", 1, (R1,), {first}) == first + 1
    assert (
        len({first, number(X, "e0", 2, (R1,), set()), number(X, "e1", 1, (R1,), set()), number(X, "e0", 1, (), set())})
        == 4
    )
    assert not any(ours(one) for one in (0, 100, 252, 253, 254, 255, 52, 51820))


def test_routes_follow_the_name_the_link_has_now_and_the_route_policy() -> None:
    told = has(Story(rio=False).hear(ra(R1, pvd("x.example."), pio(P), rio("2001:db8:ff::/48"))), (P, S1))
    told.hear(LinkSeen(link="e0", identity="capture:e0", name="renamed0"))
    (table,) = steering(told.state).tables
    assert {one.link for one in table.routes if one.kind == "unicast"} == {"renamed0"}
    assert "2001:db8:ff::/48" not in {one.destination for one in table.routes}
