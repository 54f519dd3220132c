"""Decoders broken on purpose: the same source with one line of it changed, loaded beside the good one.

Law: a fault is a change of our own source that a person could have made, not a change of its answer. A fault whose old
text does not stand in its module exactly once is an error, so the table cannot outlive the code it is about.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final

from events.codec import AnyEvent
from events.frames import Frame

ROOT: Final = Path(__file__).resolve().parents[3]
_OPTIONS, _PVD, _HEADER = (f"adapters.wire.neighbor.{name}" for name in ("options", "pvd_option", "ra_header"))
_DHCP4, _DHCP6, _FIELDS = (f"adapters.wire.dhcp.{name}" for name in ("dhcp4", "dhcp6", "fields"))
_DNR = "adapters.wire.dnr"

# name -> (module, what stands there, what a mistaken hand wrote instead)
FAULTS: Final[dict[str, tuple[str, str, str]]] = {
    "pio-lifetimes-swapped": (
        _OPTIONS,
        "None if valid == INFINITY else valid,\n        None if preferred == INFINITY else preferred,",
        "None if preferred == INFINITY else preferred,\n        None if valid == INFINITY else valid,",
    ),
    "pio-flags-shifted": (_OPTIONS, "flags & 0x40 != 0,", "flags & 0x20 != 0,"),
    "pio-host-bits-kept": (
        _OPTIONS, "return PrefixInformation(\n        prefix6(address, length),",
        'return PrefixInformation(\n        f"{address6(address)}/{length}",',
    ),
    "mtu-in-the-wrong-order": (
        _OPTIONS, 'value = int.from_bytes(option[4:], "big")', 'value = int.from_bytes(option[4:], "little")',
    ),
    "rio-preference-one-bit": (_OPTIONS, "PREFERENCES[option[3] >> 3 & 3]", "PREFERENCES[option[3] >> 3 & 1]"),
    "rdnss-reversed": (_OPTIONS, "return Rdnss(tuple(addresses),", "return Rdnss(tuple(addresses[::-1]),"),
    "dnssl-first-only": (_OPTIONS, "return Dnssl(names,", "return Dnssl(names[:1],"),
    "pref64-13-low-bits": (_OPTIONS, "word & 0xFFF8)", "word & 0x1FFF)"),
    "pref64-ascending": (_OPTIONS, "_PLC: Final = (96, 64, 56, 48, 40, 32)", "_PLC: Final = (32, 40, 48, 56, 64, 96)"),
    "portal-cut": (_OPTIONS, "read_uri(option[2:])", "read_uri(option[2:20])"),
    "header-lifetime-one-octet": (
        _HEADER, "return RaHeader(\n        lifetime_s,", "return RaHeader(\n        lifetime_s & 0xFF,",
    ),
    "header-flags-swapped": (
        _HEADER, "flags & 0x80 != 0,\n        flags & 0x40 != 0,", "flags & 0x40 != 0,\n        flags & 0x80 != 0,",
    ),
    "length-zero-accepted": (
        _OPTIONS, "if not at < stop <= end:",
        "if at == stop:\n                stop += 8\n            if not at < stop <= end:",
    ),
    "pvd-sequence-in-the-wrong-order": (_PVD, "option[4] << 8 | option[5],", "option[5] << 8 | option[4],"),
    "pvd-delay-five-bits": (_PVD, "DELAY_MASK: Final = 0x000F", "DELAY_MASK: Final = 0x001F"),
    "pvd-nested-lost": (_PVD, "read_options(option, at, size, _in_pvd,", "read_options(option, size, size, _in_pvd,"),
    "pvd-header-ignored": (
        _PVD, "header = read_header(option[at + 4 : at + RA_HEADER_OCTETS])", "header = None",
    ),
    "pvd-padding-not-skipped": (_PVD, "at = at + 7 & ~7", "at = at + 8 & ~7"),
    "pvd-root-accepted": (_PVD, "if at == 7:", "if at == 6:"),
    "mif-uuid-case": (_OPTIONS, 'decode("latin-1").lower()', 'decode("latin-1")'),
    "mif-signed-accepted": (_PVD, "if option[2] & MIF_SIGNED:", "if option[2] & 0x40:"),
    "mif-two-ids-accepted": (_PVD, "codes.count(MIF_PVD_ID) > 1", "codes.count(MIF_PVD_ID) > 2"),
    "dnr-alias-accepted": (_DNR, "if priority == 0:", "if priority < 0:"),
    "dnr-addresses-reversed": (
        _DNR, "for place in range(start, stop, form.address_octets)",
        "for place in reversed(range(start, stop, form.address_octets))",
    ),
    "dnr-loopback-accepted": (_DNR, "address.is_loopback or ", ""),
    "dnr-value-cut": (_DNR, "bytes(data[at + 4 : at + 4 + size])", "bytes(data[at + 4 : at + 3 + size])"),
    "dnr-key-zero-refused": (_DNR, "if params and key <= params", "if not key or params and key <= params"),
    "dhcp-addresses-reversed": (
        _FIELDS, "if not bad:\n            return (Addresses(raw.code, tuple(good),",
        "if not bad:\n            return (Addresses(raw.code, tuple(good[::-1]),",
    ),
    "dhcp-number-off-by-one": (_FIELDS, "return (Number(raw.code, value,", "return (Number(raw.code, value + 1,"),
    "dhcp-seconds-low-half": (
        _FIELDS, 'lifetime(int.from_bytes(raw.data, "big"))', 'lifetime(int.from_bytes(raw.data[2:], "big"))',
    ),
    "dhcp4-yiaddr-is-ciaddr": (_DHCP4, "yiaddr=inet_ntop(AF_INET, yiaddr)", "yiaddr=inet_ntop(AF_INET, ciaddr)"),
    "dhcp4-host-bits-kept": (_DHCP4, " >> (32 - width) << (32 - width)", ""),
    "dhcp4-first-fragment-only": (_DHCP4, "if len(fragments) == 1:", "if fragments:"),
    "dhcp4-bad-instance-ends-all": (
        _DHCP4, "parts.append(raw.ignored(bad.reason, data[at:stop]))",
        "parts.append(raw.ignored(bad.reason, data[at:stop]))\n            break",
    ),
    "dhcp6-iaaddr-swapped": (
        _DHCP6, "(octets), preferred, valid, raw.at", "(octets), valid, preferred, raw.at",
    ),
    "dhcp6-timers-swapped": (_DHCP6, "lifetime(t1), lifetime(t2)", "lifetime(t2), lifetime(t1)"),
    "dhcp6-host-bits-kept": (_DHCP6, "[9:25], \"big\") >> (128 - width) << (128 - width)", "[9:25], \"big\")"),
    "dhcp6-status-one-octet": (
        _DHCP6, '(raw.code, int.from_bytes(raw.data[:2], "big"), line', "(raw.code, raw.data[0], line",
    ),
}  # fmt: skip


class _Changed(SourceLoader):
    """A module's source with one text in it replaced."""

    def __init__(self, module: str, old: str, new: str) -> None:
        self.path = ROOT / f"{module.replace('.', '/')}.py"
        self.change = old, new

    def get_filename(self, fullname: str) -> str:
        return str(self.path)

    def get_data(self, path: str) -> bytes:
        source = self.path.read_text()
        old, new = self.change
        assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {self.path}"
        return source.replace(old, new).encode()

    def path_stats(self, path: str) -> dict[str, int]:
        raise OSError  # nothing is read from the cache of the good source, nor written there


class _Finder(MetaPathFinder):
    def __init__(self, module: str, loader: _Changed) -> None:
        self.module = module
        self.loader = loader

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        return importlib.util.spec_from_file_location(fullname, self.loader.path, loader=self.loader)


@contextmanager
def broken(fault: str) -> Iterator[Callable[[Frame], tuple[AnyEvent, ...]]]:
    """`translate` of decoders with that fault; those of the process stay as they are."""
    module, old, new = FAULTS[fault]
    finder = _Finder(module, _Changed(module, old, new))
    good = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "adapters"}
    sys.meta_path.insert(0, finder)
    try:
        yield importlib.import_module("adapters.ingest").translate
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.split(".")[0] == "adapters"]:
            del sys.modules[name]
        sys.modules.update(good)
