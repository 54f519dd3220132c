"""The projection `tables`: each PvD instance as routing tables of its own in the host's first namespace.

Law: which PvD a packet belongs to is said by its source address alone: one rule an address leads to the instance's
table, and a table ends in `unreachable`, so that nothing falls through into another PvD (RFC 7556 §5.2.2). Where
routers of one PvD announce different prefixes, each set of routers has a table, so that a source leaves by a router
that announced its prefix (RFC 8028 §3; with it RFC 6724 §5 rule 5.5 holds for whoever binds a source).
"""

from hashlib import blake2b
from typing import Final

import msgspec

from events.ids import NEVER, HostId, Instant, LinkId, PvdId, Seq
from pvdcore.host.addresses import usable
from pvdcore.prefixes import covers, interface, network
from pvdcore.projections.desired import Place, WantedRoute, desired
from pvdcore.projections.selection import announcers
from pvdcore.state import State

TABLES_FIRST: Final = 0x5000_0000  # a range of our own: what is in it is ours, far from 253-255
TABLES_SPAN: Final = 1 << 24  # 200 instances collide in it once in eight hundred hosts, and then are set apart
PRIORITY: Final = 17_000  # before `main` (32766), behind `local` (0) and what VPN clients commonly use
METRICS: Final = {"high": 512, "medium": 1024, "low": 2048}  # in a table, preference is order (RFC 4191 §3.2)
METRIC_LAST: Final = 4_278_198_272  # of what ends a table: behind all others


class TableRoute(msgspec.Struct, frozen=True):
    """A route in a table. link: the device's name, "" for one that leads nowhere."""

    destination: str
    via: str | None
    link: str
    metric: int
    preference: str
    until: Instant
    because: Seq
    kind: str = "unicast"


class Table(msgspec.Struct, frozen=True):
    """One table: an instance's, for the sources whose prefixes these routers announced; () for all others."""

    number: int
    pvd: PvdId
    link: LinkId
    epoch: int
    routers: tuple[str, ...]
    routes: tuple[TableRoute, ...]


class Rule(msgspec.Struct, frozen=True, order=True):
    """Packets from `source` are looked up in `table`. until: when the address ends."""

    priority: int
    source: str
    table: int
    until: Instant
    because: Seq


class Steering(msgspec.Struct, frozen=True):
    """All tables by number and all rules, sorted."""

    at: Instant
    tables: tuple[Table, ...]
    rules: tuple[Rule, ...]


def ours(table: int) -> bool:
    """Whether a table's number is of our range; rules that lead there are ours, too."""
    return TABLES_FIRST <= table < TABLES_FIRST + TABLES_SPAN


def number(pvd: PvdId, link: LinkId, epoch: int, routers: tuple[str, ...], taken: frozenset[int] | set[int]) -> int:
    """A table's number: derived, so that it is found again after a restart; the next free one where it is taken."""
    said = "\n".join((pvd, link, str(epoch), *routers)).encode()
    at = int.from_bytes(blake2b(said, digest_size=4).digest()) % TABLES_SPAN
    while TABLES_FIRST + at in taken:
        at = (at + 1) % TABLES_SPAN
    return TABLES_FIRST + at


def steering(state: State, *, host: HostId | None = None) -> Steering:
    """The tables and rules for every address this host has in a PvD. host: whose leases count, as for `desired`.

    An address the kernel made itself counts with the kernel's lifetimes (standards.md S09).
    """
    taken: set[int] = set()
    tables: list[Table] = []
    rules: list[Rule] = []
    for place in desired(state, host=host).places:
        by_routers: dict[tuple[str, ...], int] = {}
        for source, until, because in _sources(state, place):
            routers = tuple(sorted(announcers(state, place, source)))
            if routers not in by_routers:
                by_routers[routers] = number(place.pvd, place.link, place.epoch, routers, taken)
                taken.add(by_routers[routers])
                tables.append(_table(state, place, routers, by_routers[routers]))
            width = interface(source).max_prefixlen
            rules.append(Rule(PRIORITY, f"{source}/{width}", by_routers[routers], until, because))
    return Steering(state.now, tuple(sorted(tables, key=lambda one: one.number)), tuple(sorted(rules)))


def _sources(state: State, place: Place) -> list[tuple[str, Instant, Seq]]:
    """The usable addresses of an instance with their ends, sorted: ours, and those the kernel formed itself."""
    found: dict[str, tuple[Instant, Seq]] = {}
    for one in place.addresses:
        address = one.address.split("/")[0]
        if not covers("fe80::/10", address) and usable(state, place.link, address) and one.until > state.now:
            found[address] = (one.until, one.because)
    for (link, address), sighted in state.host.sighted.items():
        if link == place.link and sighted.origin == "kernel-ra" and sighted.until > state.now:
            if announcers(state, place, address) and usable(state, link, address):
                found[address] = (sighted.until, sighted.because)
    return sorted((address, *ends) for address, ends in found.items())


def _table(state: State, place: Place, routers: tuple[str, ...], number: int) -> Table:
    device = state.links[place.link].name or place.link
    routes = []
    for one in place.routes:
        if one.via is None or not routers or one.via in routers or network(one.destination).version == 4:
            routes.append(_route(one, device))
    if not any(one.via for one in routes) and state.policy.on("src_router_fallback"):
        routes += [_route(one, device) for one in place.routes if one.via is not None]
    for anywhere in ("0.0.0.0/0", "::/0"):
        routes.append(TableRoute(anywhere, None, "", METRIC_LAST, "medium", NEVER, 0, "unreachable"))
    return Table(number, place.pvd, place.link, place.epoch, routers, tuple(routes))


def _route(one: WantedRoute, device: str) -> TableRoute:
    metric = METRICS[one.preference]
    return TableRoute(one.destination, one.via, device, metric, one.preference, one.until, one.because)
