"""The first namespace, which is the host's: tables of our range, rules that lead there, addresses with our number.

Law: ours is what carries PROTOCOL, of routes and rules only where the table is of our range too; nothing else is
changed or deleted, whatever it is called, and an address that somebody else has configured stays his. Links, the main
table and the resolver are not touched at all. Only the privileged process comes here.
"""

import errno
from typing import Final

from adapters.sockets.netlink import (
    IFA_DADFAILED,
    Bell,
    Rtnl,
    Rung,
    address_asked,
    address_delete,
    route,
    route_asked,
    rule,
    unless_there,
)
from adapters.wire.rtnl import PROTOCOL
from events.ops import AddressAdd, AddressDelete, Op, Outcome, RouteAdd, RouteDelete, RuleAdd, RuleDelete
from pvdcore.projections.plan import Look
from pvdcore.projections.tables import ours

FOREIGN: Final = "EEXIST: somebody else has configured it"


class Steering:
    """What is ours in the namespace that this process is in. Synchronous; an operation is a millisecond or less."""

    def __init__(self) -> None:
        self._rtnl = Rtnl()
        self.bell: Bell | None = None

    def close(self) -> None:
        """Let go; what stands stays."""
        if self.bell is not None:
            self.bell.close()
        self._rtnl.close()

    def listen(self) -> int:
        """Hear of changes from now on, for poll. Not before it matters: a host may have a million routes of others."""
        if self.bell is None:
            self.bell = Bell(rules=True)
        return self.bell.fileno()

    def look(self, tables: tuple[int, ...] | None = None) -> Look:
        """What is ours: in these tables, or in all, and all addresses."""
        addresses = [one for one in self._rtnl.addresses() if one.protocol == PROTOCOL]
        rules = [one for one in self._rtnl.rules() if one.protocol == PROTOCOL and ours(one.table)]
        if tables is None:
            routes = [one for one in self._rtnl.routes() if ours(one.table)]
        else:
            routes = [one for table in tables for one in self._rtnl.routes(table)]
            rules = [one for one in rules if one.table in tables]
        return Look(
            addresses=tuple(
                (one.address, one.valid_s, one.preferred_s) for one in addresses if not one.flags & IFA_DADFAILED
            ),
            dad_failed=tuple(one.address for one in addresses if one.flags & IFA_DADFAILED),
            routes=tuple((one.destination, one.via, one.metric, one.expires_s, one.table) for one in routes),
            rules=tuple((one.priority, one.source or "", one.table) for one in rules),
        )

    def apply(self, op: Op) -> Outcome:
        """Do one operation."""
        try:
            return Outcome(op, self._apply(op))
        except OSError as error:
            return Outcome(op, errno.errorcode.get(error.errno or 0, "EIO"))

    def _apply(self, op: Op) -> str:
        match op:
            case RouteAdd() | RouteDelete() | RuleAdd() | RuleDelete() if not ours(op.table):
                return "EPERM: the table is not of our range"
            case RuleAdd() | RuleDelete():
                asked = rule(op.table, op.priority, source=op.source, delete=isinstance(op, RuleDelete))
                return self._rtnl.do(asked)
            case RouteDelete():
                gone = route(0, op.destination, via=op.via, metric=op.metric, table=op.table, delete=True)
                return self._rtnl.do(gone)
            case RouteAdd() if op.kind == "unreachable":
                return unless_there(self._rtnl.do(route_asked(op, 0)))
            case RouteAdd():
                device = self._rtnl.link(op.link)
                return unless_there(self._rtnl.do(route_asked(op, device.index))) if device is not None else "ENODEV"
            case AddressAdd():
                device = self._rtnl.link(op.link)
                if device is None:
                    return "ENODEV"
                if self._whose(op.address, device.index) not in (None, PROTOCOL):
                    return FOREIGN
                return self._rtnl.do(address_asked(op, device.index))
            case AddressDelete():
                mine = [one for one in self._rtnl.addresses() if one.protocol == PROTOCOL and one.address == op.address]
                return self._rtnl.do(address_delete(mine[0].index, op.address)) if mine else "EADDRNOTAVAIL"
            case _:
                return "EOPNOTSUPP"

    def _whose(self, address: str, index: int) -> int | None:
        """The number that an address carries on a link; `None` if it is not there."""
        bare = address.split("/")[0]
        found = (one.protocol for one in self._rtnl.addresses(index) if one.address.split("/")[0] == bare)
        return next(found, None)

    def heard(self) -> Rung:
        """What of ours was changed, by whomever, since this was last asked."""
        rung = self.bell.read() if self.bell is not None else Rung()
        rung.tables = {one for one in rung.tables if ours(one)}
        rung.rang = rung.overrun or bool(rung.tables or rung.addresses)
        return rung


def teardown() -> list[str]:
    """Remove all that is ours: what it was, in words."""
    kernel = Steering()
    try:
        look = kernel.look()
        gone: list[str] = []
        ops: list[Op] = [AddressDelete("", "", one) for one in (*(a for a, _, _ in look.addresses), *look.dad_failed)]
        ops += [RuleDelete("", *one) for one in look.rules]
        ops += [RouteDelete("", "", to, via, metric, table) for to, via, metric, _, table in look.routes]
        for op in ops:
            if not kernel.apply(op).error:
                gone.append(_word(op))
        return list(dict.fromkeys(gone))
    finally:
        kernel.close()


def _word(op: Op) -> str:
    match op:
        case AddressDelete():
            return f"address {op.address}"
        case RuleDelete():
            return f"rule from {op.source} to table {op.table}"
        case RouteDelete():
            return f"table {op.table}"
        case _:
            return ""
