"""Part E of the standards reference: for each entry of it the one outcome that is right, and the tests that prove it.

Law: every entry from 1 to 100 is a row, and names its tests by FILE::FUNCTION under tests/. An open row says what
nothing proves yet; its tests claim one part of it only. tests/wire/test_outcomes.py holds the table to that.

Five outcomes there are. `rejected`: the message is a FrameRejected, or a Refusal, and nothing of it is used. `ignored`:
one option or item of it goes, with a reason, and the rest stands. `said`: it is good, or no one can know better here;
the event says what stood on the wire. `folded`: the State that results. `bounded`: it ends in time and memory that do
not grow with what is claimed. `none`: it is none of ours. The row in the table file has the octets of each variant.
"""

from typing import Final, NamedTuple

_ND: Final = ("wire/test_hostile.py::test_a_hostile_packet_has_its_one_outcome",)
_DHCP4: Final = ("wire/test_hostile_dhcp.py::test_dhcp4",)
_DHCP6: Final = ("wire/test_hostile_dhcp.py::test_dhcp6",)
_NETLINK: Final = ("wire/test_rtnl.py::test_each_message_has_its_one_outcome",)
_JSON: Final = ("wire/test_pvdinfo.py::test_each_body_has_its_one_outcome",)
_SEQUENCES: Final = "core/test_hostile_sequences.py::test_"
_CONFLICTS: Final = "core/test_conflicts.py::test_"
_CAPTURES: Final = "replay/test_captures.py::test_"
_FETCHED: Final = ("core/test_info.py::test_a_hostile_answer_ends_what_it_must_and_nothing_else",)
_FETCH: Final = "which kind of failure a variant is, decides whoever retrieves the object, which is not built yet"


class Row(NamedTuple):
    """outcome: what is right, in one line. tests: what proves it. open: what of it nothing does."""

    outcome: str
    tests: tuple[str, ...] = ()
    open: str = ""


