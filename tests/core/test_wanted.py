"""Which identifiers are wanted: all that are, and those that one PvD or one connection gives rise to.

Law: what is wanted of each comes to what is wanted of all, but for temporary ones; and what was chosen is wanted no
more, else a session would choose it again and again.
"""

import pytest
from msgspec.structs import replace

from events.codec import AnyEvent
from events.ids import NEVER, SECOND
from events.link import AddressGone, AddressSeen, DadFailed, LinkSeen
from events.operator import ConnectionOpened, PolicySet, Settings, SettingsLoaded, Value
from events.ops import Outcome, PlanApplied
from events.vpn import VpnConnected
from pvdcore.host.addresses import (
    IDGEN_DELAY_MS,
    OTHERS_FIRST_MS,
    WantedIdentifier,
    wanted_at,
    wanted_identifiers,
    wanted_of,
)
from pvdcore.policy import DEFAULT
from pvdcore.projections import placing
from pvdcore.projections.places import owner_of
from pvdcore.projections.plan import place_ops
from tests.sim.build import R1, R2, START, Story, pio, pvd, ra

X, I1, I2 = "fqdn:x.example.", "ra:e0/1/fe80::1", "ra:e0/1/fe80::2"
P, Q, LOCAL = "2001:db8:1::/64", "2001:db8:2::/64", "fe80::/64"
MAC, OF_MAC = "02:00:00:00:00:0b", "fe80::ff:fe00:b"
HOME = owner_of("home@e0")
HOUR, DAY = 3600, 86400


def wish(
    prefix: str, pvd: str = "", kind: str = "stable", *, link: str = "e0", epoch: int = 1, number: int = 0, **more: int
) -> WantedIdentifier:
    return WantedIdentifier(link, epoch, pvd, prefix, kind, number, **more)


def politely(prefix: str, kind: str = "stable", *, link: str = "e0") -> WantedIdentifier:
    """Behind others' turn."""
    return wish(prefix, kind=kind, link=link, delay_ms_min=OTHERS_FIRST_MS, delay_ms_max=OTHERS_FIRST_MS)


def wishes(told: Story) -> list[WantedIdentifier]:
    """All that is wanted."""
    found, each = wanted_identifiers(told.state), set()
    for owner in (*told.state.pvds, *map(owner_of, told.state.connections)):
        mine = list(wanted_of(told.state, owner))
        assert len(set(mine)) == len(mine), "nobody asks twice"
        each |= set(mine)
    assert sorted(each) == [one for one in found if one.kind != "temporary"]
    return list(found)


def ours(kind: str = "ethernet") -> LinkSeen:
    return LinkSeen(link="e0", identity="netns:1:2:1", kind=kind, mac=MAC, ifindex=2, name="e0", host=True)


def opened(method: str = "auto") -> tuple[AnyEvent, ...]:
    """A connection on a link."""
    values: dict[str, Value | list[str]] = {"ipv4.method": method}
    if method == "manual":
        values |= {"ipv4.addresses": ["192.0.2.9/24"], "ipv6.method": "disabled"}
    profile = Settings("home", "toml", "", values)
    return SettingsLoaded(settings=profile), ConnectionOpened(id="home@e0", settings="home", link="e0")


def seen(address: str, *, link: str = "e0", origin: str = "other") -> AddressSeen:
    return AddressSeen(link=link, address=address, origin=origin)


ONE, NESTED = ra(R1, pio(P)), ra(R1, pio(P), pvd("x.example.", pio(Q)))


