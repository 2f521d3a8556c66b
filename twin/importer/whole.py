"""A workbook, Parquet or Arrow file, sent as it is: the ingestion URL reads them, dates and all."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from twin.importer.sender import Outcome, Sender

WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BEGINNINGS = {
    b"PK\x03\x04": WORKBOOK,  # of a zip archive, which a workbook is
    b"PAR1": "application/vnd.apache.parquet",
    b"\xff\xff\xff\xff": "application/vnd.apache.arrow.stream",
}
_PIECE_BYTES = 64 * 2**10


def media_type(path: Path) -> str | None:
    """Return what a file is that is sent as it is; None for text."""
    with path.open("rb") as file:
        return _BEGINNINGS.get(file.read(4))


def send_whole(
    path: Path, media: str, sender: Sender, options: dict[str, str], console: Console
) -> Outcome:
    """Send a file, showing how far it is; `options` are those of the URL. Raises ImportFailed."""
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

        headers = {"Content-Type": media, "Content-Length": str(size)}
        return sender.send_file(pieces, headers, options)
