"""Interface identifiers out of a secret (RFC 7217) and out of random octets (RFC 8981).

Law: the secret enters here as an argument and does not leave: what leaves is an identifier, for an IdentifierChosen.
The same arguments give the same identifier, on every machine and after every restart.
"""

from hashlib import blake2b
from typing import Final

from pvdcore.host.addresses import IDGEN_RETRIES, IID_BITS
from pvdcore.prefixes import network

SECRET_OCTETS_MIN: Final = 16  # RFC 7217 §5: at least 128 bits
RESERVED: Final = (  # RFC 5453 §3 and the IANA registry of reserved IPv6 interface identifiers
    (0x0000_0000_0000_0000, 0x0000_0000_0000_0000),  # subnet-router anycast, RFC 4291
    (0x0200_5EFF_FE00_0000, 0x0200_5EFF_FEFF_FFFF),  # IANA's Ethernet block
    (0xFDFF_FFFF_FFFF_FF80, 0xFDFF_FFFF_FFFF_FFFF),  # subnet anycast, RFC 2526
)
_STABLE: Final = b"pvd-stable-iid"


class WeakSecret(ValueError):
    """A secret too short to hide a host; the message says how long it must be."""


def stable(
    prefix: str, net_iface: str, secret: bytes, *, network_id: str = "", dad_counter: int = 0, used: frozenset[int]
) -> tuple[str, int]:
    """F(Prefix, Net_Iface, Network_ID, DAD_Counter, secret_key) of RFC 7217 §5: the identifier and the counter it took.

    net_iface: constant over restarts and different for each interface (§5; a link's name in our namespaces serves, its
    index does not). network_id: only what is the same whenever the network is visited again; never an attachment, a
    router or a PvD of one epoch. used: identifiers in use already; those and the reserved ones are stepped over.
    Raises WeakSecret.
    """
    if len(secret) < SECRET_OCTETS_MIN:
        raise WeakSecret(f"a secret of {len(secret)} octets; RFC 7217 wants at least {SECRET_OCTETS_MIN}")
    base = network(prefix)
    said = (base.network_address.packed[: base.prefixlen // 8], net_iface.encode(), network_id.encode())
    counter = dad_counter
    while True:
        digest = blake2b(key=secret[:64], person=_STABLE, digest_size=IID_BITS // 8)
        for part in (*said, counter.to_bytes(4)):
            digest.update(len(part).to_bytes(4) + part)  # with lengths, so that no two inputs read the same
        iid = int.from_bytes(digest.digest())
        if not reserved(iid) and iid not in used:
            return f"{iid:016x}", counter
        counter += 1


def temporary(draws: bytes, used: frozenset[int]) -> str | None:
    """A random identifier (RFC 8981 §3.3.1) out of random octets: the first eight of them that are free.

    `None` if none is: draws for at least TEMP_IDGEN_RETRIES identifiers are expected.
    """
    octets = IID_BITS // 8
    assert len(draws) >= octets * IDGEN_RETRIES, f"{len(draws)} octets are not enough for {IDGEN_RETRIES} tries"
    for at in range(0, len(draws) - octets + 1, octets):
        iid = int.from_bytes(draws[at : at + octets])
        if not reserved(iid) and iid not in used:
            return f"{iid:016x}"
    return None


def reserved(iid: int) -> bool:
    """Whether RFC 5453 keeps an identifier from hosts."""
    return any(first <= iid <= last for first, last in RESERVED)
