"""Run as a process of its own: a Parquet file on stdin → an Arrow IPC stream on stdout.

Parquet's reader believes the sizes that a file claims, and some damaged files abort its process. So it
runs where that costs nothing but this request, with memory and processor time bounded. Both ends are
files in memory. On failure stderr holds a line: `E` or `L` (too large), a space and the reason.

Arguments: most bytes, most rows, rows of a batch. Imports nothing of the project: it runs isolated.
"""

import resource
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

CPU_S = 60
SPARE_BYTES = 512 * 2**20
"""Beyond what is loaded already, and twice the bound: batches and their copies."""


class _TooLarge(Exception):
    pass


def main() -> None:
    """Convert; exit 0 when all of it was."""
    most_bytes, most_rows, batch_rows = map(int, sys.argv[1:4])
    _limit(2 * most_bytes + SPARE_BYTES)
    try:
        _convert(most_bytes, most_rows, batch_rows)
    except _TooLarge as exc:
        sys.exit(f"L {exc}")
    except BaseException as exc:
        sys.exit("E " + " ".join(str(exc).split())[:200].rstrip("."))


def _convert(most_bytes: int, most_rows: int, batch_rows: int) -> None:
    source = pa.py_buffer(sys.stdin.buffer.read())
    index = pq.read_metadata(pa.BufferReader(source))
    if index.num_rows > most_rows:
        raise _TooLarge(f"The file holds {index.num_rows} rows; the most is {most_rows}")
    schema = index.schema.to_arrow_schema()
    types = pa.types
    # Texts stay in their dictionary: a long one that is repeated would expand without bound.
    texts = [f.name for f in schema if types.is_string(f.type) or types.is_large_string(f.type)]
    file = pq.ParquetFile(pa.BufferReader(source), read_dictionary=texts)
    size = rows = 0
    with pa.ipc.new_stream(sys.stdout.buffer, file.schema_arrow) as writer:
        for batch in file.iter_batches(batch_size=batch_rows, use_threads=False):
            batch.validate(full=True)
            size, rows = size + batch.nbytes, rows + batch.num_rows
            if size > most_bytes or rows > most_rows:
                raise _TooLarge(f"The file expands beyond the {most_bytes} bytes allowed")
            writer.write_batch(batch)


def _limit(spare_bytes: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + spare_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
