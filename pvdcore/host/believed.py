"""What the kernel of this host is believed to have: the last sighting of each address, route, rule and so on.

Law: sightings only, one by what the kernel itself tells them apart by; what went is no longer here. It is what a full
listing is compared with (after a restart, an overrun), so that a record is a difference. Another boot believes nothing.
"""

from typing import Final

from events.codec import AnyEvent
from events.link import (
    AddressGone,
    AddressSeen,
    LinkGone,
    NeighborSeen,
    NetnsGone,
    NetnsSeen,
    RouteGone,
    RouteSeen,
    RuleGone,
    RuleSeen,
)
from pvdcore.draft import Draft
from pvdcore.state import Sighting

Key = tuple[str, ...]
SEEN: Final = (AddressSeen, RouteSeen, RuleSeen, NeighborSeen, NetnsSeen)
GONE: Final = (AddressGone, RouteGone, RuleGone, NetnsGone)


def key(event: AnyEvent) -> Key | None:
    """What a sighting is of; `None` for an event that is none. The second word is the link, "" if it has none."""
    match event:
        case AddressSeen() | AddressGone():
            return ("address", event.link, event.address)
        case RouteSeen() | RouteGone():
            return ("route", event.link, event.destination, event.via or "", str(event.table), str(event.metric))
        case RuleSeen() | RuleGone():
            said = (getattr(event, name) for name in RuleSeen.__struct_fields__ if name != "link")
            return ("rule", "", *(str(one) for one in said))
        case NeighborSeen():
            return ("neighbor", event.link, event.address)
        case NetnsSeen() | NetnsGone():
            return ("netns", "", event.identity)
    return None


def same(one: Sighting, other: Sighting) -> bool:
    """Whether a sighting says nothing new. A lifetime counts down, and its refresh stands in the packet that made it;
    whether there is one is news."""
    if isinstance(one, AddressSeen) and isinstance(other, AddressSeen):
        return (one.flags, one.origin, one.valid_s is None, one.preferred_s is None) == (
            other.flags,
            other.origin,
            other.valid_s is None,
            other.preferred_s is None,
        )
    return one == other


def told(draft: Draft, event: AnyEvent) -> None:
    """Believe a sighting."""
    if isinstance(event, LinkGone):
        for known in [known for known in draft.believed if known[1] == event.link]:
            draft.believed = draft.believed.delete(known)
        return
    name = key(event)
    if name is None:
        return
    if isinstance(event, SEEN):
        draft.believed = draft.believed.set(name, event)
    elif name in draft.believed:
        draft.believed = draft.believed.delete(name)
