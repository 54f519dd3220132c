"""Which PvD takes over the place that a connection made, and what is asked from each place.

Law: pure, from what routers say and what the profile wants. DHCPv4 is asked for by those PvDs of a link that a lease
of the link's own MAC would belong to (RFC 8801 §3.4.1; standards.md P45 to P48), each for itself; what a router's M and
O flags call for is asked from the place of the PvD that the router speaks of (RFC 8801 §3.4.2). As long as no PvD may
have a lease, the connection asks from its own place.

    first that may have it   explicit with L, or implicit of a router    at its first RA
                             the link's fall-back                        when the lease came before any of these
    the place passes on      from the fall-back to a router's PvD that comes later, which the lease is of then
"""

from msgspec.structs import replace

from events.ids import LinkId, PvdId
from events.operator import Settings
from events.ops import ClientRun
from pvdcore.draft import Draft, Spoken, Touch
from pvdcore.profiles.static import word
from pvdcore.projections import places
from pvdcore.projections.places import Holder, owner_of, place_mac, place_name
from pvdcore.state import Connection, Grant, Link, Origin

FALLBACK: tuple[str, ...] = ("if:", "dhcp4:", "dhcp6:")
ANY_PREFIX = "::/0"


def spoken(holder: Holder, name: LinkId) -> Spoken:
    """What routers say on a link's attachment, by PvD."""
    link = holder.links[name]
    found = Spoken()
    for speaker in link.speakers:
        for origin in holder.speakers[name, speaker]:
            if origin.epoch == link.epoch:
                found.setdefault(origin.pvd, []).append(origin)
    return found


def takers4(origins: Spoken) -> tuple[PvdId, ...]:
    """The PvDs of routers that a DHCPv4 lease of the link's own MAC belongs to: the one that claims it (P45), else all
    implicit ones (P46, P47); () where it is the fall-back's (P48)."""
    return origins.claimants if len(origins.claimants) == 1 else origins.implicit


# Who has the connection's place


def fallback(holder: Holder, link: Link, grant: Grant) -> PvdId:
    """The PvD for DHCP data that no RA's takes: one a link for both families (RFC 7556 §2.5), or split by policy."""
    if holder.policy.word("fallback") == "link":
        return f"if:{link.id}/{link.epoch}"
    return f"{grant.rule.split('-')[0]}:{link.id}/{link.epoch}/{grant.server}"


def decide(draft: Draft, link: Link) -> None:
    """Say who has the place that a connection made on a link; whose what it was given is, is decided anew then."""
    made = places.maker(draft, link.id)
    if made is None:
        return
    leases = places.leased(draft, link.id, place_mac(place_name(owner_of(made.id), link.id, made.epoch)))
    adopter = _adopter(draft, link, made, leases)
    if adopter != made.adopter:
        draft.connections = draft.connections.set(made.id, replace(made, adopter=adopter))
        for one in leases:
            draft.ownerless.setdefault((link.id, one.host, one.rule, one.subject), Touch("moved", draft.seq))


def _adopter(draft: Draft, link: Link, made: Connection, leases: list[Grant]) -> PvdId:
    origins = spoken(draft, link.id)
    if made.adopter in origins or (made.adopter and leases and not made.adopter.startswith(FALLBACK)):
        return made.adopter
    if not places.is_open(made):
        return made.adopter  # it only stands for those inside
    profile = draft.settings.get(made.settings)
    takers = takers4(origins) if profile is not None and asks4(profile) else tuple(origins)
    for pvd in sorted(takers, key=origins.age):
        instance = draft.instance(pvd, (made.link, made.epoch, ""))
        if instance is None or instance.placement is None:  # what stands elsewhere stays there
            return pvd
    return fallback(draft, link, leases[0]) if leases else ""


def release(draft: Draft, name: LinkId) -> None:
    """What was leased to places of ours on a link, and is not asked for any more, is not theirs any more."""
    profile = places.managing(draft, name)
    for key in draft.link(name).grants:
        grant = draft.grants[(name, *key)]
        if places.whose(draft, name, grant.mac) is None:
            continue
        if profile is None or not (asks4 if grant.rule == "dhcp4" else asks6)(profile):
            draft.drop_grant(grant, "closed", draft.seq)


# What is asked


def asks4(profile: Settings) -> bool:
    """Whether a profile wants a DHCPv4 lease."""
    return word(profile, "ipv4.method", "auto") == "auto"


def asks6(profile: Settings) -> bool:
    """Whether a profile wants what DHCPv6 has to give, if a router says that there is something."""
    return word(profile, "ipv6.method", "auto") in ("auto", "dhcp")


def asking4(holder: Holder, link: LinkId) -> tuple[PvdId, ...]:
    """The PvDs of routers that ask for a DHCPv4 lease on a link that we manage."""
    profile = places.managing(holder, link)
    return takers4(spoken(holder, link)) if profile is not None and asks4(profile) else ()


def client(holder: Holder, has: str, link: LinkId, epoch: int, netns: str) -> ClientRun | None:
    """The DHCP client of a place, by what it is to ask for; `None`: nothing is asked there.

    has: the PvD that has the place, or its connection, as owner.
    """
    profile = places.managing(holder, link)
    if profile is None:
        return None
    made = places.maker(holder, link)
    origins = spoken(holder, link)
    takers = takers4(origins)
    # Whether it is the place that the connection made:
    first = made is not None and owner_of(made.id) == places.owner(holder, has, link, epoch)
    run = ClientRun(
        netns,
        netns,
        asks4(profile) and (has in takers or (first and not takers)),
        _ipv6(profile, origins.get(has, []), first),
        _prefix(profile) if first else "",
    )
    return run if run.ipv4 or run.ipv6 or run.prefix else None


def _ipv6(profile: Settings, origins: list[Origin], first: bool) -> str:
    """M asks for addresses, which come with all the rest; O for the rest alone (RFC 4861 §4.2)."""
    if not asks6(profile):
        return ""
    if any(one.header.managed for one in origins) or (first and word(profile, "ipv6.method") == "dhcp"):
        return "addresses"
    return "information" if any(one.header.other_config for one in origins) else ""


def _prefix(profile: Settings) -> str:
    hint = word(profile, "ipv6.dhcp-pd-hint")
    return hint if asks6(profile) else ""
