"""DHCPv4 exchanges that prolong a lease as the one before did: nobody reads them, and nobody can tell.

Law: a story is folded record by record, and once more as a replay does it, where such an exchange waits unread until
somebody looks. Behind each record both come to the same bytes and the same lines of history, and the story says which
of its records waited.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from events.codec import AnyEvent
from events.dhcp import Codes, Dhcp4MessageSeen, RdnssSelection
from events.frames import ETHERNET, Frame, Note
from events.ids import SECOND
from events.link import AttachEnded, AttachStarted, LinkGone, LinkSeen
from events.operator import PolicySet
from pvdcore import deadlines
from pvdcore.draft import Draft
from pvdcore.engine import Engine
from pvdcore.leases.renewals import Exchanges
from pvdcore.past import snapshot
from pvdcore.past.journal import MemoryJournal
from pvdcore.policy import DEFAULT
from pvdcore.reduce import AHEAD_MAX, SLICES, Fold
from pvdcore.state import EMPTY, Change, State
from tests.sim.build import CLIENT, OTHER, START, addresses, dhcp4, flag, identifier, lease4, number, probe

SERVER, ROUTER_MAC = "192.0.2.1", "02:00:00:00:00:fe"
A, B = "192.0.2.10", "192.0.2.11"

Told = tuple[float, AnyEvent]


class Unread:
    """The fold of records that are read back: what may wait does (replay/rerun.py has the same of frames)."""

    def __init__(self) -> None:
        self.fold = Fold(EMPTY)
        self.lines: list[Change] = []
        self.renewals = Exchanges(self.fold.draft)
        self.waited: list[int] = []
        self._seq, self._at = 0, START

    def hear(self, at: int, event: AnyEvent) -> None:
        self._seq += 1
        self._at = at
        message = event if isinstance(event, Dhcp4MessageSeen) else None
        quiet = at < deadlines.earliest(self.fold.draft.deadlines)
        if message is not None and quiet and self.renewals.again(message, at, self._seq):
            self.waited.append(self._seq)
            return
        self.look()
        self.fold.step(self._seq, at, event, None)
        self.lines += self.fold.draft.changes
        if message is not None:
            self.renewals.heard(message)

    def look(self) -> State:
        """Fold what waits."""
        if self.renewals.waits:
            draft = self.fold.draft
            draft.at, draft.seq, draft.changes = self._at, self._seq, []
            self.renewals.fold()
        return self.fold.state


def waited(*story: Told, **policy: Any) -> list[AnyEvent]:
    """The records of a story that waited unread; that nobody can tell is looked at here, behind each record."""
    told = [(0, PolicySet(values={**DEFAULT.values, **policy})), *story]
    steps = [(seq, START + int(second * SECOND), event, None) for seq, (second, event) in enumerate(told, 1)]
    long, lines = Fold(EMPTY), []
    for last, (seq, at, event, _) in enumerate(steps, 1):
        long.step(seq, at, event, None)
        lines += long.draft.changes
        short, whole = Unread(), Fold(EMPTY)
        for _, instant, one, _ in steps[:last]:
            short.hear(instant, one)
        whole.run(steps[:last])
        assert snapshot.encode(short.look()) == snapshot.encode(long.state), (last, event)
        assert snapshot.encode(whole.state) == snapshot.encode(long.state), (last, event)
        assert short.lines == lines
        assert whole.state.changes == long.state.changes
    return [told[seq - 1][1] for seq in short.waited]


def asks(xid: int, to: str = SERVER, mac: str = CLIENT, **more: Any) -> Dhcp4MessageSeen:
    """A client asks for more time: SERVER, or in general."""
    options = more.pop("options", ())
    ciaddr = more.pop("ciaddr", A)
    return replace(dhcp4("REQUEST", *options, xid=xid, mac=mac, ciaddr=ciaddr, destination=to, link="e0"), **more)


def gives(xid: int, *options: Any, mac: str = CLIENT, address: str = A, **more: Any) -> Dhcp4MessageSeen:
    """The answer, from where this server's answers come."""
    return replace(lease4(address, *options, xid=xid, mac=mac), mac=ROUTER_MAC, **more)


def binds(mac: str = CLIENT, address: str = A, at: float = 0, xid: int = 1, answer: Any = gives) -> list[Told]:
    asked = dhcp4("REQUEST", addresses(50, address), addresses(54, SERVER), xid=xid, mac=mac)
    return [(at, asked), (at, answer(xid, mac=mac, address=address))]


def renews(at: float, xid: int, question: Any = asks, answer: Any = gives) -> list[Told]:
    return [(at, question(xid)), (at + 1, answer(xid))]


