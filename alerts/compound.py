"""Compound rules: several conditions on a device's last known values. Pure.

A *frame* holds, for each device and time in a batch, the last known value of every key that compound
rules ask for: from the batch itself, or stored before it and at most a week old. A condition whose
key is not known is not true. A reading is late for a rule when one of the rule's keys has a newer
reading that was stored before.
"""

from collections.abc import Iterator

import msgspec
import numpy as np

from alerts.evaluate import Active, Pairs, clocks_of, pairs, sift
from alerts.judge import LONG_AGO, Bools, Candidate, Ints
from alerts.known import KNOWN_FOR_US, Known
from alerts.plan import Compound, Plan
from twin.batch import Floats, Int32s, Int64s, Rows


class Frame(msgspec.Struct, frozen=True):
    """Last known values, sorted by device and time.

    values, own: [rows, keys]; own: the batch itself has this value at this time. devices: each
    once, sorted, with the newest reading stored before of each key: stored_us[devices, keys].
    """

    device: Int32s
    ts_us: Int64s
    values: Floats
    own: Bools
    devices: Int32s
    stored_us: Int64s


def find_joined(plan: Plan, active: Active, rows: Rows, known: Known) -> list[Candidate]:
    """Return the candidates of compound rules; their streams are those of the devices' page 0."""
    compound = plan.compound
    if compound is None or not compound.lane:
        return []
    frame = make_frame(compound, rows, known)
    if not len(frame.device):
        return []
    clocks = clocks_of(plan, frame.ts_us)
    found: list[Candidate] = []
    for rule, row in pairs(compound.lane, frame.device):
        breach, persists, present = _combined(compound, frame, rule, row)
        compared = Pairs(
            rule=rule,
            row=row,
            stream_id=frame.device[row],
            ts_us=frame.ts_us[row],
            value=_values(frame.values, row, compound.shown[rule]),
            present=present,
            breach=[breach],
            persists=[persists],
        )
        found += _timed(compound, frame, sift(plan, active, clocks, compared))
    return found


def make_frame(compound: Compound, rows: Rows, known: Known) -> Frame:
    """Lay a batch's rows and what was known before out by device and time."""
    mine, place = _placed(compound.stream_id, rows.stream_id)
    of_known, known_place = _placed(compound.stream_id, known.stream_id)
    before = known.take(of_known & ~np.isnan(known.value))
    known_place = known_place[of_known & ~np.isnan(known.value)]
    device = np.concatenate([compound.device[place[mine]], compound.device[known_place]])
    ts_us = np.concatenate([rows.ts_us[mine], before.ts_us])
    page = compound.page[place[mine]]
    order = np.lexsort((ts_us, device))
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(device[order]) != 0) | (np.diff(ts_us[order]) != 0)
    line = np.empty(len(order), np.intp)
    line[order] = np.cumsum(first) - 1
    lines = order[first]
    count = int(mine.sum())
    values = np.full((len(lines), len(compound.keys)), np.nan)
    for k, (of_page, column) in enumerate(compound.keys):
        own = np.flatnonzero(page == of_page)
        values[line[:count][own], k] = rows.values[mine][own, column]
    has = ~np.isnan(values)
    for k, (of_page, column) in enumerate(compound.keys):
        one = np.flatnonzero((before.column == column) & (compound.page[known_place] == of_page))
        values[line[count:][one], k] = before.value[one]
    devices = np.unique(device)
    stored_us = np.full((len(devices), len(compound.keys)), LONG_AGO)
    for k, (of_page, column) in enumerate(compound.keys):
        one = np.flatnonzero((before.column == column) & (compound.page[known_place] == of_page))
        at = np.searchsorted(devices, compound.device[known_place[one]])
        stored_us[at, k] = before.ts_us[one]
    frame = Frame(device[lines], ts_us[lines], values, has, devices, stored_us)
    return msgspec.structs.replace(frame, values=_filled(frame))


def _placed(sorted_ids: Int32s, ids: Int32s) -> tuple[Bools, Ints]:
    """Return which ids are among sorted ones, and where."""
    if not len(sorted_ids):
        return np.zeros(len(ids), np.bool_), np.zeros(len(ids), np.intp)
    at = np.minimum(np.searchsorted(sorted_ids, ids), len(sorted_ids) - 1)
    return sorted_ids[at] == ids, at


def _filled(frame: Frame) -> Floats:
    """Carry values forward, within a device and for as long as they count as known."""
    lines = np.arange(len(frame.device))
    begin = np.searchsorted(frame.device, frame.device, "left")
    filled = np.full(frame.values.shape, np.nan)
    for k in range(frame.values.shape[1]):
        seen = np.where(np.isnan(frame.values[:, k]), -1, lines)
        last = np.maximum.accumulate(seen)
        valid = last >= begin
        age_us = frame.ts_us - frame.ts_us[np.maximum(last, 0)]
        valid &= age_us <= KNOWN_FOR_US
        filled[valid, k] = frame.values[last[valid], k]
    return filled


def _combined(
    compound: Compound, frame: Frame, rule: Ints, row: Ints
) -> tuple[Bools, Bools, Bools]:
    """Return for each pair whether the rule begins, goes on, and has a reading at this time."""
    is_any = compound.is_any[rule]
    breach, persists = ~is_any, ~is_any
    present = np.zeros(len(rule), np.bool_)
    for turn, (columns, limits) in enumerate(zip(compound.columns, compound.limits, strict=True)):
        column = columns[rule]
        value = _values(frame.values, row, column)
        known = ~np.isnan(value)
        asked = turn < compound.length[rule]
        begins = limits.breach.hold(rule, value) & known
        goes_on = limits.persists.hold(rule, value) & known
        breach = np.where(is_any, breach | (asked & begins), breach & (~asked | begins))
        persists = np.where(is_any, persists | (asked & goes_on), persists & (~asked | goes_on))
        present |= (column >= 0) & frame.own[row, column]
    return breach, persists, present


def _values(values: Floats, row: Ints, column: Ints) -> Floats:
    """Return values[row, column]; NaN where there is no column."""
    found: Floats = np.where(column >= 0, values[row, column], np.nan)
    return found


def _timed(
    compound: Compound, frame: Frame, candidates: Iterator[Candidate]
) -> Iterator[Candidate]:
    """Add what each candidate's readings must not be older than."""
    for candidate in candidates:
        at = int(np.searchsorted(frame.devices, candidate.stream_id))
        columns = [int(c[candidate.rule]) for c in compound.columns if c[candidate.rule] >= 0]
        newest_us = int(frame.stored_us[at, columns].max(initial=LONG_AGO))
        yield msgspec.structs.replace(candidate, newest_us=newest_us)
