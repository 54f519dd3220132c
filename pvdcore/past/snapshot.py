"""A State as bytes and back, and its digest.

Law: a snapshot is a cache: what is read back folds on exactly as the original would, and deleting it changes no answer.
The heap of deadlines is rebuilt, not written; a digest covers what is true and not how it is looked after.

A State changes little from one snapshot to the next: routers and leases are refreshed. So a Packer writes one whole,
and then what is other than in that one; of a refresh, three or four numbers, and of a router that says other words the
options and items that changed.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

import msgspec
from immutables import Map
from msgspec.structs import replace

from events.ids import NEVER, HostId, Instant, LinkId, PvdId, Seq
from events.operator import PropertyRule, Settings
from events.router import NdOption, RouterAdvertised
from pvdcore.domains.inquiry import Inquiry, Network, Place
from pvdcore.policy import Policy
from pvdcore.ports import Kept
from pvdcore.profiles.intent import Checkpoint, Intent, Known, Reached, Refused
from pvdcore.routers.words import Refresh, Speaker, refreshed
from pvdcore.state import (
    Cell,
    Connection,
    Detour,
    Finding,
    Grant,
    Heap,
    Held,
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
    """Of a State packed by an earlier program: the instances that there are, each once, and which of them each PvD has.
    """


Key = str | tuple[str | int, ...]


class Told(msgspec.Struct, frozen=True, array_like=True):
    """A router that said other words since: of its one origin, what is other than it was.

    place: in the base's speakers. options: of its last RA, and items: of what it holds, each with its place there.
    """

    place: int
    heard_at: Instant
    because: Seq
    queued: Instant
    options: list[tuple[int, NdOption]]
    items: list[tuple[int, Held]]


Differs = tuple[list[tuple[int, NdOption]], list[tuple[int, Held]]]
"""The options and items of a Told."""


class Packed(Image, frozen=True, omit_defaults=True):
    """A State with what is in many places once; or what of it is other than in the State packed whole as of `base`.

    Places of instances and groups go on from the base's. groups: instances of leases that PvDs have in common; where a
    lease belongs to many PvDs of a link, they all have the same instance of its client. instances: for each of `pvds`,
    its group (-1: none), and its own instances. owners: of grants, each list once; owned: for each of `grants`.
    heard: place in the base's speakers, and heard_at, because, queued of its one origin. renewed: place in the base's
    grants, and heard_at, started_at, because, queued, by. gone: by map, the keys that it has no longer. told: routers
    that said other words of the same shape.
    """

    base: Seq = 0
    groups: list[list[int]] = []
    instances: list[tuple[int, list[int]]] = []
    owners: list[tuple[PvdId, ...]] = []
    owned: list[int] = []
    heard: list[tuple[int, Instant, Seq, Instant]] = []
    renewed: list[tuple[int, Instant, Instant, Seq, Instant, str]] = []
    gone: list[tuple[str, list[Key]]] = []
    told: list[Told] = []


class Snapshot(msgspec.Struct, frozen=True):
    """What `decode` tells from an Image, and programs before it from a State."""

    packed: Packed


def _listed(value: object) -> object:
    """The maps within a State's structs, as sorted lists."""
    if isinstance(value, Map):
        return sorted(value.items())
    raise NotImplementedError(type(value))


def _mapped(shape: type, value: Any) -> object:
    """Their way back. The only one there is holds a PvD's instances."""
    return Map(msgspec.convert(value, list[tuple[Cell, Instance]])) if value else _NONE


_NONE: Final[Map[Cell, Instance]] = Map()
_encoder: Final = msgspec.json.Encoder(order="deterministic", enc_hook=_listed)
_decoder: Final = msgspec.json.Decoder(Image, dec_hook=_mapped)
_packer: Final = msgspec.msgpack.Encoder(enc_hook=_listed)
_unpacker: Final = msgspec.msgpack.Decoder(Snapshot, dec_hook=_mapped)
_PACKED: Final = b"\x81\xa6packed"
_text_packer: Final = msgspec.json.Encoder(enc_hook=_listed)
_text_unpacker: Final = msgspec.json.Decoder(Snapshot, dec_hook=_mapped)
_PACKED_TEXT: Final = b'{"packed":'


