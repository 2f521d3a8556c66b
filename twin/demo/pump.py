"""A pump line as a pure function of time: tank → pump, driven by a motor → valve → filler.

A strainer clogs over each cycle: flow and pressure fall, the pump cavitates and vibrates; then the
pump stops, the strainer is flushed, and the cycle begins anew. The same times give the same values.
"""

import math
from typing import Final

Value = float | bool | str
Readings = dict[str, dict[str, Value]]
"""Device → key → value."""

CYCLE_S: Final = 120.0
VIBRATION_LIMIT: Final = 4.5
"""mm/s: about where ISO 10816 begins to call a machine of this size unsatisfactory. Passed some
50 s into a cycle, and left when the pump stops after 80 s."""
VIBRATION_CLEAR: Final = 3.5

_CLOG_FROM_S, _CLOG_TO_S = 10.0, 75.0
_STOP_S, _STOPPED_S, _START_S, _STARTED_S = 80.0, 83.0, 92.0, 98.0

_SHUTOFF_HEAD_M = 42.0
_STATIC_HEAD_M = 8.0
_PUMP_LOSS, _LINE_LOSS, _CLOG_LOSS = 0.010, 0.012, 0.050
"""Metres per (m³/h)²."""
_VALVE_PERCENT = 70.0
_BAR_PER_M = 0.0981
_RATED_RPM = 1478.0
_RATED_KW = 4.2
_A_PER_KW = 1.7
"""Three phases of 400 V at a power factor of 0.85."""
_CANISTER_M3 = 0.06
_CANISTERS_APART_M = 0.62
_ROLLER_M = 0.09
_FILLING_FROM = 2.0
"""m³/h: less than this is a drip."""
_HEATING_S = (0.0, 8.0, 16.0, 24.0, 32.0, 40.0)
"""A casing's temperature follows the mean of the power over about this time."""


def readings(since_s: float, clock_s: float) -> Readings:
    """Return what every device says `since_s` after the start of a cycle (negative: before it).

    `clock_s` is the wall clock in Unix seconds: demand follows the time of day.
    """
    clog, speed = _clog(since_s), _speed(since_s)
    valve = _valve_percent(clock_s)
    flow = _flow(clog, speed, valve)
    line_loss = _LINE_LOSS * (_VALVE_PERCENT / valve) ** 2
    pressure = (_STATIC_HEAD_M + line_loss * flow**2) * _BAR_PER_M
    power = _power_kw(clog, speed, flow)
    heat = sum(_power_at(since_s - lag_s, valve) for lag_s in _HEATING_S) / len(_HEATING_S)
    vibration = 0.2 + 1.4 * speed**2 + 5.4 * clog**2 * speed
    running = speed > 0.0
    noisy = 1.0 if running else 0.1
    level = 62.0 + 12.0 * math.sin(_turn(clock_s, 14_400.0)) + 4.0 * (1.0 - flow / 40.0)
    return {
        "tank-1": {
            "level": _round(level + 0.05 * _jitter(since_s, 1)),
            "temperature": _round(17.5 + 1.8 * _day(clock_s) + 0.03 * _jitter(since_s, 2)),
            "state": "LOW" if level < 52.0 else "NORMAL",
        },
        "pump-1": {
            "flow": _round(max(flow + 0.25 * noisy * _jitter(since_s, 3), 0.0)),
            "pressure": _round(pressure + 0.015 * noisy * _jitter(since_s, 4)),
            "vibration": _round(vibration + 0.12 * noisy * _jitter(since_s, 5)),
            "temperature": _round(31.0 + 2.2 * heat + 3.0 * clog + 0.05 * _jitter(since_s, 6)),
            "state": _state(since_s),
            "running": running,
        },
        "motor-1": {
            "rpm": _round(max(speed * _RATED_RPM - 6.0 * power + noisy * _jitter(since_s, 7), 0.0)),
            "current": _round((1.8 * speed + _A_PER_KW * power) * (1 + 0.01 * _jitter(since_s, 8))),
            "temperature": _round(38.0 + 6.5 * heat + 0.05 * _jitter(since_s, 9)),
            "vibration": _round(
                0.1 + 0.9 * speed**2 + clog**2 * speed + 0.05 * _jitter(since_s, 0)
            ),
            "running": running,
        },
        "valve-1": {
            "position": _round(valve if running else 0.0),
            "state": "OPEN" if running else "CLOSED",
        },
        "conveyor-1": _conveyor(flow),
    }


