"""A CSV file on disk: its encoding, delimiter and records, each with the line on which it begins.

Read as a stream: in memory is never more than a record, and a line is bounded.
"""

import codecs
import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from twin.importer.errors import ImportFailed

DELIMITERS = (",", ";", "\t", "|")
MAX_LINE_CHARS = 2**20
"""A longer line is a file without line ends or no CSV at all."""

_QUOTED = re.compile(r'"[^"]*"')
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Record(NamedTuple):
    """The cells of a record, and its first line in the file (from 1)."""

    line: int
    cells: list[str]


class Table:
    """A CSV file with a header line. Raises ImportFailed when it cannot be read as one."""

    def __init__(self, path: Path, delimiter: str | None = None) -> None:
        """Read the header of `path`; its delimiter is found there unless given."""
        if not path.is_file():
            raise ImportFailed(f"{path} is not a regular file; it is read twice.")
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
            raise ImportFailed("The delimiter must be one character, such as ';'.")
        self.path = path
        self._encoding = _encoding(path)
        self.delimiter = delimiter or self._find_delimiter()
        header = next(self._all_records(), None)
        if header is None:
            raise ImportFailed(f"{path} is empty.")
        self.header = [name.strip() for name in header.cells]

    def records(self) -> Iterator[Record]:
        """Yield the records below the header; blank lines are passed over."""
        found = self._all_records()
        next(found)
        return found

    def _all_records(self) -> Iterator[Record]:
        with self._open() as file:
            reader = csv.reader(self._lines(file), delimiter=self.delimiter, strict=True)
            while True:
                first_line = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as exc:
                    raise self._failed(first_line, f"cannot be read as CSV: {exc}") from exc
                except UnicodeDecodeError as exc:
                    raise self._failed(
                        first_line, "or one soon after it is not UTF-8 text; save the file as UTF-8"
                    ) from exc
                if cells:
                    yield Record(first_line, cells)

    def _find_delimiter(self) -> str:
        """Return the delimiter that is most frequent in the first line with text."""
        with self._open() as file:
            try:
                first = next((line for line in self._lines(file) if line.strip()), "")
            except UnicodeDecodeError as exc:
                raise self._failed(1, "is not UTF-8 text; save the file as UTF-8") from exc
        bare = _QUOTED.sub("", first)
        return max(DELIMITERS, key=bare.count)

    def _open(self) -> TextIO:
        return self.path.open(encoding=self._encoding, newline="")

    def _lines(self, file: TextIO) -> Iterator[str]:
        number = 0
        while line := file.readline(MAX_LINE_CHARS + 1):
            number += 1
            if len(line) > MAX_LINE_CHARS:
                raise self._failed(number, f"is longer than {MAX_LINE_CHARS} characters")
            yield line

    def _failed(self, line: int, problem: str) -> ImportFailed:
        return ImportFailed(f"{self.path.name}: line {line} {problem}.")


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(2)
    # Excel's "Unicode text" is UTF-16; everything else is UTF-8, with a byte order mark or without.
    return "utf-16" if start in _UTF16_MARKS else "utf-8-sig"
