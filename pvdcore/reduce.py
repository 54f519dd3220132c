"""The fold: a State and a Record make the next State. Time comes with the record.

Law: nothing outside this package changes a State, and nothing in it asks what time it is. `reduce` first lets time pass
(`advance`), so that everything that ended before the record ended at its own instant, then applies the event. Advancing
in more steps than needed changes nothing.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from immutables import Map
from msgspec.structs import replace

from events.codec import AnyEvent
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen
from events.frames import FrameRejected, FramesLost, FramesRefused
from events.identifiers import IdentifierChosen
from events.ids import NEVER, SECOND, Instant, Seq
from events.link import (
    AddressGone,
    AddressSeen,
    ArpSeen,
    AttachEnded,
    AttachStarted,
    DadFailed,
    LinkGone,
    LinkSeen,
    NeighborSeen,
)
from events.operator import (
    CheckpointCommitted,
    CheckpointCreated,
    CheckpointRolledBack,
    ConnectionClosed,
    ConnectionOpened,
    PolicySet,
    PropertiesSet,
    PvdPinned,
    PvdUnpinned,
    SettingsLoaded,
    SettingsRejected,
    SettingsRemoved,
)
from events.ops import ClientLost, PlaceUsed, PlanApplied
from events.pvdinfo import PvdInfoAsked, PvdInfoDrawn, PvdInfoFailed, PvdInfoFetched
from events.record import Record, Step
from events.router import NeighborAdvertised, NeighborSolicited, Redirected, RouterAdvertised
from events.session import SessionStarted
from events.vpn import VpnConnected, VpnEnded
from pvdcore import deadlines
from pvdcore.domains import info, pvds, visits
from pvdcore.draft import Draft, Touch
from pvdcore.host import autoconf, believed, links, neighbors
from pvdcore.leases import conflicts, leases4, leases6, membership, v6only
from pvdcore.leases.renewals import Exchanges
from pvdcore.policy import DEFAULT, Policy
from pvdcore.profiles import connections, settings, vpns
from pvdcore.projections import placing
from pvdcore.routers import advertised, parts, revised
from pvdcore.routers.words import WAITS, Words
from pvdcore.state import SILENT, Grant, Held, Origin, State, until
from pvdcore.state import because as carried_by

NOTED: Final = frozenset((RouterAdvertised, Dhcp4MessageSeen, Dhcp6MessageSeen))
HEARD: Final = (RouterAdvertised, NeighborAdvertised, Dhcp4MessageSeen, Dhcp6MessageSeen)
HEARD6: Final = (RouterAdvertised, NeighborAdvertised, Dhcp6MessageSeen)
BELIEVED: Final = (*believed.SEEN, *believed.GONE, LinkGone)
AHEAD_MAX: Final = 86_400 * SECOND  # no capture is quiet for a day and then goes back: such a date is wrong


def reduce(state: State, record: Record) -> State:
    """The State after a record. `state.changes` of the result are the lines of history this step made.

    A record dated before `state.now` is folded at `state.now`: time does not run backwards.
    """
    fold = Fold(state)
    fold.step(record.seq, record.at, record.event, record.provenance.captured_at)
    return fold.state


class Fold:
    """Records folded one after the other; the State is put together when somebody asks, and is that of `reduce`."""

    def __init__(self, state: State) -> None:
        self.draft = Draft(state)
        self._state: State | None = state

    @property
    def state(self) -> State:
        """The State as of the last step."""
        state = self._state
        if state is None or state.now != self.draft.at or state.seq != self.draft.seq:
            state = self._state = self.draft.state()
        return state

    def step(self, seq: Seq, at: Instant, event: AnyEvent, captured_at: Instant | None) -> None:
        """Fold one record: see `reduce`. captured_at: the packet's own time, which is `at` where it is None."""
        draft = self.draft
        self._state = None
        if draft.changes:
            draft.changes = []
        if at < draft.at:
            at = draft.at
        if deadlines.earliest(draft.deadlines) <= at:
            self._lapse(at)
        draft.begin(at, seq)
        kind = type(event)
        if kind in NOTED and _barred(draft, event):
            draft.reject("udp-checksum")
            return
        if captured_at is not None and captured_at - at > AHEAD_MAX:
            draft.find("time-jump", link=getattr(event, "link", ""))
        elif kind is RouterAdvertised and (
            revised.revise(draft, event)  # type: ignore[arg-type]
            or advertised.refresh(draft, event)  # type: ignore[arg-type]
            or revised.swap(draft, event)  # type: ignore[arg-type]
        ):
            return
        if isinstance(event, HEARD) and event.link in draft.links and not draft.links[event.link].attached:
            draft.find("heard-unattached", link=event.link)
            return
        if isinstance(event, HEARD6) and event.link in draft.host.off:
            return  # evidence only (RFC 4862 §5.4.5)
        if isinstance(event, BELIEVED):
            believed.told(draft, event)
        slice_ = SLICES.get(kind)
        if slice_ is not None:
            slice_(draft, event)
        if isinstance(event, HEARD):
            visits.note(draft, event, event.link)
        finish(draft)

    def run(self, steps: Iterable[Step]) -> None:
        """Fold many records. Of routers that only repeat their last words the newest refresh waits, as in the engine
        (`Engine.again`), until somebody looks; so do renewals of leases."""
        draft, steady = self.draft, self.draft.steady
        waiting, renewals, wait = draft.speakers.waiting(), Exchanges(draft), WAITS.pack_into
        ends = deadlines.earliest(draft.deadlines)
        for seq, at, event, captured_at in steps:
            waits = False
            if draft.at <= at < ends and (captured_at is None or captured_at - at <= AHEAD_MAX):
                if type(event) is RouterAdvertised:
                    speaker = (event.link, event.router)
                    standing = steady.get(speaker)
                    if waits := standing is not None and standing[0] is event:
                        found = waiting.get(speaker)
                        if found is None:
                            found = waiting[speaker] = [Words(speaker, seq, event)]
                        wait(found[-1].waits, 0, at, seq)
                elif type(event) is Dhcp4MessageSeen:
                    waits = renewals.again(event, at, seq)
            if waits:
                draft.seq, draft.at = seq, at
                if draft.changes:
                    draft.changes = []
                continue
            renewals.fold()
            self.step(seq, at, event, captured_at)
            ends = deadlines.earliest(draft.deadlines)
            if type(event) is Dhcp4MessageSeen:
                renewals.heard(event)
        renewals.fold()

    def advance(self, to: Instant) -> None:
        """Let time pass: see the function."""
        if deadlines.earliest(self.draft.deadlines) <= to:
            self._state = None
            self._lapse(to)
        if to > self.draft.at:
            self.draft.at = to

    def _lapse(self, to: Instant) -> None:
        """What ends until `to` ends at its own instant, in that order."""
        draft = self.draft
        while (at := deadlines.earliest(draft.deadlines)) <= to:
            draft.begin(max(at, draft.at), draft.seq)
            while deadlines.earliest(draft.deadlines) == at:
                _, key, draft.deadlines = deadlines.pop(draft.deadlines)
                LAPSES[key[0]](draft, key, at)
            finish(draft)


