"""From transitions to notices: who is told what, written in the transaction of the transition.

A notice is one alert for one receiver; which call carries it is decided later, see `forming.py`.
Pure: it makes statements.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from alerts.judge import Level
from alerts.payload import Alert, told
from alerts.record import Transition
from twin.db.queries import load

Statement = tuple[bytes, dict[str, Any]]


def notices(transitions: Sequence[Transition], external_url: str) -> list[Statement]:
    """Return the statement that tells the receivers of transitions, or none."""
    columns: dict[str, list[Any]] = {
        "webhooks": [],
        "rules": [],
        "devices": [],
        "datasources": [],
        "alerts": [],
    }
    for transition in transitions:
        targets = transition.rule.definition.spec.webhooks
        if not targets or not _is_told(transition):
            continue
        text = msgspec.json.encode(told(_alert(transition), external_url)).decode()
        for webhook_id in targets:
            _add(columns, transition, webhook_id, text)
    if not columns["webhooks"]:
        return []
    return [(load("alerts", "notices")["insert_notices"], columns)]


def _add(
    columns: dict[str, list[Any]], transition: Transition, webhook_id: UUID, text: str
) -> None:
    columns["webhooks"].append(webhook_id)
    columns["rules"].append(transition.rule.id)
    columns["devices"].append(transition.device)
    columns["datasources"].append(transition.rule.datasource_no)
    columns["alerts"].append(text)


def _is_told(transition: Transition) -> bool:
    """Receivers hear of firing and of its end; what was only pending stays in the history."""
    return Level.FIRING in (transition.level, transition.before.level)


def _alert(transition: Transition) -> Alert:
    rule, firing = transition.rule, transition.level is Level.FIRING
    goes_on = transition.kind == "severity_changed"
    return Alert(
        rule_id=str(rule.id),
        name=rule.definition.name,
        datasource_id=str(rule.datasource_id),
        key=rule.definition.key,
        device=transition.device,
        spec=rule.definition.spec,
        severity=transition.severity,
        firing=firing,
        value=transition.shown,
        starts_us=transition.before.since_us if goes_on or not firing else transition.ts_us,
        ends_us=None if firing else transition.ts_us,
        reason=transition.reason,
    )
