"""From events to bytes and back: JSON in one canonical form, one schema number, upcasts over plain dicts.

Law: the same event is always the same bytes, and what a later program wrote is kept even if it is not understood.
Adding a field with a default needs no new number; anything else adds one upcast here and one golden file.
"""

from collections.abc import Callable
from typing import Any, Final, Union

import msgspec

from events.dhcp import Dhcp4MessageSeen, Dhcp6MessageSeen
from events.frames import FrameRejected, FramesLost, FramesRefused
from events.identifiers import IdentifierChosen
from events.link import (
    AddressGone,
    AddressSeen,
    ArpSeen,
    AttachEnded,
    AttachStarted,
    DadFailed,
    LinkGone,
    LinkSeen,
    NdUserOptionSeen,
    NeighborSeen,
    NetlinkOverrun,
    NetnsGone,
    NetnsSeen,
    PrefixSeen,
    RouteGone,
    RouteSeen,
    RuleGone,
    RuleSeen,
)
from events.operator import (
    CheckpointCommitted,
    CheckpointCreated,
    CheckpointRolledBack,
    ConnectionClosed,
    ConnectionOpened,
    PolicySet,
    PropertiesSet,
    PvdPinned,
    PvdUnpinned,
    SettingsLoaded,
    SettingsRejected,
    SettingsRemoved,
)
from events.ops import ClientLost, PlaceUsed, PlanApplied, PlanMade
from events.pvdinfo import PvdInfoAsked, PvdInfoDrawn, PvdInfoFailed, PvdInfoFetched
from events.router import NeighborAdvertised, NeighborSolicited, Redirected, RouterAdvertised, RouterSolicited
from events.session import RequestRefused, SessionEnded, SessionStarted, UnknownEvent
from events.vpn import VpnConnected, VpnEnded

SCHEMA: Final = 1

AnyEvent = Union[  # noqa: UP007 - the closed list of everything that can be journalled
    RouterAdvertised,
    RouterSolicited,
    NeighborSolicited,
    NeighborAdvertised,
    Redirected,
    Dhcp4MessageSeen,
    Dhcp6MessageSeen,
    FrameRejected,
    FramesRefused,
    FramesLost,
    LinkSeen,
    LinkGone,
    AttachStarted,
    AttachEnded,
    AddressSeen,
    AddressGone,
    DadFailed,
    RouteSeen,
    RouteGone,
    RuleSeen,
    RuleGone,
    NeighborSeen,
    NdUserOptionSeen,
    PrefixSeen,
    ArpSeen,
    NetlinkOverrun,
    NetnsSeen,
    NetnsGone,
    IdentifierChosen,
    SettingsLoaded,
    SettingsRemoved,
    SettingsRejected,
    ConnectionOpened,
    ConnectionClosed,
    CheckpointCreated,
    CheckpointCommitted,
    CheckpointRolledBack,
    PvdPinned,
    PvdUnpinned,
    VpnConnected,
    VpnEnded,
    PolicySet,
    PvdInfoDrawn,
    PvdInfoAsked,
    PropertiesSet,
    PvdInfoFetched,
    PvdInfoFailed,
    PlanMade,
    PlanApplied,
    PlaceUsed,
    ClientLost,
    SessionStarted,
    SessionEnded,
    RequestRefused,
    UnknownEvent,
]

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
UPCASTS: Final[dict[int, Upcast]] = {}
"""By the schema number they lift FROM: a dict of number n in, the dict of number n + 1 out."""

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_KINDS: Final = frozenset(str(event.__struct_config__.tag) for event in AnyEvent.__args__)  # type: ignore[attr-defined]


def kind(event: AnyEvent) -> str:
    """The tag of an event: the word `pvdctl log` shows and filters by."""
    return event.kind if isinstance(event, UnknownEvent) else str(event.__struct_config__.tag)


def encode(event: AnyEvent) -> bytes:
    """Canonical bytes: the same event gives the same bytes; an UnknownEvent gives back those it came from."""
    if isinstance(event, UnknownEvent):
        return bytes(event.raw)
    return _encoder.encode(event)


def decode(data: bytes, v: int) -> AnyEvent:
    """An event from its bytes at schema number `v`. Unknown tags and newer schemas become UnknownEvent.

    Raises msgspec.DecodeError when the bytes are not JSON, or not of the shape that `v` promises.
    """
    if v == SCHEMA:
        try:
            event: AnyEvent = _decoder.decode(data)
            return event
        except msgspec.ValidationError:
            tag = _tag(data)
            if tag in _KINDS:
                raise
            return UnknownEvent(kind=tag, raw=msgspec.Raw(data))
    if v > SCHEMA:
        return UnknownEvent(kind=_tag(data), raw=msgspec.Raw(data))
    plain = msgspec.json.decode(data)
    for number in range(v, SCHEMA):
        plain = UPCASTS[number](plain)
    if not isinstance(plain, dict) or plain.get("type") not in _KINDS:
        return UnknownEvent(kind=_tag(data), raw=msgspec.Raw(data))
    lifted: AnyEvent = msgspec.convert(plain, AnyEvent)
    return lifted


def _tag(data: bytes) -> str:
    plain = msgspec.json.decode(data)
    tag = plain.get("type") if isinstance(plain, dict) else None
    return tag if isinstance(tag, str) else "untagged"
