"""What an instance holds, put together from its contributions at the moment somebody asks.

Law: nothing merged is ever stored (house.md "keep every PvD apart"): contributions are, and this is the only place
that lays them over each other. The one heard last speaks for a key that several hold; resolvers and names stand in
order of use: DHCP before RA (RFC 8106 §5.3.1), newer announcements before older ones, then as one message gave them
(RFC 8106 §6.2).
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from immutables import Map

from events.ids import HostId, Instant, LinkId
from pvdcore.routers.parts import PARTS, apart
from pvdcore.state import FOLLOWS, Cell, Content, Grant, Held, Instance, Origin, Pvd, Value

Source = Origin | Grant
Item = tuple[Source, Held]

ORDERED = frozenset({"dns", "search", "encrypted_dns", "pref64"})
LIFE = "life"  # the soft lifetime of an RA that carries nothing with one; shown nowhere


class Holder(Protocol):
    """Where contributions are: a State, or the workbench of a step."""

    @property
    def speakers(self) -> Mapping[tuple[LinkId, str], tuple[Origin, ...]]: ...

    @property
    def grants(self) -> Map[tuple[LinkId, HostId, str, str], Grant]: ...


def heard_at(source: Source, held: Held) -> Instant:
    """When an item was last said."""
    if held.heard_at != FOLLOWS:
        return held.heard_at
    return source.heard_at


def sources(state: Holder, pvd: Pvd, cell: Cell) -> list[Source]:
    """The contributions to one instance."""
    instance = pvd.cells.get(cell)
    return [] if instance is None else members(state, pvd.id, instance)


def members(state: Holder, pvd: str, instance: Instance) -> list[Source]:
    """The contributions an instance names."""
    found: list[Source] = []
    for speaker in instance.origins:
        for origin in state.speakers.get((instance.link, speaker), ()):
            if origin.pvd == pvd and origin.epoch == instance.epoch:
                found.append(origin)
    for key in instance.grants:
        grant = state.grants.get((instance.link, *key))
        if grant is not None:
            found.append(grant)
    return found


def merged(found: Sequence[Source]) -> list[Item]:
    """One item a key, sorted by kind; ordered kinds in order of use, the others by key."""
    newest: dict[tuple[str, str], Item] = {}
    places: dict[tuple[str, str], tuple[int, int, int]] = {}
    mixed: set[str] = set()
    for source in found:
        for held in source.held:
            if held.kind == LIFE:
                continue
            slot = (held.kind, held.key)
            before = newest.get(slot)
            if held.kind in PARTS or (before and held.kind == "prefix" and held.value != before[1].value):
                mixed.add(held.key)
            if before is None or heard_at(*before) < heard_at(source, held):
                newest[slot] = (source, held)
            if held.kind in ORDERED:  # where the first to say it put it: a refresh by another moves nothing
                place = (0 if isinstance(source, Grant) else 1, held.since, held.order)
                places[slot] = min(places.get(slot, place), place)
    for prefix in mixed:
        _complete(found, newest, prefix)
    return sorted(newest.values(), key=lambda item: _place(item[1], places))


def _complete(found: Sequence[Source], newest: dict[tuple[str, str], Item], prefix: str) -> None:
    """What the newest word about a prefix leaves out, another may say: of each part the newest that does speaks."""
    said = [(source, held) for source in found for held in source.held if held.key == prefix]
    for kind, flag in PARTS.items():
        newest.pop((kind, prefix), None)
        saying = [item for item in said if item[1].kind in ("prefix", kind) and item[1].value[flag]]
        if saying and not newest["prefix", prefix][1].value[flag]:
            source, held = max(saying, key=lambda item: heard_at(*item))
            newest[kind, prefix] = (source, apart(held, kind))


def _place(held: Held, places: dict[tuple[str, str], tuple[int, int, int]]) -> tuple[str | int, ...]:
    """By what an item stands among others of its kind."""
    if held.kind not in ORDERED:
        return (held.kind, held.key)
    if held.kind == "encrypted_dns":  # lower priority first (RFC 9463 §3.1)
        priority = held.value[0]
        assert isinstance(priority, int)
        return (held.kind, priority, held.key)
    rank, since, order = places[held.kind, held.key]
    if held.kind == "pref64":  # in the order received (RFC 7050 §3, RFC 8781 §5)
        return (held.kind, since, order, held.key)
    return (held.kind, rank, -since, order, held.key)


def content(found: Sequence[Source]) -> tuple[Content, ...]:
    """What makes a Version: items without lifetimes, and the flags (house.md "History")."""
    items: list[Content] = [(held.kind, held.key, held.value) for _, held in merged(found)]
    for source in found:
        if isinstance(source, Origin):
            items.append(("flags", source.speaker, flags(source)))
    return tuple(items)


def flags(origin: Origin) -> Value:
    """M, O, H, L, delay and sequence of one router's words: content, though no item."""
    header = origin.header
    # Delay and sequence mean nothing without H (RFC 8801 §3.1).
    delay, sequence = (origin.delay, origin.sequence or 0) if origin.http else (0, 0)
    return (header.managed, header.other_config, origin.http, origin.legacy, delay, sequence)
