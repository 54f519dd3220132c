"""DHCPv4 as an observer folds it: RFC 2131, 2132, 3442, 4039."""

import pytest
from msgspec.structs import replace

from events.dhcp import Dhcp4MessageSeen
from tests.sim.build import (
    CLIENT,
    OTHER,
    Story,
    addresses,
    dhcp4,
    flag,
    identifier,
    lease4,
    number,
    routes,
    text,
)

HOME = "if:e0/1"
DNS = "192.0.2.53"


def asked(xid: int = 1, mac: str = CLIENT, **more: str) -> Dhcp4MessageSeen:
    return dhcp4("REQUEST", addresses(50, "192.0.2.10"), xid=xid, mac=mac, **more)  # type: ignore[arg-type]


@pytest.mark.covers("rfc:V01")
def test_an_answer_nobody_here_asked_for_counts_for_nothing() -> None:
    told = Story().hear(asked(xid=1))
    told.hear(lease4(xid=2), lease4(xid=1, mac=OTHER))
    assert told.alive() == []
    assert told.hear(lease4(xid=1)).owners("dhcp4") == [HOME]


@pytest.mark.covers("rfc:V01", "rfc:V26")
def test_a_question_is_answered_once() -> None:
    told = Story().hear(asked(), lease4()).at(5).hear(lease4("192.0.2.99"))
    assert told.keys(HOME, "address") == ["192.0.2.10/24"]


@pytest.mark.covers("rfc:V02")
def test_an_offer_and_an_ack_before_any_request_configure_nothing() -> None:
    told = Story().hear(dhcp4("DISCOVER"), dhcp4("OFFER", number(51, 3600), yiaddr="192.0.2.10"))
    assert told.alive() == []
    assert told.hear(lease4()).alive() == []
    assert told.hear(asked(), lease4()).alive() == [HOME]


@pytest.mark.covers("rfc:V03")
def test_a_nak_of_our_request_ends_the_lease() -> None:
    told = Story().hear(asked(xid=1), lease4(xid=1)).at(1800)
    told.hear(asked(xid=2), dhcp4("NAK", xid=2))
    assert told.alive() == []
    last = told.history(HOME)[-1]
    assert (last.cause, last.phase) == ("refused", "gone")


@pytest.mark.covers("rfc:V03", "rfc:V26")
def test_after_a_nak_no_other_answer_counts() -> None:
    assert Story().hear(asked(), dhcp4("NAK"), lease4()).alive() == []


@pytest.mark.covers("rfc:V03", "rfc:V26", "rfc:V01")
@pytest.mark.parametrize("nak", [dhcp4("NAK", xid=1), dhcp4("NAK", xid=9), dhcp4("NAK", xid=2, mac=OTHER)])
def test_any_other_nak_ends_nothing(nak: Dhcp4MessageSeen) -> None:
    told = Story().hear(asked(xid=1), lease4(xid=1)).at(1800).hear(asked(xid=2), nak)
    assert told.owners("dhcp4") == [HOME]


@pytest.mark.covers("rfc:V20")
def test_a_renewal_goes_to_the_server_that_granted_and_to_no_relay() -> None:
    for where, elsewhere in (("192.0.2.1", False), ("192.0.2.254", True)):
        renewal = dhcp4("REQUEST", ciaddr="192.0.2.10", destination=where, xid=2)
        told = Story().hear(asked(), lease4()).at(1800).hear(renewal)
        assert ("dhcp4-client-renews-elsewhere" in told.findings()) is elsewhere


@pytest.mark.covers("rfc:V30")
def test_what_else_a_nak_carries_is_not_taken() -> None:
    told = Story().hear(
        asked(), dhcp4("NAK", number(51, 3600), routes(121, ("0.0.0.0/0", "192.0.2.1")), number(108, 60))
    )
    assert told.alive() == []
    assert told.history() == []


@pytest.mark.covers("rfc:V04")
def test_a_renewal_replaces_all_options() -> None:
    told = Story().hear(asked(), lease4()).at(1800)
    told.hear(asked(xid=2), lease4(xid=2, resolvers=()))
    assert told.keys(HOME, "dns") == []
    assert told.keys(HOME, "address") == ["192.0.2.10/24"]
    assert [item[1] for item in told.history(HOME)[-1].removed] == [DNS]


@pytest.mark.covers("rfc:V05")
@pytest.mark.parametrize(
    ("given", "timers"),
    [
        ((), (1800, 3150)),
        ((1000,), (1000, 3150)),
        ((1000, 2000), (1000, 2000)),
        ((1000, 3600), (1800, 3150)),
        ((2000, 2000), (1800, 3150)),
        ((3000, 2000), (1800, 3150)),
    ],
)
def test_timers_are_the_servers_if_they_are_in_order(given: tuple[int, ...], timers: tuple[int, int]) -> None:
    options = [number(58 + at, value) for at, value in enumerate(given)]
    told = Story().hear(asked(), lease4("192.0.2.10", *options))
    assert told.holdings(HOME, "lease")["dhcp4"][2:] == timers
    odd = Story().hear(asked(), lease4(life=3601)).holdings(HOME, "lease")["dhcp4"][2:]
    assert (odd, [type(one) for one in odd]) == ((1800, 3150), [int, int])
    crossed = Story().hear(asked(), lease4("192.0.2.10", number(58, 9), number(59, 8), life=3601))
    assert crossed.holdings(HOME, "lease")["dhcp4"][2:] == odd
    assert [type(one) for one in crossed.holdings(HOME, "lease")["dhcp4"][2:]] == [int, int]


