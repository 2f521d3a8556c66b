"""Devices that fall silent, against a slow and obvious reference: workers in turn, clocks, any order."""

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.plant import open_plant

from alerts.clock import AlertClock
from alerts.hook import AlertHook
from twin.clock import now_us, to_datetime

DEVICES = ["a", "b", "c", "d"]
RULES: dict[str, dict[str, Any]] = {
    "any device": {"threshold": 10},
    "patient": {"threshold": 25},
    "b by name": {"threshold": 12, "device": "b"},
    "one that never speaks": {"threshold": 15, "device": "ghost"},
}
LOOK: list[tuple[str, float]] = []
# A reading lies half a second beside the moments at which the clock looks, and at most a threshold
# ahead: one that is further ahead ends a silence only as time passes, which is found later.
READINGS = st.lists(
    st.tuples(st.sampled_from(DEVICES), st.integers(-30, 9).map(lambda n: n + 0.5)),
    min_size=1,
    max_size=4,
)
STEPS = st.lists(
    st.tuples(st.integers(1, 9), st.one_of(st.just(LOOK), READINGS)), min_size=20, max_size=50
)
Step = tuple[int, list[tuple[str, float]]]
Told = tuple[str, str, float, str]
"""(rule, device, second, new state)."""


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_silence_agrees_with_the_obvious(
    new_database: Callable[[], str], steps: list[Step]
) -> None:
    assert asyncio.run(played(new_database(), steps)) == obvious(steps)


async def played(database_url: str, steps: list[Step]) -> list[Told]:
    """Return what two workers tell, who take turns and both look at the clock."""
    async with open_plant(database_url) as plant:
        plant.start_us = now_us() // 1_000_000 * 1_000_000
        second = 0

        def clock() -> int:
            return plant.start_us + second * 1_000_000

        for name, rule in RULES.items():
            fields = {field: value for field, value in rule.items() if field != "threshold"}
            await plant.add_rule("no_data", rule["threshold"], name=name, **fields)
        since = to_datetime(plant.start_us)
        await plant.query("UPDATE alert_rules SET asked_at = %s RETURNING 1", since)
        hooks = [AlertHook(plant.ground, lambda: None, clock) for _ in range(2)]
        clocks = [AlertClock(plant.ground, hook.keeper, clock) for hook in hooks]
        for turn, (passed, readings) in enumerate(steps):
            second += passed
            sent = [(device, second + after, {"temperature": 20.0}) for device, after in readings]
            if sent:
                await plant.send(*sent, through=hooks[turn % 2])
            else:
                await asyncio.gather(*(one.look() for one in clocks))
        events = await plant.events()
        return sorted((e.name, e.device, round(plant.seconds(e), 3), e.state) for e in events)


def obvious(steps: list[Step]) -> list[Told]:
    """Return the same by looking through all readings at every step."""
    told: list[Told] = []
    for name, rule in RULES.items():
        named = rule.get("device")
        for device in DEVICES if named is None else [named]:
            course = _course(steps, device, rule["threshold"], watched=named is not None)
            told += [(name, device, *one) for one in course]
    return sorted(told)


def _course(
    steps: list[Step], device: str, threshold: int, *, watched: bool
) -> list[tuple[float, str]]:
    now, is_firing = 0, False
    stored: list[float] = []
    told: list[tuple[float, str]] = []
    for passed, readings in steps:
        now += passed
        mine = [now + after for who, after in readings if who == device]
        stored += mine
        reach = [ts for ts in stored if ts <= now + threshold]
        newest = max(reach, default=0.0)
        if readings:
            spoke = [ts for ts in mine if abs(now - ts) < threshold]
            watched |= bool(spoke)
            ended = max(spoke, default=None)
        else:
            ended = newest if newest > now - threshold else None
        if is_firing and ended is not None:
            is_firing = False
            told.append((ended, "normal"))
        elif not is_firing and watched and not readings and max(newest, 0) + threshold <= now:
            is_firing = True
            told.append((max(newest, 0) + threshold, "firing"))
    return told
