"""DHCPv4 as an observer sees it: whose lease, from when, until when, and what ends it (RFC 2131).

Law: only an ACK that matches what was asked makes a lease (§4.4), and it replaces the one before whole: an option that
is missing in a renewal is gone. Messages between relays and servers make no PvD.
"""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from events.dhcp import Dhcp4MessageSeen, Flag, Number
from events.ids import NEVER, SECOND, HostId
from pvdcore.checks import remarks
from pvdcore.draft import Draft
from pvdcore.leases import conflicts, v6only
from pvdcore.leases.exchanges import (
    address,
    answered,
    ask,
    asks,
    client,
    codes,
    foreign,
    identifier,
    keep_since,
    option,
    put_client,
    settled,
)
from pvdcore.leases.parameters import parameters4, routes4
from pvdcore.prefixes import covers, network
from pvdcore.state import Ask, Grant, Held

UNSPECIFIED: Final = "0.0.0.0"
BROADCAST: Final = "255.255.255.255"
AFTER_DECLINE: Final = 10 * SECOND  # RFC 2131 §3.1 5: the least time from a DECLINE to the next try
FOR_A_LEASE: Final = ("DISCOVER", "REQUEST")


def host4(event: Dhcp4MessageSeen) -> HostId:
    """Whose a DHCPv4 message is: option 61, else chaddr (RFC 2131 §4.2). An id that is a MAC is shown as one."""
    found = identifier(event.options, 61)
    if found is None:
        return event.chaddr
    if len(found) == 14 and found.startswith("01"):
        return ":".join(found[at : at + 2] for at in range(2, 14, 2))
    return found


def message(draft: Draft, event: Dhcp4MessageSeen) -> None:
    """Fold one DHCPv4 message."""
    relayed = event.giaddr != UNSPECIFIED
    if event.op == 1:
        # With giaddr or hops a relay has had it. In an answer giaddr stays, up to the client (RFC 1542 §4.1.2).
        if relayed or event.hops or foreign(draft, event.link, event.chaddr):
            return
    elif relayed and event.destination in ("", event.giaddr):
        return
    slot = f"4 {event.chaddr} {event.xid:08x}"
    match event.message:
        case "DISCOVER" | "REQUEST" | "INFORM":
            _asked(draft, event, slot)
        case "OFFER":
            _offered(draft, event, slot)
        case "ACK":
            _acknowledged(draft, event, slot)
        case "NAK":
            _refused(draft, event, slot)
        case "RELEASE" | "DECLINE":
            _given_up(draft, event)


# What clients say


def manner(event: Dhcp4MessageSeen) -> str:
    """What a REQUEST is for (RFC 2131 §4.3.2, table 4); `""` for one that fits no row.

    Renewing and rebinding differ in where they are sent, not in what they carry.
    """
    wish, server = address(event.options, 50), address(event.options, 54)
    if event.ciaddr == UNSPECIFIED:
        return ("selecting" if server else "rebooting") if wish else ""
    if wish or server:
        return ""
    return "rebinding" if event.destination in ("", BROADCAST) else "renewing"


def _asked(draft: Draft, event: Dhcp4MessageSeen, slot: str) -> None:
    host = host4(event)
    name = event.link
    if event.message != "INFORM":
        _judge(draft, event, host, asks(draft, name).get(slot))
        v6only.asked(draft, event, host)
    ask(draft, name, slot, Ask(event, draft.at, draft.seq, host))
    lease = draft.grants.get((name, host, "dhcp4", ""))
    if event.message == "REQUEST" and lease is not None and manner(event) == "rebooting":
        if conflicts.address_of(lease) == address(event.options, 50) and lease.verified:
            # It may be used to its end if nobody answers (RFC 2131 §3.2), but nobody has said so yet.
            draft.grants = draft.grants.set((name, host, "dhcp4", ""), replace(lease, verified=False))


