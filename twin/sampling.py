"""Samples what has no moment of its own: memory, processor time, connections, the outbox.

Each worker samples itself; prometheus-client adds the workers up.
"""

import psutil
import psycopg
import psycopg_pool

from twin import metrics
from twin.db.queries import load
from twin.ground import Ground
from twin.jobs import Job

INTERVAL_S = 5.0
"""A third of the time between two visits of a Prometheus with its defaults."""


class Sampler:
    """The figures of one worker process."""

    def __init__(self) -> None:
        """Look at this process."""
        self._process = psutil.Process()
        self._cpu_s = 0.0
        self._sql = load("twin", "sampling")

    async def sample(self, ground: Ground) -> None:
        """Set every gauge once. A database that is away is a figure, not an error."""
        self._sample_process()
        _sample_pool(ground.pool.pop_stats())
        metrics.LISTENER_CONNECTED.set(ground.notifier.connected)
        try:
            async with ground.pool.everyone() as conn:
                row = await (await conn.execute(self._sql["database"])).fetchone()
        except (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests):
            metrics.DATABASE_UP.set(0)
            return
        assert row is not None
        metrics.DATABASE_UP.set(1)
        metrics.DATABASE_STARTED.set(row[0])
        metrics.ALERT_OUTBOX.set(row[1])
        metrics.ALERT_OPEN_CIRCUITS.set(row[2])

    def _sample_process(self) -> None:
        with self._process.oneshot():
            metrics.RESIDENT_BYTES.set(self._process.memory_info().rss)
            times = self._process.cpu_times()
        spent_s = times.user + times.system
        metrics.CPU_SECONDS.inc(max(0.0, spent_s - self._cpu_s))
        self._cpu_s = spent_s
        metrics.WORKERS.set(1)


def _sample_pool(stats: dict[str, int]) -> None:
    """Take psycopg_pool's figures; its counters are those since the last sample."""
    metrics.POOL_CONNECTIONS.set(stats.get("pool_size", 0))
    metrics.POOL_IDLE.set(stats.get("pool_available", 0))
    metrics.POOL_WAITING.set(stats.get("requests_waiting", 0))
    metrics.POOL_WAIT_SECONDS.inc(stats.get("requests_wait_ms", 0) / 1000)
    metrics.POOL_ERRORS.inc(stats.get("requests_errors", 0))


def sampling_job() -> Job:
    """Return the job that samples this worker."""
    return Job("sample", INTERVAL_S, Sampler().sample, exclusive=False)
