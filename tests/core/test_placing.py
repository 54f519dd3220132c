"""What becomes of plans: an instance stands because a record says so, and what ended stands until one says it is gone.

Law: a place is asked for whole, and each change by its cause.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.ids import SECOND
from events.link import LinkSeen
from events.operator import ConnectionClosed, ConnectionOpened, PolicySet, Settings, SettingsLoaded, Value
from events.ops import (
    AddressAdd,
    AddressDelete,
    ClientEnd,
    ClientLost,
    ClientRun,
    LinkDelete,
    NetnsAdd,
    NetnsDelete,
    Op,
    Outcome,
    PlaceUsed,
    PlanApplied,
    RouteAdd,
    RouteDelete,
    RuleDelete,
    User,
)
from events.session import SessionStarted
from pvdcore.projections import placing
from pvdcore.projections.desired import desired
from pvdcore.projections.places import place_name
from pvdcore.state import Change, Failing, Placement
from tests.sim.build import CLIENT, R1, R2, R3, START, Story, addresses, dhcp6, mtu, pio, pvd, ra

X, I2, I3, P = "fqdn:x.example.", "ra:e0/1/fe80::2", "ra:e0/1/fe80::3", "2001:db8:1::/64"
KEY = (X, "e0", 1)
NAME = place_name(X, "e0", 1)
INSIDE = (User(77, "sleep"),)
ADDRESS = AddressAdd(NAME, NAME, "2001:db8:1::a/64", 600, 300, "wait")
ROUTE = RouteAdd(NAME, NAME, "::/0", R1, "medium", 1024, 600)


def live(told: Story, link: str = "e0", octets: int = 0, kind: str = "veth", index: int = 2) -> Story:
    return told.hear(
        LinkSeen(
            link=link, identity=f"netns:1:{link}", kind=kind, ifindex=index, name=link, mac="02:00:00:00:00:0a",
            mtu=octets, host=True,
        )
    )  # fmt: skip


def told_of(*options: object, **policy: str) -> Story:
    """x.example on a link of the host's own."""
    return live(Story(**{"projection": "netns", **policy})).hear(ra(R1, pvd("x.example.", *options)))  # type: ignore[arg-type]


def applied(
    *outcomes: tuple[Op, str], projection: str = "netns", epoch: int = 1, left: tuple[Op, ...] = ()
) -> PlanApplied:
    made = tuple(Outcome(op, error) for op, error in outcomes)
    return PlanApplied(projection=projection, pvd=X, outcomes=made, link="e0", epoch=epoch, left=left)


def causes(told: Story, id: str = X) -> list[tuple[str, str, str]]:
    return [(one.cause, one.phase_before, one.phase) for one in told.history(id) if one.phase != one.phase_before]


def stands(told: Story) -> Placement | None:
    (instance,) = told.instances(X)
    return instance.placement


def test_a_place_is_wanted_on_a_link_of_the_hosts_that_is_attached_and_written_to() -> None:
    told = told_of(pio(P))
    assert placing.wanted(told.state, KEY) == desired(told.state).places[0]
    for elsewhere in ((X, "e0", 2), (X, "e9", 1), ("fqdn:y.example.", "e0", 1)):
        assert placing.wanted(told.state, elsewhere) is None
    for kind, index in (("loopback", 2), ("macvlan", 2), ("veth", 0)):
        unfit = live(Story(projection="netns"), kind=kind, index=index).hear(ra(R1, pvd("x.example.", pio(P))))
        assert placing.wanted(unfit.state, KEY) is None
    assert placing.wanted(told_of(pio(P), projection="none").state, KEY) is None
    told.hear(SettingsLoaded(settings=Settings("home", "toml")), ConnectionOpened(id="c1", settings="home", link="e0"))
    assert placing.wanted(told.state, KEY) is not None
    told.hear(ConnectionClosed(id="c1", reason="operator"))
    assert placing.wanted(told.state, KEY) is None, "the operator closed it"
    assert placing.wanted(told_of(pio(P)).detach().state, KEY) is None


@pytest.mark.parametrize(("link", "said", "taken"), [(0, 1400, 1400), (1400, 1400, 1400), (1500, 1400, 1400)])
def test_no_device_has_a_larger_mtu_than_its_link(link: int, said: int, taken: int) -> None:
    told = live(told_of(mtu(said)), octets=link)
    place = placing.wanted(told.state, KEY)
    assert place is not None and place.mtu == taken
    smaller = live(told, octets=1300)
    place = placing.wanted(smaller.state, KEY)
    assert place is not None and place.mtu == 0


