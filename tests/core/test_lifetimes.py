"""What ends what: RFC 4861 §6.3.4, RFC 4191, RFC 8106, RFC 8781. A table of lifetime 0, and the rows beside it."""

import pytest

from events.ids import SECOND
from events.router import EncryptedDns, NdOption, ServiceParam
from pvdcore.domains.view import items
from pvdcore.past.snapshot import decode, encode
from pvdcore.projections.desired import desired
from pvdcore.reduce import next_deadline
from pvdcore.state import because
from tests.sim.build import (
    R1,
    R2,
    R3,
    START,
    Story,
    dns,
    mtu,
    na,
    pio,
    portal,
    pref64,
    pvd,
    ra,
    rio,
    search,
)

X, Y, I1 = "fqdn:x.example.", "fqdn:y.example.", "ra:e0/1/fe80::1"
M1 = "02:00:00:00:00:01"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
RIO = "2001:db8:ff::/48"

KINDS = {
    "router": R1,
    "prefix": P,
    "route": f"{RIO} via {R1}",
    "dns": "2001:db8::53",
    "search": "one.example.",
    "pref64": "64:ff9b::/96",
}


def zeroed(kind: str, life: int) -> list[NdOption]:
    """The one option of a kind, with a lifetime."""
    match kind:
        case "prefix":
            return [pio(P, life, 0)]
        case "route":
            return [rio(RIO, life)]
        case "dns":
            return [dns("2001:db8::53", life=life)]
        case "search":
            return [search("one.example.", life=life)]
        case "pref64":
            return [pref64(life=life)]
        case _:
            return []


@pytest.mark.parametrize("where", ["outer", "nested", "implicit"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.covers("rfc:N07", "rfc:N12", "rfc:R03", "rfc:D01", "rfc:F02", "rfc:D07")
def test_lifetime_zero_ends_exactly_its_own(kind: str, where: str) -> None:
    """prior_art 6.3.16: lifetime 0 of each kind, all others alive."""
    everything = [one for other in KINDS for one in zeroed(other, 1800)]

    def said(options: list[NdOption], life: int) -> list[NdOption]:
        if where == "outer":
            return [*options, pvd("x.example.")]
        return [pvd("x.example.", *options)] if where == "nested" else options

    id = I1 if where == "implicit" else X
    told = Story().hear(ra(R1, *said(everything, 1800)))
    assert set(told.holdings(id)) == set(KINDS.values())
    told.at(10).hear(ra(R1, *said(zeroed(kind, 0), 0), life=0 if kind == "router" else 1800))
    assert set(told.holdings(id)) == set(KINDS.values()) - {KINDS[kind]}
    assert told.moves(id)[-1] == (10, "withdrawn", (), (KINDS[kind],))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "router"])
@pytest.mark.covers("rfc:N12", "rfc:D01", "rfc:F02")
def test_lifetime_zero_of_what_is_not_held_makes_nothing(kind: str) -> None:
    told = Story().hear(ra(R1)).at(1).hear(ra(R1, *zeroed(kind, 0)))
    assert set(told.holdings(I1)) == {R1}
    assert len(told.history()) == 1


@pytest.mark.covers("rfc:N07")
def test_a_router_lifetime_of_zero_leaves_the_rest_of_that_ra_standing() -> None:
    told = Story().hear(ra(R1)).at(5).hear(ra(R1, pio(P), life=0))
    assert set(told.holdings(I1)) == {P}
    assert told.moves(I1)[-1] == (5, "announced", (P,), (R1,))
    assert Story().hear(ra(R1, pio(P), life=0)).keys(I1, "router") == []  # adds no router either


def test_what_its_router_says_no_more_lapses_because_of_the_record_that_said_it_last() -> None:
    told = Story().hear(ra(R1, dns("2001:db8::53", life=60)))
    said = told.state.seq
    told.at(10).hear(ra(R1)).at(60)
    last = told.history(I1)[-1]
    assert (last.cause, last.because, [one[1] for one in last.removed]) == ("lapsed", said, ["2001:db8::53"])


def test_lifetimes_move_on_when_another_router_announces_one_of_the_prefixes() -> None:
    told = Story().hear(ra(R1, dns("2001:db8::53"), pio(P))).hear(ra(R2, pio(P)))
    told.at(10).hear(ra(R1, dns("2001:db8::53", life=900), pio(P)))
    assert told.ends(I1, "dns", "2001:db8::53") == 910


