"""VPNs: a tunnel's data is a PvD of its own, which comes and goes with the client's word and with the tunnel.

Law: what other PvDs hold is compared whole, before and after: a VPN changes nothing that is not its own.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from events.codec import AnyEvent
from events.ids import SECOND
from events.link import AttachEnded, AttachStarted, LinkGone, LinkSeen
from events.operator import ConnectionOpened, PolicySet, Settings, SettingsLoaded
from events.ops import AddressAdd, LinkMove, NetnsAdd, NetnsDelete, Op, Outcome, PlanApplied, ResolverWrite, RouteAdd
from events.session import SessionStarted
from events.vpn import VpnConnected, VpnEnded, VpnRoute
from pvdcore.past import snapshot
from pvdcore.policy import DEFAULT
from pvdcore.projections import placing
from pvdcore.projections.desired import desired
from pvdcore.projections.model import ModelKernel
from pvdcore.projections.places import place_name
from pvdcore.projections.plan import place_ops, plan
from pvdcore.state import Grant, Held, State, Vpn
from tests.sim.build import CLIENT, R1, R2, START, Story, addresses, dhcp4, dns, pio, pvd, ra, search

CORP, X, I2 = "vpn:corp", "fqdn:x.example.", "ra:e1/1/fe80::2"
UP = VpnConnected(
    vpn="corp",
    client="openvpn",
    device="tun0",
    ifindex=7,
    addresses=("10.8.0.2/24", "2001:db8:8::2/64"),
    included=(VpnRoute("192.0.2.0/24", "10.8.0.1"), VpnRoute("2001:db8:9::/48")),
    excluded=("192.0.2.128/25",),
    dns=("10.8.0.1", "2001:db8:8::53"),
    search=("corp.example.",),
    split_dns=("intra.example.",),
    gateway="10.8.0.1",
    remote="198.51.100.1",
    mtu=1400,
)


def tun(name: str = "tun0", index: int = 7, *, link: str = "", up: bool = True) -> LinkSeen:
    """A tunnel's device as netlink tells it."""
    identity = f"netns:1:{index}:1"
    return LinkSeen(
        link=link or name, identity=identity, kind="tun", ifindex=index, name=name, up=up, carrier=up, host=True
    )


def told(*events: object, **policy: str) -> Story:
    return Story(**policy).hear(*events)  # type: ignore[arg-type]


def others(state: State) -> dict[str, object]:
    """All that is not the VPN's: PvDs, whole."""
    return {id: one for id, one in state.pvds.items() if id != CORP}


@pytest.mark.covers("rfc:A22", "rfc:P69", "feat:C5", "feat:D4")
def test_a_vpn_adds_one_pvd_of_its_own_and_leaves_every_other_as_it_was() -> None:
    story = told(ra(R1, pvd("x.example.", pio("2001:db8:1::/64"), dns("2001:db8:1::53"), search("x.example."))))
    story.hear(ra(R2, pio("2001:db8:2::/64"), dns("2001:db8:2::53"), link="e1"))
    before, places = others(story.state), desired(story.state).places
    assert story.alive() == [X, I2]
    story.hear(tun(), UP)
    assert story.alive() == [X, I2, CORP]
    assert others(story.state) == before
    assert [one for one in desired(story.state).places if one.pvd != CORP] == list(places)
    found = story.pvd(CORP)
    assert (found.kind, found.source, found.name) == ("explicit", "vpn", "corp")
    assert story.keys(CORP, "address") == ["10.8.0.2/24", "2001:db8:8::2/64"]
    assert {key: value[1] for key, value in story.holdings(CORP, "route").items()} == {
        "192.0.2.0/24 via 10.8.0.1": "10.8.0.1",
        "2001:db8:8::/64": None,
        "2001:db8:9::/48": None,
    }
    assert story.keys(CORP, "excluded") == ["192.0.2.128/25"]
    assert story.keys(CORP, "dns") == ["10.8.0.1", "2001:db8:8::53"]
    assert story.keys(CORP, "search") == ["corp.example."]
    assert story.holdings(CORP, "mtu") == {"mtu": (1400,)}
    assert story.holdings(CORP, "vpn") == {
        "openvpn": ("tun0", "split", "10.8.0.1", "198.51.100.1", ("intra.example.",))
    }
    for id in (X, I2):
        assert not {"10.8.0.1", "2001:db8:8::53"} & set(story.keys(id, "dns")), "no VPN's resolver in the Wi-Fi's PvD"


