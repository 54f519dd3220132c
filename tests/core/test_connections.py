"""Connections: one profile on links, any number of PvDs on one connection, what ends, and what stays known.

Law: each numbered problem of representation that concerns settings has its story here and names it.
"""

import pytest
from msgspec.structs import replace

from events.codec import AnyEvent
from events.ids import NEVER, SECOND
from events.link import AttachEnded, AttachStarted, LinkGone, LinkSeen
from events.operator import (
    CheckpointCommitted,
    CheckpointCreated,
    CheckpointRolledBack,
    ConnectionClosed,
    ConnectionOpened,
    PvdPinned,
    PvdUnpinned,
    Settings,
    SettingsLoaded,
    SettingsRejected,
    SettingsRemoved,
    Value,
)
from events.ops import NetnsAdd, NetnsDelete, Op, Outcome, PlanApplied
from events.record import Provenance, Record
from events.session import SessionStarted
from events.vpn import VpnConnected
from pvdcore.past import snapshot
from pvdcore.profiles import connections, static
from pvdcore.profiles.checkpoints import rollback
from pvdcore.profiles.connections import CAUSES, PHASES, Refused, autoconnect, matches, step
from pvdcore.profiles.intent import Checkpoint, Known, Reached
from pvdcore.profiles.intent import Refused as Unread
from pvdcore.projections.desired import desired
from pvdcore.projections.model import ModelKernel
from pvdcore.projections.places import place_name
from pvdcore.projections.plan import plan
from pvdcore.reduce import reduce
from pvdcore.state import Connection, Grant, Held, Link, Placement
from tests.sim.build import CLIENT, R1, R2, START, Story, dns, ia_address, ia_na, mtu, pio, pvd, ra

X, Y, I2 = "fqdn:x.example.", "fqdn:y.example.", "ra:e0/1/fe80::2"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
STATIC: dict[str, Value | list[str]] = {
    "ipv4.method": "manual",
    "ipv4.addresses": ["192.0.2.10/24"],
    "ipv4.gateway": "192.0.2.1",
    "ipv4.routes": ["198.51.100.0/24 192.0.2.254"],
    "ipv4.dns": ["192.0.2.53"],
    "ipv4.dns-search": ["corp.example."],
    "ipv6.method": "manual",
    "ipv6.addresses": ["2001:db8:5::10/64"],
    "802-3-ethernet.mtu": 1400,
}


def profile(id: str = "home", **values: Value | list[str]) -> SettingsLoaded:
    """A profile of our own source; names with `_` for `.` and `__` for `-`."""
    said = {key.replace("__", "-").replace("_", ".", 1): value for key, value in values.items()}
    return SettingsLoaded(settings=Settings(id, "toml", f"/etc/pvd/{id}.toml:1", said))


def fixed(id: str = "home", **more: Value | list[str]) -> SettingsLoaded:
    """A profile with addresses, routes and resolvers of its own."""
    return SettingsLoaded(settings=Settings(id, "toml", f"/etc/pvd/{id}.toml:1", {**STATIC, **more}))


def up(id: str = "home", link: str = "e0", by: str = "operator") -> ConnectionOpened:
    return ConnectionOpened(id=f"{id}@{link}", settings=id, link=link, by=by)


def down(id: str = "home", link: str = "e0", reason: str = "operator") -> ConnectionClosed:
    return ConnectionClosed(id=f"{id}@{link}", reason=reason)


def connection(told: Story, id: str = "home@e0") -> Connection:
    return told.state.connections[id]


def turns(told: Story, id: str = "home@e0") -> list[tuple[str, str]]:
    """History of a connection: cause and phase."""
    return [(one.cause, one.phase) for one in told.history() if one.subject == connections.subject(id)]


# The table


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("cause", CAUSES)
def test_each_phase_and_cause_is_a_row_or_a_refusal(phase: str, cause: str) -> None:
    if (phase, cause) in connections.TABLE:
        assert step(phase, cause) in PHASES[1:]
    else:
        with pytest.raises(Refused, match="can't be"):
            step(phase, cause)


# What a profile itself configures


@pytest.mark.covers("problem:4", "problem:2", "feat:C4")
def test_static_settings_make_an_instance_and_stay_settings() -> None:
    told = Story().hear(fixed(), up())
    assert told.alive() == ["static:home"] and told.pvd("static:home").source == "static"
    (instance,) = told.instances("static:home")
    assert (instance.link, instance.epoch, instance.host, instance.phase) == ("e0", 1, "", "announced")
    assert told.keys("static:home", "address") == ["192.0.2.10/24", "2001:db8:5::10/64"]
    assert set(told.keys("static:home", "route")) == {
        "0.0.0.0/0 via 192.0.2.1",
        "198.51.100.0/24 via 192.0.2.254",
        "2001:db8:5::/64",
    }
    assert told.keys("static:home", "dns") == ["192.0.2.53"]
    assert told.keys("static:home", "search") == ["corp.example."]
    assert told.holdings("static:home", "mtu") == {"mtu": (1400,)}
    assert told.ends("static:home", "address", "192.0.2.10/24") is None
    # Where each PvD comes from: a kind and a key of its own for each source.
    told.hear(ra(R2)).leases4(link="e1")
    assert told.alive() == ["if:e1/1", I2, "static:home"]
    assert [told.pvd(id).source for id in told.alive()] == ["link", "ra", "static"]
    # And settings, whatever was learned beside them, hold nothing of it.
    assert told.state.settings["home"].values == STATIC
    told.hear(profile("home", ipv4_method="auto", ipv6_method="auto"))
    assert "static:home" not in told.alive(), "settings that name DHCP and SLAAC are neither PvD nor instance"
    assert told.state.settings["home"].values == {"ipv4.method": "auto", "ipv6.method": "auto"}


@pytest.mark.covers("problem:4", part="negative")
def test_no_event_writes_a_pvds_data_into_settings() -> None:
    told = Story().hear(profile(), up(), ra(R1, pio(P), dns("2001:db8::53"), pvd("x.example.")))
    before = told.state.settings
    told.hear(ra(R1, pio(Q), pvd("x.example.")), ra(R2, mtu(1400))).leases4()
    assert told.state.settings is before, "nothing heard changes a setting"
    assert {"pvd", "pvds", "instances"}.isdisjoint(Settings.__struct_fields__)


def test_why_a_static_route_holds_is_answered_by_the_line_of_the_profile() -> None:
    told = Story().hear(fixed(), up())
    (answer,) = told.why("198.51.100.7")
    assert answer.pvd == "static:home"
    record = told.journal.record(answer.because)
    assert record is not None and isinstance(record.event, SettingsLoaded)
    assert record.event.settings.origin == "/etc/pvd/home.toml:1"


def test_a_profile_without_an_address_makes_no_pvd() -> None:
    told = Story().hear(profile(ipv4_dns=["192.0.2.53"], ipv4_method="auto"), up())
    assert told.alive() == []
    told.hear(fixed(**{"ipv4.method": "disabled", "ipv6.method": "ignore"}))
    assert told.alive() == [], "a method that is off keeps its addresses off"


