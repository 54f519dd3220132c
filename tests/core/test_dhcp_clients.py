"""What clients and servers do beside the plain exchange, as an observer sees it (RFC 2131, RFC 8415)."""

import pytest

from events.dhcp import Codes, Dhcp4MessageSeen, IaPrefix, RdnssSelection, Resolver, Suboptions
from events.ids import NEVER, SECOND
from events.router import ServiceParam
from pvdcore.leases.leases4 import manner
from pvdcore.leases.leases6 import MAX_RT_S, max_rt_s, timers6
from pvdcore.leases.parameters import name_rules6
from pvdcore.projections.desired import desired
from pvdcore.projections.plan import Have, plan
from pvdcore.state import Client
from tests.sim.build import (
    CLIENT,
    DUID,
    OTHER,
    START,
    Story,
    addresses,
    authentication,
    dhcp4,
    dhcp6,
    flag,
    ia_address,
    ia_na,
    ia_pd,
    lease4,
    number,
    probe,
    status,
    text,
)

HOME = "if:e0/1"
HERE, A, B = "192.0.2.10", "2001:db8::a", "2001:db8::b"
WISH, SERVER = addresses(50, HERE), addresses(54, "192.0.2.1")
DNS6 = addresses(23, "2001:db8::53")
INFORM = "INFORMATION-REQUEST"


def of(told: Story, host: str = DUID, link: str = "e0") -> Client:
    return dict(told.state.links[link].clients).get(host, Client())


# DHCPv4


@pytest.mark.covers("rfc:V09")
@pytest.mark.parametrize(
    ("question", "kind"),
    [
        (dhcp4("REQUEST", WISH, SERVER), "selecting"),
        (dhcp4("REQUEST", WISH), "rebooting"),
        (dhcp4("REQUEST", ciaddr=HERE, destination="192.0.2.1"), "renewing"),
        (dhcp4("REQUEST", ciaddr=HERE, destination="255.255.255.255"), "rebinding"),
        (dhcp4("REQUEST", WISH, ciaddr=HERE), ""),
        (dhcp4("REQUEST", SERVER, ciaddr=HERE), ""),
        (dhcp4("REQUEST"), ""),
    ],
)
def test_an_ack_is_of_the_kind_that_was_asked(question: Dhcp4MessageSeen, kind: str) -> None:
    assert manner(question) == kind
    told = Story().hear(question, lease4())
    assert [one.by for one in told.state.grants.values()] == [kind]


@pytest.mark.covers("rfc:V28")
def test_a_reboot_that_nobody_answers_leaves_the_lease_unverified_to_its_end() -> None:
    told = Story().leases4().at(1000)
    assert [one.verified for one in told.state.grants.values()] == [True]
    told.hear(dhcp4("REQUEST", WISH, xid=9))
    assert [one.verified for one in told.state.grants.values()] == [False]
    assert told.ends(HOME, "address", f"{HERE}/24") == 3600
    assert told.at(3599).alive() == [HOME] and told.at(3600).alive() == []
    answered = Story().leases4().at(1000).hear(dhcp4("REQUEST", WISH, xid=9), lease4(xid=9))
    assert [one.verified for one in answered.state.grants.values()] == [True]
    elsewhere = Story().leases4().hear(dhcp4("REQUEST", addresses(50, "192.0.2.11"), xid=9))
    assert [one.verified for one in elsewhere.state.grants.values()] == [True]  # it asks for another address


@pytest.mark.covers("rfc:V01", "rfc:V26", "evil:E96")
def test_once_bound_the_other_questions_in_flight_are_void() -> None:
    told = Story().hear(dhcp4("REQUEST", WISH, xid=1), dhcp4("REQUEST", WISH, xid=2), lease4(xid=2))
    told.hear(dhcp4("NAK", xid=1), lease4("192.0.2.99", xid=1))
    assert told.keys(HOME, "address") == [f"{HERE}/24"]


