"""DHCPv6 as an observer folds it: RFC 8415."""

import pytest
from msgspec.structs import replace

from events.dhcp import Dhcp6MessageSeen, DhcpOption, IaPrefix, Relay
from pvdcore.domains.view import items
from pvdcore.projections.desired import desired
from tests.sim.build import (
    DUID,
    R1,
    SERVER6,
    Story,
    addresses,
    dhcp6,
    flag,
    ia_address,
    ia_na,
    ia_pd,
    ia_prefix,
    names,
    pio,
    ra,
    status,
)

HOME = "if:e0/1"
A, B = "2001:db8::a", "2001:db8::b"
DNS = addresses(23, "2001:db8::53")
ADDRESS = f"{A}/128"
D = "2001:db8:100::/56"
INFORM = "INFORMATION-REQUEST"


@pytest.mark.covers("rfc:W03")
@pytest.mark.parametrize(
    "reply",
    [
        dhcp6("REPLY", DNS, server=""),
        dhcp6("REPLY", DNS, xid=2),
        dhcp6("REPLY", DNS, client=None),
        dhcp6("REPLY", DNS, client="000100011122334402000000ffff"),
        dhcp6("REPLY", DNS, link="e1"),
    ],
    ids=["no server", "another xid", "no client", "another client", "another link"],
)
def test_a_reply_that_answers_no_question_counts_for_nothing(reply: Dhcp6MessageSeen) -> None:
    told = Story().hear(dhcp6(INFORM), reply)
    assert told.alive() == []
    assert told.hear(dhcp6("REPLY", DNS)).alive() == [HOME]


@pytest.mark.covers("rfc:W03")
def test_who_asked_without_an_id_is_answered_without_one() -> None:
    told = Story().hear(dhcp6(INFORM, client=None), dhcp6("REPLY", DNS))
    assert told.alive() == []  # an id where we sent none
    told.hear(dhcp6("REPLY", DNS, client=None))
    assert [one.host for one in told.instances(HOME)] == ["fe80::a"]
    for client, counts in ((None, False), (DUID, True)):  # where no id says whose it is, its destination does
        told = Story().hear(dhcp6(INFORM, client=client))
        told.hear(replace(dhcp6("REPLY", DNS, client=client), destination="fe80::b"))
        assert (told.alive() == [HOME]) is counts
        told.hear(dhcp6(INFORM, client=client), replace(dhcp6("REPLY", DNS, client=client), destination="fe80::a"))
        assert told.alive() == [HOME]


@pytest.mark.covers("rfc:W05")
@pytest.mark.parametrize(
    ("t1", "t2", "kept"),
    [(2880, 1800, [B]), (2, 1, [B]), (1800, 0, [A, B]), (1800, 1800, [A, B]), (1800, 2880, [A, B])],
)
def test_an_association_with_crossed_timers_alone_is_ignored(t1: int, t2: int, kept: list[str]) -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A), t1=t1, t2=t2), ia_na(ia_address(B), iaid=2), DNS)
    assert told.keys(HOME, "address") == [f"{one}/128" for one in kept]
    assert told.keys(HOME, "dns") == ["2001:db8::53"]


@pytest.mark.covers("rfc:W07")
def test_valid_zero_ends_an_address_at_once() -> None:
    (held,) = (
        one
        for _, one in items(Story().asks6("REQUEST", ia_na(ia_address(A, 7200, 1200))).state, HOME, ("e0", 1, DUID))
        if one.kind == "address"
    )
    assert (held.lifetime_s, held.preferred_s) == (7200, 1200)
    told = Story().asks6("REQUEST", ia_na(ia_address(A), ia_address(B))).at(100)
    told.asks6("RENEW", ia_na(ia_address(A, 0, 0), ia_address(B)))
    assert told.keys(HOME, "address") == [f"{B}/128"]
    assert told.history(HOME)[-1].cause == "withdrawn"
    assert Story().asks6("REQUEST", ia_na(ia_address(A, 0, 0))).alive() == []


@pytest.mark.covers("rfc:W08")
def test_an_assignment_puts_no_prefix_on_link() -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A)))
    assert told.keys(HOME, "address") == [ADDRESS]
    assert told.keys(HOME, "prefix") == []
    assert told.keys(HOME, "route") == []


@pytest.mark.covers("rfc:W12")
def test_what_was_asked_for_and_is_missing_is_gone() -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A)), DNS, names(24, "one.example."))
    told.at(10).asks6("RENEW", ia_na(ia_address(A)), names(24, "two.example."))
    assert told.keys(HOME, "dns") == []
    assert told.keys(HOME, "search") == ["two.example."]
    assert told.keys(HOME, "address") == [ADDRESS]
    alone = Story().hear(ra(R1, o=True)).asks6(INFORM, DNS).at(10).asks6(INFORM)
    last = alone.history(f"ra:e0/1/{R1}")[-1]
    assert (last.cause, last.because, len(alone.state.grants)) == ("withdrawn", alone.state.seq, 0)


