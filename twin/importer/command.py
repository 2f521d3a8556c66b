"""The command: progress, summary, exit code. CSV goes in batches after a first pass, the rest whole."""

import time
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from twin.importer.batches import Fault, batches, survey
from twin.importer.errors import ImportFailed
from twin.importer.kinds import Kind
from twin.importer.layout import Layout, find_layout
from twin.importer.sender import Outcome, Sender
from twin.importer.table import Table
from twin.importer.whole import WORKBOOK, media_type, send_whole

SHOWN_FAULTS = 10


class _Totals:
    """The sums of all batches and the first faults."""

    def __init__(self) -> None:
        self.rows = self.accepted = self.rejected = self.expected = 0
        self.faults: list[Fault] = []
        self.failure: str | None = None
        self.place = "line"
        """What the places of faults are."""

    def add(self, rows: int, outcome: Outcome) -> None:
        """Take in a batch that was answered."""
        self.rows += rows
        self.accepted += outcome.accepted
        self.rejected += outcome.rejected
        self.faults += outcome.faults[: SHOWN_FAULTS - len(self.faults)]


def import_file(
    file: Path,
    *,
    url: str,
    key: str,
    time_column: str | None = None,
    device_column: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    batch: int = 5000,
) -> int:
    """Send a CSV, xlsx, Parquet or Arrow file and print a summary; return 1 when a row was not stored.

    A time without offset is sent as it is: the server takes the datasource's time zone.
    """
    started = time.monotonic()
    totals = _Totals()
    console = Console(stderr=True)
    try:
        with Sender(url, key, notice=partial(_tell, console)) as sender:
            media = media_type(file)
            if sheet is not None and media != WORKBOOK:
                raise ImportFailed("Only a workbook has sheets.")
            if media is not None:
                if delimiter is not None:
                    raise ImportFailed("Only a CSV file has a delimiter.")
                totals.place = "data row"
                given = {"time_column": time_column, "device_column": device_column, "sheet": sheet}
                options = {name: value for name, value in given.items() if value is not None}
                outcome = send_whole(file, media, sender, options, console)
                totals.add(outcome.accepted + outcome.rejected, outcome)
            else:
                table = Table(file, delimiter)
                layout = find_layout(table.header, time_column, device_column)
                _send_rows(table, layout, sender, totals, batch, console)
    except ImportFailed as exc:
        totals.failure = str(exc)
    except KeyboardInterrupt:
        totals.failure = "Stopped by Ctrl-C."
    return _summary(file, totals, time.monotonic() - started)


def _send_rows(
    table: Table, layout: Layout, sender: Sender, totals: _Totals, batch: int, console: Console
) -> None:
    with _progress(console) as progress:
        reading = progress.add_task("reading", total=None)
        found = survey(table.records(), layout)
        totals.expected = found.rows
        progress.remove_task(reading)
        _tell(console, _described(layout, table.header, found.kinds))
        sending = progress.add_task("sending", total=found.rows)
        for part in batches(table.records(), layout, found.kinds, batch):
            totals.add(part.rows, sender.send(part))
            progress.advance(sending, part.rows)


def _tell(console: Console, text: str) -> None:
    # Above the bar, and as it is: names and messages may hold what rich takes for markup.
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _described(layout: Layout, header: list[str], kinds: dict[str, Kind]) -> str:
    """Return what was made of the columns, so that a wrong guess is seen."""
    lines = [f"time: {header[layout.time]}"]
    if layout.device is not None:
        lines.append(f"device: {header[layout.device]}")
    for kind in ("number", "boolean", "text"):
        names = [key for key in layout.keys if kinds[key] == kind]
        if names:
            lines.append(f"{kind}: {', '.join(names)}")
    if layout.unnamed:
        places = ", ".join(str(place + 1) for place in layout.unnamed)
        lines.append(f"left out, without a name: column {places}")
    return "\n".join(lines)


def _summary(file: Path, totals: _Totals, seconds: float) -> int:
    for fault in totals.faults:
        click.echo(f"{totals.place} {fault.line}: {fault.message}", err=True)
    if totals.rejected > len(totals.faults):
        click.echo(f"… {totals.rejected:,} rows were rejected in all.", err=True)
    if totals.failure:
        click.echo(f"twinfeed: {totals.failure}", err=True)
        if totals.expected > totals.rows:
            click.echo(
                f"{totals.expected - totals.rows:,} rows were not answered for; "
                "importing the file again is safe.",
                err=True,
            )
    rate = totals.rows / seconds if seconds > 0 else 0.0
    click.echo(
        f"{file.name}: {totals.rows:,} rows, {totals.accepted:,} accepted, "
        f"{totals.rejected:,} rejected in {seconds:.1f} s ({rate:,.0f} rows/s)"
    )
    return 1 if totals.rejected or totals.failure else 0