def test_values_that_cannot_be_are_left_out_and_break_nothing() -> None:
    odd = {"ipv4.addresses": ["nonsense", "192.0.2.9/24"], "ipv4.routes": ["x", "", "198.51.100.0/24 y"]}
    told = Story().hear(fixed(**odd, **{"ipv4.gateway": "z", "ipv4.dns": ["q"]}), up())
    assert told.keys("static:home", "address") == ["192.0.2.9/24", "2001:db8:5::10/64"]
    assert told.keys("static:home", "route") == ["2001:db8:5::/64"] and told.keys("static:home", "dns") == []


@pytest.mark.covers("problem:14", part="expected")
def test_desired_places_static_configuration_as_any_other() -> None:
    told = Story().hear(fixed(), up(), ra(R1, pio(P)))
    places = {place.pvd: place for place in desired(told.state).places}
    assert set(places) == {"static:home", "ra:e0/1/fe80::1"}
    place = places["static:home"]
    assert [(one.address, one.origin) for one in place.addresses] == [
        ("192.0.2.10/24", "static"),
        ("2001:db8:5::10/64", "static"),
    ]
    assert ("0.0.0.0/0", "192.0.2.1") in [(one.destination, one.via) for one in place.routes]
    assert (place.servers, place.search, place.mtu) == (("192.0.2.53",), ("corp.example.",), 1400)
    assert told.state.settings["home"].values == STATIC, "what to configure is not what is available"
    told.hear(down())
    assert [place.pvd for place in desired(told.state).places] == []


def test_a_profile_edited_while_active_changes_only_what_differs() -> None:
    told = Story().hear(fixed(), up())
    kernel = ModelKernel()
    for op, _ in plan(desired(told.state), kernel.observe()).ops:
        assert not kernel.apply(op, told.now).error
    assert plan(desired(told.state), kernel.observe()).ops == ()
    told.at(10).hear(fixed(**{"ipv4.routes": ["203.0.113.0/24 192.0.2.254"], "ipv4.dns": ["192.0.2.54"]}))
    ops = [type(op).__name__ for op, _ in plan(desired(told.state), kernel.observe()).ops]
    assert ops == ["RouteAdd", "RouteDelete", "ResolverWrite"]
    told.at(20).hear(fixed(**{"ipv4.routes": ["203.0.113.0/24 192.0.2.254"], "ipv4.dns": ["192.0.2.54"]}))
    assert told.pvd("static:home").instances[0][1].version == 2, "reading the same again is no version"
    lines = [one for one in told.history() if one.subject == "settings:home"]
    assert [one.cause for one in lines] == ["loaded", "edited"]
    assert {item[1] for pair in lines[1].changed for item in pair} == {"ipv4.routes", "ipv4.dns"}


FOUR: dict[str, Value | list[str]] = {"ipv4.method": "manual", "ipv4.addresses": ["192.0.2.10/24"]}
SIX: dict[str, Value | list[str]] = {"ipv6.method": "manual", "ipv6.addresses": ["2001:db8:5::10/64"]}
A4, A6, ON_LINK = ("address", "192.0.2.10/24"), ("address", "2001:db8:5::10/64"), ("route", "2001:db8:5::/64")


@pytest.mark.parametrize(
    ("values", "made"),
    [
        (FOUR, [A4]),
        ({"ipv4.addresses": "192.0.2.10/24"}, [A4]),  # a word alone is a list of one
        ({"ipv4.addresses": ["192.0.2.10/24", "192.0.2.10/24", "192.0.2.11"]}, [A4, ("address", "192.0.2.11")]),
        (SIX, [A6, ON_LINK]),
        ({"ipv6.addresses": ["2001:db8:5::10"]}, [("address", "2001:db8:5::10")]),
        ({**SIX, "ipv6.gateway": "fe80::1"}, [A6, ON_LINK, ("route", "::/0 via fe80::1")]),
        ({**SIX, "ipv6.gateway": "fe80::1", "ipv6.never-default": True}, [A6, ON_LINK]),
        ({**FOUR, "ipv4.never-default": True, "ipv4.gateway": "192.0.2.1"}, [A4]),
        (
            {**FOUR, "ipv4.routes": ["198.51.100.7/24 192.0.2.254 metric"]},
            [A4, ("route", "198.51.100.0/24 via 192.0.2.254")],
        ),
        ({**FOUR, "ipv4.routes": ["198.51.100.0/24", "203.0.113.0/24 x"]}, [A4, ("route", "198.51.100.0/24")]),
        ({**FOUR, "ipv6.gateway": "fe80::1", "ipv6.routes": ["::/1"], "ipv6.dns": ["2001:db8::53"]}, [A4]),
        ({**FOUR, "ipv4.dns": ["192.0.2.53", "x"], "ipv4.dns-search": 7}, [A4, ("dns", "192.0.2.53"), ("search", "7")]),
        ({**FOUR, "ipv4.dns": True, "ipv4.dns-search": None, "ipv4.gateway": 5}, [A4]),
        ({**FOUR, "ipv4.dns-search": True}, [A4]),
        ({**FOUR, "802-3-ethernet.mtu": 1400}, [A4, ("mtu", "mtu")]),
        ({**FOUR, "802-3-ethernet.mtu": 0}, [A4]),
        ({**FOUR, "802-3-ethernet.mtu": "large"}, [A4]),
        ({"ipv4.dns": ["192.0.2.53"], "802-3-ethernet.mtu": 1400}, []),  # without an address there is no PvD
        *(({**FOUR, "ipv4.method": method}, []) for method in ("disabled", "ignore", "link-local", "shared")),
        *(({**FOUR, "ipv4.method": method}, [A4]) for method in ("auto", "dhcp", 4)),
        ({**FOUR, **SIX, "ipv6.method": "ignore"}, [A4]),
    ],
)
def test_what_a_profile_configures_is_what_its_values_say(
    values: dict[str, Value | list[str]], made: list[tuple[str, str]]
) -> None:
    items = static.items(Settings("p", "toml", "", values), 7, {("address", "192.0.2.10/24"): 3})
    assert [(one.kind, one.key) for one in items] == made
    assert [one.order for one in items] == list(range(len(made)))
    assert {(one.because, one.since) for one in items} <= {(7, 7), (7, 3)}
    assert all((one.since == 3) == (one.key == "192.0.2.10/24") for one in items), "what stood before stands since then"


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "waits"),
    [
        ("auto", "disabled", True),
        ("disabled", "auto", True),
        ("disabled", "dhcp", True),
        ("manual", "ignore", False),
        ("", "manual", True),
        ("manual", "", True),
        ("link-local", "shared", False),
    ],
)
def test_a_profile_waits_for_a_network_that_is_to_say_what_holds(ipv4: str, ipv6: str, waits: bool) -> None:
    values: dict[str, Value | list[str]] = {
        f"{one}.method": said for one, said in (("ipv4", ipv4), ("ipv6", ipv6)) if said
    }
    assert static.waits(Settings("p", "toml", "", values)) is waits


# Where a connection is, and what is on it


