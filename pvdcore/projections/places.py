"""The places of this host: what each is called, which MAC it has, whose it is, and who asks from it.

Law: names and MACs are derived, so that whoever starts anew finds what stands. A place is of one owner: a PvD on one
attachment, or a connection.

A connection that is to ask has nowhere to ask from before any PvD is known. So it makes a place when it is opened, and
the first PvD that may have what is asked for takes it over (`Connection.adopter`): namespace, link, MAC and client stay
what they were, and the owner in the names, too. What is leased to a place's MAC belongs to whoever has the place.
"""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Protocol

from immutables import Map

from events.ids import HostId, LinkId, PvdId
from events.operator import Settings
from pvdcore.policy import Policy
from pvdcore.profiles import static
from pvdcore.state import Connection, Grant, Link, Origin, Pvd

LINK_NAME_MAX: Final = 15  # IFNAMSIZ - 1 (linux/if.h)
PREFIX: Final = "pvd-"
EXPLICIT: Final = ("fqdn:", "uuid:")
UNPLACEABLE: Final = ("capture", "loopback", "macvlan", "unknown")
"""Kinds of link on which nothing is placed: they are no links of this host's, or ours already."""


class Holder(Protocol):
    """What is asked of: a State, or the workbench of a step."""

    @property
    def policy(self) -> Policy: ...
    @property
    def links(self) -> Map[LinkId, Link]: ...
    @property
    def settings(self) -> Map[str, Settings]: ...
    @property
    def connections(self) -> Map[str, Connection]: ...
    @property
    def pvds(self) -> Map[PvdId, Pvd]: ...
    @property
    def speakers(self) -> Mapping[tuple[LinkId, str], tuple[Origin, ...]]: ...
    @property
    def grants(self) -> Map[tuple[LinkId, HostId, str, str], Grant]: ...


def projection(holder: Holder, link: LinkId) -> str:
    """How PvDs on a link are written to the kernel."""
    known = holder.links.get(link)
    return holder.policy.projection(known.name) if known is not None else "none"


@lru_cache(maxsize=4096)  # of one link with a thousand PvDs all are asked for whenever somebody asks by DHCP
def place_name(owner: str, link: LinkId, epoch: int) -> str:
    """A namespace's and device's name: derived, at most 15 characters, never the peer's own text.

    An explicit PvD is the same at the next visit, and so is its place: who stayed inside is in it again. What is of one
    attachment only (an implicit PvD, a connection) has a place of its own each time.
    """
    visit = "" if owner.startswith(EXPLICIT) else f"\n{epoch}"
    digest = blake2b(f"{owner}\n{link}{visit}".encode(), digest_size=5).hexdigest()
    return f"{PREFIX}{digest}"[:LINK_NAME_MAX]


@lru_cache(maxsize=4096)
def place_mac(netns: str) -> str:
    """The MAC of a place's device: derived from its name, locally administered, so that a restart finds the same."""
    digest = netns.removeprefix(PREFIX)
    return ":".join(["02", *(digest[at : at + 2] for at in range(0, 10, 2))])


@lru_cache(maxsize=64)
def _whose(pvds: tuple[PvdId, ...], link: LinkId, epoch: int) -> dict[str, PvdId]:
    """The PvDs of an attachment by the MACs that their places have."""
    return {place_mac(place_name(pvd, link, epoch)): pvd for pvd in reversed(pvds)}


def owner_of(connection: str) -> str:
    """How a connection is named as the owner of a place."""
    return f"connection:{connection}"


def asking(profile: Settings | None) -> bool:
    """Whether a profile has something asked of the network: an address, or what its routers say."""
    return profile is not None and static.waits(profile)


def is_open(one: Connection) -> bool:
    """Whether a connection goes on."""
    return one.closed_at is None and not one.closing


def maker(holder: Holder, name: LinkId) -> Connection | None:
    """The connection that made a place on a link's attachment, or is to make one: one a link, the oldest that asks.

    Once a PvD has the place it stays that connection's, also when it is closed.
    """
    if not holder.connections or projection(holder, name) != "netns":
        return None
    link = holder.links.get(name)
    if link is None or not link.attached or link.kind in UNPLACEABLE:
        return None
    for one in holder.connections.values():
        if one.adopter and (one.link, one.epoch) == (name, link.epoch):
            return one
    return _first(holder, link)


def _first(holder: Holder, link: Link) -> Connection | None:
    """The oldest open connection on a link's attachment that is to ask."""
    asks = (
        one
        for one in holder.connections.values()
        if (one.link, one.epoch) == (link.id, link.epoch)
        and is_open(one)
        and one.by != "external"
        and asking(holder.settings.get(one.settings))
    )
    return min(asks, key=lambda one: (one.because, one.id), default=None)


def managing(holder: Holder, name: LinkId) -> Settings | None:
    """The profile by which this host asks on a link; `None` where nobody does, or another program."""
    one = maker(holder, name)
    if one is not None and not is_open(one):  # its place is a PvD's; another may have been opened since
        one = _first(holder, holder.links[name])
    return holder.settings.get(one.settings) if one is not None else None


def owner(holder: Holder, pvd: PvdId, link: LinkId, epoch: int) -> str:
    """What the place of a PvD is named by: the connection whose place it took over, else the PvD itself."""
    made = maker(holder, link)
    return owner_of(made.id) if made is not None and made.epoch == epoch and made.adopter == pvd else pvd


def has(holder: Holder, named: str, link: LinkId, epoch: int) -> str:
    """Who has the place that is named by an owner: the reverse of `owner`."""
    made = maker(holder, link)
    adopted = made is not None and made.epoch == epoch and made.adopter and owner_of(made.id) == named
    return made.adopter if made is not None and adopted else named


def mac_of(holder: Holder, pvd: PvdId, link: LinkId, epoch: int) -> str:
    """The MAC from which a PvD asks."""
    return place_mac(place_name(owner(holder, pvd, link, epoch), link, epoch))


def whose(holder: Holder, name: LinkId, mac: str) -> str | None:
    """Whose place has a MAC: a PvD, or "" for one that a connection made and no PvD has taken over; `None`: nobody's,
    so it is the link's own, or another host's."""
    if not mac.startswith("02:"):
        return None
    link = holder.links.get(name)
    if link is None:
        return None
    made = maker(holder, name)
    if made is not None and place_mac(place_name(owner_of(made.id), name, link.epoch)) == mac:
        return made.adopter
    return _whose(link.pvds, name, link.epoch).get(mac)


def leased(holder: Holder, name: LinkId, mac: str) -> list[Grant]:
    """What DHCP gave to a MAC on a link's attachment."""
    link = holder.links.get(name)
    if link is None:
        return []
    found = (holder.grants[name, *key] for key in link.grants)
    return [one for one in found if one.mac == mac and one.epoch == link.epoch]
