"""The difference between how the host should look and how it looks, as operations in an order that works.

Law: what is right already is not written again; what is not ours is not touched (`owned`). Names of namespaces come
from `places.place_name`, numbers of tables from `tables.number`, so that what an earlier run left is found again. A
place is a namespace of its own, or a share of the first one: tables, the rules that lead there, addresses.
"""

from collections.abc import Collection
from typing import Final

import msgspec
from msgspec.structs import replace

from events.ids import NEVER, SECOND, Instant
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
from pvdcore.projections.desired import Desired, Place, WantedRoute
from pvdcore.projections.tables import METRIC_LAST, ours
from pvdcore.projections.tables import tables as tables_of

TOLERANCE: Final[Instant] = 2 * SECOND  # kernels count lifetimes in whole seconds from when they were told

METRICS: Final = {"high": 512, "medium": 1024, "low": 1536}
"""Where the metrics of a preference begin (RFC 4191 §2.1). Each router has one of its own: of equal ones the kernel
makes one equal-cost route with one end, whatever their preferences."""
METRICS_EACH: Final = 512  # as many routers as one destination may have of one preference (policy routes_max)

HOP_LIMIT: Final = 64  # of a new link (IPV6_DEFAULT_HOPLIMIT)
LAZY_EIGHTHS: Final = 7
"""A repeated announcement is written again when less than so much of its lifetime is left in the kernel: a router that
repeats itself each second costs nothing, and what the kernel shows is never more than an eighth behind."""

RouteKey = tuple[str, str | None, int, int]
"""Destination, router (`None`: on-link), metric, table (0: the main one)."""

RuleKey = tuple[int, str, int]
"""Priority, source, table."""

FOUNDATIONS: Final = (NetnsAdd, LinkAdd, LinkMove)
"""What everything else in a place stands on."""


class Standing(msgspec.Struct, frozen=True):
    """One namespace, or a share of the first one, as it is. The instants at which things end: (valid, preferred) by
    address, and by route.

    mark, client: as in a Look.
    """

    device: str = ""
    mtu: int = 0
    up: bool = True
    hop_limit: int = HOP_LIMIT
    addresses: dict[str, tuple[Instant, Instant]] = {}
    routes: dict[RouteKey, Instant] = {}
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    mark: str = ""
    client: ClientRun | None = None
    rules: frozenset[RuleKey] = frozenset()


class Look(msgspec.Struct, frozen=True, array_like=True):
    """One namespace of ours, or what is ours in the first one, as the kernel tells it: what is left of lifetimes in
    seconds, `None` for ever.

    mark: whom it says it is of. client: what its DHCP client was told, `None` if none runs. addresses: (address, valid,
    preferred). dad_failed: addresses that somebody else has (RFC 4862 §5.4.5). routes: (destination, router, metric,
    expiry, table). rules: (priority, source, table). What does not carry our protocol number is not in here.
    """

    mark: str = ""
    device: str = ""
    mtu: int = 0
    up: bool = True
    hop_limit: int = HOP_LIMIT
    addresses: tuple[tuple[str, int | None, int | None], ...] = ()
    dad_failed: tuple[str, ...] = ()
    routes: tuple[tuple[str, str | None, int, int | None, int], ...] = ()
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    client: ClientRun | None = None
    rules: tuple[RuleKey, ...] = ()


def standing(look: Look, at: Instant) -> Standing:
    """A look as of the instant it was taken."""
    return Standing(
        device=look.device,
        mtu=look.mtu,
        up=look.up,
        hop_limit=look.hop_limit,
        addresses={one: (_ends(valid, at), _ends(preferred, at)) for one, valid, preferred in look.addresses}
        | {one: (at, at) for one in look.dad_failed},
        routes={(to, via, metric, table): _ends(expires, at) for to, via, metric, expires, table in look.routes},
        servers=look.servers,
        search=look.search,
        mark=look.mark,
        client=look.client,
        rules=frozenset(look.rules),
    )


def share(first: Standing, tables: Collection[int], addresses: Collection[str] = ()) -> Standing:
    """What of the first namespace is one instance's: its tables, the rules to them, and of our addresses those that
    these rules are of, or that are named."""
    rules = frozenset(one for one in first.rules if one[2] in tables)
    sources = {source.split("/")[0] for _, source, _ in rules}
    return replace(
        first,
        addresses={
            one: ends for one, ends in first.addresses.items() if one in addresses or one.split("/")[0] in sources
        },
        routes={key: end for key, end in first.routes.items() if key[3] in tables},
        rules=rules,
    )


