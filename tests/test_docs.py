"""The map and the house agree.

Law: every module stands in docs/architecture.md; the schemas have a test of their own
(tests/replay/test_report.py).
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TREES = ("events", "pvdcore", "adapters", "replay")


def modules() -> set[str]:
    """The names of all modules of the four trees."""
    return {path.stem for tree in TREES for path in (ROOT / tree).rglob("*.py")} - {"__init__"}


def mapped() -> set[str]:
    """The words of the tree in docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = text.split("## The tree")[1].split("```")[1].split("\ntests/")[0]
    return set(re.findall(r"[a-z][a-z0-9_]*", tree))


def test_every_module_is_on_the_map() -> None:
    assert modules() - mapped() == set(), "modules that docs/architecture.md does not name"


def test_the_steps_of_an_ra_name_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    steps = text.split("## What happens to an RA")[1].split("## ")[0]
    for path in re.findall(r"`([a-z]+/[a-z0-9_/]+\.py)`", steps):
        assert (ROOT / path).exists(), path
