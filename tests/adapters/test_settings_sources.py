"""Profiles of four systems in one vocabulary: what is read, on which line, what is not used, what stays in its file.

Law: tests/settings/root looks like a host; its files are shaped after each system's documentation (nm-settings-keyfile,
nm-settings-ifcfg-rh, systemd.network). What NetworkManager itself makes of them is tests/live/test_networkmanager.py.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.settings import ifcfg, keyfile, networkd, toml
from adapters.settings.folders import Reading, believed, differences, kept, read
from adapters.settings.vocabulary import FILE_OCTETS_MAX, LISTS, RULES, SCALARS, is_secret
from adapters.settings.watch import Watch
from adapters.sqlite import SqliteJournal
from events.codec import AnyEvent
from events.ids import SECOND
from events.link import LinkSeen
from events.operator import (
    CheckpointCreated,
    ConnectionOpened,
    Settings,
    SettingsLoaded,
    SettingsNote,
    SettingsRejected,
    SettingsRemoved,
)
from pvdcore.engine import Engine
from pvdcore.state import State
from tests.sim.build import START, Story

ROOT = Path(__file__).parent.parent / "settings" / "root"
READING = read(str(ROOT))
PROFILES = {one.id: one for one in READING.profiles.values()}


def notes(id: str) -> set[tuple[str, str, int]]:
    """What is not used of a profile: code without `settings-`, key, line."""
    found = PROFILES[id].notes
    return {(one.code.removeprefix("settings-"), one.key, int(one.where.rsplit(":", 1)[1])) for one in found}


def line(id: str, key: str) -> tuple[str, int]:
    """The file's name and the line that a value stands on."""
    file, number = PROFILES[id].lines[key].rsplit(":", 1)
    return file.rsplit("/", 1)[-1], int(number)


# What the files of one host say


def test_each_source_is_read_and_each_profile_has_an_id_of_its_own() -> None:
    assert {id: one.source for id, one in PROFILES.items()} == {
        "office": "toml",
        **dict.fromkeys(
            ("volatile", "eduroam", "home", "older", "roaming", "split", "tunnel", "wg", "vendor"), "keyfile"
        ),
        **dict.fromkeys(("10-static", "20-lab", "80-ethernet"), "networkd"),
        **dict.fromkeys(("System eth0", "eth1"), "ifcfg"),
    }
    assert READING.refused == {}


def test_each_value_is_in_the_vocabulary() -> None:
    for one in PROFILES.values():
        unknown = set(one.values) - set(SCALARS) - set(LISTS)
        assert unknown == set(), one.id
        for key, where in one.lines.items():
            path, number = where.rsplit(":", 1)
            assert key in one.values
            assert (ROOT / path.lstrip("/")).read_text().splitlines()[int(number) - 1], (
                "there is something on that line"
            )


COMMON = {
    # What three of the systems are told in their own ways is the same in ours.
    "ipv4.addresses": ["192.0.2.10/24", "192.0.2.11/24"],
    "ipv4.gateway": "192.0.2.1",
    "ipv4.method": "manual",
    "ipv4.dns-search": ["corp.example.", "lab.example."],
    "ipv6.gateway": "2001:db8:5::1",
    "ipv6.dns": ["2001:db8:5::53"],
    "ipv6.method": "manual",
    "802-3-ethernet.mtu": 1400,
}


@pytest.mark.parametrize("id", ["home", "10-static", "System eth0"])
def test_three_systems_say_one_thing_in_one_vocabulary(id: str) -> None:
    values = PROFILES[id].values
    assert {key: values[key] for key in COMMON} == COMMON
    assert "198.51.100.0/24 192.0.2.254" in values["ipv4.routes"]  # type: ignore[operator]
    assert values["ipv6.addresses"][0] == "2001:db8:5::10/64"  # type: ignore[index]


