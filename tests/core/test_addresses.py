"""Addresses this host autoconfigures: RFC 4862 §5.5, RFC 7217, RFC 8981, and whose they are (RFC 8801 §3.4)."""

from ipaddress import IPv6Address

import pytest

from adapters.wire.neighbor.options import prefix_information
from events.identifiers import IdentifierChosen
from events.ids import NEVER, SECOND
from events.link import AddressGone, AddressSeen, DadFailed, LinkSeen
from events.router import IgnoredOption, NeighborAdvertised, NeighborSolicited
from pvdcore.host.addresses import (
    IDGEN_DELAY_MS,
    MAX_DESYNC_S,
    usable,
    wanted_at,
    wanted_identifiers,
)
from pvdcore.past.snapshot import decode, digest, encode
from pvdcore.projections.places import place_mac, place_name
from tests.sim.build import R1, R2, START, Story, dhcp6, dns, ia_address, ia_na, pio, pvd, ra

X, Y, I1 = "fqdn:x.example.", "fqdn:y.example.", "ra:e0/1/fe80::1"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
A = "2001:db8:1::a"
HOUR, DAY = 3600, 86400
MAC = "02:00:00:00:00:99"


def formed(valid: int | None = 10 * HOUR, preferred: int | None = HOUR, **policy: object) -> Story:
    """A host with one address, of one router's prefix."""
    return Story(**policy).hear(ra(R1, pio(P, valid, preferred))).chooses()  # type: ignore[arg-type]


# Formation


@pytest.mark.covers("rfc:S01", "rfc:S03")
@pytest.mark.parametrize(("prefix", "flags"), [(P, "L"), ("2001:db8:1::/63", "LA"), ("2001:db8:1::/65", "LA")])
def test_no_address_without_the_a_flag_or_of_another_length_and_the_l_part_stays(prefix: str, flags: str) -> None:
    told = Story().hear(ra(R1, pio(prefix, flags=flags)))
    assert wanted_identifiers(told.state) == ()
    told.hear(IdentifierChosen(link="e0", epoch=1, prefix=prefix, kind="stable", iid="a"))
    assert told.has() == {}
    assert told.keys(I1, "prefix") == [prefix]
    assert formed().has() == {A: (I1, 10 * HOUR, HOUR)}  # of a /64 with A one is formed


@pytest.mark.covers("rfc:S04")
def test_lifetime_zero_forms_nothing_and_a_covering_prefix_is_another_prefix() -> None:
    told = Story().hear(ra(R1, pio(P, 0, 0)))
    assert wanted_identifiers(told.state) == ()
    assert told.alive() == [I1]
    held = formed()
    held.at(60).hear(ra(R2, pio("2001:db8:1::/48", 7 * DAY, DAY)))
    assert held.has() == {A: (I1, 10 * HOUR, HOUR)}
    held.hear(ra(R2, pio("2001:db8:1::/48", 0, 0)))
    assert held.has() == {A: (I1, 10 * HOUR, HOUR)}


@pytest.mark.covers("rfc:S02", part="negative")
def test_an_ignored_prefix_option_forms_nothing_and_is_on_no_link() -> None:
    from tests.sim.build import ignored

    told = Story().hear(ra(R1, ignored(3, "preferred > valid")))
    assert told.keys(I1, "prefix") == []
    assert wanted_identifiers(told.state) == ()


@pytest.mark.covers("rfc:S16")
def test_a_prefix_that_prefers_delegation_forms_no_address_if_policy_honours_it() -> None:
    delegating = ra(R1, pio(P, flags="LAP"))
    assert wanted_identifiers(Story(honor_p=True).hear(delegating).state) == ()
    assert [one.prefix for one in wanted_identifiers(Story().hear(delegating).state)] == [P]
    assert [one.prefix for one in wanted_identifiers(Story(honor_p=True).hear(ra(R1, pio(P))).state)] == [P]
    told = Story().hear(delegating).chooses("a").at(60).hear(delegating, ra(R1, pio(P, HOUR, HOUR, "LAP")))
    assert told.has() == {A: (I1, 60 + 2 * HOUR, 60 + HOUR)}, "else it is like any other"


# The two-hour rule: (left, announced, then left), in seconds


