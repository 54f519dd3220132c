"""Three readers beside ours: scapy, tshark, and the slow one of tests/wire/oracle, on captures and drawn packets.

Law: each comparison is a function from octets and our event to sentences; on the reader as it is there are none, and
on a reader broken on purpose there must be some, or the comparison sees nothing.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers import dhcp, dhcp6, inet6
from scapy.layers.l2 import Ether

from adapters.ingest import translate
from events.codec import AnyEvent
from events.dhcp import (
    Addresses,
    Dhcp4MessageSeen,
    Dhcp6MessageSeen,
    Ia,
    IaAddress,
    IaPrefix,
    Ignored,
    Number,
    Resolver,
)
from events.frames import ETHERNET, Frame, FrameRejected
from events.router import (
    Dnssl,
    EncryptedDns,
    IgnoredOption,
    MifContainer,
    Mtu,
    Pref64,
    PrefixInformation,
    PvdOption,
    Rdnss,
    RouteInformation,
    RouterAdvertised,
)
from replay.files.captures import open_capture
from tests.fuzz.targets import frame4, frame6
from tests.wire import packets as p
from tests.wire import strategies as draws
from tests.wire.oracle.agreement import dhcp_disagreements, disagreements

CAPTURES = sorted((Path(__file__).resolve().parents[1] / "captures").glob("*.pcap*"))
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
FEW = settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))

# --- breaking the reader on purpose --------------------------------------------------------------------------------

Change = Callable[[Any], Any]


def changed(part: Any, change: Change) -> Any:
    """`part` with `change` applied to every struct in it, innermost first."""
    if isinstance(part, tuple):
        return tuple(changed(one, change) for one in part)
    if isinstance(part, msgspec.Struct):
        fields = {field: changed(getattr(part, field), change) for field in part.__struct_fields__}
        return change(msgspec.structs.replace(part, **fields))
    return part


def on(kind: type | tuple[type, ...], **fields: Callable[[Any], Any]) -> Change:
    """A reader's fault: these fields of that kind are read wrongly."""

    def change(part: Any) -> Any:
        if not isinstance(part, kind):
            return part
        return msgspec.structs.replace(part, **{field: wrong(part) for field, wrong in fields.items()})

    return change


