"""What an alert does over time. Each case reads: the rule, the readings, what must happen when.

Readings are (second, temperature) or (second, values by key), a list of them per request; outcomes
are (second, new state). Severities, compound rules and schedules have a module of their own, and so
has what receivers are told.
"""

import pytest
from support.timelines import PUMP, STREAM, play, rows_of, rule, schema

from alerts.evaluate import find_candidates, pair_key
from alerts.judge import Level, State, judge
from alerts.plan import make_plan
from alerts.replay import active_of

HOT = rule("greater_than", 80.0)
HOT_FOR_10S = rule("greater_than", 80.0, for_seconds=10)
HOT_FOR_1S = rule("greater_than", 80.0, for_seconds=1)
HOT_UNTIL_70 = rule("greater_than", 80.0, clear_threshold=70.0)
COLD_UNTIL_15 = rule("less_than", 10.0, clear_threshold=15.0)

FILLING = rule("rate_above", 60.0)
FILLING_UNTIL_30 = rule("rate_above", 60.0, clear_threshold=30.0)
DAY = 86_400

TIMELINES = {
    "stays below the limit: nothing": (HOT, [[(1, 79), (2, 80)]], []),
    "rises above the limit: fires at that reading": (HOT, [[(1, 79), (2, 81)]], [(2, "firing")]),
    "exactly at the limit is not above it": (HOT, [[(1, 80.0)]], []),
    "exactly at the limit is at or above it": (
        rule("greater_or_equal", 80.0),
        [[(1, 79.999), (2, 80.0)]],
        [(2, "firing")],
    ),
    "falls below": (rule("less_than", 3.0), [[(1, 3.0), (2, 2.9)]], [(2, "firing")]),
    "falls to the limit": (rule("less_or_equal", 3.0), [[(1, 3.1), (2, 3.0)]], [(2, "firing")]),
    "takes one value": (
        rule("equal_to", 4.0),
        [[(1, 3), (2, 4), (3, 5)]],
        [(2, "firing"), (3, "normal")],
    ),
    "leaves one value": (
        rule("not_equal_to", 4.0),
        [[(1, 4), (2, 5), (3, 4)]],
        [(2, "firing"), (3, "normal")],
    ),
    "enters a band, both ends of which belong to it": (
        rule("between", 10.0, threshold_high=20.0),
        [[(1, 9), (2, 10), (3, 20), (4, 21)]],
        [(2, "firing"), (4, "normal")],
    ),
    "leaves a band": (
        rule("outside", 10.0, threshold_high=20.0),
        [[(1, 10), (2, 20), (3, 21), (4, 15), (5, 9)]],
        [(3, "firing"), (4, "normal"), (5, "firing")],
    ),
    "stays above: fires once": (HOT, [[(1, 81), (2, 90)], [(3, 95)]], [(1, "firing")]),
    "comes back in a later request": (
        HOT,
        [[(1, 81)], [(2, 85)], [(3, 80)]],
        [(1, "firing"), (3, "normal")],
    ),
    "up and down within one request: both are told": (
        HOT,
        [[(1, 70), (2, 81), (3, 70)]],
        [(2, "firing"), (3, "normal")],
    ),
    "three crossings within one request": (
        HOT,
        [[(1, 81), (2, 70), (3, 82), (4, 83)]],
        [(1, "firing"), (2, "normal"), (3, "firing")],
    ),
    "readings of a request are judged by their time, not by their place": (
        HOT,
        [[(3, 70), (1, 70), (2, 81)]],
        [(2, "firing"), (3, "normal")],
    ),
    "a late hot reading changes nothing": (HOT, [[(10, 70)], [(5, 99)]], []),
    "a late cool reading does not end an alert": (HOT, [[(10, 81)], [(5, 20)]], [(10, "firing")]),
    "a late reading between others that were sent before": (
        HOT,
        [[(1, 70)], [(3, 70)], [(2, 99)], [(4, 99)]],
        [(4, "firing")],
    ),
    "of a request with late and new readings only the new ones count": (
        HOT,
        [[(10, 70)], [(9, 99), (11, 70), (12, 99)]],
        [(12, "firing")],
    ),
    "the newest reading is corrected": (HOT, [[(1, 70)], [(1, 99)]], [(1, "firing")]),
    "a request is sent twice: nothing happens twice": (
        HOT,
        [[(1, 70), (2, 99)], [(1, 70), (2, 99)], [(3, 70)], [(3, 70)]],
        [(2, "firing"), (3, "normal")],
    ),
    "a reading without the key is not judged": (HOT, [[(1, 81), (2, None)]], [(1, "firing")]),
    "readings without the key do not make others late": (
        HOT,
        [[(5, None)], [(4, 81)]],
        [(4, "firing")],
    ),
    "held long enough: pending, then firing": (
        HOT_FOR_10S,
        [[(0, 81), (5, 82), (10, 83)]],
        [(0, "pending"), (10, "firing")],
    ),
    "held long enough over several requests": (
        HOT_FOR_10S,
        [[(0, 81)], [(5, 82)], [(9.9, 82)], [(12, 83)]],
        [(0, "pending"), (12, "firing")],
    ),
    "not held long enough: back to normal without an alert": (
        HOT_FOR_10S,
        [[(0, 81), (9, 82), (9.5, 79), (11, 82)]],
        [(0, "pending"), (9.5, "normal"), (11, "pending")],
    ),
    "the wait is counted anew after every dip": (
        HOT_FOR_10S,
        [[(0, 81), (8, 79), (9, 81)], [(12, 81)], [(19, 81)]],
        [(0, "pending"), (8, "normal"), (9, "pending"), (19, "firing")],
    ),
    "the wait goes by the readings' time: a day's recording sent at once": (
        HOT_FOR_10S,
        [[(t, 81 if t >= 50_000 else 20) for t in range(0, 86_400, 5)]],
        [(50_000, "pending"), (50_010, "firing")],
    ),
    "a rest between the limits keeps the alert": (
        HOT_UNTIL_70,
        [[(1, 81), (2, 75), (3, 71)]],
        [(1, "firing")],
    ),
    "the alert ends at the clear limit": (
        HOT_UNTIL_70,
        [[(1, 81), (2, 75)], [(3, 70), (4, 75), (5, 81)]],
        [(1, "firing"), (3, "normal"), (5, "firing")],
    ),
    "between the limits no alert begins": (HOT_UNTIL_70, [[(1, 75), (2, 80)]], []),
    "a low alert ends at its higher clear limit": (
        COLD_UNTIL_15,
        [[(1, 9), (2, 14), (3, 15)]],
        [(1, "firing"), (3, "normal")],
    ),
    "held for a time and cleared low: a dip while waiting starts over": (
        rule("greater_than", 80.0, for_seconds=10, clear_threshold=70.0),
        [[(0, 81), (5, 75), (6, 81), (16, 81), (20, 75), (21, 70)]],
        [(0, "pending"), (5, "normal"), (6, "pending"), (16, "firing"), (21, "normal")],
    ),
    "a level rises slowly: no alert": (FILLING, [[(0, 0), (60, 60), (120, 120)]], []),
    "a level rises by more than 60 a minute": (
        FILLING,
        [[(0, 0), (10, 5), (20, 25), (30, 30)]],
        [(20, "firing"), (30, "normal")],
    ),
    "the first reading has no rate": (FILLING, [[(0, 1_000_000)]], []),
    "the rate reaches over requests": (
        FILLING,
        [[(0, 0)], [(10, 20)], [(20, 21)]],
        [(10, "firing"), (20, "normal")],
    ),
    "a counter that begins anew at zero has risen by what it shows": (
        FILLING,
        [[(0, 1000), (60, 1010)], [(120, 5), (180, 70)]],
        [(180, "firing")],
    ),
    "a rate ends at its clear limit": (
        FILLING_UNTIL_30,
        [[(0, 0), (60, 61), (120, 101), (180, 131)]],
        [(60, "firing"), (180, "normal")],
    ),
    "a late reading makes no rate": (FILLING, [[(0, 0), (60, 10)], [(30, 500)]], []),
    "a rate is against the newest reading before, late ones included": (
        FILLING,
        [[(0, 0), (60, 10)], [(59, 0)], [(61, 11.5)]],
        [(61, "firing")],
    ),
    "the newest reading is corrected: its rate is against the one before": (
        FILLING,
        [[(0, 0)], [(60, 10)], [(60, 100)]],
        [(60, "firing")],
    ),
    "after a gap of more than a week no rate is made": (
        FILLING,
        [[(0, 0)], [(8 * DAY, 1e9)], [(8 * DAY + 60, 1e9)]],
        [],
    ),
    "readings without the key stand between two of a rate": (
        FILLING,
        [[(0, 0), (30, None), (60, 61)]],
        [(60, "firing")],
    ),
}