@pytest.mark.covers("rfc:S01", "rfc:S16", "rfc:S29")
@pytest.mark.parametrize(
    ("policy", "heard", "wanted"),
    [
        ({}, [ra(R1, pio("2001:db8:4::/63"), pio(P), pio(Q, flags="L")), ra(R2, pio(P))], [wish(P)]),
        ({}, [NESTED, ra(R2, pio(P), link="e1")], [wish(P), wish(Q), wish(P, link="e1")]),
        ({}, [ra(R1, pio(P, flags="LAP"))], [wish(P)]),
        ({"honor_p": True}, [ra(R1, pio(P, flags="LAP"), pio(Q))], [wish(Q)]),
        ({"identifier": "eui64"}, [ONE], [wish(P, kind="eui64")]),
        ({"identifier": "none", "projection": "netns"}, [ONE, *opened()], []),
        ({"projection": "tables"}, [NESTED], [politely(P), wish(Q)]),
        ({"projection": "tables"}, [ONE, seen("2001:db8:1::7/128")], []),
        ({"projection": "tables"}, [NESTED, seen("2001:db8:2::7/64")], [politely(P)]),
        ({"projection": "tables"}, [ONE, seen("2001:db8:1::7/64", origin="ours")], [politely(P)]),
        (
            {"projection": "tables"},
            [ONE, ra(R1, pio(P), link="e1"), seen("2001:db8:1::7/64")],
            [politely(P, link="e1")],
        ),
        ({"projection": "netns"}, [ONE, seen("2001:db8:1::7/64")], [wish(P), wish(LOCAL, I1)]),
        (
            {"projection": "netns"},
            [ra(R1), ra(R2, pvd("x.example.")), ra(R2, link="e1")],
            [wish(LOCAL, X), wish(LOCAL, I1), wish(LOCAL, "ra:e1/1/fe80::2", link="e1")],
        ),
        ({"projection": "netns"}, [VpnConnected(vpn="corp", client="openvpn", device="e0"), ra(R1)], [wish(LOCAL, I1)]),
        ({"projection": "netns"}, [ours(), *opened()], [wish(LOCAL, HOME)]),
        ({"projection": "netns"}, [ours(), *opened(), ra(R1), ra(R2)], [wish(LOCAL, HOME), wish(LOCAL, I2)]),
        ({"projection": "netns"}, [ours(), *opened("manual")], [wish(LOCAL, "static:home")]),
        ({"projection": "netns"}, [ours(), *opened("manual"), DadFailed(link="e0", address=OF_MAC)], []),
        ({"projection": "netns"}, [ours(), *opened(), DadFailed(link="e0", address=OF_MAC)], []),
    ],
    ids=[
        "of a prefix that forms, once",
        "of each link and prefix",
        "of one that prefers delegation",
        "not of that if policy honours it",
        "of the hardware address",
        "of none",
        "others first, but for what they do not read",
        "others have one",
        "others have another",
        "what is ours",
        "others have one on another link",
        "in a namespace of its own",
        "a link-local one in each namespace",
        "a tunnel says its own",
        "a connection, before any PvD is known",
        "one PvD has the place of the connection",
        "what a profile says",
        "no IPv6 for what a profile says",
        "no IPv6 for a connection",
    ],
)
def test_what_is_wanted(policy: dict[str, Value], heard: list[AnyEvent], wanted: list[WantedIdentifier]) -> None:
    told = Story(**policy).hear(*heard)
    assert wishes(told) == wanted
    assert wanted_at(told.state) == (told.now if wanted else NEVER)
    assert wishes(told.chooses()) == []
    assert wanted_at(told.state) == NEVER


def test_what_is_leased_to_others_wants_nothing_of_ours() -> None:
    told = Story(projection="netns").leases4().hear(ra(R1, pvd("x.example."), pio(P), link="e1"))
    assert told.alive() == [X, "if:e0/1"]
    assert wishes(told) == [wish(P, link="e1"), wish(LOCAL, X, link="e1")]
    told.hear(ra(R1))
    assert told.owners("dhcp4") == [I1]
    assert wishes(told)[0] == wish(LOCAL, I1)


def test_when_the_address_of_others_is_gone_one_of_ours_is_wanted() -> None:
    told = Story(projection="tables").hear(ONE, seen("2001:db8:1::7/64"))
    assert wishes(told.hear(AddressGone(link="e0", address="2001:db8:1::7/64"))) == [politely(P)]