def _conveyor(flow: float) -> dict[str, Value]:
    """Return how a conveyor keeps up with a filler: each canister waits until it is full."""
    filled = flow / _CANISTER_M3 if flow > _FILLING_FROM else 0.0
    metres_min = filled * _CANISTERS_APART_M / 60.0
    return {
        "rpm": _round(metres_min / (math.pi * _ROLLER_M)),
        "speed": _round(metres_min),
        "rate": _round(filled),
        "running": filled > 0.0,
    }


def _clog(since_s: float) -> float:
    """Return how clogged the strainer is, 0 … 1."""
    phase = since_s % CYCLE_S
    if phase < _STOPPED_S:
        return _smooth((phase - _CLOG_FROM_S) / (_CLOG_TO_S - _CLOG_FROM_S))
    return 1.0 - _smooth((phase - _STOPPED_S) / (_START_S - _STOPPED_S))


def _speed(since_s: float) -> float:
    """Return the speed as a part of the rated one."""
    phase = since_s % CYCLE_S
    if phase < _START_S:
        return 1.0 - _smooth((phase - _STOP_S) / (_STOPPED_S - _STOP_S))
    return _smooth((phase - _START_S) / (_STARTED_S - _START_S))


def _state(since_s: float) -> str:
    phase = since_s % CYCLE_S
    if _STOP_S <= phase < _START_S:
        return "FLUSHING"
    if _START_S <= phase < _STARTED_S:
        return "STARTING"
    return "CLOGGING" if _clog(since_s) > 0.5 else "RUNNING"


def _valve_percent(clock_s: float) -> float:
    demand = 1.0 + 0.15 * _day(clock_s) + 0.06 * math.sin(_turn(clock_s, 1500.0))
    return _VALVE_PERCENT * demand


def _flow(clog: float, speed: float, valve: float) -> float:
    """Return m³/h where the pump's curve meets the line's: H₀n² − aQ² = Hₛ + bQ²."""
    head = _SHUTOFF_HEAD_M * speed**2 - _STATIC_HEAD_M
    loss = _PUMP_LOSS + _LINE_LOSS * (_VALVE_PERCENT / valve) ** 2 + _CLOG_LOSS * clog**2
    return math.sqrt(max(head, 0.0) / loss)


def _power_kw(clog: float, speed: float, flow: float) -> float:
    head = _SHUTOFF_HEAD_M * speed**2 - _PUMP_LOSS * flow**2
    efficiency = 0.68 - 0.18 * clog
    return 9.81 * flow / 3600.0 * head / efficiency + 0.3 * speed


def _power_at(since_s: float, valve: float) -> float:
    clog, speed = _clog(since_s), _speed(since_s)
    return _power_kw(clog, speed, _flow(clog, speed, valve))


def _day(clock_s: float) -> float:
    """Return −1 in the night … 1 in the afternoon (UTC)."""
    return math.sin(_turn(clock_s - 9 * 3600.0, 86_400.0))


def _turn(at_s: float, period_s: float) -> float:
    return 2.0 * math.pi * (at_s % period_s) / period_s


def _smooth(x: float) -> float:
    """Return 0 below 0, 1 above 1, and a curve without corners between."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


def _jitter(at_s: float, channel: int) -> float:
    """Return −1 … 1 without a visible pattern, the same for the same time and channel."""
    mixed = math.sin(at_s * 12.9898 + channel * 78.233) * 43758.5453
    return 2.0 * (mixed - math.floor(mixed)) - 1.0


def _round(value: float) -> float:
    return round(value, 3)
