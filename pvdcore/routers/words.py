"""What a router says in one frame: read at once, or when somebody looks at what became of it.

Law: an RA that only moves lifetimes needs no reading before the next one of its router: how lifetimes changed in
between leaves nothing behind but its record, whose event is read from its frame. What has to happen at once, a deadline
that comes nearer, is for those who say that an RA is such a one (pvdcore/engine.py).
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

import msgspec
from msgspec.structs import replace

from events.ids import Instant, LinkId, Seq
from events.router import Dnssl, PrefixInformation, Rdnss, RouteInformation, RouterAdvertised
from pvdcore.state import FOLLOWS, Host, Origin

Speaker = tuple[LinkId, str]
Refresh = tuple[Instant, Seq]
"""When a router said the very same again last, and as which record."""

Places = tuple[tuple[int, ...], ...]
"""Where the items of each option of a router's last RA stand in what its origin holds; () where nothing lasts."""


class Leeway(msgspec.Struct, eq=False, gc=False):
    """What all plans have in common that a router may follow in turn. queued: as of its origin."""

    queued: Instant


class Plan(msgspec.Struct, frozen=True, eq=False, gc=False):
    """How to take a router's next words (pvdcore/routers/revised.py), as long as this very object stands for it.

    carried: which items of the origin follow these words. prefixes: those that they announce, in whatever option.
    """

    places: Places
    leeway: Leeway
    carried: frozenset[int]
    prefixes: tuple[str, ...]

    @property
    def free(self) -> tuple[bool, ...]:
        """Which options have lifetimes that may change."""
        return tuple([bool(places) for places in self.places])


WAITS: Final = Struct("qq")
"""How `Words.waits` stands: as C has it, which replaces it a million times (replay/files/repeats.c)."""


class Words(msgspec.Struct, eq=False, gc=False):
    """A frame of a router, and the record that first carried it.

    standing: what stands for it while its router says nothing else: its RA, or its octets, of which `read` makes the
    RA. plan: of what has lifetimes of its own. waits: the instant and the record when it was last said, as long as its
    router's origins do not know of it (pvdcore/draft.py); record 0: they do.
    """

    speaker: Speaker
    seq: Seq
    standing: object
    plan: Plan | None = None
    event: RouterAdvertised | None = None
    read: Callable[[bytes], RouterAdvertised] | None = None
    waits: bytearray = msgspec.field(default_factory=lambda: bytearray(WAITS.size))

    def wait(self, at: Instant, seq: Seq) -> bool:
        """It was said again. Whether it did not wait before."""
        first = not self.last[1]
        WAITS.pack_into(self.waits, 0, at, seq)
        return first

    @property
    def last(self) -> Refresh:
        """What `waits` says."""
        heard_at, because = WAITS.unpack(self.waits)
        return heard_at, because

    def said(self) -> RouterAdvertised:
        """The RA."""
        event = self.event
        if event is None:
            assert self.read is not None
            assert isinstance(self.standing, bytes)
            event = self.event = self.read(self.standing)
        return event


class Slack(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Which lifetimes a router may change without being looked at: of the options that are `free`, from 1 s on.

    It holds while `plan` stands for the router and `host` for the host, and until something would end before the
    origin is looked at.
    """

    speaker: Speaker
    plan: Plan
    host: Host
    free: tuple[bool, ...]


class Router(msgspec.Struct, eq=False, gc=False):
    """What its next words are compared with, all in one place: among thousands of routers each look-up is a walk
    through memory that nobody touched lately.

    said: its last words, of `plan`, lifetimes aside; which of its options are `free` to change theirs. standing: where
    they stand alone, waiting: where they wait (pvdcore/draft.py); each list is left empty when it is the router's no
    more. It holds while `said` stands.
    """

    speaker: Speaker
    plan: Plan
    free: tuple[bool, ...]
    said: RouterAdvertised
    standing: list[object]
    waiting: list[Words]


def refreshed(origins: tuple[Origin, ...], heard_at: Instant, because: Seq) -> tuple[Origin, ...]:
    """The origins of a router that said the very same again."""
    return tuple([replace(one, heard_at=heard_at, because=because) for one in origins])


def retold(origin: Origin, event: RouterAdvertised, plan: Plan, at: Instant, seq: Seq) -> Origin:
    """An origin whose router said at `at` what it said last or in turn with it, but for lifetimes."""
    if event is origin.event:
        return replace(origin, heard_at=at, because=seq)
    held = list(origin.held)
    for place, one in enumerate(held):
        if place in plan.carried:
            if one.heard_at != FOLLOWS:
                held[place] = replace(one, heard_at=FOLLOWS, because=0)
        elif one.heard_at == FOLLOWS:
            held[place] = replace(one, heard_at=origin.heard_at, because=origin.because)
    for places, option in zip(plan.places, event.options, strict=True):
        if type(option) is PrefixInformation:
            for place in places:
                held[place] = replace(held[place], lifetime_s=option.valid_s, preferred_s=option.preferred_s)
        elif isinstance(option, (RouteInformation, Rdnss, Dnssl)):
            for place in places:
                held[place] = replace(held[place], lifetime_s=option.lifetime_s)
    return replace(origin, event=event, heard_at=at, because=seq, held=tuple(held))
