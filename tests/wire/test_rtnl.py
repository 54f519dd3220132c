"""The netlink decoder: hostile messages by table, real dumps and notices beside pyroute2, arbitrary octets.

The octets of the kernel come from a network namespace of its own, made for the test and gone with it.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from adapters.ingest import Translator, translate, wanted
from adapters.wire.cursor import INFINITY, Malformed
from adapters.wire.rtnl import NEXT_HOPS_MAX, byte_order, cooked, decode, fixed_octets, naming
from adapters.wire.rules import RULES
from events.codec import AnyEvent
from events.frames import NETLINK, Frame, FrameRejected
from events.link import (
    AddressGone,
    AddressSeen,
    LinkGone,
    LinkSeen,
    NdUserOptionSeen,
    NeighborSeen,
    NetlinkOverrun,
    PrefixSeen,
    RouteGone,
    RouteSeen,
    RuleGone,
    RuleSeen,
)
from events.router import IgnoredOption
from tests.wire import hostile_netlink
from tests.wire.hostile_netlink import (
    LINK,
    PIO,
    Outcome,
    Rejected,
    address,
    attribute,
    link,
    message,
    nested,
    route,
    rule,
    seen,
    user_option,
)

COOKED = struct.pack("!HH10xH", 4, 824, 0)
NAMES = {1: "lo", 2: "first", 3: "second"}


def heard(data: bytes) -> tuple[AnyEvent, ...]:
    return decode(data, 0, len(data), link=LINK, names={})


def captured(data: bytes, original_length: int = -1) -> Frame:
    return Frame(0, LINK, NETLINK, data, original_length)


@pytest.mark.parametrize(
    ("octets", "outcome"),
    [
        pytest.param(octets, outcome, marks=pytest.mark.covers(f"evil:{entry}"), id=f"{entry} {what}")
        for entry, what, octets, outcome in hostile_netlink.NETLINK
    ],
)
def test_each_message_has_its_one_outcome(octets: bytes, outcome: Outcome) -> None:
    frame = captured(COOKED + octets)
    events = translate(frame)
    assert wanted(NETLINK, frame.data)
    if isinstance(outcome, Rejected):
        with pytest.raises(Malformed) as caught:
            heard(octets)
        assert (caught.value.rule, caught.value.offset) == (outcome.rule, outcome.offset)
        (rejected,) = events
        assert isinstance(rejected, FrameRejected)
        assert (rejected.rule, rejected.offset) == (outcome.rule, 16 + outcome.offset)
        assert (rejected.protocol, rejected.link) == ("netlink", LINK)
    else:
        assert heard(octets) == outcome
        assert [_placed(event) for event in events] == [_placed(event, 16) for event in outcome]


def _placed(event: AnyEvent, more: int = 0) -> AnyEvent:
    """The event as the cooked header of a capture before it moves it."""
    if isinstance(event, NdUserOptionSeen):
        return msgspec.structs.replace(event, options_at=event.options_at + more)
    return event


def test_each_rule_of_netlink_is_met() -> None:
    met = {case[3].rule for case in hostile_netlink.NETLINK if isinstance(case[3], Rejected)}
    of_nd = {"option-length-zero", "option-overrun", "option-stray"}  # inside the options that the kernel passes on
    assert met == {rule for rule in RULES if rule.startswith("netlink-")} | of_nd


def test_the_cooked_header_of_a_capture() -> None:
    assert translate(captured(COOKED + link())) == (seen(),)
    assert translate(captured(COOKED)) == ()
    for family in (b"\0\x10", b"\x01\0", b"\0\x01"):  # generic netlink, and others
        assert translate(captured(COOKED[:14] + family + link())) == ()
    (short,) = translate(captured(COOKED[:15]))
    assert isinstance(short, FrameRejected)
    assert short.rule == "netlink-header"
    assert translate(captured(COOKED[:15], 99)) == ()  # cut, and no telling what it was
    (cut,) = translate(captured(COOKED + link()[:-4], len(COOKED + link())))
    assert isinstance(cut, FrameRejected)
    assert (cut.rule, cut.protocol) == ("truncated-capture", "netlink")
    translator = Translator()
    assert translator.translate(captured(COOKED + link())) is translator.translate(captured(COOKED + link()))


def test_both_byte_orders_read_the_same_on_every_machine() -> None:
    big = message(16, struct.pack(">BxHiII", 0, 1, 3, 0x11043, 0) + attribute(3, b"eth0\0", order=">"), order=">")
    assert heard(big) == heard(link()) == (seen(),)


def test_a_wish_is_no_sighting() -> None:
    """nlmon shows requests too: NLM_F_REQUEST, and the ACK (NLMSG_ERROR) that follows."""
    body = link()[16:]
    assert heard(message(16, body, flags=0x605)) == ()
    assert heard(message(16, body, flags=0x600)) == (seen(),)
    swapped = struct.pack(">BxHiII", 0, 1, 3, 0x11043, 0) + attribute(3, b"eth0\0", order=">")
    assert heard(message(16, swapped, flags=0x605, order=">")) == ()
    assert heard(message(16, swapped, flags=0x600, order=">")) == (seen(),)
    assert heard(message(2, bytes(20))) == ()


def test_what_bridges_and_caches_say_is_not_about_links_and_tables() -> None:
    assert heard(link(kind=17, family=7)) == ()  # a port left its bridge
    assert heard(link(kind=17)) == (LinkGone(link="nl%3"),)
    assert heard(route(attribute(4, b"\3\0\0\0"), flags=0x200)) == ()
    assert len(heard(route(attribute(4, b"\3\0\0\0")))) == 1
    assert heard(route(family=28)) == ()


def test_a_name_of_control_characters_is_escaped() -> None:
    (event,) = heard(link(name=b"a\x1b[2J\xff\0rest\0"))
    assert isinstance(event, LinkSeen)
    assert event.name == "a\\x1b[2J\\xff"


def test_links_are_named_by_the_mapping_and_else_by_number() -> None:
    data = link(more=attribute(10, struct.pack("<I", 9))) + address(ifindex=9)
    known = decode(data, 0, len(data), link=LINK, names={3: "wan"}, namespace=77)
    assert [getattr(event, "link", "") for event in known] == ["wan", "nl%9"]
    assert isinstance(known[0], LinkSeen)
    assert (known[0].identity, known[0].master) == ("netns:77:3", "nl%9")


def test_a_route_may_have_as_many_next_hops_as_the_bound() -> None:
    hops = b"".join(hostile_netlink.hop(3, "fe80::1") for _ in range(NEXT_HOPS_MAX))
    assert len(heard(route(attribute(9, hops)))) == NEXT_HOPS_MAX


WHOLE = [octets for _, _, octets, _ in hostile_netlink.NETLINK] + [link(more=nested(3)), address("192.0.2.1", 24)]
TYPES = st.sampled_from([3, 4, 16, 17, 20, 21, 24, 25, 28, 29, 68, 9999])
ATTRIBUTES = st.lists(st.builds(attribute, st.integers(0, 40), st.binary(max_size=40)), max_size=6).map(b"".join)
MESSAGES = st.lists(
    st.builds(
        lambda kind, head, rest: message(kind, head + rest), TYPES, st.binary(min_size=8, max_size=16), ATTRIBUTES
    ),
    max_size=4,
).map(b"".join)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    octets = bytearray(b"".join(draw(st.lists(st.sampled_from(WHOLE), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(1, 4))):
        octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    return bytes(octets[: draw(st.integers(0, len(octets)))])


@settings(max_examples=600, deadline=None)
@given(st.one_of(st.binary(max_size=200), MESSAGES, mutated()), st.booleans())
def test_no_octets_raise(octets: bytes, cooked: bool) -> None:
    data = (COOKED if cooked else b"") + octets
    events = translate(captured(data))
    assert events == translate(captured(data))
    for event in events:
        if isinstance(event, FrameRejected):
            assert len(events) == 1
            assert event.rule in RULES
            assert 0 <= event.offset <= len(data)


# --- each field where it stands ------------------------------------------------------------------------------


def one_of(data: bytes, names: dict[int, str] | None = None) -> Any:
    (event,) = decode(data, 0, len(data), link=LINK, names=names or {})
    return event


def malformed(data: bytes) -> tuple[str, int]:
    """The rule and where, behind three octets that are nobody's."""
    with pytest.raises(Malformed) as caught:
        decode(b"\xff\xff\xff" + data, 3, 3 + len(data), link=LINK, names={})
    return caught.value.rule, caught.value.offset - 3


