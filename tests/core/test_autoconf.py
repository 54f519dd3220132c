"""Autoconfigured addresses as the fold keeps them: whole, each in the contributions that announce its prefix.

Law: an identifier, an address and a line of history are asked for whole, with the record that each is because of.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from events.identifiers import IdentifierChosen
from events.ids import NEVER, SECOND
from events.link import AddressGone, AddressSeen, AttachStarted, DadFailed, LinkSeen, NeighborSeen
from events.operator import ConnectionOpened, Settings, SettingsLoaded, Value
from events.router import NeighborAdvertised, NeighborSolicited, PrefixInformation, Redirected, RouterAdvertised
from events.vpn import VpnConnected
from pvdcore.past import snapshot
from pvdcore.reduce import advance
from pvdcore.state import SILENT, Held, Identifier, Origin, Sighted
from tests.sim.build import CLIENT, DUID, R1, R2, R3, START, Story, addresses, dns, ia_address, ia_na, pio, pvd, ra

X, Y, I1, I2 = "fqdn:x.example.", "fqdn:y.example.", "ra:e0/1/fe80::1", "ra:e0/1/fe80::2"
P, Q = "2001:db8:1::/64", "2001:db8:2::/64"
A, B = "2001:db8:1::a", "2001:db8:1::b"
MAC, THEIRS = "02:00:00:00:00:99", "02:00:00:00:00:77"
HOUR, DAY = 3600, 86400


def iid(
    iid: str, prefix: str = P, kind: str = "stable", *, link: str = "e0", epoch: int = 1, generation: int = 0,
    dad_counter: int = 0, desync_s: int = 0, pvd: str = "", mac: str = "",
) -> IdentifierChosen:  # fmt: skip
    return IdentifierChosen(
        link=link, epoch=epoch, prefix=prefix, kind=kind, iid=iid, dad_counter=dad_counter, generation=generation,
        desync_s=desync_s, pvd=pvd, mac=mac,
    )  # fmt: skip


def identifiers(told: Story, prefix: str = P, link: str = "e0") -> list[tuple[str, str, int, str]]:
    """What was chosen for a prefix: address, kind, generation, phase."""
    found = told.state.host.identifiers.get((link, prefix), ())
    return [(one.address, one.kind, one.generation, one.phase) for one in found]


def held(told: Story, id: str, router: str, key: str = f"{A}/64") -> Held:
    """An address in what a router says of a PvD."""
    origin = told.origin(id, router)
    assert origin is not None
    (found,) = [one for one in origin.held if (one.kind, one.key) == ("address", key)]
    return found


def origins(told: Story, link: str = "e0") -> list[Origin]:
    return [one for (where, _), said in sorted(told.state.speakers.items()) if where == link for one in said]


def carriers(told: Story, key: str = f"{A}/64") -> list[tuple[str, str]]:
    """The PvDs and routers whose contribution has an address."""
    return [(one.pvd, one.speaker) for one in origins(told) if any(each.key == key for each in one.held)]


# Identifiers


def test_an_identifier_is_known_with_all_that_was_chosen() -> None:
    told = Story().hear(ra(R1, pio(P))).at(3).hear(iid("a", dad_counter=2, generation=1, desync_s=7, mac=MAC))
    assert dict(told.state.host.identifiers) == {
        ("e0", P): (
            Identifier(P, "stable", A, 1, told.now, told.state.seq, "", "tentative", 2, 1, 0, 7, MAC),
        )
    }  # fmt: skip
    off = Story(dad="off").hear(ra(R1, pio(P))).hear(iid("a"))
    assert identifiers(off) == [(A, "stable", 0, "assigned")], "without detection it is ours at once"


@pytest.mark.parametrize("event", [iid("a", epoch=2), iid("a", epoch=0), iid("a", link="e1")])
def test_what_was_chosen_for_another_attachment_forms_nothing(event: IdentifierChosen) -> None:
    told = Story().hear(ra(R1, pio(P)), ra(R1, link="e1")).detach("e1").hear(event)
    assert not told.state.host.identifiers and told.has() == {}


def test_what_is_chosen_anew_takes_the_place_of_what_was_and_leaves_the_rest() -> None:
    told = Story(temporary=True).hear(ra(R1, pio(P, None, None)))
    told.hear(iid("a"), iid("1", kind="temporary"), iid("2", kind="temporary", generation=1), iid("e", kind="eui64"))
    assert identifiers(told) == [
        ("2001:db8:1::e", "eui64", 0, "tentative"),
        (A, "stable", 0, "tentative"),
        ("2001:db8:1::1", "temporary", 0, "tentative"),
        ("2001:db8:1::2", "temporary", 1, "tentative"),
    ]
    told.at(5).hear(iid("b"))
    assert identifiers(told)[1] == (B, "stable", 0, "tentative") and len(identifiers(told)) == 4
    assert sorted(told.keys(I1, "address")) == [f"2001:db8:1::{one}/64" for one in ("1", "2", "b", "e")]
    assert told.moves(I1)[-1] == (5, "replaced", (f"{B}/64",), (f"{A}/64",))
    told.hear(iid("c", kind="temporary", generation=1))
    assert [one[0][-1] for one in identifiers(told)] == ["e", "b", "1", "c"]


def test_an_address_is_formed_once_of_whatever_identifier() -> None:
    told = Story().hear(ra(R1, pio(P)), iid("a"), iid("a", kind="eui64"))
    assert identifiers(told) == [(A, "stable", 0, "tentative")]
    told.hear(DadFailed(link="e0", address=A), iid("a", kind="eui64"))
    assert [one[1:] for one in identifiers(told)] == [("eui64", 0, "tentative"), ("stable", 0, "duplicate")]
    places = Story(projection="netns").hear(ra(R1), ra(R2))
    places.hear(iid("a", "fe80::/64", pvd=I1), iid("a", "fe80::/64", pvd=I2))
    assert len(identifiers(places, "fe80::/64")) == 2, "in two namespaces it is two"


def test_failures_are_counted_in_a_row_of_each_kind() -> None:
    told = Story(temporary=True).hear(ra(R1, pio(P, None, None)))
    told.hear(iid("a"), iid("1", kind="temporary", generation=0))
    told.hear(DadFailed(link="e0", address="2001:db8:1::1"), iid("2", kind="temporary", generation=1))
    assert [(one.address[-1], one.failures) for one in told.state.host.identifiers["e0", P]] == [
        ("a", 0), ("1", 1), ("2", 1),
    ]  # fmt: skip
    told.hear(iid("3", kind="temporary", generation=2))
    assert [one.failures for one in told.state.host.identifiers["e0", P]] == [0, 1, 1, 0], "that one had not failed"
    told.hear(DadFailed(link="e0", address=A), iid("b", dad_counter=1))
    assert told.state.host.identifiers["e0", P][0].failures == 1
    told.hear(AddressSeen(link="e0", address=f"{B}/64"))
    assert told.state.host.identifiers["e0", P][0].failures == 0, "this one has not"


# Formation


def test_an_address_stands_in_all_that_its_pvd_says_of_the_prefix() -> None:
    told = Story(soft_lifetime_s=60).hear(ra(R1, pvd("x.example."), pio(P, 10 * HOUR, HOUR)))
    told.at(1).hear(ra(R3, pvd("y.example."), pio(P)))
    told.at(2).hear(ra(R2, pvd("x.example."), pio(P, 9 * HOUR, HOUR)))
    last = told.state.seq
    told.at(5).hear(iid("a"))
    assert carriers(told) == [(X, R1), (X, R2)], "y.example was heard before"
    formed = Held("address", f"{A}/64", ("slaac", "stable"), 10 * HOUR, last - 2, preferred_s=HOUR)
    assert held(told, X, R1) == formed
    assert held(told, X, R2) == replace(formed, lifetime_s=9 * HOUR, since=last)
    assert told.has() == {A: (X, 2 + 9 * HOUR, 2 + HOUR)}
    assert told.moves(X)[-1] == (5, "formed", (f"{A}/64",), ())


def test_an_address_counts_from_when_its_prefix_was_said() -> None:
    told = Story().hear(ra(R1, pio(P, 10 * HOUR, HOUR)))
    first = told.state.seq
    told.at(7).hear(ra(R1)).at(9).hear(iid("a"))  # the second RA says nothing of the prefix
    assert held(told, I1, R1) == Held(
        "address", f"{A}/64", ("slaac", "stable"), 10 * HOUR, first, preferred_s=HOUR, heard_at=START, because=first
    )
    assert told.has() == {A: (I1, 10 * HOUR, HOUR)}


def test_a_temporary_address_says_when_it_ends_at_the_latest_and_how_much_earlier_it_is_deprecated() -> None:
    told = Story(temporary=True).hear(ra(R1, pio(P, None, None))).at(4).hear(iid("a", kind="temporary", desync_s=600))
    assert held(told, I1, R1) == Held(
        "address", f"{A}/64", ("slaac", "temporary", 600), None, told.state.seq - 1, cap=told.now + 2 * DAY * SECOND
    )


def test_where_a_router_of_the_pvd_announces_the_prefix_for_no_address_it_carries_none() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), pio(P, flags="L")), ra(R2, pvd("x.example."), pio(P)))
    assert carriers(told.hear(iid("a"))) == [(X, R2)]
    told = Story().hear(ra(R2, pvd("x.example.")), ra(R1, pvd("x.example."), pio(P)), ra(R3, pvd("x.example."), pio(Q)))
    assert carriers(told.hear(iid("a"))) == [(X, R1)]


def test_the_last_word_on_an_address_is_of_its_own_prefix() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), pio(P))).at(1).hear(ra(R2, pvd("y.example."), pio(P)))
    told.at(2).hear(ra(R1, pvd("x.example."), pio(Q)), iid("a"))
    assert carriers(told) == [(Y, R2)], "what is said of another prefix since then is not of this one"
    both = Story().hear(ra(R1, pvd("x.example."), pio(P))).at(1).hear(ra(R1, pio(P)), iid("a"))
    assert carriers(both) == [(I1, R1)], "one router may speak of two PvDs"


@pytest.mark.parametrize(("valid", "again"), [(7200, True), (7201, False)])
def test_what_says_two_hours_at_most_is_weighed_each_time(valid: int, again: bool) -> None:
    told = Story().hear(ra(R1, pio(P, valid, 600)), iid("a"))
    assert (told.origin(I1, R1).event is SILENT) == again  # type: ignore[union-attr]


# What later RAs say


def test_an_address_goes_with_what_its_router_says_of_the_prefix() -> None:
    told = Story().hear(ra(R1, pio(P, 10 * HOUR, HOUR))).at(3).hear(iid("a"))
    first = told.state.seq - 1
    told.at(10).hear(ra(R1, pio(P, 5 * HOUR, 600)))
    mine = Held("address", f"{A}/64", ("slaac", "stable"), 5 * HOUR, first, preferred_s=600)
    assert held(told, I1, R1) == mine
    told.at(20).hear(ra(R1, pio(P, 60, 30)))
    short = replace(mine, lifetime_s=60, preferred_s=30, floor=START + 7220 * SECOND)
    assert held(told, I1, R1) == short
    told.at(21).hear(ra(R1, pio(P, 60, 30, flags="L")))
    assert held(told, I1, R1) == replace(short, heard_at=START + 20 * SECOND, because=told.state.seq - 1)
    told.at(22).hear(ra(R1, pio(P, None, None)))
    assert held(told, I1, R1) == replace(mine, lifetime_s=None, preferred_s=None)


def test_a_second_router_of_the_pvd_has_the_address_since_its_first_word() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), pio(P, 10 * HOUR)), iid("a"))
    told.at(5).hear(ra(R2, pvd("x.example."), pio(P, 9 * HOUR)))
    assert held(told, X, R2).since == told.state.seq
    assert carriers(told) == [(X, R1), (X, R2)]
    assert [one.event is SILENT for one in origins(told)] == [False, False], "neither is short: repeats change nothing"


@pytest.mark.parametrize(
    ("first", "second", "silent"),
    [
        (10 * HOUR, 9 * HOUR, [False, False]),
        (10 * HOUR, 600, [False, True]),
        (600, 10 * HOUR, [True, False]),
        (600, 7200, [True, True]),
        (600, 600, [False, False]),
        (7201, 7202, [False, False]),
        (None, 600, [False, True]),
    ],
)
def test_of_routers_that_differ_the_short_ones_are_weighed_each_time(
    first: int | None, second: int, silent: list[bool]
) -> None:
    told = (
        Story()
        .hear(ra(R1, pvd("x.example."), pio(P, first, 0)), iid("a"))
        .hear(ra(R1, pvd("x.example."), pio(P, first, 0)))
    )
    told.at(1).hear(ra(R2, pvd("x.example."), pio(P, second, 0)))
    assert [one.event is SILENT for one in origins(told)] == silent


def test_a_router_that_differs_from_its_own_earlier_word_differs_from_nobody() -> None:
    told = Story().hear(ra(R1, pio(P)), iid("a"), ra(R1, pio(P, 600)))
    assert [one.event is SILENT for one in origins(told)] == [False]


def test_routers_that_agree_on_one_prefix_may_differ_over_another() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), pio(P, 600), pio(Q, DAY)), iid("a"), iid("a", Q))
    told.at(1).hear(ra(R2, pvd("x.example."), pio(P, 700), pio(Q, 2 * DAY)))
    assert [one.event is SILENT for one in origins(told)] == [True, True]


def test_of_a_router_of_two_pvds_only_what_differs_from_another_router_is_weighed_again() -> None:
    told = Story().hear(ra(R1, pvd("x.example.", pio(P, 600))), ra(R1, pvd("y.example.", dns(B))), iid("a"))
    told.hear(ra(R1, pvd("x.example.", pio(P, 600))), ra(R1, pvd("y.example.", dns(B))))
    told.at(1).hear(ra(R2, pvd("x.example.", pio(P, 10 * HOUR))))
    assert [(one.pvd, one.speaker, one.event is SILENT) for one in origins(told)] == [
        (X, R1, True),
        (Y, R1, False),
        (X, R2, False),
    ]


def test_history_names_the_word_that_changed_something_where_routers_differ_over_short_lifetimes() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), pio(P, 600), dns(A)), iid("a"))
    told.at(1).hear(ra(R2, pvd("x.example."), pio(P, 700)))
    told.at(2).hear(ra(R1, pvd("x.example."), pio(P, 500), dns(A), dns(B)))
    last = told.history(X)[-1]
    assert (last.cause, last.because, last.added) == ("announced", told.state.seq, (("dns", B, ()),))
    told.at(3).hear(ra(R1, pvd("x.example."), pio(P, 400), dns(B, life=0)))
    last = told.history(X)[-1]
    assert (last.cause, last.because, last.removed) == ("withdrawn", told.state.seq, (("dns", B, ()),))


def test_an_address_behind_one_that_failed_goes_on_with_its_prefix() -> None:
    told = Story().hear(ra(R1, pio(P, 10 * HOUR, HOUR)), iid("a"), iid("e", kind="eui64"))
    told.hear(DadFailed(link="e0", address="2001:db8:1::e")).at(5).hear(ra(R1, pio(P, 9 * HOUR, HOUR)))
    assert identifiers(told)[0][3] == "given-up" and told.has() == {A: (I1, 5 + 9 * HOUR, 5 + HOUR)}


def test_what_is_left_of_an_address_is_what_the_router_that_spoke_last_said() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), pio(P, 10 * HOUR)), iid("a"))
    told.at(100).hear(ra(R2, pvd("x.example."), pio(P, 7201)))
    told.at(200).hear(ra(R1, pvd("x.example."), pio(P, 600, 600)))
    assert held(told, X, R1).floor == START + 7301 * SECOND
    told = Story().hear(ra(R1, pvd("x.example."), pio(P, 10 * HOUR)), ra(R2, pvd("x.example."), pio(P, 7201)), iid("a"))
    told.at(200).hear(ra(R1, pvd("x.example."), pio(P, 600, 600)))
    assert held(told, X, R1).floor == START + 7201 * SECOND, "at one instant, the one whose address is higher"


def test_an_address_that_is_no_more_is_not_said_again() -> None:
    told = Story().hear(ra(R1, pio(P)), iid("a"), DadFailed(link="e0", address=A))
    told.at(1).hear(ra(R1, pio(P, 9 * HOUR)))
    assert told.has() == {} and carriers(told) == []


def test_a_temporary_address_is_not_prolonged_beyond_its_own_end() -> None:
    told = Story(temporary=True).hear(ra(R1, pio(P, None, None)), iid("a", kind="temporary"))
    told.at(2 * DAY - 1).hear(ra(R1, pio(P, 7 * DAY)))
    assert told.has()[A][1] == 2 * DAY
    told.at(2 * DAY).hear(ra(R1, pio(P, 6 * DAY)))
    assert carriers(told) == []


# Where it goes


def test_a_pvd_that_holds_nothing_but_an_address_ends_when_that_moves_away() -> None:
    told = Story().hear(ra(R1, pio(P)), iid("a")).at(1).hear(ra(R1, pio(P, 0, 0), life=0))
    assert told.alive() == [I1] and carriers(told) == [(I1, R1)]
    told.at(2).hear(ra(R2, pio(P)))
    assert told.alive() == [I2] and carriers(told) == [(I2, R2)]
    last = told.history(I1)[-1]
    assert (last.cause, last.phase, last.because, last.seq) == ("moved", "gone", told.state.seq, told.state.seq)


def test_a_lease_goes_with_the_address_that_kept_its_pvd_alive() -> None:
    told = Story().hear(ra(R1, pio(P)), iid("a")).leases4().at(1).hear(ra(R1, pio(P, 0, 0), life=0))
    assert told.owners("dhcp4") == [I1]
    told.at(2).hear(ra(R2, pvd("x.example."), pio(P)))
    assert told.owners("dhcp4") == ["if:e0/1"]
    last = told.history("if:e0/1")[-1]
    assert (last.cause, last.because) == ("moved", told.state.seq)


def test_the_line_of_history_names_the_word_by_which_an_address_moved() -> None:
    told = Story().hear(ra(R1, pvd("x.example."), pio(P)), iid("a"))
    for at, router, name, id in ((5, R2, "y.example.", X), (6, R1, "x.example.", Y)):
        told.at(at).hear(ra(router, pvd(name), pio(P)))
        last = told.history(id)[-1]
        assert (last.cause, last.because, last.removed[0][:2]) == ("moved", told.state.seq, ("address", f"{A}/64"))


# What the kernel says


def test_an_address_of_the_kernels_is_known_as_it_says() -> None:
    told = (
        Story()
        .at(5)
        .hear(
            AddressSeen(link="e0", address="192.0.2.9/24", flags=0x80, origin="dhcp", valid_s=60, preferred_s=30),
            AddressSeen(link="e0", address=f"{A}/64"),
            AddressSeen(
                link="e1", address=f"{A}/128", valid_until=START + 9 * SECOND, preferred_until=START + 8 * SECOND
            ),
            AddressSeen(link="e1", address="192.0.2.7/31", valid_s=0, preferred_s=0),
        )
    )
    last = told.state.seq
    assert dict(told.state.host.sighted) == {
        ("e0", "192.0.2.9"): Sighted(24, 0x80, "dhcp", START + 65 * SECOND, START + 35 * SECOND, last - 3),
        ("e0", A): Sighted(64, 0, "other", NEVER, NEVER, last - 2),
        ("e1", A): Sighted(128, 0, "other", START + 9 * SECOND, START + 8 * SECOND, last - 1),
        ("e1", "192.0.2.7"): Sighted(31, 0, "other", START + 5 * SECOND, START + 5 * SECOND, last),
    }
    told.hear(AddressGone(link="e1", address=f"{A}/128"), AddressGone(link="e1", address="192.0.2.9/24"))
    assert sorted(told.state.host.sighted) == [("e0", "192.0.2.9"), ("e0", A), ("e1", "192.0.2.7")]


def test_what_the_kernel_says_of_an_address_says_whether_it_is_ours() -> None:
    told = Story().hear(ra(R1, pio(P), pio(Q)), iid("a"), iid("a", Q), ra(R1, pio(P), link="e1"), iid("a", link="e1"))
    told.hear(AddressSeen(link="e0", address=f"{A}/64", flags=0x40))
    assert identifiers(told) == [(A, "stable", 0, "tentative")]
    told.hear(AddressSeen(link="e0", address=f"{A}/64", flags=0x80))
    assert identifiers(told) == [(A, "stable", 0, "assigned")]
    assert identifiers(told, Q)[0][3] == "tentative" and identifiers(told, P, "e1")[0][3] == "tentative"
    told.hear(AddressSeen(link="e0", address="2001:db8:2::a/64", flags=0x48))
    assert identifiers(told, Q)[0][3] == "duplicate", "the kernel found that it is not"
    told.hear(AddressSeen(link="e0", address="2001:db8:2::a/64", flags=0))
    assert identifiers(told, Q)[0][3] == "duplicate"


# Detection


def test_a_duplicate_takes_nothing_with_it_that_only_looks_like_it() -> None:
    told = Story().hear(ra(R1, pio(P), dns(A)), ra(R2, pio(P), dns(A)), iid("a"), iid("b", kind="eui64"))
    told.at(1).hear(DadFailed(link="e0", address=f"{A}/64"))
    assert identifiers(told) == [(B, "eui64", 0, "tentative"), (A, "stable", 0, "duplicate")]
    assert carriers(told) == [] and carriers(told, f"{B}/64") == [(I2, R2)] and told.keys(I1, "dns") == [A]
    assert told.moves(I2)[-1] == (1, "duplicate", (), (f"{A}/64",))
    assert told.findings()["duplicate-address"].text == f"somebody on e0 has {A} already"
    assert "address-conflict" not in told.findings()


def test_when_the_last_identifier_failed_the_prefix_is_named() -> None:
    told = Story().hear(ra(R1, pio(P)), iid("a", kind="eui64"), DadFailed(link="e0", address=A))
    assert identifiers(told) == [(A, "eui64", 0, "given-up")]
    assert told.findings()["address-conflict"].text == f"no address of {P} is left to try on e0"


def test_whoever_announces_the_prefix_of_a_duplicate_is_asked_again_what_it_wants() -> None:
    told = Story().hear(ra(R1, pio(P)), ra(R2, pio(P)), ra(R3, pio(Q)), iid("a"))
    assert told.engine.stirred() == [I1, I2, "ra:e0/1/fe80::3"]
    told.hear(AddressSeen(link="e0", address=f"{A}/64"))
    assert told.engine.stirred() == [], "an address of no place in particular"
    told.hear(DadFailed(link="e0", address=A))
    assert told.engine.stirred() == [I1, I2]


def test_an_address_of_a_place_stirs_the_pvd_that_has_the_place() -> None:
    told = Story(projection="netns").hear(ra(R1), ra(R2))
    told.engine.stirred()
    told.hear(iid("a", "fe80::/64", pvd=I1), iid("b", "fe80::/64", pvd=I2))
    assert told.engine.stirred() == [I1, I2]
    told.hear(AddressSeen(link="e0", address="fe80::a/64"), AddressSeen(link="e0", address="fe80::b/64"))
    assert told.engine.stirred() == [I1, I2]
    told.hear(DadFailed(link="e0", address="fe80::a"))
    assert told.engine.stirred() == [I1], "nobody announces this prefix"
    assert identifiers(told, "fe80::/64") == [
        ("fe80::a", "stable", 0, "duplicate"),
        ("fe80::b", "stable", 0, "assigned"),
    ]


def test_a_lease_is_void_when_somebody_has_its_address_also_where_ours_of_that_prefix_stays() -> None:
    told = Story().hear(ra(R1, pio(P)), iid("a"), NeighborAdvertised(link="e0", source="fe80::77", target=B))
    assert identifiers(told) == [(A, "stable", 0, "tentative")] and not told.findings()


@pytest.mark.parametrize(
    ("second", "mine", "theirs", "ours"),
    [
        (0, MAC, MAC, True),
        (0, MAC, THEIRS, False),
        (0, "", "02:00:00:00:00:0a", True),  # the link's own
        (0, "", "", False),  # it does not say who it is
        (2, MAC, THEIRS, False),
        (2.001, MAC, THEIRS, True),  # behind its detection
    ],
)
def test_who_advertises_a_tentative_address_has_it_unless_we_are_that(
    second: float, mine: str, theirs: str, ours: bool
) -> None:
    for heard in (
        NeighborAdvertised(link="e0", source=A, target=A, mac=theirs),
        NeighborSolicited(link="e0", source="::", target=A, mac=theirs),
    ):
        told = Story().hear(LinkSeen(link="e0", identity="capture:e0", name="e0", mac="02:00:00:00:00:0a"))
        told.hear(ra(R1, pio(P)), iid("a", mac=mine)).at(second).hear(heard)
        assert (A in told.has()) == ours


# The hardware address, and the end


def test_where_the_hardware_address_is_somebody_elses_all_of_ipv6_ends_and_nothing_else() -> None:
    told = Story().hear(LinkSeen(link="e0", identity="capture:e0", name="e0", mac=MAC))
    told.hear(ra(R1, pio(P), m=True), ra(R1, pvd("x.example.")), ra(R2), iid("a")).leases4()
    told.asks6("REQUEST", ia_na(ia_address("2001:db8:1::6")), addresses(23, "2001:db8::53"))
    assert sorted(one.rule for one in told.state.grants.values()) == ["dhcp4", "dhcp6-address", "dhcp6-info"]
    told.at(1).hear(DadFailed(link="e0", address="fe80::ff:fe00:99"))
    assert origins(told) == [] and [one.rule for one in told.state.grants.values()] == ["dhcp4"]
    assert told.owners("dhcp4") == ["if:e0/1"]
    assert dict(told.state.host.off) == {"e0": told.state.seq}
    assert told.findings()["ipv6-off"].text.startswith("fe80::ff:fe00:99, made of the hardware address of e0,")
    last = {(one.pvd, one.host): (one.cause, one.phase) for one in told.history() if one.seq == told.state.seq}
    assert last == {
        **{(id, ""): ("duplicate", "gone") for id in (X, I1, I2)},
        (I1, DUID): ("duplicate", "gone"),
        **{(id, CLIENT): ("moved", "gone") for id in (I1, I2)},
        ("if:e0/1", CLIENT): ("moved", "announced"),
    }
    assert {one.because for one in told.history() if one.seq == told.state.seq} == {told.state.seq}
    told.hear(iid("b"))
    assert B not in [one[0] for one in identifiers(told)], "nothing is formed there any more"


def test_where_ipv6_is_off_what_a_profile_configures_and_what_a_vpns_client_says_goes_on() -> None:
    values: dict[str, Value | list[str]] = {"ipv4.method": "manual", "ipv4.addresses": ["192.0.2.9/24"]}
    told = Story().hear(LinkSeen(link="e0", identity="capture:e0", name="e0", mac=MAC), ra(R1))
    told.hear(SettingsLoaded(settings=Settings("home", "toml", "", values)))
    told.hear(ConnectionOpened(id="home@e0", settings="home", link="e0"))
    told.hear(VpnConnected(vpn="corp", client="openvpn", device="e0", addresses=("10.8.0.2/24",)))
    before = told.state.grants
    assert sorted(key[2] for key in before) == ["static", "vpn"]
    told.hear(DadFailed(link="e0", address="fe80::ff:fe00:99"))
    assert told.alive() == ["static:home", "vpn:corp"] and told.state.grants == before
    assert [len(told.history(id)) for id in told.alive()] == [1, 1], "they do not even notice"


def test_what_an_attachment_leaves_behind_is_what_the_kernel_lists_and_what_is_of_other_links() -> None:
    told = Story().hear(ra(R1, pio(P)), iid("a"), ra(R1, pio(P), link="e1"), iid("a", link="e1"))
    told.hear(AddressSeen(link="e0", address=f"{A}/64"), AddressSeen(link="e1", address=f"{A}/64"))
    for link in ("e0", "e1"):
        told.hear(NeighborSeen(link=link, address=R1, state="reachable", mac=MAC))
        told.hear(Redirected(link=link, source=R1, target="fe80::9", destination="2001:db8:9::1"))
        told.hear(LinkSeen(link=link, identity=f"capture:{link}", name=link, mac=MAC))
        told.hear(ra(R1, link=link))
    before = told.state.host
    assert {len(getattr(before, name)) for name in ("identifiers", "sighted", "neighbors", "detours")} == {2}
    told.hear(DadFailed(link="e0", address="fe80::ff:fe00:99"), DadFailed(link="e1", address="fe80::ff:fe00:99"))
    assert set(told.state.host.off) == {"e0", "e1"}
    told.detach("e0")
    after = told.state.host
    assert after.sighted == before.sighted and set(after.off) == {"e1"}
    assert [set(one) for one in (after.identifiers, after.neighbors)] == [{("e1", P)}, {("e1", R1)}]
    assert [key[0] for key in after.detours] == ["e1"]


# Whatever is heard


def words(prefix: str, valid: int | None, preferred: int | None, flags: str) -> PrefixInformation:
    return pio(prefix, valid, preferred if valid is None or (preferred or 0) <= valid else valid, flags)


prefixes = st.builds(
    words,
    st.sampled_from([P, Q]),
    st.sampled_from([None, 0, 3, 7200, 7201, 10 * HOUR]),
    st.sampled_from([0, 2, HOUR]),
    st.sampled_from(["LA", "LA", "A", "L"]),
)
routers = st.builds(
    lambda router, name, said, life: ra(router, *([pvd(name)] if name else []), *said, life=life),
    st.sampled_from([R1, R2]),
    st.sampled_from(["", "x.example.", "y.example."]),
    st.lists(prefixes, max_size=2),
    st.sampled_from([0, 4, 1800]),
)
own = st.builds(
    iid,
    st.sampled_from("ab"),
    st.sampled_from([P, Q]),
    st.sampled_from(["stable", "stable", "eui64", "temporary"]),
    generation=st.sampled_from([0, 0, 1]),
)
addresses_ = st.sampled_from([A, B, "2001:db8:2::a"])
neighbors = st.one_of(
    st.builds(lambda one: DadFailed(link="e0", address=one), addresses_),
    st.builds(
        lambda one, flags: AddressSeen(link="e0", address=f"{one}/64", flags=flags),
        addresses_,
        st.sampled_from([0, 0x40, 0x48]),
    ),
    st.builds(lambda one: NeighborSolicited(link="e0", source="::", target=one, mac=THEIRS), addresses_),
)
turns = st.sampled_from([1, 2, 5, HOUR, 2 * HOUR])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(routers, routers, own, own, neighbors, turns, st.just(AttachStarted(link="e0"))), max_size=25)
)
def test_an_address_is_of_one_pvd_and_ends_no_sooner_than_it_may(happenings: list[object]) -> None:
    told, now = Story(), 0
    for one in happenings:
        before = {address: ends for address, (_, ends, _) in told.has().items()}
        if isinstance(one, int):
            now += one
            told.at(now)
        else:
            told.hear(one)  # type: ignore[arg-type]
        owners: dict[str, set[str]] = {}
        for origin in origins(told):
            for held_ in origin.held:
                if held_.kind == "address":
                    owners.setdefault(held_.key, set()).add(origin.pvd)
        assert all(len(pvds) == 1 for pvds in owners.values()), owners
        if isinstance(one, RouterAdvertised):
            for address, ends in before.items():
                kept = told.has().get(address)
                soonest = now + 7200 if ends is None else min(ends, now + 7200)
                assert kept is not None and (kept[1] is None or kept[1] >= soonest), "RFC 4862 §5.5.3 e"
    assert snapshot.encode(advance(told.refolded(), told.now)) == snapshot.encode(told.state)
