"""DHCPv4 messages (RFC 2131 §2, RFC 2132, RFC 3396) from the octets of a UDP payload.

Law: a message is one event with every option it had, or Malformed. What an option of OPTIONS says is read by its line
there; to teach this decoder an option, add a line. What a message means for a lease needs state and is decided by the
reducer: nothing here knows who asked for it.

       0                   1                   2                   3
      +---------------+---------------+---------------+---------------+
    0 |     op (1)    |   htype (1)   |   hlen (1)    |   hops (1)    |
      +---------------+---------------+---------------+---------------+
    4 |                            xid (4)                            |
      +-------------------------------+-------------------------------+
    8 |           secs (2)            |B          flags (2)           |
      +-------------------------------+-------------------------------+
   12 |       ciaddr, yiaddr (16), siaddr (20), giaddr (24)           |
      +---------------------------------------------------------------+
   28 |       chaddr (16)                                             |
   44 |       sname (64)              options too if option 52 has 2  |
  108 |       file (128)              options too if option 52 has 1  |
      +---------------------------------------------------------------+
  236 |       magic 63 82 53 63                                       |
  240 |       options: code, length, content; 0 pads, 255 ends        |
      +---------------------------------------------------------------+
"""

from collections.abc import Mapping
from functools import lru_cache
from socket import AF_INET, inet_ntop
from struct import Struct
from typing import Final, NamedTuple

from msgspec.structs import replace

from adapters.wire.cursor import Malformed
from adapters.wire.dhcp.fields import (
    NAMES_MAX,
    PREFERENCES,
    Parts,
    Raw,
    Reader,
    Unfit,
    address,
    address_text,
    authentication,
    domain_names,
    flag,
    host,
    host_name,
    hosts,
    identifier,
    is_host,
    message,
    number,
    pairs,
    partial_name,
    pieces,
    plain,
    portal,
    printable,
    resolver,
    seconds,
    suboptions,
    tz_name,
    wire_names,
)
from adapters.wire.dnr import DHCP4, BadResolver, read_resolver
from adapters.wire.names import BadName, read_compressed
from events.dhcp import (
    Addresses,
    ClientFqdn,
    Codes,
    Dhcp4MessageSeen,
    DhcpOption,
    Ignored,
    Names,
    Number,
    Opaque,
    RdnssSelection,
    Route,
    Routes,
    Suboptions,
)
from events.frames import Note

OPTION_OCTETS_MAX: Final = 4096  # of one option's joined content: 16 full fragments, more than any real option (D.3)
ROUTES_MAX: Final = 256  # in one option: each becomes a kernel route (D.3); 121 has room for 819 of the smallest
MAGIC: Final = b"\x63\x82\x53\x63"  # RFC 2131 §3

PAD: Final = 0
END: Final = 255
OVERLOAD: Final = 52
MESSAGE_TYPE: Final = 53
SERVER_ID: Final = 54

_HEADER: Final = Struct("!BBBBIHH4s4s4s4s")  # up to chaddr
_CHADDR: Final = 28
_SNAME: Final = 44
_FILE: Final = 108
_COOKIE: Final = 236
_OPTIONS: Final = 240
_BROADCAST: Final = 0x8000

REQUEST_OP: Final = 1
REPLY_OP: Final = 2

# Message type -> (name, op): who sends it (RFC 2131 §3.1 table 2; RFC 3203 §3 for FORCERENEW).
MESSAGES: Final[Mapping[int, tuple[str, int]]] = {
    1: ("DISCOVER", REQUEST_OP),
    2: ("OFFER", REPLY_OP),
    3: ("REQUEST", REQUEST_OP),
    4: ("DECLINE", REQUEST_OP),
    5: ("ACK", REPLY_OP),
    6: ("NAK", REPLY_OP),
    7: ("RELEASE", REQUEST_OP),
    8: ("INFORM", REQUEST_OP),
    9: ("FORCERENEW", REPLY_OP),
}

# Hardware type -> octets of chaddr, where it is settled: Ethernet and IEEE 802 (RFC 1700), InfiniBand (RFC 4390 §2.1).
_HARDWARE: Final[Mapping[int, int]] = {1: 6, 6: 6, 32: 0}
_HLEN_MAX: Final = 16

