"""The control socket: what the daemon answers, over Varlink (varlink.org) on a unix stream.

Law: a peer is what the kernel says it is (SO_PEERCRED, SO_PEERGROUPS), and who is refused leaves a record. Nothing here
decides about PvDs: a command becomes an event through `submit`, an answer is read from the State.

    call   {"method": "NAME", "parameters": {…}, "more": true?, "oneway": true?} NUL
    reply  {"parameters": {…}, "continues": true?} NUL      or      {"error": "NAME", "parameters": {…}} NUL

Messages may come split at any octet and several at a time; each is answered in order. Interface names are those of a
domain read backwards; `.internal` is the one that nobody can own (ICANN resolution 2024.07.29.06), so ours claims none.
"""

import asyncio
import os
import re
import socket
import stat
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from grp import getgrnam
from typing import Annotated, Any, Final, Protocol

import msgspec

from adapters.settings import toml
from adapters.vpn.tunnel import Unusable, checked
from events.codec import AnyEvent
from events.ids import NEVER, SECOND, Instant
from events.operator import (
    CheckpointCommitted,
    CheckpointCreated,
    ConnectionClosed,
    ConnectionOpened,
    PvdPinned,
    PvdUnpinned,
    SettingsLoaded,
    SettingsRejected,
    SettingsRemoved,
)
from events.session import RequestRefused
from events.vpn import VpnConnected, VpnEnded
from pvdcore.domains import view
from pvdcore.domains.properties import properties
from pvdcore.engine import Engine
from pvdcore.ports import Journal
from pvdcore.profiles.checkpoints import rollback
from pvdcore.profiles.connections import OPEN, connection_id
from pvdcore.profiles.vpns import pvd_of
from pvdcore.state import Change, Pvd, State

SERVICE: Final = "org.varlink.service"
INTERFACE: Final = "internal.pvd.Control"
URL: Final = "https://www.rfc-editor.org/rfc/rfc8801"  # the project has no address of its own

MESSAGE_OCTETS_MAX: Final = 65_536  # the largest call there is takes some hundred
BACKLOG_OCTETS_MAX: Final = 4 << 20  # unread replies of a connection: a snapshot of 1,000 PvDs takes some 400 KiB
CONNECTIONS_MAX: Final = 128  # each costs a descriptor; an operator has a few, a monitoring system a few more
REFUSALS_MAX: Final = 10  # records a minute and user of what was refused; the rest is one record with their count
MINUTE: Final[Instant] = 60 * SECOND
TIMEOUT_MAX_S: Final = 366 * 86_400  # what is to come back after a year was not meant to be taken back
WORD_MAX: Final = 64  # characters of a device's name, or of a client's word for why it ends
SETTINGS_ID: Final = r"^[^\s@/:]{1,64}$"  # it is part of `static:ID` and of `ID@LINK`
LINGER_S: Final = 5.0  # how long a dropped subscriber has to read why
GROUP: Final = "pvd"
GIVEN: Final = "control"  # the source of profiles that are given here, and what stands for their file
_SO_PEERGROUPS: Final = 59  # asm-generic/socket.h; Python has no name for it

SERVICE_TEXT: Final = """\
# What every Varlink service answers (varlink.org/Service)
interface org.varlink.service

# Who we are
method GetInfo() -> (vendor: string, product: string, version: string, url: string, interfaces: []string)

# The text of an interface
method GetInterfaceDescription(interface: string) -> (description: string)

error InterfaceNotFound (interface: string)
error MethodNotFound (method: string)
error MethodNotImplemented (method: string)
error InvalidParameter (parameter: string)
error PermissionDenied ()
error ExpectedMore ()
"""

