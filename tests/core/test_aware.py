"""How a host that knows PvDs and one that doesn't read the same network (RFC 8801 §3.3, §3.4, §5; RFC 7556 §3.3).

Law: the option's family chooses the rule. Option 21 takes the whole RA into its PvD; a MIF container makes one beside
the implicit PvD, which keeps what stands outside; an unaware host skips both with all that is in them.
"""

from itertools import permutations
from pathlib import Path

import pytest

from events.router import NdOption, RouterAdvertised
from pvdcore.domains.view import items
from pvdcore.policy import check
from pvdcore.projections.desired import desired
from pvdcore.state import State
from replay.rerun import rerun
from tests.sim.build import R1, R2, R3, Story, addresses, container, dns, header, mtu, pio, portal, pvd, ra, rio, search

CAPTURES = Path(__file__).parent.parent / "captures"
X, Y = "fqdn:x.example.", "fqdn:y.example."
I1, I2 = "ra:e0/1/fe80::1", "ra:e0/1/fe80::2"
CAFE, FOOD = "2001:db8:cafe::/64", "2001:db8:f00d::/64"
UUID = "00112233-4455-6677-8899-aabbccddeeff"


def folded(name: str, **policy: object) -> State:
    ran = rerun([str(CAPTURES / name)], policy={key: check(key, value) for key, value in policy.items()})
    return ran.state


def held(state: State, kind: str) -> dict[str, list[str]]:
    return {
        id: [one.key for cell, _ in pvd_.instances for _, one in items(state, id, cell) if one.kind == kind]
        for id, pvd_ in sorted(state.pvds.items())
    }


@pytest.mark.covers("rfc:P22", "rfc:A12", "feat:A4")
@pytest.mark.parametrize(
    "name",
    [
        path.name
        for path in sorted(CAPTURES.glob("pvd-*.pcap*"))
        if "snap" not in path.name and not path.name.endswith((".json", ".txt"))
    ],
)
def test_an_unaware_fold_of_a_capture_is_what_is_left_without_the_options(name: str) -> None:
    """Each RA of the capture folded again with options 21 and 63 cut out must give the unaware State of it whole."""
    unaware = folded(name, aware="off")
    assert not [id for id in unaware.pvds if id.startswith(("fqdn:", "uuid:"))]
    assert all(id.startswith(("ra:", "if:")) for id in unaware.pvds)
    aware = rerun([str(CAPTURES / name)])
    bare = Story(aware=True)
    for record in aware.journal.records():
        event = record.event
        if isinstance(event, RouterAdvertised):
            kept: tuple[NdOption, ...] = tuple(one for one in event.options if not _container(one))
            bare.now = record.at
            bare.hear(RouterAdvertised(link=event.link, router=event.router, header=event.header, options=kept))
    for kind in ("router", "prefix", "route", "dns", "search", "mtu", "captive_portal"):
        plain = {id: found for id, found in held(bare.state, kind).items() if id.startswith("ra:")}
        assert {id: found for id, found in held(unaware, kind).items() if id.startswith("ra:")} == plain


def _container(option: NdOption) -> bool:
    return getattr(option, "code", None) in (21, 63) or type(option).__name__ in ("PvdOption", "MifContainer")


@pytest.mark.covers("rfc:P22")
def test_unaware_nothing_nested_is_honoured_and_nothing_outside_is_lost() -> None:
    said = ra(R1, pio(CAFE), pvd("x.example.", pio(FOOD), dns("2001:db8::53"), inner=header(0), h=True), life=600)
    told = Story(aware=False).hear(said)
    assert told.alive() == [I1]
    assert (told.keys(I1, "prefix"), told.keys(I1, "dns")) == ([CAFE], [])
    assert told.ends(I1, "router", R1) == 600, "the outer header counts, not the inner one"
    assert not told.state.inquiries, "and nobody fetches"


