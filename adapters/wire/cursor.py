"""What the readers of this folder share: the one way to say that octets break a rule.

Law: a reader gets octets and bounds and answers with parts of an event, or raises Malformed; it never reads past the
bound it was given, never blocks, logs or keeps state. Only `ingest.translate` catches Malformed, and turns it into a
FrameRejected: outside this folder nothing raises.
"""

from typing import Final

INFINITY: Final = 0xFFFFFFFF  # the lifetime that never ends: RFC 4861 §4.6.2, RFC 2131 §3.3, RFC 8415 §7.7


class Malformed(Exception):
    """Octets that break a rule of their protocol. `offset` is in the frame."""

    def __init__(self, rule: str, offset: int, detail: str) -> None:
        self.rule = rule
        self.offset = offset
        self.detail = detail


def lifetime(seconds: int) -> int | None:
    """A 32-bit lifetime as events write it: `None` for infinity."""
    return None if seconds == INFINITY else seconds