CONTROL_TEXT: Final = """\
# The Provisioning Domain daemon. Times are nanoseconds since 1970, UTC. Root and the group pvd may ask.
interface internal.pvd.Control

# Where a PvD is on one attachment of one link. host: "" for this host's own, or shared by all.
type Place (link: string, epoch: int, host: string, phase: string, version: int)

# A provisioning domain. properties: what the operator says of it (pvd.conf).
type Pvd (
  id: string, kind: string, source: string, phase: string, pinned: bool, versions: int,
  first_seen: int, last_seen: int, properties: [string]object, places: []Place
)

# The run of the daemon. seq and head: the last record, and the hash of the chain there (pvdctl verify --head).
type Session (
  version: string, pid: int, started: int, now: int, journal: string, seq: int, head: string,
  links: int, subscribers: int, refused: int
)

# One line of history: see pvdctl schema history. Items are [kind, key, value]. subject: `connection:ID` or
# `settings:ID` where the line is of one of these; pvd is "" then.
type Change (
  pvd: string, link: string, epoch: int, host: string, at: int, because: int, cause: string, version: int,
  phase_before: string, phase: string, added: ?[]object, removed: ?[]object, changed: ?[]object, seq: ?int,
  subject: ?string
)

# The session, and the PvDs that live; or exactly the one asked for, which may have ended.
method GetStatus(pvd: ?string) -> (session: Session, pvds: []Pvd)

# Call it with `more`. Without a cursor the first reply is a snapshot; with one, what came after it. Then each change.
method Subscribe(cursor: ?string) -> (cursor: string, snapshot: ?[]Pvd, change: ?Change)

# Read the configuration again
method Reload() -> ()

# Activate settings on a link; and end all connections of them
method Up(settings: string, link: string) -> (connection: string)
method Down(settings: string) -> (connections: []string)

# Something of a profile that is not used, or not shown: see pvdctl schema settings.
type Note (code: string, key: string, where: string)

# Give a profile at run time, as a file in /etc/pvd/settings.d has it (TOML). It stays, over restarts too, until it is
# given anew or taken back; what is active of it follows.
method Load(settings: string, text: string) -> (notes: []Note)
method Unload(settings: string) -> ()

# A prefix that goes through a tunnel. via: the next hop inside
type VpnRoute (destination: string, via: ?string)

# What holds of a tunnel, all of it. vpn: the NAME of `vpn:NAME`. client: openvpn, vpnc, wg-quick or other.
# device, ifindex: the tunnel's, 0 where it is in no sight. included, excluded: prefixes through the tunnel, and those
# of them that are not. full: all of a family. gateway: inside; remote: the server. tunnel: `move` into the PvD's
# namespace, `leave`; else as the policy says. partial: routes and gateway are as they were. ignored: what else is said.
type Vpn (
  vpn: string, client: string, device: string, ifindex: ?int, addresses: ?[]string, included: ?[]VpnRoute,
  excluded: ?[]string, full: ?bool, dns: ?[]string, search: ?[]string, split_dns: ?[]string, gateway: ?string,
  remote: ?string, mtu: ?int, tunnel: ?string, partial: ?bool, ignored: ?[]string
)

# A tunnel is up, or other things hold of it than before; and it is down. device: which, if the VPN may have another.
method VpnUp(vpn: Vpn) -> (pvd: string)
method VpnDown(vpn: string, device: ?string, reason: ?string) -> ()

# Keep a PvD in place although it may end; and no longer
method Pin(pvd: string) -> ()
method Unpin(pvd: string) -> ()

# What may be taken back: settings, connections and pins as they are now. timeout: seconds until that happens by itself,
# 0 for never. A new checkpoint takes the place of an older one.
method Checkpoint(timeout: int) -> (checkpoint: string)
# Take back what was changed since the checkpoint; and let it stay
method Rollback() -> (records: int)
method Commit() -> ()

error NoCheckpoint ()
error NoSuchPvd (pvd: string)
error NoSuchSettings (settings: string)
error NoSuchLink (link: string)
error NotUp (settings: string)
# The text is no profile: what is wrong, and in which line. Nothing has changed.
error NotSettings (line: int, text: string)
# A file says this profile: edit that instead
error OfAFile (settings: string, origin: string)
error NoSuchVpn (vpn: string)
# The configuration cannot be used: a line for each thing that is wrong. Nothing has changed.
error NotReloaded (problems: []string)
# What a cursor names is not in this journal
error NoSuchCursor (cursor: string)
# The subscriber did not read; it may subscribe again with this cursor
error Lagging (cursor: string)
"""


# What is asked