# What a NAK may carry: RFC 2131 §4.3.1 table 3 and RFC 6842 (61); 82 is echoed in any reply (RFC 3046 §2.2).
_IN_NAK: Final = frozenset({53, 54, 56, 60, 61, 82})


# --- readers of this protocol's own options ------------------------------------------------------------------------


def mask(raw: Raw) -> Parts:
    """Subnet mask (RFC 2132 §3.3): ones, then zeros. All zeros would make the whole world on-link: not believed."""
    if len(raw.data) != 4:
        raise Unfit("length")
    inverted = int.from_bytes(raw.data, "big") ^ 0xFFFFFFFF
    if inverted & (inverted + 1):
        raise Unfit("mask-not-contiguous")
    if inverted == 0xFFFFFFFF:
        raise Unfit("mask-zero")
    return (Addresses(raw.code, (address_text(raw.data),), raw.at, raw.length),)


def codes(raw: Raw) -> Parts:
    """Numbers of one octet: the parameter request list (RFC 2132 §9.8), in the client's order."""
    if not raw.data:
        raise Unfit("length")
    return (Codes(raw.code, tuple(raw.data), raw.at, raw.length),)


def overload(raw: Raw) -> Parts:
    """RFC 2132 §9.3: 1 file, 2 sname, 3 both; no other value has a meaning."""
    if len(raw.data) != 1:
        raise Unfit("length")
    if raw.data[0] not in (1, 2, 3):
        raise Unfit("value")
    return (Number(raw.code, raw.data[0], raw.at, raw.length),)


def _network(octets: bytes, width: int) -> str:
    """`ADDRESS/LEN` of up to four octets (zeros follow), host bits cleared."""
    bits = int.from_bytes(octets, "big") << (32 - 8 * len(octets))
    bits = bits >> (32 - width) << (32 - width)
    return f"{inet_ntop(AF_INET, bits.to_bytes(4, 'big'))}/{width}"


def static_routes(raw: Raw) -> Parts:
    """Option 33 (RFC 2132 §5.8), pairs of destination and router. There is no mask: the destination's class tells.

    A destination 0.0.0.0 is illegal there, and a router that is no host has no meaning: that pair alone is dropped.
    """
    data = raw.data
    if not data or len(data) % 8:
        raise Unfit("length")
    if len(data) > 8 * ROUTES_MAX:
        raise Unfit("route-count")
    good: list[Route] = []
    bad: list[bytes] = []
    for at in range(0, len(data), 8):
        destination, via = data[at : at + 4], data[at + 4 : at + 8]
        first = destination[0]
        if first == 0 or first >= 224 or not is_host(via):  # no class A, B or C
            bad.append(data[at : at + 8])
            continue
        width = 8 if first < 128 else 16 if first < 192 else 24
        good.append(Route(_network(destination, width), address_text(via)))
    if not good:
        raise Unfit("route")
    routes = Routes(raw.code, tuple(good), raw.at, raw.length)
    return (routes, raw.ignored("route", b"".join(bad))) if bad else (routes,)


def classless_routes(raw: Raw) -> Parts:
    """Options 121 and 249 (RFC 3442): width, its significant octets, router; 0.0.0.0 as router is on-link.

          +-------+--------------------------+-------------------+
          | width | 0..4 octets of the dest. | router          4 |      repeated to the end of the option
          +-------+--------------------------+-------------------+

    One route that cannot be read voids the option: half a routing table is worse than the plain option 3.
    """
    data = raw.data
    end = len(data)
    if end < 5:
        raise Unfit("length")
    routes: list[Route] = []
    at = 0
    while at < end:
        width = data[at]
        if width > 32:
            raise Unfit("route-width")
        via = at + 1 + (width + 7) // 8
        if via + 4 > end:
            raise Unfit("route-truncated")
        if len(routes) == ROUTES_MAX:
            raise Unfit("route-count")
        router = data[via : via + 4]
        if router == b"\0\0\0\0":
            routes.append(Route(_network(data[at + 1 : via], width), None))
        elif is_host(router):
            routes.append(Route(_network(data[at + 1 : via], width), address_text(router)))
        else:
            raise Unfit("route-router")
        at = via + 4
    return (Routes(raw.code, tuple(routes), raw.at, raw.length),)


