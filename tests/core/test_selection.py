"""Next hop, source and destination: RFC 4191 §3, RFC 6724 §5 and §6, RFC 8028 §3, and RFC 4861 on redirects."""

import pytest

from events.identifiers import IdentifierChosen
from events.link import NeighborSeen
from events.router import (
    NeighborAdvertised,
    Redirected,
    RedirectedHeader,
    RouterAdvertised,
    RouterSolicited,
    TargetLinkLayerAddress,
)
from pvdcore.prefixes import interface
from pvdcore.projections.desired import Place, desired
from pvdcore.projections.selection import (
    Hop,
    Source,
    Target,
    announcers,
    begin,
    choose_source,
    may_probe,
    next_hop,
    order,
    scope,
)
from pvdcore.state import Detour
from tests.sim.build import (
    CLIENT,
    R1,
    R2,
    R3,
    Story,
    dhcp6,
    header,
    ia_address,
    ia_na,
    ignored,
    mtu,
    pio,
    pvd,
    ra,
    rio,
    steering,
)

X, Y = "fqdn:x.example.", "fqdn:y.example."
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
S1, S2 = "2001:db8:1::a", "2001:db8:2::a"
S3 = "2001:db8:77::a"  # of no announced prefix
FAR = "2001:db8:ffff::1"
MAC = "02:00:00:00:00:77"


def x(router: str, *options: object, **said: object) -> RouterAdvertised:
    """An RA of x.example."""
    return ra(router, pvd("x.example."), *options, **said)  # type: ignore[arg-type]


def place(told: Story, id: str = X, host: str | None = None) -> Place:
    return next(one for one in desired(told.state, host=host).places if one.pvd == id)


def hop(told: Story, to: str = FAR, source: str | None = None, id: str = X, turn: int = 0) -> Hop | None:
    return next_hop(told.state, place(told, id), to, source, turn)


def via(told: Story, to: str = FAR, source: str | None = None, id: str = X) -> str | None:
    found = hop(told, to, source, id)
    return found.via if found else "unreachable"


def failed(router: str, state: str = "failed") -> NeighborSeen:
    return NeighborSeen(link="e0", address=router, state=state)


def two_prefixes(pref1: str = "low", pref2: str = "high", **policy: object) -> Story:
    """r1 announces P, r2 announces Q, and the host has an address of each."""
    told = Story(**policy).hear(x(R1, pio(P), pref=pref1), x(R2, pio(Q), pref=pref2))  # type: ignore[arg-type]
    for prefix in (P, Q):
        told.hear(IdentifierChosen(link="e0", epoch=1, prefix=prefix, kind="stable", iid="a"))
    return told


# Next hop


@pytest.mark.covers("rfc:R04")
def test_the_longest_match_comes_before_preference_and_reachable_before_both() -> None:
    told = Story().hear(x(R1, pref="high"), x(R2, rio("2001:db8::/32", 600, "low"), life=0))
    assert hop(told) == Hop(R2, "2001:db8::/32", "longest match")
    told.hear(failed(R2, "stale"))
    assert via(told) == R2  # probably reachable still
    told.hear(failed(R2))
    assert hop(told) == Hop(R1, "::/0", "reachable", R2)  # no black hole


@pytest.mark.covers("rfc:N17", "bug:20", "feat:D6")
def test_an_unreachable_router_is_passed_over_and_not_deleted() -> None:
    told = Story().hear(x(R1, pref="high"), x(R2), x(R3))
    before = len(told.history())
    assert hop(told) == Hop(R1, "::/0", "preference")
    told.hear(failed(R1))
    assert via(told) == R2
    assert told.keys(X, "router") == [R1, R2, R3]
    assert len(told.history()) == before
    told.hear(failed(R2), failed(R3))
    assert hop(told) == Hop(R1, "::/0", "none is reachable", R1)
    even = Story().hear(x(R1), x(R2), failed(R1), failed(R2))
    taken = [hop(even, turn=turn) for turn in range(3)]
    assert [one and one.via for one in taken] == [R1, R2, R1]  # in turns
    assert next_hop(even.state, place(even), FAR) == taken[0]
    assert via(told.hear(failed(R1, "reachable"))) == R1
    assert via(told.at(5).attach().hear(x(R1), x(R2))) == R1  # a new attachment knows nothing of the old


