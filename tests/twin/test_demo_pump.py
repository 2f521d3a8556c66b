"""The demo's pump: its history joins its present, and it heats up until the alert fires."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.demo.feed import pump_request
from twin.demo.history import HISTORY_S, STEP_S, past_requests
from twin.demo.plant import seconds_to_alert
from twin.demo.pump import CYCLE_S, VIBRATION_CLEAR, VIBRATION_LIMIT, readings

DEVICES = ["tank-1", "pump-1", "motor-1", "valve-1", "conveyor-1"]
NOON_S = 1_790_000_000.0


def number(since_s: float, device: str, key: str) -> float:
    value = readings(since_s, NOON_S + since_s)[device][key]
    assert isinstance(value, float)
    return value


@given(st.floats(-1e6, 1e6), st.floats(0, 4e9))
def test_every_moment_has_the_same_keys_of_the_same_kinds(since_s: float, clock_s: float) -> None:
    now, start = readings(since_s, clock_s), readings(0.0, 0.0)
    assert now == readings(since_s, clock_s)
    for device, values in start.items():
        assert {k: type(v) for k, v in now[device].items()} == {
            k: type(v) for k, v in values.items()
        }
    assert 0 <= number(since_s, "pump-1", "flow") < 60
    assert 0 < number(since_s, "pump-1", "pressure") < 5
    assert 0 <= number(since_s, "tank-1", "level") <= 100


def test_the_alert_fires_within_two_minutes_and_clears_in_the_same_cycle() -> None:
    assert 30 <= seconds_to_alert() <= 90
    high = [s for s in range(int(CYCLE_S)) if number(s, "pump-1", "vibration") > VIBRATION_LIMIT]
    assert high == list(range(high[0], high[-1] + 1)), "fires once in a cycle"
    assert number(high[-1] + 10, "pump-1", "vibration") < VIBRATION_CLEAR


def test_a_clogged_strainer_is_seen_in_every_figure() -> None:
    assert number(78, "pump-1", "flow") < 0.7 * number(0, "pump-1", "flow")
    assert number(78, "pump-1", "pressure") < 0.7 * number(0, "pump-1", "pressure")
    assert number(78, "pump-1", "temperature") > 2 + number(0, "pump-1", "temperature")
    states = [readings(s, NOON_S)["pump-1"]["state"] for s in (0, 70, 85, 95, 110)]
    assert states == ["RUNNING", "CLOGGING", "FLUSHING", "STARTING", "RUNNING"]


def test_a_stopped_pump_moves_nothing() -> None:
    values = readings(88, NOON_S)
    assert values["conveyor-1"] == {"rpm": 0.0, "speed": 0.0, "rate": 0.0, "running": False}
    assert values["pump-1"]["running"] is values["motor-1"]["running"] is False
    assert values["pump-1"]["flow"] == pytest.approx(0, abs=0.05)
    assert values["valve-1"]["state"] == "CLOSED"


def test_figures_move_without_jumping() -> None:
    """A physical line has no step: not while it runs, and not where one cycle follows another."""
    for second in (*range(70), *range(100, int(CYCLE_S) + 5)):
        step = number(second + 1, "pump-1", "flow") - number(second, "pump-1", "flow")
        assert abs(step) < 1.5


def test_the_past_is_a_day_that_ends_before_now() -> None:
    now_us = int(NOON_S) * 1_000_000
    requests = past_requests(now_us)
    assert {request["device"] for request in requests} == set(readings(0, 0))
    for request in requests:
        assert len(request["ts"]) == HISTORY_S // STEP_S
        assert request["ts"][0] == now_us - HISTORY_S * 1_000_000
        assert request["ts"][-1] == now_us - STEP_S * 1_000_000
        assert all(len(column) == len(request["ts"]) for column in request["values"].values())


def test_of_the_past_only_what_is_missing_is_told() -> None:
    now_us = int(NOON_S) * 1_000_000
    for missing_s, told in ((0, 0), (9, 0), (10, 1), (600, 60), (10 * HISTORY_S, 8640), (-5, 0)):
        last_us = now_us - missing_s * 1_000_000
        requests = past_requests(now_us, last_us)
        assert {len(request["ts"]) for request in requests} == ({told} if told else set())
        assert not told or requests[0]["ts"][0] == max(last_us, now_us - HISTORY_S * 1_000_000)


def test_the_past_has_alerts_but_not_one_every_two_minutes() -> None:
    (pump,) = (r for r in past_requests(int(NOON_S) * 1_000_000) if r["device"] == "pump-1")
    high = [value > VIBRATION_LIMIT for value in pump["values"]["vibration"]]
    rises = sum(now and not before for before, now in pairwise(high))
    assert 24 <= rises <= 100


def test_a_live_request_names_every_device_at_one_time() -> None:
    request = pump_request(5.0, 1_767_225_600_000_000)
    assert [reading["device"] for reading in request] == DEVICES
    assert {reading["ts"] for reading in request} == {"2026-01-01T00:00:00Z"}
