"""NDJSON: a JSON reading a line. Lines are cut here and read by the paths that JSON bodies take."""

from collections.abc import Iterator

import msgspec

from ingest import json_shapes
from ingest.formats.part import CHUNK_BYTES, MAX_RECORD_BYTES, PART_ROWS, Lines, Part, Taken
from ingest.json_document import decode
from ingest.readings import Context, Reading
from twin.errors import ItemError, TooLarge, Unreadable


class NdjsonParser:
    """Cuts a body into lines; blank ones are passed over."""

    def __init__(self) -> None:
        """Begin a body."""
        self._rest = bytearray()
        self._rows = 0

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield the lines that are complete, many at a time."""
        self._rest += data
        if len(self._rest) < CHUNK_BYTES:
            return
        yield from self.flush()
        if len(self._rest) > MAX_RECORD_BYTES:
            raise TooLarge(
                f"Line {self._rows + 1} is longer than the {MAX_RECORD_BYTES} bytes allowed."
            )

    def flush(self) -> Iterator[Part]:
        """Yield the lines that are complete."""
        end = self._rest.rfind(b"\n") + 1
        if end:
            whole = bytes(self._rest[:end])
            del self._rest[:end]
            yield from self._parts(whole)

    def finish(self) -> Iterator[Part]:
        """Yield the rest. The last line needs no end."""
        yield from self._parts(bytes(self._rest))
        if not self._rows:
            raise Unreadable("The body is empty: send a reading a line.")

    def taken(self) -> list[Taken]:
        """Return nothing: lines have no columns."""
        return []

    def _parts(self, whole: bytes) -> Iterator[Part]:
        if not self._rows:
            whole = whole.removeprefix(b"\xef\xbb\xbf")
        lines = [line for line in whole.split(b"\n") if line and not line.isspace()]
        for start in range(0, len(lines), PART_ROWS):
            part = Lines(self._rows, lines[start : start + PART_ROWS])
            self._rows += len(part)
            yield part


def readings(part: Lines, context: Context) -> list[Reading]:
    """Return lines as readings; a line that is not JSON is a faulty one."""
    found = []
    for index, line in enumerate(part.lines, part.first):
        try:
            item = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:
                item = decode(line)  # names the byte, and takes numbers beyond the doubles
            except Unreadable as exc:
                reason = exc.message.replace("The body", "the line").rstrip(".")
                found.append(Reading(index, "", 0, [], [ItemError(reason, index=index)]))
                continue
        found.append(json_shapes.item_reading(item, index, context))
    return found


_decoder = msgspec.json.Decoder()
