"""Questions to the past: what was true then, why, what changed, and whether the journal is whole.

Law: every answer is folded from records, and names the record, frame and octets it rests on. An index or a snapshot
may make it faster and never different.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import msgspec

from events.codec import AnyEvent
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen, DhcpOption, Ia, IaAddress, IaPrefix
from events.ids import NEVER, HostId, Instant, LinkId, PvdId, Seq
from events.router import (
    CaptivePortal,
    Dnssl,
    EncryptedDns,
    MifContainer,
    Mtu,
    NdOption,
    Pref64,
    PrefixInformation,
    PvdOption,
    Rdnss,
    RouteInformation,
    RouterAdvertised,
)
from pvdcore.domains.contents import Item, Source, members, merged
from pvdcore.domains.pvds import difference
from pvdcore.leases.parameters import name_rules6, parameters4, parameters6
from pvdcore.past import snapshot
from pvdcore.ports import Journal, Kept
from pvdcore.prefixes import covers, interface, length, network
from pvdcore.reduce import Fold, advance, reduce
from pvdcore.routers.parts import PARTS
from pvdcore.state import EMPTY, Cell, Change, Content, Held, State, Value, because, until

EVERYTHING4, EVERYTHING6 = "0.0.0.0/0", "::/0"

ND_CODES = {
    PrefixInformation: 3,
    Mtu: 5,
    RouteInformation: 24,
    Rdnss: 25,
    Dnssl: 31,
    CaptivePortal: 37,
    Pref64: 38,
    EncryptedDns: 144,
}

BEFORE = (121, 249, 119)
"""DHCPv4: of two options that say the same, these count, in this order (RFC 3442, RFC 3397)."""
LEASE_TIME = 51


class OptionSpan(msgspec.Struct, frozen=True):
    """The octets of a frame an item stood in: option type, offset in the frame, length with the option's header."""

    type: int
    offset: int
    length: int
    data: bytes


class Answer(msgspec.Struct, frozen=True):
    """One item that a question is about. until: NEVER as `None`; ended_*: set when it no longer holds.

    because: the latest record that carried it. packet: its number in the capture `source`; frame: its hash.
    """

    target: str
    pvd: PvdId
    link: LinkId
    epoch: int
    host: HostId
    kind: str
    key: str
    value: Value
    since: Seq
    because: Seq
    until: Instant | None = None
    ended_at: Instant | None = None
    ended_by: str | None = None
    ended_because: Seq | None = None
    source: str = ""
    packet: int = 0
    frame: str = ""
    option: OptionSpan | None = None


class PvdDiff(msgspec.Struct, frozen=True):
    """What is different in one PvD's instance on one attachment."""

    pvd: PvdId
    link: LinkId
    epoch: int
    host: HostId
    appeared: bool
    ended: bool
    added: tuple[Content, ...]
    removed: tuple[Content, ...]
    changed: tuple[tuple[Content, Content], ...]


