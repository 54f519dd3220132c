"""Networks to test in: hosts that are namespaces, links between them, programs and frames inside.

Law: everything hangs on processes of this test. A host is a network and a mount namespace held by a `cat` whose
standard input is ours, so whatever becomes of the test, nothing is left behind; and its /run/netns, /etc/netns and
/run/pvd are its own, so any number of tests run beside each other. Nothing here sleeps for a fact: it waits for a
record, a line or an answer, and a wait that fails says what was there instead.

The kernel of the machine may lack dummy, VLAN, VRF, ipvlan, WireGuard, sit and netem: what is here uses veth, bridge,
macvlan and tun.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from adapters.running.client import Client, NotRunning
from adapters.sqlite import JournalError, SqliteJournal
from events.codec import AnyEvent, encode
from events.record import Record
from events.session import SessionStarted
from pvdcore.past import audit
from pvdcore.state import State
from tests.wire.packets import ethernet, header, ipv6, sealed

ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 60.0  # a machine of two cores may be busy with others; nothing that works takes a tenth of it
POLL_S: Final = 0.01
TAIL: Final = 25  # records shown when a wait fails

_libc = ctypes.CDLL(None, use_errno=True)
# Of each host, and empty at first.
_OWN: Final = (  # of each host, and empty at first
    "/run/netns /etc/netns /run/pvd /etc/pvd /run/nscd /var/lib/dhcpcd /run/dhcpcd"
    " /etc/NetworkManager/system-connections /run/NetworkManager /run/systemd/netif"
)
_PRIVATE: Final = (
    f"mkdir -p {_OWN} && for at in {_OWN}; do mount -t tmpfs none $at || exit; done;"
    " mount -t sysfs none /sys && echo ready && exec cat"
)

PVDCTL: Final = (sys.executable, "-P", "-c", "import sys; from replay.cli import main; sys.exit(main())")

Answer = TypeVar("Answer")


def ours(journal: Path | None = None) -> dict[str, str]:
    """The environment of a program of ours; `journal` is the running system's then."""
    told = {"PVD_JOURNAL": str(journal)} if journal is not None else {}
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **told}


class TooLong(AssertionError):
    """What was waited for did not come."""


def until(ask: Callable[[], Answer | None], said: Callable[[], str], patience_s: float = PATIENCE_S) -> Answer:
    """The first answer of `ask` that is true. Raises TooLong with what `said` says."""
    end = time.monotonic() + patience_s
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TooLong(said())
        time.sleep(POLL_S)


