"""A State with something of every kind in it, as bytes and back: whole, packed, and told from an earlier one.

Law: nothing here happens to a network. Each map of a State has a dozen entries, each of which says which one it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy
from typing import Any

import msgspec
import pytest
from immutables import Map
from msgspec.structs import replace

from events.dhcp import Dhcp4MessageSeen
from events.ids import NEVER, SECOND, Instant
from events.link import AddressSeen
from events.operator import PropertyRule, Settings
from events.ops import NetnsAdd, User
from events.pvdinfo import AdditionalInformation
from events.router import RaHeader, RouterAdvertised
from events.vpn import VpnConnected
from pvdcore import deadlines
from pvdcore.domains.inquiry import Inquiry, Network, Object
from pvdcore.past import snapshot
from pvdcore.policy import DEFAULT
from pvdcore.profiles.intent import Checkpoint, Intent, Known, Reached, Refused
from pvdcore.state import (
    EMPTY,
    Ask,
    Client,
    Connection,
    Detour,
    Failing,
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
    Placement,
    Pvd,
    Rejected,
    Sighted,
    State,
    Visit,
    Vpn,
)
from tests.sim.build import dns, mtu, pio

NOW = 1_700_000_000 * SECOND
MANY = range(3, 15)  # as text they are in another order than as numbers


def pvd_id(number: int) -> str:
    return f"fqdn:x{number}.example."


def link_id(number: int) -> str:
    return f"e{number}"


def cell(number: int, host: str = "") -> tuple[str, int, str]:
    return link_id(number), 1, host


def instance(number: int, host: str = "", since: int = 0) -> Instance:
    where = Placement("netns", f"pvd-{number}", "pvd0", (Failing(NetnsAdd("n"), "EPERM", 2, NOW),), (User(7, "sh"),))
    content = (("mtu", "mtu", (1280 + number,)), ("route", "::/0", ("fe80::1", None, (1, True))))
    return Instance(link_id(number), 1, host, "placed", NOW + since, number, content, ("fe80::1",), (), where)


def pvd(number: int) -> Pvd:
    cells = Map({cell(number): instance(number), cell(number, "a"): instance(number, "a")})
    return Pvd(pvd_id(number), f"x{number}", "explicit", "ra", NOW, cells=cells, recent=(number,), uid="u")


def router(number: int) -> str:
    return f"fe80::{number}"


def origin(number: int, queued: Instant = NEVER) -> Origin:
    said = RouterAdvertised(link=link_id(number), router=router(number), header=RaHeader(1800))
    held = Held("prefix", f"2001:db8:{number}::/64", (True,), 1000 + number, number)
    id, header = pvd_id(number), said.header
    return Origin(id, link_id(number), 1, router(number), said, header, NOW, number, number, (held,), queued=queued)


def grant(number: int, queued: Instant = NEVER) -> Grant:
    held = Held("lease", "dhcp4", ("dhcp4", "192.0.2.1"), 2000 + number, number)
    said = Grant("dhcp4", link_id(number), 1, "h", "", "192.0.2.1", NOW, NOW, number, number, (held,), queued=queued)
    return replace(said, owners=(pvd_id(number), "fqdn:other."), placed=pvd_id(number))


def question(number: int) -> Ask:
    said = Dhcp4MessageSeen(link=link_id(number), message="REQUEST", xid=number, chaddr="02:00:00:00:00:01")
    return Ask(said, NOW, number, "h")


def link(number: int) -> Link:
    asks, clients = ((f"4 {number}", question(number)),), (("h", Client(declined_at=number)),)
    return Link(link_id(number), "id", "wired", NOW, speakers=(router(number),), asks=asks, clients=clients)


def information(number: int, until: Instant = NEVER) -> Inquiry:
    said = AdditionalInformation(f"x{number}.example.", NOW, ("2001:db8::/32",))
    return Inquiry(True, number, 0, held=Object(said, "{}", f"digest {number}", NOW, until, number))


def reached(number: int) -> tuple[Reached, ...]:
    return (Reached(pvd_id(number), link_id(number), 1, number, number, NOW, NOW),)


def identifier(number: int) -> tuple[Identifier, ...]:
    return (Identifier(f"2001:db8:{number}::/64", "stable", f"2001:db8:{number}::1", 1, NOW, number),)


def connection(number: int, waits_until: Instant = NEVER) -> Connection:
    return Connection(str(number), "home", link_id(number), "operator", NOW, number, waits_until=waits_until)


KINDS: dict[str, Callable[[int], tuple[Any, Any]]] = {
    "links": lambda n: (link_id(n), link(n)),
    "speakers": lambda n: ((link_id(n), router(n)), (origin(n),)),
    "grants": lambda n: ((link_id(n), "h", "dhcp4", ""), grant(n)),
    "pvds": lambda n: (pvd_id(n), pvd(n)),
    "inquiries": lambda n: ((pvd_id(n), link_id(n), 1), information(n)),
    "networks": lambda n: ((link_id(n), n), Network(n, (NOW,))),
    "settings": lambda n: (f"home{n}", Settings(f"home{n}", "toml", values={"ipv4.method": "auto", "n": n})),
    "connections": lambda n: (str(n), connection(n)),
    "vpns": lambda n: (f"v{n}", Vpn(VpnConnected(vpn=f"v{n}", client="openvpn", device="tun0"), NOW, n)),
    "visits": lambda n: ((link_id(n), n), Visit(link_id(n), n, NOW, NOW + n, (("ssid", str(n)),))),
    "findings": lambda n: (("code", link_id(n), ""), Finding("code", f"text {n}", None, link_id(n), n)),
    "rejected": lambda n: (f"rule-{n}", Rejected(f"rule-{n}", n, n)),
    "believed": lambda n: (("address", link_id(n)), AddressSeen(link=link_id(n), address=f"192.0.2.{n}/24")),
    "host.identifiers": lambda n: ((link_id(n), f"2001:db8:{n}::/64"), identifier(n)),
    "host.sighted": lambda n: ((link_id(n), "a"), Sighted(64, n, "ours", NOW, NEVER, n)),
    "host.neighbors": lambda n: ((link_id(n), "b"), Neighbor("stale", f"02:{n:02}", True, NOW, n)),
    "host.detours": lambda n: ((link_id(n), "", "c"), Detour(pvd_id(n), router(n), "", "c", "fe80::9", n)),
    "host.off": lambda n: (link_id(n), n),
    "intent.known": lambda n: (f"home{n}", Known(n, n, NOW)),
    "intent.refused": lambda n: (f"file{n}", Refused(f"file{n}:1", "toml", "rule", "text", n)),
    "intent.blocked": lambda n: ((f"home{n}", link_id(n)), n),
    "intent.reached": lambda n: (f"home{n}", reached(n)),
}


def mapping(state: State, kind: str) -> Any:
    for word in kind.split("."):
        state = getattr(state, word)
    return state


def put(state: State, kind: str, value: Any) -> State:
    room, _, name = kind.rpartition(".")
    return replace(state, **{room: replace(getattr(state, room), **{name: value})} if room else {name: value})


def full(seq: int = 99) -> State:
    """Something of everything."""
    checkpoint = Checkpoint("before", 5, NOW, NEVER)
    state = State(
        seq,
        NOW,
        replace(DEFAULT, values={**DEFAULT.values, "lookup": "several"}, projections=(("e*", "netns"),)),
        boot="this boot",
        properties=(PropertyRule({"free": True}, pvd="x*"),),
        intent=Intent(checkpoint=checkpoint),
        host=Host(),
    )
    for kind, make in KINDS.items():
        state = put(state, kind, Map([make(number) for number in MANY]))
    return state


TOLD = [name for name in State.__struct_fields__ if name not in ("deadlines", "changes")]


def same(one: State, other: State) -> None:
    for name in TOLD:
        assert getattr(one, name) == getattr(other, name), name


def test_the_maps_of_a_state_are_all_here() -> None:
    rooms = {"": State, "host.": Host, "intent.": Intent}
    maps = {
        f"{room}{one.name}" for room, of in rooms.items() for one in msgspec.structs.fields(of) if one.default == Map()
    }
    assert maps == {*KINDS}


def asked_anew(state: State) -> State:
    """As `encode` has it: when the heap next asks is found out."""
    speakers = state.speakers
    for key, (one,) in state.speakers.items():
        speakers = speakers.set(key, (replace(one, queued=NOW + (1000 + one.since) * SECOND),))
    grants = {key: replace(one, queued=NOW + (2000 + one.since) * SECOND) for key, one in state.grants.items()}
    return replace(state, speakers=speakers, grants=Map(grants))


def test_what_is_written_is_read() -> None:
    state = full()
    same(snapshot.decode(snapshot.pack(state)), state)
    same(snapshot.decode(snapshot.encode(state)), asked_anew(state))
    empty = snapshot.decode(snapshot.encode(EMPTY))
    same(empty, EMPTY)
    same(snapshot.decode(snapshot.pack(EMPTY)), EMPTY)
    assert empty.deadlines is None and empty.changes == ()


def test_equal_states_are_equal_bytes_in_order() -> None:
    """A map has another order in each process."""
    image = json.loads(snapshot.encode(full()))
    lists = [one for one in image.values() if isinstance(one, list) and len(one) == len(MANY)]
    assert len(lists) == len(KINDS)
    for one in lists:
        assert [entry[0] for entry in one] == sorted(entry[0] for entry in one)
    state = full()
    queued = {key: tuple(replace(one, queued=NOW) for one in origins) for key, origins in state.speakers.items()}
    grants = {key: replace(one, queued=NOW + 1) for key, one in state.grants.items()}
    looked_after = replace(state, speakers=Map(queued), grants=Map(grants), deadlines=(1, NOW, ("x",), None, None))
    assert snapshot.encode(looked_after) == snapshot.encode(state), "how it is looked after is not what is true"
    assert snapshot.digest(looked_after) == snapshot.digest(state) == snapshot.digest_of(snapshot.encode(state))
    assert snapshot.digest(state) != snapshot.digest(full(98)) and len(snapshot.digest(state)) == 32


def test_what_holds_nothing_ends_never() -> None:
    """A router that says nothing but that it is there, and a lease that was given up."""
    state = full()
    origins, grants = state.speakers[link_id(7), router(7)], state.grants[link_id(7), "h", "dhcp4", ""]
    empty = replace(
        state,
        speakers=Map({(link_id(7), router(7)): (replace(origins[0], held=()),)}),
        grants=Map({(link_id(7), "h", "dhcp4", ""): replace(grants, held=())}),
    )
    for data in (snapshot.encode(empty), snapshot.pack(empty)):
        same(found := snapshot.decode(data), empty)
        assert deadlines.earliest(found.deadlines) == NEVER


@pytest.mark.parametrize("kind", KINDS)
def test_what_changed_is_told_from_the_whole_one(kind: str) -> None:
    """An entry is another, one is gone, and one is new: in one map at a time, and then as it was again."""
    before = full()
    packer = snapshot.Packer()
    whole = packer.whole(before)
    entries = dict(mapping(before, kind))
    (gone, _), (other, _), (new, value) = KINDS[kind](4), KINDS[kind](5), KINDS[kind](2)
    del entries[gone]
    entries[other] = KINDS[kind](6)[1]
    entries[new] = value
    now = replace(put(before, kind, Map(entries)), seq=120, now=NOW + 1, boot="another", properties=())
    changed = packer.changed(now)
    same(snapshot.decode(changed, {before.seq: whole}.get), now)
    assert len(changed) < len(whole) / 3
    same(snapshot.decode(packer.changed(before), {before.seq: whole}.get), before)
    same(snapshot.decode(packer.whole(now)), now)


def test_a_refresh_is_told_in_numbers() -> None:
    before = full()
    packer = snapshot.Packer()
    whole, quiet = packer.whole(before), len(packer.changed(before))
    moved = {"heard_at": NOW + 9, "because": 110, "queued": NOW + 10}
    key = (link_id(7), router(7))
    speakers = before.speakers.set(key, (replace(before.speakers[key][0], **moved),))
    mine = (link_id(7), "h", "dhcp4", "")
    renewed = replace(before.grants[mine], started_at=NOW + 8, by="renewing", **moved)
    now = replace(before, seq=110, speakers=speakers, grants=before.grants.set(mine, renewed))
    changed = packer.changed(now)
    same(snapshot.decode(changed, {before.seq: whole}.get), now)
    assert len(changed) < quiet + 200 and b"fe80::7" not in changed and b"192.0.2.1" not in changed
    for field, value in (("delay", 3), ("mac", "02:07")):  # what else is another is told with all the rest
        odd = speakers.set(key, (replace(speakers[key][0], **{field: value}),))
        same(snapshot.decode(packer.changed(replace(now, speakers=odd)), {99: whole}.get), replace(now, speakers=odd))
    said = speakers.set(key, (replace(speakers[key][0], event=replace(speakers[key][0].event, mac="02:08")),))
    same(snapshot.decode(packer.changed(replace(now, speakers=said)), {99: whole}.get), replace(now, speakers=said))
    two = speakers.set(key, (speakers[key][0], replace(origin(7), pvd="fqdn:y.")))
    same(snapshot.decode(packer.changed(replace(now, speakers=two)), {99: whole}.get), replace(now, speakers=two))


def told_from(before: State, now: State) -> bytes:
    packer = snapshot.Packer()
    packer.whole(before)
    return packer.changed(now)


SAYS = replace(origin(7).event, options=(pio("2001:db8:7::/64", 900), mtu(1400), dns("2001:db8::53", life=60)))
HOLDS = (Held("prefix", "2001:db8:7::/64", (True,), 900, 7), Held("dns", "2001:db8::53", (), 60, 7, 1))
TALKS = replace(origin(7), event=SAYS, held=HOLDS)
COUNTED_DOWN = replace(SAYS, options=(pio("2001:db8:7::/64", 899), *SAYS.options[1:]))
LESS = (replace(HOLDS[0], lifetime_s=899), HOLDS[1])

OTHER_WORDS: dict[str, tuple[Origin, bool]] = {
    "the same, read anew": (replace(TALKS, event=replace(SAYS)), True),
    "counted down, and all read anew": (
        replace(TALKS, event=replace(COUNTED_DOWN, options=tuple(map(copy, COUNTED_DOWN.options))), held=LESS),
        True,
    ),
    "counted down": (replace(TALKS, event=COUNTED_DOWN, held=LESS), True),
    "an option alone": (replace(TALKS, event=COUNTED_DOWN), True),
    "an item alone": (replace(TALKS, held=LESS), True),
    "the last option and the last item": (
        replace(
            TALKS,
            event=replace(SAYS, options=(*SAYS.options[:2], dns("2001:db8::54", life=60))),
            held=(HOLDS[0], replace(HOLDS[1], key="2001:db8::54")),
        ),
        True,
    ),
    "an option less": (replace(TALKS, event=replace(SAYS, options=SAYS.options[:2])), False),
    "an option more": (replace(TALKS, event=replace(SAYS, options=(*SAYS.options, mtu(9)))), False),
    "an item less": (replace(TALKS, held=HOLDS[:1]), False),
    "an item more": (replace(TALKS, held=(*HOLDS, HOLDS[0])), False),
    "another header": (replace(TALKS, event=replace(SAYS, header=RaHeader(9))), False),
    "another sequence": (replace(TALKS, sequence=4), False),
}


@pytest.mark.parametrize(("now", "shortly"), OTHER_WORDS.values(), ids=OTHER_WORDS)
def test_of_other_words_only_what_is_other_is_told(now: Origin, shortly: bool) -> None:
    key = (link_id(7), router(7))
    before = full()
    before = replace(before, speakers=before.speakers.set(key, (TALKS,)))
    packer = snapshot.Packer()
    whole = packer.whole(before)
    now = replace(now, heard_at=NOW + 9, because=110, queued=NOW + 10)
    state = replace(before, seq=110, speakers=before.speakers.set(key, (now,)))
    changed = packer.changed(state)
    same(snapshot.decode(changed, {99: whole}.get), state)
    assert not shortly or b"2001:db8::53" not in changed
    assert (router(7).encode() in changed) is not shortly
    assert (
        shortly is False
        or b"2001:db8:7::/64" not in changed
        or now.event.options[0] != SAYS.options[0]
        or now.held != HOLDS
    )
    others = replace(state, speakers=before.speakers.set(key, (now,)).set((link_id(3), router(3)), (now,)))
    same(snapshot.decode(packer.changed(others), {99: whole}.get), others)


@pytest.mark.parametrize("values", [{"n": 10**30}, {"n": -(2**64)}, {"n": 2**64 - 1}])
def test_a_number_may_be_of_more_than_64_bits(values: dict[str, Any]) -> None:
    """Nothing forbids it in a profile."""
    before = full()
    now = replace(before, seq=120, settings=before.settings.set("big", Settings("big", "toml", values=values)))
    same(snapshot.decode(snapshot.pack(now)), now)
    packer = snapshot.Packer()
    whole = packer.whole(before)
    same(snapshot.decode(packer.changed(now), {99: whole}.get), now)
    big = packer.whole(now)
    same(snapshot.decode(packer.changed(before), {120: big}.get), before)


@pytest.mark.parametrize(
    "under",
    [
        lambda seq: None,
        lambda seq: snapshot.pack(full(98)),  # of another record
        lambda seq: snapshot.encode(full()),  # in another form
        lambda seq: b"",
        lambda seq: told_from(full(98), full(99)),
    ],
    ids=["none", "of another record", "in another form", "empty", "not whole itself"],
)
def test_what_changed_alone_is_no_state(under: Callable[[int], bytes | None]) -> None:
    packer = snapshot.Packer()
    packer.whole(full())
    changed = packer.changed(full(120))
    with pytest.raises(msgspec.DecodeError, match="the whole snapshot of record 99 is not there"):
        snapshot.decode(changed, under)
    with pytest.raises(msgspec.DecodeError, match="record 99"):
        snapshot.decode(changed)
    with pytest.raises(msgspec.DecodeError, match="record 99"):
        snapshot.decode(changed, lambda seq: changed)


# --- What many have in common ----------------------------------------------------------------------------------------


def shared(hosts: int, pvds: int, since: int = 0) -> State:
    """PvDs of one link; all of them have the instances of all its DHCP clients, and one of their own."""
    leases = {cell(3, f"client{number}"): instance(3, f"client{number}", since) for number in range(hosts)}
    all_ = tuple(pvd_id(number) for number in range(pvds))
    made = {}
    for number in range(pvds):
        own = replace(instance(3), version=number)
        made[pvd_id(number)] = replace(pvd(number), cells=Map({**leases, cell(3): own}))
    grants = {(link_id(3), one[2], "dhcp4", ""): replace(grant(3), host=one[2], owners=all_) for one in leases}
    return State(seq=50, now=NOW, pvds=Map(made), grants=Map(grants))


def test_an_instance_of_many_pvds_is_written_once_and_so_are_the_owners_of_many_leases() -> None:
    state = shared(20, 30)
    packed = snapshot.pack(state)
    same(snapshot.decode(packed), state)
    assert packed.count(b"client7") < 5 and snapshot.encode(state).count(b"client7") > 30
    assert packed.count(b"fqdn:x9.example.") < 8
    found = snapshot.decode(packed)
    assert len({id(one.cells[cell(3, "client7")]) for one in found.pvds.values()}) == 1


def test_who_has_no_leases_has_none_of_those_that_others_have_in_common() -> None:
    state = shared(3, 4)
    for number, cells in ((0, {cell(3): instance(3)}), (2, {})):
        state = replace(state, pvds=state.pvds.set(pvd_id(number), replace(pvd(number), cells=Map(cells))))
    packer = snapshot.Packer()
    whole = packer.whole(state)
    same(snapshot.decode(whole), state)
    pvds = state.pvds.set(pvd_id(1), replace(pvd(1), cells=Map())).set(pvd_id(3), replace(pvd(3), uid="another"))
    now = replace(state, pvds=pvds)
    same(snapshot.decode(packer.changed(now), {50: whole}.get), now)


def test_what_is_had_in_common_is_told_from_the_whole_one_too() -> None:
    before = shared(20, 30)
    packer = snapshot.Packer()
    whole = packer.whole(before)
    new = instance(3, "late")
    pvds = {id: replace(one, cells=one.cells.set(cell(3, "late"), new)) for id, one in before.pvds.items()}
    late = replace(grant(3), host="late", owners=tuple(sorted(pvds)))
    now = replace(before, seq=60, pvds=Map(pvds), grants=before.grants.set((link_id(3), "late", "dhcp4", ""), late))
    changed = packer.changed(now)
    same(snapshot.decode(changed, {50: whole}.get), now)
    assert changed.count(b"late") < 8 and b"client7" not in changed
    apart = {id: replace(one, cells=one.cells.delete(cell(3, "client7"))) for id, one in list(pvds.items())[:3]}
    then = replace(now, pvds=now.pvds.update(apart))
    same(snapshot.decode(packer.changed(then), {50: whole}.get), then)


def test_what_the_whole_one_has_is_not_told_again() -> None:
    before = shared(20, 30)
    packer = snapshot.Packer()
    whole = packer.whole(before)
    key = (link_id(3), "client7", "dhcp4", "")
    pvds = before.pvds.set(pvd_id(4), replace(before.pvds[pvd_id(4)], uid="another"))
    same_ones = Map(dict(pvds[pvd_id(5)].cells.items()))  # in a map of its own
    pvds = pvds.set(pvd_id(5), replace(pvds[pvd_id(5)], cells=same_ones))
    moved = replace(before, pvds=pvds, grants=before.grants.set(key, replace(before.grants[key], mac="02:01")))
    changed = packer.changed(moved)
    same(snapshot.decode(changed, {50: whole}.get), moved)
    assert b"client9" not in changed and b"fqdn:x9.example." not in changed and len(raw(changed)["groups"]) == 0
    late = {id: replace(one, cells=one.cells.set(cell(3, "late"), instance(3, "late"))) for id, one in pvds.items()}
    now = replace(moved, pvds=Map(late))  # each has an object of its own
    changed = packer.changed(now)
    same(snapshot.decode(changed, {50: whole}.get), now)
    assert [one[0][2] for one in raw(changed)["shared"]] == ["late"] and len(raw(changed)["groups"]) == 1
    grants = {key: replace(one, owners=(pvd_id(1), pvd_id(2))) for key, one in list(before.grants.items())[:5]}
    now = replace(now, grants=before.grants.update(grants))
    changed = packer.changed(now)
    same(snapshot.decode(changed, {50: whole}.get), now)
    assert len(raw(changed)["owners"]) == 1


def raw(data: bytes) -> dict[str, Any]:
    """What stands in a packed State, with nothing where nothing is."""
    nothing = {"shared": [], "groups": [], "owners": [], "gone": []}
    found: dict[str, Any] = msgspec.msgpack.decode(data)["packed"]
    return {**nothing, **found}


def test_equal_states_are_equal_bytes_when_they_are_packed_too() -> None:
    """In every process: nothing stands in the order of a map."""
    packer = snapshot.Packer()
    packed = raw(packer.whole(full()))
    lists = [one for name, one in packed.items() if isinstance(one, list) and len(one) == len(MANY)]
    assert len(lists) >= len(KINDS)
    for name in {kind.rpartition(".")[2] for kind in KINDS}:
        assert [key for key, _ in packed[name]] == sorted(key for key, _ in packed[name])
    cells = [tuple(one[0]) for one in raw(snapshot.pack(shared(20, 1)))["shared"]]
    assert cells == sorted(cells) and len(cells) == 21
    changed = raw(packer.changed(State(seq=120, now=NOW)))
    assert len(changed["gone"]) == len(KINDS)
    for _, keys in changed["gone"]:
        assert keys == sorted(keys) and len(keys) == len(MANY)
    changed = raw(packer.changed(again(full())))
    for name in ("links", "pvds", "findings", "settings"):
        assert [key for key, _ in changed[name]] == sorted(key for key, _ in changed[name]) != []


def again(state: State) -> State:
    """The same of objects of its own."""
    for kind in KINDS:
        state = put(state, kind, Map([(key, copy(one)) for key, one in mapping(state, kind).items()]))
    return state


def test_an_instance_that_is_gone_lends_its_place_to_none() -> None:
    """Objects are known by where they are in memory; another may be there later."""
    before = shared(2, 2)
    packer = snapshot.Packer()
    whole = packer.whole(before)
    for number in range(60):
        now = replace(before, seq=100 + number)
        for name in (pvd_id(0), pvd_id(1)):  # equal instances, an object each
            cells = Map({cell(3): instance(3, since=number), cell(3, "c"): instance(3, "c", since=number)})
            now = replace(now, pvds=now.pvds.set(name, replace(pvd(3), cells=cells)))
        same(snapshot.decode(packer.changed(now), {50: whole}.get), now)


def test_instances_that_are_equal_and_not_the_same_are_told_apart_where_they_differ() -> None:
    state = shared(3, 4)
    id = pvd_id(2)
    own = state.pvds[id].cells
    equal = replace(own[cell(3, "client1")])
    other = replace(own[cell(3, "client2")], phase="lingering")
    cells = own.set(cell(3, "client1"), equal).set(cell(3, "client2"), other)
    now = replace(state, pvds=state.pvds.set(id, replace(state.pvds[id], cells=cells)))
    same(snapshot.decode(snapshot.pack(now)), now)
    packer = snapshot.Packer()
    whole = packer.whole(state)
    same(snapshot.decode(packer.changed(now), {50: whole}.get), now)


# --- What ends is rebuilt --------------------------------------------------------------------------------------------


def drained(heap: Heap) -> list[tuple[Instant, tuple[str, ...]]]:
    found = []
    while heap is not None:
        at, key, heap = deadlines.pop(heap)
        found.append((at, key))
    return found


def test_a_state_that_is_read_knows_what_ends_and_when() -> None:
    waiting = replace(link(3), clients=(("h", Client(waits_until=NOW + 50)), ("i", Client())))
    unplaced = replace(grant(6), placed="", settles_at=NOW + 8, queued=NOW + 600)
    state = replace(
        EMPTY,
        seq=9,
        now=NOW,
        links=Map({link_id(3): waiting, link_id(4): link(4)}),
        speakers=Map(
            {(link_id(n), router(n)): (origin(n, NOW + n * 100),) for n in (3, 4)} | {("e5", "r"): (origin(5),)}
        ),
        grants=Map(
            {
                ("e6", "h", "dhcp4", ""): unplaced,
                ("e7", "h", "dhcp4", ""): replace(grant(7), settles_at=NOW + 9),
                ("e8", "h", "dhcp4", ""): replace(grant(8, NOW + 801), placed="", settles_at=NOW),
            }
        ),
        inquiries=Map(
            {
                (pvd_id(3), "e3", 7): information(3, NOW + 30),
                (pvd_id(4), "e4", 1): information(4),
                (pvd_id(5), "e5", 1): Inquiry(True, 0, 0),
            }
        ),
        connections=Map(
            {
                "3": connection(3, NOW + 70),
                "4": connection(4),
                "5": connection(5, NOW),
                "6": connection(6, 0),
            }
        ),
        intent=Intent(checkpoint=Checkpoint("before", 5, NOW, NOW + 90)),
    )
    expected = [
        (NOW + 8, ("settle", "e6", "h", "dhcp4", "")),
        (NOW + 30, ("info", pvd_id(3), "e3", "7")),
        (NOW + 50, ("wait", "e3", "h")),
        (NOW + 70, ("connection", "3")),
        (NOW + 90, ("checkpoint", "before")),
        (NOW + 300, ("origin", "e3", router(3), pvd_id(3))),
        (NOW + 400, ("origin", "e4", router(4), pvd_id(4))),
        (NOW + 600, ("grant", "e6", "h", "dhcp4", "")),
        (NOW + 801, ("grant", "e8", "h", "dhcp4", "")),
    ]
    assert drained(snapshot.decode(snapshot.pack(state)).deadlines) == expected
    # without being told when the heap next asks, it is when the first item ends
    origins = [(NOW + (1000 + n) * SECOND, ("origin", link_id(n), router(n), pvd_id(n))) for n in (3, 4, 5)]
    grants = [(NOW + (2000 + n) * SECOND, ("grant", link_id(n), "h", "dhcp4", "")) for n in (6, 7, 8)]
    anew = drained(snapshot.decode(snapshot.encode(state)).deadlines)
    assert anew == [*expected[:5], *origins, *grants]
    for checkpoint in (Checkpoint("b", 5, NOW, NOW + 90, due=True), Checkpoint("b", 5, NOW, NEVER), None):
        found = snapshot.decode(snapshot.pack(replace(EMPTY, intent=Intent(checkpoint=checkpoint))))
        assert found.deadlines is None, "one that is due waits for whoever writes records"


def test_of_several_items_the_first_to_end_counts_and_none_that_never_does() -> None:
    held = tuple(Held("dns", str(life), (), life, 1) for life in (70, 50, None, 60))
    first, endless = replace(origin(3), held=held), replace(origin(4), held=(replace(held[2], key="x"),))
    lease, forever = replace(grant(3), held=held), replace(grant(4), held=(held[2],))
    state = replace(
        EMPTY,
        now=NOW,
        speakers=Map({("e3", "r"): (first,), ("e4", "r"): (endless,), ("e5", "r"): (replace(origin(5), held=()),)}),
        grants=Map({("e3", "h", "dhcp4", ""): lease, ("e4", "h", "dhcp4", ""): forever}),
    )
    found = snapshot.decode(snapshot.encode(state))
    assert drained(found.deadlines) == [
        (NOW + 50 * SECOND, ("grant", "e3", "h", "dhcp4", "")),
        (NOW + 50 * SECOND, ("origin", "e3", router(3), pvd_id(3))),
    ]
    assert [found.speakers[name, "r"][0].queued for name in ("e3", "e4", "e5")] == [NOW + 50 * SECOND, NEVER, NEVER]
    assert found.grants["e4", "h", "dhcp4", ""].queued == NEVER


def rank(heap: Heap) -> int:
    """How far a merge goes down, to the right; that each entry says so, and none is longer there than to the left."""
    if heap is None:
        return 0
    left, right = rank(heap[3]), rank(heap[4])
    assert heap[0] == right + 1 and left >= right
    return heap[0]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 100])
def test_the_heap_that_is_read_is_one_to_go_on_with(count: int) -> None:
    speakers = {("e0", str(n)): (replace(origin(n), queued=NOW + (n * 37) % 101),) for n in range(count)}
    found = snapshot.decode(snapshot.pack(replace(EMPTY, speakers=Map(speakers))))
    more = deadlines.push(found.deadlines, NOW + 50, ("x",))
    assert 2 ** rank(found.deadlines) <= count + 1 and 2 ** rank(more) <= count + 2
    assert [at for at, _ in drained(more)] == sorted([NOW + 50, *(NOW + (n * 37) % 101 for n in range(count))])


def test_what_came_before_packing_was_thought_of_is_read() -> None:
    """An image with the instances that PvDs share in a list beside them, and one without a field that came later."""
    state = shared(2, 3)
    plain = json.loads(snapshot.encode(state))
    plain["shared"], plain["cells"] = [], []
    for number, (_, one) in enumerate(plain["pvds"]):
        if number == 1:
            plain["cells"].append([])  # this one has its own beside it
            continue
        plain["cells"].append([len(plain["shared"]) + place for place in range(len(one["instances"]))])
        plain["shared"] += one["instances"]
        one["instances"] = []
    same(snapshot.decode(json.dumps(plain).encode()), replace(state, grants=asked_anew(state).grants))
    old = json.loads(snapshot.encode(full()))
    for name in ("vpns", "known", "off", "checkpoint"):
        del old[name]
    found = snapshot.decode(json.dumps(old).encode())
    assert found.vpns == found.intent.known == found.host.off == Map() and found.intent.checkpoint is None
    assert found.links == full().links
