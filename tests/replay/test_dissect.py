"""`pvdctl replay -V`: the packets of five captures, field by field, as tests/golden/dissect has them.

Law: PVD_REWRITE=1 writes the golden files anew; each was compared by eye with `tshark -V` when it was written.
"""

import os
import re
import struct
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.ingest import translate
from events.frames import NETLINK, Frame, FrameRejected
from replay.cli import main
from replay.files.captures import open_capture
from replay.shown.dissect import lines
from tests.fuzz.targets import frame4, frame6
from tests.wire import dhcp_octets as dhcp
from tests.wire import hostile_netlink as netlink
from tests.wire import packets as p
from tests.wire import strategies as draws
from tests.wire.hostile import HOSTILE
from tests.wire.hostile_dhcp import DHCP4, DHCP6

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
                3,
                b"wan\x1b\0",
                netlink.attribute(4, netlink.u32(1400))
                + netlink.attribute(0x3FFE, b"x" * 9)
                + netlink.attribute(18, netlink.attribute(1, b"veth\0")),
            ),
            netlink.route(netlink.attribute(9, netlink.hop(3, "fe80::1") + netlink.hop(4, "fe80::2"))),
            netlink.prefix(netlink.attribute(1, p.ip6("2001:db8::"))),
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
    text = "\n".join(lines(1, frame, translate(frame)))
    assert text.endswith(
        """
     70  +80  encrypted-dns (144)
        72  priority 1
        74  lifetime 1800 s
        80  adn dns.example.net.
        99  address 2001:db8::53
       117  param alpn=h2
       124  param dohpath=/dns-query{?dns}"""
    )


def test_dnr_over_dhcp4_joined_from_pieces_in_three_fields() -> None:
    """Each octet of the joined option is shown where it stands: RFC 3396 lets the pieces fall anywhere."""
    body = dhcp.u16(1) + dhcp.u8(17) + dhcp.name("dns.example.net") + dhcp.u8(8)
    body += dhcp.ip("192.0.2.53") + dhcp.ip("192.0.2.54") + bytes.fromhex("0001000403646f74")
    content = dhcp.u16(len(body)) + body
    frame = frame4(
        dhcp.ack(
            dhcp.o4(52, b"\3"),
            dhcp.o4(162, content[:23]),  # up to the length of the addresses
            file=dhcp.o4(162, content[23:27]) + b"\xff",
            sname=dhcp.o4(162, content[27:]) + b"\xff",
        )
    )
    text = [line.split(None, 1) for line in lines(1, frame, translate(frame))]
    at = {what: int(place) for place, what in text[1:]}
    start = at["+25  encrypted-dns (162)"]
    assert at["priority 1"] == start + 4
    assert at["adn dns.example.net."] == start + 7
    file, sname = 42 + 108, 42 + 44
    assert at["address 192.0.2.53"] == file + 2
    assert at["address 192.0.2.54"] == sname + 2
    assert at["param alpn=dot"] == sname + 2 + 4


def places(frame: Frame) -> list[tuple[int | None, str]]:
    """(offset, text) of each line but the titles."""
    found: list[tuple[int | None, str]] = []
    for line in lines(1, frame, translate(frame)):
        match = re.match(r" +(?:(\d+)  )?(.*)$", line)
        if line.startswith(" ") and match:
            found.append((int(match[1]) if match[1] else None, match[2]))
    return found


def test_a_first_piece_without_content_has_no_octet_of_the_joined_option() -> None:
    """Found by fuzzing."""
    frame = frame4(dhcp.ack(dhcp.o4(250), dhcp.o4(3, dhcp.ip("192.0.2.1")), dhcp.o4(250, b"ab")))
    text = [line.strip() for line in lines(1, frame, translate(frame))]
    start = 42 + 240 + len(dhcp.ACK_BASE)
    assert f"{start}  +2  unknown (250)" in text
    assert f"{start + 2 + 6 + 2}  data 6162" in text


