"""NetworkManager's keyfiles: nm-settings-keyfile(5), which writes settings as groups and their properties as keys.

Law: total: octets in, a profile or a typed rejection out. Aliases (`[wifi]`), numbered keys (`address1`) and `;` lists
are read as NetworkManager reads them; properties that it has and we don't are noted.
"""

import re
from typing import Final

from adapters.settings.ini import Line, read
from adapters.settings.vocabulary import INVALID, LISTS, SCALARS, SECRET, Maker, Rejected, decoded, flag
from events.operator import Settings, SettingsRejected

SOURCE: Final = "keyfile"
GROUPS: Final = {
    "ethernet": "802-3-ethernet",
    "wifi": "802-11-wireless",
    "wifi-security": "802-11-wireless-security",
}
NUMBERED: Final = re.compile(r"(address(?:es)?|routes?|dns|dns-search)([0-9]*)")
DEFAULTS: Final = {
    # What NetworkManager writes without meaning anything by it: the values that are none; () is all.
    "connection.timestamp": (),
    "connection.permissions": ("",),
    "connection.read-only": ("", "false"),
    "connection.secondaries": ("",),
    "802-3-ethernet.mac-address-blacklist": ("",),
    "802-11-wireless.mac-address-blacklist": ("",),
    "802-11-wireless.mode": ("infrastructure", ""),
    "802-11-wireless.security": (),
    "802-11-wireless.seen-bssids": (),
    "ipv6.addr-gen-mode": ("default", "default-or-eui64", "stable-privacy"),
    "ipv4.dns-search": ("",),
    "ipv6.dns-search": ("",),
    "ipv6.ip6-privacy": ("-1",),
    "ipv4.route-metric": ("-1",),
    "ipv6.route-metric": ("-1",),
    "connection.multi-connect": ("0",),
    "connection.autoconnect-priority": (),
}
MULTI: Final = {"1": "single", "2": "manual-multiple", "3": "multiple"}
BOOLEANS: Final = ("true", "false", "1", "0")
"""The only words GKeyFile takes for truth; `no` is none, and the property keeps its default."""
SILENT_GROUPS: Final = ("proxy",)


def parse(path: str, data: bytes) -> Settings | SettingsRejected:
    """The profile in a keyfile."""
    try:
        return _parse(path, decoded(SOURCE, path, data))
    except Rejected as rejected:
        return rejected.event


def _parse(path: str, text: str) -> Settings:
    lines = list(read(SOURCE, path, text))
    header = next((line for line in lines if line.section == "connection"), None)
    if header is None:
        raise Rejected(SOURCE, f"{path}:1", "no-profile", "no group [connection]")
    maker = Maker(SOURCE, header.where)
    for line in lines:
        if line.key:
            _line(maker, line)
        elif _group(line.section) not in _KNOWN_GROUPS and line.section not in SILENT_GROUPS:
            maker.unused(f"[{line.section}]", line.where)
    values = maker.values
    values.setdefault("connection.autoconnect", True)
    for family in ("ipv4", "ipv6"):
        # A group that is not there is the method auto; of WireGuard, which has nobody to ask, it is none.
        values.setdefault(f"{family}.method", "disabled" if values.get("connection.type") == "wireguard" else "auto")
    stem = path.rsplit("/", 1)[-1].removesuffix(".nmconnection")
    id = values.get("connection.id")
    return maker.made(id if isinstance(id, str) and id else stem)


def _group(section: str) -> str:
    return GROUPS.get(section, section)


_KNOWN_GROUPS: Final = frozenset(key.rsplit(".", 1)[0] for key in (*SCALARS, *LISTS))


