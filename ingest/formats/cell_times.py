"""A time column, whatever it is made of → µs since 1970, UTC. Pure.

Common layouts are read by column; a cell of any other is read alone by `Context.time_of`, which names
what is wrong with it. An absent time is the time of receipt.
"""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.columns import Bools
from ingest.readings import Context
from ingest.times import MAX_AHEAD_US, BadTime, numbers_to_us
from twin.batch import Int64s
from twin.clock import DAY_US, SECOND_US
from twin.errors import ItemError

_CLOCK = r"(?P<h>\d{1,2}):(?P<n>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
_ISO = (
    r"^(?P<y>\d{4})[-/](?P<m>\d{1,2})[-/](?P<d>\d{1,2})"
    rf"(?:[Tt ] *{_CLOCK} *(?P<z>[Zz]|[+-]\d{{2}}:?\d{{2}})?)?$"
)
_DOTTED = rf"^(?P<d>\d{{1,2}})\.(?P<m>\d{{1,2}})\.(?P<y>\d{{4}}|\d{{2}})(?:,?[Tt ] *{_CLOCK})?$"
"""Day first: 24.12.2026 13:05."""
_NUMBER = r"^\d+(?:[.,]\d+)?$"

SERIAL_BELOW = 1_000_000
"""A smaller number in a table is Excel's count of days: as seconds it would be early in 1970."""
_EXCEL_EPOCH_DAYS = {False: -25_569, True: -24_107}
"""Day 0 in days since 1970: 1899-12-30, which makes up for Excel's 29 February 1900; 1904-01-01."""
_QUARTER_US = 15 * 60 * SECOND_US
"""Within a quarter of an hour a zone's offset does not change."""


class Times:
    """The times of a part's rows: what was read, and what is wrong with the rest."""

    def __init__(self, context: Context, index: Int64s, name: str) -> None:
        """Begin with every time absent. `name` is the column's, for faults."""
        self._context = context
        self._name = name
        self.index = index
        self.ts_us: Int64s = context.received_us + index
        self.faults: list[ItemError] = []

    def put(self, rows: Bools, ts_us: Int64s) -> None:
        """Take over the times of the rows for which bool[n] holds; out of range is a fault."""
        self.ts_us[rows] = ts_us
        late_us = self._context.received_us + MAX_AHEAD_US
        for row in np.flatnonzero(rows & ((self.ts_us < 0) | (self.ts_us > late_us))).tolist():
            early = self.ts_us[row] < 0
            self.fault(
                row,
                "the time is before 1970"
                if early
                else "the time is more than a day ahead of the server's clock",
            )

    def put_one(self, row: int, raw: object) -> None:
        """Read one time."""
        try:
            self.ts_us[row] = self._context.time_of(raw, int(self.index[row]))
        except BadTime as exc:
            self.fault(row, str(exc))

    def fault(self, row: int, reason: str) -> None:
        """Name what is wrong with a row's time."""
        self.faults.append(ItemError(reason, index=int(self.index[row]), key=self._name[:200]))
        self.ts_us[row] = 0


def put_texts(times: Times, texts: pa.StringArray, context: Context) -> str:
    """Read texts, trimmed, null = absent; return what most of them are."""
    held: Bools = texts.is_valid().to_numpy(zero_copy_only=False)
    counts = {}
    rest = held
    if rest.any():
        rest = rest & ~_put_integers(times, texts, rest, context)
        counts["Unix time or Excel serial date"] = int((held & ~rest).sum())
    for name, pattern in (("RFC 3339", _ISO), ("day first, dotted", _DOTTED)):
        if rest.any():
            done = _put_layout(times, texts, rest, pattern, context)
            rest = rest & ~done
            counts[name] = int(done.sum())
    for row in np.flatnonzero(rest).tolist():
        _put_text(times, row, texts[row].as_py(), context)
    return max(counts, key=lambda name: counts[name], default="")


def put_numbers(times: Times, values: Any, rows: Bools, context: Context, *, is_1904: bool) -> None:
    """Read numbers of a table, int64 or float64[n], of the rows for which bool[n] holds.

    Without a precision small ones are Excel's serial dates.
    """
    serial = rows & (np.abs(values) < SERIAL_BELOW) & (context.ns_per_unit is None)
    if serial.any():
        days = values[serial].astype(np.float64) + _EXCEL_EPOCH_DAYS[is_1904]
        naive_us = np.rint(days * (DAY_US / 1000)).astype(np.int64) * 1000  # to the millisecond
        times.put(serial, local_to_utc(naive_us, context.zone))
    rest = rows & ~serial
    if not rest.any():
        return
    found = numbers_to_us(values[rest], context.ns_per_unit) if values.dtype.kind == "i" else None
    if found is not None:
        times.put(rest, found)
        return
    for row in np.flatnonzero(rest).tolist():
        times.put_one(row, values[row].item())


