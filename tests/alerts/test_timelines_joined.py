"""What alerts with severities, several conditions or a schedule do over time.

Readings are (second, temperature) or (second, values by key), a list of them per request; outcomes
are (second, new state). Of a rule that escalates a firing alert is told with its severity.
"""

import pytest
from support.timelines import PUMP, defined, play, rule

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
