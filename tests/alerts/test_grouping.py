"""What shares a call, and when it goes."""

import asyncio
import time
from typing import Any

import msgspec
import pytest
from support.plant import Plant
from support.receiver import HANG, Received, receiver
from support.telling import (
    COOL,
    HOT,
    add_rule,
    add_webhook,
    delivering,
    on_plant,
    settled,
    webhooks,
)

from alerts import delivery, outbox, retry
from alerts.forming import MAX_ALERTS, Notice, form
from alerts.targeting import Target
from alerts.views import WebhookPatch


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff from 20 ms, and a look at the outbox every 20 ms."""
    monkeypatch.setattr(retry, "FIRST_PAUSE_US", 20_000)
    monkeypatch.setattr(delivery, "POLL_S", 0.02)


def devices(request: Received) -> list[str]:
    return [alert["labels"]["device"] for alert in request.json["alerts"]]


def test_alerts_of_a_group_share_calls_of_a_hundred(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk:
            await add_rule(plant, await add_webhook(plant, desk.url, group_by=["alertname"]))
            await plant.send(*((f"pump-{n:03}", 1, HOT) for n in range(250)))
            async with delivering(plant):
                got = await desk.wait(3)
                await settled(plant)
        assert sorted(len(devices(request)) for request in got) == [50, 100, 100]
        carried = sorted(device for request in got for device in devices(request))
        assert carried == [f"pump-{n:03}" for n in range(250)]
        assert len({request.headers["X-Twinfeed-Delivery"] for request in got}) == 3
        assert {request.json["groupKey"] for request in got} == {'{}:{alertname="too hot"}'}
        assert "device" not in got[0].json["commonLabels"]

    on_plant(database_url, check)


def test_groups_are_told_apart_by_their_labels(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk:
            hook = await add_webhook(plant, desk.url, group_by=["severity"])
            for severity in ("info", "critical"):
                fields = {"severity": severity, "webhooks": [str(hook)]}
                await plant.add_rule("greater_than", 80, **fields)
            await plant.send(("a", 1, HOT), ("b", 1, HOT))
            async with delivering(plant):
                got = await desk.wait(2)
                await settled(plant)
        groups = {r.json["groupLabels"]["severity"]: devices(r) for r in got}
        assert {name: sorted(found) for name, found in groups.items()} == {
            "info": ["a", "b"],
            "critical": ["a", "b"],
        }

    on_plant(database_url, check)


def test_a_group_waits_for_its_window_and_then_goes_whole(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk, delivering(plant):
            options = {"group_by": [], "group_wait_seconds": 1.0}
            await add_rule(plant, await add_webhook(plant, desk.url, **options))
            began = time.monotonic()
            await plant.send(("a", 1, HOT), ("b", 1, HOT), ("c", 1, HOT))
            await plant.send(("a", 2, COOL))  # in the window or after it
            first = (await desk.wait(1))[0]
            assert time.monotonic() - began >= 0.9
            assert devices(first) == ["a", "b", "c"]
            second = (await desk.wait(2))[1]
            assert devices(second) == ["a"]
            assert second.json["status"] == "resolved"

    on_plant(database_url, check)


def test_a_retried_group_is_the_same_call_and_what_follows_waits(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver(500, HANG) as desk, delivering(plant):
            await add_rule(plant, await add_webhook(plant, desk.url, group_by=[]))
            await plant.send(("a", 1, HOT), ("b", 1, HOT))
            await desk.wait(1)
            await plant.send(("a", 2, COOL), ("c", 2, HOT))
            await settled(plant)
        by_id: dict[str, list[Received]] = {}
        for request in desk.received:
            by_id.setdefault(request.headers["X-Twinfeed-Delivery"], []).append(request)
        for same in by_id.values():
            assert len({request.body for request in same}) == 1
        told = [
            (alert["labels"]["device"], alert["status"])
            for same in by_id.values()
            for alert in same[-1].json["alerts"]
        ]
        assert sorted(told) == [
            ("a", "firing"),
            ("a", "resolved"),
            ("b", "firing"),
            ("c", "firing"),
        ]
        assert told.index(("a", "firing")) < told.index(("a", "resolved"))

    on_plant(database_url, check)


def test_a_circuit_opens_tries_once_and_closes(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is open nothing is called; who changes the webhook closes it."""
    monkeypatch.setattr(outbox, "FIRST_OPEN_S", 3600.0)
    monkeypatch.setattr(outbox, "LONGEST_OPEN_S", 3600.0)
    monkeypatch.setattr(outbox, "BREAK_AFTER", 3)
    monkeypatch.setattr(retry, "FIRST_PAUSE_US", 3_600_000_000)  # each is called once by then

    async def circuit(plant: Plant, hook: Any) -> str:
        return (await webhooks(plant).get(hook)).circuit.state

    async def until_failed(plant: Plant, hook: Any, times: int) -> None:
        async with asyncio.timeout(30):
            while (await webhooks(plant).get(hook)).circuit.failures < times:
                await asyncio.sleep(0.01)
        assert await circuit(plant, hook) == "open"

    async def pass_an_hour(plant: Plant) -> None:
        await plant.query("UPDATE webhooks SET open_until = now() RETURNING 1")

    async def check(plant: Plant) -> None:
        async with receiver(*[500] * 4) as desk, delivering(plant):
            hook = await add_webhook(plant, desk.url)
            await add_rule(plant, hook)
            await plant.send(*((f"pump-{n}", 1, HOT) for n in range(3)))
            await desk.wait(3)
            await until_failed(plant, hook, 3)
            await plant.send(("pump-9", 1, HOT))
            assert len(desk.received) == 3
            await pass_an_hour(plant)
            await desk.wait(4)  # the one that tries, and fails
            await until_failed(plant, hook, 4)
            assert len(desk.received) == 4
            await pass_an_hour(plant)
            assert [row[0] for row in await settled(plant)] == ["delivered"] * 4
            assert await circuit(plant, hook) == "closed"
            assert len(desk.received) == 4 + 4

    on_plant(database_url, check)