@pytest.mark.covers("rfc:V01", "rfc:V10", "rfc:V26")
def test_what_is_answered_is_one_clients_question_of_one_kind() -> None:
    told = Story().hear(dhcp4("INFORM", xid=9, ciaddr=HERE), dhcp4("REQUEST", WISH), lease4())
    assert told.hear(dhcp4("ACK", text(15, "one.example"), xid=9)).keys(HOME, "search") == ["one.example."]
    two = Story().hear(dhcp4("REQUEST", WISH), dhcp4("REQUEST", WISH, mac=OTHER), lease4(), lease4(mac=OTHER))
    assert sorted(one.host for one in two.state.grants.values()) == sorted((CLIENT, OTHER))
    assert Story().hear(dhcp4("INFORM", ciaddr=HERE), dhcp4("ACK", text(15, "a.example")), probe(HERE)).alive() == [
        HOME
    ]


def test_of_questions_and_clients_as_many_are_kept_as_policy_says_the_latest() -> None:
    a, b, c = (f"02:00:00:00:00:{one:02x}" for one in (0xA0, 0xB0, 0xC0))
    told = Story(exchanges_max=2).hear(*(dhcp4("REQUEST", WISH, mac=one) for one in (a, b, a, c)))
    told.hear(*(lease4(mac=one) for one in (a, b, c)))
    assert sorted(one.host for one in told.state.grants.values()) == [a, c], "who asked again is not the oldest"
    told.hear(*(dhcp4("DECLINE", WISH, mac=one, xid=2) for one in (a, b, a, c)))
    assert [name for name, _ in told.state.links["e0"].clients] == [a, c]


@pytest.mark.covers("rfc:V03")
def test_a_nak_of_another_server_than_the_chosen_one_counts_for_nothing() -> None:
    told = (
        Story().leases4().hear(dhcp4("REQUEST", WISH, SERVER, xid=9), dhcp4("NAK", addresses(54, "192.0.2.2"), xid=9))
    )
    assert told.alive() == [HOME]
    assert told.hear(dhcp4("NAK", SERVER, xid=9)).alive() == []


@pytest.mark.covers("rfc:V10", "evil:E96")
def test_an_inform_beside_a_lease_adds_to_it_until_the_next_ack() -> None:
    told = Story().leases4().hear(dhcp4("INFORM", xid=9, ciaddr=HERE), dhcp4("ACK", text(15, "one.example"), xid=9))
    assert told.keys(HOME, "address") == [f"{HERE}/24"]
    assert told.keys(HOME, "search") == ["one.example."]
    told.at(1800).hear(dhcp4("REQUEST", xid=10, ciaddr=HERE), lease4(xid=10))
    assert told.keys(HOME, "search") == []
    assert told.history(HOME)[-1].cause == "replaced"


@pytest.mark.covers("rfc:V11")
def test_an_ack_to_what_was_asked_before_a_release_comes_too_late() -> None:
    told = Story().leases4().at(1800).hear(dhcp4("REQUEST", xid=9, ciaddr=HERE))
    assert told.hear(dhcp4("RELEASE", xid=10, ciaddr=HERE), lease4(xid=9)).alive() == []


def test_a_domain_is_a_search_name_with_or_without_its_last_dot() -> None:
    for said in ("One.Example", "one.example."):
        assert Story().leases4(text(15, said)).keys(HOME, "search") == ["one.example."]
    assert Story().leases4(text(15, "a.example b.example.")).keys(HOME, "search") == ["a.example.", "b.example."]


@pytest.mark.covers("rfc:V24")
@pytest.mark.parametrize(("octets", "held"), [(67, []), (68, ["mtu"])])
def test_an_mtu_that_ipv4_can_work_with_is_the_pvds(octets: int, held: list[str]) -> None:
    assert Story().leases4(number(26, octets)).keys(HOME, "mtu") == held


