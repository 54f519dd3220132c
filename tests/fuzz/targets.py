"""One target a decoder: a function of octets that returns, whatever they are, or has found a fault.

Law: a decoder may refuse with its own error and nothing else; what it accepts must be consistent: options add up to
their message, rules are rows of the table, the event survives the codec, and the slow reader says the same.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

import msgspec

from adapters.ingest import translate, wanted
from adapters.wire.names import BadName, read_compressed, read_name, read_names
from adapters.wire.pvdinfo import NOTES, REFUSALS, PvdInfo, Refusal, read_info, uncovered
from adapters.wire.rules import RULES
from events.codec import SCHEMA, AnyEvent, decode, encode
from events.frames import ETHERNET, NETLINK, Frame, FrameRejected
from events.ids import NEVER
from events.router import RouterAdvertised
from replay.files.captures import Capture, CaptureError
from replay.files.octets import Octets
from replay.files.walk import READABLE
from replay.shown.dissect import lines
from tests.wire import packets as p
from tests.wire import strategies
from tests.wire.oracle.agreement import dhcp_disagreements, disagreements

MESSAGE_MAX: Final = 4096  # octets of one input; the longest RA of one option fits twice
_ND: Final = {
    133: (8, p.HOST, "ff02::2"),
    134: (16, p.ROUTER, p.NODES),
    135: (24, p.HOST, "ff02::1:ff00:1"),
    136: (24, p.ROUTER, p.NODES),
    137: (40, p.ROUTER, p.HOST),
}


COOKED_NETLINK: Final = bytes.fromhex("00040338") + bytes(12)  # pcap-linktype(7): to the host, ARPHRD_NETLINK, family 0


class Fault(AssertionError):
    """What a target found."""


def check(frame: Frame) -> AnyEvent | None:
    """translate, and all that must hold of what it gives: the first event, which but for netlink is the only one."""
    events = translate(frame)
    # A frame of netlink holds any number of messages, of eight octets at least; all others say one thing.
    if len(events) > (len(frame.data) // 8 + 1 if frame.linktype == NETLINK else 1):
        raise Fault(f"{len(events)} events of one frame")
    if not events:
        return None
    if not wanted(frame.linktype, frame.data):
        raise Fault(f"wanted() refused a frame that says {events!r}")
    if translate(frame) != events:
        raise Fault("the second reading differs from the first")
    if not all(line.isascii() and line.isprintable() for line in lines(1, frame, events)):
        raise Fault("what `replay -V` prints is no plain text")
    for event in events:
        if decode(encode(event), SCHEMA) != event:
            raise Fault(f"the codec changed {event!r}")
        if isinstance(event, FrameRejected):
            if len(events) > 1 or event.rule not in RULES:
                raise Fault(f"{event!r} among {len(events)} events")
            if not 0 <= event.offset <= len(frame.data):
                raise Fault(f"offset {event.offset} in a frame of {len(frame.data)} octets")
    return events[0]


def names(data: bytes) -> None:
    for read in (read_name, read_names):
        try:
            read(data, 0, len(data))
        except BadName as bad:
            if not 0 <= bad.offset <= len(data):
                raise Fault(f"offset {bad.offset}") from bad
    for at in {0, len(data) // 2}:
        try:
            _, after = read_compressed(data, at)
        except BadName:
            continue
        if not at < after <= len(data):
            raise Fault(f"the name at {at} ends at {after}")


def ra(data: bytes) -> None:
    """An ND message whose checksum is right, so that its content is reached; the first octet chooses its type."""
    if not data:
        return
    kind = 134 if data[0] not in _ND else data[0]
    fixed, source, destination = _ND[kind]
    body = data[1:MESSAGE_MAX]
    message = bytes((kind, 0)) + body
    event = check(p.nd(message, source, destination))
    if isinstance(event, RouterAdvertised):
        if sum(option.length for option in event.options) != len(message) - fixed:
            raise Fault("the options do not add up to the message")
        found = disagreements(message[fixed:], event)
        if found:
            raise Fault(found[0])


def pvd_option(data: bytes) -> None:
    """An RA whose only option is a PvD option or, if the first octet is odd, a MIF container, of that content."""
    if not data:
        return
    content = data[1 : 255 * 8 - 1]
    option = p.option(63 if data[0] & 1 else 21, content)
    (event,) = translate(p.ra(option))
    check(p.ra(option))
    found = disagreements(option, event)
    if found:
        raise Fault(found[0])


def dnr(data: bytes) -> None:
    """The content of ND 144, DHCPv4 162 or DHCPv6 144, as the first octet chooses."""
    if not data:
        return
    form, content = data[0] % 3, data[1 : 255 * 8 - 1]
    if form == 0:
        option = p.option(144, content)
        (event,) = translate(p.ra(option))
        found = disagreements(option, event)
    elif form == 1:
        if not content:
            return
        event = carried4(strategies.one_dns_4(content))
        found = dhcp_disagreements(content, event)
    else:
        event = carried6(strategies.one_dns_6(content))
        found = dhcp_disagreements(content, event)
    if found:
        raise Fault(found[0])


def frame4(payload: bytes) -> Frame:
    return p.frame(p.ethernet(p.ipv4(p.udp(payload, 67, 68)), 0x0800))


def frame6(payload: bytes) -> Frame:
    return p.frame(p.ethernet(p.ipv6(p.udp6(payload, p.ROUTER, p.HOST, 547, 546), p.ROUTER, p.HOST, next_header=17)))


def carried4(payload: bytes) -> AnyEvent:
    event = check(frame4(payload))
    if event is None:
        raise Fault("a DHCPv4 message that says nothing")
    return event


def carried6(payload: bytes) -> AnyEvent:
    event = check(frame6(payload))
    if event is None:
        raise Fault("a DHCPv6 message that says nothing")
    return event


def dhcp4(data: bytes) -> None:
    carried4(data[:MESSAGE_MAX])


def dhcp6(data: bytes) -> None:
    carried6(data[:MESSAGE_MAX])


def netlink(data: bytes) -> None:
    """The rtnetlink messages of a captured frame."""
    check(Frame(0, "nl", NETLINK, COOKED_NETLINK + data[:MESSAGE_MAX]))


def arp(data: bytes) -> None:
    """An ARP packet in Ethernet. The first octet says how much the capture cut."""
    if not data:
        return
    octets = p.ethernet(data[1:MESSAGE_MAX], 0x0806)
    check(p.frame(octets, original=len(octets) + data[0] if data[0] else -1))


def pvdinfo(data: bytes) -> None:
    """A body of Additional Information: an object or a refusal; what is accepted is canonical."""
    read = read_info(data)
    if read_info(data) != read:
        raise Fault("the second reading differs from the first")
    if isinstance(read, Refusal):
        if read.rule not in REFUSALS or not read.detail:
            raise Fault(f"{read!r}")
        return
    said = {
        "identifier": read.identifier,
        "expires": "2030-01-01T00:00:00Z",
        "prefixes": read.prefixes,
        "dnsZones": read.dns_zones or (),
    }
    again = read_info(msgspec.json.encode(said))
    mine = (read.identifier, read.prefixes, read.dns_zones or ())
    if not isinstance(again, PvdInfo) or (again.identifier, again.prefixes, again.dns_zones) != mine:
        raise Fault(f"{read!r} is not canonical: {again!r}")
    if not read.expires < NEVER or not set(read.notes) <= set(NOTES) or uncovered(read, read.prefixes):
        raise Fault(f"{read!r}")


_LINKTYPES: Final = sorted(READABLE)


def frames(data: bytes) -> None:
    """A whole frame: link layer, IP, UDP. The first octet chooses the link type, the second how much was cut."""
    if len(data) < 2:
        return
    octets = data[2:MESSAGE_MAX]
    original = len(octets) + data[1] if data[1] else -1
    check(Frame(0, "if0", _LINKTYPES[data[0] % len(_LINKTYPES)], octets, original))


def captures(data: bytes) -> None:
    """A capture file of any format and packing."""
    try:
        octets = Octets(io.BytesIO(data), size=len(data), owned=True)
        octets.unpack()
        with Capture("fuzz", octets, None) as capture:
            count = sum(1 for _ in capture)
    except CaptureError:
        return
    if count != capture.packets:
        raise Fault(f"{count} packets came, {capture.packets} were counted")


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "names": names,
    "ra": ra,
    "pvd_option": pvd_option,
    "dhcp4": dhcp4,
    "dhcp6": dhcp6,
    "dnr": dnr,
    "netlink": netlink,
    "arp": arp,
    "pvdinfo": pvdinfo,
    "frames": frames,
    "captures": captures,
}

ETHERNET_CHOICE: Final = bytes((_LINKTYPES.index(ETHERNET), 0))
