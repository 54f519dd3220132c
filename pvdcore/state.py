"""State: everything that is true at one instant, as immutable values.

Law: nothing outside pvdcore/reduce.py makes a new State, and a State never changes. What prints or is digested is
sorted first; the heap of deadlines and the changes of the last step are how, not what, and are left out of digests.

How a refresh stays cheap: an Origin keeps the whole last message of its speaker and the instant it was heard. A Held
item said in that message has `heard_at` FOLLOWS: it ends at the origin's `heard_at` plus its own lifetime. So when a
router repeats itself, two fields of one Origin move and nothing else does.
"""

from typing import Final, Union

import msgspec
from immutables import Map

from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen
from events.ids import NEVER, HostId, Instant, LinkId, PvdId, Seq, deadline
from events.link import AddressSeen, NeighborSeen, NetnsSeen, RouteSeen, RuleSeen
from events.operator import PropertyRule, Settings
from events.ops import Op, User
from events.router import RaHeader, RouterAdvertised
from events.vpn import VpnConnected
from pvdcore.domains.inquiry import Inquiry, Network, Place
from pvdcore.policy import DEFAULT, Policy
from pvdcore.profiles.intent import Intent

FOLLOWS: Final[Instant] = -1
"""In `Held.heard_at`: as its Origin. (`Held.because` is then the Origin's too.)"""

Leaf = str | int | bool | None
Value = tuple[Leaf | tuple[Leaf | tuple[Leaf, ...], ...], ...]
"""What an item says besides its key and its lifetimes: shallow, so that it can be written down and read back."""

Content = tuple[str, str, Value]
"""(kind, key, value): one item of a Version's content, without lifetimes (house.md "History")."""

Cell = tuple[LinkId, int, str]
"""An instance's key within its PvD: link, attachment epoch, host ("" = the shared, this host's own instance)."""


class Held(msgspec.Struct, frozen=True, gc=False):
    """Something a speaker said that still holds.

    kind: `router`, `prefix`, `route`, `dns`, `search`, `encrypted_dns`, `pref64`, `mtu`, `captive_portal`, `hop_limit`,
    `address`, `lease`, `ntp`, `hostname`, `vpn`, `excluded`; `on_link`, `autonomous` (pvdcore/routers/parts.py).
    key: names it among its kind. value: its content.
    lifetime_s, preferred_s: as announced, `None` for infinity; fixed: has no lifetime of its own, lives as its origin.
    floor, cap: an address ends no sooner (RFC 4862 §5.5.3 e) and no later (RFC 8981 §3.4), whatever is announced.
    since: the first record that carried it. order: its place among what one message said.
    """

    kind: str
    key: str
    value: Value
    lifetime_s: int | None
    since: Seq
    order: int = 0
    preferred_s: int | None = None
    heard_at: Instant = FOLLOWS
    because: Seq = 0
    fixed: bool = False
    floor: Instant = 0
    cap: Instant = NEVER


SILENT: Final = RouterAdvertised(link="", router="", header=RaHeader(0))
"""In `Origin.event`: something of what was said ended since, so the same words are news again."""


class Origin(msgspec.Struct, frozen=True):
    """One contribution to one instance: what one router (RA) says of one PvD.

    event: the last message, whole. header: the effective header (RFC 8801 §3.4). queued: when the heap next asks.
    """

    pvd: PvdId
    link: LinkId
    epoch: int
    speaker: str
    event: RouterAdvertised
    header: RaHeader
    heard_at: Instant
    because: Seq
    since: Seq
    held: tuple[Held, ...] = ()
    http: bool = False
    legacy: bool = False
    delay: int = 0
    sequence: int | None = None
    queued: Instant = NEVER
    mac: str = ""


class Grant(msgspec.Struct, frozen=True):
    """One contribution of DHCP that has one answer to "whose is it" (standards.md C.2).

    rule: `dhcp4` (a lease), `dhcp6-address`, `dhcp6-prefix`, `dhcp6-info`. subject: the address or prefix it grants.
    heard_at: when the answer came. started_at: lifetimes count from here (RFC 2131 §4.4.1: the request's sending).
    owners, placed: decided by membership; placed is "" until the settle time is over (`settles_at`).
    by: what was answered: `selecting`, `rebooting`, `renewing`, `rebinding`, `rapid`, `inform` (RFC 2131 table 4).
    verified: `False` from an INIT-REBOOT until its ACK (RFC 2131 §3.2). iaid: with the rule, the IA's (RFC 8415 §12).
    refresh_at: when what was asked for by itself is to be asked for again (RFC 8415 §21.23).
    """

    rule: str
    link: LinkId
    epoch: int
    host: HostId
    subject: str
    server: str
    heard_at: Instant
    started_at: Instant
    because: Seq
    since: Seq
    held: tuple[Held, ...]
    owners: tuple[PvdId, ...] = ()
    mac: str = ""
    queued: Instant = NEVER
    stateful: bool = True
    placed: PvdId = ""
    settles_at: Instant = 0
    by: str = ""
    verified: bool = True
    iaid: int = 0
    refresh_at: Instant = NEVER


