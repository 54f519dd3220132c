"""Changes the code by one thing at a time and lists the changes that no test notices: `make mutants`.

Law: what survives is printed, never hidden. Only sentences for people are left as they are (pyproject.toml says which
lines), and what docs/mutants.md argues is counted apart. No file is changed: a mutant is a function's code object,
swapped in a forked child.

The changes are mutmut's; the runner is ours, since a mutant must not cost a collection. The suite runs once under
coverage and tells for each line the tests that pass there (again only for test files that changed). Then all tests are
collected once, and each mutant is a fork of that process, which runs the tests of its line until one fails: first those
that noticed others of its function, then the fastest. A test has its own CPU time, trebled, and two seconds; one that
takes longer has noticed. Verdicts are kept in .mutants/: an unchanged function is not asked again, and who survived
meets only test files that changed since, or none if it is argued.

    make mutants                                     all of pvdcore and adapters/wire
    make mutants ONLY='pvdcore.leases.membership*'   one module, or one function, by dotted pattern

Exit code 1 if a mutant lives that docs/mutants.md does not know.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import fcntl
import fnmatch
import functools
import gc
import hashlib
import importlib
import inspect
import json
import os
import re
import resource
import signal
import textwrap
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import coverage
import libcst
import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings
from mutmut.mutation.file_mutation import create_mutations, deep_replace

ROOT = Path(__file__).parent.parent
KEPT = ROOT / ".mutants"  # a dot-file: the tree of the project stays as it is
KNOWN = ROOT / "docs" / "mutants.md"
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
LATE = "too late: "
CHANGES = b"4"  # raise it when changes are thought up otherwise, so that what is kept of them is thought up anew
PATIENCE_S = 2.0  # CPU time a test may take beyond three times its own
ARGUED_S = 2.0  # CPU time of tests that a mutant meets which docs/mutants.md argues: enough to find most stale entries
MEMORY_MAX = 3 << 30  # octets of address space: a mutant may ask for all there is
FUTURE = annotations.compiler_flag  # annotations stay words
DECORATOR = re.compile(r"^(\s*)@(?!(static|class)method\b).*$", re.MULTILINE)  # mutmut leaves out what is decorated


class Mutant(NamedTuple):
    """One change of one function. `line` is that of the file; `was` and `now` are the function's whole text."""

    module: str
    function: str  # qualified: "Fold.step"
    line: int
    was: str
    now: str

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.module} {self.function} {self.was} {self.now}".encode()).hexdigest()[:16]

    @property
    def difference(self) -> tuple[str, str]:
        """The first line that differs, before and after."""
        lines = [line for line in difflib.ndiff(self.was.splitlines(), self.now.splitlines()) if line[0] in "-+"]
        gone = next((line[2:].strip() for line in lines if line[0] == "-"), "")
        come = next((line[2:].strip() for line in lines if line[0] == "+"), "")
        return gone, come


# --- The changes ---------------------------------------------------------------------------------------------


def files(only: list[str]) -> list[Path]:
    """The files that a dotted pattern may be about."""
    every = sorted(path for one in CONFIG["only_mutate"] for path in ROOT.glob(f"{one.rstrip('*')}**/*.py"))
    return [path for path in every if not only or any(_about(one, _module(path)) for one in only)]


def _file(test: str) -> str:
    return test.partition("::")[0]


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _about(pattern: str, module: str) -> bool:
    stem = pattern.rstrip("*")
    return fnmatch.fnmatch(module, pattern) or module.startswith(stem) or stem.startswith(f"{module}.")


def mutants(path: Path) -> list[Mutant]:
    """All changes of one file, in the order of its code; kept, since to think them up takes seconds a file."""
    stamp = hashlib.sha256(path.read_bytes() + CHANGES + repr(CONFIG["do_not_mutate_patterns"]).encode()).hexdigest()[
        :16
    ]
    kept = KEPT / f"{_module(path)}.json"
    found = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else ["", []]
    if found[0] != stamp:
        found = [stamp, list(_changes(path))]
        kept.write_text(json.dumps(found), encoding="utf-8")
    return [Mutant(*one) for one in found[1]]


