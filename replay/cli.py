"""`pvdctl`, the reader's command: its grammar, its exit codes, and how an error is said.

Law: standard output is data, standard error is for people, and an operator's mistake is one line that ends with what to
do, never a traceback. Nothing heavy is imported here: what a command needs is imported when it runs, so that --help
answers in a tenth of a second.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Final, NoReturn, cast

from replay.endings import DONE, FAILED, INTERRUPTED, USAGE, Stop

_EPILOG: Final = """\
answers come from captures (-r [LINK=]FILE, - for standard input), from a journal (--journal FILE), or from the running
system's journal ($PVD_JOURNAL, else /var/lib/pvd/journal.db).

exit codes: 0 done, 1 failed, 2 usage, 3 timed out, 4 verify failed or diff differs, 5 the input was damaged (what
could be read was answered), 8 daemon not running, 10 not found, 77 not permitted, 130 interrupted.
"""

JOBS_MAX: Final = 64  # processes at a time: each holds a whole journal in memory
_TIMES: Final = "2026-03-01T14:05Z, 14:05, -2h, yesterday, @epoch or seq:812"


@cache
def _columns() -> int:
    """How wide help is. argparse asks for each option, and loads half of shutil's archives to know."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    with suppress(OSError):  # no terminal
        return os.get_terminal_size(1).columns or 80
    return 80


class _Parser(argparse.ArgumentParser):
    def _get_formatter(self) -> argparse.HelpFormatter:
        formatter: Any = self.formatter_class
        return cast(argparse.HelpFormatter, formatter(prog=self.prog, width=_columns() - 2))

    def error(self, message: str) -> NoReturn:
        line = " ".join(message.split())
        raise Stop(USAGE, f"{line}; see `{self.prog} --help`")


def parser() -> argparse.ArgumentParser:
    """The grammar of pvdctl. Completion and the docs are made from it too."""
    top = _Parser(
        prog="pvdctl",
        description="What Provisioning Domains (RFC 7556, RFC 8801) there are, were, and why.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    made = _command(commands, "replay", "fold captures: their PvDs, history, findings and rejected packets", at=True)
    _captures(made, required=True)
    made.add_argument("--journal", metavar="OUT", help="keep the journal in this file, which must not hold one yet")
    made.add_argument("--separate", action="store_true", help="fold each file on its own")
    made.add_argument("--jobs", metavar="N", type=_jobs, help="with --separate: fold this many files at a time")
    made.add_argument(
        "-V", "--dissect", action="store_true", help="print each packet's fields with their offsets instead"
    )
    made.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, help="a progress line; default on a terminal"
    )

    made = _reader(commands, "list", "the PvDs, one line each")
    made.add_argument("--all", action="store_true", help="those that ended too")
    made.add_argument(
        "--property",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        help="those with this property (repeatable: with all); without VALUE: true",
    )

    _family(made)

    made = _reader(commands, "status", "the PvDs in full")
    _family(made)
    made.add_argument("pvd", metavar="PVD", nargs="?", help="one PvD only: its id, its name, or a unique prefix")
    made.add_argument("--exact", action="store_true", help="PVD is a full id; a prefix or a bare name is not found")

    _reader(commands, "links", "the links, and the PvDs on each")
    _reader(commands, "connections", "which settings were activated where, and what became of it")
    _reader(commands, "settings", "the profiles")

    made = _reader(commands, "history", "versions and phase changes: what changed, when, because of which record")
    made.add_argument(
        "pvd", metavar="PVD", nargs="?", help="one PvD only; or one connection:ID, or the profile settings:ID"
    )
    _span(made)
    _following(made)
    made.add_argument("-R", "--reverse", action="store_true", help="newest first")

    made = _reader(commands, "why", "which PvD holds something, since when, until when, because of which octets")
    made.add_argument(
        "target", metavar="TARGET", help="an address, prefix, route (`default`, too), resolver, name or PvD"
    )

    made = _reader(commands, "diff", "what changed between two times, or between two captures or journals", at=False)
    made.add_argument("before", metavar="T1", help=f"a time ({_TIMES}), or a file")
    made.add_argument("after", metavar="T2", help="a later time, or another file")

    made = _reader(commands, "log", "the records themselves", host=False)
    _span(made)
    _following(made)
    made.add_argument("--cursor", metavar="SEQ", type=_count, help="records after this one only, as `cursor` names it")
    made.add_argument("-R", "--reverse", action="store_true", help="newest first")
    made.add_argument("--type", metavar="TYPE", action="append", help="records of this type (repeatable)")
    made.add_argument("--link", metavar="LINK", action="append", help="records of this link (repeatable)")
    made.add_argument("--pvd", metavar="PVD", help="records that name this PvD or changed it")

    made = _reader(
        commands, "verify", "whether a journal is whole, and folds to the recorded States", at=False, host=False
    )
    made.add_argument("--head", metavar="HASH", help="the hash of the chain at the last record, as noted elsewhere")
    made.add_argument("--redecode", action="store_true", help="read the frames again, list what reads differently")

    made = _reader(
        commands, "export", "a journal as a pcapng that replays to the same State, or as JSON lines", host=False
    )
    made.add_argument("--format", choices=("pcapng", "jsonl"), default="pcapng", help="default pcapng")
    made.add_argument("-w", "--write", metavar="FILE", default="-", help="where to; default standard output")
    made.add_argument("--anonymize", action="store_true", help="map addresses, MACs and names consistently")
    made.add_argument(
        "--key",
        metavar="TEXT",
        help="with --anonymize: equal keys give equal maps, and who guesses it can test guesses; default random",
    )

    made = _reader(commands, "plan", "what a projection would write to an empty host, without writing it", host=False)
    made.add_argument("--host", metavar="ID", help="whose leases count: a DHCP client's id, or a MAC; default nobody's")
    made.add_argument("--iid", choices=("eui64",), help="form addresses from the MAC of --host; default none")
    made.add_argument(
        "--projection", choices=("netns", "tables"), help="of all links; default what each has, and netns where none"
    )

    made = _command(commands, "explain", "what a finding or a refusal means, and what to change", at=False, host=False)
    made.add_argument("code", metavar="CODE", nargs="?", help="as `replay` shows it; without it all codes are listed")

    _asking(commands)
    _advertise(commands)

    made = commands.add_parser("schema", help="the JSON Schema of a document", allow_abbrev=False)
    made.add_argument("kind", metavar="KIND", nargs="?", help="which; without it their names are listed")

    made = commands.add_parser("completion", help="a completion script for a shell", allow_abbrev=False)
    made.add_argument("shell", metavar="SHELL", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")
    return top


_Commands = argparse._SubParsersAction  # argparse has no public name for it


def _command(
    commands: "_Commands[_Parser]", name: str, help: str, *, at: bool = True, host: bool = True
) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".", allow_abbrev=False)
    if at:
        made.add_argument("--at", metavar="TIME", help=f"as of then: {_TIMES}")
    if host:
        made.add_argument("--host", metavar="ID", help="this host's instances only")
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--jsonl", action="store_true", help="as JSON, one line an element")
    made.add_argument("--no-legend", action="store_true", help="no headers and totals")
    made.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default auto")
    made.add_argument("--utc", action="store_true", help="times in UTC instead of local time")
    return made


