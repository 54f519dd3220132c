"""A router that only moves lifetimes, or announces several sets in turn: the quick way leaves what the long way would.

Law: each story is folded twice, once with `revised.swap` and `revised.revise` and once without them, and everything is
compared: the State, its findings, and every line of history.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.ingest import translate
from events.codec import AnyEvent
from events.frames import ETHERNET, Frame
from events.identifiers import IdentifierChosen
from events.ids import SECOND
from events.router import PrefixInformation, PvdOption, RouteInformation, RouterAdvertised
from pvdcore.past.snapshot import encode
from pvdcore.reduce import Fold
from pvdcore.routers import revised
from pvdcore.state import EMPTY, Change, State
from tests.bench.inputs import START, router_advertisement
from tests.sim import build

Story = list[tuple[int, AnyEvent]]


def ra(router: int, turn: int) -> RouterAdvertised:
    (event,) = translate(Frame(START, "e0", ETHERNET, router_advertisement(router, turn)))
    assert isinstance(event, RouterAdvertised)
    return event


def folded(story: Story) -> tuple[State, list[Change]]:
    fold, lines = Fold(EMPTY), []
    for seq, (at, event) in enumerate(story, 1):
        fold.step(seq, at, event, None)
        lines += fold.draft.changes
    return fold.state, lines


def both(story: Story, way: str = "swap") -> int:
    """Fold a story in both ways; how often a quick one was taken."""
    taken = []
    with pytest.MonkeyPatch.context() as patch:
        quick = getattr(revised, way)
        patch.setattr(revised, way, lambda draft, event: quick(draft, event) and (taken.append(event) or True))
        fast = folded(story)
        for one in ("swap", "revise"):
            patch.setattr(revised, one, lambda draft, event: False)
        slow = folded(story)
    assert encode(fast[0]) == encode(slow[0])
    assert fast[1] == slow[1]
    return len(taken)


def test_four_sets_of_prefixes_in_turn_are_known_again_in_the_second_round() -> None:
    story = [(START + n * 4 * SECOND, ra(n % 3, n // 3 * 16 + n // 36)) for n in range(120)]
    # The first round adds items; in the second, three of four sets stand before more items than when they were said.
    assert both(story) == 120 - 3 * 4


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_whatever_routers_say_in_turn(seed: int) -> None:
    draw = random.Random(seed)
    at, story = START, []
    for _ in range(60):
        at += draw.choice((1, 1, 2, 4, 4, 4, 600, 5000)) * SECOND
        event = ra(draw.choice((0, 1, 4)), draw.randrange(4) * 16 + draw.randrange(16))
        if draw.random() < 0.3:
            event = changed(event, draw)
        story.append((at, event))
    both(story)


def changed(event: RouterAdvertised, draw: random.Random) -> RouterAdvertised:
    """The same with something odd: a lifetime, a header, a shared or withdrawn prefix, an option less."""
    options = list(event.options)
    place = draw.randrange(len(options))
    one = options[place]
    if isinstance(one, PrefixInformation):
        options[place] = draw.choice(
            (
                replace(one, valid_s=0, preferred_s=0),
                replace(one, valid_s=0, preferred_s=0, on_link=False),
                replace(one, valid_s=3),
                replace(one, prefix="2001:db8:aa::/64"),
                replace(one, on_link=False),
                replace(one, autonomous=False),
            )
        )
    elif isinstance(one, RouteInformation):
        options[place] = draw.choice(
            (replace(one, prefix="::/0"), replace(one, lifetime_s=0), replace(one, lifetime_s=7))
        )
    elif isinstance(one, PvdOption):
        inner = next(it for it in options if isinstance(it, PrefixInformation))
        options[place] = draw.choice(
            (replace(one, sequence=one.sequence + 1, http=True), replace(one, options=(inner,)))
        )
    else:
        del options[place]
    header = draw.choice((event.header, replace(event.header, managed=True), replace(event.header, lifetime_s=5)))
    return replace(event, options=tuple(options), header=header)


# One set, whose lifetimes count down

RIO, NAME = "2001:db8:ff::/48", "one.example."


def says(at: int, valid: int = 900, **other: Any) -> tuple[int, AnyEvent]:
    """A router's plain words at a second, with what is other this time: an option by its name, or of the RA."""
    prefixed = valid + other.pop("longer", 0)
    options = {
        "prefix": build.pio("2001:db8:1::/64", prefixed, prefixed // 2),
        "route": build.rio(RIO, valid),
        "dns": build.dns("2001:db8::53", life=valid),
        "search": build.search(NAME, life=valid),
        "mtu": build.mtu(1400),
    }
    options |= {name: other.pop(name) for name in options.keys() & other.keys()}
    router = other.pop("router", build.R1)
    told = [one for one in options.values() if one is not None]
    if name := other.pop("pvd", ""):
        told = [build.pvd(name, *told)]
    return START + at * SECOND, build.ra(router, *told, **other)


def test_lifetimes_that_count_down_are_taken_quickly() -> None:
    assert both([says(at, 900 - at) for at in range(0, 800, 100)], "revise") == 7
    assert both([says(at, 900 - at, dns=None, search=None) for at in range(0, 800, 100)], "revise") == 7
    assert both([says(0, 900), says(100, 300), says(200, 900), says(450, 890)], "revise") == 3, "an end may come nearer"
    assert both([says(0, 900), says(100, 50), says(130, 90), says(400, 900)], "revise") == 2


OTHER: dict[str, dict[str, Any]] = {
    "hop limit": {"hop": 64},
    "router lifetime": {"life": 600},
    "mac": {"mac": "02:00:00:00:00:77"},
    "one less": {"mtu": None},
    "one more": {"dns": build.dns("2001:db8::53", "2001:db8::54", life=900)},
    "another kind": {"mtu": build.portal("https://a.example/")},
    "mtu": {"mtu": build.mtu(1500)},
    "prefix": {"prefix": build.pio("2001:db8:2::/64")},
    "length": {"prefix": build.pio("2001:db8:1::/65")},
    "flags": {"prefix": build.pio("2001:db8:1::/64", flags="L")},
    "autonomous": {"prefix": build.pio("2001:db8:1::/64", flags="A")},
    "delegated": {"prefix": build.pio("2001:db8:1::/64", flags="LAP")},
    "no prefix": {"prefix": build.pio("2001:db8:1::/64", 0, 0)},
    "route": {"route": build.rio("2001:db8:fe::/48")},
    "preference": {"route": build.rio(RIO, pref="high")},
    "no route": {"route": build.rio(RIO, 0)},
    "resolver": {"dns": build.dns("2001:db8::54")},
    "no resolver": {"dns": build.dns("2001:db8::53", life=0)},
    "name": {"search": build.search("two.example.")},
    "no name": {"search": build.search(NAME, life=0)},
    "another router": {"router": build.R2, "longer": 9000},
}


@pytest.mark.parametrize("other", OTHER.values(), ids=OTHER)
@pytest.mark.parametrize("pvd", ["", "x.example."])
def test_what_is_other_than_a_lifetime_is_not_taken_for_one(other: dict[str, Any], pvd: str) -> None:
    story = [says(0, pvd=pvd), says(10, 890, pvd=pvd), says(20, 880, pvd=pvd, **other), says(30, 870, pvd=pvd)]
    both([*story, says(40, 860, pvd=pvd), says(50, 850, pvd=pvd, **other), says(60, 840, pvd=pvd, **other)])
    both([says(0, pvd=pvd, **other), says(10, 890, pvd=pvd, **other), *((at + 30 * SECOND, one) for at, one in story)])


def test_an_address_goes_along_with_lifetimes_that_count_down() -> None:
    chosen = IdentifierChosen(link="e0", epoch=1, prefix="2001:db8:1::/64", kind="stable", iid="a")
    story = [says(0, 9000), (START + SECOND, chosen), says(10, 8990), says(20, 8980), says(30, 60)]
    assert both([*story, says(40, 50), says(7100, 60)], "revise") == 0
