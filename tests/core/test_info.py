"""Additional Information as state: wanted, held, dropped, barred (RFC 8801 §4.1, §4.3, §6). Nobody fetches here.

The events stand for the fetcher: `asks` writes that a request goes out, `fetches` and `fails` what became of it.
"""

from hashlib import blake2b

import pytest

from adapters.wire.pvdinfo import PvdInfo, Refusal, read_info
from events.codec import AnyEvent
from events.ids import NEVER, SECOND
from events.pvdinfo import AdditionalInformation, PvdInfoAsked, PvdInfoDrawn, PvdInfoFailed, PvdInfoFetched
from events.router import NdOption, RouterAdvertised
from events.session import SessionStarted
from pvdcore.checks.invariants import check
from pvdcore.domains.inquiry import Inquiry, Want, Wanted, wanted
from pvdcore.domains.trust import weakest
from pvdcore.past import snapshot
from pvdcore.reduce import advance
from tests.sim.build import CLIENT, R1, R2, START, Story, mtu, pio, pvd, ra

X, Y = "fqdn:x.example.", "fqdn:y.example."
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
HALF = 2**31  # a draw from the middle of the interval


def x(*options: NdOption, seq: int = 7, h: bool = True, delay: int = 0, router: str = R1) -> RouterAdvertised:
    return ra(router, pvd("x.example.", *options, h=h, seq=seq, delay=delay))


def named(name: str, link: str = "e0") -> RouterAdvertised:
    return ra(R1, pvd(name, h=True, seq=1), link=link)


def asks(pvd_: str = X, *, seq: int = 7, request: int = 1, epoch: int = 1, link: str = "e0") -> PvdInfoAsked:
    return PvdInfoAsked(pvd=pvd_, link=link, epoch=epoch, sequence=seq, request=request)


def draws(draw: int, pvd_: str = X) -> PvdInfoDrawn:
    return PvdInfoDrawn(pvd=pvd_, link="e0", epoch=1, draw=draw)


def fetches(
    *prefixes: str,
    seq: int = 7,
    request: int = 0,
    life_s: float = 3600,
    identifier: str = "x.example.",
    at: float = 0,
    link: str = "e0",
    body: str = '{"identifier":"x.example."}',
) -> PvdInfoFetched:
    said = AdditionalInformation(identifier, START + int((at + life_s) * SECOND), prefixes)
    return PvdInfoFetched(pvd=X, link=link, epoch=1, sequence=seq, body=body, said=said, request=request)


def fails(kind: str, pvd_: str = X, *, seq: int = 7, request: int = 0, epoch: int = 1) -> PvdInfoFailed:
    return PvdInfoFailed(pvd=pvd_, link="e0", epoch=epoch, sequence=seq, kind=kind, request=request)


def inquiry(told: Story, pvd_: str = X, link: str = "e0", epoch: int = 1) -> Inquiry:
    return told.state.inquiries[pvd_, link, epoch]


def wants(told: Story) -> list[tuple[str, str, float | None]]:
    """PvD, reason and the earliest instant in seconds from the beginning."""

    def seconds(one: Want) -> float | None:
        return None if one.not_before is None else (one.not_before - START) / SECOND

    return [(one.pvd, one.reason, seconds(one)) for one in wanted(told.state)]


def wanted_now(told: Story) -> Wanted:
    one = inquiry(told).wanted
    assert one is not None
    return one


def holds(told: Story, pvd_: str = X, link: str = "e0") -> bool:
    return inquiry(told, pvd_, link).held is not None


def lines(told: Story) -> list[tuple[float, str]]:
    """The lines of history in which information came or went: seconds and cause."""
    return [
        ((one.at - START) / SECOND, one.cause)
        for one in told.history(X)
        if any(item[0] == "info" for item in (*one.added, *one.removed, *(pair[1] for pair in one.changed)))
    ]


@pytest.mark.covers("rfc:P70")
def test_information_is_wanted_with_the_h_flag_only() -> None:
    assert wants(Story().hear(x())) == [(X, "new", 0)]
    plain = Story().hear(x(h=False, seq=7), ra(R2))
    assert wants(plain) == [] and not plain.state.inquiries


