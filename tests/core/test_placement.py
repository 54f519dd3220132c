"""Where a lease is used: in one PvD at a time, decided after a settle time, and moved for a reason only."""

import pytest

from events.ids import SECOND
from events.link import AttachStarted, LinkGone, LinkSeen
from pvdcore.past import snapshot
from pvdcore.projections.desired import desired
from pvdcore.reduce import advance, next_deadline
from tests.sim.build import (
    CLIENT,
    OTHER,
    R1,
    R2,
    R3,
    START,
    Story,
    dhcp4,
    dhcp6,
    ia_address,
    ia_na,
    ia_pd,
    ia_prefix,
    lease4,
    pio,
    pvd,
    ra,
)

X, Y = "fqdn:x.example.", "fqdn:y.example."
I1, I2 = "ra:e0/1/fe80::1", "ra:e0/1/fe80::2"
FALLBACK = "if:e0/1"
P = "2001:db8:cafe::/64"
A = "2001:db8:cafe::1234"


def placed(told: Story, rule: str = "dhcp4") -> list[str]:
    """Where the leases of a rule are placed, by the State and by what the host should have."""
    found = sorted({one.placed for one in told.state.grants.values() if one.rule == rule and one.placed})
    host = next((one.mac or one.host for one in told.state.grants.values() if one.rule == rule), None)
    kind = "dhcp4" if rule == "dhcp4" else "dhcp6"
    if rule != "dhcp6-prefix":
        wanted = desired(told.state, host=host).places
        assert [one.pvd for one in wanted if any(it.origin == kind for it in one.addresses)] == found
    return found


@pytest.mark.covers("rfc:P47", "rfc:P48")
def test_a_lease_before_any_ra_waits_for_one_and_no_longer_than_policy_says() -> None:
    told = Story().leases4()
    assert told.owners("dhcp4") == [FALLBACK]  # whose it is, is known at once
    assert placed(told) == []
    assert placed(told.at(0.999)) == []
    assert placed(told.at(1)) == [FALLBACK]
    cut_short = Story().leases4().at(0.2).hear(ra(R1))
    assert placed(cut_short) == [I1]
    assert cut_short.at(1).history(I1)[-1].cause == "moved"  # the deadline that was left changed nothing
    assert placed(cut_short) == [I1]
    assert placed(Story().hear(ra(R1)).leases4()) == [I1]  # an RA was there: nothing to wait for
    assert placed(Story(lease_settle_ms=0).leases4()) == [FALLBACK]
    assert placed(Story(lease_settle_ms=5000).leases4().at(4)) == []
    assert placed(Story().leases4().at(0.5).leases4().at(1)) == [FALLBACK]  # granted again, it waits no longer


def test_the_settle_time_is_a_deadline_that_extra_wake_ups_and_snapshots_dont_change() -> None:
    told = Story().leases4()
    assert next_deadline(told.state) == START + SECOND
    once = advance(told.state, START + 2 * SECOND)
    often = told.state
    for tenth in range(1, 21):
        often = advance(often, START + tenth * SECOND // 10)
    read_back = advance(snapshot.decode(snapshot.encode(told.state)), START + 2 * SECOND)
    assert snapshot.encode(once) == snapshot.encode(often) == snapshot.encode(read_back)
    assert [one.placed for one in once.grants.values()] == [FALLBACK]


@pytest.mark.covers("rfc:P47")
def test_of_several_owners_the_one_with_the_oldest_router_has_it() -> None:
    told = Story().hear(ra(R2)).at(1).hear(ra(R1)).leases4()
    assert told.owners("dhcp4") == [I1, I2]
    assert placed(told) == [I2]
    assert placed(Story().hear(ra(R2)).at(1).hear(ra(R1), ra(R2, hop=64)).leases4()) == [I2]  # whatever it says since


@pytest.mark.covers("rfc:P53")
def test_when_its_holder_withdraws_all_it_said_a_lease_goes_to_an_owner() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", legacy=True)), ra(R2)).leases4()
    assert told.owners("dhcp4") == [X]
    told.at(5).hear(ra(R1, pvd("x.example.", legacy=True), life=0))
    assert (told.owners("dhcp4"), placed(told)) == ([I2], [I2])
    last = [one for one in told.history(I2) if one.host][-1]
    assert (last.cause, last.because) == ("moved", told.state.seq)


@pytest.mark.covers("rfc:P49")
def test_placed_it_moves_once_to_the_one_pvd_that_claims_it() -> None:
    told = Story().hear(ra(R1), ra(R2, pvd("x.example."))).leases4()
    assert placed(told) == [I1]
    assert placed(told.at(5).hear(ra(R2, pvd("x.example.", legacy=True)))) == [X]
    routes = [one for place in desired(told.state, host=CLIENT).places for one in place.routes]
    assert [one.via for one in routes if one.destination == "0.0.0.0/0"] == ["192.0.2.1"]


@pytest.mark.covers("rfc:P46", "rfc:P50")
def test_a_second_claimant_or_a_claim_given_up_does_not_pull_it_away() -> None:
    """Anyone on the link can announce an L flag (standards.md D.1): membership follows, the users stay."""
    told = Story().hear(ra(R1, pvd("x.example.", legacy=True), life=9000), ra(R2, life=9000)).leases4()
    told.at(10).hear(ra(R3, pvd("y.example.", legacy=True), life=600))
    assert told.owners("dhcp4") == [I2]
    assert placed(told) == [X]
    assert placed(told.at(610)) == [X]
    assert told.owners("dhcp4") == [X]
    told.at(620).hear(ra(R1, pvd("x.example."), life=9000))
    assert (told.owners("dhcp4"), placed(told)) == ([I2], [X])


@pytest.mark.covers("rfc:P53")
def test_when_its_holder_ends_it_goes_to_an_owner() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", legacy=True), life=600), ra(R2, life=9000)).leases4(life=None)
    assert placed(told.at(599)) == [X]
    assert placed(told.at(600)) == [I2]
    fallback = Story().leases4().at(2)
    assert placed(fallback) == [FALLBACK]
    assert placed(fallback.hear(ra(R1))) == [I1]  # the fall-back ended, as its data are r1's now


@pytest.mark.covers("rfc:P35", "rfc:P36")
def test_an_address_that_two_pvds_claim_alike_stays_where_it_is_used() -> None:
    x, y = ra(R1, pvd("x.example.", pio(P)), m=True), ra(R2, pvd("y.example.", pio(P)), m=True)
    told = Story().hear(x).asks6("REQUEST", ia_na(ia_address(A)))
    assert placed(told, "dhcp6-address") == [X]
    told.at(1).hear(y)
    assert told.owners("dhcp6-address", A) == [Y]  # the newest RA
    assert placed(told, "dhcp6-address") == [X]
    waiting = Story().asks6("REQUEST", ia_na(ia_address(A)))
    assert placed(waiting, "dhcp6-address") == []
    renewed = waiting.at(0.5).asks6("RENEW", ia_na(ia_address(A)))
    assert placed(renewed.at(0.999), "dhcp6-address") == []
    assert placed(renewed.at(1), "dhcp6-address") == [FALLBACK]
    moved = Story().asks6("REQUEST", ia_na(ia_address(A))).at(2)
    assert placed(moved, "dhcp6-address") == [FALLBACK]
    assert placed(moved.hear(x), "dhcp6-address") == [X]


@pytest.mark.covers("rfc:P38")
def test_a_delegated_prefix_is_placed_in_one_pvd_too() -> None:
    given = "2001:db8:100::/56"
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)), m=True)).asks6("REQUEST", ia_pd(ia_prefix(given)))
    assert placed(told, "dhcp6-prefix") == [X]
    none = Story().hear(ra(R1), ra(R2)).asks6("REQUEST", ia_pd(ia_prefix(given)))
    assert none.owners("dhcp6-prefix", given) == [I1, I2]
    assert placed(none, "dhcp6-prefix") == [I1]
    none.at(1).hear(ra(R3, pvd("x.example.", pio(P)), m=True))
    assert (none.owners("dhcp6-prefix", given), placed(none, "dhcp6-prefix")) == ([X], [X])  # the only one that may


