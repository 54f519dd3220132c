"""Part E of the standards reference, entries 1-46, 77, 89-92 and 98: each hostile input and its one right outcome.

Law: one row, one packet, one outcome. An outcome is
  - a text, `PROTOCOL RULE`: the packet is a FrameRejected with that rule of adapters/wire/rules.py;
  - NOTHING: the packet is none of ours, or nobody can tell that it is;
  - a dict: the packet is an event, and these are some of its fields.
Rows whose point is what a PvD makes of the event show here that the event says what stood on the wire.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from events.frames import LINUX_SLL, Frame
from events.router import (
    CaptivePortal,
    Dnssl,
    EncryptedDns,
    FlagsExtension,
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
    ServiceParam,
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
    UnknownOption,
)
from tests.wire.packets import (
    A9_MIF_UUID,
    MAC,
    NODES,
    ROUTER,
    SLLA,
    arp,
    dnssl,
    ethernet,
    frame,
    header,
    ip6,
    ipv6,
    mif,
    mif_id,
    mtu,
    na,
    name,
    nd,
    ns,
    option,
    pio,
    pvd,
    ra,
    rdnss,
    redirect,
    rio,
    rs,
    sealed,
)

NOTHING: Final = None
Outcome = str | dict[str, Any] | None


class Case(NamedTuple):
    entry: int
    what: str
    frame: Frame
    outcome: Outcome


def ignored(octets: bytes, reason: str) -> IgnoredOption:
    return IgnoredOption(octets[0], reason, octets, len(octets))


def kept(*options: NdOption) -> dict[str, Any]:
    return {"options": options}


def dropped(octets: bytes, reason: str) -> dict[str, Any]:
    """The one option of an RA is ignored, the RA stands."""
    return {"options": (ignored(octets, reason),), "router": ROUTER}


LLA: Final = SourceLinkLayerAddress("02:00:00:00:00:01")
X: Final = name("x.example")
BARE: Final = sealed(header(), ROUTER, NODES)  # an RA without options


def raw(packet: bytes, original: int = -1) -> Frame:
    return frame(ethernet(packet), original=original)


def behind(extension: bytes, first: int, message: bytes = BARE) -> Frame:
    """`message` behind extension headers, the first of which has type `first`."""
    return raw(ipv6(extension + message, next_header=first))


def pvd_said(wire_name: bytes, text: str, *options: NdOption, **fields: Any) -> PvdOption:
    """The reading of `pvd(wire_name, …)`; the name as sent equals the canonical one unless given."""
    nested_at = (6 + len(wire_name) + 7) // 8 * 8 + (16 if "header" in fields else 0)
    plain: dict[str, Any] = {
        "http": False,
        "legacy": False,
        "delay": 0,
        "sequence": 0,
        "length": nested_at + sum(one.length for one in options),
        "name_as_sent": text,
    }
    return PvdOption(name=text, options=options, nested_at=nested_at, **{**plain, **fields})


def carrier() -> Iterator[Case]:
    short = ipv6(BARE)
    yield Case(1, "no octets at all", frame(b""), "ethernet link-header")
    yield Case(1, "Ethernet header, nothing behind it", raw(b""), "ip ip-header")
    yield Case(1, "IPv6 header of 39 octets", raw(short[:39]), "ip ip-header")
    yield Case(1, "IPv6 without payload", raw(ipv6(b"")), "ip message-length")
    yield Case(1, "one octet of payload", raw(ipv6(b"\x86")), "ra message-length")
    yield Case(1, "one octet of another message", raw(ipv6(b"\x80")), NOTHING)
    yield Case(2, "RA of 15 octets", nd(header()[:15]), "ra message-length")
    yield Case(2, "RA of 16 octets", ra(), {"header": RaHeader(1800, hop_limit=64), "options": ()})
    for hops in (254, 0, 64):
        yield Case(3, f"hop limit {hops}", nd(header(), hop_limit=hops), "ra hop-limit")
    for source in ("::", "2001:db8::1", "ff02::1", "::1", "::ffff:192.0.2.1", "fec0::1"):
        yield Case(4, f"source {source}", ra(source=source), "ra source-not-link-local")
    for source in ("fe80:0:0:1::1", "febf::1"):
        yield Case(4, f"source {source}, in fe80::/10", ra(source=source), {"router": source})
    yield Case(5, "code 1", nd(b"\x86\x01" + header()[2:]), "ra code")
    yield Case(5, "code 255", nd(b"\x86\xff" + header()[2:]), "ra code")
    wrong = BARE[:3] + bytes((BARE[3] ^ 1,)) + BARE[4:]
    yield Case(6, "checksum off by one", raw(ipv6(wrong)), "ra checksum")
    yield Case(6, "checksum 0x0000", nd(header(), seal=False), "ra checksum")
    yield Case(6, "odd length, right checksum", nd(header() + SLLA + b"\0"), "ra option-stray")
    yield Case(7, "atomic fragment header", behind(struct.pack("!BBHI", 58, 0, 0, 7), 44), "ra fragment")
    yield Case(7, "first fragment", behind(struct.pack("!BBHI", 58, 0, 1, 7), 44), "ra fragment")
    yield Case(7, "last fragment", behind(struct.pack("!BBHI", 58, 0, 16, 7), 44), NOTHING)
    yield Case(7, "overlapping fragment", behind(struct.pack("!BBHI", 58, 0, 9, 7), 44), NOTHING)
    hop_by_hop, destination = bytes((60, 0, 1, 4, 0, 0, 0, 0)), bytes((58, 0, 1, 4, 0, 0, 0, 0))
    yield Case(8, "hop-by-hop and destination options", behind(hop_by_hop + destination, 0), {"options_at": 86})
    chain = bytes((60, 0, 1, 4, 0, 0, 0, 0)) * 99 + destination
    yield Case(8, "100 extension headers", behind(chain, 60), "ip extension-headers")
    yield Case(
        8, "extension header past the packet", behind(bytes((58, 200, 1, 4, 0, 0, 0, 0)), 0), "ip extension-overrun"
    )
    eight_over = raw(ipv6(bytes((58, 1, 1, 4, 0, 0, 0, 0)), next_header=60))
    yield Case(8, "extension header one unit past the packet", eight_over, "ip extension-overrun")
    yield Case(9, "payload length past the packet", raw(ipv6(BARE, length=17)), "ra ip-length")
    cut = frame(ethernet(ipv6(BARE)[:-4]), original=len(ethernet(ipv6(BARE))))
    yield Case(9, "the capture cut it", cut, "ra truncated-capture")
    inside = ethernet(ipv6(sealed(header() + SLLA + pio("2001:db8::"), ROUTER, NODES)))
    yield Case(
        9, "the capture cut it inside an option", frame(inside[:90], original=len(inside)), "ra truncated-capture"
    )
    yield Case(9, "the capture cut it before its type", frame(inside[:54], original=len(inside)), NOTHING)
    yield Case(9, "the capture cut it inside the IPv6 header", frame(inside[:30], original=len(inside)), NOTHING)
    yield Case(9, "cut, and the length lies all the same", raw(ipv6(BARE, length=99), 90), "ra ip-length")
    yield Case(9, "payload length under the RA", raw(ipv6(BARE, length=15)), "ra message-length")
    padded = frame(ethernet(ipv6(BARE)) + pio("2001:db8::"))
    yield Case(9, "trailing octets that look like an option", padded, {"options": ()})
    ten = tuple((0x88A8, vid) for vid in range(1, 11))
    yield Case(77, "ten VLAN tags", frame(ethernet(ipv6(BARE), tags=ten)), "ethernet vlan-depth")
    yield Case(
        77, "two VLAN tags", frame(ethernet(ipv6(BARE), tags=((0x88A8, 10), (0x8100, 30)))), {"link": "if0.10.30"}
    )
    yield Case(77, "a tag cut off", frame(ethernet(b"", 0x8100) + b"\0"), "ethernet link-header")
    yield Case(77, "unknown link type", frame(ethernet(ipv6(BARE)), linktype=9999), NOTHING)
    yield Case(77, "SLL with protocol 0", frame(bytes(16) + ipv6(BARE), linktype=LINUX_SLL), NOTHING)


def framing() -> Iterator[Case]:
    zero, route = b"\x05\0" + bytes(6), pio("2001:db8::")
    yield Case(10, "length 0 first", ra(zero, SLLA), "ra option-length-zero")
    yield Case(10, "length 0 in the middle", ra(SLLA, zero, route), "ra option-length-zero")
    yield Case(10, "length 0 last", ra(SLLA, route, zero), "ra option-length-zero")
    yield Case(11, "one unit past the end", ra(SLLA, b"\xc8\x02" + bytes(6)), "ra option-overrun")
    yield Case(11, "255 units in 100 octets", ra(SLLA, b"\xc8\xff" + bytes(74)), "ra option-overrun")
    yield Case(12, "one stray octet", ra(SLLA, b"\x01"), "ra option-stray")
    stray = frame(ethernet(ipv6(sealed(header() + SLLA + b"\x01", ROUTER, NODES))) + b"\x01" + bytes(6))
    yield Case(12, "one stray octet, padding behind it", stray, "ra option-stray")
    yield Case(13, "2000 options", ra(*[option(200, bytes(6))] * 2000), "ra option-count")
    yield Case(13, "129 options", ra(*[option(200, bytes(6))] * 129), "ra option-count")
    short, long = option(200, bytes(6)), option(200, bytes(14))
    yield Case(13, "129 options, the last one longer", ra(*[short] * 128, long), "ra option-count")
    yield Case(13, "128 options and the start of one", ra(*[short] * 128, b"\xc8\x01"), "ra option-count")
    yield Case(13, "128 options and one octet", ra(*[short] * 128, b"\xc8"), "ra option-stray")
    last = UnknownOption(200, long, 16)
    most = UnknownOption(200, option(200, bytes(6)), 8)
    yield Case(13, "128 options, the last one longer", ra(*[short] * 127, long), kept(*[most] * 127, last))
    yield Case(13, "128 options", ra(*[option(200, bytes(6))] * 128), kept(*[most] * 128))
    everything = header(65535, 0x17, 0, 0xFFFFFFFF, 0xFFFFFFFF)
    said = RaHeader(65535, "reserved", False, False, 0, 0xFFFFFFFF, 0xFFFFFFFF, False, True, True, 0x17)
    yield Case(14, "reserved bit, preference 10, lifetime 65535", ra(start=everything), {"header": said})


def single_options() -> Iterator[Case]:
    def one(entry: int, what: str, octets: bytes, outcome: NdOption | str) -> Case:
        return Case(
            entry, what, ra(octets), kept(outcome) if not isinstance(outcome, str) else dropped(octets, outcome)
        )

    def prefix(
        text: str, valid: int | None = 3600, preferred: int | None = 1800, flags: int = 0xC0
    ) -> PrefixInformation:
        bits = [bool(flags & bit) for bit in (0x80, 0x40, 0x20, 0x10)]
        return PrefixInformation(text, valid, preferred, *bits)

    yield one(15, "SLLA of two units", option(1, bytes(14)), "option-length")
    yield one(15, "SLLA of zeros", option(1, bytes(6)), "lla-zero")
    yield Case(15, "SLLA fifty times", ra(*[SLLA] * 50), kept(*[LLA] * 50))
    pio_ = pio("2001:db8::")
    yield one(16, "PIO length 3", b"\x03\x03" + pio_[2:24], "option-length")
    yield one(16, "PIO length 5", b"\x03\x05" + pio_[2:] + bytes(8), "option-length")
    yield one(16, "prefix length 129", pio("2001:db8::", 129), "prefix-length")
    yield one(16, "prefix length 255", pio("2001:db8::", 255), "prefix-length")
    yield one(16, "prefix length 0 with A", pio("2001:db8::", 0), prefix("::/0"))
    yield one(16, "preferred over valid", pio("2001:db8::", valid=10, preferred=11), "prefix-lifetimes")
    yield one(16, "preferred for ever, valid not", pio("2001:db8::", preferred=0xFFFFFFFF), "prefix-lifetimes")
    yield one(16, "fe80::/64", pio("fe80::"), "prefix-link-local")
    yield one(16, "ff00::/8", pio("ff00::", 8), "prefix-multicast")
    yield one(16, "host bits", pio("2001:db8::1:2:3:4"), prefix("2001:db8::/64"))
    yield one(16, "host bits inside an octet", pio("2001:db8:ffff::", 33), prefix("2001:db8:8000::/33"))
    yield one(
        16, "for ever", pio("2001:db8::", valid=2**32 - 1, preferred=2**32 - 1), prefix("2001:db8::/64", None, None)
    )
    yield one(16, "lifetimes 0", pio("2001:db8::", valid=0, preferred=0), prefix("2001:db8::/64", 0, 0))
    yield one(17, "A with /63", pio("2001:db8::", 63), prefix("2001:db8::/63"))
    yield one(17, "A with /65", pio("2001:db8::", 65), prefix("2001:db8::/65"))
    yield one(17, "P and A", pio("2001:db8::", flags=0x50), prefix("2001:db8::/64", flags=0x50))
    twice = ra(pio("2001:db8::"), pio("2001:db8::", valid=9, preferred=9))
    yield Case(17, "a prefix twice", twice, kept(prefix("2001:db8::/64"), prefix("2001:db8::/64", 9, 9)))
    yield one(18, "MTU 0", mtu(0), "mtu-small")
    yield one(18, "MTU 1279", mtu(1279), "mtu-small")
    yield one(18, "MTU 1280", mtu(1280), Mtu(1280))
    yield one(18, "MTU 65535", mtu(65535), Mtu(65535))
    yield one(18, "MTU 0xffffffff", mtu(2**32 - 1), Mtu(2**32 - 1))
    yield one(18, "MTU of two units", b"\x05\x02" + mtu(1500)[2:] + bytes(8), "option-length")
    yield one(19, "RIO length 1 with /1", rio("8000::", 1, units=1), "option-length")
    yield one(19, "RIO length 2 with /65", rio("2001:db8::", 65, units=2), "option-length")
    yield one(
        19, "RIO length 2 with /64", rio("2001:db8::", 64, units=2), RouteInformation("2001:db8::/64", 600, length=16)
    )
    yield one(19, "RIO length 4", b"\x18\x04" + rio("2001:db8::", 64)[2:] + bytes(8), "option-length")
    yield one(19, "RIO prefix length 129", rio("2001:db8::", 129), "prefix-length")
    yield one(19, "RIO preference 10", rio("2001:db8::", 48, preference=0x10), "route-preference")
    yield one(19, "RIO lifetime 0", rio("2001:db8::", 48, 0), RouteInformation("2001:db8::/48", 0))
    yield one(19, "RIO for ever", rio("2001:db8::", 48, 2**32 - 1), RouteInformation("2001:db8::/48", None))
    default = ra(rio("::", 0, units=1), start=header(0))
    yield Case(19, "::/0, header lifetime 0", default, kept(RouteInformation("::/0", 600, length=8)))
    yield one(20, "RDNSS length 1", option(25, bytes(6)), "option-length")
    yield one(20, "RDNSS length 2", option(25, bytes(14)), "option-length")
    yield one(20, "RDNSS length 4", option(25, bytes(6) + ip6("2001:db8::53") + bytes(8)), "option-length")
    many = tuple(f"2001:db8::{at:x}" for at in range(1, 128))
    yield one(20, "RDNSS length 255", rdnss(*many), Rdnss(many, 600, 2040))
    yield one(20, "RDNSS ::", rdnss("::"), "address-not-unicast")
    yield one(20, "RDNSS ::1 alone", rdnss("::1"), "no-address")
    yield one(20, "RDNSS ::1 beside another", rdnss("::1", "2001:db8::53"), Rdnss(("2001:db8::53",), 600, 40))
    yield one(20, "RDNSS multicast", rdnss("ff02::fb"), "address-not-unicast")
    yield one(20, "RDNSS link-local", rdnss("fe80::53"), Rdnss(("fe80::53",), 600, 24))
    lives = ra(rdnss("2001:db8::1", lifetime=0), rdnss("2001:db8::2"))
    yield Case(20, "RDNSS 0 for one", lives, kept(Rdnss(("2001:db8::1",), 0, 24), Rdnss(("2001:db8::2",), 600, 24)))
    yield one(21, "DNSSL length 1", option(31, bytes(6)), "option-length")
    yield one(21, "DNSSL unterminated", dnssl(b"\x0f" + b"a" * 15), "name-unterminated")
    yield one(21, "DNSSL label of 64", dnssl(b"\x40" + b"a" * 64 + b"\0"), "name-label")
    yield one(
        21,
        "DNSSL name of 256",
        dnssl(b"\x3f" * 64 + b"\x3f" * 64 + b"\x3f" * 64 + b"\x3e" * 63 + b"\0"),
        "name-too-long",
    )
    yield one(21, "DNSSL pointer", dnssl(b"\x01a\xc0\x08"), "name-compressed")
    yield one(21, "a good name, then a bad one", dnssl(X + b"\x40"), "name-label")
    yield one(21, "DNSSL empty", dnssl(bytes(8)), "no-name")
    odd = b"\x04a\0.b\x02\xc3\xa9\0"
    yield one(21, "NUL, dot and non-ASCII in labels", dnssl(odd), Dnssl(("a\\000\\046b.\\195\\169.",), 600, 24))
    short = b"\x01a\0" * 250
    yield one(21, "250 names of one octet", dnssl(short), Dnssl(("a.",) * 250, 600, 760))
    yield one(22, "portal of NULs", option(37, bytes(6)), "uri-empty")
    yield one(22, "NUL inside", option(37, b"https://a\0b/"), "uri-characters")
    yield one(22, "control character", option(37, b"https://a/\x1b[2J"), "uri-characters")
    yield one(22, "javascript:", option(37, b"javascript:alert(1)"), "uri-scheme")
    yield one(22, "file:", option(37, b"file:///etc/passwd"), "uri-scheme")
    yield one(22, "invalid UTF-8", option(37, b"https://\xff/"), "uri-characters")
    yield one(22, "an address that never closes", option(37, b"http://[::1"), "uri-syntax")
    longest = "https://portal.example/" + "a" * (2038 - 23)
    yield one(22, "2038 octets, exact fit", option(37, longest.encode()), CaptivePortal(longest, 2040))
    fits = "https://p.e/ab"
    yield one(22, "exact fit without NUL", option(37, fits.encode()), CaptivePortal(fits, 16))
    none = "urn:ietf:params:capport:unrestricted"
    yield one(22, "no portal here", option(37, none.encode()), CaptivePortal(none, 40))

    def pref64(word: int, prefix: str = "64:ff9b::") -> bytes:
        return option(38, struct.pack("!H", word) + ip6(prefix)[:12])

    yield one(23, "PREF64 length 1", option(38, bytes(6)), "option-length")
    yield one(23, "PREF64 length 3", option(38, bytes(22)), "option-length")
    yield one(23, "PLC 6", pref64(0x0706), "pref64-length-code")
    yield one(23, "PLC 7", pref64(0x0707), "pref64-length-code")
    yield one(23, "lifetime 0", pref64(0), Pref64("64:ff9b::/96", 0))
    yield one(23, "lifetime 8191 units", pref64(0xFFF8), Pref64("64:ff9b::/96", 65528))
    yield one(23, "bits past the prefix", pref64(0x000D, "2001:db8:1:2::"), Pref64("2001:db8::/32", 8))
    yield one(23, "multicast prefix", pref64(8, "ff0e::"), "prefix-multicast")
    again = option(26, b"\x40")
    first_counts = kept(FlagsExtension("800000000000"), ignored(again, "duplicate-flags-extension"))
    yield Case(25, "flags extension twice", ra(option(26, b"\x80"), again), first_counts)
    yield one(25, "flags extension of two units", option(26, b"\x80" + bytes(13)), FlagsExtension("800000000000", 16))


def resolvers() -> Iterator[Case]:
    adn = name("dns.example")
    alpn, path = (1, b"\x02h2"), (7, b"/q{?dns}")
    dot = (1, b"\x03dot")

    def params(*pairs: tuple[int, bytes]) -> bytes:
        return b"".join(struct.pack("!HH", key, len(value)) + value for key, value in pairs)

    def dnr(
        listed: bytes,
        *,
        priority: int = 1,
        name_: bytes = adn,
        size: int | None = None,
        addresses: bytes | None = None,
        address_size: int | None = None,
        params_size: int | None = None,
        behind_it: bytes = b"",
    ) -> bytes:
        octets = ip6("2001:db8::53") if addresses is None else addresses
        body = struct.pack("!HIH", priority, 600, len(name_) if size is None else size) + name_
        body += struct.pack("!H", len(octets) if address_size is None else address_size) + octets
        body += struct.pack("!H", len(listed) if params_size is None else params_size) + listed + behind_it
        return option(144, body)

    def only(tail: bytes) -> bytes:
        return option(144, struct.pack("!HIH", 1, 600, len(adn)) + adn + tail)

    def bad(what: str, octets: bytes, reason: str) -> Case:
        return Case(24, what, ra(octets), dropped(octets, reason))

    yield bad("priority 0", dnr(params(dot), priority=0), "dnr-priority-zero")
    yield bad("ADN length 0", dnr(params(dot), name_=b""), "dnr-adn-empty")
    yield bad("ADN past the end", dnr(params(dot), size=999), "dnr-truncated")
    yield bad("ADN is the root", dnr(params(dot), name_=b"\0"), "dnr-adn-root")
    yield bad("ADN compressed", dnr(params(dot), name_=b"\x01a\xc0\x0a"), "name-compressed")
    yield bad("ADN unterminated", dnr(params(dot), name_=b"\x03dns"), "name-unterminated")
    yield bad("ADN shorter than its length", dnr(params(dot), name_=adn + b"\0"), "dnr-adn-length")
    yield bad("address length 15", dnr(params(dot), address_size=15), "dnr-address-length")
    yield bad("address length past the end", dnr(params(dot), address_size=1600), "dnr-truncated")
    yield bad("no address", dnr(params(dot), addresses=b""), "dnr-no-address")
    yield bad("SvcParams past the end", dnr(params(dot), params_size=999), "dnr-truncated")
    yield bad("a parameter past its list", dnr(params(dot)[:-1]), "svc-truncated")
    yield bad("keys descending", dnr(params(path, alpn)), "svc-order")
    yield bad("a key twice", dnr(params(dot, dot)), "svc-order")
    yield bad("mandatory lists an absent key", dnr(params((0, b"\0\x03"), dot)), "svc-mandatory")
    yield bad("mandatory lists an unknown key", dnr(params((0, b"\x03\xe7"), dot, (999, b""))), "svc-mandatory")
    yield bad("no alpn", dnr(params((3, b"\x03\x55"))), "svc-alpn")
    yield bad("h2 without dohpath", dnr(params(alpn)), "svc-dohpath")
    yield bad("ipv6hint", dnr(params(dot, (6, ip6("2001:db8::1")))), "svc-hint")
    yield bad("port 0", dnr(params(dot, (3, b"\0\0"))), "svc-port")
    yield bad("no-default-alpn with a value", dnr(params(dot, (2, b"x"))), "svc-no-default-alpn")
    yield bad("8 octets and more behind it", dnr(params(dot), behind_it=b"\1" * 16), "dnr-padding")
    yield bad("one unit only", option(144, bytes(6)), "option-length")
    resolver = EncryptedDns(1, "dns.example.", (), (), 600, 24)
    yield Case(24, "ADN only, one zero behind", ra(only(b"")), kept(resolver))
    long = option(144, struct.pack("!HIH", 1, 600, 7) + b"\x05dns-a\0" + bytes(7))
    yield Case(24, "ADN only, 7 zeros behind", ra(long), kept(EncryptedDns(1, "dns-a.", (), (), 600, 24)))
    full = dnr(params((0, b"\0\x01"), dot))
    said = (ServiceParam(0, "0001", "alpn"), ServiceParam(1, "03646f74", "dot"))
    yield Case(24, "mandatory first, key 0", ra(full),
               kept(EncryptedDns(1, "dns.example.", ("2001:db8::53",), said, 600, len(full))))  # fmt: skip
    mixed = dnr(params(dot), addresses=ip6("::1") + ip6("ff02::fb") + ip6("2001:db8::53"))
    yield Case(24, "loopback and multicast beside one", ra(mixed),
               kept(EncryptedDns(1, "dns.example.", ("2001:db8::53",), said[1:], 600, len(mixed))))  # fmt: skip


def pvds() -> Iterator[Case]:
    inner = header(600)
    pio_, said = pio("2001:db8::"), PrefixInformation("2001:db8::/64", 3600, 1800, True, True)

    def broken(entry: int, what: str, octets: bytes, rule: str) -> Case:
        return Case(entry, what, ra(SLLA, octets), f"ra {rule}")

    yield broken(26, "one unit, name of two octets", b"\x15\x01\0\0\0\0\x01a", "pvd-name-unterminated")
    for size, rule in ((0x40, "pvd-name-label"), (0x80, "pvd-name-label"), (0xC0, "pvd-name-compressed")):
        yield broken(27, f"name length octet {size:#x}", pvd(bytes((size,)) + b"a" * 200 + b"\0"), rule)
    yield broken(28, "no terminating zero", pvd(b"\x09" + b"a" * 9), "pvd-name-unterminated")
    # A name that would go on in the option behind it: nothing past the container is read.
    yield Case(
        28, "the name runs on outside", ra(pvd(b"\x09" + b"a" * 9), X + bytes(-len(X) % 8)), "ra pvd-name-unterminated"
    )
    label = b"\x3f" + b"a" * 63
    yield broken(29, "name of 256 octets", pvd(label * 3 + b"\x3e" + b"a" * 62 + b"\0"), "pvd-name-too-long")
    longest = label * 3 + b"\x3d" + b"a" * 61 + b"\0"
    yield Case(
        29, "name of 255 octets", ra(pvd(longest)), kept(pvd_said(longest, ("a" * 63 + ".") * 3 + "a" * 61 + "."))
    )
    most = b"\x01a" * 127 + b"\0"
    yield Case(29, "127 labels of one octet", ra(pvd(most)), kept(pvd_said(most, "a." * 127)))
    yield broken(30, "root name", pvd(b"\0"), "pvd-name-root")
    yield broken(30, "name that is only padding", pvd(bytes(40)), "pvd-name-root")
    for octets, text in (
        (b"\x03a\0b\0", "a\\000b."),
        (b"\x03a.b\0", "a\\046b."),
        (b"\x03a\nb\0", "a\\010b."),
        (b"\x03a\x1bb\0", "a\\027b."),
        (b"\x03a/b\0", "a\\047b."),
        (b"\x02..\0", "\\046\\046."),
        (b"\x01\xff\0", "\\255."),
        (b"\x01\\\0", "\\092."),
        (name("1.2.3.4"), "1.2.3.4."),
        (name("localhost"), "localhost."),
        (name("xn--xample-9uf"), "xn--xample-9uf."),
    ):
        yield Case(31, f"name {text}", ra(pvd(octets)), kept(pvd_said(octets, text)))
    for left in (0, 8):
        yield broken(32, f"R with {left} octets left", pvd(X, bytes(left), flags=0x2000), "pvd-header-missing")
    overlap = pvd(name("a" * 9), bytes(8), flags=0x2000)
    yield broken(32, "R, the header would overlap the end", overlap, "pvd-header-missing")
    sly = pvd(X, flags=0x2000, inner=b"\x87\x09\xff\xff" + inner[4:])
    header_said = RaHeader(600, hop_limit=64)
    whole = pvd_said(X, "x.example.", flags=0x2000, header=header_said)
    yield Case(33, "inner type 135, code 9, checksum 0xffff", ra(sly), kept(whole))
    for outer, within in ((6000, 0), (0, 1600)):
        both = ra(pvd(X, flags=0x2000, inner=header(within)), start=header(outer))
        fields = {
            "header": RaHeader(outer, hop_limit=64),
            **kept(pvd_said(X, "x.example.", flags=0x2000, header=RaHeader(within, hop_limit=64))),
        }
        yield Case(34, f"outer {outer}, inner {within}", both, fields)
    opposite = ra(pvd(X, flags=0x2000, inner=header(flags=0x40)), start=header(flags=0x80))
    yield Case(34, "M and O opposite", opposite, {
        "header": RaHeader(1800, managed=True, hop_limit=64, flags=0x80),
        **kept(pvd_said(X, "x.example.", flags=0x2000,
                        header=RaHeader(1800, other_config=True, hop_limit=64, flags=0x40))),
    })  # fmt: skip
    yield broken(35, "nested length 0", pvd(X, pio_, b"\xc8\0" + bytes(6)), "pvd-option-length-zero")
    runs_on = ra(pvd(X, b"\xc8\x02" + bytes(6)), SLLA)
    yield Case(35, "nested length past the container, inside the RA", runs_on, "ra pvd-option-overrun")
    within_it = pvd(name("y.example"), pio("2001:db8:f::"))
    third = pvd(name("y.example"), pvd(name("z.example"), pvd(name("w.example"))))
    for what, octets in (("nested 21", within_it), ("21 three levels deep", third)):
        nested = pvd_said(X, "x.example.", ignored(octets, "nested-pvd"), said)
        yield Case(36, what, ra(pvd(X, octets, pio_)), kept(nested))
    container = mif(mif_id())
    nested = pvd_said(X, "x.example.", ignored(container, "nested-mif"), said)
    yield Case(36, "nested 63", ra(pvd(X, container, pio_)), kept(nested))
    y = pvd(name("y.example"), pio_)
    yield Case(37, "two PvDs", ra(pvd(X), y), kept(pvd_said(X, "x.example."), ignored(y, "duplicate-pvd")))
    others = [pvd(name(f"n{at}.example")) for at in range(19)]
    twenty = kept(pvd_said(X, "x.example."), *[ignored(other, "duplicate-pvd") for other in others])
    yield Case(37, "20 PvDs", ra(pvd(X), *others), twenty)
    yield Case(37, "the first malformed", ra(pvd(b"\0"), y), "ra pvd-name-root")
    ill = pvd(b"\0")
    yield Case(
        37, "the second malformed", ra(pvd(X), ill), kept(pvd_said(X, "x.example."), ignored(ill, "duplicate-pvd"))
    )
    filler = option(200, bytes(230))
    filled = pvd(X, filler)
    yield Case(38, "32 units", ra(filled), kept(pvd_said(X, "x.example.", UnknownOption(200, filler, 232), length=256)))
    filler = option(200, bytes(2014))
    filled = pvd(X, filler)
    yield Case(
        38, "255 units", ra(filled), kept(pvd_said(X, "x.example.", UnknownOption(200, filler, 2016), length=2040))
    )
    yield Case(38, "255 units of 8 octets", ra(pvd(X, *[option(200, bytes(6))] * 252)), "ra option-count")
    halves = [mif(mif_id(), *[option(200, bytes(6))] * 80) for _ in range(2)]
    yield Case(38, "two containers of 81 options", ra(*halves), "ra option-count")
    bits = pvd(X, flags=0x1FFF, sequence=0xFFFF, pad=0xFF)
    every = pvd_said(X, "x.example.", flags=0x1FFF, delay=15, sequence=0xFFFF)
    yield Case(39, "reserved bits and padding set, delay 15, sequence 0xffff", ra(bits), kept(every))
    yield Case(
        39, "then sequence 0", ra(pvd(X, flags=0x8000)), kept(pvd_said(X, "x.example.", flags=0x8000, http=True))
    )
    for text in ("X.example", "x.EXAMPLE", "X.eXaMpLe"):
        cased = pvd_said(X, "x.example.", name_as_sent=text + ".")
        yield Case(40, f"the id as {text}", ra(pvd(name(text))), kept(cased))
    upper, lower = pvd_said(b"\x01\xdd\0", "\\221."), pvd_said(b"\x01\xfd\0", "\\253.")
    yield Case(40, "0xDD is no capital", ra(pvd(b"\x01\xdd\0")), kept(upper))
    yield Case(40, "0xFD is not its small letter", ra(pvd(b"\x01\xfd\0")), kept(lower))
    yield Case(41, "X with a prefix", ra(pvd(X, pio_)), kept(pvd_said(X, "x.example.", said)))
    yield Case(41, "Y with the same prefix", ra(y), kept(pvd_said(name("y.example"), "y.example.", said)))
    for flags, legacy, http in ((0x4000, True, False), (0xC000, True, True), (0, False, False)):
        toggled = pvd_said(X, "x.example.", flags=flags, legacy=legacy, http=http, sequence=flags >> 12)
        yield Case(42, f"flags {flags:#x}", ra(pvd(X, flags=flags, sequence=flags >> 12)), kept(toggled))
    yield Case(43, "an RA of a set, header only", ra(sly), kept(whole))
    pieces = pvd(X, rdnss("2001:db8::53"), flags=0x2000, inner=inner)
    more = pvd_said(X, "x.example.", Rdnss(("2001:db8::53",), 600, 24), flags=0x2000, header=header_said)
    yield Case(43, "an RA of a set, the options", ra(pieces), kept(more))
    yield Case(44, "option 21 in an NA", na(pvd(X)), kept(ignored(pvd(X), "not-in-this-message")))
    yield Case(44, "option 21 in an RS", rs(pvd(X)), kept(ignored(pvd(X), "not-in-this-message")))


def containers() -> Iterator[Case]:
    pio_, said = pio("2001:db8::"), PrefixInformation("2001:db8::/64", 3600, 1800, True, True)
    identity = MifPvdId(A9_MIF_UUID, 4, 40)

    def bad(what: str, octets: bytes, reason: str) -> Case:
        return Case(45, what, ra(octets, SLLA), kept(ignored(octets, reason), LLA))

    yield bad("container in container", mif(mif_id(), mif(mif_id())), "mif-in-mif")
    yield bad("two ids", mif(mif_id(), mif_id()), "mif-two-ids")
    yield bad("no id", mif(pio_), "mif-no-id")
    yield bad("empty", mif(), "mif-no-id")
    yield bad("S as 0x80", mif(mif_id(), flags=0x80), "mif-signed")
    yield bad("S as 0x01", mif(mif_id(), flags=0x01), "mif-signed")
    late = MifContainer(A9_MIF_UUID, (said, identity), 80)
    yield Case(45, "id after another option", ra(mif(pio_, mif_id())), kept(late))
    asked = MifContainer(A9_MIF_UUID, (MifPvdId(A9_MIF_UUID, 1, 40),), 48)
    yield Case(45, "id type 1", ra(mif(mif_id(id_type=1))), kept(asked))
    shouting = MifContainer(A9_MIF_UUID, (identity,), 48)
    yield Case(45, "UUID in capitals", ra(mif(mif_id(A9_MIF_UUID.upper()))), kept(shouting))
    for id_type in (0, 9):
        yield bad(f"id type {id_type}", mif(mif_id(id_type=id_type)), "mif-no-id")
    for size in (0, 35, 37, 255):
        yield bad(f"id length {size}", mif(mif_id(size=size)), "mif-no-id")
    yield bad("no hexadecimal digits", mif(mif_id("g" + A9_MIF_UUID[1:])), "mif-no-id")
    yield bad("a short id and NULs", mif(mif_id(A9_MIF_UUID[:20])), "mif-no-id")
    for what, octets, reason in (
        ("id type 9", mif_id(id_type=9), "mif-id-type"),
        ("id length 35", mif_id(size=35), "mif-id-length"),
        ("no UUID", mif_id("z" * 36), "mif-uuid"),
    ):
        yield Case(45, f"RS, {what}", rs(octets), kept(ignored(octets, reason)))
    yield Case(45, "RS that asks for a PvD", rs(mif_id(id_type=1)), kept(MifPvdId(A9_MIF_UUID, 1, 40)))
    yield Case(45, "id outside a container", ra(mif_id()), kept(ignored(mif_id(), "not-in-this-message")))
    short = bytes((63, 3)) + mif(mif_id())[2:24]
    yield Case(46, "container shorter than its id", ra(short), "ra mif-option-overrun")
    yield Case(46, "zero length inside", ra(mif(mif_id(), b"\x03\0" + bytes(6))), "ra mif-option-length-zero")


def other_messages() -> Iterator[Case]:
    tlla = b"\x02" + SLLA[1:]
    mine = TargetLinkLayerAddress("02:00:00:00:00:01")
    yield Case(89, "NA for a multicast target", na(target="ff02::5"), "na target-multicast")
    yield Case(89, "NS for a multicast target", ns(target="ff02::5"), "ns target-multicast")
    yield Case(89, "NA with S to all nodes", na(flags=0x40), "na na-solicited-multicast")
    meek = {"router": False, "solicited": False, "override": False, "mac": "02:00:00:00:01:01", "options": (mine,)}
    yield Case(89, "NA R=0 O=0, a foreign MAC", na(tlla, flags=0), meek)
    yield Case(
        89, "NA R=0 for a target never seen", na(target="fe80::77", flags=0x20), {"target": "fe80::77", "router": False}
    )
    elsewhere = na(source="2001:db8::9", flags=0x20)
    yield Case(
        89, "NA R=0 from another source", elsewhere, {"target": ROUTER, "source": "2001:db8::9", "router": False}
    )
    yield Case(89, "NS from :: with SLLA", ns(SLLA, source="::"), "ns source-lla-from-unspecified")
    yield Case(89, "NS from :: to a host", ns(source="::", destination="fe80::1"), "ns ns-unspecified-destination")
    yield Case(89, "NS from ::", ns(source="::"), {"source": "::", "target": ROUTER, "destination": "ff02::1:ff00:1"})
    yield Case(89, "RS from :: with SLLA", rs(SLLA, source="::"), "rs source-lla-from-unspecified")
    yield Case(89, "RS from a group", rs(source="ff02::9"), "rs source-multicast")
    short = nd((bytes((137, 0)) + bytes(6) + ip6("fe80::9") + ip6("2001:db8::5"))[:39])
    yield Case(90, "Redirect of 39 octets", short, "redirect message-length")
    yield Case(
        90, "Redirect from another router", redirect(source="fe80::7"), {"source": "fe80::7", "target": "fe80::9"}
    )
    yield Case(90, "Redirect for a group", redirect(to="ff0e::1"), "redirect redirect-destination")
    yield Case(90, "Redirect to a global target", redirect(target="2001:db8::9"), "redirect redirect-target")
    itself = redirect(target="2001:db8:ff::5", to="2001:db8:ff::5")
    yield Case(90, "Redirect to itself", itself, {"target": "2001:db8:ff::5", "destination": "2001:db8:ff::5"})
    yield Case(90, "Redirect, option length 0", redirect(b"\x02\0" + bytes(6)), "redirect option-length-zero")
    yield Case(90, "Redirect from off the link", redirect(source="2001:db8::1"), "redirect source-not-link-local")
    strangers = (pio("2001:db8::"), mtu(1500), rdnss("2001:db8::53"), option(26, b"\x80"))
    lost = kept(*[ignored(octets, "not-in-this-message") for octets in strangers])
    for what, packet in (("NS", ns(*strangers)), ("NA", na(*strangers)), ("Redirect", redirect(*strangers))):
        yield Case(91, f"PIO, MTU, RDNSS, 26 in {what}", packet, lost)
    redirected = option(4, bytes(14))
    stray = kept(ignored(tlla, "not-in-this-message"), ignored(redirected, "not-in-this-message"), LLA)
    yield Case(91, "TLLA and redirected header in an RA", ra(tlla, redirected, SLLA), stray)
    for address in ("ff02::fb", "::"):
        octets = rdnss("2001:db8::53", address)
        yield Case(92, f"RDNSS mixing unicast and {address}", ra(octets), dropped(octets, "address-not-unicast"))
    yield Case(
        92, "RDNSS 0 for servers never seen", ra(rdnss("2001:db8::1", lifetime=0)), kept(Rdnss(("2001:db8::1",), 0, 24))
    )
    yield Case(92, "flags extension of length 0", ra(b"\x1a\0" + bytes(6)), "ra option-length-zero")
    octets = option(26, b"\xff" * 6)
    yield Case(92, "flags extension, all 48 bits", ra(octets), kept(FlagsExtension("ffffffffffff")))
    octets = option(26, b"\x80" + bytes(13))
    yield Case(92, "flags extension of two units", ra(octets), kept(FlagsExtension("800000000000", 16)))


def conflicts() -> Iterator[Case]:
    """The octets of E98; which of them get through is told in tests/wire/test_arp.py, what they end in
    tests/core/test_conflicts.py."""
    ours, other = "192.0.2.10", "192.0.2.66"

    def sent(packet: bytes, original: int = -1) -> Frame:
        return frame(ethernet(packet, 0x0806), original=original)

    probe, said = arp("0.0.0.0", ours), {"operation": "request", "sender": "0.0.0.0", "target": ours}
    yield Case(98, "a probe", sent(probe), {**said, "sender_mac": MAC, "target_mac": "00:00:00:00:00:00", "mac": MAC})
    yield Case(98, "a probe, padded", sent(probe + b"\xff" * 18), said)
    announced = {"operation": "request", "sender": ours, "target": ours}
    yield Case(98, "an announcement", sent(arp(ours, ours)), announced)
    answer = arp(ours, "0.0.0.0", operation=2, target_mac="02:00:00:00:00:0a")
    yield Case(98, "an answer to a probe", sent(answer), {"operation": "reply", "target_mac": "02:00:00:00:00:0a"})
    forged = frame(ethernet(probe, 0x0806, mac="02:00:00:00:66:66"))
    yield Case(98, "Ethernet and ARP name two senders", forged, {"mac": "02:00:00:00:66:66", "sender_mac": MAC})
    tagged = frame(ethernet(probe, 0x0806, tags=((0x8100, 30),)))
    yield Case(98, "a probe on a VLAN", tagged, {"link": "if0.30"})
    yield Case(98, "27 octets", sent(probe[:27]), "arp arp-length")
    yield Case(98, "27 octets, all that there were", sent(probe[:27], 14 + 27), "arp arp-length")
    yield Case(98, "7 octets", sent(probe[:7]), "arp arp-length")
    yield Case(98, "8 octets, for Infiniband", sent(bytes.fromhex("0020080006040001")), NOTHING)
    yield Case(98, "cut by the capture", sent(probe[:27], 60), "arp truncated-capture")
    yield Case(98, "cut before its operation", sent(probe[:7], 60), NOTHING)
    sizes = bytes.fromhex("000108000804")
    yield Case(98, "8 octets of MAC", sent(arp("0.0.0.0", ours, head=sizes)), "arp arp-address-length")
    sizes = bytes.fromhex("000108000610")
    yield Case(98, "16 octets of address", sent(arp("0.0.0.0", ours, head=sizes)), "arp arp-address-length")
    yield Case(98, "for Infiniband", sent(arp("0.0.0.0", ours, head=bytes.fromhex("002008000604"))), NOTHING)
    yield Case(98, "of another protocol", sent(arp("0.0.0.0", ours, head=bytes.fromhex("000186dd0604"))), NOTHING)
    for operation in (0, 3, 9, 0x0101, 0xFFFF):
        yield Case(98, f"operation {operation}", sent(arp(other, ours, operation=operation)), NOTHING)


HOSTILE: Final[tuple[Case, ...]] = (
    *carrier(),
    *framing(),
    *single_options(),
    *resolvers(),
    *pvds(),
    *containers(),
    *other_messages(),
    *conflicts(),
)
