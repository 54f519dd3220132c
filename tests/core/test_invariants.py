"""The invariants are what every other test leans on: each is broken here once, alone, and is told in its own sentence.

Law: a State is broken by hand, as no event can break it, and the sentence is compared whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from events.ids import NEVER
from events.operator import Settings
from events.vpn import VpnConnected
from pvdcore import deadlines
from pvdcore.checks.invariants import check
from pvdcore.domains.inquiry import Object, Wanted
from pvdcore.past.audit import holdings
from pvdcore.profiles.intent import Checkpoint, Known
from pvdcore.state import Ask, Client, Connection, Held, Placement, Pvd, State, Vpn
from tests.sim import build
from tests.sim.build import CLIENT, R1, R2, START, Story

IMPLICIT, EXPLICIT = "ra:e0/1/fe80::1", "fqdn:x.example."
SHARED, MINE = ("e0", 1, ""), ("e0", 1, CLIENT)
LEASE = ("e0", CLIENT, "dhcp4", "")
SAID = f"what fe80::1 says of {IMPLICIT} on e0"
GRANT = f"the grant dhcp4  of {CLIENT} on e0"
ROUTER = ("e0", R1)
LATER = START + 10**15
P = "2001:db8:1::/64"


def sound() -> State:
    """A router, a PvD whose information is wanted, a lease in its place, and two links."""
    story = Story().leases4().hear(build.ra(R1, build.mtu(1400), build.dns("2001:db8::53", life=600)))
    story.hear(build.ra(R2, build.pvd("x.example.", build.dns("2001:db8::54"), h=True)))
    return story.state


def test_a_state_as_events_make_it_is_sound() -> None:
    state = sound()
    assert check(state) == []
    assert {pvd for pvd, *_ in holdings(state)} >= {IMPLICIT, EXPLICIT}
    assert LEASE in state.grants and state.inquiries


def origin(state: State, **fields: Any) -> State:
    (one,) = state.speakers[ROUTER]
    return replace(state, speakers=state.speakers.set(ROUTER, (replace(one, **fields),)))


def held(state: State, **fields: Any) -> State:
    """The first item of the router's, otherwise."""
    (one,) = state.speakers[ROUTER]
    first, *others = one.held
    return origin(state, held=(replace(first, **fields), *others))


def grant(state: State, **fields: Any) -> State:
    return replace(state, grants=state.grants.set(LEASE, replace(state.grants[LEASE], **fields)))


def link(state: State, name: str = "e0", **fields: Any) -> State:
    return replace(state, links=state.links.set(name, replace(state.links[name], **fields)))


def pvd(state: State, id: str = IMPLICIT, **fields: Any) -> State:
    return replace(state, pvds=state.pvds.set(id, replace(state.pvds[id], **fields)))


def instance(state: State, **fields: Any) -> State:
    cells = state.pvds[IMPLICIT].cells
    return pvd(state, cells=cells.set(SHARED, replace(cells[SHARED], **fields)))


def inquiry(state: State, **fields: Any) -> State:
    (place, one), *_ = state.inquiries.items()
    return replace(state, inquiries=state.inquiries.set(place, replace(one, **fields)))


def connection(state: State, **fields: Any) -> State:
    plain = Connection("home", "home", "e0", "operator", START, 1, phase="active", epoch=1)
    return replace(state, connections=state.connections.set("home", replace(plain, **fields)))


def intent(state: State, **fields: Any) -> State:
    return replace(state, intent=replace(state.intent, **fields))


def queue(state: State, at: int, *key: str) -> State:
    return replace(state, deadlines=deadlines.push(state.deadlines, at, key))


def without_deadlines(state: State) -> State:
    return replace(state, deadlines=None)


def said(state: State) -> Held:
    return state.speakers[ROUTER][0].held[0]


OBJECT = Object(None, "", "", START, LATER, 1)  # type: ignore[arg-type]
WANTED = Wanted("new", START, 0, START, 1)
GONE = Pvd("fqdn:gone.example.", "gone.example.", "explicit", "ra", START, "gone", START, START, 1)


def gone(state: State, **fields: Any) -> State:
    one = replace(GONE, **fields)
    return replace(state, pvds=state.pvds.set(GONE.id, one))


