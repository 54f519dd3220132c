"""What each command of pvdctl does: a source in, a document out, as JSON or in words.

Law: one function a command, and none of them decides what a PvD is.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stderr, suppress
from io import StringIO
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

import replay.shown.report as report
import replay.shown.text as text
from adapters.sqlite import JournalError, SqliteJournal
from events.codec import encode, kind
from events.frames import Frame
from events.ids import Instant, LinkId, PvdId, Seq
from events.record import Record
from events.router import MifContainer, PvdOption, RouterAdvertised
from pvdcore.domains.properties import Property, matches, properties
from pvdcore.host.addresses import UnknownIid
from pvdcore.past import audit
from pvdcore.projections import places, placing
from pvdcore.projections.desired import desired
from pvdcore.projections.plan import Have
from pvdcore.projections.plan import plan as make_plan
from pvdcore.projections.tables import projected
from pvdcore.state import Change, Pvd, State
from replay.endings import DAMAGED, DIFFERS, DONE, FAILED, NOT_FOUND, NOT_PERMITTED, NOT_RUNNING, USAGE, Stop
from replay.follow import Follower
from replay.shown.report import SCHEMA_VERSION
from replay.shown.tables import Printer
from replay.shown.times import rfc3339
from replay.sources import DEFAULT_JOURNAL, Source, damage, fold, from_journal, open_source, refused, resolve, span

if TYPE_CHECKING:  # what reads captures is imported where one is read or written: it takes as long as a question
    from replay.files.pcapng import PcapngWriter

SQLITE_MAGIC: Final = b"SQLite format 3\0"


def run(args: argparse.Namespace) -> int:
    """Run a command: its exit code. Raises Stop."""
    if not getattr(args, "follow", False):
        gc.disable()  # what a State is made of has no cycles, and this process ends when it has answered
    try:
        return COMMANDS[args.command](args)
    except JournalError as error:
        raise refused(error) from None
    except PermissionError as error:
        raise Stop(NOT_PERMITTED, f"{error.filename}: not permitted; run as a user who may") from None
    except OSError as error:
        if error.filename is None:
            raise  # standard output: the caller knows what to do
        raise Stop(FAILED, f"{error.filename}: {error.strerror}; name another file, or make room") from None


def _coloured(args: argparse.Namespace) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    return bool(args.color == "always" or (args.color == "auto" and not plain))


def _printer(args: argparse.Namespace) -> Printer:
    return Printer(sys.stdout.write, colour=_coloured(args), legend=not args.no_legend)


def _say(args: argparse.Namespace, document: object, rows: Sequence[object], words: Callable[[Printer], None]) -> None:
    """Print a document whole (--json), its rows (--jsonl), or in words."""
    if args.json:
        print(report.to_json(document))
    elif args.jsonl:
        for row in rows:
            print(report.to_json(row, pretty=False))
    else:
        words(_printer(args))


def _end(source: Source, code: int = DONE) -> int:
    """The exit code, after a line for each capture that was damaged."""
    damaged = damage(source.captures)
    return DAMAGED if damaged and code == DONE else code


# The state


def replay(args: argparse.Namespace) -> int:
    if args.dissect:
        from replay.shown.dissect import dissect

        return dissect(args)
    if args.separate:
        return _replay_separately(args)
    if args.jobs is not None:
        raise Stop(USAGE, "--jobs spreads files that are folded each on its own; add --separate, or leave it out")
    journal = None
    if args.journal:
        journal = SqliteJournal(args.journal)
        if last := journal.last_seq():
            journal.close()
            raise Stop(
                FAILED, f"{args.journal} holds {last} records already; give --journal a file that is not there yet"
            )
    ran = fold(args, args.read, journal)
    with Source(ran.journal, ran.state.now, ran) as source:
        source.bound(args.at, args.utc)
        document = _replayed(args, source)
        _say(args, document, document.state.pvds, lambda out: _replay_words(args, out, source, document))
        return _end(source)


def _replayed(args: argparse.Namespace, source: Source) -> report.ReplayDocument:
    captures = [
        report.CaptureRow(
            report.spelled(one.file),
            one.packets,
            one.frames,
            one.rejected,
            report.time(one.first),
            report.time(one.last),
            one.damaged,
        )
        for one in source.captures
    ]
    state = report.state_document(source.state, host=_host(args, source))
    return report.ReplayDocument(SCHEMA_VERSION, captures, state)


def _replay_words(args: argparse.Namespace, out: Printer, source: Source, document: report.ReplayDocument) -> None:
    changes = [report.change_row(one) for one in source.changes() if args.host in (None, one.host)]
    text.replay(out, document, changes, source.packet, args.utc)


def _replay_separately(args: argparse.Namespace) -> int:
    if args.journal:
        raise Stop(USAGE, "--separate folds each file on its own, and a journal holds one fold; leave out --journal")
    jobs = min(args.jobs or 1, len(args.read))
    if jobs == 1:
        return _print_separately(args, (_apart(args, spec) for spec in args.read))
    import multiprocessing
    import signal
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    from replay.files.captures import named

    args.progress = False  # several lines at once would be none
    colour = _coloured(args)
    # Forked, a worker still has the descriptors of <(…); what is no plain file is read here, a worker has no standard
    # input, and whoever writes to a pipe expects one reader.
    with ProcessPoolExecutor(
        jobs, multiprocessing.get_context("fork"), signal.signal, (signal.SIGINT, signal.SIG_DFL)
    ) as pool:
        try:
            made = [
                pool.submit(_apart_elsewhere, args, spec, colour) if os.path.isfile(named(spec)[1]) else None
                for spec in args.read
            ]
            apart = (
                _apart(args, spec) if one is None else one.result() for spec, one in zip(args.read, made, strict=True)
            )
            return _print_separately(args, apart)
        except BrokenProcessPool:
            raise Stop(FAILED, "a process that folded a file was killed; see `dmesg`, and give fewer --jobs") from None
        finally:
            pool.shutdown(cancel_futures=True)


class _Apart(msgspec.Struct, frozen=True):
    """One file, folded on its own: its document (--json), or what is printed of it; and what is to be said of it.

    stop: the exit code and the line that end the command here, `None` if it goes on.
    """

    document: report.ReplayDocument | None = None
    printed: str = ""
    complaints: str = ""
    damaged: bool = False
    stop: tuple[int, str] | None = None


def _apart(args: argparse.Namespace, spec: str, colour: bool | None = None) -> _Apart:
    """Fold a file. colour: whether to use it, if this process cannot know. Raises Stop."""
    ran = fold(args, [spec])
    with Source(ran.journal, ran.state.now, ran) as source:
        source.bound(args.at, args.utc)
        document = _replayed(args, source)
        said, printed = StringIO(), StringIO()
        with redirect_stderr(said):
            damaged = damage(source.captures)
        if args.json:
            return _Apart(document, complaints=said.getvalue(), damaged=damaged)
        if args.jsonl:
            printed.write(report.to_json(document, pretty=False) + "\n")
        else:
            painted = _coloured(args) if colour is None else colour
            _replay_words(args, Printer(printed.write, colour=painted, legend=not args.no_legend), source, document)
        return _Apart(None, printed.getvalue(), said.getvalue(), damaged)


def _apart_elsewhere(args: argparse.Namespace, spec: str, colour: bool) -> _Apart:
    """The same in another process, from which a Stop would not come back whole."""
    try:
        return _apart(args, spec, colour)
    except Stop as stop:
        return _Apart(stop=(stop.code, str(stop)))


def _print_separately(args: argparse.Namespace, folded: Iterable[_Apart]) -> int:
    """Print each in argument order, as it comes: the same octets, however many processes fold."""
    code = DONE
    documents = []
    for number, one in enumerate(folded):
        if one.stop is not None:
            raise Stop(*one.stop)
        if one.document is not None:
            documents.append(one.document)
        else:
            print("\n" * bool(number and not args.jsonl), one.printed, sep="", end="")
        print(one.complaints, end="", file=sys.stderr)
        if one.damaged:
            code = DAMAGED
    if args.json:
        print(report.to_json(report.SeparateDocument(SCHEMA_VERSION, documents)))
    return code


def _host(args: argparse.Namespace, source: Source) -> str | None:
    """The host asked for, if it is one that is known of. Raises Stop."""
    if args.host is None:
        return None
    known = {cell[2] for pvd in source.state.pvds.values() for cell in pvd.cells}
    known |= {change.host for change in audit.chronicle(source.journal)}
    if args.host not in known:
        names = ", ".join(sorted(known - {""})[:8]) or "none, each instance is shared"
        raise Stop(NOT_FOUND, f"no instance is of host {args.host!r}; there are: {names}")
    return str(args.host)


def list_(args: argparse.Namespace) -> int:
    with open_source(args) as source:
        state, wanted = source.state, _properties(args.property)

        def asked(pvd: Pvd) -> bool:
            return not wanted or matches(properties(state, pvd.id), wanted)

        host = _host(args, source)
        if args.json or args.jsonl or args.family is not None:
            document = report.state_document(state, only=asked, host=host, gone=args.all, family=args.family)
            lines, rows = text.pvd_lines(document), document.pvds
        else:
            document, rows = None, []
            lines = report.pvd_lines(state, only=asked, host=host, gone=args.all)
        gone = 0 if args.all else sum(not pvd.cells and asked(pvd) for pvd in state.pvds.values())
        _say(args, document, rows, lambda out: text.list_state(out, state.now, lines, gone))
        return _end(source)


def _properties(given: Sequence[str]) -> dict[str, Property]:
    """What --property asks for, typed: true, false and numbers are those, all else, and what stands in "", is text."""
    wanted: dict[str, Property] = {}
    for one in given:
        name, equals, said = one.partition("=")
        if not name or (equals and not said):
            raise Stop(USAGE, f"--property {one} asks for nothing; write --property {name or 'NAME'}=VALUE")
        value: Any = True
        if equals:
            try:
                value = msgspec.json.decode(said)
            except msgspec.DecodeError:
                value = said
        wanted[name] = value if isinstance(value, str | int | float | bool) else said
    return wanted


def status(args: argparse.Namespace) -> int:
    with open_source(args) as source:
        wanted = resolve(source.state, args.pvd, exact=args.exact) if args.pvd is not None else None
        document = report.state_document(
            source.state,
            only=lambda pvd: wanted in (None, pvd.id),
            host=_host(args, source),
            gone=wanted is not None,
            family=args.family,
        )
        _say(args, document, document.pvds, lambda out: text.status(out, document, args.utc))
        return _end(source)


def links(args: argparse.Namespace) -> int:
    with open_source(args) as source:
        rows = report.link_rows(source.state)
        document = report.LinksDocument(SCHEMA_VERSION, rfc3339(source.state.now), rows)
        _say(args, document, rows, lambda out: text.links(out, rows, args.utc))
        return _end(source)


def connections(args: argparse.Namespace) -> int:
    with open_source(args) as source:
        rows = report.connection_rows(source.state)
        document = report.ConnectionsDocument(SCHEMA_VERSION, rfc3339(source.state.now), rows)
        _say(args, document, rows, lambda out: text.connections(out, rows, args.utc))
        return _end(source)


def settings(args: argparse.Namespace) -> int:
    with open_source(args) as source:
        document = report.settings_document(source.state)
        _say(args, document, document.settings, lambda out: text.settings(out, document, args.utc))
        return _end(source)


# History, reasons, differences


def history(args: argparse.Namespace) -> int:
    with open_source(args) as source:
        follower = _follower(args, source)
        pvd, subject = _whose(args, source)
        host = _host(args, source)
        within = span(args, source)
        known = [one for one in source.changes(pvd) if subject in (None, one.subject)]
        found = [one for one in known if within(one.at, one.seq) and host in (None, one.host)]
        rows = [report.change_row(one) for one in _latest(found, args)]
        _say_history(args, source, rows)
        if follower is not None:
            follower.known(known)
            sys.stdout.flush()
            args.no_legend = True
            for _, changes in follower.batches():
                asked = [one for one in changes if pvd in (None, one.pvd) and subject in (None, one.subject)]
                mine = [one for one in asked if host in (None, one.host)]
                _say_history(args, source, [report.change_row(one) for one in mine if within(one.at, one.seq)])
                sys.stdout.flush()
        return _not_followed(args, _end(source))


def _whose(args: argparse.Namespace, source: Source) -> tuple[PvdId | None, str | None]:
    """What a history was asked of: a PvD, or the subject `connection:ID` or `settings:ID`. Raises Stop."""
    if args.pvd is None:
        return None, None
    if args.pvd.startswith(("connection:", "settings:")):
        if any(one.subject == args.pvd for one in source.changes()):
            return None, args.pvd
        raise Stop(NOT_FOUND, f"nothing is known of {args.pvd!r}; `pvdctl connections` and `settings` show what is")
    return resolve(source.state, args.pvd), None


def _say_history(args: argparse.Namespace, source: Source, rows: list[report.ChangeRow]) -> None:
    visits = report.visit_rows(source.state)
    document = report.HistoryDocument(SCHEMA_VERSION, rows, visits)

    def words(out: Printer) -> None:
        text.history(out, rows, source.packet, args.utc, dated=args.follow)
        if out.legend and not args.follow:
            text.visits(out, visits, args.utc)

    _say(args, document, rows, words)


def _follower(args: argparse.Namespace, source: Source) -> Follower | None:
    """What follows the journal, if -f is given; captures have nothing to follow. Raises Stop."""
    if not args.follow:
        return None
    for given, name, instead in (
        (args.json, "--json is one document and would never end", "say --jsonl"),
        (args.reverse, "-R begins with the newest, and there is always a newer one", "leave it out"),
        (getattr(args, "at", None), "--at asks for the past", "leave it out"),
        (args.until, "-U ends what never ends", "leave it out"),
    ):
        if given:
            raise Stop(USAGE, f"{name} with -f; {instead}")
    return None if args.read else Follower(source)


def _not_followed(args: argparse.Namespace, code: int) -> int:
    """Captures were printed; that there is nothing to follow is said after. Raises Stop."""
    if args.follow:
        raise Stop(USAGE, "-f needs a journal, captures do not grow; name one with --journal FILE, or leave out -f")
    return code


def _latest(found: list[Any], args: argparse.Namespace) -> list[Any]:
    kept = found[max(len(found) - args.lines, 0) :] if args.lines is not None else found
    return kept[::-1] if args.reverse else kept


def why(args: argparse.Namespace) -> int:
    with open_source(args) as source:
        horizon = source.at if source.at is not None or source.seq is not None else source.now
        answers = audit.why(source.journal, args.target, horizon, source.seq, source.state)
        if not answers:
            with suppress(Stop):  # perhaps the beginning of a PvD's name
                named = resolve(source.state, args.target)
                answers = audit.why(source.journal, named, horizon, source.seq, source.state)
        if args.host is not None:
            answers = [one for one in answers if one.host == args.host]
        if not answers:
            _end(source)
            text_ = f"nothing holds or held {args.target!r}; `pvdctl status` shows what is held, `history` what was"
            raise Stop(NOT_FOUND, text_)
        rows = [_answer(source, one) for one in answers]
        document = report.WhyDocument(SCHEMA_VERSION, rfc3339(source.state.now), report.spelled(args.target), rows)
        _say(args, document, rows, lambda out: text.why(out, document, args.utc))
        return _end(source)


def _answer(source: Source, one: audit.Answer) -> report.AnswerRow:
    ended = None
    if one.ended_at is not None:
        ended = report.EndedRow(rfc3339(one.ended_at), one.ended_by or "", one.ended_because or 0)
    option = None
    if one.option is not None:
        option = report.OptionRow(one.option.type, one.option.offset, one.option.length, one.option.data.hex())
    return report.AnswerRow(
        target=report.spelled(one.target),
        pvd=one.pvd,
        link=one.link,
        epoch=one.epoch,
        host=one.host or None,
        item=report.thing((one.kind, one.key, one.value)),
        since=_because(source, one.since, None),
        because=_because(source, one.because, option),
        until=report.time(one.until),
        ended=ended,
    )


def _because(source: Source, seq: Seq, option: report.OptionRow | None) -> report.BecauseRow:
    record = source.journal.record(seq)
    if record is None:
        return report.BecauseRow(seq, None, "", 0, "", option)
    said = record.provenance
    return report.BecauseRow(seq, rfc3339(record.at), report.spelled(said.source), said.packet, said.frame, option)


def diff(args: argparse.Namespace) -> int:
    from replay.files.captures import named

    files = [os.path.exists(named(one)[1]) for one in (args.before, args.after)]
    if all(files) and not args.read and not args.journal:
        with _open_file(args, args.before) as before, _open_file(args, args.after) as after:
            code = _diff(args, before.state, after.state)
            return _end(after, _end(before, code))
    with open_source(args) as source:
        before_state, after_state = source.point(args.before, args.utc), source.point(args.after, args.utc)
        return _end(source, _diff(args, before_state, after_state))


def _open_file(args: argparse.Namespace, name: str) -> Source:
    from replay.files.captures import named

    path = named(name)[1]
    with open(path, "rb") as file:
        head = file.read(len(SQLITE_MAGIC)) if os.path.isfile(path) else b""
    if head == SQLITE_MAGIC:
        return from_journal(path)
    ran = fold(args, [name])
    return Source(ran.journal, ran.state.now, ran)


def _diff(args: argparse.Namespace, before: State, after: State) -> int:
    rows = [report.diff_row(one) for one in audit.diff(before, after)]
    document = report.DiffDocument(SCHEMA_VERSION, rfc3339(before.now), rfc3339(after.now), rows)
    _say(args, document, rows, lambda out: text.diff(out, document))
    return DIFFERS if rows else DONE


def plan(args: argparse.Namespace) -> int:
    with open_source(args) as source:
        try:
            want = desired(source.state, host=args.host, iid=args.iid)
        except UnknownIid as error:
            raise Stop(USAGE, f"{error}; see `pvdctl plan --help`") from None
        if args.host is None and args.iid is None:
            want = placing.wished(source.state, want)
        how = {one.link: args.projection or _projection(source.state, one.link) for one in want.places}
        want = projected(source.state, want, lambda link: how[link] == "tables")
        rows = [report.planned_row(op, place) for op, place in make_plan(want, Have()).ops]
        said = "+".join(sorted(set(how.values()))) or args.projection or "netns"
        document = report.PlanDocument(SCHEMA_VERSION, rfc3339(want.at), said, rows)
        _say(args, document, rows, lambda out: text.plan(out, document))
        return _end(source)


def _projection(state: State, link: LinkId) -> str:
    """What a link has, or would have: a namespace is what PvDs are written to where nobody chose anything."""
    chosen = places.projection(state, link)
    return chosen if chosen != "none" else "netns"


# The records


def log(args: argparse.Namespace) -> int:
    with open_source(args) as source:
        follower = _follower(args, source)
        last = source.journal.last_seq()
        first = 1 if args.cursor is None else args.cursor + 1
        if first > last + 1:
            raise Stop(NOT_FOUND, f"there is no record {args.cursor}; the last is {last}: say --cursor {last}")
        pvd = resolve(source.state, args.pvd) if args.pvd is not None else None
        concerned = _concerned(audit.chronicle(source.journal, pvd)) if pvd is not None else frozenset()
        within = span(args, source)
        records = (one for one in source.journal.records(first) if _reached(source, one))
        _log(args, _latest([one for one in records if _logged(args, one, within, pvd, concerned)], args))
        if follower is not None:
            sys.stdout.flush()
            args.no_legend = True
            for records_, changes in follower.batches():
                concerned = _concerned(one for one in changes if one.pvd == pvd)
                _log(args, [one for one in records_ if _logged(args, one, within, pvd, concerned)])
                sys.stdout.flush()
        return _not_followed(args, _end(source))


def _log(args: argparse.Namespace, found: list[Record]) -> None:
    if args.json or args.jsonl:
        rows = [report.record_row(record) for record in found]
        _say(args, report.LogDocument(SCHEMA_VERSION, rows), rows, lambda out: None)
    else:
        text.log(_printer(args), found, args.utc, dated=args.follow)


def _logged(
    args: argparse.Namespace,
    record: Record,
    within: Callable[[Instant, Seq], bool],
    pvd: PvdId | None,
    concerned: frozenset[Seq],
) -> bool:
    """Whether `log` is to show a record."""
    if not within(record.at, record.seq):
        return False
    if args.type and kind(record.event) not in args.type:
        return False
    if args.link and getattr(record.event, "link", None) not in args.link:
        return False
    return pvd is None or record.seq in concerned or _names(record, pvd)


def _reached(source: Source, record: Record) -> bool:
    return (source.at is None or record.at <= source.at) and (source.seq is None or record.seq <= source.seq)


def _concerned(changes: Iterable[Change]) -> frozenset[Seq]:
    """The records that made these lines of history."""
    return frozenset(seq for change in changes for seq in (change.because, change.seq))


def _names(record: Record, pvd: PvdId) -> bool:
    """Whether a record speaks of a PvD without changing it, as a repeated RA does."""
    event = record.event
    if getattr(event, "pvd", None) == pvd:
        return True
    if not isinstance(event, RouterAdvertised):
        return False
    names = {f"fqdn:{one.name}" for one in event.options if isinstance(one, PvdOption)}
    names |= {f"uuid:{one.uuid}" for one in event.options if isinstance(one, MifContainer)}
    own = pvd.startswith(f"ra:{event.link}/") and pvd.endswith(f"/{event.router}")
    return pvd in names or (own and not any(isinstance(one, PvdOption) for one in event.options))


def verify(args: argparse.Namespace) -> int:
    from replay.verified import verify as verified

    with open_source(args) as source:
        journal, head, records = source.journal, "", 0
        redecoded: int | None = None
        misread: list[report.MisreadRow] = []
        try:
            records = journal.last_seq()
            problems = verified(journal, args.head)
            head = journal.head()
            if args.redecode and not problems:  # what can't be trusted is not read again
                from replay.redecode import redecode

                redecoded = 0
                for seq, differences in redecode(journal):
                    redecoded += 1
                    if differences:
                        misread.append(report.MisreadRow(seq, differences))
        except JournalError as error:
            problems = [str(error)]
        name = report.spelled(args.journal or ", ".join(args.read or ()) or getattr(journal, "path", ""))
        document = report.VerifyDocument(SCHEMA_VERSION, name, records, head, problems, redecoded, misread)
        _say(args, document, [*problems, *misread], lambda out: _verified(out, document))
        return _end(source, DIFFERS if problems or misread else DONE)


def _verified(out: Printer, document: report.VerifyDocument) -> None:
    for problem in document.problems:
        out.line(problem)
    if not document.problems and out.legend:
        out.line(f"{document.journal}: {document.records} records, whole; head {document.head}")
    for row in document.misread:
        out.line(f"record {row.seq} reads differently: {', '.join(row.differences)}")
    if document.redecoded is not None and out.legend:
        out.line(f"{document.redecoded} frames read again, {len(document.misread) or 'none'} differently")


def export(args: argparse.Namespace) -> int:
    if args.anonymize and args.format != "pcapng":
        raise Stop(USAGE, "--anonymize rewrites frames, and JSON lines have none; leave out --format")
    if args.key is not None and not args.anonymize:
        raise Stop(USAGE, "--key goes with --anonymize only; add it")
    with open_source(args) as source:
        if args.write != "-":
            with open(args.write, "wb") as file:
                _export(args, source, file)
        else:
            if args.format == "pcapng" and sys.stdout.isatty():
                raise Stop(USAGE, "a pcapng is not for a terminal; name a file with -w FILE")
            sys.stdout.flush()
            _export(args, source, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return _end(source)


def _export(args: argparse.Namespace, source: Source, file: IO[bytes]) -> None:
    records = (record for record in source.journal.records() if _reached(source, record))
    if args.format == "jsonl":
        for record in records:
            file.write(report.to_json(report.record_row(record), pretty=False).encode() + b"\n")
        return
    from replay.files.pcapng import PcapngWriter

    writer = PcapngWriter(file)
    if args.anonymize:
        _export_anonymized(args, source, records, writer)
        return
    before: tuple[object, ...] | None = None
    for record in records:
        said = record.provenance
        data = source.journal.frame(said.frame) if said.frame else None
        if data is None:
            before = None
            writer.custom(_carried(record))
            continue
        captured: Instant = record.at if said.captured_at is None else said.captured_at
        heard = (said.source, said.packet, said.frame, captured)
        if heard != before:  # one frame may have said several things, in records that follow each other
            link = said.interface or getattr(record.event, "link", "")
            writer.packet(captured, link, said.linktype, data, said.original_length)
        before = heard


def _export_anonymized(
    args: argparse.Namespace, source: Source, records: Iterable[Record], writer: PcapngWriter
) -> None:
    """The same with everything mapped. What can't be mapped is left out, and records behind it move up."""
    from secrets import token_bytes

    from replay.files.anonymize import Anonymizer
    from replay.rerun import Carried

    maps = Anonymizer(token_bytes(32) if args.key is None else args.key.encode())
    before: tuple[object, ...] | None = None
    kept = True
    missing = frames = others = 0
    for record in records:
        said = record.provenance
        data = source.journal.frame(said.frame) if said.frame else None
        if data is None:
            before = None
            event = maps.event(record.event)
            if event is None:
                missing, others = missing + 1, others + 1
                continue
            where = msgspec.structs.replace(said, frame="")
            carried = Carried(record.seq - missing, record.at, record.v, where, msgspec.Raw(event))
            writer.custom(msgspec.json.encode(carried))
            continue
        captured: Instant = record.at if said.captured_at is None else said.captured_at
        heard = (said.source, said.packet, said.frame, captured)
        if heard != before:
            link = said.interface or getattr(record.event, "link", "")
            mapped = maps.frame(Frame(captured, link, said.linktype, data, said.original_length))
            kept = mapped is not None
            if mapped is not None:
                writer.packet(captured, link, said.linktype, mapped, said.original_length)
            else:
                frames += 1
        missing += not kept
        before = heard
    if frames or others:
        print(f"pvdctl: left out, not to be anonymized: {frames} frames, {others} other records", file=sys.stderr)


