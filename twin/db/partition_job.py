"""The job that makes the next days' partitions ahead of time, where TimescaleDB does not."""

import asyncio

import psycopg

from twin.clock import now_us
from twin.db.partitions import make_ahead
from twin.db.pool import conninfo
from twin.ground import Ground
from twin.jobs import Job

INTERVAL_S = 3600.0


def partition_job() -> Job:
    """Return the job."""
    return Job("partitions", INTERVAL_S, _run)


async def _run(ground: Ground) -> None:
    await asyncio.to_thread(_make, ground)


def _make(ground: Ground) -> None:
    info = conninfo(ground.database_url, application="twinfeed partitions")
    with psycopg.connect(info, autocommit=True) as conn:
        make_ahead(conn, ground.settings.max_partitions, now_us())
