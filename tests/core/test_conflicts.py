"""Two machines with one IPv4 address, as ARP shows it (RFC 5227), and what becomes of the lease."""

import pytest
from msgspec.structs import replace

from events.link import ArpSeen, LinkGone, LinkSeen
from pvdcore.state import Client
from tests.sim.build import (
    CLIENT,
    OTHER,
    Story,
    addresses,
    announcement,
    defence,
    dhcp4,
    flag,
    ia_address,
    ia_na,
    lease4,
    probe,
)

HOME = "if:e0/1"
HERE = "192.0.2.10"
CONFLICT = "dhcp4-address-conflict"


def leased(**policy: str) -> Story:
    return Story(**policy).leases4()


def of(told: Story) -> Client:
    return dict(told.state.links["e0"].clients).get(CLIENT, Client())


@pytest.mark.covers("rfc:V31", "rfc:V22", "evil:E98")
@pytest.mark.parametrize(
    "foreign", [probe(HERE, OTHER), announcement(HERE, OTHER), defence(HERE, OTHER)], ids=["probe", "claim", "answer"]
)
def test_whoever_speaks_as_an_address_that_is_probed_ends_it_at_once(foreign: ArpSeen) -> None:
    told = leased().at(1).hear(probe(HERE)).at(2.9).hear(foreign)
    assert told.alive() == []
    assert told.history(HOME)[-1].cause == "conflict"
    found = told.findings()[CONFLICT]
    assert (found.count, found.link, found.pvd, of(told).conflicts) == (1, "e0", HOME, 1)


@pytest.mark.covers("rfc:V31", "evil:E98")
def test_ones_own_words_are_no_conflict_whichever_way_they_come_back() -> None:
    told = leased().at(1).hear(probe(HERE), replace(probe(HERE), mac=OTHER), probe(HERE), announcement(HERE))
    assert (told.alive(), CONFLICT in told.findings(), of(told).conflicts) == ([HOME], False, 0)
    ours = Story()
    for link, mac in (("e0", CLIENT), ("e1", OTHER)):
        ours.hear(LinkSeen(link=link, identity=f"netns:1:{link}", name=link, mac=mac, host=True))
    ours.leases4().hear(probe(HERE), probe(HERE, OTHER), announcement(HERE, OTHER))
    assert (ours.alive(), CONFLICT in ours.findings()) == ([HOME], False)
    ours.hear(LinkGone(link="e1"), announcement(HERE, OTHER))  # the port is gone: it is somebody else who speaks
    assert CONFLICT in ours.findings()
    seen = Story().hear(LinkSeen(link="e0", identity="netns:1:2", name="e0", mac=CLIENT, host=True))
    seen.hear(LinkSeen(link="e1", identity="capture:e1", name="e1", mac=OTHER)).leases4()
    assert CONFLICT in seen.hear(announcement(HERE, OTHER)).findings()  # a link of no host of ours


@pytest.mark.covers("rfc:V31", "evil:E98")
@pytest.mark.parametrize(("gap_s", "kept"), [(4, False), (9, False), (9.9, False), (10, True), (11, True), (20, True)])
def test_an_address_in_use_is_defended_once_in_ten_seconds(gap_s: float, kept: bool) -> None:
    told = leased().at(100).hear(announcement(HERE, OTHER))
    assert told.alive() == [HOME]
    told.at(100 + gap_s).hear(announcement(HERE, OTHER))
    assert told.alive() == ([HOME] if kept else [])
    assert (told.findings()[CONFLICT].count, of(told).conflicts) == (2, 2)


@pytest.mark.covers("rfc:V31", "evil:E98")
def test_what_is_no_conflict_in_use() -> None:
    told = leased().at(100)
    for _ in range(3):
        told.hear(probe(HERE, OTHER))  # a newcomer asks before it takes anything
        told.hear(announcement("192.0.2.11", OTHER), defence("192.0.2.11", OTHER), probe("192.0.2.11", OTHER))
    assert (told.alive(), told.findings(), of(told)) == ([HOME], {}, Client())
    assert Story().hear(announcement(HERE, OTHER), probe(HERE, OTHER)).findings() == {}


@pytest.mark.covers("rfc:V31")
def test_probing_is_over_two_seconds_after_the_last_probe_or_with_the_announcement() -> None:
    late = leased().at(1).hear(probe(HERE)).at(3).hear(announcement(HERE, OTHER))
    assert (late.alive(), late.findings()[CONFLICT].count) == ([HOME], 1)
    told = leased().at(1).hear(probe(HERE)).at(2).hear(announcement(HERE), probe(HERE, OTHER))
    assert (told.alive(), CONFLICT in told.findings()) == ([HOME], False)
    assert told.hear(announcement(HERE, OTHER)).alive() == [HOME]


