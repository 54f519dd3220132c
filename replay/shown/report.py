"""The documents: what pvdctl says as JSON, as structs, and how each is made of a State, a journal or an answer.

Law: these shapes are a contract (docs/schema/). A field may be added; one that stands here keeps its name, its type and
its meaning. Times are RFC 3339, UTC, nanoseconds; lists are sorted; the same input gives the same bytes. The tables for
people are printed from these documents too (replay/shown/text.py), so that both say the same.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from events.codec import encode, kind
from events.ids import NEVER, HostId, Instant, Seq
from events.operator import Settings
from events.ops import AddressAdd, Op, RouteAdd, RuleAdd
from events.record import Provenance, Record
from pvdcore.checks.findings import BY_CODE
from pvdcore.domains import view
from pvdcore.domains.contents import ORDERED, Item
from pvdcore.domains.inquiry import NO_NETWORK, Inquiry, not_before
from pvdcore.domains.properties import properties
from pvdcore.domains.trust import trust, weakest
from pvdcore.domains.visits import earlier
from pvdcore.past.audit import PvdDiff
from pvdcore.profiles.connections import OPEN, expected
from pvdcore.profiles.overrides import overrides
from pvdcore.projections.desired import Place
from pvdcore.projections.plan import op_key
from pvdcore.routers.parts import PARTS
from pvdcore.state import (
    Cell,
    Change,
    Connection,
    Content,
    Grant,
    Instance,
    Link,
    Mark,
    Origin,
    Placement,
    Pvd,
    State,
    Visit,
    because,
    counted_from,
    until,
)
from replay.shown.tables import escape_json
from replay.shown.times import rfc3339

SCHEMA_VERSION: Final = 1

Time = Annotated[str, msgspec.Meta(description="RFC 3339, UTC, nanoseconds", extra_json_schema={"format": "date-time"})]
"""As replay.shown.times.rfc3339 writes it."""

Thing = Annotated[
    dict[str, Any],
    msgspec.Meta(
        description="One item of a version's content: its kind, then the fields of that kind",
        extra_json_schema={"required": ["kind"], "properties": {"kind": {"type": "string"}}},
    ),
]


class RouterRow(Struct, frozen=True):
    """A default router. lifetime_s: as announced."""

    address: str
    lifetime_s: int | None
    preference: str
    until: Time | None
    because: Seq


class PrefixRow(Struct, frozen=True):
    """A prefix of a PIO. valid_s, preferred_s: as announced, null for infinity. Where the last PIO says nothing of what
    an earlier one said, that it is on-link or autonomous, there is a second row for that, with its own end."""

    prefix: str
    on_link: bool
    autonomous: bool
    valid_s: int | None
    preferred_s: int | None
    until: Time | None
    because: Seq
    pd_preferred: bool = False


class DelegatedRow(Struct, frozen=True):
    """A prefix delegated by DHCPv6 (IA_PD). excluded: RFC 6603."""

    prefix: str
    excluded: str | None
    valid_s: int | None
    preferred_s: int | None
    until: Time | None
    because: Seq


class AddressRow(Struct, frozen=True):
    """An address, as `192.0.2.10/24`. origin: dhcp4, dhcp6, slaac, static or vpn."""

    address: str
    origin: str
    until: Time | None
    because: Seq


class RouteRow(Struct, frozen=True):
    """A route. via: null for on-link."""

    destination: str
    via: str | None
    preference: str
    until: Time | None
    because: Seq


class ServerRow(Struct, frozen=True):
    """A resolver, or a time server."""

    address: str
    until: Time | None
    because: Seq


class OverrideRow(Struct, frozen=True):
    """What a profile configures for a PvD beside what that said itself. kind: dns or search; instead: what was learned
    of this family does not count; refused: the policy that does not let it."""

    settings: str
    kind: str
    family: str
    values: list[str]
    instead: bool
    because: Seq
    refused: str | None


class DnsRuleRow(Struct, frozen=True):
    """A name that a network wants asked of one of its resolvers (RFC 6731); `.`: any. Policy rdnss_selection says
    whether that counts."""

    server: str
    domain: str
    preference: str
    until: Time | None
    because: Seq


class SearchRow(Struct, frozen=True):
    """A search name."""

    name: str
    until: Time | None
    because: Seq


class ParamRow(Struct, frozen=True):
    """A service parameter (RFC 9460 §2.2): `value` as hexadecimal octets."""

    key: int
    value: str


class EncryptedDnsRow(Struct, frozen=True):
    """A designated resolver (RFC 9463). addresses: empty in ADN-only mode."""

    priority: int
    adn: str
    addresses: list[str]
    params: list[ParamRow]
    until: Time | None
    because: Seq


class Pref64Row(Struct, frozen=True):
    """A NAT64 prefix (RFC 8781)."""

    prefix: str
    until: Time | None
    because: Seq


class MtuRow(Struct, frozen=True):
    """The link MTU as announced."""

    mtu: int
    because: Seq


class PortalRow(Struct, frozen=True):
    """The captive portal's URI (RFC 8910)."""

    uri: str
    because: Seq


