"""DHCPv6 messages (RFC 8415 §8, §9, §21) from the octets of a UDP payload, relay headers peeled off.

Law: a message is one event with every option it had, each where it stood, or Malformed. What an option of OPTIONS says
is read by its line there; to teach this decoder an option, add a line. Whose message it is, and what it changes, needs
state and is decided by the reducer. Repeats of an option that may stand once are never joined: the first one counts
(RFC 8415 §21; DHCPv4 does the opposite).

       0               1               2               3
      +---------------+-----------------------------------------------+
      | msg-type  (1) |             transaction-id (3)                |      options from 4
      +---------------+-----------------------------------------------+
      | 12, 13    (1) | hop-count (1) | link-address (16), peer-address (16), options from 34; the message in option 9
      +---------------+---------------+-------------------------------+
      | option-code               (2) | option-len                (2) |      option-len octets of content
      +-------------------------------+-------------------------------+
"""

from collections.abc import Callable, Mapping
from typing import Final

from adapters.wire.cursor import Malformed, lifetime
from adapters.wire.dhcp.fields import (
    PREFERENCES,
    Parts,
    Raw,
    Unfit,
    address,
    address_text,
    authentication,
    flag,
    hosts,
    identifier,
    is_host,
    line,
    message,
    names,
    number,
    pairs,
    partial_name,
    pieces,
    portal,
    printable,
    resolver,
    seconds,
    tz_name,
    wire_names,
)
from adapters.wire.dnr import DHCP6, BadResolver, read_resolver
from adapters.wire.names import BadName, read_name
from events.dhcp import (
    ClientFqdn,
    Codes,
    Dhcp6MessageSeen,
    DhcpOption,
    Ia,
    IaAddress,
    IaPrefix,
    Identifier,
    Number,
    Opaque,
    RdnssSelection,
    Relay,
    Status,
    Suboptions,
)
from events.frames import Note

RELAYS_MAX: Final = 8  # RFC 8415 §7.6 HOP_COUNT_LIMIT: no honest message went through more
OPTIONS_MAX: Final = 256  # in one packet, nested ones and relays' counted: real Replies have about 20 (D.3)
NESTING_MAX: Final = 4  # options in options; the deepest that means anything is IA, address, status: three (D.3)
DUID_OCTETS: Final = (3, 130)  # two of type and 1 to 128 (RFC 8415 §11.1)

MESSAGES: Final[Mapping[int, str]] = {
    1: "SOLICIT",
    2: "ADVERTISE",
    3: "REQUEST",
    4: "CONFIRM",
    5: "RENEW",
    6: "REBIND",
    7: "REPLY",
    8: "RELEASE",
    9: "DECLINE",
    10: "RECONFIGURE",
    11: "INFORMATION-REQUEST",
}
RELAYS: Final[Mapping[int, str]] = {12: "RELAY-FORW", 13: "RELAY-REPL"}

CLIENT_ID: Final = 1
SERVER_ID: Final = 2
RELAY_MESSAGE: Final = 9
RECONFIGURE_MESSAGE: Final = 19
PD_EXCLUDE: Final = 67

_FROM_SERVER: Final = frozenset({"ADVERTISE", "REPLY", "RECONFIGURE"})

# What a client has to discard a message for, whoever it is (RFC 8415 §16.3, §16.10, §16.11).
_REQUIRED: Final[Mapping[str, tuple[int, ...]]] = {
    "ADVERTISE": (SERVER_ID, CLIENT_ID),
    "REPLY": (SERVER_ID,),
    "RECONFIGURE": (SERVER_ID, CLIENT_ID),
}