@pytest.mark.covers("rfc:R11")
def test_a_better_router_that_is_skipped_is_probed_while_there_is_traffic_once_a_minute() -> None:
    told = Story().hear(x(R1, pref="high"), x(R2, pref="low"), failed(R1))
    found = hop(told)
    assert found is not None
    assert (found.via, found.probe) == (R2, R1)  # asked for a packet: without one, nobody is probed
    second = 10**9
    assert may_probe(None, 0)
    assert not may_probe(0, 59 * second) and not may_probe(100 * second, 159 * second)
    assert may_probe(0, 60 * second)
    told.hear(failed(R2))
    assert via(told) == R1  # no route at all would be worse


@pytest.mark.covers("rfc:R10", "rfc:N29")
def test_destinations_choose_again_when_the_table_changes() -> None:
    told = Story().hear(x(R1, life=600), x(R2, pref="low"))
    assert via(told) == R1
    told.at(10).hear(x(R2, rio("2001:db8:ffff::/48", 100), pref="low"))
    assert via(told) == R2
    assert via(told, "2001:db8:eeee::1") == R1
    told.at(110)
    assert via(told) == R1
    told.at(600)
    assert via(told) == R2  # of the same PvD
    assert told.hear(ra(R3)).at(1810).keys(X, "router") == []
    assert X not in told.alive()
    assert via(told, id="ra:e0/1/fe80::3") == R3


@pytest.mark.covers("rfc:R12", "rfc:N31")
def test_what_nothing_matches_is_unreachable_here_whatever_another_pvd_has() -> None:
    told = Story().hear(x(R1, rio("2001:db8:ff00::/48"), life=0), ra(R2))
    assert hop(told) is None
    assert via(told, "2001:db8:ff00::1") == R1
    assert via(told, id="ra:e0/1/fe80::2") == R2
    alone = Story().hear(x(R1, pio(P), life=0))
    assert hop(alone) is None  # and is not taken for a neighbour
    assert hop(alone, "2001:db8:1::77") == Hop(None, P, "longest match")
    assert hop(alone, "fe80::77") == Hop(None, "fe80::/64", "link-local")
    alone.hear(x(R1, ignored(3, "link-local"), life=0))  # fe80::/64 with lifetime 0
    assert hop(alone, "fe80::77") == Hop(None, "fe80::/64", "link-local")


@pytest.mark.covers("rfc:R14")
def test_a_host_of_type_b_records_route_options_and_routes_by_none() -> None:
    for on, expected in ((True, R2), (False, R1)):
        told = Story(rio=on).hear(x(R1, pref="high"), x(R2, rio("2001:db8::/32"), rio("::/0", 600, "high"), pref="low"))
        assert via(told) == expected
        assert via(told, "2001:4860::1") == R1
        assert told.keys(X, "route") == [f"2001:db8::/32 via {R2}", f"::/0 via {R2}"]
        routes = {one.destination: one.preference for one in place(told).routes if one.via == R2}
        assert routes == ({"2001:db8::/32": "medium", "::/0": "high"} if on else {"::/0": "low"})
    assert len(Story().hear(x(R1, *(rio(f"2001:db8:{n}::/48") for n in range(40)))).keys(X, "route")) == 40


# By source (RFC 8028)


@pytest.mark.covers("rfc:Q03", "rfc:Q07")
def test_a_source_leaves_by_a_router_that_announced_its_prefix_whatever_the_preference() -> None:
    told = two_prefixes()
    assert hop(told, source=S1) == Hop(R1, "::/0", "router of the source's prefix")
    assert via(told, source=S2) == R2
    assert via(told) == R2  # without a source, preference decides
    told.hear(x(R3, pio(P, flags=""), pref="medium"))  # whatever L and A
    assert announcers(told.state, place(told), S1) == {R1, R3}
    assert via(told, source=S1) == R3  # among those, preference (RFC 4191)