class Ask(msgspec.Struct, frozen=True):
    """A DHCP message that waits for an answer: the client's last word in one transaction."""

    event: Dhcp4MessageSeen | Dhcp6MessageSeen
    at: Instant
    seq: Seq
    host: HostId


class Client(msgspec.Struct, frozen=True):
    """Where one DHCP client stands on one attachment, beside what it asked and what it was granted.

    waits_until: it does without IPv4 (RFC 8925), 0 = it does not wait; waits_for: the server that asked for it.
    declined_at: when it last gave back a DHCPv4 address as another's. conflicts, conflicted_at, defended: how many
    there were over addresses leased to it, when the last one was, over which address. tried_at: when that was leased.
    probed, probed_at, announced: what it last asked for in ARP, when, and whether it has taken it since (RFC 5227).
    max_rt: SOL_MAX_RT (82) and INF_MAX_RT (83) as (option, server, seconds) (RFC 8415 §21.24, §21.25).
    reconfigurable: it said so (option 20). reconfiguring: what a Reconfigure has it send (19), 0 = nothing.
    refused: a server said NotOnLink to its Confirm, and none Success. sent, sent_since: its messages in a span of time.
    """

    waits_until: Instant = 0
    waits_because: Seq = 0
    waits_for: str = ""
    declined_at: Instant = 0
    max_rt: tuple[tuple[int, str, int], ...] = ()
    reconfigurable: bool = False
    reconfiguring: int = 0
    refused: bool = False
    sent: int = 0
    sent_since: Instant = 0
    conflicts: int = 0
    conflicted_at: Instant = 0
    tried_at: Instant = 0
    defended: str = ""
    probed: str = ""
    probed_at: Instant = 0
    announced: bool = False


class Link(msgspec.Struct, frozen=True):
    """A link, its current attachment, and what was asked on it. pvds: those with an instance on it, sorted.

    host: it is one of this host's own, live. contested: an owner was decided by who spoke last, so that even a refresh
    may move it. moved_to: how one that is gone is called where it is now, `NETNS:NAME`.
    """

    id: LinkId
    identity: str
    kind: str
    first_seen: Instant
    epoch: int = 1
    attached: bool = True
    mac: str = ""
    mtu: int = 0
    ifindex: int = 0
    name: str = ""
    up: bool = True
    gone_at: Instant | None = None
    because: Seq = 0
    pvds: tuple[PvdId, ...] = ()
    speakers: tuple[str, ...] = ()
    grants: tuple[tuple[HostId, str, str], ...] = ()
    asks: tuple[tuple[str, Ask], ...] = ()
    contested: bool = False
    host: bool = False
    clients: tuple[tuple[HostId, Client], ...] = ()
    carrier_changes: int = 0
    moved_to: str = ""


class Failing(msgspec.Struct, frozen=True):
    """An operation that failed, how often in a row, and when it is tried again."""

    op: Op
    error: str
    count: int
    retry_at: Instant


class Placement(msgspec.Struct, frozen=True):
    """Where an instance stands in the kernel. name: of the namespace, or the table's number; device: of ours inside.

    users: who is still in a place that is only kept for them; ended_at: since when it is. asking_since: since when its
    DHCP client runs, 0 = none does; lost: how often in a row one has ended by itself.
    """

    projection: str
    name: str
    device: str
    failed: tuple[Failing, ...] = ()
    users: tuple[User, ...] = ()
    ended_at: Instant = 0
    asking_since: Instant = 0
    lost: int = 0


class Instance(msgspec.Struct, frozen=True):
    """One PvD as one host has it on one attachment: the unit that is written to the kernel."""

    link: LinkId
    epoch: int
    host: HostId
    phase: str
    since: Instant
    version: int = 0
    content: tuple[Content, ...] = ()
    origins: tuple[str, ...] = ()
    grants: tuple[tuple[str, str, str], ...] = ()
    placement: Placement | None = None


