"""pvdctl as people and scripts meet it: from captures and journals to words, JSON and exit codes."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

import replay.cli as cli
import replay.completion as completion
from replay.commands import COMMANDS
from replay.files.captures import PcapngWriter
from replay.shown.report import DOCUMENTS

ROOT = Path(__file__).resolve().parent.parent.parent
CAPTURES = ROOT / "tests" / "captures"
NETWORKD = str(CAPTURES / "client-systemd-networkd.pcap")
PLAIN = str(CAPTURES / "pvd-explicit-one-router.pcap")
NESTED = str(CAPTURES / "pvd-r-flag-nested.pcap")
TWO = str(CAPTURES / "ra-two-routers.pcap")
STOP = str(CAPTURES / "ra-router-stop.pcap")
CUT = str(CAPTURES / "conv-cut-midrecord.pcap")
HOST = "ffbcbd4b8c00020000ab110033bdebf95e192c"  # option 61 of the client in NETWORKD

Ctl = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ctl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ctl:
    """Run pvdctl in this process: (exit code, standard output, standard error)."""
    for name in ("PVD_JOURNAL", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def document(ctl: Ctl) -> Callable[..., Any]:
    """Run pvdctl with --json, which must go well: the document."""

    def run(*words: str) -> Any:
        code, out, err = ctl(*words, "--json")
        assert (code, err) == (0, ""), err
        return json.loads(out)

    return run


@pytest.fixture
def journal(ctl: Ctl, tmp_path: Path) -> str:
    path = str(tmp_path / "j.db")
    assert ctl("replay", "-r", NETWORKD, "--journal", path)[0] == 0
    return path


def refused(ctl: Ctl, *words: str) -> tuple[int, str]:
    """Run what is an operator's mistake: its exit code and its one line."""
    code, out, err = ctl(*words)
    assert out == "" and err.startswith("pvdctl: ") and err.count("\n") == 1, (out, err)
    assert "Traceback" not in err
    return code, err


# --- a capture in, PvDs out ----------------------------------------------------------------------------------


@pytest.mark.covers("feat:P1", "feat:Q2")
def test_replay_gives_the_pvd_whose_embedded_header_wins(document: Callable[..., Any]) -> None:
    found = document("replay", "-r", NESTED)
    assert list(found) == ["schema_version", "captures", "state"]
    (capture,) = found["captures"]
    assert capture["file"] == NESTED and capture["damaged"] is None and capture["packets"] > capture["frames"] > 0
    (pvd,) = found["state"]["pvds"]
    assert (pvd["id"], pvd["kind"], pvd["source"]) == ("fqdn:provider-a.example.", "explicit", "ra")
    (cell,) = pvd["instances"]
    assert [router["lifetime_s"] for router in cell["routers"]] == [600]
    assert [one["prefix"] for one in cell["prefixes"]] == ["2001:db8:a1::/64"]
    assert [one["destination"] for one in cell["routes"]] == ["2001:db8:a1a1::/48"]
    assert [one["address"] for one in cell["dns"]] == ["2001:db8:a1::53"]
    assert [one["name"] for one in cell["search"]] == ["inner.a.example."]
    assert cell["mtu"]["mtu"] == 1400


@pytest.mark.covers("feat:Q1", "feat:M1", "feat:B3")
def test_list_is_a_line_a_pvd_and_their_data_never_mix(ctl: Ctl, document: Callable[..., Any]) -> None:
    code, out, err = ctl("list", "-r", TWO)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].split() == ["PVD", "PHASE", "KIND", "LINK", "PREFIX", "ADDRESS", "DNS", "VERSIONS", "AGE"]
    assert lines[1].startswith("ra:if0/1/fe80::ff:fe00:101  announced  implicit/ra  if0   2001:db8:a::/64  -")
    assert lines[2].startswith("ra:if0/1/fe80::ff:fe00:201  announced  implicit/ra  if0   2001:db8:b::/64  -")
    assert "2001:db8:b::" not in lines[1] and "2001:db8:a::" not in lines[2]
    assert lines[3] == "2 PvDs"
    bare = ctl("list", "-r", TWO, "--no-legend")[1].splitlines()
    assert [line.split() for line in bare] == [line.split() for line in lines[1:3]]
    assert [one["id"] for one in document("list", "-r", TWO)["pvds"]] == [line.split()[0] for line in bare]


