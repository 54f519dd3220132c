"""Every capture folded: its final State and its history, written down in words, with the rows that make them right.

Law: a golden file under golden/states/ is argued, not only recorded: it opens with the requirement rows that its
outcome follows from (the table ARGUED below). PVD_REWRITE=1 writes the files anew; who does so argues the difference.
"""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from events.ids import NEVER, SECOND, Instant, PvdId, Seq
from pvdcore.domains import view
from pvdcore.domains.contents import members
from pvdcore.state import Change, Content, Instance, Origin, Pvd, State, because, until
from replay.rerun import Run, rerun

HERE = Path(__file__).parent
CAPTURES = HERE / "captures"
GOLDEN = HERE / "golden" / "states"
REWRITE = os.environ.get("PVD_REWRITE") == "1"

TWO_ROUTERS = """\
rfc:P02 two plain RAs from two link-local addresses make two implicit PvDs; neither is merged into the other.
rfc:N18 both default routers are kept, each in its own PvD; rfc:R06 a route's next hop is the RA's source.
rfc:N08 a repeat resets the timers (deadline = last RA + lifetime) and makes no version: lifetimes are no content.
rfc:D07 RDNSS and DNSSL run their own 600 s, the router 1800 s and 900 s."""
ONE_EXPLICIT = """\
rfc:P01 all that stands in an RA with a PvD option, header and outer options too, is that PvD's; the router has no
  implicit PvD beside it.
rfc:N08 a repeat resets the timers and makes no version."""
EXPLICIT_AND_IMPLICIT = """\
rfc:P01 r1's RAs carry the PvD option: header, prefix, route, resolvers and names are provider-a's, and r1 has no
  implicit PvD.
rfc:P02 r2's plain RAs are bound to (link, r2): an implicit PvD of its own, with nothing of r1 in it.
rfc:N08 a repeat resets the timers and makes no version."""
SAME_ID = """\
rfc:P01 both routers name provider-a: one explicit PvD with all that both say, no implicit one.
rfc:N18 and C.2: one router entry for each (PvD, link, link-local address), so both are kept with their own lifetimes.
rfc:D11 resolvers and names of the RA seen later stand before those of the earlier one; a refresh doesn't move them.
rfc:R06 each route goes via the router that announced it. C.2: O is any-of the routers, so flags are kept by router."""
CUT = """\
evil:E9 the capture ends before the IPv6 payload does: `truncated-capture`, distinct from a short packet (A.0).
A cut RA makes no PvD, not even of what could still be read: an RA is taken whole or not at all (as in N05)."""
NESTED_PREFIX = """\
rfc:P01 provider-a holds the outer prefix a::/64 and the nested one a1::/64 alike; r1 has no implicit PvD.
rfc:P02 r2's plain RAs make an implicit PvD beside it, without either of the two."""
DORA = """\
rfc:P48 no RA was ever heard: the lease goes to the link's fall-back implicit PvD `if:` (C.1), it isn't lost.
rfc:V02 the OFFER configures nothing, the ACK does. rfc:V07 the lease counts from the REQUEST that was answered."""