class Pvd(msgspec.Struct, frozen=True):
    """A provisioning domain. kind: `explicit` or `implicit`. source: `ra`, `mif`, `link`, `dhcp4`, `dhcp6`, `static`,
    `vpn`. last_seen: as of the last end of an instance; while instances live, their origins know better.
    versions: of the instances that ended; those that live add theirs. recent: records of the latest few versions.
    cells: its instances; a map, for in a capture of a network every client of its leases has one of its own.
    uid: what it is called outside this host."""

    id: PvdId
    name: str
    kind: str
    source: str
    first_seen: Instant
    phase: str = "announced"
    last_seen: Instant = 0
    ended: Instant | None = None
    versions: int = 0
    http: bool = False
    legacy: bool = False
    delay: int = 0
    sequence: int | None = None
    pinned: bool = False
    cells: Map[Cell, Instance] = msgspec.field(default=Map(), name="instances")
    recent: tuple[Seq, ...] = ()
    uid: str = ""

    @property
    def instances(self) -> tuple[tuple[Cell, Instance], ...]:
        """All instances, sorted by cell. To ask for one, or whether there is any, `cells` costs less."""
        return tuple(sorted(self.cells.items()))


class Identifier(msgspec.Struct, frozen=True):
    """An interface identifier this host has chosen on an attachment (events/identifiers.py says what each field is).

    address: without length. phase: `tentative`, `assigned`, `duplicate` (the next is wanted), `given-up`. failures: in
    a row. because: the record that chose it.
    """

    prefix: str
    kind: str
    address: str
    epoch: int
    chosen_at: Instant
    because: Seq
    pvd: PvdId = ""
    phase: str = "tentative"
    dad_counter: int = 0
    generation: int = 0
    failures: int = 0
    desync_s: int = 0
    mac: str = ""


class Sighted(msgspec.Struct, frozen=True):
    """An address as the kernel has it. prefix_length: its own. until, preferred_until: as the kernel counts them."""

    prefix_length: int
    flags: int
    origin: str
    until: Instant
    preferred_until: Instant
    because: Seq


class Neighbor(msgspec.Struct, frozen=True):
    """The kernel's opinion of a neighbour (RFC 4861 §7.3.2): `reachable`, `stale`, `failed`, …"""

    state: str
    mac: str
    router: bool
    at: Instant
    because: Seq


class Detour(msgspec.Struct, frozen=True):
    """An accepted Redirect (RFC 4861 §8.3): it counts in the PvD whose router sent it (RFC 8028 §3.4).

    source: of the packet that was redirected, "" if the Redirect doesn't show it. target: the next hop, or the
    destination itself, which is on-link then.
    """

    pvd: PvdId
    router: str
    source: str
    destination: str
    target: str
    because: Seq


class Host(msgspec.Struct, frozen=True):
    """What this host has itself, and sees of its neighbours, by link: it ends with the attachment.

    off: links where IPv6 is off, by the record that said so (RFC 4862 §5.4.5).
    """

    identifiers: Map[tuple[LinkId, str], tuple[Identifier, ...]] = Map()
    sighted: Map[tuple[LinkId, str], Sighted] = Map()
    neighbors: Map[tuple[LinkId, str], Neighbor] = Map()
    detours: Map[tuple[LinkId, str, str], Detour] = Map()
    off: Map[LinkId, Seq] = Map()


class Connection(msgspec.Struct, frozen=True):
    """Settings activated on a link; what became of it stays (pvdcore/profiles/connections.py has the phases).

    epoch: the attachment it is for. since: of the phase. pvds: those on that attachment, sorted. closing: it was ended,
    and is closed when nobody is inside its own PvD. waits_until: how long others than the expected PvD may come first,
    0 = that is over, NEVER = nothing is waited for. placement: of the place that it made (pvdcore/places.py); adopter:
    the PvD that has taken that over.
    """

    id: str
    settings: str
    link: LinkId
    by: str
    opened_at: Instant
    because: Seq
    closed_at: Instant | None = None
    reason: str = ""
    phase: str = "closed"
    epoch: int = 0
    since: Instant = 0
    pvds: tuple[PvdId, ...] = ()
    closing: bool = False
    waits_until: Instant = NEVER
    placement: Placement | None = None
    adopter: PvdId = ""


class Vpn(msgspec.Struct, frozen=True):
    """What a VPN's client said last, when and by which record. link: the tunnel's, "" while it is not there. inside: it
    stands in the namespace of its PvD (pvdcore/profiles/vpns.py)."""

    said: VpnConnected
    at: Instant
    because: Seq
    link: LinkId = ""
    inside: bool = False