def _changes(path: Path) -> Iterator[Mutant]:
    text = DECORATOR.sub(r"\1", path.read_text(encoding="utf-8"))
    where = spans(path)
    names: dict[int, str] = {}
    module, mutations, _, _ = create_mutations(str(path.relative_to(ROOT)), text)
    for node in module.body:
        if isinstance(node, libcst.FunctionDef):
            names[id(node)] = node.name.value
        elif isinstance(node, libcst.ClassDef):
            names |= {id(one): f"{node.name.value}.{one.name.value}" for one in _methods(node)}
    seen = set()
    for mutation in mutations:
        function = mutation.contained_by_top_level_function
        if function is None or id(function) not in names:
            continue
        bare = function.with_changes(leading_lines=[])
        changed = deep_replace(bare, mutation.original_node, mutation.mutated_node)
        was, now = (module.code_for_node(one).strip("\n") for one in (bare, changed))
        name = names[id(function)]
        if was.lower() != now.lower() and (name, now) not in seen and _meant(now) not in ("", _meant(was)):
            seen.add((name, now))
            first = where[name].head - _head(was)
            yield Mutant(_module(path), name, first + _offset(was, now), was, now)


def _methods(node: libcst.ClassDef) -> list[libcst.FunctionDef]:
    return [one for one in node.body.body if isinstance(one, libcst.FunctionDef)]


def _head(text: str) -> int:
    """The line of a function's text that names it: above it are the decorators that stayed."""
    return next(at for at, line in enumerate(text.splitlines()) if line.lstrip().startswith(("def ", "async def ")))


def _offset(was: str, now: str) -> int:
    """The first line of a function that its mutant has otherwise, or not at all."""
    before, after = was.splitlines(), now.splitlines()
    pairs = zip(before, after, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(before) - 1, len(after)))


