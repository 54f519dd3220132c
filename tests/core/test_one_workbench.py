"""One workbench for many records, and a new one for each: what is kept from one record to the next changes nothing.

Law: stories are drawn from a seed, crowded on purpose: few routers, few prefixes, few hosts, so that each has to do
with the others. Each line of history and each State is compared.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from events.codec import AnyEvent
from events.ids import SECOND, Instant
from events.link import AttachEnded, AttachStarted, LinkGone, LinkSeen
from events.operator import PolicySet, PvdPinned
from events.record import Provenance, Record, Step
from events.router import NdOption, RouterAdvertised
from events.session import SessionStarted
from pvdcore.past import snapshot
from pvdcore.policy import DEFAULT
from pvdcore.reduce import Fold, reduce
from pvdcore.state import EMPTY
from tests.sim import build
from tests.sim.build import CLIENT, OTHER, R1, R2, R3, START

Draw = random.Random
LIVES = (0, 1, 30, 600, 1800, 1800, None)
PREFIXES = ("2001:db8:1::/64", "2001:db8:2::/64", "2001:db8::/32")


def option(draw: Draw) -> NdOption:
    life, prefix = draw.choice(LIVES), draw.choice(PREFIXES)
    kinds: list[Callable[[], NdOption]] = [
        lambda: build.pio(prefix, life, life if draw.random() < 0.5 else 10, draw.choice(("LA", "L", "A", "LAP"))),
        lambda: build.pio(prefix, 86_400, 14_400),
        lambda: build.rio(draw.choice(("2001:db8:ff::/48", "::/0")), life, draw.choice(("high", "low"))),
        lambda: build.dns(*draw.sample(("2001:db8::53", "2001:db8::54", "fe80::53"), draw.choice((1, 2))), life=life),
        lambda: build.search(draw.choice(("a.example.", "b.example.")), life=life),
        lambda: build.pref64(life=draw.choice((0, 80, 600))),
        lambda: build.mtu(draw.choice((1280, 1400))),
    ]
    return draw.choice(kinds)()


def advert(draw: Draw) -> RouterAdvertised:
    options = [option(draw) for _ in range(draw.choice((0, 1, 1, 2, 3)))]
    if draw.random() < 0.4:
        inner = build.header(draw.choice((0, 30, 1800))) if draw.random() < 0.3 else None
        name, inside = draw.choice(("x.example.", "y.example.")), [option(draw)] * draw.choice((0, 1))
        options.append(build.pvd(name, *inside, legacy=draw.random() < 0.4, seq=draw.choice((0, 1)), inner=inner))
    life, m, o = draw.choice((0, 30, 600, 1800, 1800)), draw.random() < 0.3, draw.random() < 0.3
    return build.ra(draw.choice((R1, R2, R3)), *options, life=life, m=m, o=o, link=draw.choice(("e0", "e0", "e1")))


def lease4(draw: Draw) -> list[AnyEvent]:
    mac, link, xid = draw.choice((CLIENT, OTHER)), draw.choice(("e0", "e0", "e1")), draw.randrange(3)
    server = draw.choice(("192.0.2.1", "192.0.2.1", "192.0.2.2"))
    if draw.random() < 0.2:
        return [build.dhcp4("RELEASE", mac=mac, link=link, ciaddr="192.0.2.10")]
    asked = build.dhcp4("REQUEST", xid=xid, mac=mac, link=link)
    life = draw.choice((30, 600, None))
    return [asked, build.lease4(life=life, xid=xid, mac=mac, link=link, server=server)]


def lease6(draw: Draw) -> list[AnyEvent]:
    link, xid = draw.choice(("e0", "e0", "e1")), draw.randrange(3)
    question = draw.choice(("REQUEST", "REQUEST", "RENEW", "INFORMATION-REQUEST", "RELEASE"))
    valid = draw.choice((0, 30, 600))
    given = [build.ia_na(build.ia_address("2001:db8:1::a", valid)), build.ia_pd(build.ia_prefix(PREFIXES[1], valid))]
    rest = [build.addresses(23, "2001:db8::99")] if draw.random() < 0.6 else []
    asked = build.dhcp6(question, xid=xid, ask=(23,), link=link)
    return [asked, build.dhcp6("REPLY", *given, *rest, xid=xid, link=link)]


def rare(draw: Draw) -> AnyEvent:
    values = {**DEFAULT.values, **draw.choice(({}, {"strict_o": True}, {"aware": False}, {"prefixes_max": 1}))}
    return draw.choice(
        (
            AttachStarted(link="e0"),
            AttachEnded(link="e0"),
            LinkGone(link="e0"),
            LinkSeen(link="e0", identity="capture:e0", name="e0"),
            LinkSeen(link="e0", identity="capture:e0", name="e0", host=True, mac=CLIENT),
            PolicySet(values=values),
            PvdPinned("fqdn:x.example."),
            SessionStarted(mode="live", version="0", boot=draw.choice("ab")),
        )
    )


def story(draw: Draw) -> Iterator[tuple[Instant, AnyEvent]]:
    now = START
    said: list[RouterAdvertised] = [advert(draw)]
    for _ in range(60):
        now += draw.choice((0, 0, 1, 7, 30, 31, 600, 1800)) * SECOND
        which = draw.random()
        if which < 0.35:
            yield now, draw.choice(said[-4:])
        elif which < 0.7:
            said.append(advert(draw))
            yield now, said[-1]
        elif which < 0.75:
            target, link = draw.choice((R1, R2)), draw.choice(("e0", "e1"))
            yield now, build.na(target, router=draw.random() < 0.5, link=link)
        elif which < 0.94:
            for one in (lease4 if draw.random() < 0.5 else lease6)(draw):
                yield now, one
        else:
            yield now, rare(draw)


@pytest.mark.parametrize("seed", range(24))
def test_what_is_kept_between_records_changes_nothing(seed: int) -> None:
    fold, state = Fold(EMPTY), EMPTY
    for seq, (at, event) in enumerate(story(Draw(seed)), 1):
        fold.step(seq, at, event, None)
        state = reduce(state, Record(seq, at, 1, Provenance("a"), event))
        assert tuple(fold.draft.changes) == state.changes, (seq, event)
        if seq % 3 == 0:  # in between nobody looks
            assert snapshot.encode(fold.state) == snapshot.encode(state), (seq, event)
    end = state.now + 90_000 * SECOND
    fold.draft.changes = []
    fold.advance(end)
    last = Fold(replace(state, changes=()))
    last.advance(end)
    assert fold.draft.changes == last.draft.changes
    assert snapshot.encode(fold.state) == snapshot.encode(last.state)


@pytest.mark.parametrize("seed", range(24, 48))
def test_records_in_one_go_are_each_by_itself(seed: int) -> None:
    """Of routers that repeat themselves meanwhile, nobody looks at what they said before."""
    draw = Draw(seed)
    fold, state, steps = Fold(EMPTY), EMPTY, list[Step]()
    for seq, (at, event) in enumerate(story(draw), 1):
        for _ in range(draw.choice((1, 1, 3)) if isinstance(event, RouterAdvertised) else 1):
            steps.append((state.seq + 1, at, event, None))
            state = reduce(state, Record(state.seq + 1, at, 1, Provenance("a"), event))
        if seq % 5 == 0:
            fold.run(steps)
            steps.clear()
            assert tuple(fold.draft.changes) == state.changes
            assert snapshot.encode(fold.state) == snapshot.encode(state), seq


def test_words_wait_until_somebody_looks_at_what_their_router_says() -> None:
    said = build.ra(R1, build.mtu(1400))
    fold = Fold(EMPTY)
    fold.run([(seq, START + seq, said, None) for seq in (1, 2, 3, 4)])
    (words,) = fold.draft.speakers.waiting()["e0", R1]
    assert (words.speaker, words.seq, words.standing, words.last) == (("e0", R1), 3, said, (START + 4, 4))
    (origin,) = fold.state.speakers["e0", R1]
    assert (origin.heard_at, origin.because, words.last) == (START + 4, 4, (START + 4, 0))


X = "x.example."
PREFIX = build.pio(PREFIXES[0], 86_400, 14_400)
SAID = build.ra(R1, build.pvd(X, build.mtu(1400)), life=60)
MANAGED = [build.ra(router, PREFIX, m=True) for router in (R1, R2)]
LEASED = [build.dhcp6("REQUEST", xid=1), build.dhcp6("REPLY", build.ia_na(build.ia_address("2001:db8:1::a")), xid=1)]
UNAWARE = PolicySet(values={**DEFAULT.values, "aware": False})
DAY = 86_400

IN_ONE_GO: dict[str, list[tuple[float, AnyEvent, float | None]]] = {
    "at the instant when it would have ended": [(60, SAID, None)],
    "a moment before that, and after it": [
        (59.9, SAID, None),
        (60, SAID, None),
        (119.9, SAID, None),
        (180, SAID, None),
    ],
    "dated earlier": [(7, SAID, None), (3, SAID, None), (7, SAID, None)],
    "of a packet dated a day ahead": [(7, SAID, 7.0 + DAY)],
    "of a packet dated more than a day ahead": [(7, SAID, 7.1 + DAY), (8, SAID, 3.0)],
    "behind something new": [(7, build.ra(R2, build.pvd("y.example.")), None), (7, SAID, None)],
    "behind another policy": [(7, UNAWARE, None), (8, SAID, None)],
    "of a router that is not alone any more": [
        (7, build.ra(R2, build.pvd(X, build.mtu(1300))), None),
        (8, SAID, None),
        (9, build.ra(R2, build.pvd(X, build.mtu(1300))), None),
        (10, SAID, None),
    ],
    "where who spoke last has the lease": [
        *((1, one, None) for one in [*MANAGED, *MANAGED]),
        *((2, one, None) for one in LEASED),
        *((3 + number, MANAGED[number % 2], None) for number in range(4)),
    ],
    "beside one that is detached": [(7, AttachEnded(link="e0"), None), (8, SAID, None)],
    "of another attachment": [(7, AttachStarted(link="e0"), None), (8, SAID, None), (9, SAID, None)],
}


@pytest.mark.parametrize("steps", IN_ONE_GO.values(), ids=IN_ONE_GO)
def test_a_repeat_is_no_repeat(steps: list[tuple[float, AnyEvent, float | None]]) -> None:
    """A router says the same thing again, and by now it means something else, or may."""
    fold, state = Fold(EMPTY), EMPTY
    for end in range(1, len(steps) + 1):
        fold, state = Fold(EMPTY), EMPTY
        told: list[Step] = []
        for at, event, dated in [(0, SAID, None), (0, SAID, None), *steps[:end]]:
            captured_at = None if dated is None else START + int(dated * SECOND)
            told.append((len(told) + 1, START + int(at * SECOND), event, captured_at))
        fold.run(told)
        for seq, at, event, captured_at in told:
            state = reduce(state, Record(seq, at, 1, Provenance("a", captured_at=captured_at), event))
        assert tuple(fold.draft.changes) == state.changes
        assert snapshot.encode(fold.state) == snapshot.encode(state)
        assert fold.state.now == state.now and fold.state.seq == end + 2
