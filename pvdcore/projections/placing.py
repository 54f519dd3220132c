"""Which instance stands where, and what became of it in the kernel: the slice that folds plans and their outcomes.

Law: an instance is `placed` because a record says so, never because it ought to be. What failed is tried again at an
instant that stands in the State. What stands when its PvD ends is `lingering` until a record says that it is gone.
"""

from typing import Final

from msgspec.structs import replace

from events.ids import MILLISECOND, SECOND, Instant, LinkId, PvdId
from events.ops import (
    AddressDelete,
    ClientEnd,
    ClientLost,
    ClientRun,
    LinkDelete,
    NetnsDelete,
    Outcome,
    PlaceUsed,
    PlanApplied,
    RouteDelete,
    RuleDelete,
)
from pvdcore import phases
from pvdcore.domains.contents import Source, members
from pvdcore.draft import Draft
from pvdcore.leases import adoption
from pvdcore.profiles import vpns
from pvdcore.profiles.connections import held_down
from pvdcore.projections import places
from pvdcore.projections.desired import Desired, Place, place_of
from pvdcore.projections.places import Holder, owner_of, place_mac, place_name
from pvdcore.projections.plan import FOUNDATIONS, op_key
from pvdcore.state import Cell, Change, Connection, Failing, Instance, Placement, State

BACKOFF_FIRST: Final[Instant] = 100 * MILLISECOND  # the kernel may still be doing away with what was there before
BACKOFF_MAX: Final[Instant] = 300 * SECOND  # an operator who mends something need not wait longer
STEADY: Final[Instant] = 60 * SECOND  # a DHCP client that has run for so long is no longer one that cannot start
GONE_ALREADY: Final = ("ENOENT", "ESRCH", "EADDRNOTAVAIL", "ENODEV")
TABLES: Final = "tables"
UNWRITTEN: Final = "done, and not there when looked at again"

Key = tuple[str, LinkId, int]
"""Who has a place: a PvD, or a connection as owner (`connection:ID`) before one took it over; link; attachment."""


def wanted(state: State, key: Key) -> Place | None:
    """How a place should stand in a namespace, or, on a link with the projection `tables`, what an instance brings to
    its tables; `None` if nothing should stand."""
    has, name, epoch = key
    how = places.projection(state, name)
    link = state.links.get(name)
    if link is None or link.epoch != epoch or not link.attached or link.kind in places.UNPLACEABLE:
        return None
    if not link.ifindex or held_down(state, name) or how == "none":
        return None
    sources = _sources(state, key)
    client = adoption.client(state, has, name, epoch, name_of(state, key))
    if not sources and not _asks(state, key, client is not None):
        return None
    place = place_of(state, has, name, epoch, sources, None, "", {})
    if place.tunnel and how != TABLES:  # moved as it is, or left where its client made it
        return place if place.tunnel == vpns.MOVE else None
    # A macvlan takes no MTU above its link's; RFC 4861 §6.3.4 has such an announcement ignored.
    return replace(place, mtu=place.mtu if not link.mtu or place.mtu <= link.mtu else 0, client=client)


def wished(state: State, otherwise: Desired) -> Desired:
    """All places of a host: on the links that are written to, as they are to stand there (leases of their own, those
    that connections made); on others `otherwise`, as they would stand."""
    live = [name for name in sorted(state.links) if places.projection(state, name) != "none"]
    keys = {key for pvd in state.pvds for key in cells(state, pvd) if key[1] in live}
    keys |= {key for name in live if (key := made(state, name)) is not None}
    found = [place for key in sorted(keys) if (place := wanted(state, key)) is not None]
    others = [place for place in otherwise.places if place.link not in live]
    return Desired(otherwise.at, tuple(sorted([*others, *found], key=lambda one: (one.pvd, one.link, one.epoch))))