def search(raw: Raw) -> Parts:
    """Option 119 (RFC 3397 §2), whose pointers count from the start of the joined content.

    Content that ends inside a name costs that name only (§3). The root is no domain to search; it is dropped.
    """
    data = raw.data
    if not data:
        raise Unfit("length")
    found: list[str] = []
    dropped: list[Ignored] = []
    at = 0
    while at < len(data):
        if len(found) == NAMES_MAX:
            raise Unfit("name-count")
        try:
            name, after = read_compressed(data, at)
        except BadName as bad:
            if bad.reason != "name-unterminated" or not found:
                raise Unfit(bad.reason) from None
            dropped.append(raw.ignored(bad.reason, data[at:]))
            break
        if name != ".":
            found.append(name)
        elif not dropped:
            dropped.append(raw.ignored("name-root", data[at:after]))
        at = after
    if not found:
        raise Unfit("name-root")
    return (Names(raw.code, tuple(found), raw.at, raw.length), *dropped)


def fqdn(raw: Raw) -> Parts:
    """Client FQDN (RFC 4702 §2): flags, two obsolete octets, the name; E (0x04) says in which of two encodings."""
    data = raw.data
    if len(data) < 3:
        raise Unfit("length")
    if data[0] & 0x04:
        name = partial_name(data, 3)
    else:
        ascii_name = data[3:].rstrip(b"\0")
        if not all(0x21 <= octet <= 0x7E for octet in ascii_name):
            raise Unfit("host-name")
        name = ascii_name.decode("ascii")
    return (ClientFqdn(raw.code, data[0], name, raw.at, raw.length),)


def resolvers(raw: Raw) -> Parts:
    """Option 162 (RFC 9463 §5.1): instances, each behind its length; each stands or falls by itself.

    +-----------------+----------------+-------------------------+
    | length       16 | priority    16 | as in dnr.py            |      length: all that follows it
    +-----------------+----------------+-------------------------+
    """
    data = raw.data
    end = len(data)
    if not data:
        raise Unfit("length")
    parts: list[DhcpOption] = []
    at = 0
    while at < end:
        body = at + 2
        stop = body + int.from_bytes(data[at:body], "big")
        if stop > end or body > end:  # nothing after it can be found
            parts.append(raw.ignored("dnr-truncated", data[at:]))
            break
        try:
            if stop - body < 3:
                raise BadResolver("dnr-truncated", at)
            priority = int.from_bytes(data[body : body + 2], "big")
            parts.append(resolver(raw, read_resolver(data, body + 2, stop, priority=priority, form=DHCP4)))
        except BadResolver as bad:
            parts.append(raw.ignored(bad.reason, data[at:stop]))
        at = stop
    faults = [part.reason for part in parts if isinstance(part, Ignored)]
    if len(faults) == len(parts):  # then the option as a whole, for its first fault
        raise Unfit(faults[0])
    return tuple(parts)


def rdnss_selection(raw: Raw) -> Parts:
    """Option 146 (RFC 6731 §4.3): preference bits, primary and secondary server (0.0.0.0: none), names."""
    data = raw.data
    if len(data) < 10:
        raise Unfit("length")
    primary, secondary = data[1:5], data[5:9]
    servers = [primary] if secondary == b"\0\0\0\0" else [primary, secondary]
    if not all(is_host(one) for one in servers):
        raise Unfit("not-unicast")
    return (
        RdnssSelection(
            raw.code,
            tuple([address_text(one) for one in servers]),
            PREFERENCES[data[0] & 3],
            wire_names(data, 9),
            raw.at,
            raw.length,
        ),
    )


