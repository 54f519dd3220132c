"""PvD Additional Information (RFC 8801 §4): that it is asked for, what was fetched, or why it was not.

Law: an answer names the question: which PvD, attachment, sequence number and request it was asked for. Chance is said
here too (`PvdInfoDrawn`), so that a replay waits exactly as long as the host did.
"""

import msgspec

from events.base import Event
from events.ids import Instant, LinkId, PvdId

DRAWS = 2**32
"""A draw is a whole number from 0 to under this."""


class AdditionalInformation(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the reader found in an object: its mandatory keys and those with a meaning (RFC 8801 §4.3).

    identifier: as it was sent. expires: an instant; NEVER if it is further away than instants go. prefixes:
    `ADDRESS/LEN`, canonical. zones: `dnsZones`. no_internet: `None` if the key is missing or no boolean.
    """

    identifier: str
    expires: Instant
    prefixes: tuple[str, ...]
    zones: tuple[str, ...] = ()
    no_internet: bool | None = None


class PvdInfoDrawn(Event, frozen=True, tag="pvd-info-drawn"):
    """A random wait was drawn (RFC 8801 §4.1). draw: 0 … 2^32-1, of the whole interval."""

    pvd: PvdId
    link: LinkId
    epoch: int
    draw: int


class PvdInfoAsked(Event, frozen=True, tag="pvd-info-asked"):
    """A request is about to be made; written before it is. request: its number within the session, from 1."""

    pvd: PvdId
    link: LinkId
    epoch: int
    sequence: int
    request: int


class PvdInfoFetched(Event, frozen=True, tag="pvd-info-fetched"):
    """An object was retrieved. body: the JSON text as received; said: what a reader found in it, `None`: nothing valid.

    request: that of PvdInfoAsked, 0 if none was written.
    """

    pvd: PvdId
    link: LinkId
    epoch: int
    sequence: int
    body: str
    said: AdditionalInformation | None = None
    request: int = 0


class PvdInfoFailed(Event, frozen=True, tag="pvd-info-failed"):
    """Retrieval failed. kind: `certificate`, `http`, `json`, `transport` (RFC 8801 §4.1 counts the first three)."""

    pvd: PvdId
    link: LinkId
    epoch: int
    sequence: int
    kind: str
    detail: str = ""
    request: int = 0
