"""Neighbor Discovery as it was said: RAs with all their options in order, RS, NS, NA, Redirect (RFC 4861).

Law: every field is what stood on the wire; what it means for a PvD is decided elsewhere. Lifetimes are seconds,
`None` is infinity (0xffffffff). Addresses are inet_ntop text, prefixes `ADDRESS/LEN` with host bits cleared.

An option does not know where it stands: it knows its `length` in octets and stands in order, so its offset is a sum
(see `pvdcore.past.audit`). That way the same option bytes are the same object wherever they appear.
"""

from typing import Union

import msgspec

from events.base import Event, Part
from events.frames import Note
from events.ids import LinkId


class RaHeader(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The fixed part of an RA (RFC 4861 §4.2, RFC 4191 §2.2, RFC 6275 §7.1, RFC 4389 §4.1.3.3).

    lifetime_s: router lifetime, 0 = not a default router, 65535 is 18.2 h and not infinity.
    preference: `high`, `medium`, `low`, or `reserved` for the bits 10 (read as medium).
    hop_limit, reachable_ms, retrans_ms: 0 = unspecified. flags: the octet, for bits that have no name yet.
    """

    lifetime_s: int
    preference: str = "medium"
    managed: bool = False
    other_config: bool = False
    hop_limit: int = 0
    reachable_ms: int = 0
    retrans_ms: int = 0
    home_agent: bool = False
    proxy: bool = False
    snac: bool = False
    flags: int = 0


class SourceLinkLayerAddress(Part, frozen=True, tag="source-lla", gc=False):
    """Option 1 (RFC 4861 §4.6.1)."""

    address: str
    length: int = 8


class TargetLinkLayerAddress(Part, frozen=True, tag="target-lla", gc=False):
    """Option 2 (RFC 4861 §4.6.1)."""

    address: str
    length: int = 8


class PrefixInformation(Part, frozen=True, tag="prefix", gc=False):
    """Option 3 (RFC 4861 §4.6.2, RFC 6275 R flag, RFC 9762 P flag)."""

    prefix: str
    valid_s: int | None
    preferred_s: int | None
    on_link: bool = False
    autonomous: bool = False
    router_address: bool = False
    pd_preferred: bool = False
    length: int = 32


class RedirectedHeader(Part, frozen=True, tag="redirected-header", gc=False):
    """Option 4 (RFC 4861 §4.6.3): the start of the packet that was redirected."""

    data: bytes
    length: int


class Mtu(Part, frozen=True, tag="mtu", gc=False):
    """Option 5 (RFC 4861 §4.6.4)."""

    mtu: int
    length: int = 8


class RouteInformation(Part, frozen=True, tag="route", gc=False):
    """Option 24 (RFC 4191 §2.3). preference: `high`, `medium`, `low`."""

    prefix: str
    lifetime_s: int | None
    preference: str = "medium"
    length: int = 24


class Rdnss(Part, frozen=True, tag="rdnss", gc=False):
    """Option 25 (RFC 8106 §5.1)."""

    addresses: tuple[str, ...]
    lifetime_s: int | None
    length: int


class Dnssl(Part, frozen=True, tag="dnssl", gc=False):
    """Option 31 (RFC 8106 §5.2). Names as the wire readers write them (adapters/wire/names.py), with the final dot."""

    names: tuple[str, ...]
    lifetime_s: int | None
    length: int


class FlagsExtension(Part, frozen=True, tag="flags-extension", gc=False):
    """Option 26 (RFC 5175 §4): flag bits 8 and on, as hexadecimal octets."""

    bits: str
    length: int = 8


class CaptivePortal(Part, frozen=True, tag="captive-portal", gc=False):
    """Option 37 (RFC 8910 §2.3)."""

    uri: str
    length: int


class Pref64(Part, frozen=True, tag="pref64", gc=False):
    """Option 38 (RFC 8781 §4). lifetime_s: already multiplied by 8."""

    prefix: str
    lifetime_s: int
    length: int = 16


class ServiceParam(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One SvcParam (RFC 9460 §2.2): `value` as hexadecimal octets; `text` where the key has a well-known form."""

    key: int
    value: str
    text: str = ""


class EncryptedDns(Part, frozen=True, tag="encrypted-dns"):
    """Option 144, and what DHCPv4 162 and DHCPv6 144 say (RFC 9463 §3.1, §4.1, §5.1, §6.1).

    adn: authentication domain name. addresses: empty in ADN-only mode. lifetime_s: `None` from DHCP (the lease's).
    """

    priority: int
    adn: str
    addresses: tuple[str, ...] = ()
    params: tuple[ServiceParam, ...] = ()
    lifetime_s: int | None = None
    length: int = 0


class MifPvdId(Part, frozen=True, tag="mif-pvd-id", gc=False):
    """Option 64 of the MIF drafts (standards.md A.4): an id of type 1 or 4 with a UUID in lower case."""

    uuid: str
    id_type: int
    length: int = 40


class MifContainer(Part, frozen=True, tag="mif-container"):
    """Option 63 of the MIF drafts (standards.md A.4). options: those nested, the first being the MifPvdId."""

    uuid: str
    options: tuple["NdOption", ...]
    length: int
    nested_at: int = 8


class PvdOption(Part, frozen=True, tag="pvd"):
    """Option 21 (RFC 8801 §3.1).

    name: the PvD ID as adapters/wire/names.py writes it: lower case, escaped, with the final dot; name_as_sent keeps
    the case.
    header: the RA header inside, if R was set. nested_at: octet in the option where the nested options begin.
    flags: the 16 bits after the length octet as they stood.
    """

    name: str
    http: bool
    legacy: bool
    delay: int
    sequence: int
    options: tuple["NdOption", ...]
    length: int
    nested_at: int
    header: RaHeader | None = None
    flags: int = 0
    name_as_sent: str = ""


class UnknownOption(Part, frozen=True, tag="unknown", gc=False):
    """An option we have no reading for; kept as bytes, header octets included."""

    code: int
    data: bytes
    length: int


class IgnoredOption(Part, frozen=True, tag="ignored", gc=False):
    """An option whose content a standard says to ignore; the rest of the message holds. data: header included."""

    code: int
    reason: str
    data: bytes
    length: int


NdOption = Union[  # noqa: UP007 - msgspec reads the recursive forward reference only in this form
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
    PrefixInformation,
    RedirectedHeader,
    Mtu,
    RouteInformation,
    Rdnss,
    Dnssl,
    FlagsExtension,
    CaptivePortal,
    Pref64,
    EncryptedDns,
    MifPvdId,
    MifContainer,
    PvdOption,
    UnknownOption,
    IgnoredOption,
]


class RouterAdvertised(Event, frozen=True, tag="router-advertised"):
    """A Router Advertisement that passed the checks of RFC 4861 §6.1.2.

    router: its IPv6 source, a link-local address. mac: the link-layer source, "" if the link type has none.
    options_at: octet in the frame where the first option begins.
    """

    link: LinkId
    router: str
    header: RaHeader
    options: tuple[NdOption, ...] = ()
    options_at: int = 0
    mac: str = ""
    destination: str = ""
    notes: tuple[Note, ...] = ()


class RouterSolicited(Event, frozen=True, tag="router-solicited"):
    """A Router Solicitation (RFC 4861 §4.1); `source` is `::` from a host without an address."""

    link: LinkId
    source: str
    options: tuple[NdOption, ...] = ()
    options_at: int = 0
    mac: str = ""
    notes: tuple[Note, ...] = ()


class NeighborSolicited(Event, frozen=True, tag="neighbor-solicited"):
    """A Neighbor Solicitation (RFC 4861 §4.3); with source `::` it is duplicate address detection (RFC 4862 §5.4)."""

    link: LinkId
    source: str
    target: str
    options: tuple[NdOption, ...] = ()
    options_at: int = 0
    mac: str = ""
    destination: str = ""
    notes: tuple[Note, ...] = ()


class NeighborAdvertised(Event, frozen=True, tag="neighbor-advertised"):
    """A Neighbor Advertisement (RFC 4861 §4.4). router, solicited, override: the R, S and O flags."""

    link: LinkId
    source: str
    target: str
    router: bool = False
    solicited: bool = False
    override: bool = False
    options: tuple[NdOption, ...] = ()
    options_at: int = 0
    mac: str = ""
    destination: str = ""
    notes: tuple[Note, ...] = ()


class Redirected(Event, frozen=True, tag="redirected"):
    """A Redirect (RFC 4861 §4.5)."""

    link: LinkId
    source: str
    target: str
    destination: str
    options: tuple[NdOption, ...] = ()
    options_at: int = 0
    mac: str = ""
    notes: tuple[Note, ...] = ()