@pytest.mark.covers("problem:5")
def test_activating_a_profile_on_one_link_attaches_no_pvd_of_another() -> None:
    told = Story().hear(fixed(), ra(R1, pvd("x.example.")), up(link="e1"))
    assert connection(told, "home@e1").pvds == ("static:home",)
    assert {cell[0] for cell, _ in told.pvd("static:home").instances} == {"e1"}
    assert {cell[0] for cell, _ in told.pvd(X).instances} == {"e0"}, "it holds where it was heard"
    told.hear(ra(R2, pvd("y.example."), link="e1"))
    assert connection(told, "home@e1").pvds == (Y, "static:home")


@pytest.mark.covers("problem:8", "feat:F3")
def test_one_activation_three_pvds_and_closing_one_leaves_two() -> None:
    told = Story().hear(profile(), up())
    assert connection(told).phase == "activating"
    told.hear(ra(R1, pvd("x.example.")), ra(R1, pvd("y.example.")), ra(R2))
    assert connection(told).phase == "active" and connection(told).pvds == (X, Y, I2)
    told.hear(ra(R2, life=0))
    assert connection(told).pvds == (X, Y) and connection(told).phase == "active"
    assert told.alive() == [X, Y]
    told.at(1801)
    assert connection(told).pvds == () and connection(told).phase == "activating", "the last PvD lapsed"


@pytest.mark.covers("problem:12", "feat:F2")
def test_one_profile_on_two_links_is_two_connections_and_closing_one_leaves_the_other() -> None:
    told = Story().hear(fixed(), up(link="e0"), up(link="e1"))
    assert sorted(told.state.connections) == ["home@e0", "home@e1"]
    assert [cell[0] for cell, _ in told.pvd("static:home").instances] == ["e0", "e1"]
    other = connection(told, "home@e1")
    told.at(5).hear(down(link="e0"))
    assert connection(told, "home@e0").phase == "closed"
    assert connection(told, "home@e1") == other
    assert [cell[0] for cell, _ in told.pvd("static:home").instances] == ["e1"]


@pytest.mark.covers("problem:9", "problem:15")
def test_what_was_closed_stays_known_after_a_restart() -> None:
    told = Story().hear(fixed(), up()).at(60).hear(AttachEnded(link="e0", reason="carrier"))
    for state in (told.state, told.refolded(), snapshot.decode(snapshot.encode(told.state))):
        one = state.connections["home@e0"]
        assert (one.phase, one.reason, one.closed_at) == ("closed", "carrier", START + 60 * SECOND)
        gone = state.pvds["static:home"]
        assert gone.phase == "gone" and gone.ended == START + 60 * SECOND
    (answer,) = told.why("192.0.2.10")
    assert (answer.pvd, answer.ended_by, answer.ended_at) == ("static:home", "attachment", START + 60 * SECOND)
    line = next(one for one in told.history("static:home") if one.phase == "gone")
    assert ("address", "192.0.2.10/24", ("static",)) in line.removed, "each thing that was configured can be read"
    assert turns(told) == [("opened", "activating"), ("arrived", "active"), ("carrier", "closed")]


@pytest.mark.covers("problem:21")
def test_a_connection_is_opened_before_any_pvd_and_the_pvd_is_matched_when_it_speaks() -> None:
    told = Story().hear(profile(), up()).at(3).hear(ra(R1, pvd("x.example.")))
    lines = [(one.subject or one.pvd, one.seq) for one in told.history() if not one.subject.startswith("settings:")]
    assert [name for name, _ in lines] == ["connection:home@e0", X, "connection:home@e0"]
    assert lines[0][1] < lines[1][1] == lines[2][1], "first the connection, then the PvD, which the connection names"
    assert told.history()[-1].added == (("pvd", X, ()),)


def test_a_line_of_history_is_of_a_pvd_or_of_a_connection_and_never_of_both() -> None:
    told = Story().hear(profile(), up(), ra(R1, pvd("x.example.")), down(), SettingsRemoved(id="home"))
    assert all(bool(one.pvd) != bool(one.subject) for one in told.history())
    assert turns(told) == [("opened", "activating"), ("arrived", "active"), ("operator", "closed")]
    ends = [(one.cause, one.phase) for one in told.history() if one.subject == "settings:home"]
    assert ends == [("loaded", "loaded"), ("removed", "removed")]


def test_a_connection_ends_with_its_link_and_with_its_profile() -> None:
    told = Story().hear(fixed(), up(), up(link="e1"))
    told.hear(LinkGone(link="e1"))
    assert (connection(told, "home@e1").phase, connection(told, "home@e1").reason) == ("closed", "link-gone")
    told.hear(SettingsRemoved(id="home"))
    assert (connection(told).phase, connection(told).reason) == ("closed", "settings-removed")
    assert told.alive() == []


def test_what_stands_when_it_is_closed_may_have_somebody_inside_until_it_is_taken_down() -> None:
    told = Story(projection="netns").hear(fixed(), up())
    name = place_name("static:home", "e0", 1)

    def done(op: Op) -> PlanApplied:
        return PlanApplied(projection="netns", pvd="static:home", outcomes=(Outcome(op),), link="e0", epoch=1)

    told.at(1).hear(done(NetnsAdd(name, "static:home"))).at(2).hear(down())
    closing = connection(told)
    assert (closing.phase, closing.since, closing.closed_at, closing.pvds) == ("closing", told.now, None, ())
    told.at(3).hear(profile("other"), ra(R1, pvd("x.example.")))
    assert connection(told) == closing, "it waits for nothing else"
    told.at(4).hear(done(NetnsDelete(name)))
    assert (connection(told).phase, connection(told).closed_at) == ("closed", told.now)
    assert turns(told)[2:] == [("operator", "closing"), ("operator", "closed")]
    again = Story(projection="netns").hear(fixed(), up(), done(NetnsAdd(name, "static:home")), down()).at(5).hear(up())
    assert turns(again)[2:] == [("operator", "closing"), ("opened", "activating"), ("arrived", "active")]
    (instance,) = again.instances("static:home")
    assert (instance.phase, connection(again).closing) == ("placed", False), "whoever is inside is in it again"


def test_opened_before_the_carrier_it_waits_for_the_attachment() -> None:
    told = Story().detach().hear(fixed(), up())
    assert connection(told).phase == "activating" and told.alive() == []
    told.attach()
    assert connection(told).phase == "active" and told.instances("static:home")[0].epoch == connection(told).epoch == 2
    told.hear(AttachStarted(link="e0"))
    assert connection(told).phase == "active", "nothing was learned yet: it is the same attachment"


def test_a_profile_that_configures_nothing_is_active_as_it_is() -> None:
    told = Story().hear(profile(ipv4_method="disabled", ipv6_method="link-local"), up())
    assert connection(told).phase == "active" and told.alive() == []


def test_what_another_manager_activated_is_observed_and_not_configured_by_us() -> None:
    told = Story().hear(fixed(), up(by="external"))
    assert connection(told).phase == "activating" and told.alive() == []
    told.hear(ra(R1, pvd("x.example.")))
    assert (connection(told).phase, connection(told).by, connection(told).pvds) == ("active", "external", (X,))
    told.hear(ConnectionOpened(id="wired@e1", settings="wired", link="e1", by="external"))
    assert connection(told, "wired@e1").phase == "activating", "a profile that only the other manager knows"