# Options that have a place: a message of these names, or (lower case) inside an option of these. RFC 8415 §16 lets a
# client use a message that has one elsewhere; here that option is ignored. (RFC 8415 appendix B)
_ASKING = frozenset({"SOLICIT", "REQUEST", "RENEW", "REBIND", "INFORMATION-REQUEST"})
_BINDING = frozenset({"SOLICIT", "ADVERTISE", "REQUEST", "RENEW", "REBIND", "DECLINE", "RELEASE", "REPLY"})
_CLIENTS = _ASKING | {"CONFIRM", "DECLINE", "RELEASE"}
PLACES: Final[Mapping[int, frozenset[str]]] = {
    3: _BINDING | {"CONFIRM"},
    4: _BINDING | {"CONFIRM"},
    5: frozenset({"ia-na", "ia-ta"}),
    6: _ASKING,
    7: frozenset({"ADVERTISE"}),
    8: _CLIENTS,
    RELAY_MESSAGE: frozenset(RELAYS.values()),
    14: frozenset({"SOLICIT", "REPLY"}),
    18: frozenset(RELAYS.values()),
    RECONFIGURE_MESSAGE: frozenset({"RECONFIGURE"}),
    20: _ASKING | {"ADVERTISE", "REPLY"},
    25: _BINDING,
    26: frozenset({"ia-pd"}),
    32: frozenset({"REPLY"}),
    PD_EXCLUDE: frozenset({"ia-prefix"}),
    82: frozenset({"ADVERTISE", "REPLY"}),
    83: frozenset({"ADVERTISE", "REPLY"}),
}

# RFC 8415 §21 for its own; RFC 5908 §4 (56), RFC 6731 §4.2 (74), RFC 9463 §4.1 (144).
REPEATABLE: Final = frozenset({3, 4, 5, 16, 17, 25, 26, 56, 74, 144})


class _Reading:
    """What the readers of one packet share: whose message it is, and how many options may still come."""

    __slots__ = ("left", "message")

    message: str  # the innermost that was come to: there is one before any option is read

    def __init__(self) -> None:
        self.left = OPTIONS_MAX


class _Nested(Raw):
    """A Raw that can be read further in: depth 1 is an option of the message itself."""

    __slots__ = ("depth", "reading")

    def __init__(self, code: int, data: bytes, at: int, length: int, depth: int, reading: _Reading) -> None:
        super().__init__(code, data, at, length)
        self.depth = depth
        self.reading = reading

    def inside(self, start: int, place: str) -> tuple[DhcpOption, ...]:
        """The options from octet `start` of the content on; they end with it. Raises Unfit."""
        try:
            found = _split(self.data, start, len(self.data), self.at + 4, self.depth + 1, self.reading)
        except _Cut as cut:
            raise Unfit(f"nested-{cut.what}") from None
        return _options(found, place)

    @property
    def from_server(self) -> bool:
        """Whether a server said it; a client's addresses, prefixes and lifetimes are only wishes."""
        return self.reading.message in _FROM_SERVER


_Reader = Callable[[_Nested], Parts]


class _Cut(Exception):
    """Options that do not end where their container does. what: `header` or `length`; offset: in the frame."""

    def __init__(self, what: str, offset: int) -> None:
        self.what = what
        self.offset = offset


# --- readers of this protocol's own options ------------------------------------------------------------------------


def codes(raw: Raw) -> Parts:
    """Option request (RFC 8415 §21.7), in the client's order; also client architectures (RFC 5970 §3.3)."""
    if len(raw.data) % 2:
        raise Unfit("length")
    asked = [raw.data[at] << 8 | raw.data[at + 1] for at in range(0, len(raw.data), 2)]
    return (Codes(raw.code, tuple(asked), raw.at, raw.length),)


def _in_order(t1: int, t2: int) -> None:
    # RFC 8415 §21.4, §21.21: with T1 > T2 > 0 the option is discarded as if it were not there. Infinity is greatest.
    if t1 > t2 > 0:
        raise Unfit("t1-after-t2")


def ia(place: str) -> _Reader:
    """IA_NA and IA_PD (RFC 8415 §21.4, §21.21): IAID, T1, T2, options."""

    def read(raw: _Nested) -> Parts:
        data = raw.data
        if len(data) < 12:
            raise Unfit("length")
        iaid, t1, t2 = (int.from_bytes(data[at : at + 4], "big") for at in (0, 4, 8))
        _in_order(t1, t2)
        return (Ia(raw.code, iaid, lifetime(t1), lifetime(t2), raw.at, raw.length, raw.inside(12, place)),)

    return read


