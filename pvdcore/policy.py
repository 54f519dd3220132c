"""The knobs: every judgement the standards leave open, in one table (standards.md `[J]`, D.3).

Law: a knob is named, justified and defaulted here and nowhere else. Its value arrives in a PolicySet record and lives
in the State, so a later change takes effect from its record on and a replay knows what was in force.
"""

from fnmatch import fnmatchcase
from typing import Final

import msgspec

Value = str | int | float | bool | None
DIGITS_MAX: Final = 10  # of a number: lifetimes on the wire have 32 bits


class Knob(msgspec.Struct, frozen=True):
    """One policy. rows: the requirement rows it serves. choices: allowed words; () for a number or a truth value."""

    name: str
    default: Value
    rows: tuple[str, ...]
    doc: str
    choices: tuple[str, ...] = ()


KNOBS: Final[tuple[Knob, ...]] = (
    Knob("aware", True, ("rfc:P22",), "PvD-aware; off folds as a classic host: options 21 and 63 are skipped whole"),
    Knob("mif", True, ("acc:AR7", "feat:A6"), "containers of the MIF drafts (63/64) make PvDs of their own"),
    Knob("strict_o", False, ("rfc:P31",), "stateless DHCPv6 data only where O is set, not where M implies it"),
    Knob("cease_on_outer_zero", False, ("rfc:P04",), "an outer router lifetime 0 ends the router although R is set"),
    Knob("soft_lifetime_s", 1800, ("rfc:A11",), "how long an RA lives that carries nothing with a lifetime"),
    Knob("two_hour_rule", True, ("rfc:S07", "rfc:S09"), "an unauthenticated PIO can't cut an address below two hours"),
    Knob("identifier", "stable", ("rfc:S14", "rfc:S28"), "how addresses are formed", ("stable", "eui64", "none")),
    Knob("temporary", False, ("rfc:S15", "rfc:S24"), "temporary addresses beside the stable ones (RFC 8981)"),
    Knob("honor_p", False, ("rfc:S16",), "no address of a prefix that wants delegation (P flag); we delegate none"),
    Knob("dad", "optimistic", ("rfc:S11", "rfc:S17"), "when a new address is used", ("optimistic", "wait", "off")),
    Knob("rio", True, ("rfc:R14",), "Route Information is routed by; off: recorded only (a host of type B)"),
    Knob("src_router_fallback", False, ("rfc:Q04",), "a source whose own routers are gone may use its PvD's others"),
    Knob("udp_checksum", "accept", ("evil:E60",), "DHCP with a wrong UDP checksum", ("accept", "reject")),
    Knob("fallback", "link", ("rfc:P34", "rfc:P48"), "DHCP data no RA takes: one PvD a link", ("link", "protocol")),
    Knob("captive_portal", "ra", ("rfc:F10",), "whose portal counts first", ("ra", "dhcp4", "dhcp6", "newest")),
    Knob("lease_settle_ms", 1000, ("rfc:P47", "rfc:P49"), "a lease is placed so long after it came, or at an RA"),
    Knob("arp_defence", "once", ("rfc:V31",), "how often a leased address is kept in a conflict", ("once", "always")),
    Knob("v6only_wait_max_s", 86_400, ("rfc:F37",), "the longest that option 108 may have a client do without IPv4"),
    Knob("rdnss_max", 64, ("rfc:D04",), "resolvers, and search names, of one instance; what ends first makes way"),
    Knob("prefixes_max", 64, ("feat:R3",), "prefixes of one instance"),
    Knob("routes_max", 512, ("feat:R3",), "routes of one instance"),
    Knob("pref64_max", 16, ("feat:R3",), "NAT64 prefixes of one instance"),
    Knob("dnr_max", 64, ("feat:R3",), "encrypted resolvers of one instance"),
    Knob("bucket_frames", 100, ("feat:R3",), "RAs of unknown routers let in at once on a link; live only"),
    Knob("bucket_rate", 20, ("feat:R3",), "and so many a second after that; live only"),
    Knob("routers_per_link_max", 64, ("feat:R3",), "routers heard on one link; further ones are refused"),
    Knob("pvds_per_link_max", 64, ("feat:R3",), "explicit PvDs on one link; further ones are refused"),
    Knob("pvds_max", 256, ("feat:R3",), "explicit PvDs alive at once"),
    Knob("exchanges_max", 256, ("feat:R3",), "DHCP exchanges in flight on one link; the oldest is forgotten"),
    Knob("visits_max", 64, ("feat:R3",), "visits that are over, kept to know a network again; the oldest goes"),
    Knob("marks_max", 64, ("feat:R3",), "marks by which one visit's network is known again"),
    Knob("info_first_delay", True, ("rfc:P91",), "the first request for information waits too where Delay is over 0"),
    Knob("info_keep_fresh", False, ("rfc:P93", "rfc:P109"), "information is wanted anew before it expires"),
    Knob("info_age_max_s", 2_592_000, ("rfc:P117",), "how old information may get whatever its `expires` says"),
    Knob("trusted", "", ("rfc:A13", "rfc:A04"), "ids that may be trusted, once an object of theirs was retrieved here"),
    Knob("trusted_links", "", ("rfc:A13",), "links, by glob, whose attachments are trusted, and all PvDs on them"),
    Knob("ignored", "", ("rfc:P21",), "PvDs, by glob on their ids, that are tracked and not used"),
    Knob("lookup", "one", ("rfc:A07",), "how many PvDs are asked for a name", ("one", "several")),
    Knob(
        "resolvers_only",
        "",
        ("rfc:A20",),
        "PvDs, by glob, that alone resolve names nobody bound; resolvers configured for others are refused",
    ),
    Knob(
        "rdnss_selection",
        "off",
        ("rfc:G02", "rfc:A19"),
        "whose rules of RFC 6731 count: of trusted PvDs, or of all since answers are validated (DNSSEC)",
        ("off", "trusted", "validated"),
    ),
    Knob("autoconnect", "own", ("feat:B1",), "whose profiles we activate ourselves", ("own", "all", "none")),
    Knob("expected_wait_s", 5, ("problem:6",), "how long an expected PvD may come after others, before that is told"),
    Knob("vpn_tunnel", "leave", ("feat:C5",), "where a tunnel stands: where its client made it", ("leave", "move")),
    Knob("linger_max_s", 0, ("feat:L5",), "how long processes keep the place of an ended PvD; 0: while they run"),
    Knob("projection", "none", ("acc:AM4",), "what is written for links of no rule", ("none", "netns", "tables")),
)

