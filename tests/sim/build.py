"""Events in a few words, and a Story: an engine with a memory journal and virtual time.

Law: builders say only what a test is about; everything else is what an ordinary router or server would say. A Story
checks all invariants (pvdcore/checks/invariants.py) after every record and every wake-up.
"""

from collections.abc import Iterator

from events.codec import AnyEvent
from events.dhcp import (
    Addresses,
    Authentication,
    Codes,
    Dhcp4MessageSeen,
    Dhcp6MessageSeen,
    DhcpOption,
    Flag,
    Ia,
    IaAddress,
    IaPrefix,
    Identifier,
    Names,
    Number,
    Route,
    Routes,
    Status,
    Text,
)
from events.identifiers import IdentifierChosen
from events.ids import NEVER, SECOND, Instant
from events.link import ArpSeen, AttachEnded, AttachStarted, LinkSeen
from events.operator import PolicySet
from events.router import (
    CaptivePortal,
    Dnssl,
    IgnoredOption,
    MifContainer,
    MifPvdId,
    Mtu,
    NdOption,
    NeighborAdvertised,
    Pref64,
    PrefixInformation,
    PvdOption,
    RaHeader,
    Rdnss,
    RouteInformation,
    RouterAdvertised,
    TargetLinkLayerAddress,
)
from pvdcore.checks.invariants import check
from pvdcore.domains.view import items
from pvdcore.engine import Engine
from pvdcore.host.addresses import wanted_identifiers
from pvdcore.past.audit import Answer, why
from pvdcore.past.journal import MemoryJournal
from pvdcore.policy import DEFAULT, Value
from pvdcore.projections.desired import Desired, desired
from pvdcore.projections.tables import projected
from pvdcore.reduce import reduce
from pvdcore.state import Change, Finding, Held, Instance, Origin, Pvd, State, until

START = 1_700_000_000 * SECOND
R1, R2, R3 = "fe80::1", "fe80::2", "fe80::3"
CLIENT = "02:00:00:00:00:0a"
OTHER = "02:00:00:00:00:0b"
DUID = "000100011122334402000000000a"
SERVER6 = "00030001020000000001"


# Router Advertisements


def header(life: int = 1800, *, pref: str = "medium", m: bool = False, o: bool = False, hop: int = 0) -> RaHeader:
    """An RA's fixed part."""
    return RaHeader(life, pref, m, o, hop)


def pio(prefix: str, valid: int | None = 86400, preferred: int | None = 14400, flags: str = "LA") -> PrefixInformation:
    """A prefix; flags: L, A, P."""
    return PrefixInformation(prefix, valid, preferred, "L" in flags, "A" in flags, False, "P" in flags)


def rio(prefix: str, life: int | None = 1800, pref: str = "medium") -> RouteInformation:
    """A route."""
    return RouteInformation(prefix, life, pref)


def dns(*addresses: str, life: int | None = 1800) -> Rdnss:
    """Resolvers."""
    return Rdnss(addresses, life, 8 + 16 * len(addresses))


def search(*names: str, life: int | None = 1800) -> Dnssl:
    """Search names."""
    return Dnssl(names, life, 24)


def pref64(prefix: str = "64:ff9b::/96", life: int = 1800) -> Pref64:
    """A NAT64 prefix."""
    return Pref64(prefix, life)


def mtu(octets: int) -> Mtu:
    """The link's MTU."""
    return Mtu(octets)


def portal(uri: str) -> CaptivePortal:
    """A captive portal."""
    return CaptivePortal(uri, 8)


def pvd(
    name: str,
    *options: NdOption,
    h: bool = False,
    legacy: bool = False,
    seq: int = 0,
    delay: int = 0,
    inner: RaHeader | None = None,
) -> PvdOption:
    """Option 21; inner: the nested header (R flag)."""
    return PvdOption(name, h, legacy, delay, seq, options, 48, 24, header=inner)


def container(uuid: str, *options: NdOption) -> MifContainer:
    """Option 63 of the MIF drafts."""
    return MifContainer(uuid, (MifPvdId(uuid, 4), *options), 48)