@pytest.mark.covers("rfc:F26", "rfc:F21")
def test_encrypted_resolvers_of_dhcp_are_held_with_all_that_is_said_of_them() -> None:
    doh = (ServiceParam(1, "0268320268"), ServiceParam(7, "2f717b3f646e737d", "/q{?dns}"))
    first = Resolver(162, 2, "a.example.", 0, 0, ("192.0.2.53", "192.0.2.54"), doh)
    told = Story().leases4(first, Resolver(162, 1, "b.example.", 0, 0), Resolver(144, 1, "c.example.", 0, 0))
    value = (2, "a.example.", ("192.0.2.53", "192.0.2.54"), ((1, "0268320268"), (7, "2f717b3f646e737d")))
    assert told.holdings(HOME, "encrypted_dns") == {
        "2 a.example. 192.0.2.53 192.0.2.54": value,
        "1 b.example.": (1, "b.example.", (), ()),
    }
    assert [key.split()[1] for key in told.keys(HOME, "encrypted_dns")] == ["b.example.", "a.example."]
    six = Story().asks6(INFORM, Resolver(144, 1, "a.example.", 0, 0, ("2001:db8::53",), doh), ask=(144,))
    assert six.keys(HOME, "encrypted_dns") == ["1 a.example. 2001:db8::53"]
    assert six.asks6(INFORM, DNS6, ask=(144, 23)).keys(HOME, "encrypted_dns") == [], "asked for, and no longer said"


def test_rules_for_names_stand_in_the_order_in_which_they_were_said_a_rule_for_no_name_too() -> None:
    rules = RdnssSelection(74, ("2001:db8::2", "2001:db8::1"), "reserved", ("b.example.", "a.example."), 0, 0)
    told = Story().asks6(INFORM, rules, RdnssSelection(74, ("2001:db8::3",), "high", (), 0, 0))
    (grant,) = (one for one in told.state.grants.values() if one.subject)
    assert [(one.order, one.key, one.value) for one in grant.held] == [
        (0, "2001:db8::2 b.example.", ("2001:db8::2", "b.example.", "medium")),
        (1, "2001:db8::2 a.example.", ("2001:db8::2", "a.example.", "medium")),
        (2, "2001:db8::1 b.example.", ("2001:db8::1", "b.example.", "medium")),
        (3, "2001:db8::1 a.example.", ("2001:db8::1", "a.example.", "medium")),
        (4, "2001:db8::3 ", ("2001:db8::3", "", "high")),
    ]
    assert name_rules6((number(74, 1), RdnssSelection(146, ("192.0.2.1",), "high", ("c.example.",), 0, 0))) == ()


def test_a_host_name_is_the_pvds() -> None:
    assert Story().leases4(text(12, "evil")).holdings(HOME, "hostname") == {"hostname": ("evil",)}
    assert Story().leases4().holdings(HOME, "hostname") == {}
    told = Story(projection="netns").leases4(text(12, "evil")).at(2)
    ops = plan(desired(told.state, host=CLIENT), Have()).ops
    assert ops and "evil" not in str(ops)  # nothing that is written to the host carries it


@pytest.mark.covers("evil:E54", "evil:E58")
def test_an_address_is_not_its_own_router() -> None:
    told = Story().hear(dhcp4("REQUEST", WISH), lease4(HERE, router=HERE))
    assert told.keys(HOME, "route") == []
    assert told.keys(HOME, "address") == [f"{HERE}/24"]
    other = Story().hear(dhcp4("REQUEST", WISH), lease4(HERE, addresses(3, HERE, "192.0.2.1"), router=""))
    assert other.keys(HOME, "route") == ["0.0.0.0/0 via 192.0.2.1"]
    assert told.findings()["dhcp4-router-is-client"].count == 1
    told.at(1800).hear(dhcp4("REQUEST", ciaddr=HERE), lease4(HERE, router=HERE))
    assert told.findings()["dhcp4-router-is-client"].count == 2, "a renewal that says the same is wrong again"
    told = Story().hear(dhcp4("REQUEST", WISH), lease4(HERE))
    for router in (HERE, "192.0.2.1"):
        told.hear(dhcp4("REQUEST", ciaddr=HERE), lease4(HERE, router=router))
    assert told.keys(HOME, "route") == ["0.0.0.0/0 via 192.0.2.1"], "the words of the first ACK, but not the same lease"


@pytest.mark.covers("rfc:V01")
def test_a_relayed_answer_counts_where_its_client_is_and_not_before() -> None:
    relay = "192.0.2.254"
    question = dhcp4("REQUEST", WISH)
    to_relay = dhcp4("ACK", SERVER, number(51, 3600), yiaddr=HERE, giaddr=relay, destination=relay)
    to_client = dhcp4("ACK", SERVER, number(51, 3600), yiaddr=HERE, giaddr=relay, destination="255.255.255.255")
    assert Story().hear(question, to_relay).alive() == []
    assert Story().hear(question, to_client).alive() == [HOME]


