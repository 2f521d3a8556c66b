"""`make bench`: measures a server on one or more databases and prints tables."""

from dataclasses import replace

import click

from tests.bench import (
    batches,
    exports,
    facts,
    influx,
    limits,
    lines,
    pictures,
    polls,
    rules,
    singles,
    storms,
    webhooks,
    widgets,
)
from tests.bench.home import opened
from tests.bench.options import FULL, QUICK

LOADS = {
    "batches": batches.measure,
    "lines": lines.measure,
    "singles": singles.measure,
    "polls": polls.measure,
    "webhooks": webhooks.measure,
    "storms": storms.measure,
    "limits": limits.measure,
    "rules": rules.measure,
    "widgets": widgets.measure,
    "exports": exports.measure,
    "pictures": pictures.measure,
}
MAX_RULES = 100_000
ROLLUP_INTERVAL_S = 5
NEED_ROLLUPS = ("polls", "widgets")


@click.command()
@click.option("--quick", is_flag=True, help="One short round: to see that it works.")
@click.option("--rounds", type=click.IntRange(1, 20), help="Alternating rounds (default 3).")
@click.option("--database-url", "urls", multiple=True, help="Superuser URL; repeat for several.")
@click.option("--workers", default=1, show_default=True)
@click.option("--writers", default=2, show_default=True, help="Writer connections per worker.")
@click.option("--only", "names", multiple=True, type=click.Choice(list(LOADS)))
def main(
    quick: bool,
    rounds: int | None,
    urls: tuple[str, ...],
    workers: int,
    writers: int,
    names: tuple[str, ...],
) -> None:
    """Measure throughput and latency; without --database-url on the embedded PostgreSQL."""
    options = QUICK if quick else FULL
    if rounds:
        options = replace(options, rounds=rounds)
    click.echo("## Machine\n")
    for name, value in facts.machine().items():
        click.echo(f"- {name}: {value}")
    click.echo(f"- InfluxDB: {influx.version() or 'not installed'}")
    for url in urls or (None,):
        shown = ""
        for name in names or LOADS:
            # A database of its own for each load: none pays for another's rows.
            settings = {"max_rules": str(MAX_RULES)}
            if name in NEED_ROLLUPS:
                settings["rollup_interval_s"] = str(ROLLUP_INTERVAL_S)
            with opened(url, workers, writers, **settings) as home:
                if not shown:
                    shown = facts.database(home) + ("" if url else ", embedded")
                    click.echo(f"\n## {shown}; {workers} worker(s), {writers} writers each\n")
                click.echo(LOADS[name](home, options).render())


if __name__ == "__main__":
    main()