def test_to_say_the_same_again_changes_nothing_and_something_else_the_difference() -> None:
    story = told(tun(), UP).at(5).hear(UP)
    (first,) = story.history(CORP)
    assert (first.cause, first.version) == ("connected", 1)
    story.at(10).hear(replace(UP, dns=("10.8.0.1", "10.8.0.2"), remote="198.51.100.2"))
    (_, second) = story.history(CORP)
    assert (second.version, second.removed) == (2, (("dns", "2001:db8:8::53", ()),))
    assert [item[:2] for item in second.added] == [("dns", "10.8.0.2")]
    assert [(before[2][3], after[2][3]) for before, after in second.changed] == [("198.51.100.1", "198.51.100.2")]  # type: ignore[misc]
    since = {held.key: held.since for held in story.state.grants["tun0", "", "vpn", CORP].held}
    assert since["10.8.0.2"] > since["10.8.0.1"], "what stays keeps the record that it came with"


def test_what_a_client_says_is_a_contribution_of_its_own() -> None:
    story = told(tun()).at(2).hear(UP).at(5).hear(replace(UP, mtu=1300, full=True, gateway="", remote=""))
    last = story.journal.last_seq()
    items = (
        ("vpn", "openvpn", ("tun0", "full", None, None, ("intra.example.",))),
        ("address", "10.8.0.2/24", ("vpn",)),
        ("address", "2001:db8:8::2/64", ("vpn",)),
        ("route", "2001:db8:8::/64", ("2001:db8:8::/64", None, "medium")),
        ("route", "192.0.2.0/24 via 10.8.0.1", ("192.0.2.0/24", "10.8.0.1", "medium")),
        ("route", "2001:db8:9::/48", ("2001:db8:9::/48", None, "medium")),
        ("excluded", "192.0.2.128/25", ()),
        ("dns", "10.8.0.1", ()),
        ("dns", "2001:db8:8::53", ()),
        ("search", "corp.example.", ()),
        ("mtu", "mtu", (1300,)),
    )
    held = tuple(
        Held(kind, key, value, None, last - 1, order=order, because=last, fixed=True)
        for order, (kind, key, value) in enumerate(items)
    )
    assert list(story.state.grants.values()) == [
        Grant(
            "vpn",
            "tun0",
            1,
            "",
            CORP,
            "openvpn",
            heard_at=story.now,
            started_at=story.now,
            because=last,
            since=last - 1,
            held=held,
            owners=(CORP,),
            placed=CORP,
        )
    ]
    assert dict(story.state.vpns) == {
        "corp": Vpn(replace(UP, mtu=1300, full=True, gateway="", remote=""), story.now, last, link="tun0")
    }
    # an address alone in its network, and one said twice, have no route beside them and stand once
    story.hear(replace(UP, addresses=("2001:db8:8::2/128",) * 2, included=(), mtu=0))
    assert [one[:2] for one in story.instances(CORP)[0].content if one[0] in ("address", "route", "mtu")] == [
        ("address", "2001:db8:8::2/128")
    ]


