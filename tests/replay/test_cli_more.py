"""pvdctl's options for what grows, what reads differently today, and what is folded side by side."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from msgspec.structs import replace

import replay.cli as cli
import replay.redecode as redecode
from adapters.ingest import Translator
from adapters.sqlite import SqliteJournal
from events.codec import AnyEvent
from events.frames import Frame, FrameRejected
from events.router import RouterAdvertised
from pvdcore.engine import Engine
from replay.rerun import rerun

ROOT = Path(__file__).resolve().parent.parent.parent
CAPTURES = ROOT / "tests" / "captures"
NETWORKD = str(CAPTURES / "client-systemd-networkd.pcap")
STOP = str(CAPTURES / "ra-router-stop.pcap")
TWO = str(CAPTURES / "ra-two-routers.pcap")
NESTED = str(CAPTURES / "pvd-r-flag-nested.pcap")
CUT = str(CAPTURES / "conv-cut-midrecord.pcap")

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


class Growing:
    """A journal to which the records of a capture come in two parts, as if a daemon wrote them."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        whole = rerun([STOP]).journal
        self.records = [(one, whole.frame(one.provenance.frame)) for one in whole.records()]
        self.changes = sum(1 for _ in whole.history())
        self.journal = SqliteJournal(self.path)
        self.engine = Engine(self.journal)
        self.half = len(self.records) // 2

    def write(self, first: int, last: int | None = None) -> None:
        for record, frame in self.records[first:last]:
            self.engine.adopt(record, frame)
        self.journal.commit()


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[Growing]:
    made = Growing(tmp_path / "j.db")
    made.write(0, made.half)
    yield made
    made.journal.close()


@pytest.fixture
def follow() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start pvdctl as a child whose output is a pipe."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; from replay.cli import main; sys.exit(main())", *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child

    yield run
    for child in started:
        child.kill()
        child.communicate()


def lines(child: subprocess.Popen[str], count: int) -> list[str]:
    """The next lines of a child; the test's own time limit ends what would never come."""
    out: IO[str] | None = child.stdout
    assert out is not None
    return [out.readline() for _ in range(count)]


# --- following -----------------------------------------------------------------------------------------------


def test_log_follows_a_journal_until_it_is_interrupted(growing: Growing, follow: Callable[..., Any]) -> None:
    child = follow("log", "-f", "--jsonl", "--journal", growing.path)
    assert [json.loads(one)["seq"] for one in lines(child, growing.half)] == list(range(1, growing.half + 1))
    growing.write(growing.half)
    more = [json.loads(one) for one in lines(child, len(growing.records) - growing.half)]
    assert [one["seq"] for one in more] == list(range(growing.half + 1, len(growing.records) + 1))
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (130, "", ""), "no record twice, no traceback"


def test_history_follows_with_the_lines_that_a_later_reading_has(
    growing: Growing, follow: Callable[..., Any], ctl: Ctl
) -> None:
    child = follow("history", "-f", "--jsonl", "--journal", growing.path)
    first = ctl("history", "--jsonl", "--journal", growing.path)[1].splitlines(keepends=True)
    assert first, "the first half has a history"
    assert sorted(lines(child, len(first))) == sorted(first), "what lapsed after the last record is there, once"
    growing.write(growing.half)
    # What the later records changed; lapses that had been foretold are not taken back.
    recorded = [json.loads(one) for one in ctl("history", "--jsonl", "--journal", growing.path)[1].splitlines()]
    new = [one for one in recorded if one["cause"] == "withdrawn"]
    assert new
    found: list[Any] = []
    while sum(one["cause"] == "withdrawn" for one in found) < len(new):
        found.append(json.loads(lines(child, 1)[0]))
    assert [one for one in found if one["cause"] == "withdrawn"] == new


def test_a_follower_ends_when_its_reader_does_although_nothing_comes(
    growing: Growing, follow: Callable[..., Any]
) -> None:
    child = follow("log", "-f", "-n", "1", "--no-legend", "--journal", growing.path)
    (line,) = lines(child, 1)
    assert line.split()[0] == str(growing.half)
    child.stdout.close()
    assert child.wait(timeout=30) == 0
    assert child.stderr.read() == ""


