"""What this host autoconfigures, as the fold keeps it: an address lives in the contribution that announces its prefix.

Law: an address is a Held item beside the prefix it is formed of, so that a refresh carries it along at no cost, it
lapses by the same heap, and it makes versions like everything else. It moves to the PvD of the last RA that held its
prefix (RFC 8801 §3.4), and it keeps its PvD alive until it ends.
"""

from bisect import bisect_left
from typing import Any, Final

from immutables import Map
from msgspec.structs import replace

from events.identifiers import IdentifierChosen
from events.ids import NEVER, SECOND, LinkId, Seq, deadline
from events.link import AddressGone, AddressSeen, DadFailed
from events.router import NeighborAdvertised, NeighborSolicited
from pvdcore.domains.contents import heard_at
from pvdcore.draft import Draft, Touch
from pvdcore.host.addresses import (
    DAD_FAILED,
    IDGEN_RETRIES,
    LINK_LOCAL,
    MAX_DESYNC_S,
    TENTATIVE,
    TWO_HOURS,
    UnknownIid,
    cap,
    eui64,
    floor,
    formed,
    forms,
    text_of,
)
from pvdcore.leases import leases6
from pvdcore.prefixes import interface, network
from pvdcore.projections import places
from pvdcore.routers.parts import autonomous
from pvdcore.state import (
    SILENT,
    Held,
    Host,
    Identifier,
    Link,
    Origin,
    Sighted,
    because,
    until,
)

LIVE: Final = ("tentative", "assigned")
DETECTION: Final = 2 * SECOND  # RFC 4862 §5.4.2: a delay of at most a second, then one probe and its RetransTimer


def chosen(draft: Draft, event: IdentifierChosen) -> None:
    """An identifier was chosen: the address of it is formed, if the prefix is still announced."""
    link = draft.links.get(event.link)
    if link is None or not link.attached or link.epoch != event.epoch or event.link in draft.host.off:
        return
    try:
        address = text_of(event.prefix, event.iid)
    except UnknownIid:
        return  # what fits no prefix forms nothing
    known = draft.host.identifiers.get((event.link, event.prefix), ())
    slot = (event.pvd, event.kind, event.generation)
    twins = (one for one in formed(draft.host, event.link, address) if one.pvd == event.pvd and _slot(one) != slot)
    if any(one.phase in LIVE for one in twins):
        return  # an address is formed once
    at = bisect_left(known, slot, key=_slot)
    before = known[at] if at < len(known) and _slot(known[at]) == slot else None
    others = known[:at], known[at if before is None else at + 1 :]
    if event.kind == "temporary":  # each failed one was a generation of its own
        last = max((one for one in known if one.kind == "temporary"), key=lambda one: one.generation, default=None)
        before = before or (last if last is not None and last.phase == "duplicate" else None)
    one = Identifier(
        prefix=event.prefix,
        kind=event.kind,
        address=address,
        epoch=event.epoch,
        chosen_at=draft.at,
        because=draft.seq,
        pvd=event.pvd,
        phase="assigned" if draft.policy.word("dad") == "off" else "tentative",
        dad_counter=event.dad_counter,
        generation=event.generation,
        failures=before.failures if before is not None else 0,
        desync_s=min(event.desync_s, MAX_DESYNC_S),
        mac=event.mac,
    )
    if before is not None and before.phase in LIVE:
        _drop(draft, event.link, before.address, "replaced")
    _put(draft, event.link, event.prefix, (*others[0], one, *others[1]))
    draft.stirred |= {one.pvd} - {""}
    if event.prefix != LINK_LOCAL:
        _form(draft, link, one)


def _slot(one: Identifier) -> tuple[str, str, int]:
    return one.pvd, one.kind, one.generation


def _put(draft: Draft, link: LinkId, prefix: str, listed: tuple[Identifier, ...]) -> None:
    """listed: in the order of their slots."""
    draft.host = replace(draft.host, identifiers=draft.host.identifiers.set((link, prefix), listed))


def _form(draft: Draft, link: Link, one: Identifier) -> None:
    """Put an address beside its prefix, with all routers of the PvD that announced it last."""
    said = [
        (origin, held)
        for speaker in sorted(draft.announcing(link.id).get(one.prefix, ()))
        for origin in draft.speakers.get((link.id, speaker), ())
        for held in origin.held
        if held.key == one.prefix and autonomous(held)
    ]
    if not said:
        return
    last = max(said, key=lambda each: (heard_at(*each), because(*each), each[0].pvd))
    for origin, prefix in said:
        if origin.pvd == last[0].pvd and forms(draft.policy, prefix):
            address = _held(one, prefix, because(origin, prefix))
            address = replace(address, because=prefix.because, heard_at=prefix.heard_at)
            event = SILENT if _short(prefix) else origin.event
            draft.put_origin(replace(origin, held=(*origin.held, address), event=event), "formed")


