"""The fuzzers in the suite: what they found once stays tried for ever, and each runs for a moment.

Law: a file of tests/fuzz/found/ is named `TARGET-…HASH` and must pass its target now.
"""

from pathlib import Path

import pytest

from adapters.wire.names import BadName
from tests.fuzz import targets
from tests.fuzz.run import CORPUS, FOUND, at_random, corpus
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS, Fault

FILES = sorted(FOUND.glob("*-*")) if FOUND.exists() else []
TRIES = 200  # of each target, the same ones every time


def test_the_faults_found_once_are_mended() -> None:
    assert {path.name.split("-")[0] for path in FILES} <= set(TARGETS)
    for path in FILES:
        TARGETS[path.name.split("-")[0]](path.read_bytes())


def test_the_corpus_has_what_is_known_of_each_format() -> None:
    """`tests/fuzz/run.py --reseed` writes it; a row that was added to a table is a seed from then on."""
    assert {target: set(corpus(target)) for target in TARGETS} == {
        target: set(made) for target, made in seeds().items()
    }


@pytest.mark.parametrize("target", TARGETS)
def test_a_moment_of_fuzzing_finds_nothing(target: str) -> None:
    assert corpus(target), f"no corpus: tests/fuzz/run.py --reseed writes {CORPUS}"
    assert at_random(target, tries=TRIES) == (TRIES, None)


def test_a_broken_decoder_is_found_and_its_input_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def read(data: bytes, at: int, end: int) -> tuple[str, int]:
        raise BadName("name-unterminated", end + 1)  # an offset past the octets, as there was once

    monkeypatch.setattr(targets, "read_name", read)
    monkeypatch.setattr("tests.fuzz.run.FOUND", tmp_path)
    monkeypatch.setattr("tests.fuzz.run.corpus", lambda target: [])
    count, path = at_random("names", tries=1)
    assert count == 1 and path is not None and path.parent == tmp_path
    with pytest.raises(Fault):
        TARGETS["names"](path.read_bytes())