def _image(state: State) -> Image:
    lists = _lists(state)
    speakers, grants = lists["speakers"], lists["grants"]
    lists["speakers"] = [(key, tuple([replace(one, queued=NEVER) for one in said])) for key, said in speakers]
    lists["grants"] = [(key, replace(one, queued=NEVER)) for key, one in grants]
    return Image(
        seq=state.seq,
        now=state.now,
        policy=state.policy,
        boot=state.boot,
        properties=state.properties,
        checkpoint=state.intent.checkpoint,
        **lists,
    )


def encode(state: State) -> bytes:
    """A State as bytes; the same State is always the same bytes."""
    return _encoder.encode(_image(state))


def _maps(state: State) -> dict[str, Map[Any, Any]]:
    """The maps of a State, by their names in an Image."""
    return {
        "links": state.links,
        "speakers": state.speakers,
        "grants": state.grants,
        "pvds": state.pvds,
        "inquiries": state.inquiries,
        "networks": state.networks,
        "settings": state.settings,
        "connections": state.connections,
        "visits": state.visits,
        "findings": state.findings,
        "rejected": state.rejected,
        "identifiers": state.host.identifiers,
        "sighted": state.host.sighted,
        "neighbors": state.host.neighbors,
        "detours": state.host.detours,
        "off": state.host.off,
        "believed": state.believed,
        "known": state.intent.known,
        "refused": state.intent.refused,
        "blocked": state.intent.blocked,
        "reached": state.intent.reached,
        "vpns": state.vpns,
    }


def _lists(state: State) -> dict[str, list[Any]]:
    """The same, sorted by their keys: no two are one."""
    return {name: sorted(one.items()) for name, one in _maps(state).items()}


class _Common:
    """What stands in many places of States, each once. below: places go on from there."""

    def __init__(self, below: "_Common | None" = None) -> None:
        self.below = below
        self.shared: list[tuple[Cell, Instance]] = []
        self.groups: list[list[int]] = []
        self.owners: list[tuple[PvdId, ...]] = []
        self._shared_from = below.shared_end if below else 0
        self._groups_from = below.groups_end if below else 0
        self._owners_from = below.owners_end if below else 0
        self._places: dict[int, int] = below._places.copy() if below else {}  # by id(instance)
        self._kept: list[Instance] = []  # so that no other gets its id
        self._own: set[int] = below._own.copy() if below else set()  # of no client
        self._cells: dict[PvdId, tuple[Map[Cell, Instance], tuple[int, list[int]]]] = (
            below._cells.copy() if below else {}
        )
        self._alike: dict[tuple[Cell, Instant, int], int] = {}
        self._group_places: dict[frozenset[int], int] = {}
        self._owner_places: dict[tuple[PvdId, ...], int] = {}

    @property
    def shared_end(self) -> int:
        return self._shared_from + len(self.shared)

    @property
    def groups_end(self) -> int:
        return self._groups_from + len(self.groups)

    @property
    def owners_end(self) -> int:
        return self._owners_from + len(self.owners)

    def cells(self, pvd: Pvd) -> tuple[int, list[int]]:
        """The group of a PvD's leases, and its own instances."""
        known = self._cells.get(pvd.id)
        if known is None or known[0] is not pvd.cells:
            known = self._cells[pvd.id] = pvd.cells, self._sorted_out(pvd)
        return known[1]

    def _sorted_out(self, pvd: Pvd) -> tuple[int, list[int]]:
        found: list[Any] = list(map(self._places.get, map(id, pvd.cells.values())))
        places = set(found)
        if None in places:
            places.discard(None)
            new = [cell for cell, place in zip(pvd.cells.items(), found, strict=True) if place is None]
            new.sort()  # not in the order of the map, which is another each time
            places.update([self._place(cell, one) for cell, one in new])
        own = self._own & places
        return self._group(frozenset(places - own)), sorted(own)

    def _place(self, cell: Cell, one: Instance) -> int:
        self._kept.append(one)
        alike = self._alike.get((cell, one.since, one.version))
        if alike is not None and self.shared[alike - self._shared_from][1] == one:
            self._places[id(one)] = alike
            return alike
        place = self._places[id(one)] = self._alike[cell, one.since, one.version] = self.shared_end
        self.shared.append((cell, one))
        if not cell[2]:
            self._own.add(place)
        return place

    def _group(self, leases: frozenset[int]) -> int:
        if not leases:
            return -1
        place = self._group_places.get(leases)
        if place is None and self.below is not None:
            place = self.below._group_places.get(leases)
        if place is None:
            place = self._group_places[leases] = self.groups_end
            self.groups.append(sorted(leases))
        return place

    def owned(self, owners: tuple[PvdId, ...]) -> int:
        """The place of a grant's owners."""
        place = self._owner_places.get(owners)
        if place is None and self.below is not None:
            place = self.below._owner_places.get(owners)
        if place is None:
            place = self._owner_places[owners] = self.owners_end
            self.owners.append(owners)
        return place


