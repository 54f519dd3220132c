"""What is true of every State, whatever was heard. Tests ask after every record; `verify` may ask too.

Law: `check` only looks. A sentence it returns is a defect of this program, never of the network: what the network gets
wrong is a finding.
"""

from collections.abc import Iterator

from events.ids import NEVER, Instant
from pvdcore import phases
from pvdcore.domains.contents import LIFE, content, members
from pvdcore.domains.inquiry import informed
from pvdcore.profiles import connections, vpns
from pvdcore.routers.parts import PARTS
from pvdcore.state import Cell, Grant, Heap, Instance, Origin, Pvd, State, because, until


def check(state: State) -> list[str]:
    """One sentence for each thing that is not as it must be; [] for a sound State."""
    return [*_contributions(state), *_links(state), *_pvds(state), *_inquiries(state), *_intent(state), *_time(state)]


def _contributions(state: State) -> Iterator[str]:
    """Each contribution stands under its own key, says something, and because of a record that was folded."""
    for key in sorted(state.speakers):
        if not state.speakers[key]:
            yield f"{key} is listed as a speaker and says nothing"
        for origin in state.speakers[key]:
            if (origin.link, origin.speaker) != key:
                yield f"{_name(origin)} is filed under {key}"
            instance = _instance(state, origin.pvd, (origin.link, origin.epoch, ""))
            if instance is None or origin.speaker not in instance.origins:
                yield f"{_name(origin)} contributes to no instance"
            yield from _held(state, origin)
    for place in sorted(state.grants):
        grant = state.grants[place]
        if (grant.link, grant.host, grant.rule, grant.subject) != place:
            yield f"{_name(grant)} is filed under {place}"
        if not grant.owners:
            yield f"{_name(grant)} belongs to nobody"
        spoken = {one.pvd for speaker in _speakers(state, grant.link) for one in state.speakers[grant.link, speaker]}
        if grant.placed and grant.placed not in {*grant.owners, *spoken}:
            yield f"{_name(grant)} is placed in {grant.placed}, which is not there"
        for pvd in grant.owners:
            instance = _instance(state, pvd, (grant.link, grant.epoch, grant.host))
            if instance is None or place[1:] not in instance.grants:
                yield f"{_name(grant)} is owned by {pvd}, which does not have it"
        yield from _held(state, grant)


def _held(state: State, source: Origin | Grant) -> Iterator[str]:
    if not source.held:
        yield f"{_name(source)} holds nothing"
    slots = [(one.kind, one.key) for one in source.held]
    if len(set(slots)) != len(slots):
        yield f"{_name(source)} holds an item twice"
    prefixes = {one.key: one.value for one in source.held if one.kind == "prefix"}
    for held in source.held:
        if held.kind in PARTS and (held.key not in prefixes or prefixes[held.key][PARTS[held.kind]]):
            yield f"{held.kind} {held.key} of {_name(source)} stands beside no prefix, or beside one that says it"
        reason = because(source, held)
        if not 1 <= reason <= state.seq:
            yield f"{held.kind} {held.key} of {_name(source)} rests on record {reason}, of {state.seq}"
        if not 1 <= held.since <= reason:
            yield f"{held.kind} {held.key} of {_name(source)} is held since record {held.since}, because of {reason}"
        if until(source, held) <= state.now:
            yield f"{held.kind} {held.key} of {_name(source)} ended at {until(source, held)}, and it is {state.now}"
        if held.kind == LIFE and len([one for one in source.held if not one.fixed]) > 1:
            yield f"{_name(source)} has a soft lifetime beside items with their own"


def _links(state: State) -> Iterator[str]:
    """A link's indexes name what is there, all of it, and nothing else."""
    speakers: dict[str, list[str]] = {}
    for link, speaker in state.speakers:
        speakers.setdefault(link, []).append(speaker)
    grants: dict[str, list[tuple[str, str, str]]] = {}
    for name, host, rule, subject in state.grants:
        grants.setdefault(name, []).append((host, rule, subject))
    pvds: dict[str, set[str]] = {}
    for pvd in state.pvds.values():
        for cell, _ in pvd.instances:
            pvds.setdefault(cell[0], set()).add(pvd.id)
    for name in sorted({*speakers, *grants, *pvds} - set(state.links)):
        yield f"something was heard on {name}, which is no link"
    for name in sorted(state.links):
        known = state.links[name]
        if list(known.speakers) != sorted(speakers.get(name, [])):
            yield f"link {name} lists the speakers {known.speakers}"
        if sorted(known.grants) != sorted(grants.get(name, [])):
            yield f"link {name} lists the grants {known.grants}"
        if list(known.pvds) != sorted(pvds.get(name, set())):
            yield f"link {name} lists the PvDs {known.pvds}"
        if known.epoch < (1 if known.attached else 0):
            yield f"link {name} has epoch {known.epoch}"
        if not known.attached and (known.speakers or known.grants or known.asks or known.clients):
            yield f"link {name} is not attached, and still holds what was learned on it"
        for _, ask in known.asks:
            if not 1 <= ask.seq <= state.seq:
                yield f"a question on {name} rests on record {ask.seq}, of {state.seq}"