def test_all_that_a_link_says() -> None:
    head = struct.pack("<BxHiII", 0, 1, 0x01020304, 0x1, 0)
    info = attribute(18, attribute(1, b"veth\0") + attribute(2, b"x"))
    every = [(1, bytes.fromhex("020000000001")), (3, b"wan0\0"), (4, hostile_netlink.u32(0x010500)), (33, b"\1")]
    every += [(10, hostile_netlink.u32(7)), (20, b"up\0"), (35, hostile_netlink.u32(0x0102))]
    assert one_of(message(16, head + info + b"".join(attribute(*one) for one in every)), {7: "br0"}) == LinkSeen(
        link="nl%16909060",
        identity="netns:0:16909060",
        kind="veth",
        ifindex=0x01020304,
        name="wan0",
        mac="02:00:00:00:00:01",
        mtu=0x010500,
        up=True,
        carrier=True,
        carrier_changes=0x0102,
        master="br0",
        alias="up",
        host=True,
    )


def test_what_a_link_is_and_whether_it_is_up() -> None:
    def said(hardware: int = 1, flags: int = 0, more: bytes = b"") -> LinkSeen:
        head = struct.pack("<BxHiII", 0, hardware, 3, flags, 0)
        event = one_of(message(16, head + more))
        assert isinstance(event, LinkSeen)
        return event

    kinds = {1: "ethernet", 772: "loopback", 801: "wifi", 768: "tunnel", 65534: "tunnel", 32: "arphrd-32"}
    assert {hardware: said(hardware).kind for hardware in kinds} == kinds
    assert said(more=attribute(18, b"")).kind == "ethernet"
    for flags, up, carrier in ((0, False, False), (1, True, False), (0x10000, False, True), (0xFFFEFFFE, False, False)):
        assert (said(flags=flags).up, said(flags=flags).carrier) == (up, carrier)
    assert said(flags=0x10000, more=attribute(33, b"\0")).carrier is False
    assert said(more=attribute(33, b"\1")).carrier is True
    for octets in (bytes(6), bytes(5) + b"\1", b"\1" + bytes(7), b"\1" * 5):  # zeros and other hardware are no MAC
        assert said(more=attribute(1, octets)).mac == (octets.hex(":") if octets == bytes(5) + b"\1" else "")
    bare = said()
    assert (bare.name, bare.mac, bare.mtu, bare.master, bare.alias, bare.carrier_changes) == ("", "", 0, "", "", 0)
    assert one_of(link(kind=17, more=attribute(45, hostile_netlink.u32(1)))).reason == "moved"
    assert one_of(link(kind=17)).reason == "deleted"
    # the last of a type counts, and two flag bits are no part of it
    assert said(more=attribute(4, hostile_netlink.u32(1)) + attribute(0xC004, hostile_netlink.u32(2))).mtu == 2
    assert said(more=attribute(3, b"a\xc3\xa9\0")).name == "aé"


