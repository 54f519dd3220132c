"""Additional Information: when it is wanted, what a retrieved object is worth, what ends it (RFC 8801 §4.1, §4.3, §6).

Law: no fetching here, no clock and no chance: RAs say that an object exists, events say what became of a request. An
object is used only while its PvD lives with the H flag and the sequence number it was fetched for, has not expired, and
covers every announced prefix; whatever ends that drops it at once.

    H seen, again after H=0      wanted (`new`, `again`)           P70, P107
    another sequence number      dropped, wanted after a draw      P86, P90
    H cleared, PvD ended         dropped, nothing wanted           P71, C.5
    a prefix is not covered      dropped, wanted when they change  P96, P97, P103
    expiry                       dropped                           P88, P109
    certificate, HTTP, no JSON   barred for the attachment         P99; ten of them: all PvDs  P100
    transport                    tried again, ever later           P102
"""

from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from events.ids import MILLISECOND, NEVER, SECOND, Instant, LinkId, PvdId, Seq
from events.pvdinfo import DRAWS, AdditionalInformation, PvdInfoAsked, PvdInfoDrawn, PvdInfoFailed, PvdInfoFetched
from pvdcore import deadlines
from pvdcore.domains.inquiry import NETWORK_ASKS, Inquiry, Network, Object, Place, Wanted
from pvdcore.draft import Draft, Touch
from pvdcore.prefixes import covers
from pvdcore.state import Origin

FAILURES_MAX: Final = 10  # RFC 8801 §4.1: at this many, no request at all until the next attachment
TRIES_MAX: Final = 5  # transport failures in a row before it is given up (standards.md P102)
RETRY_MAX: Final = 3600 * SECOND
COUNTED: Final = ("certificate", "http", "json")

AT_ONCE: Final = 0


def settle(draft: Draft) -> None:
    """At the end of a step: bring the inquiries of touched explicit PvDs in line with what their routers say."""
    for pvd, cell in sorted(draft.touched):
        link, epoch, host = cell
        if pvd.startswith("fqdn:") and not host:
            _settle(draft, (pvd, link, epoch), _origins(draft, pvd, link, epoch))


def _origins(draft: Draft, pvd: PvdId, link: LinkId, epoch: int) -> list[Origin]:
    said = (draft.speakers.get((link, speaker), ()) for speaker in draft.speakers_of(pvd, (link, epoch, "")))
    return [one for origins in said for one in origins if one.pvd == pvd and one.epoch == epoch]


def _settle(draft: Draft, place: Place, origins: list[Origin]) -> None:
    one = draft.inquiries.get(place)
    last = max(origins, key=lambda it: (it.heard_at, it.speaker), default=None)
    if last is None or not last.http:
        if one is not None and one.http:  # without it, nothing is held or wanted
            reason = "h-cleared" if last is not None else "ended"
            one = _dropped(draft, place, one, reason, draft.seq)
            _put(draft, place, replace(one, http=False, wanted=None, asked=0))
        return
    sequence = last.sequence or 0
    if one is None:
        want = _want(draft, "new", last.delay if draft.policy.on("info_first_delay") else None)
        one = Inquiry(True, sequence, last.delay, want)
    else:
        if sequence != one.sequence:  # different, not greater: the number wraps around (§4.1)
            one = _dropped(draft, place, one, "sequence", draft.seq)
            one = replace(one, sequence=sequence, wanted=_want(draft, "sequence", last.delay), asked=0, uncovered=())
        elif not one.http:
            one = replace(one, wanted=_want(draft, "again", last.delay))
        one = replace(one, http=True, delay=last.delay)
    prefixes = announced(origins)
    if one.held is not None:
        missing = uncovered(prefixes, one.held.said)
        if missing:
            draft.find("info-prefix", link=place[1], pvd=place[0], prefix=missing[0])
            one = replace(_dropped(draft, place, one, "prefixes", draft.seq), uncovered=prefixes, wanted=None)
    elif one.uncovered and one.uncovered != prefixes:
        one = replace(one, uncovered=(), wanted=_want(draft, "prefixes", last.delay))
    _put(draft, place, one)