def told_whole(told: Story) -> list[tuple[object, ...]]:
    """All of a connection's history: when, phases, cause, what came and what went; the rest is looked at here."""
    lines = []
    for one in told.history():
        if one.subject != connections.subject("home@e1"):
            continue
        assert (one.pvd, one.link, one.epoch, one.host, one.version) == ("", "e1", 2, "", 0)
        assert one.because == one.seq and told.journal.record(one.seq).at == one.at  # type: ignore[union-attr]
        came, went = ([item[1] for item in items] for items in (one.added, one.removed))
        assert all((item[0], item[2]) == ("pvd", ()) for item in (*one.added, *one.removed))
        lines.append(((one.at - START) // SECOND, one.phase_before, one.cause, one.phase, came, went))
    return lines


def test_a_connection_from_its_first_line_to_its_last() -> None:
    told = Story().detach("e1").at(1).attach("e1").at(2).hear(fixed(), up(link="e1"))
    at = told.journal.last_seq()
    fresh = connection(told, "home@e1")
    own, gone = ["static:home"], {"phase": "closed", "pvds": (), "closing": False}
    assert fresh == Connection(
        "home@e1", "home", "e1", "operator", told.now, at, phase="active", epoch=2, since=told.now, pvds=(own[0],)
    )
    told.at(3).hear(ra(R1, pvd("x.example."), link="e1"))
    assert connection(told, "home@e1") == replace(fresh, pvds=(X, own[0])), "it is active since before"
    told.at(5).hear(ra(R2, pvd("y.example."), link="e1"))
    told.at(6).hear(ra(R1, pvd("x.example."), life=0, link="e1"), up(link="e1"))
    assert connection(told, "home@e1") == replace(fresh, pvds=(Y, own[0])), "opened again it goes on"
    told.at(8).hear(down(link="e1"), down(link="e1", reason="external"), down("nobody"))
    ended = replace(fresh, reason="operator", closed_at=told.now, since=told.now, **gone)  # type: ignore[arg-type]
    assert connection(told, "home@e1") == ended
    assert dict(told.state.intent.blocked) == {("home", "e1"): told.journal.last_seq() - 2}
    told.at(9).hear(up(link="e1"))
    again = replace(fresh, opened_at=told.now, because=told.journal.last_seq(), since=told.now, pvds=(Y, own[0]))
    assert connection(told, "home@e1") == again
    assert not told.state.intent.blocked
    told.at(10).detach("e1")
    assert connection(told, "home@e1") == replace(again, reason="carrier", closed_at=told.now, since=told.now, **gone)  # type: ignore[arg-type]
    assert told_whole(told) == [
        (2, "", "opened", "activating", [], []),
        (2, "activating", "arrived", "active", own, []),
        (3, "active", "arrived", "active", [X], []),
        (5, "active", "arrived", "active", [Y], []),
        (6, "active", "arrived", "active", [], [X]),
        (8, "active", "operator", "closed", [], [Y, *own]),
        (9, "closed", "opened", "activating", [], []),
        (9, "activating", "arrived", "active", [Y, *own], []),
        (10, "active", "carrier", "closed", [], [Y, *own]),
    ]
    placed = [(one.cause, one.phase, one.because - at, one.seq - at) for one in told.history(own[0])]
    assert placed == [
        ("configured", "announced", -1, 0),
        ("closed", "gone", 5, 5),
        ("configured", "announced", -1, 8),
        ("attachment", "gone", 9, 9),
    ]
    seqs = [at + one for one in (1, 1, 2, 8)]
    assert told.state.intent.reached["home"] == (
        Reached(X, "e1", 2, seqs[0], seqs[1], START + 3 * SECOND, START + 3 * SECOND),
        Reached(Y, "e1", 2, seqs[2], seqs[3], START + 5 * SECOND, START + 9 * SECOND),
    )


def test_opened_again_on_its_attachment_it_has_the_place_that_stands() -> None:
    told = Story().at(2).hear(profile(), up())
    assert connection(told).since == told.now and connection(told).phase == "activating"
    told.at(3).hear(ra(R1, pvd("x.example.")), down())
    place = Placement("plain", told.now, told.journal.last_seq(), "place")
    for epoch, kept in ((1, True), (2, False)):
        was = replace(connection(told), placement=place, adopter=X, epoch=epoch)
        state = replace(told.state, connections=told.state.connections.set("home@e0", was))
        again = reduce(state, Record(state.seq + 1, told.now, 1, Provenance(), up())).connections["home@e0"]
        assert (again.phase, again.epoch) == ("active", 1)
        assert (again.placement == place, again.adopter == X) == (kept, kept)


def test_a_profile_remembers_where_it_led_to_a_pvd_the_last_time() -> None:
    told = Story().hear(profile(), up(), ra(R1, pvd("x.example.")))
    first = told.journal.last_seq()
    told.at(5).hear(ra(R1, pvd("x.example."), link="e1"), up(link="e1"))
    last = told.journal.last_seq()
    assert told.state.intent.reached["home"] == (Reached(X, "e1", 1, first, last, START, told.now, visits=2),)
    told.at(9).detach("e1").attach("e1").hear(up(link="e1"), ra(R1, pvd("x.example."), link="e1"))
    (reached,) = told.state.intent.reached["home"]
    assert (reached.link, reached.epoch, reached.visits, reached.first_at) == ("e1", 2, 3, START)


def test_closed_while_it_waits_it_waits_no_more() -> None:
    told = Story().hear(profile(pvd_expected=[X]), up()).at(1).leases4().at(2)
    assert connection(told).waits_until == START + 6 * SECOND
    assert connection(told.hear(down())).waits_until == NEVER


@pytest.mark.parametrize("gone", [5, 7], ids=["before the first would have been over", "after that"])
def test_a_wait_that_is_over_because_it_came_does_not_count_when_it_goes(gone: int) -> None:
    told = Story().hear(profile(pvd_expected=[X]), up()).at(1).leases4().at(4).hear(ra(R1, pvd("x.example.")))
    told.at(gone).hear(ra(R1, pvd("x.example."), life=0)).at(gone + 4.9)
    assert connection(told).phase == "activating", "a wait of its own begins"
    assert connection(told.at(gone + 5)).phase == "mismatch"


def test_a_mismatch_names_all_that_came_and_all_that_would_do() -> None:
    told = Story().hear(fixed(**{"pvd.expected": [X, Y]}), up(), ra(R1, pio(P))).at(1)
    assert connection(told).phase == "activating", "a router that names no network comes first"
    told.hear(ra(R1, pvd("w.example.")))
    assert told.findings()["pvd-mismatch"].text == (
        "home on e0 led to fqdn:w.example., ra:e0/1/fe80::1 instead of fqdn:x.example. or fqdn:y.example."
    )
    alone = Story().hear(fixed(**{"pvd.expected": [X]}), up(), ra(R1, pvd("x.example.")))
    assert alone.alive() == [X, "static:home"]
    alone.hear(ra(R1, pvd("x.example."), life=0))
    assert (connection(alone).phase, alone.alive()) == ("activating", []), "its own is no other"


def test_a_mismatch_is_counted_when_it_comes_about_and_not_whenever_somebody_looks() -> None:
    told = Story().hear(fixed(**{"pvd.expected": [X]}), up(), ra(R1, pvd("y.example.")))
    told.at(1).hear(profile("other"), ra(R1, pvd("y.example."), pio(P)), ra(R2, link="e1"))
    for state in (told.state, told.refolded()):
        assert [one.count for one in state.findings.values()] == [1]
    told.hear(ra(R2))
    assert [one.count for one in told.state.findings.values()] == [2], "more came that it is not for"


def test_what_two_profiles_configure_on_one_link_is_of_each_alone() -> None:
    told = Story().hear(fixed(), fixed("a"), up(), up("a"), ra(R1, pvd("x.example."), link="e1"))
    assert told.alive() == [X, "static:a", "static:home"]
    assert (connection(told).pvds, connection(told, "a@e0").pvds) == (("static:home",), ("static:a",))


def test_what_a_profile_configures_is_a_contribution_of_its_own() -> None:
    told = Story().at(1).hear(fixed()).at(2).hear(up()).at(3).hear(fixed(**{"802-3-ethernet.mtu": 1500}))
    edited = told.journal.last_seq()
    items = (
        ("address", "192.0.2.10/24", ("static",)),
        ("route", "0.0.0.0/0 via 192.0.2.1", ("0.0.0.0/0", "192.0.2.1", "medium")),
        ("route", "198.51.100.0/24 via 192.0.2.254", ("198.51.100.0/24", "192.0.2.254", "medium")),
        ("address", "2001:db8:5::10/64", ("static",)),
        ("route", "2001:db8:5::/64", ("2001:db8:5::/64", None, "medium")),
        ("dns", "192.0.2.53", ()),
        ("search", "corp.example.", ()),
        ("mtu", "mtu", (1500,)),
    )
    grant = Grant(
        "static",
        "e0",
        1,
        "",
        "static:home",
        "",
        heard_at=told.now,
        started_at=told.now,
        because=edited,
        since=edited - 2,
        held=tuple(
            Held(kind, key, value, None, edited - 2, order=order, because=edited, fixed=True)
            for order, (kind, key, value) in enumerate(items)
        ),
        owners=("static:home",),
        placed="static:home",
    )
    assert list(told.state.grants.values()) == [grant]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (AttachStarted(link="e0"), "attached-anew"),
        (AttachEnded(link="e0"), "carrier"),
        (LinkGone(link="e0"), "link-gone"),
        (SessionStarted(mode="live", version="1", boot="b"), "boot"),
    ],
)
def test_a_connection_says_with_what_its_attachment_ended(end: AnyEvent, reason: str) -> None:
    told = Story().hear(SessionStarted(mode="live", version="1", boot="a"), fixed(), up(), ra(R1), end)
    assert (connection(told).phase, connection(told).reason) == ("closed", reason)


