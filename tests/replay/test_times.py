"""Times as people write them: each way of writing one, where it counts from, and what is said of the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from events.ids import NEVER, SECOND
from replay.shown.times import SeqPoint, TimeError, age, parse, rfc3339, shown

NOW = parse("2026-03-01T14:05:02.5Z", 0)


@pytest.fixture
def zagreb(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Zagreb")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-03-01T14:05:02Z", "2026-03-01T14:05:02.000000000Z"),
        ("2026-03-01T15:05:02+01:00", "2026-03-01T14:05:02.000000000Z"),
        ("2026-03-01 09:05:02.123456789-05:00", "2026-03-01T14:05:02.123456789Z"),
        ("2026-03-01t14:05z", "2026-03-01T14:05:00.000000000Z"),
        ("2026-03-01", "2026-03-01T00:00:00.000000000Z"),
        ("14:05", "2026-03-01T14:05:00.000000000Z"),
        ("23:59:59.9", "2026-03-01T23:59:59.900000000Z"),
        ("now", "2026-03-01T14:05:02.500000000Z"),
        ("-2h", "2026-03-01T12:05:02.500000000Z"),
        ("now-2h", "2026-03-01T12:05:02.500000000Z"),
        ("+1h30m", "2026-03-01T15:35:02.500000000Z"),
        ("-500ms", "2026-03-01T14:05:02.000000000Z"),
        ("-3d", "2026-02-26T14:05:02.500000000Z"),
        ("today", "2026-03-01T00:00:00.000000000Z"),
        ("yesterday", "2026-02-28T00:00:00.000000000Z"),
        ("tomorrow", "2026-03-02T00:00:00.000000000Z"),
        ("@1767225600", "2026-01-01T00:00:00.000000000Z"),
        ("@1767225600.000000001", "2026-01-01T00:00:00.000000001Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000000Z"),
    ],
)
def test_each_way_of_writing_a_time(text: str, means: str) -> None:
    assert rfc3339(parse(text, NOW, utc=True)) == means


def test_a_record_number_is_no_instant() -> None:
    found = parse("seq:812", NOW)
    assert isinstance(found, SeqPoint) and found == 812
    assert not isinstance(parse("@812", NOW), SeqPoint)


@pytest.mark.usefixtures("zagreb")
def test_without_a_zone_the_time_is_local_and_utc_says_otherwise() -> None:
    assert rfc3339(parse("2026-07-01T14:05:00", NOW)) == "2026-07-01T12:05:00.000000000Z"  # summer time
    assert rfc3339(parse("14:05", NOW)) == "2026-03-01T13:05:00.000000000Z"
    assert rfc3339(parse("14:05", NOW, utc=True)) == "2026-03-01T14:05:00.000000000Z"
    assert rfc3339(parse("yesterday", NOW)) == "2026-02-27T23:00:00.000000000Z"
    assert shown(NOW, utc=False) == ("2026-03-01", "15:05:02.500")
    assert shown(NOW, utc=True) == ("2026-03-01", "14:05:02.500")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "noon",
        "25:00",
        "14:5",
        "2026-02-30",
        "2026-03-01T14:05:61Z",
        "-2",
        "-2 fortnights",
        "-h",
        "seq:",
        "seq:-1",
        "@",
        "١٤:٠٥",
        "2026-03-01T14:05:02+99:99",
        "-" + "9" * 5000 + "h",
    ],
)
def test_what_is_no_time_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(TimeError, match="write it as"):
        parse(text, NOW, utc=True)


def test_every_instant_has_its_text_and_comes_back() -> None:
    for at in (0, 1, NOW, 951_782_400 * SECOND, -SECOND):
        assert parse(rfc3339(at), 0) == at
    for day in range(0, 200_000, 997):  # the calendar agrees with the library's
        expected = datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%dT00:00:00.000000000Z")
        assert rfc3339(day * 86_400 * SECOND) == expected
    assert rfc3339(NEVER).startswith("2262-04-11T")
    assert rfc3339(2**64 * SECOND)[-1] == "Z"  # a pcapng may claim a year that no library has


def test_ages_are_words() -> None:
    assert [age(span * SECOND) for span in (0, 59, 119, 120, 7199, 7200, 12_000, 86_399, 86_400, 10**7)] == [
        "0s",
        "59s",
        "119s",
        "2m",
        "119m",
        "2h",
        "3h20m",
        "23h59m",
        "1d",
        "115d",
    ]
    assert age(-5 * SECOND) == "-5s" and age(-1) == "0s"
