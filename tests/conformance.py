"""Which requirement rows passing tests cover: `make conformance` writes docs/conformance.md and docs/conformance.json.

Law: a row is covered because a test that passed in this very run says so; nothing is covered by hand. A row is not
applicable only with a reason in tests/not_applicable.json, and stands under a heading of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
KINDS = {
    "rfc": "Requirement rows",
    "feat": "Features",
    "acc": "Acceptance scenarios",
    "evil": "Hostile inputs",
    "bug": "Bugs of earlier implementations",
}


def run() -> tuple[dict[str, list[str]], int]:
    """The tests that passed with the ids they cover, and pytest's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "covered.json"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", *sys.argv[1:], str(TESTS)]
        code = subprocess.run(command, env={**os.environ, "PVD_CONFORMANCE": str(path)}, check=False).returncode
        return json.loads(path.read_text(encoding="utf-8")), code


def main() -> int:
    """Run the tests, write both files, print the sums. Exits as pytest did."""
    rows: dict[str, str] = json.loads((TESTS / "rows.json").read_text(encoding="utf-8"))
    excused_path = TESTS / "not_applicable.json"
    excused: dict[str, str] = json.loads(excused_path.read_text(encoding="utf-8")) if excused_path.exists() else {}
    passed, code = run()
    by_row: dict[str, list[str]] = {}
    for node, ids in passed.items():
        for one in ids:
            by_row.setdefault(one, []).append(node)
    document = {}
    for row, text in rows.items():
        if row in by_row:
            document[row] = {"status": "covered", "tests": sorted(set(by_row[row])), "why": text}
        elif row in excused:
            document[row] = {"status": "not-applicable", "tests": [], "why": excused[row]}
        else:
            document[row] = {"status": "open", "tests": [], "why": text}
    lines = ["# Conformance", "", "Written by `make conformance` from the tests that passed.", ""]
    sums = ["| kind | covered | open | not applicable |", "|---|---|---|---|"]
    for kind in KINDS:
        states = [entry["status"] for row, entry in document.items() if row.startswith(kind + ":")]
        counts = [states.count(word) for word in ("covered", "open", "not-applicable")]
        sums.append(f"| {kind} | {counts[0]} | {counts[1]} | {counts[2]} |")
    lines += [*sums, ""]
    for kind, title in KINDS.items():
        for word in ("covered", "open", "not-applicable"):
            chosen = {
                row: entry for row, entry in document.items() if row.startswith(kind + ":") and entry["status"] == word
            }
            if not chosen:
                continue
            lines += [f"## {title}: {word}", "", "| row | what | tests |", "|---|---|---|"]
            for row, entry in chosen.items():
                what = str(entry["why"]).replace("|", "\\|")
                lines.append(f"| {row} | {what} | {len(entry['tests'])} |")
            lines.append("")
    DOCS.mkdir(exist_ok=True)
    text = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True)
    (DOCS / "conformance.json").write_text(text + "\n", encoding="utf-8")
    (DOCS / "conformance.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(sums))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