def vendor_specific(raw: Raw) -> Parts:
    """Option 43 (RFC 2132 §8.4): options within it, padded and ended like the message's, if it is what most send."""
    data = raw.data
    if not data:
        raise Unfit("length")
    items: list[tuple[int, str]] = []
    at = 0
    while at < len(data) and data[at] != END:
        if data[at] == PAD:
            at += 1
            continue
        if at + 1 >= len(data) or at + 2 + data[at + 1] > len(data):
            return (Opaque(raw.code, data, raw.at, raw.length),)  # only a SHOULD: the vendor's own form
        items.append((data[at], data[at + 2 : at + 2 + data[at + 1]].hex()))
        at += 2 + data[at + 1]
    return (Suboptions(raw.code, tuple(items), raw.at, raw.length),)


def user_class(raw: Raw) -> Parts:
    """Option 77 (RFC 3004 §4): counted pieces; many clients send one plain text instead."""
    if not raw.data:
        raise Unfit("length")
    try:
        return (Suboptions(raw.code, pieces(raw.data, 0, 1), raw.at, raw.length),)
    except Unfit:
        return (Opaque(raw.code, raw.data, raw.at, raw.length),)


def by_enterprise(raw: Raw) -> Parts:
    """Options 124 and 125 (RFC 3925 §3, §4): enterprise number, length, then pieces or suboptions; repeated."""
    data = raw.data
    if len(data) < 5:
        raise Unfit("length")
    inside = pieces if raw.code == 124 else pairs
    parts: list[DhcpOption] = []
    at = 0
    while at < len(data):
        body = at + 5
        if body > len(data) or body + data[body - 1] > len(data):
            raise Unfit("suboption-length")
        stop = body + data[body - 1]
        enterprise = int.from_bytes(data[at : at + 4], "big")
        parts.append(Suboptions(raw.code, inside(data[body:stop], 0, 1), raw.at, raw.length, enterprise))
        at = stop
    return tuple(parts)


def obsolete(raw: Raw) -> Parts:
    """A code that a standard took back."""
    raise Unfit("obsolete")


# --- the options this decoder reads: code -> (name, reader) ---------------------------------------------------------

OPTIONS: Final[Mapping[int, tuple[str, Reader]]] = {
    1: ("subnet-mask", mask),
    3: ("routers", hosts(4)),
    4: ("time-servers", hosts(4)),
    6: ("dns-servers", hosts(4)),
    7: ("log-servers", hosts(4)),
    12: ("host-name", host_name),
    13: ("boot-file-blocks", number(2)),
    15: ("domain-name", domain_names),
    17: ("root-path", message),
    22: ("reassembly-octets-max", number(2, least=576)),  # RFC 2132 §4.4
    23: ("ttl", number(1, least=1)),  # RFC 2132 §4.5
    26: ("mtu", number(2, least=68)),  # RFC 2132 §5.1
    28: ("broadcast-address", address(4)),
    33: ("static-routes", static_routes),
    35: ("arp-timeout", number(4)),
    40: ("nis-domain", message),
    41: ("nis-servers", hosts(4)),
    42: ("ntp-servers", hosts(4)),
    43: ("vendor-specific", vendor_specific),
    44: ("netbios-servers", hosts(4)),
    46: ("netbios-node-type", number(1)),
    50: ("requested-address", address(4)),
    51: ("lease-time", seconds),
    OVERLOAD: ("overload", overload),
    MESSAGE_TYPE: ("message-type", number(1)),
    SERVER_ID: ("server-id", host(4)),
    55: ("requested-options", codes),
    56: ("message", message),
    57: ("message-octets-max", number(2, least=576)),  # RFC 2132 §9.10
    58: ("t1", seconds),
    59: ("t2", seconds),
    60: ("vendor-class", message),
    61: ("client-id", identifier(2, OPTION_OCTETS_MAX)),  # RFC 2132 §9.14
    66: ("tftp-server", message),
    67: ("boot-file", message),
    69: ("smtp-servers", hosts(4)),
    77: ("user-class", user_class),
    80: ("rapid-commit", flag),  # RFC 4039 §4
    81: ("client-fqdn", fqdn),
    82: ("relay-agent", suboptions(1)),  # RFC 3046 §2
    90: ("authentication", authentication),  # RFC 3118 §2
    93: ("client-architecture", number(2)),  # RFC 4578 §2.1
    97: ("client-machine-id", identifier(1, 255)),  # RFC 4578 §2.3
    100: ("tz-posix", printable),  # RFC 4833 §2
    101: ("tz-name", tz_name),
    108: ("ipv6-only-preferred", number(4)),  # RFC 8925 §3.1
    114: ("captive-portal", portal),  # RFC 8910 §2.1
    116: ("auto-configure", number(1, most=1)),  # RFC 2563 §2
    118: ("subnet-selection", address(4)),  # RFC 3011 §2
    119: ("domain-search", search),
    121: ("classless-routes", classless_routes),
    124: ("vendor-class-by-enterprise", by_enterprise),
    125: ("vendor-options-by-enterprise", by_enterprise),
    138: ("capwap-controllers", hosts(4)),  # RFC 5417 §2
    145: ("forcerenew-nonce", codes),  # RFC 6704 §3.1.1: algorithms the client can do
    146: ("rdnss-selection", rdnss_selection),
    150: ("tftp-servers", hosts(4)),  # RFC 5859 §2
    160: ("captive-portal-rfc7710", obsolete),  # RFC 8910 §1
    162: ("encrypted-dns", resolvers),
    249: ("classless-routes-microsoft", classless_routes),
    252: ("proxy-auto-config", message),
}