BY_NAME: Final = {knob.name: knob for knob in KNOBS}


class PolicyError(ValueError):
    """A policy that can't be: the message says what to type instead."""


def check(name: str, value: object) -> Value:
    """A value for a knob in the knob's own type, from text too (`--set aware=off`). Raises PolicyError."""
    knob = BY_NAME.get(name)
    if knob is None:
        raise PolicyError(f"no policy is named {name!r}; there are: {', '.join(sorted(BY_NAME))}")
    if isinstance(knob.default, bool):
        words = {"on": True, "off": False, "true": True, "false": False, "yes": True, "no": False}
        word = words.get(str(value).lower())
        if word is None:
            raise PolicyError(f"policy {name} is on or off, not {value!r}")
        return word
    if isinstance(knob.default, int):
        digits = str(value)
        if not digits.isascii() or not digits.isdigit() or len(digits) > DIGITS_MAX:
            raise PolicyError(f"policy {name} is a whole number, not {value!r}")
        return int(digits)
    if knob.choices and value not in knob.choices:
        raise PolicyError(f"policy {name} is one of {', '.join(knob.choices)}, not {value!r}")
    return str(value)


class Policy(msgspec.Struct, frozen=True):
    """The values in force. Unknown names (of a later program) are kept and mean nothing. projections: of links whose
    name matches a glob, the first that does."""

    values: dict[str, Value]
    projections: tuple[tuple[str, str], ...] = ()

    def on(self, name: str) -> bool:
        """A truth value."""
        return bool(self.values.get(name, BY_NAME[name].default))

    def number(self, name: str) -> int:
        """A number."""
        value = self.values.get(name, BY_NAME[name].default)
        assert isinstance(value, (int, float))
        return int(value)

    def word(self, name: str) -> str:
        """A word."""
        return str(self.values.get(name, BY_NAME[name].default))

    def projection(self, link: str) -> str:
        """What is written for PvDs on a link of this name."""
        chosen = (word for glob, word in self.projections if fnmatchcase(link, glob))
        return next(chosen, self.word("projection"))

    def projects(self) -> bool:
        """Whether anything is written on any link."""
        return any(word != "none" for word in (self.word("projection"), *(word for _, word in self.projections)))


DEFAULT: Final = Policy(values={knob.name: knob.default for knob in KNOBS})
