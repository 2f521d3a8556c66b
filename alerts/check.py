"""What is wrong with an alert rule, field by field. Pure."""

import math
from collections.abc import Iterator, Mapping

import msgspec

from alerts.calendar import schedule_fault
from alerts.rules import (
    CONDITIONS,
    SEVERITIES,
    Definition,
    Escalation,
    Part,
    Spec,
    Threshold,
    is_number,
    kind_of,
)
from twin.errors import Invalid, ItemError

_UPWARD = ("greater_than", "greater_or_equal", "rate_above")
_DOWNWARD = ("less_than", "less_or_equal")
_EQUALITY = ("equal_to", "not_equal_to")
_RANGES = ("between", "outside")
_OF_PARTS = tuple(c for c in CONDITIONS if c not in ("rate_above", "no_data"))

MAX_NAME = 200
MAX_COLOUR = 50
MAX_ICON = 200
MAX_RULE_WEBHOOKS = 20
MAX_PARTS = 10
"""Conditions of a compound rule: more is a program, and each costs a comparison a reading."""
MAX_FOR_SECONDS = 30 * 86_400
"""A rule that must hold for longer than 30 days is taken for a mistake in the unit."""
MIN_SILENCE_S = 1.0
"""The clock of `no_data` looks every second."""

Kinds = Mapping[str, str | None]
Faults = Iterator[ItemError]


class Limits(msgspec.Struct, frozen=True):
    """One comparison, of a rule or of a part of it."""

    condition: str
    threshold: Threshold | None
    threshold_high: float | None
    clear_threshold: float | None


def check(rule: Definition, kinds: Kinds) -> None:
    """Raise Invalid naming every field that is wrong; `kinds`: those of the keys that are known."""
    spec = rule.spec
    errors = [
        *_check_texts(rule),
        *_check_question(rule, kinds),
        *_check_escalation(spec),
        *_check_rest(spec),
    ]
    if errors:
        raise Invalid(errors[0].message, errors=errors)


def _check_texts(rule: Definition) -> Faults:
    limits: list[tuple[str, str | None, int]] = [
        ("name", rule.name, MAX_NAME),
        ("key", rule.key, MAX_NAME),
        ("device", rule.device, MAX_NAME),
        ("widget_color", rule.spec.widget_color, MAX_COLOUR),
        ("material_color", rule.spec.material_color, MAX_COLOUR),
        ("icon", rule.spec.icon, MAX_ICON),
    ]
    limits += [(f"{field}.key", part.key, MAX_NAME) for field, part in _parts(rule.spec)]
    for field, text, most in limits:
        is_name = field == "name" or field.endswith("key")
        if is_name and not (text or "").strip():
            yield _error(field, f"{field} must not be empty.")
        elif text is not None and (len(text) > most or "\x00" in text):
            yield _error(field, f"{field} must be at most {most} characters, none NUL.")


def _parts(spec: Spec) -> list[tuple[str, Part]]:
    field = "any" if spec.all is None else "all"
    return [(f"{field}.{i}", part) for i, part in enumerate(spec.parts)]


def _check_question(rule: Definition, kinds: Kinds) -> Faults:
    spec = rule.spec
    given = [spec.condition is not None, spec.all is not None, spec.any is not None]
    if sum(given) != 1:
        message = "Exactly one of condition, all and any must be given."
        yield _error("condition", message)
    elif spec.condition is not None:
        limits = Limits(spec.condition, spec.threshold, spec.threshold_high, spec.clear_threshold)
        yield from _check_limits("", limits, CONDITIONS, kinds.get(rule.key))
    else:
        yield from _check_parts(rule, kinds)


def _check_parts(rule: Definition, kinds: Kinds) -> Faults:
    spec = rule.spec
    field = "any" if spec.all is None else "all"
    if not 1 <= len(spec.parts) <= MAX_PARTS:
        yield _error(field, f"{field} must hold 1 to {MAX_PARTS} conditions.")
        return
    for name in ("threshold", "threshold_high", "clear_threshold"):
        if getattr(spec, name) is not None:
            yield _error(name, f"{name} belongs into the conditions of {field}.")
    if rule.key and rule.key not in rule.keys:
        yield _error("key", f"key must be one of those in {field}: {', '.join(rule.keys)}.")
    for place, part in _parts(spec):
        limits = Limits(part.condition, part.threshold, part.threshold_high, part.clear_threshold)
        yield from _check_limits(f"{place}.", limits, _OF_PARTS, kinds.get(part.key))


def _check_limits(
    prefix: str, limits: Limits, allowed: tuple[str, ...], kind: str | None
) -> Faults:
    if limits.condition not in allowed:
        field = f"{prefix}condition"
        yield _error(field, f"{field} must be one of {', '.join(allowed)}.")
        return
    faults = {
        "threshold": _threshold_fault(limits, kind),
        "threshold_high": _high_fault(limits),
        "clear_threshold": _clear_fault(limits),
    }
    for field, message in faults.items():
        if message:
            yield _error(prefix + field, prefix + message)


