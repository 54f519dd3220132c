"""Every capture against its ground truth: what an independent reader sighted on the wire, we sight too, item by item.

Law: a field of a ground truth is compared, or named in NOT_COMPARED or CUT with the reason; a new field fails the test
until somebody decides. The lists of a ground truth are sets: each distinct sighting once, over the whole file.
"""

import json
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import events.router as router
from adapters.ingest import Translator
from adapters.wire.carrier.ethernet import link_layer
from adapters.wire.neighbor.ra_header import read_header
from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen
from events.frames import ETHERNET, LINUX_SLL, Frame, FrameRejected
from events.link import ArpSeen
from events.router import (
    Dnssl,
    IgnoredOption,
    MifContainer,
    MifPvdId,
    Mtu,
    NdOption,
    NeighborAdvertised,
    NeighborSolicited,
    Pref64,
    PrefixInformation,
    PvdOption,
    RaHeader,
    Rdnss,
    RouteInformation,
    RouterAdvertised,
    RouterSolicited,
    UnknownOption,
)
from replay.files.captures import open_capture

CAPTURES = Path(__file__).parent / "captures"
TRUTHS = sorted(CAPTURES.glob("*.json"))
UNCOUNTED = "uncounted"  # the pings with which a DHCPv4 server probes an address
INFINITY = 0xFFFFFFFF  # how a ground truth writes what we call None

Truth = dict[str, Any]

NOT_COMPARED = {
    "what": "prose for people",
    "how": "prose for people",
    "tshark_agrees": "what its maker thought of `tshark`, whose values are compared themselves",
}

CUT: dict[str, dict[str, list[Any]]] = {
    # A host takes nothing from a cut RA (standards.md A.0), so neither do we: no options to compare. That each of them
    # was sighted, from whom, with which header, and that it was rejected as cut and not as short, is compared.
    "conv-snap130-inside-pvd.pcap": {
        "option_types": [[1, ""], [25, ""]],
        "rdnss": [["", "2001:db8:a::53", 0], ["", "2001:db8:a::53", 600]],
        "malformed": ["option 21 overruns"],
    },
    "ra-snaplen-96.pcap": {"malformed": ["option 3 overruns"]},
}

CODES = {
    router.SourceLinkLayerAddress: 1,
    router.TargetLinkLayerAddress: 2,
    PrefixInformation: 3,
    Mtu: 5,
    PvdOption: 21,
    RouteInformation: 24,
    Rdnss: 25,
    router.FlagsExtension: 26,
    Dnssl: 31,
    router.CaptivePortal: 37,
    Pref64: 38,
    MifContainer: 63,
    MifPvdId: 64,
    router.EncryptedDns: 144,
}

ND_COUNTS = {RouterAdvertised: "RA", RouterSolicited: "RS", NeighborSolicited: "NS", NeighborAdvertised: "NA"}
ITEMS = ("option_types", "prefixes", "routes", "rdnss", "dnssl", "mtu", "pref64", "pvd", "pvd_ra_header", "mif_pvd")
LINKTYPES = {ETHERNET: "ether", LINUX_SLL: "linux-sll"}  # as capinfos names them


def letters(**flags: bool) -> str:
    return "".join(letter for letter, is_set in flags.items() if is_set)


def seconds(lifetime_s: int | None) -> int:
    return INFINITY if lifetime_s is None else lifetime_s


def foreign(linktype: int, data: bytes) -> str:
    """How a ground truth counts a frame that we have no event for."""
    at, protocol, _, _ = link_layer(linktype, data)
    if protocol == "ipv6":
        kind, at = (data[at + 40], at + 48) if data[at + 6] == 0 else (data[at + 6], at + 40)
        return "icmpv6_other" if kind == 58 and data[at] not in range(133, 138) else UNCOUNTED
    return "arp" if data[at - 2 : at] == b"\x08\x06" else UNCOUNTED


