"""What neighbours are to this host: reachable or not, and the detours that routers send it on (RFC 4861 §7.3, §8).

Law: an unreachable router is passed over, never deleted (RFC 4861 §6.3.6); a Redirect touches one destination in the
PvD whose router sent it, and makes no router, prefix or PvD (RFC 4861 §8.3, RFC 8028 §3.4).
"""

from ipaddress import IPv6Address
from typing import Final

from msgspec.structs import replace

from events.link import NeighborSeen
from events.router import Redirected, RedirectedHeader
from pvdcore.draft import Draft
from pvdcore.projections.desired import desired
from pvdcore.projections.selection import next_hop
from pvdcore.state import Detour, Neighbor

DETOURS_MAX: Final = 256  # of one link; a destination cache that forged Redirects can't fill: the oldest makes way


def seen(draft: Draft, event: NeighborSeen) -> None:
    """The kernel's opinion of a neighbour: kept of first hops only, since nothing else is chosen by it."""
    link = draft.links.get(event.link)
    key = (event.link, event.address)
    if link is None or not link.attached:
        return
    first_hop = event.router or event.address in link.speakers or key in draft.host.neighbors
    if not first_hop and all(one.target != event.address for one in draft.host.detours.values()):
        return
    known = Neighbor(event.state, event.mac, event.router, draft.at, draft.seq)
    draft.host = replace(draft.host, neighbors=draft.host.neighbors.set(key, known))


def redirected(draft: Draft, event: Redirected) -> None:
    """A router knows a better first hop: believed only of the one that is the first hop now (RFC 4861 §8.1)."""
    link = draft.links.get(event.link)
    if link is None or event.source not in link.speakers:
        return
    state = draft.state()
    source = _source(event)
    for place in desired(state).places:
        if place.link != event.link or place.epoch != link.epoch:
            continue
        hop = next_hop(state, place, event.destination, source or None)
        if hop is None or hop.via != event.source:
            continue
        detour = Detour(place.pvd, event.source, source, event.destination, event.target, draft.seq)
        detours = draft.host.detours.set((event.link, place.pvd, f"{source} {event.destination}"), detour)
        mine = sorted((one.because, key) for key, one in detours.items() if key[0] == event.link)
        if len(mine) > DETOURS_MAX:
            detours = detours.delete(mine[0][1])
        draft.host = replace(draft.host, detours=detours)


def _source(event: Redirected) -> str:
    """Whose packet was redirected: the source in the redirected header (RFC 4861 §4.6.3); "" where it isn't shown."""
    for option in event.options:
        if isinstance(option, RedirectedHeader) and len(option.data) >= 24 and option.data[0] >> 4 == 6:
            return str(IPv6Address(option.data[8:24]))
    return ""
