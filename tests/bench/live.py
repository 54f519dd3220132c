"""`make bench-live`: from an RA on the wire to a default route, beside the kernel itself and systemd-networkd; and to
the first TCP connection that was answered, by the policy of duplicate address detection.

Law: all run in one run, on the same kind of link, and are asked the same way: a netlink socket inside the namespace
where the route is due lists routes until it is there. All of it runs at real-time priority where that is allowed, so
that it is not the rest of the machine that is measured. Only root can run it. Nothing is asserted but that it came.
The machine is left as it was: everything happens in namespaces of this process.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from adapters.places.netns import inside
from adapters.sockets.netlink import Rtnl
from pvdcore.projections.places import place_name
from tests.live.lab import Host, Lab
from tests.wire.packets import pio, rdnss

NETWORKD = "/lib/systemd/systemd-networkd"
PATIENCE_S = 20
POLL_S = 0.0002  # between two questions: who asks without a break takes the processor from those who are asked
PRIORITY = 5
SERVER = "2001:db8:ffff::1"
PORT = 4711
TRY_S = 0.05
PAUSE_S = 0.05  # between two: routers do not speak in bursts, and spare namespaces are made then


def alone() -> None:
    """Have this process, and what it starts, run before all that is not real-time."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))


def room(path: str, deadline: float) -> Rtnl:
    """A netlink socket in the namespace that a path names, as soon as it does."""
    while time.perf_counter() < deadline:
        time.sleep(POLL_S)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            return inside(fd, Rtnl)
        except OSError:  # the name is there, and nothing is mounted on it yet
            continue
        finally:
            os.close(fd)
    raise TimeoutError(path)


def wait(rtnl: Rtnl, via: str, deadline: float) -> None:
    """Until there is a default route through a router."""
    while time.perf_counter() < deadline:
        if any(one.destination == "::/0" and one.via == via for one in rtnl.routes(protocol=0)):
            return
        time.sleep(POLL_S)
    raise TimeoutError(via)


def timed(send: Callable[[], object], path: str, via: str) -> float:
    """Milliseconds from the frame to the route."""
    start = time.perf_counter()
    send()
    rtnl = room(path, start + PATIENCE_S)
    wait(rtnl, via, start + PATIENCE_S)
    spent = (time.perf_counter() - start) * 1000
    rtnl.close()
    return spent


def ours(lab: Lab, runs: int) -> dict[str, list[float]]:
    """A new place each time; then a further router of one that stands."""
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    host.sysctl("net.ipv6.conf.eth0.accept_ra", 0)  # the host's own routes are another row
    lab.pvdd(host, "--projection", "netns")
    wire = router.wire("eth1")
    new, existing = [], []
    for at in range(1, runs + 1):
        source = f"fe80::{at:x}"
        path = f"/proc/{host.pid}/root/run/netns/{place_name(f'ra:eth0/1/{source}', 'eth0', 1)}"
        said = (pio(f"2001:db8:{at:x}::"), rdnss("2001:db8::53"))
        time.sleep(PAUSE_S)
        new.append(timed(lambda source=source, said=said: wire.advertise(*said, source=source), path, source))
        time.sleep(PAUSE_S)
        wire.advertise(*said, source=source, lifetime=0)  # no default router any more, the prefix stays
        rtnl = room(path, time.perf_counter() + PATIENCE_S)
        while any(one.destination == "::/0" for one in rtnl.routes()):
            time.sleep(0.001)
        rtnl.close()
        existing.append(timed(lambda source=source, said=said: wire.advertise(*said, source=source), path, source))
    return {"pvdd, a new namespace": new, "pvdd, one that stands": existing}


def answered(lab: Lab, runs: int, dad: str) -> list[float]:
    """Until a TCP connection from a new place is answered, by somebody behind its router."""
    host, router = lab.host(f"h-{dad}"), lab.host(f"r-{dad}")
    lab.veth(host, "eth0", router, "eth1")
    host.sysctl("net.ipv6.conf.eth0.accept_ra", 0)
    router.sysctl("net.ipv6.conf.all.forwarding", 1)
    router.ip("address", "add", f"{SERVER}/128", "dev", "lo", "nodad")
    listening = router.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listening.bind((SERVER, PORT))
    listening.listen(runs)
    lab.pvdd(host, "--config", str(lab.file(f"{dad}.conf", f'projection = "netns"\n[policy]\ndad = "{dad}"\n')))
    wire, mac, found = router.wire("eth1"), router.mac("eth1"), []
    for at in range(1, runs + 1):
        source, prefix = f"fe80::{at:x}", f"2001:db8:{at:x}::"
        router.ip("address", "add", f"{source}/64", "dev", "eth1", "nodad")
        router.ip("address", "add", f"{prefix}1/64", "dev", "eth1", "nodad")
        path = f"/proc/{host.pid}/root/run/netns/{place_name(f'ra:eth0/1/{source}', 'eth0', 1)}"
        time.sleep(PAUSE_S)
        start = time.perf_counter()
        wire.advertise(pio(prefix), rdnss("2001:db8::53"), source=source, mac=mac)
        room(path, start + PATIENCE_S).close()
        _connect(path, start + PATIENCE_S)
        found.append((time.perf_counter() - start) * 1000)
    return found


