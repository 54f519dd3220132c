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
