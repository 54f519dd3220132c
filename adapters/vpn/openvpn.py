"""OpenVPN: the environment of its scripts (openvpn(8), "Environmental Variables").

Law: `route-up` says all there is; `up` knows no `redirect_gateway` yet. What a restart in the old tunnel leaves out
(all routes and gateways) stays as it was said before.

    up, route-up           the tunnel, whole
    down, route-pre-down   its end; but of a `restart`, which keeps the tunnel and is followed by `up`, nothing
    ipchange               nothing: what changed is outside the tunnel

Routes to `net_gateway` are those that do not go through the tunnel: excluded.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from adapters.vpn.tunnel import Tunnel, Unusable

CLIENT: Final = "openvpn"
BEGINS: Final = ("up", "route-up")
ENDS: Final = ("down", "route-pre-down")
SILENT: Final = ("ipchange",)
DOMAINS: Final = ("DOMAIN", "DOMAIN-SEARCH", "ADAPTER_DOMAIN_SUFFIX")
Env = Mapping[str, str]


def is_here(env: Env) -> bool:
    """Whether this is the environment of one of its scripts."""
    return "script_type" in env


def name_of(env: Env) -> str:
    """What the VPN is called: as its configuration file, "" if there is none."""
    return re.sub(r"\.(conf|ovpn)$", "", env.get("config", "").rpartition("/")[2])


def happens(env: Env) -> str:
    """`up`, `down`, or "" for nothing that concerns the tunnel. Raises Unusable."""
    kind = env["script_type"]
    if kind in SILENT or (kind == "down" and env.get("script_context") == "restart" and "signal" in env):
        return ""
    if kind in BEGINS:
        return "up"
    if kind in ENDS:
        return "down"
    known = ", ".join((*BEGINS, *ENDS, *SILENT))
    raise Unusable(f"OpenVPN's {kind} says nothing of a tunnel; use this for {known}")


def read(env: Env) -> Tunnel:
    """What OpenVPN says. Raises Unusable."""
    made = Tunnel(CLIENT, env.get("dev", ""))
    made.ends(gateway=env.get("route_vpn_gateway", ""), remote=env.get("trusted_ip", "") or env.get("trusted_ip6", ""))
    _addresses(env, made)
    _routes(env, made)
    _names(env, made)
    made.size(env.get("tun_mtu", "0"), "tun_mtu")
    restarted = env.get("script_context") == "restart" and env["script_type"] == "up"
    made.partial = restarted and not any(key.startswith("route_") for key in env)
    return made


def _addresses(env: Env, made: Tunnel) -> None:
    local, mask, remote = (env.get(f"ifconfig_{one}", "") for one in ("local", "netmask", "remote"))
    if local and mask:
        made.address(f"{local}/{mask}", "ifconfig_local")
    elif local:  # point to point: the other end is all that is on-link
        made.address(f"{local}/32", "ifconfig_local")
        if remote:
            made.include(f"{remote}/32", "ifconfig_remote")
    if local6 := env.get("ifconfig_ipv6_local"):
        made.address(f"{local6}/{env.get('ifconfig_ipv6_netbits', '64')}", "ifconfig_ipv6_local")


def _routes(env: Env, made: Tunnel) -> None:
    outside = env.get("route_net_gateway", "")
    inside = env.get("route_vpn_gateway", "")
    for number in _numbers(env, "route_network_"):
        where = f"route_network_{number}"
        prefix = f"{env[where]}/{env.get(f'route_netmask_{number}', '255.255.255.255')}"
        via = env.get(f"route_gateway_{number}", inside)
        if outside and via == outside != inside:
            made.exclude(prefix, where)
        else:
            made.include(prefix, where, via)
    outside6, inside6 = env.get("net_gateway_ipv6", ""), env.get("ifconfig_ipv6_remote", "")
    for number in _numbers(env, "route_ipv6_network_"):
        where = f"route_ipv6_network_{number}"
        via = env.get(f"route_ipv6_gateway_{number}", inside6)
        if outside6 and via == outside6 != inside6:
            made.exclude(env[where], where)
        else:
            made.include(env[where], where, via)
    if env.get("redirect_gateway", "0") != "0":
        made.include("0.0.0.0/0", "redirect_gateway", inside)


def _names(env: Env, made: Tunnel) -> None:
    """`--dns` by its servers' numbers (lower first), then `--dhcp-option` as pushed."""
    for number in _numbers(env, "dns_server_", "_address_1"):
        server = f"dns_server_{number}_"
        if env.get(f"{server}transport", "plain") != "plain":
            made.ignore(f"{server}transport")
            continue
        for each in _numbers(env, f"{server}address_"):
            if env.get(f"{server}port_{each}", "53") != "53":
                made.ignore(f"{server}port_{each}")
            else:
                made.resolver(env[f"{server}address_{each}"], f"{server}address_{each}")
        for each in _numbers(env, f"{server}resolve_domain_"):
            made.split_name(env[f"{server}resolve_domain_{each}"], f"{server}resolve_domain_{each}")
    for number in _numbers(env, "dns_search_domain_"):
        made.search_name(env[f"dns_search_domain_{number}"], f"dns_search_domain_{number}")
    for number in _numbers(env, "foreign_option_"):
        kind, _, value = env[f"foreign_option_{number}"].partition(" ")
        option, _, value = value.partition(" ")
        if kind != "dhcp-option":
            made.ignore(f"foreign_option_{number}")
        elif option in ("DNS", "DNS6"):
            made.resolver(value, f"dhcp-option {option}")
        elif option in DOMAINS:
            made.search_name(value, f"dhcp-option {option}")
        else:
            made.ignore(f"dhcp-option {option}")


def _numbers(env: Env, before: str, after: str = "") -> Iterator[int]:
    """The numbers N of which BEFORE N AFTER is there, in order."""
    pattern = re.compile(re.escape(before) + r"(-?\d{1,5})" + re.escape(after))
    found = (pattern.fullmatch(key) for key in env)
    yield from sorted(int(one[1]) for one in found if one)
