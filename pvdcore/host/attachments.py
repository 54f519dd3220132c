"""What ends with an attachment: all that was learned on it, whoever ends it.

Law: nothing learned on an attachment outlives it (RFC 7556 §2.1).
"""

from pvdcore.domains import info, visits
from pvdcore.draft import Draft
from pvdcore.host import autoconf
from pvdcore.profiles import connections


def forget(draft: Draft, name: str, reason: str, *, but: str = "") -> None:
    """What was learned on a link ends. but: the rule of what doesn't."""
    link = draft.link(name)
    connections.left(draft, name, reason)
    info.forget(draft, name)
    visits.ended(draft, name)
    for speaker in link.speakers:
        for origin in draft.speakers.get((name, speaker), ()):
            draft.drop_origin(origin, "attachment", draft.seq)
    for key in link.grants:
        if key[1] != but:
            draft.drop_grant(draft.grants[(name, *key)], "attachment", draft.seq)
    autoconf.forget(draft, name)
