"""A State as bytes and back, and its digest.

Law: a snapshot is a cache: what is read back folds on exactly as the original would, and deleting it changes no answer.
The heap of deadlines is rebuilt, not written; a digest covers what is true and not how it is looked after.
"""

from hashlib import blake2b
from typing import Any, Final

import msgspec
from immutables import Map
from msgspec.structs import replace

from events.ids import NEVER, HostId, Instant, LinkId, PvdId, Seq
from events.operator import PropertyRule, Settings
from pvdcore import deadlines
from pvdcore.domains.inquiry import Inquiry, Network, Place
from pvdcore.policy import Policy
from pvdcore.profiles.intent import Checkpoint, Intent, Known, Reached, Refused
from pvdcore.state import (
    Cell,
    Connection,
    Detour,
    Finding,
    Grant,
    Heap,
    Host,
    Identifier,
    Instance,
    Link,
    Neighbor,
    Origin,
    Pvd,
    Rejected,
    Sighted,
    Sighting,
    State,
    Visit,
    Vpn,
    until,
)


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """A State with its maps as sorted lists. A field that came later has a default, so that digests stay valid."""

    seq: Seq
    now: Instant
    policy: Policy
    links: list[tuple[LinkId, Link]]
    speakers: list[tuple[tuple[LinkId, str], tuple[Origin, ...]]]
    grants: list[tuple[tuple[LinkId, HostId, str, str], Grant]]
    pvds: list[tuple[PvdId, Pvd]]
    inquiries: list[tuple[Place, Inquiry]]
    networks: list[tuple[tuple[LinkId, int], Network]]
    settings: list[tuple[str, Settings]]
    connections: list[tuple[str, Connection]]
    visits: list[tuple[tuple[LinkId, int], Visit]]
    findings: list[tuple[tuple[str, str, str], Finding]]
    rejected: list[tuple[str, Rejected]]
    boot: str
    identifiers: list[tuple[tuple[LinkId, str], tuple[Identifier, ...]]] = []
    sighted: list[tuple[tuple[LinkId, str], Sighted]] = []
    neighbors: list[tuple[tuple[LinkId, str], Neighbor]] = []
    detours: list[tuple[tuple[LinkId, str, str], Detour]] = []
    off: list[tuple[LinkId, Seq]] = []
    properties: tuple[PropertyRule, ...] = ()
    believed: list[tuple[tuple[str, ...], Sighting]] = []
    known: list[tuple[str, Known]] = []
    refused: list[tuple[str, Refused]] = []
    blocked: list[tuple[tuple[str, LinkId], Seq]] = []
    reached: list[tuple[str, tuple[Reached, ...]]] = []
    checkpoint: Checkpoint | None = None
    vpns: list[tuple[str, Vpn]] = []
    shared: list[tuple[Cell, Instance]] = []
    cells: list[list[int]] = []
    """Of a packed State alone: the instances that there are, each once, and which of them each PvD has.

    Where a lease belongs to many PvDs of a link, they all have the same instance of its client.
    """


def _listed(value: object) -> object:
    """The maps within a State's structs, as sorted lists."""
    if isinstance(value, Map):
        return sorted(value.items(), key=lambda item: item[0])
    raise NotImplementedError(type(value))


def _mapped(shape: type, value: Any) -> object:
    """Their way back. The only one there is holds a PvD's instances."""
    return Map(msgspec.convert(value, list[tuple[Cell, Instance]]))


_NONE: Final[Map[Cell, Instance]] = Map()
_encoder: Final = msgspec.json.Encoder(order="deterministic", enc_hook=_listed)
_decoder: Final = msgspec.json.Decoder(Image, dec_hook=_mapped)


def _image(state: State) -> Image:
    return Image(
        seq=state.seq,
        now=state.now,
        policy=state.policy,
        links=sorted(state.links.items(), key=lambda item: item[0]),
        speakers=sorted(
            ((key, tuple(replace(one, queued=NEVER) for one in origins)) for key, origins in state.speakers.items()),
            key=lambda item: item[0],
        ),
        grants=sorted(((key, replace(one, queued=NEVER)) for key, one in state.grants.items()), key=lambda it: it[0]),
        pvds=sorted(state.pvds.items(), key=lambda item: item[0]),
        inquiries=sorted(state.inquiries.items(), key=lambda item: item[0]),
        networks=sorted(state.networks.items(), key=lambda item: item[0]),
        settings=sorted(state.settings.items(), key=lambda item: item[0]),
        connections=sorted(state.connections.items(), key=lambda item: item[0]),
        visits=sorted(state.visits.items(), key=lambda item: item[0]),
        findings=sorted(state.findings.items(), key=lambda item: item[0]),
        rejected=sorted(state.rejected.items(), key=lambda item: item[0]),
        boot=state.boot,
        identifiers=sorted(state.host.identifiers.items(), key=lambda item: item[0]),
        sighted=sorted(state.host.sighted.items(), key=lambda item: item[0]),
        neighbors=sorted(state.host.neighbors.items(), key=lambda item: item[0]),
        detours=sorted(state.host.detours.items(), key=lambda item: item[0]),
        off=sorted(state.host.off.items(), key=lambda item: item[0]),
        properties=state.properties,
        believed=sorted(state.believed.items(), key=lambda item: item[0]),
        known=sorted(state.intent.known.items(), key=lambda item: item[0]),
        refused=sorted(state.intent.refused.items(), key=lambda item: item[0]),
        blocked=sorted(state.intent.blocked.items(), key=lambda item: item[0]),
        reached=sorted(state.intent.reached.items(), key=lambda item: item[0]),
        checkpoint=state.intent.checkpoint,
        vpns=sorted(state.vpns.items(), key=lambda item: item[0]),
    )


