"""A writer: one thread, one connection, one transaction at a time.

Invariant: every request it took is answered exactly once, committed or with its own error. A request
that the database refuses is found by halving the batch, so only its own sender sees the error. All
retries are safe: a reading stored twice is the same reading.
"""

import threading
import time
from collections.abc import Callable, Sequence

import psycopg
import structlog

from ingest import arrays
from ingest.assemble import assemble
from ingest.block import Pending, blocks_of
from ingest.buffer import Buffer
from ingest.transaction import Merging, commit_batch
from twin import metrics
from twin.batch import BatchHook
from twin.db.capabilities import Capabilities
from twin.db.errors import is_away, translate
from twin.db.partitions import Partitions
from twin.db.pool import Connection, conninfo
from twin.db.queries import load
from twin.errors import TwinfeedError
from twin.schema import SchemaDirectory

MAX_ATTEMPTS = 8
"""Tries of one batch against collisions, deadlocks and missing partitions before it is halved."""
LOCK_TIMEOUT_MS = 20_000
"""A table locked for longer counts as the database being away: 503, not a request that hangs."""
COLLIDING_S = 60.0
"""How long a datasource that sent a time again stays on the merging path."""

log = structlog.get_logger("ingest.writer")

Answer = Callable[[list[Pending], TwinfeedError | None], None]


class Collisions:
    """The datasources that lately sent a time again, shared by a worker's writers."""

    def __init__(self) -> None:
        """Start with none."""
        self._until: dict[int, float] = {}

    def add(self, no: int) -> None:
        """Put a datasource on the merging path for a while."""
        self._until[no] = time.monotonic() + COLLIDING_S

    def among(self, datasource_nos: set[int]) -> set[int]:
        """Return which of these are on the merging path."""
        now = time.monotonic()
        return {no for no in datasource_nos if self._until.get(no, 0.0) > now}


class Writer(threading.Thread):
    """Takes from the buffer, commits, answers."""

    def __init__(
        self,
        name: str,
        url: str,
        capabilities: Capabilities,
        buffer: Buffer,
        partitions: Partitions,
        collisions: Collisions,
        schemas: SchemaDirectory,
        hooks: Sequence[BatchHook],
        answer: Answer,
    ) -> None:
        """Write to the database at `url`; `answer(requests, error)` is called from this thread."""
        super().__init__(name=name, daemon=True)
        # Plans must use the index whatever the statistics of the small staging table say.
        options = {
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
            "lock_timeout": f"{LOCK_TIMEOUT_MS}ms",
        }
        if capabilities.community:
            # Else an overwrite of more rows than the limit fails in a chunk of the columnstore.
            options["timescaledb.max_tuples_decompressed_per_dml_transaction"] = "0"
        self._conninfo = conninfo(url, application="twinfeed writer", **options)
        self._merging = Merging(capabilities)
        self._makes_partitions = not capabilities.hypertables
        self._buffer = buffer
        self._partitions = partitions
        self._collisions = collisions
        self._schemas = schemas
        self._hooks = hooks
        self._answer = answer
        self._conn: Connection | None = None

    def run(self) -> None:
        """Work until the buffer is closed and empty."""
        while (taken := self._buffer.take()) is not None:
            try:
                self._write(taken)
            except Exception as exc:  # a bug of ours must not leave requests without an answer
                log.exception("writer failed")
                self._disconnect()
                self._answer(taken, translate(exc))
            finally:
                self._buffer.done()
        self._disconnect()

    def _write(self, requests: list[Pending]) -> None:
        """Commit requests, each answered by the time this returns."""
        waiting = [r for r in requests if not r.done.cancelled()]
        if not waiting:
            return
        try:
            self._commit(waiting)
        except (psycopg.Error, TwinfeedError) as exc:
            if isinstance(exc, psycopg.Error) and (is_away(exc) or self._is_broken()):
                log.warning("database away", reason=type(exc).__name__)
                self._disconnect()
                self._answer(waiting, translate(exc))
            elif len(waiting) == 1:
                log.warning("request refused by the database", reason=type(exc).__name__)
                own = exc if isinstance(exc, TwinfeedError) else translate(exc)
                self._answer(waiting, own)
            else:
                half = len(waiting) // 2
                self._write(waiting[:half])
                self._write(waiting[half:])
            return
        self._answer(waiting, None)

    def _commit(self, requests: list[Pending]) -> None:
        blocks = list(blocks_of([r.block for r in requests]))
        batch = assemble(blocks)
        slots: dict[int, set[int]] = {}
        for block in blocks:
            slots.setdefault(block.datasource_no, set()).update(block.slots)
        conn = self._connect()
        for attempt in range(MAX_ATTEMPTS):
            colliding = self._collisions.among(set(slots))
            if attempt >= MAX_ATTEMPTS // 2:
                colliding = set(slots)  # too many collide to find them one by one
            try:
                if self._makes_partitions:
                    self._partitions.ensure(conn, batch.rows.ts_us)
                started = time.perf_counter()
                outcome = commit_batch(
                    conn, batch, slots, colliding, self._merging, self._hooks, _on_hook_error
                )
            except psycopg.errors.UniqueViolation as exc:
                self._blame(exc, set(slots))
            except psycopg.errors.DeadlockDetected:
                time.sleep(0.005 * attempt)
            except psycopg.errors.CheckViolation:
                # Retention dropped the partition after we had seen it.
                self._partitions.forget()
                if not self._makes_partitions or attempt == MAX_ATTEMPTS - 1:
                    raise
            else:
                for done in outcome.after_commit:
                    done()
                metrics.committed(outcome.rows, outcome.new_readings, time.perf_counter() - started)
                return
        raise psycopg.errors.DeadlockDetected("gave up")

    def _blame(self, exc: psycopg.errors.UniqueViolation, nos: set[int]) -> None:
        """Put the datasource of the colliding stream on the merging path; unsure: all of them."""
        detail = exc.diag.message_detail or ""
        _, _, rest = detail.partition("=(")
        stream = rest.split(",")[0].strip()
        for no in nos:
            schema = self._schemas.by_no(no)
            if stream.isdigit() and schema is not None and int(stream) in schema.streams:
                self._collisions.add(no)
                return
        for no in nos:
            self._collisions.add(no)

    def _connect(self) -> Connection:
        if self._conn is None:
            self._conn = psycopg.connect(self._conninfo, autocommit=True)
            self._conn.execute(load("ingest", "writer")["make_staging"])
            arrays.register(self._conn)
        return self._conn

    def _is_broken(self) -> bool:
        return self._conn is not None and self._conn.closed

    def _disconnect(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None


def _on_hook_error(exc: Exception) -> None:
    log.error("batch hook failed", exc_info=exc)
    metrics.HOOK_ERRORS.inc()
