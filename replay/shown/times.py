"""Times as people write them, and as they read them.

Law: no clock is asked here: what "now" is comes as an argument, the end of a capture or a journal's own now. Day-less
and relative times count from it.
"""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final

from events.ids import SECOND, Instant

UNITS: Final[dict[str, int]] = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "sec": SECOND,
    "m": 60 * SECOND,
    "min": 60 * SECOND,
    "h": 3600 * SECOND,
    "d": 86_400 * SECOND,
    "day": 86_400 * SECOND,
    "days": 86_400 * SECOND,
    "w": 7 * 86_400 * SECOND,
}
DIGITS_MAX: Final = 19
"""Digits read of one number: 2^63 ns has nineteen, and int() of a longer text takes quadratic time."""

_WAYS: Final = "2026-03-01T14:05:02Z, 14:05, -2h, yesterday, @1767225600 or seq:812"
_SPAN = re.compile(r"(\d{1,19})\s*([a-z]+)\s*", re.ASCII)
_CLOCK = r"(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9})\d*)?)?"
_TIME = re.compile(_CLOCK, re.ASCII)
_DATE = re.compile(rf"(\d{{4}})-(\d{{2}})-(\d{{2}})(?:[Tt ]{_CLOCK}\s*([Zz]|[+-]\d{{2}}:?\d{{2}})?)?", re.ASCII)
_EPOCH = re.compile(r"@(-?\d{1,19})(?:\.(\d{1,9})\d*)?", re.ASCII)
_SEQ = re.compile(r"seq:(\d{1,19})", re.ASCII)


class TimeError(ValueError):
    """A time nobody can read: the message says what to type instead."""


class SeqPoint(int):
    """A point in time given as a record's number (`seq:812`)."""


def parse(text: str, now: Instant, utc: bool = False) -> Instant | SeqPoint:
    """The instant that `text` means, or the record's number.

    RFC 3339 with or without seconds, fraction and zone (none: local time, or UTC if `utc`); a date alone is its
    midnight; `14:05` is on the day of `now`; `-2h`, `+90s`, `now-1h30m`; `now`, `today`, `yesterday`, `tomorrow`;
    `@epoch` in seconds; `seq:N`. Raises TimeError.
    """
    word = text.strip()
    zone: tzinfo | None = UTC if utc else None
    if found := _SEQ.fullmatch(word):
        return SeqPoint(found[1])
    if found := _EPOCH.fullmatch(word):
        fraction = int((found[2] or "0").ljust(9, "0"))
        return int(found[1]) * SECOND + (-fraction if found[1].startswith("-") else fraction)
    if word == "now":
        return now
    if (relative := word.removeprefix("now")).startswith(("-", "+")):
        return now + (-1 if relative[0] == "-" else 1) * _span(relative[1:], text)
    days = {"yesterday": -1, "today": 0, "tomorrow": 1}.get(word)
    try:
        if days is not None:
            return _instant(_day(now, zone) + timedelta(days=days), 0, 0, 0, 0, zone)
        if found := _TIME.fullmatch(word):
            return _instant(_day(now, zone), *_clock(*found.groups()), zone)
        if found := _DATE.fullmatch(word):
            if found[8]:
                zone = _zone(found[8])
            when = date(int(found[1]), int(found[2]), int(found[3]))
            return _instant(when, *_clock(*found.groups()[3:7]), zone)
    except (ValueError, OverflowError, OSError) as error:
        raise TimeError(f"{text!r} is not a time ({error}); write it as {_WAYS}") from None
    raise TimeError(f"{text!r} is not a time; write it as {_WAYS}")


def _span(text: str, whole: str) -> int:
    total, at = 0, 0
    for found in _SPAN.finditer(text):
        if found.start() != at or found[2] not in UNITS:
            break
        total, at = total + int(found[1]) * UNITS[found[2]], found.end()
    if at != len(text) or not text:
        raise TimeError(f"{whole!r} is not a span of time; write it as -90s, -15m, -2h, -1h30m or -3d")
    return total


def _clock(hour: str | None, minute: str | None, second: str | None, fraction: str | None) -> tuple[int, int, int, int]:
    return int(hour or 0), int(minute or 0), int(second or 0), int((fraction or "0").ljust(9, "0"))


def _day(now: Instant, zone: tzinfo | None) -> date:
    return datetime.fromtimestamp(now // SECOND, zone).date()


def _zone(text: str) -> tzinfo:
    if text in "Zz":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _instant(day: date, hour: int, minute: int, second: int, fraction: int, zone: tzinfo | None) -> Instant:
    leap = second == 60  # RFC 3339 §5.7 allows it; the epoch has no room for it and counts on
    moment = datetime(day.year, day.month, day.day, hour, minute, 59 if leap else second, tzinfo=zone)
    whole = round(moment.timestamp()) + (1 if leap else 0)
    return whole * SECOND + fraction


def rfc3339(at: Instant) -> str:
    """An instant in JSON: `2026-03-01T14:05:02.000000000Z`. Total: any instant of 64 bits has its text."""
    seconds, fraction = divmod(at, SECOND)
    days, rest = divmod(seconds, 86_400)
    year, month, day = _civil(days)
    return f"{year:04}-{month:02}-{day:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}.{fraction:09}Z"


def _civil(days: int) -> tuple[int, int, int]:
    """The Gregorian date of a day since 1970-01-01, by eras of 400 years; datetime ends at the year 9999."""
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year + era * 400 + (1 if month <= 2 else 0), month, day


def shown(at: Instant, utc: bool, digits: int = 3) -> tuple[str, str]:
    """An instant for people, local or UTC: (`2026-03-01`, `14:05:02.123`)."""
    seconds, fraction = divmod(at, SECOND)
    text = rfc3339(at)
    if not utc:
        with suppress(ValueError, OverflowError, OSError):  # a year no calendar of this host has: UTC will do
            text = datetime.fromtimestamp(seconds).isoformat()
    clock = text[11:19] + (f".{fraction:09}"[: digits + 1] if digits else "")
    return text[:10], clock


def age(span: int) -> str:
    """A span of time in words, two units at most: `12s`, `5m`, `3h20m`, `4d`; below a second `0s`."""
    seconds = abs(span) // SECOND
    sign = "-" if span < 0 and seconds else ""
    if seconds < 120:
        return f"{sign}{seconds}s"
    if seconds < 7200:
        return f"{sign}{seconds // 60}m"
    if seconds < 86_400:
        minutes = seconds // 60 % 60
        return f"{sign}{seconds // 3600}h" + (f"{minutes}m" if minutes else "")
    return f"{sign}{seconds // 86_400}d"
