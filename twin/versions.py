"""Versions of what a datasource holds, shared by the worker processes of one host.

A mapped file of 64-bit cells, one per kind and datasource. Invariant: a bump puts a value into the
cell that was never there before (a tag of the process and its own counter), so two bumps that race
still leave a new value, and an aligned 8-byte store is atomic. Datasources whose numbers are equal
modulo the table's size share a cell: that can only invalidate too much.
"""

import itertools
import mmap
import os
import secrets
from pathlib import Path
from typing import Literal

Kind = Literal["data", "schema", "alerts"]
KINDS: tuple[Kind, ...] = ("data", "schema", "alerts")
CELLS = 1 << 16
"""Cells per kind: 512 KiB of mapped memory each, of which only used pages are resident."""
_EPOCH_CELL = len(KINDS) * CELLS
_HOST_CELL = _EPOCH_CELL + 1
_STOP_CELL = _HOST_CELL + 1
_BYTES = (_STOP_CELL + 1) * 8


class Versions:
    """The cells of this host, opened by path; without one, private to this process."""

    def __init__(self, path: Path | None = None) -> None:
        """Map the file, making it when absent. Raises OSError when that is impossible."""
        if path is None:
            self._map = mmap.mmap(-1, _BYTES)
        else:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(fd, _BYTES)
                self._map = mmap.mmap(fd, _BYTES)
            finally:
                os.close(fd)
        self._cells = memoryview(self._map).cast("Q")
        self._tag = secrets.randbits(24) << 40
        self._count = itertools.count(1)  # next() is atomic: writer threads bump too
        # A worker that died between a commit and its bump must not leave others believing in an
        # old version: a new worker moves every version at once.
        self.bump_epoch()
        if not self._cells[_HOST_CELL]:
            self._cells[_HOST_CELL] = secrets.randbits(64) | 1

    def bump(self, kind: Kind, datasource_no: int) -> None:
        """Give a datasource a version that it never had. Any thread."""
        self._cells[self._cell(kind, datasource_no)] = self._next()

    def read(self, kind: Kind, datasource_no: int) -> int:
        """Return the present version; read it before the data that it stands for."""
        return self._cells[self._cell(kind, datasource_no)]

    def bump_epoch(self) -> None:
        """Move every version of every datasource at once."""
        self._cells[_EPOCH_CELL] = self._next()

    @property
    def epoch(self) -> int:
        """What changes when every version must be taken as moved."""
        return self._cells[_EPOCH_CELL]

    @property
    def host(self) -> str:
        """Names the processes that share these cells, in notifications to other hosts."""
        return f"{self._cells[_HOST_CELL]:016x}"

    def stop(self) -> None:
        """Tell every process of the host that the server stops. Safe in a signal handler."""
        self._cells[_STOP_CELL] = 1

    @property
    def is_stopping(self) -> bool:
        """Whether answers without an end should end now."""
        return self._cells[_STOP_CELL] != 0

    def close(self) -> None:
        """Unmap."""
        self._cells.release()
        self._map.close()

    def _next(self) -> int:
        return self._tag | next(self._count)

    @staticmethod
    def _cell(kind: Kind, datasource_no: int) -> int:
        return KINDS.index(kind) * CELLS + datasource_no % CELLS