ARGUED: dict[str, str] = {
    "client-kernel-slaac": EXPLICIT_AND_IMPLICIT,
    "client-systemd-networkd": """\
rfc:P48 the ACK (#4) comes before any RA: the lease is the fall-back's, which ends when r2's RA (#5) makes an implicit
  PvD.
rfc:P47 from then on the lease is in all implicit PvDs of the link, which is r2's; provider-a has L=0 and never gets it.
rfc:V11 the RELEASE (#49) ends the lease and all its options, r2's own announcements stay.
rfc:P01 and rfc:P02 divide the RAs: r1's to provider-a, r2's to the implicit PvD.
The five INFORMATION-REQUESTs get no Reply and change nothing (rfc:W01).""",
    "conv-bigendian": TWO_ROUTERS + "\nThe byte order of a file changes nothing: the same text as ra-two-routers.",
    "conv-cut-midrecord": SAME_ID
    + "\nevil:E76 the file ends inside its last record: all before it holds, and the damage is told.",
    "conv-snap130-inside-pvd": CUT,
    "dhcp4-all-options": DORA
    + """
rfc:V05 the server's T1 60 and T2 105 hold, they are in order. rfc:V24 names of 15 and 119 are the PvD's: 119 has 15's.
rfc:F33 the ACK's option 108 answers a REQUEST of SELECTING: the lease goes on.
rfc:F21 the ADN in option 162 has no root label, so the resolver is ignored, not the message.
No option 121 was asked for or came, so the default route is option 3's.""",
    "dhcp4-decline": DORA
    + """
rfc:V11 the DECLINE (#23) voids the first lease: the fall-back PvD is gone with it, and back with the second ACK (#27),
  the same PvD by its key (C.1), its versions counted on.""",
    "dhcp4-dora-renew-release": DORA
    + """
The three REQUESTs with ciaddr are renewals: each resets the lease of 12 s and none makes a version.
rfc:V05 T1 4 and T2 8 are the server's. rfc:V11 the RELEASE (#26) ends lease and PvD, which stays in history (C.5).""",
    "dhcp4-nak-initreboot": DORA
    + """
The NAK (V03) answers an INIT-REBOOT REQUEST for a lease nobody granted here: nothing is held, nothing made of it.
rfc:F33 108 in the ACK to SELECTING leaves the lease alone. rfc:F21 the ADN in 162 has no root label: ignored.
Option 121 is there, so the routes are its three; that its default equals option 3's shows nothing of V14.""",
    "dhcp6-relay-client-side": """\
rfc:P34 the Reply (#6) comes before any RA: the fall-back implicit PvD of the link has address and options.
rfc:P36 association is a function of current state: r's RA (#9) takes both over, and the fall-back ends.
rfc:P32 and rfc:P42 r has M=1 and a prefix that holds the address, and the PvD that matches may be an implicit one.
rfc:P40 that prefix has A=0. rfc:P31 M counts as O: the resolver comes along. rfc:W08 the address is a /128.
W22, negative: the ADVERTISE (#4) configures nothing. The renewal (#14) resets the address to its 24 s, no version.""",
    "dhcp6-relay-server-side": """\
rfc:W01 RELAY-FORW and RELAY-REPL are no host's business: recorded, no PvD (house: messages seen only between relay and
  server make records, no PvD).""",
    "dhcp6-stateless": """\
rfc:P30 r has O=1: what the INFORMATION-REQUEST was answered with is in r's PvD, in the asking client's instance.
rfc:D12 the same resolvers by RA (600 s) and by DHCP are both kept, each with its own end.
rfc:W13 running out of the refresh time (32: 86400 s) asks for a refresh and voids nothing: no deadline.
rfc:P02 one plain router, one implicit PvD. No captive portal: nobody asked for 103, so none was sent (F13).""",
    "mif-container-one": """\
A.4: what stands in the container is the uuid: PvD's; the RA's header is the implicit PvD's and the container's both, so
  the router is in each; nothing but the header stands outside, so the implicit PvD has that router alone.
C.1: a uuid is another id space than an FQDN. rfc:N08 a repeat resets the timers.""",
    "pvd-explicit-one-router": ONE_EXPLICIT
    + "\nH=0: neither delay nor sequence is content (P26; both are 0 on this wire).",
    "pvd-explicit-plus-implicit": EXPLICIT_AND_IMPLICIT,
    "pvd-h-flag": ONE_EXPLICIT + "\nH=1: delay and sequence are the PvD's (A.3).",
    "pvd-long-id": ONE_EXPLICIT + "\nA.3: labels to 63 octets and 244 octets in all are a fine name.",
    "pvd-r-flag-nested": """\
rfc:P04 outer lifetime 0, inner 600: r1 is provider-a's default router for 600 s.
rfc:P03 preference high and O=1 are the inner header's; the outer says medium and O=0.
rfc:P01 nested prefix, route, resolver, name and MTU and the outer resolver are all provider-a's; no implicit PvD.
rfc:D01 radvd's farewell (#15) has lifetime 0 for the outer resolver: that one goes at once, and nothing else.
A.3 the farewell leaves the inner header at 600 s, so by precedence the router stays (cease_on_outer_zero is off).""",
    "pvd-seq-change": ONE_EXPLICIT
    + """
H=1: each new sequence is content: 7, 8, 9, 65535 and 0 make five versions. What counts is that it differs, not that it
  is greater (P86), so 0 after 65535 is a change as any other.""",
    "pvd-two-routers-same-id": SAME_ID,
    "ra-any-sll": NESTED_PREFIX + "\nLinux cooked: the link layer has no say in what an RA means.",
    "ra-nanosecond": NESTED_PREFIX,
    "ra-pref64": """\
rfc:F03 each PREF64 is in the PvD of its RA. rfc:F07 several are kept, in the order received.
rfc:F05 the lifetime on the wire is in units of 8 s: 225 are 1800 s.
rfc:P02 one plain router, one implicit PvD.""",
    "ra-router-stop": """\
rfc:N07 router lifetime 0 removes the default router at once, and the prefix in that RA is refreshed all the same.
rfc:D01 resolvers and names of lifetime 0 go. rfc:R03 so do the routes.
rfc:P02 each router's farewell touches its own PvD only. C.5: a PvD ends with its last object; both keep a prefix.""",
    "ra-single-router": """\
rfc:P02 one plain router, one implicit PvD. rfc:N08 a repeat resets the timers and makes no version.
rfc:R06 the route's next hop is the RA's source. rfc:D07 resolvers run their own 600 s.""",
    "ra-snaplen-96": CUT,
    "ra-two-routers": TWO_ROUTERS,
    "ra-unicast-only": """\
rfc:P02 one plain router, one implicit PvD: an RA to the host's own address says what one to all nodes says.
rfc:N08 a repeat resets the timers and makes no version.""",
    "ra-vlan": """\
rfc:P02 a VLAN is a link of its own: each router's RAs stay on the link they came on, QinQ is `.10.30`.
rfc:P01 provider-a is on VLAN 100 alone; nothing of it reaches the links of the plain routers.""",
}


