"""Columns of JSON read as arrays say what the general path says, or nothing."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.examples import CONTEXT, NOW_US, make_schema

from ingest import json_columns, json_shapes
from ingest.columns_judge import Judged, judge_any
from twin.settings import Settings

MOST = 6
LIMITS = Settings(max_keys=20, max_labels=3, max_label_length=5, max_devices=4, max_key_length=9)
SCHEMA = make_schema()

ROWS = st.shared(st.integers(0, 4), key="rows")


def column(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Mostly as many values as the other columns have."""
    return ROWS.flatmap(lambda n: st.lists(st.none() | values, min_size=n, max_size=n))


numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, -0.0, 10**400, 1e308, 5e-324, 2**53 + 1]),
)
texts = st.sampled_from(["on", "off", "new", "much too long", "", "a\x00"])
anything = st.one_of(numbers, st.booleans(), texts, st.just([1]), st.just({"x": 1}))
columns = st.one_of(
    *(column(kind) for kind in (numbers, numbers, st.booleans(), texts, anything)),
    st.lists(numbers, max_size=5),
    st.just(1),
    st.fixed_dictionaries({"deep": column(numbers)}),
)
keys = st.sampled_from(["n", "m", "b", "s", "deep.er", "declared", "far", "far text", "new", ""])
times = st.one_of(
    st.integers(NOW_US - 10**9, NOW_US),
    st.sampled_from([0, -1, 1.5, True, "2023-01-01T00:00:00Z", "2023-01-01 00:00", "x", 2**70]),
)
devices = st.one_of(
    st.none(), st.sampled_from(["x", "", 1]), column(st.sampled_from(["x", "y", "", "a\x00", 1]))
)
documents = st.fixed_dictionaries(
    {"values": st.dictionaries(keys, columns, max_size=4)},
    optional={
        "ts": column(times) | ROWS.map(lambda n: [NOW_US - 9] * n) | times,
        "time": st.none() | column(times),
        "device": devices,
        "other": numbers,
    },
)


def rows(judged: Judged) -> Any:
    if not judged.accepted or judged.wanted:
        return None
    block = judged.block(SCHEMA)
    order = np.lexsort((block.ts_us, block.stream_id))
    return [a[order].tolist() for a in (block.stream_id, block.ts_us, np.nan_to_num(block.values))]


def told(judged: Judged) -> Any:
    return (
        judged.accepted,
        judged.rejected,
        judged.errors,
        dict(judged.wanted.kinds),
        set(judged.wanted.streams),
        set(judged.wanted.labels),
        rows(judged),
    )


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(documents)
def test_it_says_what_the_general_path_says(document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    found = json_columns.parse(body, CONTEXT, MOST)
    if found is not None:
        expected = judge_any(json_shapes.parse(body, CONTEXT, MOST), SCHEMA, LIMITS)
        assert told(judge_any(found, SCHEMA, LIMITS)) == told(expected)


@pytest.mark.parametrize(
    "document",
    [
        {"ts": [NOW_US, NOW_US - 1], "values": {"n": [1, 2.5]}},
        {"values": {"n": [None, 2.5], "b": [True, None], "s": ["on", "new"]}, "device": "x"},
        {"time": ["2023-01-01T00:00:00+02:00"], "values": {"new": ["a"]}, "device": [None]},
        {"values": {"n": ["text"], "m": [1]}},
    ],
)
def test_what_is_usual_is_read(document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    found = json_columns.parse(body, CONTEXT, MOST)
    assert found is not None
    expected = judge_any(json_shapes.parse(body, CONTEXT, MOST), SCHEMA, LIMITS)
    assert told(judge_any(found, SCHEMA, LIMITS)) == told(expected)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'[{"values": {"n": [1]}}]',
        b'{"values": {}}',
        b'{"values": {"n": []}}',
        b'{"values": {"n": [1, 2, 3, 4, 5, 6, 7]}}',
        b'{"values": {"n": [1], "m": [1, 2]}}',
        b'{"values": {"n": [1], "m": [null]}}',
        b'{"values": {"n": [1e999]}}',
        b'{"values": {"n": [1, "a"]}}',
        b'{"values": {"n": [1]}, "ts": [1], "time": [1]}',
        b'{"values": {"n": [1]}, "other": 1}',
    ],
)
def test_the_rest_is_left_to_the_general_path(body: bytes) -> None:
    assert json_columns.parse(body, CONTEXT, MOST) is None
