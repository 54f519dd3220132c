"""One prefix in several words: what is on the link and what addresses are formed of end apart (RFC 4861 §6.3.4, RFC
4862 §5.5.3).

Law: what the two RFCs say is written down here once more, word by word and without a State, and compared with what the
host should then have.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.ids import SECOND
from events.link import DadFailed
from events.ops import Op, RouteAdd, RouteDelete
from pvdcore.host.addresses import wanted_identifiers
from pvdcore.past.snapshot import decode, encode
from pvdcore.projections.desired import desired
from pvdcore.projections.model import ModelKernel
from pvdcore.projections.plan import plan
from pvdcore.state import State
from replay.shown.report import state_document, thing
from replay.shown.text import words
from replay.shown.times import rfc3339
from tests.core.test_why import hears, octets
from tests.sim.build import CLIENT, R1, R2, START, Story, dns, mtu, pio, pvd, ra
from tests.wire import packets as p

X, I1 = "fqdn:x.example.", "ra:e0/1/fe80::1"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
A = "2001:db8:1::a"
ADDRESS = "2001:db8:1::ff:fe00:a/64"

Ends = tuple[float | None, tuple[float, float] | None]
"""Until when P is on the link, and an address of it valid and preferred; `None`: it is not."""


def seconds(at: int) -> float:
    return (at - START) / SECOND


def has(state: State) -> Ends:
    """What the host should have of P."""
    on_link, formed = None, None
    for place in desired(state, host=CLIENT, iid="eui64").places:
        for route in place.routes:
            if (route.destination, route.via) == (P, None):
                assert on_link is None
                on_link = seconds(route.until)
        for one in place.addresses:
            if one.address == ADDRESS:
                formed = seconds(one.until), seconds(one.preferred_until)
    return on_link, formed


Word = tuple[str, str, int]
"""Who says it, with which flags, how long it is valid."""

spoken = st.tuples(st.sampled_from([R1, R2]), st.sampled_from(["", "L", "A", "LA"]), st.sampled_from([0, 40, 90]))
rounds = st.tuples(st.integers(1, 60), st.lists(spoken, min_size=1, max_size=3))


@pytest.mark.covers("rfc:N13", "rfc:S01")
@given(said=st.lists(rounds, max_size=6))
@settings(max_examples=120)
def test_each_word_counts_for_what_its_flags_speak_of_and_for_nothing_else(said: list[tuple[int, list[Word]]]) -> None:
    told, now = Story(), 0
    on_link: dict[str, tuple[int, int]] = {}  # by router: when it was said, when it ends
    formed: dict[str, tuple[int, int]] = {}
    for gap, round_ in said:
        for router in sorted({router for router, _, _ in round_}):
            now += gap
            options = []
            for _, flags, valid in (word for word in round_ if word[0] == router):
                options.append(pio(P, valid, valid // 2, flags))
                for flag, ends in (("L", on_link), ("A", formed)):
                    if flag in flags and valid:
                        ends[router] = now, now + valid
                    elif flag in flags:
                        ends.pop(router, None)
            told.at(now).hear(ra(router, pvd("x.example.", *options), life=9000))
            for ends in (on_link, formed):
                for speaker in [one for one, (_, end) in ends.items() if end <= now]:
                    del ends[speaker]
            last = max(on_link.values(), default=None)  # of several routers, who said so last
            address = max(formed.values(), default=None)
            assert has(told.state) == (
                last and last[1],
                address and (address[1], address[0] + (address[1] - address[0]) // 2),
            )
            assert has(decode(encode(told.state))) == has(told.state)
            if last or address:
                assert told.keys(X, "prefix") == [P]
    assert has(told.at(now + 90).state) == (None, None) and told.keys(X, "prefix") == []


@pytest.mark.covers("rfc:N13")
def test_an_l_flag_of_zero_takes_nothing_from_the_link() -> None:
    told = Story().hear(ra(R1, pio(P, flags="L"))).at(1).hear(ra(R1, pio(P, 0, 0, flags="")))
    assert told.keys(I1, "prefix") == [P]
    assert told.at(2).hear(ra(R1, pio(P, 0, 0, flags="L"))).keys(I1, "prefix") == []


@pytest.mark.covers("rfc:N13")
def test_a_word_without_flags_leaves_both_parts_their_ends_and_one_that_withdraws_it_too() -> None:
    told = Story().hear(ra(R1, pio(P, 900, 400), dns("2001:db8::53", life=90)))
    told.at(10).hear(ra(R1, pio(P, 60, 60, ""), life=9000))
    assert told.holdings(I1, "prefix") == {P: (False, False, False)}
    assert told.keys(I1, "on_link") == told.keys(I1, "autonomous") == [P] and has(told.state) == (900, (900, 400))
    told.at(70)
    assert told.holdings(I1, "prefix") == {P: (True, False, False)} and told.keys(I1, "on_link") == []
    assert told.keys(I1, "autonomous") == [P] and has(told.state) == (900, (900, 400))
    assert told.at(90).keys(I1, "dns") == [] and told.keys(I1, "autonomous") == [P], "what ends beside them ends alone"
    told.at(100).hear(ra(R1, pio(P, 60, 60, ""), pio(P, 0, 0, ""), life=9000))
    assert told.holdings(I1, "prefix") == {P: (True, False, False)} and has(told.state) == (900, (900, 400))
    for at in (200, 300):  # all of it in one RA: what it said of the link, it said then
        told.at(at).hear(ra(R1, pio(P, 500, 500, "L"), pio(P, 60, 60, ""), pio(P, 0, 0, ""), mtu(1280 + at), life=9000))
        assert has(told.state) == (at + 500, (900, 400))
    told.at(400).hear(ra(R1, pio(P, 60, 60, ""), pio(P, 0, 0, ""), life=9000))
    assert has(told.state) == (800, (900, 400))


def writes(told: Story, kernel: ModelKernel) -> list[Op]:
    """What is to be done about P's route, after which it is done."""
    done = []
    for op, _ in plan(desired(told.state), kernel.observe()).ops:
        kernel.apply(op, told.now)
        if isinstance(op, RouteAdd | RouteDelete) and op.destination == P:
            done.append(op)
    return done


