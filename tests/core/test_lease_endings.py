"""How what DHCP gave comes to its end: each way with its cause, its record and its instant in history.

Law: history names the record because of which something ended; for a lapse, the last one that carried it. What came
beside leases ends in the same step as the last of them, so one line says all of it.
"""

from collections.abc import Callable

import pytest

from events.dhcp import Codes, Dhcp4MessageSeen, DhcpOption, RdnssSelection
from events.link import DadFailed
from pvdcore.domains.view import items
from tests.sim.build import (
    DUID,
    OTHER,
    R1,
    R2,
    SERVER6,
    Story,
    addresses,
    announcement,
    authentication,
    dhcp4,
    dhcp6,
    flag,
    ia_address,
    ia_na,
    ia_pd,
    ia_prefix,
    lease4,
    number,
    pio,
    pvd,
    ra,
    status,
)

HOME, X = "if:e0/1", "fqdn:x.example."
A, B, D = "2001:db8::a", "2001:db8::b", "2001:db8:100::/56"
DNS = addresses(23, "2001:db8::53")
S2 = "00030001020000000002"

End = Callable[[Story], object]


def four(told: Story, *messages: Dhcp4MessageSeen) -> Story:
    return told.hear(*messages)


def bound() -> Story:
    """A lease of DHCPv4, ten seconds old."""
    return Story().leases4().at(10)


def given(*options: DhcpOption) -> Story:
    """Leases of DHCPv6 with a resolver beside them, ten seconds old."""
    return Story().asks6("REQUEST", *(options or (ia_na(ia_address(A)), ia_pd(ia_prefix(D)))), DNS).at(10)


BOTH = (ia_na(ia_address(A)), ia_pd(ia_prefix(D)))
ENDS4: dict[str, tuple[str, End]] = {
    "RELEASE": ("released", lambda told: four(told, dhcp4("RELEASE", ciaddr="192.0.2.10", xid=9))),
    "DECLINE": ("declined", lambda told: four(told, dhcp4("DECLINE", addresses(50, "192.0.2.10"), xid=9))),
    "NAK": ("refused", lambda told: four(told, dhcp4("REQUEST", ciaddr="192.0.2.10", xid=9), dhcp4("NAK", xid=9))),
    "conflict": (
        "conflict",
        lambda told: told.hear(announcement("192.0.2.10", OTHER), announcement("192.0.2.10", OTHER)),
    ),
    "option 108 at a reboot": (
        "ipv6-only",
        lambda told: four(
            told,
            dhcp4("REQUEST", addresses(50, "192.0.2.10"), Codes(55, (1, 108), 0, 0), xid=9),
            lease4("192.0.2.10", number(108, 600), xid=9),
        ),
    ),
}


ENDS6: dict[str, tuple[str, End]] = {
    "RELEASE": ("released", lambda told: told.hear(dhcp6("RELEASE", *BOTH, xid=9))),
    "a Solicit for the same": ("restarted", lambda told: told.hear(dhcp6("SOLICIT", ia_na(), ia_pd(), xid=9))),
    "a Solicit after NotOnLink": (
        "refused",
        lambda told: told.hear(
            dhcp6("CONFIRM", xid=8), dhcp6("REPLY", status(4), xid=8), dhcp6("SOLICIT", ia_na(iaid=7), xid=9)
        ),
    ),
}


@pytest.mark.covers("rfc:V03", "rfc:V11", "rfc:V21", "rfc:V31", "rfc:F33")
@pytest.mark.parametrize("way", ENDS4)
def test_a_lease_ends_with_all_it_brought_and_history_says_why(way: str) -> None:
    cause, end = ENDS4[way]
    told = bound()
    held = set(told.holdings(HOME))
    end(told)
    last = told.history(HOME)[-1]
    assert (last.cause, last.because, last.phase) == (cause, told.state.seq, "gone")
    assert {item[1] for item in last.removed} == held and last.at == told.state.now
    assert told.alive() == [] and not told.state.grants and not told.state.links["e0"].grants


