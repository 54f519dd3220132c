"""Descriptors that somebody may speak on, and what is done when one of them can be read (epoll(7)).

Law: to wait costs what is said, not how many could speak. Who closes a descriptor leaves it first.
"""

import select
from collections.abc import Callable

Deed = Callable[[], None]


class Ears:
    """All that one process listens to. Single-threaded."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._deeds: dict[int, Deed] = {}

    def hear(self, fd: int, deed: Deed) -> None:
        """Have `deed` done whenever `fd` can be read, or its other end is gone."""
        self._epoll.register(fd, select.EPOLLIN)
        self._deeds[fd] = deed

    def leave(self, fd: int) -> None:
        """Listen to it no more; nothing, if nobody did."""
        if self._deeds.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def wait(self, seconds: float | None) -> bool:
        """Do what is due. seconds: how long to wait for the first word, `None`: for ever. Whether anything was said."""
        ready = [(fd, self._deeds.get(fd)) for fd, _ in self._epoll.poll(seconds)]
        for fd, deed in ready:  # one deed may end, or replace, what another was to be done for
            if deed is not None and self._deeds.get(fd) is deed:
                deed()
        return bool(ready)

    def close(self) -> None:
        """Let go; the descriptors stay open."""
        self._epoll.close()