# --- A State and a history in words ---------------------------------------------------------------------------------


class Words:
    """A run as text: times count from the first packet, a record is named by its packet."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.state: State = run.state
        first = run.captures[0].first
        self.zero: Instant = first if first is not None else 0

    def text(self) -> str:
        parts = (self.capture(), self.links(), self.pvds(), self.faults(), self.history())
        written = ("\n".join(part) for part in parts)
        return "\n\n".join(part.rstrip("\n") for part in written if part) + "\n"

    def at(self, instant: Instant | None) -> str:
        if instant is None or instant == NEVER:
            return "never"
        sign, span = ("-", self.zero - instant) if instant < self.zero else ("+", instant - self.zero)
        return f"{sign}{span // SECOND}.{span % SECOND // 1_000:06}"

    def packet(self, seq: Seq) -> str:
        record = self.run.journal.record(seq)
        assert record is not None, f"record {seq} is named and not there"
        return f"#{record.provenance.packet}" if record.provenance.packet else f"record {seq}"

    def capture(self) -> Iterator[str]:
        (one,) = self.run.captures
        yield f"capture: {one.packets} packets, {one.frames} for us, {one.rejected} rejected, ends {self.at(one.last)}"
        if one.damaged is not None:
            yield f"damaged: {one.damaged}"

    def links(self) -> Iterator[str]:
        for _, link in sorted(self.state.links.items()):
            yield f"link {link.id} epoch {link.epoch}: {', '.join(link.pvds) or 'no PvD'}"

    def pvds(self) -> Iterator[str]:
        for name in sorted(self.state.pvds):
            yield from self.pvd(self.state.pvds[name])

    def pvd(self, pvd: Pvd) -> Iterator[str]:
        yield f"pvd {pvd.id}"
        ended = f", ended {self.at(pvd.ended)}" if pvd.ended is not None else ""
        seen = f"seen {self.at(pvd.first_seen)} to {self.at(view.last_seen(self.state, pvd.id))}"
        yield f"  {pvd.kind} of {pvd.source}, {pvd.phase}, {seen}{ended}, {view.versions(self.state, pvd.id)} versions"
        if pvd.http or pvd.legacy:
            flags = "".join(letter for letter, is_set in (("H", pvd.http), ("L", pvd.legacy)) if is_set)
            yield f"  flags {flags}, delay {pvd.delay}, sequence {pvd.sequence}"
        for (link, epoch, host), held in sorted(pvd.instances):
            yield f"  on {link} epoch {epoch}, {f'host {host}' if host else 'shared'}: {held.phase}"
            yield from self.sources(pvd.id, held)
            for item in view.items(self.state, pvd.id, (link, epoch, host)):
                content: Content = (item[1].kind, item[1].key, item[1].value)
                ends = "as its router" if item[1].fixed else f"until {self.at(until(*item))}"
                yield f"    {thing(content)}, {ends}, by {self.packet(because(*item))}"
        yield ""

    def sources(self, pvd: PvdId, held: Instance) -> Iterator[str]:
        for source in members(self.state, pvd, held):
            if isinstance(source, Origin):
                yield f"    said by {source.speaker} at {self.at(source.heard_at)}"
            else:
                grant = f"{source.rule} {source.subject}".strip()
                yield f"    granted: {grant} from {source.server}, counted from {self.at(source.started_at)}"

    def faults(self) -> Iterator[str]:
        for _, found in sorted(self.state.findings.items()):
            times = f" ({found.count} times)" if found.count > 1 else ""
            yield f"finding {found.code} by {self.packet(found.because)}{times}: {found.text}"
        for _, one in sorted(self.state.rejected.items()):
            yield f"rejected: {one.rule}, {one.count} times, first {self.packet(one.first)}"

    def history(self) -> Iterator[str]:
        yield "history"
        for change in self.run.journal.history():
            yield from self.change(change)

    def change(self, change: Change) -> Iterator[str]:
        whose = f" host {change.host}" if change.host else ""
        phase = (
            change.phase if change.phase == change.phase_before else f"{change.phase_before or '-'} > {change.phase}"
        )
        what = f"version {change.version} {change.cause} by {self.packet(change.because)}, {phase}"
        yield f"  {self.at(change.at)} {change.pvd} on {change.link}{whose}: {what}"
        for content in change.added:
            yield f"    + {thing(content)}"
        for content in change.removed:
            yield f"    - {thing(content)}"
        for before, after in change.changed:
            yield f"    ~ {thing(before)} > {thing(after)}"


def thing(content: Content) -> str:
    """An item in words: its kind, its key unless the value says all, and its value."""
    kind, key, value = content
    if kind == "flags":
        letters = "".join(letter for letter, is_set in zip("MOHL", value[:4], strict=True) if is_set)
        return f"flags of {key}: {letters or 'none'}, delay {value[4]}, sequence {value[5]}"
    if kind == "prefix":
        return f"prefix {key} {''.join(letter for letter, is_set in zip('LAP', value, strict=True) if is_set)}".rstrip()
    said = [str(one) for one in value if one is not None]
    shown = [] if key in (kind, *said) or kind == "route" else [key]  # a route's key is its destination and next hop
    return " ".join((kind, *shown, *said))


@cache
def run_of(name: str) -> Run:
    return rerun([str(CAPTURES / name)])


NAMES = sorted(path.name for path in CAPTURES.iterdir() if path.suffix in (".pcap", ".pcapng"))


# --- The golden files -------------------------------------------------------------------------------------------------


def golden(name: str) -> str:
    argument = "".join(f"# {line}\n" for line in ARGUED[Path(name).stem].splitlines())
    return f"{argument}\n{Words(run_of(name)).text()}"


def cases() -> list[ParameterSet]:
    """Each capture, marked with the rows that its argument cites."""
    found = []
    for name in NAMES:
        ids = sorted(set(re.findall(r"\b(?:rfc:[A-Z]\d+|evil:E\d+)", ARGUED.get(Path(name).stem, ""))))
        # What a row expects is all that a good capture shows; its negative case needs a bad network.
        marks = (pytest.mark.covers(*ids, part="expected"), pytest.mark.covers("feat:A12", "feat:P1"))
        found.append(pytest.param(name, id=name, marks=marks))
    return found


@pytest.mark.parametrize("name", cases())
def test_a_capture_leads_to_the_state_and_history_that_its_rows_demand(name: str) -> None:
    kept, text = GOLDEN / f"{name}.txt", golden(name)
    if REWRITE:
        kept.write_text(text)
    assert text == kept.read_text(), "PVD_REWRITE=1 rewrites the golden files"


def test_every_capture_is_argued_and_no_golden_file_is_left_over() -> None:
    assert ARGUED.keys() == {Path(name).stem for name in NAMES}
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.txt" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_the_words_show_a_change_of_any_item(name: str) -> None:
    """The golden text is not blind: each item of each instance stands in it, with its end."""
    run = run_of(name)
    text = Words(run).text()
    for pvd in run.state.pvds.values():
        assert f"pvd {pvd.id}\n" in text
        for cell, held in pvd.instances:
            for what in held.content:
                assert thing(what) in text
            for item in view.items(run.state, pvd.id, cell):
                assert item[1].fixed or f"until {Words(run).at(until(*item))}, by" in text


# --- What a reader would ask first ------------------------------------------------------------------------------------


def held(run: Run, pvd: PvdId, kind: str, host: str | None = "") -> list[str]:
    """The keys of one kind that a PvD holds, in order of use: of the shared instance, of `host`'s, of all (None)."""
    found = run.state.pvds[pvd]
    cells = [cell for cell, _ in found.instances if host is None or cell[2] == host]
    return [item[1].key for cell in cells for item in view.items(run.state, pvd, cell) if item[1].kind == kind]


