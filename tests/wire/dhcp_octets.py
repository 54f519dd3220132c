"""DHCP messages in octets, for tests: built here by hand from the RFCs' pictures, so that no decoder checks itself.

Law: nothing here knows what is right; every field can be wrong if the test wants it so.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import msgspec

from adapters.wire.dhcp import dhcp4, dhcp6
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen

BEFORE4 = bytes(range(42))  # Ethernet, IPv4 and UDP headers stand here in a frame; their content is not looked at
BEFORE6 = bytes(range(62))
AFTER = b"\xff\x03\x00\x01" * 3  # trailing octets of the frame, which are no part of the UDP payload

MAGIC = b"\x63\x82\x53\x63"
DUID = bytes.fromhex("0003000102000000aa01")


def ip(text: str) -> bytes:
    return ip_address(text).packed


def u8(value: int) -> bytes:
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def name(text: str) -> bytes:
    """An absolute name, uncompressed."""
    return b"".join(u8(len(label)) + label.encode() for label in text.rstrip(".").split(".") if label) + b"\0"


# --- DHCPv4 --------------------------------------------------------------------------------------------------------


def o4(code: int, *content: bytes) -> bytes:
    joined = b"".join(content)
    return u8(code) + u8(len(joined)) + joined


def fixed4(
    *,
    op: int = 2,
    htype: int = 1,
    hlen: int = 6,
    yiaddr: str = "192.0.2.10",
    ciaddr: str = "0.0.0.0",
    sname: bytes = b"",
    file: bytes = b"",
    magic: bytes = MAGIC,
) -> bytes:
    head = bytes([op, htype, hlen, 0]) + u32(0x11223344) + u16(3) + u16(0x8000)
    head += ip(ciaddr) + ip(yiaddr) + ip("192.0.2.1") + bytes(4)
    return head + bytes.fromhex("0200000000aa") + bytes(10) + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + magic


ACK_BASE = o4(53, b"\x05") + o4(54, ip("192.0.2.1")) + o4(51, u32(3600))


def ack(*options: bytes, end: bytes = b"\xff", **fixed: Any) -> bytes:
    return fixed4(**fixed) + ACK_BASE + b"".join(options) + end


def v4(kind: int, *options: bytes, end: bytes = b"\xff", **fixed: Any) -> bytes:
    fixed.setdefault("op", 1 if kind in (1, 3, 4, 7, 8) else 2)
    return fixed4(**fixed) + o4(53, u8(kind)) + b"".join(options) + end


def decode4(payload: bytes, *, destination: str = "255.255.255.255") -> Dhcp4MessageSeen:
    frame = BEFORE4 + payload + AFTER
    return dhcp4.decode(
        frame,
        len(BEFORE4),
        len(BEFORE4) + len(payload),
        link="eth0",
        source="192.0.2.1",
        destination=destination,
        mac="02:00:00:00:00:01",
        notes=(),
    )


# --- DHCPv6 --------------------------------------------------------------------------------------------------------


def o6(code: int, *content: bytes) -> bytes:
    joined = b"".join(content)
    return u16(code) + u16(len(joined)) + joined


def v6(kind: int, *options: bytes) -> bytes:
    return u8(kind) + b"\x11\x22\x33" + b"".join(options)


IDS = o6(1, DUID) + o6(2, DUID)


def reply(*options: bytes) -> bytes:
    return v6(7, IDS, *options)


def ia_na(*options: bytes, iaid: int = 1, t1: int = 1800, t2: int = 2880, code: int = 3) -> bytes:
    return o6(code, u32(iaid), u32(t1), u32(t2), *options)


def ia_pd(*options: bytes, iaid: int = 1, t1: int = 1800, t2: int = 2880) -> bytes:
    return ia_na(*options, iaid=iaid, t1=t1, t2=t2, code=25)


def iaaddr(address: str, *options: bytes, preferred: int = 3600, valid: int = 7200) -> bytes:
    return o6(5, ip(address), u32(preferred), u32(valid), *options)


def iaprefix(prefix: str, length: int, *options: bytes, preferred: int = 3600, valid: int = 7200) -> bytes:
    return o6(26, u32(preferred), u32(valid), u8(length), ip(prefix), *options)


def relay(kind: int, *options: bytes, hops: int = 0) -> bytes:
    return u8(kind) + u8(hops) + ip("2001:db8:a::1") + ip("fe80::2") + b"".join(options)


def decode6(payload: bytes, *, destination: str = "fe80::2") -> Dhcp6MessageSeen:
    frame = BEFORE6 + payload + AFTER
    return dhcp6.decode(
        frame,
        len(BEFORE6),
        len(BEFORE6) + len(payload),
        link="eth0",
        source="fe80::1",
        destination=destination,
        mac="02:00:00:00:00:01",
        notes=(),
    )


# --- comparing -----------------------------------------------------------------------------------------------------


def bare(part: Any) -> Any:
    """The part without its span in the frame, nested ones too: what it says, not where."""
    fields: dict[str, Any] = {"at": 0, "length": 0}
    if getattr(part, "options", None):
        fields["options"] = tuple(bare(option) for option in part.options)
    return msgspec.structs.replace(part, **fields)


def said(message: Dhcp4MessageSeen | Dhcp6MessageSeen, code: int) -> list[Any]:
    """What the message says under that code, in order, bare."""
    return [bare(option) for option in message.options if option.code == code]
