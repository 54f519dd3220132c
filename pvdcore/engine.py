"""The engine: gives events their number and time, writes them down, folds them.

Law: synchronous, single-threaded, and the only writer of its journal. A record is in the journal before it is in the
State. Live daemon, replay and audit differ in who calls this and with what; not in what it does.
"""

from collections.abc import Callable, Sequence
from typing import Final

from events.codec import SCHEMA, AnyEvent
from events.dhcp import Dhcp4MessageSeen
from events.frames import Frame
from events.ids import SECOND, Instant, PvdId, Seq
from events.record import Provenance, Record
from events.router import RouterAdvertised
from pvdcore import deadlines
from pvdcore.leases import renewals
from pvdcore.leases.renewals import Renewal, Renewals
from pvdcore.past import snapshot
from pvdcore.ports import Journal
from pvdcore.reduce import Fold
from pvdcore.routers import revised
from pvdcore.routers.words import Plan, Slack, Speaker, Words
from pvdcore.state import EMPTY, Change, Host, State

CHECKPOINT_EVERY: Final = 20_000  # repeats, which fold again in some thirtieth of a second
CHECKPOINT_LEAST: Final = 5_000  # records of any kind: a snapshot costs as much as some hundreds
STEP_REPEATS: Final = 20  # what takes as long to fold as a record that is no repeat
DIGEST_EVERY: Final = 500_000  # records: it costs as much as two snapshots, and `verify` needs to know no nearer
SNAPSHOT_SHARE: Final = 20  # the records between two snapshots of a kind take at least so many times the first's octets
CHANGED_MOST: Final = 4  # of a whole snapshot's octets, the part that makes it worth while to keep another whole one
PASSING: Final = 10  # times as far apart are those of a journal that nobody keeps: it is asked once, if at all
RECORD_OCTETS: Final = 75  # what a repeated record takes on disk, at least (adapters/sqlite.py)
FRAME_TIMES: Final = 4  # what a frame and what it says take on disk, at least, in its octets


def _rows(octets: int) -> int:
    """As how many repeated records a frame of so many octets and what it says count on disk."""
    return FRAME_TIMES * octets // RECORD_OCTETS


