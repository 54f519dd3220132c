"""The documents in words and tables, for people.

Law: everything here is printed from a document of replay/shown/report.py, so that people and programs are told
the same.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

import replay.shown.report as report
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen
from events.frames import FrameRejected, FramesRefused
from events.ids import Instant, Seq
from events.ops import Op
from events.record import Record
from events.router import MifContainer, PvdOption, RouterAdvertised
from pvdcore.domains import portals
from replay.shown.tables import Printer
from replay.shown.times import age, parse, shown

SHOWN_MAX: Final = 2
"""Values shown in one cell of `list`; the rest is a count, so that a line stays a line."""

Packets = Callable[[Seq], int]
"""A record's number -> its packet's number in the capture, 0 for none."""


class Clock:
    """Prints times: local or UTC, and the day only where it is not the same all over."""

    def __init__(self, utc: bool, times: Sequence[str | None] = ()) -> None:
        self._utc = utc
        days = {self._read(one)[0] for one in times if one is not None}
        self.day = days.pop() if len(days) == 1 else ""

    def _read(self, text: str, digits: int = 3) -> tuple[str, str]:
        return shown(_instant(text), self._utc, digits)

    def __call__(self, text: str | None, digits: int = 3) -> str:
        if text is None:
            return "-"
        day, clock = self._read(text, digits)
        return clock if day == self.day else f"{day} {clock}"


def _instant(text: str) -> Instant:
    return int(parse(text, 0))


def _short(values: Sequence[str]) -> str:
    more = len(values) - SHOWN_MAX
    return ",".join(values[:SHOWN_MAX]) + (f" +{more}" if more > 0 else "")


def _unique(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def lifetime(seconds: int | None) -> str:
    """A lifetime as announced."""
    return "infinity" if seconds is None else f"{seconds}s"


# Items in words


def words(thing: dict[str, Any]) -> str:
    """An item of content: `route 2001:db8::/48 via fe80::1`."""
    if "order" in thing:
        return f"{thing['kind']} order {_plain(thing['order'])}"
    match thing["kind"]:
        case "route":
            via = f" via {thing['via']}" if thing["via"] else ""
            weight = "" if thing["preference"] == "medium" else f" ({thing['preference']})"
            return f"route {thing['destination']}{via}{weight}"
        case "router":
            return f"router {thing['address']}" + (
                f" ({thing['preference']})" if thing["preference"] != "medium" else ""
            )
        case "prefix":
            flags = [name for field, name in _PREFIX if thing[field]]
            return f"prefix {thing['prefix']}" + (f" ({' '.join(flags)})" if flags else "")
        case "on_link" | "autonomous":
            return f"{thing['kind']} {thing['prefix']}"
        case "encrypted_dns":
            return " ".join(["encrypted_dns", thing["adn"], *thing["addresses"]])
        case "lease":
            return f"lease {thing['protocol']} from {thing['server']}"
        case "flags":
            return f"flags {_flags(thing) or 'none'} of {thing['router']}"
        case kind:
            fields = [_plain(value) for field, value in thing.items() if field != "kind" and value is not None]
            return " ".join([kind, *fields])


_PREFIX: Final = (("on_link", "on-link"), ("autonomous", "autonomous"), ("pd_preferred", "pd-preferred"))
_FLAGS: Final = (("managed", "M"), ("other_config", "O"), ("http", "H"), ("legacy", "L"))


def _flags(thing: dict[str, Any]) -> str:
    said = [letter for field, letter in _FLAGS if thing.get(field)]
    if thing.get("http"):
        said += [f"sequence {thing['sequence']}", f"delay {thing['delay']}"]
    return " ".join(said)


def altered(row: report.Altered) -> str:
    """What changed under the same key: `prefix 2001:db8::/64 on_link off -> on`."""
    before, after = row.before, row.after
    same = [value for field, value in after.items() if before.get(field) == value and isinstance(value, str)]
    moved = [
        f"{field} {_plain(before.get(field))} -> {_plain(value)}"
        for field, value in after.items()
        if before.get(field) != value
    ]
    return " ".join([*same, ", ".join(moved)])


def _plain(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "on" if value else "off"
        case list() | tuple():
            return " ".join(_plain(one) for one in value) or "none"
        case _:
            return str(value)


# The state


def pvd_table(out: Printer, now: Instant, lines: Sequence[report.PvdLine]) -> None:
    """One line a PvD."""
    rows = [
        (
            one.id,
            one.phase,
            one.kind,
            _short(one.links),
            _short(one.prefixes),
            _short(one.addresses),
            _short(one.dns),
            one.versions,
            age(now - one.first_seen),
        )
        for one in lines
    ]
    out.table(("PVD", "PHASE", "KIND", "LINK", "PREFIX", "ADDRESS", "DNS", "VERSIONS", "AGE"), rows)


def pvd_lines(document: report.StateDocument) -> list[report.PvdLine]:
    """A line for each PvD of a document."""
    return [
        report.PvdLine(
            one.id,
            one.phase,
            f"{one.kind}/{one.source}",
            _unique([held.link for held in one.instances]),
            _unique([row.prefix for held in one.instances for row in held.prefixes]),
            _unique([row.address for held in one.instances for row in held.addresses]),
            _unique([row.address for held in one.instances for row in held.dns]),
            one.versions,
            _instant(one.first_seen),
        )
        for one in document.pvds
    ]


def list_state(out: Printer, now: Instant, lines: Sequence[report.PvdLine], gone: int) -> None:
    """`list`. gone: how many that ended are not shown."""
    if lines:
        pvd_table(out, now, lines)
    if out.legend:
        hidden = f", {gone} gone (--all shows them)" if gone else ""
        out.line(f"{_count(len(lines), 'PvD')}{hidden}")


def status(out: Printer, document: report.StateDocument, utc: bool) -> None:
    """`status`: each PvD in full."""
    if out.legend:
        out.line(f"as of {Clock(utc)(document.at)}{' UTC' if utc else ''}")
        out.line()
    for number, pvd in enumerate(document.pvds):
        if number:
            out.line()
        _status(out, pvd, Clock(utc, [document.at]), _instant(document.at))
    held = {(one.link, one.epoch) for pvd in document.pvds for one in pvd.instances}
    visits(out, [one for one in document.visits if (one.link, one.epoch) in held], utc)


def visits(out: Printer, rows: Sequence[report.VisitRow], utc: bool) -> None:
    """The earlier visits that are alike, and by what; nothing if there is none."""
    alike = [(one, like) for one in rows for like in one.earlier]
    if not alike:
        return
    clock = Clock(utc, [time for _, like in alike for time in (like.began, like.ended)])
    out.line()
    out.title("EARLIER VISITS" + (f" ({clock.day})" if clock.day else ""))
    for one, like in alike:
        marks = ", ".join(f"{mark.kind} {mark.value}" for mark in like.shared)
        then = f"{like.link}, attachment {like.epoch} ({clock(like.began)} to {clock(like.ended)})"
        out.line(f"{one.link}, attachment {one.epoch}: like {then}, {like.confidence} confidence by {marks}")


def _status(out: Printer, pvd: report.PvdRow, clock: Clock, now: Instant) -> None:
    out.coloured(pvd.id, pvd.phase)
    about = [pvd.phase, pvd.kind, f"from {pvd.source}", _count(pvd.versions, "version"), f"trust {pvd.trust}"]
    out.line("  " + ", ".join(about))
    seen = f"first seen {clock(pvd.first_seen)}, last seen {clock(pvd.last_seen)}"
    out.line(f"  {seen}" + (f", ended {clock(pvd.ended)}" if pvd.ended else ""))
    if pvd.sequence is not None:
        flags = "".join(letter for letter, on in (("H", pvd.http), ("L", pvd.legacy)) if on) or "none"
        out.line(f"  flags {flags}, sequence {pvd.sequence}, delay {pvd.delay}")
    if pvd.properties:
        out.line("  " + ", ".join(f"{name}={_typed(value)}" for name, value in pvd.properties.items()))
    for held in pvd.instances:
        about = [held.phase, *(["M"] if held.managed else []), *(["O"] if held.other_config else [])]
        host = f", host {held.host}" if held.host else ""
        out.line()
        out.line(f"  on {held.link}, attachment {held.epoch}{host}: {' '.join(about)}")
        if held.placed_in:
            where = held.placed_in.netns if held.placed_in.netns is not msgspec.UNSET else held.placed_in.table
            out.line(f"  placed in {where}, link {held.placed_in.link}")
            if held.placed_in.asking_since is not msgspec.UNSET:
                out.line(f"  DHCP client since {clock(held.placed_in.asking_since)}")
            for one in held.placed_in.failed:
                out.line(f"  failed: {one.op}: {one.error}, tried again {_until(one.retry_at, clock, now)}")
            for user in held.placed_in.users:
                out.line(f"  still inside: {user.comm} ({user.pid})")
        rows = [
            (kind, what, says, _until(ends, clock, now), because) for kind, what, says, ends, because in _held(held)
        ]
        out.table(("KIND", "WHAT", "SAYS", "UNTIL", "BECAUSE"), rows, indent="    ")
        _information(out, held, clock)


def _information(out: Printer, held: report.InstanceRow, clock: Clock) -> None:
    """The additional information of one instance, and how it stands with its retrieval."""
    for key in sorted(held.info or {}):
        out.line(f"    info {key}: {msgspec.json.encode((held.info or {})[key]).decode()}")
    one = held.retrieval
    if one is None:
        return
    said = [f"held until {clock(one.until)}"] if one.until else []
    said += [f"dropped ({one.dropped})"] if one.dropped else []
    said += [f"barred ({one.barred})"] if one.barred else []
    if one.wanted:
        when = f"not before {clock(one.not_before)}" if one.not_before else "its wait is not drawn yet"
        said.append("asked for" if one.asking else f"wanted ({one.wanted}), {when}")
    said += [f"{_count(one.failures, 'failure')} on this attachment"] if one.failures else []
    if said:
        out.line(f"    information {', '.join(said)}")


def _typed(value: object) -> str:
    """A property's value as pvd.conf has it: `true` is none of the words."""
    return msgspec.json.encode(value).decode()


