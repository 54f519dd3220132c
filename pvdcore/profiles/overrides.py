"""What a profile adds to the PvDs that its connection leads to, or puts in place of what they said (RFC 7556 §5.1).

Law: a profile holds no PvD's data and a PvD no profile's: what is configured stands beside what was learned, with the
profile and the record it is from, and is laid over it when a place is asked for. A resolver for a PvD that the policy
keeps from resolving (`resolvers_only`) is refused, and told of: the policy is for a purpose, the profile for a network.

So it is with routes: a profile may do without the default route, or without all that were learned, and may have some of
its own, which stand where their next hop can be reached.

A profile with an address of its own has a PvD of its own (pvdcore/profiles/static.py), where its resolvers belong.
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final, Protocol

import msgspec
from immutables import Map

from events.ids import LinkId, PvdId, Seq
from events.operator import Settings
from pvdcore.policy import Policy
from pvdcore.prefixes import covers
from pvdcore.profiles.intent import Intent
from pvdcore.profiles.static import FAMILIES, addresses, listed, routes
from pvdcore.state import Connection

IN_FORCE: Final = "active"  # of the phases in pvdcore/profiles/connections.py: the PvD that the profile is for has come
KEYS: Final = {"dns": "dns", "search": "dns-search"}
"""Kinds of items, and the keys of a profile that are about them."""


class Override(msgspec.Struct, frozen=True):
    """Resolvers or search names for a PvD on one attachment, of one profile.

    instead: what was learned of that family does not count. because: the record that brought the profile. refused: the
    policy that does not let it, "" if none.
    """

    settings: str
    kind: str
    family: str
    values: tuple[str, ...]
    instead: bool
    because: Seq
    refused: str = ""


class Rerouted(msgspec.Struct, frozen=True):
    """What a profile says of the routes of one family through the PvDs that it leads to.

    never_default: there is no default route. instead: what was learned of next hops does not count. routes: further
    ones, each for the PvD that reaches its next hop. because: the record that brought the profile.
    """

    family: str
    never_default: bool
    instead: bool
    routes: tuple[tuple[str, str | None], ...]
    because: Seq


class Holder(Protocol):
    """A State, or the workbench of a step."""

    @property
    def connections(self) -> Map[str, Connection]: ...
    @property
    def settings(self) -> Map[str, Settings]: ...
    @property
    def intent(self) -> Intent: ...
    @property
    def policy(self) -> Policy: ...


def overrides(state: Holder, pvd: PvdId, link: LinkId, epoch: int) -> Iterator[Override]:
    """What active profiles configure for a PvD, by connection; the refused ones, too."""
    for profile, because in _active(state, pvd, link, epoch):
        yield from _of(profile, because, refusal(state.policy, pvd))


def rerouted(state: Holder, pvd: PvdId, link: LinkId, epoch: int) -> Iterator[Rerouted]:
    """What active profiles say of routes through a PvD, by connection and family."""
    for profile, because in _active(state, pvd, link, epoch):
        for family in FAMILIES:
            if not addresses(profile, family):  # else they are its own PvD's
                never = profile.values.get(f"{family}.never-default") is True
                instead = profile.values.get(f"{family}.ignore-auto-routes") is True
                yield Rerouted(family, never, instead, tuple(routes(profile, family)), because)


def _active(state: Holder, pvd: PvdId, link: LinkId, epoch: int) -> Iterator[tuple[Settings, Seq]]:
    """The profiles that are for a PvD, each with the record that brought it."""
    for id in sorted(state.connections):
        one = state.connections[id]
        here = (one.phase, one.link, one.epoch) == (IN_FORCE, link, epoch) and pvd in one.pvds
        if not here or one.by == "external" or pvd.startswith("static:"):
            continue
        profile = state.settings.get(one.settings)
        if profile is not None:
            yield profile, state.intent.known[one.settings].because


def refusal(policy: Policy, pvd: PvdId) -> str:
    """The policy that lets a PvD have no resolvers configured; "" if it may."""
    only = policy.word("resolvers_only")
    return "" if resolves(policy, pvd) else f"resolvers_only is {only}"


def resolves(policy: Policy, pvd: PvdId) -> bool:
    """Whether names that nobody bound to a PvD may be asked for in this one."""
    only = policy.word("resolvers_only").split()
    return not only or any(fnmatchcase(pvd, glob) for glob in only)


def _of(profile: Settings, because: Seq, refused: str) -> Iterator[Override]:
    for family in FAMILIES:
        if addresses(profile, family):
            continue  # those are its own PvD's
        instead = profile.values.get(f"{family}.ignore-auto-dns") is True
        for kind, key in KEYS.items():
            values = tuple(listed(profile, f"{family}.{key}"))
            if values or instead:
                yield Override(profile.id, kind, family, values, instead, because, refused)


def reaches(via: str, on_link: Sequence[str]) -> bool:
    """Whether a next hop is on one of these prefixes, or on any link."""
    return via.startswith("fe80:") or any(covers(prefix, via) for prefix in on_link)


def laid_over(learned: Sequence[str], found: Sequence[Override], kind: str) -> list[str]:
    """What holds of one kind: what is configured comes first, then what was learned, unless it is replaced."""
    mine = [one for one in found if one.kind == kind and not one.refused]
    configured = [value for one in mine for value in one.values]
    replaced = {one.family for one in mine if one.instead}
    kept = [value for value in learned if not (_family(value, kind) & replaced)] if replaced else learned
    return list(dict.fromkeys([*configured, *kept]))


def _family(value: str, kind: str) -> set[str]:
    """The families that a learned value is of; a name is of any."""
    return set(FAMILIES) if kind == "search" else {"ipv6" if ":" in value else "ipv4"}
