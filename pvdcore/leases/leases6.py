"""DHCPv6 as an observer sees it: addresses, delegated prefixes and what comes beside them (RFC 8415).

Law: only a Reply that matches what was asked changes a binding (§16.10), one address or prefix at a time; a renewal
that leaves one out does not end it (§18.2.10.1). Messages between relays and servers make no PvD.
"""

from typing import Final

from msgspec.structs import replace

from events.dhcp import Authentication, Dhcp6MessageSeen, Flag, Ia, IaAddress, IaPrefix, Number, Status
from events.ids import NEVER, SECOND, HostId, Instant, LinkId, Seq
from pvdcore.checks import remarks
from pvdcore.draft import Draft
from pvdcore.leases.exchanges import (
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
    slot6,
)
from pvdcore.leases.parameters import CODES6, name_rules6, parameters6
from pvdcore.state import Ask, Client, Grant, Held

RENEWING: Final = ("RENEW", "REBIND", "INFORMATION-REQUEST")
BINDING: Final = ("SOLICIT", "REQUEST", "RENEW", "REBIND")
QUESTIONS: Final = (*BINDING, "CONFIRM", "INFORMATION-REQUEST", "RELEASE", "DECLINE")

NO_BINDING, NOT_ON_LINK = 3, 4  # RFC 8415 §21.13

IRT_DEFAULT_S: Final = 86_400  # RFC 8415 §7.6 IRT_DEFAULT
IRT_MINIMUM_S: Final = 600  # RFC 8415 §7.6 IRT_MINIMUM
RDNSS_SELECTION = 74  # RFC 6731 §4.2
SOL_MAX_RT, INF_MAX_RT = 82, 83
MAX_RT_S: Final = 3600  # RFC 8415 §7.6, the default of both
MAX_RT_RANGE_S: Final = range(60, 86_400 + 1)  # RFC 8415 §21.24, §21.25: others are ignored
MAX_RT_TOLD_MAX: Final = 16  # servers remembered for a client; no link has so many

SENT_MAX: Final = 20  # messages in SENT_SPAN (RFC 8415 §14.1)
SENT_SPAN: Final = 20 * SECOND


def message(draft: Draft, event: Dhcp6MessageSeen) -> None:
    """Fold one DHCPv6 message."""
    if event.relays:
        return
    remarks.unanswered(draft, event)
    duid = identifier(event.options, 1)
    slot = slot6(event)
    match event.message:
        case "REPLY":
            _replied(draft, event, slot)
        case "ADVERTISE":
            question = asks(draft, event.link).get(slot)
            if question is not None and question.event.message == "SOLICIT":
                _max_rt(draft, event, question.host)  # all that an Advertise can do (§18.2.9)
        case "RECONFIGURE":
            _reconfigured(draft, event, duid)
        case _:
            if event.message in QUESTIONS and not foreign(draft, event.link, event.mac):
                _asked(draft, event, duid, slot)


# What clients say


def _asked(draft: Draft, event: Dhcp6MessageSeen, duid: str | None, slot: str) -> None:
    host = duid or event.source
    name = event.link
    known = _counted(draft, event, host, client(draft, name, host))
    if event.message in (*BINDING, "INFORMATION-REQUEST"):
        known = replace(known, reconfigurable=option(event.options, 20, Flag) is not None)
    if event.message in RENEWING:
        known = replace(known, reconfiguring=0)
    if event.message == "SOLICIT":
        _restarted(draft, event, host, everything=known.refused)
    if event.message in ("SOLICIT", "CONFIRM"):
        known = replace(known, refused=False)
    put_client(draft, name, host, known)
    if event.message in ("RELEASE", "DECLINE"):
        if duid is None:
            return
        settled(draft, name, host, "6", BINDING)
        _given_up(draft, event, duid)
    before = asks(draft, name).get(slot)
    again = before is not None and before.event.message == event.message
    ask(draft, name, slot, Ask(event, before.at if before is not None and again else draft.at, draft.seq, host))


def _counted(draft: Draft, event: Dhcp6MessageSeen, host: HostId, known: Client) -> Client:
    """RFC 8415 §14.1: a client limits what it sends, whatever servers answer."""
    if draft.at >= known.sent_since + SENT_SPAN:
        return replace(known, sent=1, sent_since=draft.at)
    if known.sent >= SENT_MAX:
        draft.find("dhcp6-client-hasty", link=event.link, host=host, most=SENT_MAX)
    return replace(known, sent=known.sent + 1)


