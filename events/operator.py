"""What the operator wants: policy, settings, connections, pins.

Law: intent only. A setting holds no PvD data; which PvD it leads to is known when the network has spoken.
"""

import msgspec

from events.base import Event
from events.ids import Instant, LinkId, PvdId

Value = str | int | float | bool | None


class PolicySet(Event, frozen=True, tag="policy-set"):
    """The knobs and their values from here on; the first record of every journal. Names: `pvdcore.policy.KNOBS`.

    projections: (glob on a link's name, projection), the first that matches counts before the knob `projection`.
    """

    values: dict[str, Value] = msgspec.field(default_factory=dict)
    projections: tuple[tuple[str, str], ...] = ()


class PropertyRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """Operator's properties for the PvDs that match: each of pvd, prefix and link that is not "" has to.

    pvd, link: globs on the id and on a link it is on. prefix: a prefix that covers one it holds, or a glob on one's
    text. values: by name, typed: `free = true` is not `free = "true"`.
    """

    values: dict[str, str | int | float | bool]
    pvd: str = ""
    prefix: str = ""
    link: str = ""


class PropertiesSet(Event, frozen=True, tag="properties-set"):
    """What the operator says of PvDs from here on, all rules in order; a later rule wins where two say one name."""

    rules: tuple[PropertyRule, ...]


class SettingsNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something a source says that is not used, or not shown. What it says is never in here: it may be a secret.

    code: `settings-unsupported`, `settings-invalid`, `settings-secret`. key: as the source spells it, with its section.
    where: `FILE:LINE`.
    """

    code: str
    key: str
    where: str = ""


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    """One profile: what the user configured, from one place.

    id: stable over edits. source: `toml`, `keyfile`, `ifcfg`, `networkd`, `control`. origin: `FILE:LINE`.
    values: by NetworkManager's dotted names (`ipv4.method`), whatever the source calls them; never a secret.
    lines: the `FILE:LINE` of each of them, where that is another file or line than the origin.
    """

    id: str
    source: str
    origin: str = ""
    values: dict[str, Value | list[str]] = msgspec.field(default_factory=dict)
    lines: dict[str, str] = msgspec.field(default_factory=dict)
    notes: tuple[SettingsNote, ...] = ()


class SettingsLoaded(Event, frozen=True, tag="settings-loaded"):
    """A profile was read, or read again after a change."""

    settings: Settings


class SettingsRemoved(Event, frozen=True, tag="settings-removed"):
    """A profile is no longer there. id: "" for a file that was only ever refused. origin: the file, if it was one."""

    id: str
    origin: str = ""


class SettingsRejected(Event, frozen=True, tag="settings-rejected"):
    """A file that cannot be read as its kind; a profile that it gave earlier stays.

    origin: `FILE:LINE`, the line from 1. rule: of `adapters.settings.vocabulary.RULES`. text: never what stands there.
    """

    origin: str
    source: str
    rule: str
    text: str = ""


class ConnectionOpened(Event, frozen=True, tag="connection-opened"):
    """Settings were activated on a link. by: `operator`, `autoconnect`, `external` (another manager, observed)."""

    id: str
    settings: str
    link: LinkId
    by: str = "operator"


class ConnectionClosed(Event, frozen=True, tag="connection-closed"):
    """An active connection ended. reason: `operator` keeps autoconnect from opening it until the link is attached anew;
    `external`, `rollback`, …."""

    id: str
    reason: str = "operator"


class CheckpointCreated(Event, frozen=True, tag="checkpoint-created"):
    """The operator may want to go back to what settings, connections and pins are now. until: when that comes by
    itself, NEVER if it doesn't."""

    id: str
    until: Instant


class CheckpointCommitted(Event, frozen=True, tag="checkpoint-committed"):
    """What was changed since the checkpoint stays."""

    id: str


class CheckpointRolledBack(Event, frozen=True, tag="checkpoint-rolled-back"):
    """What was changed since was taken back; the records right before say how. reason: `operator`, `timeout`."""

    id: str
    reason: str = "operator"


class PvdPinned(Event, frozen=True, tag="pvd-pinned"):
    """The operator wants this PvD kept in place although it may end."""

    pvd: PvdId


class PvdUnpinned(Event, frozen=True, tag="pvd-unpinned"):
    """The operator no longer insists."""

    pvd: PvdId
