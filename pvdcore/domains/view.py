"""A State read from a PvD's side: what an instance holds, who spoke of it, how often it changed.

Law: nothing here decides anything. Membership was decided by the reducer, and the laying over each other is that of
pvdcore.domains.contents; this is the way from a name to it that desired, audit and the reports share.
"""

from events.ids import Instant, PvdId
from pvdcore.domains.contents import Item, Source, merged, sources
from pvdcore.state import Cell, Grant, Instance, Origin, State


def instance(state: State, pvd: PvdId, cell: Cell) -> Instance | None:
    """One instance of a PvD, if both are there."""
    found = state.pvds.get(pvd)
    return found.cells.get(cell) if found else None


def speakers(state: State, pvd: PvdId, cell: Cell) -> list[Source]:
    """The contributions to an instance: what routers say of it, and what DHCP servers granted."""
    found = state.pvds.get(pvd)
    return sources(state, found, cell) if found else []


def origins(state: State, pvd: PvdId, cell: Cell) -> list[Origin]:
    """What routers say of an instance."""
    return [source for source in speakers(state, pvd, cell) if isinstance(source, Origin)]


def grants(state: State, pvd: PvdId, cell: Cell) -> list[Grant]:
    """What DHCP servers granted to an instance."""
    return [source for source in speakers(state, pvd, cell) if isinstance(source, Grant)]


def items(state: State, pvd: PvdId, cell: Cell) -> list[Item]:
    """All that an instance holds, each (kind, key) once, with the contribution that speaks for it.

    Sorted by kind, then by key; `dns`, `search` and `encrypted_dns` in order of use, `pref64` in the order received
    (pvdcore.domains.contents). `until(*item)` and `because(*item)` of pvdcore.state tell the rest. [] for a PvD not
    held.
    """
    return merged(speakers(state, pvd, cell))


def last_seen(state: State, pvd: PvdId) -> Instant:
    """When somebody last spoke of a PvD: its living speakers know, else the PvD itself. KeyError if never held."""
    found = state.pvds[pvd]
    heard = [source.heard_at for cell in found.cells for source in sources(state, found, cell)]
    return max(heard, default=found.last_seen)


def versions(state: State, pvd: PvdId) -> int:
    """A PvD's version number: those of the instances that ended, and of those that live. KeyError if never held."""
    found = state.pvds[pvd]
    return found.versions + sum(held.version for held in found.cells.values())
