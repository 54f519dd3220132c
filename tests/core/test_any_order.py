"""Links, profiles, connections, tunnels and plans in whatever order: the State is sound, and one fold is as many.

Law: nothing is asked but what is true of every State: its invariants hold behind each record (Story sees to it), and
who folds the journal record by record, as after a restart, has the same octets as who went on folding.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from events.ids import SECOND
from events.link import AttachEnded, AttachStarted, DadFailed, LinkGone, LinkSeen
from events.operator import (
    CheckpointCommitted,
    CheckpointCreated,
    ConnectionClosed,
    ConnectionOpened,
    PolicySet,
    PvdPinned,
    Settings,
    SettingsLoaded,
    SettingsRemoved,
    Value,
)
from events.ops import NetnsAdd, NetnsDelete, Outcome, PlanApplied
from events.session import SessionStarted
from events.vpn import VpnConnected, VpnEnded
from pvdcore.past import snapshot
from pvdcore.reduce import advance, reduce
from pvdcore.state import State
from tests.sim.build import R1, R2, START, Story, pio, pvd, ra

X, Y, P = "fqdn:x.example.", "fqdn:y.example.", "2001:db8:1::/64"
MAC = "02:00:00:00:00:99"
STATIC: dict[str, Value | list[str]] = {"ipv4.method": "manual", "ipv4.addresses": ["192.0.2.10/24"]}
PROFILES: list[dict[str, Value | list[str]]] = [
    {},
    STATIC,
    {**STATIC, "pvd.expected": [X]},
    {"pvd.expected": [X, Y]},
    {"ipv4.dns": ["192.0.2.9"]},
    {"ipv4.method": "disabled", "ipv6.method": "link-local"},
]

links, profiles = st.sampled_from(["e0", "e1"]), st.sampled_from(["p", "q"])
loaded = st.builds(
    lambda id, values: SettingsLoaded(settings=Settings(id, "toml", "", values)), profiles, st.sampled_from(PROFILES)
)
opened = st.builds(
    lambda id, link, by: ConnectionOpened(id=f"{id}@{link}", settings=id, link=link, by=by),
    profiles,
    links,
    st.sampled_from(["operator", "operator", "autoconnect", "external"]),
)
closed = st.builds(
    lambda id, link, reason: ConnectionClosed(id=f"{id}@{link}", reason=reason),
    profiles,
    links,
    st.sampled_from(["operator", "external"]),
)
heard = st.builds(
    lambda router, name, link, life, legacy: ra(
        router, *([pvd(name, pio(P), legacy=legacy)] if name else [pio(P)]), link=link, life=life
    ),
    st.sampled_from([R1, R2]),
    st.sampled_from(["x.example.", "y.example.", ""]),
    links,
    st.sampled_from([0, 4, 1800]),
    st.booleans(),
)
seen = st.builds(
    lambda link, mac, up: LinkSeen(
        link=link, identity=f"netns:1:{link}", kind="ethernet", ifindex=int(link[1]) + 2, name=link, mac=mac, up=up,
        carrier=up, host=True,
    ),
    links,
    st.sampled_from(["", MAC]),
    st.booleans(),
)  # fmt: skip
tunnelled = st.builds(
    lambda link, index, address: VpnConnected(
        vpn="corp", client="openvpn", device=link, ifindex=index, addresses=(address,), tunnel="move"
    ),
    links,
    st.sampled_from([0, 2, 3]),
    st.sampled_from(["10.8.0.2/24", "10.8.0.3/24"]),
)
applied = st.builds(
    lambda has, link, epoch, op, how: PlanApplied(
        projection=how, pvd=has, outcomes=(Outcome(op),), link=link, epoch=epoch, table=7 if how == "tables" else 0
    ),
    st.sampled_from([X, Y, "static:p", "vpn:corp", "connection:p@e0", f"ra:e0/1/{R1}", "if:e0/1"]),
    links,
    st.sampled_from([1, 1, 2]),
    st.sampled_from([NetnsAdd("n", "p"), NetnsDelete("n")]),
    st.sampled_from(["netns", "netns", "tables"]),
)
others = st.one_of(
    *(st.builds(kind, link=links) for kind in (AttachEnded, AttachStarted, LinkGone)),
    st.builds(DadFailed, link=links, address=st.just("fe80::ff:fe00:99")),
    st.builds(SettingsRemoved, id=profiles),
    st.builds(PvdPinned, pvd=st.sampled_from([X, Y])),
    st.sampled_from([SessionStarted(mode="live", version="1", boot=boot) for boot in ("one", "two")]),
    st.sampled_from(
        [
            VpnEnded(vpn="corp"),
            CheckpointCreated(id="k", until=START + 5 * SECOND),
            CheckpointCommitted(id="k"),
        ]
    ),
)
words = st.sampled_from([1, 3, 6, "e0", "e1", "netns", "tables", "none"])
"""Seconds that pass, a lease on a link, another projection."""


@settings(max_examples=80, deadline=None)
@given(st.lists(st.one_of(loaded, opened, opened, closed, heard, heard, seen, tunnelled, applied, others, words)))
def test_whatever_happens_in_whatever_order_the_state_is_sound_and_one_fold_is_as_many(happened: list[object]) -> None:
    told, now = Story(), 0
    for one in happened:
        if isinstance(one, int):
            now += one
            told.at(now)
        elif isinstance(one, str) and one.startswith("e"):
            told.leases4(link=one, life=4)
        elif isinstance(one, str):
            told.hear(PolicySet(values={**told.state.policy.values, "projection": one}))
        else:
            told.hear(one)  # type: ignore[arg-type]
    state, lines = State(), []
    for record in told.journal.records():
        state = reduce(state, record)
        lines += state.changes
    last = advance(replace(state, changes=()), told.now)
    assert snapshot.encode(last) == snapshot.encode(told.state)
    assert [*lines, *last.changes] == told.history()
