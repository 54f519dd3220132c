"""The words everything else is spelled with: instants, links, PvD names, sequence numbers.

Law: an id is a plain value that sorts, hashes and prints the same everywhere; nothing here does anything.
"""

from typing import Final

Instant = int
"""Nanoseconds since the Unix epoch, UTC. An argument, never asked of a clock."""

NEVER: Final[Instant] = 2**63 - 1
"""The instant after every other. RFC 4861's and RFC 2131's lifetime 0xffffffff becomes this, so `min()` just works."""

SECOND: Final[Instant] = 1_000_000_000
MILLISECOND: Final[Instant] = 1_000_000

Seq = int
"""The number of a Record in its journal, from 1, without gaps."""

LinkId = str
"""The name a link had at first sight: `eth0`, `eth0#2`, `NS:eth0`, `eth0.10.30` (stacked tags), `if0` (capture)."""

PvdId = str
"""A typed name: `fqdn:`, `uuid:`, `ra:`, `if:`, `dhcp4:`, `dhcp6:`, `static:` or `vpn:`, then the key of that kind."""

HostId = str
"""Whose instance: a DHCP client's id (option 61, else chaddr; DUID), or this host's own, in a capture."""


def deadline(heard_at: Instant, lifetime_s: int | None) -> Instant:
    """The instant a lifetime ends that was heard at `heard_at`; `None` (infinity) and overflow are NEVER (E87)."""
    if lifetime_s is None:
        return NEVER
    until = heard_at + lifetime_s * SECOND
    return until if until < NEVER else NEVER