def _asking(commands: "_Commands[_Parser]") -> None:
    made = _daemon(commands, "monitor", "changes as they happen; from the journal when pvdd does not run")
    made.add_argument("--cursor", metavar="CURSOR", help="go on after this one, as --jsonl shows it")
    made.add_argument("--jsonl", action="store_true", help="as JSON, one line a change")
    made.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default auto")
    made.add_argument("--utc", action="store_true", help="times in UTC instead of local time")
    made.add_argument("--journal", metavar="FILE", help="where to look when pvdd does not run")

    made = _daemon(commands, "wait", "until a PvD reaches a phase; exit code 3 when it takes too long")
    made.add_argument("pvd", metavar="PVD", help="its id or its name; one that is not there yet, too")
    phases = ("announced", "placed", "lingering", "gone")
    made.add_argument("--phase", choices=phases, default="announced", help="default announced; what is placed is, too")
    made.add_argument("--timeout", metavar="S", type=float, help="seconds; default for ever")

    for name, help in (("pin", "keep a PvD in place although it may end"), ("unpin", "no longer keep it")):
        _daemon(commands, name, help).add_argument("pvd", metavar="PVD", help="its id, its name, or a unique prefix")
    made = _daemon(commands, "up", "activate settings on a link")
    made.add_argument("settings", metavar="SETTINGS", help="the profile's id")
    made.add_argument("--link", metavar="NAME", required=True, help="where")
    made = _daemon(commands, "down", "end all connections of settings")
    made.add_argument("settings", metavar="SETTINGS", help="the profile's id")
    made = _daemon(commands, "load", "give settings at run time; they stay until they are given anew or unloaded")
    made.add_argument("settings", metavar="SETTINGS", help="the profile's id")
    made.add_argument("file", metavar="FILE", help="as in /etc/pvd/settings.d; - for standard input")
    made = _daemon(commands, "unload", "take back settings that were given at run time")
    made.add_argument("settings", metavar="SETTINGS", help="the profile's id")
    made = _daemon(commands, "hook", "tell pvdd what a VPN's client says; to be run by OpenVPN, vpnc-script, wg-quick")
    made.add_argument("--name", metavar="NAME", help="the PvD is vpn:NAME; default as the configuration, or the device")
    made.add_argument(
        "--tunnel",
        choices=("move", "leave"),
        help="whether the tunnel stands in the PvD's namespace, or where its client made it; default as the policy",
    )
    made.add_argument("--wg-quick", metavar="FILE", help="of this file of wg-quick's, or the interface of that name")
    made.add_argument("--down", action="store_true", help="with --wg-quick: it is taken down")
    made.add_argument("--optional", action="store_true", help="it is no failure that pvdd does not run")
    made.add_argument("--show", action="store_true", help="print what would be told, and tell nobody")
    made.add_argument("words", metavar="WORD", nargs="*", help="what the client adds itself; the environment says more")
    made = _daemon(
        commands, "checkpoint", "remember settings, connections and pins, to take back what changes from here"
    )
    made.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_count,
        default=0,
        help="roll back by itself then; default never",
    )
    _daemon(commands, "rollback", "take back what was changed since the checkpoint")
    _daemon(commands, "commit", "let it stay")
    _daemon(commands, "reload", "have pvdd read its configuration again")

    made = _daemon(commands, "call", "one Varlink call; without METHOD the interfaces are printed")
    made.add_argument("method", metavar="METHOD", nargs="?", help="its name, or INTERFACE.NAME")
    made.add_argument("parameters", metavar="JSON", nargs="?", default="{}", help="an object; default {}")

    made = _plain(commands, "exec", "run a command inside a PvD (as root): its namespace, its resolver")
    made.add_argument("--journal", metavar="FILE", help="a journal; default the running system's")
    made.add_argument("pvd", metavar="PVD", help="its id, its name, or a unique prefix")
    made.add_argument("words", metavar="-- CMD", nargs=argparse.REMAINDER, help="the command and its arguments")

    made = _daemon(commands, "doctor", "what this host lacks for pvdd, and what to do; exit code 4 if anything")
    made.add_argument("--journal", metavar="FILE", help="a journal; default the running system's")
    made.add_argument("--json", action="store_true", help="as JSON")
    made.add_argument("--no-legend", action="store_true", help="no headers")
    made.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default auto")


