"""Background jobs: repeated, exclusive where asked, stopped at once, never fatal."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from twin.ground import Ground
from twin.jobs import Job, run_once, running, session
from twin.metrics import JOB_RUNS


@pytest.fixture
def ground(database_url: str) -> Ground:
    """As much of it as jobs use."""
    return cast(Ground, SimpleNamespace(database_url=database_url))


async def within(seconds: float, awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, seconds)


def runs(job: str, outcome: str) -> float:
    return JOB_RUNS.labels(job, outcome)._value.get()  # type: ignore[no-any-return]


def test_a_job_runs_again_and_again_also_after_it_raised(ground: Ground) -> None:
    async def story() -> None:
        third = asyncio.Event()
        count = 0

        async def work(_: Ground) -> None:
            nonlocal count
            count += 1
            if count == 3:
                third.set()
            raise ValueError("one bad run")

        async with running(ground, [Job("raises", 0.01, work, exclusive=False)]):
            await within(5, third.wait())

    before = runs("raises", "failed")
    asyncio.run(story())
    assert runs("raises", "failed") >= before + 2


def test_leaving_stops_a_job_in_the_middle_of_a_query(ground: Ground) -> None:
    async def story() -> None:
        started = asyncio.Event()

        async def work(ground: Ground) -> None:
            async with session(ground, "test") as conn:
                started.set()
                await conn.execute("SELECT pg_sleep(60)")

        async with running(ground, [Job("sleeps", 0.01, work)]):
            await within(5, started.wait())

    asyncio.run(within(5, story()))


def test_an_exclusive_job_runs_once_at_a_time(ground: Ground) -> None:
    async def story() -> None:
        entered, leave = asyncio.Event(), asyncio.Event()

        async def work(_: Ground) -> None:
            entered.set()
            await leave.wait()

        job = Job("alone", 60, work)
        first = asyncio.create_task(run_once(ground, job))
        await within(5, entered.wait())
        assert not await run_once(ground, job)
        assert not await run_once(ground, Job("alone", 60, work))
        leave.set()
        assert await within(5, first)
        assert await run_once(ground, job)

    asyncio.run(story())


def test_jobs_go_on_after_the_database_cut_their_sessions(ground: Ground) -> None:
    async def story() -> None:
        count = 0
        ran = asyncio.Event()

        async def work(ground: Ground) -> None:
            nonlocal count
            async with session(ground, "test") as conn:
                count += 1
                if count == 1:
                    await conn.execute("SELECT pg_sleep(60)")
                ran.set()

        async with running(ground, [Job("restarted", 0.01, work)]):
            with psycopg.connect(ground.database_url, autocommit=True) as admin:
                while not ran.is_set():
                    admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                        " AND query LIKE '%pg_sleep%'"
                    )
                    await asyncio.sleep(0.02)

    before = runs("restarted", "failed")
    asyncio.run(within(10, story()))
    assert runs("restarted", "failed") == before + 1
