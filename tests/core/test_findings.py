"""Each finding of the catalogue: a network that earns it, and one much like it that does not.

Law: a code without a row here fails, and so does a code that is not in the catalogue.
"""

import ast
import os
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from events.ids import SECOND
from events.link import DadFailed, LinkGone, LinkSeen
from events.operator import ConnectionOpened, Settings, SettingsLoaded, SettingsNote, SettingsRejected
from events.pvdinfo import AdditionalInformation, PvdInfoFailed, PvdInfoFetched
from events.record import Provenance, Record
from events.router import NdOption, RaHeader, RouterAdvertised
from events.vpn import VpnConnected
from pvdcore.checks.findings import BY_CODE, CATALOGUE, SEVERITIES
from pvdcore.reduce import reduce
from pvdcore.state import State
from tests.core.dhcp_tales import TALES
from tests.sim.build import (
    R1,
    R2,
    START,
    Story,
    addresses,
    container,
    dhcp4,
    dhcp6,
    dns,
    header,
    ia_address,
    ia_na,
    ia_pd,
    ia_prefix,
    ignored,
    lease4,
    mtu,
    pio,
    portal,
    pvd,
    ra,
    rio,
    search,
    text,
)

ROOT = Path(__file__).parent.parent.parent
X = "fqdn:x.example."
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
OLD, NEW = "02:00:00:00:01:01", "02:00:00:00:01:02"
URI, OTHER = "https://portal.example/", "https://other.example/"
A64 = "2001:db8:1::a"
M64 = "2001:db8:1::a"

Tale = Callable[[], Story]


def taken(times: int, address: str) -> Tale:
    """Detection fails so often for an address, and for those that are tried after it."""

    def tell() -> Story:
        told = Story().hear(LinkSeen(link="e0", identity="capture:e0", name="e0", mac=OLD), ra(R1, pio(P))).chooses()
        for _ in range(times):
            mine = [one for one in told.has() if address == A64]
            told.hear(DadFailed(link="e0", address=mine[0] if mine else address)).chooses(f"{0xB + told.state.seq:x}")
        return told

    return tell


def hears(*events: RouterAdvertised) -> Tale:
    return lambda: Story().hear(*events)


def noting(code: str) -> Tale:
    note = SettingsNote(code, "[ethernet] cloned-mac-address", "/etc/x.nmconnection:7")
    return lambda: Story().hear(SettingsLoaded(settings=Settings("home", "keyfile", "/etc/x:1", notes=(note,))))


def refusing(line: int) -> Tale:
    text = "no closing quote"
    said = SettingsRejected(origin=f"/etc/pvd/a.toml:{line}", source="toml", rule="syntax", text=text)
    return lambda: Story().hear(said)


def expecting(name: str) -> Tale:
    profile = SettingsLoaded(settings=Settings("home", "toml", "a:1", {"pvd.expected": [f"fqdn:{name}"]}))
    return lambda: Story().hear(profile, ConnectionOpened(id="home@e0", settings="home", link="e0"), x())


def resolving_by(only: str) -> Tale:
    profile = SettingsLoaded(settings=Settings("home", "toml", "a:1", {"ipv4.dns": ["192.0.2.53"]}))
    opened = ConnectionOpened(id="home@e0", settings="home", link="e0")
    return lambda: Story(resolvers_only=only).hear(profile, opened, x())


def then(first: RouterAdvertised, after_s: float, second: RouterAdvertised) -> Tale:
    return lambda: Story().hear(first).at(after_s).hear(second)


def x(*options: object, **flags: object) -> RouterAdvertised:
    return ra(R1, pvd("x.example.", *options, **flags))  # type: ignore[arg-type]


def assigned(*events: RouterAdvertised) -> Tale:
    return lambda: Story().hear(*events).asks6("SOLICIT", ia_na(ia_address(M64)))


def asking(*events: RouterAdvertised, every_s: float) -> Tale:
    def tell() -> Story:
        told = Story().hear(*events)
        for round_ in range(4):
            told.at(round_ * every_s).hear(dhcp6("INFORMATION-REQUEST", xid=7))
        return told

    return tell


def delegates(valid_s: int) -> Tale:
    """A router is delegated a prefix for an hour, and half an hour later announces a part of it elsewhere."""
    given = ia_prefix("2001:db8:100::/56", 3600, 2400)

    def tell() -> Story:
        told = Story().asks6("REQUEST", ia_pd(given)).at(1800 + 5)
        return told.hear(ra(R2, pio("2001:db8:100:1::/64", valid_s, 600), link="e1"))

    return tell