@pytest.mark.covers("rfc:V17")
@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ((1, 121, 3, 33), False),
        ((121, 3), False),
        ((1, 3, 33), False),
        ((1, 3, 121), True),
        ((121, 33), True),
        ((33, 121, 3), True),
        ((121,), True),
    ],
)
def test_a_client_asks_for_classless_routes_first_and_for_routers_too(codes: tuple[int, ...], told: bool) -> None:
    for message in ("DISCOVER", "REQUEST"):
        heard = Story().hear(dhcp4(message, WISH, Codes(55, codes, 0, 0)))
        assert ("dhcp4-client-request-order" in heard.findings()) is told


# DHCPv6


@pytest.mark.covers("rfc:W09", "rfc:W21", "evil:E99")
def test_sol_max_rt_counts_even_from_an_advertise_that_is_ignored() -> None:
    told = Story().hear(dhcp6("SOLICIT"), dhcp6("ADVERTISE", ia_na(status(2)), number(82, 7200)))
    assert (max_rt_s(of(told), 82), max_rt_s(of(told), 83)) == (7200, MAX_RT_S)
    assert max_rt_s(of(told, link="e1"), 82) == MAX_RT_S
    assert told.alive() == []
    told.hear(dhcp6("ADVERTISE", number(82, 3700), server="00030001020000000002"))
    assert max_rt_s(of(told), 82) == 3600
    for bad in (59, 86_401):
        assert max_rt_s(of(Story().hear(dhcp6("SOLICIT"), dhcp6("ADVERTISE", number(82, bad)))), 82) == MAX_RT_S
    failing = Story().asks6(INFORM, status(1), number(83, 7200))
    assert (max_rt_s(of(failing), 83), failing.alive()) == (7200, [])


@pytest.mark.covers("rfc:W02")
def test_an_advertise_that_answers_nobody_here_tells_nothing() -> None:
    for wrong in (
        dhcp6("ADVERTISE", number(82, 7200), server=""),
        dhcp6("ADVERTISE", number(82, 7200), client=None),
        dhcp6("ADVERTISE", number(82, 7200), client=DUID + "00"),
        dhcp6("ADVERTISE", number(82, 7200), xid=2),
    ):
        assert max_rt_s(of(Story().hear(dhcp6("SOLICIT"), wrong)), 82) == MAX_RT_S
    assert max_rt_s(of(Story().hear(dhcp6("SOLICIT"), dhcp6("ADVERTISE", number(82, 7200)))), 82) == 7200


@pytest.mark.covers("rfc:W11", "evil:E99")
def test_one_success_outweighs_every_not_on_link() -> None:
    for answers in ((4, 0), (0, 4)):
        told = Story().asks6("REQUEST", ia_na(ia_address(A))).hear(dhcp6("CONFIRM", xid=70))
        for one in answers:
            told.hear(dhcp6("REPLY", status(one), xid=70))
        assert told.hear(dhcp6("SOLICIT", ia_na(iaid=9), xid=71)).keys(HOME, "address") == [f"{A}/128"]
    told = Story().asks6("REQUEST", ia_na(ia_address(A))).hear(dhcp6("CONFIRM", xid=70))
    told.hear(dhcp6("REPLY", status(4), xid=70))
    assert told.alive() == [HOME]
    assert told.hear(dhcp6("SOLICIT", ia_na(iaid=9), xid=71)).alive() == []
    fresh = told.asks6("REQUEST", ia_na(ia_address(A))).hear(dhcp6("SOLICIT", ia_na(iaid=9), xid=72))
    assert fresh.keys(HOME, "address") == [f"{A}/128"], "what was refused was given up"
    for between, kept in ((dhcp6("CONFIRM", xid=73), [f"{A}/128"]), (dhcp6("RENEW", xid=73), [])):
        told = Story().asks6("REQUEST", ia_na(ia_address(A))).hear(dhcp6("CONFIRM", xid=70))
        told.hear(dhcp6("REPLY", status(4), xid=70), between, dhcp6("SOLICIT", ia_na(iaid=9), xid=71))
        assert told.keys(HOME, "address") == kept, "only a Confirm asks anew whether it fits"
    said = Story().asks6("REQUEST", number(82, 7200)).hear(dhcp6("CONFIRM", xid=70), dhcp6("REPLY", status(0), xid=70))
    assert max_rt_s(of(said), 82) == 7200  # what else is known of the client stays
    lost = Story().asks6("REQUEST", ia_na(ia_address(A), iaid=1), ia_na(ia_address(B), iaid=2))
    lost.asks6("RENEW", ia_na(status(3), iaid=1), ia_na(ia_address(B), iaid=2))
    assert lost.keys(HOME, "address") == [f"{A}/128", f"{B}/128"] and "dhcp6-no-binding" in lost.findings()
    assert Story().asks6("REQUEST", status(4), ia_na(ia_address(A))).alive() == []
    done = Story().asks6("REQUEST", ia_na(ia_address(A))).asks6("RELEASE", ia_na(status(3)))
    assert done.keys(HOME, "address") == [f"{A}/128"]  # it named no address