_IN_NUMBERS: Final = ("speakers", "grants")  # maps of which mostly numbers change, which are told apart


class _Known(msgspec.Struct, eq=False, gc=False):
    """What stands in a base, at `place`; what it has become by the last time, and how that is told, found once."""

    place: int
    one: Any
    last: Any = None
    how: Any = None

    def told(self, now: Any, how: Callable[[Any, Any], Any]) -> Any:
        """How it is told what it has become now; `None`: as a whole."""
        if now is not self.last:
            self.last, self.how = now, how(self.one, now)
        return self.how


class Packer:
    """Packs one State after the other: whole, or as what is other than in the last that was packed whole."""

    def __init__(self) -> None:
        self._base: State | None = None
        self._maps: dict[str, Map[Any, Any]] = {}
        self._common = _Common()  # what all have in common that are told from the base
        self._speakers: dict[Speaker, _Known] = {}
        self._grants: dict[tuple[LinkId, HostId, str, str], _Known] = {}

    def whole(self, state: State) -> bytes:
        """All of it. The next ones are `changed` from here."""
        common = _Common()
        self._base, self._maps, lists = state, _maps(state), _lists(state)
        self._speakers = {key: _Known(place, said) for place, (key, said) in enumerate(lists["speakers"])}
        self._grants = {key: _Known(place, one) for place, (key, one) in enumerate(lists["grants"])}
        made = _packed(state, lists, common)
        self._common = _Common(common)
        return made

    def changed(self, state: State, refreshes: Mapping[Speaker, Refresh] = MappingProxyType({})) -> bytes:
        """What is other than in the last one that was packed whole: for whoever has that, too. refreshes: what routers
        of one origin each said since, which the State does not know of."""
        base = self._base
        assert base is not None
        lists: dict[str, list[tuple[Any, Any]]] = {}
        gone: list[tuple[str, list[Key]]] = []
        for name, now in _maps(state).items():
            before = self._maps[name]
            if now is before:
                lists[name] = []
                continue
            if name not in _IN_NUMBERS:
                lists[name] = sorted((key, one) for key, one in now.items() if before.get(key) is not one)
            lost = [key for key in before if key not in now]
            if lost:
                gone.append((name, sorted(lost)))
        heard, told, lists["speakers"] = self._heard(state, refreshes)
        renewed, lists["grants"] = self._renewed(state)
        return _packed(state, lists, self._common, base=base.seq, heard=heard, told=told, renewed=renewed, gone=gone)

    def _heard(
        self, state: State, refreshes: Mapping[Speaker, Refresh]
    ) -> tuple[list[tuple[int, Instant, Seq, Instant]], list[Told], list[tuple[Any, Any]]]:
        """What routers said: those that said the same, in numbers; those that said it otherwise; and the others."""
        numbers, told, others = [], [], []
        for key, origins in state.speakers.items():
            known, fresh = self._speakers.get(key), refreshes.get(key)
            if known is not None and fresh is None and origins is known.one:
                continue
            differs = known.told(origins, _differs) if known is not None else None
            if known is None or differs is None:
                others.append((key, origins if fresh is None else refreshed(origins, *fresh)))
                continue
            (one,) = origins
            heard_at, because = fresh or (one.heard_at, one.because)
            if any(differs):
                told.append(Told(known.place, heard_at, because, one.queued, *differs))
            else:
                numbers.append((known.place, heard_at, because, one.queued))
        numbers.sort()
        told.sort(key=attrgetter("place"))
        others.sort()
        return numbers, told, others

    def _renewed(self, state: State) -> tuple[list[Any], list[tuple[Any, Any]]]:
        """The leases that were only renewed, in numbers, and the others."""
        numbers, others = [], []
        for key, one in state.grants.items():
            known = self._grants.get(key)
            if known is not None and one is known.one:
                continue
            if known is not None and known.told(one, _only_renewed):
                numbers.append((known.place, one.heard_at, one.started_at, one.because, one.queued, one.by))
            else:
                others.append((key, one))
        numbers.sort()
        others.sort()
        return numbers, others


