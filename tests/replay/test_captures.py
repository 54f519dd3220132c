"""Captures: what is read of them, what is said of a damaged one, and that three other readers read the same.

Law: no file content raises; each hostile case of standards.md E76 and E77 is a row of a table with its one outcome.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.ingest import translate, wanted
from events.frames import ETHERNET, IPV6, LINUX_SLL, LINUX_SLL2, NETLINK, RAW, Frame
from events.ids import NEVER, SECOND
from replay.files.captures import (
    Capture,
    CaptureError,
    Custom,
    Packet,
    PcapngWriter,
    linktype_name,
    merge,
    named,
    open_capture,
)
from replay.files.octets import WINDOW_FIRST
from replay.files.pcapng import INTERFACES_MAX

CAPTURES = Path(__file__).parent.parent / "captures"
FILES = sorted(CAPTURES.glob("*.pcap*"))
DEMO = Path(__file__).parent.parent.parent / "replay" / "data" / "demo.pcapng"
T0 = 1_795_461_624 * SECOND
TOOL_S = 60  # seconds an outside tool may take


class Read(NamedTuple):
    """A capture read to its end."""

    items: list[Packet | Custom]
    capture: Capture

    @property
    def packets(self) -> list[Packet]:
        return [item for item in self.items if not isinstance(item, Custom)]

    @property
    def octets(self) -> list[bytes]:
        return [packet[4] for packet in self.packets]

    @property
    def links(self) -> list[str]:
        return [packet[2] for packet in self.packets]

    @property
    def damaged(self) -> str | None:
        return self.capture.damaged


def read(path: Path | str, link: str | None = None) -> Read:
    with open_capture(str(path), link=link) as capture:
        items = list(capture.items())
    assert capture.packets == sum(not isinstance(item, Custom) for item in items)
    return Read(items, capture)


@pytest.fixture
def reading(tmp_path: Path) -> Callable[..., Read]:
    """Reads octets as a file."""

    def read_octets(content: bytes, link: str | None = None) -> Read:
        (tmp_path / "a.capture").write_bytes(content)
        return read(tmp_path / "a.capture", link)

    return read_octets


# --- Building captures: by hand, so that the reader is not tested with itself ----------------------------------------


def pcap(
    *records: bytes,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    version: tuple[int, int] = (2, 4),
    snaplen: int = 262144,
    linktype: int = ETHERNET,
) -> bytes:
    return struct.pack(order + "IHHIIII", magic, *version, 0, 0, snaplen, linktype) + b"".join(records)


def record(
    data: bytes, at: int = T0, *, order: str = "<", caplen: int = -1, length: int = -1, unit: int = 1000
) -> bytes:
    caplen = len(data) if caplen < 0 else caplen
    head = (at // SECOND, at % SECOND // unit, caplen, caplen if length < 0 else length)
    return struct.pack(order + "IIII", *head) + data


def block(kind: int, body: bytes, *, order: str = "<", again: int | None = None) -> bytes:
    body += bytes(-len(body) % 4)
    length = len(body) + 12
    return struct.pack(order + "II", kind, length) + body + struct.pack(order + "I", length if again is None else again)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<", *, major: int = 1, options: bytes = b"", length: int = -1) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, major, 0, length) + options, order=order)


def interface(linktype: int = ETHERNET, order: str = "<", *, snaplen: int = 0, options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", linktype, 0, snaplen) + options, order=order)


def enhanced(
    data: bytes,
    units: int = T0 // 1000,
    *,
    place: int = 0,
    order: str = "<",
    caplen: int = -1,
    length: int = -1,
    **more: int,
) -> bytes:
    caplen = len(data) if caplen < 0 else caplen
    head = struct.pack(
        order + "IIIII", place, units >> 32, units & 0xFFFFFFFF, caplen, caplen if length < 0 else length
    )
    return block(6, head + data, order=order, **more)


ETHER = bytes.fromhex("333300000001 020000000101".replace(" ", ""))
FRAME = ETHER + b"\x86\xdd" + bytes(60)


def ip6(next_header: int, payload: bytes, first: int = 0x60) -> bytes:
    return bytes([first, 0, 0, 0]) + struct.pack(">HBB", len(payload), next_header, 255) + bytes(32) + payload


def ip4(protocol: int, payload: bytes, first: int = 0x45, fragment: int = 0) -> bytes:
    head = struct.pack(">BBHHHBBHII", first, 0, 20 + len(payload), 0, fragment, 64, protocol, 0, 1, 2)
    return head + bytes(max(0, (first & 15) * 4 - 20)) + payload


def ports(source: int, destination: int, more: bytes = bytes(24)) -> bytes:
    return struct.pack(">HHHH", source, destination, 8 + len(more), 0) + more


# --- Real captures ---------------------------------------------------------------------------------------------------


def truth(path: Path) -> dict[str, object]:
    name = path.with_suffix(".json" if path.suffix == ".pcap" else ".ng.json")
    found = json.loads(name.read_text())
    assert isinstance(found, dict)
    return found


def test_the_captures_are_all_here() -> None:
    assert len(FILES) == 38
    assert {path.name for path in FILES} == {str(truth(path)["file"]) for path in FILES}


@pytest.mark.covers("feat:A12")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_capture_holds_what_an_independent_reader_sighted(path: Path) -> None:
    seen, said = read(path), truth(path)
    counts = said["counts"]
    assert isinstance(counts, dict)
    assert isinstance(said["first_ts"], float)
    assert seen.capture.packets == counts["frames"]
    assert seen.capture.first is not None and seen.capture.last is not None
    assert seen.capture.first == pytest.approx(said["first_ts"] * 1e9, abs=1000)  # a float has no more
    assert (seen.capture.last - seen.capture.first) / 1e9 == pytest.approx(said["duration_s"], abs=0.0006)
    assert sum(packet[5] >= 0 for packet in seen.packets) == counts.get("truncated_frames", 0)
    assert [packet[0] for packet in seen.packets] == list(range(1, seen.capture.packets + 1))
    assert set(seen.links) == {"if0" if path.suffix == ".pcap" else "br0"}
    assert (seen.damaged is not None) == ("cut-midrecord" in path.name)
    assert not seen.capture.unreadable_linktypes
    assert seen.capture.position == path.stat().st_size


@pytest.mark.parametrize("path", [p for p in FILES if p.suffix == ".pcapng"], ids=lambda path: path.name)
def test_the_pcapng_beside_a_pcap_is_the_same_wire(path: Path) -> None:
    """Two recorders side by side; dumpcap stopped a little later and keeps nanoseconds."""
    plain, other = read(path.with_suffix(".pcap")), read(path)
    assert 0 <= len(other.packets) - len(plain.packets) <= 1
    assert plain.octets == other.octets[: len(plain.octets)]
    assert [p[1] for p in plain.packets] == [p[1] // 1000 * 1000 for p in other.packets][: len(plain.packets)]


def test_big_endian_files_and_nanoseconds_read_as_their_twins() -> None:
    for suffix in (".pcap", ".pcapng"):
        big = read(CAPTURES / f"conv-bigendian{suffix}")
        little = read(CAPTURES / f"ra-two-routers{suffix}")
        assert big.items == little.items
    # The same wire, recorded once whole in nanoseconds and once cut to 96 octets in microseconds.
    fine, cut = read(CAPTURES / "ra-nanosecond.pcap"), read(CAPTURES / "ra-snaplen-96.pcap")
    assert [p[4][:96] for p in fine.packets] == cut.octets
    assert [p[1] // 1000 * 1000 for p in fine.packets] == [p[1] for p in cut.packets]
    assert any(p[1] % 1000 for p in fine.packets)
    assert [len(p[4]) if len(p[4]) > 96 else -1 for p in fine.packets] == [p[5] for p in cut.packets]


def test_the_demo_is_the_real_capture_it_says_it_is() -> None:
    demo, real = read(DEMO), read(CAPTURES / "client-systemd-networkd.pcap", link="eth0")
    assert demo.items == real.items
    assert demo.capture.packets == 49
    assert demo.damaged is None


# --- Three oracles ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_scapy_reads_the_same(path: Path) -> None:
    from scapy.utils import RawPcapNgReader, RawPcapReader

    with (RawPcapReader if path.suffix == ".pcap" else RawPcapNgReader)(str(path)) as theirs:
        both = list(zip(theirs, read(path).packets, strict=False))
        nano = getattr(theirs, "nano", False)
    assert len(both) == truth(path)["counts"]["frames"]  # type: ignore[index]
    for (data, about), (_, at, _, linktype, octets_, original) in both:
        assert data == octets_
        assert about.wirelen == (len(data) if original < 0 else original)
        if path.suffix == ".pcap":
            assert at == about.sec * SECOND + about.usec * (1 if nano else 1000)
        else:
            assert at == ((about.tshigh << 32) + about.tslow) * SECOND // about.tsresol
            assert linktype == about.linktype


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "modpcap", "pcapng"])
@pytest.mark.parametrize("name", ["ra-vlan.pcapng", "ra-any-sll.pcap", "ra-snaplen-96.pcap", "ra-nanosecond.pcap"])
def test_what_editcap_converts_reads_the_same(tmp_path: Path, name: str, kind: str) -> None:
    out = tmp_path / "out"
    subprocess.run(["editcap", "-F", kind, CAPTURES / name, out], check=True, timeout=TOOL_S, capture_output=True)
    before, after = read(CAPTURES / name), read(out)
    unit = 1 if kind in {"nsecpcap", "pcapng"} else 1000
    assert after.damaged is None
    assert after.octets == before.octets
    assert [(p[1], p[3], p[5]) for p in after.packets] == [(p[1] // unit * unit, p[3], p[5]) for p in before.packets]


def test_what_mergecap_merges_is_what_merge_merges(tmp_path: Path) -> None:
    names = ["ra-single-router.pcapng", "ra-two-routers.pcapng", "ra-any-sll.pcap"]
    files = [CAPTURES / name for name in names]
    out = tmp_path / "out.pcapng"
    subprocess.run(["mergecap", "-I", "none", "-w", out, *files], check=True, timeout=TOOL_S, capture_output=True)
    theirs = read(out)
    captures = [open_capture(str(file)) for file in files]
    ours = [packet for _, packet in merge(captures, None) if not isinstance(packet, Custom)]
    assert [(p[1], p[3], p[4]) for p in theirs.packets] == [(p[1], p[3], p[4]) for p in ours]
    assert set(theirs.links) == {"br0", "br0#2", "if2"}  # two links of one name in one file are two links
    assert len(ours) == sum(capture.packets for capture in captures) == theirs.capture.packets


def test_tshark_reads_what_we_write(tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    with out.open("wb") as file:
        writer = PcapngWriter(file)
        writer.custom(b'{"before": "all"}')
        for number, at, _, linktype, data, original in read(CAPTURES / "ra-snaplen-96.pcap").packets:
            writer.packet(at + 7, f"eth{number % 2}", linktype, data, original, comment=f"packet {number}, geprüft")
            writer.custom(b"x" * number)
    fields = ["frame.time_epoch", "frame.interface_name", "frame.len", "frame.cap_len", "frame.comment"]
    command = ["tshark", "-r", out, "-T", "fields", *(part for field in fields for part in ("-e", field))]
    said = subprocess.run(command, check=True, timeout=TOOL_S, capture_output=True, text=True).stdout.splitlines()
    assert len(said) == 43  # it shows the custom blocks as well
    said = [line for line in said if line.split("\t")[1]]
    packets = read(out).packets
    assert len(said) == len(packets) == 21
    for line, (number, at, link, _, data, original) in zip(said, packets, strict=True):
        time = f"{at // SECOND}.{at % SECOND:09}"
        length = len(data) if original < 0 else original
        assert line.split("\t") == [time, link, str(length), str(len(data)), f"packet {number}, geprüft"]


# --- Links -----------------------------------------------------------------------------------------------------------

NAMED = option(2, b"eth0")


@pytest.mark.parametrize(
    ("given_link", "interfaces", "links"),
    [
        (None, [b""], ["if0"]),
        (None, [NAMED], ["eth0"]),
        (None, [NAMED, b""], ["eth0", "if1"]),
        (None, [NAMED, NAMED, NAMED], ["eth0", "eth0#2", "eth0#3"]),
        (None, [NAMED, option(2, b"eth0#2"), NAMED], ["eth0", "eth0#2", "eth0#3"]),
        (None, [option(2, b"if1"), b""], ["if1", "if1#2"]),
        (None, [option(2, b"my lan")], ["if0"]),
        (None, [option(2, b"a/b")], ["if0"]),
        (None, [option(2, b"\x1b[31m")], ["if0"]),
        (None, [option(2, b"\xff\xfe"), option(2, "wlán".encode())], ["\ufffd\ufffd", "wlán"]),
        (None, [option(2, b"e" * 129)], ["if0"]),
        (None, [option(2, b"")], ["if0"]),
        (None, [option(1, b"a comment") + NAMED + option(0, b"") + option(2, b"late")], ["eth0"]),
        ("wan", [NAMED], ["wan"]),
        ("wan", [NAMED, NAMED, b""], ["wan", "wan#2", "wan#3"]),
    ],
)
def test_whose_link_a_packet_is_of(
    reading: Callable[..., Read], given_link: str | None, interfaces: list[bytes], links: list[str]
) -> None:
    content = section() + b"".join(interface(options=said) for said in interfaces)
    content += b"".join(enhanced(FRAME, place=place) for place in range(len(interfaces)))
    seen = reading(content, given_link)
    assert seen.links == links
    assert seen.damaged is None


def test_the_same_name_in_the_next_section_is_the_same_link(reading: Callable[..., Read]) -> None:
    one = section() + interface(options=NAMED) + enhanced(FRAME)
    assert reading(one + one).links == ["eth0", "eth0"]
    assert reading(one + one, "wan").links == ["wan", "wan"]


def test_all_plain_files_are_one_link_unless_they_are_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(pcap(record(FRAME)))
    assert read(tmp_path / "a").links == read(tmp_path / "b").links == ["if0"]
    assert read(tmp_path / "b", "eth1").links == ["eth1"]


def test_a_command_s_link_and_file(tmp_path: Path) -> None:
    assert named("eth0=x.pcap") == ("eth0", "x.pcap")
    assert named("eth0=-") == ("eth0", "-")
    assert named("-") == (None, "-")
    assert named("eth0=a=b") == ("eth0", "a=b")
    assert named("./day=1/x.pcap") == (None, "./day=1/x.pcap")  # `.` could be a link, `./day` is none
    assert named("eth0=") == (None, "eth0=")
    existing = tmp_path / "a=b"
    existing.touch()
    assert named(str(existing)) == (None, str(existing))


# --- Hostile files: standards.md E76, E77 ----------------------------------------------------------------------------

GOOD = pcap(record(FRAME), record(FRAME))
NG = section() + interface()
Outcome = tuple[int, str | None]  # packets read; None, or what `damaged` says

HOSTILE: dict[str, tuple[bytes, Outcome]] = {
    # pcap
    "empty file": (b"", (0, "the file is empty")),
    "one octet": (b"\xd4", (0, "cut at byte 1, in the file header")),
    "cut in the file header": (GOOD[:23], (0, "cut at byte 23, in the middle of the file header")),
    "header only": (GOOD[:24], (0, None)),
    "version 3": (pcap(record(FRAME), version=(3, 0)), (0, "version 3.0 of the pcap format at byte 4 is not known")),
    "swapped magic": (pcap(record(FRAME, order=">"), order=">"), (1, None)),
    "nanosecond magic": (pcap(record(FRAME, unit=1), magic=0xA1B23C4D), (1, None)),
    "swapped nanosecond": (pcap(record(FRAME, order=">", unit=1), order=">", magic=0xA1B23C4D), (1, None)),
    "modified (24-octet records)": (
        pcap(record(FRAME)[:16] + bytes(8) + FRAME, record(b"")[:16] + bytes(8), magic=0xA1B2CD34),
        (2, None),
    ),
    "caplen 0": (pcap(record(b"", length=60), record(FRAME)), (2, None)),
    "caplen > length": (pcap(record(FRAME, length=10), record(FRAME)), (2, None)),
    "caplen > snaplen": (pcap(record(FRAME), record(FRAME), snaplen=20), (2, None)),
    "caplen 2^31": (
        pcap(record(FRAME), record(FRAME, caplen=1 << 31)),
        (1, "record 2 at byte 114 claims 2147483648 octets, more than 262144"),
    ),
    "caplen 2^32-1, snaplen too": (
        pcap(record(FRAME), record(FRAME, caplen=0xFFFFFFFF), snaplen=0xFFFFFFFF),
        (1, f"record 2 at byte 114 claims 4294967295 octets, more than {16 << 20}"),
    ),
    "caplen past the end": (
        pcap(record(FRAME), record(FRAME, caplen=100)),
        (1, "cut at byte 204, in the middle of record 2 from byte 114"),
    ),
    "cut in the last record": (GOOD[:-1], (1, "cut at byte 203, in the middle of record 2 from byte 114")),
    "cut in a record's header": (GOOD[:120], (1, "cut at byte 120, in the header of record 2")),
    "frame check sequence bits": (pcap(record(FRAME), linktype=0x24000001), (1, None)),
    "clock set back": (pcap(record(FRAME, T0), record(FRAME, T0 - 9 * SECOND)), (2, None)),
    "year 1970": (pcap(record(FRAME, 0)), (1, None)),
    "year 2106": (pcap(record(FRAME, (2**32 - 1) * SECOND)), (1, None)),
    # pcapng
    "section only": (section(), (0, None)),
    "cut in the first block": (section()[:20], (0, "cut at byte 20, in the middle of block 1 at byte 0")),
    "cut in a block's header": (NG + enhanced(FRAME)[:9], (0, f"cut at byte {len(NG) + 9}, in the header of block 3")),
    "cut in a packet": (
        NG + enhanced(FRAME) + enhanced(FRAME)[:-1],
        (1, f"cut at byte {len(NG) + 215}, in the middle of block 4 at byte {len(NG) + 108}"),
    ),
    "bad byte order": (
        section()[:8] + b"\1\2\3\4" + section()[12:],
        (0, "block 1 at byte 0 begins a section in an unknown byte order"),
    ),
    "pcapng version 2": (
        section(major=2) + interface(),
        (0, "block 1 at byte 0: version 2 of the pcapng format is not known"),
    ),
    "block length not a multiple of 4": (
        NG + enhanced(FRAME) + struct.pack("<II", 6, 109) + bytes(101),
        (1, f"block 4 at byte {len(NG) + 108}: a length of 109 cannot be"),
    ),
    "block length 0": (NG + struct.pack("<III", 6, 0, 0), (0, f"block 3 at byte {len(NG)}: a length of 0 cannot be")),
    "block length 2^31": (
        NG + struct.pack("<III", 6, 1 << 31, 0),
        (0, f"block 3 at byte {len(NG)} claims {1 << 31} octets, more than {16 << 20}"),
    ),
    "lengths differ": (
        NG + enhanced(FRAME) + enhanced(FRAME, again=112) + enhanced(FRAME),
        (1, f"block 4 at byte {len(NG) + 108}: its two lengths differ"),
    ),
    "lengths of an unknown block differ": (
        NG + enhanced(FRAME) + block(0x7777, b"abcd", again=20) + enhanced(FRAME),
        (1, f"block 4 at byte {len(NG) + 108}: its two lengths differ"),
    ),
    "a block too short for its kind": (
        NG + block(6, bytes(16)),
        (0, f"block 3 at byte {len(NG)}: 28 octets are too few for its kind"),
    ),
    "caplen past its block": (
        NG + enhanced(FRAME) + enhanced(FRAME, caplen=77),
        (1, f"block 4 at byte {len(NG) + 108} claims 77 octets of packet, and has room for 76"),
    ),
    "missing interface": (
        section() + enhanced(FRAME),
        (0, "block 2 at byte 28 names interface 0, which is not described before it"),
    ),
    "missing second interface": (
        NG + enhanced(FRAME) + enhanced(FRAME, place=1),
        (1, f"block 4 at byte {len(NG) + 108} names interface 1, which is not described before it"),
    ),
    "missing interface of a simple packet": (
        section() + block(3, struct.pack("<I", 4) + b"abcd"),
        (0, "block 2 at byte 28 is of interface 0, which is not described before it"),
    ),
    "interfaces end with their section": (
        NG + enhanced(FRAME) + section() + enhanced(FRAME),
        (1, f"block 5 at byte {len(NG) + 136} names interface 0, which is not described before it"),
    ),
    "section change, other byte order": (
        NG + enhanced(FRAME) + section(">") + interface(order=">") + enhanced(FRAME, order=">"),
        (2, None),
    ),
    "a section that lies about its length": (section(length=4) + interface() + enhanced(FRAME), (1, None)),
    "option past its block": (
        section() + interface(options=struct.pack("<HH", 2, 400)),
        (0, "block 2 at byte 28: its option 2 runs past it"),
    ),
    "unknown, name, statistics and secrets blocks": (
        NG + b"".join(block(kind, bytes(16)) for kind in (4, 5, 10, 0x7FFFFFFF, 0xBAD, 0x40000BAD)) + enhanced(FRAME),
        (1, None),
    ),
    "custom block of ours that overruns": (
        NG + block(0xBAD, struct.pack("<I4sI", 32473, b"pvd1", 9) + b"12345678"),
        (0, f"block 3 at byte {len(NG)} claims 9 octets of payload, and has room for 8"),
    ),
    "a pcap behind a pcapng": (
        NG + enhanced(FRAME) + GOOD,
        (1, f"block 4 at byte {len(NG) + 108}: a length of 262146 cannot be"),
    ),
    # E77
    "unknown link type": (pcap(record(FRAME), record(FRAME), linktype=147), (2, None)),
    "VLAN tags ten deep": (pcap(record(ETHER + b"\x81\x00\x00\x05" * 10 + b"\x86\xdd" + ip6(58, bytes(8)))), (1, None)),
    "cooked with protocol 0": (pcap(record(bytes(16) + ip6(58, bytes(8))), linktype=LINUX_SLL), (1, None)),
}


@pytest.mark.covers("evil:E76", "evil:E77")
@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_read_to_its_damage(reading: Callable[..., Read], tmp_path: Path, case: str) -> None:
    content, (count, damaged) = HOSTILE[case]
    seen = reading(content)
    assert (seen.capture.packets, seen.damaged) == (count, damaged)
    # What is sorted out early is counted, and damage found, no less; nor does what is read depend on it.
    with open_capture(str(tmp_path / "a.capture")) as quick:
        kept = list(quick.frames())
    assert (quick.packets, quick.damaged, quick.first, quick.last) == (
        count,
        damaged,
        seen.capture.first,
        seen.capture.last,
    )
    assert kept == [packet for packet in seen.packets if wanted(packet[3], packet[4])]


@pytest.mark.covers("evil:E77")
def test_an_unknown_link_type_is_counted_and_named(reading: Callable[..., Read]) -> None:
    mixed = section() + interface(127) + interface() + interface(4711)
    mixed += b"".join(enhanced(FRAME, place=place) for place in (0, 1, 0, 2))
    seen = reading(mixed)
    assert seen.capture.unreadable_linktypes == {127: 2, 4711: 1}
    assert [linktype_name(n) for n in seen.capture.unreadable_linktypes] == ["127 (IEEE802_11_RADIOTAP)", "4711"]
    assert reading(pcap(record(FRAME), record(FRAME), linktype=147)).capture.unreadable_linktypes == {147: 2}
    assert not reading(pcap(linktype=147)).capture.unreadable_linktypes  # nothing in it was not read
    assert not reading(pcap(record(FRAME), linktype=NETLINK)).capture.unreadable_linktypes


@pytest.mark.covers("evil:E76")
def test_times_pass_through_as_they_are(reading: Callable[..., Read]) -> None:
    times = [T0, T0 - 9 * SECOND, 0, (2**32 - 1) * SECOND + 999_999_000, T0 + 1000]
    assert [p[1] for p in reading(pcap(*(record(FRAME, at) for at in times))).packets] == times
    seen = reading(NG + b"".join(enhanced(FRAME, at // 1000) for at in times))
    assert [p[1] for p in seen.packets] == times
    assert (seen.capture.first, seen.capture.last) == (times[0], times[-1])  # in file order


@pytest.mark.parametrize(
    ("options", "units", "at"),
    [
        (b"", 1_000_000, SECOND),
        (option(9, b"\x09"), 123_456_789_012, 123_456_789_012),
        (option(9, b"\x00"), 7, 7 * SECOND),
        (option(9, b"\x0c"), 1_999, 1),  # picoseconds
        (option(9, b"\x80"), 7, 7 * SECOND),
        (option(9, b"\x8a"), 1536, SECOND + SECOND // 2),  # 2^-10 s
        (option(9, b"\xff"), 1 << 63, 0),
        (option(14, struct.pack("<q", 100)), 0, 100 * SECOND),
        (option(14, struct.pack("<q", -100)), 101_000_000, SECOND),
        (option(14, struct.pack("<q", -100)), 0, 0),  # before 1970: the earliest instant
        (option(9, b"\x00"), 2**64 - 1, NEVER - 1),  # never NEVER
        (option(9, b"") + option(14, b"odd"), 1_000_000, SECOND),
    ],
)
def test_every_clock_of_a_pcapng(reading: Callable[..., Read], options: bytes, units: int, at: int) -> None:
    seen = reading(section() + interface(options=options) + enhanced(FRAME, units) + enhanced(FRAME, units))
    assert [p[1] for p in seen.packets] == [at, at]


def test_simple_and_obsolete_packet_blocks(reading: Callable[..., Read]) -> None:
    at = T0 // 1000
    obsolete = struct.pack("<HHIIII", 1, 5, at >> 32, at & 0xFFFFFFFF, 4, 90) + b"abcd"
    content = section() + interface(snaplen=6) + interface(options=NAMED)
    content += (
        block(3, struct.pack("<I", 5) + b"early") + block(2, obsolete) + block(3, struct.pack("<I", 50) + b"cutoff")
    )
    assert reading(content).packets == [
        (1, 0, "if0", 1, b"early", -1),  # no time of its own, and no packet before it
        (2, T0, "eth0", 1, b"abcd", 90),
        (3, T0, "if0", 1, b"cutoff", 50),
    ]


def test_a_caplen_of_more_than_the_length_is_no_cut(reading: Callable[..., Read]) -> None:
    for content in (pcap(record(FRAME, length=10)), NG + enhanced(FRAME, length=10)):
        assert reading(content).packets[0][4:] == (FRAME, -1)
    for content in (pcap(record(FRAME, length=999)), NG + enhanced(FRAME, length=999)):
        assert reading(content).packets[0][4:] == (FRAME, 999)


@pytest.mark.covers("evil:E76")
@pytest.mark.parametrize(
    ("name", "borders"),  # between records; between blocks: 26 packets, section, interface, and dumpcap's statistics
    [("ra-two-routers.pcap", 26), ("ra-two-routers.pcapng", 28), ("conv-bigendian.pcapng", 27)],
)
def test_a_file_cut_anywhere_gives_what_lies_before_the_cut(tmp_path: Path, name: str, borders: int) -> None:
    content = (CAPTURES / name).read_bytes()
    whole = read(CAPTURES / name).items
    path = tmp_path / "cut"
    silent = 0
    for size in range(4, len(content)):
        path.write_bytes(content[:size])
        seen = read(path)
        assert seen.items == whole[: len(seen.items)]
        assert seen.damaged is None or f"cut at byte {size}" in seen.damaged
        silent += seen.damaged is None
    assert silent == borders  # a cut there cannot be told from the end of the file; any other is


# --- What is no capture ----------------------------------------------------------------------------------------------


def test_what_cannot_be_read_at_all_says_what_to_do(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a capture")
    locked = tmp_path / "a\0b"
    packed = tmp_path / "notes.pcap.zst"
    packed.write_bytes(bytes.fromhex("28b52ffd") + b"...")
    for path, reason in [
        (tmp_path / "nowhere.pcap", "No such file or directory; check the name"),
        (tmp_path, "Is a directory; name the capture files in it"),
        (text, "is no capture: it begins with 6e 6f 74 20; name a pcap or pcapng file"),
        (packed, "is packed with zstd, which is not read here; unpack it: zstd -d"),
        (locked, "name another file"),
    ]:
        with pytest.raises(CaptureError) as raised:
            open_capture(str(path))
        assert reason in str(raised.value)
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_capture_is_read_once(tmp_path: Path) -> None:
    with open_capture(str(FILES[0])) as capture:
        list(capture)
        with pytest.raises(AssertionError):
            list(capture)


# --- Packed files, pipes, windows ------------------------------------------------------------------------------------

PACKINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("packing", PACKINGS)
def test_packed_files_read_as_they_were(reading: Callable[..., Read], packing: str) -> None:
    pack = PACKINGS[packing]
    for name in ("ra-two-routers.pcap", "ra-vlan.pcapng"):
        content = (CAPTURES / name).read_bytes()
        plain = read(CAPTURES / name)
        for packed in (pack(content), pack(content[:999]) + pack(content[999:]), pack(content) + bytes(512)):
            seen = reading(packed)
            assert (seen.items, seen.damaged, seen.capture.packed) == (plain.items, None, packing)
            assert seen.capture.position == seen.capture.size == len(packed)
    assert reading(pack(b"")).damaged == "the file is empty"
    with pytest.raises(CaptureError, match="is no capture"):
        reading(pack(b"something else"))


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_file_cut_short_is_read_to_the_cut(reading: Callable[..., Read], packing: str) -> None:
    plain = read(CAPTURES / "dhcp4-decline.pcap")
    packed = PACKINGS[packing]((CAPTURES / "dhcp4-decline.pcap").read_bytes())
    for size in range(10, len(packed), 29):
        seen = reading(packed[:size])
        assert seen.damaged is not None
        assert f"the {packing} stream is cut after {size} octets" in seen.damaged
        assert seen.items == plain.items[: len(seen.items)]
    # Deflate gives what it has; bzip2 and xz work in blocks.
    assert packing != "gzip" or len(reading(packed[:-9]).items) == len(plain.items)


def test_damage_in_a_gzip_stream_costs_nothing_before_it(reading: Callable[..., Read]) -> None:
    plain = read(CAPTURES / "dhcp4-decline.pcap")
    packed = bytearray(gzip.compress((CAPTURES / "dhcp4-decline.pcap").read_bytes()))
    packed[-8] ^= 1  # the checksum: every octet was had by then
    seen = reading(bytes(packed))
    assert seen.items == plain.items
    assert seen.damaged is not None and "the gzip stream is damaged before octet" in seen.damaged
    assert "incorrect data check" in seen.damaged


def test_garbage_behind_a_gzip_stream_is_damage(reading: Callable[..., Read]) -> None:
    seen = reading(gzip.compress(GOOD) + b"garbage")
    assert len(seen.items) == 2
    assert seen.damaged is not None and "gzip stream is damaged" in seen.damaged


def test_standard_input_and_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (CAPTURES / "ra-vlan.pcapng").read_bytes()
    plain = read(CAPTURES / "ra-vlan.pcapng")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    seen = read("-")
    assert (seen.items, seen.damaged, seen.capture.size) == (plain.items, None, -1)

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb", buffering=0) as end:
            for start in range(0, len(content), 100):
                end.write(content[start : start + 100])

    writer = threading.Thread(target=write)
    writer.start()
    seen = read(pipe)
    writer.join()
    assert (seen.items, seen.damaged) == (plain.items, None)


def test_a_live_pipe_gives_each_packet_as_it_comes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    turns: list[str] = []
    came = threading.Semaphore(0)

    def write() -> None:
        with pipe.open("wb", buffering=0) as end:
            end.write(pcap())
            for n in range(3):
                end.write(record(FRAME, T0 + n))
                turns.append(f"wrote {n}")
                assert came.acquire(timeout=TOOL_S)

    writer = threading.Thread(target=write)
    writer.start()
    with open_capture(str(pipe)) as capture:
        for number, *_ in capture:
            turns.append(f"read {number - 1}")
            came.release()
    writer.join()
    assert sorted(turns[0:2]) == ["read 0", "wrote 0"]
    assert turns.index("wrote 1") > turns.index("read 0")
    assert turns.index("wrote 2") > turns.index("read 1")


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        buffer = io.BytesIO()

        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    with pytest.raises(CaptureError, match="pipe a capture into it"):
        open_capture("-")


def traffic() -> Iterator[bytes]:
    """Packets on both sides of each line that the quick look draws, on Ethernet."""
    for first in (0x45, 0x46, 0x44, 0x65, 0x00):
        for protocol in (1, 6, 17, 58):
            for port in (66, 67, 68, 69, 443, 546, 547):
                yield b"\x08\x00" + ip4(protocol, ports(port, 9), first)
                yield b"\x08\x00" + ip4(protocol, ports(9, port), first)
                yield b"\x08\x00" + ip4(protocol, ports(9, port), first, fragment=0x2000)
                yield b"\x08\x00" + ip4(protocol, ports(9, port), first, fragment=0x0001)
    for first in (0x60, 0x6F, 0x70, 0x50, 0x45):
        for next_header in (0, 6, 17, 43, 44, 50, 51, 58, 59, 60):
            for port in (66, 67, 443, 545, 546, 547, 548, 0x8600):
                yield b"\x86\xdd" + ip6(next_header, ports(9, port), first)
                yield b"\x86\xdd" + ip6(next_header, ports(port, 9), first)
    for kind in (0, 0x0006, 0x0806, 0x8100, 0x88A8, 0x9100, 0xDD86, 0x88CC):
        yield kind.to_bytes(2, "big") + bytes(46)
        yield kind.to_bytes(2, "big") + b"\x00\x05\x86\xdd" + ip6(58, b"\x86" + bytes(15))


def dressed(linktype: int, typed: bytes) -> bytes:
    """`typed` (EtherType and payload) under the header of a link type."""
    match linktype:
        case 1:
            return ETHER + typed
        case 113:
            return bytes([0, 1, 0, 1, 0, 6]) + ETHER[6:] + bytes(2) + typed
        case 276:
            return typed[:2] + bytes(6) + b"\0\1\0\6" + ETHER[6:] + bytes(2) + typed[2:]
        case _:
            return typed[2:]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("linktype", [ETHERNET, LINUX_SLL, LINUX_SLL2, RAW, IPV6])
def test_no_packet_that_says_something_is_sorted_out(
    reading: Callable[..., Read], tmp_path: Path, linktype: int, order: str
) -> None:
    """The quick look, `wanted` and `translate` agree, on whole packets and on cut ones."""
    whole = [dressed(linktype, typed) for typed in traffic()]
    whole += [
        dressed(linktype, octets_[12:]) for path in FILES if path.suffix == ".pcap" for octets_ in read(path).octets
    ]
    packets = [(data[:size], len(data)) for data in whole for size in (len(data), 96, 62, 58, 54, 46, 40, 22, 14, 6, 0)]
    packets = [(data, length) for data, length in packets if len(data) <= length]
    spoken = [
        bool(translate(Frame(T0, "if0", linktype, data, length if length > len(data) else -1)))
        for data, length in packets
    ]
    for content in (
        pcap(*(record(data, order=order, length=length) for data, length in packets), order=order, linktype=linktype),
        section(order)
        + interface(linktype, order)
        + b"".join(enhanced(data, order=order, length=length) for data, length in packets),
    ):
        everything = reading(content)
        assert len(everything.packets) == len(packets)
        with open_capture(str(tmp_path / "a.capture")) as capture:
            quick = list(capture.frames())
        assert (capture.packets, capture.damaged) == (len(packets), None)
        assert quick == [p for p in everything.packets if wanted(p[3], p[4])]
        kept = {number for number, *_ in quick}
        assert not [n for n, speaks in enumerate(spoken, 1) if speaks and n not in kept]
    assert 0 < len(kept) < len(packets)
    assert any(spoken)


def sized(count: int, seed: int) -> list[bytes]:
    """Packets of many sizes, from empty ones to one longer than a window; most of them dull."""
    sizes = [0, 1, 60, 1514, 99, 9000, 64, 300_000]
    return [(ETHER + b"\x08\x00" + ip4(6, bytes([n & 255]) * 3000))[: sizes[n * seed % 8]] for n in range(count)]


@pytest.mark.parametrize("window", [1 << 6, 1000, 4096, 1 << 18])
@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_what_is_read_does_not_depend_on_the_window(
    reading: Callable[..., Read], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int, kind: str
) -> None:
    monkeypatch.setattr("replay.files.octets.WINDOW", window)
    monkeypatch.setattr("replay.files.octets.WINDOW_FIRST", min(window, WINDOW_FIRST))
    whole = [*sized(400, 3), bytes(300_000), *sized(400, 5), FRAME]
    if kind == "pcap":
        content = pcap(*(record(data, T0 + n * 1000) for n, data in enumerate(whole)), snaplen=400_000)
    else:
        content = NG + b"".join(enhanced(data, T0 // 1000 + n) for n, data in enumerate(whole))
    seen = reading(content)
    assert seen.octets == whole
    assert [p[1] for p in seen.packets] == [T0 + n * 1000 for n in range(len(whole))]
    with open_capture(str(tmp_path / "a.capture")) as capture:
        kept = list(capture.frames())
    assert kept == [p for p in seen.packets if wanted(p[3], p[4])]
    assert (capture.packets, capture.first, capture.last) == (len(whole), T0, T0 + (len(whole) - 1) * 1000)


@pytest.mark.parametrize("dull", [True, False])
@pytest.mark.parametrize("place", [1, 2, 3, 50, 98, 99])
def test_a_wrong_second_length_is_found_behind_dull_packets_too(
    reading: Callable[..., Read], tmp_path: Path, place: int, dull: bool
) -> None:
    data = ETHER + b"\x08\x00" + ip4(6 if dull else 17, ports(68, 67))
    blocks = [enhanced(data, T0 // 1000 + n) for n in range(100)]
    blocks[place] = enhanced(data, T0 // 1000 + place, again=4)
    seen = reading(NG + b"".join(blocks))
    assert seen.capture.packets == place
    assert seen.damaged == f"block {place + 3} at byte {len(NG) + place * len(blocks[0])}: its two lengths differ"
    with open_capture(str(tmp_path / "a.capture")) as capture:
        assert len(list(capture.frames())) == (0 if dull else place)
    facts = (seen.capture.packets, seen.damaged, T0, T0 + (place - 1) * 1000)
    assert (capture.packets, capture.damaged, capture.first, capture.last) == facts


# --- Several captures ------------------------------------------------------------------------------------------------


def many(tmp_path: Path, files: Sequence[Sequence[int]]) -> list[Capture]:
    captures = []
    for n, times in enumerate(files):
        path = tmp_path / f"{n}.pcap"
        path.write_bytes(pcap(*(record(FRAME + bytes([n]), at * SECOND) for at in times)))
        captures.append(open_capture(str(path)))
    return captures


def order_of(captures: list[Capture]) -> list[tuple[int, int]]:
    """(file, second) of each packet, as merged."""
    merged = [(captures.index(c), p[1] // SECOND) for c, p in merge(captures, None) if not isinstance(p, Custom)]
    for capture in captures:
        capture.close()
    return merged


def test_several_files_are_one_timeline_with_ties_in_argument_order(tmp_path: Path) -> None:
    captures = many(tmp_path, [[1, 5, 9], [], [2, 5, 5], [5, 20]])
    assert order_of(captures) == [(0, 1), (2, 2), (0, 5), (2, 5), (2, 5), (3, 5), (0, 9), (3, 20)]


def test_a_clock_set_back_leaves_a_file_s_own_order(tmp_path: Path) -> None:
    captures = many(tmp_path, [[10, 3, 4, 12], [1, 11]])
    assert order_of(captures) == [(1, 1), (0, 10), (0, 3), (0, 4), (1, 11), (0, 12)]


def test_merging_is_lazy_and_a_damaged_file_ends_alone(tmp_path: Path) -> None:
    captures = many(tmp_path, [[1, 2], [3, 4]])
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(pcap(record(FRAME, 2 * SECOND), record(FRAME, 3 * SECOND))[:-1])
    captures.append(open_capture(str(cut)))
    merged = merge(captures, None)
    next(merged)
    assert [capture.packets for capture in captures] == [1, 1, 1]
    assert len(list(merged)) == 4
    assert [capture.damaged is None for capture in captures] == [True, True, False]


# --- What we write ---------------------------------------------------------------------------------------------------

WRITTEN = st.lists(
    st.one_of(
        st.binary(max_size=40).map(Custom),
        st.tuples(
            st.integers(0, NEVER - 1),
            st.sampled_from(["eth0", "eth0#2", "if0", "ns:eth0.10.30"]),
            st.sampled_from([ETHERNET, NETLINK]),
            st.binary(max_size=80),
            st.integers(0, 50),
        ),
    ),
    max_size=20,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=WRITTEN)
def test_what_is_written_is_read_back(
    reading: Callable[..., Read], written: list[Custom | tuple[int, str, int, bytes, int]]
) -> None:
    file = io.BytesIO()
    writer = PcapngWriter(file)
    expected: list[Packet | Custom] = []
    number = 0
    for item in written:
        if isinstance(item, Custom):
            writer.custom(item.payload)
            expected.append(item)
        else:
            at, link, linktype, data, more = item
            number += 1
            original = len(data) + more if more else -1
            writer.packet(at, link, linktype, data, original, comment="ü" * (at % 3))
            expected.append((number, at, link, linktype, data, original))
    seen = reading(file.getvalue())
    assert seen.items == expected
    assert seen.damaged is None


def test_custom_blocks_are_given_only_where_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "export.pcapng"
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        writer.custom(b"{}")
        writer.packet(T0, "eth0", ETHERNET, FRAME)
        writer.custom(b"")
    assert read(path).items == [Custom(b"{}"), (1, T0, "eth0", 1, FRAME, -1), Custom(b"")]
    with open_capture(str(path)) as capture:
        assert list(capture) == [(1, T0, "eth0", 1, FRAME, -1)]
    first, second = open_capture(str(path)), open_capture(str(CAPTURES / "ra-vlan.pcapng"))
    merged = list(merge([second, first], customs=True))
    assert [item for capture, item in merged if isinstance(item, Custom)] == [Custom(b"{}"), Custom(b"")]
    assert merged[0] == (first, Custom(b"{}"))


def test_what_the_format_cannot_say_is_refused() -> None:
    writer = PcapngWriter(io.BytesIO())
    with pytest.raises(ValueError, match="before 1970"):
        writer.packet(-1, "eth0", ETHERNET, FRAME)
    with pytest.raises(ValueError, match="a reader takes"):
        writer.custom(bytes(16 << 20))


# --- Anything at all -------------------------------------------------------------------------------------------------

HEADS = [
    b"",
    GOOD[:24],
    pcap(order=">"),
    GOOD,
    section(),
    NG,
    section(">") + interface(order=">"),
    NG + enhanced(FRAME),
]


@pytest.mark.covers("evil:E76")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.sampled_from(HEADS), tail=st.binary(max_size=200), packed=st.booleans())
def test_no_octets_raise(reading: Callable[..., Read], head: bytes, tail: bytes, packed: bool) -> None:
    content = head + tail
    try:
        seen = reading(gzip.compress(content) if packed else content)
    except CaptureError:
        assert not head
        return
    assert len(seen.items) <= len(content) // 12


@pytest.mark.covers("evil:E76")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_octet_of_a_real_capture_raises(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(
        (CAPTURES / data.draw(st.sampled_from(["mif-container-one.pcap", "mif-container-one.pcapng"]))).read_bytes()
    )
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(
            st.sampled_from([0, 1, 3, 4, 0x7F, 0x80, 0xFF])
        )
    path = tmp_path / "changed"
    path.write_bytes(content)
    seen = read(path)
    with open_capture(str(path)) as quick:
        kept = list(quick.frames())
    assert kept == [packet for packet in seen.packets if wanted(packet[3], packet[4])]
    facts = [(c.packets, c.damaged, c.first, c.last, c.unreadable_linktypes) for c in (quick, seen.capture)]
    assert facts[0] == facts[1]


@pytest.mark.covers("evil:E76")
def test_a_section_of_very_many_interfaces_is_read_in_bounded_time(reading: Callable[..., Read]) -> None:
    one = interface(options=NAMED)
    content = section() + one * (INTERFACES_MAX + 1) + enhanced(FRAME)
    seen = reading(content)
    assert seen.capture.packets == 0
    assert seen.damaged is not None and "more than 65536 interfaces in one section" in seen.damaged
    # Each packet behind one more interface: what is known of them is not worked out anew.
    seen = reading(section() + b"".join(one + enhanced(FRAME, place=n) for n in range(3000)))
    assert seen.links[-1] == "eth0#3000"
