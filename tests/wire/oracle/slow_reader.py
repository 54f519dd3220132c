"""A second reader of the options that no other decoder knows: ND 21, 63/64, 144, DHCPv4 162, DHCPv6 144.

Law: written from the RFCs' pictures alone, bit by bit and by table, and it imports nothing of the fast readers. It is
as slow as it is plain; where the two differ, one of them is wrong. A layout is a row of (field, bits) or (field,
kind); `Void` is an option to ignore, `Broken` a message to drop.

The plain options (3, 5, 24, 25, 38) have a table too, so that what stands inside a PvD option is compared as well;
whether such an option is to be ignored is not judged here: scapy and tshark see those outside of containers.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any

INFINITY = 0xFFFFFFFF
NAME, ALIGN, HEADER, OPTIONS, REST = "name", "align", "header", "options", "rest"

# RFC 4861 §4.2, RFC 4191 §2.2, RFC 6275 §7.1, RFC 4389 §4.1.3.3
RA_HEADER = (
    ("type", 8), ("code", 8), ("checksum", 16), ("hop_limit", 8), ("M", 1), ("O", 1), ("H", 1), ("prf", 2), ("P", 1),
    ("S", 1), ("unassigned", 1), ("lifetime", 16), ("reachable", 32), ("retrans", 32),
)  # fmt: skip
START = (("type", 8), ("length", 8))
ND = {
    # RFC 4861 §4.6.2, RFC 6275 §7.2, RFC 9762 §4
    3: (*START, ("plen", 8), ("L", 1), ("A", 1), ("R", 1), ("P", 1), ("reserved", 4), ("valid", 32),
        ("preferred", 32), ("reserved2", 32), ("prefix", REST)),
    5: (*START, ("reserved", 16), ("mtu", 32)),  # RFC 4861 §4.6.4
    # RFC 8801 §3.1
    21: (*START, ("http", 1), ("legacy", 1), ("has_header", 1), ("reserved", 9), ("delay", 4), ("sequence", 16),
         ("name", NAME), ("padding", ALIGN), ("header", HEADER), ("options", OPTIONS)),
    # RFC 4191 §2.3
    24: (*START, ("plen", 8), ("reserved", 3), ("prf", 2), ("reserved2", 3), ("lifetime", 32), ("prefix", REST)),
    25: (*START, ("reserved", 16), ("lifetime", 32), ("addresses", REST)),  # RFC 8106 §5.1
    38: (*START, ("scaled", 13), ("plc", 3), ("prefix", REST)),  # RFC 8781 §4
    # draft-ietf-mif-mpvd-ndp-support, as mif-radvd sends it
    63: (*START, ("signed", 1), ("reserved", 6), ("signed_too", 1), ("name_type", 8), ("zero", 32),
         ("options", OPTIONS)),
    64: (*START, ("id_type", 8), ("id_length", 8), ("id", REST)),
    144: (*START, ("priority", 16), ("lifetime", 32), ("body", REST)),  # RFC 9463 §6.1
}  # fmt: skip
# RFC 9463: bits of the name's length, bits of the addresses' length, octets an address, whether params have a length
BODIES = {"nd": (16, 16, 16, True), "dhcp6": (16, 16, 16, False), "dhcp4": (8, 8, 4, False)}
PREFERENCES = {0b00: "medium", 0b01: "high", 0b10: "reserved", 0b11: "low"}  # RFC 4191 §2.1
PLC = {0: 96, 1: 64, 2: 56, 3: 48, 4: 40, 5: 32}  # RFC 8781 §4
JUDGED = frozenset((21, 63, 64, 144))  # types of which this reader also knows when they are to be ignored


class Void(Exception):
    """The option is to be ignored."""


class Broken(Exception):
    """The message is to be dropped."""


class Bits:
    """Octets as a string of 0 and 1, taken from the left."""

    def __init__(self, octets: bytes) -> None:
        self.text = "".join(f"{octet:08b}" for octet in octets)
        self.at = 0

    def number(self, bits: int) -> int:
        if self.at + bits > len(self.text):
            raise Void("too short")
        self.at += bits
        return int(self.text[self.at - bits : self.at], 2) if bits else 0

    def octets(self, count: int) -> bytes:
        return bytes(self.number(8) for _ in range(count))

    def left(self) -> int:
        return (len(self.text) - self.at) // 8

    def rest(self) -> bytes:
        return self.octets(self.left())


def endless(seconds: int) -> int | None:
    return None if seconds == INFINITY else seconds


def name(bits: Bits) -> str:
    """RFC 1035 §3.1 without compression; ASCII upper case lowered (RFC 4343 §3), other octets \\DDD."""
    labels, octets = [], 1
    while size := bits.number(8):
        if size > 63:
            raise Void("label")
        octets += size + 1
        if octets > 255:
            raise Void("name too long")
        label = ""
        for octet in bits.octets(size):
            char = chr(octet)
            plain = octet < 128 and (char.isalnum() or char in "-_")
            label += char.lower() if plain else f"\\{octet:03d}"
        labels.append(label + ".")
    return "".join(labels) or "."


def fields(layout: tuple[tuple[str, Any], ...], octets: bytes) -> dict[str, Any]:
    """What stands in the fields of a layout."""
    bits, found = Bits(octets), {}
    for field, kind in layout:
        if isinstance(kind, int):
            found[field] = bits.number(kind)
        elif kind == NAME:
            found[field] = name(bits)
        elif kind == ALIGN:
            while bits.at % 64:
                found.setdefault(field, []).append(bits.number(8))
        elif kind == HEADER:
            found[field] = header(bits.octets(16)) if found["has_header"] else None
        elif kind == OPTIONS:
            found["nested_at"] = bits.at // 8
            found[field] = bits.rest()
        else:
            found[field] = bits.rest()
    return found


def header(octets: bytes) -> dict[str, Any]:
    """RFC 8801 §3.1: the type, code and checksum of an inner header are not looked at."""
    found = fields(RA_HEADER, octets)
    for field in ("type", "code", "checksum", "unassigned"):
        del found[field]
    return found | {"prf": PREFERENCES[found["prf"]]}


def split(octets: bytes) -> list[bytes]:
    """The options of a message or a container; RFC 4861 §4.6: none has length 0, the last ends at the end."""
    options = []
    while octets:
        if len(octets) < 2 or not octets[1] or octets[1] * 8 > len(octets):
            raise Broken("framing")
        options.append(octets[: octets[1] * 8])
        octets = octets[octets[1] * 8 :]
    return options


def read_options(octets: bytes, inside: int = 0) -> list[dict[str, Any]]:
    """The options of an RA (inside=0) or of a container of that type, each as a dict with `code` and `length`."""
    said = []
    pvds = 0
    for option in split(octets):
        code = option[0]
        pvds += code == 21
        one: dict[str, Any] = {"code": code, "length": len(option)}
        try:
            if code == 21 and (inside or pvds > 1):  # RFC 8801 §3.2, §3.4: the first one only, never nested
                raise Void("a PvD option too many")
            if (code == 63 and inside) or (code == 64 and inside != 63):
                raise Void("not here")
            if code in ND:
                one |= read_option(option)
        except Void:
            one["void"] = True
        said.append(one)
    return said


def read_option(option: bytes) -> dict[str, Any]:
    """One ND option of a type that has a layout. Raises Void, and Broken for a container that is not framed."""
    code = option[0]
    if code == 21:
        try:
            found = fields(ND[21], option)
        except Void as void:  # standards: half a PvD is worse than an RA missed
            raise Broken(str(void)) from None
        if found["name"] == ".":
            raise Broken("the root is no FQDN")
        found["options"] = read_options(found["options"], 21)
        return kept(found, "http legacy delay sequence name header options nested_at")
    found = fields(ND[code], option)
    if code == 63:
        if found["signed"] or found["signed_too"]:
            raise Void("signed")
        codes = [inner[0] for inner in split(found["options"])]
        found["options"] = read_options(found["options"], 63)
        ids = [one["uuid"] for one in found["options"] if one["code"] == 64 and "uuid" in one]
        if 63 in codes or codes.count(64) != 1 or not ids:
            raise Void("whose is it?")
        return {"uuid": ids[0], "options": found["options"], "nested_at": 8}
    if code == 64:
        if found["id_length"] > len(found["id"]):
            raise Void("the id runs out of the option")
        uuid = found["id"][: found["id_length"]].decode("latin-1").lower()
        groups = uuid.split("-")
        hexadecimal = set("".join(groups)) <= set("0123456789abcdef")
        if found["id_type"] not in (1, 4) or [len(one) for one in groups] != [8, 4, 4, 4, 12] or not hexadecimal:
            raise Void("no UUID")
        return {"uuid": uuid, "id_type": found["id_type"]}
    if code == 144:
        return {"lifetime": endless(found["lifetime"])} | resolver("nd", found["priority"], found["body"])
    if code == 3:
        found |= {"valid": endless(found["valid"]), "preferred": endless(found["preferred"])}
        found["prefix"] = prefix(found["prefix"], found["plen"])
        return kept(found, "L A R P valid preferred prefix")
    if code == 5:
        return kept(found, "mtu")
    if code == 24:
        found |= {"prefix": prefix(found["prefix"], found["plen"]), "lifetime": endless(found["lifetime"])}
        return kept(found | {"prf": PREFERENCES[found["prf"]]}, "prefix prf lifetime")
    if code == 25:
        octets = found["addresses"]
        found["addresses"] = [inet_ntop(AF_INET6, octets[at : at + 16]) for at in range(0, len(octets) // 16 * 16, 16)]
        return kept(found | {"lifetime": endless(found["lifetime"])}, "addresses lifetime")
    if found["plc"] not in PLC:
        raise Void("PLC")
    return {"prefix": prefix(found["prefix"][:12], PLC[found["plc"]]), "lifetime": found["scaled"] * 8}


def kept(found: dict[str, Any], words: str) -> dict[str, Any]:
    return {word: found[word] for word in words.split()}


def prefix(octets: bytes, plen: int) -> str:
    """Zero-extended, host bits cleared."""
    if plen > 128:
        raise Void("prefix length")
    network = ip_network((octets.ljust(16, b"\0")[:16], plen), strict=False)
    return f"{inet_ntop(AF_INET6, network.network_address.packed)}/{plen}"


def resolver(form: str, priority: int, octets: bytes) -> dict[str, Any]:
    """RFC 9463 §3.1, from the length of the name on. Raises Void."""
    name_bits, addresses_bits, size, with_length = BODIES[form]
    if priority == 0:
        raise Void("AliasMode")
    bits = Bits(octets)
    inner = Bits(bits.octets(bits.number(name_bits)))
    adn = name(inner)
    if inner.left() or adn == ".":
        raise Void("the name does not fill its length, or is the root")
    said: dict[str, Any] = {"priority": priority, "adn": adn, "addresses": [], "params": []}
    left = octets[len(octets) - bits.left() :]
    if not left or (with_length and len(left) < 8 and set(left) == {0}):
        return said  # §3.1.6, ADN-only mode
    addresses = bits.octets(bits.number(addresses_bits))
    if not addresses or len(addresses) % size:
        raise Void("addresses")
    for at in range(0, len(addresses), size):
        octet = addresses[at : at + size]
        address = IPv4Address(octet) if size == 4 else IPv6Address(octet)
        mapped = size == 16 and octet[:12] == bytes(10) + b"\xff\xff"
        everyone = octet == b"\xff\xff\xff\xff"
        if not (address.is_multicast or address.is_loopback or address.is_unspecified or mapped or everyone):
            said["addresses"].append(inet_ntop(AF_INET if size == 4 else AF_INET6, octet))
    params = bits.octets(bits.number(16)) if with_length else bits.rest()
    if with_length and bits.left() > 7:
        raise Void("padding of a whole unit")
    said["params"] = service(params)
    return said


def service(octets: bytes) -> list[tuple[int, str]]:
    """SvcParams in service mode: RFC 9460 §2.2, §7, §8; RFC 9461 §5; RFC 9463 §3.1.5, §3.1.8."""
    bits, params = Bits(octets), []
    while bits.left():
        params.append((bits.number(16), bits.octets(bits.number(16))))
    keys = [key for key, _ in params]
    if keys != sorted(set(keys)):
        raise Void("keys do not ascend")
    values = dict(params)
    if 1 not in values or 4 in values or 6 in values:
        raise Void("no alpn, or a hint")
    protocols, alpn = [], Bits(values[1])
    while alpn.left():
        protocols.append(alpn.octets(alpn.number(8)))
    if not protocols or b"" in protocols:
        raise Void("alpn")
    if 0 in values:
        inner, needed = Bits(values[0]), []
        while inner.left():
            needed.append(inner.number(16))
        if not needed or needed != sorted(set(needed)) or not set(needed) <= set(values) & set(range(1, 8)):
            raise Void("mandatory")
    if values.get(2) or (3 in values and (len(values[3]) != 2 or values[3] == b"\0\0")):
        raise Void("no-default-alpn or port")
    if {b"h2", b"h3"} & set(protocols) and 7 not in values:
        raise Void("no dohpath")
    if 7 in values and not template(values[7]):
        raise Void("dohpath")
    return [(key, value.hex()) for key, value in params]


def template(octets: bytes) -> bool:
    """RFC 9461 §5: a relative URI template (RFC 6570) with the variable `dns`."""
    if octets[:1] != b"/" or any(not 0x20 < octet < 0x7F for octet in octets):
        return False
    names: list[str] = []
    text = octets.decode("ascii")
    while "{" in text:
        text = text[text.index("{") + 1 :]
        if "}" not in text:
            return False
        inside, text = text[: text.index("}")], text[text.index("}") + 1 :]
        while inside[:1] and inside[0] in "+#./;?&":
            inside = inside[1:]
        for variable in inside.split(","):
            names.append(variable.split(":")[0].rstrip("*"))
    return "dns" in names


def dhcp4_162(octets: bytes) -> list[dict[str, Any]]:
    """RFC 9463 §5.1: instances, each behind its length, each for itself; {"void": True} for one to ignore."""
    said: list[dict[str, Any]] = []
    bits = Bits(octets)
    while bits.left():
        try:
            instance = Bits(bits.octets(bits.number(16)))
        except Void:  # nobody can tell where another would begin
            said.append({"void": True})
            break
        try:
            said.append(resolver("dhcp4", instance.number(16), instance.rest()))
        except Void:
            said.append({"void": True})
    return said if any("adn" in one for one in said) else [{"void": True}]


def dhcp6_144(octets: bytes) -> list[dict[str, Any]]:
    """RFC 9463 §4.1: one resolver an option."""
    try:
        bits = Bits(octets)
        return [resolver("dhcp6", bits.number(16), bits.rest())]
    except Void:
        return [{"void": True}]
