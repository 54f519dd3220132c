"""Whose DHCP data is: a function of what is true now (RFC 8801 §3.4.1, §3.4.2; RFC 7556 §2.5)."""

from itertools import permutations

import pytest

from events.codec import AnyEvent
from events.ids import SECOND
from events.operator import ConnectionOpened, Settings, SettingsLoaded
from tests.sim.build import (
    CLIENT,
    DUID,
    OTHER,
    R1,
    R2,
    R3,
    START,
    Story,
    addresses,
    container,
    dhcp4,
    dhcp6,
    dns,
    header,
    ia_address,
    ia_na,
    ia_pd,
    ia_prefix,
    lease4,
    mtu,
    pio,
    pvd,
    ra,
    text,
)

X, Y = "fqdn:x.example.", "fqdn:y.example."
I1, I2, I3 = "ra:e0/1/fe80::1", "ra:e0/1/fe80::2", "ra:e0/1/fe80::3"
FALLBACK = "if:e0/1"
P, Q = "2001:db8:cafe::/64", "2001:db8:beef::/64"
A = "2001:db8:cafe::1234:4567"
DNS6 = addresses(23, "2001:db8::53")
INFORM = "INFORMATION-REQUEST"


def binds(told: Story, address: str = A, *more: object, link: str = "e0") -> Story:
    """An IA_NA of one address."""
    return told.asks6("REQUEST", ia_na(ia_address(address)), *more, link=link)  # type: ignore[arg-type]


# DHCPv6 (§3.4.1)


@pytest.mark.covers("rfc:P30")
def test_stateless_data_go_to_all_pvds_with_o() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)), o=True), ra(R1, pvd("y.example.", pio(Q))), ra(R2, o=True))
    told.asks6(INFORM, DNS6)
    assert told.owners("dhcp6-info") == [X, I2]
    assert told.keys(X, "dns") == told.keys(I2, "dns") == ["2001:db8::53"]
    assert told.keys(Y, "dns") == []


@pytest.mark.covers("rfc:P30", "rfc:P03")
def test_the_effective_o_is_the_inner_headers() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", inner=header(1800, o=True))), ra(R2, o=True, m=False))
    told.hear(ra(R3, pvd("y.example.", inner=header(1800)), o=True))
    told.asks6(INFORM, DNS6)
    assert told.owners("dhcp6-info") == [X, I2]


@pytest.mark.covers("rfc:P31")
def test_m_implies_o_unless_policy_is_strict() -> None:
    packet = ra(R1, pvd("x.example.", pio(P)), m=True)
    assert Story().hear(packet).asks6(INFORM, DNS6).owners("dhcp6-info") == [X]
    strict = Story(strict_o=True).hear(packet, ra(R2, o=True)).asks6(INFORM, DNS6)
    assert strict.owners("dhcp6-info") == [I2]


@pytest.mark.covers("rfc:P32")
def test_an_address_goes_to_the_pvd_with_m_and_its_prefix() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)), m=True), ra(R2, pvd("y.example.", pio(P)), m=False))
    binds(told)
    assert told.owners("dhcp6-address", A) == [X]
    assert f"{A}/128" in told.keys(X, "address")
    assert told.keys(Y, "address") == []


@pytest.mark.covers("rfc:P33")
def test_an_address_without_a_match_is_all_implicit_pvds_and_a_finding() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)), m=True), ra(R1), ra(R2))
    binds(told, "2001:db8:dead::1")
    assert told.owners("dhcp6-address", "2001:db8:dead::1") == [I1, I2]
    assert "dhcp6-no-match" in told.findings()
    matched = binds(Story().hear(ra(R1, pvd("x.example.", pio(P)), m=True)))
    assert "dhcp6-no-match" not in matched.findings()


@pytest.mark.covers("rfc:P34")
def test_without_an_implicit_pvd_the_links_fallback_takes_both_families() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)), m=True))
    binds(told, "2001:db8:dead::1").leases4()
    assert told.owners("dhcp6-address", "2001:db8:dead::1") == [FALLBACK]
    assert told.owners("dhcp4") == [FALLBACK]
    split = binds(Story(fallback="protocol"), "2001:db8:dead::1").leases4()
    assert split.alive() == ["dhcp4:e0/1/192.0.2.1", "dhcp6:e0/1/00030001020000000001"]


