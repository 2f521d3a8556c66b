"""Judging readings by column against a datasource's schema, and their rows. Pure.

The same judgement as `ingest/judge.py`, on whole columns while nothing is wrong with them. When a
kind, a name or a bound is, the readings are judged one by one, so that each bad key is named.
"""

import msgspec
import numpy as np

from ingest import judge
from ingest.answer import MAX_ERRORS
from ingest.block import Block, PageRows, empty_page
from ingest.columns import Bools, Column, Columns, Texts
from ingest.readings import Reading
from twin.batch import Floats, Int32s
from twin.errors import ItemError
from twin.schema import DatasourceSchema, Wanted
from twin.settings import Settings


class Judged(msgspec.Struct):
    """How many readings are accepted, what is wrong with the others, what has to be learned.

    `good` are the accepted ones; `block` makes rows of them once nothing is wanted any more.
    """

    accepted: int
    rejected: int
    errors: list[ItemError]
    wanted: Wanted
    good: Columns | list[Reading]

    def block(self, schema: DatasourceSchema) -> Block:
        """Return the rows; the schema has learned all they need."""
        if isinstance(self.good, Columns):
            return _to_block(self.good, schema)
        return judge.to_block(self.good, schema)


def judge_any(found: Columns | list[Reading], schema: DatasourceSchema, limits: Settings) -> Judged:
    """Judge readings in either form."""
    if isinstance(found, Columns):
        return judge_columns(found, schema, limits)
    verdict = judge.judge(found, schema, limits)
    accepted = verdict.accepted
    return Judged(len(accepted), verdict.rejected, verdict.errors, verdict.wanted, accepted)


def judge_columns(columns: Columns, schema: DatasourceSchema, limits: Settings) -> Judged:
    """Judge readings; a reading is accepted or rejected whole, every bad key of it named."""
    faults, good = columns.faults, columns
    if faults:
        faulty = columns.faulty()
        good = columns.pick(~faulty)
        faults = _all_faults(columns, faulty, schema, limits)
    rejected = columns.lost + len(columns) - len(good)
    wanted = _wanted(good, schema, limits)
    if wanted is not None:
        return Judged(len(good), rejected, faults, wanted, good)
    found = judge_any(good.readings(), schema, limits)
    found.rejected += rejected
    found.errors = sorted([*faults, *found.errors], key=lambda error: error.index or 0)
    return found


def _all_faults(
    columns: Columns, faulty: Bools, schema: DatasourceSchema, limits: Settings
) -> list[ItemError]:
    """Return what the parser found, and what else is wrong with as many readings as are listed."""
    listed = faulty & (np.cumsum(faulty) <= MAX_ERRORS)
    others = judge.judge(columns.pick(listed).readings(), schema, limits).errors
    return sorted([*columns.faults, *others], key=lambda error: error.index or 0)


def _wanted(columns: Columns, schema: DatasourceSchema, limits: Settings) -> Wanted | None:
    """Return what readings need and the schema lacks, or None when one of them may be bad."""
    wanted = Wanted()
    devices = _names(columns.devices)
    new_devices = [d for d in devices if d not in schema.devices]
    if len(schema.devices) + len(new_devices) > limits.max_devices:
        return None
    if any(judge.text_fault(d, limits.max_device_length) for d in new_devices):
        return None
    wanted.streams.update({(d, 0): None for d in devices if not schema.stream(d, 0)})
    new_keys = 0
    for column in columns.columns:
        known = schema.keys.get(column.key)
        if known is None and _is_bad_key(column.key, limits):
            return None
        present = column.present()
        if not present.any():
            continue
        if known is not None and known.kind not in (None, column.kind):
            return None
        if known is None or known.kind is None:
            wanted.kinds[column.key] = column.kind
            new_keys += known is None
        elif known.page:
            holders = _names(columns.devices.pick(present))
            wanted.streams.update(
                {(d, known.page): None for d in holders if not schema.stream(d, known.page)}
            )
        if not _values_are_good(column, schema, limits, wanted):
            return None
    full = len(schema.keys) + new_keys > limits.max_keys
    full |= len(schema.label_texts) + len(wanted.labels) > limits.max_labels
    return None if full else wanted


def _values_are_good(
    column: Column, schema: DatasourceSchema, limits: Settings, wanted: Wanted
) -> bool:
    """Return whether no value is bad; want the labels that are new."""
    if not isinstance(column.values, Texts):
        return not np.isinf(column.values).any()
    names = column.values.names
    labels = [names[i] for i in column.values.used().tolist()]
    fresh = [label for label in labels if label not in schema.label_codes]
    if any(judge.text_fault(label, limits.max_label_length) for label in fresh):
        return False
    wanted.labels.update(dict.fromkeys(fresh))
    return True


def _is_bad_key(key: str, limits: Settings) -> bool:
    return not key or judge.text_fault(key, limits.max_key_length) is not None


def _names(devices: Texts) -> list[str]:
    """Return the devices that occur; '' for readings that name none."""
    names = [devices.names[i] for i in devices.used().tolist()]
    if "" not in names and bool((devices.codes < 0).any()):
        names.append("")
    return list(dict.fromkeys(names))


def _to_block(columns: Columns, schema: DatasourceSchema) -> Block:
    pages: dict[int, Floats] = {0: empty_page(len(columns))}
    slots = set()
    for column in columns.columns:
        if not column.present().any():
            continue
        key = schema.keys[column.key]
        page = pages.get(key.page)
        if page is None:
            page = pages[key.page] = empty_page(len(columns))
        page[:, key.column] = _floats(column, schema)
        slots.add(key.slot)
    rows = PageRows(schema.no)
    for number, values in sorted(pages.items()):
        if number == 0:
            rows.add(_streams(columns.devices, 0, schema), columns.ts_us, values)
            continue
        held: Bools = np.asarray((~np.isnan(values)).any(axis=1))
        streams = _streams(columns.devices.pick(held), number, schema)
        rows.add(streams, columns.ts_us[held], values[held])
    return rows.block(frozenset(slots))


def _floats(column: Column, schema: DatasourceSchema) -> Floats:
    texts = column.values
    if not isinstance(texts, Texts):
        return texts
    codes = np.full(len(texts.names) + 1, np.nan)
    for place in texts.used().tolist():
        codes[place] = schema.label_codes[texts.names[place]]
    found: Floats = codes[texts.codes]  # -1 takes the last, which is absent
    return found


def _streams(devices: Texts, page: int, schema: DatasourceSchema) -> Int32s:
    ids = np.zeros(len(devices.names) + 1, dtype=np.int32)
    for place in devices.used().tolist():
        ids[place] = schema.devices[devices.names[place]][page]
    if bool((devices.codes < 0).any()):
        ids[-1] = schema.devices[""][page]
    found: Int32s = ids[devices.codes]
    return found
