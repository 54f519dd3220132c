"""What tshark reads in a capture, packet by packet, in the words of facts.py.

Law: tshark prints its fields and nothing here corrects them but for what it leaves to its reader: units, host bits of
prefixes, and numbers that it prints in hexadecimal.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from tests.wire.oracle.facts import PLC, Said, Words, network, plain

# Its field -> our word. A prefix is joined with the length beside it below.
_FIELDS: Final = {
    "icmpv6.nd.ra.router_lifetime": "lifetime",
    "icmpv6.nd.ra.cur_hop_limit": "hop",
    "icmpv6.nd.ra.flag.prf": "prf",
    "icmpv6.nd.ra.reachable_time": "reachable",
    "icmpv6.nd.ra.retrans_timer": "retrans",
    "icmpv6.nd.ra.flag.m": "M",
    "icmpv6.nd.ra.flag.o": "O",
    "icmpv6.nd.ra.flag.h": "H",
    "icmpv6.nd.ra.flag.p": "P",
    "icmpv6.opt.src_linkaddr": "slla",
    "icmpv6.opt.prefix.valid_lifetime": "pio.valid",
    "icmpv6.opt.prefix.preferred_lifetime": "pio.preferred",
    "icmpv6.opt.prefix.flag.l": "pio.L",
    "icmpv6.opt.prefix.flag.a": "pio.A",
    "icmpv6.opt.prefix.flag.r": "pio.R",
    "icmpv6.opt.mtu": "mtu",
    "icmpv6.opt.route_info.flag.route_preference": "rio.prf",
    "icmpv6.opt.route_lifetime": "rio.lifetime",
    "icmpv6.opt.rdnss": "rdnss",
    "icmpv6.opt.rdnss.lifetime": "rdnss.lifetime",
    "icmpv6.opt.dnssl": "dnssl",
    "icmpv6.opt.dnssl.lifetime": "dnssl.lifetime",
    "icmpv6.opt.captive_portal": "portal",
    "dhcp.option.dhcp": "message",
    "dhcp.id": "xid",
    "dhcp.ip.client": "ciaddr",
    "dhcp.ip.your": "yiaddr",
    "dhcp.ip.server": "siaddr",
    "dhcp.ip.relay": "giaddr",
    "dhcp.option.subnet_mask": "o1",
    "dhcp.option.router": "o3",
    "dhcp.option.domain_name_server": "o6",
    "dhcp.option.hostname": "o12",
    "dhcp.option.domain_name": "o15",
    "dhcp.option.interface_mtu": "o26",
    "dhcp.option.broadcast_address": "o28",
    "dhcp.option.ntp_server": "o42",
    "dhcp.option.requested_ip_address": "o50",
    "dhcp.option.ip_address_lease_time": "o51",
    "dhcp.option.dhcp_server_id": "o54",
    "dhcp.option.renewal_time_value": "o58",
    "dhcp.option.rebinding_time_value": "o59",
    "dhcp.option.captive_portal": "o114",
    "dhcpv6.msgtype": "message",
    "dhcpv6.xid": "xid",
    "dhcpv6.iaaddr.ip": "o5",
    "dhcpv6.iaaddr.pref_lifetime": "o5.preferred",
    "dhcpv6.iaaddr.valid_lifetime": "o5.valid",
    "dhcpv6.requested_option_code": "o6",
    "dhcpv6.option_preference": "o7",
    "dhcpv6.elapsed_time": "o8",
    "dhcpv6.status_code": "o13",
    "dhcpv6.dns_server": "o23",
    "dhcpv6.search_list_entry": "o24",
    "dhcpv6.iaprefix.pref_lifetime": "o26.preferred",
    "dhcpv6.iaprefix.valid_lifetime": "o26.valid",
    "dhcpv6.lifetime": "o32",
    "dhcpv6.captive_portal": "o103",
}
# Prefix and length are fields of their own, shared by PIOs and RIOs, and IAIDs and timers by IA_NA and IA_PD: which
# option a value is of is told by the options' types, in their order.
_ND_TYPES: Final = "icmpv6.opt.type"
_ND_UNITS: Final = "icmpv6.opt.length"
_PREFIX: Final = "icmpv6.opt.prefix"
_LENGTH: Final = "icmpv6.opt.prefix.length"
_PREF64: Final = ("icmpv6.opt.pref64.prefix", "icmpv6.opt.pref64.plc", "icmpv6.opt.pref64.scaled_lifetime")
_TYPES6: Final = "dhcpv6.option.type"
_IA: Final = ("dhcpv6.iaid", "dhcpv6.iaid.t1", "dhcpv6.iaid.t2")
_IA_PREFIX: Final = "dhcpv6.iaprefix.pref_addr"
_IA_LENGTH: Final = "dhcpv6.iaprefix.pref_len"
# It stops inside the packet, or prints a name of no or one label as something else than a name.
_GIVEN_UP: Final = (
    "_ws.malformed", "dhcpv6.bogus_length", "dhcpv6.malformed_option", "dhcpv6.tld", "dhcpv6.root_only_domain_name",
)  # fmt: skip
_ASKED: Final = (
    *_FIELDS, _ND_TYPES, _ND_UNITS, _PREFIX, _LENGTH, *_PREF64, _TYPES6, *_IA, _IA_PREFIX, _IA_LENGTH, *_GIVEN_UP,
)  # fmt: skip

ND: Final = frozenset(
    [word for field, word in _FIELDS.items() if field.startswith("icmpv6")]
    + ["pio", "rio", "pref64", "pref64.lifetime"]
)
DHCP4: Final = frozenset([word for field, word in _FIELDS.items() if field.startswith("dhcp.")])
DHCP6: Final = frozenset(
    [word for field, word in _FIELDS.items() if field.startswith("dhcpv6")]
    + ["o3", "o3.t1", "o3.t2", "o25", "o25.t1", "o25.t2", "o26"]
)

Cells = dict[str, list[str]]
"""The values of each field of one packet, in order."""


def read(path: Path) -> list[Words | None]:
    """What each packet of a capture says; None where tshark gives up inside it."""
    command = [
        "tshark",
        "-n",
        "-r",
        str(path),
        "-T",
        "fields",
        "-E",
        f"separator={_CELL}",
        "-E",
        f"aggregator={_VALUE}",
    ]
    command += [word for field in _ASKED for word in ("-e", field)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    rows = [line.split(_CELL) for line in done.stdout.split("\n")[:-1]]
    return [
        _words({field: cell.split(_VALUE) if cell else [] for field, cell in zip(_ASKED, row, strict=True)})
        if len(row) == len(_ASKED)
        else None
        for row in rows
    ]


_CELL: Final = "\x1e"  # stands in no text but by mistake; tshark escapes line ends, and not these
_VALUE: Final = "\x1f"


def _words(cells: Cells) -> Words | None:
    if any(cells[field] for field in _GIVEN_UP):
        return None
    add = Said()
    for field, word in _FIELDS.items():
        if cells[field]:
            add(word, *[_value(word, text) for text in cells[field]])
    prefixes, lengths = iter(cells[_PREFIX]), iter(cells[_LENGTH])
    for kind, units in zip(cells[_ND_TYPES], cells[_ND_UNITS], strict=True):
        if kind in ("3", "24"):
            length, address = next(lengths, ""), "::" if kind == "24" and units == "1" else next(prefixes, "")
            if not length or not address:  # the capture ends inside the option
                return None
            if int(length) <= 128:
                add("pio" if kind == "3" else "rio", network(address, int(length)))
    for address, code, scaled in zip(*(cells[field] for field in _PREF64), strict=True):
        if int(code, 16) < len(PLC):
            add("pref64", network(address, PLC[int(code, 16)]))
            add("pref64.lifetime", int(scaled) * 8)
    kinds = [kind for kind in cells[_TYPES6] if kind in ("3", "25")]
    if len(kinds) != len(cells[_IA[0]]):  # one of them is too short to have an IAID
        return None
    for kind, iaid, t1, t2 in zip(kinds, *(cells[field] for field in _IA), strict=True):
        add(f"o{kind}", int(iaid, 16))
        add(f"o{kind}.t1", t1)
        add(f"o{kind}.t2", t2)
    for address, length_6 in zip(cells[_IA_PREFIX], cells[_IA_LENGTH], strict=True):
        if int(length_6) <= 128:
            add("o26", network(address, int(length_6)))
    return add.words


def _value(word: str, text: str) -> str:
    if word == "xid":
        return str(int(text, 16))
    if word == "o8":  # it prints milliseconds
        return str(int(text) // 10)
    return plain(text) if word in ("dnssl", "o24") else text
