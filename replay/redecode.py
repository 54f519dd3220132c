"""Reading stored frames again with today's decoders, and saying what they read differently.

Law: a journal is never changed by this. What was understood then stays what was folded; this only tells the difference.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

import msgspec

from adapters.ingest import Translator
from events.codec import AnyEvent, encode, kind
from events.frames import NETLINK, Frame
from events.ids import Instant, Seq
from events.record import Record
from pvdcore.ports import Journal

DIFFERENCES_MAX: Final = 4  # named of one record: the first few tell which decoder it was, and the line stays a line
_ABSENT: Final = "nothing"


def redecode(journal: Journal) -> Iterator[tuple[Seq, list[str]]]:
    """(seq, differences) of each record that has a frame; without differences it reads as it did.

    Netlink frames are passed over: they are not read by `adapters/ingest`. Raises JournalError.
    """
    translators: dict[str, Translator] = {}  # one a source: which cooked interface was first is a matter of one capture
    for _, group in groupby(journal.records(), key=_heard):
        records = list(group)
        first = records[0]
        said = first.provenance
        data = journal.frame(said.frame) if said.frame else None
        if data is None or said.linktype == NETLINK:
            continue
        link = said.interface or getattr(first.event, "link", "")
        frame = Frame(_captured(first), link, said.linktype, data, said.original_length)
        events = translators.setdefault(said.source, Translator()).translate(frame)
        for place, record in enumerate(records):
            yield record.seq, _differences(record.event, events[place] if place < len(events) else None)
        for event in events[len(records) :]:
            yield records[-1].seq, [f"{kind(event)} more"]


def _heard(record: Record) -> tuple[object, ...]:
    """One frame may have said several things, in records that follow each other; any other record stands alone."""
    said = record.provenance
    if not said.frame:
        return (record.seq,)
    return said.source, said.packet or record.seq, said.frame, _captured(record)


def _captured(record: Record) -> Instant:
    said = record.provenance
    return record.at if said.captured_at is None else said.captured_at


def _differences(before: AnyEvent, after: AnyEvent | None) -> list[str]:
    if after is None:
        return [f"{kind(before)} -> {_ABSENT}"]
    if before == after:
        return []
    if kind(before) != kind(after):
        return [f"{kind(before)} -> {kind(after)}"]
    found = list(_walk("", msgspec.json.decode(encode(before)), msgspec.json.decode(encode(after))))
    more = len(found) - DIFFERENCES_MAX
    return found[:DIFFERENCES_MAX] + ([f"{more} more"] if more > 0 else [])


def _walk(path: str, before: Any, after: Any) -> Iterator[str]:
    """`options.2.valid_s 600 -> 1200`, for each leaf that differs."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _walk(f"{path}.{key}" if path else key, before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            one = before[place] if place < len(before) else None
            other = after[place] if place < len(after) else None
            yield from _walk(f"{path}.{place}", one, other)
    elif before != after:
        yield f"{path} {_leaf(before)} -> {_leaf(after)}"


def _leaf(value: Any) -> str:
    return _ABSENT if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()