@pytest.mark.covers("rfc:P35")
def test_of_several_matches_the_longest_wins_then_the_newest() -> None:
    wide = "2001:db8:cafe::/48"
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)), m=True)).at(1)
    told.hear(ra(R2, pvd("y.example.", pio(wide)), m=True))
    assert binds(told).owners("dhcp6-address", A) == [X]
    tie = Story().hear(ra(R1, pvd("x.example.", pio(P)), m=True)).at(1)
    tie.hear(ra(R2, pvd("y.example.", pio(P)), m=True))
    assert binds(tie).owners("dhcp6-address", A) == [Y]
    tie.at(2).hear(ra(R1, pvd("x.example.", pio(P)), m=True))
    assert tie.owners("dhcp6-address", A) == [X]


@pytest.mark.covers("rfc:P36")
def test_a_reply_before_the_ra_moves_when_the_ra_comes() -> None:
    told = binds(Story())
    assert told.owners("dhcp6-address", A) == [FALLBACK]
    told.at(1).hear(ra(R1, pvd("x.example.", pio(P)), m=True))
    assert told.owners("dhcp6-address", A) == [X]
    assert told.alive() == [X]
    assert told.history(FALLBACK)[-1].cause == "moved"
    later = binds(Story().hear(ra(R1, pvd("x.example."), m=True)))
    assert later.owners("dhcp6-address", A) == [FALLBACK]
    assert later.hear(ra(R1, pvd("x.example.", pio(P)), m=True)).owners("dhcp6-address", A) == [X]


@pytest.mark.covers("rfc:P36")
def test_the_order_of_arrival_is_irrelevant() -> None:
    ras: list[AnyEvent] = [
        ra(R1, pvd("x.example.", pio(P), legacy=True), m=True),
        ra(R1, pvd("y.example.", pio("2001:db8:cafe::/48")), m=True, o=True),
        ra(R2, o=True),
    ]
    found = set()
    for order in permutations([*ras, "dhcp"]):
        told = Story()
        for one in order:
            if isinstance(one, str):
                binds(told, A, DNS6).leases4()
            else:
                told.hear(one)
        found.add(
            tuple(
                tuple(told.owners(rule, subject))
                for rule, subject in (("dhcp4", ""), ("dhcp6-address", A), ("dhcp6-info", ""))
            )
        )
    assert found == {((X,), (X,), (X, Y, I2))}


@pytest.mark.covers("rfc:P37")
def test_when_o_clears_the_data_leave() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)), o=True), ra(R2, o=True)).asks6(INFORM, DNS6)
    told.at(10).hear(ra(R1, pvd("x.example.", pio(P))))
    assert told.owners("dhcp6-info") == [I2]
    assert told.keys(X, "dns") == []
    last = told.history(X)[-1]
    assert (last.cause, last.removed) == ("moved", (("dns", "2001:db8::53", ()),))


@pytest.mark.covers("rfc:P38")
def test_a_delegated_prefix_wants_a_prefix_around_it() -> None:
    given = "2001:db8:100::/56"
    around = ra(R1, pvd("x.example.", pio("2001:db8:100::/48", flags="")), m=True)
    told = Story().hear(around, ra(R2, pvd("y.example."), m=True)).asks6("REQUEST", ia_pd(ia_prefix(given)))
    assert told.owners("dhcp6-prefix", given) == [X]
    inside = Story().hear(
        ra(R1, pvd("x.example.", pio("2001:db8:100::/64")), m=True), ra(R2, pvd("y.example."), m=True)
    )
    inside.hear(ra(R3)).asks6("REQUEST", ia_pd(ia_prefix(given)))
    assert inside.owners("dhcp6-prefix", given) == ["ra:e0/1/fe80::3"]  # the wrong way round is no match
    only = Story().hear(ra(R1, pvd("x.example.", pio(P)), m=True), ra(R2)).asks6("REQUEST", ia_pd(ia_prefix(given)))
    assert only.owners("dhcp6-prefix", given) == [X]
    preferring = Story().hear(ra(R1, pvd("x.example.", pio(P, flags="LP"))), ra(R2))
    assert preferring.asks6("REQUEST", ia_pd(ia_prefix(given))).owners("dhcp6-prefix", given) == [X]


@pytest.mark.covers("rfc:P39")
def test_an_ra_on_another_link_matches_nothing() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)), m=True, link="e1"))
    assert binds(told).owners("dhcp6-address", A) == [FALLBACK]
    assert told.keys(X, "address") == []
    assert binds(told, link="e1").owners("dhcp6-address", A) == [X, FALLBACK]
    assert told.keys(X, "address") == [f"{A}/128"]
    assert [one.link for one in told.instances(X)] == ["e1", "e1"]


