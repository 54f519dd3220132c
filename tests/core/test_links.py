"""Links, attachments and sessions: what ends with them, and what does not (RFC 7556 §2.1; standards.md C.3)."""

import pytest
from msgspec.structs import replace

from events.ids import SECOND
from events.link import AttachEnded, AttachStarted, LinkGone, LinkSeen
from events.operator import (
    ConnectionClosed,
    ConnectionOpened,
    PolicySet,
    PvdPinned,
    PvdUnpinned,
    Settings,
    SettingsLoaded,
    SettingsRemoved,
)
from events.session import SessionStarted
from pvdcore.engine import Engine
from pvdcore.past.journal import MemoryJournal
from pvdcore.policy import DEFAULT
from pvdcore.state import Link
from tests.sim.build import R1, R2, START, Story, dhcp4, dns, lease4, pio, pvd, ra

X, P = "fqdn:x.example.", "2001:db8:1::/64"


def everything() -> Story:
    return Story().hear(ra(R1, pvd("x.example.", pio(P))), ra(R2), ra(R2, link="e1")).leases4()


def test_a_link_is_known_as_it_was_said_last_since_it_was_said_first() -> None:
    told = Story().at(3)
    told.hear(LinkSeen("e7", "netns:1:7:1", "ethernet", 7, "up7", "02:00:00:00:00:07", 1500, carrier_changes=3))
    first = told.state.seq
    assert told.state.links["e7"] == Link(
        "e7", "netns:1:7:1", "ethernet", told.now, mac="02:00:00:00:00:07", mtu=1500, ifindex=7, name="up7",
        because=first, carrier_changes=3,
    )  # fmt: skip
    told.at(9).hear(
        LinkSeen(
            "e7", "netns:1:8:1", "wifi", 8, "w7", "02:00:00:00:00:08", 1400, up=False, carrier_changes=4, host=True
        )
    )
    assert told.state.links["e7"] == Link(
        "e7", "netns:1:8:1", "wifi", told.now - 6 * SECOND, mac="02:00:00:00:00:08", mtu=1400, ifindex=8, name="w7",
        up=False, because=first, host=True, carrier_changes=4,
    )  # fmt: skip


@pytest.mark.parametrize("back", [LinkSeen(link="e0", identity="capture:e0", name="e0"), AttachStarted(link="e0")])
def test_a_link_that_was_moved_away_is_told_where_it_is_until_it_is_here_again(back: LinkSeen | AttachStarted) -> None:
    told = everything().hear(dhcp4("REQUEST", xid=7)).at(5).hear(LinkGone(link="e0", reason="moved", to="blue:eth0"))
    link = told.state.links["e0"]
    assert (link.gone_at, link.attached, link.asks, link.moved_to) == (told.now, False, (), "blue:eth0")
    assert told.findings()["link-moved"].text.endswith("network namespace, where it is blue:eth0")
    link = told.at(6).hear(back).state.links["e0"]
    assert (link.gone_at, link.attached, link.moved_to, link.epoch) == (None, True, "", 2)
    assert told.hear(LinkGone(link="e0")).state.links["e0"].moved_to == ""


@pytest.mark.covers("rfc:A11")
@pytest.mark.parametrize("end", [AttachEnded(link="e0"), AttachStarted(link="e0"), LinkGone(link="e0")])
def test_nothing_learned_outlives_the_attachment(end: AttachEnded | AttachStarted | LinkGone) -> None:
    told = everything().at(5).hear(end)
    assert told.alive() == ["ra:e1/1/fe80::2"]
    assert {one.cause for one in told.history() if one.phase == "gone"} == {"attachment"}
    assert told.state.links["e0"].pvds == ()


def test_an_implicit_pvd_is_never_the_same_again_and_an_explicit_one_is() -> None:
    told = everything().at(5).attach().hear(ra(R1, pvd("x.example.", pio(P))), ra(R2))
    assert told.alive() == [X, "ra:e0/2/fe80::2", "ra:e1/1/fe80::2"]
    assert told.pvd("ra:e0/1/fe80::2").phase == "gone"
    assert [one.epoch for one in told.history(X)] == [1, 1, 2]
    assert told.pvd(X).versions == 2  # it came, and it went


def test_a_first_attachment_where_nothing_was_heard_yet_is_the_first() -> None:
    told = Story().attach()
    assert told.state.links["e0"].epoch == 1
    told.detach().attach()
    assert told.state.links["e0"].epoch == 2


def test_the_end_of_what_never_began_is_nothing() -> None:
    told = Story().detach().detach()
    assert told.hear(AttachEnded(link="e9")).history() == []
    assert "e9" not in told.state.links


