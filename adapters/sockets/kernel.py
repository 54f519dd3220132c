"""What the kernel of this namespace says: netlink notices, and a full listing whenever notices cannot be relied on.

Law: a notice is a doorbell. What is recorded is the difference between what the kernel says and what the State
believes, as the kernel's own message, so that a replay reads the same octets; what changes nothing leaves nothing.

A message speaks of interface numbers and a record of links, so each is kept with a message of ours before it that says
what those numbers were called (adapters/wire/rtnl.py, NAMES). A link keeps the name it had at first sight, however it
is called later; one that is made again, or was elsewhere meanwhile, is `eth0#2`.

    RTM_NEWLINK …     LinkSeen, and AttachStarted and AttachEnded with the carrier (standards.md C.3)
    RTM_NEWADDR …     AddressSeen: all
    RTM_NEWROUTE …    RouteSeen: not the kernel's own (local, multicast, broadcast), nor a routing daemon's, which may
                      be a million
    RTM_NEWRULE …     RuleSeen: all
    RTM_NEWNEIGH      NeighborSeen: routers that were heard, when they fail and when they answer again (N17, R11)
    mounts            NetnsSeen: /run/netns, whenever the mounts of our mount namespace change; and our own
"""

import os
import select
import socket
import struct
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Final

import msgspec

from adapters.clock import Clock
from adapters.sockets.netlink import Rtnl, link_elsewhere, netnsid_get, read_link, read_netnsid
from adapters.wire import rtnl
from adapters.wire.cursor import Malformed
from events.codec import AnyEvent
from events.frames import NETLINK, Frame
from events.ids import LinkId
from events.link import (
    AddressGone,
    AddressSeen,
    AttachEnded,
    AttachStarted,
    LinkGone,
    LinkSeen,
    NeighborSeen,
    NetlinkOverrun,
    NetnsGone,
    NetnsSeen,
    RouteGone,
    RouteSeen,
    RuleGone,
    RuleSeen,
)
from pvdcore.host.believed import Key, key, same
from pvdcore.profiles.vpns import away
from pvdcore.state import Link, Sighting, State

BUFFER_OCTETS: Final = 32 << 20  # 20,000 routes in one batch are 5 MiB; the kernel counts them fourfold
MESSAGES_MAX: Final = 65_536  # octets of one datagram; the kernel makes them up to 32 KiB
SOURCE: Final = "netlink"  # the link of such frames: no message is of one link only
NAMED: Final = "/run/netns"  # where ip-netns(8) mounts namespaces by name
ROUTE_PROTOCOLS: Final = frozenset({0, 1, 2, 3, 4, 9, 16})  # unspecified, redirect, kernel, boot, static, RA, DHCP
ROUTE_KINDS: Final = frozenset({"unicast", "blackhole", "unreachable", "prohibit", "throw"})
FAILED: Final = frozenset({"failed", "incomplete"})  # an answer is due or did not come (RFC 4861 §7.3.2)

_GROUPS: Final = (1, 3, 5, 7, 8, 9, 11, 19)  # RTNLGRP_LINK, NEIGH, IPV4_{IFADDR,ROUTE,RULE}, IPV6_{IFADDR,ROUTE,RULE}
_LINKS: Final = 18  # RTM_GETLINK
_DUMPS: Final = (22, 26, 34)  # RTM_GETADDR, RTM_GETROUTE, RTM_GETRULE
_NEWLINK, _DELLINK = 16, 17
_RCVBUFFORCE: Final = 33
_ADD_MEMBERSHIP: Final = 1  # NETLINK_ADD_MEMBERSHIP
_SOL_NETLINK: Final = 270
_REQUEST_DUMP: Final = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_DONE, _ERROR = 3, 2
_BARE: Final = frozenset({"tunnel", "tun", "ipip", "sit", "gre", "ip6tnl", "wireguard", "ppp"})
_IFNAME, _LINK, _LINKINFO, _KIND, _DATA, _VLAN_ID = 3, 5, 18, 1, 2, 1  # IFLA_…, IFLA_INFO_…, IFLA_VLAN_ID
_NEW_NETNSID, _NEW_IFINDEX = 45, 49  # IFLA_NEW_…
_SLAVE_KIND: Final = 4  # IFLA_INFO_SLAVE_KIND
_INDEX_AT: Final = {_NEWLINK: 20, _DELLINK: 20, 20: 20, 21: 20, 28: 20, 29: 20}  # where a message has its one ifindex

Heard = tuple[Frame | None, tuple[AnyEvent, ...]]
"""A frame and what it says; without a frame, what we say."""