def test_an_attribute_may_end_the_message_without_its_padding() -> None:
    whole = link(name=b"eth\0", more=attribute(20, b"abcde"))
    short = struct.pack("<I", len(whole) - 3) + whole[4:-3]
    assert one_of(short) == one_of(whole)
    assert one_of(short).alias == "abcde"
    assert [event.link for event in heard(link() + link(4) + link(5)) if isinstance(event, LinkSeen)] == [
        "nl%3",
        "nl%4",
        "nl%5",
    ]
    odd = link(3, more=attribute(20, b"abcde"))
    odd = struct.pack("<I", len(odd) - 3) + odd[4:]
    assert [getattr(event, "alias", "") for event in heard(odd + link(4))] == ["abcde", ""]
    assert one_of(link(more=attribute(20))).alias == ""


def test_the_order_of_octets_is_that_in_which_the_length_makes_sense() -> None:
    overrun = NetlinkOverrun(detail="NLMSG_OVERRUN")
    assert heard(message(4, order=">")) == heard(message(4)) == (overrun,)
    assert byte_order(message(4, order=">"), 0, 16) == "big"
    assert byte_order(b"\xff" + message(4, order=">"), 1, 17) == "big"
    assert byte_order(message(4, order=">"), 0, 15) == "little"
    assert byte_order(message(4, length=15, order=">"), 0, 16) == "little"
    assert byte_order(message(4), 0, 16) == "little"
    assert byte_order(b"\xff" + message(4, length=17, order=">"), 1, 17) == "little"
    assert {kind: fixed_octets(kind) for kind in (16, 20, 24, 28, 32, 52, 68, 9999)} == {
        16: 16, 20: 8, 24: 12, 28: 12, 32: 12, 52: 12, 68: 16, 9999: None,
    }  # fmt: skip


def test_all_that_an_address_says() -> None:
    def said(*more: tuple[int, bytes], text: str = "192.0.2.1", width: int = 24) -> Any:
        return one_of(address(text, width, more=b"".join(attribute(*one) for one in more)))

    lives = struct.pack("<IIII", 0x01020304, 0x05060708, 1, 2)
    assert said((6, lives), (8, hostile_netlink.u32(0x0200)), (2, bytes((192, 0, 2, 9)))) == AddressSeen(
        link="nl%3",
        address="192.0.2.9/24",
        flags=0x0200,
        origin="other",
        valid_s=0x05060708,
        preferred_s=0x01020304,
    )
    assert said((6, b"\xff" * 16)).valid_s is None
    assert (said().origin, said().flags) == ("static", 0x80)
    for maker, origin in ((2, "kernel-ra"), (158, "ours"), (1, "static"), (3, "static")):
        assert said((11, bytes((maker,)))).origin == origin
    assert said(width=32).address == "192.0.2.1/32"
    assert said(text="2001:db8::1", width=128).address == "2001:db8::1/128"
    assert said((2, ip_address("2001:db8::2").packed), text="2001:db8::1", width=128).address == "2001:db8::2/128"
    assert malformed(address("192.0.2.1", 33)) == ("netlink-prefix-length", 17)
    assert malformed(address(more=attribute(6, bytes(15)))) == ("netlink-value", 16 + 8 + 20 + 4)
    assert malformed(address(more=attribute(2, bytes(4)))) == ("netlink-value", 16 + 8 + 20 + 4)
    assert malformed(address(more=attribute(8, bytes(2)))) == ("netlink-value", 16 + 8 + 20 + 4)
    assert malformed(message(20, struct.pack("<BBBBi", 10, 64, 0, 0, 3))) == ("netlink-missing", 16)
    assert heard(message(20, struct.pack("<BBBBi", 7, 200, 0, 0, 0))) == ()


