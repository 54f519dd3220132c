"""The map and the house agree.

Law: every module stands in docs/architecture.md, and what stands there exists; the schemas have a test of their own
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
    """The names in the tree of docs/architecture.md: the words before the gap on each line."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = text.split("## The tree")[1].split("```")[1]
    names: set[str] = set()
    for line in tree.splitlines():
        if line.startswith("tests/"):
            break
        words = re.split(r" {2,}", re.sub(r"^[a-z]+/", "", line).strip())[0]
        names.update(word for word in words.removeprefix("wire/").split() if re.fullmatch(r"[a-z][a-z0-9_]*", word))
    return names


def test_every_module_is_on_the_map_and_nothing_else() -> None:
    assert modules() - mapped() == set(), "modules that docs/architecture.md does not name"
    assert mapped() - modules() == set(), "names in docs/architecture.md that are no module"


def test_the_steps_of_an_ra_name_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    steps = text.split("## What happens to an RA")[1].split("## ")[0]
    for path in re.findall(r"`([a-z]+/[a-z0-9_/]+\.py)`", steps):
        assert (ROOT / path).exists(), path