@pytest.mark.covers("feat:O1")
def test_what_is_gone_is_kept_and_shown_on_request(ctl: Ctl, document: Callable[..., Any]) -> None:
    code, out, _ = ctl("list", "-r", NETWORKD)
    assert code == 0 and "if:if0/1" not in out and out.endswith("2 PvDs, 1 gone (--all shows them)\n")
    ended = {one["id"]: one for one in document("list", "--all", "-r", NETWORKD)["pvds"]}["if:if0/1"]
    assert (ended["phase"], ended["instances"]) == ("gone", []) and ended["ended"] is not None
    assert "if:if0/1" not in {one["id"] for one in document("list", "-r", NETWORKD)["pvds"]}
    assert "if:if0/1" in {one["id"] for one in document("replay", "-r", NETWORKD)["state"]["pvds"]}
    assert document("status", "if:", "-r", NETWORKD)["pvds"] == [ended]


def test_replay_prints_what_was_read_what_there_is_and_what_happened(ctl: Ctl) -> None:
    code, out, err = ctl("replay", "-r", NETWORKD, "--utc")
    assert (code, err) == (0, "")
    titles = [line for line in out.splitlines() if line.isupper() and " " not in line]
    assert titles == ["CAPTURES", "PVDS", "HISTORY", "FINDINGS"]
    assert re.search(r"^dhcp6-unanswered +warning +if0 ", out, re.M), "networkd asked five times, nobody answered"
    assert out.endswith("pvdctl explain dhcp4-client-request-order\n")
    assert re.search(r"20:02:30\.242 .*announced -> gone, -address 198\.51\.100\.100/24 .*released because 29", out)
    assert out == ctl("replay", "-r", NETWORKD, "--utc")[1], "the same input prints the same"


@pytest.mark.covers("feat:P3")
def test_history_has_what_changed_and_the_packet(ctl: Ctl, document: Callable[..., Any]) -> None:
    rows = document("history", "-r", STOP)["history"]
    assert [(one["version"], one["cause"], one["phase_before"]) for one in rows] == [
        (1, "announced", ""),
        (1, "announced", ""),
        (2, "withdrawn", "announced"),
        (2, "withdrawn", "announced"),
    ]
    assert {"kind": "router", "address": "fe80::ff:fe00:201", "preference": "low"} in rows[0]["added"]
    assert not any(one["kind"] == "prefix" for one in rows[2]["removed"]), "a router that stops withdraws no prefix"
    _, out, _ = ctl("history", "-r", STOP, "--utc", "--no-legend")
    assert re.match(r"19:20:58\.991  ra:if0/1/fe80::ff:fe00:201  v1  new, .*  announced because 5 \(packet 7\)\n", out)
    newest = document("history", "-r", STOP, "-R", "-n", "1")["history"]
    assert newest == rows[-1:]
    assert document("history", "ra:if0/1/fe80::ff:fe00:1", "-r", STOP)["history"] == [rows[1], rows[2]]
    assert document("history", "-r", STOP, "-S", "-1s")["history"] == rows[2:]
    assert document("history", "-r", STOP, "-U", "seq:9")["history"] == rows[:2]
    assert document("history", "-r", STOP, "--at", "2026-11-23T19:21:03Z")["history"] == rows[:2]


@pytest.mark.covers("feat:O4")
def test_why_leads_to_the_record_the_packet_and_the_octets(ctl: Ctl, document: Callable[..., Any]) -> None:
    found = document("why", "2001:db8:a1::/64", "-r", NESTED)
    (answer,) = found["answers"]
    assert (answer["pvd"], answer["item"]["kind"], answer["ended"]) == ("fqdn:provider-a.example.", "prefix", None)
    because = answer["because"]
    assert because["file"] == "pvd-r-flag-nested.pcap" and because["packet"] > answer["since"]["packet"] == 6
    assert (because["option"]["type"], because["option"]["length"]) == (3, 32)
    assert because["option"]["data"].startswith("0304") and because["option"]["data"].endswith(
        "20010db800a1" + "00" * 10
    )
    _, out, _ = ctl("why", "2001:db8:a1::/64", "-r", NESTED)
    assert f"packet {because['packet']} of pvd-r-flag-nested.pcap" in out and "20 01 0d b8 00 a1" in out


@pytest.mark.covers("feat:O4")
def test_why_of_what_ended_says_what_ended_it(document: Callable[..., Any]) -> None:
    answers = document("why", "198.51.100.53", "-r", NETWORKD)["answers"]
    assert [(one["pvd"], one["ended"]["cause"]) for one in answers] == [
        ("if:if0/1", "moved"),
        ("ra:if0/1/fe80::ff:fe00:201", "released"),
    ]
    assert answers[1]["host"] == HOST and answers[1]["ended"]["because"] == 29
    (then,) = document("why", "198.51.100.53", "-r", NETWORKD, "--at", "2026-11-23T20:02:20Z")["answers"]
    assert then["ended"] is None, "at that time it was held"


