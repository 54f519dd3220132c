"""The stories in scenarios/*.txt: each is run, and what it prints must be what stands there.

Law: the files are the truth. After a change that is meant, PVD_REWRITE=1 writes them anew, and the diff is argued by
hand. Invariants are checked after every record (tests/sim/build.py).
"""

import os
from pathlib import Path

import pytest

from tests.sim.script import begin, run

FOLDER = Path(__file__).parent / "scenarios"
FILES = sorted(FOLDER.glob("*.txt"))
REWRITE = os.environ.get("PVD_REWRITE") == "1"
BAR = "----"


def told(text: str) -> str:
    """A scenario file with what its commands print now."""
    lines = text.splitlines()
    story, first, out = None, True, []
    commands: list[str] = []
    printed = False  # within the output of the last block
    for line in lines:
        if printed:
            if line.strip():
                continue
            printed = False
        if line == BAR:
            if first:
                story, commands = begin(commands)
                first = False
            assert story is not None
            said = run(commands, story)
            # A blank line ends the output, so it can't stand within it.
            out += [BAR, *("\n".join(said).splitlines())]
            commands, printed = [], True
            continue
        out.append(line)
        if line.strip() and not line.startswith("#"):
            commands.append(line.strip())
    assert not commands, f"commands without {BAR}: {commands}"
    return "\n".join(out) + "\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_story_is_told_as_it_is_written(path: Path, request: pytest.FixtureRequest) -> None:
    text = path.read_text()
    again = told(text)
    if REWRITE:
        path.write_text(again)
    else:
        assert again == text


def test_a_story_told_otherwise_is_noticed() -> None:
    """The negative case: the runner compares, it doesn't only run."""
    text = (FOLDER / "two-routers.txt").read_text()
    wrong = text.replace("router fe80::1", "router fe80::7", 1)
    assert wrong != text
    assert told(wrong) == text != wrong


def test_there_is_a_story_for_each_chapter() -> None:
    assert len(FILES) >= 12
    for path in FILES:
        assert path.read_text().startswith("# "), f"{path.name} does not say what it tells"
        assert path.read_text().count(BAR) >= 2