@pytest.mark.covers("rfc:W11", "rfc:W24", "rfc:W27")
@pytest.mark.parametrize("way", ENDS6)
def test_leases_end_with_what_came_beside_them_and_history_says_why(way: str) -> None:
    cause, end = ENDS6[way]
    told = given()
    held = set(told.holdings(HOME))
    assert {f"{A}/128", D, "2001:db8::53"} < held
    end(told)
    last = told.history(HOME)[-1]
    assert (last.cause, last.because, last.phase) == (cause, told.state.seq, "gone")
    assert {item[1] for item in last.removed} == held
    assert told.alive() == [] and not told.state.grants and not told.state.links["e0"].grants


@pytest.mark.covers("rfc:W11", "rfc:W24", "rfc:W27")
@pytest.mark.parametrize("way", [*ENDS6, "DECLINE", "a duplicate"])
def test_a_pvd_that_has_only_what_came_beside_leases_is_told_why_that_ended(way: str) -> None:
    more: dict[str, tuple[str, End]] = {
        "DECLINE": ("declined", lambda told: told.hear(dhcp6("DECLINE", ia_na(ia_address(A)), xid=9))),
        "a duplicate": ("duplicate", lambda told: told.hear(DadFailed(link="e0", address=A))),
    }
    cause, end = {**ENDS6, **more}[way]
    told = Story().hear(ra("fe80::1", pvd("x.example.", pio("2001:db8::/64")), m=True), ra("fe80::2", o=True))
    told.asks6("REQUEST", *(BOTH if way in ENDS6 else BOTH[:1]), DNS).at(10)
    assert told.owners("dhcp6-address", A) == ["fqdn:x.example."]
    assert told.keys("ra:e0/1/fe80::2", "dns") == ["2001:db8::53"] and told.keys("ra:e0/1/fe80::2", "address") == []
    end(told)
    last = told.history("ra:e0/1/fe80::2")[-1]
    assert (last.cause, last.because, [one[1] for one in last.removed]) == (cause, told.state.seq, ["2001:db8::53"])


@pytest.mark.covers("rfc:W27")
def test_a_release_names_an_address_behind_what_else_stands_in_its_association() -> None:
    assert given(ia_na(ia_address(A))).hear(dhcp6("RELEASE", ia_na(status(0), ia_address(A)), xid=9)).alive() == []


@pytest.mark.covers("rfc:V08", "feat:H1")
def test_what_lapses_is_dated_at_its_deadline_and_is_because_of_what_last_carried_it() -> None:
    told = bound().at(1800).leases4()
    carried = told.state.seq
    told.at(9999)
    last = told.history(HOME)[-1]
    assert (last.cause, last.because, last.phase) == ("lapsed", carried, "gone")
    assert told.moves(HOME)[-1][0] == 1800 + 3600
    six = given()
    carried = six.state.seq
    six.at(9999)
    (end,) = [one for one in six.history(HOME) if one.phase == "gone"]
    assert (end.cause, end.because, six.moves(HOME)[-1][0]) == ("lapsed", carried, 7200)


@pytest.mark.covers("rfc:W23")
def test_an_address_that_is_anothers_ends_alone_or_with_what_came_beside_it() -> None:
    told = given(ia_na(ia_address(A), ia_address(B)))
    told.hear(DadFailed(link="e0", address=A))
    last = told.history(HOME)[-1]
    assert (last.cause, last.because, last.phase) == ("duplicate", told.state.seq, "announced")
    assert {item[1] for item in last.removed} == {f"{A}/128", f"dhcp6 {A}"}
    told.hear(DadFailed(link="e0", address=B))
    last = told.history(HOME)[-1]
    assert (last.cause, last.because, last.phase) == ("duplicate", told.state.seq, "gone")
    assert {item[1] for item in last.removed} == {f"{B}/128", f"dhcp6 {B}", "2001:db8::53"}


@pytest.mark.covers("rfc:W27", "rfc:W29")
def test_a_solicit_ends_the_associations_it_asks_for_and_no_others() -> None:
    told = given().hear(dhcp6("SOLICIT", ia_na(), xid=9))
    assert told.keys(HOME, "address") == [] and told.keys(HOME, "prefix_delegated") == [D], "of one IAID, two kinds"
    assert told.history(HOME)[-1].cause == "restarted" and told.keys(HOME, "dns") == ["2001:db8::53"]
    other = given().hear(dhcp6("SOLICIT", ia_na(iaid=2), ia_pd(iaid=2), xid=9))
    assert len(other.state.grants) == 3, "other IAIDs are other associations"
    prefix = given().hear(dhcp6("SOLICIT", ia_pd(), xid=9))
    assert (prefix.keys(HOME, "address"), prefix.keys(HOME, "prefix_delegated")) == ([f"{A}/128"], [])


