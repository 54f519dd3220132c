"""Which next hop, which source address, which destination first: RFC 4191 §3, RFC 6724 §5 and §6, RFC 8028 §3.

Law: everything stays inside one PvD (RFC 7556 §5.2.2), and every answer names the rule that decided. Reachability is
the kernel's opinion (NeighborSeen); a router nothing is known of counts as reachable (RFC 4191 §3.2).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from events.ids import SECOND, Instant
from pvdcore.domains.resolvers import PREFERENCES
from pvdcore.prefixes import covers, interface, network
from pvdcore.projections.desired import Place, WantedAddress, WantedRoute
from pvdcore.state import Detour, State

PROBE_INTERVAL: Final[Instant] = 60 * SECOND  # RFC 4191 §3.5: one solicitation a minute and router
LINK_LOCALS: Final = "fe80::/10"
UNREACHABLE: Final = ("failed",)  # of the states of RFC 4861 §7.3.2: all others are probably reachable

# RFC 6724 §2.1: (prefix, precedence, label)
POLICY_TABLE: Final = (
    ("::1/128", 50, 0),
    ("::/0", 40, 1),
    ("::ffff:0:0/96", 35, 4),
    ("2002::/16", 30, 2),
    ("2001::/32", 5, 5),
    ("fc00::/7", 3, 13),
    ("::/96", 1, 3),
    ("fec0::/10", 1, 11),
    ("3ffe::/16", 1, 12),
)


class Hop(msgspec.Struct, frozen=True):
    """Where a packet goes first. via: `None` for straight onto the link. route: what matched. rule: what decided.

    probe: a better router that was passed over as unreachable; while there is traffic it is solicited, not more often
    than PROBE_INTERVAL (RFC 4191 §3.5).
    """

    via: str | None
    route: str
    rule: str
    probe: str | None = None


class Source(msgspec.Struct, frozen=True):
    """The address to speak from. rule: the one of RFC 6724 §5 that set it before the next best; "" if it is alone."""

    address: str
    rule: str


class Target(msgspec.Struct, frozen=True):
    """A destination with what would be used for it. rule: the one of RFC 6724 §6 that set it before the next."""

    address: str
    source: str | None
    rule: str


def next_hop(state: State, place: Place, destination: str, source: str | None = None, turn: int = 0) -> Hop | None:
    """The first hop for a destination, from a source if that is fixed; `None`: unreachable in this PvD.

    turn: which of several unreachable routers' turn it is (RFC 4861 §6.3.6), a count that the caller keeps.
    """
    hop = _routed(state, place, destination, source, turn)
    detour = _detour(state, place, destination, source)
    if hop is None or detour is None or hop.via != detour.router:  # another first hop was chosen since
        return hop
    if _dead(state, place, detour.target):
        return hop
    via = None if detour.target == destination else detour.target
    return Hop(via, hop.route, "redirect")


def _detour(state: State, place: Place, destination: str, source: str | None) -> Detour | None:
    detours = state.host.detours
    for whose in (source, "") if source else ("",):
        found = detours.get((place.link, place.pvd, f"{whose} {destination}"))
        if found is not None:
            return found
    return None


def _routed(state: State, place: Place, destination: str, source: str | None, turn: int) -> Hop | None:
    if covers(LINK_LOCALS, destination):
        return Hop(None, "fe80::/64", "link-local")  # on-link for ever (RFC 4861 §5.1)
    matching = [one for one in place.routes if covers(one.destination, destination)]
    rule = "longest match"
    if source is not None and any(one.via for one in matching):
        matching, rule = _of_source(state, place, matching, source, rule)
    if not matching:
        return None  # nothing is taken to be on-link (RFC 4861 §5.2)
    ranked = sorted(matching, key=_rank)
    alive = [one for one in ranked if one.via is None or not _dead(state, place, one.via)]
    if not alive:  # the best all the same, in turns (RFC 4191 §3.6, RFC 4861 §6.3.6)
        best = [one for one in ranked if _rank(one) == _rank(ranked[0])]
        taken = best[turn % len(best)]
        return Hop(taken.via, taken.destination, "none is reachable", taken.via)
    first = alive[0]
    probe = ranked[0].via if ranked[0] is not first else None
    if probe is not None:
        rule = "reachable"
    elif len(alive) > 1 and alive[1].destination == first.destination and rule == "longest match":
        rule = "preference" if alive[1].preference != first.preference else "first by address"
    return Hop(first.via, first.destination, rule, probe)


def _rank(route: WantedRoute) -> tuple[int, int]:
    """Smaller is better; of equal ones a place has the lower address first."""
    return (-network(route.destination).prefixlen, PREFERENCES.index(route.preference))


def _dead(state: State, place: Place, router: str) -> bool:
    known = state.host.neighbors.get((place.link, router))
    return known is not None and known.state in UNREACHABLE


def announcers(state: State, place: Place, source: str) -> frozenset[str]:
    """The routers of a PvD that announced a prefix of `source`, whatever its L and A flags (RFC 8028 §2.1, §3.2)."""
    found = [
        (network(held.key).prefixlen, speaker)
        for speaker in state.links[place.link].speakers
        for origin in state.speakers.get((place.link, speaker), ())
        if origin.pvd == place.pvd
        for held in origin.held
        if held.kind == "prefix" and covers(held.key, source)
    ]
    longest = max(found, default=(0, ""))[0]
    return frozenset(speaker for width, speaker in found if width == longest)


def _of_source(
    state: State, place: Place, matching: list[WantedRoute], source: str, rule: str
) -> tuple[list[WantedRoute], str]:
    """Routes through routers that announced the source's prefix, whatever their preference (RFC 8028 §3.2)."""
    own = announcers(state, place, source)
    if not own:
        return matching, rule  # a prefix of no RA: normal routing
    mine = [one for one in matching if one.via is None or one.via in own]
    living = [one for one in mine if one.via is None or not _dead(state, place, one.via)]
    if state.policy.on("src_router_fallback") and not living:
        return matching, "fallback within the PvD"
    return mine, rule if len(mine) == len(matching) else "router of the source's prefix"


