"""Asks for routers on links (RFC 4861 §6.3.7, RFC 7559), where we were told to.

Law: when is decided in pvdcore/host/solicit.py; the draws come from here. What goes out is heard on the packet
socket like everything else, so the journal shows each.
"""

import random
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from adapters.sockets.kernel import Device
from events.ids import NEVER, Instant, LinkId
from pvdcore.host import solicit

SOLICITATION: Final = bytes((133, 0)) + bytes(6)  # RFC 4861 §4.1; the kernel fills in the checksum and the source


class Solicitor:
    """The links that ask."""

    def __init__(self) -> None:
        self._asking: dict[LinkId, solicit.Solicitation] = {}
        self._answers: dict[LinkId, int] = {}  # router lifetimes that came before anything was asked
        self._draw = random.SystemRandom().randint
        self._epochs: dict[LinkId, int] = {}

    def follow(self, epochs: Mapping[LinkId, int], now: Instant) -> None:
        """The attachments there are: a new one begins to ask, one that ended does not go on."""
        for link in [link for link in self._asking if link not in epochs]:
            del self._asking[link]
        for link, epoch in epochs.items():
            if self._epochs.get(link) != epoch:
                self._answers.pop(link, None)
                self._asking[link] = solicit.start(now, delay_ms=self._draw(0, solicit.DELAY_MAX_MS))
        self._epochs = dict(epochs)

    def heard(self, link: LinkId, lifetime_s: int) -> None:
        """An RA came."""
        asking = self._asking.get(link)
        if asking is not None:
            self._asking[link] = solicit.answered(asking, lifetime_s)
            self._answers[link] = lifetime_s

    def due(self) -> Instant:
        """When the next solicitation is to go out; NEVER if none is."""
        return min((one.due for one in self._asking.values()), default=NEVER)

    def ask(self, devices: Mapping[LinkId, Device], now: Instant) -> None:
        """Send what is due. One goes out even where an RA came before it, and is the last then."""
        for link, asking in self._asking.items():
            if asking.due <= now:
                if link in devices:
                    send(devices[link])
                rand = self._draw(-solicit.RAND_PERMILLE, solicit.RAND_PERMILLE)
                asked = solicit.sent(asking, now, rand_permille=rand)
                self._asking[link] = solicit.answered(asked, self._answers.pop(link, 0))


def send(device: Device) -> None:
    """One solicitation to all routers of a link. A link that cannot (no address yet, down) is asked again later."""
    with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as out:
        out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, device.ifindex)
        out.sendto(SOLICITATION, ("ff02::2", 0, 0, device.ifindex))