def test_a_first_attachment_takes_back_what_the_operator_closed_on_that_link_alone() -> None:
    told = Story().hear(profile(), up(), up(link="e1"), down(), down(link="e1")).attach("e0")
    assert told.state.links["e0"].epoch == 1, "nothing was learned on it yet"
    assert set(told.state.intent.blocked) == {("home", "e1")}


def test_a_profile_remembers_so_many_pvds_the_latest_of_them() -> None:
    told = Story(visits_max=2).hear(profile(), up())
    for second, name in enumerate(("c", "a", "b"), 1):
        told.at(second).hear(ra(R1, pvd(f"{name}.example.")))
    assert [one.pvd for one in told.state.intent.reached["home"]] == ["fqdn:a.example.", "fqdn:b.example."]
    told.hear(profile("other"), up("other", "e1"), ra(R1, pvd("a.example."), link="e1"))
    assert [one.pvd for one in told.state.intent.reached["other"]] == ["fqdn:a.example."]


def test_another_link_and_another_profile_are_none_of_its_business() -> None:
    told = Story().hear(profile(), profile("a"), up("a"), up("home"), up("home", "e1"), up("a", "e1", by="external"))
    told.hear(down("a"), down("home"), down("home", "e1"))
    blocked = {("a", "e0"), ("home", "e0"), ("home", "e1")}
    assert set(told.state.intent.blocked) == blocked
    told.hear(up("home", by="autoconnect"))
    assert set(told.state.intent.blocked) == blocked, "only the operator takes it back"
    told.hear(up("a"))
    assert set(told.state.intent.blocked) == blocked - {("a", "e0")}
    told.hear(down("home"), up("home"))
    assert set(told.state.intent.blocked) == {("home", "e1")}, "on that link"
    told.hear(SettingsRemoved(id="a"))
    assert (connection(told, "a@e0").phase, connection(told, "a@e0").reason) == ("closed", "settings-removed")
    assert connection(told, "a@e1").phase == "activating", "another manager's goes on"
    assert connection(told).phase == "activating"
    told.detach("e1")
    assert not told.state.intent.blocked, "the next attachment is another"
    assert (connection(told, "a@e1").phase, connection(told).phase) == ("closed", "activating")
    told.hear(down("home")).attach("e1").detach("e1")
    assert set(told.state.intent.blocked) == {("home", "e0")}, "of its own link"


# Expected PvDs


@pytest.mark.covers("problem:6", "problem:21")
def test_another_pvd_than_expected_is_a_mismatch_and_the_expected_stays_inactive() -> None:
    told = Story().hear(fixed(**{"pvd.expected": [X]}), up())
    assert told.alive() == [], "what the profile configures waits for the PvD it is for"
    told.at(2).hear(ra(R1, pvd("y.example.")))
    assert connection(told).phase == "mismatch" and connection(told).pvds == (Y,)
    assert told.alive() == [Y] and X not in told.state.pvds
    found = told.findings()["pvd-mismatch"]
    assert found.pvd == X and Y in found.text and "home" in found.text
    told.at(9).hear(ra(R2, pvd("x.example.")))
    assert connection(told).phase == "active" and told.alive() == [X, Y, "static:home"]
    told.at(20).hear(ra(R2, pvd("x.example."), life=0), ra(R1, pvd("y.example.")))
    assert connection(told).phase == "mismatch" and told.alive() == [Y], "it went, and with it what was for it"
    assert turns(told)[:4] == [
        ("opened", "activating"),
        ("other", "mismatch"),
        ("arrived", "active"),
        ("other", "mismatch"),
    ]


@pytest.mark.covers("problem:6", part="negative")
def test_what_names_no_network_may_come_first_and_is_no_mismatch_for_a_while() -> None:
    told = Story().hear(profile(pvd_expected=[X]), up()).at(1).leases4()
    assert connection(told).phase == "activating" and connection(told).pvds == ("if:e0/1",)
    told.at(4).hear(ra(R1, pvd("x.example.")))
    assert connection(told).phase == "active" and "pvd-mismatch" not in told.findings()
    late = Story().hear(profile(pvd_expected=[X]), up()).at(1).leases4()
    late.at(5.9)
    assert connection(late).phase == "activating"
    late.at(6)
    assert connection(late).phase == "mismatch" and "pvd-mismatch" in late.findings()
    assert late.history()[-1].at == START + 6 * SECOND, "dated at its own instant"
    patient = Story(expected_wait_s=60).hear(profile(pvd_expected=[X]), up()).at(1).leases4().at(60.9)
    assert connection(patient).phase == "activating" and connection(patient.at(61)).phase == "mismatch"
    apart = Story(fallback="protocol").hear(profile(pvd_expected=[X]), up()).at(1).leases4()
    apart.asks6("REQUEST", ia_na(ia_address("2001:db8::a")))
    assert [one.split(":")[0] for one in connection(apart).pvds] == ["dhcp4", "dhcp6"]
    assert connection(apart).phase == "activating"