def lifetimes(run: Run, pvd: PvdId) -> dict[str, int | None]:
    """Router to its announced lifetime in seconds, in one PvD."""
    cells = [cell for cell, _ in run.state.pvds[pvd].instances]
    items = [item for cell in cells for item in view.items(run.state, pvd, cell)]
    return {one.key: one.lifetime_s for _, one in items if one.kind == "router"}


def live(run: Run) -> list[PvdId]:
    return sorted(name for name, pvd in run.state.pvds.items() if pvd.instances)


def everything(run: Run, pvd: PvdId) -> set[str]:
    """All that a PvD ever said, now or in its history."""
    found = {key for change in run.journal.history(pvd) for _, key, _ in (*change.added, *change.removed)}
    return found - {"hop_limit"}


R1, R2 = "fe80::ff:fe00:101", "fe80::ff:fe00:201"
PROVIDER_A = "fqdn:provider-a.example."


@pytest.mark.covers("rfc:P01", "rfc:P03", "rfc:P04")
def test_the_header_inside_the_pvd_option_wins_over_the_one_outside() -> None:
    run = run_of("pvd-r-flag-nested.pcap")
    assert live(run) == [PROVIDER_A], "no implicit PvD for what stood outside the option"
    assert run.state.pvds[PROVIDER_A].kind == "explicit"
    assert lifetimes(run, PROVIDER_A) == {R1: 600}, "not the outer 0"
    assert held(run, PROVIDER_A, "prefix") == ["2001:db8:a1::/64"]
    assert held(run, PROVIDER_A, "route") == [f"2001:db8:a1a1::/48 via {R1}"]
    assert held(run, PROVIDER_A, "search") == ["inner.a.example."]
    ((_, instance),) = run.state.pvds[PROVIDER_A].instances
    content = {(kind, key): value for kind, key, value in instance.content}
    assert content["mtu", "mtu"] == (1400,)
    assert content["router", R1] == ("high",), "not the outer medium"
    assert content["flags", R1][:2] == (False, True), "O is the inner header's, the outer has neither M nor O"


