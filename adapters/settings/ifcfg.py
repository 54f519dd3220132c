"""ifcfg files of initscripts and NetworkManager: nm-settings-ifcfg-rh(5), with their route-, route6- and rule- files.

Law: total, and nothing is ever run: the files are shell, and are read as assignments of plain words. A value that a
shell would have to compute (`$`, a backquote) is noted as invalid.
"""

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Final

from adapters.settings.vocabulary import INVALID, Maker, Rejected, decoded, flag
from events.operator import Settings, SettingsRejected, Value

SOURCE: Final = "ifcfg"
TYPES: Final = {"ethernet": "802-3-ethernet", "wireless": "802-11-wireless"}
_ASSIGN: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")
Entry = tuple[str, str]
"""A value, and the `FILE:LINE` it stands on."""

PLAIN: Final = {
    # key: ours. The last one of a key counts, as in a shell.
    "NAME": "connection.id",
    "UUID": "connection.uuid",
    "DEVICE": "connection.interface-name",
    "ONBOOT": "connection.autoconnect",
    "AUTOCONNECT_PRIORITY": "connection.autoconnect-priority",
    "HWADDR": "802-3-ethernet.mac-address",
    "MTU": "802-3-ethernet.mtu",
    "ESSID": "802-11-wireless.ssid",
    "KEY_MGMT": "802-11-wireless-security.key-mgmt",
    "IPV6_DEFAULTGW": "ipv6.gateway",
}
NEGATED: Final = {
    "DEFROUTE": "ipv4.never-default",
    "IPV6_DEFROUTE": "ipv6.never-default",
    "PEERDNS": "ipv4.ignore-auto-dns",
    "PEERROUTES": "ipv4.ignore-auto-routes",
    "IPV6_PEERDNS": "ipv6.ignore-auto-dns",
    "IPV6_PEERROUTES": "ipv6.ignore-auto-routes",
    "IPV4_FAILURE_FATAL": "ipv4.may-fail",
    "IPV6_FAILURE_FATAL": "ipv6.may-fail",
}
READ: Final = frozenset(
    {
        *("TYPE", "DEVICETYPE", "BOOTPROTO", "DOMAIN", "SEARCH", "NM_CONTROLLED", "MATCH_INTERFACE_NAME"),
        *("IPV6_DOMAIN", "IPV6INIT", "IPV6_AUTOCONF", "DHCPV6C", "IPV6_DISABLED", "IPV6ADDR", "IPV6ADDR_SECONDARIES"),
    }
)
"""What several of together say one thing."""
NUMBERED: Final = re.compile(r"(IPADDR|PREFIX|NETMASK|GATEWAY|DNS)([0-9]*)")
SILENT: Final = {
    # What says nothing, or says what is the default: the values that are none; () is all.
    "USERCTL": ("no",),
    "PROXY_METHOD": ("none",),
    "BROWSER_ONLY": ("no",),
    "NETWORK": (),
    "BROADCAST": (),
    "IPV6_ADDR_GEN_MODE": ("default", "default-or-eui64", "stable-privacy", "eui64"),
    "IPV6_PRIVACY": ("no",),
    "NM_CONTROLLED": (),
}


def parse(
    path: str,
    data: bytes,
    beside: Mapping[str, tuple[str, bytes]] | None = None,
    aliases: Sequence[tuple[str, bytes]] = (),
) -> Settings | SettingsRejected:
    """The profile in an ifcfg file. beside: by `route`, `route6`, `rule`, `rule6`, `keys`: path and octets of those.

    aliases: the same of `ifcfg-NAME:…` files, whose addresses are this profile's too.
    """
    try:
        return _parse(path, decoded(SOURCE, path, data), beside or {}, aliases)
    except Rejected as rejected:
        return rejected.event


def stray(path: str) -> SettingsRejected:
    """What an alias file is whose ifcfg file is not there."""
    parent = path.rpartition("/")[2].partition(":")[0]
    return SettingsRejected(origin=f"{path}:1", source=SOURCE, rule="no-profile", text=f"an alias, and no {parent}")


