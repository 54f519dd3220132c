"""What DHCP options hold, as far as both versions hold the same: numbers, addresses, text, names, lists.

Law: a reader gets one option's octets, joined and bounded, and gives parts of an event; content that its RFC forbids
raises Unfit, which makes that option an ignored one and touches no other (RFC 8415 §16, RFC 2131 §4.1). No reader
looks at another option: what they mean together is decided elsewhere.

A maker (`number(4)`, `text()`) gives the reader that stands in the option tables of dhcp4.py and dhcp6.py.
"""

import re
from collections.abc import Callable
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Final

from adapters.wire.cursor import lifetime
from adapters.wire.dnr import Resolver as ReadResolver
from adapters.wire.names import BadName, read_name
from adapters.wire.uri import BadUri, read_uri
from events.dhcp import (
    Addresses,
    Authentication,
    DhcpOption,
    Flag,
    Identifier,
    Ignored,
    Names,
    Number,
    Resolver,
    Suboptions,
    Text,
)

NAMES_MAX: Final = 64  # search names in one option: no resolver asks more than a few; systemd stops at 64 (D.3)
TEXT_OCTETS_MAX: Final = 1024  # of a message to people (DHCPv4 56, DHCPv6 13): the rest of 60 kB says nothing more


class Unfit(Exception):
    """Content that a standard says to ignore. reason: short name, as `Ignored.reason` has it."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Raw:
    """One option before it is read: its code, its content, and the span of the whole option in the frame."""

    __slots__ = ("at", "code", "data", "length")

    def __init__(self, code: int, data: bytes, at: int, length: int) -> None:
        self.code = code
        self.data = data
        self.at = at
        self.length = length

    def ignored(self, reason: str, data: bytes | None = None) -> Ignored:
        """This option, or the piece `data` of its content, as something that does not count."""
        return Ignored(self.code, reason, self.data if data is None else data, self.at, self.length)


Parts = tuple[DhcpOption, ...]
Reader = Callable[[Raw], Parts]


def number(octets: int, *, least: int = 0, most: int = 0xFFFFFFFF) -> Reader:
    """An unsigned number of exactly that many octets, within the bounds its RFC sets."""

    def read(raw: Raw) -> Parts:
        if len(raw.data) != octets:
            raise Unfit("length")
        value = int.from_bytes(raw.data, "big")
        if not least <= value <= most:
            raise Unfit("value")
        return (Number(raw.code, value, raw.at, raw.length),)

    return read


def seconds(raw: Raw) -> Parts:
    """A lifetime of 32 bits, all ones being infinity (RFC 2131 §3.3, RFC 8415 §7.7)."""
    if len(raw.data) != 4:
        raise Unfit("length")
    return (Number(raw.code, lifetime(int.from_bytes(raw.data, "big")), raw.at, raw.length),)


def flag(raw: Raw) -> Parts:
    """An option without content."""
    if raw.data:
        raise Unfit("length")
    return (Flag(raw.code, raw.at, raw.length),)


def identifier(least: int, most: int) -> Reader:
    """Octets that are only ever compared (RFC 2131 §4.2, RFC 8415 §11)."""

    def read(raw: Raw) -> Parts:
        if not least <= len(raw.data) <= most:
            raise Unfit("length")
        return (Identifier(raw.code, raw.data.hex(), raw.at, raw.length),)

    return read


# --- addresses -----------------------------------------------------------------------------------------------------


_MAPPED: Final = bytes(10) + b"\xff\xff"


def address_text(octets: bytes) -> str:
    """4 or 16 octets as inet_ntop writes them."""
    return inet_ntop(AF_INET if len(octets) == 4 else AF_INET6, octets)


def is_host(octets: bytes) -> bool:
    """Whether a packet to another machine could carry it as its destination: a unicast address of this world."""
    if len(octets) == 4:
        # 0/8 is "this network", 127/8 the host itself, 224/4 groups, all ones everyone (RFC 1122 §3.2.1.3).
        return octets[0] not in (0, 127) and not 224 <= octets[0] <= 239 and octets != b"\xff\xff\xff\xff"
    if octets[0] == 0xFF:
        return False
    # :: and ::1, and IPv4-mapped addresses (RFC 4291 §2.5), are never a destination on a wire.
    return (octets[:15] != bytes(15) or octets[15] > 1) and octets[:12] != _MAPPED


def hosts(octets: int) -> Reader:
    """One or more servers or routers, best first. One that no packet can reach is dropped alone: it takes nothing
    from its siblings, and in a list of routers 0.0.0.0 means nothing (only RFC 3442 gives it a meaning)."""

    def read(raw: Raw) -> Parts:
        data = raw.data
        if not data or len(data) % octets:
            raise Unfit("length")
        good: list[str] = []
        bad: list[bytes] = []
        for at in range(0, len(data), octets):
            one = data[at : at + octets]
            if is_host(one):
                good.append(address_text(one))
            else:
                bad.append(one)
        if not bad:
            return (Addresses(raw.code, tuple(good), raw.at, raw.length),)
        if not good:
            raise Unfit("not-unicast")
        return (
            Addresses(raw.code, tuple(good), raw.at, raw.length),
            raw.ignored("not-unicast", b"".join(bad)),
        )

    return read


def host(octets: int) -> Reader:
    """Exactly one unicast address."""

    def read(raw: Raw) -> Parts:
        if len(raw.data) != octets:
            raise Unfit("length")
        if not is_host(raw.data):
            raise Unfit("not-unicast")
        return (Addresses(raw.code, (address_text(raw.data),), raw.at, raw.length),)

    return read


def address(octets: int) -> Reader:
    """Exactly one address of any kind."""

    def read(raw: Raw) -> Parts:
        if len(raw.data) != octets:
            raise Unfit("length")
        return (Addresses(raw.code, (address_text(raw.data),), raw.at, raw.length),)

    return read


# --- text ----------------------------------------------------------------------------------------------------------

_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_HOST_NAME: Final = re.compile(rb"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_TZ_NAME: Final = re.compile(rb"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
_PRINTABLE: Final = re.compile(rb"[\x20-\x7e]+")


def plain(octets: bytes) -> str:
    """Octets as one line: what is not UTF-8, and each control character, as \\xNN, so that it can reach a terminal."""
    return octets.decode("utf-8", "backslashreplace").translate(_CONTROL)


def line(octets: bytes) -> str:
    """`plain`, cut to TEXT_OCTETS_MAX."""
    if len(octets) <= TEXT_OCTETS_MAX:
        return plain(octets)
    return plain(octets[:TEXT_OCTETS_MAX]) + "…"


def message(raw: Raw) -> Parts:
    """Words for people. Trailing NULs go (RFC 2132 §2)."""
    data = raw.data.rstrip(b"\0")
    if not data:
        raise Unfit("length")
    return (Text(raw.code, line(data), raw.at, raw.length),)


def matching(pattern: "re.Pattern[bytes]", reason: str) -> Reader:
    """Text that will be used as a name of something, so it must look like one."""

    def read(raw: Raw) -> Parts:
        data = raw.data.rstrip(b"\0")  # RFC 2132 §2: a receiver must be ready to delete trailing NULs
        if not data:
            raise Unfit("length")
        if not pattern.fullmatch(data):
            raise Unfit(reason)
        return (Text(raw.code, data.decode("ascii"), raw.at, raw.length),)

    return read


host_name = matching(_HOST_NAME, "host-name")  # RFC 1123 §2.1, and the underscores that people use
tz_name = matching(_TZ_NAME, "tz-name")  # becomes a path under zoneinfo: no `..`, nothing absolute (RFC 4833 §3)
printable = matching(_PRINTABLE, "characters")


def domain_names(raw: Raw) -> Parts:
    """DHCPv4 15 (RFC 2132 §3.17): one name; some servers write a list with spaces between."""
    data = raw.data.rstrip(b"\0")
    words = data.split(b" ")
    if not data:
        raise Unfit("length")
    if len(words) > NAMES_MAX:
        raise Unfit("name-count")
    if not all(_HOST_NAME.fullmatch(word) for word in words if word) or not any(words):
        raise Unfit("host-name")
    return (Text(raw.code, data.decode("ascii"), raw.at, raw.length),)


def portal(raw: Raw) -> Parts:
    """A captive portal's API (RFC 8910 §2), which is one line of ASCII without an embedded NUL."""
    try:
        return (Text(raw.code, read_uri(raw.data), raw.at, raw.length),)
    except BadUri as bad:
        raise Unfit(bad.reason) from None


