"""Addresses of this host: how they are formed, how long they live, which identifiers are still wanted for them.

Law: pure arithmetic over a State. Secrets, draws and hardware addresses come in as events (events/identifiers.py); the
slice that folds them is pvdcore/host/autoconf.py.
"""

from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

import msgspec

from events.ids import MILLISECOND, NEVER, SECOND, Instant, LinkId, PvdId, Seq, deadline
from events.router import PrefixInformation
from pvdcore.domains.contents import Source, heard_at
from pvdcore.policy import Policy
from pvdcore.prefixes import covers, network
from pvdcore.projections import places
from pvdcore.routers.parts import autonomous
from pvdcore.state import Held, Host, Identifier, Origin, State, because, counted_from, until

IID_BITS: Final = 64  # RFC 4291 §2.5.1; all link types that RFC 2464, 2467, 4944, 5072 … define use as many
LINK_LOCAL: Final = "fe80::/64"
TWO_HOURS: Final[Instant] = 7200 * SECOND  # RFC 4862 §5.5.3 e
IDGEN_RETRIES: Final = 3  # RFC 7217 §7, and TEMP_IDGEN_RETRIES of RFC 8981 §3.8
IDGEN_DELAY_MS: Final = 1000  # RFC 7217 §7: the next identifier after a random time up to this
OTHERS_FIRST_MS: Final = 2000  # whoever else configures this host has done so by then; detection takes one second of it
TEMP_VALID_S: Final = 172_800  # RFC 8981 §3.8
TEMP_PREFERRED_S: Final = 86_400  # RFC 8981 §3.8
MAX_DESYNC_S: Final = TEMP_PREFERRED_S * 4 // 10  # RFC 8981 §3.8
DAD_TRANSMITS: Final = 1  # RFC 4862 §5.1 DupAddrDetectTransmits
RETRANS_MS: Final = 1000  # RFC 4861 §10 RETRANS_TIMER

TENTATIVE, DAD_FAILED, OPTIMISTIC = 0x40, 0x08, 0x04  # IFA_F_*, uapi linux/if_addr.h


class UnknownIid(ValueError):
    """An interface identifier that can't be formed; the message says what is needed."""


class WantedIdentifier(msgspec.Struct, frozen=True, order=True):
    """An identifier to choose, and to say in an IdentifierChosen.

    pvd: who has the place that it is for (its owner, pvdcore/places.py), "" for the link's own.
    delay_ms_min, delay_ms_max: it is to be said after a random time of so much (RFC 7217 §6), if it is wanted then; 0:
    at once.
    """

    link: LinkId
    epoch: int
    pvd: PvdId
    prefix: str
    kind: str
    dad_counter: int = 0
    generation: int = 0
    delay_ms_max: int = 0
    delay_ms_min: int = 0


@lru_cache(maxsize=8192)
def _formed_of(address: str) -> str:
    return str(network(f"{address}/{128 - IID_BITS}"))


def formed(host: Host, link: LinkId, address: str) -> Iterator[Identifier]:
    """The identifiers that form an address (without length) of a link; none where nobody chose one for it."""
    for one in host.identifiers.get((link, _formed_of(address)), ()) if ":" in address else ():
        if one.address == address:
            yield one


def eui64(mac: str) -> int:
    """The modified EUI-64 interface identifier of a MAC (RFC 4291 §2.5.1, appendix A). Raises UnknownIid."""
    octets = mac.split(":")
    if len(octets) != 6:
        raise UnknownIid(f"{mac!r} is no MAC address to make an interface identifier of; give --host MAC")
    number = int("".join([*octets[:3], "ff", "fe", *octets[3:]]), 16)
    return number ^ (1 << 57)


def slaac(prefix: str, iid: int) -> str:
    """The address of an autonomous prefix and an interface identifier, with its length (RFC 4862 §5.5.3)."""
    base = network(prefix)
    return f"{base.network_address + iid}/{base.prefixlen}"


def forms(policy: Policy, prefix: Held) -> bool:
    """Whether a prefix forms addresses: autonomous, of the length that the link's identifiers leave (RFC 4862 §5.5.3).

    With `honor_p`, a prefix that prefers delegation forms none (RFC 9762).
    """
    if not autonomous(prefix) or (prefix.value[2] and policy.on("honor_p")):
        return False
    wanted = network(prefix.key)
    return wanted.prefixlen + IID_BITS == wanted.max_prefixlen


def floor(ends: Instant, at: Instant, valid_s: int | None) -> Instant:
    """The instant before which an address does not end that ended at `ends`, when `valid_s` is announced at `at`.

    RFC 4862 §5.5.3 e: more than two hours, or more than what is left, is taken; else what is left, at most two hours,
    stays. 0 where the announcement is taken as it is.
    """
    if valid_s is None or valid_s * SECOND > TWO_HOURS or deadline(at, valid_s) > ends:
        return 0
    return min(ends, at + TWO_HOURS)


