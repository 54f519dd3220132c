"""ARP: of all that a link says, what can be an address conflict gets through, and nothing else (RFC 5227)."""

import pytest

from adapters.ingest import LEASES_WATCHED, Translator, translate, wanted
from events.dhcp import Dhcp4MessageSeen
from events.frames import Frame
from events.link import ArpSeen
from tests.fuzz.targets import frame4
from tests.wire import dhcp_octets as dhcp
from tests.wire.packets import arp, ethernet, frame

OURS, OTHER = "192.0.2.10", "192.0.2.66"
CLIENT, FOREIGN = "02:00:00:00:00:0a", "02:00:00:00:66:66"


def sent(sender: str, target: str, mac: str, operation: int = 1) -> Frame:
    return frame(ethernet(arp(sender, target, mac=mac, operation=operation), 0x0806, mac=mac))


def ack(address: str = OURS, mac: str = CLIENT, message: int = 5) -> Frame:
    """The answer of a server to the client of that MAC."""
    fixed = bytearray(dhcp.fixed4())
    fixed[0] = 2
    fixed[16:20] = dhcp.ip(address)
    fixed[28:34] = bytes.fromhex(mac.replace(":", ""))
    options = dhcp.o4(53, bytes((message,))) + dhcp.o4(51, dhcp.u32(600)) + dhcp.o4(54, dhcp.ip("192.0.2.1"))
    return frame4(bytes(fixed) + options + b"\xff")


def test_the_ack_of_this_test_is_one() -> None:
    (event,) = translate(ack())
    assert isinstance(event, Dhcp4MessageSeen)
    assert (event.message, event.yiaddr, event.chaddr) == ("ACK", OURS, CLIENT)


@pytest.mark.parametrize(
    ("what", "packet", "before", "after"),
    [
        ("own probe, echoed too", sent("0.0.0.0", OURS, CLIENT), True, True),
        ("foreign probe for it", sent("0.0.0.0", OURS, FOREIGN), True, True),
        ("own announcement", sent(OURS, OURS, CLIENT), True, True),
        ("foreign announcement", sent(OURS, OURS, FOREIGN), True, True),
        ("answer to a probe", sent(OURS, "0.0.0.0", FOREIGN, 2), True, True),
        ("own request to the router", sent(OURS, "192.0.2.1", CLIENT), False, False),
        ("own reply to the router", sent(OURS, "192.0.2.1", CLIENT, 2), False, False),
        ("foreign request as it", sent(OURS, "192.0.2.1", FOREIGN), False, True),
        ("foreign reply as it", sent(OURS, "192.0.2.1", FOREIGN, 2), False, True),
        ("the router asks for it", sent("192.0.2.1", OURS, FOREIGN), False, False),
        ("an address not ours", sent(OTHER, "192.0.2.1", FOREIGN), False, False),
    ],
)
def test_what_can_be_a_conflict_gets_through(what: str, packet: Frame, before: bool, after: bool) -> None:
    """before and after the ACK that gives OURS to CLIENT."""
    assert wanted(packet.linktype, packet.data)
    (seen,) = translate(packet)
    assert isinstance(seen, ArpSeen)
    for acked, due in ((False, before), (True, after)):
        translator = Translator()
        if acked:
            translator.translate(ack())
        assert translator.translate(packet) == ((seen,) if due else ()), what


def test_ten_conflicts_in_a_row_are_ten_sightings_of_one_object() -> None:
    translator = Translator()
    translator.translate(ack())
    seen = [translator.translate(sent(OURS, "192.0.2.1", FOREIGN)) for _ in range(10)]
    assert len(seen) == 10 and all(one is seen[0] and one for one in seen)


def test_a_lease_is_looked_for_on_its_own_link() -> None:
    translator = Translator()
    translator.translate(ack())
    foreign = sent(OURS, "192.0.2.1", FOREIGN)
    elsewhere = Frame(0, "if1", foreign.linktype, foreign.data)
    assert translator.translate(elsewhere) == ()
    assert len(translator.translate(foreign)) == 1


def test_the_leases_looked_for_are_bounded_and_the_oldest_goes() -> None:
    translator = Translator()
    for at in range(LEASES_WATCHED + 1):
        translator.translate(ack(f"10.0.{at >> 8}.{at & 255}"))
    assert translator.translate(sent("10.0.0.0", "192.0.2.1", FOREIGN)) == ()
    assert len(translator.translate(sent("10.0.0.1", "192.0.2.1", FOREIGN))) == 1


def test_ordinary_arp_leaves_no_trace() -> None:
    """Not even in which interface of a cooked capture was the first one heard."""
    translator = Translator()
    ordinary = sent(OTHER, "192.0.2.1", FOREIGN)
    assert [translator.translate(ordinary) for _ in range(3)] == [(), (), ()]
    assert not translator._young and not translator._old and not translator._first_ifindex
