"""Fuzz the decoders: `python tests/fuzz/run.py --seconds N [--target T]`; `--reseed` writes the corpus anew.

Law: one process a target, coverage-guided by atheris; where atheris does not import, random changes of the corpus
take its place, and the first line says so. An input that finds a fault is a file in tests/fuzz/found/ named
`TARGET-…HASH`, which tests/wire/test_found.py replays for ever.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

HERE = ROOT / "tests" / "fuzz"
CORPUS = HERE / "corpus"
FOUND = HERE / "found"
INPUT_SECONDS_MAX = 5  # a decoder takes microseconds; seconds mean that it loops
MEMORY_MIB_MAX = 1024  # the interpreter with scapy's neighbours is at 150
INPUT_OCTETS_MAX = 4096  # as targets.MESSAGE_MAX


def corpus(target: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / target).glob("*"))]


def mutated(seeds: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """For ever: a seed with a few octets changed, cut, doubled, or two seeds spliced."""
    seeds = seeds or [b"\0"]
    while True:
        octets = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(0, 6)):
            at = chance.randint(0, len(octets))
            match chance.randrange(5):
                case 0 if at < len(octets):
                    octets[at] = chance.choice((0, 1, 63, 64, 128, 192, 255, chance.randrange(256)))
                case 1 if at < len(octets):
                    octets[at] ^= 1 << chance.randrange(8)
                case 2:
                    del octets[at : at + chance.choice((1, 2, 8))]
                case 3:
                    octets[at:at] = octets[max(0, at - chance.choice((1, 8, 16))) : at]
                case _:
                    other = chance.choice(seeds)
                    octets[at:] = other[chance.randint(0, len(other)) :]
        yield bytes(octets[:INPUT_OCTETS_MAX])


def kept(target: str, data: bytes) -> Path:
    FOUND.mkdir(exist_ok=True)
    path = FOUND / f"{target}-{hashlib.sha1(data).hexdigest()[:16]}"
    path.write_bytes(data)
    return path


def at_random(
    target: str, *, seconds: float = math.inf, tries: float = math.inf, seed: int = 1
) -> tuple[int, Path | None]:
    """Without atheris, for so long or so often: (inputs tried, the file of the first that found a fault, or None)."""
    from tests.fuzz.targets import TARGETS

    run = TARGETS[target]
    seeds = corpus(target)
    end = time.monotonic() + seconds
    count = 0
    for data in seeds:
        run(data)
    for data in mutated(seeds, random.Random(seed)):
        if count >= tries or time.monotonic() >= end:
            break
        count += 1
        try:
            run(data)
        except Exception as fault:
            print(f"{target}: {type(fault).__name__}: {fault}", file=sys.stderr)
            return count, kept(target, data)
    return count, None


def guided(target: str, seconds: int, scratch: str) -> None:
    """In a process of its own: atheris never returns."""
    import atheris

    with atheris.instrument_imports(include=["adapters", "replay"]):
        from tests.fuzz.targets import TARGETS

    FOUND.mkdir(exist_ok=True)
    flags = [
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_SECONDS_MAX}",
        f"-rss_limit_mb={MEMORY_MIB_MAX}",
        f"-max_len={INPUT_OCTETS_MAX}",
        f"-artifact_prefix={FOUND}/{target}-",
        "-print_final_stats=1",
    ]
    # libFuzzer adds to the first folder: the corpus in the repository stays as it is
    atheris.Setup([sys.argv[0], *flags, scratch, str(CORPUS / target)], TARGETS[target])
    atheris.Fuzz()


def fuzz(target: str, seconds: int) -> bool:
    """Fuzz one target; print what came of it. True if nothing was found."""
    if importlib.util.find_spec("atheris") is None:
        count, path = at_random(target, seconds=seconds)
        print(f"{target}: {count} inputs, {f'a fault: {path.relative_to(ROOT)}' if path else 'no fault'}", flush=True)
        return path is None
    before = set(FOUND.glob(f"{target}-*"))
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-P", __file__, "--seconds", str(seconds), "--target", target, "--scratch", scratch]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, errors="replace", check=False)
        new = len(list(Path(scratch).iterdir()))
    stats = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    counts = [int(one) for one in re.findall(r"^#(\d+)", done.stderr, re.M)]
    executions = int(stats[1]) if stats else max(counts, default=0)
    coverage = re.findall(r"cov: (\d+)", done.stderr)
    found = sorted(set(FOUND.glob(f"{target}-*")) - before)
    verdict = ", ".join(f"a fault: {path.relative_to(ROOT)}" for path in found) or "no fault"
    print(
        f"{target}: {executions} inputs, {coverage[-1] if coverage else 0} branches, {new} new paths, {verdict}",
        flush=True,
    )
    if done.returncode:
        print((done.stdout + done.stderr)[-4000:], file=sys.stderr)
    return done.returncode == 0


def main() -> int:
    names = sorted(path.name for path in CORPUS.glob("*")) if CORPUS.exists() else []
    parser = argparse.ArgumentParser(description="Fuzz the decoders.")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; default 60")
    parser.add_argument("--target", choices=names or None, help="one target only")
    parser.add_argument("--reseed", action="store_true", help="write tests/fuzz/corpus anew and stop")
    parser.add_argument("--scratch", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.reseed:
        from tests.fuzz.seeds import reseed  # here: what is imported before atheris is not instrumented

        print(f"{reseed(CORPUS)} files")
        return 0
    if args.scratch:
        guided(args.target, args.seconds, args.scratch)
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: random changes of the corpus, not guided by coverage", flush=True)
    clean = [fuzz(target, args.seconds) for target in ([args.target] if args.target else names)]
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
