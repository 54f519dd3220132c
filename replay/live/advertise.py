"""`pvdctl advertise`: sends Router Advertisements with PvDs in them, or writes them to a capture.

Law: what is sent is said before in one description, from a file or from the options of the command; nothing is made up
but what the description leaves out (DEFAULTS). The octets of the options are ours (replay/live/compose.py), the frame
around them is scapy's.
"""

import argparse
import os
import sys
import time
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from ipaddress import IPv6Address
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from events.frames import ETHERNET
from events.ids import SECOND, Instant
from events.router import NdOption, RaHeader, RouterAdvertised, ServiceParam
from replay.endings import DONE, FAILED, NOT_FOUND, NOT_PERMITTED, USAGE, Stop
from replay.files.pcapng import PcapngWriter
from replay.live.compose import advertisement
from replay.shown.times import TimeError, parse

ALL_NODES: Final = "ff02::1"  # RFC 4861 §4.2
MULTICAST_MAC: Final = "33:33:00:00:00:01"  # RFC 2464 §7
FRAME_OCTETS_MAX: Final = 1500 + 14  # an RA is never fragmented (RFC 6980 §2)
INTERVAL_S_MIN: Final = 0.01  # RFC 4861 §6.2.1 says 3 s; a test may be in a hurry, a typing error must not flood

DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "prefix": {"valid_s": 86_400, "preferred_s": 14_400, "on_link": True, "autonomous": True},
    "route": {"lifetime_s": 1800},
    "rdnss": {"lifetime_s": 1800},
    "dnssl": {"lifetime_s": 1800},
    "pref64": {"lifetime_s": 1800},
    "encrypted-dns": {"lifetime_s": 1800, "priority": 1},
    "pvd": {"http": False, "legacy": False, "delay": 0, "sequence": 0, "options": [], "nested_at": 0},
    "mif-container": {"options": []},
    "mif-pvd-id": {"id_type": 4},
}
"""What an option has that does not say otherwise: the defaults of RFC 4861 §6.2.1, and half an hour."""
HEADER: Final = {"lifetime_s": 1800}
NOT_SAID: Final = frozenset({"length", "nested_at", "flags", "name_as_sent", "type"})
"""Fields of an option that follow from the others."""
KINDS: Final = {str(kind.__struct_config__.tag): kind for kind in NdOption.__args__}  # type: ignore[attr-defined]
DOH: Final = {"alpn": 1, "port": 3, "dohpath": 7}  # RFC 9461 §5, RFC 9460 §14.3.2: what may be said by name


class Sent(msgspec.Struct, frozen=True):
    """One RA: when, after the start; on which link; with what."""

    after_s: float
    link: str
    ra: RouterAdvertised


class Plan(msgspec.Struct, frozen=True):
    """What to send. One round is all RAs of the description, each `at` its time; a round begins every interval."""

    round: tuple[Sent, ...]
    count: int = 1
    interval_s: float = 10.0

    def all(self) -> Iterator[Sent]:
        """Every RA in order of time; for ever with a count of 0."""
        number = 0
        while not self.count or number < self.count:
            for one in self.round:
                yield replace(one, after_s=one.after_s + number * self.interval_s)
            number += 1


def frame(ra: RouterAdvertised) -> bytes:
    """The Ethernet frame of an RA, to all nodes or to `destination` (RFC 4861 §4.2). Raises ValueError."""
    from scapy.layers.inet6 import ICMPv6Unknown, IPv6
    from scapy.layers.l2 import Ether

    message = advertisement(ra)
    to = ra.destination or ALL_NODES
    around = Ether(src=ra.mac or mac_of(ra.router), dst=MULTICAST_MAC, type=0x86DD) / IPv6(
        src=ra.router, dst=to, hlim=255, nh=58
    )
    made = bytes(around / ICMPv6Unknown(type=134, code=0, msgbody=message[4:]))
    if len(made) > FRAME_OCTETS_MAX:
        raise ValueError(f"the frame has {len(made)} octets, at most {FRAME_OCTETS_MAX} fit; split the RA in two")
    return made


