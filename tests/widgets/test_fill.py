"""Buckets without a value."""

import pytest

from widgets.answers import Value
from widgets.fill import filled, labels_of

STARTS = [0, 10, 20, 30, 40]


@pytest.mark.parametrize(
    ("fill", "values", "expected"),
    [
        ("none", {10: 1.0, 40: 4.0}, [1.0, 4.0]),
        ("null", {10: 1.0, 40: 4.0}, [None, 1.0, None, None, 4.0]),
        ("previous", {10: 1.0, 40: 4.0}, [None, 1.0, 1.0, 1.0, 4.0]),
        ("previous", {10: "RUN"}, [None, "RUN", "RUN", "RUN", "RUN"]),
        ("linear", {10: 1.0, 40: 4.0}, [None, 1.0, 2.0, 3.0, 4.0]),
        ("linear", {0: 2, 20: 4}, [2, 3.0, 4, None, None]),
        ("linear", {0: "RUN", 20: "STOP"}, ["RUN", None, "STOP", None, None]),
        ("linear", {0: True, 20: False}, [True, None, False, None, None]),
        ("none", {}, []),
        ("null", {}, [None] * 5),
    ],
)
def test_gaps(fill: str, values: dict[int, Value], expected: list[Value]) -> None:
    labels = labels_of(STARTS, [values], fill)
    assert filled(labels, values, fill) == expected


@pytest.mark.parametrize(
    ("fill", "before", "values", "expected"),
    [
        ("previous", (-30, 9.0), {10: 1.0}, [9.0, 1.0, 1.0, 1.0, 1.0]),
        ("previous", (-30, "RUN"), {}, ["RUN"] * 5),
        ("linear", (-10, 0.0), {10: 1.0}, [0.5, 1.0, None, None, None]),
        ("linear", (0, 0.0), {10: 1.0}, [0.0, 1.0, None, None, None]),
        ("linear", (0, 3.0), {}, [3.0, None, None, None, None]),
        ("linear", (-10, 3.0), {}, [None] * 5),
        ("linear", (-10, "RUN"), {10: "STOP"}, [None, "STOP", None, None, None]),
    ],
)
def test_a_gap_at_the_begin_is_filled_from_before(
    fill: str, before: tuple[int, Value], values: dict[int, Value], expected: list[Value]
) -> None:
    assert filled(STARTS, values, fill, before) == expected


def test_series_share_labels() -> None:
    first: dict[int, Value] = {0: 1.0, 20: 2.0}
    second: dict[int, Value] = {10: 5.0}
    labels = labels_of(STARTS, [first, second], "none")
    assert labels == [0, 10, 20]
    assert filled(labels, second, "none") == [None, 5.0, None]
