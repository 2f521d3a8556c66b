"""Alert rules: what a client may write, and what is wrong with it.

Invariant: a stored `Spec` has passed `check`, so the evaluator never meets an invalid one.
"""

import math
from typing import Literal, TypeGuard, get_args
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from twin.errors import Invalid, ItemError

Condition = Literal[
    "greater_than",
    "greater_or_equal",
    "less_than",
    "less_or_equal",
    "equal_to",
    "not_equal_to",
    "between",
    "outside",
]
Severity = Literal["info", "warning", "critical"]
Threshold = float | bool | str

CONDITIONS: tuple[str, ...] = get_args(Condition)
SEVERITIES: tuple[str, ...] = get_args(Severity)
"""From the lowest to the highest."""

_UPWARD = ("greater_than", "greater_or_equal")
_DOWNWARD = ("less_than", "less_or_equal")
_EQUALITY = ("equal_to", "not_equal_to")
_RANGES = ("between", "outside")

MAX_NAME = 200
MAX_COLOUR = 50
MAX_ICON = 200
MAX_RULE_WEBHOOKS = 20
MAX_FOR_SECONDS = 30 * 86_400
"""A rule that must hold for longer than 30 days is taken for a mistake in the unit."""


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule asks and how it is shown; stored as the rule's `spec`."""

    condition: str
    threshold: Threshold
    threshold_high: float | None = None
    clear_threshold: float | None = None
    for_seconds: float = 0.0
    severity: str
    widget_color: str | None = None
    material_color: str | None = None
    icon: str | None = None
    webhooks: list[UUID] = []

    @property
    def for_us(self) -> int:
        """How long the condition must hold before the rule fires, in microseconds."""
        return round(self.for_seconds * 1_000_000)


class NewRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /v1/alerts."""

    name: str
    datasource_id: UUID
    key: str
    device: str | None = None
    condition: str
    threshold: Threshold
    threshold_high: float | None = None
    clear_threshold: float | None = None
    for_seconds: float = 0.0
    severity: str
    widget_color: str | None = None
    material_color: str | None = None
    icon: str | None = None
    webhooks: list[UUID] = []


class RulePatch(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of PATCH /v1/alerts/{id}: only what is given changes; null takes an option away."""

    name: str | UnsetType = UNSET
    key: str | UnsetType = UNSET
    device: str | UnsetType | None = UNSET
    condition: str | UnsetType = UNSET
    threshold: Threshold | UnsetType = UNSET
    threshold_high: float | UnsetType | None = UNSET
    clear_threshold: float | UnsetType | None = UNSET
    for_seconds: float | UnsetType = UNSET
    severity: str | UnsetType = UNSET
    widget_color: str | UnsetType | None = UNSET
    material_color: str | UnsetType | None = UNSET
    icon: str | UnsetType | None = UNSET
    webhooks: list[UUID] | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """All of a rule that a client can change."""

    name: str
    key: str
    device: str | None
    spec: Spec
    is_active: bool = True

    def asks_like(self, other: "Definition") -> bool:
        """Return whether both judge every reading alike, so that states may be kept."""
        return self._question() == other._question()

    def _question(self) -> tuple[object, ...]:
        s = self.spec
        # 1 == True in Python, but a number and a boolean are different thresholds here.
        threshold = (type(s.threshold) is bool, s.threshold)
        limits = (s.condition, threshold, s.threshold_high, s.clear_threshold, s.for_us)
        return (self.key, self.device, self.is_active, *limits)


def defined(new: NewRule) -> Definition:
    """Return the definition in a POST body."""
    spec = Spec(**{field: getattr(new, field) for field in Spec.__struct_fields__})
    return Definition(name=new.name, key=new.key, device=new.device, spec=spec)


def patched(old: Definition, patch: RulePatch) -> Definition:
    """Return a definition with the fields of a PATCH body replaced."""
    given = {f: v for f, v in msgspec.structs.asdict(patch).items() if v is not UNSET}
    own = {f: given.pop(f) for f in ("name", "key", "device", "is_active") if f in given}
    return msgspec.structs.replace(old, **own, spec=msgspec.structs.replace(old.spec, **given))