@pytest.mark.covers("rfc:Q04")
def test_a_source_whose_routers_are_gone_has_no_route_unless_policy_lets_it() -> None:
    for allowed, expected in ((False, "unreachable"), (True, R2)):
        told = two_prefixes(src_router_fallback=allowed).hear(ra(R3))
        told.hear(failed(R1, "stale"))
        assert via(told, source=S1) == R1  # merely stale
        told.hear(x(R1, pio(P), life=0))
        assert via(told, source=S1) == expected
        told.hear(x(R2, pio(Q), life=0))
        assert via(told, source=S1) == "unreachable"  # r3 is of another PvD: never
    assert via(two_prefixes(), source="2001:db8:99::1") == R2  # a prefix of no RA: normal routing


@pytest.mark.covers("rfc:Q06")
def test_a_prefix_with_neither_flag_still_marks_its_router() -> None:
    told = Story().hear(x(R1, pio(P, flags=""), pref="low", m=True), x(R2, pref="high"))
    told.hear(dhcp6("REQUEST", xid=0)).asks6("REQUEST", ia_na(ia_address("2001:db8:1::6")))
    assert told.owners("dhcp6-address", "2001:db8:1::6") == [X]
    assert via(told, source="2001:db8:1::6") == R1
    assert via(told) == R2
    assert via(told, "2001:db8:1::77") == R2  # and it is on no link


@pytest.mark.covers("rfc:Q08")
def test_a_route_to_the_destination_may_steer_the_source_but_not_one_that_is_fixed() -> None:
    told = two_prefixes("high", "low").at(5).hear(x(R2, pio(Q), rio("2001:db8:ffff::/48"), pref="low"))
    began = begin(told.state, place(told), FAR)
    assert began is not None
    assert (began[0].via, began[1].address) == (R2, S2)
    assert via(told, source=S1) == R1
    assert began[1].rule == "5.5 prefix of the next hop"
    assert order(told.state, place(told), [FAR]) == (Target(FAR, S2, ""),)
    nowhere = Story().hear(x(R1, pio(P), life=0)).chooses("a")
    assert begin(nowhere.state, place(nowhere), FAR) is None
    assert order(nowhere.state, place(nowhere), [FAR]) == (Target(FAR, None, ""),)
    another = Story().hear(x(R1, pio(P), life=0), x(R2)).chooses("a")
    assert via(another) == R2 and begin(another.state, place(another), FAR) is None  # R2 does not announce P
    nobody = Story().hear(x(R1))
    assert begin(nobody.state, place(nobody), FAR) is None
    assert order(nobody.state, place(nobody), [FAR]) == (Target(FAR, None, ""),)


# Redirects


def redirect(to: str = R3, *, by: str = R1, destination: str = FAR, source: str = "") -> Redirected:
    packet = b"\x60" + bytes(7) + interface(source).ip.packed + bytes(16) if source else b""
    options = (RedirectedHeader(packet, 8 + len(packet)),) if packet else ()
    return Redirected(link="e0", source=by, target=to, destination=destination, options=options)


@pytest.mark.covers("rfc:N23", "rfc:N24")
def test_only_the_first_hop_redirects_and_only_that_destination() -> None:
    told = Story().hear(x(R1, pref="high"), x(R2), ra("fe80::9"))
    before = (told.alive(), len(told.history()), told.keys(X, "router"))
    told.hear(redirect(by=R2), redirect(by="fe80::9"), redirect(by="fe80::77"))
    assert via(told) == R1  # r2 is not the first hop, fe80::9 is of another PvD, fe80::77 no router
    assert via(told, id="ra:e0/1/fe80::9") == R3  # where it is the first hop, it may
    told.hear(redirect())
    assert hop(told) == Hop(R3, "::/0", "redirect")
    assert via(told, "2001:db8:ffff::2") == R1
    told.hear(redirect(to="2001:db8:ffff::9", destination="2001:db8:ffff::9"))  # target = destination
    assert via(told, "2001:db8:ffff::9") is None  # a neighbour, though of no known prefix
    assert (told.alive(), len(told.history()), told.keys(X, "router")) == before
    told.hear(x(R1, life=0))
    assert via(told) == R2  # the first hop that sent it is none any more