def test_a_keyfile() -> None:
    values = PROFILES["home"].values
    assert values["connection.type"] == "802-3-ethernet" and values["connection.interface-name"] == "d0"
    assert values["ipv4.routes"] == ["198.51.100.0/24 192.0.2.254", "203.0.113.7/32 192.0.2.253", "10.0.0.0/8"]
    assert notes("home") == set(), "a time stamp, an empty group and defaults say nothing"
    assert line("home", "ipv6.gateway") == ("home.nmconnection", 26)
    older = PROFILES["older"].values
    assert older["ipv4.gateway"] == "172.16.0.1" and older["ipv4.routes"] == ["192.168.7.0/24 172.16.0.9"]
    assert PROFILES["split"].values["ipv4.never-default"] is True
    assert notes("split") == {("invalid", "[connection] autoconnect", 7)}, "`no` is no truth value there"
    assert PROFILES["split"].values["connection.autoconnect"] is True
    assert PROFILES["wg"].values["ipv6.method"] == "disabled"
    roaming = PROFILES["roaming"].values
    assert roaming["match.interface-name"] == ["en*", "!enx*"] and roaming["match.unsupported"] == ["driver"]
    assert roaming["connection.multi-connect"] == "multiple"
    assert notes("roaming") == {
        ("unsupported", "[match] driver", 10),
        ("unsupported", "[ipv4] routing-rule1", 16),
        ("unsupported", "[ipv6] ip6-privacy", 20),
    }
    assert PROFILES["eduroam"].values["802-11-wireless.ssid"] == "eduroam"


def test_run_hides_etc_hides_usr_by_uuid() -> None:
    assert "hidden by the file of the same UUID" not in PROFILES
    assert PROFILES["vendor"].origin == "/usr/lib/NetworkManager/system-connections/vendor.nmconnection:1"
    assert PROFILES["volatile"].origin.startswith("/run/")


def test_a_network_file_with_drop_ins_globs_and_sections_that_repeat() -> None:
    values = PROFILES["10-static"].values
    assert values["match.interface-name"] == ["enp1s0", "enp2s*"]
    assert values["match.mac-address"] == ["02:00:00:00:00:0a"]
    assert values["ipv4.routes"] == ["198.51.100.0/24 192.0.2.254", "0.0.0.0/0 192.0.2.2"], (
        "another table's is not ours"
    )
    assert values["connection.multi-connect"] == "multiple", "it is for every link that matches"
    assert notes("10-static") == {
        ("unsupported", "[Network] DNS :PORT%LINK#NAME", 16),
        ("unsupported", "[Network] Domains ~NAME", 17),
        ("unsupported", "[Network] LLDP", 20),
        ("unsupported", "[Address] Label", 24),
        ("unsupported", "[Route] Table", 33),
        ("unsupported", "[Route] Metric", 37),
    }
    lab = PROFILES["20-lab"].values
    assert lab["ipv4.dns"] == ["192.0.2.3"], "the empty assignment of the drop-in took back both; /etc hides /usr/lib"
    assert line("20-lab", "ipv4.dns") == ("50-dns.conf", 3)
    assert lab["pvd.expected"] == ["fqdn:lab.example."] and line("20-lab", "pvd.expected") == ("90-pvd.conf", 2)
    assert lab["match.unsupported"] == ["Driver"] and lab["ipv4.ignore-auto-dns"] is True
    assert PROFILES["80-ethernet"].values["match.interface-name"] == ["!lo", "!wl*"]
    assert "90-off" not in PROFILES, "a link to /dev/null hides the file of its name"


def test_an_ifcfg_file_with_its_routes_is_read_and_never_run() -> None:
    values = PROFILES["System eth0"].values
    assert values["ipv4.routes"] == ["203.0.113.0/24 192.0.2.253", "198.51.100.0/24 192.0.2.254"]
    assert values["ipv6.routes"] == ["2001:db8:6::/48 2001:db8:5::fe"]
    assert values["ipv6.addresses"] == ["2001:db8:5::10/64", "2001:db8:5::11/64", "2001:db8:5::12/64"]
    assert line("System eth0", "ipv6.routes") == ("route6-eth0", 1)
    assert ("invalid", "HOSTNAME", 24) in notes("System eth0"), "a shell would run something there"
    assert ("unsupported", "rule- file", 1) in notes("System eth0") and ("unsupported", "route table", 6) in notes(
        "System eth0"
    )
    dhcp = PROFILES["eth1"].values
    assert dhcp["ipv4.method"] == "auto" and dhcp["ipv6.method"] == "auto" and dhcp["ipv4.never-default"] is True
    assert dhcp["connection.autoconnect"] is False and dhcp["ipv4.ignore-auto-dns"] is True


DOCUMENTED = read(str(Path(__file__).parent.parent / "settings" / "documented"))
SCRIPTS = "/etc/sysconfig/network-scripts"