def offers(*servers: str) -> Tale:
    def tell() -> Story:
        told = Story()
        for number, server in enumerate(servers):
            mac = f"02:00:00:00:02:{number:02x}"  # two doors of one server are one server
            told.hear(replace(dhcp4("OFFER", addresses(54, server), yiaddr="192.0.2.10"), mac=mac))
        return told

    return tell


def leased(life: int | None, uri: str) -> Tale:
    def tell() -> Story:
        told = Story().hear(ra(R1, portal(URI)))
        return told.hear(dhcp4("REQUEST", addresses(50, "192.0.2.10")), lease4("192.0.2.10", text(114, uri), life=life))

    return tell


def dated(ahead_s: int) -> Tale:
    def tell() -> Story:
        told = Story()
        provenance = Provenance("story", captured_at=START + ahead_s * SECOND)
        told.engine.adopt(Record(0, START, 1, provenance, ra(R1)))
        return told

    return tell


def many(policy: str, bound: int, *events: RouterAdvertised) -> Tale:
    return lambda: Story(**{policy: bound}).hear(*events)


def object_(body: str = "{}", **said: object) -> PvdInfoFetched:
    whole = {"identifier": "x.example.", "expires": START + 3600 * SECOND, "prefixes": ("2001:db8::/32",), **said}
    return PvdInfoFetched(pvd=X, link="e0", epoch=1, sequence=1, body=body, said=AdditionalInformation(**whole))  # type: ignore[arg-type]


def informs(**said: object) -> Tale:
    return lambda: Story().hear(x(pio(P), h=True, seq=1), object_(**said))  # type: ignore[arg-type]


REJOINED = (
    lambda: Story().hear(ra(R1)).detach().hear(ra(R1)),
    lambda: Story().hear(ra(R1)).detach().attach().hear(ra(R1)),
)

