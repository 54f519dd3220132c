"""What other managers have active: their notes under /run, as connections that are observed."""

import asyncio
from pathlib import Path

import pytest

from adapters.settings import managers
from adapters.settings.managers import NETWORKD, NETWORKMANAGER, active, differences
from adapters.settings.watch import Watch
from events.link import AttachEnded, LinkSeen
from events.operator import Settings, SettingsLoaded
from tests.adapters.test_settings_sources import Host
from tests.sim.build import Story

UUID = "5b0d2c1e-6e0e-4b49-9a39-0f5f4a9d1c11"
NM = f"[device]\nmanaged=1\nnm-owned=0\nconnection-uuid={UUID}\nroute-metric-default-aspired=100\n"
FILE = "/etc/systemd/network/10-lab.network"
NETWORK = f"# This is private data. Do not parse.\nADMIN_STATE=configured\nOPER_STATE=routable\nNETWORK_FILE={FILE}\n"
E7 = LinkSeen(link="eth7", identity="netns:1:7:1", kind="ethernet", ifindex=7, name="eth7", host=True)
E8 = LinkSeen(link="eth8", identity="netns:1:8:1", kind="ethernet", ifindex=8, name="eth8", host=True)


def note(root: Path, folder: str, number: str, text: str) -> Path:
    path = root / folder / number
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("folder", "text", "profile"),
    [
        (NETWORKMANAGER, NM, UUID),
        (NETWORKMANAGER, "[device]\nmanaged=0\n", None),
        (NETWORKD, NETWORK, FILE),
        (NETWORKD, NETWORK.replace("configured", "unmanaged"), None),
        (NETWORKD, "ADMIN_STATE=configured\n", None),
        (NETWORKD, "\0\xff nonsense", None),
    ],
)
def test_a_note_says_what_is_active_or_nothing(tmp_path: Path, folder: str, text: str, profile: str | None) -> None:
    note(tmp_path, folder, "7", text)
    note(tmp_path, folder, "7.tmp", NM + NETWORK)
    assert active(str(tmp_path)) == ({7: (folder, profile)} if profile else {})


def test_what_others_have_active_is_observed_by_the_profile_it_came_of() -> None:
    theirs = Settings("wired", "keyfile", "/etc/NetworkManager/x:1", {"connection.uuid": UUID})
    lab = Settings("10-lab", "networkd", f"{FILE}:1")
    told = Story().hear(E7, E8, SettingsLoaded(settings=theirs), SettingsLoaded(settings=lab))
    now = {7: (NETWORKMANAGER, UUID), 8: (NETWORKD, FILE), 9: (NETWORKD, FILE)}
    told.hear(*differences(told.state, now))
    assert {id: (one.by, one.link) for id, one in told.state.connections.items()} == {
        "wired@eth7": ("external", "eth7"),
        "10-lab@eth8": ("external", "eth8"),
    }
    assert list(differences(told.state, now)) == [], "what is the same is said once"
    told.hear(*differences(told.state, {7: (NETWORKMANAGER, "other"), 8: (NETWORKD, FILE)}))
    assert told.state.connections["wired@eth7"].reason == "external"
    assert told.state.connections["other@eth7"].phase == "activating", "a profile that only its manager knows"
    told.hear(AttachEnded(link="eth8", reason="carrier"))
    assert told.state.connections["10-lab@eth8"].reason == "carrier"
    assert not [one for one in differences(told.state, {8: (NETWORKD, FILE)}) if one.id == "10-lab@eth8"]


def test_on_a_link_of_anothers_nothing_is_opened_by_ourselves(tmp_path: Path) -> None:
    async def story() -> None:
        host = Host()
        host.submit(E7)
        host.submit(SettingsLoaded(settings=Settings("mine", "control", "", {"connection.interface-name": "eth7"})))
        path = note(tmp_path, NETWORKMANAGER, "7", NM)
        watch = Watch(host, str(tmp_path))
        await watch.start()
        watch.changed(host.state)
        assert [(one.by, one.phase) for one in host.state.connections.values()] == [("external", "activating")]
        path.with_name("new").write_text("[device]\nmanaged=1\n")
        path.with_name("new").rename(path)  # as NetworkManager writes it
        await host.until(lambda state: state.connections[f"{UUID}@eth7"].phase == "closed")
        watch.changed(host.state)
        assert host.state.connections["mine@eth7"].by == "autoconnect", "it is free"
        await watch.stop()

    asyncio.run(story())


def test_folders_that_come_later_are_followed(tmp_path: Path) -> None:
    async def story() -> None:
        host = Host()
        host.submit(E7)
        (tmp_path / "run").mkdir()
        watch = Watch(host, str(tmp_path))
        await watch.start()
        note(tmp_path, managers.NETWORKD, "7", NETWORK)
        await host.until(lambda state: "10-lab.network@eth7" in state.connections)
        await watch.stop()

    asyncio.run(story())
