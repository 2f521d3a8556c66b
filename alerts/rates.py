"""Rates per minute between a device's consecutive readings, by event time. Pure.

A value below the one before means that a counter began anew at zero, as elsewhere in Twinfeed. A value
older than a week is not known any more: no rate is made over such a gap.
"""

import numpy as np

from alerts.known import KNOWN_FOR_US, Known
from alerts.plan import Rate
from twin.batch import Floats, Rows

_MINUTE_US = 60_000_000


def read_rates(watched: list[Rate], rows: Rows, known: Known) -> Floats:
    """Return [rows, watched] rates per minute; NaN where there is no value before.

    `known`: the newest values stored before, of the streams that are watched.
    """
    rates = np.full((len(rows), len(watched)), np.nan)
    for place, rate in enumerate(watched):
        rates[:, place] = _rates(rate, rows, known)
    return rates


def _rates(rate: Rate, rows: Rows, known: Known) -> Floats:
    value = rows.values[:, rate.column]
    own = np.flatnonzero(~np.isnan(value) & np.isin(rows.stream_id, rate.stream_id))
    before = known.of_column(rate.column)
    stream = np.concatenate([before.stream_id, rows.stream_id[own]])
    ts_us = np.concatenate([before.ts_us, rows.ts_us[own]])
    values = np.concatenate([before.value, value[own]])
    order = np.lexsort((ts_us, stream))
    stream, ts_us, values = stream[order], ts_us[order], values[order]
    passed_us = np.diff(ts_us)
    follows = (np.diff(stream) == 0) & (passed_us > 0) & (passed_us <= KNOWN_FOR_US)
    rise = np.diff(values)
    rise = np.where(rise < 0, values[1:], rise)
    made = np.full(len(order), np.nan)
    made[1:][follows] = rise[follows] / passed_us[follows] * _MINUTE_US
    found = np.full(len(rows), np.nan)
    is_own = order >= len(before.stream_id)
    found[own[order[is_own] - len(before.stream_id)]] = made[is_own]
    return found
