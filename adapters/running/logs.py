"""What pvdd says while it runs: lines for people, or JSON, on standard error.

Law: a log line repeats what the journal has, for those who watch; no program is to read it, and no State depends on it.
What came from the wire is escaped. structlog is imported here alone: it costs 160 ms, which pvdctl must not pay.
"""

import sys
from collections.abc import Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any, Final, TextIO, cast

import structlog

from events.ids import SECOND, Instant
from pvdcore.state import Change, Finding, State

HOUR: Final[Instant] = 3600 * SECOND  # how often the head of the chain is said (docs: `pvdctl verify --head`)
LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def _escape(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Nothing that a terminal would obey."""
    for key, value in line.items():
        if isinstance(value, str):
            line[key] = value.encode("unicode_escape").decode()
    return line


class Lines:
    """Where lines go. One that cannot be written is lost, and nothing else is: a full disk is the journal's to tell."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> None:
        """Write, if that can be."""
        with suppress(OSError):
            self._out.write(text)

    def flush(self) -> None:
        """Have it out, if that can be."""
        with suppress(OSError):
            self._out.flush()


def logger(form: str, level: str, to: TextIO | None = None) -> Any:
    """A logger. form: `console` or `json`; level: of LEVELS; to: default standard error."""
    out = to or sys.stderr
    last: Any = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    return structlog.wrap_logger(
        structlog.PrintLogger(cast(TextIO, Lines(out))),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _escape,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
    )


class Story:
    """Tells what happens of a session: PvDs that come and go, findings, and the head of the chain each hour."""

    def __init__(self, log: Any, head: Callable[[], tuple[int, str]], state: State) -> None:
        self._log = log
        self._head = head
        self._findings: dict[Any, Finding] = dict(state.findings.items())
        self._said_at: Instant = state.now

    def started(self, **about: Any) -> None:
        """A session begins."""
        self._log.info("session started", **about)

    def stopped(self, reason: str) -> None:
        """A session ends: the head goes along, so that a journal that is cut later can be told (`verify --head`)."""
        seq, head = self._head()
        self._log.info("session ended", reason=reason, seq=seq, head=head)

    def trouble(self, what: str, problems: list[str]) -> None:
        """Something of the operator's cannot be used: a line each."""
        for problem in problems:
            self._log.error(what, problem=problem)

    def changes(self, lines: Iterable[Change]) -> None:
        """New lines of history: where an instance begins, ends or moves to another phase; others for debugging."""
        for one in lines:
            kind, _, id = one.subject.partition(":") if one.subject else ("pvd", ":", one.pvd)
            about = {kind: id, "link": one.link, "cause": one.cause, "because": one.because}
            if one.phase != one.phase_before:
                self._log.info(f"{kind} {one.phase}", before=one.phase_before or "none", **about)
            else:
                self._log.debug(f"{kind} changed", version=one.version, **about)

    def state(self, state: State) -> None:
        """Behind a batch: findings that are new; the head, once an hour."""
        if state.findings is not self._findings:
            for key, one in state.findings.items():
                if key not in self._findings:
                    self._log.warning("finding", code=one.code, text=one.text, pvd=one.pvd or "", link=one.link)
            self._findings = dict(state.findings.items())
        if state.now - self._said_at >= HOUR:
            self._said_at = state.now
            seq, head = self._head()
            self._log.info("journal", seq=seq, head=head)
