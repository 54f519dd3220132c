"""Where findings are found: what one RA shows by itself, and what it shows beside what was heard before.

Law: nothing here changes what is folded. Each function looks at an event and at the State before it, and notes findings
of the catalogue (pvdcore/checks/findings.py).
"""

from collections.abc import Callable, Iterable
from typing import Final

from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen, RdnssSelection
from events.ids import SECOND, PvdId, deadline
from events.router import (
    IgnoredOption,
    MifContainer,
    NdOption,
    PrefixInformation,
    PvdOption,
    RaHeader,
    RouteInformation,
    RouterAdvertised,
)
from pvdcore.draft import Draft
from pvdcore.leases.exchanges import slot6
from pvdcore.prefixes import covers, length
from pvdcore.state import FOLLOWS, Grant, Held, Link, Origin, counted_from

SPLIT_NS: Final = 3 * SECOND  # RAs of one set follow each other at once; those of two rounds never do (RFC 4861 §10)
COUNTING_NS: Final = 5 * SECOND  # lifetimes that count down end together up to the jitter of RAs
UNANSWERED_NS: Final = 5 * SECOND  # a DHCPv6 client has repeated itself twice by then (RFC 8415 §15, IRT 1 s)

Reading = Callable[[tuple[NdOption, ...]], Iterable[Held]]
"""Options -> the items they say."""

IGNORED: Final = {
    "prefix-lifetimes": "preferred-over-valid",
    "mtu-small": "mtu-under-1280",
    "route-preference": "reserved-preference",
}
"""Why an option is ignored (adapters/wire/rules.py) -> the finding it makes."""


def alone(draft: Draft, event: RouterAdvertised, says: Reading) -> None:
    """What one RA shows by itself."""
    _options(draft, event, says)
    option = next((one for one in event.options if isinstance(one, PvdOption)), None)
    name = "fqdn:" + option.name if option else None
    for one in event.options:
        if isinstance(one, IgnoredOption) and one.code == 21:
            draft.find("duplicate-pvd-option", link=event.link, pvd=name, router=event.router)
    headers = [event.header, *([option.header] if option and option.header else [])]
    for header in headers:
        if header.preference == "reserved":
            draft.find("reserved-preference", link=event.link, router=event.router)
        elif header.lifetime_s == 0 and header.preference != "medium":
            draft.find("preference-without-lifetime", link=event.link, router=event.router)
    if option is None or name is None:
        return
    if option.name.count(".") < 2:
        draft.find("pvd-id-one-label", link=event.link, pvd=name, router=event.router)
    if not option.http and (option.sequence or option.delay):
        draft.find("sequence-without-h", link=event.link, pvd=name, router=event.router)
    for one in option.options:
        if isinstance(one, IgnoredOption) and one.code == 21:
            draft.find("nested-pvd-option", link=event.link, pvd=name, router=event.router)
    if option.header is not None:
        _headers(draft, event, name, option.header)
    outer = {(held.kind, held.key): held for held in says(event.options)}
    for held in says(option.options):
        twin = outer.get((held.kind, held.key))
        if twin is not None and _content(twin) != _content(held):
            draft.find("inner-outer-differ", link=event.link, pvd=name, kind=held.kind, key=held.key)


def _headers(draft: Draft, event: RouterAdvertised, name: PvdId, inner: RaHeader) -> None:
    """An inner header that contradicts the outer one. Lifetime and preference may differ: RFC 8801 §5.2 is made of it.

    Of numbers, 0 is "unspecified" and contradicts nothing.
    """
    outer = event.header
    pairs = {
        "M": (outer.managed, inner.managed),
        "O": (outer.other_config, inner.other_config),
        "hop limit": (outer.hop_limit or inner.hop_limit, inner.hop_limit or outer.hop_limit),
        "reachable time": (outer.reachable_ms or inner.reachable_ms, inner.reachable_ms or outer.reachable_ms),
        "retransmission timer": (outer.retrans_ms or inner.retrans_ms, inner.retrans_ms or outer.retrans_ms),
    }
    what = ", ".join(word for word, (one, other) in pairs.items() if one != other)
    if what:
        draft.find("inner-header-differs", link=event.link, pvd=name, router=event.router, what=what)


