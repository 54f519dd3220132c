"""Where an answer comes from: captures that are folded now, or a journal that was kept; and as of when.

Law: nothing here needs the daemon or writes to a journal that another wrote, and every way of naming the past ends in a
journal and one bound on it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from msgspec.structs import replace

from adapters.sqlite import JournalError, SqliteJournal
from events.ids import Instant, PvdId, Seq
from pvdcore.past import audit
from pvdcore.policy import PolicyError, Value, check
from pvdcore.ports import Journal
from pvdcore.reduce import advance
from pvdcore.state import Change, State
from replay.endings import FAILED, NOT_FOUND, NOT_PERMITTED, USAGE, Stop
from replay.shown.tables import escape
from replay.shown.times import SeqPoint, TimeError, parse

if TYPE_CHECKING:  # what reads captures is imported where one is read: it takes as long as a question to a journal
    from replay.rerun import CaptureFacts, Run

DEFAULT_JOURNAL: Final = "/var/lib/pvd/journal.db"
CANDIDATES_MAX: Final = 8
"""PvDs named in the message about an ambiguous prefix: it stays one line."""


class Source:
    """A journal to answer from, and the instant to answer for. Use it in a `with`.

    captures: what was read now, () for a journal. now: what relative times count from. at, seq: the bound that was
    asked for; `None`: none.
    """

    def __init__(self, journal: Journal, now: Instant, run: Run | None = None) -> None:
        self.journal = journal
        self.captures: tuple[CaptureFacts, ...] = tuple(run.captures) if run else ()
        self.now = now
        self.at: Instant | None = None
        self.seq: Seq | None = None
        self._run = run
        self._state: State | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.journal.close()

    def bound(self, text: str | None, utc: bool) -> None:
        """Answer as of `text`."""
        if text is None:
            return
        point = when(text, self.now, utc)
        if isinstance(point, SeqPoint):
            last = self.journal.last_seq()
            if point > last:
                raise Stop(NOT_FOUND, f"there is no record {int(point)}; the last is {last}: say --at seq:{last}")
            self.seq = int(point)
        else:
            self.at = point

    @property
    def state(self) -> State:
        """The State asked for."""
        if self._state is None:
            self._state = self.state_at(self.at, self.seq)
        return self._state

    def state_at(self, at: Instant | None, seq: Seq | None) -> State:
        """The State as of an instant, or a record; without both, that of the end."""
        if at is None and seq is None:
            if self._run is not None:
                return self._run.state
            at = self.now
        return audit.state_at(self.journal, at=at, seq=seq)

    def point(self, text: str, utc: bool) -> State:
        """The State as of a time as people write it."""
        found = when(text, self.now, utc)
        return self.state_at(None, int(found)) if isinstance(found, SeqPoint) else self.state_at(found, None)

    def changes(self, pvd: PvdId | None = None) -> Iterator[Change]:
        """History up to the instant asked for, in time order: what the journal has, and what has lapsed since."""
        seen = set()
        for change in audit.chronicle(self.journal, pvd):
            if (self.at is None or change.at <= self.at) and (self.seq is None or change.seq <= self.seq):
                seen.add(audit.change_key(change))
                yield change
        horizon = self.at if self.at is not None else None if self._run is not None else self.now
        last = self.journal.last_seq()
        if self.seq is not None or horizon is None or not last:
            return
        end = audit.state_at(self.journal, seq=last)
        if end.now >= horizon:
            return
        for change in advance(replace(end, changes=()), horizon).changes:
            if (pvd is None or change.pvd == pvd) and audit.change_key(change) not in seen:
                yield change

    def packet(self, seq: Seq) -> int:
        """The number of a record's packet in its capture; 0 for none."""
        record = self.journal.record(seq)
        return record.provenance.packet if record else 0


def when(text: str, now: Instant, utc: bool) -> Instant | SeqPoint:
    """A time as people write it. Raises Stop."""
    try:
        return parse(text, now, utc)
    except TimeError as error:
        raise Stop(USAGE, str(error)) from None


def span(args: argparse.Namespace, source: Source) -> Callable[[Instant, Seq], bool]:
    """What -S and -U let through: a function of an instant and a record's number."""
    since = when(args.since, source.now, args.utc) if args.since is not None else None
    until = when(args.until, source.now, args.utc) if args.until is not None else None

    def within(at: Instant, seq: Seq) -> bool:
        if since is not None and (seq if isinstance(since, SeqPoint) else at) < since:
            return False
        return until is None or (seq if isinstance(until, SeqPoint) else at) <= until

    return within


# Opening


def open_source(args: argparse.Namespace) -> Source:
    """The source that a command's options name, bounded by its --at. Raises Stop."""
    if args.read and args.journal:
        raise Stop(USAGE, "-r and --journal are two sources; give one of them")
    if not args.read and (args.policy or args.set):
        raise Stop(USAGE, "a journal keeps the policy it was folded with; --policy and --set go with -r FILE")
    source = from_captures(args) if args.read else from_journal(args.journal)
    source.bound(getattr(args, "at", None), args.utc)
    return source