def preferred_until(source: Source, held: Held) -> Instant:
    """When an address is deprecated: as announced, at its end at the latest; a temporary one by its own limit."""
    ends = deadline(counted_from(source, held), held.preferred_s)
    if held.value[1:2] == ("temporary",):
        assert isinstance(held.value[2], int)
        ends = min(ends, held.cap - (TEMP_VALID_S - TEMP_PREFERRED_S + held.value[2]) * SECOND)
    return min(ends, until(source, held))


def cap(chosen: Identifier) -> Instant:
    """When an address ends at the latest (RFC 8981 §3.4: of its creation, never of a later RA)."""
    return deadline(chosen.chosen_at, TEMP_VALID_S) if chosen.kind == "temporary" else NEVER


def regen_advance(state: State, link: LinkId) -> Instant:
    """How long before a temporary address is deprecated the next one is made (RFC 8981 §3.8)."""
    retrans = max(
        origin.header.retrans_ms for speaker in state.links[link].speakers for origin in state.speakers[link, speaker]
    )
    transmits = 0 if state.policy.word("dad") == "off" else DAD_TRANSMITS
    return 2 * SECOND + 3 * transmits * (retrans or RETRANS_MS) * MILLISECOND


def announcers(state: State) -> dict[tuple[LinkId, str], tuple[Origin, Held]]:
    """By link and autonomous prefix, the last RA that said it: an address of it is of its PvD (RFC 8801 §3.4)."""
    last: dict[tuple[LinkId, str], tuple[tuple[Instant, Seq, PvdId], Origin, Held]] = {}
    for (link, _), origins in state.speakers.items():
        for origin in origins:
            for held in origin.held:
                if autonomous(held):
                    said = (heard_at(origin, held), because(origin, held), origin.pvd)
                    known = last.get((link, held.key))
                    if known is None or known[0] < said:
                        last[link, held.key] = (said, origin, held)
    return {key: (origin, held) for key, (_, origin, held) in last.items()}


def wanted_identifiers(state: State) -> tuple[WantedIdentifier, ...]:
    """The identifiers that are to be chosen now, sorted."""
    return tuple(sorted(one for due, one in _wanted(state) if due <= state.now))


def wanted_of(state: State, owner: str) -> Iterator[WantedIdentifier]:
    """Of those wanted now, the ones that one PvD's instances give rise to, or a connection's place; temporary ones are
    not among them. owner: a PvD, or a connection as it is named as an owner."""
    kind = state.policy.word("identifier")
    for ask in _asks_of(state, owner, kind) if kind != "none" else ():
        yield from _missing(state, ask)


def _asks_of(state: State, owner: str, kind: str) -> Iterator[WantedIdentifier]:
    found = state.pvds.get(owner)
    if found is None:
        for one in state.connections.values():
            if places.owner_of(one.id) == owner and places.maker(state, one.link) == one:
                if _there(state, one.link, one.epoch):
                    yield WantedIdentifier(one.link, one.epoch, owner, LINK_LOCAL, kind)
        return
    for (link, epoch, host), instance in found.cells.items():
        if not host and _there(state, link, epoch):
            prefixes = {
                held.key: origin
                for speaker in instance.origins
                for origin in state.speakers[link, speaker]
                for held in origin.held
                if origin.pvd == owner and forms(state.policy, held)
            }
            for prefix, origin in prefixes.items():
                if not _formed_by_others(state, link, prefix):
                    yield _politely(state, origin, WantedIdentifier(link, epoch, "", prefix, kind))
            if places.projection(state, link) == "netns" and not _told(owner):
                if places.owner(state, owner, link, epoch) == owner:  # else it is the connection's to ask
                    yield WantedIdentifier(link, epoch, owner, LINK_LOCAL, kind)


def _there(state: State, link: LinkId, epoch: int) -> bool:
    """Whether an attachment goes on, with IPv6. A place may linger behind it, for which nothing is chosen any more."""
    known = state.links.get(link)
    return known is not None and known.attached and known.epoch == epoch and link not in state.host.off


def _formed_by_others(state: State, link: LinkId, prefix: str) -> bool:
    """Whether the host has an address of a prefix that we did not form: in the first namespace that one is used. A
    namespace of a PvD is ours alone."""
    return places.projection(state, link) == "tables" and any(
        where == link and one.origin != "ours" and covers(prefix, address)
        for (where, address), one in state.host.sighted.items()
    )


def _politely(state: State, origin: Origin, ask: WantedIdentifier) -> WantedIdentifier:
    """In the first namespace others have their turn, unless the prefix is in a PvD option, which they do not read."""
    said = origin.event.options
    alone = said and not any(isinstance(one, PrefixInformation) and one.prefix == ask.prefix for one in said)
    if alone or places.projection(state, ask.link) != "tables":
        return ask
    return msgspec.structs.replace(ask, delay_ms_min=OTHERS_FIRST_MS, delay_ms_max=OTHERS_FIRST_MS)


