"""Domain names on the wire: one text for one name, and no octet read twice or past the end."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.names import BadName, name_end, read_compressed, read_name, read_name_as_sent, read_names

labels = st.lists(st.binary(min_size=1, max_size=63), min_size=0, max_size=4)


def wire(parts: list[bytes]) -> bytes:
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"


def refused(octets: bytes, reason: str, at: int) -> None:
    with pytest.raises(BadName) as bad:
        read_name(octets, 0, len(octets))
    assert (bad.value.reason, bad.value.offset) == (reason, at)


@pytest.mark.covers("rfc:P12")
def test_only_ascii_letters_are_folded() -> None:
    octets = b"\x07ExAmPLe\x03ORG\0"
    assert read_name(octets, 0, len(octets)) == ("example.org.", 13)
    assert read_name_as_sent(octets, 0, len(octets)) == ("example.org.", "ExAmPLe.ORG.", 13)
    assert read_name(b"\x01\xdd\0", 0, 3)[0] != read_name(b"\x01\xfd\0", 0, 3)[0]


@pytest.mark.covers("evil:E31")
def test_what_is_no_letter_digit_dash_or_underscore_is_escaped() -> None:
    assert read_name(b"\x05a.\\\0\x1b\0", 0, 7) == ("a\\046\\092\\000\\027.", 7)
    assert read_name(b"\x03_-9\0", 0, 5) == ("_-9.", 5)


@pytest.mark.covers("bug:4", "evil:E29")
def test_names_at_their_limits() -> None:
    assert read_name(b"\0", 0, 1) == (".", 1)
    assert read_name(b"\x01a" * 127 + b"\0", 0, 255) == ("a." * 127, 255)
    assert read_name(b"\x3f" + b"a" * 63 + b"\0", 0, 65)[1] == 65
    refused(b"\x01a" * 126 + b"\x02ab\0", "name-too-long", 0)
    refused(b"\x40" + b"a" * 64 + b"\0", "name-label", 0)
    refused(b"\x80\0", "name-label", 0)
    refused(b"\x01a\xc0\0", "name-compressed", 2)
    refused(b"\x03ab", "name-unterminated", 3)
    refused(b"", "name-unterminated", 0)
    assert read_name_as_sent(b"\xff\0", 1, 2) == (".", ".", 2)
    # what is too long says where it begins, wherever that is
    with pytest.raises(BadName) as bad:
        read_name(b"\xff\xff" + b"\x01a" * 200, 2, 402)
    assert (bad.value.reason, bad.value.offset) == ("name-too-long", 2)
    assert read_name(b"\xff\xff" + b"\x01a" * 127 + b"\0", 2, 257) == ("a." * 127, 257)


def test_nothing_is_read_at_or_past_the_end_given() -> None:
    with pytest.raises(BadName, match="name-unterminated"):
        read_name(b"\x01a\x01b\0", 0, 4)
    assert name_end(b"xx\x01a\0yy", 2, 5) == 5


def test_lists_end_at_padding_only_where_padding_is_known() -> None:
    octets = b"\x01a\0\x01b\0\0\0"
    assert read_names(octets, 0, 8, padded=True) == ("a.", "b.")
    assert read_names(octets, 0, 8) == ("a.", "b.", ".", ".")
    assert read_names(b"\xff" + octets, 1, 7, padded=True) == ("a.", "b.")
    assert len(read_names(bytes(4096), 0, 4096)) == 4096
    with pytest.raises(BadName, match="name-count") as bad:
        read_names(bytes(65536), 0, 65536)
    assert bad.value.offset == 4096


@given(labels)
def test_different_names_have_different_texts_and_equal_ones_the_same(parts: list[bytes]) -> None:
    octets = wire(parts)
    if len(octets) > 255:
        refused(octets, "name-too-long", 0)
        return
    text, after = read_name(octets, 0, len(octets))
    assert after == len(octets)
    assert text.isascii()
    assert text.isprintable()
    assert text.endswith(".")
    assert text.count(".") == max(1, len(parts))
    # Undoing the escapes gives the octets back, but for the case of A-Z (bytes.lower lowers those alone).
    back: list[bytes] = []
    for label in text.removesuffix(".").split(".") if parts else []:
        out, at = bytearray(), 0
        while at < len(label):
            if label[at] == "\\":
                out.append(int(label[at + 1 : at + 4]))
                at += 4
            else:
                out += label[at].encode()
                at += 1
        back.append(bytes(out))
    assert back == [part.lower() for part in parts]


@pytest.mark.covers("evil:E55")
def test_pointers_lead_strictly_back() -> None:
    golden = bytes.fromhex("03656e67056170706c6503636f6d00096d61726b6574696e67c004")
    assert read_compressed(golden, 0) == ("eng.apple.com.", 15)
    assert read_compressed(golden, 15) == ("marketing.apple.com.", 27)
    # of several pointers the first ends the name where it stands; they reach past 255
    chain = b"\x01a\0\x01b\xc0\0\x01c\xc0\x03\x01d"
    assert read_compressed(chain, 7) == ("c.b.a.", 11)
    assert read_compressed(chain, 3) == ("b.a.", 7)
    assert read_compressed(bytes(300) + b"\x01a\0\x01b\xc1\x2c\0", 303) == ("b.a.", 307)
    assert read_compressed(b"\0", 0) == (".", 1)
    assert read_compressed(b"\x01A\0\x01B\xc0\0", 3) == ("b.a.", 7)  # in lower case
    for octets, at, reason, offset in (
        (b"\x01a\xc0\x02", 0, "name-pointer-loop", 2),  # itself
        (b"\x01a\xc0\x00", 0, "name-pointer-loop", 2),  # the start of its own labels
        (b"\xc0\x02\xc0\x00", 2, "name-pointer-forward", 0),  # back, then forth
        (b"\x01a\x01b\xc0\x02", 2, "name-pointer-loop", 4),  # the start of where it was entered
        (b"\x01a\xc0\x09\x01b\0", 0, "name-pointer-forward", 2),
        (b"\x01a\xff\xff", 0, "name-pointer-forward", 2),  # past the end
        (b"\x01a\xc0", 0, "name-unterminated", 2),
        (b"\x01a", 0, "name-unterminated", 2),
        (b"\x01a\x02b", 0, "name-unterminated", 2),
        (b"\x41a\0", 0, "name-label", 0),
        (b"\x01a\x80\0", 0, "name-label", 2),
        (b"", 0, "name-unterminated", 0),
    ):
        with pytest.raises(BadName) as bad:
            read_compressed(octets, at)
        assert (bad.value.reason, bad.value.offset) == (reason, offset), octets


@pytest.mark.covers("evil:E55")
def test_a_chain_of_pointers_cannot_outgrow_a_name() -> None:
    octets = bytearray(b"\x3f" + b"a" * 63 + b"\0")
    last = 0
    for _ in range(200):
        here = len(octets)
        octets += b"\x3f" + b"b" * 63 + bytes((0xC0 | last >> 8, last & 255))
        last = here
    with pytest.raises(BadName, match="name-too-long") as bad:
        read_compressed(bytes(octets), last)
    assert bad.value.offset == last - 3 * 66  # of the fourth label of 64 octets
    most = b"\x3e" + b"a" * 62 + b"\0" + b"\x3f" + b"b" * 63 + b"\x3f" + b"c" * 63 + b"\x3e" + b"d" * 62 + b"\xc0\0"
    assert len(read_compressed(most, 64)[0]) == 254  # 255 octets with their lengths and the zero
    with pytest.raises(BadName, match="name-too-long"):
        read_compressed(most.replace(b"\x3e" + b"d" * 62, b"\x3f" + b"d" * 63), 64)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_octets_are_a_name_or_a_bad_name(octets: bytes, at: int) -> None:
    whole: Callable[[], tuple[str, int]] = lambda: read_name(octets, at, len(octets))  # noqa: E731 - two of a kind
    for read in (whole, lambda: read_compressed(octets, at)):
        text, after = "", -1
        with suppress(BadName):
            text, after = read()
        if after >= 0:
            assert at < after <= len(octets)
            assert text.endswith(".")
