"""What strangers can make us write down is bounded, and nobody who is known pays for it (standards.md D.3)."""

from __future__ import annotations

import pytest

from events.codec import AnyEvent
from events.frames import FrameRejected
from events.ids import MILLISECOND, SECOND
from events.link import LinkSeen
from pvdcore.routers.bounds import Bounds
from tests.sim.build import R1, START, Story, dhcp4, pio, ra

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
    bad = FrameRejected(link="e0", rule="hop-limit", offset=7, protocol="ra")
    said = flooded(Story(), Bounds(), bad)
    assert said == {"": 20, "flood-rejected": FLOOD_MS - 20}