@pytest.mark.covers("rfc:S05", "rfc:S06", "rfc:S07")
@pytest.mark.parametrize(
    ("left", "announced", "then"),
    [
        (HOUR, 3 * HOUR, 3 * HOUR),  # more than two hours
        (10 * HOUR, 5 * HOUR, 5 * HOUR),  # shorter than before, but more than two hours
        (1800, HOUR, HOUR),  # more than is left
        (5400, 1800, 5400),  # neither: what is left stays
        (7200, 7200, 7200),
        (10 * HOUR, 0, 7200),  # a lot is left: two hours
        (10 * HOUR, 7200, 7200),
        (None, 60, 7200),
    ],
)
def test_what_is_left_of_an_address_after_a_new_lifetime(left: int | None, announced: int, then: int) -> None:
    told = formed(left, left and min(left, HOUR)).at(0).hear(ra(R1, pio(P, announced, 0)))
    assert told.has() == {A: (I1, then, 0)}
    if announced:  # what is announced stays as announced, and the same again changes nothing
        assert told.ends(I1, "prefix", P) == announced
    else:
        assert told.keys(I1, "prefix") == []
    told.at(0).hear(ra(R1, pio(P, announced, 0)))
    assert told.has() == {A: (I1, then, 0)}
    told.at(then)
    assert told.has() == {}


@pytest.mark.covers("rfc:S06", "rfc:S07")
def test_a_short_lifetime_repeated_does_not_make_two_hours_longer_or_shorter() -> None:
    """Each repeat is the cheap path of the fold; the address ends where the first of them left it."""
    told = formed(10 * HOUR).at(60).hear(ra(R1, pio(P, 600, 0)))
    for second in range(120, 7200 + 60, 60):
        told.at(second).hear(ra(R1, pio(P, 600, 0)))
        assert told.has()[A][1] == max(60 + 7200, second + 600)  # more than is left is taken (RFC 4862 §5.5.3 e 1)


@pytest.mark.covers("rfc:S08")
def test_preferred_is_taken_even_where_valid_is_not() -> None:
    told = formed(5400, HOUR).at(10).hear(ra(R1, pio(P, 1800, 0)))
    assert told.has() == {A: (I1, 5400, 10)}
    told.at(20).hear(ra(R1, pio(P, 1800, 900)))
    assert told.has() == {A: (I1, 5400, 920)}


@pytest.mark.covers("rfc:S09", part="negative")
def test_policy_may_take_short_lifetimes_as_they_come() -> None:
    told = formed(10 * HOUR, two_hour_rule=False).at(60).hear(ra(R1, pio(P, 600, 300)))
    assert told.has() == {A: (I1, 660, 360)}
    told.at(70).hear(ra(R1, pio(P, 0, 0)))
    assert told.has() == {}


def test_routers_that_differ_over_a_short_lifetime_are_weighed_each_time() -> None:
    """r1 says ten hours, r2 ten minutes: r2 never gets an address below two hours, nor is it taken for unheard."""
    long, short = ra(R1, pvd("x.example."), pio(P, 10 * HOUR, 0)), ra(R2, pvd("x.example."), pio(P, 600, 0))
    for first, second in ((long, short), (short, long)):
        told = Story().hear(first).at(1).hear(second).chooses()
        for number in range(1, 4):
            told.at(100 * number).hear(long)
            assert told.has()[A][1] == 100 * number + 10 * HOUR
            told.at(100 * number + 1).hear(short)
            assert told.has()[A][1] == 100 * number + 1 + 7200


# Ends


@pytest.mark.covers("rfc:S13", "bug:17")
def test_an_address_ends_with_its_lifetime_and_leaves_its_pvd() -> None:
    told = formed(HOUR, 600)
    assert told.keys(I1, "address") == [f"{A}/64"]
    told.at(HOUR - 1)
    assert told.has() == {A: (I1, HOUR, 600)}
    told.at(HOUR)
    assert told.has() == {}
    assert told.alive() == []
    assert (HOUR, "lapsed", (), (f"{A}/64", P)) in told.moves(I1)


@pytest.mark.covers("rfc:S12")
def test_an_infinite_address_has_no_timer() -> None:
    told = formed(None, None)
    assert told.has() == {A: (I1, None, None)}
    assert told.at(100 * 365 * DAY).has() == {A: (I1, None, None)}


@pytest.mark.covers("rfc:S07", "rfc:S13")
def test_an_address_in_its_last_two_hours_keeps_its_pvd_alive() -> None:
    """A forged goodbye of everything costs a host its router, and no address before two hours."""
    told = formed().at(10).hear(ra(R1, pio(P, 0, 0), life=0))
    assert told.keys(I1, "router") == []
    assert told.has() == {A: (I1, 7210, 10)}
    assert told.at(7210).alive() == []