def test_ifcfg_aliases_are_further_addresses_of_their_device() -> None:
    """As NetworkManager's own tests have them: an alias file counts if its DEVICE is its name."""
    assert not [path for path in DOCUMENTED.profiles if ":" in path]
    values = {n: DOCUMENTED.profiles[f"{SCRIPTS}/ifcfg-aliasem{n}"].values for n in range(4)}
    assert values[0]["ipv4.addresses"] == [f"192.168.1.{last}/24" for last in (5, 6, 9, 99)]
    assert values[1]["ipv4.addresses"] == values[2]["ipv4.addresses"] == ["192.168.1.5/24"]
    assert values[3]["ipv4.addresses"] == ["192.168.1.5/24", "192.168.1.6/24"]
    assert values[3]["ipv4.gateway"] == "192.168.1.1", "the alias says it"
    told = {(note.code, note.key, note.where) for n in (1, 2) for note in notes_of(f"ifcfg-aliasem{n}")}
    assert told == {
        ("settings-invalid", "alias DEVICE", f"{SCRIPTS}/ifcfg-aliasem1:1:1"),
        ("settings-invalid", "alias DEVICE", f"{SCRIPTS}/ifcfg-aliasem2:1:2"),
    }


def notes_of(file: str) -> tuple[SettingsNote, ...]:
    return DOCUMENTED.profiles[f"{SCRIPTS}/{file}"].notes


def test_an_alias_without_its_device_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / SCRIPTS.lstrip("/")
    folder.mkdir(parents=True)
    (folder / "ifcfg-eth0:1").write_text("DEVICE=eth0:1\nIPADDR=192.0.2.1\n")
    found = read(str(tmp_path))
    assert not found.profiles
    (refused,) = found.refused.values()
    assert (refused.rule, refused.origin) == ("no-profile", f"{SCRIPTS}/ifcfg-eth0:1:1")
    assert refused.text == "an alias, and no ifcfg-eth0"


def test_an_ifcfg_route_is_read_in_any_order_and_what_it_asks_beside_is_told() -> None:
    one = DOCUMENTED.profiles[f"{SCRIPTS}/ifcfg-test-wired-static-routes-legacy"]
    assert one.values["ipv4.routes"] == ["21.31.41.0/24 9.9.9.9", "32.42.52.62/32 8.8.8.8", "43.53.0.0/16 7.7.7.7"]
    told = [(note.code, note.key) for note in one.notes if note.where.endswith("legacy:6")]
    words = ("metric", "cwnd", "mtu", "initrwnd", "window", "initcwnd", "src")
    assert told == [("settings-unsupported", f"route {word}") for word in words]
    assert ("settings-unsupported", "route local") in {(note.code, note.key) for note in one.notes}


def test_an_ifcfg_gateway_without_an_address_is_told() -> None:
    one = ifcfg.parse("/ifcfg-a", b"DEVICE=a\nBOOTPROTO=dhcp\nGATEWAY=192.0.2.1\nIPV6_DOMAIN=example.com\n")
    assert isinstance(one, Settings)
    assert [(note.key, note.where) for note in one.notes] == [("GATEWAY", "/ifcfg-a:3")]
    assert one.values["ipv6.dns-search"] == ["example.com."]


def test_a_profile_of_our_own() -> None:
    values = PROFILES["office"].values
    assert values["pvd.expected"] == ["fqdn:office.example.", "fqdn:backup.example."]
    assert values["ipv4.method"] == "manual", "said by its addresses"
    assert line("office", "ipv4.gateway") == ("office.toml", 13)
    assert notes("office") == {("unsupported", "[802-1x] identity", 26), ("secret", "[802-1x] password", 27)}


# Secrets


def test_no_secret_leaves_its_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = SqliteJournal(str(path))
    engine = Engine(journal)
    for event in differences(Reading(), READING):
        engine.submit(event, source="settings", at=START)
    engine.checkpoint()
    journal.close()
    octets = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"corp.example" in octets, "the profiles are there"
    for secret in (b"TOPSECRET", b"VE9QU0VDUkVU"):
        assert secret not in octets
    told = {(id, key) for id in PROFILES for code, key, _ in notes(id) if code == "secret"}
    assert {key for id, key in told if id == "eduroam"} == {
        "[wifi-security] wep-key0",
        "[wifi-security] psk",
        "[802-1x] password",
        "[802-1x] private-key-password",
        "[802-1x] private-key",
    }
    assert ("wg", "[wireguard] private-key") in told and ("System eth0", "keys- file (secrets)") in told
    assert ("tunnel", "[vpn-secrets] password") in told and ("System eth0", "IEEE_8021X_PASSWORD") in told
    assert sum(file.read_bytes().count(b"TOPSECRET") for file in ROOT.rglob("*") if file.is_file()) == 10


