"""`pvdctl advertise`: what is written is read back as what it was made of; other programs agree; AR1 to AR7."""

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json as msgspec_json
from msgspec.structs import replace

import replay.cli as cli
from adapters.ingest import Translator
from events.frames import ETHERNET, Frame
from events.router import (
    EncryptedDns,
    MifContainer,
    NdOption,
    PvdOption,
    RaHeader,
    RouterAdvertised,
)
from pvdcore.domains.view import items
from pvdcore.reduce import advance
from pvdcore.state import State
from replay.live.advertise import described, frame
from replay.live.compose import advertisement, name, option
from replay.rerun import rerun
from tests.sim.build import Story
from tests.wire import packets as p
from tests.wire.strategies import ra_options

ROOT = Path(__file__).resolve().parent.parent.parent
AR = ROOT / "tests" / "captures" / "ar"
START = "2026-03-01T00:00:00Z"


def heard(data: Frame) -> RouterAdvertised | None:
    (event,) = Translator().translate(data)
    return event if isinstance(event, RouterAdvertised) else None


def bare(one: Any) -> Any:
    """An event without what follows from the rest: lengths, places, and the text of service parameters."""
    plain = json.loads(msgspec_json.encode(one))

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(inner) for key, inner in value.items() if key not in ("length", "nested_at")}
        return [strip(inner) for inner in value] if isinstance(value, list) else value

    return strip(plain)


def dumb(options: tuple[NdOption, ...]) -> bool:
    """Whether a resolver lost all its addresses while it was read: then it cannot be said again."""
    return any(
        (isinstance(one, EncryptedDns) and one.params and not one.addresses)
        or (isinstance(one, PvdOption | MifContainer) and dumb(one.options))
        for one in options
    )


headers = st.builds(
    RaHeader,
    lifetime_s=st.integers(0, 65535),
    preference=st.sampled_from(("high", "medium", "low")),
    managed=st.booleans(),
    other_config=st.booleans(),
    hop_limit=st.integers(0, 255),
    reachable_ms=st.integers(0, 2**32 - 1),
    retrans_ms=st.integers(0, 2**32 - 1),
    home_agent=st.booleans(),
    proxy=st.booleans(),
    snac=st.booleans(),
)


@settings(deadline=None)  # the first one imports scapy
@given(ra_options, headers)
def test_what_was_read_is_written_and_read_again_as_the_same(octets: bytes, header: RaHeader) -> None:
    first = heard(p.ra(octets))
    if first is None or dumb(first.options):
        return  # (what is misframed was never an RA)
    said = replace(first, header=header, destination="")
    if len(advertisement(said)) > 1400:
        return  # (more than a frame holds: refused, see below)
    data = frame(said)
    again = heard(Frame(0, "e0", ETHERNET, data))
    assert again is not None
    flags = again.header.flags
    assert replace(again.header, flags=0) == header and flags & 0x01 == 0
    assert bare(again.options) == bare(first.options)
    assert (again.router, again.mac) == (first.router, first.mac)


def test_a_name_is_written_as_it_is_read() -> None:
    assert name("a.example.") == b"\x01a\x07example\x00"
    assert name(".") == b"\x00"
    assert name("a\\046b.") == b"\x03a.b\x00"
    for wrong in ("x" * 64 + ".", "abc." * 64):
        with pytest.raises(ValueError, match="at most"):
            name(wrong)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"type": "prefx", "prefix": "2001:db8::/64"}, "did you mean prefix?"),
        ({"type": "prefix", "prefx": "2001:db8::/64"}, "option prefix has no prefx; did you mean prefix?"),
        ({"type": "prefix", "prefix": "2001:db8::1/64"}, "has host bits set"),
        ({"type": "prefix"}, "missing required field `prefix`"),
        ({"type": "pref64", "prefix": "64:ff9b::/95"}, "96, 64, 56, 48, 40 or 32 bits"),
        ({"type": "pref64", "prefix": "64:ff9b::/96", "lifetime_s": 7}, "in units of 8 s"),
        ({"type": "rdnss", "addresses": []}, "name at least one"),
        ({"type": "dnssl", "names": []}, "name at least one"),
        ({"type": "route", "prefix": "::/0", "preference": "best"}, "preference is high, medium or low, not best"),
        ({"type": "pvd", "name": "x.", "delay": 16}, "delay is 16; it fits between 0 and 15"),
        ({"type": "pvd", "name": "x.", "sequence": 65536}, "sequence is 65536"),
        ({"type": "captive-portal", "uri": "https://" + "x" * 2100}, "at most 2040 fit"),
        ({"type": "captive-portal", "uri": "https://" + "x" * 1600}, "split the RA in two"),
    ],
)
def test_what_the_wire_cannot_hold_is_said_and_not_sent(row: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError) as caught:
        frame(described({"ra": [{"router": "fe80::1", "options": [row]}]}).round[0].ra)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "sends nothing; add [[ra]]"),
        ({"ra": [{"router": "2001:db8::1"}]}, "link-local address"),
        ({"ra": [{"router": "fe80::1", "optons": []}]}, "did you mean options?"),
        ({"ra": [{"router": "fe80::1"}], "count": "3"}, "count is a number"),
        ({"ra": [{"router": "fe80::1", "header": {"lifetime": 5}}]}, "did you mean lifetime_s?"),
    ],
)
def test_a_description_that_is_none_says_what_to_write(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError) as caught:
        described(table)
    assert says in str(caught.value)


