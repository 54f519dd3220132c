"""Which PvD a Router Advertisement belongs to, and what is kept apart (RFC 8801 §3.2–3.4)."""

import re
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from events.ids import SECOND
from events.link import LinkSeen
from events.router import NdOption, RouterAdvertised
from events.session import SessionStarted
from pvdcore.domains.pvds import RECENT
from pvdcore.projections.desired import desired
from tests.sim.build import (
    R1,
    R2,
    START,
    Story,
    container,
    dns,
    header,
    ignored,
    mtu,
    pio,
    portal,
    pref64,
    pvd,
    ra,
    rio,
    search,
    steering,
)

X, Y = "fqdn:x.example.", "fqdn:y.example."
I1, I2 = "ra:e0/1/fe80::1", "ra:e0/1/fe80::2"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
UID = "urn:uuid:236da4f7-600b-85cb-b2b8-04d330669a9c"
A_UUID, B_UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b811-9dad-11d1-80b4-00c04fd430c8"


@pytest.mark.covers("rfc:P01")
def test_all_of_an_ra_with_the_option_is_the_explicit_pvds() -> None:
    told = Story().hear(ra(R1, pio(P), mtu(1400), pvd("x.example.", dns("2001:db8::53"))))
    assert told.alive() == [X]
    assert set(told.holdings(X)) == {P, R1, "mtu", "2001:db8::53"}
    assert I1 not in told.state.pvds


@pytest.mark.covers("rfc:P02")
def test_without_the_option_each_router_on_each_link_is_a_pvd() -> None:
    told = Story().hear(ra(R1, pio(P)), ra(R2, pio(Q)), ra(R1, link="e1"))
    assert told.alive() == [I1, I2, "ra:e1/1/fe80::1"]
    assert told.keys(I1, "prefix") == [P]
    assert told.keys(I2, "prefix") == [Q]
    assert told.keys("ra:e1/1/fe80::1", "prefix") == []


@pytest.mark.covers("rfc:P03")
def test_the_inner_header_wins_over_the_outer() -> None:
    inner = header(0, pref="high", m=True)
    told = Story().hear(ra(R1, pvd("x.example.", pio(P), inner=inner), life=1800, pref="low"))
    assert told.keys(X, "router") == []  # no default route from the outer lifetime
    origin = told.origin(X, R1)
    assert origin is not None
    assert origin.header.managed


@pytest.mark.covers("rfc:P04")
def test_an_outer_lifetime_of_zero_is_no_withdrawal_where_there_is_an_inner_one() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", inner=header(1600)), life=0))
    assert told.ends(X, "router", R1) == 1600
    ceased = Story(cease_on_outer_zero=True).hear(ra(R1, pvd("x.example.", pio(P), inner=header(1600)), life=0))
    assert ceased.keys(X, "router") == []


@pytest.mark.covers("rfc:P05")
def test_only_the_first_option_counts_and_the_second_is_a_finding() -> None:
    # The wire reader hands on a further option 21 as an ignored one.
    told = Story().hear(ra(R1, pio(P), pvd("x.example.", dns("2001:db8::53")), ignored(21, "duplicate")))
    assert told.alive() == [X]
    assert Y not in told.state.pvds
    assert told.findings()["duplicate-pvd-option"].pvd == X


@pytest.mark.covers("rfc:P12", "feat:B6")
def test_a_name_in_another_case_is_the_same_pvd() -> None:
    # The wire reader lowers the case and keeps what was sent beside it; the fold must go by the former alone.
    loud = replace(pvd("x.example.", pio(Q)), name_as_sent="X.Example.")
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)))).at(10).hear(ra(R1, loud))
    assert told.alive() == [X]
    assert told.keys(X, "prefix") == [P, Q]
    assert [one.phase_before for one in told.history(X)] == ["", "announced"]


