"""The reference for batches: binary COPY of prepared frames, a transaction a batch."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tests.bench import plant
from twin.db.pool import conninfo


@dataclass
class Copying:
    """What one backend copies into `readings`."""

    database_url: str
    stream_ids: list[int]
    columns: list[int]
    first_ms: int
    batches: int
    absent: float = 0.0


def prepare(spec: Copying) -> Callable[[], float]:
    """Connect and encode; return what copies, durably, and gives the seconds it took."""
    conn = psycopg.connect(conninfo(spec.database_url, application="bench copy"), autocommit=True)
    columns = sorted(spec.columns)
    statement = sql.SQL("COPY readings (stream_id, ts, {}) FROM STDIN (FORMAT BINARY)").format(
        sql.SQL(", ").join(sql.Identifier(f"v{column}") for column in columns)
    )
    frames = list(
        plant.copy_frames(spec.stream_ids, spec.columns, spec.first_ms, spec.batches, spec.absent)
    )

    def copy_all() -> float:
        began = time.perf_counter()
        for frame in frames:
            with conn.cursor().copy(statement) as copy:
                copy.write(frame)
        seconds = time.perf_counter() - began
        conn.close()
        return seconds

    return copy_all
