"""Runs a parser on a body, as one piece or many."""

from typing import Any
from zoneinfo import ZoneInfo

from ingest.columns import Columns
from ingest.formats.media import Format, find_charset, find_format
from ingest.formats.ndjson import readings
from ingest.formats.part import Lines, Parser, Request
from ingest.options import parse_options
from ingest.readings import Context, Reading
from twin.schema import Kind

NOW_US = 1_795_000_000_000_000
"""2026-11-18T11:06:40Z."""
MAX_BYTES = 8 * 2**20


class Found:
    """What a parser made of a body."""

    def __init__(self, parser: Parser) -> None:
        self.parser = parser
        self.readings: list[Reading] = []
        self.faults: list[tuple[int | None, str | None]] = []
        self.messages: list[str] = []
        self.lost = 0

    @property
    def values(self) -> list[dict[str, Any]]:
        """The values of each reading, without absent ones."""
        return [{k: v for k, v in r.values if v is not None} for r in self.readings]

    @property
    def times(self) -> list[int]:
        return [r.ts_us for r in self.readings]

    @property
    def taken(self) -> dict[str, tuple[str, str | None, str]]:
        return {t.name: (t.role, t.kind, t.format) for t in self.parser.taken()}


def parse(
    media: str,
    body: bytes,
    query: str = "",
    *,
    zone: str = "UTC",
    known: dict[str, Kind] | None = None,
    piece: int = 0,
) -> Found:
    """Parse a body, cut into pieces of `piece` bytes unless 0. Raises TwinfeedError."""
    options = parse_options(query)
    context = Context(NOW_US, options.zone or ZoneInfo(zone), options.ns_per_unit)
    request = Request(context, options, (known or {}).get, MAX_BYTES, 100_000, find_charset(media))
    format_ = find_format(media)
    assert isinstance(format_, Format)
    found = Found(format_.parser(request))
    pieces = [body[i : i + piece] for i in range(0, len(body), piece)] if piece else [body]
    for part in _all(found.parser, pieces):
        if isinstance(part, Lines):
            read = readings(part, context)
            found.readings += read
            errors = [fault for reading in read for fault in reading.faults]
        else:
            found.readings += part.readings()
            found.lost += part.lost
            errors = part.faults
        found.faults += [(error.index, error.key) for error in errors]
        found.messages += [error.message for error in errors]
    return found


def _all(parser: Parser, pieces: list[bytes]) -> list[Columns | Lines]:
    found: list[Columns | Lines] = []
    for piece in pieces:
        found += parser.feed(piece)
    return [*found, *parser.finish()]