class _Plain(ast.NodeTransformer):
    """Without what only a type checker reads, nor that octets are in network order where Python takes them so."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not node.args:
            return node
        if isinstance(node.func, ast.Name) and node.func.id == "cast":
            return node.args[-1]
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("from_bytes", "to_bytes"):
            node.args = [one for one in node.args if not (isinstance(one, ast.Constant) and one.value == "big")]
        return node


@functools.lru_cache(64)
def _meant(text: str) -> str:
    """What of a function counts, "" if it is none."""
    try:
        tree = _Plain().visit(ast.parse(text))
        compile(text, "", "exec", FUTURE, dont_inherit=True)
    except SyntaxError:
        return ""
    return ast.dump(tree)


def swap(mutant: Mutant) -> None:
    """Have the function run as the mutant says, whoever has a reference to it. In a child only."""
    module = importlib.import_module(mutant.module)
    owner, _, name = mutant.function.rpartition(".")
    target: Any = vars(getattr(module, owner))[name] if owner else vars(module)[name]
    target = getattr(target, "fget", None) or getattr(target, "func", None) or target
    target = inspect.unwrap(getattr(target, "__func__", target))
    text = f"class {owner}:\n{textwrap.indent(mutant.now, '    ')}" if owner else mutant.now
    tree, within = ast.parse(text), _within(target.__code__)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in within:  # what it closes over must stay the same
            node.body[:0] = ast.parse(f"if False: {', '.join(within[node.name].co_freevars) or None}").body
    space = dict(vars(module))
    exec(compile(tree, f"<{mutant.module}>", "exec", FUTURE, dont_inherit=True), space)
    source: Any = vars(space[owner])[name] if owner else space[name]
    source = getattr(source, "__func__", source)
    if within:
        gc.unfreeze()
    for word, code in within.items():  # functions that it has made already, as a module was imported
        for made in gc.get_referrers(code):
            if isinstance(made, FunctionType):
                made.__code__ = _within(source.__code__)[word]
    target.__code__, target.__defaults__ = source.__code__, source.__defaults__
    target.__kwdefaults__ = source.__kwdefaults__


def _within(code: CodeType) -> dict[str, CodeType]:
    """The functions defined in a function, by name; no lambdas or comprehensions, which are made as it runs."""
    return {one.co_name: one for one in code.co_consts if isinstance(one, CodeType) and one.co_name.isidentifier()}


# --- Which test passes where ---------------------------------------------------------------------------------


class Passage(NamedTuple):
    """What a test costs in CPU seconds, and where it comes by: module -> function -> lines, counted from its first."""

    cost: float
    lines: dict[str, dict[str, list[int]]]


class Passages:
    """Who passes where, kept between runs: a test file that changed is run again, a changed function passed whole."""

    def __init__(self) -> None:
        self.path = KEPT / "passages.json"
        kept = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        self.tests = {name: Passage(*one) for name, one in kept.get("tests", {}).items()}
        self.files: dict[str, str] = kept.get("files", {})
        self.functions: dict[str, dict[str, str]] = kept.get("functions", {})

    def refreshed(self) -> Passages:
        """Run those tests under coverage that are others than before, in a child that leaves no memory here; all, where
        a function is new, or has another name: nobody knows who passes there."""
        now = test_files()
        changed = [name for name, digest in now.items() if self.files.get(name) != digest]
        if any(spans(path).keys() - self.functions.get(_module(path), {}).keys() for path in files([])):
            changed = list(now)
        if changed:
            print(f"{len(changed)} test files are run under coverage", flush=True)
            child = os.fork()
            if not child:
                os._exit(self._run(changed, now))
            if os.waitpid(child, 0)[1]:
                raise SystemExit("the tests don't pass, so nothing can be told from mutants")
            return Passages()
        return self

    def _run(self, changed: list[str], now: dict[str, str]) -> int:
        under = UnderCoverage()
        code = suite(changed, under)
        if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            gone = {name for name in self.tests if _file(name) in changed or _file(name) not in now}
            tests = {name: one for name, one in self.tests.items() if name not in gone} | under.passages()
            places = {_module(path): spans(path) for path in files([])}
            functions = {module: {name: one.digest for name, one in of.items()} for module, of in places.items()}
            for module, of in functions.items():  # what stays from earlier is told by the function as it was then
                for name in of:
                    before = self.functions.get(module, {}).get(name)
                    if before not in (None, of[name]) and len(changed) < len(now):
                        of[name] = ""
                self.path.write_text(
                    json.dumps({"tests": tests, "files": now, "functions": functions}), encoding="utf-8"
                )
            return 0
        return 1

    def files_of(self, modules: set[str]) -> list[str]:
        """The test files that pass some modules; no others need be collected."""
        return sorted({_file(name) for name, one in self.tests.items() if modules & one.lines.keys()})

    def of(self, mutant: Mutant, span: Span) -> list[str]:
        """The tests that pass a mutant's statement, the fastest first."""
        told = self.functions.get(mutant.module, {}).get(mutant.function) == span.digest
        statement = span.statement(mutant.line) if told else None
        found = []
        for name, one in self.tests.items():
            lines = one.lines.get(mutant.module, {}).get(mutant.function, ())
            if lines and (statement is None or any(line in statement for line in lines)):
                found.append(name)
        return sorted(found, key=lambda name: self.tests[name].cost)


class Span(NamedTuple):
    """Where a function stands in its file, what it says, and its statements, counted from its first line. head: the
    line that names it, behind its decorators."""

    first: int
    head: int
    last: int
    digest: str
    statements: list[range]

    def statement(self, line: int) -> range:
        """The shortest statement that holds a line of the file."""
        offset = line - self.first
        head = range(self.last - self.first + 1)  # what stands in no statement is of the whole: a default
        return min((one for one in self.statements if offset in one), key=len, default=head)


@functools.cache
def spans(path: Path) -> dict[str, Span]:
    """The functions of a file, by qualified name."""
    text = path.read_text(encoding="utf-8")
    found = {}
    for node in ast.parse(text).body:
        inner = [(f"{node.name}.", one) for one in node.body] if isinstance(node, ast.ClassDef) else [("", node)]
        for prefix, one in inner:
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([one.lineno, *(each.lineno for each in one.decorator_list)])
                last = one.end_lineno or first
                said = "\n".join(text.splitlines()[first - 1 : last])
                digest = hashlib.sha256(said.encode()).hexdigest()[:16]
                heads = [range(each.lineno - first, _end(each) - first + 1) for each in _statements(one)]
                found[prefix + one.name] = Span(first, one.lineno, last, digest, heads)
    return found


def _statements(function: ast.AST) -> Iterator[ast.stmt]:
    return (each for each in ast.walk(function) if isinstance(each, ast.stmt) and each is not function)


def _end(statement: ast.stmt) -> int:
    """The last line of a statement, of a compound one that of its head."""
    body = getattr(statement, "body", None)
    last = statement.end_lineno or statement.lineno
    return max(statement.lineno, body[0].lineno - 1) if body else last


