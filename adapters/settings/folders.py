"""Where profiles stand on a host, which file hides which, and what has changed since they were last read.

Law: reading is total: a file is a profile or refused, and no file keeps another from being read. Only differences are
events. A file that can be read no more keeps the profile that it gave; one that is gone takes it along.
"""

import os
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from adapters.settings import ifcfg, keyfile, networkd, toml
from adapters.settings.vocabulary import FILE_OCTETS_MAX, RULES
from events.operator import Settings, SettingsLoaded, SettingsRejected, SettingsRemoved
from pvdcore.state import State

OWN: Final = ("etc/pvd/settings.d",)
KEYFILES: Final = (
    # In order of precedence: the first to have a UUID hides the others (NetworkManager's keyfile plugin).
    "run/NetworkManager/system-connections",
    "etc/NetworkManager/system-connections",
    "usr/lib/NetworkManager/system-connections",
)
NETWORKS: Final = (
    # In order of precedence: the first to have a name hides the others (systemd.network(5)).
    "etc/systemd/network",
    "run/systemd/network",
    "usr/local/lib/systemd/network",
    "usr/lib/systemd/network",
)
SCRIPTS: Final = ("etc/sysconfig/network-scripts",)
FOLDERS: Final = (*OWN, *KEYFILES, *NETWORKS, *SCRIPTS)
SOURCES: Final = (toml.SOURCE, keyfile.SOURCE, networkd.SOURCE, ifcfg.SOURCE)
FILES_MAX: Final = 1024  # of one folder: a host has some ten profiles; a laptop that was everywhere some hundred
BACKUPS: Final = ("~", ".bak", ".orig", ".rej", ".rpmnew", ".rpmsave", ".rpmorig", ".dpkg-dist", ".dpkg-old", ".swp")

Events = SettingsLoaded | SettingsRemoved | SettingsRejected


class Reading(msgspec.Struct, frozen=True):
    """All that the files say, by file (the path as the host has it). Ids are unique."""

    profiles: dict[str, Settings] = {}
    refused: dict[str, SettingsRejected] = {}


class _Reader:
    """One look at all folders under a root."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.profiles: dict[str, Settings] = {}
        self.refused: dict[str, SettingsRejected] = {}

    def names(self, folder: str) -> list[str]:
        try:
            found = sorted(os.listdir(os.path.join(self.root, folder)))
        except OSError:
            return []
        return [name for name in found if not name.startswith((".", "#")) and not name.endswith(BACKUPS)][:FILES_MAX]

    def masked(self, folder: str, name: str) -> bool:
        """Whether a file is a link to /dev/null, which hides those it would hide and is none itself."""
        try:
            return os.readlink(os.path.join(self.root, folder, name)) == "/dev/null"
        except OSError:
            return False

    def octets(self, source: str, folder: str, name: str) -> bytes | None:
        """A file's content, one octet more than there may be; `None` if it cannot be read."""
        path = os.path.join(self.root, folder, name)
        try:
            # O_NONBLOCK: a FIFO here would have us wait for its writer.
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                return file.read(FILE_OCTETS_MAX + 1) or b""
        except FileNotFoundError:
            return None
        except OSError as error:
            where = f"/{folder}/{name}"
            text = f"{RULES['unreadable']}: {error.strerror}"
            self.refused[where] = SettingsRejected(origin=f"{where}:1", source=source, rule="unreadable", text=text)
            return None

    def keep(self, path: str, made: Settings | SettingsRejected) -> None:
        if isinstance(made, Settings):
            self.profiles[path] = made
        else:
            self.refused[path] = made

    # The sources

    def own(self) -> None:
        for folder in OWN:
            for name in self.names(folder):
                if name.endswith(".toml") and (data := self.octets(toml.SOURCE, folder, name)) is not None:
                    self.keep(f"/{folder}/{name}", toml.parse(f"/{folder}/{name}", data))

    def keyfiles(self) -> None:
        known: set[str] = set()
        for folder in KEYFILES:
            for name in self.names(folder):
                if name.endswith(".nmmeta"):
                    if self.masked(folder, name):
                        known.add(name.removesuffix(".nmmeta"))
                    continue
                if not name.endswith(".nmconnection") and not folder.startswith("etc/"):
                    continue
                data = self.octets(keyfile.SOURCE, folder, name)
                if data is None:
                    continue
                made = keyfile.parse(f"/{folder}/{name}", data)
                uuid = made.values.get("connection.uuid") if isinstance(made, Settings) else None
                if not isinstance(uuid, str) or uuid not in known:
                    self.keep(f"/{folder}/{name}", made)
                if isinstance(uuid, str):
                    known.add(uuid)

    def networks(self) -> None:
        chosen: dict[str, str] = {}
        drop_ins: dict[str, dict[str, str]] = {}
        for folder in NETWORKS:
            for name in self.names(folder):
                if name.endswith(".network"):
                    chosen.setdefault(name, folder)
                elif name.endswith(".network.d"):
                    for part in self.names(f"{folder}/{name}"):
                        if part.endswith(".conf"):
                            drop_ins.setdefault(name.removesuffix(".d"), {}).setdefault(part, f"{folder}/{name}")
        for name, folder in sorted(chosen.items()):
            if self.masked(folder, name):
                continue
            data = self.octets(networkd.SOURCE, folder, name)
            if not data:  # an empty file hides those of its name, as one that links to /dev/null does
                continue
            files = [(f"/{folder}/{name}", data)]
            for part, where in sorted(drop_ins.get(name, {}).items()):
                more = None if self.masked(where, part) else self.octets(networkd.SOURCE, where, part)
                if more:
                    files.append((f"/{where}/{part}", more))
            self.keep(files[0][0], networkd.parse(files[0][0], files))

    def scripts(self) -> None:
        for folder in SCRIPTS:
            names = self.names(folder)
            for name in names:
                if not name.startswith("ifcfg-") or name == "ifcfg-lo":
                    continue
                link = name.removeprefix("ifcfg-")
                if ":" in link:
                    if name.partition(":")[0] not in names:
                        self.keep(f"/{folder}/{name}", ifcfg.stray(f"/{folder}/{name}"))
                    continue
                data = self.octets(ifcfg.SOURCE, folder, name)
                if data is None:
                    continue
                aliases = [
                    (f"/{folder}/{one}", more)
                    for one in names
                    if one.startswith(f"{name}:") and (more := self.octets(ifcfg.SOURCE, folder, one)) is not None
                ]
                beside = {}
                for kind in ("route", "route6", "rule", "rule6", "keys"):
                    # The keys are secrets: that there are some is known without opening them.
                    if f"{kind}-{link}" in names:
                        more = b"" if kind == "keys" else self.octets(ifcfg.SOURCE, folder, f"{kind}-{link}")
                        if more is not None:
                            beside[kind] = (f"/{folder}/{kind}-{link}", more)
                self.keep(f"/{folder}/{name}", ifcfg.parse(f"/{folder}/{name}", data, beside, aliases))