def _carried(record: Record) -> bytes:
    from replay.rerun import Carried

    event = msgspec.Raw(encode(record.event))
    return msgspec.json.encode(Carried(record.seq, record.at, record.v, record.provenance, event))


def schema(args: argparse.Namespace) -> int:
    from replay.shown.schema import kinds
    from replay.shown.schema import text as schema_text

    if args.kind is None:
        print("\n".join(kinds()))
    elif args.kind not in kinds():
        raise Stop(USAGE, f"no document is called {args.kind!r}; there are: {', '.join(kinds())}")
    else:
        print(schema_text(args.kind), end="")
    return DONE


def explain(args: argparse.Namespace) -> int:
    import replay.shown.explain as told

    found = told.rows()
    if args.code is not None:
        known = found
        found = [one for one in found if one.code == args.code]
        if not found:
            from difflib import get_close_matches

            near = get_close_matches(args.code, sorted({one.code for one in known}), 3)
            instead = f"is it {' or '.join(near)}?" if near else "`pvdctl explain` lists the codes"
            raise Stop(NOT_FOUND, f"no code is called {args.code!r}; {instead}")
    document = report.ExplainDocument(SCHEMA_VERSION, found)
    _say(args, document, found, lambda out: (told.words if args.code else told.table)(out, found))
    return DONE