_FIXED: Final = ""


def _until(ends: str | None, clock: Clock, now: Instant) -> str:
    if ends == _FIXED:
        return "-"
    return "never" if ends is None else f"{clock(ends)} (in {age(_instant(ends) - now)})"


def _held(one: report.InstanceRow) -> list[tuple[str, str, str, str | None, Seq | str]]:
    rows: list[tuple[str, str, str, str | None, Seq | str]] = []
    for router in one.routers:
        says = f"{router.preference}, lifetime {lifetime(router.lifetime_s)}"
        rows.append(("router", router.address, says, router.until, router.because))
    for prefix in one.prefixes:
        flags = [name for field, name in _PREFIX if getattr(prefix, field)]
        says = ", ".join([*flags, f"valid {lifetime(prefix.valid_s)}", f"preferred {lifetime(prefix.preferred_s)}"])
        rows.append(("prefix", prefix.prefix, says, prefix.until, prefix.because))
    for address in one.addresses:
        rows.append(("address", address.address, address.origin, address.until, address.because))
    for delegated in one.delegated:
        says = f"valid {lifetime(delegated.valid_s)}, preferred {lifetime(delegated.preferred_s)}"
        rows.append(("delegated", delegated.prefix, says, delegated.until, delegated.because))
    for route in one.routes:
        via = f"via {route.via}" if route.via else "on-link"
        rows.append(("route", route.destination, f"{via}, {route.preference}", route.until, route.because))
    for server in one.dns:
        rows.append(("dns", server.address, "", server.until, server.because))
    for search in one.search:
        rows.append(("search", search.name, "", search.until, search.because))
    for dnr in one.encrypted_dns:
        says = " ".join([f"priority {dnr.priority}", *dnr.addresses])
        rows.append(("encrypted dns", dnr.adn, says, dnr.until, dnr.because))
    for nat64 in one.pref64:
        rows.append(("pref64", nat64.prefix, "", nat64.until, nat64.because))
    if one.mtu:
        rows.append(("mtu", str(one.mtu.mtu), "", _FIXED, one.mtu.because))
    if one.captive_portal:
        uri, because = one.captive_portal.uri, one.captive_portal.because
        none = "none, says the network" if portals.state(uri) == "none" else ""
        rows.append(("captive portal", uri, none, _FIXED, because))
    if one.hop_limit is not None:
        rows.append(("hop limit", str(one.hop_limit), "", _FIXED, ""))
    for server in one.ntp:
        rows.append(("ntp", server.address, "", server.until, server.because))
    if one.vpn:
        ends = [f"next hop {one.vpn.gateway}"] if one.vpn.gateway else []
        ends += [f"server {one.vpn.remote}"] if one.vpn.remote else []
        says = ", ".join([f"{one.vpn.client}, {'full' if one.vpn.full else 'split'}", *ends])
        rows.append(("tunnel", one.vpn.device, says, _FIXED, one.vpn.because))
        rows += [("excluded", prefix, "not through the tunnel", _FIXED, one.vpn.because) for prefix in one.vpn.excluded]
        rows += [("split dns", name, "", _FIXED, one.vpn.because) for name in one.vpn.split_dns]
    for made in one.overrides:
        says = f"{'instead, ' if made.instead else ''}by settings {made.settings}"
        says += f", refused: {made.refused}" if made.refused else ""
        rows += [(made.kind, value, says, _FIXED, made.because) for value in made.values or ["-"]]
    for rule in one.dns_rules:
        says = f"ask {rule.server}, {rule.preference}"
        rows.append(("names", rule.domain or "-", says, rule.until, rule.because))
    for lease in one.leases:
        rows.append(("lease", lease.protocol, f"from {lease.server}", lease.until, lease.because))
    return rows