def test_all_that_a_route_says() -> None:
    via = ip_address("fe80::1").packed
    to = ip_address("2001:db8:2::").packed
    every = [(1, to), (5, via), (4, hostile_netlink.u32(0x0102)), (6, hostile_netlink.u32(0x0304))]
    octets = [attribute(*one) for one in every]
    event = RouteSeen(
        link="nl%258",
        destination="2001:db8:2::/48",
        via="fe80::1",
        table=254,
        metric=0x0304,
        protocol=9,
        kind="unicast",
    )
    assert one_of(route(*octets, width=48)) == event
    table = attribute(15, hostile_netlink.u32(0x0506))
    assert one_of(route(*octets, table, width=48)) == msgspec.structs.replace(event, table=0x0506)
    assert one_of(route(*octets, table, width=48, kind=25)) == RouteGone(
        link="nl%258", destination="2001:db8:2::/48", via="fe80::1", table=0x0506, metric=0x0304
    )
    assert one_of(route()) == RouteSeen(link=LINK, destination="::/0", via=None, table=254, protocol=9)
    assert one_of(route(family=2)).destination == "0.0.0.0/0"
    for number, kind in ((2, "local"), (6, "blackhole"), (7, "unreachable"), (9, "throw"), (11, "rtn-11")):
        octets = [bytes((10, 0, 0, 0, 254, 9, 0, number)), hostile_netlink.u32(0)]
        assert one_of(message(24, b"".join(octets))).kind == kind
    assert heard(route(flags=0x10200)) == ()
    assert len(heard(route(flags=0xFDFF))) == 1
    for flags, told in ((0x200, 0), (0x2, 1)):  # in the other order, too
        head = struct.pack(">BBBBBBBBI", 10, 0, 0, 0, 254, 9, 0, 1, flags)
        assert len(heard(message(24, head + attribute(5, via, order=">"), order=">"))) == told
    assert malformed(route(width=129)) == ("netlink-prefix-length", 17)
    assert malformed(route(family=2, width=33)) == ("netlink-prefix-length", 17)
    assert one_of(route(family=2, width=32)).destination == "0.0.0.0/32"
    assert malformed(route(attribute(4, b"\1\2"))) == ("netlink-value", 32)
    assert malformed(route(attribute(1, bytes(4)))) == ("netlink-value", 32)


def test_the_next_hops_of_a_route() -> None:
    bare = struct.pack("<HBBi", 8, 4, 9, 0x0102)  # without a router; flags and weight say nothing of where it leads
    gone = struct.pack("<HBBi", 8, 0, 0, 0)  # its link is no more
    hops = bare + gone + hostile_netlink.hop(4, "fe80::2") + bare
    said = heard(route(attribute(9, hops)))
    assert [(event.link, event.via) for event in said if isinstance(event, RouteSeen)] == [
        ("nl%258", None),
        (LINK, None),
        ("nl%4", "fe80::2"),
        ("nl%258", None),
    ]
    assert malformed(route(attribute(9, bare + bytes(7)))) == ("netlink-attribute", 16 + 12 + 4 + 8)
    assert malformed(route(attribute(9, bare + hostile_netlink.hop(-1, "fe80::1")))) == ("netlink-ifindex", 44)


def test_a_router_of_the_other_family() -> None:
    """RTA_VIA (RFC 8950): u16 family, address."""

    def via(family: int, octets: bytes) -> bytes:
        head = struct.pack("<BBBBBBBBI", 2, 0, 0, 0, 254, 9, 0, 1, 0)
        return message(24, head + attribute(18, struct.pack("<H", family) + octets))

    assert one_of(via(10, ip_address("fe80::5").packed)).via == "fe80::5"
    assert one_of(via(2, bytes((192, 0, 2, 1)))).via == "192.0.2.1"
    for family, size in ((10, 4), (2, 16), (2, 5), (10, 0), (7, 4), (0x0A0A, 16)):
        assert malformed(via(family, bytes(size))) == ("netlink-value", 32)
    empty = message(24, struct.pack("<BBBBBBBBI", 2, 0, 0, 0, 254, 9, 0, 1, 0) + attribute(18, b"\2"))
    assert malformed(empty) == ("netlink-value", 32)


def test_all_that_a_neighbour_message_says() -> None:
    def said(state: int = 2, flags: int = 0, family: int = 10, *, more: bytes = b"", to: bytes = b"") -> bytes:
        head = struct.pack("<BxxxiHBB", family, 0x0102, state, flags, 1)
        return message(28, head + (to or attribute(1, ip_address("fe80::7").packed)) + more)

    mac = attribute(2, bytes.fromhex("020000000009"))
    assert one_of(said(0x04, 0x80, more=mac)) == NeighborSeen(
        link="nl%258", address="fe80::7", state="stale", mac="02:00:00:00:00:09", router=True
    )
    states = {0: "none", 1: "incomplete", 2: "reachable", 0x20: "failed", 0x80: "permanent", 0x0104: "nud-0x104"}
    assert {number: one_of(said(number)).state for number in states} == states
    assert (one_of(said(flags=0x7F)).router, one_of(said()).mac) == (False, "")
    assert one_of(said(family=2, to=attribute(1, bytes((192, 0, 2, 7))))).address == "192.0.2.7"
    assert heard(said(family=7)) == ()
    assert malformed(said(to=attribute(9))) == ("netlink-missing", 16)
    assert malformed(said(to=attribute(1, bytes(4)))) == ("netlink-value", 32)