def said(story: list[Told]) -> list[AnyEvent]:
    return [event for _, event in story]


LATER: Told = (250, probe("192.0.2.200", OTHER))
"""Whose leases are was settled by then."""

BOUND = [*binds(), *renews(100, 2)]
"""A lease, and the exchange that others are like."""


@pytest.mark.parametrize("to", [SERVER, "255.255.255.255", ""])
def test_from_the_second_time_on_nobody_reads_it(to: str) -> None:
    def question(xid: int) -> Dhcp4MessageSeen:
        return asks(xid, to)

    first, *others = (renews(100 * count, count, question) for count in range(2, 6))
    assert waited(*binds(), *first, *(one for other in others for one in other)) == said(
        [one for other in others for one in other]
    )


def test_the_engine_gathers_what_may_wait_and_folds_it_when_somebody_looks() -> None:
    short, long = Engine(MemoryJournal()), Engine(MemoryJournal())
    for engine in (short, long):
        for at, event in [(0, PolicySet(values=DEFAULT.values)), *BOUND]:
            engine.hear(Frame(START + int(at) * SECOND, "e0", ETHERNET, b""), (event,), source="a.pcap")
    known, first, at = short.renewal(asks(2), gives(2)), short.seq, START + 200 * SECOND
    assert known is not None
    room, took = short.quiet()[2], short.weight(0)
    assert not short.grant_again(known, 3, at, first + 1, 0), "nobody asked"
    assert short.ask_again(known, 3, at, first + 1, 0, lambda: asks(3))
    assert not short.ask_again(known, 4, at, first + 2, 0, lambda: asks(4)), "one at a time"
    assert not short.grant_again(known, 4, at, first + 2, 0), "nobody asked so"
    assert short.grant_again(known, 3, at + SECOND, first + 2, 0)
    assert short.ask_again(known, 5, at + 2 * SECOND, first + 3, 0, lambda: asks(5))
    ats = [at, at + SECOND, at + 2 * SECOND]
    short.again([], [first - 1, first, first - 1], ats, [7, 8, 9])
    for instant, event in zip(ats, (asks(3), gives(3), asks(5)), strict=True):
        long.hear(Frame(instant, "e0", ETHERNET, b""), (event,), source="a.pcap")
    assert snapshot.encode(short.state) == snapshot.encode(long.state)
    assert short.quiet() == (ats[-1], long.wake_at(), room - 3 * took)


def test_a_fold_of_many_records_reads_only_the_first_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    message = SLICES[Dhcp4MessageSeen]

    def counted(draft: Draft, event: Dhcp4MessageSeen) -> None:
        read.append(event.xid)
        message(draft, event)

    monkeypatch.setitem(SLICES, Dhcp4MessageSeen, counted)
    story = [*BOUND, *renews(200, 3), LATER, *renews(300, 4)]
    Fold(EMPTY).run((seq, START + int(at * SECOND), event, None) for seq, (at, event) in enumerate(story, 1))
    assert read == [1, 1, 2, 2]


def test_what_was_captured_long_after_it_counts_is_read() -> None:
    """It is remarked on each time."""
    instants = [(START + int(at * SECOND), at >= 200, event) for at, event in [*BOUND, *renews(200, 3)]]
    steps = [(seq, at, event, at + late * (AHEAD_MAX + 1)) for seq, (at, late, event) in enumerate(instants, 1)]
    fold = Fold(EMPTY)
    fold.run(steps)
    assert fold.state.findings["time-jump", "e0", ""].count == 2


def test_what_binds_is_read_each_time() -> None:
    """To ask after a restart leaves a lease unverified until it is answered (RFC 2131 §3.2)."""
    again = dhcp4("REQUEST", addresses(50, A), xid=7)
    assert waited(*binds(), *binds(at=10, xid=2), *binds(at=20, xid=3)) == []
    restarts = [(at, replace(one, xid=xid)) for xid, at in ((2, 10), (3, 20)) for one in (again, gives(xid))]
    assert waited(*binds(), *restarts) == []
    rapid = [(10, asks(7)), (11, replace(dhcp4("DISCOVER", flag(80), xid=7))), (12, gives(7, flag(80)))]
    assert waited(*binds(), *rapid, *renews(20, 8, answer=lambda xid: gives(xid, flag(80)))) == []


