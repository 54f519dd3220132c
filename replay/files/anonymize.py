"""Other addresses, MACs and names in the octets of frames, so that a capture can be shown to strangers.

Law: one key, one map: equal octets become equal octets wherever they stand, what was inside a prefix stays inside it,
and every length stays. What is not understood is zeroed, or left out with its frame; it is never passed on.

Addresses are mapped bit by bit, each bit turned by a keyed hash of the bits before it (as Crypto-PAn does), so that
containment is kept at every prefix length. The low 24 bits of an interface identifier and of a MAC have a map of their
own: a solicited-node group (RFC 4291 §2.7.1) tells only these, and still belongs to its address.
"""

import re
from collections.abc import Callable
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

import msgspec

from adapters.ingest import translate
from adapters.wire.carrier.arp import ARP_OCTETS
from adapters.wire.carrier.ethernet import link_layer
from adapters.wire.carrier.ip import EXTENSIONS, ICMPV6, UDP, extensions, sum6
from adapters.wire.cursor import Malformed
from events.codec import AnyEvent, encode
from events.frames import ETHERNET, LINUX_SLL, LINUX_SLL2, NETLINK, Frame, FrameRejected
from events.link import NdUserOptionSeen
from events.session import UnknownEvent

_DOCUMENTATION: Final = bytes.fromhex("20010db8")  # RFC 3849
_NAT64: Final = bytes.fromhex("0064ff9b0000000000000000")  # RFC 6052 §2.1
_MAPPED: Final = bytes(10) + b"\xff\xff"  # RFC 4291 §2.5.5.2
_SOLICITED_NODE: Final = bytes.fromhex("ff0200000000000000000001ff")
_LOOPBACK: Final = bytes(15) + b"\x01"
_UNRESTRICTED: Final = b"urn:ietf:params:capport:unrestricted"  # RFC 8910 §2: the same everywhere
_ALPHABET: Final = b"abcdefghijklmnopqrstuvwxyz0123456789"
_SHORT_LABEL: Final = 3  # octets up to which hashes would collide, and a permutation is used
_PREF64_LENGTHS: Final = (96, 64, 56, 48, 40, 32)  # RFC 8781 §4
_WORD: Final = re.compile(rb"[0-9A-Za-z\x80-\xff]+")
_MAC: Final = re.compile(r"(?<![0-9A-Fa-f:])[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}(?![0-9A-Fa-f:])")
_ADDRESS: Final = re.compile(r"(?<![\w.:])([0-9A-Fa-f:.]*[:.][0-9A-Fa-f:.]*)(?:/(\d{1,3}))?(?![\w:])")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# DHCPv4 options by what their content is; any other is zeroed.
_V4_KEPT: Final = frozenset((1, 13, 22, 23, 26, 35, 46, 51, 52, 53, 55, 57, 58, 59, 80, 93, 108, 116, 145))
_V4_ADDRESSES: Final = frozenset((3, 4, 6, 7, 28, 41, 42, 44, 50, 54, 69, 118, 138, 150))
_V4_TEXT: Final = frozenset((12, 15, 17, 40, 56, 60, 66, 67, 100, 101))
_V6_KEPT: Final = frozenset((6, 7, 8, 14, 19, 20, 32, 61, 82, 83))
_V6_ADDRESSES: Final = frozenset((12, 22, 23, 27, 28, 31))
_V6_NAMES: Final = frozenset((21, 24, 29, 30, 64))
_V6_NESTED: Final = {3: 12, 4: 4, 25: 12}
_ND_OPTIONS_AT: Final = {133: 8, 134: 16, 135: 24, 136: 24, 137: 40}
_ND_KEPT: Final = frozenset((5, 26))


