"""Router Solicitations: when the next is due (RFC 4861 §6.3.7, RFC 7559 §2).

Law: a value that events and instants move on; draws come in as arguments, and sending is somebody else's. A daemon
that only observes asks for none.
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from events.ids import MILLISECOND, NEVER, SECOND, Instant

DELAY_MAX_MS: Final = 1000  # RFC 4861 §10 MAX_RTR_SOLICITATION_DELAY: before the first
IRT: Final[Instant] = 4 * SECOND  # RFC 7559 §2, with RFC 4861 §10 RTR_SOLICITATION_INTERVAL: never closer than this
MRT: Final[Instant] = 3600 * SECOND  # RFC 7559 §2: from here on they come at this distance
RAND_PERMILLE: Final = 100  # RFC 8415 §15: RAND is drawn from -0.1 to +0.1


class Solicitation(msgspec.Struct, frozen=True):
    """Where the solicitations of one attachment stand. due: when to send the next; NEVER: no more.

    sent: how many were. interval: between the last and the next. multicast: whether the link has it; where it has not,
    nothing ends them (RFC 7559 §2.1).
    """

    due: Instant = NEVER
    sent: int = 0
    interval: Instant = 0
    multicast: bool = True


def start(at: Instant, *, delay_ms: int, multicast: bool = True) -> Solicitation:
    """A new attachment at `at`. delay_ms: a draw from 0 to DELAY_MAX_MS (RFC 4861 §6.3.7)."""
    assert 0 <= delay_ms <= DELAY_MAX_MS, f"a delay of {delay_ms} ms was drawn"
    return Solicitation(due=at + delay_ms * MILLISECOND, multicast=multicast)


def sent(one: Solicitation, at: Instant, *, rand_permille: int) -> Solicitation:
    """One was sent at `at`. rand_permille: a draw from -RAND_PERMILLE to RAND_PERMILLE (RFC 8415 §15, by RFC 7559).

    The first interval is never under IRT (RFC 4861 §6.3.7: at least four seconds apart).
    """
    assert -RAND_PERMILLE <= rand_permille <= RAND_PERMILLE, f"a factor of {rand_permille} was drawn"
    if one.sent == 0:
        interval = IRT + IRT * abs(rand_permille) // 1000
    else:
        interval = 2 * one.interval + one.interval * rand_permille // 1000
        if interval > MRT:
            interval = MRT + MRT * rand_permille // 1000
    return replace(one, sent=one.sent + 1, interval=interval, due=at + interval)


def answered(one: Solicitation, router_lifetime_s: int) -> Solicitation:
    """A valid RA came. It ends the solicitations if it is a default router's and at least one was sent; one without a
    router lifetime never does (RFC 7559 §2.1), nor any on a link without multicast."""
    if router_lifetime_s == 0 or one.sent == 0 or not one.multicast:
        return one
    return replace(one, due=NEVER)
