"""How the host should look: each PvD instance as one place of its own, derived from the State alone.

Law: a wish, computed anew each time and never stored. Everything in it says until when it holds and which record it
comes from; nothing in it is a deed. What one host adds (its addresses, its leases) is put into the shared instance of
the PvD that owns it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from events.ids import NEVER, HostId, Instant, LinkId, PvdId, Seq
from events.ops import ClientRun
from events.router import RaHeader
from pvdcore.domains.contents import Item, Source, members, merged
from pvdcore.domains.portals import Portal, family_of, portal
from pvdcore.domains.resolvers import ANY, PREFERENCES, NameRule
from pvdcore.domains.resolvers import servers as asked
from pvdcore.domains.trust import NONE, trust
from pvdcore.host.addresses import LINK_LOCAL, UnknownIid, announcers, eui64, forms, preferred_until, slaac
from pvdcore.prefixes import network
from pvdcore.profiles import vpns
from pvdcore.profiles.connections import held_down
from pvdcore.profiles.overrides import Rerouted, laid_over, overrides, reaches, rerouted
from pvdcore.projections.places import owner, place_mac, place_name
from pvdcore.state import Grant, Identifier, Instance, Origin, State, because, counted_from, until


class WantedAddress(msgspec.Struct, frozen=True, order=True):
    """An address the instance should have. until, preferred_until: NEVER for infinity."""

    address: str
    until: Instant
    preferred_until: Instant
    because: Seq
    origin: str
    temporary: bool = False


class WantedRoute(msgspec.Struct, frozen=True):
    """A route. via: `None` for on-link. preference: `high`, `medium`, `low` (RFC 4191 §2.1).

    table: 0 = the main one. kind: `unicast` or `unreachable`. metric: 0 = one of its preference. lladdr: of a default
    router, from which its RA came: while detection goes on, no address may ask for it (RFC 4429 §3.3).
    """

    destination: str
    via: str | None
    preference: str
    until: Instant
    because: Seq
    table: int = 0
    kind: str = "unicast"
    metric: int = 0
    lladdr: str = ""


EXCLUDED: Final = 256
"""The metric of what a VPN excludes: before that of any route, should the same prefix be included, too."""


class WantedRule(msgspec.Struct, frozen=True, order=True):
    """Packets from `source` are looked up in `table`. until: when the address ends."""

    priority: int
    source: str
    table: int
    until: Instant
    because: Seq


class Place(msgspec.Struct, frozen=True):
    """One PvD instance as it should stand in a namespace, or (netns "") in the first one. servers: fe80:: ones carry
    `%LINK`. parent: the host's link, by the name it has now; device: what routes lead over.

    rules: which names are for which resolver, as far as the policy lets a network say that (RFC 6731 §4.5).

    reachable_ms, retrans_ms: as the router heard last has them, 0 if none said (RFC 4861 §6.3.4); the kernel draws its
    ReachableTime from the first by itself.
    portal: what the network says of a captive portal to this host; nothing is written for it.
    tunnel: of a VPN, whether its link is to `move` into the namespace or to be `leave`-d where it is; "" = a device of
    ours on the link. client: who asks by DHCP from there.
    table, steers: of the projection `tables`, the number of the instance's own table, and what leads to its tables.
    """

    pvd: PvdId
    link: LinkId
    epoch: int
    host: HostId
    netns: str
    device: str
    mtu: int
    hop_limit: int
    addresses: tuple[WantedAddress, ...]
    routes: tuple[WantedRoute, ...]
    servers: tuple[str, ...]
    search: tuple[str, ...]
    parent: str = ""
    mac: str = ""
    dad: str = "wait"
    reachable_ms: int = 0
    retrans_ms: int = 0
    portal: Portal | None = None
    tunnel: str = ""
    rules: tuple[NameRule, ...] = ()
    client: ClientRun | None = None
    table: int = 0
    steers: tuple[WantedRule, ...] = ()


class Desired(msgspec.Struct, frozen=True):
    """All places, sorted by PvD, link and epoch."""

    at: Instant
    places: tuple[Place, ...]


def desired(state: State, *, host: HostId | None = None, iid: str | None = None) -> Desired:
    """What the host should have at `state.now`.

    host: whose leases count, by DHCP id or MAC (`None`: nobody's). iid: `eui64` forms addresses of that MAC for the
    autonomous prefixes; `None` forms none. Raises UnknownIid.
    """
    number = None
    if iid is not None:
        if iid != "eui64":
            raise UnknownIid(f"interface identifiers are made by eui64, not {iid!r}")
        number = eui64(_mac(state, host))
    places = []
    last = {key: origin.pvd for key, (origin, _) in announcers(state).items()}
    leases = _placed(state, host)
    for pvd in sorted(state.pvds):
        if ignored(state, pvd):
            continue
        cells: dict[tuple[LinkId, int], list[Source]] = {}
        for (link, epoch, whose), instance in state.pvds[pvd].instances:
            found = list(_counting(state, instance, host)) if whose else members(state, pvd, instance)
            if found:
                cells.setdefault((link, epoch), []).extend(found)
        for grant in leases.get(pvd, ()):
            cells.setdefault((grant.link, grant.epoch), []).append(grant)
        for (link, epoch), found in sorted(cells.items()):
            if held_down(state, link):
                continue  # the operator closed what was open there
            places.append(place_of(state, pvd, link, epoch, found, number, host or "", last))
    return Desired(state.now, tuple(places))


def ignored(state: State, pvd: PvdId) -> bool:
    """Whether the operator uses other PvDs than this one (RFC 8801 §3.4: a host may use a subset)."""
    return any(fnmatchcase(pvd, glob) for glob in state.policy.word("ignored").split())


def _mac(state: State, host: HostId | None) -> str:
    for grant in state.grants.values():
        if host and host in (grant.host, grant.mac):
            return grant.mac or host
    return host or ""


def _counting(state: State, instance: Instance, host: HostId | None) -> Iterator[Grant]:
    """What DHCP gave `host` beside its leases, in each PvD that it belongs to."""
    for key in instance.grants:
        grant = state.grants[instance.link, *key]
        if grant.rule == "dhcp6-info" and host and host in (grant.host, grant.mac):
            yield grant


def _placed(state: State, host: HostId | None) -> dict[PvdId, list[Grant]]:
    """The leases of `host` by the one PvD each is placed in, which need no longer be an owner (membership)."""
    found: dict[PvdId, list[Grant]] = {}
    for key in sorted(state.grants):
        grant = state.grants[key]
        if grant.placed and host and host in (grant.host, grant.mac):
            found.setdefault(grant.placed, []).append(grant)
    return found


def _pvd(one: Identifier) -> PvdId:
    return one.pvd


def place_of(
    state: State,
    pvd: PvdId,
    link: LinkId,
    epoch: int,
    found: list[Source],
    iid: int | None,
    host: HostId,
    last: dict[tuple[LinkId, str], PvdId],
) -> Place:
    """One place out of its contributions. iid: as a number, `None` where addresses are chosen already; last: the PvD
    of each prefix's last announcer, of use with an iid only."""
    named = owner(state, pvd, link, epoch)
    name = place_name(named, link, epoch)
    vpn = vpns.of_pvd(state, pvd)
    device = name if vpn is None else state.links[link].name
    addresses: list[WantedAddress] = []
    routes: list[WantedRoute] = []
    servers: list[str] = []
    search: list[str] = []
    mtu = hop_limit = 0
    items = merged(found)
    rio = state.policy.on("rio")  # off: a host of type B, which knows header preferences only (RFC 4191 §3.1)
    overridden = {held.value[1] for _, held in items if rio and held.kind == "route" and held.value[0] == "::/0"}
    for source, held in items:
        ends, record = until(source, held), because(source, held)
        match held.kind:
            case "address" if held.value[0] != "slaac" or iid is None:
                preferred = preferred_until(source, held)
                short_lived = held.value[1:2] == ("temporary",)
                addresses.append(WantedAddress(held.key, ends, preferred, record, str(held.value[0]), short_lived))
            case "prefix" | "on_link" | "autonomous":  # the two of a prefix may end apart (pvdcore/routers/parts.py)
                if held.value[0]:
                    routes.append(WantedRoute(held.key, None, "medium", ends, record))
                mine = last.get((link, held.key)) == pvd
                if mine and iid is not None and forms(state.policy, held):
                    address = slaac(held.key, iid)
                    addresses.append(WantedAddress(address, ends, preferred_until(source, held), record, "slaac"))
            case "router" if held.key not in overridden:  # a ::/0 route option speaks for its router (RFC 4191 §3.1)
                mac = source.mac if isinstance(source, Origin) else ""
                routes.append(WantedRoute("::/0", held.key, str(held.value[0]), ends, record, lladdr=mac))
            case "route" if isinstance(source, Grant) or rio:
                via = held.value[1]
                routes.append(
                    WantedRoute(str(held.value[0]), None if via is None else str(via), str(held.value[2]), ends, record)
                )
            case "excluded":  # of what goes through the tunnel, this does not, and there is no other way in its PvD
                routes.append(WantedRoute(held.key, None, "medium", ends, record, 0, "unreachable", EXCLUDED))
            case "dns":
                servers.append(_scoped(held.key, device))
            case "search":
                search.append(held.key)
            case "mtu":
                mtu = held.value[0] if isinstance(held.value[0], int) else 0
            case "hop_limit":
                hop_limit = held.value[0] if isinstance(held.value[0], int) else 0
    chosen = state.host.identifiers.get((link, LINK_LOCAL), ())  # of all PvDs of the link, in their order
    for one in chosen[bisect_left(chosen, named, key=_pvd) : bisect_right(chosen, named, key=_pvd)]:
        if one.phase in ("tentative", "assigned") and iid is None:  # for ever (RFC 4862 §5.3)
            addresses.append(WantedAddress(f"{one.address}/64", NEVER, NEVER, one.because, "link-local"))
    configured = tuple(overrides(state, pvd, link, epoch))
    servers, search = (laid_over(said, configured, kind) for said, kind in ((servers, "dns"), (search, "search")))
    for said in rerouted(state, pvd, link, epoch):
        routes = _rerouted(routes, addresses, said)
    rules = _rules(items, device) if _ruled(state, pvd, link, epoch) else ()
    return Place(
        pvd=pvd,
        link=link,
        epoch=epoch,
        host=host,
        netns=name,
        device=device,
        mtu=mtu,
        hop_limit=hop_limit,
        addresses=tuple(sorted(_united(addresses))),
        routes=tuple(sorted(routes, key=_order)),
        servers=tuple(one.address for one in asked(servers, rules, ANY)),
        search=tuple(search),
        parent=state.links[link].name,
        mac=place_mac(name),
        dad=state.policy.word("dad"),
        reachable_ms=_newest(found, lambda header: header.reachable_ms),
        retrans_ms=_newest(found, lambda header: header.retrans_ms),
        portal=portal(found, state.policy),
        tunnel="" if vpn is None else vpns.MOVE if vpns.moves(state, vpn) else vpns.LEAVE,
        rules=rules,
    )


def _rerouted(routes: list[WantedRoute], addresses: list[WantedAddress], said: Rerouted) -> list[WantedRoute]:
    """Routes, and what a profile says of those of one family."""
    version = {"ipv4": 4, "ipv6": 6}[said.family]

    def counts(one: WantedRoute) -> bool:
        if network(one.destination).version != version:
            return True
        default = network(one.destination).prefixlen == 0
        return not (said.never_default and default) and not (said.instead and one.via is not None)

    on_link = [one.address for one in addresses] + [one.destination for one in routes if one.via is None]
    kept = [one for one in routes if counts(one)]
    known = {(one.destination, one.via) for one in kept}
    return [
        *kept,
        *(
            WantedRoute(destination, via, "medium", NEVER, said.because)
            for destination, via in said.routes
            if (destination, via) not in known and (via is None or reaches(via, on_link))
        ),
    ]


def _ruled(state: State, pvd: PvdId, link: LinkId, epoch: int) -> bool:
    """Whether a network may say which names go to which resolver: over a trusted channel, or where answers are
    validated (RFC 6731 §4.5)."""
    word = state.policy.word("rdnss_selection")
    return word == "validated" or (word == "trusted" and trust(state, pvd, link, epoch) != NONE)


def _rules(items: list[Item], link: str) -> tuple[NameRule, ...]:
    """The rules by server: what several say of one server is united, nobody takes away (RFC 6731 §4.2, §4.3).

    link: the scope of fe80:: servers. The preference is the one heard last.
    """
    found: dict[str, NameRule] = {}
    heard: dict[str, Instant] = {}
    for source, held in items:
        if held.kind != "dns_rule":
            continue
        server, domain, preference = (str(one) for one in held.value)
        at = counted_from(source, held)
        known = found.get(server)
        domains = (*(known.domains if known else ()), *((domain,) if domain else ()))
        if known is not None and at < heard[server]:
            preference, at = known.preference, heard[server]
        found[server] = NameRule(_scoped(server, link), preference, domains, family_of(source))
        heard[server] = at
    return tuple(found.values())


def _scoped(server: str, link: str) -> str:
    return f"{server}%{link}" if server.startswith("fe80:") else server


def _newest(found: list[Source], of: Callable[[RaHeader], int]) -> int:
    """The value of the router heard last that gives one: 0 is "unspecified" (RFC 4861 §6.3.4)."""
    said = [(one.heard_at, one.speaker, of(one.header)) for one in found if isinstance(one, Origin)]
    return max((one for one in said if one[2]), default=(0, "", 0))[2]


def _united(addresses: list[WantedAddress]) -> list[WantedAddress]:
    """An address that two gave lives while one does (RFC 4862 §5.6)."""
    longest: dict[str, WantedAddress] = {}
    for one in addresses:
        bare = one.address.split("/")[0]
        known = longest.get(bare, one)
        longest[bare] = max(known, one, key=lambda each: (each.until, each.preferred_until, each.because))
    return list(longest.values())


def _order(route: WantedRoute) -> tuple[int, str, int, str]:
    version = network(route.destination).version
    return (version, route.destination, PREFERENCES.index(route.preference), route.via or "")