def encode(state: State) -> bytes:
    """A State as bytes; the same State is always the same bytes."""
    return _encoder.encode(_image(state))


def pack(state: State) -> bytes:
    """The same State in fewer bytes, for `decode` alone: instances that are alike in many PvDs stand there once."""
    shared: list[tuple[Cell, Instance]] = []
    first: dict[Cell, int] = {}
    others: dict[tuple[Cell, Instant, int], int] = {}
    cells: list[list[int]] = []
    bare: list[tuple[PvdId, Pvd]] = []
    for name, pvd in sorted(state.pvds.items(), key=lambda item: item[0]):
        mine: list[int] = []
        for cell, one in pvd.cells.items():
            place = first.setdefault(cell, len(shared))
            if place == len(shared):
                shared.append((cell, one))
            elif shared[place][1] != one:
                place = others.setdefault((cell, one.since, one.version), len(shared))
                if place == len(shared) or shared[place][1] != one:
                    place = others[cell, one.since, one.version] = len(shared)
                    shared.append((cell, one))
            mine.append(place)
        cells.append(mine)
        bare.append((name, replace(pvd, cells=_NONE) if mine else pvd))
    return _encoder.encode(replace(_image(state), pvds=bare, shared=shared, cells=cells))


def digest(state: State) -> str:
    """BLAKE2b-128 of a State's bytes, in hexadecimal."""
    return digest_of(encode(state))


def digest_of(encoded: bytes) -> str:
    """The same, of a State that is bytes already."""
    return blake2b(encoded, digest_size=16).hexdigest()


def decode(data: bytes) -> State:
    """The State back from its bytes. Raises msgspec.DecodeError if they are no snapshot of this program."""
    image = _decoder.decode(data)
    heap: Heap = None
    speakers = {}
    for key, origins in image.speakers:
        queued = []
        for origin in origins:
            ends = min((until(origin, held) for held in origin.held), default=NEVER)
            if ends < NEVER:
                heap = deadlines.push(heap, ends, ("origin", origin.link, origin.speaker, origin.pvd))
            queued.append(replace(origin, queued=ends))
        speakers[key] = tuple(queued)
    grants = {}
    for place, grant in image.grants:
        ends = min((until(grant, held) for held in grant.held), default=NEVER)
        if ends < NEVER:
            heap = deadlines.push(heap, ends, ("grant", *place))
        if not grant.placed and grant.settles_at > image.now:
            heap = deadlines.push(heap, grant.settles_at, ("settle", *place))
        grants[place] = replace(grant, queued=ends)
    for (pvd, link, epoch), one in image.inquiries:
        if one.held is not None and one.held.until < NEVER:
            heap = deadlines.push(heap, one.held.until, ("info", pvd, link, str(epoch)))
    for name, known in image.links:
        for host, client in known.clients:
            if client.waits_until:
                heap = deadlines.push(heap, client.waits_until, ("wait", name, host))
    for id, connection in image.connections:
        if image.now < connection.waits_until < NEVER:
            heap = deadlines.push(heap, connection.waits_until, ("connection", id))
    if image.checkpoint is not None and not image.checkpoint.due and image.checkpoint.until < NEVER:
        heap = deadlines.push(heap, image.checkpoint.until, ("checkpoint", image.checkpoint.id))
    pvds = image.pvds
    if image.cells:
        shared = image.shared
        pvds = [
            (name, replace(pvd, cells=Map([shared[place] for place in mine])) if mine else pvd)
            for (name, pvd), mine in zip(pvds, image.cells, strict=True)
        ]
    return State(
        seq=image.seq,
        now=image.now,
        policy=image.policy,
        links=Map(image.links),
        speakers=Map(speakers),
        grants=Map(grants),
        pvds=Map(pvds),
        inquiries=Map(image.inquiries),
        networks=Map(image.networks),
        settings=Map(image.settings),
        connections=Map(image.connections),
        intent=Intent(Map(image.known), Map(image.refused), Map(image.blocked), Map(image.reached), image.checkpoint),
        vpns=Map(image.vpns),
        visits=Map(image.visits),
        findings=Map(image.findings),
        rejected=Map(image.rejected),
        boot=image.boot,
        host=Host(Map(image.identifiers), Map(image.sighted), Map(image.neighbors), Map(image.detours), Map(image.off)),
        properties=image.properties,
        believed=Map(image.believed),
        deadlines=heap,
    )
