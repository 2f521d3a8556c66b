"""Blocks of many requests as one batch: sorted, unique, the later value of each column winning."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.assemble import assemble, select
from ingest.block import Block

Row = tuple[int, int, dict[int, float]]

row = st.tuples(
    st.integers(0, 3),
    st.integers(0, 4),
    st.dictionaries(st.integers(0, 2), st.integers(0, 9).map(float), max_size=3),
)
requests = st.lists(
    st.tuples(st.integers(1, 3), st.lists(row, min_size=1, max_size=6)), min_size=1, max_size=5
)


def block_of(number: int, rows: list[Row]) -> Block:
    """Make a request's block: streams 10·number + i are page 0, a row of page 1 follows each."""
    values = np.full((2 * len(rows), 16), math.nan)
    for i, (_, _, held) in enumerate(rows):
        for column, value in held.items():
            values[i, column] = values[len(rows) + i, column] = value
    streams = [10 * number + stream for stream, _, _ in rows]
    return Block(
        number,
        len(rows),
        np.array([*streams, *(s + 100 for s in streams)], dtype=np.int32),
        np.array([ts for _, ts, _ in rows] * 2, dtype=np.int64),
        values,
        frozenset(),
    )


@given(requests)
def test_it_is_as_if_each_was_stored_in_turn(made: list[tuple[int, list[Row]]]) -> None:
    expected: dict[tuple[int, int], dict[int, float]] = {}
    owners: dict[int, int] = {}
    for number, rows in made:
        for stream, ts, held in rows:
            for page in (0, 1):
                place = (10 * number + stream + 100 * page, ts)
                expected.setdefault(place, {}).update(held)
                owners[place[0]] = number * 2 + page
    batch = assemble([block_of(number, rows) for number, rows in made])
    places = list(zip(batch.rows.stream_id.tolist(), batch.rows.ts_us.tolist(), strict=True))
    assert places == sorted(expected)
    for place, values, owner in zip(places, batch.rows.values, batch.owner.tolist(), strict=True):
        held = {c: float(v) for c, v in enumerate(values) if not math.isnan(v)}
        assert held == expected[place]
        assert owner == owners[place[0]]
    assert len(batch.page0_owners()) == len(expected) // 2
    evens = select(batch, batch.owner % 2 == 0)
    assert len(evens.rows) == len(expected) // 2
    assert (batch.rows.stream_id.dtype, batch.rows.ts_us.dtype) == (np.int32, np.int64)