@pytest.mark.covers("rfc:Q05")
def test_a_redirect_counts_for_its_source_and_destination_alone() -> None:
    told = Story().hear(x(R1, pio(P), pref="high")).hear(redirect(source=S1))
    assert via(told, source=S1) == R3
    assert via(told, source="2001:db8:1::b") == R1  # of the same prefix
    assert via(told) == R1
    began = begin(told.state, place(told.chooses("a")), FAR)
    assert began == (Hop(R3, "::/0", "redirect"), Source(S1, ""))  # the hop of a source that is fixed by then
    assert via(told.hear(failed(R3)), source=S1) == R1  # a dead detour is none
    assert via(told.attach().hear(x(R1, pio(P))), source=S1) == R1


def test_a_redirect_that_names_no_source_counts_for_each() -> None:
    told = Story().hear(x(R1, pio(P)), redirect())
    assert [via(told, source=source) for source in (None, S1, "2001:db8:1::b")] == [R3] * 3


def test_a_redirect_is_weighed_by_the_way_that_its_packet_went() -> None:
    told = two_prefixes().hear(redirect(by=R1), redirect(by=R1, source=S2), redirect(by=R2, source=S1))
    assert not told.state.host.detours, "without a source, and from S2, R2 is the first hop; from S1 it is R1"
    told.hear(redirect(by=R1, source=S1))
    assert [(one.router, one.source) for one in told.state.host.detours.values()] == [(R1, S1)]
    nowhere = Story().hear(x(R1, pio(P), life=0), redirect(), Redirected("e9", R1, R3, FAR))
    assert not nowhere.state.host.detours, "there is no way, or no such link"


@pytest.mark.parametrize(
    ("packet", "source"),
    [
        (b"", ""),
        (b"\x60" + bytes(7) + interface(S1).ip.packed, S1),  # cut off behind the source
        (b"\x60" + bytes(7) + interface(S1).ip.packed[:15], ""),
        (b"\x45" + bytes(7) + interface(S1).ip.packed + bytes(16), ""),  # of IPv4
    ],
)
def test_whose_packet_was_redirected_stands_in_what_is_quoted_of_it(packet: bytes, source: str) -> None:
    quoted = RedirectedHeader(packet, 8 + len(packet))
    told = Story().hear(x(R1, pio(P)), Redirected("e0", R1, R3, FAR, (TargetLinkLayerAddress(MAC), quoted)))
    assert dict(told.state.host.detours) == {
        ("e0", X, f"{source} {FAR}"): Detour(X, R1, source, FAR, R3, told.state.seq)
    }


def test_of_neighbours_those_are_known_that_may_be_a_first_hop() -> None:
    def seen(address: str, state: str = "reachable", *, router: bool = False, link: str = "e0") -> NeighborSeen:
        return NeighborSeen(link=link, address=address, state=state, mac=MAC, router=router)

    def known(told: Story) -> dict[str, tuple[str, bool]]:
        return {address: (one.state, one.router) for (_, address), one in told.state.host.neighbors.items()}

    told = Story().hear(x(R1)).hear(seen(R1), seen(R2, router=True), seen(R3), seen(R1, link="e9"))
    assert known(told) == {R1: ("reachable", False), R2: ("reachable", True)}, "R3 is nobody yet"
    told.hear(redirect(to=R3), seen(R3, "delay"), seen(R2, "stale"))
    assert known(told) == {R1: ("reachable", False), R2: ("stale", False), R3: ("delay", False)}
    assert known(told.detach().hear(seen(R2, router=True))) == {}, "no attachment, no neighbours"


def test_forged_redirects_do_not_fill_the_memory() -> None:
    told = Story().hear(x(R1))
    for number in range(300):
        told.hear(redirect(destination=f"2001:db8:ffff::{number:x}"))
    assert len(told.state.host.detours) == 256
    assert via(told, "2001:db8:ffff::0") == R1  # the oldest made way
    assert via(told, "2001:db8:ffff::12b") == R3


# Source address: each rule of RFC 6724 §5 with two candidates that differ in it alone


def sources(*addresses: tuple[str, int, bool]) -> tuple[Story, Place]:
    """A place with these addresses: (address, preferred for so long, temporary)."""
    from msgspec.structs import replace

    from pvdcore.projections.desired import WantedAddress

    told = Story().hear(x(R1, pio(P)), x(R2, pio(Q))).at(10)
    now = told.state.now
    listed = tuple(
        WantedAddress(f"{one}/64", now + 10**12, now + preferred, 1, "slaac", temporary)
        for one, preferred, temporary in addresses
    )
    return told, replace(place(told), addresses=listed)