@pytest.mark.covers("rfc:P26")
def test_without_h_sequence_and_delay_change_nothing() -> None:
    told = Story().hear(x(h=False, seq=1)).at(10).hear(x(h=False, seq=2, delay=15))
    assert wants(told) == [] and len(told.history(X)) == 1


@pytest.mark.covers("rfc:P71")
def test_clearing_h_cancels_what_is_under_way_and_drops_what_is_held() -> None:
    told = Story().hear(x(), fetches())
    assert holds(told)
    told.at(10).hear(x(h=False, seq=0))
    assert not holds(told) and inquiry(told).dropped == "h-cleared" and wants(told) == []
    assert lines(told) == [(0, "info"), (10, "info-h-cleared")]
    under_way = Story().hear(x(), asks()).at(1).hear(x(h=False, seq=0)).at(2).hear(fetches(request=1))
    assert not holds(under_way) and wants(under_way) == []


@pytest.mark.covers("rfc:P85")
def test_the_sequence_that_counts_is_that_of_the_last_ra_and_not_of_the_request() -> None:
    told = Story().hear(x(), fetches())
    assert inquiry(told).sequence == 7 and holds(told)
    during = Story().hear(x(), asks()).at(1).hear(x(seq=8)).at(2).hear(fetches(request=1))
    assert inquiry(during).sequence == 8 and not holds(during)
    assert wants(during) == [(X, "sequence", None)], "the change during the request was noticed"


@pytest.mark.covers("rfc:P86")
@pytest.mark.parametrize(("before", "after"), [(7, 8), (8, 7), (65535, 0), (0, 65535)])
def test_another_sequence_not_a_greater_one_drops_at_once(before: int, after: int) -> None:
    told = Story().hear(x(seq=before), fetches(seq=before)).at(10).hear(x(seq=after))
    assert not holds(told) and inquiry(told).dropped == "sequence"
    assert wants(told) == [(X, "sequence", None)]
    assert lines(told) == [(0, "info"), (10, "info-sequence")]
    assert inquiry(told).delay == 0 and inquiry(told.hear(x(seq=after, delay=3))).delay == 3


@pytest.mark.covers("rfc:P87", "rfc:P133")
def test_the_same_sequence_asks_for_nothing() -> None:
    told = Story().hear(x(seq=7), fetches(seq=7)).at(10).hear(x(seq=8))
    assert not holds(told) and [reason for _, reason, _ in wants(told)] == ["sequence"]
    told.hear(draws(0)).at(20).hear(asks(seq=8), fetches(seq=8, request=1))
    for again in range(30, 90, 10):
        told.at(again).hear(x(seq=8))
    assert wants(told) == [] and holds(told) and len(lines(told)) == 3


@pytest.mark.covers("rfc:P88", "rfc:P109", "feat:E5")
def test_information_that_expires_ends_at_that_instant() -> None:
    told = Story().hear(x(), fetches(life_s=60.5)).at(60)
    assert holds(told)
    told.at(600)
    assert not holds(told) and lines(told) == [(0, "info"), (60.5, "info-expired")]
    assert wants(told) == [], "information that is not kept fresh simply ends"
    fresh = Story(info_keep_fresh=True).hear(x(), fetches(life_s=60)).at(60)
    assert not holds(fresh), "a request that is wanted gives no right to go on using it"


@pytest.mark.covers("rfc:P89")
@pytest.mark.covers("rfc:P110", part="negative")
def test_what_is_no_valid_object_is_ignored_whole_and_counted() -> None:
    unread = PvdInfoFetched(pvd=X, link="e0", epoch=1, sequence=7, body='{"expires":1}')
    told = Story().hear(x(), unread)
    assert not holds(told) and inquiry(told).barred == "json"
    assert told.state.networks["e0", 1].failures == 1
    assert told.findings()["info-invalid"].text.endswith("it is no valid object")
    assert not holds(told.hear(fetches())), "nor is what comes unasked for, once it is barred"
    expired = Story().hear(x(), fetches(life_s=0))
    assert not holds(expired) and lines(expired) == []


