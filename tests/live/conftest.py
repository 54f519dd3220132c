"""The lab as a fixture, one for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of its own; everything in it is gone after the test."""
    with Lab(tmp_path) as made:
        yield made