def mac_of(address: str) -> str:
    """A MAC for a router that has none: locally administered, from the end of its address."""
    return "02:00:" + IPv6Address(address).packed[-4:].hex(":")


# Descriptions


def described(table: dict[str, Any]) -> Plan:
    """The plan that a description says (tests/captures/ar has examples). Raises ValueError."""
    _known("the description", table, {"about", "count", "interval_s", "ra"})
    rows = table.get("ra")
    if not isinstance(rows, list) or not rows:
        raise ValueError("the description sends nothing; add [[ra]]")
    plan = Plan(
        tuple(sorted((_sent(row) for row in rows), key=lambda one: one.after_s)),
        _number(table, "count", 1),
        float(_number(table, "interval_s", 10)),
    )
    return plan


def _number(table: dict[str, Any], name: str, default: int) -> Any:
    value = table.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{name} is a number, not {value!r}; write {name} = {default}")
    return value


def _sent(row: Any) -> Sent:
    if not isinstance(row, dict):
        raise ValueError("ra is a list of tables; write [[ra]]")
    _known("[[ra]]", row, {"router", "mac", "link", "at_s", "header", "options", "destination"})
    router = row.get("router")
    if not isinstance(router, str) or not IPv6Address(router).is_link_local:
        raise ValueError(f"a router speaks from a link-local address (RFC 4861 §4.2), not {router!r}; say fe80::1")
    event = RouterAdvertised(
        link=row.get("link", "eth0"),
        router=router,
        header=_header(row.get("header", {})),
        options=_options(row.get("options", [])),
        mac=row.get("mac", ""),
        destination=row.get("destination", ""),
    )
    return Sent(float(_number(row, "at_s", 0)), event.link, event)


def _header(table: dict[str, Any]) -> RaHeader:
    fields = set(RaHeader.__struct_fields__) - {"flags"}
    _known("a header", table, fields)
    return msgspec.convert({**HEADER, **table}, RaHeader)


def _options(rows: list[Any]) -> tuple[NdOption, ...]:
    return tuple(_option(row) for row in rows)


def _option(row: Any) -> NdOption:
    tag = row.get("type") if isinstance(row, dict) else None
    kind = KINDS.get(tag) if isinstance(tag, str) else None
    if kind is None or not isinstance(tag, str):
        near = get_close_matches(str(tag), KINDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(KINDS))}"
        raise ValueError(f"no option is a {tag!r}; {hint}")
    said = {name: value for name, value in row.items() if name != "type"}
    short = set(DOH) if tag == "encrypted-dns" else set()
    _known(f"option {tag}", said, (set(kind.__struct_fields__) - NOT_SAID) | short)
    made: dict[str, Any] = {**DEFAULTS.get(tag, {}), **said, "type": tag}
    for name, value in made.items():
        if value == "infinity" and name.endswith("_s"):
            made[name] = None
    if "length" in kind.__struct_fields__:
        made["length"] = 0
    if "header" in made:
        made["header"] = _header(made["header"])
    if "options" in made:
        made["options"] = _options(made["options"])
    if short:
        made["params"] = _params(made)
    if tag == "unknown":
        made["data"] = bytes.fromhex(made.get("data", ""))
    try:
        return msgspec.convert(made, kind)  # type: ignore[no-any-return] # one of NdOption
    except msgspec.ValidationError as error:
        raise ValueError(f"option {tag}: {error}") from None


def _params(made: dict[str, Any]) -> list[ServiceParam]:
    """Service parameters: `params` as they are, and those that have names."""
    found = [msgspec.convert(one, ServiceParam) for one in made.pop("params", [])]
    alpn, port, path = made.pop("alpn", None), made.pop("port", None), made.pop("dohpath", None)
    if alpn is not None:
        value = b"".join(bytes((len(one),)) + one.encode() for one in alpn)
        found.append(ServiceParam(DOH["alpn"], value.hex()))
    if port is not None:
        found.append(ServiceParam(DOH["port"], int(port).to_bytes(2, "big").hex()))
    if path is not None:
        found.append(ServiceParam(DOH["dohpath"], path.encode().hex()))
    return found


