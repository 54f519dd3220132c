"""Which entries of a State's map are others than a moment ago.

Law: an entry is another if it is another object, as States share what did not change. All are looked at, but by C: of a
thousand PvDs one has changed, and to compare them one by one would cost more than all that is done about it.
"""

from collections.abc import Mapping
from itertools import compress
from operator import is_not
from typing import Generic, TypeVar

Key = TypeVar("Key", str, tuple[str, str])


class Stirred(Generic[Key]):
    """Remembers one map. Entries that share one object (as all empty tuples do) count as one."""

    def __init__(self) -> None:
        self._held: Mapping[Key, object] | None = None
        self._values: list[object] = []  # held on to, so that no address in memory is used again meanwhile

    def since(self, now: Mapping[Key, object]) -> list[Key]:
        """The keys, sorted, of entries that came or are others since the last call; others may be among them when some
        went, too."""
        if now is self._held:
            return []
        self._held, before, values = now, self._values, list(now.values())
        self._values = values
        if len(before) == len(values):  # the same keys stand in the same order
            return sorted(compress(now.keys(), map(is_not, values, before)))
        known = set(map(id, before))
        return sorted(key for key, one in zip(now.keys(), map(id, values), strict=True) if one not in known)
