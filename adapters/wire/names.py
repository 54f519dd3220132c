"""Domain names as they stand in options: RFC 1035 §3.1 labels to text, one text for one name.

Law: two names that DNS holds to be equal get the same text, two that differ get different ones. So only the octets
A-Z are lowered (RFC 4343 §3: ASCII only, 0xDD and 0xFD stay different), letters, digits, `-` and `_` stand for
themselves, and every other octet, a dot or backslash inside a label too, is `\\DDD` in decimal. Every name ends with
a dot; the root is `.`.

      +-----+----------------+-----+--------+-- … --+-----+
      |  7  | e x a m p l e  |  3  | o r g  |       |  0  |      length octet 1..63, label; 0 ends the name
      +-----+----------------+-----+--------+-- … --+-----+      at most 255 octets with the 0 (RFC 1035 §3.1)

Option 31 of RAs, option 21, DNR and DHCPv6 forbid the pointers of RFC 1035 §4.1.4 (RFC 8106 §5.2, RFC 8801 §3.1,
RFC 8415 §10); only DHCPv4's option 119 has them (RFC 3397 §2).
"""

from functools import lru_cache
from typing import Final

LABEL_OCTETS_MAX: Final = 63  # RFC 1035 §3.1
NAME_OCTETS_MAX: Final = 255  # RFC 1035 §3.1: length octets and the final zero included
NAMES_REMEMBERED: Final = 4096  # texts kept by their octets: a few networks' names, 1 MiB at the very most of 255 each
NAME_LIST_MAX: Final = 4096  # names in one list; a DHCPv6 option of 65535 octets holds 21845 of three octets


class BadName(ValueError):
    """Octets that are no domain name. reason: a rule's short name; offset: octet in `data` where it shows."""

    def __init__(self, reason: str, offset: int) -> None:
        self.reason = reason
        self.offset = offset


_KEPT = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_AS_SENT: Final = tuple(chr(octet) if octet in _KEPT else f"\\{octet:03d}" for octet in range(256))
_CANONICAL: Final = tuple(text.lower() if octet in _KEPT else text for octet, text in enumerate(_AS_SENT))


@lru_cache(maxsize=NAMES_REMEMBERED)
def _texts(wire: bytes) -> tuple[str, str]:
    """(canonical, as sent) of a whole uncompressed name that is known to be well formed."""
    if wire == b"\0":
        return ".", "."
    canonical: list[str] = []
    sent: list[str] = []
    at = 0
    while size := wire[at]:
        label = wire[at + 1 : at + 1 + size]
        canonical += [_CANONICAL[octet] for octet in label]
        canonical.append(".")
        sent += [_AS_SENT[octet] for octet in label]
        sent.append(".")
        at += 1 + size
    return "".join(canonical), "".join(sent)


def name_end(data: bytes, at: int, end: int) -> int:
    """Octet after the uncompressed name that begins at `at`, checked; raises BadName."""
    start = at
    while True:
        if at >= end:
            raise BadName("name-unterminated", end)  # where the octets run out: the label claims more than there are
        size = data[at]
        if size == 0:
            return at + 1
        if size > LABEL_OCTETS_MAX:
            # 11 is a pointer, 01 and 10 never became label types that anyone may send here (RFC 6891 §5, RFC 1035).
            raise BadName("name-compressed" if size >= 0xC0 else "name-label", at)
        at += 1 + size
        if at - start >= NAME_OCTETS_MAX:  # no room is left for the final zero
            raise BadName("name-too-long", start)


def read_name(data: bytes, at: int, end: int) -> tuple[str, int]:
    """The uncompressed name at `at`: (canonical text with the final dot, octet after it). Reads nothing at or past
    `end`. Raises BadName: `name-compressed`, `name-label`, `name-too-long`, `name-unterminated`."""
    after = name_end(data, at, end)
    return _texts(bytes(data[at:after]))[0], after


def read_name_as_sent(data: bytes, at: int, end: int) -> tuple[str, str, int]:
    """Like read_name, with the text that keeps the sender's case second: for a PvD ID, which RFC 8801 §3.4 compares
    without case and which a person may want to see as it was sent."""
    after = name_end(data, at, end)
    canonical, sent = _texts(bytes(data[at:after]))
    return canonical, sent, after


def read_names(data: bytes, at: int, end: int, *, padded: bool = False) -> tuple[str, ...]:
    """Uncompressed names back to back until `end`; raises BadName if any is none.

    padded: a zero octet where a name would begin ends the list and what follows is padding (RFC 8106 §5.2); otherwise
    it is the root (RFC 8415 §10). More than NAME_LIST_MAX names are `name-count`.
    """
    names: list[str] = []
    while at < end:
        if padded and not data[at]:
            break
        if len(names) == NAME_LIST_MAX:
            raise BadName("name-count", at)
        after = name_end(data, at, end)
        names.append(_texts(bytes(data[at:after]))[0])
        at = after
    return tuple(names)


def read_compressed(data: bytes, at: int) -> tuple[str, int]:
    """A name of DHCPv4 option 119, whose pointers count from the start of `data`, the joined option (RFC 3397 §2).

    Gives (canonical text, octet after the name where it stands). A pointer must lead back, before the start of the run
    of labels it ends: each jump lowers that barrier, so this ends, and the 255 octets bound what a chain may add up to.
    Raises BadName: also `name-pointer-forward` and `name-pointer-loop`.
    """
    end = len(data)
    barrier = at
    after: int | None = None
    wire = bytearray()
    while True:
        if at >= end:
            raise BadName("name-unterminated", end)  # where the octets run out: the label claims more than there are
        size = data[at]
        if size == 0:
            wire.append(0)
            return _texts(bytes(wire))[0], at + 1 if after is None else after
        if size <= LABEL_OCTETS_MAX:
            if at + 1 + size > end:
                raise BadName("name-unterminated", at)
            wire += data[at : at + 1 + size]
            if len(wire) >= NAME_OCTETS_MAX:
                raise BadName("name-too-long", at)
            at += 1 + size
            continue
        if size < 0xC0:
            raise BadName("name-label", at)
        if at + 1 >= end:
            raise BadName("name-unterminated", at)
        target = (size & 0x3F) << 8 | data[at + 1]
        if target > at:
            raise BadName("name-pointer-forward", at)
        if target >= barrier:
            raise BadName("name-pointer-loop", at)
        if after is None:
            after = at + 2
        barrier = at = target
