"""A session of pvdd: it hears, keeps, says when it begins and ends, and is the only one that writes."""

from __future__ import annotations

import signal

import pytest

from adapters.live import BATCH_MAX
from events.frames import FramesRefused
from events.link import LinkSeen
from events.operator import PolicySet
from events.router import RouterAdvertised
from events.session import SessionEnded, SessionStarted
from tests.live.lab import Lab
from tests.wire.packets import pio, rdnss


@pytest.mark.covers("feat:A10")
def test_an_advertisement_becomes_a_pvd(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    router.wire("eth1").advertise(pio("2001:db8:1::"), rdnss("2001:db8:1::53"))
    heard = pvdd.wait(RouterAdvertised)
    assert isinstance(heard.event, RouterAdvertised) and heard.event.link == "eth0"
    assert heard.provenance.source == "live" and heard.provenance.captured_at is None
    assert list(pvdd.state().pvds) == ["ra:eth0/1/fe80::1"]
    assert pvdd.stop() == 0
    records = pvdd.records()
    assert isinstance(records[0].event, PolicySet)
    started = records[1].event
    assert isinstance(started, SessionStarted) and started.mode == "live" and len(started.boot) == 36
    assert {one.event.link for one in records if isinstance(one.event, LinkSeen)} == {"lo", "eth0"}
    ended = records[-1].event
    assert isinstance(ended, SessionEnded) and ended.reason == "SIGTERM"


def test_what_came_before_it_was_told_to_end_is_heard(lab: Lab) -> None:
    """More than it takes from a socket at once: it stands still while they come, and goes on with the signal."""
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    wire = router.wire("eth1")
    frame = wire.advertise(pio("2001:db8:1::"))
    pvdd.wait(RouterAdvertised)
    pvdd.send(signal.SIGSTOP)
    count = 10 * BATCH_MAX
    wire.send(*[frame] * count)
    pvdd.send(signal.SIGTERM)
    pvdd.send(signal.SIGCONT)
    assert pvdd.ends() == 0
    said = [one.event for one in pvdd.records()]
    refused = sum(one.count for one in said if isinstance(one, FramesRefused))  # it repeats itself faster than may be
    assert sum(isinstance(one, RouterAdvertised) for one in said) + refused == 1 + count
    assert isinstance(said[-1], SessionEnded)


def test_a_second_daemon_on_the_same_journal_says_so_and_ends(lab: Lab) -> None:
    host = lab.host("h")
    first = lab.pvdd(host)
    second = lab.pvdd(host, ready=False)
    assert second.ends() == 1
    assert second.said().count("\n") == 1 and "another pvdd writes to it" in second.said()
    before = first.records()
    assert first.stop() == 0
    assert [type(one.event) for one in first.records()[len(before) :]] == [SessionEnded]