@pytest.mark.covers("rfc:W02")
def test_a_second_reply_to_a_question_counts_for_nothing() -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A)), DNS).hear(dhcp6("REPLY", ia_na(ia_address(B)), xid=1))
    assert told.keys(HOME, "address") == [ADDRESS]


@pytest.mark.covers("rfc:W12")
@pytest.mark.parametrize(("question", "ask"), [("RENEW", ()), ("REQUEST", (23,)), ("CONFIRM", (23,))])
def test_what_was_not_asked_for_or_not_renewed_stays(question: str, ask: tuple[int, ...]) -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A)), DNS).at(10)
    told.asks6(question, ia_na(ia_address(A)), ask=ask)
    assert told.keys(HOME, "dns") == ["2001:db8::53"]


@pytest.mark.covers("rfc:W17")
def test_an_address_that_a_renewal_leaves_out_keeps_its_lifetime() -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A), ia_address(B))).at(1800)
    told.asks6("RENEW", ia_na(ia_address(A)))
    assert told.ends(HOME, "address", ADDRESS) == 1800 + 7200
    assert told.ends(HOME, "address", f"{B}/128") == 7200
    assert told.at(7200).keys(HOME, "address") == [ADDRESS]


@pytest.mark.covers("rfc:W18", part="negative")
def test_a_delegation_keeps_what_it_excludes() -> None:
    given = IaPrefix(26, "2001:db8:100::/56", 3600, 7200, 0, 0, excluded="2001:db8:100:ff::/64")
    told = Story().asks6("REQUEST", ia_pd(given))
    assert told.holdings(HOME, "prefix_delegated") == {"2001:db8:100::/56": ("2001:db8:100:ff::/64",)}
    assert told.keys(HOME, "prefix") == []


@pytest.mark.covers("rfc:W19")
@pytest.mark.parametrize(("asked", "answered"), [(True, True), (True, False), (False, True), (False, False)])
def test_rapid_commit_needs_both_sides(asked: bool, answered: bool) -> None:
    rapid: tuple[DhcpOption, ...] = (flag(14),)
    told = Story().hear(dhcp6("SOLICIT", *(rapid if asked else ())))
    told.hear(dhcp6("REPLY", *(rapid if answered else ()), ia_na(ia_address(A))))
    assert told.alive() == ([HOME] if asked and answered else [])


@pytest.mark.covers("rfc:W22", part="negative")
def test_an_advertise_configures_nothing() -> None:
    told = Story().hear(dhcp6("SOLICIT"), dhcp6("ADVERTISE", ia_na(ia_address(A)), DNS))
    assert told.alive() == []


@pytest.mark.covers("rfc:W20")
def test_a_confirm_extends_nothing_and_silence_ends_nothing() -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A)), DNS).at(3600)
    told.hear(dhcp6("CONFIRM", ia_na(ia_address(A, 0, 0)), xid=77)).at(3700)
    assert told.keys(HOME, "address") == [ADDRESS]
    told.hear(dhcp6("REPLY", status(0), xid=77))
    assert told.ends(HOME, "address", ADDRESS) == 7200
    assert len(told.history(HOME)) == 1


@pytest.mark.covers("rfc:W24")
def test_a_release_ends_at_once_whatever_the_answer() -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A)), ia_pd(ia_prefix("2001:db8:100::/56")), DNS).at(10)
    told.hear(dhcp6("RELEASE", ia_na(ia_address(A)), xid=50))
    assert told.keys(HOME, "address") == []
    assert told.keys(HOME, "prefix_delegated") == ["2001:db8:100::/56"]
    told.hear(dhcp6("RELEASE", ia_pd(ia_prefix("2001:db8:100::/56")), xid=51))
    assert told.alive() == []
    assert told.history(HOME)[-1].cause == "released"
    assert told.hear(dhcp6("REPLY", ia_na(ia_address(A)), xid=50)).alive() == []
    late = Story().asks6("REQUEST", ia_na(ia_address(A))).at(1800).hear(dhcp6("RENEW", xid=60))
    late.hear(dhcp6("RELEASE", ia_na(ia_address(A)), xid=61), dhcp6("REPLY", ia_na(ia_address(A)), xid=60))
    assert late.alive() == [], "what was asked before is done with"


@pytest.mark.covers("rfc:W23")
def test_a_decline_voids_what_it_names_only() -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A), ia_address(B)))
    told.hear(dhcp6("DECLINE", ia_na(ia_address(A)), xid=50))
    assert told.keys(HOME, "address") == [f"{B}/128"]
    assert told.history(HOME)[-1].cause == "declined"


@pytest.mark.covers("rfc:W27")
def test_leases_of_two_servers_are_not_mixed() -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A))).at(10)
    told.asks6("REQUEST", ia_na(ia_address(B)), server="00030001020000000002")
    assert told.keys(HOME, "address") == [f"{B}/128"]
    assert "replaced" in {one.cause for one in told.history(HOME)}


@pytest.mark.covers("rfc:W29")
def test_an_address_and_a_prefix_of_one_iaid_are_two_bindings() -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A), iaid=1), ia_pd(ia_prefix("2001:db8:100::/56"), iaid=1))
    assert len(told.state.grants) == 2
    other = told.asks6("REQUEST", ia_na(ia_address(B), iaid=1), client="0009aa")  # DUID of a type nobody knows
    assert sorted({one.host for one in other.instances(HOME)}) == sorted({DUID, "0009aa"})


