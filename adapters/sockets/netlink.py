"""rtnetlink spoken: requests as octets, each acknowledged, and listings of what stands (uapi linux/rtnetlink.h).

Law: one socket speaks to the namespace it was opened in and to no other; nothing here enters one. What a request comes
to is a word ("" or the kernel's errno by name, with its own explanation), never an exception. The kernel is trusted to
frame what it sends: captures and notices of others are read by adapters/wire/rtnl.py, which trusts nobody.

Ours is what carries PROTOCOL: addresses (IFA_PROTO), routes and rules (RTA_PROTOCOL, FRA_PROTOCOL).
"""

import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple

import msgspec

from adapters.wire.rtnl import PROTOCOL
from events.ops import AddressAdd, RouteAdd
from pvdcore.projections.plan import HOP_LIMIT, METRICS

FOREVER: Final = 0xFFFFFFFF
MAIN: Final = 254  # RT_TABLE_MAIN
ACK_MAX_OCTETS: Final = 1 << 16  # of one read; the kernel fills at most 32 KiB of a listing at a time
USER_HZ: Final = 100  # the unit of rta_expires, on every Linux (include/asm-generic/param.h)

# Messages
NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNEIGH: Final = 28
NEWRULE, DELRULE, GETRULE = 32, 33, 34
GETNSID: Final = 90
_ERROR, _DONE = 2, 3
# Flags of a request
_REQUEST, _ACK, _DUMP = 0x001, 0x004, 0x300
REPLACE, EXCL, CREATE, APPEND = 0x100, 0x200, 0x400, 0x800
_ACK_CAPPED, _ACK_TLVS = 0x100, 0x200
# Flags of an address
_NUD_STALE, _NTF_ROUTER = 0x04, 0x80
IFA_DADFAILED, IFA_TENTATIVE, IFA_OPTIMISTIC, IFA_NODAD, IFA_NOPREFIXROUTE = 0x08, 0x40, 0x04, 0x02, 0x200
IFF_UP: Final = 1
_AF_INET, _AF_INET6 = 2, 10
_PREFERENCE: Final = {"medium": 0, "high": 1, "low": 3}  # ICMPV6_ROUTER_PREF_…
_PREFERENCE_WORD: Final = {0: "medium", 1: "high", 3: "low"}
_SOL_NETLINK: Final = 270
_CAP_ACK, _EXT_ACK, _STRICT = 10, 11, 12
_ONLINK: Final = 4  # RTNH_F_ONLINK
_UNIVERSE, _LINK_SCOPE, _NOWHERE = 0, 253, 255

_KINDS: Final = {"unicast": 1, "unreachable": 7}  # RTN_…
_KIND_WORD: Final = {number: word for word, number in _KINDS.items()}
# Groups of notices (RTNLGRP_… as numbers of NETLINK_ADD_MEMBERSHIP)
GROUP_LINK, GROUP_ADDRESS4, GROUP_ROUTE4, GROUP_ADDRESS6, GROUP_ROUTE6 = 1, 5, 7, 9, 11
GROUP_RULE4, GROUP_RULE6 = 8, 19


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)


def number(kind: int, value: int) -> bytes:
    """An attribute of four octets."""
    return struct.pack("=HHI", 8, kind, value)


def text(kind: int, value: str) -> bytes:
    """A NUL-ended string."""
    return attribute(kind, value.encode() + b"\0")


def attributes(data: bytes, at: int, end: int) -> dict[int, bytes]:
    """Values by type, flag bits taken off."""
    found: dict[int, bytes] = {}
    while at + 4 <= end:
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += length + 3 & ~3
    return found


class Request(NamedTuple):
    """A message without its header."""

    kind: int
    flags: int
    body: bytes


# --- Requests -----------------------------------------------------------------------------------------------


