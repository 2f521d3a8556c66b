"""ThingsBoard telemetry: no body is more than refused."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.foreign.thingsboard import is_telemetry, parse
from twin.errors import TooLarge, Unreadable

NOW_US = 1_700_000_000_000_000
REAL = json.dumps(
    [{"ts": 1_600_000_000_000, "values": {"a": 1.5, "b": {"c": True}}}, {"d": "x", "e": None}]
).encode()
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["ts", "values", "a", ""]), inner, max_size=3)
    ),
    max_leaves=10,
)


def read(body: bytes) -> None:
    with suppress(Unreadable, TooLarge):
        parse(body, NOW_US, 1000)


def test_a_batch_is_read() -> None:
    first, second = parse(REAL, NOW_US, 2)
    assert (first.ts_us, first.values) == (1_600_000_000_000_000, [("a", 1.5), ("b.c", True)])
    assert (second.ts_us, second.values) == (NOW_US + 1, [("d", "x"), ("e", None)])
    with pytest.raises(TooLarge):
        parse(REAL, NOW_US, 1)


@given(ANY)
def test_no_document_is_more_than_refused(document: Any) -> None:
    read(json.dumps(document).encode())


@given(st.data())
def test_damaged_bodies_are_no_more_than_refused(data: st.DataObject) -> None:
    damaged = bytearray(REAL)
    at = data.draw(st.integers(0, len(damaged) - 1))
    damaged[at] = data.draw(st.integers(0, 255))
    read(bytes(damaged))
    read(bytes(damaged[:at]))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/key/telemetry", True),
        ("/api/v1//telemetry", False),
        ("/api/v1/telemetry", False),
        ("/api/v1/a/b/telemetry", False),
        ("/api/v1/key/attributes", False),
        ("/api/v2/key/telemetry", False),
    ],
)
def test_the_path_is_recognised(path: str, expected: bool) -> None:
    assert is_telemetry(path) is expected
