"""When an answer changes: with data, alerts and time, and only then."""

from typing import Any

import msgspec
import psycopg
import pytest

from tests.widgets.desk import Desk, with_desk
from twin.clock import SECOND_US, now_us, to_rfc3339
from widgets.run import Reader


def test_every_change_shows_at_once_and_nothing_else_costs_a_query(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(desk: Desk) -> None:
        asked = 0
        newest = Reader.newest

        async def counted(self: Reader, *args: Any) -> Any:
            nonlocal asked
            asked += 1
            return await newest(self, *args)

        monkeypatch.setattr(Reader, "newest", counted)
        now = now_us()
        desk.lab.put(desk.schema, [("a", now, {"rpm": 1})])
        first = await desk.body("single", key="rpm")
        assert (await desk.body("single", key="rpm")) == first
        assert asked == 1
        desk.lab.put(desk.schema, [("a", now + 1, {"rpm": 2})])
        second = await desk.body("single", key="rpm")
        assert second.etag != first.etag
        await desk.lab.fire(desk.schema, "hot", "rpm", "critical", now)
        third = await desk.body("single", key="rpm")
        assert third.etag not in (first.etag, second.etag)
        assert msgspec.json.decode(third.content)["alert"]["name"] == "hot"
        assert asked == 3

    with_desk(database_url, scenario)


def test_without_notifications_nothing_is_answered_from_memory(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        now = now_us()
        desk.lab.put(desk.schema, [("a", now, {"rpm": 1})])
        assert (await desk.ask("single", key="rpm"))["value"] == 1
        await desk.lab.ground.notifier.stop()
        with psycopg.connect(desk.lab.ground.database_url) as conn:
            conn.execute("UPDATE twinfeed.readings SET v0 = 5")  # on another host
        assert (await desk.ask("single", key="rpm"))["value"] == 5

    with_desk(database_url, scenario)


def test_a_single_turns_stale_by_itself(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(desk: Desk) -> None:
        ts_us = now_us()
        desk.lab.put(desk.schema, [("a", ts_us, {"rpm": 1})])
        etags = []
        for later_s, stale in ((0, False), (59, False), (60, True)):
            monkeypatch.setattr("widgets.service.now_us", lambda s=later_s: ts_us + s * SECOND_US)
            body = await desk.body("single", key="rpm", stale_seconds="60")
            assert msgspec.json.decode(body.content)["stale"] is stale
            etags.append(body.etag)
        assert etags[0] == etags[1] != etags[2]

    with_desk(database_url, scenario)


def test_the_most_severe_then_the_oldest_alert_is_shown(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        now = now_us() // SECOND_US * SECOND_US
        fire = desk.lab.fire
        desk.lab.put(desk.schema, [("a", now, {"rpm": 1, "other": 1})])
        assert (await desk.ask("single", key="rpm"))["alert"] is None
        await fire(desk.schema, "old info", "rpm", "info", now - 900 * SECOND_US, "a")
        await fire(desk.schema, "young", "rpm", "warning", now - 60 * SECOND_US, "a")
        await fire(desk.schema, "old", "rpm", "warning", now - 300 * SECOND_US, "b")
        await fire(desk.schema, "else", "other", "critical", now, "a")
        shown = (await desk.ask("single", key="rpm"))["alert"]
        assert shown == {
            "state": "firing",
            "severity": "warning",
            "name": "old",
            "widget_color": "#f00",
            "material_color": None,
            "icon": "flame",
            "since": to_rfc3339(now - 300 * SECOND_US),
        }
        for type_ in ("line", "bar"):
            assert (await desk.ask(type_, key="rpm"))["alert"] == shown
        assert (await desk.ask("single", key="rpm", device="a"))["alert"]["name"] == "young"
        double = await desk.ask("double", primary_key="rpm", secondary_key="other")
        assert double["alert"]["name"] == "else"
        at = to_rfc3339(now - 600 * SECOND_US)
        assert (await desk.ask("single", key="rpm", at=at))["alert"]["name"] == "old info"
        at = to_rfc3339(now - 1000 * SECOND_US)
        assert (await desk.ask("single", key="rpm", at=at))["alert"] is None

    with_desk(database_url, scenario, {"rpm": "number", "other": "number"})
