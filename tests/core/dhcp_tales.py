"""What earns each finding about DHCP servers and clients, and what, much like it, does not.

Law: the second tale of a pair differs from the first in what the finding is about, and in nothing else.
"""

from collections.abc import Callable

from events.dhcp import Codes, Dhcp4MessageSeen, DhcpOption, RdnssSelection
from tests.sim.build import (
    OTHER,
    SERVER6,
    Story,
    addresses,
    announcement,
    authentication,
    dhcp4,
    dhcp6,
    flag,
    ia_address,
    ia_na,
    identifier,
    lease4,
    number,
    probe,
    routes,
    status,
)

Tale = Callable[[], Story]
HERE, SERVER = "192.0.2.10", "192.0.2.1"


def requested(*options: DhcpOption, router: str = "192.0.2.1", ask: tuple[int, ...] = ()) -> Tale:
    """REQUEST and ACK; options are the ACK's."""
    question = dhcp4("REQUEST", addresses(50, HERE), *([Codes(55, ask, 0, 0)] if ask else []))
    return lambda: Story().hear(question, lease4(HERE, *options, router=router))


def asks(*options: DhcpOption, ciaddr: str = "0.0.0.0", to: str = "255.255.255.255") -> Tale:
    """A client with a lease says REQUEST."""
    question = dhcp4("REQUEST", *options, xid=9, ciaddr=ciaddr, destination=to)
    return lambda: Story().leases4().at(1800).hear(question)


def discovers(*codes: int) -> Tale:
    return lambda: Story().hear(dhcp4("DISCOVER", Codes(55, codes, 0, 0)))


def rebooting(wait_s: int) -> Tale:
    return requested(number(108, wait_s), ask=(1, 108))


def offered(*then: Dhcp4MessageSeen, after_s: float = 1) -> Tale:
    """A client that prefers IPv6 is offered to do without IPv4, and says something."""
    question = dhcp4("DISCOVER", Codes(55, (1, 108), 0, 0))
    offer = dhcp4("OFFER", addresses(54, SERVER), number(108, 600), number(51, 3600))
    return lambda: Story().hear(question, offer).at(after_s).hear(*then)


def advertised(*values: int) -> Tale:
    def tell() -> Story:
        told = Story().hear(dhcp6("SOLICIT"))
        for at, value in enumerate(values):
            told.hear(dhcp6("ADVERTISE", number(82, value), server=f"0003000102000000000{at}"))
        return told

    return tell


def renews(code: int) -> Tale:
    given = ia_na(ia_address("2001:db8::a"))
    answer = ia_na(status(code)) if code else given
    return lambda: Story().asks6("REQUEST", given).at(10).asks6("RENEW", answer)


def reconfigures(*, agreed: bool = True, authentic: bool = True) -> Tale:
    question = dhcp6("REQUEST", *([flag(20)] if agreed else []))
    proof = (authentication(),) if authentic else ()
    return lambda: Story().hear(question, dhcp6("RECONFIGURE", number(19, 5), *proof, server=SERVER6))


def declines(after_s: float) -> Tale:
    given_back = dhcp4("DECLINE", addresses(50, HERE), xid=7)
    return lambda: Story().leases4().hear(given_back).at(after_s).hear(dhcp4("DISCOVER", xid=8))


def solicits(times: int) -> Tale:
    def tell() -> Story:
        told = Story()
        for one in range(times):
            told.at(one / 10).hear(dhcp6("SOLICIT", xid=one))
        return told

    return tell


def calls_itself(first: str, second: str) -> Tale:
    wish = addresses(50, HERE)
    return lambda: Story().hear(
        dhcp4("DISCOVER", identifier(61, first)), dhcp4("REQUEST", identifier(61, second), wish)
    )


def announces(*probed_at: float, at: float) -> Tale:
    """A client with a new lease probes, and announces."""

    def tell() -> Story:
        told = Story().leases4()
        for one in probed_at:
            told.at(one).hear(probe(HERE))
        return told.at(at).hear(announcement(HERE))

    return tell


def tries_on(conflicts: int, rest_s: float) -> Tale:
    """A client is given address after address, all of which are taken, and one more after a rest."""

    def tell() -> Story:
        told = Story()
        for one in range(conflicts):
            told.at(one * 20).leases4().hear(dhcp4("DECLINE", addresses(50, HERE), xid=900 + one))
        return told.at((conflicts - 1) * 20 + rest_s).leases4()

    return tell


TALES: dict[str, tuple[Tale, Tale]] = {
    "rdnss-selection-reserved": (
        requested(RdnssSelection(146, ("192.0.2.53",), "reserved", ("a.example.",), 0, 0)),
        requested(RdnssSelection(146, ("192.0.2.53",), "medium", ("a.example.",), 0, 0)),
    ),
    "dhcp4-router-is-client": (requested(router=HERE), requested()),
    "dhcp4-router-off-link": (
        requested(router="198.51.100.1"),
        requested(routes(121, ("198.51.100.1/32", None), ("0.0.0.0/0", "198.51.100.1"))),
    ),
    "dhcp4-unasked-v6only": (requested(number(108, 600), ask=(1, 3)), requested(number(108, 600), ask=(1, 108))),
    "dhcp4-v6only-capped": (rebooting(86_401), rebooting(86_400)),
    "dhcp6-max-rt-differs": (advertised(7200, 3700), advertised(7200, 7200)),
    "dhcp6-no-binding": (renews(3), renews(0)),
    "dhcp6-reconfigure-refused": (reconfigures(agreed=False), reconfigures()),
    "dhcp4-client-bad-request": (asks(), asks(addresses(50, HERE))),
    "dhcp4-client-bad-renew": (asks(addresses(50, HERE), ciaddr=HERE), asks(ciaddr=HERE)),
    "dhcp4-client-renews-elsewhere": (asks(ciaddr=HERE, to="192.0.2.254"), asks(ciaddr=HERE, to=SERVER)),
    "dhcp4-client-request-order": (discovers(1, 3, 121), discovers(1, 121, 3, 33)),
    "dhcp4-client-id-changed": (calls_itself("ff0a", "ff0b"), calls_itself("ff0a", "ff0a")),
    "dhcp4-address-conflict": (
        lambda: Story().leases4().hear(announcement(HERE, OTHER)),
        lambda: Story().leases4().hear(announcement(HERE), probe(HERE, OTHER), announcement("192.0.2.11", OTHER)),
    ),
    "dhcp4-client-unprobed": (announces(1, 2, 3, at=4), announces(1, 2, 3, at=5)),
    "dhcp4-client-tries-on": (tries_on(10, 59), tries_on(10, 60)),
    "dhcp4-client-hasty": (declines(9), declines(10)),
    "dhcp4-client-ignores-v6only": (
        offered(dhcp4("DISCOVER", xid=2)),
        offered(dhcp4("DISCOVER", xid=2), after_s=600),
    ),
    "dhcp6-client-hasty": (solicits(21), solicits(20)),
}
