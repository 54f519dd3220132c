"""The fold itself: a record at its instant, after all that had ended by then: time is an argument."""

import random

import pytest
from msgspec.structs import replace

from events.codec import AnyEvent
from events.frames import FrameRejected, FramesRefused, Note
from events.ids import SECOND, Instant
from events.link import AddressGone, AddressSeen, LinkGone, LinkSeen
from events.operator import PolicySet, PvdPinned, PvdUnpinned
from events.record import Provenance, Record, Step
from events.router import PrefixInformation
from events.session import SessionStarted
from pvdcore.policy import DEFAULT
from pvdcore.reduce import AHEAD_MAX, Fold, advance, next_deadline, reduce
from pvdcore.state import Rejected, State
from tests.sim.build import R1, R2, START, Story, lease4, mtu, pio, pvd, ra

X = "fqdn:x.example."
P = "2001:db8:1::/64"


def folded(state: State, event: AnyEvent, at: Instant, captured_at: Instant | None = None) -> State:
    return reduce(state, Record(state.seq + 1, at, 1, Provenance("test", captured_at=captured_at), event))


def test_a_record_dated_earlier_is_folded_now() -> None:
    told = Story().at(10)
    state = folded(told.state, ra(R1, pvd("x.example.")), START)
    assert (state.now, state.pvds[X].first_seen) == (START + 10 * SECOND, START + 10 * SECOND)


def test_what_ends_at_the_instant_of_a_record_has_ended_before_it() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), life=60))
    state = folded(told.state, LinkSeen(link="e5", identity="capture:e5"), START + 60 * SECOND)
    assert state.pvds[X].phase == "gone" and state.pvds[X].ended == START + 60 * SECOND
    again = folded(told.state, ra(R1, pvd("x.example."), life=60), START + 60 * SECOND)
    assert again.pvds[X].phase == "announced" and again.pvds[X].versions == 2, "it ended, and came anew"


@pytest.mark.parametrize(("ahead", "told"), [(AHEAD_MAX + 1, True), (AHEAD_MAX, False), (None, False)])
def test_a_packet_dated_far_ahead_is_told_and_moves_no_time(ahead: int | None, told: bool) -> None:
    state = folded(Story().state, ra(R1), START, None if ahead is None else START + ahead)
    found = [one.link for (code, _, _), one in state.findings.items() if code == "time-jump"]
    assert found == (["e0"] if told else []) and state.now == START
    state = folded(Story().state, SessionStarted(mode="live", version="0"), START, START + 2 * AHEAD_MAX)
    assert [one.link for one in state.findings.values()] == [""], "what is of no link, too"


def test_a_state_is_put_together_once_and_is_that_of_the_last_record() -> None:
    said = ra(R1, pvd("x.example.", mtu(1400)))
    told = Story().hear(said)
    fold = Fold(told.state)
    assert fold.state is told.state
    fold.run([(told.state.seq + number, told.now, said, None) for number in (1, 2, 3)])
    assert fold.state.seq == told.state.seq + 3 and fold.state is fold.state
    assert fold.state.speakers["e0", R1][0].because == told.state.seq + 3


@pytest.mark.parametrize("seed", range(20))
def test_other_lifetimes_wait_for_who_looks_and_so_do_repeats_of_them_in_any_order(seed: int) -> None:
    draw, said = random.Random(seed), [ra(R1, pio(P, 600)), ra(R2, pio("2001:db8:2::/64", 600), mtu(1400))]
    steps: list[Step] = []
    for seq in range(2, 60):
        turn = draw.randrange(2)
        (one, *others) = said[turn].options
        if draw.random() < 0.5 and isinstance(one, PrefixInformation):
            said[turn] = replace(said[turn], options=(replace(one, valid_s=draw.randrange(500, 900)), *others))
        steps.append((seq, START + seq * draw.choice((1, 1, 4)) * SECOND, said[turn], None))
    steps.sort(key=lambda step: step[1])
    steps = [(seq, at, event, None) for seq, (_, at, event, _) in enumerate(steps, 2)]
    looked, fold = Fold(Story().state), Fold(Story().state)
    for step in steps:
        looked.step(*step)
        assert looked.state.seq == step[0]
    fold.run(steps)
    assert fold.state == looked.state