@pytest.mark.parametrize(
    "key", ["psk", "wep-key3", "leap-password", "PrivateKey", "PresharedKey", "WPA_PSK", "pin", "KEY1"]
)
def test_what_a_secret_is_called(key: str) -> None:
    assert is_secret(key)


@pytest.mark.parametrize("key", ["psk-flags", "key-mgmt", "wep-key-type", "ssid", "dns", "pinned", "monkey"])
def test_what_is_no_secret(key: str) -> None:
    assert not is_secret(key)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "made",
    [
        toml.parse("/a.toml", f'psk = "{SECRET}\n'.encode()),
        toml.parse("/a.toml", f"{SECRET}".encode()),
        keyfile.parse("/a", f"[connection]\nid=x\n{SECRET}\n".encode()),
        keyfile.parse("/a", f"[{SECRET}\n".encode()),
        networkd.parse("/a.network", [("/a.network", f"[Network]\n{SECRET}\n".encode())]),
        ifcfg.parse("/ifcfg-a", f"DEVICE=a\nPSK {SECRET}\n".encode()),
    ],
)
def test_a_refusal_tells_the_line_and_not_what_stands_there(made: Settings | SettingsRejected) -> None:
    assert isinstance(made, SettingsRejected) and made.rule == "syntax"
    assert SECRET not in repr(made) and made.origin.rsplit(":", 1)[1].isdecimal()


# Files that are wrong


