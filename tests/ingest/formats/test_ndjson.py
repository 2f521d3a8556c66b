"""NDJSON: lines, what is wrong with them, and where they may be cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.parsing import NOW_US, parse

from ingest.formats.media import NDJSON
from twin.errors import Unreadable

T0 = 1_700_000_000


def test_lines_are_readings() -> None:
    body = (
        b'\xef\xbb\xbf{"ts":1700000000,"a":1,"m":{"b":true}}\r\n\n  \n'
        b'{"values":{"a":2},"device":"x"}\n{"a":null}'
    )
    found = parse(NDJSON, body)
    assert found.faults == []
    assert found.values == [{"a": 1, "m.b": True}, {"a": 2}, {}]
    assert found.times == [T0 * 10**6, NOW_US + 1, NOW_US + 2]
    assert [r.device for r in found.readings] == ["", "x", ""]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b'{"a":1}{"a":2}', "not JSON"),
        (b'{"a":1},', "not JSON"),
        (b"nonsense", "not JSON"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b"[1]", "must be an object"),
        (b'[{"a":1}]', "must be an object"),
        (b"5", "must be an object"),
        (b"[" * 5000, "deeply"),
        (b'{"a":[1]}', "array"),
        (b"{}", "names no key"),
    ],
)
def test_a_bad_line_is_named_and_costs_only_itself(line: bytes, reason: str) -> None:
    found = parse(NDJSON, b'{"a":1}\n' + line + b'\n{"a":3}\n')
    assert [index for index, _ in found.faults] == [1]
    assert reason in found.messages[0]
    assert [found.values[0], found.values[2]] == [{"a": 1}, {"a": 3}]


@pytest.mark.parametrize("body", [b"", b"\n", b" \n\r\n"])
def test_nothing_is_no_body(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(NDJSON, body)


rows = st.lists(
    st.dictionaries(
        st.sampled_from(["a", "b", "values", "device", "ts"]),
        st.one_of(st.integers(), st.text(max_size=4), st.booleans(), st.none()),
    ),
    min_size=1,
    max_size=8,
)


@given(rows, st.integers(1, 30))
def test_pieces_make_no_difference(rows: list[dict[str, Any]], piece: int) -> None:
    body = "\n".join(map(json.dumps, rows)).encode()
    whole, cut = parse(NDJSON, body), parse(NDJSON, body, piece=piece)
    assert (cut.values, cut.times, cut.faults) == (whole.values, whole.times, whole.faults)
    assert len(whole.readings) == len(rows)