def announced(origins: list[Origin]) -> tuple[str, ...]:
    """The prefixes of all PIOs of a PvD, whatever their flags and whichever RA they came in (§4.1)."""
    return tuple(sorted({held.key for one in origins for held in one.held if held.kind == "prefix"}))


def uncovered(prefixes: tuple[str, ...], said: AdditionalInformation) -> list[str]:
    """The announced prefixes that no listed one covers. No PIO: nothing to cover; nothing listed: nothing covered."""
    return [prefix for prefix in prefixes if not any(covers(listed, prefix) for listed in said.prefixes)]


def _want(draft: Draft, reason: str, delay: int | None) -> Wanted:
    """delay: the exponent of the wait, `None` for none. The wait is 0 … 2^(10+delay) ms (§4.1)."""
    window = AT_ONCE if delay is None or (reason == "new" and not delay) else 2 ** (10 + delay) * MILLISECOND
    return Wanted(reason, draft.at, window, None if window else draft.at, draft.seq)


def _dropped(draft: Draft, place: Place, one: Inquiry, reason: str, because: Seq) -> Inquiry:
    if one.held is None:
        return one
    pvd, link, epoch = place
    if reason != "ended":  # then its instance ends too, and that has a cause of its own
        draft.touched[pvd, (link, epoch, "")] = Touch(f"info-{reason}", because)
    return replace(one, held=None, dropped=reason)


def _put(draft: Draft, place: Place, one: Inquiry) -> None:
    if one.barred or _barred(draft, place):
        one = replace(one, wanted=None)
    draft.inquiries = draft.inquiries.set(place, one)


def _barred(draft: Draft, place: Place) -> bool:
    return _network(draft, place).failures >= FAILURES_MAX


def _network(draft: Draft, place: Place) -> Network:
    return draft.networks.get(place[1:], Network())


# What becomes of a request