class Sightings:
    """What we read of one capture, in the words of a ground truth."""

    def __init__(self, path: Path) -> None:
        self.counts: Counter[str] = Counter()
        self.vlans: Counter[str] = Counter()
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.routers: dict[str, set[tuple[int, str, str]]] = {}
        self.items: dict[str, set[tuple[Any, ...]]] = {name: set() for name in (*ITEMS, "prefixes_toplevel")}
        self.dhcp4_options: set[int] = set()
        self.mif_containers = 0
        self.linktypes: set[str] = set()
        translator = Translator()
        with open_capture(str(path)) as capture:
            for _, at, link, linktype, data, original_length in capture:
                self.linktypes.add(LINKTYPES[linktype])
                self.layer(linktype, data, original_length)
                events = translator.translate(Frame(at, link, linktype, data, original_length))
                if not events:
                    self.counts[foreign(linktype, data)] += 1
                for event in events:
                    self.hear(event, linktype, data)
        self.capture = capture
        self.size = path.stat().st_size

    def layer(self, linktype: int, data: bytes, original_length: int) -> None:
        self.counts["truncated_frames"] += original_length > len(data)
        at, protocol, ids, _ = link_layer(linktype, data)
        self.vlans.update(str(one) for one in ids)
        self.counts["ext_hdr_0"] += protocol == "ipv6" and data[at + 6] == 0

    def hear(self, event: object, linktype: int, data: bytes) -> None:
        match event:
            case RouterAdvertised():
                self.counts["RA"] += 1
                self.advertised(event.router, event.header)
                self.options(event.options, event.options_at, "", data)
            case RouterSolicited() | NeighborSolicited() | NeighborAdvertised():
                self.counts[ND_COUNTS[type(event)]] += 1
            case Dhcp4MessageSeen():
                self.counts[f"DHCPv4 {event.message}"] += 1
                self.dhcp4_options.update(option.code for option in event.options)
            case Dhcp6MessageSeen():
                # The truth counts what the datagram is: between relay and server that is the relay's message.
                self.counts[f"DHCPv6 {event.relays[0].message if event.relays else event.message}"] += 1
            case ArpSeen():
                self.counts["arp"] += 1
            case FrameRejected(rule="truncated-capture", protocol="ra"):
                self.counts["RA"] += 1
                self.counts["RA_truncated"] += 1
                at = link_layer(linktype, data)[0] + 40
                self.advertised(event.source, read_header(data[at + 4 : at + 16]))
            case FrameRejected():
                self.rejected[event.protocol, event.rule] += 1
            case _:
                raise AssertionError(f"an event that no capture of ours should give: {event}")

    def advertised(self, source: str, header: RaHeader) -> None:
        self.counts["RA_lifetime0"] += header.lifetime_s == 0
        flags = letters(M=header.managed, O=header.other_config)
        self.routers.setdefault(source, set()).add((header.lifetime_s, flags, header.preference))

    def options(self, options: tuple[NdOption, ...], at: int, where: str, data: bytes) -> None:
        items = self.items
        for option in options:
            code = option.code if isinstance(option, UnknownOption | IgnoredOption) else CODES[type(option)]
            items["option_types"].add((code, where))
            assert data[at] == code, "the option is where we say it is"
            match option:
                case PrefixInformation():
                    flags = letters(
                        L=option.on_link, A=option.autonomous, R=option.router_address, P=option.pd_preferred
                    )
                    life = (seconds(option.valid_s), seconds(option.preferred_s))
                    items["prefixes"].add((where, option.prefix, flags, *life))
                case RouteInformation():
                    items["routes"].add((where, option.prefix, option.preference, seconds(option.lifetime_s)))
                case Rdnss():
                    items["rdnss"].update((where, one, seconds(option.lifetime_s)) for one in option.addresses)
                case Dnssl():
                    items["dnssl"].update((where, one, seconds(option.lifetime_s)) for one in option.names)
                case Mtu():
                    items["mtu"].add((where, option.mtu))
                case Pref64():
                    items["pref64"].add((where, option.prefix, option.lifetime_s))
                case PvdOption():
                    flags = letters(H=option.http, L=option.legacy, R=option.header is not None)
                    items["pvd"].add((option.name, flags, option.delay, option.sequence))
                    if option.header is not None:
                        inner = at + option.nested_at - 16
                        fields = (data[inner], option.header.flags, option.header.lifetime_s)
                        items["pvd_ra_header"].add((option.name, *fields))
                    self.options(option.options, at + option.nested_at, option.name, data)
                case MifContainer():
                    self.mif_containers += 1
                    # The S bit at either end of the octet: as the draft has it, and as mif-radvd's C would write it.
                    signed = (data[at + 2] & 0x80 != 0, data[at + 2] & 0x01 != 0)
                    ids = [one for one in option.options if isinstance(one, MifPvdId)]
                    items["mif_pvd"].update((one.uuid, one.id_type, *signed) for one in ids)
                    self.options(option.options, at + option.nested_at, option.uuid, data)
            if isinstance(option, PrefixInformation | RouteInformation) and not where:
                items["prefixes_toplevel"].add((option.prefix.partition("/")[0],))
            at += option.length


