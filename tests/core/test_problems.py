"""How PvDs are represented: the problems that earlier work named (NetworkManager's and mif-pvdman's), each with what
this program does about it.

Law: a test names its problem (`problem:N`); those that concern settings are in test_connections.py.
"""

import ast
from pathlib import Path

import msgspec
import pytest

import replay.shown.report as report
from adapters.ingest import translate
from events.codec import AnyEvent
from events.ids import SECOND
from events.link import AddressSeen, DadFailed
from events.operator import ConnectionOpened, Settings, SettingsLoaded
from events.record import Provenance, Record
from events.router import IgnoredOption, MifContainer, RouterAdvertised
from pvdcore.domains.pvds import KINDS
from pvdcore.host.addresses import wanted_identifiers
from pvdcore.past.snapshot import encode
from pvdcore.policy import DEFAULT
from pvdcore.projections.desired import desired
from pvdcore.projections.plan import Have, plan
from pvdcore.reduce import reduce
from pvdcore.state import State
from tests.sim import build
from tests.sim.build import CLIENT, R1, R2, START, Story, container, dns, mtu, pio, pvd, ra, rio
from tests.wire import packets

X, Y = "fqdn:x.example.", "fqdn:y.example."
I1, I2 = "ra:e0/1/fe80::1", "ra:e0/1/fe80::2"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
UUID = "00112233-4455-6677-8899-aabbccddeeff"
CORE = Path(__file__).parent.parent.parent / "pvdcore"


@pytest.mark.covers("problem:1")
def test_an_ra_gives_a_pvd_and_a_lease_gives_a_pvd_and_the_hosts_own_instance() -> None:
    told = Story().hear(ra(R1, pio(P)))
    assert [one.host for one in told.instances(I1)] == [""], "what all hosts share, and nothing of any host"
    assert told.has() == {} and told.keys(I1, "address") == []
    told.chooses("a")
    assert list(told.has()) == ["2001:db8:1::a"], "the host's part comes from the host"
    leased = Story().leases4()
    (instance,) = leased.instances("if:e0/1")
    assert (instance.host, leased.keys("if:e0/1", "address")) == (CLIENT, ["192.0.2.10/24"])


@pytest.mark.covers("problem:2")
def test_each_source_of_an_implicit_pvd_has_its_own_kind_of_key() -> None:
    profile = SettingsLoaded(settings=Settings("home", "toml", "", {"ipv4.addresses": ["192.0.2.9/24"]}))
    told = Story(fallback="protocol").hear(profile, ConnectionOpened(id="home@e0", settings="home", link="e0"))
    told.leases4(link="e1")
    told.hear(ra(R1), ra(R1, link="e1", mac="02:00:00:00:01:01"))
    kinds = {id: (told.pvd(id).kind, told.pvd(id).source) for id in told.alive()}
    assert kinds == {
        I1: ("implicit", "ra"),
        "ra:e1/1/fe80::1": ("implicit", "ra"),
        "static:home": ("implicit", "static"),
    }, "one for each router and link, though the routers have one address"
    assert told.pvd("dhcp4:e1/1/192.0.2.1").phase == "gone", "the lease went to the router's PvD"
    sources = {source for kind, source in KINDS.values() if kind == "implicit"}
    assert sources == {"ra", "link", "dhcp4", "dhcp6", "static"}
    # The fourth of the seed's four, a VPN, has a key of its own, too; later standards call its name explicit (P69).
    assert KINDS["vpn"] == ("explicit", "vpn")


@pytest.mark.covers("problem:3")
def test_an_id_is_a_tag_and_a_key_and_equal_keys_of_two_tags_are_two_pvds() -> None:
    dotted = f"{UUID}."
    profile = SettingsLoaded(settings=Settings(UUID, "toml", "", {"ipv4.addresses": ["192.0.2.9/24"]}))
    told = Story().hear(profile, ConnectionOpened(id="c", settings=UUID, link="e1"))
    told.hear(ra(R1, container(UUID, pio(P))), ra(R2, pvd(dotted, pio(Q))))
    named = [id for id in told.alive() if UUID in id]
    assert named == [f"fqdn:{dotted}", f"static:{UUID}", f"uuid:{UUID}"]
    assert {told.pvd(id).source for id in named} == {"ra", "static", "mif"}
    assert told.keys(f"uuid:{UUID}", "prefix") == [P] and told.keys(f"fqdn:{dotted}", "prefix") == [Q]


