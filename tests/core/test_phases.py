"""The table of phases is whole: every phase and cause is a row or a refusal, and only the rows lead on."""

import pytest

from pvdcore import phases
from pvdcore.phases import ANNOUNCED, CAUSES, GONE, LINGERING, PHASES, PLACED, TABLE, UNBORN, Refused, furthest, step
from tests.sim.build import R1, Story, pvd, ra

# Argued by hand (house.md "Phases"), not read from the table: what may follow what.
REFUSED = {
    (UNBORN, "placed"): "nothing that was never announced stands in a kernel",
    (UNBORN, "ended"): "nothing ends that never began",
    (UNBORN, "ended-in-use"): "nothing ends that never began",
    (UNBORN, "users-left"): "nobody is inside",
    (UNBORN, "displaced"): "it stands nowhere",
    (ANNOUNCED, "ended-in-use"): "nobody can be inside what was not placed",
    (ANNOUNCED, "users-left"): "nobody can be inside what was not placed",
    (ANNOUNCED, "displaced"): "it stands nowhere",
    (PLACED, "users-left"): "what the network still says does not end with its users",
    (LINGERING, "placed"): "what the network no longer says is not written anew",
    (LINGERING, "ended"): "it ends when its users leave",
    (LINGERING, "displaced"): "it ends when its users leave",
    (GONE, "placed"): "nothing is left to place",
    (GONE, "ended"): "it has ended",
    (GONE, "ended-in-use"): "it has ended",
    (GONE, "users-left"): "it has ended",
    (GONE, "displaced"): "it stands nowhere",
}


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_and_cause_is_a_row_or_a_refusal(phase: str, cause: str) -> None:
    assert ((phase, cause) in TABLE) != ((phase, cause) in REFUSED)
    if (phase, cause) in REFUSED:
        with pytest.raises(Refused, match=cause):
            step(phase, cause)
    else:
        assert step(phase, cause) in (ANNOUNCED, PLACED, LINGERING, GONE)


def test_the_table_names_no_other_phase_or_cause() -> None:
    assert {phase for phase, _ in TABLE} | set(TABLE.values()) == set(PHASES)
    assert {cause for _, cause in TABLE} == set(CAUSES)
    assert UNBORN not in TABLE.values()


def test_from_the_beginning_every_phase_can_be_reached_and_left() -> None:
    reached = {UNBORN}
    while (more := reached | {TABLE[row] for row in TABLE if row[0] in reached}) != reached:
        reached = more
    assert reached == set(PHASES)
    for phase in PHASES:
        assert any(before == phase and after != phase for (before, _), after in TABLE.items())


@pytest.mark.parametrize(
    ("instances", "whole"),
    [
        ([], GONE),
        ([GONE, LINGERING], LINGERING),
        ([LINGERING, ANNOUNCED], ANNOUNCED),
        ([ANNOUNCED, PLACED, GONE], PLACED),
    ],
)
def test_a_pvd_is_as_far_as_its_furthest_instance(instances: list[str], whole: str) -> None:
    assert furthest(instances) == whole


def test_an_observer_sees_announced_and_gone_and_announced_again() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), life=60)).at(60)
    told.at(100).hear(ra(R1, pvd("x.example."), life=60)).at(160)
    found = [(one.phase_before, one.phase) for one in told.history("fqdn:x.example.")]
    assert found == [("", ANNOUNCED), (ANNOUNCED, GONE)] * 2
    assert phases.FURTHEST[0] == PLACED  # which only the outcome of a real kernel gives
