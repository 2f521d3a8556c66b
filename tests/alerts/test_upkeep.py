"""Alerts of what is gone and of what cannot be judged, on a real database."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.plant import Plant, open_plant

from alerts.clock import AlertClock
from alerts.hook import AlertHook
from alerts.rules import RulePatch
from alerts.upkeep import close_failed, close_vanished
from twin.clock import now_us
from twin.datasources.removal import plan_removal, remove_readings
from twin.jobs import session
from twin.retention import apply_retention

HOT, COOL = {"temperature": 90.0}, {"temperature": 20.0}
DAY_S = 86_400
UNREADABLE = '{"condition": "greater_than", "threshold": {}, "severity": "critical"}'
WITHOUT_ZONE = '{"timezone": "Mars/Olympus", "from": "06:00", "to": "22:00"}'
WITH_SCHEDULE = "spec || jsonb_build_object('schedule', %s::jsonb)"


def on_plant(database_url: str, test: Callable[[Plant], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_plant(database_url) as plant:
            await test(plant)

    asyncio.run(run())


async def remove(plant: Plant, device: str | None, key: str | None = None) -> int:
    removal = plan_removal(plant.schema, None, None, device, key)
    return await remove_readings(plant.ground, plant.schema, removal)


async def last_event(plant: Plant) -> tuple[str, str, str | None]:
    event = (await plant.events())[-1]
    return event.device, event.state, event.reason


def test_the_alert_of_a_device_without_readings_ends(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80)
        await plant.send(("gone", 1, HOT), ("gone", 2, HOT), ("here", 1, HOT), ("here", 2, HOT))
        await close_vanished(plant.ground)
        assert len(await plant.told()) == 2
        assert await remove(plant, "gone") == 2
        await close_vanished(plant.ground)
        await close_vanished(plant.ground)
        assert len(await plant.told()) == 3
        assert await last_event(plant) == ("gone", "normal", "readings deleted")
        await plant.send(
            ("gone", 0, HOT)
        )  # older than all that was deleted: it is new all the same
        assert (await plant.told())[3:] == [("gone", 0, "firing")]

    on_plant(database_url, check)


def test_the_alert_of_a_device_whose_readings_expired_ends(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.query("UPDATE datasources SET retention_days = 30 RETURNING 1")
        await plant.add_rule("greater_than", 80)
        await plant.send(("old", -40 * DAY_S, HOT), ("new", 1, HOT))
        async with session(plant.ground, "retention") as conn:
            assert await apply_retention(conn, plant.ground.capabilities.home, now_us())
        await close_vanished(plant.ground)
        assert len(await plant.told()) == 3
        assert await last_event(plant) == ("old", "normal", "readings deleted")

    on_plant(database_url, check)


@pytest.mark.parametrize("named", [False, True])
def test_silence_of_a_device_whose_readings_were_deleted(database_url: str, named: bool) -> None:
    """A device that a rule names is waited for as before; others are watched no more."""

    async def check(plant: Plant) -> None:
        moment_us = now_us()
        plant.start_us = moment_us
        hook = AlertHook(plant.ground, lambda: None, lambda: moment_us)
        clock = AlertClock(plant.ground, hook.keeper, lambda: moment_us)
        await plant.add_rule("no_data", 10, device="pump" if named else None)
        await plant.send(("pump", 0, COOL), through=hook)
        moment_us += 15_000_000
        await clock.look()
        assert [state for _, _, state in await plant.told()] == ["firing"]
        await remove(plant, "pump")
        await close_vanished(plant.ground)
        moment_us += 60_000_000
        await clock.look()
        told = [state for _, _, state in await plant.told()]
        assert told == (["firing"] if named else ["firing", "normal"])

    on_plant(database_url, check)


@pytest.mark.parametrize("key", [None, "level"])
def test_what_was_deleted_is_not_the_value_before(database_url: str, key: str | None) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("rate_above", 60, key="level")
        await plant.send(("", 0, {"level": 0.0}))
        await plant.send(("", 1, {"level": 0.5}))
        await remove(plant, "", key)
        await plant.send(("", 2, {"level": 100.0}))
        assert await plant.told() == []
        await plant.send(("", 3, {"level": 200.0}))
        assert await plant.told() == [("", 3, "firing")]

    on_plant(database_url, check)


@pytest.mark.parametrize(
    ("column", "text"), [("spec", UNREADABLE), ("schedule", WITHOUT_ZONE)], ids=["unread", "zone"]
)
def test_a_rule_that_raises_is_disabled_and_the_others_go_on(
    database_url: str, column: str, text: str
) -> None:
    async def check(plant: Plant) -> None:
        bad = await plant.add_rule("greater_than", 80, name="bad")
        good = [await plant.add_rule("greater_than", 80, name=f"good {n}") for n in range(4)]
        await plant.send(("", 1, HOT))
        assert len(await plant.told()) == 5
        spec = (
            "%s::jsonb" if column == "spec" else "spec || jsonb_build_object('schedule', %s::jsonb)"
        )
        await plant.query(
            f"UPDATE alert_rules SET spec = {spec} WHERE id = %s RETURNING 1", text, bad.id
        )
        other = AlertHook(plant.ground, lambda: None)  # it has not read the rules yet
        await plant.send(("", 2, COOL), through=other)
        events = (await plant.events())[5:]
        assert sorted(e.alert_id for e in events) == sorted(rule.id for rule in good)
        assert [rule.is_active and rule.error for rule in await listed(plant) if rule.error]
        await close_failed(plant.ground)
        await close_failed(plant.ground)
        events = (await plant.events())[9:]
        assert [(e.alert_id, e.state, e.reason) for e in events] == [
            (bad.id, "normal", "rule failed")
        ]
        await plant.send(("", 3, HOT), through=other)
        assert len(await plant.told()) == 14
        cure = RulePatch(condition="greater_than", threshold=70.0, schedule=None)
        assert (await plant.rules.patch(bad.id, cure)).error is None
        await plant.send(("", 4, HOT), through=other)
        assert (await plant.events())[-1].alert_id == bad.id

    on_plant(database_url, check)


async def listed(plant: Plant) -> list[object]:
    return (await plant.rules.page(None, 100, 0))[0]


def test_the_clock_disables_what_makes_it_raise(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        moment_us = now_us()
        plant.start_us = moment_us
        hook = AlertHook(plant.ground, lambda: None, lambda: moment_us)
        clock = AlertClock(plant.ground, hook.keeper, lambda: moment_us)
        bad = await plant.add_rule("no_data", 10, device="pump", name="bad")
        await plant.add_rule("no_data", 10, device="pump", name="good")
        query = f"UPDATE alert_rules SET spec = {WITH_SCHEDULE} WHERE id = %s RETURNING 1"
        await plant.query(query, WITHOUT_ZONE, bad.id)
        moment_us += 15_000_000
        await clock.look()
        await clock.look()
        assert [(e.name, e.state) for e in await plant.events()] == [("good", "firing")]
        assert "Mars" in str((await plant.rules.get(bad.id)).error)

    on_plant(database_url, check)
