"""What the words of one router about one prefix come to: each speaks of two things, or says nothing of one of them.

Law: whether a prefix is on the link (L, RFC 4861 §6.3.4) and whether addresses are formed of it (A, RFC 4862 §5.5.3)
end apart, and a word without the flag neither ends nor prolongs what one with it said. The last word is the `prefix`;
what an earlier one said and this one doesn't stands beside it, as `on_link` or `autonomous`, until its own end. Where
the `prefix` ends first, what is left takes its place: nothing of the two is ever held without one.
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from pvdcore.state import Held

Slots = dict[tuple[str, str], Held]

PARTS: Final = {"on_link": 0, "autonomous": 1}
"""The kinds that stand beside a `prefix`, and where in its value the flag of each is."""

FORMING: Final = frozenset({"prefix", "autonomous"})


def apart(prefix: Held, kind: str) -> Held:
    """One part of a prefix, alone."""
    return replace(prefix, kind=kind, value=(kind == "on_link", kind == "autonomous", prefix.value[2]))


def autonomous(held: Held) -> bool:
    """Whether an item says that addresses are formed of a prefix."""
    return held.kind in FORMING and bool(held.value[1])


def announced(after: Slots, said: set[tuple[str, str]], prefix: Held) -> None:
    """Take a word to what is held of its router. said: what its RA has said so far, which goes with it."""
    slot = ("prefix", prefix.key)
    known = after.get(slot)
    for kind, flag in PARTS.items():
        beside = (kind, prefix.key)
        if prefix.value[flag]:
            after.pop(beside, None)
        elif known is not None and known.value[flag]:
            after[beside] = apart(known, kind)
            if slot in said:
                said.add(beside)
    after[slot] = prefix
    said.add(slot)


def withdrawn(after: Slots, said: set[tuple[str, str]], word: Held) -> None:
    """Take a word with lifetime 0 to what is held: it ends what its flags speak of, and without any what has none."""
    slot = ("prefix", word.key)
    known = after.get(slot)
    for kind, flag in PARTS.items():
        if word.value[flag]:
            after.pop((kind, word.key), None)
    if known is None:
        return
    left = [bool(known.value[flag] and not word.value[flag]) for flag in PARTS.values()]
    if any(left):
        after[slot] = replace(known, value=(*left, known.value[2]))
        return
    del after[slot]
    said.discard(slot)
    rest = next(((kind, word.key) for kind in PARTS if (kind, word.key) in after), None)
    if rest is not None:
        after[slot] = replace(after.pop(rest), kind="prefix")
        if rest in said:
            said.add(slot)


def whole(left: Iterable[Held]) -> tuple[Held, ...]:
    """What is left of a router's words when some ended: a part whose prefix did takes its place."""
    found = list(left)
    prefixes = {one.key for one in found if one.kind == "prefix"}
    for place, one in enumerate(found):
        if one.kind in PARTS and one.key not in prefixes:
            prefixes.add(one.key)
            found[place] = replace(one, kind="prefix")
    return tuple(found)
