"""What a message says in plain words that every reader has: word -> its values in the order of the wire, as text.

Law: a word is a field of one option, so a reader may know it or not, but two that know it must have the same values.
What stands inside containers has no words here: to the readers beside ours they are opaque (the slow reader opens
them). Prefixes have their host bits cleared, lifetimes are numbers, names are in lower case without the last dot.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from events.codec import AnyEvent
from events.dhcp import (
    Addresses,
    Codes,
    Dhcp4MessageSeen,
    Dhcp6MessageSeen,
    DhcpOption,
    Ia,
    IaAddress,
    IaPrefix,
    Identifier,
    Ignored,
    Names,
    Number,
    Routes,
    Status,
    Text,
)
from events.router import (
    CaptivePortal,
    Dnssl,
    IgnoredOption,
    MifContainer,
    Mtu,
    NdOption,
    Pref64,
    PrefixInformation,
    PvdOption,
    Rdnss,
    RouteInformation,
    RouterAdvertised,
    SourceLinkLayerAddress,
)

Words = dict[str, list[str]]
PREFERENCE_BITS = {"medium": 0, "high": 1, "reserved": 2, "low": 3}  # RFC 4191 §2.1
PLC = (96, 64, 56, 48, 40, 32)  # RFC 8781 §4
MESSAGES6 = (
    "SOLICIT", "ADVERTISE", "REQUEST", "CONFIRM", "RENEW", "REBIND", "REPLY", "RELEASE", "DECLINE", "RECONFIGURE",
    "INFORMATION-REQUEST",
)  # fmt: skip
RELAYS6 = {"RELAY-FORW": 12, "RELAY-REPL": 13}
MESSAGES4 = ("DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM", "FORCERENEW")


class Said:
    """Words as they are collected."""

    def __init__(self) -> None:
        self.words: Words = {}

    def __call__(self, word: str, *values: Any) -> None:
        self.words.setdefault(word, []).extend([str(value) for value in values])


def network(address: str, length: int) -> str:
    return str(ip_network((address, length), strict=False))


def plain(name: str) -> str:
    return name.rstrip(".").lower()


def seconds(value: int | None) -> str:
    return str(0xFFFFFFFF if value is None else value)


def said(event: AnyEvent) -> Words:
    """The words of our event."""
    add = Said()
    match event:
        case RouterAdvertised():
            _header(event, add)
            for option in event.options:
                _nd(option, add)
        case Dhcp4MessageSeen():
            add("message", MESSAGES4.index(event.message) + 1)
            add("xid", event.xid)
            for field in ("ciaddr", "yiaddr", "siaddr", "giaddr"):
                add(field, getattr(event, field))
            for one in event.options:
                _dhcp(one, add)
        case Dhcp6MessageSeen():
            add("message", *[RELAYS6[relay.message] for relay in event.relays], MESSAGES6.index(event.message) + 1)
            add("xid", event.xid)
            for one in event.options:
                _dhcp(one, add)
    return add.words


def _header(event: RouterAdvertised, add: Said) -> None:
    header = event.header
    add("lifetime", header.lifetime_s)
    add("hop", header.hop_limit)
    add("prf", PREFERENCE_BITS[header.preference])
    add("reachable", header.reachable_ms)
    add("retrans", header.retrans_ms)
    for word, flag in (
        ("M", header.managed),
        ("O", header.other_config),
        ("H", header.home_agent),
        ("P", header.proxy),
    ):
        add(word, int(flag))


def _nd(option: NdOption, add: Said) -> None:
    match option:
        case SourceLinkLayerAddress():
            add("slla", option.address)
        case PrefixInformation():
            add("pio", option.prefix)
            add("pio.valid", seconds(option.valid_s))
            add("pio.preferred", seconds(option.preferred_s))
            for word, flag in (("L", option.on_link), ("A", option.autonomous), ("R", option.router_address)):
                add(f"pio.{word}", int(flag))
        case Mtu():
            add("mtu", option.mtu)
        case RouteInformation():
            add("rio", option.prefix)
            add("rio.prf", PREFERENCE_BITS[option.preference])
            add("rio.lifetime", seconds(option.lifetime_s))
        case Rdnss():
            add("rdnss", *option.addresses)
            add("rdnss.lifetime", seconds(option.lifetime_s))
        case Dnssl():
            add("dnssl", *map(plain, option.names))
            add("dnssl.lifetime", seconds(option.lifetime_s))
        case Pref64():
            add("pref64", option.prefix)
            add("pref64.lifetime", option.lifetime_s)
        case CaptivePortal():
            add("portal", option.uri)


def _dhcp(option: DhcpOption, add: Said) -> None:
    """The word of an option is its code, `o6`; what stands in IAs has words of its own."""
    word = f"o{option.code}"
    match option:
        case Addresses():
            add(word, *option.addresses)
        case Number():
            add(word, seconds(option.value))
        case Text():
            add(word, option.text)
        case Names():
            add(word, *map(plain, option.names))
        case Codes():
            add(word, *option.codes)
        case Identifier():
            add(word, option.id)
        case Routes():
            add(word, *[f"{route.destination} {route.via or '0.0.0.0'}" for route in option.routes])
        case Status():
            add(word, option.status)
        case Ia():
            add(word, option.iaid)
            if option.code != 4:
                add(f"{word}.t1", seconds(option.t1_s))
                add(f"{word}.t2", seconds(option.t2_s))
            for inner in option.options:
                _dhcp(inner, add)
        case IaAddress():
            add(word, option.address)
            add(f"{word}.preferred", seconds(option.preferred_s))
            add(f"{word}.valid", seconds(option.valid_s))
        case IaPrefix():
            add(word, option.prefix)
            add(f"{word}.preferred", seconds(option.preferred_s))
            add(f"{word}.valid", seconds(option.valid_s))


def _partial(event: AnyEvent) -> bool:
    """Whether our event leaves something out that another reader may tell: by a standard's word, or as opaque."""

    def hides(option: Any) -> bool:
        return isinstance(option, IgnoredOption | Ignored | PvdOption | MifContainer) or any(
            hides(inner) for inner in getattr(option, "options", ())
        )

    return any(hides(option) for option in getattr(event, "options", ()))


def _in_order(mine: list[str], theirs: list[str]) -> bool:
    """Whether `mine` is what is left of `theirs` when some values are dropped."""
    rest = iter(theirs)
    return all(value in rest for value in mine)


def unlike(theirs: Words, event: AnyEvent, known: frozenset[str]) -> list[str]:
    """A sentence for each word of `known` of which the other reader has other values than our event."""
    mine = said(event)
    found = []
    for word in sorted(known):
        ours, others = mine.get(word, []), theirs.get(word, [])
        if any("\\" in value for value in ours):  # of octets that are no letters each reader makes something else
            continue
        if not (_in_order(ours, others) if _partial(event) else ours == others):
            found.append(f"{word}: {ours}, the other reader has {others}")
    return found
