"""What is heard on the wire: everything that matters, once, whatever carries it, and nothing of it lost or believed
twice."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
from contextlib import suppress

import pytest

import adapters.sockets.kernel as kernel_module
from adapters.clock import Clock
from adapters.ingest import Translator
from adapters.sockets.capture import Captures
from adapters.sockets.kernel import Kernel
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen
from events.frames import FramesLost, FramesRefused
from events.link import LinkSeen
from events.router import Rdnss, RouterAdvertised, RouterSolicited
from pvdcore.routers.bounds import BOUNDS
from pvdcore.state import State
from tests.live.lab import Daemon, Lab, TooLong, advertisement
from tests.live.sandbox import sandboxed, sh
from tests.wire.packets import ethernet, ipv6, name, pio, pvd, rdnss, sealed


def heard(pvdd: Daemon) -> list[RouterAdvertised]:
    return [one.event for one in pvdd.records() if isinstance(one.event, RouterAdvertised)]


@pytest.mark.covers("feat:A1")
def test_option_21_of_a_live_advertisement_makes_an_explicit_pvd(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    router.wire("eth1").advertise(pvd(name("provider.example."), pio("2001:db8:1::")), flags=0)
    pvdd.wait(RouterAdvertised)
    assert "fqdn:provider.example." in pvdd.state().pvds


def test_radvd_is_heard(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    radvd = router.radvd(
        """interface eth1 {
            AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultPreference high;
            prefix 2001:db8:1::/64 { AdvValidLifetime 600; AdvPreferredLifetime 300; };
            RDNSS 2001:db8:1::53 { AdvRDNSSLifetime 600; };
        };"""
    )
    first = pvdd.wait(RouterAdvertised).event
    assert isinstance(first, RouterAdvertised) and first.header.preference == "high"
    [id] = pvdd.state().pvds
    assert id.startswith("ra:eth0/1/fe80::")
    radvd.stop()  # it says goodbye: router lifetime 0, and the fold takes the router away
    last = pvdd.wait(lambda event: isinstance(event, RouterAdvertised) and event.header.lifetime_s == 0).event
    assert isinstance(last, RouterAdvertised)


def test_a_real_clients_leases_are_heard_both_ways(lab: Lab) -> None:
    """dnsmasq gives and dhcpcd asks, on the host that pvdd runs on: questions go out, answers come in."""
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    router.ip("address", "add", "192.0.2.1/24", "dev", "eth1")
    router.ip("address", "add", "2001:db8:6::1/64", "dev", "eth1", "nodad")
    pvdd = lab.pvdd(host)
    router.dnsmasq(
        "--interface=eth1",
        "--bind-interfaces",
        "--dhcp-range=192.0.2.50,192.0.2.60,10m",
        "--dhcp-range=2001:db8:6::50,2001:db8:6::60,64,10m",
        "--enable-ra",
    )
    host.start("dhcpcd", "-B", "-d", "--noarp", "--nohook", "resolv.conf", "-o", "domain_name_servers", "eth0")
    pvdd.wait(lambda event: isinstance(event, Dhcp4MessageSeen) and event.message == "ACK")
    pvdd.wait(lambda event: isinstance(event, Dhcp6MessageSeen) and event.message == "REPLY")
    said = [one.event for one in pvdd.records()]
    four = [one.message for one in said if isinstance(one, Dhcp4MessageSeen)]
    assert list(dict.fromkeys(four))[:4] == ["DISCOVER", "OFFER", "REQUEST", "ACK"]
    leases = {key: grant for key, grant in pvdd.state().grants.items() if grant.rule == "dhcp4"}
    assert [grant.mac for grant in leases.values()] == [host.mac("eth0")]


def test_a_tag_without_a_device_is_a_link_of_its_own(lab: Lab) -> None:
    """A program that tags by itself, on a tap: this kernel need know nothing of VLANs."""
    host = lab.host("h")
    tap = lab.tun(host, "tap0")
    pvdd = lab.pvdd(host)
    tap.send(advertisement(pio("2001:db8:1::")), advertisement(pio("2001:db8:2::"), tags=(10,)))
    tap.send(advertisement(pio("2001:db8:3::"), tags=(10, 30)))
    pvdd.wait(RouterAdvertised, count=3)
    assert [one.link for one in heard(pvdd)] == ["tap0", "tap0.10", "tap0.10.30"]


def test_a_tag_for_which_there_is_a_device_is_heard_there_and_not_on_the_link_below(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This kernel has no VLAN devices, so netlink's word of one is ours; the frames and the socket are real."""

    @sandboxed
    def body() -> None:
        tap = _tap()
        below = socket.if_nametoindex("tap0")
        whole = kernel_module.dump
        vlan = _vlan_link(99, "tap0.10", below, 10)
        monkeypatch.setattr(kernel_module, "dump", lambda kind: whole(kind) + ([vlan] if kind == 18 else []))
        clock = Clock()
        kernel = Kernel(clock, State())
        kernel.listing()
        assert kernel.links[below].tagged == {10} and kernel.links[99].tag_of == (below, 10)
        captures = Captures(clock, Translator(), ("tap0",))
        captures.follow({below: kernel.links[below]})
        for tags in ((), (10,), (20,), (10, 30)):
            os.write(tap, advertisement(pio("2001:db8:1::"), tags=tags))
        heard: list[str] = []
        while len(heard) < 2:
            heard += [event.link for _, events in captures.drain(99) for event in events]  # type: ignore[union-attr]
        assert heard == ["tap0", "tap0.20"]
        captures.close()
        kernel.close()

    body()


