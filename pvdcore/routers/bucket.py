"""The bucket for strangers' RAs: how many frames of routers that nobody knows yet are let in (standards.md D.3).

Law: pure, and for live input only: what it refuses is counted in FramesRefused records, so that a journal folds to the
same State as the host did. A router that is held already never shares this bucket, so a flood of forged ones can't keep
its refreshes, nor its withdrawals, out.

One Gate a link. Tokens come at policy `bucket_rate` a second up to policy `bucket_frames`; a stranger's RA costs one.
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from events.frames import FramesRefused
from events.ids import SECOND, Instant, LinkId
from pvdcore.policy import Policy
from pvdcore.state import State

RULE: Final = "rate"
TALLY_NS: Final = 60 * SECOND  # a record of what was refused is due so long after the first of it
SAMPLES_MAX: Final = 3  # refused frames a tally that are journalled all the same, to see what came

PASS: Final = "pass"
SAMPLE: Final = "sample"
REFUSE: Final = "refuse"


class Gate(msgspec.Struct, frozen=True):
    """filled: billionths of a token, as of `at`, so that no fraction is lost. refused, first, last: the open tally."""

    link: LinkId
    filled: int
    at: Instant
    refused: int = 0
    first: Instant = 0
    last: Instant = 0


def opened(link: LinkId, now: Instant, policy: Policy) -> Gate:
    """A gate with a full bucket."""
    return Gate(link, policy.number("bucket_frames") * SECOND, now)


def admit(gate: Gate, state: State, router: str, now: Instant) -> tuple[Gate, str]:
    """Whether an RA of `router` is let in: PASS; SAMPLE: record it as evidence, fold nothing; REFUSE: only counted."""
    if (gate.link, router) in state.speakers:
        return gate, PASS
    full = state.policy.number("bucket_frames") * SECOND
    now = max(now, gate.at)  # a clock that goes back fills nothing
    filled = min(gate.filled + (now - gate.at) * state.policy.number("bucket_rate"), full)
    if filled >= SECOND:
        return replace(gate, filled=filled - SECOND, at=now), PASS
    first = gate.first if gate.refused else now
    gate = replace(gate, filled=filled, at=now, refused=gate.refused + 1, first=first, last=now)
    return gate, SAMPLE if gate.refused <= SAMPLES_MAX else REFUSE


def due(gate: Gate) -> Instant | None:
    """When the open tally is to be written; `None` while nothing was refused."""
    return gate.first + TALLY_NS if gate.refused else None


def tallied(gate: Gate) -> tuple[Gate, FramesRefused | None]:
    """Close the tally: the record to write, and the gate without it."""
    if not gate.refused:
        return gate, None
    said = FramesRefused(link=gate.link, rule=RULE, count=gate.refused, first=gate.first, last=gate.last)
    return replace(gate, refused=0, first=0, last=0), said