@pytest.mark.covers("rfc:S28")
def test_a_duplicate_is_followed_by_the_next_after_a_random_time_whose_ever_it_is() -> None:
    told = Story(projection="netns").hear(ours(), *opened(), ra(R1, pio(P)), ra(R2, pvd("x.example."))).chooses("a")
    chosen = {one.pvd: one.address for key in (LOCAL, P) for one in told.state.host.identifiers["e0", key]}
    assert sorted(chosen) == ["", HOME, X]
    for owner, prefix in (("", P), (HOME, LOCAL), (X, LOCAL)):
        told.engine.stirred()
        told.hear(DadFailed(link="e0", address=chosen[owner]))
        next_one = wish(prefix, owner, number=1, delay_ms_max=IDGEN_DELAY_MS)
        assert wishes(told) == [next_one]
        assert [one for stirred in told.engine.stirred() for one in wanted_of(told.state, stirred)] == [next_one]
        assert wishes(told.chooses(f"{len(owner) + 20:x}")) == []
    first = Story(projection="tables").hear(ONE).chooses("a").hear(DadFailed(link="e0", address="2001:db8:1::a"))
    assert wishes(first) == [wish(P, number=1, delay_ms_max=IDGEN_DELAY_MS)], "others had their turn"


def test_an_identifier_of_another_algorithm_is_another() -> None:
    told = Story(projection="netns").hear(ONE).chooses("a")
    told.hear(PolicySet(values={**DEFAULT.values, "projection": "netns", "identifier": "eui64"}))
    assert wishes(told) == [wish(P, kind="eui64"), wish(LOCAL, I1, "eui64")]
    assert wishes(told.chooses("b")) == []


@pytest.mark.covers("rfc:S24")
def test_of_a_place_that_lingers_behind_its_attachment_nothing_is_wanted() -> None:
    """It would be refused, wanted still, and chosen again, without end."""
    said = ra(R1, pvd("x.example."), pio(P))
    told = Story(projection="netns", temporary=True).hear(ours(), said).chooses("a")
    place = placing.wanted(told.state, (X, "e0", 1))
    assert place is not None
    outcomes = tuple(Outcome(one) for one in place_ops(place, None, told.now))
    told.hear(PlanApplied(projection="netns", pvd=X, outcomes=outcomes, link="e0", epoch=1)).at(5).detach()
    assert (told.pvd(X).phase, wishes(told)) == ("lingering", [])
    assert (told.attach().pvd(X).phase, wishes(told)) == ("lingering", [])
    stable = [wish(P, epoch=2), wish(P, kind="temporary", epoch=2), wish(LOCAL, X, epoch=2)]
    assert wishes(told.hear(said)) == stable
    assert [one.epoch for one in told.instances(X)] == [1, 2]


# Temporary ones


@pytest.mark.covers("rfc:S15", "rfc:S27")
def test_a_temporary_one_that_somebody_has_is_followed_by_another_and_then_by_none() -> None:
    told = Story(temporary=True, identifier="none").hear(ra(R1, pio(P, None, None)))
    for number in range(3):
        assert wishes(told) == [wish(P, kind="temporary", number=number, generation=number)]
        told.chooses(f"{number + 1}").hear(DadFailed(link="e0", address=f"2001:db8:1::{number + 1}"))
    assert wishes(told) == [] and wanted_at(told.state) == NEVER, "neither now nor when it would be deprecated"


@pytest.mark.covers("rfc:S25")
@pytest.mark.parametrize(
    ("policy", "retrans", "advance"),
    [({}, (0, 0), 5), ({}, (2000, 0), 8), ({}, (1000, 2000), 8), ({"dad": "off"}, (2000, 0), 2)],
    ids=["as RFC 4861 has it", "as the router says", "the longest", "without detection"],
)
def test_the_next_temporary_one_is_made_as_long_before_as_its_detection_takes(
    policy: dict[str, Value], retrans: tuple[int, int], advance: int
) -> None:
    told = Story(temporary=True, identifier="none", **policy)
    for router, said in zip((ra(R1, pio(P, None, None)), ra(R2, pio(Q, None, None, "L"))), retrans, strict=True):
        told.hear(replace(router, header=replace(router.header, retrans_ms=said)))
    told.chooses("a", desync_s=600)
    due = DAY - 600 - advance
    assert (wishes(told), wanted_at(told.state)) == ([], START + due * SECOND)
    assert wishes(told.at(due)) == [wish(P, kind="temporary", generation=1)]
