"""A host whose places are written as they are wanted, whoever comes and goes: then nothing is left to do.

Law: who writes is the simplest that can be: what `placing.wanted` says is planned, done in a kernel of dictionaries and
told; what nobody wants any more is deleted and told, once nobody is inside. No outcome is made up.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from events.ids import SECOND
from events.link import AttachEnded, AttachStarted, LinkGone, LinkSeen
from events.operator import ConnectionClosed, ConnectionOpened, Settings, SettingsLoaded, SettingsRemoved, Value
from events.ops import NetnsDelete, Outcome, PlanApplied
from pvdcore.projections import places, placing
from pvdcore.projections.model import ModelKernel
from pvdcore.projections.places import owner_of, place_mac, place_name
from pvdcore.projections.placing import Key
from pvdcore.projections.plan import place_ops
from pvdcore.state import State
from tests.sim.build import R1, R2, START, Story, dns, pio, pvd, ra

P, OWN = "2001:db8:1::/64", "02:00:00:00:00:0b"
E0 = LinkSeen(link="e0", identity="netns:1:2:1", kind="ethernet", mac=OWN, ifindex=2, name="e0", mtu=1500, host=True)
TURNS_MAX = 4  # one to write what is wanted, one to see that all is; more where a place is handed over


def asking(ipv4: str, ipv6: str) -> SettingsLoaded:
    values: dict[str, Value | list[str]] = {"ipv4.method": ipv4, "ipv6.method": ipv6}
    return SettingsLoaded(settings=Settings("home", "toml", "", values))


happenings = st.one_of(
    st.sampled_from(
        [
            ra(R1),
            ra(R2, dns("2001:db8::53"), o=True),
            ra(R1, life=0),
            ra(R2, life=3),
            ra(R1, pvd("x.example.", pio(P), legacy=True)),
            ra(R1, pvd("x.example.", pio(P, 0, 0), legacy=True), life=0),
            ra(R2, pvd("x.example."), m=True),
        ]
    ),
    st.builds(
        lambda id, by: ConnectionOpened(id=id, settings="home", link="e0", by=by),
        st.sampled_from("ab"),
        st.sampled_from(["operator", "operator", "external"]),
    ),
    st.builds(
        lambda id, reason: ConnectionClosed(id=id, reason=reason),
        st.sampled_from("ab"),
        st.sampled_from(["operator", "carrier"]),
    ),
    st.builds(asking, st.sampled_from(["auto", "disabled"]), st.sampled_from(["auto", "ignore"])),
    st.sampled_from(
        [AttachEnded(link="e0"), AttachStarted(link="e0"), LinkGone(link="e0"), E0, SettingsRemoved(id="home")]
    ),
    st.sampled_from(["the place asks", "another asks", "time passes", "in", "out"]),
)


def happens(told: Story, one: object) -> None:
    maker = places.maker(told.state, "e0")
    if one == "time passes":
        told.at((told.now - START) / SECOND + 2)
    elif one == "another asks":
        told.leases4(mac=OWN, life=5)
    elif one == "the place asks":
        if maker is not None:
            told.leases4(mac=place_mac(place_name(owner_of(maker.id), "e0", maker.epoch)))
    else:
        told.hear(one)  # type: ignore[arg-type]


def keys(state: State) -> list[Key]:
    """All places that there may be."""
    found = {key for pvd in state.pvds for key in placing.cells(state, pvd)}
    return sorted(found | {(owner_of(id), one.link, one.epoch) for id, one in state.connections.items()})


def wanted(state: State) -> dict[str, Key]:
    """By namespace, whose is wanted there."""
    found = ((key, placing.wanted(state, key)) for key in keys(state))
    return {place.netns: key for key, place in found if place is not None}


def settle(told: Story, kernel: ModelKernel, *, inside: bool = False) -> None:
    """Write what is wanted, and delete what is not, until nothing is left to do. inside: somebody is in each place."""
    for _ in range(TURNS_MAX):
        done = told.state.seq
        for key in keys(told.state):
            _settle(told, kernel, key, inside)
        if told.state.seq == done:
            break
    else:
        raise AssertionError(f"{wanted(told.state)} are wanted and never stand")
    known = {one.name for key in keys(told.state) for _, one in placing.placements(told.state, key) if one is not None}
    for name in kernel.observe().namespaces.keys() - known if not inside else ():
        kernel.apply(NetnsDelete(name), told.now)  # of a connection that was opened anew: nobody remembers it


def _settle(told: Story, kernel: ModelKernel, key: Key, inside: bool) -> None:
    place = placing.wanted(told.state, key)
    stands = [one for _, one in placing.placements(told.state, key) if one is not None]
    namespaces = kernel.observe().namespaces
    outcomes: list[Outcome] = []
    if place is not None:
        ops = place_ops(place, namespaces.get(place.netns), told.now)
        outcomes = [kernel.apply(op, told.now) for op in ops]
        assert not any(one.error for one in outcomes), outcomes
    elif stands and stands[0].name not in wanted(told.state) and not inside:
        gone = NetnsDelete(stands[0].name)
        outcomes = [kernel.apply(gone, told.now) if gone.netns in namespaces else Outcome(gone, "ENOENT")]
    if outcomes or (place is not None and not stands):
        told.hear(PlanApplied("netns", key[0], tuple(outcomes), link=key[1], epoch=key[2]))


@settings(max_examples=50, deadline=None)
@given(st.lists(happenings, max_size=15))
def test_whoever_comes_and_goes_what_is_wanted_stands_and_nothing_else(happened: list[object]) -> None:
    told, kernel = Story(projection="netns").hear(E0, asking("auto", "auto")), ModelKernel()
    told.hear(ConnectionOpened(id="a", settings="home", link="e0"))
    inside = False
    for one in happened:
        settle(told, kernel, inside=inside)
        phases = [phase for key in wanted(told.state).values() for phase, _ in placing.placements(told.state, key)]
        assert "lingering" not in phases, "who stayed inside is in it again"
        if one in ("in", "out"):
            inside = one == "in"
        else:
            happens(told, one)
    settle(told, kernel)
    stands = {name: standing.mark for name, standing in kernel.observe().namespaces.items()}
    assert stands == {netns: key[0] for netns, key in wanted(told.state).items()}
