"""Designated encrypted resolvers: the body that ND 144, DHCPv4 162 and DHCPv6 144 share (RFC 9463 §3.1, §4–§6).

Law: a resolver is read whole or not at all. Each rule of RFC 9463 §3.1.8, and of the SvcParams it borrows (RFC 9460
§2.2, RFC 9461 §5), that fails raises BadResolver, and the reader of the option turns that into an ignored option; only
loopback, multicast and unspecified addresses are dropped singly (RFC 9463 §4.2, §5.2, §6.2): the name still stands.

        ND 144 (after the lifetime)         DHCPv6 144                    DHCPv4 162, one instance
      +-----------------------------+  +--------------------------+  +--------------------------------+
      | ADN length               16 |  | ADN length            16 |  | ADN length                   8 |
      | authentication-domain-name  |  | authentication-domain-…  |  | authentication-domain-name     |
      | address length           16 |  | address length        16 |  | address length               8 |
      | 16-octet addresses          |  | 16-octet addresses       |  | 4-octet addresses              |
      | SvcParams length         16 |  | SvcParams to the end     |  | SvcParams to the end           |
      | SvcParams, zero padding     |  |                          |  |                                |
      +-----------------------------+  +--------------------------+  +--------------------------------+
      all that follows the name may be missing: ADN-only mode, the client asks the DNS for the rest (RFC 9461)
"""

from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import Final, NamedTuple

from adapters.wire.carrier.ip import address4, address6
from adapters.wire.names import BadName, read_name
from events.router import ServiceParam

# Service parameter keys (RFC 9460 §14.3.2, RFC 9461 §5).
MANDATORY: Final = 0
ALPN: Final = 1
NO_DEFAULT_ALPN: Final = 2
PORT: Final = 3
IPV4HINT: Final = 4
ECH: Final = 5
IPV6HINT: Final = 6
DOHPATH: Final = 7

KNOWN_KEYS: Final = {
    MANDATORY: "mandatory",
    ALPN: "alpn",
    NO_DEFAULT_ALPN: "no-default-alpn",
    PORT: "port",
    IPV4HINT: "ipv4hint",
    ECH: "ech",
    IPV6HINT: "ipv6hint",
    DOHPATH: "dohpath",
}

ND_UNIT: Final = 8  # ND options come in units of 8 octets, so padding is shorter than that (RFC 4861 §4.6)


class BadResolver(ValueError):
    """A resolver that breaks a rule. reason: the rule's short name; offset: octet in `data` where it shows."""

    def __init__(self, reason: str, offset: int) -> None:
        self.reason = reason
        self.offset = offset


class Form(NamedTuple):
    """How one protocol writes the body. width: octets of the length fields before name and addresses."""

    width: int
    address_octets: int
    padded: bool  # SvcParams have a length of their own and zeros may follow


ND: Final = Form(width=2, address_octets=16, padded=True)  # RFC 9463 §6.1
DHCP6: Final = Form(width=2, address_octets=16, padded=False)  # RFC 9463 §4.1
DHCP4: Final = Form(width=1, address_octets=4, padded=False)  # RFC 9463 §5.1


class Resolver(NamedTuple):
    """A resolver as it was said. addresses: none in ADN-only mode, or if no usable one was among them."""

    priority: int
    adn: str
    addresses: tuple[str, ...]
    params: tuple[ServiceParam, ...]


def read_resolver(data: bytes, at: int, end: int, *, priority: int, form: Form) -> Resolver:
    """The resolver whose ADN length field stands at `at` and whose body ends at `end`.

    priority: the service priority, read before (ND has the lifetime in between). Raises BadResolver with
    `dnr-priority-zero`, `dnr-truncated`, `dnr-adn-empty`, `dnr-adn-root`, `dnr-adn-length`, a reason of names.BadName,
    `dnr-address-length`, `dnr-no-address`, `dnr-padding` or one of read_params.
    """
    if priority == 0:  # AliasMode has no meaning here (RFC 9463 §4.1, RFC 9460 §2.4.2)
        raise BadResolver("dnr-priority-zero", at)
    size, start = _length(data, at, end, form.width)
    stop = start + size
    if size == 0:
        raise BadResolver("dnr-adn-empty", at)
    if stop > end:
        raise BadResolver("dnr-truncated", at)
    try:
        adn, after = read_name(data, start, stop)
    except BadName as bad:
        raise BadResolver(bad.reason, bad.offset) from None
    if after != stop:
        raise BadResolver("dnr-adn-length", at)
    if adn == ".":
        raise BadResolver("dnr-adn-root", start)

    # RFC 9463 §3.1.6: ADN-only mode ends the option here. In ND zeros may fill the last unit; eight octets or more, or
    # any that is not zero, cannot be that, so they are an address length.
    left = end - stop
    if left == 0 or (form.padded and left < ND_UNIT and not any(data[stop:end])):
        return Resolver(priority, adn, (), ())

    size, start = _length(data, stop, end, form.width)
    if size % form.address_octets:
        raise BadResolver("dnr-address-length", stop)
    if size == 0:  # §3.1.8: outside ADN-only mode there must be one
        raise BadResolver("dnr-no-address", stop)
    stop = start + size
    if stop > end:
        raise BadResolver("dnr-truncated", start)
    addresses = tuple(
        [
            text
            for place in range(start, stop, form.address_octets)
            if (text := _usable(bytes(data[place : place + form.address_octets])))
        ]
    )
    if form.padded:
        size, start = _length(data, stop, end, 2)
        stop = start + size
        if stop > end:
            raise BadResolver("dnr-truncated", start)
        if end - stop >= ND_UNIT:
            raise BadResolver("dnr-padding", stop)
        return Resolver(priority, adn, addresses, read_params(data, start, stop))
    return Resolver(priority, adn, addresses, read_params(data, stop, end))


