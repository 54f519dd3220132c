"""An anonymized export: the same story, told with other addresses, MACs and names.

Law: what is counted here is counted in the State; that nothing leaks is looked for in the octets of the file.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import replay.cli as cli
from adapters.ingest import translate
from events.dhcp import Dhcp4MessageSeen
from events.frames import Frame
from pvdcore.past import audit
from pvdcore.state import State
from replay.files.anonymize import Anonymizer
from replay.files.captures import Custom, open_capture
from replay.rerun import rerun

CAPTURES = Path(__file__).parent.parent / "captures"
MAPS = Anonymizer(b"x")


def state(path: Path) -> tuple[State, int]:
    made = rerun([str(path)])
    return audit.state_at(made.journal), sum(one.rejected for one in made.captures)


def shape(found: State) -> list[tuple[object, ...]]:
    """What stays of each PvD: its kind is in its id, which does not."""
    return sorted(
        (
            pvd.partition(":")[0],
            (one.kind, one.source, one.phase, one.versions, one.http, one.sequence or 0),
            sorted(
                (cell[0], cell[1], each.version, str(each.phase), sorted(item[0] for item in each.content))
                for cell, each in one.instances
            ),
        )
        for pvd, one in found.pvds.items()
    )


def frames(path: Path) -> list[bytes]:
    with open_capture(str(path), link=None) as capture:
        return [item[4] for item in capture.items() if not isinstance(item, Custom)]


CUT = ("conv-snap130-inside-pvd.pcap", "ra-snaplen-96.pcap")  # cut RAs are rejected: nobody can walk them
FILES = sorted(path for path in CAPTURES.glob("*.pcap*") if path.name not in CUT)


@pytest.mark.parametrize("name", CUT)
def test_a_frame_that_cannot_be_walked_is_left_out_and_said_to_be(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, journal, out = CAPTURES / name, str(tmp_path / "j.db"), tmp_path / "a.pcapng"
    _, rejected = state(path)
    assert rejected
    cli.main(["replay", "-r", str(path), "--journal", journal])
    assert cli.main(["export", "--journal", journal, "--anonymize", "--key", "x", "-w", str(out)]) == 0
    assert "left out" in capfd.readouterr().err
    assert state(out)[1] == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_story_stays(path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before, rejected = state(path)
    assert not rejected
    journal, first, second = str(tmp_path / "j.db"), tmp_path / "a.pcapng", tmp_path / "b.pcapng"
    cli.main(["replay", "-r", str(path), "--journal", journal])
    for out in (first, second):
        assert cli.main(["export", "--journal", journal, "--anonymize", "--key", "x", "-w", str(out)]) == 0
    assert "left out" not in capfd.readouterr().err
    assert first.read_bytes() == second.read_bytes()
    after, _ = state(first)
    assert shape(after) == shape(before)

    octets = b"".join(frames(first))
    whole = first.read_bytes().lower()
    for label in (b"provider", b"example"):
        assert label not in whole
    for data in frames(path):
        for event in translate(Frame(0, "if0", 1, data)):
            mac = getattr(event, "mac", "")
            if mac:
                assert bytes.fromhex(mac.replace(":", "")) not in octets
                assert mac.encode() not in whole
            for text in addresses(event):
                assert ip_address(text).packed not in octets


def addresses(event: object) -> set[str]:
    """Global addresses, long enough that they can't be there by chance."""
    found = set()
    for text in re.findall(r"'([0-9a-f:]+)(?:/\d+)?'", repr(event)):
        try:
            address = ip_address(text)
        except ValueError:
            continue
        if not address.is_multicast and not address.is_link_local and address.packed[8:] != bytes(8):
            found.add(text)
    return found - {"::", "::1"}


@given(st.binary(min_size=16, max_size=16), st.integers(1, 64), st.binary(min_size=16, max_size=16))
def test_ipv6_containment(inside: bytes, length: int, key: bytes) -> None:
    maps = Anonymizer(key)
    whole = ip_network((inside, length), strict=False).network_address.packed
    if inside[0] == 0xFF or inside[:8] == bytes(8) or inside[0] == 0xFE or inside[:4] == b"\0\x64\xff\x9b":
        return  # the kept ones
    if whole[0] == 0 or whole[0] in (0xFE, 0xFF) or length < 32:
        return
    prefix = ip_network((maps.prefix(whole, length), length))
    assert ip_address(maps.ipv6(inside)) in prefix


@given(st.binary(min_size=4, max_size=4), st.integers(8, 32), st.binary(min_size=16, max_size=16))
def test_ipv4_containment(inside: bytes, length: int, key: bytes) -> None:
    maps = Anonymizer(key)
    if (inside[0] == 169 and length < 16) or inside == b"\xff\xff\xff\xff":
        return  # 169.254/16 stays a link's own
    whole = ip_network((inside, length), strict=False).network_address.packed
    mapped = ip_address(maps.ipv4(inside)), ip_network((maps.prefix(whole, length), length))
    assert mapped[0] in mapped[1]


@given(st.lists(st.binary(min_size=4, max_size=4), min_size=2, max_size=2, unique=True))
def test_addresses_that_differ_stay_different(pair: list[bytes]) -> None:
    if any(one[0] in (0, 10, 127) or one[0] >= 224 for one in pair) or pair[0][0] != pair[1][0]:
        return
    assert MAPS.ipv4(pair[0]) != MAPS.ipv4(pair[1])


def test_what_belongs_together_stays_together() -> None:
    address = ip_address("2001:db8:1:2:a8bb:ccff:fedd:eeff").packed
    group = ip_address("ff02::1:ffdd:eeff").packed
    assert MAPS.ipv6(address)[13:] == MAPS.ipv6(group)[13:] == MAPS.mac(bytes.fromhex("3333ffddeeff"))[3:]
    assert MAPS.mac(bytes.fromhex("aabbccddeeff"))[0] == 2
    assert MAPS.label(b"Provider") == MAPS.label(b"provider") != Anonymizer(b"y").label(b"provider")
    assert len({MAPS.label(bytes((one,))) for one in b"abcdefghijklmnopqrstuvwxyz0123456789"}) == 36
    assert MAPS.string("if0 fe80::1 2001:db8:1::/48").startswith("if0 fe80::")


def test_a_lease_still_matches() -> None:
    said: dict[str, set[str]] = {"OFFER": set(), "ACK": set()}
    for data in frames(CAPTURES / "dhcp4-dora-renew-release.pcap"):
        frame = Frame(0, "if0", 1, data)
        if not any(isinstance(one, Dhcp4MessageSeen) for one in translate(frame)):
            continue
        mapped = MAPS.frame(frame)
        assert mapped is not None
        (event,) = translate(Frame(0, "if0", 1, mapped))
        assert isinstance(event, Dhcp4MessageSeen)
        assert not event.notes or all(note.code != "udp-checksum" for note in event.notes)
        if event.message in said:
            said[event.message].add(f"{event.yiaddr} {event.chaddr}")
    assert said["OFFER"] & said["ACK"]


def test_grammar(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(CAPTURES / "ra-single-router.pcap")
    assert cli.main(["export", "-r", path, "--key", "x"]) == 2
    assert cli.main(["export", "-r", path, "--anonymize", "--format", "jsonl"]) == 2
    assert "--anonymize" in capsys.readouterr().err
