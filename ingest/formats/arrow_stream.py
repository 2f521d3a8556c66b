"""An Arrow IPC stream → columns, message by message.

Messages are handed to pyarrow only when they are whole, so that it never waits; buffers are validated
before anything reads them: a body says where its own texts begin and end.
"""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ingest.formats.arrow_message import expanded_bytes, frame
from ingest.formats.arrow_table import ArrowTable
from ingest.formats.part import PART_ROWS, Part, Request, Taken
from twin.errors import TooLarge, TwinfeedError, Unreadable

_ERRORS = (
    pa.ArrowException,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    NotImplementedError,
    MemoryError,
)
"""What pyarrow raises for bodies that are not as they should be."""


class ArrowStreamParser:
    """Reads one stream."""

    def __init__(self, request: Request, name: str = "Arrow stream") -> None:
        """Begin a body; `name` is what its sender calls it."""
        self._request = request
        self._name = name
        self._rest = bytearray()
        self._whole = _Messages()
        self._reader: Any = None
        self._table: ArrowTable | None = None
        self._has_ended = False
        self._rows = 0

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield the batches that are complete."""
        if self._has_ended:
            return  # what follows the end is not read, as Arrow's own readers do
        self._rest += data
        while (found := frame(self._rest)) is not None:
            if found.size == 0:
                self._has_ended = True
                return
            if found.size > self._request.max_expanded_bytes:
                raise self._too_large()
            if len(self._rest) < found.size:
                return
            message = bytes(memoryview(self._rest)[: found.size])
            del self._rest[: found.size]
            if expanded_bytes(message) > self._request.max_expanded_bytes:
                raise self._too_large()
            self._whole.add(message)
            try:
                self._open()
                if not found.is_batch:
                    continue
                batch = self._reader.read_next_batch()
                batch.validate(full=True)
            except TwinfeedError:
                raise
            except _ERRORS as exc:
                raise damaged("Arrow stream", exc) from exc
            yield from self._parts(batch)

    def flush(self) -> Iterator[Part]:
        """Yield nothing: whole messages are handed on as they come."""
        yield from ()

    def finish(self) -> Iterator[Part]:
        """Yield nothing: every whole message was. Raises Unreadable when one is not."""
        if self._rest and not self._has_ended:
            raise Unreadable(f"The Arrow stream ends within a message, after {self._rows} rows.")
        if not self._rows:
            raise Unreadable(f"The {self._name} holds no readings.")
        yield from ()

    def taken(self) -> list[Taken]:
        """Return what each column was taken for."""
        return self._table.taken() if self._table else []

    def _open(self) -> None:
        if self._reader is None:
            self._reader = pa.ipc.open_stream(pa.PythonFile(self._whole, mode="r"))
            self._table = ArrowTable(self._reader.schema, self._request)

    def _parts(self, batch: pa.RecordBatch) -> Iterator[Part]:
        assert self._table is not None
        yield from parts_of(batch, self._table, self._rows)
        self._rows += batch.num_rows

    def _too_large(self) -> TooLarge:
        most = self._request.max_expanded_bytes
        return TooLarge(f"A message of the Arrow stream is larger than the {most} bytes allowed.")


class _Messages(io.RawIOBase):
    """Whole messages, read from their start to their end once."""

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, message: bytes) -> None:
        self._data += message

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = len(self._data) if size is None or size < 0 else size
        found = bytes(memoryview(self._data)[:size])
        del self._data[:size]
        return found


def parts_of(batch: pa.RecordBatch, table: ArrowTable, first: int) -> Iterator[Part]:
    """Yield a validated batch in parts. Raises Unreadable for what pyarrow cannot convert."""
    for start in range(0, batch.num_rows, PART_ROWS):
        try:
            part = table.columns(batch.slice(start, PART_ROWS), first + start)
        except _ERRORS as exc:
            raise damaged("Arrow data", exc) from exc
        yield part


def damaged(what: str, exc: BaseException) -> Unreadable:
    """Return the error for what pyarrow refuses, in one line."""
    reason = " ".join(str(exc).split())[:200].rstrip(".")
    return Unreadable(f"The {what} cannot be read: {reason}.")
