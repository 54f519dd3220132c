"""Settings: what the user configured, as each source says it.

Law: intent only; no PvD data is ever in a setting. What became of a profile is its connections' to tell
(pvdcore/profiles/connections.py), and the PvDs it led to are remembered beside it, by name.
"""

from msgspec.structs import replace

from events.ids import NEVER, Instant
from events.operator import (
    CheckpointCommitted,
    CheckpointCreated,
    CheckpointRolledBack,
    PropertiesSet,
    Settings,
    SettingsLoaded,
    SettingsRejected,
    SettingsRemoved,
)
from pvdcore import deadlines
from pvdcore.domains.pvds import difference
from pvdcore.draft import Draft
from pvdcore.profiles import connections
from pvdcore.profiles.intent import Checkpoint, Known, Refused
from pvdcore.state import Change, Content, Leaf

LOADED, REMOVED = "loaded", "removed"


def subject(id: str) -> str:
    """The name under which history has the lines of a profile."""
    return f"settings:{id}"


def loaded(draft: Draft, event: SettingsLoaded) -> None:
    """A profile is known, or known anew; what is active of it follows at the end of the step."""
    profile = event.settings
    before = draft.settings.get(profile.id)
    known = draft.intent.known.get(profile.id)
    now = Known(known.since if known else draft.seq, draft.seq, draft.at)
    refused = draft.intent.refused.delete(file) if (file := _file(profile.origin)) in draft.intent.refused else None
    draft.intent = replace(
        draft.intent,
        known=draft.intent.known.set(profile.id, now),
        refused=draft.intent.refused if refused is None else refused,
    )
    draft.settings = draft.settings.set(profile.id, profile)
    if before is None or before.values != profile.values:
        connections.unblock(draft, settings=profile.id)  # what was closed was another
    for note in profile.notes:
        said = {"settings": profile.id, "key": note.key, "where": note.where}
        if note.code == "settings-unsupported":
            draft.find("settings-unsupported", link="", about=profile.id, **said)
        elif note.code == "settings-invalid":
            draft.find("settings-invalid", link="", about=profile.id, **said)
    _line(draft, before, profile)


def removed(draft: Draft, event: SettingsRemoved) -> None:
    """A profile is no longer there, or a file that was none; the PvDs it led to stay remembered."""
    if event.origin in draft.intent.refused:
        draft.intent = replace(draft.intent, refused=draft.intent.refused.delete(event.origin))
    before = draft.settings.get(event.id)
    if before is None:
        return
    draft.settings = draft.settings.delete(event.id)
    if event.id in draft.intent.known:
        draft.intent = replace(draft.intent, known=draft.intent.known.delete(event.id))
    connections.removed(draft, event.id)
    connections.unblock(draft, settings=event.id)
    _line(draft, before, None)


def rejected(draft: Draft, event: SettingsRejected) -> None:
    """A file cannot be read. The profile it gave before stays, and so does what is active of it."""
    file = _file(event.origin)
    refused = Refused(event.origin, event.source, event.rule, event.text, draft.seq)
    draft.intent = replace(draft.intent, refused=draft.intent.refused.set(file, refused))
    draft.find("settings-rejected", link="", about=file, where=event.origin, what=event.text or event.rule)


def properties(draft: Draft, event: PropertiesSet) -> None:
    """What the operator says of PvDs is known anew; whose it is, is asked when somebody reads."""
    draft.properties = event.rules


def checkpointed(draft: Draft, event: CheckpointCreated) -> None:
    """There is one checkpoint; a new one takes the place of an older."""
    due = event.until <= draft.at
    if not due and event.until < NEVER:
        draft.deadlines = deadlines.push(draft.deadlines, event.until, ("checkpoint", event.id))
    checkpoint = Checkpoint(event.id, draft.seq, draft.at, event.until, due)
    draft.intent = replace(draft.intent, checkpoint=checkpoint)


def uncheckpointed(draft: Draft, event: CheckpointCommitted | CheckpointRolledBack) -> None:
    """What was changed since stays, or has been taken back."""
    if draft.intent.checkpoint is not None and draft.intent.checkpoint.id == event.id:
        draft.intent = replace(draft.intent, checkpoint=None)


def lapse(draft: Draft, key: tuple[str, ...], at: Instant) -> None:
    """Nobody committed in time."""
    one = draft.intent.checkpoint
    if one is not None and one.id == key[1] and one.until == at:
        draft.intent = replace(draft.intent, checkpoint=replace(one, due=True))


def _file(origin: str) -> str:
    """The file of `FILE:LINE`."""
    file, colon, line = origin.rpartition(":")
    return file if colon and line.isdigit() else origin


def _line(draft: Draft, before: Settings | None, after: Settings | None) -> None:
    old, new = _content(before), _content(after)
    if before is not None and after is not None and old == new:
        return
    added, gone, changed = difference(old, new)
    draft.changes.append(
        Change(
            pvd="",
            link="",
            epoch=0,
            host="",
            at=draft.at,
            because=draft.seq,
            cause="removed" if after is None else "edited" if before is not None else "loaded",
            version=0,
            phase_before=LOADED if before is not None else "",
            phase=REMOVED if after is None else LOADED,
            added=added,
            removed=gone,
            changed=changed,
            seq=draft.seq,
            subject=subject((after or before).id),  # type: ignore[union-attr]
        )
    )


def _content(profile: Settings | None) -> tuple[Content, ...]:
    values = profile.values if profile is not None else {}
    return tuple(("value", key, (_leaf(values[key]),)) for key in sorted(values))


def _leaf(value: object) -> Leaf | tuple[Leaf, ...]:
    if isinstance(value, list):
        return tuple(str(one) for one in value)
    return value if isinstance(value, (bool, int)) or value is None else str(value)