def _daemon(commands: "_Commands[_Parser]", name: str, help: str) -> argparse.ArgumentParser:
    made = _plain(commands, name, help)
    made.add_argument("--control", metavar="SOCKET", default="/run/pvd/control", help="default /run/pvd/control")
    return made


def _advertise(commands: "_Commands[_Parser]") -> None:
    made = _plain(commands, "advertise", "send Router Advertisements with PvDs in them, or write them to a capture")
    made.add_argument("file", metavar="FILE", nargs="?", help="what to send, as TOML or .json; instead of the options")
    made.add_argument(
        "--link", metavar="NAME", help="send on this link (as root); of a FILE of several links, what is of this one"
    )
    made.add_argument("-w", "--write", metavar="FILE", help="write a pcapng instead")
    made.add_argument("--start", metavar="TIME", help="with --write: when the first packet was; default now")
    made.add_argument("--count", metavar="N", type=_count, help="how many rounds; 0: until ^C; default 1")
    made.add_argument("--interval", metavar="S", type=float, help="seconds between rounds; default 10")
    made.add_argument("-q", "--quiet", action="store_true", help="no line for each RA that is sent")
    of = made.add_argument_group("the router")
    of.add_argument("--source", metavar="ADDRESS", help="its link-local address; default the link's own")
    of.add_argument("--mac", metavar="MAC", help="default the link's own")
    of.add_argument("--router-lifetime", metavar="S", type=_count, help="0: no default router; default 1800")
    of.add_argument("--preference", choices=("high", "medium", "low"), default="medium", help="default medium")
    of.add_argument("--hop-limit", metavar="N", type=_count, help="for packets of hosts")
    of.add_argument("--managed", action="store_true", help="M: addresses come by DHCPv6")
    of.add_argument("--other", action="store_true", help="O: other data come by DHCPv6")
    of = made.add_argument_group("what it says")
    of.add_argument("--prefix", metavar="P[,VALID[,PREFERRED]]", action="append", default=[], help="repeatable")
    of.add_argument("--route", metavar="P[,LIFETIME][,PREFERENCE]", action="append", default=[], help="repeatable")
    of.add_argument("--dns", metavar="ADDRESS", action="append", default=[], help="a resolver (repeatable)")
    of.add_argument("--search", metavar="NAME", action="append", default=[], help="a search name (repeatable)")
    of.add_argument("--lifetime", metavar="S", type=_count, help="of resolvers and search names; default 1800")
    of.add_argument("--encrypted-dns", metavar="NAME[,ADDRESS...]", action="append", default=[], help="DNS over TLS")
    of.add_argument("--pref64", metavar="P", action="append", default=[], help="a NAT64 prefix (repeatable)")
    of.add_argument("--mtu", metavar="N", type=_count, help="of the link")
    of.add_argument("--captive-portal", metavar="URI", help="where the portal's API is")
    of = made.add_argument_group("the PvD (RFC 8801)")
    of.add_argument("--pvd", metavar="NAME", help="its FQDN")
    of.add_argument("--nest", action="store_true", help="all of it inside the option, for hosts that know PvDs only")
    of.add_argument("--http", action="store_true", help="H: there is additional information")
    of.add_argument("--legacy", action="store_true", help="L: the DHCPv4 lease belongs to it")
    of.add_argument("--delay", metavar="N", type=_count, default=0, help="0 to 15; default 0")
    of.add_argument("--sequence", metavar="N", type=_count, default=0, help="0 to 65535; default 0")


