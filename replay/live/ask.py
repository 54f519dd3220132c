"""The commands that speak with the daemon: up, down, pin, unpin, reload, call, monitor and wait.

Law: what the daemon refuses is one line that says what to do; without a daemon the exit code is 8. Names are made whole
here (replay/sources.resolve), from what the daemon says it has: it takes full ids only.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

import replay.shown.report as report
import replay.shown.text as text
from adapters.running.client import Client, NotRunning, Refused
from adapters.running.control import INTERFACE, SERVICE
from pvdcore.past.journal import read_change
from pvdcore.state import Change
from replay.endings import DONE, FAILED, NOT_FOUND, NOT_PERMITTED, NOT_RUNNING, TIMED_OUT, USAGE, Stop
from replay.shown.tables import Printer

REACHED: Final[dict[str, frozenset[str]]] = {
    "announced": frozenset({"announced", "placed"}),
    "placed": frozenset({"placed"}),
    "lingering": frozenset({"lingering"}),
    "gone": frozenset({"gone"}),
}
"""When `wait` has what it waits for: what is placed is announced, too."""

HINTS: Final[dict[str, tuple[int, str]]] = {
    f"{SERVICE}.PermissionDenied": (NOT_PERMITTED, "pvdd answers root and the group pvd; join it, or use sudo"),
    f"{SERVICE}.MethodNotFound": (USAGE, "pvdd has no such method; see `pvdctl call`"),
    f"{SERVICE}.InterfaceNotFound": (USAGE, "pvdd has no such interface; see `pvdctl call`"),
    f"{SERVICE}.InvalidParameter": (USAGE, "not what the method takes: {parameter}; see `pvdctl call`"),
    f"{SERVICE}.ExpectedMore": (USAGE, "that is a subscription; use `pvdctl monitor`"),
    f"{INTERFACE}.NoSuchPvd": (NOT_FOUND, "no PvD has the id {pvd!r}; `pvdctl list --all` shows which there are"),
    f"{INTERFACE}.NoSuchSettings": (NOT_FOUND, "no settings are called {settings!r}; see `pvdctl settings`"),
    f"{INTERFACE}.NoSuchLink": (NOT_FOUND, "there is no link {link!r}; see `pvdctl links`"),
    f"{INTERFACE}.NoCheckpoint": (NOT_FOUND, "there is no checkpoint; make one before a change: pvdctl checkpoint"),
    f"{INTERFACE}.NoSuchVpn": (NOT_FOUND, "no VPN is called {vpn!r}; `pvdctl list` shows those that are up"),
    f"{INTERFACE}.NotSettings": (FAILED, "line {line}: {text}"),
    f"{INTERFACE}.OfAFile": (FAILED, "{settings!r} is what {origin} says; edit that file"),
    f"{INTERFACE}.NotUp": (NOT_FOUND, "{settings!r} is not active anywhere; see `pvdctl connections`"),
}
"""What each error means for people."""


def connected(args: argparse.Namespace, *, timeout_s: float | None = 10.0) -> Client:
    """A connection to the daemon. Raises Stop."""
    try:
        return Client(args.control, timeout_s=timeout_s)
    except NotRunning as error:
        raise Stop(NOT_RUNNING, str(error)) from None
    except PermissionError:
        raise Stop(NOT_PERMITTED, f"{args.control}: not permitted; use sudo") from None
    except OSError as error:
        raise Stop(FAILED, f"{args.control}: {error.strerror}; name a socket with --control") from None


def answered(ask: Callable[[], Any]) -> Any:
    """What the daemon answers. Raises Stop."""
    try:
        return ask()
    except Refused as refused:
        raise _stopped(refused) from None
    except NotRunning as error:
        raise Stop(NOT_RUNNING, str(error)) from None
    except TimeoutError:
        raise Stop(TIMED_OUT, "pvdd did not answer; see what it does: journalctl -u pvdd") from None


def _stopped(refused: Refused) -> Stop:
    if refused.name == f"{INTERFACE}.NotReloaded":
        problems = refused.parameters.get("problems", [])
        more = f" (and {len(problems) - 1} more: pvdd --check)" if len(problems) > 1 else ""
        return Stop(FAILED, f"{problems[0] if problems else 'not reloaded'}{more}")
    code, hint = HINTS.get(refused.name, (FAILED, f"pvdd refused: {refused.name}; see what it logged"))
    try:
        return Stop(code, hint.format(**refused.parameters))
    except KeyError:
        return Stop(code, f"pvdd refused: {refused.name}; see what it logged")


def whole(client: Client, word: str) -> str:
    """The full id of a PvD that lives. An id that no living PvD has is left to the daemon."""
    ids = [one["id"] for one in answered(lambda: client.call(f"{INTERFACE}.GetStatus"))["pvds"]]
    if word in ids:
        return word
    names = [id for id in ids if id.split(":", 1)[1] in (word, word + ".")]
    found = names or [id for id in ids if id.startswith(word) or id.split(":", 1)[1].startswith(word)]
    if len(found) > 1:
        raise Stop(USAGE, f"{word!r} may be {', '.join(found[:8])}; write more of it")
    return found[0] if found else word


def command(args: argparse.Namespace) -> int:
    """up, down, load, unload, pin, unpin, checkpoint, rollback, commit, reload: one call."""
    with connected(args) as client:
        asked: dict[str, Any] = {}
        if args.command in ("pin", "unpin"):
            asked = {"pvd": whole(client, args.pvd)}
        elif args.command == "up":
            asked = {"settings": args.settings, "link": args.link}
        elif args.command in ("down", "unload"):
            asked = {"settings": args.settings}
        elif args.command == "load":
            asked = {"settings": args.settings, "text": _text(args.file)}
        elif args.command == "checkpoint":
            asked = {"timeout": args.timeout}
        said = answered(lambda: client.call(f"{INTERFACE}.{args.command.capitalize()}", **asked))
    for note in said.get("notes", ()):
        print(f"pvdctl: {note['key']} ({note['where']}): {text.NOTED[note['code']]}", file=sys.stderr)
    return DONE


def _text(path: str) -> str:
    """What a file says, or standard input. Raises Stop."""
    try:
        return (sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()).decode()
    except OSError as error:
        raise Stop(FAILED, f"{path}: {error.strerror}; write the path of a profile, or - for standard input") from None
    except UnicodeDecodeError:
        raise Stop(FAILED, f"{path}: no UTF-8; write it as those in /etc/pvd/settings.d") from None


def call(args: argparse.Namespace) -> int:
    """`call [METHOD [JSON]]`: one call as it is; without a method the interfaces are printed."""
    with connected(args) as client:
        if args.method is None:
            for interface in answered(lambda: client.call(f"{SERVICE}.GetInfo"))["interfaces"]:
                method, asked = f"{SERVICE}.GetInterfaceDescription", {"interface": interface}
                print(answered(partial(client.call, method, **asked))["description"])
            return DONE
        try:
            asked = msgspec.json.decode(args.parameters, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise Stop(USAGE, f'{args.parameters} is no JSON object ({error}); write \'{{"pvd": "ID"}}\'') from None
        method = args.method if "." in args.method else f"{INTERFACE}.{args.method}"
        print(report.to_json(answered(lambda: client.call(method, **asked))))
    return DONE


def notices(client: Client, cursor: str | None = None) -> Iterator[dict[str, Any]]:
    """The notices of a subscription, decoded, for ever. Raises Stop."""
    stream = client.stream(f"{INTERFACE}.Subscribe", **({} if cursor is None else {"cursor": cursor}))
    while True:
        yield msgspec.json.decode(answered(lambda: next(stream)))


def _change(notice: dict[str, Any]) -> Change | None:
    said = notice.get("change")
    return None if said is None else read_change(msgspec.json.encode(said))


def monitor(args: argparse.Namespace, coloured: bool) -> int:
    """Changes as they happen, from the daemon. Raises Stop with NOT_RUNNING when there is none."""
    with connected(args) as client:
        for notice in notices(_patient(client), args.cursor):
            change = _change(notice)
            if change is None:
                continue
            row = report.change_row(change)
            if args.jsonl:
                print(report.to_json({"cursor": notice["cursor"], **msgspec.to_builtins(row)}, pretty=False))
            else:
                out = Printer(sys.stdout.write, colour=coloured, legend=False)
                text.history(out, [row], lambda seq: 0, args.utc, dated=True)
            sys.stdout.flush()
    return DONE


def _patient(client: Client) -> Client:
    client.settimeout(None)
    return client


def wait(args: argparse.Namespace) -> int:
    """Until a PvD reaches a phase: DONE, or TIMED_OUT with a line."""
    begun = time.monotonic()
    with connected(args) as client:
        id = whole(client, args.pvd)
        phases: dict[str, str] = {}
        stream = client.stream(f"{INTERFACE}.Subscribe")
        while True:
            left = args.timeout - (time.monotonic() - begun) if args.timeout is not None else None
            late = Stop(TIMED_OUT, f"{args.pvd} is not {args.phase} after {args.timeout} s; see `pvdctl history`")
            if left is not None and left <= 0:
                raise late
            client.settimeout(left)
            try:
                notice = msgspec.json.decode(next(stream))
            except TimeoutError:
                raise late from None
            except Refused as refused:
                raise _stopped(refused) from None
            except NotRunning as error:
                raise Stop(NOT_RUNNING, str(error)) from None
            for pvd in notice.get("snapshot") or ():
                phases[pvd["id"]] = pvd["phase"]
            change = _change(notice)
            if change is not None:
                phases[change.pvd] = _furthest(client_phase=phases.get(change.pvd, ""), change=change)
            names = [one for one in phases if one == id or one.split(":", 1)[1] in (id, id + ".")]
            if any(phases[one] in REACHED[args.phase] for one in names):
                return DONE
            if args.phase == "gone" and not names and notice.get("snapshot") is not None:
                return DONE  # it is not there


def _furthest(client_phase: str, change: Change) -> str:
    """The phase as a change says it: of one instance, which is the PvD's unless it has several."""
    return change.phase or client_phase