def _parse(
    path: str, text: str, beside: Mapping[str, tuple[str, bytes]], aliases: Sequence[tuple[str, bytes]]
) -> Settings:
    maker = Maker(SOURCE, f"{path}:1")
    said = _assignments(maker, path, text)
    if not said:
        raise Rejected(SOURCE, f"{path}:1", "no-profile", "no assignment")
    maker.origin = min((where for _, where in said.values()), key=lambda where: int(where.rsplit(":", 1)[1]))
    for key, (value, where) in said.items():
        _plain(maker, key, value, where)
    _type(maker, said)
    _addresses4(maker, said)
    for name, octets in aliases:
        _alias(maker, name, decoded(SOURCE, name, octets))
    _ipv4(maker, said)
    _ipv6(maker, said)
    for file, family in (("route", "ipv4"), ("route6", "ipv6")):
        if file in beside:
            name, octets = beside[file]
            _routes(maker, name, decoded(SOURCE, name, octets), family)
    for file in ("rule", "rule6", "keys"):
        if file in beside:
            name, _ = beside[file]
            maker.unused("keys- file (secrets)" if file == "keys" else f"{file}- file", f"{name}:1")
    maker.values.setdefault("connection.autoconnect", True)
    id = maker.values.get("connection.id")
    return maker.made(id if isinstance(id, str) and id else path.rsplit("/", 1)[-1].removeprefix("ifcfg-"))


def _assignments(maker: Maker, path: str, text: str) -> dict[str, Entry]:
    """Each key's last value. Raises Rejected at what is neither assignment, comment nor blank."""
    said: dict[str, Entry] = {}
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip().removeprefix("export ").strip()
        where = f"{path}:{number}"
        if not line or line.startswith("#"):
            continue
        found = _ASSIGN.fullmatch(line)
        if found is None:
            raise Rejected(SOURCE, where, "syntax", "neither KEY=value nor a comment")
        value = _word(found[2])
        if value is None:
            maker.note(INVALID, found[1], where)
        else:
            said[found[1]] = (value, where)
    return said


def _word(raw: str) -> str | None:
    """A shell word, quotes taken off; `None` where a shell would compute, or the quotes don't close."""
    made, quote, at = "", "", 0
    while at < len(raw):
        letter = raw[at]
        if quote == "'":
            if letter == "'":
                quote = ""
            else:
                made += letter
        elif letter in "$`":
            return None
        elif letter == "\\":
            at += 1
            if at >= len(raw):
                return None
            made += raw[at] if quote != '"' or raw[at] in '"\\$`' else "\\" + raw[at]
        elif quote:
            if letter == '"':
                quote = ""
            else:
                made += letter
        elif letter in "'\"":
            quote = letter
        elif letter.isspace():
            return made if raw[at:].lstrip()[:1] in ("#", "") else None
        elif letter in ";|&<>()":
            return None
        else:
            made += letter
        at += 1
    return None if quote else made


def _plain(maker: Maker, key: str, value: str, where: str) -> None:
    nothing = SILENT.get(key)
    if key in PLAIN:
        if key == "ESSID":
            value = _ssid(value)
        if value:
            maker.set(PLAIN[key], value, where, key)
    elif key in NEGATED:
        try:
            maker.set(NEGATED[key], "false" if flag(value) else "true", where, key)
        except ValueError:
            maker.note(INVALID, key, where)
    elif key in READ or NUMBERED.fullmatch(key) or (nothing is not None and (not nothing or value in nothing)):
        return
    else:
        maker.unused(key, where)


def _ssid(value: str) -> str:
    """A name that is written as `0x` and octets, as NetworkManager takes it; any other as it is."""
    if re.fullmatch(r"0x([0-9A-Fa-f]{2})+", value):
        return bytes.fromhex(value[2:]).decode(errors="replace")
    return value


def _type(maker: Maker, said: Mapping[str, Entry]) -> None:
    kind = "TYPE" if "TYPE" in said or "DEVICETYPE" not in said else "DEVICETYPE"  # Team and TeamPort have the latter
    type_, where = said.get(kind, ("Ethernet", maker.origin))
    maker.set("connection.type", TYPES.get(type_.lower(), type_), where, kind)
    for word in said.get("MATCH_INTERFACE_NAME", ("", ""))[0].split():
        maker.add("match.interface-name", word, said["MATCH_INTERFACE_NAME"][1], "MATCH_INTERFACE_NAME")
    controlled, where = said.get("NM_CONTROLLED", ("yes", ""))
    if controlled.lower() in ("no", "n", "f", "false"):
        maker.set("connection.autoconnect", "false", where, "NM_CONTROLLED")


