"""Repeats, acknowledgements and silences: what is told while an alert goes on."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from support.plant import Plant
from support.receiver import Receiver, receiver
from support.telling import COOL, HOT, add_rule, add_webhook, delivering, on_plant, settled

from alerts import delivery
from alerts.silences import SilenceStore
from alerts.views import Acknowledgement, NewSilence, SilenceView
from twin.clock import now_us, to_datetime
from twin.errors import Conflict, Invalid, NotFound


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at the outbox every 20 ms."""
    monkeypatch.setattr(delivery, "POLL_S", 0.02)


def people(plant: Plant) -> SilenceStore:
    return SilenceStore(plant.ground, plant.principal)


async def silence(plant: Plant, **fields: Any) -> SilenceView:
    until = to_datetime(now_us()) + timedelta(hours=1)
    return await people(plant).create(NewSilence(until=until, **fields))


def told(desk: Receiver) -> list[tuple[str, str, bool]]:
    """Return (device, status, whether a repeat) of everything told, in order."""
    return [
        (alert["labels"]["device"], alert["status"], alert.get("repeat", False))
        for request in desk.received
        for alert in request.json["alerts"]
    ]


async def queue_is_quiet(plant: Plant) -> None:
    """Wait until the worker has looked at everything there is."""
    await settled(plant)
    await asyncio.sleep(0.1)
    await settled(plant)


async def make_repeats_due(plant: Plant) -> None:
    await plant.query("UPDATE alert_told SET repeat_at = now() RETURNING 1")