def replay(
    out: Printer, document: report.ReplayDocument, changes: Sequence[report.ChangeRow], packets: Packets, utc: bool
) -> None:
    """`replay`: what was read, the PvDs, their history, what is odd and what was refused."""
    out.title("CAPTURES")
    captures = document.captures
    clock = Clock(utc, [one.first for one in captures] + [one.last for one in captures])
    rows = [
        (one.file, one.packets, one.frames, one.rejected, clock(one.first), clock(one.last), one.damaged or "-")
        for one in captures
    ]
    out.table(("FILE", "PACKETS", "FRAMES", "REJECTED", "FIRST", "LAST", "DAMAGED"), rows)
    state = document.state
    out.line()
    out.title("PVDS")
    if state.pvds:
        pvd_table(out, _instant(state.at), pvd_lines(state))
    else:
        out.line("none")
    if changes:
        out.line()
        out.title("HISTORY")
        history(out, changes, packets, utc)
    if state.findings:
        out.line()
        out.title("FINDINGS")
        out.table(
            ("CODE", "SEVERITY", "LINK", "COUNT", "BECAUSE", "TEXT"),
            [(one.code, one.severity, one.link, one.count, one.because, one.text) for one in state.findings],
        )
    if state.rejected:
        out.line()
        out.title("REJECTED")
        out.table(("RULE", "COUNT", "FIRST"), [(one.rule, one.count, one.first) for one in state.rejected])
    if out.legend and (state.findings or state.rejected):
        code = state.findings[0].code if state.findings else state.rejected[0].rule
        out.line()
        out.line(f"what these mean and what to change: pvdctl explain {code}")


