"""PvDs and their instances at the end of a step: what makes a version, what a place is told, who is compared with whom.

Law: a version is made when content differs, and for nothing else; what stands in the kernel stays until a record says
that it went.
"""

from hashlib import blake2b

import pytest

from events.ids import SECOND
from events.link import LinkSeen
from events.ops import Outcome, PlaceUsed, PlanApplied, RouteAdd, User
from events.session import SessionStarted
from pvdcore.domains.pvds import RECENT, difference
from pvdcore.projections.desired import desired
from pvdcore.projections.tables import TABLES_FIRST
from pvdcore.state import Placement
from tests.sim.build import CLIENT, R1, R2, START, Story, container, dns, mtu, pio, portal, pref64, pvd, ra, search

X, I1, HOME = "fqdn:x.example.", "ra:e0/1/fe80::1", "if:e0/1"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
UUID = "00112233-4455-6677-8899-aabbccddeeff"
D1, D2, D3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"


def stands(told: Story, id: str = X, link: str = "e0", error: str = "") -> Story:
    """A record says that an instance stands in its table, or what failed of it."""
    outcomes = (Outcome(RouteAdd("", link, "::/0", R1, table=TABLES_FIRST), error),)
    return told.hear(PlanApplied("tables", id, outcomes, link=link, epoch=1, table=TABLES_FIRST))


def place(told: Story, id: str = X) -> Placement:
    """Where the first instance of a PvD stands."""
    found = told.instances(id)[0].placement
    assert found is not None
    return found


def placed() -> Story:
    return stands(Story(projection="tables").hear(ra(R1, pvd("x.example.", pio(P)))))


def withdraws() -> object:
    return ra(R1, pvd("x.example.", pio(P, 0, 0)), life=0)


# Versions


def test_what_a_pvd_is_called_and_of_what_kind_it_is() -> None:
    told = Story().hear(ra(R1), ra(R1, pvd("x.example.")), ra(R1, container(UUID))).leases4(link="e1")
    found = {id: (told.pvd(id).name, told.pvd(id).kind, told.pvd(id).source) for id in told.alive()}
    assert found == {
        X: ("x.example.", "explicit", "ra"),
        f"uuid:{UUID}": (UUID, "explicit", "mif"),
        I1: ("e0/1/fe80::1", "implicit", "ra"),
        "if:e1/1": ("e1/1", "implicit", "link"),
    }


def test_the_latest_versions_are_remembered_by_their_records() -> None:
    told = Story()
    seqs = []
    for number in range(RECENT + 3):
        told.at(number).hear(ra(R1, pvd("x.example.", mtu(1300 + number))))
        seqs.append(told.state.seq)
        assert told.pvd(X).recent == tuple(seqs[-RECENT:])
    (one,) = told.instances(X)
    assert (one.version, one.since) == (RECENT + 3, START), "an instance is as old as its first version"
    assert told.pvd(X).last_seen == 0, "while it lives, its routers know better"
    told.at(60).hear(ra(R2, pvd("x.example.", mtu(1300 + RECENT + 2))))
    seqs.append(told.state.seq)
    told.at(70).hear(ra(R1, pvd("x.example.", mtu(1300 + RECENT + 2)), life=900))
    assert told.pvd(X).recent == tuple(seqs[-RECENT:]), "a repeat makes no version"
    assert [one.version for one in told.history(X)] == list(range(1, RECENT + 5))
    told.at(80).detach()
    assert told.pvd(X).last_seen == START + 70 * SECOND and told.pvd(X).versions == RECENT + 5