def test_options_and_the_router_behind_them() -> None:
    two = hostile_netlink.PORTAL + PIO
    event = one_of(user_option(options=two, size=len(two), ifindex=0x0102))
    assert isinstance(event, NdUserOptionSeen)
    assert (event.link, event.router, event.icmp_type, event.data) == ("nl%258", "fe80::1", 134, two)
    assert (len(event.options), event.options_at) == (2, 32)
    exact = user_option(source=b"", size=8)
    assert malformed(exact) == ("netlink-missing", 16)
    assert malformed(user_option(source=b"", size=9)) == ("netlink-options", 18)
    assert malformed(user_option(source=attribute(1, bytes(4)))) == ("netlink-value", 16 + 16 + 8 + 4)
    # option 21 is never passed on by a kernel; from anybody else it would be one of the wrong place
    pvd = b"\x15\1\0\0\0\0\1a"
    (option,) = one_of(user_option(options=pvd)).options
    assert option == IgnoredOption(21, "not-in-this-message", pvd, 8)


def test_all_that_a_prefix_message_says() -> None:
    octets = ip_address("2001:db8:0:1:2::").packed
    lives = attribute(2, struct.pack("<II", 0x01020304, 0x05060708))
    whole = hostile_netlink.prefix(attribute(1, octets), lives, ifindex=0x0102, flags=2)
    assert one_of(whole) == PrefixSeen(
        link="nl%258", prefix="2001:db8:0:1::/64", valid_s=0x05060708, preferred_s=0x01020304, autonomous=True
    )
    assert heard(whole + link()) == (one_of(whole), seen())
    assert one_of(hostile_netlink.prefix(attribute(1, octets), width=128, flags=1)).on_link is True
    assert malformed(hostile_netlink.prefix(attribute(1, octets), attribute(2, bytes(7)))) == ("netlink-value", 52)
    assert malformed(hostile_netlink.prefix(attribute(1, octets + b"\0"))) == ("netlink-value", 32)


def test_all_that_a_rule_says() -> None:
    def said(flags: int, kind: int = 32, family: int = 10) -> Any:
        head = struct.pack("<BBBBBBBBI", family, 128, 32, 0, 7, 0, 0, 2, flags)
        ends = attribute(1, ip_address("2001:db8::1").packed) + attribute(2, ip_address("2001:db8::").packed)
        return one_of(message(kind, head + ends))

    event = RuleSeen(
        link=LINK, family="ipv6", action="goto", table=7, source="2001:db8::/32", destination="2001:db8::1/128"
    )
    assert said(0x1) == event
    assert said(0x2) == msgspec.structs.replace(event, invert=True)
    for flags in (1, 2):  # in the other order, too
        head = struct.pack(">BBBBBBBBI", 10, 0, 0, 0, 7, 0, 0, 2, flags)
        assert one_of(message(32, head + attribute(3, b"\0", order=">"), order=">")).invert is (flags == 2)
    gone = said(0x3, kind=33)
    assert isinstance(gone, RuleGone)
    assert (gone.source, gone.destination, gone.invert) == ("2001:db8::/32", "2001:db8::1/128", True)
    assert malformed(rule(to=129)) == ("netlink-prefix-length", 17)
    assert malformed(rule(family=2, of=33)) == ("netlink-prefix-length", 18)
    assert len(heard(rule(family=2, of=32, to=32))) == len(heard(rule(of=128, to=128))) == 1


# --- the names that the daemon puts before what it keeps -----------------------------------------------------


def test_names_go_with_the_messages_they_name() -> None:
    links = {3: (1, "eth0"), 2: (0, "wlan0"), 0x0102: (0x0304, "é")}
    order = "<" if sys.byteorder == "little" else ">"
    octets = naming(0x0102030405, links)
    body = struct.pack(order + "Q", 0x0102030405)
    for ifindex, (incarnation, name) in sorted(links.items()):
        body += attribute(1, struct.pack(order + "iI", ifindex, incarnation) + name.encode(), order=order)
    assert octets == message(0x7064, body, order=order).replace(b"\7\0\0\0\0\0\0\0", bytes(8), 1)
    head = struct.pack(order + "BxHiII", 0, 1, 3, 0, 0)
    told = [message(16, head[:4] + struct.pack(order + "i", one) + head[8:], order=order) for one in (3, 2, 0x0102, 9)]
    data = octets + b"".join(told)
    events = decode(data, 0, len(data), link=LINK, names={9: "known", 3: "before"}, namespace=5)
    assert [(event.link, event.identity) for event in events if isinstance(event, LinkSeen)] == [
        ("eth0", "netns:4328719365:3:1"),
        ("wlan0", "netns:4328719365:2"),
        ("é", "netns:4328719365:258:772"),
        ("known", "netns:4328719365:9"),
    ]
    # a later one adds to it, and speaks of its own namespace
    data = octets + naming(7, {9: (2, "tun0\x1b")}) + told[0] + told[3]
    events = decode(data, 0, len(data), link=LINK, names={})
    assert [(event.link, event.identity) for event in events if isinstance(event, LinkSeen)] == [
        ("eth0", "netns:7:3:1"),
        ("tun0\\x1b", "netns:7:9:2"),
    ]
    assert translate(captured(cooked(data))) == events
    data = naming(7, {9: (2, "tun0")}) + told[3]  # nothing behind the name, not even padding
    (event,) = decode(data, 0, len(data), link=LINK, names={})
    assert getattr(event, "link", "") == "tun0"
    assert cooked(b"abc") == struct.pack("!HH10xH", 0, 824, 0) + b"abc"
    assert naming(7, {}) == struct.pack(order + "IHHIIQ", 24, 0x7064, 0, 0, 0, 7)


