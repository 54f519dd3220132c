"""Packets by hand: octets as the RFCs draw them, for the tests of the readers.

Law: nothing here uses a reader, so what a test builds and what the reader reads are two opinions.
"""

import struct
from socket import AF_INET, AF_INET6, inet_pton

from events.frames import ETHERNET, Frame

ROUTER = "fe80::1"
HOST = "fe80::2"
NODES = "ff02::1"
MAC = "02:00:00:00:01:01"

SLLA = bytes.fromhex("0101020000000001")
A9_RA = bytes.fromhex(
    "8600506f4040177000000000000000000101020000000001030440c000278d0000093a800000000020010db8cafe0000"
    "00000000000000001503800000070463616665076578616d706c6503636f6d00"
)
A9_PVD_H = bytes.fromhex(
    "150c8001007b076578616d706c65036f7267000000000000190500000000025820010db8cafe00000000000000000053"
    "20010db8f00d00000000000000000053030440c000015180000038400000000020010db8f00d00000000000000000000"
)
A9_PVD_R = bytes.fromhex(
    "150c2000000003626172076578616d706c65036f7267000086000000000006400000000000000000030440c000015180"
    "000038400000000020010db8f00d00000000000000000000190300000000025820010db8f00d00000000000000000053"
)
A9_PVD_R_ALONE = bytes.fromhex("15052000000003666f6f076578616d706c65036f7267000086000000000000000000000000000000")
A9_PREF64_96 = bytes.fromhex("260207080064ff9b0000000000000000")
A9_PREF64_64 = bytes.fromhex("26020b2920010db80064000000000000")
A9_RIO_DEFAULT = bytes.fromhex("1801000800000708")
A9_RIO_48 = bytes.fromhex("180230180000025820010db800010000")
A9_DNSSL = bytes.fromhex(
    "1f05000000000258076578616d706c65036f72670003737562076578616d706c65036f7267000000"
)  # fmt: skip
A9_PORTAL = bytes.fromhex("250468747470733a2f2f706f7274616c2e6578616d706c652f61706900000000")
A9_DNR = bytes.fromhex(
    "900a000100000708001103646e73076578616d706c65036e657400001020010db8000000000000000000000053001b00"
    "010003026832000700102f646e732d71756572797b3f646e737d000000000000"
)
A9_DNR_ADN_ONLY = bytes.fromhex("9004000500000708001103646e73076578616d706c65036e6574000000000000")
A9_MIF = bytes.fromhex(
    "3f0a0000000000004005042466303337656136322d656534662d343465342d383235632d313666326635636339623366"
    "030440c000015180000038400000000020010db8000100000000000000000000"
)
A9_MIF_UUID = "f037ea62-ee4f-44e4-825c-16f2f5cc9b3f"


def ip6(text: str) -> bytes:
    return inet_pton(AF_INET6, text)


