"""A Router Advertisement that differs from its router's last one in lifetimes only (providers count them down).

Law: nothing here does what advertised.py beside it would not do: it says whether the long way would change nothing but
lifetimes and instants, without a finding, and then changes those. What it cannot see at once is left to the long way.

A router that announces several sets of prefixes in turn is taken likewise (`swap`).

A Plan is made when the long way found nothing to remark. It knows where each option's items stand in what the origin
holds, and falls with anything that is put into or taken from the origin by another way (`Draft.stir`).
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from events.ids import Instant, deadline
from events.router import Dnssl, PrefixInformation, Rdnss, RouteInformation, RouterAdvertised
from pvdcore import deadlines
from pvdcore.checks.remarks import SPLIT_NS
from pvdcore.draft import Draft
from pvdcore.prefixes import covers
from pvdcore.routers.words import WAITS, Leeway, Plan, Slack, Speaker, Words, retold
from pvdcore.state import FOLLOWS, Held, Origin

SHAPES_MAX: Final = 8  # of one router: sets of prefixes that it announces in turn
LASTING: Final = frozenset((PrefixInformation, RouteInformation, Rdnss, Dnssl))


def plan(draft: Draft, event: RouterAdvertised, said: Iterable[Held]) -> None:
    """Remember how to take the next words of a router, if its last ones, `event`, are all of one PvD and plain."""
    key = (event.link, event.router)
    origins = draft.speakers.get(key)
    if len(origins) != 1 or origins[0].event is not event or not _alone(draft, origins[0]):
        return
    places = {(held.kind, held.key): place for place, held in enumerate(origins[0].held)}
    slots = [(held.kind, held.key) for held in said if held.lifetime_s != 0 or held.fixed]
    carried = [(held.kind, held.key) for held in origins[0].held if held.heard_at == FOLLOWS]
    if sorted(slots) != sorted(carried):
        return
    known = Plan(
        tuple([_places(event, option, places) for option in event.options]),
        Leeway(origins[0].queued),
        frozenset([places[slot] for slot in slots]),
        tuple([prefix for kind, prefix in slots if kind == "prefix"]),
    )
    _keep_shape(draft, key, event, origins[0], known)
    if not _beside(draft, key, known):
        draft.plans[key] = known


def _alone(draft: Draft, origin: Origin) -> bool:
    """Whether no other router speaks of the PvD: where several do, the newest value counts (N14)."""
    if origin.pvd.startswith("ra:"):
        return True
    return len(draft.speakers_of(origin.pvd, (origin.link, origin.epoch, ""))) < 2


def _places(event: RouterAdvertised, option: object, places: dict[tuple[str, str], int]) -> tuple[int, ...]:
    """Where the items of a lasting option stand; () if one of them does not."""
    match option:
        case PrefixInformation() if option.valid_s != 0:  # what ends one part of a prefix says nothing of the other
            slots = [("prefix", option.prefix)]
        case RouteInformation():
            slots = [("route", f"{option.prefix} via {event.router}")]
        case Rdnss():
            slots = [("dns", address) for address in option.addresses]
        case Dnssl():
            slots = [("search", name) for name in option.names]
        case _:
            return ()
    return tuple(places[slot] for slot in slots) if all(slot in places for slot in slots) else ()


def revise(draft: Draft, event: RouterAdvertised) -> bool:
    """Whether an RA changed lifetimes at most; then they are changed, or wait for that. False: nothing was done.

    What stands is left to `refresh`: it may be waiting as it is (pvdcore/engine.py).
    """
    router = draft.router((event.link, event.router))
    if router is None or router.said is event or draft.host.identifiers:
        return False
    known, last = router.plan, router.said
    before, after = last.options, event.options
    if len(before) != len(after) or event.mac != last.mac or event.notes != last.notes:
        return False
    if event.header is not last.header and event.header != last.header:
        return False
    link = draft.links[event.link]
    if link.contested or not link.attached:
        return False
    at = draft.at
    queued = known.leeway.queued
    for number, one in enumerate(after):
        old = before[number]
        if old is one:
            continue
        if type(one) is PrefixInformation and type(old) is PrefixInformation:
            if not _same_prefix(old, one):
                return False
            lifetime = one.valid_s
        elif type(one) is RouteInformation and type(old) is RouteInformation:
            if old.prefix != one.prefix or old.preference != one.preference:
                return False
            lifetime = one.lifetime_s
        elif type(one) is Rdnss and type(old) is Rdnss:
            if old.addresses != one.addresses:
                return False
            lifetime = one.lifetime_s
        elif type(one) is Dnssl and type(old) is Dnssl:
            if old.names != one.names:
                return False
            lifetime = one.lifetime_s
        elif old == one:
            continue
        else:
            return False
        if lifetime == 0 or not router.free[number]:
            return False
        queued = min(queued, deadline(at, lifetime))
    if queued == known.leeway.queued:
        waits = bytearray(WAITS.pack(at, draft.seq))
        draft.speakers.wait(Words(router.speaker, draft.seq, event, known, event, None, waits), router)
    else:
        (origin,) = draft.speakers.get(router.speaker)
        draft.deadlines = deadlines.push(draft.deadlines, queued, ("origin", origin.link, origin.speaker, origin.pvd))
        origin = replace(origin, queued=queued)
        known.leeway.queued = queued
        draft.speakers.set(router.speaker, (retold(origin, event, known, at, draft.seq),))
    draft.say(router, event)
    return True


# A router that announces several sets of prefixes in turn says nothing new with any of them.

Shape = tuple[object, ...]


def _shape(event: RouterAdvertised) -> Shape:
    """What an RA says but for lifetimes, option by option."""
    found: list[object] = []
    for one in event.options:
        if type(one) is PrefixInformation:
            found.append((one.prefix, one.on_link, one.autonomous, one.pd_preferred, one.router_address))
        elif type(one) is RouteInformation:
            found.append((one.prefix, one.preference))
        elif type(one) is Rdnss:
            found.append(one.addresses)
        elif type(one) is Dnssl:
            found.append(one.names)
        else:
            found.append(one)
    return tuple(found)


def _keep_shape(draft: Draft, key: Speaker, event: RouterAdvertised, origin: Origin, known: Plan) -> None:
    """Remember a plain RA by its shape, as long as its origin holds the same items in the same places, perhaps with
    others behind them."""
    slots = tuple([(held.kind, held.key, held.value) for held in origin.held])
    before, shapes = draft.shapes.get(key, ((), {}))
    if slots[: len(before)] != before or len(shapes) >= SHAPES_MAX:
        shapes = {}
    shapes[_shape(event)] = known
    draft.shapes[key] = (slots, shapes)


def swap(draft: Draft, event: RouterAdvertised) -> bool:
    """Whether an RA says what its router said in an earlier one and still holds, lifetimes aside; then it counts as
    said now, and what its last one said as said then. False: nothing was done."""
    key = (event.link, event.router)
    present = draft.plans.get(key)
    if present is None or draft.host.identifiers:
        return False
    shapes, shape = draft.shapes[key][1], _shape(event)
    found = shapes.get(shape)
    if found is None or _beside(draft, key, found):
        return False
    (origin,) = draft.speakers.get(key)
    if found.leeway is not present.leeway:
        found = shapes[shape] = replace(found, leeway=present.leeway)
    last, link = origin.event, draft.links[event.link]
    if event.header != last.header or event.mac != last.mac or event.notes != last.notes:
        return False
    if (
        link.contested
        or not link.attached
        or [one for one in event.options if type(one) not in LASTING]
        != [one for one in last.options if type(one) not in LASTING]
    ):
        return False
    carried = frozenset([place for place, held in enumerate(origin.held) if held.heard_at == FOLLOWS])
    if not _in_turn(origin, carried, found, draft.at - origin.heard_at):
        return False
    at, queued = draft.at, origin.queued
    for number, said in enumerate(event.options):
        if type(said) is PrefixInformation:
            lifetime = said.valid_s
        elif type(said) is RouteInformation or type(said) is Rdnss or type(said) is Dnssl:
            lifetime = said.lifetime_s
        else:
            continue
        if lifetime == 0 or not found.places[number]:
            return False
        queued = min(queued, deadline(at, lifetime))
    if queued != origin.queued:
        draft.deadlines = deadlines.push(draft.deadlines, queued, ("origin", origin.link, origin.speaker, origin.pvd))
        origin = replace(origin, queued=queued)
        present.leeway.queued = queued
    draft.speakers.set(key, (retold(origin, event, found, at, draft.seq),))
    draft.stand(key, event)
    draft.plans[key] = found
    return True


def _in_turn(origin: Origin, carried: frozenset[int], found: Plan, silence: int) -> bool:
    """Whether words of another plan may follow, so many nanoseconds later, those that carry these items."""
    if origin.pvd.startswith("fqdn:") and silence <= SPLIT_NS:
        return False  # one set of words over several RAs (remarks.py)
    default = f"::/0 via {origin.speaker}"  # each RA writes it anew (RFC 4191 §3.1)
    return all(origin.held[place].key != default for place in carried - found.carried)


def explicit(draft: Draft, key: Speaker) -> bool:
    """Whether a router that has a plan speaks of an explicit PvD: then it matters when it spoke last."""
    return any(one.pvd.startswith("fqdn:") for one in draft.speakers.unrefreshed(key))


def in_turn(draft: Draft, slack: Slack, present: Plan, at: Instant, said_at: Instant) -> bool:
    """Whether the router of a slack may say its words now, after others of the same leeway, `present`: see `swap`.
    said_at: when it said those, if that is later than what the fold knows of."""
    (origin,) = draft.speakers.unrefreshed(slack.speaker)
    heard_at = max(origin.heard_at, said_at)
    if explicit(draft, slack.speaker) and (last := draft.speakers.waiting().get(slack.speaker)) is not None:
        heard_at = max(heard_at, last[-1].last[0])
    return _in_turn(origin, present.carried, slack.plan, at - heard_at)


def slack(draft: Draft, key: Speaker, event: RouterAdvertised) -> Slack | None:
    """What the router of `event`, its last words, may change of them without being looked at: see `revise`."""
    known = draft.plans.get(key)
    link = draft.links.get(event.link)
    if known is None or link is None or link.contested or not link.attached:
        return None
    if draft.host.identifiers:
        return None
    (origin,) = draft.speakers.get(key)
    if origin.event is not event:
        return None
    return Slack(key, known, draft.host, known.free)


def _same_prefix(old: PrefixInformation, one: PrefixInformation) -> bool:
    return (
        old.prefix == one.prefix
        and old.on_link == one.on_link
        and old.autonomous == one.autonomous
        and old.pd_preferred == one.pd_preferred
    )


def _beside(draft: Draft, key: Speaker, plan: Plan) -> bool:
    """Whether another router of the link announces one of the prefixes too, or one is of what was delegated: how their
    lifetimes compare is for remarks.py, moved or not."""
    link, router = key
    announcing = draft.announcing(link)
    return any(
        any(speaker != router for speaker in announcing[prefix])
        or any(covers(subject, prefix) for *_, subject in draft.delegations())
        for prefix in plan.prefixes
    )