def ra(
    router: str,
    *options: NdOption,
    life: int = 1800,
    pref: str = "medium",
    m: bool = False,
    o: bool = False,
    hop: int = 0,
    link: str = "e0",
    mac: str = "",
) -> RouterAdvertised:
    """A Router Advertisement."""
    return RouterAdvertised(
        link=link, router=router, header=header(life, pref=pref, m=m, o=o, hop=hop), options=options, mac=mac
    )


def ignored(code: int, reason: str) -> IgnoredOption:
    """An option the wire reader set aside."""
    return IgnoredOption(code, reason, b"", 8)


def na(
    target: str, *, source: str = "", router: bool = False, override: bool = True, mac: str = "", link: str = "e0"
) -> NeighborAdvertised:
    """A Neighbor Advertisement."""
    options = (TargetLinkLayerAddress(mac),) if mac else ()
    return NeighborAdvertised(
        link=link, source=source or target, target=target, router=router, override=override, options=options
    )


# DHCPv4


def dhcp4(
    message: str,
    *options: DhcpOption,
    xid: int = 1,
    mac: str = CLIENT,
    link: str = "e0",
    yiaddr: str = "0.0.0.0",
    ciaddr: str = "0.0.0.0",
    giaddr: str = "0.0.0.0",
    destination: str = "",
) -> Dhcp4MessageSeen:
    """A DHCPv4 message; `op` follows from what it is."""
    return Dhcp4MessageSeen(
        link=link,
        message=message,
        xid=xid,
        chaddr=mac,
        yiaddr=yiaddr,
        ciaddr=ciaddr,
        giaddr=giaddr,
        destination=destination,
        op=2 if message in ("OFFER", "ACK", "NAK") else 1,
        options=options,
    )


def lease4(
    address: str = "192.0.2.10",
    *more: DhcpOption,
    life: int | None = 3600,
    router: str = "192.0.2.1",
    resolvers: tuple[str, ...] = ("192.0.2.53",),
    server: str = "192.0.2.1",
    xid: int = 1,
    mac: str = CLIENT,
    link: str = "e0",
) -> Dhcp4MessageSeen:
    """An ACK as a home router sends it."""
    options: list[DhcpOption] = [addresses(54, server), number(51, life), addresses(1, "255.255.255.0")]
    if router:
        options.append(addresses(3, router))
    if resolvers:
        options.append(addresses(6, *resolvers))
    return dhcp4("ACK", *options, *more, xid=xid, mac=mac, link=link, yiaddr=address)


def addresses(code: int, *listed: str) -> Addresses:
    """Addresses in a DHCP option."""
    return Addresses(code, listed, 0, 0)


def number(code: int, value: int | None) -> Number:
    """A number in a DHCP option."""
    return Number(code, value, 0, 0)


def text(code: int, said: str) -> Text:
    """Text in a DHCP option."""
    return Text(code, said, 0, 0)


def names(code: int, *listed: str) -> Names:
    """Names in a DHCP option."""
    return Names(code, listed, 0, 0)


def identifier(code: int, id: str) -> Identifier:
    """A client id, or a DUID."""
    return Identifier(code, id, 0, 0)


def routes(code: int, *listed: tuple[str, str | None]) -> Routes:
    """Static routes (121, 249, 33)."""
    return Routes(code, tuple(Route(destination, via) for destination, via in listed), 0, 0)


def flag(code: int) -> Flag:
    """An option without content."""
    return Flag(code, 0, 0)


def authentication() -> Authentication:
    """Reconfigure key authentication (RFC 8415 §20.4)."""
    return Authentication(11, 3, 1, 0, "0000000000000001", "02" + "ab" * 16, 0, 0)


def status(code: int) -> Status:
    """A DHCPv6 status."""
    return Status(13, code, "", 0, 0)


# ARP


def probe(address: str, mac: str = CLIENT) -> ArpSeen:
    """Somebody asks whether an address is taken (RFC 5227 §2.1.1)."""
    return ArpSeen("e0", "request", mac, "0.0.0.0", "00:00:00:00:00:00", address, mac)


def announcement(address: str, mac: str = CLIENT) -> ArpSeen:
    """Somebody says that an address is theirs (§2.3)."""
    return ArpSeen("e0", "request", mac, address, "00:00:00:00:00:00", address, mac)


