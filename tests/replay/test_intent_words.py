"""What `settings`, `connections` and `history` say of profiles and connections: in words and as documents."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import replay.cli as cli
from adapters.sqlite import SqliteJournal
from events.ids import SECOND
from events.link import AttachEnded, AttachStarted, LinkSeen
from events.operator import (
    CheckpointCreated,
    ConnectionClosed,
    ConnectionOpened,
    Settings,
    SettingsLoaded,
    SettingsNote,
    SettingsRejected,
)
from pvdcore.engine import Engine
from tests.sim.build import R1, START, pio, pvd, ra

Ctl = Callable[..., tuple[int, str, str]]
X, Y = "fqdn:x.example.", "fqdn:y.example."
MAC = "02:00:00:00:01:01"


@pytest.fixture
def ctl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ctl:
    monkeypatch.delenv("PVD_JOURNAL", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def journal(tmp_path: Path) -> str:
    """A profile that expects one PvD, leads to it twice and to another once, and is closed."""
    path = str(tmp_path / "j.db")
    kept = SqliteJournal(path)
    engine = Engine(kept)
    note = SettingsNote("settings-secret", "[wifi-security] psk", "/etc/home:9")
    values = {"ipv4.method": "auto", "pvd.expected": [X]}
    profile = Settings("home", "keyfile", "/etc/home:1", values, {"pvd.expected": "/etc/home:7"}, (note,))
    up = ConnectionOpened(id="home@e0", settings="home", link="e0")
    heard = ra(R1, pio("2001:db8:1::/64"), pvd("x.example."), mac=MAC)
    for second, event in (
        (0, LinkSeen(link="e0", identity="netns:1:2:1", name="e0")),
        (1, SettingsLoaded(settings=profile)),
        (2, up),
        (3, heard),
        (10, AttachEnded(link="e0")),
        (20, AttachStarted(link="e0")),
        (21, up),
        (22, heard),
        (30, AttachStarted(link="e0")),
        (31, up),
        (32, ra(R1, pvd("y.example."), mac=MAC)),
        (40, SettingsRejected(origin="/etc/bad:3", source="keyfile", rule="syntax", text="no group")),
        (41, CheckpointCreated(id="k", until=START + 99 * SECOND)),
    ):
        engine.submit(event, source="story", at=START + second * SECOND)
    kept.close()
    return path


def test_settings_say_what_is_not_used_and_where_it_led(ctl: Ctl, journal: str) -> None:
    code, out, err = ctl("settings", "--journal", journal, "--utc", "--at", "seq:13")
    assert (code, err) == (0, "")
    assert "home      keyfile  /etc/home:1  ipv4.method=auto" in out
    assert "home: a secret, which is not kept: [wifi-security] psk (/etc/home:9)" in out
    assert f"home: led to {X} on e0, 2 visits" in out and f"home: led to {Y} on e0, 1 visit," in out
    assert "/etc/bad:3: refused, no group" in out and "checkpoint k: rolls back 2023" in out
    document = json.loads(ctl("settings", "--journal", journal, "--json", "--at", "seq:13")[1])
    (row,) = document["settings"]
    assert row["lines"] == {"pvd.expected": "/etc/home:7"} and row["connections"] == ["home@e0"]
    assert [(one["pvd"], one["visits"]) for one in row["reached"]] == [(X, 2), (Y, 1)]
    assert document["refused"][0]["origin"] == "/etc/bad:3" and document["checkpoint"]["id"] == "k"


def test_connections_say_their_phase_what_was_expected_and_what_it_is_like(ctl: Ctl, journal: str) -> None:
    code, out, _ = ctl("connections", "--journal", journal, "--utc", "--at", "seq:13")
    assert code == 0 and "mismatch" in out
    assert f"home@e0: expects {X}, which is not there" in out
    assert "home@e0: like e0/" in out
    (row,) = json.loads(ctl("connections", "--journal", journal, "--json", "--at", "seq:8")[1])["connections"]
    assert (row["phase"], row["pvds"], row["expected"], row["epoch"]) == ("active", [X], [X], 2)
    assert [(one["epoch"], one["confidence"]) for one in row["earlier"]] == [(1, "high")]


def test_history_of_a_connection_of_a_profile_and_of_both_with_the_pvds(ctl: Ctl, journal: str) -> None:
    code, out, _ = ctl("history", "connection:home@e0", "--journal", journal, "--json", "--at", "seq:13")
    lines = json.loads(out)["history"]
    assert code == 0 and {one["subject"] for one in lines} == {"connection:home@e0"}
    assert [(one["cause"], one["phase"]) for one in lines] == [
        ("opened", "activating"),
        ("arrived", "active"),
        ("carrier", "closed"),
        ("opened", "activating"),
        ("arrived", "active"),
        ("attached-anew", "closed"),
        ("opened", "activating"),
        ("other", "mismatch"),
    ]
    assert lines[1]["added"] == [{"kind": "pvd", "pvd": X}]
    words = ctl("history", "settings:home", "--journal", journal, "--utc", "--at", "seq:13")[1]
    assert "settings:home" in words and "+value ipv4.method auto" in words
    both = json.loads(ctl("history", "--journal", journal, "--json", "--at", "seq:13")[1])["history"]
    assert {one["subject"] is None for one in both} == {True, False}
    assert all(
        one["subject"] is None for one in json.loads(ctl("history", X, "--journal", journal, "--json")[1])["history"]
    )
    assert ctl("history", "connection:none", "--journal", journal)[0] == 10
    assert ctl("why", X, "--journal", journal)[0] == 0, "lines of connections don't disturb what ended"


def test_a_closed_connection_is_shown_with_its_reason(ctl: Ctl, tmp_path: Path) -> None:
    path = str(tmp_path / "c.db")
    kept = SqliteJournal(path)
    engine = Engine(kept)
    for event in (
        LinkSeen(link="e0", identity="netns:1:2:1", name="e0"),
        SettingsLoaded(settings=Settings("home", "toml")),
        ConnectionOpened(id="home@e0", settings="home", link="e0"),
        ConnectionClosed(id="home@e0"),
    ):
        engine.submit(event, source="story", at=START)
    kept.close()
    (row,) = json.loads(ctl("connections", "--journal", path, "--json")[1])["connections"]
    assert (row["phase"], row["reason"]) == ("closed", "operator") and row["closed"]
