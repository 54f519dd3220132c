"""URIs of captive portals: what a client may be sent to, by its form alone, and why not."""

import pytest

from adapters.wire.uri import BadUri, read_uri


@pytest.mark.covers("rfc:F15", "evil:E22", part="expected")
@pytest.mark.parametrize(
    "uri",
    [
        "https://portal.example",
        "http://portal.example/",
        "HTTPS://Portal.EXAMPLE/API",
        "https://portal.example:8443/api?session=1&a=%20#top",
        "https://portal.example:/api",
        "https://user:pass%40word@portal.example/",
        "https://192.0.2.1/",
        "https://[2001:db8::1]:443/api",
        "https://[::ffff:192.0.2.1]/",
        "https://[v1.a:b]/",
        "https://xn--caf-dma.example/~a/b;c=d,e@f:g!$'()*+",
        "https://portal.example?x=/y?z",
        "https://portal.example/XXX",  # no padding: only NULs are
        "https://portal.example/a//b#/?",
        "urn:ietf:params:capport:unrestricted",
        "URN:example:a/b%2Fc",
    ],
)
def test_what_a_portal_can_be(uri: str) -> None:
    assert read_uri(uri.encode()) == uri
    assert read_uri(uri.encode() + b"\0\0\0") == uri  # RFC 8910 §2.3: padding


@pytest.mark.covers("rfc:F15", "evil:E22", part="negative")
@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "uri-empty"),
        (b"\0\0", "uri-empty"),
        (b"\0https://a.example/", "uri-characters"),
        (b"https://a.example/ b", "uri-characters"),
        (b"https://a.example/\x7f", "uri-characters"),
        (b"https://a.example/\n", "uri-characters"),
        (b"https://a.example/\xc3\xa4", "uri-characters"),
        (b"portal.example", "uri-syntax"),
        (b"//portal.example/", "uri-syntax"),
        (b"://portal.example/", "uri-syntax"),
        (b"1https://portal.example/", "uri-syntax"),
        (b"ftp://portal.example/", "uri-scheme"),
        (b"httpsx://portal.example/", "uri-scheme"),
        (b"data:text/html,x", "uri-scheme"),
        (b"http:", "uri-syntax"),
        (b"https:portal.example", "uri-syntax"),
        (b"https:/portal.example/", "uri-syntax"),
        (b"https://", "uri-syntax"),
        (b"https:///api", "uri-syntax"),
        (b"https://@/", "uri-syntax"),
        (b"https://a@b@c/", "uri-syntax"),
        (b"https://portal.example:123456/", "uri-syntax"),
        (b"https://portal.example:80a/", "uri-syntax"),
        (b"https://[2001:db8::1/", "uri-syntax"),
        (b"https://2001:db8::1/", "uri-syntax"),
        (b"https://[portal]/", "uri-syntax"),
        (b"https://portal.example/%2", "uri-syntax"),
        (b"https://portal.example/%zz", "uri-syntax"),
        (b"https://portal.example/a\\b", "uri-syntax"),
        (b'https://portal.example/"', "uri-syntax"),
        (b"https://portal.example/<script>", "uri-syntax"),
        (b"https://portal.example/#a#b", "uri-syntax"),
        (b"https://portal.example/{x}", "uri-syntax"),
        (b"urn:", "uri-syntax"),
        (b"urn:a?b", "uri-syntax"),
    ],
)
def test_what_no_portal_can_be(octets: bytes, reason: str) -> None:
    with pytest.raises(BadUri) as bad:
        read_uri(octets)
    assert bad.value.reason == reason
