"""NetworkManager itself reads the keyfiles of tests/settings, its own manual's among them, and activates those with
addresses on a veth: it and we agree on addresses, routes and DNS.

Law: it runs in mount, network and PID namespaces of its own with a bus of its own; nothing of the host is touched, and
nothing of it is left.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from adapters.settings import managers
from adapters.settings.folders import read
from events.operator import ConnectionOpened, Settings, SettingsLoaded
from pvdcore.projections.desired import desired
from tests.sim.build import Story

ROOTS = [Path(__file__).parent.parent / "settings" / one for one in ("root", "documented")]
KEYFILES = "etc/NetworkManager/system-connections"
PORTS = ("br-port-1",)  # of a bridge or bond: without addresses, which we note and it has no property for
ACTIVATED = ("home", "split", "older")
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_type="method_return"/><allow send_type="error"/><allow receive_type="method_call"/>
<allow receive_type="method_return"/><allow receive_type="signal"/><allow receive_type="error"/></policy></busconfig>
"""
CONF = "[main]\nplugins=keyfile\ndns=none\nrc-manager=unmanaged\nauth-polkit=false\nno-auto-default=*\n"


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What NetworkManager says of each profile, by file."""
    folder = tmp_path_factory.mktemp("nm")
    profiles = folder / "etc/system-connections"
    profiles.mkdir(parents=True)
    for file in (file for root in ROOTS for file in (root / KEYFILES).iterdir()):
        shutil.copy(file, profiles / file.name)
        (profiles / file.name).chmod(0o600)  # others it does not read: there may be secrets in them
    (folder / "etc/NetworkManager.conf").write_text(CONF)
    (folder / "bus.conf").write_text(BUS)
    script = str(Path(__file__).with_name("networkmanager.sh"))
    apart = ["unshare", "-m", "-n", "-p", "-f", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*apart, script, str(folder), *ACTIVATED], capture_output=True, text=True, timeout=300, check=False
    )
    log = folder / "said/log"
    assert done.returncode == 0, done.stderr[-2000:] + (log.read_text()[-2000:] if log.exists() else "")
    return folder / "said"


OURS = {
    one.id: one
    for root in ROOTS
    for one in read(str(root)).profiles.values()
    if one.origin.startswith("/etc/NetworkManager/") and one.id not in PORTS
}


def told(said: Path, id: str) -> dict[str, str]:
    """The properties of a profile, as nmcli spells them."""
    pairs = (line.partition(":") for line in (said / f"{id}.read").read_text().splitlines())
    return {key: value.replace("\\:", ":") for key, _, value in pairs}


def listed(profile: Settings, key: str) -> list[str]:
    found = profile.values.get(key, [])
    return list(found) if isinstance(found, list) else [str(found)]


@pytest.mark.parametrize("id", sorted(OURS))
def test_networkmanager_reads_the_same_profile(said: Path, id: str) -> None:
    mine, theirs = OURS[id], told(said, id)
    assert theirs["connection.uuid"] == mine.values["connection.uuid"]
    assert theirs["connection.type"] == mine.values["connection.type"]
    assert theirs["connection.interface-name"] == mine.values.get("connection.interface-name", "")
    assert (theirs["connection.autoconnect"] == "yes") is mine.values["connection.autoconnect"]
    assert int(theirs["connection.autoconnect-priority"]) == mine.values.get("connection.autoconnect-priority", 0)
    for family in ("ipv4", "ipv6"):
        assert theirs[f"{family}.method"] == mine.values[f"{family}.method"]
        assert _split(theirs[f"{family}.addresses"]) == listed(mine, f"{family}.addresses")
        never = mine.values.get(f"{family}.never-default", False)  # it forgets a gateway that it would not use
        assert theirs[f"{family}.gateway"] == ("" if never else mine.values.get(f"{family}.gateway", ""))
        assert [" ".join(one.split()[:2]) for one in _split(theirs[f"{family}.routes"])] == listed(
            mine, f"{family}.routes"
        )
        assert _split(theirs[f"{family}.dns"]) == listed(mine, f"{family}.dns")
        assert [f"{one}." for one in _split(theirs[f"{family}.dns-search"])] == listed(mine, f"{family}.dns-search")
        assert (theirs[f"{family}.never-default"] == "yes") is never
        assert (theirs[f"{family}.ignore-auto-dns"] == "yes") is mine.values.get(f"{family}.ignore-auto-dns", False)


@pytest.mark.parametrize("id", ACTIVATED)
def test_what_networkmanager_has_active_is_known_by_its_note(said: Path, id: str, tmp_path: Path) -> None:
    notes = tmp_path / managers.NETWORKMANAGER
    notes.mkdir(parents=True)
    shutil.copy(said / f"{id}.note", notes / "7")
    assert managers.active(str(tmp_path)) == {7: (managers.NETWORKMANAGER, OURS[id].values["connection.uuid"])}


def _split(value: str) -> list[str]:
    return [one.strip() for one in value.split(",") if one.strip()]


@pytest.mark.covers("problem:4", part="expected")
@pytest.mark.parametrize("id", ACTIVATED)
def test_what_networkmanager_configures_is_what_our_static_pvd_holds(said: Path, id: str) -> None:
    decoder = json.JSONDecoder()
    text, documents = (said / f"{id}.kernel").read_text(), []
    while text.strip():
        document, end = decoder.raw_decode(text.lstrip())
        documents.append(document)
        text = text.lstrip()[end:]
    (link,), routes4, routes6 = documents
    told_ = Story().hear(SettingsLoaded(settings=OURS[id]), ConnectionOpened(id=f"{id}@e0", settings=id, link="e0"))
    (place,) = desired(told_.state).places
    assert place.pvd == f"static:{id}"
    theirs = {f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one}
    assert theirs == {one.address for one in place.addresses}
    assert _routes(routes4) | _routes(routes6) == {
        (one.destination, one.via) for one in place.routes if ":" not in one.destination or one.via
    }
    assert place.mtu in (0, link["mtu"])
    device = [line.replace("\\:", ":").split(":", 1) for line in (said / f"{id}.device").read_text().splitlines()]
    servers = [value for key, value in device if ".DNS[" in key]
    names = [value + "." for key, value in device if ".SEARCHES[" in key]
    assert servers == list(place.servers)
    assert names == list(place.search)


def _routes(rows: list[dict[str, Any]]) -> set[tuple[str, str | None]]:
    """The routes that a profile gives: not those which come with an address."""
    found = set()
    for row in rows:
        if row.get("protocol") == "kernel":
            continue
        to = row["dst"]
        if to == "default":
            to = "0.0.0.0/0" if "." in row.get("gateway", ".") else "::/0"
        elif "/" not in to:
            to += "/128" if ":" in to else "/32"
        found.add((to, row.get("gateway")))
    return found