@pytest.mark.covers("rfc:V06")
def test_an_infinite_lease_never_ends() -> None:
    told = Story().hear(asked(), lease4(life=None))
    assert told.ends(HOME, "address", "192.0.2.10/24") is None
    assert told.at(2**32 + 10).alive() == [HOME]


@pytest.mark.covers("rfc:V07", "rfc:V08")
def test_a_lease_counts_from_the_request_and_ends_on_time() -> None:
    told = Story().hear(asked()).at(8).hear(lease4())
    assert told.ends(HOME, "address", "192.0.2.10/24") == 3600
    assert told.at(3599).alive() == [HOME]
    assert told.at(3600).alive() == []
    assert told.moves(HOME)[-1][:2] == (3600, "lapsed")


@pytest.mark.covers("rfc:V10")
def test_an_inform_gives_options_and_no_lease() -> None:
    told = Story().hear(dhcp4("INFORM", ciaddr="192.0.2.77"), lease4())
    assert told.keys(HOME, "dns") == [DNS]
    assert told.keys(HOME, "address") == []
    assert told.keys(HOME, "lease") == []
    assert told.at(4000).keys(HOME, "dns") == [DNS]  # an ignored lease time ends nothing
    assert told.hear(lease4(resolvers=("192.0.2.54",))).keys(HOME, "dns") == [DNS]  # it was answered


@pytest.mark.covers("rfc:V11")
def test_a_release_ends_the_lease_and_a_late_ack_does_not_bring_it_back() -> None:
    told = Story().hear(asked(), lease4()).at(10).hear(dhcp4("RELEASE", xid=7, ciaddr="192.0.2.10"))
    assert told.alive() == []
    assert told.history(HOME)[-1].cause == "released"
    assert told.at(11).hear(lease4(xid=1), lease4(xid=7)).alive() == []
    other = Story().hear(asked(), lease4()).hear(dhcp4("RELEASE", ciaddr="192.0.2.99"))
    assert other.alive() == [HOME]


@pytest.mark.covers("rfc:V11", "rfc:V21")
def test_a_decline_voids_the_lease() -> None:
    told = Story().hear(asked(), lease4()).hear(dhcp4("DECLINE", addresses(50, "192.0.2.10"), xid=7))
    assert told.alive() == []
    assert told.history(HOME)[-1].cause == "declined"
    assert Story().hear(asked(), lease4(), dhcp4("DECLINE", addresses(50, "192.0.2.10"), mac=OTHER)).alive() == [HOME]


def test_a_route_list_is_one_list() -> None:
    listed = [(f"10.{number}.0.0/16", "192.0.2.1") for number in range(60)]  # more than 255 octets hold
    told = Story().hear(asked(), lease4("192.0.2.10", routes(121, *listed)))
    assert len(told.keys(HOME, "route")) == 60
    assert "0.0.0.0/0 via 192.0.2.1" not in told.keys(HOME, "route")


@pytest.mark.covers("rfc:V14", "rfc:V16")
def test_classless_routes_switch_the_others_off() -> None:
    classless = routes(121, ("129.210.177.128/25", None), ("10.0.0.0/8", "192.0.2.9"))
    told = Story().hear(asked(), lease4("192.0.2.10", classless, routes(33, ("172.16.0.1/32", "192.0.2.1"))))
    assert told.holdings(HOME, "route") == {
        "10.0.0.0/8 via 192.0.2.9": ("10.0.0.0/8", "192.0.2.9", "medium"),
        "129.210.177.128/25": ("129.210.177.128/25", None, "medium"),
    }
    classful = Story().hear(asked(), lease4("192.0.2.10", routes(33, ("172.16.0.1/32", "192.0.2.1"))))
    assert set(classful.keys(HOME, "route")) == {"0.0.0.0/0 via 192.0.2.1", "172.16.0.1/32 via 192.0.2.1"}


@pytest.mark.covers("rfc:V16")
def test_router_zero_in_option_3_means_nothing() -> None:
    assert Story().hear(asked(), lease4(router="0.0.0.0")).keys(HOME, "route") == []


@pytest.mark.covers("rfc:V18")
def test_option_249_counts_without_121_only() -> None:
    both = lease4("192.0.2.10", routes(249, ("10.9.0.0/16", "192.0.2.9")), routes(121, ("10.1.0.0/16", "192.0.2.1")))
    assert Story().hear(asked(), both).keys(HOME, "route") == ["10.1.0.0/16 via 192.0.2.1"]
    alone = lease4("192.0.2.10", routes(249, ("10.9.0.0/16", "192.0.2.9")))
    assert Story().hear(asked(), alone).keys(HOME, "route") == ["10.9.0.0/16 via 192.0.2.9"]