class Host:
    """A machine of the lab: a network namespace and a mount namespace."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", _PRIVATE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n", f"{name}: no namespace to be had"
        self.pid: Final = self._holder.pid
        self.ip("link", "set", "lo", "up")
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)  # link-local addresses are there at once
        self.sysctl("net.ipv6.conf.default.router_solicitations", 0)  # nobody speaks who was not asked to

    def close(self) -> None:
        assert self._holder.stdin is not None
        self._holder.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._holder.wait(10)
        self._holder.kill()
        self._holder.wait()

    def command(self, *words: str) -> list[str]:
        """A command line that runs inside."""
        return ["nsenter", "-t", str(self.pid), "-n", "-m", "--", *words]

    def run(self, *words: str, check: bool = True, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run to the end. A failure is an AssertionError with what was said."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=PATIENCE_S, **more)
        assert not check or done.returncode == 0, f"{self.name}: {' '.join(words)}: {done.stdout}{done.stderr}"
        return done

    def ip(self, *words: str) -> str:
        """`ip WORDS` inside."""
        return self.run("ip", *words).stdout

    def sysctl(self, name: str, value: object) -> None:
        self.run("sh", "-c", f"echo {value} > /proc/sys/{name.replace('.', '/')}")

    def start(self, *words: str, **more: Any) -> Program:
        """Start a program that ends with the lab."""
        return self.lab.keep(Program(self, words, **more))

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of this namespace in our process. Only a thread of its own ever enters."""
        made: list[socket.socket | OSError] = []

        def enter() -> None:
            try:
                handle = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    if _libc.setns(handle, 0x40000000):
                        raise OSError(ctypes.get_errno(), "setns")
                    made.append(socket.socket(family, kind, protocol))
                finally:
                    os.close(handle)
            except OSError as error:
                made.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if isinstance(made[0], OSError):
            raise made[0]
        self.lab.keep(made[0])
        return made[0]

    def wire(self, link: str) -> Wire:
        """An end of a link to put frames on and take them off."""
        return Wire(self, link)

    def mac(self, link: str) -> str:
        return self.run("cat", f"/sys/class/net/{link}/address").stdout.strip()

    def radvd(self, config: str) -> Program:
        """radvd with this configuration."""
        self.sysctl("net.ipv6.conf.all.forwarding", 1)
        path = self.lab.file(f"radvd-{self.name}.conf", config)
        path.chmod(0o644)
        pid = self.lab.folder / f"radvd-{self.name}.pid"
        return self.start("radvd", "-n", "-m", "stderr", "-d", "1", "-C", str(path), "-p", str(pid))

    def dnsmasq(self, *options: str) -> Program:
        """dnsmasq with these options and nothing from the machine; DNS off unless `--port` says so."""
        lease = self.lab.folder / f"dnsmasq-{self.name}.leases"
        port = () if any(one.startswith("--port") for one in options) else ("--port=0",)
        fixed = ("--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-", "--user=root", "--no-ping")
        return self.start("dnsmasq", *fixed, f"--dhcp-leasefile={lease}", *port, *options)

    def pvdctl(
        self, *words: str, journal: Path | None = None, check: bool = True, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """`pvdctl WORDS` inside, to the end."""
        return self.run(*PVDCTL, *words, check=check, env=ours(journal), **more)

    def tcpdump(self, link: str, *words: str) -> tuple[Program, Path]:
        """tcpdump on a link into a file, listening when this returns."""
        path = self.lab.folder / f"{self.name}-{link.replace('/', '-')}-{self.lab.number()}.pcap"
        fixed = (
            "-i",
            link,
            "-n",
            "-U",
            "--immediate-mode",
            "-B",
            "65536",
            "--time-stamp-precision=nano",
            "-Z",
            "root",
            "-w",
            str(path),
        )
        program = self.start("tcpdump", *fixed, *words)
        program.says("listening on")
        return program, path


class Wire:
    """One end of a link: frames as octets."""

    def __init__(self, host: Host, link: str) -> None:
        self.host = host
        self.link = link
        self.socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.socket.bind((link, 0))

    def send(self, *frames: bytes) -> None:
        """Put whole Ethernet frames on the wire."""
        for frame in frames:
            self.socket.send(frame)

    def advertise(self, *options: bytes, source: str = "fe80::1", mac: str = "02:00:00:00:01:01", **said: int) -> bytes:
        """Send an RA; options and header fields as in tests/wire/packets.py. Returns the frame."""
        frame = advertisement(*options, source=source, mac=mac, **said)
        self.send(frame)
        return frame


def advertisement(
    *options: bytes, source: str = "fe80::1", mac: str = "02:00:00:00:01:01", tags: tuple[int, ...] = (), **said: int
) -> bytes:
    """An RA to all nodes as an Ethernet frame. tags: VLAN ids from the outside in."""
    message = header(**said) + b"".join(options)
    packet = ipv6(sealed(message, source, "ff02::1"), source, "ff02::1")
    return ethernet(packet, tags=tuple((0x8100, tag) for tag in tags), mac=mac)


class Program:
    """A program inside a host; its output is in a file, and shown when a wait for it fails."""

    def __init__(self, host: Host, words: tuple[str, ...], *, env: dict[str, str] | None = None) -> None:
        self.words = words
        self.output = host.lab.folder / f"{host.name}-{Path(words[0]).name}-{host.lab.number()}.out"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                host.command(*words),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The program's own: nsenter becomes it."""
        return self.process.pid

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def says(self, text: str) -> str:
        """Wait for a text in its output; returns all of it."""

        def ask() -> str | None:
            said = self.said()
            if text not in said and self.process.poll() is not None:
                raise TooLong(f"{' '.join(self.words)} ended ({self.process.returncode}) without {text!r}:\n{said}")
            return said if text in said else None

        return until(ask, lambda: f"{' '.join(self.words)} did not say {text!r}, but:\n{self.said()}")

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def ends(self, patience_s: float = PATIENCE_S) -> int:
        """Wait until it has ended; its exit code."""
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise TooLong(f"{' '.join(self.words)} goes on:\n{self.said()}") from None

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end and wait; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ends()

    def close(self) -> None:
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Daemon(Program):
    """A pvdd inside a host, and its journal."""

    def __init__(self, host: Host, journal: Path, options: tuple[str, ...], env: dict[str, str] | None = None) -> None:
        self.journal = journal
        self.host = host
        self.before = _last(journal)
        super().__init__(host, self.line(journal, options), env={**ours(), **(env or {})})

    def line(self, journal: Path, options: tuple[str, ...]) -> tuple[str, ...]:
        return (sys.executable, "-P", "-m", "adapters.daemon", "--journal", str(journal), *options)

    def ctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`pvdctl WORDS` on its host, asking its journal."""
        return self.host.pvdctl(*words, journal=self.journal, check=check)

    def inside(self, pvd: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`pvdctl exec PVD -- WORDS`."""
        return self.ctl("exec", pvd, "--", *words, check=check)

    def subscribers(self) -> int:
        """How many are told of changes now; none before its socket is there."""
        try:
            with Client(f"/proc/{self.pid}/root/run/pvd/control", timeout_s=PATIENCE_S) as client:
                found = client.call("internal.pvd.Control.GetStatus")["session"]["subscribers"]
        except NotRunning:
            return 0
        assert isinstance(found, int)
        return found

    def place(self, pvd: str, link: str = "") -> str:
        """The namespace of a PvD (on a link), once it is placed."""

        def ask(state: State) -> str | None:
            found = state.pvds.get(pvd)
            for (on, _, _), instance in found.instances if found is not None else ():
                if instance.phase == "placed" and instance.placement is not None and link in ("", on):
                    return instance.placement.name
            return None

        return self.wait_state(ask)

    def ready(self) -> Self:
        """Wait until it hears: its SessionStarted is written when its sockets are open."""
        self.wait(SessionStarted, since=self.before)
        return self

    def records(self, since: int = 0) -> list[Record]:
        """The records after number `since` that are durable now."""
        try:
            journal = SqliteJournal(self.journal, readonly=True)
        except JournalError:
            return []  # not made yet
        try:
            return list(journal.records(since + 1))
        finally:
            journal.close()

    def wait(
        self,
        wanted: type | Callable[[AnyEvent], object],
        *,
        count: int = 1,
        since: int = 0,
        patience_s: float = PATIENCE_S,
    ) -> Record:
        """The `count`th record after number `since` whose event is of a type, or lets a predicate be true."""
        found: list[Record] = []
        seen = since

        def ask() -> Record | None:
            nonlocal seen
            for record in self.records(seen):
                seen = record.seq
                event = record.event
                if isinstance(event, wanted) if isinstance(wanted, type) else wanted(event):
                    found.append(record)
            if len(found) < count and self.process.poll() is not None:
                raise TooLong(f"pvdd ended ({self.process.returncode}):\n{self.said()}\n{self.tail()}")
            return found[count - 1] if len(found) >= count else None

        return until(
            ask, lambda: f"{len(found)} of {count} came; the journal ends:\n{self.tail()}\n{self.said()}", patience_s
        )

    def state(self) -> State:
        """The State of its journal as of the last record."""
        journal = SqliteJournal(self.journal, readonly=True)
        try:
            return audit.state_at(journal)
        finally:
            journal.close()

    def wait_state(self, wanted: Callable[[State], Answer | None], patience_s: float = PATIENCE_S) -> Answer:
        """Wait until the State of the journal lets `wanted` be true; its answer."""

        def ask() -> Answer | None:
            try:
                return wanted(self.state())
            except JournalError:
                return None

        return until(ask, lambda: f"the State never came; the journal ends:\n{self.tail()}\n{self.said()}", patience_s)

    def tail(self) -> str:
        """The last records, for people."""
        return "\n".join(f"{one.seq:6} {one.at} {encode(one.event).decode()[:300]}" for one in self.records()[-TAIL:])

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


def _last(path: Path) -> int:
    try:
        journal = SqliteJournal(path, readonly=True)
    except JournalError:
        return 0
    try:
        return journal.last_seq()
    finally:
        journal.close()


class Lab:
    """Hosts and links; closes all it made, newest first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: list[Any] = []
        self._daemons: list[Daemon] = []
        self._numbers: Iterator[int] = iter(range(1 << 30))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        while self._kept:
            self._kept.pop().close()

    def journals(self) -> list[Path]:
        """The journals that were kept here, once nobody writes to them any more: whoever does is killed."""
        for daemon in self._daemons:
            daemon.close()
        return sorted({one.journal for one in self._daemons if _last(one.journal)})

    def keep(self, thing: Answer) -> Answer:
        """Close it with the lab."""
        self._kept.append(thing)
        return thing

    def number(self) -> int:
        return next(self._numbers)

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def disk(self, size: str) -> Path:
        """A small disk (a tmpfs) in the lab's folder; made before the hosts that are to see it."""
        path = self.folder / f"disk-{self.number()}"
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)], check=True)
        self.keep(Mounted(path))
        return path

    def host(self, name: str) -> Host:
        return self.keep(Host(self, name))

    def veth(self, a: Host, link_a: str, b: Host, link_b: str, *, up: bool = True) -> None:
        """A cable between two hosts (or within one)."""
        a.ip("link", "add", link_a, "type", "veth", "peer", "name", link_b, "netns", str(b.pid))
        if up:
            a.ip("link", "set", link_a, "up")
            b.ip("link", "set", link_b, "up")

    def bridge(self, host: Host, name: str, *ports: str) -> None:
        """A bridge with ports, up; its snooping and its delays are off."""
        host.ip("link", "add", name, "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
        for port in ports:
            host.ip("link", "set", port, "master", name, "up")
        host.ip("link", "set", name, "up")

    def macvlan(self, host: Host, parent: str, name: str, mode: str = "bridge") -> None:
        host.ip("link", "add", "link", parent, "name", name, "type", "macvlan", "mode", mode)
        host.ip("link", "set", name, "up")

    def tun(self, host: Host, name: str) -> Tun:
        """A tap device: frames go in and out through a file."""
        return self.keep(Tun(host, name))

    def pvdd(
        self,
        host: Host,
        *options: str,
        journal: Path | None = None,
        ready: bool = True,
        env: dict[str, str] | None = None,
    ) -> Daemon:
        """pvdd in a host, by default with a journal of the host's name; hearing when this returns."""
        daemon = self.keep(Daemon(host, journal or self.folder / f"{host.name}.db", options, env))
        self._daemons.append(daemon)
        return daemon.ready() if ready else daemon


class Mounted:
    """Something mounted that is to be unmounted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=True)


class Tun:
    """A tap device of a host, held by us."""

    def __init__(self, host: Host, name: str) -> None:
        host.ip("tuntap", "add", "dev", name, "mode", "tap")
        self.name = name
        self.host = host
        self.file = -1
        made: list[int] = []

        def enter() -> None:
            handle = os.open(f"/proc/{host.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            _libc.setns(handle, 0x40000000)
            os.close(handle)
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            import fcntl

            fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1002))  # TUNSETIFF, TAP | NO_PI
            made.append(device)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        self.file = made[0]
        host.ip("link", "set", name, "up")

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            os.write(self.file, frame)

    def close(self) -> None:
        if self.file >= 0:
            os.close(self.file)
            self.file = -1
