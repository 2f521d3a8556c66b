"""Answers from a database: their contents and bounds."""

import asyncio
from uuid import uuid4

import msgspec
import psycopg
import pytest

from tests.widgets.desk import Desk, with_desk
from twin.clock import SECOND_US, now_us, to_datetime, to_rfc3339
from twin.errors import Invalid, NotFound, Overloaded
from twin.housekeeping import fold
from twin.schema import Wanted
from widgets.spec import query_spec
from widgets.tracks import MAX_SERIES

MINUTE_US = 60 * SECOND_US


def test_texts_and_booleans_look_like_themselves(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        wanted = Wanted()
        wanted.labels = {"RUN": None, "STOP": None}
        await desk.lab.ground.schemas.learn(desk.schema, wanted)
        start_us = now_us() // MINUTE_US * MINUTE_US - 5 * MINUTE_US
        codes = [0, 0, 1, 0]
        desk.lab.put(
            desk.schema,
            [
                ("a", start_us + i * MINUTE_US, {"state": code, "door": 1 - code})
                for i, code in enumerate(codes)
            ],
        )
        line = await desk.ask("line", key="state", range="10m", bucket="1m")
        assert line["values"] == ["RUN", "RUN", "STOP", "RUN"]
        assert "min" not in line
        single = await desk.ask("single", key="state")
        assert (single["value"], single["previous"], single["delta"]) == ("RUN", "STOP", None)
        assert (await desk.ask("single", key="door"))["value"] is True
        assert (await desk.ask("single", key="door", agg="avg"))["value"] == 0.75
        assert (await desk.ask("single", key="state", agg="count"))["value"] == 4
        bar = await desk.ask("bar", key="state", group_by="label")
        assert (bar["labels"], bar["values"]) == (["RUN", "STOP"], [3, 1])
        bar = await desk.ask("bar", key="door", group_by="label")
        assert (bar["labels"], bar["values"]) == (["false", "true"], [1, 3])
        with pytest.raises(Invalid, match="first, last, count"):
            await desk.ask("line", key="state", agg="avg")
        with pytest.raises(Invalid, match="text or boolean"):
            await desk.ask("bar", key="rpm", group_by="label")

    with_desk(database_url, scenario, {"state": "text", "door": "boolean", "rpm": "number"})


def test_units_and_titles_come_from_the_key(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        async with desk.lab.ground.pool.everyone() as conn:
            await conn.execute(
                "UPDATE data_keys SET unit = 'l', label = 'Volume' WHERE datasource_no = %s",
                [desk.schema.no],
            )
        await desk.lab.ground.schemas.moved(desk.schema.no)
        answer = await desk.ask("single", key="rpm")
        assert (answer["unit"], answer["title"]) == ("l", "Volume")
        assert (await desk.ask("line", key="rpm", agg="rate"))["unit"] == "l/s"
        assert (await desk.ask("line", key="rpm", agg="count"))["unit"] is None
        answer = await desk.ask("line", key="rpm", agg="rate", unit="m3/h", title="Flow")
        assert (answer["unit"], answer["title"]) == ("m3/h", "Flow")

    with_desk(database_url, scenario)


def test_a_declared_key_without_readings_is_empty(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        line = await desk.ask("line", key="rpm")
        assert (line["labels"], line["values"], line["min"]) == ([], [], [])
        assert (await desk.ask("bar", key="rpm", group_by="device"))["labels"] == []
        single = await desk.ask("single", key="rpm")
        assert [single[f] for f in ("value", "ts", "previous", "delta")] == [None] * 4
        assert single["stale"] is True
        assert (await desk.ask("single", key="rpm", agg="sum"))["value"] is None
        double = await desk.ask("double", primary_key="rpm", secondary_key="rpm")
        assert double["primary"] == {"key": "rpm", "value": None, "unit": None, "ts": None}

    with_desk(database_url, scenario)


def test_unknown_names_are_named(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        with pytest.raises(Invalid, match=r"no key 'rpn'.*known: 'rpm'"):
            await desk.ask("line", key="rpn")
        with pytest.raises(Invalid, match=r"no key 'x'") as caught:
            await desk.ask("double", primary_key="rpm", secondary_key="x")
        assert caught.value.errors[0].key == "secondary_key"
        with pytest.raises(Invalid, match=r"no device 'z'.*known: 'a', 'b'"):
            await desk.ask("line", key="rpm", device="z")
        with pytest.raises(Invalid, match="at must be"):
            await desk.ask("line", key="rpm", at="soon")

    with_desk(database_url, scenario)


def test_a_datasource_that_is_gone_or_anothers_is_not_found(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        spec, _ = query_spec("line", [("datasource_id", str(uuid4())), ("key", "rpm")], 5000)
        with pytest.raises(NotFound, match="datasource"):
            await desk.service.body(spec, desk.lab.principal, None)
        spec, _ = query_spec("line", [("datasource_id", str(desk.schema.id)), ("key", "rpm")], 5000)
        test_side = msgspec.structs.replace(desk.lab.principal, environment="test")
        with pytest.raises(NotFound, match="datasource"):
            await desk.service.body(spec, test_side, None)

    with_desk(database_url, scenario)


def test_the_newest_value_may_be_long_ago(database_url: str) -> None:
    """Below the rollups' mark, in a dirty hour, in a closed one, and behind many other readings."""

    async def scenario(desk: Desk) -> None:
        now = now_us()
        day_us = 86_400 * SECOND_US
        desk.lab.put(desk.schema, [("a", now - i * MINUTE_US, {"other": 1}) for i in range(90)])
        desk.lab.put(desk.schema, [("a", now - 40 * day_us, {"rpm": 1})])
        for rolled in (False, True):
            if rolled:
                await desk.lab.roll_up(now)
            single = await desk.ask("single", key="rpm", device="a")
            assert (single["value"], single["previous"]) == (1, None)
            assert single["ts"] == to_rfc3339(now - 40 * day_us)
        desk.lab.put(desk.schema, [("b", now - 41 * day_us, {"rpm": 7})])
        for rolled in (False, True):
            if rolled:
                await desk.lab.roll_up(now)
            single = await desk.ask("single", key="rpm")
            assert (single["value"], single["previous"], single["delta"]) == (1, 7, -6)
        late = await desk.ask("single", key="rpm", at=to_rfc3339(now - 40 * day_us - 1))
        assert (late["value"], late["previous"]) == (7, None)

    with_desk(database_url, scenario, {"other": "number", "rpm": "number"})


def test_the_newest_of_many_devices(database_url: str) -> None:
    """Where it was written, of each page; after a delete, of a key it lacks, and once folded."""

    async def scenario(desk: Desk) -> None:
        now = now_us()
        put = desk.lab.put
        put(desk.schema, [(f"d{i}", now - i * SECOND_US, {"k0": i, "k17": -i}) for i in range(9)])

        async def shown(key: str) -> tuple[object, object]:
            single = await desk.ask("single", key=key)
            return single["value"], single["previous"]

        async with desk.lab.ground.pool.everyone() as conn:
            for _ in range(2):
                assert await shown("k0") == (0, 1)
                assert await shown("k17") == (0, -1)
                await fold(conn)
                desk.lab.ground.versions.bump("data", desk.schema.no)
            put(desk.schema, [("d8", now - 60 * MINUTE_US, {"k0": 7})])  # late
            put(desk.schema, [("d1", now - SECOND_US, {"k0": 77})])  # overwritten
            assert await shown("k0") == (0, 77)
            put(desk.schema, [("d3", now, {"k0": 33}), ("d2", now + 1, {"k17": 2})])
            assert await shown("k0") == (33, 0)
            assert await shown("k17") == (2, 0)
            await conn.execute("DELETE FROM readings WHERE ts >= %s", [to_datetime(now)])
            desk.lab.ground.versions.bump("data", desk.schema.no)
            assert await shown("k0") == (77, 2)
            await fold(conn)
            put(desk.schema, [("d5", now + 5, {"k0": 5}), ("d5", now + 4, {"k0": 4})])
            assert await shown("k0") == (5, 4)

    kinds = {f"k{i}": "number" for i in range(18)}
    with_desk(database_url, scenario, kinds, tuple(f"d{i}" for i in range(9)))


def test_the_previous_of_an_aggregate_is_that_of_the_stretch_before(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        start_us = now_us() // MINUTE_US * MINUTE_US - 10 * MINUTE_US
        desk.lab.put(
            desk.schema,
            [("a", start_us + i * MINUTE_US, {"rpm": v}) for i, v in enumerate([1, 2, 10, 20])],
        )
        window = {
            "from": to_rfc3339(start_us + 2 * MINUTE_US),
            "to": to_rfc3339(start_us + 4 * MINUTE_US),
        }
        single = await desk.ask("single", key="rpm", agg="sum", **window)
        assert (single["value"], single["previous"], single["delta"]) == (30, 3, 27)
        assert single["ts"] == to_rfc3339(start_us + 3 * MINUTE_US)

    with_desk(database_url, scenario)


def test_keys_of_the_second_page_are_read_from_their_own_stream(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        desk.lab.put(desk.schema, [("a", now_us(), {"k0": 1, "k17": 17})])
        double = await desk.ask("double", primary_key="k0", secondary_key="k17")
        assert (double["primary"]["value"], double["secondary"]["value"]) == (1, 17)
        line = await desk.ask("line", ("key", "k17"), ("key", "k0"), group_by="device")
        shown = [(s["key"], s["device"], s["values"]) for s in line["series"]]
        assert ("k17", "a", [17]) in shown
        assert ("k0", "b", [None]) in shown

    with_desk(database_url, scenario, {f"k{i}": "number" for i in range(18)})


def test_several_keys_share_labels(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        start_us = now_us() // MINUTE_US * MINUTE_US - 5 * MINUTE_US
        desk.lab.put(
            desk.schema, [("a", start_us, {"x": 1}), ("a", start_us + MINUTE_US, {"y": 2})]
        )
        line = await desk.ask("line", ("key", "x"), ("key", "y"), range="10m", bucket="1m")
        assert line["labels"] == [to_rfc3339(start_us), to_rfc3339(start_us + MINUTE_US)]
        assert line["values"] == [1, None]
        assert [s["values"] for s in line["series"]] == [[1, None], [None, 2]]

    with_desk(database_url, scenario, {"x": "number", "y": "number"})


def test_picked_readings_of_pooled_devices_and_keys_share_labels_within_the_bound(
    database_url: str,
) -> None:
    async def scenario(desk: Desk) -> None:
        start_us = now_us() // MINUTE_US * MINUTE_US - 5 * MINUTE_US
        desk.lab.put(
            desk.schema,
            [
                (device, start_us + i * SECOND_US, {"x": first + i % 7, "y": i})
                for i in range(60)
                for device, first in (("a", 0), ("b", 10))
            ],
        )
        ask = {"range": "10m", "downsample": "minmax"}
        whole = await desk.ask("line", key="x", **ask)
        assert whole["labels"][:2] == [to_rfc3339(start_us), to_rfc3339(start_us + SECOND_US)]
        assert whole["values"][:8] == [5, 6, 7, 8, 9, 10, 11, 5]  # the mean of an instant
        assert "min" not in whole
        top = await desk.ask("line", key="x", agg="max", points="10", **ask)
        assert len(top["labels"]) <= 10
        assert {min(top["values"]), max(top["values"])} == {10, 16}  # of the maxima
        assert (await desk.ask("line", key="x", agg="count", **ask))["values"] == [2] * 60
        both = await desk.ask("line", ("key", "x"), ("key", "y"), points="60", **ask)
        assert len(both["labels"]) <= 60
        assert [s["key"] for s in both["series"]] == ["x", "y"]
        assert len(both["values"]) == len(both["series"][1]["values"]) == len(both["labels"])
        each = await desk.ask("line", key="x", device="b", group_by="device", **ask)
        ((device, values),) = [(s["device"], s["values"]) for s in each["series"]]
        assert (device, set(values) - {None}) == ("b", set(range(10, 17)))

    kinds = {"x": "number", "y": "number"}
    with_desk(database_url, scenario, kinds, max_points=60)


def test_only_numbers_are_picked(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        for key, kind in (("state", "text"), ("door", "boolean")):
            with pytest.raises(Invalid, match=f"'{key}' is a {kind} key") as caught:
                await desk.ask("line", key=key, downsample="lttb")
            assert caught.value.errors[0].key == "downsample"
        assert (await desk.ask("line", key="rpm", downsample="lttb"))["values"] == []

    with_desk(database_url, scenario, {"state": "text", "door": "boolean", "rpm": "number"})


def test_a_text_is_carried_into_the_window(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        wanted = Wanted()
        wanted.labels = {"RUN": None, "STOP": None}
        await desk.lab.ground.schemas.learn(desk.schema, wanted)
        while now_us() % MINUTE_US > 45_000_000:  # the answers below belong to one minute
            await asyncio.sleep(1)
        now = now_us()
        desk.lab.put(
            desk.schema,
            [("a", now - 40 * 24 * 60 * MINUTE_US, {"state": 0}), ("b", now, {"state": 1})],
        )
        ask = {"key": "state", "range": "2m", "bucket": "1m", "fill": "previous"}
        assert (await desk.ask("line", **ask))["values"] == ["RUN", "RUN", "STOP"]
        each = await desk.ask("line", group_by="device", **ask)
        shown = {s["device"]: s["values"] for s in each["series"]}
        assert shown == {"a": ["RUN"] * 3, "b": [None, None, "STOP"]}
        assert (await desk.ask("bar", **ask))["values"] == ["RUN", "RUN", "STOP"]

    with_desk(database_url, scenario, {"state": "text"})


def test_what_only_raw_readings_tell_is_bounded(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        now = now_us()
        desk.lab.put(desk.schema, [("a", now - i, {"rpm": 1}) for i in range(10)])
        for agg in ("median", "p95", "delta", "rate"):
            await desk.ask("line", key="rpm", agg=agg)
        assert len((await desk.ask("line", key="rpm", downsample="lttb"))["values"]) == 10
        desk.lab.put(desk.schema, [("b", now, {"rpm": 1})])
        for agg in ("median", "p95", "delta", "rate"):
            with pytest.raises(Invalid, match="more than 10 readings"):
                await desk.ask("line", key="rpm", agg=agg)
        for downsample in ("lttb", "minmax"):
            with pytest.raises(Invalid, match="more than 10 readings"):
                await desk.ask("line", key="rpm", downsample=downsample)
        await desk.ask("line", key="rpm", agg="avg")

    with_desk(database_url, scenario, max_raw_rows=10)


def test_a_query_that_takes_too_long_is_told(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        with psycopg.connect(desk.lab.ground.database_url) as conn:
            conn.execute("LOCK TABLE twinfeed.readings")
            with pytest.raises(Invalid, match="took too long"):
                await desk.ask("line", key="rpm")

    with_desk(database_url, scenario, query_timeout_ms=200)


def test_lines_per_device_are_bounded(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.ask("line", key="rpm", group_by="device")
        with pytest.raises(Invalid, match=f"more than the {MAX_SERIES}"):
            await desk.ask("line", ("key", "rpm"), ("key", "more"), group_by="device")

    devices = tuple(f"d{i}" for i in range(MAX_SERIES))
    with_desk(database_url, scenario, {"rpm": "number", "more": "number"}, devices)


def test_a_sum_past_the_largest_double_is_told(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        now = now_us()
        desk.lab.put(desk.schema, [("a", now - i, {"rpm": 1.7e308}) for i in range(2)])
        with pytest.raises(Invalid, match="larger than a double"):
            await desk.ask("line", key="rpm", agg="sum")

    with_desk(database_url, scenario)


def test_slow_queries_leave_connections_to_others(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(desk: Desk) -> None:
        monkeypatch.setattr("widgets.run.POOL_WAIT_S", 0.1)
        with psycopg.connect(desk.lab.ground.database_url) as conn:
            conn.execute("LOCK TABLE twinfeed.readings")
            questions = [desk.ask("line", key="rpm", title=str(i)) for i in range(4)]
            polls = [asyncio.create_task(question) for question in questions]
            outcomes = asyncio.gather(*polls, return_exceptions=True)
            await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
            async with desk.lab.ground.pool.connection(timeout=0.5):
                assert not all(poll.done() for poll in polls)
        kinds = {type(outcome) for outcome in await outcomes}
        assert kinds == {dict, Overloaded}

    with_desk(database_url, scenario, pool_size=4)
