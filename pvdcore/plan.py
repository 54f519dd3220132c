"""The difference between how the host should look and how it looks, as operations in an order that works.

Law: what is right already is not written again; what is not ours is not touched (`owned`). Names of namespaces come
from `desired.place_name`, so that what is left of an earlier run is found again.
"""

from typing import Final

import msgspec

from events.ids import NEVER, SECOND, Instant
from events.ops import (
    AddressAdd,
    AddressDelete,
    LinkAdd,
    NetnsAdd,
    NetnsDelete,
    Op,
    ResolverWrite,
    RouteAdd,
    RouteDelete,
)
from pvdcore.desired import Desired, Place

TOLERANCE: Final[Instant] = 2 * SECOND  # kernels count lifetimes in whole seconds from when they were told

RouteKey = tuple[str, str | None]


class Standing(msgspec.Struct, frozen=True):
    """One namespace as it is. The instants at which things end are by address, and by (destination, via)."""

    device: str = ""
    mtu: int = 0
    addresses: dict[str, tuple[Instant, Instant]] = {}
    routes: dict[RouteKey, tuple[str, Instant]] = {}
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


class Have(msgspec.Struct, frozen=True):
    """The host as it is: namespaces by name."""

    namespaces: dict[str, Standing] = {}


class Plan(msgspec.Struct, frozen=True):
    """Operations in order, each with the place it is for (None: what is to go)."""

    ops: tuple[tuple[Op, Place | None], ...] = ()


def plan(want: Desired, have: Have, owned: frozenset[str] = frozenset()) -> Plan:
    """What to do. owned: namespaces that carry our mark; only those are ever deleted."""
    ops: list[tuple[Op, Place | None]] = []
    for place in want.places:
        ops += [(op, place) for op in _place(place, have.namespaces.get(place.netns), want.at)]
    wanted = {place.netns for place in want.places}
    for name in sorted(set(have.namespaces) & owned - wanted):
        ops.append((NetnsDelete(name), None))
    return Plan(tuple(ops))


def seconds(ends: Instant, at: Instant) -> int | None:
    """What is left of a lifetime, in whole seconds; `None` for ever."""
    return None if ends == NEVER else max(0, (ends - at) // SECOND)


def _same(a: Instant, b: Instant) -> bool:
    return a == b or (NEVER not in (a, b) and abs(a - b) <= TOLERANCE)


def _place(place: Place, standing: Standing | None, at: Instant) -> list[Op]:
    ops: list[Op] = []
    netns, device = place.netns, place.device
    if standing is None:
        ops.append(NetnsAdd(netns))
        standing = Standing()
    if not standing.device:
        ops.append(LinkAdd(netns, device, place.link, place.mtu))
    for address in place.addresses:
        known = standing.addresses.get(address.address)
        if known is None or not (_same(known[0], address.until) and _same(known[1], address.preferred_until)):
            left, preferred = seconds(address.until, at), seconds(address.preferred_until, at)
            ops.append(AddressAdd(netns, device, address.address, left, preferred))
    wanted = {address.address for address in place.addresses}
    ops += [AddressDelete(netns, device, one) for one in sorted(set(standing.addresses) - wanted)]
    routes: dict[RouteKey, None] = {}
    # A gateway must be reachable before a route through it: what is on-link comes first.
    for route in sorted(place.routes, key=lambda one: one.via is not None):
        key = (route.destination, route.via)
        routes[key] = None
        known_route = standing.routes.get(key)
        if known_route is None or known_route[0] != route.preference or not _same(known_route[1], route.until):
            left = seconds(route.until, at)
            ops.append(RouteAdd(netns, device, route.destination, route.via, route.preference, expires_s=left))
    stale = sorted((one for one in standing.routes if one not in routes), key=lambda one: (one[0], one[1] or ""))
    ops += [RouteDelete(netns, device, destination, via) for destination, via in stale]
    if (place.servers, place.search) != (standing.servers, standing.search):
        ops.append(ResolverWrite(netns, place.servers, place.search))
    return ops
