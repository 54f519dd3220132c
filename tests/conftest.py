"""The suite's own rules: a test that was not run did not pass.

With CI=true (`.ci/run` sets it) a skipped test is a failed one, be it skipped by a mark, in its body, in a
fixture, or with its whole module. A machine that lacks a tool must get it (`.ci/packages`), not hide the test.
An expected failure is not a skip; it is strict, so one that passes fails.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

NO_SKIP = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


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


# --- @pytest.mark.covers(*ids): the check of the ids against the requirement rows goes here -----------------
