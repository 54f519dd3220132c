"""Where the fast readers and the slow one differ: the same words for both, then compared.

Law: a difference is a sentence, and no sentence means that both read the same.
"""

from __future__ import annotations

from typing import Any

from events.codec import AnyEvent
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen, Ignored, Resolver
from events.frames import FrameRejected
from events.router import (
    EncryptedDns,
    IgnoredOption,
    MifContainer,
    MifPvdId,
    Mtu,
    NdOption,
    Pref64,
    PrefixInformation,
    PvdOption,
    RaHeader,
    Rdnss,
    RouteInformation,
    RouterAdvertised,
)
from tests.wire.oracle import slow_reader


def header(said: RaHeader | None) -> dict[str, Any] | None:
    if said is None:
        return None
    return {
        "hop_limit": said.hop_limit,
        "M": int(said.managed),
        "O": int(said.other_config),
        "H": int(said.home_agent),
        "prf": said.preference,
        "P": int(said.proxy),
        "S": int(said.snac),
        "lifetime": said.lifetime_s,
        "reachable": said.reachable_ms,
        "retrans": said.retrans_ms,
    }


def params(option: EncryptedDns | Resolver) -> dict[str, Any]:
    return {
        "priority": option.priority,
        "adn": option.adn,
        "addresses": list(option.addresses),
        "params": [(param.key, param.value) for param in option.params],
    }


def fast(option: NdOption) -> dict[str, Any]:
    """What a fast reader's option says, in the words of the slow one; {} for types that have no layout there."""
    match option:
        case IgnoredOption():
            return {"code": option.code, "void": True}
        case PvdOption():
            return {
                "code": 21,
                "http": int(option.http),
                "legacy": int(option.legacy),
                "delay": option.delay,
                "sequence": option.sequence,
                "name": option.name,
                "header": header(option.header),
                "nested_at": option.nested_at,
                "options": [fast(inner) | {"length": inner.length} for inner in option.options],
            }
        case MifContainer():
            nested = [fast(inner) | {"length": inner.length} for inner in option.options]
            return {"code": 63, "uuid": option.uuid, "options": nested, "nested_at": option.nested_at}
        case MifPvdId():
            return {"code": 64, "uuid": option.uuid, "id_type": option.id_type}
        case EncryptedDns():
            return {"code": 144, "lifetime": option.lifetime_s} | params(option)
        case PrefixInformation():
            return {
                "code": 3,
                "prefix": option.prefix,
                "valid": option.valid_s,
                "preferred": option.preferred_s,
                "L": int(option.on_link),
                "A": int(option.autonomous),
                "R": int(option.router_address),
                "P": int(option.pd_preferred),
            }
        case Mtu():
            return {"code": 5, "mtu": option.mtu}
        case RouteInformation():
            return {
                "code": 24,
                "prefix": option.prefix,
                "prf": option.preference,
                "lifetime": option.lifetime_s,
            }
        case Rdnss():
            return {"code": 25, "lifetime": option.lifetime_s, "addresses": list(option.addresses)}
        case Pref64():
            return {"code": 38, "prefix": option.prefix, "lifetime": option.lifetime_s}
    return {}


def differ(slow: list[dict[str, Any]], quick: list[dict[str, Any]], where: str = "") -> list[str]:
    """A sentence for each difference between two lists of options."""
    if len(slow) != len(quick):
        return [f"{where}: {len(slow)} options, the fast reader has {len(quick)}"]
    found: list[str] = []
    for number, (one, other) in enumerate(zip(slow, quick, strict=True)):
        code = one["code"]
        place = f"{where}/{number}:{code}"
        if one["length"] != other["length"]:
            found.append(f"{place}: length {one['length']}, the fast reader has {other['length']}")
        if other.get("code", code) != code:
            found.append(f"{place}: the fast reader has type {other['code']}")
        if code not in slow_reader.ND or (other.get("void") and code not in slow_reader.JUDGED):
            continue  # not known here, or ignored by a rule that is not judged here
        for field in sorted({*one, *other} - {"length", "code", "options"}):
            if code == 25 and field == "addresses":  # single addresses may be dropped by a judgement
                kept = [address for address in one[field] if address in other.get(field, ())]
                if kept != other.get(field):
                    found.append(f"{place}.addresses: {one[field]}, the fast reader has {other.get(field)}")
            elif one.get(field) != other.get(field):
                found.append(f"{place}.{field}: {one.get(field)}, the fast reader has {other.get(field)}")
        if "options" in one and "options" in other:
            found += differ(one["options"], other["options"], place)
    return found


def disagreements(options: bytes, event: AnyEvent) -> list[str]:
    """Where the two differ on an RA whose options are these octets; `event`: what the fast reader made of it."""
    try:
        slow = slow_reader.read_options(options)
    except slow_reader.Broken as broken:
        return [] if isinstance(event, FrameRejected) else [f"the slow reader drops the RA: {broken}"]
    if not isinstance(event, RouterAdvertised):
        return [f"the fast reader drops the RA: {event}"]
    quick = [fast(option) | {"length": option.length} for option in event.options]
    return differ(slow, quick)


def dhcp_disagreements(content: bytes, event: AnyEvent) -> list[str]:
    """The same for the one option 162 of a DHCPv4 message, or 144 of a DHCPv6 message, with this content."""
    if isinstance(event, Dhcp4MessageSeen):
        slow, code = slow_reader.dhcp4_162(content), 162
    elif isinstance(event, Dhcp6MessageSeen):
        slow, code = slow_reader.dhcp6_144(content), 144
    else:
        return [f"the fast reader drops the message: {event}"]
    quick = [
        params(option) if isinstance(option, Resolver) else {"void": True}
        for option in event.options
        if option.code == code and isinstance(option, Resolver | Ignored)
    ]
    return [] if slow == quick else [f"option {code}: {slow}, the fast reader has {quick}"]