# --- the message ---------------------------------------------------------------------------------------------------


class _Fragment(NamedTuple):
    """One code, length, content on the wire: `at` is its code octet."""

    code: int
    at: int
    body: int
    end: int


def _walk(data: bytes, at: int, end: int, notes: list[Note]) -> list[_Fragment]:
    """The fragments between the bounds, up to the END option (RFC 2132 §2, §3.1, §3.2)."""
    found: list[_Fragment] = []
    while at < end:
        code = data[at]
        if code == PAD:
            at += 1
            continue
        if code == END:
            at += 1
            if data.count(0, at, end) != end - at:  # senders pad with zeros; what else may stand here is not said
                notes.append(Note("dhcp4-after-end", at))
            return found
        body = at + 2
        if body > end:
            raise Malformed("dhcp4-option-header", at, f"option {code} has no length octet")
        stop = body + data[at + 1]
        if stop > end:
            raise Malformed("dhcp4-option-length", at + 1, f"option {code} goes {stop - end} octets past its field")
        found.append(_Fragment(code, at, body, stop))
        at = stop
    # RFC 2131 §4.1 wants an END in each field that is used; some servers leave it out when a field is just full.
    notes.append(Note("dhcp4-no-end", end))
    return found


def _join(data: bytes, fragments: list[_Fragment]) -> Raw:
    """All fragments of one code as the one option they are, whatever its type (RFC 3396 §5, §7)."""
    code, at, body, end = fragments[0]
    if len(fragments) == 1:
        return Raw(code, data[body:end], at, end - at)
    return Raw(code, b"".join([data[one.body : one.end] for one in fragments]), at, end - at)


def _read(raw: Raw) -> Parts:
    """What one joined option says."""
    line = OPTIONS.get(raw.code)
    if line is None:
        return (Opaque(raw.code, raw.data, raw.at, raw.length),)
    if len(raw.data) > OPTION_OCTETS_MAX:
        return (raw.ignored("too-long"),)
    try:
        return line[1](raw)
    except Unfit as unfit:
        return (raw.ignored(unfit.reason),)


def decode(
    data: bytes, at: int, end: int, *, link: str, source: str, destination: str, mac: str, notes: tuple[Note, ...]
) -> Dhcp4MessageSeen:
    """The message in `data[at:end]`, a UDP payload within the frame `data`; offsets are in the frame.

    Raises Malformed with a `dhcp4-` rule of rules.py.
    """
    data = bytes(data)
    if end - at < _OPTIONS:
        raise Malformed(
            "dhcp4-too-short", end, f"{end - at} octets; the fixed part and the magic cookie are {_OPTIONS}"
        )
    # A client renews for years: but for the transaction's number and how long it took, with the same words.
    same = bytes(at) + data[at : at + _XID] + bytes(_CIADDR - _XID) + data[at + _CIADDR : end]
    event = _said(same, at, end, link, source, destination, mac, notes)
    xid, secs, flags = _ONCE.unpack_from(data, at + _XID)
    return replace(event, xid=xid, secs=secs, broadcast=bool(flags & _BROADCAST))


