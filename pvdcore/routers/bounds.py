"""How much of what is sent to us is written down: token buckets for live input (standards.md D.3); those of new routers
are in pvdcore/routers/bucket.py.

Law: whoever is known never shares a bucket with strangers. A router that is held, and this host's own DHCP exchange,
are refused only where they speak faster than anything means. What is refused is counted, and a few samples of it are
kept, so that the history says what happened in a few lines. Captures are read whole: this is for live input only, and
the journal of it replays exactly.
"""

from typing import Final

import msgspec

from events.codec import AnyEvent
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen
from events.frames import FrameRejected
from events.ids import SECOND, Instant, LinkId
from events.link import ArpSeen
from events.router import NeighborAdvertised, NeighborSolicited, Redirected, RouterAdvertised, RouterSolicited
from pvdcore.routers.bucket import RULE as STRANGERS
from pvdcore.routers.bucket import Gate, admit, opened
from pvdcore.state import State


class Bound(msgspec.Struct, frozen=True):
    """So many at once, and one more each `every`. of: what there may be so many of."""

    at_once: int
    every: Instant
    of: str

    @property
    def says(self) -> str:
        """What of it is refused, in a sentence."""
        pace = f"{SECOND // self.every} a second" if self.every < SECOND else f"one in {self.every // SECOND} s"
        return f"More than {self.at_once} {self.of}, and then more than {pace}; live only."


BOUNDS: Final = {
    "flood-ra-full": Bound(10, 10 * SECOND, "RAs of unknown routers while the table of routers is full"),
    # RFC 4861 §6.2.6 allows a router one in 3 s.
    "flood-ra-repeats": Bound(20, SECOND // 2, "RAs of one router that say the same again"),
    "flood-ra-changes": Bound(200, SECOND // 50, "RAs of one router, or of somebody as it, that all differ"),
    "flood-dhcp": Bound(200, SECOND // 50, "DHCP messages of other hosts on a link"),  # a classroom that boots
    "flood-nd": Bound(50, SECOND // 5, "RSs, NSs, NAs and Redirects on a link"),
    "flood-arp": Bound(50, SECOND // 5, "ARP packets on a link"),
    "flood-rejected": Bound(20, 10 * SECOND, "messages on a link that are refused for another reason"),
}
BUCKETS_MAX: Final = 4096  # links times rules, and a bucket for each router held: the oldest is forgotten

Bounded = (
    Dhcp4MessageSeen
    | Dhcp6MessageSeen
    | RouterSolicited
    | NeighborSolicited
    | NeighborAdvertised
    | Redirected
    | ArpSeen
    | FrameRejected
)
_RULES: Final[dict[type[Bounded], str]] = {
    Dhcp4MessageSeen: "flood-dhcp",
    Dhcp6MessageSeen: "flood-dhcp",
    RouterSolicited: "flood-nd",
    NeighborSolicited: "flood-nd",
    NeighborAdvertised: "flood-nd",
    Redirected: "flood-nd",
    ArpSeen: "flood-arp",
    FrameRejected: "flood-rejected",
}

Name = tuple[str, ...]
"""Of a bucket: its rule, the link, and the router if it is one router's."""


class Bounds:
    """The buckets of one session. Same events at the same instants, same answers."""

    def __init__(self) -> None:
        self._full_at: dict[Name, Instant] = {}
        self._gates: dict[LinkId, Gate] = {}

    def refuses(self, event: AnyEvent, at: Instant, state: State) -> str:
        """The rule that keeps an event out of the journal; "" if none does."""
        if isinstance(event, RouterAdvertised):
            name = _router(event, state)
            if name is None:
                return "" if self._admits(event.link, at, state) else STRANGERS
        elif isinstance(event, Bounded) and not _own(event, state):
            name = _RULES[type(event)], event.link
        else:
            return ""
        return "" if self._takes(name, at) else name[0]

    def _admits(self, link: LinkId, at: Instant, state: State) -> bool:
        """Whether a stranger's RA is let in."""
        left = admit(self._gates.get(link) or opened(at, state.policy), state.policy, at)
        if left is None:
            return False
        self._gates[link] = left
        return True

    def _takes(self, name: Name, at: Instant) -> bool:
        """Whether the bucket has a token. It is kept as the instant at which it is full again."""
        bound = BOUNDS[name[0]]
        full_at = max(self._full_at.get(name, at), at) + bound.every
        if full_at - at > bound.at_once * bound.every:
            return False
        if name not in self._full_at and len(self._full_at) >= BUCKETS_MAX:
            del self._full_at[next(iter(self._full_at))]
        self._full_at[name] = full_at
        return True


def _own(event: Bounded, state: State) -> bool:
    """Whether this host sent it, or asked for it."""
    link = state.links.get(event.link)
    if link is None or not link.mac or isinstance(event, FrameRejected):
        return False
    return event.mac == link.mac or (isinstance(event, Dhcp4MessageSeen) and event.chaddr == link.mac)


def _router(event: RouterAdvertised, state: State) -> Name | None:
    """The bucket of an RA; `None`: that of strangers."""
    origins = state.speakers.get((event.link, event.router))
    if origins:
        repeats = all(origin.event is event or origin.event == event for origin in origins)
        return "flood-ra-repeats" if repeats else "flood-ra-changes", event.link, event.router
    link = state.links.get(event.link)
    if link is not None and len(link.speakers) >= state.policy.number("routers_per_link_max"):
        return "flood-ra-full", event.link
    return None
