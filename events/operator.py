"""What the operator wants: policy, settings, connections, pins.

Law: intent only. A setting holds no PvD data; which PvD it leads to is known when the network has spoken.
"""

import msgspec

from events.base import Event
from events.ids import LinkId, PvdId

Value = str | int | float | bool | None


class PolicySet(Event, frozen=True, tag="policy-set"):
    """The knobs and their values from here on; the first record of every journal. Names: `pvdcore.policy.KNOBS`."""

    values: dict[str, Value] = msgspec.field(default_factory=dict)


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


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    """One profile: what the user configured, from one place.

    id: stable over edits. source: `toml`, `keyfile`, `ifcfg`, `networkd`, `control`. origin: `FILE:LINE`.
    values: by dotted key (`ipv4.method`), as that source says them; never a secret.
    """

    id: str
    source: str
    origin: str = ""
    values: dict[str, Value | list[str]] = msgspec.field(default_factory=dict)


class SettingsLoaded(Event, frozen=True, tag="settings-loaded"):
    """A profile was read, or read again after a change."""

    settings: Settings


class SettingsRemoved(Event, frozen=True, tag="settings-removed"):
    """A profile is no longer there."""

    id: str


class ConnectionOpened(Event, frozen=True, tag="connection-opened"):
    """Settings were activated on a link. by: `operator`, `autoconnect`, `external`."""

    id: str
    settings: str
    link: LinkId
    by: str = "operator"


class ConnectionClosed(Event, frozen=True, tag="connection-closed"):
    """An active connection ended."""

    id: str
    reason: str = "operator"


class PvdPinned(Event, frozen=True, tag="pvd-pinned"):
    """The operator wants this PvD kept in place although it may end."""

    pvd: PvdId


class PvdUnpinned(Event, frozen=True, tag="pvd-unpinned"):
    """The operator no longer insists."""

    pvd: PvdId