def _held(one: Identifier, prefix: Held, since: Seq) -> Held:
    key = f"{one.address}/{network(one.prefix).prefixlen}"
    value = ("slaac", one.kind, one.desync_s) if one.kind == "temporary" else ("slaac", one.kind)
    return Held("address", key, value, prefix.lifetime_s, since, preferred_s=prefix.preferred_s, cap=cap(one))


def follow(
    draft: Draft,
    link: Link,
    mine: tuple[str, str],
    said: dict[str, Held],
    after: dict[tuple[str, str], Held],
) -> tuple[set[tuple[str, str]], bool]:
    """Take an RA's prefixes to the addresses formed of them. mine: speaker and PvD that the RA speaks as.

    `after` is what will be held of the RA's router for its PvD. Returns the addresses the RA carried, and whether its
    repeats must be weighed anew because routers differ over a lifetime of at most two hours (RFC 4862 §5.5.3 e).
    """
    carried: set[tuple[str, str]] = set()
    unsteady = False
    for prefix in said.values():
        for one in draft.host.identifiers.get((link.id, prefix.key), ()):
            if one.phase not in LIVE or not forms(draft.policy, prefix):
                continue
            new = _held(one, prefix, draft.seq)
            slot = (new.kind, new.key)
            standing = _standing(draft, link, slot)
            if standing and draft.policy.on("two_hour_rule"):
                new = replace(new, floor=floor(_ends(standing), draft.at, prefix.lifetime_s))
            for source, held in standing:
                if source.pvd != mine[1]:
                    _leave(draft, source, held)
                elif source.speaker == mine[0]:
                    new = replace(new, since=held.since)
                elif held.lifetime_s != prefix.lifetime_s:
                    unsteady |= _short(prefix)
                    if _short(held):
                        draft.hush_origin(source)
            after.pop(slot, None)
            if min(max(deadline(draft.at, prefix.lifetime_s), new.floor), new.cap) > draft.at:
                after[slot] = new
            carried.add(slot)
    return carried, unsteady


def _short(held: Held) -> bool:
    return held.lifetime_s is not None and held.lifetime_s * SECOND <= TWO_HOURS


def _standing(draft: Draft, link: Link, slot: tuple[str, str]) -> list[tuple[Origin, Held]]:
    """Who carries an address now."""
    return [
        (origin, held)
        for speaker in link.speakers
        for origin in draft.speakers.get((link.id, speaker), ())
        for held in origin.held
        if (held.kind, held.key) == slot
    ]


def _ends(standing: list[tuple[Origin, Held]]) -> int:
    """When an address ends: the one heard last says it."""
    return until(*max(standing, key=lambda one: (heard_at(*one), one[0].speaker)))


def _leave(draft: Draft, origin: Origin, held: Held, cause: str = "moved") -> None:
    """An address leaves one contribution; a repeat of the same words is news then."""
    left = tuple(one for one in origin.held if one is not held)
    if any(not one.fixed for one in left):
        draft.put_origin(replace(origin, held=left, event=SILENT), cause)
    else:
        draft.drop_origin(origin, cause, draft.seq)
        draft.regroup.setdefault(origin.link, Touch(cause, draft.seq))
    draft.blame(origin.pvd, (origin.link, origin.epoch, ""), draft.seq)


def _drop(draft: Draft, link: LinkId, address: str, cause: str) -> None:
    known = draft.links[link]
    for speaker in known.speakers:
        for origin in draft.speakers.get((link, speaker), ()):
            for held in origin.held:
                if held.kind == "address" and held.key.split("/")[0] == address:
                    _leave(draft, origin, held, cause)


# What the host's kernel says


def seen(draft: Draft, event: AddressSeen) -> None:
    """The kernel has an address: what it says of it counts, whatever we would have made it (standards.md S09)."""
    address = str(interface(event.address).ip)
    key = (event.link, address)
    ends = event.valid_until
    preferred = event.preferred_until
    if ends is None:
        ends = NEVER if event.valid_s is None else draft.at + event.valid_s * SECOND
    if preferred is None:
        preferred = NEVER if event.preferred_s is None else draft.at + event.preferred_s * SECOND
    width = network(event.address).prefixlen
    sighted = Sighted(width, event.flags, event.origin, ends, preferred, draft.seq)
    draft.host = replace(draft.host, sighted=draft.host.sighted.set(key, sighted))
    if event.flags & DAD_FAILED:
        _duplicate(draft, event.link, address)
    elif not event.flags & TENTATIVE and (one := _find(draft, event.link, address)) is not None:
        _phase(draft, event.link, one, "assigned")


def unseen(draft: Draft, event: AddressGone) -> None:
    """The kernel has an address no more."""
    key = (event.link, str(interface(event.address).ip))
    if key in draft.host.sighted:
        draft.host = replace(draft.host, sighted=draft.host.sighted.delete(key))


# Duplicate address detection


