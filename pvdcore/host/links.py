"""Links and attachments: where things are heard, and what ends with it.

Law: nothing learned on an attachment outlives it (RFC 7556 §2.1); a link's name in an id is the one at first sight.
"""

from immutables import Map
from msgspec.structs import replace

from events.link import AttachEnded, AttachStarted, LinkGone, LinkSeen
from pvdcore.draft import Draft
from pvdcore.host.attachments import forget
from pvdcore.leases import membership
from pvdcore.profiles import connections, vpns


def seen(draft: Draft, event: LinkSeen) -> None:
    """A link exists: made, or brought up to date. One that was gone is attached anew, if it has carrier; without, its
    attachment is yet to come."""
    here = event.up and event.carrier
    known = draft.links.get(event.link)
    link = known or replace(draft.link(event.link), attached=here, epoch=int(here))
    if known is not None and known.gone_at is not None:
        link = replace(link, gone_at=None, epoch=known.epoch + here, attached=here, moved_to="")
    draft.put_link(
        replace(
            link,
            identity=event.identity,
            kind=event.kind,
            mac=event.mac,
            mtu=event.mtu,
            ifindex=event.ifindex,
            name=event.name or event.link,
            up=event.up,
            host=event.host,
            carrier_changes=event.carrier_changes,
        )
    )
    if known is not None and known.mtu != event.mtu:
        for speaker in known.speakers:
            for origin in draft.speakers[event.link, speaker]:
                draft.hush_origin(origin)  # whether the link takes the MTU it tells is looked at again
    vpns.sighted(draft, draft.link(event.link))


def gone(draft: Draft, event: LinkGone) -> None:
    """A link was deleted, or is another namespace's now: everything learned on it ends."""
    if event.link in draft.links:
        if vpns.gone(draft, event):
            forget(draft, event.link, "link-gone", but=vpns.RULE)
            return
        _forget(draft, event.link, "link-gone")
        link = replace(draft.link(event.link), gone_at=draft.at, attached=False, asks=(), clients=())
        draft.put_link(replace(link, moved_to=event.to))
        if event.to:
            draft.find("link-moved", link=event.link, to=event.to)


def attached(draft: Draft, event: AttachStarted) -> None:
    """A new attachment: its own epoch. What an earlier one left is ended first. A link that is attached is there."""
    link = draft.link(event.link)
    learned = any(rule not in membership.OWN for _, rule, _ in link.grants)
    if link.attached and not link.speakers and not learned and not link.asks and not link.clients:
        connections.unblock(draft, event.link)
        return  # nothing was learned yet: still the first
    _forget(draft, event.link, "attached-anew")
    link = draft.link(event.link)
    draft.put_link(replace(link, attached=True, epoch=link.epoch + 1, asks=(), clients=(), gone_at=None, moved_to=""))
    vpns.sighted(draft, draft.link(event.link))


def detached(draft: Draft, event: AttachEnded) -> None:
    """The attachment ended. One that never started has nothing to end (E86)."""
    if event.link in draft.links and draft.link(event.link).attached:
        _forget(draft, event.link, event.reason)
        link = draft.link(event.link)
        draft.put_link(replace(link, attached=False, asks=(), clients=()))


def _forget(draft: Draft, name: str, reason: str) -> None:
    vpns.left(draft, name)
    forget(draft, name, reason)


def forget_all(draft: Draft) -> None:
    """Another boot: what was believed of every link is over."""
    for name in sorted(draft.links):
        if draft.links[name].attached:
            detached(draft, AttachEnded(link=name, reason="boot"))
    draft.vpns = Map()  # no tunnel outlives its client
