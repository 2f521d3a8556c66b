"""Writes readings in every format that is taken in."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from ingest.formats.media import ARROW, CSV, NDJSON, PARQUET, XLSX


def ndjson(rows: list[dict[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def csv_text(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def arrow(rows: list[dict[str, Any]] | pa.Table) -> bytes:
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def parquet(rows: list[dict[str, Any]] | pa.Table) -> bytes:
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def xlsx(rows: list[dict[str, Any]]) -> bytes:
    return workbook({"Sheet1": [list(rows[0]), *(list(row.values()) for row in rows)]})


def workbook(sheets: dict[str, list[list[Any]]], *, is_1904: bool = False) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    if is_1904:
        book.epoch = CALENDAR_MAC_1904
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


MAKERS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    NDJSON: ndjson,
    CSV: csv_text,
    XLSX: xlsx,
    ARROW: arrow,
    PARQUET: parquet,
}
