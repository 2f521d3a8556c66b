"""Which relation answers for which part of a window."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.clock import DAY_US
from twin.moments import HOUR_US, MINUTE_US
from twin.rollups import fives_from_us
from widgets.segments import FIVE_US, QUARTER_US, divide

QUARTERS = st.integers(0, 1200).map(lambda n: n * QUARTER_US)
MOMENTS = st.integers(0, 1200 * QUARTER_US)

WIDTHS_US = {
    "readings": 1,
    "rollup_1m": MINUTE_US,
    "rollup_5m": FIVE_US,
    "rollup_15m": QUARTER_US,
    "rollup_1h": HOUR_US,
}


def minutes(*numbers: float) -> list[int]:
    return [round(n * MINUTE_US) for n in numbers]


@pytest.mark.parametrize(
    ("from_min", "end_min", "step_min", "closed_min", "expected"),
    [
        (0, 60, 5, 45, [("rollup_5m", 0, 45), ("readings", 45, 60)]),
        (0, 130, 10, 75, [("rollup_5m", 0, 75), ("readings", 75, 130)]),
        (0, 58, 5, 60, [("rollup_5m", 0, 55), ("rollup_1m", 55, 58)]),
        (  # fives are kept for so many days before the one of the mark
            2 * 1440 - 7,
            11 * 1440,
            5,
            10 * 1440 + 75,
            [
                ("rollup_1m", 2 * 1440 - 7, 2 * 1440),
                ("rollup_5m", 2 * 1440, 10 * 1440 + 75),
                ("readings", 10 * 1440 + 75, 11 * 1440),
            ],
        ),
        (0, 60, 15, 45, [("rollup_15m", 0, 45), ("readings", 45, 60)]),
        (0.5, 10, 1, 60, [("readings", 0.5, 1), ("rollup_1m", 1, 10)]),
        (0.5, 60.5, 0.5, 60, [("readings", 0.5, 60.5)]),  # half minutes are not in a rollup
        (50, 60, 1, 45, [("readings", 50, 60)]),
        (0.25, 0.75, 1, 45, [("readings", 0.25, 0.75)]),
        (
            0.5,
            59.5,
            0,
            60,
            [
                ("readings", 0.5, 1),
                ("rollup_1m", 1, 15),
                ("rollup_15m", 15, 45),
                ("rollup_1m", 45, 59),
                ("readings", 59, 59.5),
            ],
        ),
        (  # hours of the first day only: the second is not over
            30,
            2880,
            60,
            1500,
            [
                ("rollup_15m", 30, 60),
                ("rollup_1h", 60, 1440),
                ("rollup_15m", 1440, 1500),
                ("readings", 1500, 2880),
            ],
        ),
    ],
)
def test_the_coarsest_relation_that_fits_answers(
    from_min: float,
    end_min: float,
    step_min: float,
    closed_min: float,
    expected: list[tuple[str, float, float]],
) -> None:
    parts = divide(*minutes(from_min, end_min, step_min, closed_min))
    assert [(p.relation, p.from_us / 6e7, p.end_us / 6e7) for p in parts] == expected


@given(MOMENTS, MOMENTS, st.sampled_from(minutes(0, 0.5, 1, 5, 7, 10, 15, 60, 120)), QUARTERS)
def test_segments_cover_the_window_once(a: int, b: int, step_us: int, closed_us: int) -> None:
    from_us, end_us = min(a, b), max(a, b) + 1
    parts = divide(from_us, end_us, step_us, closed_us)
    assert [parts[0].from_us, parts[-1].end_us] == [from_us, end_us]
    for left, right in pairwise(parts):
        assert left.end_us == right.from_us
    for part in parts:
        width_us = WIDTHS_US[part.relation]
        assert part.from_us % width_us == part.end_us % width_us == 0
        assert part.relation == "readings" or part.end_us <= closed_us
        assert part.relation != "rollup_1h" or part.end_us <= closed_us // DAY_US * DAY_US
        if part.relation == "rollup_5m":
            assert fives_from_us(closed_us) <= part.from_us