@pytest.mark.covers("rfc:P90")
@pytest.mark.parametrize(
    ("delay", "draw", "after_s"),
    [(0, HALF, 0.512), (1, HALF, 1.024), (1, 0, 0), (15, 2**32 - 1, 33554.432 - 33554.432 / 2**32)],
)
def test_a_change_of_sequence_waits_for_the_draw(delay: int, draw: int, after_s: float) -> None:
    told = Story().hear(x(), fetches()).at(100).hear(x(seq=8, delay=delay))
    assert wants(told) == [(X, "sequence", None)], "nobody may ask before the draw"
    told.hear(draws(draw))
    (((_, _, when)),) = wants(told)
    assert when == pytest.approx(100 + after_s, abs=1e-4)
    told.hear(draws(0))
    assert wants(told) == [(X, "sequence", when)], "who draws again until it suits changes nothing"


@pytest.mark.parametrize(("draw", "counts_as"), [(2**40, 2**32 - 1), (2**32 - 1, 2**32 - 1), (-1, 0)])
def test_a_draw_is_a_number_of_thirty_two_bits_whatever_is_said(draw: int, counts_as: int) -> None:
    told = Story().hear(x(), fetches()).at(100).hear(x(seq=8, delay=15), draws(draw))
    wait = 2**25 * 1_000_000 * counts_as // 2**32
    assert wanted_now(told).target == START + 100 * SECOND + wait


@pytest.mark.covers("rfc:P91")
def test_the_first_request_waits_only_where_a_delay_is_announced() -> None:
    assert wants(Story().hear(x(seq=0, delay=0))) == [(X, "new", 0)]
    delayed = Story().hear(x(seq=0, delay=3))
    assert wants(delayed) == [(X, "new", None)]
    assert wants(delayed.hear(draws(HALF))) == [(X, "new", 4.096)]
    assert wants(Story(info_first_delay=False).hear(x(seq=0, delay=3))) == [(X, "new", 0)]


@pytest.mark.covers("rfc:P92")
def test_a_newer_sequence_draws_anew_with_the_newer_delay() -> None:
    told = Story().hear(x(), fetches()).at(10).hear(x(seq=8, delay=15), draws(HALF))
    ((_, _, late),) = wants(told)
    assert late is not None and late > 10_000
    told.at(20).hear(x(seq=9, delay=0), draws(HALF))
    assert wants(told) == [(X, "sequence", 20.512)]


@pytest.mark.covers("rfc:P93")
def test_a_refresh_before_expiry_is_drawn_from_the_second_half_of_the_time_left() -> None:
    def told() -> Story:
        return Story(info_keep_fresh=True).hear(x(), fetches(life_s=3600))

    assert wants(told()) == [(X, "expiry", None)]
    assert wants(told().hear(draws(0))) == [(X, "expiry", 1800)]
    assert wants(told().hear(draws(HALF))) == [(X, "expiry", 2700)]
    ((_, _, last),) = wants(told().hear(draws(2**32 - 1)))
    assert last == pytest.approx(3600, abs=1e-3)
    assert holds(told().hear(draws(0)).at(1799)), "it goes on being used meanwhile"


@pytest.mark.covers("rfc:P94", "rfc:P108")
def test_ten_seconds_lie_between_two_requests_for_one_pvd() -> None:
    told = Story().hear(x(seq=0), asks(seq=0))
    for second in range(1, 9):
        told.at(second).hear(x(seq=second), draws(0))
        assert wants(told) == [(X, "sequence", 10)], "however often the sequence changes"
    assert wants(told.at(30).hear(x(seq=50), draws(HALF))) == [(X, "sequence", 30.512)], "the latest limit wins"


@pytest.mark.covers("rfc:P95")
def test_five_requests_in_ten_seconds_are_made_on_a_network() -> None:
    names = [f"n{number:02}.example." for number in range(12)]
    told = Story().hear(*[named(name) for name in names])
    assert {when for _, _, when in wants(told)} == {0}
    for number, name in enumerate(names[:5]):
        told.at(number).hear(asks(f"fqdn:{name}", seq=1))
    assert {when for _, _, when in wants(told)} == {10}, "the sixth waits until the first is ten seconds old"
    told.at(10).hear(asks(f"fqdn:{names[5]}", seq=1))
    assert {when for _, _, when in wants(told)} == {11}
    assert wants(told.hear(named("z.example.", "e1")))[-1] == ("fqdn:z.example.", "new", 10), "another link has its own"


