"""`pvdctl explain`: every code that is shown anywhere is explained, and the docs say the same."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.wire.rules import DHCP_REASONS, NOTES, REASONS, RULES
from pvdcore.checks.findings import BY_CODE
from pvdcore.routers.bounds import BOUNDS
from replay.cli import main
from replay.shown.explain import markdown, policies, rows
from replay.shown.report import ExplainDocument

ROOT = Path(__file__).parent.parent.parent
CAPTURES = ROOT / "tests" / "captures"
Ctl = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ctl(capsys: pytest.CaptureFixture[str]) -> Ctl:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_every_code_is_explained() -> None:
    named = {(one.of, one.code) for one in rows()}
    assert named >= {("finding", code) for code in BY_CODE}
    assert named >= {("rejected", code) for code in RULES} | {("noted", code) for code in NOTES}
    assert named >= {("ignored", code) for code in (*REASONS, *DHCP_REASONS)}
    assert len(named) == len(rows())
    assert all(one.text and one.meaning for one in rows())


@pytest.mark.covers("feat:D7")
def test_a_finding_that_replay_shows_can_be_explained(ctl: Ctl) -> None:
    _, out, _ = ctl("replay", "-r", str(CAPTURES / "client-systemd-networkd.pcap"), "--json")
    code = "dhcp6-unanswered"
    assert code in {one["code"] for one in json.loads(out)["state"]["findings"]}
    ended, out, err = ctl("explain", code)
    assert (ended, err) == (0, "") and "clear the M and O flags" in out and out.isascii()
    ended, out, _ = ctl("explain", code, "--json")
    read = msgspec.json.decode(out, type=ExplainDocument)
    assert ended == 0 and [one.code for one in read.codes] == [code]
    assert json.loads(msgspec.json.encode(read)) == json.loads(out)


def test_a_rule_that_refused_a_message_is_explained_too(ctl: Ctl) -> None:
    code, out, _ = ctl("explain", "hop-limit")
    assert code == 0 and "hop-limit  (rejected)" in out and "The whole message was refused" in out
    assert "(ignored)" in ctl("explain", "prefix-lifetimes")[1]


def test_without_a_code_all_are_listed(ctl: Ctl) -> None:
    code, out, _ = ctl("explain")
    lines = out.splitlines()
    assert code == 0 and lines[0].split() == ["CODE", "OF", "SEVERITY", "TEXT"]
    assert len(lines) == 1 + len(rows()) == 1 + len(ctl("explain", "--jsonl")[1].splitlines())


def test_an_unknown_code_is_not_found_and_the_nearest_is_named(ctl: Ctl) -> None:
    code, out, err = ctl("explain", "duplicate-rute")
    assert (code, out) == (10, "") and "is it duplicate-route" in err
    assert "`pvdctl explain` lists the codes" in ctl("explain", "zzz")[2]


@pytest.mark.parametrize(("name", "made"), [("findings.md", markdown), ("policies.md", policies)])
def test_the_docs_are_made_of_the_same_rows(name: str, made: Callable[[], str]) -> None:
    path: Any = ROOT / "docs" / name
    if os.environ.get("PVD_REWRITE") == "1":
        path.write_text(made())
    assert path.read_text() == made(), "write it anew with PVD_REWRITE=1"


def test_what_a_flood_had_refused_is_explained_by_its_bound(ctl: Ctl) -> None:
    assert BOUNDS.keys() <= {one.code for one in rows() if one.of == "rejected"}
    out = ctl("explain", "flood-dhcp")[1]
    assert "More than 200 DHCP messages of other hosts on a link, and then more than 50 a second; live only." in out
    assert "and then more than one in 10 s; live only." in ctl("explain", "flood-rejected")[1]


def test_a_policy_and_a_judgement_are_explained_by_their_names(ctl: Ctl) -> None:
    code, out, _ = ctl("explain", "two_hour_rule")
    assert code == 0 and "(policy)" in out and "on by default; on or off" in out and "--set two_hour_rule=VALUE" in out
    code, out, _ = ctl("explain", "any-router-claims")
    assert code == 0 and "(judgement)" in out and "rows rfc:P54" in out
