"""What routers only repeat waits, and so do lifetimes that only move: nobody can tell from what a State then says.

Law: an engine is told of RAs as a replay tells it (replay/rerun.py), most of them gathered; its records, folded one by
one, come to the same State and the same lines of history, whenever somebody looked.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from events.codec import SCHEMA, AnyEvent
from events.frames import ETHERNET, Frame
from events.identifiers import IdentifierChosen
from events.ids import SECOND, Instant, Seq
from events.link import AttachStarted, LinkSeen
from events.operator import PolicySet
from events.record import Record, heard
from events.router import Dnssl, NdOption, PrefixInformation, PvdOption, Rdnss, RouteInformation, RouterAdvertised
from pvdcore.engine import Engine
from pvdcore.past import snapshot
from pvdcore.past.journal import MemoryJournal, frame_digest
from pvdcore.policy import DEFAULT
from pvdcore.reduce import reduce
from pvdcore.routers.words import Slack, Words
from pvdcore.state import EMPTY, Change, State
from tests.sim import build
from tests.sim.build import R1, R2, R3, START

LASTING = (PrefixInformation, RouteInformation, Rdnss, Dnssl)
SOURCE = "a.pcap"


class Journal(MemoryJournal):
    """One that knows of frames that were never read: by the record that they will be."""

    def __init__(self) -> None:
        super().__init__()
        self.unread: dict[Seq, tuple[Frame, RouterAdvertised]] = {}

    def again(self, likes: Sequence[Seq], ats: Sequence[Instant], packets: Sequence[int]) -> None:
        for like, at, packet in zip(likes, ats, packets, strict=True):
            if like in self.unread and like == self.last_seq() + 1:
                frame, event = self.unread[like]
                said = heard(replace(frame, at=at), event, at, SOURCE, packet, frame_digest(frame.data))
                self.append(Record(like, at, SCHEMA, said, event), frame.data)
            else:
                super().again([like], [at], [packet])


class Teller:
    """Tells an engine of RAs, and gathers those that it lets wait. `counted`: what became of them."""

    def __init__(self, gathered_max: int = 1000) -> None:
        self.journal = Journal()
        self.engine = Engine(self.journal)
        self.gathered_max = gathered_max
        self.counted: Counter[str] = Counter()
        self.frames: dict[RouterAdvertised, bytes] = {}
        self.words: dict[RouterAdvertised, tuple[Words, list[object]]] = {}
        self.slacks: dict[tuple[str, str], list[tuple[RouterAdvertised, Slack]]] = {}
        self.said: list[Words] = []
        self.gathered: tuple[list[Seq], list[Instant], list[int]] = ([], [], [])
        self.host = self.engine.host
        for link in ("e0", "e1"):
            self.engine.submit(LinkSeen(link=link, identity=f"capture:{link}", name=link), source="s", at=START)

    def flush(self) -> None:
        self.engine.again(self.said, *self.gathered)
        self.said, self.gathered = [], ([], [], [])

    def look(self) -> State:
        self.flush()
        return self.engine.state

    def tells(self, event: RouterAdvertised, at: Instant) -> None:
        """An RA at an instant. Equal ones are the same object, as `ingest` has it."""
        data = self.frames.setdefault(event, f"frame {len(self.frames)}".encode())
        if len(self.gathered[0]) >= self.gathered_max:
            self.flush()
        first, before, room = self.engine.quiet()
        if at >= before or room <= len(self.gathered[0]):
            self.flush()
            self.engine.wake(at)
            first, before, room = self.engine.quiet()
        if first <= at < before and room > 0 and (self._repeats(event, at) or self._recounts(event, data, at)):
            return
        self.flush()
        frame = Frame(at, event.link, ETHERNET, data)
        if event in self.words:
            event = self.words[event][0].said()
        self.engine.hear(frame, (event,), source=SOURCE, packet=self.engine.seq + 1)
        self.counted["heard"] += 1
        words = self.engine.words(event)
        if words is not None:
            self._remember(event, words)
        slack = self.engine.slack(event)
        if slack is not None:
            others = self.slacks.setdefault((event.link, event.router), [])
            others[:] = [(event, slack), *(one for one in others if lasting(one[0], one[1].free, event) is None)]

    def _repeats(self, event: RouterAdvertised, at: Instant) -> bool:
        words, standing = self.words.get(event, (None, None))
        if words is None or not standing or standing[0] is not words.standing:
            return False
        self._gather("repeated", words, at)
        return True

    def _remember(self, event: RouterAdvertised, words: Words) -> None:
        """With the list in which stands what stands for its router's last words."""
        self.words[event] = words, self.engine.standing[words.speaker]

    def _recounts(self, event: RouterAdvertised, data: bytes, at: Instant) -> bool:
        for like, slack in self.slacks.get((event.link, event.router), ()):
            soonest_s = lasting(like, slack.free, event)
            if not soonest_s:
                continue
            if self.gathered[0] and self.engine.turns(slack):
                self.flush()
            if not self.engine.allows(slack, soonest_s, at):
                return False
            seq = self.engine.seq + len(self.gathered[0]) + 1
            self.journal.unread[seq] = (Frame(at, event.link, ETHERNET, data), event)
            read: Callable[[bytes], RouterAdvertised] = {data: event}.__getitem__
            words = self.engine.recount(slack, seq, data, read)
            self._remember(event, words)
            self._gather("recounted", words, at)
            return True
        return False

    def _gather(self, became: str, words: Words, at: Instant) -> None:
        self.counted[became] += 1
        seq = self.engine.seq + len(self.gathered[0]) + 1
        if words.wait(at, seq):
            self.said.append(words)
        for column, value in zip(self.gathered, (words.seq, at, seq), strict=True):
            column.append(value)

    def compared(self) -> Teller:
        """Everything is as if each record had been folded by itself."""
        self.flush()
        state, lines = folded(list(self.journal.records()))
        assert snapshot.encode(self.look()) == snapshot.encode(state)
        assert list(self.journal.history()) == lines
        return self