def test_a_refresh_of_a_thousand_writes_no_version() -> None:
    told = formed()
    before = len(told.history())
    for second in range(1, 1000):
        told.at(second).hear(ra(R1, pio(P, 10 * HOUR, HOUR)))
    assert told.has() == {A: (I1, 999 + 10 * HOUR, 999 + HOUR)}
    assert len(told.history()) == before


@pytest.mark.covers("rfc:S20", part="expected")
def test_a_deprecated_address_stays_configured() -> None:
    told = formed(HOUR, 600).at(700)
    assert told.has() == {A: (I1, HOUR, 600)}


@pytest.mark.covers("rfc:S22")
def test_an_address_keeps_its_ends_over_a_restart() -> None:
    told = formed(2 * HOUR, HOUR).at(HOUR)
    assert told.refolded().host == told.state.host
    again = decode(encode(told.state))
    assert digest(again) == digest(told.state)
    assert again.host == told.state.host
    assert told.has() == {A: (I1, 2 * HOUR, HOUR)}  # one hour is left
    placed = Story(projection="netns").hear(ra(R1)).chooses("b")
    assert placed.at(1000).has() == {"fe80::b": (I1, None, None)}  # link-local: for ever


@pytest.mark.covers("rfc:S21")
def test_an_address_that_slaac_and_dhcp_gave_lives_while_one_does() -> None:
    told = Story().hear(ra(R1, pio(P, HOUR, HOUR), m=True)).chooses()
    told.asks6("REQUEST", ia_na(ia_address(A, 2 * HOUR, 2 * HOUR)))
    from pvdcore.projections.desired import desired

    def ends() -> list[float]:
        places = desired(told.state, host=next(iter(told.state.grants))[1]).places
        return [(one.until - START) / SECOND for place in places for one in place.addresses]

    assert ends() == [2 * HOUR]
    assert told.at(HOUR).keys(I1, "prefix") == []
    assert ends() == [2 * HOUR]


@pytest.mark.covers("rfc:S23")
def test_a_late_router_is_heard_all_the_same() -> None:
    told = Story().at(600).hear(ra(R1, pio(P)), ra(R2, pvd("x.example.")))
    assert told.alive() == [X, I1]
    assert wanted_identifiers(told.state) != ()


# Whose it is


@pytest.mark.covers("rfc:P13", "rfc:S15", "bug:15", part="expected")
def test_addresses_move_with_their_prefix_temporary_ones_too() -> None:
    told = Story(temporary=True).hear(ra(R1, pvd("x.example."), pio(P))).chooses("a", desync_s=600)
    assert {pvd for pvd, _, _ in told.has().values()} == {X}
    before = {address: ends for address, (_, *ends) in told.has().items()}
    told.at(10).hear(ra(R2, pvd("y.example."), pio(P)))
    assert len(told.has()) == 2
    assert {pvd for pvd, _, _ in told.has().values()} == {Y}
    assert {address: [end and end - 10 for end in ends] for address, (_, *ends) in told.has().items()} == before
    assert told.keys(X, "address") == []
    assert told.moves(X)[-1][1:] == ("moved", (), (f"{A}/64", "2001:db8:1::b/64"))
    told.at(20).hear(ra(R1, pvd("x.example."), pio(P)))  # the very words of before
    assert {pvd for pvd, _, _ in told.has().values()} == {X}
    assert told.keys(Y, "address") == []


@pytest.mark.covers("bug:14")
def test_all_addresses_of_an_instance_are_shown_under_their_pvd() -> None:
    told = Story(temporary=True).hear(ra(R1, pvd("x.example."), pio(P), m=True)).chooses("a")
    told.asks6("REQUEST", ia_na(ia_address("2001:db8:1::6")))
    assert sorted(told.keys(X, "address")) == ["2001:db8:1::6/128", f"{A}/64", "2001:db8:1::b/64"]
    assert P not in told.keys(X, "address")  # a prefix is no address
    assert told.holdings(X, "address")[f"{A}/64"] == ("slaac", "stable")
    (answer,) = told.why(A)
    assert (answer.kind, answer.because) == ("address", told.why(P)[0].because)  # the RA that announced its prefix
    assert answer.option == told.why(P)[0].option


# Duplicate address detection