SWAPPED = {"valid_s": lambda one: one.preferred_s, "preferred_s": lambda one: one.valid_s}
FAULTS: dict[str, Change] = {
    "pio-swapped": on(PrefixInformation, **SWAPPED),
    "iaaddr-swapped": on((IaAddress, IaPrefix), **SWAPPED),
    "pref64-not-times-8": on(Pref64, lifetime_s=lambda one: one.lifetime_s // 8),
    "dnr-priority-ignored": on((EncryptedDns, Resolver), priority=lambda one: 1),
    "dnr-params-lost": on((EncryptedDns, Resolver), params=lambda one: ()),
    "pvd-sequence-off-by-one": on(PvdOption, sequence=lambda one: one.sequence + 1),
    "pvd-delay-five-bits": on(PvdOption, delay=lambda one: one.flags & 0x1F),
    "pvd-nested-lost": on(PvdOption, options=lambda one: one.options[:-1]),
    "pvd-header-lost": on(PvdOption, header=lambda one: None),
    "mif-uuid-cut": on(MifContainer, uuid=lambda one: one.uuid[:-1]),
    "rio-preference": on(RouteInformation, preference=lambda one: "medium"),
    "rdnss-reversed": on(Rdnss, addresses=lambda one: one.addresses[::-1]),
    "mtu-low-half": on(Mtu, mtu=lambda one: one.mtu & 0xFF),
    "dnssl-first-only": on(Dnssl, names=lambda one: one.names[:1]),
    "header-lifetime": on(RouterAdvertised, header=lambda one: msgspec.structs.replace(one.header, lifetime_s=1)),
    "dhcp4-routers-reversed": on(Addresses, addresses=lambda one: one.addresses[::-1]),
    "dhcp-number-off-by-one": on(Number, value=lambda one: (one.value or 0) + 1),
    "dhcp4-yiaddr": on(Dhcp4MessageSeen, yiaddr=lambda one: one.ciaddr),
    "dhcp6-t1-t2": on(Ia, t1_s=lambda one: one.t2_s, t2_s=lambda one: one.t1_s),
}


def said(frame: Frame) -> AnyEvent:
    (event,) = translate(frame)
    return event


# --- scapy and tshark: the same words of both ------------------------------------------------------------------------

Fact = tuple[str, str]
"""(what, value): plain facts of a message that all three know; options inside containers are not among them."""


def _seconds(value: int | None) -> str:
    return str(0xFFFFFFFF if value is None else value)


def _network(address: str, length: int) -> str:
    return str(ip_network((address, length), strict=False))


def ours(event: AnyEvent) -> list[Fact]:
    """The facts that our event says."""
    return list(_ours(event))


def _ours(event: AnyEvent) -> Iterator[Fact]:
    match event:
        case RouterAdvertised():
            yield "lifetime", str(event.header.lifetime_s)
            yield "hop", str(event.header.hop_limit)
            yield "M", str(int(event.header.managed))
            yield "O", str(int(event.header.other_config))
            for option in event.options:
                match option:
                    case PrefixInformation():
                        yield "pio", f"{option.prefix} {_seconds(option.valid_s)} {_seconds(option.preferred_s)}"
                    case Mtu():
                        yield "mtu", str(option.mtu)
                    case RouteInformation():
                        bits = {"medium": 0, "high": 1, "low": 3}[option.preference]
                        yield "rio", f"{option.prefix} {bits} {_seconds(option.lifetime_s)}"
                    case Rdnss():
                        yield "rdnss", f"{','.join(option.addresses)} {_seconds(option.lifetime_s)}"
                    case Dnssl():
                        yield "dnssl", f"{','.join(option.names)} {_seconds(option.lifetime_s)}"
                    case Pref64():
                        yield "pref64", f"{option.prefix} {option.lifetime_s}"
        case Dhcp4MessageSeen():
            yield "xid", str(event.xid)
            yield "yiaddr", event.yiaddr
            for one in event.options:
                if isinstance(one, Addresses) and one.code in (1, 3, 6, 54):
                    yield f"o{one.code}", ",".join(one.addresses)
                if isinstance(one, Number) and one.code == 51:
                    yield "o51", _seconds(one.value)
        case Dhcp6MessageSeen():
            yield "xid", str(event.xid)
            for one in event.options:
                if isinstance(one, Ia) and one.code in (3, 25):
                    yield f"ia{one.code}", f"{one.iaid} {_seconds(one.t1_s)} {_seconds(one.t2_s)}"
                    for inner in one.options:
                        if isinstance(inner, IaAddress):
                            yield "addr", f"{inner.address} {_seconds(inner.preferred_s)} {_seconds(inner.valid_s)}"
                        if isinstance(inner, IaPrefix):
                            yield "prefix", f"{inner.prefix} {_seconds(inner.preferred_s)} {_seconds(inner.valid_s)}"
                if isinstance(one, Addresses) and one.code == 23:
                    yield "dns", ",".join(one.addresses)


PLC = (96, 64, 56, 48, 40, 32)


def _scapy_nd(layer: Any) -> Iterator[Fact]:
    yield "lifetime", str(layer.routerlifetime)
    yield "hop", str(layer.chlim)
    yield "M", str(layer.M)
    yield "O", str(layer.O)
    option = layer.payload
    while option and not isinstance(option, inet6.conf.raw_layer):
        match type(option).__name__:
            case "ICMPv6NDOptPrefixInfo" if option.prefixlen <= 128:
                lifetimes = f"{option.validlifetime} {option.preferredlifetime}"
                yield "pio", f"{_network(option.prefix, option.prefixlen)} {lifetimes}"
            case "ICMPv6NDOptMTU":
                yield "mtu", str(option.mtu)
            case "ICMPv6NDOptRouteInfo" if option.plen <= 128:
                yield "rio", f"{_network(option.prefix, option.plen)} {option.prf} {option.rtlifetime}"
            case "ICMPv6NDOptRDNSS":
                yield "rdnss", f"{','.join(option.dns)} {option.lifetime}"
            case "ICMPv6NDOptDNSSL":
                names = ",".join(name.lower() for name in option.searchlist)
                yield "dnssl", f"{names} {option.lifetime}"
            case "ICMPv6NDOptPREF64" if option.plc < 6:
                yield "pref64", f"{_network(option.prefix, PLC[option.plc])} {option.scaledlifetime * 8}"
        option = option.payload


def _scapy_dhcp6(message: Any) -> Iterator[Fact]:
    yield "xid", str(message.trid)
    option = message.payload
    while option and not isinstance(option, inet6.conf.raw_layer):
        match type(option).__name__:
            case "DHCP6OptIA_NA" | "DHCP6OptIA_PD":
                yield f"ia{option.optcode}", f"{option.iaid} {option.T1} {option.T2}"
                for inner in option.ianaopts if option.optcode == 3 else option.iapdopt:
                    if isinstance(inner, dhcp6.DHCP6OptIAAddress):
                        yield "addr", f"{inner.addr} {inner.preflft} {inner.validlft}"
                    if isinstance(inner, dhcp6.DHCP6OptIAPrefix):
                        yield "prefix", f"{_network(inner.prefix, inner.plen)} {inner.preflft} {inner.validlft}"
            case "DHCP6OptDNSServers":
                yield "dns", ",".join(option.dnsservers)
        option = option.payload


def by_scapy(octets: bytes) -> list[Fact] | None:
    """The facts that scapy reads in an Ethernet frame; None for a message it has no layer for."""
    packet = Ether(octets)
    if inet6.ICMPv6ND_RA in packet:
        return list(_scapy_nd(packet[inet6.ICMPv6ND_RA]))
    if dhcp.DHCP in packet:
        bootp = packet[dhcp.BOOTP]
        names = {"subnet_mask": 1, "router": 3, "name_server": 6, "lease_time": 51, "server_id": 54}
        found = [("xid", str(bootp.xid)), ("yiaddr", bootp.yiaddr)]
        for option in packet[dhcp.DHCP].options:
            if isinstance(option, tuple) and option[0] in names:
                found.append((f"o{names[option[0]]}", ",".join(map(str, option[1:]))))
        return found
    for layer in packet.layers():
        if layer.__name__.startswith("DHCP6_"):
            return None if "Relay" in layer.__name__ else list(_scapy_dhcp6(packet[layer]))
    return None


def unlike(theirs: list[Fact], event: AnyEvent) -> list[str]:
    """What our event says otherwise; what we ignored by a standard's word we need not say."""
    mine = ours(event)
    found = [f"{fact} is ours alone" for fact in mine if fact not in theirs]
    ignored = bool([1 for one in getattr(event, "options", ()) if "gnored" in type(one).__name__])
    words = {word for word, _ in mine}
    for fact in theirs:
        if fact not in mine and not (ignored and (isinstance(event, RouterAdvertised) or fact[0] not in words)):
            found.append(f"{fact} is theirs alone")
    return found


TSHARK_FIELDS = {
    "icmpv6.nd.ra.router_lifetime": "lifetime",
    "icmpv6.nd.ra.cur_hop_limit": "hop",
    "icmpv6.opt.mtu": "mtu",
    "icmpv6.opt.prefix.valid_lifetime": "valid",
    "icmpv6.opt.prefix.preferred_lifetime": "preferred",
    "icmpv6.opt.route_lifetime": "route",
    "icmpv6.opt.rdnss.lifetime": "rdnss-lifetime",
    "icmpv6.opt.pref64.scaled_lifetime": "pref64",
    "dhcp.ip.your": "yiaddr",
    "dhcp.option.ip_address_lease_time": "o51",
    "dhcp.option.router": "o3",
    "dhcpv6.iaid": "iaid",
    "dhcpv6.iaid.t1": "t1",
    "dhcpv6.iaid.t2": "t2",
    "dhcpv6.iaaddr.pref_lifetime": "pref",
    "dhcpv6.iaaddr.valid_lifetime": "valid6",
    "dhcpv6.dns_server": "dns",
}


def by_tshark(path: Path) -> list[dict[str, list[str]]]:
    """For each packet of a capture the values of TSHARK_FIELDS, in order."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=|", "-E", "aggregator=;"]
    command += [word for field in TSHARK_FIELDS for word in ("-e", field)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = [line.split("|") for line in done.stdout.splitlines()]
    return [
        {word: [one for one in cell.split(";") if one] for word, cell in zip(TSHARK_FIELDS.values(), row, strict=True)}
        for row in rows
    ]


def tshark_words(event: AnyEvent) -> dict[str, list[str]]:
    """The same of our event."""
    facts: dict[str, list[str]] = {}

    def add(word: str, *values: object) -> None:
        facts.setdefault(word, []).extend(map(str, values))

    match event:
        case RouterAdvertised():
            add("lifetime", event.header.lifetime_s)
            add("hop", event.header.hop_limit)
            for option in event.options:
                match option:
                    case PrefixInformation():
                        add("valid", _seconds(option.valid_s))
                        add("preferred", _seconds(option.preferred_s))
                    case Mtu():
                        add("mtu", option.mtu)
                    case RouteInformation():
                        add("route", _seconds(option.lifetime_s))
                    case Rdnss():
                        add("rdnss-lifetime", _seconds(option.lifetime_s))
                    case Pref64():
                        add("pref64", option.lifetime_s // 8, option.lifetime_s)
        case Dhcp4MessageSeen():
            add("yiaddr", event.yiaddr)
            for one in event.options:
                if isinstance(one, Addresses) and one.code == 3:
                    add("o3", *one.addresses)
                if isinstance(one, Number) and one.code == 51:
                    add("o51", _seconds(one.value))
        case Dhcp6MessageSeen():
            for one in event.options:
                if isinstance(one, Ia) and one.code in (3, 25):
                    add("iaid", one.iaid)
                    add("t1", _seconds(one.t1_s))
                    add("t2", _seconds(one.t2_s))
                    for inner in one.options:
                        if isinstance(inner, IaAddress):
                            add("pref", _seconds(inner.preferred_s))
                            add("valid6", _seconds(inner.valid_s))
                if isinstance(one, Addresses) and one.code == 23:
                    add("dns", *one.addresses)
    return facts


def _number(word: str, text: str) -> str:
    """tshark prints some numbers in hexadecimal (IAIDs) and PREF64 lifetimes scaled or not, as its version likes."""
    return str(int(text, 16)) if text.startswith("0x") or word == "iaid" else text


def unlike_tshark(theirs: dict[str, list[str]], event: AnyEvent) -> list[str]:
    """Where tshark reads another value for a word that our event says; containers are opaque to it."""
    found = []
    for word, mine in tshark_words(event).items():
        values = [_number(word, one) for one in theirs[word]]
        if word == "pref64":
            missing = [] if set(mine) & set(values) else mine
        else:
            missing = [one for one in mine if one not in values]
            if len(mine) == len(values) and mine != values:
                missing = mine
        found += [f"{word}: {missing}, tshark has {values}"] if missing else []
    return found


def heard(path: Path) -> Iterator[tuple[int, bytes, AnyEvent]]:
    """(number, octets, event) of the whole Ethernet messages of a capture."""
    with open_capture(str(path)) as capture:
        for number, at, link, linktype, data, original in capture.frames():
            for event in translate(Frame(at, link, linktype, data, original)):
                if linktype == ETHERNET and not isinstance(event, FrameRejected):
                    yield number, data, event


def written(tmp: Path, frames: list[Frame]) -> Path:
    """A pcap of these frames."""
    path = tmp / "drawn.pcap"
    head = bytes.fromhex("d4c3b2a1") + (2).to_bytes(2, "little") + (4).to_bytes(2, "little") + bytes(8)
    head += (262144).to_bytes(4, "little") + (1).to_bytes(4, "little")
    records = b"".join(bytes(8) + len(one.data).to_bytes(4, "little") * 2 + one.data for one in frames)
    path.write_bytes(head + records)
    return path


needs_tshark = pytest.mark.usefixtures("tshark")


@pytest.fixture(scope="session")
def tshark() -> None:
    assert shutil.which("tshark"), "install tshark: apt-get install tshark"


# --- as the readers are, there is no difference ---------------------------------------------------------------


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_scapy_reads_every_capture_as_we_do(path: Path) -> None:
    for number, data, event in heard(path):
        theirs = by_scapy(data)
        if theirs is not None and isinstance(event, RouterAdvertised | Dhcp4MessageSeen | Dhcp6MessageSeen):
            assert unlike(theirs, event) == [], f"packet {number}"


@needs_tshark
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_tshark_reads_every_capture_as_we_do(path: Path) -> None:
    rows = by_tshark(path)
    for number, _, event in heard(path):
        assert unlike_tshark(rows[number - 1], event) == [], f"packet {number}"


@QUICK
@given(draws.ra_options | draws.nearly(draws.ra_options))
def test_the_slow_reader_reads_drawn_ras_as_we_do(options: bytes) -> None:
    assert disagreements(options, said(p.ra(options))) == []


@QUICK
@given(draws.dhcp4_dnr | draws.nearly(draws.dhcp4_dnr))
def test_the_slow_reader_reads_option_162_as_we_do(content: bytes) -> None:
    if content:
        assert dhcp_disagreements(content, said(frame4(draws.one_dns_4(content)))) == []


@QUICK
@given(draws.dhcp6_dnr | draws.nearly(draws.dhcp6_dnr))
def test_the_slow_reader_reads_option_144_as_we_do(content: bytes) -> None:
    assert dhcp_disagreements(content, said(frame6(draws.one_dns_6(content)))) == []


@QUICK
@given(draws.plain_ra_options)
def test_scapy_reads_drawn_ras_as_we_do(options: bytes) -> None:
    frame = p.ra(options)
    event = said(frame)
    if not any(isinstance(option, IgnoredOption) for option in event.options):  # type: ignore[union-attr]
        assert unlike(by_scapy(frame.data) or [], event) == []


@QUICK
@given(draws.dhcp4_messages().map(frame4) | draws.dhcp6_messages().map(frame6))
def test_scapy_reads_drawn_dhcp_as_we_do(frame: Frame) -> None:
    assert unlike(by_scapy(frame.data) or [], said(frame)) == []


@QUICK
@given(draws.nearly(draws.dhcp4_messages()).map(frame4))
def test_scapy_reads_nearly_valid_dhcp_as_we_do_where_we_accept_it(frame: Frame) -> None:
    """What we take whole of a damaged message scapy has, too; addresses that no host can have it takes besides."""
    event = said(frame)
    if isinstance(event, Dhcp4MessageSeen) and not any(isinstance(one, Ignored) for one in event.options):
        theirs = by_scapy(frame.data)
        assert theirs is None or heard_alone(event, theirs) == []


def heard_alone(event: AnyEvent, theirs: list[Fact]) -> list[Fact]:
    """Our facts that are no part of theirs; of a list of addresses we may have left some out."""

    def told(fact: Fact) -> bool:
        return any(word == fact[0] and {*fact[1].split(",")} <= {*value.split(",")} for word, value in theirs)

    return [fact for fact in ours(event) if not told(fact)]


drawn_frames = st.lists(
    st.one_of(draws.plain_ra_options.map(p.ra), draws.dhcp4_messages().map(frame4), draws.dhcp6_messages().map(frame6)),
    min_size=10,
    max_size=40,
)


@needs_tshark
@FEW
@given(drawn_frames)
def test_tshark_reads_drawn_packets_as_we_do(tmp_path_factory: pytest.TempPathFactory, frames: list[Frame]) -> None:
    rows = by_tshark(written(tmp_path_factory.mktemp("drawn"), frames))
    assert len(rows) == len(frames)
    for row, frame in zip(rows, frames, strict=True):
        assert unlike_tshark(row, said(frame)) == []


# --- and a broken reader is noticed --------------------------------------------------------------------------

RA = p.ra(
    p.pio("2001:db8:1::"), p.mtu(1400), p.rio("2001:db8:2::", 48, preference=0x08), p.A9_PREF64_96,
    p.rdnss("2001:db8::53", "2001:db8::54"), p.A9_DNSSL, p.A9_DNR.replace(b"\x90\x0a\0\1", b"\x90\x0a\0\5"),
    p.pvd(p.name("a.example"), p.pio("2001:db8:3::"), flags=0xA01F, sequence=7, inner=p.header(900)), p.A9_MIF,
)  # fmt: skip
RA_OPTIONS = RA.data[70:]
DNR4 = bytes.fromhex("000511") + p.name("dns.example.net") + bytes.fromhex("04c00002350001000403646f74")
DNR4 = len(DNR4).to_bytes(2, "big") + DNR4
DNR6 = bytes.fromhex("00050011") + p.name("dns.example.net") + b"\0\x10" + p.ip6("2001:db8::53") + bytes.fromhex(
    "0001000403646f74"
)  # fmt: skip
ACK = frame4(
    draws.dhcp.v4(
        5,
        draws.dhcp.o4(3, draws.dhcp.ip("10.0.0.1"), draws.dhcp.ip("10.0.0.2")),
        draws.dhcp.o4(51, draws.dhcp.u32(600)),
        draws.dhcp.o4(54, draws.dhcp.ip("10.0.0.1")),
    )
)
REPLY = frame6(draws.dhcp.reply(draws.dhcp.ia_na(draws.dhcp.iaaddr("2001:db8::5"))))

BY_SLOW = (
    "pio-swapped", "pref64-not-times-8", "dnr-priority-ignored", "dnr-params-lost", "pvd-sequence-off-by-one",
    "pvd-delay-five-bits", "pvd-nested-lost", "pvd-header-lost", "mif-uuid-cut", "rio-preference", "mtu-low-half",
    "rdnss-reversed",
)  # fmt: skip
BY_SCAPY = {
    "pio-swapped": RA, "pref64-not-times-8": RA, "rio-preference": RA, "rdnss-reversed": RA, "mtu-low-half": RA,
    "dnssl-first-only": RA, "header-lifetime": RA, "dhcp4-routers-reversed": ACK, "dhcp-number-off-by-one": ACK,
    "dhcp4-yiaddr": ACK, "iaaddr-swapped": REPLY, "dhcp6-t1-t2": REPLY,
}  # fmt: skip
BY_TSHARK = {
    "pio-swapped": RA, "mtu-low-half": RA, "header-lifetime": RA, "dhcp4-routers-reversed": ACK,
    "dhcp-number-off-by-one": ACK, "dhcp4-yiaddr": ACK, "iaaddr-swapped": REPLY, "dhcp6-t1-t2": REPLY,
}  # fmt: skip


@pytest.mark.parametrize("fault", BY_SLOW)
def test_the_slow_reader_notices_a_broken_ra_reader(fault: str) -> None:
    event = said(RA)
    assert disagreements(RA_OPTIONS, event) == []
    assert disagreements(RA_OPTIONS, changed(event, FAULTS[fault])) != []


@pytest.mark.parametrize("fault", ["dnr-priority-ignored", "dnr-params-lost"])
def test_the_slow_reader_notices_a_broken_dnr_reader_in_dhcp(fault: str) -> None:
    for content, frame in ((DNR4, frame4(draws.one_dns_4(DNR4))), (DNR6, frame6(draws.one_dns_6(DNR6)))):
        event = said(frame)
        assert any(isinstance(option, Resolver) for option in event.options)  # type: ignore[union-attr]
        assert dhcp_disagreements(content, event) == []
        assert dhcp_disagreements(content, changed(event, FAULTS[fault])) != []


@pytest.mark.parametrize("fault", BY_SCAPY)
def test_scapy_notices_a_broken_reader(fault: str) -> None:
    frame = BY_SCAPY[fault]
    theirs, event = by_scapy(frame.data), said(frame)
    assert theirs is not None and unlike(theirs, event) == []
    assert unlike(theirs, changed(event, FAULTS[fault])) != []


@needs_tshark
@pytest.mark.parametrize("fault", BY_TSHARK)
def test_tshark_notices_a_broken_reader(fault: str, tmp_path: Path) -> None:
    (row,) = by_tshark(written(tmp_path, [BY_TSHARK[fault]]))
    event = said(BY_TSHARK[fault])
    assert unlike_tshark(row, event) == []
    assert unlike_tshark(row, changed(event, FAULTS[fault])) != []


@pytest.mark.parametrize("fault", ["dhcp-number-off-by-one", "dhcp4-yiaddr"])
def test_scapy_notices_a_broken_reader_of_nearly_valid_dhcp(fault: str) -> None:
    theirs, event = by_scapy(ACK.data), said(ACK)
    assert theirs is not None and heard_alone(event, theirs) == []
    assert heard_alone(changed(event, FAULTS[fault]), theirs) != []


def test_a_message_one_reader_drops_and_the_other_keeps_is_a_difference() -> None:
    good, bad = p.mtu(1500), bytes((5, 0, 0, 0, 0, 0, 5, 0xDC))
    assert disagreements(bad, said(p.ra(good))) != []
    assert disagreements(good, said(p.ra(bad))) != []
    assert disagreements(bad, said(p.ra(bad))) == []


def test_one_address_has_one_text_in_rdnss_and_dnr() -> None:
    """Found by fuzzing: an address like ::100:38 was written in two ways, so the same resolver counted as two."""
    strange = "::1.0.0.56"
    dnr = p.A9_DNR.replace(p.ip6("2001:db8::53"), p.ip6(strange))
    event = said(p.ra(p.rdnss(strange), dnr))
    assert isinstance(event, RouterAdvertised)
    plain, encrypted = event.options
    assert isinstance(plain, Rdnss) and isinstance(encrypted, EncryptedDns)
    assert plain.addresses == encrypted.addresses == (strange,)
