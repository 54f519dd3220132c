"""PvDs and their instances at the end of a step: what is new, what changed, what ended.

Law: a version is made here or nowhere: when an instance's content differs from what it was, once a step, dated at the
step's instant. An instance lives while something contributes to it.
"""

from msgspec.structs import replace

from events.ids import Instant, LinkId, PvdId
from pvdcore import phases
from pvdcore.contents import Source, content, members
from pvdcore.draft import Draft, Touch
from pvdcore.inquiry import informed
from pvdcore.state import Cell, Change, Content, Instance, Origin, Pvd

RECENT = 8  # State keeps the records of so many versions a PvD; older ones are in the journal's index

KINDS = {
    "fqdn": ("explicit", "ra"),
    "uuid": ("explicit", "mif"),
    "ra": ("implicit", "ra"),
    "if": ("implicit", "link"),
    "dhcp4": ("implicit", "dhcp4"),
    "dhcp6": ("implicit", "dhcp6"),
    "static": ("implicit", "static"),
    "vpn": ("implicit", "vpn"),
}


def settle(draft: Draft) -> None:
    """Bring every touched instance up to date, in the order of their keys."""
    for pvd, cell in sorted(draft.touched):
        _settle(draft, pvd, cell, draft.touched[pvd, cell])
    draft.touched.clear()
    draft.speaking.clear()
    draft.regroup.clear()
    draft.match.clear()
    draft.ownerless.clear()


def _settle(draft: Draft, id: PvdId, cell: Cell, touch: Touch) -> None:
    link, epoch, host = cell
    pvd = draft.pvds.get(id)
    before = draft.instance(id, cell)
    if host:
        keys = tuple(
            key for key in draft.link(link).grants if key[0] == host and _owned(draft, (link, *key), id, epoch)
        )
        candidate = Instance(link, epoch, host, phases.UNBORN, draft.at, grants=keys)
    else:
        known = {*(before.origins if before else ()), *draft.speaking.get((id, cell), ())}
        speakers = tuple(
            speaker
            for speaker in sorted(known)
            if any(one.pvd == id and one.epoch == epoch for one in draft.speakers.get((link, speaker), ()))
        )
        candidate = Instance(link, epoch, host, phases.UNBORN, draft.at, origins=speakers)
    found = members(draft, id, candidate)
    if before is None and not found:
        return
    said = (*content(found), *informed(draft, id, *cell))
    old = before.content if before else ()
    version = (before.version if before else 0) + (before is None or said != old)
    phase_before = before.phase if before else phases.UNBORN
    phase = phases.step(phase_before, "heard" if found else "ended")
    after = replace(
        candidate,
        phase=phase,
        since=before.since if before else draft.at,
        version=version,
        content=said,
        ops=before.ops if before else (),
    )
    if pvd is None:
        kind, source = KINDS[id.split(":", 1)[0]]
        pvd = Pvd(id, id.split(":", 1)[1], kind, source, first_seen=draft.at)
    made = before is None or version != before.version
    if made or phase != phase_before:
        added, removed, changed = difference(old, said)
        draft.changes.append(
            Change(
                pvd=id,
                link=link,
                epoch=epoch,
                host=host,
                at=draft.at,
                because=touch.because,
                cause=touch.cause,
                version=version if made else 0,
                phase_before=phase_before,
                phase=phase,
                added=added,
                removed=removed,
                changed=changed,
                seq=draft.seq,
            )
        )
    instances = dict(pvd.instances)
    instances.pop(cell, None)
    recent = (*pvd.recent, touch.because)[-RECENT:] if made else pvd.recent
    if phase == phases.GONE:
        pvd = replace(
            pvd, versions=pvd.versions + version, last_seen=max(pvd.last_seen, _last_heard(draft, id, before))
        )
    else:
        instances[cell] = after
    _compare(draft, id, link, [one for one in found if isinstance(one, Origin)])
    _portals(draft, id, cell, found)
    listed = tuple(sorted(instances.items(), key=lambda one: one[0]))
    pvd = flagged(found, pvd)
    draft.put_pvd(
        replace(
            pvd,
            instances=listed,
            phase=phases.furthest([one.phase for _, one in listed]),
            ended=None if listed else draft.at,
            recent=recent,
        )
    )


def _compare(draft: Draft, id: PvdId, link: LinkId, origins: list[Origin]) -> None:
    """Routers of one PvD that disagree where RFC 4861 §6.2.7 wants it logged. 0 is "unspecified", no disagreement."""
    if len(origins) < 2:
        return
    values: dict[str, set[int]] = {}
    for origin in origins:
        header = origin.header
        said = {"M": int(header.managed) + 1, "O": int(header.other_config) + 1, "hop limit": header.hop_limit}
        said |= {"reachable time": header.reachable_ms, "retransmission timer": header.retrans_ms}
        mtu = next((held.value[0] for held in origin.held if held.kind == "mtu"), 0)
        said["MTU"] = mtu if isinstance(mtu, int) else 0
        for name, value in said.items():
            if value:
                values.setdefault(name, set()).add(value)
    differing = sorted(name for name, several in values.items() if len(several) > 1)
    if differing:
        draft.find("ra-inconsistent", link=link, pvd=id, what=", ".join(differing))


def _portals(draft: Draft, id: PvdId, cell: Cell, found: list[Source]) -> None:
    """Captive portals that differ by who or which protocol says them (RFC 8910 §3), those that all hosts share too."""
    link, epoch, host = cell
    everyone = draft.instance(id, (link, epoch, "")) if host else None
    both = [*found, *(members(draft, id, everyone) if everyone else ())]
    said: dict[str, str] = {}
    for source in both:
        for held in source.held:
            if held.kind == "captive_portal":
                by = source.speaker if isinstance(source, Origin) else source.rule
                said.setdefault(str(held.value[0]), by)
    if len(said) > 1:
        what = ", ".join(f"{uri} by {by}" for uri, by in sorted(said.items()))
        draft.find("capport-differs", link=link, pvd=id, what=what)


def _owned(draft: Draft, key: tuple[str, str, str, str], pvd: PvdId, epoch: int) -> bool:
    grant = draft.grants.get(key)
    return grant is not None and pvd in grant.owners and grant.epoch == epoch


def _last_heard(draft: Draft, id: PvdId, before: Instance | None) -> Instant:
    """When an instance that ends was last heard of."""
    if before is None:
        return draft.at
    return max((one.heard_at for one in members(draft.before, id, before)), default=before.since)


def flagged(found: list[Source], pvd: Pvd) -> Pvd:
    """H, delay and sequence of the router that spoke last, L of any (standards.md C.2)."""
    spoken = [one for one in found if isinstance(one, Origin)]
    if not spoken:
        return pvd
    last = max(spoken, key=lambda one: (one.heard_at, one.speaker))
    legacy = any(one.legacy for one in spoken)
    return replace(pvd, http=last.http, legacy=legacy, delay=last.delay, sequence=last.sequence)


def difference(
    old: tuple[Content, ...], new: tuple[Content, ...]
) -> tuple[tuple[Content, ...], tuple[Content, ...], tuple[tuple[Content, Content], ...]]:
    """What was added, removed and changed between two contents. A new order of use is a change of `KIND order`."""
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