class Anonymizer:
    """The maps of one key."""

    def __init__(self, key: bytes) -> None:
        self._key = blake2b(key, digest_size=32).digest()
        self._flips: dict[tuple[bytes, bytes], bytes] = {}

    def _hash(self, what: bytes, content: bytes, size: int) -> bytes:
        made = b""
        while len(made) < size:
            person = what + bytes((len(made) >> 6,))
            made += blake2b(content, key=self._key, person=person, digest_size=64).digest()
        return made[:size]

    def octets(self, content: bytes) -> bytes:
        """Octets that are only ever compared."""
        return self._hash(b"octets", content, len(content))

    def _turned(self, what: bytes, before: bytes, octets: bytes) -> bytes:
        """The prefix-preserving map of `octets` that stand behind `before`."""
        known = self._flips.get((what + before, octets))
        if known is not None:
            return known
        value, size, made = int.from_bytes(octets, "big"), len(octets) * 8, 0
        for bit in range(size):
            seen = (1 << bit | value >> (size - bit)).to_bytes(9, "big")
            made = made << 1 | (value >> (size - 1 - bit) & 1) ^ (self._hash(what, before + seen, 1)[0] & 1)
        self._flips[what + before, octets] = turned = made.to_bytes(len(octets), "big")
        return turned

    def mac(self, octets: bytes) -> bytes:
        """A MAC: locally administered; groups stay, but for the address in that of a solicited node."""
        if octets[:3] == b"\x33\x33\xff":
            return octets[:3] + self._turned(b"low", b"", octets[3:])
        if len(octets) != 6 or octets[0] & 1 or octets[:2] == b"\x33\x33" or not any(octets):
            return octets
        return b"\x02" + self._hash(b"vendor", octets[:3], 2) + self._turned(b"low", b"", octets[3:])

    def ipv6(self, octets: bytes, *, anycast: bool = True) -> bytes:
        """An IPv6 address. anycast: an interface identifier of zero stays."""
        if octets in (bytes(16), _LOOPBACK):
            return octets
        if octets.startswith(_SOLICITED_NODE):
            return octets[:13] + self._turned(b"low", b"", octets[13:])
        if octets[0] == 0xFF:
            return octets
        if octets[:12] in (_NAT64, _MAPPED):
            return octets[:12] + self.ipv4(octets[12:])
        local = octets[0] == 0xFE and octets[1] & 0xC0 == 0x80
        high = octets[:8] if local else _DOCUMENTATION + self._turned(b"prefix", octets[:4], octets[4:8])
        if anycast and not any(octets[8:]):
            return high + octets[8:]
        return high + self._turned(b"iid", b"", octets[8:13]) + self._turned(b"low", b"", octets[13:])

    def ipv4(self, octets: bytes) -> bytes:
        """An IPv4 address."""
        if octets[0] in (0, 127) or 224 <= octets[0] < 240 or octets == b"\xff\xff\xff\xff":
            return octets
        if octets[:2] == b"\xa9\xfe":
            return octets[:2] + self._turned(b"ipv4", octets[:2], octets[2:])
        return b"\x0a" + self._turned(b"ipv4", octets[:1], octets[1:])

    def prefix(self, octets: bytes, length: int) -> bytes:
        """The prefix that contains what was in it."""
        size = len(octets) * 8
        if length <= 0 or length > size:
            return bytes(len(octets))
        mapped = self.ipv4(octets) if size == 32 else self.ipv6(octets, anycast=length <= 64 or length == 128)
        return (int.from_bytes(mapped, "big") >> (size - length) << (size - length)).to_bytes(len(octets), "big")

    def label(self, octets: bytes) -> bytes:
        """A label or a word: as long as it was, in lower case."""
        lowered = octets.lower()
        if len(octets) > _SHORT_LABEL or any(one not in _ALPHABET for one in lowered):
            return bytes(97 + one % 26 for one in self._hash(b"label", lowered, len(octets)))
        made = bytearray()
        for place, one in enumerate(lowered):
            order = self._hash(b"order", lowered[:place] + b"/" + bytes((len(octets),)), 36 * 4)
            ranks = sorted(range(36), key=lambda each, by=order: by[each * 4 : each * 4 + 4])  # type: ignore[misc]
            made.append(_ALPHABET[ranks[_ALPHABET.index(one)]])
        return bytes(made)

    def text(self, octets: bytes) -> bytes:
        """Text: each word by itself, what stands between them stays."""
        return _WORD.sub(lambda found: self.label(found[0]), octets)

    def uri(self, octets: bytes) -> bytes:
        """A URI: its scheme and port stay, and a literal address stays one."""
        if octets.rstrip(b"\0") == _UNRESTRICTED:
            return octets
        scheme, mark, rest = octets.partition(b"://")
        if not mark:
            return self.text(octets)
        host = re.match(rb"(\[[0-9A-Fa-f:.]+\]|[0-9.]+(?=[:/\0]|$)|[^:/?#\0]*)(:[0-9]+)?", rest)
        if host is None:
            return scheme + mark + self.text(rest)
        name = host[1]
        if name.startswith(b"[") or (name and not name.strip(b"0123456789.")):
            mapped = re.sub(rb"[0-9A-Fa-f]+", lambda one: self._literal(one[0]), name)
        else:
            mapped = self.text(name)
        return scheme + mark + mapped + (host[2] or b"") + self.text(rest[host.end() :])

    def _literal(self, digits: bytes) -> bytes:
        """Digits of a literal address: 1 first, so that they are neither 0 nor above 255."""
        return b"1" + bytes(48 + one % 10 for one in self._hash(b"digits", digits, len(digits) - 1))

    def uuid(self, octets: bytes) -> bytes:
        """A UUID as text."""
        digits = self._hash(b"uuid", octets.lower(), len(octets))
        return bytes(
            45 if was == 45 else b"0123456789abcdef"[one & 15] for was, one in zip(octets, digits, strict=True)
        )

    def names(self, octets: bytes) -> bytes:
        """Names back to back; pointers and zeros stay."""
        made = bytearray(octets)
        at = 0
        while at < len(made):
            size = made[at]
            if size >= 0xC0:
                at += 2
                continue
            at += 1
            made[at : at + size] = self.label(bytes(made[at : at + size])) if size else b""
            at += size
        return bytes(made[: len(octets)])

    def each(self, octets: bytes, size: int) -> bytes:
        """Addresses of `size` octets back to back."""
        if len(octets) % size:
            return bytes(len(octets))
        one = self.ipv4 if size == 4 else self.ipv6
        return b"".join(one(octets[at : at + size]) for at in range(0, len(octets), size))

    # --- options ---------------------------------------------------------------------------------------------------

    def _pieces(self, octets: bytes, code: int, width: int, change: Callable[[int, bytes], bytes]) -> bytes:
        """Pieces behind a code of `code` octets and a length of `width`; what does not fit is zeroed."""
        made, at = b"", 0
        while at < len(octets):
            body = at + code + width
            end = body + int.from_bytes(octets[at + code : body], "big")
            if end > len(octets):
                return made + bytes(len(octets) - at)
            made += octets[at:body] + change(int.from_bytes(octets[at : at + code], "big"), octets[body:end])
            at = end
        return made

    def _opaque(self, _: int, octets: bytes) -> bytes:
        return self.octets(octets)

    def _resolver(self, octets: bytes, width: int, size: int, padded: bool) -> bytes:
        """What follows the priority in an encrypted resolver (RFC 9463): name, addresses, parameters."""
        end = width + int.from_bytes(octets[:width], "big")
        made = octets[:width] + self.names(octets[width:end])
        if len(octets) - end < width or not any(octets[end:]):
            return made + bytes(len(octets) - end)
        body, end = end + width, end + width + int.from_bytes(octets[end : end + width], "big")
        made += octets[body - width : body] + self.each(octets[body:end], size)
        rest = octets[end:]
        if padded:
            stop = 2 + int.from_bytes(rest[:2], "big")
            made += rest[:2] + self._pieces(rest[2:stop], 2, 2, self._parameter)
            return made + bytes(len(octets) - len(made))
        return made + self._pieces(rest, 2, 2, self._parameter)

    def _parameter(self, key: int, value: bytes) -> bytes:
        if key == 7:  # RFC 9461 §5: a template, whose variables stay
            return b"".join(one if one.startswith(b"{") else self.text(one) for one in re.split(rb"(\{[^}]*\})", value))
        return value if key <= 3 else self.octets(value)

    def dhcp4_option(self, code: int, content: bytes, width: int = 32) -> bytes:
        """The content of a DHCPv4 option. width: of the subnet mask that came with it."""
        if code == 28 and width < 32 and len(content) == 4:
            network = int.from_bytes(self.prefix(content, width), "big")
            return (network | (1 << (32 - width)) - 1).to_bytes(4, "big") if content != b"\xff\xff\xff\xff" else content
        if code in _V4_KEPT:
            return content
        if code in _V4_ADDRESSES:
            return self.each(content, 4)
        if code in _V4_TEXT:
            return self.text(content)
        if code in (114, 252):
            return self.uri(content)
        if code == 119:
            return self.names(content)
        if code == 61:
            return content[:1] + (self.mac(content[1:]) if content[0] == 1 else self.octets(content[1:]))
        if code == 81:
            return content[:3] + (self.names(content[3:]) if content[0] & 4 else self.text(content[3:]))
        if code in (121, 249):
            return self._routes(content)
        if code == 33 and len(content) % 8 == 0:
            return b"".join(
                self.prefix(content[at : at + 4], 24) + self.ipv4(content[at + 4 : at + 8])
                for at in range(0, len(content), 8)
            )
        if code in (43, 82):
            return self._pieces(content, 1, 1, self._opaque)
        if code == 77:
            return self._pieces(content, 0, 1, self._opaque)
        if code == 124:
            return self._pieces(content, 4, 1, lambda _, one: self._pieces(one, 0, 1, self._opaque))
        if code == 125:
            return self._pieces(content, 4, 1, lambda _, one: self._pieces(one, 1, 1, self._opaque))
        if code == 146:
            return content[:1] + self.each(content[1:9], 4) + self.names(content[9:])
        if code == 162:
            return self._pieces(content, 0, 2, lambda _, one: one[:2] + self._resolver(one[2:], 1, 4, False))
        if code == 97:
            return content[:1] + self.octets(content[1:])
        if code == 90:
            return content[:3] + bytes(max(0, len(content) - 3))
        return bytes(len(content))

    def _routes(self, content: bytes) -> bytes:
        """RFC 3442: width, significant octets, router."""
        made, at = b"", 0
        while at < len(content):
            width = min(content[at], 32)
            via = at + 1 + (width + 7) // 8
            if via + 4 > len(content):
                return made + bytes(len(content) - at)
            destination = self.prefix(content[at + 1 : via].ljust(4, b"\0"), width)[: via - at - 1]
            made += content[at : at + 1] + destination + self.ipv4(content[via : via + 4])
            at = via + 4
        return made

    def dhcp6_option(self, code: int, content: bytes) -> bytes:
        """The content of a DHCPv6 option."""
        if code in _V6_KEPT:
            return content
        if code in (1, 2):
            return content[:2] + self.octets(content[2:])
        if code in _V6_NESTED:
            at = _V6_NESTED[code]
            return self.octets(content[:4]) + content[4:at] + self._dhcp6_options(content[at:])
        if code == 5:
            return self.ipv6(content[:16]) + content[16:24] + self._dhcp6_options(content[24:])
        if code == 26:
            return self._delegated(content)
        if code in _V6_ADDRESSES:
            return self.each(content, 16)
        if code in _V6_NAMES:
            return self.names(content)
        if code == 9:
            return self.dhcp6(content)
        if code == 13:
            return content[:2] + self.text(content[2:])
        if code in (15, 16):
            at = 4 if code == 16 else 0
            return content[:at] + self._pieces(content[at:], 0, 2, self._opaque)
        if code == 17:
            return content[:4] + self._pieces(content[4:], 2, 2, self._opaque)
        if code in (18, 38):
            return self.octets(content)
        if code == 37:
            return content[:4] + self.octets(content[4:])
        if code == 79:
            return content[:2] + (self.mac(content[2:]) if len(content) == 8 else self.octets(content[2:]))
        if code == 39:
            return content[:1] + self.names(content[1:])
        if code == 56:
            return self._pieces(content, 2, 2, lambda one, body: self.names(body) if one == 3 else self.each(body, 16))
        if code in (59, 103):
            return self.uri(content)
        if code in (41, 42):
            return self.text(content)
        if code == 74:
            return self.ipv6(content[:16]) + content[16:17] + self.names(content[17:])
        if code == 144:
            return content[:2] + self._resolver(content[2:], 2, 16, False)
        if code == 11:
            return content[:3] + bytes(max(0, len(content) - 3))
        return bytes(len(content))

    def _dhcp6_options(self, octets: bytes) -> bytes:
        return self._pieces(octets, 2, 2, self.dhcp6_option)

    def _delegated(self, content: bytes) -> bytes:
        """IA_PD's prefix, and the prefix that is excluded from it (RFC 6603 §4.2), told by its further bits."""
        length, prefix = content[8], content[9:25]

        def inner(code: int, body: bytes) -> bytes:
            if code != 67 or len(body) < 2 or not length < body[0] <= 128:
                return self.dhcp6_option(code, body)
            more, room = body[0] - length, len(body[1:]) * 8
            if room < more:
                return body[:1] + bytes(len(body) - 1)
            bits = int.from_bytes(body[1:], "big") >> (room - more)
            whole = int.from_bytes(prefix, "big") >> (128 - length) << (128 - length) | bits << (128 - body[0])
            mapped = int.from_bytes(self.prefix(whole.to_bytes(16, "big"), body[0]), "big")
            bits = mapped >> (128 - body[0]) & (1 << more) - 1
            return body[:1] + (bits << (room - more)).to_bytes(len(body) - 1, "big")

        return content[:9] + self.prefix(prefix, length) + self._pieces(content[25:], 2, 2, inner)

    def dhcp6(self, message: bytes) -> bytes:
        """A DHCPv6 message, with those that relays carry inside."""
        if message[:1] in (b"\x0c", b"\x0d"):
            return message[:2] + self.each(message[2:34], 16) + self._dhcp6_options(message[34:])
        return message[:4] + self._dhcp6_options(message[4:])

    def dhcp4(self, message: bytes) -> bytes:
        """A DHCPv4 message."""
        made = bytearray(message)
        made[12:28] = self.each(message[12:28], 4)
        made[28:44] = self.mac(message[28:34]) + bytes(10) if message[2] == 6 else self.octets(message[28:44])
        found: dict[int, list[tuple[int, int]]] = {}
        _spans(message, 240, len(message), found)
        used = message[found[52][0][0]] if 52 in found and found[52][0][1] > found[52][0][0] else 0
        for bit, start, end in ((1, 108, 236), (2, 44, 108)):
            if used & bit:
                _spans(message, start, end, found)
            else:
                text, zero, _ = message[start:end].partition(b"\0")  # behind the text is whatever the sender had there
                made[start:end] = (self.text(text) + zero).ljust(end - start, b"\0")
        mask = b"".join(message[at:end] for at, end in found.get(1, ()))
        width = int.from_bytes(mask, "big").bit_count() if len(mask) == 4 else 32
        for code, spans in found.items():
            content = self.dhcp4_option(code, b"".join(message[at:end] for at, end in spans), width)
            for at, end in spans:
                made[at:end], content = content[: end - at], content[end - at :]
        return bytes(made)

    def nd_options(self, octets: bytes) -> bytes:
        """The options of a Neighbor Discovery message."""
        made, at = b"", 0
        while at + 8 <= len(octets) and octets[at + 1]:
            end = at + octets[at + 1] * 8
            made += self._nd_option(octets[at:end])
            at = end
        return made + bytes(len(octets) - at)

    def _nd_option(self, one: bytes) -> bytes:
        code, size = one[0], len(one)
        if code in _ND_KEPT:
            return one
        if code in (1, 2) and size == 8:
            return one[:2] + self.mac(one[2:])
        if code == 3 and size == 32:
            return one[:16] + self.prefix(one[16:], one[2])
        if code == 24 and size <= 24:
            return one[:8] + self.prefix(one[8:].ljust(16, b"\0"), one[2])[: size - 8]
        if code == 25:
            return one[:8] + (self.each(one[8:], 16) if size % 16 == 8 else bytes(size - 8))
        if code == 31:
            return one[:8] + self.names(one[8:])
        if code == 37:
            return one[:2] + self.uri(one[2:])
        if code == 38 and size == 16:
            kind = one[3] & 7
            length = _PREF64_LENGTHS[kind] if kind < len(_PREF64_LENGTHS) else 32
            prefix = one[4:] + bytes(4)
            if one[4:] == _NAT64:
                return one
            return one[:4] + self.prefix(prefix, min(length, 64) if not any(prefix[8:]) else length)[:12]
        if code == 21:
            at = 6
            while one[at]:
                at += 1 + one[at]
            nested = at + 8 & ~7
            made = one[:6] + self.names(one[6 : at + 1]) + bytes(nested - at - 1)
            if one[2] & 0x20:
                made, nested = made + one[nested : nested + 16], nested + 16
            return made + self.nd_options(one[nested:])
        if code == 63 and not one[2] & 0x81:
            return one[:8] + self.nd_options(one[8:])
        if code == 64 and size >= 40:
            return one[:4] + self.uuid(one[4:40]) + bytes(size - 40)
        if code == 144:
            return one[:8] + self._resolver(one[8:], 2, 16, True)
        return one[:2] + bytes(size - 2)

    # --- frames ----------------------------------------------------------------------------------------------------

    def frame(self, frame: Frame) -> bytes | None:
        """The octets of a frame with everything mapped; `None` if that can't be done and still be the same message."""
        said = translate(frame)
        if len(said) != 1 or isinstance(said[0], FrameRejected) or frame.linktype == NETLINK:
            return None
        try:
            data = self._rewritten(frame)
        except (Malformed, IndexError, ValueError):
            return None
        if data is None or len(data) != len(frame.data):
            return None
        again = translate(msgspec.structs.replace(frame, data=data))
        if len(again) != 1 or type(again[0]) is not type(said[0]) or _shape(again[0]) != _shape(said[0]):
            return None
        return data

    def _rewritten(self, frame: Frame) -> bytes | None:
        data = frame.data
        start, protocol, _, _ = link_layer(frame.linktype, data)
        made = bytearray(data)
        if frame.linktype == ETHERNET:
            made[:12] = self.mac(data[:6]) + self.mac(data[6:12])
        elif frame.linktype in (LINUX_SLL, LINUX_SLL2):
            at = 6 if frame.linktype == LINUX_SLL else 12
            made[at : at + 8] = self.mac(data[at : at + 6]) + bytes(2)
        if protocol == "ipv4":
            self._ipv4(data, made, start)
            return bytes(made)
        if protocol == "arp":
            end = start + ARP_OCTETS
            ends = (self.mac(data[at : at + 6]) + self.ipv4(data[at + 6 : at + 10]) for at in (start + 8, start + 18))
            made[start + 8 :] = b"".join(ends) + bytes(len(data) - end)
            return bytes(made)
        at, kind = start + 40, data[start + 6]
        end = at + int.from_bytes(data[start + 4 : start + 6], "big")
        if kind in EXTENSIONS:
            first = at
            if kind or data[first] in EXTENSIONS:
                return None  # only one hop-by-hop header is sure to hold no address
            kind, at, _ = extensions(data, kind, at, end)
        made[start + 8 : start + 40] = self.each(data[start + 8 : start + 40], 16)
        made[end:] = bytes(len(data) - end)
        if kind == ICMPV6:
            options = at + _ND_OPTIONS_AT[data[at]]
            if data[at] >= 135:
                body = 40 if data[at] == 137 else 24
                made[at + 8 : at + body] = self.each(data[at + 8 : at + body], 16)
            made[options:end] = self.nd_options(data[options:end])
            _checksum(made, start, at, end, ICMPV6, at + 2)
        else:
            stop = at + int.from_bytes(data[at + 4 : at + 6], "big")
            made[at + 8 : stop] = self.dhcp6(data[at + 8 : stop])
            made[stop:end] = bytes(end - stop)
            _checksum(made, start, at, stop, UDP, at + 6)
        return bytes(made)

    def _ipv4(self, data: bytes, made: bytearray, start: int) -> None:
        at = start + (data[start] & 15) * 4
        made[start + 12 : start + 20] = self.each(data[start + 12 : start + 20], 4)
        made[start + 20 : at] = b"\x01" * (at - start - 20)  # RFC 791 §3.1: no operation
        stop = at + int.from_bytes(data[at + 4 : at + 6], "big")
        made[at + 6 : at + 8] = b"\0\0"
        made[at + 8 : stop] = self.dhcp4(data[at + 8 : stop])
        made[stop:] = bytes(len(data) - stop)
        made[start + 10 : start + 12] = b"\0\0"
        made[start + 10 : start + 12] = (0xFFFF - int.from_bytes(made[start:at], "big") % 0xFFFF).to_bytes(2, "big")

    # --- records without a frame -----------------------------------------------------------------------------------

    def event(self, event: AnyEvent) -> bytes | None:
        """An event's JSON with what is recognised in its strings mapped; `None` for one that can't be known."""
        if isinstance(event, (UnknownEvent, FrameRejected, NdUserOptionSeen)):
            return None
        return msgspec.json.encode(self._json("", msgspec.json.decode(encode(event))))

    def _json(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            if key == "settings":
                value = {**value, "values": {}, "origin": "", "lines": {}, "notes": []}
            if str(value.get("type")).startswith("settings-"):
                value = {name: "" if name in ("origin", "text") else one for name, one in value.items()}
            return {name: self._json(name, one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._json(key, one) for one in value]
        if not isinstance(value, str) or not value:
            return value
        if key in ("link", "name", "type", "kind"):
            return value
        if key == "body":
            return "{}"
        if key in ("detail", "alias", "error"):
            return ""
        if key in ("boot", "host"):
            return self.octets(value.encode())[:16].hex()
        if (key == "pvd" and value.startswith(("fqdn:", "dns:"))) or key in ("search", "split_dns"):
            kind, mark, name = value.rpartition(":")
            return kind + mark + ".".join(self.label(one.encode()).decode() for one in name.split("."))
        return self.string(value)

    def string(self, text: str) -> str:
        """MACs, UUIDs, addresses and prefixes in a text."""
        text = _UUID.sub(lambda one: self.uuid(one[0].encode()).decode(), text)
        pieces = re.split(f"({_MAC.pattern})", text)
        for place, piece in enumerate(pieces):
            if place % 2:
                pieces[place] = self.mac(bytes.fromhex(piece.replace(":", ""))).hex(":")
            else:
                pieces[place] = _ADDRESS.sub(self._address, piece)
        return "".join(pieces)

    def _address(self, found: re.Match[str]) -> str:
        try:
            address: IPv4Address | IPv6Address = ip_address(found[1])
        except ValueError:
            return found[0]
        packed = address.packed
        if found[2] is None:
            return str(ip_address(self.each(packed, len(packed))))
        length, size = int(found[2]), len(packed) * 8
        if length < size and not int.from_bytes(packed, "big") & (1 << (size - length)) - 1:
            return f"{ip_address(self.prefix(packed, length))}/{length}"
        return f"{ip_address(self.each(packed, len(packed)))}/{length}"


def _spans(message: bytes, at: int, end: int, found: dict[int, list[tuple[int, int]]]) -> None:
    """Where the content of each DHCPv4 option is; one may be in several pieces (RFC 3396)."""
    while at < end and message[at] != 255:
        if message[at] == 0:
            at += 1
            continue
        body = at + 2
        at = body + message[at + 1]
        if at > end:
            raise ValueError("an option ends past its field")
        found.setdefault(message[body - 2], []).append((body, at))


def _checksum(made: bytearray, start: int, at: int, end: int, kind: int, field: int) -> None:
    """RFC 8200 §8.1, with 0xffff for 0."""
    made[field : field + 2] = b"\0\0"
    made[field : field + 2] = (0xFFFF - sum6(bytes(made), start, at, end, kind)).to_bytes(2, "big")


def _shape(event: AnyEvent) -> tuple[object, ...]:
    options = getattr(event, "options", ())
    return (len(options), getattr(event, "message", ""), len(getattr(event, "relays", ())))