_XID: Final = 4  # RFC 2131 §2: xid, secs and flags stand between here and ciaddr
_CIADDR: Final = 12
_ONCE: Final = Struct("!IHH")
MESSAGES_REMEMBERED: Final = 4096  # as many as frames (adapters/ingest.py); about 10 MiB
OPTIONS_REMEMBERED: Final = 512  # what each of a hundred links' servers offers and leases, and room for their clients


@lru_cache(maxsize=MESSAGES_REMEMBERED)
def _said(
    data: bytes, at: int, end: int, link: str, source: str, destination: str, mac: str, notes: tuple[Note, ...]
) -> Dhcp4MessageSeen:
    """The message whose xid, secs and flags are 0."""
    op, htype, hlen, hops, _, _, _, ciaddr, yiaddr, siaddr, giaddr = _HEADER.unpack_from(data, at)
    if data[at + _COOKIE : at + _OPTIONS] != MAGIC:
        raise Malformed("dhcp4-magic", at + _COOKIE, "no DHCP options: another magic cookie")
    if op not in (REQUEST_OP, REPLY_OP):
        raise Malformed("dhcp4-op", at, f"op {op}")
    if htype == 0:
        raise Malformed("dhcp4-htype", at + 1, "hardware type 0 is reserved")
    if hlen > _HLEN_MAX or hlen != _HARDWARE.get(htype, hlen):
        raise Malformed("dhcp4-hlen", at + 2, f"{hlen} octets of hardware address for hardware type {htype}")

    # What a server gives all its clients is the same from there on.
    name, sender, options, found, server, lease_zero, file_used, sname_used = _options(
        bytes(at + _SNAME) + data[at + _SNAME : end], at, end
    )
    if op != sender:
        raise Malformed("dhcp4-op-message", at, f"{name} with op {op}")
    if name == "OFFER" and not server:  # RFC 2131 §4.3.1 table 3; without it nobody could say which offer is taken
        raise Malformed("dhcp4-no-server-id", at + _OPTIONS, "OFFER without a usable option 54")
    if name in ("OFFER", "ACK") and yiaddr != b"\0\0\0\0":
        # 0.0.0.0 is right in the ACK to an INFORM (RFC 2131 §4.3.5) and in an OFFER with option 108 (RFC 8925 §3.3).
        if not is_host(yiaddr):
            raise Malformed("dhcp4-yiaddr", at + 16, f"{name} of {address_text(yiaddr)}")
        if name == "ACK" and lease_zero is not None:
            raise Malformed("dhcp4-lease-zero", lease_zero, "ACK of a lease of 0 s")

    return Dhcp4MessageSeen(
        link=link,
        message=name,
        xid=0,
        chaddr=data[at + _CHADDR : at + _CHADDR + hlen].hex(":"),
        ciaddr=inet_ntop(AF_INET, ciaddr),
        yiaddr=inet_ntop(AF_INET, yiaddr),
        siaddr=inet_ntop(AF_INET, siaddr),
        giaddr=inet_ntop(AF_INET, giaddr),
        op=op,
        htype=htype,
        hops=hops,
        source=source,
        destination=destination,
        mac=mac,
        server_name="" if sname_used else _string(data, at + _SNAME, at + _FILE),
        boot_file="" if file_used else _string(data, at + _FILE, at + _COOKIE),
        options=options,
        notes=notes + found,
    )


class _Options(NamedTuple):
    """A message's kind and who sends such, its options, what is odd about them; whether they name a server, and where a
    lease of 0 s stands; which fields it turned into options."""

    name: str
    sender: int
    options: tuple[DhcpOption, ...]
    notes: tuple[Note, ...]
    server: bool
    lease_zero: int | None
    file_used: bool
    sname_used: bool


