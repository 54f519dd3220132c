"""The MIF drafts' container 63 and id 64, as mif-radvd sends them (standards.md A.4)."""

import pytest

from adapters.ingest import translate
from events.frames import FrameRejected
from events.router import (
    IgnoredOption,
    MifContainer,
    MifPvdId,
    Mtu,
    NdOption,
    PrefixInformation,
    RouterAdvertised,
    RouterSolicited,
)
from tests.wire.packets import A9_MIF, A9_MIF_UUID, mif, mif_id, mtu, name, pio, pvd, ra, rs

OTHER = "00112233-4455-6677-8899-aabbccddeeff"


def read(*octets: bytes) -> tuple[NdOption, ...]:
    (event,) = translate(ra(*octets))
    assert isinstance(event, RouterAdvertised), event
    return event.options


def reason(octets: bytes) -> str:
    container, behind = read(octets, mtu(1500))
    assert behind == Mtu(1500)
    assert isinstance(container, IgnoredOption)
    assert container.data == octets
    return container.reason


def test_golden_container() -> None:
    assert read(A9_MIF) == (
        MifContainer(
            uuid=A9_MIF_UUID,
            options=(
                MifPvdId(A9_MIF_UUID, 4, 40),
                PrefixInformation("2001:db8:1::/64", 86400, 14400, on_link=True, autonomous=True),
            ),
            length=80,
        ),
    )


def test_several_containers_in_one_ra_are_several_pvds() -> None:
    first, outer, second = read(mif(mif_id(), mtu(1400)), mtu(1500), mif(mif_id(OTHER), mtu(1300)))
    assert isinstance(first, MifContainer)
    assert isinstance(second, MifContainer)
    assert (first.uuid, second.uuid, outer) == (A9_MIF_UUID, OTHER, Mtu(1500))
    assert (first.options[1], second.options[1]) == (Mtu(1400), Mtu(1300))


@pytest.mark.covers("evil:E45")
def test_bug_2_a_container_without_exactly_one_good_id_is_no_pvd() -> None:
    """prior_art.md 6.1: pvdman keeps NUL padding in a short id and takes a container without one; the fork takes the
    last of several."""
    assert reason(mif(mtu(1400))) == "mif-no-id"
    assert reason(mif(mif_id(A9_MIF_UUID[:30]), mtu(1400))) == "mif-no-id"
    assert reason(mif(mif_id(), mif_id(OTHER))) == "mif-two-ids"
    assert reason(mif(mif_id(), mif(mif_id(OTHER)))) == "mif-in-mif"
    assert reason(mif(mif_id(), flags=0x80)) == "mif-signed"


@pytest.mark.covers("evil:E45")
def test_bug_8_ids_of_both_types_are_read_and_the_type_is_kept() -> None:
    """prior_art.md 6.1: the RS writer uses type 1, mif-radvd and libndp type 4."""
    for id_type in (1, 4):
        (container,) = read(mif(mif_id(id_type=id_type)))
        assert isinstance(container, MifContainer)
        assert container.options == (MifPvdId(A9_MIF_UUID, id_type, 40),)
    (event,) = translate(rs(mif_id(id_type=1), mif_id(OTHER, 4)))
    assert isinstance(event, RouterSolicited)
    assert event.options == (MifPvdId(A9_MIF_UUID, 1, 40), MifPvdId(OTHER, 4, 40))


def test_the_id_ends_where_its_length_says() -> None:
    longer = bytearray(mif_id(A9_MIF_UUID.encode() + b"\0\0\0\0\0\0\0\0", size=36))
    (container,) = read(mif(bytes(longer)))
    assert isinstance(container, MifContainer)
    assert container.uuid == A9_MIF_UUID
    assert container.options[0].length == 48


@pytest.mark.covers("evil:E46")
def test_broken_framing_inside_rejects_the_ra() -> None:
    for octets, rule in (
        (mif(mif_id(), b"\x03\0" + bytes(6)), "mif-option-length-zero"),
        (mif(mif_id(), b"\x03\x02" + bytes(6)), "mif-option-overrun"),
    ):
        (event,) = translate(ra(octets, pio("2001:db8::")))
        assert isinstance(event, FrameRejected)
        assert event.rule == rule


@pytest.mark.covers("evil:E36")
def test_containers_of_different_kinds_do_not_nest() -> None:
    inside = pvd(name("x.example"))
    (container,) = read(mif(mif_id(), inside))
    assert isinstance(container, MifContainer)
    assert container.options[1] == IgnoredOption(21, "nested-pvd", inside, len(inside))