EARNED: dict[str, tuple[Tale, Tale]] = {
    # code: (earns it, does not)
    "duplicate-pvd-option": (hears(ra(R1, pvd("x.example."), ignored(21, "duplicate-pvd"))), hears(x())),
    "nested-pvd-option": (hears(x(ignored(21, "nested-pvd"))), hears(x(ignored(3, "option-length")))),
    "inner-outer-differ": (
        hears(ra(R1, pio(P, 600, 300), pvd("x.example.", pio(P, 900, 300)))),
        hears(ra(R1, pio(P, 600, 300), pvd("x.example.", pio(P, 600, 300), pio(Q, 900, 300)))),
    ),
    "inner-header-differs": (
        hears(ra(R1, pvd("x.example.", pio(P), inner=header(600, o=True)), hop=64)),
        hears(ra(R1, pvd("x.example.", pio(P), inner=header(0, hop=64))), ra(R2, pvd("x.example.", pio(P)), o=True)),
    ),
    "duplicate-option": (
        hears(ra(R1, mtu(1400), mtu(1500))),
        hears(
            ra(
                R1,
                mtu(1400),
                mtu(1400),
                rio(P),
                rio(P, 60),
                pvd("x.example.", mtu(1500)),
                dns("2001:db8::1", "2001:db8::2"),
            )
        ),
    ),
    "duplicate-route": (hears(ra(R1, rio(P), rio(P, 60))), hears(ra(R1, rio(P), rio(Q)))),
    "preferred-over-valid": (hears(x(ignored(3, "prefix-lifetimes"))), hears(x(ignored(3, "prefix-link-local")))),
    "prefix-length-not-64": (
        hears(ra(R1, pio("2001:db8::/48"))),
        hears(ra(R1, pio("2001:db8::/48", flags="L"), pio(P), pio("2001:db8:9::/56", 0, 0))),
    ),
    "mtu-under-1280": (hears(ra(R1, ignored(5, "mtu-small"))), hears(ra(R1, mtu(1280)))),
    "reserved-preference": (hears(ra(R1, pref="reserved")), hears(ra(R1, pref="low"))),
    "preference-without-lifetime": (
        hears(ra(R1, pvd("x.example.", pio(P), inner=header(0, pref="high")))),
        hears(ra(R1, pvd("x.example.", pio(P), inner=header(0))), ra(R2, pref="high")),
    ),
    "managed-without-prefix": (hears(ra(R1, m=True)), hears(ra(R1, pio(P, flags=""), m=True), ra(R2, o=True))),
    "pvd-id-one-label": (hears(ra(R1, pvd("corp."))), hears(ra(R1, pvd("corp.example.")))),
    "sequence-without-h": (hears(x(seq=3)), hears(x(seq=3, delay=2, h=True), ra(R2, pvd("y.example.")))),
    "ra-inconsistent": (
        hears(ra(R1, pvd("x.example."), hop=64), ra(R2, pvd("x.example."), hop=32)),
        hears(ra(R1, pvd("x.example."), hop=64), ra(R2, pvd("x.example."), hop=0)),
    ),
    "prefix-lifetimes-differ": (
        hears(ra(R1, pio(P, 600, 300)), ra(R2, pio(P, 900, 300))),
        then(ra(R1, pio(P, 600, 300)), 100, ra(R2, pio(P, 500, 200))),  # both count down to the same instant
    ),
    "router-mac-changed": (
        hears(ra(R1, mac=OLD), ra(R1, mac=NEW)),
        hears(ra(R1, mac=OLD), ra(R2, mac=NEW), ra(R1, mac=OLD)),
    ),
    "prefix-in-two-pvds": (hears(x(pio(P)), ra(R2, pio(P))), hears(x(pio(P)), ra(R2, pio(Q)))),
    "pvd-split-over-ras": (
        then(x(pio(P)), 0.1, x(dns("2001:db8::53"))),
        then(x(pio(P)), 600, x(dns("2001:db8::53"))),  # another round: the configuration changed
    ),
    "lifetime-under-interval": (
        then(ra(R1, pio(P), dns("2001:db8::53", life=60)), 200, ra(R1, pio(P), dns("2001:db8::53", life=60))),
        then(ra(R1, pio(P), dns("2001:db8::53", life=600)), 200, ra(R1, pio(P), dns("2001:db8::53", life=600))),
    ),
    "l-flag-differs": (
        lambda: Story().hear(x(legacy=True), ra(R2, pvd("x.example."))).leases4(),
        lambda: Story().hear(x(legacy=True), ra(R2, pvd("x.example.", legacy=True))).leases4(),
    ),
    "several-l-flags": (
        lambda: Story().hear(x(legacy=True), ra(R2, pvd("y.example.", legacy=True))).leases4(),
        lambda: Story().hear(x(legacy=True), ra(R2, pvd("y.example."))).leases4(),
    ),
    "delegation-outlived": (delegates(1801), delegates(1800)),
    "capport-literal": (hears(ra(R1, portal("https://192.0.2.1/api"))), hears(ra(R1, portal(URI)))),
    "capport-differs": (leased(3600, OTHER), leased(3600, URI)),
    "two-dhcp4-servers": (offers("192.0.2.1", "192.0.2.2"), offers("192.0.2.1", "192.0.2.1")),
    "dhcp6-unanswered": (asking(ra(R1, o=True), every_s=2), asking(ra(R1), every_s=2)),
    "dhcp6-no-match": (assigned(ra(R1, pio(Q), m=True)), assigned(ra(R1, pio(P), m=True))),
    "dhcp6-several-matches": (
        assigned(ra(R1, pio(P), m=True), ra(R2, pio(P), m=True)),
        assigned(ra(R1, pio(P), m=True), ra(R2, pio(P))),
    ),
    "dhcp4-no-lease-time": (
        lambda: Story().hear(dhcp4("REQUEST"), dhcp4("ACK", addresses(54, "192.0.2.1"), yiaddr="192.0.2.10")),
        lambda: Story().leases4(),
    ),
    "duplicate-address": (taken(1, A64), taken(1, "2001:db8:1::77")),
    "address-conflict": (taken(4, A64), taken(3, A64)),
    "ipv6-off": (taken(1, "fe80::ff:fe00:101"), taken(1, "fe80::ff:fe00:102")),
    **TALES,
    "sequence-unchanged": (
        then(x(pio(P), h=True, seq=1), 600, x(pio(P), pio(Q), h=True, seq=1)),
        then(x(pio(P), h=True, seq=1), 600, x(pio(P), pio(Q), h=True, seq=2)),
    ),
    "info-prefix": (informs(prefixes=("2001:db8:2::/48",)), informs()),
    "info-invalid": (informs(identifier="y.example."), informs(identifier="X.Example")),
    "info-expired": (informs(expires=START), informs(expires=START + 1)),
    "info-failed": (
        lambda: Story().hear(x(h=True), PvdInfoFailed(pvd=X, link="e0", epoch=1, sequence=0, kind="http")),
        lambda: Story().hear(x(h=True), PvdInfoFailed(pvd=X, link="e0", epoch=1, sequence=9, kind="http")),
    ),
    "info-changed-silently": (
        lambda: informs()().hear(object_("{ }")),
        lambda: informs()().hear(object_("{}")),
    ),
    "too-many-routers": (
        many("routers_per_link_max", 1, ra(R1), ra(R2)),
        many("routers_per_link_max", 1, ra(R1), ra(R1, pio(P)), ra(R2, link="e1")),
    ),
    "too-many-pvds": (
        many("pvds_per_link_max", 1, x(), ra(R1, pvd("y.example."))),
        many("pvds_per_link_max", 1, x(), x(pio(P)), ra(R1)),
    ),
    "too-many-items": (
        many("rdnss_max", 1, ra(R1, search("a.example."), dns("2001:db8::1", "2001:db8::2"))),
        many("rdnss_max", 1, ra(R1, search("a.example."), dns("2001:db8::1"))),
    ),
    "time-jump": (dated(86_401), dated(86_399)),
    "heard-unattached": REJOINED,
    "link-moved": (
        hears(ra(R1), LinkGone(link="e0", reason="moved", to="testns:e0")),
        hears(ra(R1), LinkGone(link="e0", reason="moved")),
    ),
    "override-refused": (resolving_by("vpn:*"), resolving_by("fqdn:*")),
    "pvd-mismatch": (expecting("y.example."), expecting("x.example.")),
    "settings-unsupported": (noting("settings-unsupported"), noting("settings-secret")),
    "settings-invalid": (noting("settings-invalid"), noting("settings-secret")),
    "vpn-ignored": (
        lambda: Story().hear(VpnConnected(vpn="corp", client="openvpn", device="e1", ignored=("dhcp-option NTP",))),
        lambda: Story().hear(VpnConnected(vpn="corp", client="openvpn", device="e1")),
    ),
    "settings-rejected": (
        refusing(3),
        noting("settings-secret"),
    ),
}


