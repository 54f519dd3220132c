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
from adapters.wire.rtnl import NEXT_HOPS_MAX, decode
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
    RouteGone,
    RouteSeen,
    RuleGone,
    RuleSeen,
)
from tests.wire import hostile_netlink
from tests.wire.hostile_netlink import LINK, Outcome, Rejected, address, attribute, link, message, nested, route, seen

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
    assert translate(captured(COOKED[:14] + b"\0\x10" + link())) == ()  # generic netlink
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
    assert heard(message(2, bytes(20))) == ()


def test_what_bridges_and_caches_say_is_not_about_links_and_tables() -> None:
    assert heard(link(kind=17, family=7)) == ()  # a port left its bridge
    assert heard(link(kind=17)) == (LinkGone(link="nl%3"),)
    assert heard(route(attribute(4, b"\3\0\0\0"), flags=0x200)) == ()
    assert len(heard(route(attribute(4, b"\3\0\0\0")))) == 1
    assert heard(route(family=28)) == ()


def test_a_name_of_control_characters_is_escaped() -> None:
    (event,) = heard(link(name=b"a\x1b[2J\xff\0rest"))
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
