"""Router Solicitations over time: RFC 4861 §6.3.7 for the first, RFC 7559 §2 for the rest."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from events.ids import MILLISECOND, NEVER, SECOND
from pvdcore.host.solicit import DELAY_MAX_MS, MRT, RAND_PERMILLE, Solicitation, answered, sent, start


def gaps(one: Solicitation, number: int, rand: int) -> list[float]:
    """Seconds between the solicitations when each is sent when it is due."""
    found = []
    for _ in range(number):
        after = sent(one, one.due, rand_permille=rand)
        found.append((after.due - one.due) / SECOND)
        one = after
    return found


@pytest.mark.covers("rfc:N19")
def test_solicitations_back_off_to_an_hour_and_never_end_by_themselves() -> None:
    assert gaps(start(0, delay_ms=0), 13, 0) == [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600]
    for rand in (-RAND_PERMILLE, RAND_PERMILLE):
        spread = gaps(start(0, delay_ms=0), 500, rand)
        assert min(spread) >= 4  # never closer than four seconds
        assert all(1.89 < later / sooner < 2.11 for sooner, later in pairwise(spread[:9]))
        assert spread[-1] == 3600 + 3.6 * rand
        assert max(spread) <= MRT / SECOND * 1.1


@pytest.mark.covers("rfc:N19")
@pytest.mark.parametrize(
    ("rand", "expected"),
    [(100, [4.4, 9.24, 19.404, 40.7484]), (0, [4, 8, 16, 32]), (-100, [4.4, 8.36, 15.884, 30.1796])],
)
def test_each_interval_is_drawn_of_the_last_and_counted(rand: int, expected: list[float]) -> None:
    assert gaps(start(0, delay_ms=DELAY_MAX_MS), 4, rand) == expected
    one = start(0, delay_ms=DELAY_MAX_MS)
    for number in range(20):
        assert one.sent == number
        one = sent(one, one.due, rand_permille=rand)
        assert isinstance(one.due, int), "an instant is whole"


@pytest.mark.covers("rfc:N19")
def test_an_interval_of_exactly_an_hour_is_not_over_it() -> None:
    """RFC 8415 §15: only what is over MRT is drawn about MRT."""
    last = Solicitation(sent=9, interval=1_714_285_714_286)
    assert sent(last, 0, rand_permille=RAND_PERMILLE) == Solicitation(due=MRT, sent=10, interval=MRT)
    over = sent(replace(last, interval=last.interval + 1), 0, rand_permille=RAND_PERMILLE)
    assert over.interval == MRT + MRT // 10


@pytest.mark.covers("rfc:N19")
def test_the_first_waits_for_its_draw_and_is_sent_although_a_router_spoke_before() -> None:
    one = start(5 * SECOND, delay_ms=700)
    assert one.due == 5 * SECOND + 700 * MILLISECOND
    assert answered(one, 1800) == one  # at least one is sent
    after = sent(one, one.due, rand_permille=0)
    assert answered(after, 0) == after  # a lifetime of zero ends nothing
    assert answered(after, 1800).due == NEVER
    with pytest.raises(AssertionError):
        start(0, delay_ms=DELAY_MAX_MS + 1)


@pytest.mark.covers("rfc:N19")
def test_on_a_link_without_multicast_nothing_ends_them() -> None:
    one = start(0, delay_ms=0, multicast=False)
    after = sent(one, 0, rand_permille=0)
    assert answered(after, 1800) == after
    assert gaps(answered(after, 1800), 3, 0) == [8, 16, 32]
