"""DHCPv4 renewals that say what the last exchange said, but for their transaction (xid): nobody has to read them.

Law: nothing here does what leases4.py beside it would not do: it says whether the long way would change nothing but
when the lease was asked for and granted, without a finding, and then changes that. What it cannot see at once is left
to the long way.

A Renewal is made of an exchange that the long way has just folded. Whether it stands is looked at each time: the lease
holds what it held, the client is no further, and nothing else of the link has a say.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from events.dhcp import Dhcp4MessageSeen, Number, RdnssSelection
from events.ids import Instant, LinkId, Seq
from pvdcore.domains.visits import familiar, marks
from pvdcore.draft import Draft, GrantKey
from pvdcore.leases import leases4, v6only
from pvdcore.leases.exchanges import ask, codes, option
from pvdcore.policy import Policy
from pvdcore.state import Ask, Held, Link

PROLONGS: Final = ("renewing", "rebinding")
ASKED_MAX: Final = 1024  # requests whose answer is waited for: 1 MiB
KNOWN_MAX: Final = 16384  # messages of leases that are prolonged: 8,192 clients; 12 MiB


class Renewal(msgspec.Struct, eq=False, gc=False):
    """An exchange that prolonged a lease. slot: of its questions, up to the transaction.

    policy: what it was done under. link: as it was when it was last looked at, and nothing of it had a say.
    """

    key: GrantKey
    slot: str
    mac: str
    by: str
    held: tuple[Held, ...]
    policy: Policy
    link: Link | None = None


def renewal(draft: Draft, question: Dhcp4MessageSeen, answer: Dhcp4MessageSeen) -> Renewal | None:
    """The exchange of a REQUEST and the ACK to it, the record just folded, if such a one may come again unread."""
    key = (question.link, leases4.host4(question), "dhcp4", "")
    lease, said = draft.grants.get(key), draft.answers.get(key[:2])
    if lease is None or said is None or lease.because != draft.seq or said[2] is not lease.held:
        return None
    if not _plain(question, answer) or lease.by not in PROLONGS:
        return None
    if lease.by == "renewing" and question.destination != lease.server:
        return None
    link = draft.links[question.link]
    visit = draft.visits.get((link.id, link.epoch))
    if visit is None or not familiar(draft, visit, frozenset(marks(answer))):
        return None
    return Renewal(key, f"4 {question.chaddr} ", answer.chaddr, lease.by, lease.held, draft.policy)


def _plain(question: Dhcp4MessageSeen, answer: Dhcp4MessageSeen) -> bool:
    """Whether the question counts where it was heard, and neither it nor the answer is remarked on each time."""
    return (
        not question.notes
        and question.giaddr == leases4.UNSPECIFIED
        and not question.hops
        and leases4.in_order(codes(question.options, 55))
        and option(answer.options, v6only.OPTION, Number) is None
        and not any(isinstance(one, RdnssSelection) for one in answer.options)
    )


def _alone(draft: Draft, known: Renewal, link: Link) -> bool:
    """Whether nothing that is said of a link and its clients has a say in what the renewal does."""
    host = known.key[1]
    return (
        not link.host
        and all(one.host != host and not slot.startswith(known.slot) for slot, one in link.asks)
        and all(one != host for one, _ in link.clients)
        and (link.id, host, "dhcp4", "inform") not in draft.grants
    )


def stands(draft: Draft, known: Renewal) -> bool:
    """Whether the same exchange would only prolong the lease once more. Its marks stay known: none is taken away."""
    link, lease = draft.links[known.key[0]], draft.grants.get(known.key)
    if lease is None or lease.held is not known.held or draft.policy is not known.policy:
        return False
    if link is not known.link:
        if not _alone(draft, known, link):
            return False
        known.link = link
    return True


Read = Callable[[], Dhcp4MessageSeen]
Asked = tuple[Renewal, int, Instant, Seq, Read]
Granted = tuple[Renewal, Instant, Instant, Seq]


class Renewals:
    """Renewals that were gathered and are to be folded: questions in flight, and the last answer, by their lease."""

    def __init__(self) -> None:
        self._asked: dict[GrantKey, Asked] = {}
        self._granted: dict[GrantKey, Granted] = {}

    def ask(self, draft: Draft, known: Renewal, xid: int, at: Instant, seq: Seq, read: Read) -> bool:
        """Whether a question may wait; then it does. `read` gives it."""
        if not stands(draft, known) or known.key in self._asked:
            return False
        if len(self._asked) + len(draft.links[known.key[0]].asks) >= draft.policy.number("exchanges_max"):
            return False
        if any(one.slot == known.slot and one.key[0] == known.key[0] for one, *_ in self._asked.values()):
            return False
        self._asked[known.key] = (known, xid, at, seq, read)
        return True

    def grant(self, known: Renewal, xid: int, at: Instant, seq: Seq) -> bool:
        """Whether it is the answer to a question that waits; then it waits, too."""
        asked = self._asked.get(known.key)
        if asked is None or asked[0] is not known or asked[1] != xid:
            return False
        del self._asked[known.key]
        self._granted[known.key] = (known, asked[2], at, seq)
        return True

    def fold(self, draft: Draft) -> None:
        """Do what the long way would have done by now."""
        for key, (known, asked_at, at, seq) in self._granted.items():
            again = replace(
                draft.grants[key],
                heard_at=at,
                started_at=asked_at,
                because=seq,
                by=known.by,
                mac=known.mac,
                verified=True,
            )
            draft.grants = draft.grants.set(key, again)
        for key, (known, xid, at, seq, read) in self._asked.items():
            ask(draft, key[0], f"{known.slot}{xid:08x}", Ask(read(), at, seq, key[1]))
        self._granted.clear()
        self._asked.clear()


class Exchanges:
    """Renewals among events that are read back: which may come again, and those that did and wait to be folded."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._waiting = Renewals()
        self._asked: dict[tuple[LinkId, str, int], Dhcp4MessageSeen] = {}
        self._known: dict[Dhcp4MessageSeen, Renewal] = {}  # by what they say without their transaction
        self.waits = False

    def again(self, event: Dhcp4MessageSeen, at: Instant, seq: Seq) -> bool:
        """Whether a message of quiet time says what one before it said, but for its transaction; then it waits."""
        known = self._known.get(replace(event, xid=0))
        if known is None:
            return False
        if event.op == 2:
            waits = self._waiting.grant(known, event.xid, at, seq)
        else:
            waits = self._waiting.ask(self._draft, known, event.xid, at, seq, lambda: event)
        self.waits = self.waits or waits
        return waits

    def fold(self) -> None:
        """Do what the long way would have done by now."""
        if self.waits:
            self._waiting.fold(self._draft)
            self.waits = False

    def heard(self, event: Dhcp4MessageSeen) -> None:
        """A message was folded the long way: whether it ends an exchange that may come again."""
        slot = (event.link, event.chaddr, event.xid)
        if event.message == "REQUEST":
            if len(self._asked) >= ASKED_MAX:
                self._asked.clear()
            self._asked[slot] = event
        elif event.message == "ACK" and (question := self._asked.pop(slot, None)) is not None:
            known = renewal(self._draft, question, event)
            if known is None:
                return
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            for one in (question, event):
                self._known[replace(one, xid=0)] = known
