"""`pvdctl doctor`: what this host lacks for pvdd, and what to do about each.

Law: it only looks: nothing is made that is not taken away again, and what cannot be known without rights is said so.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from grp import getgrnam
from pathlib import Path
from typing import Final

import msgspec

from adapters.sqlite import JournalError, SqliteJournal
from pvdcore.past.audit import state_at
from pvdcore.state import State

GOOD, LACKING, UNKNOWN = "ok", "missing", "unknown"
THRESHOLD = Path("/proc/sys/net/ipv6/neigh/default/gc_thresh3")  # only the first namespace has it
THRESHOLD_DEFAULT: Final = 1024  # of a kernel that nobody told otherwise
NEIGHBORS_EACH: Final = 4  # groups that a place joins and says so to (MLD), and whom it asks besides routers
NEIGHBORS_OTHERS: Final = 256  # for all else on the machine
CAPABILITIES: Final = {12: "CAP_NET_ADMIN", 13: "CAP_NET_RAW", 21: "CAP_SYS_ADMIN"}  # capabilities(7)


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. needed_for: what does not work without it. advice: what to do, "" if it is good."""

    what: str
    state: str
    needed_for: str
    advice: str = ""


def examine(journal: str, control: str) -> list[Finding]:
    """All that can be looked at, in a fixed order."""
    return [check(journal, control) for check in CHECKS]


def _finding(what: str, good: bool | None, needed_for: str, advice: str) -> Finding:
    state = UNKNOWN if good is None else GOOD if good else LACKING
    return Finding(what, state, needed_for, "" if good else advice)


def _capabilities(journal: str, control: str) -> Finding:
    held = 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            held = int(line.split()[1], 16)
    lacking = [name for bit, name in CAPABILITIES.items() if not held >> bit & 1]
    return _finding(
        "capabilities",
        not lacking,
        "pvdd, exec, advertise",
        f"run as root, or as a service (lacks {', '.join(lacking)})",
    )


def _command(name: str, needed_for: str, package: str) -> Callable[[str, str], Finding]:
    def check(journal: str, control: str) -> Finding:
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        return _finding(name, shutil.which(name, path=path) is not None, needed_for, f"apt install {package}")

    return check


def _namespaces(journal: str, control: str) -> Finding:
    there = os.path.exists("/proc/self/ns/net")
    return _finding("network namespaces", there, "projection netns", "use a kernel with CONFIG_NET_NS")


def _unshare(journal: str, control: str) -> Finding:
    """Making one in a child, which takes it away when it ends."""
    if os.geteuid() != 0:
        return _finding("right to make namespaces", None, "projection netns", "ask again as root")
    child = os.fork()
    if child == 0:
        import ctypes

        os._exit(0 if ctypes.CDLL(None).unshare(0x40000000) == 0 else 1)
    _, status = os.waitpid(child, 0)
    return _finding(
        "right to make namespaces", status == 0, "projection netns", "give the container CAP_SYS_ADMIN, or leave it"
    )


def _macvlan(journal: str, control: str) -> Finding:
    """In a namespace of its own, so that nobody sees it: a macvlan on a veth."""
    if os.geteuid() != 0:
        return _finding("macvlan", None, "projection netns", "ask again as root")
    words = "ip link add v0 type veth peer name v1 && ip link add m0 link v0 type macvlan mode bridge"
    good = False
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(["unshare", "-n", "sh", "-c", words], capture_output=True, timeout=10)
        good = done.returncode == 0
    return _finding("macvlan", good, "projection netns", "modprobe macvlan, or use projection tables")


def _group(journal: str, control: str) -> Finding:
    try:
        gid = getgrnam("pvd").gr_gid
    except KeyError:
        return _finding("group pvd", False, "readers without root", "systemd-sysusers, or groupadd --system pvd")
    member = os.geteuid() == 0 or gid in os.getgroups() or gid == os.getegid()
    return _finding("group pvd", member, "readers without root", "usermod -aG pvd YOU, then log in again")


def _journal(journal: str, control: str) -> Finding:
    try:
        there = os.path.exists(journal)
        with open(journal, "rb"):
            good = True
    except PermissionError:
        return _finding("journal", False, "every answer about the system", f"{journal}: join the group pvd")
    except OSError:
        good = False
    advice = f"start pvdd ({journal} is not there)" if not there else f"{journal} cannot be opened"
    return _finding("journal", good, "every answer about the system", advice)


def _daemon(journal: str, control: str) -> Finding:
    from adapters.running.client import Client, NotRunning, Refused
    from adapters.running.control import SERVICE

    good = False
    with suppress(NotRunning, OSError, Refused), Client(control, timeout_s=5) as client:
        good = client.call(f"{SERVICE}.GetInfo").get("product") == "pvdd"
    return _finding("pvdd", good, "live answers", "systemctl start pvdd")


def _sysctl(journal: str, control: str) -> Finding:
    path = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
    good = path.exists() and path.read_text().strip() == "0"
    return _finding("IPv6", good, "all of RFC 8801", "sysctl -w net.ipv6.conf.all.disable_ipv6=0")


def neighbors(state: State) -> int:
    """How many entries of the kernel's table of IPv6 neighbours the places of a host may take: in each place one for
    each router of its link, as the kernel hears their RAs there, too, and a few of its own."""
    found = 0
    for link in state.links.values():
        instances = [one for pvd in link.pvds if pvd in state.pvds for one in state.pvds[pvd].instances]
        places = sum(cell[0] == link.id and one.placement is not None for cell, one in instances)
        found += places * (len(link.speakers) + NEIGHBORS_EACH)
    return found


def _neighbors(journal: str, control: str) -> Finding:
    """The table is one for all namespaces of a machine; where it is full, nobody is found any more (ENOBUFS)."""
    wanted = 0
    with suppress(JournalError), closing(SqliteJournal(journal, readonly=True)) as kept:
        wanted = neighbors(state_at(kept)) + NEIGHBORS_OTHERS
    limit = int(THRESHOLD.read_text()) if THRESHOLD.exists() else None
    good = wanted <= THRESHOLD_DEFAULT if limit is None else wanted <= limit
    most = 1 << max(wanted - 1, THRESHOLD_DEFAULT - 1).bit_length()
    advice = "; ".join(f"sysctl -w net.ipv6.neigh.default.gc_thresh{at}={most >> 3 - at}" for at in (3, 2, 1))
    return _finding("room for neighbours", None if limit is None and not good else good, "many PvDs on a link", advice)


CHECKS: Final[tuple[Callable[[str, str], Finding], ...]] = (
    _capabilities,
    _namespaces,
    _unshare,
    _macvlan,
    _sysctl,
    _neighbors,
    _command("ip", "people who look into namespaces", "iproute2"),
    _command("dhcpcd", "DHCP on links that our connections manage", "dhcpcd-base"),
    _group,
    _journal,
    _daemon,
)
"""What is looked at, in the order in which it is shown."""