class Device(msgspec.Struct, frozen=True):
    """A link as input needs to know it.

    bare: its packets have no link header. tagged: VLAN ids that have a device. master: the link that hears for it, ""
    if none; a VRF does not (its ports keep what they hear).
    """

    link: LinkId
    name: str
    ifindex: int
    incarnation: int = 1
    kind: str = ""
    master: str = ""
    bare: bool = False
    tagged: frozenset[int] = frozenset()
    tag_of: tuple[int, int] | None = None

    @property
    def loopback(self) -> bool:
        return self.kind == "loopback"


class Kernel:
    """Our network namespace. state: what is believed when the session begins. boot: this boot's id. router: whether
    an address is of a router that was heard on a link.
    """

    def __init__(
        self, clock: Clock, state: State, boot: str = "", router: Callable[[LinkId, str], bool] = lambda link, at: False
    ) -> None:
        self._clock = clock
        self._router = router
        here = os.stat("/proc/self/ns/net")
        self.namespace: Final = here.st_ino
        self._device: Final = here.st_dev
        self._socket = listener()
        self._mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.epoll()
        self._poll.register(self._socket.fileno(), select.EPOLLIN)
        self._poll.register(self._mounts, select.EPOLLPRI)
        self.links: dict[int, Device] = {}
        self._known: dict[LinkId, Link] = {
            link.id: link for link in state.links.values() if link.identity.startswith("netns:")
        }
        for elsewhere in away(state):  # in the namespace of a PvD: whether it is still there is asked by the settler
            self._known[elsewhere] = msgspec.structs.replace(self._known[elsewhere], gone_at=self._clock.now())
        self._seen: dict[LinkId, LinkSeen] = {}
        # A tunnel may be attached by its client's word alone, and its link down: then there is no carrier to lose.
        self._attached = {link.id: link.attached and link.up for link in self._known.values()}
        self._changes = {link.id: link.carrier_changes for link in self._known.values()}
        self._believed: dict[Key, Sighting] = dict(state.believed)
        self._named_ones: dict[int, str] = {}
        if state.boot not in ("", boot):  # nothing that another boot left is believed (standards.md C.3)
            self._attached = dict.fromkeys(self._attached, False)
            self._believed.clear()

    def fileno(self) -> int:
        return self._poll.fileno()

    def close(self) -> None:
        self._poll.close()
        self._socket.close()
        os.close(self._mounts)

    # --- listening --------------------------------------------------------------------------------------------------

    def drain(self, most: int) -> list[Heard]:
        """Notices that change what is believed; after an overrun, what a full listing says instead."""
        heard: list[Heard] = []
        self._poll.poll(0)  # so that the mounts can ring again
        for _ in range(most):
            try:
                data = self._socket.recv(MESSAGES_MAX)
            except BlockingIOError:
                break
            except OSError as error:  # ENOBUFS: some were lost, and nobody knows which
                heard.append((None, (NetlinkOverrun(detail=error.strerror or ""),)))
                self._discard()  # what is still queued is older than what is listed now
                heard += self.listing()
                continue
            for message in messages(data):
                heard += self._take(message)
        if any(isinstance(event, _TAKES_ROUTES_ALONG) for _, events in heard for event in events):
            heard += self._listing_of_others()
        return heard

    def _discard(self) -> None:
        while True:
            try:
                self._socket.recv(MESSAGES_MAX)
            except BlockingIOError:
                return
            except OSError:
                continue  # another overrun: the listing is yet to come

    def listing(self) -> list[Heard]:
        """What the kernel has now, as far as it is not what is believed; what is gone first."""
        links = dump(_LINKS)
        names = {_ifindex(one): _name(one) for one in links}
        heard: list[Heard] = []
        if not self.links:
            self._resume(names)
        for ifindex in sorted(set(self.links) - set(names)):
            heard.append((None, self._forget(ifindex, "not listed")))
        here = {device.link for device in self.links.values()}
        for link in sorted(link for link, known in self._known.items() if known.gone_at is None and link not in here):
            heard.append((None, (self._gone(link, "not listed"),)))
        for message in links:
            heard += self._take(message)
        return heard + self._listing_of_others() + self.namespaces()

    def _listing_of_others(self) -> list[Heard]:
        heard: list[Heard] = []
        others = [message for kind in _DUMPS for message in dump(kind)]
        listed = {name for message in others for event in self._said(message)[1] if (name := key(event)) is not None}
        for name in sorted(name for name in self._believed if name[0] in _LISTED and name not in listed):
            heard.append((None, (self._unseen(name),)))
        for message in others:
            heard += self._take(message)
        return heard

    def _resume(self, present: dict[int, str]) -> None:
        """Links of an earlier session that are still there keep their ids: by number in this namespace, else (another
        boot, or the namespace was made again) by name."""
        alive = [one for one in self._known.values() if one.gone_at is None]
        for ifindex, name in sorted(present.items()):
            prefix = f"netns:{self.namespace}:{ifindex}:"
            exact = [one for one in alive if one.identity.startswith(prefix)]
            for one in (exact or [one for one in alive if one.name == name])[:1]:
                incarnation = int(one.identity.rsplit(":", 1)[1]) if exact else self._incarnation(ifindex)
                self.links[ifindex] = Device(one.id, name, ifindex, incarnation)
                alive.remove(one)

    def _said(self, message: bytes) -> tuple[Frame, tuple[AnyEvent, ...]]:
        frame = Frame(self._clock.now(), SOURCE, NETLINK, rtnl.cooked(self._naming(message) + message))
        try:
            return frame, rtnl.decode_cooked(frame.data, link=SOURCE, names={})
        except Malformed:
            return frame, ()

    def _take(self, message: bytes) -> list[Heard]:
        kind = _kind(message)
        if kind in (_NEWLINK, _DELLINK):
            return self._take_link(message) if not message[16] else []  # another family speaks of a bridge port
        frame, events = self._said(message)
        news = tuple(event for event in events if self._news(event))
        # A message is kept whole or not at all: what is read of it again must be the same.
        return [(frame, events)] if news else []

    def _news(self, event: AnyEvent) -> bool:
        name = key(event)
        if name is None or (name[1] and not self._ours(name[1])):
            return False
        if isinstance(event, (AddressGone, RouteGone, RuleGone)):
            return self._believed.pop(name, None) is not None
        if isinstance(event, RouteSeen):
            if event.kind not in ROUTE_KINDS or event.protocol not in ROUTE_PROTOCOLS:
                return False
        elif isinstance(event, NeighborSeen):
            if not self._router(event.link, event.address):
                return False
            before = self._believed.get(name)
            failing = event.state in FAILED
            if failing == (isinstance(before, NeighborSeen) and before.state in FAILED):
                return False
        elif not isinstance(event, (AddressSeen, RuleSeen)):
            return False
        known = self._believed.get(name)
        self._believed[name] = event
        return known is None or not same(known, event)

    def _ours(self, link: LinkId) -> bool:
        return link == SOURCE or any(device.link == link for device in self.links.values())

    def _unseen(self, name: Key) -> AnyEvent:
        known = self._believed.pop(name)
        if isinstance(known, AddressSeen):
            return AddressGone(link=known.link, address=known.address)
        if isinstance(known, RouteSeen):
            return RouteGone(
                link=known.link, destination=known.destination, via=known.via, table=known.table, metric=known.metric
            )
        if isinstance(known, RuleSeen):
            return RuleGone(**{name: getattr(known, name) for name in known.__struct_fields__})
        assert isinstance(known, NetnsSeen), name
        return NetnsGone(identity=known.identity, name=known.name)

    # --- links ------------------------------------------------------------------------------------------------------

    def _take_link(self, message: bytes) -> list[Heard]:
        ifindex = _ifindex(message)
        if _kind(message) == _DELLINK:
            if ifindex not in self.links:
                return []
            frame, events = self._said(message)
            self._forget(ifindex, "deleted")
            return [(frame, events)]
        if ifindex not in self.links:
            self.links[ifindex] = self._named(ifindex, _name(message))
        frame, events = self._said(message)
        seen = next((one for one in events if isinstance(one, LinkSeen)), None)
        if seen is None:
            return []
        self._remember(message, seen)
        known, self._seen[seen.link] = self._seen.get(seen.link), seen
        heard: list[Heard] = []
        if not (self._believes(seen) if known is None else known == seen):
            heard.append((frame, events))
        return heard + [(None, (event,)) for event in self._attachment(seen)]

    def _remember(self, message: bytes, seen: LinkSeen) -> None:
        """What input has to know of a link; and of its parent, if it is a VLAN device."""
        found = _attributes(message, 32)
        info = _attributes(found.get(_LINKINFO, b""), 0)
        device = self.links[seen.ifindex]
        tag_of = None
        if info.get(_KIND, b"").rstrip(b"\0") == b"vlan" and len(found.get(_LINK, b"")) == 4:
            tag = _attributes(info.get(_DATA, b""), 0).get(_VLAN_ID, b"")
            tag_of = (_number(found[_LINK]), _number(tag) & 0xFFF)
        vrf = info.get(_SLAVE_KIND, b"").rstrip(b"\0") == b"vrf"
        self.links[seen.ifindex] = msgspec.structs.replace(
            device,
            name=seen.name,
            kind=seen.kind,
            master="" if vrf else seen.master,
            bare=seen.kind in _BARE and not seen.mac,
            tag_of=tag_of,
        )
        self._tag()

    def _tag(self) -> None:
        for ifindex, device in self.links.items():
            tags = frozenset(one.tag_of[1] for one in self.links.values() if one.tag_of and one.tag_of[0] == ifindex)
            if tags != device.tagged:
                self.links[ifindex] = msgspec.structs.replace(device, tagged=tags)

    def _believes(self, seen: LinkSeen) -> bool:
        link = self._known.get(seen.link)
        return link is not None and (
            link.gone_at is None
            and (link.identity, link.kind, link.mac, link.mtu, link.ifindex, link.name, link.up, link.carrier_changes)
            == (seen.identity, seen.kind, seen.mac, seen.mtu, seen.ifindex, seen.name, seen.up, seen.carrier_changes)
        )

    def _attachment(self, seen: LinkSeen) -> tuple[AnyEvent, ...]:
        """C.3: an epoch starts with the carrier and ends with it; one that was lost and came back between two looks is
        another one, for nobody can prove that it is the same network."""
        link, here = seen.link, seen.up and seen.carrier
        before = self._attached.get(link)
        flapped = self._changes.get(link, seen.carrier_changes) != seen.carrier_changes
        self._attached[link], self._changes[link] = here, seen.carrier_changes
        if before is None:
            return ()  # the LinkSeen itself says whether it is attached
        if before and (not here or flapped):
            ended = AttachEnded(link=link, reason="carrier" if seen.up else "down")
            return (ended, AttachStarted(link=link)) if here else (ended,)
        return (AttachStarted(link=link),) if here and not before else ()

    def _forget(self, ifindex: int, reason: str) -> tuple[AnyEvent, ...]:
        device = self.links.pop(ifindex)
        self._tag()
        return (self._gone(device.link, reason),)

    def _gone(self, link: LinkId, reason: str) -> LinkGone:
        for name in [name for name in self._believed if name[1] == link]:
            del self._believed[name]
        self._seen.pop(link, None)
        self._attached.pop(link, None)
        self._changes.pop(link, None)
        known = self._known.get(link)
        if known is not None:
            self._known[link] = msgspec.structs.replace(known, gone_at=self._clock.now())
        return LinkGone(link=link, reason=reason)

    def _named(self, ifindex: int, name: str) -> Device:
        """A link that was not there before: under its own name if no other ever had it."""
        number, link = 1, name
        while link in self._known:
            number += 1
            link = f"{name}#{number}"
        incarnation = self._incarnation(ifindex)
        identity = f"netns:{self.namespace}:{ifindex}:{incarnation}"
        self._known[link] = Link(link, identity, "", 0, name=name, gone_at=0)  # a name that is taken from now on
        return Device(link, name, ifindex, incarnation)

    def _incarnation(self, ifindex: int) -> int:
        """How often this number was given in this namespace, this time included."""
        prefix = f"netns:{self.namespace}:{ifindex}:"
        used = (int(one.identity.rsplit(":", 1)[1]) for one in self._known.values() if one.identity.startswith(prefix))
        return 1 + max(used, default=0)

    def _naming(self, message: bytes) -> bytes:
        """The NAMES message for a message: the links it speaks of."""
        at = _INDEX_AT.get(_kind(message))
        spoken = set() if at is None else {int(struct.unpack_from("=i", message, at)[0])}
        if at is None or (at == 20 and _kind(message) == _NEWLINK):  # routes, and a link's master
            spoken |= {ifindex for ifindex in self.links if struct.pack("=i", ifindex) in message[16:]}
        names = {one: (self.links[one].incarnation, self.links[one].link) for one in spoken if one in self.links}
        return rtnl.naming(self.namespace, names, _elsewhere(message))

    # --- namespaces -------------------------------------------------------------------------------------------------

    def namespaces(self) -> list[Heard]:
        """Namespaces by name, where that changed: those that are mounted, each once. A namespace is its file, whatever
        its name. To be asked a moment after the descriptor was ready: a poll within a poll (asyncio's, of ours) takes
        away what /proc/self/mountinfo has to say, so nobody knows whether it was the mounts that rang."""
        found = {self.namespace: ""}  # by inode, as all are of one device
        with suppress(OSError):
            for name in sorted(os.listdir(NAMED)):
                with suppress(OSError):
                    file = os.stat(f"{NAMED}/{name}")
                    if file.st_dev == self._device:  # else a file that nothing is mounted on
                        found.setdefault(file.st_ino, name)
        if found == self._named_ones:  # a thousand of them are looked at ten times a second
            return []
        self._named_ones = found
        before = {one.identity: one for one in self._believed.values() if isinstance(one, NetnsSeen)}
        now = {f"{self._device}:{inode}": name for inode, name in found.items()}
        heard: list[Heard] = []
        for identity in sorted(set(before) - set(now)):
            heard.append((None, (self._unseen(("netns", "", identity)),)))
        for identity, name in sorted(now.items()):
            seen = NetnsSeen(identity=identity, name=name, root=not name)
            if before.get(identity) != seen:
                self._believed["netns", "", identity] = seen
                heard.append((None, (seen,)))
        return heard


