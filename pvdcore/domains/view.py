"""A State read from a PvD's side: what an instance holds, who spoke of it, how often it changed.

Law: nothing here decides anything. Membership was decided by the reducer, and the laying over each other is that of
pvdcore.domains.contents; this is the way from a name to it that desired, audit and the reports share.
"""

from events.ids import Instant, LinkId, PvdId
from pvdcore.domains.contents import Item, Source, merged, sources
from pvdcore.domains.inquiry import Object
from pvdcore.domains.trust import domain
from pvdcore.state import Cell, Held, Origin, Pvd, State


def speakers(state: State, pvd: PvdId, cell: Cell) -> list[Source]:
    """The contributions to an instance: what routers say of it, and what DHCP servers granted."""
    found = state.pvds.get(pvd)
    return sources(state, found, cell) if found else []


def origins(state: State, pvd: PvdId, cell: Cell) -> list[Origin]:
    """What routers say of an instance."""
    return [source for source in speakers(state, pvd, cell) if isinstance(source, Origin)]


def items(state: State, pvd: PvdId, cell: Cell) -> list[Item]:
    """All that an instance holds, each (kind, key) once, with the contribution that speaks for it.

    Sorted by kind, then by key; `dns`, `search` and `encrypted_dns` in order of use, `pref64` in the order received
    (pvdcore.domains.contents). `until(*item)` and `because(*item)` of pvdcore.state tell the rest. [] for a PvD not
    held.
    """
    return merged(speakers(state, pvd, cell))


def of_family(found: list[Item], version: int) -> list[Item]:
    """The items of one IP version; what has none (names, an MTU, a portal's URI) is of both (RFC 7556 §2.5)."""
    return [item for item in found if not (said := _versions(item[1])) or version in said]


def _versions(held: Held) -> set[int]:
    match held.kind:
        case "router" | "prefix" | "on_link" | "autonomous" | "prefix_delegated" | "pref64" | "excluded":
            texts: tuple[object, ...] = (held.key,)
        case "address" | "dns" | "ntp":
            texts = (held.key,)
        case "route" | "dns_rule":
            texts = held.value[:1]
        case "encrypted_dns":
            listed = held.value[2]
            assert isinstance(listed, tuple)
            texts = listed
        case "lease":
            return {4 if held.value[0] == "dhcp4" else 6}
        case "hop_limit":
            return {6}
        case _:
            return set()
    return {6 if ":" in str(text) else 4 for text in texts}


def last_seen(state: State, pvd: PvdId) -> Instant:
    """When somebody last spoke of a PvD: its living speakers know, else the PvD itself. KeyError if never held."""
    found = state.pvds[pvd]
    heard = [source.heard_at for cell in found.cells for source in sources(state, found, cell)]
    return max(heard, default=found.last_seen)


def versions(state: State, pvd: PvdId) -> int:
    """A PvD's version number: those of the instances that ended, and of those that live. KeyError if never held."""
    found = state.pvds[pvd]
    return found.versions + sum([held.version for held in found.cells.values()])


def information(state: State, pvd: Pvd, link: LinkId, epoch: int) -> Object | None:
    """The additional information of an instance: its own, or, where trust makes several instances one PvD, what any of
    them holds for the sequence number heard last (RFC 7556 §2.3; the last RA wins where they differ)."""
    one = domain(state, pvd, (link, epoch))
    said = [origin for place in one for origin in origins(state, pvd.id, (*place, ""))]
    last = max(said, key=lambda by: (by.heard_at, by.link, by.speaker), default=None)
    if last is None or not last.http:
        return None
    asked = [found for place in one if (found := state.inquiries.get((pvd.id, *place))) is not None]
    objects = [it.held for it in asked if it.held is not None and it.sequence == last.sequence]
    return max(objects, key=lambda it: it.fetched_at, default=None)