class UnderCoverage:
    """In a run of the suite: each test's lines and its CPU time."""

    def __init__(self) -> None:
        self.costs: dict[str, float] = {}
        self.memories: list[Any] = []
        rooms = [f"{ROOT}/{one.rstrip('*')}*" for one in CONFIG["only_mutate"]]
        self.coverage = coverage.Coverage(data_file=None, config_file=False, include=rooms)

    def pytest_sessionstart(self) -> None:
        self.coverage.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        self.memories = memories()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        for one in self.memories:  # else only who asks first would pass
            one.cache_clear()
        self.coverage.switch_context(item.nodeid)
        start = time.process_time()
        result = yield
        self.costs[item.nodeid] = round(time.process_time() - start, 4)
        self.coverage.switch_context("none")
        return result

    def pytest_sessionfinish(self) -> None:
        self.coverage.stop()

    def passages(self) -> dict[str, Passage]:
        data = self.coverage.get_data()
        found = {name: Passage(cost, {}) for name, cost in self.costs.items()}
        for file in data.measured_files():
            path = Path(file)
            module = _module(path)
            where = {
                line: (name, line - one.first)
                for name, one in spans(path).items()
                for line in range(one.first, one.last + 1)
            }
            for line, tests in data.contexts_by_lineno(file).items():
                for test in tests:
                    if test in found and line in where:
                        name, offset = where[line]
                        found[test].lines.setdefault(module, {}).setdefault(name, []).append(offset)
        return found


def memories() -> list[Any]:
    """The functions of the project that remember what they were asked, those within others too."""
    every = [one for one in gc.get_objects() if isinstance(one, functools._lru_cache_wrapper)]
    return [one for one in every if str(one.__module__).partition(".")[0] in CONFIG["source_paths"]]


def test_files() -> dict[str, str]:
    """The test files of the selection, with the digests of what they say."""
    found: list[Path] = []
    for one in CONFIG["pytest_add_cli_args_test_selection"]:
        path = ROOT / one
        found += sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
    return {str(one.relative_to(ROOT)): hashlib.sha256(one.read_bytes()).hexdigest()[:16] for one in found}


def suite(names: list[str], plugin: object) -> int:
    """pytest on some files, as a mutant's tests are run: quietly, without rewritten asserts, no example twice."""
    words = ["-qqq", "--tb=native", "--assert=plain", "--capture=no", "-p", "no:cacheprovider", "-p", "no:xdist", "-x"]
    return int(pytest.main([*words, *CONFIG["pytest_add_cli_args"], *names], plugins=[plugin, Few()]))