@pytest.mark.covers("rfc:P13", "rfc:P65", "rfc:D08")
def test_what_an_ra_carries_belongs_to_its_pvd_alone() -> None:
    said = (pio(P), rio("2001:db8:ff::/48"), dns("2001:db8::53"), search("one.example."))
    told = Story().hear(ra(R1, pvd("x.example.", *said)), ra(R2, pio(Q)))
    assert set(told.holdings(X)) == {R1, P, "2001:db8:ff::/48 via fe80::1", "2001:db8::53", "one.example."}
    assert set(told.holdings(I2)) == {R2, Q}


@pytest.mark.covers("rfc:P14", "rfc:N14")
def test_absence_withdraws_nothing() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P, 600), dns("2001:db8::53", life=900))))
    told.at(300).hear(ra(R1, pvd("x.example.")))
    assert told.ends(X, "prefix", P) == 600
    assert told.ends(X, "dns", "2001:db8::53") == 900
    assert told.at(600).keys(X, "prefix") == []  # its own lifetime ends it
    assert told.keys(X, "dns") == ["2001:db8::53"]


@pytest.mark.covers("rfc:P15", "rfc:P27")
def test_a_pvd_split_over_several_ras_is_their_union() -> None:
    first, second = ra(R1, pvd("x.example.", pio(P))), ra(R1, pvd("x.example.", dns("2001:db8::53")))
    told = Story().hear(first)
    assert told.keys(X, "prefix") == [P]  # not held back until complete
    told.at(1).hear(second)
    assert (told.keys(X, "prefix"), told.keys(X, "dns")) == ([P], ["2001:db8::53"])
    told.at(600).hear(first).at(601).hear(second)
    assert (told.keys(X, "prefix"), told.keys(X, "dns")) == ([P], ["2001:db8::53"])
    assert told.ends(X, "prefix", P) == 600 + 86400
    assert len(told.history(X)) == 2  # the second round is nothing new


@pytest.mark.covers("rfc:P16")
def test_one_address_carries_several_explicit_pvds_and_an_implicit_one() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), life=600), ra(R1, pvd("y.example."), life=900), ra(R1, life=1200))
    assert told.alive() == [X, Y, I1]
    assert [told.ends(one, "router", R1) for one in (X, Y, I1)] == [600, 900, 1200]


@pytest.mark.covers("rfc:P17")
def test_lifetime_zero_takes_the_router_from_that_pvd_only() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P))), ra(R1, pvd("y.example.", pio(Q))))
    told.at(10).hear(ra(R1, pvd("x.example."), life=0))
    assert told.keys(X, "router") == []
    assert told.keys(X, "prefix") == [P]
    assert told.keys(Y, "router") == [R1]


@pytest.mark.covers("rfc:P18")
def test_another_address_is_another_implicit_pvd_and_the_old_ages_out() -> None:
    told = Story().hear(ra(R1, life=1800)).at(600).hear(ra("fe80::9", life=1800))
    assert told.alive() == [I1, "ra:e0/1/fe80::9"]
    assert told.at(1800).alive() == ["ra:e0/1/fe80::9"]


@pytest.mark.covers("rfc:P19")
def test_another_address_is_a_second_router_of_the_same_explicit_pvd() -> None:
    told = Story().hear(ra(R1, pvd("x.example."))).at(600).hear(ra("fe80::9", pvd("x.example.")))
    assert told.keys(X, "router") == [R1, "fe80::9"]
    told.at(1800)
    assert told.keys(X, "router") == ["fe80::9"]
    assert [one.phase for one in told.history(X)] == ["announced"] * 3


@pytest.mark.covers("rfc:P20")
def test_the_same_name_on_two_links_is_two_instances_that_share_nothing() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P))), ra(R2, pvd("x.example.", pio(Q)), link="e1"))
    one, two = told.instances(X)
    assert (one.link, one.origins, two.link, two.origins) == ("e0", (R1,), "e1", (R2,))
    assert P not in {item[1] for item in two.content}
    assert Q not in {item[1] for item in one.content}
    told.at(5).detach("e0")
    assert [one.link for one in told.instances(X)] == ["e1"]


