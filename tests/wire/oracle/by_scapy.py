"""What scapy reads in a frame, in the words of facts.py.

Law: scapy dissects, and nothing here corrects it but for what it leaves to its caller: units, and the length of a
PREF64.
"""

from __future__ import annotations

from typing import Any, Final

from scapy.layers import dhcp, dhcp6, inet6  # noqa: F401 - that of DHCPv6 is only loaded to be there
from scapy.layers.l2 import Ether

from tests.wire.oracle.facts import PLC, Said, Words, network, plain

ND: Final = frozenset((
    "lifetime", "hop", "prf", "reachable", "retrans", "M", "O", "H", "P", "slla", "pio", "pio.valid", "pio.preferred",
    "pio.L", "pio.A", "pio.R", "mtu", "rio", "rio.prf", "rio.lifetime", "rdnss", "rdnss.lifetime", "dnssl",
    "dnssl.lifetime", "pref64", "pref64.lifetime", "portal",
))  # fmt: skip
# scapy's name of a DHCPv4 option -> its code
_NAMES: Final = {
    "subnet_mask": 1, "router": 3, "name_server": 6, "hostname": 12, "domain": 15, "interface-mtu": 26,
    "broadcast_address": 28, "NTP_server": 42, "requested_addr": 50, "lease_time": 51, "server_id": 54,
    "param_req_list": 55, "renewal_time": 58, "rebinding_time": 59, "captive-portal": 114,
    "classless_static_routes": 121,
}  # fmt: skip
DHCP4: Final = frozenset(
    ("message", "xid", "ciaddr", "yiaddr", "siaddr", "giaddr", *(f"o{it}" for it in _NAMES.values()))
)
DHCP6: Final = frozenset((
    "message", "xid", "o1", "o2", "o3", "o3.t1", "o3.t2", "o5", "o5.preferred", "o5.valid", "o6", "o7", "o8", "o13",
    "o23", "o24", "o25", "o25.t1", "o25.t2", "o26", "o26.preferred", "o26.valid", "o32",
))  # fmt: skip


def read(octets: bytes) -> tuple[Words, frozenset[str]] | None:
    """(what it says, the words that scapy knows) of an Ethernet frame; None for a message it has no layer for, or
    in which it loses its place."""
    packet = Ether(octets)
    if inet6.ICMPv6ND_RA in packet:
        message = packet[inet6.ICMPv6ND_RA]
        if _found(message, "type") != _types_at(message.original[16:]):
            return None
        return _nd(message), ND - ({"dnssl"} if _names_behind_the_end(message.original[16:]) else set())
    if dhcp.DHCP in packet:
        return _dhcp4(packet[dhcp.BOOTP], packet[dhcp.DHCP].options), DHCP4
    for layer in packet.layers():
        if layer.__name__.startswith("DHCP6_"):
            message = packet[layer]
            if "Relay" in layer.__name__ or _found(message, "optcode") != _codes_at(bytes(message)):
                return None
            return _dhcp6(message), DHCP6
    return None


def _names_behind_the_end(options: bytes) -> bool:
    """Whether octets stand behind the zero that ends a list of names (RFC 8106 §5.2): scapy takes them for names."""
    while len(options) > 2 and options[1]:
        option, options = options[: options[1] * 8], options[options[1] * 8 :]
        at = 8
        while option[0] == 31 and at < len(option) and option[at]:
            while at < len(option) and option[at]:
                at += 1 + option[at]
            at += 1
        if option[0] == 31 and any(option[at:]):
            return True
    return False


def _found(message: Any, field: str) -> list[int]:
    """The types or codes of the options that scapy finds, up to what it leaves undissected."""
    option, found = message.payload, []
    while option and hasattr(option, field):
        found.append(getattr(option, field))
        option = option.payload
    return found


def _types_at(options: bytes) -> list[int]:
    """Where ND options really begin: one that is longer than its type should be scapy takes for several."""
    found = []
    while len(options) > 1 and options[1]:
        found.append(options[0])
        options = options[options[1] * 8 :]
    return found


def _codes_at(octets: bytes) -> list[int]:
    """Where options really begin: of some that should be empty or short scapy takes a longer one for several."""
    at, found = 4, []
    while at + 4 <= len(octets):
        found.append(int.from_bytes(octets[at : at + 2], "big"))
        at += 4 + int.from_bytes(octets[at + 2 : at + 4], "big")
    return found