def defence(address: str, mac: str, to: str = CLIENT) -> ArpSeen:
    """Somebody answers a probe (§2.1.1)."""
    return ArpSeen("e0", "reply", mac, address, to, "0.0.0.0", mac)


# DHCPv6


def dhcp6(
    message: str,
    *options: DhcpOption,
    xid: int = 1,
    client: str | None = DUID,
    server: str | None = None,
    ask: tuple[int, ...] = (),
    link: str = "e0",
    source: str = "fe80::a",
) -> Dhcp6MessageSeen:
    """A DHCPv6 message; replies name SERVER6 unless told otherwise, "" for none."""
    if server is None:
        server = SERVER6 if message in ("REPLY", "ADVERTISE") else ""
    own: list[DhcpOption] = []
    if client is not None:
        own.append(identifier(1, client))
    if server:
        own.append(identifier(2, server))
    if ask:
        own.append(Codes(6, ask, 0, 0))
    return Dhcp6MessageSeen(link=link, message=message, xid=xid, source=source, options=(*own, *options))


def ia_na(*inside: DhcpOption, iaid: int = 1, t1: int = 1800, t2: int = 2880) -> Ia:
    """IA_NA."""
    return Ia(3, iaid, t1, t2, 0, 0, inside)


def ia_pd(*inside: DhcpOption, iaid: int = 1, t1: int = 1800, t2: int = 2880) -> Ia:
    """IA_PD."""
    return Ia(25, iaid, t1, t2, 0, 0, inside)


def ia_address(address: str, valid: int | None = 7200, preferred: int | None = 3600) -> IaAddress:
    """An address in an IA."""
    return IaAddress(5, address, preferred, valid, 0, 0)


def ia_prefix(prefix: str, valid: int | None = 7200, preferred: int | None = 3600) -> IaPrefix:
    """A prefix in an IA."""
    return IaPrefix(26, prefix, preferred, valid, 0, 0)


