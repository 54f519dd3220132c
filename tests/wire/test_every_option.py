"""Part A of the standards reference, option by option: each is read for what it says, and what was read is not lost.

Law: a row is one option in octets. It must not be ignored nor unknown, its event must survive the journal's codec, and
an ND option composed again must have the same octets. What nobody knows keeps its octets through all of it.
"""

from __future__ import annotations

import struct

import pytest

from adapters.ingest import translate
from events.codec import SCHEMA, AnyEvent, decode, encode
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen, DhcpOption, Ignored, Opaque
from events.frames import Frame, FrameRejected
from events.router import IgnoredOption, NdOption, PvdOption, RouterAdvertised, UnknownOption
from replay.live import compose
from tests.fuzz.seeds import DNR4, DNR6, SEARCH
from tests.fuzz.targets import frame4, frame6
from tests.wire import dhcp_octets as d
from tests.wire import packets as p

PVD = p.pvd(
    p.name("a.example"), p.pio("2001:db8:3::"), p.A9_DNR, p.mtu(1400), flags=0xE00F, sequence=65535, inner=p.header(900)
)
LONGEST = p.pvd(p.name("a.example"), *[p.pio("2001:db8:4::")] * 62, p.rdnss("2001:db8::53"), p.mtu(1280))
ND = {
    "1 source link-layer address": p.SLLA,
    "3 prefix, L A R P": p.pio("2001:db8:1::", flags=0xF0),
    "3 prefix, for ever": p.pio("2001:db8:1::", 48, valid=2**32 - 1, preferred=2**32 - 1),
    "5 MTU": p.mtu(1500),
    "21 PvD, H L R, a header, options": PVD,
    "21 PvD of 2040 octets": LONGEST,
    "21 PvD with a name of 255 octets": p.pvd(p.name(".".join(("a" * 63, "b" * 63, "c" * 63, "d" * 61)))),
    "24 route ::/0, high": p.rio("::", 0, 1800, preference=0x08, units=1),
    "24 route /48, low": p.rio("2001:db8:2::", 48, preference=0x18, units=2),
    "24 route /128": p.rio("2001:db8:2::1", 128, units=3),
    "25 RDNSS": p.rdnss("2001:db8::53", "fe80::53"),
    "26 flags extension": p.option(26, bytes.fromhex("800000000001")),
    "31 DNSSL": p.A9_DNSSL,
    "37 captive portal": p.A9_PORTAL,
    "38 PREF64 /96": p.A9_PREF64_96,
    "38 PREF64 /64": p.A9_PREF64_64,
    "63 MIF container, 64 id": p.A9_MIF,
    "144 encrypted DNS": p.A9_DNR,
    "144 encrypted DNS, the name alone": p.A9_DNR_ADN_ONLY,
}  # fmt: skip

ROUTERS4 = d.ip("192.0.2.1") + d.ip("192.0.2.2")
# Code -> (message type, content)
DHCP4: dict[int, tuple[int, bytes]] = {
    1: (5, d.ip("255.255.255.0")), 3: (5, ROUTERS4), 6: (5, ROUTERS4), 12: (1, b"host"), 15: (5, b"corp.example"),
    28: (5, d.ip("192.0.2.255")), 33: (5, d.ip("10.0.0.0") + d.ip("192.0.2.1")), 42: (5, ROUTERS4),
    50: (3, d.ip("192.0.2.10")), 51: (2, d.u32(2**32 - 1)), 52: (5, b"\3"), 55: (1, bytes((1, 3, 6, 108, 114, 162))),
    56: (6, b"no"), 58: (5, d.u32(1800)), 59: (5, d.u32(3150)), 61: (1, b"\xff" + d.u32(1) + d.DUID), 80: (1, b""),
    81: (1, b"\5\0\0" + d.name("host.example")), 82: (5, b"\1\4eth0\2\6remote\5\4" + d.ip("192.0.2.0")),
    100: (5, b"CET-1CEST,M3.5.0,M10.5.0/3"), 101: (5, b"Europe/Zagreb"), 108: (5, d.u32(1800)),
    114: (5, b"https://portal.example/api"), 119: (5, SEARCH),
    121: (5, bytes.fromhex("00c0000201080ac00002011981d2b18400000000")),
    146: (5, b"\1" + ROUTERS4 + d.name("corp.example")),
    162: (5, DNR4), 249: (5, bytes.fromhex("00c0000201")),
}  # fmt: skip
# Code -> (message type, content); 5, 26 and 67 stand where they belong
DHCP6: dict[int, tuple[int, bytes]] = {
    3: (7, d.u32(1) + d.u32(1800) + d.u32(2880) + d.iaaddr("2001:db8::5")), 4: (7, d.u32(1) + d.iaaddr("2001:db8::6")),
    6: (1, d.u16(23) + d.u16(24)), 7: (2, b"\xff"), 8: (1, d.u16(65535)),
    11: (7, b"\3\1\0" + bytes(8) + b"\1" + bytes(16)),
    12: (7, d.ip("2001:db8::1")), 13: (7, d.u16(0) + b"well"), 14: (7, b""), 15: (1, d.u16(2) + b"me"),
    16: (1, d.u32(9) + d.u16(2) + b"me"), 17: (7, d.u32(9) + d.u16(1) + d.u16(2) + b"me"),
    19: (10, b"\5"), 20: (7, b""),
    23: (7, d.ip("2001:db8::53")), 24: (7, d.name("corp.example") + d.name("lab.example")),
    25: (7, d.u32(1) + d.u32(1800) + d.u32(2880) + d.iaprefix("2001:db8:1:100::", 56, d.o6(67, b"\x40\1"))),
    32: (7, d.u32(86400)), 39: (1, b"\0" + d.name("host.example")),
    56: (7, d.u16(1) + d.u16(16) + d.ip("2001:db8::7b")),
    74: (7, d.ip("2001:db8::53") + b"\3" + d.name("corp.example")), 82: (7, d.u32(3600)), 83: (7, d.u32(3600)),
    103: (7, b"https://portal.example/api"), 144: (7, DNR6),
}  # fmt: skip