def _judge(draft: Draft, event: Dhcp4MessageSeen, host: HostId, before: Ask | None) -> None:
    """What a client does against the RFCs, where an observer can see it."""
    name = event.link
    if event.message == "REQUEST" and not manner(event):
        if event.ciaddr == UNSPECIFIED:
            draft.find("dhcp4-client-bad-request", link=name, host=host)
        else:
            draft.find("dhcp4-client-bad-renew", link=name, host=host)
    lease = draft.grants.get((name, host, "dhcp4", ""))
    if event.message == "REQUEST" and manner(event) == "renewing" and lease and event.destination != lease.server:
        where = event.destination
        draft.find("dhcp4-client-renews-elsewhere", link=name, host=host, server=lease.server, where=where)
    wanted = codes(event.options, 55)
    if not in_order(wanted):
        draft.find("dhcp4-client-request-order", link=name, host=host)
    if before is not None and before.host != host:
        draft.find("dhcp4-client-id-changed", link=name, before=before.host, host=host)
    declined = client(draft, name, host).declined_at
    if declined and draft.at < declined + AFTER_DECLINE:
        draft.find("dhcp4-client-hasty", link=name, host=host)


def in_order(wanted: tuple[int, ...]) -> bool:
    """RFC 3442: who asks for 121 asks for 3 as well, and 121 stands before 3 and before 33 in what he asks for."""
    if 121 not in wanted:
        return True
    return 3 in wanted and all(wanted.index(121) < wanted.index(one) for one in (3, 33) if one in wanted)


def _given_up(draft: Draft, event: Dhcp4MessageSeen) -> None:
    host, name = host4(event), event.link
    released = event.message == "RELEASE"
    given = event.ciaddr if released else address(event.options, 50)
    settled(draft, name, host, "4", FOR_A_LEASE)
    if not released:
        put_client(draft, name, host, replace(client(draft, name, host), declined_at=draft.at))
    lease = draft.grants.get((name, host, "dhcp4", ""))
    if lease is not None and conflicts.address_of(lease) == given:
        if not released:
            conflicts.declined(draft, lease)
        draft.drop_grant(lease, "released" if released else "declined", draft.seq)


# What servers say


def _offered(draft: Draft, event: Dhcp4MessageSeen, slot: str) -> None:
    """An OFFER configures nothing; one with option 108 may have its client wait (RFC 8925 §3.2)."""
    question = asks(draft, event.link).get(slot)
    server = address(event.options, 54)
    if question is None or question.event.message != "DISCOVER" or server is None:
        return
    wait_s = v6only.preferred(draft, event, question)
    if wait_s is not None:
        v6only.wait(draft, event.link, question.host, wait_s, server)


def _refused(draft: Draft, event: Dhcp4MessageSeen, slot: str) -> None:
    """A NAK ends the lease whose client asked (RFC 2131 §3.1 4, §3.2); nothing else in it counts (table 3)."""
    question = asks(draft, event.link).get(slot)
    if question is None or question.event.message != "REQUEST":
        return
    chosen, server = address(question.event.options, 54), address(event.options, 54)
    if chosen and server and chosen != server:
        return  # not the server that was asked
    settled(draft, event.link, question.host, "4", FOR_A_LEASE)
    lease = draft.grants.get((event.link, question.host, "dhcp4", ""))
    if lease is not None:
        draft.drop_grant(lease, "refused", draft.seq)


def _acknowledged(draft: Draft, event: Dhcp4MessageSeen, slot: str) -> None:
    question = asks(draft, event.link).get(slot)
    if question is None or event.op != 2:
        return
    match question.event.message:
        case "INFORM":
            answered(draft, event.link, slot)
            _informed(draft, event, question)
            return
        case "DISCOVER":
            if not all(option(one.options, 80, Flag) for one in (event, question.event)):
                return  # an ACK before any REQUEST counts only with rapid commit on both sides (RFC 4039 §3)
            by = "rapid"
        case _:
            assert isinstance(question.event, Dhcp4MessageSeen)
            by = manner(question.event)
    host = question.host
    settled(draft, event.link, host, "4", FOR_A_LEASE)  # in BOUND, further answers are discarded (RFC 2131 fig. 5)
    wait_s = v6only.preferred(draft, event, question)
    if wait_s is not None and by == "rebooting":
        v6only.wait(draft, event.link, host, wait_s, address(event.options, 54) or "")
        return
    known = draft.grants.get((event.link, host, "dhcp4", ""))
    server = address(event.options, 54) or address(question.event.options, 54) or (known.server if known else "")
    lease = option(event.options, 51, Number)
    if event.yiaddr == UNSPECIFIED or lease is None or lease.value == 0:
        draft.find("dhcp4-no-lease-time", link=event.link, server=server)
        return
    remarks.reserved(draft, event)
    held = _said_again(draft, event, host, known) if known is not None and known.server == server else None
    if held is None:
        held = _read(draft, event, host, server, lease.value, known)
    conflicts.tries(draft, event.link, host, by)
    informed = draft.grants.get((event.link, host, "dhcp4", "inform"))
    if informed is not None:
        draft.drop_grant(informed, "replaced", draft.seq)
    # Lifetimes count from the sending of the request (RFC 2131 §4.4.1).
    draft.put_grant(_grant(draft, event, question, server, held, known, started_at=question.at, by=by), "leased")


