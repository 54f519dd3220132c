"""Scenario files: commands, `----`, what they print (as etcd raft's testdata does).

Law: a command that hears something prints the lines of history it made, or `(nothing)`; a question prints its answer.
Times are seconds from the beginning. Names: r1 is fe80::1, h1 the MAC 02:00:00:00:00:01.

    at +600s | at 1800s         time goes on; prints what lapsed
    policy KEY=VALUE ...        first command only
    ra r1 [on=e0] [life=N] [pref=P] [m] [o] [hop=N] [OPTION ...]
        OPTION: pio=PREFIX[,FLAGS[,VALID[,PREFERRED]]]  rio=PREFIX[,LIFE[,PREF]]  dns=A[+B...][,LIFE]
                search=NAME[+NAME...][,LIFE]  pref64=PREFIX[,LIFE]  mtu=N  portal=URI
                pvd=NAME{WORD,WORD,...}: h, l, seq=N, delay=N, inner=LIFE[:PREF][:m][:o], and options with `;` for `,`
                mif=UUID{OPTION,...}
    na r1 [router] [mac=MAC] [keep]
    dhcp4 h1 MESSAGE [on=e0] [xid=N] [ip=A] [server=A] [life=N] [gw=A] [dns=A] [portal=URI]
    dhcp6 h1 MESSAGE [on=e0] [xid=N] [na=A[,VALID]] [pd=PREFIX[,VALID]] [dns=A] [ask=CODE+CODE]
    attach e0 | detach e0
    pvds | history [PVD] | findings | why TARGET | owners | plan [host=h1]
"""

from collections.abc import Callable

from events.dhcp import DhcpOption
from events.ids import NEVER, SECOND, Instant
from events.router import NdOption
from pvdcore.domains.view import items, versions
from pvdcore.policy import check
from pvdcore.projections.desired import desired
from pvdcore.projections.plan import Have, plan
from pvdcore.state import Change, Content, until
from tests.sim import build
from tests.sim.build import START, Story

FOREVER = "inf"


def run(commands: list[str], story: Story) -> list[str]:
    """What the commands print."""
    said: list[str] = []
    for command in commands:
        words = command.split()
        said += VERBS[words[0]](story, words[1:]) or ["(nothing)"]
    return said


def begin(commands: list[str]) -> tuple[Story, list[str]]:
    """A story, with the policy that a first command sets, and the commands that are left."""
    if commands and commands[0].startswith("policy "):
        pairs = (word.split("=", 1) for word in commands[0].split()[1:])
        return Story(**{name: check(name, value) for name, value in pairs}), commands[1:]
    return Story(), commands


# Reading


def _number(word: str) -> int | None:
    return None if word == FOREVER else int(word)


def _router(word: str) -> str:
    return "fe80::" + word[1:] if word.startswith("r") else word


def _mac(word: str) -> str:
    return f"02:00:00:00:00:{int(word[1:]):02x}"


def _duid(word: str) -> str:
    return "00030001" + _mac(word).replace(":", "")


def _pairs(words: list[str]) -> dict[str, str]:
    return {word.split("=", 1)[0]: word.split("=", 1)[1] if "=" in word else "" for word in words}


def _option(word: str) -> NdOption:
    kind, _, rest = word.partition("=")
    if kind in ("pvd", "mif"):
        return _nest(kind, *rest.rstrip("}").split("{", 1))
    parts = rest.split(",") if kind != "portal" else [rest]
    life = _number(parts[1]) if kind not in ("pio", "portal", "mtu") and len(parts) > 1 else 1800
    match kind:
        case "pio":
            given = [_number(part) for part in parts[2:]]
            return build.pio(parts[0], *given, flags=parts[1] if len(parts) > 1 else "LA")
        case "rio":
            return build.rio(parts[0], life, parts[2] if len(parts) > 2 else "medium")
        case "dns":
            return build.dns(*parts[0].split("+"), life=life)
        case "search":
            return build.search(*parts[0].split("+"), life=life)
        case "pref64":
            return build.pref64(parts[0], life or 0)
        case "mtu":
            return build.mtu(int(rest))
        case "portal":
            return build.portal(rest)
        case _:
            raise ValueError(f"no option is called {kind}")


