"""The one vocabulary of profiles: NetworkManager's dotted names, what each may be, and what never leaves its file.

Law: a value enters a profile through `Maker` or not at all, in one canonical spelling, with the line it stands on. What
is not in this table is noted by name and line, never by value: a key that nobody knows may hold a password.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Final

from events.operator import Settings, SettingsNote, SettingsRejected, Value

FILE_OCTETS_MAX: Final = 65_536  # a profile has some hundred octets, with certificates inside some ten thousand
LF: Final = b"\n"
ITEMS_MAX: Final = 256  # of one list: as many addresses and routes as one profile may reasonably name
TEXT_MAX: Final = 512  # characters of one value; names and addresses are far below

RULES: Final = {
    "too-large": f"the file has more than {FILE_OCTETS_MAX} octets",
    "encoding": "octets that are no UTF-8",
    "syntax": "a line that the format does not have",
    "no-profile": "no section or key that makes it a profile",
    "unreadable": "the file cannot be opened",
}
"""Why a file is no profile: the `rule` of SettingsRejected."""

UNSUPPORTED, INVALID, SECRET = "settings-unsupported", "settings-invalid", "settings-secret"

_SECRET: Final = re.compile(
    r"passw|passphrase|psk|secret|private[-_]?key|preshared[-_]?key|wep[-_]?key|wep-tx|mka-ca|\bkey\d*$|\bpin$|\bpac\b|token",
    re.IGNORECASE,
)


def is_secret(key: str) -> bool:
    """Whether a key of a source may hold a secret. Flags that say where one is kept do not."""
    return not key.endswith(("-flags", "-type", "key-mgmt")) and bool(_SECRET.search(key))


# What values may be. Each takes text and gives the canonical form, or raises ValueError.


def text(said: str) -> str:
    if len(said) > TEXT_MAX:
        raise ValueError("too long")
    return said


def flag(said: str) -> bool:
    word = said.strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError("neither true nor false")


def number(said: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", said.strip()):
        raise ValueError("no number")
    return int(said)


def mtu(said: str) -> int:
    octets = number(said)
    if octets and not 68 <= octets <= 65_535:  # RFC 791 §3.1; 0 is NetworkManager's "as it is"
        raise ValueError("no MTU")
    return octets


def one_of(*words: str) -> Callable[[str], str]:
    def check(said: str) -> str:
        if said.strip().lower() not in words:
            raise ValueError(f"none of {', '.join(words)}")
        return said.strip().lower()

    return check


def mac(said: str) -> str:
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{1,2}[:-]){5}[0-9A-Fa-f]{1,2}", said.strip()):
        raise ValueError("no MAC address")
    return ":".join(part.zfill(2) for part in re.split("[:-]", said.strip().lower()))


def address(version: int) -> Callable[[str], str]:
    """An address, or a resolver: `#NAME`, `%LINK` and `:PORT` of an encrypted or scoped one are not part of it."""

    def check(said: str) -> str:
        found = ip_address(said.strip())
        if found.version != version:
            raise ValueError("an address of the other family")
        return str(found)

    return check


def prefixed(version: int) -> Callable[[str], str]:
    def check(said: str) -> str:
        if "/" in said and not said.strip().rsplit("/", 1)[1].isdecimal():
            raise ValueError("no prefix length")
        found = ip_interface(said.strip())
        if found.version != version:
            raise ValueError("an address of the other family")
        return str(found)

    return check


def route(version: int) -> Callable[[str], str]:
    """`DESTINATION[ NEXTHOP[ METRIC]]`; host bits of the destination are dropped, as NetworkManager does."""

    def check(said: str) -> str:
        parts = said.split()
        if not 1 <= len(parts) <= 3:
            raise ValueError("no route")
        to = ip_network(parts[0], strict=False)
        if to.version != version:
            raise ValueError("a route of the other family")
        made = [str(to)]
        if len(parts) > 1:
            made.append(address(version)(parts[1]))
        if len(parts) > 2:
            made.append(str(number(parts[2])))
        return " ".join(made)

    return check


def name(said: str) -> str:
    """A domain name, lower-case, with its final dot."""
    word = said.strip().lower().rstrip(".")
    labels = word.split(".")
    if not word or len(word) > 253 or any(not label or len(label) > 63 or label.split() != [label] for label in labels):
        raise ValueError("no domain name")
    return word + "."


def expected(said: str) -> str:
    """A PvD's id; a bare name is an explicit one."""
    kind, colon, key = said.strip().partition(":")
    if not colon:
        return f"fqdn:{name(said)}"
    if kind == "fqdn":
        return f"fqdn:{name(key)}"
    if kind not in ("uuid", "ra", "if", "dhcp4", "dhcp6", "vpn") or not key:
        raise ValueError("no PvD's id")
    return said.strip()


def hint(said: str) -> str:
    """The prefix to be delegated as it is hinted at: `::/56`, or one that this host had (RFC 8415 §18.2.4)."""
    found = ip_network(said.strip())
    if found.version != 6 or "/" not in said:
        raise ValueError("no prefix")
    return str(found)


