"""Settling with a helper that a test plays: what cannot be taken away is not tried all the time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from adapters.places.helper import Answer
from adapters.places.settle import Settler
from events.codec import AnyEvent
from events.ids import SECOND, Instant
from events.ops import NetnsDelete, Op, Outcome, PlanMade, RuleDelete
from pvdcore.projections.plan import Look
from pvdcore.projections.tables import TABLES_FIRST
from pvdcore.state import State

START = 1_700_000_000 * SECOND


class Session:
    """Time that a test turns, and what was said in it."""

    def __init__(self) -> None:
        self.state = State()
        self.stirred: list[str] = []
        self.at: Instant = START
        self.said: list[AnyEvent] = []

    def now(self) -> Instant:
        return self.at

    def submit(self, event: AnyEvent) -> None:
        self.said.append(event)


class Stubborn:
    """A helper that may not delete anything."""

    def __init__(self, looks: dict[str, Look]) -> None:
        self.looks = looks
        self.asked: list[tuple[Op, ...]] = []

    def list_places(self, done: Callable[[Answer], None]) -> None:
        done(Answer(1, self.looks))

    def look(self, netns: str, tables: tuple[int, ...], done: Callable[[Answer], None]) -> None:
        done(Answer(1, self.looks))

    def apply(self, netns: str, tables: tuple[int, ...], ops: tuple[Op, ...], done: Callable[[Answer], None]) -> None:
        self.asked.append(ops)
        done(Answer(1, self.looks, tuple(Outcome(op, "EPERM") for op in ops)))


LEFT = {
    "a namespace": ({"": Look(), "pvd-0123456789": Look(mark="fqdn:x.example.")}, NetnsDelete("pvd-0123456789")),
    "a rule": (
        {"": Look(rules=((17_000, "2001:db8::1/128", TABLES_FIRST),))},
        RuleDelete("", 17_000, "2001:db8::1/128", TABLES_FIRST),
    ),
}


@pytest.mark.parametrize("what", LEFT)
def test_what_was_left_behind_and_cannot_be_taken_away_is_tried_later_each_time(what: str) -> None:
    looks, op = LEFT[what]
    session, helper = Session(), Stubborn(looks)
    settler = Settler(session, helper)
    settler.begin()
    tried: list[Instant] = []
    for _ in range(5):
        settler.changed(session.state)
        settler.durable()  # what was planned is applied
        tried.append(session.at)
        settler.changed(session.state)
        assert len(helper.asked) == len(tried) == sum(isinstance(one, PlanMade) for one in session.said)
        session.at = settler.wake_at()
        settler.tick()
    assert helper.asked == [(op,)] * 5
    waits = [after - before for before, after in pairwise(tried)]
    assert waits == [100_000_000 << count for count in range(4)]
