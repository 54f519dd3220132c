"""The state document: field by field as it is promised, from States made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from immutables import Map

import replay.shown.report as report
import replay.shown.schema as schema
import replay.shown.text as text
from events.ids import NEVER, SECOND
from events.operator import Settings
from events.pvdinfo import AdditionalInformation
from events.router import RaHeader, RouterAdvertised
from pvdcore.domains import view
from pvdcore.domains.inquiry import Inquiry, Object
from pvdcore.past.audit import state_at
from pvdcore.reduce import advance
from pvdcore.state import Connection, Finding, Grant, Held, Instance, Link, Origin, Pvd, Rejected, State
from replay.rerun import rerun
from replay.shown.tables import Printer, escape, escape_json
from tests.sim.build import Story, pio, ra

ROOT = Path(__file__).resolve().parent.parent.parent
AT = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z
NAME = "fqdn:provider-a.example."


def origin(speaker: str, *held: Held, heard_at: int = AT, because: int = 7, **more: Any) -> Origin:
    header = more.pop("header", RaHeader(600))
    said = RouterAdvertised(link="eth0", router=speaker, header=header)
    return Origin(NAME, "eth0", 1, speaker, said, header, heard_at, because, 3, held, **more)


def state(*origins: Origin, grants: tuple[Grant, ...] = (), now: int = AT + 10 * SECOND, **more: Any) -> State:
    speakers = {("eth0", one.speaker): (one,) for one in origins}
    granted = {(one.link, one.host, one.rule, one.subject): one for one in grants}
    keys = tuple((one.host, one.rule, one.subject) for one in grants)
    shared = Instance("eth0", 1, "", "announced", AT, 4, origins=tuple(one.speaker for one in origins), grants=keys)
    instances = more.pop("instances", ((("eth0", 1, ""), shared),))
    body = more.pop("info", None)
    if body is not None:
        held = Object(AdditionalInformation("x", NEVER, ()), body, "d1", AT, NEVER, 8)
        more["inquiries"] = Map({(NAME, "eth0", 1): Inquiry(True, 5, 0, held=held)})
    pvd = Pvd(
        NAME, "provider-a.example.", "explicit", "ra", AT, versions=2, cells=Map(instances), **more.pop("pvd", {})
    )
    return State(
        seq=9,
        now=now,
        speakers=Map(speakers),
        grants=Map(granted),
        pvds=Map({NAME: pvd, **more.pop("pvds", {})}),
        **more,
    )


def document(made: State, **how: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(report.to_json(report.state_document(made, **how)))
    return found


@pytest.mark.covers("feat:Q2")
def test_each_item_stands_where_the_contract_says() -> None:
    header = RaHeader(600, managed=True)
    router = origin(
        "fe80::1",
        Held("router", "fe80::1", ("high",), 600, 3),
        Held("prefix", "2001:db8:a::/64", (True, False, True), None, 3, preferred_s=1800),
        Held("route", "2001:db8:aa::/48 via fe80::1", ("2001:db8:aa::/48", "fe80::1", "low"), 900, 3),
        Held("route", "2001:db8:ab::/48", ("2001:db8:ab::/48", None, "medium"), 900, 3),
        Held("encrypted_dns", "1 dot.example.", (1, "dot.example.", ("2001:db8::1",), ((3, "0355"),)), 900, 3),
        Held("mtu", "mtu", (1400,), None, 3, fixed=True),
        Held("captive_portal", "uri", ("https://portal.example/",), None, 3, fixed=True),
        Held("hop_limit", "hop_limit", (64,), None, 3, fixed=True),
        Held("life", "life", (), 1800, 3),
        header=header,
        http=True,
        sequence=5,
    )
    lease = Grant(
        "dhcp4",
        "eth0",
        1,
        "",
        "192.0.2.10",
        "192.0.2.1",
        AT + SECOND,  # the answer came a second after it was asked for: lifetimes count from the asking
        AT,
        8,
        8,
        (
            Held("address", "192.0.2.10/24", ("dhcp4",), 3600, 8),
            Held("lease", "dhcp4", ("dhcp4", "192.0.2.1", 1800, None), 3600, 8),
            Held("ntp", "192.0.2.5", (), 3600, 8),
            Held("prefix_delegated", "2001:db8:d::/56", (None,), None, 8, preferred_s=60),
        ),
    )
    found = document(state(router, grants=(lease,), pvd={"http": True, "sequence": 5}, info='{"identifier": "x"}'))
    assert (found["schema_version"], found["at"]) == (1, "2026-01-01T00:00:10.000000000Z")
    (pvd,) = found["pvds"]
    cell = pvd.pop("instances")[0]
    assert pvd == {
        "id": NAME,
        "name": "provider-a.example.",
        "kind": "explicit",
        "source": "ra",
        "phase": "announced",
        "sequence": 5,
        "http": True,
        "legacy": False,
        "delay": 0,
        "trust": "none",
        "first_seen": "2026-01-01T00:00:00.000000000Z",
        "last_seen": "2026-01-01T00:00:01.000000000Z",
        "ended": None,
        "versions": 6,  # two of instances that ended, four of the one that lives
        "info": {"identifier": "x"},
        "properties": {},
        "uid": "",
    }
    ten = "2026-01-01T00:10:00.000000000Z"
    quarter, hour = "2026-01-01T00:15:00.000000000Z", "2026-01-01T01:00:00.000000000Z"
    assert cell == {
        "link": "eth0",
        "epoch": 1,
        "host": None,
        "phase": "announced",
        "trust": "none",
        "managed": True,
        "other_config": False,
        "routers": [{"address": "fe80::1", "lifetime_s": 600, "preference": "high", "until": ten, "because": 7}],
        "prefixes": [
            {
                "prefix": "2001:db8:a::/64",
                "on_link": True,
                "autonomous": False,
                "valid_s": None,
                "preferred_s": 1800,
                "until": None,
                "because": 7,
                "pd_preferred": True,
            }
        ],
        "addresses": [{"address": "192.0.2.10/24", "origin": "dhcp4", "until": hour, "because": 8}],
        "routes": [
            {"destination": "2001:db8:aa::/48", "via": "fe80::1", "preference": "low", "until": quarter, "because": 7},
            {"destination": "2001:db8:ab::/48", "via": None, "preference": "medium", "until": quarter, "because": 7},
        ],
        "dns": [],
        "search": [],
        "encrypted_dns": [
            {
                "priority": 1,
                "adn": "dot.example.",
                "addresses": ["2001:db8::1"],
                "params": [{"key": 3, "value": "0355"}],
                "until": quarter,
                "because": 7,
            }
        ],
        "pref64": [],
        "mtu": {"mtu": 1400, "because": 7},
        "captive_portal": {"uri": "https://portal.example/", "because": 7},
        "hop_limit": 64,
        "leases": [
            {
                "protocol": "dhcp4",
                "server": "192.0.2.1",
                "t1": "2026-01-01T00:30:00.000000000Z",
                "t2": None,
                "until": hour,
                "because": 8,
            }
        ],
        "placed_in": None,
        "delegated": [
            {
                "prefix": "2001:db8:d::/56",
                "excluded": None,
                "valid_s": None,
                "preferred_s": 60,
                "until": None,
                "because": 8,
            }
        ],
        "ntp": [{"address": "192.0.2.5", "until": hour, "because": 8}],
        "dns_rules": [],
        "overrides": [],
        "versions": 4,
        "sequence": 5,
        "http": True,
        "legacy": False,
        "delay": 0,
        "info": {"identifier": "x"},
        "retrieval": {
            "wanted": None,
            "not_before": None,
            "because": None,
            "asking": False,
            "barred": None,
            "dropped": None,
            "until": None,
            "failures": 0,
        },
        "vpn": None,
    }


@pytest.mark.covers("rfc:D05")
def test_resolvers_stand_in_order_of_use_and_all_else_by_key() -> None:
    router = origin(
        "fe80::1",
        Held("dns", "2001:db8::b", (), 600, 3, 1),
        Held("dns", "2001:db8::a", (), 600, 3, 2),
        Held("dns", "2001:db8::c", (), 600, 5, 1),  # said later: before the others
        Held("router", "fe80::9", ("medium",), 600, 9),
        Held("router", "fe80::1", ("medium",), 600, 3),
        Held("pref64", "2001:db8:64::/96", (), 600, 3, 1),
        Held("pref64", "64:ff9b::/96", (), 600, 3, 2),
    )
    lease = Grant("dhcp4", "eth0", 1, "", "x", "s", AT, AT, 2, 2, (Held("dns", "192.0.2.53", (), 600, 2),))
    cell = document(state(router, grants=(lease,)))["pvds"][0]["instances"][0]
    assert [one["address"] for one in cell["dns"]] == ["192.0.2.53", "2001:db8::c", "2001:db8::b", "2001:db8::a"]
    assert [one["address"] for one in cell["routers"]] == ["fe80::1", "fe80::9"]
    assert [one["prefix"] for one in cell["pref64"]] == ["2001:db8:64::/96", "64:ff9b::/96"]


def test_of_two_speakers_of_one_thing_the_one_heard_last_is_shown() -> None:
    said = Held("dns", "2001:db8::53", (), 600, 3)
    first, second = origin("fe80::1", said, because=4), origin("fe80::2", said, heard_at=AT + SECOND, because=5)
    for made in (state(first, second), state(second, first)):
        (row,) = document(made)["pvds"][0]["instances"][0]["dns"]
        assert row == {"address": "2001:db8::53", "until": "2026-01-01T00:10:01.000000000Z", "because": 5}
        assert view.last_seen(made, NAME) == AT + SECOND
    stranger = origin("fe80::3", Held("dns", "2001:db8::99", (), 600, 3))
    elsewhere = state(first, second)
    elsewhere = State(now=AT, pvds=elsewhere.pvds, speakers=elsewhere.speakers.set(("eth0", "fe80::3"), (stranger,)))
    assert "2001:db8::99" not in json.dumps(document(elsewhere)), "not a member of this instance"


@pytest.mark.covers("feat:O1")
def test_a_pvd_that_is_gone_stays_without_instances() -> None:
    made = state(instances=(), pvd={"phase": "gone", "ended": AT, "last_seen": AT})
    (pvd,) = document(made)["pvds"]
    assert (pvd["phase"], pvd["ended"], pvd["instances"]) == ("gone", "2026-01-01T00:00:00.000000000Z", [])
    assert document(made, gone=False)["pvds"] == []


def test_the_rest_of_the_document() -> None:
    made = state(
        links=Map(
            {"eth0": Link("eth0", "netns:1:2:1", "ethernet", AT, mac="02:00:00:00:00:01", mtu=1500, pvds=(NAME,))}
        ),
        settings=Map({"home": Settings("home", "toml", "a.toml:1", {"b": 1, "a": ["x"]})}),
        connections=Map({"c1": Connection("c1", "home", "eth0", "operator", AT, 2, AT + SECOND, "replaced")}),
        findings=Map({("twice", "eth0", NAME): Finding("twice", "said twice", NAME, "eth0", 4, 2)}),
        rejected=Map({"hop-limit": Rejected("hop-limit", 3, 5)}),
    )
    found = document(made)
    profile = {"id": "home", "source": "toml", "origin": "a.toml:1", "values": {"a": ["x"], "b": 1}}
    profile |= {"lines": {}, "notes": [], "because": None, "connections": [], "reached": []}
    assert found["settings"] == [profile]
    assert found["connections"][0]["closed"] == "2026-01-01T00:00:01.000000000Z"
    assert found["links"][0]["pvds"] == [NAME] and found["links"][0]["gone"] is None
    row = {"code": "twice", "text": "said twice", "pvd": NAME, "because": 4, "link": "eth0", "count": 2}
    row["severity"] = "notice"
    assert found["findings"] == [row]
    assert found["rejected"] == [{"rule": "hop-limit", "count": 3, "first": 5}]


def test_one_hosts_instances_only() -> None:
    cells = tuple((("eth0", 1, host), Instance("eth0", 1, host, "announced", AT)) for host in ("", "02:aa", "02:bb"))
    other = Pvd("ra:eth0/1/fe80::1", "x", "implicit", "ra", AT, cells=Map(cells[:1]))
    made = state(instances=cells, pvds={other.id: other})
    assert len(document(made)["pvds"]) == 2
    (pvd,) = document(made, host="02:aa")["pvds"]
    assert [one["host"] for one in pvd["instances"]] == ["02:aa"]


@pytest.mark.parametrize("info", [None, "[1]", "{", '"text"'])
def test_information_that_is_no_object_is_null(info: str | None) -> None:
    assert document(state(origin("fe80::1", http=True, sequence=5), info=info))["pvds"][0]["info"] is None


def test_items_of_history_have_their_fields_by_name() -> None:
    assert report.thing(("route", "k", ("2001:db8::/48", None, "low"))) == {
        "kind": "route",
        "destination": "2001:db8::/48",
        "via": None,
        "preference": "low",
    }
    assert report.thing(("dns", "2001:db8::53", ())) == {"kind": "dns", "address": "2001:db8::53"}
    flags = report.thing(("flags", "fe80::1", (True, False, True, False, 3, 5)))
    assert (flags["router"], flags["managed"], flags["sequence"]) == ("fe80::1", True, 5)
    assert report.thing(("dns", "order", ("b", "a"))) == {"kind": "dns", "order": ["b", "a"]}
    later = report.thing(("of-a-later-program", "key", (1, "x")))
    assert later == {"kind": "of-a-later-program", "key": "key", "value": [1, "x"]}


# --- escaping ------------------------------------------------------------------------------------------------

HOSTILE = "a\x1b]0;owned\x07\n\x7f\x9b\u202eb\U0001f600"


@pytest.mark.covers("rfc:A15")
def test_nothing_from_the_wire_reaches_a_terminal_raw() -> None:
    said: list[str] = []
    out = Printer(said.append, colour=False, legend=True)
    out.table(("NAME", "X"), [(HOSTILE, "")])
    out.line(HOSTILE)
    text = "".join(said)
    assert all(char == "\n" or " " <= char <= "~" for char in text)
    assert text.count("\n") == 3 and "\\x1b]0;owned\\x07\\x0a\\x7f\\x9b\\u202eb\\U0001f600" in text
    assert escape("provider-a.example.") == "provider-a.example."


def test_json_is_ascii_and_says_the_same() -> None:
    text = report.to_json({"name": HOSTILE})
    assert text.isascii() and "\x1b" not in text and "\x7f" not in text
    assert json.loads(text) == {"name": HOSTILE}
    assert escape_json('{"a": 1}\n') == '{"a": 1}\n'


def test_a_table_is_aligned_and_a_dash_is_nothing() -> None:
    said: list[str] = []
    Printer(said.append, colour=False, legend=True).table(("PVD", "PHASE"), [("a", "gone"), ("long-name", None)])
    assert said == ["PVD        PHASE\n", "a          gone\n", "long-name  -\n"]
    said.clear()
    Printer(said.append, colour=True, legend=False).table(("PVD", "PHASE"), [("a", "gone")])
    assert said == ["a  \x1b[2mgone\x1b[0m\n"]


# --- schema --------------------------------------------------------------------------------------------------


@pytest.mark.covers("feat:Q2")
def test_the_schemas_in_the_docs_are_those_of_the_structs() -> None:
    folder = ROOT / "docs" / "schema"
    assert sorted(path.stem for path in folder.glob("*.json")) == schema.kinds()
    for kind in schema.kinds():
        told = f"write it anew: pvdctl schema {kind} > docs/schema/{kind}.json"
        assert (folder / f"{kind}.json").read_text() == schema.text(kind), told


def test_earlier_visits_are_told_in_words_and_in_the_document() -> None:
    said = ra("fe80::1", pio("2001:db8:1::/64"), mac="02:00:00:00:01:01")
    told = Story().hear(said).at(60).detach().attach().at(120).hear(said)
    made = report.state_document(told.state)
    (like,) = made.visits[1].earlier
    assert (like.epoch, like.confidence, [one.kind for one in like.shared]) == (1, "high", ["prefix", "router"])
    assert made.visits[0].earlier == [] and made.visits[0].ended is not None
    printed: list[str] = []
    text.status(Printer(printed.append, colour=False, legend=True), made, utc=True)
    last = printed[-1]
    assert last.startswith("e0, attachment 2: like e0, attachment 1 (22:13:20.000 to 22:14:20.000), high confidence ")
    assert last.endswith("by prefix 2001:db8:1::/64, router fe80::1 02:00:00:00:01:01\n")
    alone: list[str] = []
    text.visits(Printer(alone.append, colour=False, legend=True), made.visits[:1], utc=True)
    assert alone == []


@pytest.mark.parametrize("capture", sorted(ROOT.glob("tests/captures/*.pcap*")), ids=lambda path: path.name)
def test_a_line_says_what_the_document_says(capture: Path) -> None:
    """At several instants, for all and for each host: lines are read from versions, the document from what is held."""
    journal = rerun([str(capture)]).journal
    last = journal.last_seq()
    for seq in sorted({max(1, last * part // 6) for part in range(1, 7)}):
        for later in (0, 100 * SECOND, 40_000 * SECOND):
            made = state_at(journal, seq=seq)
            made = advance(made, made.now + later)
            for host in (None, *sorted({cell[2] for pvd in made.pvds.values() for cell in pvd.cells})[:4]):
                for gone in (True, False):
                    whole = report.state_document(made, host=host, gone=gone)
                    lines = report.pvd_lines(made, only=lambda pvd: True, host=host, gone=gone)
                    assert lines == text.pvd_lines(whole)