def _differs(base: tuple[Origin, ...], said: tuple[Origin, ...]) -> Differs | None:
    """What of a router's one origin is other than it was; `None` if that is more than a Told can say."""
    if len(base) != 1 or len(said) != 1:
        return None
    (old,), (one,) = base, said
    if _beyond_words(old) != _beyond_words(one) or _beyond_options(old.event) != _beyond_options(one.event):
        return None
    before, after = old.event.options, one.event.options
    if len(before) != len(after) or len(old.held) != len(one.held):
        return None
    return _others(before, after), _others(old.held, one.held)


_beyond_words, _beyond_options, _beyond_renewals = (  # what each says but for these
    attrgetter(*(name for name in shape.__struct_fields__ if name not in told))
    for shape, told in (
        (Origin, ("event", "heard_at", "because", "queued", "held")),
        (RouterAdvertised, ("options",)),
        (Grant, ("heard_at", "started_at", "because", "queued", "by")),
    )
)


def _only_renewed(old: Grant, one: Grant) -> bool:
    """Whether numbers say all that is other in a lease."""
    return bool(_beyond_renewals(old) == _beyond_renewals(one))


def _others(before: tuple[Any, ...], after: tuple[Any, ...]) -> list[tuple[int, Any]]:
    """Those that are others than before, with their places."""
    if before is after:
        return []
    pairs = enumerate(zip(before, after, strict=True))
    return [(place, now) for place, (was, now) in pairs if was is not now and was != now]


def _tell(old: Origin, said: Told) -> Origin:
    """The origin that was told from an old one."""
    event, held = old.event, old.held
    if said.options:
        event = replace(event, options=_with(event.options, said.options))
    if said.items:
        held = _with(held, said.items)
    return replace(old, event=event, held=held, heard_at=said.heard_at, because=said.because, queued=said.queued)


def _with(before: tuple[Any, ...], others: list[tuple[int, Any]]) -> tuple[Any, ...]:
    kept = list(before)
    for place, one in others:
        kept[place] = one
    return tuple(kept)


def _renew(old: Grant, moved: tuple[Instant, Instant, Seq, Instant, str]) -> Grant:
    heard_at, started_at, because, queued, by = moved
    return replace(old, heard_at=heard_at, started_at=started_at, because=because, queued=queued, by=by)