_METHODS4: Final = ("auto", "manual", "link-local", "shared", "disabled")
_METHODS6: Final = (*_METHODS4, "dhcp", "ignore")
TYPES: Final = {"ethernet": "802-3-ethernet", "wifi": "802-11-wireless", "wireless": "802-11-wireless"}


def _type(said: str) -> str:
    return TYPES.get(said.strip().lower(), text(said.strip().lower()))


SCALARS: Final[dict[str, Callable[[str], Value]]] = {
    "connection.id": text,
    "connection.uuid": text,
    "connection.type": _type,
    "connection.interface-name": text,
    "connection.autoconnect": flag,
    "connection.autoconnect-priority": number,
    "connection.multi-connect": one_of("single", "manual-multiple", "multiple"),
    "802-3-ethernet.mac-address": mac,
    "802-3-ethernet.mtu": mtu,
    "802-11-wireless.mac-address": mac,
    "802-11-wireless.ssid": text,
    "802-11-wireless-security.key-mgmt": text,
    "ipv4.method": one_of(*_METHODS4),
    "ipv4.gateway": address(4),
    "ipv4.never-default": flag,
    "ipv4.may-fail": flag,
    "ipv4.ignore-auto-dns": flag,
    "ipv4.ignore-auto-routes": flag,
    "ipv6.method": one_of(*_METHODS6),
    "ipv6.gateway": address(6),
    "ipv6.never-default": flag,
    "ipv6.may-fail": flag,
    "ipv6.ignore-auto-dns": flag,
    "ipv6.ignore-auto-routes": flag,
    "ipv6.dhcp-pd-hint": hint,
    "vpn.service-type": text,
}
LISTS: Final[dict[str, Callable[[str], str]]] = {
    "match.interface-name": text,
    "match.mac-address": mac,
    "match.type": text,
    "match.unsupported": text,
    "802-1x.eap": text,
    "ipv4.addresses": prefixed(4),
    "ipv4.routes": route(4),
    "ipv4.dns": address(4),
    "ipv4.dns-search": name,
    "ipv6.addresses": prefixed(6),
    "ipv6.routes": route(6),
    "ipv6.dns": address(6),
    "ipv6.dns-search": name,
    "pvd.expected": expected,
}


class Maker:
    """A profile as it is being read. where: `FILE:LINE` of what is said; shown: the key as its source spells it."""

    def __init__(self, source: str, origin: str) -> None:
        self.source = source
        self.origin = origin
        self.values: dict[str, Value | list[str]] = {}
        self.lines: dict[str, str] = {}
        self.notes: list[SettingsNote] = []

    def set(self, key: str, said: str, where: str, shown: str) -> None:
        """One value; the last one said counts."""
        try:
            self.values[key] = value = SCALARS[key](said)
            self.lines[key] = where
            if key.endswith(".may-fail") and value is False:  # a connection is as far as its PvDs, of whichever family
                self.note(UNSUPPORTED, shown, where)
        except ValueError:
            self.note(INVALID, shown, where)

    def add(self, key: str, said: str, where: str, shown: str) -> None:
        """One more item of a list; one that is there already is not repeated."""
        try:
            item = LISTS[key](said)
        except ValueError:
            self.note(INVALID, shown, where)
            return
        known = self.values.setdefault(key, [])
        assert isinstance(known, list)
        if len(known) >= ITEMS_MAX:
            self.note(INVALID, shown, where)
        elif item not in known:
            known.append(item)
            self.lines.setdefault(key, where)

    def clear(self, key: str) -> None:
        """What was said before is taken back (an empty assignment of systemd)."""
        self.values.pop(key, None)
        self.lines.pop(key, None)

    def unused(self, shown: str, where: str) -> None:
        """Something that is not supported, or a secret."""
        self.note(SECRET if is_secret(shown) else UNSUPPORTED, shown, where)

    def note(self, code: str, shown: str, where: str) -> None:
        """Told once for each line."""
        note = SettingsNote(code, shown[:TEXT_MAX], where)
        if note not in self.notes and len(self.notes) < ITEMS_MAX:
            self.notes.append(note)

    def made(self, id: str) -> Settings:
        """The profile."""
        values = {key: value for key, value in sorted(self.values.items()) if value != []}
        lines = {key: where for key, where in sorted(self.lines.items()) if key in values}
        return Settings(id, self.source, self.origin, values, lines, tuple(self.notes))


class Rejected(Exception):
    """A file that is no profile."""

    def __init__(self, source: str, where: str, rule: str, told: str = "") -> None:
        super().__init__(where)
        self.event = SettingsRejected(origin=where, source=source, rule=rule, text=told or RULES[rule])


def decoded(source: str, path: str, data: bytes) -> str:
    """A file's text. Raises Rejected."""
    if len(data) > FILE_OCTETS_MAX:
        raise Rejected(source, f"{path}:1", "too-large")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Rejected(source, f"{path}:{data[: error.start].count(LF) + 1}", "encoding") from None
