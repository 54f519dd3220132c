"""PvDs and their instances at the end of a step: what is new, what changed, what ended.

Law: a version is made here or nowhere: when an instance's content differs from what it was, once a step, dated at the
step's instant. An instance lives while something contributes to it.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from msgspec.structs import replace

from events.ids import HostId, Instant, LinkId, PvdId
from pvdcore import phases
from pvdcore.domains import portals
from pvdcore.domains.contents import Source, content, members, sources
from pvdcore.domains.inquiry import informed
from pvdcore.domains.trust import any_trusted, domains
from pvdcore.draft import Draft, Touch
from pvdcore.projections import places
from pvdcore.state import Cell, Change, Content, Grant, Instance, Origin, Placement, Pvd

RECENT = 8  # State keeps the records of so many versions a PvD; older ones are in the journal's index

KINDS = {
    "fqdn": ("explicit", "ra"),
    "uuid": ("explicit", "mif"),
    "ra": ("implicit", "ra"),
    "if": ("implicit", "link"),
    "dhcp4": ("implicit", "dhcp4"),
    "dhcp6": ("implicit", "dhcp6"),
    "static": ("implicit", "static"),
    "vpn": ("explicit", "vpn"),  # by a name of this host's own
}


def settle(draft: Draft) -> None:
    """Bring every touched instance up to date, in the order of their keys."""
    leases = Leases({}, {})
    for pvd, cell in sorted(draft.touched):
        _settle(draft, pvd, cell, draft.touched[pvd, cell], leases)
    draft.touched.clear()
    draft.speaking.clear()
    draft.regroup.clear()
    draft.match.clear()
    draft.ownerless.clear()


Difference = tuple[tuple[Content, ...], tuple[Content, ...], tuple[tuple[Content, Content], ...]]
"""What was added, removed and changed."""


class Outcome(NamedTuple):
    """What becomes of an instance in a step, and what differs then; `None` where content and phase stay."""

    after: Instance
    differs: Difference | None


class Leases(NamedTuple):
    """What a link's many implicit PvDs share, found once a step.

    given: of each cell, its host's grants by their keys. outcomes: what becomes of the instances of a client's leases,
    by the same instance before (its id; all of them were there when this began) and the same contributions (theirs).
    """

    given: dict[Cell, list[tuple[tuple[HostId, str, str], Grant]]]
    outcomes: dict[tuple[object, ...], Outcome]


def _settle(draft: Draft, name: PvdId, cell: Cell, touch: Touch, leases: Leases) -> None:
    link, epoch, host = cell
    pvd = draft.pvds.get(name)
    before = pvd.cells.get(cell) if pvd is not None else None
    everyone = pvd.cells.get((link, epoch, "")) if pvd is not None and host else None
    found: list[Source] = []
    grants: list[tuple[str, str, str]] = []
    given = leases.given.get(cell)
    if given is None:  # of this host's own instance: what a profile itself configures
        given = leases.given[cell] = _given(draft, link, epoch, host)
    for key, grant in given:
        if name in grant.owners:
            grants.append(key)
            found.append(grant)
    origins: list[Origin] = []
    if not host:
        for speaker in draft.speakers_of(name, cell):
            for origin in draft.speakers.get((link, speaker), ()):
                if origin.pvd == name and origin.epoch == epoch:
                    origins.append(origin)
        found += origins
    if before is None and not found:
        return
    # What stands in the kernel is there until a record says that it went: somebody may be inside.
    stands = before is not None and before.phase in (phases.PLACED, phases.LINGERING) and _alone(draft, pvd, before)
    if host:
        alike = (stands, cell, id(before), *map(id, found))
        outcome = leases.outcomes.get(alike)
        if outcome is None:
            outcome = leases.outcomes[alike] = _outcome(draft, cell, before, stands, content(found), (), tuple(grants))
    else:
        said = (*content(found), *informed(draft, name, link, epoch))
        speakers = tuple([one.speaker for one in origins])
        outcome = _outcome(draft, cell, before, stands, said, speakers, tuple(grants))
    after, differs = outcome
    made = before is None or after.version != before.version
    phase_before, phase = before.phase if before else phases.UNBORN, after.phase
    if pvd is None:
        word, _, rest = name.partition(":")
        pvd = Pvd(name, rest, *KINDS[word], first_seen=draft.at, uid=unique(draft, name, link))
    if differs is not None:
        version = after.version if made else 0
        why = (draft.at, touch.because, touch.cause)
        draft.changes.append(Change(name, *cell, *why, version, phase_before, phase, *differs, draft.seq))
    _compare(draft, name, link, origins)
    _portals(draft, name, found, after, everyone)
    if not found:  # it ends, or lingers
        pvd = replace(pvd, last_seen=max(pvd.last_seen, _last_heard(draft, name, before)))
    if phase == phases.GONE:
        cells = pvd.cells.delete(cell)
        pvd = replace(pvd, versions=pvd.versions + after.version)
    else:
        cells = pvd.cells.set(cell, after)
    if phase in (phase_before, pvd.phase):
        furthest = pvd.phase
    elif before is None:
        furthest = phases.furthest([pvd.phase, phase])
    else:
        furthest = phases.furthest([one.phase for one in cells.values()])
    pvd = replace(
        flagged(origins, pvd) if origins else pvd,
        cells=cells,
        phase=furthest,
        ended=None if cells else draft.at,
        recent=(*pvd.recent, touch.because)[-RECENT:] if made else pvd.recent,
    )
    draft.put_pvd(pvd)
    if origins and len(cells) > 1 and any_trusted(draft.policy):
        _one_of_several(draft, pvd, link)
    # Beside the shared instance on the same attachment, one more or less says nothing new of the link.
    if (before is None or phase == phases.GONE) and everyone is None:
        draft.list_pvd(pvd, link)


def _given(draft: Draft, link: LinkId, epoch: int, host: HostId) -> list[tuple[tuple[HostId, str, str], Grant]]:
    """The grants of one host on an attachment, with their keys there."""
    found = [(key, draft.grants.get((link, *key))) for key in draft.grants_of(link, host)]
    return [(key, grant) for key, grant in found if grant is not None and grant.epoch == epoch]


def _outcome(
    draft: Draft,
    cell: Cell,
    before: Instance | None,
    stands: bool,
    said: tuple[Content, ...],
    speakers: tuple[str, ...],
    grants: tuple[tuple[str, str, str], ...],
) -> Outcome:
    old = before.content if before else ()
    made = before is None or said != old
    version = (before.version if before else 0) + made
    phase_before = before.phase if before else phases.UNBORN
    ended = "ended-in-use" if stands else "users-left" if phase_before == phases.LINGERING else "ended"
    phase = phases.step(phase_before, "heard" if speakers or grants else ended)
    since = before.since if before else draft.at
    placement = _placement(draft, before, phase)
    after = Instance(*cell, phase, since, version, said, speakers, grants, placement)
    return Outcome(after, difference(old, said) if made or phase != phase_before else None)


def unique(draft: Draft, id: PvdId, link: LinkId) -> str:
    """What a PvD is called outside this host (RFC 7556 §2.4).

    An explicit id is a name already. `ra:eth0/1/fe80::1` is another PvD on every host that has such a link, so it goes
    into a UUID with what no other has: the boot id, which is random, or in a capture where the link came from, and
    the nanosecond.
    """
    if id.startswith(("fqdn:", "uuid:")):
        return id
    known = draft.link(link)
    said = (draft.boot, known.identity, str(known.first_seen), str(draft.at), id)
    digest = bytearray(blake2b("\n".join(said).encode(), digest_size=16).digest())
    digest[6] = digest[6] & 0x0F | 0x80  # RFC 9562 §5.8: version 8, as the maker has it
    digest[8] = digest[8] & 0x3F | 0x80  # §4.1: its variant
    text = digest.hex()
    return f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _alone(draft: Draft, pvd: Pvd | None, one: Instance) -> bool:
    """Whether nothing else keeps the place of an instance: no other part of its PvD on the attachment (a host's lease
    beside what all share), and no connection that goes on asking from there."""
    if pvd is None or one.placement is None:
        return False
    beside = (each for each in pvd.cells.values() if each is not one and each.placement is not None)
    if any((each.link, each.epoch, each.phase) == (one.link, one.epoch, phases.PLACED) for each in beside):
        return False
    made = places.maker(draft, one.link)
    if made is None or not places.is_open(made):
        return True
    return places.place_name(places.owner_of(made.id), one.link, one.epoch) != one.placement.name


def _placement(draft: Draft, before: Instance | None, phase: str) -> Placement | None:
    if before is None or before.placement is None or phase == before.phase:
        return before.placement if before is not None else None
    # What failed was wanted before, and nobody tries it again.
    return replace(before.placement, users=(), failed=(), ended_at=draft.at if phase == phases.LINGERING else 0)


def _compare(draft: Draft, id: PvdId, link: LinkId, origins: list[Origin]) -> None:
    """Routers of one PvD that disagree where RFC 4861 §6.2.7 wants it logged. 0 is "unspecified", no disagreement."""
    if len(origins) < 2:
        return
    values: dict[str, set[object]] = {}
    for origin in origins:
        header = origin.header
        said: dict[str, object] = {"hop limit": header.hop_limit, "reachable time": header.reachable_ms}
        said |= {"M": str(header.managed), "O": str(header.other_config), "retransmission timer": header.retrans_ms}
        said["MTU"] = next((held.value[0] for held in origin.held if held.kind == "mtu"), 0)
        for name, value in said.items():
            if value:
                values.setdefault(name, set()).add(value)
    differing = sorted(name for name, several in values.items() if len(several) > 1)
    if differing:
        draft.find("ra-inconsistent", link=link, pvd=id, what=", ".join(differing))


def _one_of_several(draft: Draft, pvd: Pvd, link: LinkId) -> None:
    """Where trust makes several links one PvD, its routers should say one sequence number (standards.md C.4)."""
    for one in domains(draft, pvd):
        lasts = (_last(sources(draft, pvd, (*place, ""))) for place in one)
        said = {(last.http, last.sequence if last.http else None) for last in lasts if last is not None}
        if len(said) > 1:
            draft.find("ra-inconsistent", link=link, pvd=pvd.id, what="H flag or sequence number")


def _portals(draft: Draft, id: PvdId, found: list[Source], after: Instance, everyone: Instance | None) -> None:
    """Captive portals that differ by who or which protocol says them (RFC 8910 §3), those that all hosts share too."""
    link = after.link
    if not (_has_portal(after.content) or (everyone is not None and _has_portal(everyone.content))):
        return
    both = [*found, *(members(draft, id, everyone) if everyone else ())]
    uris: dict[str, str] = {}
    for source in both:
        for held in source.held:
            if held.kind == "captive_portal":
                by = source.speaker if isinstance(source, Origin) else source.rule
                uris.setdefault(str(held.value[0]), by)
    for uri, by in sorted(uris.items()):
        if portals.literal(uri):
            draft.find("capport-literal", link=link, pvd=id, uri=uri, by=by)
    if len(uris) > 1:
        what = ", ".join(f"{uri} by {by}" for uri, by in sorted(uris.items()))
        draft.find("capport-differs", link=link, pvd=id, what=what)


def _has_portal(said: tuple[Content, ...]) -> bool:
    """Content stands sorted by kind, but for the flags behind it: few items come before a portal."""
    for kind, _, _ in said:
        if kind >= "captive_portal":
            return kind == "captive_portal"
    return False


def _last_heard(draft: Draft, id: PvdId, before: Instance | None) -> Instant:
    """When an instance that ends was last heard of."""
    if before is None:
        return draft.at
    return max((one.heard_at for one in members(draft.before, id, before)), default=before.since)


def flagged(found: Sequence[Source], pvd: Pvd) -> Pvd:
    """H, delay and sequence of the router that spoke last, L of any (standards.md C.2)."""
    last = _last(found)
    if last is None:
        return pvd
    legacy = any(one.legacy for one in found if isinstance(one, Origin))
    return replace(pvd, http=last.http, legacy=legacy, delay=last.delay, sequence=last.sequence)


def _last(found: Sequence[Source]) -> Origin | None:
    """What the router said that spoke last."""
    spoken = (one for one in found if isinstance(one, Origin))
    return max(spoken, key=lambda one: (one.heard_at, one.speaker), default=None)


def difference(old: tuple[Content, ...], new: tuple[Content, ...]) -> Difference:
    """What differs between two contents. A new order of use is a change of `KIND order`."""
    if not old:
        return new, (), ()
    before = {(kind, key): value for kind, key, value in old}
    after = {(kind, key): value for kind, key, value in new}
    added = tuple(item for item in new if item[:2] not in before)
    removed = tuple(item for item in old if item[:2] not in after)
    changed = [
        ((*slot, before[slot]), (*slot, after[slot]))
        for slot in before
        if slot in after and before[slot] != after[slot]
    ]
    for kind in ("dns", "search", "encrypted_dns", "pref64"):
        was = tuple(key for one, key, _ in old if one == kind and (one, key) in after)
        now = tuple(key for one, key, _ in new if one == kind and (one, key) in before)
        if was != now:
            changed.append(((kind, "order", was), (kind, "order", now)))
    return added, removed, tuple(changed)
