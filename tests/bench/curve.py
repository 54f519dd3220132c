"""What one RA costs as the number of PvDs grows, and as the number of versions of one PvD does.

Law: only the fold is timed; frames are translated before. D.3's bounds are raised by the policy that is printed.
"""

from __future__ import annotations

import time

from msgspec.structs import replace

from adapters.ingest import translate
from events.codec import AnyEvent
from events.frames import ETHERNET, Frame
from events.operator import PolicySet
from events.router import RouterAdvertised
from pvdcore.policy import DEFAULT
from pvdcore.reduce import Fold
from pvdcore.state import EMPTY
from tests.bench.inputs import START, router_advertisement

SIZES = (1, 10, 100, 1000, 10_000)
SAMPLES = 200  # RAs timed at each size


def ra(router: int, turn: int, link: str) -> AnyEvent:
    """An RA; `turn` in steps of 16 is another prefix, otherwise only lifetimes."""
    return translate(Frame(START, link, ETHERNET, router_advertisement(router, turn)))[0]


def by_size(policy: dict[str, int], links: int) -> list[dict[str, float]]:
    """us an RA that changes lifetimes, and one that changes a prefix, at each number of live PvDs."""
    rows = []
    for size in SIZES:
        fold, seq = Fold(EMPTY), 1
        fold.step(1, START, PolicySet(values={**DEFAULT.values, **policy}), None)
        for router in range(size):
            seq += 1
            fold.step(seq, START + seq, ra(router, 1, f"e{router % links}"), None)
        assert sum(1 for one in fold.state.pvds.values() if one.cells) == size
        row: dict[str, float] = {"pvds": size}
        for name, first, step in (("lifetimes_us", 2, 1), ("prefix_us", 16, 16)):
            turns = [first + n // size % 12 * step for n in range(SAMPLES)]
            events = [ra(n % size, turn, f"e{n % size % links}") for n, turn in enumerate(turns)]
            spent = []
            for event in events:
                seq += 1
                start = time.perf_counter_ns()
                fold.step(seq, START + seq, event, None)
                spent.append(time.perf_counter_ns() - start)
            row[name] = round(sorted(spent)[len(spent) // 2] / 1000, 1)
        rows.append(row)
    return rows


def by_version(versions: int) -> list[dict[str, float]]:
    """us a version of one PvD: the first ones, and the last ones of so many."""
    fold, seq, rows, spent = Fold(EMPTY), 1, [], []
    fold.step(1, START, PolicySet(values=DEFAULT.values), None)
    event = ra(0, 0, "e0")
    for number in range(versions):
        seq += 1
        start = time.perf_counter_ns()
        fold.step(seq, START + seq, _other(event, number), None)
        spent.append(time.perf_counter_ns() - start)
        if number + 1 in (200, versions):
            rows.append({"version": number + 1, "version_us": round(sorted(spent[-100:])[50] / 1000, 1)})
    assert fold.state.pvds["fqdn:pvd0.example."].cells["e0", 1, ""].version >= versions
    return rows


def _other(event: AnyEvent, number: int) -> AnyEvent:
    """An RA whose header differs from the one before: each is a version."""
    assert isinstance(event, RouterAdvertised)
    return replace(event, header=replace(event.header, managed=bool(number % 2)))