# --- names ---------------------------------------------------------------------------------------------------------


def wire_names(data: bytes, at: int) -> tuple[str, ...]:
    """Uncompressed names from `at` to the end of `data`, one or more; raises Unfit."""
    names: list[str] = []
    while at < len(data):
        if len(names) == NAMES_MAX:
            raise Unfit("name-count")
        try:
            name, at = read_name(data, at, len(data))
        except BadName as bad:
            raise Unfit(bad.reason) from None
        names.append(name)
    if not names:
        raise Unfit("length")
    return tuple(names)


def names(raw: Raw) -> Parts:
    """Uncompressed names (RFC 8415 §10)."""
    return (Names(raw.code, wire_names(raw.data, 0), raw.at, raw.length),)


def partial_name(data: bytes, at: int) -> str:
    """A client's name: whole with the final dot, partial without its zero octet and dot, or "" (RFC 4702 §2.3,
    RFC 4704 §4.2). Raises Unfit."""
    try:
        name, after = read_name(data, at, len(data))
    except BadName as bad:
        if bad.reason != "name-unterminated":
            raise Unfit(bad.reason) from None
        try:
            name, after = read_name(data[at:] + b"\0", 0, len(data) - at + 1)
        except BadName as worse:
            raise Unfit(worse.reason) from None
        return name[:-1]
    if after != len(data):
        raise Unfit("name-trailing")
    return name


