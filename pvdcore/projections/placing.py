"""Which instance stands where, and what became of it in the kernel: the slice that folds plans and their outcomes.

Law: an instance is `placed` because a record says so, never because it ought to be. What failed is tried again at an
instant that stands in the State. What stands when its PvD ends is `lingering` until a record says that it is gone.
"""

from typing import Final

from msgspec.structs import replace

from events.ids import MILLISECOND, SECOND, Instant, LinkId, PvdId
from events.ops import NetnsDelete, Outcome, PlaceUsed, PlanApplied
from pvdcore import phases
from pvdcore.domains.contents import members
from pvdcore.draft import Draft
from pvdcore.profiles.connections import held_down
from pvdcore.profiles.vpns import MOVE, of_pvd
from pvdcore.projections.desired import Place, place_name, place_of
from pvdcore.projections.plan import FOUNDATIONS, op_key
from pvdcore.state import Cell, Change, Failing, Instance, Placement, State

BACKOFF_FIRST: Final[Instant] = 100 * MILLISECOND  # the kernel may still be doing away with what was there before
BACKOFF_MAX: Final[Instant] = 300 * SECOND  # an operator who mends something need not wait longer
GONE_ALREADY: Final = ("", "ENOENT")
UNWRITTEN: Final = "done, and not there when looked at again"
UNPLACEABLE: Final = ("capture", "loopback", "macvlan", "unknown")
"""Kinds of link on which nothing is placed: they are no links of this host's, or ours already."""

Key = tuple[PvdId, LinkId, int]


def wanted(state: State, key: Key) -> Place | None:
    """How an instance should stand in a namespace; `None` if it should not."""
    pvd, name, epoch = key
    link = state.links.get(name)
    found = state.pvds.get(pvd)
    if link is None or found is None or link.epoch != epoch or not link.attached or link.kind in UNPLACEABLE:
        return None
    instance = found.cells.get((name, epoch, ""))
    if instance is None or not link.ifindex or held_down(state, name):
        return None
    sources = members(state, pvd, instance)
    if not sources:
        return None
    place = place_of(state, pvd, name, epoch, sources, None, "", {})
    if place.tunnel:  # moved as it is, or left where its client made it
        return place if place.tunnel == MOVE else None
    # A macvlan takes no MTU above its link's; RFC 4861 §6.3.4 has such an announcement ignored.
    return replace(place, mtu=place.mtu if not link.mtu or place.mtu <= link.mtu else 0)


def cells(state: State, pvd: PvdId) -> list[Key]:
    """The instances of a PvD that may stand somewhere."""
    found = state.pvds.get(pvd)
    return sorted({(pvd, link, epoch) for link, epoch, _ in found.cells}) if found is not None else []


def backoff(count: int) -> Instant:
    """How long an operation that failed `count` times in a row is left alone."""
    return BACKOFF_MAX if count > 12 else min(BACKOFF_MAX, BACKOFF_FIRST << (count - 1))


def applied(draft: Draft, event: PlanApplied) -> None:
    """What became of a plan."""
    for cell, instance in _instances(draft, event.pvd, event.link, event.epoch):
        gone = any(isinstance(one.op, NetnsDelete) and _done(one) for one in event.outcomes)
        if gone and instance.phase == phases.LINGERING:
            _change(draft, event.pvd, cell, instance, None, "users-left", "removed")
            continue
        if instance.phase == phases.LINGERING:
            continue
        failed = _failed(draft, instance, event)
        name = place_name(event.pvd, event.link, event.epoch)
        device = name if of_pvd(draft, event.pvd) is None else draft.link(event.link).name or event.link
        placement = Placement(event.projection, name, device, failed)
        if gone or any(isinstance(one.op, FOUNDATIONS) for one in failed):
            cause = "displaced" if instance.phase == phases.PLACED else "heard"
        else:
            cause = "placed"
        after = replace(instance, placement=placement if failed or cause == "placed" else None)
        _change(draft, event.pvd, cell, instance, after, cause, cause)


def used(draft: Draft, event: PlaceUsed) -> None:
    """Who is inside what has ended."""
    for cell, instance in _instances(draft, event.pvd, event.link, event.epoch):
        if instance.placement is not None and instance.phase == phases.LINGERING:
            placement = replace(instance.placement, users=event.users)
            _put(draft, event.pvd, cell, replace(instance, placement=placement))


def forget_all(draft: Draft, cause: str) -> None:
    """Nothing stands any more that we know of: another boot, or no projection."""
    for pvd in sorted(draft.pvds):
        for cell, instance in draft.pvds[pvd].instances:
            if instance.phase == phases.LINGERING:
                _change(draft, pvd, cell, instance, None, "users-left", cause)
            elif instance.placement is not None:
                step = "displaced" if instance.phase == phases.PLACED else "heard"
                _change(draft, pvd, cell, instance, replace(instance, placement=None), step, cause)


def _done(outcome: Outcome) -> bool:
    return outcome.error.split(":", 1)[0] in GONE_ALREADY


def _failed(draft: Draft, instance: Instance, event: PlanApplied) -> tuple[Failing, ...]:
    failing = {op_key(one.op): one for one in (instance.placement.failed if instance.placement else ())}
    tried = [*event.outcomes, *(Outcome(op, UNWRITTEN) for op in event.left)]
    for outcome in tried:
        key = op_key(outcome.op)
        known = failing.pop(key, None)
        if outcome.error:
            count = known.count + 1 if known is not None else 1
            failing[key] = Failing(outcome.op, outcome.error, count, draft.at + backoff(count))
    return tuple(failing[key] for key in sorted(failing))


def _instances(draft: Draft, pvd: PvdId, link: LinkId, epoch: int) -> list[tuple[Cell, Instance]]:
    found = draft.pvds.get(pvd)
    return [(cell, one) for cell, one in found.instances if cell[:2] == (link, epoch)] if found is not None else []


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
