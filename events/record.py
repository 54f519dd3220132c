"""Records: events with a number, a time and a provenance.

Law: a Record says where its event came from precisely enough to find the bytes again.
"""

import msgspec

from events.codec import AnyEvent
from events.frames import Frame
from events.ids import Instant, Seq


class Provenance(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Where an event came from.

    source: the capture's file name, `live`, `operator`, `engine`. packet: its number in the capture, from 1; 0: none.
    frame: BLAKE2b-128 of the frame's bytes, in hexadecimal, "" if no frame. linktype: of that frame, -1 if no frame.
    captured_at: the packet's own time, which `at` may have been clamped away from; `None`: equal to `at`.
    original_length: octets on the wire if a capture cut the frame, else -1. interface: the link of the frame, if it is
    not the event's (tags).
    """

    source: str = ""
    packet: int = 0
    frame: str = ""
    linktype: int = -1
    captured_at: Instant | None = None
    original_length: int = -1
    interface: str = ""


def heard(frame: Frame, event: AnyEvent, at: Instant, source: str, packet: int, digest: str) -> Provenance:
    """The provenance of an event that `frame` says and that counts at `at`. digest: the frame's hash."""
    link: str = getattr(event, "link", frame.link)
    return Provenance(
        source,
        packet,
        digest,
        frame.linktype,
        frame.at if frame.at != at else None,
        frame.original_length,
        "" if link == frame.link else frame.link,
    )


class Record(msgspec.Struct, frozen=True, gc=False):
    """One line of a journal. v: the schema number `event` is written in."""

    seq: Seq
    at: Instant
    v: int
    provenance: Provenance
    event: AnyEvent


Step = tuple[Seq, Instant, AnyEvent, Instant | None]
"""What the fold needs of a record: seq, at, event, captured_at."""
