"""Bounds (standards.md D.3): at the bound all holds, one more is refused and said, and a withdrawal always counts."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from events.frames import FramesRefused
from events.ids import SECOND, Instant
from events.router import EncryptedDns, NdOption, RouterAdvertised
from pvdcore.policy import BY_NAME
from pvdcore.routers.bounds import Bounds
from pvdcore.state import State
from tests.sim.build import R1, R2, R3, START, Story, dhcp6, dns, pio, pref64, pvd, ra, rio, search

X = "fqdn:x.example."
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"


def _dnr(number: int) -> NdOption:
    return EncryptedDns(number + 1, f"n{number}.example.", (f"2001:db8::{number:x}",), (), 1800, 64)


ITEMS: dict[str, tuple[str, Callable[[int], NdOption]]] = {
    "prefixes_max": ("prefix", lambda number: pio(f"2001:db8:{number:x}::/64")),
    "routes_max": ("route", lambda number: rio(f"2001:db8:{number:x}::/48")),
    "pref64_max": ("pref64", lambda number: pref64(f"2001:db8:{number:x}::/96")),
    "dnr_max": ("encrypted_dns", _dnr),
}
EVICTED: dict[str, Callable[[int, int], NdOption]] = {
    "dns": lambda number, life: dns(f"2001:db8::{number:x}", life=life),
    "search": lambda number, life: search(f"n{number}.example.", life=life),
}


@pytest.mark.covers("feat:R3")
@pytest.mark.parametrize("knob", sorted(ITEMS))
@pytest.mark.parametrize(("announced", "refused"), [(3, False), (4, True)], ids=["at the bound", "one more"])
def test_an_instance_holds_as_many_items_as_its_bound(knob: str, announced: int, refused: bool) -> None:
    kind, make = ITEMS[knob]
    told = Story(**{knob: 3}).hear(ra(R1, pvd("x.example.", *[make(number) for number in range(announced)])))
    assert len(told.keys(X, kind)) == 3
    assert ("too-many-items" in told.findings()) == refused
    if refused:
        assert f"kind {kind} than policy {knob} allows" in told.findings()["too-many-items"].text
        told.at(60).hear(ra(R1, pvd("x.example.", *[make(number) for number in range(3)])))
        assert len(told.keys(X, kind)) == 3, "what is held is refreshed"


@pytest.mark.covers("feat:R3")
def test_the_bound_is_the_instances_and_not_each_routers() -> None:
    told = Story(prefixes_max=2).hear(ra(R1, pvd("x.example.", pio(P))), ra(R2, pvd("x.example.", pio(Q))))
    assert "too-many-items" not in told.findings()
    told.hear(ra(R3, pvd("x.example.", pio(P), pio("2001:db8:3::/64"))))
    assert told.keys(X, "prefix") == [P, Q], "a prefix that another router announced too takes no room"
    assert "too-many-items" in told.findings()
    other = Story(prefixes_max=2).hear(ra(R1, pvd("x.example.", pio(P), pio(Q))), ra(R1, pio("2001:db8:3::/64")))
    assert "too-many-items" not in other.findings(), "another PvD has its own bound"
    kinds = Story(rdnss_max=2).hear(
        ra(R2, pvd("x.example.", pio(P), pio(Q))), ra(R1, pvd("x.example.", dns("::a", "::b")))
    )
    assert "too-many-items" not in kinds.findings(), "and so has another kind"


@pytest.mark.covers("rfc:D04", "feat:R3")
@pytest.mark.parametrize("kind", sorted(EVICTED))
def test_of_resolvers_and_names_the_first_to_expire_makes_way(kind: str) -> None:
    make = EVICTED[kind]
    told = Story(rdnss_max=2).hear(ra(R1, make(1, 900)), ra(R1, make(2, 300)))
    assert "too-many-items" not in told.findings()
    told.hear(ra(R1, make(3, 600)))
    kept = told.keys("ra:e0/1/fe80::1", kind)
    assert len(kept) == 2 and not any("2" in key.replace("2001:db8", "") for key in kept)
    even = Story(rdnss_max=2).hear(ra(R1, make(2, 300)), ra(R1, make(1, 300)), ra(R1, make(3, 600)))
    left = even.keys("ra:e0/1/fe80::1", kind)
    assert len(left) == 2 and not any("1" in key.replace("2001:db8", "") for key in left), "ties: by key"
    old = Story(rdnss_max=2).hear(ra(R1, make(1, 600))).at(500).hear(ra(R1, make(2, 200))).hear(ra(R1, make(3, 600)))
    left = old.keys("ra:e0/1/fe80::1", kind)
    assert len(left) == 2 and not any("1" in key.replace("2001:db8", "") for key in left), "what is left of it counts"


@pytest.mark.covers("feat:R3")
@pytest.mark.parametrize("knob", sorted(ITEMS))
def test_a_withdrawal_counts_in_a_full_table_and_makes_room_for_what_comes_with_it(knob: str) -> None:
    kind, make = ITEMS[knob]
    gone = {
        "prefix": pio("2001:db8:0::/64", 0, 0),
        "route": rio("2001:db8:0::/48", 0),
        "pref64": pref64("2001:db8:0::/96", 0),
        "encrypted_dns": EncryptedDns(1, "n0.example.", ("2001:db8::0",), (), 0, 64),
    }[kind]
    told = Story(**{knob: 2}).hear(ra(R1, make(0), make(1)))
    held = told.keys("ra:e0/1/fe80::1", kind)
    told.hear(ra(R1, make(2), gone))  # what is withdrawn stands last, and counts first
    now = told.keys("ra:e0/1/fe80::1", kind)
    assert len(now) == 2 and held[0] not in now and held[1] in now
    assert "too-many-items" not in told.findings()


@pytest.mark.covers("feat:R3")
@pytest.mark.parametrize(("knob", "code"), [("pvds_per_link_max", "too-many-pvds"), ("pvds_max", "too-many-pvds")])
def test_pvds_at_the_bound_and_one_more(knob: str, code: str) -> None:
    told = Story(**{knob: 2}).hear(ra(R1, pvd("x.example.")), ra(R1, pvd("y.example.")))
    assert code not in told.findings() and len(told.alive()) == 2
    told.hear(ra(R1, pvd("z.example.")), ra(R2, pvd("x.example.", pio(P))))
    assert code in told.findings() and "fqdn:z.example." not in told.state.pvds
    assert told.keys(X, "prefix") == [P], "one that lives is never displaced, and goes on"
    told.hear(ra(R1, pvd("y.example."), life=0), ra(R1, pvd("z.example.")))
    assert "fqdn:z.example." in told.alive(), "room that was freed is used"


@pytest.mark.covers("feat:R3")
def test_routers_at_the_bound_and_one_more() -> None:
    told = Story(routers_per_link_max=2).hear(ra(R1), ra(R2))
    assert "too-many-routers" not in told.findings()
    told.hear(ra(R3)).at(600).hear(ra(R1), ra(R2, life=0), ra(R3))
    assert told.alive() == ["ra:e0/1/fe80::1", "ra:e0/1/fe80::3"], "a withdrawal made room"
    assert told.findings()["too-many-routers"].count == 1


@pytest.mark.covers("feat:R3")
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("too-many-routers", (ra(R1), ra(R2), ra(R3))),
        ("too-many-pvds", (ra(R1, pvd("x.example.")), ra(R1, pvd("y.example.")), ra(R1, pvd("z.example.")))),
        ("too-many-items", (ra(R1, pvd("x.example.", *(rio(f"2001:db8:{one}::/48") for one in range(3)))),)),
    ],
)
def test_what_is_refused_is_told_once_an_attachment_and_counted(code: str, said: tuple[RouterAdvertised, ...]) -> None:
    told = Story(routers_per_link_max=2, pvds_per_link_max=2, routes_max=2).hear(*said)
    first = told.findings()[code]
    told.at(5).hear(replace(said[-1], mac="02:00:00:00:00:99"))
    assert told.findings()[code] == replace(first, count=2), "told once, counted each time"
    told.at(10).attach().hear(*said)
    again = told.findings()[code]
    assert (again.count, again.epoch) == (1, 2) and again.because > first.because, "another network, told anew"


@pytest.mark.covers("feat:R3")
def test_questions_at_the_bound_and_one_more() -> None:
    told = Story(exchanges_max=2)
    for xid in (1, 2, 3):
        told.hear(dhcp6("SOLICIT", xid=xid))
    assert [slot.split()[1] for slot, _ in told.state.links["e0"].asks] == ["000002", "000003"]


def test_every_bound_is_a_knob_with_a_row_and_a_reason() -> None:
    bounds = [name for name in BY_NAME if name.endswith("_max") or name.startswith("bucket_")]
    assert len(bounds) >= 12
    assert all(BY_NAME[name].rows and BY_NAME[name].doc and BY_NAME[name].default for name in bounds)


@pytest.mark.covers("feat:R3")
def test_the_same_flood_always_leaves_the_same() -> None:
    def flooded() -> State:
        told = Story(rdnss_max=3, routers_per_link_max=5)
        for number in range(40):
            told.hear(ra(f"fe80::{number:x}", dns(f"2001:db8::{number % 7:x}", life=100 + number % 3)))
        return told.state

    assert flooded() == flooded()


# The bucket for strangers, live only


def strangers(count: int, link: str = "e0") -> list[RouterAdvertised]:
    return [ra(f"fe80::bad:{number:x}", link=link) for number in range(count)]


def admitted(bounds: Bounds, told: Story, at: Instant, *said: RouterAdvertised) -> list[bool]:
    refusals = [bounds.refuses(one, at, told.state) for one in said]
    assert set(refusals) <= {"", "rate"}
    return [not one for one in refusals]


@pytest.mark.covers("feat:R3")
def test_strangers_get_in_while_there_are_tokens() -> None:
    told, bounds = Story(bucket_frames=3, bucket_rate=2), Bounds()
    assert admitted(bounds, told, START, *strangers(5)) == [True, True, True, False, False]
    late = [(SECOND // 2 - 1, False), (SECOND // 2, True), (SECOND // 2 + 1, False), (SECOND, True)]
    assert [admitted(bounds, told, START + after, ra(R1)) for after, _ in late] == [[good] for _, good in late]
    rested = START + 3600 * SECOND
    assert admitted(bounds, told, rested, ra(R1)) == [True]
    assert admitted(bounds, told, START, *strangers(3)) == [True, True, False], "filled no further than it is deep"
    assert admitted(bounds, told, START + 1800 * SECOND, ra(R1)) == [False], "a clock that goes back fills nothing"
    assert admitted(bounds, told, rested, *strangers(4, "e1")) == [True] * 3 + [False], "each link has its own"


@pytest.mark.covers("feat:R3")
def test_a_flood_that_never_pauses_leaves_as_much_as_the_rate() -> None:
    told, bounds = Story(bucket_frames=3, bucket_rate=2), Bounds()
    let_in = [ms for ms in range(2000) if admitted(bounds, told, START + ms * SECOND // 1000, ra(R1))[0]]
    assert let_in == [0, 1, 2, 500, 1000, 1500], "no fraction of a token is lost, and none counts twice"


@pytest.mark.covers("feat:R3")
def test_a_router_that_is_held_never_shares_the_strangers_bucket() -> None:
    told, bounds = Story(bucket_frames=1, bucket_rate=1).hear(ra(R1, pio(P))), Bounds()
    gone = ra(R1, pio(P, 0, 0))
    assert admitted(bounds, told, told.now, gone, *strangers(2)) == [True, True, False], "it costs nothing"
    assert admitted(bounds, told, told.now, gone) == [True], "not even a withdrawal is lost"
    elsewhere = ra(R1, pio(P), link="e1")
    assert admitted(bounds, told, told.now, elsewhere, elsewhere) == [True, False], "on another link it is a stranger"


@pytest.mark.covers("feat:R3")
def test_what_was_refused_is_one_record_which_the_fold_counts() -> None:
    said = FramesRefused(link="e0", rule="rate", count=5, first=START + 1, last=START + 5)
    told = Story().hear(said, said)
    assert (told.state.rejected["rate"].count, told.state.rejected["rate"].first) == (10, 4)
    assert told.alive() == [] and told.refolded() == told.state