@pytest.mark.covers("feat:O3")
def test_the_past_can_be_asked_by_time_and_by_record(document: Callable[..., Any]) -> None:
    def ids(*words: str) -> list[str]:
        return [one["id"] for one in document("list", "-r", NETWORKD, *words)["pvds"]]

    assert ids("--at", "2026-11-23T20:02:12.4Z") == ["if:if0/1"]
    assert ids("--at", "-18s") == ids("--at=-18s") == ids("--at", "now-18s")
    assert ids("--at", "seq:6") == ["if:if0/1"] != ids("--at", "seq:7")
    assert ids("--at", "2020-01-01") == []
    assert ids("--at", "+1d") == [], "and what will have lapsed by then"


@pytest.mark.covers("feat:P3")
def test_diff_of_two_times_and_of_two_captures(ctl: Ctl, document: Callable[..., Any]) -> None:
    code, out, _ = ctl("diff", "-3s", "now", "-r", NETWORKD, "--json")
    assert code == 4
    (row,) = json.loads(out)["pvds"]
    assert (row["pvd"], row["host"], row["ended"]) == ("ra:if0/1/fe80::ff:fe00:201", HOST, True)
    assert {"kind": "dns", "address": "198.51.100.53"} in row["removed"] and row["added"] == []
    assert document("diff", "-1s", "-1s", "-r", NETWORKD)["pvds"] == []
    code, out, _ = ctl("diff", TWO, STOP)
    assert code == 4 and "  - router fe80::ff:fe00:101 (high)\n" in out
    assert ctl("diff", TWO, TWO)[:2] == (0, "no difference\n")


def test_links_and_the_tables_that_only_a_live_host_fills(ctl: Ctl, document: Callable[..., Any]) -> None:
    (link,) = document("links", "-r", f"lan={TWO}")["links"]
    assert (link["link"], link["epoch"], len(link["pvds"])) == ("lan", 1, 2)
    assert document("settings", "-r", TWO)["settings"] == document("connections", "-r", TWO)["connections"] == []
    assert ctl("links", "-r", TWO)[1].splitlines()[1].split()[:4] == ["if0", "capture", "attached", "1"]


def test_one_hosts_view(ctl: Ctl, document: Callable[..., Any]) -> None:
    found = document("list", "-r", NETWORKD, "--at", "2026-11-23T20:02:20Z", "--host", HOST)["pvds"]
    assert [(one["id"], [cell["host"] for cell in one["instances"]]) for one in found] == [
        ("ra:if0/1/fe80::ff:fe00:201", [HOST])
    ]
    code, line = refused(ctl, "list", "-r", NETWORKD, "--host", "nobody")
    assert code == 10 and HOST in line


def test_plan_is_what_a_projection_would_write(ctl: Ctl, document: Callable[..., Any]) -> None:
    found = document("plan", "-r", NETWORKD, "--host", "02:00:00:00:04:01", "--iid", "eui64")
    ops = [(one["pvd"], one["op"]["type"], one["because"]) for one in found["ops"]]
    assert ops[0] == ("fqdn:provider-a.example.", "netns-add", None)
    addresses = [one["op"]["address"] for one in found["ops"] if one["op"]["type"] == "address-add"]
    assert addresses == ["2001:db8:a::ff:fe00:401/64", "2001:db8:b::ff:fe00:401/64"], "the lease was released"
    assert all(because for _, kind, because in ops if kind in ("address-add", "route-add"))
    assert "route add ::/0 via fe80::ff:fe00:101" in ctl("plan", "-r", NETWORKD)[1]
    assert refused(ctl, "plan", "-r", NETWORKD, "--iid", "eui64")[0] == 2


