"""dhcpcd, one a place: started in the place's namespace, told what to ask for, and ended whole.

Law: it holds the lease and nothing else. It configures nothing (`noconfigure`), runs no hook, and reads no file but
ours: what it gets is heard on the wire like everything else, so a journal says all of it, and addresses, routes and
resolvers are written by who writes those of Router Advertisements. It sends no Router Solicitation and reads no RA.

    helper ── setpriv ── nsenter ── unshare ── sh (first of its own process ids) ── dhcpcd, and what it forks
                 dies with the helper             dies with unshare, and all below with it

The process ids are its own, so that what it forks can never outlive it: killing the first kills all, at once and
without a word on the wire. So does a helper that dies; the next one starts another, which asks for the lease that it
finds in its folder (INIT-REBOOT). To go on with one that outlived us would be of no use: what it was told meanwhile
nobody heard.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from events.ops import ClientRun
from pvdcore.projections.places import place_mac

FOLDER: Final = Path("/run/pvd/dhcp")  # a place's name comes of its attachment: nothing here is of use after a boot
SEARCHED: Final = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin"
SAID_MAX: Final = 2000  # octets of its last words that are kept
ASKED: Final = (
    # What a lease should tell (leases/parameters.py). 108 is not asked for: whether a host does without IPv4 (RFC 8925)
    # is its profile's to say (ipv4.method).
    "domain_name_servers, domain_name, domain_search, classless_static_routes, static_routes, interface_mtu",
    "ntp_servers, pvd_portal, pvd_dnr",
    "dhcp6_name_servers, dhcp6_domain_search, dhcp6_sntp_servers, dhcp6_info_refresh_time, pvd6_portal, pvd6_dnr",
)

SCRIPT: Final = """\
mount --bind "$1" /var/lib/dhcpcd && mount -t tmpfs none /run && mkdir /run/dhcpcd || exit 125
dhcpcd --nobackground --quiet --config /var/lib/dhcpcd/dhcpcd.conf "$2"
exit $?
"""
"""Run as `sh -c SCRIPT sh FOLDER DEVICE` in a mount namespace of its own. Its /run is empty, so that it finds no socket
of a dhcpcd of the host's to hand its words to, and no system log."""


def config(run: ClientRun) -> str:
    """The configuration of one client."""
    lines = [
        "noconfigure",
        "script /bin/true",
        "nodev",
        "noipv4ll",
        "noipv6rs",
        "timeout 0",  # it asks until it is ended
        "clientid",  # the MAC, which is the place's alone
        "define 114 string pvd_portal",  # RFC 8910 §2.1
        "define 162 binhex pvd_dnr",  # RFC 9463 §5
        "define6 103 string pvd6_portal",
        "define6 144 binhex pvd6_dnr",
        *(f"option {one}" for one in ASKED),
    ]
    if not run.ipv4:
        lines.append("ipv6only")
    if not (run.ipv6 or run.prefix):
        lines.append("ipv4only")
    lines.append(f"interface {run.link}")
    if run.ipv6 == "information" and not run.prefix:
        lines.append("inform6")  # a Reply to Request or Renew has all that it would bring
    if run.ipv6 == "addresses":
        lines.append("ia_na 1")
    if run.prefix:
        hint = "" if run.prefix.endswith("/0") else f"/{run.prefix}"
        lines.append(f"ia_pd 2{hint} -")  # "-": to no link of this host's
    return "\n".join(lines) + "\n"


def duid(mac: str) -> str:
    """A DUID-LL of the place's own (RFC 8415 §11.4): two places of a link are two clients."""
    return f"00:03:00:01:{mac}"


class Client:
    """One that runs, or has ended. pidfd: readable when it has."""

    def __init__(self, run: ClientRun, process: subprocess.Popen[bytes]) -> None:
        self.run = run
        self.process = process
        self.pidfd = os.pidfd_open(process.pid)
        assert process.stdout is not None
        self.output = process.stdout.fileno()
        os.set_blocking(self.output, False)
        self.said = b""

    def read(self) -> None:
        """Keep the last of what it says, so that its pipe never fills."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.output, 1 << 16):
                self.said = (self.said + data)[-SAID_MAX:]

    def words(self) -> str:
        """How it ended, for people: its last line, and its exit code."""
        self.read()
        lines = [line.strip() for line in self.said.decode(errors="replace").splitlines() if line.strip()]
        code = self.process.wait()
        how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        return f"{how}: {lines[-1]}" if lines else how

    def end(self) -> None:
        """End it and all that it forked; none of them is there when this returns."""
        for pid in _children(self.process.pid):  # the first of its process ids: with it go all others
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not _children(self.process.pid):
            self.process.kill()
        self.process.wait()
        self.close()

    def close(self) -> None:
        """Let go."""
        os.close(self.pidfd)
        assert self.process.stdout is not None
        self.process.stdout.close()


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Clients:
    """The clients of this host's places, by namespace. Only the privileged process makes one.

    on_run, on_end: told of each that begins, and before its descriptors are closed.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self.on_run: Callable[[Client], None] = lambda client: None
        self.on_end: Callable[[Client], None] = lambda client: None
        self.running: dict[str, Client] = {}

    def told(self, netns: str) -> ClientRun | None:
        """What the client of a place was told; `None` if none runs."""
        known = self.running.get(netns)
        return known.run if known is not None else None

    def run(self, run: ClientRun) -> str:
        """Have one run as told. What is wrong, else ""."""
        if self.told(run.netns) == run:
            return ""
        self.end(run.netns)
        if shutil.which("dhcpcd", path=SEARCHED) is None:
            return "ENOENT: there is no dhcpcd; install it (Debian: dhcpcd-base)"
        folder = self._folder / run.netns
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "duid").write_text(duid(place_mac(run.netns)) + "\n")
        (folder / "dhcpcd.conf").write_text(config(run))
        command = [
            *("setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/run/netns/{run.netns}"),
            *("unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child"),
            *("sh", "-c", SCRIPT, "sh", str(folder), run.link),
        ]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": SEARCHED},
            cwd="/",
            start_new_session=True,
        )
        self.running[run.netns] = client = Client(run, process)
        self.on_run(client)
        return ""

    def end(self, netns: str) -> None:
        """End the client of a place, if there is one."""
        known = self.running.pop(netns, None)
        if known is not None:
            self.on_end(known)
            known.end()

    def forget(self, netns: str) -> None:
        """A place is no more: its client and what it kept go with it."""
        self.end(netns)
        shutil.rmtree(self._folder / netns, ignore_errors=True)

    def ended(self, netns: str) -> tuple[ClientRun, str]:
        """One has ended by itself: what it was told, and how it ended."""
        known = self.running.pop(netns)
        words = known.words()
        self.on_end(known)
        known.close()
        return known.run, words