def _threshold_fault(limits: Limits, kind: str | None) -> str | None:
    threshold = limits.threshold
    if threshold is None:
        return f"threshold is needed with the condition {limits.condition}."
    if limits.condition not in _EQUALITY and not is_number(threshold):
        return f"threshold must be a number with the condition {limits.condition}."
    if is_number(threshold) and not math.isfinite(threshold):
        return "threshold must be a finite number."
    if isinstance(threshold, str) and "\x00" in threshold:
        return "threshold must not hold a zero character."
    if limits.condition == "no_data":
        least, most = MIN_SILENCE_S, MAX_FOR_SECONDS
        fits = is_number(threshold) and least <= threshold <= most
        return None if fits else f"threshold must be {least:g} to {most} seconds with no_data."
    if kind is not None and kind != kind_of(threshold):
        return f"threshold must be a {kind}, as the key's values are."
    return None


def _high_fault(limits: Limits) -> str | None:
    high = limits.threshold_high
    if limits.condition not in _RANGES:
        return None if high is None else "threshold_high belongs to between and outside only."
    if high is None or not math.isfinite(high):
        return f"threshold_high must be a finite number with the condition {limits.condition}."
    if is_number(limits.threshold) and high < limits.threshold:
        return "threshold_high must not be below threshold."
    return None


def _clear_fault(limits: Limits) -> str | None:
    clear = limits.clear_threshold
    if clear is None:
        return None
    if limits.condition not in (*_UPWARD, *_DOWNWARD):
        return "clear_threshold belongs to the greater, less and rate conditions only."
    if not math.isfinite(clear):
        return "clear_threshold must be a finite number."
    if not is_number(limits.threshold):
        return None
    if limits.condition in _UPWARD and clear > limits.threshold:
        return "clear_threshold must not be above threshold: the alert would end before it begins."
    if limits.condition in _DOWNWARD and clear < limits.threshold:
        return "clear_threshold must not be below threshold: the alert would end before it begins."
    return None


def _check_escalation(spec: Spec) -> Faults:
    if not spec.escalation:
        return
    if spec.condition not in (*_UPWARD, *_DOWNWARD):
        allowed = ", ".join((*_UPWARD, *_DOWNWARD))
        yield _error("escalation", f"escalation needs one of the conditions {allowed}.")
        return
    is_upward = spec.condition in _UPWARD
    severity, threshold = spec.severity, spec.threshold
    for i, step in enumerate(spec.escalation):
        for name, message in _step_faults(step, severity, threshold, is_upward):
            yield _error(f"escalation.{i}.{name}", f"escalation.{i}.{name} {message}")
        severity, threshold = step.severity, step.threshold


def _step_faults(
    step: Escalation, severity: str, threshold: Threshold | None, is_upward: bool
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a step after one of `severity` at `threshold`."""
    higher = SEVERITIES[SEVERITIES.index(severity) + 1 :] if severity in SEVERITIES else SEVERITIES
    if step.severity not in higher:
        allowed = " or ".join(higher) if higher else "left out: none is higher"
        yield "severity", f"must be above {severity}: {allowed}."
    if not math.isfinite(step.threshold):
        yield "threshold", "must be a finite number."
    elif is_number(threshold) and (
        step.threshold <= threshold if is_upward else step.threshold >= threshold
    ):
        yield "threshold", f"must be {'above' if is_upward else 'below'} {threshold:g}."
    clear = step.clear_threshold
    if clear is None:
        return
    if not math.isfinite(clear):
        yield "clear_threshold", "must be a finite number."
    elif clear > step.threshold if is_upward else clear < step.threshold:
        yield "clear_threshold", f"must not be {'above' if is_upward else 'below'} its threshold."


def _check_rest(spec: Spec) -> Faults:
    if spec.severity not in SEVERITIES:
        yield _error("severity", f"severity must be one of {', '.join(SEVERITIES)}.")
    if not 0 <= spec.for_seconds <= MAX_FOR_SECONDS:
        yield _error("for_seconds", f"for_seconds must be between 0 and {MAX_FOR_SECONDS}.")
    elif spec.condition == "no_data" and spec.for_seconds:
        yield _error("for_seconds", "for_seconds must be 0 with no_data: threshold is the time.")
    if len(spec.webhooks) > MAX_RULE_WEBHOOKS or len(set(spec.webhooks)) < len(spec.webhooks):
        yield _error("webhooks", f"webhooks must be at most {MAX_RULE_WEBHOOKS} different ids.")
    if spec.schedule is not None and (fault := schedule_fault(spec.schedule)):
        field, message = fault
        yield _error(f"schedule.{field}", f"schedule.{field} {message}")


def _error(field: str, message: str) -> ItemError:
    return ItemError(message=message, key=field)