def _pvds(state: State) -> Iterator[str]:
    """A PvD is as far as its furthest instance; one without is gone, and it is known since when."""
    for id in sorted(state.pvds):
        pvd = state.pvds[id]
        if pvd.id != id:
            yield f"{pvd.id} is filed under {id}"
        furthest = phases.furthest([one.phase for _, one in pvd.instances])
        if pvd.phase != furthest:
            yield f"{id} is {pvd.phase}, its instances are {furthest}"
        if (pvd.phase == phases.GONE) != (not pvd.instances):
            yield f"{id} is {pvd.phase} with {len(pvd.instances)} instances"
        if (pvd.ended is None) != bool(pvd.instances):
            yield f"{id} ended at {pvd.ended} with {len(pvd.instances)} instances"
        if not pvd.versions and not pvd.instances:
            yield f"{id} ended without having had a version"
        if not pvd.first_seen <= (pvd.ended if pvd.ended is not None else state.now) <= state.now:
            yield f"{id} was first seen at {pvd.first_seen}, ended at {pvd.ended}, and it is {state.now}"
        for cell, instance in pvd.instances:
            yield from _member(state, pvd, cell, instance)


def _member(state: State, pvd: Pvd, cell: Cell, instance: Instance) -> Iterator[str]:
    name = f"the instance {cell} of {pvd.id}"
    if (instance.link, instance.epoch, instance.host) != cell:
        yield f"{name} calls itself {(instance.link, instance.epoch, instance.host)}"
    if instance.phase not in phases.FURTHEST or instance.phase == phases.GONE:
        yield f"{name} is {instance.phase!r}"
    if instance.version < 1:
        yield f"{name} has version {instance.version}"
    link = state.links.get(instance.link)
    if link is None or (link.epoch != instance.epoch and instance.phase != phases.LINGERING):
        yield f"{name} outlived its attachment"
    if instance.phase in (phases.PLACED, phases.LINGERING) and instance.placement is None:
        yield f"{name} is {instance.phase} nowhere"
    found = members(state, pvd.id, instance)
    if not found and instance.phase != phases.LINGERING:
        yield f"{name} lives and nothing contributes to it"
    if len(found) != len(instance.origins) + len(instance.grants):
        yield f"{name} names contributions that are not there"
    for source in found:
        if isinstance(source, Grant) and pvd.id not in source.owners:
            yield f"{name} has {_name(source)}, which it does not own"
    shared = informed(state, pvd.id, *cell[:2]) if not cell[2] else ()
    if instance.content != (*content(found), *shared):
        yield f"{name} has another content than its contributions"


def _inquiries(state: State) -> Iterator[str]:
    """An object is held only of a PvD that lives with the H flag; what is barred is not wanted."""
    for (pvd, link, epoch), one in sorted(state.inquiries.items()):
        known = state.links.get(link)
        if known is None or known.epoch != epoch or not known.attached:
            yield f"the information of {pvd} on {link} outlived its attachment"
        if (one.held or one.wanted) and (not one.http or _instance(state, pvd, (link, epoch, "")) is None):
            yield f"information of {pvd} on {link} is held or wanted, which has none"
        if one.wanted and one.barred:
            yield f"information of {pvd} on {link} is wanted and barred"