def from_journal(path: str | None) -> Source:
    """A journal, for reading. Without a path: the running system's."""
    given = path or os.environ.get("PVD_JOURNAL")
    name = given or DEFAULT_JOURNAL
    if given is None and not os.path.exists(name):
        if _forbidden(name):
            raise Stop(NOT_PERMITTED, f"{name} may not be read; join the group pvd, or name a capture with -r FILE")
        raise Stop(
            FAILED, f"there is no journal at {name}; name a capture with -r FILE or a journal with --journal FILE"
        )
    try:
        journal = SqliteJournal(name, readonly=True)
    except JournalError as error:
        raise refused(error) from None
    last = journal.record(journal.last_seq()) if journal.last_seq() else None
    # A journal folded from a capture may be dated ahead of this host's clock: its end is never in the future.
    return Source(journal, max(time.time_ns(), last.at if last else 0))


def from_captures(args: argparse.Namespace, journal: Journal | None = None) -> Source:
    """Captures, folded now. journal: where the records are kept; `None`: in memory."""
    run = fold(args, args.read, journal)
    return Source(run.journal, run.state.now, run)


def fold(args: argparse.Namespace, specs: list[str], journal: Journal | None = None) -> Run:
    """Fold captures. Raises Stop."""
    from replay.files.octets import CaptureError
    from replay.rerun import rerun

    policy = knobs(args)
    wanted = getattr(args, "progress", None)
    bar = Progress() if wanted or (wanted is None and sys.stderr.isatty()) else None
    try:
        return rerun(specs, policy=policy, journal=journal, progress=bar)
    except CaptureError as error:
        code = NOT_PERMITTED if isinstance(error.__cause__, PermissionError) else FAILED
        raise Stop(code, str(error)) from None
    finally:
        if bar:
            bar.clear()


def refused(error: JournalError) -> Stop:
    """What a journal that cannot be used means for the command."""
    return Stop(NOT_PERMITTED if "not permitted" in str(error) else FAILED, str(error))


def _forbidden(path: str) -> bool:
    try:
        os.stat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def knobs(args: argparse.Namespace) -> dict[str, Value]:
    """The policy of --policy and --set, the latter winning."""
    found: dict[str, Value] = {}
    try:
        if args.policy:
            with open(args.policy, "rb") as file:
                table = tomllib.load(file)
            inner = table.get("policy")
            for name, value in (inner if isinstance(inner, dict) and len(table) == 1 else table).items():
                found[name] = check(name, value)
        for setting in args.set:
            name, equals, value = setting.partition("=")
            if not equals:
                raise Stop(USAGE, f"--set {setting} has no value; write --set {name or 'KEY'}=VALUE")
            found[name] = check(name, value)
    except PolicyError as error:
        raise Stop(USAGE, str(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Stop(USAGE, f"{args.policy} is no TOML ({error}); write lines such as: aware = false") from None
    except OSError as error:
        code = NOT_PERMITTED if isinstance(error, PermissionError) else FAILED
        raise Stop(code, f"{args.policy}: {error.strerror}; name a readable TOML file with --policy") from None
    return found


class Progress:
    """One line on standard error that shows how far reading is."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        percent = done * 100 // total if total > 0 else done >> 20
        if percent != self._shown:
            self._shown = percent
            unit = "%" if total > 0 else " MiB"
            print(f"\rreading {percent}{unit}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the line."""
        if self._shown >= 0:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def damage(captures: tuple[CaptureFacts, ...]) -> bool:
    """Say what of the captures could not be read, a line each; True if one is damaged."""
    if not captures:
        return False
    from replay.files.captures import linktype_name

    for one in captures:
        for linktype, count in sorted(one.unreadable_linktypes.items()):
            kind = linktype_name(linktype)
            text = f"{one.file}: {count} packets of link type {kind} were not read; capture on a network interface"
            print(f"pvdctl: {escape(text)}", file=sys.stderr)
        if one.damaged is not None:
            text = f"{one.file} is damaged: {one.damaged}; the answer covers what stands before, capture again for more"
            print(f"pvdctl: {escape(text)}", file=sys.stderr)
    return any(one.damaged is not None for one in captures)


def _spelled(id: PvdId, word: str) -> tuple[str, ...]:
    """The spellings of a name that are one for an id: an FQDN has no case and needs no final dot (RFC 8801 §3.4)."""
    one = word.lower() if id.startswith("fqdn:") else word
    return (one, one + ".")


def resolve(state: State, word: str, *, exact: bool = False) -> PvdId:
    """The PvD a word names: an id, a bare name, or a unique prefix of either. exact: an id only. Raises Stop."""
    for one in (word, *(_spelled("fqdn:", word) if word.lower().startswith("fqdn:") else ())):
        if one in state.pvds:
            return one
    if exact:
        raise Stop(NOT_FOUND, f"no PvD has the id {word!r}; `pvdctl list --all` shows which there are")
    named = sorted(id for id, pvd in state.pvds.items() if pvd.name in _spelled(id, word))
    found = named or sorted(
        id
        for id, pvd in state.pvds.items()
        if word and any(id.startswith(one) or pvd.name.startswith(one) for one in _spelled(id, word))
    )
    if len(found) == 1:
        return found[0]
    if found:
        more = f" and {len(found) - CANDIDATES_MAX} more" if len(found) > CANDIDATES_MAX else ""
        raise Stop(USAGE, f"{word!r} may be {', '.join(found[:CANDIDATES_MAX])}{more}; write more of it")
    raise Stop(NOT_FOUND, f"no PvD is called {word!r}; `pvdctl list --all` shows which there are")
