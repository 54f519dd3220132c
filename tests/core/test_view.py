"""What a PvD holds of one IP version, for who asks for that one alone.

Law: each item is of IPv4, of IPv6, or of neither, and then of both; so who asks for both misses nothing.
"""

from events.dhcp import RdnssSelection, Resolver
from events.router import EncryptedDns
from pvdcore.domains.view import items, of_family
from replay.shown.report import state_document
from tests.core.test_vpns import CORP, UP, tun
from tests.sim.build import (
    R1,
    Story,
    addresses,
    dns,
    ia_address,
    ia_na,
    ia_pd,
    ia_prefix,
    mtu,
    pio,
    portal,
    pref64,
    pvd,
    ra,
    rio,
    routes,
    search,
    text,
)

X = "fqdn:x.example."
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"


def of(told: Story, id: str, version: int) -> list[tuple[str, str]]:
    """Kind and key of what the instances of a PvD hold of an IP version."""
    cells = ((one.link, one.epoch, one.host) for one in told.instances(id))
    return sorted(
        (held.kind, held.key) for cell in cells for _, held in of_family(items(told.state, id, cell), version)
    )


def dual() -> Story:
    """A network with all that RAs and DHCP can say, in one PvD."""
    doh = EncryptedDns(1, "six.example.", ("2001:db8::853",), lifetime_s=600)
    told = Story()
    options = (pio(P), pio(Q), rio("2001:db8:b::/48"), dns("2001:db8::53"), search("x.example."), pref64(), mtu(1400))
    told.hear(ra(R1, pvd("x.example.", *options, doh, portal("https://x.example/"), legacy=True), m=True, hop=64))
    told.hear(ra(R1, pvd("x.example.", pio(P, 60, 60, "A"), pio(Q, 60, 60, "L"), legacy=True), m=True, hop=64))
    told.leases4(
        addresses(42, "192.0.2.123"),
        routes(121, ("198.51.100.0/24", "192.0.2.1"), ("203.0.113.0/24", None)),
        text(12, "host"),
        Resolver(162, 1, "four.example.", 0, 0, ("192.0.2.85",)),
        Resolver(162, 2, "none.example.", 0, 0),
        RdnssSelection(146, ("192.0.2.53",), "high", ("a.example.",), 0, 0),
    )
    given = ia_na(ia_address("2001:db8:1::a")), ia_pd(ia_prefix(P))
    rules = RdnssSelection(74, ("2001:db8::53",), "high", ("b.example.",), 0, 0)
    return told.asks6("REQUEST", *given, addresses(31, "2001:db8::123"), rules, ask=(23, 31, 74))


OF_BOTH = [
    ("captive_portal", "uri"),
    ("encrypted_dns", "2 none.example."),
    ("hostname", "hostname"),
    ("mtu", "mtu"),
    ("search", "x.example."),
]


def test_what_a_network_says_of_one_ip_version_is_shown_without_the_other() -> None:
    told = dual()
    assert of(told, X, 4) == sorted(
        [
            *OF_BOTH,
            ("address", "192.0.2.10/24"),
            ("dns", "192.0.2.53"),
            ("dns_rule", "192.0.2.53 a.example."),
            ("encrypted_dns", "1 four.example. 192.0.2.85"),
            ("lease", "dhcp4"),
            ("ntp", "192.0.2.123"),
            ("route", "198.51.100.0/24 via 192.0.2.1"),
            ("route", "203.0.113.0/24"),
        ]
    )
    assert of(told, X, 6) == sorted(
        [
            *OF_BOTH,
            ("address", "2001:db8:1::a/128"),
            ("autonomous", Q),
            ("dns", "2001:db8::53"),
            ("dns_rule", "2001:db8::53 b.example."),
            ("encrypted_dns", "1 six.example. 2001:db8::853"),
            ("hop_limit", "hop_limit"),
            ("lease", "dhcp6 2001:db8:1::a"),
            ("lease", f"dhcp6 {P}"),
            ("ntp", "2001:db8::123"),
            ("on_link", P),
            ("pref64", "64:ff9b::/96"),
            ("prefix", P),
            ("prefix", Q),
            ("prefix_delegated", P),
            ("route", "2001:db8:b::/48 via fe80::1"),
            ("router", R1),
        ]
    )


def test_of_a_tunnel_each_ip_version_is_shown_with_what_does_not_go_through_it() -> None:
    told = Story().hear(tun(), UP)
    four = [
        ("address", "10.8.0.2/24"),
        ("dns", "10.8.0.1"),
        ("excluded", "192.0.2.128/25"),
        ("route", "192.0.2.0/24 via 10.8.0.1"),
    ]
    six = [
        ("address", "2001:db8:8::2/64"),
        ("dns", "2001:db8:8::53"),
        ("route", "2001:db8:8::/64"),
        ("route", "2001:db8:9::/48"),
    ]
    of_both = [("mtu", "mtu"), ("search", "corp.example."), ("vpn", "openvpn")]
    assert (of(told, CORP, 4), of(told, CORP, 6)) == (sorted([*four, *of_both]), sorted([*six, *of_both]))


def test_who_asks_for_one_ip_version_is_shown_the_instances_that_have_something_of_it() -> None:
    told = Story().hear(ra(R1, search("x.example."))).leases4(link="e1")
    shown = {version: [one.id for one in state_document(told.state, family=version).pvds] for version in (4, 6)}
    assert shown == {4: ["if:e1/1"], 6: [f"ra:e0/1/{R1}"]}