def _restarted(draft: Draft, event: Dhcp6MessageSeen, host: HostId, *, everything: bool) -> None:
    """Discovery from the beginning: the leases of those associations are used no more (RFC 8415 §18.2.10.1).

    everything: a server said that no address of the client's fits the link, and none that they do (§18.2.10.3).
    """
    wanted = {(_rule(one), one.iaid) for one in event.options if isinstance(one, Ia)}
    for grant in _leases(draft, event.link, host):
        if everything or (grant.rule, grant.iaid) in wanted:
            draft.drop_grant(grant, "refused" if everything else "restarted", draft.seq)
    orphaned(draft, event.link, host, "refused" if everything else "restarted", draft.seq)


def _given_up(draft: Draft, event: Dhcp6MessageSeen, host: HostId) -> None:
    """Release and Decline end what they name at once, whatever the answer (RFC 8415 §18.2.7, §18.2.8)."""
    cause = "released" if event.message == "RELEASE" else "declined"
    for ia in event.options:
        for one in ia.options if isinstance(ia, Ia) else ():
            match one:
                case IaAddress():
                    key = (event.link, host, "dhcp6-address", one.address)
                case IaPrefix() if cause == "released":  # a prefix is never declined (§18.2.8)
                    key = (event.link, host, "dhcp6-prefix", one.prefix)
                case _:
                    continue
            grant = draft.grants.get(key)
            if grant is not None:
                draft.drop_grant(grant, cause, draft.seq)
    orphaned(draft, event.link, host, cause, draft.seq)


def duplicate(draft: Draft, link: LinkId, address: str) -> None:
    """Another host has an address of ours: it is void at once, other bindings go on (RFC 8415 §18.2.10.1)."""
    for host, rule, subject in draft.link(link).grants:
        if (rule, subject) == ("dhcp6-address", address):
            draft.drop_grant(draft.grants[link, host, rule, subject], "duplicate", draft.seq)
            orphaned(draft, link, host, "duplicate", draft.seq)


# What servers say


def _replied(draft: Draft, event: Dhcp6MessageSeen, slot: str) -> None:
    name = event.link
    server = identifier(event.options, 2)
    question = asks(draft, name).get(slot)
    if server is None or question is None:
        return
    asked = question.event
    assert isinstance(asked, Dhcp6MessageSeen)
    if identifier(asked.options, 1) is None and event.destination not in ("", asked.source):
        return  # without a client id, where it goes says whose it is
    rapid = option(event.options, 14, Flag) is not None and option(asked.options, 14, Flag) is not None
    if asked.message == "SOLICIT" and not rapid:
        return
    _max_rt(draft, event, question.host)  # counts even in a Reply that says no (§18.2.10)
    said = option(event.options, 13, Status)
    status = said.status if said is not None else 0
    if asked.message == "CONFIRM":
        # Several servers answer a Confirm; one Success outweighs every NotOnLink (§18.2.10.3).
        put_client(draft, name, question.host, replace(client(draft, name, question.host), refused=status != 0))
        if status == 0:
            answered(draft, name, slot)
        return
    answered(draft, name, slot)
    if status != 0:
        return
    if asked.message in BINDING:
        for one in event.options:
            if isinstance(one, Ia):
                _association(draft, event, question, server, one)
    if asked.message in (*BINDING, "INFORMATION-REQUEST"):
        _information(draft, event, question, server)
    if asked.message in BINDING:  # the rules of a server whose leases were replaced
        orphaned(draft, name, question.host, "replaced", draft.seq)


def _max_rt(draft: Draft, event: Dhcp6MessageSeen, host: HostId) -> None:
    server = identifier(event.options, 2)
    if server is None:
        return
    known = client(draft, event.link, host)
    told = {(code, whose): value for code, whose, value in known.max_rt}
    for code in (SOL_MAX_RT, INF_MAX_RT):
        given = option(event.options, code, Number)
        if given is not None and given.value in MAX_RT_RANGE_S:
            assert given.value is not None
            told[code, server] = given.value
            if len({value for (one, _), value in told.items() if one == code}) > 1:
                draft.find("dhcp6-max-rt-differs", link=event.link, host=host, number=code)
    listed = tuple((code, whose, value) for (code, whose), value in told.items())
    put_client(draft, event.link, host, replace(known, max_rt=listed[-MAX_RT_TOLD_MAX:]))