@lru_cache(maxsize=OPTIONS_REMEMBERED)
def _options(data: bytes, at: int, end: int) -> _Options:
    """What the options of the message at `at` say."""
    notes: list[Note] = []
    fragments, nested, file_used, sname_used = _gather(data, at, end, notes)
    if MESSAGE_TYPE not in fragments:
        raise Malformed("dhcp4-no-message-type", at + _OPTIONS, "no option 53: BOOTP")
    name, sender = _message_type(_join(data, fragments[MESSAGE_TYPE]))
    options: list[DhcpOption] = []
    server, lease_zero = False, None
    for code, pieces_of_it in fragments.items():
        raw = _join(data, pieces_of_it)
        if name == "NAK" and code not in _IN_NAK:
            options.append(raw.ignored("not-in-nak"))
            continue
        if code == 80 and name not in ("DISCOVER", "ACK"):  # RFC 4039 §3
            options.append(raw.ignored("not-here"))
            continue
        parts = _read(raw)
        options += parts
        if code == SERVER_ID:
            server = type(parts[0]) is Addresses
        elif code == 51 and type(parts[0]) is Number and parts[0].value == 0:
            lease_zero = raw.at
    options += [_join(data, [one]).ignored("overload-nested") for one in nested]
    return _Options(name, sender, tuple(options), tuple(notes), server, lease_zero, file_used, sname_used)


class _Gathered(NamedTuple):
    """The fragments of each code in the order in which RFC 3396 joins them; those of option 52 that stand where it may
    not; and which fields it turned into options."""

    fragments: dict[int, list[_Fragment]]
    nested: list[_Fragment]
    file_used: bool
    sname_used: bool


def _gather(data: bytes, at: int, end: int, notes: list[Note]) -> _Gathered:
    """All options of the message at `at`: its options field, then file, then sname (RFC 2131 §4.1)."""
    fragments: dict[int, list[_Fragment]] = {}
    for one in _walk(data, at + _OPTIONS, end, notes):
        fragments.setdefault(one.code, []).append(one)
    file_used, sname_used = False, False
    nested: list[_Fragment] = []
    if OVERLOAD in fragments and not _is_nak(data, fragments):
        used = _read(_join(data, fragments[OVERLOAD]))[0]
        if type(used) is Number and used.value is not None:
            file_used, sname_used = bool(used.value & 1), bool(used.value & 2)
            overloaded = _walk(data, at + _FILE, at + _COOKIE, notes) if file_used else []
            if sname_used:
                overloaded += _walk(data, at + _SNAME, at + _FILE, notes)
            for one in overloaded:
                if one.code == OVERLOAD:  # it could only send the reader in circles (RFC 2132 §9.3)
                    nested.append(one)
                else:
                    fragments.setdefault(one.code, []).append(one)
    return _Gathered(fragments, nested, file_used, sname_used)


def pieces_of(data: bytes, at: int, end: int) -> dict[int, list[tuple[int, int]]]:
    """Of a message that `decode` has read: for each code the pieces of the frame that its joined content is made of,
    (first octet, octet after the last)."""
    gathered = _gather(data, at, end, [])
    return {code: [(one.body, one.end) for one in found] for code, found in gathered.fragments.items()}


def _is_nak(data: bytes, fragments: Mapping[int, list[_Fragment]]) -> bool:
    """Whether the options field alone says so: a NAK may not be overloaded (RFC 2131 §4.3.1 table 3)."""
    return MESSAGE_TYPE in fragments and _join(data, fragments[MESSAGE_TYPE]).data == b"\x06"


def _message_type(raw: Raw) -> tuple[str, int]:
    """(name, op) by option 53."""
    if len(raw.data) != 1:  # two of them are one of two octets (RFC 3396 §7)
        raise Malformed("dhcp4-message-type", raw.at, f"option 53 of {len(raw.data)} octets")
    kind = MESSAGES.get(raw.data[0])
    if kind is None:
        raise Malformed("dhcp4-message-type", raw.at, f"message type {raw.data[0]}")
    return kind


def _string(data: bytes, at: int, end: int) -> str:
    """A field of text that NUL ends (RFC 2131 §2)."""
    if not data[at]:
        return ""
    return plain(data[at:end].partition(b"\0")[0])
