"""`pvdctl explain`: what a finding or a refusal means, and what to change.

Law: every sentence is taken from the tables that the code itself uses (pvdcore/checks/findings.py,
adapters/wire/rules.py); docs/findings.md and docs/policies.md are made of the same rows, and a test compares.
"""

from collections.abc import Sequence
from typing import Final

from adapters.wire.pvdinfo import REFUSALS
from adapters.wire.rules import DHCP_REASONS, NOTES, REASONS, RULES
from pvdcore.checks.findings import CATALOGUE
from pvdcore.judgements import JUDGEMENTS
from pvdcore.policy import KNOBS, Knob
from pvdcore.routers.bounds import BOUNDS
from replay.shown.report import ExplainRow
from replay.shown.tables import Printer

WHOLE: Final = "The whole message was refused: nothing in it has any effect."
OPTION: Final = "This one option was ignored; the rest of the message holds."
UNUSED: Final = "The object was ignored whole; except for `expired`, nobody asks again during the attachment."
NOTED: Final = "Only noted: the message holds whole."

KINDS: Final = {
    "finding": "Findings",
    "rejected": "Refused messages",
    "ignored": "Ignored options",
    "noted": "Notes",
    "information": "Additional information that is not used",
    "policy": "Policies",
    "judgement": "Judgements that no policy changes",
}
"""What a code is of, in the order of the list -> its heading."""

REFUSED: Final = {
    "udp-checksum": "The UDP checksum is wrong, and policy udp_checksum is `reject`.",
    "rate": "More RAs of unknown routers than policies bucket_frames and bucket_rate let in; live only.",
    **{rule: bound.says for rule, bound in BOUNDS.items()},
}
"""Rules that no wire reader has: those of the fold and of the live input."""


def rows() -> list[ExplainRow]:
    """All that can be explained, by heading and code."""
    found = [
        ExplainRow(one.code, "finding", one.severity, one.sentence, one.meaning, one.change, one.source)
        for one in CATALOGUE
    ]
    found += _table("rejected", RULES | REFUSED, WHOLE)
    found += _table("ignored", DHCP_REASONS | REASONS, OPTION)
    found += _table("noted", NOTES, NOTED)
    found += _table("information", REFUSALS, UNUSED)
    found += [ExplainRow(one.name, "policy", None, one.doc, _may_be(one), _set(one), _rows(one.rows)) for one in KNOBS]
    found += [ExplainRow(one.name, "judgement", None, one.choice, one.why, None, _rows(one.rows)) for one in JUDGEMENTS]
    order = list(KINDS)
    return sorted(found, key=lambda one: (order.index(one.of), one.code))


def _may_be(knob: Knob) -> str:
    """What a knob is unless somebody turns it, and what it may be."""
    default = str(knob.default) or "empty"
    if isinstance(knob.default, bool):
        default = "on" if knob.default else "off"
    kinds = {bool: "on or off", int: "a whole number", str: "text"}
    return f"{default} by default; {' or '.join(knob.choices) or kinds[type(knob.default)]}"


def _set(knob: Knob) -> str:
    where = "projection of [[link]]" if knob.name == "projection" else f"{knob.name} under [policy]"
    return f"{where} in pvd.conf; for a replay --set {knob.name}=VALUE"


def _rows(rows: Sequence[str]) -> str:
    return "rows " + ", ".join(rows)


def _table(of: str, table: dict[str, str], meaning: str) -> list[ExplainRow]:
    return [ExplainRow(code, of, None, text, meaning, None, None) for code, text in table.items()]


def words(out: Printer, found: Sequence[ExplainRow]) -> None:
    """One code, or the few that have the same name, in full."""
    for number, one in enumerate(found):
        if number:
            out.line()
        out.coloured(f"{one.code}  ({', '.join(part for part in (one.of, one.severity) if part)})", "title")
        for name, text in (("says", one.text), ("means", one.meaning), ("change", one.change), ("source", one.source)):
            if text:
                out.line(f"  {name:<7} {_ascii(text)}")


def table(out: Printer, found: Sequence[ExplainRow]) -> None:
    """All codes, one line each."""
    out.table(("CODE", "OF", "SEVERITY", "TEXT"), [(one.code, one.of, one.severity, _ascii(one.text)) for one in found])


def _ascii(text: str) -> str:
    """A terminal gets ASCII only (replay/shown/tables.py)."""
    return text.replace("§", "section ")


def markdown() -> str:
    """docs/findings.md."""
    said = [
        "# Findings, refusals and notes",
        "",
        "Made from the tables in `pvdcore/checks/findings.py` and `adapters/wire/rules.py`; `PVD_REWRITE=1` with",
        "`tests/replay/test_explain.py` writes this file anew. `pvdctl explain CODE` says the same.",
        "",
        "`error`: a standard forbids it, and hosts lose something by it. `warning`: hosts will differ in what they do,",
        "or something is short of working. `notice`: allowed, and good to know. Words in braces are filled in.",
    ]
    found = rows()
    for of, heading in KINDS.items():
        if of in ("policy", "judgement"):
            continue
        said += ["", f"## {heading}", ""]
        if of == "finding":
            said += ["| code | severity | says | means | change | source |", "|---|---|---|---|---|---|"]
        else:
            said += [next(one.meaning for one in found if one.of == of), "", "| code | what is wrong |", "|---|---|"]
        for one in found:
            if one.of == of == "finding":
                cells = [f"`{one.code}`", one.severity, one.text, one.meaning, one.change, one.source]
                said.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
            elif one.of == of:
                said.append(f"| `{one.code}` | {_cell(one.text)} |")
    return "\n".join(said) + "\n"


def policies() -> str:
    """docs/policies.md."""
    said = [
        "# Policies and judgements",
        "",
        "Where a standard leaves the choice open, what was chosen is named here. Made from the tables in",
        "`pvdcore/policy.py` and `pvdcore/judgements.py`; `PVD_REWRITE=1` with `tests/replay/test_explain.py` writes",
        "this file anew. Rows are those of `docs/conformance.json`, which names the tests of each.",
        "",
        "A knob's value arrives in a record, so a replay knows what was in force: `[policy]` in pvd.conf, `--set",
        "NAME=VALUE` or `--policy FILE` for a replay. Bounds of the decoders are constants: a journal says",
        "what stood on the wire, whatever the policy.",
        "",
        "## Policies",
        "",
        "| name | what it does | default | rows |",
        "|---|---|---|---|",
    ]
    said += [f"| `{one.name}` | {_cell(one.doc)} | {_may_be(one)} | {', '.join(one.rows)} |" for one in KNOBS]
    said += ["", f"## {KINDS['judgement']}", "", "| name | what was chosen | why | rows |", "|---|---|---|---|"]
    said += [f"| `{one.name}` | {one.choice} | {one.why} | {', '.join(one.rows)} |" for one in JUDGEMENTS]
    return "\n".join(said) + "\n"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")