@pytest.mark.covers("rfc:P118")
def test_the_four_brakes_are_independent_of_each_other() -> None:
    told = Story().hear(x(), named("y.example."), named("z.example."), asks())
    assert wants(told) == [(Y, "new", 0), ("fqdn:z.example.", "new", 0)], "the gap of one PvD holds up no other"
    told.hear(fails("json", request=1))
    assert [one for one, _, _ in wants(told)] == [Y, "fqdn:z.example."], "nor does its bar"
    for number in range(4):
        told.at(number + 1).hear(asks(Y, seq=1, request=number + 2), fails("transport", Y, seq=1, request=number + 2))
    assert wants(told.at(5)) == [(Y, "retry", 84), ("fqdn:z.example.", "new", 10)], "five requests: the network's cap"
    assert told.state.networks["e0", 1].failures == 1, "which counts no failures of transport towards the ten"
    told.hear(named("y.example.", "e1"))
    assert wants(told)[1] == (Y, "new", 5), "and on another link nothing of it counts"


@pytest.mark.covers("rfc:P96", "rfc:P103")
@pytest.mark.parametrize(
    ("listed", "covered"),
    [
        (["2001:db8:1::/48"], True),
        (["2001:db8:1::/64"], True),
        (["2001:db8:2::/48"], False),
        (["2001:db8:1::/65"], False),  # the wrong way round
        (["2001:db8:1:1::/64"], False),  # text that begins alike is no prefix that contains
        (["2001:db8:9::/48", "2001:db8:1::/48"], True),
    ],
)
def test_each_announced_prefix_is_covered_by_a_listed_one(listed: list[str], covered: bool) -> None:
    told = Story().hear(x(pio(P)), asks(), fetches(*listed, request=1))
    assert holds(told) == covered
    assert told.state.networks["e0", 1].failures == 0, "a mismatch is none of the counted failures"
    assert wants(told) == [] and inquiry(told).barred == ""
    if not covered:
        assert inquiry(told).dropped == "prefixes" and told.findings()["info-prefix"].pvd == X
        for later in (20, 40):
            assert wants(told.at(later).hear(x(pio(P)))) == [], "no loop: the prefixes are the same"
        assert wants(told.at(60).hear(x(pio(P), pio(Q)))) == [(X, "prefixes", None)], "after a draw, as ever"
        told.hear(draws(HALF))
        first = wants(told)
        assert wants(told.at(60.1).hear(x(pio(P), pio(Q)))) == first, "wanted once, and not again with each RA"
        assert wants(told.at(60.2).hear(x(pio(P), pio(Q), mtu(1400)))) == first, "nor where it says something new"


@pytest.mark.covers("rfc:P96", "rfc:P86")
def test_another_sequence_is_reason_enough_whatever_was_not_covered() -> None:
    told = Story().hear(x(pio(P)), asks(), fetches(Q, request=1)).at(20).hear(x(pio(P), seq=8))
    assert wants(told) == [(X, "sequence", None)]
    told.hear(x(pio(P), pio(Q), seq=8))
    assert wants(told) == [(X, "sequence", None)], "the void object was of another sequence"
    assert snapshot.decode(snapshot.encode(told.state)).inquiries == told.state.inquiries


@pytest.mark.covers("rfc:P97", "rfc:P103")
def test_an_object_that_a_prefix_made_void_is_wanted_anew_when_the_prefixes_change() -> None:
    fresh = Story(info_keep_fresh=True).hear(x(pio(P)))
    assert wants(fresh) == [(X, "new", 0)], "a prefix by itself is no reason"
    fresh.hear(fetches(P))
    assert [reason for _, reason, _ in wants(fresh)] == ["expiry"]
    fresh.at(10).hear(x(pio(P), pio(Q)))
    assert not holds(fresh) and wants(fresh) == [], "no loop: the server would say the same again"
    found = fresh.findings()["info-prefix"]
    assert (found.pvd, found.link) == (X, "e0") and Q in found.text
    fresh.at(20).hear(x(pio(P), pio(Q, 0, 0)))
    assert wants(fresh) == [(X, "prefixes", None)], "the prefix that was not covered is gone"


