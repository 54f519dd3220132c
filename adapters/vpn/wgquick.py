"""wg-quick's configuration files (wg-quick(8), wg(8)): the interface is named as the file.

Law: of the keys only those that are data of a PvD are read at all, so that no private or preshared key is ever looked
at. The routes are those that wg-quick would make: of each peer's AllowedIPs, and none with `Table = off`; in which
table they stand in the first namespace says nothing of the PvD.
"""

import re
from typing import Final

from adapters.settings import ini
from adapters.settings.vocabulary import Rejected, decoded
from adapters.vpn.tunnel import Tunnel, Unusable

CLIENT: Final = "wg-quick"
FOLDER: Final = "/etc/wireguard"
PATH: Final = re.compile(r"(?:^|/)([a-zA-Z0-9_=+.-]{1,15})\.conf$")
NAME: Final = re.compile(r"[a-zA-Z0-9_=+.-]{1,15}")
PEERS: Final = ("privatekey", "listenport", "fwmark", "publickey", "presharedkey", "endpoint", "persistentkeepalive")
DEEDS: Final = ("preup", "postup", "predown", "postdown", "saveconfig")
ELSEWHERE: Final = frozenset((*PEERS, *DEEDS))  # WireGuard's own business, and what wg-quick does besides


def path_of(said: str) -> str:
    """The file that wg-quick would read: an interface's name stands for one of its folder."""
    return f"{FOLDER}/{said}.conf" if NAME.fullmatch(said) and not said.endswith(".conf") else said


def device_of(path: str) -> str:
    """The interface of a file. Raises Unusable."""
    found = PATH.search(path)
    if found is None:
        raise Unusable(f"{path}: wg-quick takes INTERFACE.conf, at most 15 characters before the dot; rename the file")
    return found[1]


def read(path: str, data: bytes) -> Tunnel:
    """What a file says. Raises Unusable."""
    made = Tunnel(CLIENT, device_of(path))
    prefixes: list[tuple[str, str]] = []
    table = ""
    try:
        lines = list(ini.read(CLIENT, path, _bare(decoded(CLIENT, path, data))))
    except Rejected as error:
        raise Unusable(f"{error.event.origin}: {error.event.text}; `wg-quick strip` shows how it is read") from None
    for line in lines:
        key, said = line.key.lower(), line.value.replace(",", " ").split()
        where = f"{line.where.rpartition(':')[2]}: {line.key}"
        if key in ELSEWHERE or not key:
            continue
        match (line.section.lower(), key):
            case ("interface", "address"):
                for one in said:
                    made.address(one, where)
            case ("interface", "dns"):
                for one in said:
                    if re.fullmatch(r"[0-9.]+|.*:.*", one):
                        made.resolver(one, where)
                    else:
                        made.search_name(one, where)
            case ("interface", "mtu"):
                made.size(line.value, where)
            case ("interface", "table"):
                table = line.value.lower()
            case ("peer", "allowedips"):
                prefixes += [(one, where) for one in said]
            case _:
                made.ignore(where)
    if table != "off":
        for prefix, where in prefixes:
            made.include(prefix, where)
    return made


def _bare(text: str) -> str:
    """Without comments, which may stand behind a value."""
    return "\n".join(line.partition("#")[0] for line in text.split("\n"))
