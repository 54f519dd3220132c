"""The daemon's configuration, pvd.conf: one TOML file, read whole or not at all.

Law: what is not understood is refused, never passed over: one line each, `FILE:LINE: what is wrong; what to type`.
The tables below are the grammar, the manual page pvd.conf(5) and what `pvdd --check` knows.
"""

import re
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from events.ids import LinkId
from events.operator import PropertyRule
from pvdcore.policy import KNOBS, PolicyError, Value, check

DEFAULT_CONFIG: Final = "/etc/pvd/pvd.conf"
DEFAULT_CONTROL: Final = "/run/pvd/control"
DEFAULT_JOURNAL: Final = "/var/lib/pvd/journal.db"
PROJECTIONS: Final = ("none", "netns", "tables")
FILE_OCTETS_MAX: Final = 1 << 20  # a rule for each of some ten thousand PvDs; more is not this file


class Key(msgspec.Struct, frozen=True):
    """One word of the file. type: what its value has to be; example: how it is written; choices: allowed words."""

    name: str
    type: type
    example: str
    doc: str
    choices: tuple[str, ...] = ()


TOP: Final = (
    Key("journal", str, '"/var/lib/pvd/journal.db"', "where the journal is kept"),
    Key("control", str, '"/run/pvd/control"', 'the socket on which pvdctl asks; "" for none'),
    Key("projection", str, '"none"', "of links of which no [[link]] says it", PROJECTIONS),
    Key("metrics", str, '"127.0.0.1:9465"', 'where Prometheus may ask: ADDRESS:PORT or a socket\'s path; "" for none'),
    Key("log", str, '"console"', "lines for people, or one JSON object a line", ("console", "json")),
    Key("level", str, '"info"', "the least that is logged", ("debug", "info", "warning", "error")),
    Key("policy", dict, "{ aware = true }", "the knobs of the fold; see [policy]"),
    Key("link", list, "[[link]]", "what to do with which links, the first that matches counts"),
    Key("properties", list, "[[properties]]", "what you say of which PvDs, the last that matches counts"),
)
LINK: Final = (
    Key("match", str, '"eth*"', "the names it speaks of, a glob; needed"),
    Key("hear", bool, "true", "false: nothing is heard there, and nothing written"),
    Key("projection", str, '"netns"', "what is written to the kernel for PvDs on it", PROJECTIONS),
    Key("solicit", bool, "true", "ask for Router Advertisements even where nothing is written"),
)
PROPERTIES: Final = (
    Key("pvd", str, '"fqdn:*.example."', "the ids it speaks of, a glob"),
    Key("prefix", str, '"2001:db8::/32"', "a prefix that covers one of the PvD's, or a glob on it"),
    Key("link", str, '"wlan*"', "the links it speaks of, a glob"),
    Key("set", dict, "{ internet = true }", "names and values: true, false, a number or text; needed"),
)
POLICY: Final = tuple(
    Key(
        knob.name,
        type(knob.default),
        f'"{knob.default}"' if isinstance(knob.default, str) else str(knob.default).lower(),
        knob.doc,
        knob.choices,
    )
    for knob in KNOBS
    if knob.name != "projection"  # of the links, above
)
TABLES: Final = {"": TOP, "[[link]]": LINK, "[[properties]]": PROPERTIES, "[policy]": POLICY}
"""The grammar by table, "" for what stands before the first."""

_WORDS: Final[dict[type, str]] = {str: "text", bool: "true or false", int: "a whole number", dict: "a table"}


class LinkRule(msgspec.Struct, frozen=True):
    """What to do with the links that match. projection: "" for what is said of all."""

    match: str
    hear: bool = True
    projection: str = ""
    solicit: bool = False


