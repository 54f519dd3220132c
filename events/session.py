"""Runs of the daemon, and what could not be read of an older or newer journal.

Law: a session says which boot and which program wrote the records after it.
"""

import msgspec

from events.base import Event


class SessionStarted(Event, frozen=True, tag="session-started"):
    """A run began. boot: the kernel's boot id; another one forgets what was believed of the host. "" in a replay."""

    mode: str
    version: str
    boot: str = ""
    host: str = ""


class SessionEnded(Event, frozen=True, tag="session-ended"):
    """A run ended cleanly."""

    reason: str = ""


class RequestRefused(Event, frozen=True, tag="request-refused"):
    """Somebody asked over the control socket for what is not theirs. uid, gid, pid: the peer, as the kernel says.

    count: how many requests this stands for; those of a loop are counted, and then no method is said.
    """

    method: str
    uid: int
    gid: int
    pid: int
    reason: str = "not permitted"
    count: int = 1


class UnknownEvent(Event, frozen=True, tag="unknown-event"):
    """An event whose tag this program does not know: kept, listed, folded as nothing. raw: its JSON."""

    kind: str
    raw: msgspec.Raw