@pytest.mark.covers("rfc:D01")
def test_a_farewell_takes_the_resolver_it_names_and_no_other() -> None:
    run = run_of("pvd-r-flag-nested.pcap")
    first, last = run.journal.history(PROVIDER_A)
    assert {key for kind, key, _ in first.added if kind == "dns"} == {"2001:db8:a::53", "2001:db8:a1::53"}
    assert last.removed == (("dns", "2001:db8:a::53", ()),)
    assert (last.added, last.changed) == ((), ())
    assert held(run, PROVIDER_A, "dns") == ["2001:db8:a1::53"]


@pytest.mark.covers("rfc:P01", "rfc:P02", "feat:B3")
def test_an_explicit_and_an_implicit_pvd_share_a_link() -> None:
    for name, link in (("pvd-explicit-plus-implicit.pcap", "if0"), ("pvd-explicit-plus-implicit.pcapng", "br0")):
        run = run_of(name)
        implicit = f"ra:{link}/1/{R2}"
        assert live(run) == [PROVIDER_A, implicit]
        assert [run.state.pvds[one].kind for one in live(run)] == ["explicit", "implicit"]
        assert held(run, PROVIDER_A, "router") == [R1]
        assert held(run, implicit, "router") == [R2]
        assert not everything(run, PROVIDER_A) & everything(run, implicit)