@pytest.mark.covers("problem:13")
def test_pvds_are_made_by_a_pure_function_and_not_by_objects() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P))))
    record = Record(told.state.seq + 1, START + SECOND, 1, Provenance(), ra(R2, pvd("y.example.")))
    before = encode(told.state)
    first, second = reduce(told.state, record), reduce(told.state, record)
    assert encode(first) == encode(second) and Y in first.pvds
    assert encode(told.state) == before and Y not in told.state.pvds, "the State it was given is as it was"
    for path in CORE.rglob("*.py"):
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {one.name.split(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
        assert names.isdisjoint({"os", "socket", "time", "random", "asyncio", "threading", "uuid", "logging"}), path


@pytest.mark.covers("problem:14", part="negative")
def test_a_failed_detection_changes_what_is_had_and_nothing_of_what_was_said() -> None:
    told = Story().hear(ra(R1, pio(P))).chooses("a")
    said, wished = told.origin(I1, R1), desired(told.state)
    assert [one.address for place in wished.places for one in place.addresses] == ["2001:db8:1::a/64"]
    told.hear(AddressSeen(link="e0", address="2001:db8:1::a/64"), DadFailed(link="e0", address="2001:db8:1::a"))
    after = told.origin(I1, R1)
    assert said is not None and after is not None and after.header == said.header
    announced = [one for one in said.held if one.kind != "address"]
    assert [one for one in after.held if one.kind != "address"] == announced, "observed: what the RA said still stands"
    assert [one.address for place in desired(told.state).places for one in place.addresses] == [], "desired: not this"
    (wanted,) = wanted_identifiers(told.state)
    assert wanted.dad_counter == 1, "actual: another identifier is to be tried"


@pytest.mark.covers("problem:16")
def test_each_kind_of_thing_can_be_listed_and_is_what_the_log_folds_to() -> None:
    profile = SettingsLoaded(settings=Settings("home", "toml", "", {"ipv4.addresses": ["192.0.2.9/24"]}))
    told = Story().hear(profile, ConnectionOpened(id="home@e0", settings="home", link="e0"), ra(R1, pio(P)))
    told.at(10).hear(ra(R1, life=0)).hear(ra(R2))
    shown, folded = report.state_document(told.state), report.state_document(told.refolded())
    assert msgspec.json.encode(shown) == msgspec.json.encode(folded)
    assert [one.id for one in shown.pvds] == sorted(told.state.pvds), "those that ended too"
    assert [one.id for one in shown.settings] == ["home"] and [one.id for one in shown.connections] == ["home@e0"]
    assert [one.link for one in shown.links] == ["e0", "e1"]
    (alone,) = report.state_document(told.state, only=lambda one: one.id == "static:home").pvds
    assert [one.address for one in alone.instances[0].addresses] == ["192.0.2.9/24"], "and each be had by its id"


LOG: tuple[AnyEvent, ...] = (
    ra(R1, pio(P), dns("2001:db8::1"), rio("2001:db8:a::/48"), mac="02:00:00:00:01:01"),
    ra(R2, pio(P), pio(Q), dns("2001:db8::2", "2001:db8::1"), mtu(1400), mac="02:00:00:00:01:02"),
    ra(R1, pvd("x.example.", pio(P)), mac="02:00:00:00:01:01"),
    ra(R2, pvd("x.example.", dns("2001:db8::3")), mac="02:00:00:00:01:02"),
)


def contents(told: Story) -> dict[str, set[tuple[object, ...]]]:
    """What each PvD holds."""
    return {
        id: {item for _, one in told.pvd(id).instances for item in one.content if item[0] != "flags"}
        for id in told.alive()
    }


@pytest.mark.covers("problem:17")
def test_without_a_routers_contribution_it_is_as_if_it_had_never_spoken() -> None:
    told = Story().hear(*LOG)
    ended = ra(R1, pio(P, 0, 0), rio("2001:db8:a::/48", 0), dns("2001:db8::1", life=0), life=0)
    told.hear(ended, ra(R1, pvd("x.example.", pio(P, 0, 0)), life=0))
    others = Story().hear(*(one for one in LOG if isinstance(one, RouterAdvertised) and one.router != R1))
    assert contents(told) == contents(others)
    assert set(contents(Story().hear(*LOG))) == {I1, I2, X}, "and it had been there"


@pytest.mark.covers("problem:18")
def test_two_routers_of_a_link_keep_what_each_says() -> None:
    told = Story().hear(ra(R1, mtu(1400), dns("2001:db8::1"), hop=10), ra(R2, mtu(1500), dns("2001:db8::2"), hop=64))
    for id, octets, server, hops in ((I1, 1400, "2001:db8::1", 10), (I2, 1500, "2001:db8::2", 64)):
        assert told.holdings(id, "mtu") == {"mtu": (octets,)}
        assert told.keys(id, "dns") == [server]
        assert list(told.holdings(id, "hop_limit").values()) == [(hops,)]


@pytest.mark.covers("problem:19")
def test_many_pvds_of_one_ra_or_of_one_router_are_grouped_by_option_then_by_source() -> None:
    other = "00112233-4455-6677-8899-aabbccddee00"
    told = Story().hear(ra(R1, pio(P), container(UUID, dns("2001:db8::1")), container(other, dns("2001:db8::2"))))
    assert told.alive() == [I1, f"uuid:{other}", f"uuid:{UUID}"], "several in one RA"
    told = Story().hear(ra(R1, pvd("x.example.")), ra(R1, pvd("y.example.")), ra(R1), ra(R2, pvd("x.example.")), ra(R2))
    assert told.alive() == [X, Y, I1, I2], "several RAs of one router, each by its option, then by who spoke"
    (shared,) = told.instances(X)
    assert shared.origins == (R1, R2)


@pytest.mark.covers("problem:22")
@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (pvd("x.example."), pvd("x.example."), True),
        (pvd("x.example."), pvd("y.example."), False),
        (container(UUID), container(UUID.upper().lower()), True),
        (container(UUID), pvd(f"{UUID}."), False),
        (dns("2001:db8::1"), dns("2001:db8::2"), True),
        (dns("2001:db8::1"), pvd("x.example."), False),
    ],
)
def test_what_is_heard_goes_to_the_pvd_of_its_explicit_id_else_of_its_key_else_to_a_new_one(
    first: build.NdOption, second: build.NdOption, same: bool
) -> None:
    told = Story().hear(ra(R1, first))
    known = set(told.state.pvds)
    told.hear(ra(R1, second))
    assert (set(told.state.pvds) == known) is same


