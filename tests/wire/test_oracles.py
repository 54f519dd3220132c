"""Three readers beside ours: scapy, tshark, and the slow one of tests/wire/oracle, on captures and drawn packets.

Law: each comparison is a function from octets and our event to sentences; on the reader as it is there are none, and
on a reader broken on purpose there must be some, or the comparison sees nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from adapters.ingest import translate
from events.codec import AnyEvent
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen, Ignored
from events.frames import ETHERNET, Frame, FrameRejected
from events.router import EncryptedDns, Rdnss, RouterAdvertised
from replay.files.captures import open_capture
from tests.fuzz.targets import frame4, frame6
from tests.wire import packets as p
from tests.wire import strategies as draws
from tests.wire.oracle import by_scapy, by_tshark
from tests.wire.oracle.agreement import dhcp_disagreements, disagreements
from tests.wire.oracle.broken import FAULTS, broken
from tests.wire.oracle.facts import Words, unlike

CAPTURES = sorted((Path(__file__).resolve().parents[1] / "captures").glob("*.pcap*"))
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
Reader = Callable[[Frame], tuple[AnyEvent, ...]]
TSHARK_KNOWS = {
    RouterAdvertised: by_tshark.ND,
    Dhcp4MessageSeen: by_tshark.DHCP4,
    Dhcp6MessageSeen: by_tshark.DHCP6,
}


def read(frame: Frame) -> AnyEvent:
    (event,) = translate(frame)
    return event


def unlike_scapy(octets: bytes, event: AnyEvent) -> list[str]:
    """Where scapy reads an Ethernet frame otherwise. What we reject it need not."""
    if not isinstance(event, RouterAdvertised | Dhcp4MessageSeen | Dhcp6MessageSeen):
        return []
    if any(isinstance(one, Ignored) and one.code == 121 for one in event.options):
        return []  # behind a route that it cannot read scapy loses the next option, too
    theirs = by_scapy.read(octets)
    return [] if theirs is None else unlike(theirs[0], event, theirs[1])


def unlike_tshark(theirs: Words | None, event: AnyEvent) -> list[str]:
    """Where tshark reads the packet otherwise; None: it gave up inside it."""
    if any(isinstance(one, Ignored) and one.code in (3, 4, 25) for one in getattr(event, "options", ())):
        return []  # behind an IA whose options do not end with it tshark reads nothing more
    known = TSHARK_KNOWS.get(type(event))
    return [] if known is None or theirs is None else unlike(theirs, event, known)


def heard(path: Path, reader: Reader = translate) -> Iterator[tuple[int, bytes, AnyEvent]]:
    """(number, octets, event) of the whole Ethernet messages of a capture, as `reader` says."""
    with open_capture(str(path)) as capture:
        for number, at, link, linktype, data, original in capture.frames():
            for event in reader(Frame(at, link, linktype, data, original)):
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


def drawn(packets: st.SearchStrategy[Frame], count: int) -> list[Frame]:
    """So many packets, for one run of tshark: no single one could be shrunk without starting it a thousand times."""
    found: list[Frame] = []

    @settings(QUICK, max_examples=count, phases=[Phase.generate], database=None)
    @given(packets)
    def collect(frame: Frame) -> None:
        found.append(frame)

    collect()
    return found


needs_tshark = pytest.mark.usefixtures("tshark")


@pytest.fixture(scope="session")
def tshark() -> None:
    assert shutil.which("tshark"), "install tshark: apt-get install tshark"


# --- as the readers are, there is no difference ---------------------------------------------------------------


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_scapy_reads_every_capture_as_we_do(path: Path) -> None:
    for number, data, event in heard(path):
        assert unlike_scapy(data, event) == [], f"packet {number}"


@needs_tshark
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_tshark_reads_every_capture_as_we_do(path: Path) -> None:
    rows = by_tshark.read(path)
    for number, _, event in heard(path):
        assert rows[number - 1] is not None, f"packet {number}"
        assert unlike_tshark(rows[number - 1], event) == [], f"packet {number}"


@QUICK
@given(draws.ra_options | draws.nearly(draws.ra_options))
def test_the_slow_reader_reads_drawn_ras_as_we_do(options: bytes) -> None:
    assert disagreements(options, read(p.ra(options))) == []


@QUICK
@given(draws.dhcp4_dnr | draws.nearly(draws.dhcp4_dnr))
def test_the_slow_reader_reads_option_162_as_we_do(content: bytes) -> None:
    if content:
        assert dhcp_disagreements(content, read(frame4(draws.one_dns_4(content)))) == []


@QUICK
@given(draws.dhcp6_dnr | draws.nearly(draws.dhcp6_dnr))
def test_the_slow_reader_reads_option_144_as_we_do(content: bytes) -> None:
    assert dhcp_disagreements(content, read(frame6(draws.one_dns_6(content)))) == []


ras = st.builds(p.ra, draws.ra_options, start=draws.headers)
valid = st.one_of(ras, draws.dhcp4_messages().map(frame4), draws.dhcp6_messages().map(frame6))
nearly_valid = st.one_of(
    st.builds(p.ra, draws.nearly(draws.ra_options), start=draws.headers),
    draws.nearly(draws.dhcp4_messages()).map(frame4),
    draws.nearly(draws.dhcp6_messages()).map(frame6),
)


@QUICK
@given(valid)
def test_scapy_reads_drawn_packets_as_we_do(frame: Frame) -> None:
    event = read(frame)
    assert not isinstance(event, FrameRejected)
    assert unlike_scapy(frame.data, event) == []


@QUICK
@given(nearly_valid)
def test_scapy_reads_nearly_valid_packets_as_we_do_where_we_accept_them(frame: Frame) -> None:
    assert unlike_scapy(frame.data, read(frame)) == []


@needs_tshark
@pytest.mark.parametrize("packets", [valid, nearly_valid], ids=["valid", "nearly valid"])
def test_tshark_reads_drawn_packets_as_we_do_where_we_accept_them(
    packets: st.SearchStrategy[Frame], tmp_path: Path
) -> None:
    frames = drawn(packets, 200)
    for row, frame in zip(by_tshark.read(written(tmp_path, frames)), frames, strict=True):
        assert unlike_tshark(row, read(frame)) == [], frame.data.hex()


# --- and a broken reader is noticed --------------------------------------------------------------------------

RA = p.ra(
    p.SLLA, p.pio("2001:db8:1::1"), p.pio("2001:db8:8::", flags=0x40), p.mtu(1400), p.A9_PREF64_64, p.A9_PORTAL,
    p.rio("2001:db8:2::", 48, preference=0x18), p.rio("2001:db8:4::", 33, 60), p.A9_DNSSL,
    p.rdnss("2001:db8::53", "2001:db8::54"), start=p.header(1800, 0x80),
)  # fmt: skip


def resolver(form: str, *, priority: int = 5, loopback: bool = False, alias: bool = False) -> bytes:
    """The content of option 162 or 144 in DHCP, two addresses and two parameters, key 0 first."""
    name = p.name("dns.example.net")
    if form == "dhcp4":
        servers = [bytes((192, 0, 2, 53)), bytes((127, 0, 0, 1)) if loopback else bytes((192, 0, 2, 54))]
    else:
        servers = [p.ip6("2001:db8::53"), p.ip6("::1" if loopback else "2001:db8::54")]
    addresses, width = b"".join(servers), 1 if form == "dhcp4" else 2
    body = (0 if alias else priority).to_bytes(2, "big") + len(name).to_bytes(width, "big") + name
    body += (
        len(addresses).to_bytes(width, "big") + addresses + bytes.fromhex("00000002000300010004 03646f74 00030002 0355")
    )
    return len(body).to_bytes(2, "big") + body if form == "dhcp4" else body


def in_nd(content: bytes) -> bytes:
    """The same in an RA: the lifetime behind the priority, the parameters behind their length."""
    params = bytes.fromhex("00000002000300010004 03646f74 00030002 0355")
    body = content[2:].removesuffix(params)
    return p.option(144, content[:2] + bytes((0, 0, 2, 88)) + body + len(params).to_bytes(2, "big") + params)


def slow_ra(*options: bytes) -> tuple[Frame, Callable[[AnyEvent], list[str]]]:
    return p.ra(*options), lambda event: disagreements(b"".join(options), event)


def slow_4(content: bytes) -> tuple[Frame, Callable[[AnyEvent], list[str]]]:
    return frame4(draws.one_dns_4(content)), lambda event: dhcp_disagreements(content, event)


def slow_6(content: bytes) -> tuple[Frame, Callable[[AnyEvent], list[str]]]:
    return frame6(draws.one_dns_6(content)), lambda event: dhcp_disagreements(content, event)


NAME = p.name("a.example")
PVD = p.pvd(NAME, p.pio("2001:db8:3::1"), p.mtu(1400), flags=0xA01F, sequence=7, inner=p.header(900))
DNR6 = resolver("dhcp6")
SLOW = {
    "pio-lifetimes-swapped": slow_ra(p.pvd(NAME, p.pio("2001:db8:3::"))),
    "rio-preference-one-bit": slow_ra(p.pvd(NAME, p.rio("2001:db8:2::", 48, preference=0x18))),
    "mtu-in-the-wrong-order": slow_ra(PVD),
    "pref64-13-low-bits": slow_ra(p.pvd(NAME, p.A9_PREF64_64)),
    "length-zero-accepted": slow_ra(bytes((5, 0, 0, 0, 0, 0, 5, 0xDC))),
    "pvd-sequence-in-the-wrong-order": slow_ra(PVD),
    "pvd-delay-five-bits": slow_ra(PVD),
    "pvd-nested-lost": slow_ra(PVD),
    "pvd-header-ignored": slow_ra(PVD),
    "pvd-padding-not-skipped": slow_ra(p.pvd(p.name("ab.cdefg"), p.mtu(1400))),
    "pvd-root-accepted": slow_ra(p.pvd(b"\0")),
    "mif-uuid-case": slow_ra(p.mif(p.mif_id(p.A9_MIF_UUID.upper()))),
    "mif-signed-accepted": slow_ra(p.mif(p.mif_id(), flags=0x80)),
    "mif-two-ids-accepted": slow_ra(p.mif(p.mif_id(), p.mif_id())),
    "dnr-alias-accepted": slow_ra(in_nd(resolver("dhcp6", alias=True))),
    "dnr-addresses-reversed": slow_ra(in_nd(DNR6)),
    "dnr-loopback-accepted": slow_ra(in_nd(resolver("dhcp6", loopback=True))),
    "dnr-value-cut": slow_ra(in_nd(DNR6)),
    "dnr-key-zero-refused": slow_ra(in_nd(DNR6)),
}
SLOW_4 = {
    "dnr-alias-accepted": slow_4(resolver("dhcp4", alias=True)),
    "dnr-addresses-reversed": slow_4(resolver("dhcp4")),
    "dnr-loopback-accepted": slow_4(resolver("dhcp4", loopback=True)),
    "dnr-value-cut": slow_4(resolver("dhcp4")),
    "dnr-key-zero-refused": slow_4(resolver("dhcp4")),
    "dhcp4-first-fragment-only": slow_4(resolver("dhcp4") * 8),
    "dhcp4-bad-instance-ends-all": slow_4(resolver("dhcp4", alias=True) + resolver("dhcp4")),
}
SLOW_6 = {
    "dnr-alias-accepted": slow_6(resolver("dhcp6", alias=True)),
    "dnr-addresses-reversed": slow_6(DNR6),
    "dnr-loopback-accepted": slow_6(resolver("dhcp6", loopback=True)),
    "dnr-value-cut": slow_6(DNR6),
    "dnr-key-zero-refused": slow_6(DNR6),
}

dhcp = draws.dhcp
ACK = frame4(
    dhcp.v4(
        5,
        dhcp.o4(3, dhcp.ip("10.0.0.1"), dhcp.ip("10.0.0.2")),
        dhcp.o4(26, dhcp.u16(1400)),
        dhcp.o4(51, dhcp.u32(86400)),
        dhcp.o4(54, dhcp.ip("10.0.0.1")),
        dhcp.o4(121, bytes((12,)) + dhcp.ip("10.159.0.0")[:2] + dhcp.ip("10.0.0.1")),
    )
)
REPLY = frame6(
    dhcp.reply(
        dhcp.ia_na(dhcp.iaaddr("2001:db8::5"), dhcp.o6(13, dhcp.u16(2))),
        dhcp.ia_pd(dhcp.iaprefix("2001:db8:5:ff::1", 56)),
        dhcp.o6(23, dhcp.ip("2001:db8::53"), dhcp.ip("2001:db8::54")),
        dhcp.o6(32, dhcp.u32(86400)),
    )
)
ADVERTISE = frame6(dhcp.v6(2, dhcp.IDS, dhcp.o6(7, b"\5")))
ND_FAULTS = (
    "pio-lifetimes-swapped", "pio-flags-shifted", "pio-host-bits-kept", "mtu-in-the-wrong-order",
    "rio-preference-one-bit", "rdnss-reversed", "dnssl-first-only", "pref64-13-low-bits", "pref64-ascending",
    "portal-cut", "header-lifetime-one-octet", "header-flags-swapped",
)  # fmt: skip
BOTH_4 = ("dhcp-addresses-reversed", "dhcp-number-off-by-one", "dhcp-seconds-low-half", "dhcp4-yiaddr-is-ciaddr")
BOTH_6 = (
    "dhcp-addresses-reversed", "dhcp-seconds-low-half", "dhcp6-iaaddr-swapped", "dhcp6-timers-swapped",
    "dhcp6-host-bits-kept", "dhcp6-status-one-octet",
)  # fmt: skip
TSHARK = {
    **{(fault, "RA"): RA for fault in ND_FAULTS},
    **{(fault, "ACK"): ACK for fault in BOTH_4},
    **{(fault, "REPLY"): REPLY for fault in BOTH_6},
    ("dhcp-number-off-by-one", "ADVERTISE"): ADVERTISE,
}
SCAPY = {**TSHARK, ("dhcp4-host-bits-kept", "ACK"): ACK}  # tshark prints routes as they stand


def broken_event(fault: str, frame: Frame) -> AnyEvent:
    with broken(fault) as translate_badly:
        (event,) = translate_badly(frame)
    return event


def test_each_fault_is_noticed_by_some_reader() -> None:
    assert set(FAULTS) == {*SLOW, *SLOW_4, *SLOW_6, *(fault for fault, _ in SCAPY)}


@pytest.mark.parametrize(
    ("fault", "content"),
    [*(pytest.param(fault, row, id=f"RA {fault}") for fault, row in SLOW.items()),
     *(pytest.param(fault, row, id=f"162 {fault}") for fault, row in SLOW_4.items()),
     *(pytest.param(fault, row, id=f"144 {fault}") for fault, row in SLOW_6.items())],
)  # fmt: skip
def test_the_slow_reader_notices_a_broken_decoder(
    fault: str, content: tuple[Frame, Callable[[AnyEvent], list[str]]]
) -> None:
    frame, differences = content
    assert differences(read(frame)) == []
    assert differences(broken_event(fault, frame)) != []


@pytest.mark.parametrize(
    ("fault", "frame"), [pytest.param(key[0], frame, id=" ".join(key)) for key, frame in SCAPY.items()]
)
def test_scapy_notices_a_broken_decoder(fault: str, frame: Frame) -> None:
    assert unlike_scapy(frame.data, read(frame)) == []
    assert unlike_scapy(frame.data, broken_event(fault, frame)) != []


@needs_tshark
def test_tshark_notices_a_broken_decoder(tmp_path: Path) -> None:
    frames = [RA, ACK, REPLY, ADVERTISE]
    rows = dict(zip(map(id, frames), by_tshark.read(written(tmp_path, frames)), strict=True))
    for frame in frames:
        assert unlike_tshark(rows[id(frame)], read(frame)) == []
    for (fault, _), frame in TSHARK.items():
        assert unlike_tshark(rows[id(frame)], broken_event(fault, frame)) != [], fault


ON_CAPTURES = {
    "pio-lifetimes-swapped": "ra-single-router.pcap",
    "pref64-13-low-bits": "ra-pref64.pcap",
    "dhcp-addresses-reversed": "dhcp4-all-options.pcap",
    "dhcp-number-off-by-one": "dhcp4-all-options.pcap",
    "dhcp6-iaaddr-swapped": "dhcp6-relay-client-side.pcap",
}


@needs_tshark
@pytest.mark.parametrize("fault", ON_CAPTURES)
def test_the_captures_show_a_broken_decoder_to_scapy_and_tshark(fault: str) -> None:
    path = CAPTURES[0].parent / ON_CAPTURES[fault]
    rows = by_tshark.read(path)
    with broken(fault) as translate_badly:
        found = list(heard(path, translate_badly))
    assert any(unlike_scapy(data, event) for _, data, event in found)
    assert any(unlike_tshark(rows[number - 1], event) for number, _, event in found)


ROUNDS_MAX = 10  # nearly always one is enough
DRAWN = ("pio-lifetimes-swapped", "rdnss-reversed", "dhcp-addresses-reversed", "dhcp6-iaaddr-swapped")


@needs_tshark
@pytest.mark.parametrize("packets", [valid, nearly_valid], ids=["valid", "nearly valid"])
def test_drawn_packets_show_a_broken_decoder_to_scapy_and_tshark(
    packets: st.SearchStrategy[Frame], tmp_path: Path
) -> None:
    unseen = {(fault, reader) for fault in DRAWN for reader in ("scapy", "tshark")}
    for _ in range(ROUNDS_MAX):
        frames = drawn(packets, 300)
        rows = by_tshark.read(written(tmp_path, frames))
        for fault in {fault for fault, _ in unseen}:
            with broken(fault) as translate_badly:
                events = [translate_badly(frame)[0] for frame in frames]
            if any(unlike_scapy(frame.data, event) for frame, event in zip(frames, events, strict=True)):
                unseen.discard((fault, "scapy"))
            if any(unlike_tshark(row, event) for row, event in zip(rows, events, strict=True)):
                unseen.discard((fault, "tshark"))
        if not unseen:
            return
    raise AssertionError(f"{ROUNDS_MAX} rounds show nothing of {sorted(unseen)}")


DRAWN_SLOWLY = {
    "pvd-nested-lost": (draws.ra_options, p.ra, disagreements),
    "mif-uuid-case": (draws.ra_options, p.ra, disagreements),
    "dnr-alias-accepted": (draws.dhcp4_dnr, lambda content: frame4(draws.one_dns_4(content)), dhcp_disagreements),
    "dnr-loopback-accepted": (draws.dhcp6_dnr, lambda content: frame6(draws.one_dns_6(content)), dhcp_disagreements),
}


@pytest.mark.parametrize("fault", DRAWN_SLOWLY)
def test_drawn_octets_show_a_broken_decoder_to_the_slow_reader(fault: str) -> None:
    strategy, frame_of, differences = DRAWN_SLOWLY[fault]
    with broken(fault) as translate_badly:
        find(
            strategy,
            lambda octets: differences(octets, translate_badly(frame_of(octets))[0]) != [],
            settings=settings(QUICK, phases=[Phase.generate], max_examples=2000, database=None),
        )


def test_a_message_one_reader_drops_and_the_other_keeps_is_a_difference() -> None:
    good, bad = p.mtu(1500), bytes((5, 0, 0, 0, 0, 0, 5, 0xDC))
    assert disagreements(bad, read(p.ra(good))) != []
    assert disagreements(good, read(p.ra(bad))) != []
    assert disagreements(bad, read(p.ra(bad))) == []


def test_one_address_has_one_text_in_rdnss_and_dnr() -> None:
    """Found by fuzzing: an address like ::100:38 was written in two ways, so the same resolver counted as two."""
    strange = "::1.0.0.56"
    dnr = p.A9_DNR.replace(p.ip6("2001:db8::53"), p.ip6(strange))
    event = read(p.ra(p.rdnss(strange), dnr))
    assert isinstance(event, RouterAdvertised)
    plain, encrypted = event.options
    assert isinstance(plain, Rdnss) and isinstance(encrypted, EncryptedDns)
    assert plain.addresses == encrypted.addresses == (strange,)