@pytest.mark.covers("rfc:A08")
def test_next_hop_then_source_and_both_of_one_pvd() -> None:
    """Two default routers, in two PvDs that differ in what each rule looks at."""
    told = (
        Story()
        .hear(
            x(R1, pio(P), pref="low"),
            ra(R2, pvd("y.example.", pio(Q), rio("2001:db8:ffff::/48", 600, "high")), pref="high"),
        )
        .chooses("a")
    )
    ways = {}
    for id in (X, Y):
        began = begin(told.state, place(told, id), FAR)
        assert began is not None
        ways[id] = (
            began[0].via,
            began[1].address,
            [it.address for it in order(told.state, place(told, id), [FAR, S1, S2])],
        )
    assert ways == {
        X: (R1, "2001:db8:1::a", [S1, S2, FAR]),  # by the low router of its own, though Y has a better one
        Y: (R2, "2001:db8:2::b", [S2, S1, FAR]),
    }
    told.hear(failed(R1))
    assert via(told, id=X) == R1, "not even where its own is dead: none of Y's"
    assert {route.via for route in place(told, X).routes} == {None, R1}
    assert {route.via for route in place(told, Y).routes} == {None, R2}, "no route has a router of each"
    for steered in steering(told.state).places:
        own = R1 if steered.pvd == X else R2
        assert {route.via for route in steered.routes} == {None, own}


@pytest.mark.covers("rfc:Q01", "rfc:Q02", "rfc:S10")
@pytest.mark.parametrize(
    ("destination", "by", "one", "other", "rule"),
    [
        ("2001:db8:1::b", None, ("2001:db8:1::b", 9, False), ("2001:db8:1::a", 9, False), "1 same address"),
        ("ff02::1", None, ("fe80::a", 9, False), ("2001:db8:1::a", 9, False), "2 scope"),
        (FAR, None, ("2001:db8:1::a", 9, False), ("fe80::a", 9, False), "2 scope"),
        (FAR, None, ("2001:db8:1::b", 9, False), ("2001:db8:1::a", 0, False), "3 avoid deprecated"),
        (FAR, R2, ("2001:db8:2::a", 9, False), ("2001:db8:1::a", 9, False), "5.5 prefix of the next hop"),
        (FAR, R1, ("2001:db8:1::a", 9, False), ("2001:db8:2::a", 9, False), "5.5 prefix of the next hop"),
        # 5.5 comes before the longest match
        ("2001:db8:1:1::1", R2, ("2001:db8:2::a", 9, False), ("2001:db8:1::a", 9, False), "5.5 prefix of the next hop"),
        ("fd00::1", None, ("fd00:1::a", 9, False), ("2001:db8:1::a", 9, False), "6 label"),
        (FAR, None, ("2001:db8:1::b", 9, True), ("2001:db8:1::a", 9, False), "7 temporary"),
        ("2001:db8:1:1::1", None, ("2001:db8:1::a", 9, False), ("2001:db8:2::a", 9, False), "8 longest match"),
        ("2001:db8:2:1::1", None, ("2001:db8:2::a", 9, False), ("2001:db8:1::a", 9, False), "8 longest match"),
    ],
)
def test_the_first_rule_in_which_two_addresses_differ_decides(
    destination: str, by: str | None, one: tuple[str, int, bool], other: tuple[str, int, bool], rule: str
) -> None:
    hop = Hop(by, "::/0", "")
    for pair in ((one, other), (other, one)):
        told, place = sources(*pair)
        assert choose_source(told.state, place, destination, hop) == Source(one[0], rule)
    told, place = sources(other)
    assert choose_source(told.state, place, destination, hop) == Source(other[0], "")  # alone, it serves


@pytest.mark.covers("rfc:Q02")
def test_an_application_may_prefer_public_addresses_and_families_do_not_mix() -> None:
    told, place = sources(("2001:db8:1::a", 9, False), ("2001:db8:1::b", 9, True))
    assert choose_source(told.state, place, FAR, None, public=True) == Source("2001:db8:1::a", "7 temporary")
    assert choose_source(told.state, place, "192.0.2.1", None) is None


