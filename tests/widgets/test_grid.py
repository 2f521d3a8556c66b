"""Where buckets begin, also where clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.clock import to_rfc3339, to_us
from twin.moments import parse_span
from widgets.grid import FixedGrid, grid_of, most_buckets, starts

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Havana",  # changes at midnight and 1 o'clock
    "America/Sao_Paulo",  # days that begin at 1 o'clock
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # changes by half an hour
    "Antarctica/Troll",  # by two hours
    "Pacific/Apia",  # had no 30 December 2011
)


def bounds(span: str, zone: str, first: str, last: str) -> list[str]:
    begin_us, end_us = (to_us(datetime.fromisoformat(t)) for t in (first, last))
    grid = grid_of(parse_span(span), ZoneInfo(zone), begin_us)
    return [to_rfc3339(s) for s in starts(grid, begin_us, end_us)]


@pytest.mark.parametrize(
    ("span", "zone", "first", "last", "expected"),
    [
        # The day that summer time ends has 25 hours, the one it begins 23.
        (
            "1d",
            "Europe/Berlin",
            "2026-10-24T10:00:00Z",
            "2026-10-26T10:00:00Z",
            ["2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"],
        ),
        (
            "1d",
            "Europe/Berlin",
            "2026-03-28T10:00:00Z",
            "2026-03-30T10:00:00Z",
            ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"],
        ),
        # 2 to 3 o'clock comes twice: two hours, or one longer bucket of the local clock.
        (
            "1h",
            "Europe/Berlin",
            "2026-10-25T00:00:00Z",
            "2026-10-25T03:00:00Z",
            ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"],
        ),
        (
            "2h",
            "Europe/Berlin",
            "2026-10-25T00:00:00Z",
            "2026-10-25T04:00:00Z",
            ["2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z"],
        ),
        (
            "6h",
            "Europe/Berlin",
            "2026-03-28T23:00:00Z",
            "2026-03-29T12:00:00Z",
            ["2026-03-28T23:00:00Z", "2026-03-29T04:00:00Z", "2026-03-29T10:00:00Z"],
        ),
        # A day whose midnight is left out begins with the change.
        (
            "1d",
            "America/Sao_Paulo",
            "2018-11-03T12:00:00Z",
            "2018-11-05T12:00:00Z",
            ["2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"],
        ),
        (
            "1d",
            "Pacific/Apia",
            "2011-12-29T12:00:00Z",
            "2012-01-01T00:00:00Z",
            ["2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"],
        ),
        # Quarter hours of the zone, weeks from Monday, months of the calendar.
        (
            "1h",
            "Asia/Kathmandu",
            "2026-01-01T00:00:00Z",
            "2026-01-01T01:30:00Z",
            ["2025-12-31T23:15:00Z", "2026-01-01T00:15:00Z", "2026-01-01T01:15:00Z"],
        ),
        (
            "1w",
            "UTC",
            "2026-11-18T00:00:00Z",
            "2026-11-24T00:00:00Z",
            ["2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"],
        ),
        (
            "1mo",
            "Europe/Berlin",
            "2026-02-10T00:00:00Z",
            "2026-04-01T00:00:00Z",
            ["2026-01-31T23:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"],
        ),
        (
            "3mo",
            "UTC",
            "2026-02-10T00:00:00Z",
            "2026-07-01T00:00:01Z",
            ["2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z", "2026-07-01T00:00:00Z"],
        ),
        (
            "7m",
            "UTC",
            "1970-01-01T00:08:00Z",
            "1970-01-01T00:20:00Z",
            ["1970-01-01T00:07:00Z", "1970-01-01T00:14:00Z"],
        ),
    ],
)
def test_buckets_begin_at_local_times(
    span: str, zone: str, first: str, last: str, expected: list[str]
) -> None:
    assert bounds(span, zone, first, last) == expected


@given(
    st.integers(to_us(datetime(1970, 1, 3, tzinfo=UTC)), to_us(datetime(2199, 1, 1, tzinfo=UTC))),
    st.sampled_from(["1s", "7m", "15m", "1h", "2h", "5h", "6h", "12h", "1d", "3d", "1w", "1mo"]),
    st.sampled_from(ZONES),
)
def test_every_moment_lies_in_one_bucket(moment_us: int, span: str, zone: str) -> None:
    grid = grid_of(parse_span(span), ZoneInfo(zone), moment_us)
    start_us = grid.floor(moment_us)
    following_us = grid.after(start_us)
    assert start_us <= moment_us < following_us
    assert grid.floor(start_us) == start_us
    assert grid.floor(following_us - 1) == start_us
    assert grid.floor(following_us) == following_us


@given(
    st.sampled_from(["1s", "15m", "1h", "6h", "12h", "1d", "3d", "1w", "1mo", "5mo"]),
    st.sampled_from(ZONES),
    st.integers(1, 40 * 3600),
)
def test_counting_agrees_with_listing(span: str, zone: str, length_s: int) -> None:
    from_us = to_us(datetime(2026, 10, 24, 13, 7, 11, tzinfo=UTC))
    width = parse_span(span)
    grid = grid_of(width, ZoneInfo(zone), from_us)
    end_us = from_us + length_s * width.nominal_us // 3600
    assert most_buckets(grid, from_us, end_us) == len(starts(grid, from_us, end_us))


def test_a_day_left_out_counts_but_is_not_listed() -> None:
    first, last = (to_us(datetime(*day, tzinfo=UTC)) for day in ((2011, 12, 29, 12), (2012, 1, 1)))
    grid = grid_of(parse_span("1d"), ZoneInfo("Pacific/Apia"), first)
    assert (most_buckets(grid, first, last), len(starts(grid, first, last))) == (4, 3)


def test_days_of_every_zone_lie_on_quarters_of_an_hour() -> None:
    """The rollup of 15 minutes can answer for local days."""
    for zone in ZONES:
        from_us = to_us(datetime(2026, 1, 1, tzinfo=UTC))
        grid = grid_of(parse_span("1d"), ZoneInfo(zone), from_us)
        assert all(s % 900_000_000 == 0 for s in starts(grid, from_us, from_us + 10**13))


def test_short_buckets_have_one_width() -> None:
    assert isinstance(grid_of(parse_span("1h"), ZoneInfo("Europe/Berlin"), 0), FixedGrid)
