"""The networks of the acceptance scenarios, for the tests and for `make lab`.

Law: routers are radvd and Linux's own forwarding, DHCP servers are dnsmasq and Kea; what stock programs cannot say
(options of PvDs) is said by our `pvdctl advertise`. Nobody here knows anything of pvdd but the fixture that starts it.
"""

from __future__ import annotations

import sys
from typing import Final

from tests.live.lab import PVDCTL, Host, Lab, Program, ours

SWITCH_MTU: Final = 1500

ANSWER: Final = """
import http.server, socket, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = (sys.argv[1] + " " + self.client_address[0] + "\\n").encode()
        self.send_response(200); self.send_header("Content-Length", str(len(said))); self.end_headers()
        self.wfile.write(said)
    def log_message(self, *words): pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    def server_bind(self):
        super().server_bind(); print("serving", flush=True)
Server(("::", 80), Answer).serve_forever()
"""
"""A server that says its name, and who asks."""

RADVD: Final = """interface eth0 {{
    AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 600; {more}
    AdvRASrcAddress {{ {source}; }};
    prefix {prefix} {{ AdvValidLifetime 3600; AdvPreferredLifetime 1800; }};
    {rest}
}};
"""


class Switched:
    """A switch, and hosts that are plugged into it."""

    def __init__(self, lab: Lab, name: str = "switch") -> None:
        self.lab = lab
        self.host = lab.host(name)
        lab.bridge(self.host, "br0")
        self._ports = 0

    def plug(self, host: Host, link: str = "eth0") -> None:
        """A cable from the switch to a link of a host."""
        port = f"port{self._ports}"
        self._ports += 1
        self.lab.veth(self.host, port, host, link, up=False)
        self.host.ip("link", "set", port, "master", "br0", "up")
        host.ip("link", "set", link, "up")


class Router:
    """A router of prior_art.md §3.1: a link to its clients, one to the server behind it, one RA daemon, and PvDs."""

    def __init__(self, lab: Lab, switch: Switched, number: int, server: str) -> None:
        self.lab = lab
        self.number = number
        self.address: Final = f"fe80::{number}"
        self.network: Final = f"2001:db8:{number}0"
        self.host = lab.host(f"r{number}")
        self.server = lab.host(f"s{number}")
        switch.plug(self.host)
        lab.veth(self.host, "back", self.server, "eth0")
        host, behind = self.host, self.server
        host.sysctl("net.ipv6.conf.all.forwarding", 1)
        host.ip("address", "add", f"{self.address}/64", "dev", "eth0", "nodad")
        for subnet in (1, 2):  # that of the implicit PvD, and that of the explicit one
            host.ip("address", "add", f"{self.prefix(subnet)}1/64", "dev", "eth0", "nodad")
        host.ip("address", "add", f"{self.network}::1/64", "dev", "back", "nodad")
        behind.ip("address", "add", f"{self.network}::2/64", "dev", "eth0", "nodad")
        behind.ip("route", "add", "default", "via", f"{self.network}::1")
        self.serving = behind.start(sys.executable, "-c", ANSWER, server)
        self.serving.says("serving")

    @property
    def served(self) -> str:
        """The address of the server behind it."""
        return f"{self.network}::2"

    def prefix(self, subnet: int) -> str:
        """One of its prefixes, without the length."""
        return f"2001:db8:{self.number}:{subnet}::"

    def implicit(self, more: str = "") -> Program:
        """radvd, which knows of no PvD."""
        rest = (
            f"route {self.network}::/48 {{ AdvRoutePreference high; AdvRouteLifetime 3600; }};\n"
            f"    RDNSS {self.network}::53 {{ AdvRDNSSLifetime 60; }};\n"
            f"    DNSSL r{self.number}.example {{ AdvDNSSLLifetime 60; }};"
        )
        return self.host.radvd(RADVD.format(source=self.address, prefix=f"{self.prefix(1)}/64", rest=rest, more=more))

    def explicit(self, name: str, *more: str) -> Program:
        """The RA sender of ours, with one PvD, from another address of the router (RFC 8801 §5)."""
        source = f"fe80::{self.number}:2"
        self.host.ip("address", "replace", f"{source}/64", "dev", "eth0", "nodad")
        said = (
            *("--source", source, "--pvd", name, "--prefix", f"{self.prefix(2)}/64,3600,1800"),
            *("--route", f"{self.network}::/48,3600,high", "--dns", f"{self.network}::54"),
            *("--search", f"{name}", "--lifetime", "60", "--router-lifetime", "600", "--mtu", "1400"),
        )
        return advertises(self.host, "eth0", *said, *more)

    def withdraw(self, name: str) -> None:
        """The PvD of `explicit`, with lifetimes of 0: it is no more."""
        source = f"fe80::{self.number}:2"
        said = (
            *("--source", source, "--pvd", name, "--prefix", f"{self.prefix(2)}/64,0,0"),
            *("--route", f"{self.network}::/48,0", "--dns", f"{self.network}::54", "--search", name),
            *("--lifetime", "0", "--router-lifetime", "0"),
        )
        self.host.pvdctl("advertise", "--link", "eth0", "--count", "1", *said)

    def leases(self) -> Program:
        """dnsmasq, which leases IPv4 addresses to its clients."""
        network = f"192.0.{self.number}"
        self.host.ip("address", "replace", f"{network}.1/24", "dev", "eth0")
        return self.host.dnsmasq("--interface=eth0", f"--dhcp-range={network}.10,{network}.99,2m", "--bind-interfaces")


def advertises(host: Host, link: str, *words: str) -> Program:
    """`pvdctl advertise`, again and again."""
    return host.start(*PVDCTL, "advertise", "--link", link, "--count", "0", "--interval", "3", *words, env=ours())


class Two:
    """T1 of prior_art.md §3.1: a client and two routers on one link, each with an implicit and an explicit PvD, each
    with a server behind it that the other cannot reach."""

    IDS: Final = ("ra:eth0/1/fe80::1", "fqdn:iptv.example.", "ra:eth0/1/fe80::2", "fqdn:voice.example.")
    CONFIG: Final = """
projection = "netns"
[[properties]]
prefix = "2001:db8:1::/48"
set = { access = "wired", free = true }
[[properties]]
prefix = "2001:db8:2::/48"
set = { access = "cellular", free = false }
[[properties]]
pvd = "ra:*"
set = { type = "internet" }
[[properties]]
pvd = "fqdn:iptv.*"
set = { type = "iptv" }
[[properties]]
pvd = "fqdn:voice.*"
set = { type = "voice" }
"""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.switch = Switched(lab)
        self.client = lab.host("client")
        self.switch.plug(self.client)
        self.r1 = Router(lab, self.switch, 1, "S1")
        self.r2 = Router(lab, self.switch, 2, "S2")

    def announce(self) -> None:
        """All four PvDs."""
        self.r1.implicit()
        self.r2.implicit()
        self.r1.explicit("iptv.example")
        self.r2.explicit("voice.example")