def test_a_firing_alert_is_told_again_until_it_ends(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk, delivering(plant):
            await add_rule(plant, await add_webhook(plant, desk.url, repeat_seconds=3600))
            await plant.send(("a", 1, HOT))
            await desk.wait(1)
            await queue_is_quiet(plant)
            await make_repeats_due(plant)
            first, again = await desk.wait(2)
            await plant.send(("a", 2, COOL))
            await desk.wait(3)
            await queue_is_quiet(plant)
            assert await plant.query("SELECT * FROM alert_told") == []
        ids = {request.headers["X-Twinfeed-Delivery"] for request in (first, again)}
        assert len(ids) == 2
        assert again.json["alerts"][0]["startsAt"] == first.json["alerts"][0]["startsAt"]
        assert told(desk) == [
            ("a", "firing", False),
            ("a", "firing", True),
            ("a", "resolved", False),
        ]
        kinds = await plant.query("SELECT kind FROM deliveries ORDER BY delivery_no")
        assert kinds == [("alerts",), ("repeat",), ("alerts",)]

    on_plant(database_url, check)


def test_an_acknowledged_alert_is_not_repeated(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk, delivering(plant):
            rule = await add_rule(plant, await add_webhook(plant, desk.url, repeat_seconds=3600))
            await plant.send(("a", 1, HOT), ("b", 1, HOT))
            await desk.wait(2)
            await people(plant).acknowledge(rule.id, Acknowledgement(device="a", by="Ada"))
            await queue_is_quiet(plant)
            await make_repeats_due(plant)
            await desk.wait(3)
            await queue_is_quiet(plant)
            assert [one for one in told(desk) if one[2]] == [("b", "firing", True)]
            shown = {s.device: s.acknowledged_by for s in (await plant.rules.get(rule.id)).states}
            assert shown == {"a": "Ada", "b": None}
            # The next time it fires is another matter.
            await plant.send(("a", 2, COOL), ("a", 3, HOT))
            await desk.wait(5)
            await queue_is_quiet(plant)
            await make_repeats_due(plant)
            await desk.wait(7)
            assert ("a", "firing", True) in told(desk)
            events = await plant.events(device="a")
            assert [e.acknowledged_by for e in events] == ["Ada", None, None]
            with pytest.raises(Conflict):
                await people(plant).acknowledge(rule.id, Acknowledgement(device="nobody"))

    on_plant(database_url, check)


def test_a_silence_holds_back_and_its_end_tells_what_is_still_true(database_url: str) -> None:
    """Of four alerts: one goes on, one came and went, one was told of before and ended, one ended
    and came back."""

    async def check(plant: Plant) -> None:
        async with receiver() as desk, delivering(plant):
            rule = await add_rule(plant, await add_webhook(plant, desk.url))
            await plant.send(("ended", 1, HOT), ("again", 1, HOT))
            await desk.wait(2)
            await queue_is_quiet(plant)
            quiet = await silence(plant, alert_id=rule.id)
            await plant.send(("on", 2, HOT), ("gone", 2, HOT), ("gone", 3, COOL))
            await plant.send(("ended", 2, COOL), ("again", 2, COOL), ("again", 3, HOT))
            await queue_is_quiet(plant)
            assert len(desk.received) == 2
            assert [e.silenced for e in await plant.events()] == [False] * 2 + [True] * 6
            assert all(s.silenced_until for s in (await plant.rules.get(rule.id)).states)
            await people(plant).end(quiet.id)
            await desk.wait(5)
            await queue_is_quiet(plant)
        assert sorted(told(desk)[2:]) == [
            ("again", "firing", False),
            ("ended", "resolved", False),
            ("on", "firing", False),
        ]

    on_plant(database_url, check)


def test_a_transition_after_a_silence_overtakes_what_was_held(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk:
            rule = await add_rule(plant, await add_webhook(plant, desk.url))
            async with delivering(plant):
                quiet = await silence(plant, alert_id=rule.id)
                await plant.send(("a", 1, HOT))
                await queue_is_quiet(plant)
            await people(plant).end(quiet.id)
            await plant.send(("a", 2, COOL))
            async with delivering(plant):
                await desk.wait(1)
                await queue_is_quiet(plant)
        assert told(desk) == [("a", "resolved", False)]

    on_plant(database_url, check)


@pytest.mark.parametrize("scope", ["alert", "datasource", "device", "other alert", "other device"])
def test_a_silence_covers_what_it_names(database_url: str, scope: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk, delivering(plant):
            hook = await add_webhook(plant, desk.url)
            rule, other = await add_rule(plant, hook), await plant.add_rule("less_than", 0)
            fields: dict[str, Any] = {
                "alert": {"alert_id": rule.id, "device": "a"},
                "datasource": {"datasource_id": plant.schema.id},
                "device": {"device": "a"},
                "other alert": {"alert_id": other.id},
                "other device": {"alert_id": rule.id, "device": "b"},
            }[scope]
            await silence(plant, **fields)
            await plant.send(("a", 1, HOT))
            await queue_is_quiet(plant)
            assert len(desk.received) == (1 if scope.startswith("other") else 0)

    on_plant(database_url, check)


def test_a_silence_has_its_window(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        now = to_datetime(now_us())
        hour = timedelta(hours=1)
        async with receiver() as desk, delivering(plant):
            rule = await add_rule(plant, await add_webhook(plant, desk.url))
            later = await silence(plant, alert_id=rule.id, starts_at=now + hour / 2)
            assert later.state == "pending"
            await plant.send(("a", 1, HOT))
            await desk.wait(1)
            with pytest.raises(Invalid, match="until must be in the future"):
                await people(plant).create(NewSilence(until=now - hour, device="a"))
            with pytest.raises(Invalid, match="needs an alert_id"):
                await people(plant).create(NewSilence(until=now + hour))
            with pytest.raises(Invalid, match="before until"):
                await silence(plant, device="a", starts_at=now + 2 * hour)
            with pytest.raises(NotFound):
                await silence(plant, alert_id=UUID(int=0))
            await people(plant).end(later.id)
            assert (await people(plant).get(later.id)).state == "expired"

    on_plant(database_url, check)


def test_a_silenced_alert_is_not_repeated(database_url: str) -> None:
    async def check(plant: Plant) -> None:
        async with receiver() as desk, delivering(plant):
            rule = await add_rule(plant, await add_webhook(plant, desk.url, repeat_seconds=3600))
            await plant.send(("a", 1, HOT))
            await desk.wait(1)
            await queue_is_quiet(plant)
            await silence(plant, alert_id=rule.id)
            await make_repeats_due(plant)
            await queue_is_quiet(plant)
            assert len(desk.received) == 1

    on_plant(database_url, check)
