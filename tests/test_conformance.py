"""What counts as covered, shown on rows made up for it.

Law: the rules of tests/conformance.py are themselves shown to fail.
"""

from tests.conformance import judged, objections

ROWS = {f"rfc:X{number:02}": f"row {number}" for number in range(1, 21)}


def test_a_row_is_covered_by_one_whole_test_or_by_both_halves_and_not_by_one() -> None:
    passed = {"whole": ["rfc:X01"], "left": ["rfc:X02 expected", "rfc:X03 expected"], "right": ["rfc:X02 negative"]}
    document = judged(ROWS, {}, passed)
    assert [document[row]["status"] for row in ("rfc:X01", "rfc:X02", "rfc:X03", "rfc:X04")] == [
        "covered",
        "covered",
        "open",
        "open",
    ]
    assert document["rfc:X02"]["tests"] == ["left", "right"]
    assert document["rfc:X03"]["tests"] == ["left"]


def test_an_excuse_needs_a_row_a_reason_and_no_test_and_there_may_not_be_many() -> None:
    good = {"rfc:X05": "speaks of routers, we are a host"}
    assert objections(ROWS, good, judged(ROWS, good, {})) == []
    assert judged(ROWS, good, {})["rfc:X05"] == {"status": "not-applicable", "tests": [], "why": good["rfc:X05"]}

    bad = {"rfc:Y01": "there is no such row", "rfc:X06": "", "rfc:X01": "covered all the same"}
    wrong = objections(ROWS, bad, judged(ROWS, bad, {"whole": ["rfc:X01"]}))
    assert len(wrong) == 3

    many = {row: "too lazy to do it" for row in list(ROWS)[:3]}
    assert objections(ROWS, many, judged(ROWS, many, {})) == ["3 of 20 rfc rows are excused, 15% is too many"]
