"""Deadlines in an order that is never rebuilt: a persistent leftist heap (Okasaki 1998, §3.1).

Law: the heap says when to look, not what to do: an entry may be early (what it stands for was refreshed since), never
late. So a refresh costs no heap operation, and asking for the next deadline does not scan.
"""

from events.ids import NEVER, Instant
from pvdcore.state import Heap

Key = tuple[str, ...]


def merge(a: Heap, b: Heap) -> Heap:
    """One heap of two."""
    if a is None:
        return b
    if b is None:
        return a
    if b[1] < a[1] or (b[1] == a[1] and b[2] < a[2]):
        a, b = b, a
    left, right = a[3], merge(a[4], b)
    assert right is not None  # it holds b
    left_rank = left[0] if left is not None else 0
    if left_rank >= right[0]:
        return (right[0] + 1, a[1], a[2], left, right)
    return (left_rank + 1, a[1], a[2], right, left)


def push(heap: Heap, at: Instant, key: Key) -> Heap:
    """The heap with one more entry."""
    return merge(heap, (1, at, key, None, None))


def pop(heap: Heap) -> tuple[Instant, Key, Heap]:
    """The earliest entry, and the heap without it. The heap must not be empty."""
    assert heap is not None
    return heap[1], heap[2], merge(heap[3], heap[4])


def earliest(heap: Heap) -> Instant:
    """When to look next; NEVER for an empty heap."""
    return heap[1] if heap is not None else NEVER