@pytest.mark.parametrize(
    ("parse", "data", "rule", "at"),
    [
        (toml.parse, b'id = "x"\n[ipv4]\nmethod = \n', "syntax", 3),
        (toml.parse, b"a" * (FILE_OCTETS_MAX + 1), "too-large", 1),
        (toml.parse, b'id = "x"\n# \xff\n', "encoding", 2),
        (toml.parse, b"", "no-profile", 1),
        (toml.parse, b"x = " + b"[" * 5000, "syntax", 1),
        (keyfile.parse, b"[connection]\nid=x\n\nnonsense\n", "syntax", 4),
        (keyfile.parse, b"id=x\n", "syntax", 1),
        (keyfile.parse, b"[ipv4]\nmethod=auto\n", "no-profile", 1),
        (keyfile.parse, b"[connection\n", "syntax", 1),
        (ifcfg.parse, b"DEVICE=eth0\nrm -rf /\n", "syntax", 2),
        (ifcfg.parse, b"# nothing\n", "no-profile", 1),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(
    parse: Callable[[str, bytes], Settings | SettingsRejected], data: bytes, rule: str, at: int
) -> None:
    made = parse("/etc/x", data)
    assert isinstance(made, SettingsRejected)
    assert (made.rule, made.origin) == (rule, f"/etc/x:{at}")
    assert made.rule in RULES and made.text


def test_a_wrong_drop_in_is_refused_with_its_own_line() -> None:
    made = networkd.parse("/a.network", [("/a.network", b"[Match]\nName=a\n"), ("/a.network.d/x.conf", b"\nDNS=1\n")])
    assert isinstance(made, SettingsRejected) and made.origin == "/a.network.d/x.conf:2"
    cut = networkd.parse("/a.network", [("/a.network", b"[Match]\nName=a \\")])
    assert isinstance(cut, SettingsRejected) and cut.origin == "/a.network:2"


def test_a_value_that_cannot_be_is_noted_and_the_rest_is_used() -> None:
    text = """id = "x"
[ipv4]
addresses = ["192.0.2.10/33", "192.0.2.10/24", 5]
gateway = "2001:db8::1"
dns = ["no address"]
routes = ["198.51.100.0/24 x", "a b c d"]
dns-search = ["..", "a b"]
method = "magic"
[connection]
autoconnect = "perhaps"
autoconnect-priority = 1.5
[802-3-ethernet]
mtu = 99999999
mac-address = "02:00"
[pvd]
expected = ["dhcp:x", "static:y"]
"""
    made = toml.parse("/x.toml", text.encode())
    assert isinstance(made, Settings) and made.values == {
        "connection.id": "x",
        "connection.autoconnect": True,
        "ipv4.addresses": ["192.0.2.10/24"],
        "ipv4.method": "manual",
        "ipv6.method": "auto",
    }
    assert {note.code for note in made.notes} == {"settings-invalid"}
    assert sorted({int(note.where.rsplit(":", 1)[1]) for note in made.notes}) == [3, 4, 5, 6, 7, 8, 10, 11, 13, 14, 16]


SECTIONS = ["[connection]", "[ipv4]", "[ipv6]", "[Match]", "[Network]", "[Address]", "[Route]", "[X]", "\\", ""]
KEYS = """id address1 addresses route1 dns method ssid interface-name Name Address Gateway DNS Destination DHCP MTUBytes
IPADDR PREFIX NETMASK GATEWAY0 DNS1 BOOTPROTO IPV6ADDR DEVICE Domains psk"""
VALUES = ["192.0.2.1/24,192.0.2.2,3", "::/0", "1;2;300;", "yes", "-1", "'x", "$x", "1" * 400, "[::1]:53#a"]
ASSIGNED = st.builds(
    lambda key, value: f"{key}={value}",
    st.sampled_from(KEYS.split()),
    st.one_of(st.text(max_size=20), st.sampled_from(VALUES)),
)
LINES = st.lists(st.one_of(st.sampled_from(SECTIONS), st.text(max_size=30), ASSIGNED), max_size=12).map("\n".join)


@given(LINES)
def test_readers_are_total(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    for made in (
        toml.parse("/x", data),
        keyfile.parse("/x", data),
        ifcfg.parse("/ifcfg-x", data, {"route": ("/route-x", data), "keys": ("/keys-x", data)}),
        networkd.parse("/x", [("/x", data), ("/y", data)]),
    ):
        assert isinstance(made, (Settings, SettingsRejected))
        if isinstance(made, Settings):
            told = Story().hear(SettingsLoaded(settings=made), ConnectionOpened(id="c", settings=made.id, link="e0"))
            assert told.state.settings[made.id] == made, "and the fold takes whatever they say"


@given(st.binary(max_size=200))
def test_readers_take_any_octets(data: bytes) -> None:
    assert toml.parse("/x", data)
    assert keyfile.parse("/x", data)
    assert ifcfg.parse("/x", data)
    assert networkd.parse("/x", [("/x", data)])


# What changed


def profile(folder: Path, text: str, name: str = "home.toml") -> Path:
    path = folder / "etc/pvd/settings.d" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


GOOD = '[ipv4]\naddresses = ["192.0.2.10/24"]\n[connection]\ninterface-name = "e0"\n'


def test_only_differences_are_events(tmp_path: Path) -> None:
    path = profile(tmp_path, GOOD)
    first = kept(Reading(), read(str(tmp_path)))
    assert [type(one) for one in differences(Reading(), first)] == [SettingsLoaded]
    assert list(differences(first, kept(first, read(str(tmp_path))))) == []
    path.write_text(GOOD + "nonsense")
    second = kept(first, read(str(tmp_path)))
    (refused,) = differences(first, second)
    assert isinstance(refused, SettingsRejected) and refused.origin == "/etc/pvd/settings.d/home.toml:5"
    assert list(differences(second, kept(second, read(str(tmp_path))))) == [], "told once"
    path.write_text(GOOD)
    third = kept(second, read(str(tmp_path)))
    assert [type(one) for one in differences(second, third)] == [SettingsLoaded], "the same as before, and read again"
    path.write_text("x")
    fourth = kept(third, read(str(tmp_path)))
    path.unlink()
    assert list(differences(fourth, kept(fourth, read(str(tmp_path))))) == [
        SettingsRemoved(id="home", origin="/etc/pvd/settings.d/home.toml")
    ]


def test_a_file_that_was_only_ever_refused_is_gone_without_a_profile(tmp_path: Path) -> None:
    path = profile(tmp_path, "x")
    first = kept(Reading(), read(str(tmp_path)))
    path.unlink()
    removed = SettingsRemoved(id="", origin="/etc/pvd/settings.d/home.toml")
    assert list(differences(first, kept(first, read(str(tmp_path))))) == [removed]


@pytest.mark.covers("feat:F1", part="negative")
def test_after_a_restart_only_what_changed_meanwhile_is_an_event(tmp_path: Path) -> None:
    path = profile(tmp_path, GOOD)
    profile(tmp_path, "x", "bad.toml")
    told = Story().hear(*differences(Reading(), read(str(tmp_path))))
    told.hear(SettingsLoaded(settings=Settings("work", "control")))  # of no file: none of the reader's affairs
    before = believed(told.state)
    assert list(differences(before, kept(before, read(str(tmp_path))))) == []
    path.write_text(GOOD.replace("192.0.2.10", "192.0.2.20"))
    (loaded,) = differences(before, kept(before, read(str(tmp_path))))
    assert isinstance(loaded, SettingsLoaded) and loaded.settings.values["ipv4.addresses"] == ["192.0.2.20/24"]


def test_two_profiles_of_one_name_are_two(tmp_path: Path) -> None:
    profile(tmp_path, 'id = "a"\n', "1.toml")
    profile(tmp_path, 'id = "a"\n', "2.toml")
    assert sorted(one.id for one in read(str(tmp_path)).profiles.values()) == ["a", "a~toml"]


def test_what_cannot_be_opened_is_refused_and_what_is_no_file_is_no_trouble(tmp_path: Path) -> None:
    folder = profile(tmp_path, GOOD).parent
    (folder / "folder.toml").mkdir()
    os.mkfifo(folder / "fifo.toml")
    os.symlink("/nowhere", folder / "dangling.toml")
    (folder / "home.toml~").write_text("a backup")
    reading = read(str(tmp_path))
    assert [one.id for one in reading.profiles.values()] == ["home"]
    assert {file.rsplit("/", 1)[-1]: one.rule for file, one in reading.refused.items()} == {
        "folder.toml": "unreadable",
        "fifo.toml": "no-profile",
    }


# The watcher


class Host:
    """A daemon's part that the watcher needs, with waiting for records."""

    def __init__(self) -> None:
        self.story = Story()
        self.story.hear(LinkSeen(link="e0", identity="netns:1:2:1", kind="ethernet", name="e0", host=True))
        self.engine, self.journal = self.story.engine, self.story.journal
        self.said = asyncio.Event()

    @property
    def state(self) -> State:
        return self.engine.state

    def submit(self, event: AnyEvent, *, source: str = "engine") -> None:
        self.engine.submit(event, source=source, at=self.engine.state.now)
        self.said.set()

    async def until(self, true: Callable[[State], bool]) -> None:
        async with asyncio.timeout(60):
            while not true(self.state):
                self.said.clear()
                await self.said.wait()


def test_the_watcher_follows_files_and_reload_and_opens_what_is_to_be_open(tmp_path: Path) -> None:
    async def story() -> None:
        host = Host()
        watch = Watch(host, str(tmp_path))
        await watch.start()
        assert not host.state.settings
        path = profile(tmp_path, GOOD)  # neither folder was there
        await host.until(lambda state: "home" in state.settings)
        watch.changed(host.state)
        assert host.state.connections["home@e0"].phase == "active"
        assert host.state.connections["home@e0"].by == "autoconnect"
        path.write_text(GOOD + "nonsense")
        await host.until(lambda state: bool(state.intent.refused))
        assert host.state.connections["home@e0"].phase == "active"
        beside = path.with_name("new")
        beside.write_text(GOOD.replace("192.0.2.10", "192.0.2.20"))
        beside.rename(path)  # as an editor saves
        await host.until(lambda state: not state.intent.refused)
        assert host.story.keys("static:home", "address") == ["192.0.2.20/24"]
        path.unlink()
        await host.until(lambda state: not state.settings)
        assert host.state.connections["home@e0"].reason == "settings-removed"
        last = host.journal.last_seq()
        await watch.reload()
        assert host.journal.last_seq() == last, "nothing differs"
        await watch.stop()

    asyncio.run(story())


def test_a_checkpoint_that_came_due_is_rolled_back_by_the_driver(tmp_path: Path) -> None:
    async def story() -> None:
        profile(tmp_path, GOOD)
        host = Host()
        watch = Watch(host, str(tmp_path))
        await watch.start()
        watch.changed(host.state)
        host.submit(CheckpointCreated(id="k", until=START + 10 * SECOND))
        changed = host.state.settings["home"]
        host.submit(SettingsLoaded(settings=Settings("home", "toml", changed.origin, {"ipv4.method": "disabled"})))
        assert host.story.alive() == []
        host.story.at(10)
        watch.changed(host.state)
        assert host.story.alive() == ["static:home"] and host.state.intent.checkpoint is None
        await watch.stop()

    asyncio.run(story())