@pytest.mark.covers("rfc:S11", "rfc:S17")
def test_a_tentative_address_is_not_usable_until_detection_has_passed() -> None:
    leased = "2001:db8:1::6"
    told = formed(dad="wait").hear(dhcp6("REQUEST"))
    for address in (A, leased):  # of whatever origin, each by itself
        assert not usable(told.state, "e0", address)
        told.hear(AddressSeen(link="e0", address=f"{address}/64", flags=0x40))
        assert not usable(told.state, "e0", address)
    told.hear(AddressSeen(link="e0", address=f"{A}/64", flags=0))
    assert usable(told.state, "e0", A)
    assert not usable(told.state, "e0", leased)
    assert told.state.host.identifiers["e0", P][0].phase == "assigned"
    told.hear(AddressGone(link="e0", address=f"{A}/64"))
    assert not usable(told.state, "e0", A)
    assert usable(formed(dad="off").state, "e0", A)  # no transmits, nothing to wait for
    hasty = formed().hear(AddressSeen(link="e0", address=f"{A}/64", flags=0x44))
    assert usable(hasty.state, "e0", A)  # optimistic (RFC 4429)


@pytest.mark.covers("rfc:S11", "rfc:S14", "rfc:S28")
def test_a_duplicate_goes_the_next_identifier_is_tried_and_the_fourth_is_the_last() -> None:
    told = formed()
    for counter in range(4):
        one = told.state.host.identifiers["e0", P][0]
        assert (one.dad_counter, one.address) == (counter, f"2001:db8:1::{0xA + counter:x}")
        told.at(counter + 1).hear(DadFailed(link="e0", address=one.address))
        assert told.has() == {}
        assert told.keys(I1, "address") == []
        asked = wanted_identifiers(told.state)
        if counter < 3:
            assert [(ask.kind, ask.dad_counter, ask.delay_ms_max) for ask in asked] == [
                ("stable", counter + 1, IDGEN_DELAY_MS)
            ]
            told.chooses(f"{0xA + counter + 1:x}")  # after whatever delay was drawn
    assert asked == ()  # no fifth, and no other algorithm either
    assert {"duplicate-address", "address-conflict"} <= set(told.findings())
    told.at(60).hear(ra(R1, pio(P, 9 * HOUR, HOUR)))
    assert wanted_identifiers(told.state) == ()


@pytest.mark.covers("rfc:S28")
def test_a_hardware_address_has_no_next_identifier() -> None:
    told = formed(identifier="eui64").hear(DadFailed(link="e0", address=A))
    assert wanted_identifiers(told.state) == ()
    assert told.has() == {}


@pytest.mark.covers("rfc:S17", "rfc:S18")
@pytest.mark.parametrize(
    ("heard", "gone"),
    [
        (NeighborAdvertised(link="e0", source="fe80::77", target=A), True),
        (NeighborSolicited(link="e0", source="::", target=A, mac="02:00:00:00:00:77"), True),
        (NeighborSolicited(link="e0", source="::", target=A, mac=MAC), False),  # our own, looped back
        (NeighborSolicited(link="e0", source="fe80::77", target=A, mac="02:00:00:00:00:77"), False),  # resolution
        (NeighborSolicited(link="e0", source="::", target="2001:db8:1::77", mac="02:00:00:00:00:77"), False),
        (NeighborAdvertised(link="e1", source="fe80::77", target=A), False),
    ],
    ids=["an NA", "another's probe", "our own probe", "a resolver", "another target", "another link"],
)
def test_what_makes_a_tentative_address_a_duplicate(heard: NeighborAdvertised | NeighborSolicited, gone: bool) -> None:
    told = Story().hear(ra(R1, pio(P))).chooses(mac=MAC).hear(heard)
    assert (A in told.has()) != gone
    sure = Story().hear(ra(R1, pio(P))).chooses(mac=MAC)
    sure.hear(AddressSeen(link="e0", address=f"{A}/64", flags=0), heard)
    assert A in sure.has()  # an address that is ours already is defended, not given up


@pytest.mark.covers("rfc:S17", "rfc:S18")
def test_what_a_place_says_passes_the_link_and_is_no_neighbours() -> None:
    """A place's macvlan asks and answers over the link's own device, where we hear it."""
    mine = place_mac(place_name("ra:e0/1/fe80::1", "e0", 1))
    for said in (
        NeighborSolicited(link="e0", source="::", target=A, mac=mine),
        NeighborAdvertised(link="e0", source=A, target=A, mac=mine),  # RFC 4429: an optimistic address answers
    ):
        told = Story().hear(ra(R1, pio(P))).chooses(mac=MAC)
        assert A in told.hear(said).has()


