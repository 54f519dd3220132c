"""`pvdd`: the one process that appends to the journal. Its surface stands; the live driver is not built yet.

Law: what is not built says so and changes nothing: no journal is opened, no socket, and the exit code is a failure.
"""

import argparse
import sys

from adapters.startup import hidden


def parser() -> argparse.ArgumentParser:
    """The options of pvdd."""
    made = argparse.ArgumentParser(
        prog="pvdd",
        description="The Provisioning Domain daemon: hears Router Advertisements and DHCP, keeps the journal.",
        allow_abbrev=False,
    )
    made.add_argument("--journal", metavar="FILE", default="/var/lib/pvd/journal.db", help="where the journal is kept")
    made.add_argument("--link", metavar="NAME", nargs="+", default=[], help="the links to hear; default all")
    made.add_argument(
        "--projection",
        choices=("none", "netns", "tables"),
        default="none",
        help="what is written to the kernel; none: it observes, and sends nothing (default)",
    )
    made.add_argument("--config", metavar="FILE", help="settings of the daemon")
    made.add_argument("--control", metavar="SOCKET", help="where the few commands are taken")
    return made


def main(argv: list[str] | None = None) -> int:
    """Entry point. Exit codes: 0 after --help, 2 usage, 1 otherwise."""
    parser().parse_args(argv)
    reason = hidden() or (
        "the live daemon is not built yet: pvdctl answers from captures and journals, "
        "try `pvdctl replay -r FILE --journal OUT`"
    )
    print(f"pvdd: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
