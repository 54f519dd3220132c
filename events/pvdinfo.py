"""PvD Additional Information (RFC 8801 §4) as it was fetched, or why it was not.

Law: an answer names the question: which PvD, attachment and sequence number it was asked for.
"""

from events.base import Event
from events.ids import LinkId, PvdId


class PvdInfoFetched(Event, frozen=True, tag="pvd-info-fetched"):
    """An object was retrieved. body: the JSON text as received."""

    pvd: PvdId
    link: LinkId
    epoch: int
    sequence: int
    body: str


class PvdInfoFailed(Event, frozen=True, tag="pvd-info-failed"):
    """Retrieval failed. kind: `certificate`, `http`, `json`, `transport` (RFC 8801 §4.1 counts the first three)."""

    pvd: PvdId
    link: LinkId
    epoch: int
    sequence: int
    kind: str
    detail: str = ""
