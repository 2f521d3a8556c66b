"""Records → batches in the column shape of a request, each row with its line in the file. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from twin.importer.kinds import CellError, Kind, Tally, Value, time_of, value_of
from twin.importer.layout import Layout
from twin.importer.table import Record

MAX_BATCH_CHARS = 4 * 2**20
"""A batch ends at this much text even when it has fewer rows than asked for: wide tables."""


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a row, in words that end the sentence "line N: …"."""

    line: int
    message: str


class Survey(msgspec.Struct, frozen=True):
    """What the first pass over a file found."""

    rows: int
    kinds: dict[str, Kind]


class Batch:
    """Rows to send together, and the faults of the rows that were left out."""

    def __init__(self, layout: Layout) -> None:
        self.lines: list[int] = []
        self.times: list[int | float | str] = []
        self.devices: list[str | None] | None = None if layout.device is None else []
        self.columns: dict[str, list[Value | None]] = {key: [] for key in layout.keys}
        self.faults: list[Fault] = []
        self.chars = 0

    @property
    def rows(self) -> int:
        """How many of the file's rows this batch stands for, faulty ones included."""
        return len(self.lines) + len(self.faults)

    def body(self, start: int, stop: int) -> bytes:
        """Return rows start … stop as the JSON of a request."""
        request: dict[str, Any] = {
            "ts": self.times[start:stop],
            "values": {key: column[start:stop] for key, column in self.columns.items()},
        }
        if self.devices is not None:
            request["device"] = self.devices[start:stop]
        return msgspec.json.encode(request)


def survey(records: Iterable[Record], layout: Layout) -> Survey:
    """Count rows and decide each key's kind."""
    tallies = {key: Tally() for key in layout.keys}
    places = [(place, tallies[key]) for key, place in layout.keys.items()]
    rows = 0
    for record in records:
        rows += 1
        if len(record.cells) != layout.width:
            continue
        for place, tally in places:
            cell = record.cells[place].strip()
            if cell:
                tally.add(cell)
    return Survey(rows, {key: tally.kind() for key, tally in tallies.items()})


def batches(
    records: Iterable[Record], layout: Layout, kinds: dict[str, Kind], rows: int
) -> Iterator[Batch]:
    """Yield batches of at most `rows` rows, in the order of the file."""
    batch = Batch(layout)
    for record in records:
        _add(batch, record, layout, kinds)
        if batch.rows >= rows or batch.chars >= MAX_BATCH_CHARS:
            yield batch
            batch = Batch(layout)
    if batch.rows:
        yield batch


def _add(batch: Batch, record: Record, layout: Layout, kinds: dict[str, Kind]) -> None:
    cells = record.cells
    if len(cells) != layout.width:
        message = f"has {len(cells)} cells where the header has {layout.width}"
        batch.faults.append(Fault(record.line, message))
        return
    try:
        time = time_of(cells[layout.time].strip())
        values = [
            _value(cells[place].strip(), key, kinds[key]) for key, place in layout.keys.items()
        ]
    except CellError as exc:
        batch.faults.append(Fault(record.line, str(exc)))
        return
    batch.lines.append(record.line)
    batch.times.append(time)
    for column, value in zip(batch.columns.values(), values, strict=True):
        column.append(value)
    if batch.devices is not None and layout.device is not None:
        batch.devices.append(cells[layout.device].strip() or None)
    batch.chars += sum(map(len, cells))


def _value(text: str, key: str, kind: Kind) -> Value | None:
    if not text:
        return None
    try:
        return value_of(text, kind)
    except CellError as exc:
        raise CellError(f"{key}: {exc}") from exc