def macvlan_add(name: str, parent: int, netns_fd: int, *, mac: str = "", mtu: int = 0) -> Request:
    """A macvlan on the link `parent` of the socket's namespace, made directly in another one, and up.

    Bridge mode: the PvDs of one link are hosts of one link to each other. mac "": the kernel draws one.
    """
    body = struct.pack("=BxHiII", 0, 0, 0, IFF_UP, IFF_UP) + text(3, name) + number(5, parent) + number(28, netns_fd)
    if mtu:
        body += number(4, mtu)
    if mac:
        body += attribute(1, bytes.fromhex(mac.replace(":", "")))
    info = text(1, "macvlan") + attribute(2, number(1, 4))  # IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE
    return Request(NEWLINK, CREATE | EXCL, body + attribute(18, info))


def link_set(index: int, *, up: bool | None = None, mtu: int = 0, alias: str | None = None) -> Request:
    """Change a link."""
    flags, mask = (IFF_UP if up else 0, IFF_UP) if up is not None else (0, 0)
    body = struct.pack("=BxHiII", 0, 0, index, flags, mask)
    if mtu:
        body += number(4, mtu)
    if alias is not None:
        body += text(20, alias)
    return Request(NEWLINK, 0, body)


def link_move(index: int, netns_fd: int, *, alias: str) -> Request:
    """Move a link into another namespace, and give it an alias there. Its addresses and routes stay behind."""
    return Request(NEWLINK, 0, struct.pack("=BxHiII", 0, 0, index, 0, 0) + number(28, netns_fd) + text(20, alias))


def link_delete(index: int) -> Request:
    """Delete a link."""
    return Request(DELLINK, 0, struct.pack("=BxHiII", 0, 0, index, 0, 0))


def link_get(name: str) -> Request:
    """Ask for one link by its name."""
    return Request(GETLINK, 0, struct.pack("=BxHiII", 0, 0, 0, 0, 0) + text(3, name))


def link_elsewhere(netnsid: int, index: int) -> Request:
    """Ask for one link of another namespace, by the id that this one has in the socket's (CAP_NET_ADMIN there)."""
    return Request(GETLINK, 0, struct.pack("=BxHiII", 0, 0, index, 0, 0) + struct.pack("=HHi", 8, 46, netnsid))


def netnsid_get(fd: int) -> Request:
    """Ask which id a namespace has in the socket's."""
    return Request(GETNSID, 0, struct.pack("=Bxxx", 0) + number(3, fd))


def _address_body(index: int, address: str, flags: int) -> tuple[bytes, bytes]:
    host, _, width = address.partition("/")
    packed = ip_address(host)
    family = _AF_INET if packed.version == 4 else _AF_INET6
    scope = _LINK_SCOPE if packed.is_link_local else _UNIVERSE
    head = struct.pack("=BBBBI", family, int(width or packed.max_prefixlen), flags & 0xFF, scope, index)
    return head, packed.packed


def address_add(
    index: int,
    address: str,
    *,
    valid_s: int | None = None,
    preferred_s: int | None = None,
    flags: int = 0,
    protocol: int = PROTOCOL,
) -> Request:
    """Configure an address, or give one that is there other lifetimes. Seconds, `None` for ever; flags: IFA_…."""
    head, packed = _address_body(index, address, flags)
    valid = FOREVER if valid_s is None else valid_s
    preferred = min(valid, FOREVER if preferred_s is None else preferred_s)
    body = head + attribute(2, packed) + attribute(1, packed) + number(8, flags)
    body += attribute(6, struct.pack("=IIII", preferred, valid, 0, 0)) + attribute(11, bytes([protocol]))
    return Request(NEWADDR, CREATE | REPLACE, body)


def address_delete(index: int, address: str) -> Request:
    """Remove an address."""
    head, packed = _address_body(index, address, 0)
    return Request(DELADDR, 0, head + attribute(2, packed))


