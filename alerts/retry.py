"""What becomes of a delivery after an attempt. Pure: takes the clock and the chance it needs."""

from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

from twin.clock import DAY_US, SECOND_US, to_us

GIVE_UP_AFTER_US = DAY_US
"""A receiver that was away for a day is told nothing more of that change."""
GAVE_UP = "Given up after a day."
FIRST_PAUSE_US = 1 * SECOND_US
LONGEST_PAUSE_US = 15 * 60 * SECOND_US
"""Backoff doubles up to this, so a day holds about a hundred attempts."""
JITTER = 0.2
"""Pauses are stretched by up to this share, so that deliveries that failed together part."""
RETRIED_STATUSES = (408, 429)

Verdict = Literal["delivered", "failed", "retry"]


class Attempt(msgspec.Struct, frozen=True):
    """How one call ended: an HTTP status, or why there was none.

    refused: what is wrong will not change by itself. reason: why there was no status, in a word.
    """

    status: int | None = None
    error: str | None = None
    retry_after: str | None = None
    refused: bool = False
    reason: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What to do with the delivery; pause_us only for a retry.

    is_alive: the receiver answers, even if not as hoped: its circuit stays closed. reason: a failure
    in a word, for counting.
    """

    verdict: Verdict
    pause_us: int = 0
    error: str | None = None
    is_alive: bool = True
    reason: str | None = None


def decide(attempt: Attempt, *, attempts: int, age_us: int, now_us: int, chance: float) -> Outcome:
    """Return what becomes of a delivery after its attempt number `attempts` (from 1).

    `age_us` is the time since the transition, `chance` in [0, 1) picks the jitter.
    """
    status = attempt.status
    if status is not None and 200 <= status < 300:
        return Outcome("delivered")
    error = attempt.error or f"The receiver answered {status}."
    reason = attempt.reason or f"status_{status}"
    if attempt.refused or (status is not None and not _is_retried(status)):
        return Outcome("failed", error=error, reason=reason)
    pause_us = max(_backoff_us(attempts, chance), _asked_us(attempt.retry_after, now_us))
    if age_us + pause_us > GIVE_UP_AFTER_US:
        return Outcome("failed", error=f"{error} {GAVE_UP}", is_alive=False, reason=reason)
    return Outcome("retry", pause_us=pause_us, error=error, is_alive=False, reason=reason)


def _is_retried(status: int) -> bool:
    return status in RETRIED_STATUSES or status >= 500


def _backoff_us(attempts: int, chance: float) -> int:
    doubled = FIRST_PAUSE_US << min(attempts - 1, 20)
    return int(min(doubled, LONGEST_PAUSE_US) * (1 + JITTER * chance))


def _asked_us(retry_after: str | None, now_us: int) -> int:
    """Return the pause that a Retry-After asks for, in seconds or as a date; 0 if neither."""
    if retry_after is None:
        return 0
    if retry_after.strip().isdecimal():
        return min(int(retry_after), 10 * DAY_US // SECOND_US) * SECOND_US
    try:
        return max(to_us(parsedate_to_datetime(retry_after)) - now_us, 0)
    except (ValueError, TypeError):
        return 0