def test_a_tunnel_has_one_line_of_history_for_each_turn() -> None:
    story = told(tun(), tun("tun1", 8), UP).at(3).hear(replace(UP, device="tun1", ifindex=8))
    story.at(4).hear(VpnEnded(vpn="corp", device="tun0"), VpnEnded(vpn="other"))
    story.at(6).hear(replace(UP, vpn="home", device="tun1", ifindex=8)).at(8).hear(VpnEnded(vpn="home", device="tun1"))
    lines = [
        ((one.at - START) // SECOND, one.pvd, one.link, one.cause, one.phase, one.because == one.seq)
        for one in story.history()
        if one.pvd.startswith("vpn:")
    ]
    assert lines == [
        (0, CORP, "tun0", "connected", "announced", True),
        (3, CORP, "tun0", "reconnected", "gone", True),
        (3, CORP, "tun1", "connected", "announced", True),
        (6, CORP, "tun1", "reconnected", "gone", True),
        (6, "vpn:home", "tun1", "connected", "announced", True),
        (8, "vpn:home", "tun1", "disconnected", "gone", True),
    ]
    assert not story.state.vpns


def test_of_two_that_wait_for_a_tunnel_the_last_has_it() -> None:
    story = told(UP, replace(UP, vpn="home"), replace(UP, vpn="away", ifindex=9))
    assert [one.link for one in story.state.vpns.values()] == ["", "", ""]
    assert story.hear(tun()).alive() == ["vpn:home"]
    assert story.hear(tun("tun9", 9)).alive() == ["vpn:away", "vpn:home"]
    bound = {"corp": "", "home": "tun0", "away": "tun9"}
    assert {name: one.link for name, one in story.state.vpns.items()} == bound
    story.hear(replace(tun(), mtu=1300))
    assert {name: one.link for name, one in story.state.vpns.items()} == bound, "it is his when it is told of again"


def test_a_restart_in_the_old_tunnel_leaves_routes_as_they_were() -> None:
    again = VpnConnected(
        vpn="corp", client="openvpn", device="tun0", ifindex=7, addresses=("10.8.0.9/24",), partial=True
    )
    story = told(tun(), UP, again)
    assert story.keys(CORP, "address") == ["10.8.0.9/24"]
    assert "192.0.2.0/24 via 10.8.0.1" in story.keys(CORP, "route")
    assert story.keys(CORP, "excluded") == ["192.0.2.128/25"]
    assert story.keys(CORP, "dns") == []
    whole = replace(UP, full=True, ignored=("dhcp-option NTP", "route-metric"))
    story = told(tun(), whole, again)
    kept = replace(again, included=UP.included, excluded=UP.excluded, full=True, gateway=UP.gateway, partial=False)
    assert story.state.vpns["corp"].said == kept
    assert story.findings()["vpn-ignored"].text.endswith(": dhcp-option NTP, route-metric")


@pytest.mark.parametrize(
    "end",
    [
        VpnEnded(vpn="corp", device="tun0", reason="sigterm"),
        VpnEnded(vpn="corp"),
        LinkGone(link="tun0"),
        SessionStarted(mode="live", version="1", boot="another"),
    ],
    ids=["down", "down of any device", "the tunnel went", "another boot"],
)
def test_it_ends_with_its_clients_word_and_with_its_tunnel(end: object) -> None:
    story = told(SessionStarted(mode="live", version="1", boot="one"), tun(), UP, end)
    assert story.alive() == [] and story.pvd(CORP).phase == "gone"
    assert not story.state.grants and not story.state.vpns
    story.hear(tun("tun0", 9, link="tun0#2"), replace(UP, ifindex=9))
    assert [(one.link, one.epoch) for one in story.instances(CORP)] == [("tun0#2", 1)]
    assert story.pvd(CORP).versions == 2, "of the first visit: what it held, and nothing"


def test_the_end_of_an_earlier_tunnel_is_not_that_of_the_present_one() -> None:
    story = told(tun(), tun("tun1", 8), UP, replace(UP, device="tun1", ifindex=8))
    assert [one.link for one in story.instances(CORP)] == ["tun1"]
    story.hear(VpnEnded(vpn="corp", device="tun0"), LinkGone(link="tun0"))
    assert story.alive() == [CORP]
    story.hear(VpnEnded(vpn="home"))
    assert story.alive() == [CORP]


def test_a_tunnel_that_netlink_has_not_told_of_yet_is_waited_for() -> None:
    story = told(tun(), UP, replace(UP, ifindex=9))
    assert story.alive() == [], "the old tunnel's PvD ended with the client's word for a new one"
    story.hear(LinkGone(link="tun0"))
    story.hear(tun("tun0", 9, link="tun0#2", up=False))
    assert [(one.link, one.epoch) for one in story.instances(CORP)] == [("tun0#2", 1)]
    story.hear(AttachStarted(link="tun0#2"))
    assert [(one.link, one.epoch) for one in story.instances(CORP)] == [("tun0#2", 1)], "the carrier says it once more"


def test_a_carrier_that_is_lost_and_found_makes_another_attachment_of_the_same_vpn() -> None:
    story = told(tun(), UP, AttachEnded(link="tun0"))
    assert story.alive() == []
    story.at(5).hear(AttachStarted(link="tun0"))
    assert [(one.link, one.epoch) for one in story.instances(CORP)] == [("tun0", 2)]


def test_two_vpns_at_once_are_two_pvds_and_one_may_end() -> None:
    home = replace(UP, vpn="home", device="tun1", ifindex=8, dns=("10.8.0.1",))
    story = told(tun(), tun("tun1", 8), UP, home)
    assert story.alive() == [CORP, "vpn:home"], "with the same addresses, routes and resolver"
    story.hear(VpnEnded(vpn="corp"))
    assert story.alive() == ["vpn:home"]


def test_where_the_tunnel_is_left_alone_nothing_is_planned_for_it() -> None:
    story = told(tun(), UP, projection="netns")
    assert placing.wanted(story.state, (CORP, "tun0", 1)) is None
    assert plan(desired(story.state), ModelKernel().observe()).ops == ()


@pytest.mark.parametrize("how", [{"vpn_tunnel": "move"}, {}], ids=["by policy", "by the VPN's own hook"])
def test_a_tunnel_that_is_to_move_goes_into_its_namespace_as_it_is(how: dict[str, str]) -> None:
    story = told(tun(), replace(UP, tunnel="" if how else "move"), projection="netns", **how)
    name = place_name(CORP, "tun0", 1)
    place = placing.wanted(story.state, (CORP, "tun0", 1))
    assert place is not None
    ops = place_ops(place, None, START)
    assert ops[:2] == [NetnsAdd(name, CORP), LinkMove(name, "tun0", 1400)]
    assert {one.address for one in ops if isinstance(one, AddressAdd)} == {"10.8.0.2/24", "2001:db8:8::2/64"}
    assert {(one.destination, one.via) for one in ops if isinstance(one, RouteAdd)} >= {
        ("192.0.2.0/24", "10.8.0.1"),
        ("2001:db8:8::/64", None),
        ("2001:db8:9::/48", None),
    }
    nowhere = [one for one in ops if isinstance(one, RouteAdd) and one.kind == "unreachable"]
    assert [(one.destination, one.link) for one in nowhere] == [("192.0.2.128/25", "")], "what is excluded"
    assert ResolverWrite(name, UP.dns, UP.search) in ops
    kernel = ModelKernel()
    assert [one.error for one in (kernel.apply(op, START) for op in ops) if one.error] == []
    assert place_ops(place, kernel.observe().namespaces[name], START) == [], "nothing is left to do"


def moved() -> Story:
    """A tunnel in its namespace, and gone from the first one."""
    story = told(tun(), replace(UP, tunnel="move"), projection="netns")
    name = place_name(CORP, "tun0", 1)
    story.hear(LinkGone(link="tun0", reason="moved"))
    return story.hear(
        PlanApplied(
            projection="netns",
            pvd=CORP,
            outcomes=(Outcome(NetnsAdd(name, CORP)), Outcome(LinkMove(name, "tun0", 1400))),
            link="tun0",
            epoch=1,
        )
    )


def test_a_tunnel_that_moved_is_out_of_sight_and_not_gone() -> None:
    story = moved()
    (instance,) = story.instances(CORP)
    assert (instance.phase, story.state.vpns["corp"].inside) == ("placed", True)
    assert instance.placement is not None and instance.placement.device == "tun0"
    story.hear(replace(UP, tunnel="move", ifindex=0, dns=("10.8.0.2",)))
    assert story.keys(CORP, "dns") == ["10.8.0.2"], "where it is, its client finds no number for it"
    story.hear(replace(UP, tunnel="move", dns=("10.8.0.3",)))
    assert story.keys(CORP, "dns") == ["10.8.0.3"], "nor if it looked for the number just before the tunnel moved"
    assert story.state.vpns["corp"].inside, "whatever is said of it"
    assert placing.wanted(story.state, (CORP, "tun0", 1)) is not None
    assert snapshot.decode(snapshot.encode(story.state)).vpns == story.state.vpns
    assert story.refolded() == story.state


def test_what_else_there_was_on_a_tunnel_that_moves_ends_as_with_a_link_that_is_gone() -> None:
    story = told(tun(), replace(UP, tunnel="move"), projection="netns")
    story.hear(SettingsLoaded(settings=Settings("home", "toml", "", {"ipv4.method": "auto"})))
    story.hear(ConnectionOpened(id="home@tun0", settings="home", link="tun0"), LinkGone(link="tun0", reason="moved"))
    ended = story.state.connections["home@tun0"]
    assert (ended.phase, ended.reason) == ("closed", "link-gone") and story.alive() == [CORP]


def test_a_tunnel_that_is_not_where_it_was_moved_to_is_gone_with_its_pvd() -> None:
    story = moved().hear(LinkGone(link="tun0", reason="deleted"))
    assert story.instances(CORP)[0].phase == "lingering", "until a record says that nothing stands any more"
    assert not story.state.vpns and not story.state.grants


def test_the_name_of_a_tunnel_that_moved_is_free_for_another() -> None:
    home = replace(UP, vpn="home", device="tun0", ifindex=9, tunnel="move")
    story = moved().hear(tun("tun0", 9, link="tun0#2"), home)
    assert [one.link for one in story.instances("vpn:home")] == ["tun0#2"]
    story.hear(replace(UP, tunnel="move", ifindex=9, dns=("10.8.0.2",)))
    assert [one.link for one in story.instances(CORP)] == ["tun0"], "a number that is another VPN's is not its own"
    assert story.keys(CORP, "dns") == ["10.8.0.2"]
    story.hear(replace(UP, tunnel="move", ifindex=11))
    assert story.instances(CORP)[0].phase == "lingering", "a number that nobody has yet is a new tunnel's"
    story.hear(tun("tun0", 11, link="tun0#3"))
    assert [one.link for one in story.instances(CORP) if one.phase != "lingering"] == ["tun0#3"]


def test_a_tunnel_is_of_one_vpn_of_that_which_was_said_last() -> None:
    story = told(replace(UP, vpn="home"), UP, tun())
    assert story.alive() == [CORP], "of two that waited for it, the later one"
    story = told(tun(), UP, replace(UP, vpn="office"))
    assert story.alive() == ["vpn:office"] and list(story.state.vpns) == ["office"]


@pytest.mark.parametrize("first", [True, False], ids=["seen before", "seen after"])
def test_a_tunnel_that_was_given_back_is_another_link_of_the_same_vpn(first: bool) -> None:
    back = tun("tun0", 7, link="tun0#2", up=False)
    deleted = PlanApplied(
        projection="netns",
        pvd=CORP,
        outcomes=(Outcome(NetnsDelete(place_name(CORP, "tun0", 1))),),
        link="tun0",
        epoch=1,
    )
    policy = PolicySet(values={**DEFAULT.values, "projection": "netns"}, projections=(("tun*", "none"),))
    story = moved().hear(policy)
    assert story.instances(CORP)[0].phase == "announced"
    story.hear(*((back, deleted) if first else (deleted, back)))
    assert [(one.link, one.phase) for one in story.instances(CORP)] == [("tun0#2", "announced")]
    assert not story.state.vpns["corp"].inside and story.state.links["tun0"].gone_at is not None


@pytest.mark.parametrize("policy", [{}, {"projection": "netns"}], ids=["observed", "left where it is"])
def test_a_tunnel_that_somebody_else_moved_is_gone(policy: dict[str, str]) -> None:
    tunnel = "move" if not policy else "leave"
    story = told(tun(), replace(UP, tunnel=tunnel), LinkGone(link="tun0", reason="moved"), **policy)
    assert story.alive() == []


def test_a_tunnel_that_was_given_back_left_its_namespace_with_its_own_line_of_history() -> None:
    story = moved().hear(PolicySet(values={**DEFAULT.values, "projection": "netns"}, projections=(("tun*", "none"),)))
    story.at(4).hear(plan_of(NetnsDelete(place_name(CORP, "tun0", 1))))
    last = story.history(CORP)[-1]
    assert (last.cause, last.phase, last.because) == ("moved", "gone", story.state.seq)
    assert story.state.vpns["corp"] == Vpn(replace(UP, tunnel="move"), START, story.state.vpns["corp"].because)
    story.hear(tun("tun0", 7, link="tun0#2"), plan_of(NetnsDelete("pvd-0"), link="tun0#2"))
    assert story.state.vpns["corp"].link == "tun0#2", "it is in no namespace that could give it back"


def plan_of(*ops: Op, link: str = "tun0") -> PlanApplied:
    made = tuple(Outcome(op) for op in ops)
    return PlanApplied(projection="netns", pvd=CORP, outcomes=made, link=link, epoch=1)


def test_a_client_that_has_a_new_tunnel_leaves_the_one_that_moved() -> None:
    story = moved().hear(tun("tun0", 11, link="tun0#3"), replace(tun(), mac=CLIENT), ra(R1, link="tun0"))
    story.hear(dhcp4("DECLINE", addresses(50, "192.0.2.1"), link="tun0"), dhcp4("DISCOVER", link="tun0"))
    story.hear(ConnectionOpened(id="home", settings="home", link="tun0"))
    assert story.state.links["tun0"].asks and story.state.links["tun0"].clients
    story.at(4).hear(replace(UP, tunnel="move", ifindex=11))
    assert story.state.vpns["corp"] == Vpn(replace(UP, tunnel="move", ifindex=11), story.now, story.state.seq, "tun0#3")
    old = story.state.links["tun0"]
    assert (old.gone_at, old.attached, old.speakers) == (story.now, False, ()), "it comes back as another link"
    assert (old.asks, old.clients) == ((), ())
    assert (story.state.connections["home"].phase, story.state.connections["home"].reason) == ("closed", "link-gone")
    assert [(one.link, one.phase) for one in story.instances(CORP)] == [
        ("tun0", "lingering"),
        ("tun0#3", "announced"),
    ]


def test_a_client_that_names_another_device_means_another_tunnel() -> None:
    story = moved().hear(replace(UP, tunnel="move", device="tun5", ifindex=0))
    assert (story.state.vpns["corp"].link, story.state.vpns["corp"].inside) == ("", False)


def test_when_the_attachment_of_a_tunnel_that_moved_ends_its_client_is_waited_for() -> None:
    story = moved().hear(AttachEnded(link="tun0"))
    assert story.state.vpns["corp"] == Vpn(replace(UP, tunnel="move"), START, story.state.vpns["corp"].because)
    assert not story.state.grants


def test_a_tunnel_that_goes_takes_its_own_vpn_and_no_other() -> None:
    home = replace(UP, vpn="home", device="tun1", ifindex=8)
    story = told(tun(), tun("tun1", 8), UP, home, LinkGone(link="tun1"))
    assert story.alive() == [CORP] and list(story.state.vpns) == ["corp"]
    story = told(tun(), tun("tun1", 8), UP, home, AttachEnded(link="tun1"))
    assert {name: one.link for name, one in story.state.vpns.items()} == {"corp": "tun0", "home": ""}
    story.hear(tun("tun0", 7), replace(UP, ifindex=8))
    assert [(one.link, story.state.links[one.link].attached) for one in story.instances(CORP)] == [("tun1", True)]


def test_whether_a_tunnel_that_left_our_sight_was_moved_by_us_is_told_by_the_policy_of_its_name() -> None:
    second = tun("tun0", 7, link="tun0#2")
    for glob, how, inside in (("tun0", "move", True), ("tun0#2", "move", False), ("tun0", "leave", False)):
        values = {**DEFAULT.values, "vpn_tunnel": how}
        story = told(PolicySet(values=values, projections=((glob, "netns"),)), second)
        story.hear(UP, LinkGone(link="tun0#2", reason="not listed"))
        assert [one.inside for one in story.state.vpns.values()] == ([True] if inside else [])


def test_a_link_that_is_gone_is_nobodys_tunnel_and_in_a_story_a_name_says_whose_it_is() -> None:
    assert [one.link for one in told(tun(), LinkGone(link="tun0"), UP).state.vpns.values()] == [""]
    unnumbered = replace(UP, ifindex=0)
    assert told(tun(), unnumbered).state.vpns["corp"].link == "", "a link of this host has a number"
    for link, name, bound in (("tun0", "", "tun0"), ("t#2", "tun0", "t#2"), ("tun0", "tun9", ""), ("t#2", "tun1", "")):
        seen = LinkSeen(link=link, identity=f"capture:{link}", name=name)
        assert told(seen, unnumbered).state.vpns["corp"].link == bound
    later = told(unnumbered, LinkSeen(link="tun0", identity="capture:tun0"))
    assert later.state.vpns["corp"].link == "tun0"


def test_a_vpn_that_is_called_as_another_pvd_is_not_that() -> None:
    story = told(tun(), replace(UP, vpn=X, tunnel="move"), ra(R1, pvd("x.example.")), projection="netns")
    found = {one.pvd: (one.tunnel, one.link) for one in desired(story.state).places}
    assert found == {X: ("", "e0"), f"vpn:{X}": ("move", "tun0")}


def test_what_a_client_says_beyond_what_is_supported_is_told_of_its_pvd() -> None:
    story = told(tun(), replace(UP, ignored=("dhcp-option NTP", "route-metric")))
    found = story.findings()["vpn-ignored"]
    assert (found.link, found.pvd) == ("", CORP)
    assert found.text == "openvpn says more of vpn:corp than is supported here: dhcp-option NTP, route-metric"


tuns = st.sampled_from([("tun0", 7), ("tun0#2", 9), ("tun1", 8)])
happenings = st.one_of(
    st.builds(lambda one, up: tun(one[0][:4], one[1], link=one[0], up=up), tuns, st.booleans()),
    st.builds(lambda one, why: LinkGone(link=one[0], reason=why), tuns, st.sampled_from(["moved", "deleted"])),
    st.builds(lambda one: AttachStarted(link=one[0]), tuns),
    st.builds(lambda one: AttachEnded(link=one[0]), tuns),
    st.builds(
        lambda vpn, index, how, part, dns: replace(UP, vpn=vpn, ifindex=index, tunnel=how, partial=part, dns=(dns,)),
        st.sampled_from(["corp", "home"]),
        st.sampled_from([0, 7, 7, 8, 9]),
        st.sampled_from(["move", "move", "leave"]),
        st.booleans(),
        st.sampled_from(["10.8.0.1", "10.8.0.2"]),
    ),
    st.builds(lambda vpn: VpnEnded(vpn=vpn), st.sampled_from(["corp", "home"])),
    st.builds(
        lambda vpn, one: PlanApplied(
            projection="netns", pvd=f"vpn:{vpn}", outcomes=(Outcome(NetnsAdd("n", "p")),), link=one[0], epoch=1
        ),
        st.sampled_from(["corp", "home"]),
        tuns,
    ),
    st.sampled_from([SessionStarted(mode="live", version="1", boot=boot) for boot in ("one", "two")]),
    st.builds(lambda one: replace(ra(R1, pio("2001:db8:1::/64")), link=one[0]), tuns),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(happenings, max_size=20))
def test_whatever_happens_in_whatever_order_the_state_is_sound(events: list[AnyEvent]) -> None:
    home = replace(UP, vpn="home", device="tun1", ifindex=8)
    begun = (tun(), tun("tun1", 8), replace(UP, tunnel="move"), replace(home, tunnel="move"))
    story = told(*begun, *events, projection="netns")  # which checks all invariants after each
    assert snapshot.encode(story.refolded()) == snapshot.encode(story.state)
    assert snapshot.encode(snapshot.decode(snapshot.encode(story.state))) == snapshot.encode(story.state)
    bound = [one.link for one in story.state.vpns.values() if one.link]
    assert len(bound) == len(set(bound)), "no tunnel is of two VPNs"