@contextmanager
def without_collector() -> Iterator[None]:
    """Immutable values make no cycles: while many are made there is nothing for the collector of cycles to find, and
    nothing later in those that stayed."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.freeze()
            gc.enable()


def state_at(journal: Journal, at: Instant | None = None, seq: Seq | None = None) -> State:
    """The State as of an instant (what ended by then has ended), or as of a record, or of the last record."""
    with without_collector():
        last = seq if seq is not None else journal.seq_at(at) if at is not None else journal.last_seq()
        state = EMPTY
        kept = journal.snapshot(last)
        if kept is not None:
            try:
                state = snapshot.decode(kept[1], lambda base: _kept(journal, base))
            except msgspec.DecodeError:
                state = EMPTY  # a cache of another program version
        fold = Fold(state)
        fold.run(journal.steps(state.seq + 1, last, last_words(state)))
        return advance(fold.state, at) if at is not None and at > fold.state.now else fold.state


def last_words(state: State) -> dict[Seq, AnyEvent]:
    """What each router said last, by its record: most of them say it again."""
    origins = (origin for said in state.speakers.values() for origin in said)
    return {origin.because: origin.event for origin in origins if origin.event.router}


def _kept(journal: Journal, seq: Seq) -> Kept | None:
    """The snapshot of a record, if there is one of that very record."""
    kept = journal.snapshot(seq)
    return kept[1] if kept is not None and kept[0] == seq else None


def chronicle(journal: Journal, pvd: PvdId | None = None) -> Iterator[Change]:
    """The lines of history of one PvD or of all; folded again from the records where the index was dropped."""
    if next(journal.history(), None) is not None or not journal.last_seq():
        yield from journal.history(pvd)
        return
    state = EMPTY
    for record in journal.records():
        state = reduce(state, record)
        yield from (change for change in state.changes if pvd is None or change.pvd == pvd)


def state_digest(state: State) -> str:
    """What `verify` compares: equal for equal States, however they were reached."""
    return snapshot.digest(state)


def holdings(state: State) -> Iterator[tuple[PvdId, Cell, Source, Held]]:
    """Every item of every live instance, in order."""
    for pvd in sorted(state.pvds):
        for cell, instance in state.pvds[pvd].instances:
            for source, held in merged(members(state, pvd, instance)):
                yield pvd, cell, source, held


def why(
    journal: Journal, target: str, at: Instant | None = None, seq: Seq | None = None, state: State | None = None
) -> list[Answer]:
    """What holds an address, prefix, route, resolver, name or PvD; or, if nothing does any more, what ended it.

    An address that is no item by itself is answered by the longest prefix or route that contains it; a default router
    is the route `::/0` (RFC 4861 §6.3.4), and `default` is that of both families. [] if nothing ever had to do with
    the target. state: that of the instant or the record, if it is at hand.
    """
    if state is None:
        state = state_at(journal, at, seq)
    wanted = _canonical(target)
    found = list(_matching(state, wanted))
    if not found and _is_address(wanted):
        found = _containing(state, wanted)
    if found:
        return [_answer(journal, target, *item) for item in found]
    return _ended(journal, target, wanted, state)


def _canonical(target: str) -> str:
    """A word as items have it. An address with its length, as a list shows it, is that address and no network."""
    text = target.strip()
    try:
        said = interface(text)
    except ValueError:
        return text.lower()
    return str(said.network) if "/" in text and said.ip == said.network.network_address else str(said.ip)


def _is_address(wanted: str) -> bool:
    try:
        interface(wanted)
    except ValueError:
        return False
    return "/" not in wanted


def change_key(change: Change) -> tuple[object, ...]:
    """What makes a line of history the same one, whoever folded it; its instant comes first."""
    return change.at, change.pvd, change.subject, change.link, change.epoch, change.host, change.version, change.phase


def lapsed_since(journal: Journal, state: State) -> tuple[Change, ...]:
    """The lines of history between the last record and `state.now`, which nobody has indexed: what lapsed."""
    if state.seq < journal.last_seq():
        return ()
    known = {change_key(one) for one in chronicle(journal)}
    later = advance(state_at(journal), state.now).changes
    return tuple(one for one in later if change_key(one) not in known)


_SPEAKING = ("router", "route", "encrypted_dns", "captive_portal")
"""The kinds that answer to words which do not stand in their keys."""


def _names(kind: str, key: str, value: Value) -> set[str]:
    """The words an item answers to."""
    destination = key.split(" via ")[0]
    words = {key, destination, key.split("/")[0] if kind == "address" else key}
    if kind == "router":
        words.add(EVERYTHING6)
    if kind == "router" or (kind == "route" and destination in (EVERYTHING4, EVERYTHING6)):
        words.add("default")
    if kind == "route" and isinstance(value[1], str):
        words.add(value[1])
    if kind == "encrypted_dns":
        words.add(str(value[1]))
        words.update(str(one) for one in value[2] or ()) if isinstance(value[2], tuple) else None
    if kind == "captive_portal":
        words.add(str(value[0]))
    words = {word.lower() for word in words}  # as questions are; a portal is written as its network likes
    return words | {word.rstrip(".") for word in words}


def _answers(held: Held, wanted: str) -> bool:
    """Whether an item answers to a word."""
    if wanted not in held.key and held.kind not in _SPEAKING:
        return False
    return wanted in _names(held.kind, held.key, held.value)


def _matching(state: State, wanted: str) -> Iterator[tuple[PvdId, Cell, Source, Held]]:
    """The holdings that answer to a word, or whose PvD does. What a lease holds is looked at once for all its PvDs."""
    leased: dict[tuple[object, ...], tuple[list[Item], list[Item]]] = {}
    for pvd in sorted(state.pvds):
        named = _is_named(pvd, wanted)
        here: list[tuple[Cell, list[Item]]] = []
        for cell, instance in state.pvds[pvd].cells.items():
            # what speaks is of one PvD, and of one that is named all counts
            key = (cell, pvd if named or instance.origins else "", instance.grants)
            known = leased.get(key)
            if known is None:
                found = members(state, pvd, instance)
                known = ([], [])
                if named or any(_answers(held, wanted) for source in found for held in source.held):
                    items = merged(found)
                    known = (items, [one for one in items if _answers(one[1], wanted)])
                leased[key] = known
            if asked := known[0 if named else 1]:
                here.append((cell, asked))
        for cell, asked in sorted(here, key=lambda one: one[0]):
            for source, held in asked:
                yield pvd, cell, source, held


def _is_named(pvd: PvdId, wanted: str) -> bool:
    names = (pvd.lower(), pvd.split(":", 1)[1].lower())
    return wanted in names or wanted + "." in names


_AROUND = frozenset({"router", "prefix", *PARTS, "route", "prefix_delegated", "pref64"})
"""The kinds that have to do with the addresses in a prefix."""


def _containing(state: State, wanted: str) -> list[tuple[PvdId, Cell, Source, Held]]:
    around = []
    for item in holdings(state):
        held = item[3]
        prefix = EVERYTHING6 if held.kind == "router" else held.key.split(" via ")[0]
        if held.kind in _AROUND and covers(prefix, wanted):
            around.append((length(prefix), item))
    longest = max((size for size, _ in around), default=0)
    return [item for size, item in around if size == longest]


def _answer(journal: Journal, target: str, pvd: PvdId, cell: Cell, source: Source, held: Held) -> Answer:
    ends = until(source, held)
    found = because(source, held)
    answer = Answer(
        target,
        pvd,
        *cell,
        held.kind,
        held.key,
        held.value,
        since=held.since,
        because=found,
        until=None if ends == NEVER else ends,
    )
    return _located(journal, answer)


def _ended(journal: Journal, target: str, wanted: str, state: State) -> list[Answer]:
    last: dict[tuple[PvdId, Cell, str, str], tuple[Change, Content]] = {}
    names: dict[PvdId, bool] = {}
    for change in chain(chronicle(journal), lapsed_since(journal, state)):
        if change.at > state.now or change.seq > state.seq:
            break
        if change.subject:
            continue
        cell = (change.link, change.epoch, change.host)
        if change.pvd not in names:
            names[change.pvd] = _is_named(change.pvd, wanted)
        for item in change.removed:
            if item[0] != "flags" and (names[change.pvd] or wanted in _names(*item)):
                last[change.pvd, cell, item[0], item[1]] = (change, item)
    answers = []
    for (pvd, cell, kind, key), (change, item) in sorted(last.items(), key=lambda one: one[0]):
        answer = Answer(
            target,
            pvd,
            *cell,
            kind,
            key,
            item[2],
            since=_first(journal, pvd, kind, key, change),
            because=_carrier(journal, pvd, kind, key, change),
            ended_at=change.at,
            ended_by=change.cause,
            ended_because=change.because,
        )
        answers.append(_located(journal, answer))
    return answers


def _first(journal: Journal, pvd: PvdId, kind: str, key: str, ended: Change) -> Seq:
    """The record that brought an item the last time before it ended."""
    first = ended.because
    for change in chronicle(journal, pvd):
        if change.at > ended.at or change.seq > ended.seq:
            break
        if any(item[:2] == (kind, key) for item in change.added):
            first = change.because
    return first


def _carrier(journal: Journal, pvd: PvdId, kind: str, key: str, ended: Change) -> Seq:
    """The last record that carried an item which a record ended, or time did: with another item, of another record."""
    record = journal.record(ended.seq)
    by_time = record is not None and record.at < ended.at
    state = state_at(journal, seq=ended.seq if by_time else ended.seq - 1)
    for name, _, source, held in holdings(state):
        if (name, held.kind, held.key) == (pvd, kind, key):
            return because(source, held)
    return ended.because


def _located(journal: Journal, answer: Answer) -> Answer:
    record = journal.record(answer.because)
    if record is None:
        return answer
    provenance = record.provenance
    frame = journal.frame(provenance.frame) if provenance.frame else None
    span = _span(record.event, answer, frame or b"")
    return msgspec.structs.replace(
        answer, source=provenance.source, packet=provenance.packet, frame=provenance.frame, option=span
    )


def _span(event: AnyEvent, answer: Answer, frame: bytes) -> OptionSpan | None:
    if isinstance(event, RouterAdvertised):
        found = _nd_span(event, answer)
    elif isinstance(event, (Dhcp4MessageSeen, Dhcp6MessageSeen)):
        found = _dhcp_span(event, answer)
    else:
        return None
    if found is None:
        return None
    code, at, size = found
    return OptionSpan(code, at, size, frame[at : at + size])


def walk(options: tuple[NdOption, ...], at: int) -> Iterator[tuple[NdOption, int]]:
    """The options of an RA with the octet of the frame each begins at, nested ones behind the one they are in."""
    for option in options:
        yield option, at
        if isinstance(option, (PvdOption, MifContainer)):
            yield from walk(option.options, at + option.nested_at)
        at += option.length


def _nd_span(event: RouterAdvertised, answer: Answer) -> tuple[int, int, int] | None:
    """The option of an RA that says it of this PvD: one in its own container before one outside, of two the last."""
    found: dict[bool, tuple[int, int, int]] = {}
    end, own = 0, False
    for option, at in walk(event.options, event.options_at):
        if isinstance(option, PvdOption):
            end, own = at + option.length, answer.pvd == f"fqdn:{option.name}"
            if own and option.header and answer.kind in ("router", "hop_limit"):
                return 21, at, option.length
        elif isinstance(option, MifContainer):
            end, own = at + option.length, answer.pvd == f"uuid:{option.uuid}"
        elif (own or at >= end) and _says(option, answer):
            found[at < end] = (ND_CODES[type(option)], at, option.length)
    return found.get(True) or found.get(False)


def _says(option: NdOption, answer: Answer) -> bool:
    key = answer.key
    match option:
        case PrefixInformation():
            if answer.kind == "address":  # formed of it
                return option.autonomous and network(key) == network(option.prefix)
            if answer.kind in PARTS and not (option.on_link, option.autonomous)[PARTS[answer.kind]]:
                return False
            return answer.kind in ("prefix", *PARTS) and option.prefix == key
        case RouteInformation():
            return answer.kind == "route" and option.prefix == key.split(" via ")[0]
        case Rdnss():
            return answer.kind == "dns" and key in option.addresses
        case Dnssl():
            return answer.kind == "search" and key in option.names
        case Pref64():
            return answer.kind == "pref64" and option.prefix == key
        case Mtu():
            return answer.kind == "mtu"
        case CaptivePortal():
            return answer.kind == "captive_portal"
        case EncryptedDns():
            said = (option.priority, option.adn, option.addresses)
            return answer.kind == "encrypted_dns" and answer.value[:3] == said
        case _:
            return False


def _dhcp_span(event: Dhcp4MessageSeen | Dhcp6MessageSeen, answer: Answer) -> tuple[int, int, int] | None:
    subject = answer.key.split("/")[0] if answer.kind == "address" else answer.key.removeprefix("dhcp6 ")
    for outer in event.options:
        for option in outer.options if isinstance(outer, Ia) else ():
            if isinstance(option, IaAddress) and option.address == subject:
                return option.code, option.at, option.length
            if isinstance(option, IaPrefix) and option.prefix == subject:
                return option.code, option.at, option.length
    saying = [option for option in event.options if _gives(event, option, answer)]
    saying.sort(key=lambda one: BEFORE.index(one.code) if one.code in BEFORE else len(BEFORE))
    return (saying[0].code, saying[0].at, saying[0].length) if saying else None


def _gives(event: Dhcp4MessageSeen | Dhcp6MessageSeen, option: DhcpOption, answer: Answer) -> bool:
    """Whether an option says it, read by itself."""
    if isinstance(event, Dhcp4MessageSeen):
        if answer.kind == "lease":
            return option.code == LEASE_TIME
        items = parameters4((option,), None)
    else:
        items = (*parameters6((option,)), *name_rules6((option,)))
    return any((one.kind, one.key) == (answer.kind, answer.key) for one in items)


def diff(a: State, b: State) -> list[PvdDiff]:
    """What is different between two States, PvD by PvD, sorted."""
    before = {(pvd, cell): one.content for pvd in a.pvds for cell, one in a.pvds[pvd].instances}
    after = {(pvd, cell): one.content for pvd in b.pvds for cell, one in b.pvds[pvd].instances}
    found = []
    for pvd, cell in sorted({*before, *after}):
        old, new = before.get((pvd, cell)), after.get((pvd, cell))
        if old == new:
            continue
        added, removed, changed = difference(old or (), new or ())
        found.append(PvdDiff(pvd, *cell, old is None, new is None, added, removed, changed))
    return found


def verify(journal: Journal, head: str | None = None) -> list[str]:
    """What is wrong with a journal, one sentence each; [] if it is whole and folds to what was recorded.

    head: a chain head noted elsewhere, which must be that of some record.
    """
    return list(journal.check(head)) or refold(journal)  # what can't be trusted is not folded


def refold(journal: Journal) -> list[str]:
    """Where folding gives another State than was recorded, one sentence each."""
    problems = []
    fold = Fold(EMPTY)
    done = 0
    for seq, expected in list(journal.digests()):
        fold.run(journal.steps(done + 1, seq))
        done = seq
        if state_digest(fold.state) != expected:
            problems.append(f"folding up to record {seq} gives another State than was recorded")
    return problems
