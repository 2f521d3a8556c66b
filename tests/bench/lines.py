"""Line protocol, batches of 5,000 lines over 4 connections, against InfluxDB's /write."""

from collections.abc import Iterator
from statistics import median

from tests.bench import influx, plant
from tests.bench.batches import CONNECTIONS, LIMIT_S, WARM_BATCHES, usage_cells
from tests.bench.generator import Load, Outcome, prepare, requests
from tests.bench.home import PROCESS_GRACE_S, Home
from tests.bench.options import Options
from tests.bench.process import alone
from tests.bench.report import Ratio, Table, millions
from tests.bench.usage import Meter, Used
from tests.support.server import Datasource

GOAL = 1.5
PATH = "/write?db=bench&precision=ms"

Round = tuple[Outcome, Used, Used | None]


def measure(home: Home, options: Options) -> Table:
    """Alternate InfluxDB and Twinfeed; return medians."""
    table = Table(
        "Line protocol batches: values/s, durable at the answer",
        ["", "values/s", "of InfluxDB", "p50", "p99", "generator CPU", "server CPU"]
        + ["database CPU", "server peak"],
    )
    made = home.server.datasource("lines")
    _send(home, made, WARM_BATCHES)
    if influx.version() is None:
        table.notes.append("InfluxDB: skipped, Debian's package `influxdb` is not installed.")
        table.add("Twinfeed", *_cells([_send(home, made, options.batches)], ""))
        return table
    ours: list[Round] = []
    theirs: list[Round] = []
    with influx.running() as (port, pid):
        for _ in range(options.rounds):
            theirs.append(_send_influx(port, pid, options.batches))
            ours.append(_send(home, made, options.batches))
    _check(home, made, (WARM_BATCHES + options.rounds * options.batches) * plant.BATCH_READINGS)
    ratio = Ratio([o.per_second for o, _, _ in ours], [o.per_second for o, _, _ in theirs])
    table.add("InfluxDB", *_cells(theirs, "1.00"))
    table.add("Twinfeed", *_cells(ours, str(ratio)))
    table.notes = [
        f"{options.rounds} alternating rounds of {options.batches} batches, {plant.DEVICES} devices x "
        f"{len(plant.KEYS)} keys, times in ms; medians, CPU and peak of the last round. "
        f"Against InfluxDB {influx.version()}: {ratio.against(GOAL)}.",
    ]
    return table


def _check(home: Home, made: Datasource, expected: int) -> None:
    """Raise AssertionError unless every line that was answered is there."""
    query = (
        "SELECT count(*) FROM readings r JOIN streams s USING (stream_id)"
        " JOIN datasources d USING (datasource_no) WHERE d.id = %s"
    )
    stored = home.rows(query, made.id)[0][0]
    assert stored == expected, f"{stored} readings are stored, not {expected}"


def line_requests(headers: dict[str, str], first_ms: int, count: int) -> Iterator[bytes]:
    """Return writes of `count` batches, from `first_ms` on."""
    return iter(requests(PATH, headers, plant.line_bodies(first_ms, count)))


def _send(home: Home, made: Datasource, count: int) -> Round:
    outcome, server, database = home.play(
        _load(home.port, {"Authorization": f"Token {made.key}"}, count)
    )
    return outcome.only(204), server, database


def _send_influx(port: int, pid: int, count: int) -> Round:
    meter = Meter(pid)
    meter.begin()
    outcome = alone(prepare, _load(port, {}, count), LIMIT_S + PROCESS_GRACE_S)
    return outcome.only(204), meter.end(), None


def _load(port: int, headers: dict[str, str], count: int) -> Load:
    arguments = {"headers": headers, "first_ms": plant.now_ms(), "count": count}
    return Load(port, CONNECTIONS, LIMIT_S, line_requests, arguments)


def _cells(rounds: list[Round], ratio: str) -> list[str]:
    outcome, server, database = rounds[-1]
    return [
        millions(median(o.per_second for o, _, _ in rounds) * plant.BATCH_VALUES),
        ratio,
        f"{median(o.latency_ms(50) for o, _, _ in rounds):.0f} ms",
        f"{median(o.latency_ms(99) for o, _, _ in rounds):.0f} ms",
        f"{outcome.cpu_s:.1f} s",
        *usage_cells(server, database),
    ]
