"""A worker that meets a datasource with many states judges at once, and loads them all beside it."""

import asyncio
import threading
import time

import pytest
from support.plant import Plant
from support.telling import on_plant

from alerts import keeper
from alerts.hook import AlertHook

HOT, COOL = {"temperature": 90.0}, {"temperature": 20.0}
DEVICES = [f"pump-{number}" for number in range(6)]


def test_batches_are_judged_while_the_states_are_loaded(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load = threading.Event()
    load = keeper.Keeper._load

    def waiting(self: keeper.Keeper, no: int) -> None:
        assert may_load.wait(60)
        load(self, no)

    monkeypatch.setattr(keeper.Keeper, "_load", waiting)
    monkeypatch.setattr(keeper, "FEW", 3)

    async def check(plant: Plant) -> None:
        await plant.add_rule("greater_than", 80)
        await plant.add_rule("greater_than", 85, device="pump-1", for_seconds=10)
        await plant.send(*((device, 0, HOT) for device in DEVICES))
        told = len(await plant.told())
        other = AlertHook(plant.ground, lambda: None)
        no = plant.schema.no
        await plant.send(("pump-0", 1, HOT), ("pump-1", 10, HOT), through=other)
        await plant.send(("pump-2", 2, COOL), ("new", 2, HOT), through=other)
        await plant.send(("pump-2", 3, HOT), through=other)
        assert sorted((await plant.told())[told:], key=lambda t: (t[1], t[0])) == [
            ("new", 2, "firing"),
            ("pump-2", 2, "normal"),
            ("pump-2", 3, "firing"),
            ("pump-1", 10, "firing"),
        ]
        assert other.keeper._held.get(no) is None
        may_load.set()
        await until_loaded(other, no)
        await plant.send(("pump-3", 11, HOT), ("pump-4", 11, COOL), through=other)
        await plant.send(("pump-5", 12, COOL))  # through the worker that held them all
        await plant.send(("pump-5", 13, HOT), through=other)
        ends = [("pump-4", 11, "normal"), ("pump-5", 12, "normal"), ("pump-5", 13, "firing")]
        assert (await plant.told())[told + 4 :] == ends

    on_plant(database_url, check)


async def until_loaded(hook: AlertHook, no: int) -> None:
    deadline = time.monotonic() + 60
    while not hook.keeper._held.get(no):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
