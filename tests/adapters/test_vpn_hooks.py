"""What VPN clients give their scripts, and what it is read as.

Law: the OpenVPN files in tests/vpn are what OpenVPN 2.6.14 gave its scripts in a lab, but for process ids; the others
are made of what vpnc-script's own head and wg-quick(8) list. No secret of any of them is in what is made of it.
"""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import replay.cli as cli
from adapters.running.control import MESSAGE_OCTETS_MAX
from adapters.vpn import wgquick
from adapters.vpn.hook import of_environment, of_file
from adapters.vpn.tunnel import ROUTES_MAX, Tunnel, Unusable, checked, full
from events.codec import encode
from events.vpn import VpnConnected, VpnEnded, VpnRoute
from tests.adapters.driver import Running

FOLDER = Path(__file__).parent.parent / "vpn"
WG = str(FOLDER / "wireguard" / "wg0.conf")
Ctl = Callable[..., tuple[int, str, str]]


def env(name: str, **more: str) -> dict[str, str]:
    """A client's variables."""
    lines = (FOLDER / f"{name}.env").read_text().splitlines()
    return {**dict(line.split("=", 1) for line in lines), **more}


def connected(name: str, **more: str) -> VpnConnected:
    said = of_environment(env(name, **more))
    assert isinstance(said, VpnConnected)
    assert checked(said) == said, "what we make ourselves is canonical"
    return said


ROUTES = (VpnRoute("192.0.2.0/24", "10.8.0.1"), VpnRoute("2001:db8:9::/48", "fd00:8::1"))


@pytest.mark.covers("feat:C5")
def test_openvpns_route_up_is_the_tunnel_whole() -> None:
    assert connected("openvpn-route-up") == VpnConnected(
        vpn="client",
        client="openvpn",
        device="tun0",
        addresses=("10.8.0.2/24", "fd00:8::1000/64"),
        included=ROUTES,
        excluded=("192.0.2.128/25", "2001:db8:9:9::/64"),
        full=False,
        dns=("10.8.0.1", "fd00:8::1"),
        search=("corp.example.", "lab.example."),
        gateway="10.8.0.1",
        remote="198.51.100.1",
        mtu=1500,
        ignored=("dhcp-option NTP",),
    )
    assert connected("openvpn-up") == connected("openvpn-route-up"), "of a split tunnel, up knows as much"


def test_an_openvpn_that_takes_everything_says_so_in_route_up() -> None:
    said = connected("openvpn-full")
    assert said.full
    assert VpnRoute("0.0.0.0/0", "10.8.0.1") in said.included
    assert {one.destination for one in said.included if ":" in one.destination} >= {"::/3", "2000::/4", "3000::/4"}
    assert said.dns == ("10.8.0.1", "fd00:8::1"), "--dns and --dhcp-option name the same servers"
    assert (said.search, said.split_dns) == (("a.example.", "b.example.", "corp.example."), ("corp.example.",))


def test_of_a_point_to_point_tunnel_the_other_end_is_on_link() -> None:
    said = connected("openvpn-net30")
    assert said.addresses[0] == "10.8.0.6/32"
    assert VpnRoute("10.8.0.5/32") in said.included
    assert VpnRoute("192.0.2.0/24", "10.8.0.5") in said.included


def test_an_openvpn_that_restarts_in_its_tunnel_keeps_it_and_its_routes() -> None:
    assert of_environment(env("openvpn-down-restart")) is None
    again = connected("openvpn-up-restart")
    assert again.partial and not again.included
    assert again.addresses == ("10.8.0.2/24", "fd00:8::1000/64")


@pytest.mark.parametrize("kind", ["down", "route-pre-down"])
def test_openvpns_end_says_why(kind: str) -> None:
    assert of_environment(env(f"openvpn-{kind}")) == VpnEnded(vpn="client", device="tun0", reason="sigterm")


def test_what_changed_outside_the_tunnel_is_none_of_its_business() -> None:
    assert of_environment(env("openvpn-ipchange")) is None
    for reason in ("pre-init", "attempt-reconnect"):
        assert of_environment(env("openconnect-connect", reason=reason)) is None