def route(
    index: int,
    destination: str,
    *,
    via: str | None = None,
    metric: int = METRICS["medium"],
    preference: str = "medium",
    expires_s: int | None = None,
    table: int = MAIN,
    protocol: int = PROTOCOL,
    kind: str = "unicast",
    delete: bool = False,
) -> Request:
    """Add a route, or give one that is there another end (IPv6 only); or delete exactly that one. index: 0 for none,
    which is that of any when it is deleted.

    The kernel answers EEXIST to a route that is there and moves its end all the same, unless it had none.
    """
    host, _, width = destination.partition("/")
    packed = ip_address(host)
    family = _AF_INET if packed.version == 4 else _AF_INET6
    scope = _LINK_SCOPE if family == _AF_INET and via is None and kind == "unicast" else _UNIVERSE
    if delete and not index:
        scope = _NOWHERE  # of any (RT_SCOPE_NOWHERE)
    flags = _ONLINK if family == _AF_INET and via is not None else 0
    low = table if table < 256 else 0
    number_ = 0 if delete and not index else _KINDS[kind]
    head = struct.pack("=BBBBBBBBI", family, int(width), 0, 0, low, protocol, scope, number_, flags)
    body = head + attribute(1, packed.packed) + number(6, metric) + number(15, table)
    if index:
        body += number(4, index)
    if via is not None:
        body += attribute(5, ip_address(via).packed)
    if delete:
        return Request(DELROUTE, 0, body)
    if family == _AF_INET6:
        body += attribute(20, bytes([_PREFERENCE[preference]]))
        if expires_s is not None:
            body += number(23, max(1, expires_s))
        return Request(NEWROUTE, CREATE, body)
    return Request(NEWROUTE, CREATE | APPEND, body)


def neighbor(index: int, address: str, lladdr: str) -> Request:
    """Make a router's link-layer address known, to be verified when it is used (STALE, RFC 4861 §6.3.4), unless
    something is known of it."""
    packed = ip_address(address)
    family = _AF_INET if packed.version == 4 else _AF_INET6
    head = struct.pack("=BxxxiHBB", family, index, _NUD_STALE, _NTF_ROUTER, 0)
    mac = bytes.fromhex(lladdr.replace(":", ""))
    return Request(NEWNEIGH, CREATE | EXCL, head + attribute(1, packed.packed) + attribute(2, mac))


def rule(
    table: int, priority: int, *, source: str | None = None, family: int = _AF_INET6, delete: bool = False
) -> Request:
    """A rule: what comes from `source` (`PREFIX`) looks in `table`. family counts where there is no source."""
    packed, width = b"", 0
    if source is not None:
        host, _, length = source.partition("/")
        one = ip_address(host)
        packed, width = one.packed, int(length or one.max_prefixlen)
        family = _AF_INET if one.version == 4 else _AF_INET6
    low = table if table < 256 else 0
    body = struct.pack("=BBBBBBBBI", family, 0, width, 0, low, 0, 0, 1, 0)
    body += number(6, priority) + number(15, table) + attribute(21, bytes([PROTOCOL]))
    if packed:
        body += attribute(2, packed)
    return Request(DELRULE, 0, body) if delete else Request(NEWRULE, CREATE | EXCL, body)


def address_asked(op: AddressAdd, index: int) -> Request:
    """An operation as a request, for the link of this number."""
    flags = {"optimistic": IFA_OPTIMISTIC, "off": IFA_NODAD}.get(op.dad, 0) if ":" in op.address else 0
    # Whether a prefix is on-link is the router's word (RFC 4861 §6.3.4), not a consequence of an address.
    if ":" in op.address and not op.address.startswith("fe80:"):
        flags |= IFA_NOPREFIXROUTE
    return address_add(index, op.address, valid_s=op.valid_s, preferred_s=op.preferred_s, flags=flags)


def route_asked(op: RouteAdd, index: int) -> Request:
    """An operation as a request, for the link of this number; 0: it leads over none."""
    return route(
        index,
        op.destination,
        via=op.via,
        metric=op.metric or METRICS[op.preference],
        preference=op.preference,
        expires_s=op.expires_s,
        table=op.table or MAIN,
        kind=op.kind,
    )


def unless_there(wrong: str) -> str:
    """Not EEXIST, of a route that is there: its end was moved all the same (ip6_fib.c, fib6_add_rt2node)."""
    return "" if wrong.split(":", 1)[0] == "EEXIST" else wrong


# --- What stands --------------------------------------------------------------------------------------------