class Finding(msgspec.Struct, frozen=True):
    """Something the network's administrator wants to hear about. count: how often it was seen; because: first.

    epoch: the attachment that these are of, 0 = of the link at any time.
    """

    code: str
    text: str
    pvd: PvdId | None
    link: LinkId
    because: Seq
    count: int = 1
    epoch: int = 0


Mark = tuple[str, str]
"""(kind, text): something by which a network is known again (pvdcore/domains/visits.py)."""


class Visit(msgspec.Struct, frozen=True):
    """One attachment to a network: from the first mark to its end, `None` while it lasts."""

    link: LinkId
    epoch: int
    began: Instant
    ended: Instant | None = None
    marks: tuple[Mark, ...] = ()


class Likeness(msgspec.Struct, frozen=True):
    """An earlier visit to what is probably the same network. confidence: `high`, `medium`, `low`; shared: why."""

    visit: Visit
    confidence: str
    shared: tuple[Mark, ...]


class Rejected(msgspec.Struct, frozen=True):
    """Packets that broke one rule."""

    rule: str
    count: int
    first: Seq


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of history: an instance got a new version, or changed its phase.

    at: when it came about. because: the record it came of; for a lapse, the last one that carried what lapsed.
    cause: `announced`, `withdrawn`, `lapsed`, `moved`, `leased`, `released`, `attachment`, `operator`, `policy`, ….
    version: the number of the version this made, 0 if none. phase_before: "" when the instance is new.
    subject: `connection:ID` or `settings:ID` where the line is of one of these (then pvd is ""), else "".
    """

    pvd: PvdId
    link: LinkId
    epoch: int
    host: HostId
    at: Instant
    because: Seq
    cause: str
    version: int
    phase_before: str
    phase: str
    added: tuple[Content, ...] = ()
    removed: tuple[Content, ...] = ()
    changed: tuple[tuple[Content, Content], ...] = ()
    seq: Seq = 0
    subject: str = ""


Heap = tuple[int, Instant, tuple[str, ...], "Heap", "Heap"] | None
"""A persistent leftist heap: (rank, deadline, key, left, right); see pvdcore/deadlines.py."""


Sighting = Union[AddressSeen, RouteSeen, RuleSeen, NeighborSeen, NetnsSeen]  # noqa: UP007 - read by msgspec
"""What the kernel was last seen to have of one thing (pvdcore/host/believed.py)."""


class State(msgspec.Struct, frozen=True):
    """Everything at one instant. seq: the last record folded; now: how far time has come."""

    seq: Seq = 0
    now: Instant = 0
    policy: Policy = DEFAULT
    links: Map[LinkId, Link] = Map()
    speakers: Map[tuple[LinkId, str], tuple[Origin, ...]] = Map()
    grants: Map[tuple[LinkId, HostId, str, str], Grant] = Map()
    pvds: Map[PvdId, Pvd] = Map()
    inquiries: Map[Place, Inquiry] = Map()
    networks: Map[tuple[LinkId, int], Network] = Map()
    settings: Map[str, Settings] = Map()
    connections: Map[str, Connection] = Map()
    intent: Intent = Intent()
    vpns: Map[str, Vpn] = Map()
    visits: Map[tuple[LinkId, int], Visit] = Map()
    findings: Map[tuple[str, str, str], Finding] = Map()
    rejected: Map[str, Rejected] = Map()
    boot: str = ""
    host: Host = Host()
    properties: tuple[PropertyRule, ...] = ()
    believed: Map[tuple[str, ...], Sighting] = Map()
    deadlines: Heap = None
    changes: tuple[Change, ...] = ()


EMPTY: Final = State()


def counted_from(origin: Origin | Grant, held: Held) -> Instant:
    """The instant from which an item's lifetimes count."""
    if held.heard_at != FOLLOWS:
        return held.heard_at
    return origin.heard_at if isinstance(origin, Origin) else origin.started_at


def until(origin: Origin | Grant, held: Held) -> Instant:
    """When an item ends. NEVER for infinity and for what lives as long as its origin does."""
    if held.fixed:
        return NEVER
    return min(max(deadline(counted_from(origin, held), held.lifetime_s), held.floor), held.cap)


def because(origin: Origin | Grant, held: Held) -> Seq:
    """The latest record that carries an item."""
    return origin.because if held.heard_at == FOLLOWS else held.because