def _plain(commands: "_Commands[_Parser]", name: str, help: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".", allow_abbrev=False)


def _captures(made: argparse.ArgumentParser, *, required: bool = False) -> None:
    made.add_argument(
        "-r", "--read", metavar="[LINK=]FILE", action="append", required=required, help="a capture (repeatable)"
    )
    made.add_argument("--policy", metavar="FILE", help="the knobs of the fold, as TOML; with -r")
    made.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="one knob (repeatable); with -r")


def _reader(
    commands: "_Commands[_Parser]", name: str, help: str, *, at: bool = True, host: bool = True
) -> argparse.ArgumentParser:
    made = _command(commands, name, help, at=at, host=host)
    _captures(made)
    made.add_argument("--journal", metavar="FILE", help="a journal; default the running system's")
    return made


def _family(made: argparse.ArgumentParser) -> None:
    either = made.add_mutually_exclusive_group()
    for version in (4, 6):
        either.add_argument(
            f"-{version}",
            f"--ipv{version}",
            dest="family",
            action="store_const",
            const=version,
            help=f"what is of IPv{version} only, and the PvDs that have any",
        )


def _span(made: argparse.ArgumentParser) -> None:
    made.add_argument("-S", "--since", metavar="TIME", help=f"not before: {_TIMES}")
    made.add_argument("-U", "--until", metavar="TIME", help="not after")
    made.add_argument("-n", "--lines", metavar="N", type=_count, help="the latest N only")


def _jobs(text: str) -> int:
    if not 0 < (count := _count(text)) <= JOBS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes from 1 to {JOBS_MAX}")
    return count


def _following(made: argparse.ArgumentParser) -> None:
    made.add_argument("-f", "--follow", action="store_true", help="go on with what comes to the journal, until ^C")


def _count(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count")
    return int(text)


_BACK: Final = re.compile(r"-\d+\s*[a-z]")


def main(argv: list[str] | None = None) -> int:
    """Entry point: the exit code of `pvdctl ARGV`."""
    given = sys.argv[1:] if argv is None else argv
    # argparse takes a word that begins with - for an option; -2h is a time, and `now-2h` says the same.
    words = [f"now{word}" if _BACK.match(word) else word for word in given]
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except Stop as stop:
        _complain(str(stop))
        return stop.code
    except BrokenPipeError:  # the reader has seen enough
        _hush()
        return DONE
    except OSError as error:
        _hush()
        _complain(f"standard output: {error.strerror}; make room, or write elsewhere")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as end:  # argparse, after --help
        return end.code if isinstance(end.code, int) else DONE


def _run(words: Sequence[str]) -> int:
    made = parser()
    args, unknown = made.parse_known_args(words)
    if unknown:
        command = args.command or "COMMAND"
        if words[0].startswith("-"):
            raise Stop(USAGE, f"options stand after the command: pvdctl {command} {unknown[0]}")
        if unknown[0] in ("--separate", "--jobs"):
            raise Stop(USAGE, f"{unknown[0]} goes with replay only, {command} answers from one timeline; leave it out")
        raise Stop(USAGE, f"{command} knows no {unknown[0]}; see `pvdctl {command} --help`")
    if args.version:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"pvdctl {version('pvdcore')}")
        except PackageNotFoundError:
            print("pvdctl (from a checkout, not installed)")
        return DONE
    if args.command is None:
        made.print_help(sys.stderr)
        return USAGE
    from adapters.startup import hidden

    if reason := hidden():
        raise Stop(FAILED, reason)
    if args.command == "completion":
        from replay.completion import script

        print(script(args.shell, made), end="")
        return DONE
    from replay.commands import run

    return run(args)


def _hush() -> None:
    """What is left in the buffer goes nowhere; Python would complain again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> None:
    from replay.shown.tables import escape

    print(f"pvdctl: {escape(text)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