def _content(held: Held) -> tuple[object, ...]:
    return held.value, held.lifetime_s, held.preferred_s


def _options(draft: Draft, event: RouterAdvertised, says: Reading) -> None:
    nested = [one.options for one in event.options if isinstance(one, (PvdOption, MifContainer))]
    for options in (event.options, *nested):
        if len({type(one) for one in options}) < len(options):
            _twice(draft, event, says(options))
        routes = [one.prefix for one in options if isinstance(one, RouteInformation)]
        for prefix in sorted({one for one in routes if routes.count(one) > 1}):
            draft.find("duplicate-route", link=event.link, router=event.router, prefix=prefix)
        for one in options:
            if isinstance(one, IgnoredOption) and one.reason in IGNORED:
                draft.find(IGNORED[one.reason], link=event.link, router=event.router)
            if isinstance(one, PrefixInformation) and one.autonomous and one.valid_s != 0 and length(one.prefix) != 64:
                draft.find("prefix-length-not-64", link=event.link, router=event.router, prefix=one.prefix)


def _twice(draft: Draft, event: RouterAdvertised, said: Iterable[Held]) -> None:
    """What stands twice in one RA, differently. Routes have a finding of their own."""
    first: dict[tuple[str, str], Held] = {}
    for held in said:
        twin = first.setdefault((held.kind, held.key), held)
        if held.kind != "route" and _content(twin) != _content(held):
            draft.find("duplicate-option", link=event.link, router=event.router, kind=held.kind, key=held.key)


def beside(
    draft: Draft, event: RouterAdvertised, pvd: PvdId, header: RaHeader, said: tuple[Held, ...], known: Origin | None
) -> None:
    """What an RA shows of one PvD, beside what its router (`known`) and others said before."""
    link = draft.link(event.link)
    live = {(held.kind, held.key): held for held in said if held.lifetime_s != 0 or held.fixed}
    prefixes = {key for kind, key in live if kind == "prefix"}
    before = {held.key for held in known.held if held.kind == "prefix"} if known else set()
    if header.managed and not prefixes | before:
        draft.find("managed-without-prefix", link=link.id, pvd=pvd, router=event.router)
    _lifetimes(draft, link, event, pvd, live)
    _delegated(draft, link, event, pvd, live)
    if known is None:
        return
    if event.mac and known.mac and event.mac != known.mac:
        who = {"router": event.router, "before": known.mac, "after": event.mac}
        draft.find("router-mac-changed", link=link.id, **who)
    _silence(draft, event, pvd, live, known)
    if not pvd.startswith("fqdn:"):
        return
    last = {(held.kind, held.key) for held in known.held if held.heard_at == FOLLOWS and not held.fixed}
    last, now = ({slot for slot in slots if slot[0] != "router"} for slots in (last, live))
    if last - now and now - last and 0 <= draft.at - known.heard_at <= SPLIT_NS:
        draft.find("pvd-split-over-ras", link=link.id, pvd=pvd, router=event.router)
    option = next((one for one in event.options if isinstance(one, PvdOption)), None)
    fresh = sorted(prefixes - before)
    if option is not None and option.http and known.http and fresh and option.sequence == known.sequence:
        draft.find("sequence-unchanged", link=link.id, pvd=pvd, prefix=fresh[0], sequence=option.sequence)


def _silence(
    draft: Draft, event: RouterAdvertised, pvd: PvdId, live: dict[tuple[str, str], Held], known: Origin
) -> None:
    """A router that repeats itself more slowly than what it says lasts: something lapsed in between (event gone)."""
    gap = (draft.at - known.heard_at) // SECOND
    if known.event.router or not known.header.lifetime_s:
        return  # nothing lapsed since; or it had said that it ends
    held_still = {(held.kind, held.key) for held in known.held}
    for slot in sorted(live.keys() - held_still):
        lifetime = live[slot].lifetime_s
        if lifetime is not None and lifetime < gap and not live[slot].fixed:
            kind, key = slot
            draft.find(
                "lifetime-under-interval",
                link=event.link,
                pvd=pvd,
                router=event.router,
                kind=kind,
                key=key,
                lifetime=lifetime,
                gap=gap,
            )
            return