@pytest.mark.parametrize(
    ("file", "changed", "ignored"),
    [
        ("openvpn-route-up", {"route_network_1": "everywhere"}, "route_network_1"),
        ("openvpn-route-up", {"ifconfig_local": "10.8.0"}, "ifconfig_local"),
        ("openvpn-route-up", {"foreign_option_1": "dhcp-option DNS nowhere"}, "dhcp-option DNS"),
        ("openvpn-route-up", {"foreign_option_1": "dhcp-option PROXY_AUTO_CONFIG_URL http://x/y"}, "dhcp-option PROXY"),
        ("openvpn-full", {"dns_server_1_transport": "DoT"}, "dns_server_1_transport"),
        ("openvpn-full", {"dns_server_1_port_1": "5353"}, "dns_server_1_port_1"),
        ("openvpn-route-up", {"tun_mtu": "9"}, "tun_mtu"),
        ("openconnect-connect", {"CISCO_SPLIT_INC_0_ADDR": "x"}, "CISCO_SPLIT_INC_0_ADDR"),
        ("openconnect-connect", {"CISCO_DEF_DOMAIN": "a..b"}, "CISCO_DEF_DOMAIN"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_cannot_be_used_is_told_by_name_and_the_rest_is(file: str, changed: dict[str, str], ignored: str) -> None:
    said = connected(file, **changed)
    assert any(one.startswith(ignored) for one in said.ignored)
    value = next(iter(changed.values())).rpartition(" ")[2]
    assert not any(value in one for one in said.ignored)
    assert said.addresses or said.included


def test_openconnects_environment_is_what_vpnc_script_would_do_with_it() -> None:
    assert connected("openconnect-connect") == VpnConnected(
        vpn="tun0",
        client="vpnc",
        device="tun0",
        addresses=("10.20.0.77/24", "2001:db8:20::77/64"),
        included=(VpnRoute("192.0.2.0/24"), VpnRoute("10.20.64.0/18"), VpnRoute("2001:db8:9::/48")),
        excluded=("192.0.2.128/25", "2001:db8:9:9::/64"),
        dns=("10.20.0.1", "10.20.0.2"),
        search=("corp.example.", "lab.example."),
        split_dns=("corp.example.", "intra.example."),
        remote="198.51.100.1",
        mtu=1406,
        ignored=("INTERNAL_IP4_NBNS",),
    )
    assert connected("openconnect-connect", reason="reconnect") == connected("openconnect-connect")
    ended = of_environment(env("openconnect-connect", reason="disconnect"), name="corp")
    assert ended == VpnEnded(vpn="corp", device="tun0", reason="disconnect")


def test_without_a_list_of_includes_a_family_goes_through_the_tunnel_whole() -> None:
    said = connected("vpnc-full")
    assert (said.included, said.full) == ((VpnRoute("0.0.0.0/0"),), True)
    assert said.addresses == ("10.20.0.77/32",)
    listed = connected("vpnc-full", CISCO_SPLIT_INC="0")
    assert (listed.included, listed.full) == ((), False), "an empty list includes nothing"
    everything = connected("vpnc-full", CISCO_SPLIT_INC="1", CISCO_SPLIT_INC_0_ADDR="0.0.0.0")
    assert everything.full


def test_a_wg_quick_file_is_what_wg_quick_would_do_with_it_and_no_key_is_read() -> None:
    said = of_file(WG)
    assert isinstance(said, VpnConnected) and checked(said) == said
    assert said == VpnConnected(
        vpn="wg0",
        client="wg-quick",
        device="wg0",
        addresses=("10.200.100.8/24", "2001:db8:100::8/64", "10.200.101.8/32"),
        included=(VpnRoute("192.0.2.0/24"), VpnRoute("2001:db8:9::/48"), VpnRoute("10.192.124.0/24")),
        dns=("10.200.100.1", "2001:db8:100::1"),
        search=("corp.example.",),
        mtu=1380,
        ignored=("12: Jitter",),
    )
    for secret in ("oK56DE9U", "UwcSPg38", "GtL7fZc", "demo.wireguard", "iptables"):
        assert secret in Path(WG).read_text() and secret not in encode(said).decode()
    assert of_file(WG, down=True, name="home") == VpnEnded(vpn="home", device="wg0", reason="down")
    assert of_file("wg7", down=True) == VpnEnded(vpn="wg7", device="wg7", reason="down")


@pytest.mark.parametrize(
    ("lines", "routes", "whole"),
    [
        ("[Peer]\nAllowedIPs = 0.0.0.0/0, ::/0", ["0.0.0.0/0", "::/0"], True),
        ("[Peer]\nAllowedIPs = 0.0.0.0/1\n[Peer]\nAllowedIPs = 128.0.0.0/1", ["0.0.0.0/1", "128.0.0.0/1"], True),
        ("Table = off\n[Peer]\nAllowedIPs = 0.0.0.0/0", [], False),
        ("Table = 1234\n[Peer]\nAllowedIPs = 192.0.2.0/24", ["192.0.2.0/24"], False),
    ],
    ids=["everything", "in halves", "no routes", "in another table"],
)
def test_wg_quicks_routes_are_its_peers_unless_it_makes_none(lines: str, routes: list[str], whole: bool) -> None:
    said = wgquick.read("/etc/wireguard/w.conf", f"[Interface]\nAddress = 10.0.0.2\n{lines}\n".encode()).made("w")
    assert ([one.destination for one in said.included], said.full) == (routes, whole)


@pytest.mark.parametrize(
    ("prefixes", "whole"),
    [
        (("2000::/3",), True),
        (("2000::/4", "3000::/4", "fc00::/7"), True),
        (("2000::/4",), False),
        (("0.0.0.0/1",), False),
        ((), False),
    ],
)
def test_a_tunnel_is_full_where_everything_of_a_family_goes_through(prefixes: tuple[str, ...], whole: bool) -> None:
    assert full(VpnRoute(one) for one in prefixes) is whole


# --- what is no hook's ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "have the client run it, or give --wg-quick FILE"),
        ({"script_type": "tls-verify"}, "use this for up, route-up, down, route-pre-down, ipchange"),
        ({"script_type": "up"}, "names no tunnel device"),
        ({"script_type": "up", "dev": "tun0", "config": "/etc/a b.conf"}, "give it one with --name"),
        ({"reason": "party", "TUNDEV": "tun0"}, "is none of vpnc-script's"),
        ({"reason": "connect", "TUNDEV": "../etc"}, "names no tunnel device"),
    ],
    ids=["nobody's", "another script", "no device", "no name", "no reason", "no device's name"],
)
def test_what_is_no_hooks_environment_is_one_line_that_says_what_to_do(said: dict[str, str], told: str) -> None:
    with pytest.raises(Unusable) as found:
        of_environment(said)
    assert told in str(found.value) and "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("wg0.conf", b"[Interface\n", "wg0.conf:1: a section's name without its closing bracket"),
        ("wg0.conf", b"\xff", "octets that are no UTF-8"),
        ("wg0.conf", b"x" * 70_000, "has more than"),
        ("much-too-long-a-name.conf", b"", "rename the file"),
        ("wg0.txt", b"", "rename the file"),
    ],
)
def test_a_file_that_is_no_wg_quicks_is_one_line_that_says_what_to_do(
    name: str, data: bytes, told: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(Unusable) as found:
        of_file(str(path))
    assert told in str(found.value) and "\n" not in str(found.value)
    with pytest.raises(Unusable, match="No such file"):
        of_file(str(tmp_path / "wg9.conf"))


def test_what_is_too_much_is_cut_and_the_rest_fits_a_call() -> None:
    made = Tunnel("openvpn", "tun0")
    for number in range(2 * ROUTES_MAX):
        made.include(f"2001:db8:{number:x}:ffff:ffff::/80", "routes", "2001:db8:ffff:ffff:ffff::1")
        made.exclude(f"2001:db8:{number:x}:ffff:ffff:ffff::/96", "excludes")
    said = made.made("corp")
    assert (len(said.included), len(said.excluded)) == (ROUTES_MAX, ROUTES_MAX)
    assert said.ignored == (f"routes beyond {ROUTES_MAX}", "excludes")
    assert len(json.dumps(msgspec.to_builtins(said))) < MESSAGE_OCTETS_MAX - 1000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("addresses", ("10.8.0.2/33",)),
        ("included", (VpnRoute("x"),)),
        ("excluded", ("x",)),
        ("dns", ("x",)),
        ("search", ("a b",)),
        ("split_dns", ("",)),
        ("mtu", 1),
        ("gateway", "x"),
        ("remote", "vpn.example"),
        ("tunnel", "fly"),
        ("vpn", "a/b"),
        ("client", "x"),
        ("ifindex", -1),
        ("ignored", ("x" * 2000,)),
    ],
)
def test_whoever_tells_pvdd_of_a_tunnel_is_checked_field_by_field(field: str, value: object) -> None:
    said = msgspec.structs.replace(VpnConnected(vpn="corp", client="other", device="tun0"), **{field: value})
    with pytest.raises(ValueError, match=f"^{field}$"):
        checked(said)