@pytest.mark.covers("rfc:P22")
def test_an_unaware_fold_skips_the_option_with_all_that_is_in_it() -> None:
    packet = ra(R1, pio(P), pvd("x.example.", pio(Q), dns("2001:db8::53"), inner=header(60)))
    told = Story(aware=False).hear(packet)
    assert told.alive() == [I1]
    assert set(told.holdings(I1)) == {R1, P}
    assert told.ends(I1, "router", R1) == 1800
    assert Story().hear(packet).alive() == [X]


@pytest.mark.covers("rfc:P23", "rfc:P07")
def test_a_nested_option_set_aside_costs_only_itself() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", ignored(3, "preferred > valid"), dns("2001:db8::53"))))
    assert told.keys(X, "prefix") == []
    assert told.keys(X, "dns") == ["2001:db8::53"]
    nested = Story().hear(ra(R1, pvd("x.example.", ignored(21, "nested"), pio(P))))
    assert nested.alive() == [X]
    assert nested.keys(X, "prefix") == [P]
    assert "nested-pvd-option" in nested.findings()


@pytest.mark.covers("rfc:P26")
def test_without_h_sequence_and_delay_mean_nothing() -> None:
    kept = Story().hear(ra(R1), ra(R1, pvd("x.example.", seq=1))).at(1).hear(ra(R1, pvd("x.example.", seq=2)))
    assert (kept.pvd(X).sequence, len(kept.history(X))) == (2, 1), "noted all the same"
    assert (kept.pvd(I1).sequence, kept.pvd(I1).delay) == (None, 0)
    told = Story().hear(ra(R1, pvd("x.example.", pio(P), seq=1)))
    told.at(10).hear(ra(R1, pvd("x.example.", pio(P), seq=2, delay=15)))
    assert len(told.history(X)) == 1
    with_h = Story().hear(ra(R1, pvd("x.example.", pio(P), h=True, seq=1)))
    with_h.at(10).hear(ra(R1, pvd("x.example.", pio(P), h=True, seq=2, delay=15)))
    assert len(with_h.history(X)) == 2
    assert (with_h.pvd(X).sequence, with_h.pvd(X).delay) == (2, 15)


@pytest.mark.covers("feat:A6", "acc:AR7")
def test_a_mif_container_is_a_pvd_beside_the_implicit_one() -> None:
    uuid = "0f0e0d0c-0b0a-0908-0706-050403020100"
    packet = ra(R1, pio(P), container(uuid, pio(Q)))
    told = Story().hear(packet)
    assert told.alive() == [I1, "uuid:" + uuid]
    assert told.keys(I1, "prefix") == [P]
    assert told.keys("uuid:" + uuid, "prefix") == [Q]
    assert Story(mif=False).hear(packet).alive() == [I1]


@pytest.mark.covers("rfc:N27")
def test_the_order_of_options_of_different_kinds_does_not_matter() -> None:
    options = [pio(P), pio(Q), dns("2001:db8::53"), rio("2001:db8:ff::/48"), pref64(), portal("https://a.example/")]
    forward, backward = Story().hear(ra(R1, *options)), Story().hear(ra(R1, *reversed(options)))
    assert forward.instances(I1)[0].content == backward.instances(I1)[0].content
    assert len(forward.instances(I1)[0].content) == 8
    # An option that says something else does matter.
    assert Story().hear(ra(R1, *options[:-1])).instances(I1)[0].content != forward.instances(I1)[0].content


@pytest.mark.covers("rfc:A11")
def test_an_ra_with_nothing_that_ends_lives_for_the_soft_lifetime() -> None:
    told = Story(soft_lifetime_s=100).hear(ra(R1, pvd("x.example."), life=0))
    assert told.alive() == [X]
    assert told.holdings(X) == {}
    told.at(99)
    assert told.alive() == [X]
    assert told.at(100).alive() == []
    # A router that is none, in no PvD, and that says nothing, is nothing.
    assert Story().hear(ra(R1, life=0)).alive() == []