def _stands(one: report.LinkRow) -> str:
    if one.gone:
        return f"moved to {one.moved_to}" if one.moved_to else "gone"
    return "attached" if one.attached else "detached"


def links(out: Printer, rows: Sequence[report.LinkRow], utc: bool) -> None:
    """`links`."""
    clock = Clock(utc)
    out.table(
        ("LINK", "KIND", "STATE", "EPOCH", "MAC", "MTU", "FIRST SEEN", "PVDS"),
        [
            (
                one.link,
                one.kind,
                _stands(one),
                one.epoch,
                one.mac,
                one.mtu,
                clock(one.first_seen),
                " ".join(one.pvds),
            )
            for one in rows
        ],
    )


def connections(out: Printer, rows: Sequence[report.ConnectionRow], utc: bool) -> None:
    """`connections`."""
    clock = Clock(utc)
    out.table(
        ("CONNECTION", "SETTINGS", "LINK", "BY", "PHASE", "PVDS", "OPENED", "CLOSED", "REASON", "BECAUSE"),
        [
            (
                one.id,
                one.settings,
                one.link,
                one.by,
                one.phase,
                " ".join(one.pvds),
                clock(one.opened),
                clock(one.closed),
                one.reason,
                one.because,
            )
            for one in rows
        ],
    )
    for one in rows:
        if one.phase == "mismatch":
            out.line(f"{one.id}: expects {' or '.join(one.expected)}, which is not there")
        for failed in one.placed_in.failed if one.placed_in else ():
            out.line(f"{one.id}: failed: {failed.op}: {failed.error}, tried again {clock(failed.retry_at)}")
        for like in one.earlier:
            out.line(f"{one.id}: like {like.link}/{like.epoch}, {clock(like.began)} ({like.confidence})")


