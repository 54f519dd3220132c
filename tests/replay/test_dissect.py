"""`pvdctl replay -V`: the packets of five captures, field by field, as tests/golden/dissect has them.

Law: PVD_REWRITE=1 writes the golden files anew; each was compared by eye with `tshark -V` when it was written.
"""

import os
import re
from pathlib import Path

import pytest

from adapters.ingest import translate
from events.frames import Frame, FrameRejected
from replay.captures import open_capture
from replay.cli import main
from replay.dissect import lines
from tests.wire import packets as p

TESTS = Path(__file__).resolve().parents[1]
GOLDEN = TESTS / "golden" / "dissect"
NAMES = ("pvd-r-flag-nested", "dhcp4-all-options", "dhcp6-stateless", "mif-container-one", "ra-pref64")


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
