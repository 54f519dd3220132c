"""RS, NS, NA and Redirect (RFC 4861 §6.1.1, §7.1, §8.1)."""

import pytest

from adapters.ingest import translate
from events.base import Event
from events.frames import FrameRejected
from events.router import (
    IgnoredOption,
    NeighborAdvertised,
    NeighborSolicited,
    Redirected,
    RedirectedHeader,
    RouterSolicited,
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
    UnknownOption,
)
from tests.wire.packets import (
    HOST,
    MAC,
    NODES,
    ROUTER,
    SLLA,
    frame,
    ipv6,
    na,
    nd,
    ns,
    option,
    pio,
    redirect,
    rs,
    sealed,
)

TLLA = b"\x02" + SLLA[1:]


def one(*events: Event) -> Event:
    (event,) = events
    return event


def rule(*events: Event) -> str:
    event = one(*events)
    assert isinstance(event, FrameRejected), event
    return f"{event.protocol} {event.rule}"


def test_a_router_solicitation() -> None:
    lla = SourceLinkLayerAddress("02:00:00:00:00:01")
    assert one(*translate(rs(SLLA))) == RouterSolicited("if0", HOST, (lla,), 14 + 40 + 8, MAC)
    assert one(*translate(rs(source="::"))) == RouterSolicited("if0", "::", (), 14 + 40 + 8, MAC)
    assert rule(*translate(rs(SLLA, source="::"))) == "rs source-lla-from-unspecified"


@pytest.mark.covers("rfc:N25", "evil:E89")
def test_a_neighbor_solicitation() -> None:
    assert one(*translate(ns(SLLA))) == NeighborSolicited(
        "if0", HOST, ROUTER, (SourceLinkLayerAddress("02:00:00:00:00:01"),), 14 + 40 + 24, MAC, "ff02::1:ff00:1"
    )
    nonce = option(14, bytes(6))  # RFC 3971 §5.3.2, in every Linux DAD: unknown, no harm
    probe = one(*translate(ns(nonce, source="::")))
    assert isinstance(probe, NeighborSolicited)
    assert probe.options == (UnknownOption(14, nonce, 8),)
    assert rule(*translate(ns(SLLA, source="::"))) == "ns source-lla-from-unspecified"
    assert rule(*translate(ns(source="::", destination=NODES))) == "ns ns-unspecified-destination"
    assert rule(*translate(ns(target=NODES))) == "ns target-multicast"


@pytest.mark.covers("rfc:N25", "evil:E89")
def test_a_neighbor_advertisement() -> None:
    mine = TargetLinkLayerAddress("02:00:00:00:00:01")
    assert one(*translate(na(TLLA, source=HOST, target=ROUTER, destination=HOST, flags=0xC0))) == NeighborAdvertised(
        "if0", HOST, ROUTER, True, True, False, (mine,), 14 + 40 + 24, MAC, HOST
    )
    for flags, expected in ((0x80, (True, False, False)), (0x20, (False, False, True)), (0x1F, (False, False, False))):
        event = one(*translate(na(flags=flags)))
        assert isinstance(event, NeighborAdvertised)
        assert (event.router, event.solicited, event.override) == expected
    assert rule(*translate(na(flags=0xC0, destination=NODES))) == "na na-solicited-multicast"
    assert rule(*translate(na(target="ff02::1"))) == "na target-multicast"


@pytest.mark.covers("evil:E90")
def test_a_redirect() -> None:
    packet = option(4, bytes(6) + ipv6(b"\x80" + bytes(15), HOST, "2001:db8::5"))
    event = one(*translate(redirect(TLLA, packet)))
    assert event == Redirected(
        "if0",
        ROUTER,
        "fe80::9",
        "2001:db8::5",
        (TargetLinkLayerAddress("02:00:00:00:00:01"), RedirectedHeader(packet[8:], 64)),
        14 + 40 + 40,
        MAC,
    )
    assert rule(*translate(redirect(target="2001:db8::9"))) == "redirect redirect-target"
    assert rule(*translate(redirect(to="ff02::1"))) == "redirect redirect-destination"
    assert rule(*translate(redirect(source="2001:db8::1"))) == "redirect source-not-link-local"


