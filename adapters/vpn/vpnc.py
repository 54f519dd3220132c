"""vpnc and OpenConnect: the environment of vpnc-script (its own head lists it; openconnect(8), "--script").

Law: what vpnc-script would do with it is what is told. Without a list of includes a family that has an address goes
through the tunnel whole; what cannot be forwarded is not excluded.

    connect, reconnect             the tunnel, whole
    disconnect                     its end
    pre-init, attempt-reconnect    nothing: there is no tunnel yet, or it is as it was
"""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Final

from adapters.vpn.tunnel import ROUTES_MAX, Tunnel, Unusable

CLIENT: Final = "vpnc"
BEGINS: Final = ("connect", "reconnect")
ENDS: Final = ("disconnect",)
SILENT: Final = ("pre-init", "attempt-reconnect")
UNFORWARDABLE: Final = tuple(ip_network(one) for one in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16"))
Env = Mapping[str, str]


def is_here(env: Env) -> bool:
    """Whether this is the environment of vpnc-script."""
    return "reason" in env and "TUNDEV" in env


def happens(env: Env) -> str:
    """`up`, `down`, or "" for nothing that concerns the tunnel. Raises Unusable."""
    reason = env["reason"]
    if reason in SILENT:
        return ""
    if reason in BEGINS:
        return "up"
    if reason in ENDS:
        return "down"
    known = ", ".join((*SILENT, *BEGINS, *ENDS))
    raise Unusable(f"reason={reason} is none of vpnc-script's; set it to one of {known}")


def read(env: Env) -> Tunnel:
    """What vpnc or OpenConnect says. Raises Unusable."""
    made = Tunnel(CLIENT, env.get("TUNDEV", ""))
    made.ends(remote=env.get("VPNGATEWAY", ""))
    four, six = env.get("INTERNAL_IP4_ADDRESS", ""), env.get("INTERNAL_IP6_ADDRESS", "")
    if four:
        length = env.get("INTERNAL_IP4_NETMASKLEN") or env.get("INTERNAL_IP4_NETMASK") or "32"
        made.address(f"{four}/{length}", "INTERNAL_IP4_ADDRESS")
    if netmask := env.get("INTERNAL_IP6_NETMASK", ""):  # holds the address, too
        made.address(netmask if "/" in netmask else f"{six}/{netmask}", "INTERNAL_IP6_NETMASK")
    elif six:
        made.address(f"{six}/128", "INTERNAL_IP6_ADDRESS")
    _included(env, made, "CISCO_SPLIT_INC", "0.0.0.0/0" if four else "")
    _included(env, made, "CISCO_IPV6_SPLIT_INC", "::/0" if six or netmask else "")
    for before in ("CISCO_SPLIT_EXC", "CISCO_IPV6_SPLIT_EXC"):
        for where, prefix in _listed(env, made, before):
            if not _unforwardable(prefix):
                made.exclude(prefix, where)
    for key in ("INTERNAL_IP4_DNS", "INTERNAL_IP6_DNS"):
        for server in env.get(key, "").split():
            made.resolver(server, key)
    for name in env.get("CISCO_DEF_DOMAIN", "").split():
        made.search_name(name, "CISCO_DEF_DOMAIN")
    for name in env.get("CISCO_SPLIT_DNS", "").replace(",", " ").split():
        made.split_name(name, "CISCO_SPLIT_DNS")
    made.size(env.get("INTERNAL_IP4_MTU") or "0", "INTERNAL_IP4_MTU")
    for key in ("INTERNAL_IP4_NBNS", "CISCO_PROXY_PAC"):
        if env.get(key):
            made.ignore(key)
    return made


def _included(env: Env, made: Tunnel, before: str, everything: str) -> None:
    if before not in env:
        if everything:
            made.include(everything, before)
        return
    for where, prefix in _listed(env, made, before):
        made.include("0.0.0.0/0" if prefix.partition("/")[0] == "0.0.0.0" else prefix, where)


def _listed(env: Env, made: Tunnel, before: str) -> list[tuple[str, str]]:
    """The prefixes of one list, each with the name of its variable."""
    said = env.get(before, "0")
    count = int(said) if said.isdecimal() and len(said) < 9 else 0
    if count > ROUTES_MAX:
        made.ignore(before)
    found = []
    for number in range(min(count, ROUTES_MAX)):
        where = f"{before}_{number}_ADDR"
        length = env.get(f"{before}_{number}_MASKLEN") or env.get(f"{before}_{number}_MASK", "")
        found.append((where, f"{env.get(where, '')}/{length}" if length else env.get(where, "")))
    return found


def _unforwardable(prefix: str) -> bool:
    try:
        one = ip_network(prefix, strict=False)
    except ValueError:
        return False
    return any(one.version == each.version and one.subnet_of(each) for each in UNFORWARDABLE)  # type: ignore[arg-type]
