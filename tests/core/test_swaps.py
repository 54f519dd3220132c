"""A router that announces several sets of prefixes in turn: the quick way leaves what the long way would.

Law: each story is folded twice, once with `revised.swap` and `revised.revise` and once without them, and everything is
compared: the State, its findings, and every line of history.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.ingest import translate
from events.codec import AnyEvent
from events.frames import ETHERNET, Frame
from events.ids import SECOND
from events.router import PrefixInformation, PvdOption, RouteInformation, RouterAdvertised
from pvdcore.reduce import Fold
from pvdcore.routers import revised
from pvdcore.state import EMPTY, Change, State
from tests.bench.inputs import START, router_advertisement

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


def both(story: Story) -> int:
    """Fold a story in both ways; how often the quick one was taken."""
    taken = []
    with pytest.MonkeyPatch.context() as patch:
        quick = revised.swap
        patch.setattr(revised, "swap", lambda draft, event: quick(draft, event) and (taken.append(event) or True))
        fast = folded(story)
        patch.setattr(revised, "swap", lambda draft, event: False)
        patch.setattr(revised, "revise", lambda draft, event: False)
        slow = folded(story)
    assert fast[0] == slow[0]
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
