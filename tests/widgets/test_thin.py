"""Picking points of a line."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.thin import Samples, thin

HOUR_US = 3_600_000_000


def samples(values: list[float]) -> Samples:
    return Samples(np.arange(len(values), dtype=np.int64) * 1_000_000 + HOUR_US, np.array(values))


@pytest.mark.parametrize(("how", "points"), [("lttb", 3), ("lttb", 100), ("minmax", 2)])
def test_a_spike_is_picked(how: str, points: int) -> None:
    values = [math.sin(i / 50) for i in range(2000)]
    values[700] = 40.0
    found = thin(samples(values), how, points)
    assert len(found.ts_us) == len(found.values) <= points
    assert 40.0 in found.values
    assert found.ts_us[found.values.argmax()] == HOUR_US + 700_000_000


@pytest.mark.parametrize("how", ["lttb", "minmax"])
def test_no_more_than_points_are_shown_as_they_are(how: str) -> None:
    given = samples([1.0, 5.0, 2.0, 8.0])
    assert thin(given, how, 4).values.tolist() == [1, 5, 2, 8]
    assert len(thin(given, how, 3).values) <= 3


GAPS = st.sampled_from([1, 1, 1, 1000, 1_000_000, 86_400_000_000, 10**14])
READINGS = st.lists(
    st.tuples(GAPS, st.sampled_from([0.0, -5.0, 1.0, 3.3, 1e308, -1e308])), min_size=1
)


@given(READINGS, st.integers(3, 40))
def test_what_is_picked(readings: list[tuple[int, float]], points: int) -> None:
    ts_us = np.cumsum(np.array([gap for gap, _ in readings], dtype=np.int64))
    values = np.array([value for _, value in readings])
    given_values = dict(zip(ts_us.tolist(), values.tolist(), strict=True))
    for how in ("lttb", "minmax"):
        found = thin(Samples(ts_us, values), how, points)
        assert len(found.ts_us) == len(found.values) <= points
        assert (np.diff(found.ts_us) > 0).all()
        assert dict(zip(found.ts_us.tolist(), found.values.tolist(), strict=True)).items() <= (
            given_values.items()
        )
        if how == "minmax":
            assert {values.min(), values.max()} <= set(found.values.tolist())
        else:
            assert {ts_us[0], ts_us[-1]} <= set(found.ts_us.tolist())
