"""PvD Additional Information: each body of hostile_json.py has its outcome, and what an object then permits."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.pvdinfo import NOTES, REFUSALS, PvdInfo, Refusal, judge, read_info, uncovered
from events.pvdinfo import AdditionalInformation
from tests.wire import hostile_json
from tests.wire.hostile_json import GOOD, IN_2030, JSON, PRINTED, SECOND, Outcome, body, raw

CAFE = "cafe.example.com."


def info(**changes: object) -> PvdInfo:
    read = read_info(body(**changes))
    assert isinstance(read, PvdInfo), read
    return read


@pytest.mark.parametrize(
    ("octets", "outcome"),
    [
        pytest.param(octets, outcome, marks=pytest.mark.covers(f"evil:{entry}"), id=f"{entry} {what}")
        for entry, what, octets, outcome in JSON
    ],
)
def test_each_body_has_its_one_outcome(octets: bytes, outcome: Outcome) -> None:
    read = read_info(octets)
    if isinstance(outcome, str):
        assert isinstance(read, Refusal), read
        assert read.rule == outcome
        assert read.detail
    else:
        assert isinstance(read, PvdInfo), read
        assert {field: getattr(read, field) for field in outcome} == outcome
        assert type(read.expires) is int  # nanoseconds, to the last one
    assert read_info(octets) == read


def test_every_refusal_and_note_is_met_and_no_other() -> None:
    read = [read_info(octets) for _, _, octets, _ in JSON]
    judged = {"identifier-mismatch", "expired"}
    assert {one.rule for one in read if isinstance(one, Refusal)} | judged == set(REFUSALS)
    assert {note for one in read if isinstance(one, PvdInfo) for note in one.notes} == set(NOTES)


@pytest.mark.covers("rfc:P110")
@pytest.mark.parametrize("key", GOOD)
@pytest.mark.parametrize("value", [hostile_json.MISSING, None, {}, 7, True])
def test_no_object_is_used_in_part(key: str, value: object) -> None:
    """Missing, or of another type in turn: the rule names the key, and nothing of the rest is told."""
    read = read_info(body(**{key: value, "noInternet": True}))
    assert isinstance(read, Refusal)
    assert read.rule.startswith(f"{key}-")


@pytest.mark.covers("rfc:P111", "evil:E81")
@pytest.mark.parametrize(
    ("identifier", "ours"),
    [("cafe.example.com.", True), ("CAFE.example.COM", True), ("cafe.example.com", True), ("cafe.example.org.", False),
     ("xn--cfe-5cd.example.com", False), ("example.com", False), ("a.cafe.example.com", False)],
)  # fmt: skip
def test_an_object_is_about_the_pvd_it_names(identifier: str, ours: bool) -> None:
    refusal = judge(info(identifier=identifier), name=CAFE, at=0)
    assert (refusal is None) is ours
    if refusal is not None:
        assert refusal.rule == "identifier-mismatch"
        assert refusal.detail == f"it is about {info(identifier=identifier).identifier}, not {CAFE}"


@pytest.mark.covers("rfc:P112", "evil:E79")
@pytest.mark.parametrize(
    ("expires", "end"),
    [("2030-01-01T00:00:00Z", IN_2030), ("2030-01-01T02:00:00+02:00", IN_2030),
     ("2030-01-01t00:00:00.5z", IN_2030 + SECOND // 2),
     ("2029-12-31T23:59:60Z", IN_2030 - SECOND), ("9999-12-31T23:59:59Z", 2**63 - 2)],
)  # fmt: skip
def test_an_object_is_good_until_the_instant_it_names_and_not_at_it(expires: str, end: int) -> None:
    read = info(expires=expires)
    assert judge(read, name=CAFE, at=end - 1) is None
    refusal = judge(read, name=CAFE, at=end)
    assert refusal is not None and refusal.rule == "expired"
    assert refusal.detail == "it expired before it was read"
    past = judge(info(expires="2020-05-23T06:00:00Z"), name=CAFE, at=IN_2030)
    assert past is not None and past.rule == "expired"


@pytest.mark.covers("rfc:P104")
def test_everything_but_the_clock_counts_as_a_failure() -> None:
    """Unparsable, no object, a key missing or of another type, another PvD: counted. Expired: not."""
    failures = [b"{", b"[]", body(prefixes=hostile_json.MISSING), body(expires=5), PRINTED]
    read = [read_info(octets) for octets in failures]
    assert all(isinstance(one, Refusal) and one.counted for one in read)
    other = judge(info(identifier="other.example"), name=CAFE, at=0)
    late = judge(info(), name=CAFE, at=IN_2030)
    assert other is not None and other.counted
    assert late is not None and not late.counted


@pytest.mark.covers("rfc:P113", "rfc:P125")
def test_what_we_do_not_know_changes_nothing_and_is_not_needed() -> None:
    plain, more = info(), read_info(raw(x='{"y":[1]}', splitDnsClaims='[{"resolver":1}]'))
    assert isinstance(more, PvdInfo)
    assert (more.identifier, more.expires, more.prefixes) == (plain.identifier, plain.expires, plain.prefixes)
    assert more.unknown == ("splitDnsClaims", "x")
    assert (more.dns_zones, more.no_internet, more.notes) == (None, None, ())


@pytest.mark.covers("rfc:P114")
def test_a_vendors_dictionary_is_not_hoisted_to_the_root() -> None:
    read = read_info(raw(**{"vendor-foo": '{"noInternet":true,"dnsZones":["evil.example"]}'}))
    assert isinstance(read, PvdInfo)
    assert (read.no_internet, read.dns_zones, read.unknown) == (None, None, ("vendor-foo",))


@pytest.mark.covers("rfc:P115")
def test_an_optional_key_of_another_type_is_left_out_and_the_object_stands() -> None:
    read = info(noInternet="true", dnsZones={"a": 1})
    assert (read.no_internet, read.dns_zones) == (None, None)
    assert read.notes == ("zones-type", "no-internet-type")
    good = info(noInternet=True, dnsZones=["example.com"])
    assert (good.no_internet, good.dns_zones) == (True, ("example.com.",))


@pytest.mark.covers("rfc:P116")
@pytest.mark.parametrize(
    ("octets", "rule"),
    [(body()[:-1] + b',"identifier":"evil.example."}', "duplicate-name"), (body()[:-1] + b',"x":"\xc3("}', "encoding"),
     (raw(x='"\\ud800"'), "characters")],
)  # fmt: skip
def test_only_i_json_is_read(octets: bytes, rule: str) -> None:
    read = read_info(octets)
    assert isinstance(read, Refusal) and read.rule == rule and read.counted


def test_what_is_read_is_what_an_event_can_say() -> None:
    read = info(dnsZones=["example.com"], noInternet=True)
    said = AdditionalInformation(CAFE, IN_2030, ("2001:db8:1::/48",), ("example.com.",), True)
    assert read.said() == said
    assert info().said() == AdditionalInformation(CAFE, IN_2030, ("2001:db8:1::/48",))


@pytest.mark.covers("rfc:P136")
def test_the_example_of_the_rfc_is_no_json_as_printed_and_good_when_mended() -> None:
    printed, mended = read_info(PRINTED), read_info(PRINTED.replace(b"],", b"]"))
    assert isinstance(printed, Refusal) and printed.rule == "json"
    assert isinstance(mended, PvdInfo)
    assert (mended.identifier, mended.prefixes) == (CAFE, ("2001:db8:cafe::/48",))


@pytest.mark.covers("evil:E80")
@pytest.mark.parametrize(
    ("listed", "announced", "bad"),
    [
        (["2001:db8:1::/48"], ["2001:db8:1::/64", "2001:db8:1:2::/64"], []),
        (["2001:db8:2::/48"], ["2001:db8:1::/64"], ["2001:db8:1::/64"]),
        (["2001:db8:1::/64"], ["2001:db8:1::/48"], ["2001:db8:1::/48"]),  # covering the wrong way round
        (["2001:db8:1::/48"], ["2001:db8:1::/48"], []),
        (["2001:db8:1::/48"], [], []),
        ([], [], []),
        ([], ["2001:db8:1::/64"], ["2001:db8:1::/64"]),
        (["::/0"], ["2001:db8:1::/64", "fd00::/8"], []),
        (["2001:db8:1::/49", "2001:db8:1:8000::/49"], ["2001:db8:1::/48"], ["2001:db8:1::/48"]),
        (["2001:db8:1::/48"], ["2001:db8:10::/64"], ["2001:db8:10::/64"]),  # no comparison of text
    ],
)
def test_every_prefix_announced_must_be_inside_one_that_is_listed(
    listed: list[str], announced: list[str], bad: list[str]
) -> None:
    assert uncovered(info(prefixes=listed), announced) == tuple(bad)


@given(st.binary(max_size=300) | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: (
    st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "dnsZones", "noInternet", "x"]), inner)
)).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))  # fmt: skip
def test_any_octets_are_an_object_or_a_refusal(octets: bytes) -> None:
    read = read_info(octets)
    if isinstance(read, Refusal):
        assert read.rule in REFUSALS
    else:
        assert set(read.notes) <= set(NOTES)
