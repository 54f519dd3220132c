"""Other people's scripts as oracles: what vpnc-script and wg-quick configure is what we say that the tunnel brings.

Law: their scripts are Debian's, unchanged, and run on a tunnel of a namespace of the test's own; what they did is asked
of iproute2. The kernel may have no WireGuard: wg-quick then takes a userspace implementation, and ours makes a tun
device; `wg` beside it keeps what wg-quick hands it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from ipaddress import ip_interface
from pathlib import Path

import pytest

from adapters.vpn.hook import of_environment
from adapters.vpn.tunnel import checked
from events.codec import decode
from events.vpn import VpnConnected
from tests.live.lab import ROOT
from tests.live.sandbox import sandboxed, sh

FIXTURES = ROOT / "tests" / "vpn"
VPNC_SCRIPT = "/usr/share/vpnc-scripts/vpnc-script"
WG_QUICK = "/usr/bin/wg-quick"


def environment(name: str) -> dict[str, str]:
    """A client's variables; without resolvers, or the script would write the machine's /etc/resolv.conf."""
    lines = (FIXTURES / f"{name}.env").read_text().splitlines()
    said = dict(line.split("=", 1) for line in lines)
    return {key: value for key, value in said.items() if key != "INTERNAL_IP4_DNS"}


def uplink() -> None:
    """A host with a default route in both families."""
    sh("ip link add eth0 type veth peer name peer0 && ip link set eth0 up && ip link set peer0 up")
    sh("ip address add 203.0.113.2/24 dev eth0 && ip address add 2001:db8:5::2/64 dev eth0 nodad")
    sh("ip route add default via 203.0.113.1 && ip -6 route add default via 2001:db8:5::1")


def through(device: str) -> set[str]:
    """The destinations that go over a device, in both families; without what the kernel has on every link."""
    found = json.loads(sh(f"ip -j route show dev {device}")) + json.loads(sh(f"ip -j -6 route show dev {device}"))
    plain = {one["dst"] for one in found}
    named = {"default": "0.0.0.0/0"}
    return {
        named.get(one, one if "/" in one else f"{one}/{128 if ':' in one else 32}")
        for one in plain
        if not one.startswith(("fe80:", "ff00:"))
    }


def said(event: VpnConnected) -> set[str]:
    """What goes into the tunnel: what is included, and what is on its link."""
    own = {str(ip_interface(one).network) for one in event.addresses}
    return {one.destination for one in event.included} | {one for one in own if not one.endswith(("/32", "/128"))}


@pytest.mark.covers("feat:C5")
@pytest.mark.parametrize("name", ["openconnect-connect", "vpnc-full"])
def test_what_vpnc_script_configures_is_what_we_say(name: str) -> None:
    @sandboxed
    def told() -> None:
        uplink()
        sh("ip tuntap add dev tun0 mode tun")
        variables = environment(name)
        event = of_environment(variables)
        assert isinstance(event, VpnConnected) and event.ifindex
        done = subprocess.run(
            [VPNC_SCRIPT], env={"PATH": os.environ["PATH"], **variables}, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert through("tun0") == said(event)
        outside = through("eth0") - {"0.0.0.0/0", "203.0.113.0/24", "2001:db8:5::/64", f"{event.remote}/32"}
        assert outside == set(event.excluded)
        link = json.loads(sh("ip -j address show dev tun0"))[0]
        given = {one["local"] for one in link["addr_info"] if one["scope"] == "global"}
        assert given == {one.partition("/")[0] for one in event.addresses}
        assert event.mtu in (0, link["mtu"])

    told()


IMPLEMENTATION = "#!/bin/sh\nexec ip tuntap add dev $1 mode tun\n"
WG = """#!{python}
import pathlib, sys
from ipaddress import ip_network
kept = pathlib.Path("/run/wg.conf")
match sys.argv[1:]:
    case ["setconf", _, path]:
        kept.write_text(open(path).read())
    case ["show", _, "allowed-ips"]:
        for line in kept.read_text().splitlines():
            key, _, said = line.partition("=")
            if key.strip().lower() == "allowedips":
                print("key\\t" + " ".join(str(ip_network(one.strip(), strict=False)) for one in said.split(",")))
    case ["show", _, "fwmark"]:
        print("off")
"""


@pytest.mark.covers("feat:C5")
@sandboxed
def test_what_wg_quick_configures_is_what_we_say_in_its_hook() -> None:
    uplink()
    folder = Path("/run/wireguard")
    folder.mkdir()
    # Its own folder is the first of its PATH: so `wg` and `resolvconf` are these.
    for name, text in (
        ("implementation", IMPLEMENTATION),
        ("wg", WG.format(python=sys.executable)),
        ("resolvconf", "#!/bin/sh\n"),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "wg-quick").write_bytes(Path(WG_QUICK).read_bytes())
    hook = f"PYTHONPATH={ROOT} {sys.executable} -P -m replay.cli hook --show --wg-quick {folder}/%i.conf"
    lines = (FIXTURES / "wireguard" / "wg0.conf").read_text().splitlines()
    text = "\n".join(f"PostUp = {hook} > /run/told.json" if one.startswith("PostUp") else one for one in lines)
    config = folder / "wg0.conf"
    config.write_text(text + "\n")
    config.chmod(0o600)
    done = subprocess.run(
        ["bash", str(folder / "wg-quick"), "up", str(config)],
        env={**os.environ, "WG_QUICK_USERSPACE_IMPLEMENTATION": str(folder / "implementation")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    event = decode(Path("/run/told.json").read_bytes(), 1)
    assert isinstance(event, VpnConnected) and checked(event) == event and event.ifindex
    assert through("wg0") == said(event)
    link = json.loads(sh("ip -j address show dev wg0"))[0]
    given = {f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["scope"] == "global"}
    assert (given, link["mtu"]) == (set(event.addresses), event.mtu)
    assert "oK56DE9U" in config.read_text() and "oK56DE9U" not in Path("/run/told.json").read_text()
