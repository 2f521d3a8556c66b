"""Load (x): ten million values read out as one Parquet file, to a client that takes what comes."""

import io
import time

import psycopg
import pyarrow.parquet as pq

from tests.bench import history, plant
from tests.bench.home import Home
from tests.bench.options import Options
from tests.bench.report import Table, millions
from twin.db.pool import conninfo

GOAL_VALUES_PER_S = 2_000_000
GOAL_MIB = 400
CHUNK_S = 100


def measure(home: Home, options: Options) -> Table:
    """Store a reading a second of every device, and export them; return the table."""
    made = home.plant_datasource("exports")
    streams, columns = home.slots(made)
    seconds = options.export_values // (plant.DEVICES * len(plant.KEYS))
    end_s = int(time.time()) - history.HOUR_S
    with psycopg.connect(conninfo(home.database_url), autocommit=True) as conn:
        for at_s in range(end_s - seconds, end_s, CHUNK_S):
            history.put(conn, columns, streams, at_s, min(at_s + CHUNK_S, end_s), 1)
        conn.execute(b"VACUUM ANALYZE readings")
    table = Table(
        f"Export of {options.export_values / 1e6:.0f} M values as Parquet",
        ["", "values/s", "goal", "server peak", "goal", "file"],
    )
    for round_ in range(options.rounds):
        values, took_s, size = _export(home, made.id, end_s - seconds, end_s)
        assert values == options.export_values, f"{values} values came"
        table.add(
            f"round {round_ + 1}",
            millions(values / took_s),
            f">= {millions(GOAL_VALUES_PER_S)}",
            f"{home.meter.end().peak_mib:.0f} MiB",
            f"< {GOAL_MIB} MiB",
            f"{size / 2**20:.0f} MiB",
        )
    return table


def _export(home: Home, datasource_id: str, from_s: int, to_s: int) -> tuple[int, float, int]:
    """Return how many values came, in how many seconds, and the bytes of the file."""
    path = f"/v1/datasources/{datasource_id}/export"
    asked = {"format": "parquet", "from": str(from_s * 1000), "to": str(to_s * 1000)}
    file = io.BytesIO()
    home.meter.begin()
    began = time.perf_counter()
    with home.server.client.stream("GET", path, params=asked, headers=home.server.auth) as answer:
        assert answer.status_code == 200, answer.read()
        for part in answer.iter_bytes():
            file.write(part)
    took_s = time.perf_counter() - began
    table = pq.read_table(file)
    held = sum(len(table[key]) - table[key].null_count for key in plant.KEYS)
    return held, took_s, file.tell()