@pytest.mark.covers("rfc:A11")
def test_what_talks_and_says_nothing_that_ends_goes_on_as_long_as_it_is_said() -> None:
    for said, again in (
        (ra(R1, life=0, m=True), ra(R1, life=0, m=True, hop=64)),
        (ra(R1, life=0, o=True), ra(R1, life=0, o=True, hop=64)),
        (ra(R1, pvd("x.example.", mtu(1400)), life=0), ra(R1, pvd("x.example.", mtu(1300)), life=0)),
    ):
        told = Story().hear(said).at(1000).hear(again).at(2000)
        assert len(told.alive()) == 1 and told.at(2800).alive() == []
    assert Story().hear(ra(R1, life=0)).alive() == []
    assert Story().hear(ra(R1, pvd("x.example.", pio(P, 0, 0)), life=0)).alive() == [], "to withdraw is not to talk"
    more = Story().hear(ra(R1, pvd("x.example."), life=0)).at(10).hear(ra(R1, pvd("x.example.", pio(P))))
    assert set(more.holdings(X)) == {P, R1} and set(more.moves(X)[-1][2]) == {R1, P}, "it has a lifetime now"


@pytest.mark.covers("rfc:N27", "feat:R3")
def test_what_is_not_taken_of_an_ra_hides_nothing_behind_it() -> None:
    known = Story().hear(LinkSeen(link="e0", identity="capture:e0", name="e0", mtu=1500), ra(R1, pio(P)))
    assert known.hear(ra(R1, pio(P, 0, 0, flags="A"), dns("2001:db8::53"))).keys(I1, "dns") == ["2001:db8::53"]
    assert known.keys(I1, "prefix") == [P], "L=0 says nothing of an on-link prefix"
    assert known.hear(ra(R1, mtu(9000), dns("2001:db8::54"))).keys(I1, "dns") == ["2001:db8::54", "2001:db8::53"]
    assert known.keys(I1, "mtu") == []
    full = Story(prefixes_max=1).hear(ra(R1, pio(P), pio(Q), dns("2001:db8::53")))
    assert (full.keys(I1, "prefix"), full.keys(I1, "dns")) == ([P], ["2001:db8::53"])


def test_what_is_wrong_with_an_ra_is_told_each_time_whatever_lifetimes_it_counts_down() -> None:
    told = Story().hear(ra(R1, pio(P, 600, 600), pref="reserved"))
    (code,) = told.findings()
    told.at(1).hear(ra(R1, pio(P, 599, 599), pref="reserved"))
    assert told.findings()[code].count == 2


@pytest.mark.covers("feat:R3")
@pytest.mark.parametrize(("routers", "alive"), [(3, 3), (4, 3)])
def test_routers_beyond_the_bound_are_refused_and_found(routers: int, alive: int) -> None:
    told = Story(routers_per_link_max=3)
    told.hear(*(ra(f"fe80::{number}") for number in range(1, routers + 1)))
    assert len(told.alive()) == alive
    assert ("too-many-routers" in told.findings()) == (routers > alive)


@pytest.mark.covers("feat:R3")
def test_pvds_beyond_the_bound_are_refused_and_those_held_are_not() -> None:
    def said(name: str) -> RouterAdvertised:
        return ra(R1, pvd(f"{name}.example.", pio(P)))

    told = Story(pvds_per_link_max=2).hear(said("x"), said("y"), said("z"))
    assert told.alive() == [X, Y]
    assert "too-many-pvds" in told.findings()
    told.at(100).hear(said("x"))
    assert told.ends(X, "prefix", P) == 100 + 86400