class LinkRow(msgspec.Struct, frozen=True):
    """A link. parent: IFLA_LINK, in the namespace where the link was made. hop_limit: for IPv6."""

    index: int
    name: str
    kind: str
    up: bool
    mtu: int
    mac: str
    alias: str
    parent: int
    hop_limit: int


def read_netnsid(data: bytes) -> int:
    """RTM_NEWNSID, whole; -1 if it has none."""
    found = attributes(data, 20, len(data))
    return int(struct.unpack("=i", found[1])[0]) if 1 in found else -1


class AddressRow(msgspec.Struct, frozen=True):
    """An address with what is left of its lifetimes, `None` for ever."""

    index: int
    address: str
    flags: int
    protocol: int
    valid_s: int | None
    preferred_s: int | None


class RouteRow(msgspec.Struct, frozen=True):
    """A route, one row a next hop. kind: `unicast` or `unreachable`."""

    index: int
    destination: str
    via: str | None
    table: int
    protocol: int
    metric: int
    preference: str
    expires_s: int | None
    kind: str = "unicast"


class RuleRow(msgspec.Struct, frozen=True):
    """A rule."""

    family: int
    priority: int
    table: int
    source: str | None
    protocol: int


def read_link(data: bytes) -> LinkRow:
    """RTM_NEWLINK, whole."""
    index, flags = struct.unpack_from("=iI", data, 20)
    found = attributes(data, 32, len(data))
    info = attributes(found[18], 0, len(found[18])) if 18 in found else {}
    octets = found.get(1, b"")
    return LinkRow(
        index,
        _string(found.get(3)),
        _string(info.get(1)),
        bool(flags & IFF_UP),
        _number(found.get(4)),
        octets.hex(":"),
        _string(found.get(20)),
        _number(found.get(5)),
        _hop_limit(found.get(26, b"")),
    )


def _hop_limit(families: bytes) -> int:
    """IFLA_AF_SPEC, AF_INET6, IFLA_INET6_CONF: numbers by DEVCONF_…, of which 1 is the hop limit."""
    six = attributes(families, 0, len(families)).get(_AF_INET6, b"")
    numbers = attributes(six, 0, len(six)).get(2, b"")
    return int(struct.unpack_from("=i", numbers, 4)[0]) if len(numbers) >= 8 else HOP_LIMIT


def read_address(data: bytes) -> AddressRow:
    """RTM_NEWADDR or RTM_DELADDR, whole."""
    _, width, flags, _, index = struct.unpack_from("=BBBBI", data, 16)
    found = attributes(data, 24, len(data))
    octets = found.get(2) or found[1]
    valid: int | None = None
    preferred: int | None = None
    if 6 in found:
        preferred, valid = (None if one == FOREVER else one for one in struct.unpack_from("=II", found[6]))
    if 8 in found:
        flags = _number(found[8])
    protocol = found[11][0] if 11 in found else 0
    return AddressRow(index, f"{_address(octets)}/{width}", flags, protocol, valid, preferred)


def read_routes(data: bytes) -> Iterator[RouteRow]:
    """RTM_NEWROUTE, whole: one row a next hop. Clones of the kernel's cache give none."""
    family, width, _, _, low, protocol, _, kind, flags = struct.unpack_from("=BBBBBBBBI", data, 16)
    if kind not in _KIND_WORD or flags & 0x200 or family not in (_AF_INET, _AF_INET6):
        return
    found = attributes(data, 28, len(data))
    base = _address(found[1]) if 1 in found else ("0.0.0.0" if family == _AF_INET else "::")
    table, metric = _number(found.get(15)) or low, _number(found.get(6))
    preference = _PREFERENCE_WORD.get(found[20][0], "medium") if 20 in found else "medium"
    ends: int | None = None
    if 12 in found:  # rta_cacheinfo: clntref, lastuse, expires, …
        ticks = struct.unpack_from("=i", found[12], 8)[0]
        ends = max(0, ticks) // USER_HZ if ticks else None
    hops: list[tuple[int, bytes | None]] = []
    if 9 in found:
        at, several = 0, found[9]
        while at + 8 <= len(several):
            length, _, _, index = struct.unpack_from("=HBBi", several, at)
            hops.append((index, attributes(several, at + 8, at + length).get(5)))
            at += length + 3 & ~3
    else:
        hops.append((_number(found.get(4)), found.get(5)))
    for index, via in hops:
        yield RouteRow(
            index,
            f"{base}/{width}",
            _address(via) if via is not None else None,
            table,
            protocol,
            metric,
            preference,
            ends,
            _KIND_WORD[kind],
        )


