"""Captive portals: which of several URIs counts, and what a URI says before anybody opens it (RFC 8910).

Law: nothing is fetched here, and nothing said is lost: each contribution keeps its URI; what counts is chosen when
somebody asks. That URIs differ is the network's fault (finding capport-differs); which one then counts is policy
`captive_portal`: the family that goes first, or `newest`. Within a family the one heard last counts.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import msgspec

from events.ids import Seq
from pvdcore.domains.contents import Source, heard_at
from pvdcore.policy import Policy
from pvdcore.state import Grant, because

UNRESTRICTED: Final = "urn:ietf:params:capport:unrestricted"  # RFC 8910 §2


class Portal(msgspec.Struct, frozen=True):
    """What a network says of its portal. state: `none` (there is none, nothing is to be fetched), `announced`."""

    uri: str
    state: str
    by: str
    because: Seq


def portal(found: Sequence[Source], policy: Policy) -> Portal | None:
    """The portal that counts among the contributions of one PvD to one host; `None` if nobody speaks of one."""
    first = policy.word("captive_portal")
    said = [
        (family == first, heard_at(source, held), because(source, held), family, str(held.value[0]))
        for source in found
        for held in source.held
        if held.kind == "captive_portal"
        for family in (family_of(source),)
    ]
    if not said:
        return None
    _, _, seq, family, uri = max(said)
    return Portal(uri, state(uri), family, seq)


def family_of(source: Source) -> str:
    """By what a contribution came: `ra`, `dhcp4` or `dhcp6`."""
    return source.rule.split("-")[0] if isinstance(source, Grant) else "ra"


def state(uri: str) -> str:
    """`none` for the URN of a network without a portal, which is no address of anything."""
    return "none" if uri.lower() == UNRESTRICTED else "announced"


def literal(uri: str) -> bool:
    """Whether a URI's host is an IP address, which RFC 8910 §2 discourages: no certificate names it."""
    try:
        host = urlsplit(uri).hostname
        ip_address(host or "")
    except ValueError:
        return False
    return True