def _addresses4(maker: Maker, said: Mapping[str, Entry]) -> None:
    numbers = sorted(
        {int(found[2] or 0) for key in said if (found := NUMBERED.fullmatch(key)) and found[1] == "IPADDR"}
    )
    for number in numbers:
        # IPADDR, IPADDR0 and IPADDR1 each with its own length and gateway; IPADDR is the same as IPADDR0.
        for suffix in ("", str(number)) if number == 0 else (str(number),):
            if f"IPADDR{suffix}" in said:
                _address4(maker, said, suffix)
    for key, (value, where) in said.items():
        if value and (found := NUMBERED.fullmatch(key)) and found[1] in ("GATEWAY", "NETMASK", "PREFIX"):
            if not said.get(f"IPADDR{found[2]}", ("", ""))[0]:
                maker.unused(key, where)  # of no address
            elif found[1] == "GATEWAY" and maker.values.get("ipv4.gateway", value) != value:
                maker.unused(key, where)


def _alias(maker: Maker, path: str, text: str) -> None:
    """The addresses of an `ifcfg-eth0:1`, which says `DEVICE=eth0:1` (initscripts' ifup-aliases)."""
    said = _assignments(maker, path, text)
    device, where = said.get("DEVICE", ("", f"{path}:1"))
    if device != path.rpartition("/ifcfg-")[2]:
        maker.note(INVALID, "alias DEVICE", where)
        return
    _addresses4(maker, said)
    for key, (_, at) in said.items():
        if key not in ("DEVICE", "NETWORK", "BROADCAST") and not NUMBERED.fullmatch(key):
            maker.unused(f"alias {key}", at)


def _ipv4(maker: Maker, said: Mapping[str, Entry]) -> None:
    protocol, where = said.get("BOOTPROTO", ("none", maker.origin))
    method = {"dhcp": "auto", "bootp": "auto", "autoip": "link-local", "shared": "shared"}.get(protocol.lower())
    if method is None and protocol.lower() not in ("none", "static", ""):
        maker.note(INVALID, "BOOTPROTO", where)
    fixed = "ipv4.addresses" in maker.values
    maker.set("ipv4.method", method or ("manual" if fixed else "disabled"), where, "BOOTPROTO")
    for key, (value, at) in sorted(said.items(), key=lambda one: (len(one[0]), one[0])):
        if (found := NUMBERED.fullmatch(key)) and found[1] == "DNS" and value:
            maker.add(f"{'ipv6' if ':' in value else 'ipv4'}.dns", value, at, key)
    for key in ("DOMAIN", "SEARCH", "IPV6_DOMAIN"):
        value, at = said.get(key, ("", ""))
        for word in value.split():
            maker.add(f"{'ipv6' if key.startswith('IPV6') else 'ipv4'}.dns-search", word, at, key)


def _address4(maker: Maker, said: Mapping[str, Entry], suffix: str) -> None:
    address, where = said[f"IPADDR{suffix}"]
    prefix, _ = said.get(f"PREFIX{suffix}", ("", ""))
    mask, _ = said.get(f"NETMASK{suffix}", ("", ""))
    length = prefix or mask
    if not length:
        first = address.split(".")[0]  # by class, as the scripts' ipcalc does
        length = (
            "8" if first.isdecimal() and int(first) < 128 else "16" if first.isdecimal() and int(first) < 192 else "24"
        )
    try:
        bits = str(ip_network(f"0.0.0.0/{length}").prefixlen)
    except ValueError:
        maker.note(INVALID, f"NETMASK{suffix}", where)
        return
    maker.add("ipv4.addresses", f"{address}/{bits}", where, f"IPADDR{suffix}")
    gateway, at = said.get(f"GATEWAY{suffix}", ("", ""))
    if gateway and "ipv4.gateway" not in maker.values:
        maker.set("ipv4.gateway", gateway, at, f"GATEWAY{suffix}")


def _on(maker: Maker, said: Mapping[str, Entry], key: str, default: bool) -> bool:
    if key not in said or not said[key][0]:
        return default
    try:
        return flag(said[key][0])
    except ValueError:
        maker.note(INVALID, key, said[key][1])
        return default