@pytest.mark.covers("rfc:N08")
def test_a_repeat_sets_the_end_anew_and_adds_nothing_up() -> None:
    told = Story().hear(ra(R1, pio(P))).at(600).hear(ra(R1, pio(P)))
    assert told.ends(I1, "router", R1) == 2400
    assert told.ends(I1, "prefix", P) == 600 + 86400
    assert told.at(2399).keys(I1, "router") == [R1]
    assert told.at(2400).keys(I1, "router") == []
    assert [move[:2] for move in told.moves(I1)] == [(0, "announced"), (2400, "lapsed")]


@pytest.mark.covers("rfc:N09")
def test_an_unspecified_hop_limit_leaves_the_value() -> None:
    told = Story().hear(ra(R1, hop=64)).at(1).hear(ra(R1, hop=0))
    assert told.holdings(I1, "hop_limit") == {"hop_limit": (64,)}
    assert told.at(2).hear(ra(R1, hop=32)).holdings(I1, "hop_limit") == {"hop_limit": (32,)}


@pytest.mark.covers("rfc:N10")
def test_each_pvd_keeps_its_own_hop_limit() -> None:
    told = Story().hear(ra(R1, hop=64), ra(R2, hop=32))
    assert told.holdings(I1, "hop_limit") == {"hop_limit": (64,)}
    assert told.holdings("ra:e0/1/fe80::2", "hop_limit") == {"hop_limit": (32,)}


@pytest.mark.covers("rfc:N16")
def test_an_na_without_the_router_flag_ends_the_router_in_all_its_pvds() -> None:
    packet = ra(R1, pvd("x.example.", rio(RIO)), mac="02:00:00:00:00:01")
    told = Story().hear(packet, ra(R1, pio(P), mac="02:00:00:00:00:01"), ra(R2))
    told.at(5).hear(na(R1, source="2001:db8:1::1"))
    assert told.keys(I1, "router") == []
    assert told.keys(I1, "prefix") == [P]
    assert X not in told.alive()  # neither its router nor its route
    assert told.keys("ra:e0/1/fe80::2", "router") == [R2]
    told.at(6).hear(packet)
    assert told.keys(X, "router") == [R1]


@pytest.mark.covers("rfc:N16")
def test_what_else_a_router_said_stays_as_it_was_said_when_it_is_none_any_more() -> None:
    told = Story().hear(ra(R1, dns("2001:db8::a", life=600))).at(10)
    told.hear(last := ra(R1, dns("2001:db8::b", life=600), pio(P))).at(20).hear(na(R1))
    assert told.keys(I1, "router") == [] and told.keys(I1, "prefix") == [P]
    assert [told.ends(I1, "dns", f"2001:db8::{one}") for one in "ab"] == [600, 610]
    carried = {held.key: because(origin, held) for origin, held in items(told.state, I1, ("e0", 1, ""))}
    assert carried["2001:db8::b"] == carried["2001:db8::a"] + 1 < told.state.seq, "by the RAs, not by the NA"
    assert told.at(30).hear(last).keys(I1, "router") == [R1], "until it says so again, in the same words"


@pytest.mark.covers("rfc:N16")
def test_an_na_ends_the_router_where_it_is_one_and_by_whatever_name_it_is_known() -> None:
    told = Story().hear(
        ra(R1, pvd("x.example.", dns("2001:db8::53")), life=0, mac=M1), ra(R1, pvd("y.example."), mac=M1)
    )
    told.hear(na(R1, mac="02:00:00:00:00:66"))
    assert told.keys(X, "dns") == ["2001:db8::53"] and Y not in told.alive(), "with the override flag: it moved"
    assert (told.history(Y)[-1].cause, told.history(Y)[-1].because) == ("withdrawn", told.state.seq)
    bare = Story().hear(ra(R1, pvd("x.example."), mac=M1), ra(R1, pvd("y.example.")))
    assert bare.hear(na(R1, override=False, mac="02:00:00:00:00:66")).alive() == [X], "whose MAC was not said"


