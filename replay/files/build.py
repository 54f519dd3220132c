"""The compiled step: each of TWINS is a file in Python and one in C that does the same; wheels carry the latter built.

Law: without a compiler nothing is missing but speed. Python takes an extension module before a source file of the same
name, so what is built stands in for its twin, and there is no switch to set. Hatch runs this when a wheel is built
(pyproject.toml), with nothing but hatchling and the standard library at hand.
"""

import os
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TWINS = ("adapters/chain", "replay/files/repeats")
FLAGS = ("-O2", "-DNDEBUG", "-Wall", "-Wextra", "-shared", "-fPIC")


def build(root: Path, into: Path) -> tuple[list[str], str]:
    """Compile the twins under `root`: (their paths below `into`, why one is missing or "")."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        return [], "there is no C compiler"
    made: list[str] = []
    for twin in TWINS:
        name = twin + str(sysconfig.get_config_var("EXT_SUFFIX"))
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        headers, source, target = sysconfig.get_path("include"), f"{root / twin}.c", str(into / name)
        command = [*compiler.split(), *FLAGS, f"-I{headers}", source, "-o", target]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            return made, str(error)
        if done.returncode:
            return made, (done.stderr.strip() or f"{compiler} failed").splitlines()[0]
        made.append(name)
    return made, ""


class CompiledStep(BuildHookInterface[Any]):
    """Adds the compiled twins to a wheel; it is one for this Python and machine then."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pvd-"))
        made, trouble = build(Path(self.root), self._folder)
        if trouble:
            self.app.display_warning(f"built without its compiled step, so it is slower: {trouble}")
        build_data["force_include"].update({str(self._folder / name): name for name in made})
        if made:
            build_data |= {"pure_python": False, "infer_tag": True}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