def _packed(state: State, lists: dict[str, Any], common: _Common, **more: Any) -> bytes:
    instances = [common.cells(pvd) for _, pvd in lists["pvds"]]
    lists["pvds"] = [(name, replace(pvd, cells=_NONE)) for name, pvd in lists["pvds"]]
    owned = [common.owned(one.owners) for _, one in lists["grants"]]
    lists["grants"] = [(key, replace(one, owners=())) for key, one in lists["grants"]]
    packed = Packed(
        seq=state.seq,
        now=state.now,
        policy=state.policy,
        boot=state.boot,
        properties=state.properties,
        checkpoint=state.intent.checkpoint,
        shared=common.shared,
        groups=common.groups,
        instances=instances,
        owners=common.owners,
        owned=owned,
        **lists,
        **more,
    )
    try:
        return _packer.encode(Snapshot(packed))
    except OverflowError:  # somewhere stands a number of more than 64 bits: nothing forbids an operator's
        return _text_packer.encode(Snapshot(packed))


def pack(state: State) -> bytes:
    """A State in fewer bytes than `encode` makes of it, for `decode` alone."""
    return Packer().whole(state)


def digest(state: State) -> str:
    """BLAKE2b-128 of a State's bytes, in hexadecimal."""
    return digest_of(encode(state))


def digest_of(encoded: bytes) -> str:
    """The same, of a State that is bytes already."""
    return blake2b(encoded, digest_size=16).hexdigest()


def decode(data: Kept, base: Callable[[Seq], Kept | None] = lambda seq: None) -> State:
    """The State back from its bytes. base: where to find the whole one that a changed one is told from.

    Raises msgspec.DecodeError if they are no snapshot of this program, or that one is not there.
    """
    if not isinstance(data, bytes):
        return data()
    packed = _read(data)
    if packed is None:
        return _state(_unshared(_decoder.decode(data)))
    if not packed.base:
        return _state(_unpacked(packed), queued=True)
    under = base(packed.base)
    whole = _read(under) if isinstance(under, bytes) else None
    if whole is None or whole.seq != packed.base or whole.base:
        raise msgspec.DecodeError(f"the whole snapshot of record {packed.base} is not there")
    return _state(_laid_over(whole, packed), queued=True)


def _read(data: bytes) -> Packed | None:
    """What a Packer made, as text once; `None` if it is something else."""
    if data.startswith(_PACKED):
        return _unpacker.decode(data).packed
    return _text_unpacker.decode(data).packed if data.startswith(_PACKED_TEXT) else None


def _unshared(image: Image) -> Image:
    """What an earlier program packed."""
    if not image.cells:
        return image
    shared = image.shared
    pvds = [
        (name, replace(pvd, cells=Map([shared[place] for place in mine])) if mine else pvd)
        for (name, pvd), mine in zip(image.pvds, image.cells, strict=True)
    ]
    return replace(image, pvds=pvds)


def _unpacked(packed: Packed) -> Packed:
    """With each thing where it belongs."""
    shared, owners = packed.shared, packed.owners
    groups = {-1: _NONE}  # those that are left: what was a group once is told, too
    pvds = []
    for (name, pvd), (group, own) in zip(packed.pvds, packed.instances, strict=True):
        if group not in groups:
            groups[group] = Map([shared[place] for place in packed.groups[group]])
        cells = groups[group]
        for place in own:
            cells = cells.set(*shared[place])
        pvds.append((name, replace(pvd, cells=cells)))
    grants = [
        (key, replace(one, owners=owners[place])) for (key, one), place in zip(packed.grants, packed.owned, strict=True)
    ]
    return replace(packed, pvds=pvds, grants=grants)


