"""The past of the pump line, so that its widgets have something to show at once. Pure."""

from typing import Any

from twin.demo.pump import readings

HISTORY_S = 24 * 3600
STEP_S = 10
_US = 1_000_000


def past_requests(now_us: int) -> list[dict[str, Any]]:
    """Return a request in the column shape for each device: the day before `now_us`.

    It ends one step before `now_us`, where the first live cycle begins.
    """
    now_s = now_us // _US
    moments = range(-HISTORY_S, 0, STEP_S)
    by_device: dict[str, dict[str, list[Any]]] = {}
    for since_s in moments:
        for device, values in readings(since_s, now_s + since_s).items():
            columns = by_device.setdefault(device, {key: [] for key in values})
            for key, value in values.items():
                columns[key].append(value)
    times = [(now_s + since_s) * _US for since_s in moments]
    return [
        {"ts": times, "device": device, "values": columns} for device, columns in by_device.items()
    ]
