"""The manual pages pvdctl(1), pvdd(8) and pvd.conf(5), from the same words as --help and the same tables as --check.

Law: nothing is said here that the program does not say itself. docs/man/ holds what this makes, and a test compares
them: `python -m replay.manual docs/man` writes them anew.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from adapters.daemon import parser as pvdd
from adapters.running.config import DEFAULT_CONFIG, TABLES
from replay.cli import parser as pvdctl
from replay.completion import helps, subcommands

TITLE: Final = "pvdcore"


def pages() -> dict[str, str]:
    """The text of each page, in man(7)'s language, by its file's name."""
    return {"pvdctl.1": _pvdctl(), "pvdd.8": _pvdd(), "pvd.conf.5": _conf()}


def _text(text: str) -> str:
    """Words as they are: no octet of them is a command, and a hyphen is one."""
    text = text.replace("%%", "%").replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in text.split("\n"))


def _head(name: str, section: int, about: str) -> list[str]:
    title = f'.TH {name.upper().replace("-", chr(92) + "-")} {section} "" "{TITLE}"'
    return [title, ".SH NAME", f"{_text(name)} \\- {_text(about)}"]


def _entry(term: str, text: str) -> list[str]:
    return [".TP", f".B {_text(term)}", _text(text)]


def _options(parser: argparse.ArgumentParser) -> list[str]:
    lines: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        names = ", ".join(action.option_strings)
        if not names:
            value = str(action.metavar or action.dest)
        elif action.nargs == 0:
            value = ""
        else:
            value = str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper())
        text = action.help or ""
        if action.default not in (None, argparse.SUPPRESS, False, True, [], "") and "default" not in text:
            text += f"; default {action.default}"
        lines += _entry(f"{names} {value}".strip(), text[:1].upper() + text[1:] + ".")
    return lines


def _usage(parser: argparse.ArgumentParser) -> str:
    """One line, whatever the terminal."""
    formatter = argparse.HelpFormatter(parser.prog, width=10_000)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups)
    return formatter.format_help().strip().removeprefix("usage: ")


def _pvdctl() -> str:
    made = pvdctl()
    lines = [*_head("pvdctl", 1, "what Provisioning Domains there are, were, and why"), ".SH SYNOPSIS"]
    lines += [".B pvdctl", _text("COMMAND [OPTION...]"), ".SH DESCRIPTION", _text(made.description or "")]
    for paragraph in (made.epilog or "").strip().split("\n\n"):
        lines += [".PP", _text(paragraph)]
    lines.append(".SH COMMANDS")
    about = helps(made)
    for name, command in subcommands(made).items():
        lines += [f".SS pvdctl {_text(name)}", _text(about[name][:1].upper() + about[name][1:] + ".")]
        lines += [".PP", _text(_usage(command)), *_options(command)]
    lines += [".SH SEE ALSO", ".BR pvdd (8),", ".BR pvd.conf (5)"]
    return "\n".join(lines) + "\n"


def _pvdd() -> str:
    made = pvdd()
    lines = [*_head("pvdd", 8, "the Provisioning Domain daemon"), ".SH SYNOPSIS", _text(_usage(made))]
    lines += [".SH DESCRIPTION", _text(made.description or ""), ".SH OPTIONS", *_options(made)]
    lines += [
        ".SH SIGNALS",
        *_entry("SIGTERM", "Ends it cleanly."),
        *_entry("SIGHUP", "Reads the configuration again."),
    ]
    lines += [".SH SEE ALSO", ".BR pvdctl (1),", ".BR pvd.conf (5)"]
    return "\n".join(lines) + "\n"


def _conf() -> str:
    lines = [*_head("pvd.conf", 5, "configuration of pvdd"), ".SH SYNOPSIS", _text(DEFAULT_CONFIG)]
    text = "A TOML file. What is not understood is refused, with its line and what to type instead: pvdd --check."
    lines += [".SH DESCRIPTION", _text(text)]
    for table, keys in TABLES.items():
        lines.append(f".SH {_text(table) or 'BEFORE THE FIRST TABLE'}")
        for key in keys:
            term = key.example if key.example.startswith("[") else f"{key.name} = {key.example}"
            choices = f" One of {', '.join(key.choices)}." if key.choices else ""
            lines += _entry(term, key.doc[:1].upper() + key.doc[1:] + "." + choices)
    lines += [".SH SEE ALSO", ".BR pvdd (8),", ".BR pvdctl (1)"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for name, page in pages().items():
        Path(sys.argv[1], name).write_text(page)
