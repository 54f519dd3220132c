"""What strangers can make us write down is bounded, and nobody who is known pays for it (standards.md D.3)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.codec import AnyEvent
from events.frames import FrameRejected
from events.ids import MILLISECOND, SECOND
from events.link import ArpSeen, LinkSeen
from events.router import NeighborSolicited, Redirected, RouterSolicited
from events.session import SessionEnded
from pvdcore.routers.bounds import BOUNDS, BUCKETS_MAX, Bound, Bounds
from tests.sim.build import R1, START, Story, dhcp4, dhcp6, na, pio, ra

FLOOD_MS = 10_000


def flooded(story: Story, bounds: Bounds, *events: AnyEvent) -> dict[str, int]:
    """Send these a thousand times a second for ten seconds; what became of them. The admitted are folded."""
    said: dict[str, int] = {}
    for ms in range(0, FLOOD_MS, len(events)):
        for event in events:
            at = START + ms * MILLISECOND
            rule = bounds.refuses(event, at, story.state)
            said[rule] = said.get(rule, 0) + 1
    return said


def strangers() -> list[AnyEvent]:
    return [ra(f"fe80::{number:x}", pio(f"2001:db8:{number:x}::/64")) for number in range(0x1000, 0x1000 + 1000)]


def rejected(link: str) -> FrameRejected:
    return FrameRejected(link=link, rule="hop-limit", offset=7, protocol="ra")


@pytest.mark.covers("feat:R3")
def test_a_thousand_strangers_a_second_leave_few_records() -> None:
    """Policy bucket_frames at once, and bucket_rate more in each of the nine seconds after that."""
    assert flooded(Story(), Bounds(), *strangers()) == {"": 280, "rate": FLOOD_MS - 280}


def test_the_router_that_is_held_is_refreshed_in_the_midst_of_it() -> None:
    story, bounds = Story().hear(ra(R1, pio("2001:db8::/64"))), Bounds()
    flooded(story, bounds, *strangers())
    refused = [bounds.refuses(ra(R1, pio("2001:db8::/64")), START + s * SECOND, story.state) for s in range(0, 600, 3)]
    assert set(refused) == {""}


def test_a_withdrawal_is_kept_however_often_its_router_repeated_itself() -> None:
    story, bounds = Story().hear(ra(R1, pio("2001:db8::/64"))), Bounds()
    said = flooded(story, bounds, ra(R1, pio("2001:db8::/64")))
    assert said["flood-ra-repeats"] > FLOOD_MS * 0.99
    gone = ra(R1, pio("2001:db8::/64", valid=0, preferred=0))
    assert bounds.refuses(gone, START + 10 * SECOND, story.state) == ""
    # Somebody who speaks as that router and says something else each time is bounded all the same.
    said = flooded(story, bounds, *[ra(R1, pio(f"2001:db8:{n:x}::/64")) for n in range(1000)])
    assert said["flood-ra-changes"] > FLOOD_MS * 0.9


def test_when_the_table_of_routers_is_full_a_few_samples_are_kept() -> None:
    story = Story(routers_per_link_max=2).hear(ra("fe80::1"), ra("fe80::2"))
    said = flooded(story, Bounds(), *strangers())
    assert said == {"": 10, "flood-ra-full": FLOOD_MS - 10}


def test_our_own_lease_is_no_strangers_and_others_are() -> None:
    own = "02:00:00:00:00:99"
    story, bounds = Story().hear(LinkSeen(link="e0", identity="i", name="e0", mac=own)), Bounds()
    others = [dhcp4("DISCOVER", mac=f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}") for n in range(1000)]
    assert flooded(story, bounds, *others)["flood-dhcp"] > FLOOD_MS * 0.9
    assert {bounds.refuses(dhcp4("ACK", mac=own), START + 10 * SECOND, story.state) for _ in range(500)} == {""}


def test_malformed_packets_are_sampled_rule_by_link() -> None:
    said = flooded(Story(), Bounds(), rejected("e0"))
    assert said == {"": 20, "flood-rejected": FLOOD_MS - 20}


THEIRS, OURS = "02:00:00:00:00:77", "02:00:00:00:00:99"
ARP = ArpSeen(
    link="e0", operation="request", sender_mac=THEIRS, sender="0.0.0.0", target_mac="", target="192.0.2.1", mac=THEIRS
)
SAID: dict[str, tuple[str, int, AnyEvent]] = {
    "malformed": ("flood-rejected", 20, rejected("e0")),
    "arp": ("flood-arp", 50, ARP),
    "solicitation of routers": ("flood-nd", 50, RouterSolicited(link="e0", source="fe80::7", options=(), mac=THEIRS)),
    "solicitation": ("flood-nd", 50, NeighborSolicited(link="e0", source="::", target="::7", options=(), mac=THEIRS)),
    "advertisement": ("flood-nd", 50, replace(na("fe80::7"), mac=THEIRS)),
    "redirect": (
        "flood-nd",
        50,
        Redirected(link="e0", source="fe80::7", target="::7", destination="::8", options=(), mac=THEIRS),
    ),
    "dhcp4": ("flood-dhcp", 200, replace(dhcp4("DISCOVER", mac=THEIRS), mac=THEIRS)),
    "dhcp6": ("flood-dhcp", 200, replace(dhcp6("SOLICIT"), mac=THEIRS)),
}


@pytest.mark.parametrize(("rule", "at_once", "event"), SAID.values(), ids=SAID)
@pytest.mark.parametrize("mac", ["", OURS], ids=["of no address", "of an address"])
def test_so_much_of_others_is_kept_at_once_and_one_more_each_while(
    rule: str, at_once: int, event: AnyEvent, mac: str
) -> None:
    story, bounds = Story().hear(LinkSeen(link="e0", identity="capture:e0", name="e0", mac=mac)), Bounds()
    if not mac and hasattr(event, "mac"):
        event = replace(event, mac="")  # no link-layer addresses there, which are not ours for that
    every = BOUNDS[rule].every
    for rest, kept in ((0, at_once), (every - 1, 0), (every, 1), (3 * every, 2)):
        said = [bounds.refuses(event, START + rest, story.state) for _ in range(kept + 2)]
        assert said == [""] * kept + [rule] * 2
    assert bounds.refuses(replace(event, link="e1"), START, story.state) == "", "each link has its own bucket"


def test_a_bound_says_what_is_refused() -> None:
    assert BOUNDS["flood-nd"].says == (
        "More than 50 RSs, NSs, NAs and Redirects on a link, and then more than 5 a second; live only."
    )
    assert Bound(3, SECOND, "of them").says == "More than 3 of them, and then more than one in 1 s; live only."
    assert Bound(3, 9 * SECOND, "of them").says == "More than 3 of them, and then more than one in 9 s; live only."


@pytest.mark.parametrize("event", [one for *_, one in SAID.values() if hasattr(one, "mac")])
def test_what_this_host_sends_itself_is_kept(event: AnyEvent) -> None:
    story, bounds = Story().hear(LinkSeen(link="e0", identity="capture:e0", name="e0", mac=OURS)), Bounds()
    own = replace(event, mac=OURS)
    assert {bounds.refuses(own, START, story.state) for _ in range(500)} == {""}


def test_what_is_no_bounded_kind_is_kept_whatever_link_it_is_of() -> None:
    story, bounds = Story(), Bounds()
    for event in (SessionEnded(reason="stopped"), LinkSeen(link="e0", identity="capture:e0", name="e0")):
        assert {bounds.refuses(event, START, story.state) for _ in range(500)} == {""}


def test_there_are_so_many_buckets_and_the_oldest_is_forgotten() -> None:
    """Otherwise who makes up links, or a host of many, would make us hold more and more."""
    story, bounds = Story(), Bounds()

    def kept(link: int) -> int:
        said = [bounds.refuses(rejected(f"e{link}"), START, story.state) for _ in range(25)]
        return said.count("")

    assert [kept(0), kept(1)] == [20, 20]
    assert all(kept(link) == 20 for link in range(2, BUCKETS_MAX))
    assert [kept(0), kept(1)] == [0, 0], "as many as there may be: none is forgotten"
    assert kept(BUCKETS_MAX) == 20
    assert [kept(1), kept(0)] == [0, 20], "one more: the first of them starts anew"
