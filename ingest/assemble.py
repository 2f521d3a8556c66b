"""Blocks of many requests → the rows of one transaction. Pure.

Sorted by (stream, time), which makes the insert faster, and every pair once: of equal pairs the later
value of each column wins.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from ingest.block import Block
from twin.batch import Floats, Int32s, Int64s, Rows


class Batch(msgspec.Struct, frozen=True):
    """Rows to commit. `owner` int64[n]: datasource number × 2, plus 1 for rows of later pages."""

    rows: Rows
    owner: Int64s

    def page0_owners(self) -> Int64s:
        """Return the owner of each reading: rows of page 0."""
        readings: Int64s = self.owner[self.owner % 2 == 0]
        return readings


def assemble(blocks: Sequence[Block]) -> Batch:
    """Return the rows of blocks, in the order given, as one batch."""
    owner = _owners(blocks)
    if len(blocks) == 1:
        first = blocks[0]
        stream_id, ts_us, values = first.stream_id, first.ts_us, first.values
    else:
        stream_id = np.concatenate([b.stream_id for b in blocks])
        ts_us = np.concatenate([b.ts_us for b in blocks])
        values = np.concatenate([b.values for b in blocks])
    if not _is_sorted(stream_id, ts_us):
        order = np.lexsort((ts_us, stream_id))  # stable: equal pairs stay in the order of arrival
        stream_id, ts_us = stream_id[order], ts_us[order]
        values, owner = values[order], owner[order]
        is_first = np.ones(len(order), dtype=bool)
        is_first[1:] = (stream_id[1:] != stream_id[:-1]) | (ts_us[1:] != ts_us[:-1])
        if not is_first.all():
            starts = np.flatnonzero(is_first)
            values = _last_of_each(values, starts)
            stream_id, ts_us, owner = stream_id[starts], ts_us[starts], owner[starts]
    return Batch(Rows(stream_id, ts_us, values), owner)


def select(batch: Batch, mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Batch:
    """Return the rows of a batch for which bool[n] holds."""
    return Batch(batch.rows.take(mask), batch.owner[mask])


def _owners(blocks: Sequence[Block]) -> Int64s:
    lengths = [len(b.stream_id) for b in blocks]
    owner = np.repeat(np.array([b.datasource_no * 2 for b in blocks], dtype=np.int64), lengths)
    end = 0
    for block, length in zip(blocks, lengths, strict=True):
        end += length
        if length > block.readings:
            owner[end - length + block.readings : end] += 1
    return owner


def _is_sorted(stream_id: Int32s, ts_us: Int64s) -> bool:
    step = np.diff(stream_id)
    return bool(((step > 0) | ((step == 0) & (np.diff(ts_us) > 0))).all())


def _last_of_each(values: Floats, starts: Int64s) -> Floats:
    """Return, per group and column, the last value that is not absent."""
    place = np.where(np.isnan(values), -1, np.arange(len(values))[:, None])
    last = np.maximum.reduceat(place, starts, axis=0)
    picked = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last < 0, np.nan, picked)
