"""Alert rules: what a client may write, and what a stored rule is.

What is wrong with a rule is said by `alerts/check.py`. Invariant: a stored `Spec` has passed it, so
the evaluator never meets an invalid one.
"""

from typing import Literal, TypeGuard, get_args
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

Condition = Literal[
    "greater_than",
    "greater_or_equal",
    "less_than",
    "less_or_equal",
    "equal_to",
    "not_equal_to",
    "between",
    "outside",
    "rate_above",
    "no_data",
]
Severity = Literal["info", "warning", "critical"]
Threshold = float | bool | str

CONDITIONS: tuple[str, ...] = get_args(Condition)
SEVERITIES: tuple[str, ...] = get_args(Severity)
"""From the lowest to the highest."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One condition of a compound rule."""

    key: str
    condition: str
    threshold: Threshold
    threshold_high: float | None = None
    clear_threshold: float | None = None


class Escalation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further limit, past which a firing alert is of a higher severity."""

    severity: str
    threshold: float
    clear_threshold: float | None = None


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a rule judges: local times "HH:MM" of some days; `to` before `from` is the next day's."""

    timezone: str | None = None
    days: list[str] = msgspec.field(default_factory=lambda: list(DAYS))
    from_: str = msgspec.field(default="00:00", name="from")
    to: str = "24:00"


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule asks and how it is shown; stored as the rule's `spec`.

    Either condition and threshold are set, or one of `all` and `any`.
    """

    condition: str | None = None
    threshold: Threshold | None = None
    threshold_high: float | None = None
    clear_threshold: float | None = None
    all: list[Part] | None = None
    any: list[Part] | None = None
    escalation: list[Escalation] = []
    schedule: Schedule | None = None
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

    @property
    def parts(self) -> list[Part]:
        """The conditions of a compound rule, else none."""
        return self.all or self.any or []

    @property
    def severities(self) -> list[str]:
        """The severities that a firing alert may have, by rank."""
        return [self.severity, *(step.severity for step in self.escalation)]

    @property
    def silence_us(self) -> int:
        """The time without data after which a no_data rule fires, in microseconds."""
        return round(float(self.threshold or 0) * 1_000_000)


class NewRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /v1/alerts."""

    name: str
    datasource_id: UUID
    key: str | None = None
    device: str | None = None
    condition: str | None = None
    threshold: Threshold | None = None
    threshold_high: float | None = None
    clear_threshold: float | None = None
    all: list[Part] | None = None
    any: list[Part] | None = None
    escalation: list[Escalation] = []
    schedule: Schedule | None = None
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
    condition: str | UnsetType | None = UNSET
    threshold: Threshold | UnsetType | None = UNSET
    threshold_high: float | UnsetType | None = UNSET
    clear_threshold: float | UnsetType | None = UNSET
    all: list[Part] | UnsetType | None = UNSET
    any: list[Part] | UnsetType | None = UNSET
    escalation: list[Escalation] | UnsetType = UNSET
    schedule: Schedule | UnsetType | None = UNSET
    for_seconds: float | UnsetType = UNSET
    severity: str | UnsetType = UNSET
    widget_color: str | UnsetType | None = UNSET
    material_color: str | UnsetType | None = UNSET
    icon: str | UnsetType | None = UNSET
    webhooks: list[UUID] | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """All of a rule that a client can change; `key` is the one that the alert is shown with."""

    name: str
    key: str
    device: str | None
    spec: Spec
    is_active: bool = True

    @property
    def keys(self) -> list[str]:
        """The keys whose values the rule looks at, each once."""
        return list(dict.fromkeys(part.key for part in self.spec.parts)) or [self.key]

    def asks_like(self, other: "Definition") -> bool:
        """Return whether both judge every reading alike, so that states may be kept."""
        return self._question() == other._question()

    def _question(self) -> tuple[object, ...]:
        s = self.spec
        limits = (s.condition, _exact(s.threshold), s.threshold_high, s.clear_threshold, s.for_us)
        parts = [(p, _exact(p.threshold)) for p in s.parts]
        more = (s.all is None, parts, s.escalation, s.schedule)
        return (self.key, self.device, self.is_active, *limits, *more)


def _exact(threshold: Threshold | None) -> tuple[bool, Threshold | None]:
    """Tell thresholds apart: 1 == True in Python, but here they are a number and a boolean."""
    return isinstance(threshold, bool), threshold


def defined(new: NewRule) -> Definition:
    """Return the definition in a POST body; a compound rule is shown with its first key."""
    spec = Spec(**{field: getattr(new, field) for field in Spec.__struct_fields__})
    key = new.key if new.key is not None else next((part.key for part in spec.parts), "")
    return Definition(name=new.name, key=key, device=new.device, spec=spec)


def patched(old: Definition, patch: RulePatch) -> Definition:
    """Return a definition with the fields of a PATCH body replaced."""
    given = {f: v for f, v in msgspec.structs.asdict(patch).items() if v is not UNSET}
    own = {f: given.pop(f) for f in ("name", "key", "device", "is_active") if f in given}
    return msgspec.structs.replace(old, **own, spec=msgspec.structs.replace(old.spec, **given))


def is_number(threshold: Threshold | None) -> TypeGuard[float]:
    """Return whether a threshold is a number; a boolean is none here."""
    return isinstance(threshold, int | float) and not isinstance(threshold, bool)


def kind_of(threshold: Threshold | None) -> str:
    """Return the kind of key that a threshold can be compared with."""
    if isinstance(threshold, str):
        return "text"
    return "boolean" if isinstance(threshold, bool) else "number"