OPTIONS = (
    "--source fe80::1 --mac 02:00:00:00:00:01 --router-lifetime 600 --preference high --managed --hop-limit 64"
    " --prefix 2001:db8:1::/64,infinity,3600 --route 2001:db8:a::/48,60,low --dns 2001:db8::53 --search example.org"
    " --lifetime 90 --mtu 1400 --pref64 64:ff9b::/96 --captive-portal https://portal.example/api"
    " --encrypted-dns dns.example,2001:db8::853"
)
FLAGS = OPTIONS.split()


def written(tmp_path: Path, *words: str) -> Path:
    path = tmp_path / "out.pcapng"
    assert cli.main(["advertise", "-w", str(path), "--start", START, *words]) == 0
    return path


def test_all_can_be_said_in_options_outside_or_inside_the_pvd(tmp_path: Path) -> None:
    pvd = ("--pvd", "x.example", "--http", "--legacy", "--delay", "3", "--sequence", "7")
    outside = rerun([str(written(tmp_path, *FLAGS, *pvd))]).state
    inside = rerun([str(written(tmp_path, *FLAGS, *pvd, "--nest"))]).state
    plain = rerun([str(written(tmp_path, *FLAGS))]).state
    for state, id in ((outside, "fqdn:x.example."), (inside, "fqdn:x.example."), (plain, "ra:eth0/1/fe80::1")):
        assert list(state.pvds) == [id]
        held = {(one.kind, one.key): one for _, one in items(state, id, ("eth0", 1, ""))}
        assert held["prefix", "2001:db8:1::/64"].lifetime_s is None
        assert held["prefix", "2001:db8:1::/64"].preferred_s == 3600
        assert held["dns", "2001:db8::53"].lifetime_s == held["search", "example.org."].lifetime_s == 90
        assert held["router", "fe80::1"].value == ("high",)
        kinds = {kind for kind, _ in held}
        assert kinds >= {"route", "mtu", "pref64", "captive_portal", "encrypted_dns", "hop_limit"}
    for state in (outside, inside):
        found = state.pvds["fqdn:x.example."]
        assert (found.http, found.legacy, found.delay, found.sequence) == (True, True, 3, 7)
    assert not rerun([str(written(tmp_path, *FLAGS, *pvd, "--nest"))], policy={"aware": False}).state.pvds


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "give one of --link NAME and --write FILE"),
        (("-w", "x", "--link", "lo"), "give one of --link NAME and --write FILE"),
        (("-w", "x", "--prefix", "2001:db8::/64"), "which router speaks? add --source fe80::1"),
        (("-w", "x", "--source", "fe80::1", "--http"), "add --pvd NAME"),
        (("-w", "x", "--source", "fe80::1", "--prefix", "2001:db8::/64,soon"), "seconds or infinity, not soon"),
        (("-w", "x", "--source", "fe80::1", "--interval", "0"), "would flood the link"),
        (("-w", "x", "--source", "fe80::1", "--count", "0"), "with --count N"),
        (("--link", "nosuch0"), "there is no link nosuch0"),
        (("--link", "nosuch0", "nosuch.toml"), "nosuch.toml: No such file"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_type(
    words: tuple[str, ...],
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["advertise", *words]) in (2, 10, 1)
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_tshark_reads_what_stands_beside_the_pvd_option(tmp_path: Path) -> None:
    fields = ("icmpv6.checksum.status", "icmpv6.nd.ra.router_lifetime", "icmpv6.opt.prefix", "icmpv6.opt.mtu")
    fields += ("icmpv6.opt.rdnss", "icmpv6.opt.dnssl", "icmpv6.opt.route_lifetime", "icmpv6.opt.type", "ipv6.hlim")
    path = str(written(tmp_path, *FLAGS, "--pvd", "x.example"))
    words = ["tshark", "-r", path, "-T", "fields", "-E", "separator=|", *(w for one in fields for w in ("-e", one))]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, "HOME": str(tmp_path)})
    said = dict(zip(fields, done.stdout.rstrip("\n").split("|"), strict=True))
    assert said == {
        "icmpv6.checksum.status": "1",
        "icmpv6.nd.ra.router_lifetime": "600",
        "icmpv6.opt.prefix": "2001:db8:1::,2001:db8:a::",
        "icmpv6.opt.mtu": "1400",
        "icmpv6.opt.rdnss": "2001:db8::53",
        "icmpv6.opt.dnssl": "example.org",
        "icmpv6.opt.route_lifetime": "60",
        "icmpv6.opt.type": "1,3,24,25,31,5,38,37,144,21",
        "ipv6.hlim": "255",
    }


