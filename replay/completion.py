"""Completion for bash, zsh and fish, written from the grammar itself.

Law: nothing is listed here by hand. What the parser knows is completed, and what it learns tomorrow too.
"""

import argparse
import re
from collections.abc import Iterator
from typing import Final

FILES: Final = frozenset({"FILE", "OUT", "[LINK=]FILE"})
"""Metavars whose value is a file."""


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def helps(parser: argparse.ArgumentParser) -> dict[str, str]:
    """The one-line help of each command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {one.dest: one.help or "" for one in action._choices_actions}
    return {}


def options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The options of a command."""
    return (action for action in parser._actions if action.option_strings)


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for `shell`: bash, zsh or fish."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](parser)


def _choices(action: argparse.Action) -> list[str]:
    return [str(choice) for choice in action.choices or ()]


def _takes_file(action: argparse.Action) -> bool:
    return action.metavar in FILES


def _takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def _operands(parser: argparse.ArgumentParser) -> list[str]:
    return [choice for action in parser._actions if not action.option_strings for choice in _choices(action)]


def _bash(parser: argparse.ArgumentParser) -> str:
    commands = subcommands(parser)
    lines = [
        "# bash completion for pvdctl: source it, or put it into /etc/bash_completion.d/",
        "_pvdctl() {",
        "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=",
        "  COMPREPLY=()",
        "  if [ $COMP_CWORD -eq 1 ]; then",
        f"    words='{' '.join([*commands, '--help', '--version'])}'",
        '    COMPREPLY=($(compgen -W "$words" -- "$word"))',
        "    return",
        "  fi",
        '  case "${COMP_WORDS[1]} $before" in',
    ]
    for name, command in commands.items():
        for action in options(command):
            pattern = "|".join(f"'{name} {option}'" for option in action.option_strings)
            if _choices(action):
                words = " ".join(_choices(action))
                lines.append(f"    {pattern}) COMPREPLY=($(compgen -W '{words}' -- \"$word\")); return ;;")
            elif _takes_file(action):
                lines.append(f'    {pattern}) COMPREPLY=($(compgen -f -- "$word")); return ;;')
            elif _takes_value(action):
                lines.append(f"    {pattern}) return ;;")
    lines += ["  esac", '  case "${COMP_WORDS[1]}" in']
    for name, command in commands.items():
        words = " ".join([*_operands(command), *(one for action in options(command) for one in action.option_strings)])
        lines.append(f"    {name}) words='{words}' ;;")
    lines += ["  esac", '  COMPREPLY=($(compgen -W "$words" -- "$word"))', "}", "complete -F _pvdctl pvdctl"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("%%", "%").replace("'", "'\\''") + "'"


def _zsh(parser: argparse.ArgumentParser) -> str:
    commands, about = subcommands(parser), helps(parser)
    lines = [
        "#compdef pvdctl",
        "_pvdctl() {",
        "  local -a commands",
        "  commands=(",
        *(f"    {_quoted(name + ':' + about.get(name, ''))}" for name in commands),
        "  )",
        "  if (( CURRENT == 2 )); then",
        "    _describe command commands",
        "    return",
        "  fi",
        "  local command=$words[2]",
        "  shift words",
        "  (( CURRENT-- ))",
        "  case $command in",
    ]
    for name, command in commands.items():
        lines.append(f"    {name})")
        lines.append("      _arguments -s \\")
        for action in options(command):
            text = re.sub(r"[\[\]:]", " ", (action.help or "").replace("%%", "%")).strip()
            for option in action.option_strings:
                spec = f"*{option}[{text}]" + (_zsh_value(action) if _takes_value(action) else "")
                lines.append(f"        {_quoted(spec)} \\")
        lines.append(f"        {_quoted('*:operand:(' + ' '.join(_operands(command)) + ')')} ;;")
    lines += ["  esac", "}", '_pvdctl "$@"']
    return "\n".join(lines) + "\n"


def _zsh_value(action: argparse.Action) -> str:
    name = re.sub(r"[\[\]=:]", "", str(action.metavar or action.dest)).lower()
    if _choices(action):
        return f":{name}:({' '.join(_choices(action))})"
    return f":{name}:_files" if _takes_file(action) else f":{name}: "


def _fish(parser: argparse.ArgumentParser) -> str:
    commands, about = subcommands(parser), helps(parser)
    lines = ["# fish completion for pvdctl", "complete -c pvdctl -f"]
    for name in commands:
        text = _quoted(about.get(name, ""))
        lines.append(f"complete -c pvdctl -n __fish_use_subcommand -a {name} -d {text}")
    for name, command in commands.items():
        seen = f"-n '__fish_seen_subcommand_from {name}'"
        if words := _operands(command):
            lines.append(f"complete -c pvdctl {seen} -a '{' '.join(words)}'")
        for action in options(command):
            names = [
                f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
                for option in action.option_strings
            ]
            value = ""
            if _choices(action):
                value = f" -x -a '{' '.join(_choices(action))}'"
            elif _takes_file(action):
                value = " -r -F"
            elif _takes_value(action):
                value = " -x"
            lines.append(f"complete -c pvdctl {seen} {' '.join(names)}{value} -d {_quoted(action.help or '')}")
    return "\n".join(lines) + "\n"