def _known(where: str, table: dict[str, Any], names: set[str]) -> None:
    for name in table:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(names))}"
            raise ValueError(f"{where} has no {name}; {hint}")


def read(path: str) -> dict[str, Any]:
    """A description from a file, TOML or (by its name) JSON. Raises Stop."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        if path.endswith(".json"):
            table = msgspec.json.decode(data)
        else:
            table = tomllib.loads(data.decode())
    except OSError as error:
        raise Stop(FAILED, f"{path}: {error.strerror}; name a readable file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise Stop(USAGE, f"{path} is no description ({error}); it begins with [[ra]]") from None
    if not isinstance(table, dict):
        raise Stop(USAGE, f"{path} is no description; it begins with [[ra]]")
    return table


# The command


def run(args: argparse.Namespace) -> int:
    """`pvdctl advertise`: the exit code. Raises Stop."""
    if bool(args.link) == bool(args.write):
        raise Stop(USAGE, "advertise sends on a link or writes a capture; give one of --link NAME and --write FILE")
    try:
        table = read(args.file) if args.file else _from_options(args)
        plan = described(table)
        if args.count is not None:
            plan = replace(plan, count=args.count)
        if args.interval is not None:
            plan = replace(plan, interval_s=args.interval)
        if plan.interval_s < INTERVAL_S_MIN:
            raise ValueError(f"an interval of {plan.interval_s} s would flood the link; at least {INTERVAL_S_MIN}")
        for one in plan.round:
            frame(one.ra)
    except ValueError as error:
        raise Stop(USAGE, f"{args.file or 'advertise'}: {error}") from None
    if args.write:
        return _write(args, plan)
    return _send(args, plan)


def _from_options(args: argparse.Namespace) -> dict[str, Any]:
    """A description from the command's options."""
    options: list[dict[str, Any]] = []
    for text in args.prefix:
        prefix, *lifetimes = text.split(",")
        options.append({"type": "prefix", "prefix": prefix, **_lifetimes(lifetimes, ("valid_s", "preferred_s"))})
    for text in args.route:
        prefix, *more = text.split(",")
        words = [one for one in more if one in ("high", "medium", "low")]
        rest = _lifetimes([one for one in more if one not in words], ("lifetime_s",))
        preference = words[-1] if words else "medium"
        options.append({"type": "route", "prefix": prefix, "preference": preference, **rest})
    if args.dns:
        options.append({"type": "rdnss", "addresses": args.dns, **_common(args)})
    if args.search:
        names = [one if one.endswith(".") else one + "." for one in args.search]
        options.append({"type": "dnssl", "names": names, **_common(args)})
    if args.mtu:
        options.append({"type": "mtu", "mtu": args.mtu})
    options += [{"type": "pref64", "prefix": one} for one in args.pref64]
    if args.captive_portal:
        options.append({"type": "captive-portal", "uri": args.captive_portal})
    for text in args.encrypted_dns:
        adn, *addresses = text.split(",")
        adn = adn if adn.endswith(".") else adn + "."
        options.append(
            {"type": "encrypted-dns", "adn": adn, "addresses": addresses, **({"alpn": ["dot"]} if addresses else {})}
        )
    header = {"preference": args.preference, "managed": args.managed, "other_config": args.other}
    if args.router_lifetime is not None:
        header["lifetime_s"] = args.router_lifetime
    if args.hop_limit is not None:
        header["hop_limit"] = args.hop_limit
    outer = options
    if args.pvd:
        pvd: dict[str, Any] = {
            "type": "pvd",
            "name": args.pvd if args.pvd.endswith(".") else args.pvd + ".",
            "http": args.http,
            "legacy": args.legacy,
            "delay": args.delay,
            "sequence": args.sequence,
        }
        if args.nest:  # RFC 8801 §5: hosts that know no PvD see none of it
            pvd |= {"options": options, "header": header}
            outer, header = [], {"lifetime_s": 0}
        outer = [*outer, pvd]
    elif args.nest or args.http or args.legacy or args.delay or args.sequence:
        raise Stop(USAGE, "--nest, --http, --legacy, --delay and --sequence speak of a PvD; add --pvd NAME")
    source, mac = args.source, args.mac or ""
    if args.link:
        mac = mac or _mac_of_link(args.link)
        source = source or link_local(args.link)
    if not source:
        raise Stop(USAGE, "which router speaks? add --source fe80::1")
    if mac:
        outer = [{"type": "source-lla", "address": mac}, *outer]
    return {"ra": [{"router": source, "mac": mac, "link": args.link or "eth0", "header": header, "options": outer}]}