@pytest.mark.covers("problem:7", "feat:F4")
def test_a_profile_remembers_every_pvd_it_led_to() -> None:
    told = Story().hear(profile("eduroam", **{"802__1x_eap": ["peap"]}), up("eduroam"), ra(R1, pvd("x.example.")))
    told.at(100).detach().at(200).attach().hear(up("eduroam"), ra(R2, pvd("y.example.")))
    reached = told.state.intent.reached["eduroam"]
    assert [(one.pvd, one.visits) for one in reached] == [(X, 1), (Y, 1)]
    told.hear(SettingsRemoved(id="eduroam"), profile("eduroam"))
    assert told.state.intent.reached["eduroam"] == reached, "an edit by delete and create forgets nothing"
    assert snapshot.decode(snapshot.encode(told.state)).intent == told.state.intent


@pytest.mark.covers("problem:10")
def test_the_next_day_it_is_the_same_pvd_with_a_second_visit() -> None:
    told = Story().hear(profile(), up(), ra(R1, pvd("x.example.")))
    first = told.pvd(X)
    told.at(1000).detach()
    assert told.pvd(X).phase == "gone"
    told.at(86400).attach().hear(up(), ra(R1, pvd("x.example.")))
    again = told.pvd(X)
    assert again.first_seen == first.first_seen and again.phase == "announced"
    (reached,) = told.state.intent.reached["home"]
    assert (reached.pvd, reached.visits, reached.first_at) == (X, 2, START)
    assert reached.last_at == START + 86400 * SECOND
    assert [one.id for one in told.state.pvds.values()] == [X], "one record, not two"


# Autoconnect


def host(told: Story, name: str, kind: str = "ethernet", mac: str = CLIENT) -> Story:
    return told.hear(LinkSeen(link=name, identity=f"netns:1:{name}", kind=kind, name=name, mac=mac, host=True))


def opened(told: Story) -> list[str]:
    """What autoconnect would open, and does."""
    events = autoconnect(told.state)
    told.hear(*events)
    return [one.id for one in events]


def test_autoconnect_takes_the_profile_of_the_highest_priority_that_matches() -> None:
    told = Story().hear(
        profile("any", match_interface__name=["en*"]),
        profile("best", match_interface__name=["en*"], connection_autoconnect__priority=5),
        profile("never", connection_autoconnect=False, match_interface__name=["en*"]),
    )
    host(told, "enp1s0")
    assert opened(told) == ["best@enp1s0"]
    assert opened(told) == [], "a link that has one gets no other"
    host(told, "enp2s0")
    assert opened(told) == ["any@enp2s0"], "a profile is active once, unless it says otherwise"
    told.hear(profile("any", match_interface__name=["en*"], connection_multi__connect="multiple"))
    host(told, "enp3s0")
    assert opened(told) == ["any@enp3s0"]
    assert not [one for one in told.state.connections.values() if one.link in ("e0", "e1")], "captures are no links"


def test_which_profiles_autoconnect_takes_and_in_what_order() -> None:
    name: dict[str, Value | list[str]] = {"match_interface__name": ["en*"]}
    told = Story().hear(
        profile("a", connection_autoconnect=False, **name),
        profile("b", match_unsupported=["match.driver"], **name),
        profile("c", **{**name, "802__11__wireless_ssid": "home"}),
        SettingsLoaded(settings=Settings("d", "keyfile", "d:1", {"match.interface-name": ["en*"]})),
        profile("e", connection_autoconnect__priority=-1, **name),
        profile("g", **name),
        profile("h", connection_autoconnect__priority="high", **name),
        profile("z", connection_autoconnect__priority=1, **name),
        SettingsLoaded(settings=Settings("f", "control", "", {"match.interface-name": ["en*"]})),
    )
    for number in range(6):
        host(told, f"en{number}")
    assert opened(told) == ["z@en0", "f@en1", "g@en2", "h@en3", "e@en4"], "each once, and for the sixth there is none"


def test_why_what_a_profile_configured_ended() -> None:
    told = Story().hear(fixed(), up()).at(1).hear(profile()).at(2).hear(fixed()).at(3).hear(down())
    causes = [(one.cause, one.phase, one.because == one.seq) for one in told.history("static:home")]
    assert causes == [
        ("configured", "announced", False),
        ("edited", "gone", True),
        ("configured", "announced", True),
        ("closed", "gone", True),
    ]
    assert ("address", "192.0.2.10/24", ("static",)) in told.history("static:home")[1].removed


def test_what_waits_for_its_pvd_says_whether_another_came() -> None:
    told = Story().hear(fixed(**{"pvd.expected": [X]}), up(), ra(R1, pvd("x.example.")))
    told.at(1).hear(ra(R1, pvd("x.example."), life=0)).at(2).hear(ra(R1, pvd("x.example.")))
    told.hear(ra(R2, pvd("y.example."))).at(3).hear(ra(R1, pvd("x.example."), life=0))
    assert [(one.cause, one.phase) for one in told.history("static:home")] == [
        ("configured", "announced"),
        ("waiting", "gone"),
        ("configured", "announced"),
        ("mismatch", "gone"),
    ], "nobody edited anything"


def test_autoconnect_opens_nothing_where_nothing_can_come() -> None:
    told = Story().hear(profile("b", match_interface__name=["en*"], connection_multi__connect="multiple"))
    told.hear(profile("a", match_interface__name=["en0"], connection_autoconnect__priority="high"))
    seen = LinkSeen(link="en0", identity="netns:1:en0", kind="ethernet", name="en0", mac=CLIENT, host=True)
    told.hear(
        seen,
        replace(seen, link="en1", identity="netns:1:en1", name="en1", up=False),
        replace(seen, link="en2", identity="netns:1:en2", name="en2", host=False),
        replace(seen, link="en3", identity="netns:1:en3", name="en3"),
        replace(seen, link="en4", identity="netns:1:en4", name="en4"),
        AttachEnded(link="en3", reason="carrier"),
        LinkGone(link="en4"),
        replace(seen, link="en5", identity="netns:1:en5", name="en5"),
        replace(seen, link="en6", identity="netns:1:en6", name="en6", up=False, ifindex=7),
        VpnConnected(vpn="v", client="vpnc", device="en6", ifindex=7),  # its client left it down
    )
    assert autoconnect(told.state) == (
        ConnectionOpened(id="a@en0", settings="a", link="en0", by="autoconnect"),
        ConnectionOpened(id="b@en5", settings="b", link="en5", by="autoconnect"),
    )


def test_autoconnect_leaves_alone_what_the_operator_closed_until_the_link_comes_anew() -> None:
    told = Story().hear(profile("wired", connection_type="802-3-ethernet"))
    host(told, "eth0")
    assert opened(told) == ["wired@eth0"]
    told.hear(down("wired", "eth0"))
    assert opened(told) == []
    told.hear(AttachEnded(link="eth0"), AttachStarted(link="eth0"))
    assert opened(told) == ["wired@eth0"]
    told.hear(down("wired", "eth0"), up("wired", "eth0"), down("wired", "eth0", reason="external"))
    assert opened(told) == ["wired@eth0"], "the operator's up takes the down back"


