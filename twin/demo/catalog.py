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
        "description": "A simulated tank, pump, valve and conveyor. The strainer clogs in cycles.",
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
                speed="m/min",
                rate="1/h",
            ),
            {"key": "state", "kind": "text"},
            {"key": "running", "kind": "boolean"},
        ],
    },
}

_LIVE = {"stale_seconds": 10}


def _single(title: str, device: str, key: str) -> dict[str, Any]:
    return {"type": "single", "title": title, "device": device, "key": key, **_LIVE}


def _double(title: str, device: str, primary: str, secondary: str) -> dict[str, Any]:
    keys = {"primary_key": primary, "secondary_key": secondary}
    return {"type": "double", "title": title, "device": device, **keys}


def _line(title: str, device: str, key: str, range_: str) -> dict[str, Any]:
    return {"type": "line", "title": title, "device": device, "key": key, "range": range_}


def _hourly(title: str, device: str, key: str) -> dict[str, Any]:
    by_hour = {"agg": "avg", "range": "24h", "bucket": "1h"}
    return {"type": "bar", "title": title, "device": device, "key": key, **by_hour}


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
        {"type": "single", "title": "Memory", "key": "memory.percent", **_LIVE},
        {
            "type": "double",
            "title": "Network",
            "primary_key": "network.received",
            "secondary_key": "network.sent",
        },
    ],
    PUMP_LINE: [
        _line("Pump vibration", "pump-1", "vibration", "1h"),
        _hourly("Pump flow per hour", "pump-1", "flow"),
        _single("Pump state", "pump-1", "state"),
        _double("Motor", "motor-1", "rpm", "current"),
        _single("Pump flow", "pump-1", "flow"),
        _single("Pump pressure", "pump-1", "pressure"),
        _single("Motor speed", "motor-1", "rpm"),
        _single("Motor temperature", "motor-1", "temperature"),
        _single("Tank level", "tank-1", "level"),
        _line("Level over the day", "tank-1", "level", "24h"),
        _single("Valve position", "valve-1", "position"),
        _double("Conveyor", "conveyor-1", "speed", "rate"),
        _single("Conveyor speed", "conveyor-1", "rpm"),
        _hourly("Canisters per hour", "conveyor-1", "rate"),
    ],
}


def alert(datasource_id: str) -> dict[str, Any]:
    """Return the rule that the clogging strainer trips, which tells nobody yet."""
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
    }
