"""DHCP as an observer sees it: whose lease, from when, until when, and what ends it.

Law: only an answer that matches what was asked makes a lease (RFC 2131 §4.4, RFC 8415 §16.10), and a new answer
replaces the old one whole (an option missing in a renewal is gone). Messages between relays and servers make no PvD.
"""

from collections.abc import Iterator
from typing import Protocol, TypeVar

from msgspec.structs import replace

from events.dhcp import (
    Addresses,
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
    Resolver,
    Route,
    Routes,
    Status,
    Text,
)
from events.ids import NEVER, HostId, LinkId, Seq
from pvdcore import remarks
from pvdcore.draft import Draft, GrantKey
from pvdcore.prefixes import network
from pvdcore.state import Ask, Grant, Held, Value

Shape = TypeVar("Shape", bound=DhcpOption)

IA_NA, IA_TA, IA_PD = 3, 4, 25
RENEWING = ("RENEW", "REBIND", "INFORMATION-REQUEST")
BINDING = ("SOLICIT", "REQUEST", "RENEW", "REBIND")


def option(options: tuple[DhcpOption, ...], code: int, shape: type[Shape]) -> Shape | None:
    """The first option of a code, if it has the shape it should."""
    return next((one for one in options if one.code == code and isinstance(one, shape)), None)


def address(options: tuple[DhcpOption, ...], code: int) -> str | None:
    """The first address of an option."""
    found = option(options, code, Addresses)
    return found.addresses[0] if found and found.addresses else None


def host4(event: Dhcp4MessageSeen) -> HostId:
    """Whose a DHCPv4 message is: option 61, else chaddr (RFC 2131 §4.2). An id that is a MAC is shown as one."""
    found = option(event.options, 61, Identifier)
    if found is None:
        return event.chaddr
    if len(found.id) == 14 and found.id.startswith("01"):
        return ":".join(found.id[at : at + 2] for at in range(2, 14, 2))
    return found.id


def message4(draft: Draft, event: Dhcp4MessageSeen) -> None:
    """Fold one DHCPv4 message."""
    if event.giaddr != "0.0.0.0" or event.hops:
        return  # seen between a relay and a server
    slot = f"4 {event.chaddr} {event.xid:08x}"
    match event.message:
        case "DISCOVER" | "REQUEST" | "INFORM":
            _ask(draft, event.link, slot, Ask(event, draft.at, draft.seq, host4(event)))
        case "ACK":
            _acknowledged(draft, event, slot)
        case "NAK":
            ask = _answered(draft, event.link, slot, ("REQUEST",))
            if ask is not None:
                _end_host(draft, event.link, ask.host, ("dhcp4",), "refused")
        case "RELEASE" | "DECLINE":
            _given_up(draft, event)
        case _:
            pass  # an OFFER configures nothing


def _ask(draft: Draft, name: str, slot: str, ask: Ask) -> None:
    link = draft.link(name)
    asks = dict(link.asks)
    old = asks.pop(slot, None)
    if old is not None and old.event.message == ask.event.message:
        ask = replace(ask, at=old.at if isinstance(ask.event, Dhcp6MessageSeen) else ask.at)
    asks[slot] = ask
    while len(asks) > draft.policy.number("exchanges_max"):
        del asks[next(iter(asks))]
    draft.put_link(replace(link, asks=tuple(asks.items())))


def _answered(draft: Draft, name: str, slot: str, messages: tuple[str, ...]) -> Ask | None:
    """The question an answer belongs to; it is answered by that."""
    link = draft.link(name)
    asks = dict(link.asks)
    ask = asks.get(slot)
    if ask is None or ask.event.message not in messages:
        return None
    del asks[slot]
    draft.put_link(replace(link, asks=tuple(asks.items())))
    return ask