@pytest.mark.parametrize("name", TIMELINES)
def test_timeline(name: str) -> None:
    definition, batches, expected = TIMELINES[name]
    assert play(definition, batches, PUMP) == expected


def test_text_is_compared_by_its_code() -> None:
    fault = rule("equal_to", "FAULT")
    where = schema("text", RUNNING=0, FAULT=1)
    assert play(fault, [[(1, 0), (2, 1), (3, 0)]], where) == [(2, "firing"), (3, "normal")]


def test_a_text_that_was_never_seen_is_equal_to_nothing() -> None:
    where = schema("text", RUNNING=0)
    assert play(rule("equal_to", "FAULT"), [[(1, 0)]], where) == []
    assert play(rule("not_equal_to", "FAULT"), [[(1, 0)]], where) == [(1, "firing")]


def test_booleans() -> None:
    where = schema("boolean")
    door = rule("equal_to", True)
    assert play(door, [[(1, 0), (2, 1), (3, 0)]], where) == [(2, "firing"), (3, "normal")]


@pytest.mark.parametrize(
    ("kind", "threshold"), [("text", 1.0), ("boolean", 1.0), ("number", "A"), ("number", True)]
)
def test_a_key_of_another_kind_is_not_judged(kind: str, threshold: object) -> None:
    assert play(rule("equal_to", threshold), [[(1, 1)]], schema(kind, A=1)) == []


def test_a_wait_never_ends_at_a_late_reading() -> None:
    """A batch that was not judged, because judging it raised, leaves a wait that is over."""
    rows = rows_of([(2, 81), (6, 81)])
    plan = make_plan([HOT_FOR_1S], schema())
    waiting = State(Level.PENDING, since_us=0, last_us=0)
    active = active_of(plan, {pair_key(0, STREAM): waiting})
    (candidate,) = find_candidates(plan, active, rows)
    steps = judge(candidate, waiting, HOT_FOR_1S.spec.for_us, newest_us=5_000_000)
    assert [(step.ts_us, step.level) for step in steps] == [(6_000_000, Level.FIRING)]
