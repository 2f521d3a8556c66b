"""Whether a workbook may be opened: a zip whose sheets stay within bounds. Pure.

The reader allocates a sheet as a rectangle, from the first cell to the last, and expands every part.
Two cells far apart or a lying directory would cost any amount of memory, so both are checked before.
"""

import io
import re
import zipfile
import zlib
from typing import IO

from twin.errors import TooLarge, Unreadable

MAX_CELLS = 8_000_000
"""Cells of a sheet's rectangle; a cell takes about 32 bytes in the reader."""
XML_FACTOR = 3
"""A workbook may expand to so many times the bound of other bodies: most of its XML is markup, and the
reader keeps only what the cells hold."""
MAX_ENTRIES = 2000
_PIECE_BYTES = 2**20
_OVERLAP_BYTES = 64
_PLACE = re.compile(rb"""\br\s*=\s*["']\s*([A-Za-z]*)([0-9]+)""")
"""A cell's or row's place: r="AB12", r="12"."""
_ROW = re.compile(rb"<(?:\w+:)?row\b")
_CELL = re.compile(rb"<(?:\w+:)?c\b")
_1904 = re.compile(rb"""\bdate1904\s*=\s*["'](?:1|true)["']""", re.IGNORECASE)
_WORKBOOK = "xl/workbook.xml"
_LAST_ROW, _LAST_COLUMN = 1_048_576, 16_384


def check(data: bytes, max_expanded_bytes: int) -> bool:
    """Return whether a workbook counts its dates from 1904.

    Raises Unreadable for what is no whole workbook, TooLarge for one that expands past the bound.
    """
    max_expanded_bytes *= XML_FACTOR
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = {entry.filename for entry in entries}
            if _WORKBOOK not in names:
                raise Unreadable("The body is a zip file, but not an xlsx workbook.")
            size = sum(entry.file_size for entry in entries)
            if size > max_expanded_bytes or len(entries) > MAX_ENTRIES:
                raise TooLarge(
                    f"The workbook expands to {size} bytes, beyond the {max_expanded_bytes} allowed."
                )
            for entry in entries:
                with archive.open(entry) as file:  # no more than the directory says, and its CRC
                    _check_entry(file, is_sheet=entry.filename.startswith("xl/worksheets/"))
            return bool(_1904.search(archive.read(_WORKBOOK)))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as exc:
        raise Unreadable("The body is not an xlsx workbook, or is cut off or damaged.") from exc
    except (NotImplementedError, RuntimeError) as exc:  # another compression; a password
        raise Unreadable("The workbook is encrypted or packed in a way that is not read.") from exc


def _check_entry(file: IO[bytes], *, is_sheet: bool) -> None:
    rows = columns = seen_rows = in_row = 0
    tail = b""
    while piece := file.read(_PIECE_BYTES):
        if not is_sheet:
            continue
        piece = tail + piece
        for letters, digits in set(_PLACE.findall(piece)):
            rows = max(rows, int(digits[:8]))
            columns = max(columns, _number_of(letters))
        # Rows and cells without a place follow one another.
        begun = [len(_CELL.findall(part)) for part in _ROW.split(piece)]
        seen_rows += len(begun) - 1
        begun[0] += in_row
        columns, in_row = max(columns, max(begun)), begun[-1]
        tail = piece[-_OVERLAP_BYTES:]
    rows, columns = max(rows, seen_rows, 1), max(columns, 1)
    if rows > _LAST_ROW or columns > _LAST_COLUMN or rows * columns > MAX_CELLS:
        raise TooLarge(
            f"A sheet of the workbook spans {rows} rows and {columns} columns; the most is "
            f"{MAX_CELLS} cells."
        )


def _number_of(letters: bytes) -> int:
    """Return a column's number: A = 1, AA = 27."""
    number = 0
    for letter in letters[:4].upper():
        number = number * 26 + letter - 64
    return number