def read(frame: Frame) -> AnyEvent:
    """The one event of a frame, which the codec does not change."""
    (event,) = translate(frame)
    assert not isinstance(event, FrameRejected), event
    assert decode(encode(event), SCHEMA) == event
    return event


def every(options: tuple[NdOption, ...] | tuple[DhcpOption, ...]) -> list[NdOption | DhcpOption]:
    return [one for option in options for one in (option, *every(getattr(option, "options", ())))]


@pytest.mark.parametrize("octets", [pytest.param(octets, id=what) for what, octets in ND.items()])
def test_each_option_of_an_ra_is_read_and_composed_again(octets: bytes) -> None:
    event = read(p.ra(octets))
    assert isinstance(event, RouterAdvertised)
    assert not [one for one in every(event.options) if isinstance(one, IgnoredOption | UnknownOption)]
    (option,) = event.options
    assert compose.option(option) == octets


def test_the_longest_pvd_option_has_2040_octets() -> None:
    (option,) = read(p.ra(LONGEST)).options  # type: ignore[union-attr]
    assert isinstance(option, PvdOption)
    assert (option.length, len(option.options)) == (2040, 64)


def test_all_flags_of_the_header_are_read_and_composed_again() -> None:
    header = p.header(9000, 0xEF, 64, 30000, 1000)
    event = read(p.ra(start=header))
    assert isinstance(event, RouterAdvertised)
    assert compose.header(event.header) == header


@pytest.mark.parametrize("code", DHCP4)
def test_each_option_of_dhcp4_is_read(code: int) -> None:
    kind, content = DHCP4[code]
    lease = d.o4(54, d.ip("192.0.2.1"))
    event = read(frame4(d.v4(kind, *([] if kind in (1, 3) else [lease]), d.o4(code, content))))
    assert isinstance(event, Dhcp4MessageSeen)
    found = [one for one in event.options if one.code == code]
    assert found and not any(isinstance(one, Ignored | Opaque) for one in found)


@pytest.mark.parametrize("code", DHCP6)
def test_each_option_of_dhcp6_is_read(code: int) -> None:
    kind, content = DHCP6[code]
    more = [d.o6(19, b"\5")] if kind == 10 and code != 19 else []
    event = read(frame6(d.v6(kind, d.IDS, d.o6(code, content), *more)))
    assert isinstance(event, Dhcp6MessageSeen)
    found = [one for one in event.options if one.code == code]
    assert found and not any(isinstance(one, Ignored | Opaque) for one in every(event.options))


def test_the_options_of_relays_are_read_with_the_message_inside() -> None:
    inner = d.v6(1, d.o6(1, d.DUID))
    for depth in (1, 2, 8):
        message = inner
        for _ in range(depth):
            message = d.relay(12, d.o6(18, b"eth0"), d.o6(9, message))
        event = read(frame6(message))
        assert isinstance(event, Dhcp6MessageSeen)
        assert (event.message, len(event.relays)) == ("SOLICIT", depth)
        assert [option.code for relay in event.relays for option in relay.options] == [18] * depth


def test_what_nobody_knows_keeps_its_octets() -> None:
    strange = p.option(200, bytes(range(14)))
    event = read(p.ra(strange, p.pvd(p.name("a.example"), strange)))
    assert isinstance(event, RouterAdvertised)
    assert [one.data for one in every(event.options) if isinstance(one, UnknownOption)] == [strange, strange]
    assert b"".join(map(compose.option, event.options)) == strange + p.pvd(p.name("a.example"), strange)
    content = bytes(range(256)) * 2
    for carried in (
        frame4(d.ack(*[d.o4(250, content[at : at + 200]) for at in range(0, 512, 200)])),
        frame6(d.reply(d.o6(60000, content))),
    ):
        said = read(carried)
        assert [one.data for one in said.options if isinstance(one, Opaque)] == [content]  # type: ignore[union-attr]


def test_pref64_has_every_length_and_lifetime() -> None:
    for code, length in enumerate((96, 64, 56, 48, 40, 32)):
        for scaled in (0, 1, 8191):
            octets = p.option(38, struct.pack("!H", scaled << 3 | code) + p.ip6("2001:db8::")[:12])
            (option,) = read(p.ra(octets)).options  # type: ignore[union-attr]
            assert (option.prefix, option.lifetime_s) == (f"2001:db8::/{length}", scaled * 8)
            assert compose.option(option) == octets