# --- the command, and the daemon -----------------------------------------------------------------------------


@pytest.fixture
def ctl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ctl:
    def run(*words: str, **said: str) -> tuple[int, str, str]:
        for key, value in said.items():
            monkeypatch.setenv(key, value)
        code = cli.main(["hook", *words])
        for key in said:
            monkeypatch.delenv(key)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.mark.covers("feat:D4", "feat:C5")
def test_the_hook_tells_the_daemon_and_says_what_it_left_out(ctl: Ctl, tmp_path: Path) -> None:
    running = Running(tmp_path)
    try:
        to = ("--control", running.path, "--name", "corp")
        added = ("tun0", "1500", "0", "10.8.0.2", "255.255.255.0", "init")
        code, out, err = ctl(*to, *added, **env("openvpn-up"))
        assert (code, out, err) == (0, "", "pvdctl: dhcp-option NTP is not used\n")
        ctl(*to, **env("openvpn-route-up"))
        assert running.kinds() == ["VpnConnected"], "the same again is no news"
        ctl(*to, **env("openvpn-ipchange"))
        assert ctl(*to, **env("openvpn-down"))[0] == 0
        assert ctl(*to, **env("openvpn-down"))[0] == 0, "that it is down already is no failure"
        assert running.kinds() == ["VpnConnected", "VpnEnded"]
        assert ctl("--control", running.path, "--wg-quick", WG, "--tunnel", "move")[0] == 0
        assert running.driver.state.vpns["wg0"].said.tunnel == "move"
    finally:
        running.close()


