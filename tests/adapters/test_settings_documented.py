"""Profiles as their systems' own documentation and packages have them (tests/settings/documented): what is made of each
line, and that no line goes unsaid.

Law: the fixtures are others' words. read.txt says what is read of them, what is not supported, and what is no value.
"""

import os
import re
from pathlib import Path

import pytest

from adapters.settings.folders import read
from adapters.settings.vocabulary import LISTS
from events.operator import Settings

ROOT = Path(__file__).parent.parent / "settings" / "documented"
READING = read(str(ROOT))
PROFILES = sorted(READING.profiles.items())

SILENT = {
    # What says nothing of how a link is to be configured, or what holds anyway.
    "keyfile": {"timestamp", "mode", "security"},
    "networkd": {"Description", "DHCP", "IPv6AcceptRA", "LinkLocalAddressing"},  # the methods come of the last three
    "ifcfg": {
        *("PROXY_METHOD", "BROWSER_ONLY", "IPV6_ADDR_GEN_MODE", "ONBOOT", "NM_CONTROLLED", "NETWORK", "BROADCAST"),
        *("IPV6INIT", "IPV6_AUTOCONF", "DHCPV6C"),  # the method comes of them
        "DEVICETYPE",  # beside a TYPE
        *("PREFIX", "NETMASK"),  # an address has it, and without one it is told
    },
}

# What no shell would take as assignments.
REFUSED = [f"/etc/sysconfig/network-scripts/ifcfg-test-write-unknown-{number}" for number in range(1, 5)]


def told(path: str, one: Settings) -> str:
    """A profile in words: each value with its line, then what is not used."""
    lines = [f"== {path} ({one.source}) {one.id}"]
    for key, value in sorted(one.values.items()):
        where = one.lines.get(key, "").rpartition(":")[2]
        lines.append(f"{key} = {value}" + (f"    # line {where}" if where else ""))
    for note in sorted(one.notes, key=lambda each: int(each.where.rpartition(":")[2])):
        lines.append(f"{note.code.removeprefix('settings-')}: {note.key}    # line {note.where.rpartition(':')[2]}")
    return "\n".join(lines)


@pytest.mark.covers("feat:F1", part="expected")
def test_what_is_made_of_the_files_of_each_system() -> None:
    assert sorted(READING.refused) == REFUSED
    assert {one.source for _, one in PROFILES} == {"keyfile", "networkd", "ifcfg"}
    text = "\n\n".join(told(path, one) for path, one in PROFILES) + "\n"
    kept = ROOT / "read.txt"
    if os.environ.get("PVD_REWRITE") == "1":
        kept.write_text(text)
    assert text == kept.read_text(), "PVD_REWRITE=1 writes it anew"


@pytest.mark.parametrize(("path", "one"), PROFILES, ids=[path for path, _ in PROFILES])
def test_each_line_is_used_or_told(path: str, one: Settings) -> None:
    """What a source says and we don't support is reported, not dropped in silence."""
    spoken = {int(where.rpartition(":")[2]) for where in one.lines.values() if where.startswith(path + ":")}
    spoken |= {int(note.where.rpartition(":")[2]) for note in one.notes if note.where.startswith(path + ":")}
    keys = {note.key for note in one.notes}
    listed = any(key in LISTS for key in one.values)
    for number, line in enumerate((ROOT / path.lstrip("/")).read_text().splitlines(), 1):
        found = re.match(r"\s*([A-Za-z0-9_-]+)\s*=\s*(\S.*)?$", line)
        if found is None or number in spoken or found[1] in SILENT[one.source]:
            continue
        if one.source == "ifcfg" and not found[2]:  # a shell's empty variable says nothing
            continue
        further = listed and any(_holds(value, found[2] or "") for value in one.values.values())
        assert further or any(key.endswith(found[1]) for key in keys), f"{path}:{number}: {line}"


def _holds(value: object, said: str) -> bool:
    """Whether a line is a further item of a list, or a part of a value that another line began."""
    return isinstance(value, list) and any(word.strip(";,\"'") in " ".join(value) for word in said.split())
