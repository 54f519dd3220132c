"""The layers are one straight line and every file keeps to its place: the contracts of pyproject.toml, and the
house rules about names that no other tool checks.

import-linter is run on a copy of the four trees in which every folder has an `__init__.py`. Where the project is
installed too, `events` has two portions on the path (the checkout's and site-packages'), and both would be read;
in the copy it is a regular package and there is only one.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TREES = ("events", "pvdcore", "adapters", "replay")  # lowest first
NAMESPACES = ("events", "adapters", "replay")
FORBIDDEN = ("time", "random", "uuid", "os", "socket", "asyncio", "logging", "pyroute2", "scapy", "structlog")
PURE = ("events", "pvdcore")

# What PyPI's distributions of the same import names hold, and what no file may be called anywhere.
THEIRS = {
    "events": {"events"},
    "adapters": {
        "configuration",
        "context",
        "heads",
        "interface",
        "loading",
        "methods",
        "models",
        "trainer",
        "training",
        "utils",
    },
}
DRAWERS = {"utils", "helpers", "common"}


def sources(*trees: str) -> list[Path]:
    """Every Python file below the trees; none of the trees may be empty, lest a rule hold for want of files."""
    found = []
    for tree in trees:
        files = sorted((ROOT / tree).rglob("*.py"))
        assert files, f"{tree}/ holds no Python file"
        found += files
    return found


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- the contracts -------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for tree in TREES:
        shutil.copytree(ROOT / tree, tmp_path / tree, ignore=shutil.ignore_patterns("__pycache__", "data"))
        for folder in [tmp_path / tree, *(p for p in (tmp_path / tree).rglob("*") if p.is_dir())]:
            (folder / "__init__.py").touch()
    return tmp_path


def lint_imports(folder: Path) -> tuple[int, str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_say_what_the_house_says() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contracts = {contract["id"]: contract for contract in tool["contracts"]}
    assert sorted(tool["root_packages"]) == sorted(TREES)
    assert contracts["line"]["layers"] == list(reversed(TREES))
    assert set(contracts["pure"]["forbidden_modules"]) >= set(FORBIDDEN)
    assert contracts["pure"]["source_modules"] == list(PURE)
    assert not any("ignore_imports" in contract for contract in contracts.values())


def test_the_contracts_are_kept(copy: Path) -> None:
    status, said = lint_imports(copy)
    assert status == 0, said
    assert "2 kept, 0 broken" in said


def test_an_import_to_the_right_breaks_the_line(copy: Path) -> None:
    upward = [(low, high) for at, low in enumerate(TREES) for high in TREES[at + 1 :]]
    for tree in TREES:
        (copy / tree / "planted_target.py").touch()
    for low, high in upward:
        (copy / low / f"planted_{high}.py").write_text(f"def late():\n    import {high}.planted_target\n")
    status, said = lint_imports(copy)
    assert status == 1, said
    for low, high in upward:
        assert f"{low}.planted_{high} -> {high}.planted_target" in said


def test_a_clock_or_a_socket_breaks_purity(copy: Path) -> None:
    plants = [(tree, name) for tree in PURE for name in FORBIDDEN]
    for tree, name in plants:
        # A submodule and a late import count as well.
        line = {"os": "from os.path import join", "scapy": "import scapy.all"}.get(name, f"import {name}")
        (copy / tree / f"planted_{name}.py").write_text(f"def late():\n    {line}\n")
    status, said = lint_imports(copy)
    assert status == 1, said
    for tree, name in plants:
        assert f"{tree}.planted_{name} -> {name}" in said


# --- the entries at the top ----------------------------------------------------------------------------------

ENTRIES = {"pyproject.toml", *TREES, "tests", "README.md", "LICENSE", "Makefile", "docs"}


def test_nothing_but_the_fixed_entries_stands_at_the_top() -> None:
    """What git would carry: the six of the house, four beside them, and dot-files."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    tops = {path.split("/")[0] for path in listed}
    assert {name for name in tops if not name.startswith(".")} == ENTRIES
    assert not any(path.endswith(".py") for path in listed if path.startswith("docs/")), "docs/ holds no code"


# --- the names -----------------------------------------------------------------------------------------------


def test_namespaces_have_no_init() -> None:
    found = [named(path) for path in sources(*TREES) if path.name == "__init__.py"]
    tops = [f"{tree}/__init__.py" for tree in NAMESPACES]
    assert not [name for name in found if name in tops], "pip would overwrite the other distribution's file"
    assert "pvdcore/__init__.py" in found


def test_no_file_is_named_as_one_of_theirs() -> None:
    for tree, names in THEIRS.items():
        clashing = [p.name for p in (ROOT / tree).iterdir() if p.stem in names]
        assert not clashing, f"{tree}/: {clashing} would overwrite a file of PyPI's {tree}"


def test_no_file_is_a_drawer() -> None:
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(folder, name) for name in [*files, *folders] if name.removesuffix(".py") in DRAWERS]
    assert not found, f"say what it holds, not that it is left over: {found}"


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Each import of a file: its line and the module that it names, a relative one in full."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            yield node.lineno, ".".join([*package, *([node.module] if node.module else [])])


def test_nothing_is_imported_from_a_bare_namespace() -> None:
    """Beside PyPI's `Events`, `events` itself is theirs; only the modules below it are ours."""
    wrong = [
        f"{named(path)}:{line}: {module}"
        for path in sources(*TREES, "tests")
        for line, module in imported(path)
        if module in NAMESPACES
    ]
    assert not wrong, f"write `from events.router import …`: {wrong}"


def test_no_layer_imports_the_tests() -> None:
    wrong = [
        f"{named(path)}:{line}"
        for path in sources(*TREES)
        for line, module in imported(path)
        if module.split(".")[0] == "tests"
    ]
    assert not wrong


def test_every_file_opens_with_its_law() -> None:
    lawless = [
        named(path)
        for path in sources(*TREES, "tests")
        if not (ast.get_docstring(ast.parse(path.read_bytes(), str(path))) or "").strip()
    ]
    assert not lawless, f"open with a docstring that says what holds for the file: {lawless}"