@pytest.mark.covers("feat:D7")
@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_a_finding_is_made_where_it_is_earned_and_nowhere_else(code: str) -> None:
    earns, does_not = EARNED[code]
    told = earns()
    found = told.findings()[code]
    assert 1 <= found.because <= told.state.seq
    assert "{" not in found.text and "None" not in found.text
    assert found.link == "" or found.link in told.state.links
    assert code not in does_not().findings()


def keys(tale: Tale) -> set[tuple[str, str, str]]:
    """Under which code, link and PvD, profile or file findings are kept."""
    return set(tale().state.findings)


def test_each_finding_says_where_of_whom_since_which_record_and_what() -> None:
    """The tales above, as told: `code link pvd record: sentence`."""
    lines = []
    for code in sorted(EARNED):
        found = EARNED[code][0]().findings()[code]
        assert (found.code, found.count) == (code, 1)
        about = {"settings-unsupported": "home", "settings-invalid": "home", "settings-rejected": "/etc/pvd/a.toml"}
        assert (code, found.link, found.pvd or about.get(code, "")) in keys(EARNED[code][0])
        lines.append(f"{code} {found.link or '-'} {found.pvd or '-'} {found.because}: {found.text}\n")
    kept = ROOT / "tests" / "golden" / "findings.txt"
    if os.environ.get("PVD_REWRITE"):
        kept.write_text("".join(lines), encoding="utf-8")
    assert lines == kept.read_text(encoding="utf-8").splitlines(keepends=True), "PVD_REWRITE=1 writes it anew"


def parts(valid_s: int, preferred_s: int) -> Tale:
    """As `delegates`, with a preferred lifetime of its own."""

    def tell() -> Story:
        given = ia_prefix("2001:db8:100::/56", 3600, 2400)
        told = Story().asks6("REQUEST", ia_na(ia_address(M64)), ia_pd(given)).at(1805)
        said = pio("2001:db8:100:1::/64", valid_s, preferred_s)
        return told.hear(ra(R2, DNS, pio("2001:db8:1::/64"), said, link="e1"))

    return tell