def _connect(path: str, deadline: float) -> None:
    """Try until a connection is there, anew after a while: a socket keeps the address that it was given first, and
    while detection goes on the kernel may give it one that nobody answers (`::1`)."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while time.perf_counter() < deadline:
            with inside(fd, lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM)) as sock:
                sock.settimeout(TRY_S)
                try:
                    sock.connect((SERVER, PORT))
                    return
                except OSError:  # no route yet, or no address to ask from
                    time.sleep(POLL_S)
    finally:
        os.close(fd)
    raise TimeoutError(path)


def peer(lab: Lab, name: str, runs: int, prepare: Callable[[Host, str], object]) -> list[float]:
    """Somebody who configures the host itself: a fresh router each time, on one link."""
    host, router = lab.host(f"h{name}"), lab.host(f"r{name}")
    lab.veth(host, "eth0", router, "eth1")
    prepare(host, "eth0")
    wire = router.wire("eth1")
    found = []
    for at in range(1, runs + 1):
        source = f"fe80::{at:x}"
        said = (pio(f"2001:db8:{at:x}::"), rdnss("2001:db8::53"))
        time.sleep(PAUSE_S)
        found.append(timed(lambda: wire.advertise(*said, source=source), f"/proc/{host.pid}/ns/net", source))  # noqa: B023
        wire.advertise(*said, source=source, lifetime=0)
    return found


def kernel(host: Host, link: str) -> None:
    """The kernel's own: accept_ra is on by default."""
    host.sysctl(f"net.ipv6.conf.{link}.accept_ra", 2)
    host.sysctl(f"net.ipv6.conf.{link}.accept_dad", 0)


def networkd(host: Host, link: str) -> None:
    """systemd-networkd without systemd: it wants its folders and one file."""
    host.sysctl(f"net.ipv6.conf.{link}.accept_ra", 0)
    host.run("sh", "-c", "mount -t tmpfs none /run/systemd 2>/dev/null || mkdir -p /run/systemd; "
             "mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases; "
             f"printf '[Match]\\nName={link}\\n[Network]\\nIPv6AcceptRA=yes\\nDHCP=no\\nLinkLocalAddressing=ipv6\\n' "
             "> /run/systemd/network/10.network; chmod -R a+rwX /run/systemd")  # fmt: skip
    host.run("mount", "-o", "remount,ro", "/sys")  # else it waits for udev
    host.start(NETWORKD)
    time.sleep(2)


def row(name: str, found: list[float]) -> None:
    """One line of the table."""
    ordered = sorted(found)
    p95 = ordered[int(len(ordered) * 0.95)]
    print(f"{name:28} {statistics.median(found):8.2f} {p95:8.2f} {max(found):8.2f}  {len(found):5}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="from an RA on the wire to a default route, in milliseconds")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--shared", action="store_true", help="at the priority of all others on this machine")
    args = parser.parse_args()
    runs = args.runs
    if os.geteuid():
        print("bench-live: network namespaces need root; run it as root", file=sys.stderr)
        return 77
    if not args.shared:
        alone()
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab:
        print(f"{'RA to default route, ms':28} {'median':>8} {'p95':>8} {'max':>8}  {'runs':>5}")
        for name, found in ours(lab, runs).items():
            row(name, found)
        row("kernel, the host itself", peer(lab, "k", runs, kernel))
        if shutil.which(NETWORKD):
            try:
                row("networkd, the host itself", peer(lab, "n", runs, networkd))
            except (TimeoutError, AssertionError) as error:
                print(f"networkd: did not run here ({error})")
        print(f"{'RA to an answered TCP SYN, ms':28}")
        for dad, count in (("optimistic", runs), ("off", runs), ("wait", max(3, runs // 10))):
            row(f"pvdd, dad = {dad}", answered(lab, count, dad))
    return 0


if __name__ == "__main__":
    sys.exit(main())
