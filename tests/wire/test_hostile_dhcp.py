"""Every hostile DHCP message of hostile_dhcp.py has the outcome that stands beside it, in bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from adapters.wire.cursor import Malformed
from adapters.wire.rules import DHCP_REASONS, NOTES, REASONS, RULES
from events.dhcp import Ignored
from tests.wire import hostile_dhcp
from tests.wire.dhcp_octets import BEFORE4, BEFORE6, bare, decode4, decode6, said
from tests.wire.hostile_dhcp import Case, Ignores, Rejected, Says

SECONDS_MAX = 0.5  # for one message of at most 76 kB, on a slow machine


def cases(table: list[Case]) -> list[Any]:
    return [
        pytest.param(payload, outcome, marks=pytest.mark.covers(f"evil:{entry}"), id=f"{entry} {what}")
        for entry, what, payload, outcome in table
    ]


def check(decode: Callable[[bytes], Any], before: int, payload: bytes, outcome: hostile_dhcp.Outcome) -> None:
    begun = time.perf_counter()
    if isinstance(outcome, Rejected):
        with pytest.raises(Malformed) as caught:
            decode(payload)
        assert caught.value.rule == outcome.rule
        assert outcome.rule in RULES
        assert before <= caught.value.offset <= before + len(payload)
        if outcome.offset is not None:
            assert caught.value.offset - before == outcome.offset
        assert time.perf_counter() - begun < SECONDS_MAX
        return
    message = decode(payload)
    assert time.perf_counter() - begun < SECONDS_MAX
    if isinstance(outcome, Ignores):
        parts = said(message, outcome.code)
        assert [(type(part), part.reason) for part in parts] == [(Ignored, outcome.reason)]
        # and no other option suffers for it
        others = [part for part in message.options if part.code != outcome.code]
        assert not [part for part in others if isinstance(part, Ignored)]
    else:
        assert isinstance(outcome, Says)
        assert {code: said(message, code) for code in outcome.parts} == outcome.parts
        assert {name: getattr(message, name) for name in outcome.fields} == outcome.fields
        assert tuple(note.code for note in message.notes) == outcome.notes
    for part in message.options:
        assert before <= part.at < part.at + part.length <= before + len(payload)
        if isinstance(part, Ignored):
            assert part.reason in DHCP_REASONS or part.reason in REASONS
    assert all(note.code in NOTES for note in message.notes)
    assert [bare(part) for part in decode(payload).options] == [bare(part) for part in message.options]


@pytest.mark.parametrize(("payload", "outcome"), cases(hostile_dhcp.DHCP4))
def test_dhcp4(payload: bytes, outcome: hostile_dhcp.Outcome) -> None:
    check(decode4, len(BEFORE4), payload, outcome)


@pytest.mark.parametrize(("payload", "outcome"), cases(hostile_dhcp.DHCP6))
def test_dhcp6(payload: bytes, outcome: hostile_dhcp.Outcome) -> None:
    check(decode6, len(BEFORE6), payload, outcome)


@pytest.mark.covers("evil:E100")
@pytest.mark.parametrize(("destination", "taken"), [("ff02::1", False), ("fe80::2", True)])
def test_a_reconfigure_is_for_one_host(destination: str, taken: bool) -> None:
    payload = hostile_dhcp.v6(10, hostile_dhcp.IDS, hostile_dhcp.o6(19, b"\x06"))
    if taken:
        assert decode6(payload, destination=destination).message == "RECONFIGURE"
        return
    with pytest.raises(Malformed) as caught:
        decode6(payload, destination=destination)
    assert caught.value.rule == "dhcp6-reconfigure-multicast"
