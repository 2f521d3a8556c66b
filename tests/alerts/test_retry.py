"""What becomes of a delivery after an attempt."""

import pytest
from support.moments import at

from alerts.retry import GIVE_UP_AFTER_US, LONGEST_PAUSE_US, Attempt, decide
from twin.clock import SECOND_US, to_us

NOON_US = to_us(at("2026-11-20T12:00:00Z"))


def decided(attempt: Attempt, *, attempts: int = 1, age_us: int = 0, chance: float = 0.0):
    return decide(attempt, attempts=attempts, age_us=age_us, now_us=NOON_US, chance=chance)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success(status: int) -> None:
    assert decided(Attempt(status)).verdict == "delivered"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_statuses_that_are_retried(status: int) -> None:
    assert decided(Attempt(status)).verdict == "retry"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410, 422])
def test_statuses_that_are_final(status: int) -> None:
    outcome = decided(Attempt(status))
    assert (outcome.verdict, outcome.error) == ("failed", f"The receiver answered {status}.")


def test_a_network_failure_is_retried_and_a_refusal_is_not() -> None:
    assert decided(Attempt(error="connection refused")).verdict == "retry"
    assert decided(Attempt(error="private address", refused=True)).verdict == "failed"


def test_backoff_doubles_up_to_a_quarter_of_an_hour() -> None:
    pauses = [decided(Attempt(500), attempts=n).pause_us / SECOND_US for n in range(1, 14)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert decided(Attempt(500), attempts=10_000).pause_us == LONGEST_PAUSE_US


def test_jitter_stretches_a_pause_by_a_fifth_at_most() -> None:
    assert decided(Attempt(500), chance=0.5).pause_us == 1_100_000
    assert 1_199_000 < decided(Attempt(500), chance=0.9999).pause_us <= 1_200_000


@pytest.mark.parametrize(
    ("header", "pause_s"),
    [
        ("7", 7),
        ("0", 1),
        ("Fri, 20 Nov 2026 12:01:00 GMT", 60),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 1),
        ("soon", 1),
        ("-5", 1),
    ],
)
def test_retry_after_is_honoured_where_it_asks_for_more(header: str, pause_s: float) -> None:
    assert decided(Attempt(429, retry_after=header)).pause_us == pause_s * SECOND_US


def test_given_up_after_a_day() -> None:
    last = GIVE_UP_AFTER_US - SECOND_US
    assert decided(Attempt(500), age_us=last).verdict == "retry"
    assert decided(Attempt(500), age_us=last + 1).verdict == "failed"
    assert decided(Attempt(429, retry_after="999999999999")).verdict == "failed"
