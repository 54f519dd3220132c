"""Trust in a PvD: what it takes, what it makes one, what ends it (RFC 7556 §2.3, §7; standards.md A04, A13, C.4).

Law: each tale has its twin without the one thing that trust needs, and there nothing is shared.
"""

import pytest

from events.ids import SECOND
from events.operator import PolicySet, PropertiesSet, PropertyRule
from events.pvdinfo import AdditionalInformation, PvdInfoFetched
from events.router import RouterAdvertised
from pvdcore.domains import trust
from pvdcore.domains.properties import properties
from pvdcore.domains.view import information
from pvdcore.policy import DEFAULT
from pvdcore.projections.desired import desired
from replay.shown.report import state_document
from tests.core.test_instances import stands
from tests.sim.build import R1, R2, START, Story, container, dns, mtu, pio, pvd, ra

X = "fqdn:x.example."
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
UUID = "00112233-4455-6677-8899-aabbccddeeff"
E0, E1 = ("e0", 1), ("e1", 1)


def x(*options: object, link: str = "e0", seq: int = 7, h: bool = True, legacy: bool = False) -> RouterAdvertised:
    return ra(R1, pvd("x.example.", *options, h=h, seq=seq, legacy=legacy), link=link)  # type: ignore[arg-type]


def object_(link: str = "e0", seq: int = 7, life_s: int = 3600, epoch: int = 1, body: str = "{}") -> PvdInfoFetched:
    """A valid object, so also a valid certificate."""
    said = AdditionalInformation("x.example.", START + life_s * SECOND, ("2001:db8::/32",))
    return PvdInfoFetched(pvd=X, link=link, epoch=epoch, sequence=seq, body=body, said=said)


def levels(told: Story, id: str = X) -> dict[str, str]:
    """Trust by link, as the state document says it."""
    (row,) = state_document(told.state, only=lambda one: one.id == id).pvds
    return {one.link: one.trust for one in row.instances}


@pytest.mark.covers("rfc:A13")
@pytest.mark.parametrize(
    ("listed", "retrieved", "level"),
    [
        ("", False, "none"),  # a rogue that says a name
        ("x.example", False, "none"),  # even one that is listed
        ("", True, "none"),  # a valid certificate, of whomever
        ("y.example", True, "none"),
        ("y.example X.Example.", True, "authenticated"),
        ("fqdn:x.example.", True, "authenticated"),
    ],
)
def test_trust_takes_an_object_retrieved_here_and_the_operators_word(listed: str, retrieved: bool, level: str) -> None:
    told = Story(trusted=listed).hear(x(pio(P)))
    if retrieved:
        told.hear(object_())
    assert levels(told) == {"e0": level}
    assert state_document(told.state).pvds[0].trust == level


@pytest.mark.covers("rfc:A13")
def test_the_operator_may_trust_what_a_link_is_attached_to() -> None:
    told = Story(trusted_links="lab* e1").hear(x(), x(link="e1"), ra(R2, link="e1"))
    assert levels(told) == {"e0": "none", "e1": "attachment"}
    assert state_document(told.state).pvds[0].trust == "none", "the name has the trust that all who use it have"
    assert levels(told, f"ra:e1/1/{R2}") == {"e1": "attachment"}


@pytest.mark.covers("rfc:A13", "rfc:A24")
def test_trust_ends_with_what_it_rests_on() -> None:
    def trusted() -> Story:
        told = Story(trusted="x.example").hear(x(pio(P)), object_(life_s=600)).at(10)
        assert levels(told) == {"e0": "authenticated"}
        return told

    assert levels(trusted().hear(x(pio(P), seq=8))) == {"e0": "none"}, "another sequence number"
    assert levels(trusted().at(601)) == {"e0": "none"}, "the object expired"
    assert levels(trusted().hear(x(pio("2001:dead::/64")))) == {"e0": "none"}, "a prefix it does not cover"
    elsewhere = trusted().detach().attach().hear(x(pio(P)))
    assert levels(elsewhere) == {"e0": "none"}, "the same words at another place"
    revoked = trusted().hear(PolicySet(values={**DEFAULT.values, "trusted": ""}))
    assert levels(revoked) == {"e0": "none"}


FREE = PropertiesSet(rules=(PropertyRule({"free": True}, link="e0"), PropertyRule({"known": True}, pvd="fqdn:x.*")))


@pytest.mark.covers("rfc:A04", "rfc:P20")
@pytest.mark.parametrize("trusted", ["", "e0", "e1", "e0 e1"])
def test_equal_names_on_two_links_are_one_pvd_only_where_both_are_trusted(trusted: str) -> None:
    told = Story(trusted_links=trusted)
    told.hear(x(pio(P), dns("2001:db8::1")), x(pio(Q), dns("2001:db8::2"), link="e1"), object_(), FREE)
    assert told.alive() == [X] and len(told.instances(X)) == 2, "one name, two instances, whatever is trusted"
    one = trusted == "e0 e1"
    assert trust.domains(told.state, told.pvd(X)) == ([(E0, E1)] if one else [(E0,), (E1,)])
    assert (information(told.state, told.pvd(X), *E1) is not None) is one, "what was retrieved by e0"
    assert information(told.state, told.pvd(X), *E0) is not None
    assert properties(told.state, X) == ({"free": True, "known": True} if one else {"known": True}), "nor a preference"
    places = {
        place.link: (place.servers, [route.destination for route in place.routes])
        for place in desired(told.state).places
    }
    assert places == {"e0": (("2001:db8::1",), [P, "::/0"]), "e1": (("2001:db8::2",), [Q, "::/0"])}, (
        "never configuration"
    )


