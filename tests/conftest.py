"""The suite's own rules: a test that was not run did not pass.

With CI=true (`.ci/run` sets it) a skipped test is a failed one, be it skipped by a mark, in its body, in a
fixture, or with its whole module. A machine that lacks a tool must get it (`.ci/packages`), not hide the test.
An expected failure is not a skip; it is strict, so one that passes fails.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from pvdcore import engine
from pvdcore.checks.invariants import check
from pvdcore.past import snapshot
from pvdcore.reduce import Fold
from pvdcore.state import State

NO_SKIP = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


# How long an example takes is no fact about the code: a busy machine is not a failure.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"CI=true forbids a skip: {report.nodeid}: {reason}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


# --- @pytest.mark.covers(*ids): an id that is no row fails the run; what passed is what covers ---------------
#
# A row is covered when both what is expected of it and its negative case were asserted: by one test (no `part`), or by
# a test marked `part="expected"` and another marked `part="negative"`. A lone half leaves the row open.

ROWS: dict[str, str] = json.loads((Path(__file__).parent / "rows.json").read_text(encoding="utf-8"))
PARTS = ("", "expected", "negative")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a mark with an id that no row has; hand the ids of each test on to its report."""
    wrong = []
    for item in items:
        for mark in item.iter_markers("covers"):
            part = mark.kwargs.get("part", "")
            if part not in PARTS or mark.kwargs.keys() - {"part"}:
                wrong.append(f"{item.nodeid}: a mark says part= expected or negative, not {mark.kwargs}")
            wrong += [f"{item.nodeid}: {one!r} is no row of tests/rows.json" for one in mark.args if one not in ROWS]
            item.user_properties += [("covers", f"{one} {part}".strip()) for one in mark.args]
    if wrong:
        raise pytest.UsageError("\n".join(wrong))


class Covered:
    """What each passed test covers, written down for tests/conformance.py (PVD_CONFORMANCE names the file)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.passed: dict[str, list[str]] = {}
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed":
            self.failed.add(report.nodeid)
        elif report.when == "call":
            self.passed[report.nodeid] = [str(value) for key, value in report.user_properties if key == "covers"]

    def pytest_sessionfinish(self) -> None:
        good = {node: ids for node, ids in sorted(self.passed.items()) if node not in self.failed}
        Path(self.path).write_text(json.dumps(good), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get("PVD_CONFORMANCE")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Covered(path))


# --- Whatever a test folds, each State on the way keeps the invariants ---------------------------------------


@pytest.fixture(autouse=True)
def _every_state_is_sound(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Behind each record that an engine folds in this process, checks/invariants.py has nothing to object to.

    And what is true at a test's end is true of its snapshot, whatever a State may hold.
    """
    last: list[Fold] = []

    class Sound(Fold):
        def step(self, seq: int, *what: Any) -> None:
            super().step(seq, *what)
            last[:] = [self]
            problems = check(self.state)
            assert not problems, f"record {seq} breaks the invariants: {problems}"
            for (_, link, _), found in self.state.findings.items():
                assert link == "" or link in self.state.links, found
                assert "None" not in found.text, found
                assert found.pvd is None or ":" in found.pvd, found

    monkeypatch.setattr(engine, "Fold", Sound)
    yield
    for fold in last:
        if len(fold.state.pvds) <= KEPT_MAX:
            _kept(fold.state)


KEPT_MAX = 100  # PvDs: what is told of a flood takes long enough
NEW_IN_A_FOLD = {"speakers", "grants", "deadlines", "changes"}  # what is queued, and what the last step changed


def _kept(state: State) -> None:
    data = snapshot.encode(state)
    for back in (snapshot.decode(data), snapshot.decode(snapshot.pack(state))):
        assert snapshot.encode(back) == data
        for name in set(State.__struct_fields__) - NEW_IN_A_FOLD:
            assert getattr(back, name) == getattr(state, name), name