def _acknowledged(draft: Draft, event: Dhcp4MessageSeen, slot: str) -> None:
    asked = dict(draft.link(event.link).asks).get(slot)
    if asked is None or event.op != 2:
        return
    rapid = option(event.options, 80, Flag) is not None and option(asked.event.options, 80, Flag) is not None
    if asked.event.message == "DISCOVER" and not rapid:
        return  # an ACK before any REQUEST counts only with rapid commit on both sides (RFC 4039 §3)
    ask = _answered(draft, event.link, slot, ("REQUEST", "INFORM", "DISCOVER"))
    assert ask is not None
    link = draft.link(event.link)
    key: GrantKey = (event.link, ask.host, "dhcp4", "")
    known = draft.grants.get(key)
    server = address(event.options, 54) or address(ask.event.options, 54) or (known.server if known else "")
    if ask.event.message == "INFORM":  # options only: any yiaddr or lease time is ignored (RFC 2131 §4.3.5)
        held = _parameters4(event, None)
        start = draft.at
        if not held:
            return
    else:
        lease = option(event.options, 51, Number)
        if event.yiaddr == "0.0.0.0" or lease is None or lease.value == 0:
            draft.find("dhcp4-no-lease-time", link=event.link, server=server)
            return
        held = (*_lease4(event, server, lease.value), *_parameters4(event, lease.value))
        start = ask.at  # lifetimes count from the sending of the request (RFC 2131 §4.4.1)
    grant = Grant(
        rule="dhcp4",
        link=event.link,
        epoch=link.epoch,
        host=ask.host,
        subject="",
        server=server,
        heard_at=draft.at,
        started_at=start,
        because=draft.seq,
        since=known.since if known else draft.seq,
        held=_keep_since(held, known, draft.seq),
        owners=known.owners if known else (),
        mac=event.chaddr,
        queued=known.queued if known else NEVER,
        stateful=ask.event.message != "INFORM",
    )
    draft.put_grant(grant, "leased")


def _keep_since(held: tuple[Held, ...], known: Grant | None, seq: int) -> tuple[Held, ...]:
    old = {(one.kind, one.key): one.since for one in known.held} if known else {}
    return tuple(replace(one, since=old.get((one.kind, one.key), seq)) for one in held)


def _lease4(event: Dhcp4MessageSeen, server: str, lease_s: int | None) -> Iterator[Held]:
    mask = address(event.options, 1)
    width = network(f"0.0.0.0/{mask}").prefixlen if mask else 32  # no mask: the address alone [J]
    yield Held("address", f"{event.yiaddr}/{width}", ("dhcp4",), lease_s, 0)
    t1, t2 = timers4(event, lease_s)
    yield Held("lease", "dhcp4", ("dhcp4", server, t1, t2), lease_s, 0)


