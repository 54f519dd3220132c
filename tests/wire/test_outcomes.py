"""The table of part E is whole and true: each entry is a row, each test it names is there and claims the entry."""

import ast
import re
from pathlib import Path

from tests.wire import hostile, hostile_dhcp, hostile_json, hostile_netlink
from tests.wire.outcomes import OUTCOMES, Row

TESTS = Path(__file__).resolve().parents[1]
WORDS = ("rejected", "ignored", "said", "folded", "none", "the packets before the damage")
TABLES = {
    "wire/test_hostile.py": {case.entry for case in hostile.HOSTILE},
    "wire/test_hostile_dhcp.py": {int(case[0][1:]) for case in (*hostile_dhcp.DHCP4, *hostile_dhcp.DHCP6)},
    "wire/test_rtnl.py": {int(case[0][1:]) for case in hostile_netlink.NETLINK},
    "wire/test_pvdinfo.py": {int(case[0][1:]) for case in hostile_json.JSON},
}


def functions(path: Path) -> dict[str, str]:
    """The tests of a file, each with its source and decorators."""
    text = path.read_text()
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            found[node.name] = "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    return found


def faults(table: dict[int, Row]) -> list[str]:
    found = [f"E{entry} is no row" for entry in range(1, 101) if entry not in table]
    found += [f"E{entry} is no entry" for entry in table if not 1 <= entry <= 100]
    for entry, row in table.items():
        if not row.outcome.startswith(WORDS):
            found.append(f"E{entry}: {row.outcome!r} is no outcome")
        if not row.tests:
            found.append(f"E{entry} has no test")
        for test in row.tests:
            file, _, name = test.partition("::")
            if not (TESTS / file).exists() or name not in functions(TESTS / file):
                found.append(f"E{entry}: there is no {test}")
    for file, entries in TABLES.items():
        for entry in entries:
            if not any(test.startswith(file) for test in table.get(entry, Row("")).tests):
                found.append(f"E{entry} has octets in the table of {file}, and the row does not name its test")
    return found


def claimed() -> set[int]:
    """The entries that any source under tests/ claims by a mark, and those of the tables."""
    marks = {
        int(number)
        for path in TESTS.rglob("test_*.py")
        if path != Path(__file__)
        for number in re.findall(r'"evil:E(\d+)"', path.read_text())
    }
    return marks | set().union(*TABLES.values())


def test_each_entry_has_its_outcome_and_its_tests() -> None:
    assert faults(OUTCOMES) == []


def test_each_entry_is_claimed_and_an_open_one_in_part_only() -> None:
    assert claimed() == set(OUTCOMES)
    for entry, row in OUTCOMES.items():
        for test in row.tests if row.open else ():
            file, _, name = test.partition("::")
            (mark,) = [line for line in functions(TESTS / file)[name].splitlines() if f'"evil:E{entry}"' in line]
            assert 'part="expected"' in mark


def test_a_table_with_a_hole_or_a_test_that_is_not_there_is_noticed() -> None:
    hole = {entry: row for entry, row in OUTCOMES.items() if entry != 50}
    assert faults(hole) == ["E50 is no row"]
    for tests in (("wire/test_hostile.py::test_of_nothing",), ("wire/test_nothing.py::test_x",)):
        assert faults({**OUTCOMES, 50: OUTCOMES[50]._replace(tests=tests)}) == [f"E50: there is no {tests[0]}"]
    assert faults({**OUTCOMES, 50: Row("folded")}) == ["E50 has no test"]
    assert len(faults({**OUTCOMES, 10: OUTCOMES[10]._replace(tests=OUTCOMES[62].tests)})) == 1
