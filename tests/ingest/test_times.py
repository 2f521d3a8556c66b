"""Times as numbers and text, one by one and as columns."""

import contextlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.times import (
    MAX_AHEAD_US,
    PRECISIONS,
    BadTime,
    check_range,
    number_to_us,
    numbers_to_us,
    text_to_us,
    texts_to_us,
)
from twin.clock import to_datetime, to_us

BERLIN, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))


@pytest.mark.parametrize(
    ("value", "unit_us"),
    [
        (10**11 - 1, 10**6),
        (10**11, 1000),
        (10**14 - 1, 1000),
        (10**14, 1),
        (10**17 - 1, 1),
        (99_999_999_999.5, 10**6),
        (1e11, 1000),
    ],
)
def test_the_unit_is_told_by_the_size(value: float, unit_us: int) -> None:
    assert number_to_us(value, None) == round(value * unit_us)


def test_from_1e17_on_it_is_nanoseconds() -> None:
    assert number_to_us(10**17, None) == 10**14
    assert number_to_us(1_700_000_000_123_456_789, None) == 1_700_000_000_123_456


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("unit", [None, *PRECISIONS.values()])
def test_what_is_not_finite_is_no_time(value: float, unit: int | None) -> None:
    with pytest.raises(BadTime):
        number_to_us(value, unit)


@given(
    st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    st.sampled_from([None, *PRECISIONS.values()]),
)
def test_any_number_is_a_time_or_a_fault(value: float, unit: int | None) -> None:
    try:
        ts_us = number_to_us(value, unit)
    except BadTime:
        return
    assert isinstance(ts_us, int)
    assert check_range(ts_us, 0) is None or not 0 <= ts_us <= MAX_AHEAD_US


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_fault(text: str) -> None:
    for zone in (UTC_ZONE, BERLIN):
        with contextlib.suppress(BadTime):
            assert isinstance(text_to_us(text, zone), int)


@given(moments, st.integers(-14 * 60, 14 * 60))
def test_text_with_an_offset_is_exact(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=UTC) + timedelta(minutes=minutes)
    sign = "-" if minutes < 0 else "+"
    text = f"{aware:%Y-%m-%dT%H:%M:%S.%f}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    assert text_to_us(text, BERLIN) == to_us(moment.replace(tzinfo=UTC))


def test_the_bounds_of_the_range() -> None:
    now_us = 1_700_000_000_000_000
    assert check_range(0, now_us) is None
    assert check_range(now_us + MAX_AHEAD_US, now_us) is None
    assert "1970" in str(check_range(-1, now_us))
    assert "ahead" in str(check_range(now_us + MAX_AHEAD_US + 1, now_us))


@given(
    st.lists(st.one_of(st.integers(-10, 10**20), st.integers(0, 2 * 10**9)), min_size=1),
    st.sampled_from([None, *PRECISIONS.values()]),
)
def test_a_column_of_numbers_is_as_one_by_one(values: list[int], unit: int | None) -> None:
    column = numbers_to_us(values, unit)
    if column is not None:
        assert column.tolist() == [number_to_us(value, unit) for value in values]


def test_an_ordinary_column_of_numbers_is_read_at_once() -> None:
    for factor in (1, 10**3, 10**6, 10**9):
        assert numbers_to_us([1_700_000_000 * factor] * 3, None) is not None
    assert numbers_to_us([1, 10**12], None) is None
    assert numbers_to_us([1, 10**12], PRECISIONS["ms"]) is not None


layouts = st.sampled_from(["seconds", "milliseconds", "microseconds"])


@given(st.lists(moments, min_size=1, max_size=5), layouts)
def test_a_column_of_text_is_as_one_by_one(found: list[datetime], layout: str) -> None:
    texts = [moment.isoformat(timespec=layout) + "Z" for moment in found]
    column = texts_to_us(texts)
    assert column is not None
    assert column.tolist() == [text_to_us(text, BERLIN) for text in texts]


@given(st.lists(st.text("0123456789-:TZ. \u0660", min_size=20, max_size=20), min_size=1))
def test_a_column_of_nonsense_is_left_to_the_general_path(texts: list[str]) -> None:
    column = texts_to_us(texts)
    if column is not None:
        assert column.tolist() == [text_to_us(text, BERLIN) for text in texts]


@pytest.mark.parametrize(
    "texts",
    [
        ["2023-02-30T00:00:00Z"],
        ["2023-01-01T24:00:00Z"],
        ["2023-01-01T00:60:00Z"],
        ["2023-01-01T00:00:60Z"],
        ["2023-01-01T00:00:00Z", "2023-01-01T00:00:00.1Z"],
        ["2023-01-01T00:00:00+"],
        ["2023-01-01t00:00:00Z"],
        ["٢٠٢٣-01-01T00:00:00Z"],
    ],
)
def test_what_a_column_cannot_hold(texts: list[str]) -> None:
    assert texts_to_us(texts) is None


@given(moments)
def test_local_text_is_the_zones_wall_clock(moment: datetime) -> None:
    ts_us = text_to_us(moment.isoformat(), BERLIN)
    local = to_datetime(ts_us).astimezone(BERLIN).replace(tzinfo=None, fold=0)
    # In the hour that spring leaves out, the clock shows an hour later.
    assert local - moment in (timedelta(0), timedelta(hours=1))
