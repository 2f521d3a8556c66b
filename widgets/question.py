"""What is asked of the readings: one key's aggregate over streams and a stretch of time. Pure."""

from typing import Literal

import msgspec
from psycopg import sql

from widgets.window import Window

Grouping = Literal["whole", "time", "device", "device_time", "value"]


class Question(msgspec.Struct, frozen=True):
    """One key's aggregate over streams and a stretch of time.

    `column`: the slot's column within its page. `window` is None when grouping needs no buckets.
    """

    streams: tuple[int, ...]
    column: int
    agg: str
    from_us: int
    end_us: int
    grouping: Grouping
    window: Window | None = None
    envelope: bool = False


def group_sql(question: Question) -> str:
    """Return the SQL of a part's group: its stream, its value, or 0."""
    if question.grouping == "value":
        return "v"
    return "grp" if question.grouping in ("device", "device_time") else "0"


def column_names(column: int) -> dict[str, sql.Composable]:
    """Return the identifiers of a slot in the readings (v) and in the rollups."""
    names = {name: sql.Identifier(f"{name}{column}") for name in ("v", "n", "s", "lo", "hi", "f")}
    return {**names, "l": sql.Identifier(f"l{column}")}


def trusted(text: str) -> sql.SQL:
    """Return SQL assembled from our own words only."""
    return sql.SQL(text)
