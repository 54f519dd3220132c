"""Forged RAs, each of another router with another PvD's data, as fast as they are asked for; run inside a host.

Law: every frame is well-formed and new, as nothing cheaper could refuse it: only bounds can. `python -m
tests.live.flood LINK RATE SECONDS` sends; `Watched` is what a daemon does meanwhile, asked from outside.
"""

from __future__ import annotations

import gc
import os
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from adapters.running.client import Client
from events.frames import FramesLost, FramesRefused
from events.router import RouterAdvertised
from tests.live.lab import Daemon, Lab, Program, advertisement, ours, until
from tests.wire.packets import complement, name, pio, pvd, rdnss

BATCH = 50  # frames between two looks at the clock
ASK_EACH_S = 0.05
MIB = 1 << 20


def forged() -> Iterator[bytes]:
    """RAs without an end: source, MAC, prefix and resolver are of that one alone."""
    model = bytearray(advertisement(pio("2001:db8:0:1::"), rdnss("2001:db8:0:1::53"), source="fe80::f:0:0"))
    places = [
        at for at in (8, 14 + 8 + 12, 14 + 40 + 16 + 16 + 4, 14 + 40 + 16 + 32 + 8 + 4)
    ]  # MAC, source, PIO, RDNSS
    icmp = 14 + 40
    number = 0
    while True:
        number += 1
        octets = number.to_bytes(4, "big")
        for at in places:
            model[at : at + 4] = octets
        model[icmp + 2 : icmp + 4] = b"\0\0"
        length = len(model) - icmp
        pseudo = bytes(model[14 + 8 : 14 + 40]) + length.to_bytes(4, "big") + b"\0\0\0\x3a"
        model[icmp + 2 : icmp + 4] = complement(pseudo + bytes(model[icmp:])).to_bytes(2, "big")
        yield bytes(model)


def send(link: str, rate: int, seconds: float) -> int:
    """Send; the number of frames that the link took."""
    total = int(rate * seconds)
    made = forged()
    frames = [next(made) for _ in range(total)]
    gc.disable()  # it would look at all of these again and again
    sent = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((link, 0))
        print("begun", flush=True)
        begun = time.monotonic()
        for at in range(0, total, BATCH):
            for frame in frames[at : at + BATCH]:
                sock.send(frame)
            sent = min(at + BATCH, total)
            ahead = begun + sent / rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        print(f"sent {sent} in {time.monotonic() - begun:.2f} s", flush=True)
    return sent


def resident(pid: int) -> int:
    """Octets of a process and its children that are in memory."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += resident(int(child))
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            found += int(line.split()[1]) * 1024
    return found


def on_disk(journal: Path) -> int:
    """Octets of a journal with what SQLite keeps beside it."""
    return sum(one.stat().st_size for one in journal.parent.glob(journal.name + "*"))


class Told(NamedTuple):
    """RAs that were let in; frames that were refused; frames that the kernel lost; the records that count these."""

    heard: int
    refused: int
    lost: int
    lines: int


class Flooded:
    """A host with pvdd, a router with a real PvD, and somebody who floods their link."""

    REAL = "fqdn:real.example."

    def __init__(self, lab: Lab) -> None:
        switch = lab.host("switch")
        self.host, self.router, self.evil = (lab.host(one) for one in ("h", "r", "evil"))
        self.host.sysctl("net.ipv6.conf.default.accept_ra", 0)  # what Linux makes of it is not asked
        for one in (self.router, self.evil, switch):  # nor what it takes others to keep a neighbour for each of them
            one.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        lab.bridge(switch, "br0")
        for number, one in enumerate((self.host, self.router, self.evil)):
            lab.veth(one, "eth0", switch, f"p{number}")
            switch.ip("link", "set", f"p{number}", "master", "br0")
        self.said = 0
        self.pvdd = lab.pvdd(self.host, "--projection", "netns")
        self.wire = self.router.wire("eth0")
        self.refresh("2001:db8:ffff::53")
        self.place = self.pvdd.place(self.REAL)

    def refresh(self, server: str) -> None:
        """The real router says it again, with this resolver."""
        self.said += 1
        self.wire.advertise(pvd(name("real.example."), pio("2001:db8:ffff::"), rdnss(server)))

    def resolver(self) -> str:
        """What stands in the real PvD's resolv.conf."""
        return self.host.run("cat", f"/etc/netns/{self.place}/resolv.conf").stdout

    def begins(self, rate: int, seconds: float) -> Program:
        """The flood, once the first of it was refused."""
        words = (sys.executable, "-P", "-m", "tests.live.flood", "eth0", str(rate), str(seconds))
        flood = self.evil.start(*words, env=ours())
        flood.says("begun")
        self.pvdd.wait(FramesRefused)
        return flood

    def told(self) -> Told:
        """What the journal says of it."""
        events = [one.event for one in self.pvdd.records()]
        counted = [one for one in events if isinstance(one, (FramesRefused, FramesLost))]
        return Told(
            sum(isinstance(one, RouterAdvertised) for one in events),
            sum(one.count for one in counted if isinstance(one, FramesRefused)),
            sum(one.count for one in counted if isinstance(one, FramesLost)),
            len(counted),
        )

    def all_told(self, sent: int) -> Told:
        """The same, once each of so many forged RAs, and the real ones, is let in, refused or lost."""

        def ask() -> Told | None:
            told = self.told()
            return told if told.heard + told.refused + told.lost >= sent + self.said else None

        return until(ask, self.pvdd.tail)


class Watched:
    """A daemon while something happens: memory and disk it takes more, and how long it takes to answer."""

    def __init__(self, pvdd: Daemon) -> None:
        self.pvdd = pvdd
        self.control = f"/proc/{pvdd.pid}/root/run/pvd/control"
        self.memory_before = self.memory_most = resident(pvdd.pid)
        self.disk_before = on_disk(pvdd.journal)
        self.answers_ms: list[float] = []

    def look(self) -> None:
        """Ask once for the status."""
        begun = time.perf_counter()
        with Client(self.control, timeout_s=60) as client:
            client.call("internal.pvd.Control.GetStatus")
        self.answers_ms.append((time.perf_counter() - begun) * 1000)
        self.memory_most = max(self.memory_most, resident(self.pvdd.pid))
        time.sleep(ASK_EACH_S)

    @property
    def memory_more(self) -> float:
        """MiB at the most."""
        return (self.memory_most - self.memory_before) / MIB

    @property
    def disk_more(self) -> float:
        """MiB, now."""
        return (on_disk(self.pvdd.journal) - self.disk_before) / MIB

    def answered(self) -> str:
        """For people."""
        return f"median {statistics.median(self.answers_ms):.1f} ms, at most {max(self.answers_ms):.1f} ms"


if __name__ == "__main__":
    os.nice(5)  # the attacker is another machine: it takes no processor from who is attacked
    send(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