def _sources(state: State, key: Key) -> list[Source]:
    """What is to stand in a PvD's place: what all hosts share, and what was leased to the place's own MAC. In the first
    namespace that is the link's, whose leases are in the one PvD that they are placed in."""
    pvd, name, epoch = key
    found = state.pvds.get(pvd)
    if found is None:
        return []
    shared = found.cells.get((name, epoch, ""))
    leases = [one for one in places.leased(state, name, _mac(state, key)) if pvd in one.owners]
    if places.projection(state, name) == TABLES:
        leases = [one for one in leases if one.placed == pvd or one.rule == "dhcp6-info"]
    return [*(members(state, pvd, shared) if shared is not None else ()), *leases]


def _asks(state: State, key: Key, client: bool) -> bool:
    """Whether the place is a connection's that no PvD has, and is of use: somebody asks there, or nobody spoke yet."""
    has, name, _ = key
    made = places.maker(state, name)
    if made is None or made.adopter or owner_of(made.id) != has:
        return False
    return client or not state.links[name].speakers


def _mac(holder: Holder, key: Key) -> str:
    """From which MAC is asked what is to stand in a place."""
    if places.projection(holder, key[1]) == TABLES:
        return holder.links[key[1]].mac
    return place_mac(name_of(holder, key))


def name_of(holder: Holder, key: Key) -> str:
    """The name of a place's namespace and device."""
    has, link, epoch = key
    return place_name(places.owner(holder, has, link, epoch), link, epoch)


def cells(state: State, pvd: PvdId) -> list[Key]:
    """The places that a PvD may have."""
    found = state.pvds.get(pvd)
    return sorted({(pvd, link, epoch) for link, epoch, _ in found.cells}) if found is not None else []


def made(state: State, name: LinkId) -> Key | None:
    """The place of a connection on a link that no PvD has taken over."""
    one = places.maker(state, name)
    return (owner_of(one.id), name, one.epoch) if one is not None and not one.adopter else None


def placements(state: State, key: Key) -> list[tuple[str, Placement | None]]:
    """What is known of a place, by each instance that stands there, or by its connection: the phase, and where."""
    one = _connection(state, key)
    if one is not None:
        return [("", one.placement)]
    return [(instance.phase, instance.placement) for _, instance in _standing(state, key)]


def backoff(count: int) -> Instant:
    """How long an operation that failed `count` times in a row is left alone."""
    return BACKOFF_MAX if count > 12 else min(BACKOFF_MAX, BACKOFF_FIRST << (count - 1))


def applied(draft: Draft, event: PlanApplied) -> None:
    """What became of a plan."""
    key = (event.pvd, event.link, event.epoch)
    name = name_of(draft, key)
    gone = any(isinstance(one.op, NetnsDelete) and done(one) for one in event.outcomes)
    if gone:
        vpns.given_back(draft, event.pvd)
    one = _connection(draft, key)
    made_by = places.maker(draft, event.link)
    inherited = made_by.placement if made_by is not None and made_by.adopter == event.pvd else None
    if one is not None:
        after = None if gone else _placement(draft, one.placement, event, name)
        draft.connections = draft.connections.set(one.id, replace(one, placement=after))
        return
    for cell, instance in _standing(draft, key):
        if instance.phase == phases.LINGERING:
            _ended(draft, cell, instance, event, gone)
            continue
        if event.projection != places.projection(draft, event.link):
            continue  # of what stood there before its link was given to another one
        placement = _placement(draft, instance.placement or inherited, event, name)
        if event.projection == TABLES:
            gone = not event.table
            placement = replace(placement, name=str(event.table))
        if event.projection == TABLES or vpns.of_pvd(draft, event.pvd) is not None:  # the host's device, or a tunnel's
            placement = replace(placement, device=draft.link(event.link).name)
        if gone or any(isinstance(one.op, FOUNDATIONS) for one in placement.failed):
            cause = "displaced" if instance.phase == phases.PLACED else "heard"
        else:
            cause = "placed"
        after_ = replace(instance, placement=placement if placement.failed or cause == "placed" else None)
        _change(draft, event.pvd, cell, instance, after_, cause, cause)
    _returned(draft, key, name, "removed" if gone else "returned")