class LeaseRow(Struct, frozen=True):
    """A DHCP lease. t1, t2: when it is renewed, and rebound; null when not known."""

    protocol: str
    server: str
    t1: Time | None
    t2: Time | None
    until: Time | None
    because: Seq


class VpnRow(Struct, frozen=True):
    """What a VPN's client says of its tunnel. full: all of a family goes through it, else split. gateway: the next hop
    inside; remote: the server outside. split_dns: names that only its resolvers know. excluded: what does not go
    through it although one of the routes covers it."""

    client: str
    device: str
    full: bool
    gateway: str | None
    remote: str | None
    split_dns: list[str]
    excluded: list[str]
    because: Seq


class FailedRow(Struct, frozen=True):
    """An operation that the host refused."""

    op: str
    error: str
    retry_at: Time | None


class UserRow(Struct, frozen=True):
    """A process that is still in a place whose PvD has ended."""

    pid: int
    comm: str


class PlacedRow(Struct, frozen=True, omit_defaults=True):
    """Where an instance is written on the host: in a namespace or in a table. asking_since: when the DHCP client that
    runs there was started."""

    link: str
    netns: str | UnsetType = UNSET
    table: int | UnsetType = UNSET
    failed: list[FailedRow] = msgspec.field(default_factory=list)
    users: list[UserRow] = msgspec.field(default_factory=list)
    asking_since: Time | UnsetType = UNSET


class RetrievalRow(Struct, frozen=True):
    """How it stands with additional information on one attachment (RFC 8801 §4.1).

    wanted: why it is to be fetched (new, again, sequence, prefixes, retry, expiry), null if it is not; not_before: null
    while the random wait is not drawn; because: the record that made it wanted; asking: a request is under way.
    barred: why nothing more is asked on this attachment; dropped: why the last object was given up; until: how long the
    one that is held may be used; failures: those counted on the attachment, of all PvDs.
    """

    wanted: str | None
    not_before: Time | None
    because: Seq | None
    asking: bool
    barred: str | None
    dropped: str | None
    until: Time | None
    failures: int


class InstanceRow(Struct, frozen=True):
    """One PvD as one host has it on one attachment. host: null for this host's own, or shared by all."""

    link: str
    epoch: int
    host: str | None
    phase: str
    trust: str
    managed: bool
    other_config: bool
    routers: list[RouterRow]
    prefixes: list[PrefixRow]
    addresses: list[AddressRow]
    routes: list[RouteRow]
    dns: list[ServerRow]
    search: list[SearchRow]
    encrypted_dns: list[EncryptedDnsRow]
    pref64: list[Pref64Row]
    mtu: MtuRow | None
    captive_portal: PortalRow | None
    hop_limit: int | None
    leases: list[LeaseRow]
    placed_in: PlacedRow | None
    delegated: list[DelegatedRow]
    ntp: list[ServerRow]
    dns_rules: list[DnsRuleRow]
    overrides: list[OverrideRow]
    versions: int
    sequence: int | None
    http: bool
    legacy: bool
    delay: int
    info: dict[str, Any] | None
    retrieval: RetrievalRow | None
    vpn: VpnRow | None


class PvdRow(Struct, frozen=True):
    """A provisioning domain. kind: explicit or implicit; source: ra, mif, link, dhcp4, dhcp6, static, vpn.

    sequence, http, legacy, delay: as the router said that spoke last, on whichever link; info: null too where links
    hold different objects. What counts on a link is what its instance says.
    properties: what the operator says of it (pvd.conf); {} for nothing. uid: what to call it beyond this host: its id
    if that is explicit, else a UUID, since the id of an implicit one means another PvD on every host.
    """

    id: str
    name: str
    kind: str
    source: str
    phase: str
    sequence: int | None
    http: bool
    legacy: bool
    delay: int
    trust: str
    first_seen: Time
    last_seen: Time
    ended: Time | None
    versions: int
    instances: list[InstanceRow]
    info: dict[str, Any] | None
    properties: dict[str, str | int | float | bool]
    uid: str


class NoteRow(Struct, frozen=True):
    """Something a source says that is not used, or not shown. code: settings-unsupported, settings-invalid, or
    settings-secret: a password or a key, which stays in its file. key: as the source spells it."""

    code: str
    key: str
    where: str


class ReachedRow(Struct, frozen=True):
    """A PvD that a profile led to. first, last: records of the first and the latest arrival; visits: attachments."""

    pvd: str
    link: str
    epoch: int
    first: Seq
    last: Seq
    first_at: Time
    last_at: Time
    visits: int


class SettingsRow(Struct, frozen=True):
    """A profile. values: by dotted key, as NetworkManager calls them; lines: the `FILE:LINE` of each that is elsewhere
    than its origin. connections: those that are open. reached: every PvD that it led to."""

    id: str
    source: str
    origin: str
    values: dict[str, Any]
    lines: dict[str, str]
    notes: list[NoteRow]
    because: Seq | None
    connections: list[str]
    reached: list[ReachedRow]


class RefusedRow(Struct, frozen=True):
    """A settings file that cannot be read. origin: `FILE:LINE`."""

    origin: str
    source: str
    rule: str
    text: str
    because: Seq


