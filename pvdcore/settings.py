"""Settings and connections: what the user configured, and what is active where.

Law: intent only; no PvD data is ever in a setting, and a connection is not a PvD but what may lead to one.
"""

from msgspec.structs import replace

from events.operator import ConnectionClosed, ConnectionOpened, PropertiesSet, SettingsLoaded, SettingsRemoved
from pvdcore.draft import Draft
from pvdcore.state import Connection


def loaded(draft: Draft, event: SettingsLoaded) -> None:
    """A profile is known, or known anew."""
    draft.settings = draft.settings.set(event.settings.id, event.settings)


def removed(draft: Draft, event: SettingsRemoved) -> None:
    """A profile is no longer there."""
    if event.id in draft.settings:
        draft.settings = draft.settings.delete(event.id)


def opened(draft: Draft, event: ConnectionOpened) -> None:
    """Settings were activated on a link."""
    connection = Connection(event.id, event.settings, event.link, event.by, draft.at, draft.seq)
    draft.connections = draft.connections.set(event.id, connection)


def closed(draft: Draft, event: ConnectionClosed) -> None:
    """An active connection ended; it stays known with the reason."""
    known = draft.connections.get(event.id)
    if known is not None and known.closed_at is None:
        ended = replace(known, closed_at=draft.at, reason=event.reason)
        draft.connections = draft.connections.set(event.id, ended)


def properties(draft: Draft, event: PropertiesSet) -> None:
    """What the operator says of PvDs is known anew; whose it is, is asked when somebody reads (pvdcore.properties)."""
    draft.properties = event.rules