def failed(draft: Draft, event: DadFailed) -> None:
    """Detection failed for an address of ours (RFC 4862 §5.4.5)."""
    _duplicate(draft, event.link, str(interface(event.address).ip))


def advertised(draft: Draft, event: NeighborAdvertised) -> None:
    """Any advertisement for a tentative address is a neighbour that has it (RFC 4862 §5.4.4), unless it is our own."""
    one = _tentative(draft, event.link, event.target)
    if one is not None and not _own(draft, event.link, one, event.mac):
        _duplicate(draft, event.link, event.target)


def solicited(draft: Draft, event: NeighborSolicited) -> None:
    """A probe for a tentative address, from `::` and not our own: both lose it (RFC 4862 §5.4.3)."""
    one = _tentative(draft, event.link, event.target)
    if one is not None and event.source == "::" and not _own(draft, event.link, one, event.mac):
        _duplicate(draft, event.link, event.target)


def _own(draft: Draft, link: LinkId, one: Identifier, mac: str) -> bool:
    """Whether a device of ours said it: the link itself, the one the address was formed for, or that of a place on the
    link. What a place sends passes its link's other devices, where it is heard like anybody's."""
    known = draft.links[link]
    return bool(mac) and (mac in (one.mac, known.mac) or places.whose(draft, link, mac) is not None)


def _tentative(draft: Draft, link: LinkId, address: str) -> Identifier | None:
    """The address if it is in detection. Behind that the kernel that has it defends it, and says DadFailed."""
    one = _find(draft, link, address)
    if one is None or one.phase != "tentative" or draft.at > one.chosen_at + DETECTION:
        return None
    return one


def _find(draft: Draft, link: LinkId, address: str) -> Identifier | None:
    return next((one for one in formed(draft.host, link, address) if one.phase in LIVE), None)


def _phase(draft: Draft, link: LinkId, one: Identifier, phase: str, failures: int = 0) -> None:
    after = replace(one, phase=phase, failures=failures)
    if after != one:
        listed = draft.host.identifiers[link, one.prefix]
        _put(draft, link, one.prefix, tuple(after if other is one else other for other in listed))
        draft.stirred |= {one.pvd} - {""}


def _duplicate(draft: Draft, link: LinkId, address: str) -> None:
    """The address goes; another identifier is tried, by the same algorithm, and at some time no more (RFC 7217 §6)."""
    known = draft.links.get(link)
    if known is None:
        return
    leases6.duplicate(draft, link, address)
    if _of_hardware(known, address):
        _disable(draft, known, address)
        return
    one = _find(draft, link, address)
    if one is None:
        return
    failures = one.failures + 1
    tries = IDGEN_RETRIES + (one.kind != "temporary")  # RFC 7217 retries so often; RFC 8981 §3.4 tries so often
    last = one.kind == "eui64" or failures >= tries  # a hardware address has no next identifier
    _phase(draft, link, one, "given-up" if last else "duplicate", failures)
    for speaker in draft.announcing(link).get(one.prefix, ()):  # whoever has the prefix wants another identifier
        draft.stirred |= {origin.pvd for origin in draft.speakers[link, speaker]}
    draft.find("duplicate-address", link=link, address=address)
    if last:
        draft.find("address-conflict", link=link, prefix=one.prefix)
    _drop(draft, link, address, "duplicate")


def _of_hardware(link: Link, address: str) -> bool:
    try:
        return address == text_of(LINK_LOCAL, f"{eui64(link.mac):x}")
    except UnknownIid:
        return False


def _disable(draft: Draft, link: Link, address: str) -> None:
    """The link-local address made of the hardware address is somebody else's: so may the hardware address be."""
    draft.find("ipv6-off", link=link.id, address=address)
    for speaker in link.speakers:
        for origin in draft.speakers.get((link.id, speaker), ()):
            draft.drop_origin(origin, "duplicate", draft.seq)
    for key in draft.link(link.id).grants:
        if key[1].startswith("dhcp6"):
            draft.drop_grant(draft.grants[(link.id, *key)], "duplicate", draft.seq)
    draft.regroup.setdefault(link.id, Touch("duplicate", draft.seq))
    draft.host = replace(draft.host, off=draft.host.off.set(link.id, draft.seq))


def forget(draft: Draft, link: LinkId) -> None:
    """The attachment ended: its identifiers, neighbours and detours with it.

    Temporary addresses are made anew on the next (RFC 8981 §3.6), stable ones come out the same (RFC 7217 §5). What the
    kernel lists stays listed until the kernel says otherwise.
    """
    host = draft.host
    draft.host = Host(
        identifiers=_without(host.identifiers, link),
        sighted=host.sighted,
        neighbors=_without(host.neighbors, link),
        detours=_without(host.detours, link),
        off=host.off.delete(link) if link in host.off else host.off,
    )


def _without(held: Map[Any, Any], link: LinkId) -> Map[Any, Any]:
    for key in sorted(held):
        if key[0] == link:
            held = held.delete(key)
    return held