class Config(msgspec.Struct, frozen=True):
    """A file that was understood."""

    journal: str = DEFAULT_JOURNAL
    control: str = DEFAULT_CONTROL
    projection: str = "none"
    metrics: str = ""
    log: str = "console"
    level: str = "info"
    policy: dict[str, Value] = msgspec.field(default_factory=dict)
    link: tuple[LinkRule, ...] = ()
    properties: tuple[PropertyRule, ...] = ()

    def rule(self, link: LinkId) -> LinkRule:
        """What to do with a link: the first rule that matches, else `projection` for all."""
        rules = (*self.rules(), LinkRule("*", projection=self.projection))
        return next(rule for rule in rules if fnmatchcase(link, rule.match))

    def rules(self) -> tuple[LinkRule, ...]:
        """The rules of links, each with a projection: nothing is written where nothing is heard."""
        said = ((rule, self.projection if rule.hear else "none") for rule in self.link)
        return tuple(replace(rule, projection=rule.projection or default) for rule, default in said)


class ConfigError(Exception):
    """A file that cannot be used. problems: a line each, with file, line number and what to type instead."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read(path: str) -> Config:
    """The configuration in a file. Raises ConfigError."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}; name a readable file with --config"]) from None
    return parse(data, path)


def parse(data: bytes, path: str) -> Config:
    """The configuration in the octets of a file called `path`. Raises ConfigError with all that is wrong."""
    if len(data) > FILE_OCTETS_MAX:
        raise ConfigError([f"{path}: {len(data)} octets, at most {FILE_OCTETS_MAX} are read; is it the right file?"])
    try:
        text = data.decode()
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError([f"{path}:{line}: octets that are no UTF-8; save the file as UTF-8"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_no_toml(error, text, path)]) from None
    except RecursionError:
        raise ConfigError([f"{path}:1: nested too deep to be read; nothing here needs more than two levels"]) from None
    reader = _Reader(path, key_lines(text))
    made = reader.config(table)
    if reader.problems:
        raise ConfigError([line for _, line in sorted(reader.problems)])
    return made


def _no_toml(error: tomllib.TOMLDecodeError, text: str, path: str) -> str:
    what = str(error)
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", what)
    line = int(found[1]) if found and found[1] else text.count("\n") + 1
    if found:
        what = what[: found.start()]
    return f'{path}:{line}: no TOML ({what[:1].lower() + what[1:]}); write lines such as: projection = "none"'


Path_ = tuple[str | int, ...]
_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_ASSIGN: Final = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def key_lines(text: str) -> dict[Path_, int]:
    """Where each key and table of valid TOML begins, as well as lines show it; a key of an inline table is not seen."""
    found: dict[Path_, int] = {}
    at: Path_ = ()
    counts: dict[Path_, int] = {}
    within = ""  # the quotes of a text that goes over several lines
    for number, line in enumerate(text.split("\n"), 1):
        if within:
            if within in line:
                within = ""
            continue
        if header := _HEADER.match(line):
            name = _names(header[2])
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
                found.setdefault(name, number)
                at = (*name, counts[name])
            else:
                at = (*name[:1], counts[name[:1]], *name[1:]) if name[:1] in counts else name
            found.setdefault(at, number)
        elif key := _ASSIGN.match(line):
            names = _names(key[1])
            for depth in range(1, len(names) + 1):
                found.setdefault((*at, *names[:depth]), number)
        for quotes in ('"""', "'''"):
            if line.count(quotes) % 2:
                within = quotes
    return found


