"""systemd's `.network` files: systemd.network(5), with drop-ins, sections that stand several times, and globs.

Law: total: files in, a profile or a typed rejection out. An empty assignment takes back what was said before it, as
systemd.syntax(7) has it; a condition of [Match] that is not supported keeps the profile from being activated by itself.
"""

from collections.abc import Callable, Sequence
from typing import Final

from adapters.settings.ini import Line, read
from adapters.settings.vocabulary import Maker, Rejected, decoded, flag
from events.operator import Settings, SettingsRejected

SOURCE: Final = "networkd"
TYPES: Final = {"ether": "ethernet", "wlan": "wifi", "loopback": "loopback", "tunnel": "tunnel"}
FAMILIES: Final = ("ipv4", "ipv6")
IGNORED: Final = frozenset(
    {("Network", "Description"), ("Link", "RequiredForOnline"), ("Link", "RequiredFamilyForOnline")}
)
"""What says nothing about configuration."""


def parse(path: str, files: Sequence[tuple[str, bytes]]) -> Settings | SettingsRejected:
    """The profile of a .network file. path: the file's; files: it and its drop-ins in the order in which they count."""
    try:
        return _parse(path, files)
    except Rejected as rejected:
        return rejected.event


class _Network:
    """What has been said so far that only the whole can answer."""

    def __init__(self, maker: Maker) -> None:
        self.maker = maker
        self.dhcp = "no"
        self.accept_ra: bool | None = None
        self.link_local = "ipv6"
        self.said: dict[str, str] = {}  # on which line
        self.matched = False
        self.parts: dict[int, list[Line]] = {}  # [Address] and [Route], each a thing of its own


def _parse(path: str, files: Sequence[tuple[str, bytes]]) -> Settings:
    lines: list[Line] = []
    shift = 0
    for name, data in files:
        found = list(read(SOURCE, name, decoded(SOURCE, name, data), comments="#;", continued=True))
        lines += [Line(one.section, one.part + shift, one.key, one.value, one.where) for one in found]
        shift += len(found)
    if not lines:
        raise Rejected(SOURCE, f"{path}:1", "no-profile", "no section")
    maker = Maker(SOURCE, lines[0].where)
    network = _Network(maker)
    for line in lines:
        if line.section in ("Address", "Route"):
            network.parts.setdefault(line.part, []).append(line)
        elif line.key:
            _line(network, line)
        elif line.section not in SECTIONS:
            maker.unused(f"[{line.section}]", line.where)
    for part in sorted(network.parts):
        whole = network.parts[part]
        (_address if whole[0].section == "Address" else _route)(maker, whole)
    _methods(network)
    if not network.matched:  # a file without [Match] is for every link, and says so in the journal of systemd
        maker.add("match.interface-name", "*", maker.origin, "[Match]")
    maker.values["connection.multi-connect"] = "multiple"
    maker.values.setdefault("connection.autoconnect", True)
    return maker.made(path.rsplit("/", 1)[-1].removesuffix(".network"))


def _line(network: _Network, line: Line) -> None:
    maker, shown = network.maker, f"[{line.section}] {line.key}"
    if (line.section, line.key) in IGNORED:
        return
    rule = SECTIONS.get(line.section, {}).get(line.key)
    if rule is not None:
        rule(network, line, shown)
    elif line.section == "Match":
        network.matched = True
        maker.add("match.unsupported", line.key, line.where, shown)
        maker.unused(shown, line.where)
    else:
        maker.unused(shown, line.where)


Rule = Callable[[_Network, Line, str], None]


# [Match]


def _match_name(network: _Network, line: Line, shown: str) -> None:
    """Globs between blanks; a `!` before the first inverts the list (systemd.network(5))."""
    network.matched = True
    maker = network.maker
    if not line.value:
        maker.clear("match.interface-name")
    inverted = line.value.startswith("!")
    for glob in line.value.removeprefix("!").split():
        maker.add("match.interface-name", f"!{glob}" if inverted else glob, line.where, shown)


def _match_mac(network: _Network, line: Line, shown: str) -> None:
    """The permanent address counts as the address: a link whose address was changed is another to us."""
    network.matched = True
    if not line.value:
        network.maker.clear("match.mac-address")
    for mac in line.value.split():
        network.maker.add("match.mac-address", mac, line.where, shown)


def _match_type(network: _Network, line: Line, shown: str) -> None:
    network.matched = True
    maker = network.maker
    words = line.value.split()
    if line.value.startswith("!") or any(word not in TYPES for word in words):
        maker.add("match.unsupported", line.key, line.where, shown)
        maker.unused(shown, line.where)
        return
    for word in words:
        maker.add("match.type", TYPES[word], line.where, shown)