@pytest.mark.covers("feat:A6", "feat:B3")
def test_the_family_of_the_option_chooses_the_rule() -> None:
    outside = (pio(CAFE), dns("2001:db8::1"))
    mif = Story().hear(ra(R1, *outside, container(UUID, pio(FOOD), dns("2001:db8::2"))))
    assert mif.alive() == [I1, f"uuid:{UUID}"]
    assert (mif.keys(I1, "prefix"), mif.keys(I1, "dns")) == ([CAFE], ["2001:db8::1"])
    assert (mif.keys(f"uuid:{UUID}", "prefix"), mif.keys(f"uuid:{UUID}", "dns")) == ([FOOD], ["2001:db8::2"])
    rfc = Story().hear(ra(R1, *outside, pvd("x.example.", pio(FOOD), dns("2001:db8::2"))))
    assert rfc.alive() == [X]
    assert set(rfc.keys(X, "prefix")) == {CAFE, FOOD} and set(rfc.keys(X, "dns")) == {"2001:db8::1", "2001:db8::2"}
    both = Story().hear(ra(R1, *outside, pvd("x.example.", pio(FOOD)), container(UUID, mtu(1400))))
    assert both.alive() == [X, f"uuid:{UUID}"] and set(both.keys(X, "prefix")) == {CAFE, FOOD}
    assert both.keys(f"uuid:{UUID}", "prefix") == []


@pytest.mark.covers("feat:A6")
def test_both_rules_on_captures() -> None:
    mif = held(folded("mif-container-one.pcap"), "prefix")
    implicit = [found for id, found in mif.items() if id.startswith("ra:")]
    named = [found for id, found in mif.items() if id.startswith("uuid:")]
    assert implicit and named and not {one for found in implicit for one in found} & {one for f in named for one in f}
    off = held(folded("mif-container-one.pcap", mif="off"), "prefix")
    assert not [id for id in off if id.startswith("uuid:")]
    assert [found for id, found in off.items() if id.startswith("ra:")] == implicit
    rfc = held(folded("pvd-explicit-plus-implicit.pcap"), "prefix")
    assert {id.split(":")[0] for id in rfc} == {"fqdn", "ra"}
    spoken = {id.rsplit("/", 1)[1] for id in rfc if id.startswith("ra:")}
    assert len(spoken) == 1, "the router whose RAs carry the option has no implicit PvD beside it"


# RFC 8801 §5.1-5.3


@pytest.mark.covers("rfc:P130")
def test_extra_options_for_hosts_that_know_pvds() -> None:
    said = ra(R1, pio(CAFE), pvd("example.org.", dns("2001:db8:cafe::53", "2001:db8:f00d::53"), pio(FOOD)), life=6000)
    told = Story().hear(said)
    assert told.alive() == ["fqdn:example.org."]
    assert set(told.holdings("fqdn:example.org.")) == {R1, CAFE, FOOD, "2001:db8:cafe::53", "2001:db8:f00d::53"}
    assert told.ends("fqdn:example.org.", "router", R1) == 6000
    assert set(Story(aware=False).hear(said).holdings(I1)) == {R1, CAFE}


FOO, BAR = "fqdn:foo.example.org.", "fqdn:bar.example.org."


def foo(*, inner: bool = True) -> RouterAdvertised:
    option = pvd("foo.example.org.", inner=header(0) if inner else None)
    return ra(R1, pio(CAFE), dns("2001:db8:cafe::53", life=6000), option, life=6000)


def bar() -> RouterAdvertised:
    option = pvd("bar.example.org.", pio(FOOD), dns("2001:db8:f00d::53", life=1600), inner=header(1600))
    return ra(R2, option, life=0)


@pytest.mark.covers("rfc:P131", "rfc:P137")
def test_separate_ras_for_hosts_that_know_pvds_and_those_that_do_not() -> None:
    told = Story().hear(foo(), bar())
    assert told.alive() == [BAR, FOO]
    assert set(told.holdings(FOO)) == {CAFE, "2001:db8:cafe::53"}, "no router in foo, its prefix stays on-link"
    assert set(told.holdings(BAR)) == {FOOD, R2, "2001:db8:f00d::53"}
    assert told.ends(BAR, "router", R2) == 1600
    ways = {
        place.pvd: ([(one.destination, one.via) for one in place.routes], place.servers)
        for place in desired(told.state).places
    }
    assert ways[FOO] == ([(CAFE, None)], ("2001:db8:cafe::53",)), "past the first hop nothing goes from cafe"
    assert ways[BAR] == ([(FOOD, None), ("::/0", R2)], ("2001:db8:f00d::53",))
    unaware = Story(aware=False).hear(foo(), bar())
    assert unaware.alive() == [I1] and set(unaware.holdings(I1)) == {R1, CAFE, "2001:db8:cafe::53"}


@pytest.mark.covers("rfc:P132")
def test_two_pvds_that_both_have_a_router() -> None:
    told = Story().hear(foo(inner=False), bar())
    assert (told.keys(FOO, "router"), told.keys(BAR, "router")) == ([R1], [R2])


