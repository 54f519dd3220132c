"""Router Advertisements: which PvD each belongs to, and what it adds, refreshes or withdraws there.

Law: an RA is atomic and its absence of something says nothing (RFC 4861 §6.3.4, RFC 8801 §3.2): only a lifetime, a
withdrawal or the end of the attachment ends what was said.

RFC 8801 §3.4 puts the whole RA into the PvD of its first option 21, else into the implicit PvD of (link, router).
The MIF drafts (option 63) put top-level options into the implicit PvD and each container's into its own.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from events.ids import NEVER, Instant, LinkId, PvdId, deadline
from events.router import (
    CaptivePortal,
    Dnssl,
    EncryptedDns,
    MifContainer,
    Mtu,
    NdOption,
    NeighborAdvertised,
    Pref64,
    PrefixInformation,
    PvdOption,
    RaHeader,
    Rdnss,
    RouteInformation,
    RouterAdvertised,
    TargetLinkLayerAddress,
)
from pvdcore.checks import remarks
from pvdcore.domains.contents import LIFE, content, flags, members
from pvdcore.domains.inquiry import informed
from pvdcore.domains.pvds import flagged
from pvdcore.draft import Draft, Touch
from pvdcore.host import autoconf
from pvdcore.policy import Policy
from pvdcore.routers import parts, revised
from pvdcore.routers.parts import Slots
from pvdcore.state import FOLLOWS, SILENT, Held, Link, Origin

EXPLICIT: Final = ("fqdn:", "uuid:")


class Claim(msgspec.Struct, frozen=True):
    """What an RA says of one PvD: its effective header and options, in the order in which they count."""

    pvd: PvdId
    header: RaHeader
    options: tuple[NdOption, ...]
    option: PvdOption | None = None


def implicit(link: LinkId, epoch: int, router: str) -> PvdId:
    """The name of the implicit PvD of a router on an attachment (RFC 8801 §3.4, standards.md C.1)."""
    return f"ra:{link}/{epoch}/{router}"


def claims(event: RouterAdvertised, epoch: int, policy: Policy) -> tuple[Claim, ...]:
    """The PvDs an RA speaks of. A PvD-unaware fold skips options 21 and 63 with all that is in them (§3.3)."""
    outer = tuple(one for one in event.options if not isinstance(one, (PvdOption, MifContainer)))
    own = implicit(event.link, epoch, event.router)
    if not policy.on("aware"):
        return (Claim(own, event.header, outer),)
    option = next((one for one in event.options if isinstance(one, PvdOption)), None)
    found = []
    if option is not None:
        header = option.header or event.header
        if option.header is not None and event.header.lifetime_s == 0 and policy.on("cease_on_outer_zero"):
            header = replace(header, lifetime_s=0)
        # Outer first, then nested: what both say, the inner one says last (standards.md A.3 [J]).
        found.append(Claim("fqdn:" + option.name, header, (*outer, *option.options), option))
    else:
        found.append(Claim(own, event.header, outer))
    if policy.on("mif"):
        for container in event.options:
            if isinstance(container, MifContainer):
                found.append(Claim("uuid:" + container.uuid, event.header, container.options))
    return tuple(found)


def says(router: str, claim: Claim) -> Iterator[Held]:
    """The items of a claim in order; lifetime 0 withdraws. `since` is filled in by the fold."""
    header = claim.header
    preference = "medium" if header.preference == "reserved" else header.preference  # RFC 4191 §2.2
    yield Held("router", router, (preference,), header.lifetime_s, 0)
    if header.hop_limit:
        yield Held("hop_limit", "hop_limit", (header.hop_limit,), None, 0, fixed=True)
    order = 0
    for option in claim.options:
        match option:
            case PrefixInformation():
                value = (option.on_link, option.autonomous, option.pd_preferred)
                yield Held("prefix", option.prefix, value, option.valid_s, 0, preferred_s=option.preferred_s)
            case RouteInformation():
                value3 = (option.prefix, router, option.preference)
                yield Held("route", f"{option.prefix} via {router}", value3, option.lifetime_s, 0)
            case Rdnss():
                for address in option.addresses:
                    order += 1
                    yield Held("dns", address, (), option.lifetime_s, 0, order)
            case Dnssl():
                for name in option.names:
                    order += 1
                    yield Held("search", name, (), option.lifetime_s, 0, order)
            case EncryptedDns():
                params = tuple((one.key, one.value) for one in option.params)
                key = " ".join((str(option.priority), option.adn, *option.addresses))
                value4 = (option.priority, option.adn, option.addresses, params)
                order += 1
                yield Held("encrypted_dns", key, value4, option.lifetime_s, 0, order)
            case Pref64():
                order += 1
                yield Held("pref64", option.prefix, (), option.lifetime_s, 0, order)
            case Mtu():
                yield Held("mtu", "mtu", (option.mtu,), None, 0, fixed=True)
            case CaptivePortal():
                yield Held("captive_portal", "uri", (option.uri,), None, 0, fixed=True)


def refresh(draft: Draft, event: RouterAdvertised) -> bool:
    """Whether a router said again exactly what it said last: then two fields of its origins move, and that is all."""
    key = (event.link, event.router)
    if (
        (standing := draft.steady.get(key)) is not None
        and type(last := standing[0]) is RouterAdvertised
        and last != event
    ):
        return False
    origins = draft.speakers.get(key)
    if not origins:
        return False
    for origin in origins:
        if origin.event is not event and origin.event != event:
            return False
    link = draft.links.get(event.link)
    if link is None or link.contested or not link.attached:
        return False
    again = tuple([replace(origin, event=event, heard_at=draft.at, because=draft.seq) for origin in origins])
    draft.speakers.set(key, again)
    alone = True
    for origin in again:
        if origin.pvd.startswith("ra:"):
            continue
        pvd = draft.pvds[origin.pvd]
        instance = pvd.cells.get((origin.link, origin.epoch, ""))
        if instance is None or len(instance.origins) < 2:
            continue
        # Where several routers speak of one PvD and differ, the newest value counts (N14).
        alone = False
        found = members(draft, pvd.id, instance)
        said = (*content(found), *informed(draft, pvd.id, origin.link, origin.epoch))
        if said != instance.content or flagged(found, pvd) != pvd:
            draft.speakers.set(key, origins)
            return False
    if alone:
        draft.stand(key, event)
    return True


def heard(draft: Draft, event: RouterAdvertised) -> None:
    """Fold an RA that says something new, or anew."""
    link = draft.link(event.link)
    key = (event.link, event.router)
    if key not in draft.speakers and len(link.speakers) >= draft.policy.number("routers_per_link_max"):
        draft.find_here("too-many-routers", link=link)
        return
    findings = draft.findings
    remarks.alone(draft, event, lambda options: says(event.router, Claim("", RaHeader(1), options)))
    claimed = claims(event, link.epoch, draft.policy)
    said: tuple[Held, ...] = ()
    for claim in claimed:
        if _refused(draft, link, claim):
            continue
        known = next((one for one in draft.speakers.get(key, ()) if one.pvd == claim.pvd), None)
        said = tuple(says(event.router, claim))
        remarks.beside(draft, event, claim.pvd, claim.header, said, known)
        _fold(draft, link, event, claim, said, known)
        link = draft.link(event.link)
    if draft.findings is findings and len(claimed) == 1 and key in draft.speakers:
        revised.plan(draft, event, said)
    # Other PvDs of the same router: their words were said in other messages, and stay as they were.


def _refused(draft: Draft, link: Link, claim: Claim) -> bool:
    """Whether a PvD is one too many on its link, those counted that the same RA made."""
    if not claim.pvd.startswith(EXPLICIT) or claim.pvd in link.pvds:
        return False
    made = (pvd for pvd, cell in draft.speaking if cell[0] == link.id)
    here = {name for name in (*link.pvds, *made) if name.startswith(EXPLICIT)}
    alive = (
        here | {one.id for one in draft.pvds.values() if one.id.startswith(EXPLICIT) and one.cells} if here else here
    )
    if len(here) < draft.policy.number("pvds_per_link_max") and len(alive) < draft.policy.number("pvds_max"):
        return False
    draft.find_here("too-many-pvds", link=link)
    return True


def _fold(
    draft: Draft,
    link: Link,
    event: RouterAdvertised,
    claim: Claim,
    items: tuple[Held, ...],
    known: Origin | None,
) -> None:
    seq, at = draft.seq, draft.at
    before = {(held.kind, held.key): held for held in known.held} if known else {}
    after = dict(before)
    withdrawn = False
    said: set[tuple[str, str]] = set()
    prefixes: dict[str, Held] = {}
    for held in _ordered(items):
        slot = (held.kind, held.key)
        if parts.autonomous(held):
            prefixes[held.key] = held
        if held.lifetime_s == 0 and not held.fixed:
            if held.kind == "prefix":
                parts.withdrawn(after, said, held)
            else:
                after.pop(slot, None)
            withdrawn = withdrawn or held.kind != "router"
            continue
        if held.kind == "mtu" and link.mtu and isinstance(held.value[0], int) and held.value[0] > link.mtu:
            continue  # more than the link takes (RFC 4861 §6.3.4)
        old = before.get(slot)
        if old is None and slot not in after and _full(draft, link, event.router, claim, after, held):
            continue
        # A mere refresh doesn't move a resolver or name in its list (RFC 8106 §6.2).
        held = replace(held, since=old.since, order=old.order) if old else replace(held, since=seq)
        if held.kind == "prefix":
            parts.announced(after, said, held)
        else:
            said.add(slot)
            after[slot] = held
    default = ("route", f"::/0 via {event.router}")
    if default in after and default not in said:
        del after[default]  # each RA writes the default route anew (RFC 4191 §3.1)
    carried, unsteady = autoconf.follow(draft, link, (event.router, claim.pvd), prefixes, after)
    said |= carried
    after.pop((LIFE, LIFE), None)
    if known is not None and after:
        # What was said until now and is not said again keeps the instant at which it was.
        for slot, held in after.items():
            if held.heard_at == FOLLOWS and slot not in said:
                after[slot] = replace(held, heard_at=known.heard_at, because=known.because)
    if not any(not held.fixed for held in after.values()):
        talks = claim.option is not None or claim.header.managed or claim.header.other_config
        had = any(kind not in (LIFE,) and not held.fixed for (kind, _), held in before.items())
        if withdrawn or had or not talks:
            if known is not None:
                draft.drop_origin(known, "withdrawn", seq)
                draft.regroup.setdefault(link.id, Touch("withdrawn", seq))
            return
        soft = draft.policy.number("soft_lifetime_s")
        after[LIFE, LIFE] = Held(LIFE, LIFE, (), soft, seq)
    option = claim.option
    header = claim.header
    if known is not None:  # 0 is "unspecified" and leaves the value (RFC 4861 §6.3.4)
        reachable, retrans = (
            header.reachable_ms or known.header.reachable_ms,
            header.retrans_ms or known.header.retrans_ms,
        )
        if (reachable, retrans) != (header.reachable_ms, header.retrans_ms):
            header = replace(header, reachable_ms=reachable, retrans_ms=retrans)
    origin = Origin(
        pvd=claim.pvd,
        link=link.id,
        epoch=link.epoch,
        speaker=event.router,
        event=SILENT if unsteady else event,
        header=header,
        heard_at=at,
        because=seq,
        since=known.since if known else seq,
        held=tuple(after.values()),
        http=option.http if option else False,
        legacy=option.legacy if option else False,
        delay=option.delay if option else 0,
        sequence=option.sequence if option else None,
        queued=known.queued if known else NEVER,
        mac=event.mac or (known.mac if known else ""),
    )
    lost = before.keys() - after.keys()
    cause = "withdrawn" if lost and not after.keys() - before.keys() else "announced"
    draft.put_origin(origin, cause, news=known is None or not _same(known, origin, before, after))
    new = [held.key for slot, held in after.items() if held.kind == "prefix" and slot not in before]
    if new:
        shared_prefixes(draft, draft.link(link.id), origin, new)
    if known is None or link.contested or _standing(known) != _standing(origin):
        draft.regroup.setdefault(link.id, Touch("moved", seq))
    elif _prefixes(known) != _prefixes(origin):
        draft.match.setdefault(link.id, Touch("moved", seq))


def _same(known: Origin, origin: Origin, before: Slots, after: Slots) -> bool:
    """Whether only lifetimes and instants differ: then no content does, and no version is to be made."""
    return (
        before.keys() == after.keys()
        and all(held.value == before[slot].value for slot, held in after.items())
        and flags(known) == flags(origin)
        and (known.delay, known.sequence) == (origin.delay, origin.sequence)
    )


def _standing(origin: Origin) -> tuple[bool, bool, bool]:
    """The flags that membership of DHCP data depends on (standards.md C.2)."""
    return origin.header.managed, origin.header.other_config, origin.legacy


def _prefixes(origin: Origin) -> list[tuple[str, object]]:
    return [(held.key, held.value[2]) for held in origin.held if held.kind == "prefix"]


_BOUNDS = {
    "prefix": "prefixes_max",
    "route": "routes_max",
    "dns": "rdnss_max",
    "search": "rdnss_max",
    "pref64": "pref64_max",
    "encrypted_dns": "dnr_max",
}
"""Bounds of an instance (standards.md D.3): all its routers share them. Other kinds have one key a router."""


def _ordered(said: tuple[Held, ...]) -> tuple[Held, ...]:
    """What is withdrawn comes first, so that it makes room in a full table; else as it was said (standards.md D.3).

    What is said of a prefix before that may be of its other part, and is taken with it.
    """
    last = {(held.kind, held.key): held for held in said}
    gone = {slot: held for slot, held in last.items() if held.lifetime_s == 0 and not held.fixed}
    if not gone:
        return said
    first = [held for held in said if held.kind == "prefix" and ("prefix", held.key) in gone]
    first = [*first, *(held for held in gone.values() if held.kind != "prefix")]
    return (*first, *(held for held in said if (held.kind, held.key) not in gone))


def _full(draft: Draft, link: Link, router: str, claim: Claim, after: Slots, held: Held) -> bool:
    """Make room, or refuse (standards.md D.3; RFC 8106 §6.2: the entry that expires first makes way)."""
    knob = _BOUNDS.get(held.kind)
    if knob is None:
        return False
    same = [one for (kind, _), one in after.items() if kind == held.kind]
    theirs = {
        one.key
        for speaker in draft.speakers_of(claim.pvd, (link.id, link.epoch, ""))
        for origin in draft.speakers.get((link.id, speaker), ())
        if speaker != router and origin.pvd == claim.pvd
        for one in origin.held
        if one.kind == held.kind
    }
    if held.key in theirs or len(theirs.union(one.key for one in same)) < draft.policy.number(knob):
        return False
    draft.find_here("too-many-items", link=link, pvd=claim.pvd, kind=held.kind, knob=knob)
    if held.kind not in ("dns", "search") or not same:
        return True
    first = min(same, key=lambda one: (_ends(draft, one), one.key))
    del after[first.kind, first.key]
    return False


def _ends(draft: Draft, held: Held) -> Instant:
    return deadline(draft.at if held.heard_at == FOLLOWS else held.heard_at, held.lifetime_s)


def shared_prefixes(draft: Draft, link: Link, origin: Origin, new: list[str]) -> None:
    """A prefix that a second PvD of the link announces: addresses of it will follow the last RA (RFC 8801 §3.4)."""
    announcing = draft.announcing(link.id)
    for speaker in sorted({speaker for prefix in new for speaker in announcing[prefix]}):
        for other in draft.speakers[link.id, speaker]:
            both = [held.key for held in other.held if held.kind == "prefix" and held.key in new]
            if other.pvd != origin.pvd and both:
                draft.find("prefix-in-two-pvds", link=link.id, pvd=origin.pvd, prefix=both[0], other=other.pvd)


def neighbor(draft: Draft, event: NeighborAdvertised) -> None:
    """A known router that says it is none is no default router any more (RFC 4861 §7.2.5).

    One without the override flag and with a link-layer address other than the router's own changes nothing.
    """
    origins = draft.speakers.get((event.link, event.target))
    if event.router or not origins:
        return
    given = next((one.address for one in event.options if isinstance(one, TargetLinkLayerAddress)), None)
    for origin in origins:
        if given is not None and not event.override and origin.mac and given != origin.mac:
            continue
        held = tuple(one for one in origin.held if one.kind not in ("router", "route"))
        if held == origin.held:
            continue
        if any(not one.fixed for one in held):
            quiet = tuple(
                replace(one, heard_at=origin.heard_at, because=origin.because) if one.heard_at == FOLLOWS else one
                for one in held
            )
            put = replace(origin, held=quiet, event=SILENT, because=draft.seq)
            draft.put_origin(put, "withdrawn")
        else:
            draft.drop_origin(origin, "withdrawn", draft.seq)
        draft.regroup.setdefault(event.link, Touch("withdrawn", draft.seq))
