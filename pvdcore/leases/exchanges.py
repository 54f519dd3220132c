"""DHCP questions and answers: whose a message is, which question it answers, and where each client stands.

Law: an answer counts only with a question that is in flight (RFC 2131 §4.4, RFC 8415 §16), and a question only where it
may make a lease: live, what other hosts ask is evidence (a lease belongs to the instance whose MAC asked for it).
"""

from typing import TypeVar

from msgspec.structs import replace

from events.dhcp import Addresses, Codes, Dhcp6MessageSeen, DhcpOption, Identifier
from events.ids import HostId, LinkId
from pvdcore.draft import Draft
from pvdcore.projections import places
from pvdcore.state import Ask, Client, Grant, Held

Shape = TypeVar("Shape", bound=DhcpOption)


def option(options: tuple[DhcpOption, ...], code: int, shape: type[Shape]) -> Shape | None:
    """The first option of a code, if it has the shape it should."""
    for one in options:
        if one.code == code and isinstance(one, shape):
            return one
    return None


def address(options: tuple[DhcpOption, ...], code: int) -> str | None:
    """The first address of an option."""
    found = option(options, code, Addresses)
    return found.addresses[0] if found and found.addresses else None


def identifier(options: tuple[DhcpOption, ...], code: int) -> str | None:
    """A client id or a DUID, compared for equality only (RFC 2131 §2, RFC 8415 §11)."""
    found = option(options, code, Identifier)
    return found.id if found else None


def codes(options: tuple[DhcpOption, ...], code: int) -> tuple[int, ...]:
    """What a client asked for, in its order (DHCPv4 55, DHCPv6 6)."""
    found = option(options, code, Codes)
    return found.codes if found else ()


def foreign(draft: Draft, name: LinkId, mac: str) -> bool:
    """Whether a question on a live link is another host's: its MAC is none of our links' and none of our places'."""
    link = draft.link(name)
    if not link.host or not link.mac or not mac:
        return False  # a capture, or a link without link-layer addresses, on which nobody else asks
    if any(one.host and one.mac == mac and one.gone_at is None for one in draft.links.values()):
        return False
    return places.whose(draft, name, mac) is None


def slot6(event: Dhcp6MessageSeen) -> str:
    """What a DHCPv6 question and its answer have to share (RFC 8415 §16.10).

    An Information-request may go without a client id (§18.2.6): then its Reply comes without one, too.
    """
    return f"6 {event.xid:06x} {identifier(event.options, 1) or '-'}"


def asks(draft: Draft, name: LinkId) -> dict[str, Ask]:
    """The questions in flight on a link, by slot, oldest first."""
    return dict(draft.link(name).asks)


def ask(draft: Draft, name: LinkId, slot: str, question: Ask) -> None:
    """A question goes in flight."""
    found = asks(draft, name)
    found.pop(slot, None)
    found[slot] = question
    while len(found) > draft.policy.number("exchanges_max"):
        del found[next(iter(found))]
    draft.put_link(replace(draft.link(name), asks=tuple(found.items())))


def answered(draft: Draft, name: LinkId, slot: str) -> None:
    """A question has its answer, and no second one counts."""
    left = tuple(one for one in draft.link(name).asks if one[0] != slot)
    draft.put_link(replace(draft.link(name), asks=left))


def settled(draft: Draft, name: LinkId, host: HostId, family: str, messages: tuple[str, ...]) -> None:
    """A host's questions of one family (`4`, `6`) are done with: what still answers one of these comes too late."""
    left = tuple(
        (slot, one)
        for slot, one in draft.link(name).asks
        if not (one.host == host and slot.startswith(family) and one.event.message in messages)
    )
    draft.put_link(replace(draft.link(name), asks=left))


def client(draft: Draft, name: LinkId, host: HostId) -> Client:
    """Where a client stands; one that nothing is known of stands at the beginning."""
    return dict(draft.link(name).clients).get(host, BEGINNING)


def put_client(draft: Draft, name: LinkId, host: HostId, known: Client) -> None:
    """Keep where a client stands: the latest `exchanges_max` of them on a link."""
    link = draft.link(name)
    found = dict(link.clients)
    found.pop(host, None)
    if known != BEGINNING:
        found[host] = known
    while len(found) > draft.policy.number("exchanges_max"):
        del found[next(iter(found))]
    draft.put_link(replace(link, clients=tuple(found.items())))


def keep_since(held: tuple[Held, ...], known: Grant | None, seq: int) -> tuple[Held, ...]:
    """Items with the first record that carried each."""
    old = {(one.kind, one.key): one.since for one in known.held} if known else {}
    return tuple(replace(one, since=old.get((one.kind, one.key), seq)) for one in held)


BEGINNING = Client()