class Have(msgspec.Struct, frozen=True):
    """The host as it is: namespaces by name, the first one under ""."""

    namespaces: dict[str, Standing] = {}


class Plan(msgspec.Struct, frozen=True):
    """Operations in order, each with the place it is for (None: what is to go)."""

    ops: tuple[tuple[Op, Place | None], ...] = ()


def plan(want: Desired, have: Have, owned: frozenset[str] = frozenset()) -> Plan:
    """What to do. owned: namespaces that carry our mark; only those are ever deleted."""
    ops: list[tuple[Op, Place | None]] = []
    first = have.namespaces.get("", Standing())
    left = {key[3] for key in first.routes} | {table for _, _, table in first.rules}
    places = [place for place in want.places if place.tunnel != "leave"]
    for place in places:
        stands = have.namespaces.get(place.netns)
        if not place.netns:
            stands = share(first, tables_of(place), {one.address for one in place.addresses})
            left -= tables_of(place)
        ops += [(op, place) for op in place_ops(place, stands, want.at)]
    wanted = {place.netns for place in places}
    for name in sorted(set(have.namespaces) & owned - wanted - {""}):
        ops.append((NetnsDelete(name), None))
    stale = share(first, {table for table in left if ours(table)})
    ops += [(op, None) for op in place_ops(NOTHING, stale, want.at)]
    return Plan(tuple(ops))


NOTHING: Final = Place("", "", 0, "", "", "", 0, 0, (), (), (), ())
"""A share of the first namespace in which nothing is wanted any more."""


