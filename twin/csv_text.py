"""CSV for people: lines that a spreadsheet opens without taking a text for a formula."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a text that begins so for a formula, which a name in it must not become."""


def lines(rows: Iterable[Iterable[Any]]) -> str:
    """Return rows as CSV; times are RFC 3339, None is empty, objects are JSON."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(
        [_cell(value) for value in row] for row in rows
    )
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        value = msgspec.json.encode(value).decode()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