@cache
def sighted(path: Path) -> Sightings:
    return Sightings(path)


def capture_of(truth: Path) -> Path:
    """NAME.json belongs to NAME.pcap, NAME.ng.json to NAME.pcapng."""
    name = truth.name.removesuffix(".json")
    return truth.with_name(f"{name.removesuffix('.ng')}.pcapng" if name.endswith(".ng") else f"{name}.pcap")


def compare(truth: Truth, seen: Sightings) -> list[str]:
    """The fields of a ground truth in which we saw something else, one line each."""
    wrong: list[str] = []

    def expect(field: str, said: object, ours: object) -> None:
        # repr tells True from 1, as == does not
        if said != ours or repr(said) != repr(ours):
            wrong.append(f"{field}: the truth has {said!r}, we have {ours!r}")

    def expect_items(field: str, said: list[list[Any]], ours: set[tuple[Any, ...]]) -> None:
        expect(field, sorted(map(repr, said)), sorted(repr(list(one)) for one in ours))

    counts: dict[str, int] = dict(truth["counts"])
    capture = seen.capture
    expect("counts.frames", counts.pop("frames"), capture.packets)
    ours = {name: count for name, count in seen.counts.items() if name != UNCOUNTED}
    for name in sorted(counts.keys() | ours.keys()):
        expect(f"counts.{name}", counts.get(name, 0), ours.get(name, 0))
    expect("rejected", {}, dict(seen.rejected))
    kinds = ("RA", "RS", "NS", "NA", "arp", "icmpv6_other", UNCOUNTED)
    named = sum(count for name, count in seen.counts.items() if name in kinds or name.startswith("DHCP"))
    expect("every frame is of one kind", capture.packets, named)

    advertised = [[who, *row] for who, rows in truth["routers"].items() for row in rows]
    expect_items("routers", advertised, {(who, *row) for who, rows in seen.routers.items() for row in rows})
    expect_items("vlans", [list(one) for one in truth["vlans"].items()], set(seen.vlans.items()))
    expect("mif_containers", truth["mif_containers"], seen.mif_containers)
    expect("dhcp4_options", sorted(truth.get("dhcp4_options", [])), sorted(seen.dhcp4_options))
    cut = CUT.get(truth["file"], {})
    for field in ITEMS:
        said = truth.get(field, [])
        if field in cut:
            expect(field, cut[field], said)
            said = []
        expect_items(field, said, seen.items[field])
    expect("malformed", cut.get("malformed", []), truth.get("malformed", []))

    expect("file", truth["file"], Path(capture.path).name)
    expect("bytes", truth["bytes"], seen.size)
    first, last = capture.first or 0, capture.last or 0
    # A double holds the seconds since 1970 to a quarter of a microsecond.
    expect("first_ts", True, abs(truth["first_ts"] - first / 1e9) < 1e-6)
    expect("duration_s", True, abs(truth["duration_s"] - (last - first) / 1e9) < 1e-3)

    tshark = truth["tshark"]
    expect("tshark.RA", tshark["RA"], seen.counts["RA"])
    expect("tshark.routers", tshark["routers"], sorted(seen.routers))
    toplevel = [[one] for one in tshark["prefixes_toplevel"]]
    expect_items("tshark.prefixes_toplevel", toplevel, seen.items["prefixes_toplevel"])
    for family in ("dhcpv4", "dhcpv6"):
        name = f"DHCP{family[4:]} "
        expect(f"tshark.{family}", tshark[family], sum(seen.counts[one] for one in seen.counts if one.startswith(name)))
    described = [tshark["capinfos"][0].removeprefix("nsec"), *tshark["capinfos"][1:]]
    expect("tshark.capinfos", described, [capture.format, *sorted(seen.linktypes), str(capture.packets)])
    return wrong


