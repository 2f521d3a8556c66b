"""Bodies → readings: tables of what is read and of what is not, and anything at all."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import CONTEXT, NOW_US

from ingest.answer import render
from ingest.json_shapes import MAX_DEPTH, parse
from ingest.readings import Reading
from twin.errors import Invalid, TooLarge, TwinfeedError, Unreadable

MOST = 5


def read(document: Any) -> list[tuple[str, int, dict[str, Any]]]:
    """Return device, µs after receipt and values of each reading; none has a fault."""
    readings = parse(json.dumps(document).encode(), CONTEXT, MOST)
    assert [r.index for r in readings] == list(range(len(readings)))
    assert not any(r.faults for r in readings)
    return [(r.device, r.ts_us - NOW_US, dict(r.values)) for r in readings]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"a": 1}, [("", 0, {"a": 1})]),
        ({"a": {"b": {"c": True}}, "d": None}, [("", 0, {"a.b.c": True, "d": None})]),
        ({"values": {"a": 1}, "device": "x"}, [("x", 0, {"a": 1})]),
        ({"values": 1, "a": 2}, [("", 0, {"values": 1, "a": 2})]),
        ([{"a": 1}, {"values": {"a": 2}}], [("", 0, {"a": 1}), ("", 1, {"a": 2})]),
        ({"ts": NOW_US - 5, "a": 1}, [("", -5, {"a": 1})]),
        ({"ts": None, "time": None, "device": None, "a": 1}, [("", 0, {"a": 1})]),
        (
            {"g": {"m": ["A", "B"], "u": [1, 2], "v": [3, None]}},
            [("A", 0, {"g.u": 1, "g.v": 3}), ("B", 1, {"g.u": 2, "g.v": None})],
        ),
        (
            {"g": {"m": ["A"], "u": [1]}, "h": {"m": ["A"], "w": [2]}},
            [("A", 0, {"g.u": 1}), ("A", 1, {"h.w": 2})],
        ),
        (
            {"values": {"a": [1, None]}},
            [("", 0, {"a": 1}), ("", 1, {"a": None})],
        ),
        (
            {"ts": [NOW_US, NOW_US - 1], "values": {"a": ["x", "y"]}, "device": ["p", None]},
            [("p", 0, {"a": "x"}), ("", -1, {"a": "y"})],
        ),
    ],
)
def test_what_is_read(document: Any, expected: list[tuple[str, int, dict[str, Any]]]) -> None:
    assert read(document) == expected


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ([], Unreadable),
        ({"values": {"a": []}}, Unreadable),
        (1, Invalid),
        ("x", Invalid),
        (None, Invalid),
        ([{"a": 1}] * (MOST + 1), TooLarge),
        ({"values": {"a": [1] * (MOST + 1)}}, TooLarge),
        ({"g": {"m": ["x"] * (MOST + 1), "n": [1] * (MOST + 1)}}, TooLarge),
        ({"values": {"a": [1], "b": [1, 2]}}, Invalid),
        ({"values": {"a": [1], "b": 1}}, Invalid),
        ({"ts": 1, "values": {"a": [1]}}, Invalid),
        ({"ts": [1], "time": [1], "values": {"a": [1]}}, Invalid),
        ({"device": "x", "g": {"m": ["A"], "u": [1]}}, Invalid),
    ],
)
def test_what_is_not_readings(document: Any, error: type[TwinfeedError]) -> None:
    with pytest.raises(error):
        parse(json.dumps(document).encode(), CONTEXT, MOST)


@pytest.mark.parametrize(
    ("item", "key"),
    [
        (1, None),
        ({}, None),
        ({"values": {}}, None),
        ({"a": [1]}, "a"),
        ({"a": {"b": []}}, "a.b"),
        ({"ts": "x", "a": 1}, "ts"),
        ({"timestamp": -1, "a": 1}, "timestamp"),
        ({"ts": 1, "time": 1, "a": 1}, "time"),
        ({"device": 1, "a": 1}, "device"),
        ({"values": {"a": 1}, "b": 1}, "b"),
        ({"g": {"m": ["A", "B"], "n": [1]}}, "g.m"),
    ],
)
def test_a_fault_is_named_and_costs_one_reading(item: Any, key: str | None) -> None:
    fine, bad = parse(json.dumps([{"a": 1}, item]).encode(), CONTEXT, MOST)
    assert not fine.faults
    assert (bad.faults[0].index, bad.faults[0].key) == (1, key)


@pytest.mark.parametrize(("depth", "is_fine"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_depth_is_bounded(depth: int, is_fine: bool) -> None:
    body = b'{"a":' * (depth + 1) + b"1" + b"}" * (depth + 1)
    (reading,) = parse(body, CONTEXT, MOST)
    assert (not reading.faults) == is_fine


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=4),
        st.sampled_from(["2023-01-01T00:00:00Z", "x"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                st.sampled_from(["ts", "time", "device", "values", "a", "g"]), st.text(max_size=3)
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@given(anything)
def test_any_document_is_readings_or_an_error_of_ours(document: Any) -> None:
    try:
        readings = parse(json.dumps(document).encode(), CONTEXT, MOST)
    except (Unreadable, Invalid, TooLarge):
        return
    check(readings)


@given(st.binary(max_size=60))
def test_any_bytes_are_readings_or_an_error_of_ours(body: bytes) -> None:
    try:
        readings = parse(body, CONTEXT, MOST)
    except (Unreadable, Invalid, TooLarge):
        return
    check(readings)


def check(readings: list[Reading]) -> None:
    """Check that readings hold only values, and that their faults can be told."""
    assert len(readings) >= 1
    for reading in readings:
        assert isinstance(reading.device, str)
        assert all(
            value is None or isinstance(value, (bool, int, float, str))
            for _, value in reading.values
        )
    faults = [fault for reading in readings for fault in reading.faults]
    status, body = render(0, len(readings), faults)
    assert status == 422
    assert json.loads(body)["rejected"] == len(readings)