def test_a_link_that_moved_is_named_as_it_is_called_there() -> None:
    moved = link(kind=17, more=attribute(45, hostile_netlink.u32(3)) + attribute(49, hostile_netlink.u32(7)))
    names = naming(7, {2: (1, "tun0")}, {(3, 7): "testns:tun\x1b"})
    if sys.byteorder == "little":
        assert [one.to for one in heard(names + moved) if isinstance(one, LinkGone)] == ["testns:tun\\x1b"]
        assert [one.to for one in heard(naming(7, {}, {(3, 8): "x:y"}) + moved) if isinstance(one, LinkGone)] == [""]
    assert one_of(moved).to == ""
    assert malformed(link(kind=17, more=attribute(45, b"\0"))) == ("netlink-value", 48)


def test_only_of_a_link_that_moved_is_it_told_where_it_is() -> None:
    moved = attribute(45, hostile_netlink.u32(0)) + attribute(49, hostile_netlink.u32(0))
    for more, reason, to in ((moved, "moved", "other:eth0"), (b"", "deleted", "")):
        data = naming(7, {}, {(0, 0): "other:eth0"}) + link(kind=17, more=more)
        assert heard(data) == (LinkGone(link="nl%3", reason=reason, to=to),)


def test_names_that_are_none() -> None:
    def named(*attributes: bytes) -> bytes:
        return message(0x7064, bytes(8) + b"".join(attributes))

    good = attribute(1, struct.pack("<iI", 3, 0) + b"a")
    assert heard(named(good, good)) == ()
    assert heard(named()) == ()
    assert malformed(message(0x7064, bytes(7))) == ("netlink-body", 16)
    assert malformed(named(good, attribute(1, struct.pack("<iI", 3, 0)))) == ("netlink-attribute", 16 + 8 + 16)
    assert malformed(named(attribute(3, struct.pack("<iI", 3, 0) + b"a"))) == ("netlink-attribute", 24)
    assert malformed(named(attribute(1, struct.pack("<iI", 3, 0) + b"a", length=17))) == ("netlink-attribute", 24)
    assert malformed(named(attribute(1, struct.pack("<iI", 0, 0) + b"a"))) == ("netlink-ifindex", 28)
    assert malformed(named(good, b"\1\0")) == ("netlink-attribute", 40)
    # bytes that are no UTF-8 name a link all the same
    data = named(attribute(1, struct.pack("<iI", 3, 0) + b"a\xff")) + link()
    assert getattr(heard(data)[0], "link", "") == "a\\xff"


# The kernel itself.

SETUP = """
link add v0 type veth peer name v1
link add br0 type bridge
link set v1 master br0
link set v0 mtu 1400 address 02:00:00:00:00:01
link set v0 alias uplink
link set lo up
link set v0 up
link set v1 up
addr add 2001:db8::1/64 dev v0 valid_lft 3600 preferred_lft 1800 nodad
addr add 2001:db8::2/128 dev v0 nodad noprefixroute
addr add 192.0.2.1/24 dev v0
addr add 192.0.2.9 peer 198.51.100.9/32 dev v0
-6 route add default via fe80::1 dev v0 proto 9 metric 77 table 1234
-6 route add 2001:db8:2::/48 nexthop via fe80::2 dev v0 nexthop via fe80::3 dev v0
-4 route add 203.0.113.0/24 via 192.0.2.254 proto 16 metric 5
-4 route add 198.18.0.0/15 nexthop via 192.0.2.7 nexthop via 192.0.2.8
-4 route add blackhole 198.51.100.128/25
-4 route add 10.0.0.0/8 via inet6 fe80::5 dev v0
-6 neigh add fe80::1 lladdr 02:00:00:00:00:02 dev v0 router nud permanent
-6 rule add from 2001:db8::/32 fwmark 0x1/0xff lookup 1234 priority 1000
-4 rule add not to 198.51.100.0/24 iif v0 blackhole priority 1001
"""
TEARDOWN = """
-6 route del default table 1234
addr del 192.0.2.1/24 dev v0
-4 rule del priority 1001
link del v0
"""
LISTEN = """
import socket, struct, subprocess, sys
def ip(script):
    for line in filter(None, script.splitlines()):
        subprocess.run(["ip", *line.split()], check=True)
def hear(sock, kind):
    while True:
        try:
            data = sock.recv(1 << 18)
        except BlockingIOError:
            return
        print(kind, data.hex())
        at = 0
        while kind == "dump" and at < len(data):
            length, what = struct.unpack_from("=IH", data, at)
            if what in (2, 3):  # NLMSG_ERROR, NLMSG_DONE
                return
            at += length + 3 & ~3
notices = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
notices.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
notices.bind((0, 0x1 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x40000))
notices.setblocking(False)
ip(sys.argv[1])
for kind in (18, 22, 26, 30, 34):
    asks = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    asks.settimeout(10)
    asks.send(struct.pack("=IHHIIB15x", 32, kind, 0x301, 1, 0, 0))
    hear(asks, "dump")
hear(notices, "made")
ip(sys.argv[2])
hear(notices, "gone")
"""


