"""`make lab`: a demonstration to watch. Two real routers (radvd), a DHCP server (dnsmasq), a sender of PvD options
(`pvdctl advertise`), and pvdd in a host between them; what comes and goes is printed as pvdd tells it.

Law: the topology is that of the acceptance tests. Everything hangs on this process: ^C, or the end of the terminal,
leaves nothing behind. Only root can run it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Final

from tests.live.lab import PVDCTL, Daemon, Lab, Program, TooLong, ours, until
from tests.live.topologies import Two

BEAT_S: Final = 12.0  # long enough to read what happened
PROFILE: Final = """id = "lab"
[match]
interface-name = ["eth0"]
[ipv4]
method = "auto"
[ipv6]
method = "auto"
"""


class Ended(Exception):
    """Somebody has seen enough."""


def told(text: str) -> None:
    """A line of the narrator."""
    print(f"\n\033[1m── {text}\033[0m" if sys.stdout.isatty() else f"\n-- {text}", flush=True)


class Watched:
    """What a program has said since it was last asked."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._shown = 0

    def show(self, seconds: float) -> None:
        """Print what it says, for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            said = self.program.said()
            if len(said) > self._shown:
                sys.stdout.write(said[self._shown :])
                sys.stdout.flush()
                self._shown = len(said)
            time.sleep(0.1)


def how(two: Two, pvdd: Daemon) -> str:
    """How to look around from another terminal."""
    inside = f"nsenter -t {two.client.pid} -n -m"
    return (
        f"from another terminal: {inside} env PVD_JOURNAL={pvdd.journal} {Path(sys.executable).parent}/pvdctl"
        " list | status | history | exec PVD -- CMD"
    )


def run(two: Two, beat_s: float, rounds: int) -> None:
    """The story, again and again; 0 rounds: for ever."""
    lab, client = two.lab, two.client
    client.run("sh", "-c", f"mkdir -p /etc/pvd/settings.d && cat > /etc/pvd/settings.d/lab.toml <<'END'\n{PROFILE}END")
    config = lab.file("pvd.conf", two.CONFIG + "[policy]\ntwo_hour_rule = false\n")
    told("pvdd starts in a host with one link; nobody speaks yet")
    pvdd = lab.pvdd(client, "--config", str(config))
    watched = Watched(client.start(*PVDCTL, "monitor", env=ours(pvdd.journal)))
    until(lambda: pvdd.subscribers() == 1, watched.program.said)
    told(how(two, pvdd))
    number = 0
    while not rounds or number < rounds:
        number += 1
        told("router R1 comes up (radvd): an implicit PvD")
        first = two.r1.implicit()
        watched.show(beat_s)
        told("R1 announces the PvD iptv.example, too (RFC 8801, `pvdctl advertise`)")
        iptv = two.r1.explicit("iptv.example")
        watched.show(beat_s)
        told("router R2 comes up, with a PvD of its own: voice.example")
        second, voice = two.r2.implicit(), two.r2.explicit("voice.example")
        watched.show(beat_s)
        told("a DHCPv4 server answers on the link (dnsmasq)")
        leases = two.r1.leases()
        watched.show(beat_s)
        told("what there is: `pvdctl list`")
        print(pvdd.ctl("list").stdout, flush=True)
        for id, router in ((two.IDS[1], two.r1), (two.IDS[3], two.r2)):
            said = pvdd.inside(id, "curl", "-sS", "--max-time", "5", f"http://[{router.served}]/", check=False)
            print(
                f"pvdctl exec {id} -- curl http://[{router.served}]/\n  {said.stdout or said.stderr}".rstrip(),
                flush=True,
            )
            other = two.r2 if router is two.r1 else two.r1
            said = pvdd.inside(id, "curl", "-sS", "--max-time", "5", f"http://[{other.served}]/", check=False)
            print(
                f"pvdctl exec {id} -- curl http://[{other.served}]/\n  {said.stdout or said.stderr}".rstrip(),
                flush=True,
            )
        told("R2 is shut down cleanly: radvd is no default router any more, and voice.example is withdrawn")
        voice.stop()
        second.stop()
        two.r2.withdraw("voice.example")
        watched.show(beat_s)
        told("R1's iptv.example is withdrawn while somebody watches TV in it: the namespace lingers until he leaves")
        viewer = client.start(*PVDCTL, "exec", two.IDS[1], "--", "sleep", "1000", env=ours(pvdd.journal))
        watched.show(1)
        iptv.stop()
        two.r1.withdraw("iptv.example")
        watched.show(beat_s)
        print(pvdd.ctl("status", two.IDS[1]).stdout, flush=True)
        told("he leaves")
        viewer.stop()
        watched.show(beat_s / 2)
        for one in (first, leases):
            one.stop()
        watched.show(beat_s / 2)


def main() -> int:
    """Show it until somebody has seen enough."""
    parser = argparse.ArgumentParser(description="pvdd among real routers and servers, until ^C")
    parser.add_argument("--beat", type=float, default=BEAT_S, metavar="S", help="seconds between two events")
    parser.add_argument("--rounds", type=int, default=0, help="how often; default until ^C")
    args = parser.parse_args()
    if os.geteuid():
        print("lab: network namespaces need root; run it as root", file=sys.stderr)
        return 77

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    with tempfile.TemporaryDirectory(prefix="pvd-lab-") as folder, Lab(Path(folder)) as lab:
        try:
            run(Two(lab), args.beat, args.rounds)
        except Ended:
            told("all of it goes")
        except (TooLong, AssertionError) as error:
            print(f"lab: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
