"""Judging by column agrees with judging one by one, whatever the readings are."""

from typing import Any
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest import judge
from ingest.columns import Column, Columns, Texts, joined
from ingest.columns_judge import judge_columns
from twin.errors import ItemError
from twin.schema import DataKey, DatasourceSchema, Wanted
from twin.settings import Settings

LIMITS = Settings(
    max_keys=6,
    max_devices=3,
    max_labels=3,
    max_key_length=8,
    max_device_length=8,
    max_label_length=8,
)
TEXTS = ["x", "y", "z", "long" * 3, "a\x00"]
optional_text = st.one_of(st.none(), st.sampled_from(TEXTS))


def texts(values: list[str | None]) -> Texts:
    names = list(dict.fromkeys(v for v in values if v is not None))
    codes = [-1 if v is None else names.index(v) for v in values]
    return Texts(np.array(codes, dtype=np.int32), names)


@st.composite
def tables(draw: st.DrawFn, rows: int | None = None, first: int = 0) -> Columns:
    n = draw(st.integers(1, 6)) if rows is None else rows
    columns = []
    for key, kind in {"n": "number", "b": "boolean", "s": "text", "k20": "number"}.items():
        if not draw(st.booleans()):
            continue
        key = draw(st.sampled_from([key, key, key, "s", "toolongkey"])) if kind != "text" else key
        if any(c.key == key for c in columns):
            continue
        values: Any
        if kind == "text":
            values = texts(draw(st.lists(optional_text, min_size=n, max_size=n)))
        else:
            pool = [np.nan, 0.0, 1.0] + ([np.inf, 2.5] if kind == "number" else [])
            values = np.array(draw(st.lists(st.sampled_from(pool), min_size=n, max_size=n)))
        columns.append(Column(key, kind, values))  # type: ignore[arg-type]
    index = first + np.arange(n, dtype=np.int64)
    devices = texts(draw(st.lists(optional_text, min_size=n, max_size=n)))
    bad = draw(st.lists(st.integers(0, n - 1), max_size=2))
    faults = [ItemError("bad", index=first + row, key="ts") for row in bad]
    return Columns(index, index * 1000, devices, columns, faults)


def schema() -> DatasourceSchema:
    made = DatasourceSchema(1, UUID(int=0), 1, "live", "test", "UTC")
    made.set_keys([DataKey("n", 0, "number"), DataKey("declared", 1, None)])
    made.set_keys([*made.keys.values(), DataKey("k20", 20, "number")])
    made.add_stream(1, "x", 0)
    made.add_label(0, "x")
    return made


def learn(made: DatasourceSchema, wanted: Wanted) -> None:
    keys = dict(made.keys)
    for key, kind in wanted.kinds.items():
        slot = keys[key].slot if key in keys else 40 + len(keys)
        keys[key] = DataKey(key, slot, kind)
    made.set_keys(list(keys.values()))
    for device, page in wanted.streams:
        made.add_stream(made.last_stream_id + 1, device, page)
    for label in wanted.labels:
        made.add_label(len(made.label_texts), label)


@given(tables())
def test_the_same_verdict_and_the_same_rows(table: Columns) -> None:
    made = schema()
    bad = {fault.index for fault in table.faults}
    one_by_one = [r for r in table.readings() if r.index not in bad]
    faulty = [r for r in table.readings() if r.index in bad]
    for _ in range(4):
        judged = judge_columns(table, made, LIMITS)
        verdict = judge.judge(one_by_one, made, LIMITS)
        assert judged.accepted == len(verdict.accepted)
        assert judged.rejected == len(bad) + verdict.rejected
        told = {(e.index, e.key, e.message) for e in judged.errors}
        more = judge.judge(faulty, made, LIMITS).errors  # of theirs, what the parser did not see
        wanted = [*table.faults, *verdict.errors, *more]
        assert told == {(e.index, e.key, e.message) for e in wanted}
        for what in ("kinds", "streams", "labels"):
            assert dict(getattr(judged.wanted, what)) == dict(getattr(verdict.wanted, what))
        if not judged.wanted:
            break
        learn(made, judged.wanted)
    assert not judged.wanted
    if judged.accepted:
        block, expected = judged.block(made), judge.to_block(verdict.accepted, made)
        assert (block.readings, block.slots) == (expected.readings, expected.slots)
        for name in ("stream_id", "ts_us", "values"):
            np.testing.assert_array_equal(getattr(block, name), getattr(expected, name))


@given(tables(rows=3), tables(rows=2, first=3))
def test_parts_joined_are_the_readings_of_both(first: Columns, second: Columns) -> None:
    kinds = {column.key: column.kind for column in first.columns}
    kept = [c for c in second.columns if kinds.get(c.key, c.kind) == c.kind]
    second = Columns(second.index, second.ts_us, second.devices, kept, second.faults, 1)
    whole = joined([first, second])

    def said(part: Columns) -> list[Any]:
        return [
            (r.index, r.device, r.ts_us, {k: v for k, v in r.values if v is not None})
            for r in part.readings()
        ]

    assert said(whole) == said(first) + said(second)
    assert whole.lost == 1
    assert len(whole.faults) == len(first.faults) + len(second.faults)