def _nest(kind: str, name: str, inside: str = "") -> NdOption:
    words = [word.replace(";", ",") for word in inside.split(",") if word]
    flags = {word for word in words if word in ("h", "l")}
    said = _pairs([word for word in words if word.split("=")[0] in ("seq", "delay", "inner")])
    options = [
        _option(word) for word in words if word not in flags and word.split("=")[0] not in ("seq", "delay", "inner")
    ]
    if kind == "mif":
        return build.container(name, *options)
    inner = None
    if "inner" in said:
        life, *more = said["inner"].split(":")
        pref = next((word for word in more if word not in ("m", "o")), "medium")
        inner = build.header(int(life), pref=pref, m="m" in more, o="o" in more)
    return build.pvd(
        name,
        *options,
        h="h" in flags,
        legacy="l" in flags,
        seq=int(said.get("seq", 0)),
        delay=int(said.get("delay", 0)),
        inner=inner,
    )


# What is heard


def _news(story: Story, act: Callable[[], object]) -> list[str]:
    before = len(story.history())
    act()
    return [_change(one) for one in story.history()[before:]]


def _at(story: Story, words: list[str]) -> list[str]:
    word = words[0].rstrip("s")
    now = (story.now - START) / SECOND
    return _news(story, lambda: story.at(now + float(word[1:]) if word.startswith("+") else float(word)))


HEADER = ("on", "life", "pref", "m", "o", "hop")


def _ra(story: Story, words: list[str]) -> list[str]:
    plain = [word for word in words[1:] if word.split("=")[0] in HEADER]
    options = [_option(word) for word in words[1:] if word not in plain]
    said = _pairs(plain)
    event = build.ra(
        _router(words[0]),
        *options,
        life=int(said.get("life", 1800)),
        pref=said.get("pref", "medium"),
        m="m" in said,
        o="o" in said,
        hop=int(said.get("hop", 0)),
        link=said.get("on", "e0"),
        mac="02:00:00:00:01:0" + words[0][1:],
    )
    return _news(story, lambda: story.hear(event))


def _na(story: Story, words: list[str]) -> list[str]:
    said = _pairs(words[1:])
    event = build.na(_router(words[0]), router="router" in said, override="keep" not in said, mac=said.get("mac", ""))
    return _news(story, lambda: story.hear(event))


def _dhcp4(story: Story, words: list[str]) -> list[str]:
    who, message, said = words[0], words[1], _pairs(words[2:])
    options: list[DhcpOption] = []
    if "server" in said or message in ("ACK", "OFFER"):
        options.append(build.addresses(54, said.get("server", "192.0.2.1")))
    if message in ("ACK", "OFFER"):
        options += [build.number(51, _number(said.get("life", "3600"))), build.addresses(1, "255.255.255.0")]
        options += [build.addresses(3, said.get("gw", "192.0.2.1"))]
    if "dns" in said:
        options.append(build.addresses(6, *said["dns"].split("+")))
    if "portal" in said:
        options.append(build.text(114, said["portal"]))
    address = said.get("ip", "192.0.2.10")
    if message == "REQUEST":
        options.append(build.addresses(50, address))
    event = build.dhcp4(
        message,
        *options,
        xid=int(said.get("xid", 1)),
        mac=_mac(who),
        link=said.get("on", "e0"),
        yiaddr=address if message in ("ACK", "OFFER") else "0.0.0.0",
        ciaddr=address if message in ("RELEASE", "INFORM") else "0.0.0.0",
    )
    return _news(story, lambda: story.hear(event))


def _dhcp6(story: Story, words: list[str]) -> list[str]:
    who, message, said = words[0], words[1], _pairs(words[2:])
    options: list[DhcpOption] = []
    if "na" in said:
        address, *given = said["na"].split(",")
        options.append(build.ia_na(build.ia_address(address, *(_number(one) for one in given))))
    if "pd" in said:
        prefix, *given = said["pd"].split(",")
        options.append(build.ia_pd(build.ia_prefix(prefix, *(_number(one) for one in given))))
    if "dns" in said:
        options.append(build.addresses(23, *said["dns"].split("+")))
    event = build.dhcp6(
        message,
        *options,
        xid=int(said.get("xid", 1)),
        client=_duid(who),
        ask=tuple(int(code) for code in said["ask"].split("+")) if "ask" in said else (),
        link=said.get("on", "e0"),
    )
    return _news(story, lambda: story.hear(event))


def _attach(story: Story, words: list[str]) -> list[str]:
    return _news(story, lambda: story.attach(words[0]))


def _detach(story: Story, words: list[str]) -> list[str]:
    return _news(story, lambda: story.detach(words[0]))


