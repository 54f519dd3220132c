"""Named network namespaces, one a place: made, looked at, changed, given up. Only the privileged process comes here.

Law: what carries our mark is ours, and nothing else is changed or deleted. The mark stands inside: the alias of a
namespace's loopback is `pvd:PVD`, set before the namespace gets its name, so that no crash leaves a named one without
it; addresses and routes carry PROTOCOL, files begin with a line of ours. A name alone (`pvd-…`) proves nothing.

The calling thread never changes its namespace: threads that enter one end there, and never return to a pool
(namespaces(7): the setting is per thread). Once a namespace is known, all that is written to it goes through a netlink
socket that was opened inside, so that the hot path enters nothing at all. An unnamed spare or two are kept ready:
loopback up, sysctls written. Nobody can see them and they end with this process.
"""

import contextlib
import ctypes
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from msgspec.structs import replace

import adapters.places.resolv as resolv
from adapters.sockets.netlink import (
    IFA_DADFAILED,
    MAIN,
    Bell,
    LinkRow,
    Rtnl,
    address_asked,
    address_delete,
    link_delete,
    link_move,
    link_set,
    macvlan_add,
    neighbor,
    route,
    route_asked,
    unless_there,
)
from adapters.wire.rtnl import PROTOCOL
from events.ops import (
    AddressAdd,
    AddressDelete,
    ClientEnd,
    ClientRun,
    LinkAdd,
    LinkDelete,
    LinkMove,
    LinkSet,
    NetnsAdd,
    NetnsAdopt,
    NetnsDelete,
    Op,
    Outcome,
    ResolverWrite,
    RouteAdd,
    RouteDelete,
    RuleAdd,
    RuleDelete,
    User,
)
from pvdcore.projections.plan import METRICS, Look

NETNS = Path("/run/netns")  # where iproute2 looks for names (ip-netns(8))
PREFIX: Final = "pvd-"
OWN_KIND: Final = "macvlan"  # of the links that we make; one of another kind was moved here
MARK: Final = "pvd:"
ALIAS_OCTETS_MAX: Final = 255  # IFALIASZ - 1 (linux/if.h)
SPARES: Final = 2  # an RA seldom brings more PvDs at once, and a spare costs 50-200 KiB of kernel memory

SYSCTLS: Final = {  # below /proc/sys/net/FAMILY/conf
    "ipv6": (
        # The RA is ours to process, not the kernel's; each macvlan starts from `default`.
        ("default/accept_ra", "0"),
        ("default/autoconf", "0"),
        ("all/accept_ra", "0"),
        ("default/addr_gen_mode", "1"),  # IN6_ADDR_GEN_MODE_NONE: the link-local address is in the plan
        ("default/disable_ipv6", "0"),
        ("default/use_tempaddr", "0"),
        ("default/optimistic_dad", "1"),  # allows it (RFC 4429); the flag of each address asks for it
        ("default/use_optimistic", "1"),
        ("all/forwarding", "0"),  # a host (RFC 4861 §6.3); IPv4's is inherited from the first namespace
        ("default/forwarding", "0"),
        ("all/ignore_routes_with_linkdown", "1"),
        ("default/ignore_routes_with_linkdown", "1"),
    ),
    "ipv4": (
        ("all/forwarding", "0"),
        ("default/forwarding", "0"),
        ("default/accept_redirects", "1"),
        ("all/ignore_routes_with_linkdown", "1"),
        ("default/ignore_routes_with_linkdown", "1"),
    ),
}

_CLONE_NEWNET: Final = 0x40000000
_MS_BIND, _MS_REC, _MS_SHARED, _MNT_DETACH = 0x1000, 0x4000, 1 << 20, 2
_NSFS_MAGIC: Final = 0x6E736673
_libc: Final = ctypes.CDLL(None, use_errno=True)
_T = TypeVar("_T")