def insists(message: str, after_s: float, *first: RouterAdvertised, **said: object) -> Tale:
    """A client asks, and once more so much later."""
    asked = dhcp6(message, xid=7, **said)  # type: ignore[arg-type]
    return lambda: Story().hear(*first, asked).at(after_s).hear(asked)


SHORT = dns("2001:db8::53", life=60)
DNS, UUID = dns("2001:db8::53"), "00112233-4455-6677-8899-aabbccddeeff"

EDGES: list[tuple[str, Tale, Tale]] = [
    # what only just earns a finding, and what only just does not
    ("lifetime-under-interval", then(ra(R1, SHORT), 200, ra(R1, SHORT)), then(ra(R1, pio(P)), 200, ra(R1, SHORT))),
    (
        "lifetime-under-interval",
        then(ra(R1, SHORT), 200, ra(R1, SHORT)),
        then(ra(R1, SHORT, life=0), 200, ra(R1, SHORT)),
    ),
    (
        "prefix-lifetimes-differ",
        hears(ra(R2, pvd("a.example.", pio(P))), ra(R2, pvd("x.example.", pio(P, 900, 300))), x(pio(P, 600, 300))),
        hears(ra(R1, pio(P), DNS), ra(R2, pio(P), SHORT)),
    ),
    ("pvd-split-over-ras", then(x(pio(P)), 3, x(DNS)), then(x(pio(P)), 3.001, x(DNS))),
    ("pvd-split-over-ras", then(x(pio(P)), 0, x(DNS)), then(x(pio(P)), 0, x(pio(P), DNS))),
    ("pvd-split-over-ras", hears(x(pio(P)), x(DNS)), hears(x(pio(P), DNS), x(DNS))),
    ("pvd-split-over-ras", hears(x(pio(P)), x(DNS)), hears(x(mtu(1400)), x(DNS))),
    ("pvd-split-over-ras", hears(x(pio(P)), x(DNS)), hears(x(), ra(R1, pvd("x.example.", DNS), life=0))),
    ("pvd-split-over-ras", hears(x(pio(P)), x(DNS)), hears(ra(R1, pio(P)), ra(R1, DNS))),
    (
        "prefix-lifetimes-differ",
        hears(ra(R1, pio(P, 600, 300)), ra(R2, pio(P, 606, 300))),
        hears(ra(R1, pio(P, 600, 300)), ra(R2, pio(P, 605, 300))),
    ),
    (
        "prefix-lifetimes-differ",
        hears(ra(R1, pio(P, 600, 300)), ra(R2, pio(P, 600, 306))),
        hears(ra(R1, pio(P, 600, 300)), ra(R2, pio(P, 600, 295))),
    ),
    (
        "prefix-lifetimes-differ",
        hears(x(pio(P, 600, 300)), ra(R2, pvd("x.example.", pio(P, 900, 300)))),
        hears(x(pio(P, 600, 300)), ra(R2, pvd("y.example.", pio(P, 900, 300)))),
    ),
    (
        "prefix-lifetimes-differ",
        hears(ra(R1, pio(P, 600, 300)), ra(R2, pio(P, 900, 300))),
        hears(x(pio(P, 600, 300)), ra(R2, pio(P, 900, 300))),
    ),
    (
        "prefix-lifetimes-differ",
        hears(ra(R1, pio(P, 600, 300)), ra(R2, DNS, pio(Q), pio(P, 900, 300))),
        then(ra(R1, pio(P, 600, 300), DNS), 9, ra(R1, pio(P, 900, 300), dns("2001:db8::53", life=60))),
    ),
    (
        "lifetime-under-interval",
        then(ra(R1, dns("2001:db8::53", life=60)), 61, ra(R1, dns("2001:db8::53", life=60))),
        then(ra(R1, dns("2001:db8::53", life=60)), 60, ra(R1, dns("2001:db8::53", life=60))),
    ),
    (
        "lifetime-under-interval",
        then(ra(R1, pio(P, 60, 60), mtu(1400)), 200, ra(R1, mtu(1400), pio(P, 60, 60))),
        then(ra(R1, pio(P), life=0), 200, ra(R1, pio(P), DNS, life=0)),
    ),
    (
        "dhcp6-unanswered",
        insists("INFORMATION-REQUEST", 5, ra(R1, o=True)),
        insists("INFORMATION-REQUEST", 4.999, ra(R1, o=True)),
    ),
    ("dhcp6-unanswered", insists("SOLICIT", 5, ra(R1, m=True)), insists("SOLICIT", 5, ra(R1, o=True))),
    (
        "dhcp6-unanswered",
        insists("INFORMATION-REQUEST", 9, ra(R1), ra(R2, m=True)),
        insists("REQUEST", 9, ra(R1, m=True)),
    ),
    ("delegation-outlived", parts(1801, 1), parts(1800, 600)),
    ("delegation-outlived", parts(1800, 601), parts(1, 1)),
    ("managed-without-prefix", hears(ra(R1, pio(P, 0, 0), m=True)), hears(ra(R1, pio(P)), ra(R1, m=True))),
    ("managed-without-prefix", hears(ra(R1, DNS, m=True)), hears(ra(R1, pio(P)), ra(R1, DNS, m=True))),
    ("router-mac-changed", hears(ra(R1, mac=OLD), ra(R1, mac=NEW)), hears(ra(R1), ra(R1, mac=NEW), ra(R1))),
    (
        "sequence-unchanged",
        hears(x(h=True, seq=1), x(pio(P), h=True, seq=1)),
        hears(x(seq=1), x(pio(P), h=True, seq=1)),
    ),
    ("sequence-unchanged", hears(x(h=True), x(pio(P), h=True)), hears(x(h=True, seq=1), x(pio(P), seq=1))),
    ("sequence-unchanged", hears(x(h=True), x(pio(P), h=True)), hears(x(pio(P), h=True), x(pio(P), h=True))),
    ("sequence-without-h", hears(x(delay=2)), hears(x())),
    (
        "reserved-preference",
        hears(ra(R1, pvd("x.example.", inner=header(pref="reserved")))),
        hears(ra(R1, pvd("x.example.", inner=header(pref="high")))),
    ),
    (
        "reserved-preference",
        hears(ra(R1, ignored(24, "route-preference"))),
        hears(ra(R1, ignored(24, "option-length"))),
    ),
    ("preference-without-lifetime", hears(ra(R1, life=0, pref="low")), hears(ra(R1, life=0, pref="reserved"))),
    ("preference-without-lifetime", hears(ra(R1, life=0, pref="high")), hears(ra(R1, life=1, pref="high"))),
    ("pvd-id-one-label", hears(ra(R1, pvd("corp."))), hears(ra(R1, pvd("a.corp.example.")))),
    (
        "duplicate-pvd-option",
        hears(x(), ra(R1, ignored(21, "duplicate-pvd"))),
        hears(ra(R1, ignored(22, "option-length"))),
    ),
    ("duplicate-route", hears(x(rio(P), rio(P, 60))), hears(ra(R1, rio(P), pvd("x.example.", rio(P, 60))))),
    (
        "duplicate-option",
        hears(ra(R1, container(UUID, mtu(1400), mtu(1500)))),
        hears(ra(R1, mtu(1400), container(UUID, mtu(1500)))),
    ),
    ("mtu-under-1280", hears(x(ignored(5, "mtu-small"))), hears(x(ignored(5, "option-length")))),
    ("prefix-length-not-64", hears(x(pio("2001:db8::/65"))), hears(x(pio("2001:db8::/63", flags="L")))),
    (
        "inner-outer-differ",
        hears(ra(R1, DNS, pvd("x.example.", dns("2001:db8::53", life=60)))),
        hears(ra(R1, DNS, pvd("x.example.", DNS, inner=header(60)))),
    ),
    (
        "inner-outer-differ",
        hears(ra(R1, pio(P, 600, 300), pvd("x.example.", pio(P, 600, 301)))),
        hears(ra(R1, pio(P), pvd("x.example.", pio(P)))),
    ),
]