@pytest.mark.covers("rfc:P97")
def test_the_cover_is_checked_again_at_each_ra_and_whatever_its_flags() -> None:
    told = Story().hear(x(pio(P)), fetches("2001:db8:1::/48")).at(10)
    told.hear(ra(R2, pio(Q, flags=""), pvd("x.example.", h=True, seq=7)))  # outside the option, neither L nor A
    assert not holds(told) and lines(told)[-1] == (10, "info-prefixes")
    assert holds(Story().hear(x(pio(P)), fetches("2001:db8::/32")).at(10).hear(x(pio(Q))))


@pytest.mark.covers("rfc:P98")
def test_no_prefix_needs_no_cover_and_an_empty_list_covers_none() -> None:
    assert holds(Story().hear(x(), fetches()))
    assert not holds(Story().hear(x(pio(P)), fetches()))


@pytest.mark.covers("rfc:P99", "rfc:P80", "rfc:P123")
@pytest.mark.parametrize("kind", ["certificate", "http", "json"])
def test_a_counted_failure_bars_the_pvd_for_the_attachment(kind: str) -> None:
    told = Story().hear(x(), asks(), fails(kind, request=1))
    assert inquiry(told).barred == kind and wants(told) == []
    told.at(100).hear(x(seq=8), x(seq=8, h=False), x(seq=9))
    assert wants(told) == [], "neither another sequence nor the flag anew lifts it"
    assert wants(told.hear(named("y.example."))) == [(Y, "new", 100)], "others are not barred by it"


@pytest.mark.covers("rfc:P100")
def test_ten_failures_bar_all_pvds_of_the_attachment() -> None:
    names = [f"n{number:02}.example." for number in range(11)]
    told = Story().hear(x(), *[named(name) for name in names])
    for number, name in enumerate(names[:9]):
        told.at(number * 20).hear(fails("http", f"fqdn:{name}", seq=1))
    told.hear(asks(), fetches(request=1))
    assert told.state.networks["e0", 1].failures == 9, "a success does not count backwards"
    assert [one for one, _, _ in wants(told)] == [f"fqdn:{name}" for name in names[9:]]
    told.hear(fails("http", f"fqdn:{names[9]}", seq=1))
    assert wants(told) == [] and wants(told.at(500).hear(x(seq=8))) == []
    assert wants(told.hear(ra(R2, pvd("late.example.", h=True)))) == [], "nor does another router help"


@pytest.mark.covers("rfc:P101", "rfc:A11")
def test_a_new_attachment_begins_anew_and_an_ra_does_not() -> None:
    told = Story().hear(x(), fails("http")).at(10).hear(x())
    assert wants(told) == [] and inquiry(told).barred
    told.detach()
    assert not told.state.inquiries and not told.state.networks
    told.attach().at(20).hear(x())
    assert wants(told) == [(X, "new", 20)] and told.state.inquiries[X, "e0", 2].sequence == 7


@pytest.mark.covers("rfc:P102", "rfc:P128")
def test_transport_failures_are_tried_again_ever_later_and_given_up() -> None:
    told = Story().hear(x(pio(P, None)))
    waits = []
    assert "info-failed" not in told.findings()
    for number in range(1, 5):
        at = number * 10_000.0
        told.at(at).hear(asks(request=number), fails("transport", request=number))
        ((_, reason, when),) = wants(told)
        assert reason == "retry" and when is not None
        waits.append(when - at)
    assert waits == [10, 20, 40, 80]
    assert "transport" in told.findings()["info-failed"].text, "whoever runs the network hears of it"
    told.at(60_000).hear(asks(request=5), fails("transport", request=5))
    assert wants(told) == [] and (inquiry(told).barred, inquiry(told).tries) == ("transport", 5)
    assert ("e0", 1) not in told.state.networks or told.state.networks["e0", 1].failures == 0
    recovered = Story().hear(x(), fails("transport"), fails("transport"), fetches())
    assert inquiry(recovered).tries == 0 and holds(recovered)