# exec


def netns_of(source: Any, word: str) -> str:
    """The namespace that a PvD is placed in. Raises Stop."""
    from replay.sources import resolve

    id = resolve(source.state, word)
    document = report.state_document(source.state, only=lambda pvd: pvd.id == id)
    for pvd in document.pvds:
        for held in pvd.instances:
            if held.placed_in is not None and held.placed_in.netns is not msgspec.UNSET:
                return held.placed_in.netns
    if id.startswith("vpn:"):
        raise Stop(FAILED_125, f"{id} is in no namespace; have its tunnel moved there: pvdctl hook --tunnel move")
    raise Stop(FAILED_125, f'{id} is in no namespace; write projection = "netns" for its link in pvd.conf')


FAILED_125: Final = 125
NOT_EXECUTABLE: Final = 126
NOT_A_COMMAND: Final = 127
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWNET: Final = 0x40000000
MS_RDONLY: Final = 0x1
MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_SLAVE: Final = 0x80000
MNT_DETACH: Final = 2
CACHES: Final = ("/run/nscd", "/run/systemd/resolve")
"""Where the C library asks a daemon of the host for names, which answers from any network (nscd(8), nss-resolve(8))."""


def enter(netns: str) -> None:
    """Go into a named namespace for good, with its files over /etc and its own /sys, as ip-netns(8) does, and out of
    reach of the host's caches of names.

    Raises Stop with 125.
    """
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def must(code: int, what: str) -> None:
        if code != 0:
            error = os.strerror(ctypes.get_errno())
            raise Stop(FAILED_125, f"{what}: {error}; run it as root, on the host itself")

    try:
        handle = os.open(f"/run/netns/{netns}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Stop(FAILED_125, f"/run/netns/{netns}: {error.strerror}; is pvdd running? see `ip netns`") from None
    must(libc.setns(handle, CLONE_NEWNET), f"entering {netns}")
    os.close(handle)
    must(libc.unshare(CLONE_NEWNS), "a mount namespace")
    must(libc.mount(b"", b"/", b"none", MS_SLAVE | MS_REC, None), "mounts of our own")
    libc.umount2(b"/sys", MNT_DETACH)
    libc.mount(netns.encode(), b"/sys", b"sysfs", 0, None)  # (a container may not: then /sys stays the host's)
    for path in CACHES:
        if os.path.isdir(path):
            must(libc.mount(b"none", path.encode(), b"tmpfs", MS_RDONLY, b"size=0,mode=0755"), path)
    folder = f"/etc/netns/{netns}"
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        over = f"/etc/{name}"
        if os.path.exists(over):
            must(libc.mount(f"{folder}/{name}".encode(), os.path.realpath(over).encode(), b"", MS_BIND, None), over)


def run_inside(netns: str, words: list[str]) -> int:
    """Become the command inside a namespace. Raises Stop with 125, 126 or 127."""
    enter(netns)
    sys.stdout.flush()
    try:
        os.execvp(words[0], words)
    except FileNotFoundError:
        raise Stop(NOT_A_COMMAND, f"there is no command {words[0]}; write its path") from None
    except OSError as error:
        raise Stop(NOT_EXECUTABLE, f"{words[0]}: {error.strerror}; is it a program?") from None