def folded(records: list[Record]) -> tuple[State, list[Change]]:
    state, lines = EMPTY, []
    for record in records:
        state = reduce(state, record)
        lines += state.changes
    return state, lines


def lasting(like: RouterAdvertised, free: tuple[bool, ...], event: RouterAdvertised) -> int | None:
    """The shortest of the lifetimes that may move, in seconds, if all else is the same; `None` if it isn't, or if one
    ends. As adapters/wire/neighbor/lifetimes.py tells it by octets."""
    if len(like.options) != len(event.options) or not any(free):
        return None
    found = []
    for may, old, one in zip(free, like.options, event.options, strict=True):
        if not may or type(old) is not type(one):
            if old != one:
                return None
        elif isinstance(one, PrefixInformation) and isinstance(old, PrefixInformation):
            if replace(old, valid_s=one.valid_s, preferred_s=one.preferred_s) != one or not _ordered(one):
                return None
            found.append(one.valid_s)
        elif isinstance(one, (RouteInformation, Rdnss, Dnssl)):
            if replace(old, lifetime_s=one.lifetime_s) != one:  # type: ignore[type-var]
                return None
            found.append(one.lifetime_s)
    if replace(like, options=()) != replace(event, options=()) or any(one == 0 for one in found):
        return None
    return min((1 << 32) - 1 if one is None else one for one in found)


def _ordered(one: PrefixInformation) -> bool:
    return one.valid_s is None or (one.preferred_s is not None and one.preferred_s <= one.valid_s)


# --- Routers with much to say ---------------------------------------------------------------------------------------

DAY = 86_400
PREFIX = "2001:db8:10::/64"


def said(router: str, turn: int, set_: int = 0, link: str = "e0", *more: NdOption, m: bool = False) -> RouterAdvertised:
    """What a router says: `turn` counts its lifetimes down, `set_` is another set of prefixes."""
    place = f"2001:db8:{router[-1]}{set_}"
    return build.ra(
        router,
        build.pio(f"{place}::/64", DAY - turn, 14_400 - turn),
        build.rio(f"{place}:8000::/49", 1800 + turn % 7),
        build.dns(f"{place}::53", f"{place}::54", life=1200 + turn),
        build.search("example.", life=1200),
        *more,
        hop=64,
        m=m,
        link=link,
    )


