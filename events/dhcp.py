"""DHCP as it was said: one event a message, DHCPv4 (RFC 2131) and DHCPv6 (RFC 8415), in both directions.

Law: options stand in order and each in the shape its content has; what a lease means is decided elsewhere. `at` and
`length` are the option's octets in the frame (of its first fragment, where RFC 3396 joined several).
Lifetimes are seconds, `None` is infinity (0xffffffff).
"""

from typing import Union

import msgspec

from events.base import Event, Part
from events.frames import Note
from events.ids import LinkId
from events.router import ServiceParam


class Addresses(Part, frozen=True, tag="addresses", gc=False):
    """One or more addresses in order (DHCPv4 1, 3, 6, 28, 42, 50, 54; DHCPv6 12, 23, …)."""

    code: int
    addresses: tuple[str, ...]
    at: int
    length: int


class Number(Part, frozen=True, tag="number", gc=False):
    """An unsigned number in the option's own unit; `None` is infinity (lease times, DHCPv6 32)."""

    code: int
    value: int | None
    at: int
    length: int


class Text(Part, frozen=True, tag="text", gc=False):
    """Text: names, URIs, time zones. Octets that are not UTF-8 are written as \\xNN."""

    code: int
    text: str
    at: int
    length: int


class Names(Part, frozen=True, tag="names", gc=False):
    """Domain names (DHCPv4 119, DHCPv6 24), as the wire readers write them (adapters/wire/names.py)."""

    code: int
    names: tuple[str, ...]
    at: int
    length: int


