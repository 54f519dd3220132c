"""Which requirement rows passing tests cover: `make conformance` writes docs/conformance.md and docs/conformance.json.

Law: a row is covered because tests that passed in this very run assert what is expected of it and its negative case;
nothing is covered by hand. A row is not applicable only with a reason in tests/not_applicable.json, and stands under a
heading of its own; those rows stay few.
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
EXCUSED_MAX = 0.15  # of a kind's rows: beyond that "not applicable" has become a way out
KINDS = {
    "rfc": "Requirement rows",
    "feat": "Features",
    "acc": "Acceptance scenarios",
    "evil": "Hostile inputs",
    "bug": "Bugs of earlier implementations",
    "problem": "Problems named by earlier work",
}


def run() -> tuple[dict[str, list[str]], int]:
    """The tests that passed with the ids they cover, and pytest's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "covered.json"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", *sys.argv[1:], str(TESTS)]
        code = subprocess.run(command, env={**os.environ, "PVD_CONFORMANCE": str(path)}, check=False).returncode
        return json.loads(path.read_text(encoding="utf-8")), code


Entry = dict[str, str | list[str]]


def judged(rows: dict[str, str], excused: dict[str, str], passed: dict[str, list[str]]) -> dict[str, Entry]:
    """Each row with its status, the tests that name it, and its text or the reason why it doesn't apply.

    passed: tests with what they cover, `ROW`, `ROW expected` or `ROW negative`. A half alone leaves its row open.
    """
    by_row: dict[str, list[str]] = {}
    parts: dict[str, set[str]] = {}
    for node, ids in passed.items():
        for one in ids:
            row, _, part = one.partition(" ")
            by_row.setdefault(row, []).append(node)
            parts.setdefault(row, set()).update({part} if part else {"expected", "negative"})
    document: dict[str, Entry] = {}
    for row, text in rows.items():
        status = "covered" if parts.get(row, set()) == {"expected", "negative"} else "open"
        if status == "open" and row in excused:
            status, text = "not-applicable", excused[row]
        document[row] = {"status": status, "tests": sorted(set(by_row.get(row, ()))), "why": text}
    return document


def objections(rows: dict[str, str], excused: dict[str, str], document: dict[str, Entry]) -> list[str]:
    """What is wrong with the list of rows that don't apply: unknown ids, empty reasons, covered after all, too many."""
    wrong = [f"{row} is excused and is no row" for row in excused if row not in rows]
    wrong += [f"{row} is excused without a reason" for row, why in excused.items() if len(why) < 10]
    for row in excused:
        if row in document and document[row]["status"] == "covered":
            wrong.append(f"{row} is excused, but tests cover it: take it out of tests/not_applicable.json")
    for kind in KINDS:
        of_kind = [row for row in rows if row.startswith(kind + ":")]
        count = sum(document[row]["status"] == "not-applicable" for row in of_kind)
        if count >= EXCUSED_MAX * len(of_kind) > 0:
            wrong.append(f"{count} of {len(of_kind)} {kind} rows are excused, {EXCUSED_MAX:.0%} is too many")
    return wrong


def main() -> int:
    """Run the tests, write both files, print the sums. Exits as pytest did; 1 if the list of excuses is wrong."""
    rows: dict[str, str] = json.loads((TESTS / "rows.json").read_text(encoding="utf-8"))
    excused: dict[str, str] = json.loads((TESTS / "not_applicable.json").read_text(encoding="utf-8"))
    passed, code = run()
    document = judged(rows, excused, passed)
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
    wrong = objections(rows, excused, document)
    print("\n".join(wrong), end="\n" if wrong else "")
    return code or int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