@pytest.mark.covers("rfc:N25", "evil:E89", "evil:E90")
def test_whose_addresses_may_stand_where() -> None:
    """The bounds of fe80::/10 and ff00::/8 in each field of a message that has to be of one, or must not be."""
    good_ones = dict.fromkeys(("fe80::", "febf::1"), True)
    bad_ones = dict.fromkeys(("fe40::1", "fec0::1", "fd80::1", "ff80::1"), False)
    for source, good in (good_ones | bad_ones).items():
        assert isinstance(one(*translate(redirect(source=source))), Redirected) is good, source
        assert isinstance(one(*translate(redirect(target=source, to="2001:db8::5"))), Redirected) is good, source
    assert isinstance(one(*translate(redirect(target="2001:db8::5", to="2001:db8::5"))), Redirected)
    assert rule(*translate(redirect(target="ff02::1", to="ff02::1"))) == "redirect redirect-destination"
    assert isinstance(one(*translate(redirect(to="feff::1"))), Redirected)
    for packet in (rs, ns, na):
        for source, good in (("feff::1", True), ("ff00::", False), ("ff02::1", False)):
            read = one(*translate(packet(source=source)))
            assert isinstance(read, FrameRejected) is not good
            assert good or getattr(read, "rule", "") == "source-multicast"
    for target, good in (("feff::1", True), ("ff00::", False)):
        assert isinstance(one(*translate(ns(target=target))), NeighborSolicited) is good
        assert isinstance(one(*translate(na(target=target))), NeighborAdvertised) is good
    # a probe goes to a solicited-node address, of whatever target
    assert isinstance(one(*translate(ns(source="::", destination="ff02::1:ffff:ffff"))), NeighborSolicited)
    assert rule(*translate(ns(source="::", destination="ff02::1:fe00:1"))) == "ns ns-unspecified-destination"
    assert isinstance(one(*translate(ns(destination="2001:db8::1"))), NeighborSolicited)
    assert isinstance(one(*translate(na(flags=0xC0, destination="feff::1"))), NeighborAdvertised)
    assert isinstance(one(*translate(na(flags=0xBF, destination=NODES))), NeighborAdvertised)


def test_a_target_link_layer_address_is_that_of_a_neighbour() -> None:
    longer, zero, nearly = option(2, bytes(14)), b"\x02\x01" + bytes(6), b"\x02\x01\x02" + bytes(5)
    for octets, expected in (
        (longer, IgnoredOption(2, "option-length", longer, 16)),
        (zero, IgnoredOption(2, "lla-zero", zero, 8)),
        (nearly, TargetLinkLayerAddress("02:00:00:00:00:00")),
    ):
        for event in (*translate(na(octets)), *translate(redirect(octets))):
            assert getattr(event, "options", ()) == (expected,)


def test_who_has_no_address_names_no_link_layer_address_wherever_it_stands() -> None:
    nonce = option(14, bytes(14))
    for packet in (rs, ns):
        event = one(*translate(packet(nonce, nonce, nonce, SLLA, source="::")))
        assert isinstance(event, FrameRejected)
        start = 14 + 40 + (8 if packet is rs else 24)
        assert (event.rule, event.offset) == ("source-lla-from-unspecified", start + 48)
        assert not isinstance(one(*translate(packet(nonce, TLLA, source="::"))), FrameRejected)


@pytest.mark.covers("rfc:N26", "evil:E91")
def test_options_of_other_messages_are_ignored_and_the_message_kept() -> None:
    prefix = pio("2001:db8::")
    for event in (*translate(na(prefix, TLLA)), *translate(redirect(prefix, TLLA))):
        assert getattr(event, "options", ()) == (
            IgnoredOption(3, "not-in-this-message", prefix, 32),
            TargetLinkLayerAddress("02:00:00:00:00:01"),
        )
    event = one(*translate(ns(TLLA, SLLA)))
    assert getattr(event, "options", ()) == (
        IgnoredOption(2, "not-in-this-message", TLLA, 8),
        SourceLinkLayerAddress("02:00:00:00:00:01"),
    )


@pytest.mark.parametrize(("kind", "octets"), [(133, 8), (135, 24), (136, 24), (137, 40)])
@pytest.mark.covers("rfc:N20")
def test_the_checks_that_all_share(kind: int, octets: int) -> None:
    protocol = {133: "rs", 135: "ns", 136: "na", 137: "redirect"}[kind]
    target, to = bytes.fromhex("fe800000000000000000000000000009"), bytes.fromhex("20010db8" + "0" * 22 + "05")
    message = (bytes((kind, 0)) + bytes(6) + target + to)[:octets]
    assert not isinstance(one(*translate(nd(message))), FrameRejected)
    assert rule(*translate(nd(message, hop_limit=254))) == f"{protocol} hop-limit"
    assert rule(*translate(nd(message[:-1]))) == f"{protocol} message-length"
    assert rule(*translate(nd(bytes((kind, 1)) + message[2:]))) == f"{protocol} code"
    assert rule(*translate(nd(message, seal=False))) == f"{protocol} checksum"
    assert rule(*translate(nd(message + b"\1\0" + bytes(6)))) == f"{protocol} option-length-zero"
    atomic = bytes((58, 0, 0, 0, 0, 0, 0, 1)) + sealed(message, ROUTER, NODES)
    assert rule(*translate(frame(b"\0" * 12 + b"\x86\xdd" + ipv6(atomic, next_header=44)))) == f"{protocol} fragment"
