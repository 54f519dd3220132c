"""The projection `tables`: each PvD instance as routing tables of its own in the host's first namespace.

Law: which PvD a packet belongs to is said by its source address alone: one rule an address leads to the instance's
table, and a table ends in `unreachable`, so that nothing falls through into another PvD (RFC 7556 §5.2.2). Where
routers of one PvD announce different prefixes, sources that may not use all of them have a table for their set, so that
each leaves by a router that announced its prefix (RFC 8028 §3; with it RFC 6724 §5 rule 5.5 holds for whoever binds a
source).

Addresses: those that the host has in the PvD are used, whoever configured them (the kernel, a DHCP client, a manager of
networks). Only what nobody else can have is written, and marked ours: addresses whose identifiers we chose
(pvdcore/host/addresses.py says when), and those of a profile. The host's resolver, its links and its main table stay as
they are.
"""

from collections.abc import Callable, Container, Iterator
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from events.ids import NEVER, Instant, LinkId, PvdId, Seq
from pvdcore.host.addresses import usable
from pvdcore.prefixes import covers, interface, network
from pvdcore.projections.desired import Desired, Place, WantedAddress, WantedRoute, WantedRule
from pvdcore.projections.selection import announcers
from pvdcore.state import State

TABLES_FIRST: Final = 0x5000_0000  # a range of our own: what is in it is ours, far from 253-255
TABLES_SPAN: Final = 1 << 28  # 200 instances collide in it once in thirteen thousand hosts, and then are set apart
PRIORITY: Final = 17_000  # before `main` (32766), behind `local` (0) and what VPN clients commonly use
METRIC_LAST: Final = 4_278_198_272  # of what ends a table: behind all others
WRITTEN: Final = ("slaac", "static")
"""Origins of the addresses that are ours to configure: others' clients hold what DHCP leases and VPNs give."""


def ours(table: int) -> bool:
    """Whether a table's number is of our range; rules that lead there are ours, too."""
    return TABLES_FIRST <= table < TABLES_FIRST + TABLES_SPAN


def number(pvd: PvdId, link: LinkId, epoch: int, routers: tuple[str, ...], taken: Container[int]) -> int:
    """A table's number: derived, so that it is found again after a restart; the next free one where it is taken."""
    said = "\n".join((pvd, link, str(epoch), *routers)).encode()
    at = int.from_bytes(blake2b(said, digest_size=4).digest()) % TABLES_SPAN
    while TABLES_FIRST + at in taken:
        at = (at + 1) % TABLES_SPAN
    return TABLES_FIRST + at


def projected(state: State, want: Desired, in_tables: Callable[[LinkId], bool]) -> Desired:
    """Places, those on the links of which that is said as tables."""
    taken: set[int] = set()
    places = []
    for place in want.places:
        if in_tables(place.link):
            place = steered(state, place, taken)
            taken |= tables(place)
        places.append(place)
    return Desired(want.at, tuple(places))


def tables(place: Place) -> set[int]:
    """The numbers of an instance's tables."""
    return {route.table for route in place.routes}


def steered(state: State, place: Place, taken: Container[int]) -> Place:
    """A place, as tables of the first namespace. taken: numbers that are other instances'.

    The instance's own table is there even where no address leads to it yet.
    """
    hops = {one.via for one in place.routes if one.via is not None and network(one.destination).version == 6}
    base = number(place.pvd, place.link, place.epoch, (), taken)
    numbers: dict[tuple[str, ...], int] = {(): base}
    rules = []
    for source, ends, because in _sources(state, place):
        said = announcers(state, place, source)
        routers = tuple(sorted(said)) if said and not hops <= said else ()
        if routers not in numbers:
            others = numbers.values()
            numbers[routers] = number(place.pvd, place.link, place.epoch, routers, _Either(taken, others))
        alone = f"{source}/{interface(source).max_prefixlen}"
        rules.append(WantedRule(PRIORITY, alone, numbers[routers], ends, because))
    routes = [one for routers, table in sorted(numbers.items()) for one in _routes(state, place, routers, table)]
    return replace(
        place,
        netns="",
        device=place.parent,
        mtu=0,
        hop_limit=0,
        addresses=tuple(_written(state, place)),
        routes=tuple(routes),
        servers=(),
        search=(),
        mac="",
        table=base,
        steers=tuple(sorted(rules)),
        tunnel="",
    )