@pytest.mark.covers("rfc:P01", "rfc:N18", "rfc:D11")
def test_two_routers_with_one_pvd_id_make_one_pvd_with_two_routers() -> None:
    run = run_of("pvd-two-routers-same-id.pcap")
    assert live(run) == sorted(run.state.pvds) == [PROVIDER_A], "neither has an implicit PvD, now or ever"
    assert lifetimes(run, PROVIDER_A) == {R1: 1800, R2: 900}
    assert held(run, PROVIDER_A, "prefix") == ["2001:db8:a::/64", "2001:db8:b::/64"]
    assert held(run, PROVIDER_A, "dns") == ["2001:db8:b::53", "2001:db8:a::53", "2001:db8:a::54"]
    assert len(run.state.pvds[PROVIDER_A].instances) == 1


@pytest.mark.covers("feat:A6")
def test_a_mif_container_makes_a_pvd_beside_the_implicit_one() -> None:
    """A.4: the router is in both; the container's options are the container's alone."""
    run = run_of("mif-container-one.pcap")
    implicit, container = f"ra:if0/1/{R1}", "uuid:f5a7f97d-ba83-4fd8-a3e0-839b2c2446ca"
    assert live(run) == [implicit, container]
    assert run.state.pvds[container].source == "mif"
    assert lifetimes(run, implicit) == lifetimes(run, container) == {R1: 1800}
    assert held(run, container, "prefix") == ["2001:db8:1111::/64"]
    assert held(run, container, "dns") == ["2001:db8:1111::1"]
    assert held(run, container, "search") == ["mif.example."]
    assert everything(run, implicit) == {R1}, "and nothing of it in the implicit one"


@pytest.mark.covers("feat:A6")
def test_with_the_mif_container_switched_off_the_router_alone_is_left() -> None:
    off = rerun([str(CAPTURES / "mif-container-one.pcap")], policy={"mif": False})
    assert live(off) == [f"ra:if0/1/{R1}"], "an unknown option is skipped with all that is in it"
    assert everything(off, f"ra:if0/1/{R1}") == {R1}


@pytest.mark.covers("rfc:P01", "rfc:P22")
def test_an_unaware_host_skips_the_pvd_option_with_all_that_is_in_it() -> None:
    """The same packets, twice: r1's RAs have a prefix outside the option and one inside."""
    aware = run_of("ra-nanosecond.pcap")
    assert live(aware) == [PROVIDER_A, f"ra:if0/1/{R2}"]
    assert set(held(aware, PROVIDER_A, "prefix")) == {"2001:db8:a::/64", "2001:db8:a1::/64"}
    unaware = rerun([str(CAPTURES / "ra-nanosecond.pcap")], policy={"aware": False})
    assert live(unaware) == [f"ra:if0/1/{R1}", f"ra:if0/1/{R2}"]
    assert held(unaware, f"ra:if0/1/{R1}", "prefix") == ["2001:db8:a::/64"]
    assert held(unaware, f"ra:if0/1/{R1}", "router") == [R1]


