"""A daemon that only observes writes nothing to the kernel and sends nothing on the wire."""

from __future__ import annotations

import pytest

from events.dhcp import Dhcp4MessageSeen
from events.ids import SECOND
from events.router import RouterAdvertised, RouterSolicited
from replay.files.captures import open_capture
from tests.live.lab import Host, Lab, Program, until
from tests.wire.packets import DISCOVER, ethernet, ipv4, name, pio, pvd, rdnss, udp


@pytest.mark.covers("problem:20")
def test_it_says_nothing_and_changes_nothing(lab: Lab) -> None:
    """Its neighbour's tcpdump and the kernel's own notices are the witnesses; that they would have noticed, each shows
    by one packet and one address of ours at the end."""
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1", up=False)
    host.ip("link", "set", "eth0", "addrgenmode", "none")  # so that the kernel has nothing to say of its own accord
    host.sysctl("net.ipv6.conf.eth0.accept_ra", 0)
    host.ip("link", "set", "eth0", "up")
    router.ip("link", "set", "eth1", "up")
    until(lambda: _settled(host), lambda: host.ip("link"))  # what the kernel says of a new link, it says a second later
    dumping, capture = router.tcpdump("eth1", "ether", "src", host.mac("eth0"))
    monitor = host.start("ip", "monitor", "link", "address", "route", "rule", "netconf", "nsid")
    before = until(lambda: _begun(host, monitor), monitor.said)
    pvdd = lab.pvdd(host)
    wire = router.wire("eth1")
    wire.advertise(pio("2001:db8:1::"), rdnss("2001:db8:1::53"))
    wire.advertise(pvd(name("provider.example."), pio("2001:db8:2::")), source="fe80::2", flags=0xC0)
    wire.send(ethernet(ipv4(udp(DISCOVER, 68, 67)), 0x0800))
    pvdd.wait(Dhcp4MessageSeen)
    pvdd.wait(RouterAdvertised, count=2)
    assert pvdd.stop() == 0
    assert host.run("sh", "-c", STATE).stdout == before
    host.ip("address", "add", "192.0.2.9/32", "dev", "lo")  # the control, in the kernel
    host.wire("eth0").send(ethernet(bytes(46), 0x88B5, mac=host.mac("eth0")))  # and on the wire
    said = monitor.says("192.0.2.9/32")
    assert said[said.rindex("192.0.2.8/32") :].count("inet ") == 1 and "eth0" not in said[said.rindex("192.0.2.8/32") :]
    until(lambda: capture.stat().st_size > 24, dumping.said)
    dumping.stop()
    with open_capture(str(capture)) as packets:
        assert [data[12:14] for *_, data, _ in packets] == [b"\x88\xb5"]


def test_it_asks_for_routers_where_it_is_told_to_until_one_answers(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host, "--solicit")
    first = pvdd.wait(RouterSolicited)
    assert isinstance(first.event, RouterSolicited)
    assert first.event.link == "eth0" and first.event.source.startswith("fe80::")
    wire = router.wire("eth1")
    wire.advertise(lifetime=0)
    second = pvdd.wait(RouterSolicited, count=2)
    assert second.at - first.at >= 4 * SECOND
    wire.advertise(lifetime=1800)
    pvdd.wait(lambda event: isinstance(event, RouterAdvertised) and event.header.lifetime_s == 1800)
    assert pvdd.stop() == 0


STATE = (
    "ip -o address; ip route show table all; ip -6 route show table all; ip rule; ip -6 rule; ls /etc/netns /run/netns"
)


def _settled(host: Host) -> bool:
    return "state UP" in host.ip("link", "show", "eth0") and "ff00::/8 dev eth0" in host.run("sh", "-c", STATE).stdout


def _begun(host: Host, monitor: Program) -> str | None:
    """The state of the host once its monitor is known to listen: it has told of an address that came and went."""
    host.ip("address", "add", "192.0.2.8/32", "dev", "lo")
    host.ip("address", "del", "192.0.2.8/32", "dev", "lo")
    return host.run("sh", "-c", STATE).stdout if "192.0.2.8/32" in monitor.said() else None