@pytest.fixture(scope="module")
def kernel() -> dict[str, list[bytes]]:
    """Real datagrams: `dump`s of a small network, the notices while it was `made`, and of its parts `gone`."""
    command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", LISTEN, SETUP, TEARDOWN]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    datagrams: dict[str, list[bytes]] = {"dump": [], "made": [], "gone": []}
    for line in done.stdout.splitlines():
        kind, octets = line.split()
        datagrams[kind].append(bytes.fromhex(octets))
    return datagrams


def names_of(datagrams: list[bytes]) -> dict[int, str]:
    """What pyroute2 says the links are called."""
    said = (one for data in datagrams for one in MarshalRtnl().parse(data))
    return {one["index"]: one.get_attr("IFLA_IFNAME") for one in said if one["header"]["type"] == 16}


def told(datagrams: list[bytes], names: dict[int, str]) -> list[AnyEvent]:
    return [event for data in datagrams for event in decode(data, 0, len(data), link=LINK, names=names)]


def peers(datagrams: list[bytes], names: dict[int, str]) -> list[tuple[Any, ...]]:
    """The same datagrams as pyroute2 reads them, in the rows of `rows`."""
    found: list[tuple[Any, ...]] = []
    for one in (one for data in datagrams for one in MarshalRtnl().parse(data)):
        kind, get = one["header"]["type"], one.get_attr
        if kind == 16 and one["family"] == 0:
            master = get("IFLA_MASTER")
            mac = get("IFLA_ADDRESS") or ""
            name = get("IFLA_IFNAME")
            carrier = bool(get("IFLA_CARRIER"))
            found.append(
                (
                    *("link", names[one["index"]], name, one["index"], "" if mac == "00:00:00:00:00:00" else mac),
                    *(get("IFLA_MTU"), names[master] if master else "", carrier, get("IFLA_CARRIER_CHANGES")),
                    *(bool(one["flags"] & 1), get("IFLA_IFALIAS") or ""),
                )
            )
        elif kind == 17 and one["family"] == 0:
            found.append(("link gone", names[one["index"]]))
        elif kind in (20, 21):
            text = f"{get('IFA_LOCAL') or get('IFA_ADDRESS')}/{one['prefixlen']}"
            if kind == 21:
                found.append(("address gone", names[one["index"]], text))
                continue
            life = get("IFA_CACHEINFO")
            lives = [None if life[key] == INFINITY else life[key] for key in ("ifa_valid", "ifa_preferred")]
            found.append(("address", names[one["index"]], text, get("IFA_FLAGS"), *lives))
        elif kind in (24, 25):
            zero = "0.0.0.0" if one["family"] == 2 else "::"
            to = f"{get('RTA_DST') or zero}/{one['dst_len']}"
            hops = get("RTA_MULTIPATH") or [one]
            for hop in hops:
                index = hop["oif"] if hop is not one else get("RTA_OIF")
                via = hop.get_attr("RTA_GATEWAY") or (hop.get_attr("RTA_VIA") or {}).get("addr")
                row = (names[index] if index else LINK, to, via, get("RTA_TABLE"), get("RTA_PRIORITY") or 0)
                found.append(("route gone", *row) if kind == 25 else ("route", *row, one["proto"]))
        elif kind == 28 and one["family"] in (2, 10):
            mac = get("NDA_LLADDR") or ""
            mac = "" if mac == "00:00:00:00:00:00" else mac
            found.append(("neighbor", names[one["ifindex"]], get("NDA_DST"), mac, bool(one["flags"] & 0x80)))
        elif kind in (32, 33) and one["family"] in (2, 10):
            ends = [
                f"{get(word)}/{one[width]}" if get(word) else ""
                for word, width in (("FRA_SRC", "src_len"), ("FRA_DST", "dst_len"))
            ]
            found.append(
                (
                    *("rule gone" if kind == 33 else "rule", one["family"], get("FRA_PRIORITY") or 0),
                    *(get("FRA_TABLE"), *ends, get("FRA_IIFNAME") or "", get("FRA_FWMARK") or 0),
                    *(get("FRA_FWMASK") or 0, get("FRA_PROTOCOL"), bool(one["flags"] & 2)),
                )
            )
    return found


