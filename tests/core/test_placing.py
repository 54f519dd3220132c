"""What becomes of plans: an instance stands because a record says so, and what ended stands until one says it is gone.

Law: a place is asked for whole, and each change by its cause.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.ids import SECOND
from events.link import LinkSeen
from events.operator import ConnectionClosed, ConnectionOpened, PolicySet, Settings, SettingsLoaded
from events.ops import (
    AddressAdd,
    ClientEnd,
    ClientLost,
    ClientRun,
    NetnsAdd,
    NetnsDelete,
    Op,
    Outcome,
    PlaceUsed,
    PlanApplied,
    RouteAdd,
    User,
)
from events.session import SessionStarted
from pvdcore.projections import placing
from pvdcore.projections.desired import desired
from pvdcore.projections.places import place_name
from pvdcore.state import Change, Failing, Placement
from tests.sim.build import R1, R2, START, Story, mtu, pio, pvd, ra

X, I2, P = "fqdn:x.example.", "ra:e0/1/fe80::2", "2001:db8:1::/64"
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
    return PlanApplied(projection=projection, pvd=X, outcomes=made, link="e0", epoch=epoch)


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
    told.hear(applied((run, ""), (ROUTE, "EINVAL"))).hear(lost)
    assert {one.op for one in stands(told).failed} == {run, ROUTE}  # type: ignore[union-attr]
    assert replace(stands(told), failed=()) == Placement("netns", NAME, NAME, lost=3)  # type: ignore[type-var]


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
