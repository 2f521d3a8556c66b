"""The fast path says what the general path says, or nothing."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.examples import CONTEXT, NOW_US, make_schema

from ingest import json_shapes
from ingest.block import Block
from ingest.fast import FastCodec
from ingest.judge import judge, to_block
from twin.errors import TwinfeedError
from twin.settings import Settings

LIMITS = Settings()
SCHEMA = make_schema()
CODEC = FastCodec(SCHEMA)
MOST = 6


def general(body: bytes) -> Block | None:
    """Return the general path's rows if it accepts every reading and has nothing to learn."""
    try:
        readings = json_shapes.parse(body, CONTEXT, MOST)
    except TwinfeedError:
        return None
    verdict = judge(readings, SCHEMA, LIMITS)
    return None if verdict.rejected or verdict.wanted else to_block(verdict.accepted, SCHEMA)


numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, -0.0, 10**400, 1e308, 5e-324, 2**53 + 1]),
)
odd = st.one_of(st.none(), st.booleans(), st.text(max_size=3), st.just([1]), st.just({"x": 1}))
values = st.fixed_dictionaries(
    {},
    optional={
        "n": st.one_of(numbers, odd),
        "m": numbers,
        "b": st.one_of(st.booleans(), st.booleans(), odd),
        "s": st.one_of(st.sampled_from(["on", "off", "new"]), odd),
        "deep.er": numbers,
        "deep": st.fixed_dictionaries({"er": numbers}),
        "declared": st.one_of(st.none(), numbers),
        "far": numbers,
        "far text": st.sampled_from(["on", "off"]),
        "unknown": numbers,
    },
)
usual_values = st.fixed_dictionaries(
    {"n": numbers},
    optional={
        "m": numbers,
        "b": st.booleans(),
        "s": st.sampled_from(["on", "off"]),
        "deep.er": numbers,
        "far": numbers,
    },
)
times = st.one_of(
    st.none(),
    st.integers(0, 1_700_086_400),
    st.integers(0, NOW_US),
    st.integers(-10, 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z"),
    st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "Z"),
    st.text("0123456789-:TZ.+ ", max_size=28),
    st.booleans(),
)
heads = st.fixed_dictionaries(
    {}, optional={"ts": times, "device": st.sampled_from(["", "x", "y", "z", None, 5])}
)
usual_heads = st.fixed_dictionaries(
    {"ts": st.integers(1_600_000_000, 1_700_000_000)},
    optional={"device": st.sampled_from(["", "x"])},
)


@st.composite
def documents(draw: st.DrawFn) -> Any:
    pairs = draw(
        st.lists(
            st.one_of(st.tuples(usual_heads, usual_values), st.tuples(heads, values)),
            min_size=1,
            max_size=MOST + 1,
        )
    )
    if draw(st.booleans()):
        readings: list[Any] = [{**head, **held} for head, held in pairs]
    else:
        readings = [{**head, "values": held} for head, held in pairs]
    return readings[0] if len(readings) == 1 and draw(st.booleans()) else readings


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
@example([{"n": 1}, {}])
@example([{"n": 1}, {"s": None}])
@example({"s": None})
@example([{"ts": 1, "n": 1}, {"ts": 10**12, "n": 2}])
@example([{"ts": "2023-02-30T00:00:00Z", "n": 1}] * 2)
@example([{"ts": "2023-02-28T24:00:00Z", "n": 1}] * 2)
@example({"values": {"n": 1}, "n": 2})
def test_both_paths_agree(document: Any) -> None:
    body = json.dumps(document).encode()
    fast = CODEC.block(body, CONTEXT, MOST)
    if fast is None:
        return
    same = general(body)
    assert same is not None, "the fast path accepts what the general path does not"
    assert fast.datasource_no == same.datasource_no
    assert fast.readings == same.readings
    assert fast.slots == same.slots
    np.testing.assert_array_equal(fast.stream_id, same.stream_id)
    np.testing.assert_array_equal(fast.ts_us, same.ts_us)
    np.testing.assert_array_equal(fast.values, same.values)


@pytest.mark.parametrize(
    "document",
    [
        {"n": 1},
        {"ts": 1_600_000_000, "n": 1, "b": True, "s": "on", "device": "x", "far": 2},
        [{"n": 1.5}, {"m": 2}],
        [{"ts": 1_600_000_000_000, "values": {"n": 1}}] * 3,
        [{"ts": "2020-01-01T00:00:00Z", "n": 1, "device": "x", "far": 1}] * 2,
        [{"ts": "2020-01-01T00:00:00.123456Z", "b": False}] * 2,
    ],
)
def test_the_ordinary_takes_the_fast_path(document: Any) -> None:
    block = CODEC.block(json.dumps(document).encode(), CONTEXT, MOST)
    assert block is not None
    assert block.readings == (len(document) if isinstance(document, list) else 1)


def test_as_many_readings_as_allowed_and_no_more() -> None:
    body = json.dumps([{"n": 1}] * MOST).encode()
    assert CODEC.block(body, CONTEXT, MOST) is not None
    assert CODEC.block(body, CONTEXT, MOST - 1) is None


def test_a_codec_serves_its_schema_until_the_keys_change() -> None:
    schema = make_schema()
    codec = FastCodec(schema)
    assert codec.serves(schema)
    assert not codec.serves(make_schema())
    schema.set_keys([*schema.keys.values()])
    assert codec.serves(schema)
    schema.set_keys([*schema.keys.values()][:-1])
    assert not codec.serves(schema)
