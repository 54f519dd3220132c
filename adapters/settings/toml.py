"""Our own profiles: `/etc/pvd/settings.d/NAME.toml`, a table for each setting, keys as NetworkManager calls them.

The same text may be given at run time over the control socket (source `control`): it stays until it is taken back.

Law: total: octets in, a profile or a typed rejection out. It is the plainest of the sources, and the only one that can
say everything the others can.

    id = "office"                        # else the file's name
    [connection]  interface-name = "eth0"
    [match]       interface-name = ["en*", "!enx*"]    mac-address = [...]    type = ["ethernet"]
    [ipv4]        method = "manual"   addresses = ["192.0.2.10/24"]   gateway = "192.0.2.1"   dns = ["192.0.2.53"]
    [pvd]         expected = ["office.example."]
"""

import re
import tomllib
from typing import Any, Final

from adapters.running.config import key_lines
from adapters.settings.vocabulary import INVALID, LISTS, SCALARS, Maker, Rejected, decoded
from events.operator import Settings, SettingsRejected

SOURCE: Final = "toml"
WRITE: Final = 'no TOML; write lines such as: method = "auto"'


def parse(path: str, data: bytes, source: str = SOURCE) -> Settings | SettingsRejected:
    """The profile in a file of ours, or in what is given at run time as one."""
    try:
        return _parse(path, decoded(source, path, data), source)
    except Rejected as rejected:
        return rejected.event


def _parse(path: str, text: str, source: str) -> Settings:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"\(at line (\d+)", str(error))
        number = line[1] if line else str(text.count("\n") + 1)
        raise Rejected(source, f"{path}:{number}", "syntax", 'no TOML; write lines such as: method = "auto"') from None
    except (RecursionError, ValueError):
        raise Rejected(source, f"{path}:1", "syntax", "nested too deep, or a number too long") from None
    if not table:
        raise Rejected(source, f"{path}:1", "no-profile")
    lines = key_lines(text)
    maker = Maker(source, f"{path}:{min(lines.values(), default=1)}")
    for name, value in table.items():
        where = f"{path}:{lines.get((name,), 1)}"
        if name == "id":
            _value(maker, "connection.id", value, where, name)
        elif isinstance(value, dict):
            for key, said in value.items():
                at = f"{path}:{lines.get((name, key), lines.get((name,), 1))}"
                _value(maker, f"{name}.{key}", said, at, f"[{name}] {key}")
        else:
            maker.unused(name, where)
    for family in ("ipv4", "ipv6"):
        fixed = f"{family}.addresses" in maker.values
        maker.values.setdefault(f"{family}.method", "manual" if fixed else "auto")
    maker.values.setdefault("connection.autoconnect", True)
    id = maker.values.get("connection.id")
    return maker.made(id if isinstance(id, str) and id else path.rsplit("/", 1)[-1].removesuffix(".toml"))


def _value(maker: Maker, key: str, said: Any, where: str, shown: str) -> None:
    if key in LISTS:
        for item in said if isinstance(said, list) else [said]:
            if isinstance(item, str):
                maker.add(key, item, where, shown)
            else:
                maker.note(INVALID, shown, where)
    elif key not in SCALARS:
        if key.startswith("match."):
            maker.add("match.unsupported", key.removeprefix("match."), where, shown)
        maker.unused(shown, where)
    elif isinstance(said, (str, int)):
        maker.set(key, str(said), where, shown)
    else:
        maker.note(INVALID, shown, where)
