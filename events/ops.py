"""Deeds: the operations of a plan, and what became of each.

Law: an operation says all that is needed to do it, and is done in a kernel or a model of one, never here.
"""

from typing import Union

import msgspec

from events.base import Event, Part
from events.ids import LinkId, PvdId


class NetnsAdd(Part, frozen=True, tag="netns-add", gc=False):
    """Make a named network namespace, loopback up. pvd: whose, which marks it as ours."""

    netns: str
    pvd: PvdId = ""


class NetnsAdopt(Part, frozen=True, tag="netns-adopt", gc=False):
    """A namespace of ours is another's from now on: that of a connection is taken over by the PvD that came of it."""

    netns: str
    pvd: PvdId


class NetnsDelete(Part, frozen=True, tag="netns-delete", gc=False):
    """Delete a namespace of ours. force: though somebody is inside, who then sits in one without a link."""

    netns: str
    force: bool = False


class LinkAdd(Part, frozen=True, tag="link-add", gc=False):
    """Make a macvlan named `name` on the host's `parent` inside `netns`, up. mtu 0 = the parent's, mac "" = any."""

    netns: str
    name: str
    parent: str
    mtu: int = 0
    mac: str = ""


class LinkMove(Part, frozen=True, tag="link-move", gc=False):
    """Move a link of the first namespace into `netns`, and bring it up there: addresses and routes don't go along. It
    comes back with NetnsDelete. mtu 0 = as it is."""

    netns: str
    name: str
    mtu: int = 0


class LinkSet(Part, frozen=True, tag="link-set", gc=False):
    """Bring a link of ours up and change it. mtu, hop_limit: 0 leaves it as it is."""

    netns: str
    name: str
    mtu: int = 0
    hop_limit: int = 0


class LinkDelete(Part, frozen=True, tag="link-delete", gc=False):
    """Delete a link of ours."""

    netns: str
    name: str


class AddressAdd(Part, frozen=True, tag="address-add", gc=False):
    """Configure `address` (`ADDRESS/LEN`). valid_s, preferred_s: remaining seconds, `None` for ever.

    netns "": on a link of the first namespace, where an address that somebody else has configured stays his.

    dad: `optimistic` (RFC 4429), `wait` (RFC 4862 §5.4), `off`.
    """

    netns: str
    link: str
    address: str
    valid_s: int | None = None
    preferred_s: int | None = None
    dad: str = "wait"


class AddressDelete(Part, frozen=True, tag="address-delete", gc=False):
    """Remove an address of ours. link "": of whichever it is on."""

    netns: str
    link: str
    address: str


class RouteAdd(Part, frozen=True, tag="route-add", gc=False):
    """Add a route. via: `None` for on-link. preference: `high`, `medium`, `low`. expires_s: `None` for never.

    metric: 0 is that of the preference.
    table: 0 = the main one. kind: `unicast`, or `unreachable`: what nothing else in the table matches ends there.
    lladdr: the router's link-layer address, from which its RA came, to be known as well; "" if it is not known.
    """

    netns: str
    link: str
    destination: str
    via: str | None = None
    preference: str = "medium"
    metric: int = 0
    expires_s: int | None = None
    table: int = 0
    kind: str = "unicast"
    lladdr: str = ""


class RouteDelete(Part, frozen=True, tag="route-delete", gc=False):
    """Remove a route of ours. link "": over whichever. table: 0 = the main one; metric: 0 = of any."""

    netns: str
    link: str
    destination: str
    via: str | None = None
    metric: int = 0
    table: int = 0


class RuleAdd(Part, frozen=True, tag="rule-add", gc=False):
    """Look packets from `source` (`PREFIX/LEN`) up in `table`. netns "": the first namespace."""

    netns: str
    priority: int
    source: str
    table: int


class RuleDelete(Part, frozen=True, tag="rule-delete", gc=False):
    """Remove a rule of ours."""

    netns: str
    priority: int
    source: str
    table: int


class ResolverWrite(Part, frozen=True, tag="resolver-write"):
    """Write /etc/netns/NETNS/resolv.conf: servers in order of use (`fe80::…%link` scoped), then the search list."""

    netns: str
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


class ClientRun(Part, frozen=True, tag="client-run", gc=False):
    """Have a DHCP client ask on a link of ours for what is said here; one that asks for something else is ended.

    It asks and keeps what it got alive, and configures nothing. ipv4: a lease. ipv6: `information` (RFC 8415 §6.1),
    `addresses` (§6.2), "" for none. prefix: the prefix to be delegated as the client hints at it (`::/56`; `::/0` for
    any), "" for none.
    """

    netns: str
    link: str
    ipv4: bool = False
    ipv6: str = ""
    prefix: str = ""


class ClientEnd(Part, frozen=True, tag="client-end", gc=False):
    """End the DHCP client on a link of ours; what it was granted is not given back."""

    netns: str
    link: str


Op = Union[  # noqa: UP007 - one name for all operations, read by msgspec
    NetnsAdd,
    NetnsAdopt,
    NetnsDelete,
    LinkAdd,
    LinkMove,
    LinkDelete,
    LinkSet,
    AddressAdd,
    AddressDelete,
    RouteAdd,
    RouteDelete,
    RuleAdd,
    RuleDelete,
    ResolverWrite,
    ClientRun,
    ClientEnd,
]


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one operation: error "" if it was done, else the host's words."""

    op: Op
    error: str = ""


class User(msgspec.Struct, frozen=True, order=True, gc=False):
    """A process that is in a place: it runs there, or holds a socket of it."""

    pid: int
    comm: str = ""


class PlanMade(Event, frozen=True, tag="plan-made"):
    """Written before anything is applied (journal, act, journal). link, epoch: which instance of the PvD.

    pvd: `connection:ID` where the place is one that a connection made and no PvD has taken over.
    """

    projection: str
    pvd: PvdId
    ops: tuple[Op, ...]
    link: LinkId = ""
    epoch: int = 0


class PlanApplied(Event, frozen=True, tag="plan-applied"):
    """What became of a plan, in the order of its operations.

    Those behind one that all others need (NetnsAdd, LinkAdd) and that failed were not tried. left: what was still not
    as it should be when the kernel was looked at again, though no operation failed. table: the instance's own number,
    where it stands in routing tables.
    """

    projection: str
    pvd: PvdId
    outcomes: tuple[Outcome, ...]
    link: LinkId = ""
    epoch: int = 0
    left: tuple[Op, ...] = ()
    table: int = 0


class PlaceUsed(Event, frozen=True, tag="place-used"):
    """Who is still in a place whose PvD has ended: it stays until they have left."""

    projection: str
    pvd: PvdId
    link: LinkId
    epoch: int
    users: tuple[User, ...]


class ClientLost(Event, frozen=True, tag="client-lost"):
    """A DHCP client of ours ended though it was not told to: it is run again, later each time. error: how it ended."""

    projection: str
    pvd: PvdId
    link: LinkId
    epoch: int
    op: ClientRun
    error: str
