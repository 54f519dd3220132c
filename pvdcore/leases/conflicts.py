"""Address conflicts of DHCPv4 leases as an observer of ARP sees them (RFC 5227): who else speaks as a leased address.

Law: a sighting ends a lease only where its holder has to give the address up; before that it is a finding. What the
holder says itself is no conflict, whichever way it comes back.

    sender         address    said by     the holder is probing      the holder uses it
    0.0.0.0        candidate  another     conflict: it ends          nothing: the holder will answer
    candidate      any        another     conflict: it ends          conflict: a second one within 10 s ends it
    any of these              the holder  it probes, or announces: nothing

The holder probes from its first probe until it announces, or until 2 s after its last probe (§2.1, §2.3). A lease of
which nothing of this was seen is in use.
"""

from typing import Final

from msgspec.structs import replace

from events.ids import SECOND, HostId, LinkId
from events.link import ArpSeen
from pvdcore.draft import Draft
from pvdcore.leases.exchanges import client, put_client
from pvdcore.state import Grant

UNSPECIFIED: Final = "0.0.0.0"
DEFEND_INTERVAL: Final = 10 * SECOND  # RFC 5227 §1.1: the second conflict in less than this ends the address
ANNOUNCE_WAIT: Final = 2 * SECOND  # §1.1: so long after its last probe a host announces
MAX_CONFLICTS: Final = 10  # §1.1: from this one on, new addresses are tried no faster than ...
RATE_LIMIT_INTERVAL: Final = 60 * SECOND  # ... one in this time
FRESH: Final = ("selecting", "rapid", "rebooting")  # a new address, or a new attachment (§2.1): to be probed first


def heard(draft: Draft, event: ArpSeen) -> None:
    """Fold one ARP sighting: for each lease of the address that it speaks of."""
    link = draft.links.get(event.link)
    if link is None:
        return
    probe = event.sender == UNSPECIFIED
    address = event.target if probe else event.sender
    for key in link.grants:
        grant = draft.grants[(link.id, *key)]
        if grant.rule != "dhcp4" or address_of(grant) != address:
            continue
        if event.sender_mac in _own(draft, grant):
            _holder(draft, grant, probe=probe, announced=event.sender == event.target)
        else:
            _other(draft, grant, event, address, probe=probe)


def address_of(grant: Grant) -> str:
    """The address of a DHCPv4 lease; "" where there is none (an INFORM)."""
    return next((one.key.split("/")[0] for one in grant.held if one.kind == "address"), "")


def tries(draft: Draft, link: LinkId, host: HostId, by: str) -> None:
    """A client is granted an address: after so many conflicts, new ones come once a minute (RFC 5227 §2.1.1)."""
    known = client(draft, link, host)
    if by in FRESH and known.conflicts >= MAX_CONFLICTS and draft.at < known.tried_at + RATE_LIMIT_INTERVAL:
        draft.find("dhcp4-client-tries-on", link=link, host=host, conflicts=known.conflicts)


def declined(draft: Draft, lease: Grant) -> None:
    """A client gives its address back as another's: a conflict, but for one that ARP has just shown."""
    known = client(draft, lease.link, lease.host)
    if known.defended != address_of(lease) or draft.at >= known.conflicted_at + DEFEND_INTERVAL:
        _count(draft, lease)


def _count(draft: Draft, lease: Grant) -> None:
    known = client(draft, lease.link, lease.host)
    after = replace(
        known,
        conflicts=known.conflicts + 1,
        conflicted_at=draft.at,
        defended=address_of(lease),
        tried_at=lease.heard_at,
    )
    put_client(draft, lease.link, lease.host, after)


def _own(draft: Draft, grant: Grant) -> set[str]:
    """The holder's MACs: the one that asked; live, all of this host's, as an echo through another port is none."""
    macs = {grant.mac}
    if draft.link(grant.link).host:
        macs |= {one.mac for one in draft.links.values() if one.host and one.mac and one.gone_at is None}
    return macs


def _holder(draft: Draft, grant: Grant, *, probe: bool, announced: bool) -> None:
    known = client(draft, grant.link, grant.host)
    address = address_of(grant)
    if probe:
        put_client(draft, grant.link, grant.host, replace(known, probed=address, probed_at=draft.at, announced=False))
    elif announced:
        early = known.probed == address and not known.announced and draft.at < known.probed_at + ANNOUNCE_WAIT
        if grant.by in FRESH and (known.probed != address or early):
            draft.find("dhcp4-client-unprobed", link=grant.link, host=grant.host, address=address)
        put_client(draft, grant.link, grant.host, replace(known, probed=address, announced=True))


def _other(draft: Draft, grant: Grant, event: ArpSeen, address: str, *, probe: bool) -> None:
    known = client(draft, grant.link, grant.host)
    probing = known.probed == address and not known.announced and draft.at < known.probed_at + ANNOUNCE_WAIT
    if probe and not probing:
        return  # a newcomer asks; the holder's answer will have it try another (§2.1.1)
    said = {"address": address, "host": grant.host, "other": event.sender_mac}
    draft.find("dhcp4-address-conflict", link=grant.link, pvd=next(iter(grant.owners), None), **said)
    again = known.defended == address and draft.at < known.conflicted_at + DEFEND_INTERVAL
    _count(draft, grant)
    if probing or (again and draft.policy.word("arp_defence") == "once"):
        draft.drop_grant(grant, "conflict", draft.seq)
