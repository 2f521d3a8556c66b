"""A batch of rows as it is committed, and the hook by which others take part in its transaction."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from twin.db.pool import Connection

PAGE_SLOTS = 16
"""Slots of a row of `readings`: v0 … v15."""

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Rows(msgspec.Struct, frozen=True):
    """Rows of `readings`, sorted by (stream_id, ts_us), each pair once; NaN = absent.

    stream_id int32[n], ts_us int64[n], values float64[n, 16].
    """

    stream_id: Int32s
    ts_us: Int64s
    values: Floats

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.stream_id)

    def take(self, mask: npt.NDArray[np.bool_]) -> "Rows":
        """Return the rows for which bool[n] holds."""
        return Rows(self.stream_id[mask], self.ts_us[mask], self.values[mask])


class Ending(msgspec.Struct, frozen=True):
    """What to call, in the same thread, once a transaction has committed, or is undone.

    Exactly one of the two is called.
    """

    committed: Callable[[], None]
    undone: Callable[[], None]


class Foreseen(msgspec.Struct, frozen=True):
    """Versions of datasources (ascending) at which a batch causes nothing, and their locks' class.

    owners, removals: what else must stand of a datasource, None where nothing else must; ending: what
    others of the process wait for meanwhile, if they do.
    """

    lock_class: int
    nos: list[int]
    versions: list[int]
    owners: list[int | None]
    removals: list[int | None]
    ending: Ending | None


class BatchHook(Protocol):
    """Something that must commit with the readings that cause it."""

    def wants(self, datasource_no: int) -> bool:
        """Return whether batches with this datasource concern the hook. Cheap; any thread."""

    def foresee(self, rows: Rows, datasource_nos: Sequence[int]) -> Foreseen | None:
        """Return the versions at which there is nothing to do, None if there may be something.

        Before the transaction, in a writer's thread: if the versions then still stand, `apply` is left
        out. `datasource_nos` as for it.
        """

    def apply(self, conn: Connection, rows: Rows, datasource_nos: Sequence[int]) -> Ending | None:
        """Act inside the readings' transaction, after the COPY, in a writer's thread.

        `rows` are all of the batch; `datasource_nos` (ascending) those that were wanted. It runs
        inside a savepoint: a fault undoes its own work, is counted, and never costs a reading. What may
        pass (OperationalError, DatabaseAway, Overloaded, TimeoutError) undoes the batch.
        """
