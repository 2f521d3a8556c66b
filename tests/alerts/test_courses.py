"""What an alert does and what its receiver is told, over time.

Each line: the second, what happens then, the states it leads to, and after a colon what is told. How to
read and write them is said in `support/courses.py`; the receiver is real, the clock is the test's.
"""

import asyncio
from typing import Any

import pytest
from support.courses import Player, read
from support.plant import open_plant
from support.receiver import receiver
from support.telling import add_webhook, delivering

from alerts import delivery

ABOVE_80 = {"condition": "greater_than", "threshold": 80}
SHIFT = {"timezone": "UTC", "from": "06:00", "to": "22:00"}
HOT_AND_TIGHT = [
    {"key": "temperature", "condition": "greater_than", "threshold": 80},
    {"key": "pressure", "condition": "greater_than", "threshold": 5},
]
HOT_OR_STILL = [HOT_AND_TIGHT[0], {"key": "flow", "condition": "less_than", "threshold": 1}]
IN_STEPS = {
    **ABOVE_80,
    "severity": "warning",
    "clear_threshold": 75,
    "escalation": [{"severity": "critical", "threshold": 95, "clear_threshold": 90}],
}
FILLING = {"condition": "rate_above", "threshold": 60}
SPOKEN_60 = {"condition": "no_data", "threshold": 60}

