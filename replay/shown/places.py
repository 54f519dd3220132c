"""Where the fields of an option stand that have no fixed place: names, lists, parameters, and all that DHCP says.

Law: it is given octets that a decoder has read and what it made of them, and finds the one in the other; it judges
nothing. A place counts from the first octet of an ND option, and from the first of the joined content of a DHCP option
(RFC 3396), which the caller knows in the frame. What no octet says, like the reason to ignore an option, has none.
"""

from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from typing import Any, Final

from adapters.wire.dhcp.fields import address_text
from adapters.wire.dnr import DHCP4, DHCP6, ND, Form
from adapters.wire.names import name_end, read_compressed, read_name
from events.dhcp import (
    Addresses,
    Authentication,
    ClientFqdn,
    DhcpOption,
    Ia,
    IaAddress,
    IaPrefix,
    Ignored,
    Names,
    RdnssSelection,
    Resolver,
    Routes,
    Status,
    Suboptions,
)
from events.router import Dnssl, EncryptedDns, MifContainer, MifPvdId, NdOption, Rdnss, ServiceParam

Field = tuple[int | None, str, object]
"""(place or None, name, value)"""

_PD_EXCLUDE: Final = 67
_PADDED_OPTIONS: Final = 43  # DHCPv4's options within an option that may be padded and ended (RFC 2132 §8.4)
_ONE_AFTER_THE_OTHER: Final = frozenset((124, 125, 162))  # DHCPv4 options of several parts, each behind its length


def listed(option: NdOption, octets: bytes) -> Iterator[Field] | None:
    """The fields of an ND option that is no plain row of fields, in order; None for one that is."""
    match option:
        case Rdnss():
            return iter([(4, "lifetime_s", option.lifetime_s), *_addresses(option.addresses, octets, 8, 16)])
        case Dnssl():
            return iter([(4, "lifetime_s", option.lifetime_s), *_names(option.names, octets, 8)])
        case EncryptedDns():
            head: list[Field] = [(2, "priority", option.priority), (4, "lifetime_s", option.lifetime_s)]
            return iter([*head, *_resolver(option, octets, 8, ND)])
        case MifContainer():
            return iter([(_uuid(option), "uuid", option.uuid)])
    return None


def _uuid(container: MifContainer) -> int:
    at = container.nested_at
    for inner in container.options:
        if isinstance(inner, MifPvdId):
            break
        at += inner.length
    return at + 4


def contents(parts: Sequence[DhcpOption], content: bytes, *, six: bool) -> list[list[Field]]:
    """For each part that one code says, its fields; `content` is the joined content of that code's options."""
    if not six and parts[0].code in _ONE_AFTER_THE_OTHER and not (len(parts) == 1 and isinstance(parts[0], Ignored)):
        return _in_turn(parts, content)
    return [list(_content(part, content, six)) for part in parts]


def _in_turn(parts: Sequence[DhcpOption], content: bytes) -> list[list[Field]]:
    found: list[list[Field]] = []
    at = 0
    for part in parts:
        if isinstance(part, Resolver):
            stop = at + 2 + int.from_bytes(content[at : at + 2], "big")
            found.append([(at + 2, "priority", part.priority), *_resolver(part, content[:stop], at + 4, DHCP4)])
        elif isinstance(part, Suboptions):
            stop = at + 5 + content[at + 4]
            items = _items(part, content[:stop], at + 5, 1)
            found.append([(at, "enterprise", part.enterprise), *items])
        else:
            assert isinstance(part, Ignored)
            stop = at + len(part.data)
            found.append(_ignored(part, at))
        at = stop
    return found


def _content(part: DhcpOption, content: bytes, six: bool) -> Iterator[Field]:
    match part:
        case Ignored():
            yield from _ignored(part, _left_out(part, content, six))
        case Addresses():
            yield from _addresses(part.addresses, content, 0, 16 if six else 4)
        case Names():
            yield from _names(part.names, content, 0) if six else _compressed_names(part.names, content)
        case Routes():
            yield from _classful(part, content) if part.code == 33 else _classless(part, content)
        case Resolver():
            yield 0, "priority", part.priority
            yield from _resolver(part, content, 2, DHCP6)
        case RdnssSelection():
            width, at = (16, 0) if six else (4, 1)
            after = at + width if six else at + 2 * width
            yield from _addresses(part.addresses, content[:after], at, width)
            yield (16 if six else 0), "preference", part.preference
            yield from _names(part.names, content, 17 if six else 9)
        case ClientFqdn():
            yield 0, "flags", part.flags
            yield _if_any(1 if six else 3, content), "name", part.name
        case Authentication():
            for at, name in ((0, "protocol"), (1, "algorithm"), (2, "rdm"), (3, "replay"), (11, "data")):
                yield _if_any(at, content), name, getattr(part, name)
        case Suboptions():
            yield from _suboptions(part, content, six)
        case Status():
            yield 0, "status", part.status
            yield _if_any(2, content), "text", part.text
        case Ia():
            yield 0, "iaid", part.iaid
            if part.code != 4:
                yield 4, "t1_s", part.t1_s
                yield 8, "t2_s", part.t2_s
        case IaAddress():
            yield 0, "address", part.address
            yield 16, "preferred_s", part.preferred_s
            yield 20, "valid_s", part.valid_s
        case IaPrefix():
            yield 0, "preferred_s", part.preferred_s
            yield 4, "valid_s", part.valid_s
            yield 9, "prefix", part.prefix
            if part.excluded:
                yield _excluded(content), "excluded", part.excluded
        case _:  # one value that is the whole content
            for name in part.__struct_fields__:
                if name not in ("code", "at", "length", "options"):
                    yield _if_any(0, content), name, getattr(part, name)


