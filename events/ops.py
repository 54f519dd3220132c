"""Deeds: the operations of a plan, and what became of each.

Law: an operation says all that is needed to do it, and is done in a kernel or a model of one, never here.
"""

from typing import Union

import msgspec

from events.base import Event, Part
from events.ids import PvdId


class NetnsAdd(Part, frozen=True, tag="netns-add", gc=False):
    """Make a named network namespace, loopback up."""

    netns: str


class NetnsDelete(Part, frozen=True, tag="netns-delete", gc=False):
    """Delete a namespace of ours."""

    netns: str


class LinkAdd(Part, frozen=True, tag="link-add", gc=False):
    """Make a macvlan named `name` on the host's `parent` inside `netns`; mtu 0 = the parent's."""

    netns: str
    name: str
    parent: str
    mtu: int = 0


class LinkDelete(Part, frozen=True, tag="link-delete", gc=False):
    """Delete a link of ours."""

    netns: str
    name: str


class AddressAdd(Part, frozen=True, tag="address-add", gc=False):
    """Configure `address` (`ADDRESS/LEN`). valid_s, preferred_s: remaining seconds, `None` for ever."""

    netns: str
    link: str
    address: str
    valid_s: int | None = None
    preferred_s: int | None = None


class AddressDelete(Part, frozen=True, tag="address-delete", gc=False):
    """Remove an address."""

    netns: str
    link: str
    address: str


class RouteAdd(Part, frozen=True, tag="route-add", gc=False):
    """Add a route. via: `None` for on-link. preference: `high`, `medium`, `low`. expires_s: `None` for never."""

    netns: str
    link: str
    destination: str
    via: str | None = None
    preference: str = "medium"
    metric: int = 0
    expires_s: int | None = None


class RouteDelete(Part, frozen=True, tag="route-delete", gc=False):
    """Remove a route."""

    netns: str
    link: str
    destination: str
    via: str | None = None


class ResolverWrite(Part, frozen=True, tag="resolver-write"):
    """Write /etc/netns/NETNS/resolv.conf: servers in order of use (`fe80::…%link` scoped), then the search list."""

    netns: str
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


Op = Union[  # noqa: UP007 - one name for all operations, read by msgspec
    NetnsAdd,
    NetnsDelete,
    LinkAdd,
    LinkDelete,
    AddressAdd,
    AddressDelete,
    RouteAdd,
    RouteDelete,
    ResolverWrite,
]


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one operation: error "" if it was done, else the host's words."""

    op: Op
    error: str = ""


class PlanMade(Event, frozen=True, tag="plan-made"):
    """Written before anything is applied (journal, act, journal)."""

    projection: str
    pvd: PvdId
    ops: tuple[Op, ...]


class PlanApplied(Event, frozen=True, tag="plan-applied"):
    """What became of a plan, in the order of its operations."""

    projection: str
    pvd: PvdId
    outcomes: tuple[Outcome, ...]