BROKEN: list[tuple[str, Callable[[State], State]]] = [
    # contributions
    (
        "('e0', 'fe80::9') is listed as a speaker and says nothing",
        lambda s: replace(s, speakers=s.speakers.set(("e0", "fe80::9"), ())),
    ),
    (
        f"what fe80::8 says of {IMPLICIT} on e0 is filed under ('e0', 'fe80::1')",
        lambda s: origin(s, speaker="fe80::8"),
    ),
    (f"{SAID} contributes to no instance", lambda s: origin(s, epoch=2)),
    (f"{SAID} contributes to no instance", lambda s: instance(s, origins=())),
    (f"{GRANT.replace('4  of', '4 x of')} is filed under {LEASE}", lambda s: grant(s, subject="x")),
    (f"{GRANT} belongs to nobody", lambda s: grant(s, owners=())),
    (f"{GRANT} is placed in nowhere, which is not there", lambda s: grant(s, placed="nowhere")),
    (f"{GRANT} is owned by {EXPLICIT}, which does not have it", lambda s: grant(s, owners=(EXPLICIT,))),
    (f"{GRANT} is owned by fqdn:y., which does not have it", lambda s: grant(s, owners=("fqdn:y.",))),
    # what they hold
    (f"{SAID} holds nothing", lambda s: origin(s, held=())),
    (f"{GRANT} holds nothing", lambda s: grant(s, held=())),
    (f"{SAID} holds an item twice", lambda s: origin(s, held=(said(s), *s.speakers[ROUTER][0].held))),
    (f"dns 2001:db8::53 of {SAID} rests on record 99, of {{seq}}", lambda s: origin(s, because=99)),
    (f"dns 2001:db8::53 of {SAID} rests on record 0, of {{seq}}", lambda s: origin(s, because=0)),
    (f"router fe80::1 of {SAID} is held since record 0, because of {{because}}", lambda s: held(s, since=0)),
    (f"router fe80::1 of {SAID} is held since record 99, because of {{because}}", lambda s: held(s, since=99)),
    (f"router fe80::1 of {SAID} ended at {{now}}, and it is {{now}}", lambda s: held(s, lifetime_s=0)),
    (
        f"{SAID} has a soft lifetime beside items with their own",
        lambda s: origin(s, held=(said(s), replace(said(s), kind="life", key="life"))),
    ),
    *(
        (
            f"{kind} {P} of {SAID} stands beside no prefix, or beside one that says it",
            lambda s, beside=beside: origin(s, epoch=2, held=(*s.speakers[ROUTER][0].held, *beside)),  # of no instance
        )
        for kind, value in (("on_link", (True, False, False)), ("autonomous", (False, True, False)))
        for part in (Held(kind, P, value, None, 1),)
        for beside in ((part,), (part, Held("prefix", P, value, None, 1)))
    ),
    # links
    ("something was heard on e0, which is no link", lambda s: replace(s, links=s.links.delete("e0"))),
    ("link e0 lists the speakers ('fe80::1',)", lambda s: link(s, speakers=(R1,))),
    ("link e1 lists the speakers ('fe80::1',)", lambda s: link(s, "e1", speakers=(R1,))),
    ("link e0 lists the grants ()", lambda s: link(s, grants=())),
    ("link e0 lists the PvDs ()", lambda s: link(s, pvds=())),
    ("link e1 has epoch 0", lambda s: link(s, "e1", epoch=0)),
    *(
        (
            "link e1 is not attached, and still holds what was learned on it",
            lambda s, learned=learned: link(s, "e1", attached=False, **learned),
        )
        for learned in (
            {"speakers": (R1,)},
            {"grants": (LEASE[1:],)},
            {"asks": (("1", Ask(build.dhcp4("REQUEST"), START, 1, CLIENT)),)},
            {"clients": ((CLIENT, Client()),)},
        )
    ),
    # PvDs and their instances
    (
        f"{EXPLICIT} is filed under {IMPLICIT}",
        lambda s: replace(s, pvds=s.pvds.set(IMPLICIT, s.pvds[EXPLICIT])),
    ),
    (f"{IMPLICIT} is placed, its instances are announced", lambda s: pvd(s, phase="placed")),
    (f"{IMPLICIT} is gone with {{instances}} instances", lambda s: pvd(s, phase="gone")),
    (f"{IMPLICIT} ended at {START} with {{instances}} instances", lambda s: pvd(s, ended=START)),
    (f"{GONE.id} ended at None with 0 instances", lambda s: gone(s, ended=None)),
    (f"{GONE.id} ended without having had a version", lambda s: gone(s, versions=0)),
    (
        f"{GONE.id} was first seen at {START}, ended at {START - 1}, and it is {{now}}",
        lambda s: gone(s, ended=START - 1),
    ),
    (
        f"{GONE.id} was first seen at {START}, ended at {LATER}, and it is {{now}}",
        lambda s: gone(s, ended=LATER),
    ),
    (
        f"{IMPLICIT} was first seen at {LATER}, ended at None, and it is {{now}}",
        lambda s: pvd(s, first_seen=LATER),
    ),
    (f"the instance {SHARED} of {IMPLICIT} calls itself ('e0', 1, 'x')", lambda s: instance(s, host="x")),
    (f"the instance {SHARED} of {IMPLICIT} is 'gone'", lambda s: instance(s, phase="gone")),
    (f"the instance {SHARED} of {IMPLICIT} is 'wrong'", lambda s: instance(s, phase="wrong")),
    (f"the instance {SHARED} of {IMPLICIT} has version 0", lambda s: instance(s, version=0)),
    (f"the instance {SHARED} of {IMPLICIT} outlived its attachment", lambda s: link(s, epoch=2)),
    (f"the instance {SHARED} of {IMPLICIT} is placed nowhere", lambda s: instance(s, phase="placed")),
    (f"the instance {SHARED} of {IMPLICIT} is lingering nowhere", lambda s: instance(s, phase="lingering")),
    (
        f"the instance {SHARED} of {IMPLICIT} lives and nothing contributes to it",
        lambda s: instance(s, origins=(), content=()),
    ),
    (
        f"the instance {SHARED} of {IMPLICIT} names contributions that are not there",
        lambda s: instance(s, origins=(R1, "fe80::9")),
    ),
    (f"the instance {MINE} of {{owner}} has {GRANT}, which it does not own", lambda s: grant(s, owners=())),
    (
        f"the instance {SHARED} of {IMPLICIT} has another content than its contributions",
        lambda s: instance(s, content=()),
    ),
    # Additional Information
    (f"the information of {EXPLICIT} on e0 outlived its attachment", lambda s: link(s, epoch=2)),
    (f"the information of {EXPLICIT} on e0 outlived its attachment", lambda s: link(s, attached=False)),
    (
        f"information of {EXPLICIT} on e0 is held or wanted, which has none",
        lambda s: inquiry(s, http=False, wanted=WANTED),
    ),
    (
        f"information of {EXPLICIT} on e0 is held or wanted, which has none",
        lambda s: replace(inquiry(s, wanted=WANTED), pvds=s.pvds.delete(EXPLICIT)),
    ),
    (f"information of {EXPLICIT} on e0 is wanted and barred", lambda s: inquiry(s, wanted=WANTED, barred="failures")),
    # intent
    ("connection home is 'wrong'", lambda s: connection(s, phase="wrong")),
    ("connection home is ''", lambda s: connection(s, phase="")),
    ("connection home is closed and was closed at None", lambda s: connection(s, phase="closed")),
    (f"connection home is active and was closed at {START}", lambda s: connection(s, closed_at=START)),
    (
        "connection home names ('fqdn:y.',), its link has {there}",
        lambda s: connection(s, pvds=("fqdn:y.",)),
    ),
    ("connection home names ('fqdn:y.',), its link has ()", lambda s: connection(s, link="e9", pvds=("fqdn:y.",))),
    ("connection home gave its place to fqdn:y., which is not there", lambda s: connection(s, adopter="fqdn:y.")),
    (
        f"connection home gave its place to {EXPLICIT}, which is not there",
        lambda s: connection(s, adopter=EXPLICIT, epoch=2),
    ),
    (
        f"connection home gave its place to {EXPLICIT}, which is not there",
        lambda s: connection(s, adopter=EXPLICIT, link="e1"),
    ),
    ("static:home is configured on e0 without a connection", lambda s: static(s)),
    ("static:home is configured on e0 without a connection", lambda s: connection(static(s), link="e1")),
    (
        "static:home is configured on e0 without a connection",
        lambda s: connection(static(s), phase="closed", closed_at=START),
    ),
    (
        "vpn:work is up on tun0 without its data, or the other way about",
        lambda s: replace(s, vpns=s.vpns.set("work", Vpn(VpnConnected("work", "openvpn", "tun0"), START, 1, "tun0"))),
    ),
    (
        "profile home is known without a record, or the other way about",
        lambda s: replace(s, settings=s.settings.set("home", Settings("home", "toml"))),
    ),
    (
        "profile home is known without a record, or the other way about",
        lambda s: intent(s, known=s.intent.known.set("home", Known(1, 1, START))),
    ),
    # time
    ("the deadline {now} of ('origin', 'e0') has passed, and it is {now}", lambda s: queue(s, s.now, "origin", "e0")),
    (f"{SAID} ends at {{ends}} and is asked only at {{after}}", lambda s: late(s)),
    (f"{SAID} is to be asked at {{queued}}, but no deadline says so", without_deadlines),
    (f"{GRANT} is to be asked at {{lease}}, but no deadline says so", without_deadlines),
    (
        f"{GRANT} is to be placed at {{settles}}, but no deadline says so",
        lambda s: without_deadlines(grant(s, placed="")),
    ),
    (f"connection home waits until {LATER}, but no deadline says so", lambda s: connection(s, waits_until=LATER)),
    ("connection home waits until 1, but no deadline says so", lambda s: connection(s, waits_until=1)),
    (
        f"checkpoint one ends at {LATER}, but no deadline says so",
        lambda s: intent(s, checkpoint=Checkpoint("one", 1, START, LATER)),
    ),
    (
        f"{CLIENT} on e0 waits until {LATER}, but no deadline says so",
        lambda s: link(s, clients=((CLIENT, Client(waits_until=LATER)),)),
    ),
]