@pytest.mark.covers("rfc:Q02")
def test_destinations_stand_in_the_order_of_rfc_6724() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", legacy=True), pio(P))).leases4()
    told.hear(IdentifierChosen(link="e0", epoch=1, prefix=P, kind="stable", iid="a"))
    here = place(told, host=CLIENT)
    found = order(told.state, here, ["2002:c000:201::1", "198.51.100.1", FAR, "2001:db8:1::77", "fd00::1"])
    assert [one.address for one in found] == ["2001:db8:1::77", FAR, "198.51.100.1", "2002:c000:201::1", "fd00::1"]
    assert [one.rule for one in found][:2] == ["9 longest match", "6 precedence"]
    assert found[0].source == S1
    six = place(told)  # without the lease there is no IPv4 source
    assert order(told.state, six, ["198.51.100.1", FAR])[0].rule == "1 avoid unusable"
    assert [one.address for one in order(told.state, six, [FAR, "2001:db8:fffe::1"])] == [FAR, "2001:db8:fffe::1"]


@pytest.mark.parametrize(
    ("address", "size"),
    [
        ("127.0.0.1", 2),
        ("169.254.1.1", 2),
        ("10.0.0.1", 14),  # private addresses are global in scope (RFC 6724 §3.2)
        ("198.51.100.1", 14),
        ("239.255.0.1", 14),
        ("::1", 2),
        ("fe80::1", 2),
        ("fec0::1", 5),
        ("fd00::1", 14),
        (FAR, 14),
        ("ff01::1", 1),
        ("ff15::1", 5),
        ("ff0e::1", 14),
    ],
)
def test_each_kind_of_address_has_its_scope(address: str, size: int) -> None:
    assert scope(address) == size


@pytest.mark.covers("rfc:Q02")
@pytest.mark.parametrize(
    ("mine", "first", "second", "rule"),
    [
        ([("2001:db8:1::a", 9)], (FAR, "2001:db8:1::a"), ("198.51.100.1", None), "1 avoid unusable"),
        ([("2001:db8:1::a", 9)], (FAR, "2001:db8:1::a"), ("fe80::77", "2001:db8:1::a"), "2 matching scope"),
        ([(S1, 0), (S2, 9)], (FAR, S2), (S1, S1), "3 avoid deprecated"),
        ([(S1, 9)], (FAR, S1), ("2002:c000:201::1", S1), "5 matching label"),
        ([(S1, 9)], (FAR, S1), ("2001:0:1::1", S1), "5 matching label"),  # Teredo
        ([(S1, 9)], (FAR, S1), ("3ffe::1", S1), "5 matching label"),
        ([(S1, 9)], (FAR, S1), ("::c000:201", S1), "5 matching label"),
        ([(S3, 9), ("fd00::a", 9)], (FAR, S3), ("fd00::1", "fd00::a"), "6 precedence"),
        ([("3ffe::a", 9), ("fd00::a", 9)], ("fd00::1", "fd00::a"), ("3ffe::1", "3ffe::a"), "6 precedence"),
        ([("2002::a", 9), ("2001::a", 9)], ("2002::1", "2002::a"), ("2001::1", "2001::a"), "6 precedence"),
        ([(S1, 9), ("fe80::a", 9)], ("fe80::77", "fe80::a"), (FAR, S1), "8 smaller scope"),
        ([(S1, 9)], ("2001:db8:1::77", S1), (FAR, S1), "9 longest match"),
    ],
)
def test_the_first_rule_in_which_two_destinations_differ_decides(
    mine: list[tuple[str, int]], first: tuple[str, str], second: tuple[str, str | None], rule: str
) -> None:
    told, place = sources(*((address, preferred, False) for address, preferred in mine))
    for pair in ((first[0], second[0]), (second[0], first[0])):
        assert order(told.state, place, pair) == (Target(*first, rule), Target(*second, "")), pair


def test_beyond_the_prefix_of_the_source_no_destination_matches_longer() -> None:
    """RFC 6724 §2.2: of two on the source's own link neither is nearer."""
    told, place = sources((S1, 9, False))
    for pair in (("2001:db8:1::b", "2001:db8:1::77:1"), ("2001:db8:1::77:1", "2001:db8:1::b")):
        assert order(told.state, place, pair) == (Target(pair[0], S1, "10 as given"), Target(pair[1], S1, ""))
    assert order(told.state, place, ()) == ()


