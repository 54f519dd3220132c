"""The rule of conftest.py against skips is itself tested: it must see each way to skip, here and under xdist."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

SKIPS = {
    "mark": "@pytest.mark.skip(reason='no tool')\ndef test_a(): pass\n",
    "condition": "@pytest.mark.skipif(True, reason='no tool')\ndef test_a(): pass\n",
    "body": "def test_a(): pytest.skip('no tool')\n",
    "fixture": "@pytest.fixture\ndef tool(): pytest.skip('no tool')\n\ndef test_a(tool): pass\n",
    "module": "pytest.importorskip('no_such_module', reason='no tool')\n\ndef test_a(): pass\n",
}


def suite(folder: Path, body: str, *options: str, ci: str) -> tuple[int, str]:
    (folder / "test_planted.py").write_text(f"import pytest\n\n{body}")
    options = ("-p", "tests.conftest", "-c", os.devnull, f"--rootdir={folder}", *options)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CI": ci}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("way", SKIPS)
def test_a_skip_fails_where_ci_is_true(tmp_path: Path, way: str) -> None:
    status, said = suite(tmp_path, SKIPS[way], ci="true")
    assert status in {1, 2}, said  # 2: a module that fails to collect
    assert "CI=true forbids a skip" in said
    assert "no tool" in said
    assert "skipped" not in said.splitlines()[-1]


@pytest.mark.parametrize("way", ["body", "module"])
def test_a_skip_fails_under_xdist_too(tmp_path: Path, way: str) -> None:
    status, said = suite(tmp_path, SKIPS[way], "-n1", ci="true")
    assert status in {1, 2}, said
    assert "CI=true forbids a skip" in said


def test_a_skip_is_a_skip_elsewhere_and_an_expected_failure_is_none(tmp_path: Path) -> None:
    assert suite(tmp_path, SKIPS["body"], ci="")[0] == 0
    assert suite(tmp_path, "@pytest.mark.xfail\ndef test_a(): assert False\n", ci="true")[0] == 0