def test_outside_this_host_a_pvd_is_called_by_what_no_other_host_has() -> None:
    told = Story().at(3).hear(SessionStarted(mode="live", version="0", boot="b00f"), ra(R1, pvd("x.example.")))
    told.hear(ra(R1, container(UUID)))
    assert told.pvd(X).uid == X and told.pvd(f"uuid:{UUID}").uid == f"uuid:{UUID}"
    for router in (R1, R2, "fe80::3", "fe80::4", "fe80::5", "fe80::6"):
        id = f"ra:e0/1/{router}"
        told.hear(ra(router))
        said = ("b00f", "capture:e0", str(START), str(START + 3 * SECOND), id)
        number = int.from_bytes(blake2b("\n".join(said).encode(), digest_size=16).digest())
        number = number & ~(0xF << 76) & ~(3 << 62) | 8 << 76 | 2 << 62  # RFC 9562 §5.8: version 8 and the variant
        text = f"{number:032x}"
        assert told.pvd(id).uid == f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def test_what_differs_between_two_contents_is_told_by_key_and_by_order() -> None:
    old = tuple((kind, key, ()) for kind in ("dns", "encrypted_dns", "pref64", "search") for key in ("a", "b"))
    new = tuple((kind, key, ()) for kind in ("dns", "encrypted_dns", "pref64", "search") for key in ("b", "a"))
    orders = tuple(
        ((kind, "order", ("a", "b")), (kind, "order", ("b", "a")))
        for kind in ("dns", "search", "encrypted_dns", "pref64")
    )
    assert difference(old, new) == ((), (), orders)
    assert difference((), new) == (new, (), ())
    grown = (("dns", "c", ()), *old)
    assert difference(old, grown) == ((("dns", "c", ()),), (), ()), "what is new moves nothing else"
    assert difference(grown, old) == ((), (("dns", "c", ()),), ())
    assert difference((("mtu", "mtu", (1400,)),), (("mtu", "mtu", (1500,)),)) == (
        (),
        (),
        ((("mtu", "mtu", (1400,)), ("mtu", "mtu", (1500,))),),
    )


# What is laid over each other


@pytest.mark.covers("rfc:N14", part="expected")
def test_of_words_at_one_instant_those_of_the_first_router_count() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P, flags="L"))), ra(R2, pvd("x.example.", pio(P, flags="A"))))
    assert told.holdings(X, "prefix") == {P: (True, False, False)}
    told.at(1).hear(ra(R2, pvd("x.example.", pio(P, flags="A"))))
    assert told.holdings(X, "prefix") == {P: (False, True, False)}, "later the newest do, though only repeated"


@pytest.mark.covers("rfc:D07", part="expected")
def test_a_resolver_stands_where_the_first_to_name_it_put_it() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", dns(D1)))).at(1).hear(ra(R1, pvd("x.example.", dns(D1), dns(D2))))
    assert told.keys(X, "dns") == [D2, D1], "newer announcements before older ones"
    told.at(2).hear(ra(R2, pvd("x.example.", dns(D1), dns(D2), dns(D3), pref64("64:ff9b:1::/96"))))
    assert told.keys(X, "dns") == [D3, D2, D1]
    told.at(3).hear(ra(R2, pvd("x.example.", pref64("64:ff9b:1::/96"), pref64("64:ff9a::/96"))))
    assert told.keys(X, "pref64") == ["64:ff9b:1::/96", "64:ff9a::/96"], "and these as they were received"
    assert told.keys(X, "dns") == [D3, D2, D1]


def test_resolvers_of_dhcp_are_asked_before_those_of_a_newer_announcement() -> None:
    """RFC 8106 §5.3.1."""
    told = Story().leases4().at(1).hear(ra(R1, dns(D1))).at(3)
    (one,) = [place for place in desired(told.state, host=CLIENT).places if place.pvd == I1]
    assert one.servers == ("192.0.2.53", D1)


# Places


def test_what_stands_goes_on_standing_through_a_new_version() -> None:
    told = placed().at(5).hear(ra(R1, pvd("x.example.", pio(P), pio(Q))))
    assert told.instances(X)[0].version == 2 and place(told).name == str(TABLES_FIRST)
    assert told.instances(X)[0].phase == "placed"