def row(event: AnyEvent) -> tuple[Any, ...]:
    match event:
        case LinkSeen():
            return (
                *("link", event.link, event.name, event.ifindex, event.mac, event.mtu, event.master, event.carrier),
                *(event.carrier_changes, event.up, event.alias),
            )
        case LinkGone():
            return ("link gone", event.link)
        case AddressSeen():
            return ("address", event.link, event.address, event.flags, event.valid_s, event.preferred_s)
        case AddressGone():
            return ("address gone", event.link, event.address)
        case RouteSeen():
            where = (event.link, event.destination, event.via, event.table, event.metric)
            return ("route", *where, event.protocol)
        case RouteGone():
            return ("route gone", event.link, event.destination, event.via, event.table, event.metric)
        case NeighborSeen():
            return ("neighbor", event.link, event.address, event.mac, event.router)
        case RuleSeen() | RuleGone():
            return (
                *("rule gone" if isinstance(event, RuleGone) else "rule", 2 if event.family == "ipv4" else 10),
                *(event.priority, event.table, event.source, event.destination, event.incoming, event.mark),
                *(event.mask, event.protocol, event.invert),
            )
    raise AssertionError(event)


@pytest.mark.parametrize("part", ["dump", "made", "gone"])
def test_the_kernels_octets_read_as_pyroute2_reads_them(kernel: dict[str, list[bytes]], part: str) -> None:
    names = names_of(kernel["dump"])
    ours = [row(event) for event in told(kernel[part], names)]
    assert ours == peers(kernel[part], names)
    assert len(ours) >= 4


def test_a_dump_says_what_ip_was_told(kernel: dict[str, list[bytes]]) -> None:
    names = names_of(kernel["dump"])
    events = told(kernel["dump"], names)
    links = {event.name: event for event in events if isinstance(event, LinkSeen)}
    assert {"lo", "v0", "v1", "br0"} <= set(links)
    v0 = links["v0"]
    assert (v0.mac, v0.mtu, v0.alias, v0.kind, v0.up) == ("02:00:00:00:00:01", 1400, "uplink", "veth", True)
    assert (links["v1"].master, v0.master, links["br0"].kind, links["lo"].kind) == ("br0", "", "bridge", "loopback")
    assert (v0.carrier, links["br0"].up) == (True, False)
    held = {event.address: event for event in events if isinstance(event, AddressSeen) and event.link == "v0"}
    timed = held["2001:db8::1/64"]
    assert (timed.valid_s or 0) in range(3590, 3601) and (timed.preferred_s or 0) in range(1790, 1801)
    assert timed.origin == "other"
    assert held["2001:db8::2/128"].flags & 0x200  # IFA_F_NOPREFIXROUTE, over eight bits
    assert (held["192.0.2.1/24"].origin, held["192.0.2.1/24"].valid_s) == ("static", None)
    assert "192.0.2.9/32" in held and "198.51.100.9/32" not in held  # ours, not the peer's
    routes = [event for event in events if isinstance(event, RouteSeen)]
    wanted_routes = [
        RouteSeen(link="v0", destination="::/0", via="fe80::1", table=1234, metric=77, protocol=9),
        RouteSeen(link="v0", destination="203.0.113.0/24", via="192.0.2.254", metric=5, protocol=16),
        RouteSeen(link="v0", destination="10.0.0.0/8", via="fe80::5", protocol=3),
        RouteSeen(link=LINK, destination="198.51.100.128/25", protocol=3, kind="blackhole"),
        *[RouteSeen(link="v0", destination="198.18.0.0/15", via=f"192.0.2.{n}", protocol=3) for n in (7, 8)],
    ]
    assert [one for one in wanted_routes if one not in routes] == []
    assert {one.via for one in routes if one.destination == "2001:db8:2::/48"} == {"fe80::2", "fe80::3"}
    neighbor = NeighborSeen(link="v0", address="fe80::1", state="permanent", mac="02:00:00:00:00:02", router=True)
    assert neighbor in events
    rules = [
        RuleSeen(link=LINK, priority=1000, table=1234, source="2001:db8::/32", mark=1, mask=255),
        RuleSeen(link=LINK, family="ipv4", priority=1001, action="blackhole", destination="198.51.100.0/24",
                 incoming="v0", table=0, invert=True),
    ]  # fmt: skip
    assert [one for one in rules if one not in events] == []
    for event in events:  # what is said of an address is one
        if isinstance(event, AddressSeen):
            ip_address(event.address.split("/")[0])
        if isinstance(event, RouteSeen):
            ip_network(event.destination)


def test_notices_tell_what_went(kernel: dict[str, list[bytes]]) -> None:
    names = names_of(kernel["dump"])
    made, gone = told(kernel["made"], names), told(kernel["gone"], names)
    assert LinkGone(link="v0") in gone and LinkGone(link="v1") in gone
    assert LinkGone(link="br0") not in gone
    assert AddressGone(link="v0", address="192.0.2.1/24") in gone
    assert RouteGone(link="v0", destination="::/0", via="fe80::1", table=1234, metric=77) in gone
    assert [one.priority for one in gone if isinstance(one, RuleGone)] == [1001]
    assert [one.priority for one in made if isinstance(one, RuleSeen)] == [1000, 1001]
    assert not [one for one in made if isinstance(one, LinkGone | RuleGone | NetlinkOverrun)]


def test_every_cut_and_every_flipped_octet_of_a_real_dump_is_answered(kernel: dict[str, list[bytes]]) -> None:
    for data in kernel["dump"][:3]:
        for at in range(0, min(len(data), 3000), 3):
            for octets in (data[:at], data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :][:400]):
                events = translate(captured(COOKED + octets))
                assert not any(isinstance(event, FrameRejected) for event in events[1:])