@pytest.mark.covers("rfc:W10")
def test_a_reply_with_a_status_gives_nothing() -> None:
    assert Story().asks6("REQUEST", status(2), ia_na(ia_address(A))).alive() == []
    assert Story().asks6("REQUEST", status(0), ia_na(ia_address(A))).alive() == [HOME]
    inside = Story().asks6("REQUEST", ia_na(status(2)), ia_na(ia_address(B), iaid=2), DNS)
    assert inside.keys(HOME, "address") == [f"{B}/128"]
    assert inside.keys(HOME, "dns") == ["2001:db8::53"]
    refused = replace(ia_address(A), options=(status(2),))
    one = Story().asks6("REQUEST", ia_na(refused, ia_address(B)), ia_pd(replace(ia_prefix(D), options=(status(6),))))
    assert (one.keys(HOME, "address"), one.keys(HOME, "prefix_delegated")) == ([f"{B}/128"], []), "of an address alone"
    given = replace(ia_address(A), options=(status(0),))
    assert Story().asks6("REQUEST", ia_na(given)).keys(HOME, "address") == [ADDRESS], "Success says nothing against it"


def test_what_passes_between_relay_and_server_makes_no_pvd() -> None:
    import msgspec

    relayed = [
        msgspec.structs.replace(one, relays=(Relay("RELAY-FORW", 0, "2001:db8::1", "fe80::a"),))
        for one in (dhcp6(INFORM), dhcp6("REPLY", DNS))
    ]
    assert Story().hear(*relayed).alive() == []


@pytest.mark.covers("rfc:W25")
def test_what_is_made_of_a_delegated_prefix_ends_with_it() -> None:
    inner = "2001:db8:100:1::/64"
    given = ia_prefix("2001:db8:100::/56", 1800, 1200)
    outlived = "delegation-outlived"
    told = Story().asks6("REQUEST", ia_pd(given))
    assert told.hear(ra(R1, pio(inner, 1800, 1200), link="e1")).findings() == {}
    for valid, preferred in ((86_400, 1200), (1800, 1201 + 5), (None, 1200), (1800, None)):
        again = Story().asks6("REQUEST", ia_pd(given)).hear(ra(R1, pio(inner, valid, preferred), link="e1"))
        assert outlived in again.findings()
        assert outlived in {found.code for found in again.refolded().findings.values()}, "with a workbench a record"
    apart = Story().asks6("REQUEST", ia_pd(given)).hear(ra(R1, pio("2001:db8:200:1::/64", 86_400), link="e1"))
    assert outlived not in apart.findings()
    late = Story().hear(ra(R1, pio(inner, 86_400), link="e1")).asks6("REQUEST", ia_pd(given))
    assert outlived in late.hear(ra(R1, pio(inner, 86_399), link="e1")).findings()
    ended = Story().asks6("REQUEST", ia_pd(given)).hear(ra(R1, link="e1")).at(1800)
    assert outlived not in ended.hear(ra(R1, pio(inner, 86_400), link="e1")).findings()
    lasting = ia_pd(ia_prefix("2001:db8:300::/56", 60, 60), given)  # one of the two ends before the other is announced
    one = Story().asks6("REQUEST", lasting).at(60).hear(ra(R1, pio(inner, 86_400), link="e1"))
    assert outlived in one.findings()
    for place in desired(told.state, host=DUID).places:  # this host makes nothing of a prefix that is delegated to it
        assert place.link == "e1" or not (place.addresses or place.routes)
    assert told.at(1799).alive() == [HOME, "ra:e1/1/fe80::1"]
    assert told.at(1800).alive() == []


@pytest.mark.covers("rfc:W01")
@pytest.mark.parametrize(
    "message",
    ["SOLICIT", "REQUEST", "CONFIRM", "RENEW", "REBIND", "RELEASE", "DECLINE", "INFORMATION-REQUEST", "RELAY-REPL"],
)
def test_what_is_meant_for_servers_gives_a_client_nothing(message: str) -> None:
    """A forged one answers a question that is in flight, with all a Reply would have in it."""
    given = (ia_na(ia_address(A)), DNS, flag(14))
    forged = dhcp6(message, *given, server=SERVER6)
    if message == "RELAY-REPL":
        forged = replace(dhcp6("REPLY", *given), relays=(Relay("RELAY-REPL", 0, "2001:db8::1", "fe80::a"),))
    told = Story().hear(dhcp6("SOLICIT", flag(14)), forged)
    assert told.alive() == [] and not told.state.grants and told.history() == []
    bound = Story().asks6("REQUEST", ia_na(ia_address(A)), DNS)
    forged = replace(forged, options=(*dhcp6(message, client=DUID + "ff", server=SERVER6).options, *given))
    assert bound.hear(forged).keys(HOME, "address") == [ADDRESS]
    assert len(bound.history()) == 1 and len(list(bound.journal.records())) == 6  # recorded, and that is all