def _if_any(at: int, content: bytes) -> int | None:
    """`at`, if an octet stands there."""
    return at if at < len(content) else None


def _ignored(part: Ignored, at: int) -> list[Field]:
    return [(None, "reason", part.reason), (at if part.data else None, "data", part.data)]


def _left_out(part: Ignored, content: bytes, six: bool) -> int:
    """Where the (first) octets that were left out stand: all of the option, its end, or a piece of a list."""
    if content.endswith(part.data):
        return len(content) - len(part.data)
    if not six and part.code == 119:  # the root among names (adapters/wire/dhcp/dhcp4.py)
        at = 0
        while content[at]:
            _, at = read_compressed(content, at)
        return at
    step = 16 if six else 8 if part.code == 33 else 4
    return next((at for at in range(0, len(content), step) if content[at : at + step] == part.data[:step]), 0)


def _addresses(addresses: Sequence[str], octets: bytes, at: int, width: int) -> Iterator[Field]:
    """One line an address; those that the decoder left out stand between them and have no line here."""
    rest = list(addresses)
    while rest and at + width <= len(octets):
        if address_text(octets[at : at + width]) == rest[0]:
            yield at, "address", rest.pop(0)
        at += width


def _names(names: Sequence[str], octets: bytes, at: int) -> Iterator[Field]:
    for name in names:
        yield at, "name", name
        at = name_end(octets, at, len(octets))


def _compressed_names(names: Sequence[str], content: bytes) -> Iterator[Field]:
    """DHCPv4 119, from which roots are left out."""
    rest, at = list(names), 0
    while rest:
        name, after = read_compressed(content, at)
        if name == rest[0]:
            yield at, "name", rest.pop(0)
        at = after


def _classless(part: Routes, content: bytes) -> Iterator[Field]:
    """DHCPv4 121 and 249 (RFC 3442)."""
    at = 0
    for route in part.routes:
        yield at, "route", route
        at += 1 + (content[at] + 7) // 8 + 4


def _classful(part: Routes, content: bytes) -> Iterator[Field]:
    """DHCPv4 33, from which pairs are left out that are no routes."""
    rest = list(part.routes)
    for at in range(0, len(content), 8):
        if not rest:
            return
        network = ip_network(rest[0].destination)
        octets = network.prefixlen // 8
        same = content[at : at + octets] == network.network_address.packed[:octets]
        if same and address_text(content[at + 4 : at + 8]) == rest[0].via:
            yield at, "route", rest.pop(0)


def _resolver(said: EncryptedDns | Resolver, octets: bytes, at: int, form: Form) -> Iterator[Field]:
    """From the length of the name on (RFC 9463 §3.1); octets: up to the end of the resolver."""
    yield at + form.width, "adn", said.adn
    _, at = read_name(octets, at + form.width, len(octets))
    if not said.params:  # ADN-only mode: what may follow is padding
        return
    start = at + form.width
    at = start + int.from_bytes(octets[at:start], "big")
    yield from _addresses(said.addresses, octets[:at], start, form.address_octets)
    at += 2 if form.padded else 0
    for param in said.params:
        yield at, "param", param
        at += 4 + len(param.value) // 2


def _suboptions(part: Suboptions, content: bytes, six: bool) -> Iterator[Field]:
    if part.enterprise is not None:
        yield 0, "enterprise", part.enterprise
    at, width = (0 if part.enterprise is None else 4), (2 if six else 1)
    if six and part.code == 37:  # a remote id has one item, without a code (RFC 4649 §3)
        yield at, "suboption", part.items[0]
    else:
        yield from _items(part, content, at, width, padded=not six and part.code == _PADDED_OPTIONS)


def _items(part: Suboptions, content: bytes, at: int, width: int, *, padded: bool = False) -> Iterator[Field]:
    """Suboptions with a code, or counted pieces, which are numbered from 1."""
    counted = (part.code in (77, 124)) if width == 1 else (part.code in (15, 16))
    for item in part.items:
        while padded and not content[at]:
            at += 1
        yield at, "suboption", item
        at += (width if counted else 2 * width) + len(item[1]) // 2


def _excluded(content: bytes) -> int | None:
    """Where the content of option 67 stands in that of an IAPREFIX (RFC 6603 §4.2)."""
    at = 25
    while at + 4 <= len(content):
        size = int.from_bytes(content[at + 2 : at + 4], "big")
        if int.from_bytes(content[at : at + 2], "big") == _PD_EXCLUDE:
            return at + 4
        at += 4 + size
    return None


def worded(value: Any) -> str | None:
    """The text of a value that only such lists have; None for others."""
    match value:
        case ServiceParam():
            return f"{_PARAMS.get(value.key, f'key{value.key}')}={value.text or value.value}"
        case (int(code), str(octets)):
            return f"{code}: {octets or '(empty)'}"
    return None


_PARAMS: Final = {0: "mandatory", 1: "alpn", 2: "no-default-alpn", 3: "port", 5: "ech", 7: "dohpath"}