def timers4(event: Dhcp4MessageSeen, lease_s: int | None) -> tuple[int | None, int | None]:
    """T1 and T2 in seconds: the server's if T1 < T2 < lease, else 0.5 and 0.875 of it (RFC 2131 §4.4.5)."""
    if lease_s is None:
        return (None, None)
    given1, given2 = option(event.options, 58, Number), option(event.options, 59, Number)
    t1 = given1.value if given1 and given1.value is not None else lease_s // 2
    t2 = given2.value if given2 and given2.value is not None else lease_s * 7 // 8
    return (t1, t2) if t1 < t2 < lease_s else (lease_s // 2, lease_s * 7 // 8)


def _parameters4(event: Dhcp4MessageSeen, lease_s: int | None) -> tuple[Held, ...]:
    options = event.options
    found: list[Held] = []

    def add(kind: str, key: str, value: Value = ()) -> None:
        found.append(Held(kind, key, value, lease_s, 0, len(found)))

    for route in _routes4(options):
        key = f"{route.destination} via {route.via}" if route.via else route.destination
        add("route", key, (route.destination, route.via, "medium"))
    dns = option(options, 6, Addresses)
    for server in dns.addresses if dns else ():
        add("dns", server)
    search = option(options, 119, Names)
    domain = option(options, 15, Text)
    names = search.names if search else tuple(_domain(word) for word in domain.text.split()) if domain else ()
    for name in names:
        add("search", name)
    portal = option(options, 114, Text)
    if portal:
        add("captive_portal", "uri", (portal.text,))
    mtu = option(options, 26, Number)
    if mtu and mtu.value is not None and mtu.value >= 68:
        add("mtu", "mtu", (mtu.value,))
    for server in ntp.addresses if (ntp := option(options, 42, Addresses)) else ():
        add("ntp", server)
    _resolvers(options, 162, add)
    return tuple(found)


def _domain(word: str) -> str:
    return word.lower().rstrip(".") + "."


def _resolvers(options: tuple[DhcpOption, ...], code: int, add: "Add") -> None:
    for one in options:
        if one.code == code and isinstance(one, Resolver):
            params = tuple((param.key, param.value) for param in one.params)
            key = " ".join((str(one.priority), one.adn, *one.addresses))
            add("encrypted_dns", key, (one.priority, one.adn, one.addresses, params))


class Add(Protocol):
    """The shape of the local `add` functions: kind, key, value."""

    def __call__(self, kind: str, key: str, value: Value = ()) -> None: ...


def _routes4(options: tuple[DhcpOption, ...]) -> tuple[Route, ...]:
    """Option 121, else 249, else 33 and 3 (RFC 3442): with 121, 3 and 33 are ignored even if it has no default."""
    for code in (121, 249):
        classless = option(options, code, Routes)
        if classless is not None:
            return classless.routes
    static = option(options, 33, Routes)
    routers = option(options, 3, Addresses)
    default = tuple(Route("0.0.0.0/0", via) for via in (routers.addresses if routers else ()) if via != "0.0.0.0")
    return (*default, *(static.routes if static else ()))


def _given_up(draft: Draft, event: Dhcp4MessageSeen) -> None:
    host = host4(event)
    cause = "released" if event.message == "RELEASE" else "declined"
    given = event.ciaddr if event.message == "RELEASE" else address(event.options, 50)
    grant = draft.grants.get((event.link, host, "dhcp4", ""))
    if grant is None:
        return
    if any(one.kind == "address" and one.key.split("/")[0] == given for one in grant.held):
        draft.drop_grant(grant, cause, draft.seq)


def _end_host(draft: Draft, link: str, host: HostId, rules: tuple[str, ...], cause: str) -> None:
    for key in draft.link(link).grants:
        if key[0] == host and key[1] in rules:
            draft.drop_grant(draft.grants[(link, *key)], cause, draft.seq)


# DHCPv6


def _duid(options: tuple[DhcpOption, ...], code: int) -> str | None:
    found = option(options, code, Identifier)
    return found.id if found else None


def message6(draft: Draft, event: Dhcp6MessageSeen) -> None:
    """Fold one DHCPv6 message."""
    if event.relays:
        return  # seen between a relay and a server
    remarks.unanswered(draft, event)
    client = _duid(event.options, 1)
    # An Information-request may go without a client id (RFC 8415 §18.2.6): then its source names the host.
    slot = f"6 {event.xid:06x}"
    match event.message:
        case "REPLY":
            _replied(draft, event, client, slot)
        case "RELEASE" | "DECLINE":
            if client is not None:
                _ask(draft, event.link, slot, Ask(event, draft.at, draft.seq, client))
                _released6(draft, event, client)
        case "SOLICIT" | "REQUEST" | "CONFIRM" | "RENEW" | "REBIND" | "INFORMATION-REQUEST":
            host = client or event.source
            _ask(draft, event.link, slot, Ask(event, draft.at, draft.seq, host))
        case _:
            pass  # an ADVERTISE configures nothing


def _replied(draft: Draft, event: Dhcp6MessageSeen, client: str | None, slot: str) -> None:
    server = _duid(event.options, 2)
    asked = dict(draft.link(event.link).asks).get(slot)
    if server is None or asked is None or _duid(asked.event.options, 1) != client:
        return
    rapid = option(event.options, 14, Flag) is not None and option(asked.event.options, 14, Flag) is not None
    if asked.event.message == "SOLICIT" and not rapid:
        return
    ask = _answered(draft, event.link, slot, (*BINDING, "CONFIRM", "RELEASE", "DECLINE", "INFORMATION-REQUEST"))
    assert ask is not None
    status = option(event.options, 13, Status)
    if status is not None and status.status != 0:
        return
    message = ask.event.message
    if message in BINDING:
        for one in event.options:
            if isinstance(one, Ia):
                _association(draft, event, ask, server, one)
    if message in (*BINDING, "INFORMATION-REQUEST"):
        _information(draft, event, ask, server, stateful=message in BINDING)


def _association(draft: Draft, event: Dhcp6MessageSeen, ask: Ask, server: str, ia: Ia) -> None:
    if ia.t1_s is not None and ia.t2_s is not None and ia.t1_s > ia.t2_s > 0:
        return  # RFC 8415 §21.4: this association alone is discarded
    for one in ia.options:
        if isinstance(one, IaAddress):
            held = Held("address", f"{one.address}/128", ("dhcp6",), one.valid_s, 0, preferred_s=one.preferred_s)
            _bind(draft, event, ask, server, ia, "dhcp6-address", one.address, held, one.valid_s)
        elif isinstance(one, IaPrefix):
            delegated = Held(
                "prefix_delegated", one.prefix, (one.excluded,), one.valid_s, 0, preferred_s=one.preferred_s
            )
            _bind(draft, event, ask, server, ia, "dhcp6-prefix", one.prefix, delegated, one.valid_s)


def _bind(
    draft: Draft,
    event: Dhcp6MessageSeen,
    ask: Ask,
    server: str,
    ia: Ia,
    rule: str,
    subject: str,
    held: Held,
    valid_s: int | None,
) -> None:
    known = draft.grants.get((event.link, ask.host, rule, subject))
    if valid_s == 0:
        if known is not None:
            draft.drop_grant(known, "withdrawn", draft.seq)
        return
    if known is None:  # another server's leases are not mixed with this one's (RFC 8415 §18.2.10.1)
        for key in draft.link(event.link).grants:
            old = draft.grants[(event.link, *key)]
            if key[0] == ask.host and key[1] == rule and old.server != server:
                draft.drop_grant(old, "replaced", draft.seq)
    t1, t2 = ia.t1_s or None, ia.t2_s or None
    lease = Held("lease", f"dhcp6 {subject}", ("dhcp6", server, t1, t2), valid_s, 0)
    grant = Grant(
        rule=rule,
        link=event.link,
        epoch=draft.link(event.link).epoch,
        host=ask.host,
        subject=subject,
        server=server,
        heard_at=draft.at,
        started_at=draft.at,
        because=draft.seq,
        since=known.since if known else draft.seq,
        held=_keep_since((held, lease), known, draft.seq),
        owners=known.owners if known else (),
        mac=ask.event.mac,
        queued=known.queued if known else NEVER,
    )
    draft.put_grant(grant, "leased")


def _information(draft: Draft, event: Dhcp6MessageSeen, ask: Ask, server: str, *, stateful: bool) -> None:
    """The options beside the leases: resolvers, names, portal, time (RFC 8415 §18.2.10).

    What a Reply to Renew, Rebind or Information-request no longer carries, though it was asked for, is gone.
    """
    found: list[Held] = []

    def add(kind: str, key: str, value: Value = ()) -> None:
        found.append(Held(kind, key, value, None, 0, len(found)))

    dns = option(event.options, 23, Addresses)
    for one in dns.addresses if dns else ():
        add("dns", one)
    search = option(event.options, 24, Names)
    for name in search.names if search else ():
        add("search", name)
    portal = option(event.options, 103, Text)
    if portal:
        add("captive_portal", "uri", (portal.text,))
    sntp = option(event.options, 31, Addresses)
    for one in sntp.addresses if sntp else ():
        add("ntp", one)
    _resolvers(event.options, 144, add)
    known = draft.grants.get((event.link, ask.host, "dhcp6-info", ""))
    if known is not None:
        wanted = option(ask.event.options, 6, Codes)
        asked = set(wanted.codes) if wanted and ask.event.message in RENEWING else set()
        new = {one.kind for one in found}
        codes = {"dns": 23, "search": 24, "captive_portal": 103, "ntp": 31, "encrypted_dns": 144}
        for held in known.held:
            if held.kind not in new and codes.get(held.kind) not in asked:
                found.append(held)
    if not found:
        if known is not None:
            draft.drop_grant(known, "withdrawn", draft.seq)
        return
    grant = Grant(
        rule="dhcp6-info",
        link=event.link,
        epoch=draft.link(event.link).epoch,
        host=ask.host,
        subject="",
        server=server,
        heard_at=draft.at,
        started_at=draft.at,
        because=draft.seq,
        since=known.since if known else draft.seq,
        held=_keep_since(tuple(found), known, draft.seq),
        owners=known.owners if known else (),
        mac=ask.event.mac,
        stateful=stateful,
    )
    draft.put_grant(grant, "leased")


def _released6(draft: Draft, event: Dhcp6MessageSeen, client: str) -> None:
    """Release and Decline end what they name at once, whatever the answer (RFC 8415 §18.2.7, §18.2.8)."""
    cause = "released" if event.message == "RELEASE" else "declined"
    for ia in event.options:
        if not isinstance(ia, Ia):
            continue
        for one in ia.options:
            subject = (
                ("dhcp6-address", one.address)
                if isinstance(one, IaAddress)
                else ("dhcp6-prefix", one.prefix)
                if isinstance(one, IaPrefix)
                else None
            )
            if subject is None:
                continue
            grant = draft.grants.get((event.link, client, *subject))
            if grant is not None:
                draft.drop_grant(grant, cause, draft.seq)
    orphaned(draft, event.link, client, cause, draft.seq)


def orphaned(draft: Draft, link: LinkId, host: HostId, cause: str, because: Seq) -> None:
    """What came beside DHCPv6 leases ends with the last of them; what was asked for by itself stays."""
    left = any(
        key[0] == host and key[1].startswith("dhcp6") and key[1] != "dhcp6-info" for key in draft.link(link).grants
    )
    info = draft.grants.get((link, host, "dhcp6-info", ""))
    if not left and info is not None and info.stateful:
        draft.drop_grant(info, cause, because)