@pytest.mark.covers("feat:D7")
@pytest.mark.parametrize(("code", "earns", "does_not"), EDGES)
def test_where_a_finding_begins(code: str, earns: Tale, does_not: Tale) -> None:
    assert code in earns().findings()
    assert code not in does_not().findings()


def test_of_two_pvds_the_prefix_is_named_that_both_announce() -> None:
    told = Story().hear(ra(R2, pvd("x.example.", pio(Q), pio(P))), ra(R1, pio(P)))
    text = told.findings()["prefix-in-two-pvds"].text
    assert P in text and Q not in text


def test_a_question_of_another_kind_is_not_the_one_before_repeated() -> None:
    told = Story().hear(ra(R1, o=True), dhcp6("SOLICIT", xid=7)).at(30).hear(dhcp6("INFORMATION-REQUEST", xid=7))
    assert "dhcp6-unanswered" not in told.at(31).hear(dhcp6("INFORMATION-REQUEST", xid=7)).findings()
    assert "dhcp6-unanswered" in told.at(35).hear(dhcp6("INFORMATION-REQUEST", xid=7)).findings()


def test_the_rows_here_are_those_of_the_catalogue() -> None:
    assert set(EARNED) == set(BY_CODE)


@pytest.mark.parametrize(
    ("outer", "inner", "what"),
    [
        (header(m=True), header(), "M"),
        (header(), header(o=True), "O"),
        (header(m=True), header(o=True, hop=64), "M, O"),
        (header(hop=64), header(hop=32), "hop limit"),
        (header(hop=64), header(), ""),  # unspecified
        (header(6000), header(0), ""),  # RFC 8801 §5.2
        (header(pref="high"), header(pref="low"), ""),
        (replace(header(), reachable_ms=1), replace(header(), reachable_ms=2), "reachable time"),
        (replace(header(), retrans_ms=1), replace(header(), retrans_ms=2), "retransmission timer"),
        (replace(header(), retrans_ms=1), header(m=True), "M"),
    ],
)
def test_an_inner_header_contradicts_the_outer_by_what_hosts_configure(
    outer: RaHeader, inner: RaHeader, what: str
) -> None:
    said = replace(x(pio(P), inner=inner), header=outer)
    found = Story().hear(said).findings().get("inner-header-differs")
    assert (found.text.rpartition(": ")[2] if found else "") == what