def test_a_leased_address_is_as_near_to_a_destination_as_if_it_stood_in_a_prefix_of_64() -> None:
    from msgspec.structs import replace

    told, place = sources((S1, 9, False))
    leased = replace(place, addresses=(replace(place.addresses[0], address=f"{S1}/128"),))
    far, near = "2001:db8:1:0:8000::1", "2001:db8:1::77"
    assert [one.address for one in order(told.state, leased, (far, near))] == [far, near]
    assert order(told.state, leased, (FAR, near))[0] == Target(near, S1, "9 longest match")
    wide = replace(place, addresses=(replace(place.addresses[0], address=f"{S1}/48"),))
    far, near = "2001:db8:1:8000::1", "2001:db8:1:1::1"
    assert [one.address for one in order(told.state, wide, (far, near))] == [far, near], "nor in a wider one"
    four = [replace(place.addresses[0], address=one) for one in ("192.0.2.10/24", "192.0.2.130/24")]
    found = choose_source(told.state, replace(place, addresses=tuple(four)), "192.0.2.129", None)
    assert found == Source("192.0.2.130", "8 longest match")  # of IPv4 all bits count


@pytest.mark.covers("rfc:Q02")
def test_of_scopes_that_suffice_the_smallest_is_spoken_from_and_else_the_largest() -> None:
    near, site, wide = ("fe80::a", 9, False), ("fec0::a", 9, False), ("2001:db8:1::a", 9, False)
    for destination, best in (("ff02::1", near), ("ff05::1", site), ("ff0e::1", wide), ("ff01::1", near)):
        told, place = sources(wide, near, site)
        assert choose_source(told.state, place, destination, None) == Source(best[0], "2 scope")
    told, place = sources(near, site)
    assert choose_source(told.state, place, FAR, None) == Source(site[0], "2 scope")  # none suffices
    told, place = sources(("2001:db8:1::b", 9, False), ("2001:db8:1::c", 9, False))
    assert choose_source(told.state, place, FAR, None) == Source("2001:db8:1::b", "by address")
    for moment, ends in ((9, Source("2001:db8:1::b", "by address")), (10**12, None)):  # what has ended is none
        from msgspec.structs import replace

        later = replace(told.state, now=told.state.now + moment)
        found = choose_source(later, place, FAR, None)
        assert (found.address if found else None) == (ends.address if ends else None)


def test_what_decided_is_told_of_each_hop() -> None:
    equal = Story().hear(x(R1), x(R2))
    assert hop(equal) == Hop(R1, "::/0", "first by address")
    assert hop(Story().hear(x(R1))) == Hop(R1, "::/0", "longest match")
    assert hop(Story().hear(x(R1, pio(P))), source=S1) == Hop(R1, "::/0", "longest match")  # all announced it
    unlike = Story().hear(x(R1, pref="low"), x(R2, pref="medium"), x(R3, pref="high"))
    assert hop(unlike) == Hop(R3, "::/0", "preference")
    unlike.hear(failed(R3))
    assert hop(unlike) == Hop(R2, "::/0", "reachable", R3)
    unlike.hear(failed(R2), failed(R1))
    assert [hop(unlike, turn=turn) for turn in range(2)] == [Hop(R3, "::/0", "none is reachable", R3)] * 2
    longer = Story().hear(x(R1, rio("2001:db8::/32", 600, "low")), x(R2, rio("2001:db8:ffff::/48", 600, "low")))
    assert hop(longer) == Hop(R2, "2001:db8:ffff::/48", "longest match")
    longer.hear(failed(R1), failed(R2))
    assert [hop(longer, turn=turn) for turn in range(2)] == [
        Hop(R2, "2001:db8:ffff::/48", "none is reachable", R2)
    ] * 2, "turns are among those that match as long"