def _ipv6(maker: Maker, said: Mapping[str, Entry]) -> None:
    fixed: list[tuple[str, str, str]] = []
    for key in ("IPV6ADDR", "IPV6ADDR_SECONDARIES"):
        value, where = said.get(key, ("", ""))
        fixed += [(word if "/" in word else f"{word}/64", where, key) for word in value.split()]
    for address, where, key in fixed:
        maker.add("ipv6.addresses", address, where, key)
    gateway = maker.values.get("ipv6.gateway")
    if isinstance(gateway, str) and gateway.startswith("fe80:") and "%" in said["IPV6_DEFAULTGW"][0]:
        maker.set("ipv6.gateway", gateway.partition("%")[0], said["IPV6_DEFAULTGW"][1], "IPV6_DEFAULTGW")
    method: Value
    if _on(maker, said, "IPV6_DISABLED", False):
        method = "disabled"
    elif not _on(maker, said, "IPV6INIT", False):
        method = "ignore"
    elif _on(maker, said, "IPV6_AUTOCONF", not fixed):
        method = "auto"
    elif _on(maker, said, "DHCPV6C", False):
        method = "dhcp"
    else:
        method = "manual" if fixed else "link-local"
    maker.values["ipv6.method"] = method


TYPES_OTHER: Final = ("local", "broadcast", "multicast", "throw", "unreachable", "prohibit", "blackhole", "nat")
LOCKABLE: Final = (
    *("mtu", "advmss", "rtt", "rttvar", "reordering", "window", "cwnd", "initcwnd", "initrwnd"),
    *("ssthresh", "realms", "rto_min", "hoplimit", "quickack"),
)
ROUTE_WORDS: Final = frozenset(
    {"to", "via", "dev", "table", "scope", "metric", "src", "from", "tos", "proto", "protocol", "preference", "weight"}
    | {"features", "congctl", "pref", "expires", *LOCKABLE}
)
"""What has a value behind it in `ip route add` (ip-route(8))."""
_OLD_ROUTE: Final = re.compile(r"(ADDRESS|NETMASK|GATEWAY|METRIC|OPTIONS)([0-9]+)=(.*)")


def _routes(maker: Maker, path: str, text: str, family: str) -> None:
    """A route- file: `ADDRESS0=`, `NETMASK0=`, `GATEWAY0=`, or a line for each as `ip route add` takes it."""
    old: dict[int, dict[str, Entry]] = {}
    for number, raw in enumerate(text.split("\n"), 1):
        line, where = raw.strip(), f"{path}:{number}"
        if not line or line.startswith("#"):
            continue
        found = _OLD_ROUTE.fullmatch(line)
        if found:
            old.setdefault(int(found[2]), {})[found[1]] = (_word(found[3]) or "", where)
        else:
            _ip_route(maker, line.split("#")[0].split(), family, where)
    for number in sorted(old):
        one = old[number]
        if "ADDRESS" not in one:
            continue
        address, where = one["ADDRESS"]
        mask, _ = one.get("NETMASK", ("32", ""))
        gateway, _ = one.get("GATEWAY", ("", ""))
        maker.add(f"{family}.routes", f"{address}/{mask} {gateway}".strip(), where, f"ADDRESS{number}")
        for key in ("METRIC", "OPTIONS"):
            if key in one and one[key][0]:
                maker.unused(f"{key}{number}", one[key][1])


def _ip_route(maker: Maker, words: list[str], family: str, where: str) -> None:
    """`198.51.100.0/24 via 192.0.2.1 dev eth0 metric 10`, in any order, as `ip route add` takes it; `default` is a
    route to everything.
    """
    words = words[1:] if words[:1] == ["unicast"] else words
    said: dict[str, str] = {}
    at = 0
    while at < len(words):
        if words[at] in TYPES_OTHER:
            maker.unused(f"route {words[at]}", where)
            return
        if words[at] not in ROUTE_WORDS:  # the destination, for which `to` may stand or not
            said.setdefault("to", words[at])
            at += 1
            continue
        key, at = words[at], at + 1
        if words[at : at + 1] == ["lock"] and key in LOCKABLE:
            at += 1
        said[key] = words[at] if at < len(words) else ""
        at += 1
    if "to" not in said:
        maker.note(INVALID, "route", where)
        return
    unused = [key for key in said if key not in ("to", "via", "dev")]
    for key in unused:
        if key not in ("table", "scope") or said[key] not in ("main", "254", "global"):
            maker.unused(f"route {key}", where)
            if key in ("table", "scope"):
                return  # in the only table there is it would be another route
    everything = "::/0" if family == "ipv6" else "0.0.0.0/0"
    destination = everything if said["to"] == "default" else said["to"]
    maker.add(f"{family}.routes", f"{destination} {said.get('via', '')}".strip(), where, "route")