def advertise(args: argparse.Namespace) -> int:
    from replay.live.advertise import run as run_advertise

    return run_advertise(args)


# The daemon


def monitor(args: argparse.Namespace) -> int:
    from replay.live.ask import monitor as from_daemon

    try:
        return from_daemon(args, _coloured(args))
    except Stop as stop:
        if stop.code != NOT_RUNNING or args.cursor is not None:
            raise
    print("pvdctl: pvdd does not run; this follows its journal", file=sys.stderr)
    args.follow, args.lines, args.json, args.no_legend = True, 0, False, True
    args.read = args.pvd = args.host = args.since = args.until = args.policy = None
    args.reverse, args.set = False, []
    return history(args)


def _asked(args: argparse.Namespace) -> int:
    import replay.live.ask as ask

    return {"wait": ask.wait, "call": ask.call}.get(args.command, ask.command)(args)


def exec_(args: argparse.Namespace) -> int:
    from replay.live.ask import netns_of, run_inside

    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    if not words:
        raise Stop(USAGE, f"exec what? write: pvdctl exec {args.pvd} -- CMD")
    with from_journal(args.journal) as source:
        netns = netns_of(source, args.pvd)
    return run_inside(netns, words)


def doctor(args: argparse.Namespace) -> int:
    from replay.live.doctor import GOOD, examine

    journal = args.journal or os.environ.get("PVD_JOURNAL") or DEFAULT_JOURNAL
    found = examine(journal, args.control)
    if args.json:
        print(report.to_json({"schema_version": SCHEMA_VERSION, "findings": found}))
    else:
        rows = [(one.what, one.state, one.needed_for, one.advice) for one in found]
        _printer(args).table(("WHAT", "STATE", "NEEDED FOR", "WHAT TO DO"), rows)
    return DONE if all(one.state == GOOD for one in found) else DIFFERS


def hook(args: argparse.Namespace) -> int:
    from replay.live.hook import hook as told

    return told(args)


COMMANDS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "replay": replay,
    "list": list_,
    "status": status,
    "links": links,
    "connections": connections,
    "settings": settings,
    "history": history,
    "why": why,
    "diff": diff,
    "plan": plan,
    "log": log,
    "verify": verify,
    "export": export,
    "explain": explain,
    "schema": schema,
    "advertise": advertise,
    "monitor": monitor,
    "exec": exec_,
    "doctor": doctor,
    "hook": hook,
    **dict.fromkeys(
        ("wait", "call", "up", "down", "load", "unload", "pin", "unpin", "reload", "checkpoint", "rollback", "commit"),
        _asked,
    ),
}