@pytest.mark.covers("rfc:W27")
def test_leases_of_the_server_before_are_replaced_kind_by_kind() -> None:
    told = given().asks6("REBIND", ia_na(ia_address(B)), server=S2)
    assert (told.keys(HOME, "address"), told.keys(HOME, "prefix_delegated")) == ([f"{B}/128"], [D])
    last = told.history(HOME)[-1]
    assert {f"{A}/128", f"dhcp6 {A}"} <= {item[1] for item in last.removed} and last.because == told.state.seq
    assert told.holdings(HOME, "lease")[f"dhcp6 {B}"][1] == S2 != SERVER6
    again = given().asks6("RENEW", ia_na(ia_address(B)))
    assert again.keys(HOME, "address") == [f"{A}/128", f"{B}/128"], "of one server they stand beside each other"


@pytest.mark.covers("rfc:W27")
def test_a_servers_rules_for_names_end_with_its_last_lease() -> None:
    rules = RdnssSelection(74, ("2001:db8::53",), "medium", ("a.example.",), 0, 0)
    told = Story().hear(ra("fe80::1", pvd("x.example.", pio("2001:db8::/64")), m=True), ra("fe80::2", o=True))
    told.asks6("REQUEST", BOTH[0], rules).at(10).asks6("REBIND", ia_na(ia_address(B)), DNS, server=S2)
    i2 = "ra:e0/1/fe80::2"
    assert (told.keys(i2, "dns_rule"), told.keys(i2, "dns")) == ([], ["2001:db8::53"])
    assert [(one.cause, one.because) for one in told.history(i2)][-1] == ("replaced", told.state.seq)
    both = Story().asks6("REQUEST", BOTH[0], rules).at(10).asks6("REBIND", ia_pd(ia_prefix(D)), DNS, server=S2)
    assert both.keys(HOME, "dns_rule") == ["2001:db8::53 a.example."], "the other server still has its lease"


def test_what_is_renewed_keeps_the_record_that_it_came_with() -> None:
    told = given()
    since = {one.rule: one.since for one in told.state.grants.values()}
    assert len(since) == 3 and {one.mac for one in told.state.grants.values()} == {""}
    told.asks6("RENEW", *BOTH, DNS, addresses(31, "2001:db8::5"))
    for one in told.state.grants.values():
        assert one.since == since[one.rule] < one.because and one.server == SERVER6
        assert [item.since for item in one.held if item.kind != "ntp"] == [since[one.rule]] * len(
            [item for item in one.held if item.kind != "ntp"]
        )


@pytest.mark.covers("rfc:W07")
def test_what_is_given_and_taken_in_one_reply_hides_nothing_behind_it() -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A), ia_address(A, 0, 0), ia_address(B)), DNS)
    assert told.keys(HOME, "address") == [f"{B}/128"] and told.owners("dhcp6-address", B) == [HOME]


def test_what_serves_all_its_owners_is_placed_in_none() -> None:
    told = given().at(20)
    assert {one.rule: one.placed for one in told.state.grants.values()} == {
        "dhcp6-address": HOME,
        "dhcp6-prefix": HOME,
        "dhcp6-info": "",
    }
    assert items(told.state, HOME, ("e0", 1, "nobody")) == [] == items(told.state, "fqdn:nobody.", ("e0", 1, ""))


# INFORM (RFC 2131 §4.3.5)


def informed(*options: DhcpOption, told: Story | None = None, xid: int = 1) -> Story:
    """An address from elsewhere, and what a server says beside it."""
    question = dhcp4("INFORM", ciaddr="192.0.2.77", xid=xid)
    return (told or Story()).hear(question, dhcp4("ACK", addresses(54, "192.0.2.1"), *options, xid=xid))


RESOLVER, OTHERS = addresses(6, "192.0.2.53"), addresses(6, "192.0.2.54")


