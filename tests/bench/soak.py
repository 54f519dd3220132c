"""`make soak`: ten seconds of 10,000 forged RAs a second, and a thousand PvDs; what each costs.

Law: one real daemon with its helper each, in namespaces of this process; figures stand beside their targets, and beside
what stock programs did under the same flood when it was last tried. Nothing is asserted but that the work was done.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from events.ops import PlanApplied
from events.router import RouterAdvertised
from tests.bench.live import alone
from tests.live.flood import MIB, Flooded, Watched, resident
from tests.live.lab import Lab, until
from tests.wire.packets import pio, rdnss

RATE, SECONDS = 10_000, 10.0
PVDS = 1_000
ENDS = 50  # at the beginning, and at the end: the medians of these are compared
IDLE_S = 10.0
KNOBS = "routers_per_link_max = 4096\npvds_per_link_max = 4096\npvds_max = 4096\nbucket_rate = 1000\n"


def row(what: str, found: str, wanted: str) -> None:
    """One line of the table."""
    print(f"{what:44} {found:>34}  {wanted}", flush=True)


def flood(folder: Path) -> None:
    """10,000 forged RAs a second."""
    with Lab(folder) as lab:
        at = Flooded(lab)
        watched = Watched(at.pvdd)
        sending = at.begins(RATE, SECONDS)
        at.refresh("2001:db8:ffff::54")
        refreshed = time.perf_counter()
        meanwhile = 0.0
        while sending.process.poll() is None:
            watched.look()
            if not meanwhile and "ffff::54" in at.resolver():
                meanwhile = time.perf_counter() - refreshed
        until(lambda: "ffff::54" in at.resolver(), at.pvdd.tail)
        told = at.all_told(int(RATE * SECONDS))
        phase = at.pvdd.state().pvds[at.REAL].phase
        row("flood", sending.said().splitlines()[-1], f"{RATE} a second for {SECONDS:.0f} s")
        row("  memory of both processes", f"{watched.memory_more:.1f} MiB more", "at most 50 (dhcpcd grew to 132)")
        row("  disk", f"{watched.disk_more:.2f} MiB more", "at most 5")
        row("  GetStatus meanwhile", watched.answered(), "within 100 (networkd aborts)")
        row("  let in, refused, lost, records that say so", ", ".join(map(str, told)), "a few records")
        how = f"{phase}, refreshed {'meanwhile' if meanwhile else 'behind it'}"
        row("  the real PvD", how, "placed and refreshed")


def thousand(folder: Path, count: int) -> None:
    """So many PvDs on one link, one after the other."""
    with Lab(folder) as lab:
        host, router = lab.host("h"), lab.host("r")
        for one in (host, router):
            one.sysctl("net.ipv6.conf.default.accept_ra", 0)
        lab.veth(host, "eth0", router, "eth0")
        text = f"projection = 'netns'\n[policy]\n{KNOBS}"
        pvdd = lab.pvdd(host, "--config", str(lab.file("pvd.conf", text)))
        wire = router.wire("eth0")
        spent: list[float] = []
        seen = 0
        for at in range(1, count + 1):
            source = f"fe80::{at:x}"
            wire.advertise(pio(f"2001:db8:{at:x}::"), rdnss("2001:db8::53"), source=source)
            seen = pvdd.wait(PlanApplied, since=seen).seq
        heard: dict[str, int] = {}
        for record in pvdd.records():
            event = record.event
            if isinstance(event, RouterAdvertised):
                heard.setdefault(f"ra:eth0/1/{event.router}", record.at)
            elif isinstance(event, PlanApplied) and event.pvd in heard:
                spent.append((record.at - heard.pop(event.pvd)) / 1e6)
        first, last = statistics.median(spent[1 : ENDS + 1]), statistics.median(spent[-ENDS:])
        row(f"{count} PvDs", f"{len(spent)} placed", "")
        row("  RA to applied, the first ones", f"{first:.2f} ms", "")
        row("  the last ones", f"{last:.2f} ms, {last / first:.2f} x", "at most 1.5 x")
        row("  memory of both processes", f"{resident(pvdd.pid) / MIB:.0f} MiB", "at most 200")
        until(lambda: _still(pvdd.pid), pvdd.tail)  # what came of the last ones is behind us
        before = _processor_s(pvdd.pid)
        time.sleep(IDLE_S)
        used = _processor_s(pvdd.pid) - before
        row(f"  processor in {IDLE_S:.0f} s of idleness", f"{used * 1000:.1f} ms", "none")


def _still(pid: int) -> bool:
    before = _processor_s(pid)
    time.sleep(2)
    return _processor_s(pid) == before


def _processor_s(pid: int) -> float:
    """Of a process and its children."""
    found = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += int((task / "schedstat").read_text().split()[0]) / 1e9
        for child in (task / "children").read_text().split():
            found += _processor_s(int(child))
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="what floods and many PvDs cost")
    parser.add_argument("--pvds", type=int, default=PVDS)
    parser.add_argument("--shared", action="store_true", help="at the priority of all others on this machine")
    args = parser.parse_args()
    if os.geteuid():
        print("soak: network namespaces need root; run it as root", file=sys.stderr)
        return 77
    if not args.shared:
        alone()
    row("what", "found", "wanted")
    for deed in (flood, lambda folder: thousand(folder, args.pvds)):
        with tempfile.TemporaryDirectory() as folder:
            deed(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