def _call(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def in_thread(what: Callable[[], _T]) -> _T:
    """Run something in a thread of its own that ends with it: it may change its namespace. Raises what it raises."""
    found: list[_T] = []
    wrong: list[BaseException] = []

    def body() -> None:
        try:
            found.append(what())
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if wrong:
        raise wrong[0]
    return found[0]


def inside(fd: int, what: Callable[[], _T]) -> _T:
    """Run something in the namespace that `fd` stands for. Raises OSError, and what it raises."""

    def body() -> _T:
        _call(_libc.setns(fd, _CLONE_NEWNET))
        return what()

    return in_thread(body)


class Room:
    """One namespace that we can speak to. fd keeps it alive, as its sockets do: close lets it end."""

    def __init__(self, fd: int, rtnl: Rtnl, bell: Bell) -> None:
        self.fd = fd
        self.rtnl = rtnl
        self.bell = bell
        status = os.fstat(fd)
        self.id = (status.st_dev, status.st_ino)

    def close(self) -> None:
        """Let go of it."""
        self.bell.close()
        self.rtnl.close()
        os.close(self.fd)

    def mark(self) -> str:
        """Whose it is: the PvD's id, "" if it is not ours."""
        lo = self.rtnl.link("lo")
        return lo.alias[len(MARK) :] if lo is not None and lo.alias.startswith(MARK) else ""

    def device(self) -> LinkRow | None:
        """The link of ours inside."""
        return next((one for one in self.rtnl.links() if one.alias.startswith(MARK) and one.name != "lo"), None)


def _spare() -> Room:
    """A namespace without a name, ready."""

    def body() -> Room:
        _call(_libc.unshare(_CLONE_NEWNET))
        _prepare_sysctls()
        fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        room = Room(fd, Rtnl(), Bell())
        room.rtnl.do(link_set(1, up=True))
        return room

    return in_thread(body)


def _prepare_sysctls() -> None:
    """Write SYSCTLS. Each folder is looked up once: the folders of all namespaces have one name, and the kernel
    compares it with each of theirs (fs/proc/proc_sysctl.c, proc_sys_compare)."""
    for family, settings in SYSCTLS.items():
        try:
            folder = os.open(f"/proc/sys/net/{family}/conf", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            for name, value in settings:
                with contextlib.suppress(FileNotFoundError):  # a kernel built without it has nothing to switch off
                    _sysctl(name, value, folder)
        finally:
            os.close(folder)


def _sysctl(path: str, value: str, folder: int | None = None) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _enter(path: Path) -> Room | None:
    """A named namespace; None if the name stands for none (a plain file that a crash left, or nothing)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        rtnl, bell = inside(fd, lambda: (Rtnl(), Bell()))
    except OSError:
        os.close(fd)
        return None
    return Room(fd, rtnl, bell)


def _leftover(path: Path) -> bool:
    """Whether a name is but an empty file: made by us, and we ended before something was mounted on it."""
    try:
        status = os.stat(path)
        return status.st_dev == os.stat(path.parent).st_dev and not status.st_size and path.is_file()
    except OSError:
        return False


def prepare(folder: Path = NETNS) -> None:
    """Make the folder of names as iproute2 does: shared, so that a name made here is seen in all mount namespaces."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = os.fsencode(folder)
    if _libc.mount(b"", path, b"none", _MS_SHARED | _MS_REC, None):
        if ctypes.get_errno() != errno.EINVAL:
            _call(-1)
        _call(_libc.mount(path, path, b"none", _MS_BIND | _MS_REC, None))
        _call(_libc.mount(b"", path, b"none", _MS_SHARED | _MS_REC, None))


class Netns:
    """The namespaces of this host that are ours. Synchronous; an operation is a millisecond or less.

    on_enter, on_leave: told of each that is opened, and before it is let go.
    """

    def __init__(self) -> None:
        self._rtnl = Rtnl()
        self._rooms: dict[str, Room] = {}
        self._spares: list[Room] = []
        self._prepared = False
        self.on_enter: Callable[[str, Room], None] = lambda name, room: None
        self.on_leave: Callable[[Room], None] = lambda room: None

    # What is there

    def names(self) -> list[str]:
        """The names of namespaces that carry our mark, sorted."""
        if not NETNS.is_dir():
            return []
        return [one for one in sorted(os.listdir(NETNS)) if one.startswith(PREFIX) and self.room(one) is not None]

    def room(self, name: str) -> Room | None:
        """One of ours, opened once; the name may stand for another namespace than it did."""
        path = NETNS / name
        known = self._rooms.get(name)
        try:
            status = os.stat(path)
        except OSError:
            status = None
        if known is not None and status is not None and known.id == (status.st_dev, status.st_ino):
            return known
        if known is not None:  # unmounted, deleted or replaced behind our back
            self.forget(name)
        if status is None:
            return None
        found = _enter(path)
        if found is None:
            return None
        if not found.mark():
            found.close()
            return None
        self._keep(name, found)
        return found

    def _keep(self, name: str, room: Room) -> None:
        self._rooms[name] = room
        self.on_enter(name, room)

    def forget(self, name: str) -> None:
        """Let go of a namespace."""
        known = self._rooms.pop(name, None)
        if known is not None:
            self.on_leave(known)
            known.close()

    def rooms(self) -> dict[str, Room]:
        """Those that are open."""
        return self._rooms

    def close(self) -> None:
        """Let go of everything; what is named stays."""
        for name in list(self._rooms):
            self.forget(name)
        while self._spares:
            self._spares.pop().close()
        self._rtnl.close()

    def look(self, name: str) -> Look | None:
        """A namespace of ours as it is; None if there is none. What does not carry PROTOCOL is not in it."""
        room = self.room(name)
        if room is None:
            return None
        device = room.device()
        servers, search = resolv.read(name)
        seen = Look(mark=room.mark(), servers=servers, search=search)
        if device is None:
            return seen
        ours = [one for one in room.rtnl.addresses(device.index) if one.protocol == PROTOCOL]
        return replace(
            seen,
            device=device.name,
            up=device.up,
            mtu=device.mtu,
            hop_limit=device.hop_limit,
            addresses=tuple(
                (one.address, one.valid_s, one.preferred_s) for one in ours if not one.flags & IFA_DADFAILED
            ),
            dad_failed=tuple(one.address for one in ours if one.flags & IFA_DADFAILED),
            routes=tuple(
                (one.destination, one.via, one.metric, one.expires_s, 0)
                for one in room.rtnl.routes()
                if (one.index == device.index or one.kind == "unreachable") and one.table == MAIN
            ),
        )

    def users(self, name: str) -> tuple[User, ...]:
        """The processes in a namespace of ours, and those that hold one of its sockets, by pid."""
        room = self.room(name)
        return () if room is None else users(room.fd)

    # Deeds

    def apply(self, op: Op) -> Outcome:
        """Do one operation."""
        try:
            return Outcome(op, self._apply(op))
        except OSError as error:
            return Outcome(op, errno.errorcode.get(error.errno or 0, "EIO"))

    def _apply(self, op: Op) -> str:
        if isinstance(op, NetnsAdd):
            return self._add(op)
        if isinstance(op, (ClientRun, ClientEnd)):
            return "EOPNOTSUPP"  # a process, and no matter of the kernel's (adapters/dhcpcd.py)
        if isinstance(op, (RuleAdd, RuleDelete)):
            return "EOPNOTSUPP"  # a namespace of a PvD has one table: rules are of the first namespace
        room = self.room(op.netns)
        if room is None:
            return "EPERM: a namespace of this name is not ours" if self._foreign(op.netns) else "ENOENT"
        if isinstance(op, NetnsDelete):
            return self._delete(op, room)
        if isinstance(op, ResolverWrite):
            return resolv.write(op.netns, op.servers, op.search)
        if isinstance(op, LinkAdd):
            return self._link(op, room)
        if isinstance(op, LinkMove):
            return self._move(op, room)
        if isinstance(op, NetnsAdopt):
            return room.rtnl.do(link_set(1, alias=_alias(op.pvd)))
        if isinstance(op, RouteAdd) and op.kind == "unreachable":  # over no device
            return unless_there(room.rtnl.do(route_asked(op, 0)))
        device = room.rtnl.link(op.name if isinstance(op, (LinkDelete, LinkSet)) else op.link)
        if device is None:
            return "ENODEV"
        match op:
            case LinkDelete():
                return room.rtnl.do(link_delete(device.index))
            case LinkSet():
                if op.hop_limit:
                    path = f"/proc/sys/net/ipv6/conf/{op.name}/hop_limit"
                    inside(room.fd, lambda: _sysctl(path, str(op.hop_limit)))
                return room.rtnl.do(link_set(device.index, up=True, mtu=op.mtu))
            case AddressAdd():
                return room.rtnl.do(address_asked(op, device.index))
            case AddressDelete():
                return room.rtnl.do(address_delete(device.index, op.address))
            case RouteAdd():
                if op.via is not None and op.lladdr:  # what is known already is known better
                    room.rtnl.do(neighbor(device.index, op.via, op.lladdr))
                return unless_there(room.rtnl.do(route_asked(op, device.index)))
            case RouteDelete():
                metric = op.metric or METRICS["medium"]
                index = device.index if op.via is not None else 0  # what leads nowhere has no device
                gone = route(index, op.destination, via=op.via, metric=metric, delete=True)
                return room.rtnl.do(gone)
            case _:
                return "EOPNOTSUPP"

    def _foreign(self, name: str) -> bool:
        return (NETNS / name).exists() and not _leftover(NETNS / name)

    def _add(self, op: NetnsAdd) -> str:
        if self.room(op.netns) is not None or self._foreign(op.netns):
            return "EEXIST"
        if not self._prepared:
            prepare()
            self._prepared = True
        room = self._spares.pop() if self._spares else _spare()
        wrong = room.rtnl.do(link_set(1, alias=_alias(op.pvd or op.netns)))
        if wrong:
            room.close()
            return wrong
        path = NETNS / op.netns
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0))
            _call(_libc.mount(f"/proc/self/fd/{room.fd}".encode(), os.fsencode(path), b"none", _MS_BIND, None))
        except OSError:
            room.close()
            raise
        room.bell.read()
        self._keep(op.netns, room)
        return ""

    def prepare_spares(self) -> None:
        """Make namespaces ready for those to come; called when nothing else is to be done."""
        while len(self._spares) < SPARES:
            self._spares.append(_spare())

    def _delete(self, op: NetnsDelete, room: Room) -> str:
        if users(room.fd):
            if not op.force:
                return "EBUSY"
            device = room.device()
            if device is not None and device.kind == OWN_KIND:  # else they would keep it for as long as they run
                room.rtnl.do(link_delete(device.index))
        wrong = self._give_back(room)
        if wrong:
            return wrong
        self.forget(op.netns)
        path = os.fsencode(NETNS / op.netns)
        if _libc.umount2(path, _MNT_DETACH) and ctypes.get_errno() != errno.EINVAL:
            _call(-1)
        os.unlink(path)
        resolv.remove(op.netns)
        return ""

    def remove_leftovers(self) -> None:
        """Remove empty files of our prefix on which nothing was ever mounted: a crash came in between."""
        if NETNS.is_dir():
            for name in sorted(os.listdir(NETNS)):
                if name.startswith(PREFIX) and _leftover(NETNS / name):
                    (NETNS / name).unlink(missing_ok=True)

    def _link(self, op: LinkAdd, room: Room) -> str:
        parent = self._rtnl.link(op.parent)
        if parent is None:
            return "ENODEV: the link is gone"
        mtu = min(op.mtu, parent.mtu) if op.mtu else 0
        there = room.rtnl.link(op.name)
        if there is None:
            wrong = self._rtnl.do(macvlan_add(op.name, parent.index, room.fd, mac=op.mac, mtu=mtu))
            if wrong:
                return wrong
            there = room.rtnl.link(op.name)
            if there is None:
                return "ENODEV"
        elif there.alias:
            return "EEXIST"
        # The mark comes last: a link without it, in a namespace with it, is one that a crash left half made.
        return room.rtnl.do(link_set(there.index, up=True, alias=room.mark() and MARK + op.netns))

    def _move(self, op: LinkMove, room: Room) -> str:
        there = room.rtnl.link(op.name)
        if there is None:
            here = self._rtnl.link(op.name)
            if here is None:
                return "ENODEV: the tunnel is gone"
            wrong = self._rtnl.do(link_move(here.index, room.fd, alias=MARK + op.netns))
            if wrong:
                return wrong
            there = room.rtnl.link(op.name)
            if there is None:
                return "ENODEV"
        return room.rtnl.do(link_set(there.index, up=True, mtu=op.mtu))

    def _give_back(self, room: Room) -> str:
        """A link that was moved here goes back where it came from; else it would end with its namespace."""
        device = room.device()
        if device is None or device.kind == OWN_KIND:
            return ""
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return room.rtnl.do(link_move(device.index, home, alias=""))
        finally:
            os.close(home)


