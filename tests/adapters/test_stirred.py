"""Which entries of a map are others: against the plain comparison of all."""

from __future__ import annotations

import random

from immutables import Map

from adapters.places.stirred import Stirred


def test_what_came_or_is_another_is_told_and_little_else() -> None:
    chance = random.Random(7)
    stirred: Stirred[str] = Stirred()
    before: Map[str, object] = Map()
    for _ in range(500):
        now = before
        for _ in range(chance.randint(0, 3)):
            key = f"k{chance.randint(0, 40)}"
            now = now.delete(key) if key in now and chance.random() < 0.3 else now.set(key, object())
        other = sorted(key for key, one in now.items() if before.get(key) is not one)
        told = stirred.since(now)
        assert set(other) <= set(told) <= set(now) and told == sorted(told)
        if set(before) <= set(now):
            assert told == other, "exactly, where nothing went"
        before = now
    assert stirred.since(before) == []