@pytest.mark.covers("problem:22")
def test_a_name_is_one_pvd_in_whatever_case_it_is_sent() -> None:
    told = Story()
    for said in ("PvD.Example.coM", "pvd.example.com"):
        (event,) = translate(packets.ra(packets.pvd(packets.name(said))))
        assert isinstance(event, RouterAdvertised)
        told.hear(event)
    assert told.alive() == ["fqdn:pvd.example.com."]


@pytest.mark.covers("problem:23")
def test_an_id_of_an_unknown_type_is_kept_and_shown_and_makes_no_pvd() -> None:
    inside = packets.rdnss("2001:db8::1")
    (event,) = translate(packets.ra(packets.mif(packets.mif_id(id_type=9), inside)))
    assert isinstance(event, RouterAdvertised)
    inner = [more for one in event.options if isinstance(one, MifContainer) for more in one.options]
    odd = [one for one in (*event.options, *inner) if isinstance(one, IgnoredOption)]
    assert odd and any(one.data for one in odd), "its octets are in the record"
    told = Story().hear(event)
    assert not [id for id in told.alive() if id.startswith("uuid:")]
    assert told.alive() == [f"ra:if0/1/{packets.ROUTER}"], "the RA itself is used"
    fqdn = Story().hear(ra(R1, pvd("x.example.")))
    assert fqdn.alive() == [X], "a typed id, a name first"


@pytest.mark.covers("problem:24")
def test_the_same_payload_in_a_container_and_in_a_pvd_option_is_grouped_as_each_standard_has_it() -> None:
    told = Story().hear(ra(R1, dns("2001:db8::1"), container(UUID, pio(P))))
    assert told.keys(I1, "dns") == ["2001:db8::1"] and told.keys(f"uuid:{UUID}", "prefix") == [P]
    assert told.keys(f"uuid:{UUID}", "dns") == [], "MIF: container and outer data are PvDs of their own"
    told = Story().hear(ra(R1, dns("2001:db8::1"), pvd("x.example.", pio(P))))
    assert told.alive() == [X] and told.keys(X, "dns") == ["2001:db8::1"] and told.keys(X, "prefix") == [P]
    kinds = [type(one).__name__ for one in told.state.speakers["e0", R1][0].event.options]
    assert kinds == ["Rdnss", "PvdOption"], "and the event says which it was"


@pytest.mark.covers("problem:25")
def test_the_default_view_of_the_host_is_left_as_it_is() -> None:
    assert DEFAULT.word("projection") == "none", "nothing is written unless somebody asks for it"
    told = Story().hear(ra(R1, pio(P), dns("2001:db8::1")), ra(R2, pvd("x.example.", pio(Q))))
    ops = plan(desired(told.state), Have()).ops
    assert ops and all(op.netns.startswith("pvd-") for op, _ in ops), "what is written stands in places of our own"
    assert reduce(State(), Record(1, START, 1, Provenance(), ra(R1))).pvds