@pytest.mark.covers("rfc:A04")
def test_one_pvd_by_two_ids_by_certificate_or_by_one_without_a_name() -> None:
    told = Story(trusted="x.example").hear(x(pio(P)), x(pio(P), link="e1"), object_())
    assert trust.domains(told.state, told.pvd(X)) == [(E0,), (E1,)], "each instance proves itself"
    told.hear(object_("e1"))
    assert trust.domains(told.state, told.pvd(X)) == [(E0, E1)]
    links = Story(trusted_links="e*").hear(
        ra(R1, container(UUID)), ra(R1, container(UUID), link="e1"), ra(R2), ra(R2, link="e1")
    )
    assert trust.domains(links.state, links.pvd(f"uuid:{UUID}")) == [(E0, E1)]
    assert all(len(trust.domains(links.state, links.pvd(id))) == 1 for id in links.alive() if id.startswith("ra:"))


@pytest.mark.covers("rfc:A04")
def test_where_the_links_of_one_pvd_differ_the_last_ra_counts_and_that_is_told() -> None:
    told = Story(trusted_links="e*").hear(x(), x(link="e1"), object_(body='{"a": 1}')).at(5).hear(x(link="e1", seq=8))
    assert told.findings()["ra-inconsistent"].text.endswith(": H flag or sequence number")
    same = Story(trusted_links="e*").hear(x(), x(link="e1")).at(5).hear(x(seq=8), x(link="e1", seq=8))
    assert same.findings()["ra-inconsistent"].count == 1, "until both have said it"
    assert "ra-inconsistent" not in Story(trusted_links="e*").hear(x(), x(link="e1"), object_()).findings()
    assert information(told.state, told.pvd(X), *E0) is None, "there is an object of a newer number"
    told.at(10).hear(x())
    found = information(told.state, told.pvd(X), *E1)
    assert found is not None and found.body == '{"a": 1}'
    apart = Story().hear(x(), x(link="e1"), object_()).at(5).hear(x(link="e1", seq=8))
    assert "ra-inconsistent" not in apart.findings() and information(apart.state, apart.pvd(X), *E0) is not None


@pytest.mark.covers("rfc:A04")
def test_a_router_of_another_link_that_says_it_has_no_information_is_one_that_differs() -> None:
    told = Story(trusted_links="e*").hear(x(), object_()).at(5).hear(x(link="e1", h=False))
    assert told.findings()["ra-inconsistent"].text.endswith(": H flag or sequence number")
    assert information(told.state, told.pvd(X), *E0) is None, "it spoke last"
    assert information(told.at(6).hear(x()).state, told.pvd(X), *E1) is not None
    neither = Story(trusted_links="e*").hear(x(h=False, seq=1), x(h=False, seq=2, link="e1"))
    assert "ra-inconsistent" not in neither.findings(), "without the flag the number means nothing"
    apart = Story().hear(x(), object_()).at(5).hear(x(link="e1", h=False))
    assert "ra-inconsistent" not in apart.findings() and information(apart.state, apart.pvd(X), *E0) is not None


@pytest.mark.covers("rfc:A04")
def test_a_lease_is_no_word_of_a_router_that_differs() -> None:
    told = Story(trusted_links="e*").hear(x(), x(link="e1", seq=8, legacy=True))
    assert told.findings()["ra-inconsistent"].count == 1
    assert len(told.leases4(link="e1").instances(X)) == 3
    assert told.findings()["ra-inconsistent"].count == 1


@pytest.mark.covers("rfc:A04")
@pytest.mark.parametrize("newer", ["e0", "e1"])
def test_of_two_objects_of_one_number_the_newer_one_is_shown_on_all_links(newer: str) -> None:
    older = "e1" if newer == "e0" else "e0"
    told = Story(trusted_links="e*").hear(x(), x(link="e1"), object_(older, body='{"a": 1}'))
    told.at(5).hear(object_(newer, body='{"a": 2}'))
    found = [information(told.state, told.pvd(X), *one) for one in (E0, E1)]
    assert [one and one.body for one in found] == ['{"a": 2}'] * 2


@pytest.mark.covers("rfc:A04")
def test_what_has_ended_on_one_link_and_lingers_differs_from_nothing() -> None:
    told = Story(trusted_links="e*", projection="tables").hear(x(pio(P)), x(pio(Q), link="e1"))
    stands(told, X).at(5).hear(ra(R1, pvd("x.example.", pio(P, 0, 0)), life=0)).hear(x(pio(Q), mtu(1400), link="e1"))
    assert [(one.link, one.phase) for one in told.instances(X)] == [("e0", "lingering"), ("e1", "announced")]
    assert "ra-inconsistent" not in told.findings()


@pytest.mark.covers("rfc:A04")
def test_the_attachments_that_are_one_pvd_are_told_in_the_order_of_their_links() -> None:
    told = Story(trusted_links="e1 e2").hear(x(), x(link="e1"), x(link="e2"))
    assert trust.domains(told.state, told.pvd(X)) == [(E0,), (E1, ("e2", 1))]
    assert trust.domain(told.state, told.pvd(X), E1) == (E1, ("e2", 1))
    assert trust.domain(told.state, told.pvd(X), ("e9", 1)) == (("e9", 1),), "where the PvD is not, it is by itself"
    told.detach("e0").detach("e1").detach("e2")
    assert trust.weakest(told.state, told.pvd(X)) == "none" and trust.domains(told.state, told.pvd(X)) == []