@pytest.mark.covers("feat:R3", "feat:A6")
def test_containers_count_as_pvds_and_a_link_may_have_one_whatever_others_have() -> None:
    told = Story(pvds_per_link_max=1).hear(ra(R1, container(A_UUID, mtu(1400)), container(B_UUID, mtu(1400))))
    assert told.alive() == [I1, f"uuid:{A_UUID}"] and "too-many-pvds" in told.findings()
    assert told.hear(ra(R2, container(A_UUID, mtu(1400)))).alive() == [I1, I2, f"uuid:{A_UUID}"]
    behind = ra(R1, container(B_UUID, mtu(1400)), container(A_UUID, dns("2001:db8::53")))
    assert told.hear(behind).keys(f"uuid:{A_UUID}", "dns") == ["2001:db8::53"], "what is refused hides nothing"
    full = Story(pvds_max=2).hear(ra(R1, container(A_UUID, mtu(1400))), ra(R1, pvd("x.example."), link="e1"))
    assert Y not in full.hear(ra(R1, pvd("y.example."), link="e1")).alive()
    first = Story(pvds_max=1).hear(ra(R1, pvd("x.example.")), ra(R1, pvd("y.example."), link="e1"))
    assert first.alive() == [X, Y]


def test_what_ends_at_the_instant_another_was_to_be_asked_is_not_overlooked() -> None:
    """Two routers' deadlines fall together, and only one of them still means it."""
    told = Story().hear(ra(R1, pvd("x.example."), life=1800), ra(R2, pvd("x.example."), life=1800))
    told.at(600).hear(ra(R2, pvd("x.example."), life=1800))
    told.at(1800)
    assert told.keys(X, "router") == [R2]
    assert told.moves(X)[-1] == (1800, "lapsed", (), (R1,))


@pytest.mark.covers("rfc:N14")
def test_of_two_routers_that_differ_the_one_heard_last_counts_repeats_included() -> None:
    """N14: for a single-valued parameter the newest value counts."""
    one, two = ra(R1, pvd("x.example.", mtu(1400), h=True, seq=1)), ra(R2, pvd("x.example.", mtu(1300), h=True, seq=2))
    told = Story().hear(one).at(1).hear(two)
    assert told.holdings(X, "mtu") == {"mtu": (1300,)}
    told.at(2).hear(one)
    assert told.holdings(X, "mtu") == {"mtu": (1400,)}
    assert told.pvd(X).sequence == 1
    assert told.history(X)[-1].changed == ((("mtu", "mtu", (1300,)), ("mtu", "mtu", (1400,))),)


@pytest.mark.covers("rfc:N14", "feat:A6")
def test_the_newest_value_counts_in_each_pvd_that_a_repeated_ra_speaks_of() -> None:
    uuid = A_UUID
    for mine in ((), (pvd("x.example."),)):  # beside an implicit PvD, beside an explicit one of its own
        first = ra(R1, *mine, container(uuid, mtu(1400), dns("2001:db8::53")))
        told = Story().hear(first).at(1).hear(ra(R2, container(uuid, mtu(1300), dns("2001:db8::53"))))
        assert told.holdings(f"uuid:{uuid}", "mtu") == {"mtu": (1300,)}
        assert told.at(2).hear(first).holdings(f"uuid:{uuid}", "mtu") == {"mtu": (1400,)}
        assert told.history(f"uuid:{uuid}")[-1].changed == ((("mtu", "mtu", (1300,)), ("mtu", "mtu", (1400,))),)


@pytest.mark.covers("rfc:N14", "rfc:F07")
def test_in_what_order_stands_what_several_messages_said() -> None:
    a, b, c = "2001:db8::a", "2001:db8::b", "2001:db8::c"
    told = Story().hear(ra(R1, pvd("x.example.", dns(a, b)))).at(1).hear(ra(R2, pvd("x.example.", dns(b, a))))
    assert told.keys(X, "dns") == [a, b], "where the first to say them put them"
    assert told.at(2).hear(ra(R2, pvd("x.example.", dns(c)))).keys(X, "dns") == [c, a, b], "what is new comes first"
    nat = Story().hear(ra(R1, pref64("2001:db8:b::/96"))).at(1).hear(ra(R1, pref64("2001:db8:a::/96")))
    assert nat.keys(I1, "pref64") == ["2001:db8:b::/96", "2001:db8:a::/96"], "as received"
    same = Story().hear(ra(R2, pvd("x.example.", mtu(1300))), ra(R1, pvd("x.example.", mtu(1400))))
    assert same.holdings(X, "mtu") == {"mtu": (1400,)}, "at one instant the lower address counts"