MAC = re.compile(r"(mac )?[0-9a-f]{2}(:[0-9a-f]{2}){5}")
WITHOUT_A_PLACE = re.compile(r'reason |.* \(empty\)$|.* ""$|note: ')


def misplaced(frame: Frame) -> list[str]:
    """What a line says otherwise than the octets at its offset, or without an offset though octets say it."""
    data, wrong = frame.data, []
    for at, text in places(frame):
        word, _, value = text.partition(" ")
        if at is None:
            if not WITHOUT_A_PLACE.match(text):
                wrong.append(f"{text}: no offset")
        elif not 0 <= at <= len(data):
            wrong.append(f"{at} {text}: past the frame")
        elif word in ("address", "source", "destination", "target", "ciaddr", "yiaddr") and not MAC.fullmatch(value):
            octets = ip_address(value).packed
            octets = octets[:2] if len(octets) == 4 else octets  # RFC 3396 may have cut the rest off
            if data[at : at + len(octets)] != octets:
                wrong.append(f"{at} {text}: {data[at : at + len(octets)].hex()} stands there")
        elif word in ("adn", "name") and re.match(r"[a-z0-9-]+\.", value):
            label = value.split(".")[0].encode()
            if data[at : at + 1 + len(label)].lower() != bytes((len(label),)) + label and data[at] < 0xC0:
                wrong.append(f"{at} {text}: {data[at : at + 1 + len(label)].hex()} stands there")
        elif word == "param":
            key = {"mandatory": 0, "alpn": 1, "no-default-alpn": 2, "port": 3, "ech": 5, "dohpath": 7}
            name = value.split("=")[0]
            if int.from_bytes(data[at : at + 2], "big") != key.get(name, -1) and not name.startswith("key"):
                wrong.append(f"{at} {text}: {data[at : at + 2].hex()} stands there")
        elif MAC.fullmatch(value):
            octets = bytes.fromhex(value.removeprefix("mac ").replace(":", ""))
            if data[at : at + len(octets)] != octets:
                wrong.append(f"{at} {text}: {data[at : at + len(octets)].hex()} stands there")
        elif word == "data" and re.fullmatch("[0-9a-f]{2,}", value):
            if not data[at:].startswith(bytes.fromhex(value)[:4]):
                wrong.append(f"{at} {text}: {data[at : at + 4].hex()} stands there")
    return wrong


MOST = 60000  # octets of a payload that UDP can carry
DHCP_FRAMES = [
    carried(row[2]) for carried, table in ((frame4, DHCP4), (frame6, DHCP6)) for row in table if len(row[2]) < MOST
]


def test_every_line_of_every_hostile_message_stands_where_it_says() -> None:
    for frame in (*(case.frame for case in HOSTILE), *DHCP_FRAMES):
        assert misplaced(frame) == [], frame.data.hex()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        st.one_of(draws.ra_options, draws.nearly(draws.ra_options)).map(p.ra),
        st.one_of(draws.dhcp4_messages(), draws.nearly(draws.dhcp4_messages())).map(frame4),
        st.one_of(draws.dhcp6_messages(), draws.nearly(draws.dhcp6_messages())).map(frame6),
        st.one_of(draws.dhcp4_dnr, draws.nearly(draws.dhcp4_dnr)).map(draws.one_dns_4).map(frame4),
        st.one_of(draws.dhcp6_dnr, draws.nearly(draws.dhcp6_dnr)).map(draws.one_dns_6).map(frame6),
    )
)
def test_every_line_of_drawn_messages_stands_where_it_says(frame: Frame) -> None:
    assert misplaced(frame) == []


@pytest.mark.parametrize("word", ["--json", "--jsonl", "--separate", "--at=now", "--host=x", "--journal=x"])
def test_what_a_fold_would_need_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "-V", word, "-r", str(TESTS / "captures" / "ra-pref64.pcap")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "-V prints packets" in err and "leave out" in err
