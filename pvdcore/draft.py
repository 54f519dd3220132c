"""The workbench of the fold: a State taken apart, changed step by step, and put together again when somebody asks.

Law: a Draft is never seen outside pvdcore/reduce.py and the slices. A slice reducer changes the world only through
these methods, so that indexes, deadlines and touched instances are kept in one place.

A router that says again what it said, or only moves lifetimes, changes a few fields of its origins. Such refreshes
wait, one a router, the newest counts, and are written into an origin when it is next looked at: nobody can tell the
difference.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Any, Final, NamedTuple

import msgspec
from immutables import Map
from msgspec.structs import replace

from events.dhcp import DhcpOption
from events.ids import NEVER, HostId, Instant, LinkId, PvdId, Seq
from events.operator import Settings
from events.router import RouterAdvertised
from pvdcore import deadlines
from pvdcore.checks import findings
from pvdcore.routers.words import WAITS, Plan, Refresh, Router, Speaker, Words, refreshed, retold
from pvdcore.state import (
    SILENT,
    Cell,
    Connection,
    Finding,
    Grant,
    Held,
    Instance,
    Link,
    Mark,
    Origin,
    Pvd,
    Rejected,
    State,
    Visit,
    until,
)

GrantKey = tuple[LinkId, HostId, str, str]
DELEGATION: Final = "dhcp6-prefix"
LATER_MAX: Final = 8192  # refreshes that wait in the order in which they came: each of a hundred links' eighty routers


def _pvd(origin: Origin) -> PvdId:
    return origin.pvd


def _prefixes(origin: Origin) -> list[str]:
    return [held.key for held in origin.held if held.kind == "prefix"]


class Touch(msgspec.Struct, frozen=True):
    """Why an instance is looked at again at the end of the step."""

    cause: str
    because: Seq


class Speakers(Mapping[Speaker, tuple[Origin, ...]]):
    """What routers say, by (link, router). before: as it was at the beginning of the step.

    Refreshes wait until somebody reads an entry, which writes those of its router: first in the order in which they
    came (`later`), then by router: what it said last, behind the latest of each other plan that it followed meanwhile.
    """

    __slots__ = ("_now", "_said", "_waiting", "before")

    def __init__(self, origins: Map[Speaker, tuple[Origin, ...]]) -> None:
        self._now = self.before = origins
        self._said: list[Words] = []
        self._waiting: dict[Speaker, list[Words]] = {}

    def get(self, key: Speaker, default: Any = ()) -> Any:
        if key in self.waiting():
            self._write(key)
        return self._now.get(key, default)

    def __getitem__(self, key: Speaker) -> tuple[Origin, ...]:
        if key in self.waiting():
            self._write(key)
        return self._now[key]

    def __contains__(self, key: object) -> bool:
        return key in self._now

    def __iter__(self) -> Iterator[Speaker]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)

    @property
    def unwritten(self) -> Map[Speaker, tuple[Origin, ...]]:
        """Everything but what waits."""
        return self._now

    def unrefreshed(self, key: Speaker) -> tuple[Origin, ...]:
        """The same, perhaps without its last refresh: instants and lifetimes are not to be relied on."""
        return self._now.get(key, ())

    def set(self, key: Speaker, origins: tuple[Origin, ...]) -> None:
        """Replace what a router says."""
        self._now = self._now.set(key, origins)

    def delete(self, key: Speaker) -> None:
        """A router says nothing any more."""
        self._now = self._now.delete(key)

    def wait(self, words: Words, router: Router) -> None:
        """The words of this step wait: those of a router's plan."""
        waiting = router.waiting
        if waiting and not self._said and waiting[-1].plan is words.plan:
            waiting[-1] = words
        else:
            self._said.append(words)
            router.waiting = self.waiting()[words.speaker]

    def later(self, said: Sequence[Words]) -> None:
        """Words that wait (`Words.waits`) and did not before; a router's in the order in which they were said last."""
        self._said += said
        if len(self._said) > LATER_MAX:
            self.waiting()

    def waiting(self) -> dict[Speaker, list[Words]]:
        """The refreshes of each router that has some, the last one at the end; nobody but the fold puts in others."""
        said, waiting = self._said, self._waiting
        if said:
            for words in said:
                found = waiting.get(words.speaker)
                if found is None:
                    waiting[words.speaker] = [words]
                elif found[-1].plan is words.plan:
                    found[-1] = words
                else:
                    found[:] = [one for one in found if one.plan is not words.plan]
                    found.append(words)
            said.clear()
        return waiting

    def _write(self, key: Speaker) -> None:
        waiting = self._waiting.pop(key)
        again = self._again(key, waiting)
        waiting.clear()  # for its router (`Router.waiting`)
        unchanged = self.before is self._now  # a refresh belongs to an earlier step
        self._now = self._now.set(key, again)
        self.before = self._now if unchanged else self.before.set(key, again)

    def _again(self, key: Speaker, waiting: list[Words]) -> tuple[Origin, ...]:
        origins = self._now[key]
        for words in waiting:
            origins = _refreshed(origins, words)
        return origins

    def all(self) -> Map[Speaker, tuple[Origin, ...]]:
        """Everything, for a State."""
        waiting = self.waiting()
        if waiting and self.before is not self._now:
            for key in list(waiting):
                self._write(key)
        elif waiting:
            with self._now.mutate() as origins:
                for key, refreshes in waiting.items():
                    origins[key] = self._again(key, refreshes)
                    refreshes.clear()
                self._now = self.before = origins.finish()
            waiting.clear()
        return self._now

    def aside(self) -> Callable[[], Map[Speaker, tuple[Origin, ...]]]:
        """How everything, as it is now, is put together when somebody asks, once: what waits goes on waiting here."""
        now = self._now
        waiting = [replace(words, waits=bytearray(words.waits)) for one in self.waiting().values() for words in one]

        def together() -> Map[Speaker, tuple[Origin, ...]]:
            origins = now.mutate()
            for words in waiting:
                origins[words.speaker] = _refreshed(origins[words.speaker], words)
            return origins.finish()

        return together

    def apart(self) -> tuple[Map[Speaker, tuple[Origin, ...]], dict[Speaker, Refresh]]:
        """Everything but refreshes of routers of one origin that said the very same again; those, which wait on."""
        beside: dict[Speaker, Refresh] = {}
        for key, words in list(self.waiting().items()):
            origins, last = self._now[key], words[-1]
            if len(words) == len(origins) == 1 and (last.plan is None or last.event is origins[0].event):
                beside[key] = last.last
            else:
                self._write(key)
        return self._now, beside


