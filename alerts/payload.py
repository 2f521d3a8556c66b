"""The body of a delivery: Alertmanager's webhook format, version 4, plus `values`.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from typing import Any

import msgspec

from alerts.rules import Spec
from alerts.words import Value, asked, text_of
from twin.clock import to_rfc3339

LABELS = ("alertname", "datasource_id", "device", "key", "severity")
"""The labels of every alert: what alerts can be grouped by."""
NO_END = "0001-01-01T00:00:00Z"
"""What Alertmanager sends as the end of an alert that has none."""

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of one device, as it is told to a receiver."""

    rule_id: str
    name: str
    datasource_id: str
    key: str
    device: str
    spec: Spec
    firing: bool
    value: Value
    starts_us: int
    ends_us: int | None
    reason: str | None = None
    severity: str | None = None
    """Of the alert; None = its rule's."""


class Group(msgspec.Struct, frozen=True):
    """What the alerts of a delivery have in common."""

    key: str
    labels: dict[str, str]


def told(alert: Alert, external_url: str) -> dict[str, Any]:
    """Return an alert as it stands in a body's `alerts`."""
    labels = {
        "alertname": alert.name,
        "datasource_id": alert.datasource_id,
        "device": alert.device,
        "key": alert.key,
        "severity": alert.severity or alert.spec.severity,
    }
    base = external_url.rstrip("/")
    return {
        "status": "firing" if alert.firing else "resolved",
        "labels": labels,
        "annotations": {"summary": _summary(alert), "description": _description(alert)},
        "startsAt": to_rfc3339(alert.starts_us),
        "endsAt": NO_END if alert.ends_us is None else to_rfc3339(alert.ends_us),
        "generatorURL": f"{base}/v1/alerts/{alert.rule_id}" if base else "",
        # An alert that changes its severity stays the same one.
        "fingerprint": fingerprint({**labels, "severity": alert.spec.severity}),
        "values": {alert.key: alert.value},
    }


def body(
    alerts: list[dict[str, Any]], group: Group, receiver: str, external_url: str
) -> dict[str, Any]:
    """Return the JSON object of a delivery that carries some alerts, each as `told` made it."""
    is_firing = any(alert["status"] == "firing" for alert in alerts)
    return {
        "version": "4",
        "groupKey": group.key,
        "truncatedAlerts": 0,
        "status": "firing" if is_firing else "resolved",
        "receiver": receiver,
        "groupLabels": group.labels,
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": external_url.rstrip("/"),
        "alerts": alerts,
    }


def own_group(rule_id: str, name: str, device: str) -> Group:
    """Return the group of an alert that is told by itself."""
    key = f'{{}}:{{alert="{rule_id}", device="{_quoted(device)}"}}'
    return Group(key, {"alertname": name, "device": device})


def shared_group(labels: dict[str, str]) -> Group:
    """Return the group of all alerts with these labels, keyed as Alertmanager does."""
    pairs = ", ".join(f'{name}="{_quoted(text)}"' for name, text in sorted(labels.items()))
    return Group(f"{{}}:{{{pairs}}}", labels)


def _common(sets: list[dict[str, str]]) -> dict[str, str]:
    """Return the pairs that all of the sets hold."""
    first, *others = sets
    return {k: v for k, v in first.items() if all(o.get(k) == v for o in others)}


def fingerprint(labels: dict[str, str]) -> str:
    """Return Prometheus' fingerprint of a label set: FNV-1a over sorted names and values, hex.

    Source: prometheus/common, model/signature.go (0xFF ends every name and value).
    """
    digest = _FNV_OFFSET
    for name in sorted(labels):
        for text in (name, labels[name]):
            for byte in (*text.encode(), 0xFF):
                digest = ((digest ^ byte) * _FNV_PRIME) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def _summary(alert: Alert) -> str:
    of = f" of {alert.device}" if alert.device else ""
    if alert.firing and alert.spec.condition == "no_data":
        return f"{alert.name}: {alert.key}{of} sent nothing for {text_of(alert.spec.threshold)} s"
    if alert.reason is not None:
        return f"{alert.name}: {alert.key}{of} is no longer watched ({alert.reason})"
    state = "is" if alert.firing else "is back at"
    return f"{alert.name}: {alert.key}{of} {state} {text_of(alert.value)}"


def _description(alert: Alert) -> str:
    return f"The alert fires when {asked(alert.key, alert.spec)}."


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