class _Either:
    """Numbers in one of two."""

    def __init__(self, *some: Container[int]) -> None:
        self._some = some

    def __contains__(self, number: object) -> bool:
        return any(number in one for one in self._some)


def _sources(state: State, place: Place) -> list[tuple[str, Instant, Seq]]:
    """The addresses that may speak in an instance, with their ends, sorted: those of its own, and those in its prefixes
    that the host has anyway. What we write ourselves has its rule before it stands, so that it never speaks elsewhere.
    """
    live = state.links[place.link].host
    found: dict[str, tuple[Instant, Seq]] = {}
    for one in place.addresses:
        address = one.address.split("/")[0]
        if covers("fe80::/10", address):
            continue
        if one.origin in WRITTEN or not live or usable(state, place.link, address):
            found[address] = (one.until, one.because)
    for address, ends, because in _foreign(state, place):
        found.setdefault(address, (ends, because))
    return sorted((address, *ends) for address, ends in found.items())


def _foreign(state: State, place: Place) -> Iterator[tuple[str, Instant, Seq]]:
    """Addresses in an instance's prefixes that somebody else has configured, with the ends that the kernel counts to
    (standards.md S09). A leased one is where its lease is."""
    mine = set(_prefixes(state, place))
    for (link, address), sighted in state.host.sighted.items() if mine else ():
        if link != place.link or sighted.origin == "ours" or sighted.until <= state.now:
            continue
        if any(covers(prefix, address) for prefix in mine) and usable(state, link, address):
            if not leased(state, link, address) and holder(state, link, address) == place.pvd:
                yield address, sighted.until, sighted.because


def _prefixes(state: State, place: Place) -> Iterator[str]:
    instance = state.pvds[place.pvd].cells.get((place.link, place.epoch, ""))
    for speaker in instance.origins if instance is not None else ():
        for origin in state.speakers.get((place.link, speaker), ()):
            if origin.pvd == place.pvd:
                yield from (held.key for held in origin.held if held.kind == "prefix")


def leased(state: State, link: LinkId, address: str) -> bool:
    """Whether DHCP gave an address to this host."""
    return any(
        held.kind == "address" and held.key.split("/")[0] == address
        for key in state.links[link].grants
        for held in state.grants[link, *key].held
    )


def using(state: State, link: LinkId, address: str) -> set[PvdId]:
    """The PvDs in whose tables an address may be looked up that the host has."""
    if link not in state.links:
        return set()
    grants = (state.grants[link, *key] for key in state.links[link].grants)
    placed = {grant.placed for grant in grants if any(held.key.split("/")[0] == address for held in grant.held)}
    return (placed | {holder(state, link, address)}) - {""}


def holder(state: State, link: LinkId, address: str) -> PvdId:
    """Whose an address is that somebody else has configured: of who announced its longest prefix first, so that routers
    that repeat one prefix in turns do not pull it to and fro."""
    found = min(
        (
            (-network(held.key).prefixlen, held.since, origin.pvd)
            for speaker in state.links[link].speakers
            for origin in state.speakers.get((link, speaker), ())
            for held in origin.held
            if held.kind == "prefix" and covers(held.key, address)
        ),
        default=(0, 0, ""),
    )
    return found[2]


def _written(state: State, place: Place) -> Iterator[WantedAddress]:
    """The addresses of an instance that are ours to configure."""
    for one in place.addresses:
        if one.origin in WRITTEN and not covers("fe80::/10", one.address):
            sighted = state.host.sighted.get((place.link, one.address.split("/")[0]))
            if sighted is None or sighted.origin == "ours":
                yield one


def _routes(state: State, place: Place, routers: tuple[str, ...], table: int) -> Iterator[WantedRoute]:
    """A table. routers: for sources of these, () for all."""
    mine = [
        one
        for one in place.routes
        if one.via is None or not routers or one.via in routers or network(one.destination).version == 4
    ]
    if not any(one.via for one in mine) and state.policy.on("src_router_fallback"):
        mine += [one for one in place.routes if one.via is not None]
    yield from (replace(one, table=table) for one in mine)
    for anywhere in ("0.0.0.0/0", "::/0"):
        yield WantedRoute(anywhere, None, "medium", NEVER, 0, table, "unreachable", METRIC_LAST)
