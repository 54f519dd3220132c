"""What one RA costs as the number of PvDs grows, and as the number of versions of one PvD does.

Law: only the fold is timed; each frame is translated right before, as it is in life. D.3's bounds are raised by the
policy that is printed. What differs between sizes is how many PvDs live beside those that are spoken of, and nothing
else: as many routers speak at every size, in the same order, so that as much memory is touched between two RAs of one
router. Where there are fewer PvDs than speakers, several folds of that size stand side by side. Sizes take turns, a few
RAs each, since a machine is not as fast all the time.

That is asked twice: of so many speakers that the processor's caches have forgotten each before it speaks again, and of
a few that they remember (`near`). One beside the other is what a cache is worth; it is no matter of how many PvDs live.
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
SPEAKERS = 200  # in as many folds as that takes
NEAR = 10
AT_ONCE = 20  # RAs at one size before the next one has its turn
ROUNDS = 5
TURNS = {"lifetimes": (3, 4, 5), "prefix": (16,)}  # of each speaker, by kind
NEAR_TURNS = {"lifetimes": (18, 19, 20, 21), "prefix": (32, 48)}  # of which the first only brings them near


def ra(router: int, turn: int, link: str) -> AnyEvent:
    """An RA; `turn` in steps of 16 is another prefix, otherwise only lifetimes."""
    return translate(Frame(START, link, ETHERNET, router_advertisement(router, turn)))[0]


class Network:
    """Folds of so many PvDs each, in which each router said its first words, then others; SPEAKERS of them go on."""

    def __init__(self, size: int, policy: dict[str, int], links: int) -> None:
        self._links = links
        self._seq = 1
        self.speakers: list[tuple[Fold, int]] = []
        for first in range(0, SPEAKERS, size):
            fold = Fold(EMPTY)
            fold.step(1, START, PolicySet(values={**DEFAULT.values, **policy}), None)
            routers = [(fold, router) for router in range(first, first + size)]
            for turn in (1, 2):
                for one in routers:
                    self.say(one, turn)
            assert sum(1 for one in fold.state.pvds.values() if one.cells) == size
            self.speakers += routers[:SPEAKERS]

    def say(self, speaker: tuple[Fold, int], turn: int) -> int:
        """One RA; the nanoseconds of its fold."""
        fold, router = speaker
        event = ra(router, turn, f"e{router % self._links}")
        self._seq += 1
        start = time.perf_counter_ns()
        fold.step(self._seq, START + self._seq, event, None)
        return time.perf_counter_ns() - start


def by_size(policy: dict[str, int], links: int) -> list[dict[str, float]]:
    """us an RA that changes lifetimes, and one that changes a prefix, at each number of live PvDs."""
    spent: dict[int, dict[str, list[int]]] = {size: {} for size in SIZES}
    for _ in range(ROUNDS):
        networks = {size: Network(size, policy, links) for size in SIZES}
        for kind, turns in TURNS.items():
            for turn in turns:
                for at in range(0, SPEAKERS, AT_ONCE):
                    for size, network in networks.items():
                        found = spent[size].setdefault(kind, [])
                        found += [network.say(one, turn) for one in network.speakers[at : at + AT_ONCE]]
        for size, network in networks.items():
            for kind, (first, *turns) in NEAR_TURNS.items():
                for turn in (first, *turns):
                    told = [network.say(one, turn) for one in network.speakers[:NEAR]]
                    spent[size].setdefault(f"near_{kind}", []).extend(told if turn in turns else ())
    return [
        {"pvds": size, **{f"{kind}_us": _median_us(found) for kind, found in spent[size].items()}} for size in SIZES
    ]


def _median_us(spent: list[int]) -> float:
    return round(sorted(spent)[len(spent) // 2] / 1000, 1)


class Single:
    """The fold of one PvD, each of whose RAs is a version."""

    def __init__(self) -> None:
        self.fold, self.versions, self._event = Fold(EMPTY), 0, ra(0, 0, "e0")
        self.fold.step(1, START, PolicySet(values=DEFAULT.values), None)

    def say(self) -> int:
        """One version more; the nanoseconds of its fold."""
        seq, event = self.versions + 2, _other(self._event, self.versions)
        start = time.perf_counter_ns()
        self.fold.step(seq, START + seq, event, None)
        spent = time.perf_counter_ns() - start
        self.versions = self.fold.state.pvds["fqdn:pvd0.example."].cells["e0", 1, ""].version
        return spent


def by_version(versions: int) -> list[dict[str, float]]:
    """us a version of one PvD: the first two hundred, and the last of so many, in turn."""
    young, old = Single(), Single()
    for _ in range(versions - SPEAKERS):
        old.say()
    pairs = [(young.say(), old.say()) for _ in range(SPEAKERS)]
    assert (young.versions, old.versions) == (SPEAKERS, versions)
    return [
        {"version": one.versions, "version_us": _median_us(list(spent))}
        for one, spent in zip((young, old), zip(*pairs, strict=True), strict=True)
    ]


def _other(event: AnyEvent, number: int) -> AnyEvent:
    """An RA whose header differs from the one before: each is a version."""
    assert isinstance(event, RouterAdvertised)
    return replace(event, header=replace(event.header, managed=bool(number % 2)))