class CheckpointRow(Struct, frozen=True):
    """What the operator may go back to. until: when that comes by itself, null if it doesn't."""

    id: str
    made: Time
    until: Time | None
    because: Seq


class ConnectionRow(Struct, frozen=True):
    """Settings activated on a link. phase: activating, active, mismatch, closing or closed; since: of the phase.

    pvds: on its attachment; expected: those that the profile should lead to. reason: of the end, "" before it.
    placed_in: the place that it made to ask from, until a PvD has taken it over.
    """

    id: str
    settings: str
    link: str
    by: str
    opened: Time
    closed: Time | None
    reason: str
    because: Seq
    phase: str
    since: Time | None
    epoch: int
    pvds: list[str]
    expected: list[str]
    earlier: list["EarlierRow"]
    placed_in: PlacedRow | None


class MarkRow(Struct, frozen=True):
    """Something by which a network is known again. kind: router (address and MAC), dhcp4, dhcp6, prefix or pvd."""

    kind: str
    value: str


class EarlierRow(Struct, frozen=True):
    """An earlier visit to what is probably the same network. confidence: high, medium or low; shared: what it rests on.

    A link between two histories, never a merge: nothing passes from one visit to the other.
    """

    link: str
    epoch: int
    began: Time
    ended: Time
    confidence: str
    shared: list[MarkRow]


class VisitRow(Struct, frozen=True):
    """One attachment to a network, from its first mark on. ended: null while it lasts. earlier: the surest first."""

    link: str
    epoch: int
    began: Time
    ended: Time | None
    marks: list[MarkRow]
    earlier: list[EarlierRow]


class LinkRow(Struct, frozen=True):
    """A link. epoch: attachments, from 1. pvds: those with an instance on it. moved_to: how one that is gone is called
    where it is now, `NETNS:NAME`."""

    link: str
    identity: str
    kind: str
    epoch: int
    attached: bool
    up: bool
    mac: str | None
    mtu: int | None
    ifindex: int | None
    first_seen: Time
    gone: Time | None
    because: Seq
    pvds: list[str]
    moved_to: str | None


class FindingRow(Struct, frozen=True):
    """Something that the network's administrator wants to hear about. because: the first record that showed it.

    code: what `pvdctl explain` explains. severity: error, warning or notice.
    """

    code: str
    text: str
    pvd: str | None
    because: Seq
    link: str
    count: int
    severity: str = "notice"


class RejectedRow(Struct, frozen=True):
    """Packets that broke one rule."""

    rule: str
    count: int
    first: Seq


class StateDocument(Struct, frozen=True):
    """Everything that is true at one instant."""

    schema_version: int
    at: Time
    pvds: list[PvdRow]
    settings: list[SettingsRow]
    connections: list[ConnectionRow]
    links: list[LinkRow]
    findings: list[FindingRow]
    rejected: list[RejectedRow]
    visits: list[VisitRow]


class CaptureRow(Struct, frozen=True):
    """A capture that was read. first, last: of its packets; damaged: what is wrong with the file."""

    file: str
    packets: int
    frames: int
    rejected: int
    first: Time | None
    last: Time | None
    damaged: str | None


class ReplayDocument(Struct, frozen=True):
    """What `replay` says."""

    schema_version: int
    captures: list[CaptureRow]
    state: StateDocument


class SeparateDocument(Struct, frozen=True):
    """What `replay --separate` says: a document for each file, in argument order."""

    schema_version: int
    replays: list[ReplayDocument]


class LinksDocument(Struct, frozen=True):
    """What `links` says."""

    schema_version: int
    at: Time
    links: list[LinkRow]


class ConnectionsDocument(Struct, frozen=True):
    """What `connections` says."""

    schema_version: int
    at: Time
    connections: list[ConnectionRow]


class SettingsDocument(Struct, frozen=True):
    """What `settings` says."""

    schema_version: int
    at: Time
    settings: list[SettingsRow]
    refused: list[RefusedRow]
    checkpoint: CheckpointRow | None


class Altered(Struct, frozen=True):
    """An item whose content changed under the same key."""

    before: Thing
    after: Thing


class ChangeRow(Struct, frozen=True):
    """One line of history: an instance got a new version, or changed its phase.

    version: 0 if none was made. phase_before: "" when the instance is new. because: the record it came of.
    subject: `connection:ID` or `settings:ID` where the line is of one of these; pvd is "" then.
    """

    at: Time
    pvd: str
    link: str
    epoch: int
    host: str | None
    version: int
    cause: str
    because: Seq
    phase_before: str
    phase: str
    added: list[Thing]
    removed: list[Thing]
    changed: list[Altered]
    subject: str | None


class HistoryDocument(Struct, frozen=True):
    """What `history` says, oldest first (`-R`: newest first)."""

    schema_version: int
    history: list[ChangeRow]
    visits: list[VisitRow]


class OptionRow(Struct, frozen=True):
    """The octets of a frame that said something. data: hexadecimal."""

    type: int
    offset: int
    length: int
    data: str


class BecauseRow(Struct, frozen=True):
    """A record, and where its event came from. frame: the hash under which the journal keeps the bytes."""

    seq: Seq
    at: Time | None
    file: str
    packet: int
    frame: str
    option: OptionRow | None