def test_deadlines_are_told_and_extra_looks_change_nothing() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P, 600)), life=60))
    assert next_deadline(told.state) == START + 60 * SECOND
    assert advance(told.state, START + 59 * SECOND).pvds[X].phase == "announced"
    assert advance(told.state, START).now == START and advance(told.state, 0).now == START, "time does not run back"


def test_a_pin_is_set_and_taken_away() -> None:
    told = Story().hear(ra(R1, pvd("x.example.")), PvdPinned(X), PvdPinned("fqdn:nobody.example."))
    assert told.pvd(X).pinned is True
    assert told.hear(PvdUnpinned(X)).pvd(X).pinned is False and told.alive() == [X]


@pytest.mark.covers("evil:E60", part="expected")
@pytest.mark.parametrize(("policy", "counted"), [("accept", 0), ("reject", 1)])
def test_what_broke_its_checksum_is_counted_where_policy_says_so(policy: str, counted: int) -> None:

    told = Story(udp_checksum=policy).hear(replace(lease4(), notes=(Note("udp-checksum", 0),)))
    assert {one.rule: one.count for one in told.state.rejected.values()} == ({"udp-checksum": 1} if counted else {})
    other = Story(udp_checksum=policy).hear(replace(lease4(), notes=(Note("other", 0),)))
    assert not other.state.rejected


def test_a_policy_counts_from_its_record_on_and_words_are_heard_anew() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P))), ra(R2))
    told.hear(PolicySet(values={**DEFAULT.values, "prefixes_max": 0}))
    assert told.keys(X, "prefix") == [P], "nothing is looked at backwards"
    told.at(1).hear(ra(R1, pvd("x.example.", pio(P))))
    assert told.state.policy.number("prefixes_max") == 0


def test_another_boot_forgets_what_was_believed_and_no_boot_none() -> None:
    told = Story().hear(SessionStarted(mode="live", version="0", boot="a"), ra(R1, pvd("x.example.")))
    assert told.state.boot == "a"
    told.hear(SessionStarted(mode="live", version="0"))
    assert told.state.boot == "a", "a session that does not say is of the same boot"
    assert told.hear(SessionStarted(mode="live", version="0", boot="b")).state.boot == "b"


def test_what_the_kernel_has_is_believed_until_it_goes_or_its_link_does() -> None:
    seen = AddressSeen(link="e0", address="192.0.2.10/24", flags=0)
    told = Story().hear(seen)
    assert dict(told.state.believed) == {("address", "e0", "192.0.2.10/24"): seen}
    assert not told.hear(AddressGone(link="e0", address="192.0.2.10/24")).state.believed
    assert not told.hear(seen, LinkGone(link="e0")).state.believed


def test_a_finding_is_told_once_by_the_first_record_and_then_counted() -> None:
    told = Story()
    late = ra(R1, pvd("x.example."))
    state = told.state
    for _ in range(3):
        state = folded(state, late, START, START + AHEAD_MAX + 1)
    (found,) = state.findings.items()
    first = told.state.seq + 1
    assert found[0] == ("time-jump", "e0", "")
    assert (found[1].because, found[1].count, found[1].epoch, found[1].pvd) == (first, 3, 0, None)


def test_what_a_bound_refused_is_told_of_each_attachment_anew() -> None:
    told = Story(routers_per_link_max=1).hear(ra(R1), ra(R2), ra(R2))
    key = ("too-many-routers", "e0", "")
    found = told.state.findings[key]
    assert (found.count, found.epoch, found.because) == (2, 1, told.state.seq - 1)
    told.attach().hear(ra(R1), ra(R2))
    assert (told.state.findings[key].count, told.state.findings[key].epoch) == (1, 2)
    assert told.state.findings[key].because == told.state.seq


def rejected(rule: str) -> FrameRejected:
    return FrameRejected(link="e0", rule=rule, offset=7, protocol="ra")


def test_packets_that_broke_a_rule_are_counted_from_the_first_on() -> None:
    told = Story()
    first = told.state.seq + 1
    told.hear(rejected("hop-limit"), rejected("checksum"))
    told.hear(FramesRefused(link="e0", rule="hop-limit", count=5, first=START, last=START))
    assert dict(told.state.rejected) == {
        "hop-limit": Rejected("hop-limit", 6, first),
        "checksum": Rejected("checksum", 1, first + 1),
    }
