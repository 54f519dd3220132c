"""Option 108: a client that can do without IPv4 is told to, and waits (RFC 8925)."""

import pytest

from events.dhcp import Codes, DhcpOption
from events.ids import SECOND
from pvdcore.past import snapshot
from tests.sim.build import CLIENT, START, Story, addresses, dhcp4, lease4, number, pref64, ra

HOME = "if:e0/1"
ASKS = Codes(55, (1, 3, 6, 108), 0, 0)
SILENT = Codes(55, (1, 3, 6), 0, 0)


def discover(prl: Codes = ASKS, xid: int = 1) -> object:
    return dhcp4("DISCOVER", prl, xid=xid)


def offer(*options: DhcpOption, server: str = "192.0.2.1", xid: int = 1) -> object:
    return dhcp4("OFFER", addresses(54, server), number(51, 3600), *options, xid=xid)


def waits(told: Story, host: str = CLIENT, link: str = "e0") -> float | None:
    """Until when a client does without IPv4, in seconds from the beginning."""
    known = dict(told.state.links[link].clients).get(host)
    return None if known is None or not known.waits_until else (known.waits_until - START) / SECOND


@pytest.mark.covers("rfc:F31")
def test_only_who_asked_for_it_waits() -> None:
    asked = Story().hear(discover(), offer(number(108, 600)))  # type: ignore[arg-type]
    assert waits(asked) == 600
    unasked = Story().hear(discover(SILENT), offer(number(108, 600)))  # type: ignore[arg-type]
    assert waits(unasked) is None
    assert "dhcp4-unasked-v6only" in unasked.findings() and "dhcp4-unasked-v6only" not in asked.findings()
    late = Story().hear(dhcp4("REQUEST", addresses(50, "192.0.2.10"), ASKS), offer(number(108, 600)))  # type: ignore[arg-type]
    assert waits(late) is None, "an OFFER that comes when another was taken"
    nobodys = Story().hear(discover(), dhcp4("OFFER", number(108, 600)))  # type: ignore[arg-type]
    assert waits(nobodys) is None, "an OFFER of no server can't be taken (RFC 2131, table 3)"


@pytest.mark.covers("rfc:F32", "rfc:F36")
@pytest.mark.parametrize(("said", "wait_s"), [(0, 300), (299, 300), (300, 300), (1800, 1800)])
def test_an_offer_that_is_taken_has_its_client_wait_and_makes_no_lease(said: int, wait_s: int) -> None:
    told = Story().hear(discover(), offer(number(108, said)))  # type: ignore[arg-type]
    assert waits(told) == wait_s
    known = dict(told.state.links["e0"].clients)[CLIENT]
    assert (known.waits_because, known.waits_for) == (told.state.seq, "192.0.2.1")
    assert told.alive() == [] and not told.state.grants
    assert waits(told.at(wait_s - 1)) == wait_s
    assert waits(told.at(wait_s)) is None
    assert told.state.links["e0"].clients == (), "nothing is left of it"
    again = snapshot.decode(snapshot.encode(told.state))
    assert snapshot.encode(again) == snapshot.encode(told.state)


@pytest.mark.covers("rfc:F33", "evil:E97")
def test_an_ack_has_its_client_wait_after_a_reboot_only() -> None:
    wish, server = addresses(50, "192.0.2.10"), addresses(54, "192.0.2.1")
    reboot = Story().hear(dhcp4("REQUEST", wish, ASKS), lease4("192.0.2.10", number(108, 600)))
    assert (waits(reboot), reboot.alive()) == (600, [])
    select = Story().hear(dhcp4("REQUEST", wish, server, ASKS), lease4("192.0.2.10", number(108, 600)))
    assert (waits(select), select.alive()) == (None, [HOME])
    for where in ("192.0.2.1", "255.255.255.255"):  # renewing, rebinding
        renewal = dhcp4("REQUEST", ASKS, xid=2, ciaddr="192.0.2.10", destination=where)
        told = Story().leases4().at(1800).hear(renewal, lease4("192.0.2.10", number(108, 600), xid=2))
        assert (waits(told), told.ends(HOME, "address", "192.0.2.10/24")) == (None, 5400)
    lost = Story().leases4().at(10).hear(dhcp4("REQUEST", wish, ASKS, xid=2))
    assert lost.hear(lease4("192.0.2.10", number(108, 600), xid=2)).alive() == []  # what it had is over, too
    assert lost.history(HOME)[-1].cause == "ipv6-only"
    for chosen, ignores in (("192.0.2.2", False), ("192.0.2.1", True)):  # who said so is not to be asked
        told = Story().hear(dhcp4("REQUEST", wish, ASKS), lease4("192.0.2.10", number(108, 600)))
        told.hear(dhcp4("REQUEST", wish, addresses(54, chosen), ASKS, xid=2))
        assert ("dhcp4-client-ignores-v6only" in told.findings()) is ignores