@pytest.mark.covers("rfc:N16")
@pytest.mark.parametrize(
    "heard",
    [
        na(R1, override=False, mac="02:00:00:00:00:66"),
        na(R1, router=True),
        na("fe80::77", source=R1),
        na(R1, link="e1"),
    ],
    ids=["no override, foreign MAC", "still a router", "another target", "another link"],
)
def test_an_na_that_says_less_ends_nothing(heard: object) -> None:
    told = Story().hear(ra(R1, mac="02:00:00:00:00:01"))
    told.at(5).hear(heard)  # type: ignore[arg-type]
    assert told.keys(I1, "router") == [R1]
    assert len(told.history()) == 1
    told = Story().hear(ra(R1, mac=M1), ra(R1, hop=64)).hear(heard)  # type: ignore[arg-type]
    assert told.keys(I1, "router") == [R1], "an RA that does not say whose it is takes nothing back"


def test_one_thing_that_changes_alone_makes_a_version() -> None:
    told = Story().hear(ra(R1, pref="high")).at(1).hear(ra(R1, pref="low"))
    assert told.history(I1)[-1].changed == ((("router", R1, ("high",)), ("router", R1, ("low",))),)
    one, two = (ra(R1, pvd("x.example.", h=True, seq=number)) for number in (1, 2))
    assert len(Story().hear(one).at(1).hear(two).history(X)) == 2
    assert len(Story().hear(one).at(1).hear(ra(R1, pvd("x.example.", h=True, seq=1), life=900)).history(X)) == 1


@pytest.mark.covers("rfc:N18")
def test_all_routers_are_kept() -> None:
    told = Story().hear(*(ra(one, pvd("x.example.")) for one in (R1, R2, R3)))
    assert told.keys(X, "router") == [R1, R2, R3]
    told.at(10).hear(ra(R2, pvd("x.example."), life=0))
    assert told.keys(X, "router") == [R1, R3]


@pytest.mark.covers("rfc:S12", "rfc:D02", "rfc:R03")
def test_infinity_has_no_deadline() -> None:
    told = Story().hear(ra(R1, pio(P, None, None), dns("2001:db8::53", life=None), rio(RIO, None), life=60))
    assert told.ends(I1, "prefix", P) is None
    assert told.ends(I1, "dns", "2001:db8::53") is None
    told.at(200 * 365 * 86400)
    assert set(told.holdings(I1)) == {P, "2001:db8::53", f"{RIO} via {R1}"}
    assert next_deadline(told.state) == 2**63 - 1


@pytest.mark.covers("rfc:R01", "rfc:P11")
@pytest.mark.parametrize(
    ("preference", "said"), [("high", "high"), ("low", "low"), ("reserved", "medium"), ("medium", "medium")]
)
def test_a_reserved_router_preference_is_medium(preference: str, said: str) -> None:
    told = Story().hear(ra(R1, pref=preference))
    assert told.holdings(I1, "router") == {R1: (said,)}


@pytest.mark.covers("rfc:R06", "rfc:R07")
def test_a_route_leads_via_the_router_that_said_it() -> None:
    told = Story().hear(
        ra(R1, pvd("x.example.", rio(RIO, 600, "high"))), ra(R2, pvd("x.example.", rio(RIO, 900, "low")))
    )
    assert told.holdings(X, "route") == {
        f"{RIO} via {R1}": (RIO, R1, "high"),
        f"{RIO} via {R2}": (RIO, R2, "low"),
    }
    told.at(600)
    assert told.keys(X, "route") == [f"{RIO} via {R2}"]


@pytest.mark.covers("rfc:R09")
def test_a_default_route_option_lasts_until_the_next_header() -> None:
    told = Story().hear(ra(R1, rio("::/0", 600, "high"), pio(P), life=0))
    assert told.holdings(I1, "route") == {f"::/0 via {R1}": ("::/0", R1, "high")}
    assert told.ends(I1, "route", f"::/0 via {R1}") == 600
    told.at(10).hear(ra(R1, pio(P), life=0))
    assert told.keys(I1, "route") == []
    assert told.keys(I1, "prefix") == [P]