# --- composites ----------------------------------------------------------------------------------------------------


def authentication(raw: Raw) -> Parts:
    """DHCPv4 90 and DHCPv6 11: protocol, algorithm, replay method, 8 octets of replay detection, the rest."""
    data = raw.data
    if len(data) < 11:
        raise Unfit("length")
    return (Authentication(raw.code, data[0], data[1], data[2], data[3:11].hex(), data[11:].hex(), raw.at, raw.length),)


def pairs(data: bytes, at: int, width: int) -> tuple[tuple[int, str], ...]:
    """Suboptions from `at` to the end: code and length of `width` octets each, then the content. Raises Unfit."""
    items: list[tuple[int, str]] = []
    end = len(data)
    while at < end:
        body = at + 2 * width
        if body > end:
            raise Unfit("suboption-header")
        code = int.from_bytes(data[at : at + width], "big")
        at = body + int.from_bytes(data[at + width : body], "big")
        if at > end:
            raise Unfit("suboption-length")
        items.append((code, data[body:at].hex()))
    return tuple(items)


def pieces(data: bytes, at: int, width: int) -> tuple[tuple[int, str], ...]:
    """Counted pieces without a code (user and vendor classes), numbered from 1. Raises Unfit."""
    items: list[tuple[int, str]] = []
    end = len(data)
    while at < end:
        body = at + width
        if body > end:
            raise Unfit("suboption-header")
        at = body + int.from_bytes(data[at:body], "big")
        if at > end:
            raise Unfit("suboption-length")
        items.append((len(items) + 1, data[body:at].hex()))
    return tuple(items)


def suboptions(width: int) -> Reader:
    """Options within the option."""

    def read(raw: Raw) -> Parts:
        if not raw.data:
            raise Unfit("length")
        return (Suboptions(raw.code, pairs(raw.data, 0, width), raw.at, raw.length),)

    return read


PREFERENCES: Final = ("medium", "high", "reserved", "low")  # two bits, as in RFC 4191 §2.1; `reserved` counts as medium


def resolver(raw: Raw, said: ReadResolver) -> Resolver:
    """A resolver of dnr.py as a part of this message."""
    return Resolver(raw.code, said.priority, said.adn, raw.at, raw.length, said.addresses, said.params)