class EndedRow(Struct, frozen=True):
    """What ended something. cause: withdrawn, lapsed, moved, …; because: for a lapse the last record that said it."""

    at: Time
    cause: str
    because: Seq


class AnswerRow(Struct, frozen=True):
    """Why something holds, or held: which PvD holds it, since when, until when, because of which record."""

    target: str
    pvd: str
    link: str
    epoch: int
    host: str | None
    item: Thing
    since: BecauseRow
    because: BecauseRow
    until: Time | None
    ended: EndedRow | None


class WhyDocument(Struct, frozen=True):
    """What `why` says."""

    schema_version: int
    at: Time
    target: str
    answers: list[AnswerRow]


class PvdDiffRow(Struct, frozen=True):
    """What changed of one instance of a PvD between two times. host: null for this host's own."""

    pvd: str
    link: str
    epoch: int
    host: str | None
    appeared: bool
    ended: bool
    added: list[Thing]
    removed: list[Thing]
    changed: list[Altered]


class DiffDocument(Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """What `diff` says."""

    schema_version: int
    before: Time
    after: Time
    pvds: list[PvdDiffRow]


class ProvenanceRow(Struct, frozen=True):
    """Where an event came from. packet: its number in the capture, from 1; null: none."""

    source: str
    packet: int | None
    frame: str | None
    captured_at: Time


class RecordRow(Struct, frozen=True):
    """One record. event: as it is stored, at schema number v. cursor: what `log --cursor` takes to go on after it."""

    seq: Seq
    cursor: Seq
    at: Time
    v: int
    type: str
    link: str | None
    provenance: ProvenanceRow
    event: Annotated[msgspec.Raw, msgspec.Meta(description="The event as it is stored, with its tag in `type`")]


class LogDocument(Struct, frozen=True):
    """What `log` says."""

    schema_version: int
    records: list[RecordRow]


class MisreadRow(Struct, frozen=True):
    """A record whose frame reads differently today, and in what."""

    seq: Seq
    differences: list[str]


class VerifyDocument(Struct, frozen=True):
    """What `verify` says. head: the hash of the chain at the last record; problems: one sentence each.

    redecoded: records whose frames were read again (`--redecode`), null if none was to be; misread: those that read
    differently today.
    """

    schema_version: int
    journal: str
    records: int
    head: str
    problems: list[str]
    redecoded: int | None = None
    misread: list[MisreadRow] = []


class ExplainRow(Struct, frozen=True):
    """What a code means. of: finding, rejected (a message), ignored (an option), noted, information (an object),
    policy (a knob), judgement (what is no knob).

    severity: of a finding only.
    text: the sentence, with the fields that are filled in in braces; meaning: what it does to hosts; change: what the
    network's administrator should do; source: where it is said.
    """

    code: str
    of: str
    severity: str | None
    text: str
    meaning: str
    change: str | None
    source: str | None


class ExplainDocument(Struct, frozen=True):
    """What `explain` says: all codes, or those of the name that was asked for."""

    schema_version: int
    codes: list[ExplainRow]


class PlannedRow(Struct, frozen=True):
    """One operation, for which PvD it is, and which record asks for it (null: the place as a whole)."""

    pvd: str | None
    link: str | None
    epoch: int | None
    because: Seq | None
    op: Op


class PlanDocument(Struct, frozen=True):
    """What `plan` says: the operations that would make the host as it should be, in order.

    projection: `netns`, `tables`, or both with a plus sign between them, where links differ.
    """

    schema_version: int
    at: Time
    projection: str
    ops: list[PlannedRow]


DOCUMENTS: Final[dict[str, type[Struct]]] = {
    "connections": ConnectionsDocument,
    "diff": DiffDocument,
    "explain": ExplainDocument,
    "history": HistoryDocument,
    "links": LinksDocument,
    "log": LogDocument,
    "plan": PlanDocument,
    "replay": ReplayDocument,
    "separate": SeparateDocument,
    "settings": SettingsDocument,
    "state": StateDocument,
    "verify": VerifyDocument,
    "why": WhyDocument,
}
"""By the word that `pvdctl schema` takes and docs/schema/ has files for."""


def to_json(document: object, *, pretty: bool = True) -> str:
    """A document as ASCII text, indented or on one line, without the final newline."""
    data = msgspec.json.encode(document)
    return escape_json((msgspec.json.format(data, indent=2) if pretty else data).decode())


# Items

_PREFIX: Final = ("on_link", "autonomous", "pd_preferred")
_FIELDS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    # kind: (the field of its key, or "" when the value has it all; the fields of its value)
    "router": ("address", ("preference",)),
    "prefix": ("prefix", _PREFIX),
    "on_link": ("prefix", _PREFIX),
    "autonomous": ("prefix", _PREFIX),
    "prefix_delegated": ("prefix", ("excluded",)),
    "address": ("address", ("origin",)),
    "route": ("", ("destination", "via", "preference")),
    "dns": ("address", ()),
    "ntp": ("address", ()),
    "search": ("name", ()),
    "dns_rule": ("", ("server", "domain", "preference")),
    "encrypted_dns": ("", ("priority", "adn", "addresses", "params")),
    "pref64": ("prefix", ()),
    "mtu": ("", ("mtu",)),
    "captive_portal": ("", ("uri",)),
    "hop_limit": ("", ("hop_limit",)),
    "lease": ("", ("protocol", "server", "t1_s", "t2_s")),
    "info": ("", ("digest",)),
    "vpn": ("client", ("device", "form", "gateway", "remote", "split_dns")),
    "excluded": ("prefix", ()),
    "pvd": ("pvd", ()),
    "value": ("key", ("value",)),
    "flags": ("router", ("managed", "other_config", "http", "legacy", "delay", "sequence")),
}


