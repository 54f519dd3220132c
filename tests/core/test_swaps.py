"""A router that only moves lifetimes, or announces several sets in turn: the quick way leaves what the long way would.

Law: each story is folded with `revised.swap` and `revised.revise` and without them, and everything is compared: the
State, its findings, and every line of history; and so is the State that `Fold.run` makes of it.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.ingest import translate
from events.codec import AnyEvent
from events.frames import ETHERNET, Frame
from events.identifiers import IdentifierChosen
from events.ids import SECOND
from events.link import LinkSeen
from events.router import EncryptedDns, NdOption, PrefixInformation, PvdOption, RouteInformation, RouterAdvertised
from pvdcore.past.snapshot import encode
from pvdcore.reduce import Fold
from pvdcore.routers import revised
from pvdcore.state import EMPTY, Change, State
from tests.bench.inputs import START, router_advertisement
from tests.sim import build

Story = list[tuple[int, AnyEvent]]


def ra(router: int, turn: int) -> RouterAdvertised:
    (event,) = translate(Frame(START, "e0", ETHERNET, router_advertisement(router, turn)))
    assert isinstance(event, RouterAdvertised)
    return event


def folded(story: Story) -> tuple[State, list[Change]]:
    fold, lines = Fold(EMPTY), []
    for seq, (at, event) in enumerate(story, 1):
        fold.step(seq, at, event, None)
        lines += fold.draft.changes
    return fold.state, lines


def both(story: Story, way: str = "swap") -> int:
    """Fold a story in both ways; how often a quick one was taken."""
    taken = []
    once: dict[AnyEvent, AnyEvent] = {}
    story = [(at, once.setdefault(event, event)) for at, event in story]  # equal ones are one object, as in a replay
    with pytest.MonkeyPatch.context() as patch:
        quick = getattr(revised, way)
        patch.setattr(revised, way, lambda draft, event: quick(draft, event) and (taken.append(event) or True))
        fast = folded(story)
        run = Fold(EMPTY)
        taken, counted = [], len(taken)
        run.run((seq, at, event, None) for seq, (at, event) in enumerate(story, 1))
        for one in ("swap", "revise"):
            patch.setattr(revised, one, lambda draft, event: False)
        slow = folded(story)
    assert encode(fast[0]) == encode(slow[0])
    assert encode(run.state) == encode(slow[0])
    assert fast[1] == slow[1]
    return counted


def test_four_sets_of_prefixes_in_turn_are_known_again_in_the_second_round() -> None:
    story = [(START + n * 4 * SECOND, ra(n % 3, n // 3 * 16 + n // 36)) for n in range(120)]
    # The first round adds items; in the second, three of four sets stand before more items than when they were said.
    assert both(story) == 120 - 3 * 4


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_whatever_routers_say_in_turn(seed: int) -> None:
    draw = random.Random(seed)
    at, story = START, []
    for _ in range(60):
        at += draw.choice((1, 1, 2, 4, 4, 4, 600, 5000)) * SECOND
        event = ra(draw.choice((0, 1, 4)), draw.randrange(4) * 16 + draw.randrange(16))
        if draw.random() < 0.3:
            event = changed(event, draw)
        story.append((at, event))
    both(story)


def changed(event: RouterAdvertised, draw: random.Random) -> RouterAdvertised:
    """The same with something odd: a lifetime, a header, a shared or withdrawn prefix, an option less."""
    options = list(event.options)
    place = draw.randrange(len(options))
    one = options[place]
    if isinstance(one, PrefixInformation):
        options[place] = draw.choice(
            (
                replace(one, valid_s=0, preferred_s=0),
                replace(one, valid_s=0, preferred_s=0, on_link=False),
                replace(one, valid_s=3),
                replace(one, prefix="2001:db8:aa::/64"),
                replace(one, on_link=False),
                replace(one, autonomous=False),
            )
        )
    elif isinstance(one, RouteInformation):
        options[place] = draw.choice(
            (replace(one, prefix="::/0"), replace(one, lifetime_s=0), replace(one, lifetime_s=7))
        )
    elif isinstance(one, PvdOption):
        inner = next(it for it in options if isinstance(it, PrefixInformation))
        options[place] = draw.choice(
            (replace(one, sequence=one.sequence + 1, http=True), replace(one, options=(inner,)))
        )
    else:
        del options[place]
    header = draw.choice((event.header, replace(event.header, managed=True), replace(event.header, lifetime_s=5)))
    return replace(event, options=tuple(options), header=header)


# One set, whose lifetimes count down

RIO, NAME = "2001:db8:ff::/48", "one.example."


def says(at: int, valid: int = 900, **other: Any) -> tuple[int, AnyEvent]:
    """A router's plain words at a second, with what is other this time: an option by its name, or of the RA."""
    prefixed = valid + other.pop("longer", 0)
    options = {
        "prefix": build.pio("2001:db8:1::/64", prefixed, prefixed // 2),
        "route": build.rio(RIO, valid),
        "dns": build.dns("2001:db8::53", life=valid),
        "search": build.search(NAME, life=valid),
        "mtu": build.mtu(1400),
    }
    options |= {name: other.pop(name) for name in options.keys() & other.keys()}
    router = other.pop("router", build.R1)
    told = [one for one in options.values() if one is not None]
    if name := other.pop("pvd", ""):
        told = [build.pvd(name, *told)]
    return START + at * SECOND, build.ra(router, *told, **other)


def test_lifetimes_that_count_down_are_taken_quickly() -> None:
    assert both([says(at, 900 - at) for at in range(0, 800, 100)], "revise") == 7
    assert both([says(at, 900 - at, dns=None, search=None) for at in range(0, 800, 100)], "revise") == 7
    assert both([says(0, 900), says(100, 300), says(200, 900), says(450, 890)], "revise") == 3, "an end may come nearer"
    assert both([says(0, 900), says(100, 50), says(130, 90), says(400, 900)], "revise") == 2


def test_whoever_looks_in_between_sees_the_last_lifetimes_and_when_they_were_said() -> None:
    fold = Fold(EMPTY)
    for seq, (at, event) in enumerate([says(at, 900 - at) for at in range(0, 60, 10)], 1):
        fold.step(seq, at, event, None)
        if seq > 2:
            (origin,) = fold.state.speakers["e0", build.R1]
            assert (origin.event, origin.heard_at, origin.because) == (event, at, seq)


OTHER: dict[str, dict[str, Any]] = {
    "hop limit": {"hop": 64},
    "router lifetime": {"life": 600},
    "mac": {"mac": "02:00:00:00:00:77"},
    "one less": {"mtu": None},
    "one more": {"dns": build.dns("2001:db8::53", "2001:db8::54", life=900)},
    "another kind": {"mtu": build.portal("https://a.example/")},
    "mtu": {"mtu": build.mtu(1500)},
    "prefix": {"prefix": build.pio("2001:db8:2::/64")},
    "length": {"prefix": build.pio("2001:db8:1::/65")},
    "flags": {"prefix": build.pio("2001:db8:1::/64", flags="L")},
    "autonomous": {"prefix": build.pio("2001:db8:1::/64", flags="A")},
    "delegated": {"prefix": build.pio("2001:db8:1::/64", flags="LAP")},
    "no prefix": {"prefix": build.pio("2001:db8:1::/64", 0, 0)},
    "route": {"route": build.rio("2001:db8:fe::/48")},
    "preference": {"route": build.rio(RIO, pref="high")},
    "no route": {"route": build.rio(RIO, 0)},
    "resolver": {"dns": build.dns("2001:db8::54")},
    "no resolver": {"dns": build.dns("2001:db8::53", life=0)},
    "name": {"search": build.search("two.example.")},
    "no name": {"search": build.search(NAME, life=0)},
    "kinds the other way round": {"prefix": build.rio("2001:db8:1::/64"), "route": build.pio("2001:db8:1::/64")},
    "another router": {"router": build.R2, "longer": 9000},
}


@pytest.mark.parametrize("other", OTHER.values(), ids=OTHER)
@pytest.mark.parametrize("pvd", ["", "x.example."])
def test_what_is_other_than_a_lifetime_is_not_taken_for_one(other: dict[str, Any], pvd: str) -> None:
    story = [says(0, pvd=pvd), says(10, 890, pvd=pvd), says(20, 880, pvd=pvd, **other), says(30, 870, pvd=pvd)]
    both([*story, says(40, 860, pvd=pvd), says(50, 850, pvd=pvd, **other), says(60, 840, pvd=pvd, **other)])
    both([says(0, pvd=pvd, **other), says(10, 890, pvd=pvd, **other), *((at + 30 * SECOND, one) for at, one in story)])


def test_an_address_goes_along_with_lifetimes_that_count_down() -> None:
    chosen = IdentifierChosen(link="e0", epoch=1, prefix="2001:db8:1::/64", kind="stable", iid="a")
    story = [says(0, 9000), (START + SECOND, chosen), says(10, 8990), says(20, 8980), says(30, 60)]
    assert both([*story, says(40, 50), says(7100, 60)], "revise") == 0


def test_words_that_were_said_before_are_said_again_with_their_own_lifetimes() -> None:
    first, second = says(0, 900), says(10, 890)
    order = ((1, first), (10, second), (20, first), (30, second), (40, second), (50, first))
    assert both([first, *((START + at * SECOND, event) for at, (_, event) in order)], "revise") == 4


P = build.pio("2001:db8:1::/64", 86400, 14400)
SHORTER: tuple[int, AnyEvent] = START + 5 * SECOND, build.ra(build.R2, build.pio("2001:db8:1::/64", 7200, 3600))
DELEGATED: Story = [
    (START, build.dhcp6("REQUEST", xid=1)),
    (START, build.dhcp6("REPLY", build.ia_pd(build.ia_prefix("2001:db8::/32")), xid=1)),
]


@pytest.mark.parametrize("beside", [[SHORTER], DELEGATED], ids=["another router's", "delegated"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_prefix_that_is_compared_is_compared_each_time(beside: Story, nested: bool) -> None:
    """Whether it is the same object or not: that is no part of what was heard."""
    said = {"mtu": build.pvd("x.example.", P), "prefix": None} if nested else {"prefix": P}
    story = [says(at, 900 - at, **said) for at in (0, 10, 20, 30)]
    assert both([story[0], *beside, *story[1:]], "revise") == 0
    assert both([*beside, *story], "revise") == 0
    assert both([*story, *beside, says(40, 860, **said), says(50, 850, **said)], "revise") == 3, "not from then on"
    elsewhere = [says(at, 900 - at, **said, link="e1") for at in (0, 10, 20, 30)]
    assert both([elsewhere[0], SHORTER, *elsewhere[1:]], "revise") == 3, "on another link, nobody compares"


def test_what_is_said_twice_in_one_ra_is_looked_at_each_time() -> None:
    twice = [says(at, one, mtu=build.dns("2001:db8::53", life=other)) for at, one, other in ((0, 9, 9), (1, 8, 7))]
    assert both([*twice, *((at + 2 * SECOND, one) for at, one in twice)], "revise") == 0


def test_where_two_pvds_have_an_equal_right_to_a_lease_each_ra_of_the_link_is_looked_at() -> None:
    """Whoever spoke last has it."""
    both_of = [build.ra(router, P, m=True) for router in (build.R2, build.R3)]
    lease = build.ia_na(build.ia_address("2001:db8:1::a"))
    begin = [(START, one) for one in (*both_of, *(build.dhcp6(word, lease, xid=1) for word in ("REQUEST", "REPLY")))]
    said = [says(at, 900 - at, prefix=build.pio("2001:db8:9::/64")) for at in (10, 20, 30)]
    for story, quick in (([*begin, *said], 0), ([*begin[1:], *said], 2)):
        assert both(story, "revise") == quick
        fold = Fold(EMPTY)
        fold.run((seq, at, event, None) for seq, (at, event) in enumerate(story, 1))
        last = story[-1][1]
        assert isinstance(last, RouterAdvertised) and fold.draft.links["e0"].contested is not bool(quick)
        assert (revised.slack(fold.draft, ("e0", build.R1), last) is not None) is bool(quick)


def test_an_mtu_that_was_more_than_the_link_took_counts_when_it_takes_more() -> None:
    def link(at: int, octets: int) -> tuple[int, AnyEvent]:
        return START + at * SECOND, LinkSeen(link="e0", identity="e0", name="e0", mtu=octets)

    same = says(20, 900)[1]
    for told in ([says(10, 890), says(30, 870)], [(START + at * SECOND, same) for at in (10, 20, 30)]):
        story = [link(0, 1300), says(0), *told[:2], link(40, 1500), (START + 50 * SECOND, told[-1][1])]
        both(story)
        (origin,) = folded(story)[0].speakers["e0", build.R1]
        assert [held.value for held in origin.held if held.kind == "mtu"] == [(1400,)]


# Two or more sets in turn


def turns(at: int, number: int, valid: int = 900, **other: Any) -> tuple[int, AnyEvent]:
    """A router's words with the set of this number."""
    own = {
        "prefix": build.pio(f"2001:db8:{number}::/64", valid, valid // 2),
        "route": build.rio(f"2001:db8:{number}f::/48", valid),
        "dns": build.dns(f"2001:db8:{number}::53", life=valid),
        "search": build.search(f"n{number}.example.", life=valid),
    }
    return says(at, valid, **(own | other))


DNR = EncryptedDns(1, "n.example.", ("2001:db8::8",), (), 1800, 64)
BESIDE: dict[str, NdOption] = {
    "an MTU": build.mtu(1400),
    "a portal": build.portal("https://p.example/"),
    "a prefix of NAT64": build.pref64(),
    "an encrypted resolver": DNR,
    "a PvD": build.pvd("x.example."),
    "a PvD with options": build.pvd("x.example.", build.pio("2001:db8:a::/64"), build.pref64(), DNR),
}


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
def test_sets_whose_lifetimes_count_down_take_turns(beside: NdOption) -> None:
    assert both([turns(at, at // 10 % 3, 900 - at, mtu=beside) for at in range(0, 120, 10)]) == 9


NEARER: dict[str, Any] = {
    "prefix": build.pio("2001:db8:2::/64", 60, 30),
    "route": build.rio("2001:db8:2f::/48", 60),
    "dns": build.dns("2001:db8:2::53", life=60),
    "search": build.search("n2.example.", life=60),
}


@pytest.mark.parametrize("kind", NEARER)
@pytest.mark.parametrize("life", [100, 1800])
def test_an_end_that_comes_nearer_in_another_set_comes(kind: str, life: int) -> None:
    nearer = turns(30, 2, **{kind: NEARER[kind]}, life=life)
    story = [turns(0, 1, life=life), turns(10, 2, life=life), turns(20, 1, life=life), nearer]
    assert both(story) == 2
    story += [turns(40, 2, 890, **{kind: NEARER[kind]}, life=life), turns(50, 1, 880, life=life)]
    assert both(story) == 3 and both([*story, turns(95, 1, life=life)], "revise") == 2
    other = START + SECOND, build.ra(build.R2, build.pio("2001:db8:b::/64", 70, 60), life=80)
    both([story[0], other, *story[1:], turns(105, 1, life=life), turns(205, 2, life=life)])


def test_sets_in_turn_know_alike_when_the_next_end_is() -> None:
    first = turns(0, 1, dns=build.dns("2001:db8:1::53", life=60))
    story = [first, turns(10, 2), turns(20, 1), turns(30, 2)]  # at 60 nothing ends, and the next end is far
    soon = turns(80, 1, dns=build.dns("2001:db8:1::53", life=30))
    assert both([*story, turns(70, 1), soon], "revise") == 1
    both([*story, turns(70, 1), soon, turns(120, 2)])


def test_a_set_is_known_by_what_stands_beside_its_prefixes_too() -> None:
    one, other = {"mtu": build.mtu(1400)}, {"mtu": build.portal("https://a.example/")}
    both([turns(0, 1, **one), turns(10, 2, **one), turns(20, 1, **other), turns(30, 2, **other), turns(40, 1, **one)])


@pytest.mark.parametrize(("sets", "taken"), [(revised.SHAPES_MAX, 2 * revised.SHAPES_MAX), (revised.SHAPES_MAX + 1, 0)])
def test_so_many_sets_are_remembered(sets: int, taken: int) -> None:
    assert both([turns(at * 4, at % sets) for at in range(3 * sets)]) == taken


def test_a_set_whose_prefix_is_compared_is_not_taken_for_known() -> None:
    for beside in (SHORTER, *DELEGATED[1:]):
        story = [*DELEGATED[:1], *(turns(at, 1 + at // 10 % 2) for at in range(0, 40, 10))]
        assert both([*story[:3], beside, *story[3:], *(turns(at, 1 + at // 10 % 2) for at in range(40, 80, 10))]) < 4


def test_while_a_leases_owner_is_who_spoke_last_nothing_is_taken_for_known() -> None:
    shared = [build.ra(router, build.pio("2001:db8:a::/64"), m=True) for router in (build.R2, build.R3)]
    lease = build.dhcp6("REPLY", build.ia_na(build.ia_address("2001:db8:a::a")), xid=1)
    told = [(START, one) for one in (*shared, build.dhcp6("REQUEST", xid=1), lease)]
    assert both([*told, *(turns(at, at // 10 % 2) for at in range(0, 60, 10))]) == 0
    assert both([*told[:2], *(turns(at, at // 10 % 2) for at in range(0, 60, 10))]) == 4, "without one they are"