def teardown() -> list[str]:
    """Remove every namespace that carries our mark, whoever is inside, and what is left of files: their names."""
    kernel = Netns()
    try:
        gone = [name for name in kernel.names() if not kernel.apply(NetnsDelete(name, True)).error]
        kernel.remove_leftovers()
        resolv.remove_all()
        return gone
    finally:
        kernel.close()


def _alias(owner: str) -> str:
    """The mark of a namespace, as the alias of its loopback."""
    return (MARK + owner).encode()[:ALIAS_OCTETS_MAX].decode(errors="ignore")


# --- Who is inside ------------------------------------------------------------------------------------------


def users(fd: int) -> tuple[User, ...]:
    """Who is in the namespace of `fd`, or holds a socket of it, by pid; without this process itself."""
    status = os.fstat(fd)
    wanted = (status.st_dev, status.st_ino)
    sockets = {f"socket:[{one}]" for one in _sockets(fd)}
    found = []
    for entry in os.listdir("/proc"):
        if (
            entry.isdigit()
            and int(entry) != os.getpid()
            and (_in(entry, wanted) or (sockets and _holds(entry, sockets)))
        ):
            found.append(User(int(entry), _comm(entry)))
    return tuple(sorted(found))


def _in(pid: str, wanted: tuple[int, int]) -> bool:
    """Any thread of it: the setting is per thread. The main one is asked first, as it nearly always is that."""
    try:
        status = os.stat(f"/proc/{pid}/ns/net")
        if (status.st_dev, status.st_ino) == wanted:
            return True
        threads = os.listdir(f"/proc/{pid}/task")
        if len(threads) == 1:
            return False
        found = (os.stat(f"/proc/{pid}/task/{thread}/ns/net") for thread in threads)
        return any((one.st_dev, one.st_ino) == wanted for one in found)
    except OSError:
        return False


def _sockets(fd: int) -> set[int]:
    """The inodes of the sockets of a namespace that processes hold."""
    inodes: set[int] = set()

    def read() -> None:
        for name, column in (("tcp", 9), ("tcp6", 9), ("udp", 9), ("udp6", 9), ("raw", 9), ("raw6", 9), ("packet", 8)):
            with contextlib.suppress(OSError), open(f"/proc/thread-self/net/{name}", encoding="ascii") as file:
                next(file)
                inodes.update(int(line.split()[column]) for line in file)

    with contextlib.suppress(OSError):
        inside(fd, read)
    return inodes - {0}


def _holds(pid: str, sockets: set[str]) -> bool:
    try:
        return any(
            target in sockets for one in os.listdir(f"/proc/{pid}/fd") for target in (_target(f"/proc/{pid}/fd/{one}"),)
        )
    except OSError:
        return False


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _comm(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""
