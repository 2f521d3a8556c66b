"""The command: first pass, batches with a progress bar, summary, exit code."""

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

SHOWN_FAULTS = 10


class _Totals:
    """The sums of all batches and the first faults."""

    def __init__(self) -> None:
        self.rows = self.accepted = self.rejected = 0
        self.faults: list[Fault] = []
        self.failure: str | None = None

    def add(self, rows: int, outcome: Outcome) -> None:
        """Take in a batch that was answered."""
        self.rows += rows
        self.accepted += outcome.accepted
        self.rejected += outcome.rejected
        self.faults += outcome.faults[: SHOWN_FAULTS - len(self.faults)]


def import_csv(
    file: Path,
    *,
    url: str,
    key: str,
    time_column: str | None = None,
    device_column: str | None = None,
    delimiter: str | None = None,
    batch: int = 5000,
) -> int:
    """Send a CSV file's rows and print a summary; return 1 when a row was not stored, else 0.

    A time without offset is sent as it is: the server takes the datasource's time zone.
    """
    started = time.monotonic()
    totals, expected = _Totals(), 0
    console = Console(stderr=True)
    try:
        table = Table(file, delimiter)
        layout = find_layout(table.header, time_column, device_column)
        with (
            _progress(console) as progress,
            Sender(url, key, notice=partial(_tell, progress.console)) as sender,
        ):
            reading = progress.add_task("reading", total=None)
            found = survey(table.records(), layout)
            expected = found.rows
            progress.remove_task(reading)
            _tell(progress.console, _described(layout, table.header, found.kinds))
            sending = progress.add_task("sending", total=found.rows)
            for part in batches(table.records(), layout, found.kinds, batch):
                totals.add(part.rows, sender.send(part))
                progress.advance(sending, part.rows)
    except ImportFailed as exc:
        totals.failure = str(exc)
    except KeyboardInterrupt:
        totals.failure = "Stopped by Ctrl-C."
    return _summary(file, totals, expected, time.monotonic() - started)


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


def _summary(file: Path, totals: _Totals, expected: int, seconds: float) -> int:
    for fault in totals.faults:
        click.echo(f"line {fault.line}: {fault.message}", err=True)
    if totals.rejected > len(totals.faults):
        click.echo(f"… {totals.rejected:,} rows were rejected in all.", err=True)
    if totals.failure:
        click.echo(f"twinfeed: {totals.failure}", err=True)
        if expected > totals.rows:
            click.echo(
                f"{expected - totals.rows:,} rows were not answered for; "
                "importing the file again is safe.",
                err=True,
            )
    rate = totals.rows / seconds if seconds > 0 else 0.0
    click.echo(
        f"{file.name}: {totals.rows:,} rows, {totals.accepted:,} accepted, "
        f"{totals.rejected:,} rejected in {seconds:.1f} s ({rate:,.0f} rows/s)"
    )
    return 1 if totals.rejected or totals.failure else 0