def _ended(draft: Draft, cell: Cell, instance: Instance, event: PlanApplied, gone: bool) -> None:
    """What became of taking away what has ended: a namespace is gone with its deletion, tables with all in them."""
    placement = instance.placement
    if placement is None or placement.projection != event.projection:
        return
    if event.projection == TABLES:
        gone = all(done(one) for one in event.outcomes) and not event.left
    if gone:
        _change(draft, event.pvd, cell, instance, None, "users-left", "removed")
    else:
        failed = _failed(draft, placement, event)
        _put(draft, event.pvd, cell, replace(instance, placement=replace(placement, failed=failed)))


def reprojected(draft: Draft) -> None:
    """What PvDs on a link stand in is another thing now, and nothing stands of it yet. What has ended stands until it
    is taken away; where nothing is projected any more, on no link, nobody does that."""
    if not draft.policy.projects():
        forget_all(draft, "policy")
        return
    for id, one in sorted(draft.connections.items()):
        if one.placement is not None and one.placement.projection != places.projection(draft, one.link):
            draft.connections = draft.connections.set(id, replace(one, placement=None))
    for pvd in sorted(draft.pvds):
        for cell, instance in draft.pvds[pvd].instances:
            placement = instance.placement
            if placement is None or instance.phase == phases.LINGERING:
                continue
            if placement.projection != places.projection(draft, cell[0]):
                step = "displaced" if instance.phase == phases.PLACED else "heard"
                _change(draft, pvd, cell, instance, replace(instance, placement=None), step, "policy")


def _returned(draft: Draft, key: Key, name: str, cause: str) -> None:
    """What an earlier visit left in the place is over, and what ended in this one where something stands again: who is
    inside is in the PvD again, or nobody is."""
    pvd, link, epoch = key
    found = draft.pvds.get(pvd)
    instances = found.instances if found is not None else ()
    again = any(cell[:2] == (link, epoch) and one.phase == phases.PLACED for cell, one in instances)
    for cell, one in instances:
        lingers = one.phase == phases.LINGERING and one.placement is not None and one.placement.name == name
        if lingers and cell[0] == link and cell[1] < epoch + again:
            _change(draft, pvd, cell, one, None, "users-left", cause)


def used(draft: Draft, event: PlaceUsed) -> None:
    """Who is inside what has ended."""
    for cell, instance in _standing(draft, (event.pvd, event.link, event.epoch)):
        if instance.placement is not None and instance.phase == phases.LINGERING:
            placement = replace(instance.placement, users=event.users)
            _put(draft, event.pvd, cell, replace(instance, placement=placement))


def lost(draft: Draft, event: ClientLost) -> None:
    """A DHCP client ended by itself: it is run again later, and later each time that it does not run for long."""
    key = (event.pvd, event.link, event.epoch)
    one = _connection(draft, key)
    if one is not None and one.placement is not None:
        draft.connections = draft.connections.set(one.id, replace(one, placement=_lost(draft, one.placement, event)))
    for cell, instance in _standing(draft, key):
        if instance.placement is not None:
            placement = _lost(draft, instance.placement, event)
            _put(draft, event.pvd, cell, replace(instance, placement=placement))


def _lost(draft: Draft, known: Placement, event: ClientLost) -> Placement:
    steady = known.asking_since and draft.at - known.asking_since >= STEADY
    count = 1 if steady else known.lost + 1
    others = tuple(one for one in known.failed if op_key(one.op) != op_key(event.op))
    failing = Failing(event.op, event.error, count, draft.at + backoff(count))
    return replace(known, failed=(*others, failing), asking_since=0, lost=count)


def forget_all(draft: Draft, cause: str) -> None:
    """Nothing stands any more that we know of: another boot, or no projection."""
    for id in sorted(draft.connections):
        draft.connections = draft.connections.set(id, replace(draft.connections[id], placement=None))
    for pvd in sorted(draft.pvds):
        for cell, instance in draft.pvds[pvd].instances:
            if instance.phase == phases.LINGERING:
                _change(draft, pvd, cell, instance, None, "users-left", cause)
            elif instance.placement is not None:
                step = "displaced" if instance.phase == phases.PLACED else "heard"
                _change(draft, pvd, cell, instance, replace(instance, placement=None), step, cause)


