"""Hypothesis strategies for whole messages, valid and nearly valid: RAs, DHCPv4 and DHCPv6, PvD options and DNR.

Law: what is drawn is octets, built by tests/wire/packets.py and dhcp_octets.py, so no decoder's idea of an option
comes back to it. `nearly` changes a few octets of something valid: that is where readers differ.
"""

from __future__ import annotations

from ipaddress import IPv6Address

from hypothesis import strategies as st

from tests.wire import dhcp_octets as dhcp
from tests.wire import packets as p

labels = st.text("abcXYZ019-", min_size=1, max_size=12)
names = st.lists(labels, min_size=1, max_size=4).map(lambda parts: p.name(".".join(parts)))
long_names = st.lists(labels, min_size=2, max_size=4).map(lambda parts: p.name(".".join(parts)))
u8, u16, u32 = st.integers(0, 255), st.integers(0, 65535), st.integers(0, 2**32 - 1)
lifetimes = st.sampled_from((0, 1, 600, 1800, 0xFFFFFFFE, 0xFFFFFFFF)) | u32
addresses6 = st.sampled_from(("2001:db8::53", "fe80::53", "fd00::1", "2001:db8:1::")) | st.integers(
    0x20010DB8 << 96, (0x20010DB9 << 96) - 1
).map(lambda number: str(IPv6Address(number)))
addresses4 = st.integers(0x0A000001, 0x0AFFFFFE).map(lambda number: ".".join(map(str, number.to_bytes(4, "big"))))


@st.composite
def prefixes(draw: st.DrawFn) -> bytes:
    valid, preferred = sorted((draw(lifetimes), draw(lifetimes)), reverse=True)
    length = draw(st.sampled_from((64, 64, 48, 128, 0)) | st.integers(0, 130))
    return p.pio(draw(addresses6), length, draw(u8), valid, preferred)


@st.composite
def routes(draw: st.DrawFn) -> bytes:
    length = draw(st.integers(0, 128))
    least = 1 if length == 0 else 2 if length <= 64 else 3
    units = draw(st.integers(least, 3))
    return p.rio(draw(addresses6), length, draw(lifetimes), draw(st.sampled_from((0x00, 0x08, 0x18, 0x10))), units)


resolvers6 = st.builds(
    lambda found, lifetime: p.rdnss(*found, lifetime=lifetime), st.lists(addresses6, min_size=1, max_size=3), lifetimes
)
searches = st.builds(
    lambda found, life: p.dnssl(b"".join(found), life), st.lists(names, min_size=1, max_size=3), lifetimes
)
pref64s = st.builds(
    lambda scaled, plc, prefix: bytes((38, 2)) + dhcp.u16(scaled << 3 | plc) + p.ip6(prefix)[:12],
    st.integers(0, 8191), st.integers(0, 7), addresses6,
)  # fmt: skip
mtus = st.sampled_from((1280, 1500, 9000, 1279)).map(p.mtu) | u32.map(p.mtu)
slla = st.binary(min_size=6, max_size=6).map(lambda mac: bytes((1, 1)) + mac)
portals = st.sampled_from((p.A9_PORTAL, p.option(37, b"urn:ietf:params:capport:unrestricted")))
strange = st.builds(lambda code, content: p.option(code, content), st.integers(200, 250), st.binary(max_size=20))


@st.composite
def service_params(draw: st.DrawFn) -> bytes:
    """SvcParams, ascending, mostly with what is needed."""
    values: dict[int, bytes] = {
        1: draw(st.sampled_from((b"\x02h2", b"\x03dot", b"\x03doq\x02h3", b"\x03dot", b"", b"\x09x")))
    }
    if draw(st.booleans()) or b"h" in values[1]:
        values[7] = draw(st.sampled_from((b"/dns-query{?dns}", b"/q{?a,dns}", b"/{dns}", b"/none", b"/{dns")))
    if draw(st.booleans()):
        values[3] = draw(st.sampled_from((b"\x03\x55", b"\x01\xbb", b"\0\0", b"\1")))
    if draw(st.integers(0, 4)) == 0:
        values[draw(st.sampled_from((0, 2, 4, 5, 6, 1234)))] = draw(
            st.sampled_from((b"", b"\0\1", b"\0\3", b"\0\0\0\1", b"x"))
        )
    if draw(st.integers(0, 9)) == 0:
        del values[1]
    return b"".join(dhcp.u16(key) + dhcp.u16(len(value)) + value for key, value in sorted(values.items()))


