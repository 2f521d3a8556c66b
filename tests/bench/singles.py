"""Load (b): one reading a request over 64 connections, against InfluxDB's /write."""

from statistics import median

from tests.bench import influx, plant
from tests.bench.batches import usage_cells
from tests.bench.generator import Load, Outcome, prepare, requests
from tests.bench.home import PROCESS_GRACE_S, Home, ingest_load
from tests.bench.options import Options
from tests.bench.process import alone
from tests.bench.report import Ratio, Table
from tests.bench.usage import Meter, Used
from tests.support.server import Datasource

CONNECTIONS = 64
WARM_S = 1.0
GOAL = 0.5

Round = tuple[Outcome, Used, Used | None]
"""A load's outcome, and what server and database used."""


def measure(home: Home, options: Options) -> Table:
    """Alternate InfluxDB and Twinfeed; return medians."""
    table = Table(
        "Single readings, 64 connections, durable at the answer",
        ["", "requests/s", "of InfluxDB", "p50", "p99", "generator CPU", "server CPU"]
        + ["database CPU", "server peak"],
    )
    made = home.plant_datasource("singles")
    if influx.version() is None:
        table.notes.append("InfluxDB: skipped, Debian's package `influxdb` is not installed.")
        _alternate(table, home, made, options, None)
    else:
        with influx.running() as (port, pid):
            _alternate(table, home, made, options, (port, pid))
        table.notes.append(
            f"InfluxDB {influx.version()} as Debian packages it (an fsync of its log before each "
            "answer), request log off; the same readings, a point a request."
        )
    return table


def _alternate(
    table: Table, home: Home, made: Datasource, options: Options, peer: tuple[int, int] | None
) -> None:
    ours: list[Round] = []
    theirs: list[Round] = []
    _send(home, made, WARM_S)
    for _ in range(options.rounds):
        if peer:
            theirs.append(_send_influx(*peer, options.seconds))
        ours.append(_send(home, made, options.seconds))
    if peer:
        table.add("InfluxDB", *_cells(theirs, "1.00"))
    shown = ""
    if peer:
        ratio = Ratio([o.per_second for o, _, _ in ours], [o.per_second for o, _, _ in theirs])
        shown = str(ratio)
        table.notes.append(f"Against InfluxDB: {ratio.against(GOAL)}.")
    table.add("Twinfeed", *_cells(ours, shown))
    table.notes.append(
        f"{options.rounds} alternating rounds of {options.seconds:.0f} s, medians; "
        f"{len(plant.KEYS)} keys a reading, {plant.DEVICES} devices in turn."
    )


def _cells(rounds: list[Round], ratio: str) -> list[str]:
    outcome, server, database = rounds[-1]
    return [
        f"{median(o.per_second for o, _, _ in rounds):,.0f}",
        ratio,
        f"{median(o.latency_ms(50) for o, _, _ in rounds):.1f} ms",
        f"{median(o.latency_ms(99) for o, _, _ in rounds):.1f} ms",
        f"{outcome.cpu_s:.1f} s",
        *usage_cells(server, database),
    ]


def _send(home: Home, made: Datasource, seconds: float) -> Round:
    load = ingest_load(
        home,
        made,
        connections=CONNECTIONS,
        limit_s=seconds,
        make=plant.single_bodies,
        endless=True,
    )
    outcome, server, database = home.play(load)
    return outcome.only(200), server, database


def _send_influx(port: int, pid: int, seconds: float) -> Round:
    load = Load(port, CONNECTIONS, seconds, influx_requests, endless=True)
    meter = Meter(pid)
    meter.begin()
    outcome = alone(prepare, load, seconds + PROCESS_GRACE_S)
    return outcome.only(204), meter.end(), None


def influx_requests() -> list[bytes]:
    """Return a /write of a point for every device."""
    return requests(influx.PATH, {}, plant.single_lines())
