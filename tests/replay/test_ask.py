"""The commands that speak with the daemon: their answers, and the line and exit code when there is none."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from immutables import Map

import replay.cli as cli
import replay.live.doctor as doctor
from adapters.running.config import ConfigError
from adapters.sqlite import SqliteJournal
from events.link import LinkSeen
from events.operator import PolicySet, Settings, SettingsLoaded
from events.ops import PlanApplied
from pvdcore.engine import Engine
from pvdcore.policy import DEFAULT
from pvdcore.state import Instance, Placement, Pvd, State
from replay.endings import Stop
from replay.live.ask import enter, netns_of
from replay.live.doctor import CHECKS, GOOD, LACKING, neighbors
from tests.adapters.driver import Running
from tests.sim.build import R1, R2, START, dns, pio, pvd, ra

ROOT = Path(__file__).resolve().parent.parent.parent
X = "fqdn:x.example."
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
Ctl = Callable[..., tuple[int, str, str]]
DAEMON = (
    "monitor",
    "wait x",
    "pin x",
    "unpin x",
    "up s --link e0",
    "down s",
    "unload s",
    "reload",
    "call GetStatus",
    "checkpoint",
    "commit",
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.close()


@pytest.fixture
def ctl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ctl:
    monkeypatch.delenv("PVD_JOURNAL", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize("words", DAEMON)
def test_without_a_daemon_the_exit_code_is_8_and_the_line_says_what_to_do(words: str, ctl: Ctl, tmp_path: Path) -> None:
    cursor = ("--cursor", "1:1") if words == "monitor" else ()
    code, out, err = ctl(*words.split(), *cursor, "--control", str(tmp_path / "none"))
    assert (code, out) == (8, "")
    assert err.endswith("start it: systemctl start pvdd\n") and err.count("\n") == 1


def test_settings_come_from_a_file_or_from_standard_input(
    running: Running, ctl: Ctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, socket = tmp_path / "lab.toml", ("--control", running.path)
    file.write_text('[ipv4]\naddresses = ["192.0.2.10/24"]\nttl = 3\n')
    code, out, err = ctl("load", "lab", str(file), *socket)
    assert (code, out, err) == (0, "", "pvdctl: [ipv4] ttl (control:lab:3): not supported\n")
    assert running.driver.state.settings["lab"].values["ipv4.addresses"] == ["192.0.2.10/24"]
    assert ctl("unload", "lab", *socket) == (0, "", "") and not running.driver.state.settings
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[ipv4]\nmethod = auto\n")))
    code, out, err = ctl("load", "lab", "-", *socket)
    assert (code, out) == (1, "") and err == 'pvdctl: line 2: no TOML; write lines such as: method = "auto"\n'
    for path, says in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        code, out, err = ctl("load", "lab", str(path), *socket)
        assert (code, out) == (1, "") and says in err and err.count("\n") == 1
    (tmp_path / "odd").write_bytes(b"\xff")
    assert "no UTF-8" in ctl("load", "lab", str(tmp_path / "odd"), *socket)[2]


def test_one_call_each(running: Running, ctl: Ctl) -> None:
    running.hear(ra(R1, pvd("x.example.", pio(P))), SettingsLoaded(settings=Settings("home", "toml")))
    running.hear(LinkSeen(link="e1", identity="netns:1:2:1"))
    socket = ("--control", running.path)
    for words in ("pin x.ex", "unpin fqdn:x", "up home --link e1", "down home"):
        assert ctl(*words.split(), *socket) == (0, "", "")
    assert running.kinds()[3:] == ["PvdPinned", "PvdUnpinned", "ConnectionOpened", "ConnectionClosed"]
    for words, code, says in (
        ("pin fqdn:nobody.", 10, "no PvD has the id 'fqdn:nobody.'; `pvdctl list --all`"),
        ("up nothing --link e1", 10, "no settings are called 'nothing'"),
        ("up home --link e7", 10, "there is no link 'e7'"),
        ("down home", 10, "'home' is not active anywhere"),
        ("rollback", 10, "there is no checkpoint"),
        ("reload", 1, "give it --config"),
        ("call Nope", 2, "no such method"),
        ("call Pin", 2, "not what the method takes: pvd"),
        ("call Subscribe", 2, "use `pvdctl monitor`"),
        ("call Pin [1]", 2, "is no JSON object"),
    ):
        found, out, err = ctl(*words.split(), *socket)
        assert (found, out) == (code, "") and says in err and err.count("\n") == 1, words


def test_a_prefix_of_two_names_is_not_guessed(running: Running, ctl: Ctl) -> None:
    running.hear(ra(R1, pio(P)), ra(R2, pio(Q)))
    code, _, err = ctl("pin", "ra:e0", "--control", running.path)
    assert code == 2 and "may be ra:e0/1/fe80::1, ra:e0/1/fe80::2" in err
    assert "PvdPinned" not in running.kinds()


def test_reload_shows_the_first_mistake_and_how_many_more(tmp_path: Path, ctl: Ctl) -> None:
    async def reload() -> None:
        raise ConfigError(["c:1: unknown key x; did you mean y?", "c:2: z"])

    running = Running(tmp_path, reload)
    try:
        code, _, err = ctl("reload", "--control", running.path)
    finally:
        running.close()
    assert (code, err) == (1, "pvdctl: c:1: unknown key x; did you mean y? (and 1 more: pvdd --check)\n")


def test_call_prints_the_answer_or_the_interfaces(running: Running, ctl: Ctl) -> None:
    running.hear(ra(R1, pvd("x.example.", pio(P))))
    code, out, _ = ctl("call", "GetStatus", json.dumps({"pvd": X}), "--control", running.path)
    assert code == 0 and [one["id"] for one in json.loads(out)["pvds"]] == [X]
    assert json.loads(ctl("call", "org.varlink.service.GetInfo", "--control", running.path)[1])["product"] == "pvdd"
    out = ctl("call", "--control", running.path)[1]
    assert "interface org.varlink.service" in out and "method GetStatus(pvd: ?string)" in out


def test_wait_ends_when_the_pvd_is_there_when_it_is_gone_and_when_it_takes_too_long(running: Running, ctl: Ctl) -> None:
    socket = ("--control", running.path)
    code, _, err = ctl("wait", X, "--timeout", "0.01", *socket)
    assert code == 3 and "is not announced after 0.01 s" in err
    codes: list[int] = []
    waiting = threading.Thread(target=lambda: codes.append(cli.main(["wait", "x.example", *socket])))
    waiting.start()
    while not running.do(lambda: len(running.control.subscribers)):
        pass
    running.hear(ra(R1, pvd("x.example.", pio(P)), life=100))
    waiting.join(30)
    assert codes == [0]
    assert ctl("wait", "x.example", *socket)[0] == 0, "it is there already"
    assert ctl("wait", X, "--phase", "placed", "--timeout", "0.01", *socket)[0] == 3
    assert ctl("wait", "fqdn:nobody.", "--phase", "gone", *socket)[0] == 0


def test_monitor_shows_each_change_and_goes_on_from_a_cursor(running: Running) -> None:
    words = [sys.executable, "-m", "replay.cli", "monitor", "--jsonl", "--control", running.path]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running.hear(ra(R1, pio(P)))
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        while not running.do(lambda: len(running.control.subscribers)):
            pass
        running.hear(ra(R1, pio(P), dns("2001:db8::53")))
        running.hear(ra(R2, pio(Q)))
        first, second = (json.loads(child.stdout.readline()) for _ in range(2))
        child.terminate()
    assert first["added"] == [{"kind": "dns", "address": "2001:db8::53"}] and first["version"] == 2
    assert second["pvd"] == "ra:e0/1/fe80::2"
    with subprocess.Popen(
        [*words, "--cursor", first["cursor"]], stdout=subprocess.PIPE, text=True, env=environment
    ) as on:
        assert on.stdout is not None
        assert json.loads(on.stdout.readline()) == second
        on.terminate()


def test_monitor_follows_the_journal_when_no_daemon_runs(tmp_path: Path) -> None:
    from tests.adapters.driver import Driver

    driver = Driver(SqliteJournal(tmp_path / "j.db"))
    driver.submit(ra(R1, pio(P)))
    driver.journal.commit()
    words = [sys.executable, "-m", "replay.cli", "monitor", "--jsonl", "--control", str(tmp_path / "none")]
    words += ["--journal", str(tmp_path / "j.db")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None and child.stderr is not None
        assert "pvdd does not run; this follows its journal" in child.stderr.readline()
        # Whether it had opened the journal by then cannot be known: so changes go on until one is shown.
        stop = threading.Event()
        shown: list[str] = []

        def read() -> None:
            assert child.stdout is not None
            shown.append(child.stdout.readline())
            stop.set()

        reader = threading.Thread(target=read)
        reader.start()
        number = 0
        while not stop.wait(0.3):
            number += 1
            driver.clock += 10**9
            driver.submit(ra(R1, pio(P), dns(f"2001:db8::{number:x}")))
            driver.journal.commit()
        reader.join(30)
        child.terminate()
    assert json.loads(shown[0])["pvd"] == "ra:e0/1/fe80::1"
    driver.journal.close()


# --- exec ----------------------------------------------------------------------------------------------------


class Placed:
    """A source whose one PvD is placed in a namespace, or not."""

    def __init__(self, *netns: str) -> None:
        cell = ("e0", 1, "")
        placement = Placement("netns", *netns, *netns) if netns else None
        instance = Instance("e0", 1, "", "placed" if netns else "announced", 0, placement=placement)
        found = Pvd(X, "x.example.", "explicit", "ra", first_seen=0, cells=Map({cell: instance}))
        self.state = State(pvds=State().pvds.set(X, found))


def test_exec_names_no_namespace_for_what_is_unknown_or_not_placed() -> None:
    with pytest.raises(Stop, match="is in no namespace") as caught:
        netns_of(Placed(), X)
    assert caught.value.code == 125
    with pytest.raises(Stop) as caught:
        netns_of(Placed(), "fqdn:nobody.")
    assert caught.value.code == 10
    with pytest.raises(Stop, match="is pvdd running") as caught:
        enter("pvd-there-is-none")
    assert caught.value.code == 125


INSIDE = """
import sys
sys.path.insert(0, {root!r})
from replay.live.ask import run_inside
from replay.endings import Stop
try:
    run_inside({netns!r}, {words!r})