def static(state: State) -> State:
    one = replace(state.grants[LEASE], rule="static", host="", subject="static:home")
    return replace(state, grants=state.grants.set(("e0", "", "static", "static:home"), one))


def late(state: State) -> State:
    (one,) = state.speakers[ROUTER]
    return queue(origin(state, queued=one.queued + 1), one.queued + 1, "origin", "e0", R1, IMPLICIT)


@pytest.mark.parametrize(("sentence", "breaks"), BROKEN, ids=[one.partition(", ")[0] for one, _ in BROKEN])
def test_each_invariant_that_does_not_hold_is_told(sentence: str, breaks: Callable[[State], State]) -> None:
    state = sound()
    (one,) = state.speakers[ROUTER]
    expected = sentence.format(
        seq=state.seq,
        now=state.now,
        because=one.because,
        instances=len(state.pvds[IMPLICIT].instances),
        there=state.links["e0"].pvds,
        owner=state.grants[LEASE].owners[0],
        ends=one.queued,
        after=one.queued + 1,
        queued=one.queued,
        lease=state.grants[LEASE].queued,
        settles=state.grants[LEASE].settles_at,
    )
    assert expected in check(breaks(state))


SOUND: list[Callable[[State], State]] = [
    lambda s: grant(s, placed=""),  # its deadline has not come yet
    lambda s: grant(s, placed=EXPLICIT),  # a router of the link speaks of it
    lambda s: link(s, "e1", attached=False, epoch=0),
    lambda s: gone(s),
    lambda s: gone(s, ended=s.now),
    lambda s: instance(s, phase="announced", placement=Placement("netns", "pvd1", "e0")),
    lambda s: pvd(instance(s, phase="placed", placement=Placement("netns", "pvd1", "e0")), phase="placed"),
    lambda s: inquiry(s, wanted=None, barred="failures"),
    lambda s: connection(s, pvds=s.links["e0"].pvds[:1]),
    lambda s: connection(s, phase="closed", closed_at=START, pvds=("fqdn:y.",)),
    lambda s: connection(s, adopter=EXPLICIT),
    lambda s: connection(s, waits_until=0),
    lambda s: queue(connection(s, waits_until=LATER), LATER, "connection", "home"),
    lambda s: intent(s, checkpoint=Checkpoint("one", 1, START, START - 1, due=True)),
    lambda s: queue(intent(s, checkpoint=Checkpoint("one", 1, START, LATER)), LATER, "checkpoint", "one"),
    lambda s: queue(link(s, clients=((CLIENT, Client(waits_until=LATER)),)), LATER, "wait", "e0", CLIENT),
    lambda s: queue(s, s.now + 1, "whatever"),
    lambda s: replace(s, vpns=s.vpns.set("work", Vpn(VpnConnected("work", "openvpn", "tun0"), START, 1))),
]


@pytest.mark.parametrize("changes", SOUND)
def test_what_is_nearly_an_error_is_none(changes: Callable[[State], State]) -> None:
    assert check(changes(sound())) == []


def test_an_object_that_is_held_has_a_deadline_of_its_own() -> None:
    state = inquiry(sound(), wanted=None, held=OBJECT)
    told = [one for one in check(state) if "deadline" in one]
    assert told == [f"the information of {EXPLICIT} on e0 ends at {LATER}, but no deadline says so"]
    asked = queue(state, LATER, "info", EXPLICIT, "e0", "1")
    for none in (asked, inquiry(sound(), wanted=None, held=replace(OBJECT, until=NEVER))):
        assert not [one for one in check(none) if "deadline" in one]