def _refreshed(origins: tuple[Origin, ...], words: Words) -> tuple[Origin, ...]:
    heard_at, seq = words.last
    WAITS.pack_into(words.waits, 0, heard_at, 0)
    if words.plan is not None:
        (origin,) = origins
        return (retold(origin, words.said(), words.plan, heard_at, seq),)
    return refreshed(origins, heard_at, seq)


class Before(NamedTuple):
    """The contributions as they were at the beginning of a step."""

    speakers: Map[Speaker, tuple[Origin, ...]]
    grants: Map[GrantKey, Grant]


class Spoken(dict[PvdId, list[Origin]]):
    """The live RA contributions on a link's attachment, by PvD. What leases ask of them is found once."""

    @cached_property
    def implicit(self) -> tuple[PvdId, ...]:
        """The implicit PvDs of routers, sorted."""
        return tuple(sorted(pvd for pvd in self if pvd.startswith("ra:")))

    @cached_property
    def claimants(self) -> tuple[PvdId, ...]:
        """The explicit PvDs that claim DHCPv4 with L, sorted."""
        claiming = (pvd for pvd, found in self.items() if pvd.startswith("fqdn:") and any(one.legacy for one in found))
        return tuple(sorted(claiming))

    @cached_property
    def _ages(self) -> dict[PvdId, tuple[Seq, PvdId]]:
        return {pvd: (min(one.since for one in found), pvd) for pvd, found in self.items()}

    def age(self, pvd: PvdId) -> tuple[Seq, PvdId]:
        """By what PvDs stand in the order in which the first of their routers was heard, then by id."""
        return self._ages.get(pvd) or (0, pvd)


def _stance(origin: Origin) -> tuple[object, ...]:
    """What of an origin decides whose DHCP data is, beside prefixes; no refresh changes it."""
    return origin.epoch, origin.header, origin.legacy, origin.since


Settled = tuple[Connection, Settings | None, Link | None]
"""A connection, its profile and its link: as long as all three are the same objects, it is as far as it was."""


