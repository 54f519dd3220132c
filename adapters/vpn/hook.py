"""From what a VPN's hook is given to what happened: whose environment it is, and the event it stands for.

Law: pure but for the device's number, which is asked of the kernel. Only variables that a client documents are read.
"""

from collections.abc import Mapping
from typing import Final

from adapters.vpn import openvpn, vpnc, wgquick
from adapters.vpn.tunnel import Unusable, called, number_of
from events.vpn import VpnConnected, VpnEnded

FILE_OCTETS_MAX: Final = 65_536  # as of other profiles: a hundred peers are some 20 KiB
Said = VpnConnected | VpnEnded | None


def of_environment(env: Mapping[str, str], *, name: str = "", tunnel: str = "") -> Said:
    """What a script's environment says; None for nothing that concerns the tunnel. Raises Unusable."""
    if openvpn.is_here(env):
        what = openvpn.happens(env)
        name = name or openvpn.name_of(env)
        if what == "down":
            device = env.get("dev", "")
            return VpnEnded(vpn=called(name, device), device=device, reason=env.get("signal", ""))
        if what:
            made = openvpn.read(env)
            return made.made(name, tunnel=tunnel, ifindex=number_of(made.device))
        return None
    if vpnc.is_here(env):
        what = vpnc.happens(env)
        if what == "down":
            return VpnEnded(vpn=called(name, env["TUNDEV"]), device=env["TUNDEV"], reason=env["reason"])
        if what:
            made = vpnc.read(env)
            return made.made(name, tunnel=tunnel, ifindex=number_of(made.device))
        return None
    raise Unusable(
        "this is the environment of no VPN's hook (OpenVPN's script_type, vpnc-script's reason and TUNDEV);"
        " have the client run it, or give --wg-quick FILE"
    )


def of_file(said: str, *, down: bool = False, name: str = "", tunnel: str = "") -> VpnConnected | VpnEnded:
    """What a wg-quick file says; down: of a tunnel that wg-quick takes down. Raises Unusable."""
    path = wgquick.path_of(said)
    device = wgquick.device_of(path)
    if down:
        return VpnEnded(vpn=called(name, device), device=device, reason="down")
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_OCTETS_MAX + 1)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}; name a file that wg-quick reads") from None
    return wgquick.read(path, data).made(name, tunnel=tunnel, ifindex=number_of(device))
