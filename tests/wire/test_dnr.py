"""The body of encrypted DNS options: read whole, or refused for the first rule it breaks (RFC 9463 §3.1.8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.dnr import DHCP4, DHCP6, ND, BadResolver, Form, Resolver, read_params, read_resolver
from adapters.wire.rules import REASONS
from events.router import ServiceParam
from tests.wire.dhcp_octets import ip, name, u8, u16

ADN = name("dns.example.net")
H2 = bytes.fromhex("0001000302 6832".replace(" ", ""))
PATH = bytes.fromhex("000700102f646e732d71756572797b3f646e737d")
DOT = bytes.fromhex("0001000403646f74")  # alpn "dot"
SERVER = ip("2001:db8::53")
PARAMS = (ServiceParam(1, "026832", "h2"), ServiceParam(7, PATH[4:].hex(), "/dns-query{?dns}"))
WHOLE = Resolver(1, "dns.example.net.", ("2001:db8::53",), PARAMS)


def param(key: int, value: bytes) -> bytes:
    return u16(key) + u16(len(value)) + value


def read(body: bytes, form: Form = DHCP6, *, priority: int = 1) -> Resolver:
    """Read `body` from the middle of other octets, which must not be looked at."""
    data = b"\xee" * 7 + body + b"\xff" * 9
    return read_resolver(data, 7, 7 + len(body), priority=priority, form=form)


def six(adn: bytes = ADN, servers: bytes = SERVER, svc: bytes = H2 + PATH) -> bytes:
    return u16(len(adn)) + adn + u16(len(servers)) + servers + svc


def nd(adn: bytes = ADN, servers: bytes = SERVER, svc: bytes = H2 + PATH, pad: bytes | None = None) -> bytes:
    body = u16(len(adn)) + adn + u16(len(servers)) + servers + u16(len(svc)) + svc
    return body + (bytes(-len(body) % 8) if pad is None else pad)


def refused(body: bytes, form: Form = DHCP6, *, priority: int = 1) -> str:
    with pytest.raises(BadResolver) as caught:
        read(body, form, priority=priority)
    assert 0 <= caught.value.offset <= 7 + len(body) + 2
    assert caught.value.reason in REASONS
    return caught.value.reason


def test_the_golden_vectors_of_all_three_forms() -> None:
    router = bytes.fromhex(
        "900a000100000708001103646e73076578616d706c65036e657400001020010db8000000000000000000000053001b00"
        "010003026832000700102f646e732d71756572797b3f646e737d000000000000"
    )
    assert read_resolver(router, 8, len(router), priority=1, form=ND) == WHOLE
    six_ = bytes.fromhex(
        "009000420001001103646e73076578616d706c65036e657400001020010db8000000000000000000000053"
        "00010003026832000700102f646e732d71756572797b3f646e737d"
    )
    assert read_resolver(six_, 6, len(six_), priority=1, form=DHCP6) == WHOLE
    four = bytes.fromhex(
        "a236003400011103646e73076578616d706c65036e65740004c000023500010003026832000700102f646e732d71756572797b3f646e737d"
    )
    assert read_resolver(four, 6, len(four), priority=1, form=DHCP4) == WHOLE._replace(addresses=("192.0.2.53",))


@pytest.mark.covers("rfc:F20")
def test_priority_0_is_refused_and_others_are_told() -> None:
    assert refused(six(), priority=0) == "dnr-priority-zero"
    assert read(six(), priority=1).priority == 1
    assert read(six(), priority=65535).priority == 65535


@pytest.mark.covers("rfc:F21", "evil:E24")
def test_a_name_of_its_own_is_needed_and_alone_enough() -> None:
    assert refused(u16(0)) == "dnr-adn-empty"
    assert refused(six(adn=b"")) == "dnr-adn-empty"
    assert refused(six(adn=b"\0")) == "dnr-adn-root"
    assert refused(six(adn=ADN + b"\0")) == "dnr-adn-length"
    assert refused(six(adn=ADN[:-1])) == "name-unterminated"
    assert refused(six(adn=b"\x03dns\xc0\x00")) == "name-compressed"
    assert refused(u16(18) + ADN) == "dnr-truncated"
    assert refused(b"\0") == "dnr-truncated"
    # ADN-only mode is no truncation
    alone = Resolver(5, "dns.example.net.", (), ())
    assert read(u16(17) + ADN, priority=5) == alone
    assert read(u8(17) + ADN, DHCP4, priority=5) == alone
    assert read(u16(17) + ADN, ND, priority=5) == alone


@pytest.mark.covers("evil:E24")
def test_in_an_ra_padding_is_told_from_a_second_field() -> None:
    for size in range(8):
        assert read(u16(17) + ADN + bytes(size), ND) == Resolver(1, "dns.example.net.", (), ())
    assert refused(u16(17) + ADN + bytes(6) + b"\1", ND) == "dnr-no-address"
    assert refused(u16(17) + ADN + b"\1", ND) == "dnr-truncated"
    assert refused(u16(17) + ADN + bytes(8), ND) == "dnr-no-address"
    assert refused(u16(17) + ADN + b"\0\x10" + bytes(3), ND) == "dnr-truncated"
    assert read(nd(pad=bytes(7)), ND) == WHOLE
    assert read(nd(pad=b"\xff" * 7), ND) == WHOLE  # padding is not looked at
    assert refused(nd(pad=b"\xff" * 8), ND) == "dnr-padding"
    assert refused(u16(17) + ADN + bytes(1), DHCP6) == "dnr-truncated"  # in DHCP nothing pads


@pytest.mark.covers("evil:E24")
def test_address_fields_that_lead_astray() -> None:
    assert refused(six(servers=SERVER[:15])) == "dnr-address-length"
    assert refused(u16(17) + ADN + u16(32) + SERVER) == "dnr-truncated"
    assert refused(six(servers=b"")) == "dnr-no-address"
    assert refused(u8(17) + ADN + u8(3) + b"abc", DHCP4) == "dnr-address-length"
    assert refused(u16(17) + ADN + u16(16) + SERVER + u16(99) + H2 + PATH, ND) == "dnr-truncated"
    assert refused(u16(17) + ADN + u16(16) + SERVER + b"\0", ND) == "dnr-truncated"


@pytest.mark.covers("rfc:F25")
def test_addresses_no_packet_reaches_are_dropped_singly() -> None:
    mixed = ip("::1") + ip("ff02::fb") + SERVER + ip("::") + ip("::ffff:192.0.2.53")
    assert read(six(servers=mixed)) == WHOLE
    assert read(six(servers=ip("::1") + ip("ff02::fb"))) == WHOLE._replace(addresses=())
    four = ip("127.0.0.53") + ip("224.0.0.251") + ip("0.0.0.0") + ip("255.255.255.255")
    assert read(u8(17) + ADN + u8(16) + four + H2 + PATH, DHCP4).addresses == ()
    assert read(six(servers=ip("fe80::53"))).addresses == ("fe80::53",)  # a link-local server is legal
    two = ip("192.0.2.53") + ip("255.255.255.254")
    assert read(u8(17) + ADN + u8(8) + two + H2 + PATH, DHCP4).addresses == ("192.0.2.53", "255.255.255.254")
    several = tuple(f"2001:db8::{at}" for at in range(1, 20))
    assert read(six(servers=b"".join(map(ip, several)))).addresses == several
    assert read(nd(servers=b"".join(map(ip, several))), ND).addresses == several


@pytest.mark.covers("rfc:F22", "evil:E24")
@pytest.mark.parametrize(
    ("svc", "reason"),
    [
        (b"", "svc-alpn"),
        (param(3, u16(853)), "svc-alpn"),
        (param(1, b""), "svc-alpn"),
        (param(1, b"\0"), "svc-alpn"),
        (param(1, b"\x03h2"), "svc-alpn"),
        (H2, "svc-dohpath"),
        (param(1, b"\x02h3"), "svc-dohpath"),
        (H2 + param(7, b"/dns-query"), "svc-dohpath"),
        (H2 + param(7, b"/q{?xdns}"), "svc-dohpath"),
        (H2 + param(7, b"https://a.example/{?dns}"), "svc-dohpath"),
        (H2 + param(7, b"/q{?dns"), "svc-dohpath"),
        (H2 + param(7, b"/\xff{?dns}"), "svc-dohpath"),
        (H2 + param(7, b"/ {?dns}"), "svc-dohpath"),
        (H2 + param(7, b"/\x7f{?dns}"), "svc-dohpath"),
        (H2 + param(7, b"/{dns}/{a"), "svc-dohpath"),
        (H2 + param(7, b"/{*dns}"), "svc-dohpath"),
        (H2 + param(7, b"/{dnsX}"), "svc-dohpath"),
        (H2 + param(7, b"/{Xdns}"), "svc-dohpath"),
        (H2 + param(7, b"/{dns:9}")[:-1], "svc-truncated"),
        (PATH + H2, "svc-order"),
        (H2 + H2 + PATH, "svc-order"),
        (DOT + param(3, u16(0)), "svc-port"),
        (DOT + param(3, b"\x35"), "svc-port"),
        (DOT + param(4, ip("192.0.2.1")), "svc-hint"),
        (DOT + param(6, SERVER), "svc-hint"),
        (DOT + param(2, b"\0"), "svc-no-default-alpn"),
        (param(0, b"") + DOT, "svc-mandatory"),
        (param(0, b"\0") + DOT, "svc-mandatory"),
        (param(0, u16(0)) + DOT, "svc-mandatory"),
        (param(0, u16(3)) + DOT, "svc-mandatory"),  # listed and absent
        (param(0, u16(1) + u16(65280)) + DOT + param(65280, b""), "svc-mandatory"),  # there and unknown
        (param(0, u16(3) + u16(1)) + DOT + param(3, u16(853)), "svc-mandatory"),  # not ascending
        (param(0, u16(1) + b"\0") + DOT, "svc-mandatory"),
        (param(0, u16(1) + u16(1)) + DOT, "svc-mandatory"),
        (param(0, u16(0x0103)) + DOT + param(3, u16(853)) + param(0x0103, b""), "svc-mandatory"),  # there and unknown
        (DOT + b"\0\3\0", "svc-truncated"),
        (DOT + b"\0\3\0\2\1", "svc-truncated"),
    ],
)
def test_service_parameters_that_break_a_rule(svc: bytes, reason: str) -> None:
    assert refused(six(svc=svc)) == reason
    assert refused(nd(svc=svc), ND) == reason


def test_nothing_need_stand_behind_parameters_that_end_too_early() -> None:
    for size in range(1, len(H2 + PATH)):
        with pytest.raises(BadResolver) as caught:
            read_params((H2 + PATH)[:size], 0, size)
        assert caught.value.reason == ("svc-dohpath" if size == len(H2) else "svc-truncated"), size


@pytest.mark.covers("rfc:F22")
def test_service_parameters_that_are_right() -> None:
    # key 0 may come first; an unknown key that nobody needs is kept as octets
    svc = param(0, u16(1) + u16(3)) + DOT + param(2, b"") + param(3, u16(853)) + param(65280, b"\1\2")
    assert read(six(svc=svc)).params == (
        ServiceParam(0, "00010003", "alpn,port"),
        ServiceParam(1, "03646f74", "dot"),
        ServiceParam(2, "", ""),
        ServiceParam(3, "0355", "853"),
        ServiceParam(65280, "0102", ""),
    )
    operators = [b"/{" + bytes((one,)) + b"dns}" for one in b"+#./;?&"]  # RFC 6570 §2.2
    more = [b"/!~{dns}", b"/{dns}{a}", b"/{dns,a}", b"/{a:1,dns:2}", b"/{dns}}"]
    for template in (*operators, *more, b"/q{?a,dns}", b"/q{?dns*}", b"/q{?dns:9}", b"/{a}/q{&dns}"):
        assert read(six(svc=H2 + param(7, template))).params[1].text == template.decode()
    assert read(six(svc=param(1, b"\x04a,\\\n"))).params[0].text == "a\\x2c\\x5c\\x0a"
    assert read(six(svc=param(1, b"\x04!~ \x7f\x01X"))).params[0].text == "!~\\x20\\x7f,X"
    assert read(six(svc=DOT + param(3, u16(1)))).params[1].text == "1"
    assert read(six(svc=DOT + param(8, b"") + param(0x0108, b""))).params[1:] == (
        ServiceParam(8, "", ""),
        ServiceParam(0x0108, "", ""),
    )
    assert read(six(svc=DOT + param(9, bytes(0x0102)))).params[1].value == "00" * 0x0102
    three = param(0, u16(1) + u16(3) + u16(7))
    assert read(six(svc=three + H2 + param(3, u16(853)) + PATH)).params[0].text == "alpn,port,dohpath"


def total(body: bytes, form: Form, priority: int = 1) -> None:
    """The body is a resolver with a name, or refused for a known reason."""
    try:
        found = read(body, form, priority=priority)
    except BadResolver as refusal:
        reason = refusal.reason
    else:
        reason = ""
        assert found.adn.endswith(".")
        assert found.adn != "."
    assert not reason or reason in REASONS


@given(st.binary(max_size=120), st.sampled_from([ND, DHCP4, DHCP6]), st.integers(0, 3))
def test_any_octets_are_a_resolver_or_refused(body: bytes, form: Form, priority: int) -> None:
    total(body, form, priority)


@given(st.data())
def test_a_changed_octet_is_read_or_refused(data: st.DataObject) -> None:
    form, body = data.draw(st.sampled_from([(ND, nd()), (DHCP6, six())]))
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + u8(data.draw(st.integers(0, 255))) + body[at + 1 :]
    total(changed, form)
    total(changed[: data.draw(st.integers(0, len(changed)))], form)