class Few:
    """Hypothesis tries the same examples each time and looks for no smaller one."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutants", settings.default, phases=phases, derandomize=True, database=None)
        settings.load_profile("mutants")


# --- The trial ---------------------------------------------------------------------------------------------------


class Trial:
    """In a process that has collected all tests: a child a mutant, so many at a time."""

    def __init__(
        self, every: list[Mutant], verdicts: Verdicts, passages: Passages, known: Known, args: argparse.Namespace
    ) -> None:
        settled = {one.key for one in every if one.key in verdicts.living and known.has(one)}
        done = {*verdicts.dead, *settled, *(verdicts.living if args.untried else ())}
        self.every = [one for one in every if one.key not in done]
        self.verdicts, self.passages, self.known, self.args = verdicts, passages, known, args
        self.noticed: dict[str, Counter[str]] = {}  # by module and by function: tests and their files
        for one in every:
            self.note(one, verdicts.dead.get(one.key, "").removeprefix(LATE))
        self.spans = {one.module: spans(ROOT / f"{one.module.replace('.', '/')}.py") for one in every}
        self.running: dict[int, tuple[Mutant, int, list[str]]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        for one in memories():  # what test files asked as they were imported, a mutant must be asked anew
            one.cache_clear()
        gc.collect()
        gc.freeze()  # so that a child's collector leaves the pages alone that it shares
        begun, last = time.time(), 0.0
        for at, mutant in enumerate(self.every):
            tests = [name for name in self.tests(mutant) if name in items]
            while len(self.running) >= self.args.jobs:
                self.reap()
            self.start(mutant, [items[name] for name in tests])
            if time.time() > last + 30:
                last = time.time()
                self.verdicts.save()
                print(f"{at} of {len(self.every)}, {last - begun:.0f} s, {self.verdicts.tally()}", flush=True)
        while self.running:
            self.reap()
        self.verdicts.save()
        return True

    def tests(self, mutant: Mutant) -> list[str]:
        """Whom to ask: those that noticed others of this function first, then by files that did so in the module."""
        names = self.verdicts.unasked(mutant, self.passages.of(mutant, self.spans[mutant.module][mutant.function]))
        before = self.noticed.get(f"{mutant.module}.{mutant.function}", Counter())
        first = [name for name, _ in before.most_common(5) if name in names]
        files = self.noticed.get(mutant.module, Counter())
        rest = [name for name in names if name not in first]
        return first + sorted(rest, key=lambda name: self.passages.tests[name].cost / (1 + files[_file(name)]))

    def note(self, mutant: Mutant, test: str) -> None:
        if test:
            self.noticed.setdefault(f"{mutant.module}.{mutant.function}", Counter())[test] += 1
            self.noticed.setdefault(mutant.module, Counter())[_file(test)] += 1

    def start(self, mutant: Mutant, items: list[pytest.Item]) -> None:
        out, into = os.pipe()
        child = os.fork()
        if not child:
            os.close(out)
            try:
                os._exit(self.child(mutant, items, into))
            finally:
                os._exit(3)
        os.close(into)
        self.running[child] = (mutant, out, [item.nodeid for item in items])

    def child(self, mutant: Mutant, items: list[pytest.Item], into: int) -> int:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(nowhere, fd)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        swap(mutant)
        budget = ARGUED_S if self.known.has(mutant) else self.args.budget
        for at, item in enumerate(items):
            os.write(into, at.to_bytes(4, "big"))
            cost = self.passages.tests[item.nodeid].cost
            signal.setitimer(signal.ITIMER_PROF, 3 * cost + PATIENCE_S)  # its signal ends the process
            signal.alarm(int(20 * cost + 60))
            following = items[at + 1] if at + 1 < len(items) else None
            if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
                return 1
            if time.process_time() > budget and following is not None:
                return 2
        return 0

    def reap(self) -> None:
        child, status = os.wait()
        mutant, out, names = self.running.pop(child)
        asked = os.fdopen(out, "rb").read()
        last = int.from_bytes(asked[-4:], "big")
        code = os.waitstatus_to_exitcode(status)
        if code in (0, 2):
            self.verdicts.lives(mutant, names[last + 1 :])
            return
        name = names[last] if asked else ""
        self.note(mutant, name)
        self.verdicts.dies(mutant, name, late=code < 0)


class Verdicts:
    """What became of each mutant, kept between runs."""

    def __init__(self) -> None:
        self.path = KEPT / "verdicts.json"
        kept = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        self.dead: dict[str, str] = kept.get("dead", {})
        self.living: dict[str, dict[str, str]] = kept.get("living", {})  # by key: the test files it met, as they were
        self.cut: set[str] = set(kept.get("cut", ()))  # who met a part of its tests only
        self.files = test_files()
        self.tried: Counter[str] = Counter()

    def save(self) -> None:
        kept = {"dead": self.dead, "living": self.living, "cut": sorted(self.cut)}
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps(kept), encoding="utf-8")
        draft.replace(self.path)

    def unasked(self, mutant: Mutant, tests: list[str]) -> list[str]:
        """Without those of files that it met as they are."""
        met = self.living.get(mutant.key, {})
        return [name for name in tests if (file := _file(name)) not in met or met[file] != self.files[file]]

    def lives(self, mutant: Mutant, left: list[str]) -> None:
        """left: those of its tests that it did not meet."""
        self.tried["live"] += 1
        unmet = {_file(name) for name in left}
        self.living[mutant.key] = {name: digest for name, digest in self.files.items() if name not in unmet}
        (self.cut.add if left else self.cut.discard)(mutant.key)

    def dies(self, mutant: Mutant, test: str, *, late: bool) -> None:
        self.tried["late" if late else "noticed"] += 1
        self.living.pop(mutant.key, None)
        self.cut.discard(mutant.key)
        self.dead[mutant.key] = f"{LATE if late else ''}{test}"

    def tally(self) -> str:
        return ", ".join(f"{count} {word}" for word, count in sorted(self.tried.items()))


# --- What is known ---------------------------------------------------------------------------------------------


class Known:
    """docs/mutants.md: under a heading with a module, - `function` `changed line` for each change that was argued;
    … stands for any part of a line, and under "everywhere" for any function."""

    LINE = re.compile(r"^- `([^`]+)` (without )?`(.*)`$")

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str, str], bool] = {}
        module = ""
        for line in KNOWN.read_text(encoding="utf-8").splitlines() if KNOWN.exists() else ():
            if line.startswith("#"):
                module = line.lstrip("# ")
            elif match := self.LINE.match(line):
                self.entries[module, match[1], f"{match[2] or ''}{match[3]}"] = False

    def has(self, mutant: Mutant) -> bool:
        gone, come = mutant.difference
        line = come or f"without {gone}"
        found = False
        for entry in self.entries:
            where = entry[:2] == (mutant.module, mutant.function) or entry[:2] == ("everywhere", "…")
            if where and self._says(entry[2], line):
                found = self.entries[entry] = True
        return found

    def _says(self, entry: str, line: str) -> bool:
        """Whether an entry is about a line; … in it stands for anything."""
        return entry == line or ("…" in entry and re.fullmatch(re.escape(entry).replace("…", ".*"), line) is not None)

    def stale(self, modules: set[str]) -> list[tuple[str, str, str]]:
        """Entries that no mutant of these modules needs any more."""
        return [entry for entry, used in self.entries.items() if not used and entry[0] in modules]


# --- The command -----------------------------------------------------------------------------------------------


def chosen(only: list[str]) -> list[Mutant]:
    """The mutants that patterns are about, in the order of the patterns, then of the code."""
    found: dict[str, Mutant] = {}
    for pattern in only or ["*"]:
        for path in files(only and [pattern]):
            named = [one for one in mutants(path) if fnmatch.fnmatch(f"{one.module}.{one.function}.", f"{pattern}.*")]
            found |= {one.key: one for one in named if one.key not in found}
    return list(found.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("only", nargs="*", help="dotted patterns, as pvdcore.leases*")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--budget", type=float, default=30.0, help="CPU seconds of tests a mutant meets at most")
    parser.add_argument("--untried", action="store_true", help="not again who survived an earlier run")
    parser.add_argument("--list", action="store_true", help="try nothing, tell what earlier runs found")
    args = parser.parse_args()
    os.chdir(ROOT)
    KEPT.mkdir(exist_ok=True)
    alone = os.open(KEPT / "lock", os.O_CREAT | os.O_RDWR)
    if not args.list:
        fcntl.flock(alone, fcntl.LOCK_EX)  # what is kept is of one run at a time
    every = chosen(args.only)
    verdicts, known = Verdicts(), Known()
    if not args.list:
        passages = Passages().refreshed()
        trial = Trial(every, verdicts, passages, known, args)
        print(f"{len(every)} mutants, {len(trial.every)} to try", flush=True)
        suite(passages.files_of({one.module for one in every}), trial)
    return report(every, verdicts, known)


def report(every: list[Mutant], verdicts: Verdicts, known: Known) -> int:
    """Print each survivor as a difference, and the sums by module."""
    sums: dict[str, Counter[str]] = {}
    for one in every:
        of = sums.setdefault(one.module, Counter())
        if one.key in verdicts.living:
            argued = known.has(one)
            of["known" if argued else "new"] += 1
            if not argued:
                gone, come = one.difference
                cut = "   (not all of its tests were tried)" if one.key in verdicts.cut else ""
                print(f"{one.module.replace('.', '/')}.py:{one.line} {one.function}{cut}\n-   {gone}\n+   {come}\n")
        else:
            of["noticed" if one.key in verdicts.dead else "untried"] += 1
    for module, of in sums.items():
        print(f"{module:40}", *(f"{of[word]:5} {word}" for word in ("noticed", "known", "new", "untried")))
    whole = sum(sums.values(), Counter())
    print(f"{'in all':40}", *(f"{whole[word]:5} {word}" for word in ("noticed", "known", "new", "untried")))
    for entry in known.stale(set(sums)) if not whole["untried"] else ():
        print("docs/mutants.md argues for what does not survive:", *entry)
    return 1 if whole["new"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
