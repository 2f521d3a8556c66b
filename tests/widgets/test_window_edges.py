"""Answers whose window begins or ends within a bucket of the rollups, or before the moment asked for."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.widgets.desk import Desk, with_desk
from twin.clock import now_us, to_rfc3339
from twin.errors import Invalid
from twin.moments import HOUR_US, MINUTE_US, parse_moment
from widgets.fill import filled
from widgets.service import WidgetService
from widgets.spec import query_spec, saved_spec

KEYS = {"v": "number", "w": "number", "x": "number"}


def test_a_single_sees_the_partial_quarter_in_which_its_window_begins(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        lab, now = desk.lab, now_us()
        begin_us = (now - 30 * HOUR_US) // HOUR_US * HOUR_US
        at_7, at_600 = begin_us + 7 * MINUTE_US, begin_us + 600 * MINUTE_US
        lab.put(desk.schema, [("a", begin_us + MINUTE_US, {"w": 3.0})])
        lab.put(
            desk.schema, [("a", at_7, {"v": 7.0, "x": 7.0}), ("a", at_600, {"w": 1.0, "x": 8.0})]
        )
        span = {
            "from": to_rfc3339(begin_us + 5 * MINUTE_US),
            "to": to_rfc3339(begin_us + 20 * HOUR_US),
        }

        async def answers() -> list[Any]:
            found = []
            for agg in ("avg", "last", "max", "count"):
                one = await desk.ask("single", key="v", agg=agg, **span)
                found.append((one["value"], one["ts"]))
            latest = await desk.ask("single", key="x", agg="last", **span)
            lone = await desk.ask("single", key="w", agg="last", **span)
            both = await desk.ask("double", primary_key="v", secondary_key="w", **span)
            found += [(one["value"], one["previous"]) for one in (latest, lone)]
            return [*found, both["primary"]["value"], both["secondary"]["value"]]

        seven = to_rfc3339(at_7)
        wanted = [(7, seven), (7, seven), (7, seven), (1, seven), (8, 7), (1, None), 7, 1]
        before = await answers()
        await lab.roll_up(now)
        desk.service = WidgetService(lab.ground)  # which remembers nothing
        assert before == await answers() == wanted

    with_desk(database_url, scenario, KEYS)


def test_what_is_carried_in_is_known_as_of_then(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        lab, begin_us = desk.lab, (now_us() - 9 * HOUR_US) // HOUR_US * HOUR_US

        def moment(minute: int) -> str:
            return to_rfc3339(begin_us + minute * MINUTE_US)

        def put(device: str, minute: int, **values: float) -> None:
            lab.put(desk.schema, [(device, begin_us + minute * MINUTE_US, values)])

        for minute, value in ((1, 10.0), (25, 20.0)):
            put("a", minute, v=value)
        span = {"from": moment(30), "to": moment(50), "bucket": "10m", "fill": "previous"}
        for at, wanted in ((moment(2), [10, 10]), (moment(26), [20, 20]), (moment(0), [None] * 2)):
            assert (await desk.ask("line", key="v", at=at, **span))["values"] == wanted
        for minute, value in ((0, 1.0), (10, 4.0), (90, 9.0)):
            put("a", minute, w=value)
        put("b", 40, w=100.0)
        span = {"from": moment(60), "to": moment(120), "bucket": "10m", "fill": "previous"}
        found = await desk.ask("line", key="w", agg="delta", **span)
        assert found["values"] == [3, 3, 3, 5, 5, 5]

    with_desk(database_url, scenario, KEYS)


def test_no_text_is_carried_into_a_straight_line() -> None:
    for before in ((0, "x"), (0, True), (-5, "x")):
        assert filled([0, 10, 20], {20: 3.0}, "linear", before) == [None, None, 3.0]
    assert filled([0, 10, 20], {20: 3.0}, "linear", (0, 1.0)) == [1.0, 2.0, 3.0]


def test_picked_readings_are_themselves_whatever_is_asked_of_pooled_ones(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        begin_us = (now_us() - 9 * HOUR_US) // HOUR_US * HOUR_US
        for minute, value in ((0, 1.75), (1, -2.9)):
            desk.lab.put(desk.schema, [("a", begin_us + minute * MINUTE_US, {"v": value})])
        asked = {"key": "v", "downsample": "lttb", "group_by": "device", "agg": "count"}
        found = await desk.ask("line", **asked, **{"from": to_rfc3339(begin_us)})
        (series,) = [one for one in found["series"] if one["device"] == "a"]
        assert [value for value in series["values"] if value is not None] == [1.75, -2.9]

    with_desk(database_url, scenario, KEYS)


@pytest.mark.parametrize("field", ["from", "to"])
def test_the_ends_of_the_calendar_in_any_zone(database_url: str, field: str) -> None:
    async def scenario(desk: Desk) -> None:
        for zone in ("Europe/Berlin", "America/New_York"):
            whole = await desk.ask("single", key="v", timezone=zone, **{"from": "1970-01-01"})
            assert whole["value"] is None
        for text in ("1" * 400 + ".5", "1969-12-31", "2200-01-02", "9" * 400):
            with pytest.raises(Invalid, match=field):
                await desk.ask("single", key="v", timezone="Asia/Tokyo", **{field: text})

    with_desk(database_url, scenario, KEYS)


def test_the_local_begin_of_1970_lies_within_the_bounds() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert parse_moment("1970-01-01", berlin) == 0
    assert parse_moment("1970-01-01T00:30:00", berlin) == 0
    assert parse_moment("1970-01-01T01:00:01", berlin) == 1_000_000
    with pytest.raises(ValueError, match="between 1970 and 2200"):
        parse_moment("1969-12-31T23:59:59", berlin)


@pytest.mark.parametrize("field", ["key", "device", "unit", "title"])
def test_a_nul_is_refused_by_name(field: str) -> None:
    source = "00000000-0000-4000-8000-000000000000"
    fields = {"type": "line", "title": "t", "key": "v", "datasource_id": source}
    with pytest.raises(Invalid) as caught:
        saved_spec(fields | {field: "a\0"}, 5000)
    assert [error.key for error in caught.value.errors] == [field]
    with pytest.raises(Invalid):
        query_spec("line", [("datasource_id", source), ("key", "v\0")], 5000)


def test_ends_that_are_in_the_wrong_order_are_not_saved() -> None:
    source = "00000000-0000-4000-8000-000000000000"
    fields = {"type": "line", "title": "t", "key": "v", "datasource_id": source}
    for to in ("2026-11-19", "2026-11-20"):
        with pytest.raises(Invalid, match="from must lie before to"):
            saved_spec(fields | {"from": "2026-11-20", "to": to}, 5000)
    assert saved_spec(fields | {"from": "2026-11-20", "to": "2026-11-21"}, 5000)
