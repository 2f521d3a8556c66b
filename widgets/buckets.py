"""The SQL that names the bucket of a part's time `t`.

Pure. Buckets come as microseconds since 1970, so that no object is made of each; what is grouped by is
cheaper than that.
"""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec

from twin.clock import to_datetime, to_rfc3339
from widgets.grid import FixedGrid
from widgets.window import Window

_EDGES = "%(edges)s::timestamptz[]"


class BucketSql(msgspec.Struct, frozen=True):
    """A bucket's begin in µs, 0 where there are no buckets, and what to group by."""

    shown: str
    key: str


def bucket_sql(window: Window | None, params: dict[str, Any]) -> BucketSql:
    """Return the SQL of a window's buckets, and give `params` what it refers to."""
    if window is None:
        return BucketSql("0::bigint", "1")  # the first column
    if isinstance(window.grid, FixedGrid):
        width_us, origin_us = window.grid.width_us, window.grid.origin_us
    else:
        width_us, origin_us = _even_width_us(window), window.starts[0]
    if width_us:
        params["width"] = timedelta(microseconds=width_us)
        params["origin"] = to_datetime(origin_us)
        begin = "date_bin(%(width)s, t, %(origin)s)"
        return BucketSql(microseconds(begin), begin)
    # As text: psycopg takes ten times as long to write a list of datetimes.
    params["edges"] = f"{{{','.join(map(to_rfc3339, window.starts))}}}"
    number = f"width_bucket(t, {_EDGES})"
    return BucketSql(microseconds(f"({_EDGES})[{number}]"), number)


def microseconds(moment: str) -> str:
    """Return the SQL of a moment in µs. Exact until 2106: a double holds it to half a microsecond."""
    return f"(date_part('epoch', {moment}) * 1000000)::bigint"


def _even_width_us(window: Window) -> int:
    """Return the width that all buckets of a window have, or 0: a day of 25 hours is among them."""
    edges = (*window.starts, window.grid.after(window.starts[-1]))
    width_us = edges[1] - edges[0]
    return width_us if all(b - a == width_us for a, b in pairwise(edges)) else 0