class Call(msgspec.Struct, frozen=True):
    """A message from a client."""

    method: str
    parameters: msgspec.Raw = msgspec.Raw(b"{}")
    more: bool = False
    oneway: bool = False
    upgrade: bool = False


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class OfInterface(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    interface: str


class OfPvd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pvd: str


class PerhapsPvd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pvd: str | None = None


class OfSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    settings: str


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    settings: Annotated[str, msgspec.Meta(pattern=SETTINGS_ID)]
    text: str


class SettingsOnLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    settings: str
    link: str


class OfTunnel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    vpn: dict[str, Any]


class OfVpn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    vpn: str
    device: Annotated[str, msgspec.Meta(max_length=WORD_MAX)] | None = None
    reason: Annotated[str, msgspec.Meta(max_length=WORD_MAX)] | None = None


class Timeout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    timeout: Annotated[int, msgspec.Meta(ge=0, le=TIMEOUT_MAX_S)]


class After(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cursor: str | None = None


# What is answered


class PlaceRow(msgspec.Struct, frozen=True):
    """See type Place."""

    link: str
    epoch: int
    host: str
    phase: str
    version: int


class PvdStatus(msgspec.Struct, frozen=True):
    """See type Pvd."""

    id: str
    kind: str
    source: str
    phase: str
    pinned: bool
    versions: int
    first_seen: Instant
    last_seen: Instant
    properties: dict[str, str | int | float | bool]
    places: list[PlaceRow]


class Session(msgspec.Struct, frozen=True):
    """See type Session."""

    version: str
    pid: int
    started: Instant
    now: Instant
    journal: str
    seq: int
    head: str
    links: int
    subscribers: int
    refused: int


class Status(msgspec.Struct, frozen=True):
    session: Session
    pvds: list[PvdStatus]


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reply of a subscription: a snapshot, or a change, and the cursor behind it."""

    cursor: str
    snapshot: list[PvdStatus] | None = None
    change: Change | None = None


class Refusal(Exception):
    """An error reply. name: of the error, with its interface."""

    def __init__(self, name: str, **parameters: Any) -> None:
        super().__init__(name)
        self.name = name if "." in name else f"{INTERFACE}.{name}"
        self.parameters = parameters


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end, as the kernel says. gids: all groups."""

    pid: int
    uid: int
    gid: int
    gids: frozenset[int] = frozenset()


class Driver(Protocol):
    """What we need of the daemon (adapters/daemon.py)."""

    @property
    def state(self) -> State: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def journal(self) -> Journal: ...
    def now(self) -> Instant: ...
    def submit(self, event: AnyEvent, *, source: str = "engine") -> None: ...


Reload = Callable[[], Awaitable[None]]
"""Reads the configuration again. Raises ConfigError."""

_encoder: Final = msgspec.json.Encoder(order="deterministic")
_calls: Final = msgspec.json.Decoder(Call)


class Control:
    """The server. Make it, `await start(path)`, call `changed` behind each durable batch, `await stop()` in the end.

    group: whose members may ask beside root; a group that does not exist has none. version: ours; path: of the
    journal.
    """

    def __init__(
        self, driver: Driver, *, reload: Reload | None = None, group: str = GROUP, version: str = "", path: str = ""
    ) -> None:
        self.driver = driver
        self.reload = reload
        self.version = version
        self._group = group
        self._journal = path
        self._started = driver.now()
        self._server: asyncio.AbstractServer | None = None
        self._path = ""
        self.connections: set[Connection] = set()
        self.subscribers: dict[Connection, None] = {}
        self.refused = 0
        self._refusals: dict[tuple[int, str], tuple[Instant, int, Peer]] = {}
        self._fresh: list[Change] = []
        self._cursor = (driver.state.seq, sum(1 for _ in driver.journal.history(since=driver.state.seq)))
        driver.engine.told.append(self._fresh.extend)

    async def start(self, path: str) -> None:
        """Listen at `path`. A socket that a dead daemon left is replaced. Raises OSError."""
        os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
        _unlink_stale(path)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: Connection(self), path)
        os.chmod(path, 0o666)  # whoever may not ask is told so, and leaves a record
        self._path = path

    async def stop(self) -> None:
        """Close all connections and remove the socket."""
        self._count_refusals(NEVER)
        if self._server is not None:
            self._server.close()
            for connection in list(self.connections):
                connection.close()
            with suppress(OSError):
                os.unlink(self._path)

    def changed(self, state: State) -> None:
        """Tell the subscribers what was written since the last time: it is durable now."""
        self._count_refusals(self.driver.now())
        fresh, self._fresh[:] = list(self._fresh), []
        for change in fresh:
            self._cursor = _behind(self._cursor, change)
            if self.subscribers:
                notice = _encoder.encode(Notice(_spelled(self._cursor), change=change))
                for connection in list(self.subscribers):
                    connection.tell(notice, _spelled(self._cursor))

    # Who may

    def permitted(self, peer: Peer) -> bool:
        """Root, the daemon's own user, and the members of the group."""
        if peer.uid in (0, os.geteuid()):
            return True
        try:
            gid = getgrnam(self._group).gr_gid
        except KeyError:
            return False
        return gid == peer.gid or gid in peer.gids

    def refuse(self, peer: Peer, method: str) -> None:
        """Leave a record; beyond some a minute only their count, so that a loop of asking fills no disk."""
        self.refused += 1
        now = self.driver.now()
        self._count_refusals(now)
        since, count, _ = self._refusals.get((peer.uid, ""), (now, 0, peer))
        self._refusals[peer.uid, ""] = (since, count + 1, peer)
        if count < REFUSALS_MAX:
            self.driver.submit(RequestRefused(method=method, uid=peer.uid, gid=peer.gid, pid=peer.pid))

    def _count_refusals(self, now: Instant) -> None:
        for key, (since, count, peer) in sorted(self._refusals.items()):
            if now - since >= MINUTE:
                del self._refusals[key]
                if count > REFUSALS_MAX:
                    more = count - REFUSALS_MAX
                    self.driver.submit(RequestRefused(method="", uid=peer.uid, gid=peer.gid, pid=peer.pid, count=more))

    # The methods

    def info(self, call: Call, asked: Nothing) -> dict[str, Any]:
        return {
            "vendor": "pvdcore",
            "product": "pvdd",
            "version": self.version,
            "url": URL,
            "interfaces": list(TEXTS),
        }

    def description(self, call: Call, asked: OfInterface) -> dict[str, Any]:
        if asked.interface not in TEXTS:
            raise Refusal(f"{SERVICE}.InterfaceNotFound", interface=asked.interface)
        return {"description": TEXTS[asked.interface]}

    def status(self, call: Call, asked: PerhapsPvd) -> Status:
        state = self.driver.state
        if asked.pvd is None:
            pvds = _living(state)
        else:
            pvds = [_pvd_status(state, self._pvd(asked.pvd))]
        engine = self.driver.engine
        session = Session(
            self.version,
            os.getpid(),
            self._started,
            self.driver.now(),
            self._journal,
            engine.journal.last_seq(),
            engine.journal.head(),
            sum(link.gone_at is None for link in state.links.values()),
            len(self.subscribers),
            self.refused,
        )
        return Status(session, pvds)

    def reload_(self, call: Call, asked: Nothing) -> Awaitable[None]:
        if self.reload is None:
            raise Refusal("NotReloaded", problems=["pvdd was started without a configuration file; give it --config"])
        return self.reload()

    def up(self, call: Call, asked: SettingsOnLink) -> dict[str, Any]:
        state = self.driver.state
        if asked.settings not in state.settings:
            raise Refusal("NoSuchSettings", settings=asked.settings)
        link = state.links.get(asked.link)
        if link is None or link.gone_at is not None:
            raise Refusal("NoSuchLink", link=asked.link)
        id = connection_id(asked.settings, asked.link)
        known = state.connections.get(id)
        if known is None or known.phase not in OPEN:
            self.driver.submit(ConnectionOpened(id=id, settings=asked.settings, link=asked.link), source="operator")
        return {"connection": id}

    def down(self, call: Call, asked: OfSettings) -> dict[str, Any]:
        open_ = [
            id
            for id, one in sorted(self.driver.state.connections.items())
            if one.settings == asked.settings and one.phase in OPEN
        ]
        if not open_:
            raise Refusal("NotUp", settings=asked.settings)
        for id in open_:
            self.driver.submit(ConnectionClosed(id=id), source="operator")
        return {"connections": open_}

    def load(self, call: Call, asked: Text) -> dict[str, Any]:
        self._of_no_file(asked.settings)
        made = toml.parse(f"{GIVEN}:{asked.settings}", asked.text.encode(), GIVEN)
        if isinstance(made, SettingsRejected):
            raise Refusal("NotSettings", line=int(made.origin.rpartition(":")[2]), text=made.text)
        profile = msgspec.structs.replace(made, id=asked.settings)
        if self.driver.state.settings.get(profile.id) != profile:
            self.driver.submit(SettingsLoaded(settings=profile), source="operator")
        return {"notes": [{"code": one.code, "key": one.key, "where": one.where} for one in profile.notes]}

    def unload(self, call: Call, asked: OfSettings) -> dict[str, Any]:
        if asked.settings not in self.driver.state.settings:
            raise Refusal("NoSuchSettings", settings=asked.settings)
        self._of_no_file(asked.settings)
        self.driver.submit(SettingsRemoved(id=asked.settings), source="operator")
        return {}

    def _of_no_file(self, id: str) -> None:
        known = self.driver.state.settings.get(id)
        if known is not None and known.source != GIVEN:
            raise Refusal("OfAFile", settings=id, origin=known.origin)

    def checkpoint(self, call: Call, asked: Timeout) -> dict[str, Any]:
        id = f"checkpoint-{self.driver.journal.last_seq() + 1}"
        until = self.driver.now() + asked.timeout * SECOND if asked.timeout else NEVER
        self.driver.submit(CheckpointCreated(id=id, until=until), source="operator")
        return {"checkpoint": id}

    def rollback(self, call: Call, asked: Nothing) -> dict[str, Any]:
        events = rollback(self.driver.journal, self.driver.state)
        if not events:
            raise Refusal("NoCheckpoint")
        for event in events:
            self.driver.submit(event, source="operator")
        return {"records": len(events)}

    def commit(self, call: Call, asked: Nothing) -> dict[str, Any]:
        one = self.driver.state.intent.checkpoint
        if one is None:
            raise Refusal("NoCheckpoint")
        self.driver.submit(CheckpointCommitted(id=one.id), source="operator")
        return {}

    def vpn_up(self, call: Call, asked: OfTunnel) -> dict[str, Any]:
        unknown = sorted(set(asked.vpn) - {one for one in VpnConnected.__struct_fields__})
        if unknown:
            raise Refusal(f"{SERVICE}.InvalidParameter", parameter=unknown[0])
        try:
            said = checked(msgspec.convert({**asked.vpn, "type": VpnConnected.__struct_config__.tag}, VpnConnected))
        except (msgspec.ValidationError, ValueError, Unusable) as error:
            wrong = _parameter(str(error)) if isinstance(error, msgspec.ValidationError) else str(error)
            raise Refusal(f"{SERVICE}.InvalidParameter", parameter=wrong) from None
        known = self.driver.state.vpns.get(said.vpn)
        if known is None or known.said != said:
            self.driver.submit(said, source="vpn")
        return {"pvd": pvd_of(said.vpn)}

    def vpn_down(self, call: Call, asked: OfVpn) -> dict[str, Any]:
        known = self.driver.state.vpns.get(asked.vpn)
        if known is None:
            raise Refusal("NoSuchVpn", vpn=asked.vpn)
        if asked.device in (None, "", known.said.device):  # else the VPN has another by now, which stays
            self.driver.submit(
                VpnEnded(vpn=asked.vpn, device=asked.device or "", reason=asked.reason or ""), source="vpn"
            )
        return {}

    def pin(self, call: Call, asked: OfPvd) -> dict[str, Any]:
        if not self._pvd(asked.pvd).pinned:
            self.driver.submit(PvdPinned(pvd=asked.pvd), source="operator")
        return {}

    def unpin(self, call: Call, asked: OfPvd) -> dict[str, Any]:
        if self._pvd(asked.pvd).pinned:
            self.driver.submit(PvdUnpinned(pvd=asked.pvd), source="operator")
        return {}

    def subscribe(self, call: Call, asked: After) -> list[Notice]:
        """What a new subscriber is told first. It has to have what is not yet told to others, too: see `changed`."""
        if not call.more:
            raise Refusal(f"{SERVICE}.ExpectedMore")
        self.changed(self.driver.state)
        if asked.cursor is None:
            return [Notice(_spelled(self._cursor), snapshot=_living(self.driver.state))]
        seq, known = self._read_cursor(asked.cursor)
        notices = []
        cursor = (seq, 0)
        for change in self.driver.journal.history(since=seq):
            cursor = _behind(cursor, change)
            if cursor > (seq, known):
                notices.append(Notice(_spelled(cursor), change=change))
        return notices

    def _pvd(self, id: str) -> Pvd:
        found = self.driver.state.pvds.get(id)
        if found is None:
            raise Refusal("NoSuchPvd", pvd=id)
        return found

    def _read_cursor(self, text: str) -> tuple[int, int]:
        found = re.fullmatch(r"([0-9]{1,18}):([0-9]{1,9})", text)
        if found is None or (int(found[1]), int(found[2])) > self._cursor:
            raise Refusal("NoSuchCursor", cursor=text)
        return int(found[1]), int(found[2])


def _behind(cursor: tuple[int, int], change: Change) -> tuple[int, int]:
    """A cursor is a record's number, and how many lines of history of that number are known."""
    seq, known = cursor
    return (seq, known + 1) if change.seq == seq else (change.seq, 1)


def _spelled(cursor: tuple[int, int]) -> str:
    return f"{cursor[0]}:{cursor[1]}"


def _living(state: State) -> list[PvdStatus]:
    return [_pvd_status(state, pvd) for _, pvd in sorted(state.pvds.items()) if pvd.instances]


def _pvd_status(state: State, pvd: Pvd) -> PvdStatus:
    return PvdStatus(
        pvd.id,
        pvd.kind,
        pvd.source,
        pvd.phase,
        pvd.pinned,
        view.versions(state, pvd.id),
        pvd.first_seen,
        view.last_seen(state, pvd.id),
        properties(state, pvd.id),
        [PlaceRow(*cell, held.phase, held.version) for cell, held in pvd.instances],
    )


class Method(msgspec.Struct, frozen=True):
    """One method: the shape of its parameters, what answers it, and whether anybody may ask."""

    asks: type[msgspec.Struct]
    answer: Callable[..., Any]
    open: bool = False


METHODS: Final[dict[str, Method]] = {
    f"{SERVICE}.GetInfo": Method(Nothing, Control.info, open=True),
    f"{SERVICE}.GetInterfaceDescription": Method(OfInterface, Control.description, open=True),
    f"{INTERFACE}.GetStatus": Method(PerhapsPvd, Control.status),
    f"{INTERFACE}.Subscribe": Method(After, Control.subscribe),
    f"{INTERFACE}.Reload": Method(Nothing, Control.reload_),
    f"{INTERFACE}.Up": Method(SettingsOnLink, Control.up),
    f"{INTERFACE}.Down": Method(OfSettings, Control.down),
    f"{INTERFACE}.Load": Method(Text, Control.load),
    f"{INTERFACE}.Unload": Method(OfSettings, Control.unload),
    f"{INTERFACE}.VpnUp": Method(OfTunnel, Control.vpn_up),
    f"{INTERFACE}.VpnDown": Method(OfVpn, Control.vpn_down),
    f"{INTERFACE}.Checkpoint": Method(Timeout, Control.checkpoint),
    f"{INTERFACE}.Rollback": Method(Nothing, Control.rollback),
    f"{INTERFACE}.Commit": Method(Nothing, Control.commit),
    f"{INTERFACE}.Pin": Method(OfPvd, Control.pin),
    f"{INTERFACE}.Unpin": Method(OfPvd, Control.unpin),
}
TEXTS: Final = {SERVICE: SERVICE_TEXT, INTERFACE: CONTROL_TEXT}


class Connection(asyncio.Protocol):
    """One client: octets in, calls, replies out, in order."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._peer = Peer(0, 65534, 65534)
        self._busy: asyncio.Task[None] | None = None
        self._cursor = ""

    # Octets

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=BACKLOG_OCTETS_MAX)
        self._peer = peer_of(transport.get_extra_info("socket"))
        if len(self._control.connections) >= CONNECTIONS_MAX and self._peer.uid != 0:
            transport.abort()
            return
        self._control.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._control.connections.discard(self)
        self._control.subscribers.pop(self, None)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        if self in self._control.subscribers or self._transport is None or self._transport.is_closing():
            return  # a subscription takes the whole connection
        self._buffer += data
        self._serve()

    def _serve(self) -> None:
        while self._busy is None and self not in self._control.subscribers:
            end = self._buffer.find(0)
            if end < 0 or end > MESSAGE_OCTETS_MAX:
                if len(self._buffer) > MESSAGE_OCTETS_MAX:
                    self._error(Refusal(f"{SERVICE}.InvalidParameter", parameter="message"))
                    self.close()
                return
            message = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            if not self._message(message):
                return
        if len(self._buffer) > 2 * MESSAGE_OCTETS_MAX:  # it goes on asking while an answer takes its time
            self.close()

    # Calls

    def _message(self, message: bytes) -> bool:
        """Answer one message; False if the connection ends by it."""
        try:
            call = _calls.decode(message)
        except (msgspec.MsgspecError, ValueError, RecursionError):  # no call at all: nothing that could be answered
            self.close()
            return False
        try:
            answer = self._answer(call)
        except Refusal as refusal:
            if not call.oneway:
                self._error(refusal)
            return True
        if isinstance(answer, list):
            self._begin(answer)
        elif isinstance(answer, Awaitable):
            self._busy = asyncio.ensure_future(self._wait(call, answer))
        elif not call.oneway:
            self._reply(answer)
        return True

    def _answer(self, call: Call) -> Any:
        method = METHODS.get(call.method)
        if method is None:
            interface = call.method.rpartition(".")[0]
            if interface in TEXTS:
                raise Refusal(f"{SERVICE}.MethodNotFound", method=call.method)
            raise Refusal(f"{SERVICE}.InterfaceNotFound", interface=interface)
        if not method.open and not self._control.permitted(self._peer):
            self._control.refuse(self._peer, call.method)
            raise Refusal(f"{SERVICE}.PermissionDenied")
        try:
            asked = msgspec.json.decode(call.parameters, type=method.asks)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Refusal(f"{SERVICE}.InvalidParameter", parameter=_parameter(str(error))) from None
        return method.answer(self._control, call, asked)

    async def _wait(self, call: Call, answer: Awaitable[Any]) -> None:
        from adapters.running.config import ConfigError

        try:
            await answer
            if not call.oneway:
                self._reply({})
        except ConfigError as error:
            self._error(Refusal("NotReloaded", problems=error.problems))
        finally:
            self._busy = None
            if self._transport is not None and not self._transport.is_closing():
                self._serve()

    # Replies

    def _begin(self, notices: list[Notice]) -> None:
        self._buffer.clear()
        self._control.subscribers[self] = None
        for notice in notices:
            self.tell(_encoder.encode(notice), notice.cursor)

    def tell(self, notice: bytes, cursor: str) -> None:
        """Send one reply of a subscription, unless too many are unread: then say so, and end it."""
        if self._transport is None or self not in self._control.subscribers:
            return
        if self._transport.get_write_buffer_size() > BACKLOG_OCTETS_MAX:
            del self._control.subscribers[self]
            self._error(Refusal("Lagging", cursor=self._cursor))
            self.close()
            return
        self._cursor = cursor
        self._transport.write(b'{"parameters":' + notice + b',"continues":true}\0')

    def _reply(self, answer: Any) -> None:
        if self._transport is not None:
            self._transport.write(b'{"parameters":' + _encoder.encode(answer) + b"}\0")
            if self._transport.get_write_buffer_size() > BACKLOG_OCTETS_MAX:
                self._transport.abort()  # it asks and asks, and reads nothing

    def _error(self, refusal: Refusal) -> None:
        if self._transport is not None:
            said = {"error": refusal.name, "parameters": refusal.parameters}
            self._transport.write(_encoder.encode(said) + b"\0")

    def close(self) -> None:
        """End the connection; what is unread may be read for a moment."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.close()
            asyncio.get_running_loop().call_later(LINGER_S, transport.abort)


def _parameter(text: str) -> str:
    """The parameter that msgspec complains of."""
    found = re.search(r"field `(\w+)`", text) or re.search(r"\$\.(\w+)", text)
    return found[1] if found else "parameters"


def peer_of(sock: socket.socket) -> Peer:
    """Who is at the other end of a unix socket, as it was when it connected."""
    pid, uid, gid = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    gids: frozenset[int] = frozenset()
    with suppress(OSError):  # a kernel before 4.13, or more groups than that: then the first one decides
        octets = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 1024)  # Python reads no more: 256 groups
        gids = frozenset(gid for (gid,) in struct.iter_unpack("I", octets))
    return Peer(pid, uid, gid, gids)


def _unlink_stale(path: str) -> None:
    """Remove a socket on which nobody listens any more. Raises OSError if somebody does, or if it is no socket."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(17, "is there and is no socket; name another with --control", path)
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise FileExistsError(17, "another pvdd listens there; stop it, or name another with --control", path)
