"""Active connections: settings bound to a link, as a table of phases, and which are to be opened.

Law: a phase changes by a row of this table or not at all. A connection holds no PvD's data: it names the PvDs that are
on its link's attachment, any number, and is no further than they are (prior_art.md 4.1, 5 to 12).

A connection is `activating` until a PvD came, `active` with one, `mismatch` when another came than the profile expects,
`closing` when it was ended and processes are still inside its PvD, `closed` when nothing is left. Closed ones stay
known with the reason. Which connections should be opened is a pure function of the State (`autoconnect`).
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from msgspec.structs import replace

from events.ids import NEVER, SECOND, Instant, LinkId, PvdId
from events.operator import ConnectionClosed, ConnectionOpened, Settings
from pvdcore import deadlines
from pvdcore.draft import Draft, Touch
from pvdcore.leases import adoption
from pvdcore.profiles import static
from pvdcore.profiles.intent import Reached
from pvdcore.profiles.overrides import overrides
from pvdcore.state import Change, Connection, Content, Grant, Link, State

UNBORN: Final = ""
ACTIVATING: Final = "activating"
ACTIVE: Final = "active"
MISMATCH: Final = "mismatch"
CLOSING: Final = "closing"
CLOSED: Final = "closed"

PHASES: Final = (UNBORN, ACTIVATING, ACTIVE, MISMATCH, CLOSING, CLOSED)
CAUSES: Final = ("opened", "arrived", "other", "nothing", "ended-in-use", "ended")

TABLE: Final[dict[tuple[str, str], str]] = {
    # (phase, cause): phase after. What is not here is refused.
    (UNBORN, "opened"): ACTIVATING,
    (CLOSED, "opened"): ACTIVATING,
    (CLOSING, "opened"): ACTIVATING,
    (ACTIVATING, "nothing"): ACTIVATING,
    (ACTIVATING, "arrived"): ACTIVE,
    (ACTIVATING, "other"): MISMATCH,
    (ACTIVATING, "ended-in-use"): CLOSING,
    (ACTIVATING, "ended"): CLOSED,
    (ACTIVE, "arrived"): ACTIVE,
    (ACTIVE, "nothing"): ACTIVATING,
    (ACTIVE, "other"): MISMATCH,
    (ACTIVE, "ended-in-use"): CLOSING,
    (ACTIVE, "ended"): CLOSED,
    (MISMATCH, "other"): MISMATCH,
    (MISMATCH, "arrived"): ACTIVE,
    (MISMATCH, "nothing"): ACTIVATING,
    (MISMATCH, "ended-in-use"): CLOSING,
    (MISMATCH, "ended"): CLOSED,
    (CLOSING, "ended-in-use"): CLOSING,
    (CLOSING, "ended"): CLOSED,
}

OPEN: Final = (ACTIVATING, ACTIVE, MISMATCH)


class Refused(ValueError):
    """A change of phase that is no row of the table."""


def step(phase: str, cause: str) -> str:
    """The phase after `cause`. Raises Refused."""
    try:
        return TABLE[phase, cause]
    except KeyError:
        raise Refused(f"a connection that is {phase or 'unborn'} can't be {cause}") from None


def subject(id: str) -> str:
    """The name under which history has the lines of a connection."""
    return f"connection:{id}"


def static_pvd(settings: str) -> PvdId:
    """The PvD of what a profile itself configures."""
    return f"static:{settings}"


def expected(profile: Settings | None) -> list[PvdId]:
    """The PvDs that a profile should lead to, any of them; [] for whichever comes."""
    return static.listed(profile, "pvd.expected") if profile is not None else []


# What happens


def opened(draft: Draft, event: ConnectionOpened) -> None:
    """Settings were activated on a link. One that is open already goes on; a closed one begins anew."""
    known = draft.connections.get(event.id)
    if known is not None and known.phase in OPEN:
        return
    link = draft.link(event.link)
    # A link that is not attached yet: the connection is for the attachment that comes.
    epoch = link.epoch if link.attached else link.epoch + 1
    made = Connection(
        event.id, event.settings, event.link, event.by, draft.at, draft.seq, phase=ACTIVATING, epoch=epoch
    )
    if known is not None and known.epoch == epoch:  # what it made stands, or somebody is still inside
        made = replace(made, placement=known.placement, adopter=known.adopter)
    draft.connections = draft.connections.set(event.id, replace(made, since=draft.at))
    draft.regroup.setdefault(event.link, Touch("opened", draft.seq))  # whoever is there may take its place over
    if event.by == "operator":
        unblock(draft, event.link, event.settings)
    _line(draft, made, step(known.phase if known else UNBORN, "opened"), "opened", known.phase if known else UNBORN)


def closed(draft: Draft, event: ConnectionClosed) -> None:
    """An active connection ended; it stays known with the reason."""
    known = draft.connections.get(event.id)
    if known is None or known.phase not in OPEN:
        return
    if event.reason == "operator":
        blocked = draft.intent.blocked.set((known.settings, known.link), draft.seq)
        draft.intent = replace(draft.intent, blocked=blocked)
    _close(draft, known, event.reason)


def left(draft: Draft, name: LinkId, reason: str) -> None:
    """An attachment ended, and with it the connections on it; autoconnect may try again on the next."""
    unblock(draft, name)
    epoch = draft.link(name).epoch
    for id in sorted(draft.connections):
        one = draft.connections[id]
        if one.link == name and one.phase in OPEN and one.epoch <= epoch:
            _close(draft, one, reason)


def removed(draft: Draft, settings: str) -> None:
    """A profile is no longer there: what was active of it ends."""
    for id in sorted(draft.connections):
        one = draft.connections[id]
        if one.settings == settings and one.phase in OPEN and one.by != "external":
            _close(draft, one, "settings-removed")


def unblock(draft: Draft, link: LinkId | None = None, settings: str | None = None) -> None:
    """Autoconnect may open again what the operator closed: on this link, of these settings, or both."""
    blocked = draft.intent.blocked
    for key in blocked:
        if link in (None, key[1]) and settings in (None, key[0]):
            draft.intent = replace(draft.intent, blocked=draft.intent.blocked.delete(key))


def _close(draft: Draft, one: Connection, reason: str) -> None:
    draft.connections = draft.connections.set(one.id, replace(one, reason=reason, closing=True))


def lapse(draft: Draft, key: tuple[str, ...], at: Instant) -> None:
    """The time in which an expected PvD may come after others is over; `settle` sees to it."""
    one = draft.connections.get(key[1])
    if one is not None and one.waits_until == at:
        draft.connections = draft.connections.set(one.id, replace(one, waits_until=0))


# At the end of a step


def settle(draft: Draft) -> bool:
    """Bring each connection up to date with the PvDs on its link. Whether that touched an instance."""
    for id in sorted(draft.connections) if draft.connections else ():
        one = _released(draft, draft.connections[id])
        profile, link = draft.settings.get(one.settings), draft.links.get(one.link)
        if one.phase == CLOSED:
            continue
        mark = draft.settled.get(id)
        if mark is not None and mark[0] is one and mark[1] is profile and mark[2] is link:
            continue  # nothing that counts for this one has changed
        _settle(draft, one, profile)
        if not draft.touched:
            draft.settled[id] = (draft.connections[id], profile, draft.links.get(one.link))
    return bool(draft.touched)


def _released(draft: Draft, one: Connection) -> Connection:
    """A connection; where the PvD that has its place has ended, that is its own again, or nobody's."""
    if one.adopter and not _on(draft, one, one.adopter):
        one = replace(one, adopter="")
        draft.connections = draft.connections.set(one.id, one)
    return one