OUTCOMES: Final[dict[int, Row]] = {
    # ICMPv6 and RAs
    1: Row("rejected: ip-header, message-length; none before the type is there", _ND),
    2: Row("rejected under 16 octets; said at 16", _ND),
    3: Row("rejected: hop-limit", _ND),
    4: Row("rejected: source-not-link-local, but for any address of fe80::/10", _ND),
    5: Row("rejected: code", _ND),
    6: Row("rejected: checksum; an odd length is rejected for what is left over, not for its sum", _ND),
    7: Row("rejected: fragment, atomic too; none for a later fragment", _ND),
    8: Row("said behind extension headers; rejected: extension-headers, extension-overrun", _ND),
    9: Row("rejected: ip-length; truncated-capture if the capture did it; padding is not read", _ND),
    10: Row("rejected: option-length-zero, wherever it stands", _ND),
    11: Row("rejected: option-overrun", _ND),
    12: Row("rejected: option-stray", _ND),
    13: Row("rejected: option-count, in bounded time",
            (*_ND, "wire/test_bounded.py::test_work_and_memory_are_linear_in_what_came")),
    14: Row("said: reserved bits are kept and mean nothing, the reserved preference is told as such", _ND),
    15: Row("ignored: option-length, lla-zero; repeats are said", _ND),
    16: Row("ignored: by length, width, lifetimes or kind of prefix; host bits are cleared", _ND),
    17: Row("said: which prefix forms addresses is the fold's to judge", _ND),
    18: Row("ignored: mtu-small, option-length; said from 1280 on", _ND),
    19: Row("ignored: option-length, prefix-length, route-preference; lifetime 0 and infinity are said", _ND),
    20: Row("ignored: option-length, address-not-unicast, no-address; loopback alone is left out", _ND),
    21: Row("ignored: the whole list for one bad name", _ND),
    22: Row("ignored: uri-empty, uri-characters, uri-scheme, uri-syntax", _ND),
    23: Row("ignored: option-length, pref64-length-code, prefix-multicast; bits past the prefix are cleared", _ND),
    24: Row("ignored: dnr-…, svc-…, name-…; seven octets of padding or fewer are no fault", _ND),
    25: Row("ignored: the second; a longer one is read as far as we know it", _ND),
    # PvD options
    26: Row("rejected: pvd-name-unterminated", _ND),
    27: Row("rejected: pvd-name-label, pvd-name-compressed", _ND),
    28: Row("rejected: pvd-name-unterminated, though octets follow the option", _ND),
    29: Row("rejected: pvd-name-too-long at 256; said at 255 and of 127 labels", _ND),
    30: Row("rejected: pvd-name-root", _ND),
    31: Row("said, with every odd octet as \\DDD", _ND),
    32: Row("rejected: pvd-header-missing", _ND),
    33: Row("said: the inner type, code and checksum mean nothing", _ND),
    34: Row("said: both headers, each with its own", _ND),
    35: Row("rejected: pvd-option-length-zero, pvd-option-overrun", _ND),
    36: Row("ignored: nested-pvd, nested-mif, with all that is in them", _ND),
    37: Row("ignored: duplicate-pvd after the first; rejected if the first is malformed", _ND),
    38: Row("said: 256 and 2040 octets; rejected: option-count over all containers", _ND),
    39: Row("said: reserved bits and padding mean nothing", _ND),
    40: Row("said: case variants are one id; folded: ids over the bound are refused",
            (*_ND, "core/test_router_pvds.py::test_pvds_beyond_the_bound_are_refused_and_those_held_are_not")),
    41: Row("said; folded: the prefix is in both PvDs, addresses follow the last RA",
            (*_ND, "test_scenarios.py::test_a_story_is_told_as_it_is_written")),
    42: Row("said; folded: DHCP data is owned anew at each change",
            (*_ND, "test_scenarios.py::test_a_story_is_told_as_it_is_written")),
    43: Row("said; folded: a PvD is the union of its RAs, each item with its own end",
            (*_ND, "core/test_router_pvds.py::test_a_pvd_split_over_several_ras_is_their_union")),
    44: Row("ignored: not-in-this-message", _ND),
    45: Row("ignored: the container, by what is wrong with its id", _ND),
    46: Row("rejected: mif-option-overrun, mif-option-length-zero", _ND),
    # DHCPv4
    47: Row("rejected: dhcp4-too-short, dhcp4-magic, dhcp4-no-message-type; no END is noted", _DHCP4),
    48: Row("rejected: dhcp4-option-header, dhcp4-option-length; ignored: a length the option cannot have", _DHCP4),
    49: Row("rejected: dhcp4-hlen, dhcp4-htype, dhcp4-op, dhcp4-op-message", _DHCP4),
    50: Row("folded: no lease without the question it answers",
            (_SEQUENCES + "an_answer_to_a_question_we_did_not_hear_is_no_lease",)),
    51: Row("rejected: message type, lease 0; said: what a server leaves out or turns round", _DHCP4),
    52: Row("ignored: overload-nested, value; said: fields full of padding", _DHCP4),
    53: Row("said: fragments joined in order; ignored: too-long", _DHCP4),
    54: Row("ignored: route-…; said: a default route alone", _DHCP4),
    55: Row("ignored: name-…, pointers must lead back", _DHCP4),
    56: Row("ignored: dnr-…, the bad instance alone", _DHCP4),
    57: Row("ignored: length, not-in-nak; said: 0 and 0xffffffff", _DHCP4),
    58: Row("ignored: mask-not-contiguous, mask-zero; rejected: dhcp4-yiaddr", _DHCP4),
    59: Row("ignored: length, host-name, characters, uri-…", _DHCP4),
    60: Row("rejected: udp-length, ip-length, ip-fragment; a wrong UDP checksum is noted",
            ("wire/test_carrier.py::test_a_dhcp4_message_that_is_not_whole",
             "wire/test_carrier.py::test_a_dhcp6_message_that_is_not_whole",
             _SEQUENCES + "a_wrong_udp_checksum_counts_unless_policy_rejects_it")),
    # DHCPv6
    61: Row("rejected: dhcp6-too-short, dhcp6-message-type, dhcp6-option-header", _DHCP6),
    62: Row("rejected: dhcp6-option-length, dhcp6-option-count", _DHCP6),
    63: Row("ignored: length, nested-length, t1-after-t2", _DHCP6),
    64: Row("ignored: length, preferred-after-valid, not-unicast", _DHCP6),
    65: Row("ignored: prefix-length; host bits are cleared", _DHCP6),
    66: Row("rejected: dhcp6-relay-nesting, dhcp6-relay-no-message", _DHCP6),
    67: Row("ignored: duplicate, length", _DHCP6),
    68: Row("ignored: length; said: any code, text made printable", _DHCP6),
    69: Row("ignored: value, length", _DHCP6),
    70: Row("ignored: length, name-…", _DHCP6),
    71: Row("rejected: dhcp6-no-server-id; said: what is unauthenticated is told as such", _DHCP6),
    72: Row("ignored: uri-characters, dnr-truncated", _DHCP6),
    # Netlink, captures, link layers
    73: Row("rejected: netlink-…; an overrun is an event; unknown types and nests say nothing", _NETLINK),
    74: Row("rejected: netlink-options, netlink-ifindex, netlink-missing; a name used again is another link", _NETLINK),
    75: Row("said: sightings need no order; rejected: netlink-next-hops", _NETLINK),
    76: Row("the packets before the damage are answered, and the damage is named",
            (_CAPTURES + "a_hostile_file_is_read_to_its_damage", _CAPTURES + "no_octets_raise")),
    77: Row("rejected: vlan-depth; none of an unknown link type or protocol 0",
            (*_ND, _CAPTURES + "an_unknown_link_type_is_counted_and_named")),
    # Additional Information
    78: Row("rejected: the one rule of I-JSON it breaks, before anything recurses or grows", _JSON),
    79: Row("rejected: expires-form, expires-type, expired; year 9999 is the last instant before never",
            (*_JSON, "wire/test_pvdinfo.py::test_an_object_is_good_until_the_instant_it_names_and_not_at_it")),
    80: Row("rejected: prefixes-…; said: host bits cleared and ::/0, each with a note",
            (*_JSON, "wire/test_pvdinfo.py::test_every_prefix_announced_must_be_inside_one_that_is_listed")),
    81: Row("rejected: identifier-…; ignored: optional keys of a wrong type",
            (*_JSON, "wire/test_pvdinfo.py::test_an_object_is_about_the_pvd_it_names")),
    82: Row("rejected: over the bound, to another scheme, to a literal that is not of that PvD", _FETCHED, _FETCH),
    83: Row("rejected: the certificate, the status, the length; bounded in time", _FETCHED, _FETCH),
    84: Row("rejected as a failure of transport; bounded", _FETCHED, _FETCH),
    # Sequences
    85: Row("folded: repeats are one state, time never goes back, a wake-up is no event", (
        _SEQUENCES + "the_same_packet_twice_is_the_same_state",
        _SEQUENCES + "a_packet_that_comes_late_counts_from_when_it_came",
        _SEQUENCES + "a_timer_without_its_cause_or_after_it_or_backwards_changes_nothing")),
    86: Row("folded: each link has its epochs; nothing is learned without an attachment", (
        _SEQUENCES + "a_thousand_interfaces_come_and_go_in_a_second",
        _SEQUENCES + "an_attachment_that_never_began_can_end",
        _SEQUENCES + "an_ack_after_the_end_of_the_attachment_is_no_lease")),
    87: Row("folded: a sum over the last instant is never; the last lifetime counts, without a version", (
        _SEQUENCES + "an_end_past_the_last_instant_is_never",
        _SEQUENCES + "lifetimes_that_shrink_and_grow_with_each_packet_make_no_version")),
    88: Row("folded: discarded, the answer names its PvD, epoch, sequence and request",
            ("core/test_info.py::test_a_late_result_is_discarded",)),
    89: Row("rejected: target-multicast, na-solicited-multicast, source-lla-…; said: R, S and O as sent", _ND),
    90: Row("rejected: message-length, redirect-…; said: who is the first hop is the fold's to know", _ND),
    91: Row("ignored: not-in-this-message", _ND),
    92: Row("ignored: address-not-unicast voids the option; rejected: option-length-zero", _ND),
    93: Row("folded: the next header ends a default route option; the last of two options counts", (
        _SEQUENCES + "a_default_route_option_beside_lifetime_zero_lasts_until_the_next_header",
        _SEQUENCES + "of_two_options_for_one_route_the_last_counts",
        _SEQUENCES + "a_router_that_says_it_is_none_takes_its_routes_along")),
    94: Row("folded: another length is another prefix; two hours are kept to the second", (
        _SEQUENCES + "the_same_bits_of_another_length_are_another_prefix",
        _SEQUENCES + "the_two_hours_to_the_second")),
    95: Row("folded: own echoes and resolvers are none, a foreign probe or NA is a duplicate", (
        _SEQUENCES + "what_ends_no_tentative_address",
        _SEQUENCES + "anothers_probe_ends_a_tentative_address_before_and_after_our_own",
        "core/test_addresses.py::test_a_duplicate_of_the_hardware_address_turns_ipv6_off_and_a_random_one_does_not")),
    96: Row("rejected: dhcp4-no-server-id; ignored: not-in-nak, value; said: what only its exchange can judge", _DHCP4),
    97: Row("ignored: name-…, length; pointers count in the joined option", _DHCP4),
    98: Row("said: probes, announcements, foreign speakers; folded: a lease is defended once in ten seconds", (
        *_ND,
        _CONFLICTS + "whoever_speaks_as_an_address_that_is_probed_ends_it_at_once",
        _CONFLICTS + "ones_own_words_are_no_conflict_whichever_way_they_come_back",
        _CONFLICTS + "an_address_in_use_is_defended_once_in_ten_seconds",
        _CONFLICTS + "what_is_no_conflict_in_use",
        _CONFLICTS + "from_the_tenth_conflict_on_one_address_a_minute_is_tried")),
    99: Row("said: what only its exchange can judge; ignored: duplicate, length", _DHCP6),
    100: Row("rejected: dhcp6-reconfigure-multicast, dhcp6-reconfigure-message, dhcp6-no-client-id",
             (*_DHCP6, "wire/test_hostile_dhcp.py::test_a_reconfigure_is_for_one_host")),
}  # fmt: skip
