"""The service around a driver: started, reloaded, stopped; what is in force after a mistake."""

import asyncio
import io
import json
import socket
from collections.abc import Callable
from pathlib import Path

from adapters.running.config import LinkRule, parse, read
from adapters.running.logs import logger
from adapters.running.service import Hook, Service
from events.codec import AnyEvent
from tests.adapters.driver import Driver


class Hooked(Driver):
    """A driver whose hooks a test calls."""

    def __init__(self) -> None:
        super().__init__()
        self.on_start: list[Hook] = []
        self.on_stop: list[Hook] = []
        self.on_reload: list[Hook] = []
        self.on_record: list[Callable[[AnyEvent], None]] = []
        self.tellers: list[object] = []

    def on_change(self, tell: object) -> None:
        self.tellers.append(tell)

    def treat(self, rules: tuple[LinkRule, ...]) -> None:
        self.rules = rules


def test_a_session_applies_its_configuration_reloads_it_and_survives_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "pvd.conf"
    control = tmp_path / "control"
    common = f'control = "{control}"\nmetrics = "{tmp_path / "metrics"}"\n'
    file.write_text(common + '[[properties]]\npvd = "*"\nset = { a = 1 }\n[policy]\naware = false\n')
    driver, out = Hooked(), io.StringIO()
    config = read(str(file))
    service = Service(driver, config, reread=lambda: read(str(file)), version="0.1.0", log=logger("json", "info", out))

    def kinds() -> list[str]:
        return [type(one.event).__name__ for one in driver.journal.records()]

    async def session() -> None:
        for hook in driver.on_start:
            await hook()
        assert control.is_socket() and (tmp_path / "metrics").is_socket()
        assert driver.state.properties[0].values == {"a": 1} and not driver.state.policy.on("aware")
        assert kinds() == ["PropertiesSet", "PolicySet"]
        await service.reload()
        assert len(kinds()) == 2, "nothing new makes no record"
        file.write_text(common + '[[properties]]\npvd = "*"\nset = { a = 2 }\n[policy]\naware = false\n')
        for hook in driver.on_reload:
            await hook()
        assert driver.state.properties[0].values == {"a": 2} and kinds()[2:] == ["PropertiesSet"]
        assert driver.rules == ()
        file.write_text("nonsense = 1\n")
        for hook in driver.on_reload:
            await hook()
        assert driver.state.properties[0].values == {"a": 2} and len(kinds()) == 3
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(control))
        for hook in driver.on_stop:
            await hook()
        assert not control.exists()

    asyncio.run(session())
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [one["event"] for one in said] == ["session started", "not reloaded", "session ended"]
    assert "unknown key nonsense" in said[1]["problem"] and said[2]["head"] == driver.journal.head()


def test_a_configuration_of_nothing_makes_no_record_and_no_socket(tmp_path: Path) -> None:
    driver = Hooked()
    service = Service(driver, parse(b'control = ""\n', "c"), log=logger("json", "error", io.StringIO()))

    async def session() -> None:
        for hook in (*driver.on_start, *driver.on_reload, *driver.on_stop):
            await hook()

    asyncio.run(session())
    assert driver.journal.last_seq() == 0 and service.reread is None