def ia_ta(raw: _Nested) -> Parts:
    """IA_TA (RFC 8415 §21.5): IAID, options. It is never renewed, so it has no T1 and T2."""
    if len(raw.data) < 4:
        raise Unfit("length")
    iaid = int.from_bytes(raw.data[:4], "big")
    return (Ia(raw.code, iaid, 0, 0, raw.at, raw.length, raw.inside(4, "ia-ta")),)


def _lifetimes(data: bytes, at: int) -> tuple[int | None, int | None]:
    """(preferred, valid), in this order on the wire, other than in ND's option 3; raises Unfit."""
    preferred = int.from_bytes(data[at : at + 4], "big")
    valid = int.from_bytes(data[at + 4 : at + 8], "big")
    if preferred > valid:  # RFC 8415 §21.6, §21.22
        raise Unfit("preferred-after-valid")
    return lifetime(preferred), lifetime(valid)


def ia_address(raw: _Nested) -> Parts:
    """RFC 8415 §21.6: address, preferred, valid, options. A client may wish for `::`, a server may not give it."""
    data = raw.data
    if len(data) < 24:
        raise Unfit("length")
    octets = data[:16]
    preferred, valid = _lifetimes(data, 16)
    if raw.from_server and (not is_host(octets) or _is_link_local(octets)):
        raise Unfit("not-unicast")
    inside = raw.inside(24, "ia-address")
    return (IaAddress(raw.code, address_text(octets), preferred, valid, raw.at, raw.length, inside),)


def _is_link_local(octets: bytes) -> bool:
    return octets[0] == 0xFE and octets[1] & 0xC0 == 0x80


def ia_prefix(raw: _Nested) -> Parts:
    """RFC 8415 §21.22: preferred, valid, prefix length, prefix, options; host bits cleared.

    `::/n` is a client's wish for a length; from a server neither it nor a /0 delegates anything.
    """
    data = raw.data
    if len(data) < 25:
        raise Unfit("length")
    preferred, valid = _lifetimes(data, 0)
    width = data[8]
    if width > 128:
        raise Unfit("prefix-length")
    bits = int.from_bytes(data[9:25], "big") >> (128 - width) << (128 - width)
    octets = bits.to_bytes(16, "big")
    if raw.from_server:
        if width == 0 or bits == 0:
            raise Unfit("prefix-unspecified")
        if octets[0] == 0xFF or _is_link_local(octets):
            raise Unfit("not-unicast")
    excluded: str | None = None
    options: list[DhcpOption] = []
    for option in raw.inside(25, "ia-prefix"):
        if type(option) is Opaque and option.code == PD_EXCLUDE:
            excluded = _excluded(option.data, bits, width)
            if excluded is None:
                options.append(Raw(option.code, option.data, option.at, option.length).ignored("prefix-length"))
        else:
            options.append(option)
    prefix = f"{address_text(octets)}/{width}"
    return (IaPrefix(raw.code, prefix, preferred, valid, raw.at, raw.length, excluded, tuple(options)),)


def _excluded(data: bytes, delegated: int, width: int) -> str | None:
    """The prefix of option 67 (RFC 6603 §4.2): its length, then its bits after the delegated ones, from a full octet.

    So it always lies inside; None if it is not longer than what it is cut out of, or has other octets than it needs.
    """
    length = data[0]
    if not width < length <= 128 or len(data) - 1 != (length - width - 1) // 8 + 1:
        return None
    bits = delegated | int.from_bytes(data[1:], "big") << (136 - 8 * len(data)) >> width
    bits = bits >> (128 - length) << (128 - length)
    return f"{address_text(bits.to_bytes(16, 'big'))}/{length}"


def pd_exclude(raw: Raw) -> Parts:
    """Option 67, whose bits only the prefix around it can place: kept as octets for ia_prefix."""
    if not 2 <= len(raw.data) <= 17:
        raise Unfit("length")
    return (Opaque(raw.code, raw.data, raw.at, raw.length),)


def status(raw: Raw) -> Parts:
    """RFC 8415 §21.13: code, text in UTF-8 without a final NUL. A long text is cut: the code must not be lost by it."""
    if len(raw.data) < 2:
        raise Unfit("length")
    return (Status(raw.code, int.from_bytes(raw.data[:2], "big"), line(raw.data[2:]), raw.at, raw.length),)