@pytest.mark.covers("rfc:S17", "rfc:S18")
def test_behind_its_detection_an_address_is_defended_and_not_given_up() -> None:
    told = Story().hear(ra(R1, pio(P))).chooses(mac=MAC)
    told.at(3).hear(NeighborSolicited(link="e0", source="::", target=A, mac="02:00:00:00:00:77"))
    told.hear(NeighborAdvertised(link="e0", source="fe80::77", target=A, mac="02:00:00:00:00:77"))
    assert A in told.has()
    assert A not in told.hear(DadFailed(link="e0", address=A)).has(), "the kernel's word counts at any time"


@pytest.mark.covers("rfc:W23", "rfc:S17")
def test_a_leased_address_that_somebody_has_is_void_and_its_sibling_stays() -> None:
    told = Story().hear(ra(R1, pio(P), m=True))
    told.asks6("REQUEST", ia_na(ia_address("2001:db8:1::6"), ia_address("2001:db8:1::7")))
    told.hear(DadFailed(link="e0", address="2001:db8:1::6"))
    assert told.keys(I1, "address") == ["2001:db8:1::7/128"]


@pytest.mark.covers("rfc:S19", "evil:E95")
def test_a_duplicate_of_the_hardware_address_turns_ipv6_off_and_a_random_one_does_not() -> None:
    told = Story().hear(LinkSeen(link="e0", identity="capture:e0", name="e0", mac=MAC))
    told.hear(ra(R1, pio(P), pvd("x.example.")), ra(R2), ra(R1, link="e1")).leases4()
    told.hear(DadFailed(link="e0", address="fe80::1234"))
    assert X in told.alive()
    told.hear(DadFailed(link="e0", address="fe80::ff:fe00:99"))
    assert told.alive() == ["if:e0/1", "ra:e1/1/fe80::1"]  # the IPv4 lease, and the other link
    assert "ipv6-off" in told.findings()
    told.at(5).hear(ra(R1, pio(P), pvd("x.example.")))
    assert X not in told.alive()
    assert told.attach().hear(ra(R1, pvd("x.example."))).alive()[0] == X


# Temporary addresses


@pytest.mark.covers("rfc:S15", part="negative")
def test_a_temporary_address_has_its_own_limits_and_each_its_own_desync() -> None:
    told = Story(temporary=True, identifier="none").hear(ra(R1, pio(P, None, None), pio(Q, 7 * DAY, 7 * DAY)))
    one, two = wanted_identifiers(told.state)
    for ask, iid, desync in ((one, "a", 600), (two, "b", 10**9)):
        told.hear(IdentifierChosen(link="e0", epoch=1, prefix=ask.prefix, kind="temporary", iid=iid, desync_s=desync))
    limits = {A: (I1, 2 * DAY, DAY - 600), "2001:db8:2::b": (I1, 2 * DAY, DAY - MAX_DESYNC_S)}
    assert told.has() == limits
    told.at(HOUR).hear(ra(R1, pio(P, None, None), pio(Q, 7 * DAY, 7 * DAY)))
    assert told.has() == limits  # counted from its creation, whatever is announced later
    short = Story(temporary=True, identifier="none").hear(ra(R1, pio(P, 3 * HOUR, HOUR))).chooses()
    assert short.has() == {A: (I1, 3 * HOUR, HOUR)}  # never beyond its prefix
    assert told.at(2 * DAY).has() == {}


@pytest.mark.covers("rfc:S15", "rfc:S25")
def test_the_next_temporary_address_comes_before_the_last_is_deprecated_and_not_after_the_network_did_it() -> None:
    told = Story(temporary=True, identifier="none").hear(ra(R1, pio(P, None, None))).chooses(desync_s=600)
    assert wanted_identifiers(told.state) == ()
    due = (wanted_at(told.state) - START) / SECOND
    assert due == DAY - 600 - 5  # 2 + 3 × DupAddrDetectTransmits × RetransTimer
    told.at(due)
    (ask,) = wanted_identifiers(told.state)
    assert (ask.kind, ask.generation) == ("temporary", 1)
    told.chooses("b")
    assert wanted_identifiers(told.state) == ()
    fresh = [address for address, (_, _, preferred) in told.has().items() if preferred and preferred > DAY]
    assert fresh == ["2001:db8:1::b"]  # one that is not deprecated, outside the change-over
    assert len(told.has()) == 2
    told.at(due + 100).hear(ra(R1, pio(P, None, 0)))
    assert {preferred for _, _, preferred in told.has().values()} == {due + 100, DAY - 600.0}
    assert wanted_at(told.state) == NEVER  # preferred 0 deprecates, and makes none


