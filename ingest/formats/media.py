"""Which parser reads which media type."""

from collections.abc import Callable

import msgspec

from ingest.formats.arrow_stream import ArrowStreamParser
from ingest.formats.csv_table import CsvParser
from ingest.formats.ndjson import NdjsonParser
from ingest.formats.parquet import ParquetParser
from ingest.formats.part import Parser, Request
from ingest.formats.xlsx import XlsxParser

NDJSON = "application/x-ndjson"
CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"


class Format(msgspec.Struct, frozen=True):
    """A wire format. Unless it is streamed the whole body is needed before the first reading."""

    parser: Callable[[Request], Parser]
    is_streamed: bool


_NDJSON = Format(lambda _request: NdjsonParser(), True)
_CSV = Format(CsvParser, True)
_FORMATS = {
    NDJSON: _NDJSON,
    "application/ndjson": _NDJSON,
    "application/jsonl": _NDJSON,
    "application/jsonlines": _NDJSON,
    CSV: _CSV,
    "application/csv": _CSV,
    "text/tab-separated-values": Format(lambda request: CsvParser(request, "\t"), True),
    XLSX: Format(XlsxParser, False),
    ARROW: Format(ArrowStreamParser, True),
    PARQUET: Format(ParquetParser, False),
}
NAMES = ("application/json", NDJSON, CSV, XLSX, ARROW, PARQUET)
"""The media types as documents list them."""


def find_format(content_type: str) -> Format | None:
    """Return the format of a Content-Type, None when there is none."""
    return _FORMATS.get(content_type.partition(";")[0].strip().lower())


def find_charset(content_type: str) -> str:
    """Return the charset that a Content-Type names, or ''."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"')
    return ""