@pytest.mark.parametrize("command", ["log", "history"])
def test_captures_are_printed_and_not_followed(command: str, ctl: Ctl) -> None:
    plain = ctl(command, "--jsonl", "-r", STOP)
    code, out, err = ctl(command, "-f", "--jsonl", "-r", STOP)
    assert out == plain[1] != ""
    assert code == 2 and "-f needs a journal" in err and err.count("\n") == 1


@pytest.mark.parametrize(("words", "says"), [(["--json"], "--jsonl"), (["-R"], "-R"), (["--at", "-2h"], "--at")])
def test_what_cannot_be_followed_is_refused(words: list[str], says: str, growing: Growing, ctl: Ctl) -> None:
    code, out, err = ctl("log", "-f", "--journal", growing.path, *words)
    assert (code, out) == (2, "") and says in err


# --- cursors -------------------------------------------------------------------------------------------------


def test_a_cursor_goes_on_where_the_last_reading_ended(growing: Growing, ctl: Ctl) -> None:
    first = [json.loads(one) for one in ctl("log", "--jsonl", "--journal", growing.path)[1].splitlines()]
    cursor = str(first[-1]["cursor"])
    assert ctl("log", "--jsonl", "--cursor", cursor, "--journal", growing.path)[:2] == (0, ""), "nothing came yet"
    growing.write(growing.half)
    rest = [
        json.loads(one) for one in ctl("log", "--jsonl", "--cursor", cursor, "--journal", growing.path)[1].splitlines()
    ]
    whole = [json.loads(one) for one in ctl("log", "--jsonl", "--journal", growing.path)[1].splitlines()]
    assert rest and first + rest == whole
    code, out, err = ctl("log", "--cursor", "9999", "--journal", growing.path)
    assert (code, out) == (10, "") and f"--cursor {len(whole)}" in err


# --- reading again -------------------------------------------------------------------------------------------


def test_todays_decoders_read_what_was_recorded(ctl: Ctl, tmp_path: Path) -> None:
    path = str(tmp_path / "j.db")
    assert ctl("replay", "-r", NETWORKD, "--journal", path)[0] == 0
    code, out, _ = ctl("verify", "--redecode", "--journal", path, "--json")
    found = json.loads(out)
    assert (code, found["problems"], found["misread"]) == (0, [], []) and found["redecoded"] > 10
    assert json.loads(ctl("verify", "--journal", path, "--json")[1])["redecoded"] is None, "only when asked"


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap*")), ids=lambda path: path.name)
def test_every_capture_reads_the_same_again(path: Path) -> None:
    assert [seq for seq, differences in redecode.redecode(rerun([str(path)]).journal) if differences] == []