def _settle(draft: Draft, one: Connection, profile: Settings | None) -> None:
    adoption.release(draft, one.link)
    link = draft.link(one.link)
    present = _present(draft, one, link)
    if one.closing:
        _withdraw(draft, one, "closed")
        if not draft.touched:  # else whether somebody is still inside is known in the next round
            held = static_pvd(one.settings) in present
            _move(draft, one, "ended-in-use" if held else "ended", ())
        return
    wanted = expected(profile)
    others = [pvd for pvd in present if pvd != static_pvd(one.settings)]
    waits_until = one.waits_until
    if not wanted:
        cause = "arrived" if present or _complete(profile) else "nothing"
    elif any(pvd in wanted for pvd in present):
        cause, waits_until = "arrived", NEVER
    elif not others:
        cause, waits_until = "nothing", NEVER
    elif any(not pvd.startswith(("if:", "dhcp4:", "dhcp6:", "ra:")) for pvd in others) or one.phase == MISMATCH:
        cause, waits_until = "other", NEVER
    elif waits_until == 0:  # the time is over
        cause = "other"
    else:  # DHCP often answers before the first RA, and a router sends one RA for each PvD
        cause = "nothing"
        if waits_until == NEVER:
            waits_until = draft.at + draft.policy.number("expected_wait_s") * SECOND
            draft.deadlines = deadlines.push(draft.deadlines, waits_until, ("connection", one.id))
    one = replace(one, waits_until=waits_until)
    if profile is not None and one.by != "external" and (not wanted or cause == "arrived"):
        _contribute(draft, one, profile, link)
    else:  # the PvD that it is for is not there
        _withdraw(draft, one, "mismatch" if cause == "other" else "waiting")
    if draft.touched:  # its own PvD comes or goes: one line of history says all of it, in the next round
        return
    if _move(draft, one, cause, present) and cause == "other":
        what, instead = ", ".join(others), " or ".join(wanted)
        draft.find("pvd-mismatch", link=one.link, pvd=wanted[0], settings=one.settings, what=what, instead=instead)


