"""Every hostile DHCP message of hostile_dhcp.py has the outcome that stands beside it (its cost: test_bounded.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.wire.cursor import Malformed
from adapters.wire.rules import DHCP_REASONS, NOTES, REASONS, RULES
from events.dhcp import Ignored
from tests.wire import hostile_dhcp
from tests.wire.dhcp_octets import BEFORE4, BEFORE6, ack, bare, decode4, decode6, o4, o6, reply, said, u16
from tests.wire.hostile_dhcp import Case, Ignores, Rejected, Says


def cases(table: list[Case]) -> list[Any]:
    return [
        pytest.param(payload, outcome, marks=pytest.mark.covers(f"evil:{entry}"), id=f"{entry} {what}")
        for entry, what, payload, outcome in table
    ]


def check(decode: Callable[[bytes], Any], before: int, payload: bytes, outcome: hostile_dhcp.Outcome) -> None:
    if isinstance(outcome, Rejected):
        with pytest.raises(Malformed) as caught:
            decode(payload)
        assert caught.value.rule == outcome.rule
        assert outcome.rule in RULES
        assert before <= caught.value.offset <= before + len(payload)
        if outcome.offset is not None:
            assert caught.value.offset - before == outcome.offset
        return
    message = decode(payload)
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


@pytest.mark.covers("evil:E100", "rfc:W15")
@pytest.mark.parametrize(("destination", "taken"), [("ff02::1", False), ("fe80::2", True)])
def test_a_reconfigure_is_for_one_host(destination: str, taken: bool) -> None:
    payload = hostile_dhcp.v6(10, hostile_dhcp.IDS, hostile_dhcp.o6(19, b"\x06"))
    if taken:
        assert decode6(payload, destination=destination).message == "RECONFIGURE"
        return
    with pytest.raises(Malformed) as caught:
        decode6(payload, destination=destination)
    assert caught.value.rule == "dhcp6-reconfigure-multicast"


# Reasons that no numbered entry asks for, each by one packet.
OTHERS4 = [o4(100, b"CET\n"), o4(119, b"\0"), o4(82, b"\1"), o4(82, b"\1\2a"), o4(160, b"x")]
OTHERS6 = [
    o6(56, u16(1), u16(1), b"x"),
    o6(56, u16(2), u16(1), b"x"),
    o6(56, u16(3), u16(2), b"\0\0"),
]
# Rules with a test of their own: one needs a destination, the other an option that we do not have.
ELSEWHERE = {"dhcp6-reconfigure-multicast", "dhcp6-option-nesting"}


def reasons(options: tuple[Any, ...]) -> Iterator[str]:
    for option in options:
        if isinstance(option, Ignored):
            yield option.reason
        yield from reasons(getattr(option, "options", ()))


def test_every_rule_and_reason_of_the_tables_is_met_and_no_other() -> None:
    met: set[str] = set(ELSEWHERE)
    for decode, payloads in (
        (decode4, [case[2] for case in hostile_dhcp.DHCP4] + [ack(option) for option in OTHERS4]),
        (decode6, [case[2] for case in hostile_dhcp.DHCP6] + [reply(option) for option in OTHERS6]),
    ):
        for payload in payloads:
            try:
                message = decode(payload)
            except Malformed as refusal:
                met.add(refusal.rule)
            else:
                met |= set(reasons(message.options))
    assert {rule for rule in RULES if rule.startswith("dhcp")} | set(DHCP_REASONS) <= met
    assert met <= set(RULES) | set(DHCP_REASONS) | set(REASONS)
