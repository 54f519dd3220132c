"""What ends what: the table of standards.md C.5, one case for each cause it names, and that nothing else does.

Law: each case begins with the thing held beside others, and ends with it gone and the others still there.
"""

from collections.abc import Callable

import pytest

from events.pvdinfo import AdditionalInformation, PvdInfoFetched
from events.router import EncryptedDns, RouterAdvertised
from pvdcore.projections.desired import desired
from tests.sim.build import (
    CLIENT,
    R1,
    R2,
    START,
    Story,
    addresses,
    dhcp4,
    dns,
    ia_address,
    ia_na,
    mtu,
    na,
    names,
    pio,
    portal,
    pref64,
    pvd,
    ra,
    rio,
    search,
)

X, I1 = "fqdn:x.example.", "ra:e0/1/fe80::1"
IF = "if:e0/1"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
LONG = 86400
STAYS = (pio(Q, LONG, LONG), rio("2001:db8:bb::/48", LONG))
"""What another router of the same PvD says: it must outlive every case."""

Tale = Callable[[], Story]
Deed = Callable[[Story], Story]


def said(router: str = R1, life: int = 1800, **flags: object) -> RouterAdvertised:
    """An RA of X with one item of each kind, all for 600 s."""
    dnr = EncryptedDns(1, "dot.example.", ("2001:db8::853",), (), 600, 64)
    items = (
        pio(P, 600, 600),
        rio("2001:db8:aa::/48", 600),
        dns("2001:db8::53", life=600),
        search("a.example.", life=600),
        pref64("64:ff9b::/96", 600),
        dnr,
        portal("https://portal.example/"),
        mtu(1400),
    )
    return ra(router, pvd("x.example.", *items, **flags), life=life)  # type: ignore[arg-type]


def network() -> Story:
    return Story().hear(said(), ra(R2, pvd("x.example.", *STAYS), life=9000))


def leased() -> Story:
    return network().leases4(life=600).asks6("SOLICIT", ia_na(ia_address("2001:db8:9::a", 600, 600)))


def informed() -> Story:
    told = Story().hear(said(h=True, seq=1), ra(R2, pvd("x.example.", *STAYS, h=True, seq=1), life=9000))
    until = START + 600 * 10**9
    whole = AdditionalInformation("x.example.", until, ("2001:db8::/32",))
    return told.hear(PvdInfoFetched(pvd=X, link="e0", epoch=1, sequence=1, body="{}", said=whole))


def hears(*events: object) -> Deed:
    return lambda told: told.at(60).hear(*events)  # type: ignore[arg-type]


def waits(seconds: float) -> Deed:
    return lambda told: told.at(seconds)


def leaves(told: Story) -> Story:
    return told.at(60).detach()


def only(*options: object, life: int = 1800, **flags: object) -> RouterAdvertised:
    return ra(R1, pvd("x.example.", *options, **flags), life=life)  # type: ignore[arg-type]


def stateless() -> Story:
    return network().asks6("INFORMATION-REQUEST", addresses(23, "2001:db8::99"), names(24, "b.example."))


def asks_again(told: Story) -> Story:
    return told.at(60).asks6("INFORMATION-REQUEST", names(24, "b.example."))


def renews_with_0(told: Story) -> Story:
    return told.at(60).asks6("RENEW", ia_na(ia_address("2001:db8:9::a", 0, 0)))


LEASE = (IF, "address", "192.0.2.10/24")
LEASE6 = (IF, "address", "2001:db8:9::a/128")
ENDS: list[tuple[str, Tale, tuple[str, str, str], Deed]] = [
    # (row and cause, what is told before, what ends: PvD, kind, key; by what)
    ("router: lifetime 0", network, (X, "router", R1), hears(only(life=0))),
    ("router: expiry", network, (X, "router", R1), waits(1800)),
    ("router: NA with R=0", network, (X, "router", R1), hears(na(R1))),
    ("router: attachment", network, (X, "router", R1), leaves),
    ("prefix: expiry", network, (X, "prefix", P), waits(600)),
    ("prefix: valid 0", network, (X, "prefix", P), hears(only(pio(P, 0, 0)))),
    ("prefix: attachment", network, (X, "prefix", P), leaves),
    ("route: expiry", network, (X, "route", "2001:db8:aa::/48 via fe80::1"), waits(600)),
    ("route: 0", network, (X, "route", "2001:db8:aa::/48 via fe80::1"), hears(only(rio("2001:db8:aa::/48", 0)))),
    ("resolver: expiry", network, (X, "dns", "2001:db8::53"), waits(600)),
    ("resolver: 0", network, (X, "dns", "2001:db8::53"), hears(only(dns("2001:db8::53", life=0)))),
    ("name: expiry", network, (X, "search", "a.example."), waits(600)),
    ("name: 0", network, (X, "search", "a.example."), hears(only(search("a.example.", life=0)))),
    ("pref64: expiry", network, (X, "pref64", "64:ff9b::/96"), waits(600)),
    ("pref64: 0", network, (X, "pref64", "64:ff9b::/96"), hears(only(pref64("64:ff9b::/96", 0)))),
    ("dnr: expiry", network, (X, "encrypted_dns", "1 dot.example. 2001:db8::853"), waits(600)),
    (
        "dnr: 0",
        network,
        (X, "encrypted_dns", "1 dot.example. 2001:db8::853"),
        hears(only(EncryptedDns(1, "dot.example.", ("2001:db8::853",), (), 0, 64))),
    ),
    ("portal: the router leaves", network, (X, "captive_portal", "uri"), waits(1800)),
    ("mtu: the router leaves", network, (X, "mtu", "mtu"), waits(1800)),
    ("lease: expiry", leased, LEASE, waits(600)),
    ("lease: NAK", leased, LEASE, hears(dhcp4("REQUEST", xid=9), dhcp4("NAK", addresses(54, "192.0.2.1"), xid=9))),
    ("lease: RELEASE", leased, LEASE, hears(dhcp4("RELEASE", addresses(54, "192.0.2.1"), ciaddr="192.0.2.10"))),
    (
        "lease: DECLINE",
        leased,
        LEASE,
        hears(dhcp4("DECLINE", addresses(54, "192.0.2.1"), addresses(50, "192.0.2.10"))),
    ),
    ("lease: attachment", leased, LEASE, leaves),
    ("lease 6: expiry", leased, LEASE6, waits(600)),
    (
        "lease 6: valid 0",
        leased,
        LEASE6,
        lambda told: told.at(60).asks6("RENEW", ia_na(ia_address(LEASE6[2][:-4], 0, 0))),
    ),
    ("stateless: missing in a later Reply", stateless, (IF, "dns", "2001:db8::99"), asks_again),
    ("lease 6: attachment", leased, LEASE6, leaves),
    ("information: sequence", informed, (X, "info", "info"), hears(said(h=True, seq=2))),
    ("information: expiry", informed, (X, "info", "info"), waits(600)),
    ("information: H=0", informed, (X, "info", "info"), hears(said())),
    (
        "information: not covered",
        informed,
        (X, "info", "info"),
        hears(ra(R1, pio("fd00::/64"), pvd("x.example.", h=True, seq=1))),
    ),
    ("information: PvD end", informed, (X, "info", "info"), leaves),
]