# What a fetcher may report of a hostile answer: (entry, kind, detail, barred, counted). Which kind each variant is, is
# the fetcher's half of part E, and open until there is one; what the kind leads to is this half.
REPORTED = [
    ("E82", "http", "redirect loop", "http", 1),
    ("E82", "http", "redirect from https to http", "http", 1),
    ("E82", "http", "redirect to https://[fe80::1]/", "http", 1),
    ("E82", "http", "redirect without Location", "http", 1),
    ("E82", "http", "304", "http", 1),
    ("E83", "json", "204", "json", 1),
    ("E83", "http", "206", "http", 1),
    ("E83", "certificate", "not for x.example.", "certificate", 1),
    ("E83", "certificate", "expired", "certificate", 1),
    ("E83", "transport", "no end within the time for it", "", 0),
    ("E83", "transport", "fewer octets than Content-Length", "", 0),
    ("E84", "transport", "SERVFAIL", "", 0),
    ("E84", "transport", "NXDOMAIN", "", 0),
    ("E84", "transport", "chain of CNAMEs", "", 0),
]


@pytest.mark.covers("evil:E82", "evil:E83", "evil:E84", part="expected")
@pytest.mark.parametrize(("entry", "kind", "detail", "barred", "counted"), REPORTED, ids=lambda one: str(one))
def test_a_hostile_answer_ends_what_it_must_and_nothing_else(
    entry: str, kind: str, detail: str, barred: str, counted: int
) -> None:
    """Nothing of it is used, what was held for another sequence stays dropped, and asking on is bounded."""
    told = Story().hear(x(pio(P)), fetches(P)).at(20).hear(x(pio(P), seq=8), asks(seq=8))
    report = PvdInfoFailed(pvd=X, link="e0", epoch=1, sequence=8, kind=kind, detail=detail, request=1)
    told.hear(report, report)
    one = inquiry(told)
    assert (one.held, one.barred, one.asked) == (None, barred, 0), "the second report answers nothing"
    networks = told.state.networks
    assert (networks["e0", 1].failures if ("e0", 1) in networks else 0) == counted
    assert wants(told) == ([] if barred else [(X, "retry", 30)])
    assert detail in told.findings()["info-invalid" if kind == "json" else "info-failed"].text
    assert told.keys(X, "prefix") == [P], "the RA's own configuration stands"


@pytest.mark.covers("rfc:P104")
def test_what_counts_as_no_valid_object_and_what_waits() -> None:
    other = Story().hear(x(), fetches(identifier="y.example."))
    assert inquiry(other).barred == "json" and other.state.networks["e0", 1].failures == 1
    assert other.findings()["info-invalid"].text.endswith("it is of y.example.")
    told = Story().hear(x(), fetches(life_s=0)).at(10)
    assert (inquiry(told).barred, inquiry(told).dropped) == ("", "expired")
    assert told.findings()["info-expired"].pvd == X
    assert ("e0", 1) not in told.state.networks and wants(told.hear(x())) == [], "no loop either"
    assert [reason for _, reason, _ in wants(told.hear(x(seq=8)))] == ["sequence"]


@pytest.mark.covers("rfc:P105", "evil:E88")
@pytest.mark.parametrize(
    "meanwhile",
    [
        [x(seq=8)],
        [x(h=False)],
        [x(h=False), x()],
        [ra(R1, pvd("x.example.", h=True, seq=7), life=0)],
    ],
    ids=["sequence", "h-cleared", "h-again", "ended"],
)
def test_a_late_result_is_discarded(meanwhile: list[AnyEvent]) -> None:
    told = Story().hear(x(), asks(request=4)).at(1).hear(*meanwhile).at(2)
    before = wants(told)
    told.hear(fetches(request=4))
    late = told.state.inquiries.get((X, "e0", 1))
    assert late is None or late.held is None
    assert wants(told) == before
    elsewhere = Story().hear(x(), asks(request=4)).detach().attach().hear(x(), fetches(request=4))
    assert elsewhere.state.inquiries[X, "e0", 2].held is None, "nor does it count on the next attachment"
    assert holds(Story().hear(x(), asks(request=4)).at(2).hear(fetches(request=4)))