def _tap() -> int:
    """A tap device that is up, as a file."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", b"tap0", 0x1002))  # TUNSETIFF, TAP | NO_PI
    sh("ip link set tap0 addrgenmode none up")
    return tap


def _vlan_link(index: int, name: str, below: int, tag: int) -> bytes:
    """RTM_NEWLINK of a VLAN device (uapi linux/if_link.h)."""

    def attribute(kind: int, value: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)

    info = attribute(1, b"vlan\0") + attribute(2, attribute(1, struct.pack("=H", tag)))
    body = struct.pack("=BxHiII", 0, 1, index, 0, 0) + attribute(3, name.encode() + b"\0")
    body += attribute(5, struct.pack("=I", below)) + attribute(18, info)
    return struct.pack("=IHHII", 16 + len(body), 16, 0, 0, 0) + body


def test_only_chosen_links_are_heard(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    for number in range(3):
        lab.veth(host, f"{'wlan' if number else 'eth'}{number}", router, f"r{number}")
    pvdd = lab.pvdd(host, "--link", "wlan*")
    for number in range(3):
        router.wire(f"r{number}").advertise(pio(f"2001:db8:{number}::"))
    pvdd.wait(lambda event: isinstance(event, RouterAdvertised) and event.link == "wlan2")
    assert sorted(one.link for one in heard(pvdd)) == ["wlan1", "wlan2"]


def test_a_link_that_appears_later_is_heard_and_one_that_goes_is_let_go(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    pvdd = lab.pvdd(host)
    for round_, link in enumerate(("eth0", "eth0#2"), start=1):
        lab.veth(host, "eth0", router, "eth1")
        pvdd.wait(lambda event, link=link: isinstance(event, LinkSeen) and event.link == link and event.carrier)
        router.wire("eth1").advertise(pio("2001:db8:1::"))
        last = pvdd.wait(RouterAdvertised, count=round_).event
        assert isinstance(last, RouterAdvertised) and last.link == link
        host.ip("link", "del", "eth0")


def test_our_own_solicitation_is_heard_once_and_our_own_advertisement_is_not(lab: Lab) -> None:
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    wire = host.wire("eth0")
    wire.advertise(pio("2001:db8:bad::"), source="fe80::bad")  # to others, as a router
    solicitation = sealed(bytes((133, 0)) + bytes(6), "fe80::2", "ff02::2")
    wire.send(ethernet(ipv6(solicitation, "fe80::2", "ff02::2"), mac=host.mac("eth0")))
    router.wire("eth1").advertise(pio("2001:db8:1::"))
    pvdd.wait(RouterAdvertised)
    assert [one.router for one in heard(pvdd)] == ["fe80::1"]
    assert sum(isinstance(one.event, RouterSolicited) for one in pvdd.records()) == 1


def test_a_burst_of_twenty_thousand_is_heard_whole(lab: Lab) -> None:
    """All are on the wire before the daemon may read the first. The bound that keeps strangers out of the journal
    counts them: what was written and what was refused are together what was sent, and the kernel dropped none."""
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    frames = [advertisement(pio("2001:db8:1::"), source=f"fe80::{number:x}") for number in range(1, 1001)]
    wire = router.wire("eth1")
    pvdd.send(signal.SIGSTOP)
    for _ in range(20):
        wire.send(*frames)
    wire.advertise(rdnss("2001:db8::53"), source="fe80::1")  # the last one, of somebody who is known by then
    pvdd.send(signal.SIGCONT)
    pvdd.wait(lambda event: isinstance(event, RouterAdvertised) and isinstance(event.options[0], Rdnss))
    assert pvdd.stop() == 0
    refused = [one.event for one in pvdd.records() if isinstance(one.event, FramesRefused)]
    assert len(heard(pvdd)) + sum(one.count for one in refused) == 20_001
    assert not [one for one in pvdd.records() if isinstance(one.event, FramesLost)]


def test_what_the_kernel_dropped_is_counted(lab: Lab) -> None:
    """More than the buffer holds, while nobody reads: what was heard, refused and lost is together what was sent."""
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    frames = [advertisement(pio("2001:db8:1::"), source=f"fe80::{number:x}") for number in range(1, 1001)]
    wire = router.wire("eth1")
    pvdd.send(signal.SIGSTOP)
    for _ in range(150):
        wire.send(*frames)
    pvdd.send(signal.SIGCONT)
    last = 0
    while True:  # behind all of them, and not lost as they were: then all are read
        last += 1
        wire.advertise(rdnss(f"2001:db8::{last:x}"), source="fe80::1")
        with suppress(TooLong):
            pvdd.wait(lambda event, last=last: _tells(event, f"2001:db8::{last:x}"), patience_s=5)
            break
    assert pvdd.stop() == 0
    events = [one.event for one in pvdd.records()]
    lost = sum(one.count for one in events if isinstance(one, FramesLost) and one.link == "eth0")
    refused = sum(one.count for one in events if isinstance(one, FramesRefused))
    assert lost > 10_000 and len(heard(pvdd)) + refused + lost == 150_000 + last


def _tells(event: object, resolver: str) -> bool:
    return isinstance(event, RouterAdvertised) and any(
        isinstance(one, Rdnss) and resolver in one.addresses for one in event.options
    )


def test_a_flood_leaves_a_few_lines_and_the_router_stays(lab: Lab) -> None:
    """Forged routers as fast as they can be sent: what is written is bounded by the buckets, and the real router, known
    before, is refreshed in the midst of it."""
    host, router = lab.host("h"), lab.host("r")
    lab.veth(host, "eth0", router, "eth1")
    pvdd = lab.pvdd(host)
    wire = router.wire("eth1")
    wire.advertise(pio("2001:db8:1::"), source="fe80::1")
    pvdd.wait(RouterAdvertised)
    for wave in range(4):
        forged = [
            advertisement(pio(f"2001:db8:{number:x}::"), source=f"fe80::{wave}:{number:x}") for number in range(1, 501)
        ]
        wire.send(*forged)
        wire.advertise(pio("2001:db8:1::"), rdnss(f"2001:db8:1::{wave + 1}"), source="fe80::1")
        pvdd.wait(lambda event: isinstance(event, RouterAdvertised) and event.router == "fe80::1", count=wave + 2)
    pvdd.wait(lambda event: isinstance(event, FramesRefused))
    assert pvdd.stop() == 0
    records = pvdd.records()
    at_once = 100 + BOUNDS["flood-ra-full"].at_once  # policy bucket_frames, and 20 a second (bucket_rate)
    span_s = (records[-1].at - records[0].at) / 1e9
    assert len(heard(pvdd)) <= 5 + at_once + span_s * 21
    refused = [one.event for one in records if isinstance(one.event, FramesRefused)]
    lost = sum(one.event.count for one in records if isinstance(one.event, FramesLost))
    assert len(heard(pvdd)) + sum(one.count for one in refused) + lost == 2_005
    assert pvdd.state().pvds["ra:eth0/1/fe80::1"].phase == "announced"
