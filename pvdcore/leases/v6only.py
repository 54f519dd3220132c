"""IPv6-only preferred (RFC 8925): when a client that can do without IPv4 stops asking for it, and until when.

Law: option 108 counts only for a client that asked for it in that very message (§3.2), in an OFFER that it takes or in
the ACK to an INIT-REBOOT; in every other ACK the address stays in use. A wait is state with a deadline: it ends by
time, by a new attachment, or when the client asks again.

An OFFER is taken when no REQUEST for another follows; so a wait begins with the OFFER, and a REQUEST ends it.
"""

from typing import Final

from msgspec.structs import replace

from events.dhcp import Dhcp4MessageSeen, Number
from events.ids import SECOND, HostId, Instant, LinkId
from pvdcore import deadlines
from pvdcore.draft import Draft
from pvdcore.leases.exchanges import address, client, codes, option, put_client
from pvdcore.state import Ask

OPTION: Final = 108
MIN_V6ONLY_WAIT_S: Final = 300  # RFC 8925 §3.4


def preferred(draft: Draft, answer: Dhcp4MessageSeen, question: Ask) -> int | None:
    """The wait that an answer asks for, in seconds, if its client asked for that; else `None` (§3.2)."""
    given = option(answer.options, OPTION, Number)
    if given is None or given.value is None:
        return None
    if OPTION not in codes(question.event.options, 55):
        draft.find("dhcp4-unasked-v6only", link=answer.link, host=question.host)
        return None
    most = draft.policy.number("v6only_wait_max_s")
    if given.value > most:
        draft.find("dhcp4-v6only-capped", link=answer.link, host=question.host, wait_s=given.value, most_s=most)
    return min(max(given.value, MIN_V6ONLY_WAIT_S), most)


def wait(draft: Draft, link: LinkId, host: HostId, wait_s: int, server: str) -> None:
    """The client stops IPv4 configuration for so long; what it had of it is over."""
    lease = draft.grants.get((link, host, "dhcp4", ""))
    if lease is not None:
        draft.drop_grant(lease, "ipv6-only", draft.seq)
    until = draft.at + wait_s * SECOND
    known = replace(client(draft, link, host), waits_until=until, waits_because=draft.seq, waits_for=server)
    put_client(draft, link, host, known)
    draft.deadlines = deadlines.push(draft.deadlines, until, ("wait", link, host))


def asked(draft: Draft, event: Dhcp4MessageSeen, host: HostId) -> None:
    """A DISCOVER or REQUEST: the client does not wait, or no longer."""
    known = client(draft, event.link, host)
    if not known.waits_until:
        return
    server = address(event.options, 54)
    if server is None or server == known.waits_for:
        draft.find("dhcp4-client-ignores-v6only", link=event.link, host=host)
    _end(draft, event.link, host)


def over(draft: Draft, link: LinkId, host: HostId, at: Instant) -> None:
    """The deadline of a wait has come."""
    if client(draft, link, host).waits_until == at:
        _end(draft, link, host)


def _end(draft: Draft, link: LinkId, host: HostId) -> None:
    put_client(draft, link, host, replace(client(draft, link, host), waits_until=0, waits_because=0, waits_for=""))
