"""What other managers have active on which link, from the notes that they keep for themselves under /run.

Law: observed and never asked for, and nothing is done to it: a connection of theirs is known by the profile it came of
(NetworkManager's UUID, systemd-networkd's file), also where only they know that profile. A note that cannot be read
says nothing.

    /run/NetworkManager/devices/IFINDEX       [device] connection-uuid=UUID
    /run/systemd/netif/links/IFINDEX          ADMIN_STATE=configured  NETWORK_FILE=PATH
"""

import os
import re
from collections.abc import Iterator
from typing import Final

from adapters.settings.vocabulary import FILE_OCTETS_MAX
from events.operator import ConnectionClosed, ConnectionOpened
from pvdcore.profiles.connections import OPEN, connection_id
from pvdcore.state import State

NETWORKMANAGER: Final = "run/NetworkManager/devices"
NETWORKD: Final = "run/systemd/netif/links"
NOTES: Final = (NETWORKMANAGER, NETWORKD)
CONFIGURING: Final = ("pending", "configuring", "configured", "degraded")
"""networkd's ADMIN_STATE of a link that it does something with; unmanaged, failed, linger and initialized are not."""

Active = dict[int, tuple[str, str]]
"""By interface number: the manager, and what it calls the profile."""


def active(root: str = "/") -> Active:
    """What is active now."""
    found: Active = {}
    for folder, say in ((NETWORKMANAGER, _networkmanager), (NETWORKD, _networkd)):
        for number, said in _notes(os.path.join(root, folder)):
            profile = say(said)
            if profile:
                found.setdefault(number, (folder, profile))
    return found


def _notes(folder: str) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if re.fullmatch(r"[1-9][0-9]{0,9}", name):
            try:
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                    text = file.read(FILE_OCTETS_MAX)
            except OSError:
                continue
            yield int(name), dict(re.findall(r"^([A-Za-z_-]+)=(.*)$", text, re.M))


def _networkmanager(said: dict[str, str]) -> str:
    return said.get("connection-uuid", "").strip()


def _networkd(said: dict[str, str]) -> str:
    return said.get("NETWORK_FILE", "").strip() if said.get("ADMIN_STATE", "").strip() in CONFIGURING else ""


def differences(state: State, now: Active) -> Iterator[ConnectionOpened | ConnectionClosed]:
    """What to record, so that what others have active is what the State says that they have."""
    wanted = {}
    for name, link in state.links.items():
        if link.host and link.gone_at is None and link.attached and link.ifindex in now:
            settings = _settings(state, *now[link.ifindex])
            wanted[connection_id(settings, name)] = (settings, name)
    known = {id: one for id, one in state.connections.items() if one.phase in OPEN}
    for id, one in sorted(known.items()):
        if one.by == "external" and id not in wanted:
            yield ConnectionClosed(id=id, reason="external")
    for id, (settings, name) in sorted(wanted.items()):
        if id not in known:
            yield ConnectionOpened(id=id, settings=settings, link=name, by="external")


def _settings(state: State, manager: str, profile: str) -> str:
    """The id of a profile that a manager names, else its own name for it."""
    for id, one in sorted(state.settings.items()):
        if manager == NETWORKMANAGER and one.values.get("connection.uuid") == profile and one.source != "networkd":
            return id
        if manager == NETWORKD and one.source == "networkd" and one.origin.rpartition(":")[0] == profile:
            return id
    return profile.rpartition("/")[2]