def _common(args: argparse.Namespace) -> dict[str, Any]:
    return {} if args.lifetime is None else {"lifetime_s": args.lifetime}


def _lifetimes(texts: list[str], names: tuple[str, ...]) -> dict[str, Any]:
    if len(texts) > len(names) or not all(one == "infinity" or one.isdecimal() for one in texts):
        raise ValueError(f"lifetimes are seconds or infinity, not {','.join(texts)}")
    return {name: one if one == "infinity" else int(one) for name, one in zip(names, texts, strict=False)}


def _write(args: argparse.Namespace, plan: Plan) -> int:
    if not plan.count:
        raise Stop(USAGE, "a capture ends; say how many rounds it has with --count N")
    start: Instant = time.time_ns()
    if args.start is not None:
        try:
            found = parse(args.start, start, True)
        except TimeError as error:
            raise Stop(USAGE, str(error)) from None
        start = int(found)
    with open(args.write, "wb") as file:
        write(plan, PcapngWriter(file), start)
    return DONE


def write(plan: Plan, writer: PcapngWriter, start: Instant) -> None:
    """Put all RAs of a plan into a capture that begins at `start`."""
    for one in plan.all():
        writer.packet(start + round(one.after_s * SECOND), one.link, ETHERNET, frame(one.ra))


def _send(args: argparse.Namespace, plan: Plan) -> int:
    import socket

    links = sorted({one.link for one in plan.round})
    if len(links) > 1:  # a description of several links: what is of this one
        plan = replace(plan, round=tuple(one for one in plan.round if one.link == args.link))
        if not plan.round:
            raise Stop(NOT_FOUND, f"{args.file} says nothing of {args.link}; it speaks of {', '.join(links)}")
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sock.bind((args.link, 0))
    except PermissionError:
        raise Stop(NOT_PERMITTED, "sending needs CAP_NET_RAW; run it as root") from None
    except OSError as error:
        raise Stop(NOT_FOUND, f"{args.link}: {error.strerror}; see `ip link` for what there is") from None
    begun = time.monotonic()
    with sock:
        for number, one in enumerate(plan.all(), 1):
            if (wait := begun + one.after_s - time.monotonic()) > 0:
                time.sleep(wait)
            try:
                sock.send(frame(one.ra))
            except OSError as error:
                raise Stop(FAILED, f"{args.link}: {error.strerror}; is it up?") from None
            if not args.quiet:
                print(f"sent RA {number} from {one.ra.router}", file=sys.stderr)
    return DONE


def link_local(link: str) -> str:
    """The link-local address of a link of this host. Raises Stop."""
    with open("/proc/net/if_inet6") as file:
        for line in file:
            octets, _, _, scope, flags, name = line.split()
            if name == link and scope == "20" and not int(flags, 16) & 0x48:  # DAD failed, or still goes on
                return str(IPv6Address(bytes.fromhex(octets)))
    raise Stop(NOT_FOUND, f"{link} has no link-local address yet; bring it up, or say --source fe80::1")


def _mac_of_link(link: str) -> str:
    path = f"/sys/class/net/{link}/address"
    if "/" in link or not os.path.exists(path):
        raise Stop(NOT_FOUND, f"there is no link {link}; see `ip link` for what there is")
    with open(path) as file:
        return file.read().strip()
