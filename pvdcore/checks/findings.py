"""The catalogue of findings: what a network's administrator wants to hear about, what it means, what to change.

Law: a finding has its code, its sentence and its advice here and nowhere else; `Draft.find` takes no other code. A
finding never changes what is folded: it says what was heard, the rules say what that means.

severity: `error`: a standard forbids it, and hosts lose something by it; `warning`: hosts will differ in what they do,
or something is short of working; `notice`: allowed, and good to know.
"""

from typing import Final

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """One kind of finding.

    sentence: a template; `{link}` and `{pvd}` are always there, other fields are those its caller gives.
    meaning: what it does to hosts. change: what the administrator should do. source: the section that says so.
    """

    code: str
    severity: str
    sentence: str
    meaning: str
    change: str
    source: str


SEVERITIES: Final = ("error", "warning", "notice")

CATALOGUE: Final[tuple[Kind, ...]] = (
    # What one RA shows.
    Kind(
        "duplicate-pvd-option",
        "error",
        "router {router} sends several PvD options in one RA; all but the first are ignored",
        "An RA belongs to one PvD, that of its first PvD option; what stands in the others reaches no host.",
        "Send one RA for each PvD.",
        "RFC 8801 §3.2, §3.4",
    ),
    Kind(
        "nested-pvd-option",
        "error",
        "router {router} nests a PvD option in a PvD option; the inner one is ignored",
        "A PvD option must not stand inside another; the inner PvD reaches no host.",
        "Send the inner PvD in an RA of its own.",
        "RFC 8801 §3.2",
    ),
    Kind(
        "inner-outer-differ",
        "warning",
        "{pvd} says {kind} {key} inside and outside its option, differently; the inner one counts",
        "Hosts that know PvDs and hosts that don't configure different things; the RFC leaves open which one counts.",
        "Say it once: outside for all hosts, inside for those that know PvDs.",
        "RFC 8801 §3.2, §3.4 (silent on which one counts)",
    ),
    Kind(
        "duplicate-route",
        "error",
        "router {router} gives two routes to {prefix} in one RA; the last one counts",
        "One of the two has no effect, and which one differs between hosts.",
        "Remove one of the two route entries.",
        "RFC 4191 §4",
    ),
    Kind(
        "preferred-over-valid",
        "error",
        "router {router} announces a prefix that is preferred for longer than it is valid; hosts ignore it",
        "No host forms an address from this prefix.",
        "Set the preferred lifetime to no more than the valid lifetime.",
        "RFC 4861 §4.6.2, RFC 4862 §5.5.3 c",
    ),
    Kind(
        "prefix-length-not-64",
        "error",
        "router {router} sets the autonomous flag on {prefix}; interface identifiers have 64 bits, so no host uses it",
        "Hosts form no address from it, as prefix and interface identifier do not make 128 bits.",
        "Announce a /64 for autonomous configuration, or clear the A flag.",
        "RFC 4862 §5.5.3 d, RFC 4291 §2.5.1",
    ),
    Kind(
        "mtu-under-1280",
        "error",
        "router {router} announces an MTU under 1280 octets; hosts ignore it",
        "IPv6 needs links of 1280 octets or more.",
        "Announce 1280 or more, or no MTU.",
        "RFC 8200 §5, RFC 4861 §6.3.4",
    ),
    Kind(
        "reserved-preference",
        "error",
        "router {router} sends the reserved preference 10; as router preference it is read as medium",
        "A default router of this preference counts as medium; a route information option with it is ignored.",
        "Set high, medium or low.",
        "RFC 4191 §2.2, §2.3",
    ),
    Kind(
        "preference-without-lifetime",
        "notice",
        "router {router} is no default router (lifetime 0) and sends a preference other than medium",
        "The preference must be 00 where the lifetime is 0; hosts ignore it.",
        "Leave the preference at medium where the router lifetime is 0.",
        "RFC 4191 §2.2",
    ),
    Kind(
        "managed-without-prefix",
        "warning",
        "router {router} sets the M flag for {pvd} and announces no prefix with it",
        "A DHCPv6 address belongs to the PvD whose prefix contains it; without a prefix it will belong to none.",
        "Announce the prefix that DHCPv6 assigns from, if need be with the L and A flags off.",
        "RFC 8801 §3.4.1",
    ),
    Kind(
        "pvd-id-one-label",
        "warning",
        "router {router} announces {pvd}, an id of one label",
        "The id should be a name that its owner holds in the DNS; nothing proves that a single label is anybody's.",
        "Use a fully qualified name under a domain of yours.",
        "RFC 8801 §3, §4.1",
    ),
    Kind(
        "sequence-without-h",
        "notice",
        "router {router} announces {pvd} with a sequence number or a delay, and without the H flag",
        "Both mean nothing without the H flag, hosts ignore them.",
        "Set the H flag if there is additional information, else set both to 0.",
        "RFC 8801 §3.1",
    ),
    # What several RAs show.
    Kind(
        "ra-inconsistent",
        "warning",
        "routers of {pvd} on {link} disagree: {what}",
        "Routers on a link should say the same of these; hosts take what they heard last.",
        "Configure the routers alike.",
        "RFC 4861 §6.2.7",
    ),
    Kind(
        "prefix-lifetimes-differ",
        "warning",
        "routers on {link} give {prefix} different lifetimes",
        "Routers should announce the same lifetimes for a prefix; hosts follow whichever spoke last.",
        "Configure the same valid and preferred lifetimes, or let both count down to the same instant.",
        "RFC 4861 §6.2.7",
    ),
    Kind(
        "delegation-outlived",
        "error",
        "router {router} announces {prefix} on {link} for longer than {delegated} is delegated",
        "Hosts keep addresses of it when the prefix may be somebody else's already.",
        "Update the router: what it makes of a delegated prefix ends with the delegation's own lifetimes.",
        "RFC 8415 §18.2.10.1",
    ),
    Kind(
        "router-mac-changed",
        "warning",
        "router {router} on {link} changed its link-layer address from {before} to {after}",
        "Another device speaks with the router's address: a fail-over, an exchanged router, or an attack.",
        "If it was no fail-over of yours, look for the second device; RA guard keeps such RAs out.",
        "RFC 4861 §7.2.3, RFC 6104 §2",
    ),
    Kind(
        "prefix-in-two-pvds",
        "warning",
        "{prefix} is announced in {other} and in {pvd}; addresses of it follow the last RA",
        "An address belongs to the PvD of the RA that announced its prefix last, so it moves back and forth.",
        "Announce a prefix in one PvD only.",
        "RFC 8801 §3.4",
    ),
    Kind(
        "pvd-split-over-ras",
        "notice",
        "router {router} spreads what it says of {pvd} over several RAs; who misses one holds a part",
        "Allowed where one RA would be too long; nothing tells a host that a part is missing.",
        "Shorten the announcement until one RA holds it, if that can be.",
        "RFC 8801 §3.2, §6",
    ),
    Kind(
        "lifetime-under-interval",
        "error",
        "router {router} was silent for {gap} s and gives {kind} {key} {lifetime} s; hosts lose it in between",
        "A lifetime shorter than the interval between two RAs ends before it can be refreshed.",
        "Set lifetimes to three times the largest interval between RAs, or send RAs more often.",
        "RFC 4861 §6.2.1, RFC 8106 §5.1, §5.2",
    ),
    Kind(
        "l-flag-differs",
        "warning",
        "routers of {pvd} on {link} differ in the L flag; one that sets it is enough",
        "Whether the DHCPv4 lease belongs to this PvD differs with the RA that a host heard.",
        "Set the L flag on all routers of the PvD, or on none.",
        "RFC 8801 §3.4.2",
    ),
    Kind(
        "several-l-flags",
        "error",
        "{several} both claim the DHCPv4 lease on {link} (L flag)",
        "Only one PvD of a link may claim the DHCPv4 lease; with several it goes to the implicit PvDs.",
        "Set the L flag in one PvD only.",
        "RFC 8801 §3.4.2",
    ),
    # DHCP.
    Kind(
        "capport-differs",
        "error",
        "captive portals of {pvd} on {link} differ: {what}",
        "The URI must be the same by whichever protocol it comes; hosts open one of them, and which one is not said.",
        "Give the same URI in RA option 37, DHCPv4 option 114 and DHCPv6 option 103.",
        "RFC 8910 §3",
    ),
    Kind(
        "capport-literal",
        "warning",
        "the captive portal {uri} of {pvd} on {link}, by {by}, is named by an IP address",
        "Hosts open it, but no ordinary certificate proves whose it is.",
        "Give the portal a DNS name and announce that.",
        "RFC 8910 §2",
    ),
    Kind(
        "two-dhcp4-servers",
        "warning",
        "several DHCPv4 servers answer on {link}: {what}",
        "Hosts take the first offer, so neighbours may end up with different configuration.",
        "If one of them is not yours, find and remove it; DHCP snooping keeps such answers out.",
        "RFC 2131 §3.1, RFC 7610",
    ),
    Kind(
        "dhcp6-unanswered",
        "warning",
        "{host} asks DHCPv6 on {link} again and again, as the flags of {pvd} invite it to, and gets no answer",
        "The M or O flag tells hosts to ask, and nobody answers: they wait for what does not come.",
        "Start a DHCPv6 server or relay on this link, or clear the M and O flags.",
        "RFC 4861 §4.2, RFC 8415 §15",
    ),
    Kind(
        "rdnss-selection-reserved",
        "error",
        "a DHCP server on {link} sends the reserved preference 10 with resolver {server} (option {number})",
        "It is read as medium, so what was meant by it is lost.",
        "Set high, medium or low.",
        "RFC 6731 §4.2, §4.3",
    ),
    Kind(
        "dhcp6-no-match",
        "warning",
        "DHCPv6 assigned {subject} on {link}, which no PvD with the M flag has a prefix for",
        "The address belongs to no explicit PvD, so it goes to all implicit ones.",
        "Announce the prefix of the assigned addresses in the PvD that sets the M flag.",
        "RFC 8801 §3.4.1",
    ),
    Kind(
        "dhcp6-several-matches",
        "warning",
        "{first} and {second} both have a prefix of {subject}; the newest RA counts",
        "Which PvD an assigned address belongs to changes with every RA.",
        "Set the M flag in one of the PvDs that announce this prefix only.",
        "RFC 8801 §3.4.1",
    ),
    Kind(
        "dhcp4-no-lease-time",
        "error",
        "an ACK of {server} has no usable lease time",
        "An ACK must say for how long the address is granted; hosts ignore it or guess.",
        "Configure a lease time (option 51) on the server.",
        "RFC 2131 §4.3.1 table 3",
    ),
    # Addresses of this host.
    Kind(
        "duplicate-address",
        "warning",
        "somebody on {link} has {address} already",
        "Duplicate address detection found the address taken: it is not used, and another is tried.",
        "Look for a machine with a fixed address in the range that others autoconfigure, or for a cloned one.",
        "RFC 4862 §5.4.5",
    ),
    Kind(
        "address-conflict",
        "error",
        "no address of {prefix} is left to try on {link}",
        "Every identifier that was tried is taken; no other way to make one is used instead.",
        "Look for a machine that answers every probe, by mistake or on purpose.",
        "RFC 7217 §6, RFC 8981 §3.4",
    ),
    Kind(
        "ipv6-off",
        "error",
        "{address}, made of the hardware address of {link}, is somebody else's: no IPv6 on this attachment",
        "Two machines seem to have one hardware address; IPv6 stays off until the link is attached anew.",
        "Find the other machine and give one of them its own hardware address.",
        "RFC 4862 §5.4.5",
    ),
    # What DHCP servers and clients do (clients: what an observer sees of it).
    Kind(
        "dhcp4-router-is-client",
        "error",
        "{router} is given to {host} as its address and as its router; it is not used as one",
        "A host that is its own router reaches nothing beyond its link.",
        "Correct the router (option 3 or 121), or take its address out of the pool.",
        "RFC 2132 §3.5",
    ),
    Kind(
        "dhcp4-router-off-link",
        "warning",
        "router {router} is outside {given}, and no route says that it is on-link",
        "Many hosts refuse a route through a router that they can't reach directly.",
        "Give a router within the subnet, or a route to it with router 0.0.0.0 in option 121.",
        "RFC 3442",
    ),
    Kind(
        "dhcp4-unasked-v6only",
        "warning",
        "a server sends option 108 (IPv6-only preferred) to {host}, who did not ask for it",
        "A host that does not ask for 108 needs IPv4 and ignores it.",
        "Send option 108 to those clients only that have it in their parameter request list.",
        "RFC 8925 §3.2, §3.3",
    ),
    Kind(
        "dhcp4-v6only-capped",
        "warning",
        "a server asks {host} to do without IPv4 for {wait_s} s; policy v6only_wait_max_s allows {most_s} s",
        "So long a wait ends with the next attachment only; a forged answer could switch IPv4 off for good.",
        "Use a V6ONLY_WAIT of the order of 1800 s.",
        "RFC 8925 §3.4, §6",
    ),
    Kind(
        "dhcp6-max-rt-differs",
        "warning",
        "servers tell {host} different values in option {number}; none of them counts",
        "Clients go on asking at the default rate.",
        "Configure one value of SOL_MAX_RT and INF_MAX_RT on all servers of the link.",
        "RFC 8415 §18.2.9",
    ),
    Kind(
        "dhcp6-no-binding",
        "warning",
        "{server} knows no binding of {host} that it is to renew",
        "The client asks for its addresses anew; until it has an answer it uses what it has.",
        "Check that the server kept its leases; servers of one link have to share them.",
        "RFC 8415 §18.2.10.1",
    ),
    Kind(
        "dhcp6-reconfigure-refused",
        "error",
        "a Reconfigure to {host} has to be discarded: {reason}",
        "The client does nothing, or somebody forges messages.",
        "Configure a reconfigure key on the server, and clients to accept reconfiguration.",
        "RFC 8415 §16.11, §21.20",
    ),
    Kind(
        "dhcp4-client-bad-request",
        "warning",
        "{host} sends a DHCPREQUEST with neither the address it has nor the one that it wants",
        "Servers can't tell what it asks for; many don't answer.",
        "Update the client: option 50 is due in SELECTING and INIT-REBOOT, ciaddr in renewals.",
        "RFC 2131 §4.3.2, table 4",
    ),
    Kind(
        "dhcp4-client-bad-renew",
        "warning",
        "{host} renews a lease with option 50 or 54 in it",
        "Servers take it for another kind of request, and may refuse it.",
        "Update the client: a renewal carries ciaddr and neither of the two options.",
        "RFC 2131 §4.3.2, table 4",
    ),
    Kind(
        "dhcp4-client-renews-elsewhere",
        "warning",
        "{host} renews its lease of {server} at {where}",
        "That machine did not grant the lease; the client will fall back to broadcasting.",
        "Update the client: renewals go to the server of option 54, not to a relay.",
        "RFC 2131 §4.4.5",
    ),
    Kind(
        "dhcp4-client-request-order",
        "notice",
        "{host} asks for classless routes (121) after routers (3, 33), or without asking for routers (3)",
        "Where not all fits into the answer, a server may leave out the routes that were asked for last.",
        "Update the client: 121 stands before 3 and 33, and 3 is asked for, too.",
        "RFC 3442",
    ),
    Kind(
        "dhcp4-client-id-changed",
        "warning",
        "{before} calls itself {host} within one exchange",
        "Servers take the two for two clients; the offered address may not be granted.",
        "Have all programs on that host use one client identifier (boot loaders often differ).",
        "RFC 2131 §4.2",
    ),
    Kind(
        "dhcp4-client-hasty",
        "notice",
        "{host} asks again within 10 s of declining an address",
        "Where addresses conflict, such a client loads the network.",
        "Update the client: it has to wait 10 s after a DHCPDECLINE.",
        "RFC 2131 §3.1",
    ),
    Kind(
        "dhcp4-address-conflict",
        "warning",
        "{other} speaks as {address}, which DHCP gave to {host}",
        "Two machines use one address; the holder may defend it once and gives it up at the next conflict within 10 s.",
        "Look for a machine with a fixed address in the pool of the DHCP server, or for a second server.",
        "RFC 5227 §2.1.1, §2.4",
    ),
    Kind(
        "dhcp4-client-unprobed",
        "notice",
        "{host} announces {address} without having probed for it and waited",
        "Where somebody has the address already, both lose their connections.",
        "Update the client: three probes and two seconds of quiet come before the announcement.",
        "RFC 5227 §2.1.1, §2.3",
    ),
    Kind(
        "dhcp4-client-tries-on",
        "warning",
        "{host} takes a new address within a minute of the last, after {conflicts} conflicts",
        "Where addresses conflict that often, such a client loads the network and empties the server's pool.",
        "Update the client: from the tenth conflict on it tries one address a minute.",
        "RFC 5227 §2.1.1",
    ),
    Kind(
        "dhcp4-client-ignores-v6only",
        "notice",
        "{host} asks for an IPv4 address while option 108, for which it asked, has it wait",
        "It uses an address that the network wanted to save.",
        "Update the client, or have it not ask for option 108.",
        "RFC 8925 §3.2",
    ),
    Kind(
        "dhcp6-client-hasty",
        "warning",
        "{host} sends more than {most} DHCPv6 messages in 20 s",
        "A client that does not limit its rate loads servers, most of all when they refuse it.",
        "Update the client; look at what the servers answer.",
        "RFC 8415 §14.1",
    ),
    # Additional information.
    Kind(
        "sequence-unchanged",
        "notice",
        "{pvd} announces the new prefix {prefix} with the H flag and the same sequence number {sequence}",
        "Additional information must list every announced prefix; what hosts hold may not list this one.",
        "When the information changes, change the sequence number too.",
        "RFC 8801 §3.1, §4.1",
    ),
    Kind(
        "info-prefix",
        "error",
        "the additional information of {pvd} does not cover {prefix}, which is announced in it; hosts must not use it",
        "A prefix that is not listed makes the whole information void for hosts.",
        "List all announced prefixes in the key `prefixes`.",
        "RFC 8801 §4.1, §4.4",
    ),
    Kind(
        "info-invalid",
        "error",
        "the additional information of {pvd} is not valid: {reason}",
        "Hosts ignore the object, and won't ask again during this attachment.",
        "Serve one JSON object with valid `identifier`, `expires` and `prefixes`.",
        "RFC 8801 §4.1, §4.3",
    ),
    Kind(
        "info-expired",
        "error",
        "the additional information of {pvd} had expired when it was fetched",
        "Hosts ignore an object whose `expires` has passed.",
        "Serve an `expires` in the future, and check the clock of the server.",
        "RFC 8801 §4.1, §4.3",
    ),
    Kind(
        "info-failed",
        "warning",
        "the additional information of {pvd} could not be fetched: {reason}",
        "Hosts ask no more for it during this attachment; after ten such failures for nothing at all.",
        "Serve https://NAME/.well-known/pvd with a certificate for the name, or clear the H flag.",
        "RFC 8801 §4.1",
    ),
    Kind(
        "info-changed-silently",
        "error",
        "the additional information of {pvd} changed, its sequence number {sequence} did not",
        "Hosts that hold the older object go on using it until it expires.",
        "Change the sequence number whenever the object changes.",
        "RFC 8801 §3.1, §4.1",
    ),
    # Bounds (standards.md D.3): what does not fit.
    Kind(
        "too-many-routers",
        "warning",
        "more routers than policy routers_per_link_max allows speak on {link}",
        "Further routers are not folded: either the link is odd, or somebody floods it.",
        "Look for forged RAs (RA guard); raise the policy if they are real.",
        "a bound of this program; RFC 6104",
    ),
    Kind(
        "too-many-pvds",
        "warning",
        "more explicit PvDs than policy allows are announced on {link}",
        "Further PvDs are not folded.",
        "Look for forged RAs; raise pvds_per_link_max or pvds_max if they are real.",
        "a bound of this program",
    ),
    Kind(
        "too-many-items",
        "warning",
        "{pvd} announces more of kind {kind} than policy {knob} allows",
        "Further items are not folded; of resolvers and search names the one that ends first makes way.",
        "Shorten the announcement, or raise the policy.",
        "a bound of this program; RFC 8106 §5.3.1, §6.2",
    ),
    # What the operator configured.
    Kind(
        "override-refused",
        "warning",
        "settings {settings} configure resolvers or names for {pvd}, which policy {policy} refuses",
        "What the profile says of names in this PvD is recorded and not used; what was learned stays as it was.",
        "Take it out of the profile, or let the PvD resolve names.",
        "RFC 7556 §5.1",
    ),
    Kind(
        "pvd-mismatch",
        "warning",
        "{settings} on {link} led to {what} instead of {instead}",
        "The profile names the PvD it should lead to, and another network answered; what the profile itself configures "
        "is not used there.",
        "Look where the link is plugged in; or correct pvd.expected.",
        "RFC 7556 §2.1 (a PvD holds where it was learned)",
    ),
    Kind(
        "settings-unsupported",
        "notice",
        "{settings} says {key} ({where}), which is not supported here; it is not used",
        "What the profile's own manager does with it does not happen here; a condition of a match that is not "
        "supported keeps the profile from being activated by itself.",
        "Leave it out, or activate the profile where it is supported.",
        "a bound of this program",
    ),
    Kind(
        "settings-invalid",
        "warning",
        "{settings} gives {key} ({where}) a value that it can't have; it is not used",
        "The rest of the profile is used without it.",
        "Correct the line.",
        "the documentation of the profile's format",
    ),
    Kind(
        "settings-rejected",
        "error",
        "{where} can't be read: {what}",
        "The profile is not known; if an earlier version of the file was read, that one stays in force.",
        "Correct the line; `pvdctl settings` shows which files are refused.",
        "the documentation of the profile's format",
    ),
    Kind(
        "vpn-ignored",
        "notice",
        "{client} says more of {pvd} than is supported here: {what}",
        "What the VPN wants by these does not happen inside its PvD.",
        "Leave them out, or do by other means what they are for.",
        "a bound of this program",
    ),
    # The records themselves.
    Kind(
        "time-jump",
        "notice",
        "a packet is dated more than a day ahead of its neighbours; it counts at their time",
        "The clock of the capturing machine jumped, or the file is damaged.",
        "Check the file; nothing was heard at that date.",
        "a judgement of this program",
    ),
    Kind(
        "heard-unattached",
        "notice",
        "packets came on {link} after its attachment ended; they are evidence and make no PvD",
        "The link had no carrier, or the record of its return is missing.",
        "Check that link events are recorded as well as packets.",
        "RFC 7556 §2.1",
    ),
)

BY_CODE: Final = {kind.code: kind for kind in CATALOGUE}


def sentence(code: str, **said: object) -> str:
    """What a finding says. Raises KeyError for a code or a field that is not in the catalogue."""
    return BY_CODE[code].sentence.format(**said)