# [Link], [Network]


def _mtu(network: _Network, line: Line, shown: str) -> None:
    """Octets, with K for 1024 (systemd.syntax(7))."""
    value = line.value
    if value[-1:] in ("K", "k") and value[:-1].isdecimal():
        value = str(int(value[:-1]) * 1024)
    network.maker.set("802-3-ethernet.mtu", value, line.where, shown)


def _unmanaged(network: _Network, line: Line, shown: str) -> None:
    try:
        autoconnect = "false" if flag(line.value) else "true"
    except ValueError:
        autoconnect = line.value
    network.maker.set("connection.autoconnect", autoconnect, line.where, shown)


def _dhcp(network: _Network, line: Line, shown: str) -> None:
    word = {"both": "yes", "v4": "ipv4", "v6": "ipv6", "none": "no", "true": "yes", "false": "no"}.get(
        line.value.lower(), line.value.lower()
    )
    if word in ("yes", "no", "ipv4", "ipv6"):
        network.dhcp, network.said["dhcp"] = word, line.where
    else:
        network.maker.note("settings-invalid", shown, line.where)


def _accept_ra(network: _Network, line: Line, shown: str) -> None:
    try:
        network.accept_ra, network.said["ra"] = flag(line.value) if line.value else None, line.where
    except ValueError:
        network.maker.note("settings-invalid", shown, line.where)


def _link_local(network: _Network, line: Line, shown: str) -> None:
    word = line.value.lower()
    if word in ("yes", "no", "ipv4", "ipv6", "true", "false"):
        network.link_local, network.said["local"] = {"true": "yes", "false": "no"}.get(word, word), line.where
    else:
        network.maker.unused(shown, line.where)


def _both(key: str) -> Rule:
    """A list of either family, an item a line; nothing takes back what was said."""

    def rule(network: _Network, line: Line, shown: str) -> None:
        maker = network.maker
        if not line.value:
            for family in FAMILIES:
                maker.clear(f"{family}.{key}")
            return
        _by_family(maker, key, line.value, line.where, shown)

    return rule


def _gateway(network: _Network, line: Line, shown: str) -> None:
    if not line.value:
        for family in FAMILIES:
            network.maker.clear(f"{family}.gateway")
    else:
        _default_route(network.maker, line.value, line.where, shown)


def _dns(network: _Network, line: Line, shown: str) -> None:
    """`111.222.333.444[:PORT][%LINK][#NAME]`, IPv6 in brackets where a port follows."""
    maker = network.maker
    if not line.value:
        for family in FAMILIES:
            maker.clear(f"{family}.dns")
    for said in line.value.split():
        bare, hash, _ = said.partition("#")
        bare, percent, _ = bare.partition("%")
        port = ""
        if bare.startswith("["):
            bare, _, port = bare[1:].partition("]")
        elif bare.count(":") == 1:
            bare, _, port = bare.partition(":")
        if hash or percent or port:
            maker.unused(f"{shown} :PORT%LINK#NAME", line.where)
        _by_family(maker, "dns", bare, line.where, shown)


def _domains(network: _Network, line: Line, shown: str) -> None:
    """Search names; with `~` a name that only routes questions, which nothing here does."""
    maker = network.maker
    if not line.value:
        for family in FAMILIES:
            maker.clear(f"{family}.dns-search")
    for word in line.value.split():
        if word.startswith("~"):
            maker.unused(f"{shown} ~NAME", line.where)
        else:  # names have no family; both have them, and the profile's PvD each once
            for family in FAMILIES:
                maker.add(f"{family}.dns-search", word, line.where, shown)


def _expected(network: _Network, line: Line, shown: str) -> None:
    """Not systemd's: in a section X-Pvd, which it leaves alone (systemd.syntax(7))."""
    if not line.value:
        network.maker.clear("pvd.expected")
    for word in line.value.split():
        network.maker.add("pvd.expected", word, line.where, shown)


def _use(key: str, *families: str) -> Rule:
    def rule(network: _Network, line: Line, shown: str) -> None:
        try:
            ignored = "false" if flag(line.value) else "true"
        except ValueError:
            ignored = line.value
        for family in families:
            network.maker.set(f"{family}.{key}", ignored, line.where, shown)

    return rule


def _hint(network: _Network, line: Line, shown: str) -> None:
    """What to ask for by IA_PD: a length, or a prefix that this host had."""
    network.maker.set("ipv6.dhcp-pd-hint", line.value, line.where, shown)


def _uses(*families: str) -> dict[str, Rule]:
    return {"UseDNS": _use("ignore-auto-dns", *families), "UseRoutes": _use("ignore-auto-routes", *families)}