def _laid_over(whole: Packed, changed: Packed) -> Packed:
    """What changed in place of what was."""
    for place, heard_at, because, queued in changed.heard:
        key, (origin,) = whole.speakers[place]
        whole.speakers[place] = key, (replace(origin, heard_at=heard_at, because=because, queued=queued),)
    for said in changed.told:
        key, (origin,) = whole.speakers[said.place]
        whole.speakers[said.place] = key, (_tell(origin, said),)
    for place, heard_at, started_at, because, queued, by in changed.renewed:
        subject, grant = whole.grants[place]
        whole.grants[place] = subject, _renew(grant, (heard_at, started_at, because, queued, by))
    lost = {name: set(keys) for name, keys in changed.gone}
    beside: dict[str, list[Any]] = {}
    for name, mark in (("pvds", "instances"), ("grants", "owned")):  # with what stands beside each of them
        before, other = (
            [
                (key, (value, marked))
                for (key, value), marked in zip(getattr(one, name), getattr(one, mark), strict=True)
            ]
            for one in (whole, changed)
        )
        kept = _merged(before, other, lost.get(name, set()))
        beside[name] = [(key, value) for key, (value, _) in kept]
        beside[mark] = [marked for _, (_, marked) in kept]
    lists = {name: _merged(getattr(whole, name), getattr(changed, name), lost.get(name, set())) for name in _LISTS}
    together = replace(
        changed,
        shared=whole.shared + changed.shared,
        groups=whole.groups + changed.groups,
        owners=whole.owners + changed.owners,
        **lists,
        **beside,
    )
    return _unpacked(together)


def _merged(before: list[Any], other: list[Any], lost: set[Key]) -> list[Any]:
    if not other and not lost:
        return before
    kept = dict(before)
    kept.update(other)
    for key in lost:
        del kept[key]
    return list(kept.items())


_LISTS: Final = tuple(name for name in _maps(State()) if name not in ("pvds", "grants"))


def _heap(entries: list[tuple[Instant, tuple[str, ...]]]) -> Heap:
    """One heap of many deadlines, in one go: each is above two later ones."""
    entries.sort()
    made: list[Heap] = [None] * (2 * len(entries) + 2)
    for place in range(len(entries) - 1, -1, -1):
        at, key = entries[place]
        left, right = made[2 * place + 1], made[2 * place + 2]
        made[place] = ((right[0] if right is not None else 0) + 1, at, key, left, right)
    return made[0]


def _state(image: Image, *, queued: bool = False) -> State:
    """queued: it says when the heap next asks for what; else that is found out."""
    entries: list[tuple[Instant, tuple[str, ...]]] = []
    speakers: dict[tuple[LinkId, str], tuple[Origin, ...]] = dict(image.speakers)
    grants: dict[tuple[LinkId, HostId, str, str], Grant] = dict(image.grants)
    if not queued:
        for key, origins in image.speakers:
            speakers[key] = tuple(
                replace(one, queued=min((until(one, held) for held in one.held), default=NEVER)) for one in origins
            )
        for place, grant in image.grants:
            ends = min((until(grant, held) for held in grant.held), default=NEVER)
            grants[place] = replace(grant, queued=ends)
    for origins in speakers.values():
        entries += [(one.queued, ("origin", one.link, one.speaker, one.pvd)) for one in origins if one.queued < NEVER]
    for place, grant in grants.items():
        if grant.queued < NEVER:
            entries.append((grant.queued, ("grant", *place)))
        if not grant.placed and grant.settles_at > image.now:
            entries.append((grant.settles_at, ("settle", *place)))
    for (pvd, link, epoch), one in image.inquiries:
        if one.held is not None and one.held.until < NEVER:
            entries.append((one.held.until, ("info", pvd, link, str(epoch))))
    for name, known in image.links:
        for host, client in known.clients:
            if client.waits_until:
                entries.append((client.waits_until, ("wait", name, host)))
    for id, connection in image.connections:
        if image.now < connection.waits_until < NEVER:
            entries.append((connection.waits_until, ("connection", id)))
    if image.checkpoint is not None and not image.checkpoint.due and image.checkpoint.until < NEVER:
        entries.append((image.checkpoint.until, ("checkpoint", image.checkpoint.id)))
    return State(
        seq=image.seq,
        now=image.now,
        policy=image.policy,
        links=Map(image.links),
        speakers=Map(speakers),
        grants=Map(grants),
        pvds=Map(image.pvds),
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
        deadlines=_heap(entries),
    )
