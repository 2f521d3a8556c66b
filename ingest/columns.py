"""Readings by column: what table formats are parsed into.

Arrays of one length, one entry a reading. Values are never looked at one by one here, except for
`readings`, which is for the batches that need a judgement reading by reading.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from ingest.readings import Reading, Value
from twin.batch import Floats, Int32s, Int64s
from twin.errors import ItemError
from twin.schema import Kind

Bools = npt.NDArray[np.bool_]


class Texts(msgspec.Struct, frozen=True, eq=False):
    """A column of texts: int32[n] places in `names`; -1 = absent."""

    codes: Int32s
    names: list[str]

    def used(self) -> Int64s:
        """Return the places in `names` that occur, ascending."""
        counts = np.bincount(self.codes.astype(np.int64) + 1, minlength=len(self.names) + 1)
        return np.flatnonzero(counts[1:])

    def pick(self, mask: Bools) -> "Texts":
        """Return the texts for which bool[n] holds."""
        return Texts(self.codes[mask], self.names)

    def to_list(self) -> list[str | None]:
        """Return a text or None per reading."""
        names = [*self.names, None]
        return [names[code] for code in self.codes.tolist()]


class Column(msgspec.Struct, frozen=True, eq=False):
    """The values of a key: float64[n] with NaN = absent for numbers and booleans, else texts."""

    key: str
    kind: Kind
    values: Floats | Texts

    def present(self) -> Bools:
        """Return bool[n]: where there is a value."""
        if isinstance(self.values, Texts):
            return self.values.codes >= 0
        return ~np.isnan(self.values)

    def pick(self, mask: Bools) -> "Column":
        """Return the values for which bool[n] holds."""
        values = self.values
        picked = values.pick(mask) if isinstance(values, Texts) else values[mask]
        return Column(self.key, self.kind, picked)

    def to_list(self) -> Sequence[Value]:
        """Return a value or None per reading."""
        if isinstance(self.values, Texts):
            return self.values.to_list()
        found = self.values.tolist()
        if self.kind == "boolean":
            return [None if v != v else bool(v) for v in found]
        return [None if v != v else v for v in found]


class Columns(msgspec.Struct, frozen=True, eq=False):
    """Readings, not yet judged against the schema.

    index int64[n]: place of each among the request's data rows. `faults` are the parser's; a reading
    with a fault is still in the arrays, save the `lost` ones that have no cells to hold.
    """

    index: Int64s
    ts_us: Int64s
    devices: Texts
    columns: list[Column]
    faults: list[ItemError]
    lost: int = 0

    def __len__(self) -> int:
        """Return the number of readings in the arrays."""
        return len(self.index)

    def pick(self, mask: Bools) -> "Columns":
        """Return the readings for which bool[n] holds, without faults."""
        columns = [column.pick(mask) for column in self.columns]
        return Columns(self.index[mask], self.ts_us[mask], self.devices.pick(mask), columns, [])

    def faulty(self) -> Bools:
        """Return bool[n]: which readings the parser found fault with."""
        bad = np.array([fault.index for fault in self.faults], dtype=np.int64)
        return np.isin(self.index, bad)

    def readings(self) -> list[Reading]:
        """Return the same one by one, without the parser's faults."""
        devices = [device or "" for device in self.devices.to_list()]
        keys = [column.key for column in self.columns]
        values = [column.to_list() for column in self.columns]
        heads = zip(self.index.tolist(), devices, self.ts_us.tolist(), strict=True)
        return [
            Reading(index, device, ts_us, [(k, v[row]) for k, v in zip(keys, values, strict=True)])
            for row, (index, device, ts_us) in enumerate(heads)
        ]


def joined(parts: Sequence[Columns]) -> Columns:
    """Return parts of one request as one. A key has one kind in all of them."""
    if len(parts) == 1:
        return parts[0]
    kinds = {column.key: column.kind for part in parts for column in part.columns}
    columns = []
    for key, kind in kinds.items():
        found = [
            next((c.values for c in part.columns if c.key == key), _absent(kind, len(part)))
            for part in parts
        ]
        columns.append(Column(key, kind, _joined_values(found)))
    return Columns(
        np.concatenate([part.index for part in parts]),
        np.concatenate([part.ts_us for part in parts]),
        _joined_texts([part.devices for part in parts]),
        columns,
        [fault for part in parts for fault in part.faults],
        sum(part.lost for part in parts),
    )


def _absent(kind: Kind, rows: int) -> Floats | Texts:
    if kind == "text":
        return Texts(np.full(rows, -1, dtype=np.int32), [])
    return np.full(rows, np.nan)


def _joined_values(found: Sequence[Floats | Texts]) -> Floats | Texts:
    texts = [values for values in found if isinstance(values, Texts)]
    if texts:
        return _joined_texts(texts)
    return np.concatenate([values for values in found if not isinstance(values, Texts)])


def _joined_texts(parts: Sequence[Texts]) -> Texts:
    names: list[str] = []
    codes = []
    for part in parts:
        codes.append(np.where(part.codes < 0, -1, part.codes + len(names)).astype(np.int32))
        names += part.names
    return Texts(np.concatenate(codes), names)