@st.composite
def dnr_bodies(draw: st.DrawFn, form: str) -> bytes:
    """From the priority on: `nd`, `dhcp4` (one instance, with its length) or `dhcp6`."""
    small = form == "dhcp4"
    width = 1 if small else 2
    priority = draw(st.sampled_from((1, 1, 2, 100, 0)) | u16)
    name = draw(names)
    body = len(name).to_bytes(width, "big") + name
    if draw(st.integers(0, 4)):
        if small:
            found = draw(st.lists(addresses4 | st.sampled_from(("127.0.0.1", "224.0.0.1")), min_size=1, max_size=3))
            octets = b"".join(map(dhcp.ip, found))
        else:
            found = draw(st.lists(addresses6 | st.sampled_from(("::1", "ff02::1")), min_size=1, max_size=3))
            octets = b"".join(map(p.ip6, found))
        if draw(st.integers(0, 9)) == 0:
            octets = octets[:-1]
        body += len(octets).to_bytes(width, "big") + octets
        params = draw(service_params())
        body += dhcp.u16(len(params)) + params if form == "nd" else params
    if form == "nd":
        return p.option(144, dhcp.u16(priority) + draw(lifetimes).to_bytes(4, "big") + body)
    content = dhcp.u16(priority) + body
    return dhcp.u16(len(content)) + content if small else content


plain = st.one_of(prefixes(), routes(), resolvers6, searches, pref64s, mtus, slla, portals, strange, dnr_bodies("nd"))
headers = st.builds(p.header, u16, u8, u8, u32, u32)
inner_headers = st.builds(
    lambda lifetime, flags, hop, reachable: p.header(lifetime, flags, hop, reachable, 7), u16, u8, u8, u32
)


@st.composite
def pvd_options(draw: st.DrawFn) -> bytes:
    flags = draw(u16)
    inner = draw(inner_headers) if flags & 0x2000 else b""
    nested = draw(st.lists(plain, max_size=4))
    return p.pvd(
        draw(names), *nested, flags=flags, sequence=draw(u16), inner=inner, pad=draw(st.sampled_from((0, 0, 255)))
    )


@st.composite
def mif_containers(draw: st.DrawFn) -> bytes:
    uuid = str(draw(st.uuids()))
    ids = draw(
        st.sampled_from(([p.mif_id(uuid)], [p.mif_id(uuid.upper(), 1)], [p.mif_id(uuid, 3)], [], [p.mif_id(uuid)] * 2))
    )
    return p.mif(
        *ids, *draw(st.lists(prefixes() | routes() | resolvers6, max_size=3)), flags=draw(st.sampled_from((0, 0, 0x80)))
    )


ra_options = st.lists(st.one_of(plain, plain, pvd_options(), mif_containers()), max_size=6).map(b"".join)
plain_ra_options = st.lists(plain, max_size=6).map(b"".join)