def test_autoconnect_is_for_profiles_of_our_own_unless_policy_says_otherwise() -> None:
    theirs = SettingsLoaded(settings=Settings("nm", "keyfile", "x:1", {"connection.interface-name": "eth0"}))
    assert opened(host(Story().hear(theirs), "eth0")) == []
    assert opened(host(Story(autoconnect="all").hear(theirs), "eth0")) == ["nm@eth0"]
    mine = profile(connection_interface__name="eth0")
    assert opened(host(Story(autoconnect="none").hear(mine), "eth0")) == []


def test_pvds_of_a_link_that_the_operator_closed_are_heard_and_not_placed() -> None:
    told = Story().hear(profile(), up(), ra(R1, pio(P)))
    assert len(desired(told.state).places) == 1
    told.hear(down(), profile("other"), up("other", "e1"))
    assert told.alive() == ["ra:e0/1/fe80::1"] and desired(told.state).places == (), "whatever is open on another link"
    told.hear(up("other", "e0"))
    assert len(desired(told.state).places) == 1, "another profile may be open there"
    told.hear(down("other", "e0"), up())
    assert len(desired(told.state).places) == 1


LINK = Link("e#2", "netns:1:2:1", "ethernet", 0, mac="02:00:00:00:00:0a", name="eth0", host=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, False),
        ({"connection.interface-name": "eth0"}, True),
        ({"connection.interface-name": "eth1"}, False),
        ({"match.interface-name": ["eth*", "wl*"]}, True),
        ({"match.interface-name": ["!eth0"]}, False),
        ({"match.interface-name": ["!eth1"]}, True),
        ({"match.interface-name": ["eth*", "&!eth0"]}, False),
        ({"match.interface-name": ["&eth*", "&*0"]}, True),
        ({"match.interface-name": ["|!eth0", "eth0"]}, True),
        ({"match.interface-name": ["\\!eth0"]}, False),
        ({"802-3-ethernet.mac-address": "02:00:00:00:00:0A"}, True),
        ({"match.mac-address": ["02:00:00:00:00:0b"]}, False),
        ({"connection.type": "802-3-ethernet"}, True),
        ({"connection.type": "802-11-wireless"}, False),
        ({"match.type": ["wifi"], "connection.interface-name": "eth0"}, False),
        ({"match.type": ["wifi", "ethernet"]}, True),
        ({"802-11-wireless.mac-address": "02:00:00:00:00:0a"}, True),
        ({"match.mac-address": ["02:00:00:00:00:0b"], "802-3-ethernet.mac-address": "02:00:00:00:00:0A"}, True),
        ({"802-3-ethernet.mac-address": "02:00:00:00:00:0b"}, False),
        ({"connection.type": "ethernet"}, True),
        ({"connection.type": "vlan"}, False),
        ({"match.interface-name": ["&wl*"]}, False),
        ({"match.interface-name": ["|wl*", "&eth*"]}, False),
        ({"match.interface-name": ["|eth*", "&wl*"]}, False),
        ({"match.interface-name": ["|wl*", "eth*"]}, True),
        ({"match.interface-name": ["wl*", "|eth*"]}, True),
        ({"match.interface-name": ["!wl*", "wl*"]}, False),
        ({"match.interface-name": ["&!wl*"]}, True),
        ({"match.interface-name": ["|\\!eth0"]}, False),
        ({"connection.interface-name": "eth0", "match.interface-name": ["wl*"]}, False),
        ({"connection.interface-name": "eth0", "match.mac-address": ["02:00:00:00:00:0b"]}, False),
        ({"connection.interface-name": "eth0", "connection.type": "802-11-wireless"}, False),
        ({"match.interface-name": ["\\eth*"]}, True),
        ({"match.interface-name": ["&\\eth0"]}, True),
        ({"connection.interface-name": "e#2"}, False),
    ],
)
def test_a_profile_matches_by_name_globs_mac_and_type(values: dict[str, Value | list[str]], expected: bool) -> None:
    assert matches(Settings("p", "toml", "", values), LINK) is expected


def test_a_condition_that_is_not_supported_keeps_a_profile_from_being_activated_by_itself() -> None:
    told = Story().hear(profile(connection_interface__name="eth0", match_unsupported=["Driver"]))
    assert opened(host(told, "eth0")) == []


# Files that cannot be read


def test_a_rejected_file_is_shown_until_it_is_read_or_gone_and_leaves_the_profile_as_it_was() -> None:
    told = Story().hear(fixed(), up())
    told.hear(SettingsRejected(origin="/etc/pvd/home.toml:7", source="toml", rule="syntax", text="no closing quote"))
    assert told.alive() == ["static:home"] and "/etc/pvd/home.toml" in told.state.intent.refused
    assert "home.toml:7" in told.findings()["settings-rejected"].text
    told.hear(fixed())
    assert not told.state.intent.refused
    told.hear(SettingsRejected(origin="/etc/pvd/new.toml:1", source="toml", rule="syntax"))
    told.hear(SettingsRemoved(id="", origin="/etc/pvd/new.toml"))
    assert not told.state.intent.refused and "home" in told.state.settings


def edits(told: Story) -> list[tuple[object, ...]]:
    """All of a profile's history: cause, phases, and which values came, went and changed."""
    lines = []
    for one in told.history():
        if one.subject != "settings:home":
            continue
        assert (one.pvd, one.link, one.epoch, one.host, one.version) == ("", "", 0, "", 0)
        assert one.because == one.seq and told.journal.record(one.seq).at == one.at  # type: ignore[union-attr]
        lines.append((one.cause, one.phase_before, one.phase, one.added, one.removed, one.changed))
    return lines


def test_a_profile_from_its_first_line_to_its_last() -> None:
    told = Story().at(1).hear(profile(ipv4_dns=["192.0.2.53", "192.0.2.54"], ipv4_never__default=True))
    first = told.journal.last_seq()
    told.at(2).hear(profile(ipv4_dns=["192.0.2.53"], ipv4_never__default=True, connection_type="vlan"))
    assert told.state.intent.known["home"] == Known(first, first + 1, told.now)
    told.at(3).hear(profile(ipv4_dns=["192.0.2.53"], ipv4_never__default=True, connection_type="vlan"))
    told.at(4).hear(SettingsRemoved(id="home"), SettingsRemoved(id="home"))
    assert "home" not in told.state.intent.known and "home" not in told.state.settings
    both, one = ("value", "ipv4.dns", (("192.0.2.53", "192.0.2.54"),)), ("value", "ipv4.dns", (("192.0.2.53",),))
    never, kind = ("value", "ipv4.never-default", (True,)), ("value", "connection.type", ("vlan",))
    assert edits(told) == [
        ("loaded", "", "loaded", (both, never), (), ()),
        ("edited", "loaded", "loaded", (kind,), (), ((both, one),)),
        ("removed", "loaded", "removed", (), (kind, one, never), ()),
    ]