def check(rule: Definition, kind: str | None) -> None:
    """Raise Invalid naming every field that is wrong; `kind` is that of the key, None unknown."""
    errors = [*_check_texts(rule), *_check_condition(rule.spec, kind), *_check_rest(rule.spec)]
    if errors:
        raise Invalid(errors[0].message, errors=errors)


def _check_texts(rule: Definition) -> list[ItemError]:
    errors = []
    limits: list[tuple[str, str | None, int]] = [
        ("name", rule.name, MAX_NAME),
        ("key", rule.key, MAX_NAME),
        ("device", rule.device, MAX_NAME),
        ("widget_color", rule.spec.widget_color, MAX_COLOUR),
        ("material_color", rule.spec.material_color, MAX_COLOUR),
        ("icon", rule.spec.icon, MAX_ICON),
    ]
    for field, text, most in limits:
        if field in ("name", "key") and not (text or "").strip():
            errors.append(_error(field, f"{field} must not be empty."))
        elif text is not None and (len(text) > most or "\x00" in text):
            errors.append(_error(field, f"{field} must be at most {most} characters, none NUL."))
    return errors


def _check_condition(spec: Spec, kind: str | None) -> list[ItemError]:
    if spec.condition not in CONDITIONS:
        return [_error("condition", f"condition must be one of {', '.join(CONDITIONS)}.")]
    errors = []
    if message := _threshold_fault(spec, kind):
        errors.append(_error("threshold", message))
    if message := _high_fault(spec):
        errors.append(_error("threshold_high", message))
    if message := _clear_fault(spec):
        errors.append(_error("clear_threshold", message))
    return errors


def _threshold_fault(spec: Spec, kind: str | None) -> str | None:
    threshold = spec.threshold
    if spec.condition not in _EQUALITY and not is_number(threshold):
        return f"threshold must be a number with the condition {spec.condition}."
    if is_number(threshold) and not math.isfinite(threshold):
        return "threshold must be a finite number."
    if isinstance(threshold, str) and "\x00" in threshold:
        return "threshold must not hold a zero character."
    if kind is not None and kind != kind_of(threshold):
        return f"threshold must be a {kind}, as the key's values are."
    return None


def _high_fault(spec: Spec) -> str | None:
    high = spec.threshold_high
    if spec.condition not in _RANGES:
        return None if high is None else "threshold_high belongs to between and outside only."
    if high is None or not math.isfinite(high):
        return f"threshold_high must be a finite number with the condition {spec.condition}."
    if is_number(spec.threshold) and high < spec.threshold:
        return "threshold_high must not be below threshold."
    return None


def _clear_fault(spec: Spec) -> str | None:
    clear = spec.clear_threshold
    if clear is None:
        return None
    if spec.condition not in (*_UPWARD, *_DOWNWARD):
        return "clear_threshold belongs to the greater and less conditions only."
    if not math.isfinite(clear):
        return "clear_threshold must be a finite number."
    if not is_number(spec.threshold):
        return None
    if spec.condition in _UPWARD and clear > spec.threshold:
        return "clear_threshold must not be above threshold: the alert would end before it begins."
    if spec.condition in _DOWNWARD and clear < spec.threshold:
        return "clear_threshold must not be below threshold: the alert would end before it begins."
    return None


def _check_rest(spec: Spec) -> list[ItemError]:
    errors = []
    if spec.severity not in SEVERITIES:
        errors.append(_error("severity", f"severity must be one of {', '.join(SEVERITIES)}."))
    if not 0 <= spec.for_seconds <= MAX_FOR_SECONDS:
        errors.append(
            _error("for_seconds", f"for_seconds must be between 0 and {MAX_FOR_SECONDS}.")
        )
    if len(spec.webhooks) > MAX_RULE_WEBHOOKS or len(set(spec.webhooks)) < len(spec.webhooks):
        errors.append(
            _error("webhooks", f"webhooks must be at most {MAX_RULE_WEBHOOKS} different ids.")
        )
    return errors


def _error(field: str, message: str) -> ItemError:
    return ItemError(message=message, key=field)


def is_number(threshold: Threshold) -> TypeGuard[float]:
    """Return whether a threshold is a number; a boolean is none here."""
    return isinstance(threshold, int | float) and not isinstance(threshold, bool)


def kind_of(threshold: Threshold) -> str:
    """Return the kind of key that a threshold can be compared with."""
    if isinstance(threshold, str):
        return "text"
    return "number" if is_number(threshold) else "boolean"
