"""From what stands to what is wanted: each difference is the operations that mend it, in an order that works.

Law: a case is one difference from a place that stands as it should. All operations are then done by the model kernel,
which refuses what a kernel refuses, and after them there is nothing left to do.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from events.ids import NEVER, SECOND
from events.ops import (
    AddressAdd,
    AddressDelete,
    ClientEnd,
    ClientRun,
    LinkAdd,
    LinkMove,
    LinkSet,
    NetnsAdd,
    NetnsAdopt,
    NetnsDelete,
    Op,
    ResolverWrite,
    RouteAdd,
    RouteDelete,
    RuleAdd,
    RuleDelete,
)
from pvdcore.projections.desired import Desired, Place, WantedAddress, WantedRoute, WantedRule
from pvdcore.projections.model import ModelKernel
from pvdcore.projections.plan import Have, Look, Standing, op_key, place_ops, plan, seconds, standing
from pvdcore.projections.tables import METRIC_LAST, TABLES_FIRST

AT = 1_000_000 * SECOND
P1, D1 = "pvd1", "e0"
CLIENT = ClientRun(P1, D1, ipv4=True)


def address(text: str = "2001:db8:1::a/64", left_s: int = 600, preferred_s: int = 300) -> WantedAddress:
    return WantedAddress(text, AT + left_s * SECOND, AT + preferred_s * SECOND, 1, "slaac")


def route(
    to: str = "::/0", via: str | None = "fe80::1", preference: str = "medium", left_s: int | None = 600, **more: Any
) -> WantedRoute:
    return WantedRoute(to, via, preference, NEVER if left_s is None else AT + left_s * SECOND, 1, **more)


PLACE = Place(
    "fqdn:x.",
    "eth0",
    1,
    "",
    P1,
    D1,
    1400,
    64,
    (address(),),
    (route(), route("2001:db8:1::/64", None, left_s=None)),
    ("2001:db8::53",),
    ("x.example.",),
    mac="02:00:00:00:00:01",
    client=CLIENT,
)
STANDS = Standing(
    device=D1,
    mtu=1400,
    hop_limit=64,
    addresses={"2001:db8:1::a/64": (AT + 600 * SECOND, AT + 300 * SECOND)},
    routes={("::/0", "fe80::1", 1024, 0): AT + 600 * SECOND, ("2001:db8:1::/64", None, 1024, 0): NEVER},
    servers=("2001:db8::53",),
    search=("x.example.",),
    mark="fqdn:x.",
    client=CLIENT,
)
ADD = AddressAdd(P1, D1, "2001:db8:1::a/64", 600, 300, "wait")
ON_LINK = RouteAdd(P1, D1, "2001:db8:1::/64", None, "medium", 1024, None)
DEFAULT = RouteAdd(P1, D1, "::/0", "fe80::1", "medium", 1024, 600)
WRITE = ResolverWrite(P1, ("2001:db8::53",), ("x.example.",))


def mended(place: Place, stands: Standing | None, **how: Any) -> list[Op]:
    """The operations, once the model kernel has done them and nothing is left to do."""
    ops = place_ops(place, stands, AT, **how)
    kernel = ModelKernel()
    kernel._namespaces = {} if stands is None else {place.netns: stands}
    for op in ops:
        assert kernel.apply(op, AT).error == "", op
    after = kernel.observe().namespaces.get(place.netns)
    assert place_ops(place, after, AT, **how) == []
    return ops


def test_where_nothing_stands_all_is_made_from_the_ground_up() -> None:
    assert mended(PLACE, STANDS) == []
    link = LinkAdd(P1, D1, "eth0", 1400, "02:00:00:00:00:01")
    assert mended(PLACE, None) == [NetnsAdd(P1, "fqdn:x."), link, ADD, ON_LINK, DEFAULT, WRITE, CLIENT]
    assert mended(replace(PLACE, parent="wan0"), Standing(mark="fqdn:x."))[0] == replace(link, parent="wan0")
    tunnel = replace(PLACE, tunnel="move", device="tun0", client=None)
    assert mended(tunnel, None)[:2] == [NetnsAdd(P1, "fqdn:x."), LinkMove(P1, "tun0", 1400)]
    other = mended(replace(PLACE, hop_limit=32), None)
    assert other[2] == LinkSet(P1, D1, 0, 32)  # a new link has 64


@pytest.mark.parametrize(
    ("stands", "ops"),
    [
        ({"mark": "fqdn:y."}, [NetnsAdopt(P1, "fqdn:x.")]),
        ({"mark": "fqdn"}, []),  # a mark may be cut
        ({"mtu": 1500}, [LinkSet(P1, D1, 1400, 0)]),
        ({"hop_limit": 1}, [LinkSet(P1, D1, 0, 64)]),
        ({"up": False}, [LinkSet(P1, D1, 0, 0)]),
        ({"up": False, "mtu": 1, "hop_limit": 1}, [LinkSet(P1, D1, 1400, 64)]),
        ({"addresses": {}}, [ADD]),
        ({"routes": {}}, [ON_LINK, DEFAULT]),
        ({"servers": ()}, [WRITE]),
        ({"search": ()}, [WRITE]),
        ({"client": None}, [CLIENT]),
        ({"client": replace(CLIENT, ipv6="addresses")}, [CLIENT]),
        (
            {"addresses": {**STANDS.addresses, "2001:db8:1::c/64": (NEVER, NEVER), "2001:db8:1::b/64": (0, 0)}},
            [AddressDelete(P1, D1, "2001:db8:1::b/64"), AddressDelete(P1, D1, "2001:db8:1::c/64")],
        ),
        (
            {"routes": {**STANDS.routes, ("::/0", "fe80::2", 1025, 0): NEVER, ("2001:db8:9::/64", None, 9, 0): NEVER}},
            [RouteDelete(P1, D1, "2001:db8:9::/64", None, 9), RouteDelete(P1, D1, "::/0", "fe80::2", 1025)],
        ),
    ],
)
def test_each_difference_is_mended_by_itself(stands: dict[str, Any], ops: list[Op]) -> None:
    assert mended(PLACE, replace(STANDS, **stands)) == ops


def test_a_client_that_nobody_wants_is_ended() -> None:
    assert mended(replace(PLACE, client=None), STANDS) == [ClientEnd(P1, D1)]
    assert mended(replace(PLACE, client=None), replace(STANDS, client=None)) == []


@pytest.mark.parametrize(
    ("known_s", "written", "lazily"),
    [
        (600, False, False),
        (602, False, False),  # kernels count in whole seconds
        (598, False, False),
        (603, True, True),
        (597, True, False),
        (525, True, False),  # seven eighths
        (524, True, True),
        (0, True, True),
    ],
)
def test_an_end_that_is_near_enough_is_left(known_s: int, written: bool, lazily: bool) -> None:
    """And of a repeated announcement one that is not much sooner."""
    known = {"2001:db8:1::a/64": (AT + known_s * SECOND, AT + 300 * SECOND)}
    stands = replace(STANDS, addresses=known)
    assert mended(PLACE, stands) == ([ADD] if written else [])
    assert mended(PLACE, stands, lazy=True) == ([ADD] if lazily else [])
    routes = {**STANDS.routes, ("::/0", "fe80::1", 1024, 0): AT + known_s * SECOND}
    assert mended(PLACE, replace(STANDS, routes=routes)) == ([DEFAULT] if written else [])
    assert mended(PLACE, replace(STANDS, routes=routes), lazy=True) == ([DEFAULT] if lazily else [])


def test_the_preferred_lifetime_counts_by_itself_and_for_ever_is_no_number() -> None:
    soft = {"2001:db8:1::a/64": (AT + 600 * SECOND, AT + 600 * SECOND)}
    assert mended(PLACE, replace(STANDS, addresses=soft)) == [ADD]
    ever = {"2001:db8:1::a/64": (NEVER, NEVER)}
    assert mended(PLACE, replace(STANDS, addresses=ever), lazy=True) == [ADD]
    wanted = replace(PLACE, addresses=(replace(address(), until=NEVER, preferred_until=NEVER),))
    assert mended(wanted, STANDS, lazy=True) == [AddressAdd(P1, D1, "2001:db8:1::a/64", None, None, "wait")]
    assert mended(wanted, replace(STANDS, addresses=ever)) == []
    # the kernel does not take back a route's being for ever; it goes first
    routes = {**STANDS.routes, ("::/0", "fe80::1", 1024, 0): NEVER}
    assert mended(PLACE, replace(STANDS, routes=routes)) == [RouteDelete(P1, D1, "::/0", "fe80::1", 1024), DEFAULT]
    # an IPv4 route has no end there
    four = replace(PLACE, routes=(route("0.0.0.0/0", "192.0.2.1"),))
    known = {("0.0.0.0/0", "192.0.2.1", 1024, 0): NEVER}
    assert mended(four, replace(STANDS, routes=known)) == []
    assert (seconds(NEVER, AT), seconds(AT, AT), seconds(AT - 1, AT), seconds(AT + 2 * SECOND - 1, AT)) == (
        None,
        0,
        0,
        1,
    )


def test_routers_of_one_preference_have_metrics_of_their_own_and_keep_them() -> None:
    two = replace(PLACE, routes=(route(via="fe80::1"), route(via="fe80::2"), route(via="fe80::3", preference="high")))
    made = [op for op in mended(two, replace(STANDS, routes={})) if isinstance(op, RouteAdd)]
    assert [(op.via, op.metric, op.preference) for op in made] == [
        ("fe80::1", 1024, "medium"),
        ("fe80::2", 1025, "medium"),
        ("fe80::3", 512, "high"),
    ]
    stand = {("::/0", "fe80::2", 1024, 0): AT + 600 * SECOND}
    made = [op for op in mended(two, replace(STANDS, routes=stand)) if isinstance(op, RouteAdd)]
    assert [(op.via, op.metric) for op in made] == [("fe80::1", 1025), ("fe80::3", 512)]
    # one that is less preferred now is there anew before it goes as it was
    low = replace(PLACE, routes=(route(preference="low"), *PLACE.routes[1:]))
    assert mended(low, STANDS) == [
        replace(DEFAULT, preference="low", metric=1536),
        RouteDelete(P1, D1, "::/0", "fe80::1", 1024),
    ]
    assert mended(replace(PLACE, routes=(route(metric=7), *PLACE.routes[1:])), STANDS)[0] == replace(DEFAULT, metric=7)


def test_in_the_first_namespace_nothing_speaks_past_its_pvd() -> None:
    rule, key = WantedRule(100, "2001:db8:1::a/128", 1001, NEVER, 1), (100, "2001:db8:1::a/128", 1001)
    ends = route(kind="unreachable", via=None, left_s=None, table=1001, metric=METRIC_LAST)
    place = replace(PLACE, netns="", routes=(route(table=1001), ends), steers=(rule,), table=1001)
    lost = RouteAdd("", "", "::/0", None, "medium", METRIC_LAST, None, 1001, "unreachable")
    leads = RouteAdd("", D1, "::/0", "fe80::1", "medium", 1024, 600, 1001)
    assert mended(place, Standing()) == [lost, leads, RuleAdd("", *key), replace(ADD, netns="")]
    stands = Standing(
        addresses=STANDS.addresses,
        routes={("::/0", "fe80::1", 1024, 1001): AT + 600 * SECOND, ("::/0", None, METRIC_LAST, 1001): NEVER},
        rules=frozenset({key}),
    )
    assert mended(place, stands) == []
    nothing = replace(place, addresses=(), routes=(), steers=())
    assert [type(op) for op in mended(nothing, stands)] == [AddressDelete, RuleDelete, RouteDelete, RouteDelete]


def test_only_what_carries_our_mark_goes() -> None:
    have = Have({P1: STANDS, "ours": STANDS, "theirs": STANDS})
    found = plan(Desired(AT, (PLACE,)), have, frozenset({P1, "ours", "elsewhere", ""}))
    assert found.ops == ((NetnsDelete("ours"), None),)
    left = replace(PLACE, netns="tunnel", tunnel="leave")
    assert plan(Desired(AT, (PLACE, left)), have).ops == ()  # a tunnel that stays where its client made it
    made = plan(Desired(AT, (PLACE,)), Have()).ops
    assert [place for _, place in made] == [PLACE] * len(made) and len(made) == 7


def test_a_look_is_of_its_instant() -> None:
    look = Look(
        mark="fqdn:x.",
        device=D1,
        mtu=1400,
        up=False,
        hop_limit=32,
        addresses=(("2001:db8:1::a/64", 600, 300), ("2001:db8:1::b/64", None, 0)),
        dad_failed=("2001:db8:1::c/64",),
        routes=(("::/0", "fe80::1", 1024, 600, 7), ("2001:db8:1::/64", None, 9, None, 0)),
        servers=("2001:db8::53",),
        search=("x.example.",),
        client=CLIENT,
        rules=((100, "2001:db8:1::a/128", 7),),
    )
    assert standing(look, AT) == Standing(
        device=D1,
        mtu=1400,
        up=False,
        hop_limit=32,
        addresses={
            "2001:db8:1::a/64": (AT + 600 * SECOND, AT + 300 * SECOND),
            "2001:db8:1::b/64": (NEVER, AT),
            "2001:db8:1::c/64": (AT, AT),
        },
        routes={("::/0", "fe80::1", 1024, 7): AT + 600 * SECOND, ("2001:db8:1::/64", None, 9, 0): NEVER},
        servers=("2001:db8::53",),
        search=("x.example.",),
        mark="fqdn:x.",
        client=CLIENT,
        rules=frozenset({(100, "2001:db8:1::a/128", 7)}),
    )


def test_a_later_operation_about_the_same_takes_the_place_of_an_earlier_one() -> None:
    assert op_key(ADD) == op_key(replace(ADD, valid_s=1)) != op_key(replace(ADD, address="::1/128"))
    assert op_key(ADD) != op_key(AddressDelete(P1, D1, ADD.address))
    assert op_key(DEFAULT) == op_key(replace(DEFAULT, expires_s=1, metric=9)) != op_key(replace(DEFAULT, table=7))
    assert op_key(ON_LINK) != op_key(replace(ON_LINK, via="fe80::1")) != op_key(replace(ON_LINK, destination="::/0"))
    assert op_key(RuleAdd("", 1, "::1/128", 7)) == op_key(RuleAdd("", 2, "::1/128", 7))
    assert len({op_key(RuleAdd("", 1, source, table)) for source in ("::1/128", "::2/128") for table in (7, 8)}) == 4
    assert op_key(WRITE) == op_key(ResolverWrite(P1)) == ("ResolverWrite",)


def test_a_namespace_that_lost_its_device_is_made_anew_on_the_same_ground() -> None:
    lost = Standing(mark="fqdn:x.", up=False, hop_limit=1, addresses=STANDS.addresses, routes=STANDS.routes)
    link = LinkAdd(P1, D1, "eth0", 1400, "02:00:00:00:00:01")
    assert place_ops(PLACE, lost, AT) == [link, ADD, ON_LINK, DEFAULT, WRITE, CLIENT]


def test_an_address_that_has_ended_is_left_out_and_the_next_one_is_not() -> None:
    two = replace(PLACE, addresses=(address("2001:db8:1::9/64", 0, 0), address()))
    assert place_ops(two, replace(STANDS, addresses={}), AT) == [ADD]


T1, T2 = TABLES_FIRST + 1, TABLES_FIRST + 2


def test_what_is_left_of_tables_goes_whole_and_what_leads_there_first() -> None:
    routes = {
        ("192.0.2.0/24", "192.0.2.1", 1024, T1): NEVER,
        ("192.0.2.0/24", None, 1024, T1): NEVER,
        ("::/0", "fe80::2", 1024, T1): NEVER,
        ("::/0", "fe80::1", 1025, T1): NEVER,
        ("0.0.0.0/0", None, METRIC_LAST, T1): NEVER,
        ("::/0", "fe80::9", 1024, 100): NEVER,
    }
    rules = frozenset({(9, "2001:db8:1::a/128", T1), (9, "2001:db8:2::a/128", T2), (9, "2001:db8:9::/64", 100)})
    first = Standing(addresses={**STANDS.addresses, "2001:db8:9::a/64": (NEVER, NEVER)}, routes=routes, rules=rules)
    have = Have({"": first, P1: STANDS})
    assert plan(Desired(AT, (PLACE,)), have, frozenset({"", P1})).ops == tuple(
        (op, None)
        for op in (
            AddressDelete("", "", "2001:db8:1::a/64"),
            RuleDelete("", 9, "2001:db8:1::a/128", T1),
            RuleDelete("", 9, "2001:db8:2::a/128", T2),
            RouteDelete("", "", "192.0.2.0/24", None, 1024, T1),
            RouteDelete("", "", "192.0.2.0/24", "192.0.2.1", 1024, T1),
            RouteDelete("", "", "::/0", "fe80::1", 1025, T1),
            RouteDelete("", "", "::/0", "fe80::2", 1024, T1),
            RouteDelete("", "", "0.0.0.0/0", None, METRIC_LAST, T1),
        )
    )


def test_in_tables_too_what_is_right_is_left_and_what_is_near_enough() -> None:
    rule = WantedRule(9, "2001:db8:1::a/128", T1, NEVER, 1)
    place = replace(PLACE, netns="", routes=(route(table=T1),), steers=(rule,), table=T1, client=None)
    routes = {("::/0", "fe80::1", 1024, T1): AT + 600 * SECOND}
    have = Have({"": Standing(addresses=STANDS.addresses, routes=routes)})  # the address stands, its rule does not
    assert plan(Desired(AT, (place,)), have).ops == ((RuleAdd("", 9, "2001:db8:1::a/128", T1), place),)
    near = Standing(
        addresses={"2001:db8:1::a/64": (AT + 550 * SECOND, AT + 280 * SECOND)},
        routes={("::/0", "fe80::1", 1024, T1): AT + 550 * SECOND, ("::/0", "fe80::2", 1025, T1): NEVER},
        rules=frozenset({(9, "2001:db8:1::a/128", T1)}),
    )
    gone = RouteDelete("", "", "::/0", "fe80::2", 1025, T1)
    assert place_ops(place, near, AT, lazy=True) == [gone]
    written = [replace(DEFAULT, netns="", table=T1), replace(ADD, netns=""), gone]
    assert place_ops(place, near, AT) == written


def test_where_all_metrics_of_a_preference_are_taken_the_last_is_shared() -> None:
    full = {("::/0", f"fe80::1:{at:x}", 1024 + at, 0): NEVER for at in range(512)}
    made = [op for op in place_ops(PLACE, replace(STANDS, routes=full), AT) if isinstance(op, RouteAdd)]
    assert made == [ON_LINK, replace(DEFAULT, metric=1535)]


def test_a_route_is_known_by_its_destination_its_router_and_its_table() -> None:
    assert op_key(ON_LINK) == ("RouteAdd", "2001:db8:1::/64", "")
    assert op_key(DEFAULT) == ("RouteAdd", "::/0", "fe80::1")
    assert op_key(replace(DEFAULT, table=7)) == ("RouteAdd", "::/0", "fe80::1", "7")