@pytest.mark.parametrize(
    ("kind", "make", "first", "second"),
    [
        ("dns", dns, "2001:db8::a", "2001:db8::b"),
        ("search", search, "a.example.", "b.example."),
        ("pref64", pref64, "2001:db8:a::/96", "2001:db8:b::/96"),
    ],
)
def test_another_order_of_use_is_a_version(kind: str, make: Callable[..., NdOption], first: str, second: str) -> None:
    moved, stays = (first, second) if kind == "pref64" else (second, first)
    told = Story().hear(ra(R1, pvd("x.example.", make(first), make(second))))
    told.at(1).hear(ra(R2, pvd("x.example.", make(moved))))
    assert told.keys(X, kind) == [first, second]
    told.at(2).hear(ra(R1, pvd("x.example.", make(moved, life=0))))
    assert told.keys(X, kind) == [second, first], "who is left said it later"
    last = told.history(X)[-1]
    assert last.changed == (((kind, "order", (first, second)), (kind, "order", (second, first))),)
    assert (last.added, last.removed, stays in told.keys(X, kind)) == ((), (), True)


@pytest.mark.covers("rfc:A16", "rfc:P02")
def test_what_is_kept_of_a_pvd_beside_what_it_holds() -> None:
    told = Story().hear(*(ra(R1, mtu(1400 + one)) for one in range(10)))
    one = told.pvd(I1)
    assert (one.name, one.kind, one.source, one.uid) == ("e0/1/fe80::1", "implicit", "ra", UID)
    assert (len(one.recent), one.recent[-1]) == (8, told.state.seq) == (RECENT, told.state.seq)
    assert told.hear(ra(R1, mtu(1409))).pvd(I1).recent == one.recent, "a version each, and no more"
    (instance,) = told.at(5).hear(ra(R1, mtu(1300))).instances(I1)
    assert (instance.since, instance.version) == (START, 11)
    assert told.at(1805).pvd(I1).last_seen == START + 5 * SECOND and told.pvd(I1).ended == told.state.now
    assert told.pvd(I1).versions == 12, "its end is one more"
    mif = Story().hear(ra(R1, container(A_UUID, mtu(1400)))).pvd(f"uuid:{A_UUID}")
    assert (mif.name, mif.uid, mif.kind, mif.source) == (A_UUID, f"uuid:{A_UUID}", "explicit", "mif")


@pytest.mark.covers("rfc:P21")
def test_a_pvd_that_the_operator_does_not_use_is_tracked_and_written_nowhere() -> None:
    said = (
        ra(R1, pvd("x.example.", pio(P), dns("2001:db8::1"))),
        ra(R2, pvd("y.example.", pio(Q), dns("2001:db8::2"))),
    )
    told = Story(ignored="fqdn:y.* ra:*", dad="off").hear(*said, ra("fe80::3")).chooses("a")
    assert told.alive() == [X, Y, "ra:e0/1/fe80::3"] and told.keys(Y, "dns") == ["2001:db8::2"]
    told.at(10).hear(ra(R2, pvd("y.example.", dns("2001:db8::3"))))
    assert told.keys(Y, "dns") == ["2001:db8::3", "2001:db8::2"] and len(told.history(Y)) > 1, "and so is its history"
    (only,) = desired(told.state).places
    assert (only.pvd, only.servers) == (X, ("2001:db8::1",))
    assert {place.pvd for place in steering(told.state).places} == {X}
    every = Story(dad="off").hear(*said).chooses("a")
    assert (
        {place.pvd for place in desired(every.state).places}
        == {X, Y}
        == {it.pvd for it in steering(every.state).places}
    )


