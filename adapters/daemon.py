"""`pvdd`, the command: its options, and what it exits with. What it does is in adapters/live.py.

Law: nothing that matters is imported before it is known that `events` is ours; an error is one line that says what to
do.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.startup import hidden

if TYPE_CHECKING:
    from adapters.live import Daemon, Options

DEFAULT_JOURNAL = "/var/lib/pvd/journal.db"


def parser() -> argparse.ArgumentParser:
    """The options of pvdd."""
    made = argparse.ArgumentParser(
        prog="pvdd",
        description="The Provisioning Domain daemon: hears Router Advertisements and DHCP, keeps the journal.",
        allow_abbrev=False,
    )
    made.add_argument("--journal", metavar="FILE", default=DEFAULT_JOURNAL, help="where the journal is kept")
    made.add_argument(
        "--link",
        metavar="NAME",
        nargs="+",
        default=[],
        action="extend",
        help="the links to hear, or globs; default all",
    )
    made.add_argument(
        "--projection",
        choices=("none", "netns", "tables"),
        default="none",
        help="what is written to the kernel; none: it observes, and sends nothing (default)",
    )
    made.add_argument("--config", metavar="FILE", help="settings of the daemon")
    made.add_argument("--control", metavar="SOCKET", help="where the few commands are taken")
    made.add_argument(
        "--solicit", action="store_true", help="ask for routers on all links heard, not only where placed"
    )
    made.add_argument("--check", action="store_true", help="read the settings, say what is wrong with them, and end")
    made.add_argument("--teardown", action="store_true", help="remove from the kernel what is marked ours, and end")
    return made


def options(args: argparse.Namespace) -> "Options":
    """The command line as the driver takes it."""
    from adapters.live import Options

    return Options(
        journal=args.journal,
        links=tuple(args.link),
        projection=args.projection,
        config=args.config,
        control=args.control,
        solicit=args.solicit,
        check=args.check,
        teardown=args.teardown,
    )


def run(said: "Options") -> int:
    """One session, from its first record to its last. The exit code."""
    import asyncio

    from adapters.live import DONE, Daemon, Stopped
    from adapters.settings.watch import follow

    try:
        daemon = Daemon(said)
        follow(daemon)
        if said.projection == "netns":
            project(daemon, said.journal)
        asyncio.run(daemon.run_until_stopped())
    except Stopped as error:
        print(f"pvdd: {error}", file=sys.stderr)
        return error.code
    return DONE


def project(daemon: "Daemon", journal: str) -> None:
    """Have a session write to the kernel. The secret of its identifiers lies beside the journal, and is never in it."""
    from adapters.live import FAILED, Stopped
    from adapters.places.projection import Projection, secret

    path = Path(f"{journal}-secret")
    try:
        projection = Projection(daemon, secret(path))
    except OSError as error:
        raise Stopped(FAILED, f"{path}: {error.strerror}; is its folder there, and ours to write to?") from None
    daemon.on_start.append(projection.start)
    daemon.on_stop.append(projection.stop)


def tear_down() -> int:
    """Remove from the kernel what is marked ours, and say what it was. The exit code."""
    from adapters.places.netns import teardown

    if os.geteuid():
        print("pvdd: only root may remove namespaces; run it as root", file=sys.stderr)
        return 77
    for name in teardown():
        print(name)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Entry point. Exit codes: 0 after a clean end, 2 usage, 77 not permitted, 1 otherwise."""
    args = parser().parse_args(argv)
    reason = hidden()
    if reason is not None:
        print(f"pvdd: {reason}", file=sys.stderr)
        return 1
    if args.teardown:
        return tear_down()
    os.umask(0o027)  # the journal is for its group to read
    return run(options(args))


if __name__ == "__main__":
    sys.exit(main())
