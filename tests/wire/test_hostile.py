"""Every row of hostile.py is read as that table says, as itself and behind every other link layer."""

import pytest

from adapters.ingest import Translator, translate, wanted
from adapters.wire.rules import REASONS, RULES
from events.frames import FrameRejected
from tests.wire.hostile import HOSTILE, Case
from tests.wire.outcomes import OUTCOMES

ROWS = [
    pytest.param(
        case,
        id=f"E{case.entry} {case.what}",
        # The octets of an open entry are read here; what proves it is more than that.
        marks=() if OUTCOMES[case.entry].open else pytest.mark.covers(f"evil:E{case.entry}"),
    )
    for case in HOSTILE
]


@pytest.mark.parametrize("case", ROWS)
def test_a_hostile_packet_has_its_one_outcome(case: Case) -> None:
    events = translate(case.frame)
    if case.outcome is None:
        assert events == ()
        return
    (event,) = events
    if isinstance(case.outcome, str):
        assert isinstance(event, FrameRejected), event
        assert f"{event.protocol} {event.rule}" == case.outcome
        assert 0 <= event.offset <= len(case.frame.data)
        assert event.detail
    else:
        assert not isinstance(event, FrameRejected), event
        assert {field: getattr(event, field) for field in case.outcome} == case.outcome
    assert wanted(case.frame.linktype, case.frame.data)
    assert Translator().translate(case.frame) == events


def test_the_table_has_every_entry_of_its_part() -> None:
    assert {case.entry for case in HOSTILE} == {*range(1, 47), 77, *range(89, 93), 98}


def test_every_rule_and_reason_of_nd_has_a_hostile_packet() -> None:
    rules: set[str] = set()
    reasons: set[str] = set()
    for case in HOSTILE:
        for event in translate(case.frame):
            if isinstance(event, FrameRejected):
                rules.add(event.rule)
            for option in getattr(event, "options", ()):
                reasons.add(getattr(option, "reason", ""))
                for nested in getattr(option, "options", ()):
                    reasons.add(getattr(nested, "reason", ""))
    elsewhere = {"ip-version", "ip-checksum", "ip-fragment", "udp-length"}  # test_carrier.py
    assert rules <= set(RULES)
    assert reasons - {""} == set(REASONS)
    assert {rule for rule in RULES if not rule.startswith(("dhcp", "netlink"))} - rules == elsewhere
