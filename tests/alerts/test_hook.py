"""Alerts in the readings' transaction, on a real database."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import psycopg
import pytest
from support.plant import Plant, open_plant

from alerts.closing import close_deleted
from alerts.hook import AlertHook
from alerts.rules import RulePatch
from twin.db.pool import Connection
from twin.errors import Invalid, NotFound

HOT, COOL = {"temperature": 90.0}, {"temperature": 20.0}
NEVER = "00000000-0000-0000-0000-000000000000"


def on_plant(database_url: str, test: Callable[[Plant], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_plant(database_url) as plant:
            await test(plant)

    asyncio.run(run())


async def add_webhook(plant: Plant) -> str:
    rows = await plant.query(
        "INSERT INTO webhooks (webhook_id, org_id, environment, name, url)"
        " VALUES (gen_random_uuid(), %s, 'live', 'desk', 'http://127.0.0.1:1/')"
        " RETURNING webhook_id",
        plant.principal.org_id,
    )
    return str(rows[0][0])


async def statuses(plant: Plant) -> list[tuple[str, str]]:
    return await plant.query(
        "SELECT w.name, n.alert ->> 'status' FROM notices n JOIN webhooks w USING (webhook_id)"
        " ORDER BY notice_no"
    )


def test_a_reading_fires_and_a_later_one_resolves(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        webhook = await add_webhook(plant)
        rule = await plant.add_rule("greater_than", 80, webhooks=[webhook])
        await plant.send(("pump-1", 1, COOL), ("pump-2", 1, COOL))
        assert await plant.told() == []
        assert plant.woken == 0
        await plant.send(("pump-1", 2, HOT), ("pump-2", 2, COOL))
        shown = await plant.rules.get(rule.id)
        assert (shown.state, [s.device for s in shown.states]) == ("firing", ["pump-1"])
        assert shown.states[0].value == 90.0
        await plant.send(("pump-1", 3, COOL), ("pump-2", 3, HOT))
        assert await plant.told() == [
            ("pump-1", 2, "firing"),
            ("pump-1", 3, "normal"),
            ("pump-2", 3, "firing"),
        ]
        assert await statuses(plant) == [
            ("desk", "firing"),
            ("desk", "resolved"),
            ("desk", "firing"),
        ]
        assert plant.woken == 2

    on_plant(database_url, check)


def test_when_the_readings_roll_back_so_does_the_alert(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80, webhooks=[await add_webhook(plant)])
        await plant.send(("", 1, COOL))

        def fail(conn: Connection) -> None:
            conn.execute("SELECT 1 / 0")

        with pytest.raises(psycopg.errors.DivisionByZero):
            await plant.send_and(fail, ("", 2, HOT))
        for table in ("alert_events", "notices", "alert_states"):
            assert await plant.query(f"SELECT * FROM {table}") == []
        assert await plant.query("SELECT count(*) FROM readings") == [(1,)]
        await plant.send(("", 3, HOT))  # nothing of the lost attempt was remembered
        assert await plant.told() == [("", 3, "firing")]

    on_plant(database_url, check)


def test_a_late_reading_is_late_for_every_worker_and_after_a_restart(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80)
        await plant.send(("", 10, COOL))
        other = AlertHook(plant.ground, lambda: None)
        await plant.send(("", 5, HOT), through=other)
        assert await plant.told() == []
        await plant.send(("", 4, HOT), ("", 12, HOT), through=other)
        await plant.send(("", 11, COOL))
        assert await plant.told() == [("", 12, "firing")]

    on_plant(database_url, check)


def test_a_batch_around_a_stored_reading_is_late_up_to_it(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80)
        await plant.send(("", 5, COOL), ("other", 5, COOL))
        around = [("", 3, HOT), ("", 4, COOL), ("", 6, HOT), ("other", 6, HOT)]
        await plant.send(*around)
        assert sorted(await plant.told()) == [("", 6, "firing"), ("other", 6, "firing")]
        await plant.send(*around)  # the same again
        assert len(await plant.told()) == 2

    on_plant(database_url, check)


def test_a_late_reading_beside_one_that_was_sent_before_is_late(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80)
        await plant.send(("", 5, HOT))
        await plant.send(("", 3, COOL), ("", 5, HOT))
        assert await plant.told() == [("", 5, "firing")]

    on_plant(database_url, check)


def test_a_long_batch_of_one_device_takes_no_quadratic_time(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80)
        await plant.send(("", 0, COOL))
        start = time.process_time()
        await plant.send(*(("", 1 + n * 0.01, HOT if n == 9_000 else COOL) for n in range(10_000)))
        assert time.process_time() - start < 8
        assert await plant.told() == [("", 91, "firing"), ("", 91.01, "normal")]

    on_plant(database_url, check)


def test_a_reading_of_another_key_makes_none_late(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80)
        await plant.send(("", 1, COOL), ("", 9, {"rpm": 1500.0}))
        await plant.send(("", 5, HOT))
        assert await plant.told() == [("", 5, "firing")]

    on_plant(database_url, check)


def test_workers_that_take_turns_share_one_state(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80, for_seconds=10)
        hooks = [AlertHook(plant.ground, lambda: None) for _ in range(3)]
        for second in range(0, 21, 5):
            await plant.send(("", second, HOT), through=hooks[second % 3])
        await plant.send(("", 25, COOL), through=hooks[0])
        await plant.send(("", 26, HOT), through=hooks[1])
        assert await plant.told() == [
            ("", 0, "pending"),
            ("", 10, "firing"),
            ("", 25, "normal"),
            ("", 26, "pending"),
        ]

    on_plant(database_url, check)


def test_writers_at_the_same_time_never_fire_twice(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80)
        await plant.send(("", 0, COOL))
        hooks = [AlertHook(plant.ground, lambda: None) for _ in range(3)]
        await asyncio.gather(
            *(plant.send(("", 1 + n, HOT), through=hooks[n % 3]) for n in range(12))
        )
        assert [state for _, _, state in await plant.told()] == ["firing"]

    on_plant(database_url, check)


def test_a_datasource_without_rules_is_not_looked_at_again(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        assert plant.hook.wants(plant.schema.no)  # not known yet
        await plant.send(("", 1, HOT))
        assert not plant.hook.wants(plant.schema.no)
        rule = await plant.add_rule("greater_than", 80)
        assert plant.hook.wants(plant.schema.no)
        await plant.send(("", 2, HOT))
        assert await plant.told() == [("", 2, "firing")]
        await plant.rules.delete(rule.id)
        await plant.send(("", 3, HOT))
        assert not plant.hook.wants(plant.schema.no)

    on_plant(database_url, check)


def test_a_rule_for_one_device(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80, device="pump-2")
        await plant.send(("pump-1", 1, HOT))
        await plant.send(("pump-1", 2, HOT), ("pump-2", 2, HOT))  # a device that is new
        assert await plant.told() == [("pump-2", 2, "firing")]

    on_plant(database_url, check)


def test_a_text_that_is_learned_after_the_rule(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("equal_to", "FAULT", key="state")
        await plant.send(("", 1, {"state": "RUNNING"}))
        await plant.send(("", 2, {"state": "FAULT"}))
        assert [(e.state, e.value) for e in await plant.events()] == [("firing", "FAULT")]

    on_plant(database_url, check)


def test_a_rule_that_is_deleted_resolves_its_alerts(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        rule = await plant.add_rule("greater_than", 80, webhooks=[await add_webhook(plant)])
        await plant.send(("pump-1", 1, HOT))
        await plant.rules.delete(rule.id)
        events = await plant.events(alert_id=rule.id)
        assert [(e.state, e.reason) for e in events] == [
            ("firing", None),
            ("normal", "rule deleted"),
        ]
        assert [status for _, status in await statuses(plant)] == ["firing", "resolved"]
        with pytest.raises(NotFound):
            await plant.rules.get(rule.id)

    on_plant(database_url, check)


def test_a_rule_that_asks_something_else_starts_anew(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        rule = await plant.add_rule("greater_than", 80)
        await plant.send(("", 1, HOT))
        renamed = await plant.rules.patch(rule.id, RulePatch(name="hot", severity="info"))
        assert (renamed.state, renamed.name, renamed.severity) == ("firing", "hot", "info")
        changed = await plant.rules.patch(rule.id, RulePatch(threshold=85.0))
        assert (changed.state, changed.states) == ("normal", [])
        await plant.send(("", 2, HOT))
        off = await plant.rules.patch(rule.id, RulePatch(is_active=False))
        assert off.state == "normal"
        await plant.send(("", 3, HOT))
        assert [(e.state, e.reason) for e in await plant.events()] == [
            ("firing", None),
            ("firing", "rule changed"),
            ("normal", "rule changed"),
            ("firing", None),
            ("normal", "rule disabled"),
        ]

    on_plant(database_url, check)


def test_a_deleted_datasource_resolves_its_alerts(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80, webhooks=[await add_webhook(plant)])
        await plant.send(("", 1, HOT))
        await plant.query("UPDATE datasources SET deleted_at = now() RETURNING 1")
        await close_deleted(plant.ground)
        await close_deleted(plant.ground)
        assert [status for _, status in await statuses(plant)] == ["firing", "resolved"]
        await plant.send(("", 2, HOT))  # a batch that was on its way
        assert len(await statuses(plant)) == 2

    on_plant(database_url, check)


def test_a_webhook_that_is_gone_costs_no_alert(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80, webhooks=[await add_webhook(plant)])
        await plant.query("DELETE FROM webhooks RETURNING 1")
        await plant.send(("", 1, HOT))
        assert await plant.told() == [("", 1, "firing")]
        assert await statuses(plant) == []

    on_plant(database_url, check)


def test_a_rule_names_webhooks_of_its_own_organisation(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        with pytest.raises(Invalid, match="no webhook with this id"):
            await plant.add_rule("greater_than", 80, webhooks=[NEVER])

    on_plant(database_url, check)


def test_history_can_be_searched(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        rule = await plant.add_rule("greater_than", 80)
        await plant.add_rule("less_than", 30, name="too cold")
        await plant.send(("a", 1, HOT), ("b", 2, HOT), ("a", 3, COOL))
        assert len(await plant.events()) == 4
        assert len(await plant.events(alert_id=rule.id)) == 3
        assert len(await plant.events(device="b")) == 1
        assert len(await plant.events(state="normal")) == 1
        second = (await plant.events(device="b"))[0].ts
        assert len(await plant.events(from_=second)) == 3
        assert len(await plant.events(to=second)) == 1
        assert len(await plant.events(datasource_id=plant.schema.id)) == 4
        assert await plant.events(datasource_id=NEVER) == []

    on_plant(database_url, check)
