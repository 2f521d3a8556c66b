"""Tasks that are ended, whatever becomes of a cancellation."""

import asyncio

import pytest

from twin import tasks


def test_a_task_that_loses_a_cancellation_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_S", 0.01)
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    async def failing() -> None:
        raise ValueError

    async def run() -> None:
        made = [asyncio.create_task(one()) for one in (deaf, failing)]
        await asyncio.sleep(0)
        await tasks.end(*made)
        assert all(task.done() for task in made)

    asyncio.run(run())
    assert lost == 3
