"""PvD Additional Information: the octets of a fetched body to a typed object, or the one rule it breaks (RFC 8801 §4).

Law: total, pure and bounded. An object is read whole or refused whole; no key of a refused one is ever used. It is
I-JSON (RFC 7493): UTF-8, no name twice, no surrogates, numbers that a double holds. Keys that we do not know are listed
and mean nothing, whatever is in them (§4.3). Fetching, and what becomes of the answer, are decided elsewhere.

    {"identifier": "cafe.example.com.",           FQDN, compared as RFC 8801 §3.4 says      ┐
     "expires": "2030-05-23T06:00:00Z",           RFC 3339                                  ├ each must be there
     "prefixes": ["2001:db8:1::/48"],             IPv6; every PIO must be inside one        ┘
     "dnsZones": ["example.com"],                 optional                                  ┐ of a wrong type they are
     "noInternet": true}                          optional                                  ┘ left out, with a note
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Network
from socket import AF_INET6, inet_pton
from typing import Any, Final, NoReturn

import msgspec

from adapters.wire.carrier.ip import address6
from adapters.wire.names import NAME_OCTETS_MAX
from events.ids import NEVER, SECOND, Instant
from events.pvdinfo import AdditionalInformation

BODY_OCTETS_MAX: Final = 65_536  # standards.md D.3; the objects of the RFC have under 500
DEPTH_MAX: Final = 16  # of arrays and objects; the deepest registered key has 4 (RFC 9704)
PREFIXES_MAX: Final = 256  # a router announces a few; each is compared with every PIO
ZONES_MAX: Final = 256
NUMBER_OCTETS_MAX: Final = 64  # of a number in text; a double is told exactly by 17 digits and an exponent

REFUSALS: Final[dict[str, str]] = {
    "size": "More octets than BODY_OCTETS_MAX (a bound).",
    "empty": "No octets at all.",
    "encoding": "Not UTF-8, or with a byte order mark (RFC 7493 §2.1, RFC 8259 §8.1).",
    "depth": "Nested deeper than DEPTH_MAX (a bound).",
    "json": "Not one JSON text (RFC 8259): also trailing commas, comments, NaN, and anything behind the text.",
    "duplicate-name": "An object with a name twice, at any depth (RFC 7493 §2.3).",
    "number": "A number that a double does not hold, or of more than NUMBER_OCTETS_MAX octets (RFC 7493 §2.2).",
    "characters": "A surrogate or noncharacter in a name or string (RFC 7493 §2.1).",
    "not-object": "A JSON text other than an object (RFC 8801 §4.3).",
    "identifier-missing": "No identifier at the root (RFC 8801 §4.3).",
    "identifier-type": "An identifier that is no string.",
    "identifier-name": "An identifier that is no FQDN of letters, digits, - and _.",
    "expires-missing": "No expires at the root (RFC 8801 §4.3).",
    "expires-type": "An expires that is no string.",
    "expires-form": "An expires that is no date-time of RFC 3339 §5.6, or no day of the calendar.",
    "prefixes-missing": "No prefixes at the root (RFC 8801 §4.3).",
    "prefixes-type": "Prefixes that are no array of strings.",
    "prefixes-count": "More prefixes than PREFIXES_MAX (a bound).",
    "prefixes-form": "A prefix that is no IPv6 ADDRESS/LENGTH.",
    "identifier-mismatch": "The identifier is not the PvD ID that was asked for (RFC 8801 §4.3, §3.4).",
    "expired": "It had expired when it was read (RFC 8801 §4.1).",
}
NOTES: Final[dict[str, str]] = {
    "prefix-host-bits": "A prefix with bits behind its length; they are cleared.",
    "prefix-everything": "::/0 is listed: the check of prefixes says nothing.",
    "zones-type": "dnsZones is no array of strings; left out.",
    "zones-count": "More zones than ZONES_MAX; left out.",
    "zone-form": "A zone that is no domain name (a wildcard, too); left out, the others stand.",
    "zone-root": "The root as a zone: everything is said to be in this PvD.",
    "no-internet-type": "noInternet is no boolean; left out.",
}

_KNOWN: Final = frozenset(("identifier", "expires", "prefixes", "dnsZones", "noInternet"))
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
_PREFIX: Final = re.compile(r"([0-9A-Fa-f:.]{2,45})/(0|[1-9][0-9]{0,2})")
_DATE_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PvdInfo(msgspec.Struct, frozen=True):
    """An object that may be used, if `judge` and `uncovered` have nothing to say.

    identifier: canonical, with the final dot. expires: an Instant before NEVER, however far off the date. prefixes:
    canonical, in order, without repeats. dns_zones, no_internet: `None` if not said, or not usably. unknown: names of
    other keys. notes: of NOTES.
    """

    identifier: str
    expires: Instant
    prefixes: tuple[str, ...]
    dns_zones: tuple[str, ...] | None = None
    no_internet: bool | None = None
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def said(self) -> AdditionalInformation:
        """What an event says of it (events/pvdinfo.py)."""
        return AdditionalInformation(
            self.identifier, self.expires, self.prefixes, self.dns_zones or (), self.no_internet
        )


class Refusal(msgspec.Struct, frozen=True):
    """Why an object is not used. rule: of REFUSALS. detail: one sentence."""

    rule: str
    detail: str

    @property
    def counted(self) -> bool:
        """Whether it counts towards the failures after which nothing more is asked (RFC 8801 §4.1): a clock that is
        wrong is likelier than an attack, so one that only expired does not (P104)."""
        return self.rule != "expired"


class _Refused(Exception):
    def __init__(self, rule: str, detail: str) -> None:
        self.refusal = Refusal(rule, detail)


def read_info(body: bytes) -> PvdInfo | Refusal:
    """The object in a body as it came, uncompressed; total, in time linear in its octets."""
    try:
        return _read(_json(body))
    except _Refused as refused:
        return refused.refusal


def judge(info: PvdInfo, *, name: str, at: Instant) -> Refusal | None:
    """What forbids to use an object for the PvD ID `name` (canonical, as in option 21) at an instant; None: nothing."""
    if info.identifier != name:
        return Refusal("identifier-mismatch", f"it is about {info.identifier}, not {name}")
    if info.expires <= at:
        return Refusal("expired", "it expired before it was read")
    return None


def uncovered(info: PvdInfo, announced: Iterable[str]) -> tuple[str, ...]:
    """The prefixes of a PvD's PIOs (`PREFIX/LENGTH`) that no listed prefix covers; any forbids to use the object
    (RFC 8801 §4.1, §4.4). Without a PIO nothing is uncovered; an empty list covers nothing."""
    listed = [IPv6Network(prefix) for prefix in info.prefixes]
    return tuple(one for one in announced if not any(IPv6Network(one).subnet_of(prefix) for prefix in listed))


def _json(body: bytes) -> Any:
    """The one JSON text of a body, in the profile of RFC 7493."""
    if len(body) > BODY_OCTETS_MAX:
        raise _Refused("size", f"{len(body)} octets, at most {BODY_OCTETS_MAX} are read")
    if not body:
        raise _Refused("empty", "an empty body")
    if body.startswith(b"\xef\xbb\xbf"):
        raise _Refused("encoding", "a byte order mark")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as bad:
        raise _Refused("encoding", f"octet {bad.start} is not UTF-8") from None
    _bound_depth(body)
    try:
        said = json.loads(
            text, object_pairs_hook=_object, parse_float=_number, parse_int=_number, parse_constant=_constant
        )
    except json.JSONDecodeError as bad:
        raise _Refused("json", f"{bad.msg} at character {bad.pos}") from None
    _check_characters(said)
    return said


def _bound_depth(body: bytes) -> None:
    """Before a parser that recurses sees it. Strings are cut out by the same grammar by which it would read them."""
    depth = 0
    for octet in _STRING.sub(b"", body):
        if octet in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise _Refused("depth", f"nested deeper than {DEPTH_MAX}")
        elif octet in b"]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) != len(pairs):
        raise _Refused("duplicate-name", "an object has a name twice")
    return said


def _number(text: str) -> float:
    if len(text) > NUMBER_OCTETS_MAX or abs(float(text)) == float("inf"):
        raise _Refused("number", f"{text[:20]} is no number that a double holds")
    return float(text)


def _constant(text: str) -> NoReturn:
    raise _Refused("json", f"{text} is not JSON")


def _check_characters(said: Any) -> None:
    if isinstance(said, str):
        for character in said:
            code = ord(character)
            if 0xD800 <= code <= 0xDFFF or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
                raise _Refused("characters", f"U+{code:04X} in a string")
    elif isinstance(said, dict):
        for name, one in said.items():
            _check_characters(name)
            _check_characters(one)
    elif isinstance(said, list):
        for one in said:
            _check_characters(one)


def _read(said: Any) -> PvdInfo:
    if not isinstance(said, dict):
        raise _Refused("not-object", "the JSON text is no object")
    notes: list[str] = []
    identifier = _name(_mandatory(said, "identifier", str))
    if identifier is None or identifier == ".":
        raise _Refused("identifier-name", "the identifier is no FQDN")
    return PvdInfo(
        identifier=identifier,
        expires=_instant(_mandatory(said, "expires", str)),
        prefixes=_prefixes(_mandatory(said, "prefixes", list), notes),
        dns_zones=_zones(said["dnsZones"], notes) if "dnsZones" in said else None,
        no_internet=_boolean(said["noInternet"], notes) if "noInternet" in said else None,
        unknown=tuple(sorted(said.keys() - _KNOWN)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _mandatory(said: dict[str, Any], key: str, kind: type) -> Any:
    if key not in said:
        raise _Refused(f"{key}-missing", f"no {key}")
    if not isinstance(said[key], kind):
        raise _Refused(f"{key}-type", f"{key} is no {'string' if kind is str else 'array'}")
    return said[key]


def _name(text: str) -> str | None:
    """The canonical text of a host or domain name, with or without its final dot; None if it is none.

    A name is asked of HTTPS or DNS in these characters only, so what option 21 may hold besides is none here.
    """
    if text == ".":
        return text
    labels = text.removesuffix(".").split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return None
    name = ".".join(labels).lower() + "."
    return name if len(name) < NAME_OCTETS_MAX else None  # on the wire a length octet more than dots


def _instant(text: str) -> Instant:
    """RFC 3339 §5.6. A leap second counts as the second before it (§5.7 allows one at the end of a UTC day only)."""
    found = _DATE_TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError("not in the form")
        year, month, day, hour, minute, second = (int(found[at]) for at in range(1, 7))
        leap = second == 60
        local = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
        offset = 0
        if found[8]:
            if int(found[9]) > 23 or int(found[10]) > 59:
                raise ValueError("no such offset")
            offset = (int(found[9]) * 60 + int(found[10])) * (-1 if found[8] == "-" else 1)
        seconds = (local - _EPOCH) // timedelta(seconds=1) - offset * 60
        if leap and seconds % 86_400 != 86_399:
            raise ValueError("no leap second can stand there")
    except ValueError as bad:
        raise _Refused("expires-form", f"expires is no date-time: {bad}") from None
    fraction = 0 if leap else int((found[7] or "0")[:9].ljust(9, "0"))
    return min(seconds * SECOND + fraction, NEVER - 1)


def _prefixes(listed: list[Any], notes: list[str]) -> tuple[str, ...]:
    if len(listed) > PREFIXES_MAX:
        raise _Refused("prefixes-count", f"{len(listed)} prefixes, at most {PREFIXES_MAX} are read")
    made: list[str] = []
    for one in listed:
        if not isinstance(one, str):
            raise _Refused("prefixes-type", "a prefix is no string")
        found = _PREFIX.fullmatch(one)
        try:
            if found is None:
                raise ValueError
            address, length = inet_pton(AF_INET6, found[1]), int(found[2])
            if length > 128:
                raise ValueError
        except (OSError, ValueError):
            raise _Refused("prefixes-form", f"{one[:50]!a} is no IPv6 prefix") from None
        host_bits = 128 - length
        kept = (int.from_bytes(address, "big") >> host_bits << host_bits).to_bytes(16, "big")
        if not length:
            notes.append("prefix-everything")
        if kept != address:
            notes.append("prefix-host-bits")
        made.append(f"{address6(kept)}/{length}")
    return tuple(dict.fromkeys(made))


def _zones(listed: Any, notes: list[str]) -> tuple[str, ...] | None:
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        notes.append("zones-type")
        return None
    if len(listed) > ZONES_MAX:
        notes.append("zones-count")
        return None
    made: list[str] = []
    for one in listed:
        zone = _name(one)
        if zone is None:
            notes.append("zone-form")
            continue
        if zone == ".":
            notes.append("zone-root")
        made.append(zone)
    return tuple(dict.fromkeys(made))


def _boolean(said: Any, notes: list[str]) -> bool | None:
    if isinstance(said, bool):
        return said
    notes.append("no-internet-type")
    return None