def thing(content: Content) -> dict[str, Any]:
    """An item of content with its fields by name. A kind that is not known here keeps its key and its value."""
    what, key, value = content
    if key == "order" and what in ORDERED:  # in a change only: the same items in another order (pvdcore.domains.pvds)
        return {"kind": what, "order": list(value)}
    names = _FIELDS.get(what)
    if names is None or len(value) > len(names[1]):
        return {"kind": what, "key": key, "value": list(value)}
    made: dict[str, Any] = {"kind": what}
    if names[0]:
        made[names[0]] = key
    made.update(zip(names[1], value, strict=False))
    return made


def _altered(pairs: Iterable[tuple[Content, Content]]) -> list[Altered]:
    return [Altered(thing(before), thing(after)) for before, after in pairs]


def spelled(name: str) -> str:
    """A file's name as text: octets that are not UTF-8 are written \\udcNN, since JSON has no word for them."""
    return name.encode("utf-8", "backslashreplace").decode()


def time(at: Instant | None) -> str | None:
    """An instant, null for never and for none."""
    return None if at is None or at == NEVER else rfc3339(at)


# The state


def state_document(
    state: State,
    *,
    only: Callable[[Pvd], bool] = lambda pvd: True,
    host: HostId | None = None,
    gone: bool = True,
    family: int | None = None,
) -> StateDocument:
    """The state document. only: which PvDs; host: only the instances of this host, and the PvDs that have one or ended;
    gone: also those that ended; family: only what is of this IP version, and the instances and PvDs that have any."""
    pvds = []
    shared: _Shared = {}
    for name in sorted(state.pvds):
        pvd = state.pvds[name]
        if not only(pvd) or (not gone and not pvd.cells):
            continue
        if host is not None and pvd.cells and not any(cell[2] == host for cell in pvd.cells):
            continue
        row = _pvd(state, pvd, host, shared, family)
        if family is None or row.instances:
            pvds.append(row)
    return StateDocument(
        SCHEMA_VERSION,
        rfc3339(state.now),
        pvds,
        settings_rows(state),
        connection_rows(state),
        link_rows(state),
        [
            FindingRow(found.code, found.text, found.pvd, found.because, found.link, found.count, _severity(found.code))
            for _, found in sorted(state.findings.items())
        ],
        [RejectedRow(one.rule, one.count, one.first) for _, one in sorted(state.rejected.items())],
        visit_rows(state),
    )


class PvdLine(Struct, frozen=True):
    """What one line says of a PvD: the links, prefixes, addresses and resolvers of its instances, each once."""

    id: str
    phase: str
    kind: str
    links: list[str]
    prefixes: list[str]
    addresses: list[str]
    dns: list[str]
    versions: int
    first_seen: Instant


def pvd_lines(
    state: State, *, only: Callable[[Pvd], bool], host: HostId | None = None, gone: bool = True
) -> list[PvdLine]:
    """A line for each PvD that `state_document` shows. It is read from what their last versions hold: to lay all that
    was ever said of a thousand over each other takes longer than somebody waits for a table."""
    lines = []
    known: dict[int, list[tuple[str, str]]] = {}  # by the id of an instance: a lease's is many PvDs'
    for name in sorted(state.pvds):
        pvd = state.pvds[name]
        if not only(pvd) or (not gone and not pvd.cells):
            continue
        held = [one for cell, one in pvd.instances if host in (None, cell[2])]
        if host is not None and pvd.cells and not held:
            continue
        of: dict[str, dict[str, None]] = {"link": {}, "prefix": {}, "address": {}, "dns": {}}
        for one in held:
            said = known.get(id(one))
            if said is None:
                shown = [(kind_, key) for kind_, key, _ in one.content if kind_ in ("prefix", "address", "dns")]
                said = known[id(one)] = [("link", one.link), *shown]
            for kind_, key in said:
                of[kind_][key] = None
        lines.append(
            PvdLine(
                pvd.id,
                pvd.phase,
                f"{pvd.kind}/{pvd.source}",
                list(of["link"]),
                list(of["prefix"]),
                list(of["address"]),
                list(of["dns"]),
                view.versions(state, pvd.id),
                pvd.first_seen,
            )
        )
    return lines


def _severity(code: str) -> str:
    """A code that an older program found, and this one knows no more, is a notice."""
    return BY_CODE[code].severity if code in BY_CODE else "notice"


def visit_rows(state: State) -> list[VisitRow]:
    """The visits, by link and epoch."""
    return [_visit(state, one) for _, one in sorted(state.visits.items(), key=lambda item: item[0])]


