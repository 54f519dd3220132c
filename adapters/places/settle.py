"""Settling: bring what stands in the kernel to what the State wants, place by place, whatever made the two differ.

A place is an instance's namespace, or its share of the first one: routing tables, the rules that lead there, addresses.

Law: level, not edge. Nobody tells this file what to write; it is told that something may have changed, compares, and
writes the difference. A plan is durable before it is applied, and what became of it is written down after the kernel
was looked at again. A place is busy with one plan at a time and waits for no other place. An operation that failed is
left alone until its instant has come and holds up nothing else. What the kernel has is known from the last look; a
notice (a doorbell, a file, a new helper) only makes that knowledge void.

    idle ── may have changed ──> looking ──> planned ── durable ──> applying ──> idle
              (known: no look)              PlanMade                PlanApplied
"""

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Final, Protocol

from adapters.places.helper import Answer, ClientEnded, Notice, Rang, UsersLeft
from events.codec import AnyEvent
from events.ids import MILLISECOND, NEVER, SECOND, Instant, LinkId, PvdId
from events.link import DadFailed, LinkGone
from events.ops import (
    AddressDelete,
    ClientLost,
    NetnsAdd,
    NetnsDelete,
    Op,
    Outcome,
    PlaceUsed,
    PlanApplied,
    PlanMade,
    ResolverWrite,
    RouteDelete,
)
from pvdcore import phases
from pvdcore.leases import adoption
from pvdcore.profiles.connections import held_down
from pvdcore.profiles.vpns import of_pvd, pvd_of
from pvdcore.projections import places, placing
from pvdcore.projections.desired import Place
from pvdcore.projections.placing import BACKOFF_FIRST, TABLES, Key, backoff
from pvdcore.projections.plan import (
    FOUNDATIONS,
    LAZY_EIGHTHS,
    NOTHING,
    TOLERANCE,
    Standing,
    op_key,
    place_ops,
    share,
    standing,
)
from pvdcore.projections.tables import steered, using
from pvdcore.projections.tables import tables as tables_of
from pvdcore.state import Failing, Link, Placement, State

FIRST: Final = ""  # the namespace that the host itself is in
LEFT_BEHIND: Final = "left behind"  # the place of tables and addresses of ours that no instance has
REFRESH_EACH: Final[Instant] = 1 * SECOND  # how often repeated announcements are compared with what the kernel counts
LOOK_EACH: Final[Instant] = (
    100 * MILLISECOND
)  # a place that somebody changes all the time is not looked at all the time
IDLE, LOOKING, PLANNED, APPLYING = "idle", "looking", "planned", "applying"


class Places(Protocol):
    """Who looks and writes: the helper, or a test's. An answer comes later, or at once."""

    def list_places(self, done: Callable[[Answer], None]) -> None: ...
    def look(self, netns: str, tables: tuple[int, ...], done: Callable[[Answer], None]) -> None: ...
    def apply(
        self, netns: str, tables: tuple[int, ...], ops: tuple[Op, ...], done: Callable[[Answer], None]
    ) -> None: ...


class Session(Protocol):
    """What a session gives: adapters/live.py's, or a test's. stirred: the PvDs that `Engine.stirred` named behind the
    last batch."""

    @property
    def state(self) -> State: ...
    @property
    def stirred(self) -> Sequence[PvdId]: ...
    def now(self) -> Instant: ...
    def submit(self, event: AnyEvent) -> None: ...


