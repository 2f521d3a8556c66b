"""What a condition means: an interval of values, or all values outside one.

Every condition is `(low <= value <= high) != inverted`, so the evaluator compares all rules in one
sweep whatever their conditions are. Text is compared by its code, a rate as any number.
"""

import math
from collections.abc import Mapping

import msgspec

from alerts.rules import Escalation, Part, Spec, Threshold, is_number, kind_of


class Interval(msgspec.Struct, frozen=True):
    """Values from low to high, both included; inverted: all others."""

    low: float
    high: float
    inverted: bool = False


NEVER = Interval(math.inf, -math.inf)
ALWAYS = Interval(math.inf, -math.inf, inverted=True)


class Limit(msgspec.Struct, frozen=True):
    """The values that begin something and, widened to the clear threshold, those that keep it."""

    breach: Interval
    persists: Interval


NO_LIMIT = Limit(NEVER, NEVER)


def limit_of(question: Spec | Part, codes: Mapping[str, int]) -> Limit:
    """Return what a simple rule or a part warns of; `codes` are those of the datasource's texts."""
    condition = question.condition
    if condition is None or condition == "no_data":
        return NO_LIMIT
    threshold = _number(question.threshold, codes)
    if threshold is None:  # a text that no reading has held: equal to none of them
        breach = ALWAYS if condition == "not_equal_to" else NEVER
        return Limit(breach, breach)
    return _limit(condition, threshold, question.threshold_high, question.clear_threshold)


def step_limit(spec: Spec, step: Escalation) -> Limit:
    """Return the values past which a rule's alert is of the step's severity."""
    return _limit(spec.condition or "", step.threshold, None, step.clear_threshold)


def comparable(question: Spec | Part, kind: str | None) -> bool:
    """Return whether a key of this kind can be judged: a code must not be compared as a number."""
    return question.condition == "no_data" or kind == kind_of(question.threshold)


def _limit(condition: str, threshold: float, high: float | None, clear: float | None) -> Limit:
    breach = _interval(condition, threshold, high)
    return Limit(breach, breach if clear is None else _interval(condition, clear, None))


def _number(threshold: Threshold | None, codes: Mapping[str, int]) -> float | None:
    if isinstance(threshold, str):
        code = codes.get(threshold)
        return None if code is None else float(code)
    return threshold if is_number(threshold) else float(bool(threshold))


def _interval(condition: str, threshold: float, high: float | None) -> Interval:
    match condition:
        case "greater_than" | "rate_above":
            return Interval(math.nextafter(threshold, math.inf), math.inf)
        case "greater_or_equal":
            return Interval(threshold, math.inf)
        case "less_than":
            return Interval(-math.inf, math.nextafter(threshold, -math.inf))
        case "less_or_equal":
            return Interval(-math.inf, threshold)
        case "equal_to" | "not_equal_to":
            return Interval(threshold, threshold, inverted=condition == "not_equal_to")
        case "between" | "outside":
            top = math.inf if high is None else high
            return Interval(threshold, top, inverted=condition == "outside")
    raise ValueError(f"unknown condition {condition}")