def test_a_link_that_nobody_announced_goes_by_its_id_until_somebody_does() -> None:
    told = Story().hear(ra(R1, link="e7"))
    made = Link("e7", "", "unknown", START, name="e7", because=told.state.seq)
    assert replace(told.state.links["e7"], pvds=(), speakers=()) == made
    told.hear(LinkSeen(link="e7", identity="mac:02:00:00:00:00:07", name="uplink"))
    assert told.state.links["e7"].name == "uplink"


def test_a_question_of_the_last_attachment_is_not_answered_in_this_one() -> None:
    told = Story().hear(dhcp4("REQUEST")).attach().hear(lease4())
    assert told.alive() == []


def test_what_is_heard_after_the_end_of_an_attachment_makes_nothing() -> None:
    told = everything().at(5).detach().hear(ra(R2), dhcp4("REQUEST"), lease4())
    assert told.alive() == ["ra:e1/1/fe80::2"]  # the key of an implicit PvD is never used again
    assert "heard-unattached" in told.findings()
    assert "ra:e0/2/fe80::2" in told.attach().hear(ra(R2)).alive()


def test_a_link_that_comes_back_is_attached_anew() -> None:
    told = everything().hear(LinkGone(link="e0")).at(5)
    told.hear(LinkSeen(link="e0", identity="capture:e0#2", mtu=1500), ra(R2))
    assert told.state.links["e0"].epoch == 2
    assert told.state.links["e0"].mtu == 1500
    assert "ra:e0/2/fe80::2" in told.alive()


def test_another_boot_forgets_what_was_believed_and_the_same_boot_does_not() -> None:
    told = everything().hear(SessionStarted(mode="live", version="1", boot="a"))
    told.at(5).hear(SessionStarted(mode="live", version="1", boot="a"))
    assert X in told.alive()
    told.at(6).hear(SessionStarted(mode="live", version="1", boot="b"))
    assert told.alive() == []


def test_a_policy_counts_from_its_record_on() -> None:
    packet = ra(R1, pio(P), pvd("x.example.", dns("2001:db8::53")))
    told = Story().hear(packet).at(5).hear(PolicySet(values={**DEFAULT.values, "aware": False}))
    assert told.alive() == [X]  # nothing is recomputed backwards
    told.at(6).hear(packet)
    assert told.keys("ra:e0/1/fe80::1", "prefix") == [P]
    assert told.ends(X, "prefix", P) == 86400


def test_a_policy_on_owners_moves_them_at_once() -> None:
    told = Story().leases4().hear(PolicySet(values={**DEFAULT.values, "fallback": "protocol"}))
    assert told.alive() == ["dhcp4:e0/1/192.0.2.1"]
    came, went = told.history("dhcp4:e0/1/192.0.2.1")[-1], told.history("if:e0/1")[-1]
    assert (came.cause, went.cause) == ("moved", "moved") and came.because == went.because == told.state.seq


def test_settings_and_connections_are_intent_and_make_no_pvd() -> None:
    told = Story().hear(SettingsLoaded(settings=Settings("home", "toml")))
    told.hear(ConnectionOpened(id="c1", settings="home", link="e0"))
    assert told.alive() == []
    assert told.state.connections["c1"].closed_at is None
    told.at(5).hear(ConnectionClosed(id="c1", reason="operator"), SettingsRemoved(id="home"))
    assert told.state.connections["c1"].reason == "operator"
    assert "home" not in told.state.settings
    told.at(6).hear(ConnectionClosed(id="c1", reason="later"))
    assert told.state.connections["c1"].reason == "operator"


def test_a_pin_is_known_and_ends_with_unpin() -> None:
    told = everything().hear(PvdPinned(pvd=X))
    assert told.pvd(X).pinned
    assert not told.hear(PvdUnpinned(pvd=X)).pvd(X).pinned
    assert "fqdn:nobody." not in told.hear(PvdPinned(pvd="fqdn:nobody.")).state.pvds


def test_a_link_that_is_attached_is_no_longer_gone() -> None:
    """An attachment on a link that was deleted says that it is there; the LinkSeen after it starts no other."""
    story = Story().hear(LinkSeen(link="e0", identity="i", name="e0"))
    story.at(1).hear(LinkGone(link="e0")).at(2).hear(AttachStarted(link="e0"))
    assert (story.state.links["e0"].epoch, story.state.links["e0"].gone_at) == (2, None)
    story.at(3).hear(LinkSeen(link="e0", identity="i", name="e0"))
    assert story.state.links["e0"].epoch == 2


def test_the_first_attachment_of_a_link_without_carrier_is_yet_to_come() -> None:
    engine = Engine(MemoryJournal())
    engine.submit(LinkSeen(link="e0", identity="i", name="e0", carrier=False), source="live", at=1)
    assert (engine.state.links["e0"].epoch, engine.state.links["e0"].attached) == (0, False)
    engine.submit(AttachStarted(link="e0"), source="live", at=2)
    assert (engine.state.links["e0"].epoch, engine.state.links["e0"].attached) == (1, True)