def finish(draft: Draft) -> None:
    """Decide owners, then versions; then what that means to connections, whose own PvDs may change by it."""
    membership.regroup(draft)
    info.settle(draft)
    pvds.settle(draft)
    while connections.settle(draft):  # ends: what a profile itself configures decides about no connection
        membership.regroup(draft)
        pvds.settle(draft)


def _barred(draft: Draft, event: AnyEvent) -> bool:
    notes = getattr(event, "notes", ())
    if not notes or draft.policy.word("udp_checksum") == "accept":
        return False
    return any(note.code == "udp-checksum" for note in notes)


def next_deadline(state: State) -> Instant:
    """When `advance` has something to look at; NEVER if nothing. May be early, is never late."""
    return deadlines.earliest(state.deadlines)


def advance(state: State, to: Instant) -> State:
    """The State when nothing happens until `to`: what ends in between ends at its own instant, in that order."""
    fold = Fold(state)
    fold.advance(to)
    return fold.state


def _lapse_origin(draft: Draft, key: tuple[str, ...], at: Instant) -> None:
    _, link, speaker, pvd = key
    origin = next((one for one in draft.speakers.get((link, speaker), ()) if one.pvd == pvd), None)
    if origin is None or origin.queued != at:
        return  # an entry for what is no longer so
    ended = [held for held in origin.held if until(origin, held) <= at]
    if not ended:
        draft.requeue_origin(replace(origin, queued=NEVER))
        return
    left = parts.whole(held for held in origin.held if until(origin, held) > at)
    because = max(carried_by(origin, held) for held in ended)
    if any(not held.fixed for held in left):
        draft.put_origin(replace(origin, held=left, event=SILENT, queued=NEVER), "lapsed")
        draft.blame(pvd, (link, origin.epoch, ""), because)
        if _prefixes(origin.held) != _prefixes(left):
            draft.match.setdefault(link, Touch("moved", because))
    else:
        draft.drop_origin(origin, "lapsed", because)
        draft.regroup.setdefault(link, Touch("moved", because))


def _prefixes(held: tuple[Held, ...]) -> list[str]:
    return [one.key for one in held if one.kind == "prefix"]


