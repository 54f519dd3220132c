"""What the operator says of PvDs: matched by PvD, prefix and link, typed, and never where nobody said it."""

import pytest

from events.operator import PropertiesSet, PropertyRule
from pvdcore.domains.properties import Property, matches, properties
from pvdcore.past import snapshot
from tests.sim.build import R1, R2, Story, pio, pvd, ra

IPTV, VOICE = "fqdn:iptv.example.", "fqdn:voice.example."
FIRST, SECOND = "ra:e0/1/fe80::1", "ra:e0/1/fe80::2"
RULES = (
    PropertyRule({"access": "wired", "pricing": "free"}, prefix="2001:db8:1::/48"),
    PropertyRule({"access": "cellular", "pricing": "not free"}, prefix="2001:db8:2::/48"),
    PropertyRule({"type": "internet"}, pvd="ra:*"),
    PropertyRule({"type": "iptv"}, pvd=IPTV),
    PropertyRule({"type": "voice"}, pvd="fqdn:voice.*"),
)


def t1(*rules: PropertyRule) -> Story:
    """Topology T1 of mif-pvdman: two routers on one link, an implicit and an explicit PvD each; and a third router."""
    told = Story().hear(
        PropertiesSet(rules=rules),
        ra(R1, pio("2001:db8:1:1::/64")),
        ra("fe80::11", pvd("iptv.example.", pio("2001:db8:1:2::/64"))),
        ra(R2, pio("2001:db8:2:1::/64")),
        ra("fe80::12", pvd("voice.example.", pio("2001:db8:2:2::/64"))),
        ra("fe80::13", pio("2001:db8:ffff::/64"), link="e9"),
    )
    return told


def having(told: Story, **wanted: Property) -> list[str]:
    return [id for id in told.alive() if matches(properties(told.state, id), wanted)]


@pytest.mark.covers("acc:AM6", "bug:21")
def test_pvds_are_asked_for_by_typed_properties() -> None:
    told = t1(*RULES)
    assert having(told, type="iptv") == [IPTV]
    assert having(told, pricing="free") == [IPTV, FIRST], "and not the one that is `not free`"
    assert having(told, type="internet", pricing="free") == [FIRST]
    assert having(told, nobody="said") == []
    silent = t1(RULES[3])
    assert having(silent, type="iptv") == [IPTV], "PvDs without properties never match"


def test_a_value_of_another_type_is_another_value() -> None:
    told = t1(PropertyRule({"free": True, "cost": 1}, pvd=IPTV))
    assert having(told, free=True) == [IPTV]
    assert having(told, free=1) == having(told, free="true") == having(told, cost=True) == having(told, cost=1.0) == []


def test_all_that_a_rule_names_has_to_match_and_the_later_rule_wins() -> None:
    told = t1(
        PropertyRule({"zone": "a", "kept": 1}, link="e*"),
        PropertyRule({"zone": "b"}, link="e0", pvd="ra:*"),
        PropertyRule({"zone": "c"}, link="e9", pvd="fqdn:*"),
        PropertyRule({"never": True}, prefix="192.0.2.0/24"),
        PropertyRule({"host bits": 0}, prefix="2001:db8:ffff::1/48"),
        PropertyRule({"glob": True}, prefix="2001:db8:2:?::/64"),
    )
    assert properties(told.state, IPTV) == {"kept": 1, "zone": "a"}
    assert properties(told.state, FIRST) == {"kept": 1, "zone": "b"}
    assert properties(told.state, SECOND) == {"glob": True, "kept": 1, "zone": "b"}
    assert properties(told.state, "ra:e9/1/fe80::13") == {"host bits": 0, "kept": 1, "zone": "a"}


def test_a_later_set_replaces_the_earlier_and_a_snapshot_keeps_it() -> None:
    told = t1(*RULES).hear(PropertiesSet(rules=(PropertyRule({"x": 1.5}, pvd=IPTV),)))
    assert having(told, type="iptv") == []
    assert having(told, x=1.5) == [IPTV]
    assert snapshot.decode(snapshot.encode(told.state)).properties == told.state.properties
    assert told.refolded().properties == told.state.properties
    assert b'"properties"' not in snapshot.encode(Story().state), "digests of journals without stay what they were"


def test_of_a_pvd_that_is_gone_counts_what_is_said_of_its_name() -> None:
    told = t1(*RULES, PropertyRule({"zone": "a"}, link="e*")).hear(ra(R1, pio("2001:db8:1:1::/64", 0, 0), life=0))
    assert FIRST not in told.alive() and properties(told.state, FIRST) == {"type": "internet"}
