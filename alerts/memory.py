"""The newest readings before a batch: remembered by the worker that judged last, else asked for.

The database names the owner of the memory of each datasource. A worker that judges and is not the
owner reads what it needs and becomes the owner, in its transaction: so a worker that judges alone
reads and writes nothing, and none ever believes in what another has overtaken. Within the worker one
batch at a time has a datasource's memory, until its transaction has ended.
"""

import secrets
import threading
from functools import partial

import msgspec
import numpy as np

from alerts.held import Prepared
from alerts.judge import LONG_AGO
from alerts.known import KNOWN_FOR_US, NOTHING, Known, Need, learned, needed, usable
from alerts.lateness import newest_before
from alerts.plan import Plan
from twin.batch import Ending, Rows
from twin.db.pool import Connection

TURN_S = 1.0
"""How long a batch waits for the memory. Another has it for as long as a commit takes; if that one waits
for rows of this transaction, nobody else would notice, so this one goes on and asks the database."""


class _Entry(msgspec.Struct):
    """What is remembered of a datasource, by which name, and which batch has it."""

    plan: Plan
    removals: int
    owner: int
    known: Known = NOTHING
    taken: object | None = None


class Before(msgspec.Struct, frozen=True):
    """What was known before a batch, and what its transaction's end has to tell the memory.

    owner: the name of the memory, by which the database has to know it at the commit.
    """

    known: Known
    owner: int | None
    ending: Ending


class Memory:
    """One worker's memory."""

    def __init__(self) -> None:
        """Remember nothing."""
        self._entries: dict[int, _Entry] = {}
        self._ended = threading.Condition()

    def before(self, conn: Connection, prepared: Prepared, rows: Rows) -> Before:
        """Return what was known before a batch.

        Under the datasource's lock, after the rows were written: what is not remembered is asked of
        the database.
        """
        need = needed(prepared.plan, rows)
        if not len(need.key):
            return NOT_NEEDED
        entry, token = self._take(prepared)
        try:
            known, met = usable(entry.known, need, rows)
            if not met.all():
                asked = Need(need.key[~met], need.first_us[~met])
                known = known.updated(_recalled(conn, asked, rows))
            return self._before(entry, token, known, learned(known, need, rows))
        except BaseException:
            self._end(entry, token, None)
            raise

    def remembered(self, prepared: Prepared, rows: Rows) -> Before | None:
        """Return the same without a lock or a question, None if it is not all remembered."""
        need = needed(prepared.plan, rows)
        if not len(need.key):
            return NOT_NEEDED
        taken = self._take_held(prepared)
        if taken is None:
            return None
        entry, token = taken
        known, met = usable(entry.known, need, rows)
        if not met.all():
            self._end(entry, token, None)
            return None
        return self._before(entry, token, known, learned(known, need, rows))

    def _take(self, prepared: Prepared) -> tuple[_Entry, object]:
        """Return a datasource's memory, once no other batch has it; a new one if it does not hold."""
        if (taken := self._take_held(prepared)) is not None:
            return taken
        token = object()
        # Under a new name, so that a batch that still relies on the old memory does not stand.
        removals, owner = prepared.held.removals, secrets.randbits(62)
        entry = _Entry(prepared.plan, removals, owner, taken=token)
        with self._ended:
            self._entries[prepared.schema.no] = entry
        return entry, token

    def _take_held(self, prepared: Prepared) -> tuple[_Entry, object] | None:
        """Return a datasource's memory, once no other batch has it, None if it does not hold."""
        no, held, token = prepared.schema.no, prepared.held, object()
        with self._ended:
            is_free = self._ended.wait_for(partial(self._is_free, no), TURN_S)
            entry = self._entries.get(no)
            if entry is None or not is_free or held.owner != entry.owner:
                return None
            if entry.plan is not prepared.plan or entry.removals != held.removals:
                return None
            entry.taken = token
            return entry, token

    def _is_free(self, no: int) -> bool:
        entry = self._entries.get(no)
        return entry is None or entry.taken is None

    def _before(self, entry: _Entry, token: object, known: Known, newer: Known) -> Before:
        committed = partial(self._end, entry, token, newer)
        return Before(known, entry.owner, Ending(committed, partial(self._end, entry, token, None)))

    def _end(self, entry: _Entry, token: object, newer: Known | None) -> None:
        """Let the next batch have the memory, with what a committed one learned."""
        with self._ended:
            if entry.taken is token:
                if newer is not None:
                    entry.known = entry.known.overwritten(newer)
                entry.taken = None
                self._ended.notify_all()


NOT_NEEDED = Before(NOTHING, None, Ending(lambda: None, lambda: None))
"""No rule needs what was before the batch."""


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