def read(root: str = "/") -> Reading:
    """All profiles of a host, or of a folder that looks like one."""
    reader = _Reader(root)
    for source in (reader.own, reader.keyfiles, reader.networks, reader.scripts):
        source()
    return Reading(dict(_named(reader.profiles)), reader.refused)


def _named(profiles: dict[str, Settings]) -> Iterator[tuple[str, Settings]]:
    """Each profile under an id of its own: the first to have it keeps it, in the order in which they are read."""
    taken: set[str] = set()
    for path, one in profiles.items():
        id = one.id
        number = 1
        while id in taken:
            id = f"{one.id}~{one.source}" if number == 1 else f"{one.id}~{one.source}{number}"
            number += 1
        taken.add(id)
        yield path, one if id == one.id else replace(one, id=id)


def believed(state: State) -> Reading:
    """What the files said when they were last read, as the State has it; profiles of other sources are of no file."""
    profiles = {file_of(one.origin): one for _, one in sorted(state.settings.items()) if one.source in SOURCES}
    refused = {
        file: SettingsRejected(origin=one.origin, source=one.source, rule=one.rule, text=one.text)
        for file, one in sorted(state.intent.refused.items())
    }
    return Reading(profiles, refused)


def file_of(origin: str) -> str:
    """The file of `FILE:LINE`."""
    return origin.rpartition(":")[0] or origin


def kept(before: Reading, now: Reading) -> Reading:
    """What is to be believed now: a file that is refused keeps the profile it gave before."""
    stays = {file: one for file, one in before.profiles.items() if file in now.refused}
    taken = {one.id for one in now.profiles.values()}
    return Reading({**now.profiles, **{file: one for file, one in stays.items() if one.id not in taken}}, now.refused)


def differences(before: Reading, after: Reading) -> Iterator[Events]:
    """What to record. after: as `kept` makes it."""
    old = {one.id: one for one in before.profiles.values()}
    new = {one.id: one for one in after.profiles.values()}
    for id in sorted(set(old) - set(new)):
        yield SettingsRemoved(id=id, origin=file_of(old[id].origin))
    healed = set(before.refused) - set(after.refused)
    for _, one in sorted(new.items()):
        if old.get(one.id) != one or file_of(one.origin) in healed:
            yield SettingsLoaded(settings=one)
    for file in sorted(healed - {file_of(one.origin) for one in (*old.values(), *new.values())}):
        yield SettingsRemoved(id="", origin=file)
    for file, refused in sorted(after.refused.items()):
        if before.refused.get(file) != refused:
            yield refused
