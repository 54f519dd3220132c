"""The URI of a captive portal: RA option 37, DHCPv4 114 and DHCPv6 103 share it (RFC 8910 §2).

Law: what is read here may reach an HTTP client, a terminal and a log, so it is plain ASCII in the form of RFC 3986
(RFC 8910 §5), of a scheme that a portal can have: https, http (RFC 7710's portals) or a urn (RFC 8910 §2's
"unrestricted"). Anything else is refused, not repaired.
"""

import re
from typing import Final

_OCTETS: Final = re.compile(rb"[\x21-\x7e]+")
_CHARS: Final = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@%s]|%%[0-9A-Fa-f]{2})"
_URI: Final = re.compile(
    r"https?://"
    r"(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|%[0-9A-Fa-f]{2})*@)?"  # user information
    r"(?:\[(?:[0-9A-Fa-f:.]+|v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+)\]|"  # IP-literal
    r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)"  # registered name or IPv4
    r"(?::[0-9]{0,5})?" + rf"(?:/{_CHARS % '/'}*)?(?:\?{_CHARS % '/?'}*)?(?:#{_CHARS % '/?'}*)?",
    re.IGNORECASE,
)
_URN: Final = re.compile(rf"urn:{_CHARS % '/'}+", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*:")


class BadUri(ValueError):
    """Octets that are no URI for a portal. reason: `uri-empty`, `uri-characters`, `uri-scheme` or `uri-syntax`."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def read_uri(octets: bytes) -> str:
    """The URI that `octets` hold, trailing NULs being padding (RFC 8910 §2.3); raises BadUri."""
    octets = octets.rstrip(b"\0")
    if not octets:
        raise BadUri("uri-empty")
    if not _OCTETS.fullmatch(octets):
        raise BadUri("uri-characters")
    uri = octets.decode("ascii")
    scheme = _SCHEME.match(uri)
    if not scheme:
        raise BadUri("uri-syntax")
    form = {"https:": _URI, "http:": _URI, "urn:": _URN}.get(scheme[0].lower())
    if form is None:
        raise BadUri("uri-scheme")
    if not form.fullmatch(uri):
        raise BadUri("uri-syntax")
    return uri