def local_to_utc(naive_us: Int64s, zone: ZoneInfo) -> Int64s:
    """Return local times as UTC; of two that a clock shows twice, the first."""
    if zone.key == "UTC":
        return naive_us
    quarters, place = np.unique(naive_us // _QUARTER_US, return_inverse=True)
    offsets = np.array([_offset_us(int(q) * _QUARTER_US, zone) for q in quarters], dtype=np.int64)
    utc: Int64s = naive_us - offsets[place]
    return utc


def _offset_us(naive_us: int, zone: ZoneInfo) -> int:
    try:
        moment = datetime(1970, 1, 1) + timedelta(microseconds=naive_us)
        offset = moment.replace(tzinfo=zone).utcoffset() or timedelta(0)
    except OverflowError:
        return 0  # beyond the calendar: out of range in any zone
    return offset // timedelta(microseconds=1)


def _put_integers(times: Times, texts: pa.StringArray, held: Bools, context: Context) -> Bools:
    """Read the column when all of it is integers, or none of it."""
    try:
        values = pc.cast(texts, pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return np.zeros(len(held), dtype=np.bool_)
    put_numbers(times, values, held, context, is_1904=False)
    return held


def _put_text(times: Times, row: int, text: str, context: Context) -> None:
    """Read a text of no common layout."""
    if pc.match_substring_regex(pa.scalar(text), _NUMBER).as_py():
        value = np.array([float(text.replace(",", "."))])
        if context.ns_per_unit is None and value[0] < SERIAL_BELOW:
            one = np.zeros(len(times.index), dtype=np.bool_)
            one[row] = True
            put_numbers(times, np.full(len(one), value[0]), one, context, is_1904=False)
            return
        times.put_one(row, int(text) if text.isdigit() and len(text) < 20 else float(value[0]))
        return
    times.put_one(row, text)


def _put_layout(
    times: Times, texts: pa.StringArray, rest: Bools, pattern: str, context: Context
) -> Bools:
    """Read the cells of one layout; return which those are."""
    parts = pc.extract_regex(texts, pattern)
    fits: Bools = rest & parts.is_valid().to_numpy(zero_copy_only=False)
    if not fits.any():
        return fits
    picked = parts.filter(pa.array(fits))
    year, month, day = (_ints(picked, name) for name in "ymd")
    hour, minute, second = (_ints(picked, name) for name in "hns")
    year = np.where(year < 100, year + 2000, year)
    fraction = _ints(picked, "f", pad=6)
    # Months beyond 12 and the like are left to be read one by one.
    months = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    days = months.astype("M8[M]").astype("M8[D]") + (day - 1)
    good = (month >= 1) & (month <= 12) & (days.astype("M8[M]").astype(np.int64) == months)
    good &= (hour <= 23) & (minute <= 59) & (second <= 59)
    clock_us = ((hour * 60 + minute) * 60 + second) * SECOND_US + fraction
    naive_us = days.astype(np.int64) * DAY_US + clock_us
    utc_us = _to_utc(naive_us, picked, context) if "P<z>" in pattern else None
    done = fits.copy()
    done[fits] = good
    found = local_to_utc(naive_us, context.zone) if utc_us is None else utc_us
    times.put(done, found[good])
    return done


def _to_utc(naive_us: Int64s, parts: pa.StructArray, context: Context) -> Int64s:
    zones = parts.field("z").dictionary_encode()
    codes = zones.indices.to_numpy(zero_copy_only=False)
    found = naive_us.copy()
    for code, text in enumerate(zones.dictionary.to_pylist()):
        rows = codes == code
        if text:
            found[rows] -= _offset_of(text)
        else:
            found[rows] = local_to_utc(naive_us[rows], context.zone)
    return found


def _offset_of(text: str) -> int:
    if text in "Zz":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return (-minutes if text[0] == "-" else minutes) * 60 * SECOND_US


def _ints(parts: pa.StructArray, name: str, pad: int = 0) -> Int64s:
    texts = parts.field(name)
    if pad:
        texts = pc.utf8_slice_codeunits(pc.utf8_rpad(texts, pad, "0"), 0, pad)
    texts = pc.if_else(pc.equal(texts, ""), "0", texts)
    found: Int64s = pc.cast(texts, pa.int64()).to_numpy(zero_copy_only=False)
    return found
