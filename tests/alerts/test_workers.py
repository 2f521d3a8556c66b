"""Workers that take turns on one database, against the obvious evaluator; rules that raise."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.obvious import Told, obvious
from support.plant import Plant, open_plant
from support.timelines import Row, defined

from alerts import held
from alerts.history import EventFilter, History
from alerts.hook import AlertHook
from alerts.rules import NewRule, RulePatch

RATE = {"condition": "rate_above", "threshold": 60.0, "clear_threshold": 30.0}
BOTH = {
    "all": [
        {"key": "x", "condition": "greater_than", "threshold": 1, "clear_threshold": 0},
        {"key": "y", "condition": "greater_than", "threshold": 2},
    ]
}
EITHER = {"any": BOTH["all"], "for_seconds": 2}
STEEP = {
    "condition": "greater_than",
    "threshold": 1.0,
    "escalation": [{"severity": "critical", "threshold": 3.0, "clear_threshold": 2.0}],
}
RULES: list[dict[str, Any]] = [
    {"key": "x", **RATE},
    {"key": "x", **BOTH},
    {"key": "x", "device": "a", **EITHER},
    {"key": "y", **STEEP},
]
READING = st.tuples(
    st.sampled_from("ab"),
    st.integers(0, 12).map(float),
    st.dictionaries(st.sampled_from("xy"), st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0]), min_size=1),
)
COURSES = st.lists(st.lists(READING, min_size=1, max_size=6), min_size=3, max_size=6)


@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(courses=st.lists(COURSES, min_size=4, max_size=4), turns=st.lists(st.booleans(), min_size=6))
def test_two_workers_in_turn_agree_with_the_obvious_evaluator(
    new_database: Callable[[], str], courses: list[list[list[Row]]], turns: list[bool]
) -> None:
    """Several courses on one database: each has devices of its own."""
    asyncio.run(_compare(new_database(), courses, turns))


async def _compare(database_url: str, courses: list[list[list[Row]]], turns: list[bool]) -> None:
    async with open_plant(database_url) as plant:
        plant.checks_foresight = True
        await plant.send(("first", 0, {"x": 0.0, "y": 0.0}))
        names = {}
        for no, rule in enumerate(RULES):
            fields = {"name": "r", "datasource_id": plant.schema.id, "severity": "warning"}
            for course in range(len(courses)) if "device" in rule else (None,):
                device = {} if course is None else {"device": f"a{course}"}
                body = {**fields, **rule, **device}
                made = await plant.rules.create(_convert(body))
                names[made.id] = no
        hooks = [AlertHook(plant.ground, lambda: None) for _ in range(2)]
        renamed = [
            [[(f"{device}{n}", at, values) for device, at, values in batch] for batch in course]
            for n, course in enumerate(courses)
        ]
        for round_no in range(max(map(len, renamed))):
            for course in renamed:
                if round_no < len(course):
                    turn = turns[round_no % len(turns)]
                    await plant.send(*course[round_no], through=hooks[turn])
        seen = [
            (names[e.alert_id], e.device, round(plant.seconds(e), 3), _named(e))
            for e in await _all_events(plant)
        ]
        assert sorted(seen) == _expected(renamed)


def _convert(body: dict[str, Any]) -> NewRule:
    return msgspec.convert(body, NewRule)


async def _all_events(plant: Plant) -> list[Any]:
    history = History(plant.ground, plant.principal)
    return [e async for part in history.all(EventFilter()) for e in part]


def _named(event: Any) -> str:
    return f"firing {event.severity}" if event.state == "firing" else event.state


def _expected(courses: list[list[list[Row]]]) -> list[Told]:
    found: list[Told] = []
    for n, course in enumerate(courses):
        for no, rule in enumerate(RULES):
            own = {**rule, "device": f"a{n}"} if "device" in rule else rule
            told = obvious([defined(**{"severity": "warning", **own})], course)
            found += [(no, *rest) for _, *rest in told]
    return sorted(found)


def test_a_rule_that_raises_is_disabled_for_its_device(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = held.judge

    def raising(candidate: Any, *rest: Any) -> Any:
        if float(candidate.value[0]) == 666.0:
            raise ZeroDivisionError("made for the test")
        return judge(candidate, *rest)

    monkeypatch.setattr(held, "judge", raising)

    async def run() -> None:
        async with open_plant(database_url) as plant:
            rule = await plant.add_rule("greater_than", 80)
            await plant.send(("a", 1, {"temperature": 90.0}), ("b", 1, {"temperature": 20.0}))
            await plant.send(("b", 2, {"temperature": 666.0}), ("a", 2, {"temperature": 20.0}))
            await plant.send(("b", 3, {"temperature": 90.0}), ("a", 3, {"temperature": 90.0}))
            told = [("a", 1, "firing"), ("a", 2, "normal"), ("a", 3, "firing")]
            assert await plant.told() == told
            shown = {s.device: s.error for s in (await plant.rules.get(rule.id)).states}
            assert shown == {"a": None, "b": "ZeroDivisionError: made for the test"}
            assert await plant.query("SELECT count(*) FROM readings") == [(6,)]
            other = AlertHook(plant.ground, lambda: None)
            await plant.send(("b", 4, {"temperature": 95.0}), through=other)
            assert await plant.told() == told
            await plant.rules.patch(rule.id, RulePatch(threshold=85.0))
            await plant.send(("b", 5, {"temperature": 90.0}))
            assert (await plant.told())[-1] == ("b", 5, "firing")

    asyncio.run(run())


def test_a_calm_rate_is_foreseen_from_memory(database_url: str) -> None:
    async def run() -> None:
        async with open_plant(database_url) as plant:
            plant.checks_foresight = True
            await plant.add_rule("rate_above", 60)
            for second in range(4):
                await plant.send(("a", second, {"temperature": float(second)}))
            assert (
                plant.foreseen == 2
            )  # the first is nobody's memory, the second made it this worker's
            await plant.send(("a", 5, {"temperature": 90.0}))
            await plant.send(("a", 6, {"temperature": 90.0}))
            assert [told[1:] for told in await plant.told()] == [(5, "firing"), (6, "normal")]
            other = AlertHook(plant.ground, lambda: None)
            await plant.send(("a", 7, {"temperature": 90.0}), through=other)
            await plant.send(("a", 8, {"temperature": 180.0}))  # its memory is of 6
            assert (await plant.told())[-1][1:] == (8, "firing")

    asyncio.run(run())