def reconfigure_message(raw: Raw) -> Parts:
    """RFC 8415 §21.19: which message the client is to send."""
    if len(raw.data) != 1:
        raise Unfit("length")
    if raw.data[0] not in (5, 6, 11):
        raise Unfit("value")
    return (Number(raw.code, raw.data[0], raw.at, raw.length),)


def user_class(raw: Raw) -> Parts:
    """RFC 8415 §21.15: counted pieces."""
    if not raw.data:
        raise Unfit("length")
    return (Suboptions(raw.code, pieces(raw.data, 0, 2), raw.at, raw.length),)


def vendor_class(raw: Raw) -> Parts:
    """RFC 8415 §21.16: enterprise number, counted pieces."""
    if len(raw.data) < 4:
        raise Unfit("length")
    enterprise = int.from_bytes(raw.data[:4], "big")
    return (Suboptions(raw.code, pieces(raw.data, 4, 2), raw.at, raw.length, enterprise),)


def vendor_options(raw: Raw) -> Parts:
    """RFC 8415 §21.17: enterprise number, options of that vendor."""
    if len(raw.data) < 4:
        raise Unfit("length")
    enterprise = int.from_bytes(raw.data[:4], "big")
    return (Suboptions(raw.code, pairs(raw.data, 4, 2), raw.at, raw.length, enterprise),)


def remote_id(raw: Raw) -> Parts:
    """RFC 4649 §3: enterprise number, octets."""
    if len(raw.data) < 5:
        raise Unfit("length")
    return (
        Suboptions(
            raw.code, ((0, raw.data[4:].hex()),), raw.at, raw.length, enterprise=int.from_bytes(raw.data[:4], "big")
        ),
    )


def fqdn(raw: Raw) -> Parts:
    """RFC 4704 §4: flags, the client's name, whole or partial."""
    if not raw.data:
        raise Unfit("length")
    return (ClientFqdn(raw.code, raw.data[0], partial_name(raw.data, 1), raw.at, raw.length),)


def ntp(raw: Raw) -> Parts:
    """RFC 5908 §4: suboptions 1 unicast address, 2 group, 3 name; one of them says where the time is."""
    if not raw.data:
        raise Unfit("length")
    items = pairs(raw.data, 0, 2)
    for code, content in items:
        octets = bytes.fromhex(content)
        if code == 1 and (len(octets) != 16 or not is_host(octets)):
            raise Unfit("ntp-address")
        if code == 2 and (len(octets) != 16 or octets[0] != 0xFF):
            raise Unfit("ntp-group")
        if code == 3:
            try:
                name, after = read_name(octets, 0, len(octets))
            except BadName as bad:
                raise Unfit(bad.reason) from None
            if after != len(octets) or name == ".":
                raise Unfit("ntp-name")
    return (Suboptions(raw.code, items, raw.at, raw.length),)


def one_name(raw: Raw) -> Parts:
    """Exactly one name (RFC 6334 §3)."""
    if len(wire_names(raw.data, 0)) != 1:
        raise Unfit("name-count")
    return names(raw)


def rdnss_selection(raw: Raw) -> Parts:
    """RFC 6731 §4.2: server, preference in the low two bits, names."""
    data = raw.data
    if len(data) < 18:
        raise Unfit("length")
    server = data[:16]
    if not is_host(server):
        raise Unfit("not-unicast")
    preference = PREFERENCES[data[16] & 3]
    return (RdnssSelection(raw.code, (address_text(server),), preference, wire_names(data, 17), raw.at, raw.length),)


def uri(raw: Raw) -> Parts:
    """RFC 8910 §2.2: unlike DHCPv4's strings it has no NUL at its end either."""
    if 0 in raw.data:
        raise Unfit("uri-characters")
    return portal(raw)


def encrypted_dns(raw: Raw) -> Parts:
    """RFC 9463 §4.1: priority, then as in dnr.py; one resolver an option."""
    if len(raw.data) < 4:
        raise Unfit("dnr-truncated")
    priority = int.from_bytes(raw.data[:2], "big")
    try:
        return (resolver(raw, read_resolver(raw.data, 2, len(raw.data), priority=priority, form=DHCP6)),)
    except BadResolver as bad:
        raise Unfit(bad.reason) from None


