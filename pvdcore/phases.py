"""The phases of a PvD instance, as a table.

Law: a phase changes by a row of this table or not at all.

An instance is `announced` when the network says it, `placed` when a real kernel has it (an outcome record says so),
`lingering` when the network no longer says it but processes are still inside, `gone` when nothing is left. A capture,
or a daemon that only observes, knows `announced` and `gone` alone.
"""

from typing import Final

ANNOUNCED: Final = "announced"
PLACED: Final = "placed"
LINGERING: Final = "lingering"
GONE: Final = "gone"
UNBORN: Final = ""

PHASES: Final = (UNBORN, ANNOUNCED, PLACED, LINGERING, GONE)
CAUSES: Final = ("heard", "placed", "ended", "ended-in-use", "users-left", "displaced")

TABLE: Final[dict[tuple[str, str], str]] = {
    # (phase, cause): phase after. What is not here is refused.
    (UNBORN, "heard"): ANNOUNCED,
    (ANNOUNCED, "heard"): ANNOUNCED,
    (ANNOUNCED, "placed"): PLACED,
    (ANNOUNCED, "ended"): GONE,
    (PLACED, "heard"): PLACED,
    (PLACED, "placed"): PLACED,
    (PLACED, "displaced"): ANNOUNCED,
    (PLACED, "ended"): GONE,
    (PLACED, "ended-in-use"): LINGERING,
    (LINGERING, "heard"): PLACED,
    (LINGERING, "users-left"): GONE,
    (LINGERING, "ended-in-use"): LINGERING,
    (GONE, "heard"): ANNOUNCED,
}

FURTHEST: Final = (PLACED, ANNOUNCED, LINGERING, GONE)
"""A PvD's phase is the first of these that one of its instances is in."""


class Refused(ValueError):
    """A change of phase that is no row of the table."""


def step(phase: str, cause: str) -> str:
    """The phase after `cause`. Raises Refused."""
    try:
        return TABLE[phase, cause]
    except KeyError:
        raise Refused(f"an instance that is {phase or 'unborn'} can't be {cause}") from None


def furthest(phases: list[str]) -> str:
    """A PvD's phase, of its instances'."""
    return next((phase for phase in FURTHEST if phase in phases), GONE)
