"""Where a batch's newest rows are, against sorting all of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.newest import Newest, newest_of

PLACES = st.sets(st.tuples(st.integers(1, 6), st.integers(0, 5)), min_size=1)


@given(PLACES)
def test_the_newest_two_by_time_and_stream(places: set[tuple[int, int]]) -> None:
    rows = sorted(places)
    stream_id = np.array([stream for stream, _ in rows], dtype=np.int32)
    ts_us = np.array([ts for _, ts in rows], dtype=np.int64)
    first, *more = sorted(((ts, stream) for stream, ts in rows), reverse=True)
    assert newest_of(stream_id, ts_us) == Newest(*first, *(more or [first])[0])
