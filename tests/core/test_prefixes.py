"""Addresses and prefixes as numbers: what lies in what."""

import pytest

from pvdcore.prefixes import covers, interface, length, network


@pytest.mark.parametrize(
    ("prefix", "what", "within"),
    [
        ("2001:db8::/32", "2001:db8:ffff::/48", True),
        ("2001:db8::/32", "2001:db8:ffff::1", True),
        ("2001:db8::/32", "2001:db8::/32", True),
        ("2001:db8::/32", "2001:db8::/31", False),
        ("2001:db8::/32", "2001:db9::/48", False),
        ("2001:db8::5/32", "2001:db8::9/48", True),  # host bits say nothing
        ("::/0", "2001:db8::/32", True),
        ("::/0", "192.0.2.1", False),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("0.0.0.0/0", "::/128", False),
        ("192.0.2.0/25", "192.0.2.127", True),
        ("192.0.2.0/25", "192.0.2.128", False),
        ("192.0.2.7/32", "192.0.2.7", True),
    ],
)
def test_a_prefix_covers_what_begins_as_it_does(prefix: str, what: str, within: bool) -> None:
    assert covers(prefix, what) is within


def test_an_address_has_its_length_and_a_prefix_no_host_bits() -> None:
    assert (length("2001:db8::/48"), length("2001:db8::1"), length("192.0.2.1/24")) == (48, 128, 24)
    assert str(network("192.0.2.77/24")) == "192.0.2.0/24"
    assert (str(interface("192.0.2.77/24").ip), str(interface("192.0.2.77/24").network)) == (
        "192.0.2.77",
        "192.0.2.0/24",
    )
