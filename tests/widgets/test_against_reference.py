"""Answers from the database against answers worked out in plain Python, over random readings.

Rollups are refreshed between the writes, and readings arrive late, twice and overwritten: at every
moment the answer must be that of the raw readings.
"""

import asyncio
import random
from collections import defaultdict

import msgspec
import pytest

from tests.widgets.lab import Lab, open_lab
from tests.widgets.reference import AGGREGATES, Point, by_bucket, rises
from twin.clock import SECOND_US, now_us, to_rfc3339
from twin.schema import DatasourceSchema
from widgets.service import WidgetService
from widgets.spec import query_spec, zone_of
from widgets.window import Window, lay_out, resolve

HOUR_US = 3600 * SECOND_US
DEVICES = ("a", "b", "c")
ROUNDS = 12


class Plant:
    """A datasource and what was written to it."""

    def __init__(self, lab: Lab, schema: DatasourceSchema, now: int) -> None:
        self.lab = lab
        self.schema = schema
        self.now = now
        self.service = WidgetService(lab.ground)
        self.values: dict[tuple[str, int], float] = {}

    def write(self, rng: random.Random, count: int) -> None:
        """Write readings of the last six hours, distinct in time, some over existing ones."""
        readings = []
        for _ in range(count):
            device = rng.choice(DEVICES)
            ts_us = self.now - rng.randrange(6 * HOUR_US)
            if self.values and rng.random() < 0.1:
                device, ts_us = rng.choice(list(self.values))
            value = round(rng.uniform(-50, 100), 3)
            self.values[device, ts_us] = value
            readings.append((device, ts_us, {"temp": value}))
        self.lab.put(self.schema, readings)

    def points(self, device: str | None) -> list[Point]:
        """Return what a widget of a device, or of all, is about."""
        return [(d, t, v) for (d, t), v in self.values.items() if device in (None, d)]

    async def ask(self, type_: str, **fields: str) -> dict[str, object]:
        """Return an answer, with the key and datasource filled in."""
        pairs = {"key": "temp", "datasource_id": str(self.schema.id), **fields}
        spec, at = query_spec(type_, pairs.items(), 5000)
        body = await self.service.body(spec, self.lab.principal, at)
        answer: dict[str, object] = msgspec.json.decode(body.content)
        return answer

    def window(self, type_: str, **fields: str) -> Window:
        """Return the window that an answer is about."""
        pairs = {"key": "temp", "datasource_id": str(self.schema.id), **fields}
        spec, _ = query_spec(type_, pairs.items(), 5000)
        return lay_out(resolve(spec, zone_of(spec.timezone or "UTC"), self.now, None, 5000))


def random_question(rng: random.Random, now: int) -> dict[str, str]:
    """Return a window of up to six hours, a bucket and perhaps a device."""
    bucket = rng.choice(["20s", "1m", "7m", "15m", "30m", "1h", "2h", "1d", "auto"])
    step_us = rng.choice([1, 60 * SECOND_US, 900 * SECOND_US])
    first, second = sorted(rng.sample(range(6 * HOUR_US), 2))
    from_us = (now - second) // step_us * step_us
    to_us = max((now - first) // step_us * step_us, from_us + step_us)
    zone = rng.choice(["UTC", "Asia/Kathmandu", "Europe/Berlin"])
    question = {
        "from": to_rfc3339(from_us),
        "to": to_rfc3339(to_us),
        "bucket": bucket,
        "timezone": zone,
    }
    return question | ({"device": rng.choice(DEVICES)} if rng.random() < 0.4 else {})


async def check_lines(plant: Plant, rng: random.Random) -> None:
    question = random_question(rng, plant.now)
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
    inside = [
        p
        for p in sorted(plant.points(question.get("device")), key=lambda p: p[1])
        if window.from_us <= p[1] < window.end_us
    ]
    devices = sorted({device for device, _, _ in inside})
    for agg in ("avg", "last", "p95"):
        answer = await plant.ask("bar", agg=agg, group_by="device", **question)
        assert answer["labels"] == devices
        expected = [AGGREGATES[agg]([v for d, _, v in inside if d == name]) for name in devices]
        assert answer["values"] == pytest.approx(expected), (agg, question)


async def check_single(plant: Plant, rng: random.Random) -> None:
    question = random_question(rng, plant.now)
    points = sorted(plant.points(question.get("device")), key=lambda p: p[1])
    window = plant.window("single", agg="sum", **question)
    inside = [p for p in points if window.from_us <= p[1] < window.end_us]
    answer = await plant.ask("single", agg="sum", **question)
    assert answer["value"] == (pytest.approx(sum(v for *_, v in inside)) if inside else None)
    assert answer["ts"] == (to_rfc3339(inside[-1][1]) if inside else None)

    at_us = plant.now - rng.randrange(6 * HOUR_US)
    seen = [p for p in points if p[1] <= at_us]
    device = {"device": question["device"]} if "device" in question else {}
    answer = await plant.ask("single", at=to_rfc3339(at_us), **device)
    assert answer["value"] == (seen[-1][2] if seen else None)
    assert answer["previous"] == (seen[-2][2] if len(seen) > 1 else None)


@pytest.mark.parametrize("seed", range(4))
def test_every_answer_is_that_of_the_raw_readings(database_url: str, seed: int) -> None:
    async def run() -> None:
        rng = random.Random(seed)
        async with open_lab(database_url) as lab:
            schema = await lab.datasource({"temp": "number"}, DEVICES)
            plant = Plant(lab, schema, now_us() + HOUR_US)
            for round_ in range(ROUNDS):
                plant.write(rng, rng.randrange(1, 120))
                if rng.random() < 0.5:
                    # Marks move on with the rounds, so that some hours are closed by aggregation
                    # and some by late entries.
                    await lab.roll_up(plant.now - HOUR_US + round_ * 300 * SECOND_US)
                for check in (check_lines, check_counters, check_devices, check_single):
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
            async with lab.ground.pool.connection() as conn:
                await conn.execute("UPDATE readings SET v0 = 5")
            plant = Plant(lab, schema, now_us())
            hour = {"from": to_rfc3339(end_us - HOUR_US), "to": to_rfc3339(end_us)}
            for bucket in ("1m", "5m", "15m", "1h"):
                answer = await plant.ask("line", agg="max", bucket=bucket, **hour)
                assert set(answer["values"]) == {1.0}, bucket  # type: ignore[call-overload]
            raw = await plant.ask("line", agg="max", bucket="30s", **hour)
            assert set(raw["values"]) == {5.0}  # type: ignore[call-overload]

    asyncio.run(run())