@pytest.mark.covers("rfc:R03")
@pytest.mark.parametrize("options", [[rio("::/0", 600, "high"), pio(P)], [pio(P), rio("::/0", 600, "high")]])
def test_a_default_route_option_speaks_for_its_router_whatever_the_header_says(options: list[NdOption]) -> None:
    told = Story().hear(ra(R1, *options, life=1800), ra(R2, life=900, pref="low"))

    def defaults() -> list[tuple[str | None, str, float]]:
        routes = [one for place in desired(told.state).places for one in place.routes if one.destination == "::/0"]
        return [(one.via, one.preference, (one.until - START) / SECOND) for one in routes]

    assert defaults() == [(R1, "high", 600), (R2, "low", 900)], "one route a router"
    told.at(10).hear(ra(R1, *options, life=0))
    assert defaults()[0] == (R1, "high", 610), "nor does a header without a default take it away"
    told.at(20).hear(ra(R1, rio("::/0", 0), pio(P), life=1800))
    assert defaults()[0] == (R1, "medium", 1820), "lifetime 0 removes the route, and the header speaks again"


@pytest.mark.covers("rfc:R13")
def test_two_options_for_one_route_are_applied_in_order() -> None:
    told = Story().hear(ra(R1, rio(RIO, 600, "high"), rio(RIO, 0, "low")))
    assert told.keys(I1, "route") == [] and "duplicate-route" in told.findings()
    assert told.hear(ra(R1, rio(RIO, 0, "low"), rio(RIO, 600, "high"))).keys(I1, "route") == [f"{RIO} via {R1}"]


@pytest.mark.covers("rfc:D03")
def test_each_resolver_has_its_own_end() -> None:
    told = Story().hear(ra(R1, dns("2001:db8::a", "2001:db8::b", life=600)))
    told.at(300).hear(ra(R1, dns("2001:db8::a", life=600)))
    assert told.ends(I1, "dns", "2001:db8::a") == 900
    assert told.ends(I1, "dns", "2001:db8::b") == 600
    assert told.at(600).keys(I1, "dns") == ["2001:db8::a"]


@pytest.mark.covers("rfc:D04")
def test_a_full_list_makes_way_for_the_new_by_what_ends_first() -> None:
    told = Story(rdnss_max=3).hear(ra(R1, dns("2001:db8::a", life=900), dns("2001:db8::b", life=300)))
    told.at(1).hear(ra(R1, dns("2001:db8::c", life=900)))
    assert len(told.keys(I1, "dns")) == 3
    told.at(2).hear(ra(R1, dns("2001:db8::d", life=900)))
    assert sorted(told.keys(I1, "dns")) == ["2001:db8::a", "2001:db8::c", "2001:db8::d"]
    assert "too-many-items" in told.findings()


@pytest.mark.covers("rfc:D05", "rfc:D12")
def test_resolvers_of_dhcp_come_first_and_each_source_has_its_own_end() -> None:
    told = Story().hear(ra(R1, dns("2001:db8::53", life=600), o=True))
    told.asks6("INFORMATION-REQUEST", *_dns6("2001:db8::99", "2001:db8::53"))
    # One host's DHCP answers are its own instance; the shared one keeps what the router said.
    assert told.keys(I1, "dns") == ["2001:db8::53", "2001:db8::99", "2001:db8::53"]
    told.at(600)
    assert told.keys(I1, "dns") == ["2001:db8::99", "2001:db8::53"]


def _dns6(*listed: str) -> list:  # type: ignore[type-arg]
    from tests.sim.build import addresses

    return [addresses(23, *listed)]


@pytest.mark.covers("rfc:D06")
def test_a_link_local_resolver_stays_with_its_link() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", dns("fe80::53"))), ra(R1, pvd("x.example."), link="e1"))
    one, two = told.instances(X)
    assert ("dns", "fe80::53", ()) in one.content
    assert one.link == "e0"
    assert ("dns", "fe80::53", ()) not in two.content
    for state in (told.state, decode(encode(told.state))):  # written down and read back, it has its zone still
        servers = {place.link: (place.servers, place.device) for place in desired(state).places}
        assert servers["e0"][0] == (f"fe80::53%{servers['e0'][1]}",) and servers["e1"][0] == ()


@pytest.mark.covers("rfc:D08", "rfc:P17")
def test_the_same_resolver_in_two_pvds_has_two_ends() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", dns("2001:db8::53", life=600))))
    told.hear(ra(R1, pvd("y.example.", dns("2001:db8::53", life=900))))
    told.at(600)
    assert told.keys(X, "dns") == []
    assert told.ends(Y, "dns", "2001:db8::53") == 900


