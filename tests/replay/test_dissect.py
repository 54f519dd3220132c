"""`pvdctl replay -V`: the packets of five captures, field by field, as tests/golden/dissect has them.

Law: PVD_REWRITE=1 writes the golden files anew; each was compared by eye with `tshark -V` when it was written.
"""

import os
import re
import struct
from pathlib import Path

import pytest

from adapters.ingest import translate
from events.frames import NETLINK, Frame, FrameRejected
from replay.cli import main
from replay.files.captures import open_capture
from replay.shown.dissect import lines
from tests.wire import hostile_netlink as netlink
from tests.wire import packets as p

TESTS = Path(__file__).resolve().parents[1]
GOLDEN = TESTS / "golden" / "dissect"
NAMES = ("dhcp4-decline", "pvd-r-flag-nested", "dhcp4-all-options", "dhcp6-stateless", "mif-container-one", "ra-pref64")


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_a_capture_is_printed_with_its_offset(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "-V", "-r", str(TESTS / "captures" / f"{name}.pcap")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("PVD_REWRITE"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(out)
    assert out == golden.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_an_option_stands_where_its_offset_says(name: str) -> None:
    """The type octet of each option of an ND message is the one printed, nested ones too."""
    seen = 0
    with open_capture(str(TESTS / "captures" / f"{name}.pcap")) as capture:
        for number, at, link, linktype, data, original in capture.frames():
            frame = Frame(at, link, linktype, data, original)
            text = list(lines(number, frame, translate(frame)))
            width = 2 if text and "dhcp6" in text[0] else 1
            for line in text:
                found = re.match(r" +(\d+)  \+\d+  .* \((\d+)\)$", line)
                if found:
                    seen += 1
                    place = int(found[1])
                    assert int.from_bytes(data[place : place + width], "big") == int(found[2]), line
    assert seen > 5


def test_netlink_messages_are_printed_with_their_attributes() -> None:
    octets = b"".join(
        (
            netlink.link(
                3, b"wan\x1b\0", netlink.attribute(4, netlink.u32(1400)) + netlink.attribute(0x3FFE, b"x" * 9)
            ),
            netlink.address(),
            netlink.rule(netlink.attribute(6, netlink.u32(1000))),
            netlink.user_option(),
            netlink.message(9999, b"\xff" * 7),
        )
    )
    frame = p.frame(struct.pack("!HH10xH", 4, 824, 0) + octets, NETLINK, link="nl")
    events = translate(frame)
    text = "\n".join(lines(7, frame, events))
    golden = GOLDEN / "netlink.txt"
    if os.environ.get("PVD_REWRITE"):
        golden.write_text(text + "\n")
    assert text + "\n" == golden.read_text()
    assert text.isprintable() or "\x1b" not in text
    for line in text.splitlines():  # a message's type, and an attribute's, stand where the line says
        found = re.match(r" +(\d+)  \+\d+  (\S+) \((\d+)\)", line)
        if found and found[2] != "captive-portal" and not found[2].startswith("ignored"):
            skip = 4 if found[2].startswith(("RTM_", "message")) else 2
            place = int(found[1]) + skip
            assert int.from_bytes(frame.data[place : place + 2], "little") == int(found[3]), line


def test_a_netlink_frame_that_is_cut_is_rejected_in_one_line() -> None:
    frame = p.frame(struct.pack("!HH10xH", 4, 824, 0) + netlink.link()[:20], NETLINK, link="nl")
    title, why = lines(1, frame, translate(frame))
    assert title.endswith("frame-rejected netlink")
    assert "netlink-length" in why


def test_a_rejected_packet_has_its_rule_offset_and_sentence() -> None:
    frame = p.ra(bytes((5, 0, 0, 0, 0, 0, 5, 0xDC)))
    (event,) = translate(frame)
    assert isinstance(event, FrameRejected)
    title, why = lines(3, frame, (event,))
    assert title.startswith("3  ") and title.endswith("frame-rejected ra from fe80::1")
    assert why.split(None, 2) == ["71", "rejected:", f"option-length-zero: {event.detail}"]
    assert event.offset == 71


def test_nothing_from_the_wire_reaches_the_terminal_as_it_is() -> None:
    hostile = p.pvd(b"\x05\x1b[31m\x00", p.option(200, b"\x1b]0;owned\x07"))
    frame = p.ra(hostile)
    text = "\n".join(lines(1, frame, translate(frame)))
    assert "027" in text and "1b5d30" in text
    assert re.fullmatch(r"[\n\x20-\x7e]*", text)


def test_dnr_in_all_its_fields() -> None:
    frame = p.ra(p.A9_DNR)
    text = [line.strip() for line in lines(1, frame, translate(frame))]
    assert "70  +80  encrypted-dns (144)" in text
    assert "72  priority 1" in text and "74  lifetime 1800 s" in text and "80  adn dns.example.net." in text
    assert "params alpn=h2, dohpath=/dns-query{?dns}" in text


@pytest.mark.parametrize("word", ["--json", "--jsonl", "--separate", "--at=now", "--host=x", "--journal=x"])
def test_what_a_fold_would_need_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "-V", word, "-r", str(TESTS / "captures" / "ra-pref64.pcap")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "-V prints packets" in err and "leave out" in err
