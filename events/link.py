"""What the host's own netlink says, or a capture implies: links, attachments, addresses, routes, neighbours.

Law: these are sightings. Whether an address or a route is ours, and what should be there, is decided elsewhere.
"""

from events.base import Event
from events.ids import Instant, LinkId
from events.router import NdOption


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
    """A link was deleted, or moved out of our sight. reason: `deleted`, `moved`, `not listed`.

    to: how a moved link is called where it is now, `NETNS:NAME`; "" if that namespace has no name.
    """

    link: LinkId
    reason: str = "deleted"
    to: str = ""


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
    """Duplicate address detection failed for an address (RFC 4862 §5.4.5). link: of a place of ours, its parent."""

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


class RuleSeen(Event, frozen=True, tag="rule-seen"):
    """A policy rule is in force on this host (RTM_NEWRULE). action: `lookup`, `goto`, `nop`, `blackhole`, ….

    link: of what heard it; a rule belongs to a network namespace, `incoming` and `outgoing` name interfaces as it does.
    source, destination: prefixes, "" for any. table: of a lookup. protocol: who made it (RTPROT_…). invert: all else.
    """

    link: LinkId
    family: str = "ipv6"
    priority: int = 0
    action: str = "lookup"
    table: int = 0
    source: str = ""
    destination: str = ""
    incoming: str = ""
    outgoing: str = ""
    mark: int = 0
    mask: int = 0
    protocol: int = 0
    invert: bool = False


class RuleGone(Event, frozen=True, tag="rule-gone"):
    """A policy rule left this host (RTM_DELRULE); the fields are those of the rule."""

    link: LinkId
    family: str = "ipv6"
    priority: int = 0
    action: str = "lookup"
    table: int = 0
    source: str = ""
    destination: str = ""
    incoming: str = ""
    outgoing: str = ""
    mark: int = 0
    mask: int = 0
    protocol: int = 0
    invert: bool = False


class NdUserOptionSeen(Event, frozen=True, tag="nd-user-option-seen"):
    """The kernel passed on options of a Router Advertisement (RTM_NEWNDUSEROPT): evidence beside the RA itself, which
    is heard whole elsewhere; the header, options 21 and 144 never come this way (standards.md A.7).

    router: source of the RA. icmp_type: 134. data: the options' octets as they stood, from octet `options_at` on.
    """

    link: LinkId
    router: str
    icmp_type: int
    data: bytes
    options: tuple[NdOption, ...] = ()
    options_at: int = 0


class PrefixSeen(Event, frozen=True, tag="prefix-seen", gc=False):
    """The kernel took a prefix from a Router Advertisement (RTM_NEWPREFIX): evidence beside the RA itself, as
    NdUserOptionSeen is. Lifetimes are seconds, `None` is infinity."""

    link: LinkId
    prefix: str
    valid_s: int | None = None
    preferred_s: int | None = None
    on_link: bool = False
    autonomous: bool = False


class ArpSeen(Event, frozen=True, tag="arp-seen"):
    """An ARP packet for IPv4 over Ethernet, in the words of RFC 5227. operation: `request` or `reply`.

    sender `0.0.0.0`: a probe for `target`. sender = target: an announcement. mac: the sender by the Ethernet header.
    """

    link: LinkId
    operation: str
    sender_mac: str
    sender: str
    target_mac: str
    target: str
    mac: str = ""


class NetlinkOverrun(Event, frozen=True, tag="netlink-overrun"):
    """Notices were lost (ENOBUFS): what was believed about links is listed again."""

    detail: str = ""


class NetnsSeen(Event, frozen=True, tag="netns-seen"):
    """A network namespace has a name here. identity: `DEVICE:INODE` of its file, which no other has while it lives; the
    name is only where it is mounted (prior_art.md 4.2). root: the namespace that we run in, which needs no name."""

    identity: str
    name: str = ""
    root: bool = False


class NetnsGone(Event, frozen=True, tag="netns-gone"):
    """A network namespace lost its name; processes may still be in it."""

    identity: str
    name: str = ""