def _line(maker: Maker, line: Line) -> None:
    group = _group(line.section)
    key = f"{group}.{line.key}"
    shown = f"[{line.section}] {line.key}"
    if group in ("vpn-secrets",) or (group.startswith("wireguard-peer") and "key" in line.key):
        maker.note(SECRET, shown, line.where)
        return
    nothing = DEFAULTS.get(key)
    if nothing is not None and ((nothing == () and key not in SCALARS) or line.value in nothing):
        return
    numbered = NUMBERED.fullmatch(line.key)
    if group in ("ipv4", "ipv6") and line.key.endswith("_options"):
        maker.unused(shown, line.where)
    elif group in ("ipv4", "ipv6") and numbered:
        _numbered(maker, group, numbered[1], bool(numbered[2]), line, shown)
    elif key == "match.interface-name":
        for item in _items(line.value):
            maker.add(key, item, line.where, shown)
    elif group == "match":
        maker.add("match.unsupported", line.key, line.where, shown)
        maker.unused(shown, line.where)
    elif key == "connection.multi-connect":
        maker.set(key, MULTI.get(line.value, line.value), line.where, shown)
    elif key == "802-11-wireless.ssid":
        maker.set(key, _ssid(line.value), line.where, shown)
    elif SCALARS.get(key) is flag and line.value not in BOOLEANS:
        maker.note(INVALID, shown, line.where)
    elif key in SCALARS:
        maker.set(key, _unescaped(line.value), line.where, shown)
    elif key in LISTS:
        for item in _items(line.value):
            maker.add(key, item, line.where, shown)
    elif line.section not in SILENT_GROUPS:
        maker.unused(shown, line.where)


def _numbered(maker: Maker, family: str, kind: str, counted: bool, line: Line, shown: str) -> None:
    """`address1=192.0.2.5/24,192.0.2.1`, `route1=198.51.100.0/24,192.0.2.1,77`, `dns=192.0.2.53;`."""
    if kind.startswith("address"):
        # Without a number: several, as `ADDRESS/LENGTH,GATEWAY` each between semicolons (older writers).
        for entry in [line.value] if counted else _split(line.value):
            address, _, gateway = entry.partition(",")
            address = address.strip()
            if "/" not in address:
                address += "/24" if family == "ipv4" else "/64"  # as NetworkManager's reader
            maker.add(f"{family}.addresses", address, line.where, shown)
            if gateway.strip() and f"{family}.gateway" not in maker.values:
                maker.set(f"{family}.gateway", gateway.strip(), line.where, shown)
    elif kind.startswith("route"):
        for entry in [line.value] if counted else _split(line.value):
            parts = [part.strip() for part in entry.split(",")]
            via = parts[1] if len(parts) > 1 and parts[1] not in ("", "0.0.0.0", "::") else ""
            if len(parts) > 2 and parts[2] not in ("", "0"):
                maker.unused(f"{shown} metric", line.where)
            maker.add(f"{family}.routes", f"{parts[0]} {via}".strip(), line.where, shown)
    else:
        for item in _items(line.value):
            if kind == "dns":
                bare, hash, _ = item.partition("#")  # the name of an encrypted resolver
                if hash:
                    maker.unused(f"{shown} #NAME", line.where)
                maker.add(f"{family}.dns", bare, line.where, shown)
            elif item.startswith("~"):
                maker.unused(f"{shown} ~NAME", line.where)
            else:
                maker.add(f"{family}.dns-search", item, line.where, shown)


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(";") if part.strip()]


def _items(value: str) -> list[str]:
    r"""A list: separated by `;` or, as older writers do, `,`; `\;` is a semicolon."""
    parts = re.split(r"(?<!\\)[;,]", value)
    return [_unescaped(part.strip().replace("\\;", ";")) for part in parts if part.strip()]


_ESCAPES: Final = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), value)


def _ssid(value: str) -> str:
    r"""A network's name: text, or the octets as a list of numbers (`72;105;`)."""
    parts = [part for part in value.split(";") if part]
    if ";" in value and all(part.strip().isdecimal() and int(part) < 256 for part in parts):
        return bytes(int(part) for part in parts).decode("utf-8", "backslashreplace")
    return _unescaped(value)