def test_an_operation_that_fails_is_left_alone_twice_as_long_each_time() -> None:
    tenth = SECOND // 10
    assert [placing.backoff(count) for count in (1, 2, 3, 11, 12, 13, 90)] == [
        tenth, 2 * tenth, 4 * tenth, 1024 * tenth, 2048 * tenth, 300 * SECOND, 300 * SECOND,
    ]  # fmt: skip


def test_what_stands_is_told_with_what_fails_and_until_when_that_waits() -> None:
    told = told_of().hear(applied((NetnsAdd(NAME, X), ""), (ROUTE, "EINVAL")))
    failing = Failing(ROUTE, "EINVAL", 1, START + SECOND // 10)
    assert placing.placements(told.state, KEY) == [("placed", Placement("netns", NAME, NAME, (failing,)))]
    told.at(1).hear(applied((ROUTE, "ENETUNREACH"), (ADDRESS, "")))
    assert stands(told) == Placement(
        "netns", NAME, NAME, (Failing(ROUTE, "ENETUNREACH", 2, START + SECOND + 2 * SECOND // 10),)
    )
    told.hear(applied((ADDRESS, ""), projection="tables"))
    assert stands(told) is not None and stands(told).failed, "of another projection"  # type: ignore[union-attr]
    told.hear(applied((ROUTE, "")))
    assert stands(told) == Placement("netns", NAME, NAME)
    assert causes(told)[-1] == ("placed", "announced", "placed")
    told.hear(applied((NetnsDelete(NAME), "ENOENT")))
    assert stands(told) is None and causes(told)[-1] == ("displaced", "placed", "announced")


def test_where_the_ground_cannot_be_laid_nothing_is_placed_and_what_failed_is_remembered() -> None:
    told = told_of().hear(applied((NetnsAdd(NAME, X), "EPERM")))
    assert placing.placements(told.state, KEY) == [
        ("announced", Placement("netns", NAME, NAME, (Failing(NetnsAdd(NAME, X), "EPERM", 1, START + SECOND // 10),)))
    ]
    told.hear(applied((NetnsAdd(NAME, X), "")))
    assert causes(told)[-1] == ("placed", "announced", "placed")


def lingering() -> Story:
    """It was placed, and ended."""
    told = told_of(pio(P)).hear(applied((NetnsAdd(NAME, X), "")))
    told.hear(ra(R1, pvd("x.example.", pio(P, 0, 0)), life=0))
    assert [phase for phase, _ in placing.placements(told.state, KEY)] == ["lingering"]
    return told


def test_what_has_ended_lingers_with_its_users_until_its_namespace_is_gone() -> None:
    told = lingering().hear(PlaceUsed(projection="netns", pvd=X, link="e0", epoch=1, users=INSIDE))
    assert stands(told) == Placement("netns", NAME, NAME, users=INSIDE, ended_at=START)
    told.hear(applied((NetnsDelete(NAME), ""), projection="tables"))
    assert told.instances(X), "of another projection"
    told.hear(applied((NetnsDelete(NAME), "EBUSY")))
    assert stands(told) == Placement(
        "netns",
        NAME,
        NAME,
        (Failing(NetnsDelete(NAME), "EBUSY", 1, START + SECOND // 10),),
        users=INSIDE,
        ended_at=START,
    )
    told.hear(applied((NetnsDelete(NAME), "EBUSY")))
    assert [one.count for one in stands(told).failed] == [2]  # type: ignore[union-attr]
    told.hear(applied((NetnsDelete(NAME), "")))
    assert not told.instances(X) and causes(told)[-1] == ("removed", "lingering", "gone")


@pytest.mark.parametrize(("gone", "cause"), [(False, "returned"), (True, "removed")])
def test_at_the_next_visit_who_stayed_inside_is_in_the_pvd_again(gone: bool, cause: str) -> None:
    told = lingering().detach().attach().hear(ra(R1, pvd("x.example.", pio(P))))
    assert sorted(one.phase for one in told.instances(X)) == ["announced", "lingering"]
    told.hear(applied((NetnsDelete(NAME) if gone else ADDRESS, ""), epoch=2))
    assert [(one.epoch, one.phase) for one in told.instances(X)] == [(2, "announced" if gone else "placed")]
    assert (cause, "lingering", "gone") in causes(told)


def test_who_stayed_inside_is_in_the_pvd_again_when_only_the_place_itself_is_leased_something() -> None:
    mine = placing.place_mac(NAME)
    told = lingering().leases4(mac=mine)
    assert [(one.host, one.phase) for one in told.instances(X)] == [("", "lingering"), (mine, "announced")]
    told.hear(applied((ADDRESS, "")))
    assert [(one.host, one.phase) for one in told.instances(X)] == [(mine, "placed")]
    assert causes(told)[-2:] == [("placed", "announced", "placed"), ("returned", "lingering", "gone")]


def test_what_is_projected_otherwise_stands_nowhere_until_a_record_says_so() -> None:
    told = told_of(pio(P)).hear(ra(R2)).hear(applied((NetnsAdd(NAME, X), "")))
    values = dict(told.state.policy.values)
    told.hear(PolicySet(values=values, projections=(("e1", "tables"),)))
    assert stands(told) == Placement("netns", NAME, NAME), "of another link"
    told.hear(PolicySet(values={**values, "projection": "tables"}))
    assert stands(told) is None and causes(told)[-1] == ("policy", "placed", "announced")
    never = lingering()
    never.hear(PolicySet(values={**never.state.policy.values, "projection": "none"}))
    assert not never.instances(X) and causes(never)[-1] == ("policy", "lingering", "gone")
    failing = told_of().hear(applied((NetnsAdd(NAME, X), "EPERM")))
    failing.hear(PolicySet(values={**failing.state.policy.values, "projection": "tables"}))
    assert placing.placements(failing.state, KEY) == [("announced", None)]


def test_a_client_that_ends_by_itself_is_run_again_later_each_time_unless_it_ran_for_long() -> None:
    run = ClientRun(NAME, NAME, ipv4=True)
    told = told_of().hear(applied((NetnsAdd(NAME, X), ""), (run, "")))
    assert stands(told) == Placement("netns", NAME, NAME, asking_since=START)
    lost = ClientLost(projection="netns", pvd=X, link="e0", epoch=1, op=run, error="exit 1")
    for at, count in ((1, 1), (2, 2)):
        told.at(at).hear(applied((run, "")), lost)
        again = START + at * SECOND + count * SECOND // 10
        assert stands(told) == Placement("netns", NAME, NAME, (Failing(run, "exit 1", count, again),), lost=count)
    told.hear(applied((run, ""))).at(62).hear(lost)
    assert stands(told).lost == 1  # type: ignore[union-attr]
    told.hear(applied((run, ""))).at(121.9).hear(lost)
    assert stands(told).lost == 2, "a moment less than a minute"  # type: ignore[union-attr]
    again = told.now + 4 * SECOND // 10
    told.hear(lost)
    assert stands(told) == Placement("netns", NAME, NAME, (Failing(run, "exit 1", 3, again),), lost=3), "it fails once"
    told.hear(applied((run, ""), (ROUTE, "EINVAL"))).hear(lost)
    assert {one.op for one in stands(told).failed} == {run, ROUTE}  # type: ignore[union-attr]
    assert replace(stands(told), failed=()) == Placement("netns", NAME, NAME, lost=4)  # type: ignore[type-var]


def test_each_step_is_a_change_with_its_record_and_versions_are_kept_when_all_is_gone() -> None:
    told = told_of(pio(P)).at(3).hear(applied((NetnsAdd(NAME, X), "")))
    assert told.history(X)[-1] == Change(
        pvd=X, link="e0", epoch=1, host="", at=START + 3 * SECOND, because=6, cause="placed", version=0,
        phase_before="announced", phase="placed", seq=6,
    )  # fmt: skip
    versions = [one.version for one in lingering().history(X) if one.version]
    gone = lingering().hear(applied((NetnsDelete(NAME), "ENOENT: No such file: or directory")))
    assert not gone.instances(X) and gone.pvd(X).versions == max(versions)


def test_another_boot_has_nothing_of_what_stood() -> None:
    left = ("attachment", "announced", "gone")
    for told, steps in (
        (told_of(pio(P)).hear(applied((NetnsAdd(NAME, X), ""))), [("boot", "placed", "announced"), left]),
        (lingering(), [("boot", "lingering", "gone")]),
        (told_of(pio(P)).hear(applied((NetnsAdd(NAME, X), "EPERM"))), [left]),
    ):
        told.hear(SessionStarted(mode="live", version="1", boot="one"))
        before = len(causes(told))
        told.hear(SessionStarted(mode="live", version="1", boot="another"))
        assert (placing.placements(told.state, KEY), causes(told)[before:]) == ([], steps)


def test_where_nothing_is_projected_any_more_nothing_is_placed_and_what_failed_is_forgotten() -> None:
    for error, steps in (("", [("policy", "placed", "announced")]), ("EPERM", [])):
        told = told_of(pio(P)).hear(applied((NetnsAdd(NAME, X), error)))
        before = len(causes(told))
        told.hear(PolicySet(values={**told.state.policy.values, "projection": "none"}))
        assert (stands(told), causes(told)[before:]) == (None, steps)


def test_a_client_asks_from_when_it_was_run_until_it_is_ended_or_could_not_be_run() -> None:
    run = ClientRun(NAME, NAME, ipv4=True)
    for last in ((ClientEnd(NAME, NAME), ""), (run, "ENOENT")):
        told = told_of().hear(applied((NetnsAdd(NAME, X), ""), (run, ""))).at(1).hear(applied(last))
        assert stands(told).asking_since == 0  # type: ignore[union-attr]
    told = told_of().hear(applied((NetnsAdd(NAME, X), ""), (run, ""))).at(1).hear(applied((ROUTE, "")))
    assert stands(told).asking_since == START, "who says nothing of it changes nothing"  # type: ignore[union-attr]


def test_in_tables_a_lease_of_the_links_own_mac_stands_in_the_pvd_that_it_is_placed_in() -> None:
    told = told_of(projection="tables").hear(ra(R2)).leases4()
    found = {key[0]: placing.wanted(told.state, key) for key in ((I2, "e0", 1), KEY)}
    assert {id: [one.address for one in place.addresses] for id, place in found.items() if place} == {
        I2: ["192.0.2.10/24"],
        X: [],
    }
    assert {place.client for place in found.values() if place} == {None}
    assert [one.pvd for one in placing.wished(told.state, desired(told.state)).places] == [X, I2]


def test_in_tables_a_lease_that_is_several_pvds_stands_in_one_of_them() -> None:
    told = told_of(projection="tables").hear(ra(R2), ra(R3)).leases4()
    assert told.owners("dhcp4") == [I2, I3]
    stand = {id: placing.wanted(told.state, (id, "e0", 1)) for id in (I2, I3)}
    assert {id: [one.address for one in place.addresses] for id, place in stand.items() if place} == {
        I2: ["192.0.2.10/24"],
        I3: [],
    }


def test_what_is_left_of_a_plan_that_failed_nowhere_is_told_as_not_written() -> None:
    told = told_of().hear(applied((NetnsAdd(NAME, X), ""), (ROUTE, "EINVAL")))
    waiting = stands(told).failed  # type: ignore[union-attr]
    told.at(1).hear(applied((ADDRESS, ""), left=(ADDRESS, ROUTE)))
    unwritten = Failing(ADDRESS, placing.UNWRITTEN, 1, told.now + SECOND // 10)
    assert stands(told).failed == (unwritten, *waiting), "what waits, waits on; in one order"  # type: ignore[union-attr]
    told.at(2).hear(applied((ADDRESS, ""), left=(ADDRESS,)))
    again = replace(unwritten, count=2, retry_at=told.now + 2 * SECOND // 10)
    assert stands(told).failed == (again,), "who is wanted no more waits for nothing"  # type: ignore[union-attr]
    told.hear(applied((ROUTE, "EPERM"), left=()))
    assert [one.op for one in stands(told).failed] == [ADDRESS, ROUTE], "nobody looked what is left"  # type: ignore[union-attr]
    run = ClientRun(NAME, NAME, ipv4=True)
    told.hear(applied((ADDRESS, ""), (ROUTE, ""), left=(run,)))
    assert stands(told).failed == (), "what nobody tried yet has not failed"  # type: ignore[union-attr]


GOING = (
    AddressDelete(NAME, NAME, "2001:db8:1::a/64"),
    LinkDelete(NAME, NAME),
    NetnsDelete(NAME),
    RouteDelete(NAME, NAME, "::/0", R1, 1024),
    RuleDelete("", 1, "2001:db8:1::a/128", 7),
)


@pytest.mark.parametrize("error", ["ENOENT", "ESRCH: no such process", "EADDRNOTAVAIL: it went: by itself", "ENODEV"])
def test_what_was_to_go_and_has_gone_by_itself_is_done(error: str) -> None:
    assert all(placing.done(Outcome(one, said)) for one in GOING for said in ("", error))
    assert not any(placing.done(Outcome(one, said)) for one in GOING for said in ("EBUSY", f"EPERM: {error}"))
    assert placing.done(Outcome(ROUTE, "")) and not placing.done(Outcome(ROUTE, error))


def test_a_lease_of_another_programs_stands_in_no_place_and_one_that_a_place_asked_for_does() -> None:
    mine = placing.place_mac(NAME)
    heard = ra(R1, pvd("x.example.", pio(P), legacy=True))
    told = live(Story(projection="netns")).hear(heard).leases4(mac=CLIENT)
    told.hear(SettingsLoaded(settings=Settings("home", "toml", "", {"ipv4.method": "auto"})))
    told.hear(applied((NetnsAdd(NAME, X), "")))
    told.hear(ConnectionOpened(id="c1", settings="home", link="e0")).leases4(mac=mine)
    told.hear(applied((ADDRESS, "")))
    phases = {one.host: (one.phase, one.placement is not None) for one in told.instances(X)}
    assert phases == {"": ("placed", True), CLIENT: ("announced", False), mine: ("placed", True)}
    place = placing.wanted(told.state, KEY)
    assert place is not None and [one.address for one in place.addresses] == ["192.0.2.10/24"]
    assert len(placing.placements(told.state, KEY)) == 2
    assert placing.placements(told.state, (X, "e1", 1)) == placing.placements(told.state, (X, "e0", 2)) == []


def test_who_is_inside_counts_only_of_what_has_ended() -> None:
    told = told_of(pio(P)).hear(applied((NetnsAdd(NAME, X), "")))
    told.hear(PlaceUsed(projection="netns", pvd=X, link="e0", epoch=1, users=INSIDE))
    assert stands(told) == Placement("netns", NAME, NAME)
    told = lingering().hear(PlaceUsed(projection="netns", pvd=X, link="e0", epoch=2, users=INSIDE))
    assert stands(told) == Placement("netns", NAME, NAME, ended_at=START)


def both(*which: str) -> Story:
    """x.example on two links, placed on some."""
    told = live(live(Story(projection="netns")), "e1", index=3).hear(ra(R1, pvd("x.example.")))
    told.hear(ra(R1, pvd("x.example."), link="e1"))
    for link in which:
        told.hear(PlanApplied(projection="netns", pvd=X, outcomes=(), link=link, epoch=1))
    return told


def standing(told: Story) -> dict[str, bool]:
    return {one.link: one.placement is not None for one in told.instances(X)}


@pytest.mark.parametrize("which", [("e0",), ("e1",), ("e0", "e1")])
def test_on_each_link_a_pvd_has_a_place_of_its_own(which: tuple[str, ...]) -> None:
    told = both(*which)
    assert standing(told) == {link: link in which for link in ("e0", "e1")}
    assert placing.cells(told.state, X) == [(X, "e0", 1), (X, "e1", 1)]
    assert placing.cells(told.state, "fqdn:y.example.") == []
    told.hear(PolicySet(values=dict(told.state.policy.values), projections=(("e0", "tables"),)))
    assert standing(told) == {"e0": False, "e1": "e1" in which}
    told.hear(PolicySet(values={**told.state.policy.values, "projection": "tables"}))
    assert standing(told) == {"e0": False, "e1": False}
    gone = both(*which).hear(SessionStarted(mode="live", version="1", boot="one"))
    gone.hear(SessionStarted(mode="live", version="1", boot="two"))
    assert standing(gone) == {}


@pytest.mark.parametrize("which", [("e0",), ("e1",), ("e0", "e1")])
def test_where_nothing_is_projected_any_more_it_stands_on_no_link(which: tuple[str, ...]) -> None:
    told = both(*which)
    told.hear(PolicySet(values={**told.state.policy.values, "projection": "none"}))
    assert standing(told) == {"e0": False, "e1": False}


def test_what_cannot_be_taken_away_lingers_whatever_stands_on_another_link() -> None:
    told = both("e0", "e1").hear(ra(R1, pvd("x.example."), life=0)).hear(applied((NetnsDelete(NAME), "EBUSY")))
    assert [(one.link, one.phase) for one in told.instances(X)] == [("e0", "lingering"), ("e1", "placed")]
    told.hear(PolicySet(values={**told.state.policy.values, "projection": "tables"}))
    assert [(one.link, one.phase) for one in told.instances(X)] == [("e0", "lingering"), ("e1", "announced")]


def test_what_lingers_on_another_link_or_in_another_place_is_not_what_came_back() -> None:
    told = both("e0", "e1").hear(ra(R1, pvd("x.example."), life=0), ra(R1, pvd("x.example."), life=0, link="e1"))
    told.detach("e0").attach("e0").hear(ra(R1, pvd("x.example.")))
    told.hear(PlanApplied(projection="netns", pvd=X, outcomes=(), link="e0", epoch=2))
    assert sorted((one.link, one.epoch, one.phase) for one in told.instances(X)) == [
        ("e0", 2, "placed"),
        ("e1", 1, "lingering"),
    ]


def test_a_pvd_that_left_a_connections_place_does_not_come_back_to_it_in_a_place_of_its_own() -> None:
    values: dict[str, Value | list[str]] = {"ipv4.method": "disabled", "ipv6.method": "auto"}
    told = live(Story(projection="netns")).hear(SettingsLoaded(settings=Settings("home", "toml", "", values)))
    told.hear(ConnectionOpened(id="c1", settings="home", link="e0"), ra(R1, pvd("x.example."), life=60))
    assert told.state.connections["c1"].adopter == X
    first = place_name("connection:c1", "e0", 1)
    told.hear(applied((NetnsAdd(first, X), ""))).detach("e0").attach("e0").hear(ra(R1, pvd("x.example.")))
    told.hear(applied((NetnsAdd(NAME, X), ""), epoch=2))
    stands = {one.epoch: (one.phase, one.placement and one.placement.name) for one in told.instances(X)}
    assert stands == {1: ("lingering", first), 2: ("placed", NAME)}


def test_a_pvd_of_which_nothing_is_left_has_ended_and_is_on_no_link() -> None:
    told = lingering()
    assert (told.pvd(X).phase, told.pvd(X).ended, told.state.links["e0"].pvds) == ("lingering", None, (X,))
    told.at(7).hear(applied((NetnsDelete(NAME), "")))
    assert (told.pvd(X).phase, told.pvd(X).ended, told.state.links["e0"].pvds) == ("gone", told.now, ())


def test_the_places_of_a_host_are_in_one_order_whether_they_are_written_or_not() -> None:
    told = told_of(pio(P)).hear(ra(R1, pio(P), link="e1"))
    told.hear(PolicySet(values=dict(told.state.policy.values), projections=(("e1", "none"),)))
    wished = placing.wished(told.state, desired(told.state))
    assert [(one.pvd, one.link) for one in wished.places] == [(X, "e0"), ("ra:e1/1/fe80::1", "e1")]
    assert wished.at == told.now


def test_what_dhcp_says_beside_a_lease_stands_in_the_tables_of_all_that_it_belongs_to() -> None:
    told = told_of(pio(P), projection="tables").hear(ra(R2, o=True), ra(R3, o=True))
    question, answer = dhcp6("INFORMATION-REQUEST", ask=(23,)), dhcp6("REPLY", addresses(23, "2001:db8::53"))
    told.hear(replace(question, mac=CLIENT), replace(answer, mac=CLIENT))
    assert {id: place.servers for id in (I2, I3, X) if (place := placing.wanted(told.state, (id, "e0", 1)))} == {
        I2: ("2001:db8::53",),
        I3: ("2001:db8::53",),
        X: (),
    }


def test_a_connection_makes_no_place_where_routers_spoke_and_there_is_nothing_to_ask() -> None:
    values: dict[str, Value | list[str]] = {"ipv4.method": "disabled", "ipv6.method": "auto"}
    key = ("connection:c1", "e0", 1)
    told = live(Story(projection="netns")).hear(SettingsLoaded(settings=Settings("home", "toml", "", values)))
    told.hear(ConnectionOpened(id="c1", settings="home", link="e0"))
    assert placing.wanted(told.state, key) is not None and placing.made(told.state, "e0") == key
    assert placing.wanted(told.state, ("connection:c2", "e0", 1)) is None, "another's"
    told = told_of().hear(
        applied((NetnsAdd(NAME, X), "")), SettingsLoaded(settings=Settings("home", "toml", "", values))
    )
    told.hear(ConnectionOpened(id="c1", settings="home", link="e0"))
    assert told.state.connections["c1"].adopter == "", "who stands elsewhere stays there"
    assert placing.wanted(told.state, key) is None and placing.made(told.state, "e0") == key
