"""The window an answer covers."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.clock import to_rfc3339, to_us
from twin.errors import Invalid
from widgets.spec import query_spec, zone_of
from widgets.window import Window, is_windowed, lay_out, resolve

NOW_US = to_us(datetime(2026, 11, 20, 12, 34, 56, 789, tzinfo=UTC))
DATASOURCE = str(uuid4())


def window(
    type_: str = "line", *, now_us: int = NOW_US, at_us: int | None = None, **fields: str
) -> Window:
    given_fields = {"key": "rpm", "datasource_id": DATASOURCE, **fields}
    spec, _ = query_spec(type_, given_fields.items(), 5000)
    return lay_out(resolve(spec, zone_of(spec.timezone or "UTC"), now_us, at_us, 5000))


def shown(found: Window) -> tuple[str, str, str, int]:
    ends = to_rfc3339(found.from_us), to_rfc3339(found.to_us)
    return (*ends, found.bucket.text, len(found.starts))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("2026-11-19T12:30:00Z", "2026-11-20T12:35:00Z", "5m", 289)),
        ({"points": "288"}, ("2026-11-19T12:30:00Z", "2026-11-20T12:40:00Z", "10m", 145)),
        ({"range": "15m"}, ("2026-11-20T12:19:55Z", "2026-11-20T12:35:00Z", "5s", 181)),
        ({"range": "1m"}, ("2026-11-20T12:33:56Z", "2026-11-20T12:34:57Z", "1s", 61)),
        (
            {"range": "7d", "bucket": "1d", "timezone": "Europe/Berlin"},
            ("2026-11-12T23:00:00Z", "2026-11-20T23:00:00Z", "1d", 8),
        ),
        (
            {"range": "today", "bucket": "1h", "timezone": "Asia/Kolkata"},
            ("2026-11-19T18:30:00Z", "2026-11-20T13:30:00Z", "1h", 19),
        ),
        (
            {"from": "2026-11-20T11:59:30Z", "bucket": "5m"},
            ("2026-11-20T11:59:30Z", "2026-11-20T12:35:00Z", "5m", 8),
        ),
        (
            {"to": "2026-11-20T06:00:00Z"},
            ("2026-11-19T06:00:00Z", "2026-11-20T06:00:00Z", "5m", 288),
        ),
        (
            {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "points": "288"},
            ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "5m", 288),
        ),
    ],
)
def test_windows(fields: dict[str, str], expected: tuple[str, str, str, int]) -> None:
    assert shown(window(**fields)) == expected


@pytest.mark.parametrize(
    ("range_", "now", "expected"),
    [
        # Berlin: +1 h in winter, +2 h between 29 March and 25 October 2026.
        ("today", (2026, 3, 29, 12, 20), ("2026-03-28T23:00:00Z", "2026-03-29T13:00:00Z")),
        ("yesterday", (2026, 3, 30, 12, 0), ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")),
        ("yesterday", (2026, 10, 26, 12, 0), ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")),
        ("this_week", (2026, 3, 29, 21, 30), ("2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z")),
        ("this_week", (2026, 10, 28, 8, 30), ("2026-10-25T23:00:00Z", "2026-10-28T09:00:00Z")),
        ("this_month", (2026, 3, 31, 8, 30), ("2026-02-28T23:00:00Z", "2026-03-31T09:00:00Z")),
    ],
)
def test_named_ranges_begin_with_local_days_weeks_and_months(
    range_: str, now: tuple[int, int, int, int, int], expected: tuple[str, str]
) -> None:
    now_us = to_us(datetime(*now, tzinfo=UTC))
    found = window(range=range_, bucket="1h", timezone="Europe/Berlin", now_us=now_us)
    assert shown(found)[:2] == expected


def test_a_named_range_holds_nothing_from_before_it() -> None:
    found = window(range="today", bucket="7m")
    assert shown(found)[0] == "2026-11-20T00:00:00Z"


def test_bars_are_fewer_than_points_of_a_line() -> None:
    assert shown(window("bar")) == ("2026-11-19T12:00:00Z", "2026-11-20T13:00:00Z", "1h", 25)


def test_a_sliding_window_stays_until_the_next_bucket_begins() -> None:
    begin_us = to_us(datetime(2026, 11, 20, 12, 35, tzinfo=UTC))
    keys = {window(now_us=begin_us + offset).key for offset in (0, 1, 299_999_999)}
    assert len(keys) == 1
    assert window(now_us=begin_us - 1).key not in keys
    assert window(now_us=begin_us + 300_000_000).key not in keys


def test_as_of_a_moment_nothing_later_is_read() -> None:
    at_us = to_us(datetime(2026, 11, 20, 6, 2, tzinfo=UTC))
    found = window(at_us=at_us)
    assert shown(found) == shown(window(now_us=at_us))
    assert found.end_us == at_us + 1
    ended = window(at_us=at_us, **{"from": "2026-11-20T00:00:00Z", "to": "2026-11-20T06:00:00Z"})
    assert ended.end_us == ended.to_us


@given(
    st.sampled_from(["30s", "15m", "1h", "24h", "7d", "1mo", "1200d", "today"]),
    st.integers(2, 5000),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
)
def test_auto_gives_no_more_than_points_and_holds_the_range(
    range_: str, points: int, zone: str
) -> None:
    found = window(range=range_, points=str(points), timezone=zone)
    assert 1 <= len(found.starts) <= points
    assert found.from_us <= NOW_US < found.to_us
    assert found.starts[0] == found.from_us


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"from": "2026-11-20T01:00:00Z", "to": "2026-11-20T01:00:00Z"}, "from"),
        ({"from": "2026-11-21T01:00:00Z"}, "from"),
        ({"range": "30d", "bucket": "1s"}, "bucket"),
        ({"from": "1970-01-01", "to": "2199-01-01", "bucket": "1d"}, "bucket"),
    ],
)
def test_impossible_windows_are_refused(fields: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        window(**fields)
    assert [error.key for error in caught.value.errors] == [field]


def test_exactly_the_most_points_are_allowed() -> None:
    fields = {"from": "2026-11-20T00:00:00Z", "bucket": "1s"}
    assert len(window(**fields, to="2026-11-20T01:23:20Z").starts) == 5000
    with pytest.raises(Invalid, match="5000"):
        window(**fields, to="2026-11-20T01:23:21Z")


@pytest.mark.parametrize(
    ("type_", "fields", "expected"),
    [
        ("single", {}, False),
        ("single", {"agg": "avg"}, True),
        ("single", {"range": "1h"}, True),
        ("line", {}, True),
    ],
)
def test_only_a_plain_single_has_no_window(
    type_: str, fields: dict[str, str], expected: bool
) -> None:
    pairs = {"key": "rpm", "datasource_id": DATASOURCE, **fields}
    spec, _ = query_spec(type_, pairs.items(), 5000)
    assert is_windowed(spec) is expected
