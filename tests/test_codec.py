"""Events as bytes: fixed for ever (golden/events), read back whole, and kept where they are not understood.

Law: a golden file changes only together with the schema number and an upcast. PVD_REWRITE=1 writes those that are
missing and no other.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

import events.codec as codec_module
from events.codec import SCHEMA, AnyEvent, decode, encode, kind
from events.link import LinkGone
from events.session import UnknownEvent
from tests.sim.vocabulary import EVENTS

FOLDER = Path(__file__).parent / "golden" / "events"

# Fields with a default that their golden file is older than: what was written then says the default, and always will.
LATER: dict[type, dict[str, object]] = {LinkGone: {"to": "lab:eth0"}}


@pytest.mark.parametrize("event", EVENTS, ids=kind)
def test_an_event_is_the_bytes_it_always_was(event: AnyEvent) -> None:
    path = FOLDER / f"{kind(event)}.json"
    if not path.exists() and os.environ.get("PVD_REWRITE") == "1":
        path.write_bytes(encode(event))
    assert encode(event) == path.read_bytes()
    assert decode(path.read_bytes(), SCHEMA) == event


@pytest.mark.parametrize("event", EVENTS, ids=kind)
def test_an_event_comes_back_whole_and_no_other_does(event: AnyEvent) -> None:
    data = encode(event)
    back = decode(data, SCHEMA)
    assert type(back) is type(event)
    assert back == event
    assert encode(back) == data
    assert [one for one in EVENTS if encode(one) == data] == [event]


def test_each_type_has_its_golden_file_and_says_all_its_fields() -> None:
    types = AnyEvent.__args__  # type: ignore[attr-defined]
    assert {type(event) for event in EVENTS} == set(types)
    assert {path.stem for path in FOLDER.glob("*.json")} == {kind(event) for event in EVENTS}
    for event in EVENTS:
        if not isinstance(event, UnknownEvent):
            unsaid = set(event.__struct_fields__) - set(msgspec.json.decode(encode(event)))
            assert unsaid <= {"options", "htype", *LATER.get(type(event), ())}, (
                f"{kind(event)} leaves {unsaid} at the default"
            )


@pytest.mark.parametrize("event", [replace(one, **LATER[type(one)]) for one in EVENTS if type(one) in LATER], ids=kind)
def test_a_field_that_came_later_is_said_and_comes_back(event: AnyEvent) -> None:
    assert decode(encode(event), SCHEMA) == event
    for name in LATER[type(event)]:
        assert f'"{name}"'.encode() in encode(event)
        assert f'"{name}"'.encode() not in (FOLDER / f"{kind(event)}.json").read_bytes(), "old ones stay as they are"


def test_a_tag_is_a_word_of_our_own() -> None:
    for event in EVENTS:
        assert "." not in kind(event)
        assert kind(event) == kind(event).lower()
        assert type(event).__name__ not in encode(event).decode()


ODD = b'{"type":"colour-seen", "z":1,  "a":[1.50,null]}'


def test_an_unknown_tag_is_kept_byte_for_byte() -> None:
    event = decode(ODD, SCHEMA)
    assert isinstance(event, UnknownEvent)
    assert kind(event) == "colour-seen"
    assert encode(event) == ODD
    assert encode(decode(encode(event), SCHEMA)) == ODD
    assert kind(decode(b'{"no":"tag"}', SCHEMA)) == "untagged"


def test_a_known_tag_of_another_shape_is_an_error_and_not_unknown() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"type":"link-gone","link":5}', SCHEMA)
    with pytest.raises(msgspec.DecodeError):
        decode(b"{", SCHEMA)


def test_a_newer_schema_is_kept_even_where_it_looks_familiar() -> None:
    data = b'{"type":"link-gone", "link":"eth0"}'
    event = decode(data, SCHEMA + 1)
    assert isinstance(event, UnknownEvent)
    assert kind(event) == "link-gone"
    assert encode(event) == data
    assert decode(data, SCHEMA) == LinkGone(link="eth0")


def test_a_field_with_a_default_needs_no_new_number() -> None:
    assert decode(b'{"type":"link-gone","link":"eth0","later":[1,2]}', SCHEMA) == LinkGone(link="eth0")


def test_an_older_schema_is_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two upcasts, as if this program were of schema 3: `interface` became `name`, which became `link`."""
    steps: list[int] = []

    def lift(number: int, old: str, new: str) -> Any:
        def upcast(plain: dict[str, Any]) -> dict[str, Any]:
            steps.append(number)
            return {new if key == old else key: value for key, value in plain.items()}

        return upcast

    monkeypatch.setattr(codec_module, "SCHEMA", 3)
    monkeypatch.setitem(codec_module.UPCASTS, 1, lift(1, "interface", "name"))
    monkeypatch.setitem(codec_module.UPCASTS, 2, lift(2, "name", "link"))
    assert decode(b'{"type":"link-gone","interface":"eth0"}', 1) == LinkGone(link="eth0")
    assert steps == [1, 2]
    assert decode(b'{"type":"link-gone","name":"eth0"}', 2) == LinkGone(link="eth0")
    assert steps == [1, 2, 2]
    assert decode(b'{"type":"link-gone","link":"eth0"}', 3) == LinkGone(link="eth0")
    assert steps == [1, 2, 2]


def test_an_unknown_tag_of_an_older_schema_is_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_module, "SCHEMA", 2)
    monkeypatch.setitem(codec_module.UPCASTS, 1, lambda plain: plain)
    event = decode(ODD, 1)
    assert isinstance(event, UnknownEvent)
    assert encode(event) == ODD
