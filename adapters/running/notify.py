"""What pvdd tells the service manager (sd_notify(3)): READY, RELOADING, STOPPING, WATCHDOG, STATUS.

Law: nobody waits for it and nothing depends on it: without NOTIFY_SOCKET, or when sending fails, nothing happens.
"""

import os
import socket
import time
from contextlib import suppress
from typing import Final

USEC: Final = 1_000_000


class Notifier:
    """Says things to the manager that started us. environment: where NOTIFY_SOCKET and WATCHDOG_USEC stand."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        given = dict(os.environ) if environment is None else environment
        self._path = given.get("NOTIFY_SOCKET", "")
        pid = given.get("WATCHDOG_PID", "")
        usec = given.get("WATCHDOG_USEC", "")
        mine = not pid or pid == str(os.getpid())
        self.watchdog_s: float | None = int(usec) / USEC / 2 if usec.isdecimal() and int(usec) and mine else None
        """How often WATCHDOG is to be said: half of what the manager allows; `None`: never."""

    def ready(self, status: str = "") -> None:
        """All is set up; or reloading is done."""
        self._say("READY=1", *([f"STATUS={status}"] if status else []))

    def reloading(self) -> None:
        """The configuration is read again; `ready` follows."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """We end."""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """The loop goes round."""
        self._say("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._say(f"STATUS={text}")

    def _say(self, *lines: str) -> None:
        if not self._path.startswith(("/", "@")):
            return
        address = "\0" + self._path[1:] if self._path[0] == "@" else self._path
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            sock.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), address)
