"""What the demo creates, as bodies of requests; a second start finds each by its name or title."""

from typing import Any

from twin.demo.pump import VIBRATION_CLEAR, VIBRATION_LIMIT

MACHINE = "This machine"
PUMP_LINE = "Pump line"
WEBHOOK = "Demo receiver"
ALERT = "Pump vibration too high"


def _keys(**units: str) -> list[dict[str, Any]]:
    return [
        {"key": name.replace("__", "."), "kind": "number", "unit": unit}
        for name, unit in units.items()
    ]


DATASOURCES: dict[str, dict[str, Any]] = {
    MACHINE: {
        "description": "CPU, memory, disk and network of the machine that runs the demo.",
        "data_keys": _keys(
            cpu__percent="%",
            cpu__load="",
            memory__percent="%",
            memory__used_mib="MiB",
            disk__percent="%",
            disk__read="KiB/s",
            disk__written="KiB/s",
            network__received="KiB/s",
            network__sent="KiB/s",
        ),
    },
    PUMP_LINE: {
        "description": "A simulated tank, pump, motor and valve. The strainer clogs in cycles.",
        "data_keys": [
            *_keys(
                flow="m³/h",
                pressure="bar",
                vibration="mm/s",
                temperature="°C",
                rpm="1/min",
                current="A",
                level="%",
                position="%",
            ),
            {"key": "state", "kind": "text"},
            {"key": "running", "kind": "boolean"},
        ],
    },
}

WIDGETS: dict[str, list[dict[str, Any]]] = {
    MACHINE: [
        {"type": "line", "title": "CPU", "key": "cpu.percent", "range": "15m"},
        {
            "type": "bar",
            "title": "Network per minute",
            "key": "network.received",
            "agg": "avg",
            "range": "15m",
            "bucket": "1m",
        },
        {"type": "single", "title": "Memory", "key": "memory.percent", "stale_seconds": 10},
        {
            "type": "double",
            "title": "Network",
            "primary_key": "network.received",
            "secondary_key": "network.sent",
        },
    ],
    PUMP_LINE: [
        {
            "type": "line",
            "title": "Pump vibration",
            "key": "vibration",
            "device": "pump-1",
            "range": "1h",
        },
        {
            "type": "bar",
            "title": "Pump flow per hour",
            "key": "flow",
            "device": "pump-1",
            "agg": "avg",
            "range": "24h",
            "bucket": "1h",
        },
        {
            "type": "single",
            "title": "Pump state",
            "key": "state",
            "device": "pump-1",
            "stale_seconds": 10,
        },
        {
            "type": "double",
            "title": "Motor",
            "device": "motor-1",
            "primary_key": "rpm",
            "secondary_key": "current",
        },
    ],
}


def alert(datasource_id: str, webhook_id: str) -> dict[str, Any]:
    """Return the rule that the clogging strainer trips."""
    return {
        "name": ALERT,
        "datasource_id": datasource_id,
        "key": "vibration",
        "device": "pump-1",
        "condition": "greater_than",
        "threshold": VIBRATION_LIMIT,
        "clear_threshold": VIBRATION_CLEAR,
        "severity": "critical",
        "widget_color": "#d93025",
        "material_color": "#ff3b30",
        "icon": "vibration",
        "webhooks": [webhook_id],
    }
