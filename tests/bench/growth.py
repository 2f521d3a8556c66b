"""Whether ingest slows down with what is stored, 100 M values against 1 M, and with 100,000 streams."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime

from tests.bench import plant
from tests.bench.batches import CONNECTIONS, LIMIT_S
from tests.bench.contest import Contender, Round, alternate, measured, table
from tests.bench.home import Home, ingest_load, opened
from tests.bench.report import Ratio, Table, millions
from tests.support.server import Datasource

WARM_BATCHES = 8
FILL_ROWS = 1_000_000
"""Rows of a filling statement."""
STORED = (1_000_000, 100_000_000)
STREAMS = (1_000, 100_000)
STORED_GOAL, STREAMS_GOAL = 0.9, 0.7
NEVER_S = "86400"
"""What is filled in at once would be rolled up at once, and vacuumed, while ingest is measured: in life
both happen as it comes in."""
_FILL = """
INSERT INTO readings (stream_id, ts, {columns})
SELECT s, at, {values}
  FROM generate_series(%s::timestamptz, %s::timestamptz, interval '1 second') AS at,
       unnest(%s::int[]) AS s
"""


def stored(workers: int, rounds: int, *, quick: bool) -> Table:
    """Two databases that differ by what they hold, written to in turn."""
    few, many = (STORED[0] // 10, STORED[0]) if quick else STORED
    with ExitStack() as stack:
        contenders = []
        for held in (few, many):
            home = stack.enter_context(opened(None, workers, 2, rollup_interval_s=NEVER_S))
            made = home.plant_datasource("growth")
            fill(home, made, held)
            send = _sender(home, made, plant.DEVICES, 16 if quick else 80)
            send()
            contenders.append(Contender(f"{held / 1e6:g} M values stored", send))
        alternate(contenders, rounds)
    return _compared("JSON batches by what is stored", contenders, STORED_GOAL, rounds)


def streams(workers: int, rounds: int, *, quick: bool) -> Table:
    """Two datasources that differ by their devices, written to in turn."""
    few, many = (STREAMS[0], STREAMS[0] * 5) if quick else STREAMS
    with opened(None, workers, 2) as home:
        contenders = []
        for devices in (few, many):
            made = home.server.datasource(f"{devices} devices")
            # Once round all of them: what is measured is not how devices are learned.
            _sender(home, made, devices, max(WARM_BATCHES, devices // plant.BATCH_READINGS))()
            send = _sender(home, made, devices, 16 if quick else 80)
            contenders.append(Contender(f"{devices:,} streams", send))
        alternate(contenders, rounds)
    return _compared("JSON batches by streams", contenders, STREAMS_GOAL, rounds)


def fill(home: Home, made: Datasource, held: int) -> None:
    """Store `held` values as ingest would have: a reading a second of every device, until now.

    Straight into `readings`, second by second, every device in turn; totals and rollups are left alone.
    """
    ids, columns = home.slots(made)
    seconds = held // plant.BATCH_VALUES * plant.STEPS
    statement = _FILL.format(
        columns=", ".join(f"v{c}" for c in columns),
        values=", ".join("round((60 + 10 * random())::numeric, 2)::float8" for _ in columns),
    )
    chunk_s = FILL_ROWS // plant.DEVICES
    end_s = plant.now_ms() // 1000 - 60
    for first_s in range(end_s - seconds, end_s, chunk_s):
        last_s = min(first_s + chunk_s, end_s) - 1
        home.run(statement, _time(first_s), _time(last_s), ids)
    home.run("VACUUM (ANALYZE) readings")
    home.run("CHECKPOINT")


def _time(at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def _sender(home: Home, made: Datasource, devices: int, count: int) -> Callable[[], Round]:
    def send() -> Round:
        load = ingest_load(
            home,
            made,
            connections=CONNECTIONS,
            limit_s=LIMIT_S,
            make=plant.spread_bodies,
            arguments={"devices": devices, "first_ms": plant.now_ms(), "count": count},
        )
        outcome, server, database = home.play(load)
        return measured(outcome.only(200), server, database, plant.BATCH_VALUES)

    return send


def _compared(title: str, contenders: list[Contender], goal: float, rounds: int) -> Table:
    few, many = contenders
    shown = table(title, "values/s", contenders, [few.name], millions)
    ratio = Ratio(many.rates, few.rates)
    shown.notes = [f"{rounds} alternating rounds; {many.name}: {ratio.against(goal)}."]
    return shown