def _visit(state: State, one: Visit) -> VisitRow:
    alike = [
        EarlierRow(
            like.visit.link,
            like.visit.epoch,
            rfc3339(like.visit.began),
            rfc3339(like.visit.ended or 0),
            like.confidence,
            _marks(like.shared),
        )
        for like in earlier(state, one)
    ]
    return VisitRow(one.link, one.epoch, rfc3339(one.began), time(one.ended), _marks(one.marks), alike)


def _marks(found: tuple[Mark, ...]) -> list[MarkRow]:
    return [MarkRow(kind, value) for kind, value in found]


def settings_document(state: State) -> SettingsDocument:
    """What `settings` says."""
    point = state.intent.checkpoint
    return SettingsDocument(
        SCHEMA_VERSION,
        rfc3339(state.now),
        settings_rows(state),
        [
            RefusedRow(one.origin, one.source, one.rule, one.text, one.because)
            for _, one in sorted(state.intent.refused.items())
        ],
        CheckpointRow(point.id, rfc3339(point.made_at), time(point.until), point.because) if point else None,
    )


def settings_rows(state: State) -> list[SettingsRow]:
    """The profiles, by id."""
    return [_profile(state, one) for _, one in sorted(state.settings.items())]


def _profile(state: State, one: Settings) -> SettingsRow:
    known = state.intent.known.get(one.id)
    active = sorted(each.id for each in state.connections.values() if each.settings == one.id and each.phase in OPEN)
    return SettingsRow(
        id=one.id,
        source=one.source,
        origin=one.origin,
        values=dict(sorted(one.values.items())),
        lines=dict(sorted(one.lines.items())),
        notes=[NoteRow(note.code, note.key, note.where) for note in one.notes],
        because=known.because if known else None,
        connections=active,
        reached=[
            ReachedRow(
                each.pvd,
                each.link,
                each.epoch,
                each.first,
                each.last,
                rfc3339(each.first_at),
                rfc3339(each.last_at),
                each.visits,
            )
            for each in state.intent.reached.get(one.id, ())
        ],
    )


def connection_rows(state: State) -> list[ConnectionRow]:
    """The connections, by id, closed ones too."""
    return [_connection(state, one) for _, one in sorted(state.connections.items())]


def _connection(state: State, one: Connection) -> ConnectionRow:
    visit = state.visits.get((one.link, one.epoch))
    return ConnectionRow(
        id=one.id,
        settings=one.settings,
        link=one.link,
        by=one.by,
        opened=rfc3339(one.opened_at),
        closed=time(one.closed_at),
        reason=one.reason,
        because=one.because,
        phase=one.phase,
        since=rfc3339(one.since) if one.since else None,
        epoch=one.epoch,
        pvds=list(one.pvds),
        expected=expected(state.settings.get(one.settings)),
        earlier=_visit(state, visit).earlier if visit else [],
        placed_in=_placed(one.placement) if not one.adopter else None,
    )


def link_rows(state: State) -> list[LinkRow]:
    """The links, by name, gone ones too."""
    return [_link(one) for _, one in sorted(state.links.items())]


def _link(one: Link) -> LinkRow:
    return LinkRow(
        link=one.id,
        identity=one.identity,
        kind=one.kind,
        epoch=one.epoch,
        attached=one.attached,
        up=one.up,
        mac=one.mac or None,
        mtu=one.mtu or None,
        ifindex=one.ifindex or None,
        first_seen=rfc3339(one.first_seen),
        gone=time(one.gone_at),
        because=one.because,
        pvds=sorted(one.pvds),
        moved_to=one.moved_to or None,
    )


_Shared = dict[tuple[object, ...], InstanceRow]
"""Rows of instances that only hold leases, by all they are made of: a lease may belong to every PvD of its link."""


def _pvd(state: State, pvd: Pvd, host: HostId | None, shared: _Shared, family: int | None) -> PvdRow:
    return PvdRow(
        id=pvd.id,
        name=pvd.name,
        kind=pvd.kind,
        source=pvd.source,
        phase=pvd.phase,
        sequence=pvd.sequence,
        http=pvd.http,
        legacy=pvd.legacy,
        delay=pvd.delay,
        trust=weakest(state, pvd),
        first_seen=rfc3339(pvd.first_seen),
        last_seen=rfc3339(view.last_seen(state, pvd.id)),
        ended=time(pvd.ended),
        versions=view.versions(state, pvd.id),
        instances=[
            _once(state, pvd, cell, held, shared, family)
            for cell, held in pvd.instances
            if host in (None, cell[2]) and (family is None or _has(state, pvd, cell, family))
        ],
        info=_common(state, pvd),
        properties=properties(state, pvd.id),
        uid=pvd.uid,
    )


def _common(state: State, pvd: Pvd) -> dict[str, Any] | None:
    """The object of a PvD, if all links on which it is held hold the same."""
    if not state.inquiries:
        return None
    held = {
        found.body
        for link, epoch in {cell[:2] for cell in pvd.cells}
        if (found := view.information(state, pvd, link, epoch)) is not None
    }
    return _info(held.pop()) if len(held) == 1 else None