@pytest.mark.covers("rfc:N13")
def test_the_route_stands_until_the_end_of_the_word_that_made_it() -> None:
    told, kernel = Story().hear(ra(R1, pio(P, 3000, 3000, "L"), life=9000)), ModelKernel()
    (made,) = writes(told, kernel)
    assert isinstance(made, RouteAdd) and (made.via, made.expires_s) == (None, 3000)
    told.at(1).hear(ra(R1, pio(P, 60, 60, "A"), life=9000))
    assert told.holdings(I1, "prefix") == {P: (False, True, False)}, "the last word"
    assert told.holdings(I1, "on_link") == {P: (True, False, False)}, "and what it says nothing of"
    assert told.moves(I1)[-1] == (1, "announced", (P,), ())
    told.at(2).hear(ra(R1, pio(P, 0, 0, "A"), life=9000))
    assert told.holdings(I1) == {P: (True, False, False), R1: ("medium",)}
    told.at(3).hear(ra(R1, pio(P, 60, 60, "A"), life=9000)).at(63)
    assert told.holdings(I1) == {P: (True, False, False), R1: ("medium",)}, "what is left is the prefix"
    assert told.moves(I1)[-1] == (63, "lapsed", (), (P,))
    assert told.ends(I1, "prefix", P) == 3000 and writes(told, kernel) == []
    told.hear(ra(R1, pio(P, 60, 60, "A"), life=9000)).at(64).hear(ra(R1, pio(P, 0, 0, "L"), life=9000))
    assert told.holdings(I1, "prefix") == {P: (False, True, False)} and told.keys(I1, "on_link") == []
    assert [type(op) for op in writes(told, kernel)] == [RouteDelete], "now it was taken off the link"
    told.hear(ra(R1, pio(P, 900, 900, "L"), life=9000))
    assert told.keys(I1, "autonomous") == [P] and [type(op) for op in writes(told, kernel)] == [RouteAdd]
    told.at(964)
    assert told.holdings(I1) == {R1: ("medium",)} and [type(op) for op in writes(told, kernel)] == [RouteDelete]


@pytest.mark.covers("rfc:S01")
@pytest.mark.parametrize("valid", [0, 30, 86400])
def test_a_word_about_the_link_alone_neither_ends_nor_prolongs_an_address(valid: int) -> None:
    told = Story().hear(ra(R1, pio(P, 20000, 9000))).chooses()
    told.at(60).hear(ra(R1, pio(P, valid, valid, "L")))
    assert told.has() == {A: (I1, 20000, 9000)}
    assert [one.destination for place in desired(told.state).places for one in place.routes if one.via is None] == [
        P
    ] * bool(valid)
    told.at(100).hear(DadFailed(link="e0", address=f"{A}/64"))
    assert told.has() == {}
    assert [(one.prefix, one.dad_counter) for one in wanted_identifiers(told.state)] == [(P, 1)], "it still forms one"
    assert told.chooses("b").has() == {"2001:db8:1::b": (I1, 20000, 9000)}, "that ends as the first one would have"
    told.at(120).hear(ra(R1, pio(P, 0, 0, "A")))
    assert told.has() == {"2001:db8:1::b": (I1, 7320, 120)}, "only the A flag ends it, two hours later"
    assert wanted_identifiers(told.state) == ()


def test_what_says_it_leads_to_its_own_option_of_one_ra() -> None:
    on_link, forming = p.pio("2001:db8:1::", flags=0x80), p.pio("2001:db8:1::", flags=0x40)
    for options in ((on_link, forming), (forming, on_link)):
        story = Story()
        frame = hears(story, p.ra(*options))
        answers = story.chooses().why(P)
        last, other = ("autonomous", "on_link") if options[1] is forming else ("on_link", "autonomous")
        assert [one.kind for one in answers] == [other, "prefix"]
        assert octets(answers, frame) == list(options), last
        assert octets(story.why(A), frame) == [forming]
        assert octets(story.why("2001:db8:1::77"), frame) == list(options), "both have to do with whoever is in it"


def test_each_part_is_shown_with_its_own_end() -> None:
    told = Story().hear(ra(R1, pio(P, 3000, 2000))).at(1).hear(ra(R1, pio(P, 60, 30, "A"), pio(Q)))
    ((one,),) = (pvd.instances for pvd in state_document(told.state).pvds)
    last = told.state.seq
    rows = [(row.prefix, row.on_link, row.autonomous, row.valid_s, row.until, row.because) for row in one.prefixes]
    assert rows == [
        (P, False, True, 60, rfc3339(START + 61 * SECOND), last),
        (Q, True, True, 86400, rfc3339(START + 86401 * SECOND), last),
        (P, True, False, 3000, rfc3339(START + 3000 * SECOND), last - 1),
    ]
    (change,) = told.history()[1:]
    assert [words(thing(item)) for item in change.added] == [f"on_link {P}", f"prefix {Q} (on-link autonomous)"]
    assert [words(thing(item)) for pair in change.changed for item in pair] == [
        f"prefix {P} (on-link autonomous)",
        f"prefix {P} (autonomous)",
    ]