# --- the options this decoder reads: code -> (name, reader) ---------------------------------------------------------

OPTIONS: Final[Mapping[int, tuple[str, _Reader]]] = {
    CLIENT_ID: ("client-id", identifier(*DUID_OCTETS)),
    SERVER_ID: ("server-id", identifier(*DUID_OCTETS)),
    3: ("ia-na", ia("ia-na")),
    4: ("ia-ta", ia_ta),
    5: ("ia-address", ia_address),
    6: ("requested-options", codes),
    7: ("preference", number(1)),
    8: ("elapsed-time", number(2)),
    11: ("authentication", authentication),
    12: ("server-unicast", address(16)),  # obsolete in 8415bis; recorded
    13: ("status", status),
    14: ("rapid-commit", flag),
    15: ("user-class", user_class),
    16: ("vendor-class", vendor_class),
    17: ("vendor-options", vendor_options),
    18: ("interface-id", identifier(0, 0xFFFF)),
    RECONFIGURE_MESSAGE: ("reconfigure-message", reconfigure_message),
    20: ("reconfigure-accept", flag),
    21: ("sip-server-names", names),  # RFC 3319 §3.1
    22: ("sip-servers", hosts(16)),  # RFC 3319 §3.2
    23: ("dns-servers", hosts(16)),  # RFC 3646 §3
    24: ("domain-search", names),  # RFC 3646 §4
    25: ("ia-pd", ia("ia-pd")),
    26: ("ia-prefix", ia_prefix),
    27: ("nis-servers", hosts(16)),  # RFC 3898 §3
    28: ("nisp-servers", hosts(16)),  # RFC 3898 §4
    29: ("nis-domain", names),  # RFC 3898 §5
    30: ("nisp-domain", names),  # RFC 3898 §6
    31: ("sntp-servers", hosts(16)),  # RFC 4075 §4
    32: ("information-refresh-time", seconds),
    37: ("relay-remote-id", remote_id),
    38: ("relay-subscriber-id", identifier(1, 0xFFFF)),  # RFC 4580 §2
    39: ("client-fqdn", fqdn),
    41: ("tz-posix", printable),  # RFC 4833 §3
    42: ("tz-name", tz_name),  # RFC 4833 §3
    56: ("ntp-server", ntp),
    59: ("boot-file-url", message),  # RFC 5970 §3.1
    61: ("client-architecture", codes),
    64: ("aftr-name", one_name),
    PD_EXCLUDE: ("pd-exclude", pd_exclude),
    74: ("rdnss-selection", rdnss_selection),
    79: ("client-link-layer-address", identifier(3, 0xFFFF)),  # RFC 6939 §4
    82: ("sol-max-rt", number(4, least=60, most=86400)),  # RFC 8415 §21.24
    83: ("inf-max-rt", number(4, least=60, most=86400)),  # RFC 8415 §21.25
    103: ("captive-portal", uri),
    144: ("encrypted-dns", encrypted_dns),
}


# --- the message ---------------------------------------------------------------------------------------------------


def _split(data: bytes, at: int, end: int, base: int, depth: int, reading: _Reading) -> list[_Nested]:
    """The options of `data[at:end]`, unread. base: where data begins in the frame. Raises _Cut, and Malformed for what
    costs the whole message: too many options, too deep."""
    if depth > NESTING_MAX:
        raise Malformed("dhcp6-option-nesting", base + at, f"options nested deeper than {NESTING_MAX}")
    found: list[_Nested] = []
    while at < end:
        body = at + 4
        if body > end:
            raise _Cut("header", base + at)
        stop = body + (data[at + 2] << 8 | data[at + 3])
        if stop > end:
            raise _Cut("length", base + at + 2)
        if reading.left == 0:
            raise Malformed("dhcp6-option-count", base + at, f"more than {OPTIONS_MAX} options")
        reading.left -= 1
        code = data[at] << 8 | data[at + 1]
        found.append(_Nested(code, data[body:stop], base + at, stop - at, depth, reading))
        at = stop
    return found