def _names(text: str) -> Path_:
    return tuple(part.strip().strip("\"'") for part in re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", text))


class _Reader:
    """Makes a Config of tables, and gathers what is wrong with them."""

    def __init__(self, path: str, lines: dict[Path_, int]) -> None:
        self.path = path
        self.lines = lines
        self.problems: list[tuple[int, str]] = []

    def refuse(self, at: Path_, text: str) -> None:
        while at and at not in self.lines:
            at = at[:-1]
        line = self.lines.get(at, 1)
        self.problems.append((line, f"{self.path}:{line}: {text}"))

    def config(self, table: dict[str, Any]) -> Config:
        plain = self.checked((), table, TOP)
        plain["link"] = tuple(self.link(number, one) for number, one in self.rows("link", plain))
        plain["properties"] = tuple(self.rule(number, one) for number, one in self.rows("properties", plain))
        plain["policy"] = dict(self.knobs(plain.get("policy", {})))
        if metrics := plain.get("metrics"):
            self.metrics(metrics)
        return Config(**plain)

    def checked(self, at: Path_, table: dict[str, Any], keys: tuple[Key, ...]) -> dict[str, Any]:
        """The keys that are known and have a value of the right kind."""
        known = {key.name: key for key in keys}
        made = {}
        for name, value in table.items():
            key = known.get(name)
            if key is None:
                self.refuse((*at, name), f"unknown key {name}; {_meant(name, list(known))}")
            elif type(value) is not key.type:
                kind = _WORDS.get(key.type, f"written {key.example}")
                self.refuse((*at, name), f"{name} is {kind}; write {_written(key)}")
            elif key.choices and value not in key.choices:
                near = get_close_matches(str(value), key.choices, 1)
                hint = f'did you mean "{near[0]}"?' if near else "write one of " + ", ".join(key.choices)
                self.refuse((*at, name), f"{name} is not {msgspec.json.encode(value).decode()}; {hint}")
            else:
                made[name] = value
        return made

    def rows(self, name: str, table: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, one in enumerate(table.get(name, [])):
            if isinstance(one, dict):
                yield number, one
            else:
                self.refuse((name,), f"{name} is a list of tables; write [[{name}]] and its keys below")

    def link(self, number: int, row: dict[str, Any]) -> LinkRule:
        plain = self.checked(("link", number), row, LINK)
        if not plain.get("match") and "match" not in row:
            self.refuse(("link", number), '[[link]] without match; add match = "eth*"')
        if plain.get("hear") is False and plain.get("projection", "none") != "none":
            self.refuse(
                ("link", number, "hear"), "hear = false and a projection; nothing is known there: leave out one"
            )
        return LinkRule(**{"match": "", **plain})

    def rule(self, number: int, row: dict[str, Any]) -> PropertyRule:
        at: Path_ = ("properties", number)
        plain = self.checked(at, row, PROPERTIES)
        if not any(plain.get(name) for name in ("pvd", "prefix", "link")) and not {"pvd", "prefix", "link"} & set(row):
            self.refuse(at, '[[properties]] of no PvD; add pvd = "*" for all, or prefix or link')
        values = plain.pop("set", None)
        if not values and not ("set" in row and values is None):
            self.refuse(at, "[[properties]] that says nothing; add set = { internet = true }")
        for name, value in (values or {}).items():
            if not isinstance(value, str | bool | int | float):
                self.refuse((*at, "set"), f"property {name} is true, false, a number or text; write {name} = true")
        return PropertyRule(values=values or {}, **plain)

    def knobs(self, table: dict[str, Any]) -> Iterator[tuple[str, Value]]:
        names = [key.name for key in POLICY]
        for name, value in table.items():
            if name not in names:
                hint = 'write projection = "netns" above' if name == "projection" else _meant(name, names)
                self.refuse(("policy", name), f"unknown policy {name}; {hint}")
                continue
            try:
                if type(value) is not {key.name: key.type for key in POLICY}[name]:
                    raise PolicyError(f"policy {name} has a value of another kind")
                yield name, check(name, value)
            except PolicyError as error:
                key = next(key for key in POLICY if key.name == name)
                self.refuse(("policy", name), f"{error}; write {_written(key)}")

    def metrics(self, where: str) -> None:
        if not where.startswith("/") and listen_address(where) is None:
            self.refuse(("metrics",), f'metrics is not {where!r}; write "127.0.0.1:9465", "[::1]:9465" or a path')


def listen_address(text: str) -> tuple[str, int] | None:
    """`ADDRESS:PORT`, `[ADDRESS]:PORT` for IPv6, as a pair; `None` for anything else."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+)):([0-9]{1,5})", text)
    if found is None or not 0 < int(found[3]) < 65536:
        return None
    return found[1] or found[2], int(found[3])


def _meant(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(known))}"


def _written(key: Key) -> str:
    return key.example if key.example.startswith("[") else f"{key.name} = {key.example}"