@pytest.mark.covers("rfc:P40")
@pytest.mark.parametrize("flags", ["", "L", "A", "LA"])
def test_any_prefix_matches_whatever_its_flags_outer_or_nested(flags: str) -> None:
    nested = Story().hear(ra(R1, pvd("x.example.", pio(P, flags=flags)), m=True))
    assert binds(nested).owners("dhcp6-address", A) == [X]
    outer = Story().hear(ra(R1, pio(P, flags=flags), pvd("x.example."), m=True))
    assert binds(outer).owners("dhcp6-address", A) == [X]
    assert binds(Story().hear(ra(R1, pio(Q, flags=flags), pvd("x.example."), m=True))).owners("dhcp6-address", A) == [
        FALLBACK
    ]


@pytest.mark.covers("rfc:P41")
def test_a_prefix_that_ran_out_matches_no_longer() -> None:
    told = binds(Story().hear(ra(R1, pvd("x.example.", pio(P, 600)), m=True), ra(R2)))
    assert told.at(599).owners("dhcp6-address", A) == [X]
    assert told.at(600).owners("dhcp6-address", A) == [I2]
    moved = told.history(I2)[-1]
    assert (moved.cause, [item[0] for item in moved.added]) == ("moved", ["address", "lease"])


@pytest.mark.covers("rfc:P42")
def test_the_match_may_be_an_implicit_pvd() -> None:
    told = Story().hear(ra(R1, pio(P), m=True), ra(R2, pio(Q), m=True))
    assert binds(told).owners("dhcp6-address", A) == [I1]


@pytest.mark.covers("rfc:P43")
def test_resolvers_follow_o_and_addresses_follow_m() -> None:
    told = Story(strict_o=True).hear(
        ra(R1, pvd("x.example.", pio(Q)), o=True), ra(R2, pvd("y.example.", pio(P)), m=True)
    )
    binds(told, A, DNS6)
    assert told.owners("dhcp6-info") == [X]
    assert told.owners("dhcp6-address", A) == [Y]
    loose = Story().hear(ra(R1, pvd("x.example.", pio(Q)), o=True), ra(R2, pvd("y.example.", pio(P)), m=True))
    assert binds(loose, A, DNS6).owners("dhcp6-info") == [X, Y]


# DHCPv4 (§3.4.2)


@pytest.mark.covers("rfc:P45")
def test_a_lease_is_the_one_pvds_with_l() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", legacy=True)), ra(R1, pvd("y.example.")), ra(R2)).leases4()
    assert told.owners("dhcp4") == [X]
    assert told.keys(X, "address") == ["192.0.2.10/24"]
    assert told.keys(I2, "address") == []


@pytest.mark.covers("rfc:P46")
def test_two_claimants_are_a_finding_and_neither_gets_it() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", legacy=True)), ra(R1, pvd("y.example.", legacy=True)), ra(R1), ra(R2))
    assert told.leases4().owners("dhcp4") == [I1, I2]
    assert "several-l-flags" in told.findings()
    assert "several-l-flags" not in Story().hear(ra(R1, pvd("x.example.", legacy=True))).leases4().findings()


@pytest.mark.covers("rfc:P47")
def test_without_a_claimant_all_implicit_pvds_have_it() -> None:
    told = Story().hear(ra(R1), ra(R2), ra(R1, pvd("y.example."))).leases4()
    assert told.owners("dhcp4") == [I1, I2]
    assert told.keys(Y, "address") == []


def test_a_lease_whose_pvd_ends_is_placed_in_the_oldest_of_those_that_are_left() -> None:
    told = Story().hear(ra(R1, life=60), ra(R3), ra(R2)).leases4()
    (lease,) = told.state.grants.values()
    assert (lease.owners, lease.placed) == ((I1, I2, I3), I1)
    (lease,) = told.at(61).state.grants.values()
    assert (lease.owners, lease.placed) == ((I2, I3), I3)


