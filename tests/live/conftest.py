"""The lab as a fixture, one for each test; at its end every live journal has to replay to the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.again import replays_alike
from tests.live.lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of its own; everything in it is gone after the test. Each journal that a pvdd kept in it is replayed."""
    with Lab(tmp_path) as made:
        yield made
        for journal in made.journals():
            replays_alike(journal, tmp_path)