def test_without_a_daemon_the_code_says_so_unless_that_is_allowed(ctl: Ctl, tmp_path: Path) -> None:
    nobody = ("--control", str(tmp_path / "none"))
    code, out, err = ctl(*nobody, **env("vpnc-full"))
    assert (code, out) == (8, "") and "systemctl start pvdd" in err
    code, out, err = ctl(*nobody, "--optional", **env("vpnc-full"))
    assert (code, out) == (0, "") and "systemctl start pvdd" in err
    code, out, err = ctl(*nobody, "--show", **env("vpnc-full"))
    assert (code, err) == (0, "") and json.loads(out)["type"] == "vpn-connected"
    assert ctl("--down")[0] == 2
    assert ctl()[0] == 2 and "have the client run it" in ctl()[2]


def test_another_program_may_tell_of_a_tunnel_and_is_told_what_is_wrong(tmp_path: Path) -> None:
    from adapters.running.client import Refused

    running = Running(tmp_path)
    try:
        with running.client() as client:
            plain = {"vpn": "mine", "client": "other", "device": "e0", "addresses": ["192.0.2.7/32"]}
            assert client.call("internal.pvd.Control.VpnUp", vpn=plain) == {"pvd": "vpn:mine"}
            for wrong, field in (
                ({**plain, "routes": []}, "routes"),
                ({**plain, "addresses": "192.0.2.7"}, "addresses"),
                ({**plain, "dns": ["x"]}, "dns"),
            ):
                with pytest.raises(Refused) as found:
                    client.call("internal.pvd.Control.VpnUp", vpn=wrong)
                assert found.value.parameters == {"parameter": field}
            with pytest.raises(Refused, match="NoSuchVpn"):
                client.call("internal.pvd.Control.VpnDown", vpn="theirs")
            client.call("internal.pvd.Control.VpnDown", vpn="mine", device="tun9")
            assert running.kinds() == ["VpnConnected"], "an earlier tunnel's end"
            client.call("internal.pvd.Control.VpnDown", vpn="mine")
            assert running.kinds() == ["VpnConnected", "VpnEnded"]
    finally:
        running.close()