def test_pvds_that_share_a_lease_share_its_instance() -> None:
    """In a capture of a network a thousand clients' leases are in each of its routers' PvDs."""
    told = Story().hear(ra(R1), ra(R2)).leases4()
    cell = ("e0", 1, CLIENT)
    one, other = (told.state.pvds[pvd].cells[cell] for pvd in (I1, I2))
    assert one is other
    told.at(5).hear(ra(R3))
    late = told.state.pvds["ra:e0/1/fe80::3"].cells[cell]
    assert late.since > one.since and late.content == one.content
    told.at(9).leases4(text(12, "host"))
    one, other, late = (told.state.pvds[pvd].cells[cell] for pvd in (I1, I2, "ra:e0/1/fe80::3"))
    assert one is other and one.since == START and late.since == START + 5 * SECOND, "a new version of each"


@pytest.mark.covers("rfc:P35", "rfc:P46")
def test_only_a_tie_makes_every_refresh_be_looked_at_and_who_is_tied_is_named() -> None:
    """Where who spoke last decides, a repeat may move an owner; nowhere else."""
    tied = Story().hear(ra(R1, pio(P), m=True), ra(R2, pio(P), m=True)).asks6("REQUEST", ia_na(ia_address(A)))
    assert tied.state.links["e0"].contested
    several = Story().hear(ra(R1, pvd("x.example.", legacy=True)), ra(R2, pvd("y.example.", legacy=True))).leases4()
    assert not several.state.links["e0"].contested
    assert several.findings()["several-l-flags"].text.startswith(f"{X} and {Y} both claim")
    profile = SettingsLoaded(settings=Settings("home", "toml", "", {"ipv4.addresses": ["192.0.2.9/24"]}))
    static = Story().hear(profile, ConnectionOpened(id="home@e0", settings="home", link="e0"))
    assert static.alive() == ["static:home"] and not static.state.links["e0"].contested
    (grant,) = static.state.grants.values()
    assert grant.owners == ("static:home",)


@pytest.mark.covers("rfc:P48")
def test_a_lease_alone_makes_the_fallback_pvd() -> None:
    told = Story().leases4()
    assert told.alive() == [FALLBACK]
    assert set(told.holdings(FALLBACK)) == {"192.0.2.10/24", "dhcp4", "192.0.2.53", "0.0.0.0/0 via 192.0.2.1"}
    only = Story().hear(ra(R1, pvd("y.example."))).leases4()
    assert only.owners("dhcp4") == [FALLBACK]


@pytest.mark.covers("rfc:P49")
def test_when_l_rises_the_lease_moves_once() -> None:
    told = Story().hear(ra(R1), ra(R2, pvd("x.example."))).leases4()
    told.at(5).hear(ra(R2, pvd("x.example.", legacy=True)))
    assert told.owners("dhcp4") == [X]
    assert told.keys(I1, "address") == []
    assert told.pvd(X).legacy
    told.at(10).hear(ra(R2, pvd("x.example.", legacy=True)))
    assert len([one for one in told.history(X) if one.cause == "moved"]) == 1


