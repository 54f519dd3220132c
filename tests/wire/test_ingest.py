"""The door itself: total, pure, bounded, and the same with a memory as without."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import adapters.ingest as ingest
from adapters.ingest import FRAMES_REMEMBERED, Translator, translate, wanted
from adapters.wire.rules import REASONS, RULES
from events.base import Event
from events.frames import ETHERNET, IPV4, IPV6, LINUX_SLL, LINUX_SLL2, LOOP, NETLINK, NULL, RAW, Frame, FrameRejected
from events.router import PvdOption, RouterAdvertised
from tests.bench.inputs import dhcp
from tests.wire.hostile import HOSTILE
from tests.wire.packets import (
    A9_DNR,
    A9_MIF,
    A9_PVD_H,
    A9_PVD_R,
    DISCOVER,
    NODES,
    ROUTER,
    SLLA,
    SOLICIT,
    ethernet,
    frame,
    header,
    ipv4,
    ipv6,
    mtu,
    name,
    pvd,
    ra,
    redirect,
    sealed,
    udp,
    udp6,
)

LINKTYPES = [NULL, ETHERNET, RAW, LOOP, LINUX_SLL, IPV4, IPV6, NETLINK, LINUX_SLL2, 9999]
VALID = [
    ra(SLLA, A9_PVD_H).data,
    ra(A9_DNR, A9_PVD_R, A9_MIF).data,
    redirect().data,
    ethernet(ipv4(udp(DISCOVER, 68, 67)), 0x0800),
    ethernet(ipv6(udp6(SOLICIT, "fe80::2", "ff02::1:2", 546, 547), "fe80::2", "ff02::1:2", next_header=17)),
    ethernet(ra().data[14:], tags=((0x8100, 10),)),
]


def holds(what: Frame) -> tuple[Event, ...]:
    """What is true of every frame; gives its events."""
    events = translate(what)
    assert isinstance(events, tuple)
    for event in events:
        assert isinstance(event, Event)
        if isinstance(event, FrameRejected):
            assert event.rule in RULES
            assert 0 <= event.offset <= len(what.data)
        for option in getattr(event, "options", ()):
            if getattr(event, "router", None) is not None and hasattr(option, "reason"):
                assert option.reason in REASONS
    if events:
        assert wanted(what.linktype, what.data), events
        assert wanted(what.linktype, memoryview(what.data))
    assert translate(what) == events
    assert Translator().translate(what) == events
    return events


@given(st.binary(max_size=200), st.sampled_from(LINKTYPES), st.integers(-1, 300))
@example(b"", ETHERNET, -1)
@example(b"\x60", RAW, -1)
@settings(max_examples=400)
def test_any_octets_are_events_or_a_rejection_or_nothing(data: bytes, linktype: int, original: int) -> None:
    holds(frame(data, linktype, original))


@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    st.integers(0, 400),
    st.integers(-1, 400),
)
@settings(max_examples=600)
def test_any_spoilt_message_is_events_or_a_rejection_or_nothing(
    data: bytes, edits: list[tuple[int, int]], cut: int, original: int
) -> None:
    octets = bytearray(data)
    for at, value in edits:
        octets[at % len(octets)] = value
    holds(frame(bytes(octets[: max(cut, 14)]), original=original))


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    st.sampled_from([A9_PVD_R, A9_MIF, A9_DNR]),
)
@settings(max_examples=600)
def test_any_spoilt_options_behind_a_right_checksum(edits: list[tuple[int, int]], container: bytes) -> None:
    octets = bytearray(header() + SLLA + mtu(1500) + container)
    for at, value in edits:
        octets[4 + at % (len(octets) - 4)] = value
    (event,) = holds(frame(ethernet(ipv6(sealed(bytes(octets), ROUTER, NODES)))))
    if isinstance(event, RouterAdvertised):  # what is kept adds up to the message, to the octet
        assert event.options_at + sum(option.length for option in event.options) == 14 + 40 + len(octets)
        for option in event.options:
            if isinstance(option, PvdOption):
                assert option.nested_at + sum(nested.length for nested in option.options) == option.length


@given(st.lists(st.sampled_from([ra(SLLA).data, ra(mtu(1500)).data, b"", DISCOVER, VALID[3]]), max_size=20))
def test_a_memory_changes_no_answer(heard: list[bytes]) -> None:
    remembering = Translator()
    for at, data in enumerate(heard):
        one = Frame(at, "if0", ETHERNET, data)
        assert remembering.translate(one) == translate(one)


def test_identical_octets_give_the_identical_event() -> None:
    remembering = Translator()
    first = remembering.translate(ra(A9_PVD_R))
    again = remembering.translate(Frame(99, "if0", ETHERNET, bytes(bytearray(ra(A9_PVD_R).data))))
    assert again[0] is first[0]
    elsewhere = remembering.translate(frame(ra(A9_PVD_R).data, link="if1"))
    assert isinstance(elsewhere[0], RouterAdvertised)
    assert elsewhere[0].link == "if1"
    # The same octets cut by a capture are not the same message.
    cut = ra(A9_PVD_R).data[:-8]
    assert remembering.translate(frame(cut)) != remembering.translate(frame(cut, original=len(cut) + 8))


@pytest.mark.covers("evil:E40")
def test_a_flood_of_pvds_is_forgotten_and_a_faithful_router_is_not() -> None:
    remembering = Translator()
    router = ra(A9_PVD_R)
    held = remembering.translate(router)[0]
    for number in range(3 * FRAMES_REMEMBERED):
        stranger = remembering.translate(ra(pvd(name(f"n{number}.example"))))[0]
        assert isinstance(stranger, RouterAdvertised)
        if number % 1000 == 0:
            assert remembering.translate(router)[0] is held
    assert len(remembering._young) + len(remembering._old) <= 2 * FRAMES_REMEMBERED


def test_what_is_not_ours_is_not_remembered() -> None:
    remembering = Translator()
    for port in range(1000, 1100):
        assert remembering.translate(frame(ethernet(ipv4(udp(b"x" * 30, 9, port)), 0x0800))) == ()
    assert not remembering._young


def test_ordinary_traffic_is_not_wanted() -> None:
    for data in (
        ethernet(ipv4(bytes(40), protocol=6), 0x0800),
        ethernet(ipv4(udp(bytes(40), 68, 53)), 0x0800),
        ethernet(ipv6(bytes(40), next_header=6)),
        ethernet(ipv6(udp(bytes(40), 547, 443), next_header=17)),
        ethernet(ipv6(b"\x80" + bytes(39))),
        ethernet(ipv6(b"\x8f" + bytes(39)), tags=((0x8100, 10),)),
        ethernet(ipv4(bytes(40), protocol=6), 0x0800, tags=((0x8100, 10),)),
        ethernet(bytes(46), 0x8035),
        ethernet(bytes(46), 0x88CC),
    ):
        assert translate(frame(data)) == ()
        assert not wanted(ETHERNET, data)


def test_all_that_is_ours_is_wanted() -> None:
    for data in (
        ethernet(ipv4(udp(DISCOVER, 68, 67)), 0x0800),
        ethernet(ipv4(udp(b"\2" + DISCOVER[1:-2] + b"\2\xff", 67, 68)), 0x0800),
        ethernet(ipv4(udp(DISCOVER, 68, 67), options=b"\1" * 4), 0x0800),
        ethernet(ipv6(udp(SOLICIT, 546, 547), next_header=17)),
        ethernet(ipv6(udp(SOLICIT, 547, 546), next_header=17)),
        ethernet(ipv6(b"") + bytes(46)),  # an empty ICMPv6 message, padded by Ethernet
    ):
        assert len(holds(frame(data))) == 1


def test_hostile_packets_hold_too() -> None:
    for case in HOSTILE:
        holds(case.frame)
        for size in range(0, min(len(case.frame.data), 300), 7):  # and every seventh start of them, cut and not
            holds(frame(case.frame.data[:size], case.frame.linktype))
            holds(frame(case.frame.data[:size], case.frame.linktype, len(case.frame.data)))


def test_a_dhcp_exchange_that_differs_in_its_transaction_alone_is_read_once_and_says_its_own_number() -> None:
    remembering = Translator()
    for turn in (1, 2, 3):
        for message in (3, 5):
            frame = Frame(turn, "e0", ETHERNET, dhcp(7, turn, message))
            assert remembering.translate(frame) == translate(frame)
    first, second = (remembering.translate(Frame(9, "e0", ETHERNET, dhcp(7, turn, 5)))[0] for turn in (4, 5))
    assert first.options is second.options and first.xid != second.xid


def test_a_frame_is_taken_apart_once_however_often_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    plain = ingest.exchange
    monkeypatch.setattr(ingest, "exchange", lambda *frame: (asked.append(frame[1]), plain(*frame))[1])
    remembering, data = Translator(), dhcp(7, 1, 3)
    for _ in range(2):
        assert remembering.exchange(ETHERNET, data, -1) == plain(ETHERNET, data, -1)
    remembering.translate(Frame(0, "e0", ETHERNET, data))
    assert asked == [data]
    for which in ((ETHERNET, data, 999), (RAW, data, 999), (RAW, data, -1), (ETHERNET, data, -1)):
        assert remembering.exchange(*which) == plain(*which), "whether it is cut, and how it was captured, counts too"


@pytest.mark.parametrize(
    ("at", "octet"),
    [
        (14, 0x46),
        (16, 1),
        (20, 0x20),
        (24, 0xFF),
        (26, 9),
        (34, 9),
        (36, 9),
        (38, 9),
        (40, 9),
        (42, 9),
        (50, 9),
        (282, 9),
    ],
)
def test_one_that_differs_anywhere_else_is_read_by_itself(at: int, octet: int) -> None:
    """IPv4 header, its checksum, ports, lengths, the UDP checksum, the message: each octet counts as without memory."""
    remembering = Translator()
    plain = dhcp(7, 1, 5)
    remembering.translate(Frame(0, "e0", ETHERNET, plain))
    changed = plain[:at] + bytes([octet]) + plain[at + 1 :]
    for whole in (changed, changed[:-1], changed + b"\0"):
        frame = Frame(0, "e0", ETHERNET, whole)
        assert remembering.translate(frame) == translate(frame)