def settings(out: Printer, document: report.SettingsDocument, utc: bool) -> None:
    """`settings`: the profiles, what is not used of them, where they led, and the files that are refused."""
    clock = Clock(utc)
    out.table(
        ("SETTINGS", "SOURCE", "ORIGIN", "VALUES"),
        [
            (one.id, one.source, one.origin, " ".join(f"{key}={_plain(value)}" for key, value in one.values.items()))
            for one in document.settings
        ],
    )
    for profile in document.settings:
        for note in profile.notes:
            out.line(f"{profile.id}: {NOTED[note.code]}: {note.key} ({note.where})")
        for each in profile.reached:
            visits = f"{each.visits} visits" if each.visits > 1 else "1 visit"
            out.line(f"{profile.id}: led to {each.pvd} on {each.link}, {visits}, last {clock(each.last_at)}")
    for file in document.refused:
        out.line(f"{file.origin}: refused, {file.text or file.rule}")
    if document.checkpoint is not None:
        by_itself = document.checkpoint.until
        until = f"rolls back {clock(by_itself)} unless committed" if by_itself else "until rolled back or committed"
        out.line(f"checkpoint {document.checkpoint.id}: {until}")


NOTED: Final = {
    "settings-unsupported": "not supported",
    "settings-invalid": "no valid value",
    "settings-secret": "a secret, which is not kept",
}


# History, reasons, differences


def history(
    out: Printer, changes: Sequence[report.ChangeRow], packets: Packets, utc: bool, *, dated: bool = False
) -> None:
    """`history`: one line a change. dated: the day on every line, as more lines are to follow."""
    clock = Clock(utc, () if dated else [one.at for one in changes])
    rows = []
    for one in changes:
        who = (one.subject or one.pvd) + (f" [{one.host}]" if one.host else "")
        rows.append((clock(one.at), who, f"v{one.version}" if one.version else "-", _happened(one), _why(one, packets)))
    if clock.day and out.legend:
        out.line(f"on {clock.day}{' UTC' if utc else ''}")
    for line in _aligned(rows):
        out.line(line)


def _happened(one: report.ChangeRow) -> str:
    said = ["+" + words(thing) for thing in one.added]
    said += ["-" + words(thing) for thing in one.removed]
    said += ["~" + altered(pair) for pair in one.changed]
    if one.phase != one.phase_before:
        said.insert(0, f"{one.phase_before} -> {one.phase}" if one.phase_before else "new")
    return ", ".join(said) or "-"


