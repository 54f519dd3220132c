"""What a router says in one frame: read at once, or when somebody looks at what became of it.

Law: an RA that only moves lifetimes needs no reading before the next one of its router: how lifetimes changed in
between leaves nothing behind but its record, whose event is read from its frame. What has to happen at once, a deadline
that comes nearer, is for those who say that an RA is such a one (pvdcore/engine.py).
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from events.ids import Instant, LinkId, Seq
from events.router import Dnssl, PrefixInformation, Rdnss, RouteInformation, RouterAdvertised
from pvdcore.state import Host, Origin

Speaker = tuple[LinkId, str]
Places = tuple[tuple[int, ...], ...]
"""Where the items of each option of a router's last RA stand in what its origin holds; () where nothing lasts."""


class Plan(msgspec.Struct, frozen=True, eq=False, gc=False):
    """How to take a router's next words (pvdcore/routers/revised.py), as long as this very object stands for it."""

    places: Places


class Words(msgspec.Struct, eq=False, gc=False):
    """A frame of a router, and the record that first carried it. read: how its RA is read, `None` once it is.

    standing: what stands for it while its router says nothing else: its RA, or whatever it is read by.
    """

    speaker: Speaker
    seq: Seq
    standing: object
    places: Places = ()
    event: RouterAdvertised | None = None
    read: Callable[[], RouterAdvertised] | None = None

    def said(self) -> RouterAdvertised:
        """The RA."""
        event = self.event
        if event is None:
            assert self.read is not None
            event = self.event = self.read()
            self.read = None
        return event


class Unread(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A message that waits beside them, whatever it says: its record."""

    seq: Seq


class Slack(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Which lifetimes a router may change without being looked at: of the options that are `free`, from 1 s on.

    It holds while `plan` stands for the router and `host` for the host, and until something would end before `queued`.
    """

    speaker: Speaker
    plan: Plan
    host: Host
    queued: Instant
    free: tuple[bool, ...]


def recounted(origin: Origin, event: RouterAdvertised, places: Places, at: Instant, seq: Seq) -> Origin:
    """An origin whose router said at `at` what it said last, but for lifetimes."""
    held = list(origin.held)
    last = origin.event.options
    for number, one in enumerate(event.options):
        if one is last[number]:
            continue
        if type(one) is PrefixInformation:
            for place in places[number]:
                held[place] = replace(held[place], lifetime_s=one.valid_s, preferred_s=one.preferred_s)
        elif isinstance(one, (RouteInformation, Rdnss, Dnssl)):
            for place in places[number]:
                held[place] = replace(held[place], lifetime_s=one.lifetime_s)
    return replace(origin, event=event, heard_at=at, because=seq, held=tuple(held))
