"""Real namespaces: what an operation leaves in the kernel, as `ip` sees it, and what of it we read back.

Law: what is right is asked of iproute2, never of our own reader alone; what is not ours is there afterwards, unchanged.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import adapters.places.resolv as resolv
from adapters.places.netns import Netns
from adapters.places.netns import inside as within
from adapters.sockets.netlink import PROTOCOL, Rtnl, rule
from events.ops import (
    AddressAdd,
    AddressDelete,
    LinkAdd,
    LinkDelete,
    LinkMove,
    LinkSet,
    NetnsAdd,
    NetnsDelete,
    Op,
    ResolverWrite,
    RouteAdd,
    RouteDelete,
)
from pvdcore.projections.desired import EXCLUDED
from pvdcore.projections.plan import METRICS, Look
from tests.live.lab import until
from tests.live.sandbox import sandboxed, sh

N = "pvd-0011223344"
MAC = "02:00:11:22:33:44"
PLACE = (
    NetnsAdd(N, "fqdn:x.example."),
    LinkAdd(N, N, "eth0", 1400, MAC),
    LinkSet(N, N, 0, 33),
    AddressAdd(N, N, "fe80::34/64", None, None, "optimistic"),
    AddressAdd(N, N, "2001:db8::5/64", 3600, 1800, "optimistic"),
    RouteAdd(N, N, "2001:db8::/64", None, "medium", METRICS["medium"], 3600),
    RouteAdd(N, N, "::/0", "fe80::1", "high", METRICS["high"], 1800),
    RouteAdd(N, N, "::/0", "fe80::2", "low", METRICS["low"], 1800),
    ResolverWrite(N, ("2001:db8::53", f"fe80::53%{N}"), ("x.example.", "y.example.")),
)


def link() -> None:
    """A link as a host has it, its other end beside it."""
    sh("ip link add eth0 type veth peer name peer0 && ip link set eth0 up && ip link set peer0 up")


def done(kernel: Netns, *ops: Op) -> None:
    """All of them must succeed."""
    assert [(one.op, one.error) for one in map(kernel.apply, ops) if one.error] == []


def ip(command: str) -> list[dict[str, Any]]:
    """What iproute2 says inside, decoded."""
    found: list[dict[str, Any]] = json.loads(sh(f"ip -j -n {N} {command}") or "[]")
    return found


def look(kernel: Netns, name: str = N) -> Look:
    found = kernel.look(name)
    assert found is not None
    return found


def lasting(seen: Look) -> tuple[object, ...]:
    """A look without what runs down."""
    keys = tuple(one for one, *_ in seen.addresses), tuple(one[:3] for one in seen.routes)
    return (*keys, seen.mark, seen.device, seen.mtu, seen.hop_limit, seen.up, seen.servers, seen.search)


@sandboxed
def test_a_place_is_what_its_operations_say_and_is_read_back_as_such() -> None:
    link()
    kernel = Netns()
    kernel.prepare_spares()
    done(kernel, *PLACE)

    lo, device = ip("-d link")
    assert (lo["ifname"], lo["ifalias"], "UP" in lo["flags"]) == ("lo", "pvd:fqdn:x.example.", True)
    assert (device["ifname"], device["ifalias"], device["address"], device["mtu"]) == (N, f"pvd:{N}", MAC, 1400)
    assert "UP" in device["flags"]
    assert device["linkinfo"]["info_data"]["mode"] == "bridge"
    addresses = {one["local"]: one for one in ip("-6 address show dev " + N)[0]["addr_info"]}
    assert set(addresses) == {"fe80::34", "2001:db8::5"}, "nothing that the kernel made by itself"
    five = addresses["2001:db8::5"]
    assert five["optimistic"]
    assert five["noprefixroute"]
    assert (five["valid_life_time"], five["preferred_life_time"]) in ((3600, 1800), (3599, 1799))
    routes = {(one["dst"], one.get("gateway")): one for one in ip(f"-6 route show protocol {PROTOCOL}")}
    assert set(routes) == {("2001:db8::/64", None), ("default", "fe80::1"), ("default", "fe80::2")}
    assert (routes["default", "fe80::1"]["pref"], routes["default", "fe80::1"]["metric"]) == ("high", METRICS["high"])
    assert 1798 <= routes["default", "fe80::2"]["expires"] <= 1800
    inside = f"ip netns exec {N} sh -c 'cat /etc/resolv.conf; cd /proc/sys/net; cat {{}}'"
    said = sh(inside.format(f"ipv6/conf/{N}/accept_ra ipv6/conf/{N}/autoconf ipv6/conf/{N}/hop_limit ipv4/ip_forward"))
    assert said.splitlines() == [
        resolv.MARK.strip(),
        "nameserver 2001:db8::53",
        f"nameserver fe80::53%{N}",
        "search x.example. y.example.",
        *("0", "0", "33", "0"),
    ]

    seen = look(kernel)
    assert (seen.mark, seen.device, seen.mtu, seen.hop_limit, seen.up) == ("fqdn:x.example.", N, 1400, 33, True)
    assert {one for one, _, _ in seen.addresses} == {"fe80::34/64", "2001:db8::5/64"}
    assert {(to, via, metric) for to, via, metric, *_ in seen.routes} == {
        ("2001:db8::/64", None, METRICS["medium"]),
        ("::/0", "fe80::1", METRICS["high"]),
        ("::/0", "fe80::2", METRICS["low"]),
    }
    assert (seen.servers, seen.search) == (("2001:db8::53", f"fe80::53%{N}"), ("x.example.", "y.example."))
    assert lasting(look(Netns())) == lasting(seen), "another process finds the same"


@sandboxed
def test_what_is_there_is_changed_and_not_doubled() -> None:
    link()
    kernel = Netns()
    done(kernel, *PLACE)
    done(
        kernel,
        AddressAdd(N, N, "2001:db8::5/64", 900, 0, "optimistic"),
        RouteAdd(N, N, "::/0", "fe80::1", "high", METRICS["high"], 600),
        LinkSet(N, N, 1300, 44),
        ResolverWrite(N, ("2001:db8::54",)),
    )
    seen = look(kernel)
    assert (seen.mtu, seen.hop_limit, seen.servers, seen.search) == (1300, 44, ("2001:db8::54",), ())
    assert [one[1:] for one in seen.addresses if one[0] == "2001:db8::5/64"] in ([(900, 0)], [(899, 0)])
    assert [ends for to, via, _, ends, _ in seen.routes if via == "fe80::1"] in ([600], [599])
    done(kernel, AddressDelete(N, N, "2001:db8::5/64"), RouteDelete(N, N, "::/0", "fe80::1", METRICS["high"]))
    done(kernel, ResolverWrite(N), LinkDelete(N, N))
    assert look(kernel) == Look(mark="fqdn:x.example.")
    assert not Path("/etc/netns", N).exists()


@pytest.mark.parametrize(
    ("op", "error"),
    [
        (NetnsAdd(N), "EEXIST"),
        (LinkAdd(N, N, "eth0"), "EEXIST"),
        (LinkAdd(N, "other", "eth9"), "ENODEV"),
        (LinkSet(N, "other", 1400), "ENODEV"),
        (AddressDelete(N, N, "2001:db8::6/64"), "EADDRNOTAVAIL"),
        (RouteAdd(N, N, "::/0", "2001:db8:77::1", "medium", 1024), "EHOSTUNREACH"),
        (RouteDelete(N, N, "2001:db8:1::/48", None, 1024), "ESRCH"),
        (AddressAdd("pvd-none", N, "2001:db8::6/64"), "ENOENT"),
        (NetnsDelete("pvd-none"), "ENOENT"),
    ],
    ids=lambda one: type(one).__name__ if not isinstance(one, str) else one,
)
def test_what_cannot_be_done_says_why_in_the_kernels_words(op: Op, error: str) -> None:
    @sandboxed
    def tried() -> None:
        link()
        kernel = Netns()
        done(kernel, *PLACE)
        before = lasting(look(kernel))
        assert kernel.apply(op).error.split(":")[0] == error
        assert lasting(look(kernel)) == before

    tried()


@pytest.mark.covers("bug:27")
@sandboxed
def test_what_is_not_marked_is_never_touched_whatever_it_is_called() -> None:
    sh(f"ip netns add {N} && ip -n {N} link set lo alias mine")
    Path("/etc/netns", N).mkdir()
    theirs = Path("/etc/netns", N, "resolv.conf")
    theirs.write_text("nameserver 192.0.2.1\n")
    before = os.stat(f"/run/netns/{N}").st_ino
    kernel = Netns()
    link()
    assert kernel.names() == []
    assert kernel.look(N) is None
    assert [kernel.apply(op).error.split(":")[0] for op in PLACE] == ["EEXIST"] + ["EPERM"] * 8
    assert kernel.apply(NetnsDelete(N)).error.startswith("EPERM")
    assert os.stat(f"/run/netns/{N}").st_ino == before
    assert [one["ifname"] for one in ip("link")] == ["lo"]
    assert resolv.write(N, ("2001:db8::53",), ()).startswith("EEXIST")
    resolv.remove(N)
    assert theirs.read_text() == "nameserver 192.0.2.1\n"


@sandboxed
def test_what_others_put_inside_is_not_seen_and_stays() -> None:
    link()
    kernel = Netns()
    done(kernel, *PLACE)
    before = lasting(look(kernel))
    sh(f"ip -n {N} address add 2001:db8:f::1/64 dev {N} && ip -n {N} -6 route add 2001:db8:e::/48 via fe80::9 dev {N}")
    assert lasting(look(kernel)) == before
    done(kernel, AddressDelete(N, N, "2001:db8::5/64"))
    assert "2001:db8:f::1" in sh(f"ip -n {N} address")
    assert "2001:db8:e::/48" in sh(f"ip -n {N} -6 route")


@sandboxed
def test_a_name_that_stands_for_another_namespace_is_noticed() -> None:
    link()
    kernel = Netns()
    done(kernel, *PLACE)
    sh(f"ip netns delete {N}")
    assert kernel.look(N) is None
    sh(f"ip netns add {N}")
    assert kernel.look(N) is None
    assert kernel.apply(NetnsDelete(N)).error.startswith("EPERM"), "the new one of that name is somebody else's"
    sh(f"ip netns delete {N}")
    # With another MAC: the kernel takes its time until it has done away with the old device.
    done(kernel, *PLACE[:1], LinkAdd(N, N, "eth0", 1400), *PLACE[2:])


@sandboxed
def test_a_namespace_with_a_process_or_a_socket_inside_stays_and_says_who() -> None:
    link()
    kernel = Netns()
    done(kernel, *PLACE)
    inside = subprocess.Popen(["ip", "netns", "exec", N, "sleep", "1000"])
    with kernel_socket(kernel) as held:
        outside = subprocess.Popen(["sleep", "1000"], stdin=held)
    for one in (inside, outside):
        wait_for_exec(one.pid, "sleep")
    found = kernel.users(N)
    assert {(one.pid, one.comm) for one in found} == {(inside.pid, "sleep"), (outside.pid, "sleep")}
    assert kernel.apply(NetnsDelete(N)).error == "EBUSY"
    for process in (inside, outside):
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert kernel.users(N) == ()
    done(kernel, NetnsDelete(N))
    assert not Path("/run/netns", N).exists()
    assert not Path("/etc/netns", N).exists()


def kernel_socket(kernel: Netns) -> socket.socket:
    """A UDP socket of the place, to be handed to somebody who is not in it."""
    room = kernel.room(N)
    assert room is not None
    held = within(room.fd, lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    held.bind(("::", 4711))
    return held


def wait_for_exec(pid: int, comm: str) -> None:
    """Until a child is what it is to become."""
    while Path(f"/proc/{pid}/comm").read_text().strip() != comm:
        os.sched_yield()


@pytest.mark.covers("bug:26")
@sandboxed
def test_no_thread_of_ours_leaves_its_namespace() -> None:
    link()
    kernel = Netns()
    home = os.stat("/proc/self/ns/net").st_ino
    for at in range(20):
        done(kernel, *PLACE[:1], LinkAdd(N, N, "eth0", 1400, f"02:00:00:00:00:{at:02x}"), *PLACE[2:])
        assert kernel.users(N) == ()
        done(kernel, NetnsDelete(N), *PLACE[:1], NetnsDelete(N))
    # A thread that was joined is a moment longer in the kernel.
    until(lambda: _spaces() == {home}, lambda: f"{_spaces()}, and {home} is home")
    kernel.close()
    assert os.listdir("/run/netns") == []


def _spaces() -> set[int]:
    """The network namespaces in which threads of ours are."""
    found = set()
    for task in os.listdir("/proc/self/task"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found.add(os.stat(f"/proc/self/task/{task}/ns/net").st_ino)
    return found


@sandboxed
def test_a_file_on_which_nothing_was_mounted_is_taken_away_or_used() -> None:
    link()
    Path("/run/netns", N).touch()
    Path("/run/netns", "somebody").touch()
    kernel = Netns()
    done(kernel, *PLACE)
    Path("/run/netns", "pvd-5566778899").touch()
    kernel.remove_leftovers()
    assert sorted(os.listdir("/run/netns")) == [N, "somebody"]


def tunnel() -> None:
    """A tunnel as its client leaves it: up, with an address and a route."""
    sh("ip tuntap add dev tun0 mode tun && ip link set tun0 up && ip address add 10.8.0.2/24 dev tun0")
    sh("ip route add 192.0.2.0/24 via 10.8.0.1")


MOVED = (
    NetnsAdd(N, "vpn:corp"),
    LinkMove(N, "tun0", 1400),
    AddressAdd(N, "tun0", "10.8.0.2/24"),
    RouteAdd(N, "tun0", "192.0.2.0/24", "10.8.0.1", "medium", METRICS["medium"]),
    RouteAdd(N, "tun0", "2001:db8:9::/48", None, "medium", METRICS["medium"]),
    RouteAdd(N, "", "192.0.2.128/25", None, "medium", EXCLUDED, None, 0, "unreachable"),
    RouteAdd(N, "", "2001:db8:9:9::/64", None, "medium", EXCLUDED, None, 0, "unreachable"),
)


@pytest.mark.covers("feat:C5")
@sandboxed
def test_a_link_that_is_moved_has_what_it_is_given_and_goes_back_when_its_namespace_ends() -> None:
    tunnel()
    kernel = Netns()
    done(kernel, *MOVED)
    assert "tun0" not in sh("ip -br link") and "192.0.2" not in sh("ip route")
    device = ip("-d link")[1]
    assert (device["ifname"], device["mtu"], "UP" in device["flags"]) == ("tun0", 1400, True)
    assert [one["local"] for one in ip("address show dev tun0")[0]["addr_info"]] == ["10.8.0.2"]
    assert "192.0.2.0/24 via 10.8.0.1 dev tun0" in sh(f"ip -n {N} route")
    for excluded in ("192.0.2.129", "2001:db8:9:9::1"):
        asked = subprocess.run(["ip", "-n", N, "route", "get", excluded], capture_output=True, text=True)
        assert "No route to host" in asked.stdout + asked.stderr, "though what is around it goes through the tunnel"
    seen = look(kernel)
    assert (seen.mark, seen.device, seen.mtu, seen.up) == ("vpn:corp", "tun0", 1400, True)
    assert {one[:3] for one in seen.routes} == {(one.destination, one.via, one.metric) for one in MOVED[3:]}  # type: ignore[attr-defined]
    assert lasting(look(Netns())) == lasting(seen), "another process finds the same"
    done(kernel, *(RouteDelete(N, "tun0", *one[:3]) for one in seen.routes))
    assert look(kernel).routes == ()
    done(kernel, NetnsDelete(N))
    assert json.loads(sh("ip -j address show dev tun0"))[0]["addr_info"] == []
    assert "alias" not in sh("ip link show dev tun0")


@sandboxed
def test_a_link_that_is_not_there_any_more_cannot_be_moved_and_one_that_was_is_not_moved_twice() -> None:
    tunnel()
    kernel = Netns()
    done(kernel, *MOVED[:2])
    sh("ip tuntap add dev tun0 mode tun")
    done(kernel, LinkMove(N, "tun0", 1300))
    assert look(kernel).mtu == 1300 and "tun0" in sh("ip -br link"), "the other one of that name is somebody else's"
    assert kernel.apply(LinkMove(N, "tun9")).error.startswith("ENODEV")
    assert kernel.apply(NetnsDelete(N)).error.startswith("EEXIST"), "it finds no room where it came from"
    sh("ip link delete dev tun0")
    done(kernel, NetnsDelete(N))
    assert "tun0" in sh("ip -br link")


@sandboxed
def test_a_rule_carries_our_number_and_is_listed() -> None:
    rtnl = Rtnl()
    assert rtnl.do(rule(9000, 1000, source="2001:db8::5/128")) == ""
    assert rtnl.do(rule(9000, 1000, source="2001:db8::5/128")).startswith("EEXIST")
    said = json.loads(sh("ip -j -6 rule"))
    assert {"priority": 1000, "src": "2001:db8::5", "table": "9000", "protocol": str(PROTOCOL)} in said
    ours = [one for one in rtnl.rules() if one.protocol == PROTOCOL]
    assert [(one.priority, one.table, one.source) for one in ours] == [(1000, 9000, "2001:db8::5/128")]
    assert rtnl.do(rule(9000, 1000, source="2001:db8::5/128", delete=True)) == ""
    assert [one for one in rtnl.rules() if one.protocol == PROTOCOL] == []
