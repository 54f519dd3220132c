"""A network seen before is known again, told with its reasons, and never merged (standards.md C.3, RFC 7556 §7.1)."""

import pytest
from msgspec.structs import replace

from events.codec import AnyEvent
from events.pvdinfo import PvdInfoFailed
from events.router import SourceLinkLayerAddress
from pvdcore.domains.trust import weakest
from pvdcore.domains.visits import earlier, familiar, marks, note
from pvdcore.draft import Draft
from pvdcore.past import snapshot
from pvdcore.state import Likeness
from tests.sim.build import R1, R2, SERVER6, START, Story, addresses, dhcp4, dhcp6, pio, pvd, ra

HOME, CAFE = "02:00:00:00:01:01", "02:00:00:00:02:02"
X = "fqdn:x.example."
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"


def acks(server: str = "192.0.2.1", mac: str = HOME) -> AnyEvent:
    return replace(dhcp4("OFFER", addresses(54, server), yiaddr="192.0.2.10"), mac=mac)


def likenesses(told: Story, link: str = "e0") -> list[tuple[int, str, list[str]]]:
    """Earlier visits: epoch, confidence, the kinds it rests on."""
    state = told.state
    visit = state.visits.get((link, state.links[link].epoch))
    found = earlier(state, visit) if visit else ()
    return [(one.visit.epoch, one.confidence, sorted({kind for kind, _ in one.shared})) for one in found]


def again(first: list[AnyEvent], second: list[AnyEvent]) -> list[tuple[int, str, list[str]]]:
    told = Story().hear(*first).at(100).detach().attach().at(200).hear(*second)
    return likenesses(told)


@pytest.mark.parametrize(
    ("first", "second", "confidence", "kinds"),
    [
        ([ra(R1, pio(P), mac=HOME)], [ra(R1, pio(P), mac=HOME)], "high", ["prefix", "router"]),
        ([ra(R1, mac=HOME), acks()], [ra(R1, mac=HOME), acks()], "high", ["dhcp4", "router"]),
        ([ra(R1, pio(P), mac=HOME)], [ra(R1, pio(Q), mac=HOME)], "medium", ["router"]),
        ([acks()], [acks()], "medium", ["dhcp4"]),
        ([dhcp6("ADVERTISE")], [dhcp6("ADVERTISE")], "medium", ["dhcp6"]),
        ([ra(R1, pvd("x.example.", pio(P)))], [ra(R2, pvd("x.example.", pio(P)))], "medium", ["prefix", "pvd"]),
        ([ra(R1, pio(P))], [ra(R2, pio(P))], "low", ["prefix"]),
        ([ra(R1, pvd("x.example."), mac=HOME)], [ra(R1, pvd("x.example."), mac=CAFE)], "low", ["pvd"]),
    ],
)
def test_confidence_follows_from_what_is_shared(
    first: list[AnyEvent], second: list[AnyEvent], confidence: str, kinds: list[str]
) -> None:
    assert again(first, second) == [(1, confidence, kinds)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([ra(R1)], [ra(R1)]),  # fe80::1 alone is the router of half the world's homes
        ([ra(R1, pio(P), mac=HOME)], [ra(R1, pio(Q), mac=CAFE)]),
        ([acks()], [acks(mac=CAFE)]),  # 192.0.2.1 likewise
        ([ra(R1, pio(P, 0, 0), mac=HOME)], [ra(R2, pio(P, 0, 0), mac=CAFE)]),
    ],
)
def test_addresses_that_many_networks_have_prove_nothing(first: list[AnyEvent], second: list[AnyEvent]) -> None:
    assert again(first, second) == []


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (acks(), {("dhcp4", f"192.0.2.1 {HOME}")}),
        (replace(acks(), message="ACK"), {("dhcp4", f"192.0.2.1 {HOME}")}),
        (replace(acks(), message="NAK"), set()),
        (acks(mac=""), set()),
        (replace(dhcp4("OFFER"), mac=HOME), set()),
        (dhcp6("REPLY"), {("dhcp6", SERVER6)}),
        (dhcp6("ADVERTISE"), {("dhcp6", SERVER6)}),
        (dhcp6("REQUEST", server=SERVER6), set()),
        (ra(R1, pio(P), pio(Q, 1, 1)), {("prefix", P), ("prefix", Q)}),
        (ra(R1, pio(P, 0, 0), pvd("x.example.", pio(Q, 0, 0))), {("pvd", "x.example.")}),
        (ra(R1, pvd("x.example.", pio(P)), pvd("y.example.")), {("pvd", "x.example."), ("prefix", P)}),
        (ra(R1, SourceLinkLayerAddress(HOME)), {("router", f"{R1} {HOME}")}),
        (ra(R1, SourceLinkLayerAddress(HOME), mac=CAFE), {("router", f"{R1} {CAFE}")}),
    ],
)
def test_by_what_a_message_would_make_its_network_known_again(event: AnyEvent, found: set[tuple[str, str]]) -> None:
    assert marks(event) == found


