"""pvd.conf: what is understood, and the one line that says what is not, where, and what to type instead."""

from pathlib import Path

import pytest

from adapters.running.config import POLICY, TABLES, Config, ConfigError, LinkRule, listen_address, parse, read
from events.operator import PropertyRule
from pvdcore.policy import KNOBS

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "docs" / "pvd.conf.example"


def test_the_example_in_the_docs_is_understood() -> None:
    made = read(str(EXAMPLE))
    assert made.metrics == "127.0.0.1:9465" and made.policy == {"soft_lifetime_s": 3600}
    assert made.journal == Config().journal and made.control == Config().control
    assert made.link == (
        LinkRule("lab*", hear=False),
        LinkRule("eth*", projection="netns"),
        LinkRule("wlan*", projection="tables"),
    )
    assert made.properties[0] == PropertyRule({"access": "wired", "free": True}, prefix="2001:db8:1::/48")
    assert made.properties[3].values == {"type": "iptv", "cost": 2}


def test_each_key_of_the_grammar_stands_in_the_example() -> None:
    text = EXAMPLE.read_text()
    for table, keys in TABLES.items():
        if keys is not POLICY:
            assert table in text
            for key in keys:
                assert key.name in text, f"{key.name} of {table or 'the top'}"


def test_each_knob_but_the_projection_is_a_key_of_policy() -> None:
    assert {key.name for key in POLICY} == {knob.name for knob in KNOBS} - {"projection"}
    for key in POLICY:
        parse(f"[policy]\n{key.name} = {key.example}\n".encode(), "c")


def test_the_first_rule_that_matches_a_link_counts_and_the_default_is_for_the_rest() -> None:
    made = parse(b'projection = "tables"\n[[link]]\nmatch = "eth1"\nhear = false\n[[link]]\nmatch = "eth*"\n', "c")
    assert not made.rule("eth1").hear and made.rule("eth1").projection == "none"
    assert made.rule("eth2") == LinkRule("eth*", projection="tables")
    assert made.rule("wlan0").projection == "tables"
    assert Config().rule("eth0") == LinkRule("*", projection="none")


WRONG = {
    b'projecton = "none"': "c:1: unknown key projecton; did you mean projection?",
    b"\n\nxyzzy = 1": "c:3: unknown key xyzzy; there are: control, journal, level, link, log, metrics, policy,"
    " projection, properties",
    b'# one\n[[link]]\nmatch = "e*"\nsolict = true': "c:4: unknown key solict; did you mean solicit?",
    b'[[link]]\nmatch = "a"\n[[link]]\nmatch = "b"\nprojection = "netsn"': "c:5: projection is not"
    ' "netsn"; did you mean "netns"?',
    b'projection = "x"': 'c:1: projection is not "x"; write one of none, netns, tables',
    b'[[link]]\nmatch = "e*"\nhear = "yes"': "c:3: hear is true or false; write hear = true",
    b"[[link]]\nhear = true": '[[link]] without match; add match = "eth*"',
    b'[[link]]\nmatch = "e"\nhear = false\nprojection = "netns"': "c:3: hear = false and a projection;",
    b'[[properties]]\npvd = "*"': "c:1: [[properties]] that says nothing; add set = { internet = true }",
    b"[[properties]]\nset = { a = 1 }": 'c:1: [[properties]] of no PvD; add pvd = "*" for all, or prefix or link',
    b'[[properties]]\npvd = "*"\nset = { a = [1] }': "c:3: property a is true, false, a number or text; write a = true",
    b'[[properties]]\npvd = "*"\n[properties.set]\nb = 1\na = 2020-01-01': "c:3: property a is true, false",
    b"[policy]\nawre = true": "c:2: unknown policy awre; did you mean aware?",
    b'[policy]\naware = "on"': "c:2: policy aware has a value of another kind; write aware = true",
    b'[policy]\nfallback = "links"': "c:2: policy fallback is one of link, protocol, not 'links'; write fallback",
    b'[policy]\nprojection = "netns"': 'c:2: unknown policy projection; write projection = "netns" above',
    b"link = 5": "c:1: link is written [[link]]; write [[link]]",
    b"link = [1]": "c:1: link is a list of tables; write [[link]] and its keys below",
    b'metrics = "9465"': "c:1: metrics is not '9465'; write \"127.0.0.1:9465\"",
    b"journal = \nx": "c:1: no TOML (invalid value); write lines such as",
    b'a = "': "c:1: no TOML",
    b"\n\xff": "c:2: octets that are no UTF-8; save the file as UTF-8",
    b"[" * 100_000: "c:1: no",
    b"#" * ((1 << 20) + 1): "at most 1048576 are read",
    b'journal = """\nx = 1\n"""\nleval = "info"': "c:4: unknown key leval; did you mean level?",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:30].decode("latin1"))
def test_what_is_not_understood_is_refused_with_its_line_and_what_to_type(text: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "c")
    (line,) = caught.value.problems
    assert WRONG[text] in line
    assert "\n" not in line and "; " in line


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_file() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(b'[[link]]\nmatch = 5\n[policy]\nx = 1\n[[properties]]\npvd = ""\nset = {}\ny = 2\n', "c")
    assert [line.split(": ")[0] for line in caught.value.problems] == ["c:2", "c:4", "c:5", "c:8"]


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere: No such file or directory; name a readable file with --config"):
        read(str(tmp_path / "nowhere"))


def test_where_metrics_are_served() -> None:
    assert listen_address("127.0.0.1:9465") == ("127.0.0.1", 9465)
    assert listen_address("[::1]:1") == ("::1", 1)
    assert [listen_address(one) for one in ("", "::1:80", "h:0", "h:65536", "h:", ":1", "h:١")] == [None] * 7