def _read(
    draft: Draft, event: Dhcp4MessageSeen, host: HostId, server: str, lease_s: int | None, known: Grant | None
) -> tuple[Held, ...]:
    """What an ACK grants; remembered, if there was nothing to remark, for the renewals that say the same."""
    findings = draft.findings
    said = (*_lease(event, server, lease_s), *parameters4(event.options, lease_s, event.yiaddr))
    _check_routers(draft, event, said[0].key)
    held = keep_since(said, known, draft.seq)
    if draft.findings is findings:
        draft.answers[event.link, host] = (event.yiaddr, event.options, held)
    return held


def _said_again(draft: Draft, event: Dhcp4MessageSeen, host: HostId, known: Grant) -> tuple[Held, ...] | None:
    """What a lease holds, if an ACK says octet for octet what the one before it said; else `None`."""
    last = draft.answers.get((event.link, host))
    if last is None or last[2] is not known.held or last[0] != event.yiaddr or last[1] != event.options:
        return None
    return known.held


def _informed(draft: Draft, event: Dhcp4MessageSeen, question: Ask) -> None:
    """Options alone, for an address that came from elsewhere: yiaddr and a lease time mean nothing (§4.3.5).

    A lease that the client has besides goes on; its next ACK takes the place of these, too.
    """
    known = draft.grants.get((event.link, question.host, "dhcp4", "inform"))
    held = parameters4(event.options, None)
    if held:
        held = keep_since(held, known, draft.seq)
        server = address(event.options, 54) or ""
        grant = _grant(draft, event, question, server, held, known, started_at=draft.at, by="inform")
        draft.put_grant(replace(grant, subject="inform", stateful=False), "leased")
    elif known is not None:
        draft.drop_grant(known, "withdrawn", draft.seq)


def _grant(
    draft: Draft,
    event: Dhcp4MessageSeen,
    question: Ask,
    server: str,
    held: tuple[Held, ...],
    known: Grant | None,
    *,
    started_at: int,
    by: str,
) -> Grant:
    return Grant(
        rule="dhcp4",
        link=event.link,
        epoch=draft.link(event.link).epoch,
        host=question.host,
        subject="",
        server=server,
        heard_at=draft.at,
        started_at=started_at,
        because=draft.seq,
        since=known.since if known else draft.seq,
        held=held,
        owners=known.owners if known else (),
        mac=event.chaddr,
        queued=known.queued if known else NEVER,
        placed=known.placed if known else "",
        settles_at=known.settles_at if known else 0,
        by=by,
    )


def _check_routers(draft: Draft, event: Dhcp4MessageSeen, given: str) -> None:
    """Gateways that cannot work. One outside the subnet can, where a route makes it on-link (RFC 3442)."""
    routes = routes4(event.options)
    on_link = [given, *(one.destination for one in routes if one.via is None)]
    for route in routes:
        if route.via == event.yiaddr:
            draft.find("dhcp4-router-is-client", link=event.link, router=route.via, host=event.chaddr)
        elif route.via and not any(covers(one, route.via) for one in on_link):
            draft.find("dhcp4-router-off-link", link=event.link, router=route.via, given=given)


def _lease(event: Dhcp4MessageSeen, server: str, lease_s: int | None) -> Iterator[Held]:
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
