"""A kernel made of dictionaries: what a plan would leave behind, without a host.

Law: it accepts what Linux accepts and refuses what Linux refuses, with the kernel's words; it never expires anything by
itself, since nobody tells it the time but the operations.
"""

from msgspec.structs import replace

from events.ids import NEVER, SECOND, Instant
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
)
from pvdcore.projections.plan import Have, Standing


class ModelKernel:
    """Namespaces in memory. at: the instant from which the seconds of an operation count."""

    def __init__(self) -> None:
        self._namespaces: dict[str, Standing] = {}
        self.writes = 0

    def observe(self) -> Have:
        """The host as it is."""
        return Have(dict(self._namespaces))

    def apply(self, op: Op, at: Instant) -> Outcome:
        """Do one operation."""
        error = self._apply(op, at)
        self.writes += not error
        return Outcome(op, error)

    def _apply(self, op: Op, at: Instant) -> str:
        known = self._namespaces.get(op.netns) or (Standing() if not op.netns else None)
        if isinstance(op, NetnsAdd):
            if known is not None:
                return "EEXIST"
            self._namespaces[op.netns] = Standing(mark=op.pvd)
            return ""
        if known is None:
            return "ENOENT"
        if isinstance(op, NetnsDelete):
            del self._namespaces[op.netns]
            return ""
        after = self._change(known, op, at)
        if isinstance(after, str):
            return after
        self._namespaces[op.netns] = after
        return ""

    def _change(self, known: Standing, op: Op, at: Instant) -> Standing | str:
        match op:
            case NetnsAdopt():
                return replace(known, mark=op.pvd)
            case LinkAdd() | LinkMove() | LinkSet() | LinkDelete() | ResolverWrite() if not op.netns:
                return "EOPNOTSUPP"  # the host's own, which are not ours to change
            case RuleAdd() | RuleDelete():
                rule = (op.priority, op.source, op.table)
                if (rule in known.rules) == isinstance(op, RuleAdd):
                    return "EEXIST" if isinstance(op, RuleAdd) else "ENOENT"
                return replace(known, rules=known.rules ^ {rule})
            case LinkAdd() | LinkMove():
                return "EEXIST" if known.device else replace(known, device=op.name, mtu=op.mtu)
            case LinkSet() if known.device != op.name:
                return "ENODEV"
            case LinkSet():
                return replace(known, up=True, mtu=op.mtu or known.mtu, hop_limit=op.hop_limit or known.hop_limit)
            case LinkDelete():
                if known.device != op.name:
                    return "ENODEV"
                return Standing(servers=known.servers, search=known.search, mark=known.mark)
            case ResolverWrite():
                return replace(known, servers=op.servers, search=op.search)
            case AddressAdd() | AddressDelete() | RouteAdd() | RouteDelete() if op.netns and not _leads(op, known):
                return "ENODEV"
            case ClientRun() | ClientEnd() if known.device != op.link:
                return "ENODEV"
            case ClientRun():
                return replace(known, client=op)
            case ClientEnd():
                return replace(known, client=None)
            case AddressAdd():
                ends = (_ends(op.valid_s, at), _ends(op.preferred_s, at))
                return replace(known, addresses={**known.addresses, op.address: ends})
            case AddressDelete():
                left = {one: ends for one, ends in known.addresses.items() if one != op.address}
                return "EADDRNOTAVAIL" if left == known.addresses else replace(known, addresses=left)
            case RouteAdd():
                key = (op.destination, op.via, op.metric, op.table)
                return replace(known, routes={**known.routes, key: _ends(op.expires_s, at)})
            case _:
                assert isinstance(op, RouteDelete)  # namespaces come and go above
                one = (op.destination, op.via, op.metric, op.table)
                left_ = {key: ends for key, ends in known.routes.items() if key != one}
                return "ESRCH" if left_ == known.routes else replace(known, routes=left_)


def _leads(op: AddressAdd | AddressDelete | RouteAdd | RouteDelete, known: Standing) -> bool:
    """Whether an operation is of a device that is there; one that has traffic go nowhere is of none."""
    return op.link == known.device or (isinstance(op, RouteAdd) and op.kind == "unreachable")


def _ends(seconds: int | None, at: Instant) -> Instant:
    return NEVER if seconds is None else at + seconds * SECOND
