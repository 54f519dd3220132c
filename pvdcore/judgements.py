"""What the standards leave open and no knob changes: what was chosen, and why nobody wants it otherwise.

Law: a judgement is a knob (pvdcore/policy.py) or stands here; docs/policies.md is made of both, and a test sees to it
that each names rows that tests cover. The decoders know no policy, so theirs all stand here: where a site may want it
otherwise, the event says what stood on the wire, and a knob of the fold decides.
"""

from typing import Final

import msgspec


class Judgement(msgspec.Struct, frozen=True):
    """One choice. rows: the requirement rows that leave it open. why: what another choice would break."""

    name: str
    rows: tuple[str, ...]
    choice: str
    why: str


JUDGEMENTS: Final[tuple[Judgement, ...]] = (
    # Which PvD
    Judgement(
        "malformed-pvd-option",
        ("rfc:P06", "rfc:P24", "rfc:P25"),
        "an RA whose first PvD option is malformed (framing, name, nested options) is refused whole",
        "half a PvD is worse than a missed RA, and to go on without the option would put what is explicit into the"
        " implicit PvD",
    ),
    Judgement(
        "dhcp6-longest-prefix",
        ("rfc:P35",),
        "of several PvDs with M and a prefix that holds an address, the longest prefix has it, then the latest RA",
        "the most specific announcement is about this address; the tie is told as a finding",
    ),
    Judgement(
        "dhcp6-no-match",
        ("rfc:P33",),
        "an address that no prefix holds belongs to all implicit PvDs of its link",
        "the standard allows any of them or several, and leaves none out without a reason",
    ),
    Judgement(
        "delegated-prefix",
        ("rfc:P38",),
        "a delegated prefix that no announced one holds is of the only PvD with M or the P flag, else as addresses are",
        "delegation is what these flags promise",
    ),
    Judgement(
        "dead-claims",
        ("rfc:P41", "rfc:P53"),
        "what has lapsed claims nothing: neither a prefix an address, nor a PvD by L a lease",
        "a router that is gone would hold a lease for ever",
    ),
    Judgement(
        "any-router-claims",
        ("rfc:P54",),
        "a PvD claims the DHCPv4 lease while any of its routers sets L",
        "two routers that differ would otherwise move the lease at each RA",
    ),
    Judgement(
        "equal-names",
        ("rfc:P20", "rfc:A04"),
        "equal ids on two links are one PvD where both are trusted, and else share nothing but the name",
        "anybody can announce a name",
    ),
    Judgement(
        "portal-moves-along",
        ("rfc:F14",),
        "a captive portal is of the PvD of what said it, and moves with the lease",
        "a portal is a property of the network that one gets by that lease",
    ),
    # RAs
    Judgement(
        "route-twice",
        ("rfc:R13",),
        "two routes to one prefix in one RA are taken in order, so the last one stays",
        "the order is all that an RA says; it is told as a finding",
    ),
    Judgement(
        "withdrawn-unknown",
        ("rfc:D01",),
        "a lifetime of 0 for a resolver or name that is not held makes nothing",
        "RFC 8106 §6.2 d read literally would store it, to be removed in the same instant",
    ),
    Judgement(
        "resolver-without-router",
        ("rfc:D07",),
        "a resolver stays for its own lifetime though its router is no default router any more",
        "its lifetime is independent by RFC 8106 §6.1, and it may be on the link",
    ),
    Judgement(
        "resolver-loopback",
        ("rfc:D09",),
        "loopback and mapped addresses of a resolver option drop out alone",
        "the option keeps the RFC's own rules; these are of no use to anybody, and no reason to lose the others",
    ),
    Judgement(
        "advertised-no-router",
        ("rfc:N16",),
        "a Neighbor Advertisement without R ends a router, and the routes by it, unless it has another MAC and O is 0",
        "such a one may be anybody's; RFC 4861 §7.2.5 does not touch the cache for it, either",
    ),
    Judgement(
        "redirect-in-its-pvd",
        ("rfc:N24", "rfc:Q05"),
        "a Redirect counts in the PvD whose router sent it, and for its source and destination",
        "a router of one PvD has no say in another",
    ),
    Judgement(
        "address-twice",
        ("rfc:S21",),
        "an address that SLAAC and DHCPv6 give lives while one of them does",
        "RFC 4862 §5.6 unites what both say",
    ),
    # DHCP
    Judgement(
        "lease-from-request",
        ("rfc:V07",),
        "a lease counts from the REQUEST that was answered, with rapid commit from the DISCOVER; else from the ACK",
        "the wording allows the DISCOVER for all; the later one is what the server answered",
    ),
    Judgement(
        "server-of-the-request",
        ("rfc:V32",),
        "an ACK without 54 is of the server that the REQUEST named, or of the lease's",
        "RFC 2132 lets it out, and renewals need one",
    ),
    Judgement(
        "timers-out-of-order",
        ("rfc:V05", "rfc:W28"),
        "T1 and T2 that are out of order, or left to the client, are the defaults: 0.5 and 0.875 of a lease, in DHCPv6"
        " 0.5 and 0.8 of the shortest preferred lifetime",
        "the order must hold, and no other values are known",
    ),
    Judgement(
        "unverified-lease",
        ("rfc:V28",),
        "a lease that its client asks for anew after a restart is unverified and ends when it would have",
        "it may be used to its end, and nothing prolongs it",
    ),
    Judgement(
        "hostname-in-its-pvd",
        ("rfc:V24",),
        "what a network calls the host is said in its PvD and set nowhere",
        "a host has one name, and networks many",
    ),
    Judgement(
        "options-without-lease",
        ("rfc:W30",),
        "what comes beside leases in a Reply that gives none goes where stateless data goes",
        "the resolvers work whether there are addresses or not",
    ),
    Judgement(
        "misplaced-option",
        ("rfc:W04",),
        "a DHCPv6 option in a message where it means nothing is ignored, the message is not",
        "RFC 8415 §16 allows both; the rest of the message is good",
    ),
    # Names and information
    Judgement(
        "longest-rule",
        ("rfc:G01",),
        "of the resolvers whose rules are about a name the one with the longest domain is asked first",
        "RFC 6731 has no rule for it, and the narrowest is about this very name",
    ),
    Judgement(
        "names-stay-inside",
        ("rfc:G04",),
        "a lookup in one PvD goes to no resolver of another",
        "RFC 7556 §5.2.1; the rules of RFC 6731 know interfaces only",
    ),
    Judgement(
        "information-without-h",
        ("rfc:P71", "rfc:P107"),
        "an RA without H drops the object, and leaves the sequence number remembered",
        "without H there is no object, and its number is sent as 0",
    ),
    Judgement(
        "transport-failures",
        ("rfc:P102",),
        "a request that did not get through is made again, ever later, five times, and counts as no failure",
        "RFC 8801 §4.1 counts what a server answers",
    ),
    Judgement(
        "uncovered-prefix",
        ("rfc:P103",),
        "an object that does not cover an announced prefix is void and counts as no failure; it is wanted again when"
        " the prefixes change",
        "it is well formed, and the fault may be the router's",
    ),
    Judgement(
        "expired-object",
        ("rfc:P104",),
        "an object that has expired when it comes is not used and counts as no failure",
        "a wrong clock is likelier than an attack",
    ),
    # Reading octets
    Judgement(
        "nd-checksum",
        ("rfc:N03",),
        "a wrong ICMPv6 checksum is rejected, offline too",
        "what is received is always summed; the frame is kept, so it can be read again",
    ),
    Judgement(
        "cut-capture",
        ("evil:E9",),
        "a packet that the capture cut is `truncated-capture`, before any other rule",
        "it is the capture's fault, and nothing in it is whole",
    ),
    Judgement(
        "options-end",
        ("rfc:N05",),
        "options that do not end exactly where their message does are no message",
        "RFC 4861 §6.1.2 names the length 0 only; what runs over is read by nobody, or beyond the end",
    ),
    Judgement(
        "mif-id-types",
        ("bug:8", "evil:E45"),
        "a MIF id of type 1 or 4 is taken and its type told; a container with the S bit, or without one id, is ignored",
        "there are two senders with one meaning, and nobody implements the signature",
    ),
    Judgement(
        "mtu-of-the-link",
        ("rfc:N15",),
        "an MTU under 1280 is ignored, and one over the link's is told and not used",
        "a link cannot carry it",
    ),
    Judgement(
        "route-option-lengths",
        ("rfc:R02", "rfc:R05"),
        "a route option of a wrong length, or of preference 10, is ignored",
        "RFC 4191 §2.3 demands it for the preference; what the length leaves out can only be guessed",
    ),
    Judgement(
        "prefix-contradicts-itself",
        ("rfc:S02",),
        "a prefix that is preferred for longer than valid, or link-local, is ignored whole, on-link part too",
        "the kernel does so, and the sender contradicts itself",
    ),
    Judgement(
        "search-list-whole",
        ("rfc:D10",),
        "one bad name voids the whole search list of an RA",
        "a cut name as a search suffix is a danger",
    ),
    Judgement(
        "encrypted-dns-by-name",
        ("rfc:F25", "rfc:F27"),
        "a designated resolver without a usable address is kept by its name; in DHCPv4 a bad instance goes alone",
        "its name can still be asked for",
    ),
    Judgement(
        "dhcp4-nonsense",
        ("rfc:V13", "evil:E58"),
        "overload 0 or over 3, and a mask that is 0 or has holes, are ignored; an ACK for 0 seconds is rejected",
        "nothing could be configured from them",
    ),
    Judgement(
        "classless-routes-unreadable",
        ("rfc:V15",),
        "a 121 that cannot be read is ignored, and 3 and 33 count",
        "RFC 3442 gives 121 precedence only where it is there",
    ),
    Judgement(
        "dhcp6-single-option-twice",
        ("rfc:W14",),
        "of a DHCPv6 option that may stand once the first counts",
        "RFC 8415 §21 forbids to join them, and leaves open which counts",
    ),
    Judgement(
        "information-read-kindly",
        ("evil:E80", "rfc:P115"),
        "in an object host bits are cleared, `::/0` is accepted, and optional keys of a wrong type are left out",
        "what is mandatory is read strictly; the rest is advice",
    ),
    Judgement(
        "overrun-told",
        ("feat:A11",),
        "a netlink overrun is an event, and what was missed is listed again",
        "what is not known to be lost is believed",
    ),
    Judgement(
        "arp-that-is-kept",
        ("evil:E98",),
        "of ARP probes, announcements and their answers are kept, else only who speaks as an address leased to another",
        "the rest is ordinary traffic; a journal would drown in it",
    ),
)

BY_NAME: Final = {one.name: one for one in JUDGEMENTS}