@pytest.mark.covers("rfc:P134")
def test_two_ras_from_one_address() -> None:
    told = Story().hear(ra(R1, pio(CAFE), pvd("x.example.")), ra(R1, pio(FOOD), pvd("y.example.")))
    assert told.alive() == [X, Y] and (told.keys(X, "prefix"), told.keys(Y, "prefix")) == ([CAFE], [FOOD])
    plain = Story().hear(ra(R1, pio(CAFE)), ra(R1, pio(FOOD)))
    assert plain.alive() == [I1] and plain.keys(I1, "prefix") == [CAFE, FOOD]


@pytest.mark.covers("rfc:P135")
@pytest.mark.parametrize("lost", [None, 30, 31])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_alternation_settles_after_the_first_round(order: tuple[int, int], lost: int | None) -> None:
    said = [foo(), bar()]
    told = Story()
    number = 0
    for round_ in range(100):
        for which in order:
            if number != lost:
                told.at(round_ * 100 + which).hear(said[which])
            number += 1
    assert len(told.history()) == 2, "nothing moved after the first round"
    assert set(told.holdings(FOO)) == {CAFE, "2001:db8:cafe::53"}
    assert set(told.holdings(BAR)) == {FOOD, R2, "2001:db8:f00d::53"}


# RFC 7556, part B.8, as far as a fold can show it


@pytest.mark.covers("rfc:A01", "rfc:A02")
def test_what_comes_from_one_source_is_one_pvd_and_unlabelled_words_go_to_the_implicit_one() -> None:
    whole = (
        pio(CAFE),
        rio("2001:db8:ff::/48"),
        dns("2001:db8::53"),
        search("a.example."),
        portal("https://p.example/"),
    )
    told = Story().hear(ra(R1, *whole))
    assert told.alive() == [I1] and len(told.holdings(I1)) == 6, "one PvD, not one for each type of option"
    told.hear(ra(R2, pvd("x.example.", pio(FOOD))))
    assert told.alive() == [X, I1] and told.keys(X, "dns") == []
    assert len(told.holdings(I1)) == 6, "a labelled RA beside it changes nothing"


@pytest.mark.covers("rfc:A03", "bug:12")
def test_equal_words_on_two_links_or_of_two_routers_make_two_pvds() -> None:
    told = Story().hear(ra(R1, pio(CAFE)), ra(R2, pio(CAFE)), ra(R1, pio(CAFE), link="e1"))
    assert told.alive() == [I1, I2, "ra:e1/1/fe80::1"]
    assert all(told.keys(id, "prefix") == [CAFE] for id in told.alive())


@pytest.mark.covers("rfc:A05")
def test_nothing_is_lent_from_one_pvd_to_another() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(CAFE))), ra(R2, pvd("y.example.", pio(FOOD), dns("2001:db8::53"))))
    assert told.keys(X, "dns") == [] and told.keys(Y, "dns") == ["2001:db8::53"]


@pytest.mark.covers("rfc:A06")
def test_one_pvd_may_have_both_families() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(CAFE), legacy=True))).leases4()
    assert {"192.0.2.10/24", CAFE} <= set(told.holdings(X))
    quiet = Story().leases4().asks6("INFORMATION-REQUEST", addresses(23, "2001:db8::53"))
    assert quiet.alive() == ["if:e0/1"] and {"192.0.2.53", "2001:db8::53"} <= set(quiet.keys("if:e0/1", "dns"))


@pytest.mark.covers("bug:10", "bug:11", "feat:C2")
def test_the_id_of_an_implicit_pvd_does_not_depend_on_what_is_said() -> None:
    words: tuple[NdOption, ...] = (pio(CAFE), pio("2001:db8::/48", flags="L"), mtu(1400))
    for order in permutations(words):
        assert Story().hear(ra(R3, *order)).alive() == ["ra:e0/1/fe80::3"]
    told = Story().hear(ra(R1, pio(CAFE, 60, 60)), ra(R2, pio("2001:db8::/48", flags="L")))
    assert told.alive() == [I1, I2], "equal or not: another router is another PvD"
    told.at(61).hear(ra(R1, pio(FOOD)))
    assert told.alive() == [I1, I2], "a prefix that ended, or another one, makes no other PvD"
    assert Story().hear(ra(R1, link="e1")).alive() == ["ra:e1/1/fe80::1"]