def _lapse_grant(draft: Draft, key: tuple[str, ...], at: Instant) -> None:
    _, link, host, rule, subject = key
    grant = draft.grants.get((link, host, rule, subject))
    if grant is None or grant.queued != at:
        return
    if any(until(grant, held) <= at for held in grant.held):
        draft.drop_grant(grant, "lapsed", grant.because)
        leases6.orphaned(draft, link, host, "lapsed", grant.because)
    else:
        _requeue(draft, grant)


def _requeue(draft: Draft, grant: Grant) -> None:
    ends = min((until(grant, held) for held in grant.held), default=NEVER)
    key = (grant.link, grant.host, grant.rule, grant.subject)
    if ends < NEVER:
        draft.deadlines = deadlines.push(draft.deadlines, ends, ("grant", *key))
    draft.grants = draft.grants.set(key, replace(grant, queued=ends))


def _policy(draft: Draft, event: PolicySet) -> None:
    """Knobs take effect from here on; nothing is recomputed backwards, but the next words are heard anew."""
    draft.policy = Policy(values={**DEFAULT.values, **event.values}, projections=event.projections)
    placing.reprojected(draft)
    for key in sorted(draft.speakers):
        origins: tuple[Origin, ...] = draft.speakers[key]
        draft.speakers.set(key, tuple(replace(one, event=SILENT) for one in origins))
    draft.stir_all()
    draft.shapes.clear()
    for name in sorted(draft.links):
        draft.regroup[name] = Touch("policy", draft.seq)


def _session(draft: Draft, event: SessionStarted) -> None:
    if event.boot and draft.boot and event.boot != draft.boot:
        placing.forget_all(draft, "boot")
        links.forget_all(draft)
        draft.believed = Map()
    info.restarted(draft)
    draft.boot = event.boot or draft.boot


def _pin(draft: Draft, event: PvdPinned | PvdUnpinned) -> None:
    pvd = draft.pvds.get(event.pvd)
    if pvd is not None:
        draft.put_pvd(replace(pvd, pinned=isinstance(event, PvdPinned)))


def _neighbor(draft: Draft, event: NeighborAdvertised) -> None:
    autoconf.advertised(draft, event)
    advertised.neighbor(draft, event)


LAPSES: Final[dict[str, Callable[[Draft, tuple[str, ...], Instant], None]]] = {
    "origin": _lapse_origin,
    "grant": _lapse_grant,
    "info": info.lapse,
    "connection": connections.lapse,
    "checkpoint": settings.lapse,
    "settle": lambda draft, key, at: membership.settled(draft, (key[1], key[2], key[3], key[4]), at),
    "wait": lambda draft, key, at: v6only.over(draft, key[1], key[2], at),
}
"""What a deadline is of, by the first word of its key."""

SLICES: Final[dict[type, Callable[[Draft, Any], None]]] = {
    RouterAdvertised: advertised.heard,
    NeighborAdvertised: _neighbor,
    NeighborSolicited: autoconf.solicited,
    IdentifierChosen: autoconf.chosen,
    AddressSeen: autoconf.seen,
    AddressGone: autoconf.unseen,
    DadFailed: autoconf.failed,
    NeighborSeen: neighbors.seen,
    Redirected: neighbors.redirected,
    Dhcp4MessageSeen: leases4.message,
    ArpSeen: conflicts.heard,
    Dhcp6MessageSeen: leases6.message,
    FrameRejected: lambda draft, event: draft.reject(event.rule),
    FramesRefused: lambda draft, event: draft.reject(event.rule, event.count),
    FramesLost: lambda draft, event: draft.reject("frames-lost", event.count),
    LinkSeen: links.seen,
    LinkGone: links.gone,
    AttachStarted: links.attached,
    AttachEnded: links.detached,
    PvdInfoDrawn: info.drawn,
    PvdInfoAsked: info.asked,
    PvdInfoFetched: info.fetched,
    PvdInfoFailed: info.failed,
    SettingsLoaded: settings.loaded,
    SettingsRemoved: settings.removed,
    SettingsRejected: settings.rejected,
    ConnectionOpened: connections.opened,
    ConnectionClosed: connections.closed,
    CheckpointCreated: settings.checkpointed,
    CheckpointCommitted: settings.uncheckpointed,
    CheckpointRolledBack: settings.uncheckpointed,
    PolicySet: _policy,
    PropertiesSet: settings.properties,
    SessionStarted: _session,
    PlanApplied: placing.applied,
    PlaceUsed: placing.used,
    ClientLost: placing.lost,
    PvdPinned: _pin,
    PvdUnpinned: _pin,
    VpnConnected: vpns.connected,
    VpnEnded: vpns.ended,
}
"""Which slice folds which event. An event without one is evidence only: it is kept and changes nothing."""