except Stop as stop:
    print(stop, file=sys.stderr)
    sys.exit(stop.code)
"""


@pytest.fixture
def netns() -> Iterator[str]:
    name = f"pvdexec{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    folder = Path("/etc/netns") / name
    folder.mkdir(parents=True)
    (folder / "resolv.conf").write_text("nameserver 2001:db8::53\n")
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)
    (folder / "resolv.conf").unlink()
    folder.rmdir()


def inside(netns: str, *words: str) -> subprocess.CompletedProcess[str]:
    code = INSIDE.format(root=str(ROOT), netns=netns, words=list(words))
    return subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60)


@pytest.mark.covers("feat:M2", "bug:29")
def test_a_command_runs_in_the_namespace_with_its_resolver_and_nobody_else_sees_it(netns: str) -> None:
    before = Path("/etc/resolv.conf").read_text()
    assert inside(netns, "cat", "/etc/resolv.conf").stdout == "nameserver 2001:db8::53\n"
    assert Path("/etc/resolv.conf").read_text() == before
    links = inside(netns, "ip", "-o", "link").stdout.splitlines()
    assert len(links) == 1 and " lo: " in links[0]
    assert inside(netns, "ip", "netns", "identify").stdout.strip() == netns


def test_the_exit_code_is_the_commands_or_what_a_shell_would_say(netns: str, tmp_path: Path) -> None:
    assert inside(netns, "sh", "-c", "exit 42").returncode == 42
    assert inside(netns, "no-such-command").returncode == 127
    (tmp_path / "plain").write_text("")
    assert inside(netns, str(tmp_path / "plain")).returncode == 126
    assert inside("pvd-there-is-none", "true").returncode == 125


# --- doctor --------------------------------------------------------------------------------------------------


def test_doctor_says_what_to_do_about_all_that_is_lacking(running: Running, ctl: Ctl, tmp_path: Path) -> None:
    code, out, _ = ctl("doctor", "--json", "--control", running.path, "--journal", str(tmp_path / "none.db"))
    found = {one["what"]: one for one in json.loads(out)["findings"]}
    assert len(found) == len(CHECKS) and code == 4
    assert found["pvdd"]["state"] == GOOD and found["network namespaces"]["state"] == GOOD
    assert found["journal"]["state"] == LACKING and "start pvdd" in found["journal"]["advice"]
    assert all(bool(one["advice"]) == (one["state"] != GOOD) for one in found.values())
    assert found["capabilities"]["state"] == GOOD
    table = ctl("doctor", "--control", str(tmp_path / "none"))[1]
    assert "systemctl start pvdd" in table


def test_doctor_counts_the_neighbours_that_places_take_and_says_how_much_room_they_need(
    ctl: Ctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "many.db"
    engine = Engine(SqliteJournal(journal))
    values = {**DEFAULT.values, "projection": "netns", "routers_per_link_max": 4096, "pvds_per_link_max": 4096}
    engine.submit(PolicySet(values=values), source="t", at=START)
    engine.submit(LinkSeen(link="e0", identity="netns:1:2", ifindex=2, host=True), source="t", at=START)
    for number in range(1, 40):
        router = f"fe80::{number:x}"
        engine.submit(ra(router, pio("2001:db8::/64")), source="t", at=START)
        applied = PlanApplied(projection="netns", pvd=f"ra:e0/1/{router}", link="e0", epoch=1, outcomes=())
        if number <= 20 or number > 38:
            engine.submit(applied, source="t", at=START)
    assert neighbors(engine.state) == 21 * (39 + 4)
    engine.journal.commit()

    def said(limit: str | None) -> tuple[str, str]:
        path = tmp_path / "gc_thresh3"
        path.unlink(missing_ok=True)
        if limit is not None:
            path.write_text(f"{limit}\n")
        monkeypatch.setattr(doctor, "THRESHOLD", path)
        out = ctl("doctor", "--json", "--journal", str(journal))[1]
        (one,) = [one for one in json.loads(out)["findings"] if one["what"] == "room for neighbours"]
        return one["state"], one["advice"]

    advice = "; ".join(f"sysctl -w net.ipv6.neigh.default.gc_thresh{at}={2048 >> 3 - at}" for at in (3, 2, 1))
    assert said("1158") == (LACKING, advice)
    assert said("1159") == (GOOD, "")
    assert said(None) == (doctor.UNKNOWN, advice), "in a namespace of its own nobody can look"
