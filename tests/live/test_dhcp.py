"""DHCP on links that we manage: dhcpcd asks from a place, and what is answered is heard on the wire.

Law: real servers, real clients. What came is asked of the journal, what stands of iproute2, what works of a program
that `pvdctl exec` runs inside.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from pvdcore.checks.invariants import check
from pvdcore.projections.places import owner_of, place_name
from tests.live.lab import ROOT, Daemon, Host, Lab, until

PROFILE = """\
[connection]
interface-name = "{link}"
[ipv4]
method = "{ipv4}"
[ipv6]
method = "{ipv6}"
"""


def profile(host: Host, name: str, text: str) -> None:
    """Write a profile of ours."""
    folder = "/etc/pvd/settings.d"
    host.run("sh", "-c", f"mkdir -p {folder} && cat > {folder}/{name}.toml", input=text)


def place(name: str, link: str = "eth0", epoch: int = 1) -> str:
    """The namespace that a connection makes."""
    return place_name(owner_of(f"{name}@{link}"), link, epoch)


def pvdctl(host: Host, pvdd: Daemon, *words: str) -> str:
    """pvdctl on a host, with pvdd's journal."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PVD_JOURNAL": str(pvdd.journal)}
    return host.run(sys.executable, "-P", "-m", "replay.cli", *words, env=env).stdout


def addresses(host: Host, netns: str) -> set[str]:
    said = host.run("ip", "-j", "-n", netns, "address", "show", "dev", netns, check=False).stdout
    rows = json.loads(said or "[]")
    return {f"{one['local']}/{one['prefixlen']}" for row in rows for one in row.get("addr_info", [])}


def routes(host: Host, netns: str, family: str = "-4") -> set[tuple[str, str | None]]:
    said = host.run("ip", "-j", "-n", netns, family, "route", check=False).stdout
    return {(one["dst"], one.get("gateway")) for one in json.loads(said or "[]")}


def placed(pvd: str) -> Any:
    return lambda state: pvd in state.pvds and state.pvds[pvd].phase == "placed"


ANSWER = """\
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = sys.argv[2].encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *said): pass
print("serving", flush=True)
http.server.HTTPServer((sys.argv[1], 80), Answer).serve_forever()
"""

ASK = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())"


def network(lab: Lab, host: Host, link: str, name: str) -> Host:
    """A network on a link: a server at 192.168.1.1 that leases, and says its name when it is asked by HTTP."""
    server = lab.host(name)
    lab.veth(host, link, server, "lan")
    server.ip("address", "add", "192.168.1.1/24", "dev", "lan")
    server.dnsmasq(
        "--interface=lan", "--dhcp-range=192.168.1.100,192.168.1.200,255.255.255.0,1h", "--dhcp-authoritative"
    ).says("DHCP, IP range")
    server.start(sys.executable, "-c", ANSWER, "192.168.1.1", f"this is {name}").says("serving")
    return server


def test_two_networks_with_one_prefix_and_one_server_address_are_usable_at_once(lab: Lab) -> None:
    host = lab.host("h")
    for link, name in (("eth0", "north"), ("eth1", "south")):
        network(lab, host, link, name)
        profile(host, name, PROFILE.format(link=link, ipv4="auto", ipv6="disabled"))
    pvdd = lab.pvdd(host, "--projection", "netns")
    pvdd.wait_state(lambda state: placed("if:eth0/1")(state) and placed("if:eth1/1")(state))
    for link, name in (("eth0", "north"), ("eth1", "south")):
        netns = place(name, link)
        until(lambda n=netns: ("default", "192.168.1.1") in routes(host, n), lambda n=netns: str(routes(host, n)))
        said = pvdctl(host, pvdd, "exec", f"if:{link}/1", "--", sys.executable, "-c", ASK, "http://192.168.1.1/")
        assert said == f"this is {name}\n"
    assert host.ip("-4", "-j", "address", "show", "dev", "eth0"), "the host's own links are as they were"
    assert not check(pvdd.state())
