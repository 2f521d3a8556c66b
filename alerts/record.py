"""What transitions leave behind: history and deliveries, to be written in the causing transaction.

Pure: it makes statements; who has a connection, of either kind, runs them.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from alerts.evaluate import Level, State
from alerts.payload import Alert, Value, body
from alerts.rules import Definition, Spec
from twin.clock import to_datetime
from twin.db.queries import load

Statement = tuple[bytes, dict[str, Any]]

LOCK_CLASS = 0x616C7274
"""Advisory locks (this, datasource number): "alrt"."""
STATES_STEP = 1
"""How a change of states moves the version of a datasource's alerts."""
RULES_STEP = 1 << 32
"""How a change of rules moves it."""


class Rule(msgspec.Struct, frozen=True):
    """A stored rule."""

    rule_no: int
    id: UUID
    org_id: int
    environment: str
    datasource_no: int
    datasource_id: UUID
    definition: Definition

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "Rule":
        """Return the rule of a row of the query `rules`."""
        rule_no, id_, org_id, environment, no, datasource_id, name, key, device, spec, active = row
        definition = Definition(
            name=name, key=key, device=device, spec=msgspec.convert(spec, Spec), is_active=active
        )
        return cls(rule_no, id_, org_id, environment, no, datasource_id, definition)


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's change of level for one device.

    value is as stored, shown as told to people; reason is set when no reading caused it.
    """

    rule: Rule
    device: str
    before: State
    level: Level
    ts_us: int
    value: float | None
    shown: Value
    reason: str | None = None


def same_rules(version: int, other: int) -> bool:
    """Return whether between two versions only states changed."""
    return version // RULES_STEP == other // RULES_STEP


def level_name(level: Level) -> str:
    """Return a level as the database and clients call it."""
    return level.name.lower()


def statements(transitions: Sequence[Transition], external_url: str) -> Iterator[Statement]:
    """Yield what records transitions, in their order: history, then deliveries."""
    if not transitions:
        return
    sql = load("alerts", "evaluation")
    yield sql["insert_events"], _events(transitions)
    deliveries = _deliveries(transitions, external_url)
    if deliveries["webhooks"]:
        yield sql["insert_deliveries"], deliveries


def _events(transitions: Sequence[Transition]) -> dict[str, Any]:
    rules = [t.rule for t in transitions]
    return {
        "orgs": [r.org_id for r in rules],
        "environments": [r.environment for r in rules],
        "rule_ids": [r.id for r in rules],
        "names": [r.definition.name for r in rules],
        "datasources": [r.datasource_no for r in rules],
        "devices": [t.device for t in transitions],
        "keys": [r.definition.key for r in rules],
        "before": [level_name(t.before.level) for t in transitions],
        "after": [level_name(t.level) for t in transitions],
        "severities": [r.definition.spec.severity for r in rules],
        "ts": [to_datetime(t.ts_us) for t in transitions],
        "values": [t.value for t in transitions],
        "reasons": [t.reason for t in transitions],
    }


def _deliveries(transitions: Sequence[Transition], external_url: str) -> dict[str, Any]:
    webhooks: list[UUID] = []
    alert_keys: list[str] = []
    bodies: list[str] = []
    for transition in transitions:
        targets = transition.rule.definition.spec.webhooks
        if not targets or not _is_told(transition):
            continue
        text = msgspec.json.encode(body(_alert(transition), external_url)).decode()
        for webhook_id in targets:
            webhooks.append(webhook_id)
            alert_keys.append(f"{transition.rule.id}/{transition.device}")
            bodies.append(text)
    return {"webhooks": webhooks, "alert_keys": alert_keys, "bodies": bodies}


def _is_told(transition: Transition) -> bool:
    """Receivers hear of firing and of its end; what was only pending stays in the history."""
    return Level.FIRING in (transition.level, transition.before.level)


def _alert(transition: Transition) -> Alert:
    rule, firing = transition.rule, transition.level is Level.FIRING
    return Alert(
        rule_id=str(rule.id),
        name=rule.definition.name,
        datasource_id=str(rule.datasource_id),
        key=rule.definition.key,
        device=transition.device,
        spec=rule.definition.spec,
        firing=firing,
        value=transition.shown,
        starts_us=transition.ts_us if firing else transition.before.since_us,
        ends_us=None if firing else transition.ts_us,
        reason=transition.reason,
    )