def test_a_decoder_that_changed_its_mind_is_listed(ctl: Ctl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = str(tmp_path / "j.db")
    assert ctl("replay", "-r", STOP, "--journal", path)[0] == 0
    seqs = [
        record["seq"]
        for record in map(json.loads, ctl("log", "--jsonl", "--journal", path)[1].splitlines())
        if record["type"] == "router-advertised"
    ]

    class Later(Translator):
        def translate(self, frame: Frame) -> tuple[AnyEvent, ...]:
            events = super().translate(frame)
            if events and isinstance(events[0], RouterAdvertised):
                return (replace(events[0], router="fe80::bad"),)
            return events

    monkeypatch.setattr(redecode, "Translator", Later)
    code, out, _ = ctl("verify", "--redecode", "--journal", path, "--json")
    misread = json.loads(out)["misread"]
    assert code == 4 and [one["seq"] for one in misread] == seqs != []
    assert all(one["differences"][0].endswith(" -> fe80::bad") for one in misread)
    code, out, _ = ctl("verify", "--redecode", "--journal", path)
    assert code == 4 and f"record {seqs[0]} reads differently: router fe80::" in out

    class Stricter(Translator):
        def translate(self, frame: Frame) -> tuple[AnyEvent, ...]:
            return tuple(FrameRejected(frame.link, "no", 0, "ra") for _ in super().translate(frame))

    monkeypatch.setattr(redecode, "Translator", Stricter)
    misread = json.loads(ctl("verify", "--redecode", "--journal", path, "--json")[1])["misread"]
    kinds = {one["seq"]: one["differences"] for one in misread}
    assert all(kinds[seq] == ["router-advertised -> frame-rejected"] for seq in seqs)


# --- side by side --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [["--json"], ["--jsonl"], ["--utc"], ["--utc", "--color", "always"]])
def test_files_folded_side_by_side_print_the_same(form: list[str], ctl: Ctl) -> None:
    words = ["replay", "--separate", "-r", TWO, "-r", CUT, "-r", NESTED, "-r", STOP, *form]
    alone = ctl(*words)
    assert alone[0] == 5 and "is damaged" in alone[2] and alone[1]
    assert ctl(*words, "--jobs", "3") == alone


def test_a_file_that_cannot_be_folded_ends_it_as_without_jobs(ctl: Ctl, tmp_path: Path) -> None:
    text = tmp_path / "notes.pcap"
    text.write_text("no capture at all")
    words = ["replay", "--separate", "-r", TWO, "-r", str(text), "-r", STOP, "--jsonl"]
    alone = ctl(*words)
    assert alone[0] == 1 and alone[1].count("\n") == 1
    assert ctl(*words, "--jobs", "2") == alone


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["list", "-r", TWO, "--separate"], "--separate goes with replay only"),
        (["history", "-r", TWO, "--jobs", "2"], "--jobs goes with replay only"),
        (["replay", "-r", TWO, "--jobs", "2"], "add --separate"),
        (["replay", "-r", TWO, "--separate", "--jobs", "0"], "from 1 to"),
    ],
)
def test_what_is_not_for_one_timeline_is_refused(words: list[str], says: str, ctl: Ctl) -> None:
    code, out, err = ctl(*words)
    assert (code, out) == (2, "") and says in err and err.count("\n") == 1


@pytest.mark.covers("rfc:A17")
def test_a_list_can_be_of_one_ip_version(ctl: Ctl) -> None:
    def listed(*words: str, command: str = "list") -> list[dict[str, Any]]:
        code, out, _ = ctl(command, "-r", NETWORKD, "--at", "seq:28", "--json", *words)
        assert code == 0
        pvds: list[dict[str, Any]] = json.loads(out)["pvds"]
        return pvds

    every, four, six = listed(), listed("-4"), listed("--ipv6")
    implicit = "ra:if0/1/fe80::ff:fe00:201"
    assert [one["id"] for one in every] == ["fqdn:provider-a.example.", implicit] == [one["id"] for one in six]
    assert [one["id"] for one in four] == [implicit], "the other has nothing of IPv4"
    (lease,) = four[0]["instances"]
    assert [one["address"] for one in lease["addresses"]] == ["198.51.100.100/24"]
    assert lease["host"] and not lease["routers"] and not lease["prefixes"], "the routers' instance is of IPv6 alone"
    assert all(one["host"] is None for pvd in six for one in pvd["instances"])
    said = [str(value) for pvd in six for one in pvd["instances"] for name in ("dns", "routes") for value in one[name]]
    assert said and not [text for text in said if "198.51.100" in text]
    assert [one["id"] for one in listed("-6", implicit, command="status")] == [implicit]
    assert ctl("list", "-r", NETWORKD, "-4", "-6")[0] == 2


@pytest.mark.covers("feat:B6")
@pytest.mark.parametrize("word", ["provider-a.example", "Provider-A.EXAMPLE.", "fqdn:PROVIDER-A.example", "PROVIDER-a"])
def test_an_fqdn_has_no_case_and_needs_no_final_dot_when_it_is_asked_for(ctl: Ctl, word: str) -> None:
    code, out, _ = ctl("status", "-r", NETWORKD, word, "--json")
    assert code == 0 and [one["id"] for one in json.loads(out)["pvds"]] == ["fqdn:provider-a.example."]
    assert ctl("status", "-r", NETWORKD, "RA:IF0/1/FE80::FF:FE00:201")[0] == 10, "a link's name has a case"