def read_rule(data: bytes) -> RuleRow:
    """RTM_NEWRULE, whole."""
    family, _, width, _, low = struct.unpack_from("=BBBBB", data, 16)
    found = attributes(data, 28, len(data))
    source = f"{_address(found[2])}/{width}" if 2 in found else None
    protocol = found[21][0] if 21 in found else 0
    return RuleRow(family, _number(found.get(6)), _number(found.get(15)) or low, source, protocol)


def _string(value: bytes | None) -> str:
    return value.split(b"\0", 1)[0].decode("utf-8", "replace") if value else ""


def _number(value: bytes | None) -> int:
    return int.from_bytes(value[:4], "little" if struct.pack("=H", 1)[0] else "big") if value else 0


def _address(octets: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(octets) == 4 else socket.AF_INET6, octets)


# --- The socket ---------------------------------------------------------------------------------------------


class Rtnl:
    """A NETLINK_ROUTE socket of the namespace that the calling thread is in when it is made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._socket.settimeout(5)  # the kernel answers in the same call; a lost answer must not hang us
        for option in (_CAP_ACK, _EXT_ACK, _STRICT):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._seq = 0

    def close(self) -> None:
        """Let go; the namespace may end now."""
        self._socket.close()

    def do(self, request: Request) -> str:
        """Send one request: "" when it was done, else why not."""
        return self.do_all([request])[0]

    def do_all(self, requests: Sequence[Request]) -> list[str]:
        """Send several at once: what each came to, in their order."""
        first = self._seq + 1
        packet = b""
        for one in requests:
            self._seq += 1
            packet += struct.pack("=IHHII", 16 + len(one.body), one.kind, one.flags | _REQUEST | _ACK, self._seq, 0)
            packet += one.body
        results = [""] * len(requests)
        left = len(requests)
        if not left:
            return results
        try:
            self._socket.send(packet)
            while left:
                for kind, seq, message in _messages(self._socket.recv(ACK_MAX_OCTETS)):
                    if kind == _ERROR and first <= seq <= self._seq:
                        results[seq - first] = _verdict(message)
                        left -= 1
        except OSError as error:
            return [_word(error.errno or errno.EIO)] * len(requests)
        return results

    def get(self, request: Request) -> bytes | None:
        """Ask for one thing: its message; None if it is not there."""
        found: bytes | None = None
        self._seq += 1
        head = struct.pack("=IHHII", 16 + len(request.body), request.kind, _REQUEST | _ACK, self._seq, 0)
        self._socket.send(head + request.body)
        while True:
            for kind, seq, message in _messages(self._socket.recv(ACK_MAX_OCTETS)):
                if seq != self._seq:
                    continue
                if kind == _ERROR:
                    return found
                found = message

    def dump(self, kind: int, body: bytes) -> Iterator[bytes]:
        """List: whole messages. Raises OSError."""
        self._seq += 1
        head = struct.pack("=IHHII", 16 + len(body), kind, _REQUEST | _DUMP, self._seq, 0)
        self._socket.send(head + body)
        while True:
            for answer, seq, message in _messages(self._socket.recv(ACK_MAX_OCTETS)):
                if seq != self._seq:
                    continue
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    number_ = -struct.unpack_from("=i", message, 16)[0]
                    raise OSError(number_, _word(number_))
                yield message

    def link(self, name: str) -> LinkRow | None:
        """One link by its name."""
        found = self.get(link_get(name))
        return read_link(found) if found is not None else None

    def links(self) -> list[LinkRow]:
        """All links."""
        return [read_link(one) for one in self.dump(GETLINK, struct.pack("=BxHiII", 0, 0, 0, 0, 0))]

    def addresses(self, index: int = 0) -> list[AddressRow]:
        """All addresses, or those of one link."""
        return [read_address(one) for one in self.dump(GETADDR, struct.pack("=BBBBI", 0, 0, 0, 0, index))]

    def routes(self, table: int = 0, protocol: int = PROTOCOL) -> list[RouteRow]:
        """Routes, unicast and unreachable, of one protocol (0: of all), in one table (0: in all), of both families."""
        rows: list[RouteRow] = []
        for family in (_AF_INET6, _AF_INET):
            body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, table if table < 256 else 0, protocol, 0, 0, 0)
            if table:
                body += number(15, table)
            try:
                for one in self.dump(GETROUTE, body):
                    rows += read_routes(one)
            except OSError as error:
                if error.errno != errno.ENOENT:  # no such table: no routes
                    raise
        return rows

    def rules(self) -> list[RuleRow]:
        """All rules of both families."""
        rows: list[RuleRow] = []
        for family in (_AF_INET, _AF_INET6):
            rows += [read_rule(one) for one in self.dump(GETRULE, struct.pack("=BBBBBBBBI", family, *[0] * 8))]
        return rows


class Rung(msgspec.Struct):
    """What was heard. failed: addresses of which DAD said that somebody has them (RFC 4862 §5.4.5). tables: of routes
    and rules; addresses: ours. overrun: some were lost, so it may be anything."""

    rang: bool = False
    overrun: bool = False
    failed: list[str] = []
    tables: set[int] = set()
    addresses: set[str] = set()


class Bell:
    """Notices of one namespace: that something changed there, and what. rules: of these, too."""

    def __init__(self, *, rules: bool = False) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        self._socket.bind((0, 0))
        for group in (GROUP_LINK, GROUP_ADDRESS4, GROUP_ROUTE4, GROUP_ADDRESS6, GROUP_ROUTE6):
            self._socket.setsockopt(_SOL_NETLINK, 1, group)
        for group in (GROUP_RULE4, GROUP_RULE6) if rules else ():
            self._socket.setsockopt(_SOL_NETLINK, 1, group)

    def fileno(self) -> int:
        """For poll."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let go."""
        self._socket.close()

    def read(self) -> Rung:
        """What rang since."""
        heard = Rung()
        while True:
            try:
                data = self._socket.recv(ACK_MAX_OCTETS)
            except BlockingIOError:
                return heard
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                heard.rang = heard.overrun = True
                continue
            for kind, _, message in _messages(data):
                heard.rang = True
                if kind in (NEWADDR, DELADDR):
                    row = read_address(message)
                    if row.flags & IFA_DADFAILED:
                        heard.failed.append(row.address)
                    if row.protocol == PROTOCOL:
                        heard.addresses.add(row.address)
                elif kind in (NEWROUTE, DELROUTE, NEWRULE, DELRULE):
                    heard.tables.add(_table(message))


def _table(message: bytes) -> int:
    """Of a route or a rule: RTA_TABLE and FRA_TABLE are one number, and so is where the short one stands."""
    return _number(attributes(message, 28, len(message)).get(15)) or int(message[20])


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at + 16 <= len(data):
        length, kind, _, seq, _ = struct.unpack_from("=IHHII", data, at)
        if length < 16:
            return
        yield kind, seq, data[at : at + length]
        at += length + 3 & ~3


def _word(number_: int) -> str:
    return errno.errorcode.get(number_, f"E{number_}")


def _verdict(message: bytes) -> str:
    """NLMSG_ERROR: errno, the header it answers, then (NLM_F_ACK_TLVS) NLMSGERR_ATTR_MSG."""
    code = -struct.unpack_from("=i", message, 16)[0]
    if not code:
        return ""
    flags = struct.unpack_from("=H", message, 6)[0]
    said = ""
    if flags & _ACK_TLVS:
        skip = 0 if flags & _ACK_CAPPED else struct.unpack_from("=I", message, 20)[0] - 16
        said = _string(attributes(message, 36 + skip, len(message)).get(1))
    return f"{_word(code)}: {said}" if said else _word(code)
