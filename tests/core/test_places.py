"""Places: what each is called, which MAC it has, whose it is, and which connection makes one.

Law: who starts anew, of a later version too, finds what stands: names and MACs are asked for to the letter.
"""

from __future__ import annotations

import pytest

from events.link import LinkSeen
from events.operator import ConnectionClosed, ConnectionOpened, PolicySet, Settings, SettingsLoaded, SettingsRemoved
from events.ops import PlanApplied
from pvdcore.projections import places
from pvdcore.projections.places import place_mac, place_name
from tests.sim.build import CLIENT, R1, R2, Story, pvd, ra

X, I1, I2 = "fqdn:x.example.", "ra:e0/1/fe80::1", "ra:e0/1/fe80::2"
UUID = "uuid:00000000-0000-0000-0000-000000000001"


def seen(link: str = "e0", kind: str = "ethernet") -> LinkSeen:
    return LinkSeen(link=link, identity=f"netns:1:{link}", kind=kind, mac=CLIENT, ifindex=2, name=link, host=True)


def profile(id: str, ipv4: str = "auto", ipv6: str = "disabled") -> SettingsLoaded:
    return SettingsLoaded(settings=Settings(id, "toml", "", {"ipv4.method": ipv4, "ipv6.method": ipv6}))


def up(id: str, settings: str = "asks", link: str = "e0", by: str = "operator") -> ConnectionOpened:
    return ConnectionOpened(id=id, settings=settings, link=link, by=by)


def down(id: str, reason: str = "external") -> ConnectionClosed:
    return ConnectionClosed(id=id, reason=reason)


def told(*events: object) -> Story:
    """Two links of ours, a profile that asks and one that does not."""
    said = Story(projection="netns").hear(seen(), seen("e1"), profile("asks"), profile("fixed", "manual"))
    return said.hear(*events)  # type: ignore[arg-type]


def maker(said: Story, link: str = "e0") -> str | None:
    one = places.maker(said.state, link)
    return one.id if one is not None else None


# Names


@pytest.mark.parametrize(
    ("owner", "link", "epoch", "name", "mac"),
    [
        (X, "e0", 1, "pvd-96553bf0ef", "02:96:55:3b:f0:ef"),
        (X, "e0", 2, "pvd-96553bf0ef", "02:96:55:3b:f0:ef"),
        (X, "e1", 1, "pvd-94f89610df", "02:94:f8:96:10:df"),
        (UUID, "e0", 1, "pvd-d2a5c3ce59", "02:d2:a5:c3:ce:59"),
        (UUID, "e0", 7, "pvd-d2a5c3ce59", "02:d2:a5:c3:ce:59"),
        (I1, "e0", 1, "pvd-e8a0aa0993", "02:e8:a0:aa:09:93"),
        (I1, "e0", 2, "pvd-431068900a", "02:43:10:68:90:0a"),
        ("connection:home@e0", "e0", 1, "pvd-e5fa405b4e", "02:e5:fa:40:5b:4e"),
        ("connection:home@e0", "e0", 2, "pvd-9caac3a896", "02:9c:aa:c3:a8:96"),
    ],
)
def test_a_place_is_called_as_it_was_before_a_restart(owner: str, link: str, epoch: int, name: str, mac: str) -> None:
    """An explicit PvD has one place on a link at all its visits, anything else a place of its own each time."""
    assert (place_name(owner, link, epoch), place_mac(name)) == (name, mac)


# Which connection makes a place


def test_the_oldest_open_connection_that_asks_makes_the_place_of_a_link() -> None:
    said = told(
        up("away", link="e1"),
        up("manual", "fixed"),
        up("theirs", by="external"),
        up("unread", "gone"),
        up("closed"),
        down("closed"),
    )
    assert (maker(said), maker(said, "e1"), maker(said, "e9")) == (None, "away", None)
    said.hear(up("b"), up("a"))
    assert maker(said) == "b"
    said.hear(down("b"))
    assert maker(said) == "a"
    said.hear(up("b"))
    assert maker(said) == "a", "it began anew, later"


def test_whoever_has_given_its_place_away_stays_the_one_who_made_it() -> None:
    said = told(up("first"), ra(R1))
    assert said.state.connections["first"].adopter == I1
    said.hear(down("first"), up("second"))
    assert maker(said) == "first"
    said.hear(ra(R1, life=0))
    assert maker(said) == "second"
    other = told(up("away", link="e1"), ra(R1, link="e1"), up("here"))
    assert other.state.connections["away"].adopter == "ra:e1/1/fe80::1"
    assert maker(other) == "here", "on another link is another place"