@pytest.mark.covers("rfc:V10")
def test_an_inform_is_a_contribution_without_a_lease_that_the_next_answer_replaces() -> None:
    told = informed(RESOLVER, number(51, 60), addresses(3, "192.0.2.1"))
    (grant,) = told.state.grants.values()
    assert (grant.rule, grant.subject, grant.by, grant.server) == ("dhcp4", "inform", "inform", "192.0.2.1")
    assert not grant.stateful and grant.verified and grant.mac and grant.heard_at == grant.started_at == told.state.now
    assert set(told.holdings(HOME)) == {"192.0.2.53", "0.0.0.0/0 via 192.0.2.1"}
    assert [one.cause for one in told.history(HOME)] == ["leased"]
    since = grant.since
    informed(RESOLVER, addresses(42, "192.0.2.5"), told=told.at(10), xid=2)
    (grant,) = told.state.grants.values()
    assert set(told.holdings(HOME)) == {"192.0.2.53", "192.0.2.5"}, "what is said no more is gone"
    assert grant.since == since < grant.because
    assert [one.since == since for one in grant.held] == [True, False], "each item keeps the record that it came with"
    informed(told=told.at(20), xid=3)
    last = told.history(HOME)[-1]
    assert (last.cause, last.because, last.phase) == ("withdrawn", told.state.seq, "gone") and not told.state.grants
    assert informed().alive() == [], "an answer that says nothing makes nothing"


@pytest.mark.covers("rfc:V10")
def test_an_inform_beside_a_lease_leaves_it_and_its_next_ack_replaces_both() -> None:
    told = informed(OTHERS, told=bound(), xid=9)
    assert told.ends(HOME, "address", "192.0.2.10/24") == 3600 and len(told.state.grants) == 2
    assert sorted(told.keys(HOME, "dns")) == ["192.0.2.53", "192.0.2.54"]
    told.at(1800).leases4()
    assert told.keys(HOME, "dns") == ["192.0.2.53"] and len(told.state.grants) == 1
    assert told.history(HOME)[-1].because == told.state.seq
    anonymous = Story().hear(dhcp4("INFORM", ciaddr="192.0.2.77"), dhcp4("ACK", RESOLVER))
    (grant,) = anonymous.state.grants.values()
    assert grant.server == "", "a server that does not say who it is"


# Reconfigure (RFC 8415 §18.2.11)


@pytest.mark.covers("rfc:W15")
@pytest.mark.parametrize(
    ("agreed", "authentic", "wish", "serves", "reason"),
    [
        (True, True, 5, 5, ""),
        (True, True, None, 0, "did not agree"),
        (True, False, 5, 0, "not authenticated"),
        (False, True, 5, 0, "did not agree"),
        (False, False, 5, 0, "not authenticated"),
    ],
)
def test_a_reconfigure_is_served_only_where_all_is_as_it_should_be(
    agreed: bool, authentic: bool, wish: int | None, serves: int, reason: str
) -> None:
    asked = (flag(20),) if agreed else ()
    told = Story().hear(dhcp6("REQUEST", *asked, xid=1), dhcp6("REPLY", ia_na(ia_address(A)), xid=1))
    wanted = (number(19, wish),) if wish is not None else ()
    signed = (authentication(),) if authentic else ()
    told.hear(dhcp6("RECONFIGURE", *wanted, *signed, server=SERVER6, xid=0))
    known = dict(told.state.links["e0"].clients).get(DUID)
    assert (known.reconfiguring if known else 0) == serves
    found = told.findings().get("dhcp6-reconfigure-refused")
    assert (reason in found.text and found.link == "e0") if found else not reason
    if serves:
        told.hear(dhcp6("RECONFIGURE", number(19, 11), *signed, server=SERVER6, xid=0))
        assert dict(told.state.links["e0"].clients)[DUID].reconfiguring == 5, "one is served already"
        told.hear(dhcp6("RENEW", *asked, ia_na(ia_address(A)), xid=2))
        assert dict(told.state.links["e0"].clients)[DUID].reconfiguring == 0


def test_what_came_beside_a_lease_lapses_with_it_also_in_a_pvd_that_has_no_lease() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), o=True), ra(R2, pio("2001:db8::/64"), m=True))
    told.asks6("REQUEST", ia_na(ia_address(A, 60)), DNS)
    granted = told.state.seq
    assert {one.rule: X in one.owners for one in told.state.grants.values()} == {
        "dhcp6-address": False,
        "dhcp6-info": True,
    }
    last = told.at(60).history(X)[-1]
    assert (last.cause, last.because, last.phase) == ("lapsed", granted, "gone")