def max_rt_s(known: Client, code: int) -> int:
    """The longest pause between a client's Solicits (82) or Information-requests (83), in seconds: what servers said
    if they agree, else the default (RFC 8415 §18.2.9)."""
    values = {value for one, _, value in known.max_rt if one == code}
    return values.pop() if len(values) == 1 else MAX_RT_S


def _reconfigured(draft: Draft, event: Dhcp6MessageSeen, duid: str | None) -> None:
    """A Reconfigure has its client ask, as T1 does; it gives and takes nothing (RFC 8415 §18.2.11).

    The reader has seen that it is unicast, with both ids and a known option 19 (§16.11). Only the client has the key:
    of the authentication an observer sees that there is one.
    """
    known = client(draft, event.link, duid or "")
    wish = option(event.options, 19, Number)
    authentic = option(event.options, 11, Authentication) is not None
    if duid is None or wish is None or wish.value is None or not authentic or not known.reconfigurable:
        reason = "its client did not agree to that" if authentic else "it is not authenticated"
        draft.find("dhcp6-reconfigure-refused", link=event.link, host=duid, reason=reason)
    elif not known.reconfiguring:  # further ones are ignored while one is served
        put_client(draft, event.link, duid, replace(known, reconfiguring=wish.value))


def _rule(ia: Ia) -> str:
    return "dhcp6-prefix" if ia.code == 25 else "dhcp6-address"


def _leases(draft: Draft, name: LinkId, host: HostId) -> list[Grant]:
    return [
        draft.grants[name, *key]
        for key in draft.link(name).grants
        if key[0] == host and key[1] in ("dhcp6-address", "dhcp6-prefix")
    ]


def _association(draft: Draft, event: Dhcp6MessageSeen, question: Ask, server: str, ia: Ia) -> None:
    if ia.t1_s is not None and ia.t2_s is not None and ia.t1_s > ia.t2_s > 0:
        return  # RFC 8415 §21.4: this association alone is discarded
    status = option(ia.options, 13, Status)
    if status is not None and status.status == NO_BINDING:  # the client asks anew; what it has, goes on meanwhile
        draft.find("dhcp6-no-binding", link=event.link, server=server, host=question.host)
    t1, t2 = timers6(ia)
    for one in ia.options:
        refused = option(one.options, 13, Status) if isinstance(one, (IaAddress, IaPrefix)) else None
        if refused is not None and refused.status != 0:
            continue
        if isinstance(one, IaAddress):
            held = Held("address", f"{one.address}/128", ("dhcp6",), one.valid_s, 0, preferred_s=one.preferred_s)
            _bind(draft, question, server, ia.iaid, "dhcp6-address", one.address, held, (t1, t2))
        elif isinstance(one, IaPrefix):
            held = Held("prefix_delegated", one.prefix, (one.excluded,), one.valid_s, 0, preferred_s=one.preferred_s)
            _bind(draft, question, server, ia.iaid, "dhcp6-prefix", one.prefix, held, (t1, t2))