@pytest.mark.covers("rfc:F34")
def test_a_new_attachment_ends_the_wait() -> None:
    told = Story().hear(discover(), offer(number(108, 600))).at(10)  # type: ignore[arg-type]
    assert waits(told) == 600
    assert waits(told.attach()) is None
    assert told.leases4().owners("dhcp4") == ["if:e0/2"]
    assert told.at(600).owners("dhcp4") == ["if:e0/2"]  # the old deadline does nothing
    beside = Story().leases4(life=100, link="e1").hear(discover(), offer(number(108, 600)))  # type: ignore[arg-type]
    assert beside.alive() == ["if:e1/1"] and beside.at(100).alive() == []  # other deadlines stay
    declined = Story().leases4().hear(dhcp4("DECLINE", addresses(50, "192.0.2.10"))).at(20)
    for _ in range(2):  # it waits, and asks again: what else is known of the client stays
        declined.hear(discover(), offer(number(108, 600)), dhcp4("DISCOVER", ASKS, xid=2))  # type: ignore[arg-type]
        known = dict(declined.state.links["e0"].clients)[CLIENT]
        assert (known.conflicts, known.waits_until, known.waits_because, known.waits_for) == (1, 0, 0, "")
    other = Story().hear(discover(), offer(number(108, 600))).attach("e1")  # type: ignore[arg-type]
    assert waits(other) == 600


@pytest.mark.covers("rfc:F35")
def test_of_several_offers_the_chosen_one_decides() -> None:
    a, b = offer(server="192.0.2.1"), offer(number(108, 600), server="192.0.2.2")
    told = Story().hear(discover(), a, b)  # type: ignore[arg-type]
    chosen = dhcp4("REQUEST", addresses(50, "192.0.2.10"), addresses(54, "192.0.2.1"), ASKS)
    told.hear(chosen, lease4())
    assert (waits(told), told.alive()) == (None, [HOME])
    assert "dhcp4-client-ignores-v6only" not in told.findings()
    against = dhcp4("REQUEST", addresses(50, "192.0.2.10"), addresses(54, "192.0.2.2"), ASKS)
    assert "dhcp4-client-ignores-v6only" in Story().hear(discover(), b, against).findings()  # type: ignore[arg-type]


@pytest.mark.covers("rfc:F37", "evil:E97")
def test_a_huge_wait_is_capped_by_policy() -> None:
    told = Story().hear(discover(), offer(number(108, 0xFFFFFFFF)))  # type: ignore[arg-type]
    assert waits(told) == 86_400
    assert "dhcp4-v6only-capped" in told.findings()
    short = Story(v6only_wait_max_s=1000).hear(discover(), offer(number(108, 2000)))  # type: ignore[arg-type]
    assert waits(short) == 1000
    assert "dhcp4-v6only-capped" not in Story().hear(discover(), offer(number(108, 86_400))).findings()  # type: ignore[arg-type]


@pytest.mark.covers("rfc:V30")
def test_108_in_a_nak_has_nobody_wait() -> None:
    told = Story().hear(dhcp4("REQUEST", addresses(50, "192.0.2.10"), ASKS), dhcp4("NAK", number(108, 600)))
    assert waits(told) is None


@pytest.mark.covers("rfc:F06")
def test_pref64_beside_a_lease_is_recorded_and_nothing_else() -> None:
    told = Story().hear(ra("fe80::1", pref64())).leases4()
    assert told.keys("ra:e0/1/fe80::1", "pref64") == ["64:ff9b::/96"]
    assert told.keys("ra:e0/1/fe80::1", "address") == ["192.0.2.10/24"]
