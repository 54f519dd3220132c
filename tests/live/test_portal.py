"""Captive portals by DHCP on links that we manage: asked for by our client, answered by dnsmasq, heard on the wire.

Law: what was asked is read from the client's own packets, never from its configuration.
"""

from __future__ import annotations

import pytest

from events.dhcp import Codes, Dhcp4MessageSeen, Dhcp6MessageSeen, DhcpOption
from events.record import Record
from pvdcore.state import State
from tests.live.lab import Lab
from tests.live.test_dhcp import PROFILE, RANGE4, dual, profile

BY_4, BY_6 = "https://four.example/api", "https://six.example/api"


def asked(records: list[Record], message: str) -> list[tuple[int, ...]]:
    """The lists of what is asked for, in messages of one name (DHCPv4 55, DHCPv6 6)."""
    events = [one.event for one in records if isinstance(one.event, (Dhcp4MessageSeen, Dhcp6MessageSeen))]
    options: list[DhcpOption] = [one for event in events if event.message == message for one in event.options]
    return [one.codes for one in options if isinstance(one, Codes) and one.code in (55, 6)]


@pytest.mark.covers("rfc:F13", part="expected")
def test_the_client_asks_for_the_portal_of_both_families_and_each_is_in_the_pvd(lab: Lab) -> None:
    host = lab.host("h")
    profile(host, "home", PROFILE.format(link="eth0", ipv4="auto", ipv6="auto"))
    dual(
        lab,
        host,
        RANGE4,
        "--enable-ra",
        "--dhcp-range=2001:db8:1::,ra-stateless,64,1h",
        f"--dhcp-option=114,{BY_4}",
        f"--dhcp-option=option6:103,{BY_6}",
    )
    pvdd = lab.pvdd(host, "--projection", "netns")

    def portals(state: State) -> set[str] | None:
        found = {
            str(held.value[0])
            for grant in state.grants.values()
            if any(pvd.startswith("ra:") for pvd in grant.owners)
            for held in grant.held
            if held.kind == "captive_portal"
        }
        return found if len(found) == 2 else None

    assert pvdd.wait_state(portals) == {BY_4, BY_6}
    records = pvdd.records()
    discovers, questions = asked(records, "DISCOVER"), asked(records, "INFORMATION-REQUEST")
    assert discovers and all(114 in codes for codes in discovers)
    assert questions and all(103 in codes for codes in questions), "unasked, it would not have been sent"
    assert all(codes.index(121) < codes.index(3) for codes in discovers if 3 in codes), "RFC 3442"