def timers6(ia: Ia) -> tuple[int | None, int | None]:
    """T1 and T2 in seconds from reception; `None` = never (RFC 8415 §7.7).

    0 leaves it to the client: 0.5 and 0.8 of the shortest preferred lifetime, as servers are to choose (§21.4), and
    never at once (§14.2): a lifetime of 0 does not count.
    """
    given = [one for one in ia.options if isinstance(one, (IaAddress, IaPrefix)) and one.valid_s != 0]
    lives = [one.preferred_s for one in given if one.preferred_s] or [one.valid_s for one in given if one.valid_s]
    shortest = min(lives, default=None)
    t1 = ia.t1_s if ia.t1_s != 0 else None if shortest is None else max(1, shortest // 2)
    t2 = ia.t2_s if ia.t2_s != 0 else None if shortest is None else max(1, shortest * 4 // 5)
    if t1 is not None and t2 is not None:
        t2 = max(t1, t2)
    return t1, t2


def _bind(
    draft: Draft,
    question: Ask,
    server: str,
    iaid: int,
    rule: str,
    subject: str,
    held: Held,
    timers: tuple[int | None, int | None],
) -> None:
    name = question.event.link
    known = draft.grants.get((name, question.host, rule, subject))
    if held.lifetime_s == 0:
        if known is not None:
            draft.drop_grant(known, "withdrawn", draft.seq)
        return
    if known is None:  # another server's leases are not mixed with this one's (RFC 8415 §18.2.10.1)
        for old in _leases(draft, name, question.host):
            if old.rule == rule and old.server != server:
                draft.drop_grant(old, "replaced", draft.seq)
    lease = Held("lease", f"dhcp6 {subject}", ("dhcp6", server, *timers), held.lifetime_s, 0)
    grant = Grant(
        rule=rule,
        link=name,
        epoch=draft.link(name).epoch,
        host=question.host,
        subject=subject,
        server=server,
        heard_at=draft.at,
        started_at=draft.at,
        because=draft.seq,
        since=known.since if known else draft.seq,
        held=keep_since((held, lease), known, draft.seq),
        owners=known.owners if known else (),
        mac=question.event.mac,
        queued=known.queued if known else NEVER,
        placed=known.placed if known else "",
        settles_at=known.settles_at if known else 0,
        iaid=iaid,
    )
    draft.put_grant(grant, "leased")


def _information(draft: Draft, event: Dhcp6MessageSeen, question: Ask, server: str) -> None:
    """The options beside the leases: resolvers, names, portal, time (RFC 8415 §18.2.10).

    What a Reply to Renew, Rebind or Information-request no longer carries, though it was asked for, is gone.
    """
    name, asked = event.link, question.event
    remarks.reserved(draft, event)
    found = list(parameters6(event.options))
    known = draft.grants.get((name, question.host, "dhcp6-info", ""))
    wanted = set(codes(asked.options, 6)) if asked.message in RENEWING else set()
    if known is not None:
        new = {one.kind for one in found}
        for held in known.held:
            if held.kind not in new and not wanted.intersection(CODES6.get(held.kind, ())):
                found.append(held)
    _informs(draft, event, question, server, "", tuple(found))
    rules = f"names {server}"  # apart: another server adds to them, and takes none away (RFC 6731 §4.2)
    said = name_rules6(event.options)
    if said or RDNSS_SELECTION in wanted:
        _informs(draft, event, question, server, rules, said)


def _informs(
    draft: Draft, event: Dhcp6MessageSeen, question: Ask, server: str, subject: str, found: tuple[Held, ...]
) -> None:
    """What a Reply says beside leases, as a contribution; () ends the one there is."""
    name, asked = event.link, question.event
    known = draft.grants.get((name, question.host, "dhcp6-info", subject))
    if not found:
        if known is not None:
            draft.drop_grant(known, "withdrawn", draft.seq)
        return
    # Beside leases it ends with them; where no lease came of the exchange it stands by itself (§18.2.10.1).
    stateful = asked.message in BINDING and bool(_leases(draft, name, question.host))
    grant = Grant(
        rule="dhcp6-info",
        link=name,
        epoch=draft.link(name).epoch,
        host=question.host,
        subject=subject,
        server=server,
        heard_at=draft.at,
        started_at=draft.at,
        because=draft.seq,
        since=known.since if known else draft.seq,
        held=keep_since(found, known, draft.seq),
        owners=known.owners if known else (),
        mac=asked.mac,
        stateful=stateful,
        refresh_at=_refresh_at(draft, event) if asked.message == "INFORMATION-REQUEST" else NEVER,
    )
    draft.put_grant(grant, "leased")


def _refresh_at(draft: Draft, event: Dhcp6MessageSeen) -> Instant:
    """When to ask again (RFC 8415 §21.23). Its coming asks for a refresh; the data stay."""
    given = option(event.options, 32, Number)
    if given is None:
        return draft.at + IRT_DEFAULT_S * SECOND
    return NEVER if given.value is None else draft.at + max(given.value, IRT_MINIMUM_S) * SECOND


def orphaned(draft: Draft, link: LinkId, host: HostId, cause: str, because: Seq) -> None:
    """What came beside DHCPv6 leases ends with the last of them, a server's rules with the last of that server's; what
    was asked for by itself stays."""
    leases = _leases(draft, link, host)
    for key in draft.grants_of(link, host):
        info = draft.grants[(link, *key)]
        if info.rule != "dhcp6-info" or not info.stateful:
            continue
        if not any(not info.subject or one.server == info.server for one in leases):
            draft.drop_grant(info, cause, because)