def _nd(layer: Any) -> Words:
    add = Said()
    add("lifetime", layer.routerlifetime)
    add("hop", layer.chlim)
    add("prf", layer.prf)
    add("reachable", layer.reachabletime)
    add("retrans", layer.retranstimer)
    for flag in "MOHP":
        add(flag, getattr(layer, flag))
    option = layer.payload
    while option and not isinstance(option, inet6.conf.raw_layer):
        match type(option).__name__:
            case "ICMPv6NDOptSrcLLAddr":
                add("slla", option.lladdr)
            case "ICMPv6NDOptPrefixInfo" if option.prefixlen <= 128:
                add("pio", network(option.prefix, option.prefixlen))
                add("pio.valid", option.validlifetime)
                add("pio.preferred", option.preferredlifetime)
                for flag in "LAR":
                    add(f"pio.{flag}", getattr(option, flag))
            case "ICMPv6NDOptMTU":
                add("mtu", option.mtu)
            case "ICMPv6NDOptRouteInfo" if option.plen <= 128:
                add("rio", network(option.prefix, option.plen))
                add("rio.prf", option.prf)
                add("rio.lifetime", option.rtlifetime)
            case "ICMPv6NDOptRDNSS":
                add("rdnss", *option.dns)
                add("rdnss.lifetime", option.lifetime)
            case "ICMPv6NDOptDNSSL":
                add("dnssl", *map(plain, option.searchlist))
                add("dnssl.lifetime", option.lifetime)
            case "ICMPv6NDOptPREF64" if option.plc < len(PLC):
                add("pref64", network(option.prefix, PLC[option.plc]))
                add("pref64.lifetime", option.scaledlifetime * 8)
            case "ICMPv6NDOptCaptivePortal":
                add("portal", option.URI.rstrip(b"\0").decode("latin-1"))
        option = option.payload
    return add.words


def _dhcp4(bootp: Any, options: list[Any]) -> Words:
    add = Said()
    add("xid", bootp.xid)
    for field in ("ciaddr", "yiaddr", "siaddr", "giaddr"):
        add(field, getattr(bootp, field))
    for option in options:
        if not isinstance(option, tuple):
            continue
        name, *values = option
        if values and isinstance(values[0], list):
            (values,) = values
        if name == "message-type":
            add("message", *values)
        elif name == "classless_static_routes":
            add("o121", *[f"{network(*_route(value))} {value.split(':')[1]}" for value in values])
        elif name in _NAMES:
            texts = [value.rstrip(b"\0").decode("latin-1") if isinstance(value, bytes) else value for value in values]
            add(f"o{_NAMES[name]}", *texts)
    return add.words


def _route(text: str) -> tuple[str, int]:
    address, length = text.split(":")[0].split("/")
    return address, int(length)


def _dhcp6(message: Any) -> Words:
    add = Said()
    add("message", message.msgtype)
    add("xid", message.trid)
    option = message.payload
    while option and not isinstance(option, inet6.conf.raw_layer):
        _dhcp6_option(option, add)
        option = option.payload
    return add.words


def _dhcp6_option(option: Any, add: Said) -> None:
    match type(option).__name__:
        case "DHCP6OptClientId" | "DHCP6OptServerId":
            add(f"o{option.optcode}", bytes(option.duid).hex())
        case "DHCP6OptIA_NA" | "DHCP6OptIA_PD":
            word = f"o{option.optcode}"
            add(word, option.iaid)
            add(f"{word}.t1", option.T1)
            add(f"{word}.t2", option.T2)
            for inner in option.ianaopts if option.optcode == 3 else option.iapdopt:
                _dhcp6_option(inner, add)
        case "DHCP6OptIAAddress":
            add("o5", option.addr)
            add("o5.preferred", option.preflft)
            add("o5.valid", option.validlft)
            for inner in option.iaaddropts:
                _dhcp6_option(inner, add)
        case "DHCP6OptIAPrefix":
            if option.plen <= 128:
                add("o26", network(option.prefix, option.plen))
                add("o26.preferred", option.preflft)
                add("o26.valid", option.validlft)
            for inner in option.iaprefopts:
                _dhcp6_option(inner, add)
        case "DHCP6OptOptReq":
            add("o6", *option.reqopts)
        case "DHCP6OptPref":
            add("o7", option.prefval)
        case "DHCP6OptElapsedTime":
            add("o8", option.elapsedtime)
        case "DHCP6OptStatusCode":
            add("o13", option.statuscode)
        case "DHCP6OptDNSServers":
            add("o23", *option.dnsservers)
        case "DHCP6OptDNSDomains":
            add("o24", *map(plain, option.dnsdomains))
        case "DHCP6OptInfoRefreshTime":
            add("o32", option.reftime)