def _why(one: report.ChangeRow, packets: Packets) -> str:
    packet = packets(one.because)
    return f"{one.cause} because {one.because}" + (f" (packet {packet})" if packet else "")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first columns aligned, the last two as they come: what happened may be long."""
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(3)]
    return ["  ".join([*(row[at].ljust(widths[at]) for at in range(3)), *row[3:]]) for row in rows]


def why(out: Printer, document: report.WhyDocument, utc: bool) -> None:
    """`why`: who holds it, since and until when, and the octets that said it."""
    clock = Clock(utc)
    for number, one in enumerate(document.answers):
        if number:
            out.line()
        host = f", host {one.host}" if one.host else ""
        out.coloured(words(one.item), "title")
        out.line(f"  held by   {one.pvd} on {one.link}, attachment {one.epoch}{host}")
        out.line(f"  since     {clock(one.since.at)}, record {one.since.seq}{_packet(one.since)}")
        if one.ended:
            out.line(f"  ended     {clock(one.ended.at)}, {one.ended.cause}, record {one.ended.because}")
        else:
            out.line(f"  until     {clock(one.until) if one.until else 'never'}")
        out.line(f"  because   record {one.because.seq}{_packet(one.because)}, {clock(one.because.at)}")
        if one.because.frame:
            out.line(f"  frame     {one.because.frame}")
        if option := one.because.option:
            out.line(f"  option    type {option.type}, offset {option.offset}, {_count(option.length, 'octet')}")
            for at in range(0, len(option.data), 64):
                pairs = option.data[at : at + 64]
                out.line("            " + " ".join(pairs[pair : pair + 2] for pair in range(0, len(pairs), 2)))


def _packet(row: report.BecauseRow) -> str:
    return f", packet {row.packet} of {row.file}" if row.packet else f", {row.file}" if row.file else ""


def diff(out: Printer, document: report.DiffDocument) -> None:
    """`diff`: PvD by PvD."""
    for one in document.pvds:
        what = "appeared" if one.appeared else "ended" if one.ended else "changed"
        host = f", host {one.host}" if one.host else ""
        out.coloured(f"{one.pvd} {what} on {one.link}, attachment {one.epoch}{host}", "title")
        for thing in one.added:
            out.coloured(f"  + {words(thing)}", "+")
        for thing in one.removed:
            out.coloured(f"  - {words(thing)}", "-")
        for pair in one.changed:
            out.coloured(f"  ~ {altered(pair)}", "~")
    if out.legend and not document.pvds:
        out.line("no difference")


def plan(out: Printer, document: report.PlanDocument) -> None:
    """`plan`: one line an operation."""
    rows = [(_deed(one.op), one.pvd, one.because) for one in document.ops]
    out.table(("OPERATION", "PVD", "BECAUSE"), rows)


def _deed(op: Op) -> str:
    plain = msgspec.to_builtins(op)
    where = plain.pop("netns") or "first"
    what = plain.pop("type").replace("-", " ")
    link = plain.pop("link", "")
    said = [_plain(value) if key in _PLAIN else f"{key} {_plain(value)}" for key, value in plain.items()]
    return " ".join([f"[{where}]", what, *said, *([f"dev {link}"] if link else [])])


_PLAIN: Final = frozenset({"name", "address", "destination"})
"""Fields of an operation that need no name in front."""


def log(out: Printer, records: Sequence[Record], utc: bool, *, dated: bool = False) -> None:
    """`log`: one line a record. dated: the day on every line, as more lines are to follow."""
    rows = [report.record_row(record) for record in records]
    clock = Clock(utc, () if dated else [row.at for row in rows])
    if clock.day and out.legend:
        out.line(f"on {clock.day}{' UTC' if utc else ''}")
    out.table(
        ("SEQ", "TIME", "TYPE", "LINK", "SOURCE", "PACKET", "SAYS"),
        [
            (row.seq, clock(row.at), row.type, row.link, row.provenance.source, row.provenance.packet, says(record))
            for row, record in zip(rows, records, strict=True)
        ],
    )


def says(record: Record) -> str:
    """An event in a few words."""
    event = record.event
    match event:
        case RouterAdvertised():
            named = [option.name for option in event.options if isinstance(option, PvdOption)]
            named += [option.uuid for option in event.options if isinstance(option, MifContainer)]
            return " ".join([event.router, f"lifetime {event.header.lifetime_s}s", *(f"pvd {one}" for one in named)])
        case Dhcp4MessageSeen():
            return " ".join([event.message, event.chaddr, *([event.yiaddr] if event.yiaddr != "0.0.0.0" else [])])
        case Dhcp6MessageSeen():
            return " ".join([event.message, event.source, "->", event.destination])
        case FrameRejected():
            return f"{event.protocol} {event.rule} at octet {event.offset}: {event.detail}".removesuffix(": ")
        case FramesRefused():
            return f"{event.rule}, {_count(event.count, 'frame')}"
        case _:
            plain = msgspec.to_builtins(event, builtin_types=(msgspec.Raw, bytes))
            said = [f"{key}={value}" for key, value in plain.items() if isinstance(value, (str, int)) and value != ""]
            return " ".join(one for one in said if not one.startswith(("type=", "link=")))
