"""Whose DHCP data is: a pure function of what is true now (RFC 8801 §3.4.1, §3.4.2; standards.md C.2).

Law: recomputed, never fixed at arrival. A move is the difference between the owners before and after.

    DHCPv4 lease        the one explicit PvD with L; else all implicit RA PvDs of the link; else the link's fall-back
    DHCPv6 options      all PvDs with O (or M, by policy); else as above
    DHCPv6 address      the PvD with M and a PIO that contains it, the longest; else as above
    delegated prefix    likewise with a PIO that contains it; else the only PvD with M or a P flag; else as above
    static, vpn         the PvD of the profile that configures it, or of the VPN, whoever speaks on the link

A lease belongs to all its owners at once, but is *placed* in one of them, whose host is to use it: when an RA was heard
or the settle time is over, in the one with the oldest router. From then on it moves only when its holder ends or
exactly one PvD claims it (an explicit one by L; one with M and the longest prefix), so that nobody can pull an address
from under its users by announcing a second claim, or none.

All that is of what was leased to the link's own MAC. What was leased to the MAC of a place of ours belongs to the PvD
that has the place, and is placed there: that instance asked for it, and nobody else may speak as its address.
"""

from msgspec.structs import replace

from events.ids import SECOND, HostId, Instant, LinkId, PvdId
from pvdcore import deadlines
from pvdcore.domains.contents import heard_at
from pvdcore.draft import Draft, GrantKey, Spoken, Touch
from pvdcore.leases import adoption
from pvdcore.leases.adoption import fallback, takers4
from pvdcore.prefixes import covers, length
from pvdcore.projections import places
from pvdcore.state import Grant, Link, Origin

MILLISECOND = SECOND // 1000
BY_PREFIX = ("dhcp6-address", "dhcp6-prefix")
OWN = ("static", "vpn")  # no network decides whose these are


def regroup(draft: Draft) -> None:
    """Decide anew the owners of the grants for which something that counts has changed."""
    by_link: dict[LinkId, dict[tuple[HostId, str, str], Touch]] = {}
    for name, touch in draft.match.items():
        keys = (key for key in draft.link(name).grants if key[1] in BY_PREFIX)
        by_link.setdefault(name, {}).update(dict.fromkeys(keys, touch))
    for name, touch in draft.regroup.items():
        by_link.setdefault(name, {}).update(dict.fromkeys(draft.link(name).grants, touch))
    for grant_key, touch in draft.ownerless.items():
        by_link.setdefault(grant_key[0], {})[grant_key[1:]] = touch
    for name in sorted(by_link):
        link = draft.link(name)
        if draft.connections:
            adoption.decide(draft, link)
            for grant_key, touch in draft.ownerless.items():
                if grant_key[0] == name:
                    by_link[name].setdefault(grant_key[1:], touch)
        if by_link[name]:
            _regroup_link(draft, link, by_link[name])


def _regroup_link(draft: Draft, link: Link, keys: dict[tuple[HostId, str, str], Touch]) -> None:
    by_prefix = any(key[1] in BY_PREFIX for key in keys)
    origins = adoption.spoken(draft, link.id) if by_prefix else draft.stances(link.id)
    contested = link.contested
    for key in sorted(keys):
        grant = draft.grants.get((link.id, *key))
        if grant is None:
            continue  # it ended in this very step
        touch = keys[key]
        owners, tie, claimed = owners_of(draft, link, origins, grant)
        contested = contested or tie
        cell = (link.id, grant.epoch, grant.host)
        if owners != grant.owners:
            moved = Touch("moved", touch.because)
            draft.touch_all((pvd for pvd in owners if pvd not in grant.owners), cell, moved if grant.owners else touch)
            draft.touch_all((pvd for pvd in grant.owners if pvd not in owners), cell, moved)
        after = _place(draft, origins, replace(grant, owners=owners), claimed)
        if after != grant:
            draft.grants = draft.grants.set((link.id, *key), after)
    if contested != link.contested:
        draft.put_link(replace(draft.link(link.id), contested=contested))