@pytest.mark.covers("rfc:V20")
def test_another_server_at_rebinding_is_the_server_from_then_on() -> None:
    told = Story().hear(asked(), lease4()).at(3200).hear(asked(xid=2), lease4(xid=2, server="192.0.2.2"))
    assert told.holdings(HOME, "lease")["dhcp4"][1] == "192.0.2.2"
    assert told.keys(HOME, "address") == ["192.0.2.10/24"]
    assert len(told.history(HOME)) == 2


@pytest.mark.covers("rfc:V25")
@pytest.mark.parametrize(
    ("in_discover", "in_ack", "alive"), [(True, True, [HOME]), (False, True, []), (True, False, []), (False, False, [])]
)
def test_rapid_commit_needs_both_sides(in_discover: bool, in_ack: bool, alive: list[str]) -> None:
    rapid = (flag(80),)
    told = Story().hear(dhcp4("DISCOVER", *(rapid if in_discover else ()))).at(3)
    told.hear(lease4("192.0.2.10", *(rapid if in_ack else ())))
    assert told.alive() == alive
    if alive:
        assert told.ends(HOME, "address", "192.0.2.10/24") == 3600  # counted from the DISCOVER


@pytest.mark.covers("rfc:V29")
def test_a_client_is_its_id_or_else_its_mac() -> None:
    a, b = identifier(61, "ff0a"), identifier(61, "ff0b")
    told = Story()
    told.hear(dhcp4("REQUEST", a, xid=1), lease4("192.0.2.10", xid=1))
    told.hear(dhcp4("REQUEST", b, xid=2), lease4("192.0.2.11", xid=2))
    assert sorted(one.host for one in told.instances(HOME)) == ["ff0a", "ff0b"]
    as_mac = Story().hear(dhcp4("REQUEST", identifier(61, "01" + CLIENT.replace(":", ""))), lease4())
    assert [one.host for one in as_mac.instances(HOME)] == [CLIENT]
    for id in ("0001020304050a", "01020304050607ff"):  # as long as a MAC's, but of no hardware; longer than a MAC's
        assert [one.host for one in Story().hear(dhcp4("REQUEST", identifier(61, id)), lease4()).instances(HOME)] == [
            id
        ]


@pytest.mark.covers("rfc:V32")
def test_an_ack_without_server_id_is_of_the_server_that_was_asked() -> None:
    request = dhcp4("REQUEST", addresses(50, "192.0.2.10"), addresses(54, "192.0.2.7"))
    told = Story().hear(request, dhcp4("ACK", number(51, 600), yiaddr="192.0.2.10"))
    assert told.holdings(HOME, "lease")["dhcp4"][1] == "192.0.2.7"
    renewal = dhcp4("REQUEST", ciaddr="192.0.2.10", xid=2)
    told.at(300).hear(renewal, dhcp4("ACK", number(51, 600), yiaddr="192.0.2.10", xid=2))
    assert told.holdings(HOME, "lease")["dhcp4"][1] == "192.0.2.7"  # that of the lease it holds
    assert told.ends(HOME, "address", "192.0.2.10/32") == 900
    again = dhcp4("REQUEST", addresses(50, "192.0.2.10"), addresses(54, "192.0.2.8"), xid=3)
    told.hear(again, dhcp4("ACK", number(51, 600), yiaddr="192.0.2.10", xid=3))  # the same words, of another server
    assert told.holdings(HOME, "lease")["dhcp4"][1] == "192.0.2.8"
    unnamed = Story().hear(asked(), dhcp4("ACK", number(51, 600), yiaddr="192.0.2.10"))
    assert unnamed.holdings(HOME, "lease")["dhcp4"][1] == ""


def test_an_ack_without_a_usable_lease_is_a_finding() -> None:
    told = Story().hear(asked(), dhcp4("ACK", text(15, "one.example"), yiaddr="192.0.2.10"))
    assert told.alive() == []
    assert "dhcp4-no-lease-time" in told.findings()
    for life, alive in ((0, []), (1, [HOME])):
        assert Story().hear(asked(), lease4(life=life)).alive() == alive


@pytest.mark.covers("rfc:V01")
def test_what_passes_between_relay_and_server_makes_no_pvd() -> None:
    told = Story().hear(
        asked(giaddr="192.0.2.254"), dhcp4("ACK", number(51, 60), yiaddr="192.0.2.10", giaddr="192.0.2.254")
    )
    assert told.alive() == []
    for question in (asked(giaddr="192.0.2.254"), replace(asked(), hops=1)):
        assert Story().hear(question, lease4()).alive() == [], "a relay's copy of a question"
    assert Story().hear(asked(), replace(lease4(), giaddr="192.0.2.254")).alive() == [], "and of an answer"