def test_what_ends_in_the_kernel_lingers_and_nothing_of_it_is_tried_again() -> None:
    told = stands(placed(), error="ENODEV")
    assert len(place(told).failed) == 1
    told.at(7).hear(withdraws())  # type: ignore[arg-type]
    assert told.instances(X)[0].phase == told.pvd(X).phase == "lingering"
    assert (place(told).failed, place(told).users, place(told).ended_at) == ((), (), START + 7 * SECOND)
    assert told.pvd(X).last_seen == START, "it was withdrawn, not heard"
    told.hear(PlaceUsed("tables", X, "e0", 1, (User(17, "curl"),)))
    assert place(told).users == (User(17, "curl"),)
    told.at(9).hear(ra(R1, pvd("x.example.", pio(P))))
    assert told.instances(X)[0].phase == "placed", "it is there already"
    assert (place(told).users, place(told).ended_at) == ((), 0), "and nothing ends any more"


def test_a_lease_that_ends_beside_what_all_share_leaves_nobody_behind() -> None:
    told = Story(projection="tables")
    told.hear(LinkSeen(link="e0", identity="netns:1:2:1", kind="veth", ifindex=2, name="e0", host=True, mac=CLIENT))
    told.hear(ra(R1, pio(P))).leases4(life=600).at(2)
    stands(told, I1)
    assert [(one.host, one.phase) for one in told.instances(I1)] == [("", "placed"), (CLIENT, "placed")]
    told.at(700)
    assert [(one.host, one.phase) for one in told.instances(I1)] == [("", "placed")]


def test_an_instance_elsewhere_keeps_no_place_here() -> None:
    told = placed().hear(ra(R1, pvd("x.example."), link="e1"))
    assert told.pvd(X).phase == "placed", "as far as the furthest of its instances"
    stands(told, link="e1").hear(withdraws())  # type: ignore[arg-type]
    assert [(one.link, one.phase) for one in told.instances(X)] == [("e0", "lingering"), ("e1", "placed")]


# Who is compared with whom


def test_routers_that_disagree_are_told_with_what_they_disagree_about() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", mtu(1400)), hop=64), ra(R2, pvd("x.example."), m=True, hop=63))
    assert "hop limit" in (found := told.findings()["ra-inconsistent"].text), found
    quiet = Story().hear(ra(R1, pvd("x.example.", mtu(1400)), hop=64), ra(R2, pvd("x.example.", mtu(1400))))
    assert "ra-inconsistent" not in quiet.findings(), "0 says nothing"
    several = Story().hear(ra(R1, pvd("x.example.", mtu(1400))), ra(R2, pvd("x.example.", mtu(1500)), o=True))
    assert several.findings()["ra-inconsistent"].text.endswith("MTU, O") or (
        "MTU, O" in several.findings()["ra-inconsistent"].text
    )


def test_links_that_are_one_pvd_and_agree_are_nothing_to_tell() -> None:
    told = Story(trusted_links="e*")
    for seq in (7, 7, 8):
        told.hear(ra(R1, pvd("x.example.", h=True, seq=seq)), ra(R1, pvd("x.example.", h=True, seq=7), link="e1"))
        assert ("ra-inconsistent" in told.findings()) is (seq == 8)
    assert ": H flag or sequence number" in told.findings()["ra-inconsistent"].text
    alone = Story(trusted_links="e*").hear(ra(R1, pvd("x.example.", h=True, seq=7)))
    assert "ra-inconsistent" not in alone.findings()


def test_portals_that_differ_are_told_with_who_says_them() -> None:
    one, other = "https://a.example/", "https://b.example/"
    told = Story().hear(ra(R1, pvd("x.example.", portal(other))), ra(R2, pvd("x.example.", portal(one))))
    assert f"{one} by {R2}, {other} by {R1}" in told.findings()["capport-differs"].text
    silent = Story().hear(ra(R1, pvd("x.example.", search("a.example."), dns(D1), mtu(1400))))
    assert silent.findings() == {}