class Spot:
    """One place, wanted or standing. how: the projection; netns, tables: where it is."""

    def __init__(self, key: Key, how: str, name: str, owner: str) -> None:
        self.key = key
        self.visit = key[1:]  # the latest: what is under way when a PvD comes back is still of the one before
        self.how = how
        self.name = name
        self.owner = owner  # what the name is made of: whoever has the place may change, the name does not
        self.netns = name if how != TABLES else FIRST
        self.tables: set[int] = set()
        self.addresses: set[str] = set()  # in the first namespace, besides those that its rules are of
        self.tries = 0  # to take it away, in vain
        self.retry_at: Instant = 0
        self.have: Standing | None = None  # what stands there; None: nothing
        self.known = False  # whether `have` is to be believed
        self.stale = False  # whether it is to be looked at when `wake_at` comes
        self.busy = IDLE
        self.dirty = True
        self.emptied = False  # whether what the PvD gave it was taken from it
        self.kept = False  # whether it only stands for those inside, of whose end we shall hear
        self.ops: tuple[Op, ...] = ()
        self.place: Place | None = None
        self.quiet_until: Instant = 0  # a repeat heard before this is not written
        self.wake_at: Instant = NEVER  # compare again then, whatever is heard
        self.looked_at: Instant = 0


class Settler:
    """All places of one host. Call `changed` after each batch, `durable` once it is written down, `tick` when `wake_at`
    has come."""

    def __init__(self, session: Session, places: Places) -> None:
        self._session = session
        self._places = places
        self._spots: dict[str, Spot] = {}
        self._before: State | None = None
        self._listed = False
        self._asked = False
        self._refresh_at: Instant = NEVER
        self._planned: list[Spot] = []
        self._dirty: dict[str, Spot] = {}
        self._names: dict[PvdId, set[str]] = {}
        self._alarms: list[tuple[Instant, str]] = []
        self._numbers: dict[int, str] = {}  # of tables, and whose they are
        self._takers: dict[LinkId, set[PvdId]] = {}  # who asks for DHCPv4 leases on a link
        self.on_alarm: Callable[[Instant], None] = lambda at: None

    # What happens

    def begin(self) -> None:
        """The helper runs (again): what it knew, and what we believed of it, is void. All places are listed."""
        self._listed = False
        for spot in self._spots.values():
            spot.known = spot.kept = False
            if spot.busy in (LOOKING, APPLYING):
                spot.busy = IDLE
        if not self._asked:
            self._asked = True
            self._places.list_places(self._was_listed)

    def changed(self, state: State) -> None:
        """Something was recorded, and what is wanted may be another: plans are made."""
        self._compare(state)
        self._work()

    def durable(self) -> None:
        """All that was recorded until now is written down: plans may be applied."""
        planned, self._planned = self._planned, []
        for spot in planned:
            self._apply(spot)

    def tick(self) -> None:
        """An instant has come at which something is to be looked after."""
        now = self._session.now()
        if now >= self._refresh_at:
            self._refresh_at = NEVER
            for spot in self._spots.values():
                if spot.quiet_until <= now and spot.place is not None:
                    self._soil(spot)
        while self._alarms and self._alarms[0][0] <= now:
            spot_ = self._spots.get(heappop(self._alarms)[1])
            if spot_ is not None and spot_.wake_at <= now:
                spot_.wake_at = NEVER
                if spot_.stale:
                    spot_.known = spot_.stale = False
                self._soil(spot_)
        self._work()

    def wake_at(self) -> Instant:
        """When `tick` has something to do; NEVER if nothing."""
        return min(self._refresh_at, self._alarms[0][0] if self._alarms else NEVER)

    def _wake(self, spot: Spot, at: Instant) -> None:
        if at < spot.wake_at:
            spot.wake_at = at
            heappush(self._alarms, (at, spot.name))
            self.on_alarm(at)

    def notice(self, said: Notice) -> None:
        """Somebody changed something, or left; or a client of ours ended."""
        now = self._session.now()
        for spot in self._meant(said):
            if isinstance(said, UsersLeft):
                spot.kept = False
                self._wake(spot, now)
            elif isinstance(said, ClientEnded):
                has, link, epoch = spot.key
                lost = ClientLost(projection=spot.how, pvd=has, link=link, epoch=epoch, op=said.run, error=said.error)
                self._session.submit(lost)
                spot.stale = True
                self._wake(spot, now)
            else:
                self._failed(spot, said.dad_failed)
                spot.stale = True
                self._wake(spot, max(now, spot.looked_at + LOOK_EACH))
        self.tick()

    def _meant(self, said: Notice) -> list[Spot]:
        """The places that a notice is of."""
        if said.netns != FIRST or not isinstance(said, Rang):
            spot = self._spots.get(said.netns)
            return [spot] if spot is not None else []
        names = {self._numbers[one] for one in said.tables if one in self._numbers}
        touched = {*said.addresses, *said.dad_failed}
        return [
            spot
            for name, spot in self._spots.items()
            if spot.netns == FIRST and (said.any or name in names or spot.addresses & touched)
        ]

    def settled(self) -> bool:
        """Whether nothing is under way and nothing is known to be wrong."""
        return self._listed and all(one.busy == IDLE and not one.dirty for one in self._spots.values())

    # What is wanted

    def _compare(self, state: State) -> None:
        """Find the instances that may want something else than before."""
        before, self._before = self._before, state
        if before is None:
            for pvd in state.pvds:
                self._soil_pvd(state, pvd)
            for name in state.links:
                self._soil_made(state, name)
            return
        for pvd in self._session.stirred:
            self._soil_pvd(state, pvd)
        if state.pvds is not before.pvds:
            self._compare_takers(state)
        if state.vpns is not before.vpns:
            for name, vpn in state.vpns.items():
                if before.vpns.get(name) is not vpn:
                    self._soil_pvd(state, pvd_of(name))
        if state.policy is not before.policy:
            for spot in self._spots.values():
                self._soil(spot)
            for pvd in state.pvds:
                self._soil_pvd(state, pvd)
        if state.links is not before.links:
            for name, link in state.links.items():
                if _host_side(link) != _host_side(before.links.get(name)):
                    for spot in self._spots.values():  # the kernel takes routes along without saying so
                        spot.known = spot.known and not (spot.netns == FIRST and spot.key[1] == name)
                    self._soil_link(state, name)
        if state.connections is not before.connections or state.intent is not before.intent:
            for name in state.links:
                if held_down(state, name) != held_down(before, name) or _asking(state, name) != _asking(before, name):
                    self._soil_link(state, name)
                self._soil_made(state, name)
        elif state.settings is not before.settings:  # one that is active may ask for something else now
            for name in {one.link for one in state.connections.values()}:
                self._soil_link(state, name)
                self._soil_made(state, name)
        if state.grants is not before.grants:
            for place, grant in state.grants.items():
                was = before.grants.get(place)
                if was is not None and was.placed != grant.placed:
                    for pvd in {was.placed, grant.placed} - {""}:
                        self._soil_pvd(state, pvd)
        if state.host is not before.host:
            self._compare_host(state, before)
        if state.speakers is not before.speakers and self._refresh_at == NEVER:
            self._refresh_at = self._session.now() + REFRESH_EACH
            self.on_alarm(self._refresh_at)

    def _compare_takers(self, state: State) -> None:
        """Where another PvD than before is due a DHCPv4 lease, those that were no longer ask."""
        for link in sorted({one.link for one in state.connections.values()}):
            takers = set(adoption.asking4(state, link))
            for pvd in sorted(takers ^ self._takers.get(link, set())):
                self._soil_pvd(state, pvd)
            self._takers[link] = takers

    def _compare_host(self, state: State, before: State) -> None:
        now, was = state.host.sighted, before.host.sighted
        if now is not was:
            news = {place for place, one in now.items() if was.get(place) is not one and one.origin != "ours"}
            for link, address in news | {place for place in was if place not in now}:
                if places.projection(state, link) == TABLES:
                    for pvd in (*using(state, link, address), *using(before, link, address)):
                        self._soil_pvd(state, pvd)

    def _soil_pvd(self, state: State, pvd: PvdId) -> None:
        for key in placing.cells(state, pvd):
            self._find(state, key)
        for name in sorted(self._names.get(pvd, ())):
            if name in self._spots:
                self._soil(self._spots[name])

    def _soil_made(self, state: State, link: LinkId) -> None:
        """The place that a connection made on a link, before a PvD has taken it over."""
        key = placing.made(state, link)
        spot = self._find(state, key) if key is not None else None
        if spot is not None:
            self._soil(spot)

    def _find(self, state: State, key: Key) -> Spot | None:
        """The place of a PvD or a connection, which may have been another's before; `None` where none is made."""
        how = places.projection(state, key[1])
        if how == "none":
            return None
        owner = places.owner(state, *key)
        name = places.place_name(owner, *key[1:])
        if how == TABLES:
            name = f"{name} {key[2]} {TABLES}"
        if name not in self._spots:
            spot = self._add(key, how, name, owner)
            spot.known = self._listed  # what is not listed and was not made since is not there
        elif self._spots[name].visit[1] < key[2]:  # its PvD is back, or was never known by this run
            self._spots[name].visit = key[1:]
        self._names.setdefault(key[0], set()).add(name)
        return self._spots[name]

    def _add(self, key: Key, how: str, name: str, owner: str) -> Spot:
        self._spots[name] = spot = Spot(key, how, name, owner)
        self._names.setdefault(key[0], set()).add(name)
        return spot

    def _drop(self, spot: Spot) -> None:
        del self._spots[spot.name]
        for named in self._names.values():
            named.discard(spot.name)
        for number in [number for number in spot.tables if self._numbers.get(number) == spot.name]:
            del self._numbers[number]

    def _soil_link(self, state: State, link: LinkId) -> None:
        for spot in self._spots.values():
            if spot.key[1] == link:
                self._soil(spot)
        for pvd in state.links[link].pvds:  # by its new name, the link may be one to project on
            self._soil_pvd(state, pvd)

    def _soil(self, spot: Spot) -> None:
        spot.dirty = True
        self._dirty[spot.name] = spot

    def _work(self) -> None:
        if not self._listed:
            return
        for name in list(self._dirty):
            spot = self._dirty[name]
            if spot.busy == IDLE:
                del self._dirty[name]
                spot.dirty = False
                self._settle(spot)

    def _settle(self, spot: Spot) -> None:
        now = self._session.now()
        state = self._session.state
        spot.key = (places.has(state, spot.owner, *spot.visit), *spot.visit)
        self._want(state, spot)
        if not spot.known:
            spot.busy = LOOKING
            self._places.look(spot.netns, tuple(sorted(spot.tables)), lambda answer: self._looked(spot, answer))
            return
        if spot.place is None:
            ops = self._ending(state, spot, now)
        elif self._lost(state, spot):
            return
        else:
            missing = self._missing(spot, now)
            self._correct(state, spot, missing)
            ops = tuple(self._due(state, spot, missing, now))
            self._plan_ahead(spot, now)
        if not ops:
            return
        spot.ops = ops
        spot.busy = PLANNED
        self._planned.append(spot)
        pvd, link, epoch = spot.key
        self._session.submit(PlanMade(projection=spot.how, pvd=pvd, ops=ops, link=link, epoch=epoch))

    def _want(self, state: State, spot: Spot) -> None:
        """What is wanted there now; and whose the numbers are that it takes."""
        spot.place = placing.wanted(state, spot.key) if self._mine(state, spot) else None
        spot.kept = spot.kept and spot.place is None
        spot.emptied = spot.emptied and spot.place is None
        if spot.how != TABLES:
            return
        if spot.place is not None:
            spot.place = steered(state, spot.place, _Others(self._numbers, spot.name))
            spot.addresses |= {one.address for one in spot.place.addresses}
            self._claim(spot, tables_of(spot.place))
        else:  # of an earlier session, maybe
            placement = _placement(state, spot.key)[0]
            if placement is not None and placement.projection == TABLES:
                self._claim(spot, [int(placement.name)])

    def _mine(self, state: State, spot: Spot) -> bool:
        """Whether what is wanted is wanted in this way; its link may have been given to another projection since."""
        return places.projection(state, spot.key[1]) == spot.how

    def _claim(self, spot: Spot, numbers: Iterable[int]) -> None:
        for number in numbers:
            if number not in spot.tables:
                spot.tables.add(number)
                if self._numbers.get(number) == LEFT_BEHIND:  # which is about to be taken away
                    self._spots[LEFT_BEHIND].tables.discard(number)
                    spot.known = False
                self._numbers[number] = spot.name

    def _missing(self, spot: Spot, now: Instant) -> list[Op]:
        """What is still to be done in a place."""
        if spot.place is not None:
            return place_ops(spot.place, spot.have, now, lazy=True)
        return place_ops(NOTHING, spot.have, now) if spot.how == TABLES else []

    def _correct(self, state: State, spot: Spot, missing: list[Op]) -> None:
        """Say what is so without a deed: it stood already, since we ended before we said so; what failed is wanted no
        more; its table is another one."""
        wanted = {op_key(one) for one in missing}
        table = str(spot.place.table) if spot.place is not None and spot.how == TABLES else ""
        wrong = False
        for _, said in placing.placements(state, spot.key):
            wrong = wrong or (not missing and (said is None or (bool(table) and said.name != table)))
            wrong = wrong or any(op_key(one.op) not in wanted for one in (said.failed if said is not None else ()))
        if wrong:
            self._say(spot, (), tuple(missing))

    def _lost(self, state: State, spot: Spot) -> bool:
        """Whether a tunnel that stood here does so no more: it ended with its client, and only who looks here knows."""
        vpn = of_pvd(state, spot.key[0])
        if vpn is None or not vpn.inside or (spot.have is not None and spot.have.device):
            return False
        self._session.submit(LinkGone(link=vpn.link))
        return True

    def _ending(self, state: State, spot: Spot, now: Instant) -> tuple[Op, ...]:
        """What is to go: all of it, unless somebody is inside, and then when they have left or have had their time."""
        placement, ended_at = _lingering(state, spot)
        if now < spot.retry_at:
            self._wake(spot, spot.retry_at)
            return ()
        if spot.how == TABLES:
            ops = tuple(self._missing(spot, now))
            if not ops:
                if placement is not None:
                    self._say(spot, ())
                self._drop(spot)
            return ops
        if spot.have is None and placement is None:
            self._drop(spot)
            return ()
        most = state.policy.number("linger_max_s") if spot.kept else 0
        force = most > 0 and placement is not None and now >= ended_at + most * SECOND
        if spot.kept and not force:
            if most:
                self._wake(spot, ended_at + most * SECOND)
            return self._emptied(spot)
        return (NetnsDelete(spot.name, force),)

    def _emptied(self, spot: Spot) -> tuple[Op, ...]:
        """What goes of a place in which somebody is: all that its PvD gave. Who is inside is told so by his own calls
        (ENETUNREACH), and not by packets that nobody answers. Tried once: it ends with the place in any case."""
        if spot.emptied or spot.have is None:
            return ()
        spot.emptied = True
        name, have = spot.name, spot.have
        routes = [RouteDelete(name, have.device, *key) for key in sorted(have.routes, key=str)]
        addresses = [AddressDelete(name, have.device, one) for one in sorted(have.addresses)]
        return (*routes, *addresses, *([ResolverWrite(name)] if have.servers or have.search else []))

    def _due(self, state: State, spot: Spot, ops: list[Op], now: Instant) -> list[Op]:
        """Without what failed and whose time has not come; nothing at all where what carries the rest failed."""
        later = {op_key(one.op): one.retry_at for one in _failing(state, spot.key) if one.retry_at > now}
        if not later:
            return ops
        self._wake(spot, min(later.values()))
        if any(isinstance(op, FOUNDATIONS) and op_key(op) in later for op in ops):
            return [op for op in ops if isinstance(op, NetnsAdd) and op_key(op) not in later]
        return [op for op in ops if op_key(op) not in later]

    def _plan_ahead(self, spot: Spot, now: Instant) -> None:
        """Until when repeats cost nothing, and when to compare although nothing was heard."""
        place, have = spot.place, spot.have
        if place is None or have is None:
            return
        pairs = []
        for address in place.addresses:
            known = have.addresses.get(address.address)
            if known is not None:
                pairs += [(known[0], address.until), (known[1], address.preferred_until)]
        ends = {(to, via, table): end for (to, via, _, table), end in have.routes.items()}
        pairs += [(ends.get((one.destination, one.via, one.table), NEVER), one.until) for one in place.routes]
        finite = [(known, until) for known, until in pairs if NEVER not in (known, until)]
        quiet = (max(known - LAZY_EIGHTHS * (until - now) // 8, now) for known, until in finite)
        spot.quiet_until = min(quiet, default=NEVER)
        # The kernel ends it before we would have: by then it must be written again, or have ended here, too.
        behind = min((known for known, until in finite if until - known > TOLERANCE), default=NEVER)
        if behind != NEVER:
            self._wake(spot, max(now + TOLERANCE, behind - TOLERANCE))

    # What was answered

    def _was_listed(self, answer: Answer) -> None:
        self._asked = False
        if answer.error:
            return  # it ended, and `begin` comes again
        now = self._session.now()
        self._listed = True
        for name, look in answer.looks.items():
            if name == FIRST:
                continue
            spot = self._spots.get(name)
            if spot is None:  # of a PvD that has ended, or of a journal that is no more
                spot = self._add((look.mark, "", 0), "netns", name, look.mark)
            spot.have, spot.known, spot.looked_at = standing(look, now), True, now
        first = answer.looks.get(FIRST)
        self._share_out(standing(first, now) if first is not None else Standing(), now)
        for name, spot in self._spots.items():
            if spot.netns != FIRST and name not in answer.looks:
                spot.have, spot.known = None, True
            self._soil(spot)
        self._work()

    def _share_out(self, first: Standing, now: Instant) -> None:
        """Whose is what is ours in the first namespace: of the instance that derives this number, else of none."""
        state = self._session.state
        numbers = {key[3] for key in first.routes} | {table for _, _, table in first.rules}
        addresses = set(first.addresses)
        self._numbers = {}
        for spot in self._spots.values():
            placement = _placement(state, spot.key)[0]
            if spot.how == TABLES and placement is not None and placement.projection == TABLES:
                self._numbers[int(placement.name)] = spot.name
        for spot in [one for one in self._spots.values() if one.how == TABLES and one.name != LEFT_BEHIND]:
            spot.tables = set()
            self._want(state, spot)
            spot.have, spot.known, spot.looked_at = share(first, spot.tables, spot.addresses), True, now
            numbers -= spot.tables
            addresses -= set(spot.have.addresses)
        left = self._spots.get(LEFT_BEHIND)
        if left is not None or numbers or addresses:
            left = left or self._add(("", "", 0), TABLES, LEFT_BEHIND, "")
            left.tables, left.addresses = numbers, addresses
            left.have, left.known, left.looked_at = share(first, numbers, addresses), True, now
            self._numbers.update(dict.fromkeys(numbers, LEFT_BEHIND))

    def _looked(self, spot: Spot, answer: Answer) -> None:
        spot.busy = IDLE
        if answer.error:
            self._wake(spot, self._session.now() + BACKOFF_FIRST)
            return
        self._see(spot, answer)
        self._soil(spot)
        self._work()

    def _see(self, spot: Spot, answer: Answer) -> None:
        look = answer.looks.get(spot.netns)
        now = self._session.now()
        spot.have = standing(look, now) if look is not None else None
        spot.known, spot.looked_at = True, now
        if spot.have is not None and spot.how == TABLES:
            spot.have = share(spot.have, spot.tables, spot.addresses)
            self._release(spot, spot.have)
        if look is not None:
            self._failed(spot, look.dad_failed)

    def _release(self, spot: Spot, have: Standing) -> None:
        """What neither stands nor is wanted may be another's from now on."""
        kept = {key[3] for key in have.routes} | {table for _, _, table in have.rules}
        kept |= tables_of(spot.place) if spot.place is not None else set()
        for number in spot.tables - kept:
            if self._numbers.get(number) == spot.name:
                del self._numbers[number]
        spot.tables &= kept
        spot.addresses = set(have.addresses)

    def _apply(self, spot: Spot) -> None:
        spot.busy = APPLYING
        tables = tuple(sorted(spot.tables))
        self._places.apply(spot.netns, tables, spot.ops, lambda answer: self._applied(spot, answer))

    def _applied(self, spot: Spot, answer: Answer) -> None:
        spot.busy = IDLE
        pvd, link, epoch = spot.key
        if answer.error:  # whether it was done, a look will tell
            spot.known = False
            self._wake(spot, self._session.now() + BACKOFF_FIRST)
            return
        self._see(spot, answer)
        if answer.users:
            spot.kept = True
            self._soil(spot)
            placement, _ = _lingering(self._session.state, spot)
            if placement is not None and placement.users != answer.users:
                used = PlaceUsed(projection=spot.how, pvd=pvd, link=link, epoch=epoch, users=answer.users)
                self._session.submit(used)
            self._work()
            return
        now = self._session.now()
        failed = not all(placing.done(one) for one in answer.outcomes)
        left = () if failed else tuple(self._missing(spot, now))
        if spot.place is None and (failed or left):
            spot.tries += 1
            spot.retry_at = now + backoff(spot.tries)
        self._say(spot, answer.outcomes, left)
        self._soil(spot)

    def _say(self, spot: Spot, outcomes: tuple[Outcome, ...], left: tuple[Op, ...] = ()) -> None:
        pvd, link, epoch = spot.key
        table = spot.place.table if spot.place is not None else 0
        self._session.submit(
            PlanApplied(projection=spot.how, pvd=pvd, outcomes=outcomes, link=link, epoch=epoch, left=left, table=table)
        )

    def _failed(self, spot: Spot, addresses: tuple[str, ...]) -> None:
        """Detection failed in a place: the next identifier is wanted (RFC 7217 §6), and the address goes."""
        if not spot.key[1]:
            return
        for address in addresses:
            place = placing.wanted(self._session.state, spot.key)
            if place is not None and any(one.address == address for one in place.addresses):
                self._session.submit(DadFailed(link=spot.key[1], address=address))


def _host_side(link: Link | None) -> tuple[object, ...]:
    return (link.ifindex, link.name, link.mtu, link.up, link.attached, link.epoch, link.kind) if link else ()


def _asking(state: State, link: LinkId) -> tuple[object, ...]:
    """What the places of a link depend on beside what was heard there: who asks, who has the place of that, and which
    profiles are in force."""
    made = places.maker(state, link)
    profile = places.managing(state, link)
    phases_ = sorted((one.id, one.phase) for one in state.connections.values() if one.link == link)
    return (profile, phases_, (made.adopter, made.placement is None) if made is not None else ())


def _failing(state: State, key: Key) -> tuple[Failing, ...]:
    placement = _placement(state, key)[0]
    return placement.failed if placement is not None else ()


def _lingering(state: State, spot: Spot) -> tuple[Placement | None, Instant]:
    placement, phase, since = _placement(state, spot.key)
    mine = placement is not None and placement.projection == spot.how
    return (placement, since) if mine and phase == phases.LINGERING else (None, 0)


def _placement(state: State, key: Key) -> tuple[Placement | None, str, Instant]:
    for phase, placement in placing.placements(state, key):
        if placement is not None:
            return placement, phase, placement.ended_at
    return None, "", 0


class _Others:
    """The numbers of tables that are another place's."""

    def __init__(self, numbers: dict[int, str], name: str) -> None:
        self._numbers = numbers
        self._name = name

    def __contains__(self, number: object) -> bool:
        whose = self._numbers.get(number) if isinstance(number, int) else None
        return whose not in (None, self._name, LEFT_BEHIND)
