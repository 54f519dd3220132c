"""The tables of rules.py and the readers agree, both ways: no rule without a row, no row without a use."""

import ast
import re
from pathlib import Path

import adapters.wire.cursor
from adapters.wire.rules import NOTES, REASONS, RULES

WIRE = Path(adapters.wire.cursor.__file__).parent
SOURCES = [*sorted(WIRE.rglob("*.py")), WIRE.parent / "ingest.py"]
ND_SOURCES = ("options.py", "pvd_option.py", "ra.py", "nd.py")


def first_arguments(source: Path, function: str, position: int = 0) -> set[str]:
    """What the calls of `function` say there, as regular expressions: a literal, or an f-string with `.*` for its
    fields. A variable says nothing."""
    said: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
            said |= _texts(node.args[position])
    return said


def _texts(node: ast.expr) -> set[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {re.escape(node.value)}
    if isinstance(node, ast.JoinedStr):
        parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*" for part in node.values]
        return {"".join(parts)}
    if isinstance(node, ast.IfExp):
        return _texts(node.body) | _texts(node.orelse)
    return set()


def matches(patterns: set[str], names: dict[str, str]) -> set[str]:
    return {name for name in names if any(re.fullmatch(pattern, name) for pattern in patterns)}


def test_every_rule_that_is_raised_has_a_row() -> None:
    for source in SOURCES:
        for pattern in first_arguments(source, "Malformed"):
            assert matches({pattern}, RULES), (source.name, pattern)


def test_every_reason_of_nd_has_a_row() -> None:
    for source in SOURCES:
        if source.name in ND_SOURCES:
            for pattern in first_arguments(source, "ignored", 1):
                assert matches({pattern}, REASONS), (source.name, pattern)


def test_every_note_has_a_row() -> None:
    for source in SOURCES:
        for pattern in first_arguments(source, "Note"):
            assert matches({pattern}, NOTES), (source.name, pattern)


def test_every_row_is_used() -> None:
    texts = "".join(source.read_text() for source in SOURCES if source.name != "rules.py")
    raised = set().union(*[first_arguments(source, "Malformed") for source in SOURCES])
    for rule in RULES:
        assert matches(raised, {rule: ""}) or f'"{rule}"' in texts, rule
    for name in (*REASONS, *NOTES):
        assert f'"{name}"' in texts, name


def test_a_row_is_one_sentence_and_its_name_a_short_word() -> None:
    for table in (RULES, REASONS, NOTES):
        for name, meaning in table.items():
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name), name
            assert meaning.endswith("."), name