def done(outcome: Outcome) -> bool:
    """Whether it is as the operation wanted it, by whomever: what was to go may have gone by itself."""
    goes = isinstance(outcome.op, (AddressDelete, LinkDelete, NetnsDelete, RouteDelete, RuleDelete))
    return not outcome.error or (goes and outcome.error.split(":", 1)[0] in GONE_ALREADY)


def _placement(draft: Draft, known: Placement | None, event: PlanApplied, name: str) -> Placement:
    asking, ends = (known.asking_since, known.lost) if known is not None else (0, 0)
    for one in event.outcomes:
        if isinstance(one.op, ClientEnd) or (isinstance(one.op, ClientRun) and one.error):
            asking = 0
        elif isinstance(one.op, ClientRun):
            asking = draft.at
    return Placement(event.projection, name, name, _failed(draft, known, event), asking_since=asking, lost=ends)


def _failed(draft: Draft, known: Placement | None, event: PlanApplied) -> tuple[Failing, ...]:
    """What fails now. What waits for its instant waits on, unless it is wanted no more."""
    before = {op_key(one.op): one for one in (known.failed if known is not None else ())}
    tried = {op_key(one.op): one for one in event.outcomes}
    failing: dict[tuple[str, ...], Failing] = {}
    if any(not done(one) for one in event.outcomes):  # nobody looked what is left
        failing = {key: one for key, one in before.items() if key not in tried}
    else:
        for op in event.left:
            key = op_key(op)
            if key in tried:
                tried[key] = Outcome(op, UNWRITTEN)
            elif key in before:
                failing[key] = before[key]
    for key, outcome in tried.items():
        if not done(outcome):
            count = before[key].count + 1 if key in before else 1
            failing[key] = Failing(outcome.op, outcome.error, count, draft.at + backoff(count))
    return tuple(failing[key] for key in sorted(failing))


def _connection(holder: Holder, key: Key) -> Connection | None:
    has, link, epoch = key
    one = holder.connections.get(has.partition(":")[2]) if has.startswith("connection:") else None
    return one if one is not None and (one.link, one.epoch) == (link, epoch) else None


def _standing(holder: Holder, key: Key) -> list[tuple[Cell, Instance]]:
    """The instances of a PvD that stand in a place: what all hosts share, what was leased to the place's MAC, and what
    stood there before it ended. In a namespace not what was leased to the link's own MAC: another program uses it."""
    pvd, link, epoch = key
    found = holder.pvds.get(pvd)
    if found is None:
        return []
    hosts = {"", *(one.host for one in places.leased(holder, link, _mac(holder, key)))}
    return [
        (cell, one)
        for cell, one in found.instances
        if cell[:2] == (link, epoch) and (cell[2] in hosts or one.placement is not None)
    ]


def _change(
    draft: Draft, pvd: PvdId, cell: Cell, before: Instance, after: Instance | None, step: str, cause: str
) -> None:
    phase = phases.step(before.phase, step)
    if phase != before.phase:
        draft.changes.append(
            Change(
                pvd=pvd,
                link=cell[0],
                epoch=cell[1],
                host=cell[2],
                at=draft.at,
                because=draft.seq,
                cause=cause,
                version=0,
                phase_before=before.phase,
                phase=phase,
                seq=draft.seq,
            )
        )
    if after is None:
        found = draft.pvds[pvd]
        draft.put_pvd(replace(found, versions=found.versions + before.version))
    _put(draft, pvd, cell, replace(after, phase=phase) if after is not None else None)


def _put(draft: Draft, pvd: PvdId, cell: Cell, instance: Instance | None) -> None:
    found = draft.pvds[pvd]
    cells = found.cells.set(cell, instance) if instance is not None else found.cells.delete(cell)
    changed = replace(
        found,
        cells=cells,
        phase=phases.furthest([one.phase for one in cells.values()]),
        ended=None if cells else draft.at,
    )
    draft.put_pvd(changed)
    if instance is None:
        draft.list_pvd(changed, cell[0])
