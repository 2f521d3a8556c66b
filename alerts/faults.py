"""Finds the rules that make the judging of a datasource raise, so that the others go on. Pure."""

from collections.abc import Callable

import msgspec

from alerts.held import Held, described

MAX_TRIES = 500
"""Of rules by themselves or in groups; beyond, a group that raises is taken for faulty as a whole."""


def find_faulty(held: Held, judge: Callable[[Held], object]) -> dict[int, str]:
    """Return by number the rules with which `judge` raises, and what, by halving."""
    found: dict[int, str] = {}
    groups, tries = [held.rules], 0
    while groups:
        group, tries = groups.pop(), tries + 1
        try:
            judge(msgspec.structs.replace(held, rules=group))
        except Exception as exc:
            if len(group) == 1 or tries >= MAX_TRIES:
                found |= {rule.rule_no: described(exc) for rule in group}
            else:
                half = len(group) // 2
                groups += [group[:half], group[half:]]
    return found


def without(held: Held, faulty: dict[int, str]) -> Held:
    """Return what is held with some rules left out."""
    rules = [rule for rule in held.rules if rule.rule_no not in faulty]
    return msgspec.structs.replace(held, rules=rules)
