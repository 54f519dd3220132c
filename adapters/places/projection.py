"""Projections in a session: the helper, the settler, the identifiers, and their alarms.

Law: nothing is decided here. Answers and notices come in through the event loop, and so does time; a session that
projects nothing never makes one of these, so that it starts no process and reads no secret.
"""

import asyncio
import contextlib
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from msgspec.structs import replace

from adapters.identifiers import SECRET_OCTETS_MIN, stable, temporary
from adapters.places.helper import Helper, Notice
from adapters.places.settle import Session, Settler
from events.identifiers import IdentifierChosen
from events.ids import NEVER, SECOND, Instant
from pvdcore.host.addresses import (
    IDGEN_RETRIES,
    IID_BITS,
    MAX_DESYNC_S,
    UnknownIid,
    WantedIdentifier,
    announcers,
    eui64,
    wanted_at,
    wanted_identifiers,
    wanted_of,
)
from pvdcore.prefixes import interface
from pvdcore.projections import places
from pvdcore.state import State

SECRET_OCTETS: Final = 32  # RFC 7217 §5 wants 16 at least


class Host(Session, Protocol):
    """What a session gives: adapters/live.py's."""

    def on_batch(self, plan: Callable[[State], None], durable: Callable[[], None]) -> None: ...


def secret(path: Path) -> bytes:
    """The secret of this host's stable identifiers (RFC 7217 §5), made at first. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        known = path.read_bytes()
        if len(known) >= SECRET_OCTETS_MIN:
            return known
    made = os.urandom(SECRET_OCTETS)
    fresh = path.with_name(path.name + ".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(made)
        os.fsync(file.fileno())
    fresh.replace(path)
    return made


class Chooser:
    """Chooses the identifiers that the State wants, and says them."""

    def __init__(self, session: Session, key: bytes) -> None:
        self._session = session
        self._key = key
        self._before: State | None = None
        self._delayed: set[WantedIdentifier] = set()
        self.later: Callable[[float, Callable[[], None]], object] = lambda seconds, deed: deed()

    def changed(self, state: State) -> None:
        """Something was recorded."""
        before, self._before = self._before, state
        other = before is None or state.policy is not before.policy or state.connections is not before.connections
        if before is None or other:
            wanted = list(wanted_identifiers(state))
        elif state.policy.on("temporary"):
            wanted = list(wanted_identifiers(state)) if state is not before else []
        elif self._vanished(before, state):
            wanted = list(wanted_identifiers(state))
        else:
            wanted = sorted({one for pvd in self._session.stirred for one in wanted_of(state, pvd)})
        for one in wanted:
            if places.projection(state, one.link) == "none":
                continue  # nothing is written there, so no address of ours is to be had
            if not one.delay_ms_max:
                self._choose(state, one)
            elif one not in self._delayed:  # two hosts that met should not meet again (RFC 7217 §6)
                self._delayed.add(one)
                self.later(random.uniform(one.delay_ms_min, one.delay_ms_max) / 1000, partial(self._now, one))

    def wake_at(self) -> Instant:
        """When the next temporary address is wanted (RFC 8981 §3.5); NEVER without them."""
        state = self._session.state
        return wanted_at(state) if state.policy.on("temporary") else NEVER

    def _now(self, one: WantedIdentifier) -> None:
        self._delayed.discard(one)
        state = self._session.state
        same = {replace(other, delay_ms_min=0, delay_ms_max=0) for other in wanted_identifiers(state)}
        if replace(one, delay_ms_min=0, delay_ms_max=0) in same:
            self._choose(state, one)

    def _vanished(self, before: State, state: State) -> bool:
        """Whether an address is gone, so that one of ours may be wanted that was left to somebody else."""
        was, now = before.host.sighted, state.host.sighted
        return was is not now and any(place not in now for place in was)

    def _mac(self, state: State, one: WantedIdentifier) -> str:
        """Of the device that is to have the address. What the link's own MAC makes is the host kernel's to have: it
        makes the same of an RA."""
        pvd = one.pvd
        if one.kind == "eui64" and not pvd and places.projection(state, one.link) == "netns":
            announcer = announcers(state).get((one.link, one.prefix))
            pvd = announcer[0].pvd if announcer is not None else ""
        return places.mac_of(state, pvd, one.link, one.epoch) if pvd else state.links[one.link].mac

    def _choose(self, state: State, one: WantedIdentifier) -> None:
        # What others of this prefix have: of a PvD's own device, nobody else can have come to the same.
        known = state.host.identifiers.get((one.link, one.prefix), ()) if not one.pvd else ()
        used = frozenset(int(interface(other.address).ip) & (1 << 64) - 1 for other in known)
        mac = self._mac(state, one)
        name = state.links[one.link].name or one.link
        counter, desync_s = one.dad_counter, 0
        if one.kind == "eui64":
            try:
                iid = f"{eui64(mac):016x}"
            except UnknownIid:
                return  # a link without a MAC forms none
        elif one.kind == "stable":
            # Each PvD of a link has a device of its own, and none may have another's link-local address.
            device = f"{name} {one.pvd}" if one.pvd else name
            iid, counter = stable(one.prefix, device, self._key, dad_counter=counter, used=used)
        else:
            drawn = temporary(os.urandom(IID_BITS // 8 * IDGEN_RETRIES), used)
            if drawn is None:
                return  # all that were drawn were taken: the next record asks again
            iid, desync_s = drawn, random.randint(0, MAX_DESYNC_S)
        self._session.submit(
            IdentifierChosen(
                link=one.link,
                epoch=one.epoch,
                prefix=one.prefix,
                kind=one.kind,
                iid=iid,
                dad_counter=counter,
                generation=one.generation,
                desync_s=desync_s,
                pvd=one.pvd,
                mac=mac,
            )
        )


class Projection:
    """One session's places. Make it before the session starts; `start` when it hears, `stop` before it ends."""

    def __init__(self, host: Host, key: bytes, helper: Helper | None = None) -> None:
        self._host = host
        self.helper = helper or Helper()
        self.settler = Settler(host, self.helper)
        self._chooser = Chooser(host, key)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._armed: Instant = NEVER
        host.on_batch(self._changed, self.settler.durable)

    async def start(self) -> None:
        """Start the helper; what stands is listed, and settled when the answer comes."""
        self._loop = asyncio.get_running_loop()
        self.helper.on_start = self.settler.begin
        self.helper.on_notice = self._noticed
        self.settler.on_alarm = self._arm
        self._chooser.later = self._loop.call_later
        self.helper.start(self._loop)

    async def stop(self) -> None:
        """End the helper. What stands stays: the next session adopts it."""
        if self._handle is not None:
            self._handle.cancel()
        self._loop = None
        self.helper.stop()

    def _changed(self, state: State) -> None:
        self._chooser.changed(state)
        self.settler.changed(state)
        self._arm(self._chooser.wake_at())

    def _noticed(self, said: Notice) -> None:
        self.settler.notice(said)

    def _arm(self, at: Instant) -> None:
        if self._loop is None or at >= self._armed:
            return
        if self._handle is not None:
            self._handle.cancel()
        self._armed = at
        self._handle = self._loop.call_later(max(0, at - self._host.now()) / SECOND, self._tick)

    def _tick(self) -> None:
        self._armed = NEVER
        self._handle = None
        self._chooser.changed(self._host.state)
        self.settler.tick()
        self._arm(min(self.settler.wake_at(), self._chooser.wake_at()))