def may_probe(last: Instant | None, at: Instant) -> bool:
    """Whether a router passed over may be solicited now, that was so last at `last`."""
    return last is None or at - last >= PROBE_INTERVAL


# Source addresses (RFC 6724 §5)


def choose_source(
    state: State, place: Place, destination: str, hop: Hop | None, *, public: bool = False
) -> Source | None:
    """The address to speak to `destination` from, of this instance's own; `None` if there is none of its family.

    public: prefer public to temporary addresses (RFC 6724 §5 rule 7 reversed by the application).
    """
    version = interface(destination).version
    mine = [one for one in place.addresses if interface(one.address).version == version and one.until > state.now]
    if not mine:
        return None
    scored = sorted((_score(state, place, one, destination, hop, public), one.address, one) for one in mine)
    rule = ""
    if len(scored) > 1:
        pairs = zip(SOURCE_RULES, scored[0][0], scored[1][0], strict=True)
        rule = next((name for name, best, next_ in pairs if best != next_), "by address")
    return Source(scored[0][2].address.split("/")[0], rule)


SOURCE_RULES: Final = (
    "1 same address",
    "2 scope",
    "3 avoid deprecated",
    "5.5 prefix of the next hop",
    "6 label",
    "7 temporary",
    "8 longest match",
)
"""Rules 4 (home address) and 5 (outgoing interface) never differ: a host has no home address here, and all candidates
are of one instance, on one link."""