def test_several_leases_wait_beside_each_other_and_a_late_answer_is_read() -> None:
    def other(xid: int) -> list[Told]:
        one, two = asks(xid, mac=OTHER, ciaddr=B), gives(xid, mac=OTHER, address=B)
        return [(100 * xid, one), (100 * xid + 3, two)]

    first = [*BOUND, *binds(OTHER, B, 110), *other(2)]
    mine, theirs = renews(301, 3), other(3)
    assert waited(*first, theirs[0], *mine, theirs[1]) == [theirs[0][1], *said(mine), theirs[1][1]]
    assert waited(*first, theirs[0], theirs[1], theirs[1], *renews(310, 3)) == said([*theirs, *mine])
    wrong = (304, replace(theirs[1][1], xid=99))  # type: ignore[type-var]
    assert waited(*first, theirs[0], wrong, theirs[1]) == [theirs[0][1]]
    assert waited(*first, theirs[1]) == []


def like(question: Any = asks, answer: Any = gives) -> list[Told]:
    """Three exchanges that are alike."""
    return [one for count in (2, 3, 4) for one in renews(100 * count, count, question, answer)]


def other_id(id: str, mac: str = CLIENT) -> Any:
    return lambda xid: asks(xid, mac=mac, options=(identifier(61, id),))


SELECTION = RdnssSelection(146, ("192.0.2.53",), "reserved", ("corp.example.",), 0, 0)


def its_own_router(xid: int) -> Dhcp4MessageSeen:
    return replace(lease4(A, xid=xid, router=A), mac=ROUTER_MAC)


REMARKED: dict[str, list[Told]] = {
    "asks for routes in the wrong order": like(lambda xid: asks(xid, options=(Codes(55, (3, 121), 0, 0),))),
    "asks another server": like(lambda xid: asks(xid, "192.0.2.99")),
    "is told to do without IPv4": like(answer=lambda xid: gives(xid, number(108, 600))),
    "is given a resolver of reserved preference": like(answer=lambda xid: gives(xid, SELECTION)),
    "is its own router": like(answer=its_own_router),
}


@pytest.mark.parametrize("story", REMARKED.values(), ids=REMARKED)
def test_what_is_remarked_on_is_remarked_on_each_time(story: list[Told]) -> None:
    assert waited(*binds(), *story) == []
    assert all(one.message == "REQUEST" for one in waited(*BOUND, *story))  # type: ignore[union-attr]
    if story[1][1] == its_own_router(2):
        assert waited(*binds(answer=lambda xid, **_: its_own_router(xid)), *story) == []


def host(link: str, mac: str) -> LinkSeen:
    return LinkSeen(link=link, identity=link, name=link, mac=mac, host=True)


COPY = {
    "relayed": {"giaddr": "192.0.2.77"},
    "a hop further": {"hops": 1},
    "damaged": {"notes": (Note("udp-checksum", 0),)},
}


@pytest.mark.parametrize("more", COPY.values(), ids=COPY)
def test_a_copy_that_counts_for_nothing_is_no_question(more: dict[str, Any]) -> None:
    """A relay's copy of a question stands behind it, with the same transaction."""
    copies = [replace(asks(xid), **more) for xid in (2, 3)]
    heard = [*binds(), (100, asks(2)), (100, copies[0]), (101, gives(2)), (200, copies[1]), (201, gives(3))]
    assert waited(*heard) == []
    assert waited(*heard, *renews(300, 4), *renews(400, 5)) == said(renews(400, 5))


@pytest.mark.parametrize(
    "between",
    [
        [(200, dhcp4("DISCOVER", xid=9))],
        [(200, other_id("aa")(3))],
        [(295, dhcp4("DECLINE", addresses(50, "192.0.2.77"), addresses(54, SERVER), xid=9))],
        [(200, dhcp4("INFORM", ciaddr=A, xid=9)), (201, gives(9, address="0.0.0.0"))],
        [(200, dhcp4("RELEASE", xid=9, ciaddr=A))],
        [(200, asks(9, secs=1)), (201, dhcp4("NAK", addresses(54, SERVER), xid=9))],
        [(200, asks(9, secs=1)), (201, gives(9, addresses(42, "192.0.2.123")))],
        [(200, AttachEnded(link="e0")), (201, AttachStarted(link="e0"))],
    ],
    ids=["a question", "of another id", "a decline", "an inform", "a release", "a refusal", "another answer", "moved"],
)
def test_what_comes_between_has_the_next_one_read(between: list[Told]) -> None:
    assert waited(*BOUND, *between, LATER, *renews(300, 3)) == []


def test_a_question_that_is_repeated_is_read() -> None:
    story = [*BOUND, (300, asks(3)), (302, asks(4)), (303, gives(4)), (304, gives(3))]
    assert waited(*story, *renews(400, 5)) == said([story[4], *renews(400, 5)])