@pytest.mark.covers("rfc:P107")
def test_an_ra_without_h_does_not_touch_the_remembered_sequence() -> None:
    told = Story().hear(x(seq=7), asks(), fetches(request=1)).at(4).hear(x(seq=0, h=False))
    assert inquiry(told).sequence == 7 and wants(told) == []
    told.at(5).hear(x(seq=7))
    assert wants(told) == [(X, "again", None)], "newly available, and not another sequence"
    assert wants(told.hear(draws(0))) == [(X, "again", 10)], "the gap since the last request is kept"


@pytest.mark.covers("rfc:P111")
@pytest.mark.parametrize(
    ("identifier", "same"),
    [("X.eXample.", True), ("x.example", True), ("y.example.", False), ("x.example.org.", False), ("", False)],
)
def test_the_identifier_is_compared_as_pvd_ids_are(identifier: str, same: bool) -> None:
    assert holds(Story().hear(x(), fetches(identifier=identifier))) == same


@pytest.mark.covers("rfc:P117")
def test_an_expiry_in_the_far_future_makes_nothing_permanent() -> None:
    told = Story(info_age_max_s=600).hear(x(pio(P, None)), fetches("::/0", life_s=10**9))
    assert holds(told.at(599)) and weakest(told.state, told.pvd(X)) == "none"
    assert not holds(told.at(601))


@pytest.mark.covers("rfc:P126")
@pytest.mark.covers("rfc:A13", part="negative")
def test_a_valid_object_raises_no_trust() -> None:
    told = Story().hear(x(pio(P)), fetches("2001:db8::/32"))
    assert holds(told) and weakest(told.state, told.pvd(X)) == "none"


@pytest.mark.covers("rfc:P29", "feat:B4")
@pytest.mark.covers("rfc:P20", "rfc:A04", part="negative")
def test_two_links_with_one_name_share_nothing() -> None:
    told = Story().hear(x(), ra(R1, pvd("x.example.", h=True, seq=9), link="e1"), fetches())
    assert [(one.link, one.epoch) for one in told.instances(X)] == [("e0", 1), ("e1", 1)]
    assert holds(told) and not holds(told, link="e1"), "what was fetched on one link is not used on the other"
    assert (inquiry(told).sequence, inquiry(told, link="e1").sequence) == (7, 9)
    told.hear(fails("http", seq=9))  # an answer of e0 for a sequence that only e1 has: of nobody
    assert told.state.networks.get(("e0", 1)) is None and not inquiry(told, link="e1").barred
    told.at(5).hear(ra(R1, pvd("x.example.", seq=9), link="e1"))
    assert holds(told), "and that one link has it no more ends nothing on the other"
    told.detach("e0")
    assert [(one.link, one.epoch) for one in told.instances(X)] == [("e1", 1)]


def test_the_pvd_that_ends_takes_its_information_along_and_comes_back_without() -> None:
    told = Story().hear(x(pio(P, 60, 60)), fetches("::/0")).hear(ra(R1, pvd("x.example.", pio(P, 0, 0)), life=0))
    assert told.alive() == [] and not holds(told)
    assert lines(told)[-1][1] == "withdrawn", "the PvD's own end is the cause"
    assert [reason for _, reason, _ in wants(told.at(5).hear(x()))] == ["again"]


@pytest.mark.covers("rfc:P88", "rfc:P104")
def test_an_expired_object_in_place_of_a_good_one_ends_that() -> None:
    told = Story().hear(x(), fetches(life_s=600)).at(10).hear(asks(), fetches(life_s=5, request=1))
    assert not holds(told) and inquiry(told).dropped == "expired"
    assert lines(told) == [(0, "info"), (10, "info-expired")]
    told.at(20).hear(asks(request=2), fetches(life_s=1200, request=2)).at(700)
    assert holds(told), "the end of the first object is none of this one"
    assert inquiry(told).dropped == "", "and what became of it is told no more"


@pytest.mark.parametrize("ends", ["h", "link"])
def test_the_end_of_an_object_that_is_gone_ends_nothing(ends: str) -> None:
    told = Story().hear(x(), fetches(life_s=600)).at(10)
    told = told.detach() if ends == "link" else told.hear(x(h=False))
    before = len(lines(told))
    assert len(lines(told.at(700))) == before and wants(told) == []