# --- the announcers' configurations (prior_art 3.5) ----------------------------------------------------------

NAMES = sorted(path.stem for path in AR.glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_the_captures_are_those_of_the_descriptions(name: str, tmp_path: Path) -> None:
    again = written(tmp_path, str(AR / f"{name}.toml"), "--count", "2")
    assert again.read_bytes() == (AR / f"{name}.pcapng").read_bytes()
    assert tomllib.loads((AR / f"{name}.toml").read_text())["about"]


def folded(name: str, **policy: Any) -> State:
    return rerun([str(AR / f"{name}.pcapng")], policy=policy).state


def keys(state: State, id: str, kind: str, link: str = "eth0") -> list[str]:
    return [held.key for _, held in items(state, id, (link, 1, "")) if held.kind == kind]


def held(state: State, id: str, key: str, link: str = "eth0") -> Any:
    (one,) = [held for _, held in items(state, id, (link, 1, "")) if held.key == key]
    return one


CLASSIC = "ra:eth0/1/fe80::1"


@pytest.mark.covers("rfc:P64")
def test_a_pvd_for_those_that_know_pvds_has_a_header_of_its_own_and_one_for_all_has_none() -> None:
    lifetimes = {}
    for audience, outer, inner in (("aware only", 0, {"header": {"lifetime_s": 1800}}), ("both", 1800, {})):
        row = {"type": "pvd", "name": "x.example.", **inner}
        plan = described(
            {"ra": [{"router": "fe80::1", "link": "e0", "header": {"lifetime_s": outer}, "options": [row]}]}
        )
        octets = option(plan.round[0].ra.options[0])
        assert (octets[2] >> 5 & 1, len(octets)) == ((1, 40) if inner else (0, 24)), "R, and 16 octets more"
        assert not inner or octets[24] == 134
        event = heard(Frame(0, "e0", ETHERNET, frame(plan.round[0].ra)))
        assert event is not None
        for aware in (True, False):
            told = Story(aware=aware).hear(event)
            lifetimes[audience, aware] = [told.ends(id, "router", "fe80::1") for id in told.alive()]
    assert lifetimes["both", True] == lifetimes["both", False] == [1800]
    assert lifetimes["aware only", True] == [1800] and lifetimes["aware only", False] == []


@pytest.mark.covers("acc:AR1")
def test_ar1_inside_and_outside_are_the_explicit_pvds_and_a_classic_host_sees_the_outside_only() -> None:
    aware, classic = folded("AR1"), folded("AR1", aware=False)
    id = "fqdn:ar1.example."
    assert list(aware.pvds) == [id] and list(classic.pvds) == [CLASSIC]
    inner = ["2001:db8:11::/64", "2001:db8:12::/64"]
    outer = ["2001:db8:1::/64", "2001:db8:2::/64"]
    assert sorted(keys(aware, id, "prefix")) == sorted(inner + outer)
    assert len(keys(aware, id, "route")) == 3
    assert keys(aware, id, "search") == ["one.example.", "two.example.", "three.example.", "four.example."]
    assert keys(aware, id, "dns") == ["2001:db8:11::53", "2001:db8:12::53"]
    assert held(aware, id, "fe80::1").value == ("high",)
    assert sorted(keys(classic, CLASSIC, "prefix")) == outer
    assert held(classic, CLASSIC, "fe80::1").lifetime_s == 600
    assert [keys(classic, CLASSIC, kind) for kind in ("route", "dns", "search")] == [[], [], []]
    event = next(one.event for one in aware.speakers["eth0", "fe80::1"])
    (option_,) = [one for one in event.options if isinstance(one, PvdOption)]
    assert len(option_.options) == 9 and len(event.options) == 3, "read apart"


@pytest.mark.covers("acc:AR2")
def test_ar2_infinity_never_ends_and_a_prefix_without_a_makes_no_address() -> None:
    aware = folded("AR2")
    id = "fqdn:ar2.example."
    assert held(aware, id, "2001:db8:1::/64").lifetime_s is None
    assert held(aware, id, "2001:db8:2::/64").lifetime_s == 10_000
    third = held(aware, id, "2001:db8:3::/64")
    assert third.value[:2] == (False, False)
    end = advance(aware, aware.now + 10 * 365 * 86_400 * 10**9)
    assert keys(end, id, "prefix") == ["2001:db8:1::/64"]


@pytest.mark.covers("acc:AR3")
def test_ar3_without_a_header_inside_the_outer_one_counts() -> None:
    aware = folded("AR3")
    id = "fqdn:ar3.example."
    assert list(aware.pvds) == [id]
    router = held(aware, id, "fe80::1")
    assert (router.value, router.lifetime_s) == (("low",), 1200)
    routes = {one.value[0]: one.value[2] for _, one in items(aware, id, ("eth0", 1, "")) if one.kind == "route"}
    assert routes == {"2001:db8:a::/48": "high", "2001:db8:b::/48": "low"}


@pytest.mark.covers("acc:AR4")
def test_ar4_two_routers_two_pvds_on_one_link_nothing_shared() -> None:
    aware, classic = folded("AR4"), folded("AR4", aware=False)
    assert sorted(aware.pvds) == ["fqdn:pvd1.example.", "fqdn:pvd2.example."]
    for number, word in ((1, "one"), (2, "two")):
        id = f"fqdn:pvd{number}.example."
        assert keys(aware, id, "prefix") == [f"2001:db8:{number}::/64"]
        assert keys(aware, id, "dns") == [f"2001:db8:{number}::53"]
        assert keys(aware, id, "search") == [f"{word}.example."]
        assert len(keys(aware, id, "route")) == 1
    assert not classic.pvds, "all of it is inside"


@pytest.mark.covers("acc:AR5")
def test_ar5_two_explicit_and_one_implicit_and_for_a_classic_host_three_implicit() -> None:
    aware, classic = folded("AR5"), folded("AR5", aware=False)
    assert sorted(aware.pvds) == ["fqdn:pvd0.example.", "fqdn:pvd1.example.", "ra:eth0/1/fe80::12"]
    assert sorted(keys(aware, "fqdn:pvd0.example.", "prefix")) == ["2001:db8:1010::/64", "2001:db8:10::/64"]
    assert held(aware, "fqdn:pvd1.example.", "fe80::11").value == ("low",), "the header inside wins"
    assert sorted(classic.pvds) == [f"ra:eth0/1/fe80::{router}" for router in (10, 11, 12)]
    assert held(classic, "ra:eth0/1/fe80::11", "fe80::11").value == ("high",)
    assert keys(classic, "ra:eth0/1/fe80::10", "prefix") == ["2001:db8:10::/64"]


@pytest.mark.covers("acc:AR6")
def test_ar6_one_id_on_two_links_and_what_is_inside_wins_over_the_same_prefix_outside() -> None:
    aware, classic = folded("AR6"), folded("AR6", aware=False)
    id = "fqdn:test1.example."
    assert [cell[0] for cell, _ in aware.pvds[id].instances] == ["cable0", "wifi0"]
    for link, router in (("wifi0", 1), ("cable0", 2)):
        assert held(aware, id, "2001:db8:1000::/64", link).preferred_s == 0, "deprecated"
        assert held(aware, id, "2001:db8:1001::/64", link).preferred_s == 14_400, "preferred"
        assert held(classic, f"ra:{link}/1/fe80::{router}", "2001:db8:1000::/64", link).preferred_s == 14_400
        assert keys(classic, f"ra:{link}/1/fe80::{router}", "prefix", link) == ["2001:db8:1000::/64"]
    assert held(aware, "fqdn:test2.example.", "2001:db8:2000::/64", "cable1").preferred_s == 14_400
    assert held(classic, "ra:cable1/1/fe80::3", "2001:db8:2000::/64", "cable1").preferred_s == 0


@pytest.mark.covers("acc:AR7")
def test_ar7_two_containers_are_two_pvds_and_without_the_legacy_decoder_they_are_kept_and_mean_nothing() -> None:
    uuids = [f"uuid:f037ea62-ee4f-44e4-825c-16f2f5cc9b3{last}" for last in "ef"]
    aware, off = folded("AR7"), folded("AR7", mif=False)
    assert sorted(aware.pvds) == [CLASSIC, *uuids]
    assert keys(aware, uuids[1], "prefix") == ["2001:db8:1:2::/64"]
    assert keys(aware, uuids[0], "search") == ["voice.example."]
    assert list(off.pvds) == [CLASSIC]
    assert keys(off, CLASSIC, "prefix") == keys(aware, CLASSIC, "prefix") == ["2001:db8:1:1::/64"]
    (origin,) = off.speakers["eth0", "fe80::1"]
    assert sum(isinstance(one, MifContainer) for one in origin.event.options) == 2, "kept with all they say"
    assert all(option(one) for one in origin.event.options)