@pytest.mark.parametrize("look", [0, 1, 5])
def test_repeats_and_lifetimes_wait_and_leave_what_reading_them_leaves(look: int) -> None:
    teller = Teller()
    for number in range(60):
        router = (R1, R2, R3)[number % 3]
        teller.tells(said(router, number // 6, 0, "e1" if router == R3 else "e0"), START + number * SECOND)
        if look and number % look == 0:
            teller.look()
    assert teller.compared().counted["heard"] == 3 and min(teller.counted.values()) > 2, teller.counted


def test_of_what_waits_the_last_word_counts_and_the_record_that_said_it() -> None:
    teller = Teller()
    for second, turn in enumerate((0, 0, 4, 4, 9, 9, 2)):
        teller.tells(said(R1, turn), START + second * SECOND)
    (origin,) = teller.look().speakers["e0", R1]
    assert (origin.heard_at, origin.because, origin.since) == (START + 6 * SECOND, teller.engine.seq, 3)
    (prefix,) = (one for one in origin.held if one.kind == "prefix")
    assert (prefix.lifetime_s, prefix.preferred_s) == (DAY - 2, 14_400 - 2)
    assert teller.compared().counted["heard"] == 1


def test_sets_of_prefixes_in_turn_wait_side_by_side() -> None:
    """Of each set the last word waits; they are written down in the order in which they came."""
    for look in (0, 7):
        teller = Teller()
        for number in range(120):
            teller.tells(said(R1, number // 8, number % 4), START + number * 4 * SECOND)
            teller.tells(said(R2, number // 5), START + number * 4 * SECOND)
            if look and number % look == 0:
                teller.look()
        assert teller.compared().counted["recounted"] > 25 and teller.counted["heard"] < 20


def option(name: str, *inside: NdOption, seq: int = 0) -> PvdOption:
    return build.pvd(name, *inside, seq=seq)


Told = list[tuple[float, AnyEvent]]
STEADY: Told = [(number, said(R1, number // 2)) for number in range(6)]
SHORT = [build.ra(R1, build.pio(PREFIX, DAY, 14_400), build.dns("2001:db8::53", life=life)) for life in (100, 20, 101)]


def shared(number: int) -> RouterAdvertised:
    """Two routers announce one prefix, and resolvers for longer and longer."""
    router = (R1, R2)[number % 2]
    return build.ra(router, build.pio(PREFIX, DAY, 9), build.dns(f"{router}:53", life=900 + number), m=True)


def turning(number: int, *more: NdOption) -> RouterAdvertised:
    """Two sets of words in turn."""
    return said(R1, number // 2, number % 2, "e0", *more)


BESIDE: dict[str, Told] = {
    "another policy": [
        *STEADY,
        (6, PolicySet(values={**DEFAULT.values, "rdnss_max": 1})),
        *((number, said(R1, number // 2)) for number in (7, 8, 9)),
    ],
    "another router with the same prefix, for a shorter time": [
        *STEADY,
        (6, build.ra(R2, build.pio(PREFIX, 7200, 3600))),
        *((number, said(R1, number)) for number in (7, 8, 9)),
        *((number, build.ra(R2, build.pio(PREFIX, 7200 - number, 3600))) for number in (10, 11)),
        *((number, said(R1, number)) for number in (12, 13)),
    ],
    "three routers with the same prefix, one of which takes it back": [
        *((number / 9, build.ra((R1, R2, R3)[number % 3], build.pio(PREFIX, DAY, 9))) for number in range(9)),
        (2, build.ra(R3, build.pio(PREFIX, 0, 0))),
        *((number, build.ra(R1, build.pio(PREFIX, DAY - number, 9))) for number in (3, 4)),
        (5, build.ra(R2, build.pio(PREFIX, 7200, 9))),
        *((number, build.ra(R1, build.pio(PREFIX, DAY - number, 9))) for number in (6, 7)),
    ],
    "a deadline that was early": [
        (0, SHORT[0]),
        (50, SHORT[0]),
        (51, SHORT[0]),
        (100, said(R2, 0)),
        (101, SHORT[1]),
        (125, said(R2, 0)),
        (130, SHORT[2]),
        (140, SHORT[0]),
    ],
    "a new attachment": [*STEADY, (6, AttachStarted(link="e0")), *((6 + at, event) for at, event in STEADY)],
    "a lease that is of who spoke last": [
        *((number, build.ra((R1, R2)[number % 2], build.pio(PREFIX, DAY, 9), m=True)) for number in range(8)),
        (8, build.dhcp6("REQUEST", xid=1)),
        (9, build.dhcp6("REPLY", build.ia_na(build.ia_address(f"{PREFIX[:-3]}a")), xid=1)),
        *((number, build.ra((R1, R2)[number % 2], build.pio(PREFIX, DAY, 9), m=True)) for number in range(10, 15)),
    ],
    "a lease that is of who spoke last, whose lifetimes move": [
        *((number, shared(number)) for number in range(8)),
        (8, build.dhcp6("REQUEST", xid=1)),
        (9, build.dhcp6("REPLY", build.ia_na(build.ia_address(f"{PREFIX[:-3]}a")), xid=1)),
        *((number, shared(number)) for number in range(10, 15)),
    ],
    "another set of words of an explicit PvD, said at once": [
        *((number * 60, turning(number, build.pvd("x.example."))) for number in range(8)),
        *((480 + number / 4, turning(number, build.pvd("x.example."))) for number in range(8)),
        *((600 + number * 60, turning(number, build.pvd("x.example."))) for number in range(8)),
        *((1080 + number // 2 * 60 + number % 2 / 4, turning(number, build.pvd("x.example."))) for number in range(4)),
        (1200, turning(0, build.pvd("x.example."))),
        (1260, turning(1, build.pvd("x.example."))),
        (1260.25, turning(2, build.pvd("x.example."))),
    ],
    "a default route that only one set of words has": [
        *((number, turning(number, *[build.rio("::/0", 1700 + number)] * (number % 2))) for number in range(12)),
    ],
    "an address of this host's": [
        (0, LinkSeen(link="e0", identity="e0", name="e0", host=True, mac=build.CLIENT)),
        *((1 + at, event) for at, event in STEADY),
        (8, IdentifierChosen(link="e0", epoch=1, prefix=PREFIX, kind="stable", iid="a")),
        *((number, said(R1, number)) for number in (11, 12)),
        (13, said(R1, DAY - 30)),
        (14, said(R1, DAY - 31)),
    ],
}


@pytest.mark.parametrize("look", [False, True], ids=["nobody looks", "somebody looks"])
@pytest.mark.parametrize("story", BESIDE.values(), ids=BESIDE)
def test_what_waits_counts_beside_what_does_not(story: Told, look: bool) -> None:
    for end in range(1, len(story) + 1):
        teller = Teller()
        for second, event in story[:end]:
            at = START + int(second * SECOND)
            if isinstance(event, RouterAdvertised):
                teller.tells(event, at)
            else:
                teller.flush()
                teller.engine.submit(event, source="s", at=at)
            if look:
                teller.look()
        teller.compared()


def drawn(draw: random.Random) -> RouterAdvertised:
    """An RA of one of a few routers: most say what they say, some of it counted down, some something else."""
    router, turn = draw.choice((R1, R1, R2, R3)), draw.choice((0, 0, 0, 1, 2, 9))
    link = "e1" if router == R3 or draw.random() < 0.02 else "e0"
    more: list[NdOption] = []
    if router == R2:
        more = [build.pvd("x.example.")]
    if router == R3:
        more = [build.pvd("x.example." if draw.random() < 0.95 else "y.example.", build.mtu(1400)), build.pref64()]
    if draw.random() < 0.02:
        more += [draw.choice((build.mtu(1280), build.portal("https://p.example/"), build.pio("2001:db8:aa::/64")))]
    event = said(router, turn, draw.choice((0, 0, 0, 1)) if router == R1 else 0, link, *more)
    if draw.random() < 0.02:
        one = draw.choice((build.rio("::/0", draw.choice((0, 9))), build.dns("2001:db8::1", life=draw.choice((0, 3)))))
        event = replace(event, options=(*event.options[:2], one))
    if draw.random() < 0.01:
        event = replace(event, header=build.header(draw.choice((0, 30, 1800)), m=draw.random() < 0.5))
    return event


@pytest.mark.parametrize("seed", range(10))
def test_whatever_routers_say_waiting_changes_nothing(seed: int) -> None:
    draw = random.Random(seed)
    teller = Teller(gathered_max=draw.choice((2, 9, 1000)))
    at, look = START, draw.choice((0.0, 0.02, 0.5))
    for _ in range(200):
        at += draw.choice((0, 1, 1, 1, 4, 4, 4, 4, 30, 600 if draw.random() < 0.1 else 4)) * SECOND
        teller.tells(drawn(draw), at)
        if draw.random() < look:
            teller.look()
        if draw.random() < 0.01:
            teller.flush()
            teller.engine.submit(AttachStarted(link="e0"), source="s", at=at)
    waited = teller.compared().counted
    assert waited["repeated"] + waited["recounted"] > 40, waited
