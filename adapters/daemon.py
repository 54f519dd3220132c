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
    from adapters.live import Daemon
    from adapters.running.config import Config
    from pvdcore.state import State


def parser() -> argparse.ArgumentParser:
    """The options of pvdd."""
    made = argparse.ArgumentParser(
        prog="pvdd",
        description="The Provisioning Domain daemon: hears Router Advertisements and DHCP, keeps the journal.",
        allow_abbrev=False,
    )
    made.add_argument(
        "--journal",
        metavar="FILE",
        help="where the journal is kept; default /var/lib/pvd/journal.db, or what FILE says",
    )
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
        help="what is written to the kernel; none: it observes, and sends nothing (default)",
    )
    made.add_argument(
        "--config", metavar="FILE", help="the configuration; default /etc/pvd/pvd.conf if it is there. See pvd.conf(5)"
    )
    made.add_argument(
        "--control",
        metavar="SOCKET",
        help="where commands are taken; default /run/pvd/control; an empty word for nowhere",
    )
    made.add_argument(
        "--solicit", action="store_true", help="ask for routers on all links heard, not only where placed"
    )
    made.add_argument("--check", action="store_true", help="read the configuration, say what is wrong with it, and end")
    made.add_argument("--teardown", action="store_true", help="remove from the kernel what is marked ours, and end")
    return made


def configured(args: argparse.Namespace) -> "tuple[Config, str | None]":
    """What is in force, and the file that says so. The command line counts before the file. Raises ConfigError."""
    from msgspec.structs import replace

    from adapters.running.config import DEFAULT_CONFIG, Config, read

    path = args.config or (DEFAULT_CONFIG if os.path.exists(DEFAULT_CONFIG) else None)
    said = {name: getattr(args, name) for name in ("journal", "control", "projection")}
    config = read(path) if path is not None else Config()
    return replace(config, **{name: value for name, value in said.items() if value is not None}), path


def check(args: argparse.Namespace) -> int:
    """Say what is wrong with the configuration. The exit code."""
    _, path = configured(args)
    print(f"{path}: nothing is wrong with it" if path else "there is no configuration: the defaults are in force")
    return 0


def run(args: argparse.Namespace) -> int:
    """One session, from its first record to its last. The exit code."""
    import asyncio

    from adapters.live import DONE, Daemon, Options, Stopped, version
    from adapters.running.service import Service
    from adapters.settings.watch import follow

    config, path = configured(args)
    options = Options(
        journal=config.journal,
        links=tuple(args.link),
        projection=config.projection,
        solicit=args.solicit,
        rules=config.rules(),
    )
    try:
        daemon = Daemon(options, policy=config.policy)
        follow(daemon)
        project(daemon, options.journal)
        reread = (lambda: configured(args)[0]) if path is not None else None
        Service(daemon, config, reread=reread, version=version())  # the last: READY is said when all of it runs
        asyncio.run(daemon.run_until_stopped())
    except Stopped as error:
        print(f"pvdd: {error}", file=sys.stderr)
        return error.code
    return DONE


def project(daemon: "Daemon", journal: str) -> None:
    """Have a session write to the kernel from when there is a link on which it is to; before, it starts no process and
    reads no secret. That of its identifiers lies beside the journal, and is never in it."""
    import asyncio

    from adapters.live import FAILED, Stopped
    from adapters.places.projection import Projection, secret

    path = Path(f"{journal}-secret")
    made: list[Projection] = []

    async def begin() -> None:
        if made or not daemon.state.policy.projects():
            return
        try:
            made.append(Projection(daemon, secret(path)))
        except OSError as error:
            raise Stopped(FAILED, f"{path}: {error.strerror}; is its folder there, and ours to write to?") from None
        await made[0].start()
        daemon.on_stop.append(made[0].stop)
        daemon.touch()

    async def later() -> None:
        try:
            await begin()
        except Stopped as error:
            daemon.fail(error)

    def changed(state: "State") -> None:
        if not made and state.policy.projects():
            asyncio.get_running_loop().create_task(later())

    daemon.on_start.append(begin)
    daemon.on_change(changed)


def tear_down() -> int:
    """Remove from the kernel what is marked ours, and say what it was. The exit code."""
    from adapters.places import netns, steering

    if os.geteuid():
        print("pvdd: only root may remove namespaces and tables; run it as root", file=sys.stderr)
        return 77
    for name in (*netns.teardown(), *steering.teardown()):
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
    from adapters.running.config import ConfigError

    try:
        return check(args) if args.check else run(args)
    except ConfigError as error:
        for problem in error.problems:
            print(f"pvdd: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