def test_values_stand_in_history_as_they_can_be_written() -> None:
    told = Story().hear(profile(user_a=1.5, user_b=None, user_c=3, user_d=False, user_e="x"))
    ((_, _, _, added, _, _),) = edits(told)
    assert added == tuple(
        ("value", f"user.{key}", (value,)) for key, value in zip("abcde", ("1.5", None, 3, False, "x"), strict=True)
    )


def test_what_was_closed_stays_closed_until_its_profile_is_another() -> None:
    told = Story().hear(profile(), profile("other"), up(), up("other", "e1"), down(), down("other", "e1"))
    told.hear(profile())
    assert set(told.state.intent.blocked) == {("home", "e0"), ("other", "e1")}
    told.hear(profile(ipv4_dns=["192.0.2.53"]))
    assert set(told.state.intent.blocked) == {("other", "e1")}
    told.hear(down("home"), up("home"), down("home"), SettingsRemoved(id="other"))
    assert set(told.state.intent.blocked) == {("home", "e0")}


def test_what_was_refused_is_known_by_its_file() -> None:
    said = SettingsRejected(origin="/etc/pvd/home.toml:7", source="toml", rule="syntax", text="no closing quote")
    told = Story().hear(said, SettingsRejected(origin="a:b", source="keyfile", rule="encoding"))
    told.hear(SettingsRejected(origin="/etc/x:y:3", source="toml", rule="syntax"))
    assert "/etc/x:y" in told.state.intent.refused, "of a name with a colon in it"
    told.hear(SettingsRemoved(id="", origin="/etc/x:y"))
    last = told.journal.last_seq()
    assert dict(told.state.intent.refused) == {
        "/etc/pvd/home.toml": Unread(said.origin, "toml", "syntax", "no closing quote", last - 3),
        "a:b": Unread("a:b", "keyfile", "encoding", "", last - 2),
    }
    found = {about: one.text for (code, _, about), one in told.state.findings.items() if code == "settings-rejected"}
    assert found == {
        "/etc/pvd/home.toml": "/etc/pvd/home.toml:7 can't be read: no closing quote",
        "a:b": "a:b can't be read: encoding",
        "/etc/x:y": "/etc/x:y:3 can't be read: syntax",
    }
    told.hear(profile())
    assert set(told.state.intent.refused) == {"a:b"}, "its file is read again"


# Checkpoints


def checkpointed() -> Story:
    told = Story().hear(fixed(), profile("other"), up(), ra(R1, pvd("x.example.")), PvdPinned(pvd=X))
    return told.at(10).hear(CheckpointCreated(id="k", until=START + 70 * SECOND))


def changed(told: Story) -> Story:
    return told.at(20).hear(
        fixed(**{"ipv4.gateway": "192.0.2.99"}), down(), profile("new"), SettingsRemoved(id="other"), up("new", "e1")
    )


@pytest.mark.covers("feat:F5")
def test_rollback_says_again_what_was_and_leaves_the_change_in_the_journal() -> None:
    told = checkpointed()
    before = told.state
    changed(told)
    told.at(30).hear(*rollback(told.journal, told.state))
    assert told.state.settings == before.settings
    assert {id for id, one in told.state.connections.items() if one.phase == "active"} == {"home@e0"}
    assert "0.0.0.0/0 via 192.0.2.1" in told.keys("static:home", "route")
    assert told.state.intent.checkpoint is None and told.pvd(X).pinned
    assert turns(told)[-3:] == [("operator", "closed"), ("opened", "activating"), ("arrived", "active")]
    assert (connection(told, "new@e1").phase, connection(told, "new@e1").reason) == ("closed", "rollback")
    assert rollback(told.journal, told.state) == ()


def test_what_a_rollback_says_is_in_order_and_of_what_is_ours_alone() -> None:
    told = Story().hear(profile("s"), up("s"))  # it is open before and after
    told.hear(profile("a"), profile("b"), profile("c"), up("a"), up("b", "e1", by="autoconnect"))
    told.hear(up("c", "e1", by="external"), ra(R1, pvd("x.example."), pvd("y.example.")), PvdPinned(pvd=X))
    told.at(10).hear(CheckpointCreated(id="k", until=START + 70 * SECOND))
    made = Checkpoint("k", told.journal.last_seq(), told.now, START + 70 * SECOND)
    assert told.state.intent.checkpoint == made
    told.at(20).hear(PvdUnpinned(pvd=X), ra(R1, pvd("y.example.")), PvdPinned(pvd=Y), SettingsRemoved(id="a"))
    told.hear(profile("b", ipv4_dns=["192.0.2.53"]), profile("d"), up("d"), up("c"), up("e", "e1", by="external"))
    told.hear(down("b", "e1"), down("c", "e1", reason="external"))
    assert rollback(told.journal, told.state, "deadline") == (
        ConnectionClosed(id="c@e0", reason="rollback"),
        ConnectionClosed(id="d@e0", reason="rollback"),
        SettingsRemoved(id="d"),
        profile("a"),
        profile("b"),
        ConnectionOpened(id="a@e0", settings="a", link="e0", by="operator"),
        ConnectionOpened(id="b@e1", settings="b", link="e1", by="autoconnect"),
        PvdPinned(pvd=X),
        PvdUnpinned(pvd=Y),
        CheckpointRolledBack(id="k", reason="deadline"),
    )
    told.hear(LinkGone(link="e1"))
    said = rollback(told.journal, told.state)
    assert said[-1] == CheckpointRolledBack(id="k", reason="operator")
    assert [one.id for one in said if isinstance(one, ConnectionOpened)] == ["a@e0"], "where its link still is"
    assert told.at(70).state.intent.checkpoint == replace(made, due=True)


def test_a_checkpoint_comes_due_by_itself_at_its_deadline() -> None:
    told = changed(checkpointed())
    assert told.engine.wake_at() == START + 70 * SECOND
    told.at(69)
    assert told.state.intent.checkpoint is not None and not told.state.intent.checkpoint.due
    told.at(70)
    assert told.state.intent.checkpoint.due
    assert snapshot.decode(snapshot.encode(told.state)).intent.checkpoint == told.state.intent.checkpoint


def test_a_checkpoint_whose_deadline_has_passed_already_is_due_at_once() -> None:
    told = Story().at(70).hear(CheckpointCreated(id="k", until=START + 70 * SECOND))
    assert told.state.intent.checkpoint == Checkpoint("k", told.state.seq, told.now, told.now, due=True)
    assert told.engine.wake_at() == NEVER


def test_committed_is_committed() -> None:
    told = changed(checkpointed()).hear(CheckpointCommitted(id="k"))
    assert told.state.intent.checkpoint is None and rollback(told.journal, told.state) == ()
    told.at(100)
    assert "new" in told.state.settings and connection(told).phase == "closed"
    told.hear(CheckpointCreated(id="k2", until=NEVER)).at(10**6)
    assert told.state.intent.checkpoint is not None and not told.state.intent.checkpoint.due
    told.hear(CheckpointCommitted(id="k"))
    assert told.state.intent.checkpoint is not None, "another one's commit"


def test_a_place_has_one_name_for_an_attachment() -> None:
    told = Story().hear(fixed(), up())
    assert desired(told.state).places[0].netns == place_name("static:home", "e0", 1)