class Draft:
    """Steps, each at its instant. at: the instant; seq: the record folded (in `advance`: the last one).

    steady: by router, what stands for the words (pvdcore/routers/words.py) whose repetition moves two fields and
    nothing else, as long as it stands here. It stands alone in a list, for whoever does not want to look it up: that of
    a router whose words nothing stands for is empty from then on.
    """

    def __init__(self, state: State) -> None:
        self.at = state.now
        self.seq = state.seq
        self.policy = state.policy
        self.links = state.links
        self.speakers = Speakers(state.speakers)
        self.steady: dict[Speaker, list[object]] = {}
        self.plans: dict[Speaker, Plan] = {}
        self._routers: dict[Speaker, Router] = {}
        # By router, what its origin holds, and the plans by shape (pvdcore/routers/revised.py).
        self.shapes: dict[Speaker, tuple[tuple[object, ...], dict[tuple[object, ...], Plan]]] = {}
        # What the last ACK to a host gave, as (yiaddr, options, held): its renewals say the same.
        self.answers: dict[tuple[LinkId, HostId], tuple[str, tuple[DhcpOption, ...], tuple[Held, ...]]] = {}
        # The marks of each visit, and the DHCPv4 servers among them, to look up.
        self.marked: dict[tuple[LinkId, int], tuple[Visit, frozenset[Mark], frozenset[str]]] = {}
        self._announcing: dict[LinkId, dict[str, set[str]]] = {}
        self._delegations: list[GrantKey] | None = None
        self._stances: dict[LinkId, Spoken] = {}
        self.grants = state.grants
        self.pvds = state.pvds
        self.inquiries = state.inquiries
        self.networks = state.networks
        self.settings = state.settings
        self.connections = state.connections
        self.intent = state.intent
        self.vpns = state.vpns
        self.visits = state.visits
        self.findings = state.findings
        self.rejected = state.rejected
        self.deadlines = state.deadlines
        self.boot = state.boot
        self.believed = state.believed
        self.host = state.host
        self.properties = state.properties
        self.changes = list(state.changes)
        self.touched: dict[tuple[PvdId, Cell], Touch] = {}
        self.speaking: dict[tuple[PvdId, Cell], set[str]] = {}  # who spoke of an instance in this step
        self.regroup: dict[LinkId, Touch] = {}  # owners of all grants of a link are to be decided anew
        self.match: dict[LinkId, Touch] = {}  # only of those that a prefix decides
        self.ownerless: dict[GrantKey, Touch] = {}  # grants that are new
        self.settled: dict[str, Settled] = {}  # connections as they were when they were last looked at
        self.stirred: set[PvdId] = set()  # PvDs that are others than when somebody last asked (`Engine.stirred`)
        self._grants_before = self.grants

    def begin(self, at: Instant, seq: Seq) -> None:
        """A new step."""
        self.at = at
        self.seq = seq
        self.speakers.before = self.speakers._now
        self._grants_before = self.grants

    @property
    def before(self) -> Before:
        """What was contributed when the step began."""
        return Before(self.speakers.before, self._grants_before)

    def state(self) -> State:
        """The State after the last step."""
        return self._state(self.speakers.all())

    def aside(self) -> Callable[[], State]:
        """The same, put together when somebody asks: to read what waits of every router takes as long as hundreds of
        records, and of what is set aside most is never asked for."""
        state, speakers = self._state(self.speakers.unwritten), self.speakers.aside()
        return cache(lambda: replace(state, speakers=speakers()))

    def apart(self) -> tuple[State, dict[Speaker, Refresh]]:
        """The same, but that it does not know of some refreshes, which stand beside it (`Speakers.apart`)."""
        speakers, refreshed = self.speakers.apart()
        return self._state(speakers), refreshed

    def _state(self, speakers: Map[Speaker, tuple[Origin, ...]]) -> State:
        return State(
            seq=self.seq,
            now=self.at,
            policy=self.policy,
            links=self.links,
            speakers=speakers,
            grants=self.grants,
            pvds=self.pvds,
            inquiries=self.inquiries,
            networks=self.networks,
            settings=self.settings,
            connections=self.connections,
            intent=self.intent,
            vpns=self.vpns,
            visits=self.visits,
            findings=self.findings,
            rejected=self.rejected,
            boot=self.boot,
            believed=self.believed,
            host=self.host,
            properties=self.properties,
            deadlines=self.deadlines,
            changes=tuple(self.changes),
        )

    # Links

    def link(self, id: LinkId) -> Link:
        """A link; one that no LinkSeen announced is made at first sight, and goes by its id."""
        link = self.links.get(id)
        if link is None:
            link = Link(id=id, identity="", kind="unknown", name=id, first_seen=self.at, because=self.seq)
            self.links = self.links.set(id, link)
        return link

    def put_link(self, link: Link) -> None:
        """Replace a link."""
        known = self.links.get(link.id)
        if known is not None and known.contested != link.contested:
            self.stir_all()
        self.links = self.links.set(link.id, link)

    # Contributions

    def stir(self, key: Speaker) -> None:
        """What a router says, or what stands beside it, changed: its next words are looked at closely."""
        if (standing := self.steady.pop(key, None)) is not None:
            standing.clear()
        self.unplan(key)

    def unplan(self, key: Speaker) -> None:
        """A router's next words are looked at closely, unless it repeats itself."""
        self.plans.pop(key, None)
        self._routers.pop(key, None)

    def unplan_all(self) -> None:
        """So are those of all routers."""
        self.plans.clear()
        self._routers.clear()

    def stir_all(self) -> None:
        """So are those of all routers."""
        for standing in self.steady.values():
            standing.clear()
        self.steady.clear()
        self.unplan_all()

    def stand(self, key: Speaker, words: object) -> None:
        """This stands for a router's last words."""
        self.steady.setdefault(key, [None])[0] = words

    def router(self, key: Speaker) -> Router | None:
        """What is known of a router that has a plan."""
        router = self._routers.get(key)
        if router is not None and router.standing and router.standing[0] is router.said:
            return router
        plan = self.plans.get(key)
        if plan is None:
            return None
        standing = self.steady.get(key, [])
        last = standing[0] if standing else None
        if not isinstance(last, RouterAdvertised):  # octets, or words that were not said again yet
            (origin,) = self.speakers.get(key)
            last = origin.event
        router = self._routers[key] = Router(key, plan, plan.free, last, standing, [])
        return router

    def say(self, router: Router, event: RouterAdvertised) -> None:
        """A router says what its plan takes: that stands."""
        if router.standing:
            router.standing[0] = event
        else:
            router.standing = self.steady[router.speaker] = [event]
        router.said = event

    def stands(self, key: Speaker, words: object) -> bool:
        """Whether it is this that does."""
        return (standing := self.steady.get(key)) is not None and standing[0] is words

    def speakers_of(self, pvd: PvdId, cell: Cell) -> list[str]:
        """The routers that speak of an instance, this step included, sorted; some may have ceased in this step."""
        known = self.instance(pvd, cell)
        return sorted({*(known.origins if known is not None else ()), *self.speaking.get((pvd, cell), ())})

    def stances(self, name: LinkId) -> Spoken:
        """What routers say on a link's attachment, but for prefixes, and for when and how long it was said."""
        found = self._stances.get(name)
        if found is None:
            found = self._stances[name] = Spoken()
            for speaker in self.link(name).speakers:
                for origin in self.speakers.unrefreshed((name, speaker)):
                    found.setdefault(origin.pvd, []).append(origin)
        return found

    def announcing(self, name: LinkId) -> dict[str, set[str]]:
        """The routers that announce each prefix of a link."""
        found = self._announcing.get(name)
        if found is None:
            found = self._announcing[name] = {}
            for speaker in self.link(name).speakers:
                for origin in self.speakers.get((name, speaker)):
                    for prefix in _prefixes(origin):
                        found.setdefault(prefix, set()).add(speaker)
        return found

    def delegations(self) -> list[GrantKey]:
        """The grants of prefixes, sorted: few among many leases."""
        if self._delegations is None:
            self._delegations = sorted(key for key in self.grants if key[2] == DELEGATION)
        return self._delegations

    def _announce(self, link: LinkId, speaker: str, origins: tuple[Origin, ...]) -> None:
        """Keep `announcing` true: a router says this from now on."""
        found = self._announcing.get(link)
        if found is None:
            return
        before = {prefix for origin in self.speakers.get((link, speaker)) for prefix in _prefixes(origin)}
        after = {prefix for origin in origins for prefix in _prefixes(origin)}
        for prefix in before - after:
            found[prefix].discard(speaker)
            if not found[prefix]:
                del found[prefix]
        for prefix in after - before:
            others = found.setdefault(prefix, set())
            for other in others:
                self.unplan((link, other))  # how the lifetimes of one prefix compare is looked at (remarks.py)
            others.add(speaker)

    def put_origin(self, origin: Origin, cause: str, *, news: bool = True) -> None:
        """Add or replace what one router says of one PvD. news: whether that may be a new version."""
        origin = self._queue_origin(origin)
        key = (origin.link, origin.speaker)
        before = self.speakers.get(key)
        others = tuple(one for one in before if one.pvd != origin.pvd)
        if not any(one.pvd == origin.pvd and _stance(one) == _stance(origin) for one in before):
            self._stances.pop(origin.link, None)
        if key not in self.speakers:
            link = self.link(origin.link)
            self.put_link(replace(link, speakers=tuple(sorted((*link.speakers, origin.speaker)))))
        said = tuple(sorted((*others, origin), key=_pvd))
        self._announce(*key, said)
        self.speakers.set(key, said)
        self.stir(key)
        cell = (origin.link, origin.epoch, "")
        self.speaking.setdefault((origin.pvd, cell), set()).add(origin.speaker)
        known = self.instance(origin.pvd, cell)
        # Where several routers speak of one PvD, a repeat may change whose word is the newest.
        for speaker in known.origins if known is not None else ():
            self.stir((origin.link, speaker))
        if news or known is None or len(known.origins) > 1:
            self.touch(origin.pvd, cell, cause, origin.because)

    def hush_origin(self, origin: Origin) -> None:
        """Have the words of an origin looked at when they are said again; nothing of them has changed."""
        key = (origin.link, origin.speaker)
        self.stir(key)
        silent = replace(origin, event=SILENT)
        self.speakers.set(key, tuple(silent if one.pvd == origin.pvd else one for one in self.speakers[key]))

    def requeue_origin(self, origin: Origin) -> None:
        """Ask again when the next of its items ends; nothing of what it says has changed."""
        key = (origin.link, origin.speaker)
        queued = self._queue_origin(origin)
        if (plan := self.plans.get(key)) is not None:
            plan.leeway.queued = queued.queued
        self.speakers.set(key, tuple(queued if one.pvd == origin.pvd else one for one in self.speakers[key]))

    def drop_origin(self, origin: Origin, cause: str, because: Seq) -> None:
        """End what one router says of one PvD."""
        key = (origin.link, origin.speaker)
        self._stances.pop(origin.link, None)
        left = tuple(one for one in self.speakers[key] if one.pvd != origin.pvd)
        self._announce(*key, left)
        self.stir(key)
        if left:
            self.speakers.set(key, left)
        else:
            self.speakers.delete(key)
            self.shapes.pop(key, None)
            link = self.link(origin.link)
            self.put_link(replace(link, speakers=tuple(one for one in link.speakers if one != origin.speaker)))
        self.touch(origin.pvd, (origin.link, origin.epoch, ""), cause, because)

    def put_grant(self, grant: Grant, cause: str) -> None:
        """Add or replace a DHCP contribution; whose it is, is decided at the end of the step."""
        ends = min((until(grant, held) for held in grant.held), default=NEVER)
        key = (grant.link, grant.host, grant.rule, grant.subject)
        if ends < grant.queued:
            self.deadlines = deadlines.push(self.deadlines, ends, ("grant", *key))
            grant = replace(grant, queued=ends)
        known = self.grants.get(key)
        if known is None:
            link = self.link(grant.link)
            self.put_link(replace(link, grants=tuple(sorted((*link.grants, key[1:])))))
            if grant.rule == DELEGATION:
                self._delegations = None
                self.unplan_all()  # how lifetimes of what it contains compare is looked at (remarks.py)
        self.grants = self.grants.set(key, grant)
        touch = Touch(cause, grant.because)
        if known is None or known.server != grant.server:
            self.ownerless[key] = touch
        elif known.held is grant.held or [(one.kind, one.key, one.value) for one in known.held] == [
            (one.kind, one.key, one.value) for one in grant.held
        ]:
            return  # a renewal that changes nothing but until when
        self.touch_all(grant.owners, (grant.link, grant.epoch, grant.host), touch)

    def drop_grant(self, grant: Grant, cause: str, because: Seq) -> None:
        """End a DHCP contribution."""
        key = (grant.link, grant.host, grant.rule, grant.subject)
        if key not in self.grants:
            return
        self.grants = self.grants.delete(key)
        if grant.rule == DELEGATION:
            self._delegations = None
        self.answers.pop(key[:2], None)
        link = self.link(grant.link)
        self.put_link(replace(link, grants=tuple(one for one in link.grants if one != key[1:])))
        self.touch_all(grant.owners, (grant.link, grant.epoch, grant.host), Touch(cause, because))

    def touch(self, pvd: PvdId, cell: Cell, cause: str, because: Seq) -> None:
        """An instance may have changed."""
        self.touched.setdefault((pvd, cell), Touch(cause, because))

    def blame(self, pvd: PvdId, cell: Cell, because: Seq) -> None:
        """If an instance may have changed, it is because of this record."""
        known = self.touched.get((pvd, cell))
        if known is not None:
            self.touched[pvd, cell] = Touch(known.cause, because)

    def touch_all(self, pvds: Iterable[PvdId], cell: Cell, why: Touch) -> None:
        """The instances of several PvDs in one cell may have changed."""
        touched = self.touched
        for pvd in pvds:
            touched.setdefault((pvd, cell), why)

    def _queue_origin(self, origin: Origin) -> Origin:
        ends = min((until(origin, held) for held in origin.held), default=NEVER)
        if ends >= origin.queued:
            return origin
        key = ("origin", origin.link, origin.speaker, origin.pvd)
        self.deadlines = deadlines.push(self.deadlines, ends, key)
        return replace(origin, queued=ends)

    def grants_of(self, name: LinkId, host: HostId) -> tuple[tuple[HostId, str, str], ...]:
        """The keys of one host's grants on a link."""
        keys = self.link(name).grants
        first = last = bisect_left(keys, (host, "", ""))
        while last < len(keys) and keys[last][0] == host:
            last += 1
        return keys[first:last]

    # PvDs

    def put_pvd(self, pvd: Pvd) -> None:
        """Replace a PvD."""
        self.pvds = self.pvds.set(pvd.id, pvd)
        self.stirred.add(pvd.id)

    def list_pvd(self, pvd: Pvd, name: LinkId) -> None:
        """Keep a link's list of the PvDs that have an instance on it."""
        link = self.link(name)
        here = any(cell[0] == name for cell in pvd.cells)
        at = bisect_left(link.pvds, pvd.id)
        if here != (link.pvds[at : at + 1] == (pvd.id,)):
            others = link.pvds[:at], link.pvds[at if here else at + 1 :]
            self.put_link(replace(link, pvds=(*others[0], *((pvd.id,) if here else ()), *others[1])))

    def instance(self, pvd: PvdId, cell: Cell) -> Instance | None:
        """An instance, if it lives."""
        found = self.pvds.get(pvd)
        return found.cells.get(cell) if found else None

    # Remarks

    def find(self, code: str, *, link: LinkId, pvd: PvdId | None = None, about: str = "", **said: object) -> None:
        """Note a finding of the catalogue, with the fields of its sentence; the same one again only counts.

        about: what it is of where that is no PvD: a profile, or a file."""
        self._note(code, link, pvd, about, 0, said)

    def find_here(self, code: str, *, link: Link, pvd: PvdId | None = None, **said: object) -> None:
        """Note what is a finding of this attachment alone (what a bound refused): the next one is told anew."""
        self._note(code, link.id, pvd, "", link.epoch, said)

    def _note(
        self, code: str, link: LinkId, pvd: PvdId | None, about: str, epoch: int, said: Mapping[str, object]
    ) -> None:
        key = (code, link, pvd or about)
        known = self.findings.get(key)
        if known is None or known.epoch != epoch:
            text = findings.sentence(code, link=link, pvd=pvd, **said)
            self.findings = self.findings.set(key, Finding(code, text, pvd, link, self.seq, epoch=epoch))
        elif known.because != self.seq:
            self.findings = self.findings.set(key, replace(known, count=known.count + 1))

    def reject(self, rule: str, count: int = 1) -> None:
        """Count packets that broke a rule."""
        known = self.rejected.get(rule)
        first = known.first if known else self.seq
        self.rejected = self.rejected.set(rule, Rejected(rule, (known.count if known else 0) + count, first))
