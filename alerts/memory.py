"""The newest readings before a batch: remembered by the worker that judged last, else asked for.

The database names the owner of the memory of each datasource. A worker that judges and is not the
owner reads what it needs and becomes the owner, in its transaction: so a worker that judges alone
reads and writes nothing, and none ever believes in what another has overtaken.
"""

import secrets
import threading
from collections.abc import Callable

import msgspec
import numpy as np

from alerts.held import Prepared
from alerts.judge import LONG_AGO
from alerts.known import KNOWN_FOR_US, NOTHING, Known, Need, learned, needed, usable
from alerts.lateness import newest_before
from alerts.plan import Plan
from twin.batch import Rows
from twin.db.pool import Connection

Before = tuple[Known, Callable[[], None]]


class _Entry(msgspec.Struct):
    """What is remembered of a datasource; not valid while a transaction is under way."""

    plan: Plan
    removals: int
    known: Known
    token: object
    valid: bool

    def holds(self, plan: Plan, removals: int) -> bool:
        """Return whether it is what a plan needs, and nothing of it was deleted since."""
        return self.valid and self.plan is plan and self.removals == removals


class Memory:
    """One worker's memory."""

    def __init__(self) -> None:
        """Remember nothing; take a name that no other worker has."""
        self.owner = secrets.randbits(62)
        self._entries: dict[int, _Entry] = {}
        self._guard = threading.Lock()

    def before(self, conn: Connection, prepared: Prepared, rows: Rows) -> Before | None:
        """Return what was known before a batch, and what to do once that is committed.

        None when no rule needs it. Under the datasource's lock, after the rows were written.
        """
        no, plan, held = prepared.schema.no, prepared.plan, prepared.held
        need = needed(plan, rows)
        if not len(need.key):
            return None
        entry = self._entries.get(no)
        holds = held.owner == self.owner and entry is not None and entry.holds(plan, held.removals)
        remembered = entry.known if holds and entry is not None else NOTHING
        token = object()
        with self._guard:
            self._entries[no] = _Entry(plan, held.removals, NOTHING, token, valid=False)
        known, met = usable(remembered, need, rows)
        if not met.all():
            asked = Need(need.key[~met], need.first_us[~met])
            known = known.updated(_recalled(conn, asked, rows))
        newer = learned(known, need, rows)

        def committed() -> None:
            with self._guard:
                if self._entries[no].token is token:
                    after = remembered.overwritten(newer)
                    self._entries[no] = _Entry(plan, held.removals, after, token, valid=True)

        return known, committed


def _recalled(conn: Connection, need: Need, rows: Rows) -> Known:
    """Ask the database for what is not remembered."""
    ts_us = np.full(len(need.key), LONG_AGO)
    value = np.full(len(need.key), np.nan)
    columns = need.key & 15
    streams = need.key >> 4
    for column in np.unique(columns).tolist():
        mine = np.flatnonzero(columns == column)
        first_us = dict(zip(streams[mine].tolist(), need.first_us[mine].tolist(), strict=True))
        found = newest_before(conn, rows, column, first_us, KNOWN_FOR_US)
        for i in mine.tolist():
            stream = int(streams[i])
            bound = first_us[stream] - KNOWN_FOR_US
            ts_us[i], value[i] = found.get(stream, (bound, np.nan))
    return Known(need.key, ts_us, value)
