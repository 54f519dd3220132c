"""Numbers for Prometheus, in its text format 0.0.4, over HTTP on an address or a unix socket, on request.

Law: counting costs one addition; the text is made when somebody asks, from the State of then. Nothing here is needed
for anything else, and who asks learns numbers only, never a name from the wire (but rules, phases and our own words).
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from adapters.running.config import listen_address
from events.codec import AnyEvent, kind
from events.frames import FramesLost
from events.ids import LinkId, PvdId
from events.ops import PlanApplied, PlanMade
from events.session import RequestRefused
from pvdcore.state import State

REQUEST_OCTETS_MAX: Final = 8192  # a scraper sends some hundred
REQUEST_S_MAX: Final = 5.0
BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0)
"""Of settling: the target is 5 ms into a new namespace."""
PHASES: Final = ("announced", "placed", "lingering")


class Metrics:
    """The counters of a session. `record` and `settled` count; `text` says."""

    def __init__(self, state: Callable[[], State], clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._clock = clock
        self._planned: dict[tuple[PvdId, LinkId, int], float] = {}
        self.records: Counter[str] = Counter()
        self.drops = 0
        self.refused = 0
        self._settles = [0] * (len(BUCKETS_S) + 1)
        self._settled_s = 0.0

    def record(self, event: AnyEvent) -> None:
        """A record was written."""
        self.records[kind(event)] += 1
        if isinstance(event, FramesLost):
            self.drops += event.count
        elif isinstance(event, RequestRefused):
            self.refused += event.count
        elif isinstance(event, PlanMade):
            self._planned[event.pvd, event.link, event.epoch] = self._clock()
        elif isinstance(event, PlanApplied):
            begun = self._planned.pop((event.pvd, event.link, event.epoch), None)
            if begun is not None:
                self.settled(self._clock() - begun)

    def settled(self, seconds: float) -> None:
        """A plan was applied, so long after it was made."""
        self._settles[sum(seconds > bound for bound in BUCKETS_S)] += 1
        self._settled_s += seconds

    def text(self) -> str:
        """The exposition."""
        state = self._state()
        phases = Counter(held.phase for pvd in state.pvds.values() for _, held in pvd.instances)
        lines: list[str] = []

        def family(name: str, type_: str, help: str, samples: list[tuple[str, float]]) -> None:
            lines.extend((f"# HELP {name} {help}", f"# TYPE {name} {type_}"))
            lines.extend(f"{name}{suffix} {value!r}" for suffix, value in samples)

        family(
            "pvd_records_total",
            "counter",
            "Records written in this session, by type.",
            [(f'{{type="{_escaped(name)}"}}', count) for name, count in sorted(self.records.items())],
        )
        family(
            "pvd_frames_rejected_total",
            "counter",
            "Frames that broke a rule, by rule, in the whole journal.",
            [(f'{{rule="{_escaped(rule)}"}}', one.count) for rule, one in sorted(state.rejected.items())],
        )
        family("pvd_frames_dropped_total", "counter", "Frames lost before they were heard.", [("", self.drops)])
        family("pvd_requests_refused_total", "counter", "Requests turned away.", [("", self.refused)])
        family(
            "pvd_instances",
            "gauge",
            "PvDs, each attachment by itself, by phase.",
            [(f'{{phase="{phase}"}}', phases[phase]) for phase in PHASES],
        )
        family("pvd_findings", "gauge", "Kinds of findings, by link and PvD.", [("", len(state.findings))])
        seen = 0
        samples: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), self._settles, strict=True):
            seen += count
            samples.append((f'_bucket{{le="{bound}"}}', seen))
        samples += [("_sum", self._settled_s), ("_count", seen)]
        family("pvd_settle_seconds", "histogram", "From a plan made to the plan applied.", samples)
        return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Exporter:
    """Answers GET /metrics with what `metrics` says."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._server: asyncio.AbstractServer | None = None

    async def start(self, where: str) -> None:
        """Listen at `ADDRESS:PORT` or at a path. Raises OSError, or ValueError for what is neither."""
        if where.startswith("/"):
            with suppress(FileNotFoundError):
                os.unlink(where)
            self._server = await asyncio.start_unix_server(self._serve, where, limit=REQUEST_OCTETS_MAX)
            return
        address = listen_address(where)
        if address is None:
            raise ValueError(f"metrics is not {where!r}; write 127.0.0.1:9465 or a path")
        self._server = await asyncio.start_server(self._serve, *address, limit=REQUEST_OCTETS_MAX)

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_S_MAX)
            words = head.split(b"\r\n", 1)[0].split(b" ")
            path = words[1] if len(words) == 3 else b""
            if words[0] not in (b"GET", b"HEAD"):
                status, body = "405 Method Not Allowed", ""
            elif path.split(b"?")[0] != b"/metrics":
                status, body = "404 Not Found", ""
            else:
                status, body = "200 OK", self._metrics.text()
            octets = body.encode()
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                f"Content-Length: {len(octets)}\r\nConnection: close\r\n\r\n".encode()
            )
            writer.write(octets if words[0] == b"GET" else b"")
            await asyncio.wait_for(writer.drain(), REQUEST_S_MAX)
        writer.close()
