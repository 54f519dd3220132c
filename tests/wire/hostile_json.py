"""The hostile bodies of PvD Additional Information, standards.md E78–E81: entry, what it is, octets, outcome.

Law: each body has one right outcome. A text is the rule of pvdinfo.REFUSALS under which all of it goes; a dict says
fields of the object that is read.
"""

from __future__ import annotations

import gzip
import json
from ipaddress import IPv6Network
from typing import Any, Final

Outcome = str | dict[str, Any]
Case = tuple[str, str, bytes, Outcome]

SECOND: Final = 1_000_000_000
IN_2030: Final = 1_893_456_000 * SECOND  # 2030-01-01T00:00:00Z
GOOD: Final[dict[str, Any]] = {
    "identifier": "cafe.example.com.",
    "expires": "2030-01-01T00:00:00Z",
    "prefixes": ["2001:db8:1::/48"],
}
# RFC 8801 §5.4, as printed: the comma behind the last pair makes it no JSON (116 octets with the final LF).
PRINTED: Final = (
    b'{\n  "identifier": "cafe.example.com.",\n  "expires": "2020-05-23T06:00:00Z",\n'
    b'  "prefixes": ["2001:db8:cafe::/48"],\n}\n'
)
MISSING: Final = object()


def body(**changes: Any) -> bytes:
    """GOOD with other values; `MISSING` takes a key away."""
    said = {**GOOD, **changes}
    return json.dumps({key: value for key, value in said.items() if value is not MISSING}).encode()


def raw(**texts: str) -> bytes:
    """GOOD with JSON texts as they stand."""
    plain = {key: json.dumps(value) for key, value in GOOD.items()}
    return ("{" + ",".join(f'"{key}":{text}' for key, text in {**plain, **texts}.items()) + "}").encode()


def said(**fields: Any) -> dict[str, Any]:
    return {"identifier": "cafe.example.com.", "expires": IN_2030, "prefixes": ("2001:db8:1::/48",), **fields}


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