@pytest.mark.covers("rfc:W27")
def test_discovery_from_the_beginning_ends_what_that_association_had() -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address(A), iaid=1), ia_na(ia_address(B), iaid=2))
    told.hear(dhcp6("SOLICIT", ia_na(iaid=1), xid=70))
    assert told.keys(HOME, "address") == [f"{B}/128"]
    assert told.history(HOME)[-1].cause == "restarted"


@pytest.mark.covers("rfc:W13", "evil:E99")
def test_refreshing_is_due_at_a_time_that_ends_nothing() -> None:
    def due(*options: object, question: str = INFORM) -> float | None:
        told = Story().asks6(question, DNS6, *options)  # type: ignore[arg-type]
        (info,) = [one for one in told.state.grants.values() if one.rule == "dhcp6-info"]
        assert told.at(10 * 86_400).keys(HOME, "dns") == ["2001:db8::53"]
        return None if info.refresh_at == NEVER else (info.refresh_at - START) / SECOND

    assert due() == 86_400
    assert due(number(32, 10)) == due(number(32, 0)) == 600
    assert due(number(32, 7200)) == 7200
    assert due(number(32, None)) is None
    assert due(number(32, 7200), question="RENEW") is None


@pytest.mark.covers("rfc:W15", "evil:E100", "evil:E71")
def test_a_reconfigure_counts_for_who_agreed_and_gives_up_nothing() -> None:
    reconfigure = dhcp6("RECONFIGURE", number(19, 5), authentication(), server="00030001020000000001")
    bare = dhcp6("RECONFIGURE", number(19, 5), server="00030001020000000001")
    told = (
        Story().hear(dhcp6("REQUEST", flag(20), xid=1), dhcp6("REPLY", ia_na(ia_address(A)), xid=1)).hear(reconfigure)
    )
    assert (of(told).reconfiguring, told.keys(HOME, "address")) == (5, [f"{A}/128"])
    again = dhcp6("RECONFIGURE", number(19, 6), authentication(), server="00030001020000000001")
    assert of(told.hear(again)).reconfiguring == 5
    assert of(told.hear(dhcp6("RENEW", flag(20), xid=2))).reconfiguring == 0
    informed = Story().hear(dhcp6(INFORM, flag(20), xid=1), dhcp6("REPLY", DNS6, xid=1)).hear(reconfigure)
    assert of(informed).reconfiguring == 5
    for question, message in ((dhcp6("REQUEST"), reconfigure), (dhcp6("REQUEST", flag(20)), bare)):
        refused = Story().hear(question, dhcp6("REPLY", ia_na(ia_address(A)))).hear(message)
        assert of(refused).reconfiguring == 0 and "dhcp6-reconfigure-refused" in refused.findings()
        assert refused.keys(HOME, "address") == [f"{A}/128"]


@pytest.mark.covers("rfc:W16")
def test_a_client_in_a_loop_is_seen() -> None:
    for times, seen in ((20, False), (21, True)):
        told = Story()
        for one in range(times):
            told.at(one / 2).hear(dhcp6("RENEW", xid=one), dhcp6("REPLY", ia_na(status(3)), xid=one))
        assert ("dhcp6-client-hasty" in told.findings()) is seen
    told = Story().hear(*(dhcp6("RENEW", xid=one) for one in range(20))).at(20).hear(dhcp6("RENEW", xid=21))
    assert "dhcp6-client-hasty" not in told.findings(), "the next twenty seconds"