@pytest.mark.covers("rfc:P02", "rfc:N18", "rfc:R06", "feat:B1", "feat:B3", "feat:C1")
def test_two_plain_routers_make_two_implicit_pvds_whose_data_never_mix() -> None:
    for name in ("ra-two-routers.pcap", "ra-two-routers.pcapng", "conv-bigendian.pcap", "conv-bigendian.pcapng"):
        run = run_of(name)
        link = "br0" if name.endswith("ng") else "if0"
        one, two = f"ra:{link}/1/{R1}", f"ra:{link}/1/{R2}"
        assert live(run) == [one, two]
        assert everything(run, one) == {
            R1,
            "2001:db8:a::/64",
            "2001:db8:a::53",
            "2001:db8:a::54",
            f"2001:db8:aaaa::/48 via {R1}",
            "a.example.",
            "corp.a.example.",
        }
        assert everything(run, two) == {
            R2,
            "2001:db8:b::/64",
            "2001:db8:b::53",
            f"2001:db8:bbbb::/48 via {R2}",
            "b.example.",
        }
        assert (lifetimes(run, one), lifetimes(run, two)) == ({R1: 1800}, {R2: 900})


@pytest.mark.covers("rfc:P47", "rfc:P48", "rfc:V02", "rfc:V11")
def test_a_lease_goes_to_the_implicit_pvd_and_ends_with_its_release() -> None:
    run = run_of("client-systemd-networkd.pcap")
    implicit, fallback = f"ra:if0/1/{R2}", "if:if0/1"
    assert live(run) == [PROVIDER_A, implicit]
    assert run.state.pvds[fallback].phase == "gone"
    leased = {"198.51.100.100/24", "198.51.100.53", "198.51.100.54"}
    story = [(change.pvd, change.cause) for change in run.journal.history() if leased & {c[1] for c in change.added}]
    assert story == [(fallback, "leased"), (implicit, "moved")], "before any RA, then with the first"
    story = [(change.pvd, change.cause) for change in run.journal.history() if leased & {c[1] for c in change.removed}]
    assert story == [(fallback, "moved"), (implicit, "released")]
    assert not leased & everything(run, PROVIDER_A), "L=0: it claims no lease"
    (released,) = [change for change in run.journal.history() if change.cause == "released"]
    record = run.journal.record(released.because)
    assert record is not None
    assert record.provenance.packet == 49
    assert released.at == record.at
    assert [cell for cell, _ in run.state.pvds[implicit].instances] == [("if0", 1, "")], "the client's instance ended"
    assert held(run, implicit, "router") == [R2], "and the network's did not"


@pytest.mark.covers("rfc:V07")
def test_a_lease_counts_from_the_request_and_a_renewal_keeps_it() -> None:
    run = run_of("dhcp4-dora-renew-release.pcap")
    assert live(run) == []
    assert [change.cause for change in run.journal.history()] == ["leased", "released"], "a renewal is no version"
    at = {record.provenance.packet: record.at for record in run.journal.records()}
    assert at[26] - at[14] > 12 * SECOND, "without its renewals the lease of 12 s had lapsed"
    assert run.state.pvds["if:if0/1"].last_seen == at[24], "the last renewal's ACK"
    one = run_of("dhcp4-decline.pcap")
    at = {record.provenance.packet: record.at for record in one.journal.records()}
    ((cell, _),) = one.state.pvds["if:if0/1"].instances
    ends = [until(*item) for item in view.items(one.state, "if:if0/1", cell)]
    assert set(ends) == {at[26] + 60 * SECOND} != {at[27] + 60 * SECOND}


