"""What holds of every story: time, batches, snapshots and repetition change no answer.

Law: each property is shown on random stories and on the real captures; equality is of bytes. Invariants are checked
after every record.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import count, islice
from operator import eq
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.ingest import translate
from events.codec import AnyEvent
from events.dhcp import Dhcp4MessageSeen
from events.ids import SECOND, Instant
from events.link import AttachEnded, AttachStarted, LinkGone, LinkSeen
from events.operator import PolicySet
from events.record import Record
from pvdcore.checks.invariants import check
from pvdcore.engine import Engine
from pvdcore.past import snapshot
from pvdcore.past.audit import state_at
from pvdcore.past.journal import MemoryJournal
from pvdcore.policy import DEFAULT
from pvdcore.reduce import advance, next_deadline, reduce
from pvdcore.state import EMPTY, Change, State
from replay.files.captures import open_capture
from replay.rerun import _Driver, rerun
from replay.scratch import ScratchJournal
from tests.bench.inputs import KINDS, checksum, router_advertisement, write
from tests.sim import build
from tests.sim.build import START

CAPTURES = sorted(
    path for path in (Path(__file__).parent / "captures").iterdir() if path.suffix in (".pcap", ".pcapng")
)

Heard = tuple[Instant, AnyEvent]

# Random stories

lives = st.sampled_from([0, 1, 30, 60, 600, 1800, None])
prefixes = st.sampled_from(["2001:db8:1::/64", "2001:db8:2::/64", "2001:db8::/32"])
resolvers = st.lists(st.sampled_from(["2001:db8::53", "2001:db8::54", "fe80::53"]), min_size=1, max_size=3, unique=True)
options = st.one_of(
    st.builds(build.pio, prefixes, lives, st.just(10), st.sampled_from(["LA", "L", "A", "", "LP"])),
    st.builds(build.rio, st.sampled_from(["2001:db8:ff::/48", "::/0"]), lives, st.sampled_from(["high", "low"])),
    st.builds(lambda listed, life: build.dns(*listed, life=life), resolvers, lives),
    st.builds(lambda name, life: build.search(name, life=life), st.sampled_from(["a.example.", "b.example."]), lives),
    st.builds(build.pref64, st.just("64:ff9b::/96"), st.sampled_from([0, 80, 600])),
    st.builds(build.mtu, st.sampled_from([1280, 1400])),
    st.builds(build.portal, st.sampled_from(["https://a.example/", "https://b.example/"])),
)
some = st.lists(options, max_size=3)
links = st.sampled_from(["e0", "e0", "e0", "e1"])
headers = st.builds(
    lambda life, m, o: build.header(life, m=m, o=o), st.sampled_from([0, 30, 600, 1800]), st.booleans(), st.booleans()
)
pvd_options = st.builds(
    lambda name, inner, said, h, legacy, seq: build.pvd(name, *said, h=h, legacy=legacy, seq=seq, inner=inner),
    st.sampled_from(["x.example.", "y.example."]),
    st.none() | headers,
    some,
    st.booleans(),
    st.booleans(),
    st.integers(0, 2),
)
containers = st.builds(lambda said: build.container("00112233-4455-6677-8899-aabbccddeeff", *said), some)
adverts = st.builds(
    lambda router, head, outer, inner, link: msgspec.structs.replace(
        build.ra(router, *outer, *inner, link=link), header=head
    ),
    st.sampled_from([build.R1, build.R2, build.R3]),
    headers,
    some,
    st.lists(st.one_of(pvd_options, pvd_options, containers), max_size=1),
    links,
)
neighbors = st.builds(
    lambda target, router, link: build.na(target, router=router, link=link),
    st.sampled_from([build.R1, build.R2]),
    st.booleans(),
    links,
)
macs = st.sampled_from([build.CLIENT, build.OTHER])
four = st.builds(
    lambda message, xid, mac, life, link: [
        build.dhcp4("DISCOVER" if message == "OFFER" else "REQUEST", xid=xid, mac=mac, link=link),
        msgspec.structs.replace(build.lease4(life=life, xid=xid, mac=mac, link=link), message=message),
    ],
    st.sampled_from(["ACK", "ACK", "ACK", "NAK", "OFFER"]),
    st.integers(1, 3),
    macs,
    st.sampled_from([30, 600, None]),
    links,
)
released = st.builds(lambda mac: [build.dhcp4("RELEASE", mac=mac, ciaddr="192.0.2.10")], macs)
six = st.builds(
    lambda question, xid, valid, link, server: [
        build.dhcp6(question, xid=xid, ask=(23,), link=link),
        build.dhcp6(
            "REPLY",
            build.ia_na(build.ia_address("2001:db8:1::a", valid)),
            build.ia_pd(build.ia_prefix("2001:db8:2::/64", valid)),
            *([build.addresses(23, "2001:db8::99")] if xid != 3 else []),
            xid=xid,
            link=link,
            server=server,
        ),
    ],
    st.sampled_from(["REQUEST", "RENEW", "INFORMATION-REQUEST", "CONFIRM", "RELEASE"]),
    st.integers(1, 3),
    st.sampled_from([0, 30, 600]),
    links,
    st.sampled_from([build.SERVER6, build.SERVER6, "00030001020000000002"]),
)
attachments = st.sampled_from(
    [
        AttachStarted(link="e0"),
        AttachEnded(link="e0"),
        LinkGone(link="e0"),
        LinkSeen(link="e0", identity="capture:e0", name="e0"),
        PolicySet(values={**DEFAULT.values, "strict_o": True}),
        PolicySet(values={**DEFAULT.values, "aware": False}),
        PolicySet(values={**DEFAULT.values, "fallback": "protocol", "rdnss_max": 1, "prefixes_max": 1}),
    ]
)
said = st.one_of(
    adverts.map(lambda one: [one]),
    adverts.map(lambda one: [one, one]),
    adverts.map(lambda one: [one]),
    neighbors.map(lambda one: [one]),
    four,
    six,
    released,
    attachments.map(lambda one: [one]),
)
steps = st.sampled_from([0, 0, 1, 7, 30, 31, 600, 1800, 4000])
stories = st.lists(st.tuples(steps, said), min_size=1, max_size=14)


def dated(story: list[tuple[int, list[AnyEvent]]]) -> list[Heard]:
    now, found = START, []
    for step, events in story:
        now += step * SECOND
        found += [(now, event) for event in events]
    return found


bounded = settings(
    max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


def live(heard: list[Heard], engine: Engine | None = None) -> Engine:
    """An engine that heard all this, sound after every record."""
    engine = engine or Engine(MemoryJournal())
    for at, event in heard:
        engine.submit(event, source="story", at=at)
        assert not check(engine.state)
    return engine


def ended(engine: Engine) -> tuple[bytes, list[Change]]:
    """All that a run says: the bytes of its State, and its history."""
    engine.wake(engine.state.now + 86_400 * SECOND)
    assert not check(engine.state)
    return snapshot.encode(engine.state), list(engine.journal.history())


def folded(records: list[Record], state: State = EMPTY) -> Iterator[tuple[State, tuple[Change, ...]]]:
    for record in records:
        state = reduce(state, record)
        yield state, state.changes


@bounded
@given(stories, st.lists(st.integers(0, 5000), max_size=8))
def test_extra_wake_ups_change_nothing(story: list[tuple[int, list[AnyEvent]]], wakes: list[int]) -> None:
    heard = dated(story)
    plain = ended(live(heard))
    engine = Engine(MemoryJournal())
    for at, event in heard:
        for wake in sorted(START + one * SECOND for one in wakes):
            if engine.state.now < wake < at:
                engine.wake(wake)
                assert not check(engine.state)
        while engine.wake_at() <= at:  # and at each deadline, to the nanosecond
            engine.wake(engine.wake_at())
        live([(at, event)], engine)
    assert ended(engine) == plain


@bounded
@given(stories)
def test_who_is_named_as_stirred_is_who_is_another_than_before(story: list[tuple[int, list[AnyEvent]]]) -> None:
    engine = Engine(MemoryJournal())
    before = engine.state.pvds
    for at, event in dated(story):
        live([(at, event)], engine)
        now = engine.state.pvds
        named = engine.stirred()
        assert {id for id, one in now.items() if before.get(id) is not one} == set(named) & set(now)
        assert named == sorted(named) and engine.stirred() == []
        before = now


@bounded
@given(stories)
def test_the_next_deadline_is_never_late(story: list[tuple[int, list[AnyEvent]]]) -> None:
    state = live(dated(story)).state
    ahead = next_deadline(state)
    if ahead < state.now + 10**6 * SECOND:
        before = advance(msgspec.structs.replace(state, changes=()), ahead - 1)
        assert before.changes == ()
        assert snapshot.encode(msgspec.structs.replace(before, now=state.now)) == snapshot.encode(state)


@bounded
@given(stories)
def test_folding_the_journal_is_what_the_engine_did(story: list[tuple[int, list[AnyEvent]]]) -> None:
    engine = live(dated(story))
    steps = list(folded(list(engine.journal.records())))
    assert snapshot.encode(steps[-1][0]) == snapshot.encode(engine.state)
    assert [one for _, changes in steps for one in changes] == list(engine.journal.history())


@bounded
@given(stories, st.sets(st.integers(0, 27)))
def test_any_split_into_batches_gives_the_same_bytes(story: list[tuple[int, list[AnyEvent]]], cuts: set[int]) -> None:
    heard = dated(story)
    engine = Engine(MemoryJournal())
    for number, one in enumerate(heard):
        if number in cuts:  # stopped, and resumed from its journal
            engine = Engine(engine.journal, state_at(engine.journal))
        live([one], engine)
    assert ended(engine) == ended(live(heard))
    assert engine.journal.head() == live(heard).journal.head()


@bounded
@given(stories)
def test_snapshots_are_only_a_cache(story: list[tuple[int, list[AnyEvent]]]) -> None:
    engine = live(dated(story))
    records = list(engine.journal.records())
    whole = list(folded(records))
    for number, (state, _) in enumerate(whole):
        data = snapshot.encode(state)
        back = snapshot.decode(data)
        assert snapshot.encode(back) == data
        assert not check(back)
        rest = list(folded(records[number + 1 :], back))
        assert [snapshot.encode(one) for one, _ in rest[-1:]] == [
            snapshot.encode(one) for one, _ in whole[number + 1 :][-1:]
        ]
        assert [changes for _, changes in rest] == [changes for _, changes in whole[number + 1 :]]
        assert snapshot.encode(advance(back, back.now + 999 * SECOND)) == snapshot.encode(
            advance(state, state.now + 999 * SECOND)
        )
    # Through the journal: with, and without them.
    middle = len(records) // 2
    if middle:
        engine.journal.save_snapshot(middle, snapshot.encode(whole[middle - 1][0]))
        cached = snapshot.encode(state_at(engine.journal))
        engine.journal.drop_derived()
        assert cached == snapshot.encode(state_at(engine.journal)) == snapshot.encode(engine.state)


@bounded
@given(stories)
def test_the_same_input_twice_is_the_same_output(story: list[tuple[int, list[AnyEvent]]]) -> None:
    heard = dated(story)
    one, two = live(heard), live(heard)
    assert ended(one) == ended(two)
    assert one.journal.head() == two.journal.head()


@bounded
@given(stories)
def test_a_repeat_changes_nothing_but_until_when(story: list[tuple[int, list[AnyEvent]]]) -> None:
    """An identical packet at the same instant is no news, for whatever was heard before it."""
    heard = dated(story)
    last = heard[-1][1]
    if isinstance(last, Dhcp4MessageSeen | PolicySet | LinkSeen | AttachStarted):
        return  # a question asked twice is answered once; an attachment may begin twice
    engine = live(heard)
    once = live([heard[-1]], engine)
    lines = len(list(once.journal.history()))
    content = {id: [(cell, one.content) for cell, one in pvd.instances] for id, pvd in once.state.pvds.items()}
    twice = live([heard[-1]], once)
    assert len(list(twice.journal.history())) == lines
    assert {id: [(cell, one.content) for cell, one in pvd.instances] for id, pvd in twice.state.pvds.items()} == content


# Real captures


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_a_capture_is_sound_and_the_same_however_it_is_read(path: Path) -> None:
    run = rerun([str(path)])
    again = rerun([str(path)])
    assert run.journal.head() == again.journal.head()
    assert snapshot.encode(run.state) == snapshot.encode(again.state)
    assert list(run.journal.history()) == list(again.journal.history())
    *_, (last, _) = folded(list(run.journal.records()))  # one record at a time, and nothing waits
    assert snapshot.encode(advance(last, run.state.now)) == snapshot.encode(run.state)

    records = list(run.journal.records())
    assert records
    lines: list[Change] = []
    state = EMPTY
    for record in records:
        while next_deadline(state) <= record.at:  # extra wake-ups on the way
            state = advance(msgspec.structs.replace(state, changes=()), next_deadline(state))
            lines += state.changes
        state = advance(msgspec.structs.replace(state, changes=()), max(state.now, record.at - 1))
        state = reduce(snapshot.decode(snapshot.encode(state)), record)  # and a snapshot at every record
        lines += state.changes
        assert not check(state)
    at = run.state.now
    state = advance(msgspec.structs.replace(state, changes=()), at)
    lines += state.changes
    assert snapshot.encode(state) == snapshot.encode(run.state)
    assert lines == list(run.journal.history())
    assert snapshot.encode(state_at(run.journal, at)) == snapshot.encode(run.state)


def test_the_captures_are_there() -> None:
    assert len(CAPTURES) >= 30
    assert sum(len(rerun([str(path)]).state.pvds) for path in CAPTURES[:6]) > 0


class Watched(Engine):
    """An engine that is looked at behind every `look`-th call; 0: never. waited: refreshes that were not folded."""

    def __init__(self, look: int) -> None:
        super().__init__(ScratchJournal(translate))
        self.look, self.calls, self.waited = look, 0, Counter[str]()

    def _seen(self) -> None:
        self.calls += 1
        if self.look and self.calls % self.look == 0:
            assert not check(self.state)

    def hear(self, *args: Any, **more: Any) -> None:
        super().hear(*args, **more)
        self._seen()

    def again(self, said: Any, likes: Any, ats: Any, packets: Any) -> None:
        self.waited["again"] += len(likes)
        self.waited["unlike others"] += sum(map(eq, likes, count(self.seq + 1)))
        super().again(said, likes, ats, packets)
        self._seen()


@pytest.mark.parametrize("look", [0, 1, 7], ids=["never", "always", "now and then"])
@pytest.mark.parametrize("kind", ["a", "b"])
def test_a_refresh_that_waits_is_the_same_as_one_that_does_not(
    kind: str, look: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand RAs of twelve routers, most of them repeats or other lifetimes: the same whenever somebody looks."""
    monkeypatch.setattr("replay.files.ahead.GATHERED_MAX", look or 1000)
    frames = islice((one for one in KINDS[kind](84_000) if number_of(one[1]) < 12), 1000)
    write(tmp_path / "some.pcapng", frames, SECOND)
    engine = Watched(look)
    with open_capture(str(tmp_path / "some.pcapng")) as capture:
        driver = _Driver([capture], engine, {})
        driver.run(None)
    steps = list(folded(list(engine.journal.records())))
    assert snapshot.encode(steps[-1][0]) == snapshot.encode(engine.state)
    assert [one for _, changes in steps for one in changes] == list(engine.journal.history())
    assert (engine.waited["again"] - engine.waited["unlike others"] > 500) == (kind == "a")
    assert engine.waited["unlike others"] > (5 if kind == "a" else 800)