class Engine:
    """One journal and the State it folds to. `state` is always that of the last record, or of the last `wake`.

    kept: whether somebody keeps the journal. Else no digests are made for him, and few snapshots, which nobody packs.
    """

    def __init__(self, journal: Journal, state: State = EMPTY, *, kept: bool = True) -> None:
        self.journal = journal
        self._fold = Fold(state)
        self.told: list[Callable[[tuple[Change, ...]], object]] = []  # each is called with new lines of history
        self._seq = journal.last_seq()
        # The record behind which the next snapshot is due, if none but repeats come: by work, by size, by both.
        self._kept, self._apart = kept, CHECKPOINT_EVERY if kept else PASSING * CHECKPOINT_EVERY
        self._work_at, self._size_at = self._seq + self._apart, self._seq
        self._packer = snapshot.Packer()
        self._whole_at = self._seq  # the record behind which the next whole one is due
        self._whole, self._changed = 0, 0  # octets of the last of each kind; 0: there was none
        self._least_at = self._seq + CHECKPOINT_LEAST
        self._digest_at = self._seq
        self._renewals = Renewals()
        self._unread = self._unread_rows = 0  # messages that wait to be folded, and as how many rows they count
        # What lapsed behind the last record may stand in the index already, from a `wake` before we were stopped.
        self._known = {line for line in journal.history() if line.seq == self._seq} if self._seq else set()

    @property
    def seq(self) -> Seq:
        """The number of the last record."""
        return self._seq

    @property
    def state(self) -> State:
        """The State now."""
        return self._fold.state

    def stirred(self) -> list[PvdId]:
        """The PvDs, sorted, of which something but lifetimes is other than when this was asked last, or whose
        identifiers are: of a thousand, one has changed, and nobody should have to compare them all. A connection whose
        place has other identifiers is among them, as it is named as an owner."""
        found = sorted(self._fold.draft.stirred)
        self._fold.draft.stirred.clear()
        return found

    def hear(
        self, frame: Frame, events: tuple[AnyEvent, ...], *, source: str, packet: int = 0, at: Instant | None = None
    ) -> None:
        """Record what a frame says. A frame that says nothing leaves nothing.

        at: when it counts as heard, if the caller does not believe `frame.at`; the packet's own time is kept beside.
        """
        at = max(frame.at if at is None else at, self._fold.draft.at)
        for event in events:
            self.journal.hear(at, event, frame, source, packet)
            self._seq += 1
            self._fold.step(self._seq, at, event, frame.at)
            self._written(_rows(len(frame.data)))

    # A router that repeats itself. Whoever has its packets asks `quiet` and `standing`, gathers, and says `again` of
    # many at once. Of one that only moves lifetimes he asks `allows`, and gathers what `recount` gives him; of a DHCP
    # renewal (pvdcore/leases/renewals.py) `ask_again` or `grant_again`. Every other packet is for `hear`, behind what
    # was gathered.

    def quiet(self) -> tuple[Instant, Instant, int]:
        """(first, before, records): repeats of instants from `first` on and before `before` may wait, so many of them.

        In that time nothing ends and no checkpoint is due. It holds until the next call of any other method.
        """
        draft = self._fold.draft
        return draft.at, deadlines.earliest(draft.deadlines), self._due() - self._seq - 1

    @property
    def standing(self) -> dict[Speaker, list[object]]:
        """What stands for the last words of a router, alone in its list, for those whose repetition moves two fields
        only. It is the same object as long as the engine is, and a list as long as something is in it. To look at; who
        does of many frames what `recount` does of one puts it here."""
        return self._fold.draft.steady

    @property
    def plans(self) -> dict[Speaker, Plan]:
        """The plans that stand, as long as `host` is the same; likewise."""
        return self._fold.draft.plans

    @property
    def host(self) -> Host:
        """What is this host's own."""
        return self._fold.draft.host

    def words(self, event: RouterAdvertised) -> Words | None:
        """The words of an RA that `hear` was just given, if they may come `again`."""
        speaker = (event.link, event.router)
        return Words(speaker, self._seq, event, event=event) if self._fold.draft.stands(speaker, event) else None

    def slack(self, event: RouterAdvertised) -> Slack | None:
        """Which lifetimes the router of `event`, its last words, may change without being looked at."""
        return revised.slack(self._fold.draft, (event.link, event.router), event)

    def again(
        self, said: Sequence[Words], likes: Sequence[Seq], ats: Sequence[Instant], packets: Sequence[int]
    ) -> None:
        """Record frames of quiet time: octet for octet those of words that stand, or such as were allowed to wait.

        likes: of each, the record that first carried it. said: the words among them that had nothing that waits
        before; it stands in `Words.waits` when each was said last, and a router's stand in that order.
        """
        if not likes:
            return
        draft = self._fold.draft
        self.journal.again(likes, ats, packets)
        self._seq = draft.seq = self._seq + len(likes)
        draft.at = ats[-1]
        draft.changes = []
        draft.speakers.later(said)
        if self._unread:
            self._renewals.fold(draft)
            self._worked(self._unread, self._unread_rows)
            self._unread = self._unread_rows = 0

    def allows(self, slack: Slack, soonest_s: int, at: Instant, said_at: Instant = 0) -> bool:
        """Whether an RA of quiet time whose lifetimes are `soonest_s` or more may be `recount`-ed. Where its router
        said other words last (`turns`), either nothing may be gathered when this is asked, or it has to be known when
        it said the last of what is: `said_at`."""
        draft, plan = self._fold.draft, slack.plan
        if at + soonest_s * SECOND < plan.leeway.queued or draft.host is not slack.host:
            return False
        present = draft.plans.get(slack.speaker)
        if present is plan:
            return True
        if present is None or present.leeway is not plan.leeway:
            return False
        return revised.in_turn(draft, slack, present, at, said_at)

    def turns(self, slack: Slack) -> bool:
        """Whether a router of an explicit PvD said other words last."""
        draft = self._fold.draft
        return draft.plans.get(slack.speaker) is not slack.plan and revised.explicit(draft, slack.speaker)

    def recount(
        self,
        slack: Slack,
        seq: Seq,
        frame: bytes,
        read: Callable[[bytes], RouterAdvertised],
    ) -> Words:
        """The words of a frame that says what its router said before, but for lifetimes that `allows` allowed; `read`
        makes its RA of it. They stand from now on, and will be record `seq` once what was gathered is said `again`.
        """
        draft, speaker, plan = self._fold.draft, slack.speaker, slack.plan
        draft.stand(speaker, frame)
        draft.plans[speaker] = plan
        return Words(speaker, seq, frame, plan, read=read)

    def renewal(self, question: Dhcp4MessageSeen, answer: Dhcp4MessageSeen) -> Renewal | None:
        """The exchange of a REQUEST and the ACK to it, which `hear` was just given, if it may come again unread."""
        return renewals.renewal(self._fold.draft, question, answer)

    def ask_again(
        self, known: Renewal, xid: int, at: Instant, seq: Seq, octets: int, read: Callable[[], Dhcp4MessageSeen]
    ) -> bool:
        """Whether the question of a renewal may be gathered: it will be record `seq`, of a frame of so many octets.
        `read` gives it."""
        waits = self._renewals.ask(self._fold.draft, known, xid, at, seq, read)
        if waits:
            self.weigh(octets)
        return waits

    def grant_again(self, known: Renewal, xid: int, at: Instant, seq: Seq, octets: int) -> bool:
        """The same of its answer, while its question waits."""
        waits = self._renewals.grant(known, xid, at, seq)
        if waits:
            self.weigh(octets)
        return waits

    def weigh(self, octets: int) -> None:
        """A frame of so many octets that is gathered is written down as an event of its own: it counts until a
        checkpoint is due, for who folds it again has to read it."""
        self._unread += 1
        self._unread_rows += _rows(octets)

    @staticmethod
    def weight(octets: int) -> int:
        """As how many records, until a checkpoint is due, a frame counts that is no repeat (`quiet`)."""
        return max(STEP_REPEATS, 1 + _rows(octets))

    def submit(self, event: AnyEvent, *, source: str, at: Instant) -> None:
        """Record what did not come in a frame: policy, settings, links, outcomes."""
        clamped = max(at, self._fold.draft.at)
        self._write(event, Provenance(source, captured_at=at if at != clamped else None), clamped, None)

    def adopt(self, record: Record, frame: bytes | None = None) -> None:
        """Take over a record of another journal as it is, except for its number."""
        at = max(record.at, self._fold.draft.at)
        self._write(record.event, record.provenance, at, frame, record.v)

    def wake(self, now: Instant) -> None:
        """Let time pass all deadlines up to `now`. Waking more often changes nothing."""
        if now > self._fold.draft.at:
            self._fold.draft.changes = []
            self._fold.advance(now)
            self._index()

    def wake_at(self) -> Instant:
        """When `wake` has something to do; NEVER if nothing has an end."""
        return deadlines.earliest(self._fold.draft.deadlines)

    def _index(self) -> None:
        lines = self._fold.draft.changes
        if lines and self._known:
            lines = [line for line in lines if line not in self._known]
        if lines:
            self.journal.index(lines)
            for tell in self.told:
                tell(tuple(lines))

    def checkpoint(self) -> None:
        """Keep the State, so that the past can be folded from here, and its digest, so that `verify` can compare.

        Only right behind a record: what time did since then is folded again anyway. The next one is due when folding
        from here would take some thirtieth of a second, and not before snapshots are under a tenth of the journal, by
        half each those that are whole, and those that say what changed.
        """
        self._digest_at = self._seq
        self._keep()

    def _due(self) -> Seq:
        """The record behind which the next checkpoint is due."""
        return max(self._work_at, self._size_at, self._least_at)

    def _keep(self) -> None:
        if not self._kept:
            self.journal.save_snapshot(self._seq, self._fold.draft.aside())
        elif not self._whole or (self._changed * CHANGED_MOST > self._whole and self._seq >= self._whole_at):
            kept = self._whole = self.journal.save_snapshot(self._seq, self._packer.whole(self.state))
            self._whole_at = self._seq + SNAPSHOT_SHARE * kept // RECORD_OCTETS
            self._changed = 0
        else:
            kept = self._changed = self.journal.save_snapshot(
                self._seq, self._packer.changed(*self._fold.draft.apart())
            )
        if self._kept and self._seq >= self._digest_at:
            self.journal.save_digest(self._seq, snapshot.digest(self.state))
            self._digest_at = self._seq + DIGEST_EVERY
        self._work_at = self._seq + self._apart
        self._size_at = self._seq + SNAPSHOT_SHARE * self._changed // RECORD_OCTETS
        self._least_at = self._seq + CHECKPOINT_LEAST

    def _write(
        self, event: AnyEvent, provenance: Provenance, at: Instant, frame: bytes | None, v: int = SCHEMA
    ) -> None:
        self.journal.append(Record(self._seq + 1, at, v, provenance, event), frame)
        self._seq += 1
        self._fold.step(self._seq, at, event, provenance.captured_at)
        self._written(0)

    def _written(self, rows: int) -> None:
        """After a record that is no repeat. rows: of repeats, that take on disk what it took beyond its own."""
        if self._fold.draft.changes:
            self._index()
        self._worked(1, rows)
        if self._seq >= self._due():
            self._keep()

    def _worked(self, records: int, rows: int) -> None:
        """So many records were no repeats, and took on disk what so many repeats take."""
        self._work_at -= records * (STEP_REPEATS - 1)
        self._size_at -= rows
        self._whole_at -= rows
