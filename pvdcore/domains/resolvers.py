"""The resolvers of one PvD in the order to ask them, for a name or for any (RFC 6731 §4.1, §4.6).

Law: values in, values out, of one PvD alone. A rule that is not to count is not among those given (policy
`rdnss_selection`, pvdcore/projections/desired.py).
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

PREFERENCES: Final = ("high", "medium", "low")
FAMILIES: Final = ("dhcp6", "dhcp4", "ra")  # DHCPv6 before DHCPv4 (RFC 6731 §4.6)
ANY: Final = "."
_DOT: Final = re.compile(r"(?<!\\)\.")  # not one within a label


class NameRule(msgspec.Struct, frozen=True):
    """A resolver, and the names it is for. preference: of PREFERENCES. by: one of FAMILIES.

    domains: with the final dot; `.` if it may be asked for anything.
    """

    server: str
    preference: str
    domains: tuple[str, ...]
    by: str


class Server(msgspec.Struct, frozen=True):
    """A resolver to ask. domain: the rule's that matched, "" where it is asked for any name. by: "" without a rule."""

    address: str
    domain: str = ""
    preference: str = "medium"
    by: str = ""


def servers(listed: Sequence[str], rules: Sequence[NameRule], name: str) -> tuple[Server, ...]:
    """Whom to ask for a name, each once. listed: the resolvers of other options, which may be asked for anything.

    Those count as of medium preference, unless a rule says another (RFC 6731 §4.6).
    """
    spoken = {one.server for one in rules}
    found = [Server(one) for one in listed if one not in spoken]
    for rule in rules:
        matched = match(rule, name)
        if matched or ANY in rule.domains or rule.server in listed:
            found.append(Server(rule.server, matched, rule.preference, rule.by))
    return tuple(sorted(found, key=rank))


def rank(server: Server, *, trusted: bool = True) -> tuple[int, ...]:
    """The place of a resolver among others; the smallest is asked first.

    Trust first: one less trusted stands behind, but for default ones where a trusted one would rather not be (low).
    Then the longest rule about the name (the RFC leaves it open); where DHCPv4 and DHCPv6 say different things of one
    domain, DHCPv6's counts; then preference; of equals one of a rule comes first.
    """
    reluctant = not server.domain and server.preference == "low"
    family = FAMILIES.index(server.by) if server.by else 0
    return (
        2 * reluctant + (not trusted),
        -len(_labels(server.domain)),
        family if server.domain else 0,
        PREFERENCES.index(server.preference),
        not server.by,
        family,
    )


def match(rule: NameRule, name: str) -> str:
    """The longest of a rule's domains that holds a name, "" if none does. `.` holds nothing: it makes a default."""
    wanted = _labels(name)
    longest: tuple[str, ...] = ()
    found = ""
    for one in rule.domains:
        labels = _labels(one)
        if len(labels) > len(longest) and wanted[-len(labels) :] == labels:
            longest, found = labels, one
    return found


def _labels(name: str) -> tuple[str, ...]:
    return tuple(one for one in _DOT.split(name.lower()) if one)
