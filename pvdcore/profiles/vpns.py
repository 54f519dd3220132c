"""VPNs: what a client says of its tunnel is a PvD of its own, `vpn:NAME`, on the tunnel's link.

Law: a VPN's data is in its own PvD and in no other (RFC 7556 §4.2), and all other PvDs stay as they were. It begins
with the client's word and ends with it, or with the tunnel: a link of that number which is not there yet is waited for.
To say the same again changes nothing; to say something else changes the difference.

A tunnel that is up is an attachment of its link, whatever the carrier says: a client that configures nothing itself
leaves the link down. A tunnel that we moved into its PvD's namespace leaves the first one with a notice as if it were
gone; it lives on (`Vpn.inside`) until somebody who looked there says that it doesn't.
"""

from collections.abc import Iterator
from typing import Final, Protocol

from immutables import Map
from msgspec.structs import replace

from events.ids import LinkId, PvdId, Seq
from events.link import LinkGone
from events.vpn import VpnConnected, VpnEnded
from pvdcore.draft import Draft
from pvdcore.host.attachments import forget
from pvdcore.policy import Policy
from pvdcore.prefixes import interface
from pvdcore.state import Grant, Held, Link, Value, Vpn

RULE: Final = "vpn"
MOVE, LEAVE = "move", "leave"
UNSEEN: Final = ("moved", "not listed")
"""Reasons of a LinkGone which don't say that the link is no more: it left our sight."""


class Holder(Protocol):
    """A State, or the workbench of a step."""

    @property
    def vpns(self) -> Map[str, Vpn]: ...
    @property
    def policy(self) -> Policy: ...


def pvd_of(name: str) -> PvdId:
    """The PvD of a VPN."""
    return f"vpn:{name}"


def of_pvd(state: Holder, pvd: PvdId) -> Vpn | None:
    """The VPN whose PvD this is, if it is up."""
    return state.vpns.get(pvd.removeprefix("vpn:")) if pvd.startswith("vpn:") else None


def moves(state: Holder, one: Vpn) -> bool:
    """Whether the tunnel is to stand in its PvD's namespace. One that does stays there until it ends."""
    return one.inside or (one.said.tunnel or state.policy.word("vpn_tunnel")) == MOVE


def away(state: Holder) -> frozenset[LinkId]:
    """The links that stand in the namespace of their PvD, so that nobody sees them in ours."""
    return frozenset(one.link for one in state.vpns.values() if one.inside)


# What happens


def connected(draft: Draft, event: VpnConnected) -> None:
    """A client says what holds."""
    known = draft.vpns.get(event.vpn)
    if event.partial and known is not None:
        said = known.said
        event = replace(
            event, included=said.included, excluded=said.excluded, full=said.full, gateway=said.gateway, partial=False
        )
    link = _tunnel(draft, event, known)
    if known is not None and (link is None or link.id != known.link):  # another tunnel than before
        _drop(draft, known, "reconnected")
    for name, one in sorted(draft.vpns.items()):
        if link is not None and one.link == link.id and name != event.vpn:  # its client calls itself otherwise now
            _drop(draft, one, "reconnected")
            draft.vpns = draft.vpns.delete(name)
    inside = known is not None and link is not None and link.id == known.link and known.inside
    now = Vpn(event, draft.at, draft.seq, inside=inside)
    draft.vpns = draft.vpns.set(event.vpn, now)
    if event.ignored:
        what = ", ".join(event.ignored)
        draft.find("vpn-ignored", link="", pvd=pvd_of(event.vpn), what=what, client=event.client)
    if link is not None:
        _bind(draft, now, link)


def ended(draft: Draft, event: VpnEnded) -> None:
    """A client took its tunnel down. One that has another by now means an earlier one."""
    known = draft.vpns.get(event.vpn)
    if known is None or event.device not in ("", known.said.device):
        return
    _drop(draft, known, "disconnected")
    draft.vpns = draft.vpns.delete(event.vpn)


def sighted(draft: Draft, link: Link) -> None:
    """A link is there: who said last that it is his tunnel has it from now on."""
    if not draft.vpns or any(one.link == link.id for one in draft.vpns.values()):
        return
    waiting = [one for one in draft.vpns.values() if not one.link and _is(one.said, link)]
    if waiting:
        _bind(draft, max(waiting, key=lambda one: one.because), link)


def left(draft: Draft, name: LinkId) -> None:
    """An attachment ended. What the client said holds for the next, unless the link itself is gone (`gone`)."""
    for vpn in sorted(draft.vpns):
        one = draft.vpns[vpn]
        if one.link == name:
            draft.vpns = draft.vpns.set(vpn, replace(one, link="", inside=False))


