"""The kernel of dictionaries refuses what a kernel refuses, by the kernel's words, and a refusal changes nothing."""

from __future__ import annotations

from typing import Any

from events.ids import NEVER, SECOND
from events.ops import (
    AddressAdd,
    AddressDelete,
    ClientEnd,
    ClientRun,
    LinkAdd,
    LinkDelete,
    LinkSet,
    NetnsAdd,
    NetnsAdopt,
    NetnsDelete,
    ResolverWrite,
    RouteAdd,
    RouteDelete,
    RuleAdd,
    RuleDelete,
)
from pvdcore.projections.model import ModelKernel
from pvdcore.projections.plan import Standing

AT = 1_000 * SECOND
P1, DEVICE = "pvd1", "e0"


class Told:
    """A kernel, and what it said so far."""

    def __init__(self, *done: Any) -> None:
        self.kernel = ModelKernel()
        for op in done:
            assert self(op) == "", op

    def __call__(self, op: Any) -> str:
        """What came of it; one that was refused has changed nothing and counts as no write."""
        before, writes = self.kernel.observe(), self.kernel.writes
        outcome = self.kernel.apply(op, AT)
        assert outcome.op == op
        assert self.kernel.writes == writes + (outcome.error == "")
        assert outcome.error == "" or self.kernel.observe() == before
        return outcome.error

    def standing(self, netns: str = P1) -> Standing | None:
        return self.kernel.observe().namespaces.get(netns)


PLACE = (NetnsAdd(P1, "fqdn:x."), LinkAdd(P1, DEVICE, "eth0", 1400))
RULE = (100, "192.0.2.10/32", 1000)


def test_a_namespace_comes_once_is_taken_over_and_goes() -> None:
    told = Told()
    assert (told.kernel.observe().namespaces, told.kernel.writes) == ({}, 0)
    assert [told(NetnsDelete(P1)), told(NetnsAdopt(P1, "fqdn:y.")), told(LinkAdd(P1, DEVICE, "eth0"))] == ["ENOENT"] * 3
    assert told(NetnsAdd(P1, "fqdn:x.")) == ""
    assert told(NetnsAdd(P1, "fqdn:z.")) == "EEXIST"
    assert told.standing() == Standing(mark="fqdn:x.")
    assert told(NetnsAdopt(P1, "fqdn:y.")) == ""
    assert told.standing() == Standing(mark="fqdn:y.")
    assert [told(NetnsDelete(P1)), told(NetnsDelete(P1))] == ["", "ENOENT"]
    assert told.kernel.observe().namespaces == {}
    assert told(NetnsAdd("")) == "EEXIST"  # the first one is always there


def test_a_device_is_there_before_it_is_changed() -> None:
    told = Told(NetnsAdd(P1, "fqdn:x."))
    address = AddressAdd(P1, DEVICE, "192.0.2.10/24", None, None)
    assert [told(one) for one in (LinkSet(P1, DEVICE), LinkDelete(P1, DEVICE), address)] == ["ENODEV"] * 3
    assert told(LinkAdd(P1, DEVICE, "eth0", 1400)) == ""
    assert told(LinkAdd(P1, "other", "eth0")) == "EEXIST"
    assert told(LinkSet(P1, "other", 1300)) == told(LinkDelete(P1, "other")) == "ENODEV"
    assert told(LinkSet(P1, DEVICE)) == ""
    assert told.standing() == Standing(device=DEVICE, mtu=1400, up=True, mark="fqdn:x.")
    assert told(LinkSet(P1, DEVICE, 1300, 64)) == ""
    assert told(ResolverWrite(P1, ("192.0.2.53",), ("x.example.",))) == ""
    assert told(address) == ""
    found = told.standing()
    assert found is not None and (found.mtu, found.hop_limit, found.up) == (1300, 64, True)
    assert told(LinkDelete(P1, DEVICE)) == ""  # and with it what was on it
    assert told.standing() == Standing(servers=("192.0.2.53",), search=("x.example.",), mark="fqdn:x.")


def test_addresses_and_routes_have_their_ends() -> None:
    told = Told(*PLACE)
    assert told(AddressAdd(P1, DEVICE, "192.0.2.10/24", 60, 30)) == ""
    assert told(AddressAdd(P1, DEVICE, "192.0.2.11/24", None, None)) == ""
    assert told(RouteAdd(P1, DEVICE, "::/0", "fe80::1", expires_s=60, metric=5)) == ""
    assert told(RouteAdd(P1, "", "::/0", None, kind="unreachable")) == ""
    assert told(RouteAdd(P1, "other", "::/0", "fe80::1")) == told(AddressAdd(P1, "other", "::1/128", 1, 1)) == "ENODEV"
    found = told.standing()
    assert found is not None
    assert found.addresses == {"192.0.2.10/24": (AT + 60 * SECOND, AT + 30 * SECOND), "192.0.2.11/24": (NEVER, NEVER)}
    assert found.routes == {("::/0", "fe80::1", 5, 0): AT + 60 * SECOND, ("::/0", None, 0, 0): NEVER}
    assert told(RouteDelete(P1, DEVICE, "::/0", "fe80::1", 6)) == "ESRCH"
    assert told(RouteDelete(P1, DEVICE, "::/0", "fe80::1", 5)) == ""
    assert told(AddressDelete(P1, DEVICE, "192.0.2.12/24")) == "EADDRNOTAVAIL"
    assert told(AddressDelete(P1, DEVICE, "192.0.2.10/24")) == ""
    found = told.standing()
    assert found is not None
    assert (list(found.addresses), list(found.routes)) == (["192.0.2.11/24"], [("::/0", None, 0, 0)])


def test_a_client_asks_on_a_link_that_is_there() -> None:
    told = Told(*PLACE)
    asks = ClientRun(P1, DEVICE, ipv4=True)
    assert told(ClientRun(P1, "other", ipv4=True)) == told(ClientEnd(P1, "other")) == "ENODEV"
    assert told(asks) == ""
    found = told.standing()
    assert found is not None and found.client == asks
    assert told(ClientEnd(P1, DEVICE)) == ""
    found = told.standing()
    assert found is not None and found.client is None


def test_of_the_first_namespace_only_what_is_ours_is_changed() -> None:
    told = Told()
    for op in (LinkAdd("", DEVICE, "eth0"), LinkSet("", DEVICE), LinkDelete("", DEVICE), ResolverWrite("")):
        assert told(op) == "EOPNOTSUPP"
    assert told(AddressAdd("", "eth0", "2001:db8::1/64", None, None)) == ""
    assert told(RouteAdd("", "eth0", "::/0", "fe80::1", table=1000)) == ""
    assert told(RuleDelete("", *RULE)) == "ENOENT"
    assert told(RuleAdd("", *RULE)) == ""
    assert told(RuleAdd("", *RULE)) == "EEXIST"
    found = told.standing("")
    assert found is not None and found.rules == {RULE} and found.routes == {("::/0", "fe80::1", 0, 1000): NEVER}
    assert told(RuleDelete("", 100, RULE[1], 1001)) == "ENOENT"
    assert told(RuleDelete("", *RULE)) == ""
    found = told.standing("")
    assert found is not None and found.rules == frozenset()