@pytest.mark.covers("rfc:N32")
def test_routers_that_disagree_are_told_of_and_those_with_other_prefixes_are_not() -> None:
    def both(first: RouterAdvertised, second: RouterAdvertised) -> str:
        return getattr(Story().hear(first, second).findings().get("ra-inconsistent"), "text", "")

    def x(router: str, *options: object, **said: object) -> RouterAdvertised:
        return ra(router, pvd("x.example.", *options), **said)  # type: ignore[arg-type]

    def timed(one: RouterAdvertised, **values: int) -> RouterAdvertised:
        return replace(one, header=replace(one.header, **values))

    assert both(x(R1, m=True), x(R2)).endswith(": M") and both(x(R1, o=True), x(R2)).endswith(": O")
    assert both(x(R1, hop=64), x(R2, hop=32)).endswith(": hop limit")
    assert both(x(R1, mtu(1400)), x(R2, mtu(1500))).endswith(": MTU")
    for name, word in (("reachable_ms", "reachable time"), ("retrans_ms", "retransmission timer")):
        assert both(timed(x(R1), **{name: 1000}), timed(x(R2), **{name: 2000})).endswith(f": {word}")
        assert not both(timed(x(R1), **{name: 1000}), x(R2)), "0 is no disagreement"
    assert not both(x(R1, hop=64), x(R2)) and not both(x(R1, mtu(1400)), x(R2))
    assert not both(x(R1, pio(P)), x(R2, pio(Q))), "sets of prefixes may differ"
    assert not both(ra(R1, m=True), ra(R2)), "nor are two PvDs to agree"
    lifetimes = Story().hear(x(R1, pio(P, 600, 300)), x(R2, pio(P, 900, 300)))
    assert "prefix-lifetimes-differ" in lifetimes.findings()
    counting = Story().hear(x(R1, pio(P, 600, 300))).at(100).hear(x(R2, pio(P, 500, 200)))
    assert "prefix-lifetimes-differ" not in counting.findings(), "both end at one instant"


UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.mark.covers("rfc:A16")
def test_beyond_its_host_an_implicit_pvd_has_a_name_that_no_other_has() -> None:
    def host(boot: str, identity: str = "netns:1:2:3", after_s: float = 0) -> Story:
        told = Story().hear(SessionStarted(mode="live", version="0", boot=boot)).at(after_s)
        return told.hear(LinkSeen(link="eth0", identity=identity), ra(R1, link="eth0"))

    key = "ra:eth0/1/fe80::1"
    one, same, other = host("aaaa"), host("aaaa"), host("bbbb")
    names = {id(told): told.pvd(key).uid for told in (one, same, other)}
    assert all(UUID.fullmatch(name) for name in names.values())
    assert one.pvd(key).uid == same.pvd(key).uid, "a replay says it again"
    assert one.pvd(key).uid != other.pvd(key).uid, "two hosts, equal keys, merged histories"
    assert "eth0" not in one.pvd(key).uid and "aaaa" not in one.pvd(key).uid
    captures = {host("", name).pvd(key).uid for name in ("capture:a.pcap:0:0", "capture:b.pcap:0:0")}
    assert len(captures | {host("", "capture:a.pcap:0:0", 1).pvd(key).uid}) == 3, "nor do two captures share it"
    uid = one.pvd(key).uid
    assert one.at(10).hear(ra(R1, pio(P), link="eth0")).pvd(key).uid == uid, "content does not change it"
    one.hear(SessionStarted(mode="live", version="0", boot="cccc")).attach("eth0")
    one.hear(ra(R1, link="eth0"))
    assert one.pvd(key).uid == uid and one.pvd("ra:eth0/2/fe80::1").uid != uid, "nor does the next boot"
    assert Story().hear(ra(R1, pvd("x.example."))).pvd(X).uid == X, "an explicit id is one already"