ABOUT = ("file", "bytes", "first_ts", "duration_s", "counts", "vlans", "malformed", "tshark")
SAID = ("routers", "mif_containers", "dhcp4_options")
COMPARED = frozenset((*ABOUT, *SAID, *ITEMS))

each_truth = pytest.mark.parametrize("path", TRUTHS, ids=[path.name.removesuffix(".json") for path in TRUTHS])


@each_truth
@pytest.mark.covers("feat:A12")
def test_we_see_on_the_wire_what_the_independent_reader_saw(path: Path) -> None:
    assert compare(json.loads(path.read_text()), sighted(capture_of(path))) == []


def leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*way, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from leaves(one, (*way, index))
    else:
        yield way


def altered(value: object) -> object:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case _:
            return f"{value}x"


def spoilt(truth: Truth, way: tuple[Any, ...]) -> Truth:
    """A copy of a ground truth with one value made wrong."""
    copy = deepcopy(truth)
    holder: Any = copy
    for step in way[:-1]:
        holder = holder[step]
    holder[way[-1]] = altered(holder[way[-1]])
    return copy


@each_truth
def test_no_value_of_a_ground_truth_can_be_wrong_unnoticed(path: Path) -> None:
    truth, seen = json.loads(path.read_text()), sighted(capture_of(path))
    ways = [way for way in leaves(truth) if way[0] not in NOT_COMPARED]
    assert {way[0] for way in ways} >= {"counts", "tshark", "bytes"}
    for way in ways:
        found = compare(spoilt(truth, way), seen)
        # `file` also chooses what is excused of a cut capture, so more than its own line may turn wrong.
        assert any(line.startswith(way[0]) for line in found), f"{way} was altered, and nobody saw it: {found}"
        assert way[0] == "file" or len(found) == 1, f"one value was altered, and more is wrong: {found}"


@each_truth
def test_an_item_missing_from_a_ground_truth_is_noticed_too(path: Path) -> None:
    """We may not see more than there was, either."""
    truth, seen = json.loads(path.read_text()), sighted(capture_of(path))
    for field in COMPARED & truth.keys():
        if isinstance(truth[field], list):
            for index in range(len(truth[field])):
                copy = deepcopy(truth)
                del copy[field][index]
                assert [line.partition(":")[0] for line in compare(copy, seen)] == [field]
    for address in truth["routers"]:
        copy = deepcopy(truth)
        del copy["routers"][address]
        assert [line.partition(":")[0] for line in compare(copy, seen)] == ["routers"]


@each_truth
def test_every_field_of_a_ground_truth_is_compared_or_excused(path: Path) -> None:
    assert set(json.loads(path.read_text())) <= COMPARED | NOT_COMPARED.keys()


def test_every_capture_has_a_ground_truth_and_every_field_occurs() -> None:
    captures = {path for path in CAPTURES.iterdir() if path.suffix in (".pcap", ".pcapng")}
    assert {capture_of(path) for path in TRUTHS} == captures
    assert len(captures) == 38
    fields = {field for path in TRUTHS for field in json.loads(path.read_text())}
    assert fields == COMPARED | NOT_COMPARED.keys(), "nothing is compared in vain"
    assert {name for name in CUT} == {
        json.loads(path.read_text())["file"]
        for path in TRUTHS
        if "RA_truncated" in json.loads(path.read_text())["counts"]
    }, "only a capture with cut RAs is excused anything"


@pytest.mark.covers("evil:E76")
def test_a_record_cut_in_the_middle_costs_that_record_only() -> None:
    seen = sighted(CAPTURES / "conv-cut-midrecord.pcap")
    assert seen.capture.damaged is not None
    assert "cut at byte 3307" in seen.capture.damaged
    assert seen.capture.packets == 19
    assert sighted(CAPTURES / "conv-bigendian.pcap").capture.damaged is None


def test_a_cut_packet_is_called_cut_and_gives_nothing() -> None:
    for name, count in (("conv-snap130-inside-pvd.pcap", 4), ("ra-snaplen-96.pcap", 7)):
        seen = sighted(CAPTURES / name)
        assert seen.counts["RA_truncated"] == seen.counts["RA"] == count
        assert seen.items["option_types"] == set(), "half an RA is none"
        assert not seen.rejected, "and it is not blamed on the router"
