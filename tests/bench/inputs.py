"""The captures that `make bench` folds, made from a seed: the same every time, on every machine.

Law: real octets with right checksums, as radvd and dnsmasq would send them; nothing here imports what is measured.
"""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

LINKS = 20
ROUTERS = 1000
CLIENTS = 2000  # 100 a link
EXCHANGES = 0.0125  # DHCP exchanges an RA: 3 % of the packets of a million are DHCP
START = 1_790_000_000_000_000_000
STEP = 4_000_000  # 1,000 routers, each every 4 s


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def router_advertisement(router: int, turn: int) -> bytes:
    """An Ethernet frame with an RA of one router: PIO, RIO, RDNSS, DNSSL, SLLA; every fourth of a link has option 21.

    turn: lifetimes count down with it, and every 16 turns another of four prefixes is announced. On every other link
    one PvD has the L flag: DHCPv4 is its (RFC 8801 §3.4.1). On the others a lease is all implicit PvDs', some 37.
    """
    mac = bytes((2, 0, 0, 0, router >> 8, router & 255))
    source = socket.inet_pton(socket.AF_INET6, f"fe80::{router + 1:x}")
    target = socket.inet_pton(socket.AF_INET6, "ff02::1")
    base = socket.inet_pton(socket.AF_INET6, f"2001:db8:{router:x}:{turn // 16 % 4:x}::")
    name = b"\3dns\7example\3com\0"
    options = b"\1\1" + mac
    options += struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 86400 - turn % 80000, 14400, 0) + base
    options += struct.pack("!BBBBI", 24, 3, 48, 0x08, 1800 + turn % 1000) + base[:6] + bytes(10)
    options += struct.pack("!BBHI", 25, 5, 0, 1200) + base[:15] + b"\x53" + base[:15] + b"\x54"
    options += struct.pack("!BBHI", 31, 1 + (len(name) + 7) // 8, 0, 1200) + name + bytes(-len(name) % 8)
    if router // LINKS % 4 == 0:
        label = f"pvd{router}".encode()
        body = bytes((len(label),)) + label + b"\7example\0"
        body += bytes(-(6 + len(body)) % 8)
        legacy = 0x4000 if router < LINKS and router % 2 == 0 else 0
        options += struct.pack("!BBHH", 21, (6 + len(body)) // 8, legacy, 0) + body
    message = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + options
    pseudo = source + target + struct.pack("!II", len(message), 58)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    header = struct.pack("!IHBB", 6 << 28, len(message), 58, 255) + source + target
    return b"\x33\x33\0\0\0\1" + mac + b"\x86\xdd" + header + message


def dhcp(client: int, turn: int, message: int) -> bytes:
    """An Ethernet frame with a client's DISCOVER (1) or REQUEST (3), or with its server's OFFER (2) or ACK (5) to it.

    turn: of the client's exchanges, 0 for the one that binds; later ones renew.
    """
    link, place = client % LINKS, client // LINKS
    mac = bytes((2, 1, 0, 0, client >> 8, client & 255))
    given = bytes((10, link, 1, 10 + place))
    server = bytes((10, link, 0, 1))
    answer = message in (2, 5)
    own = given if turn else bytes(4)
    fixed = struct.pack("!BBBBIHH", 2 if answer else 1, 1, 6, 0, client << 16 | turn & 0xFFFF, 0, 0)
    fixed += own + (given if answer else bytes(4)) + bytes(8) + mac + bytes(10 + 192)
    options = b"\x63\x82\x53\x63\x35\1" + bytes((message,))
    if answer:
        options += b"\x36\4" + server + b"\x33\4" + struct.pack("!I", 3600) + b"\1\4\xff\xff\0\0\3\4" + server
        options += b"\6\4" + server + b"\x0f\x0bexample.com"
    else:
        options += b"\x3d\7\1" + mac + b"\x37\4\1\3\6\x0f"
        if message == 3 and not turn:
            options += b"\x32\4" + given + b"\x36\4" + server
    data = fixed + options + b"\xff"
    ports = struct.pack("!HHHH", 67 if answer else 68, 68 if answer else 67, 8 + len(data), 0)
    pair = server + given if answer else own + (server if turn else b"\xff\xff\xff\xff")
    header = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(data), 0, 0, 64, 17, 0) + pair
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    served = bytes((2, 2, 0, 0, 0, link))
    ends = mac + served if answer else (served if turn else b"\xff" * 6) + mac
    return ends + b"\x08\0" + header + ports + data


def repeating(count: int) -> Iterator[tuple[int, bytes]]:
    """(link, frame): RAs of which 1 % differ from that router's last, and clients that bind (4 packets) and renew (2).

    Of a million packets 3 % are DHCP: 2,000 clients, 100 a link with one server, each binding once and renewing five
    times or so. Leases of an hour and RAs every 4 s would make it 1 %.
    """
    draw = random.Random(1)
    turns = [0] * ROUTERS
    frames = [router_advertisement(router, 0) for router in range(ROUTERS)]
    bound = [0] * CLIENTS
    made = 0
    step = 0
    while made < count:
        router = step % ROUTERS
        step += 1
        if draw.random() < 0.01:
            turns[router] += 1
            frames[router] = router_advertisement(router, turns[router])
        yield router % LINKS, frames[router]
        made += 1
        if draw.random() < EXCHANGES:
            client = draw.randrange(CLIENTS)
            turn, bound[client] = bound[client], bound[client] + 1
            for message in (3, 5) if turn else (1, 2, 3, 5):
                yield client % LINKS, dhcp(client, turn, message)
                made += 1


def different(count: int) -> Iterator[tuple[int, bytes]]:
    """(link, frame): RAs that all differ."""
    for step in range(count):
        router = step % ROUTERS
        yield router % LINKS, router_advertisement(router, step // ROUTERS + 1)


def mixed(count: int) -> Iterator[tuple[int, bytes]]:
    """(link, frame): ordinary TCP of 100 to 1,500 octets, with an RA every `count // 200` packets."""
    draw = random.Random(2)
    every = max(1, count // 200)
    payload = draw.randbytes(1460)
    for step in range(count):
        if step % every == 0:
            yield 0, router_advertisement(step // every % 10, 0)
            continue
        size = draw.choice((60, 600, 1460, 1460))
        total = 40 + size
        header = struct.pack("!BBHHHBBH", 0x45, 0, total, step & 0xFFFF, 0, 64, 6, 0) + b"\x0a\0\0\1\x0a\0\0\2"
        segment = struct.pack("!HHIIHHHH", 443, 50000, step, step, 0x5010, 65535, 0, 0) + payload[:size]
        yield 0, b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + header + segment


def write(path: Path, frames: Iterator[tuple[int, bytes]], step: int = STEP) -> int:
    """A pcapng with one interface a link. Returns how many packets it holds."""
    count = 0
    with path.open("wb") as file:
        file.write(struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28))
        for link in range(LINKS):
            name = f"eth{link}".encode()
            body = struct.pack("<HHI", 1, 0, 0) + struct.pack("<HH", 2, len(name)) + name + bytes(-len(name) % 4)
            body += struct.pack("<HHB3x", 9, 1, 9) + struct.pack("<HH", 0, 0)
            file.write(struct.pack("<II", 1, 12 + len(body)) + body + struct.pack("<I", 12 + len(body)))
        at = START
        for link, frame in frames:
            at += step
            size = 32 + len(frame) + (-len(frame) % 4)
            file.write(struct.pack("<IIIIIII", 6, size, link, at >> 32, at & 0xFFFFFFFF, len(frame), len(frame)))
            file.write(frame + bytes(-len(frame) % 4) + struct.pack("<I", size))
            count += 1
    return count


KINDS: dict[str, Callable[[int], Iterator[tuple[int, bytes]]]] = {
    "a": repeating,
    "b": different,
    "c": mixed,
}