def wanted_at(state: State) -> Instant:
    """When the next identifier is wanted if nothing is heard until then; NEVER if none."""
    return min((due for due, _ in _wanted(state)), default=NEVER)


def _wanted(state: State) -> Iterator[tuple[Instant, WantedIdentifier]]:
    kind = state.policy.word("identifier")
    for (link, prefix), (origin, held) in announcers(state).items():
        if forms(state.policy, held) and not _formed_by_others(state, link, prefix):
            if kind != "none":
                ask = _politely(state, origin, WantedIdentifier(link, origin.epoch, "", prefix, kind))
                yield from ((state.now, one) for one in _missing(state, ask))
            if state.policy.on("temporary"):
                yield from _temporary(state, origin, held)
    if kind == "none":
        return
    standing = {(link, epoch, places.owner(state, id, link, epoch)) for id, link, epoch in _shared(state)}
    for name in {one.link for one in state.connections.values()}:
        made = places.maker(state, name)
        if made is not None:  # also before anybody has its place: its client asks from this address
            standing.add((name, made.epoch, places.owner_of(made.id)))
    for link, epoch, owner in standing:
        if _there(state, link, epoch):
            ask = WantedIdentifier(link, epoch, owner, LINK_LOCAL, kind)
            yield from ((state.now, one) for one in _missing(state, ask))


def _shared(state: State) -> Iterator[tuple[PvdId, LinkId, int]]:
    """The PvDs with what all hosts of an attachment share."""
    for id in state.pvds:
        for link, epoch, host in state.pvds[id].cells:
            if not host and not _told(id) and places.projection(state, link) == "netns":
                yield id, link, epoch


def _told(pvd: PvdId) -> bool:
    """Whether all of its addresses are told: a tunnel has those that its client says."""
    return pvd.startswith("vpn:")


def _missing(state: State, ask: WantedIdentifier) -> Iterator[WantedIdentifier]:
    """What is asked for, if none was chosen yet; the next one, if what was chosen was somebody's."""
    chosen = state.host.identifiers.get((ask.link, ask.prefix), ())
    at = bisect_left(chosen, (ask.pvd, ask.kind), key=_of)
    known = chosen[at] if at < len(chosen) else None
    if known is None or _of(known) != (ask.pvd, ask.kind):
        yield ask
    elif known.phase == "duplicate":  # no other algorithm takes its place (RFC 7217 §6)
        counter = known.dad_counter + 1
        yield msgspec.structs.replace(ask, dad_counter=counter, delay_ms_min=0, delay_ms_max=IDGEN_DELAY_MS)


def _of(one: Identifier) -> tuple[str, str]:
    """By which identifiers of a prefix are in order."""
    return one.pvd, one.kind


def _temporary(state: State, origin: Origin, prefix: Held) -> Iterator[tuple[Instant, WantedIdentifier]]:
    """One whose preferred lifetime outlasts the time it takes to make the next (RFC 8981 §3.4, §3.5)."""
    chosen = state.host.identifiers.get((origin.link, prefix.key), ())
    temporary = (one for one in chosen if one.kind == "temporary")
    last = max(temporary, key=lambda one: one.generation, default=None)
    due, generation, counter = state.now, 0, 0
    advance = regen_advance(state, origin.link)
    if last is not None:
        if last.phase == "given-up":
            return
        generation = last.generation + 1
        if last.phase == "duplicate":
            counter = last.dad_counter + 1
        else:
            own = deadline(last.chosen_at, TEMP_PREFERRED_S - last.desync_s)
            due = max(due, own - advance)  # one that the network deprecated is not followed by another
    preferred = deadline(counted_from(origin, prefix), prefix.preferred_s)
    if preferred - advance > due:
        yield due, WantedIdentifier(origin.link, origin.epoch, "", prefix.key, "temporary", counter, generation)


def usable(state: State, link: LinkId, address: str) -> bool:
    """Whether an address of this host may be used: it stands on the link and is not tentative (RFC 4862 §5.4).

    address: without length. `dad=optimistic` uses it as soon as it stands there (RFC 4429); with `dad=off` there is
    nothing to wait for.
    """
    how = state.policy.word("dad")
    if how == "off":
        return True
    sighted = state.host.sighted.get((link, address))
    if sighted is None or sighted.flags & DAD_FAILED:
        return False
    return how == "optimistic" or not sighted.flags & TENTATIVE


def text_of(prefix: str, iid: str) -> str:
    """An address, without length, of a prefix and an identifier in hexadecimal. Raises UnknownIid."""
    base = network(prefix)
    try:
        number = int(iid, 16)
    except ValueError as error:
        raise UnknownIid(f"{iid!r} is no interface identifier in hexadecimal") from error
    if base.version != 6 or number >> (128 - base.prefixlen):
        raise UnknownIid(f"{iid!r} does not fit behind {prefix}")
    return str(IPv6Address(int(base.network_address) | number))