def test_a_link_that_is_attached_to_nothing_has_no_place_that_somebody_made() -> None:
    said = told(up("a"), ra(R1))
    said.hear(PlanApplied(projection="netns", pvd=I1, outcomes=(), link="e0", epoch=1)).detach()
    assert said.pvd(I1).phase == "lingering" and said.state.connections["a"].adopter == I1
    assert maker(said) is None


@pytest.mark.parametrize("kind", [*places.UNPLACEABLE, "ethernet"])
def test_on_some_kinds_of_link_nobody_makes_a_place(kind: str) -> None:
    assert maker(Story(projection="netns").hear(seen(kind=kind), profile("asks"), up("a"))) == (
        "a" if kind == "ethernet" else None
    )


def test_where_no_namespaces_are_projected_nobody_makes_a_place() -> None:
    said = told(up("a"), up("b", link="e1"))
    said.hear(PolicySet(values=dict(said.state.policy.values), projections=(("e0", "tables"),)))
    assert (maker(said), maker(said, "e1")) == (None, "b")
    assert places.projection(said.state, "e9") == "none", "on a link that is not there nothing is"
    named = LinkSeen(link="e1", identity="netns:1:e1", kind="ethernet", name="e0", host=True)
    assert places.projection(said.hear(named).state, "e1") == "tables", "a policy goes by the name that it has now"


def test_a_profile_asks_on_a_link_while_its_connection_is_open() -> None:
    said = told(profile("other"), up("first"), ra(R1))
    assert places.managing(said.state, "e0") == said.state.settings["asks"]
    assert places.managing(said.state, "e1") is None
    said.hear(down("first"))
    assert places.managing(said.state, "e0") is None
    said.hear(up("second", "other"))
    assert places.managing(said.state, "e0") == said.state.settings["other"], "in the place that the first one made"
    assert maker(said) == "first"


def test_a_profile_that_is_not_there_asks_for_nothing() -> None:
    assert not places.asking(None)
    said = told(up("a"), SettingsRemoved(id="asks"))
    assert maker(said) is None


# Whose a place is


def test_a_place_is_named_by_the_connection_that_made_it_whoever_has_it() -> None:
    said = told(up("a"))
    named = places.owner_of("a")
    assert places.has(said.state, named, "e0", 1) == named, "nobody has taken it over"
    said.hear(ra(R1), ra(R2))
    state = said.state
    assert (places.owner(state, I1, "e0", 1), places.has(state, named, "e0", 1)) == (named, I1)
    for elsewhere in (("e0", 2), ("e1", 1), ("e9", 1)):
        assert places.owner(state, I1, *elsewhere) == I1 and places.has(state, named, *elsewhere) == named
    assert (places.owner(state, I2, "e0", 1), places.has(state, I2, "e0", 1)) == (I2, I2)
    assert places.has(state, "connection:b", "e0", 1) == "connection:b"
    assert places.mac_of(state, I1, "e0", 1) == place_mac(place_name(named, "e0", 1))
    assert places.mac_of(state, I2, "e0", 1) == place_mac(place_name(I2, "e0", 1))


def test_a_mac_says_whose_place_speaks() -> None:
    said = told(up("a"))
    made, second = (place_mac(place_name(one, "e0", 1)) for one in (places.owner_of("a"), I2))
    assert places.whose(said.state, "e0", made) == ""
    said.hear(ra(R1), ra(R2, pvd("x.example.")), ra(R2))
    state = said.state
    assert places.whose(state, "e0", made) == I1 and places.whose(state, "e0", second) == I2
    assert places.whose(state, "e0", place_mac(place_name(X, "e0", 1))) == X
    for link, mac in (("e1", second), ("e9", second), ("e0", "02:00:00:00:00:77"), ("e0", "04:00:00:00:00:77")):
        assert places.whose(state, link, mac) is None
    assert places.whose(told(ra(R2)).state, "e0", second) == I2, "with no connection at all"


def test_a_lease_is_of_the_mac_that_asked_on_the_attachment_that_it_asked_on() -> None:
    said = told(up("a"), up("b", link="e1"))
    mac = place_mac(place_name(places.owner_of("a"), "e0", 1))
    said.leases4(mac=mac).leases4(mac=CLIENT).leases4(mac=CLIENT, link="e1")
    assert [one.mac for one in places.leased(said.state, "e0", mac)] == [mac]
    assert [one.link for one in places.leased(said.state, "e1", CLIENT)] == ["e1"]
    assert places.leased(said.state, "e9", CLIENT) == [] == places.leased(said.state, "e1", mac)
