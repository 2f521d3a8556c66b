"""What is typed for `twinfeed export`."""

import sys
from pathlib import Path
from typing import Any

import click

FORMATS = {"csv": "csv", "parquet": "parquet", "arrow": "arrow", "arrows": "arrow"}
"""Ending of a file's name → format."""


@click.command("export")
@click.option(
    "--url", required=True, help="The datasource's URL: …/v1/datasources/ID or …/ingest/ID."
)
@click.option(
    "--key", required=True, envvar="TWINFEED_KEY", help="A management key, or $TWINFEED_KEY."
)
@click.option("--output", "-o", default="-", help="The file to write; - is stdout [-].")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "parquet", "arrow"]),
    help="[by the file's ending, else csv]",
)
@click.option("--from", "from_", help="Readings from this time on [the first].")
@click.option("--to", help="Readings before this time [the last].")
@click.option("--keys", help="Keys, divided by commas [all].")
@click.option("--device", help="One device [all].")
def export_command(url: str, key: str, output: str, format_: str | None, **query: Any) -> None:
    """Write a datasource's readings to a file or stdout, as CSV, Parquet or Arrow."""
    form = format_ or FORMATS.get(Path(output).suffix.removeprefix(".").lower(), "csv")
    if output == "-" and form != "csv" and sys.stdout.isatty():
        raise click.UsageError(f"A terminal cannot show {form}: give --output FILE.")
    params = {name.rstrip("_"): value for name, value in query.items() if value is not None}
    from twin.exporter.download import download  # only this needs an HTTP client

    sys.exit(download(url, key, {"format": form, **params}, output))
