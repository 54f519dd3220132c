"""What people and programs are told of a VPN: its tunnel, what is excluded, and what changed."""

from __future__ import annotations

import json

import msgspec

import replay.shown.report as report
import replay.shown.text as text
from events.codec import encode
from events.vpn import VpnEnded
from replay.files.anonymize import Anonymizer
from replay.shown.tables import Printer
from tests.core.test_vpns import CORP, UP, told, tun
from tests.sim.build import Story


def printed(story: Story) -> list[str]:
    lines: list[str] = []
    text.status(Printer(lines.append, colour=False, legend=True), report.state_document(story.state), utc=True)
    return [" ".join(line.split()) for line in "".join(lines).split("\n")]


def changes(story: Story) -> str:
    lines: list[str] = []
    rows = [report.change_row(one) for one in story.history(CORP)]
    text.history(Printer(lines.append, colour=False, legend=False), rows, lambda seq: 0, True, dated=True)
    return "".join(lines)


def test_the_status_says_where_the_tunnel_leads_and_what_does_not_go_through_it() -> None:
    lines = printed(told(tun(), UP))
    for wanted in (
        "tunnel tun0 openvpn, split, next hop 10.8.0.1, server 198.51.100.1",
        "excluded 192.0.2.128/25 not through the tunnel",
        "split dns intra.example.",
        "address 10.8.0.2/24 vpn never",
        "route 192.0.2.0/24 via 10.8.0.1, medium never",
    ):
        assert any(line.startswith(wanted) for line in lines), (wanted, lines)


def test_the_document_has_it_as_one_object_and_other_pvds_have_none() -> None:
    story = told(tun(), UP).leases4()
    found = json.loads(report.to_json(report.state_document(story.state)))
    said = {one["id"]: one["instances"][0]["vpn"] for one in found["pvds"]}
    assert said.pop("if:e0/1") is None
    assert said == {
        CORP: {
            "client": "openvpn",
            "device": "tun0",
            "full": False,
            "gateway": "10.8.0.1",
            "remote": "198.51.100.1",
            "split_dns": ["intra.example."],
            "excluded": ["192.0.2.128/25"],
            "because": 5,
        }
    }


def test_history_says_what_a_reconnect_changed_and_why_it_ended() -> None:
    elsewhere = msgspec.structs.replace(UP, remote="198.51.100.2")
    lines = changes(told(tun(), UP, elsewhere, VpnEnded(vpn="corp", device="tun0", reason="sigterm")))
    assert "remote 198.51.100.1 -> 198.51.100.2" in lines
    assert "connected" in lines and "disconnected" in lines


def test_an_anonymized_tunnel_names_nobody() -> None:
    made = Anonymizer(b"k").event(UP)
    assert made is not None
    for secret in ("198.51.100.1", "10.8.0.2", "192.0.2.", "corp.example", "intra"):
        assert secret in encode(UP).decode() and secret not in made.decode()