@pytest.mark.covers("rfc:Q03", "rfc:Q04")
def test_who_announced_the_source_is_asked_by_its_longest_prefix() -> None:
    told = Story(src_router_fallback=True).hear(
        x(R1, pio("2001:db8::/32", flags=""), pref="low"), x(R2, pio(P), pio("2001:db8::/32", flags="")), x(R3)
    )
    told.hear(ra("fe80::9", pio(P)))  # of another PvD
    assert announcers(told.state, place(told), S1) == {R2}
    assert announcers(told.state, place(told), S2) == {R1, R2}
    assert announcers(told.state, place(told), "2001:db9::1") == frozenset()
    assert hop(told, source=S2) == Hop(R2, "::/0", "router of the source's prefix")
    assert hop(told, "2001:db8:1::77", source="2001:db9::1") == Hop(None, P, "longest match")
    told.hear(failed(R2))
    assert hop(told, source=S2) == Hop(R1, "::/0", "reachable", R2)
    told.hear(failed(R1))
    assert hop(told, source=S1) == Hop(R3, "::/0", "reachable", R2)  # by fallback, R2 is still passed over
    told.hear(x(R1, life=0), x(R2, life=0))
    assert hop(told, source=S1) == Hop(R3, "::/0", "fallback within the PvD")


# What a host takes over of a router's header, and what it ignores


@pytest.mark.covers("rfc:N15")
@pytest.mark.parametrize(("said", "taken"), [(1280, 1280), (1500, 1500), (1501, 0), (65535, 0)])
def test_an_mtu_is_taken_up_to_that_of_the_link(said: int, taken: int) -> None:
    from adapters.wire.neighbor.options import mtu as read_mtu
    from events.link import LinkSeen
    from events.router import IgnoredOption

    told = Story().hear(LinkSeen(link="e0", identity="capture:e0", name="e0", mtu=1500)).hear(x(R1, mtu(said)))
    assert place(told).mtu == taken
    assert isinstance(read_mtu(bytes((5, 1, 0, 0)) + (576).to_bytes(4)), IgnoredOption)
    told.hear(x(R1, mtu(1400))).at(5).hear(x(R1, mtu(said)))
    assert place(told).mtu == (taken or 1400)


@pytest.mark.covers("rfc:N22")
def test_a_solicitation_of_a_neighbour_is_no_sign_of_a_router() -> None:
    told = Story().hear(RouterSolicited(link="e0", source="fe80::77"))
    assert (told.alive(), len(told.state.speakers), told.findings()) == ([], 0, {})
    told.hear(x(R1), RouterSolicited(link="e0", source=R1))
    assert told.keys(X, "router") == [R1]


@pytest.mark.covers("rfc:N28")
def test_a_router_is_its_address_whatever_its_hardware_address() -> None:
    told = Story().hear(x(R1, mac="02:00:00:00:01:01")).at(5).hear(x(R1, mac="02:00:00:00:01:02"))
    assert told.keys(X, "router") == [R1]
    assert told.alive() == [X]
    origin = told.origin(X, R1)
    assert origin is not None
    assert origin.mac == "02:00:00:00:01:02"
    assert "router-mac-changed" in told.findings()
    assert not told.state.host.neighbors  # an RA makes no neighbour entry
    assert Story().hear(x(R1)).keys(X, "router") == [R1]  # nor does it need a link-layer address


@pytest.mark.covers("rfc:N30", "rfc:N09")
def test_timers_are_taken_over_when_given_and_the_draw_is_the_kernels() -> None:
    def says(reachable: int, retrans: int, router: str = R1) -> RouterAdvertised:
        from msgspec.structs import replace

        return replace(x(router), header=replace(header(), reachable_ms=reachable, retrans_ms=retrans))

    told = Story().hear(says(30000, 2000)).at(5).hear(says(0, 0))
    assert (place(told).reachable_ms, place(told).retrans_ms) == (30000, 2000)
    told.at(10).hear(says(20000, 0, R2))
    assert (place(told).reachable_ms, place(told).retrans_ms) == (20000, 2000)  # the base, never a product of a draw
    assert told.refolded().speakers == told.state.speakers  # nothing is drawn in the fold


@pytest.mark.covers("rfc:N16")
def test_a_router_that_is_none_any_more_is_chosen_no_more() -> None:
    told = Story().hear(x(R1, pref="high"), x(R2))
    assert via(told) == R1
    told.hear(NeighborAdvertised(link="e0", source="2001:db8::1", target=R1, override=True))
    assert via(told) == R2
    told.hear(x(R1, pref="high"))
    assert via(told) == R1