@pytest.mark.parametrize(
    "options",
    [
        (pio(P, 600, 300), pio(P, 900, 300)),
        (pio(P), pio(P, flags="L")),
        (dns("2001:db8::1"), dns("2001:db8::1", life=60)),
    ],
)
def test_an_option_twice_is_told_of_inside_and_outside(options: tuple[NdOption, ...]) -> None:
    for told in (Story().hear(ra(R1, *options)), Story().hear(x(*options))):
        assert "duplicate-option" in told.findings()
    assert "duplicate-option" not in Story().hear(ra(R1, options[0], pvd("x.example.", options[1]))).findings()


def test_a_link_in_order_earns_nothing() -> None:
    told = Story().hear(ra(R1, pio(P), dns("2001:db8::53"), mtu(1500), mac=OLD), x(pio(Q), h=True, seq=1)).leases4()
    for round_ in range(1, 4):
        told.at(round_ * 600).hear(ra(R1, pio(P), dns("2001:db8::53"), mtu(1500), mac=OLD), x(pio(Q), h=True, seq=1))
    assert told.findings() == {}


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.code)
def test_a_row_of_the_catalogue_is_whole(kind: object) -> None:
    row = BY_CODE[kind.code]  # type: ignore[attr-defined]
    assert row is kind, "a code stands once"
    assert row.severity in SEVERITIES
    assert all((row.sentence, row.meaning.endswith("."), row.change.endswith("."), row.source))
    assert all(name.isidentifier() for _, name, _, _ in string.Formatter().parse(row.sentence) if name)


def test_no_code_is_found_that_is_not_in_the_catalogue() -> None:
    used: set[str] = set()
    for path in (ROOT / "pvdcore").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("find", "find_here")
            ):
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    used.add(first.value)
                else:
                    assert path.stem in ("remarks", "info"), f"{path.name} finds what only it knows"
    assert used <= set(BY_CODE)
    with pytest.raises(KeyError):
        _found("no-such-code")


def _found(code: str) -> None:
    from pvdcore.draft import Draft

    Draft(State()).find(code, link="e0")


def test_the_same_again_only_counts_and_keeps_its_first_record() -> None:
    told = Story().hear(ra(R1, rio(P), rio(P, 60)), ra(R1, rio(P), rio(P, 70)))
    (found,) = told.state.findings.values()
    assert (found.count, found.because) == (2, 4)
    assert replace(found, count=1) == next(iter(Story().hear(ra(R1, rio(P), rio(P, 60))).state.findings.values()))
    record = Record(1, START, 1, Provenance(), ra(R1, rio(P), rio(P, 60)))
    assert not reduce(State(), record).findings[("duplicate-route", "e0", "")].pvd
