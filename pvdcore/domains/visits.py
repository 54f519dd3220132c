"""Visits: by what a network would be known again, and to which earlier visits an attachment is alike.

Law: a likeness is a link between two histories, never a merge: no PvD, item, trust or count passes from one visit to
another (standards.md C.3, RFC 7556 §7.1). fe80::1 is the router of half the world's homes, so an address says nothing
without the MAC behind it. What a likeness rests on is always told with it.
"""

from typing import Final

from msgspec.structs import replace

from events.codec import AnyEvent
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen, Identifier
from events.ids import LinkId
from events.router import PrefixInformation, PvdOption, RouterAdvertised, SourceLinkLayerAddress
from pvdcore.draft import Draft
from pvdcore.leases.exchanges import address
from pvdcore.state import Likeness, Mark, State, Visit

WEIGHTS: Final = {
    # kind of mark: (weight, why)
    "router": (3, "a router's link-local address together with its link-layer address"),
    "dhcp4": (3, "a DHCPv4 server's identifier together with its link-layer address"),
    "dhcp6": (3, "a DHCPv6 server's DUID"),
    "prefix": (2, "an announced prefix: a provider may renumber, and a ULA is random"),
    "pvd": (1, "a PvD ID: anybody can announce it"),
}
HIGH: Final = 5  # two kinds that cannot agree by chance; none weighs as much alone
MEDIUM: Final = 3


def marks(event: AnyEvent) -> set[Mark]:
    """By what an event would make its network known again."""
    found: set[Mark] = set()
    if isinstance(event, RouterAdvertised):
        _of_router(event, found)
    elif isinstance(event, Dhcp4MessageSeen):
        if event.message in ("OFFER", "ACK") and event.mac:
            server = address(event.options, 54)
            if server is not None:
                found.add(("dhcp4", f"{server} {event.mac}"))
    elif isinstance(event, Dhcp6MessageSeen) and event.message in ("ADVERTISE", "REPLY"):
        for duid in event.options:
            if isinstance(duid, Identifier) and duid.code == 2:
                found.add(("dhcp6", duid.id))
    return found


def _of_router(event: RouterAdvertised, found: set[Mark]) -> None:
    mac, option = event.mac, None
    for one in event.options:
        if type(one) is PrefixInformation:
            if one.valid_s != 0:
                found.add(("prefix", one.prefix))
        elif type(one) is SourceLinkLayerAddress:
            mac = mac or one.address
        elif type(one) is PvdOption and option is None:
            option = one
    if option is not None:
        found.add(("pvd", option.name))
        for one in option.options:
            if type(one) is PrefixInformation and one.valid_s != 0:
                found.add(("prefix", one.prefix))
    if mac:
        found.add(("router", f"{event.router} {mac}"))


def note(draft: Draft, event: AnyEvent, link: LinkId) -> None:
    """Remember the marks of an event with the attachment it was heard on."""
    found = marks(event)
    if not found:
        return
    key = (link, draft.link(link).epoch)
    visit = draft.visits.get(key)
    if visit is None:
        visit = Visit(link, key[1], draft.at)
    known = draft.marked.get(key)
    if known is None or known[0] is not visit:  # a network of fifty routers has hundreds
        known = draft.marked[key] = (visit, frozenset(visit.marks), _servers(visit.marks))
    if found <= known[1]:
        return
    fresh = sorted(found - known[1])
    room = max(draft.policy.number("marks_max") - len(visit.marks), 0)
    both = tuple(sorted((*visit.marks, *fresh[:room]))) if room else visit.marks
    if room or not visit.marks:
        draft.visits = draft.visits.set(key, replace(visit, marks=both))
    if not any(kind == "dhcp4" for kind, _ in fresh):
        return
    servers = _servers(both) if room else known[2]
    if len(servers) > 1:
        draft.find("two-dhcp4-servers", link=link, what=", ".join(sorted(servers)))


def familiar(draft: Draft, visit: Visit, found: frozenset[Mark]) -> bool:
    """Whether `note` would do nothing with these marks: they are known, or there is no room for more."""
    fresh = found.difference(visit.marks)
    if not fresh:
        return True
    several = any(kind == "dhcp4" for kind, _ in fresh) and len(_servers(visit.marks)) > 1
    return 0 < len(visit.marks) >= draft.policy.number("marks_max") and not several


def _servers(known: tuple[Mark, ...]) -> frozenset[str]:
    """The DHCPv4 servers among marks."""
    return frozenset([text.split()[0] for kind, text in known if kind == "dhcp4"])


def ended(draft: Draft, link: LinkId) -> None:
    """The attachment ended. Of visits that are over, so many are kept as policy says: the oldest goes first."""
    key = (link, draft.link(link).epoch)
    visit = draft.visits.get(key)
    if visit is None or visit.ended is not None:
        return
    draft.visits = draft.visits.set(key, replace(visit, ended=draft.at))
    over = sorted((one.ended, one.link, one.epoch) for one in draft.visits.values() if one.ended is not None)
    for _, name, epoch in over[: max(len(over) - draft.policy.number("visits_max"), 0)]:
        draft.visits = draft.visits.delete((name, epoch))


def earlier(state: State, visit: Visit) -> tuple[Likeness, ...]:
    """The visits before this one that were to what is probably the same network: the surest first, then the latest."""
    before = (one for one in state.visits.values() if one.ended is not None and one.ended <= visit.began)
    found = [like for one in before if (like := likeness(visit, one)) is not None]
    order = ("high", "medium", "low")
    return tuple(sorted(found, key=lambda one: (order.index(one.confidence), -one.visit.began, one.visit.link)))


def likeness(visit: Visit, other: Visit) -> Likeness | None:
    """How alike two visits are; `None` if they share nothing. A kind counts once, however many marks of it agree."""
    shared = tuple(sorted(set(visit.marks) & set(other.marks)))
    if not shared:
        return None
    weight = sum(WEIGHTS[kind][0] for kind in {kind for kind, _ in shared})
    confidence = "high" if weight >= HIGH else "medium" if weight >= MEDIUM else "low"
    return Likeness(other, confidence, shared)
