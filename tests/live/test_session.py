"""A session of pvdd: it hears, keeps, says when it begins and ends, and is the only one that writes."""

from __future__ import annotations

import pytest

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


def test_a_second_daemon_on_the_same_journal_says_so_and_ends(lab: Lab) -> None:
    host = lab.host("h")
    first = lab.pvdd(host)
    second = lab.pvdd(host, ready=False)
    assert second.ends() == 1
    assert second.said().count("\n") == 1 and "another pvdd writes to it" in second.said()
    before = first.records()
    assert first.stop() == 0
    assert [type(one.event) for one in first.records()[len(before) :]] == [SessionEnded]
