"""The body of a delivery: Alertmanager's webhook format, version 4, plus `values`.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from typing import Any

import msgspec

from alerts.rules import Spec
from twin.clock import to_rfc3339

Value = float | bool | str | None

NO_END = "0001-01-01T00:00:00Z"
"""What Alertmanager sends as the end of an alert that has none."""

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_WORDS = {
    "greater_than": "above",
    "greater_or_equal": "at or above",
    "less_than": "below",
    "less_or_equal": "at or below",
    "equal_to": "equal to",
    "not_equal_to": "not equal to",
}


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


def body(alert: Alert, external_url: str) -> dict[str, Any]:
    """Return the JSON object of a delivery; `receiver` is filled in for each webhook."""
    labels = {
        "alertname": alert.name,
        "datasource_id": alert.datasource_id,
        "device": alert.device,
        "key": alert.key,
        "severity": alert.spec.severity,
    }
    annotations = {"summary": _summary(alert), "description": _description(alert)}
    status = "firing" if alert.firing else "resolved"
    base = external_url.rstrip("/")
    one = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": to_rfc3339(alert.starts_us),
        "endsAt": NO_END if alert.ends_us is None else to_rfc3339(alert.ends_us),
        "generatorURL": f"{base}/v1/alerts/{alert.rule_id}" if base else "",
        "fingerprint": fingerprint(labels),
        "values": {alert.key: alert.value},
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alert="{alert.rule_id}", device="{_quoted(alert.device)}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "",
        "groupLabels": {"alertname": alert.name, "device": alert.device},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": base,
        "alerts": [one],
    }


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
    if alert.reason is not None:
        return f"{alert.name}: {alert.key}{of} is no longer watched ({alert.reason})"
    state = "is" if alert.firing else "is back at"
    return f"{alert.name}: {alert.key}{of} {state} {_text(alert.value)}"


def _description(alert: Alert) -> str:
    spec = alert.spec
    if spec.condition in ("between", "outside"):
        limit = f"{spec.condition} {_text(spec.threshold)} and {_text(spec.threshold_high)}"
    else:
        limit = f"{_WORDS[spec.condition]} {_text(spec.threshold)}"
    during = f" for {_text(spec.for_seconds)} s" if spec.for_seconds else ""
    return f"The alert fires when {alert.key} is {limit}{during}."


def _text(value: Value) -> str:
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