def test_who_probes_anew_is_probing_again() -> None:
    told = leased().at(1).hear(probe(HERE)).at(5).hear(announcement(HERE)).at(100).hear(probe(HERE))
    assert told.hear(defence(HERE, OTHER)).alive() == []


def test_the_lease_of_the_address_is_found_among_all_of_the_link() -> None:
    told = Story().asks6("REQUEST", ia_na(ia_address("2001:db8::a"))).leases4().at(1).hear(probe(HERE))
    told.hear(defence(HERE, OTHER))
    assert [one.rule for one in told.state.grants.values()] == ["dhcp6-address"]


def test_a_defender_by_policy_keeps_its_address_for_ever() -> None:
    told = leased(arp_defence="always").at(100)
    for second in range(5):
        told.at(100 + second).hear(announcement(HERE, OTHER))
    assert (told.alive(), told.findings()[CONFLICT].count) == ([HOME], 5)


@pytest.mark.covers("rfc:V21", "rfc:V31")
def test_the_decline_that_follows_a_conflict_is_the_same_one() -> None:
    decline = dhcp4("DECLINE", addresses(50, HERE), xid=7)
    told = leased().at(1).hear(announcement(HERE, OTHER)).at(2).hear(decline)
    assert (told.alive(), of(told).conflicts) == ([], 1)
    assert of(leased().at(1).hear(announcement(HERE, OTHER)).at(11).hear(decline)).conflicts == 2
    unknown = leased().hear(dhcp4("DECLINE", addresses(50, "192.0.2.11"), xid=7))
    assert (unknown.alive(), of(unknown).conflicts) == ([HOME], 0)


@pytest.mark.covers("rfc:V21")
@pytest.mark.parametrize(("rest_s", "hasty"), [(0, True), (9, True), (10, False)])
def test_who_declines_rests_ten_seconds_before_it_asks_again(rest_s: float, hasty: bool) -> None:
    told = leased().at(1).hear(probe(HERE), defence(HERE, OTHER), dhcp4("DECLINE", addresses(50, HERE), xid=7))
    assert told.alive() == []
    told.at(1 + rest_s)
    assert "dhcp4-client-hasty" not in told.hear(dhcp4("INFORM", ciaddr=HERE, xid=9)).findings()  # no try for a lease
    told.hear(dhcp4("DISCOVER", xid=8))
    assert ("dhcp4-client-hasty" in told.findings()) is hasty


@pytest.mark.covers("rfc:V22", "evil:E98")
@pytest.mark.parametrize(("conflicts", "limited"), [(9, False), (10, True), (11, True)])
def test_from_the_tenth_conflict_on_one_address_a_minute_is_tried(conflicts: int, limited: bool) -> None:
    told = Story()
    for one in range(conflicts):
        told.at(one * 60).leases4().at(one * 60 + 1).hear(probe(HERE), defence(HERE, OTHER))
        assert "dhcp4-client-tries-on" not in told.findings()
    told.at(conflicts * 60 - 1).leases4()
    assert ("dhcp4-client-tries-on" in told.findings(), of(told).conflicts) == (limited, conflicts)


@pytest.mark.covers("rfc:V22")
def test_an_address_is_announced_after_probes_and_two_seconds_of_quiet() -> None:
    for at, probes in ((5, (1, 2, 3)), (3, (1,))):
        told = leased()
        for one in probes:
            told.at(one).hear(probe(HERE))
        told.at(at).hear(announcement(HERE)).at(at + 2).hear(announcement(HERE))
        assert "dhcp4-client-unprobed" not in told.findings()
    for told in (leased(), leased().hear(probe("192.0.2.11")), leased().at(1).hear(probe(HERE)).at(2.9)):
        found = told.hear(announcement(HERE), announcement(HERE)).findings()["dhcp4-client-unprobed"]
        assert (found.count, found.link) == (1, "e0")  # the second of an announcement's two is no news
    rapid = Story().hear(dhcp4("DISCOVER", flag(80)), lease4(HERE, flag(80)))
    assert "dhcp4-client-unprobed" in rapid.hear(announcement(HERE)).findings()
    renewed = leased().at(1800).hear(dhcp4("REQUEST", ciaddr=HERE, xid=9))
    assert renewed.hear(lease4(xid=9), announcement(HERE)).findings() == {}
