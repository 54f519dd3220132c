"""Additional Information as it stands: what is wanted, asked, held or barred, one entry for each PvD and attachment.

Law: nothing here is shared between two links, whatever their PvDs are called (RFC 7556 §2.3, §7.1), and an entry ends
with its attachment. Who fetches reads `wanted`; pvdcore/domains/info.py alone changes entries.
"""

from collections.abc import Iterator
from typing import Final, Protocol

import msgspec
from immutables import Map

from events.ids import NEVER, SECOND, Instant, LinkId, PvdId, Seq
from events.pvdinfo import AdditionalInformation

Place = tuple[PvdId, LinkId, int]
"""Which PvD on which attachment."""

NETWORK_ASKS: Final = 5  # requests in GAP_NS to all servers of a network (RFC 8801 §4.1 RECOMMENDED)
GAP_NS: Final = 10 * SECOND  # between requests for one PvD (RFC 8801 §4.1 RECOMMENDED)


class Wanted(msgspec.Struct, frozen=True):
    """A request to be made. reason: `new`, `sequence`, `again` (H is back), `prefixes`, `retry`, `expiry`.

    earliest: the beginning of the interval; window: its length in nanoseconds; target: the instant drawn from it,
    `None` until it is drawn. because: the record that made it wanted.
    """

    reason: str
    earliest: Instant
    window: int
    target: Instant | None
    because: Seq


class Object(msgspec.Struct, frozen=True):
    """An object that is held. until: when it may no longer be used. digest: BLAKE2b-128 of the body."""

    said: AdditionalInformation
    body: str
    digest: str
    fetched_at: Instant
    until: Instant
    because: Seq


class Inquiry(msgspec.Struct, frozen=True):
    """One PvD on one attachment.

    http, sequence, delay: of the last RA with the H flag; sequence is kept over RAs without it (standards.md P107).
    asked: the number of the request under way, 0 for none. barred: why no more is asked on this attachment, "" if not.
    tries: transport failures in a row. asked_at: of the last request. uncovered: the announced prefixes that made an
    object void; held again, or asked for, only when they change. dropped: why the last object was given up.
    seen: (sequence, digest) of the last object retrieved.
    """

    http: bool
    sequence: int
    delay: int
    wanted: Wanted | None = None
    asked: int = 0
    asked_at: Instant | None = None
    held: Object | None = None
    barred: str = ""
    tries: int = 0
    uncovered: tuple[str, ...] = ()
    dropped: str = ""
    seen: tuple[int, str] | None = None


class Network(msgspec.Struct, frozen=True):
    """One attachment. failures: those that RFC 8801 §4.1 counts. asks: of the last NETWORK_ASKS requests."""

    failures: int = 0
    asks: tuple[Instant, ...] = ()


NO_NETWORK: Final = Network()


class Keeper(Protocol):
    """Where inquiries are: a State, or the workbench of a step."""

    @property
    def inquiries(self) -> Map[Place, Inquiry]: ...

    @property
    def networks(self) -> Map[tuple[LinkId, int], Network]: ...


class Want(msgspec.Struct, frozen=True):
    """One line of what is to be fetched. not_before: `None` while a draw is due (events.pvdinfo.PvdInfoDrawn)."""

    pvd: PvdId
    link: LinkId
    epoch: int
    sequence: int
    reason: str
    not_before: Instant | None
    because: Seq


def wanted(state: Keeper) -> Iterator[Want]:
    """What is to be fetched, by PvD, link and epoch. Limits combine: the latest of them wins (standards.md P108)."""
    for place in sorted(state.inquiries):
        one = state.inquiries[place]
        if one.wanted is not None and not one.asked:
            pvd, link, epoch = place
            when = not_before(one, state.networks.get((link, epoch), NO_NETWORK))
            yield Want(pvd, link, epoch, one.sequence, one.wanted.reason, when, one.wanted.because)


def not_before(one: Inquiry, network: Network) -> Instant | None:
    """The earliest instant of the request that is wanted: its draw, the gap per PvD, the cap per network."""
    if one.wanted is None or one.wanted.target is None:
        return None
    limits = [one.wanted.target]
    if one.asked_at is not None:
        limits.append(one.asked_at + GAP_NS)
    if len(network.asks) == NETWORK_ASKS:
        limits.append(network.asks[0] + GAP_NS)
    return min(max(limits), NEVER)


def informed(state: Keeper, pvd: PvdId, link: LinkId, epoch: int) -> tuple[tuple[str, str, tuple[str]], ...]:
    """What the object held adds to the content of a version that is of all hosts: its digest."""
    one = state.inquiries.get((pvd, link, epoch))
    return (("info", "info", (one.held.digest,)),) if one is not None and one.held is not None else ()