@st.composite
def nearly(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """Octets of `valid` with up to three of them changed, and perhaps a unit cut off or added."""
    octets = bytearray(draw(valid))
    for _ in range(draw(st.integers(0, 3))):
        if octets:
            octets[draw(st.integers(0, len(octets) - 1))] = draw(st.sampled_from((0, 1, 63, 64, 0xC0, 255)) | u8)
    change = draw(st.sampled_from(("", "", "cut", "add")))
    return bytes(
        octets[:-8]
        if change == "cut"
        else octets + draw(st.binary(min_size=8, max_size=8))
        if change == "add"
        else octets
    )


def one_dns_4(content: bytes) -> bytes:
    """A DHCPv4 ACK whose option 162 has this content, in pieces of 255 octets (RFC 3396)."""
    pieces = [content[at : at + 255] for at in range(0, len(content), 255)]
    return dhcp.ack(*[dhcp.o4(162, piece) for piece in pieces])


dhcp4_dnr = st.lists(dnr_bodies("dhcp4"), min_size=1, max_size=3).map(b"".join)
dhcp6_dnr = dnr_bodies("dhcp6")


host_names = st.lists(st.text("abcxyz019", min_size=1, max_size=8), min_size=1, max_size=3).map(".".join)
uris = st.sampled_from(("https://portal.example/api", "http://192.0.2.1/", "https://p.example/a?b=c"))


def some4(least: int = 1) -> st.SearchStrategy[bytes]:
    return st.lists(addresses4, min_size=least, max_size=3).map(lambda found: b"".join(map(dhcp.ip, found)))


@st.composite
def routes4(draw: st.DrawFn) -> bytes:
    """Options 121: host bits may be set, as they were when Wireshark's own test file was made."""
    octets = b""
    for _ in range(draw(st.integers(1, 4))):
        width = draw(st.integers(0, 32))
        destination = draw(addresses4.map(dhcp.ip))[: (width + 7) // 8]
        octets += bytes((width,)) + destination + dhcp.ip(draw(addresses4))
    return octets


finite = st.integers(1, 2**32 - 2).map(lambda number: number.to_bytes(4, "big"))
# What an OFFER or ACK may say beside its mask, lease and server: code -> content
SAID_4 = {
    6: some4(), 12: host_names.map(str.encode), 15: host_names.map(str.encode),
    26: st.integers(68, 65535).map(dhcp.u16), 28: addresses4.map(dhcp.ip), 42: some4(), 58: finite,
    59: finite, 114: uris.map(str.encode), 121: routes4(),
}  # fmt: skip
# What a client may say.
ASKED_4 = {
    12: host_names.map(str.encode), 50: addresses4.map(dhcp.ip), 55: st.binary(min_size=1, max_size=12),
    61: st.binary(min_size=2, max_size=20), 250: st.binary(max_size=20),
}  # fmt: skip


@st.composite
def dhcp4_messages(draw: st.DrawFn) -> bytes:
    """Valid messages of both sides with options that scapy and tshark know."""
    if draw(st.integers(0, 3)) == 0:
        kind, table, options = draw(st.sampled_from((1, 3, 8))), ASKED_4, []
    else:
        kind, table = draw(st.sampled_from((2, 5))), SAID_4
        options = [
            dhcp.o4(1, draw(st.sampled_from((b"\xff\xff\xff\0", b"\xff\xff\0\0")))),
            dhcp.o4(3, draw(some4())),
            dhcp.o4(51, draw(finite)),
            dhcp.o4(54, dhcp.ip(draw(addresses4))),
        ]
    options += [dhcp.o4(code, draw(content)) for code, content in table.items() if draw(st.booleans())]
    return dhcp.v4(kind, *draw(st.permutations(options)), yiaddr=draw(addresses4) if kind in (2, 5) else "0.0.0.0")


@st.composite
def leased6(draw: st.DrawFn, prefix: bool) -> bytes:
    """An IA_NA with an address, or an IA_PD with a prefix."""

    def times() -> tuple[int, int]:
        low, high = sorted((draw(st.integers(1, 2**32 - 2)), draw(st.integers(1, 2**32 - 2))))
        return low, high

    (t1, t2), (preferred, valid) = times(), times()
    if prefix:
        found = draw(st.sampled_from(("2001:db8:1::", "fd00:1::")))
        inner = dhcp.iaprefix(found, draw(st.integers(33, 64)), preferred=preferred, valid=valid)
        return dhcp.ia_pd(inner, iaid=draw(u32), t1=t1, t2=t2)
    address = draw(addresses6.filter(lambda text: not text.startswith("fe80")))
    inner = dhcp.iaaddr(address, preferred=preferred, valid=valid)
    return dhcp.ia_na(inner, iaid=draw(u32), t1=t1, t2=t2)


some6 = st.lists(addresses6, min_size=1, max_size=3).map(lambda found: b"".join(map(dhcp.ip, found)))


@st.composite
def dhcp6_messages(draw: st.DrawFn) -> bytes:
    """Valid messages of both sides with options that scapy and tshark know."""
    if draw(st.integers(0, 3)) == 0:
        asked = [dhcp.o6(1, dhcp.DUID), dhcp.o6(8, dhcp.u16(draw(u16)))]
        asked.append(dhcp.o6(6, b"".join(map(dhcp.u16, draw(st.lists(u16, min_size=1, max_size=6))))))
        asked += [draw(leased6(prefix)) for prefix in (False, True) if draw(st.booleans())]
        return dhcp.v6(1, *draw(st.permutations(asked)))
    kind = draw(st.sampled_from((2, 7)))
    said = {
        13: st.integers(0, 6).map(dhcp.u16), 23: some6,
        24: st.lists(long_names, min_size=1, max_size=3).map(b"".join), 103: uris.map(str.encode),
        **({7: u8.map(dhcp.u8)} if kind == 2 else {32: finite}), 60000: st.binary(max_size=20),
    }  # fmt: skip
    options = [draw(leased6(prefix)) for prefix in (False, True) if draw(st.booleans())]
    options += [dhcp.o6(code, draw(content)) for code, content in said.items() if draw(st.booleans())]
    return dhcp.v6(kind, dhcp.IDS, *draw(st.permutations(options)))


def one_dns_6(content: bytes) -> bytes:
    """A DHCPv6 Reply whose option 144 has this content."""
    return dhcp.reply(dhcp.o6(144, content))