class Story:
    """What happens to one host. `at(s)` sets the time, in seconds from the beginning; `hear` is a record there."""

    def __init__(self, **policy: Value) -> None:
        self.journal = MemoryJournal()
        self.engine = Engine(self.journal)
        self.now: Instant = START
        self.xid = 0
        self.hear(PolicySet(values={**DEFAULT.values, **policy}))
        for link in ("e0", "e1"):
            self.hear(LinkSeen(link=link, identity=f"capture:{link}", name=link))

    def at(self, seconds: float) -> "Story":
        """Time goes on to so many seconds after the beginning; what ends by then has ended."""
        self.now = START + int(seconds * SECOND)
        self.engine.wake(self.now)
        self._sound()
        return self

    def hear(self, *events: AnyEvent) -> "Story":
        """Events at this instant, a record each."""
        for event in events:
            self.engine.submit(event, source="story", at=self.now)
            self._sound()
        return self

    def _sound(self) -> None:
        problems = check(self.engine.state)
        assert not problems, "\n".join(problems)

    # Exchanges that tests don't look into

    def leases4(self, *more: DhcpOption, life: int | None = 3600, mac: str = CLIENT, link: str = "e0") -> "Story":
        """A host gets 192.0.2.10."""
        self.xid += 1
        asked = dhcp4("REQUEST", addresses(50, "192.0.2.10"), xid=self.xid, mac=mac, link=link)
        return self.hear(asked, lease4("192.0.2.10", *more, life=life, xid=self.xid, mac=mac, link=link))

    def asks6(
        self,
        question: str,
        *options: DhcpOption,
        ask: tuple[int, ...] = (23, 24),
        link: str = "e0",
        client: str = DUID,
        server: str = SERVER6,
    ) -> "Story":
        """A DHCPv6 question and the Reply with these options."""
        self.xid += 1
        rapid = (flag(14),) if question == "SOLICIT" else ()
        asked = dhcp6(question, *rapid, xid=self.xid, ask=ask, link=link, client=client)
        return self.hear(asked, dhcp6("REPLY", *rapid, *options, xid=self.xid, link=link, client=client, server=server))

    def chooses(self, iid: str = "a", *, desync_s: int = 0, mac: str = "", at_most: int = 9) -> "Story":
        """The host answers every wish for an identifier: `iid` for the first, then one more each."""
        for number, one in enumerate(wanted_identifiers(self.state)[:at_most]):
            self.hear(
                IdentifierChosen(
                    link=one.link,
                    epoch=one.epoch,
                    prefix=one.prefix,
                    kind=one.kind,
                    iid=f"{int(iid, 16) + number:x}",
                    dad_counter=one.dad_counter,
                    generation=one.generation,
                    desync_s=desync_s,
                    pvd=one.pvd,
                    mac=mac,
                )
            )
        return self

    def attach(self, link: str = "e0") -> "Story":
        """The link is attached to another network."""
        return self.hear(AttachStarted(link=link))

    def detach(self, link: str = "e0") -> "Story":
        """The attachment ends."""
        return self.hear(AttachEnded(link=link))

    # Questions

    @property
    def state(self) -> State:
        return self.engine.state

    def alive(self) -> list[str]:
        """The PvDs that have an instance."""
        return sorted(id for id, one in self.state.pvds.items() if one.instances)

    def pvd(self, id: str) -> Pvd:
        return self.state.pvds[id]

    def instances(self, id: str) -> list[Instance]:
        found = self.state.pvds.get(id)
        return [one for _, one in found.instances] if found else []

    def holdings(self, id: str, kind: str | None = None) -> dict[str, tuple[object, ...]]:
        """All that a PvD's instances hold: key and value, in order of use within an instance."""
        return {held.key: held.value for _, held in self._items(id) if kind is None or held.kind == kind}

    def keys(self, id: str, kind: str) -> list[str]:
        """The keys of one kind, in order."""
        return [held.key for _, held in self._items(id) if held.kind == kind]

    def ends(self, id: str, kind: str, key: str) -> float | None:
        """When an item ends, in seconds from the beginning; None for never. KeyError if it isn't held."""
        for source, held in self._items(id):
            if (held.kind, held.key) == (kind, key):
                end = until(source, held)
                return None if end == NEVER else (end - START) / SECOND
        raise KeyError((id, kind, key))

    def _items(self, id: str) -> Iterator[tuple[object, Held]]:
        for one in self.instances(id):
            yield from items(self.state, id, (one.link, one.epoch, one.host))

    def owners(self, rule: str, subject: str = "", host: str | None = None) -> list[str]:
        """The PvDs a DHCP grant belongs to; [] if there is none."""
        return sorted(
            owner
            for grant in self.state.grants.values()
            if grant.rule == rule and grant.subject == subject and host in (None, grant.host)
            for owner in grant.owners
        )

    def origin(self, id: str, router: str, link: str = "e0") -> Origin | None:
        """What a router says of a PvD."""
        return next((one for one in self.state.speakers.get((link, router), ()) if one.pvd == id), None)

    def history(self, id: str | None = None) -> list[Change]:
        return list(self.journal.history(id))

    def moves(self, id: str) -> list[tuple[float, str, tuple[str, ...], tuple[str, ...]]]:
        """History in short: seconds, cause, keys added, keys removed."""
        return [
            (
                (one.at - START) / SECOND,
                one.cause,
                tuple(item[1] for item in one.added if item[0] != "flags"),
                tuple(item[1] for item in one.removed if item[0] != "flags"),
            )
            for one in self.history(id)
        ]

    def has(self) -> dict[str, tuple[str, float | None, float | None]]:
        """The addresses this host should have: PvD, seconds until the end and until deprecation; None for never."""

        def seconds(at: Instant) -> float | None:
            return None if at == NEVER else (at - START) / SECOND

        return {
            one.address.split("/")[0]: (place.pvd, seconds(one.until), seconds(one.preferred_until))
            for place in desired(self.state).places
            for one in place.addresses
        }

    def findings(self) -> dict[str, Finding]:
        return {one.code: one for one in self.state.findings.values()}

    def why(self, target: str) -> list[Answer]:
        """The answer as of this instant."""
        return list(why(self.journal, target, at=self.now))

    def refolded(self) -> State:
        """The State that the journal folds to, invariants checked after every record."""
        state = State()
        for record in self.journal.records():
            state = reduce(state, record)
            assert not check(state)
        return state


def steering(state: State, host: str | None = None) -> Desired:
    """How the first namespace should look if all links had the projection `tables`."""
    return projected(state, desired(state, host=host), lambda link: True)
