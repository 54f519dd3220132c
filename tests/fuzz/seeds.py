"""The corpus of the fuzzers, from the captures, the golden vectors of the standards, and one message of each kind.

Law: written once by `tests/fuzz/run.py --reseed`, the same files every time; a file's name is the hash of its octets.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
from collections import defaultdict
from pathlib import Path

from adapters.ingest import translate
from adapters.wire.carrier.ethernet import link_layer
from adapters.wire.carrier.ip import UDP
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen
from events.frames import Frame
from replay.files.captures import open_capture
from tests.fuzz.targets import ETHERNET_CHOICE
from tests.wire import packets as p
from tests.wire.hostile_json import JSON
from tests.wire.hostile_netlink import NETLINK

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
SEED_OCTETS_MAX = 4096
EACH_MAX = 60  # files of a target: enough to hold one of each kind, few enough to read at every start

OPTIONS = (
    p.A9_PVD_H, p.A9_PVD_R, p.A9_PVD_R_ALONE, p.A9_PREF64_96, p.A9_PREF64_64, p.A9_RIO_DEFAULT, p.A9_RIO_48,
    p.A9_DNSSL, p.A9_PORTAL, p.A9_DNR, p.A9_DNR_ADN_ONLY, p.A9_MIF, p.SLLA, p.mtu(1500), p.rdnss("2001:db8::53"),
    p.pio("2001:db8::"), p.option(26, bytes(6)),
)  # fmt: skip
DNR4 = bytes.fromhex(
    "003400011103646e73076578616d706c65036e65740004c000023500010003026832000700102f646e732d71756572797b3f646e737d"
)
DNR6 = bytes.fromhex(
    "0001001103646e73076578616d706c65036e657400001020010db800000000000000000000005300010003026832000700102f646e732d"
    "71756572797b3f646e737d"
)
SEARCH = bytes.fromhex("03656e67056170706c6503636f6d00096d61726b6574696e67c004")


def seeds() -> dict[str, dict[bytes, None]]:
    """Target -> inputs, in order."""
    made: dict[str, dict[bytes, None]] = defaultdict(dict)

    def add(target: str, data: bytes) -> None:
        if len(data) <= SEED_OCTETS_MAX and len(made[target]) < EACH_MAX:
            made[target].setdefault(data)

    for text in (".", "a.", "example.org", "cafe.example.com", "x" * 63 + ".y"):
        add("names", b"\0" if text == "." else p.name(text))
    add("names", SEARCH)
    add("names", p.name("example.org") + p.name("sub.example.org"))
    head = p.header()[2:]
    add("ra", bytes((134,)) + p.A9_RA[2:])
    for option in (*OPTIONS, b"".join(OPTIONS[:4]), b"".join(OPTIONS)):
        add("ra", bytes((134,)) + head + option)
    for kind, fixed in ((133, 8), (135, 24), (136, 24), (137, 40)):
        add("ra", bytes((kind,)) + bytes(fixed - 2) + (p.SLLA if kind != 135 else b""))
    for option in (p.A9_PVD_H, p.A9_PVD_R, p.A9_PVD_R_ALONE):
        add("pvd_option", b"\0" + option[2:])
    add("pvd_option", b"\1" + p.A9_MIF[2:])
    add("pvd_option", b"\0" + p.pvd(p.name("a.example"), *OPTIONS[3:])[2:])
    for form, content in enumerate((p.A9_DNR[2:], DNR4, DNR6)):
        add("dnr", bytes((form,)) + content)
    add("dnr", b"\0" + p.A9_DNR_ADN_ONLY[2:])
    add("dnr", b"\1" + DNR4 * 2)
    add("dhcp4", p.DISCOVER)
    add("dhcp6", p.SOLICIT)
    for _, what, octets, _ in NETLINK:
        if not what.startswith(("257", "a route with 64")):
            add("netlink", octets)
    for packet in (p.arp("0.0.0.0", "192.0.2.10"), p.arp("192.0.2.10", "192.0.2.10"), p.arp("192.0.2.1", "192.0.2.2")):
        add("arp", b"\0" + packet + bytes(18))
        add("arp", b"\1" + packet[:-1])
    for _, _, octets, _ in JSON:
        if len(octets) < 400:
            add("pvdinfo", octets)

    kinds: set[tuple[str, str]] = set()
    for path in sorted(CAPTURES.glob("*.pcap*")):
        data = path.read_bytes()
        if len(data) <= SEED_OCTETS_MAX:
            add("captures", data)
        else:
            add("captures", data[:1500])
        with open_capture(str(path)) as capture:
            for _, at, link, linktype, octets, original in capture.frames():
                for event in translate(Frame(at, link, linktype, octets, original)):
                    start, protocol, *_ = link_layer(linktype, octets)
                    kind = (path.stem, getattr(event, "message", type(event).__name__))
                    if kind in kinds:
                        continue
                    kinds.add(kind)
                    add("frames", ETHERNET_CHOICE + octets if linktype == 1 else b"\0\0" + octets)
                    upper = start + (40 if protocol == "ipv6" else 20)
                    if isinstance(event, Dhcp4MessageSeen):
                        add("dhcp4", octets[upper + 8 :])
                    elif isinstance(event, Dhcp6MessageSeen):
                        assert octets[start + 6] == UDP
                        add("dhcp6", octets[upper + 8 :])
                    elif protocol == "ipv6":
                        add("ra", octets[upper : upper + 1] + octets[upper + 2 :])
    small = (CAPTURES / "ra-pref64.pcap").read_bytes()[:600]
    add("captures", gzip.compress(small, mtime=0))
    return made


def reseed(folder: Path) -> int:
    """Write the corpus; the number of files."""
    shutil.rmtree(folder, ignore_errors=True)
    count = 0
    for target, inputs in seeds().items():
        (folder / target).mkdir(parents=True)
        for data in inputs:
            (folder / target / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)
            count += 1
    return count
