"""Where a batch's newest readings are: what lets a reader find the newest of many devices at once."""

import msgspec
import numpy as np

from twin.batch import Int32s, Int64s


class Newest(msgspec.Struct, frozen=True):
    """The newest two rows by (time, stream); with a single row both are that one."""

    ts_us: int
    stream: int
    second_ts_us: int
    second_stream: int


def newest_of(stream_id: Int32s, ts_us: Int64s) -> Newest:
    """Return the newest of one or more rows that are ordered by stream, each (stream, time) once."""
    latest = ts_us.max()
    at = np.flatnonzero(ts_us == latest)
    first = (int(latest), int(stream_id[at[-1]]))
    if len(at) > 1:
        return Newest(*first, int(latest), int(stream_id[at[-2]]))
    if len(ts_us) == 1:
        return Newest(*first, *first)
    before = ts_us[ts_us < latest].max()
    return Newest(*first, int(before), int(stream_id[np.flatnonzero(ts_us == before)[-1]]))
