"""Interface identifiers: what came out of a secret, a hardware address or a draw (RFC 7217, RFC 4291, RFC 8981).

Law: only the result is ever said here. The secret stays where it is kept, so a journal can be shown to anybody.
"""

from events.base import Event
from events.ids import LinkId, PvdId


class IdentifierChosen(Event, frozen=True, tag="identifier-chosen"):
    """An interface identifier to form an address with.

    prefix: the autonomous prefix it is for; `fe80::/64` with `pvd` for the link-local address that each instance has of
    its own. pvd: "" for an address that follows its prefix, whichever PvD announces it last (RFC 8801 §3.4).
    kind: `stable` (RFC 7217), `eui64` (RFC 4291 appendix A), `temporary` (RFC 8981). iid: hexadecimal, without 0x.
    dad_counter: how many identifiers failed before (RFC 7217 §5). generation: of temporary addresses, which several may
    stand beside each other. desync_s: DESYNC_FACTOR as drawn for this address (RFC 8981 §3.4). mac: of the device that
    will have the address, so that its own probes are known for an echo (RFC 4862 §5.4.3).
    """

    link: LinkId
    epoch: int
    prefix: str
    kind: str
    iid: str
    dad_counter: int = 0
    generation: int = 0
    desync_s: int = 0
    pvd: PvdId = ""
    mac: str = ""
