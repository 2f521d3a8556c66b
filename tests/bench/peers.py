"""`make bench-peers`: the same readings into Twinfeed and its peers, and by raw COPY, in one run."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import click

from tests.bench import facts, growth, influx, plant, victoria
from tests.bench.batches import CONNECTIONS, LIMIT_S, copy_batches
from tests.bench.contest import Contender, Round, alternate, measured, table
from tests.bench.files import files
from tests.bench.generator import Load, Outcome, prepare, requests
from tests.bench.home import PROCESS_GRACE_S, Home, ingest_load, opened
from tests.bench.process import alone
from tests.bench.report import Table, millions
from tests.bench.singles import CONNECTIONS as SINGLES_CONNECTIONS
from tests.bench.usage import Meter, Used
from tests.support.server import Datasource

ABSENT = 0.3
WARM_BATCHES = 8
WARM_S = 1.0
SINGLES_S = 4.0
COPY, INFLUX, VICTORIA = "COPY, two backends", "InfluxDB", "VictoriaMetrics"
REFERENCES = (COPY, INFLUX, VICTORIA)


class Peer:
    """A running InfluxDB or VictoriaMetrics, both of which take line protocol."""

    def __init__(self, name: str, path: str, port: int, pid: int) -> None:
        """Write to `path` at `port`."""
        self.name = name
        self._path, self._port, self._meter = path, port, Meter(pid)

    def batches(self, count: int, absent: float) -> Round:
        """Send batches of lines."""
        arguments = {"first_ms": plant.now_ms(), "count": count, "absent": absent}
        outcome, used = self._play(CONNECTIONS, LIMIT_S, plant.line_bodies, arguments)
        return measured(outcome, used, None, held_values(absent))

    def singles(self, seconds: float) -> Round:
        """Send points one by one."""
        outcome, used = self._play(SINGLES_CONNECTIONS, seconds, plant.single_lines, {}, True)
        return measured(outcome, used, None, 1)

    def _play(
        self,
        connections: int,
        limit_s: float,
        make: Callable[..., object],
        arguments: dict[str, object],
        endless: bool = False,
    ) -> tuple[Outcome, Used]:
        precision = "" if endless else "precision=ms"
        path = self._path + ("&" if "?" in self._path else "?") + precision
        sent = {"path": path, "headers": {}, "make": make, "with_": arguments}
        load = Load(self._port, connections, limit_s, peer_requests, sent, endless)
        self._meter.begin()
        outcome = alone(prepare, load, limit_s + PROCESS_GRACE_S)
        return outcome.only(204), self._meter.end()


def peer_requests(
    path: str,
    headers: dict[str, str],
    make: Callable[..., Iterator[bytes]],
    with_: dict[str, object],
) -> list[bytes]:
    """Return POSTs of the bodies that `make(**with_)` gives."""
    return requests(path, headers, make(**with_))


def held_values(absent: float) -> float:
    """Return how many values a batch holds, on average of the templates."""
    seeds = range(plant.TEMPLATES)
    held = [
        (~(v != v)).sum() for v in (plant.values(s, plant.BATCH_READINGS, absent) for s in seeds)
    ]
    return float(sum(held)) / len(held)


def send_batches(
    home: Home, made: Datasource, format_: str, count: int, absent: float = 0.0
) -> Round:
    """Send batches to Twinfeed: json, lines or arrow."""
    arguments = {"first_ms": plant.now_ms(), "count": count, "absent": absent}
    if format_ == "lines":
        sent = {
            "path": "/write?db=bench&precision=ms",
            "headers": {"Authorization": f"Token {made.key}"},
            "make": plant.line_bodies,
            "with_": arguments,
        }
        load = Load(home.port, CONNECTIONS, LIMIT_S, peer_requests, sent)
    elif format_ == "arrow":
        load = ingest_load(
            home,
            made,
            connections=CONNECTIONS,
            limit_s=LIMIT_S,
            make=plant.arrow_bodies,
            arguments=arguments,
            content_type="application/vnd.apache.arrow.stream",
        )
    else:
        load = ingest_load(
            home,
            made,
            connections=CONNECTIONS,
            limit_s=LIMIT_S,
            make=plant.json_bodies,
            arguments={"shape": "flat", **arguments},
        )
    outcome, server, database = home.play(load)
    return measured(outcome.only(200, 204), server, database, held_values(absent))


def send_singles(home: Home, made: Datasource, seconds: float) -> Round:
    """Send readings to Twinfeed one by one."""
    load = ingest_load(
        home,
        made,
        connections=SINGLES_CONNECTIONS,
        limit_s=seconds,
        make=plant.single_bodies,
        endless=True,
    )
    outcome, server, database = home.play(load)
    return measured(outcome.only(200), server, database, 1)


@contextmanager
def field(workers: tuple[int, ...]) -> Iterator[tuple[dict[str, Home], list[Peer]]]:
    """Run a Twinfeed per number of workers, and the peers that are installed."""
    with ExitStack() as stack:
        homes = {_name(n): stack.enter_context(opened(None, n, 2)) for n in workers}
        peers = []
        if influx.version():
            peers.append(Peer(INFLUX, influx.PATH, *stack.enter_context(influx.running())))
        if victoria.version():
            peers.append(Peer(VICTORIA, victoria.PATH, *stack.enter_context(victoria.running())))
        yield homes, peers


def _name(workers: int) -> str:
    return f"{workers} worker" + ("s" if workers > 1 else "")


def batches(workers: tuple[int, ...], rounds: int, count: int, absent: float = 0.0) -> Table:
    """Batches of 5,000 readings over 4 connections, in every format."""
    with field(workers) as (homes, peers):
        first = next(iter(homes.values()))
        made = {name: home.plant_datasource("batches") for name, home in homes.items()}
        lines = {name: home.server.datasource("lines") for name, home in homes.items()}
        streams, columns = first.slots(next(iter(made.values())))
        contenders = [
            Contender(
                COPY,
                lambda: Round(
                    copy_batches(first, streams, columns, count, absent)
                    / plant.BATCH_VALUES
                    * held_values(absent)
                ),
            ),
            *[Contender(p.name, lambda p=p: p.batches(count, absent)) for p in peers],  # type: ignore[misc]
        ]
        for name, home in homes.items():
            for format_, target in (("json", made), ("lines", lines), ("arrow", made)):
                where = target[name]
                send_batches(home, where, format_, WARM_BATCHES)

                def play(home: Home = home, where: Datasource = where, f: str = format_) -> Round:
                    return send_batches(home, where, f, count, absent)

                contenders.append(Contender(f"Twinfeed {format_}, {name}", play))
        alternate(contenders, rounds)
    missing = "" if not absent else f"; {absent:.0%} of the values absent"
    shown = table(
        f"Batches of 5,000 readings, 4 connections{missing}",
        "values/s",
        contenders,
        REFERENCES,
        millions,
    )
    shown.notes = [
        f"{rounds} alternating rounds of {count} batches, {plant.DEVICES} devices x "
        f"{len(plant.KEYS)} keys; medians, ratios round by round, CPU of the last round."
    ]
    return shown


def singles(workers: tuple[int, ...], rounds: int, seconds: float) -> Table:
    """One reading a request over 64 connections."""
    with field(workers) as (homes, peers):
        contenders = [
            Contender(p.name, lambda p=p: p.singles(seconds))  # type: ignore[misc]
            for p in peers
        ]
        for name, home in homes.items():
            made = home.plant_datasource("singles")
            send_singles(home, made, WARM_S)

            def play(home: Home = home, made: Datasource = made) -> Round:
                return send_singles(home, made, seconds)

            contenders.append(Contender(f"Twinfeed, {name}", play))
        alternate(contenders, rounds)
    shown = table(
        "Single readings, 64 connections",
        "requests/s",
        contenders,
        REFERENCES,
        lambda rate: f"{rate:,.0f}",
    )
    shown.notes = [
        f"{rounds} alternating rounds of {seconds:.0f} s; {len(plant.KEYS)} keys a reading, "
        f"{plant.DEVICES} devices in turn."
    ]
    return shown


LOADS: dict[str, Callable[[tuple[int, ...], int, bool], Table]] = {
    "batches": lambda w, r, q: batches(w, r, 16 if q else 80),
    "absent": lambda w, r, q: batches(w, r, 16 if q else 80, ABSENT),
    "singles": lambda w, r, q: singles(w, r, 1.0 if q else SINGLES_S),
    "stored": lambda w, r, q: growth.stored(w[0], r, quick=q),
    "streams": lambda w, r, q: growth.streams(w[0], r, quick=q),
    "files": lambda w, _r, q: files(w[0], quick=q),
}
DEFAULT = ("batches", "absent", "singles")
"""The others take minutes each and are asked for by name."""


@click.command()
@click.option("--quick", is_flag=True, help="One short round: to see that it works.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 20))
@click.option("--workers", multiple=True, type=click.IntRange(1, 16), help="Default: 1 and 2.")
@click.option("--only", "names", multiple=True, type=click.Choice(list(LOADS)))
def main(quick: bool, rounds: int, workers: tuple[int, ...], names: tuple[str, ...]) -> None:
    """Measure Twinfeed on its embedded PostgreSQL beside other databases."""
    click.echo("## Machine\n")
    for name, value in facts.machine().items():
        click.echo(f"- {name}: {value}")
    click.echo(f"- InfluxDB: {influx.version() or 'not installed'}; an fsync before each answer")
    click.echo(f"- VictoriaMetrics: {victoria.version() or 'not installed'}; answers from memory\n")
    for name in names or DEFAULT:
        click.echo(LOADS[name](workers or (1, 2), 1 if quick else rounds, quick).render())


if __name__ == "__main__":
    main()