def _place(draft: Draft, origins: Spoken, grant: Grant, claimed: bool) -> Grant:
    """A grant with the owner it is placed in, or with the instant at which that is decided."""
    if grant.rule in ("dhcp6-info", *OWN):
        return grant  # resolvers and names serve all their owners
    holder = grant.placed
    if holder:
        lives = holder in origins or holder in grant.owners
        return grant if lives and not claimed else replace(grant, placed=min(grant.owners, key=origins.age))
    settle = draft.policy.number("lease_settle_ms") * MILLISECOND
    if not grant.settles_at and settle and not origins and not claimed:
        ends = draft.at + settle
        draft.deadlines = deadlines.push(draft.deadlines, ends, ("settle", *_key(grant)))
        return replace(grant, settles_at=ends)
    if origins or claimed or draft.at >= grant.settles_at:
        return replace(grant, placed=min(grant.owners, key=origins.age))
    return grant


def _key(grant: Grant) -> GrantKey:
    return (grant.link, grant.host, grant.rule, grant.subject)


def settled(draft: Draft, key: GrantKey, at: Instant) -> None:
    """The settle time of a lease is over, and no RA has come: it is placed where it is."""
    grant = draft.grants.get(key)
    if grant is not None and not grant.placed and grant.settles_at == at:
        draft.ownerless.setdefault(key, Touch("moved", grant.because))


def owners_of(draft: Draft, link: Link, origins: Spoken, grant: Grant) -> tuple[tuple[PvdId, ...], bool, bool]:
    """The owners of a grant, sorted; whether the one who spoke last was preferred to an equal; and whether exactly one
    PvD claims it, so that it is placed there."""
    if grant.rule in OWN:
        return (grant.subject,), False, False
    asked_by = places.whose(draft, link.id, grant.mac)
    if asked_by:
        return (asked_by,), False, True
    unclaimed = origins.implicit or (fallback(draft, link, grant),)
    if grant.rule == "dhcp4":
        claiming = origins.claimants
        for pvd in claiming:
            if not all(one.legacy for one in origins[pvd]):
                draft.find("l-flag-differs", link=link.id, pvd=pvd)
        if len(claiming) > 1:
            draft.find("several-l-flags", link=link.id, several=" and ".join(claiming))
        return (takers4(origins) or unclaimed), False, len(claiming) == 1
    if grant.rule == "dhcp6-info":
        strict = draft.policy.on("strict_o")
        takers = tuple(
            sorted(
                pvd
                for pvd, found in origins.items()
                if any(one.header.other_config or (one.header.managed and not strict) for one in found)
            )
        )
        return (takers or unclaimed), False, False
    matches = sorted(_matches(origins, grant.subject))
    if matches:
        best = matches[-1]
        tie = len(matches) > 1 and matches[-2][0] == best[0] and matches[-2][2] != best[2]
        if tie:
            first, second = matches[-2][2], best[2]
            draft.find("dhcp6-several-matches", link=link.id, first=first, second=second, subject=grant.subject)
        return (best[2],), tie, not tie
    managed = sorted(pvd for pvd, found in origins.items() if any(one.header.managed for one in found))
    if grant.rule == "dhcp6-prefix":
        willing = sorted({*managed, *(pvd for pvd, found in origins.items() if _prefers_pd(found))})
        if len(willing) == 1:
            return (willing[0],), False, True
    if origins:  # before any RA there is nothing to match: that is no fault of the network
        draft.find("dhcp6-no-match", link=link.id, subject=grant.subject)
    return unclaimed, False, False


def _prefers_pd(found: list[Origin]) -> bool:
    return any(held.kind == "prefix" and held.value[2] for one in found for held in one.held)


def _matches(origins: Spoken, subject: str) -> list[tuple[int, int, PvdId]]:
    found = []
    for pvd, spoken in origins.items():
        if not any(one.header.managed for one in spoken):
            continue
        for one in spoken:
            for held in one.held:
                if held.kind == "prefix" and covers(held.key, subject):
                    found.append((length(held.key), heard_at(one, held), pvd))
    return found
