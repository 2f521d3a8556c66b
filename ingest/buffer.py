"""Where requests wait for a writer. Bounded in rows and bytes.

Invariant: what `put` took is either handed to a writer or still here; a writer takes whatever has
gathered as soon as it is free, so one device pays one commit and a thousand share it. A second writer
starts beside it only for SIDE_BY_SIDE_ROWS and more: few rows are dearer to split than to wait for.
"""

import threading
from collections import deque

from ingest.block import ROW_BYTES, Pending
from twin.errors import Overloaded

RETRY_AFTER_S = 1
"""Writers empty a full buffer in about this time."""

SIDE_BY_SIDE_ROWS = 512
"""With single readings from 64 connections, one writer with batches twice as large takes a quarter less
processor time a reading than two; a batch of this many rows is worth a writer of its own."""


class Buffer:
    """A bounded queue from the event loop to the writer threads."""

    def __init__(self, max_rows: int, max_bytes: int, max_batch_rows: int) -> None:
        """Bound what waits, and what a writer takes at once (at least one request)."""
        self._max_rows = min(max_rows, max_bytes // ROW_BYTES)
        self._max_batch_rows = max_batch_rows
        self._waiting: deque[Pending] = deque()
        self._ready = threading.Condition()
        self._rows = 0
        self._busy = 0
        """Writers at work on what they took."""
        self._closed = False

    @property
    def rows(self) -> int:
        """Rows that wait now."""
        return self._rows

    @property
    def max_rows(self) -> int:
        """The bound of rows that wait."""
        return self._max_rows

    def put(self, pending: Pending) -> None:
        """Let a request wait. Raises Overloaded at the bound; an empty buffer takes any request."""
        rows = len(pending.block)
        with self._ready:
            if self._closed:
                raise Overloaded("The server is stopping.", retry_after_s=RETRY_AFTER_S)
            if self._rows and self._rows + rows > self._max_rows:
                message = f"{self._rows} rows wait for the database, the most; nothing was stored."
                raise Overloaded(message, retry_after_s=RETRY_AFTER_S)
            self._waiting.append(pending)
            self._rows += rows
            if self._is_worth_taking():  # else the writer at work will come for it
                self._ready.notify()

    def take(self) -> list[Pending] | None:
        """Wait for requests and take what has gathered; `done` when it is. None: closed and empty."""
        with self._ready:
            while not self._is_worth_taking():
                if self._closed and not self._waiting:
                    self._ready.notify_all()
                    return None
                self._ready.wait()
            taken = [self._waiting.popleft()]
            rows = len(taken[0].block)
            while self._waiting and rows + len(self._waiting[0].block) <= self._max_batch_rows:
                pending = self._waiting.popleft()
                rows += len(pending.block)
                taken.append(pending)
            self._rows -= rows
            self._busy += 1
            return taken

    def done(self) -> None:
        """Say that a writer has dealt with what it took, and will come to take again."""
        with self._ready:
            self._busy -= 1

    def _is_worth_taking(self) -> bool:
        return bool(self._waiting) and (self._busy == 0 or self._rows >= SIDE_BY_SIDE_ROWS)

    def close(self) -> None:
        """Take no more; writers finish what waits."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()
