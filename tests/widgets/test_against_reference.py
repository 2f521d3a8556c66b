"""Answers from the database against answers worked out in plain Python, over random readings.

Rollups are refreshed between the writes; readings arrive late, twice and overwritten, and some are
deleted: at every moment the answer must be that of the raw readings.
"""

import asyncio
import random
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.widgets.lab import Lab, open_lab
from tests.widgets.reference import AGGREGATES, Point, by_bucket, filled, rises
from twin.clock import SECOND_US, now_us, to_rfc3339, to_us
from twin.db.pool import AsyncConnection, conninfo
from twin.deletion import delete_readings
from twin.schema import DatasourceSchema
from widgets.service import WidgetService
from widgets.spec import query_spec, zone_of
from widgets.window import Window, lay_out, resolve

HOUR_US = 3600 * SECOND_US
DEVICES = ("a", "b", "c")
KEYS = ("temp", "flow")
ROUNDS = 8
ZONES = ("UTC", "Asia/Kathmandu", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
CLOCK_CHANGES = ((2026, 3, 29, 4), (2026, 10, 25, 4), (2026, 11, 1, 9), (2026, 4, 4, 18))
"""A while after clocks were changed in Berlin, New York and on Lord Howe Island."""


class Plant:
    """A datasource and what was written to it."""

    def __init__(self, lab: Lab, schema: DatasourceSchema, now: int) -> None:
        self.lab = lab
        self.schema = schema
        self.now = now
        self.service = WidgetService(lab.ground)
        self.values: dict[tuple[str, int], dict[str, float]] = {}
        self.asked: list[dict[str, str]] = []

    def write(self, rng: random.Random, count: int) -> None:
        """Write readings of the last six hours, distinct in time, some over existing ones."""
        readings = []
        for _ in range(count):
            device = rng.choice(DEVICES)
            ts_us = self.now - rng.randrange(6 * HOUR_US)
            if self.values and rng.random() < 0.1:
                device, ts_us = rng.choice(list(self.values))
            keys = rng.choice([("temp",), ("temp", "flow"), ("flow",), ()])
            values = {key: round(rng.uniform(-50, 100), 3) for key in keys}
            self.values.setdefault((device, ts_us), {}).update(values)
            readings.append((device, ts_us, values))
        self.lab.put(self.schema, readings)

    async def delete(self, rng: random.Random) -> None:
        """Delete the readings of a stretch, of one device or all, or one key's values of it."""
        first, second = sorted(rng.sample(range(6 * HOUR_US), 2))
        from_us, to_us_ = self.now - second, self.now - max(first, second - HOUR_US)
        devices = rng.choice([DEVICES, (rng.choice(DEVICES),)])
        key = rng.choice([None, *KEYS])
        pages = {0: [self.schema.stream(device, 0) for device in devices]}
        slot = None if key is None else self.schema.keys[key].slot
        ground = self.lab.ground
        url = conninfo(ground.database_url)
        async with await AsyncConnection.connect(url, autocommit=True) as conn:
            home = ground.capabilities.home
            await delete_readings(conn, home, pages, from_us, to_us_, slot)
        ground.versions.bump("data", self.schema.no)
        for place in [p for p in self.values if p[0] in devices and from_us <= p[1] < to_us_]:
            if key is None:
                del self.values[place]
            else:
                self.values[place].pop(key, None)

    def points(self, device: str | None, key: str = "temp") -> list[Point]:
        """Return what a widget of a device, or of all, is about, by time."""
        found = [
            (d, ts_us, values[key])
            for (d, ts_us), values in self.values.items()
            if device in (None, d) and key in values
        ]
        return sorted(found, key=lambda point: point[1])

    async def ask(self, type_: str, *pairs: tuple[str, str], **fields: str) -> dict[str, Any]:
        """Return an answer; the key is temp unless `pairs` hold others."""
        keys = () if any(name == "key" for name, _ in pairs) else (("key", "temp"),)
        given = [*keys, *pairs, ("datasource_id", str(self.schema.id)), *fields.items()]
        spec, at = query_spec(type_, given, 5000)
        body = await self.service.body(spec, self.lab.principal, at)
        answer: dict[str, Any] = msgspec.json.decode(body.content)
        return answer

    def window(self, type_: str, **fields: str) -> Window:
        """Return the window that an answer is about."""
        pairs = {"key": "temp", "datasource_id": str(self.schema.id), **fields}
        spec, _ = query_spec(type_, pairs.items(), 5000)
        return lay_out(resolve(spec, zone_of(spec.timezone or "UTC"), self.now, None, 5000))


def random_question(rng: random.Random, now: int) -> dict[str, str]:
    """Return a window of up to six hours, a bucket and perhaps a device."""
    bucket = rng.choice(["20s", "1m", "7m", "15m", "30m", "1h", "2h", "1d", "1w", "1mo", "auto"])
    step_us = rng.choice([1, 60 * SECOND_US, 900 * SECOND_US])
    first, second = sorted(rng.sample(range(6 * HOUR_US), 2))
    from_us = (now - second) // step_us * step_us
    to_us_ = max((now - first) // step_us * step_us, from_us + step_us)
    question = {
        "from": to_rfc3339(from_us),
        "to": to_rfc3339(to_us_),
        "bucket": bucket,
        "timezone": rng.choice(ZONES),
    }
    return question | ({"device": rng.choice(DEVICES)} if rng.random() < 0.4 else {})


async def check_lines(plant: Plant, rng: random.Random) -> None:
    await check_line(plant, random_question(rng, plant.now))


async def check_lines_again(plant: Plant, rng: random.Random) -> None:
    """What was asked before, while readings came, went and were rolled up."""
    plant.asked.append(random_question(rng, plant.now))
    for question in plant.asked[:3]:
        await check_line(plant, question)


async def check_line(plant: Plant, question: dict[str, str]) -> None:
    window = plant.window("line", **question)
    points = plant.points(question.get("device"))
    groups = by_bucket(points, window.starts, window.from_us, window.end_us)
    for agg, reference in AGGREGATES.items():
        answer = await plant.ask("line", agg=agg, **question)
        assert answer["labels"] == [to_rfc3339(start) for start in sorted(groups)]
        expected = [reference([v for _, _, v in groups[start]]) for start in sorted(groups)]
        assert answer["values"] == pytest.approx(expected, rel=1e-9, abs=1e-9), (agg, question)
        if agg == "avg":
            assert answer["min"] == [min(v for *_, v in groups[s]) for s in sorted(groups)]
            assert answer["max"] == [max(v for *_, v in groups[s]) for s in sorted(groups)]


async def check_fills(plant: Plant, rng: random.Random) -> None:
    """Gaps, also one at the begin, which is filled from the bucket before the window."""
    question = random_question(rng, plant.now)
    window = plant.window("line", **question)
    points = plant.points(question.get("device"))
    agg = rng.choice(list(AGGREGATES))
    buckets = by_bucket(points, window.starts, window.from_us, window.end_us)
    shown = [
        AGGREGATES[agg]([v for *_, v in buckets[start]]) if start in buckets else None
        for start in window.starts
    ]
    before = None
    earlier = [p for p in points if p[1] < window.from_us]
    if earlier:
        start = window.grid.floor(earlier[-1][1])
        stop = window.grid.after(start)
        before = (start, AGGREGATES[agg]([v for _, t, v in earlier if start <= t < stop]))
    for fill in ("null", "previous", "linear"):
        answer = await plant.ask("line", agg=agg, fill=fill, **question)
        assert answer["labels"] == [to_rfc3339(start) for start in window.starts]
        expected = filled(window.starts, shown, fill, before)
        assert [v is None for v in answer["values"]] == [v is None for v in expected]
        numbers = [v for v in answer["values"] if v is not None]
        assert numbers == pytest.approx([v for v in expected if v is not None]), (fill, question)


async def check_series(plant: Plant, rng: random.Random) -> None:
    """Several keys on one line, each device's line of its own."""
    question = random_question(rng, plant.now) | {"fill": "null"}
    window = plant.window("line", **question)
    agg = rng.choice(["avg", "last", "first", "max", "p95"])
    both = [("key", key) for key in KEYS]
    pooled = await plant.ask("line", *both, agg=agg, **question)
    each = await plant.ask("line", *both, agg=agg, group_by="device", **question)
    shown = {(s["key"], s["device"]): s["values"] for s in (*pooled["series"], *each["series"])}
    devices = [question["device"]] if "device" in question else DEVICES
    names = [(key, device) for key in KEYS for device in (None, *devices)]
    assert sorted(shown, key=str) == sorted(names, key=str)
    for key, device in names:
        points = plant.points(device or question.get("device"), key)
        groups = by_bucket(points, window.starts, window.from_us, window.end_us)
        for start, value in zip(window.starts, shown[key, device], strict=True):
            values = [v for *_, v in groups.get(start, ())]
            expected = pytest.approx(AGGREGATES[agg](values)) if values else None
            assert value == expected, (key, device, agg, question)


async def check_picked(plant: Plant, rng: random.Random) -> None:
    """Points that LTTB and min-max pick are readings, and the telling ones among them."""
    question = random_question(rng, plant.now)
    device = question.get("device")
    window = plant.window("line", **question)
    instants: dict[int, list[float]] = defaultdict(list)
    for _, ts_us, value in plant.points(device):
        if window.from_us <= ts_us < window.end_us:
            instants[ts_us].append(value)
    readings = {ts_us: sum(values) / len(values) for ts_us, values in instants.items()}
    for how, most in (("lttb", rng.randrange(3, 60)), ("minmax", rng.randrange(2, 60))):
        answer = await plant.ask("line", downsample=how, points=str(most), **question)
        picked = {
            to_us(datetime.fromisoformat(label)): value
            for label, value in zip(answer["labels"], answer["values"], strict=True)
        }
        assert answer["labels"] == sorted(answer["labels"])
        assert len(picked) == len(answer["labels"]) <= most
        assert picked.items() <= {t: pytest.approx(v) for t, v in readings.items()}.items() or all(
            readings[t] == pytest.approx(v) for t, v in picked.items()
        )
        if len(readings) <= most:
            assert len(picked) == len(readings)
        elif how == "lttb":
            assert {min(readings), max(readings)} <= picked.keys()
        else:
            assert {min(readings.values()), max(readings.values())} <= set(picked.values())


async def check_counters(plant: Plant, rng: random.Random) -> None:
    question = random_question(rng, plant.now)
    window = plant.window("line", **question)
    steps = {p: (r, s) for p, r, s in rises(plant.points(question.get("device")))}
    groups = by_bucket(steps, window.starts, window.from_us, window.end_us)
    delta, rate = [], []
    for start in sorted(groups):
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for point in groups[start]:
            sums[point[0]][0] += steps[point][0]
            sums[point[0]][1] += steps[point][1]
        delta.append(sum(rise for rise, _ in sums.values()))
        rate.append(sum(rise / seconds for rise, seconds in sums.values()))
    for agg, expected in (("delta", delta), ("rate", rate)):
        answer = await plant.ask("line", agg=agg, **question)
        assert answer["values"] == pytest.approx(expected, rel=1e-6, abs=1e-6), (agg, question)


async def check_devices(plant: Plant, rng: random.Random) -> None:
    question = random_question(rng, plant.now)
    window = plant.window("bar", group_by="device", **question)
    points = plant.points(question.get("device"))
    inside = [p for p in points if window.from_us <= p[1] < window.end_us]
    devices = sorted({device for device, _, _ in inside})
    for agg, reference in AGGREGATES.items():
        answer = await plant.ask("bar", agg=agg, group_by="device", **question)
        assert answer["labels"] == devices
        expected = [reference([v for d, _, v in inside if d == name]) for name in devices]
        assert answer["values"] == pytest.approx(expected), (agg, question)


async def check_single(plant: Plant, rng: random.Random) -> None:
    question = random_question(rng, plant.now)
    points = plant.points(question.get("device"))
    window = plant.window("single", agg="sum", **question)
    inside = [p for p in points if window.from_us <= p[1] < window.end_us]
    answer = await plant.ask("single", agg="sum", **question)
    assert answer["value"] == (pytest.approx(sum(v for *_, v in inside)) if inside else None)
    assert answer["ts"] == (to_rfc3339(inside[-1][1]) if inside else None)

    device = {"device": question["device"]} if "device" in question else {}
    for at_us in (plant.now, plant.now - rng.randrange(6 * HOUR_US)):
        seen = [p for p in points if p[1] <= at_us]
        answer = await plant.ask("single", at=to_rfc3339(at_us), **device)
        assert answer["value"] == (seen[-1][2] if seen else None)
        assert answer["previous"] == (seen[-2][2] if len(seen) > 1 else None)


CHECKS = (
    check_lines,
    check_lines_again,
    check_fills,
    check_series,
    check_picked,
    check_counters,
    check_devices,
    check_single,
)


def moments() -> list[object]:
    """Now, where the rollups' mark moves, and long ago around clock changes, where all is late."""
    changes = [(i, to_us(datetime(*c, tzinfo=UTC))) for i, c in enumerate(CLOCK_CHANGES)]
    present = [pytest.param(seed, None, id=f"now-{seed}") for seed in range(3)]
    return [*present, *(pytest.param(i, us, id=to_rfc3339(us)[:10]) for i, us in changes)]


@pytest.mark.parametrize(("seed", "now"), moments())
def test_every_answer_is_that_of_the_raw_readings(
    database_url: str, seed: int, now: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 2:  # as of many devices: their newest is looked up where it was written
        monkeypatch.setattr("widgets.run.FEW_STREAMS", 0)

    async def run() -> None:
        rng = random.Random(seed)
        async with open_lab(database_url) as lab:
            schema = await lab.datasource(dict.fromkeys(KEYS, "number"), DEVICES)
            plant = Plant(lab, schema, now or now_us() + HOUR_US)
            for round_ in range(ROUNDS):
                plant.write(rng, rng.randrange(1, 120))
                if rng.random() < 0.3:
                    await plant.delete(rng)
                if rng.random() < 0.5:
                    # Marks move on with the rounds, so that some hours are closed by aggregation
                    # and some by late entries.
                    await lab.roll_up(plant.now - HOUR_US + round_ * 300 * SECOND_US)
                for check in CHECKS:
                    await check(plant, rng)

    asyncio.run(run())


def test_rollups_answer_for_closed_hours(database_url: str) -> None:
    """A reading changed behind the rollups' back shows that the answer came from them."""

    async def run() -> None:
        async with open_lab(database_url) as lab:
            schema = await lab.datasource({"temp": "number"})
            end_us = (now_us() - HOUR_US) // HOUR_US * HOUR_US
            stamps = [end_us - HOUR_US + i * 10 * SECOND_US for i in range(360)]
            lab.put(schema, [("", ts_us, {"temp": 1.0}) for ts_us in stamps])
            await lab.roll_up(now_us())
            async with lab.ground.pool.everyone() as conn:
                await conn.execute("UPDATE readings SET v0 = 5")
            plant = Plant(lab, schema, now_us())
            hour = {"from": to_rfc3339(end_us - HOUR_US), "to": to_rfc3339(end_us)}
            for bucket in ("1m", "5m", "15m", "1h"):
                answer = await plant.ask("line", agg="max", bucket=bucket, **hour)
                assert set(answer["values"]) == {1.0}, bucket  # type: ignore[call-overload]
            for agg in ("first", "last"):
                told = await plant.ask("line", agg=agg, bucket="15m", **hour)
                assert set(told["values"]) == {1.0}, agg  # type: ignore[call-overload]
            raw = await plant.ask("line", agg="max", bucket="30s", **hour)
            assert set(raw["values"]) == {5.0}  # type: ignore[call-overload]

    asyncio.run(run())