@pytest.mark.covers("rfc:S26")
def test_no_temporary_address_that_would_be_deprecated_before_the_next_is_made() -> None:
    for preferred, wanted in ((0, 0), (4, 0), (5, 0), (6, 1)):
        told = Story(temporary=True, identifier="none").hear(ra(R1, pio(P, HOUR, preferred)))
        assert len(wanted_identifiers(told.state)) == wanted


@pytest.mark.covers("rfc:S27", part="expected")
def test_three_temporary_identifiers_that_fail_are_all() -> None:
    told = Story(temporary=True).hear(ra(R1, pio(P, HOUR, HOUR))).chooses("a")
    for number in range(3):
        last = max(told.state.host.identifiers["e0", P], key=lambda one: (one.kind == "temporary", one.generation))
        told.at(number + 1).hear(DadFailed(link="e0", address=last.address))
        told.chooses(f"{0x20 + number:x}")
    assert wanted_identifiers(told.state) == ()
    assert wanted_at(told.state) == NEVER
    assert "address-conflict" in told.findings()
    assert told.has() == {A: (I1, HOUR, HOUR)}  # the stable one is left
    told.at(10).attach().hear(ra(R1, pio(P, HOUR, HOUR)))
    assert "temporary" in {one.kind for one in wanted_identifiers(told.state)}  # for that attachment only


@pytest.mark.covers("rfc:S24")
def test_temporary_addresses_do_not_outlive_the_attachment() -> None:
    told = Story(temporary=True).hear(ra(R1, pio(P))).chooses("a").at(5).attach()
    assert not told.state.host.identifiers
    told.hear(ra(R1, pio(P)))
    assert told.has() == {}
    assert {(one.kind, one.epoch, one.generation) for one in wanted_identifiers(told.state)} == {
        ("stable", 2, 0),
        ("temporary", 2, 0),
    }
    told.hear(IdentifierChosen(link="e0", epoch=1, prefix=P, kind="temporary", iid="b"))
    assert told.has() == {}  # chosen for the attachment that ended


# What doesn't fit


@pytest.mark.parametrize(
    "event",
    [
        IdentifierChosen(link="e9", epoch=1, prefix=P, kind="stable", iid="a"),
        IdentifierChosen(link="e0", epoch=1, prefix=Q, kind="stable", iid="a"),
        IdentifierChosen(link="e0", epoch=1, prefix=P, kind="stable", iid="not hexadecimal"),
        IdentifierChosen(link="e0", epoch=1, prefix=P, kind="stable", iid="1" * 17),
        AddressGone(link="e0", address=A),
        DadFailed(link="e9", address=A),
        DadFailed(link="e0", address="192.0.2.1"),
    ],
)
def test_what_fits_nothing_changes_nothing(event: IdentifierChosen | AddressGone | DadFailed) -> None:
    told = Story().hear(ra(R1, pio(P), dns("2001:db8::53"))).hear(event)
    assert told.has() == {}
    assert told.alive() == [I1]


@pytest.mark.covers("rfc:S29")
def test_each_instance_has_a_link_local_address_of_its_own() -> None:
    told = Story(projection="netns").hear(ra(R1), ra(R2, pvd("x.example."))).chooses("10")
    assert {(address, pvd) for address, (pvd, _, _) in told.has().items()} == {("fe80::10", X), ("fe80::11", I1)}
    told.attach().hear(ra(R1)).chooses("20")  # another network may mean another identifier: nothing of the old is kept
    assert told.has() == {"fe80::20": ("ra:e0/2/fe80::1", None, None)}


@pytest.mark.covers("rfc:S02", part="expected")
@pytest.mark.parametrize(
    ("prefix", "valid", "preferred", "reason"),
    [("fe80::", 200, 100, "prefix-link-local"), ("2001:db8:1::", 100, 200, "prefix-lifetimes")],
)
def test_a_prefix_that_forms_no_address_by_its_content_is_set_aside(
    prefix: str, valid: int, preferred: int, reason: str
) -> None:
    lifetimes = valid.to_bytes(4) + preferred.to_bytes(4)
    octets = bytes((3, 4, 64, 0xC0)) + lifetimes + bytes(4) + IPv6Address(prefix).packed
    option = prefix_information(octets)
    assert isinstance(option, IgnoredOption)
    assert option.reason == reason
    told = Story().hear(ra(R1, option))
    assert wanted_identifiers(told.state) == ()
