"""`make bench`: whole replays beside tshark, on inputs made here, in one run.

Law: every figure is the median of several runs of a whole process, printed with its spread beside a peer's from the
same run; nothing is asserted but that the work was done (nothing refused, every packet counted). Absolute values drift
with the machine; the ratios are what counts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.inputs import KINDS, ROUTERS, write

# What a stateless reader extracts of each RA; it keeps nothing.
TSHARK = ("tshark", "-n", "-r", "{}", "-Y", "icmpv6.type == 134 or dhcp", "-T", "fields", "-e", "ipv6.src")
TSHARK += ("-e", "icmpv6.nd.ra.router_lifetime", "-e", "icmpv6.opt.prefix", "-e", "icmpv6.opt.rdnss")

# D.3's bounds are raised: the bench wants work, not refusals.
POLICY = {"routers_per_link_max": 2 * ROUTERS, "pvds_per_link_max": 2 * ROUTERS, "pvds_max": 10 * ROUTERS}

OURS = """
import json, resource, sys
from replay.rerun import rerun
run = rerun([sys.argv[1]], policy=json.loads(sys.argv[2]))
codes = sorted({finding.code for finding in run.state.findings.values()})
print(json.dumps({"packets": run.captures[0].packets, "pvds": len(run.state.pvds), "rejected": run.captures[0].rejected,
    "refused": [code for code in codes if code.startswith("too-many")], "records": run.journal.last_seq(),
    "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
"""

TITLES = {"a": "RAs and DHCP, 1 % changes", "b": "RAs that all differ", "c": "TCP with 200 RAs"}


def timed(command: list[str]) -> tuple[float, str]:
    """Wall-clock seconds of a whole process, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout


def measure(kind: str, path: Path, packets: int, runs: int) -> dict[str, object]:
    """One row: our rate and the peer's, turn by turn."""
    ours: list[float] = []
    theirs: list[float] = []
    said: dict[str, object] = {}
    for _ in range(runs):
        spent, out = timed([sys.executable, "-c", OURS, str(path), json.dumps(POLICY)])
        ours.append(spent)
        said = json.loads(out)
        if shutil.which("tshark"):
            theirs.append(timed([part.format(path) for part in TSHARK])[0])
    assert said["packets"] == packets, said
    assert not said["refused"], said
    assert not said["rejected"], said
    rate = packets / statistics.median(ours)
    row: dict[str, object] = {
        "input": kind,
        "packets": packets,
        "pvdcore_per_s": round(rate),
        "pvdcore_spread_s": [round(min(ours), 2), round(max(ours), 2)],
        "peak_mib": said["mib"],
    }
    if theirs:
        peer = packets / statistics.median(theirs)
        row |= {"tshark_per_s": round(peer), "ratio": round(rate / peer, 2)}
        row |= {"tshark_spread_s": [round(min(theirs), 2), round(max(theirs), 2)]}
    return row


def main() -> int:
    """Build the inputs, run both, print the table."""
    parser = argparse.ArgumentParser(description="replay speed beside tshark, whole processes")
    parser.add_argument("--packets", type=int, default=200_000, help="packets of inputs a and b (default 200000)")
    parser.add_argument("--runs", type=int, default=3, help="runs a figure (default 3)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for kind, make in KINDS.items():
            path = Path(folder) / f"{kind}.pcapng"
            # Input c has its own size: 200 MB of ordinary traffic.
            packets = write(
                path, make(226_650 if kind == "c" else options.packets), 100_000 if kind == "c" else 4_000_000
            )
            row = measure(kind, path, packets, options.runs)
            if options.json:
                print(json.dumps(row), flush=True)
                continue
            peer = (
                f"tshark {row['tshark_per_s']:>9,}/s  x {row['ratio']}" if "ratio" in row else "tshark is not installed"
            )
            print(
                f"{kind}  {TITLES[kind]:<28} {packets:>9,} packets  ours {row['pvdcore_per_s']:>9,}/s"
                f" {row['pvdcore_spread_s']} s  peak {row['peak_mib']} MiB   {peer}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