@pytest.mark.covers("rfc:P50")
def test_a_second_l_that_comes_and_goes_moves_it_there_and_back() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", legacy=True), life=9000), ra(R2, life=9000)).leases4()
    told.at(10).hear(ra(R3, pvd("y.example.", legacy=True), life=600))
    assert told.owners("dhcp4") == [I2]
    assert told.at(609).owners("dhcp4") == [I2]
    assert told.at(610).owners("dhcp4") == [X]
    lease = [one for one in told.history() if one.host == CLIENT]
    assert [((one.at - lease[0].at) // 10**9, one.pvd, one.phase) for one in lease] == [
        (0, X, "announced"),
        (10, X, "gone"),
        (10, I2, "announced"),
        (610, X, "announced"),
        (610, I2, "gone"),
    ]


@pytest.mark.covers("rfc:P51")
def test_a_pvd_that_claims_no_more_has_no_lease_also_where_its_router_speaks_of_another_like_it() -> None:
    beside = container("00112233-4455-6677-8899-aabbccddeeff", dns("2001:db8::53"))
    told = Story().hear(ra(R2), ra(R1, pvd("x.example.", legacy=True), beside)).leases4()
    assert told.owners("dhcp4") == [X]
    assert told.hear(ra(R1, pvd("x.example."), beside)).owners("dhcp4") == [I2]


def test_a_lease_leaves_a_pvd_that_has_nothing_left_with_a_lifetime_of_its_own() -> None:
    told = Story().hear(ra(R1, mtu(1400), life=60), ra(R2)).leases4()
    assert told.owners("dhcp4") == [I1, I2]
    assert told.at(60).owners("dhcp4") == [I2]


def test_the_fall_back_of_a_lease_that_another_server_prolongs_is_that_servers_where_policy_splits_it() -> None:
    told = Story(fallback="protocol").leases4()
    assert told.owners("dhcp4") == ["dhcp4:e0/1/192.0.2.1"]
    told.hear(dhcp4("REQUEST", addresses(50, "192.0.2.10"), xid=7), lease4(server="192.0.2.2", xid=7))
    assert told.owners("dhcp4") == ["dhcp4:e0/1/192.0.2.2"]


def test_l_is_as_the_last_ra_says() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", legacy=True)), ra(R2)).leases4()
    told.at(5).hear(ra(R1, pvd("x.example.")))
    assert told.owners("dhcp4") == [I2]
    assert not told.pvd(X).legacy


@pytest.mark.covers("rfc:P52")
def test_l_claims_on_its_own_link_only() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", legacy=True))).leases4(link="e1")
    assert told.owners("dhcp4") == ["if:e1/1"]


@pytest.mark.covers("rfc:P53")
def test_an_expired_pvd_claims_no_longer() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", legacy=True), life=600)).leases4(life=None)
    assert told.at(599).owners("dhcp4") == [X]
    assert told.at(600).owners("dhcp4") == [FALLBACK]
    assert told.alive() == [FALLBACK]


@pytest.mark.covers("rfc:P54")
def test_two_routers_that_differ_in_l_do_not_move_it_about() -> None:
    with_l, without = ra(R1, pvd("x.example.", legacy=True)), ra(R2, pvd("x.example."))
    told = Story().hear(with_l, without, ra(R3)).leases4()
    for second in range(1, 10):
        told.at(second).hear(with_l if second % 2 else without)
        assert told.owners("dhcp4") == [X]
    assert len([one for one in told.history() if one.host == CLIENT]) == 1
    assert "l-flag-differs" in told.findings()
    told.at(20).hear(ra(R1, pvd("x.example.")))
    assert told.owners("dhcp4") == ["ra:e0/1/fe80::3"]


@pytest.mark.covers("rfc:F14", "rfc:V24")
def test_portal_and_names_of_a_lease_move_with_it() -> None:
    told = Story().hear(ra(R1, pvd("x.example."))).leases4(text(114, "https://a.example/"), text(15, "one.example"))
    assert told.holdings(FALLBACK, "captive_portal") == {"uri": ("https://a.example/",)}
    told.at(5).hear(ra(R1, pvd("x.example.", legacy=True)))
    assert told.holdings(X, "captive_portal") == {"uri": ("https://a.example/",)}
    assert told.keys(X, "search") == ["one.example."]
    assert told.alive() == [X]


@pytest.mark.covers("rfc:V29")
def test_each_client_has_an_instance_of_its_own() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", legacy=True))).leases4().leases4(mac=OTHER)
    assert sorted(one.host for one in told.instances(X)) == ["", CLIENT, OTHER]
    told.at(5).asks6(INFORM, DNS6)
    assert DUID not in {one.host for one in told.instances(X)}
    assert told.owners("dhcp6-info", host=DUID) == [FALLBACK]
    assert told.hear(dhcp6("RELEASE")).owners("dhcp6-info", host=DUID) == [FALLBACK]  # it rests on no lease


def test_a_tie_is_remembered_while_other_leases_come() -> None:
    x, y = ra(R1, pvd("x.example.", pio(P)), m=True), ra(R2, pvd("y.example.", pio(P)), m=True)
    told = binds(Story().hear(x).at(1).hear(y))
    assert told.owners("dhcp6-address", A) == [Y]
    told.at(2).leases4()
    assert told.state.links["e0"].contested
    assert told.at(3).hear(x).owners("dhcp6-address", A) == [X]  # the very words of before, and still they count


def test_a_line_of_history_says_why_a_lease_came_or_moved_and_because_of_which_record() -> None:
    told = Story().hear(ra(R1)).leases4()
    came = [one for one in told.history(I1) if one.host == CLIENT]
    assert [(one.cause, one.because) for one in came] == [("leased", told.state.seq)]
    told.at(5).hear(ra(R2, pvd("x.example.", legacy=True)))
    moved = [one for one in told.history() if one.host == CLIENT][1:]
    seq = told.state.seq
    assert [(one.pvd, one.cause, one.because, one.seq) for one in moved] == [
        (X, "moved", seq, seq),
        (I1, "moved", seq, seq),
    ]
