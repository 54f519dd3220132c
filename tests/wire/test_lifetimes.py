"""An RA recognised by its octets as another with other lifetimes is what the whole reading says, and nothing else is.

Law: `soonest` may answer 0 for anything; where it answers a number, the options' reader must agree in every field.
"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.ingest import translate
from adapters.wire.neighbor import lifetimes
from adapters.wire.neighbor.lifetimes import Outline, outline, soonest
from events.codec import encode
from events.frames import Frame
from events.router import Dnssl, PrefixInformation, Rdnss, RouteInformation, RouterAdvertised
from tests.wire import packets as p
from tests.wire import strategies as draws

FREE = PrefixInformation | RouteInformation | Rdnss | Dnssl
INFINITY = 0xFFFFFFFF
QUICK = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


def read(frame: Frame) -> RouterAdvertised | None:
    (event,) = translate(frame)
    return event if isinstance(event, RouterAdvertised) else None


def known(frame: Frame) -> Outline | None:
    event = read(frame)
    assert event is not None
    free = [isinstance(option, FREE) for option in event.options]
    return outline(frame.linktype, frame.data, event.options_at, free)


def without_lifetimes(event: RouterAdvertised) -> RouterAdvertised:
    options = []
    for option in event.options:
        if isinstance(option, PrefixInformation):
            option = msgspec.structs.replace(option, valid_s=1, preferred_s=1)
        elif isinstance(option, FREE):
            option = msgspec.structs.replace(option, lifetime_s=1)
        options.append(option)
    return msgspec.structs.replace(event, options=tuple(options))


def shortest(event: RouterAdvertised) -> int:
    found = [
        option.valid_s if isinstance(option, PrefixInformation) else option.lifetime_s
        for option in event.options
        if isinstance(option, FREE)
    ]
    return min(INFINITY if one is None else one for one in found)


def agrees(outlined: Outline, first: Frame, second: Frame) -> int:
    """What `soonest` says of the second frame; it must be what both, read whole, say."""
    said = soonest(outlined, second.data)
    if said:
        one, other = read(first), read(second)
        assert one is not None and other is not None
        assert without_lifetimes(one) == without_lifetimes(other)
        assert said == shortest(other)
        form = lifetimes.form(one, [isinstance(option, FREE) for option in one.options])
        assert form is not None
        endless = any(
            None in (getattr(option, "valid_s", 1), getattr(option, "preferred_s", 1)) for option in other.options
        )
        endless = endless or any(isinstance(it, FREE) and getattr(it, "lifetime_s", 1) is None for it in other.options)
        assert lifetimes.said(outlined, form, second.data) == (None if endless else encode(other))
    return said


def relived(octets: bytes, lives: list[int]) -> bytes:
    """The options with these lifetimes, in turn; of two the longer is the valid one."""
    made, at, turn = bytearray(octets), 0, 0
    while at < len(octets):
        kind, size = octets[at], octets[at + 1] * 8
        if kind == 3 and size == 32:
            for place, life in zip((4, 8), sorted((lives[turn], lives[turn + 1]), reverse=True), strict=True):
                made[at + place : at + place + 4] = life.to_bytes(4, "big")
            turn += 2
        elif kind in (24, 25, 31) and size >= 8:
            made[at + 4 : at + 8] = lives[turn].to_bytes(4, "big")
            turn += 1
        at += size
    return bytes(made)


@QUICK
@given(draws.ra_options, st.lists(draws.lifetimes, min_size=30, max_size=30))
def test_an_ra_with_other_lifetimes_is_recognised_as_it_is_read(options: bytes, lives: list[int]) -> None:
    first, second = p.ra(options), p.ra(relived(options, lives))
    outlined = known(first)
    if outlined is not None:
        agrees(outlined, first, second)


@QUICK
@given(draws.ra_options, st.data())
def test_octets_changed_anywhere_are_never_taken_for_other_lifetimes(options: bytes, data: st.DataObject) -> None:
    first = p.ra(options)
    outlined = known(first)
    if outlined is None:
        return
    octets = bytearray(first.data)
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(draws.u8)
    # as it is, which its checksum gives away, and with a checksum that is right
    agrees(outlined, first, p.frame(bytes(octets)))
    body = bytes(octets[54:56]) + b"\0\0" + bytes(octets[58:])
    agrees(outlined, first, p.frame(bytes(octets[:54]) + p.sealed(body, p.ROUTER, p.NODES)))


@pytest.mark.parametrize(
    ("again", "answer"),
    [
        (p.ra(p.pio("2001:db8::", valid=700, preferred=600), p.rdnss("2001:db8::53", lifetime=900)), 700),
        (p.ra(p.pio("2001:db8::", valid=700, preferred=700), p.rdnss("2001:db8::53", lifetime=1)), 1),
        (p.ra(p.pio("2001:db8::", valid=INFINITY, preferred=0), p.rdnss("2001:db8::53", lifetime=INFINITY)), INFINITY),
        (p.ra(p.pio("2001:db8::", valid=700, preferred=701), p.rdnss("2001:db8::53")), 0),
        (p.ra(p.pio("2001:db8::", valid=700, preferred=600), p.rdnss("2001:db8::53", lifetime=0)), 0),
        (p.ra(p.pio("2001:db9::"), p.rdnss("2001:db8::53")), 0),
        (p.ra(p.pio("db8:2001::"), p.rdnss("2001:db8::53")), 0),  # whose checksum is the same
        (p.ra(p.pio("2001:db8::", flags=0x80), p.rdnss("2001:db8::53")), 0),
        (p.ra(p.pio("2001:db8::"), p.rdnss("2001:db8::53"), start=p.header(0)), 0),
        (p.ra(p.pio("2001:db8::"), p.rdnss("db8:2001::53")), 0),
        (p.ra(p.pio("2001:db8::"), p.rdnss("2001:db8::53"), p.mtu(1500)), 0),
        (p.ra(p.pio("2001:db8::"), p.rdnss("2001:db8::53"), source="fe80::9"), 0),
    ],
)
def test_what_is_recognised_and_what_is_not(again: Frame, answer: int) -> None:
    first = p.ra(p.pio("2001:db8::"), p.rdnss("2001:db8::53"))
    outlined = known(first)
    assert outlined is not None
    assert agrees(outlined, first, again) == answer


def test_what_names_say_is_not_taken_for_a_lifetime() -> None:
    first = msgspec.structs.replace(p.ra(p.pio("2001:db8::"), p.rdnss("2001:db8::53")), link="100%d")
    event, outlined = read(first), known(first)
    assert event is not None and outlined is not None and b'"100%d"' in encode(event)
    form = lifetimes.form(event, [True, True])
    assert form is not None and lifetimes.said(outlined, form, first.data) == encode(event)
    number = b"%d" % (INFINITY + 2)
    event = read(p.ra(p.pio("2001:db8::"), p.dnssl(b"\x0a" + number + b"\x03lan\0")))
    assert event is not None and number in encode(event)
    assert lifetimes.form(event, [True, False]) is None
    assert lifetimes.form(event, [False, True]) is not None


def test_a_frame_with_other_headers_a_wrong_checksum_or_of_another_link_type_is_not_recognised() -> None:
    first = p.ra(p.pio("2001:db8::"))
    outlined = known(first)
    assert outlined is not None
    again = p.ra(p.pio("2001:db8::", valid=700, preferred=600)).data
    assert soonest(outlined, again) == 700
    for at in range(58):  # Ethernet, IPv6, type, code and checksum
        assert soonest(outlined, again[:at] + bytes((again[at] ^ 1,)) + again[at + 1 :]) == 0, at
    assert outline(101, first.data[14:], 56, [True]) is None
    assert known(p.ra(p.mtu(1500))) is None


def test_each_lifetime_counts_wherever_it_stands_and_preferred_ones_against_their_own_only() -> None:
    """Two prefixes, a route, names and a resolver, and among them what has no lifetime of its own."""
    plain = {"valid": 600, "preferred": 500, "route": 601, "names": 602, "second": 603, "soft": 400, "resolver": 604}

    def said(**other: int) -> Frame:
        life = {**plain, **other}
        return p.ra(
            p.SLLA,
            p.pio("2001:db8:1::", valid=life["valid"], preferred=life["preferred"]),
            p.mtu(1500),
            p.rio("2001:db8:2::", 48, life["route"]),
            p.rio("2001:db8:4::", 48, 700, units=2),
            p.dnssl(p.name("a.example"), life["names"]),
            p.pio("2001:db8:3::", valid=life["second"], preferred=life["soft"]),
            p.rdnss("2001:db8::53", lifetime=life["resolver"]),
            p.option(200, b"behind"),
        )

    outlined = known(said())
    assert outlined is not None
    assert agrees(outlined, said(), said()) == 600
    for kind in ("valid", "route", "names", "second", "resolver"):
        soft = {"preferred": 7} if kind == "valid" else {"soft": 7} if kind == "second" else {}
        assert agrees(outlined, said(), said(**{kind: 7, **soft})) == 7
        soft = dict.fromkeys(soft, 0)
        assert agrees(outlined, said(), said(**{kind: 0, **soft})) == 0
        assert agrees(outlined, said(), said(**{kind: INFINITY})) == (601 if kind == "valid" else 600)
    for kind in ("preferred", "soft"):
        assert agrees(outlined, said(), said(**{kind: 0})) == 600
    assert agrees(outlined, said(), said(preferred=601)) == 0
    assert agrees(outlined, said(), said(soft=604)) == 0
    assert agrees(outlined, said(), said(preferred=600, soft=603)) == 600
    # where a lifetime is not free, another one is another RA
    event = read(said())
    assert event is not None
    for at, kind in ((1, "valid"), (3, "route"), (5, "names"), (6, "second"), (7, "resolver")):
        free = [isinstance(option, FREE) and place != at for place, option in enumerate(event.options)]
        bound = outline(1, said().data, event.options_at, free)
        assert bound is not None
        assert (soonest(bound, said(**{kind: 650}).data), soonest(bound, said().data) > 0) == (0, True)
        form = lifetimes.form(event, free)
        assert form is not None and lifetimes.said(bound, form, said().data) == encode(event)


def test_only_a_plain_frame_has_an_outline() -> None:
    first = p.ra(p.pio("2001:db8::"))
    assert outline(1, first.data, 70, [True]) is not None
    assert outline(113, first.data, 70, [True]) is None
    tagged = p.frame(p.ethernet(first.data[14:], tags=((0x8100, 10),)))
    event = read(tagged)
    assert event is not None
    assert outline(1, tagged.data, event.options_at, [True]) is None


def test_where_octets_may_differ_is_told_by_masks_and_places() -> None:
    """As the twin in C looks at them (replay/files/repeats.c): in the frame, lifetimes and the checksum."""
    frame = p.ra(p.SLLA, p.pio("2001:db8::"), p.mtu(1400), p.rio("2001:db8:1::", 48), p.rdnss("2001:db8::53"))
    event = read(frame)
    assert event is not None
    places, at = {}, event.options_at
    for option in event.options:
        if isinstance(option, FREE):
            places[at + 4] = isinstance(option, PrefixInformation)
        at += option.length
    may = {56, 57, *(one + octet for one, both in places.items() for octet in range(8 if both else 4))}
    outlined = known(frame)
    assert outlined is not None and len(places) == 3
    assert outlined.mask == bytes(0 if octet in may else 0xFF for octet in range(len(frame.data)))
    assert outlined.masked == bytes(0 if octet in may else one for octet, one in enumerate(frame.data))
    assert outlined.places == b"".join(one.to_bytes(2, "big") + both.to_bytes(2, "big") for one, both in places.items())
