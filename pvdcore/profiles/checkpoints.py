"""Checkpoints: how to go back to what settings, connections and pins were.

Law: going back is going on: nothing is taken out of the journal, new events say again what was true at the checkpoint
(NetworkManager's Checkpoint objects, with the journal as the copy). They are computed from two States and nothing else.
"""

from events.codec import AnyEvent
from events.operator import (
    CheckpointRolledBack,
    ConnectionClosed,
    ConnectionOpened,
    PvdPinned,
    PvdUnpinned,
    SettingsLoaded,
    SettingsRemoved,
)
from pvdcore.past.audit import state_at
from pvdcore.ports import Journal
from pvdcore.profiles.connections import OPEN
from pvdcore.state import State


def rollback(journal: Journal, state: State, reason: str = "operator") -> tuple[AnyEvent, ...]:
    """The events that take back what was changed since the checkpoint; () if there is none."""
    one = state.intent.checkpoint
    if one is None:
        return ()
    return (*restoring(state_at(journal, seq=one.because), state), CheckpointRolledBack(id=one.id, reason=reason))


def restoring(then: State, now: State) -> tuple[AnyEvent, ...]:
    """The events that make settings, connections and pins again what they were. What became of the links since is not
    theirs to undo: a connection is opened again where its link still is."""
    events: list[AnyEvent] = []
    for id, one in sorted(now.connections.items()):
        before = then.connections.get(id)
        if one.phase in OPEN and one.by != "external" and (before is None or before.phase not in OPEN):
            events.append(ConnectionClosed(id=id, reason="rollback"))
    for id in sorted(set(now.settings) - set(then.settings)):
        events.append(SettingsRemoved(id=id))
    for id, profile in sorted(then.settings.items()):
        if now.settings.get(id) != profile:
            events.append(SettingsLoaded(settings=profile))
    for id, one in sorted(then.connections.items()):
        after = now.connections.get(id)
        link = now.links.get(one.link)
        still = after is not None and after.phase in OPEN
        if one.phase in OPEN and one.by != "external" and not still and link is not None and link.gone_at is None:
            events.append(ConnectionOpened(id=id, settings=one.settings, link=one.link, by=one.by))
    for id, pvd in sorted(now.pvds.items()):
        pinned = then.pvds[id].pinned if id in then.pvds else False
        if pvd.pinned != pinned:
            events.append(PvdPinned(pvd=id) if pinned else PvdUnpinned(pvd=id))
    return tuple(events)
