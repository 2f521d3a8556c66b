"""The past of the pump line, so that its widgets and its alerts have something to show at once. Pure."""

from typing import Any

from twin.demo.pump import readings

HISTORY_S = 24 * 3600
STEP_S = 10
SLOWER = 8
"""The strainer clogged more slowly in the past: an alert every two minutes would bury the day."""
_US = 1_000_000


def past_requests(now_us: int, after_us: int | None = None) -> list[dict[str, Any]]:
    """Return a request in the column shape for each device: the day before `now_us`.

    It ends one step before `now_us`, where the first live cycle begins. `after_us`: the newest
    reading that is stored; only what is missing since then is returned.
    """
    now_s = now_us // _US
    first_s = -HISTORY_S
    if after_us is not None:
        missing_s = max(now_us - after_us, 0) // _US // STEP_S * STEP_S
        first_s = -min(HISTORY_S, missing_s)
    moments = range(first_s, 0, STEP_S)
    by_device: dict[str, dict[str, list[Any]]] = {}
    for since_s in moments:
        for device, values in readings(since_s / SLOWER, now_s + since_s).items():
            columns = by_device.setdefault(device, {key: [] for key in values})
            for key, value in values.items():
                columns[key].append(value)
    times = [(now_s + since_s) * _US for since_s in moments]
    return [
        {"ts": times, "device": device, "values": columns} for device, columns in by_device.items()
    ]