def _intent(state: State) -> Iterator[str]:
    """A connection names the PvDs on its attachment; what a profile itself configures stands with its connection."""
    for id in sorted(state.connections):
        one = state.connections[id]
        if one.phase not in connections.PHASES or one.phase == connections.UNBORN:
            yield f"connection {id} is {one.phase!r}"
        if (one.closed_at is None) != (one.phase != connections.CLOSED):
            yield f"connection {id} is {one.phase} and was closed at {one.closed_at}"
        there = state.links[one.link].pvds if one.link in state.links else ()
        if one.phase in connections.OPEN and not set(one.pvds) <= set(there):
            yield f"connection {id} names {one.pvds}, its link has {there}"
        holder = state.pvds.get(one.adopter)
        if one.adopter and not (holder and any(cell[:2] == (one.link, one.epoch) for cell in holder.cells)):
            yield f"connection {id} gave its place to {one.adopter}, which is not there"
    for key in sorted(state.grants):
        if key[2] == "static" and not any(
            one.phase in connections.OPEN and (one.link, connections.static_pvd(one.settings)) == (key[0], key[3])
            for one in state.connections.values()
        ):
            yield f"{key[3]} is configured on {key[0]} without a connection"
    tunnels = {(one.link, vpns.pvd_of(name)) for name, one in state.vpns.items() if one.link}
    for link, pvd in sorted(tunnels ^ {(key[0], key[3]) for key in state.grants if key[2] == vpns.RULE}):
        yield f"{pvd} is up on {link} without its data, or the other way about"
    for id in sorted(set(state.settings) ^ set(state.intent.known)):
        yield f"profile {id} is known without a record, or the other way about"


def _time(state: State) -> Iterator[str]:
    """The heap asks in time: at or before each contribution's next end, and nothing is overdue."""
    asked: dict[tuple[str, ...], set[Instant]] = {}
    for at, key in _entries(state.deadlines):
        asked.setdefault(key, set()).add(at)
        if at <= state.now:
            yield f"the deadline {at} of {key} has passed, and it is {state.now}"
    sources: list[tuple[tuple[str, ...], Origin | Grant]] = [
        (("origin", one.link, one.speaker, one.pvd), one)
        for key in sorted(state.speakers)
        for one in state.speakers[key]
    ]
    sources += [(("grant", *key), state.grants[key]) for key in sorted(state.grants)]
    for (pvd, link, epoch), one in sorted(state.inquiries.items()):
        place = ("info", pvd, link, str(epoch))
        if one.held is not None and one.held.until < NEVER and one.held.until not in asked.get(place, ()):
            yield f"the information of {pvd} on {link} ends at {one.held.until}, but no deadline says so"
    for key, source in sources:
        ends = min((until(source, held) for held in source.held), default=NEVER)
        if source.queued > ends:
            yield f"{_name(source)} ends at {ends} and is asked only at {source.queued}"
        if source.queued < NEVER and source.queued not in asked.get(key, ()):
            yield f"{_name(source)} is to be asked at {source.queued}, but no deadline says so"

    for id in sorted(state.connections):
        waits = state.connections[id].waits_until
        if 0 < waits < NEVER and waits not in asked.get(("connection", id), ()):
            yield f"connection {id} waits until {waits}, but no deadline says so"
    point = state.intent.checkpoint
    if point is not None and not point.due and NEVER > point.until not in asked.get(("checkpoint", point.id), ()):
        yield f"checkpoint {point.id} ends at {point.until}, but no deadline says so"
    for name in sorted(state.links):
        for host, client in state.links[name].clients:
            if client.waits_until and client.waits_until not in asked.get(("wait", name, host), ()):
                yield f"{host} on {name} waits until {client.waits_until}, but no deadline says so"
    for place in sorted(state.grants):
        grant = state.grants[place]
        settling = not grant.placed and grant.rule != "dhcp6-info"
        if settling and grant.settles_at not in asked.get(("settle", *place), ()):
            yield f"{_name(grant)} is to be placed at {grant.settles_at}, but no deadline says so"


def _speakers(state: State, name: str) -> tuple[str, ...]:
    return state.links[name].speakers if name in state.links else ()


def _entries(heap: Heap) -> Iterator[tuple[Instant, tuple[str, ...]]]:
    left = [heap]
    while left:
        node = left.pop()
        if node is not None:
            yield node[1], node[2]
            left += [node[3], node[4]]


def _instance(state: State, id: str, cell: Cell) -> Instance | None:
    pvd = state.pvds.get(id)
    return pvd.cells.get(cell) if pvd is not None else None


def _name(source: Origin | Grant) -> str:
    if isinstance(source, Origin):
        return f"what {source.speaker} says of {source.pvd} on {source.link}"
    return f"the grant {source.rule} {source.subject} of {source.host} on {source.link}"
