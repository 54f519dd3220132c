"""What the kernel is believed to have: each thing once, by what the kernel tells it apart by (host/believed.py)."""

import pytest
from msgspec.structs import replace

from events.codec import AnyEvent
from events.ids import SECOND
from events.link import (
    AddressGone,
    AddressSeen,
    LinkGone,
    LinkSeen,
    NeighborSeen,
    NetnsGone,
    NetnsSeen,
    RouteGone,
    RouteSeen,
    RuleGone,
    RuleSeen,
)
from events.session import SessionStarted
from pvdcore.host.believed import same
from pvdcore.state import Sighting
from tests.sim.build import R1, START, Story

ADDRESS = AddressSeen(link="e0", address="2001:db8:1::a/64", valid_s=60, preferred_s=30)
DEFAULT = RouteSeen(link="e0", destination="::/0", via=R1, metric=1024)
CONNECTED = RouteSeen(link="e1", destination="2001:db8:1::/64", table=500, metric=256)
RULE = RuleSeen(link="host", priority=500, table=500, source="2001:db8:1::a/128", incoming="e0", invert=True)
NEIGHBOR = NeighborSeen(link="e0", address=R1, state="reachable")
NETNS = NetnsSeen(identity="4:4026531840", name="pvd-1")

RULE_KEY = ("rule", "", "ipv6", "500", "lookup", "500", "2001:db8:1::a/128", "", "e0", "", "0", "0", "0", "True")
ALL: dict[tuple[str, ...], Sighting] = {
    ("address", "e0", "2001:db8:1::a/64"): ADDRESS,
    ("route", "e0", "::/0", R1, "254", "1024"): DEFAULT,
    ("route", "e1", "2001:db8:1::/64", "", "500", "256"): CONNECTED,
    RULE_KEY: RULE,
    ("neighbor", "e0", R1): NEIGHBOR,
    ("netns", "", "4:4026531840"): NETNS,
}


def everything() -> Story:
    return Story().hear(*ALL.values())


def test_each_sighting_is_believed_by_what_the_kernel_tells_it_apart_by() -> None:
    told = everything()
    assert dict(told.state.believed) == ALL
    told.hear(LinkSeen(link="e0", identity="capture:e0", name="e0"))
    assert dict(told.state.believed) == ALL, "a link is known elsewhere"
    again: list[AnyEvent] = [replace(ADDRESS, flags=0x80), replace(DEFAULT, protocol=9), replace(RULE, link="other")]
    told.hear(*again, replace(NEIGHBOR, state="failed"), replace(NETNS, name="pvd-2"))
    assert {key: one for key, one in told.state.believed.items() if one != ALL[key]} == {
        ("address", "e0", "2001:db8:1::a/64"): again[0],
        ("route", "e0", "::/0", R1, "254", "1024"): again[1],
        ("rule", "", "ipv6", "500", "lookup", "500", "2001:db8:1::a/128", "", "e0", "", "0", "0", "0", "True"): again[
            2
        ],
        ("neighbor", "e0", R1): NeighborSeen(link="e0", address=R1, state="failed"),
        ("netns", "", "4:4026531840"): NetnsSeen(identity="4:4026531840", name="pvd-2"),
    }, "what is seen again is the same thing"


def test_what_went_is_believed_no_more_and_what_was_not_there_can_go() -> None:
    told = everything().hear(
        AddressGone(link="e1", address="2001:db8:1::a/64"),
        RouteGone(link="e0", destination="::/0", via=R1),
        RuleGone(link="host", priority=500, table=500),
        NetnsGone(identity="4:1", name="pvd-1"),
    )
    assert dict(told.state.believed) == ALL, "none of these"
    told.hear(
        AddressGone(link="e0", address="2001:db8:1::a/64"),
        RouteGone(link="e0", destination="::/0", via=R1, metric=1024),
        RouteGone(link="e1", destination="2001:db8:1::/64", table=500, metric=256),
        RuleGone(link="", priority=500, table=500, source="2001:db8:1::a/128", incoming="e0", invert=True),
        NetnsGone(identity="4:4026531840"),
    )
    assert list(told.state.believed.values()) == [NEIGHBOR], "a neighbour goes with its link, or its boot"


def test_with_a_link_goes_what_was_on_it_and_with_a_boot_all() -> None:
    told = everything().hear(LinkGone(link="e0"))
    assert set(told.state.believed.values()) == {CONNECTED, RULE, NETNS}
    told = everything().hear(SessionStarted(mode="live", version="0", boot="a"))
    assert dict(told.state.believed) == ALL
    assert not told.hear(SessionStarted(mode="live", version="0", boot="b")).state.believed


@pytest.mark.parametrize(
    ("other", "news"),
    [
        (replace(ADDRESS, valid_s=59, preferred_s=0), False),  # they count down
        (replace(ADDRESS, valid_until=START + 60 * SECOND), False),
        (replace(ADDRESS, valid_s=None), True),
        (replace(ADDRESS, preferred_s=None), True),
        (replace(ADDRESS, flags=0x80), True),
        (replace(ADDRESS, origin="ours"), True),
    ],
)
def test_of_an_address_it_is_no_news_that_time_goes_by(other: AddressSeen, news: bool) -> None:
    assert same(ADDRESS, other) != news and same(other, ADDRESS) != news


def test_of_all_else_everything_is_news() -> None:
    assert same(DEFAULT, replace(DEFAULT)) and not same(DEFAULT, replace(DEFAULT, protocol=9))
    assert not same(ADDRESS, DEFAULT) and not same(DEFAULT, ADDRESS)
