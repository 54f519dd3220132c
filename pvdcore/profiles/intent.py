"""What the operator wants, beside settings and connections themselves: parts of a State.

Law: plain values. Nothing here is data of a PvD: a PvD is named, never copied, so that what was learned stays with it.
"""

import msgspec
from immutables import Map

from events.ids import Instant, LinkId, PvdId, Seq


class Known(msgspec.Struct, frozen=True):
    """Since which record a profile is known, and which one brought what it says now, at which instant."""

    since: Seq
    because: Seq
    at: Instant


class Refused(msgspec.Struct, frozen=True):
    """A file that cannot be read as its kind. origin: `FILE:LINE`."""

    origin: str
    source: str
    rule: str
    text: str
    because: Seq


class Reached(msgspec.Struct, frozen=True):
    """A PvD that a profile led to. first, last: the records of the first and the latest arrival; visits: on how many
    attachments; link, epoch: the latest."""

    pvd: PvdId
    link: LinkId
    epoch: int
    first: Seq
    last: Seq
    first_at: Instant
    last_at: Instant
    visits: int = 1


class Checkpoint(msgspec.Struct, frozen=True):
    """What the operator may want to go back to. because: the record after which it was taken. until: when it comes by
    itself; due: that has passed, and whoever writes records is to roll back."""

    id: str
    because: Seq
    made_at: Instant
    until: Instant
    due: bool = False


class Intent(msgspec.Struct, frozen=True):
    """By profile, by file, by (profile, link): what autoconnect leaves alone until the link is attached anew."""

    known: Map[str, Known] = Map()
    refused: Map[str, Refused] = Map()
    blocked: Map[tuple[str, LinkId], Seq] = Map()
    reached: Map[str, tuple[Reached, ...]] = Map()
    checkpoint: Checkpoint | None = None