@pytest.mark.covers("rfc:A24", "rfc:P29", "feat:C2", "problem:10")
def test_a_likeness_merges_nothing_and_carries_nothing_over() -> None:
    said = ra(R1, pio(P), pvd("x.example.", h=True, seq=7), mac=HOME)
    plain = ra(R1, pio(Q), mac=HOME)
    told = Story().hear(said, plain, PvdInfoFailed(pvd=X, link="e0", epoch=1, sequence=7, kind="http"))
    told.at(100).detach().attach().at(200)
    assert told.alive() == [] and not told.state.inquiries
    told.hear(said, plain)
    assert likenesses(told) == [(1, "high", ["prefix", "pvd", "router"])]
    assert told.alive() == [X, "ra:e0/2/fe80::1"], "the implicit key of an earlier visit is not used again"
    assert not told.state.inquiries[X, "e0", 2].barred and weakest(told.state, told.pvd(X)) == "none"
    ended = [one for one in told.history(X) if one.phase == "gone"]
    assert len(ended) == 1, "one history under the name, with the end of the first visit in it"
    assert [one.epoch for one in told.instances(X)] == [2]


def test_the_surest_comes_first_then_the_latest() -> None:
    told = Story()
    for round_, said in enumerate([ra(R1, pio(P), mac=HOME), ra(R2, pio(P), mac=CAFE), ra(R1, pio(P), mac=HOME)]):
        told.at(round_ * 100).hear(said).at(round_ * 100 + 50).detach().attach()
    told.at(400).hear(ra(R1, pio(P), mac=HOME))
    assert [(epoch, confidence) for epoch, confidence, _ in likenesses(told)] == [(3, "high"), (1, "high"), (2, "low")]


def test_a_visit_on_another_link_counts_once_it_is_over() -> None:
    told = Story().hear(ra(R1, pio(P), mac=HOME), ra(R1, pio(P), mac=HOME, link="e1"))
    assert likenesses(told, "e1") == [], "both are attached at once"
    told.at(10).detach().detach("e1").attach("e1").at(20).hear(ra(R1, pio(P), mac=HOME, link="e1"))
    assert [one[1] for one in likenesses(told, "e1")] == ["high", "high"]


@pytest.mark.covers("feat:R3")
@pytest.mark.parametrize(("bound", "kept"), [(3, [1, 2, 3]), (2, [2, 3])])
def test_the_oldest_visit_makes_way(bound: int, kept: list[int]) -> None:
    told = Story(visits_max=bound)
    for round_ in range(3):
        told.at(round_ * 10).hear(ra(R1, mac=HOME)).at(round_ * 10 + 5).detach().attach()
    assert [epoch for _, epoch in sorted(told.state.visits)] == kept


