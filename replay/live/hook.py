"""`pvdctl hook`: what a VPN's client gives its script, told to pvdd.

Law: a script that fails may end the VPN, so each failure has its reason. What is not used is said on standard error,
which is the client's log; what a client's variables hold beside the tunnel's data is never read, nor printed.
"""

import argparse
import os
import sys

import msgspec

import replay.shown.report as report
from adapters.running.client import Client
from adapters.running.control import INTERFACE
from adapters.vpn.hook import Said, of_environment, of_file
from adapters.vpn.tunnel import Unusable
from events.vpn import VpnConnected, VpnEnded
from replay.endings import DONE, NOT_FOUND, NOT_RUNNING, USAGE, Stop
from replay.live.ask import answered, connected
from replay.shown.tables import escape


def hook(args: argparse.Namespace) -> int:
    """One call, or none if nothing of the tunnel has changed. Raises Stop."""
    name, tunnel = args.name or "", args.tunnel or ""
    if args.down and args.wg_quick is None:
        raise Stop(USAGE, "--down goes with --wg-quick FILE; other clients say so themselves")
    said: Said
    try:
        if args.wg_quick is not None:
            said = of_file(args.wg_quick, down=args.down, name=name, tunnel=tunnel)
        else:
            said = of_environment(os.environ, name=name, tunnel=tunnel)
    except Unusable as error:
        raise Stop(USAGE, str(error)) from None
    for what in said.ignored if isinstance(said, VpnConnected) else ():
        print(f"pvdctl: {escape(what)} is not used", file=sys.stderr)
    if args.show:
        print(report.to_json(said))
        return DONE
    if said is None:
        return DONE
    try:
        with connected(args) as client:
            _tell(client, said)
    except Stop as stop:
        if stop.code == NOT_RUNNING and args.optional:
            print(f"pvdctl: {stop}", file=sys.stderr)
            return DONE
        raise
    return DONE


def _tell(client: Client, said: VpnConnected | VpnEnded) -> None:
    if isinstance(said, VpnConnected):
        fields = {key: value for key, value in msgspec.to_builtins(said).items() if key != "type"}
        answered(lambda: client.call(f"{INTERFACE}.VpnUp", vpn=fields))
        return
    try:
        answered(lambda: client.call(f"{INTERFACE}.VpnDown", vpn=said.vpn, device=said.device, reason=said.reason))
    except Stop as stop:
        if stop.code != NOT_FOUND:  # the tunnel went before its client could say so: that is what was to be told
            raise
