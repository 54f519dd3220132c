"""The table of policies: each has its default, its rows, and a test that turns it.

Law: a knob that no test turns is a promise nobody has looked at; so is a judgement whose rows no test names.
"""

import ast
import json
from pathlib import Path

import pytest

from pvdcore.judgements import JUDGEMENTS, Judgement
from pvdcore.policy import DEFAULT, KNOBS, Knob, Policy, PolicyError, check
from tests.sim.build import Story

TESTS = Path(__file__).parent.parent
ROWS = json.loads((TESTS / "rows.json").read_text(encoding="utf-8"))


class Said:
    """What the tests say, read and not run: the rows that they name, and the policies that they set."""

    def __init__(self) -> None:
        self.rows: set[str] = set()
        self.turned: dict[str, list[object]] = {}
        for path in TESTS.rglob("test_*.py"):
            if path != Path(__file__):
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                    self._look(node)
        for path in (TESTS / "scenarios").glob("*.txt"):
            for line in path.read_text(encoding="utf-8").splitlines():
                if line.startswith("policy "):
                    name, _, value = line.removeprefix("policy ").partition("=")
                    self.turned.setdefault(name.strip(), []).append(value.strip())

    def _look(self, node: ast.AST) -> None:
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == "covers":
                self.rows |= {one.value for one in node.args if isinstance(one, ast.Constant)}  # type: ignore[misc]
            for one in node.keywords:
                if one.arg is not None:
                    self.turned.setdefault(one.arg, []).append(getattr(one.value, "value", None))
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    self.turned.setdefault(key.value, []).append(getattr(value, "value", None))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):  # --set NAME=VALUE, and names in a table
            name, _, value = node.value.partition("=")
            self.turned.setdefault(name, []).append(value or None)


@pytest.fixture(scope="module")
def said() -> Said:
    return Said()


@pytest.mark.parametrize("knob", KNOBS, ids=lambda one: one.name)
def test_a_knob_has_its_default_its_words_its_rows_and_a_test_that_turns_it(knob: Knob, said: Said) -> None:
    assert DEFAULT.values[knob.name] == knob.default == check(knob.name, str(knob.default).lower())
    assert (knob.doc and not knob.choices) or knob.default in knob.choices
    assert knob.rows and set(knob.rows) <= set(ROWS)
    assert set(knob.rows) & said.rows, "a test names what it is for"
    turned = said.turned.get(knob.name, [])
    assert any(value != knob.default for value in turned), "no test turns it"


@pytest.mark.parametrize("one", JUDGEMENTS, ids=lambda one: one.name)
def test_a_judgement_is_about_rows_that_tests_name(one: Judgement, said: Said) -> None:
    assert one.rows and set(one.rows) <= said.rows & set(ROWS)
    assert one.choice and one.why and one.name not in DEFAULT.values


@pytest.mark.parametrize(
    ("name", "value", "instead"),
    [
        ("aware", "maybe", "is on or off"),
        ("rdnss_max", "-1", "is a whole number"),
        ("rdnss_max", "many", "is a whole number"),
        ("rdnss_max", "²", "is a whole number"),
        ("rdnss_max", "٣", "is a whole number"),
        ("rdnss_max", "10000000000", "is a whole number"),
        ("rdnss_max", 3.0, "is a whole number"),
        ("rdnss_max", None, "is a whole number"),
        ("rdnss_max", True, "is a whole number"),
        ("aware", 1, "is on or off"),
        ("aware", None, "is on or off"),
        ("lookup", "all", "is one of one, several"),
        ("awre", "on", "there are: "),
    ],
)
def test_a_value_that_can_not_be_is_told_with_what_may_be(name: str, value: object, instead: str) -> None:
    with pytest.raises(PolicyError, match=instead):
        check(name, value)


@pytest.mark.parametrize(
    ("name", "value", "means"),
    [
        *(("aware", word, True) for word in ("on", "true", "yes", "ON", "Yes", True)),
        *(("aware", word, False) for word in ("off", "false", "no", "Off", "NO", False)),
        ("rdnss_max", "0", 0),
        ("rdnss_max", 7, 7),
        ("rdnss_max", "9999999999", 9_999_999_999),
        ("lookup", "several", "several"),
        ("trusted", "whatever it is", "whatever it is"),
    ],
)
def test_a_value_is_read_as_what_its_knob_is(name: str, value: object, means: object) -> None:
    found = check(name, value)
    assert found == means and type(found) is type(means)


def test_what_was_never_said_is_as_by_default() -> None:
    """A journal of an earlier program does not know of every knob."""
    silent = Policy(values={})
    assert (silent.on("aware"), silent.number("soft_lifetime_s"), silent.word("dad")) == (True, 1800, "optimistic")
    said = Policy(values={"aware": False, "soft_lifetime_s": 7, "dad": "off", "a later knob": 1})
    assert (said.on("aware"), said.number("soft_lifetime_s"), said.word("dad")) == (False, 7, "off")


def test_what_is_written_for_a_link_is_what_the_first_glob_that_matches_says() -> None:
    rules = (("w*", "tables"), ("wlan0", "netns"), ("e0", "none"))
    policy = Policy(values={"projection": "netns"}, projections=rules)
    assert [policy.projection(link) for link in ("wlan0", "W0", "e0", "e1")] == ["tables", "netns", "none", "netns"]
    assert policy.projects() and Policy(values={}, projections=rules).projects()
    assert not Policy(values={}, projections=rules[2:]).projects() and not Policy(values={}).projects()


def test_what_a_record_does_not_say_is_as_by_default_and_counts_from_the_record_on() -> None:
    told = Story(soft_lifetime_s=60)
    assert told.state.policy.number("soft_lifetime_s") == 60 and told.state.policy.on("aware")