def test_a_changed_webhook_is_called_at_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BREAK_AFTER", 1)
    monkeypatch.setattr(outbox, "FIRST_OPEN_S", 3600.0)
    monkeypatch.setattr(outbox, "LONGEST_OPEN_S", 3600.0)

    async def check(plant: Plant) -> None:
        async with receiver(500) as dead, receiver() as desk, delivering(plant):
            hook = await add_webhook(plant, dead.url)
            await add_rule(plant, hook)
            await plant.send(("a", 1, HOT))
            await dead.wait(1)
            async with asyncio.timeout(30):
                while (await webhooks(plant).get(hook)).circuit.state != "open":
                    await asyncio.sleep(0.01)
            await webhooks(plant).patch(hook, WebhookPatch(url=desk.url))
            await desk.wait(1)
            await settled(plant)
            assert (await webhooks(plant).get(hook)).circuit.failures == 0

    on_plant(database_url, check)


def test_what_an_open_circuit_held_for_a_day_becomes_dead_letters(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And can be sent again, with the same id."""
    monkeypatch.setattr(delivery, "GIVE_UP_S", 0.0)

    async def check(plant: Plant) -> None:
        async with receiver() as desk:
            hook = await add_webhook(plant, desk.url, group_by=[])
            await add_rule(plant, hook)
            await plant.send(("a", 1, HOT), ("a", 2, COOL), ("b", 1, HOT))
            await plant.query(
                "UPDATE webhooks SET failures = 9, open_until = now() + interval '1 hour' RETURNING 1"
            )
            await plant.query(
                "UPDATE notices SET created_at = now() - interval '25 hours',"
                " due_at = now() - interval '25 hours' RETURNING 1"
            )
            async with delivering(plant):
                rows = await settled(plant)
                assert desk.received == []
                assert {row[0] for row in rows} == {"failed"}
                assert {row[3] for row in rows} == {"Given up after a day."}
                store = webhooks(plant)
                dead, total = await store.deliveries(hook, "failed", 10, 0)
                assert (total, await store.deliveries(hook, "delivered", 10, 0)) == (1, ([], 0))
                assert sum(one.alerts for one in dead) == 3
                await plant.query("UPDATE webhooks SET open_until = NULL RETURNING 1")
                await store.resend(hook, dead[0].delivery_id)
                (got,) = await desk.wait(1)
                assert [row[0] for row in await settled(plant)] == ["delivered"]
            assert got.headers["X-Twinfeed-Delivery"] == str(dead[0].delivery_id)

    on_plant(database_url, check)


def notice(number: int, group: str, webhook: str = "w1", kind: str = "transition") -> Notice:
    alert = '{"status":"firing","labels":{"alertname":"x"},"annotations":{}}'
    return Notice(number, webhook, "r1", f"d{number}", kind, alert, group, number * 10, False)


def targets(*names: str, group_by: list[str] | None = None) -> dict[str, Target]:
    fields: dict[str, Any] = dict.fromkeys(Target.__struct_fields__)
    fields |= {"type": "webhook", "signature": "twinfeed", "group_by": group_by, "is_locked": False}
    return {n: Target(**{**fields, "webhook_id": n, "name": n}) for n in names}


def test_calls_are_formed_oldest_first_within_what_is_free() -> None:
    found = [notice(1, "a"), notice(2, "b", "w2"), notice(3, "c"), notice(4, "d", "w2")]
    to = targets("w1", "w2")
    calls = form(found, to, {"w1": 1, "w2": 5}, 10, "")
    assert [[n.notice_no for n in call.notices] for call in calls] == [[1], [2], [4]]
    assert [call.age_us for call in calls] == [10, 20, 40]
    assert len(form(found, to, {"w1": 5, "w2": 5}, 2, "")) == 2


def test_a_call_carries_at_most_so_many_alerts() -> None:
    to = targets("w1", group_by=[])
    for count, sizes in ((MAX_ALERTS, [100]), (MAX_ALERTS + 1, [100, 1])):
        found = [notice(n, "") for n in range(count)]
        calls = form(found, to, {"w1": 5}, 10, "")
        assert [len(call.notices) for call in calls] == sizes


def test_an_alertmanager_hears_under_which_labels_an_alert_was() -> None:
    old = '{"status":"firing","labels":{"alertname":"y"},"annotations":{}}'
    found = [msgspec.structs.replace(notice(1, ""), known=old), notice(2, "")]
    found.append(msgspec.structs.replace(notice(3, ""), known=notice(3, "").alert))
    (call,) = form(found, targets("w1", group_by=[]), {"w1": 1}, 1, "")
    alerts = msgspec.json.decode(call.body)["alerts"]
    assert [alert.get("replaces") for alert in alerts] == [{"alertname": "y"}, None, None]


def test_a_call_of_repeats_alone_says_so() -> None:
    to = targets("w1", group_by=[])
    repeats = [notice(1, "", kind="repeat"), notice(2, "", kind="repeat")]
    (call,) = form(repeats, to, {"w1": 1}, 1, "")
    assert (call.kind, call.body.count('"repeat":true')) == ("repeat", 2)
    (call,) = form([*repeats, notice(3, "")], to, {"w1": 1}, 1, "")
    assert (call.kind, call.body.count('"repeat":true')) == ("alerts", 2)


def test_of_too_many_that_wait_the_oldest_become_dead_letters(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING", 3)

    async def check(plant: Plant) -> None:
        async with receiver() as desk:
            hook = await add_webhook(plant, desk.url)
            await add_rule(plant, hook)
            box = outbox.Outbox(plant.ground, lease_s=5)
            await plant.send(*((device, 1, HOT) for device in "abc"))
            assert await box.shed() == 0
            await plant.send(("d", 2, HOT))
            assert (await box.shed(), await box.shed()) == (1, 0)
            dead, total = await webhooks(plant).deliveries(hook, "failed", 10, 0)
            assert (total, dead[0].last_error) == (1, outbox.SHED)
            async with delivering(plant):
                got = await desk.wait(3)
            assert sorted(device for one in got for device in devices(one)) == ["b", "c", "d"]

    on_plant(database_url, check)


def test_an_alert_that_is_stuck_hides_no_other(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk:
            hook = await add_webhook(plant, desk.url)
            await add_rule(plant, hook)
            await plant.send(("stuck", 1, HOT))
            await plant.query(
                "WITH tried AS (INSERT INTO deliveries (webhook_id, body, next_attempt_at)"
                "  SELECT webhook_id, alert, now() + interval '1 hour' FROM notices"
                "  RETURNING delivery_no)"
                " UPDATE notices SET delivery_no = tried.delivery_no FROM tried RETURNING 1"
            )
            await plant.query(
                "INSERT INTO notices (webhook_id, rule_id, device, datasource_no, kind, alert,"
                "  group_key, due_at)"
                " SELECT webhook_id, rule_id, device, datasource_no, kind, alert, group_key, due_at"
                " FROM notices, generate_series(1, 1500) RETURNING 1"
            )
            await plant.send(("other", 2, HOT))
            async with delivering(plant):
                (got,) = await desk.wait(1)
            assert devices(got) == ["other"]

    on_plant(database_url, check)
