"""What a rule means: an interval of values, or all values outside one.

Every condition is `(low <= value <= high) != inverted`, so the evaluator compares all rules in one
sweep whatever their conditions are. Text is compared by its code.
"""

import math
from collections.abc import Mapping

import msgspec

from alerts.rules import Spec, Threshold, is_number, kind_of

_NEVER = (math.inf, -math.inf)


class Interval(msgspec.Struct, frozen=True):
    """Values from low to high, both included; inverted: all others."""

    low: float
    high: float
    inverted: bool = False


def breach(spec: Spec, codes: Mapping[str, int]) -> Interval:
    """Return the values that a rule warns of; `codes` are those of the datasource's texts."""
    threshold = _number(spec.threshold, codes)
    if threshold is None:  # a text that no reading has held: equal to none of them
        return Interval(*_NEVER, inverted=spec.condition == "not_equal_to")
    return _interval(spec.condition, threshold, spec.threshold_high)


def persists(spec: Spec, codes: Mapping[str, int]) -> Interval:
    """Return the values that keep a rule firing: the breach, widened to the clear threshold."""
    if spec.clear_threshold is None:
        return breach(spec, codes)
    return _interval(spec.condition, spec.clear_threshold, None)


def comparable(spec: Spec, kind: str | None) -> bool:
    """Return whether a key of this kind can be judged: a code must not be compared as a number."""
    return kind == kind_of(spec.threshold)


def _number(threshold: Threshold, codes: Mapping[str, int]) -> float | None:
    if isinstance(threshold, str):
        code = codes.get(threshold)
        return None if code is None else float(code)
    return threshold if is_number(threshold) else float(threshold)


def _interval(condition: str, threshold: float, high: float | None) -> Interval:
    match condition:
        case "greater_than":
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
