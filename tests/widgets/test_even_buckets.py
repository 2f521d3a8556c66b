"""Buckets of one width are told by that width, others by their edges."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from twin.clock import to_us
from widgets.plan import plan
from widgets.question import Question
from widgets.spec import query_spec
from widgets.window import lay_out, resolve

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("first", "last", "is_even"),
    [
        ("2026-10-20", "2026-10-25", True),
        ("2026-10-20", "2026-10-26", False),  # its last day has 25 hours
        ("2026-10-25", "2026-10-26", True),  # its only day
        ("2026-10-25", "2026-10-28", False),
        ("2026-10-26", "2026-10-28", True),
    ],
)
def test_a_day_of_25_hours_is_no_width(first: str, last: str, is_even: bool) -> None:
    pairs = [("datasource_id", "00000000-0000-0000-0000-000000000001"), ("key", "x")]
    pairs += [("from", first), ("to", last), ("bucket", "1d")]
    spec, _ = query_spec("bar", pairs, 5000)
    now_us = to_us(datetime(2026, 11, 1, tzinfo=UTC))
    window = lay_out(resolve(spec, BERLIN, now_us, None, 5000))
    question = Question((1,), 0, "avg", window.from_us, window.end_us, "time", window)
    query = plan(question, now_us, 1000)
    assert ("width" in query.params) is is_even
    assert ("edges" in query.params) is not is_even
