"""Text that stands for time."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from twin.clock import to_rfc3339, to_us
from twin.moments import before, parse_moment, parse_span

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z"),
        ("2026-11-20T12:00:00+01:00", "2026-11-20T11:00:00Z"),
        ("2026-11-20T12:00:00 01:00", "2026-11-20T11:00:00Z"),  # the plus lost in a query string
        ("2026-11-20T12:00:00", "2026-11-20T11:00:00Z"),
        ("2026-11-20 12:00:00.25", "2026-11-20T11:00:00.25Z"),
        ("2026-07-01", "2026-06-30T22:00:00Z"),
        ("1795176000", "2026-11-20T12:00:00Z"),
        ("1795176000.5", "2026-11-20T12:00:00.5Z"),
        ("1795176000250", "2026-11-20T12:00:00.25Z"),
        ("1795176000000001", "2026-11-20T12:00:00.000001Z"),
        ("1795176000000001999", "2026-11-20T12:00:00.000001Z"),
    ],
)
def test_moments_are_read(text: str, expected: str) -> None:
    assert to_rfc3339(parse_moment(text, BERLIN)) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "12:00", "1969-12-31", "2200-01-02", "-5"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_moment(text, BERLIN)


@pytest.mark.parametrize("text", ["15m", "10s", "24h", "7d", "1w", "1mo", "36600d"])
def test_spans_are_read(text: str) -> None:
    assert parse_span(text).text == text


def test_a_year_is_twelve_months() -> None:
    assert parse_span("2y") == parse_span("24mo")


@pytest.mark.parametrize(
    "text", ["", "m", "0m", "-1h", "1.5h", "1q", "102y", "5 m", "5M", "36601d"]
)
def test_other_spans_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_span(text)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ("24h", "2026-10-25T12:00:00Z"),
        ("1d", "2026-10-25T12:00:00Z"),
        ("2d", "2026-10-24T11:00:00Z"),  # 25 October had 25 hours in Berlin
        ("1w", "2026-10-19T11:00:00Z"),
        ("8mo", "2026-02-26T12:00:00Z"),
        ("1200mo", "1970-01-01T00:00:00Z"),
        ("36600d", "1970-01-01T00:00:00Z"),
    ],
)
def test_days_and_longer_are_counted_on_the_local_calendar(span: str, expected: str) -> None:
    moment_us = to_us(datetime(2026, 10, 26, 12, tzinfo=UTC))
    assert to_rfc3339(before(moment_us, parse_span(span), BERLIN)) == expected


def test_a_month_before_the_31st_is_the_last_of_the_month_before() -> None:
    moment_us = to_us(datetime(2026, 3, 31, 12, tzinfo=UTC))
    assert to_rfc3339(before(moment_us, parse_span("1mo"), ZoneInfo("UTC"))) == (
        "2026-02-28T12:00:00Z"
    )