def _length(data: bytes, at: int, end: int, width: int) -> tuple[int, int]:
    """(the length field at `at`, octet after it)"""
    if at + width > end:
        raise BadResolver("dnr-truncated", at)
    return int.from_bytes(data[at : at + width], "big"), at + width


def _usable(octets: bytes) -> str:
    """The address as text, or "" if no server can be reached at it from here."""
    address: IPv4Address | IPv6Address
    if len(octets) == 4:
        address = IPv4Address(octets)
        refused = address.packed == b"\xff\xff\xff\xff"
    else:
        address = IPv6Address(octets)
        refused = address.ipv4_mapped is not None
    if refused or address.is_loopback or address.is_multicast or address.is_unspecified:
        return ""
    return address4(octets) if len(octets) == 4 else address6(octets)  # one text for one address, everywhere


def read_params(data: bytes, at: int, end: int) -> tuple[ServiceParam, ...]:
    """The SvcParams between the bounds, for a resolver in service mode (RFC 9460 §2.2; RFC 9463 §3.1.5, §3.1.8).

          +-------------+-------------+-----------+
          | key      16 | length   16 | value   … |    keys strictly ascending
          +-------------+-------------+-----------+

    Raises BadResolver: `svc-truncated`, `svc-order`, `svc-mandatory`, `svc-alpn`, `svc-no-default-alpn`, `svc-port`,
    `svc-hint`, `svc-dohpath`.
    """
    params: list[ServiceParam] = []
    places: dict[int, tuple[int, bytes]] = {}
    start = at
    while at < end:
        if at + 4 > end:
            raise BadResolver("svc-truncated", at)
        key = data[at] << 8 | data[at + 1]
        size = data[at + 2] << 8 | data[at + 3]
        if at + 4 + size > end:
            raise BadResolver("svc-truncated", at + 2)
        if params and key <= params[-1].key:
            raise BadResolver("svc-order", at)
        value = bytes(data[at + 4 : at + 4 + size])
        places[key] = (at, value)
        params.append(ServiceParam(key, value.hex(), _param_text(key, value, at)))
        at += 4 + size

    if ALPN not in places:
        raise BadResolver("svc-alpn", start)
    if MANDATORY in places:
        place, value = places[MANDATORY]
        for needed in _mandatory(value):
            if needed not in places or needed not in KNOWN_KEYS:
                raise BadResolver("svc-mandatory", place)
    if DOHPATH not in places:
        # RFC 9461 §5: a DoH resolver cannot be used without its path, and nothing else here tells it.
        place, value = places[ALPN]
        if {b"h2", b"h3"} & set(_alpns(value) or ()):
            raise BadResolver("svc-dohpath", place)
    return tuple(params)


def _param_text(key: int, value: bytes, at: int) -> str:
    """The well-known form of a parameter's value, which is checked by itself."""
    if key == ALPN:
        ids = _alpns(value)
        if not ids:
            raise BadResolver("svc-alpn", at)
        return ",".join([_printable(one) for one in ids])
    if key == PORT:
        if len(value) != 2 or value == b"\0\0":
            raise BadResolver("svc-port", at)
        return str(int.from_bytes(value, "big"))
    if key == DOHPATH:
        if not _names_the_query(value):
            raise BadResolver("svc-dohpath", at)
        return value.decode("ascii")
    if key == MANDATORY:
        keys = _mandatory(value)
        # RFC 9460 §8: not empty, ascending, and never 0 itself (nor a part of a key).
        if len(value) % 2 or not keys or keys[0] == MANDATORY or any(a >= b for a, b in pairwise(keys)):
            raise BadResolver("svc-mandatory", at)
        return ",".join([KNOWN_KEYS.get(one, f"key{one}") for one in keys])
    if key == NO_DEFAULT_ALPN and value:  # RFC 9460 §7.1.1
        raise BadResolver("svc-no-default-alpn", at)
    if key in (IPV4HINT, IPV6HINT):  # RFC 9463 §3.1.8: the option has addresses of its own
        raise BadResolver("svc-hint", at)
    return ""


def _names_the_query(template: bytes) -> bool:
    """Whether it is a relative URI template with a variable `dns` (RFC 9461 §5, RFC 6570 §2.3)."""
    if not template.startswith(b"/") or not all(0x21 <= octet <= 0x7E for octet in template):
        return False
    pieces = [piece.partition(b"}") for piece in template.split(b"{")[1:]]
    if not all(closed for _, closed, _ in pieces):
        return False
    variables = [one for expression, _, _ in pieces for one in expression.lstrip(b"+#./;?&").split(b",")]
    return any(variable.partition(b":")[0].rstrip(b"*") == b"dns" for variable in variables)


def _mandatory(value: bytes) -> tuple[int, ...]:
    return tuple([int.from_bytes(value[at : at + 2], "big") for at in range(0, len(value) - 1, 2)])


def _alpns(value: bytes) -> tuple[bytes, ...] | None:
    """The protocol ids of an alpn value, each of one octet or more behind a length octet; None: they are none."""
    ids: list[bytes] = []
    at = 0
    while at < len(value):
        size = value[at]
        if size == 0 or at + 1 + size > len(value):
            return None
        ids.append(value[at + 1 : at + 1 + size])
        at += 1 + size
    return tuple(ids)


def _printable(octets: bytes) -> str:
    """Octets as text on one line: commas and what is not printable ASCII as \\xNN."""
    return "".join([chr(one) if 0x21 <= one <= 0x7E and one not in b",\\" else f"\\x{one:02x}" for one in octets])