def _info(text: str | None) -> dict[str, Any] | None:
    """The additional information, which is a JSON object (RFC 8801 §4.3) or nothing."""
    if text is None:
        return None
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None


def _has(state: State, pvd: Pvd, cell: Cell, family: int) -> bool:
    """Whether an instance has anything that is of this IP version and of no other."""
    found = view.items(state, pvd.id, cell)
    return len(view.of_family(found, 10 - family)) < len(found)


def _once(state: State, pvd: Pvd, cell: Cell, held: Instance, shared: _Shared, family: int | None) -> InstanceRow:
    if held.origins or held.placement is not None or not held.host:
        return _instance(state, pvd, cell, held, family)
    key = (cell, held.grants, held.phase, held.version, trust(state, pvd.id, held.link, held.epoch))
    row = shared.get(key)
    if row is None:
        row = shared[key] = _instance(state, pvd, cell, held, family)
    return row


def _instance(state: State, pvd: Pvd, cell: Cell, held: Instance, family: int | None) -> InstanceRow:
    by_kind: dict[str, list[Item]] = {}
    found = view.items(state, pvd.id, cell)
    for item in found if family is None else view.of_family(found, family):
        by_kind.setdefault(item[1].kind, []).append(item)
    of = by_kind.get
    origins = view.origins(state, pvd.id, cell)
    last = max(origins, key=lambda one: (one.heard_at, one.speaker), default=None)
    inquiry = state.inquiries.get((pvd.id, held.link, held.epoch)) if not held.host else None
    information = view.information(state, pvd, held.link, held.epoch) if not held.host else None
    mtu, portal, hop_limit = of("mtu", []), of("captive_portal", []), of("hop_limit", [])
    return InstanceRow(
        link=held.link,
        epoch=held.epoch,
        host=held.host or None,
        phase=held.phase,
        trust=trust(state, pvd.id, held.link, held.epoch),
        managed=any(origin.header.managed for origin in origins),
        other_config=any(origin.header.other_config for origin in origins),
        routers=[
            RouterRow(one.key, one.lifetime_s, _text(one.value[0]), *_ends(by, one)) for by, one in of("router", [])
        ],
        prefixes=[
            PrefixRow(
                prefix=one.key,
                on_link=bool(one.value[0]),
                autonomous=bool(one.value[1]),
                valid_s=one.lifetime_s,
                preferred_s=one.preferred_s,
                until=time(until(by, one)),
                because=because(by, one),
                pd_preferred=bool(one.value[2]),
            )
            for kind in ("prefix", *PARTS)
            for by, one in of(kind, [])
        ],
        addresses=[AddressRow(one.key, _text(one.value[0]), *_ends(by, one)) for by, one in of("address", [])],
        routes=[
            RouteRow(_text(one.value[0]), _maybe(one.value[1]), _text(one.value[2]), *_ends(by, one))
            for by, one in of("route", [])
        ],
        dns=[ServerRow(one.key, *_ends(by, one)) for by, one in of("dns", [])],
        search=[SearchRow(one.key, *_ends(by, one)) for by, one in of("search", [])],
        encrypted_dns=[_encrypted(item) for item in of("encrypted_dns", [])],
        pref64=[Pref64Row(one.key, *_ends(by, one)) for by, one in of("pref64", [])],
        mtu=MtuRow(_number(mtu[0][1].value[0]), because(*mtu[0])) if mtu else None,
        captive_portal=PortalRow(_text(portal[0][1].value[0]), because(*portal[0])) if portal else None,
        hop_limit=_number(hop_limit[0][1].value[0]) if hop_limit else None,
        leases=[_lease(item) for item in of("lease", [])],
        placed_in=_placed(held.placement),
        delegated=[
            DelegatedRow(one.key, _maybe(one.value[0]), one.lifetime_s, one.preferred_s, *_ends(by, one))
            for by, one in of("prefix_delegated", [])
        ],
        ntp=[ServerRow(one.key, *_ends(by, one)) for by, one in of("ntp", [])],
        dns_rules=[
            DnsRuleRow(_text(one.value[0]), _text(one.value[1]), _text(one.value[2]), *_ends(by, one))
            for by, one in of("dns_rule", [])
        ],
        overrides=[
            OverrideRow(
                one.settings, one.kind, one.family, list(one.values), one.instead, one.because, one.refused or None
            )
            for one in (overrides(state, pvd.id, held.link, held.epoch) if not held.host else ())
            if family is None or one.family == f"ipv{family}"
        ],
        versions=held.version,
        sequence=last.sequence if last else None,
        http=last.http if last else False,
        legacy=any(origin.legacy for origin in origins),
        delay=last.delay if last else 0,
        info=_info(information.body) if information else None,
        retrieval=_retrieval(state, held, inquiry) if inquiry else None,
        vpn=_vpn(of("vpn", []), of("excluded", [])),
    )


def _vpn(said: list[Item], excluded: list[Item]) -> VpnRow | None:
    for by, one in said:
        device, form, gateway, remote, split_dns = one.value
        names = [str(name) for name in split_dns] if isinstance(split_dns, tuple) else []
        prefixes = [each.key for _, each in excluded]
        full = form == "full"
        return VpnRow(one.key, _text(device), full, _maybe(gateway), _maybe(remote), names, prefixes, because(by, one))
    return None