class Route(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One static route. via: `None` for on-link (router 0.0.0.0 in option 121)."""

    destination: str
    via: str | None


class Routes(Part, frozen=True, tag="routes"):
    """DHCPv4 33, 121, 249 (RFC 2132 §5.8, RFC 3442)."""

    code: int
    routes: tuple[Route, ...]
    at: int
    length: int


class Resolver(Part, frozen=True, tag="encrypted-resolver"):
    """One designated resolver (DHCPv4 162 instance, DHCPv6 144; RFC 9463 §4.1, §5.1)."""

    code: int
    priority: int
    adn: str
    at: int
    length: int
    addresses: tuple[str, ...] = ()
    params: tuple[ServiceParam, ...] = ()


class RdnssSelection(Part, frozen=True, tag="rdnss-selection", gc=False):
    """DHCPv4 146, DHCPv6 74 (RFC 6731 §4.2, §4.3). preference: `high`, `medium`, `low`, `reserved`."""

    code: int
    addresses: tuple[str, ...]
    preference: str
    names: tuple[str, ...]
    at: int
    length: int


class Codes(Part, frozen=True, tag="codes", gc=False):
    """A list of option codes asked for (DHCPv4 55, DHCPv6 6)."""

    code: int
    codes: tuple[int, ...]
    at: int
    length: int


class Identifier(Part, frozen=True, tag="identifier", gc=False):
    """Octets compared for equality only (DHCPv4 61, DUIDs): hexadecimal, two digits an octet, no separators."""

    code: int
    id: str
    at: int
    length: int


class ClientFqdn(Part, frozen=True, tag="client-fqdn", gc=False):
    """DHCPv4 81 (RFC 4702), DHCPv6 39 (RFC 4704)."""

    code: int
    flags: int
    name: str
    at: int
    length: int


class Flag(Part, frozen=True, tag="flag", gc=False):
    """An option that says all by being there (DHCPv4 80; DHCPv6 14, 20)."""

    code: int
    at: int
    length: int


class Suboptions(Part, frozen=True, tag="suboptions"):
    """Options within an option, as (code, hexadecimal octets): DHCPv4 82 (RFC 3046), 43; DHCPv6 17, 56."""

    code: int
    items: tuple[tuple[int, str], ...]
    at: int
    length: int
    enterprise: int | None = None


class Status(Part, frozen=True, tag="status", gc=False):
    """DHCPv6 13 (RFC 8415 §21.13)."""

    code: int
    status: int
    text: str
    at: int
    length: int


class IaAddress(Part, frozen=True, tag="ia-address"):
    """DHCPv6 5 (RFC 8415 §21.6)."""

    code: int
    address: str
    preferred_s: int | None
    valid_s: int | None
    at: int
    length: int
    options: tuple["DhcpOption", ...] = ()


class IaPrefix(Part, frozen=True, tag="ia-prefix"):
    """DHCPv6 26 (RFC 8415 §21.22). excluded: the prefix of option 67 (RFC 6603) inside it."""

    code: int
    prefix: str
    preferred_s: int | None
    valid_s: int | None
    at: int
    length: int
    excluded: str | None = None
    options: tuple["DhcpOption", ...] = ()


class Ia(Part, frozen=True, tag="ia"):
    """DHCPv6 3, 4, 25: IA_NA, IA_TA, IA_PD (RFC 8415 §21.4, §21.5, §21.21). t1_s, t2_s: 0 = the client's choice."""

    code: int
    iaid: int
    t1_s: int | None
    t2_s: int | None
    at: int
    length: int
    options: tuple["DhcpOption", ...] = ()


class Authentication(Part, frozen=True, tag="authentication", gc=False):
    """DHCPv4 90, DHCPv6 11 (RFC 3118, RFC 8415 §21.11); `data` in hexadecimal."""

    code: int
    protocol: int
    algorithm: int
    rdm: int
    replay: str
    data: str
    at: int
    length: int


class Opaque(Part, frozen=True, tag="opaque", gc=False):
    """An option we have no reading for; `data` without the option's header."""

    code: int
    data: bytes
    at: int
    length: int


class Ignored(Part, frozen=True, tag="ignored-option", gc=False):
    """An option whose content a standard says to ignore; the rest of the message holds."""

    code: int
    reason: str
    data: bytes
    at: int
    length: int


DhcpOption = Union[  # noqa: UP007 - msgspec reads the recursive forward reference only in this form
    Addresses,
    Number,
    Text,
    Names,
    Routes,
    Resolver,
    RdnssSelection,
    Codes,
    Identifier,
    ClientFqdn,
    Flag,
    Suboptions,
    Status,
    IaAddress,
    IaPrefix,
    Ia,
    Authentication,
    Opaque,
    Ignored,
]


class Dhcp4MessageSeen(Event, frozen=True, tag="dhcp4-message"):
    """A DHCPv4 message (RFC 2131 §2).

    message: `DISCOVER`, `OFFER`, `REQUEST`, `DECLINE`, `ACK`, `NAK`, `RELEASE`, `INFORM`, `FORCERENEW`.
    chaddr: `02:00:…` of hlen octets. source, destination: of the IP packet. mac: the link-layer source.
    server_name, boot_file: sname and file, unless option 52 put options there.
    """

    link: LinkId
    message: str
    xid: int
    chaddr: str
    ciaddr: str = "0.0.0.0"
    yiaddr: str = "0.0.0.0"
    siaddr: str = "0.0.0.0"
    giaddr: str = "0.0.0.0"
    op: int = 1
    htype: int = 1
    hops: int = 0
    secs: int = 0
    broadcast: bool = False
    source: str = ""
    destination: str = ""
    mac: str = ""
    server_name: str = ""
    boot_file: str = ""
    options: tuple[DhcpOption, ...] = ()
    notes: tuple[Note, ...] = ()


class Relay(msgspec.Struct, frozen=True, omit_defaults=True):
    """One Relay-forward or Relay-reply around a message (RFC 8415 §9), outermost first."""

    message: str
    hop_count: int
    link_address: str
    peer_address: str
    options: tuple[DhcpOption, ...] = ()


class Dhcp6MessageSeen(Event, frozen=True, tag="dhcp6-message"):
    """A DHCPv6 message (RFC 8415 §8).

    message: `SOLICIT`, `ADVERTISE`, `REQUEST`, `CONFIRM`, `RENEW`, `REBIND`, `REPLY`, `RELEASE`, `DECLINE`,
    `RECONFIGURE`, `INFORMATION-REQUEST`. relays: not empty when it was seen between a relay and a server.
    """

    link: LinkId
    message: str
    xid: int
    source: str = ""
    destination: str = ""
    mac: str = ""
    relays: tuple[Relay, ...] = ()
    options: tuple[DhcpOption, ...] = ()
    notes: tuple[Note, ...] = ()