def test_two_ids_behind_one_mac_do_not_ask_in_one_transaction_unread() -> None:
    def exchange(at: float, xid: int, id: str, address: str) -> list[Told]:
        question = asks(xid, ciaddr=address, options=(identifier(61, id),))
        return [(at, question), (at + 5, gives(xid, address=address))]

    story = []
    for at, xid, id, address in ((0, 1, "aa", A), (10, 2, "bb", B)):
        story += exchange(at, xid, id, address)
    story.append(LATER)
    one, two = exchange(300, 5, "aa", A), exchange(301, 5, "bb", B)
    assert waited(*story, one[0], two[0], two[1]) == [one[0][1]]
    two = exchange(301, 6, "bb", B)
    assert waited(*story, one[0], two[0], one[1], two[1]) == [one[0][1]]


def test_no_more_questions_wait_than_are_kept() -> None:
    theirs = [(at, event) for at, event in binds(OTHER, B, 110)]
    theirs += [(120, asks(5, mac=OTHER, ciaddr=B)), (121, gives(5, mac=OTHER, address=B))]
    both = [(300, asks(6, mac=OTHER, ciaddr=B)), (301, asks(7)), (302, gives(6, mac=OTHER, address=B)), (303, gives(7))]
    assert waited(*BOUND, *theirs, *both, exchanges_max=1) == [both[0][1]]
    third = (299, dhcp4("REQUEST", addresses(50, "192.0.2.12"), xid=8, mac="02:00:00:00:00:0c"))
    assert waited(*BOUND, *theirs, third, *both, exchanges_max=2)[:1] == [both[0][1]]
    assert waited(*BOUND, *theirs, third, *both, exchanges_max=3) == said(both)
    # An answer whose question had to make way is none, and nothing is like it.
    lost = [(200, asks(8, secs=1)), (200, third[1]), (200, gives(8, addresses(42, "192.0.2.123")))]
    again = renews(300, 9, answer=lambda xid: gives(xid, addresses(42, "192.0.2.123")))
    assert waited(*BOUND, *lost, *again, exchanges_max=1) == []


def test_what_a_renewal_says_of_its_lease_is_what_it_would_have_said_read() -> None:
    """Renewed and rebound in turn, from two devices with one id, and after a restart that nobody answered."""
    story: list[Told] = []
    for count in range(1, 10):
        to, mac = ((SERVER, CLIENT), ("255.255.255.255", CLIENT), (SERVER, OTHER))[count % 3]
        question = asks(count, to, mac=mac, options=(identifier(61, "aa"),))
        story += [(100 * count, question), (100 * count + 2, gives(count, mac=mac, destination=to))]
    assert waited(*story) == said(story[6:])
    restart = dhcp4("REQUEST", addresses(50, A), xid=7)
    unsure = [*BOUND, (200, restart), *binds(OTHER, B, 210, xid=8), LATER, *renews(300, 9)]
    assert waited(*unsure, exchanges_max=1) == said(unsure[-2:])


def test_a_question_from_another_host_of_the_link_is_read() -> None:
    """Live, what others ask is evidence: whose a MAC is may be otherwise each time."""
    first = [(0, host("e0", CLIENT)), (0, host("e1", OTHER)), *binds(OTHER, B, 1)]
    theirs: list[Told] = []
    for at in (100, 200):
        theirs += [(at, asks(at, mac=OTHER, ciaddr=B)), (at + 1, gives(at, mac=OTHER, address=B))]
    assert waited(*first, *theirs, (250, LinkGone(link="e1")), (300, asks(3, mac=OTHER, ciaddr=B))) == []


def test_a_server_that_is_one_too_many_is_told_of_each_time() -> None:
    """The marks of a network are full, of two servers, and a third one leases."""

    def offers(server: str, mac: str) -> AnyEvent:
        return replace(dhcp4("OFFER", addresses(54, server), yiaddr=A, xid=77), mac=mac)

    full = [(0, offers("192.0.2.2", "02:00:00:00:00:02")), (0, offers("192.0.2.3", "02:00:00:00:00:03"))]
    assert waited(*full, *BOUND, *renews(300, 3), marks_max=2) == []
    assert waited(*full[:1], *BOUND, *renews(300, 3), marks_max=1) == said(renews(300, 3))
    more = (200, PolicySet(values={**DEFAULT.values, "marks_max": 9}))
    assert waited(*full[:1], *BOUND, more, *renews(300, 3), marks_max=1) == []


def test_an_answer_from_no_device_is_read() -> None:
    story = [(at, replace(one, mac="")) for at, one in [*binds(), *like()]]  # type: ignore[type-var]
    assert waited(*story) == []
