"""What routers say again is taken straight from a capture's window, in Python or in C: nothing differs by it.

Law: each test runs over both twins. What a replay leaves (records, State, history, the octets of its journal) is
compared with a replay that takes nothing ahead and hears each packet by itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
import subprocess
import sys
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.ingest import translate
from adapters.sqlite import SqliteJournal
from adapters.wire.neighbor import lifetimes
from events.frames import ETHERNET, Frame
from events.ids import NEVER, SECOND
from events.router import Dnssl, PrefixInformation, Rdnss, RouteInformation, RouterAdvertised
from pvdcore.engine import Engine
from pvdcore.past.audit import state_digest
from pvdcore.routers.words import WAITS, Leeway, Plan, Slack, Words
from pvdcore.state import Host
from replay.files import ahead, captures, repeats
from replay.rerun import Run, _Driver, rerun
from tests import twins
from tests.bench.inputs import LINKS, checksum, dhcp, different, repeating, router_advertisement, write

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = sorted(ROOT.glob("tests/captures/*.pcap*"))


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the compiled step in it, to be put before the checkout on the path."""
    return twins.built(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="session")
def in_c(compiled: Path) -> ModuleType:
    return twins.in_c(compiled, repeats)


@pytest.fixture(params=["in Python", "in C"])
def twin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One of the two does the work."""
    if request.param == "in C":
        for name in ("take", "Known"):
            monkeypatch.setattr(ahead, name, getattr(request.getfixturevalue("in_c"), name))
    return str(request.param)


# --- the function ----------------------------------------------------------------------------------------------------

ROOM = 101  # rows of each column
ROUTER = ("e0", "fe80::1")
OTHER = ("e0", "fe80::2")
FRAMES = [bytes([number]) * (60 + number) for number in range(5)]
STANDING = {ROUTER: "an RA", OTHER: "another"}
LEEWAY = Leeway(20 * SECOND)
PLANS = {ROUTER: Plan((), LEEWAY, frozenset(), ()), OTHER: Plan((), Leeway(0), frozenset(), ())}
NEXT_PLAN = Plan((), LEEWAY, frozenset(), ())  # of what a router says in turn with that
FALLEN = Plan((), Leeway(0), frozenset(), ())


def lived(valid: int, preferred: int) -> bytes:
    """An RA of a router with these lifetimes of its prefix."""
    frame = router_advertisement(7, 0)
    at = frame.index(b"\3\4\x40\xc0") + 4
    message = frame[54:56] + b"\0\0" + frame[58:at] + struct.pack("!II", valid, preferred) + frame[at + 8 :]
    pseudo = frame[22:54] + struct.pack("!II", len(message), 58)
    return frame[:54] + message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]


SAID = router_advertisement(7, 0)
ALLOWED = [SAID, router_advertisement(7, 3), lived(20, 20), lived(0xFFFFFFFF, 0)]
IN_TURN = router_advertisement(7, 16)  # another prefix, which the router is known to announce, too
OTHERS = {
    "yet another prefix": router_advertisement(7, 32),
    "another router": router_advertisement(8, 0),
    "another hop limit": SAID[:58] + b"\7" + SAID[59:],
    "a checksum that is wrong": SAID[:56] + b"\7" + SAID[57:],
    "less": SAID[:-1],
    "headers alone": SAID[:54],
    "a prefix that ends": lived(0, 0),
    "one that is preferred for longer than it is valid": lived(100, 101),
    "one that ends before anybody looks": lived(19, 19),
}


def known(
    twin: ModuleType, reader: Callable[..., object] = lambda link, _: "how it is read"
) -> tuple[ahead.Tables, ahead.Standing]:
    """The first two frames stand on interface 0, the third and the last do no longer; nothing is known on 1; 2 counts
    in µs. On 0 the RA is watched, and another one in turn with it; on 2 too, but its router says other words by now."""
    stands: dict[tuple[str, str], list[object]] = {speaker: [words] for speaker, words in STANDING.items()}
    made = ahead.Ahead((stands, dict(PLANS)), turned, reader, lambda link: partial(unread, link))  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "Known", twin.Known)
        made.section("<", 0, [ahead.Clock("e0", ETHERNET, 1), None, ahead.Clock("e2", ETHERNET, 1000, 5)])
    for link, plan, frame in (
        ("e0", NEXT_PLAN, IN_TURN),
        ("e0", PLANS[ROUTER], SAID),
        ("e2", FALLEN, SAID),
    ):
        (event,) = translate(Frame(0, link, ETHERNET, frame))
        assert isinstance(event, RouterAdvertised)
        free = [isinstance(one, PrefixInformation | RouteInformation | Rdnss | Dnssl) for one in event.options]
        outline = lifetimes.outline(ETHERNET, frame, event.options_at, free)
        assert outline is not None
        made.watch(link, ETHERNET, frame, Slack(ROUTER, plan, Host(), ()), outline)
    for place, *entry in (
        (0, FRAMES[0], "words 0", stands[ROUTER], STANDING[ROUTER], 3, bytearray(16), []),
        (0, FRAMES[1], "words 1", stands[OTHER], STANDING[OTHER], 4, bytearray(16), []),
        (0, FRAMES[2], "words 2", stands[ROUTER], "what it said before", 3, bytearray(16), []),
        (0, FRAMES[4], "words 4", [], "what it said before all was looked at closely", 3, bytearray(16), []),
        (2, FRAMES[1], "words 1 of another link", stands[OTHER], STANDING[OTHER], 5, bytearray(16), []),
    ):
        table = made._tables[place]
        assert table is not None
        table[0][entry[0][:54]] = tuple(entry)
    return made._tables, made._standing


TURNS: list[tuple[int, int, int, int]] = []


def turned(slack: Slack, *how: int) -> bool:
    TURNS.append(how)  # type: ignore[arg-type]
    return slack.plan.leeway is LEEWAY


QUESTION, ANSWER, NEWS = dhcp(0, 1, 3), dhcp(0, 1, 5), dhcp(0, 0, 1)
UNREAD: list[tuple[object, ...]] = []


def unread(link: str, data: bytes, at: int, seq: int, room: int) -> int:
    UNREAD.append((link, data, at, seq, room))
    records = {QUESTION: 3, ANSWER: 1}.get(data, 0)
    return records if records <= room else 0


def block(order: str, frame: bytes, index: int, ticks: int, *, original: int | None = None, again: int = 0) -> bytes:
    size = 32 + len(frame) + -len(frame) % 4
    said = len(frame) if original is None else original
    head = struct.pack(order + "IIIIIII", 6, size, index, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), said)
    return head + frame + bytes(-len(frame) % 4) + struct.pack(order + "I", size + again)


def record(order: str, head: int, frame: bytes, ticks: int, *, original: int | None = None) -> bytes:
    said = len(frame) if original is None else original
    fields = struct.pack(order + "IIII", ticks // 1000, ticks % 1000, len(frame), said)
    return fields + bytes(head - 16) + frame


class Answer(NamedTuple):
    """Where it ended and where the last one began; the words that did not wait before, by their record, and the frames
    that were not known; the columns; and what is remembered from now on."""

    ends: tuple[int, int]
    said: list[object]
    fresh: list[tuple[int, tuple[str, int], bytes]]
    likes: list[int]
    ats: list[int]
    packets: list[int]
    left: tuple[Any, ...]


NOTHING = ([], [], [], [], [])


def asked(
    twin: ModuleType, window: bytes, at: int, order: str, head: int, span: tuple[int, int, int], **more: Any
) -> Answer:
    """Two packets were taken already; the packet before has the number 7, and the next one will be record 40."""
    said: list[object] = []
    fresh: list[tuple[int, tuple[str, int], bytes]] = []
    columns = [array("q", bytes(8 * ROOM)) for _ in range(3)]
    made, standing = known(twin, **more)
    TURNS.clear()
    UNREAD.clear()
    after, last, row, room = twin.take(
        window, at, order, head, (7, 2, 40), made, standing, span, (said, fresh, *columns)
    )
    taken = [list(column[2:row]) for column in columns]
    assert not any(column[place] for column in columns for place in (0, 1, *range(row, ROOM)))
    left = [
        (octets, frame, told(words), whose, stands, like, [*WAITS.unpack(waits)], [one[2] for one in watched])
        for table in made
        if table is not None
        for octets, (frame, words, whose, stands, like, waits, watched) in table[0].items()
    ]
    return Answer(
        (after, last), list(map(told, said)), fresh, *taken, left=(left, standing, tuple(TURNS), (room, *UNREAD))
    )


def told(words: object) -> object:
    """Words, to be compared."""
    if not isinstance(words, Words):
        return words
    assert words.event is None
    return words.speaker, words.seq, words.standing, words.plan, words.read, [*words.last]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("head", [0, 16, 24])
def test_packets_are_taken_as_long_as_each_is_known_stands_and_comes_in_its_time(
    order: str, head: int, in_c: ModuleType
) -> None:
    def packets(*frames: tuple[int, int]) -> bytes:
        made = (record(order, head, FRAMES[n], at) if head else block(order, FRAMES[n], 0, at) for n, at in frames)
        return b"".join(made)

    def instant(ticks: int) -> int:
        return ticks // 1000 * 1_000_000_000 + ticks % 1000 if head else ticks

    window = packets((0, 100), (1, 100), (0, 300), (3, 400), (0, 500))
    for twin in (repeats, in_c):
        (after, last), *gathered, (left, *_) = asked(twin, window, 0, order, head, (1, NEVER, 99))
        ats = [instant(at) for at in (100, 100, 300)]
        assert gathered == [["words 0", "words 1"], [], [3, 4, 3], ats, [8, 9, 10]]
        assert [one[6] for one in left if one[1] in FRAMES] == [
            [instant(300), 42],
            [instant(100), 41],
            [0, 0],
            [0, 0],
            [0, 0],
        ]
        assert window[after:] == packets((3, 400), (0, 500)) and window[last:after] == packets((0, 300))
        for frames, span in {
            ((0, 100), (2, 200)): (1, NEVER, 99),  # its router says something else by now
            ((0, 100), (4, 200)): (1, NEVER, 99),  # nothing stands for its router's words
            ((0, 100), (1, 99)): (1, NEVER, 99),  # time goes back
            ((0, 100), (1, 200)): (1, instant(200), 99),  # something else is due
            ((0, 100), (1, 201)): (1, NEVER, 1),  # no more are wanted
        }.items():
            (after, last), *gathered, _ = asked(twin, packets(*frames), 0, order, head, span)
            assert (gathered[3], last, packets(*frames)[after:]) == ([instant(100)], 0, packets(frames[1])), frames


def test_what_is_odd_is_left_to_the_reader(in_c: ModuleType) -> None:
    good = block("<", FRAMES[0], 0, 50)
    odd = {
        "cut by the capture": block("<", FRAMES[0], 0, 60, original=9999),
        "lengths that differ": block("<", FRAMES[0], 0, 60, again=4),
        "an interface that is not described": block("<", FRAMES[0], 9, 60),
        "an interface whose clock is not plain": block("<", FRAMES[0], 1, 60),
        "a clock beyond all instants": block("<", FRAMES[0], 2, 1 << 62),
        "another kind of block": b"\x05" + block("<", FRAMES[0], 0, 60)[1:],
        "the end of a message that is another": block("<", FRAMES[0][:-1] + b"\1", 0, 60),
        "a window that ends": block("<", FRAMES[0], 0, 60)[:-1],
        "a packet longer than its block": struct.pack("<IIIIIII", 6, 32, 0, 0, 60, 1, 1) + struct.pack("<I", 32),
        "no room for a header": good[:20],
    }
    for twin in (repeats, in_c):
        for what, octets in odd.items():
            answer = asked(twin, good + octets, 0, "<", 0, (1, NEVER, 99))
            assert (answer.ends, answer.ats) == ((len(good), 0), [50]), what
        assert asked(twin, good, 0, "<", 0, (1, NEVER, 0))[:6] == ((0, -1), *NOTHING)
        assert asked(twin, block("<", FRAMES[1], 2, 3), 0, "<", 0, (1, NEVER, 9)).ats == [3005]
        with pytest.raises(IndexError):
            asked(twin, good * ROOM, 0, "<", 0, (1, NEVER, ROOM))


def test_other_lifetimes_are_taken_and_all_else_is_left(in_c: ModuleType) -> None:
    span, head = (1, NEVER, 99), SAID[:54]
    for twin in (repeats, in_c):
        frames = [*ALLOWED, IN_TURN, IN_TURN, SAID]
        window = b"".join(block("<", frame, 0, at) for at, frame in enumerate(frames, 1))
        (after, _), said, fresh, *columns, (left, (standing, plans), turns, _) = asked(twin, window, 0, "<", 0, span)
        assert after == len(window)
        assert columns == [[40, 41, 42, 43, 44, 44, 46], [1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 13, 14]]
        assert fresh == [(seq, ("e0", ETHERNET), frames[seq - 40]) for seq in (40, 41, 42, 43, 44, 46)]
        # Words of one plan wait once, as what was said last; behind others they are words of their own.
        once = [(43, ALLOWED[-1], PLANS[ROUTER], [4, 43]), (44, IN_TURN, NEXT_PLAN, [6, 45])]
        last = (46, SAID, PLANS[ROUTER], [7, 46])
        assert said == [
            (ROUTER, seq, frame, plan, "how it is read", waits) for seq, frame, plan, waits in (*once, last)
        ]
        assert (head, SAID, said[-1], [SAID], SAID, 46, [7, 46], [PLANS[ROUTER], NEXT_PLAN]) in left
        assert turns == ((1200, 5, 44, 4), (1200, 7, 46, 6))  # each behind what was said just before
        assert standing == {ROUTER: [SAID], OTHER: [STANDING[OTHER]]} and plans == PLANS
        for what, frame in OTHERS.items():
            assert asked(twin, block("<", frame, 0, 1), 0, "<", 0, span)[:6] == ((0, -1), *NOTHING), what
        fallen = asked(twin, block("<", SAID, 2, 1), 0, "<", 0, span)
        assert (fallen[:6], fallen.left[2]) == (((0, -1), *NOTHING), ((1200, 1005, 40, 0),))
        # where what is written down is read for that, nothing is taken but what was read
        alone = asked(twin, block("<", SAID, 0, 1), 0, "<", 0, span, reader=lambda *_: None)
        assert alone[:6] == ((0, -1), *NOTHING)


def test_between_them_dhcp_is_taken_if_somebody_says_so(in_c: ModuleType) -> None:
    tagged = QUESTION[:12] + b"\x81\0\0\x05" + QUESTION[12:]
    odd = [NEWS, tagged, QUESTION[:37], QUESTION[:14] + b"\x46" + QUESTION[15:], QUESTION[:23] + b"\6" + QUESTION[24:]]
    odd += [QUESTION[:36] + port + QUESTION[38:] for port in (b"\0\x42", b"\0\x45", b"\1\x43")]
    for twin in (repeats, in_c):
        frames = [QUESTION, FRAMES[0], ANSWER, FRAMES[0]]
        window = b"".join(block("<", frame, 0, at) for at, frame in enumerate(frames, 1))
        (after, _), said, fresh, *columns, left = asked(twin, window, 0, "<", 0, (1, NEVER, 6))
        assert (after, said, fresh) == (len(window), ["words 0"], [])
        assert columns == [[40, 3, 42, 3], [1, 2, 3, 4], [8, 9, 10, 11]]
        assert left[3] == (0, ("e0", QUESTION, 1, 40, 6), ("e0", ANSWER, 3, 42, 2)), (
            "the room that is left goes with it"
        )
        window = b"".join(block("<", frame, 0, at) for at, frame in enumerate((FRAMES[0], QUESTION), 1))
        short = asked(twin, window, 0, "<", 0, (1, NEVER, 3))
        assert (short.ats, short.left[3]) == ([1], (2, ("e0", QUESTION, 2, 41, 2)))
        for frame in odd:
            (after, last), *_, left = asked(twin, block("<", frame, 0, 1), 0, "<", 0, (1, NEVER, 9))
            assert (after, last, len(left[3]) - 1) == (0, -1, frame == NEWS)
        made, standing = known(twin)
        made[0] = (*made[0][:-1], None)  # type: ignore[index]
        lists = ([], [], *[array("q", bytes(8 * ROOM)) for _ in range(3)])
        taken = twin.take(block("<", QUESTION, 0, 1), 0, "<", 0, (0, 0, 1), made, standing, (1, NEVER, 9), lists)
        assert taken == (0, -1, 0, 9)


def test_words_that_other_words_of_the_router_followed_stay_as_they_were(in_c: ModuleType) -> None:
    """Its RAs to one host have another head: what it said there last need not be what it said last."""
    for twin in (repeats, in_c):
        window = block("<", SAID, 0, 1)
        made, standing = known(twin)
        said: list[Words] = []
        columns = [array("q", bytes(8 * ROOM)) for _ in range(3)]
        for turn in range(2):
            lists = (said, [], *columns)
            twin.take(window, 0, "<", 0, (turn, turn, 40 + turn), made, standing, (1, NEVER, 99), lists)
            standing[0][ROUTER][0] = "what it said elsewhere"
        assert [(words.seq, words.last[1]) for words in said] == [(40, 40), (41, 41)]


def test_what_goes_wrong_in_between_is_told(in_c: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bool:
        raise OSError("no space left on device")

    for name, frame in {"turned": IN_TURN, "unread": QUESTION}.items():
        monkeypatch.setattr(sys.modules[__name__], name, broken)
        for twin in (repeats, in_c):
            with pytest.raises(OSError, match="no space left"):
                asked(twin, block("<", frame, 0, 1), 0, "<", 0, (1, NEVER, 99))


@given(data=st.data())
def test_both_answer_alike_whatever_the_octets(data: st.DataObject, in_c: ModuleType) -> None:
    draw = random.Random(data.draw(st.integers(0, 2**32)))
    order, head = draw.choice("<>"), draw.choice((0, 0, 16, 24))
    at, made = 0, bytearray()
    for _ in range(draw.randrange(6)):
        at += draw.randrange(200)
        frame = draw.choice((*FRAMES, *FRAMES, *ALLOWED, IN_TURN, *OTHERS.values(), QUESTION, QUESTION, ANSWER, NEWS))
        made += record(order, head, frame, at) if head else block(order, frame, draw.choice((0, 0, 0, 1, 2, 3)), at)
    for _ in range(draw.choice((0, 0, 1, 3))):
        if made:
            made[draw.randrange(len(made))] = draw.choice((0, 1, 0x7F, 0x80, 0xFF))
    window = bytes(made[: draw.choice((len(made), draw.randrange(len(made) + 1)))])
    span = (draw.randrange(1, 300), draw.choice((NEVER, 500, 2 * 10**12)), draw.randrange(8))
    start = draw.choice((0, 0, draw.randrange(len(window) + 1)))
    assert asked(in_c, window, start, order, head, span) == asked(repeats, window, start, order, head, span)


def entry(frame: bytes, like: int, **other: object) -> ahead.Entry:
    """What stands for a router; other: parts that are others."""
    parts = {"frame": frame, "words": "words", "stands": ["an RA"], "standing": "an RA", "like": like}
    parts |= {"waits": bytearray(16), "watched": []}
    return tuple((parts | other).values())  # type: ignore[return-value]


def of_one_hash(count: int) -> list[bytes]:
    """Heads that repeats.c has the same hash of: octets of the first eight go, and the next eight make up for it."""
    heads = []
    for first in range(count):
        mixed = first * 0x9E3779B97F4A7C15 & (1 << 64) - 1
        heads.append(struct.pack("=QQ", first, mixed ^ mixed >> 32) + bytes(54 - 16))
    return heads


@pytest.mark.parametrize("heads", [of_one_hash(9), [bytes((n % 256, n // 256)) * 27 for n in range(999)]])
def test_of_each_head_the_last_entry_is_known_however_many_there_are(heads: list[bytes], in_c: ModuleType) -> None:
    draw = random.Random(1)
    for twin in (repeats, in_c):
        known, now = twin.Known(), dict[bytes, ahead.Entry]()
        for turn in range(2 * len(heads)):
            head = draw.choice(heads)
            now[head] = known[head] = entry(head + bytes([turn % 7]), turn)
        made = [(known, 1, 0, ("e0", ETHERNET), None, turned, None)]
        for head in heads:
            assert known.get(head) is now.get(head)
            for last in range(7):
                window, columns = block("<", head + bytes([last]), 0, 5), [array("q", [0]) for _ in range(3)]
                args = ("<", 0, (0, 0, 1), made, ({}, {}), (0, NEVER, 1), ([], [], *columns))
                stands = head in now and now[head][0][-1] == last
                assert twin.take(window, 0, *args)[2] == stands
                assert columns[0][0] == (now[head][4] if stands else 0)
        assert dict(known.items()) == now
        known.clear()
        assert not known.items()
        assert twin.take(window, 0, *args)[2] == 0


def test_what_is_no_entry_is_not_taken_for_one(in_c: ModuleType) -> None:
    known, head = in_c.Known(), bytes(54)
    for odd in ({"frame": "text"}, {"stands": ()}, {"like": "1"}, {"like": 1 << 64}, {"waits": b""}, {"watched": ()}):
        with pytest.raises((TypeError, OverflowError)):
            known[head] = entry(head, **({"like": 1} | odd))
    for odd_head, one in ((0, entry(head, 1)), (head, ()), (head, [*entry(head, 1)])):
        with pytest.raises(TypeError):
            known[odd_head] = one
    known[head] = entry(head, 1)
    with pytest.raises(TypeError):
        del known[head]
    known.get(head)[5].clear()
    columns = [array("q", [0]) for _ in range(3)]
    for one, why in ((known, "an instant and a record"), ({}, "in a Known")):
        made = [(one, 1, 0, ("e0", ETHERNET), None, turned, None)]
        with pytest.raises(TypeError, match=why):
            in_c.take(block("<", head, 0, 5), 0, "<", 0, (0, 0, 1), made, ({}, {}), (0, NEVER, 1), ([], [], *columns))


# --- whole replays ---------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _every_state_is_sound() -> None:
    """Not here: two ways are compared over thousands of records; a look through each State would take minutes."""


def remains(run: Run) -> tuple[object, ...]:
    """What a replay leaves behind."""
    lines = hashlib.blake2b(repr(list(run.journal.history())).encode()).hexdigest()
    return run.journal.last_seq(), run.journal.head(), state_digest(run.state), lines, run.captures


def by_itself(monkeypatch: pytest.MonkeyPatch, path: Path) -> tuple[object, ...]:
    """The same, if every packet is heard by itself."""
    with monkeypatch.context() as patch:
        patch.setattr(
            captures.Capture, "items", lambda self, wanted, ahead=None, _=captures.Capture.items: _(self, wanted)
        )
        patch.setattr(_Driver, "_waits", lambda *_: False)
        return remains(rerun([str(path)]))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_real_captures_leave_the_same(path: Path, twin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert remains(rerun([str(path)])) == by_itself(monkeypatch, path)


@pytest.mark.parametrize("frames", [repeating, different], ids=["repeating", "different"])
def test_long_captures_leave_the_same(
    frames: object, twin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.pcapng"
    write(path, frames(6000), 300_000_000)  # type: ignore[operator]
    counted: list[int] = []
    again = Engine.again
    monkeypatch.setattr(Engine, "again", lambda self, *said: (counted.append(len(said[1])), again(self, *said))[1])
    left = remains(rerun([str(path)]))
    assert sum(counted) > 3000  # so that the quick way was taken
    assert left == by_itself(monkeypatch, path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D], ids=["us", "ns"])
def test_a_pcap_of_any_kind_leaves_the_same(
    order: str, magic: int, twin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, at = tmp_path / "long.pcap", 1_790_000_000 * 10**9
    with path.open("wb") as file:
        file.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, 1))
        for _, frame in repeating(3000):
            at += 4_000_000
            fraction = at % 10**9 // (1000 if magic == 0xA1B2C3D4 else 1)
            file.write(struct.pack(order + "IIII", at // 10**9, fraction, len(frame), len(frame)) + frame)
    assert remains(rerun([str(path)])) == by_itself(monkeypatch, path)


def test_a_journal_is_the_same_octet_for_octet_with_and_without_the_compiled_step(
    compiled: Path, tmp_path: Path
) -> None:
    path = tmp_path / "long.pcapng"
    write(path, repeating(5000), 4_000_000)
    code = (
        "import sys; from adapters.sqlite import SqliteJournal; from replay.files import repeats;"
        "from replay.rerun import rerun; rerun([sys.argv[1]], journal=SqliteJournal(sys.argv[2]));"
        "print(int(repeats.COMPILED))"
    )
    said = []
    for number, before in enumerate(("", f"{compiled}{os.pathsep}")):
        env = {**os.environ, "PYTHONPATH": f"{before}{ROOT}"}
        kept = tmp_path / f"{number}.db"
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, path, kept], env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout == f"{number}\n"
        tables = ("records", "events", "frames", "sources", "history", "snapshots", "digests", "tail")
        journal = SqliteJournal(kept, readonly=True)
        said.append([journal._ask(f"SELECT * FROM {table}") for table in tables])
        assert not list(journal.check())
        journal.close()
    assert said[0] == said[1] and len(said[0][0]) > 5000, json.dumps([len(table) for table in said[0]])


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_what_is_no_ra_is_not_looked_for_and_does_not_discourage(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, said = tmp_path / f"long.{form}", [(0, router_advertisement(0, 0))] * 3
    packets = [*said, *((0, dhcp(0, turn, message)) for turn in range(20) for message in (3, 5)), *said]
    write(path, iter(packets))
    if form == "pcap":
        frames = [record("<", 16, data, at) for at, (_, data) in enumerate(packets, 1)]
        path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1) + b"".join(frames))
    asked: list[int] = []
    take = ahead.Ahead.take
    monkeypatch.setattr(ahead.Ahead, "take", lambda *said: (asked.append(said[3] + 1), take(*said))[1])
    rerun([str(path)])
    assert set(asked) <= {1, 2, 3, 44, 45, 46} and 44 in asked


# --- leases that are prolonged ---------------------------------------------------------------------------------------


def tale(draw: random.Random, count: int) -> Iterator[tuple[int, bytes]]:
    """Three clients of one link (and one of another) bind, renew for ever, and do now and then all else they can."""
    turns = [0, 0, 0, 0]
    clients = (0, LINKS, 2 * LINKS, 1)
    kinds = ("renew", "question", "answer", "NAK", "RELEASE", "INFORM", "DECLINE", "bind", "RA", "longer", "option 61")
    while count > 0:
        count -= 1
        one = draw.randrange(len(clients))
        client, link, turns[one] = clients[one], clients[one] % LINKS, turns[one] + 1
        turn = turns[one]
        question, answer = dhcp(client, turn, 3), dhcp(client, turn, 5)
        kind = draw.choices(kinds, (60, 2, 2, 1, 1, 2, 1, 6, 9, 2, 2))[0]
        if turn == 1 or kind == "bind":
            yield from ((link, of(dhcp(client, 0, message), xid=turn)) for message in (1, 2, 3, 5))
        elif kind == "renew" and draw.random() < 0.1:  # two at once, and an answer twice
            other = (one + 1) % len(clients)
            turns[other] += 1
            yield from ((link, question), (clients[other] % LINKS, dhcp(clients[other], turns[other], 3)))
            yield from ((link, answer), (link, answer))
        elif kind == "renew":
            yield from ((link, question), (link, answer))
        elif kind in ("question", "answer"):
            yield link, question if kind == "question" else answer
        elif kind in ("RELEASE", "INFORM", "DECLINE"):
            yield link, of(question, message={"RELEASE": 7, "INFORM": 8, "DECLINE": 4}[kind])
            if kind == "INFORM":
                yield link, answer
        elif kind == "RA":
            yield 0, router_advertisement(LINKS * draw.randrange(2), draw.randrange(3))
        elif kind == "option 61":  # another client id behind the same MAC, or a relay's hop
            changed = question[:51] + b"\1" + question[52:] if draw.random() < 0.5 else question
            yield from ((link, changed.replace(b"\x3d\7\1\2\1", b"\x3d\7\1\2\2")), (link, answer))
        else:
            wrong = (
                of(answer, message=6) if kind == "NAK" else answer.replace(b"\x33\4\0\0\x0e\x10", b"\x33\4\0\0\x1c\x20")
            )
            yield from ((link, question), (link, wrong))


def of(frame: bytes, *, xid: int | None = None, message: int | None = None) -> bytes:
    """A DHCPv4 frame with another transaction, or of another kind. Its UDP checksum is not given."""
    if xid is not None:
        frame = frame[:46] + xid.to_bytes(4, "big") + frame[50:]
    if message is not None:
        at = frame.index(b"\x63\x82\x53\x63\x35\1") + 6
        frame = frame[:at] + bytes((message,)) + frame[at + 1 :]
    return frame


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("step", [1, 40], ids=["in seconds", "until leases lapse"])
def test_a_renewal_that_nobody_reads_leaves_the_same(
    seed: int, step: int, twin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "leases.pcapng"
    write(path, tale(random.Random(seed), 400), step * SECOND)
    unread: dict[str, list[bool]] = {"_renew": [], "_renews": []}
    for name, counted in unread.items():
        done = getattr(_Driver, name)
        monkeypatch.setattr(
            _Driver, name, lambda *said, done=done, counted=counted: (counted.append(done(*said)), counted[-1])[1]
        )
    left = remains(rerun([str(path)]))
    assert sum(unread["_renews"]) > 100
    assert sum(unread["_renews"]) > sum(unread["_renew"]), "those behind an RA are taken from the window with it"
    assert left == by_itself(monkeypatch, path)