@pytest.mark.covers("rfc:W28", "evil:E99")
def test_timers_of_zero_are_chosen_and_infinite_ones_never_come() -> None:
    def timers(t1: int | None, t2: int | None, preferred: int | None = 3600) -> tuple[object, ...]:
        from events.dhcp import Ia

        inside = (ia_address(A, 7200, preferred), ia_address(B, 9000, 8000))
        told = Story().asks6("REQUEST", Ia(3, 1, t1, t2, 0, 0, inside))
        return told.holdings(HOME, "lease")[f"dhcp6 {A}"][2:]

    assert timers(0, 0) == (1800, 2880)
    assert timers(1000, 2000) == (1000, 2000)
    assert timers(None, None) == (None, None)
    assert timers(0, None) == (1800, None)
    assert timers(0, 0, preferred=0) == (4000, 6400)  # never at once
    assert timers(3200, 0) == (3200, 3200) and timers(None, 0) == (None, 2880)  # T2 is not before T1
    odd = timers6(ia_na(ia_address(A, 0, 1), ia_address(B, 3601, 3601), t1=0, t2=0))
    assert odd == (1800, 2880) and [type(one) for one in odd] == [int, int]
    assert timers6(ia_na(ia_address(A, 1, 1), t1=0, t2=0)) == (1, 1)
    assert timers6(ia_na(ia_address(A, None, None), t1=0, t2=0)) == timers6(ia_na(t1=0, t2=0)) == (None, None)


@pytest.mark.covers("rfc:W30")
def test_options_beside_nothing_usable_stand_by_themselves() -> None:
    told = Story().asks6("REQUEST", ia_na(status(2)), DNS6)
    assert (told.keys(HOME, "address"), told.keys(HOME, "dns")) == ([], ["2001:db8::53"])
    told.asks6("REQUEST", ia_na(ia_address(A))).hear(dhcp6("RELEASE", ia_na(ia_address(B)), xid=70))
    assert told.keys(HOME, "dns") == ["2001:db8::53"]
    assert CLIENT not in {one.host for one in told.instances(HOME)}


@pytest.mark.covers("rfc:W23")
def test_a_prefix_is_never_declined() -> None:
    given = IaPrefix(26, "2001:db8:100::/56", 3600, 7200, 0, 0)
    told = Story().asks6("REQUEST", ia_pd(given)).hear(dhcp6("DECLINE", ia_pd(given), xid=70))
    assert told.keys(HOME, "prefix_delegated") == ["2001:db8:100::/56"]


def test_what_a_server_says_twice_is_held_once() -> None:
    told = Story().leases4(addresses(42, "192.0.2.5", "192.0.2.5"))
    told.asks6("INFORMATION-REQUEST", addresses(23, B, B), addresses(31, A, A))
    for grant in told.state.grants.values():
        keys = [(one.kind, one.key) for one in grant.held]
        assert len(keys) == len(set(keys))


def test_of_ntp_servers_only_addresses_of_hosts_are_held() -> None:
    """RFC 5908 §4: suboption 1 is a server's address, 2 a multicast group's, 3 a name."""
    address, group, name = "20010db8" + "0" * 22 + "5a", "ff05" + "0" * 25 + "101", "036e7470" + "00" * 12
    told = Story().asks6(INFORM, Suboptions(56, ((1, address), (2, group), (3, name), (1, "2001")), 0, 0))
    assert told.keys(HOME, "ntp") == ["2001:db8::5a"]
    other = Story().asks6(INFORM, Suboptions(17, ((1, address),), 0, 0), addresses(31, "2001:db8::7b"))
    assert other.keys(HOME, "ntp") == ["2001:db8::7b"]  # the first suboption of a vendor means something else


def test_a_portal_of_dhcpv6_is_replaced_and_not_added_to() -> None:
    told = Story().asks6(INFORM, text(103, "https://a.example/"))
    told.at(5).asks6(INFORM, text(103, "https://b.example/"))
    assert told.holdings(HOME, "captive_portal") == {"uri": ("https://b.example/",)}