COURSES: dict[str, tuple[dict[str, Any], str]] = {
    "warm, up to the limit": (
        ABOVE_80,
        """
        0   70
        60  79.9
        120 80""",
    ),
    "too hot, then cool": (
        ABOVE_80,
        """
        0   70
        60  85   firing : firing
        120 75   normal : resolved""",
    ),
    "stays hot: told once": (
        ABOVE_80,
        """
        0   85   firing : firing
        60  90
        120 99""",
    ),
    "hot twice: told twice": (
        ABOVE_80,
        """
        0   85   firing : firing
        60  70   normal : resolved
        120 85   firing : firing""",
    ),
    "at the limit or above": (
        {"condition": "greater_or_equal", "threshold": 80},
        """
        0   79.9
        1   80   firing : firing
        2   79.9 normal : resolved""",
    ),
    "below the limit": (
        {"condition": "less_than", "threshold": 3},
        """
        0   3
        1   2.9  firing : firing
        2   3    normal : resolved""",
    ),
    "at the limit or below": (
        {"condition": "less_or_equal", "threshold": 3},
        """
        0   3.1
        1   3    firing : firing""",
    ),
    "at one value": (
        {"condition": "equal_to", "threshold": 4},
        """
        0   3
        1   4    firing : firing
        2   5    normal : resolved""",
    ),
    "not at one value": (
        {"condition": "not_equal_to", "threshold": 4},
        """
        0   4
        1   5    firing : firing
        2   4    normal : resolved""",
    ),
    "in a band": (
        {"condition": "between", "threshold": 10, "threshold_high": 20},
        """
        0   9
        1   10   firing : firing
        2   20
        3   21   normal : resolved""",
    ),
    "out of a band": (
        {"condition": "outside", "threshold": 10, "threshold_high": 20},
        """
        0   10
        1   21   firing : firing
        2   15   normal : resolved
        3   9    firing : firing""",
    ),
    "cooled down to 80 is not cool yet": (
        {**ABOVE_80, "clear_threshold": 70},
        """
        0   85   firing : firing
        60  75
        120 70   normal : resolved
        180 75""",
    ),
    "cold until 15": (
        {"condition": "less_than", "threshold": 10, "clear_threshold": 15},
        """
        0   9    firing : firing
        60  14
        120 15   normal : resolved""",
    ),
    "hot for half a minute": (
        {**ABOVE_80, "for_seconds": 30},
        """
        0   85   pending
        10  86
        30  87   firing : firing
        40  70   normal : resolved""",
    ),
    "hot, but not for half a minute": (
        {**ABOVE_80, "for_seconds": 30},
        """
        0   85   pending
        20  70   normal""",
    ),
    "the wait begins again after a dip": (
        {**ABOVE_80, "for_seconds": 30},
        """
        0   85   pending
        20  70   normal
        25  85   pending
        50  85
        55  85   firing : firing""",
    ),
    "a late hot reading": (
        ABOVE_80,
        """
        60  70
        61  99@30
        62  70""",
    ),
    "a late cool reading does not end an alert": (
        ABOVE_80,
        """
        60  85   firing : firing
        61  20@30
        62  70   normal : resolved""",
    ),
    "the newest reading is corrected": (
        ABOVE_80,
        """
        60  70
        61  99@60 firing@60 : firing@60""",
    ),
    "the same is sent again": (
        ABOVE_80,
        """
        0   85   firing : firing
        1   85@0
        2   70   normal : resolved
        3   70@2""",
    ),
    "another key says nothing of it": (
        ABOVE_80,
        """
        0   85   firing : firing
        1   pressure=1
        2   70   normal : resolved""",
    ),
    "a tank fills slowly": (
        FILLING,
        """
        0   0
        60  50
        120 110""",
    ),
    "a tank fills too fast": (
        FILLING,
        """
        0   0
        60  50
        120 200  firing : firing
        180 210  normal : resolved""",
    ),
    "a counter begins anew at zero": (
        FILLING,
        """
        0   1000
        60  1010
        120 5
        180 70   firing : firing""",
    ),
    "a rate ends at its own limit": (
        {**FILLING, "clear_threshold": 30},
        """
        0   0
        60  61   firing : firing
        120 101
        180 131  normal : resolved""",
    ),
    "warning at 80, critical at 95: one alert": (
        IN_STEPS,
        """
        0   81   warning : warning
        60  96   critical : critical@0
        120 92
        180 90   warning : warning@0
        240 75   normal : resolved""",
    ),
    "critical at once": (
        IN_STEPS,
        """
        0   99   critical : critical
        60  70   normal : resolved""",
    ),
    "hot and tight": (
        {"all": HOT_AND_TIGHT},
        """
        0   temperature=90 pressure=4
        1   pressure=6 firing : firing
        2   pressure=4 normal : resolved""",
    ),
    "hot and tight, but the pressure was never sent": (
        {"all": HOT_AND_TIGHT},
        """
        0   90
        1   99""",
    ),
    "hot or still": (
        {"any": HOT_OR_STILL},
        """
        0   temperature=20 flow=3
        1   flow=0.5 firing : firing
        2   temperature=90
        3   flow=3
        4   temperature=20 normal : resolved""",
    ),
    "hot and tight for ten seconds": (
        {"all": HOT_AND_TIGHT, "for_seconds": 10},
        """
        0   90
        5   pressure=6 pending
        15  90   firing : firing""",
    ),
    "before the shift nothing fires, at its begin it does": (
        {**ABOVE_80, "schedule": SHIFT},
        """
        18000 99
        21600 99 firing : firing""",
    ),
    "the shift ends before the next reading": (
        {**ABOVE_80, "schedule": SHIFT},
        """
        75600 99 firing : firing
        82800 99 normal@79200 : resolved@79200""",
    ),
    "the shift ends and no reading comes": (
        {**ABOVE_80, "schedule": SHIFT},
        """
        75600 99 firing : firing
        79199 look
        79201 look normal@79200 : resolved@79200""",
    ),
    "a device falls silent and speaks again": (
        SPOKEN_60,
        """
        0   20
        59  look
        61  look firing@60 : firing@60
        70  20   normal : resolved
        129 look
        131 look firing@130 : firing@130""",
    ),
    "a late reading does not fill the silence": (
        SPOKEN_60,
        """
        0   20
        61  look firing@60 : firing@60
        200 20@50
        201 20   normal : resolved""",
    ),
    "silenced: nothing of it is told": (
        ABOVE_80,
        """
        0   silence
        1   85   firing
        2   70   normal
        3   speak""",
    ),
    "firing when the silence ends": (
        ABOVE_80,
        """
        0   silence
        1   85   firing
        2   speak : firing@1""",
    ),
    "over when the silence ends": (
        ABOVE_80,
        """
        0   85   firing : firing
        1   silence
        2   70   normal
        3   speak : resolved@2""",
    ),
    "told before the silence and still true after it": (
        ABOVE_80,
        """
        0   85   firing : firing
        1   silence
        2   90
        3   speak
        4   70   normal : resolved""",
    ),
    "the rule is switched off and on": (
        ABOVE_80,
        """
        0   85   firing : firing
        1   off  normal@now : resolved@now
        2   90
        3   on
        4   90   firing : firing""",
    ),
    "off while it waits: there was nothing to tell": (
        {**ABOVE_80, "for_seconds": 30},
        """
        0   85   pending
        1   off  normal@now""",
    ),
    "its limit is raised": (
        ABOVE_80,
        """
        0   85   firing : firing
        1   limit 90 normal@now : resolved@now
        2   85
        3   95   firing : firing""",
    ),
    "the rule is deleted": (
        ABOVE_80,
        """
        0   85   firing : firing
        1   delete normal@now : resolved@now
        2   90""",
    ),
    "the device's readings are deleted": (
        ABOVE_80,
        """
        0   85   firing : firing
        1   forget normal@now : resolved@now
        2   85   firing : firing""",
    ),
}


def test_courses(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "POLL_S", 0.02)
    assert len(COURSES) >= 40

    async def run() -> dict[str, Any]:
        wrong = {}
        async with (
            open_plant(database_url, webhook_allow_private=True) as plant,
            receiver() as desk,
            delivering(plant) as worker,
        ):
            player = Player(plant, worker, desk, await add_webhook(plant, desk.url))
            for name, (spec, text) in COURSES.items():
                course = read(text)
                expected = (
                    [state for line in course for state in line.states],
                    [told for line in course for told in line.told],
                )
                try:
                    found = await player.play(name, spec, course)
                except TimeoutError:
                    found = "told too little"
                if found != expected:
                    wrong[name] = found
        return wrong

    assert asyncio.run(run()) == {}
