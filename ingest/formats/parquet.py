"""A Parquet file → columns. Its index is at the end, so the body is whole before it is read.

`parquet_child.py` reads it, in a process of its own, and what it makes is read as an Arrow stream.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from ingest.formats.arrow_stream import ArrowStreamParser
from ingest.formats.part import CHUNK_BYTES, PART_ROWS, Part, Request, Taken
from twin.errors import Invalid, TooLarge, Unreadable

_MARK = b"PAR1"
_CHILD = Path(__file__).with_name("parquet_child.py")
_TIMEOUT_S = 90.0
_TURNS = threading.Semaphore(2)
"""So many processes at once, per worker; the others wait in their threads, which need no turn."""


class ParquetParser:
    """Reads one file."""

    def __init__(self, request: Request) -> None:
        """Begin a body."""
        self._request = request
        self._data = bytearray()
        self._stream = ArrowStreamParser(request, "Parquet file")

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield nothing yet."""
        self._data += data
        yield from ()

    def flush(self) -> Iterator[Part]:
        """Yield nothing: the end of the file says what it holds."""
        yield from ()

    def finish(self) -> Iterator[Part]:
        """Yield the rows. Raises Unreadable, TooLarge, Invalid."""
        if not self._data:
            raise Unreadable("The body is empty: send a Parquet file.")
        if self._data[:4] != _MARK:
            raise Unreadable("The body is not a Parquet file.")
        if self._data[-4:] != _MARK or len(self._data) < 12:
            raise Unreadable("The Parquet file is cut off: its end is missing.")
        output = self._convert()
        try:
            while piece := os.read(output, CHUNK_BYTES):
                yield from self._stream.feed(piece)
            yield from self._stream.finish()
        finally:
            os.close(output)

    def taken(self) -> list[Taken]:
        """Return what each column was taken for."""
        return self._stream.taken()

    def _convert(self) -> int:
        """Return a file in memory that holds the Arrow stream."""
        source, output = os.memfd_create("parquet"), os.memfd_create("arrow")
        try:
            with open(source, "wb", closefd=False) as file:
                file.write(self._data)
            self._data.clear()
            os.lseek(source, 0, os.SEEK_SET)
            self._run(source, output)
            os.lseek(output, 0, os.SEEK_SET)
        except BaseException:
            os.close(output)
            raise
        finally:
            os.close(source)
        return output

    def _run(self, source: int, output: int) -> None:
        limits = (self._request.max_expanded_bytes, self._request.max_rows, PART_ROWS)
        command = [sys.executable, "-I", str(_CHILD), *map(str, limits)]
        with _TURNS:
            try:
                done = subprocess.run(
                    command,
                    stdin=source,
                    stdout=output,
                    stderr=subprocess.PIPE,
                    timeout=_TIMEOUT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired as exc:
                raise Invalid("The Parquet file takes too long to read; send less.") from exc
        if done.returncode == 0:
            return
        kind, _, reason = done.stderr.decode(errors="replace").strip().partition(" ")
        if kind == "L":
            raise TooLarge(f"{reason}.")
        if kind == "E" and reason:
            raise Unreadable(f"The Parquet file cannot be read: {reason}.")
        raise Unreadable("The Parquet file cannot be read: it is damaged.")