JSON: Final[list[Case]] = [
    ("E78", "as it should be", body(), said(dns_zones=None, no_internet=None, unknown=(), notes=())),
    ("E78", "an empty body", b"", "empty"),
    ("E78", "blanks", b" \n", "json"),
    ("E78", "null", b"null", "not-object"),
    ("E78", "an array", b"[" + body() + b"]", "not-object"),
    ("E78", "two objects", body() + body(), "json"),
    ("E78", "HTML", b"<!DOCTYPE html><title>Log in</title>", "json"),
    ("E78", "64 MiB", b" " * (64 << 20), "size"),
    ("E78", "one octet too many", body() + b" " * (65_537 - len(body())), "size"),
    ("E78", "as many octets as may be", body() + b" " * (65_536 - len(body())), said()),
    ("E78", "a gzip bomb", gzip.compress(b" " * 10_000_000, mtime=0), "encoding"),
    ("E78", "nested 100,000 deep", b"[" * 60_000, "depth"),
    ("E78", "objects nested 10,000 deep", b'{"a":' * 10_000, "depth"),
    ("E78", "nested 17 deep", raw(x=deep(16)), "depth"),
    ("E78", "nested 16 deep", raw(x=deep(15)), said(unknown=("x",))),
    ("E78", "deep behind what closed", raw(x="[" * 14 + "[]," + deep(3) + "]" * 14), "depth"),
    ("E78", "deep behind what closed, as may be", raw(x="[" * 14 + "[]," + deep(1) + "]" * 14), said(unknown=("x",))),
    ("E78", "letters nest nothing", b"X" * 100, "json"),
    ("E78", "nor do they end what nests", b"[X" * 17, "depth"),
    ("E78", "brackets in a string nest nothing", raw(x='"' + '[\\"{' * 99 + '"'), said(unknown=("x",))),
    ("E78", "a string that never ends", body()[:-1] + b',"x":"' + b"[" * 99, "depth"),
    ("E78", "the trailing comma of the RFC's own example", PRINTED, "json"),
    ("E78", "a comment", b"/* hello */" + body(), "json"),
    ("E78", "NaN", raw(x="NaN"), "json"),
    ("E78", "-Infinity", raw(x="-Infinity"), "json"),
    ("E78", "1e400", raw(x="1e400"), "number"),
    ("E78", "-1e400", raw(x="-1e400"), "number"),
    ("E78", "an integer of 5,000 digits", raw(x="9" * 5000), "number"),
    ("E78", "1e308", raw(x="1e308"), said(unknown=("x",))),
    ("E78", "a hundred arrays side by side", raw(x="[" + ",".join(["[]"] * 100) + "]"), said(unknown=("x",))),
    ("E78", "a hundred objects side by side", raw(x="[" + ",".join(["{}"] * 100) + "]"), said(unknown=("x",))),
    ("E78", "a number of 64 octets", raw(x="1." + "0" * 62), said(unknown=("x",))),
    ("E78", "a number of 65 octets", raw(x="1." + "0" * 63), "number"),
    ("E78", "two keys we do not know", raw(z="1", x="-1.5e3", y='"\\\""'), said(unknown=("x", "y", "z"))),
    ("E78", "a leading zero", raw(x="01"), "json"),
    ("E78", "identifier twice", body()[:-1] + b',"identifier":"evil.example."}', "duplicate-name"),
    ("E78", "identifier twice, once escaped", body()[:-1] + b',"\\u0069dentifier":"evil.example."}', "duplicate-name"),
    ("E78", "a name twice inside what we do not know", raw(x='{"y":1,"y":2}'), "duplicate-name"),
    ("E78", "a byte order mark", b"\xef\xbb\xbf" + body(), "encoding"),
    ("E78", "UTF-16", body().decode().encode("utf-16"), "encoding"),
    ("E78", "UTF-16 without a mark", body().decode().encode("utf-16-le"), "json"),
    ("E78", "octets that are not UTF-8", body()[:-1] + b',"x":"\xff"}', "encoding"),
    ("E78", "a surrogate in UTF-8", body()[:-1] + b',"x":"\xed\xa0\x80"}', "encoding"),
    ("E78", "a lone surrogate", raw(x='"\\ud800"'), "characters"),
    ("E78", "a lone surrogate in a name", raw(x='{"\\udfff":1}'), "characters"),
    ("E78", "a pair of surrogates", raw(x='"\\ud83d\\ude00"'), said(unknown=("x",))),
    ("E78", "a noncharacter", raw(x='["\\ufffe"]'), "characters"),
    *(("E78", f"U+{code:04X}", raw(x=f'[1,{{"a":["\\u{code:04x}"]}}]'), "characters")
      for code in (0xD800, 0xDFFF, 0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF)),
    *(("E78", f"U+{code:04X} in a name", raw(x=f'[{{"a":{{"\\u{code:04x}":1}}}}]'), "characters")
      for code in (0xD800, 0xDFFF, 0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF)),
    *(("E78", f"U+{code:04X}", raw(x=f'"\\u{code:04x}"'), said(unknown=("x",)))
      for code in (0xD7FF, 0xE000, 0xFDCF, 0xFDF0, 0xFFFD)),
    ("E78", "U+1FFFD", body(x="\U0001fffd"), said(unknown=("x",))),
    ("E78", "U+1FFFE", body(x="\U0001fffe"), "characters"),
    ("E78", "U+10FFFF", body(x="\U0010ffff"), "characters"),
    ("E78", "NUL in the identifier", raw(identifier='"cafe\\u0000.example.com."'), "identifier-name"),
    ("E78", "NUL in what we do not know", raw(x='"\\u0000"'), said(unknown=("x",))),
    ("E78", "NUL as it is", body()[:-1] + b',"x":"\0"}', "json"),
    *(("E78", f"no {key}", body(**{key: MISSING}), f"{key}-missing") for key in GOOD),
    *(("E78", f"{key} is null", body(**{key: None}), f"{key}-type") for key in GOOD),
    *(("E78", f"{key} is an object", body(**{key: {}}), f"{key}-type") for key in GOOD),
    ("E78", "the keys one level down", json.dumps({"vendor-x": GOOD}).encode(), "identifier-missing"),
    ("E79", "past", body(expires="2020-05-23T06:00:00Z"), said(expires=1_590_213_600 * SECOND)),
    ("E79", "year 9999", body(expires="9999-12-31T23:59:59Z"), said(expires=2**63 - 2)),
    ("E79", "year 10000", body(expires="10000-01-01T00:00:00Z"), "expires-form"),
    ("E79", "year 0", body(expires="0000-01-01T00:00:00Z"), "expires-form"),
    ("E79", "no zone", body(expires="2030-01-01T00:00:00"), "expires-form"),
    ("E79", "a blank for the T", body(expires="2030-01-01 00:00:00Z"), "expires-form"),
    ("E79", "month 13", body(expires="2030-13-01T00:00:00Z"), "expires-form"),
    ("E79", "30 February", body(expires="2030-02-30T00:00:00Z"), "expires-form"),
    ("E79", "24 o'clock", body(expires="2030-01-01T24:00:00Z"), "expires-form"),
    ("E79", "offset +99:99", body(expires="2030-01-01T00:00:00+99:99"), "expires-form"),
    ("E79", "offset +23:60", body(expires="2030-01-01T00:00:00+23:60"), "expires-form"),
    ("E79", "offset +24:00", body(expires="2030-01-01T00:00:00+24:00"), "expires-form"),
    ("E79", "offset +23:59", body(expires="2030-01-01T23:59:00+23:59"), said()),
    ("E79", "offset -23:59", body(expires="2029-12-31T00:01:00-23:59"), said()),
    ("E79", "hours, minutes, seconds", body(expires="2030-01-01T01:02:59Z"), said(expires=IN_2030 + 3779 * SECOND)),
    ("E79", "a day and a month", body(expires="2030-02-03T00:00:00Z"), said(expires=IN_2030 + 33 * 86_400 * SECOND)),
    ("E79", "nine digits", body(expires="2030-01-01T00:00:00.000000001Z"), said(expires=IN_2030 + 1)),
    ("E79", "offset +02:00", body(expires="2030-01-01T02:00:00+02:00"), said()),
    ("E79", "offset -00:30", body(expires="2029-12-31T23:30:00-00:30"), said()),
    ("E79", "half a second", body(expires="2030-01-01T00:00:00.5Z"), said(expires=IN_2030 + SECOND // 2)),
    ("E79", "12 digits", body(expires="2030-01-01T00:00:00.123456789999Z"), said(expires=IN_2030 + 123_456_789)),
    ("E79", "a leap second", body(expires="2029-12-31T23:59:60Z"), said(expires=IN_2030 - SECOND)),
    ("E79", "a leap second elsewhere", body(expires="2030-01-01T01:59:60.9+02:00"), said(expires=IN_2030 - SECOND)),
    ("E79", "a leap second at noon", body(expires="2030-01-01T12:00:60Z"), "expires-form"),
    ("E79", "second 61", body(expires="2029-12-31T23:59:61Z"), "expires-form"),
    ("E79", "small letters", body(expires="2030-01-01t00:00:00z"), said()),
    ("E79", "digits of another script", body(expires="２030-01-01T00:00:00Z"), "expires-form"),
    ("E79", "an integer", body(expires=1_893_456_000), "expires-type"),
    ("E79", "a line feed behind it", body(expires="2030-01-01T00:00:00Z\n"), "expires-form"),
    ("E80", "a string", body(prefixes="2001:db8:1::/48"), "prefixes-type"),
    ("E80", "a number among them", body(prefixes=["2001:db8::/32", 5]), "prefixes-type"),
    ("E80", "IPv4", body(prefixes=["192.0.2.0/24"]), "prefixes-form"),
    ("E80", "host bits", body(prefixes=["2001:db8::1/64"]),
     said(prefixes=("2001:db8::/64",), notes=("prefix-host-bits",))),
    ("E80", "::/0", body(prefixes=["::/0"]), said(prefixes=("::/0",), notes=("prefix-everything",))),
    ("E80", "/129", body(prefixes=["2001:db8::/129"]), "prefixes-form"),
    ("E80", "/064", body(prefixes=["2001:db8::/064"]), "prefixes-form"),
    ("E80", "no length", body(prefixes=["2001:db8::"]), "prefixes-form"),
    ("E80", "a mask for a length", body(prefixes=["2001:db8::/ffff::"]), "prefixes-form"),
    ("E80", "a zone", body(prefixes=["fe80::%eth0/64"]), "prefixes-form"),
    ("E80", "no address", body(prefixes=["1::2::3/64"]), "prefixes-form"),
    ("E80", "10,000", body(prefixes=["::/8"] * 10_000), "size"),
    ("E80", "5,000 in a body that is not too long", body(prefixes=["::/8"] * 5000), "prefixes-count"),
    ("E80", "257", body(prefixes=[f"2001:db8:{at:x}::/48" for at in range(257)]), "prefixes-count"),
    ("E80", "256", body(prefixes=[f"2001:db8:{at:x}::/48" for at in range(256)]),
     said(prefixes=tuple(str(IPv6Network(f"2001:db8:{at:x}::/48")) for at in range(256)))),
    ("E80", "/128 and /0, with host bits", body(prefixes=["2001:db8::1/128", "1::/0"]),
     said(prefixes=("2001:db8::1/128", "::/0"), notes=("prefix-everything", "prefix-host-bits"))),
    ("E80", "twice, in other words", body(prefixes=["2001:DB8:1::/48", "2001:db8:1:0::/48"]), said()),
    ("E80", "none", body(prefixes=[]), said(prefixes=())),
    ("E81", "without the dot", body(identifier="cafe.example.com"), said()),
    ("E81", "in capitals", body(identifier="CAFE.Example.com."), said()),
    ("E81", "a homoglyph", body(identifier="c\u0430fe.example.com."), "identifier-name"),
    ("E81", "in punycode", body(identifier="xn--cfe-5cd.example.com"), said(identifier="xn--cfe-5cd.example.com.")),
    ("E81", "a number", body(identifier=7), "identifier-type"),
    ("E81", "the root", body(identifier="."), "identifier-name"),
    ("E81", "empty", body(identifier=""), "identifier-name"),
    ("E81", "two dots", body(identifier="cafe..example.com"), "identifier-name"),
    ("E81", "two dots at the end", body(identifier="cafe.example.com.."), "identifier-name"),
    ("E81", "a label of 64", body(identifier="a" * 64 + ".example"), "identifier-name"),
    ("E81", "254 octets of text, 255 on the wire", body(identifier=("a" * 63 + ".") * 3 + "a" * 61),
     said(identifier=("a" * 63 + ".") * 3 + "a" * 61 + ".")),
    ("E81", "255 octets of text, 256 on the wire", body(identifier=("a" * 63 + ".") * 3 + "a" * 62), "identifier-name"),
    ("E81", "an octet that option 21 could hold", body(identifier="cafe#1.example.com"), "identifier-name"),
    ("E81", "a backslash", body(identifier="cafe\\\\035.example.com"), "identifier-name"),
    ("E81", "a blank", body(identifier="cafe .example.com"), "identifier-name"),
    ("E81", "noInternet as text", body(noInternet="false"), said(no_internet=None, notes=("no-internet-type",))),
    ("E81", "noInternet as 1", body(noInternet=1), said(no_internet=None, notes=("no-internet-type",))),
    ("E81", "noInternet", body(noInternet=True), said(no_internet=True, notes=())),
    ("E81", "zones", body(dnsZones=["Example.COM", "example.com."]), said(dns_zones=("example.com.",), notes=())),
    ("E81", "the root as a zone", body(dnsZones=["."]), said(dns_zones=(".",), notes=("zone-root",))),
    ("E81", "a wildcard", body(dnsZones=["*.example.com", "b"]), said(dns_zones=("b.",), notes=("zone-form",))),
    ("E81", "zones in a string", body(dnsZones="example.com"), said(dns_zones=None, notes=("zones-type",))),
    ("E81", "a number among the zones", body(dnsZones=["a", 1]), said(dns_zones=None, notes=("zones-type",))),
    ("E81", "257 zones", body(dnsZones=["a"] * 257), said(dns_zones=None, notes=("zones-count",))),
    ("E81", "256 zones", body(dnsZones=["a", "b"] * 128), said(dns_zones=("a.", "b."), notes=())),
    ("E81", "the good zones among bad ones", body(dnsZones=["*", "a", "b c", ".", "b", ""]),
     said(dns_zones=("a.", ".", "b."), notes=("zone-form", "zone-root"))),
    ("E81", "a key we do not know", raw(x='{"y":[1]}'), said(unknown=("x",))),
    ("E81", "a vendor's keys in a dictionary", raw(**{"vendor-foo": '{"noInternet":true,"prefixes":[]}'}),
     said(no_internet=None, unknown=("vendor-foo",))),
]  # fmt: skip
