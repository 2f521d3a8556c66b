"""What parsers of formats share: how a request wants to be read, and what they hand on."""

from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import msgspec

from ingest.columns import Columns
from ingest.options import Options
from ingest.readings import Context
from twin.schema import Kind

PART_ROWS = 16_384
"""Readings of a part at most: some MiB of rows, and less than a writer takes at once."""
CHUNK_BYTES = 2**20
"""Text is parsed in pieces of about this size."""
MAX_RECORD_BYTES = 4 * 2**20
"""The longest line of NDJSON or record of CSV."""


class Taken(msgspec.Struct, omit_defaults=True):
    """What a column was taken for: a key of a kind, the time, the device, or left out."""

    name: str
    role: Literal["time", "device", "key", "left out"]
    kind: Kind | None = None
    format: str = ""


class Lines(msgspec.Struct, frozen=True):
    """JSON texts of readings, the first with place `first` in the request."""

    first: int
    lines: list[bytes]

    def __len__(self) -> int:
        """Return the number of readings."""
        return len(self.lines)


Part = Columns | Lines


class Request(msgspec.Struct, frozen=True):
    """How a request wants to be read. Sizes in bytes."""

    context: Context
    options: Options
    known_kind: Callable[[str], Kind | None]
    max_expanded_bytes: int
    max_rows: int
    charset: str = ""


class Parser(Protocol):
    """Turns a body's bytes into parts, in order. Raises TwinfeedError for what cannot be read."""

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield the parts that are complete with these bytes."""

    def flush(self) -> Iterator[Part]:
        """Yield what could be handed on already: the body comes slowly.

        Nothing, where what is handed on together changes what it is taken for.
        """

    def finish(self) -> Iterator[Part]:
        """Yield the rest: the body has ended."""

    def taken(self) -> list[Taken]:
        """Return what each column was taken for; empty for formats without columns."""