def _options(found: list[_Nested], place: str) -> tuple[DhcpOption, ...]:
    """What the options say that stand in `place`: a message's name or, in lower case, an option's."""
    options: list[DhcpOption] = []
    met: set[int] = set()
    for raw in found:
        code = raw.code
        known = OPTIONS.get(code)
        if code in PLACES and place not in PLACES[code]:
            options.append(raw.ignored("not-here"))
        elif known is None:
            options.append(Opaque(code, raw.data, raw.at, raw.length))
        elif code in met and code not in REPEATABLE:
            options.append(raw.ignored("duplicate"))
        else:
            met.add(code)
            try:
                options += known[1](raw)
            except Unfit as unfit:
                options.append(raw.ignored(unfit.reason))
    return tuple(options)


def _top(data: bytes, at: int, end: int, reading: _Reading) -> list[_Nested]:
    try:
        return _split(data, at, end, 0, 1, reading)
    except _Cut as cut:
        raise Malformed(f"dhcp6-option-{cut.what}", cut.offset, "an option ends past the message") from None


def decode(
    data: bytes, at: int, end: int, *, link: str, source: str, destination: str, mac: str, notes: tuple[Note, ...]
) -> Dhcp6MessageSeen:
    """The message in `data[at:end]`, a UDP payload within the frame `data`; offsets are in the frame.

    Seen between relay and server, `options` are the innermost message's. Raises Malformed with a `dhcp6-` rule of
    rules.py.
    """
    data = bytes(data)
    reading = _Reading()
    relays: list[Relay] = []
    while at < end and data[at] in RELAYS:
        if len(relays) == RELAYS_MAX:
            raise Malformed("dhcp6-relay-nesting", at, f"more than {RELAYS_MAX} relays")
        if end - at < 34:
            raise Malformed("dhcp6-too-short", end, f"{end - at} octets; a relay's header has 34")
        name = RELAYS[data[at]]
        if relays and relays[0].message != name:
            raise Malformed("dhcp6-relay-direction", at, f"{name} inside {relays[0].message}")
        reading.message = name
        found = _top(data, at + 34, end, reading)
        carried = [raw for raw in found if raw.code == RELAY_MESSAGE]
        if not carried:
            raise Malformed("dhcp6-relay-no-message", at + 34, f"{name} without option 9")
        own = [raw for raw in found if raw.code != RELAY_MESSAGE]
        options = _options(own, name) + tuple([raw.ignored("duplicate") for raw in carried[1:]])
        relays.append(
            Relay(
                name, data[at + 1], address_text(data[at + 2 : at + 18]), address_text(data[at + 18 : at + 34]), options
            )
        )
        at = carried[0].at + 4
        end = at + len(carried[0].data)

    if end - at < 4:
        raise Malformed("dhcp6-too-short", end, f"{end - at} octets; the header has 4")
    message_name = MESSAGES.get(data[at])
    if message_name is None:
        raise Malformed("dhcp6-message-type", at, f"message type {data[at]}")
    reading.message = message_name
    options = _options(_top(data, at + 4, end, reading), message_name)

    needed = _REQUIRED.get(message_name)
    if needed:
        there = {option.code for option in options if type(option) is Identifier}
        for code in needed:
            if code not in there:
                rule = "dhcp6-no-server-id" if code == SERVER_ID else "dhcp6-no-client-id"
                raise Malformed(rule, at + 4, f"{message_name} without a usable option {code}")
    if message_name == "RECONFIGURE":  # RFC 8415 §16.11
        if not any(type(option) is Number and option.code == RECONFIGURE_MESSAGE for option in options):
            raise Malformed("dhcp6-reconfigure-message", at + 4, "RECONFIGURE without a usable option 19")
        if not relays and destination.startswith("ff"):
            raise Malformed("dhcp6-reconfigure-multicast", at, "RECONFIGURE that was not sent to one host")

    return Dhcp6MessageSeen(
        link=link,
        message=message_name,
        xid=int.from_bytes(data[at + 1 : at + 4], "big"),
        source=source,
        destination=destination,
        mac=mac,
        relays=tuple(relays),
        options=options,
        notes=notes,
    )
