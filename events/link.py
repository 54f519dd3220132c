"""What the host's own netlink says, or a capture implies: links, attachments, addresses, routes, neighbours.

Law: these are sightings. Whether an address or a route is ours, and what should be there, is decided elsewhere.
"""

from events.base import Event
from events.ids import Instant, LinkId


class LinkSeen(Event, frozen=True, tag="link-seen"):
    """A link exists and looks like this.

    identity: what tells it from every other: `capture:FILE:SECTION:INTERFACE:TAGS`, `netns:INODE:IFINDEX:INCARNATION`.
    kind: `capture`, `ethernet`, `wifi`, `tunnel`, `macvlan`, …. mac: "" if it has none. mtu: octets, 0 = not known.
    """

    link: LinkId
    identity: str
    kind: str = "capture"
    ifindex: int = 0
    name: str = ""
    mac: str = ""
    mtu: int = 0
    up: bool = True
    carrier: bool = True
    carrier_changes: int = 0
    master: str = ""
    alias: str = ""
    host: bool = False


class LinkGone(Event, frozen=True, tag="link-gone"):
    """A link was deleted, or moved out of our sight."""

    link: LinkId
    reason: str = "deleted"


class AttachStarted(Event, frozen=True, tag="attach-started"):
    """The link was attached to a network: carrier up, another network, a move (standards.md C.3)."""

    link: LinkId
    reason: str = "carrier"


class AttachEnded(Event, frozen=True, tag="attach-ended"):
    """The attachment ended: all that was learned on it is no longer confirmed (RFC 7556 §2.1)."""

    link: LinkId
    reason: str = "carrier"


class AddressSeen(Event, frozen=True, tag="address-seen"):
    """An address is configured on a link of this host. origin: `kernel-ra`, `static`, `dhcp`, `ours`, `other`.

    address: `ADDRESS/LENGTH`. valid_s, preferred_s: the lifetimes as the kernel said them, `None` is infinity or not
    said; they count from the record's own time, and whoever knows that time may write the two deadlines instead.
    """

    link: LinkId
    address: str
    flags: int = 0
    origin: str = "other"
    valid_until: Instant | None = None
    preferred_until: Instant | None = None
    valid_s: int | None = None
    preferred_s: int | None = None


class AddressGone(Event, frozen=True, tag="address-gone"):
    """An address left a link of this host."""

    link: LinkId
    address: str


class DadFailed(Event, frozen=True, tag="dad-failed"):
    """Duplicate address detection failed for an address (RFC 4862 §5.4.5)."""

    link: LinkId
    address: str


class RouteSeen(Event, frozen=True, tag="route-seen"):
    """A route is in a routing table of this host. kind: `unicast`, `local`, `blackhole`, `unreachable`, …."""

    link: LinkId
    destination: str
    via: str | None = None
    table: int = 254
    metric: int = 0
    protocol: int = 0
    kind: str = "unicast"


class RouteGone(Event, frozen=True, tag="route-gone"):
    """A route left a routing table of this host."""

    link: LinkId
    destination: str
    via: str | None = None
    table: int = 254
    metric: int = 0


class NeighborSeen(Event, frozen=True, tag="neighbor-seen"):
    """The kernel's opinion of a neighbour: `reachable`, `stale`, `failed`, … (RFC 4861 §7.3.2)."""

    link: LinkId
    address: str
    state: str
    mac: str = ""
    router: bool = False


class NetlinkOverrun(Event, frozen=True, tag="netlink-overrun"):
    """Notices were lost (ENOBUFS): what was believed about links is listed again."""

    detail: str = ""