def _retrieval(state: State, held: Instance, one: Inquiry) -> RetrievalRow:
    network = state.networks.get((held.link, held.epoch), NO_NETWORK)
    want = one.wanted
    return RetrievalRow(
        wanted=want.reason if want else None,
        not_before=time(not_before(one, network)),
        because=want.because if want else None,
        asking=bool(one.asked),
        barred=one.barred or None,
        dropped=one.dropped or None,
        until=time(one.held.until) if one.held else None,
        failures=network.failures,
    )


def _ends(by: Origin | Grant, held: Any) -> tuple[str | None, Seq]:
    return time(until(by, held)), because(by, held)


def _text(value: object) -> str:
    assert isinstance(value, str), value
    return value


def _maybe(value: object) -> str | None:
    return None if value is None else _text(value)


def _number(value: object) -> int:
    assert isinstance(value, int), value
    return value


def _encrypted(item: Item) -> EncryptedDnsRow:
    by, one = item
    priority, adn, addresses, params = one.value
    assert isinstance(addresses, tuple) and isinstance(params, tuple)
    return EncryptedDnsRow(
        _number(priority),
        _text(adn),
        [_text(address) for address in addresses],
        [_param(one) for one in params],
        *_ends(by, one),
    )


def _param(pair: object) -> ParamRow:
    assert isinstance(pair, tuple)
    return ParamRow(_number(pair[0]), _text(pair[1]))


def _lease(item: Item) -> LeaseRow:
    by, one = item
    protocol, server, *timers = one.value
    # From where the lease's lifetime counts: the request's sending (RFC 2131 §4.4.5), not the answer.
    start = counted_from(by, one)
    t1, t2 = ((_timer(start, timers[at]) if at < len(timers) else None) for at in (0, 1))
    return LeaseRow(_text(protocol), _text(server), t1, t2, *_ends(by, one))


def _timer(start: Instant, seconds: object) -> str | None:
    return rfc3339(start + seconds * 1_000_000_000) if isinstance(seconds, int) else None


def _placed(at: Placement | None) -> PlacedRow | None:
    if at is None:
        return None
    failed = [FailedRow(op_words(one.op), one.error, rfc3339(one.retry_at)) for one in at.failed]
    users = [UserRow(one.pid, one.comm) for one in at.users]
    if at.projection == "tables":
        return PlacedRow(at.device, table=int(at.name), failed=failed, users=users)
    since = rfc3339(at.asking_since) if at.asking_since else UNSET
    return PlacedRow(at.device, at.name, failed=failed, users=users, asking_since=since)


def op_words(op: Op) -> str:
    """An operation in a few words: its tag and what it is about."""
    return " ".join([str(op.__struct_config__.tag), *op_key(op)[1:]])


# The other documents


def change_row(change: Change) -> ChangeRow:
    """A line of history."""
    return ChangeRow(
        at=rfc3339(change.at),
        pvd=change.pvd,
        link=change.link,
        epoch=change.epoch,
        host=change.host or None,
        version=change.version,
        cause=change.cause,
        because=change.because,
        phase_before=change.phase_before,
        phase=change.phase,
        added=[thing(one) for one in change.added],
        removed=[thing(one) for one in change.removed],
        changed=_altered(change.changed),
        subject=change.subject or None,
    )


def diff_row(one: PvdDiff) -> PvdDiffRow:
    """What changed of one instance."""
    added, removed = [thing(item) for item in one.added], [thing(item) for item in one.removed]
    place = one.link, one.epoch, one.host or None
    return PvdDiffRow(one.pvd, *place, one.appeared, one.ended, added, removed, _altered(one.changed))


def planned_row(op: Op, place: Place | None) -> PlannedRow:
    """One operation of a plan."""
    if place is None:
        return PlannedRow(None, None, None, None, op)
    asked: Seq | None = None
    if isinstance(op, AddressAdd):
        asked = next((one.because for one in place.addresses if one.address == op.address), None)
    elif isinstance(op, RouteAdd):
        wanted = (op.destination, op.via)
        asked = next((one.because for one in place.routes if (one.destination, one.via) == wanted), None) or None
    elif isinstance(op, RuleAdd):
        asked = next((one.because for one in place.steers if one.source == op.source), None)
    return PlannedRow(place.pvd, place.link, place.epoch, asked, op)


def record_row(record: Record) -> RecordRow:
    """A record."""
    link = getattr(record.event, "link", None)
    return RecordRow(
        seq=record.seq,
        cursor=record.seq,
        at=rfc3339(record.at),
        v=record.v,
        type=kind(record.event),
        link=link if isinstance(link, str) else None,
        provenance=_provenance(record.provenance, record.at),
        event=msgspec.Raw(encode(record.event)),
    )


def _provenance(said: Provenance, at: Instant) -> ProvenanceRow:
    captured = at if said.captured_at is None else said.captured_at
    return ProvenanceRow(spelled(said.source), said.packet or None, said.frame or None, rfc3339(captured))