def _complete(profile: Settings | None) -> bool:
    """Whether a profile configures nothing and waits for nothing: it is active as it is."""
    return profile is not None and not static.waits(profile) and not static.items(profile, 0, {})


def _present(draft: Draft, one: Connection, link: Link) -> tuple[PvdId, ...]:
    """The PvDs on the connection's attachment, without those of other profiles."""
    return tuple(
        pvd
        for pvd in link.pvds
        if (not pvd.startswith("static:") or pvd == static_pvd(one.settings)) and _on(draft, one, pvd)
    )


def _on(draft: Draft, one: Connection, pvd: PvdId) -> bool:
    """Whether a PvD is on the connection's attachment."""
    found = draft.pvds.get(pvd)
    return found is not None and any(cell[:2] == (one.link, one.epoch) for cell in found.cells)


def _move(draft: Draft, one: Connection, cause: str, present: tuple[PvdId, ...]) -> bool:
    """Whether its phase, or what is on its attachment, is another than before."""
    after = step(one.phase, cause)
    moved = replace(one, phase=after, pvds=present)
    if after != one.phase:
        moved = replace(moved, since=draft.at)
    if after == CLOSED:
        moved = replace(moved, closed_at=draft.at, closing=False, waits_until=NEVER)
    draft.connections = draft.connections.set(one.id, moved)
    for pvd in present:
        if pvd not in one.pvds:
            _reach(draft, moved, pvd)
    news = after != one.phase or present != one.pvds
    if news:
        reason = one.reason if after in (CLOSING, CLOSED) else cause
        _line(draft, moved, after, reason, one.phase, one.pvds)
        for pvd in present:
            for made in overrides(draft, pvd, one.link, one.epoch):
                if made.refused:
                    draft.find("override-refused", link=one.link, pvd=pvd, settings=made.settings, policy=made.refused)
    return news


def _reach(draft: Draft, one: Connection, pvd: PvdId) -> None:
    """Remember that the profile led to a PvD; static ones are its own."""
    if pvd.startswith("static:"):
        return
    before = draft.intent.reached.get(one.settings, ())
    known = next((each for each in before if each.pvd == pvd), None)
    if known is None:
        now = Reached(pvd, one.link, one.epoch, draft.seq, draft.seq, draft.at, draft.at)
    else:
        again = (known.link, known.epoch) != (one.link, one.epoch)
        now = replace(
            known,
            link=one.link,
            epoch=one.epoch,
            last=draft.seq,
            last_at=draft.at,
            visits=known.visits + again,
        )
    others = [each for each in before if each.pvd != pvd]
    most = draft.policy.number("visits_max")
    latest = sorted((*others, now), key=lambda each: each.last)[-most:]
    listed = tuple(sorted(latest, key=lambda each: each.pvd))
    draft.intent = replace(draft.intent, reached=draft.intent.reached.set(one.settings, listed))


def _line(draft: Draft, one: Connection, phase: str, cause: str, before: str, pvds: tuple[PvdId, ...] = ()) -> None:
    draft.changes.append(
        Change(
            pvd="",
            link=one.link,
            epoch=one.epoch,
            host="",
            at=draft.at,
            because=draft.seq,
            cause=cause,
            version=0,
            phase_before=before,
            phase=phase,
            added=_named(pvd for pvd in one.pvds if pvd not in pvds),
            removed=_named(pvd for pvd in pvds if pvd not in one.pvds),
            seq=draft.seq,
            subject=subject(one.id),
        )
    )


def _named(pvds: Iterator[PvdId]) -> tuple[Content, ...]:
    return tuple(("pvd", pvd, ()) for pvd in pvds)


# What the profile itself configures


def _key(one: Connection) -> tuple[LinkId, str, str, str]:
    return (one.link, "", "static", static_pvd(one.settings))


def _contribute(draft: Draft, one: Connection, profile: Settings, link: Link) -> None:
    """Put what the profile configures into its PvD, on the attachment that the connection is for."""
    known = draft.grants.get(_key(one))
    said = draft.intent.known[profile.id].because
    # An unchanged item keeps its record; the profile's own line of history says what an edit was.
    since = {(held.kind, held.key): held.since for held in known.held} if known else {}
    held = static.items(profile, said, since)
    if not held or not link.attached or link.epoch != one.epoch:
        _withdraw(draft, one, "edited")
        return
    pvd = static_pvd(one.settings)
    at = draft.intent.known[profile.id].at
    grant = Grant(
        "static",
        one.link,
        one.epoch,
        "",
        pvd,
        "",
        heard_at=at,
        started_at=at,
        because=said,
        since=known.since if known else said,
        held=held,
        owners=(pvd,),
        placed=pvd,
    )
    if grant != known:
        draft.put_grant(grant, "configured")


