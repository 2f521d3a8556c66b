"""Webhook delivery: a real outbox, a real receiver, short pauses."""

import hashlib
import hmac
import time
from typing import Any

import psycopg
import pytest
from support.plant import Plant
from support.receiver import CLOSE_EARLY, DRIP, HANG, receiver
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

from alerts import delivery, retry
from alerts.outbox import Outbox, Room
from alerts.views import WebhookPatch
from twin.errors import Invalid, NotFound


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff from 20 ms, and a look at the outbox every 20 ms."""
    monkeypatch.setattr(retry, "FIRST_PAUSE_US", 20_000)
    monkeypatch.setattr(delivery, "POLL_S", 0.02)


def test_a_delivery_is_signed_and_told_once(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk, delivering(plant):
            await add_rule(plant, await add_webhook(plant, desk.url, "s3cret"))
            await plant.send(("pump-1", 1, HOT))
            (got,) = await desk.wait(1)
            assert await settled(plant) == [("delivered", 1, 200, None)]
        assert got.json["alerts"][0]["labels"]["device"] == "pump-1"
        assert got.json["alerts"][0]["values"] == {"temperature": 90.0}
        assert got.json["receiver"] == "desk"
        signed = got.headers["X-Twinfeed-Timestamp"].encode() + b":" + got.body
        expected = hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
        assert got.headers["X-Twinfeed-Signature"] == expected
        assert abs(int(got.headers["X-Twinfeed-Timestamp"]) - time.time()) < 30

    on_plant(database_url, check)


@pytest.mark.parametrize("fault", [500, 503, 408, 429, HANG, CLOSE_EARLY, DRIP])
def test_a_fault_is_retried_with_the_same_id(database_url: str, fault: Any) -> None:
    async def check(plant: Plant) -> None:
        async with receiver(fault, fault) as desk, delivering(plant):
            await add_rule(plant, await add_webhook(plant, desk.url))
            await plant.send(("", 1, HOT))
            got = await desk.wait(3)
            assert [row[:3] for row in await settled(plant)] == [("delivered", 3, 200)]
        assert len({request.headers["X-Twinfeed-Delivery"] for request in got}) == 1
        assert len({request.body for request in got}) == 1

    on_plant(database_url, check)


@pytest.mark.parametrize(
    ("username", "expected"),
    [(None, "Bearer s3cret-token"), ("ops", "Basic b3BzOnMzY3JldC10b2tlbg==")],
)
def test_an_alertmanager_is_told_who_calls(
    database_url: str, username: str | None, expected: str
) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk, delivering(plant):
            fields = {"type": "alertmanager", "username": username}
            id_ = await add_webhook(plant, desk.url, "s3cret-token", **fields)
            await add_rule(plant, id_)
            await plant.send(("", 1, HOT))
            (got,) = await desk.wait(1)
            assert got.headers["Authorization"] == expected
            assert "X-Twinfeed-Signature" not in got.headers
            shown = await webhooks(plant).get(id_)
            assert (shown.has_secret, shown.username) == (True, username)
            kept = await plant.query("SELECT sealed_secret FROM webhooks")
            assert "s3cret" not in kept[0][0]

    on_plant(database_url, check)


def test_retry_after_is_waited_for(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver((429, {"Retry-After": "1"})) as desk, delivering(plant):
            await add_rule(plant, await add_webhook(plant, desk.url))
            await plant.send(("", 1, HOT))
            first, second = await desk.wait(2)
            assert second.at_s - first.at_s > 0.9

    on_plant(database_url, check)


def test_another_4xx_is_final(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver(404) as desk, delivering(plant):
            await add_rule(plant, await add_webhook(plant, desk.url))
            await plant.send(("", 1, HOT))
            error = "The receiver answered 404."
            await desk.wait(1)
            assert await settled(plant) == [("failed", 1, 404, error)]

    on_plant(database_url, check)


def test_a_redirect_is_not_followed(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as inner, delivering(plant):
            async with receiver((302, {"Location": inner.url})) as desk:
                await add_rule(plant, await add_webhook(plant, desk.url))
                await plant.send(("", 1, HOT))
                await desk.wait(1)
                assert [row[:3] for row in await settled(plant)] == [("failed", 1, 302)]
            assert inner.received == []

    on_plant(database_url, check)


def test_private_targets_are_refused_when_written_and_when_called(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk, delivering(plant):
            with pytest.raises(Invalid, match="private or loopback"):
                await add_webhook(plant, desk.url)
            rows = await plant.query(  # one that was written while it was allowed
                "INSERT INTO webhooks (webhook_id, org_id, environment, name, url)"
                " VALUES (gen_random_uuid(), %s, 'live', 'desk', %s) RETURNING webhook_id",
                plant.principal.org_id,
                desk.url,
            )
            await add_rule(plant, rows[0][0])
            await plant.send(("", 1, HOT))
            ((state, attempts, status, error),) = await settled(plant)
            assert (state, attempts, status) == ("failed", 1, None)
            assert "private or loopback" in str(error)
            assert desk.received == []

    on_plant(database_url, check, webhook_allow_private=False)


def test_order_is_kept_per_alert_through_failures(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver(500, 500, CLOSE_EARLY, 500) as desk, delivering(plant):
            await add_rule(plant, await add_webhook(plant, desk.url))
            timeline = [HOT, COOL] * 4
            readings = [(d, n, v) for d in ("a", "b", "c") for n, v in enumerate(timeline)]
            await plant.send(*readings)
            await desk.wait(24 + 4)
            assert [row[0] for row in await settled(plant)] == ["delivered"] * 24
        answered: dict[str, list[str]] = {}
        for request in desk.received:
            alert = request.json["alerts"][0]
            moments = answered.setdefault(alert["labels"]["device"], [])
            moment = alert["startsAt"] + alert["status"]
            if moment not in moments:
                moments.append(moment)
        for moments in answered.values():
            assert moments == sorted(moments)
            assert len(moments) == 8

    on_plant(database_url, check)


def test_a_dead_receiver_delays_nobody_and_gets_only_its_share(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver(*[HANG] * 100) as dead, receiver() as desk, delivering(plant):
            await add_rule(plant, await add_webhook(plant, dead.url))
            await plant.send(*((f"pump-{n}", 1, HOT) for n in range(40)))
            await dead.wait(2)
            await add_rule(plant, await add_webhook(plant, desk.url))
            await plant.send(("other", 2, HOT))
            await desk.wait(1)
            assert len(dead.received) == dead.open_calls == 2  # it still has not answered
            dead.hang_up.set()

    on_plant(database_url, check, webhook_concurrency=16, webhook_timeout_s=25.0)


def test_workers_share_the_outbox_without_doubles(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk:
            await add_rule(plant, await add_webhook(plant, desk.url))
            await plant.send(*((f"pump-{n}", 1, HOT) for n in range(60)))
            async with delivering(plant), delivering(plant), delivering(plant):
                await desk.wait(60)
                assert await settled(plant) == [("delivered", 1, 200, None)] * 60
            assert len(desk.received) == 60

    on_plant(database_url, check)


def test_a_lost_claim_is_made_again_with_the_same_id(database_url: str) -> None:
    """A worker that was killed between its call and its record leaves a lease that ends."""

    async def check(plant: Plant) -> None:
        async with receiver() as desk:
            await add_rule(plant, await add_webhook(plant, desk.url))
            await plant.send(("", 1, HOT))
            killed, other = [Outbox(plant.ground, lease_s=3600) for _ in range(2)]
            (claim,) = await killed.claim(Room(1, 1, {}), retries=True)
            assert await other.claim(Room(1, 1, {}), retries=True) == []
            await plant.query("UPDATE deliveries SET claimed_until = now() RETURNING 1")
            async with delivering(plant):
                (got,) = await desk.wait(1)
                assert await settled(plant) == [("delivered", 2, 200, None)]
            assert got.headers["X-Twinfeed-Delivery"] == claim.delivery_id
            assert got.body == claim.body.encode()

    on_plant(database_url, check)


def test_a_failing_claim_stops_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = Outbox.claim
    faults: list[Exception] = [psycopg.OperationalError("lost"), ValueError("unforeseen")]

    async def faulty(self: Outbox, room: Room, *, retries: bool) -> Any:
        if faults:
            raise faults.pop()
        return await claim(self, room, retries=retries)

    async def check(plant: Plant) -> None:
        monkeypatch.setattr(Outbox, "claim", faulty)
        async with receiver() as desk, delivering(plant):
            await add_rule(plant, await add_webhook(plant, desk.url))
            await plant.send(("", 1, HOT))
            await desk.wait(1)
            assert await settled(plant) == [("delivered", 1, 200, None)]

    on_plant(database_url, check)


def test_a_stop_lets_open_calls_end(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver((200, {"after_s": 0.2})) as desk:
            await add_rule(plant, await add_webhook(plant, desk.url))
            async with delivering(plant):
                await plant.send(("", 1, HOT))
                await desk.wait(1)
            assert await settled(plant) == [("delivered", 1, 200, None)]

    on_plant(database_url, check)


def test_connections_are_kept(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk, delivering(plant):
            await add_rule(plant, await add_webhook(plant, desk.url))
            for second in range(6):
                await plant.send(("", second, COOL if second % 2 else HOT))
                await desk.wait(second + 1)
                await settled(plant)
            assert desk.connections == 1

    on_plant(database_url, check)


def test_a_day_of_failures_ends_it(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver(500) as desk:
            await add_rule(plant, await add_webhook(plant, desk.url))
            await plant.send(("", 1, HOT), ("", 2, COOL))
            await plant.query(
                "UPDATE notices SET created_at = now() - interval '25 hours' RETURNING 1"
            )
            async with delivering(plant):
                await desk.wait(2)
                first, second = await settled(plant)
            assert first[:3] == ("failed", 1, 500)
            assert "Given up after a day" in str(first[3])
            assert second[0] == "delivered"  # what came after it is no longer held back

    on_plant(database_url, check)


def test_the_test_call_says_how_it_went(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver(204, 500) as desk, delivering(plant):
            id_ = await add_webhook(plant, desk.url, "s3cret")
            good, bad = [await webhooks(plant).test(id_) for _ in range(2)]
            listed, total = await webhooks(plant).deliveries(id_, None, 10, 0)
        assert (good.state, good.last_status) == ("delivered", 204)
        assert (bad.state, bad.last_status) == ("failed", 500)
        assert ([d.delivery_id for d in listed], total) == ([bad.delivery_id, good.delivery_id], 2)
        assert desk.received[0].json["alerts"][0]["labels"]["alertname"] == "Twinfeed test"
        assert "X-Twinfeed-Signature" in desk.received[0].headers
        assert len(desk.received) == 2

    on_plant(database_url, check)


def test_webhooks_are_kept_changed_and_deleted(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        store = webhooks(plant)
        id_ = await add_webhook(plant, "http://127.0.0.1:9/a", "s3cret")
        changed = await store.patch(id_, WebhookPatch(name="shift desk", secret=None))
        assert (changed.name, changed.url, changed.has_secret) == (
            "shift desk",
            "http://127.0.0.1:9/a",
            False,
        )
        rule = await plant.add_rule("greater_than", 80, webhooks=[str(id_)])
        await plant.send(("", 1, HOT))
        await store.delete(id_)
        assert (await plant.rules.get(rule.id)).webhooks == []
        assert await plant.query("SELECT * FROM deliveries") == []
        await plant.send(("", 2, COOL))
        assert [state for _, _, state in await plant.told()] == ["firing", "normal"]
        with pytest.raises(NotFound):
            await store.get(id_)
        with pytest.raises(NotFound):
            await store.delete(id_)

    on_plant(database_url, check)
