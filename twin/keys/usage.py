"""How often and when each management key was used: gathered in memory, written in bulk.

A request only counts in its worker's memory; a job writes every few seconds, and once more at the end.
A worker that is killed loses what it had not written.
"""

from twin.clock import now_us, to_datetime
from twin.db.pool import AsyncPool
from twin.db.queries import load

FLUSH_INTERVAL_S = 5.0


class KeyUsage:
    """What one worker has seen since it last wrote."""

    def __init__(self, pool: AsyncPool) -> None:
        """Write through `pool`."""
        self._pool = pool
        self._seen: dict[str, tuple[int, int]] = {}

    def note(self, key_id: str) -> None:
        """Count a request made with a key."""
        self._seen[key_id] = (self._seen.get(key_id, (0, 0))[0] + 1, now_us())

    async def flush(self) -> None:
        """Write what was seen; what cannot be written is kept for the next time."""
        seen, self._seen = self._seen, {}
        if not seen:
            return
        keys = sorted(seen)  # in one order everywhere: two workers must not wait for each other
        values = {
            "keys": keys,
            "counts": [seen[key][0] for key in keys],
            "times": [to_datetime(seen[key][1]) for key in keys],
        }
        try:
            async with self._pool.everyone() as conn:
                await conn.execute(load("twin", "management")["add_usage"], values)
        except BaseException:
            for key, (count, last_us) in seen.items():
                more, later_us = self._seen.get(key, (0, 0))
                self._seen[key] = (count + more, max(last_us, later_us))
            raise