def _lifetimes(
    draft: Draft, link: Link, event: RouterAdvertised, pvd: PvdId, live: dict[tuple[str, str], Held]
) -> None:
    """Prefix lifetimes that differ between routers and don't count down to the same instant (RFC 4861 §6.2.7)."""
    announcing = draft.announcing(link.id)
    for speaker in sorted({one for kind, key in live if kind == "prefix" for one in announcing.get(key, ())}):
        for other in draft.speakers.get((link.id, speaker), ()):
            classic = pvd.startswith("ra:") and other.pvd.startswith("ra:")
            if speaker == event.router or not (other.pvd == pvd or classic):
                continue
            for held in other.held:
                mine = live.get((held.kind, held.key)) if held.kind == "prefix" else None
                if mine is None or (mine.lifetime_s, mine.preferred_s) == (held.lifetime_s, held.preferred_s):
                    continue
                since = counted_from(other, held)
                apart = [
                    abs(deadline(draft.at, one) - deadline(since, two))
                    for one, two in ((mine.lifetime_s, held.lifetime_s), (mine.preferred_s, held.preferred_s))
                ]
                if max(apart) > COUNTING_NS:
                    draft.find("prefix-lifetimes-differ", link=link.id, prefix=held.key)


def _delegated(
    draft: Draft, link: Link, event: RouterAdvertised, pvd: PvdId, live: dict[tuple[str, str], Held]
) -> None:
    """A prefix that is announced for longer than it, or what contains it, is delegated (RFC 8415 §18.2.10.1)."""
    for key in draft.delegations():
        grant = draft.grants[key]
        for held in grant.held:
            if held.kind == "prefix_delegated":
                _outlived(draft, link, event, pvd, live, (grant, held))


def _outlived(
    draft: Draft,
    link: Link,
    event: RouterAdvertised,
    pvd: PvdId,
    live: dict[tuple[str, str], Held],
    given: tuple[Grant, Held],
) -> None:
    grant, delegated = given
    since = counted_from(grant, delegated)
    for (kind, prefix), mine in sorted(live.items()):
        if kind != "prefix" or not covers(delegated.key, prefix):
            continue
        pairs = ((mine.lifetime_s, delegated.lifetime_s), (mine.preferred_s, delegated.preferred_s))
        if any(deadline(draft.at, said) > deadline(since, granted) + COUNTING_NS for said, granted in pairs):
            said = {"router": event.router, "prefix": prefix, "delegated": delegated.key}
            draft.find("delegation-outlived", link=link.id, pvd=pvd, **said)


def reserved(draft: Draft, event: Dhcp4MessageSeen | Dhcp6MessageSeen) -> None:
    """An RDNSS selection with the reserved preference, which counts as medium (RFC 6731 §4.2, §4.3)."""
    for one in event.options:
        if isinstance(one, RdnssSelection) and one.preference == "reserved":
            draft.find("rdnss-selection-reserved", link=event.link, server=one.addresses[0], number=one.code)


def unanswered(draft: Draft, event: Dhcp6MessageSeen) -> None:
    """A DHCPv6 client that an RA invited to ask, and that nobody answers."""
    if event.message not in ("SOLICIT", "INFORMATION-REQUEST") or event.relays:
        return
    link = draft.link(event.link)
    ask = dict(link.asks).get(slot6(event))
    if ask is None or ask.event.message != event.message or draft.at - ask.at < UNANSWERED_NS:
        return
    for speaker in link.speakers:
        for origin in draft.speakers.get((link.id, speaker), ()):
            if origin.header.managed or (origin.header.other_config and event.message != "SOLICIT"):
                draft.find("dhcp6-unanswered", link=link.id, pvd=origin.pvd, host=ask.host)