@pytest.mark.covers("rfc:D11")
def test_new_resolvers_come_before_old_ones_and_a_refresh_moves_none() -> None:
    a, b, c = "2001:db8::a", "2001:db8::b", "2001:db8::c"
    told = Story().hear(ra(R1, dns(b, a)))
    assert told.keys(I1, "dns") == [b, a]  # not by address
    assert told.at(1).hear(ra(R1, dns(c))).keys(I1, "dns") == [c, b, a]
    assert told.at(2).hear(ra(R1, dns(a))).keys(I1, "dns") == [c, b, a]
    assert len(told.history(I1)) == 2


@pytest.mark.covers("rfc:D11")
def test_two_routers_with_one_resolver_do_not_swap_it_about() -> None:
    a, b = "2001:db8::a", "2001:db8::b"
    one, two = ra(R1, pvd("x.example.", dns(a))), ra(R2, pvd("x.example.", dns(a, b)))
    told = Story().hear(one).at(1).hear(two)
    order = told.keys(X, "dns")
    for second in range(2, 20):
        told.at(second).hear(one if second % 2 else two)
        assert told.keys(X, "dns") == order
    assert len(told.history(X)) == 2


@pytest.mark.covers("rfc:F03", "rfc:F05", "rfc:F07")
def test_nat64_prefixes_are_each_pvds_own_in_the_order_received() -> None:
    a, b = "64:ff9b::/96", "2001:db8:64::/96"
    told = Story().hear(
        ra(R1, pvd("x.example.", pref64(b), pref64(a))), ra(R1, pvd("y.example.", pref64("2001:db8:65::/96")))
    )
    assert told.keys(X, "pref64") == [b, a]
    assert told.keys(Y, "pref64") == ["2001:db8:65::/96"]
    told.at(10).hear(ra(R1, pvd("x.example.", pref64(b, 0))))
    assert told.keys(X, "pref64") == [a]
    told.at(20).hear(ra(R1, pvd("x.example.", pref64(a, 80))))  # may shrink: no max() of both
    assert told.ends(X, "pref64", a) == 100


@pytest.mark.covers("rfc:F14")
def test_a_captive_portal_is_replaced_and_leaves_with_its_router() -> None:
    told = Story().hear(ra(R1, portal("https://a.example/"), mtu(1400)))
    told.at(10).hear(ra(R1, portal("https://b.example/")))
    assert told.holdings(I1, "captive_portal") == {"uri": ("https://b.example/",)}
    assert told.at(1810).alive() == []
    assert told.state.now == START + 1810 * 10**9


@pytest.mark.covers("rfc:F26", "rfc:F23")
def test_designated_resolvers_stand_by_priority_and_are_withdrawn_alone() -> None:
    def dnr(priority: int, adn: str, life: int = 1800) -> EncryptedDns:
        return EncryptedDns(priority, adn, ("2001:db8::53",), lifetime_s=life)

    told = Story().hear(ra(R1, dnr(5, "a.example."), dnr(1, "c.example."), dnr(1, "b.example."), dns("2001:db8::53")))
    assert [key.split()[:2] for key in told.keys(I1, "encrypted_dns")] == [
        ["1", "b.example."],
        ["1", "c.example."],
        ["5", "a.example."],
    ]
    told.at(5).hear(ra(R1, dnr(1, "b.example.", 0)))
    assert [key.split()[1] for key in told.keys(I1, "encrypted_dns")] == ["c.example.", "a.example."]
    doh = (ServiceParam(1, "0268320268"), ServiceParam(7, "2f717b3f646e737d", "/q{?dns}"))
    names = Story().hear(ra(R1, search("z.example."), search("m.example.", "b.example."), search("a.example.")))
    assert names.keys(I1, "search") == ["z.example.", "m.example.", "b.example.", "a.example."], "option by option"
    said = Story().hear(ra(R1, EncryptedDns(1, "a.example.", ("2001:db8::53",), doh, lifetime_s=60)))
    value = (1, "a.example.", ("2001:db8::53",), ((1, "0268320268"), (7, "2f717b3f646e737d")))
    assert said.holdings(I1, "encrypted_dns") == {"1 a.example. 2001:db8::53": value}
    assert told.keys(I1, "dns") == ["2001:db8::53"]