_TAKES_ROUTES_ALONG: Final = (LinkGone, AttachEnded)
"""IPv4 routes go with these, and no notice says so (net/ipv4/fib_trie.c, fib_table_flush)."""

_LISTED: Final = frozenset({"address", "route", "rule"})
"""What a full listing lists: of these, what it does not list is gone."""


# --- netlink messages ------------------------------------------------------------------------------------------------


def listener() -> socket.socket:
    """A netlink socket of this namespace that hears all notices of interest."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    try:
        made.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, BUFFER_OCTETS)
        made.bind((0, 0))
        for group in _GROUPS:
            made.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        return made
    except BaseException:
        made.close()
        raise


def dump(kind: int) -> list[bytes]:
    """All the kernel has of one kind, as notices would bring it."""
    found: list[bytes] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as asking:
        asking.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, BUFFER_OCTETS)
        asking.bind((0, 0))
        asking.send(struct.pack("=IHHII", 32, kind, _REQUEST_DUMP, 1, 0) + bytes(16))
        while True:
            for message in messages(asking.recv(MESSAGES_MAX)):
                if _kind(message) in (_DONE, _ERROR):
                    return found
                found.append(message)


def messages(data: bytes) -> list[bytes]:
    """The messages of a datagram, as a notice would bring each: no flags, no sequence number, no port."""
    found = []
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if length < 16 or at + length > len(data):
            break
        found.append(struct.pack("=IHHII", length, kind, 0, 0, 0) + data[at + 16 : at + length])
        at += length + 3 & ~3
    return found


def _elsewhere(message: bytes) -> dict[tuple[int, int], str]:
    """Of a link that moved into a namespace with a name: how it is called there, by that one's id here and its number
    there. It may bear another name, and another number, than it had here."""
    found = _attributes(message, 32) if _kind(message) == _DELLINK else {}
    if len(found.get(_NEW_NETNSID, b"")) != 4 or len(found.get(_NEW_IFINDEX, b"")) != 4:
        return {}
    netnsid, index = (int(struct.unpack("=i", found[one])[0]) for one in (_NEW_NETNSID, _NEW_IFINDEX))
    with closing(Rtnl()) as asking, suppress(OSError):
        for name in sorted(os.listdir(NAMED)):
            with suppress(OSError):
                file = os.open(f"{NAMED}/{name}", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    said = asking.get(netnsid_get(file))  # nothing, of a file that nothing is mounted on
                finally:
                    os.close(file)
                if said is not None and read_netnsid(said) == netnsid:
                    there = asking.get(link_elsewhere(netnsid, index))
                    called = read_link(there).name if there is not None else f"{index}"  # it went on, or we may not ask
                    return {(netnsid, index): f"{name}:{called}"}
    return {}


def _kind(message: bytes) -> int:
    return int(struct.unpack_from("=H", message, 4)[0])


def _ifindex(message: bytes) -> int:
    return int(struct.unpack_from("=i", message, 20)[0])


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "little" if struct.pack("=H", 1)[0] else "big")


def _name(message: bytes) -> str:
    name = _attributes(message, 32).get(_IFNAME, b"").split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    return name or f"if{_ifindex(message)}"


def _attributes(octets: bytes, at: int) -> dict[int, bytes]:
    found = {}
    while at + 4 <= len(octets):
        length, kind = struct.unpack_from("=HH", octets, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = octets[at + 4 : at + length]
        at += length + 3 & ~3
    return found