@pytest.mark.covers("feat:R3")
@pytest.mark.parametrize(("bound", "kept"), [(3, 3), (2, 2)])
def test_marks_are_bounded(bound: int, kept: int) -> None:
    told = Story(marks_max=bound).hear(ra(R1, pio(P), pio(Q), mac=HOME), ra(R1, pio(P), pio(Q), mac=HOME))
    assert len(told.state.visits["e0", 1].marks) == kept
    kept_marks = told.state.visits["e0", 1].marks
    assert told.hear(ra(R2, pio("2001:db8:3::/64"), mac=CAFE)).state.visits["e0", 1].marks == kept_marks
    assert Story(marks_max=0).hear(ra(R1, mac=HOME)).state.visits["e0", 1].marks == (), "it was a visit all the same"
    more = Story().hear(ra(R1, pio(P), mac=HOME)).hear(ra(R1, pio(P), pio(Q), mac=HOME)).state.visits["e0", 1].marks
    assert more == (("prefix", P), ("prefix", Q), ("router", f"{R1} {HOME}")), "each once"


@pytest.mark.parametrize("bound", [1, 2, 3, 9])
@pytest.mark.parametrize("servers", [1, 2, 3])
def test_what_is_familiar_changes_nothing_and_what_is_not_does(bound: int, servers: int) -> None:
    told = Story(marks_max=bound).hear(*(acks(f"192.0.2.{one}") for one in range(1, servers + 1)))
    for event in (
        acks("192.0.2.1"),
        acks("192.0.2.2"),
        acks("192.0.2.9"),
        ra(R1, pio(P)),
        ra(R1, pio(P), pio(Q), mac=HOME),
    ):
        draft = Draft(told.state)
        draft.begin(told.now + 1, told.state.seq + 1)
        known = familiar(draft, draft.visits["e0", 1], frozenset(marks(event)))
        note(draft, event, "e0")
        assert known == (draft.visits == told.state.visits and draft.findings == told.state.findings)
    assert ("two-dhcp4-servers" in told.findings()) == (min(bound, servers) > 1)
    if min(bound, servers) == 2:
        assert "192.0.2.1, 192.0.2.2" in told.findings()["two-dhcp4-servers"].text


def test_a_mark_stands_once_however_often_it_is_seen() -> None:
    told = Story().hear(ra(R1, pio(P), mac=HOME), acks(), ra(R1, pio(P), pio(Q), mac=HOME), acks(), acks(mac=CAFE))
    servers = [("dhcp4", f"192.0.2.1 {CAFE}"), ("dhcp4", f"192.0.2.1 {HOME}")]
    assert list(told.state.visits["e0", 1].marks) == sorted(
        [*servers, ("prefix", P), ("prefix", Q), ("router", f"{R1} {HOME}")]
    )
    assert told.state.visits["e0", 1].began == START
    crowded = Story(marks_max=2).hear(ra(R1, pio(P), mac=HOME), ra(R2, pio(Q), mac=CAFE), acks(), acks(mac=CAFE))
    assert crowded.state.visits["e0", 1].marks == (("prefix", P), ("router", f"{R1} {HOME}"))
    none = Story(marks_max=0).hear(ra(R1, pio(P), mac=HOME))
    assert none.state.visits["e0", 1].marks == (), "a visit is a visit, though nothing is remembered of it"


def test_a_snapshot_keeps_the_visits() -> None:
    told = Story().hear(ra(R1, pio(P), mac=HOME)).detach()
    assert snapshot.decode(snapshot.encode(told.state)).visits == told.state.visits


def test_what_a_likeness_says_is_all_there_is() -> None:
    told = Story().hear(ra(R1, pio(P), mac=HOME)).at(5).detach().attach().hear(ra(R1, pio(P), mac=HOME))
    (found,) = earlier(told.state, told.state.visits["e0", 2])
    assert found == Likeness(told.state.visits["e0", 1], "high", (("prefix", P), ("router", f"fe80::1 {HOME}")))
