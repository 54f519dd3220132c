"""What one RA costs as the number of PvDs grows, and as the number of versions of one PvD does.

Law: only the fold is timed, in time of the processor; frames are translated before. D.3's bounds are raised by the
policy that is printed. At every number of PvDs the RAs that are timed do the same work: each router has said its first
words, then others, then is timed with one RA of each kind; where there are few, they are folded several times over.
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
SAMPLES = 200  # RAs timed at each size, in each round
ROUNDS = 5


def ra(router: int, turn: int, link: str) -> AnyEvent:
    """An RA; `turn` in steps of 16 is another prefix, otherwise only lifetimes."""
    return translate(Frame(START, link, ETHERNET, router_advertisement(router, turn)))[0]


def by_size(policy: dict[str, int], links: int) -> list[dict[str, float]]:
    """us an RA that changes lifetimes, and one that changes a prefix, at each number of live PvDs; in rounds over all
    numbers, since a machine is not as fast all the time."""
    lifetimes: dict[int, list[int]] = {size: [] for size in SIZES}
    prefixes: dict[int, list[int]] = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        for size in SIZES:
            for _ in range(max(1, SAMPLES // size)):
                one, other = _timed(size, policy, links)
                lifetimes[size] += one
                prefixes[size] += other
    return [
        {"pvds": size, "lifetimes_us": _median_us(lifetimes[size]), "prefix_us": _median_us(prefixes[size])}
        for size in SIZES
    ]


def _timed(size: int, policy: dict[str, int], links: int) -> list[list[int]]:
    """Nanoseconds of RAs that change lifetimes, and of such as change a prefix."""
    fold, seq = Fold(EMPTY), 1
    fold.step(1, START, PolicySet(values={**DEFAULT.values, **policy}), None)
    timed = range(min(size, SAMPLES))
    for turn, routers in ((1, range(size)), (2, timed)):
        for router in routers:
            seq += 1
            fold.step(seq, START + seq, ra(router, turn, f"e{router % links}"), None)
    assert sum(1 for one in fold.state.pvds.values() if one.cells) == size
    spent: list[list[int]] = []
    for turn in (3, 16):
        spent.append([])
        for event in [ra(router, turn, f"e{router % links}") for router in timed]:
            seq += 1
            start = time.thread_time_ns()
            fold.step(seq, START + seq, event, None)
            spent[-1].append(time.thread_time_ns() - start)
    return spent


def _median_us(spent: list[int]) -> float:
    return round(sorted(spent)[len(spent) // 2] / 1000, 1)


def by_version(versions: int) -> list[dict[str, float]]:
    """us a version of one PvD: the first ones, and the last ones of so many."""
    fold, seq, rows, spent = Fold(EMPTY), 1, [], []
    fold.step(1, START, PolicySet(values=DEFAULT.values), None)
    event = ra(0, 0, "e0")
    for number in range(versions):
        seq += 1
        start = time.thread_time_ns()
        fold.step(seq, START + seq, _other(event, number), None)
        spent.append(time.thread_time_ns() - start)
        if number + 1 in (200, versions):
            rows.append({"version": number + 1, "version_us": _median_us(spent[-100:])})
    assert fold.state.pvds["fqdn:pvd0.example."].cells["e0", 1, ""].version >= versions
    return rows


def _other(event: AnyEvent, number: int) -> AnyEvent:
    """An RA whose header differs from the one before: each is a version."""
    assert isinstance(event, RouterAdvertised)
    return replace(event, header=replace(event.header, managed=bool(number % 2)))
