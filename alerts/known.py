"""The newest values of streams as they were before a batch: what rates and compound rules rest on.

Pure. Invariant: an entry is the newest stored value of a stream's column that is not one of the
batch's own, or says with NaN that there is none after its time.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from alerts.plan import Plan
from twin.batch import PAGE_SLOTS, Floats, Int32s, Int64s, Rows

Bools = npt.NDArray[np.bool_]

KNOWN_FOR_US = 7 * 86_400_000_000
"""A value counts as a device's last known one for a week: it bounds what is looked through."""
_BITS = PAGE_SLOTS.bit_length() - 1


class Known(msgspec.Struct, frozen=True):
    """Newest values, sorted by `key` (stream << 4 | column); NaN: none since ts_us."""

    key: Int64s
    ts_us: Int64s
    value: Floats

    @property
    def stream_id(self) -> Int32s:
        """The stream of each entry."""
        return (self.key >> _BITS).astype(np.int32)

    @property
    def column(self) -> npt.NDArray[np.int64]:
        """The column of each entry."""
        return self.key & (PAGE_SLOTS - 1)

    def take(self, which: "Bools | npt.NDArray[np.intp]") -> "Known":
        """Return some of the entries."""
        return Known(self.key[which], self.ts_us[which], self.value[which])

    def of_column(self, column: int) -> "Known":
        """Return the entries of one column that hold a value."""
        return self.take((self.column == column) & ~np.isnan(self.value))

    def found(self, key: Int64s) -> tuple[Bools, npt.NDArray[np.intp]]:
        """Return which keys have an entry, and where."""
        if not len(self.key):
            return np.zeros(len(key), np.bool_), np.zeros(len(key), np.intp)
        at = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        return self.key[at] == key, at

    def updated(self, other: "Known") -> "Known":
        """Return these entries with others put in their places."""
        key = np.concatenate([other.key, self.key])
        ts_us = np.concatenate([other.ts_us, self.ts_us])
        value = np.concatenate([other.value, self.value])
        keys, first = np.unique(key, return_index=True)
        return Known(keys, ts_us[first], value[first])

    def overwritten(self, other: "Known") -> "Known":
        """Return what `updated` does, in place where there is an entry already.

        These entries are then of no other use: what is remembered of a datasource is too much to be
        copied for every batch.
        """
        found, at = self.found(other.key)
        self.ts_us[at[found]], self.value[at[found]] = other.ts_us[found], other.value[found]
        return self if found.all() else self.updated(other.take(~found))


NOTHING = Known(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float64))


class Need(msgspec.Struct, frozen=True):
    """What must be known for a batch: the entries' keys, sorted, and the batch's first time of each."""

    key: Int64s
    first_us: Int64s


def known_key(stream_id: Int32s, column: int) -> Int64s:
    """Return the keys of a column of streams."""
    return stream_id.astype(np.int64) << _BITS | column


def needed(plan: Plan, rows: Rows) -> Need:
    """Return what must be known to judge a batch; nothing without rates and compound rules."""
    keys, firsts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    begins = np.append(True, rows.stream_id[1:] != rows.stream_id[:-1])[: len(rows)]
    first = np.flatnonzero(begins)
    streams = rows.stream_id[first]
    for rate in plan.rates:
        mine = np.isin(streams, rate.stream_id)
        keys.append(known_key(streams[mine], rate.column))
        firsts.append(rows.ts_us[first[mine]])
    if plan.compound is not None and plan.compound.lane:
        compound = plan.compound
        found = np.isin(compound.stream_id, streams)
        at = np.searchsorted(streams, compound.stream_id[found])
        touched, begin = _earliest(compound.device[found], rows.ts_us[first[at]])
        if not compound.lane.broad:
            covered = np.isin(touched, compound.lane.fixed_stream)
            touched, begin = touched[covered], begin[covered]
        for page, column in compound.keys:
            mine = (compound.page == page) & np.isin(compound.device, touched)
            keys.append(known_key(compound.stream_id[mine], column))
            firsts.append(begin[np.searchsorted(touched, compound.device[mine])])
    key, place = np.unique(np.concatenate(keys), return_index=True)
    return Need(key, np.concatenate(firsts)[place])


def _earliest(device: Int32s, ts_us: Int64s) -> tuple[Int32s, Int64s]:
    order = np.lexsort((ts_us, device))
    devices, first = np.unique(device[order], return_index=True)
    return devices, ts_us[order][first]


def usable(known: Known, need: Need, rows: Rows) -> tuple[Known, Bools]:
    """Return of what is remembered the entries that hold before a batch, and which needs they meet.

    One whose time is the batch's own does not: a correction needs the value before it.
    """
    found, at = known.found(need.key)
    taken = known.take(at[found])
    streams = taken.stream_id
    own = np.zeros(len(taken.key), np.bool_)
    for column in np.unique(taken.column).tolist():
        mine = np.flatnonzero(taken.column == column)
        present = ~np.isnan(rows.values[:, column])
        own[mine] = _member(
            streams[mine], taken.ts_us[mine], rows.stream_id[present], rows.ts_us[present]
        )
    none = np.isnan(taken.value) & (taken.ts_us > need.first_us[found] - KNOWN_FOR_US)
    met = found.copy()
    met[found] = ~(own | none)
    return taken.take(~(own | none)), met


def _member(stream: Int32s, ts_us: Int64s, among: Int32s, among_us: Int64s) -> Bools:
    """Return which (stream, time) are among others, sorted by both."""
    low = np.searchsorted(among, stream, "left")
    high = np.searchsorted(among, stream, "right")
    own = np.zeros(len(stream), np.bool_)
    some = np.flatnonzero(high > low)
    between = (among_us[low[some]] <= ts_us[some]) & (ts_us[some] <= among_us[high[some] - 1])
    for i in some[between].tolist():  # few: a live batch is newer than all that is known
        times = among_us[low[i] : high[i]]
        at = int(np.searchsorted(times, ts_us[i]))
        own[i] = at < len(times) and times[at] == ts_us[i]
    return own


def learned(known: Known, need: Need, rows: Rows) -> Known:
    """Return what is known after a batch: of each entry the newer of stored and own."""
    streams = (need.key >> _BITS).astype(np.int32)
    columns = need.key & (PAGE_SLOTS - 1)
    parts = [NOTHING]
    for column in np.unique(columns).tolist():
        present = np.flatnonzero(~np.isnan(rows.values[:, column]))
        present = present[np.isin(rows.stream_id[present], streams[columns == column])]
        ids = rows.stream_id[present]
        last = present[np.append(ids[1:] != ids[:-1], True)] if len(ids) else present
        keys = known_key(rows.stream_id[last], column)
        parts.append(Known(keys, rows.ts_us[last], rows.values[last, column]))
    own = Known(
        np.concatenate([part.key for part in parts]),
        np.concatenate([part.ts_us for part in parts]),
        np.concatenate([part.value for part in parts]),
    )
    found, at = known.found(own.key)
    if len(known.key):
        found &= (known.ts_us[at] > own.ts_us) & ~np.isnan(known.value[at])
    return known.updated(own.take(~found))
