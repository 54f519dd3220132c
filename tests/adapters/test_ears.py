"""Who listens to many descriptors: what is done, and what no more when one deed does away with another's."""

from __future__ import annotations

import os

from adapters.places.ears import Ears


def test_what_one_deed_ended_another_does_not_do() -> None:
    ears = Ears()
    pipes = [os.pipe() for _ in range(3)]
    said: list[int] = []

    def end_the_others(mine: int) -> None:
        said.append(mine)
        os.read(pipes[mine][0], 1)
        for number, (read, _) in enumerate(pipes):
            if number != mine:
                ears.leave(read)

    for number, (read, _) in enumerate(pipes):
        ears.hear(read, lambda number=number: end_the_others(number))  # type: ignore[misc]
    assert not ears.wait(0)
    for _, write in pipes:
        os.write(write, b"x")
    assert ears.wait(0) and len(said) == 1
    assert not ears.wait(0), "nobody listens to the two that are left to be read"
    ears.leave(pipes[0][0])
    ears.close()
    for pair in pipes:
        for fd in pair:
            os.close(fd)


def test_a_number_that_is_given_anew_is_another_descriptor() -> None:
    ears = Ears()
    (one, far), (two, end) = os.pipe(), os.pipe()
    said: list[str] = []

    def replace() -> None:
        said.append("one")
        ears.leave(one)
        ears.leave(two)
        os.close(two)
        os.dup2(one, two)  # of the same number, and readable
        ears.hear(two, lambda: said.append("anew"))

    ears.hear(one, replace)
    ears.hear(two, lambda: said.append("two"))
    os.write(far, b"x")
    os.write(end, b"x")
    ears.wait(0)
    assert said == ["one"], "what the old one had to say is nothing of the new one's"
    ears.wait(0)
    assert said == ["one", "anew"]
    ears.close()
    for fd in (one, far, two, end):
        os.close(fd)
