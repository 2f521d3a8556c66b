"""Background jobs: each runs again and again beside the requests, and never ends the process.

Invariant: an exclusive job runs on one process at a time. A session of its own holds its advisory
lock while it runs, so a killed process or a restarted database frees it.
"""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec
import structlog

from twin.db.errors import is_away
from twin.db.pool import AsyncConnection, conninfo
from twin.ground import Ground
from twin.metrics import JOB_RUNS, JOB_SECONDS
from twin.tasks import end

JITTER = 0.1
"""A pause varies by this share, so that workers started together do not stay in step."""
FIRST_PAUSE_S = 2.0
"""Most time before the first run: a start is busy enough."""

_log = structlog.get_logger(__name__)


class Job(msgspec.Struct, frozen=True):
    """Something to do every `interval_s` seconds, counted from the end of the run before.

    `run` opens what it needs and bounds its own steps; it may raise, and is cancelled at a stop.
    """

    name: str
    interval_s: float
    run: Callable[[Ground], Awaitable[None]]
    exclusive: bool = True

    @property
    def lock_key(self) -> int:
        """The advisory lock of an exclusive job, made from its name."""
        digest = hashlib.sha256(f"twinfeed job {self.name}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


@asynccontextmanager
async def running(ground: Ground, jobs: Sequence[Job]) -> AsyncIterator[None]:
    """Run the jobs in the background of the block; leaving it cancels them and waits for that."""
    tasks = [asyncio.create_task(_repeat(ground, job), name=f"job {job.name}") for job in jobs]
    try:
        yield
    finally:
        await end(*tasks)


async def run_once(ground: Ground, job: Job) -> bool:
    """Run a job now. Returns False when another process is at it. Raises what the job raises."""
    if not job.exclusive:
        await job.run(ground)
        return True
    async with session(ground, f"lock {job.name}") as conn:
        cursor = await conn.execute("SELECT pg_try_advisory_lock(%s)", [job.lock_key])
        row = await cursor.fetchone()
        if row is None or not row[0]:
            return False
        await job.run(ground)
        return True


@asynccontextmanager
async def session(ground: Ground, name: str, **options: str) -> AsyncIterator[AsyncConnection]:
    """Open an autocommit connection of a job's own, with no statement_timeout, for the block.

    The driver's own context manager leaves it open when cancelled while it ends its transaction.
    """
    info = conninfo(ground.database_url, application=f"twinfeed {name}", **options)
    conn = await AsyncConnection.connect(info, autocommit=True)
    try:
        yield conn
    finally:
        await conn.close()


async def _repeat(ground: Ground, job: Job) -> None:
    pause_s = random.uniform(0, min(FIRST_PAUSE_S, job.interval_s))  # noqa: S311
    while True:
        await asyncio.sleep(pause_s)
        JOB_RUNS.labels(job.name, await _outcome(ground, job)).inc()
        pause_s = job.interval_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311


async def _outcome(ground: Ground, job: Job) -> str:
    try:
        with JOB_SECONDS.labels(job.name).time():
            ran = await run_once(ground, job)
    except Exception as exc:
        if is_away(exc):
            _log.warning("job_database_away", job=job.name)
        else:
            _log.exception("job_failed", job=job.name)
        return "failed"
    return "done" if ran else "elsewhere"
