"""What pip installs: the wheel holds the four roots and nothing else, starts both commands in an empty venv, and
lives beside PyPI's `Events` (which owns the import name `events`) in one site-packages, in either order.

Needs PyPI (or pip's cache). Each venv is empty: it has no pip of its own, this interpreter's pip fills it.
"""

from __future__ import annotations

import base64
import csv
import email
import hashlib
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TREES = ("events", "pvdcore", "adapters", "replay")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
COMMANDS = ("pvdctl", "pvdd")


def run(*command: str | Path, cwd: Path) -> str:
    """Run outside the checkout, and without a variable that would lead back into it."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON") and key != "VIRTUAL_ENV"}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (built,) = out.glob("*.whl")
    return built


class Venv:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.bin = home / "bin"
        run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home.parent)
        (self.site,) = home.glob("lib/python*/site-packages")

    def install(self, what: str | Path) -> None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.bin / "python"]
        run(*pip, "install", "-q", "--no-compile", what, cwd=self.home)

    def python(self, code: str) -> str:
        return run(self.bin / "python", "-c", code, cwd=self.home).strip()

    def intact(self, distribution: str) -> list[str]:
        """The files of a distribution, after a check that each still has the hash with which it came."""
        (record,) = self.site.glob(f"{distribution}-*.dist-info/RECORD")
        names = []
        for name, digest, _size in csv.reader(record.read_text().splitlines()):
            if digest:
                kind, want = digest.split("=", 1)
                have = hashlib.new(kind, (self.site / name).read_bytes()).digest()
                assert base64.urlsafe_b64encode(have).decode().rstrip("=") == want, f"{name} was overwritten"
            names.append(name)
        return names


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    return Venv(tmp_path / "venv")


def both_commands_start(venv: Venv) -> None:
    for command in COMMANDS:
        assert command in run(venv.bin / command, "--help", cwd=venv.home)


def test_the_wheel_holds_the_four_roots_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {*TREES, f"pvdcore-{VERSION}.dist-info", f"pvdcore-{VERSION}.data"}
    inits = {name for name in names if name.count("/") == 1 and name.endswith("/__init__.py")}
    assert inits == {"pvdcore/__init__.py"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_wheel_leaves_no_file_of_the_four_roots_out(wheel: Path) -> None:
    here = {
        path.relative_to(ROOT).as_posix()
        for tree in TREES
        for path in (ROOT / tree).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert here <= set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    info = f"pvdcore-{VERSION}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
        scripts = archive.read(f"{info}/entry_points.txt").decode().split("\n")
        assert archive.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert (metadata["Name"], metadata["Version"]) == ("pvdcore", VERSION)
    assert metadata["License-Expression"] == "GPL-2.0-or-later"
    assert metadata["Requires-Python"] == ">=3.11"
    assert {"pvdctl = replay.cli:main", "pvdd = adapters.daemon:main"} <= set(scripts)


def test_the_wheel_starts_both_commands_in_an_empty_venv_and_still_does_after_events(wheel: Path, venv: Venv) -> None:
    venv.install(wheel)
    both_commands_start(venv)
    assert not (venv.site / "events" / "__init__.py").exists()
    venv.install("Events")
    both_live_side_by_side(venv)


def test_the_wheel_overwrites_nothing_of_an_events_that_was_there_first(wheel: Path, venv: Venv) -> None:
    venv.install("Events")
    theirs = (venv.site / "events" / "__init__.py").read_bytes()
    venv.install(wheel)
    both_live_side_by_side(venv)
    assert (venv.site / "events" / "__init__.py").read_bytes() == theirs


def both_live_side_by_side(venv: Venv) -> None:
    ours, theirs = set(venv.intact("pvdcore")), set(venv.intact("[Ee]vents"))
    assert "events/ids.py" in ours and "events/__init__.py" in theirs
    assert not ours & theirs
    assert venv.python("import events.ids; print(events.ids.__file__)") == str(venv.site / "events" / "ids.py")
    assert venv.python("from events import Events; print(Events.__module__)") == "events.events"
    both_commands_start(venv)


COMPILED = "import adapters.chain as a, replay.files.repeats as b; print(int(a.COMPILED) + int(b.COMPILED))"


def test_a_wheel_carries_the_compiled_step_and_is_one_for_this_machine_then(wheel: Path, venv: Venv) -> None:
    assert not wheel.name.endswith("-none-any.whl")
    venv.install(wheel)
    assert venv.python(COMPILED) == "2"


def test_without_a_compiler_the_wheel_is_pure_and_lacks_nothing_else(
    tmp_path: Path, venv: Venv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    (pure,) = tmp_path.glob("*-py3-none-any.whl")
    venv.install(pure)
    assert venv.python(COMPILED) == "0"
    both_commands_start(venv)
