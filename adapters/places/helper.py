"""The one privileged process beside the daemon: it enters namespaces, mounts and writes; the daemon only asks.

Law: requests are answered in their order, each with one answer; what happens unasked is a notice. The asking process
never waits: an answer is a callback in its event loop. This process dies with the one that started it, and holds no
state that the kernel does not hold better: when it is started anew, everything is looked at again.

    request, answer, notice: a length (u32, host order), then MessagePack of the structs below
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Set
from functools import partial
from typing import Final

import msgspec

from adapters.places.dhcpcd import Client, Clients
from adapters.places.ears import Ears
from adapters.places.netns import NETNS, PREFIX, Netns, Room
from adapters.places.steering import Steering
from events.ops import AddressAdd, AddressDelete, ClientEnd, ClientRun, NetnsDelete, Op, Outcome, User
from pvdcore.projections.plan import FOUNDATIONS, Look


class Ask(msgspec.Struct, frozen=True, tag_field="type"):
    """A request; its answer carries the same number."""

    number: int


class ListPlaces(Ask, frozen=True, tag="list"):
    """Look at every namespace that carries our mark, and at what is ours in the first one."""


class LookAt(Ask, frozen=True, tag="look"):
    """Look at one; of the first one (netns ""), at these tables, and at all addresses of ours."""

    netns: str
    tables: tuple[int, ...] = ()


class Apply(Ask, frozen=True, tag="apply"):
    """Do the operations of one place in their order, then look. What failed and carries the rest ends it."""

    netns: str
    ops: tuple[Op, ...]
    tables: tuple[int, ...] = ()


class Answer(msgspec.Struct, frozen=True, tag_field="type", tag="answer"):
    """looks: by name; one that is not in it is not there, or not ours. users: why it was not deleted."""

    number: int
    looks: dict[str, Look] = {}
    outcomes: tuple[Outcome, ...] = ()
    users: tuple[User, ...] = ()
    error: str = ""


class Rang(msgspec.Struct, frozen=True, tag_field="type", tag="rang"):
    """Something changed in a place, by whomever; addresses that failed their detection (RFC 4862 §5.4.5).

    Of the first namespace (netns ""): in which tables, and which addresses of ours; any: it may be all.
    """

    netns: str
    dad_failed: tuple[str, ...] = ()
    tables: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()
    any: bool = False


class ClientEnded(msgspec.Struct, frozen=True, tag_field="type", tag="client-ended"):
    """A DHCP client ended by itself. run: what it was told; error: how it ended."""

    netns: str
    run: ClientRun
    error: str


class UsersLeft(msgspec.Struct, frozen=True, tag_field="type", tag="users-left"):
    """One of those who kept a place has ended."""

    netns: str


Request = ListPlaces | LookAt | Apply
Notice = Rang | UsersLeft | ClientEnded
Said = Answer | Notice

MESSAGE_MAX: Final = 64 << 20  # a thousand places with five hundred routes each take less
RESTART_FIRST_S: Final = 0.1
RESTART_MAX_S: Final = 30.0
_LENGTH: Final = struct.Struct("=I")
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_IN_CHANGED: Final = 0x8 | 0x40 | 0x80 | 0x100 | 0x200  # CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE
_libc: Final = ctypes.CDLL(None, use_errno=True)


def frame(body: bytes) -> bytes:
    """A message with its length."""
    return _LENGTH.pack(len(body)) + body


class Inbox:
    """Messages out of a stream."""

    def __init__(self) -> None:
        self._data = bytearray()

    def take(self, data: bytes) -> list[bytes]:
        """Those that are whole now. Raises ValueError if the stream is none of ours."""
        self._data += data
        found = []
        while len(self._data) >= 4:
            length = _LENGTH.unpack_from(self._data)[0]
            if length > MESSAGE_MAX:
                raise ValueError(f"a message of {length} octets")
            if len(self._data) < 4 + length:
                break
            found.append(bytes(self._data[4 : 4 + length]))
            del self._data[: 4 + length]
        return found


# --- The daemon's side --------------------------------------------------------------------------------------


class Helper:
    """The privileged process as the daemon sees it: asked without waiting, started again when it ends.

    on_notice: told of what nobody asked for. on_start: told each time that it runs (again) and knows nothing.
    """

    def __init__(self, *, command: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> None:
        self._command = command or (sys.executable, "-P", "-m", "adapters.places.helper")
        self._environment = environment
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._inbox = Inbox()
        self._out: deque[bytes] = deque()
        self._waiting: dict[int, Callable[[Answer], None]] = {}
        self._number = 0
        self._delay_s = RESTART_FIRST_S
        self._decoder: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)
        self._encoder = msgspec.msgpack.Encoder()
        self.on_notice: Callable[[Notice], None] = lambda said: None
        self.on_start: Callable[[], None] = lambda: None
        self.starts = 0

    @property
    def pid(self) -> int:
        """Of the process; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start it. Raises OSError."""
        self._loop = loop
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        path = os.pathsep.join(one for one in sys.path if one)  # a checkout's is not in a fresh interpreter's
        environment = {**os.environ, "PYTHONPATH": path, **(self._environment or {})}
        with theirs:
            self._process = subprocess.Popen(
                [*self._command, str(theirs.fileno()), str(os.getpid())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        ours.setblocking(False)
        self._socket = ours
        self._inbox = Inbox()
        self.starts += 1
        loop.add_reader(ours.fileno(), self._readable)
        self.on_start()

    def stop(self) -> None:
        """End it. What it was asked and has not answered may or may not have been done."""
        self._loop = None
        self._close()

    def list_places(self, done: Callable[[Answer], None]) -> None:
        """All that is ours, looked at."""
        self._ask(lambda number: ListPlaces(number), done)

    def look(self, netns: str, tables: tuple[int, ...], done: Callable[[Answer], None]) -> None:
        """One place, looked at. tables: of the first namespace, those that it is."""
        self._ask(lambda number: LookAt(number, netns, tables), done)

    def apply(self, netns: str, tables: tuple[int, ...], ops: tuple[Op, ...], done: Callable[[Answer], None]) -> None:
        """Do something in one place, and look at it."""
        self._ask(lambda number: Apply(number, netns, ops, tables), done)

    def _ask(self, made: Callable[[int], Request], done: Callable[[Answer], None]) -> None:
        self._number += 1
        if self._socket is None:
            done(Answer(self._number, error="the helper is being started again"))
            return
        self._waiting[self._number] = done
        self._out.append(frame(self._encoder.encode(made(self._number))))
        self._flush()

    def _flush(self) -> None:
        assert self._loop is not None and self._socket is not None
        while self._out:
            try:
                sent = self._socket.send(self._out[0])
            except BlockingIOError:
                self._loop.add_writer(self._socket.fileno(), self._flush)
                return
            except OSError:
                return  # the reader hears of it
            if sent < len(self._out[0]):
                self._out[0] = self._out[0][sent:]
            else:
                self._out.popleft()
        self._loop.remove_writer(self._socket.fileno())

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended()
            return
        self._delay_s = RESTART_FIRST_S
        for body in self._inbox.take(data):
            said = self._decoder.decode(body)
            if isinstance(said, Answer):
                self._waiting.pop(said.number)(said)
            else:
                self.on_notice(said)

    def _ended(self) -> None:
        """It crashed: whoever waits is told, and it is started again, later each time."""
        loop = self._loop
        self._close()
        if loop is not None:
            loop.call_later(self._delay_s, self._again, loop)
            self._delay_s = min(RESTART_MAX_S, self._delay_s * 2)
        waiting, self._waiting = self._waiting, {}
        for number, done in waiting.items():
            done(Answer(number, error="the helper ended"))

    def _again(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is loop and self._socket is None:
            self.start(loop)

    def _close(self) -> None:
        if self._socket is not None:
            loop = self._loop or asyncio.get_event_loop_policy().get_event_loop()
            loop.remove_reader(self._socket.fileno())
            loop.remove_writer(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._out.clear()
        if self._process is not None:
            self._process.kill()  # it holds nothing that a clean end would save
            self._process.wait()
            self._process = None


# --- The privileged side ------------------------------------------------------------------------------------


class Watch:
    """inotify: names that come and go in a folder, and files in it that are written (inotify(7))."""

    def __init__(self) -> None:
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        self._names: dict[int, str] = {}

    def fileno(self) -> int:
        """For poll."""
        return int(self._fd)

    def add(self, folder: str, name: str = "") -> None:
        """Watch a folder. What happens there is said under `name`, "" for that of the entry itself."""
        found = _libc.inotify_add_watch(self._fd, os.fsencode(folder), _IN_CHANGED)
        if found >= 0:
            self._names[found] = name

    def read(self) -> set[str]:
        """The names of which something was heard."""
        heard: set[str] = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                data = os.read(self._fd, 1 << 16)
                at = 0
                while at + 16 <= len(data):
                    watch, _, _, length = struct.unpack_from("=iIII", data, at)
                    entry = data[at + 16 : at + 16 + length].split(b"\0", 1)[0].decode(errors="replace")
                    if watch in self._names and not entry.startswith("."):
                        heard.add(self._names[watch] or entry)
                    at += 16 + length
        return heard


class Server:
    """Answers one socket, one request after the other."""

    def __init__(self, end: socket.socket, kernel: Netns, first: Steering) -> None:
        self._end = end
        self._over = False
        self._ears = Ears()
        self._ears.hear(end.fileno(), self._asked)
        self._kernel = kernel
        kernel.on_enter, kernel.on_leave = self._entered, self._left
        self._clients = Clients()
        self._clients.on_run, self._clients.on_end = self._runs, self._ends
        self._first = first
        self._listening = False
        self._inbox = Inbox()
        self._users: dict[str, list[int]] = {}  # those who keep a place, by their pidfds
        self._watch = Watch()
        self._ears.hear(self._watch.fileno(), self._files)
        self._watches = False
        self._decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
        self._encoder = msgspec.msgpack.Encoder()

    def serve(self) -> None:
        """Until the other side is gone."""
        self._watch_names()
        idle = False
        while not self._over:
            if self._ears.wait(None if idle else 0):
                idle = False
                continue
            with contextlib.suppress(OSError):  # nobody waits: the time to make ready what will be needed
                self._kernel.prepare_spares()
            idle = True

    def _asked(self) -> None:
        data = self._end.recv(1 << 18)
        self._over = not data
        for body in self._inbox.take(data):
            self._say(self._answer(self._decoder.decode(body)))

    def _say(self, said: Said) -> None:
        self._end.sendall(frame(self._encoder.encode(said)))

    def _answer(self, ask: Request) -> Answer:
        try:
            if isinstance(ask, ListPlaces):
                self._kernel.remove_leftovers()
                looks = {name: self._look(name) for name in self._kernel.names()}
                looks[""] = self._first.look()
                if looks[""] != Look():
                    self._listen()
                    looks[""] = self._first.look()
                return Answer(ask.number, {name: look for name, look in looks.items() if look is not None})
            if not ask.netns:
                self._listen()
            answer = self._apply(ask) if isinstance(ask, Apply) else self._looked(ask)
        except OSError as error:
            answer = Answer(ask.number, error=str(error))
        self._watch_names()
        return answer

    def _look(self, netns: str) -> Look | None:
        look = self._kernel.look(netns)
        return msgspec.structs.replace(look, client=self._clients.told(netns)) if look is not None else None

    def _do(self, op: Op) -> Outcome:
        """One operation: the clients' are done here, the others by the kernel."""
        if not op.netns:
            return self._first.apply(op)
        try:
            if isinstance(op, ClientRun):
                return Outcome(op, self._clients.run(op) if self._kernel.room(op.netns) else "ENOENT")
            if isinstance(op, ClientEnd):
                self._clients.end(op.netns)
                return Outcome(op)
        except OSError as error:
            return Outcome(op, str(error))
        return self._kernel.apply(op)

    def _looked(self, ask: LookAt | Apply, outcomes: tuple[Outcome, ...] = ()) -> Answer:
        look = self._look(ask.netns) if ask.netns else self._first.look(ask.tables)
        return Answer(ask.number, {ask.netns: look} if look is not None else {}, outcomes)

    def _apply(self, ask: Apply) -> Answer:
        outcomes: list[Outcome] = []
        for op in ask.ops:
            self._fault()
            if isinstance(op, NetnsDelete):
                self._clients.forget(op.netns)
            if isinstance(op, NetnsDelete) and not op.force:
                inside = self._kernel.users(op.netns)
                if inside:
                    self._wait_for(op.netns, inside)
                    return msgspec.structs.replace(self._looked(ask, tuple(outcomes)), users=inside)
            outcomes.append(self._do(op))
            if outcomes[-1].error and isinstance(op, FOUNDATIONS):
                break
        self._fault()
        # What we did ourselves has rung, too, and is no news to the look that follows.
        if not ask.netns:
            self._tell_first(ask.tables, {op.address for op in ask.ops if isinstance(op, (AddressAdd, AddressDelete))})
            return self._looked(ask, tuple(outcomes))
        room = self._kernel.rooms().get(ask.netns)
        if room is not None:
            failed = room.bell.read().failed
            if failed:
                self._say(Rang(ask.netns, tuple(failed)))
        self._watch_files(ask.netns)
        self._tell(self._watch.read() - {ask.netns})
        return self._looked(ask, tuple(outcomes))

    def _listen(self) -> None:
        if not self._listening:
            self._ears.hear(self._first.listen(), partial(self._tell_first, ()))
            self._listening = True

    def _tell_first(self, tables: tuple[int, ...], addresses: Set[str] = frozenset()) -> None:
        """What rang in the first namespace. tables, addresses: that we wrote ourselves, and that are looked at now."""
        heard = self._first.heard()
        others = tuple(sorted(heard.tables - {*tables}))
        theirs = tuple(sorted(heard.addresses - addresses))
        if heard.overrun or others or theirs or heard.failed:
            self._say(Rang("", tuple(heard.failed), others, theirs, heard.overrun))

    def _fault(self) -> None:
        """Where a crash is tested: at the operation of this number, counted from 1."""
        left = os.environ.get("PVD_KILL_AT")
        if left is not None:
            os.environ["PVD_KILL_AT"] = str(int(left) - 1)
            if int(left) == 1:
                os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)

    # What nobody asked for

    def _entered(self, name: str, room: Room) -> None:
        """Listen where we have rooms, and nowhere else."""
        self._ears.hear(room.bell.fileno(), partial(self._rung, name, room))

    def _left(self, room: Room) -> None:
        self._ears.leave(room.bell.fileno())

    def _watch_names(self) -> None:
        if not self._watches and NETNS.is_dir():
            self._watch.add(str(NETNS))
            self._watches = True

    def _runs(self, client: Client) -> None:
        """Listen to the clients that run, and to no other."""
        self._ears.hear(client.output, client.read)
        self._ears.hear(client.pidfd, partial(self._client_ended, client.run.netns))

    def _ends(self, client: Client) -> None:
        self._ears.leave(client.output)
        self._ears.leave(client.pidfd)

    def _client_ended(self, netns: str) -> None:
        run, error = self._clients.ended(netns)
        self._say(ClientEnded(netns, run, error))

    def _watch_files(self, netns: str) -> None:
        folder = f"/etc/netns/{netns}"
        if os.path.isdir(folder):
            self._watch.add(folder, netns)

    def _files(self) -> None:
        self._tell(self._watch.read())

    def _tell(self, names: set[str]) -> None:
        for name in sorted(names):
            if name.startswith(PREFIX):
                self._kernel.room(name)  # closed, if it stands for another one now
                self._say(Rang(name))

    def _rung(self, name: str, room: Room) -> None:
        heard = room.bell.read()
        if heard.rang:
            self._say(Rang(name, tuple(heard.failed)))

    def _wait_for(self, netns: str, inside: tuple[User, ...]) -> None:
        """Hear of the end of each (pidfd_open(2)), so that nobody has to ask again and again."""
        for fd in self._users.pop(netns, ()):
            self._forget(fd)
        found = self._users[netns] = []
        for one in inside:
            try:
                fd = os.pidfd_open(one.pid)
            except OSError:  # it has ended already
                self._say(UsersLeft(netns))
                continue
            found.append(fd)
            self._ears.hear(fd, partial(self._user_left, netns, fd))

    def _user_left(self, netns: str, fd: int) -> None:
        self._users[netns].remove(fd)
        self._forget(fd)
        self._say(UsersLeft(netns))

    def _forget(self, fd: int) -> None:
        self._ears.leave(fd)
        os.close(fd)


def main(argv: list[str]) -> int:
    """`python -m adapters.places.helper FD PARENT`: serve the socket FD until it is closed or the parent dies."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _libc.prctl(_PR_SET_NAME, b"pvdd-helper")
    if os.getppid() != int(argv[1]):  # it died before we could ask to be told
        return 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's ^C is the daemon's to handle
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # three descriptors a place
    with socket.socket(fileno=int(argv[0])) as end, contextlib.suppress(ConnectionError):
        Server(end, Netns(), Steering()).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
