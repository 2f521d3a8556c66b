"""Native time partitions of `readings`: days from the installation on, UTC months before it.

Invariant: a day belongs to exactly one partition, decided by `partition_of` alone, so processes
that make partitions at the same time make the same ones. A writer calls `ensure` before its batch;
a job makes the next days ahead of time. TimescaleDB makes its own chunks and needs none of this.
"""

import random
import time
from datetime import UTC, date, datetime

import msgspec
import numpy as np
import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from twin.batch import Int64s
from twin.clock import DAY_US, EPOCH, to_datetime
from twin.db.pool import Connection
from twin.db.queries import load
from twin.errors import Invalid

PARTITION_LOCK = int.from_bytes(b"tf.parts", "big")
"""Advisory lock: one process at a time attaches partitions."""
LOCK_TIMEOUT_MS = 1000
"""Attaching waits no longer than this behind other DDL; then it lets go and tries again."""
ATTEMPTS = 10
"""Tries before a writer's batch fails: with the pauses, about ten seconds."""
RETRY_PAUSE_S = 0.1
"""At most; random, so that processes do not meet again."""
PER_TRANSACTION = 16
"""Partitions made at once: each takes a few of the server's shared lock entries."""
DAYS_AHEAD = 2
"""Days kept ready after today: readings may lie a day ahead of the clock."""

_EPOCH_DAY = EPOCH.date().toordinal()
_queries = load("twin", "partitions")


class Partition(msgspec.Struct, frozen=True, order=True):
    """A partition of `readings`: [from_us, to_us), both at midnight UTC."""

    from_us: int
    to_us: int
    name: str


class TooManyPartitions(Invalid):
    """The readings are spread over more time than the database may hold."""

    def __init__(self, days: frozenset[int], max_partitions: int) -> None:
        """Keep the refused days, counted from 1970-01-01, and name the bound."""
        self.days = days
        first = _date_of(min(days))
        super().__init__(
            f"A reading at {first} needs one more time partition than the "
            f"{max_partitions} of TWINFEED_MAX_PARTITIONS."
        )


def partition_of(day: int, daily_from: int) -> Partition:
    """Return the partition of a day. Days are counted from 1970-01-01.

    From `daily_from` on a partition is a day; before it a UTC month, the last one ending there.
    """
    if day >= daily_from:
        return Partition(day * DAY_US, (day + 1) * DAY_US, f"readings_p{_date_of(day):%Y%m%d}")
    first = _date_of(day).replace(day=1)
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return Partition(
        _day_of(first) * DAY_US,
        min(_day_of(following), daily_from) * DAY_US,
        f"readings_p{first:%Y%m}",
    )


class Partitions:
    """The partitions a process knows to exist. Shared by its writer threads."""

    def __init__(self, max_partitions: int) -> None:
        """Start knowing nothing; `max_partitions` bounds those of the whole database."""
        self._max = max_partitions
        self._known: set[int] = set()
        """Days with a partition. Only ever a hint: retention drops partitions behind our back."""

    def ensure(self, conn: Connection, ts_us: Int64s) -> None:
        """Make the partitions that readings at these times need, in transactions of their own.

        `conn` must not be in a transaction. Raises TooManyPartitions, having made none, and
        psycopg.errors.LockNotAvailable when other DDL stays in the way.
        """
        self.ensure_days(conn, np.unique(ts_us // DAY_US).tolist())

    def ensure_days(self, conn: Connection, days: list[int]) -> None:
        """Make the partitions of these days, counted from 1970-01-01. Raises as `ensure` does."""
        missing = [day for day in days if day not in self._known]
        if not missing:
            return
        if conn.info.transaction_status is not TransactionStatus.IDLE:
            raise RuntimeError("partitions are made before the transaction, not in it")
        daily_from = _daily_from(conn)
        wanted = sorted({partition_of(day, daily_from) for day in missing})
        for start in range(0, len(wanted), PER_TRANSACTION):
            self._create(conn, wanted[start : start + PER_TRANSACTION], missing, daily_from)
        self._known.update(missing)

    def forget(self) -> None:
        """Look again at the next batch: an insert found no partition (CheckViolation)."""
        self._known = set()

    def _create(
        self, conn: Connection, group: list[Partition], days: list[int], daily_from: int
    ) -> None:
        for attempt in range(ATTEMPTS):
            try:
                with conn.transaction():
                    self._attach_missing(conn, group, days, daily_from)
                return
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0, RETRY_PAUSE_S))  # noqa: S311

    def _attach_missing(
        self, conn: Connection, group: list[Partition], days: list[int], daily_from: int
    ) -> None:
        conn.execute(_queries["limit_lock_wait"], [f"{LOCK_TIMEOUT_MS}ms"])
        conn.execute(_queries["lock"], [PARTITION_LOCK])
        existing = existing_names(conn)
        missing = [p for p in group if p.name not in existing]
        if len(existing) + len(missing) > self._max and missing:
            names = {p.name for p in missing}
            refused = frozenset(d for d in days if partition_of(d, daily_from).name in names)
            raise TooManyPartitions(refused, self._max)
        for partition in missing:
            _attach(conn, partition)


def existing_names(conn: Connection) -> set[str]:
    """Return the names of the partitions that are attached."""
    return {str(row[0]) for row in conn.execute(_queries["existing"]).fetchall()}


def make_ahead(conn: Connection, max_partitions: int, now_us: int) -> None:
    """Make the partitions of today and the next days. Raises as `Partitions.ensure` does."""
    today = now_us // DAY_US
    Partitions(max_partitions).ensure_days(conn, list(range(today, today + DAYS_AHEAD + 1)))


def _attach(conn: Connection, partition: Partition) -> None:
    """Attaching takes a lock that neither readers nor writers wait for; PARTITION OF would not."""
    name = sql.Identifier(partition.name)
    conn.execute(sql.SQL("CREATE TABLE {} (LIKE readings INCLUDING ALL)").format(name))
    conn.execute(
        sql.SQL("ALTER TABLE readings ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            name,
            sql.Literal(to_datetime(partition.from_us)),
            sql.Literal(to_datetime(partition.to_us)),
        )
    )


def _daily_from(conn: Connection) -> int:
    row = conn.execute(_queries["daily_from"]).fetchone()
    if row is None:
        raise LookupError("readings_partitioning is empty")
    return _day_of(row[0])


def _day_of(day: date) -> int:
    return day.toordinal() - _EPOCH_DAY


def _date_of(day: int) -> datetime:
    return datetime.combine(date.fromordinal(day + _EPOCH_DAY), datetime.min.time(), UTC)
