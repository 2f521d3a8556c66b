"""Time. One timestamp type inside: int64 microseconds since 1970-01-01 UTC."""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
_US = timedelta(microseconds=1)


def now_us() -> int:
    """Return the wall clock in microseconds since the epoch."""
    return time.time_ns() // 1000


def to_us(moment: datetime) -> int:
    """Return an aware datetime as microseconds since the epoch, exactly."""
    return (moment - EPOCH) // _US


def to_datetime(ts_us: int) -> datetime:
    """Return microseconds since the epoch as an aware UTC datetime, exactly."""
    return EPOCH + timedelta(microseconds=ts_us)


@lru_cache(maxsize=20_000)  # labels of lines: the same for every line of a window
def to_rfc3339(ts_us: int) -> str:
    """Return RFC 3339 UTC text, with a fraction only where there is one: ``2026-11-20T12:00:00Z``."""
    text = to_datetime(ts_us).replace(tzinfo=None).isoformat()
    if "." in text:
        text = text.rstrip("0")
    return text + "Z"