@pytest.mark.covers("rfc:P31", "rfc:P32", "rfc:P34", "rfc:P36", "rfc:P40", "rfc:P42", "rfc:W08")
@pytest.mark.covers("rfc:W22", part="negative")
def test_a_dhcp6_address_moves_to_the_router_whose_prefix_holds_it() -> None:
    run = run_of("dhcp6-relay-client-side.pcap")
    router, client = "ra:if0/1/fe80::ff:fe00:501", "0001000132974f59020000000401"
    assert live(run) == [router], "the fall-back of the time before the RA has ended"
    assert held(run, router, "address", client) == ["2001:db8:a::1ba9/128"]
    assert held(run, router, "dns", client) == ["2001:db8:a::53"]
    assert held(run, router, "address") == held(run, router, "dns") == [], "an instance of the client's, not of all"
    story = [(change.pvd, change.cause) for change in run.journal.history() if change.host == client]
    assert story == [("if:if0/1", "leased"), ("if:if0/1", "moved"), (router, "moved")]
    first = next(run.journal.history()).because
    record = run.journal.record(first)
    assert record is not None
    assert record.provenance.packet == 6, "the Reply, not the Advertise"


@pytest.mark.covers("rfc:W01")
def test_what_relay_and_server_say_to_each_other_is_recorded_and_makes_no_pvd() -> None:
    run = run_of("dhcp6-relay-server-side.pcap")
    assert dict(run.state.pvds) == {}
    assert list(run.journal.history()) == []
    assert run.captures[0].frames == 10


@pytest.mark.covers("rfc:N07", "rfc:D01", "rfc:R03")
def test_a_router_that_stops_leaves_its_prefix_behind_and_nothing_else() -> None:
    run = run_of("ra-router-stop.pcap")
    for pvd, prefix in ((f"ra:if0/1/{R1}", "2001:db8:a::/64"), (f"ra:if0/1/{R2}", "2001:db8:b::/64")):
        first, last = run.journal.history(pvd)
        assert last.cause == "withdrawn"
        kept = {key for _, key, _ in first.added} - {key for _, key, _ in last.removed}
        assert kept - {"hop_limit", pvd.rpartition("/")[2]} == {prefix}
        assert held(run, pvd, "router") == held(run, pvd, "dns") == held(run, pvd, "route") == []
        assert held(run, pvd, "prefix") == [prefix]


@pytest.mark.covers("rfc:P02")
def test_each_vlan_is_a_link_of_its_own() -> None:
    run = run_of("ra-vlan.pcap")
    assert {name: link.pvds for name, link in run.state.links.items()} == {
        "if0.100": (PROVIDER_A,),
        "if0.200": (f"ra:if0.200/1/{R2}",),
        "if0.10.30": ("ra:if0.10.30/1/fe80::ff:fe00:801",),
    }


def test_every_change_of_the_sequence_is_a_version_and_the_wrap_is_one_too() -> None:
    run = run_of("pvd-seq-change.pcap")
    first, *later = run.journal.history(PROVIDER_A)
    assert [change.version for change in (first, *later)] == [1, 2, 3, 4, 5]
    assert [after[2][5] for change in later for _, after in change.changed] == [8, 9, 65535, 0]
    assert all(not change.added and not change.removed for change in later), "nothing else changed"
    assert run.state.pvds[PROVIDER_A].sequence == 0


@pytest.mark.covers("evil:E9")
@pytest.mark.parametrize(("name", "count"), [("conv-snap130-inside-pvd.pcap", 4), ("ra-snaplen-96.pcap", 7)])
def test_nothing_is_made_of_a_cut_ra(name: str, count: int) -> None:
    run = run_of(name)
    assert dict(run.state.pvds) == {}
    assert {rule: one.count for rule, one in run.state.rejected.items()} == {"truncated-capture": count}


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".pcapng")])
def test_both_formats_of_a_capture_tell_the_same_story(name: str) -> None:
    """Two tools wrote down one wire: pcapng knows the interface's name, and may have stopped a packet later."""
    one, two = run_of(name.removesuffix("ng")), run_of(name)

    def story(run: Run) -> list[tuple[str, str, object, object, object]]:
        return [
            (change.pvd.replace("br0", "if0"), change.cause, change.added, change.removed, change.changed)
            for change in run.journal.history()
        ]

    assert story(one) == story(two) != []