def contents(told: Story, pvd_: str) -> set[tuple[str, str]]:
    return {(kind, key) for one in told.instances(pvd_) for kind, key, _ in one.content}


@pytest.mark.covers("rfc:A11", "bug:16", "feat:H1")
@pytest.mark.parametrize(("tale", "what", "deed"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_each_cause_ends_what_it_should_and_nothing_else(tale: Tale, what: tuple[str, str, str], deed: Deed) -> None:
    told = tale()
    id, kind, key = what
    assert (kind, key) in contents(told, id)
    told = deed(told)
    assert (kind, key) not in contents(told, id)
    if deed is leaves:
        assert told.alive() == []
        return
    assert {("prefix", Q), ("route", "2001:db8:bb::/48 via fe80::2"), ("router", R2)} <= contents(told, X)
    gone = [one for one in told.history(id) if any(item[:2] == (kind, key) for item in one.removed)]
    assert len(gone) == 1 and gone[0].because, "history says when and because of what, once"


@pytest.mark.parametrize(
    "deed",
    [
        hears(only()),  # absence withdraws nothing
        hears(only(dns("2001:db8::54", life=0))),  # another's end
        hears(na(R1, router=True)),
        hears(na(R2, router=True)),
        hears(dhcp4("NAK", addresses(54, "192.0.2.1"), xid=77)),  # answers no question
        hears(dhcp4("RELEASE", addresses(54, "192.0.2.1"), ciaddr="192.0.2.10", mac="02:00:00:00:00:99")),
        waits(599),
    ],
)
def test_what_looks_like_an_end_and_is_none(deed: Deed) -> None:
    told = leased()
    before = {id: contents(told, id) for id in (X, IF)}
    assert {id: contents(deed(told), id) for id in (X, IF)} == before


def test_a_portal_and_an_mtu_are_replaced() -> None:
    told = network().at(60).hear(only(portal("https://new.example/"), mtu(1300)))
    assert told.holdings(X, "captive_portal") == {"uri": ("https://new.example/",)}
    assert told.holdings(X, "mtu") == {"mtu": (1300,)}


@pytest.mark.covers("feat:D5", "feat:H2")
def test_an_explicit_pvd_ends_with_its_last_item_and_stays_in_history() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P, 600, 600)), life=300)).at(599)
    assert told.alive() == [X], "one item is enough"
    told.at(600)
    assert told.alive() == [] and told.pvd(X).phase == "gone" and told.pvd(X).ended == START + 600 * 10**9
    told.at(10**6).hear(ra(R1, pvd("x.example.")))
    assert told.alive() == [X] and len([one for one in told.history(X) if one.phase == "gone"]) == 1


def test_an_explicit_pvd_that_says_nothing_with_a_lifetime_has_a_soft_one() -> None:
    told = Story(soft_lifetime_s=100).hear(ra(R1, pvd("x.example."), life=0)).at(99)
    assert told.alive() == [X] and told.at(100).alive() == []


@pytest.mark.covers("feat:C2")
def test_the_key_of_an_implicit_pvd_is_never_used_again() -> None:
    told = Story().hear(ra(R1)).detach().attach().hear(ra(R1))
    assert told.alive() == ["ra:e0/2/fe80::1"] and told.pvd(I1).phase == "gone"
    assert told.at(9999).alive() == []


def test_an_address_of_slaac_ends_with_its_prefix_and_with_the_attachment() -> None:
    def formed(told: Story) -> list[str]:
        want = desired(told.state, host=CLIENT, iid="eui64")
        return [
            one.address for place in want.places for one in place.addresses if one.address.startswith("2001:db8:1:")
        ]

    assert formed(network()) and formed(network().at(599))
    assert formed(network().at(600)) == [] and formed(network().detach()) == []
