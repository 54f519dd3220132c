"""Where a name is asked for, and what an answer is good for: RFC 7556 §5.2.1, RFC 8801 §3.4.4.

Law: a lookup is made in one PvD, with that PvD's resolvers, from its addresses and by its routers, and what comes of it
is used in that PvD. A resolver of another PvD is never among those of a lookup, whatever names it claims.
"""

from collections.abc import Sequence

import msgspec

from events.ids import LinkId, PvdId
from pvdcore.domains.resolvers import Server, rank, servers
from pvdcore.domains.trust import NONE, domain, trust
from pvdcore.profiles.overrides import resolves
from pvdcore.projections.desired import Place
from pvdcore.projections.selection import Hop, Source, begin
from pvdcore.state import State


class Lookup(msgspec.Struct, frozen=True):
    """A name to be asked for in one PvD; what is answered belongs there."""

    pvd: PvdId
    link: LinkId
    epoch: int
    name: str
    servers: tuple[Server, ...]


def lookups(state: State, places: Sequence[Place], name: str, chosen: PvdId | None = None) -> tuple[Lookup, ...]:
    """Where a name is asked for, in order. chosen: the PvD that whoever asks is bound to, and then no other.

    Unbound, one PvD is asked or several (policy `lookup`), of those that may be (`resolvers_only`): the one with the
    best resolver for the name first (RFC 6731 §4.1; a PvD's trust stands for the interface's), then as places stand.
    """
    asked = [one for one in places if (chosen == one.pvd if chosen else resolves(state.policy, one.pvd))]
    made = [_lookup(one, name) for one in asked]
    found = sorted(
        (one for one in made if one.servers), key=lambda one: rank(one.servers[0], trusted=_trusted(state, one))
    )
    several = chosen is not None or state.policy.word("lookup") == "several"
    return tuple(found if several else found[:1])


def _lookup(place: Place, name: str) -> Lookup:
    return Lookup(place.pvd, place.link, place.epoch, name, servers(place.servers, place.rules, name))


def _trusted(state: State, lookup: Lookup) -> bool:
    return trust(state, lookup.pvd, lookup.link, lookup.epoch) != NONE


def belongs(state: State, lookup: Lookup, place: Place) -> bool:
    """Whether an answer may be used in a place: it is of the PvD that was asked, on the same link, or on another one
    where trust makes both one PvD."""
    one = domain(state, state.pvds[place.pvd], (lookup.link, lookup.epoch))
    return place.pvd == lookup.pvd and (place.link, place.epoch) in one


def connect(state: State, lookup: Lookup, place: Place, destination: str) -> tuple[Hop, Source] | None:
    """Begin a conversation with what a lookup found; `None` where the answer is another PvD's, or there is no way."""
    return begin(state, place, destination) if belongs(state, lookup, place) else None


def query(state: State, place: Place, server: Server) -> tuple[Hop, Source] | None:
    """The way to a resolver: by a router of its PvD, from an address of its PvD (RFC 8801 §3.4.4)."""
    return begin(state, place, server.address)
