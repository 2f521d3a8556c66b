"""Devices that fall silent, on a real database and by a clock that the test sets.

A timeline is a list of (second, what happens then): readings arrive, or the clock looks.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from support.plant import Plant, open_plant

from alerts.clock import AlertClock
from alerts.hook import AlertHook
from alerts.rules import RulePatch
from twin.clock import now_us

WARM = {"temperature": 20.0}
LOOK = "look"


class Watch:
    """A plant whose clock stands at a second after its start."""

    def __init__(self, plant: Plant) -> None:
        plant.start_us = now_us()
        self.plant = plant
        self.second = 0.0
        self.hooks = [AlertHook(plant.ground, lambda: None, self.now_us) for _ in range(2)]
        self.clocks = [AlertClock(plant.ground, hook.keeper, self.now_us) for hook in self.hooks]

    def now_us(self) -> int:
        return self.plant.start_us + round(self.second * 1_000_000)

    async def play(self, *course: tuple[float, Any]) -> list[tuple[str, float, str]]:
        """Let things happen; workers take turns, and both of them look at the clock."""
        for turn, (second, what) in enumerate(course):
            self.second = second
            if what == LOOK:
                await asyncio.gather(*(clock.look() for clock in self.clocks))
            else:
                await self.plant.send(*what, through=self.hooks[turn % 2])
        return await self.plant.told()


def on_watch(database_url: str, test: Callable[[Watch], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_plant(database_url) as plant:
            await test(Watch(plant))

    asyncio.run(run())


def warm(second: float, device: str = "") -> list[tuple[str, float, dict[str, float]]]:
    return [(device, second, WARM)]


def test_a_silence_begins_after_the_threshold_and_ends_with_a_reading(database_url: str) -> None:
    async def check(watch: Watch) -> None:
        await watch.plant.add_rule("no_data", 10)
        told = await watch.play(
            (1, warm(1)),
            (5, warm(5)),
            (14.9, LOOK),
            (15.5, LOOK),
            (16, LOOK),
            (30, LOOK),
            (31, warm(31)),
            (32, LOOK),
            (41, LOOK),
            (42, LOOK),
        )
        assert told == [
            ("", 15, "firing"),
            ("", 31, "normal"),
            ("", 41, "firing"),
        ]
        events = await watch.plant.events()
        assert [e.reason for e in events] == ["no data", None, "no data"]
        assert [e.value for e in events] == [None, None, None]

    on_watch(database_url, check)


def test_each_device_is_watched_by_itself_once_it_has_sent(database_url: str) -> None:
    async def check(watch: Watch) -> None:
        await watch.plant.add_rule("no_data", 10)
        told = await watch.play(
            (1, [*warm(1, "a"), *warm(1, "b"), ("c", 1, {"rpm": 1.0})]),
            (9, warm(9, "a")),
            (12, LOOK),
            (18, warm(18, "a")),
            (20, LOOK),
        )
        assert told == [("b", 11, "firing")]

    on_watch(database_url, check)


def test_a_late_reading_does_not_end_a_silence_that_it_does_not_fill(database_url: str) -> None:
    async def check(watch: Watch) -> None:
        await watch.plant.add_rule("no_data", 10)
        told = await watch.play(
            (1, warm(1)), (12, LOOK), (20, warm(5)), (21, LOOK), (22, warm(13)), (23, LOOK)
        )
        assert told == [("", 11, "firing"), ("", 13, "normal"), ("", 23, "firing")]

    on_watch(database_url, check)


def test_a_clock_that_is_ahead_hides_a_device_for_no_longer_than_the_threshold(
    database_url: str,
) -> None:
    async def check(watch: Watch) -> None:
        await watch.plant.add_rule("no_data", 10)
        told = await watch.play(
            (1, warm(1)),
            (2, warm(2000)),
            (11.5, LOOK),
            (12, warm(19)),
            (20, LOOK),
            (29.5, LOOK),
        )
        assert told == [("", 11, "firing"), ("", 19, "normal"), ("", 29, "firing")]

    on_watch(database_url, check)


def test_a_rule_gives_time_to_speak_when_it_is_made_and_when_the_server_starts(
    database_url: str,
) -> None:
    async def check(watch: Watch) -> None:
        await watch.play((-300, warm(-300)))
        await watch.plant.add_rule("no_data", 10)
        assert await watch.play((1, LOOK), (9, LOOK)) == []
        watch.second = 100
        started = AlertClock(watch.plant.ground, watch.hooks[0].keeper, watch.now_us)
        await started.look()
        watch.second = 109
        await started.look()
        assert await watch.plant.told() == []
        watch.second = 110
        await started.look()
        assert await watch.plant.told() == [("", 110, "firing")]

    on_watch(database_url, check)


def test_a_device_that_was_silent_for_days_is_not_waited_for(database_url: str) -> None:
    async def check(watch: Watch) -> None:
        await watch.play((-200_000, warm(-200_000, "gone")), (-300, warm(-300, "here")))
        await watch.plant.add_rule("no_data", 10)
        told = await watch.play((30, LOOK))
        assert [(device, state) for device, _, state in told] == [("here", "firing")]

    on_watch(database_url, check)


def test_a_rule_for_one_device_waits_for_it_before_it_ever_sent(database_url: str) -> None:
    async def check(watch: Watch) -> None:
        await watch.plant.add_rule("no_data", 10, device="new")
        told = await watch.play((5, LOOK), (11, LOOK), (12, LOOK), (13, warm(13, "new")))
        assert [(device, state) for device, _, state in told] == [
            ("new", "firing"),
            ("new", "normal"),
        ]

    on_watch(database_url, check)


def test_a_deleted_or_disabled_rule_is_silent(database_url: str) -> None:
    async def check(watch: Watch) -> None:
        rule = await watch.plant.add_rule("no_data", 10)
        await watch.play((1, warm(1)), (12, LOOK))
        await watch.plant.rules.patch(rule.id, RulePatch(is_active=False))
        await watch.play((14, LOOK), (30, LOOK))
        events = [(e.state, e.reason) for e in await watch.plant.events()]
        assert events == [("firing", "no data"), ("normal", "rule disabled")]

    on_watch(database_url, check)


def test_the_clock_ends_what_a_schedule_ended(database_url: str) -> None:
    async def check(watch: Watch) -> None:
        day_s = 86_400
        watch.plant.start_us = watch.plant.start_us // (day_s * 1_000_000) * day_s * 1_000_000
        schedule = {"timezone": "UTC", "from": "00:00", "to": "01:00"}
        await watch.plant.add_rule("greater_than", 10, schedule=schedule)
        told = await watch.play((10, warm(10)), (3599, LOOK), (3601, LOOK), (3602, LOOK))
        assert told == [("", 10, "firing"), ("", 3600, "normal")]
        assert (await watch.plant.events())[-1].reason == "schedule ended"

    on_watch(database_url, check)