def drawn(draft: Draft, event: PvdInfoDrawn) -> None:
    """The wait of what is wanted. A second draw changes nothing: who draws again until it suits waits for nobody."""
    place = (event.pvd, event.link, event.epoch)
    one = draft.inquiries.get(place)
    if one is None or one.wanted is None or one.wanted.target is not None:
        return
    draw = min(max(event.draw, 0), DRAWS - 1)
    target = min(one.wanted.earliest + one.wanted.window * draw // DRAWS, NEVER)
    _put(draft, place, replace(one, wanted=replace(one.wanted, target=target)))


def asked(draft: Draft, event: PvdInfoAsked) -> None:
    """A request is under way; both limits of §4.1 count from here."""
    place = (event.pvd, event.link, event.epoch)
    one = draft.inquiries.get(place)
    if one is None:
        return
    network = _network(draft, place)
    draft.networks = draft.networks.set(place[1:], replace(network, asks=(*network.asks, draft.at)[-NETWORK_ASKS:]))
    _put(draft, place, replace(one, asked=event.request, asked_at=draft.at))


def _answered(draft: Draft, event: PvdInfoFetched | PvdInfoFailed) -> Inquiry | None:
    """The inquiry that an answer belongs to; `None` for an answer that is late (standards.md P105)."""
    one = draft.inquiries.get((event.pvd, event.link, event.epoch))
    if one is None or not one.http or one.barred or event.sequence != one.sequence:
        return None
    if event.request != one.asked:
        return None
    return replace(one, asked=0)


def fetched(draft: Draft, event: PvdInfoFetched) -> None:
    """An object was retrieved: used, or ignored whole. `settle` then looks whether it covers what is announced."""
    place = (event.pvd, event.link, event.epoch)
    one = _answered(draft, event)
    if one is None:
        return
    said = event.said
    if said is None:
        _failed(draft, place, one, "json", "it is no valid object")
        return
    if _plain(said.identifier) != _plain(event.pvd.removeprefix("fqdn:")):
        _failed(draft, place, one, "json", f"it is of {said.identifier}")
        return
    digest = blake2b(event.body.encode(), digest_size=16).hexdigest()
    if one.seen is not None and one.seen[0] == event.sequence and one.seen[1] != digest:
        draft.find("info-changed-silently", link=place[1], pvd=place[0], sequence=event.sequence)
    one = replace(one, seen=(event.sequence, digest), tries=0, wanted=None)
    if said.expires <= draft.at:  # more likely a wrong clock than an attack: not counted (standards.md P104)
        draft.find("info-expired", link=place[1], pvd=place[0])
        _put(draft, place, replace(_dropped(draft, place, one, "expired", draft.seq), dropped="expired"))
        return
    # `expires` decides nothing that matters by itself: an object has a greatest age, too (§6, standards.md P117).
    until = min(said.expires, draft.at + draft.policy.number("info_age_max_s") * SECOND, NEVER)
    held = Object(said, event.body, digest, draft.at, until, draft.seq)
    want = None
    if draft.policy.on("info_keep_fresh"):  # uniform in [A + (B-A)/2, B] (§4.1, standards.md P93)
        half = (until - draft.at) // 2
        want = Wanted("expiry", draft.at + half, half, None, draft.seq)
    draft.deadlines = deadlines.push(draft.deadlines, until, ("info", place[0], place[1], str(place[2])))
    draft.touched[place[0], (place[1], place[2], "")] = Touch("info", draft.seq)
    _put(draft, place, replace(one, held=held, wanted=want, dropped=""))


def _plain(name: str) -> str:
    """A name as §3.4 compares it: ASCII letters without their case, and the final dot is no difference."""
    lower = "".join(chr(ord(char) + 32) if "A" <= char <= "Z" else char for char in name)
    return lower.removesuffix(".")


def failed(draft: Draft, event: PvdInfoFailed) -> None:
    """A request failed: barred for the attachment, or tried again later."""
    place = (event.pvd, event.link, event.epoch)
    one = _answered(draft, event)
    if one is not None:
        _failed(draft, place, one, event.kind, event.detail)


def _failed(draft: Draft, place: Place, one: Inquiry, kind: str, detail: str) -> None:
    pvd, link, _ = place
    if kind == "json":
        draft.find("info-invalid", link=link, pvd=pvd, reason=detail or kind)
    else:
        draft.find("info-failed", link=link, pvd=pvd, reason=f"{kind} {detail}".strip())
    if kind in COUNTED:
        network = _network(draft, place)
        draft.networks = draft.networks.set(place[1:], replace(network, failures=network.failures + 1))
        _put(draft, place, replace(one, barred=kind))
        if _barred(draft, place):
            for other in sorted(draft.inquiries):
                if other[1:] == place[1:]:
                    _put(draft, other, draft.inquiries[other])
        return
    tries = one.tries + 1
    if tries >= TRIES_MAX:
        _put(draft, place, replace(one, tries=tries, barred=kind))
        return
    wait = min(10 * SECOND * 2 ** (tries - 1), RETRY_MAX)
    want = Wanted("retry", draft.at, AT_ONCE, draft.at + wait, draft.seq)
    _put(draft, place, replace(one, tries=tries, wanted=want))


# What ends it


def lapse(draft: Draft, key: tuple[str, ...], at: Instant) -> None:
    """A deadline came: the object that ends now is given up."""
    place = (key[1], key[2], int(key[3]))
    one = draft.inquiries.get(place)
    if one is not None and one.held is not None and one.held.until <= at:
        _put(draft, place, _dropped(draft, place, one, "expired", one.held.because))


def restarted(draft: Draft) -> None:
    """Another session: nobody waits for what the one before asked, so it is wanted again."""
    for place in sorted(draft.inquiries):
        if draft.inquiries[place].asked:
            _put(draft, place, replace(draft.inquiries[place], asked=0))


def forget(draft: Draft, link: LinkId) -> None:
    """The attachment ended, and with it what was asked, barred and counted on it (standards.md P101)."""
    for place in sorted(draft.inquiries):
        if place[1] == link:
            draft.inquiries = draft.inquiries.delete(place)
    for network in sorted(draft.networks):
        if network[0] == link:
            draft.networks = draft.networks.delete(network)