def _withdraw(draft: Draft, one: Connection, cause: str) -> None:
    grant = draft.grants.get(_key(one))
    if grant is not None:
        draft.drop_grant(grant, cause, draft.seq)


# What should be open


def autoconnect(state: State) -> tuple[ConnectionOpened, ...]:
    """The connections to open now: on each link of this host that has none, the profile that matches it best.

    A higher `connection.autoconnect-priority` first, then by id. One that the operator closed on a link is left alone
    there until the link is attached anew, or the operator opens it.
    """
    policy = state.policy.word("autoconnect")
    if policy == "none":
        return ()
    profiles = sorted(
        (one for one in state.settings.values() if _willing(one, policy)),
        key=lambda one: (-_priority(one), one.id),
    )
    busy = {one.link for one in state.connections.values() if one.phase in OPEN}
    active = {one.settings for one in state.connections.values() if one.phase in OPEN}
    found = []
    for name in sorted(state.links):
        link = state.links[name]
        if not link.host or not link.attached or not link.up or name in busy:
            continue
        for one in profiles:
            if (one.id, name) in state.intent.blocked or not matches(one, link):
                continue
            if one.id in active and word_of(one, "connection.multi-connect") != "multiple":
                continue
            active.add(one.id)
            found.append(ConnectionOpened(id=connection_id(one.id, name), settings=one.id, link=name, by="autoconnect"))
            break
    return tuple(found)


def connection_id(settings: str, link: LinkId) -> str:
    """A connection's id: one profile may be active on several links."""
    return f"{settings}@{link}"


def held_down(state: State, link: LinkId) -> bool:
    """Whether the operator closed what was open on a link: the PvDs on it are heard, and not placed."""
    if not any(key[1] == link for key in state.intent.blocked):
        return False
    return not any(one.link == link and one.phase in OPEN for one in state.connections.values())


word_of = static.word


def _willing(profile: Settings, policy: str) -> bool:
    if profile.values.get("connection.autoconnect", True) is not True:
        return False
    if static.listed(profile, "match.unsupported") or word_of(profile, "802-11-wireless.ssid"):
        return False  # it would match more links than its author meant
    return policy == "all" or profile.source in ("toml", "control")


def _priority(profile: Settings) -> int:
    value = profile.values.get("connection.autoconnect-priority", 0)
    return value if isinstance(value, int) else 0


KINDS: Final = {
    # NetworkManager's connection.type: the kinds of link it is for
    "802-3-ethernet": ("ethernet", "veth", "macvlan"),
    "802-11-wireless": ("wifi",),
}


def matches(profile: Settings, link: Link) -> bool:
    """Whether a profile is for a link: by name, by globs, by MAC, by type. One that names nothing is for none."""
    name = link.name
    asked = False
    exact = word_of(profile, "connection.interface-name")
    if exact:
        asked = True
        if exact != name:
            return False
    globs = static.listed(profile, "match.interface-name")
    if globs:
        asked = True
        if not _globbed(globs, name):
            return False
    macs = static.listed(profile, "match.mac-address") + static.listed(profile, "802-3-ethernet.mac-address")
    macs += static.listed(profile, "802-11-wireless.mac-address")
    if macs:
        asked = True
        if link.mac not in [mac.lower() for mac in macs]:
            return False
    type_ = word_of(profile, "connection.type")
    if type_:
        asked = True
        if link.kind not in KINDS.get(type_, (type_,)):
            return False
    types = static.listed(profile, "match.type")
    if types:
        asked = True
        if link.kind not in types:
            return False
    return asked


def _globbed(globs: list[str], name: str) -> bool:
    """NetworkManager's list of globs: `&` must match, of those with `|` or nothing one has to; `!` inverts, and without
    a sign before it is mandatory (nm-settings, match.interface-name)."""
    optional: list[bool] = []
    for pattern in globs:
        sign, rest = (pattern[:1], pattern[1:]) if pattern[:1] in ("|", "&") else ("", pattern)
        inverted = rest.startswith("!")
        hit = fnmatchcase(name, rest[inverted:].removeprefix("\\")) != inverted
        if sign != "&" and not (inverted and not sign):
            optional.append(hit)
        elif not hit:
            return False
    return any(optional) if optional else True
