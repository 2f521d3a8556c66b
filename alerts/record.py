"""Rules and transitions as they are stored, and the history, written in the causing transaction.

Pure: it makes statements; who has a connection, of either kind, runs them.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from alerts.judge import Level, State
from alerts.rules import Definition, Spec
from alerts.words import Value
from twin.clock import to_datetime
from twin.db.queries import load

Statement = tuple[bytes, dict[str, Any]]

LOCK_CLASS = 0x616C7274
"""Advisory locks (this, datasource number): "alrt"."""
STATES_STEP = 1
"""How a change of states moves the version of a datasource's alerts."""
RULES_STEP = 1 << 32
"""How a change of rules moves it."""
MAX_ERROR_LENGTH = 200
"""Of an error shown with a rule."""


class Rule(msgspec.Struct, frozen=True):
    """A stored rule. fault: why its spec cannot be read; then it asks nothing."""

    rule_no: int
    id: UUID
    org_id: int
    environment: str
    datasource_no: int
    datasource_id: UUID
    definition: Definition
    revision: int = 0
    asked_us: int = 0
    fault: str | None = None

    def severity(self, rank: int) -> str:
        """Return the severity of a rank; the highest where the rule has no such rank any more."""
        severities = self.definition.spec.severities
        return severities[min(rank, len(severities) - 1)]

    def rank(self, severity: str | None) -> int:
        """Return the rank of a severity, 0 where it is none of the rule's."""
        severities = self.definition.spec.severities
        return severities.index(severity) if severity in severities else 0

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "Rule":
        """Return the rule of a row of the query `rules`."""
        rule_no, id_, org_id, environment, no, datasource_id, *own = row
        name, key, device, spec, active, revision, asked_us = own
        read, fault = _read(spec)
        definition = Definition(name=name, key=key, device=device, spec=read, is_active=active)
        own_id = (rule_no, id_, org_id, environment, no, datasource_id)
        return cls(*own_id, definition, revision, asked_us, fault)


def _read(spec: Any) -> tuple[Spec, str | None]:
    """Return a stored spec; if it cannot be read, what tells its receivers, and why."""
    try:
        return msgspec.convert(spec, Spec), None
    except msgspec.ValidationError as exc:
        fault = f"The stored rule cannot be read: {exc}"[:MAX_ERROR_LENGTH]
    try:
        rest = msgspec.convert(spec, _Receivers)
    except msgspec.ValidationError:
        rest = _Receivers()
    return Spec(severity=rest.severity, webhooks=rest.webhooks), fault


class _Receivers(msgspec.Struct):
    severity: str = "critical"
    webhooks: list[UUID] = []


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's change of level or severity for one device.

    value is as stored, shown as told to people; severity: of the alert, of a past one the last;
    before_severity: of the alert that fired before; reason is set when no reading caused it.
    """

    rule: Rule
    device: str
    before: State
    level: Level
    ts_us: int
    value: float | None
    shown: Value
    severity: str
    before_severity: str | None = None
    reason: str | None = None

    @property
    def kind(self) -> str:
        """Return state, or severity_changed for an alert that goes on firing."""
        stays = self.before.level is Level.FIRING and self.level is Level.FIRING
        return "severity_changed" if stays else "state"


def same_rules(version: int, other: int) -> bool:
    """Return whether between two versions only states changed."""
    return version // RULES_STEP == other // RULES_STEP


def level_name(level: Level) -> str:
    """Return a level as the database and clients call it."""
    return level.name.lower()


def history(transitions: Sequence[Transition]) -> list[Statement]:
    """Return the statement that records transitions, in their order, or none."""
    if not transitions:
        return []
    rules = [t.rule for t in transitions]
    values = {
        "orgs": [r.org_id for r in rules],
        "environments": [r.environment for r in rules],
        "rule_ids": [r.id for r in rules],
        "names": [r.definition.name for r in rules],
        "datasources": [r.datasource_no for r in rules],
        "devices": [t.device for t in transitions],
        "keys": [r.definition.key for r in rules],
        "before": [level_name(t.before.level) for t in transitions],
        "after": [level_name(t.level) for t in transitions],
        "severities": [t.severity for t in transitions],
        "before_severities": [t.before_severity for t in transitions],
        "ts": [to_datetime(t.ts_us) for t in transitions],
        "values": [t.value for t in transitions],
        "reasons": [t.reason for t in transitions],
    }
    return [(load("alerts", "evaluation")["insert_events"], values)]
