"""Load (a): JSON batches of 5,000 readings over 4 connections, against raw COPY by two backends."""

from statistics import median

from tests.bench import plant
from tests.bench.copying import Copying, prepare
from tests.bench.home import Home, ingest_load
from tests.bench.options import Options
from tests.bench.process import together
from tests.bench.report import Ratio, Table, millions
from tests.bench.usage import Used
from tests.support.server import Datasource

CONNECTIONS = 4
BACKENDS = 2
LIMIT_S = 60.0
GOAL = 0.35
WARM_BATCHES = 8


def measure(home: Home, options: Options) -> Table:
    """Alternate COPY, flat and `values` batches; return medians."""
    made = home.plant_datasource("batches")
    streams, columns = home.slots(made)
    count = options.batches
    copied: list[float] = []
    sent: dict[str, list[float]] = {"flat": [], "values": []}
    table = Table(
        "JSON batches: values/s, durable at the answer",
        ["", "values/s", "of COPY", "p50", "p99", "generator CPU", "server CPU", "database CPU"]
        + ["server peak"],
    )
    last: dict[str, list[str]] = {}
    _send(home, made, "flat", WARM_BATCHES)
    for _ in range(options.rounds):
        copied.append(copy_batches(home, streams, columns, count))
        for shape, found in sent.items():
            rate, cells = _send(home, made, shape, count)
            found.append(rate)
            last[shape] = cells
    batches = 1 + WARM_BATCHES + options.rounds * count * (1 + len(sent))
    _check(home, streams, batches * plant.BATCH_READINGS)
    reference = median(copied)
    table.add("COPY, two backends", millions(reference), "1.00", *[""] * 6)
    ratios = {shape: Ratio(found, copied) for shape, found in sent.items()}
    for shape, found in sent.items():
        table.add(f"JSON, {shape}", millions(median(found)), str(ratios[shape]), *last[shape])
    table.notes = [
        f"{options.rounds} alternating rounds of {count} batches, {plant.DEVICES} devices x "
        f"{len(plant.KEYS)} keys; medians (ratios round by round), the other columns of the last "
        f"round. Flat against COPY: {ratios['flat'].against(GOAL)}.",
    ]
    return table


def _check(home: Home, streams: list[int], expected: int) -> None:
    """Raise AssertionError unless every reading that was answered or copied is there."""
    query = "SELECT count(*) FROM readings WHERE stream_id = ANY (%s)"
    stored = home.rows(query, streams)[0][0]
    assert stored == expected, f"{stored} readings are stored, not {expected}"


def copy_batches(
    home: Home, streams: list[int], columns: list[int], count: int, absent: float = 0.0
) -> float:
    """Return values/s of two backends that share the batches."""
    share = count // BACKENDS
    first_ms = plant.now_ms()
    specs = [
        Copying(
            home.database_url, streams, columns, first_ms + n * share * plant.STEPS, share, absent
        )
        for n in range(BACKENDS)
    ]
    seconds = together(prepare, specs, LIMIT_S)
    return share * BACKENDS * plant.BATCH_VALUES / max(seconds)


def _send(home: Home, made: Datasource, shape: str, count: int) -> tuple[float, list[str]]:
    """Return values/s and the other cells of the table."""
    load = ingest_load(
        home,
        made,
        connections=CONNECTIONS,
        limit_s=LIMIT_S,
        make=plant.json_bodies,
        arguments={"shape": shape, "first_ms": plant.now_ms(), "count": count},
    )
    outcome, server, database = home.play(load)
    outcome.only(200)
    rate = outcome.per_second * plant.BATCH_VALUES
    return rate, [
        f"{outcome.latency_ms(50):.0f} ms",
        f"{outcome.latency_ms(99):.0f} ms",
        f"{outcome.cpu_s:.1f} s",
        *usage_cells(server, database),
    ]


def usage_cells(server: Used, database: Used | None) -> list[str]:
    """Return the CPU of server and database, and the server's peak memory."""
    return [
        f"{server.cpu_s:.1f} s",
        f"{database.cpu_s:.1f} s" if database else "?",
        f"{server.peak_mib:.0f} MiB",
    ]
