"""What the operator says of PvDs: `internet`, `free`, any word; by globs on the PvD, a prefix it holds, or its link.

Law: nothing is stored with a PvD. Rules come in a record (PropertiesSet) and are asked when somebody reads, so that a
PvD that comes later, or gets another prefix, has what is said of it from that instant on.

A value is equal only to one of its own type, and a PvD without a property never matches a question for it: `free` does
not match `not free`, and nothing matches what nobody said (prior_art.md 6.4, bug 21).
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from events.ids import PvdId
from events.operator import PropertyRule
from pvdcore.domains import view
from pvdcore.domains.trust import domains
from pvdcore.prefixes import covers
from pvdcore.state import Cell, State

Property = str | int | float | bool


def properties(state: State, pvd: PvdId) -> dict[str, Property]:
    """The properties of a PvD, by name in order; {} for one that no rule speaks of. KeyError if it was never held.

    Two links with one name are one PvD only where they are trusted (pvdcore/trust.py): else what a rule says of the one
    is not said of the other, and what is not said of all of them not of the name.
    """
    found = state.pvds[pvd]
    cells = [cell for cell, _ in found.instances]
    said = [_said(state, pvd, [cell for cell in cells if cell[:2] in one]) for one in domains(state, found)]
    if not said:
        said = [_said(state, pvd, cells)]
    return {
        name: value for name, value in sorted(said[0].items()) if all(matches(other, {name: value}) for other in said)
    }


def _said(state: State, pvd: PvdId, cells: list[Cell]) -> dict[str, Property]:
    links = sorted({cell[0] for cell in cells})
    prefixes: list[str] | None = None
    found: dict[str, Property] = {}
    for rule in state.properties:
        if rule.pvd and not fnmatchcase(pvd, rule.pvd):
            continue
        if rule.link and not any(fnmatchcase(link, rule.link) for link in links):
            continue
        if rule.prefix:
            if prefixes is None:
                prefixes = [
                    held.key for cell in cells for _, held in view.items(state, pvd, cell) if held.kind == "prefix"
                ]
            if not any(_covers(rule, prefix) for prefix in prefixes):
                continue
        found.update(rule.values)
    return found


def matches(has: Mapping[str, Property], wanted: Mapping[str, Property]) -> bool:
    """Whether all that is wanted is there, with that value and of that type."""
    return all(name in has and type(has[name]) is type(one) and has[name] == one for name, one in wanted.items())


def _covers(rule: PropertyRule, prefix: str) -> bool:
    """Whether a rule is about a prefix: about one around it, in which host bits count as nothing, or by a glob."""
    try:
        return covers(rule.prefix, prefix)
    except ValueError:
        return fnmatchcase(prefix, rule.prefix)