def _score(
    state: State, place: Place, one: WantedAddress, destination: str, hop: Hop | None, public: bool
) -> tuple[int, ...]:
    """Smaller is better, rule by rule."""
    address = one.address.split("/")[0]
    mine, wanted = scope(address), scope(destination)
    via = hop.via if hop is not None else None
    return (
        address != destination,
        mine - wanted if mine >= wanted else 100 - mine,  # the smallest that is enough, else the largest
        one.preferred_until <= state.now,
        via is not None and via not in announcers(state, place, address),
        _policy(address)[1] != _policy(destination)[1],
        (one.temporary == public),
        -_common(one.address, destination),
    )


def scope(address: str) -> int:
    """The scope of an address (RFC 6724 §3.1, §3.2): 2 link-local, 5 site-local, 14 global; of multicast its own."""
    value = interface(address).ip
    if value.version == 4:
        return 2 if value.is_link_local or value.is_loopback else 14
    if value.is_multicast:
        return value.packed[1] & 0xF
    if value.is_link_local or value.is_loopback:
        return 2
    return 5 if covers("fec0::/10", address) else 14


def _policy(address: str) -> tuple[int, int]:
    value = interface(address).ip
    text = f"::ffff:{value}" if value.version == 4 else str(value)
    rows = [row for row in POLICY_TABLE if covers(row[0], text)]
    _, precedence, label = max(rows, key=lambda row: network(row[0]).prefixlen)
    return precedence, label


def _common(source: str, destination: str) -> int:
    """Leading bits in common, of the source's prefix at most (RFC 6724 §2.2)."""
    own = interface(source)
    apart = int(own.ip) ^ int(interface(destination).ip)
    bits = own.max_prefixlen - apart.bit_length()
    width = own.network.prefixlen if own.network.prefixlen < own.max_prefixlen else 64
    return min(bits, width) if own.version == 6 else bits


# Destinations (RFC 6724 §6)

TARGET_RULES: Final = (
    "1 avoid unusable",
    "2 matching scope",
    "3 avoid deprecated",
    "5 matching label",
    "6 precedence",
    "8 smaller scope",
    "9 longest match",
    "10 as given",
)
"""Rules 4 (home addresses) and 7 (native transport) never differ here."""


def order(state: State, place: Place, destinations: Sequence[str]) -> tuple[Target, ...]:
    """Destinations in the order to try them, each with its source in this PvD (RFC 6724 §6)."""
    scored = []
    deprecated = {one.address.split("/")[0] for one in place.addresses if one.preferred_until <= state.now}
    lengths = {one.address.split("/")[0]: one.address for one in place.addresses}
    for number, destination in enumerate(destinations):
        hop = next_hop(state, place, destination)
        source = choose_source(state, place, destination, hop) if hop is not None else None
        mine = source.address if source is not None else destination
        same = interface(mine).version == 6 and source is not None
        precedence, label = _policy(destination)
        score = (
            source is None,
            scope(mine) != scope(destination),
            mine in deprecated,
            _policy(mine)[1] != label,
            -precedence,
            scope(destination),
            -_common(lengths[mine], destination) if same else 0,
            number,
        )
        scored.append((score, destination, source))
    scored.sort(key=lambda one: one[0])
    said = []
    for at, (score, destination, source) in enumerate(scored):
        after = scored[at + 1][0] if at + 1 < len(scored) else score
        rule = next((name for name, a, b in zip(TARGET_RULES, score, after, strict=True) if a != b), "")
        said.append(Target(destination, source.address if source else None, rule))
    return tuple(said)


def begin(state: State, place: Place, destination: str) -> tuple[Hop, Source] | None:
    """What a new conversation uses: next hop, then source by it (RFC 7556 §5.2.2, RFC 8028 §3.1); then the hop again,
    since from now on the source is fixed. `None` if the destination is unreachable here."""
    first = next_hop(state, place, destination)
    source = choose_source(state, place, destination, first) if first is not None else None
    if source is None:
        return None
    hop = next_hop(state, place, destination, source.address)
    return (hop, source) if hop is not None else None
