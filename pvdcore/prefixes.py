"""Addresses and prefixes compared as numbers, never as text.

Law: text in, truth out. Events hold canonical text, so parsing happens here only, and is remembered.
"""

from functools import lru_cache
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface, ip_network


@lru_cache(maxsize=8192)
def network(prefix: str) -> IPv4Network | IPv6Network:
    """A prefix as a network; host bits are dropped."""
    return ip_network(prefix, strict=False)


@lru_cache(maxsize=8192)
def interface(address: str) -> IPv4Interface | IPv6Interface:
    """An address, with its length if it has one (`192.0.2.10/24`)."""
    return ip_interface(address)


def covers(prefix: str, what: str) -> bool:
    """Whether a prefix contains an address or another prefix (RFC 8801 §3.4.1 "includes")."""
    outer, inner = network(prefix), network(what)
    if outer.version != inner.version or outer.prefixlen > inner.prefixlen:
        return False
    shift = outer.max_prefixlen - outer.prefixlen
    return int(outer.network_address) >> shift == int(inner.network_address) >> shift


def length(prefix: str) -> int:
    """A prefix's length, as it says itself; of each new one of ten thousand that is asked."""
    said = prefix.partition("/")[2]
    return int(said) if said else network(prefix).prefixlen
