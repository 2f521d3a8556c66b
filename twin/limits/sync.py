"""Tells other hosts what this one has counted, and takes theirs over: once a second, by one worker.

Each host writes the whole count of a window, not what was added, so a repeated write changes nothing.
"""

from datetime import timedelta

from twin.clock import now_us
from twin.db.pool import AsyncPool
from twin.db.queries import load
from twin.limits.counters import Counters, Moved
from twin.versions import Versions

SYNC_INTERVAL_S = 1.0
"""How late another host knows: what it admits meanwhile is how far a limit may be passed."""
KEEP_S = 60
"""Counts of windows that ended this long ago are deleted: clocks of hosts differ a little."""
_OVERLAP = timedelta(seconds=10)
"""Read again each time: a transaction that was open at the last look shows its rows later."""
_SQL = load("twin", "limits")


class LimitSync:
    """The syncing of one worker; only the host's leading one does it."""

    def __init__(self, pool: AsyncPool, counters: Counters, versions: Versions) -> None:
        """Exchange `counters` through `pool` under the host's name."""
        self._pool = pool
        self._counters = counters
        self._host = int(versions.host, 16) >> 1
        self._since: object = None
        self._swept_s = 0

    async def run(self) -> None:
        """Send what moved here, take over what moved elsewhere."""
        if not self._counters.lead():
            return
        now = now_us()
        now_s = now // 1_000_000
        moved = self._counters.unsent(now_s)
        async with self._pool.everyone() as conn:
            if moved:
                values = {
                    "host": self._host,
                    "subjects": [m.subject for m in moved],
                    "starts": [m.starts_at for m in moved],
                    "ends": [m.ends_at for m in moved],
                    "used": [m.used for m in moved],
                }
                await conn.execute(_SQL["send_counts"], values)
            asked = {"host": self._host, "since": self._since, "now_s": now_s}
            row = await (await conn.execute(_SQL["clock"])).fetchone()
            found = await (await conn.execute(_SQL["counts_elsewhere"], asked)).fetchall()
            if now_s - self._swept_s >= KEEP_S:
                await conn.execute(_SQL["forget_counts"], [now_s - KEEP_S])
                self._swept_s = now_s
        for each in moved:
            self._counters.mark_sent(each)
        for subject, starts_at, ends_at, used in found:
            self._counters.take_over(Moved(subject, starts_at, ends_at, int(used)), now)
        self._since = row[0] - _OVERLAP if row else None
