"""Changes the code by one thing at a time and lists the changes that no test notices: `make mutants`.

Law: what survives is printed, never hidden; only sentences for people are left as they are (pyproject.toml says which
lines). The work happens on a copy, so that a run that is broken off leaves nothing changed here.

    make mutants                                     all of pvdcore and adapters/wire (hours on 2 cores)
    make mutants ONLY='pvdcore.leases.membership*'   one module, by dotted pattern
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COPY = ROOT / ".mutants"  # a dot-file: the tree of the project stays as it is
TAKEN = ("events", "pvdcore", "adapters", "replay", "tests", "docs", "pyproject.toml", "Makefile", "README.md", ".ci")
SURVIVED = re.compile(r"^\s*(\S+): (survived|no tests|timeout|suspicious)$")


def tree() -> None:
    """Bring the copy up to date; what earlier runs found of unchanged functions is kept by mutmut."""
    COPY.mkdir(exist_ok=True)
    for name in TAKEN:
        source, target = ROOT / name, COPY / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)


def narrow(only: list[str]) -> None:
    """Have the copy's configuration change no other files than those asked for: to change all of them takes minutes."""
    files = [one for pattern in only for one in files_of(pattern)]
    path = COPY / "pyproject.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    said = [f"only_mutate = {json.dumps(files)}" if line.startswith("only_mutate = ") else line for line in lines]
    path.write_text("\n".join(said) + "\n", encoding="utf-8")


def files_of(pattern: str) -> list[str]:
    """The files, as patterns, that a dotted pattern may be about: a room, a module, or a function of one."""
    parts = pattern.split(".")
    whole = "/".join(parts)
    return [
        whole if whole.endswith("*") else f"{whole}*",
        *("/".join(parts[:at]) + ".py" for at in range(2, len(parts))),
    ]


def mutmut(*words: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """One command of mutmut in the copy."""
    command = [sys.executable, "-m", "mutmut", *words]
    return subprocess.run(command, cwd=COPY, check=False, text=True, stdout=subprocess.PIPE if quiet else None)


def survivors(only: list[str]) -> list[str]:
    """The names of the mutants that lived, in the order of the code."""
    lines = mutmut("results", quiet=True).stdout.splitlines()
    found = [match[1] for line in lines if (match := SURVIVED.match(line))]
    patterns = [re.compile(re.escape(one).replace(r"\*", ".*") + "$") for one in only]
    return [name for name in found if not patterns or any(one.match(name) for one in patterns)]


def main() -> int:
    """Run, then print each survivor as a difference, and their sum by module. Exit code 1 if the tests can't run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("only", nargs="*", help="dotted patterns, as pvdcore.leases*")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    tree()
    if args.only:
        narrow(args.only)
    code = mutmut("run", "--max-children", str(args.jobs), *args.only).returncode
    if code:
        return 1
    alive = survivors(args.only)
    for name in alive:
        print(mutmut("show", name, quiet=True).stdout)
    by_module: dict[str, int] = {}
    for name in alive:
        module = name.rpartition(".")[0]
        by_module[module] = by_module.get(module, 0) + 1
    for module, count in by_module.items():
        print(f"{count:5} survive in {module}")
    print(f"{len(alive):5} in all")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
