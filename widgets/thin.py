"""Which readings of a line to show when there are more than points: picked, not averaged.

Pure. What is picked are readings themselves, at their own times. LTTB (Steinarsson 2013) keeps the
line's shape and both of its ends, min-max every extreme; both by `tsdownsample`.
"""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from tsdownsample import LTTBDownsampler, MinMaxDownsampler

from twin.batch import Floats, Int64s

_POSTGRES_EPOCH_US = 946_684_800_000_000
"""2000-01-01, from which PostgreSQL counts microseconds."""
FEWEST_BY_TIME = 4
"""Fewest extremes that are picked from equal stretches of time: two of each."""
_ARRAY_HEADER_BYTES = 20
"""Of a one-dimensional array in binary: dimensions, null flag, type, length, lower bound."""
_INT64 = np.dtype([("size", ">i4"), ("value", ">i8")])
_FLOAT64 = np.dtype([("size", ">i4"), ("value", ">f8")])


class Samples(msgspec.Struct, frozen=True):
    """Values by time: µs, each once and in order, and as many values."""

    ts_us: Int64s
    values: Floats


def decode(times: bytes, values: bytes) -> Samples:
    """Return the samples of two arrays as `array_send` gives them, ordered by time."""
    ts_us = _elements(times, _INT64).astype(np.int64) + _POSTGRES_EPOCH_US
    order = np.argsort(ts_us, kind="stable")
    return Samples(ts_us[order], _elements(values, _FLOAT64).astype(np.float64)[order])


def thin(samples: Samples, how: str, points: int) -> Samples:
    """Return at most `points` of the samples; `how` is lttb (points >= 3) or minmax (points >= 2)."""
    if len(samples.ts_us) <= points:
        return samples
    since_us = samples.ts_us - samples.ts_us[0]
    if how == "lttb":
        picked = LTTBDownsampler().downsample(since_us, samples.values, n_out=points)
    else:
        picked = _extremes(since_us, samples.values, points)
    return Samples(samples.ts_us[picked], samples.values[picked])


def _extremes(since_us: Int64s, values: Floats, points: int) -> Int64s:
    # Rounding may leave the last value out of the last bin (tsdownsample 0.1.5): it is always
    # picked. A single bin by time makes the library panic.
    count = (points - 1) // 2 * 2
    if count < FEWEST_BY_TIME:
        return np.unique([values.argmin(), values.argmax()])
    picked = MinMaxDownsampler().downsample(since_us, values, n_out=count)
    return np.unique(np.append(picked, len(values) - 1)).astype(np.int64)


def _elements(sent: bytes, kind: np.dtype[np.void]) -> npt.NDArray[Any]:
    return np.frombuffer(sent, dtype=kind, offset=_ARRAY_HEADER_BYTES)["value"]
