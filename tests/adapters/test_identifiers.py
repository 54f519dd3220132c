"""RFC 7217's function: the same for ever for the same network, unlike for any other, and silent about its secret."""

import pytest

from adapters.identifiers import WeakSecret, reserved, stable, temporary
from events.codec import encode
from events.identifiers import IdentifierChosen

SECRET = bytes(range(16))
P = "2001:db8:1::/64"
NONE: frozenset[int] = frozenset()


@pytest.mark.covers("rfc:S14")
def test_the_identifiers_are_what_they_always_were() -> None:
    """Goldens: a program that gave others would renumber every host."""
    assert stable(P, "eth0", SECRET, used=NONE) == ("f133dbea671b6430", 0)
    assert stable(P, "eth0", SECRET, dad_counter=1, used=NONE) == ("3df2bc34bb4c8e1c", 1)
    assert stable("fe80::/64", "eth0", SECRET, used=NONE) == ("0350cc3571fbab07", 0)
    assert stable(P, "eth0", SECRET, network_id="x.example.", used=NONE) == ("6413f51c009016dc", 0)


@pytest.mark.covers("rfc:S14", "rfc:S29")
def test_each_input_counts_and_nothing_else_does() -> None:
    base = stable(P, "eth0", SECRET, used=NONE)[0]
    others = {
        stable("2001:db8:2::/64", "eth0", SECRET, used=NONE)[0],
        stable(P, "eth1", SECRET, used=NONE)[0],
        stable(P, "eth0", SECRET, network_id="home", used=NONE)[0],
        stable(P, "eth0", SECRET, dad_counter=1, used=NONE)[0],
        stable(P, "eth0", bytes(16), used=NONE)[0],
        stable("fe80::/64", "eth0", SECRET, used=NONE)[0],
        stable("fe80::/64", "eth0", SECRET, network_id="home", used=NONE)[0],
        stable(P, "eth", SECRET, network_id="0", used=NONE)[0],  # no two inputs read the same
    }
    assert len(others | {base}) == 9
    assert stable("2001:db8:1::ffff/64", "eth0", SECRET, used=NONE)[0] == base


def test_reserved_identifiers_and_those_in_use_are_stepped_over() -> None:
    first, second = stable(P, "eth0", SECRET, used=NONE), stable(P, "eth0", SECRET, dad_counter=1, used=NONE)
    assert stable(P, "eth0", SECRET, used=frozenset({int(first[0], 16)})) == second
    for iid in (0, 0x0200_5EFF_FE00_5213, 0xFDFF_FFFF_FFFF_FF80, 0xFDFF_FFFF_FFFF_FFFF):
        assert reserved(iid)
    assert not reserved(1)
    assert temporary(bytes(8) + bytes(7) + b"\x01" + bytes(8), NONE) == "0000000000000001"
    assert temporary(bytes(24), NONE) is None


@pytest.mark.covers("rfc:S27", part="negative")
def test_a_short_secret_is_refused_and_temporary_identifiers_know_none() -> None:
    with pytest.raises(WeakSecret, match="at least 16"):
        stable(P, "eth0", b"short", used=NONE)
    draws = b"\x01\x02\x03\x04\x05\x06\x07\x08" * 3
    assert temporary(draws, NONE) == "0102030405060708"  # out of the draw alone: no stable secret has a part in it


def test_an_event_says_the_result_and_not_the_secret() -> None:
    iid, counter = stable(P, "eth0", SECRET, used=NONE)
    said = encode(IdentifierChosen(link="eth0", epoch=1, prefix=P, kind="stable", iid=iid, dad_counter=counter))
    assert iid.encode() in said
    assert SECRET not in said
    assert SECRET.hex().encode() not in said