@pytest.mark.covers("rfc:P37")
def test_a_pvd_that_takes_back_m_keeps_the_address_that_is_used_there() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P)), m=True), ra(R2)).asks6("REQUEST", ia_na(ia_address(A)))
    assert placed(told, "dhcp6-address") == [X]
    told.at(1).hear(ra(R1, pvd("x.example.", pio(P))))
    assert told.owners("dhcp6-address", A) == [I2]
    assert placed(told, "dhcp6-address") == [X]


# Live, the host's own links


def live(told: Story, link: str = "e0", mac: str = CLIENT) -> Story:
    return told.hear(LinkSeen(link=link, identity=f"netns:1:{link}", kind="ethernet", name=link, mac=mac, host=True))


@pytest.mark.covers("rfc:V01")
def test_live_another_hosts_lease_is_evidence_only() -> None:
    told = live(Story()).leases4(mac=OTHER)
    assert told.alive() == []
    assert told.state.links["e0"].asks == ()
    assert told.leases4().owners("dhcp4") == [FALLBACK]
    given_up = dhcp4("RELEASE", ciaddr="192.0.2.10", mac=OTHER)
    assert told.hear(given_up).owners("dhcp4", host=CLIENT) == [FALLBACK]
    assert Story().leases4(mac=OTHER).alive() == [FALLBACK]  # in a capture every client counts


def test_live_a_macvlan_of_ours_counts_as_long_as_it_is_there() -> None:
    told = live(live(Story()), link="pvd-1", mac=OTHER).leases4(mac=OTHER)
    assert [one.host for one in told.state.grants.values()] == [OTHER]
    gone = live(live(Story()), link="pvd-1", mac=OTHER).hear(LinkGone(link="pvd-1")).leases4(mac=OTHER)
    assert gone.alive() == []


@pytest.mark.covers("rfc:W03")
def test_live_dhcp6_is_told_apart_by_the_mac_that_asked() -> None:
    from msgspec.structs import replace

    question, reply = dhcp6("REQUEST"), dhcp6("REPLY", ia_na(ia_address(A)))
    assert live(Story()).hear(replace(question, mac=OTHER), reply).alive() == []
    assert live(Story()).hear(replace(question, mac=CLIENT), reply).alive() == [FALLBACK]
    assert live(Story(), mac="").hear(replace(question, mac=OTHER), reply).alive() == [FALLBACK]  # a tunnel: only us


def test_a_new_attachment_settles_anew() -> None:
    told = Story().leases4().at(2).hear(AttachStarted(link="e0")).leases4()
    assert told.owners("dhcp4") == ["if:e0/2"]
    assert placed(told) == []
    assert placed(told.at(3)) == ["if:e0/2"]
    renewed = told.at(1800).hear(dhcp4("REQUEST", xid=9, ciaddr="192.0.2.10"), lease4(xid=9))
    assert placed(renewed) == ["if:e0/2"]  # a renewal is no new lease
