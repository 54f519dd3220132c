"""The control socket: who may ask what, messages cut anywhere, subscriptions that lose nothing, and bounds."""

import asyncio
import grp
import json
import os
import re
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncvarlink
import msgspec
import pytest
from asyncvarlink.serviceinterface import VarlinkServiceInterface

import adapters.running.control as control
from adapters.running.client import Client, NotRunning, Refused
from adapters.running.config import ConfigError
from adapters.running.control import CONTROL_TEXT, INTERFACE, METHODS, SERVICE, TEXTS
from events.ids import SECOND
from events.link import LinkSeen
from events.operator import PropertiesSet, PropertyRule, Settings, SettingsLoaded, SettingsNote
from events.session import RequestRefused
from events.vpn import VpnConnected, VpnRoute
from pvdcore.past.journal import read_change
from pvdcore.state import Change
from tests.adapters.driver import START, Running
from tests.sim.build import R1, R2, dns, pio, pvd, ra

X, SECOND_PVD = "fqdn:x.example.", "ra:e0/1/fe80::2"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
NOBODY = 65534


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.close()


def raw(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(30)
    made.connect(path)
    return made


def replies(sock: socket.socket, count: int) -> list[dict[str, Any]]:
    data = b""
    while data.count(b"\0") < count:
        more = sock.recv(65536)
        assert more, f"closed after {data!r}"
        data += more
    return [json.loads(one) for one in data.split(b"\0")[:count]]


def message(method: str, **parameters: Any) -> bytes:
    return json.dumps({"method": method, "parameters": parameters}).encode() + b"\0"


STATUS = message(f"{INTERFACE}.GetStatus")

# --- what is asked and answered ------------------------------------------------------------------------------


def test_status_is_the_session_and_the_pvds_that_live(running: Running) -> None:
    running.hear(PropertiesSet(rules=(PropertyRule({"free": True}, pvd="fqdn:*"),)))
    running.hear(ra(R1, pvd("x.example.", pio(P))), ra(R2, pio(Q)))
    with running.client() as client:
        found = client.call(f"{INTERFACE}.GetStatus")
    assert [one["id"] for one in found["pvds"]] == [X, SECOND_PVD]
    assert found["pvds"][0]["properties"] == {"free": True} and found["pvds"][1]["properties"] == {}
    assert found["pvds"][0]["places"] == [{"link": "e0", "epoch": 1, "host": "", "phase": "announced", "version": 1}]
    session = found["session"]
    assert (session["pid"], session["seq"], session["now"], session["journal"]) == (os.getpid(), 3, START, "j.db")
    assert session["head"] == running.driver.journal.head()


@pytest.mark.covers("acc:AM5", "acc:AP3", "bug:21", "bug:23")
def test_a_pvd_is_found_by_its_whole_id_and_nothing_else_is_ever_invented(running: Running) -> None:
    running.hear(ra(R1, pvd("x.example.", pio(P))), ra(R2, pio(Q)))
    with running.client() as client:
        assert [one["id"] for one in client.call(f"{INTERFACE}.GetStatus", pvd=X)["pvds"]] == [X]
        for other in ("fqdn:x.example", "fqdn:", "x.example.", "", "fqdn:nobody."):
            with pytest.raises(Refused) as caught:
                client.call(f"{INTERFACE}.GetStatus", pvd=other)
            assert (caught.value.name, caught.value.parameters) == (f"{INTERFACE}.NoSuchPvd", {"pvd": other})


def test_pin_unpin_up_and_down_are_records_and_say_what_they_do_not_know(running: Running) -> None:
    running.hear(ra(R1, pvd("x.example.", pio(P))), SettingsLoaded(settings=Settings("home", "toml")))
    running.hear(LinkSeen(link="e1", identity="netns:1:2:1"))
    with running.client() as client:
        for _ in range(2):
            assert client.call(f"{INTERFACE}.Pin", pvd=X) == {}
        assert client.call(f"{INTERFACE}.GetStatus", pvd=X)["pvds"][0]["pinned"] is True
        client.call(f"{INTERFACE}.Unpin", pvd=X)
        for _ in range(2):
            assert client.call(f"{INTERFACE}.Up", settings="home", link="e1") == {"connection": "home@e1"}
        assert client.call(f"{INTERFACE}.Down", settings="home") == {"connections": ["home@e1"]}
        for name, method, asked in (
            ("NoSuchPvd", "Pin", {"pvd": "fqdn:no."}),
            ("NoSuchSettings", "Up", {"settings": "no", "link": "e1"}),
            ("NoSuchLink", "Up", {"settings": "home", "link": "e7"}),
            ("NotUp", "Down", {"settings": "home"}),
        ):
            with pytest.raises(Refused, match=name):
                client.call(f"{INTERFACE}.{method}", **asked)
    assert running.kinds()[3:] == ["PvdPinned", "PvdUnpinned", "ConnectionOpened", "ConnectionClosed"]


GIVEN = """\
[connection]
interface-name = "e1"
[ipv4]
addresses = ["192.0.2.10/24"]
colour = "red"
[wifi-security]
psk = "do not tell"
"""


def test_settings_are_given_at_run_time_and_taken_back(running: Running) -> None:
    running.hear(LinkSeen(link="e1", identity="netns:1:2:1"))
    with running.client() as client:
        for _ in range(2):
            notes = client.call(f"{INTERFACE}.Load", settings="lab", text=GIVEN)["notes"]
        assert [(one["code"], one["key"], one["where"]) for one in notes] == [
            ("settings-unsupported", "[ipv4] colour", "control:lab:5"),
            ("settings-secret", "[wifi-security] psk", "control:lab:7"),
        ]
        known = running.driver.state.settings["lab"]
        assert (known.source, known.origin, known.lines["ipv4.addresses"]) == (
            "control",
            "control:lab:1",
            "control:lab:4",
        )
        assert known.values["ipv4.addresses"] == ["192.0.2.10/24"] and known.values["ipv4.method"] == "manual"
        client.call(f"{INTERFACE}.Up", settings="lab", link="e1")
        assert running.driver.state.pvds["static:lab"].source == "static"
        client.call(f"{INTERFACE}.Load", settings="lab", text=GIVEN.replace("192.0.2.10", "192.0.2.11"))
        client.call(f"{INTERFACE}.Unload", settings="lab")
    assert running.kinds()[1:] == ["SettingsLoaded", "ConnectionOpened", "SettingsLoaded", "SettingsRemoved"], (
        "once each"
    )
    assert running.driver.state.connections["lab@e1"].reason == "settings-removed"
    assert not [one for one in running.driver.journal.records() if "do not tell" in str(one.event)], "no secret"


def test_what_cannot_be_given_is_said_with_its_line_and_changes_nothing(running: Running) -> None:
    origin = "/etc/pvd/settings.d/home.toml:1"
    running.hear(SettingsLoaded(settings=Settings("home", "toml", origin)))
    with running.client() as client:
        for name, method, asked, said in (
            ("NotSettings", "Load", {"settings": "a", "text": "[ipv4]\nmethod = auto\n"}, {"line": 2}),
            ("NotSettings", "Load", {"settings": "a", "text": ""}, {"line": 1}),
            ("OfAFile", "Load", {"settings": "home", "text": GIVEN}, {"origin": origin}),
            ("OfAFile", "Unload", {"settings": "home"}, {"origin": origin}),
            ("NoSuchSettings", "Unload", {"settings": "none"}, {}),
        ):
            with pytest.raises(Refused) as caught:
                client.call(f"{INTERFACE}.{method}", **asked)
            assert caught.value.name == f"{INTERFACE}.{name}"
            assert said.items() <= caught.value.parameters.items()
        for id in ("", "a b", "a@e0", "a/b", "x" * 65):
            with pytest.raises(Refused) as caught:
                client.call(f"{INTERFACE}.Load", settings=id, text=GIVEN)
            assert caught.value.name == f"{SERVICE}.InvalidParameter"
    assert running.kinds() == ["SettingsLoaded"]


def test_checkpoint_rollback_and_commit_by_the_socket(running: Running) -> None:
    here = Settings("home", "toml", "", {"ipv4.addresses": ["192.0.2.10/24"]})
    there = Settings("home", "toml", "", {"ipv4.addresses": ["192.0.2.20/24"]})
    running.hear(LinkSeen(link="e1", identity="netns:1:2:1"), SettingsLoaded(settings=here))
    with running.client() as client:
        for method in ("Rollback", "Commit"):
            with pytest.raises(Refused, match="NoCheckpoint"):
                client.call(f"{INTERFACE}.{method}")
        with pytest.raises(Refused, match="InvalidParameter"):
            client.call(f"{INTERFACE}.Checkpoint", timeout=-1)
        assert client.call(f"{INTERFACE}.Checkpoint", timeout=60) == {"checkpoint": "checkpoint-3"}
        assert running.driver.engine.wake_at() == START + 60 * SECOND
        running.hear(SettingsLoaded(settings=there))
        client.call(f"{INTERFACE}.Up", settings="home", link="e1")
        assert client.call(f"{INTERFACE}.Rollback") == {"records": 3}
        assert running.driver.state.settings["home"] == here
        assert running.driver.state.connections["home@e1"].phase == "closed"
        client.call(f"{INTERFACE}.Checkpoint", timeout=0)
        assert client.call(f"{INTERFACE}.Commit") == {}
        assert running.driver.state.intent.checkpoint is None
    kinds = ["ConnectionClosed", "SettingsLoaded", "CheckpointRolledBack", "CheckpointCreated", "CheckpointCommitted"]
    assert running.kinds()[-5:] == kinds


def test_reload_answers_when_it_is_done_and_later_calls_wait_for_it(tmp_path: Path) -> None:
    problems = ["c:1: unknown key x; did you mean y?"]
    steps: list[str] = []

    async def reload() -> None:
        await asyncio.sleep(0)
        steps.append("reloaded")
        if len(steps) > 1:
            raise ConfigError(problems)

    running = Running(tmp_path, reload)
    try:
        with raw(running.path) as sock:
            sock.sendall(message(f"{INTERFACE}.Reload") + STATUS)
            first, second = replies(sock, 2)
            assert first == {"parameters": {}} and "session" in second["parameters"]
        with running.client() as client, pytest.raises(Refused) as caught:
            client.call(f"{INTERFACE}.Reload")
        assert caught.value.parameters == {"problems": problems}
    finally:
        running.close()


def test_without_a_configuration_there_is_nothing_to_reload(running: Running) -> None:
    with running.client() as client, pytest.raises(Refused, match="NotReloaded"):
        client.call(f"{INTERFACE}.Reload")


def test_what_is_no_method_interface_or_parameter_is_said_in_varlinks_words(running: Running) -> None:
    with running.client() as client:
        for name, parameters, method, asked in (
            ("MethodNotFound", {"method": f"{INTERFACE}.Nope"}, f"{INTERFACE}.Nope", {}),
            ("InterfaceNotFound", {"interface": "io.nobody"}, "io.nobody.Get", {}),
            ("InterfaceNotFound", {"interface": "x"}, f"{SERVICE}.GetInterfaceDescription", {"interface": "x"}),
            ("InvalidParameter", {"parameter": "pvd"}, f"{INTERFACE}.Pin", {}),
            ("InvalidParameter", {"parameter": "pvd"}, f"{INTERFACE}.Pin", {"pvd": 5}),
            ("InvalidParameter", {"parameter": "more"}, f"{INTERFACE}.Pin", {"pvd": "x", "more": 1}),
            ("ExpectedMore", {}, f"{INTERFACE}.Subscribe", {}),
        ):
            with pytest.raises(Refused) as caught:
                client.call(method, **asked)
            assert (caught.value.name, caught.value.parameters) == (f"{SERVICE}.{name}", parameters)


# --- octets --------------------------------------------------------------------------------------------------


@pytest.mark.covers("acc:AP4", "bug:23")
def test_messages_may_be_cut_anywhere_and_come_together(running: Running) -> None:
    said = message(f"{SERVICE}.GetInfo") + message(f"{INTERFACE}.GetStatus", pvd="x") + STATUS
    with raw(running.path) as sock:
        sock.sendall(said)
        whole = replies(sock, 3)
    with raw(running.path) as sock:
        for at in range(len(said)):
            sock.sendall(said[at : at + 1])
        assert replies(sock, 3) == whole
    for cut in range(0, len(said), 7):
        with raw(running.path) as sock:
            sock.sendall(said[:cut])
            sock.sendall(said[cut:])
            assert replies(sock, 3) == whole


def test_oneway_is_done_and_not_answered(running: Running) -> None:
    running.hear(ra(R1, pvd("x.example.", pio(P))))
    with raw(running.path) as sock:
        for pvd_ in (X, "fqdn:no."):
            call = {"method": f"{INTERFACE}.Pin", "parameters": {"pvd": pvd_}, "oneway": True}
            sock.sendall(json.dumps(call).encode() + b"\0")
        sock.sendall(message(f"{INTERFACE}.GetStatus", pvd=X))
        (only,) = replies(sock, 1)
    assert only["parameters"]["pvds"][0]["pinned"] is True


@pytest.mark.parametrize(
    "said",
    [b"{}\0", b"\0", b"nonsense\0", b'{"method": 5}\0', b"[" * 5000 + b"\0", b"\xff\0"],
    ids=["empty", "nothing", "no-json", "method-5", "deep", "no-utf8"],
)
def test_what_is_no_call_ends_the_connection_and_nothing_else(running: Running, said: bytes) -> None:
    with raw(running.path) as sock:
        sock.sendall(said)
        assert sock.recv(100) == b""
    with running.client() as client:
        assert client.call(f"{SERVICE}.GetInfo")["product"] == "pvdd"


@pytest.mark.covers("bug:23")
def test_a_message_beyond_the_bound_is_refused_while_it_comes(running: Running) -> None:
    with raw(running.path) as sock:
        sock.sendall(b"x" * (control.MESSAGE_OCTETS_MAX + 1))
        (only,) = replies(sock, 1)
        assert only["error"] == f"{SERVICE}.InvalidParameter"
        assert sock.recv(10) == b""


def test_connections_are_bounded_for_all_but_root(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "CONNECTIONS_MAX", 1)
    with running.client() as client:
        assert client.call(f"{SERVICE}.GetInfo")
        assert as_nobody(running.path, message(f"{SERVICE}.GetInfo")) == b"", "no more for others"
        with running.client() as another:
            assert another.call(f"{SERVICE}.GetInfo"), "root is always let in"


# --- who may -------------------------------------------------------------------------------------------------

ASK = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(30)
sock.connect(sys.argv[1])
said = bytes.fromhex(sys.argv[2])
data = b""
try:
    sock.sendall(said)
    while data.count(b"\\0") < said.count(b"\\0"):
        more = sock.recv(65536)
        if not more:
            break
        data += more
except (ConnectionResetError, BrokenPipeError):
    pass
sys.stdout.buffer.write(data)
"""


def as_nobody(path: str, said: bytes, gid: int = NOBODY, groups: tuple[int, ...] = ()) -> bytes:
    """What somebody without rights is answered."""
    for folder in Path(path).parents:
        if folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    done = subprocess.run(
        ["/usr/bin/python3", "-c", ASK, path, said.hex()],
        capture_output=True,
        user=NOBODY,
        group=gid,
        extra_groups=groups,
        timeout=60,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.covers("bug:24")
def test_who_is_neither_root_nor_of_the_group_is_refused_and_leaves_a_record(running: Running) -> None:
    running.hear(ra(R1, pvd("x.example.", pio(P))))
    asked = message(f"{INTERFACE}.Pin", pvd=X)
    answer = json.loads(as_nobody(running.path, asked)[:-1])
    assert answer == {"error": f"{SERVICE}.PermissionDenied", "parameters": {}}
    *_, last = running.driver.journal.records()
    assert isinstance(last.event, RequestRefused)
    assert (last.event.method, last.event.uid, last.event.gid) == (f"{INTERFACE}.Pin", NOBODY, NOBODY)
    assert last.event.pid > 1
    assert not running.driver.state.pvds[X].pinned
    said = as_nobody(running.path, b"".join(message(method, interface=SERVICE) for method in METHODS))
    refused = [json.loads(one).get("error") == f"{SERVICE}.PermissionDenied" for one in said.split(b"\0")[:-1]]
    assert refused == [not entry.open for entry in METHODS.values()]
    assert refused.count(False) == 2, "introspection alone is for everybody"


@pytest.mark.covers("bug:24")
def test_members_of_the_group_may_ask_by_their_first_group_or_by_any_other(tmp_path: Path) -> None:
    running = Running(tmp_path, group="games")
    try:
        games = grp.getgrnam("games").gr_gid
        assert b"session" in as_nobody(running.path, STATUS, gid=games)
        assert b"session" in as_nobody(running.path, STATUS, groups=(1, games))
        assert b"PermissionDenied" in as_nobody(running.path, STATUS, groups=(1,))
    finally:
        running.close()


def test_a_group_that_does_not_exist_has_no_members(tmp_path: Path) -> None:
    running = Running(tmp_path, group="no-such-group")
    try:
        assert b"PermissionDenied" in as_nobody(running.path, STATUS)
    finally:
        running.close()


def test_a_loop_of_refused_requests_fills_no_journal(running: Running) -> None:
    as_nobody(running.path, STATUS * 100)
    assert running.kinds().count("RequestRefused") == control.REFUSALS_MAX
    running.later(61)
    *_, last = running.driver.journal.records()
    assert isinstance(last.event, RequestRefused)
    assert (last.event.method, last.event.count) == ("", 100 - control.REFUSALS_MAX)
    with running.client() as client:
        assert client.call(f"{INTERFACE}.GetStatus")["session"]["refused"] == 100


# --- subscriptions -------------------------------------------------------------------------------------------


class Watch:
    """A subscription: notices as they come."""

    def __init__(self, running: Running, cursor: str | None = None) -> None:
        self.client = running.client()
        asked = {} if cursor is None else {"cursor": cursor}
        self._stream = self.client.stream(f"{INTERFACE}.Subscribe", **asked)

    def next(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(next(self._stream))
        return found

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.__exit__(None, None, None)


def change_of(notice: dict[str, Any]) -> Change:
    return read_change(msgspec.json.encode(notice["change"]))


@pytest.mark.covers("acc:AP1", "bug:22")
def test_a_subscriber_gets_a_snapshot_then_each_change_once_and_none_for_a_repeat(running: Running) -> None:
    running.hear(ra(R1, pvd("x.example.", pio(P)), life=100))
    with Watch(running) as early:
        first = early.next()
        assert [one["id"] for one in first["snapshot"]] == [X] and "change" not in first
        running.hear(ra(R2, pio(Q)))
        assert change_of(early.next()).pvd == SECOND_PVD
        for _ in range(20):
            running.hear(ra(R2, pio(Q)))
        running.hear(ra(R2, pio(Q), dns("2001:db8::53")))
        change = change_of(early.next())
        assert (change.version, change.added) == (2, (("dns", "2001:db8::53", ()),))
        with Watch(running) as late:
            assert [one["id"] for one in late.next()["snapshot"]] == [X, SECOND_PVD]
            running.later(101)
            gone, again = early.next(), late.next()
            assert gone == again and gone["change"]["cause"] == "lapsed"
            assert change_of(gone).removed == (("router", R1, ("medium",)),)


def test_a_subscription_goes_on_from_a_cursor_without_a_gap_or_a_repeat(running: Running) -> None:
    with Watch(running) as all_:
        notices = [all_.next()]
        for number in range(8):
            running.hear(ra(R1, pio(P), dns(f"2001:db8::{number + 1}", life=5 + number)))
            notices.append(all_.next())
        running.later(60)  # several lines of history behind one record
        notices += [all_.next() for _ in range(8)]
        running.hear(ra(R2, pio(Q)), ra(R1, pvd("x.example."), pio(P)))
        known = list(running.driver.journal.history())
        notices += [all_.next() for _ in known[len(notices) - 1 :]]
    assert [change_of(one) for one in notices[1:]] == known
    assert len({one["cursor"] for one in notices}) == len(notices)
    for at, seen in enumerate(notices[:-1]):
        with Watch(running, seen["cursor"]) as resumed:
            assert [resumed.next() for _ in notices[at + 1 :]] == notices[at + 1 :], f"from {seen['cursor']}"
    with Watch(running, notices[-1]["cursor"]) as resumed:
        running.hear(ra(R2, pio(Q), dns("2001:db8::99")))
        assert change_of(resumed.next()).added == (("dns", "2001:db8::99", ()),)


@pytest.mark.parametrize("cursor", ["9999:1", "1:9", "x", "", "1", "-1:0", "1:1:1"])
def test_a_cursor_of_another_journal_is_refused(running: Running, cursor: str) -> None:
    running.hear(ra(R1, pio(P)))
    with Watch(running, cursor) as watch, pytest.raises(Refused, match="NoSuchCursor"):
        watch.next()


def test_who_does_not_read_is_told_so_and_dropped_and_holds_up_nobody(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "BACKLOG_OCTETS_MAX", 20_000)
    with Watch(running) as slow, Watch(running) as quick:
        first = slow.next()
        quick.next()
        heard = 0
        while len(running.control.subscribers) == 2:
            heard += 1
            running.hear(ra(R1, pio(P), dns(f"2001:db8::{heard:x}")))
            assert quick.next()["change"]["version"] == heard
        with running.client() as client:
            assert client.call(f"{INTERFACE}.GetStatus")["session"]["subscribers"] == 1
        got: list[dict[str, Any]] = []

        def read_on() -> None:
            while True:
                got.append(slow.next())

        with pytest.raises(Refused) as caught:
            read_on()
        cursor = caught.value.parameters["cursor"]
        assert caught.value.name == f"{INTERFACE}.Lagging"
        assert cursor == (got[-1] if got else first)["cursor"]
        with Watch(running, cursor) as again:
            assert again.next()["change"]["version"] == len(got) + 1, "it goes on where it was"


@pytest.mark.covers("bug:23")
def test_five_hundred_pvds_in_one_answer(running: Running) -> None:
    running.hear(*(ra("fe80::1", pio(P), link=f"e{number}") for number in range(500)))
    with running.client() as client, Watch(running) as watch:
        assert len(client.call(f"{INTERFACE}.GetStatus")["pvds"]) == 500
        assert len(watch.next()["snapshot"]) == 500


# --- the socket itself ---------------------------------------------------------------------------------------


def test_the_socket_of_a_dead_daemon_is_replaced_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "control"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    running = Running(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    with pytest.raises(FileExistsError, match="another pvdd listens there"):
        running.wait(control.Control(running.driver).start(str(path)))
    running.close()
    assert not path.exists()
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="is there and is no socket"):
        asyncio.run(control.Control(running.driver).start(str(path)))
    assert path.read_text() == "mine"


def test_a_client_says_when_nobody_listens_or_somebody_hangs_up(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="start it: systemctl start pvdd"):
        Client(str(tmp_path / "nothing"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "x"))
        server.listen()
        with Client(str(tmp_path / "x"), timeout_s=30) as client:
            server.accept()[0].close()
            with pytest.raises((NotRunning, OSError)):
                client.call(f"{SERVICE}.GetInfo")


# --- what others make of it ----------------------------------------------------------------------------------


def test_the_interface_text_says_what_the_methods_take() -> None:
    for interface, text in TEXTS.items():
        assert re.search(rf"^interface {re.escape(interface)}$", text, re.M)
        said = dict(re.findall(r"^method (\w+)\(([^)]*)\)", text, re.M))
        ours = {name.rpartition(".")[2]: one for name, one in METHODS.items() if name.startswith(interface + ".")}
        assert set(said) == set(ours)
        for name, method in ours.items():
            names = [one.split(":")[0].strip() for one in said[name].split(",") if one.strip()]
            assert names == list(method.asks.__struct_fields__), name
    errors = set(re.findall(r"^error (\w+)", CONTROL_TEXT, re.M))
    source = Path(control.__file__).read_text()
    assert set(re.findall(r'Refusal\("(\w+)"', source)) == errors
    rows = {"Place": control.PlaceRow, "Pvd": control.PvdStatus, "Session": control.Session, "Change": Change}
    rows |= {"Vpn": VpnConnected, "VpnRoute": VpnRoute, "Note": SettingsNote}
    for name, fields in re.findall(r"^type (\w+) \(([^)]*)\)", CONTROL_TEXT, re.M):
        assert re.findall(r"(\w+):", fields) == list(rows[name].__struct_fields__), name


class ControlInterface(asyncvarlink.VarlinkInterface, name=INTERFACE):
    """A part of our interface as an independent implementation has it."""

    @asyncvarlink.varlinkmethod
    def Pin(self, *, pvd: str) -> None: ...


def test_an_independent_client_finds_its_way(running: Running) -> None:
    running.hear(ra(R1, pvd("x.example.", pio(P))))

    async def ask() -> tuple[Any, Any]:
        transport, protocol = await asyncvarlink.connect_unix_varlink(asyncvarlink.VarlinkClientProtocol, running.path)
        service = asyncvarlink.VarlinkInterfaceProxy(protocol, VarlinkServiceInterface)
        info = await service.GetInfo()
        text = await service.GetInterfaceDescription(interface=INTERFACE)
        ours = asyncvarlink.VarlinkInterfaceProxy(protocol, ControlInterface)
        await ours.Pin(pvd=X)
        with pytest.raises(asyncvarlink.VarlinkErrorReply, match="NoSuchPvd"):
            await ours.Pin(pvd="fqdn:no.")
        transport.close()
        return info, text

    info, text = asyncio.run(ask())
    assert info["interfaces"] == [SERVICE, INTERFACE] and info["product"] == "pvdd"
    assert (text["description"] if isinstance(text, dict) else text) == CONTROL_TEXT
    assert running.driver.state.pvds[X].pinned
