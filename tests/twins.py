"""The compiled steps, for the suites that hold each beside its twin in Python.

Law: what is built here is what the wheel's hook builds (replay/files/build.py), in a folder of its own.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from replay.files.build import build

ROOT = Path(__file__).resolve().parents[1]


def built(folder: Path) -> Path:
    """The folder with all compiled steps in it, to be put before the checkout on the path."""
    made, trouble = build(ROOT, folder)
    assert made and not trouble, trouble
    return folder


def in_c(folder: Path, twin: ModuleType) -> ModuleType:
    """The compiled step of a built folder that stands in for a module."""
    name = twin.__name__.rpartition(".")[2]
    (path,) = folder.rglob(f"{name}.*")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.COMPILED and not twin.COMPILED
    return module
