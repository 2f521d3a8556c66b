"""An xlsx workbook, sent as it is: the ingestion URL reads workbooks, dates and all."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from twin.importer.sender import Outcome, Sender

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BEGINNING = b"PK\x03\x04"
"""Of a zip archive, which a workbook is."""
_PIECE_BYTES = 64 * 2**10


def is_workbook(path: Path) -> bool:
    """Return whether a file is a workbook rather than text."""
    with path.open("rb") as file:
        return file.read(len(_BEGINNING)) == _BEGINNING


def send_workbook(path: Path, sender: Sender, options: dict[str, str], console: Console) -> Outcome:
    """Send a workbook, showing how far it is; `options` are those of the URL. Raises ImportFailed."""
    size = path.stat().st_size
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("sending", total=size)

        def pieces() -> Iterator[bytes]:
            progress.update(task, description="sending", completed=0, total=size)
            with path.open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    yield piece
                    progress.advance(task, len(piece))
            progress.update(task, description="the server is reading and storing it", total=None)

        headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(size)}
        return sender.send_file(pieces, headers, options)
