"""Which entries of a State's map are others than a moment ago.

Law: an entry is another if it is another object, as States share what did not change. All are looked at, but by C: of a
thousand PvDs one has changed, and to compare them one by one would cost more than all that is done about it.
"""

from collections.abc import Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", str, tuple[str, str])


class Stirred(Generic[Key]):
    """Remembers one map. Entries that share one object (as all empty tuples do) count as one."""

    def __init__(self) -> None:
        self._held: Mapping[Key, object] | None = None  # so that no address in memory is used again meanwhile
        self._known: dict[int, Key] = {}

    def since(self, now: Mapping[Key, object]) -> list[Key]:
        """The keys, sorted, of entries that came or are others since the last call."""
        if now is self._held:
            return []
        known = dict(zip(map(id, now.values()), now.keys(), strict=True))
        fresh = known.keys() - self._known.keys()
        self._held, self._known = now, known
        return sorted(known[one] for one in fresh)
