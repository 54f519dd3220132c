"""Trust: which instances of a PvD are believed to be what their name says (RFC 7556 §2.3, §7).

Law: a name proves nothing, and neither does a valid certificate by itself. An instance is trusted because an object was
retrieved for it on this very attachment and the operator lists its id (policy `trusted`, RFC 7556 §7.2.1), or because
the operator trusts whatever is attached to (policy `trusted_links`, §7.2.2). It is computed when somebody asks and
stored nowhere, so that it ends with what it rests on.
"""

from fnmatch import fnmatchcase
from typing import Final, Protocol

from events.ids import LinkId, PvdId
from pvdcore.domains.inquiry import Keeper
from pvdcore.policy import Policy
from pvdcore.state import Pvd, State

NONE: Final = "none"
ATTACHMENT: Final = "attachment"
AUTHENTICATED: Final = "authenticated"
LEVELS: Final = (NONE, ATTACHMENT, AUTHENTICATED)

Attachment = tuple[LinkId, int]


class Judge(Keeper, Protocol):
    """What trust is made of: a State, or the workbench of a step."""

    @property
    def policy(self) -> Policy: ...


def trust(state: Judge, pvd: PvdId, link: LinkId, epoch: int) -> str:
    """How far an instance is trusted: one of LEVELS."""
    if not any_trusted(state.policy):
        return NONE
    if listed(state.policy, pvd):
        one = state.inquiries.get((pvd, link, epoch))
        if one is not None and one.held is not None:
            return AUTHENTICATED
    if any(fnmatchcase(link, glob) for glob in state.policy.word("trusted_links").split()):
        return ATTACHMENT
    return NONE


def any_trusted(policy: Policy) -> bool:
    """Whether anything can be trusted under this policy."""
    return bool(policy.word("trusted") or policy.word("trusted_links"))


def listed(policy: Policy, pvd: PvdId) -> bool:
    """Whether the operator's list has an id, as `x.example`, `x.example.` or `fqdn:x.example.`, in any case."""
    return any(_plain(one) == _plain(pvd) for one in policy.word("trusted").split())


def _plain(id: str) -> str:
    return id.lower().removeprefix("fqdn:").removesuffix(".")


def domains(state: Judge, pvd: Pvd) -> list[tuple[Attachment, ...]]:
    """The attachments of a PvD, each set of them that is one PvD in effect (RFC 7556 §2.3, §7.1).

    All trusted ones of an explicit id are one; any other stands for itself, whatever it is called.
    """
    attachments = sorted({(link, epoch) for link, epoch, _ in pvd.cells})
    if pvd.kind != "explicit":
        return [(one,) for one in attachments]
    trusted: tuple[Attachment, ...] = tuple(one for one in attachments if trust(state, pvd.id, *one) != NONE)
    alone: list[tuple[Attachment, ...]] = [(one,) for one in attachments if one not in trusted]
    return sorted([trusted, *alone]) if trusted else alone


def domain(state: Judge, pvd: Pvd, attachment: Attachment) -> tuple[Attachment, ...]:
    """The attachments that are one PvD with this one; itself alone if none is."""
    return next((one for one in domains(state, pvd) if attachment in one), (attachment,))


def weakest(state: State, pvd: Pvd) -> str:
    """The trust that every instance of a PvD has; `none` for one without instances."""
    if not any_trusted(state.policy):
        return NONE
    levels = [trust(state, pvd.id, *one) for one in {cell[:2] for cell in pvd.cells}]
    return min(levels, key=LEVELS.index, default=NONE)
