"""The other end of the control socket: one connection, one call at a time, and subscriptions.

Law: synchronous, small, and without opinion: what the daemon says is returned, what it refuses is raised.
"""

import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from adapters.running.config import DEFAULT_CONTROL

REPLY_OCTETS_MAX: Final = 64 << 20  # of 10,000 PvDs and more; who sends more is no pvdd
TIMEOUT_S: Final = 10.0  # a healthy daemon answers in a tenth of a second


class NotRunning(Exception):
    """Nobody listens on the socket. The text is one line that says what to do."""


class Refused(Exception):
    """An error reply. name: with its interface; parameters: as the interface says."""

    def __init__(self, name: str, parameters: dict[str, Any]) -> None:
        super().__init__(name)
        self.name = name
        self.parameters = parameters


class Reply(msgspec.Struct, frozen=True):
    """A message from the service."""

    parameters: msgspec.Raw = msgspec.Raw(b"{}")
    continues: bool = False
    error: str = ""


_replies: Final = msgspec.json.Decoder(Reply)


class Client:
    """A connection. Use it in a `with`. Raises NotRunning, PermissionError; TimeoutError when no answer comes."""

    def __init__(self, path: str = DEFAULT_CONTROL, *, timeout_s: float | None = TIMEOUT_S) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(timeout_s)
        self._buffer = bytearray()
        try:
            self._sock.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            self._sock.close()
            raise NotRunning(f"pvdd does not listen at {path}; start it: systemctl start pvdd") from None
        except OSError:
            self._sock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._sock.close()

    def fileno(self) -> int:
        """For select."""
        return self._sock.fileno()

    def settimeout(self, timeout_s: float | None) -> None:
        """How long to wait for each reply from here on; `None` for ever."""
        self._sock.settimeout(timeout_s)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call, one answer. Raises Refused."""
        self._send(method, parameters, more=False)
        found: dict[str, Any] = msgspec.json.decode(self._reply().parameters)
        return found

    def stream(self, method: str, **parameters: Any) -> Iterator[msgspec.Raw]:
        """A call with `more`: the parameters of each reply, until the service ends it. Raises Refused."""
        self._send(method, parameters, more=True)
        while True:
            reply = self._reply()
            yield reply.parameters
            if not reply.continues:
                return

    def _send(self, method: str, parameters: dict[str, Any], *, more: bool) -> None:
        call: dict[str, Any] = {"method": method, "parameters": parameters}
        if more:
            call["more"] = True
        self._sock.sendall(msgspec.json.encode(call) + b"\0")

    def _reply(self) -> Reply:
        while (end := self._buffer.find(0)) < 0:
            data = self._sock.recv(65_536)
            if not data:
                raise NotRunning("pvdd closed the connection; see what it logged: journalctl -u pvdd")
            self._buffer += data
            if len(self._buffer) > REPLY_OCTETS_MAX:
                raise NotRunning("what listens on the control socket is no pvdd; name another with --control")
        message = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        reply = _replies.decode(message)
        if reply.error:
            raise Refused(reply.error, msgspec.json.decode(reply.parameters))
        return reply
