"""`make bench`: whole replays beside tshark and a plain decode, the journal, questions to it, flat costs; in one run.

Replays run twice, with the compiled step (replay/files/build.py) and in pure Python; everything else with it.

Law: every figure is the median of several runs, printed with its spread beside a peer's from the same run; nothing is
asserted but that the work was done (nothing refused, every packet counted). Absolute values drift with the machine; the
ratios are what counts. What is not reached is followed by the next step, and by the profile that shows where time goes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from adapters.ingest import translate
from adapters.sqlite import _TABLES, ROWS_A_STATEMENT, SEVERAL_RECORDS, WRITE_CACHE_KIB, SqliteJournal
from events.frames import ETHERNET, Frame
from events.ids import SECOND
from events.link import LinkGone
from events.record import Provenance, Record
from pvdcore.past.audit import state_at
from replay.files.build import build
from tests.bench import curve
from tests.bench.inputs import CLIENTS, KINDS, LINKS, ROUTERS, START, STEP, router_advertisement, write

ROOT = Path(__file__).resolve().parents[2]

# What a stateless reader extracts of each RA; it keeps nothing.
TSHARK = ("tshark", "-n", "-r", "{}", "-Y", "icmpv6.type == 134 or dhcp", "-T", "fields", "-e", "ipv6.src")
TSHARK += ("-e", "icmpv6.nd.ra.router_lifetime", "-e", "icmpv6.opt.prefix", "-e", "icmpv6.opt.rdnss")
PLAIN = (sys.executable, str(Path(__file__).with_name("plain.py")), "{}")

# D.3's bounds are raised: the bench wants work, not refusals.
POLICY = {"routers_per_link_max": 20 * ROUTERS, "pvds_per_link_max": 20 * ROUTERS, "pvds_max": 20 * ROUTERS}

TITLES = {"a": "RAs, 1 % of them changed, 3 % DHCP", "b": "RAs that all differ", "c": "TCP with 200 RAs"}
FLOORS = {"a": 6.0, "b": 1.5, "c": 20.0}  # times tshark; of b in pure Python
GOALS = {"a": 10.0, "b": 4.0, "c": 20.0}
PARTS = ("a", "b", "c", "journal", "curve")
MIXED = 226_650  # packets, 200 MB

OURS = """
import json, sys
from adapters.sqlite import SqliteJournal
from replay.rerun import rerun
journal = SqliteJournal(sys.argv[3]) if len(sys.argv) > 3 else None
run = rerun([sys.argv[1]], policy=json.loads(sys.argv[2]), journal=journal)
(peak,) = (int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
codes = sorted({finding.code for finding in run.state.findings.values()})
print(json.dumps({"packets": run.captures[0].packets, "rejected": run.captures[0].rejected,
    "refused": [code for code in codes if code.startswith("too-many")], "records": run.journal.last_seq(),
    "peak_mib": peak // 1024}))
if journal:
    journal.close()
"""

PROFILE = """
import cProfile, json, pstats, sys
from replay.rerun import rerun
profile = cProfile.Profile()
profile.runcall(rerun, [sys.argv[1]], policy=json.loads(sys.argv[2]))
pstats.Stats(profile).sort_stats("tottime").print_stats(12)
"""

# What would have to be done where a goal or a floor is missed; the profile says whether it still is so.
NEXT = {
    "a": "what is first read costs most: a lease that begins (four messages, and a line of history in each implicit PvD"
    " of its link, a quarter of all) and its first renewal: PvDs of a link could share one map of its leases. Repeats"
    " are an eighth, imports a twentieth",
    "b": "a set of prefixes is first learnt: four RAs of a router are folded, and each set is read again once; then"
    " each frame is an entry of its own in the journal's index. Without a compiler half the time is the"
    " window (repeats.py) and lifetimes.py. Compiling whole modules (Cython) gains nothing: time goes into frozen"
    " structs, not into the interpreter",
    "c": "packets that are neither ND nor DHCP are counted one by one: scan several a step",
    "journal a": "a third is the replay (`replay_per_s` is the same without a journal); a fifth each SQLite and"
    " snapshots, an eighth the chain. In its first transaction a new file needs no WAL, which writes each page twice."
    " Snapshots further apart make `state_at` slower by more than they gain. A thread of their own for rows was"
    " slower: it and the fold wait for the interpreter in turn",
    "journal b": "bodies, three times their frames, each hashed and sorted into an index: name them by their frame",
    "a refresh": "half of it is the hash of the chain, and its time",
    "snapshots": "of a link and a PvD they say all again, where what moved would do; instants stand in full",
    "durable append": "two pages and one fsync; where the bare insert beside it is as slow, the disk is",
    "state_at": "half of it is reading a State: 5 MB of MessagePack, half of which are names of fields; the rest is"
    " folding from there, half of it RAs and leases that are heard the long way, since what makes the next ones cheap"
    " (plans, answers) is in no State",
    "pvdctl why": "the State is read whole (see state_at), an index of items by PvD would do without; then imports",
    "pvdctl history": "the State is read whole to resolve a name; the index of history knows the names, too",
    "pvdctl list": "the State is read whole (see state_at); then imports",
    "10,000 PvDs beside 10": "nothing is done for each PvD of a link: the same instructions at both. What is cold by"
    " then is the router's record (`words.Router`), its last words option by option, what waits, and in a step that"
    " changes more the nodes of persistent maps: a map that is changed in place until a State is asked for would do",
    "the last version beside the first": "something grows with the versions of a PvD",
    "verify": "half of it is reading rows and walking the chain, half folding: RAs that only move lifetimes could be"
    " left unread in it, as in a replay",
}

Row = dict[str, object]


def timed(command: list[str], path: str = "") -> tuple[float, str]:
    """Wall-clock seconds of a whole process, and what it printed. path: where it finds our packages."""
    env = {**os.environ, "PYTHONPATH": path} if path else None
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    return time.perf_counter() - start, done.stdout


def median(spent: list[float]) -> Row:
    """The median and the spread, in seconds."""
    return {"s": round(statistics.median(spent), 4), "spread_s": [round(min(spent), 4), round(max(spent), 4)]}


def replay(kind: str, path: Path, packets: int, runs: int, ways: dict[str, str], short: Path | None) -> Row:
    """Our rate and the peers', turn by turn. ways: ours, by the path of each. short: the first half of the same input,
    to see that memory is flat."""
    spent: dict[str, list[float]] = {name: [] for name in (*ways, "plain", "tshark")}
    peaks: dict[str, int] = {}
    ours = [sys.executable, "-P", "-c", OURS]
    for _ in range(runs):
        for name, where in ways.items():
            seconds, out = timed([*ours, str(path), json.dumps(POLICY)], where)
            spent[name].append(seconds)
            said = json.loads(out)
            assert said["packets"] == packets, said
            assert not said["refused"], said
            assert not said["rejected"], said
            peaks[name] = said["peak_mib"]
        spent["plain"].append(timed([part.format(path) for part in PLAIN])[0])
        if shutil.which("tshark"):
            spent["tshark"].append(timed([part.format(path) for part in TSHARK])[0])
    best = next(iter(ways))
    row: Row = {"row": kind, "title": TITLES[kind], "packets": packets, "peak_mib": peaks[best], "floor_mib": 150}
    if short is not None:
        half = json.loads(timed([*ours, str(short), json.dumps(POLICY)], ways[best])[1])["peak_mib"]
        row |= {"peak_mib_of_half": half, "growth": round(peaks[best] / half, 2), "floor_growth": 1.15}
    for name, seconds in spent.items():
        if seconds:
            row |= {
                f"{name}_per_s": round(packets / statistics.median(seconds)),
                f"{name}_spread_s": median(seconds)["spread_s"],
            }
    if spent["tshark"]:
        for name in ways:
            ratio = statistics.median(spent["tshark"]) / statistics.median(spent[name])
            row["ratio" if name == best else f"{name}_ratio"] = round(ratio, 2)
        row |= {"pure_floor" if kind == "b" else "floor": FLOORS[kind], "goal": GOALS[kind]}
    return row


def journal(kind: str, path: Path, kept: Path, runs: int, where: str) -> Row:
    """A replay into SQLite: records/s of the whole path, octets a record, the share of snapshots.

    replay_per_s: the same without a journal to keep, turn by turn, to see how much of it is writing. bare_rows_per_s:
    as many rows, and nothing else, into an SQLite file of their own, to see what SQLite takes of it on this machine.
    """
    spent, bare, rows, said = [], [], [], {}
    for _ in range(runs):
        bare.append(timed([sys.executable, "-P", "-c", OURS, str(path), json.dumps(POLICY)], where)[0])
        for old in kept.parent.glob(kept.name + "*"):
            old.unlink()
        seconds, out = timed([sys.executable, "-P", "-c", OURS, str(path), json.dumps(POLICY), str(kept)], where)
        spent.append(seconds)
        said = json.loads(out)
        assert not said["refused"], said
        assert not said["rejected"], said
        rows.append(bare_rows(kept.with_suffix(".bare"), int(said["records"])))
    reader = SqliteJournal(kept, readonly=True)
    snapshots = reader._ask("SELECT coalesce(sum(length(state)), 0) FROM snapshots")[0][0]
    reader.close()
    size = kept.stat().st_size
    return {
        "row": f"journal {kind}",
        "records": said["records"],
        "records_per_s": round(said["records"] / statistics.median(spent)),
        "spread_s": median(spent)["spread_s"],
        "replay_per_s": round(said["records"] / statistics.median(bare)),
        "bare_rows_per_s": round(said["records"] / statistics.median(rows)),
        "floor_per_s": 100_000 if kind == "a" else 15_000,
        "octets_a_record": round((size - snapshots) / said["records"], 1),
        "snapshots_percent": round(100 * snapshots / size, 1),
        "floor_percent": 10,
    }


def bare_rows(path: Path, count: int) -> float:
    """Seconds that SQLite takes for so many rows like those of a journal's records, in the same batches."""
    for old in path.parent.glob(path.name + "*"):
        old.unlink()
    conn = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", *_TABLES):
        conn.execute(statement)
    conn.execute(f"PRAGMA cache_size = -{WRITE_CACHE_KIB}")
    conn.execute("BEGIN")
    spent, size = 0.0, ROWS_A_STATEMENT
    for first in range(1, count, size):
        said = [(seq, START + seq * STEP, seq % 1000, seq % 1000, 1, seq) for seq in range(first, first + size)]
        hashes = [bytearray(hashlib.blake2b(b"%d" % row[0], digest_size=32).digest()) for row in said]
        values = [value for row, made in zip(said, hashes, strict=True) for value in (*row, made)]
        begin = time.perf_counter()
        conn.execute(SEVERAL_RECORDS, values)
        spent += time.perf_counter() - begin
    begin = time.perf_counter()
    conn.execute("COMMIT")
    conn.close()
    return spent + time.perf_counter() - begin


def refresh(folder: Path, count: int) -> Row:
    """What an RA that says what its router said before takes on disk."""
    path, sizes = folder / "refresh.db", []
    words = Frame(SECOND, "e0", ETHERNET, router_advertisement(1, 0))
    (event,) = translate(words)
    kept = SqliteJournal(path)
    kept.hear(SECOND, event, words, "a.pcapng", 1)
    for begin in (2, 2 + count // 2):
        for first in range(begin, begin + count // 2, 1000):
            packets = range(first, first + 1000)
            kept.again([1] * 1000, [SECOND * packet for packet in packets], packets)
        kept.close()
        sizes.append(path.stat().st_size)
        kept = SqliteJournal(path)
    kept.close()
    return {"row": "a refresh", "octets": round((sizes[1] - sizes[0]) / (count // 2), 1), "floor_octets": 100}


def durable(folder: Path) -> Row:
    """One append that survives a power cut, beside the least that the disk and SQLite can do, turn by turn."""
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE bare (octets BLOB)"):
        bare.execute(statement)
    raw = os.open(folder / "bare", os.O_CREAT | os.O_WRONLY)
    kept = SqliteJournal(folder / "durable.db", durable=True)

    def ours(seq: int) -> None:
        kept.append(Record(seq, seq * SECOND, 1, Provenance("live"), LinkGone(link="e0")), None)
        kept.commit()

    def page(seq: int) -> None:
        os.pwrite(raw, bytes(4096), 4096 * seq)
        os.fsync(raw)

    deeds: dict[str, Callable[[int], object]] = {
        "ms": ours,
        "bare_insert_ms": lambda seq: bare.execute("INSERT INTO bare VALUES (zeroblob(60))"),
        "bare_fsync_ms": page,
    }
    spent: dict[str, list[float]] = {name: [] for name in deeds}
    for seq in range(1, 301):
        for name, deed in deeds.items():
            start = time.perf_counter()
            deed(seq)
            spent[name].append(time.perf_counter() - start)
    kept.close()
    bare.close()
    os.close(raw)
    medians = {name: round(statistics.median(times) * 1000, 3) for name, times in spent.items()}
    return {"row": "durable append", **medians, "floor_ms": 0.5}


def questions(kept: Path, runs: int, where: str) -> Iterator[Row]:
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
    yield {"row": "state_at", "floor_s": 0.15, **median(spent)}
    at = f"seq:{points[2]}"
    for name, words in {
        "why": ["why", "2001:db8:1:0::53", "--at", at],
        "history": ["history", "pvd4.example.", "--at", at],
        "list": ["list", "--at", at],
    }.items():
        command = [*words, "--journal", str(kept)]
        _whole(command, where)  # the first compiles what an installed package has compiled
        spent = [_whole(command, where) for _ in range(runs)]
        yield {"row": f"pvdctl {name}", "floor_s": 0.4, **median(spent)}
    spent = [_whole(["verify", "--journal", str(kept)], where) for _ in range(runs)]
    rate = round(last / statistics.median(spent))
    yield {"row": "verify", "records_per_s": rate, "floor_per_s": 100_000, **median(spent)}


def _whole(words: list[str], where: str) -> float:
    """Seconds of a whole `pvdctl`."""
    code = "import sys; from replay.cli import main; sys.exit(main())"
    return timed([sys.executable, "-P", "-c", code, *words], where)[0]


def missed(row: Row) -> list[str]:
    """What of a row is not as it should be, in words."""
    pairs = (
        ("ratio", "floor", True, "the floor of {} x tshark"),
        ("pure_ratio", "pure_floor", True, "the floor of {} x tshark in pure Python"),
        ("ratio", "goal", True, "the goal of {} x tshark"),
        ("records_per_s", "floor_per_s", True, "{} records/s"),
        ("snapshots_percent", "floor_percent", False, "{} % for snapshots"),
        ("octets", "floor_octets", False, "{} octets"),
        ("peak_mib", "floor_mib", False, "{} MiB"),
        ("growth", "floor_growth", False, "memory of at most {} of that of half the packets"),
        ("times", "floor_times", False, "at most {} times"),
        ("ms", "floor_ms", False, "{} ms"),
        ("s", "floor_s", False, "{} s"),
    )
    found = []
    for name, bound, least, words in pairs:
        value, wanted = row.get(name), row.get(bound)
        if isinstance(value, int | float) and isinstance(wanted, int | float):
            if value < wanted if least else value > wanted:
                found.append(f"{words.format(wanted)} not reached with {value}")
    return found


class _Inputs:
    """The captures, each made when it is first asked for."""

    def __init__(self, folder: Path, packets: int) -> None:
        self.folder = folder
        self._packets = packets

    def __call__(self, kind: str, part: float = 1) -> tuple[Path, int]:
        """A capture, or the beginning of it, and how many packets it holds. c has its own size: 200 MB."""
        count = int((MIXED if kind == "c" else self._packets) * part)
        path = self.folder / f"{kind}-{count}.pcapng"
        if not path.exists():
            count = write(path, KINDS[kind](count), 100_000 if kind == "c" else 4_000_000)
            path.with_suffix(".count").write_text(str(count))
        return path, int(path.with_suffix(".count").read_text())


Found = Iterator[tuple[Row, Callable[[], str] | None]]


def _replays(kind: str, inputs: _Inputs, runs: int, ways: dict[str, str]) -> Found:
    path, count = inputs(kind)
    row = replay(kind, path, count, runs, ways, inputs(kind, 0.5)[0] if kind == "a" else None)
    command = [sys.executable, "-P", "-c", PROFILE, str(path), json.dumps(POLICY)]
    yield row, lambda: timed(command, next(iter(ways.values())))[1]


def _journals(inputs: _Inputs, runs: int, ways: dict[str, str]) -> Found:
    best = next(iter(ways.values()))
    kept = inputs.folder / "a.db"
    yield journal("a", inputs("a")[0], kept, runs, best), None
    # All records of b cost the same: a fifth of them tells as much as all.
    yield journal("b", inputs("b", 0.2)[0], inputs.folder / "b.db", runs, best), None
    yield refresh(inputs.folder, max(2000, inputs("a")[1] // 10)), None
    yield durable(inputs.folder), None
    for row in questions(kept, runs, best):
        yield row, None


def _curves(versions: int) -> Found:
    points = list(curve.by_size(POLICY, LINKS))
    for point in points:
        yield {"row": "fold time by live PvDs", **point}, None
    at = {point["pvds"]: point for point in points}
    few, many = at[10], at[10_000]
    growth = max(round(many[name] / few[name], 2) for name in few if name != "pvds")
    # What a processor's caches are worth, which is another matter: see the law of curve.py.
    cold = round(many["lifetimes_us"] / few["near_lifetimes_us"], 2)
    row: Row = {"row": "10,000 PvDs beside 10", "times": growth, "floor_times": 1.3}
    yield row | {"many_speakers_at_10000_beside_few_at_10": cold}, None
    points = list(curve.by_version(versions))
    for point in points:
        yield {"row": "fold time by version", **point}, None
    growth = round(points[-1]["version_us"] / points[0]["version_us"], 2)
    yield {"row": "the last version beside the first", "times": growth, "floor_times": 1.3}, None


def main() -> int:
    """Build the inputs, run all, print the table."""
    parser = argparse.ArgumentParser(description="speed beside tshark and a plain decode, whole processes")
    parser.add_argument("--packets", type=int, default=1_000_000, help="packets of inputs a and b (default 1000000)")
    parser.add_argument("--runs", type=int, default=3, help="runs a figure (default 3)")
    parser.add_argument("--quick", action="store_true", help="100,000 packets and one run: for development")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="not all parts, but these")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    packets, runs = (100_000, 1) if options.quick else (options.packets, options.runs)

    def say(row: Row, profile: Callable[[], str] | None = None) -> None:
        if options.json:
            print(json.dumps(row), flush=True)
            return
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        for what in missed(row):
            print(f"{row['row']}: {what}; next: {NEXT['snapshots' if 'snapshots' in what else str(row['row'])]}")
        if missed(row) and profile is not None:
            print(f"where the time goes:\n{profile()}", flush=True)

    say({"row": "policy", **POLICY, "links": LINKS, "routers": ROUTERS, "clients": CLIENTS, "tshark": " ".join(TSHARK)})
    with tempfile.TemporaryDirectory() as name:
        ways = {"pure": str(ROOT)}
        made, trouble = build(ROOT, Path(name) / "built")
        if made:
            ways = {"compiled": f"{Path(name) / 'built'}{os.pathsep}{ROOT}", **ways}
        else:
            print(f"no compiled step: {trouble}", file=sys.stderr)
        # An installed package has its bytecode: nobody compiles it at each start.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(name) / "bytecode")
        timed([sys.executable, "-P", "-c", "import adapters.sqlite, replay.rerun"], str(ROOT))
        inputs = _Inputs(Path(name), packets)
        parts: dict[str, Callable[[], Found]] = {
            "a": lambda: _replays("a", inputs, runs, ways),
            "b": lambda: _replays("b", inputs, runs, ways),
            "c": lambda: _replays("c", inputs, runs, ways),
            "journal": lambda: _journals(inputs, runs, ways),
            "curve": lambda: _curves(10_000 if options.quick else 100_000),
        }
        for part in options.only:
            for row, profile in parts[part]():
                say(row, profile)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