def gone(draft: Draft, event: LinkGone) -> bool:
    """A link is gone. True if it is only out of sight, because its tunnel stands in its PvD's namespace."""
    for vpn in sorted(draft.vpns):
        one = draft.vpns[vpn]
        if one.link != event.link:
            continue
        link = draft.links.get(event.link)
        projected = link is not None and draft.policy.projection(link.name) == "netns"
        if event.reason in UNSEEN and (one.inside or (projected and moves(draft, one))):
            draft.vpns = draft.vpns.set(vpn, replace(one, inside=True))
            return True
        draft.vpns = draft.vpns.delete(vpn)
    return False


def given_back(draft: Draft, pvd: PvdId) -> None:
    """The namespace of a PvD ended, and its tunnel is where it came from: for a VPN that is still up, another link."""
    one = of_pvd(draft, pvd)
    if one is None or not one.inside:
        return
    _drop(draft, one, "moved")
    draft.vpns = draft.vpns.set(one.said.vpn, replace(one, link="", inside=False))
    link = _tunnel(draft, one.said, None)
    if link is not None:
        _bind(draft, draft.vpns[one.said.vpn], link)


def _tunnel(draft: Draft, said: VpnConnected, known: Vpn | None) -> Link | None:
    """The link that a client speaks of, if it is there."""
    others = {one.link for name, one in draft.vpns.items() if name != said.vpn}
    elsewhere = away(draft)
    alike = [link for name, link in sorted(draft.links.items()) if name not in elsewhere and _is(said, link)]
    free = [link for link in alike if link.id not in others]
    if free:
        return free[0]
    if known is not None and known.inside and known.said.device == said.device:
        own = draft.link(known.link)
        # It may have been asked for just before it moved, or its name be another's here; a number that nobody has yet
        # is a new tunnel's.
        if alike or said.ifindex in (0, own.ifindex):
            return own
    return alike[0] if alike else None


def _is(said: VpnConnected, link: Link) -> bool:
    """Whether a link of this namespace is the one that a client speaks of. Where numbers mean nothing (a story that is
    told, not lived) its name says so."""
    if link.gone_at is not None:
        return False
    return link.ifindex == said.ifindex if said.ifindex else not link.host and said.device == link.name


def _bind(draft: Draft, one: Vpn, link: Link) -> None:
    """Put what a client says into its PvD, on the link of its tunnel."""
    if not link.attached:
        draft.put_link(replace(link, attached=True, epoch=link.epoch + 1))
        link = draft.link(link.id)
    one = replace(one, link=link.id)
    draft.vpns = draft.vpns.set(one.said.vpn, one)
    pvd = pvd_of(one.said.vpn)
    known = draft.grants.get((link.id, "", RULE, pvd))
    since = {(held.kind, held.key): held.since for held in known.held} if known is not None else {}
    grant = Grant(
        RULE,
        link.id,
        link.epoch,
        "",
        pvd,
        one.said.client,
        heard_at=one.at,
        started_at=one.at,
        because=one.because,
        since=known.since if known is not None else one.because,
        held=items(one.said, one.because, since),
        owners=(pvd,),
        placed=pvd,
    )
    draft.put_grant(grant, "connected")


def _drop(draft: Draft, one: Vpn, cause: str) -> None:
    grant = draft.grants.get((one.link, "", RULE, pvd_of(one.said.vpn)))
    if grant is not None:
        draft.drop_grant(grant, cause, draft.seq)
    if one.inside:  # should it come back to where we see it, it comes as another link
        forget(draft, one.link, "link-gone")
        draft.put_link(replace(draft.link(one.link), gone_at=draft.at, attached=False, asks=(), clients=()))


# What a tunnel brings, as items


def items(said: VpnConnected, because: Seq, since: dict[tuple[str, str], Seq]) -> tuple[Held, ...]:
    """What the PvD of a VPN holds. since: of items that were held before."""
    made: list[Held] = []
    known: set[tuple[str, str]] = set()
    for kind, key, value in _said(said):
        if (kind, key) not in known:
            known.add((kind, key))
            first = since.get((kind, key), because)
            made.append(Held(kind, key, value, None, first, order=len(made), because=because, fixed=True))
    return tuple(made)


def _said(said: VpnConnected) -> Iterator[tuple[str, str, Value]]:
    form = "full" if said.full else "split"
    yield "vpn", said.client, (said.device, form, said.gateway or None, said.remote or None, said.split_dns)
    for address in said.addresses:
        yield "address", address, (RULE,)
    for address in said.addresses:
        on_link = interface(address).network
        if on_link.version == 6 and on_link.prefixlen < 128:  # the kernel makes none beside an address of ours
            yield "route", str(on_link), (str(on_link), None, "medium")
    for route in said.included:
        key = f"{route.destination} via {route.via}" if route.via else route.destination
        yield "route", key, (route.destination, route.via, "medium")
    for prefix in said.excluded:
        yield "excluded", prefix, ()
    for server in said.dns:
        yield "dns", server, ()
    for name in said.search:
        yield "search", name, ()
    if said.mtu:
        yield "mtu", "mtu", (said.mtu,)
