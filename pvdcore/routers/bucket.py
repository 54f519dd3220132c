"""The bucket for strangers' RAs: how many frames of routers that nobody knows yet are let in (standards.md D.3).

Law: pure, and for live input only: what it refuses is counted in FramesRefused records, so that a journal folds to the
same State as the host did. A router that is held already never shares this bucket, so a flood of forged ones can't keep
its refreshes, nor its withdrawals, out.

One Gate a link. Tokens come at policy `bucket_rate` a second up to policy `bucket_frames`; a stranger's RA costs one.
"""

from typing import Final

import msgspec

from events.ids import SECOND, Instant
from pvdcore.policy import Policy

RULE: Final = "rate"


class Gate(msgspec.Struct, frozen=True):
    """filled: billionths of a token, as of `at`, so that no fraction is lost."""

    filled: int
    at: Instant


def opened(now: Instant, policy: Policy) -> Gate:
    """A gate with a full bucket."""
    return Gate(policy.number("bucket_frames") * SECOND, now)


def admit(gate: Gate, policy: Policy, now: Instant) -> Gate | None:
    """The gate behind an RA that is let in; `None`: it is refused, and the gate is as it was."""
    now = max(now, gate.at)  # a clock that goes back fills nothing
    filled = min(gate.filled + (now - gate.at) * policy.number("bucket_rate"), policy.number("bucket_frames") * SECOND)
    return Gate(filled - SECOND, now) if filled >= SECOND else None