SECTIONS: Final[dict[str, dict[str, Rule]]] = {
    "Match": {
        "Name": _match_name,
        "MACAddress": _match_mac,
        "PermanentMACAddress": _match_mac,
        "Type": _match_type,
    },
    "Link": {"MTUBytes": _mtu, "Unmanaged": _unmanaged},
    "Network": {
        "DHCP": _dhcp,
        "IPv6AcceptRA": _accept_ra,
        "LinkLocalAddressing": _link_local,
        "Address": _both("addresses"),
        "Gateway": _gateway,
        "DNS": _dns,
        "Domains": _domains,
    },
    "DHCPv4": _uses("ipv4"),
    "DHCPv6": {**_uses("ipv6"), "PrefixDelegationHint": _hint},
    "IPv6AcceptRA": _uses("ipv6"),
    "DHCP": _uses("ipv4", "ipv6"),
    "Address": {},
    "Route": {},
    "X-Pvd": {"Expected": _expected},
}
"""Sections and keys that are read; the rest is noted."""


def _by_family(maker: Maker, key: str, said: str, where: str, shown: str) -> None:
    maker.add(f"{'ipv6' if ':' in said else 'ipv4'}.{key}", said, where, shown)


def _default_route(maker: Maker, gateway: str, where: str, shown: str) -> None:
    """The first of a family is the gateway, others are further default routes."""
    if gateway.startswith("_"):  # _dhcp4, _ipv6ra: whoever answers
        maker.unused(f"{shown}={gateway}", where)
        return
    family = "ipv6" if ":" in gateway else "ipv4"
    if f"{family}.gateway" not in maker.values:
        maker.set(f"{family}.gateway", gateway, where, shown)
    elif maker.values[f"{family}.gateway"] != gateway:
        maker.add(f"{family}.routes", f"{'::' if family == 'ipv6' else '0.0.0.0'}/0 {gateway}", where, shown)


def _last(whole: list[Line], key: str) -> Line | None:
    """What a section says of a key in the end; nothing, if that was taken back."""
    found = [line for line in whole if line.key == key]
    return found[-1] if found and found[-1].value else None


def _address(maker: Maker, whole: list[Line]) -> None:
    """[Address]: one address."""
    for line in whole:
        if line.key not in ("", "Address"):
            maker.unused(f"[Address] {line.key}", line.where)
    line_ = _last(whole, "Address")
    if line_ is not None:
        _by_family(maker, "addresses", line_.value, line_.where, "[Address] Address")


def _route(maker: Maker, whole: list[Line]) -> None:
    """[Route]: one route. One of another kind, or for another table, would be wrong in the only table there is."""
    foreign = False
    for line in whole:
        if line.key in ("Table", "Type", "Scope", "Source") and line.value not in ("main", "unicast", "254", "global"):
            foreign = True
        if line.key not in ("", "Gateway", "Destination"):
            maker.unused(f"[Route] {line.key}", line.where)
    gateway, destination = _last(whole, "Gateway"), _last(whole, "Destination")
    if foreign or (gateway is None and destination is None):
        return
    shown = "[Route] Destination"
    if destination is None or destination.value in ("0.0.0.0/0", "::/0"):
        if gateway is not None:
            _default_route(maker, gateway.value, gateway.where, "[Route] Gateway")
        return
    if gateway is not None and gateway.value.startswith("_"):
        maker.unused(f"[Route] Gateway={gateway.value}", gateway.where)
        return
    said = f"{destination.value} {gateway.value}" if gateway is not None else destination.value
    _by_family(maker, "routes", said, destination.where, shown)


def _methods(network: _Network) -> None:
    """The method of each family, which systemd does not name (systemd.network(5): DHCP=, IPv6AcceptRA=)."""
    values = network.maker.values
    heard4 = network.dhcp in ("yes", "ipv4")
    local4, local6 = (network.link_local in ("yes", family) for family in FAMILIES)
    # RAs are accepted unless IPv6 is off on the link: LinkLocalAddressing= without ipv6.
    accepts = network.accept_ra if network.accept_ra is not None else local6
    heard6 = accepts or network.dhcp in ("yes", "ipv6")
    for family, heard, local in (("ipv4", heard4, local4), ("ipv6", heard6, local6)):
        fixed = f"{family}.addresses" in values
        values[f"{family}.method"] = "auto" if heard else "manual" if fixed else "link-local" if local else "disabled"
        asked = network.dhcp in ("yes", family)
        decides = ("dhcp",) if asked or family == "ipv4" else ("ra", "local") if heard else ("local", "ra")
        where = next((network.said[one] for one in decides if one in network.said), None)
        if where is not None and not fixed:
            network.maker.lines[f"{family}.method"] = where