# What is asked


def _pvds(story: Story, words: list[str]) -> list[str]:
    said = []
    for id in sorted(story.state.pvds):
        pvd = story.state.pvds[id]
        marks = "".join(
            f" {mark}" for mark, on in ((f"h seq={pvd.sequence} delay={pvd.delay}", pvd.http), ("l", pvd.legacy)) if on
        )
        said.append(f"{id} {pvd.phase} v{versions(story.state, id)}{marks}")
        for cell, instance in pvd.instances:
            said.append(f"  {instance.link}/{instance.epoch}{' ' + instance.host if instance.host else ''}")
            for source, held in items(story.state, id, cell):
                said.append(f"    {_item((held.kind, held.key, held.value))}  until {_when(until(source, held))}")
    return said


def _history(story: Story, words: list[str]) -> list[str]:
    return [_change(one) for one in story.history(words[0] if words else None)]


def _findings(story: Story, words: list[str]) -> list[str]:
    found = sorted(story.state.findings.values(), key=lambda one: (one.code, one.link, one.pvd or ""))
    return [f"{one.code} on {one.link}: {one.text}" for one in found]


def _why(story: Story, words: list[str]) -> list[str]:
    said = []
    for one in story.why(words[0]):
        event = story.journal.record(one.because)
        assert event is not None
        tail = f"until {_when(one.until)}" if one.ended_at is None else f"ended {_when(one.ended_at)} by {one.ended_by}"
        said.append(
            f"{one.pvd} {one.kind} {one.key}: since {one.since}, because of {one.because} "
            f"({type(event.event).__name__}), {tail}"
        )
    return said


def _owners(story: Story, words: list[str]) -> list[str]:
    return [
        f"{grant.rule} {grant.subject or '-'} of {grant.host}: {', '.join(grant.owners)}"
        for _, grant in sorted(story.state.grants.items(), key=lambda one: one[0])
    ]


def _plan(story: Story, words: list[str]) -> list[str]:
    host = _pairs(words).get("host")
    want = desired(story.state, host=_mac(host) if host else None, iid="eui64" if host else None)
    said = []
    for op, place in plan(want, Have()).ops:
        fields = [
            f"{name}={value}"
            for name in op.__struct_fields__
            if name not in ("netns", "link", "name")
            for value in (getattr(op, name),)
            if value not in (None, 0, (), "", "unicast")
        ]
        assert place is not None
        said.append(" ".join((place.pvd, type(op).__name__, *fields)))
    return said


# Writing


def _when(at: Instant | None) -> str:
    return "never" if at is None or at == NEVER else f"{(at - START) / SECOND:g}s"


def _item(item: Content) -> str:
    kind, key, value = item
    if kind == "flags":
        names = ("m", "o", "h", "l")
        marks = [name for name, on in zip(names, value, strict=False) if on]
        return f"flags {key} {'+'.join(marks) or 'none'}" + (f" delay={value[4]} seq={value[5]}" if value[2] else "")
    if kind == "prefix":
        return f"prefix {key} {''.join(name for name, on in zip('LAP', value, strict=True) if on) or '-'}"
    said = [str(part) for part in value if part not in (None, ()) and str(part) not in key]
    return " ".join((kind, key, *said))


def _change(one: Change) -> str:
    cell = f"{one.link}/{one.epoch}{' ' + one.host if one.host else ''}"
    phase = one.phase if one.phase == one.phase_before else f"{one.phase_before or '(new)'} -> {one.phase}"
    lines = [f"{_when(one.at)} {one.pvd} {cell} v{one.version} {phase}, {one.cause} because of {one.because}"]
    lines += [f"  + {_item(item)}" for item in one.added]
    lines += [f"  - {_item(item)}" for item in one.removed]
    lines += [
        f"  ~ {_item(old)} => {_item(new)}" if old[1] != "order" else f"  ~ {old[0]} order {' '.join(map(str, new[2]))}"
        for old, new in one.changed
    ]
    return "\n".join(lines)


VERBS: dict[str, Callable[[Story, list[str]], list[str]]] = {
    "at": _at,
    "ra": _ra,
    "na": _na,
    "dhcp4": _dhcp4,
    "dhcp6": _dhcp6,
    "attach": _attach,
    "detach": _detach,
    "pvds": _pvds,
    "history": _history,
    "findings": _findings,
    "why": _why,
    "owners": _owners,
    "plan": _plan,
}
