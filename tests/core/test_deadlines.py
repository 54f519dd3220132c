"""The heap of deadlines: the earliest comes first, and who holds an older heap still has it.

Law: a heap is compared with a list of the same entries, sorted.
"""

import random

import pytest

from events.ids import NEVER, Instant
from pvdcore.deadlines import Key, earliest, merge, pop, push
from pvdcore.state import Heap

Entry = tuple[Instant, Key]


def heap_of(entries: list[Entry]) -> Heap:
    heap: Heap = None
    for at, key in entries:
        heap = push(heap, at, key)
    return heap


def drained(heap: Heap, most: int) -> list[Entry]:
    """All entries in the order in which they come; `most`: no more are asked for."""
    found = []
    while heap is not None and len(found) <= most:
        at = earliest(heap)
        first, key, heap = pop(heap)
        assert first == at
        found.append((at, key))
    return found


def drawn(seed: int, count: int) -> list[Entry]:
    draw = random.Random(seed)
    return [(draw.randrange(count), (draw.choice("ab"), str(draw.randrange(3)))) for _ in range(count)]


ORDERS: dict[str, list[Entry]] = {
    "one after the other": [(at, ("a",)) for at in range(40)],
    "the last one first": [(at, ("a",)) for at in range(40, 0, -1)],
    "all at once": [(7, ("b", str(number % 5))) for number in range(40)],
    "anyhow": drawn(1, 60),
    "anyhow, too": drawn(2, 61),
    "a single one": [(3, ("c",))],
    "none": [],
}


@pytest.mark.parametrize("entries", ORDERS.values(), ids=ORDERS)
def test_what_ends_first_comes_first_and_of_one_instant_by_name(entries: list[Entry]) -> None:
    heap = heap_of(entries)
    assert drained(heap, len(entries)) == sorted(entries)
    assert drained(heap, len(entries)) == sorted(entries), "who holds a heap keeps it whoever takes from it"
    assert earliest(heap) == min((at for at, _ in entries), default=NEVER)


@pytest.mark.parametrize("cut", [0, 1, 13, 30, 60])
def test_two_heaps_are_one_in_either_order(cut: int) -> None:
    entries = drawn(3, 60)
    one, other = heap_of(entries[:cut]), heap_of(entries[cut:])
    assert drained(merge(one, other), 60) == drained(merge(other, one), 60) == sorted(entries)


def depth(heap: Heap) -> int:
    """How far a merge goes down: always to the right."""
    return 0 if heap is None else 1 + depth(heap[4])


@pytest.mark.parametrize("entries", [*ORDERS.values(), drawn(4, 1000)], ids=[*ORDERS, "a thousand"])
def test_however_they_came_a_merge_looks_at_a_logarithm_of_them(entries: list[Entry]) -> None:
    heap, left = heap_of(entries), len(entries)
    while heap is not None and left:
        assert 2 ** depth(heap) <= left + 1
        _, _, heap = pop(heap)
        left -= 1
    assert heap is None and left == 0
