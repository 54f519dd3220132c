"""/etc/netns/NAME/resolv.conf: what `ip netns exec` and `pvdctl exec` mount over /etc/resolv.conf inside.

Law: written whole or not at all (a new file, renamed), only where nothing stands or what stands begins with our line,
and removed only then. Whoever wrote there first keeps what they wrote.
"""

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

FOLDER = Path("/etc/netns")  # ip-netns(8)
MARK: Final = "# Written by pvdd. What you change here is changed back.\n"


def text(servers: tuple[str, ...], search: tuple[str, ...]) -> str:
    """The file: resolvers in order of use, then the search list (resolv.conf(5))."""
    lines = [f"nameserver {one}\n" for one in servers]
    if search:
        lines.append(f"search {' '.join(_name(one) for one in search)}\n")
    return MARK + "".join(lines)


def _name(name: str) -> str:
    """A name as resolv.conf can hold it: one word. What would be several or a comment is cut away."""
    return "".join(one for one in name if one.isprintable() and not one.isspace() and one not in "#;")


def read(netns: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(servers, search) as we wrote them; nothing where there is no file of ours."""
    try:
        said = (FOLDER / netns / "resolv.conf").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return (), ()
    if not said.startswith(MARK):
        return (), ()
    servers: list[str] = []
    search: tuple[str, ...] = ()
    for line in said.splitlines()[1:]:
        word, *values = line.split()
        if word == "nameserver" and values:
            servers.append(values[0])
        elif word == "search":
            search = tuple(values)
    return tuple(servers), search


def write(netns: str, servers: tuple[str, ...], search: tuple[str, ...]) -> str:
    """Write it, or remove it where there is nothing to say: "" when done, else why not."""
    path = FOLDER / netns / "resolv.conf"
    if _foreign(path):
        return "EEXIST: resolv.conf is not ours"
    if not servers and not search:
        remove(netns)
        return ""
    fresh = path.with_name(".resolv.conf.new")
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh.write_text(text(servers, search), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        return errno.errorcode.get(error.errno or 0, "EIO")
    return ""


def remove(netns: str) -> None:
    """Remove ours, and the folder if nothing else is in it."""
    folder = FOLDER / netns
    path = folder / "resolv.conf"
    with contextlib.suppress(OSError):
        if not _foreign(path):
            path.unlink(missing_ok=True)
        (folder / ".resolv.conf.new").unlink(missing_ok=True)
        os.rmdir(folder)


def remove_all() -> None:
    """Remove those of ours whose namespace is no more."""
    with contextlib.suppress(OSError):
        for folder in sorted(FOLDER.iterdir()):
            if (folder / "resolv.conf").exists() and not _foreign(folder / "resolv.conf"):
                remove(folder.name)


def _foreign(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(len(MARK)) != MARK
    except FileNotFoundError:
        return False