@pytest.mark.covers("rfc:P111")
def test_every_letter_of_an_identifier_is_compared_without_its_case() -> None:
    name = "abcdefghijklmnopqrstuvwxyz.example."
    said = AdditionalInformation(name.upper(), START + 3600 * SECOND, ())
    told = Story().hear(named(name), PvdInfoFetched(f"fqdn:{name}", "e0", 1, 1, "{}", said))
    assert holds(told, f"fqdn:{name}")
    other = AdditionalInformation(name.replace("a", "[", 1), START + 3600 * SECOND, ())
    told = Story().hear(named(name), PvdInfoFetched(f"fqdn:{name}", "e0", 1, 1, "{}", other))
    assert not holds(told, f"fqdn:{name}")


def test_an_object_is_known_by_a_digest_of_its_body_and_ends_at_last() -> None:
    told = Story(info_age_max_s=2**40).hear(x(), fetches(life_s=NEVER, body='{"a": "ä"}'))
    held = inquiry(told).held
    assert held is not None and held.until == NEVER, "no instant is later"
    assert held.digest == blake2b('{"a": "ä"}'.encode(), digest_size=16).hexdigest()
    assert told.history(X)[-1].added == (("info", "info", (held.digest,)),)


def test_what_nobody_waits_for_any_more_is_wanted_again_after_a_restart() -> None:
    told = Story().hear(x(), asks(request=3))
    assert wants(told) == []
    told.at(60).hear(SessionStarted(mode="live", version="0"))
    assert wants(told) == [(X, "new", 10)]


def test_a_snapshot_keeps_it_and_its_deadline() -> None:
    told = Story().hear(x(), fetches(life_s=100), named("y.example."), draws(0, Y)).at(50)
    back = snapshot.decode(snapshot.encode(told.state))
    assert (back.inquiries, back.networks) == (told.state.inquiries, told.state.networks)
    assert check(back) == []
    later = advance(back, START + 200 * SECOND)
    assert later.inquiries[X, "e0", 1].held is None
    assert snapshot.digest(later) == snapshot.digest(told.at(200).state)


def test_a_body_goes_through_the_reader_and_the_fold() -> None:
    body = '{"identifier":"X.example.","expires":"2099-01-01T00:00:00Z","prefixes":["2001:db8:1::/48"]}'
    read = read_info(body.encode())
    assert isinstance(read, PvdInfo)
    said = AdditionalInformation(read.identifier, read.expires, read.prefixes)
    told = Story().hear(
        x(pio(P)), PvdInfoFetched(pvd=X, link="e0", epoch=1, sequence=7, body=body, said=said), x(pio(P))
    )
    assert holds(told)
    comma = read_info(body.replace('"]}', '"],}').encode())
    assert isinstance(comma, Refusal) and comma.counted
    failed = PvdInfoFailed(pvd=X, link="e0", epoch=1, sequence=7, kind="json", detail=comma.detail)
    late = Story().hear(x(pio(P)), failed)
    assert inquiry(late).barred == "json" and comma.detail in late.findings()["info-invalid"].text


def test_answers_for_what_is_not_known_change_nothing() -> None:
    told = Story().hear(fetches(), fails("http"), asks(), draws(1))
    assert not told.state.inquiries and not told.state.networks
    forever = Story().hear(x(pio(P, None), seq=7), fetches("::/0", life_s=(NEVER - START) / SECOND - 10))
    assert holds(forever)


def test_what_is_to_be_fetched_is_told_with_all_that_its_request_needs() -> None:
    told = Story().hear(ra(R1, link="e1")).attach("e1").hear(named("x.example.", link="e1"))
    assert list(wanted(told.state)) == [Want(X, "e1", 2, 1, "new", START, told.state.seq)]


def test_an_object_is_of_all_hosts_and_of_no_lease_in_particular() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", h=True, seq=7, legacy=True)), asks(), fetches(request=1)).leases4()
    shared, own = told.instances(X)
    assert (shared.host, own.host) == ("", CLIENT)
    assert [any(kind == "info" for kind, _, _ in one.content) for one in (shared, own)] == [True, False]