def other(frame: bytes, at: int, value: bytes) -> bytes:
    """An RA with other octets at `at`, and the checksum that it needs."""
    frame = frame[:56] + b"\0\0" + frame[58:at] + value + frame[at + len(value) :]
    pseudo = frame[22:54] + (len(frame) - 54).to_bytes(4, "big") + b"\0\0\0\x3a"
    return frame[:56] + checksum(pseudo + frame[54:]).to_bytes(2, "big") + frame[58:]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((0, 1, 3, 60)),  # routers of two links; the first two have PvD options
            st.sampled_from((82, 86, 114, 138, 178, 82, 114, 138, 98, 58, 80, 180)),  # lifetimes; a prefix, a header, …
            st.sampled_from((b"\0\0\0\0", b"\0\0\0\3", b"\0\0\0\x20", b"\0\1\0\0", b"\xff\xff\xff\xff")),
            st.sampled_from((1, 2, 9)),
            st.booleans(),
        ),
        min_size=2,
        max_size=60,
    )
)
def test_lifetimes_that_are_only_moved_are_folded_as_if_they_were_read(
    story: list[tuple[int, int, bytes, int, bool]],
) -> None:
    """RAs that change one thing or nothing, right and wrong, shared prefixes among them: every record read and folded
    by itself comes to the same State and the same lines."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "some.pcapng"
        last = {router: router_advertisement(router, 1) for router in (0, 1, 3, 60)}
        frames = []
        for router, at, value, count, broken in story:
            frame = other(last[router], at, value)
            if broken and count == 9:
                frame = frame[:57] + bytes((frame[57] ^ 1,)) + frame[58:]
            else:
                last[router] = frame
            frames += [(router % 3, frame)] * count
        write(path, iter(frames), SECOND)
        run = rerun([str(path)])
    steps = list(folded(list(run.journal.records())))
    lines = [one for _, changes in steps for one in changes]
    end = advance(msgspec.structs.replace(steps[-1][0], changes=()), run.state.now)
    assert snapshot.encode(end) == snapshot.encode(run.state)
    assert [*lines, *end.changes] == list(run.journal.history())


def number_of(data: bytes) -> int:
    """The number of the router, or the client, that a frame of the bench is of: the end of its MAC."""
    ours = data[12] == 0x86 or data[6:8] == b"\2\1"
    return int.from_bytes(data[10:12] if ours else data[4:6], "big")
