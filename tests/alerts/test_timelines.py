"""What an alert does over time. Each case reads: the rule, the readings, what must happen when.

Readings are (second, temperature) or (second, values by key), a list of them per request; outcomes
are (second, new state). Of a rule that escalates a firing alert is told with its severity.
"""

import pytest
from support.timelines import PUMP, STREAM, defined, play, rows_of, rule, schema

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
HOT_THEN_CRITICAL = rule(
    "greater_than",
    80.0,
    severity="warning",
    clear_threshold=75.0,
    escalation=[{"severity": "critical", "threshold": 95.0, "clear_threshold": 90.0}],
)
COLD_IN_THREE_STEPS = rule(
    "less_than",
    10.0,
    severity="info",
    escalation=[
        {"severity": "warning", "threshold": 5.0},
        {"severity": "critical", "threshold": 0.0},
    ],
)
HOT_AND_TIGHT = defined(
    all=[
        {"key": "temperature", "condition": "greater_than", "threshold": 80, "clear_threshold": 70},
        {"key": "pressure", "condition": "greater_than", "threshold": 5},
    ]
)
HOT_OR_STILL = defined(
    any=[
        {"key": "temperature", "condition": "greater_than", "threshold": 80},
        {"key": "flow", "condition": "less_than", "threshold": 1},
    ]
)
H, DAY = 3600, 86_400
MONDAY = 4 * DAY
"""1970-01-05, a Monday."""
BERLIN_DAYSHIFT = {"timezone": "Europe/Berlin", "from": "06:00", "to": "22:00"}
SUMMER = 1_774_746_000
"""2026-03-29T01:00:00Z: in Berlin the clock goes from 02:00 to 03:00."""
WINTER = 1_792_890_000
"""2026-10-25T01:00:00Z: in Berlin the clock goes from 03:00 back to 02:00."""
WORKING_HOURS = rule(
    "greater_than",
    80.0,
    schedule={
        "timezone": "UTC",
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "from": "06:00",
        "to": "22:00",
    },
)
NIGHTS = rule("greater_than", 80.0, schedule={"timezone": "UTC", "from": "22:00", "to": "06:00"})
FRIDAY_NIGHT = rule(
    "greater_than",
    80.0,
    schedule={"timezone": "UTC", "days": ["fri"], "from": "22:00", "to": "06:00"},
)
DAYSHIFT = rule("greater_than", 80.0, schedule=BERLIN_DAYSHIFT)

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
    "warning at 80, critical at 95: one alert": (
        HOT_THEN_CRITICAL,
        [[(0, 79), (1, 81), (2, 94)], [(3, 96)], [(4, 91)], [(5, 90), (6, 76), (7, 75)]],
        [
            (1, "firing warning"),
            (3, "firing critical"),
            (5, "firing warning"),
            (7, "normal"),
        ],
    ),
    "straight to critical, and straight back": (
        HOT_THEN_CRITICAL,
        [[(0, 99)], [(1, 70)]],
        [(0, "firing critical"), (1, "normal")],
    ),
    "between its limits an alert keeps the severity it has": (
        HOT_THEN_CRITICAL,
        [[(0, 92)], [(1, 96), (2, 92)], [(3, 92)]],
        [(0, "firing warning"), (1, "firing critical")],
    ),
    "a late hot reading does not raise the severity": (
        HOT_THEN_CRITICAL,
        [[(0, 81), (9, 82)], [(5, 99)]],
        [(0, "firing warning")],
    ),
    "a low alert in three steps": (
        COLD_IN_THREE_STEPS,
        [[(0, 9), (1, 4), (2, -1), (3, 3), (4, 7), (5, 12)]],
        [
            (0, "firing info"),
            (1, "firing warning"),
            (2, "firing critical"),
            (3, "firing warning"),
            (4, "firing info"),
            (5, "normal"),
        ],
    ),
    "an alert that waited begins with the severity of that moment": (
        rule(
            "greater_than",
            80.0,
            severity="info",
            for_seconds=10,
            escalation=[{"severity": "critical", "threshold": 95}],
        ),
        [[(0, 99), (5, 82), (10, 97), (11, 82)]],
        [(0, "pending"), (10, "firing critical"), (11, "firing info")],
    ),
    "hot and tight: both must hold": (
        HOT_AND_TIGHT,
        [[(0, {"temperature": 90, "pressure": 4}), (1, {"temperature": 90, "pressure": 6})]],
        [(1, "firing")],
    ),
    "both hold although they never come in one reading": (
        HOT_AND_TIGHT,
        [[(0, {"temperature": 90})], [(1, {"pressure": 6})], [(2, {"pressure": 4})]],
        [(1, "firing"), (2, "normal")],
    ),
    "a key that was never sent holds nothing": (
        HOT_AND_TIGHT,
        [[(0, {"temperature": 90}), (1, {"temperature": 99})]],
        [],
    ),
    "of several conditions each has its own clear limit": (
        HOT_AND_TIGHT,
        [
            [(0, {"temperature": 90, "pressure": 6})],
            [(1, {"temperature": 75})],
            [(2, {"temperature": 70})],
        ],
        [(0, "firing"), (2, "normal")],
    ),
    "hot or still: one is enough, keys of two pages": (
        HOT_OR_STILL,
        [
            [(0, {"temperature": 20, "flow": 3})],
            [(1, {"flow": 0.5})],
            [(2, {"temperature": 90})],
            [(3, {"flow": 3})],
            [(4, {"temperature": 20})],
        ],
        [(1, "firing"), (4, "normal")],
    ),
    "a late reading of one key changes nothing": (
        HOT_AND_TIGHT,
        [
            [(0, {"temperature": 90, "pressure": 4})],
            [(9, {"temperature": 91})],
            [(5, {"pressure": 6})],
        ],
        [],
    ),
    "but it is the last known value of the next reading": (
        HOT_AND_TIGHT,
        [
            [(0, {"temperature": 90, "pressure": 4})],
            [(9, {"temperature": 91})],
            [(5, {"pressure": 6})],
            [(10, {"temperature": 91})],
        ],
        [(10, "firing")],
    ),
    "a value older than a week is not known any more": (
        HOT_AND_TIGHT,
        [[(0, {"pressure": 6})], [(8 * DAY, {"temperature": 90})]],
        [],
    ),
    "conditions that hold together long enough": (
        defined(all=HOT_AND_TIGHT.spec.all, for_seconds=10),
        [
            [(0, {"temperature": 90})],
            [(5, {"pressure": 6})],
            [(10, {"temperature": 90})],
            [(15, {"temperature": 90})],
        ],
        [(5, "pending"), (15, "firing")],
    ),
    "outside the schedule nothing fires": (
        WORKING_HOURS,
        [[(MONDAY + 5 * H, 99)], [(MONDAY + 22 * H, 99)], [(MONDAY + 5 * DAY + 12 * H, 99)]],
        [],
    ),
    "the schedule begins: what still holds fires at the first reading": (
        WORKING_HOURS,
        [[(MONDAY + 5 * H, 99)], [(MONDAY + 6 * H, 99)]],
        [(MONDAY + 6 * H, "firing")],
    ),
    "the schedule ends: the alert ends at that time": (
        WORKING_HOURS,
        [[(MONDAY + 21 * H, 99)], [(MONDAY + 23 * H, 99)]],
        [(MONDAY + 21 * H, "firing"), (MONDAY + 22 * H, "normal")],
    ),
    "no reading in the night: the alert ended in the evening, and begins anew": (
        WORKING_HOURS,
        [[(MONDAY + 21 * H, 99)], [(MONDAY + DAY + 7 * H, 99)]],
        [
            (MONDAY + 21 * H, "firing"),
            (MONDAY + 22 * H, "normal"),
            (MONDAY + DAY + 7 * H, "firing"),
        ],
    ),
    "a wait does not reach over the night": (
        rule("greater_than", 80.0, for_seconds=3600, schedule=WORKING_HOURS.spec.schedule),
        [[(MONDAY + 21.5 * H, 99)], [(MONDAY + DAY + 6 * H, 99)], [(MONDAY + DAY + 7 * H, 99)]],
        [
            (MONDAY + 21.5 * H, "pending"),
            (MONDAY + 22 * H, "normal"),
            (MONDAY + DAY + 6 * H, "pending"),
            (MONDAY + DAY + 7 * H, "firing"),
        ],
    ),
    "a night shift reaches over midnight": (
        NIGHTS,
        [[(MONDAY + 23 * H, 99), (MONDAY + DAY + 2 * H, 99), (MONDAY + DAY + 6 * H, 99)]],
        [(MONDAY + 23 * H, "firing"), (MONDAY + DAY + 6 * H, "normal")],
    ),
    "Friday's night is Saturday's morning too, and no other": (
        FRIDAY_NIGHT,
        [
            [(MONDAY + 3 * DAY + 23 * H, 99), (MONDAY + 4 * DAY + 5 * H, 99)],
            [(MONDAY + 5 * DAY + 5 * H, 99), (MONDAY + 5 * DAY + 23 * H, 99)],
        ],
        [(MONDAY + 5 * DAY + 5 * H, "firing"), (MONDAY + 5 * DAY + 6 * H, "normal")],
    ),
    "in summer the Berlin shift begins an hour earlier by UTC": (
        DAYSHIFT,
        [[(SUMMER - 20 * H, 99)], [(SUMMER + 2.5 * H, 20), (SUMMER + 3 * H, 99)]],
        [
            (SUMMER - 20 * H, "firing"),
            (SUMMER - 4 * H, "normal"),
            (SUMMER + 3 * H, "firing"),
        ],
    ),
    "in winter the Berlin shift begins an hour later by UTC": (
        DAYSHIFT,
        [[(WINTER + 3.5 * H, 99), (WINTER + 4 * H, 99)]],
        [(WINTER + 4 * H, "firing")],
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
