"""A Parquet file → columns. Its index is at the end, so the body is whole before it is read."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.formats.arrow_stream import damaged, parts_of
from ingest.formats.arrow_table import ArrowTable
from ingest.formats.part import PART_ROWS, Part, Request, Taken
from twin.errors import TooLarge, TwinfeedError, Unreadable

_MARK = b"PAR1"
_ERRORS = (
    pa.ArrowException,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    NotImplementedError,
    MemoryError,
)


class ParquetParser:
    """Reads one file, a batch of rows at a time."""

    def __init__(self, request: Request) -> None:
        """Begin a body."""
        self._request = request
        self._data = bytearray()
        self._table: ArrowTable | None = None

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield nothing yet."""
        self._data += data
        yield from ()

    def finish(self) -> Iterator[Part]:
        """Yield the rows. Raises Unreadable, TooLarge, Invalid."""
        if not self._data:
            raise Unreadable("The body is empty: send a Parquet file.")
        if self._data[:4] != _MARK:
            raise Unreadable("The body is not a Parquet file.")
        if self._data[-4:] != _MARK or len(self._data) < 12:
            raise Unreadable("The Parquet file is cut off: its end is missing.")
        first = 0
        try:
            file = self._open()
            for batch in file.iter_batches(batch_size=PART_ROWS, use_threads=False):
                batch.validate(full=True)
                if batch.nbytes > self._request.max_expanded_bytes:
                    raise self._too_large()
                yield from parts_of(batch, self._table, first)  # type: ignore[arg-type]
                first += batch.num_rows
        except TwinfeedError:
            raise
        except _ERRORS as exc:
            raise damaged("Parquet file", exc) from exc
        if not first:
            raise Unreadable("The Parquet file holds no readings.")

    def taken(self) -> list[Taken]:
        """Return what each column was taken for."""
        return self._table.taken() if self._table else []

    def _open(self) -> pq.ParquetFile:
        source = pa.py_buffer(bytes(self._data))
        self._data.clear()
        index = pq.read_metadata(pa.BufferReader(source))
        groups = [index.row_group(i) for i in range(index.num_row_groups)]
        expanded = sum(
            group.column(i).total_uncompressed_size
            for group in groups
            for i in range(group.num_columns)
        )
        if expanded > self._request.max_expanded_bytes:
            raise self._too_large()
        if index.num_rows > self._request.max_rows:
            raise TooLarge(
                f"A request may hold at most {self._request.max_rows} readings; this one has "
                f"{index.num_rows}."
            )
        schema = index.schema.to_arrow_schema()
        self._table = ArrowTable(schema, self._request)
        texts = [
            field.name
            for field in schema
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        # Texts stay in their dictionary: a long one that is repeated would expand without bound.
        return pq.ParquetFile(pa.BufferReader(source), read_dictionary=texts)

    def _too_large(self) -> TooLarge:
        most = self._request.max_expanded_bytes
        return TooLarge(f"The Parquet file expands beyond the {most} bytes allowed.")
