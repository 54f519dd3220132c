"""Captive portals by three families, per PvD: which one counts, and what its URI says (RFC 8910)."""

from collections.abc import Iterable

import pytest

from events.dhcp import Codes
from pvdcore.domains.contents import Source
from pvdcore.domains.portals import Portal, literal
from pvdcore.domains.portals import state as says
from pvdcore.projections.desired import desired
from pvdcore.state import Held
from replay.shown.report import state_document
from replay.shown.tables import Printer
from replay.shown.text import status
from tests.sim.build import CLIENT, R1, R2, Story, addresses, dhcp4, lease4, portal, pvd, ra, text

X, Y, HOME = "fqdn:x.example.", "fqdn:y.example.", "if:e0/1"
BY_RA, BY_4, BY_6 = "https://ra.example/", "https://four.example/", "https://six.example/"
NONE = "urn:ietf:params:capport:unrestricted"


def counts(told: Story, pvd: str) -> Portal | None:
    """The portal of a PvD for the one host here, whose DHCPv6 client is known by the same name."""
    (found,) = [one.portal for one in desired(told.state, host=CLIENT).places if one.pvd == pvd]
    return found


def by_all(policy: str) -> Story:
    told = Story(captive_portal=policy).hear(ra(R1, portal(BY_RA), o=True)).leases4(text(114, BY_4))
    return told.at(5).asks6("INFORMATION-REQUEST", text(103, BY_6), client=CLIENT)


@pytest.mark.covers("rfc:F10", "feat:J1")
@pytest.mark.parametrize(
    ("policy", "uri"), [("ra", BY_RA), ("dhcp4", BY_4), ("dhcp6", BY_6), ("newest", BY_6)], ids=lambda one: one
)
def test_of_portals_that_differ_the_family_of_the_policy_counts_and_the_others_stay(policy: str, uri: str) -> None:
    told = by_all(policy)
    found = counts(told, "ra:e0/1/fe80::1")
    assert found is not None and (found.uri, found.state) == (uri, "announced")
    assert found.by == {"newest": "dhcp6"}.get(policy, policy)
    assert "capport-differs" in told.findings()
    held = [one.value[0] for one in _portals(told.state.grants.values())]
    origin = told.origin("ra:e0/1/fe80::1", R1)
    assert origin is not None
    held += [one.value[0] for one in _portals([origin])]
    assert {BY_RA, BY_4, BY_6} <= set(held)  # none is overwritten


def _portals(sources: Iterable[Source]) -> list[Held]:
    return [held for source in sources for held in source.held if held.kind == "captive_portal"]


@pytest.mark.covers("rfc:F10")
def test_where_the_first_family_says_nothing_the_newest_other_counts() -> None:
    told = Story(captive_portal="dhcp6").hear(ra(R1, portal(BY_RA))).at(5).leases4(text(114, BY_4))
    found = counts(told, "ra:e0/1/fe80::1")
    assert found == Portal(BY_4, "announced", "dhcp4", told.state.seq)
    told.at(10).hear(ra(R1, portal(BY_RA)))
    found = counts(told, "ra:e0/1/fe80::1")
    assert found == Portal(BY_RA, "announced", "ra", told.state.seq)
    same = Story().hear(ra(R1, portal(BY_4))).leases4(text(114, BY_4))
    assert same.findings() == {}


@pytest.mark.covers("rfc:F11")
@pytest.mark.parametrize(
    ("uri", "warned"),
    [
        ("https://192.0.2.1/api", True),
        ("https://[2001:db8::1]:8443/", True),
        ("https://192.0.2.1.example/", False),
        (NONE, False),
    ],
)
def test_a_portal_that_is_named_by_an_address_is_recorded_with_a_warning(uri: str, warned: bool) -> None:
    for told in (Story().hear(ra(R1, pvd("x.example.", portal(uri)))), Story().leases4(text(114, uri))):
        (id,) = told.alive()
        assert told.holdings(id, "captive_portal") == {"uri": (uri,)}
        assert ("capport-literal" in told.findings()) is warned
    assert literal("https://[v1.x]/") is False


@pytest.mark.covers("rfc:F12", "feat:J2")
def test_a_network_that_says_it_has_no_portal_has_none() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", portal(NONE))), ra(R2, pvd("y.example.", portal(BY_RA))), ra(R2))
    places = {one.pvd: one.portal for one in desired(told.state).places}
    none, announced, silent = (places[one] for one in (X, Y, "ra:e0/1/fe80::2"))
    assert none is not None and announced is not None and silent is None
    assert (none.state, announced.state) == ("none", "announced")
    assert says(NONE.upper()) == "none"
    assert says(NONE + ":not") == "announced"


@pytest.mark.covers("feat:J2")
def test_each_pvd_shows_its_own_portal() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", portal(NONE))), ra(R2, pvd("y.example.", portal(BY_RA))))
    document = state_document(told.state)
    rows = {row.id: row.instances[0].captive_portal for row in document.pvds}
    assert {id: row.uri for id, row in rows.items() if row} == {X: NONE, Y: BY_RA}
    printed: list[str] = []
    status(Printer(printed.append, colour=False, legend=True), document, utc=True)
    lines = [line.split() for line in "".join(printed).splitlines() if "captive portal" in line]
    assert [NONE in lines[0], "none," in lines[0], BY_RA in lines[1], "none," in lines[1]] == [True, True, True, False]


@pytest.mark.covers("rfc:F13", part="negative")
def test_a_portal_that_nobody_asked_for_counts_in_dhcpv4() -> None:
    question = dhcp4("REQUEST", addresses(50, "192.0.2.10"), Codes(55, (1, 3, 6), 0, 0))
    told = Story().hear(question, lease4("192.0.2.10", text(114, BY_4)))
    assert told.holdings(HOME, "captive_portal") == {"uri": (BY_4,)}
    assert told.findings() == {}


@pytest.mark.covers("rfc:F11")
@pytest.mark.parametrize("uri", ["", "portal", "https:///", "https://[::1", "https://portal.example/?192.0.2.1"])
def test_what_names_no_host_or_another_is_no_literal(uri: str) -> None:
    assert literal(uri) is False