def complement(octets: bytes) -> int:
    """The Internet checksum, by the loop of RFC 1071 §4.1."""
    if len(octets) % 2:
        octets += b"\0"
    total = 0
    for (word,) in struct.iter_unpack("!H", octets):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def option(code: int, content: bytes, units: int | None = None) -> bytes:
    """An ND option, padded with zeros to a multiple of 8 octets; `units` overrides the length field."""
    body = content + bytes(-(len(content) + 2) % 8)
    return bytes((code, (len(body) + 2) // 8 if units is None else units)) + body


def name(text: str) -> bytes:
    return b"".join(bytes((len(label),)) + label.encode() for label in text.rstrip(".").split(".")) + b"\0"


def pio(prefix: str, length: int = 64, flags: int = 0xC0, valid: int = 3600, preferred: int = 1800) -> bytes:
    return struct.pack("!BBBBIII", 3, 4, length, flags, valid, preferred, 0) + ip6(prefix)


def rio(prefix: str, length: int, lifetime: int = 600, preference: int = 0, units: int = 3) -> bytes:
    return struct.pack("!BBBBI", 24, units, length, preference, lifetime) + ip6(prefix)[: units * 8 - 8]


def rdnss(*addresses: str, lifetime: int = 600) -> bytes:
    return struct.pack("!BBHI", 25, 1 + 2 * len(addresses), 0, lifetime) + b"".join(map(ip6, addresses))


def dnssl(content: bytes, lifetime: int = 600) -> bytes:
    return option(31, struct.pack("!HI", 0, lifetime) + content)


def mtu(value: int) -> bytes:
    return struct.pack("!BBHI", 5, 1, 0, value)


def header(
    lifetime: int = 1800, flags: int = 0, hop_limit: int = 64, reachable: int = 0, retrans: int = 0, *, kind: int = 134
) -> bytes:
    return struct.pack("!BBHBBHII", kind, 0, 0, hop_limit, flags, lifetime, reachable, retrans)


def pvd(wire_name: bytes, *nested: bytes, flags: int = 0, sequence: int = 0, inner: bytes = b"", pad: int = 0) -> bytes:
    """Option 21; `inner` is the RA header and sets no flag by itself; `pad` fills the padding behind the name."""
    start = struct.pack("!HH", flags, sequence) + wire_name
    start += bytes((pad,)) * (-(len(start) + 2) % 8)
    body = start + inner + b"".join(nested)
    return bytes((21, (len(body) + 2) // 8)) + body


def mif_id(uuid: str | bytes = A9_MIF_UUID, id_type: int = 4, size: int | None = None) -> bytes:
    octets = uuid.encode() if isinstance(uuid, str) else uuid
    return option(64, bytes((id_type, len(octets) if size is None else size)) + octets)


def mif(*nested: bytes, flags: int = 0) -> bytes:
    body = b"".join(nested)
    return bytes((63, 1 + len(body) // 8, flags, 0, 0, 0, 0, 0)) + body


def sealed(message: bytes, source: str, destination: str) -> bytes:
    """`message` with its ICMPv6 checksum."""
    message = message[:2] + b"\0\0" + message[4:]
    pseudo = ip6(source) + ip6(destination) + struct.pack("!II", len(message), 58)
    return message[:2] + struct.pack("!H", complement(pseudo + message)) + message[4:]


def ipv6(
    payload: bytes,
    source: str = ROUTER,
    destination: str = NODES,
    *,
    hop_limit: int = 255,
    next_header: int = 58,
    length: int | None = None,
) -> bytes:
    size = len(payload) if length is None else length
    return struct.pack("!IHBB", 6 << 28, size, next_header, hop_limit) + ip6(source) + ip6(destination) + payload


def ethernet(packet: bytes, ethertype: int = 0x86DD, tags: tuple[tuple[int, int], ...] = (), mac: str = MAC) -> bytes:
    """tags: (tag type, VLAN id) from the outside in."""
    stack = b"".join(struct.pack("!HH", kind, vid) for kind, vid in tags)
    return bytes.fromhex("333300000001") + bytes.fromhex(mac.replace(":", "")) + stack + struct.pack(
        "!H", ethertype
    ) + packet  # fmt: skip


def frame(data: bytes, linktype: int = ETHERNET, original: int = -1, link: str = "if0") -> Frame:
    return Frame(0, link, linktype, data, original)


def nd(
    message: bytes, source: str = ROUTER, destination: str = NODES, *, hop_limit: int = 255, seal: bool = True
) -> Frame:
    """An ND message in IPv6 in Ethernet."""
    if seal:
        message = sealed(message, source, destination)
    return frame(ethernet(ipv6(message, source, destination, hop_limit=hop_limit)))


def ra(*options: bytes, source: str = ROUTER, destination: str = NODES, start: bytes | None = None) -> Frame:
    return nd((header() if start is None else start) + b"".join(options), source, destination)


def rs(*options: bytes, source: str = HOST) -> Frame:
    return nd(bytes((133, 0)) + bytes(6) + b"".join(options), source, "ff02::2")


def ns(*options: bytes, source: str = HOST, target: str = ROUTER, destination: str = "ff02::1:ff00:1") -> Frame:
    return nd(bytes((135, 0)) + bytes(6) + ip6(target) + b"".join(options), source, destination)


def na(
    *options: bytes, source: str = ROUTER, target: str = ROUTER, destination: str = NODES, flags: int = 0xA0
) -> Frame:
    start = bytes((136, 0, 0, 0, flags, 0, 0, 0))
    return nd(start + ip6(target) + b"".join(options), source, destination)


def redirect(*options: bytes, source: str = ROUTER, target: str = "fe80::9", to: str = "2001:db8::5") -> Frame:
    return nd(bytes((137, 0)) + bytes(6) + ip6(target) + ip6(to) + b"".join(options), source, HOST)


def arp(
    sender: str,
    target: str,
    *,
    mac: str = MAC,
    operation: int = 1,
    head: bytes = bytes.fromhex("0001080006 04"),
    target_mac: str = "00:00:00:00:00:00",
) -> bytes:
    """An ARP packet (RFC 826), without the padding of Ethernet."""
    ends = [bytes.fromhex(mac.replace(":", "")) + inet_pton(AF_INET, sender)]
    ends.append(bytes.fromhex(target_mac.replace(":", "")) + inet_pton(AF_INET, target))
    return head + struct.pack("!H", operation) + b"".join(ends)


def udp(payload: bytes, source_port: int, port: int, *, length: int | None = None, checksum: int = 0) -> bytes:
    size = 8 + len(payload) if length is None else length
    return struct.pack("!HHHH", source_port, port, size, checksum) + payload


def udp6(payload: bytes, source: str, destination: str, source_port: int, port: int) -> bytes:
    """UDP with its checksum over IPv6."""
    bare = udp(payload, source_port, port)
    pseudo = ip6(source) + ip6(destination) + struct.pack("!II", len(bare), 17)
    return udp(payload, source_port, port, checksum=complement(pseudo + bare) or 0xFFFF)


def ipv4(
    payload: bytes,
    source: str = "192.0.2.1",
    destination: str = "192.0.2.2",
    *,
    protocol: int = 17,
    fragment: int = 0,
    total: int | None = None,
    options: bytes = b"",
) -> bytes:
    size = 20 + len(options) + len(payload) if total is None else total
    ends = inet_pton(AF_INET, source) + inet_pton(AF_INET, destination)
    first = 0x45 + len(options) // 4
    bare = struct.pack("!BBHHHBBH", first, 0, size, 1, fragment, 64, protocol, 0) + ends + options
    return bare[:10] + struct.pack("!H", complement(bare)) + bare[12:] + payload


# The smallest DHCPv4 DISCOVER: fixed part, magic cookie, option 53, END.
DISCOVER = (
    bytes((1, 1, 6, 0)) + bytes.fromhex("01020304") + bytes(20)
    + bytes.fromhex("020000000001") + bytes(10) + bytes(192)
    + bytes.fromhex("63825363350101ff")
)  # fmt: skip
# The smallest DHCPv6 SOLICIT: type, transaction, a client id.
SOLICIT = bytes.fromhex("01aabbcc") + bytes.fromhex("0001000a00030001020000000001")