@pytest.mark.covers("feat:L5")
def test_plan_for_tables_is_tables_rules_and_addresses(ctl: Ctl, document: Callable[..., Any]) -> None:
    words = ("plan", "-r", NETWORKD, "--host", "02:00:00:00:04:01", "--iid", "eui64", "--projection", "tables")
    found = document(*words)
    assert found["projection"] == "tables"
    ops = [one["op"] for one in found["ops"]]
    assert {one["type"] for one in ops} == {"route-add", "rule-add", "address-add"} and {
        one["netns"] for one in ops
    } == {""}
    rules = {one["source"]: one["table"] for one in ops if one["type"] == "rule-add"}
    assert set(rules) == {"2001:db8:a::ff:fe00:401/128", "2001:db8:b::ff:fe00:401/128"}
    ends = {one["table"] for one in ops if one.get("kind") == "unreachable"}
    assert ends == set(rules.values()) and len(ends) == 2
    assert all(one["because"] for one in found["ops"] if one["op"].get("kind") != "unreachable")
    said = ctl(*words)[1]
    assert "[first] rule add priority 17000 source 2001:db8:a::ff:fe00:401/128" in said


# --- the ways a capture comes --------------------------------------------------------------------------------


def test_a_capture_from_standard_input(ctl: Ctl, document: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    before = document("list", "-r", TWO)
    packed = gzip.compress(Path(TWO).read_bytes())
    read, write = os.pipe()
    os.write(write, packed)
    os.close(write)
    with os.fdopen(read) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        code, out, err = ctl("list", "-r", "-", "--json")
    assert (code, err) == (0, "") and json.loads(out) == before


@pytest.mark.covers("evil:E76")
def test_damaged_input_is_answered_and_said(ctl: Ctl) -> None:
    code, out, err = ctl("list", "-r", CUT, "--json")
    assert code == 5 and json.loads(out)["pvds"], "what could be read is answered"
    assert err.count("\n") == 1 and "is damaged: cut at byte" in err
    code, out, _ = ctl("replay", "-r", CUT, "--json")
    assert code == 5 and "cut at byte" in json.loads(out)["captures"][0]["damaged"]
    assert ctl("diff", "seq:1", "now", "-r", CUT)[0] == 4, "a difference is the more telling answer"


def test_several_captures_are_one_timeline_or_each_its_own(ctl: Ctl, document: Callable[..., Any]) -> None:
    together = document("replay", "-r", TWO, "-r", f"wan={NESTED}")
    assert len(together["captures"]) == 2 and len(together["state"]["links"]) == 2
    assert len(together["state"]["pvds"]) == 3
    apart = document("replay", "-r", TWO, "-r", NESTED, "--separate")["replays"]
    assert apart == [document("replay", "-r", TWO), document("replay", "-r", NESTED)]
    lines = ctl("replay", "-r", TWO, "-r", NESTED, "--separate", "--jsonl")[1].splitlines()
    assert [json.loads(line) for line in lines] == apart


def test_policy_from_a_file_and_from_the_command(ctl: Ctl, document: Callable[..., Any], tmp_path: Path) -> None:
    def ids(*words: str) -> list[str]:
        return [one["id"] for one in document("list", "-r", PLAIN, *words)["pvds"]]

    knobs = tmp_path / "policy.toml"
    knobs.write_text("[policy]\naware = false\n")
    assert ids() == ids("--policy", str(knobs), "--set", "aware=on") == ["fqdn:provider-a.example."]
    assert ids("--policy", str(knobs)) == ids("--set", "aware=off") == ["ra:if0/1/fe80::ff:fe00:101"]
    knobs.write_text("aware = \n")
    assert refused(ctl, "list", "-r", NESTED, "--policy", str(knobs))[0] == 2
    assert refused(ctl, "list", "-r", NESTED, "--set", "aware=perhaps")[0] == 2
    assert refused(ctl, "list", "-r", NESTED, "--set", "aware")[0] == 2
    code, line = refused(ctl, "list", "-r", NESTED, "--set", "awear=on")
    assert code == 2 and "aware" in line


def test_times_in_tables_are_local_unless_asked(ctl: Ctl, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert "\n01:32:30.242  " in ctl("history", "-r", NETWORKD)[1]
        assert "\n20:02:30.242  " in ctl("history", "-r", NETWORKD, "--utc")[1]
        local, utc = ctl("list", "-r", NETWORKD, "--json")[1], ctl("list", "-r", NETWORKD, "--json", "--utc")[1]
        assert local == utc, "JSON knows UTC only"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_colour_is_asked_for_or_left_out(ctl: Ctl, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in ctl("list", "-r", TWO)[1], "no terminal"
    assert "\x1b[36mannounced\x1b[0m" in ctl("list", "-r", TWO, "--color", "always")[1]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in ctl("list", "-r", TWO)[1]


# --- a journal -----------------------------------------------------------------------------------------------


@pytest.mark.covers("feat:O2", "feat:P2")
def test_a_journal_answers_as_its_capture_did(journal: str, document: Callable[..., Any]) -> None:
    end = "2026-11-23T20:02:30.242013Z"
    for command in (["list", "--all"], ["status"], ["links"], ["why", "2001:db8:a::/64"], ["history"]):
        kept = document(*command, "--journal", journal, "--at", end)
        assert kept == document(*command, "-r", NETWORKD, "--at", end), command
    records = document("log", "--journal", journal)["records"]
    assert records == document("log", "-r", NETWORKD)["records"]
    assert [one["seq"] for one in records] == list(range(1, len(records) + 1))


def test_a_journal_answers_as_of_now_where_all_of_it_has_lapsed(
    journal: str, ctl: Ctl, document: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replay.sources.time.time_ns", lambda: 1_900_000_000 * 10**9)
    monkeypatch.setenv("PVD_JOURNAL", journal)
    assert document("list")["pvds"] == []
    assert {one["phase"] for one in document("list", "--all")["pvds"]} == {"gone"}
    last = document("history", "-n", "1")["history"][0]
    assert (last["cause"], last["phase"]) == ("lapsed", "gone")


def test_log_is_filtered_by_type_link_pvd_time_and_count(journal: str, ctl: Ctl, document: Callable[..., Any]) -> None:
    def seqs(*words: str) -> list[int]:
        return [one["seq"] for one in document("log", "--journal", journal, *words)["records"]]

    assert seqs("--type", "policy-set", "--type", "link-seen") == [1, 2]
    assert seqs("--link", "if0", "-n", "2") == [28, 29] and seqs("--link", "eth9") == []
    assert seqs("--pvd", "provider-a") == [10, 16, 23, 25, 28], "refreshes too, that changed nothing"
    assert seqs("-S", "seq:27") == [27, 28, 29] and seqs("-U", "seq:2", "-R") == [2, 1]
    row = document("log", "--journal", journal, "--at", "seq:10", "-n", "1")["records"][0]
    assert (row["type"], row["provenance"]["packet"], row["event"]["router"]) == (
        "router-advertised",
        10,
        "fe80::ff:fe00:101",
    )
    assert "lifetime 1800s pvd provider-a.example." in ctl("log", "--journal", journal)[1]
    lines = ctl("log", "--journal", journal, "--jsonl")[1].splitlines()
    assert len(lines) == 29 and json.loads(lines[9]) == row


@pytest.mark.covers("feat:P2")
def test_an_export_replays_to_the_same_state(journal: str, ctl: Ctl, tmp_path: Path) -> None:
    again = str(tmp_path / "again.pcapng")
    assert ctl("export", "--journal", journal, "-w", again) == (0, "", "")
    first, second = ctl("list", "--all", "--json", "-r", NETWORKD), ctl("list", "--all", "--json", "-r", again)
    assert first == second and first[0] == 0
    assert ctl("diff", NETWORKD, again)[0] == 0
    assert ctl("history", "--json", "-r", NETWORKD)[1] == ctl("history", "--json", "-r", again)[1]


def test_the_policy_of_the_journal_goes_into_the_export(ctl: Ctl, tmp_path: Path) -> None:
    again = str(tmp_path / "again.pcapng")
    assert ctl("export", "-r", PLAIN, "--set", "aware=off", "-w", again)[0] == 0
    assert "ra:if0/1/fe80::ff:fe00:101" in ctl("list", "-r", again)[1]


def test_records_are_exported_as_json_lines(journal: str, ctl: Ctl, tmp_path: Path) -> None:
    out = tmp_path / "records.jsonl"
    assert ctl("export", "--format", "jsonl", "--journal", journal, "-w", str(out))[0] == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [one["seq"] for one in rows] == list(range(1, 30))
    assert set(rows[0]) >= {"seq", "at", "v", "provenance", "event"} and rows[0]["event"]["type"] == "policy-set"


@pytest.mark.covers("feat:O5")
def test_verify_says_whole_or_what_is_wrong(
    journal: str, ctl: Ctl, document: Callable[..., Any], tmp_path: Path
) -> None:
    found = document("verify", "--journal", journal)
    assert (found["records"], found["problems"]) == (29, [])
    assert ctl("verify", "--journal", journal, "--head", found["head"])[0] == 0
    code, out, _ = ctl("verify", "--journal", journal, "--head", "11" * 32)
    assert code == 4 and out
    broken = str(tmp_path / "broken.db")
    shutil.copy(journal, broken)
    with sqlite3.connect(broken) as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{trigger}"')
        database.execute("DELETE FROM records WHERE seq = 12")
    database.close()
    code, out, _ = ctl("verify", "--journal", broken)
    assert code == 4 and "12" in out


# --- PvDs by name --------------------------------------------------------------------------------------------


@pytest.mark.covers("rfc:A15")
@pytest.mark.parametrize(
    "word", ["fqdn:provider-a.example.", "provider-a.example.", "provider-a.example", "prov", "fq"]
)
def test_a_pvd_by_id_name_or_prefix(word: str, document: Callable[..., Any]) -> None:
    assert [one["id"] for one in document("status", word, "-r", NETWORKD)["pvds"]] == ["fqdn:provider-a.example."]


def test_an_ambiguous_or_unknown_name(ctl: Ctl) -> None:
    code, line = refused(ctl, "status", "ra:", "-r", TWO)
    assert code == 2 and "ra:if0/1/fe80::ff:fe00:101, ra:if0/1/fe80::ff:fe00:201" in line
    for command in ("status", "history"):
        assert refused(ctl, command, "provider-b", "-r", TWO)[0] == 10
    assert refused(ctl, "status", "", "-r", TWO)[0] == 10
    assert refused(ctl, "log", "--pvd", "provider-b", "-r", TWO)[0] == 10
    assert refused(ctl, "why", "192.0.2.99", "-r", TWO)[0] == 10


# --- mistakes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "advice"),
    [
        (["list", "-r", "/no/such.pcap"], 1, "check the name"),
        (["list", "-r", "/"], 1, "name the capture files in it"),
        (["list", "-r", __file__], 1, "name a pcap or pcapng file"),
        (["list", "--journal", "/no/such.db"], 1, "make one with `pvdctl replay"),
        (["list", "--journal", "/"], 1, "give the path of the journal's file"),
        (["list", "--journal", TWO], 1, "give the path of one"),
        (["list", "-r", TWO, "--journal", "j.db"], 2, "give one of them"),
        (["list", "--journal", "j.db", "--set", "aware=on"], 2, "go with -r FILE"),
        (["list", "-r", TWO, "--at", "teatime"], 2, "seq:812"),
        (["list", "-r", TWO, "--at", "seq:9999"], 10, "--at seq:"),
        (["history", "-r", TWO, "-S", "soon"], 2, "seq:812"),
        (["history", "-r", TWO, "-n", "-1"], 2, "pvdctl history --help"),
        (["log", "-r", TWO, "-n", "many"], 2, "pvdctl log --help"),
        (["diff", "a", "b", "-r", TWO], 2, "seq:812"),
        (["diff", "now", "-r", TWO], 2, "pvdctl diff --help"),
        (["list", "-r", TWO, "--policy", "/no/policy.toml"], 1, "--policy"),
        (["export", "-r", TWO, "-w", "/no/such/place"], 1, "name another file"),
        (["replay", "-r", TWO, "--journal", "/no/such/j.db"], 1, "mkdir -p"),
        (["replay", "-r", TWO, "--separate", "--journal", "j.db"], 2, "leave out --journal"),
        (["replay"], 2, "pvdctl replay --help"),
        (["frobnicate"], 2, "pvdctl --help"),
        (["list", "--frobnicate"], 2, "pvdctl list --help"),
        (["--json", "list"], 2, "pvdctl list --json"),
        (["list", "-r", TWO, "--json", "--jsonl"], 2, "pvdctl list --help"),
        (["schema", "frob"], 2, "state, verify, why"),
        (["completion", "csh"], 2, "pvdctl completion --help"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(words: list[str], code: int, advice: str, ctl: Ctl) -> None:
    got, line = refused(ctl, *words)
    assert got == code and advice in line


def test_without_a_journal_the_line_says_where_else_to_ask(ctl: Ctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay.sources.DEFAULT_JOURNAL", "/no/such/journal.db")
    code, line = refused(ctl, "list")
    assert code == 1 and "-r FILE" in line and "--journal" in line


def test_a_journal_is_not_written_over(journal: str, ctl: Ctl) -> None:
    before = Path(journal).read_bytes()
    code, line = refused(ctl, "replay", "-r", TWO, "--journal", journal)
    assert code == 1 and "holds 29 records" in line and Path(journal).read_bytes() == before


def test_what_came_from_the_wire_is_escaped(ctl: Ctl, tmp_path: Path) -> None:
    """The name of a link is the capture's word; a title escape in it must not reach the terminal."""
    hostile = tmp_path / "\x1b]0;owned\x07.pcap"
    shutil.copy(CUT, hostile)
    for words in (["replay"], ["replay", "--json"], ["log"], ["why", "fe80::ff:fe00:101"]):
        _, out, err = ctl(*words, "-r", str(hostile))
        assert out and "\x1b" not in out + err and "\x07" not in out + err


# --- the command itself --------------------------------------------------------------------------------------


def python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("words", [["--help"], ["replay", "--help"], ["completion", "bash"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    done = python(
        f"import sys; from replay.cli import main; code = main({words!r})\n"
        "print(code, *sorted(name.split('.')[0] for name in sys.modules), file=sys.stderr)"
    )
    code, *modules = done.stderr.split()
    assert code == "0" and done.stdout
    heavy = {"msgspec", "immutables", "scapy", "structlog", "pyroute2", "sqlite3", "asyncio", "tomllib", "pvdcore"}
    assert not heavy & set(modules)
    assert not {"shutil", "lzma"} & set(modules), "argparse loads archives to know how wide a terminal is"


@pytest.mark.parametrize(("said", "width"), [("70", 68), ("120", 118), ("", 78), ("0", 78), ("wide", 78)])
def test_help_is_as_wide_as_the_terminal(said: str, width: int) -> None:
    lines = python("from replay.cli import main; main(['history', '--help'])", COLUMNS=said).stdout.splitlines()
    assert width - 12 < max(map(len, lines)) <= width


def test_a_pipe_that_closes_is_no_error() -> None:
    script = f"from replay.cli import main; import sys; sys.exit(main(['log', '--json', '-r', {NETWORKD!r}]))"
    done = subprocess.run(
        ["/bin/sh", "-c", '{ "$0" -c "$1"; echo "code $?" >&2; } | head -c 10 >/dev/null', sys.executable, script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == "code 0\n"


def test_a_full_disk_is_one_line() -> None:
    script = f"from replay.cli import main; import sys; sys.exit(main(['list', '-r', {TWO!r}]))"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == "pvdctl: standard output: No space left on device; make room, or write elsewhere\n"


def test_a_file_name_that_is_no_text(ctl: Ctl, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.pcap")
    shutil.copy(TWO, odd)
    code, out, _ = ctl("replay", "-r", odd, "--json")
    assert code == 0 and json.loads(out)["captures"][0]["file"].endswith("/\\udcff.pcap")
    for command in ("replay", "log", "history"):
        assert ctl(command, "-r", odd)[0] == 0


def test_an_interrupt_is_quiet(ctl: Ctl, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(COMMANDS, "list", interrupted)
    assert ctl("list", "-r", TWO) == (130, "", "")


def test_every_command_has_help_and_does_something(ctl: Ctl) -> None:
    commands = completion.subcommands(cli.parser())
    assert set(commands) == {*COMMANDS, "completion"}
    for name, command in commands.items():
        assert completion.helps(cli.parser())[name], name
        assert all(action.help for action in command._actions), name
        code, out, err = ctl(name, "--help")
        assert (code, err) == (0, "") and out.startswith(f"usage: pvdctl {name}")
    assert ctl("--version")[1].startswith("pvdctl ")
    code, out, err = ctl()
    assert (code, out) == (2, "") and "usage" in err


ASKING = {"monitor", "wait", "pin", "unpin", "up", "down", "reload", "call", "exec", "doctor", "advertise"} | {
    "load",
    "unload",
    "checkpoint",
    "rollback",
    "commit",
    "hook",
}
"""Commands that ask the daemon, or do something: they have no document, or one of their own."""


def test_every_reading_command_takes_json(ctl: Ctl) -> None:
    for name, command in completion.subcommands(cli.parser()).items():
        if name not in {"schema", "completion", *ASKING}:
            assert {"--json", "--jsonl", "--no-legend", "--color", "--utc"} <= set(command._option_string_actions), name


@pytest.mark.covers("feat:Q2")
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("replay", ["replay"]),
        ("separate", ["replay", "--separate"]),
        ("state", ["list", "--all"]),
        ("state", ["status"]),
        ("links", ["links"]),
        ("connections", ["connections"]),
        ("settings", ["settings"]),
        ("history", ["history"]),
        ("why", ["why", "fe80::ff:fe00:201"]),
        ("diff", ["diff", "seq:1", "now"]),
        ("log", ["log"]),
        ("plan", ["plan"]),
        ("verify", ["verify"]),
    ],
)
def test_what_a_command_says_is_of_its_schema(kind: str, words: list[str], ctl: Ctl) -> None:
    code, out, _ = ctl(*words, "-r", NETWORKD, "--json")
    assert code in (0, 4)
    read = msgspec.json.decode(out, type=DOCUMENTS[kind])
    assert json.loads(msgspec.json.encode(read)) == json.loads(out), "nothing in it that the schema does not know"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_made_from_the_grammar(shell: str, ctl: Ctl) -> None:
    code, out, _ = ctl("completion", shell)
    assert code == 0
    for name in completion.subcommands(cli.parser()):
        assert re.search(rf"\b{name}\b", out), name
    assert "jsonl" in out and ("--at" in out or "-l at" in out)


def test_bash_takes_its_completion(ctl: Ctl, tmp_path: Path) -> None:
    script = tmp_path / "pvdctl.bash"
    script.write_text(ctl("completion", "bash")[1])
    asks = [(["pvdctl", "hi"], 1), (["pvdctl", "list", "--co"], 2), (["pvdctl", "export", "--format", ""], 3)]
    answers = []
    for words, at in asks:
        quoted = " ".join(f"'{word}'" for word in words)
        code = f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={at}; _pvdctl; echo ${{COMPREPLY[*]}}"
        answers.append(subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=60).stdout.split())
    assert answers == [["history"], ["--color"], ["pcapng", "jsonl"]]


def test_the_daemon_lists_its_options_without_starting(capsys: pytest.CaptureFixture[str]) -> None:
    import adapters.daemon as daemon

    with pytest.raises(SystemExit) as end:
        daemon.main(["--help"])
    assert end.value.code == 0 and "--projection" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        daemon.main(["--projection", "everything"])
    assert end.value.code == 2


def test_another_events_package_is_named_and_not_a_traceback(tmp_path: Path) -> None:
    theirs = tmp_path / "events"
    theirs.mkdir()
    (theirs / "__init__.py").write_text("class Events: pass\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from replay.cli import main; sys.exit(main(['list']))"
    done = python(code)
    assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr
    assert str(theirs) in done.stderr and "pipx install pvdcore" in done.stderr


def test_a_link_named_by_the_capture_is_printed_safely(ctl: Ctl, tmp_path: Path) -> None:
    from replay.files.captures import open_capture

    written = BytesIO()
    writer = PcapngWriter(written)
    with open_capture(TWO) as capture:
        for _, at, _, linktype, data, length in capture:
            writer.packet(at, "b\u00fcro\u202e", linktype, data, length)
    path = tmp_path / "named.pcapng"
    path.write_bytes(written.getvalue())
    for words in (["list"], ["links"], ["history"], ["links", "--json"]):
        code, out, _ = ctl(*words, "-r", str(path))
        assert code == 0 and out.isascii()


@pytest.mark.covers("feat:O4")
def test_why_of_the_default_route_leads_to_the_routers(document: Callable[..., Any]) -> None:
    """A router with a lifetime is a default router (RFC 4861 §6.3.4): nothing else says the route ::/0."""

    def items(target: str, *more: str) -> list[str]:
        found = [one["item"] for one in document("why", target, "-r", NETWORKD, *more)["answers"]]
        return [one.get("destination") or one.get("prefix") or one["address"] for one in found]

    routers = ["fe80::ff:fe00:101", "fe80::ff:fe00:201"]
    assert items("::/0") == items("2001:db8:ffff::1") == routers, "an address that no prefix covers goes there, too"
    assert items("2001:db8:a::99") == ["2001:db8:a::/64"]
    assert items("default", "--at", "2026-11-23T20:02:20Z") == [*routers, "0.0.0.0/0"]
    assert items("203.0.113.9", "--at", "2026-11-23T20:02:20Z") == ["203.0.113.0/24"]


@pytest.mark.covers("feat:O4")
def test_why_after_expiry_says_what_ended_it(ctl: Ctl, document: Callable[..., Any]) -> None:
    (answer,) = document("why", "2001:db8:a::/64", "-r", NETWORKD, "--at", "+2d")["answers"]
    assert answer["ended"] == {"at": "2026-11-23T21:02:29.171345000Z", "cause": "lapsed", "because": 28}
    assert answer["because"]["packet"] == 46 and answer["because"]["option"]["type"] == 3
    for word in ("fqdn:nobody", "1.2.3.x", "::zz"):
        assert refused(ctl, "why", word, "-r", NETWORKD)[0] == 10