def seconds(ends: Instant, at: Instant) -> int | None:
    """What is left of a lifetime, in whole seconds; `None` for ever."""
    return None if ends == NEVER else max(0, (ends - at) // SECOND)


def _ends(left_s: int | None, at: Instant) -> Instant:
    return NEVER if left_s is None else at + left_s * SECOND


def _same(known: Instant, wanted: Instant, at: Instant, lazy: bool) -> bool:
    """Whether the kernel has the right end. lazy: also if it ends sooner, but not much sooner, than it should."""
    if known == wanted:
        return True
    if NEVER in (known, wanted):
        return False
    if abs(known - wanted) <= TOLERANCE:
        return True
    return lazy and wanted > known and 8 * (known - at) >= LAZY_EIGHTHS * (wanted - at)


def place_ops(place: Place, stands: Standing | None, at: Instant, *, lazy: bool = False) -> list[Op]:
    """What to do in one place. stands: `None` if there is no such namespace. lazy: see LAZY_EIGHTHS."""
    if not place.netns:
        return _first_ops(place, stands or Standing(), at, lazy)
    ops: list[Op] = []
    netns, device = place.netns, place.device
    if stands is None:
        ops.append(NetnsAdd(netns, place.pvd))
        stands = Standing()
    elif not place.pvd.startswith(stands.mark):  # a mark may be cut: it is no longer than an alias
        ops.append(NetnsAdopt(netns, place.pvd))
    if not stands.device:
        moved = LinkMove(netns, device, place.mtu)
        ops.append(moved if place.tunnel else LinkAdd(netns, device, place.parent or place.link, place.mtu, place.mac))
        stands = replace(stands, mtu=place.mtu, up=True, hop_limit=HOP_LIMIT, addresses={}, routes={})
    mtu = place.mtu if place.mtu != stands.mtu else 0
    hop_limit = place.hop_limit if place.hop_limit != stands.hop_limit else 0
    if mtu or hop_limit or not stands.up:
        ops.append(LinkSet(netns, device, mtu, hop_limit))
    for ahead in (_addresses(place, stands, at, lazy), _routes(place, stands, at, lazy)):
        ops += [op for some in ahead for op in some]
    if (place.servers, place.search) != (stands.servers, stands.search):
        ops.append(ResolverWrite(netns, place.servers, place.search))
    if place.client is not None and place.client != stands.client:
        ops.append(place.client)
    elif place.client is None and stands.client is not None:
        ops.append(ClientEnd(netns, device))
    return ops


def _first_ops(place: Place, stands: Standing, at: Instant, lazy: bool) -> list[Op]:
    """In the first namespace: routes before the rules that lead to them, rules before the addresses that they are of,
    and the other way round when they go, so that nothing ever speaks past its PvD."""
    routes, gone_routes = _routes(place, stands, at, lazy)
    addresses, gone_addresses = _addresses(place, stands, at, lazy)
    rules = {(one.priority, one.source, one.table) for one in place.steers}
    made: list[Op] = [RuleAdd("", *key) for key in sorted(rules - stands.rules)]
    gone: list[Op] = [RuleDelete("", *key) for key in sorted(stands.rules - rules)]
    return [*routes, *made, *addresses, *gone_addresses, *gone, *gone_routes]


def _addresses(place: Place, stands: Standing, at: Instant, lazy: bool) -> tuple[list[Op], list[Op]]:
    """Those to be written, and those to be deleted."""
    ops: list[Op] = []
    for address in place.addresses:
        known = stands.addresses.get(address.address)
        wanted = (address.until, address.preferred_until)
        if known is None or not all(_same(*pair, at, lazy) for pair in zip(known, wanted, strict=True)):
            left, preferred = seconds(address.until, at), seconds(address.preferred_until, at)
            if left == 0:  # the kernel takes none of 0 s (EINVAL), and before the next it has ended
                continue
            ops.append(AddressAdd(place.netns, place.device, address.address, left, preferred, place.dad))
    named = {address.address for address in place.addresses}
    gone = sorted(set(stands.addresses) - named)
    return ops, [AddressDelete(place.netns, place.device, one) for one in gone]


def _routes(place: Place, stands: Standing, at: Instant, lazy: bool) -> tuple[list[Op], list[Op]]:
    """Those to be written, and those to be deleted."""
    ops: list[Op] = []
    kept: set[RouteKey] = set()
    # A gateway must be reachable before a route through it: what is on-link comes first.
    for route in sorted(place.routes, key=lambda one: one.via is not None):
        metric = route.metric or _metric(route, {*stands.routes, *kept})
        key = (route.destination, route.via, metric, route.table)
        kept.add(key)
        end = stands.routes.get(key)
        # IPv4 routes have no end in the kernel: they go when theirs has come.
        if end is not None and (_same(end, route.until, at, lazy) or ":" not in route.destination):
            continue
        device = place.device if route.kind == "unicast" else ""
        if end == NEVER:  # which the kernel does not take back (ip6_fib.c, fib6_add_rt2node)
            ops.append(RouteDelete(place.netns, device, *key))
        left = seconds(route.until, at)
        # The word itself, not one like it: msgspec leaves a default out by identity; the same plan is the same bytes.
        word = next(one for one in METRICS if one == route.preference)
        ops.append(RouteAdd(place.netns, device, *key[:2], word, metric, left, route.table, route.kind, route.lladdr))
    # After the new ones: a router that changed its preference is at no instant without a route. What ends a table goes
    # last, so that nothing falls through meanwhile.
    stale = sorted((one for one in stands.routes if one not in kept), key=_going)
    return ops, [RouteDelete(place.netns, place.device if place.netns else "", *key) for key in stale]


def _going(route: RouteKey) -> tuple[bool, str, str, int, int]:
    destination, via, metric, table = route
    return (metric == METRIC_LAST, destination, via or "", metric, table)


def _metric(route: WantedRoute, taken: set[RouteKey]) -> int:
    """The metric that a route has already, else the first that is free for its destination and preference."""
    band = range(METRICS[route.preference], METRICS[route.preference] + METRICS_EACH)
    where = (route.destination, route.table)
    of = {metric: via for to, via, metric, table in taken if (to, table) == where and metric in band}
    known = [metric for metric, via in of.items() if via == route.via]
    return min(known) if known else next((metric for metric in band if metric not in of), band[-1])


def op_key(op: Op) -> tuple[str, ...]:
    """What an operation is about: a later one about the same thing takes its place."""
    what = type(op).__name__
    match op:
        case AddressAdd() | AddressDelete():
            return (what, op.address)
        case RouteAdd() | RouteDelete():
            return (what, op.destination, op.via or "", *([str(op.table)] if op.table else []))
        case RuleAdd() | RuleDelete():
            return (what, op.source, str(op.table))
        case _:
            return (what,)
