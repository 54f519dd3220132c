"""`make bench`: whole replays beside tshark and a plain decode, the journal, questions to it, flat costs; in one run.

Law: every figure is the median of several runs, printed with its spread beside a peer's from the same run; nothing is
asserted but that the work was done (nothing refused, every packet counted). Absolute values drift with the machine; the
ratios are what counts. A goal that is not reached is followed by the profile that shows where the time goes.
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
from collections.abc import Callable
from pathlib import Path

from adapters.sqlite import SqliteJournal
from events.ids import SECOND
from events.link import LinkGone
from events.record import Provenance, Record
from pvdcore.audit import state_at
from tests.bench import curve
from tests.bench.inputs import CLIENTS, KINDS, LINKS, ROUTERS, write

# What a stateless reader extracts of each RA; it keeps nothing.
TSHARK = ("tshark", "-n", "-r", "{}", "-Y", "icmpv6.type == 134 or dhcp", "-T", "fields", "-e", "ipv6.src")
TSHARK += ("-e", "icmpv6.nd.ra.router_lifetime", "-e", "icmpv6.opt.prefix", "-e", "icmpv6.opt.rdnss")
PLAIN = (sys.executable, str(Path(__file__).with_name("plain.py")), "{}")

# D.3's bounds are raised: the bench wants work, not refusals.
POLICY = {"routers_per_link_max": 20 * ROUTERS, "pvds_per_link_max": 20 * ROUTERS, "pvds_max": 20 * ROUTERS}

TITLES = {"a": "RAs, 1 % of them changed, 3 % DHCP", "b": "RAs that all differ", "c": "TCP with 200 RAs"}
FLOORS = {"a": 6.0, "b": 1.5, "c": 20.0}  # times tshark
GOALS = {"a": 10.0, "b": 4.0, "c": 20.0}
MIXED = 226_650  # packets, 200 MB

OURS = """
import json, resource, sys
from adapters.sqlite import SqliteJournal
from replay.rerun import rerun
journal = SqliteJournal(sys.argv[3]) if len(sys.argv) > 3 else None
run = rerun([sys.argv[1]], policy=json.loads(sys.argv[2]), journal=journal)
codes = sorted({finding.code for finding in run.state.findings.values()})
print(json.dumps({"packets": run.captures[0].packets, "rejected": run.captures[0].rejected,
    "refused": [code for code in codes if code.startswith("too-many")], "records": run.journal.last_seq(),
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
"""

PROFILE = """
import cProfile, json, pstats, sys
from replay.rerun import rerun
profile = cProfile.Profile()
profile.runcall(rerun, [sys.argv[1]], policy=json.loads(sys.argv[2]))
pstats.Stats(profile).sort_stats("tottime").print_stats(12)
"""

Row = dict[str, object]


def timed(command: list[str]) -> tuple[float, str]:
    """Wall-clock seconds of a whole process, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout


def median(spent: list[float]) -> Row:
    """The median and the spread, in seconds."""
    return {"s": round(statistics.median(spent), 4), "spread_s": [round(min(spent), 4), round(max(spent), 4)]}


def replay(kind: str, path: Path, packets: int, runs: int) -> Row:
    """Our rate and the peers', turn by turn."""
    spent: dict[str, list[float]] = {"ours": [], "plain": [], "tshark": []}
    said: Row = {}
    for _ in range(runs):
        seconds, out = timed([sys.executable, "-c", OURS, str(path), json.dumps(POLICY)])
        spent["ours"].append(seconds)
        said = json.loads(out)
        spent["plain"].append(timed([part.format(path) for part in PLAIN])[0])
        if shutil.which("tshark"):
            spent["tshark"].append(timed([part.format(path) for part in TSHARK])[0])
    assert said["packets"] == packets, said
    assert not said["refused"], said
    assert not said["rejected"], said
    row: Row = {"row": kind, "title": TITLES[kind], "packets": packets, "peak_mib": said["peak_mib"]}
    for name, seconds in spent.items():
        if seconds:
            row |= {
                f"{name}_per_s": round(packets / statistics.median(seconds)),
                f"{name}_spread_s": median(seconds)["spread_s"],
            }
    if spent["tshark"]:
        row["ratio"] = round(statistics.median(spent["tshark"]) / statistics.median(spent["ours"]), 2)
        row |= {"floor": FLOORS[kind], "goal": GOALS[kind]}
    return row


def journal(kind: str, path: Path, kept: Path, runs: int) -> Row:
    """A replay into SQLite: records/s of the whole path, octets a record, the share of snapshots."""
    spent, said = [], {}
    for _ in range(runs):
        for old in kept.parent.glob(kept.name + "*"):
            old.unlink()
        seconds, out = timed([sys.executable, "-c", OURS, str(path), json.dumps(POLICY), str(kept)])
        spent.append(seconds)
        said = json.loads(out)
    reader = SqliteJournal(kept, readonly=True)
    snapshots = reader._ask("SELECT coalesce(sum(length(state)), 0) FROM snapshots")[0][0]
    reader.close()
    size = kept.stat().st_size
    return {
        "row": f"journal {kind}",
        "records": said["records"],
        "records_per_s": round(said["records"] / statistics.median(spent)),
        "spread_s": median(spent)["spread_s"],
        "floor_per_s": 100_000 if kind == "a" else 15_000,
        "octets_a_record": round((size - snapshots) / said["records"], 1),
        "snapshots_percent": round(100 * snapshots / size, 1),
    }


def durable(folder: Path) -> Row:
    """One append that survives a power cut."""
    kept = SqliteJournal(folder / "durable.db", durable=True)
    spent = []
    for seq in range(1, 301):
        start = time.perf_counter()
        kept.append(Record(seq, seq * SECOND, 1, Provenance("live"), LinkGone(link="e0")), None)
        kept.commit()
        spent.append(time.perf_counter() - start)
    kept.close()
    return {"row": "durable append", "ms": round(statistics.median(spent) * 1000, 3), "floor_ms": 0.5}


def questions(kept: Path, runs: int) -> list[Row]:
    """What the journal of (a) answers, and how fast."""
    reader = SqliteJournal(kept, readonly=True)
    last = reader.last_seq()
    points = [max(1, last * part // 7) for part in range(1, 7)]
    spent = []
    for seq in points:
        start = time.perf_counter()
        state_at(reader, seq=seq)
        spent.append(time.perf_counter() - start)
    reader.close()
    rows: list[Row] = [{"row": "state_at", "floor_s": 0.15, **median(spent)}]
    at = f"seq:{points[2]}"
    for name, words in {
        "why": ["why", "2001:db8:1:0::53", "--at", at],
        "history": ["history", "pvd4.example.", "--at", at],
        "list": ["list", "--at", at],
    }.items():
        command = [sys.executable, "-m", "replay.cli", *words, "--journal", str(kept)]
        spent = [_whole(command) for _ in range(runs)]
        rows.append({"row": f"pvdctl {name}", "floor_s": 0.4, **median(spent)})
    seconds = _whole([sys.executable, "-m", "replay.cli", "verify", "--journal", str(kept)])
    rows.append(
        {"row": "verify", "records_per_s": round(last / seconds), "floor_per_s": 100_000, "s": round(seconds, 2)}
    )
    return rows


def _whole(command: list[str]) -> float:
    start = time.perf_counter()
    code = "import sys; from replay.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, *command[3:]], capture_output=True, check=False)
    assert done.returncode in (0, 10), done.stderr
    return time.perf_counter() - start


def main() -> int:
    """Build the inputs, run all, print the table."""
    parser = argparse.ArgumentParser(description="speed beside tshark and a plain decode, whole processes")
    parser.add_argument("--packets", type=int, default=1_000_000, help="packets of inputs a and b (default 1000000)")
    parser.add_argument("--runs", type=int, default=3, help="runs a figure (default 3)")
    parser.add_argument("--quick", action="store_true", help="100,000 packets and one run: for development")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    packets, runs = (100_000, 1) if options.quick else (options.packets, options.runs)

    def say(row: Row, profile: Callable[[], str] | None = None) -> None:
        if options.json:
            print(json.dumps(row), flush=True)
            return
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        ratio, goal = row.get("ratio"), row.get("goal")
        if profile is not None and isinstance(ratio, float) and isinstance(goal, float) and ratio < goal:
            print(f"the goal of {goal} x tshark is not reached; where the time goes:\n{profile()}", flush=True)

    say({"row": "policy", **POLICY, "links": LINKS, "routers": ROUTERS, "clients": CLIENTS, "tshark": " ".join(TSHARK)})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = {}
        for kind, make in KINDS.items():
            paths[kind] = folder / f"{kind}.pcapng"
            # Input c has its own size: 200 MB of ordinary traffic.
            count = write(paths[kind], make(MIXED if kind == "c" else packets), 100_000 if kind == "c" else 4_000_000)
            command = [sys.executable, "-c", PROFILE, str(paths[kind]), json.dumps(POLICY)]
            say(replay(kind, paths[kind], count, runs), lambda command=command: timed(command)[1])  # type: ignore[misc]
        for kind in ("a", "b"):
            say(journal(kind, paths[kind], folder / f"{kind}.db", runs))
        say(durable(folder))
        for row in questions(folder / "a.db", runs):
            say(row)
    for point in curve.by_size(POLICY, LINKS):
        say({"row": "fold time by live PvDs", **point})
    for point in curve.by_version(10_000 if options.quick else 100_000):
        say({"row": "fold time by version", **point})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
